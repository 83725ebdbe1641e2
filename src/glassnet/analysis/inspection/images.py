"""Findings about single images: not readable, not labelled, blank, inverted, of an odd range, of many sizes."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pixels import Range, minority, polarity
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.data import Splits
from glassnet.support.i18n import NOTHING, tr

_FEW_LEVELS, _LARGE_FLOAT, _OTHER_RANGE = 32, 16.0, 3.0


def left_out(splits: Splits) -> list[Finding]:
    """Files that are in no part: unreadable, or with names that give no label."""
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
                tr("Training leaves them out. They were cut off in a download, or are no images."),
                (tr("get the files anew, or delete them"),),
                files=unreadable,
            )
        )
    if unlabelled:
        found.append(
            Finding(
                "unlabelled-images",
                tr("{images} without a label", images=counted(len(unlabelled))),
                tr("Neither their folder nor their name says what they show, so training leaves them out."),
                (
                    tr("move them into the folder of their class"),
                    tr("or give a --pattern that finds the label in their names"),
                ),
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
            tr("{images} with nothing on them: {parts}", images=counted(len(places)), parts=pool.tell_parts(places)),
            tr("All pixels are the same, or as good as. A network can learn nothing from them but a habit of guessing."),
            (tr("look at the files, and delete what is blank"),),
            tuple((image,) for image in pool.references(places)),
        )
    ]


def mixed_polarity(pool: Pool, places: Indices) -> tuple[list[Finding], str]:
    """The finding, if any, and what the ink is like in words; `places`: the images that are not blank."""
    signs = np.zeros(len(pool), np.int8)
    signs[places] = polarity(pool.images[places] if len(places) < len(pool) else pool.images)
    found = minority(signs[places])
    if found is None:
        return [], tr("these are no drawings on a plain ground")
    most, others = found
    usual, inverted = (tr("light on dark"), tr("dark on light"))[:: 1 if most == 1 else -1]
    if not len(others):
        return [], tr("{usual}, all of them", usual=usual)
    others = places[others]
    whole = [name for number, name in enumerate(pool.parts) if (signs[pool.part_of == number] == -most).mean() > 0.5]
    part = tr("; that is most of {parts}", parts=tr(" and of ").join(whole)) if whole else NOTHING
    told = {"images": counted(len(others)), "inverted": inverted, "usual": usual, "parts": pool.tell_parts(others)}
    finding = Finding(
        "mixed-polarity",
        (
            tr("{images} is {inverted}, the others {usual}: {parts}", **told)
            if len(others) == 1
            else tr("{images} are {inverted}, the others {usual}: {parts}", **told)
        )
        + part,
        tr("To a network an inverted image is a wholly different one: it has to learn both, or fails on the rarer kind."),
        (tr("invert these images (255 − pixel), so that all have light ink or all have dark ink"),),
        tuple((image,) for image in pool.references(others)),
    )
    return [finding], tr("{usual}, save {count:,}", usual=usual, count=len(others))


def value_ranges(pool: Pool, ranges: dict[str, Range]) -> list[Finding]:
    """Pixels that a network would not get in 0…1, and parts whose pixels differ in kind."""
    found = []
    kind = pool.images.dtype
    low, high = min(part.low for part in ranges.values()), max(part.high for part in ranges.values())
    if kind == np.uint8 and 0 < high - low < _FEW_LEVELS:
        found.append(
            Finding(
                "narrow-range",
                tr("the pixels use only {low:g}…{high:g} of 0…255", low=low, high=high),
                tr("A network divides bytes by 255 first, so it would see hardly any difference between ink and paper."),
                (tr("multiply the pixels so that they fill 0…255"), tr("or begin the network with Standardize")),
            )
        )
    if kind != np.uint8 and max(abs(low), abs(high)) > _LARGE_FLOAT:
        found.append(
            Finding(
                "unscaled-inputs",
                tr("the numbers are floats from {low:g} to {high:g}", low=low, high=high),
                tr("Floats reach the first layer as they are. Numbers so large saturate its units, and steps overshoot."),
                (
                    tr("keep images as bytes (uint8), which networks scale by themselves"),
                    tr("or begin with Scale or Standardize"),
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
                    tr("The parts were prepared in different ways, so what is learnt on one fails on the other."),
                    (tr("prepare all parts alike"),),
                )
            )
    return found


def mixed_sizes(sizes: str, used: int) -> Finding:
    return Finding(
        "mixed-sizes",
        tr(
            "the images have different sizes: {sizes}; for this check they were brought to {used} × {used}",
            sizes=sizes,
            used=used,
        ),
        tr("A network takes images of one size, so training needs to know which."),
        (
            tr("give --size, or size = {used} under [data] in the recipe", used=used),
            tr('with --fit pad (fit = "pad") nothing is squeezed or cut'),
        ),
    )
