"""Lenses on Residual and Concatenate: which branch the path takes, and where branches meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Step
from glassnet.analysis.trace.lens import Lens, symbol
from glassnet.analysis.trace.notation import at
from glassnet.analysis.trace.recorder import Record
from glassnet.analysis.trace.sources import line_of
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


class BranchLens(Lens):
    """A layer made of chains of lenses; `joined` and `before` lead from a branch's output to the layer's, and back."""

    def __init__(self, record: Record, chains: Sequence[Sequence[Lens]]) -> None:
        super().__init__(record)
        self.chains = [list(chain) for chain in chains]

    @property
    def _adds(self) -> bool:
        return isinstance(self.layer, layers.Residual)

    def value(self, branch: int) -> Array:
        """What a branch gives: its input where it has no layers."""
        chain = self.chains[branch]
        return chain[-1].record.y if chain else self.record.x

    def _offset(self, branch: int) -> int:
        return 0 if self._adds else sum(self.value(b).shape[-1] for b in range(branch))

    def joined(self, branch: int, out: Index) -> Index:
        return (*out[:-1], out[-1] + self._offset(branch))

    def before(self, out: Index, wanted: int | None = None) -> tuple[int, Index]:
        """The branch that an output comes from, and its place there; of a sum, the `wanted` branch or the first."""
        if self._adds:
            return wanted or 0, out
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

    def __init__(self, nest: BranchLens, branch: int) -> None:
        super().__init__(nest.record)
        self.nest, self.branch = nest, branch

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        return []

    def backward(self, inside: Index, out: Index) -> list[Step]:
        line: Parts = [self.number("dx", inside), " = "]
        for branch in range(len(self.nest.chains)):
            line.append(" + " if branch else "")
            line.append(Number(f"{self.name}.{branch}.dx[{at(inside)}]", self.nest.share(branch, inside), "d"))
        symbols = [
            symbol("dx", "∂C/∂x", "dx", "found", "sum"),
            symbol("d", "∂C/∂xₖ", "found", meaning=tr("what branch k sends back")),
        ]
        title = tr("where the branches began, what they send back adds up")
        sources = [line_of(layers.Nested._forward_branches, place=0)]
        return [self.step("backward", title, "{dx} = Σₖ {d}", symbols, [line], sources, tag="BP2")]


class Join(Lens):
    """Where branches meet: by a sum, or side by side."""

    def __init__(self, nest: BranchLens, branch: int) -> None:
        super().__init__(nest.record)
        self.nest, self.branch = nest, branch

    def forward(self, inside: Index, out: Index, key: str | None, index: Index | None) -> list[Step]:
        kind, b = type(self.layer).__name__, self.branch
        of = [Number(f"{self.name}.{b}.y[{at(inside)}]", float(self.nest.value(b)[inside]), "f")]
        symbols = [symbol("y", "y", "block", "concatenate"), symbol("f", "F(x)", "block", "outputs",
                   meaning=tr("what the branch gives"))]  # fmt: skip
        line: Parts = [self.number("y", out), " = ", of[0]]
        equation = "{y} = {f}"
        note = tr("The path came through branch {branch}.", branch=b)
        if isinstance(self.layer, layers.Residual):
            other = 1 - b
            beside = Number(f"{self.name}.{other}.y[{at(inside)}]", float(self.nest.value(other)[inside]), "p")
            plain = not self.nest.chains[other]
            added = tr("the input itself") if plain else tr("the other branch")
            symbols.append(symbol("p", "P(x)", "beside", meaning=added))
            line += [" + ", beside]
            equation = "{y} = {f} + {p}"
            note = tr(
                "The path came through branch {branch} ({which}); {added} is added.",
                branch=b,
                which=tr("the block") if b == 0 else tr("the shortcut"),
                added=added,
            )
        title = tr("{kind}: the branches meet", kind=kind)
        return [self.step("forward", title, equation, symbols, [line], [line_of(type(self.layer).forward)], note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        return []
