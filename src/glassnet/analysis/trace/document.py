"""The parts of a trace: steps, each with an equation, the same with numbers, and the source line that computes it."""

from __future__ import annotations

from dataclasses import dataclass

from glassnet.analysis.gradient_check import GradientCheck
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, same, tr

Index = tuple[int, ...]
PLACES = {  # of steps that are not a layer's
    "cost": mark("loss"),
    "definition": mark("definition"),
    "penalty": mark("penalty"),
    "clip": mark("clip"),
    "optimizer": mark("optimizer"),
    "after": mark("after"),
}


@dataclass(frozen=True)
class Number:
    """A number that is shown: its `name`, as in dense1.weight[3, 4], its symbol's key, and its format."""

    name: str
    value: float
    symbol: str = ""
    form: str = ".6g"


Parts = list[str | Number]  # a line of numbers between signs


@dataclass(frozen=True)
class Symbol:
    """A sign of an equation, in which {key} stands for it; `code`: its names in the source line."""

    key: str
    sign: str
    meaning: Message
    code: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """A line of glassnet's source: its file (in the package), number and text, and the function it is in."""

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
    """One step: `phase` is forward, cost, backward, check or update; `tag` the tutorials' name, as in BP2."""

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
        """All numbers of the step, in the order of the page."""
        in_lines = [part for line in self.numbers for part in line if isinstance(part, Number)]
        return in_lines + [number for grid in self.grids for row in grid.cells for number in row]

    @property
    def where(self) -> Message:
        """The layer's name, or the part of training that the step belongs to."""
        return tr(PLACES[self.place]) if self.place in PLACES else same(self.place)

    @property
    def plain_equation(self) -> str:
        """The equation with each {key} replaced by its sign."""
        text = self.equation
        for symbol in self.symbols:
            text = text.replace(f"{{{symbol.key}}}", symbol.sign)
        return text


@dataclass(frozen=True)
class Document:
    """`steps` in order; the gradient of `weight`, also numerically; its value and the loss before and after the update.

    `table`: all gradients and numerical gradients, of networks of at most 20 parameters.
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
    notes: tuple[Message, ...] = ()
