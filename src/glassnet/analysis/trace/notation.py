"""How numbers, sums of many products and whole steps are written."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts, Source, Step, Symbol
from glassnet.support.arrays import Array
from glassnet.support.i18n import Message, mark, tr

ALL_UP_TO, SHOWN = 6, 4  # sums of up to so many terms are written whole; of longer ones, so many terms
WEIGHTED = mark("the weighted input")  # z of a = σ(z)
FROM_ABOVE = mark("the gradient with respect to the weighted input, from the layer above")
MEANINGS = {  # the usual meaning of a symbol, by its key
    "x": mark("the input"),
    "y": mark("the output"),
    "dy": mark("the gradient with respect to the output, from the layer above"),
    "dx": mark("the gradient with respect to the input, for the layer below"),
    "w": mark("a weight"),
    "b": mark("the bias"),
    "dw": mark("the gradient with respect to the weight"),
    "db": mark("the gradient with respect to the bias"),
}

Values = Mapping[str, Number | str | Parts]  # what stands for each {key} of a template
Factor = tuple[Array, Callable[[int], str], str]  # of each term of a sum: the values, the name of the i-th, the symbol's key


class Sign(NamedTuple):
    """How a symbol is written, its names in the source code (apart by spaces), and its meaning, where it is not the usual."""

    text: str
    code: str = ""
    meaning: str = ""


SUBSCRIPTS = str.maketrans("0123456789,", "₀₁₂₃₄₅₆₇₈₉,")


def sub(*index: int) -> str:
    """Numbers as subscripts."""
    return ",".join(map(str, index)).translate(SUBSCRIPTS)


def at(index: Index) -> str:
    """An index as names have it: "3, 4"."""
    return ", ".join(map(str, index))


def figure(number: Number) -> str:
    """A number's digits, with a true minus."""
    text = format(number.value, number.form)
    if float(text) == 0:
        text = text.lstrip("-") if "." in text and "e" not in text else "0"
    return text.replace("-", "−")


def spoken(parts: Parts) -> list[tuple[str, Number | None]]:
    """Each part of a line as (text, its number): negative numbers stand in parentheses where a sign comes before them."""
    found: list[tuple[str, Number | None]] = []
    before = ""
    for part in parts:
        if isinstance(part, str):
            before = part or before
            found.append((part, None))
            continue
        text = figure(part)
        bare = not text.startswith("−") or not before.strip() or before.rstrip().endswith(("=", "(", "≈", ":", ",", "[", "→"))
        found.append((text if bare else f"({text})", part))
        before = "number"
    return found


def line(template: str, numbers: Values) -> Parts:
    """A line of numbers: the template, each {key} replaced by the number (or the parts) of that key."""
    parts: Parts = []
    for piece in re.split(r"(\{\w+\})", template):
        found = numbers[piece[1:-1]] if piece.startswith("{") else piece
        parts += found if isinstance(found, list) else [found] if found else []
    return parts


def joined(sign: str, terms: Sequence[Number | Parts]) -> Parts:
    """The terms with a sign between them."""
    return line(sign.join(f"{{{k}}}" for k in range(len(terms))), {str(k): term for k, term in enumerate(terms)})


def make_step(
    phase: str,
    place: str,
    title: Message,
    equation: str,
    signs: Mapping[str, Sign],
    numbers: Values,
    sources: Sequence[Source],
    template: str = "",
    **more: Any,
) -> Step:
    """A step whose lines of numbers are the equation, or the template, filled with `numbers`; three spaces end a line."""
    lines = tuple(line(part, numbers) for part in (template or equation).split("   "))
    symbols = tuple(
        Symbol(key, sign.text, tr(sign.meaning or MEANINGS[key]), tuple(sign.code.split()))
        for key, sign in signs.items()
        if f"{{{key}}}" in equation
    )
    return Step(phase, place, title, equation, symbols, lines, tuple(sources), **more)


def chosen_terms(products: Array) -> list[int]:
    """Which terms of a sum are written: all of a short one, else those that weigh most, in their own order."""
    if products.size <= ALL_UP_TO:
        return list(range(products.size))
    return sorted(int(i) for i in np.argsort(-np.abs(products), kind="stable")[:SHOWN])


def factor_of(numbers: Sequence[Number], key: str) -> Factor:
    """Numbers as a factor of a sum."""
    return np.array([number.value for number in numbers]), lambda k: numbers[k].name, key


def sum_of_products(factors: Sequence[Factor], rest: str, must: int | None = None) -> Parts:
    """Σ of products, term by term; of a long sum, the largest terms (and the term `must`), and the sum of the rest."""
    products = np.prod([values for values, _, _ in factors], axis=0)
    kept = chosen_terms(products)
    if must is not None and must not in kept:
        kept = sorted([*kept[: SHOWN - 1], must])
    parts: Parts = []
    for place in kept:
        parts += [" + "] if parts else []
        for order, (values, name, symbol) in enumerate(factors):
            parts += ["·"] if order else []
            parts.append(Number(name(place), float(values[place]), symbol))
    if products.size > len(kept):
        parts += others(rest, products, kept, "rest", "rest")
    return parts


def others(name: str, terms: Array, kept: list[int], key: str, count_key: str) -> Parts:
    """The sum of the terms that are not written, and how many they are."""
    left = Number(f"{name}.others{kept}", float(np.delete(terms, kept).sum()), key)
    count = Number(f"{name}.count{kept}", terms.size - len(kept), count_key, ".0f")
    return line(" + {left} ({count} {more})", {"left": left, "count": count, "more": tr("more")})
