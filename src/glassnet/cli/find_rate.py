"""`glassnet find-rate RECIPE`: the learning-rate range test."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from glassnet.cli.console import fail, say
from glassnet.cli.settings import Data, Seed, Settings, Threads, changes_of
from glassnet.support.i18n import mark, tr

HELP = mark("Learning-rate range test: take some steps at rising learning rates, suggest one and plot the losses.")


def command(
    recipe: Annotated[
        str, typer.Argument(help=mark("A shipped recipe (see glassnet recipes) or a TOML file."), show_default=False)
    ],
    low: Annotated[float, typer.Option(help=mark("The lowest rate."))] = 1e-5,
    high: Annotated[float, typer.Option(help=mark("The highest rate."))] = 10.0,
    steps: Annotated[int, typer.Option(help=mark("Number of steps from the lowest to the highest."))] = 100,
    data: Data = None,
    seed: Seed = None,
    settings: Settings = None,
    out: Annotated[Path | None, typer.Option(help=mark("The figure; by default RECIPE-rates.png."))] = None,
    threads: Threads = None,
) -> None:
    from glassnet.errors import RunError, writing
    from glassnet.experiment.lr_finder import find_learning_rate
    from glassnet.experiment.run import prepare
    from glassnet.present.figures import learning_rate_figure, save_figure

    chosen, splits = prepare(recipe, seed=seed, data=data, settings=changes_of(settings))
    path = Path(f"{chosen.name}-rates.png") if out is None else out
    if not path.parent.is_dir():
        raise RunError(tr("The figure can't be written."), where=path.parent, expected=tr("a folder that exists"))
    result = find_learning_rate(
        chosen.make_network(splits),
        splits.train,
        optimizer=chosen.make_optimizer(),  # type: ignore[arg-type]  # which refuses ScipyMinimize
        batch_size=chosen.training.batch_size,
        low=low,
        high=high,
        steps=steps,
        seed=chosen.training.seed,
        threads=threads,
    )
    say(str(result))
    with writing(path, tr("The figure can't be written.")):
        save_figure(learning_rate_figure(result, chosen.message("title")), path)
    say(tr("  {path}   the losses over the rates", path=path))
    if result.suggested is None:
        fail(1)
    say("", tr("Next:"), f"  glassnet train {recipe} --set learning_rate={result.suggested:.2g}")
