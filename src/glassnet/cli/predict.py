"""`glassnet predict RUN IMAGE…`: classify images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    import numpy as np

    from glassnet.data.options import Fit
    from glassnet.data.prepare import Prepared
    from glassnet.experiment.run import Run
    from glassnet.network import Network

HELP = mark("Classify images. Photos, scans and drawings are made like the training images first.")
MOST_SHOWN = 30  # images in the file of --show


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder or a model file."), show_default=False)],
    images: Annotated[list[Path], typer.Argument(help=mark("Image files."), show_default=False)],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help=mark("Average the probabilities with this run; repeatable.")),
    ] = None,
    views: Views = None,
    invert: Annotated[
        bool, typer.Option("--invert", help=mark("Only resize and invert, for dark ink on a light background."))
    ] = False,
    mode: Annotated[
        str | None,
        typer.Option(
            "--prepare",
            metavar="auto|ink|none",
            help=mark(
                "Find the ink (ink), only resize (none), or find it in images unlike the training images (auto, default)."
            ),
        ),
    ] = None,
    find: Annotated[bool, typer.Option("--find", help=mark("Read a page with many characters, line by line."))] = False,
    show: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help=mark("Draw the images, what the network saw, and its answers."))
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print one JSON list."))] = False,
) -> None:
    import numpy as np

    from glassnet.errors import InputError
    from glassnet.experiment.ensemble import Ensemble
    from glassnet.experiment.run import Run
    from glassnet.network import Network

    paths = [run, *(more or [])]
    runs = [None if path.is_file() else Run.load(path) for path in paths]
    network = Ensemble([Network.load(path) if done is None else done.network for path, done in zip(paths, runs, strict=True)])
    fits = ["stretch" if done is None else done.recipe.data.fit for done in runs]  # a model file alone does not say
    if len(set(fits)) > 1:
        raise InputError(
            tr("The networks were trained on images resized in different ways."),
            where="glassnet predict --with",
            expected=tr("the same fit for all networks"),
            received=", ".join(f"{path}: {fit}" for path, fit in zip(paths, fits, strict=True)),
            hint=tr("predict with them one by one"),
        )
    options = [_views_of(path, done, views) for path, done in zip(paths, runs, strict=True)]
    found = _prepared(runs[0] or network.networks[0], fits[0], images, mode=mode, find=find, invert=invert)
    rows = [(path, made) for path, each in zip(images, found, strict=True) for made in each]
    batch = np.stack([made.pixels for _, made in rows])
    if invert:
        if batch.dtype != "uint8":
            raise InputError(
                tr("Only images of type uint8 can be inverted."),
                where="glassnet predict --invert",
                expected=tr("image files, or .npy arrays of uint8"),
                received=tr("an array of {dtype}", dtype=batch.dtype),
                hint=tr("invert the array before saving it"),
            )
        batch = 255 - batch
    probabilities = network.mean_proba(batch, options)
    if show is not None:
        _draw(show, images, found, network.classes, probabilities)
    if as_json:
        answers = [
            {
                "file": str(path),
                "class": None if made.kind == "blank" else network.classes[p.argmax()],
                "index": None if made.kind == "blank" else int(p.argmax()),
                "probabilities": dict(zip(network.classes, (round(float(value), 6) for value in p), strict=True)),
                "prepared": made.describe(),
            }
            for (path, made), p in zip(rows, probabilities, strict=True)
        ]
        say(json.dumps(answers, ensure_ascii=False, indent=2))
    elif find:
        _say_pages(images, found, network.classes, probabilities)
    else:
        for (path, made), p in zip(rows, probabilities, strict=True):
            _say_answer(path, made, network.classes, p)


def _prepared(
    like: Run | Network, fit: Fit, images: Sequence[Path], *, mode: str | None, find: bool, invert: bool
) -> list[list[Prepared]]:
    """What the network is to see of each image: with `find` all characters of it, else one; a blank page is one, too."""
    from glassnet.errors import InputError
    from glassnet.experiment.prepare import Preparation

    preparation = Preparation(like, fit)
    clash = mode if mode not in (None, "none") else "find" if find else None
    if invert and clash:
        raise InputError(
            tr("--invert is for images that are only resized."),
            where="glassnet predict --invert",
            expected=tr("--invert alone, or with --prepare none"),
            received="--find" if clash == "find" else f"--prepare {clash}",
            hint=tr("leave --invert out: dark ink on light is recognised"),
        )
    if find and mode == "none":
        raise InputError(
            tr("--find looks for ink, and --prepare none does not."),
            where="glassnet predict --find",
            expected="--prepare auto | ink",
            received="--prepare none",
        )
    if find:
        return [preparation.all(path) or [preparation.blank()] for path in images]
    return [[preparation.one(path, mode or ("none" if invert else "auto"))] for path in images]  # type: ignore[arg-type]  # checked there


def _say_answer(path: Path, made: Prepared, classes: Sequence[str], p: np.ndarray[Any, Any]) -> None:
    if made.kind == "blank":
        say(f"{path}: {made}")
        return
    best, *others = (-p).argsort()[:3]
    rest = ", ".join(f"{classes[i]} {100 * p[i]:.1f} %" for i in others)
    say(f"{path}: {classes[best]}  {100 * p[best]:.1f} %   ({rest})")
    if made.steps:
        say(f"  {made}")


def _say_pages(
    images: Sequence[Path], found: Sequence[Sequence[Prepared]], classes: Sequence[str], probabilities: np.ndarray[Any, Any]
) -> None:
    """Each page as lines of answers."""
    answers = iter(probabilities.argmax(axis=1))
    for path, page in zip(images, found, strict=True):
        lines: dict[int, list[str]] = {}
        for made in page:
            lines.setdefault(made.line, []).append(classes[next(answers)])
        if page[0].kind == "blank":
            say(f"{path}: {page[0]}")
            continue
        say(tr("{path}: {count} characters in {lines} lines", path=path, count=len(page), lines=len(lines)))
        say(*(f"  {' '.join(line)}" for line in lines.values()))


def _draw(
    path: Path,
    images: Sequence[Path],
    found: Sequence[Sequence[Prepared]],
    classes: Sequence[str],
    probabilities: np.ndarray[Any, Any],
) -> None:
    from glassnet.data.readers.image import is_array_file, upright
    from glassnet.errors import writing
    from glassnet.present.figures import ShownImage, prepared_figure, save_figure

    left = iter(probabilities)
    shown = []
    for image, page in zip(images[:MOST_SHOWN], found, strict=False):
        answers = [f"{classes[p.argmax()]}  {100 * p.max():.0f} %" for p in (next(left) for _ in page)]
        short = [answer.partition("  ")[0] for answer in answers] if len(page) > 1 else answers
        blank = [str(made) if made.kind == "blank" else answer for made, answer in zip(page, short, strict=True)]
        shown.append(ShownImage(str(image), page[0].pixels if is_array_file(image) else upright(image), page, blank))
    with writing(path):
        save_figure(prepared_figure(shown), path)


def _views_of(path: Path, run: Run | None, requested: int | None) -> dict[str, Any]:
    """Options of `predict_proba` for the requested views, else for those of the recipe; a model file has no others."""
    from glassnet.errors import InputError

    if run is not None:
        return run.views(requested)
    if requested not in (None, 1):
        raise InputError(
            tr("A model file has no augmentation for views."),
            where=path,
            expected=tr("a run folder whose recipe has an augmentation"),
            received=tr("a file, and --views {requested}", requested=requested),
            hint=tr("use the run folder, or leave out --views"),
        )
    return {}
