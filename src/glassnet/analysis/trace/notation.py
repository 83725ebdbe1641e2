"""How numbers and sums of many products are written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from glassnet.analysis.trace.document import Index, Number, Parts
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

ALL_UP_TO, SHOWN = 6, 4  # sums of up to so many terms are written whole; of longer ones, so many terms

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


def written(parts: Parts) -> str:
    """A line as plain text."""
    return "".join(text for text, _ in spoken(parts))


def chosen_terms(products: Array) -> list[int]:
    """Which terms of a sum are written: all of a short one, else those that weigh most, in their own order."""
    if products.size <= ALL_UP_TO:
        return list(range(products.size))
    return sorted(int(i) for i in np.argsort(-np.abs(products), kind="stable")[:SHOWN])


def sum_of_products(factors: Sequence[tuple[Array, Callable[[int], str], str]], rest: str, must: int | None = None) -> Parts:
    """Σ of products, term by term: of long sums those that weigh most (and the term `must`), and what the others sum to.

    `factors`: for each, its values (n,), the name of its i-th number, and its symbol. `rest` names the sum of the others.
    """
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
    left = products.size - len(kept)
    if left:
        without = f"[{', '.join(map(str, kept))}]"
        others = float(np.delete(products, kept).sum())
        parts += [" + ", Number(f"{rest}.others{without}", others, "rest"), " ("]
        parts += [Number(f"{rest}.count{without}", left, "rest", ".0f"), " ", tr("more"), ")"]
    return parts
