"""`learning_curve`: trainings on shares of the training images, extrapolated."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from glassnet.analysis.learning_curve.curve import LearningCurve
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.share_display import ShareDisplay
from glassnet.experiment.share_files import ShareFile, share_file
from glassnet.experiment.shares import Measured, SharePlan, plan_shares, seconds_of, train_share
from glassnet.support.habits import answered
from glassnet.support.i18n import tr


@answered
def learning_curve(
    recipe: str | Path | Recipe,
    *,
    shares: Sequence[float] | None = None,
    draws: int = 3,
    epochs: int | None = None,
    settings: dict[str, Any] | None = None,
    seed: int | None = None,
    data: str | Path | None = None,
    out: str | Path | None = None,
    threads: int | None = None,
    progress: bool | None = None,
) -> LearningCurve:
    """Train a recipe on shares of its training images, and extrapolate the validation accuracy: is the data enough?

    `shares`: three or more, in (0, 1]; by default 0.02, 0.05, 0.1 and 0.2, and for fewer than 10,000 training images 0.125,
    0.25, 0.5 and 1. Each is trained `draws` times, on other images with another seed. Classes keep their proportions, groups
    stay whole. The epochs are the recipe's, and more for a share that has too few steps. The test set is not used.
    `out`: a folder that keeps the trainings: the same call goes on where it was interrupted. `recipe`, `settings`, `seed`,
    `data`, `threads` and `progress` as in `train`.
    Raises `InputError` for shares that can't be used and `DataError` for data without classes or validation images.

        curve = gn.learning_curve("digits", epochs=20)
        print(curve)
    """
    plan = plan_shares(recipe, shares, draws, epochs=epochs, settings=settings, seed=seed, data=data)
    return measure(plan, None if out is None else share_file(plan, out), threads=threads, progress=progress)


def measure(
    plan: SharePlan, file: ShareFile | None, *, threads: int | None = None, progress: bool | None = None
) -> LearningCurve:
    """Train what the plan has and the file has not, keeping each training in the file; the curve of all of the plan's."""
    known = [] if file is None else file.read()
    done = {(one.share, one.draw): one for one in known}
    left = [training for training in plan.trainings if training not in done]
    display = ShareDisplay(plan, progress)
    if file is not None:
        file.write(known)  # raises before the first training if the folder can't be written
    if left:
        work = sum(plan.work(plan.images(share)) for share, _ in left)
        display.begin(len(plan.trainings) - len(left), work, work * seconds_of(plan, threads) if display.shown else 0.0)
    try:
        for share, draw in left:
            display.next(plan.images(share))
            measured = train_share(plan, share, draw, threads=threads, callbacks=[display])
            done[share, draw] = measured
            known.append(measured)
            if file is not None:
                file.write(known)
            display.add(measured)
    except KeyboardInterrupt as interrupt:
        if file is not None:
            text = tr(
                "{count} of {total} trainings are kept in {folder}; the same command goes on from there.",
                count=len(known), total=len(plan.trainings), folder=file.folder,
            )  # fmt: skip
            interrupt.add_note(text)
        raise
    finally:
        display.end()
    return _curve(plan, [done[training] for training in plan.trainings])


def _curve(plan: SharePlan, measured: Sequence[Measured]) -> LearningCurve:
    train = plan.splits.train
    chance = float(train.counts.max() / len(train))
    return LearningCurve(plan.recipe.name, len(train), len(plan.validation), chance, tuple(measured))
