"""`glassnet inspect DATA`: what is wrong with data, before a network is trained on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from glassnet.cli.console import fail, say
from glassnet.support.i18n import mark, tr

NAME = "inspect"
HELP = mark("Look for what is broken, blank, doubled, leaked, inverted, uneven or doubtfully labelled.")


def command(
    data: Annotated[
        str,
        typer.Argument(help=mark("A data set by name or path, or a recipe, for the data that it names."), show_default=False),
    ],
    size: Annotated[
        str | None, typer.Option(metavar="N|HxW", help=mark("Bring images to this size."), show_default=False)
    ] = None,
    color: Annotated[str | None, typer.Option(metavar="grey|rgb", help=mark("Bring images to this colour."))] = None,
    fit: Annotated[
        str | None, typer.Option(metavar="stretch|crop|pad", help=mark("How another shape fills the size."))
    ] = None,
    pattern: Annotated[
        str | None, typer.Option(help=mark("A regular expression with (?P<label>…), perhaps (?P<group>…), for file names."))
    ] = None,
    split: Annotated[
        str | None, typer.Option(metavar="stratified|random|group", help=mark("How to divide the data."))
    ] = None,
    fractions: Annotated[
        str | None, typer.Option(metavar="A,B,C", help=mark("Shares of training, validation and test."))
    ] = None,
    fold: Annotated[int | None, typer.Option(help=mark("The fold that is the test set."))] = None,
    folds: Annotated[int | None, typer.Option(help=mark("How many folds."))] = None,
    split_seed: Annotated[int | None, typer.Option(help=mark("Seed of the split's chance."))] = None,
    out: Annotated[
        Path | None, typer.Option(help=mark("A folder for contact sheets of each class and finding, and everything as JSON."))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Everything as JSON, instead of the report."))] = False,
    strict: Annotated[bool, typer.Option("--strict", help=mark("End with 1 where there are findings."))] = False,
) -> None:
    from glassnet.analysis.inspection import inspect
    from glassnet.errors import writing
    from glassnet.support.strict_json import plain

    options: dict[str, Any] = {
        "size": None if size is None else _numbers(size, "--size", int),
        "color": color,
        "fit": fit,
        "pattern": pattern,
        "split": split,
        "fractions": None if fractions is None else _numbers(fractions, "--fractions", float),
        "fold": fold,
        "folds": folds,
        "seed": split_seed,
    }
    if isinstance(options["size"], list) and len(options["size"]) == 1:
        options["size"] = options["size"][0]
    found = inspect(data, **{name: value for name, value in options.items() if value is not None})
    if out is not None:
        with writing(out, tr("The folder can't be written.")):
            out.mkdir(parents=True, exist_ok=True)
    if as_json:
        say(json.dumps(plain(found.as_dict()), indent=1, allow_nan=False))
    else:
        say(str(found).encode("utf-8", "backslashreplace").decode())
        say()
    if out is not None:  # once all is said: the disk may be full
        from glassnet.present.contact_sheets import write_inspection

        with writing(out, tr("The folder can't be written.")):
            written = write_inspection(found, out)
        if not as_json:
            say(
                tr(
                    "{count} files in {folder}: contact sheets of classes and findings (.png), and {name}",
                    count=len(written),
                    folder=out,
                    name=written[0].name,
                )
            )
    elif not as_json:
        say(tr("With --out FOLDER: contact sheets of the classes and of the findings, and everything as JSON."))
    if strict and found.findings:
        fail(1)


def _numbers(text: str, where: str, kind: type[int] | type[float]) -> list[Any]:
    from glassnet.errors import InputError

    try:
        return [kind(part) for part in text.lower().replace("x", ",").replace("×", ",").split(",")]
    except ValueError:
        raise InputError(
            tr("These are no numbers."),
            where=where,
            expected=tr("64 or 48x64") if kind is int else "0.7,0.1,0.2",
            received=repr(text),
        ) from None
