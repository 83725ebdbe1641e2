"""Compiled training against float64 NumPy, on networks drawn at random: `python -m benchmarks.agreement --networks 3000`.

The kernels may be off by what float32 itself must be, and what that is is measured: by float32 NumPy, and by float32 NumPy
each of whose operations rounds at random. For each array that three steps of training leave,

    error of the kernels ≤ FACTOR · (the largest such error) + a few roundings of the array's largest number

Networks that enlarge errors, kinks of ReLU and ties of pooling are thus allowed for as far as they are there, and no further.
Exit code 1 where a network is beyond.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, cast
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from benchmarks.random_networks import Case, draw_case, retake
from glassnet.network import Network
from glassnet.nn import Layer, activations, norm, recurrent as recurrence, walk
from glassnet.nn.layer import Backward
from glassnet.nn.losses import Loss
from glassnet.runtime import CompiledTrainer, Predictor, ReferenceTrainer, StepPlan

Array = NDArray[Any]
Found = dict[str, Array]
Off = Callable[[Array], Array]

EPSILON = float(np.finfo(np.float32).eps)
FACTOR = 4.0  # sums in another order, Winograd's transforms, polynomials for exp: a few roundings for one
ROUNDINGS = 8.0
SLOPES = [
    *((activations, f"{name}_backward") for name in ("sigmoid", "tanh", "softmax")),
    *((recurrence, f"{name}_backward") for name in ("sigmoid", "tanh")),
]
SHAKES, MORE_SHAKES = 4, 64  # runs; so many more before a network counts as beyond: the largest of few may be small by chance


@dataclass(frozen=True)
class Excess:
    """An array of which the kernels are beyond the bound."""

    name: str
    error: float
    bound: float

    def __str__(self) -> str:
        return f"{self.name}: off by {self.error:.2e}, allowed {self.bound:.2e}"


def roundings(rng: np.random.Generator) -> Off:
    """What a float32 operation does to its result: every number is off by a relative error of about ε; 0 stays 0."""

    def off(x: Array) -> Array:
        if x.dtype.kind != "f":
            return x
        return (x * (1 + EPSILON * rng.standard_normal(x.shape))).astype(x.dtype)

    return off


def shake_layer(layer: Layer, off: Off) -> None:
    """Shake the layer's parameters in each pass, what it gives, and its gradients."""
    exact = layer.forward

    def forward(x: Array, **options: Any) -> tuple[Array, Backward]:
        kept = layer.parameters
        layer.parameters = {name: off(array) for name, array in kept.items()}
        y, exact_backward = exact(x, **options)
        layer.parameters = kept

        def backward(dy: Array) -> tuple[Array, dict[str, Array]]:
            dx, gradients = exact_backward(off(dy))
            return off(dx), {name: off(gradient) for name, gradient in gradients.items()}

        return off(y), backward

    layer.forward = forward  # type: ignore[method-assign]  # of this layer alone


class ShakenLoss:
    """The loss, its gradient p − t being the difference from a p that is off."""

    def __init__(self, loss: Loss, off: Off) -> None:
        self._loss, self._off = loss, off

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loss, name)

    def value_and_gradient(self, z: Array, target: Array) -> tuple[Array, Array]:
        value, gradient = self._loss.value_and_gradient(z, target)
        return self._off(value), self._off(gradient + target) - target


def shaken_normalise_backward(off: Off) -> Callable[..., Array]:
    """The gradient through a normalisation, whose terms cancel where few values are normalised: each of them is off."""

    def backward(dnormal: Array, normal: Array, inverse: Array, axes: tuple[int, ...]) -> Array:
        first = dnormal.mean(axis=axes, keepdims=True, dtype=np.float64)
        second = (dnormal * normal).mean(axis=axes, keepdims=True, dtype=np.float64)
        if dnormal.size > first.size:  # a sum of one number is exact
            first, second = off(first), off(second)
        return (inverse * off(off(dnormal - first) - off(normal * second))).astype(dnormal.dtype)

    return backward


def shaken_slope(slope: Callable[[Array, Array], Array], off: Off) -> Callable[[Array, Array], Array]:
    """A derivative that follows from the output y, in which 1 − y or 1 − y² may cancel: y is off."""
    return lambda dy, y: slope(dy, off(y))


@contextmanager
def shaken(net: Network, seed: int) -> Iterator[None]:
    """The network rounds at random after each operation."""
    off = roundings(np.random.default_rng(seed))
    for layer in walk(net.layers):
        if not layer.branches:
            shake_layer(layer, off)
    net.loss = cast("Loss", ShakenLoss(net.loss, off))
    with ExitStack() as patches:
        patches.enter_context(mock.patch.object(norm, "normalise_backward", shaken_normalise_backward(off)))
        for module, name in SLOPES:
            patches.enter_context(mock.patch.object(module, name, shaken_slope(getattr(module, name), off)))
        yield


def trained(case: Case, kind: type[CompiledTrainer] | type[ReferenceTrainer]) -> Found:
    """What training leaves: the costs, the state array by array, moments, average and the last gradient."""
    net = case.network
    trainer = kind(
        net,
        net.rows(case.images),
        case.labels,
        StepPlan(
            batch_size=case.batch,
            optimizer=case.optimizer,
            weights=case.weights,
            threads=case.threads,
            averaging=case.averaging,
        ),
    )
    order = np.random.default_rng(case.seed).permutation(len(case.images))
    trainer.begin_epoch(order, case.rates, np.random.default_rng(case.seed))  # the same generator: the same dropout
    trainer.run(0, len(case.rates), 0, keep_gradient=case.keep_gradient)
    found = {"losses": trainer.losses}
    vectors = {"": net.state, "average of ": trainer.average}
    vectors |= {f"moment {number} of ": moment for number, moment in enumerate(trainer.moments, 1)}
    if case.keep_gradient:
        vectors["gradient of "] = trainer.gradient
    for what, vector in vectors.items():
        for slot in (*net.slots, *net.running_slots):
            if slot.offset < len(vector):
                found[f"{what}{slot.name}"] = slot.part(vector)
    return {name: array.astype(np.float64) for name, array in found.items()}


def in_numpy(case: Case, seed: int | None = None) -> Found:
    """The answers of a fresh copy of the network, and what training leaves, in NumPy; with a `seed`, shaken."""
    case = retake(case)
    net = case.network
    if seed is not None:
        with shaken(net, seed):
            return {**_answers_in_numpy(net, case.images), **trained(case, ReferenceTrainer)}
    return {**_answers_in_numpy(net, case.images), **trained(case, ReferenceTrainer)}


def _answers_in_numpy(net: Network, images: Array) -> Found:
    rows = net.rows(images)
    found = {"raw": net.forward(rows, stop=net.layers_before_loss)[0], "outputs": net.forward(rows)[0]}
    return {name: y.reshape(len(rows), -1).astype(np.float64) for name, y in found.items()}


def compiled(case: Case) -> Found:
    """The same by the kernels."""
    case = retake(case)
    predictor, rows, found = Predictor(case.network, case.threads), case.network.rows(case.images), {}
    for purpose in ("raw", "outputs"):
        y, classes = predictor.outputs(rows, purpose)
        found[purpose] = y.astype(np.float64)
        np.testing.assert_array_equal(classes, case.network.decide(y))
    return {**found, **trained(case, CompiledTrainer)}


def _far(found: Found, wanted: Found) -> dict[str, float]:
    """The largest difference of each array where the wanted one is finite; infinite for NaN."""
    return {
        name: float(np.nan_to_num(np.abs(found[name] - array)[np.isfinite(array)], nan=np.inf).max(initial=0.0))
        for name, array in wanted.items()
    }


def _floors(wanted: Found) -> dict[str, float]:
    """Some roundings of each array's largest number; of a mean, that of the values whose mean it is."""
    scales = {name: float(np.abs(array)[np.isfinite(array)].max(initial=0.0)) for name, array in wanted.items()}
    for name, variance in scales.items():
        if name.endswith("variance"):
            mean = name.removesuffix("variance") + "mean"
            scales[mean] += float(np.sqrt(variance))
    return {name: ROUNDINGS * EPSILON * scale + EPSILON**2 for name, scale in scales.items()}


def excesses(case: Case, ours: Found | None = None) -> list[Excess]:
    """The arrays of which the kernels (or `ours`) are off by more than float32 must be."""
    wanted = in_numpy(retake(case, network=case.network.astype("float64")))
    errors, must = _far(compiled(case) if ours is None else ours, wanted), _far(in_numpy(case), wanted)
    floors, beyond = _floors(wanted), list[Excess]()
    for seed in range(SHAKES + MORE_SHAKES):
        must = {name: max(far, must[name]) for name, far in _far(in_numpy(case, seed), wanted).items()}
        bounds = {name: FACTOR * must[name] + floors[name] for name in wanted}
        beyond = [Excess(name, far, bounds[name]) for name, far in errors.items() if not far <= bounds[name]]
        if seed + 1 >= SHAKES and not beyond:
            break
    return beyond


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=int, default=3000)
    parser.add_argument("--first", type=int, default=0, help="the seed of the first network")
    arguments = parser.parse_args()
    failed = 0
    for seed in range(arguments.first, arguments.first + arguments.networks):
        case = draw_case(seed)
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            beyond = excesses(case)
        if beyond:
            failed += 1
            print(case, *(f"  {excess}" for excess in beyond), sep="\n", flush=True)
        if (seed - arguments.first) % 100 == 99:
            print(f"{seed - arguments.first + 1} networks, {failed} beyond the bound", flush=True)
    print(f"{arguments.networks} networks, {failed} beyond the bound")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
