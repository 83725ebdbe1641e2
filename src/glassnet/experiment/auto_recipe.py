"""A recipe for images of one's own: every decision follows from the data by a rule that is written here.

The constants were chosen on validation accuracy: `python -m benchmarks.own_folder`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from glassnet.data.options import as_size
from glassnet.data.readers.drawn import COPIES
from glassnet.data.survey import Survey, survey, survey_drawn
from glassnet.errors import DataError, RecipeError
from glassnet.experiment.recipe import DataSection, NetworkSection, Recipe, TrainingSection, list_recipes, load_recipe
from glassnet.network import Network
from glassnet.nn.architectures import as_layers
from glassnet.support.i18n import Message, listing, mark, same, tr
from glassnet.support.paths import as_path, exists
from glassnet.support.registry import did_you_mean, nearest

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


@dataclass(frozen=True)
class AutoRecipe:
    """The recipe for a data set, the decisions that made it, and what is known of the data."""

    recipe: Recipe
    decisions: tuple[Decision, ...]
    data: Survey

    @property
    def seconds(self) -> float:
        """About how long the training takes on two cores."""
        return _seconds(self.recipe.training.epochs, self.data.train, _operations(self.recipe, self.data))


def is_own_data(recipe: object) -> bool:
    """Whether this is neither a recipe nor a TOML file, but the path of something that exists."""
    if not isinstance(recipe, (str, os.PathLike)):
        return False
    text = os.fspath(recipe)
    shipped = isinstance(recipe, str) and text in {known.name for known in list_recipes()}
    path = as_path(recipe)
    return not shipped and bool(text) and exists(path) and not (path.suffix.lower() == ".toml" and path.is_file())


def as_recipe(recipe: str | os.PathLike[str] | Recipe, settings: dict[str, Any] | None = None) -> Recipe:
    """A Recipe as it is; a shipped one by name; that in a TOML file; or one made for a folder or file of data.

    `settings`: keys that will replace those of the recipe: the decisions for own data take them into account.
    """
    if isinstance(recipe, Recipe):
        return recipe
    if is_own_data(recipe):
        return auto_recipe(recipe, settings).recipe
    place = as_path(recipe)
    of_data = place.suffix.lower() in (".zip", ".npz", ".mat", ".h5") or len(place.parts) > 1
    if of_data and place.suffix.lower() != ".toml" and not exists(place):
        raise DataError(
            tr("There is no such file or folder."),
            where=place,
            expected=tr("a folder, zip or file of images, a recipe's name, or a TOML file"),
            hint=tr("glassnet recipes lists the shipped ones"),
        )
    names = [known.name for known in list_recipes()]
    if str(recipe) not in names and place.suffix.lower() != ".toml" and not exists(place):
        raise _no_such(os.fspath(recipe), names)
    return load_recipe(place if isinstance(recipe, os.PathLike) else recipe)


def _no_such(text: str, recipes: list[str]) -> RecipeError:
    """The error for what is neither a recipe nor a path, with the nearest name of each."""
    here = []
    with contextlib.suppress(OSError):
        here = [entry.name for entry in os.scandir() if not entry.name.startswith(".")]
    close = list(dict.fromkeys(filter(None, (nearest(text, recipes), nearest(text, here)))))
    hint = did_you_mean(close[0] if close else None)
    if len(close) > 1:
        hint = tr(
            "did you mean the recipe {recipe} or the file or folder {path}?", recipe=repr(close[0]), path=repr(close[1])
        )
    return RecipeError(
        tr("There is no such recipe, file or folder."),
        expected=tr("a path, or a recipe: {names}", names=" | ".join(sorted(recipes))),
        received=repr(text),
        hint=hint,
    )


def auto_recipe(path: str | os.PathLike[str] | None, settings: dict[str, Any] | None = None) -> AutoRecipe:
    """The recipe for the images in a folder, a zip, a .npz, …, with the reason of each decision.

    `settings` as in `train`; those of the data (size, color, fit, pattern, split, …) are kept, and the rest fits them.
    Without a path they say what is drawn from fonts. Raises `DataError` and `InputError` as reading the data does.
    """
    keys = {key: value for key, value in (settings or {}).items() if key.removeprefix("data.") in DataSection.model_fields}
    data, name = DataSection(characters="digits", size=SMALL_INK), "characters"
    if path is not None:
        place = as_path(path).absolute()
        data, name = DataSection(path=str(place)), place.stem if place.is_file() else place.name or "data"
    network, training = NetworkSection(architecture="vgg"), TrainingSection(epochs=1)
    start = Recipe(name=name, data=data, network=network, training=training).changed(keys)
    given = start.data
    if given.is_drawn:
        found = survey_drawn(given.drawn_options, given.copies or COPIES)
    else:
        found = survey(as_path(str(given.path)), **given.model_dump(include={"pattern", "split", "fractions"}))
    decisions = [_decide_kind(found)]
    data = _decide_data(found, given, decisions)
    start = start.model_copy(update={"data": data})
    start = start.model_copy(update={"network": _decide_network(found, start, decisions)})
    epochs = next((value for key, value in (settings or {}).items() if key.removeprefix("training.") == "epochs"), None)
    training = _decide_training(found, start, epochs, decisions)
    title = same(data.source) if data.is_drawn else tr("Your images: {name}", name=start.name)
    about = _about(found)
    texts = {"title": title.en, "title_zh": title.zh, "about": about.en, "about_zh": about.zh}
    return AutoRecipe(start.model_copy(update={"training": training, **texts}), tuple(decisions), found)


def _about(found: Survey) -> Message:
    names = list(found.counts)
    shown = listing(names if len(names) <= 10 else [*names[:9], "…"])
    text = mark("{images:,} images of {classes} classes ({names}): {kind}.")
    return tr(text, images=found.images, classes=len(names), names=shown, kind=_kind(found))


def _kind(found: Survey) -> Message:
    if not found.channels:
        return tr("rows of numbers")
    colour = tr("in colour") if found.colour else tr("grey")
    kinds = {0: mark("photographs"), 1: mark("light ink on a dark ground"), -1: mark("dark ink on a light ground")}
    return tr("{kind}, {colour}", kind=tr(kinds[found.ink]), colour=colour)


def _decide_kind(found: Survey) -> Decision:
    reasons = {
        0: mark("the border of most images is not of one brightness: they are treated as photographs"),
        1: mark("the border of most images is plain and dark: they are treated as drawings or writing"),
        -1: mark("the border of most images is plain and light: they are treated as drawings or writing"),
    }
    reason = tr(reasons[found.ink]) if found.channels else tr("the data has no height and width")
    return Decision(tr("kind"), _kind(found), reason)


def _decide_data(found: Survey, given: DataSection, decisions: list[Decision]) -> DataSection:
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


def _operations(recipe: Recipe, found: Survey) -> int:
    """Operations of one image, forward."""
    layers: Any = recipe.network.layers
    if recipe.network.architecture is not None:
        layers = as_layers(recipe.network.architecture, len(found.counts), "network.architecture")
    made = Network(layers, input_shape=_shape(recipe, found), loss=recipe.network.loss, seed=0)
    return sum(layer.operations(shape) for layer, shape in zip(made.layers, made.shapes, strict=False))


def _seconds(epochs: int, images: int, operations: int) -> float:
    return epochs * (images * operations / SPEED + OVERHEAD)


def _budget(found: Survey) -> float:
    """Seconds on two cores: 5 minutes for 50,000 images, less for fewer; photographs are harder."""
    return min(500, found.train / 185 + 32 if found.ink else found.train / 240 + 100)


def _decide_network(found: Survey, recipe: Recipe, decisions: list[Decision]) -> NetworkSection:
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
        operations = _operations(recipe.model_copy(update={"network": network}), found)
        if found.train >= FEW and _seconds(LEAST_EPOCHS, found.train, operations) <= _budget(found):
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


def _decide_training(found: Survey, recipe: Recipe, given: object, decisions: list[Decision]) -> TrainingSection:
    batch = next((size for size, least in ((64, 2000), (32, 500), (16, 100)) if found.train >= least), 8)
    decisions.append(Decision("batch_size", str(batch), tr("{images:,} training images", images=found.train)))
    if isinstance(given, int) and given > 0:
        epochs = given
    else:
        most = max(100 if found.ink else 150, min(250, LEAST_STEPS // -(-found.train // batch)))
        budget = _budget(found)
        epochs = int(np.clip(budget / _seconds(1, found.train, _operations(recipe, found)), 3, most))
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
    augmentation = _augmentation(found, recipe, decisions) if found.channels else None
    return TrainingSection(
        epochs=epochs,
        batch_size=batch,
        optimizer={"type": "AdamW", "weight_decay": 0.05, "learning_rate": {"type": "OneCycle", "learning_rate": RATE}},
        average=average,
        class_weight="balanced" if balanced else None,
        augmentation=augmentation,
        plain_epochs=min(3, epochs // 6) if augmentation else 0,
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
