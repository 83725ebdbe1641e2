"""The head of the report: cards, what was trained on what, how to run it again, and the looks at the test set."""

from __future__ import annotations

import platform
from importlib.metadata import version
from math import isfinite
from shlex import quote
from typing import Any

from markupsafe import Markup

from glassnet import __version__
from glassnet.data import Dataset
from glassnet.nn import Layer, walk
from glassnet.nn.metrics import wilson
from glassnet.present.report.facts import Facts
from glassnet.present.report.texts import both, spans

Row = tuple[Markup, object]
SIZES = ("units", "filters", "pool_size", "rate")  # options that say how large a layer is


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def interval(correct: int, total: int) -> Markup:
    low, high = wilson(correct, total)
    return both("interval", low=percent(low), high=percent(high))


def cards(facts: Facts) -> list[tuple[Markup, str, Markup | str]]:
    """(what, the figure, a word on it)."""
    run, result, history = facts.run, facts.result, facts.run.history
    found: list[tuple[Markup, str, Markup | str]] = []
    if result is not None:
        name = both(f"accuracy-{facts.subject}") if facts.data.is_classification else both("sign-accuracy")
        counts = both("of-images", correct=f"{result.correct:,}", total=f"{result.total:,}")
        found.append(
            (name, f"{percent(result.accuracy)} %", Markup("{}<br>{}").format(interval(result.correct, result.total), counts))
        )
        found.append((both("cost-card"), f"{result.loss:.4g}", both(f"on-{facts.subject}")))
    last = history.epochs[-1] if history.epochs else None
    if last is not None and last.train_accuracy is not None:
        total = len(run.splits.train)
        note = Markup("{}<br>{}").format(interval(round(last.train_accuracy * total), total), both("while-learning"))
        found.append((both("last-training"), f"{percent(last.train_accuracy)} %", note))
    found.append((both("epochs-card"), str(len(history)), both("took", seconds=_decimals(sum(history.seconds)))))
    network = run.network
    size = both("size", kilobytes=_decimals(network.flat.nbytes / 1000), dtype=str(network.dtype))
    found.append((both("parameters-card"), f"{network.flat.size:,}", size))
    return found


def trained(facts: Facts) -> list[Row]:
    """The table of what was trained on what."""
    run = facts.run
    recipe, history, training = run.recipe, run.history, run.recipe.training
    rows: list[Row] = [(both("recipe"), recipe.name)]
    if recipe.expect:
        expect = recipe.told("expect")
        rows.append((both("expected"), spans(expect.en, expect.zh)))
    source = recipe.data.path or recipe.data.dataset
    parts = [Markup("{}").format(source)]
    for name, part in (("train", run.splits.train), ("validation", run.splits.validation), ("test", run.splits.test)):
        closed = both("closed") if name == "test" and part is not None and not run.looks else ""
        parts.append(
            Markup("{}: {} {}").format(both(f"split-{name}"), both("none") if part is None else _count(part), closed)
        )
    rows.append((both("data"), Markup("<br>").join(parts)))
    if facts.data.is_classification:
        names = ", ".join(facts.classes[:40]) + (" …" if len(facts.classes) > 40 else "")
        rows.append((both("classes"), f"{len(facts.classes)}: {names}"))
    rows.append((both("network"), " → ".join(map(brief, run.network.layers))))
    rows.append((both("cost"), repr(run.network.loss)))
    if any(run.network.regularizer.rates):
        rows.append((both("penalty"), repr(run.network.regularizer)))
    rows.append((both("optimizer"), repr(recipe.make_optimizer())))
    steps = both("steps-of", epochs=len(history), batch=training.batch_size, seed=training.seed)
    kept = both("kept-best", epoch=history.best_epoch) if training.keep == "best" else both("kept-last")
    rows.append((both("steps"), Markup("{}<br>{}").format(steps, kept)))
    augmentation = recipe.make_augmentation()
    if augmentation is not None:
        rows.append((both("augmentation"), repr(augmentation)))
    tools = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    rows.append((both("made-with"), f"glassnet {__version__}, {tools}, {machine}"))
    return rows


def brief(layer: Layer) -> str:
    """A layer by its name and its size alone (or that of the first inside it that has one); the table of layers has all."""
    sizes = [getattr(inside, name) for inside in walk([layer]) for name in SIZES if name in inside.options]
    return type(layer).__name__ + (f"({sizes[0]!r})" if sizes else "")


def _decimals(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _count(part: Dataset) -> Markup:
    key = "images-of" if len(part.shape) == 3 else "rows-of"
    return both(key, count=f"{len(part):,}", shape=" × ".join(map(str, part.shape)))


def stopped(facts: Facts) -> Markup | None:
    """Why training ended before its last epoch, if it did."""
    stopped = facts.run.history.stopped
    return None if stopped is None else both("stopped", reason=stopped.text)


def commands(facts: Facts) -> str:
    """What to type to have the same again."""
    folder = facts.run.folder
    lines = [f"glassnet train {quote(str(folder / 'recipe.toml'))}"]
    lines += [f"glassnet {command} {quote(str(folder))}" for command in ("evaluate", "report")]
    return "\n".join(lines)


def ranges(facts: Facts) -> list[str]:
    """The 95 % interval of each class, empty where it has no images."""
    reports = facts.result.per_class if facts.result is not None else []
    bounds = [wilson(report.correct, report.total) if report.total else None for report in reports]
    return ["" if each is None else f"{percent(each[0])}–{percent(each[1])} %" for each in bounds]


def best(facts: Facts) -> Markup | None:
    """The best epoch on validation images."""
    history = facts.run.history
    accuracies, epoch = history.validation_accuracy, history.best_epoch
    if epoch is None or accuracies[epoch - 1] is None:
        return None
    return both("best-epoch", accuracy=percent(accuracies[epoch - 1]), epoch=epoch)


def looks(facts: Facts) -> list[dict[str, Any]]:
    """A row for each look at the test set."""
    run = facts.run
    rows = []
    for number, look in enumerate(run.looks, 1):
        low, high = wilson(look["correct"], look["total"])
        notes = []
        if look.get("ensemble"):
            notes.append(both("by-ensemble", count=len(look["ensemble"])))
        if look.get("views"):
            notes.append(both("by-views", count=look["views"]))
        if facts.subject == "test" and number == len(run.looks):
            notes.append(both("shown-here"))
        same = look.get("model") == run.fingerprint
        loss = float(look["loss"])
        rows.append(
            {
                "number": number,
                "time": str(look["time"]).replace("T", " ")[:16],
                "accuracy": f"{percent(look['correct'] / look['total'])} %",
                "counts": f"{look['correct']:,} / {look['total']:,}",
                "interval": f"{percent(low)}–{percent(high)} %",
                "loss": f"{loss:.4g}" if isfinite(loss) else spans("not finite", "非有限"),
                "model": both("same-model") if same else both("other-model", model=str(look.get("model", "?"))[:8]),
                "notes": notes,
            }
        )
    return rows
