"""`glassnet predict RUN IMAGE…`: classify images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import complain, emit, say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    import numpy.typing as npt

    from glassnet.data.options import Fit
    from glassnet.experiment.run import Run
    from glassnet.network import Network
    from glassnet.support.arrays import Array

HELP = mark("Classify images, or all in a folder. They are converted to the size and colour mode of the training images.")


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder or a model file."), show_default=False)],
    images: Annotated[list[Path], typer.Argument(help=mark("Image files, or folders of them."), show_default=False)],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help=mark("Average the probabilities with this run; repeatable.")),
    ] = None,
    views: Views = None,
    invert: Annotated[
        bool, typer.Option("--invert", help=mark("Invert the images first, for dark ink on a light background."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print one JSON list."))] = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help=mark("Print a CSV table: file, class, probability, then one column per class."))
    ] = False,
) -> None:
    import numpy as np

    from glassnet.errors import InputError
    from glassnet.experiment.ensemble import Ensemble
    from glassnet.experiment.run import Run
    from glassnet.network import Network

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
    files, batch = _read(images, network.input_shape, fits[0])
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
    novelty = _novelty(network.networks, batch)
    if as_json:
        answers = [
            {
                "file": str(path),
                "class": network.classes[p.argmax()],
                "index": int(p.argmax()),
                "probabilities": dict(zip(network.classes, (round(float(value), 6) for value in p), strict=True)),
                "novel": None if far is None else far > 1,
                "novelty": None if far is None else round(far, 4),
            }
            for path, p, far in zip(files, probabilities, novelty, strict=True)
        ]
        emit(json.dumps(answers, ensure_ascii=False, indent=2))
        return
    if as_csv:
        _print_csv(files, network.classes, probabilities)
        return
    for path, p, far in zip(files, probabilities, novelty, strict=True):
        best, *others = np.argsort(-p)[:3]
        rest = ", ".join(f"{network.classes[i]} {100 * p[i]:.1f} %" for i in others)
        say(f"{path}: {network.classes[best]}  {100 * p[best]:.1f} %   ({rest}){_remark(far)}")


def _novelty(networks: Sequence[Network], batch: Array) -> list[float] | list[None]:
    """The mean novelty of each image over the networks that know what their training images look like; else None."""
    found = [network.novelty(batch) for network in networks if network.fitted_novelty is not None]
    return [float(sum(values)) / len(found) for values in zip(*found, strict=True)] if found else [None] * len(batch)


def _remark(novelty: float | None) -> str:
    if novelty is None or novelty <= 1:
        return ""
    return "   " + tr("none of these? Unlike the training images: novelty {novelty}, limit 1", novelty=f"{novelty:.2f}")


def _read(paths: Sequence[Path], shape: tuple[int, ...], fit: Fit) -> tuple[list[Path], npt.NDArray[Any]]:
    """The image files, sorted in folders, and their pixels `(N, *shape)`; unreadable ones of folders are named."""
    import numpy as np

    from glassnet.data.readers.image import read_folder, read_image

    files: list[Path] = []
    batches = []
    for path in paths:
        if not path.is_dir():
            files.append(path)
            batches.append(read_image(path, shape, fit)[np.newaxis])
            continue
        found, pixels, reasons = read_folder(path, shape, fit)
        files += found
        batches.append(pixels)
        for file, reason in reasons.items():
            complain(tr("glassnet: {file} is left out: {reason}", file=file, reason=reason))
    return files, np.concatenate(batches)


def _print_csv(files: Sequence[Path], classes: Sequence[str], probabilities: npt.NDArray[Any]) -> None:
    import csv
    import io

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
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
