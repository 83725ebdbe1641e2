"""What a recipe gives to `Network.fit`: for runs, the trials of a search, and trainings on a share of the images."""

from __future__ import annotations

from typing import Any

from glassnet.data import Splits, expand_by_shifts
from glassnet.experiment.recipe import Recipe
from glassnet.experiment.soft_targets import soft_targets
from glassnet.network import Network
from glassnet.support.i18n import tr
from glassnet.training import Callback, EarlyStopping
from glassnet.training.display import waiting


def fit_options(recipe: Recipe, splits: Splits, network: Network, progress: bool | None = False) -> dict[str, Any]:
    """The arguments of `Network.fit` that a recipe gives; the teachers of a distillation are asked here."""
    training = recipe.training
    shifts = training.expand_shifts
    options: dict[str, Any] = {
        "train": expand_by_shifts(splits.train, shifts) if shifts else splits.train,
        "epochs": training.epochs,
        "batch_size": training.batch_size,
        "optimizer": recipe.make_optimizer(),
        "validation": splits.validation,
        "seed": training.seed,
        "class_weight": training.class_weight,
        "augmentation": recipe.make_augmentation(),
        "plain_epochs": training.plain_epochs,
        "shuffle_block": training.shuffle_block,
        "keep": training.keep,
        "average": training.average,
        "precision": training.precision,
    }
    if recipe.distillation is not None:
        with waiting(tr("The teachers classify the training images …"), progress):
            options["soft_targets"] = soft_targets(recipe.distillation, network, options["train"])
    return options


def early_stopping(recipe: Recipe) -> list[Callback]:
    """The callback for the recipe's patience, if it has one."""
    return [] if recipe.training.patience is None else [EarlyStopping(recipe.training.patience)]
