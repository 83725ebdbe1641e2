"""Load the data to inspect: a data set, the data of a recipe, or data in memory."""

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
"""Images of different sizes are resized to this, with black borders."""


def as_splits(data: str | os.PathLike[str] | Splits | Dataset, options: dict[str, Any]) -> tuple[Splits, str, Finding | None]:
    """The splits, the name of the data, and a finding if its images have different sizes."""
    if isinstance(data, (Splits, Dataset)):
        if options:
            raise InputError(
                tr("Data in memory takes no options."),
                where="inspect(data)",
                expected=tr("no options"),
                received=", ".join(options),
                hint=tr("pass the options to load_dataset"),
            )
        return (data if isinstance(data, Splits) else Splits(data)), tr("the data"), None
    path: str | os.PathLike[str] = data
    if _is_recipe(data):
        section = load_recipe(data if isinstance(data, str) else Path(data)).data.model_dump(exclude_none=True)
        path, name = section.pop("path", None), section.pop("dataset")
        path = path or name
        options = {"seed": section.pop("split_seed"), **section, **options}
    source = os.fspath(path) if isinstance(path, (str, os.PathLike)) else repr(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # reported as findings
        try:
            return load_dataset(path, **options), source, None
        except MixedSizesError as error:
            options = {"fit": "pad", **options, "size": SIZE}
            splits = load_dataset(path, **options)
            return splits, source, mixed_sizes(str(error.received), SIZE)


def _is_recipe(data: str | os.PathLike[str]) -> bool:
    """Whether this is a TOML file, or the name of a recipe that is not also a data set."""
    if not isinstance(data, (str, os.PathLike)) or data in {info.name for info in list_datasets()}:
        return False
    text = os.fspath(data)
    return Path(text).suffix.lower() == ".toml" or any(recipe.name == text for recipe in list_recipes())
