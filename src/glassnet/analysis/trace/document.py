"""What a trace is made of: steps, each with an equation, the same with this run's numbers, and the line that computes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from glassnet.analysis.gradient_check import GradientCheck
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, same, tr

Index = tuple[int, ...]
PLACES = {  # of steps that belong to no layer
    "cost": mark("loss"),
    "definition": mark("definition"),
    "penalty": mark("penalty"),
    "clip": mark("clip"),
    "optimizer": mark("optimizer"),
    "after": mark("after"),
}

__all__ = ["Document", "Grid", "ImageView", "Index", "Number", "Parts", "Source", "Step", "Symbol", "fill"]


@dataclass(frozen=True)
class Number:
    """A number that is shown: `name` says which one it is, as in dense1.weight[3, 4]; `symbol` what it stands for.

    `form` is how many digits are shown, as `format` has it.
    """

    name: str
    value: float
    symbol: str = ""
    form: str = ".6g"


Parts = list[str | Number]  # a line of numbers between signs


@dataclass(frozen=True)
class Symbol:
    """A sign of an equation, as {key} stands for it there; `code`: its names in the line of glassnet."""

    key: str
    sign: str
    meaning: Message
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A line of glassnet: its file (below the package), number and text, and the function it stands in."""

    file: str
    line: int
    text: str
    function: str


@dataclass(frozen=True)
class Grid:
    """A small array, cell by cell; `mark` is the cell that the step is about."""

    title: Message
    symbol: str
    cells: tuple[tuple[Number, ...], ...]
    mark: Index | None = None
    heads: tuple[str, ...] = ()  # of the columns


@dataclass(frozen=True)
class ImageView:
    """An array as an image (H, W) or (H, W, 3); `box` (row, column, rows, columns) is what the step is about."""

    title: Message
    symbol: str
    values: Array
    box: tuple[int, int, int, int] | None = None


@dataclass(frozen=True)
class Step:
    """One step on the way: `phase` is forward, cost, backward, check or update; `tag` the tutorials' name, as in BP2."""

    phase: str
    place: str  # "dense1"
    title: Message
    equation: str
    symbols: tuple[Symbol, ...]
    numbers: tuple[Parts, ...]
    sources: tuple[Source, ...]
    tag: str = ""
    note: Message | None = None
    grids: tuple[Grid, ...] = ()
    images: tuple[ImageView, ...] = ()

    @property
    def shown(self) -> list[Number]:
        """Every number of the step, in the order in which it is shown."""
        in_lines = [part for line in self.numbers for part in line if isinstance(part, Number)]
        return in_lines + [number for grid in self.grids for row in grid.cells for number in row]

    @property
    def where(self) -> Message:
        """The layer's name, or what the step belongs to where it belongs to none."""
        return tr(PLACES[self.place]) if self.place in PLACES else same(self.place)

    @property
    def plain_equation(self) -> str:
        """The equation with its signs in their places."""
        return fill(self.equation, self.symbols)


def fill(equation: str, symbols: Sequence[Symbol]) -> str:
    """An equation with the sign of each symbol in place of its {key}."""
    for symbol in symbols:
        equation = equation.replace("{" + symbol.key + "}", symbol.sign)
    return equation


@dataclass(frozen=True)
class Document:
    """`steps` in order; of the weight `weight` its `gradient`, that by definition, its value and the cost before and after.

    `table`: every gradient beside its definition, of networks of at most 20 parameters.
    """

    title: Message
    image: ImageView | None
    subject: Message
    why: Message
    weight: str
    steps: tuple[Step, ...]
    gradient: float
    numerical: float
    before: float
    after: float
    cost_before: float
    cost_after: float
    table: GradientCheck | None = None
    notes: tuple[Message, ...] = field(default=())
