"""The texts and tables of a search's page."""

from __future__ import annotations

from shlex import quote
from typing import Any

from markupsafe import Markup

from glassnet.analysis.search import Flattery, Scale, scored, spelled
from glassnet.experiment.search.records import SearchPlan, SearchResult, Trial
from glassnet.experiment.search.space import Parameter
from glassnet.present.search.table import shown
from glassnet.support.i18n import Message, mark, same, tr
from glassnet.support.pages import markup

METHODS = {
    "grid": mark("grid: each combination of the values once"),
    "random": mark("random search"),
    "tpe": mark("TPE, the tree-structured Parzen estimator: new trials are drawn near the good ones"),
}
PRUNERS = {
    "none": mark("none: each trial is trained to its end"),
    "median": mark("median: a trial worse than the median of the earlier ones at the same epoch is stopped"),
    "halving": mark("successive halving: the worse trials are stopped after few epochs"),
    "hyperband": mark("Hyperband: successive halving that begins at several numbers of epochs"),
}
STATES = {"complete": mark("complete"), "pruned": mark("pruned"), "failed": mark("failed")}
BEST_RECIPE = "best.toml"  # in the folder of the search
Row = tuple[Message, object]


def with_unit(result: SearchResult, value: float) -> Message:
    return tr("{share} %", share=shown(result, value)) if result.plan.maximise else same(shown(result, value))


def cards(result: SearchResult, flattery: Flattery | None) -> list[tuple[Message, object, object]]:
    """(name, value, note) of the key figures."""
    best, counts = next(iter(scored(result)), None), counted(result)
    found: list[tuple[Message, object, object]] = []
    if best is not None and best.value is not None:
        name = tr("Best validation accuracy") if result.plan.maximise else tr("Lowest validation loss")
        note = tr("trial #{number}", number=best.number)
        if best.spread is not None:
            spread = shown(result, best.spread)
            note = tr(
                "trial #{number}, ± {spread} over {parts} trainings", number=best.number, spread=spread, parts=len(best.parts)
            )
        found.append((name, with_unit(result, best.value), note))
    if flattery is not None:
        found.append((tr("Estimated without the luck of the choice"), with_unit(result, flattery.honest), tr("see below")))
    rest = tr("{pruned} pruned, {failed} failed, of {planned} planned", planned=result.plan.trials, **counts)
    found.append((tr("Complete trials"), f"{counts['complete']:,}", rest))
    seconds = sum(trial.seconds for trial in result.trials)
    found.append((tr("Training time"), duration(seconds), tr("of all trials, added up")))
    return found


def counted(result: SearchResult) -> dict[str, int]:
    """How many trials ended in each state."""
    return {state: sum(trial.state == state for trial in result.trials) for state in STATES}


def duration(seconds: float) -> Message:
    if seconds < 100:
        return tr("{seconds} s", seconds=f"{seconds:.3g}" if seconds < 10 else f"{seconds:.0f}")
    if seconds < 6000:
        return tr("{minutes} min", minutes=f"{seconds / 60:.0f}")
    return tr("{hours} h", hours=f"{seconds / 3600:.1f}")


def basis(plan: SearchPlan) -> Message:
    """On which data the values are."""
    if plan.folds > 1:
        return tr(
            "All values are on validation data, the mean over {folds} folds. The test set was not used.", folds=plan.folds
        )
    return tr("All values are on validation data. The test set was not used.")


def luck(result: SearchResult, flattery: Flattery | None) -> list[Message]:
    """How far the best value can be believed, in sentences."""
    trials = scored(result)
    if len(trials) < 2:
        return [tr("Only one trial is complete, so nothing was chosen.")]
    first = tr(
        "This value is the best of {count}, so a part of it is luck: it will probably be worse on new images.",
        count=len(trials),
    )
    if flattery is None:
        text = mark(
            "How large that part is can't be estimated from one training a trial: search with several folds or seeds."
        )
        return [first, tr(text), _last()]
    if flattery.folds:
        text = mark(
            "When the best trial is chosen by all folds but one and measured on that one, "
            "it reaches {honest} on average (a rough estimate from {parts} folds)."
        )
    else:
        text = mark(
            "When the best trial is chosen by all seeds but one and measured with that one, "
            "it reaches {honest} on average (a rough estimate from {parts} seeds)."
        )
    parts = result.plan.folds if flattery.folds else result.plan.seeds
    found = [first, tr(text, honest=with_unit(result, flattery.honest), parts=parts)]
    if flattery.excess > 0 and shown(result, flattery.excess).strip("0.") != "":
        if result.plan.maximise:
            text = mark("So about {excess} percentage points of the value above come from the choice.")
        else:
            text = mark("So the value above is about {excess} too low because of the choice.")
        found.append(tr(text, excess=shown(result, flattery.excess)))
    else:
        found.append(tr("So the choice itself hardly flatters this value."))
    if not flattery.folds:
        text = mark(
            "All seeds are measured on the same validation images: the luck with these images is not in this estimate."
        )
        found.append(tr(text))
    if flattery.near == 1:
        found.append(tr("1 other trial is within one spread of the best and may be as good."))
    elif flattery.near:
        found.append(tr("{count} other trials are within one spread of the best and may be as good.", count=flattery.near))
    return [*found, _last()]


def _last() -> Message:
    return tr(
        "For an unbiased figure, train the best trial and evaluate it once on the test set, after all choices are made."
    )


def commands(result: SearchResult) -> str:
    """Trains the best trial with five seeds."""
    return f"glassnet train {quote(str(result.folder / BEST_RECIPE))} --seeds 5"


def searched(result: SearchResult) -> list[Row]:
    """The table of what was searched."""
    plan = result.plan
    rows: list[Row] = [(tr("Recipe"), plan.recipe.name)]
    rows.append((tr("Data"), plan.recipe.data.path or plan.recipe.data.dataset))
    space = [markup("<b>{}</b>: {}", parameter.key, described(parameter)) for parameter in plan.space]
    rows.append((tr("Search space"), Markup("<br>").join(space)))
    rows.append((tr("Method"), tr(METHODS[plan.method])))
    rows.append((tr("Pruning"), tr(PRUNERS[plan.pruner])))
    text = mark("{count} planned, seed {seed}")
    rows.append((tr("Trials"), tr(text, count=f"{plan.trials:,}", seed=plan.seed)))
    split = tr("{folds} folds", folds=plan.folds) if plan.folds > 1 else tr("the recipe's own validation set")
    seeds = tr("1 seed") if plan.seeds == 1 else tr("{seeds} seeds", seeds=plan.seeds)
    rows.append((tr("Each trial"), tr("{split} × {seeds}", split=split, seeds=seeds)))
    rows.append((tr("Chosen by"), tr("validation data only; the test set was not read")))
    rows.append((tr("Folder"), str(result.folder)))
    return rows


def described(parameter: Parameter) -> Message:
    """The values of a parameter, or its range."""
    if parameter.values is not None:
        return same(", ".join(map(spelled, parameter.values)))
    low, high = spelled(parameter.low, 4), spelled(parameter.high, 4)
    if parameter.whole and parameter.log:
        return tr("whole numbers from {low} to {high}, logarithmic", low=low, high=high)
    if parameter.whole:
        return tr("whole numbers from {low} to {high}", low=low, high=high)
    if parameter.log:
        return tr("{low} to {high}, logarithmic", low=low, high=high)
    return tr("{low} to {high}", low=low, high=high)


def row(result: SearchResult, scales: list[Scale], trial: Trial) -> dict[str, Any]:
    """What the tables show of a trial."""
    known = trial.value is not None
    return {
        "number": trial.number,
        "settings": [scale.text(trial.settings) for scale in scales],
        "value": shown(result, trial.value or 0.0) if known else "–",
        "spread": "" if trial.spread is None else shown(result, trial.spread),
        "epochs": len(trial.curve) or "–",
        "seconds": f"{trial.seconds:.3g}" if trial.seconds < 1000 else f"{trial.seconds:.0f}",
        "state": tr(STATES[trial.state]),
    }


def failures(result: SearchResult) -> list[tuple[str | Message, list[int]]]:
    """The numbers of the failed trials by what went wrong."""
    found: dict[str | Message, list[int]] = {}
    for trial in result.trials:
        if trial.state == "failed":
            found.setdefault(trial.error or tr("no message"), []).append(trial.number)
    return list(found.items())
