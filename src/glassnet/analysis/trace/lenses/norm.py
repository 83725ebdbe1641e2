"""Lenses on BatchNorm and LayerNorm."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Step
from glassnet.analysis.trace.lens import Lens, largest
from glassnet.analysis.trace.notation import Sign, Values
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import norm
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr

RUNNING = mark("The running mean and variance from training are used, as in prediction.")
OVER_CHANNELS = mark("mean over the channels")


class NormLens(Lens):
    signs: ClassVar = {
        "y": Sign("y", "y"),
        "x": Sign("x", "x"),
        "normal": Sign("x̂", "normal", mark("x minus the mean, divided by the standard deviation")),
        "mean": Sign("μ", "mean", mark("the mean")),
        "variance": Sign("v", "variance", mark("the variance")),
        "epsilon": Sign("ε", "epsilon", mark("a small number against division by zero")),
        "gamma": Sign("γ", "gamma", mark("the learned scale")),
        "beta": Sign("β", "beta", mark("the learned shift")),
        "dx": Sign("∂C/∂x", "dx dnormal"),
        "dy": Sign("∂C/∂y", "dy dnormal"),
        "dw": Sign("∂C/∂γ", "dgamma"),
        "db": Sign("∂C/∂β", "dbeta"),
        "m1": Sign("mean(γ·∂C/∂y)", "mean", OVER_CHANNELS),
        "m2": Sign("mean(γ·∂C/∂y·x̂)", "mean", OVER_CHANNELS),
    }

    @property
    def _is_batch(self) -> bool:
        return isinstance(self.layer, layers.BatchNorm)

    def array(self, what: str) -> Array:
        if what == "normal":
            return self._normal()
        return super().array(what)

    def _normal(self) -> Array:
        """x̂ of the whole image."""
        x = self.array("x")
        found: Array
        if self._is_batch:
            found = (x - self.array("mean")) / np.sqrt(self.array("variance") + self.layer.epsilon)
        else:
            found = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + self.layer.epsilon)
        return found

    def feeds(self, key: str, index: Index) -> Index:
        dy = self.array("dy")[..., index[0]]
        acting = dy * self._normal()[..., index[0]] if key == "gamma" else dy
        return (*(largest(acting) if acting.ndim else ()), index[0])

    def _numbers(self, place: Index) -> dict[str, Number]:
        if self._is_batch:
            moments = self.numbers(place[-1:], "mean", "variance")
        else:
            row = self.array("x")[place[:-1]]
            values = {"mean": row.mean(), "variance": row.var()}
            moments = {key: self.named(key, place[:-1], value, key) for key, value in values.items()}
        epsilon = self.named("epsilon", (), self.layer.epsilon, "epsilon")
        return {
            **self.numbers(place, "x", "normal"),
            **moments,
            **self.numbers(place[-1:], "gamma", "beta"),
            "epsilon": epsilon,
        }

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        numbers = {**self._numbers(out), "y": self.number("y", out)}
        equation = "{normal} = ({x} − {mean}) / √({variance} + {epsilon})   {y} = {gamma}·{normal} + {beta}"
        note = tr(RUNNING) if self._is_batch else tr("Mean and variance over the channels at this position.")
        title = tr("{kind}: channel {channel}", kind=self.kind, channel=out[-1])
        sources = [line_of(norm.normalise), line_of(type(self.layer).forward)]
        written = f"x̂ = {equation}".replace("{y}", "y = {y}")
        return [self.step("forward", title, equation, numbers, sources, written, note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        numbers = {**self._numbers(out), "dx": self.number("dx", inside), "dy": self.number("dy", out)}
        title = tr("back through {kind}", kind=self.kind)
        if self._is_batch:
            sources = [line_of(norm.scale_backward), line_of(layers.BatchNorm.forward, "dx")]
            equation = "{dx} = {dy}·{gamma} / √({variance} + {epsilon})"
            return [self.step("backward", title, equation, numbers, sources, tag="BP2", note=tr(RUNNING))]
        row = out[:-1]
        dnormal = self.array("dy")[row] * self.array("gamma")
        numbers["m1"] = self.named("mean_of_dnormal", row, dnormal.mean(), "m1")
        numbers["m2"] = self.named("mean_of_products", row, (dnormal * self._normal()[row]).mean(), "m2")
        equation = "{dx} = ({dy}·{gamma} − {m1} − {normal}·{m2}) / √({variance} + {epsilon})"
        return [self.step("backward", title, equation, numbers, [line_of(norm.normalise_backward)], tag="BP2")]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        shape, scale = self.array("dy").shape, key == "gamma"
        where: tuple[int | slice, ...] = (*(slice(None),) * (len(shape) - 1), index[0])
        factors = [self.along(name, where, name) for name in (("dy", "normal") if scale else ("dy",))]
        must = int(np.ravel_multi_index(out, shape)) // shape[-1]
        found, tag, equation = ("dw", "BP4", "{dw} = Σ {dy}·{normal}") if scale else ("db", "BP3", "{db} = Σ {dy}")
        numbers: Values = {
            found: self.number(f"d{key}", index, found),
            "sum": self.total(f"d{key}", index, *factors, must=must),
        }
        title, sources = tr("the gradient of {key}", key=key), [line_of(norm.scale_backward)]
        return [self.step("backward", title, equation, numbers, sources, f"{{{found}}} = {{sum}}", tag=tag)]
