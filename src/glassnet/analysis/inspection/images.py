"""Findings about single images: unreadable, unlabelled, blank, inverted, unusual ranges, different sizes."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range, minority, polarity
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.data import Splits
from glassnet.support.i18n import tr

_FEW_LEVELS, _LARGE_FLOAT, _OTHER_RANGE = 32, 16.0, 3.0


def left_out(splits: Splits) -> list[Finding]:
    """Skipped files: unreadable, or without a label."""
    reasons = splits.reasons or (tr("left out"),) * len(splits.left_out)
    files = list(zip(splits.left_out, reasons, strict=True))
    unnamed = set(splits.unlabelled)
    unlabelled = tuple(pair for pair in files if pair[0] in unnamed)
    unreadable = tuple(pair for pair in files if pair[0] not in unnamed)
    found = []
    if unreadable:
        found.append(
            Finding(
                "unreadable-images",
                tr("{files} can't be read as an image", files=counted(len(unreadable), "file")),
                tr("They are skipped in training. They are truncated, damaged, or not images."),
                (tr("download or copy the files again, or delete them"),),
                files=unreadable,
            )
        )
    if unlabelled:
        found.append(
            Finding(
                "unlabelled-images",
                tr("{images} without a label", images=counted(len(unlabelled))),
                tr("Neither their folder nor their name gives a label, so they are skipped in training."),
                (
                    tr("move them into the folder of their class"),
                    tr("or pass a --pattern that finds the label in their names"),
                ),
                files=unlabelled,
            )
        )
    return found


def blank_images(pool: Pool, indices: Indices) -> list[Finding]:
    if not len(indices):
        return []
    return [
        Finding(
            "blank-images",
            tr("{count} with nothing on them: {indices}", count=counted(len(indices)), indices=pool.count_by_part(indices)),
            tr("All their pixels have nearly the same value, so there is nothing to learn from them."),
            (tr("look at the files, and delete the blank ones"),),
            tuple((image,) for image in pool.references(indices)),
        )
    ]


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
    mostly = [name for number, name in enumerate(pool.parts) if (signs[pool.part_of == number] == -majority).mean() > 0.5]
    told = {"images": counted(len(others)), "inverted": inverted, "usual": usual, "parts": pool.count_by_part(others)}
    if len(others) == 1:
        evidence = tr("{images} is {inverted}, the others {usual}: {parts}", **told)
    else:
        evidence = tr("{images} are {inverted}, the others {usual}: {parts}", **told)
    if mostly:
        evidence += tr("; that is most of {parts}", parts=tr(" and of ").join(mostly))
    finding = Finding(
        "mixed-polarity",
        evidence,
        tr("An inverted image is entirely different input: the network must learn both kinds, or fails on the rarer one."),
        (tr("invert these images (255 − pixel), so that all have light ink or all have dark ink"),),
        tuple((image,) for image in pool.references(others)),
    )
    return [finding], tr("{usual}, except {count:,}", usual=usual, count=len(others))


def value_ranges(pool: Pool, ranges: dict[str, Range]) -> list[Finding]:
    """Pixels that do not reach the network in 0…1, and splits with different ranges."""
    found = []
    kind = pool.images.dtype
    low, high = min(part.low for part in ranges.values()), max(part.high for part in ranges.values())
    if kind == np.uint8 and 0 < high - low < _FEW_LEVELS:
        found.append(
            Finding(
                "narrow-range",
                tr("the pixels use only {low:g}…{high:g} of 0…255", low=low, high=high),
                tr("A network divides bytes by 255, which leaves hardly any contrast between ink and paper."),
                (tr("scale the pixels to 0…255"), tr("or begin the network with Standardize")),
            )
        )
    if kind != np.uint8 and max(abs(low), abs(high)) > _LARGE_FLOAT:
        found.append(
            Finding(
                "unscaled-inputs",
                tr("the numbers are floats from {low:g} to {high:g}", low=low, high=high),
                tr(
                    "Floats are not scaled. Values this large saturate the units of the first layer and make steps too large."
                ),
                (
                    tr("store images as bytes (uint8), which networks scale"),
                    tr("or begin the network with Scale or Standardize"),
                ),
            )
        )
    first, *others = ranges.items()
    for name, part in others:
        widths = part.high - part.low, first[1].high - first[1].low
        if max(widths) > _OTHER_RANGE * min(widths):
            found.append(
                Finding(
                    "ranges-differ",
                    tr(
                        "{part} has pixels of {low:g}…{high:g}, {first} of {first_low:g}…{first_high:g}",
                        part=name,
                        low=part.low,
                        high=part.high,
                        first=first[0],
                        first_low=first[1].low,
                        first_high=first[1].high,
                    ),
                    tr("The splits were preprocessed differently, so what is learnt on one does not apply to the other."),
                    (tr("preprocess all splits in the same way"),),
                )
            )
    return found


def mixed_sizes(sizes: str, used: int) -> Finding:
    return Finding(
        "mixed-sizes",
        tr(
            "the images have different sizes: {sizes}; for this check they were resized to {used} × {used}",
            sizes=sizes,
            used=used,
        ),
        tr("A network takes images of one size, so a size must be chosen for training."),
        (
            tr("pass --size, or set size = {used} under [data] in the recipe", used=used),
            tr('--fit pad (fit = "pad") neither stretches nor crops'),
        ),
    )
