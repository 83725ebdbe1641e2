"""Lenses on Residual and Concatenate: which branch the path takes, and where branches meet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Step
from glassnet.analysis.trace.lens import Lens
from glassnet.analysis.trace.notation import Sign, Values, joined
from glassnet.analysis.trace.recorder import Record
from glassnet.analysis.trace.sources import line_of
from glassnet.support.arrays import Array
from glassnet.support.i18n import mark, tr


class BranchLens:
    """A layer made of chains of lenses; `joined` and `before` map a branch's output to the layer's, and back."""

    def __init__(self, record: Record, chains: Sequence[Sequence[Lens | BranchLens]]) -> None:
        self.record, self.name, self.layer = record, record.name, record.layer
        self.chains = chains

    @property
    def _adds(self) -> bool:
        return isinstance(self.layer, layers.Residual)

    def value(self, branch: int) -> Array:
        """The output of a branch: its input if it has no layers."""
        chain = self.chains[branch]
        return chain[-1].record.y if chain else self.record.x

    def _offset(self, branch: int) -> int:
        return 0 if self._adds else sum(self.value(b).shape[-1] for b in range(branch))

    def joined(self, branch: int, out: Index) -> Index:
        return (*out[:-1], out[-1] + self._offset(branch))

    def before(self, out: Index, chosen: int | None = None) -> tuple[int, Index]:
        """The branch that an output comes from, and its index there; of a sum, the `chosen` branch or the first."""
        if self._adds:
            return chosen or 0, out
        branch = max(b for b in range(len(self.chains)) if self._offset(b) <= out[-1])
        return branch, (*out[:-1], out[-1] - self._offset(branch))

    def share(self, branch: int, inside: Index) -> float:
        """The part of ∂C/∂x that comes back through one branch."""
        chain = self.chains[branch]
        if chain:
            return float(chain[0].record.dx[inside])
        return float(self.record.dy[self.joined(branch, inside)])

    def way(self, inside: Index) -> int:
        """The branch through which an input acts most; of a Residual, its layers."""
        return 0 if self._adds else int(np.argmax([abs(self.share(b, inside)) for b in range(len(self.chains))]))


class Fork(Lens):
    """Where all branches read the same input."""

    signs: ClassVar = {
        "dx": Sign("∂C/∂x", "dx found sum"),
        "d": Sign("∂C/∂xₖ", "found", mark("the gradient of branch k")),
    }

    def __init__(self, nest: BranchLens) -> None:
        super().__init__(nest.record)
        self.nest = nest

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        return []

    def backward(self, inside: Index, out: Index) -> list[Step]:
        shares = [self.named(f"{b}.dx", inside, self.nest.share(b, inside), "d") for b in range(len(self.nest.chains))]
        numbers: Values = {"dx": self.number("dx", inside), "sum": joined(" + ", shares)}
        title = tr("the gradients of the branches are summed")
        sources = [line_of(layers.Nested._forward_branches, nth=0)]
        return [self.step("backward", title, "{dx} = Σₖ {d}", numbers, sources, "{dx} = {sum}", tag="BP2")]


class Join(Lens):
    """Where branches meet: by a sum, or side by side."""

    def __init__(self, nest: BranchLens, branch: int) -> None:
        super().__init__(nest.record)
        self.nest, self.branch = nest, branch

    def _given(self, branch: int, inside: Index, key: str) -> Number:
        return self.named(f"{branch}.y", inside, self.nest.value(branch)[inside], key)

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        b, equation = self.branch, "{y} = {f}"
        numbers = {"y": self.number("y", out), "f": self._given(b, inside, "f")}
        note = tr("The path goes through branch {branch}.", branch=b)
        signs = {"y": Sign("y", "block concatenate"), "f": Sign("F(x)", "block outputs", mark("the branch's output"))}
        if isinstance(self.layer, layers.Residual):
            added = mark("the other branch") if self.nest.chains[1 - b] else mark("the input itself")
            signs["p"] = Sign("P(x)", "beside", added)
            numbers["p"] = self._given(1 - b, inside, "p")
            equation = "{y} = {f} + {p}"
            note = tr(
                "The path goes through branch {branch} ({which}); {added} is added.",
                branch=b,
                which=tr("the block") if b == 0 else tr("the shortcut"),
                added=tr(added),
            )
        title = tr("{kind}: the branches are joined", kind=self.kind)
        return [self.step("forward", title, equation, numbers, [line_of(type(self.layer).forward)], signs=signs, note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        return []
