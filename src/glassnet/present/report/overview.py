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
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.pages import markup

Row = tuple[Message, object]
ACCURACIES = {
    "validation": mark("Validation accuracy"),
    "test": mark("Test accuracy"),
    "train": mark("Accuracy on training images"),
}
MEASURED_ON = {
    "validation": mark("on validation data"),
    "test": mark("on test data"),
    "train": mark("on training data"),
}
SIZES = ("units", "filters", "pool_size", "rate")  # options that say how large a layer is


def percent(share: float) -> str:
    return f"{100 * share:.2f}"


def interval(correct: int, total: int) -> Message:
    low, high = wilson(correct, total)
    return tr("95 % interval {low}–{high} %", low=percent(low), high=percent(high))


def cards(facts: Facts) -> list[tuple[Message, str, Markup | Message]]:
    """(what, the figure, a word on it)."""
    run, result, history = facts.run, facts.result, facts.run.history
    found: list[tuple[Message, str, Markup | Message]] = []
    if result is not None:
        name = tr(ACCURACIES[facts.subject]) if facts.data.is_classification else tr("Correct signs")
        counts = tr("{correct} of {total}", correct=f"{result.correct:,}", total=f"{result.total:,}")
        found.append(
            (name, f"{percent(result.accuracy)} %", markup("{}<br>{}", interval(result.correct, result.total), counts))
        )
        found.append((tr("Mean loss"), f"{result.loss:.4g}", tr(MEASURED_ON[facts.subject])))
    last = history.epochs[-1] if history.epochs else None
    if last is not None and last.train_accuracy is not None:
        total = len(run.splits.train)
        note = markup("{}<br>{}", interval(round(last.train_accuracy * total), total), tr("measured during the epoch"))
        found.append((tr("Training accuracy, last epoch"), f"{percent(last.train_accuracy)} %", note))
    found.append((tr("Epochs"), str(len(history)), tr("{seconds} s of training", seconds=_decimals(sum(history.seconds)))))
    network = run.network
    size = tr("{kilobytes} kB as {dtype}", kilobytes=_decimals(network.flat.nbytes / 1000), dtype=str(network.dtype))
    found.append((tr("Parameters"), f"{network.flat.size:,}", size))
    return found


def trained(facts: Facts) -> list[Row]:
    """The table of what was trained on what."""
    run = facts.run
    recipe, history, training = run.recipe, run.history, run.recipe.training
    rows: list[Row] = [(tr("Recipe"), recipe.name)]
    if recipe.expect:
        rows.append((tr("Expected"), recipe.message("expect")))
    source = recipe.data.path or recipe.data.dataset
    parts = [markup("{}", source)]
    splits = run.splits
    for name, part in ((tr("training"), splits.train), (tr("validation"), splits.validation), (tr("test"), splits.test)):
        closed = tr("(closed)") if part is not None and part is splits.test and not run.looks else ""
        parts.append(markup("{}: {} {}", name, tr("none") if part is None else _count(part), closed))
    rows.append((tr("Data"), Markup("<br>").join(parts)))
    if facts.data.is_classification:
        names = ", ".join(facts.classes[:40]) + (" …" if len(facts.classes) > 40 else "")
        rows.append((tr("Classes"), f"{len(facts.classes)}: {names}"))
    rows.append((tr("Network"), " → ".join(map(brief, run.network.layers))))
    rows.append((tr("Loss"), repr(run.network.loss)))
    if any(run.network.regularizer.rates):
        rows.append((tr("Penalty on weights"), repr(run.network.regularizer)))
    rows.append((tr("Optimizer"), repr(recipe.make_optimizer())))
    steps = tr(
        "epochs: {epochs}; mini-batches of {batch}; seed {seed}",
        epochs=len(history),
        batch=training.batch_size,
        seed=training.seed,
    )
    kept = (
        tr(
            "weights of epoch {epoch}, the best on validation images (which makes the figure above slightly optimistic)",
            epoch=history.best_epoch,
        )
        if training.keep == "best"
        else tr("weights of the last epoch")
    )
    rows.append((tr("Steps"), markup("{}<br>{}", steps, kept)))
    augmentation = recipe.make_augmentation()
    if augmentation is not None:
        rows.append((tr("Augmentation"), repr(augmentation)))
    tools = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    rows.append((tr("Made with"), f"glassnet {__version__}, {tools}, {machine}"))
    return rows


def brief(layer: Layer) -> str:
    """A layer by its name and its size alone (or that of the first inside it that has one); the table of layers has all."""
    sizes = [getattr(inside, name) for inside in walk([layer]) for name in SIZES if name in inside.options]
    return type(layer).__name__ + (f"({sizes[0]!r})" if sizes else "")


def _decimals(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _count(part: Dataset) -> Message:
    count, shape = f"{len(part):,}", " × ".join(map(str, part.shape))
    if len(part.shape) == 3:
        return tr("{count} images of {shape}", count=count, shape=shape)
    return tr("{count} examples of {shape} numbers", count=count, shape=shape)


def stopped(facts: Facts) -> Message | None:
    """Why training ended before its last epoch, if it did."""
    stopped = facts.run.history.stopped
    return None if stopped is None else tr("Training ended early: {reason}", reason=stopped.text)


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


def best(facts: Facts) -> Message | None:
    """The best epoch on validation images."""
    history = facts.run.history
    accuracies, epoch = history.validation_accuracy, history.best_epoch
    if epoch is None or accuracies[epoch - 1] is None:
        return None
    return tr(
        "Best validation accuracy: {accuracy} % after epoch {epoch}.", accuracy=percent(accuracies[epoch - 1]), epoch=epoch
    )


def looks(facts: Facts) -> list[dict[str, Any]]:
    """A row for each look at the test set."""
    run = facts.run
    rows = []
    for number, look in enumerate(run.looks, 1):
        low, high = wilson(look["correct"], look["total"])
        notes = []
        if look.get("ensemble"):
            notes.append(tr("in an ensemble of {count}", count=len(look["ensemble"])))
        if look.get("views"):
            notes.append(tr("{count} views", count=look["views"]))
        if facts.subject == "test" and number == len(run.looks):
            notes.append(tr("← shown above"))
        same = look.get("model") == run.fingerprint
        loss = float(look["loss"])
        rows.append(
            {
                "number": number,
                "time": str(look["time"]).replace("T", " ")[:16],
                "accuracy": f"{percent(look['correct'] / look['total'])} %",
                "counts": f"{look['correct']:,} / {look['total']:,}",
                "interval": f"{percent(low)}–{percent(high)} %",
                "loss": f"{loss:.4g}" if isfinite(loss) else tr("not finite"),
                "model": tr("this one") if same else tr("another ({model})", model=str(look.get("model", "?"))[:8]),
                "notes": notes,
            }
        )
    return rows
