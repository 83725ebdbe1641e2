"""Lenses on Residual and Concatenate: which branch the path takes, and where branches meet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glassnet import nn as layers
from glassnet.analysis.trace.document import Index, Number, Parts, Step, Text
from glassnet.analysis.trace.lens import Lens, symbol
from glassnet.analysis.trace.notation import at
from glassnet.analysis.trace.recorder import Record
from glassnet.analysis.trace.sources import line_of
from glassnet.support.arrays import Array


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
            symbol("d", "∂C/∂xₖ", "found", meaning=Text("what branch k sends back", "第 k 个分支传回的导数")),
        ]
        title = Text("where the branches began, what they send back adds up", "各分支传回的导数在分叉处相加")
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
                   meaning=Text("what the branch gives", "该分支的输出"))]  # fmt: skip
        line: Parts = [self.number("y", out), " = ", of[0]]
        equation = "{y} = {f}"
        note = Text(f"The path came through branch {b}.", f"路径经过第 {b} 个分支。")
        if isinstance(self.layer, layers.Residual):
            other = 1 - b
            beside = Number(f"{self.name}.{other}.y[{at(inside)}]", float(self.nest.value(other)[inside]), "p")
            plain = not self.nest.chains[other]
            word, word_zh = ("the input itself", "输入本身") if plain else ("the other branch", "另一个分支")
            symbols.append(symbol("p", "P(x)", "beside", meaning=Text(word, word_zh)))
            line += [" + ", beside]
            equation = "{y} = {f} + {p}"
            note = Text(
                f"The path came through branch {b} ({'the block' if b == 0 else 'the shortcut'}); {word} is added.",
                f"路径经过第 {b} 个分支（{'主干' if b == 0 else '捷径'}），再加上{word_zh}。",
            )
        title = Text(f"{kind}: the branches meet", f"{kind}：各分支汇合")
        return [self.step("forward", title, equation, symbols, [line], [line_of(type(self.layer).forward)], note=note)]

    def backward(self, inside: Index, out: Index) -> list[Step]:
        return []
