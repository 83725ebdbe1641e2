"""`glassnet predict RUN IMAGE…`: classify images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import emit, say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    from glassnet.experiment.run import Run

HELP = mark("Classify images. They are converted to the size and colour mode of the training images.")


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder or a model file."), show_default=False)],
    images: Annotated[list[Path], typer.Argument(help=mark("Image files."), show_default=False)],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help=mark("Average the probabilities with this run; repeatable.")),
    ] = None,
    views: Views = None,
    invert: Annotated[
        bool, typer.Option("--invert", help=mark("Invert the images first, for dark ink on a light background."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=mark("Print one JSON list."))] = False,
) -> None:
    import numpy as np

    from glassnet.data.readers.image import read_image
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
    batch = np.stack([read_image(path, network.input_shape, fits[0]) for path in images])
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
    if as_json:
        answers = [
            {
                "file": str(path),
                "class": network.classes[p.argmax()],
                "index": int(p.argmax()),
                "probabilities": dict(zip(network.classes, (round(float(value), 6) for value in p), strict=True)),
            }
            for path, p in zip(images, probabilities, strict=True)
        ]
        emit(json.dumps(answers, ensure_ascii=False, indent=2))
        return
    for path, p in zip(images, probabilities, strict=True):
        best, *others = np.argsort(-p)[:3]
        rest = ", ".join(f"{network.classes[i]} {100 * p[i]:.1f} %" for i in others)
        say(f"{path}: {network.classes[best]}  {100 * p[best]:.1f} %   ({rest})")


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
