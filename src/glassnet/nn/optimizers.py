"""Optimizers: one step of the weights w from the gradient g. The moments m and v are flat vectors like w.

`step` is the definition in NumPy, for any float type; float32 networks run the same equations in `kernels/optimizers.py`.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, ClassVar

import numpy as np

from glassnet.nn.schedules import Schedule, as_schedule
from glassnet.support.arrays import Array
from glassnet.support.checks import below_one, not_negative
from glassnet.support.habits import option_class
from glassnet.support.i18n import tr
from glassnet.support.registry import find_named


@option_class
class Optimizer:
    """`learning_rate`: a number or a schedule. `clip_norm`: the whole gradient is scaled down to this norm (0: never)."""

    learning_rate: Schedule | float = 0.01
    clip_norm: float = 0.0

    moments: ClassVar[int] = 0

    def __post_init__(self) -> None:
        name = type(self).__name__
        object.__setattr__(self, "learning_rate", as_schedule(self.learning_rate, f"{name}(learning_rate)"))
        not_negative(self.clip_norm, tr("The clipping norm can't be negative."), f"{name}(clip_norm)")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name in ("momentum", "rho", "beta1", "beta2"):
                sentence = tr("{option} must lie in [0, 1).", option=field.name)
                below_one(value, sentence, f"{name}({field.name})", field.name)
            elif field.name == "epsilon":
                not_negative(value, tr("epsilon can't be negative."), f"{name}(epsilon)")
            elif field.name == "weight_decay":
                not_negative(value, tr("The weight decay can't be negative."), f"{name}(weight_decay)")

    @property
    def schedule(self) -> Schedule:
        return as_schedule(self.learning_rate, type(self).__name__)

    @property
    def decay(self) -> float:
        """Decoupled weight decay, of the weights alone."""
        return 0.0

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


OPTIMIZERS: dict[str, type[Optimizer]] = {kind.__name__: kind for kind in (SGD, RMSprop, Adam, AdamW)}


def as_optimizer(value: Optimizer | ScipyMinimize | str | dict[str, Any], where: str) -> Optimizer | ScipyMinimize:
    """An optimizer from itself, its name, or {"type": name, option: value}."""
    if isinstance(value, ScipyMinimize):
        return value
    if value == "ScipyMinimize" or (isinstance(value, dict) and value.get("type") == "ScipyMinimize"):
        found: ScipyMinimize = find_named(value, ScipyMinimize, {"ScipyMinimize": ScipyMinimize}, where)
        return found
    return find_named(value, Optimizer, OPTIMIZERS, where)
