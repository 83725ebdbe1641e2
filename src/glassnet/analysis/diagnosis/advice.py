"""Which advice is already in force: what the network, its optimizer and the recipe do is not suggested again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from glassnet.analysis.diagnosis import phrases
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.experiment.recipe import Recipe
from glassnet.nn import BatchNorm, Dropout, LayerNorm, Pixels, Scale, Standardize, walk
from glassnet.nn.optimizers import ScipyMinimize
from glassnet.support.i18n import Message

DONE = {  # advice, and what makes it superfluous
    phrases.USE_PIXELS: "Pixels",
    phrases.STANDARDIZE: "Standardize",
    phrases.CHECK_SCALE: "scaled",
    phrases.BATCH_NORM: "normalization",
    phrases.DROPOUT: "Dropout",
    phrases.DECAY: "decay",
    phrases.CLIP: "clipping",
    phrases.WARM_UP: "warm-up",
    phrases.AUGMENT: "augmentation",
    phrases.KEEP_BEST: "best",
    phrases.STOP_EARLY: "patience",
    phrases.BALANCE: "balanced",
    phrases.STRATIFY: "stratified",
}
NEEDED = {phrases.LESS_DECAY: "decay", phrases.LESS_DROPOUT: "Dropout"}  # advice that needs something to reduce


def without_what_is_done(finding: Finding, facts: Facts) -> Finding:
    """The finding without suggestions that are already in force, unless none would be left."""
    done = facts.in_force | frozenset(_of_network(facts))

    def helps(step: str) -> bool:
        text = step.msgid if isinstance(step, Message) else step
        return DONE.get(text) not in done and (text not in NEEDED or NEEDED[text] in done)

    kept = tuple(step for step in finding.try_next if helps(step))
    return replace(finding, try_next=kept) if kept else finding


def _of_network(facts: Facts) -> Iterator[str]:
    for layer in walk(facts.network.layers):
        if isinstance(layer, (Pixels, Scale, Standardize)):
            yield from (type(layer).__name__, "scaled")
        if isinstance(layer, (BatchNorm, LayerNorm)):
            yield "normalization"
        if isinstance(layer, Dropout) and layer.rate > 0:
            yield "Dropout"
    if any(facts.network.regularizer.rates):
        yield "decay"


def of_recipe(recipe: Recipe) -> frozenset[str]:
    """What a recipe has its training do."""
    training, optimizer = recipe.training, recipe.make_optimizer()
    found = {
        "augmentation": training.augmentation is not None or training.expand_shifts > 0,
        "best": training.keep == "best",
        "patience": training.patience is not None,
        "balanced": training.class_weight is not None,
        "stratified": recipe.data.split == "stratified",
    }
    if not isinstance(optimizer, ScipyMinimize):
        found["clipping"] = getattr(optimizer, "clip_norm", None) is not None
        found["decay"] = getattr(optimizer, "weight_decay", 0) > 0
        found["warm-up"] = type(optimizer.schedule).__name__ in ("WarmUp", "OneCycle")
    return frozenset(name for name, holds in found.items() if holds)
