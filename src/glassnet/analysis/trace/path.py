"""The path of one number through a network: hop by hop, into branches and out of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from glassnet.analysis.trace.document import Index
from glassnet.analysis.trace.lens import Lens
from glassnet.analysis.trace.lenses.activations import POINTWISE, PixelsLens, Pointwise, SameLens
from glassnet.analysis.trace.lenses.branches import BranchLens, Fork, Join
from glassnet.analysis.trace.lenses.conv import ConvolutionLens
from glassnet.analysis.trace.lenses.dense import DenseLens
from glassnet.analysis.trace.lenses.gates import GRULens, LSTMLens, SimpleRNNLens
from glassnet.analysis.trace.lenses.norm import NormLens
from glassnet.analysis.trace.lenses.pooling import AveragePoolLens, GlobalPoolLens, MaxPoolLens
from glassnet.analysis.trace.recorder import Record
from glassnet.nn import Flatten, Layer, Nested, Pixels
from glassnet.nn.chain import name_layers

LENSES = {
    **POINTWISE, "Dense": DenseLens, "Conv2D": ConvolutionLens, "MaxPool2D": MaxPoolLens, "AveragePool2D": AveragePoolLens,
    "GlobalAveragePool2D": GlobalPoolLens, "GlobalMaxPool2D": GlobalPoolLens, "BatchNorm": NormLens, "LayerNorm": NormLens,
    "SimpleRNN": SimpleRNNLens, "LSTM": LSTMLens, "GRU": GRULens,
}  # fmt: skip


@dataclass(frozen=True)
class Hop:
    """From the input at `inside` to the output at `out` of one lens."""

    lens: Lens
    inside: Index
    out: Index


Chain = Sequence[Lens | BranchLens]


def make_chain(layers: Sequence[Layer], prefix: str, records: dict[str, Record]) -> Chain:
    """A lens for each layer in a row."""
    chain: list[Lens | BranchLens] = []
    shape: tuple[int, ...] | None = None  # of the image that was flattened
    for name, layer in zip(name_layers(layers), layers, strict=True):
        record = records[prefix + name]
        lens: Lens | BranchLens
        if isinstance(layer, Nested):
            branches = [make_chain(b, f"{prefix}{name}.{number}.", records) for number, b in enumerate(layer.branches)]
            lens = BranchLens(record, branches)
        elif isinstance(layer, Pixels):
            lens = PixelsLens(record) if record.of_bytes else SameLens(record)
        else:
            lens = LENSES[type(layer).__name__](record)
        if isinstance(lens, DenseLens):
            lens.shape = shape
        if isinstance(layer, Flatten):
            shape = record.x.shape
        elif not isinstance(lens, Pointwise):
            shape = None
        chain.append(lens)
    return chain


def every(chain: Chain) -> list[Lens]:
    """The lenses of all layers, also of those in branches."""
    found: list[Lens] = []
    for lens in chain:
        found += [one for branch in lens.chains for one in every(branch)] if isinstance(lens, BranchLens) else [lens]
    return found


@dataclass
class Route:
    """Ways up and down; `outs` and `branches`: the outputs and branches that are given, by the lens's name."""

    outs: dict[str, Index] = field(default_factory=dict)
    branches: dict[str, int] = field(default_factory=dict)

    def climb(self, chain: Chain, inside: Index) -> list[Hop]:
        """From an input of the chain to the output on which it acts most."""
        hops: list[Hop] = []
        for lens in chain:
            if isinstance(lens, BranchLens):
                branch = self.branches.get(lens.name, lens.way(inside))
                inner = self.climb(lens.chains[branch], inside)
                hops += self._around(lens, branch, inner, inside, inner[-1].out if inner else inside)
            else:
                out = self.outs.get(lens.name) or lens.up(inside)
                hops.append(Hop(lens, inside, out))
            inside = hops[-1].out
        return hops

    def descend(self, chain: Chain, out: Index) -> list[Hop]:
        """From an output of the chain back to the input with the largest share in it."""
        hops: list[Hop] = []
        for lens in reversed(chain):
            if isinstance(lens, BranchLens):
                branch, inner_out = lens.before(out, self.branches.get(lens.name))
                inner = self.descend(lens.chains[branch], inner_out)
                hops = self._around(lens, branch, inner, inner[0].inside if inner else inner_out, inner_out) + hops
            else:
                hops = [Hop(lens, lens.down(out), out), *hops]
            out = hops[0].inside
        return hops

    def through(self, chain: Chain, hop: Hop) -> list[Hop]:
        """The whole path that takes `hop`, whose lens is in the chain or in a branch of it."""
        for place, lens in enumerate(chain):
            if lens is hop.lens:
                middle = [hop]
            elif isinstance(lens, BranchLens) and hop.lens in every([lens]):
                branch = next(number for number, inner in enumerate(lens.chains) if hop.lens in every(inner))
                self.branches[lens.name] = branch
                inner = self.through(lens.chains[branch], hop)
                middle = self._around(lens, branch, inner, inner[0].inside, inner[-1].out)
            else:
                continue
            below = self.descend(chain[:place], middle[0].inside)
            return [*below, *middle, *self.climb(chain[place + 1 :], middle[-1].out)]
        raise LookupError(hop.lens.name)

    @staticmethod
    def _around(lens: BranchLens, branch: int, inner: list[Hop], inside: Index, inner_out: Index) -> list[Hop]:
        join = Join(lens, branch)
        return [Hop(Fork(lens), inside, inside), *inner, Hop(join, inner_out, lens.joined(branch, inner_out))]


__all__ = ["LENSES", "Chain", "Hop", "Route", "every", "make_chain"]
