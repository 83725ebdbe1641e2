"""The decisions of a recipe for images of one's own: size, network, epochs, augmentation, each by a rule with its reason.

The constants were chosen on validation accuracy: `python -m benchmarks.own_folder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from glassnet.data.options import as_size
from glassnet.data.survey import Survey
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.sections import DataSection, NetworkSection, TrainingSection
from glassnet.network import Network
from glassnet.nn.architectures import as_layers
from glassnet.support.i18n import Message, mark, tr

SPEED = 24e9  # operations a second, forward, of a training step with a VGG and its augmentation on two cores
OVERHEAD = 0.012  # seconds an epoch
ALIKE = 1.1  # aspect ratios that differ by less are one
SMALL_INK, LARGE_INK, LARGE_PHOTO = 32, 48, 64  # pixels of the longer side
FEW = 2000  # training images
LEAST_EPOCHS = 8  # that a network must be able to train in its time, or a narrower one is taken
LEAST_STEPS = 1500  # that small sets may take
RATE = 0.006
IMBALANCE = 3.0


@dataclass(frozen=True)
class Decision:
    """One decision: the `key` of the recipe, its value as text, and the reason."""

    key: str
    value: str
    reason: Message


def kind_of(found: Survey) -> Message:
    if not found.channels:
        return tr("rows of numbers")
    colour = tr("in colour") if found.colour else tr("grey")
    kinds = {0: mark("photographs"), 1: mark("light ink on a dark ground"), -1: mark("dark ink on a light ground")}
    return tr("{kind}, {colour}", kind=tr(kinds[found.ink]), colour=colour)


def decide_kind(found: Survey) -> Decision:
    reasons = {
        0: mark("the border of most images is not of one brightness: they are treated as photographs"),
        1: mark("the border of most images is plain and dark: they are treated as drawings or writing"),
        -1: mark("the border of most images is plain and light: they are treated as drawings or writing"),
    }
    reason = tr(reasons[found.ink]) if found.channels else tr("the data has no height and width")
    return Decision(tr("kind"), kind_of(found), reason)


def decide_data(found: Survey, given: DataSection, decisions: list[Decision]) -> DataSection:
    """Size, colour, fit and split, where they are not given."""
    update: dict[str, Any] = {}
    if found.channels in (1, 3):
        if given.size is None:
            update["size"], reason = _size(found)
            decisions.append(Decision("size", " × ".join(map(str, update["size"])), reason))
        if given.color is None:
            update["color"] = "rgb" if found.colour else "grey"
            why = mark("the images have colours") if found.colour else mark("no image, or hardly any, has colour")
            decisions.append(Decision("color", update["color"], tr(why)))
        if given.fit == "stretch" and _mixed(found) and found.ink == 1:
            update["fit"] = "pad"
            why = tr("proportions differ, and the black borders that are added are as dark as the ground")
            decisions.append(Decision("fit", "pad", why))
    if found.own_test:
        decisions.append(Decision("split", tr("own test part"), tr("the data has a test part, which is kept")))
    elif given.split is None:
        if found.groups:
            why = tr("{groups} groups are known, such as writers: none is in two parts", groups=found.groups)
            decisions.append(Decision("split", "group", why))
        else:
            why = tr(
                "each class is divided alike into training, validation and test images, unless the data has parts of its own"
            )
            decisions.append(Decision("split", "stratified", why))
    return given.model_copy(update=update)


def _mixed(found: Survey) -> bool:
    """Whether a tenth of the images or more have other proportions than the rest."""
    ratios = found.sizes[:, 0] / found.sizes[:, 1]
    middle = np.median(ratios)
    return bool((np.maximum(ratios / middle, middle / ratios) > ALIKE).mean() > 0.1)


def _size(found: Survey) -> tuple[list[int], Message]:
    longest = float(np.median(found.sizes.max(axis=1)))
    height, width = np.median(found.sizes, axis=0)
    side = min(longest, LARGE_PHOTO) if not found.ink else longest if longest <= SMALL_INK else min(longest, LARGE_INK)
    why = mark("the images are {height:.0f} × {width:.0f} (median); larger photographs take longer and need more of them")
    if found.ink:
        why = mark("the images are {height:.0f} × {width:.0f} (median); ink stays readable at this size")
    reason = tr(why, height=height, width=width)
    side = max(4, round(side))
    if _mixed(found) or max(height / width, width / height) <= ALIKE:
        return [side, side], reason
    scale = side / max(height, width)
    return [max(4, round(height * scale)), max(4, round(width * scale))], reason


def _shape(recipe: Recipe, found: Survey) -> tuple[int, ...]:
    """The shape of one image in training."""
    if not found.channels:
        return (int(found.sizes[0, 1]),)
    size = as_size(recipe.data.size) or tuple(int(side) for side in np.median(found.sizes, axis=0))
    return (*size, {"grey": 1, "rgb": 3, None: found.channels}[recipe.data.color])


def operations_of(recipe: Recipe, found: Survey) -> int:
    """Operations of one image, forward."""
    layers: Any = recipe.network.layers
    if recipe.network.architecture is not None:
        layers = as_layers(recipe.network.architecture, len(found.counts), "network.architecture")
    made = Network(layers, input_shape=_shape(recipe, found), loss=recipe.network.loss, seed=0)
    return sum(layer.operations(shape) for layer, shape in zip(made.layers, made.shapes, strict=False))


def seconds_of(epochs: int, images: int, operations: int) -> float:
    return epochs * (images * operations / SPEED + OVERHEAD)


def _budget(found: Survey) -> float:
    """Seconds on two cores: 5 minutes for 50,000 images, less for fewer; photographs are harder."""
    return min(500, found.train / 185 + 32 if found.ink else found.train / 240 + 100)


def decide_network(found: Survey, recipe: Recipe, decisions: list[Decision]) -> NetworkSection:
    loss = {"type": "SoftmaxCrossEntropy", "label_smoothing": 0.1}
    if not found.channels:
        decisions.append(Decision("network", "mlp 128-128", tr("without height and width there is nothing to convolve")))
        kind = {"type": "mlp", "units": [128, 128], "dropout": 0.3, "batch_norm": True}
        return NetworkSection(architecture=kind, loss=loss)
    depth, side = 1, min(_shape(recipe, found)[:2])
    while side // 2 >= 4 and depth < 5:
        depth, side = depth + 1, side // 2
    dropout = 0.2 if found.ink else 0.4
    for width in (32, 24, 16):
        blocks = [[min(width * 2**level, 192)] * (1 if level == 0 or found.train < FEW else 2) for level in range(depth)]
        kind = {"type": "vgg", "blocks": blocks, "dropout": dropout}
        network = NetworkSection(architecture=kind, loss=loss)
        operations = operations_of(recipe.model_copy(update={"network": network}), found)
        if found.train >= FEW and seconds_of(LEAST_EPOCHS, found.train, operations) <= _budget(found):
            break
    why = (
        mark("few images: one convolution before each pool, down to {side} pixels, and few filters")
        if found.train < FEW
        else mark("two convolutions before each pool, down to {side} pixels; as many filters as the time allows")
    )
    decisions.append(Decision("network", "vgg " + "-".join(str(block[0]) for block in blocks), tr(why, side=side)))
    why = mark("little, for drawings") if found.ink else mark("much, as a network learns the photographs by heart")
    decisions.append(Decision("dropout", str(dropout), tr(why)))
    return network


def decide_training(found: Survey, recipe: Recipe, given: object, decisions: list[Decision]) -> TrainingSection:
    batch = next((size for size, least in ((64, 2000), (32, 500), (16, 100)) if found.train >= least), 8)
    decisions.append(Decision("batch_size", str(batch), tr("{images:,} training images", images=found.train)))
    if isinstance(given, int) and given > 0:
        epochs = given
    else:
        most = max(100 if found.ink else 150, min(250, LEAST_STEPS // -(-found.train // batch)))
        budget = _budget(found)
        epochs = int(np.clip(budget / seconds_of(1, found.train, operations_of(recipe, found)), 3, most))
        why = tr("as many as fit into {seconds:.0f} s on two cores, at most {most}", seconds=budget, most=most)
        decisions.append(Decision("epochs", str(epochs), why))
    decisions.append(Decision("learning_rate", str(RATE), tr("the highest; it rises and falls once")))
    steps = epochs * -(-found.train // batch)
    average = round(float(np.clip(1 - 20 / steps, 0.9, 0.999)), 4)
    decisions.append(
        Decision("average", str(average), tr("of the weights, over about {steps} steps", steps=round(1 / (1 - average))))
    )
    balanced = max(found.counts.values()) > IMBALANCE * min(found.counts.values())
    if balanced:
        why = tr("the largest class has more than {times:g} times the images of the smallest", times=IMBALANCE)
        decisions.append(Decision("class_weight", "balanced", why))
    if found.block is not None:
        why = tr("the images stay on the disk, and are read in blocks of so many in random order")
        decisions.append(Decision("shuffle_block", str(found.block), why))
    augmentation = _augmentation(found, recipe, decisions) if found.channels else None
    return TrainingSection(
        epochs=epochs,
        batch_size=batch,
        optimizer={"type": "AdamW", "weight_decay": 0.05, "learning_rate": {"type": "OneCycle", "learning_rate": RATE}},
        average=average,
        class_weight="balanced" if balanced else None,
        augmentation=augmentation,
        plain_epochs=min(3, epochs // 6) if augmentation else 0,
        shuffle_block=found.block,
        show_every=max(1, epochs // 25),
    )


def _augmentation(found: Survey, recipe: Recipe, decisions: list[Decision]) -> dict[str, Any]:
    side = max(_shape(recipe, found)[:2])
    shift = max(1, round(0.07 * side))
    if found.ink:
        why = tr("small changes that leave a drawing what it is, larger ones for few images; no flips: they change letters")
        turn, scale = (25, 0.25) if found.train < FEW else (10, 0.15)
        changes: dict[str, Any] = {"shift": shift, "rotation": turn, "scale": scale, "shear": 8}
        changes["elastic"] = round(0.6 * side / 28, 2)
    else:
        shift = max(1, round(0.12 * side))
        why = tr("mirrored, moved, resized, lighter or darker photographs show the same thing")
        changes = {"flip": True, "shift": shift, "rotation": 12, "scale": 0.25, "stretch": 0.15, "shear": 5}
        changes |= {"brightness": 0.15, "contrast": 0.3}
        if found.train < FEW:
            changes["erase"] = 0.5
    changes["fill"] = "zero" if found.ink == 1 else "edge"
    decisions.append(Decision("augmentation", ", ".join(changes), why))
    return changes
