"""The tables of the report: key figures, training setup, commands, and evaluations on the test set."""

from __future__ import annotations

import platform
from importlib.metadata import version
from math import isfinite
from shlex import quote
from typing import Any

from markupsafe import Markup

from glassnet import __version__
from glassnet.data import Dataset
from glassnet.experiment.run import Run
from glassnet.experiment.run_folder import read_exports
from glassnet.interop.export import Proof
from glassnet.nn import Layer, walk
from glassnet.nn.metrics import wilson
from glassnet.present.report.facts import Facts
from glassnet.runtime.novelty import Novelty
from glassnet.support.i18n import Message, first_of, mark, same, tr
from glassnet.support.pages import markup
from glassnet.training import History

Row = tuple[Message, object]
MEASURED = {  # the name of the accuracy, and a note, by split
    "validation": (mark("Validation accuracy"), mark("on validation data")),
    "test": (mark("Test accuracy"), mark("on test data")),
    "train": (mark("Accuracy on training images"), mark("on training data")),
}
SIZES = ("units", "filters", "pool_size", "rate")  # options that say how large a layer is


def percent(share: float) -> Message:
    return tr("{share} %", share=f"{100 * share:.2f}")


def interval(correct: int, total: int) -> Message:
    """The 95 % interval of an accuracy."""
    low, high = (f"{100 * bound:.2f}" for bound in wilson(correct, total))
    return tr("{share} %", share=f"{low}–{high}")


def cards(facts: Facts) -> list[tuple[Message, str, Markup | Message]]:
    """(name, value, note) of the key figures."""
    run, result, history = facts.run, facts.result, facts.run.history
    found: list[tuple[Message, str, Markup | Message]] = []
    if result is not None:
        accuracy, measured_on = map(tr, MEASURED[facts.part])
        name = accuracy if facts.data.is_classification else tr("Correct signs")
        counts = tr("{correct} of {total}", correct=f"{result.correct:,}", total=f"{result.total:,}")
        bounds = tr("95 % interval {interval}", interval=interval(result.correct, result.total))
        found.append((name, percent(result.accuracy), markup("{}<br>{}", bounds, counts)))
        if result.top_k_accuracy is not None and result.top_k_correct is not None:
            hits = tr("the class is among the {k} most probable ones", k=result.top_k)
            bounds = tr("95 % interval {interval}", interval=interval(result.top_k_correct, result.total))
            found.append(
                (tr("Top-{k} accuracy", k=result.top_k), percent(result.top_k_accuracy), markup("{}<br>{}", bounds, hits))
            )
        found.append((tr("Mean loss"), f"{result.loss:.4g}", measured_on))
    last = history.epochs[-1] if history.epochs else None
    if last is not None and last.train_accuracy is not None:
        total = len(run.splits.train)
        bounds = tr("95 % interval {interval}", interval=interval(round(last.train_accuracy * total), total))
        note = markup("{}<br>{}", bounds, tr("during the last epoch"))
        found.append((tr("Training accuracy"), percent(last.train_accuracy), note))
    found.append((tr("Epochs"), str(len(history)), tr("{seconds} s of training", seconds=_decimals(sum(history.seconds)))))
    network = run.network
    size = tr("{kilobytes} kB as {dtype}", kilobytes=_decimals(network.flat.nbytes / 1000), dtype=str(network.dtype))
    found.append((tr("Parameters"), f"{network.flat.size:,}", size))
    return found


def trained(facts: Facts) -> list[Row]:
    """The table of the training setup."""
    run = facts.run
    recipe, training = run.recipe, run.recipe.training
    rows: list[Row] = [(tr("Recipe"), recipe.name)]
    if recipe.expect:
        rows.append((tr("Expected"), recipe.message("expect")))
    if recipe.overridden:
        rows.append((tr("Changed in the recipe"), Markup("<br>").join(recipe.overridden)))
    source = recipe.data.source
    parts = [markup("{}", source)]
    splits = run.splits
    for name, part in ((tr("training"), splits.train), (tr("validation"), splits.validation), (tr("test"), splits.test)):
        unused = tr("(unused)") if part is not None and part is splits.test and not run.looks else ""
        parts.append(markup("{}: {} {}", name, tr("none") if part is None else _count(part), unused))
    rows.append((tr("Data"), Markup("<br>").join(parts)))
    if facts.data.is_classification:
        rows.append((tr("Classes"), same(f"{len(facts.classes)}: ") + first_of(facts.classes, most=40)))
    rows.append((tr("Network"), " → ".join(map(brief, run.network.layers))))
    rows.append((tr("Loss"), repr(run.network.loss)))
    if any(run.network.regularizer.rates):
        rows.append((tr("Penalty on weights"), repr(run.network.regularizer)))
    rows.append((tr("Optimizer"), repr(recipe.make_optimizer())))
    text = mark("epochs: {epochs}; mini-batches of {batch}; seed {seed}")
    steps = tr(text, epochs=len(run.history), batch=training.batch_size, seed=training.seed)
    text = mark("weights of epoch {epoch}, the best on validation images (so the accuracy above is slightly optimistic)")
    kept = tr(text, epoch=run.history.best_epoch) if training.keep == "best" else tr("weights of the last epoch")
    rows.append((tr("Steps"), markup("{}<br>{}", steps, kept)))
    if (augmentation := recipe.make_augmentation()) is not None:
        rows.append((tr("Augmentation"), repr(augmentation)))
    if (novelty := run.network.fitted_novelty) is not None:
        rows.append((tr("None of these?"), _novelty(novelty)))
    latest = {(record["form"], record["file"]): record for record in read_exports(run.folder)}
    rows += [(tr("Exported"), markup("{}<br>{}", record["file"], Proof.of(record).text)) for record in latest.values()]
    tools = ", ".join(f"{name} {version(name)}" for name in ("numpy", "numba"))
    machine = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    rows.append((tr("Made with"), f"glassnet {__version__}, {tools}, {machine}"))
    return rows


def _novelty(found: Novelty) -> Message:
    """From where on an image is called novel, and for how many of the images that are not."""
    compared = tr("validation images") if found.held_out else tr("training images, each compared with the others")
    text = mark(
        "An image is called novel if it is farther from the nearest training image, in the hidden layers, than about 99 % of "
        "the {compared}: {alarms} of {validated} are ({share} false alarms)."
    )
    share = percent(found.alarms / found.validated)
    return tr(text, compared=compared, alarms=f"{found.alarms:,}", validated=f"{found.validated:,}", share=share)


def brief(layer: Layer) -> str:
    """The name and the size of a layer, or of the first layer inside it that has a size."""
    sizes = [getattr(inside, name) for inside in walk([layer]) for name in SIZES if name in inside.options]
    return type(layer).__name__ + (f"({sizes[0]!r})" if sizes else "")


def _decimals(value: float) -> str:
    return f"{value:,.1f}" if value >= 1 else f"{value:.2g}"


def _count(part: Dataset) -> Message:
    count, shape = f"{len(part):,}", " × ".join(map(str, part.shape))
    if len(part.shape) == 3:
        return tr("{count} images of {shape}", count=count, shape=shape)
    return tr("{count} examples of {shape} numbers", count=count, shape=shape)


def commands(run: Run) -> str:
    """The commands that repeat the run."""
    folder = quote(str(run.folder))
    recipe = quote(str(run.folder / "recipe.toml"))
    return f"glassnet train {recipe}\nglassnet evaluate {folder}\nglassnet report {folder}"


def best(history: History) -> Message | None:
    """The best epoch on validation images."""
    epoch = history.best_epoch
    accuracy = None if epoch is None else history.validation_accuracy[epoch - 1]
    if accuracy is None:
        return None
    return tr("Best validation accuracy: {accuracy} after epoch {epoch}.", accuracy=percent(accuracy), epoch=epoch)


def looks(facts: Facts) -> list[dict[str, Any]]:
    """A row for each evaluation on the test set."""
    run = facts.run
    rows = []
    for number, look in enumerate(run.looks, 1):
        notes = []
        if look.get("ensemble"):
            notes.append(tr("in an ensemble of {count}", count=len(look["ensemble"])))
        if look.get("views"):
            notes.append(tr("{count} views", count=look["views"]))
        if look.get("top_k"):
            notes.append(tr("top-{k} {share}", k=look["top_k"], share=percent(look["top_k_correct"] / look["total"])))
        if facts.part == "test" and number == len(run.looks):
            notes.append(tr("← shown above"))
        same, loss = look.get("model") == run.fingerprint, float(look["loss"])
        rows.append(
            {
                "number": number,
                "time": str(look["time"]).replace("T", " ")[:16],
                "accuracy": percent(look["correct"] / look["total"]),
                "counts": f"{look['correct']:,} / {look['total']:,}",
                "interval": interval(look["correct"], look["total"]),
                "loss": f"{loss:.4g}" if isfinite(loss) else tr("not finite"),
                "model": tr("this one") if same else tr("another ({model})", model=str(look.get("model", "?"))[:8]),
                "notes": notes,
            }
        )
    return rows
