"""What the page tells of a run beside its answers: a line at the top, and a table."""

from __future__ import annotations

from typing import Any

from glassnet.experiment.run import Run
from glassnet.present.report.overview import brief, percent
from glassnet.support.i18n import Message, first_of, mark, same, tr

Pair = dict[str, str]  # a text in both languages, as js/text.js takes it


def pair(text: object) -> Pair:
    """A message, or a text that is the same in both languages."""
    message = text if isinstance(text, Message) else same(str(text))
    return {"en": message.en, "zh": message.zh}


def facts_of(run: Run) -> dict[str, Any]:
    """`about`, a sentence, and `facts`, rows of a name and a value."""
    network, history, recipe = run.network, run.history, run.recipe
    count = f"{len(run.splits.train):,}"
    texts = {"count": count, "classes": len(network.classes), "parameters": f"{network.flat.size:,}"}
    about = tr("{classes} classes, {parameters} parameters, trained on {count} images.", **texts)
    accuracy = _accuracy(run)
    if accuracy is not None:
        about = about + " " + tr("{share} of the validation images are classified correctly.", share=accuracy)
    steps = mark("{epochs} epochs, mini-batches of {batch}, seed {seed}")
    training = recipe.training
    rows: list[tuple[Message, object]] = [
        (tr("Recipe"), recipe.name),
        (tr("Classes"), first_of(network.classes, most=40)),
        (tr("Network"), " → ".join(map(brief, network.layers))),
        (tr("Parameters"), f"{network.flat.size:,}"),
        (tr("Loss"), repr(network.loss)),
        (tr("Optimizer"), repr(recipe.make_optimizer())),
        (tr("Steps"), tr(steps, epochs=len(history), batch=training.batch_size, seed=training.seed)),
    ]
    if (augmentation := recipe.make_augmentation()) is not None:
        rows.append((tr("Augmentation"), repr(augmentation)))
    return {"about": pair(about), "facts": [(pair(name), pair(value)) for name, value in rows]}


def _accuracy(run: Run) -> Message | None:
    """Of the epoch whose weights are kept, on validation images."""
    history = run.history
    epoch = history.best_epoch if run.recipe.training.keep == "best" else len(history)
    share = history.validation_accuracy[epoch - 1] if epoch else None
    return None if share is None else percent(share)
