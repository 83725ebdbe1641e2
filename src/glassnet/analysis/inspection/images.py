"""Findings about single images: not readable, not labelled, blank, inverted, of an odd range, of many sizes."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range, minority, polarity
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.data import Splits

_FEW_LEVELS, _LARGE_FLOAT, _OTHER_RANGE = 32, 16.0, 3.0


def left_out(splits: Splits) -> list[Finding]:
    """Files that are in no part: unreadable, or with names that give no label."""
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
                "Training leaves them out. They were cut off in a download, or are no images.",
                ("get the files anew, or delete them",),
                files=unreadable,
            )
        )
    if unlabelled:
        found.append(
            Finding(
                "unlabelled-images",
                f"{counted(len(unlabelled))} without a label",
                "Neither their folder nor their name says what they show, so training leaves them out.",
                ("move them into the folder of their class", "or give a --pattern that finds the label in their names"),
                files=unlabelled,
            )
        )
    return found


def blank_images(pool: Pool, places: Indices) -> list[Finding]:
    if not len(places):
        return []
    return [
        Finding(
            "blank-images",
            f"{counted(len(places))} with nothing on them: {pool.tell_parts(places)}",
            "All pixels are the same, or as good as. A network can learn nothing from them but a habit of guessing.",
            ("look at the files, and delete what is blank",),
            tuple((image,) for image in pool.references(places)),
        )
    ]


def mixed_polarity(pool: Pool, places: Indices) -> tuple[list[Finding], str]:
    """The finding, if any, and what the ink is like in words; `places`: the images that are not blank."""
    signs = np.zeros(len(pool), np.int8)
    signs[places] = polarity(pool.images[places] if len(places) < len(pool) else pool.images)
    found = minority(signs[places])
    if found is None:
        return [], "these are no drawings on a plain ground"
    most, others = found
    usual, inverted = ("light on dark", "dark on light")[:: 1 if most == 1 else -1]
    if not len(others):
        return [], f"{usual}, all of them"
    others = places[others]
    whole = [name for number, name in enumerate(pool.parts) if (signs[pool.part_of == number] == -most).mean() > 0.5]
    part = f"; that is most of {' and of '.join(whole)}" if whole else ""
    finding = Finding(
        "mixed-polarity",
        f"{counted(len(others))} {'is' if len(others) == 1 else 'are'} {inverted}, the others {usual}: "
        f"{pool.tell_parts(others)}{part}",
        "To a network an inverted image is a wholly different one: it has to learn both, or fails on the rarer kind.",
        ("invert these images (255 − pixel), so that all have light ink or all have dark ink",),
        tuple((image,) for image in pool.references(others)),
    )
    return [finding], f"{usual}, save {len(others):,}"


def value_ranges(pool: Pool, ranges: dict[str, Range]) -> list[Finding]:
    """Pixels that a network would not get in 0…1, and parts whose pixels differ in kind."""
    found = []
    kind = pool.images.dtype
    low, high = min(part.low for part in ranges.values()), max(part.high for part in ranges.values())
    if kind == np.uint8 and 0 < high - low < _FEW_LEVELS:
        found.append(
            Finding(
                "narrow-range",
                f"the pixels use only {low:g}…{high:g} of 0…255",
                "A network divides bytes by 255 first, so it would see hardly any difference between ink and paper.",
                ("multiply the pixels so that they fill 0…255", "or begin the network with Standardize"),
            )
        )
    if kind != np.uint8 and max(abs(low), abs(high)) > _LARGE_FLOAT:
        found.append(
            Finding(
                "unscaled-inputs",
                f"the numbers are floats from {low:g} to {high:g}",
                "Floats reach the first layer as they are. Numbers so large saturate its units, and steps overshoot.",
                ("keep images as bytes (uint8), which networks scale by themselves", "or begin with Scale or Standardize"),
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
                    "The parts were prepared in different ways, so what is learnt on one fails on the other.",
                    ("prepare all parts alike",),
                )
            )
    return found


def mixed_sizes(sizes: str, used: int) -> Finding:
    return Finding(
        "mixed-sizes",
        f"the images have different sizes: {sizes}; for this check they were brought to {used} × {used}",
        "A network takes images of one size, so training needs to know which.",
        (
            f"give --size, or size = {used} under [data] in the recipe",
            'with --fit pad (fit = "pad") nothing is squeezed or cut',
        ),
    )
