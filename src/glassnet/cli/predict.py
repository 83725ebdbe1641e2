"""`glassnet predict RUN IMAGE…`: classify images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, emit, say
from glassnet.cli.settings import Precision, Views, precision_options
from glassnet.support.environment import available_cores
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.data.options import Fit
    from glassnet.data.prepare import Prepared
    from glassnet.experiment.prepare import Mode, Preparation
    from glassnet.experiment.run import Run
    from glassnet.network import Network
    from glassnet.support.arrays import Array

HELP = mark("Classify images, or all in a folder. Photos, scans and drawings are made like the training images first.")
MOST_SHOWN = 30  # images in the file of --show


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder or a model file."), show_default=False)],
    images: Annotated[list[Path], typer.Argument(help=mark("Image files, or folders of them."), show_default=False)],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help=mark("Average the probabilities with this run; repeatable.")),
    ] = None,
    views: Views = None,
    precision: Precision = None,
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
    top: Annotated[
        int | None,
        typer.Option(
            "--top",
            metavar="K",
            min=1,
            help=mark("List the K most probable classes; by default 3, or 5 above 20; in JSON and CSV all, or 10 above 60."),
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print one JSON list."))] = False,
    as_csv: Annotated[
        bool,
        typer.Option(
            "--csv",
            help=mark(
                "Print a CSV table: file, class, probability, then one column per class, or for the most probable (--top)."
            ),
        ),
    ] = False,
) -> None:
    import numpy as np

    from glassnet.errors import InputError
    from glassnet.experiment.ensemble import Ensemble
    from glassnet.experiment.run import Run
    from glassnet.network import Network
    from glassnet.nn.confusion import MANY, TOP_K, leading

    if as_json and as_csv:
        raise InputError(
            tr("Choose one form of output."), where="glassnet predict", expected="--json | --csv", received=tr("both")
        )
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
    at_precision = precision_options(precision, runs)
    how = _mode(mode, find=find, invert=invert)
    preparation = _preparation(runs[0] or network.networks[0], fits[0])
    read = [(path, page) for image in images for path, page in _read(preparation, image, how, find=find)]
    rows = [(path, made) for path, page in read for made in page]
    if not rows:
        raise InputError(tr("None of the images can be read."), where="glassnet predict", expected=tr("image files"))
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
    probabilities = network.mean_proba(batch, [each | at_precision for each in options])
    novelty = _novelty(network.networks, batch)
    if show is not None:
        _draw(show, read, network.classes, probabilities)
    if as_json:
        answers = [
            {
                "file": str(path),
                "class": None if made.kind == "blank" else network.classes[p.argmax()],
                "index": None if made.kind == "blank" else int(p.argmax()),
                "probabilities": leading(
                    dict(zip(network.classes, (round(float(value), 6) for value in p), strict=True)), top
                ),
                "novel": None if far is None else far > 1,
                "novelty": None if far is None else round(far, 4),
                "prepared": made.describe(),
            }
            for (path, made), p, far in zip(rows, probabilities, novelty, strict=True)
        ]
        emit(json.dumps(answers, ensure_ascii=False, indent=2))
    elif as_csv:
        _print_csv([path for path, _ in rows], network.classes, probabilities, top)
    elif find:
        _say_pages(read, network.classes, probabilities, novelty)
    else:
        for (path, made), p, far in zip(rows, probabilities, novelty, strict=True):
            _say_answer(path, made, network.classes, p, far, top or (TOP_K if len(network.classes) > MANY else 3))


def _mode(mode: str | None, *, find: bool, invert: bool) -> Mode:
    """How images are prepared. Raises `InputError` for options that contradict each other."""
    from glassnet.errors import InputError

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
    return mode or ("none" if invert else "auto")  # type: ignore[return-value]  # checked by Preparation


def _preparation(like: Run | Network, fit: Fit) -> Preparation:
    from glassnet.experiment.prepare import Preparation

    return Preparation(like, fit)


def _read(preparation: Preparation, path: Path, mode: Mode, *, find: bool) -> Iterator[tuple[Path, list[Prepared]]]:
    """Each file, and what the network is to see of it, with `find` all characters; unreadable ones in folders are named."""
    from concurrent.futures import ThreadPoolExecutor

    from glassnet.data.decode_many import progress
    from glassnet.data.readers.image import list_images
    from glassnet.errors import InputError

    def prepared(file: Path) -> list[Prepared]:
        if find:
            return preparation.all(file) or [preparation.blank()]
        return [preparation.one(file, mode)]

    if not path.is_dir():
        yield path, prepared(path)
        return

    def attempt(file: Path) -> list[Prepared] | InputError:
        try:
            return prepared(file)
        except InputError as error:
            return error

    files = [path / name for name in list_images(path, preparation.shape).names]
    with progress(tr("reading images"), len(files)) as advance, ThreadPoolExecutor(min(8, available_cores())) as pool:
        try:
            for file, made in zip(files, pool.map(attempt, files), strict=True):
                if isinstance(made, InputError):
                    complain(tr("glassnet: {file} is left out: {reason}", file=file, reason=made.what))
                else:
                    yield file, made
                advance(1)
        except BaseException:  # Ctrl-C
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _novelty(networks: Sequence[Network], batch: Array) -> list[float] | list[None]:
    """The mean novelty of each image over the networks that know what their training images look like; else None."""
    found = [network.novelty(batch) for network in networks if network.fitted_novelty is not None]
    return [float(sum(values)) / len(found) for values in zip(*found, strict=True)] if found else [None] * len(batch)


def _remark(novelty: float | None) -> str:
    if novelty is None or novelty <= 1:
        return ""
    return "   " + tr("none of these? Unlike the training images: novelty {novelty}, limit 1", novelty=f"{novelty:.2f}")


def _say_answer(path: Path, made: Prepared, classes: Sequence[str], p: Array, novelty: float | None, top: int) -> None:
    if made.kind == "blank":
        say(f"{path}: {made}")
        return
    best, *others = (-p).argsort()[:top]
    shares = {i: tr("{share} %", share=f"{100 * p[i]:.1f}") for i in (best, *others)}
    rest = ", ".join(f"{classes[i]} {shares[i]}" for i in others)
    say(f"{path}: {classes[best]}  {shares[best]}{f'   ({rest})' if others else ''}{_remark(novelty)}")
    if made.steps:
        say(f"  {made}")


def _say_pages(
    read: Sequence[tuple[Path, list[Prepared]]], classes: Sequence[str], probabilities: Array, novelty: Sequence[float | None]
) -> None:
    """Each page as lines of answers; "?" follows what is none of the classes."""
    answers = iter(zip(probabilities.argmax(axis=1), novelty, strict=True))
    for path, page in read:
        lines: dict[int, list[str]] = {}
        for made in page:
            answer, far = next(answers)
            lines.setdefault(made.line, []).append(classes[answer] + ("?" if far is not None and far > 1 else ""))
        if page[0].kind == "blank":
            say(f"{path}: {page[0]}")
            continue
        say(tr("{path}: {count} characters in {lines} lines", path=path, count=len(page), lines=len(lines)))
        say(*(f"  {' '.join(line)}" for line in lines.values()))


def _draw(path: Path, read: Sequence[tuple[Path, list[Prepared]]], classes: Sequence[str], probabilities: Array) -> None:
    from glassnet.data.readers.image import is_array_file, upright
    from glassnet.errors import writing
    from glassnet.present.figures import ShownImage, prepared_figure, save_figure

    left = iter(probabilities)
    shown = []
    for image, page in read[:MOST_SHOWN]:
        answers = [
            f"{classes[p.argmax()]}  {tr('{share} %', share=f'{100 * p.max():.0f}')}" for p in (next(left) for _ in page)
        ]
        short = [answer.partition("  ")[0] for answer in answers] if len(page) > 1 else answers
        blank = [str(made) if made.kind == "blank" else answer for made, answer in zip(page, short, strict=True)]
        shown.append(ShownImage(str(image), page[0].pixels if is_array_file(image) else upright(image), page, blank))
    with writing(path):
        save_figure(prepared_figure(shown), path)


def _print_csv(files: Sequence[Path], classes: Sequence[str], probabilities: Array, top: int | None) -> None:
    """One column per class; or, where only some are listed, two columns for each of the most probable."""
    import csv
    import io

    from glassnet.nn.confusion import DRAWN, LISTED

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    if top is not None or len(classes) > DRAWN:
        count = min(top or LISTED, len(classes))
        more = [f"{name}{place}" for place in range(2, count + 1) for name in ("class", "probability")]
        rows.writerow(["file", "class", "probability", *more])
        for path, p in zip(files, probabilities, strict=True):
            order = (-p).argsort(kind="stable")[:count]
            rows.writerow([path, *(cell for i in order for cell in (classes[i], f"{p[i]:.6f}"))])
        say(text.getvalue().rstrip("\n"))
        return
    rows.writerow(["file", "class", "probability", *classes])
    for path, p in zip(files, probabilities, strict=True):
        rows.writerow([path, classes[p.argmax()], f"{p.max():.6f}", *(f"{value:.6f}" for value in p)])
    say(text.getvalue().rstrip("\n"))


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
