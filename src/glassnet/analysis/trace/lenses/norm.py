"""Lenses on BatchNorm and LayerNorm."""

from __future__ import annotations

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Step, Symbol
from glassnet.analysis.trace.lens import Lens, largest, symbol
from glassnet.analysis.trace.notation import at, sum_of_products
from glassnet.analysis.trace.sources import line_of
from glassnet.nn import norm
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr

RUNNING = mark("One image is no batch: the running mean and variance from training are used, as in prediction.")


class NormLens(Lens):
    parts = ("channel",)

    @property
    def _is_batch(self) -> bool:
        return isinstance(self.layer, layers.BatchNorm)

    def _moments(self, place: Index) -> tuple[float, float]:
        if self._is_batch:
            return float(self.array("mean")[place[-1]]), float(self.array("variance")[place[-1]])
        row = self.array("x")[place[:-1]]
        return float(row.mean()), float(row.var())

    def _normal(self) -> Array:
        """x̂ of the whole image."""
        x = self.array("x")
        found: Array
        if self._is_batch:
            found = (x - self.array("mean")) / np.sqrt(self.array("variance") + self.layer.epsilon)
        else:
            found = (x - x.mean(axis=-1, keepdims=True)) / np.sqrt(x.var(axis=-1, keepdims=True) + self.layer.epsilon)
        return found

    def up(self, inside: Index) -> Index:
        return inside

    def feeds(self, key: str, index: Index) -> Index:
        dy = self.array("dy")[..., index[0]]
        acting = dy * self._normal()[..., index[0]] if key == "gamma" else dy
        return (*(largest(acting) if acting.ndim else ()), index[0])

    def belongs(self, key: str, index: Index, out: Index) -> bool:
        return index[0] == out[-1]

    def _parts(self, place: Index) -> dict[str, Number]:
        mean, variance = self._moments(place)
        where = at(place[-1:]) if self._is_batch else at(place[:-1])
        return {
            "x": self.number("x", place),
            "mean": Number(f"{self.name}.mean[{where}]", mean, "mean"),
            "variance": Number(f"{self.name}.variance[{where}]", variance, "variance"),
            "epsilon": Number(f"{self.name}.epsilon", self.layer.epsilon, "epsilon"),
            "normal": Number(f"{self.name}.normal[{at(place)}]", float(self._normal()[place]), "normal"),
            "gamma": self.number("gamma", place[-1:], "gamma"),
            "beta": self.number("beta", place[-1:], "beta"),
        }

    def _symbols(self, *keys: str) -> list[Symbol]:
        known = [
            symbol("y", "y", "y"),
            symbol("x", "x", "x"),
            symbol("normal", "x̂", "normal", meaning=tr("x less the mean, over the deviation")),
            symbol("mean", "μ", "mean", meaning=tr("the mean")),
            symbol("variance", "v", "variance", meaning=tr("the variance")),
            symbol("epsilon", "ε", "epsilon", meaning=tr("a small number against division by zero")),
            symbol("gamma", "γ", "gamma", meaning=tr("the learnt scale")),
            symbol("beta", "β", "beta", meaning=tr("the learnt shift")),
            symbol("dx", "∂C/∂x", "dx", "dnormal"),
            symbol("dy", "∂C/∂y", "dy", "dnormal"),
            symbol("dw", "∂C/∂γ", "dgamma"),
            symbol("db", "∂C/∂β", "dbeta"),
        ]
        return [s for s in known if s.key in keys]

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        p, kind = self._parts(out), type(self.layer).__name__
        lines: list[Parts] = [
            ["x̂ = ", p["normal"], " = (", p["x"], " − ", p["mean"], ") / √(", p["variance"], " + ", p["epsilon"], ")"],
            ["y = ", self.number("y", out), " = ", p["gamma"], "·", p["normal"], " + ", p["beta"]],
        ]
        equation = "{normal} = ({x} − {mean}) / √({variance} + {epsilon})   {y} = {gamma}·{normal} + {beta}"
        note = tr(RUNNING) if self._is_batch else tr("Mean and variance over the channels of this place of this image.")
        title = tr("{kind}: channel {channel}", kind=kind, channel=out[-1])
        symbols = self._symbols("y", "x", "normal", "mean", "variance", "epsilon", "gamma", "beta")
        sources = [line_of(norm.normalise), line_of(type(self.layer).forward)]
        return [self.step("forward", title, equation, symbols, lines, sources, note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        p, kind = self._parts(out), type(self.layer).__name__
        dx, dy = self.number("dx", inside), self.number("dy", out)
        title = tr("back through {kind}", kind=kind)
        root: Parts = ["√(", p["variance"], " + ", p["epsilon"], ")"]
        if self._is_batch:
            line: Parts = [dx, " = ", dy, "·", p["gamma"], " / ", *root]
            symbols = self._symbols("dx", "dy", "gamma", "variance", "epsilon")
            sources = [line_of(norm.scale_backward), line_of(layers.BatchNorm.forward, "dx")]
            equation = "{dx} = {dy}·{gamma} / √({variance} + {epsilon})"
            return [self.step("backward", title, equation, symbols, [line], sources, tag="BP2", note=tr(RUNNING))]
        row = out[:-1]
        dnormal = self.array("dy")[row] * self.array("gamma")
        first = Number(f"{self.name}.mean_of_dnormal[{at(row)}]", float(dnormal.mean()), "m1")
        second = Number(f"{self.name}.mean_of_products[{at(row)}]", float((dnormal * self._normal()[row]).mean()), "m2")
        line = [dx, " = (", dy, "·", p["gamma"], " − ", first, " − ", p["normal"], "·", second, ") / ", *root]
        equation = "{dx} = ({dy}·{gamma} − {m1} − {normal}·{m2}) / √({variance} + {epsilon})"
        symbols = [
            *self._symbols("dx", "dy", "gamma", "normal", "variance", "epsilon"),
            symbol("m1", "mean(γ·∂C/∂y)", "mean", meaning=tr("mean over the channels")),
            symbol("m2", "mean(γ·∂C/∂y·x̂)", "mean", meaning=tr("mean over the channels")),
        ]
        sources = [line_of(norm.normalise_backward)]
        return [self.step("backward", title, equation, symbols, [line], sources, tag="BP2")]

    def gradient(self, key: str, index: Index, inside: Index, out: Index) -> list[Step]:
        channel = index[0]
        dy = self.array("dy")[..., channel]
        shape = dy.shape
        places = [(*place, channel) for place in np.ndindex(*shape)]
        factors = [(dy.reshape(-1), lambda k: f"{self.name}.dy[{at(places[k])}]", "dy")]
        scale = key == "gamma"
        if scale:
            normal = self._normal()[..., channel].reshape(-1)
            factors.append((normal, lambda k: f"{self.name}.normal[{at(places[k])}]", "normal"))
        line: Parts = [self.number(f"d{key}", index, "dw" if scale else "db"), " = "]
        line += sum_of_products(factors, f"{self.name}.d{key}[{at(index)}]", must=places.index(out))
        symbols = self._symbols("dw", "dy", "normal") if scale else self._symbols("db", "dy")
        title = tr("the gradient of {key}", key=key)
        equation = "{dw} = Σ {dy}·{normal}" if scale else "{db} = Σ {dy}"
        sources = [line_of(norm.scale_backward)]
        return [self.step("backward", title, equation, symbols, [line], sources, tag="BP4" if scale else "BP3")]
