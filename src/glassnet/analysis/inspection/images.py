"""Findings about single images: unreadable, unlabelled, blank, inverted, unusual ranges, different sizes."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range, minority, polarity
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.data import Splits

_FEW_LEVELS, _LARGE_FLOAT, _OTHER_RANGE = 32, 16.0, 3.0


def left_out(splits: Splits) -> list[Finding]:
    """Skipped files: unreadable, or without a label."""
    reasons = splits.reasons or ("left out",) * len(splits.left_out)
    files = list(zip(splits.left_out, reasons, strict=True))
    unnamed = set(splits.unlabelled)
    unlabelled = tuple(pair for pair in files if pair[0] in unnamed)
    unreadable = tuple(pair for pair in files if pair[0] not in unnamed)
    found = []
    if unreadable:
        found.append(
            Finding(
                "unreadable-images",
                f"{counted(len(unreadable), 'file')} can't be read as an image",
                "They are skipped in training. They are truncated, damaged, or not images.",
                ("download or copy the files again, or delete them",),
                files=unreadable,
            )
        )
    if unlabelled:
        found.append(
            Finding(
                "unlabelled-images",
                f"{counted(len(unlabelled))} without a label",
                "Neither their folder nor their name gives a label, so they are skipped in training.",
                ("move them into the folder of their class", "or pass a --pattern that finds the label in their names"),
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
            f"{counted(len(indices), 'blank image')}: {pool.count_by_part(indices)}",
            "All their pixels have nearly the same value, so there is nothing to learn from them.",
            ("look at the files, and delete the blank ones",),
            tuple((image,) for image in pool.references(indices)),
        )
    ]


def mixed_polarity(pool: Pool, indices: Indices) -> tuple[list[Finding], str]:
    """The finding, if any, and the result in words; `indices`: the images that are not blank."""
    signs = np.zeros(len(pool), np.int8)
    signs[indices] = polarity(pool.images[indices] if len(indices) < len(pool) else pool.images)
    found = minority(signs[indices])
    if found is None:
        return [], "not drawings on a plain background"
    majority, others = found
    usual, inverted = ("light on dark", "dark on light")[:: 1 if majority == 1 else -1]
    if not len(others):
        return [], f"all {usual}"
    others = indices[others]
    mostly = [name for number, name in enumerate(pool.parts) if (signs[pool.part_of == number] == -majority).mean() > 0.5]
    part = f"; that is most of {' and of '.join(mostly)}" if mostly else ""
    finding = Finding(
        "mixed-polarity",
        f"{counted(len(others))} {'is' if len(others) == 1 else 'are'} {inverted}, the others {usual}: "
        f"{pool.count_by_part(others)}{part}",
        "An inverted image is entirely different input: the network must learn both kinds, or fails on the rarer one.",
        ("invert these images (255 − pixel), so that all have light ink or all have dark ink",),
        tuple((image,) for image in pool.references(others)),
    )
    return [finding], f"{usual}, except {len(others):,}"


def value_ranges(pool: Pool, ranges: dict[str, Range]) -> list[Finding]:
    """Pixels that do not reach the network in 0…1, and splits with different ranges."""
    found = []
    kind = pool.images.dtype
    low, high = min(part.low for part in ranges.values()), max(part.high for part in ranges.values())
    if kind == np.uint8 and 0 < high - low < _FEW_LEVELS:
        found.append(
            Finding(
                "narrow-range",
                f"the pixels use only {low:g}…{high:g} of 0…255",
                "A network divides bytes by 255, which leaves hardly any contrast between ink and paper.",
                ("scale the pixels to 0…255", "or begin the network with Standardize"),
            )
        )
    if kind != np.uint8 and max(abs(low), abs(high)) > _LARGE_FLOAT:
        found.append(
            Finding(
                "unscaled-inputs",
                f"the numbers are floats from {low:g} to {high:g}",
                "Floats are not scaled. Values this large saturate the units of the first layer and make steps too large.",
                ("store images as bytes (uint8), which networks scale", "or begin the network with Scale or Standardize"),
            )
        )
    first, *others = ranges.items()
    for name, part in others:
        widths = part.high - part.low, first[1].high - first[1].low
        if max(widths) > _OTHER_RANGE * min(widths):
            found.append(
                Finding(
                    "ranges-differ",
                    f"{name} has pixels of {part.low:g}…{part.high:g}, {first[0]} of {first[1].low:g}…{first[1].high:g}",
                    "The splits were preprocessed differently, so what is learnt on one does not apply to the other.",
                    ("preprocess all splits in the same way",),
                )
            )
    return found


def mixed_sizes(sizes: str, used: int) -> Finding:
    return Finding(
        "mixed-sizes",
        f"the images have different sizes: {sizes}; for this check they were resized to {used} × {used}",
        "A network takes images of one size, so a size must be chosen for training.",
        (
            f"pass --size, or set size = {used} under [data] in the recipe",
            '--fit pad (fit = "pad") neither stretches nor crops',
        ),
    )
