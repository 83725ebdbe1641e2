"""`inspect`: load data and check it before training on it."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection import images, parts
from glassnet.analysis.inspection.cross_validation import FOLDS, epochs_of
from glassnet.analysis.inspection.duplicates import exact_groups, near_groups
from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.label_scores import (
    check_checkable,
    check_cleanlab,
    check_scores,
    score_labels,
)
from glassnet.analysis.inspection.labels import check_labels
from glassnet.analysis.inspection.neighbours import find_neighbours
from glassnet.analysis.inspection.pixels import blank, value_range
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.analysis.inspection.result import Check, Inspection, Part
from glassnet.data import Dataset, Splits, list_datasets, load_dataset
from glassnet.errors import DataWarning, InputError, MixedSizesError
from glassnet.experiment.recipe import list_recipes, load_recipe
from glassnet.support.i18n import mark, tr
from glassnet.training.display import steps_display

Data: TypeAlias = str | os.PathLike[str] | Splits | Dataset
SIZE = 64
"""Images of different sizes are stretched to this: borders would look like ink, backgrounds and copies that are not there."""

_MOST_SEVERE_FIRST = (
    mark("unreadable-images"),
    mark("unlabelled-images"),
    mark("missing-classes"),
    mark("contradicting-duplicates"),
    mark("duplicates-across-splits"),
    mark("near-duplicates-across-splits"),
    mark("groups-across-splits"),
    mark("mixed-polarity"),
    mark("ranges-differ"),
    mark("unscaled-inputs"),
    mark("narrow-range"),
    mark("mixed-sizes"),
    mark("blank-images"),
    mark("contradicting-near-duplicates"),
    mark("likely-wrong-labels"),
    mark("doubtful-labels"),
    mark("uneven-splits"),
    mark("class-imbalance"),
    mark("duplicates"),
    mark("near-duplicates"),
)


def inspect(
    data: Data,
    *,
    quick: bool = False,
    labels: bool = False,
    labels_seed: int = 0,
    progress: bool | None = None,
    **options: Any,
) -> Inspection:
    """Find unreadable, blank, duplicate, leaked and inverted images, class imbalance and doubtful labels.

    `data` is the name or path of a data set, as for `load_dataset`; the name or path of a recipe, for its data; or `Splits`
    or a `Dataset`. `options` are those of `load_dataset` and override those of a recipe. Images of different sizes are
    resized to 64 × 64 unless a size is given. Of more than 100,000 images, the pixels of a random 20,000 are looked at;
    classes and groups are counted in all. `quick` leaves out what compares images with their neighbours: near duplicates
    and doubtful labels. `labels` adds a second opinion on labels: a quick network is trained on four of five folds and judges
    the fifth, five times, and cleanlab (extra `labels`) says which labels are likely wrong; about 20 s for 10,000 images of
    28 × 28 on two cores. `label_scores` of the result then has all of them by doubt. `labels_seed`: of folds and networks.
    `progress` as in `Network.fit`. Raises `DataError`, `InputError` and `RecipeError` as the readers do, and with `labels`
    `InputError` for targets, a single class, a class of fewer than 5 images, and if cleanlab is missing.
    """
    if labels:
        check_cleanlab()
    splits, source, sizes = _as_splits(data, options)
    pool = Pool.of(splits)
    if labels:
        check_checkable(pool)
    facts = tuple(
        Part(
            name,
            len(part),
            part.counts if part.classes is not None else None,
            None if part.groups is None else len(np.unique(part.groups)),
            value_range(pool.images[pool.part_of == number]),
        )
        for number, (name, part) in enumerate(pool.parts.items())
    )
    whole = value_range(pool.images)
    findings = [
        *([sizes] if sizes else []),
        *images.left_out(splits),
        *images.value_ranges(pool.images.dtype, whole, facts),
        *parts.class_balance(pool),
        *parts.shared_groups(pool),
    ]
    grouped = any(part.groups is not None for part in facts)
    checks = [
        Check(
            ("unreadable-images", "unlabelled-images"),
            tr("every file is decoded; Splits.left_out lists unreadable files and files without a label"),
            tr("{files} left out", files=counted(len(splits.left_out), "file")),
        ),
        Check(
            ("narrow-range", "unscaled-inputs", "ranges-differ"),
            tr("minimum and maximum of the pixels in each split"),
            tr("{range} over all splits", range=whole),
        ),
        Check(
            ("missing-classes", "class-imbalance", "uneven-splits"),
            tr("counts of each class in each split; a ratio above 3, fewer than 10, proportions that differ by 10 % or more"),
            tr("counted") if pool.labels is not None else tr("there are no classes"),
        ),
        Check(
            ("groups-across-splits",),
            tr("groups, such as writers, with images in two splits"),
            tr("checked") if grouped else tr("the data has no groups"),
        ),
    ]
    copies, doubted = _check_images(pool, whole.width, findings, checks, quick=quick)
    scores = None
    if labels:
        with steps_display(tr("Judging labels"), FOLDS * epochs_of(len(pool)), progress) as advance:
            scores, by = score_labels(pool, copies=copies, neighbours=doubted, seed=labels_seed, advance=advance)
        likely, check = check_scores(scores, by)
        findings += likely
        checks.append(check)
    findings.sort(key=lambda finding: _MOST_SEVERE_FIRST.index(finding.name))
    return Inspection(source, splits, tuple(findings), facts, tuple(checks), scores, len(pool))


def _check_images(
    pool: Pool, pixel_range: float, findings: list[Finding], checks: list[Check], *, quick: bool
) -> tuple[list[Indices], npt.NDArray[np.bool_] | None]:
    """The groups of identical images, and which labels the neighbours contradict, `(N,)`; None if they were not asked."""
    is_blank = blank(pool.images, pixel_range) if pool.are_images else np.zeros(len(pool), np.bool_)
    indices = np.flatnonzero(~is_blank)
    findings += images.blank_images(pool, np.flatnonzero(is_blank))
    copies = exact_groups(pool.images, indices)
    findings += parts.copies(pool, copies, near=False)
    exact = ("duplicates", "duplicates-across-splits", "contradicting-duplicates")
    checks += [
        Check(("blank-images",), tr("pixels that differ by at most 2 % of the range of all pixels"), f"{is_blank.sum():,}"),
        Check(exact, tr("images with identical pixels, except blank ones"), counted(len(copies), "group")),
    ]
    names = ("near-duplicates", "near-duplicates-across-splits", "contradicting-near-duplicates")
    if not pool.are_images:
        checks.append(Check((*names, "mixed-polarity", "doubtful-labels"), "", tr("not checked: the data are not images")))
        return copies, None
    inverted, result = images.mixed_polarity(pool, indices)
    findings += inverted
    method = tr("drawings whose background, the median of their border, is light while that of the others is dark")
    checks.append(Check(("mixed-polarity",), method, result))
    if quick:
        return copies, None
    unique = np.setdiff1d(indices, np.concatenate([group[1:] for group in copies])) if copies else indices
    if len(unique) < 3:
        checks.append(Check((*names, "doubtful-labels"), "", tr("not checked: too few images")))
        return copies, None
    neighbours = find_neighbours(pool.images, unique)
    copies_of = {int(copy[0]): copy for copy in copies}
    near = [
        np.sort(np.concatenate([copies_of.get(int(index), np.array([index])) for index in group]))
        for group in near_groups(pool.images, neighbours)
    ]
    findings += parts.copies(pool, near, near=True)
    checks.append(
        Check(
            names,
            tr(
                "nearest neighbours by edge directions, compared pixel by pixel; a pair counts if it is much closer than "
                "other similar images; cropped, rotated, mirrored and most shifted copies are missed"
            ),
            counted(len(near), "group"),
        )
    )
    doubtful, check, doubts = check_labels(pool, neighbours)
    findings += doubtful
    checks.append(check)
    if doubts is None or doubts.indices is None:
        return copies, None
    return copies, np.isin(np.arange(len(pool)), doubts.indices)


def _as_splits(data: Data, options: dict[str, Any]) -> tuple[Splits, str, Finding | None]:
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
            options = {**options, "size": SIZE}
            splits = load_dataset(path, **options)
            return splits, source, images.mixed_sizes(str(error.received), SIZE)


def _is_recipe(data: str | os.PathLike[str]) -> bool:
    """Whether this is a TOML file, or the name of a recipe that is not also a data set."""
    if not isinstance(data, (str, os.PathLike)) or data in {info.name for info in list_datasets()}:
        return False
    text = os.fspath(data)
    return Path(text).suffix.lower() == ".toml" or any(recipe.name == text for recipe in list_recipes())
