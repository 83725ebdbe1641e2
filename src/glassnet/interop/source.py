"""What networks written as source code share: the variables that hold values, and what is said about the images."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Collection, Sequence
from typing import Any

import numpy as np

from glassnet.errors import InputError
from glassnet.interop.operations import Operation
from glassnet.nn.layer import Shape
from glassnet.support.i18n import tr


def variables(operations: Sequence[Operation], in_place: Callable[[Operation], bool]) -> list[int]:
    """For the image and for what each operation gives, the number of the variable that holds it.

    A variable is used again as soon as nothing needs its value any more; by the operation that needs it last only if that
    works `in_place`. A chain of layers needs two variables, or one, if all work in place.
    """
    last = dict.fromkeys(range(len(operations) + 1), 0)  # the operation that needs a value last
    last |= {value: number for number, operation in enumerate(operations, 1) for value in operation.inputs}
    found = [0]
    for number, operation in enumerate(operations, 1):
        free_after = number if in_place(operation) else number - 1
        taken = {variable for value, variable in enumerate(found) if last[value] > free_after}
        own = [found[value] for value in operation.inputs if found[value] not in taken]
        found.append(own[0] if own else min(set(range(len(found) + 1)) - taken))
    return found


def check_kinds(operations: Sequence[Operation], known: Collection[str], form: str) -> None:
    """Refuse an operation that a form can't write, by the name of its layer."""
    for operation in operations:
        if operation.kind not in known:
            raise InputError(
                tr("{form} has no form for this operation.", form=form),
                where=operation.name,
                expected=" | ".join(sorted(known)),
                received=operation.kind,
            )


def constant(operation: Operation, key: str) -> float | None:
    """The one finite number that all elements of an array of an affine operation are, if they are."""
    array = operation.arrays[key]
    value = array.flat[0]
    same = operation.kind == "affine" and np.isfinite(value) and bool((array == value).all())
    return float(value) if same else None


def spell(shape: Shape) -> str:
    """28×28×1"""
    return "×".join(map(str, shape))


def file_name(metadata: dict[str, Any]) -> str:
    """The export's file name as it may stand in a comment or a text."""
    return re.sub(r"[^\w. -]", "_", metadata["file"])


def wrapped(text: str, indent: str = "", width: int = 100) -> str:
    return textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)


def about_images(metadata: dict[str, Any], takes_bytes: bool) -> str:
    """How an image is to be prepared, in words and figures."""
    shape, style = tuple(metadata["input_shape"]), metadata["preparation"]
    kind = "bytes 0…255" if takes_bytes else "floats, scaled as those that the network was trained on"
    text = f"An image is {spell(shape)} {kind}"
    if len(shape) == 3:
        text += f": {shape[0]} rows from the top, {shape[1]} columns from the left, {shape[2]} " + (
            "channel." if shape[2] == 1 else "channels (3: red, green, blue)."
        )
    else:
        text += "."
    if style is None:
        return f"{text} It must look like the images that the network was trained on."
    if not style["ink"]:
        return f"{text} A photograph is brought to this size as a whole; nothing else was done to the training images."
    full = 255 if takes_bytes else 1
    ground, ink = (np.clip(value, 0, 1) * full for value in (style["ground"], style["ground"] + style["contrast"]))
    tone = ("light", "dark") if style["contrast"] > 0 else ("dark", "light")
    text += f" It shows one character in {tone[0]} ink ({ink:.3g}) on a {tone[1]} ground ({ground:.3g}), smoothly scaled."
    if style["stretched"]:
        text += f" The character is stretched to {style['height']:.1f} rows and {style['width']:.1f} columns."
    else:
        text += (
            f" The longer side of the character is {style['side']:.1f} pixels (from {style['least']:.1f} to"
            f" {style['most']:.1f}); its proportions are kept."
        )
    centre = "centre of mass" if style["centring"] == "mass" else "centre of its box"
    return (
        f"{text} The {centre} lies {style['y']:.1f} pixels below the top and {style['x']:.1f} from the left;"
        f" strokes are about {style['stroke']:.1f} pixels wide."
    )
