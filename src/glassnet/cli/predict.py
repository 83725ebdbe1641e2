"""`glassnet predict RUN IMAGE…`: ask a network about images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from glassnet.cli.console import say
from glassnet.cli.settings import Views
from glassnet.support.i18n import mark, tr

if TYPE_CHECKING:
    import numpy.typing as npt

    from glassnet.experiment.run import Run

NAME = "predict"
HELP = mark("Say what images show. They are brought to the size and colour of the images that the network was trained on.")


def command(
    run: Annotated[Path, typer.Argument(help=mark("A run folder, or a model file."), show_default=False)],
    images: Annotated[list[Path], typer.Argument(help=mark("Image files."), show_default=False)],
    more: Annotated[
        list[Path] | None,
        typer.Option("--with", metavar="RUN", help=mark("Ask this one too, and tell the mean; as often as you like.")),
    ] = None,
    views: Views = None,
    invert: Annotated[
        bool, typer.Option("--invert", help=mark("Dark ink on light ground: turn black and white around first."))
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help=mark("One JSON list instead of lines."))] = False,
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
            tr("The networks were trained on images brought to their size in different manners."),
            where="glassnet predict --with",
            expected=tr("one fit for all"),
            received=", ".join(f"{path}: {fit}" for path, fit in zip(paths, fits, strict=True)),
            hint=tr("ask them one by one"),
        )
    options = [_views_of(path, done, views) for path, done in zip(paths, runs, strict=True)]
    batch = np.stack([read_image(path, network.input_shape, fits[0]) for path in images])
    if invert:
        batch = _inverted(batch)
    answers = []
    probabilities = network.mean_proba(batch, options)
    for path, p in zip(images, probabilities, strict=True):
        best = int(p.argmax())
        answers.append(
            {
                "file": str(path),
                "class": network.classes[best],
                "index": best,
                "probabilities": dict(zip(network.classes, (round(float(value), 6) for value in p), strict=True)),
            }
        )
    if as_json:
        say(json.dumps(answers, ensure_ascii=False, indent=2))
        return
    for answer, p in zip(answers, probabilities, strict=True):
        order = np.argsort(-p)[:3]
        others = ", ".join(f"{network.classes[i]} {100 * p[i]:.1f} %" for i in order[1:])
        say(f"{answer['file']}: {answer['class']}  {100 * p[order[0]]:.1f} %   ({others})")


def _inverted(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    from glassnet.errors import InputError

    if images.dtype != "uint8":
        raise InputError(
            tr("Only images of bytes can be inverted: other numbers have no black and white."),
            where="glassnet predict --invert",
            expected=tr("image files, or .npy arrays of uint8"),
            received=tr("an array of {dtype}", dtype=images.dtype),
            hint=tr("invert the array before it is saved"),
        )
    return 255 - images


def _views_of(path: Path, run: Run | None, requested: int | None) -> dict[str, Any]:
    """Options of `predict_proba` for the requested views, else for those of the recipe; a model file has no others."""
    from glassnet.errors import InputError

    if run is not None:
        return run.views(requested)
    if requested not in (None, 1):
        raise InputError(
            tr("A model file does not say how views of an image differ."),
            where=path,
            expected=tr("a run folder, whose recipe has an augmentation"),
            received=tr("a file, and --views {requested}", requested=requested),
            hint=tr("ask the run, or leave --views out"),
        )
    return {}
