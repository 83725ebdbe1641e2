"""Optimizers: one step of the weights w from the gradient g. The moments m and v are flat vectors like w.

`step` is the definition in NumPy, for any float type; float32 networks run the same equations in `kernels/optimizers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any, ClassVar

import numpy as np

from glassnet.errors import InputError
from glassnet.nn.lookahead import Lookahead, as_lookahead
from glassnet.nn.orthogonal import orthogonal
from glassnet.nn.schedules import Schedule, as_schedule
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one, is_number, not_negative, whole_number
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named


@option_class
class Optimizer:
    """`learning_rate`: a number or a schedule. `clip_norm`: the whole gradient is scaled down to this norm (0: never).

    `rates`: factors of the learning rate for some parameters, by their names or patterns of them, such as
    {"*.bias": 2, "conv2d1.weight": 0}; of several that fit the last counts, and 0 leaves parameters as they are.
    `lookahead`: a `Lookahead`, or its options.
    """

    learning_rate: Schedule | float = 0.01
    clip_norm: float = 0.0
    rates: Mapping[str, float] = field(default_factory=dict[str, float], kw_only=True, hash=False)
    lookahead: Lookahead | None = field(default=None, kw_only=True)

    moments: ClassVar[int] = 0

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "learning_rate", as_schedule(self.learning_rate, f"{name}(learning_rate)"))
        not_negative(self.clip_norm, tr("The clipping norm can't be negative."), f"{name}(clip_norm)")
        object.__setattr__(self, "lookahead", as_lookahead(self.lookahead, f"{name}(lookahead)"))
        for factor in check_rates(self.rates, f"{name}(rates)").values():
            not_negative(factor, tr("A factor of the learning rate can't be negative."), f"{name}(rates)")
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name in ("momentum", "sgd_momentum", "rho", "beta1", "beta2"):
                sentence = tr("{option} must lie in [0, 1).", option=option.name)
                below_one(value, sentence, f"{name}({option.name})", option.name)
            elif option.name == "epsilon":
                not_negative(value, tr("epsilon can't be negative."), f"{name}(epsilon)")
            elif option.name == "weight_decay":
                not_negative(value, tr("The weight decay can't be negative."), f"{name}(weight_decay)")

    @property
    def schedule(self) -> Schedule:
        return as_schedule(self.learning_rate, type(self).__name__)

    @property
    def decay(self) -> float:
        """Decoupled weight decay, of the weights alone."""
        return 0.0

    def factor(self, name: str) -> float:
        """The factor of the learning rate for a parameter such as "dense1.weight"."""
        found = [factor for pattern, factor in self.rates.items() if fnmatchcase(name, pattern)]
        return float(found[-1]) if found else 1.0

    def decay_of(self, name: str, shape: tuple[int, ...], penalised: bool) -> float:
        """The decoupled weight decay of a parameter: it is multiplied by 1 − η·factor·decay at each step."""
        return self.decay if penalised else 0.0

    def takes_matrix(self, name: str, shape: tuple[int, ...]) -> bool:
        """Whether `step` needs the parameter as it is, not flat: a weight (…, outputs) as a matrix."""
        return False

    def step(self, w: Array, g: Array, m: Array, v: Array, rate: float, number: int, decay: float = 0.0) -> None:
        """Change w (and the moments) in place; `number` counts steps from 1."""
        raise TypeError(f"{type(self).__name__} takes no steps of its own: use one of its subclasses")


@option_class
class SGD(Optimizer):
    """w ← w − η·g; with momentum μ: m ← μ·m + g, w ← w − η·m; Nesterov's: w ← w − η·(g + μ·m), as in PyTorch."""

    momentum: float = 0.0
    nesterov: bool = False

    @property
    def moments(self) -> int:  # type: ignore[override]  # depends on the momentum
        return int(self.momentum > 0)

    def step(self, w: Array, g: Array, m: Array, v: Array, rate: float, number: int, decay: float = 0.0) -> None:
        if decay:
            w *= 1 - rate * decay
        if self.momentum:
            m *= self.momentum
            m += g
            g = g + self.momentum * m if self.nesterov else m
        w -= rate * g


@option_class
class RMSprop(Optimizer):
    """m ← ρ·m + (1−ρ)·g²; w ← w − η·g / (√m + ε). Tieleman and Hinton, 2012."""

    learning_rate: Schedule | float = 0.001
    rho: float = 0.9
    epsilon: float = 1e-7

    moments = 1

    def step(self, w: Array, g: Array, m: Array, v: Array, rate: float, number: int, decay: float = 0.0) -> None:
        m *= self.rho
        m += (1 - self.rho) * g * g
        w -= rate * g / (np.sqrt(m) + self.epsilon)


@option_class
class Adam(Optimizer):
    """m ← β₁·m + (1−β₁)·g; v ← β₂·v + (1−β₂)·g²; w ← w − η·m̂ / (√v̂ + ε), m̂ = m/(1−β₁ᵗ), v̂ = v/(1−β₂ᵗ).

    Source: Kingma and Ba, ICLR 2015.
    """

    learning_rate: Schedule | float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-7

    moments = 2

    def step(self, w: Array, g: Array, m: Array, v: Array, rate: float, number: int, decay: float = 0.0) -> None:
        m *= self.beta1
        m += (1 - self.beta1) * g
        v *= self.beta2
        v += (1 - self.beta2) * g * g
        if decay:
            w *= 1 - rate * decay
        corrected = np.sqrt(v / (1 - self.beta2**number)) + self.epsilon
        w -= rate / (1 - self.beta1**number) * m / corrected


@option_class
class AdamW(Adam):
    """Adam with weights (not biases) multiplied by 1 − η·weight_decay at each step. Loshchilov and Hutter, ICLR 2019."""

    weight_decay: float = 0.01

    @property
    def decay(self) -> float:
        return self.weight_decay


@option_class
class Muon(Optimizer):
    """m ← μ·m + g; w ← w − η·O(g + μ·m), O the nearest orthogonal matrix. Jordan et al., "Muon", 2024.

    A weight (…, outputs) is a matrix (inputs, outputs), a convolution's filters, too. O is found by Newton and Schulz's
    iteration (`orthogonal`), `iterations` times, so that its singular values lie about 1; without `nesterov` it is O(m). With
    `normalize`, w is first brought to the norm √outputs. Biases, normalisation, and the weights whose names are in `sgd`
    ("dense1.weight", or patterns) take steps of SGD with `sgd_momentum`: their `rates` are commonly others. `weight_decay`:
    all but matrices that are normalised are multiplied by 1 − η·weight_decay, whatever their factors in `rates`.
    """

    learning_rate: Schedule | float = 0.02
    momentum: float = 0.95
    nesterov: bool = True
    iterations: int = 5
    normalize: bool = False
    sgd: tuple[str, ...] = ()
    sgd_momentum: float = 0.9
    weight_decay: float = 0.0

    moments = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        what = tr("The number of iterations must be a whole number above 0.")
        whole_number(self.iterations, what, "Muon(iterations)", tr("{least} or more", least=1))
        names = (self.sgd,) if isinstance(self.sgd, str) else tuple(self.sgd)
        object.__setattr__(self, "sgd", names)

    @property
    def decay(self) -> float:
        return self.weight_decay

    def decay_of(self, name: str, shape: tuple[int, ...], penalised: bool) -> float:
        factor = self.factor(name)
        fixed = self.normalize and self.takes_matrix(name, shape)  # its norm is
        return 0.0 if fixed or factor == 0 else self.weight_decay / factor

    def takes_matrix(self, name: str, shape: tuple[int, ...]) -> bool:
        return len(shape) > 1 and not any(fnmatchcase(name, pattern) for pattern in self.sgd)

    def step(self, w: Array, g: Array, m: Array, v: Array, rate: float, number: int, decay: float = 0.0) -> None:
        if w.ndim < 2:
            SGD(momentum=self.sgd_momentum, nesterov=self.nesterov).step(w, g, m, v, rate, number, decay)
            return
        m *= self.momentum
        m += g
        velocity = g + self.momentum * m if self.nesterov else m
        keep, outputs = 1 - rate * decay, w.shape[-1]
        length = np.sqrt(np.square(w, dtype=np.float64).sum())
        if self.normalize and length > 0:
            keep *= float(np.sqrt(outputs) / length)
        w *= keep
        w -= rate * orthogonal(velocity.reshape(-1, outputs), self.iterations).reshape(w.shape)


def check_rates(rates: Mapping[str, float], where: str) -> Mapping[str, float]:
    """Refuse factors that are not numbers by names."""
    if not isinstance(rates, Mapping) or not all(is_number(factor) and isfinite(factor) for factor in rates.values()):
        raise InputError(
            tr("These are not factors of the learning rate."),
            where=where,
            expected=tr("names of parameters with numbers, such as {example}", example='{"*.bias": 2}'),
            received=repr(rates),
        )
    return rates


@option_class
class ScipyMinimize:
    """The whole training set at once, through `scipy.optimize.minimize(method=…)`; an epoch is one iteration.

    The method must use gradients: CG, BFGS, L-BFGS-B, TNC, Newton-CG, SLSQP. Loss and gradient are float64.
    """

    method: str = "L-BFGS-B"

    METHODS: ClassVar[tuple[str, ...]] = ("CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP", "Newton-CG")

    def __post_init__(self) -> None:
        if self.method not in self.METHODS:
            from glassnet.support.registry import unknown

            raise unknown(tr("method with gradients"), self.method, self.METHODS, "ScipyMinimize(method)")


def average(e: Array, w: Array, averaging: float, step: int) -> None:
    """e ← β·e + (1−β)·w in place, with β = min(averaging, (1 + step) / (10 + step)); `step` counts from 0."""
    e += (1 - min(averaging, (1 + step) / (10 + step))) * (w - e)


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in (SGD, RMSprop, Adam, AdamW, Muon)}


def as_optimizer(value: Optimizer | ScipyMinimize | str | dict[str, Any], where: str) -> Optimizer | ScipyMinimize:
    """An optimizer from itself, its name, or {"type": name, option: value}."""
    if isinstance(value, ScipyMinimize):
        return value
    if value == "ScipyMinimize" or (isinstance(value, dict) and value.get("type") == "ScipyMinimize"):
        found: ScipyMinimize = find_named(value, ScipyMinimize, {"ScipyMinimize": ScipyMinimize}, where)
        return found
    return find_named(value, Optimizer, OPTIMIZERS, where)
