"""What BatchNorm learns on the way: kept with the weights when the best, the last good or a checkpoint is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn

Array = np.ndarray[Any, Any]


def network(dtype: str = "float32", momentum: float = 0.5, rate: float = 0.0) -> gn.Network:
    block = gn.Residual([gn.Dense(8, use_bias=False), gn.BatchNorm(0.8)])
    layers = [gn.Dense(8, use_bias=False), gn.BatchNorm(momentum), gn.Tanh(), gn.Dropout(rate), block, gn.Dense(3)]
    return gn.Network(layers, input_shape=(6,), loss="SoftmaxCrossEntropy", seed=4, dtype=dtype)


def running(net: gn.Network) -> Array:
    return net.state[net.flat.size :]


def test_they_move_with_every_step_and_stay_when_asked(blobs: tuple[Array, Array]) -> None:
    net = network()
    before = running(net).copy()
    net.fit(blobs, 1, batch_size=30, seed=1)
    after = running(net).copy()
    assert (after != before).all()
    net.evaluate(blobs)
    net.loss_and_gradient(*blobs)
    gn.check_gradients(net, *blobs)
    np.testing.assert_array_equal(running(net), after)


def test_they_are_the_moving_mean_of_the_batches(blobs: tuple[Array, Array]) -> None:
    """At rate 0 the weights stay, so that the statistics can be computed beside."""
    net = network("float64")
    x = blobs[0].astype(np.float64)
    hidden = x @ net.layers[0].parameters["weight"]
    net.fit((x, blobs[1]), 2, batch_size=90, optimizer=gn.SGD(1e-300), seed=1)
    np.testing.assert_allclose(net.layers[1].statistics["mean"], 0.75 * hidden.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(net.layers[1].statistics["variance"], 0.25 + 0.75 * hidden.var(axis=0), rtol=1e-12)


def test_the_best_epoch_is_kept_with_them(blobs: tuple[Array, Array]) -> None:
    class Note(gn.Callback):
        states: list[Array]

        def on_train_begin(self, progress: Any) -> None:
            self.states = []

        def on_epoch_end(self, progress: Any, epoch: Any) -> None:
            self.states.append(progress.network.state.copy())

    note = Note()
    net = network()
    validation = (blobs[0][::3], np.roll(blobs[1], 1)[::3])  # labels at odds with those of training: it gets worse
    history = net.fit(
        blobs, 8, batch_size=15, optimizer=gn.SGD(0.5), validation=validation, keep="best", seed=1, callbacks=[note]
    )
    best = history.best_epoch
    assert best is not None
    assert best < 8
    np.testing.assert_array_equal(net.state, note.states[best - 1])
    assert (running(net) != note.states[-1][net.flat.size :]).any()


def test_the_last_good_weights_are_kept_with_them(blobs: tuple[Array, Array]) -> None:
    good = network()
    good.fit(blobs, 1, batch_size=30, optimizer=gn.SGD(0.1), seed=1)
    net = network()
    schedule = gn.StepDecay(0.1, (1 / 3,), factor=1e38)  # the second epoch's steps are beyond all bounds
    with pytest.warns(gn.TrainingWarning, match="no longer finite"):
        net.fit(blobs, 3, batch_size=30, optimizer=gn.SGD(schedule), seed=1)
    assert np.isfinite(net.state).all()
    np.testing.assert_array_equal(net.state, good.state)


@pytest.mark.parametrize("average", [None, 0.9])
def test_a_training_that_goes_on_gives_the_same_bits(
    blobs: tuple[Array, Array], tmp_path: Any, average: float | None
) -> None:
    whole, halves = network(rate=0.2), network(rate=0.2)
    options: dict[str, Any] = {"batch_size": 20, "optimizer": gn.SGD(0.1, momentum=0.9), "seed": 7, "average": average}
    whole.fit(blobs, 6, **options)
    path = tmp_path / "checkpoint.safetensors"
    halves.fit(blobs, 3, checkpoint=path, **options)
    again = network(rate=0.2)
    again.state[...] = 3  # nothing of this remains
    again.fit(blobs, 6, checkpoint=path, resume=True, **options)
    np.testing.assert_array_equal(again.state, whole.state)


def test_the_moving_average_takes_them_in(blobs: tuple[Array, Array]) -> None:
    """Weights that stay: the statistics after step t are those of all images times 1 − ½ᵗ, averaged as weights are."""
    net = network("float64")
    hidden = blobs[0].astype(np.float64) @ net.layers[0].parameters["weight"]
    net.fit(blobs, 3, batch_size=90, optimizer=gn.SGD(1e-300), seed=1, average=0.15)
    share = 0.0
    for step in range(3):
        past = min(0.15, (1 + step) / (10 + step))
        share = past * share + (1 - past) * (1 - 0.5 ** (step + 1))
    np.testing.assert_allclose(net.layers[1].statistics["mean"], share * hidden.mean(axis=0), rtol=1e-10)


def test_scipy_trains_as_on_one_batch_of_all(blobs: tuple[Array, Array]) -> None:
    net = network("float64", rate=0.5)
    history = net.fit(blobs, 40, optimizer=gn.ScipyMinimize("L-BFGS-B"), validation=blobs)
    assert history.train_cost[-1] < 0.3 * history.train_cost[0]
    hidden = blobs[0] @ net.layers[0].parameters["weight"]
    np.testing.assert_allclose(net.layers[1].statistics["mean"], hidden.mean(axis=0), rtol=0.2, atol=0.2)
    assert history.validation_accuracy[-1] is not None
    assert history.validation_accuracy[-1] > 0.95
    assert net.layers[3].rate == 0.5  # type: ignore[attr-defined]
