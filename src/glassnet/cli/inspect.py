"""`glassnet inspect DATA`: find faults in data before training on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from glassnet.cli.console import emit, fail, say
from glassnet.cli.settings import Color, Fit, Fold, Folds, Fractions, Pattern, Size, Split
from glassnet.support.i18n import mark, tr

HELP = mark("Find unreadable, blank, duplicate, inverted and mislabelled images, leaks and class imbalance.")


def command(
    data: Annotated[
        str,
        typer.Argument(help=mark("A data set by name or path, or a recipe, for its data."), show_default=False),
    ],
    size: Size = None,
    color: Color = None,
    fit: Fit = None,
    pattern: Pattern = None,
    split: Split = None,
    fractions: Fractions = None,
    fold: Fold = None,
    folds: Folds = None,
    split_seed: Annotated[int | None, typer.Option(help=mark("Random seed of the split."))] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=mark("Write contact sheets of each class and finding, and all results as JSON, into this folder.")),
    ] = None,
    labels: Annotated[
        bool,
        typer.Option(
            "--labels",
            help=mark(
                "A second opinion on labels: k-fold probabilities of a quick network, judged by cleanlab; with --out, "
                "contact sheets ordered by doubt, and labels.csv."
            ),
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print all results as JSON instead of the report."))] = False,
    strict: Annotated[bool, typer.Option("--strict", help=mark("Exit with 1 if anything is found."))] = False,
) -> None:
    from glassnet.analysis.inspection import inspect
    from glassnet.errors import writing
    from glassnet.support.strict_json import plain

    sides = None if size is None else numbers(size, "--size", int)
    options: dict[str, Any] = {
        "size": sides[0] if sides and len(sides) == 1 else sides,
        "color": color,
        "fit": fit,
        "pattern": pattern,
        "split": split,
        "fractions": None if fractions is None else numbers(fractions, "--fractions", float),
        "fold": fold,
        "folds": folds,
        "seed": split_seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    found = inspect(data, labels=labels, progress=labels and not as_json, **given)
    if out is not None:
        with writing(out, tr("The folder can't be written.")):
            out.mkdir(parents=True, exist_ok=True)
    if as_json:
        emit(json.dumps(plain(found.as_dict()), indent=1, allow_nan=False))
    else:
        say(str(found).encode("utf-8", "backslashreplace").decode(), "")
    if out is not None:  # after the output: the disk may be full
        from glassnet.present.figures.sheets import write_inspection

        with writing(out, tr("The folder can't be written.")):
            written = write_inspection(found, out)
        if not as_json:
            text = mark("{count} files in {folder}: contact sheets of classes and findings (.png), and {name}")
            say(tr(text, count=len(written), folder=out, name=written[0].name))
    elif not as_json:
        say(tr("With --out FOLDER: contact sheets of the classes and findings, and all results as JSON."))
    if strict and found.findings:
        fail(1)


def numbers(text: str, where: str, kind: type[int] | type[float]) -> list[Any]:
    """Numbers from an option, such as 48x64 or 0.7,0.1,0.2. Raises `InputError` for others."""
    from glassnet.errors import InputError

    try:
        return [kind(part) for part in text.lower().replace("x", ",").replace("×", ",").split(",")]
    except ValueError:
        raise InputError(
            tr("Numbers are expected."),
            where=where,
            expected=tr("64 or 48x64") if kind is int else "0.7,0.1,0.2",
            received=repr(text),
        ) from None
