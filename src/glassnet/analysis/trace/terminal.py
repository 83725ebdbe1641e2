"""A trace on the terminal, compactly."""

from __future__ import annotations

import io

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text as Line

from glassnet.analysis.gradient_check import table
from glassnet.analysis.trace.document import Document, Grid, Step
from glassnet.analysis.trace.notation import figure, spoken
from glassnet.support.i18n import mark, tr

PHASES = {
    "forward": mark("FORWARD"),
    "cost": mark("THE LOSS"),
    "backward": mark("BACKWARD"),
    "check": mark("NUMERICAL GRADIENT"),
    "update": mark("UPDATE"),
}
WIDEST = 10  # columns of a grid that a terminal shows


def render(trace: Document) -> RenderableType:
    """All steps under headings of their phases."""
    parts: list[RenderableType] = [
        *([Line(trace.title, style="bold")] if trace.title else []),
        Line(trace.subject),
        Line.assemble(tr("the weight "), (trace.weight, "bold magenta"), tr(". {why}", why=trace.why)),
        *(Line(note, style="dim") for note in trace.notes),
    ]
    phase = ""
    for number, step in enumerate(trace.steps, 1):
        if step.phase != phase:
            phase = step.phase
            parts += [Line(), Line(tr(PHASES[phase]), style="bold cyan")]
        parts += _step(number, step)
    if trace.table is not None:
        parts += [Line(), Line(tr("ALL GRADIENTS AND NUMERICAL GRADIENTS"), style="bold cyan"), Line(table(trace.table))]
    parts += [
        Line(),
        Line.assemble(
            (trace.weight, "bold magenta"),
            f": {trace.before:.9g} → {trace.after:.9g}   ",
            tr("loss {before:.6g} → {after:.6g}", before=trace.cost_before, after=trace.cost_after),
        ),
    ]
    return Group(*parts)


def plain(trace: Document, width: int = 120) -> str:
    """The same without colours."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(render(trace))
    assert isinstance(console.file, io.StringIO)
    return "".join(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _step(number: int, step: Step) -> list[RenderableType]:
    head = Line.assemble((f"{number:>2}  {step.where}", "bold"), f"  {step.title}")
    if step.tag:
        head.append(f"  {step.tag}", style="bold yellow")
    body: list[RenderableType] = [Line(part, style="green") for part in step.plain_equation.split("   ")]
    for parts in step.numbers:
        line = Line()
        for text, known in spoken(parts):
            line.append(text, style="" if known is None else "bold")
        body.append(line)
    if step.phase != "cost":
        for grid in (grid for grid in step.grids if len(grid.cells[0]) <= WIDEST):
            body += [Line(grid.title, style="dim"), _grid(grid)]
    for source in step.sources:
        body.append(Line.assemble((f"{source.file}:{source.line}  ", "dim"), (source.text, "dim italic")))
    if step.note is not None:
        body.append(Line(step.note, style="dim"))
    return [head, *(Padding(part, (0, 0, 0, 4)) for part in body)]


def _grid(grid: Grid) -> RenderableType:
    found = Table(show_header=False, box=None, padding=(0, 1))  # a title of its own would be broken at the table's width
    for _ in grid.cells[0]:
        found.add_column(justify="right")
    for i, row in enumerate(grid.cells):
        found.add_row(*(
            Line(figure(number), style="reverse" if (i, j) == grid.mark else "") for j, number in enumerate(row)
        ))  # fmt: skip
    return found
