"""Findings about single images: unreadable, unlabelled, blank, inverted, unusual ranges, different sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range, minority
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.analysis.inspection.result import Part
from glassnet.data import Splits
from glassnet.data.polarity import polarity
from glassnet.support.i18n import mark, tr

_FEW_LEVELS, _LARGE_FLOAT, _OTHER_RANGE = 32, 16.0, 3.0


def left_out(splits: Splits) -> Iterator[Finding]:
    """Skipped files: unreadable, or without a label."""
    reasons = splits.reasons or (tr("left out"),) * len(splits.left_out)
    files = tuple(zip(splits.left_out, reasons, strict=True))
    unnamed = set(splits.unlabelled)
    unlabelled = tuple(pair for pair in files if pair[0] in unnamed)
    unreadable = tuple(pair for pair in files if pair[0] not in unnamed)
    if unreadable:
        yield Finding(
            "unreadable-images",
            tr("{files} can't be read as an image", files=counted(len(unreadable), "file")),
            tr("They are skipped in training. They are truncated, damaged, or not images."),
            (tr("download or copy the files again, or delete them"),),
            files=unreadable,
        )
    if unlabelled:
        yield Finding(
            "unlabelled-images",
            tr("{images} without a label", images=counted(len(unlabelled))),
            tr("Neither their folder nor their name gives a label, so they are skipped in training."),
            (tr("move them into the folder of their class"), tr("or pass a --pattern that finds the label in their names")),
            files=unlabelled,
        )


def blank_images(pool: Pool, indices: Indices) -> Iterator[Finding]:
    if len(indices):
        yield Finding(
            "blank-images",
            tr("{count} with nothing on them: {indices}", count=counted(len(indices)), indices=pool.count_by_part(indices)),
            tr("All their pixels have nearly the same value, so there is nothing to learn from them."),
            (tr("look at the files, and delete the blank ones"),),
            tuple((image,) for image in pool.references(indices)),
        )


def mixed_polarity(pool: Pool, indices: Indices) -> tuple[list[Finding], str]:
    """The finding, if any, and the result in words; `indices`: the images that are not blank."""
    signs = np.zeros(len(pool), np.int8)
    signs[indices] = polarity(pool.images[indices] if len(indices) < len(pool) else pool.images)
    found = minority(signs[indices])
    if found is None:
        return [], tr("not drawings on a plain background")
    majority, others = found
    usual, inverted = (tr("light on dark"), tr("dark on light"))[:: 1 if majority == 1 else -1]
    if not len(others):
        return [], tr("all {usual}", usual=usual)
    others = indices[others]
    text = mark("{images} are {inverted}, the others {usual}: {parts}")
    if len(others) == 1:
        text = mark("{images} is {inverted}, the others {usual}: {parts}")
    evidence = tr(text, images=counted(len(others)), inverted=inverted, usual=usual, parts=pool.count_by_part(others))
    mostly = [name for number, name in enumerate(pool.parts) if (signs[pool.part_of == number] == -majority).mean() > 0.5]
    if mostly:
        evidence += tr("; that is most of {parts}", parts=tr(" and of ").join(mostly))
    finding = Finding(
        "mixed-polarity",
        evidence,
        tr("To a network, an inverted image is a different input: it must learn both kinds, or it fails on the rarer one."),
        (tr("invert these images (255 − pixel), so that all have light ink or all have dark ink"),),
        tuple((image,) for image in pool.references(others)),
    )
    return [finding], tr("{usual}, except {count:,}", usual=usual, count=len(others))


def value_ranges(kind: np.dtype[Any], whole: Range, parts: Sequence[Part]) -> Iterator[Finding]:
    """Pixels of dtype `kind` that do not reach the network in 0…1, and splits with different ranges."""
    if kind == np.uint8 and 0 < whole.width < _FEW_LEVELS:
        yield Finding(
            "narrow-range",
            tr("the pixels use only {range} of 0…255", range=whole),
            tr("A network divides bytes by 255, which leaves hardly any contrast."),
            (tr("scale the pixels to 0…255"), tr("or begin the network with Standardize")),
        )
    if kind != np.uint8 and max(abs(whole.low), abs(whole.high)) > _LARGE_FLOAT:
        yield Finding(
            "unscaled-inputs",
            tr("the pixels are floats of {range}", range=whole),
            tr("Floats are not scaled. Values this large saturate the units of the first layer and make steps too large."),
            (tr("store images as bytes (uint8), which networks scale"), tr("or begin the network with Scale or Standardize")),
        )
    for part in parts[1:]:
        widths = part.pixels.width, parts[0].pixels.width
        if max(widths) > _OTHER_RANGE * min(widths):
            text = mark("{part} has pixels of {range}, {first} of {first_range}")
            yield Finding(
                "ranges-differ",
                tr(text, part=part.name, range=part.pixels, first=parts[0].name, first_range=parts[0].pixels),
                tr("The splits were preprocessed differently, so what is learnt on one does not apply to the other."),
                (tr("preprocess all splits in the same way"),),
            )


def mixed_sizes(sizes: str, used: int) -> Finding:
    text = mark("the images have different sizes: {sizes}; for this check they were resized to {used} × {used}")
    return Finding(
        "mixed-sizes",
        tr(text, sizes=sizes, used=used),
        tr("A network takes images of one size, so a size must be chosen for training."),
        (
            tr("pass --size, or set size = {used} under [data] in the recipe", used=used),
            tr('--fit pad (fit = "pad") neither stretches nor crops'),
        ),
    )
