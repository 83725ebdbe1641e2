"""Prediction: one image and many by programs of their own, and weights that are prepared once, until they change."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.compiler import assemble
from glassnet.nn.architectures import resnet, row_rnn, vgg
from glassnet.runtime import Predictor
from glassnet.runtime.executor import Executor
from glassnet.runtime.one_image import TwoThreads

Array = np.ndarray[Any, Any]


def wide() -> list[gn.Layer]:
    widths = (gn.Dense(1030), gn.ReLU(), gn.Dense(300), gn.ReLU(), gn.Dense(33))
    return [gn.Flatten(), gn.Pixels(), *widths, gn.GELU(), gn.Dense(5)]


NETWORKS: dict[str, Callable[[], list[gn.Layer]]] = {
    "dense": wide,
    "vgg": lambda: vgg(5, blocks=[[16], [32, 32]]),
    "resnet": lambda: resnet(5, (16, 32), (1, 1)),
    "lstm": lambda: row_rnn(5, [24]),
    "gru": lambda: row_rnn(5, [24], cell="GRU"),
    "lstm, wide": lambda: row_rnn(5, [272]),  # whose sums are taken in two parts
    "rnn": lambda: row_rnn(5, [24], cell="SimpleRNN"),
}


def made(name: str) -> gn.Network:
    """With running statistics that are not those of a new network."""
    network = gn.Network(NETWORKS[name](), input_shape=(14, 14, 1), loss="SoftmaxCrossEntropy", seed=1)
    network.state[...] += 0.01 * np.random.default_rng(2).random(len(network.state), dtype=np.float32)
    return network


def images(kind: str, count: int = 40) -> Array:
    rng = np.random.default_rng(3)
    found = rng.integers(0, 256, (count, 14, 14, 1)) * (rng.random((count, 14, 14, 1)) < 0.4)
    return found.astype(np.uint8) if kind == "uint8" else (found / 255).astype(np.float32)


def anew(network: gn.Network, chosen: Array, precision: str = "float32") -> Array:
    """The outputs by a predictor that has prepared nothing yet."""
    return Predictor(network, precision=precision).outputs(network.rows(chosen), "raw")[0]


@pytest.mark.parametrize("kind", ["uint8", "float32"])
@pytest.mark.parametrize("name", NETWORKS)
def test_an_image_alone_gets_the_bits_that_it_gets_among_others(name: str, kind: str) -> None:
    network, given = made(name), images(kind)
    for purpose in ("raw", "outputs"):
        for threads in (1, 2):
            predictor = Predictor(network, threads)
            together, classes = predictor.outputs(network.rows(given), purpose)
            for number in range(0, len(given), 7):
                alone, found = predictor.outputs(network.rows(given[number : number + 1]), purpose)
                assert alone.tobytes() == together[number].tobytes()
                assert found == classes[number]
            predictor.close()


def test_one_image_in_any_form() -> None:
    network, given = made("vgg"), images("uint8", 3)
    wanted = network.predict(given)
    for number, image in enumerate(given):
        for form in (
            image,
            image[None],
            image.reshape(1, -1),
            image[..., 0],
            image.astype(np.int64),
            np.asfortranarray(image),
        ):
            found = network.predict(form)
            assert found.shape == (1,)
            assert found.dtype == np.int64
            assert found[0] == wanted[number]


def test_answers_are_not_overwritten_by_the_next_image() -> None:
    network, given = made("dense"), images("uint8", 2)
    outputs, before = network(given[:1]), network(given[:1]).copy()
    network(given[1:])
    assert outputs.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    ("name", "count", "precision"),
    [
        ("dense", 300, "float32"),
        *(
            (name, count, precision)
            for name in ("vgg", "resnet", "lstm", "gru")
            for count, precision in ((1, "float32"), (20, "float32"), (20, "bfloat16"))
        ),
    ],
)
@pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")  # where bfloat16 is emulated
def test_a_weight_written_through_a_view_changes_the_prediction(name: str, count: int, precision: str) -> None:
    """Each array's first and last number: convolutions, normalisations, running statistics, gates, the dense layer."""
    network, given = made(name), images("uint8", count)

    def answered() -> Array:
        return network.predictor.at(precision, "predict(precision)").outputs(network.rows(given), "raw")[0]

    for slot in [*network.slots, *network.running_slots]:
        for place in (0, -1):
            before = answered()
            slot.part(network.state)[place] += np.float32(0.5)
            after = answered()
            assert after.tobytes() == anew(network, given, precision).tobytes(), slot
            if after.tobytes() == before.tobytes():
                assert slot.key == "bias", slot  # of a unit that no image wakes


def test_a_change_by_any_road_is_seen() -> None:
    network, given = made("vgg"), images("uint8", 1)
    before = network(given)
    convolution = next(layer for layer in network.layers if isinstance(layer, gn.Conv2D))
    convolution.parameters["weight"][0, 0, 0, 0] += 1
    seen = [before, network(given)]
    network.parameters = network.parameters * 0.5
    seen.append(network(given))
    network.flat[...] *= 2
    seen.append(network(given))
    network.fit((images("uint8", 20), np.arange(20) % 5), epochs=1, batch_size=10, progress=False)
    seen.append(network(given))
    assert seen[-1].tobytes() == anew(network, given).tobytes()
    assert seen[3].tobytes() == seen[1].tobytes()
    assert len({each.tobytes() for each in seen}) == 4


def test_what_depends_on_the_weights_alone_is_prepared_once() -> None:
    """Where only the transformed weights are spoilt, the answer changes: so they were not made anew."""
    network = made("vgg")
    program = assemble(network, 4, is_bytes=True, purpose="raw")
    assert 0 < program.prepared < len(program.code)
    assert sum(last - first for first, last in program.weights) < len(network.state)  # the dense layer is not among them
    executor, given, found = Executor(network, program, 1), images("uint8", 4), np.zeros((4, 5), np.float32)
    executor.bind(images=given, outputs=found, classes=np.zeros(4, np.int64), order=np.arange(4))
    executor.set(is_bytes=1, batch_size=4, images_in_order=4)
    executor.run(0, 1)
    wanted = found.copy()
    executor.workspace[...] = 0
    executor.run(0, 1)
    assert found.tobytes() != wanted.tobytes()
    first = program.weights[0][0]
    network.state[first] = np.nextafter(network.state[first], np.float32(9))
    executor.run(0, 1)
    assert found.tobytes() == anew(network, given).tobytes()


def test_a_run_that_was_interrupted_has_prepared_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    network, given = made("vgg"), images("uint8", 1)
    network(given)
    network.flat[0] += 1

    def interrupted(executor: Executor) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        for kind in (Executor, TwoThreads):
            patch.setattr(kind, "_run_threads", interrupted)
        with pytest.raises(KeyboardInterrupt):
            network(given)
    assert network(given).tobytes() == anew(network, given).tobytes()


def test_no_image_prepares_nothing() -> None:
    network, given = made("vgg"), images("uint8")
    assert network(given[:0]).shape == (0, 5)
    assert network(given).tobytes() == anew(network, given).tobytes()


@pytest.mark.parametrize("name", ["dense", "vgg"])
def test_several_threads_may_ask_at_once(name: str) -> None:
    network, given = made(name), images("uint8")
    wanted = network(given)
    with ThreadPoolExecutor(4) as pool:
        chosen = [number % len(given) for number in range(400)]
        for number, found in zip(chosen, pool.map(lambda i: network(given[i : i + 1]), chosen), strict=True):
            assert found.tobytes() == wanted[number].tobytes()


@pytest.mark.parametrize("name", ["dense", "vgg", "lstm"])
def test_steps_are_dealt_to_threads_whole_and_once(name: str) -> None:
    """Counts around whole steps, of several rounds; a thread that comes too late to take one has prepared its weights."""
    network = made(name)
    given = images("uint8", 400)
    outputs, classes = Predictor(network, 1).outputs(network.rows(given), "raw")
    predictor = Predictor(network, 3)
    for count in (2, 4, 55, 57, 168, 169, 400):
        found, answers = predictor.outputs(network.rows(given[:count]), "raw")
        assert found.tobytes() == outputs[:count].tobytes()
        assert answers.tobytes() == classes[:count].tobytes()
    network.flat[...] *= 2
    wanted = anew(network, given)
    for _ in range(20):
        assert predictor.outputs(network.rows(given), "raw")[0].tobytes() == wanted.tobytes()
    predictor.close()
