"""Where the data to inspect comes from: a data set, a recipe's data, or what is at hand."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

from glassnet.analysis.inspection.findings import Finding
from glassnet.analysis.inspection.images import mixed_sizes
from glassnet.data import Dataset, Splits, list_datasets, load_dataset
from glassnet.errors import DataWarning, InputError, MixedSizesError
from glassnet.experiment.recipe import list_recipes, load_recipe
from glassnet.support.i18n import tr

SIZE = 64
"""What images of different sizes are brought to, whole on black, to be looked at."""


def as_splits(data: str | os.PathLike[str] | Splits | Dataset, options: dict[str, Any]) -> tuple[Splits, str, Finding | None]:
    """The data in its splits, what to call it, and the finding that its images have different sizes."""
    if isinstance(data, (Splits, Dataset)):
        if options:
            raise InputError(
                tr("Data at hand is looked at as it is."),
                where="inspect(data)",
                expected=tr("no options of reading"),
                received=", ".join(options),
                hint=tr("give the options to load_dataset"),
            )
        return (data if isinstance(data, Splits) else Splits(data)), tr("the data"), None
    place: str | os.PathLike[str] = data
    if _is_recipe(data):
        section = load_recipe(data if isinstance(data, str) else Path(data)).data.model_dump(exclude_none=True)
        place, named = section.pop("path", None), section.pop("dataset")
        place = place or named
        options = {"seed": section.pop("split_seed"), **section, **options}
    source = os.fspath(place) if isinstance(place, (str, os.PathLike)) else repr(place)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the findings say it
        try:
            return load_dataset(place, **options), source, None
        except MixedSizesError as error:
            options = {"fit": "pad", **options, "size": SIZE}
            splits = load_dataset(place, **options)
            return splits, source, mixed_sizes(str(error.received), SIZE)


def _is_recipe(data: str | os.PathLike[str]) -> bool:
    """Whether this names a recipe and no data set, or is a TOML file."""
    if not isinstance(data, (str, os.PathLike)) or data in {info.name for info in list_datasets()}:
        return False
    text = os.fspath(data)
    return Path(text).suffix.lower() == ".toml" or any(recipe.name == text for recipe in list_recipes())
