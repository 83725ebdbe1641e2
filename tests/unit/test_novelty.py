"""Novelty: what is unlike the training images is said to be so, and that knowledge is saved and copied with the network."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file
from threadpoolctl import threadpool_limits

import glassnet as gn
from glassnet.runtime.features import HiddenFeatures, feature_width, hidden_depths
from glassnet.runtime.novelty import Novelty, conformal_limit
from glassnet.support.storage import read_tensors, write_tensors

SPLITS = gn.load_dataset("digits")
RNG = np.random.default_rng(4)
NOISE = RNG.integers(0, 256, (200, 8, 8, 1)).astype(np.uint8)


def network(*layers: Any, **options: Any) -> gn.Network:
    layers = layers or (gn.Flatten(), gn.Pixels(), gn.Dense(40, initializer="HeNormal"), gn.ReLU(), gn.Dense(10))
    return gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1, **options)


def convolutional() -> gn.Network:
    inside = [gn.Conv2D(8, 3, padding="same"), gn.BatchNorm(), gn.ReLU()]
    return network(
        gn.Pixels(), gn.Conv2D(8, 3, padding="same", use_bias=False), gn.BatchNorm(), gn.ReLU(), gn.Residual(inside),
        gn.MaxPool2D(2), gn.Conv2D(16, 3), gn.ReLU(), gn.GlobalAveragePool2D(), gn.Dropout(0.1), gn.Dense(10),
    )  # fmt: skip


@pytest.fixture(scope="module")
def trained() -> gn.Network:
    net = convolutional()
    net.fit(SPLITS.train, 8, optimizer="Adam", seed=1, progress=False, statistics=False)
    net.fit_novelty(SPLITS.train, SPLITS.validation)
    return net


def test_noise_is_novel_and_digits_are_not(trained: gn.Network) -> None:
    assert trained.is_novel(NOISE).mean() > 0.95
    assert trained.is_novel(255 - SPLITS.test.images).mean() > 0.95
    assert trained.is_novel(SPLITS.test.images).mean() < 0.04
    assert trained.novelty(SPLITS.train.images[:20]).max() < 0.2  # they are references, as bytes
    one = trained.novelty(NOISE[0])
    assert one.shape == (1,)
    assert one[0] == pytest.approx(trained.novelty(NOISE)[0], rel=1e-5)


def test_the_limit_is_set_on_validation_images(trained: gn.Network) -> None:
    found = trained.fitted_novelty
    assert found is not None
    count = len(SPLITS.validation)
    assert (found.validated, found.held_out) == (count, True)
    beyond = int((trained.novelty(SPLITS.validation.images) > 1).sum())
    assert beyond == found.alarms == count - int(np.ceil(0.99 * (count + 1)))


def test_without_validation_images_each_training_image_is_compared_with_the_others(trained: gn.Network) -> None:
    net = copy.copy(trained)
    net.fit_novelty(SPLITS.train)
    found = net.fitted_novelty
    assert found is not None
    assert not found.held_out
    assert 0.005 < found.alarms / len(SPLITS.train) <= 0.01
    assert net.is_novel(NOISE).mean() > 0.95


def test_a_subset_has_an_error_of_its_own(trained: gn.Network) -> None:
    whole = trained.fitted_novelty
    assert whole is not None
    features = HiddenFeatures(trained, hidden_depths(trained))
    held_out, unseen = (features(trained.rows(part.images)) for part in (SPLITS.validation, SPLITS.test))
    references = features(trained.rows(SPLITS.train.images[::3]))
    small = whole.subset(references, held_out, 24)
    assert small.components.shape == (features.width, 24)
    assert small.references.shape == (len(references), 24)
    assert (small.references == whole.references[::3, :24]).all()
    assert (small.validated, small.held_out) == (len(SPLITS.validation), True)
    assert small.alarms == int((small.of(held_out) > 1).sum()) <= 0.01 * small.validated
    assert (small.of(unseen) > 1).mean() < 0.05
    assert (small.of(features(trained.rows(NOISE))) > 1).mean() > 0.95
    x = held_out[:5] - whole.mean
    inside = np.linalg.qr(small.components.astype(np.float64))[0]  # their span
    rest = np.linalg.norm(x - x @ inside @ inside.T, axis=1)
    z = x @ small.components.astype(np.float64)
    away = np.linalg.norm(z[:, None] - small.step * small.references[None].astype(np.float64), axis=-1).min(axis=1)
    wanted = np.sqrt(away**2 + (small.outside * rest) ** 2) / small.limit
    np.testing.assert_allclose(small.of(held_out[:5]), wanted, rtol=2e-3)
    assert whole.subset(references, held_out, 500).outside == 0


def test_conformal_limit() -> None:
    assert conformal_limit(np.arange(1.0, 100.0)) == 99  # ⌈0.99·100⌉ = 99
    assert conformal_limit(np.arange(199.0, 0.0, -1)) == 198
    assert conformal_limit(np.array([3.0, 7.0, 5.0])) == 7


def test_depths_and_regions() -> None:
    net = convolutional()
    assert hidden_depths(net) == (6, 8)  # weights: conv 1, residual 4, conv 6, dense 10; before global pooling
    assert feature_width(net) == 9 * 8 + 4 * 16 == HiddenFeatures(net, hidden_depths(net))(net.rows(NOISE[:3])).shape[1]
    assert hidden_depths(gn.Network([784, 30, 10])) == (4,)
    assert hidden_depths(gn.Network([784, 40, 30, 20, 10])) == (6, 8)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_features_are_those_of_the_layers(dtype: str) -> None:
    net = convolutional().astype(dtype)
    net.fit(SPLITS.train[:200], 1, seed=1, progress=False, statistics=False)
    rows = net.rows(SPLITS.test.images[:5])
    found = HiddenFeatures(net, hidden_depths(net))(rows)
    parts = []
    for depth, bounds in ((6, [(0, 2), (1, 3), (2, 4)]), (8, [(0, 1), (1, 2)])):
        maps = net.forward(rows, stop=depth)[0]
        means = [maps[:, a:b, c:d].mean((1, 2)) for a, b in bounds for c, d in bounds]
        flat = np.concatenate(means, axis=1)
        parts.append(flat / np.linalg.norm(flat, axis=1, keepdims=True))
    np.testing.assert_allclose(found, np.concatenate(parts, axis=1), atol=1e-5)


def test_features_follow_the_weights(trained: gn.Network) -> None:
    net = copy.copy(trained)
    before = net.novelty(NOISE[:5])
    net.parameters = convolutional().parameters
    assert (net.novelty(NOISE[:5]) != before).all()


def recurrent(cell: Callable[..., gn.Layer], whole: bool) -> gn.Network:
    first = [cell(12, return_sequences=True)] if whole else []
    return gn.Network([gn.Pixels(), *first, cell(12), gn.Dense(10)], input_shape=(8, 8), loss="SoftmaxCrossEntropy", seed=1)


@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize("cell", [gn.LSTM, gn.GRU, gn.SimpleRNN])
def test_recurrent_networks(cell: Callable[..., gn.Layer], whole: bool) -> None:
    net, images = recurrent(cell, whole), SPLITS.train.images.reshape(-1, 8, 8)
    net.fit_novelty((images, SPLITS.train.labels))
    assert net.novelty(NOISE.reshape(-1, 8, 8)).shape == (200,)
    assert feature_width(net) == (12 * 3 + 12 if whole else 12)


def test_copies_and_files_keep_it(trained: gn.Network, tmp_path: Path) -> None:
    wanted = trained.novelty(NOISE)
    path = tmp_path / "model.safetensors"
    trained.save(path)
    twins = [copy.copy(trained), copy.deepcopy(trained), pickle.loads(pickle.dumps(trained)), gn.Network.load(path)]
    for twin in twins:
        np.testing.assert_array_equal(twin.novelty(NOISE), wanted)
    tensors = load_file(path)
    assert tensors["novelty.references"].dtype == np.int8
    assert sum(array.nbytes for name, array in tensors.items() if name.startswith("novelty.")) < 600_000
    np.testing.assert_allclose(trained.astype("float64").novelty(NOISE), wanted, rtol=1e-3)


def test_the_same_bits_for_any_number_of_threads(trained: gn.Network) -> None:
    found = []
    for threads in (1, 2):
        net = copy.copy(trained)
        with threadpool_limits(threads):
            net.fit_novelty(SPLITS.train, SPLITS.validation)
        assert net.fitted_novelty is not None
        found.append(net.fitted_novelty)
    assert found[0].figures() == found[1].figures()
    for name, array in found[0].arrays().items():
        np.testing.assert_array_equal(array, found[1].arrays()[name])


def test_a_file_without_it_still_loads_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    network().save(path)
    with pytest.raises(gn.InputError, match="does not know yet what its training images look like") as caught:
        gn.Network.load(path).is_novel(NOISE)
    assert caught.value.hint == "net.fit_novelty(splits.train, splits.validation)"


def test_training_makes_it_void(trained: gn.Network) -> None:
    net = copy.copy(trained)
    net.fit(SPLITS.train, 1, seed=1, progress=False)
    assert net.fitted_novelty is None


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("references", lambda array: array[:, :-1]),
        ("references", lambda array: array.astype(np.int16)),
        ("references", lambda array: array[:0]),
        ("references", None),
        ("mean", lambda array: array[:-1]),
        ("mean", lambda array: array * np.nan),
        ("components", lambda array: array.ravel()),
        ("step", lambda _: 0.0),
        ("limit", lambda _: "far"),
        ("limit", lambda _: float("nan")),
        ("validated", lambda _: -1),
        ("held_out", lambda _: 1),
        ("alarms", None),
        ("other", lambda _: 1),
    ],
)
def test_damaged_files(trained: gn.Network, tmp_path: Path, name: str, change: Callable[[Any], Any] | None) -> None:
    path = tmp_path / "model.safetensors"
    trained.save(path)
    tensors, header = read_tensors(path, "model")
    home, key = (tensors, f"novelty.{name}") if name in Novelty.ARRAYS else (header["novelty"], name)
    value = home.pop(key, None)
    if change is not None:
        home[key] = change(value)
    write_tensors(path, tensors, {key: value for key, value in header.items() if key not in ("format", "sha256")})
    with pytest.raises(gn.ModelFileError, match="What the file holds for novelty is damaged"):
        gn.Network.load(path)


@pytest.mark.parametrize("missing", ["arrays", "header"])
def test_half_of_it_is_refused(trained: gn.Network, tmp_path: Path, missing: str) -> None:
    path = tmp_path / "model.safetensors"
    trained.save(path)
    tensors, header = read_tensors(path, "model")
    if missing == "arrays":
        tensors = {name: array for name, array in tensors.items() if not name.startswith("novelty.")}
    else:
        del header["novelty"]
    write_tensors(path, tensors, {key: value for key, value in header.items() if key not in ("format", "sha256")})
    with pytest.raises(gn.ModelFileError, match="What the file holds for novelty is damaged"):
        gn.Network.load(path)


def test_what_it_is_not_defined_for() -> None:
    with pytest.raises(gn.InputError, match="This network has no hidden layer") as caught:
        network(gn.Flatten(), gn.Pixels(), gn.Dense(10)).fit_novelty(SPLITS.train)
    assert str(caught.value.expected) == "at least two layers with weights"
    with pytest.raises(gn.InputError, match="This network has no hidden layer"):
        network(gn.Flatten(), gn.Pixels(), gn.Dense(10)).novelty(NOISE)
    regression = gn.Network([gn.Dense(3), gn.Tanh(), gn.Dense(1)], input_shape=(4,), seed=1)
    with pytest.raises(gn.InputError, match="Novelty is defined only for classes"):
        regression.fit_novelty((np.zeros((5, 4), np.float32), np.zeros((5, 1), np.float32)))
    with pytest.raises(gn.InputError, match="Novelty needs at least two training images"):
        network().fit_novelty(SPLITS.train[:1])


def test_layers_whose_outputs_are_all_zero_or_equal() -> None:
    net = network()
    net.parameters = np.zeros_like(net.parameters)
    net.fit_novelty(SPLITS.train[:50], SPLITS.validation)
    assert np.isfinite(net.novelty(NOISE)).all()
    assert not net.is_novel(NOISE).any()


def test_trained_runs_have_it(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=1, out=tmp_path / "run", progress=False)
    assert gn.Run.load(run.folder).network.fitted_novelty is not None
    chain = gn.train("chain", out=tmp_path / "chain", progress=False)
    with pytest.raises(gn.InputError, match="does not know yet"):
        chain.network.novelty(np.zeros((1, 1), np.float32))


def test_header_is_json(trained: gn.Network, tmp_path: Path) -> None:
    trained.save(tmp_path / "model.safetensors")
    header = read_tensors(tmp_path / "model.safetensors", "model")[1]
    assert set(header["novelty"]) == {"step", "limit", "validated", "alarms", "held_out"}
    assert json.loads(json.dumps(header["novelty"])) == header["novelty"]
