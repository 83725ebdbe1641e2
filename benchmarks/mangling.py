"""Damage to files as disks, transfers and editors do it: bytes or bits changed, an end missing, blocks in other places."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Damage = Callable[[bytearray, np.random.Generator], bytes | bytearray]
LONGEST = 200  # bytes that are zeroed, swapped, dropped or appended at once


def _span(content: bytearray, chance: np.random.Generator) -> tuple[int, int]:
    start = int(chance.integers(len(content)))
    return start, min(len(content), start + int(chance.integers(1, LONGEST)))


def _bytes(content: bytearray, chance: np.random.Generator) -> bytearray:
    for place in chance.integers(0, len(content), chance.integers(1, 5)):
        content[place] = int(chance.integers(256))
    return content


def _bits(content: bytearray, chance: np.random.Generator) -> bytearray:
    for place in chance.integers(0, len(content), chance.integers(1, 9)):
        content[place] ^= 1 << int(chance.integers(8))
    return content


def _cut(content: bytearray, chance: np.random.Generator) -> bytearray:
    return content[: int(chance.integers(len(content)))]


def _append(content: bytearray, chance: np.random.Generator) -> bytes:
    return bytes(content) + chance.bytes(int(chance.integers(1, LONGEST)))


def _zero(content: bytearray, chance: np.random.Generator) -> bytearray:
    start, end = _span(content, chance)
    content[start:end] = bytes(end - start)
    return content


def _swap(content: bytearray, chance: np.random.Generator) -> bytes:
    a, b, c, d = sorted(int(place) for place in chance.integers(0, len(content) + 1, 4))
    return bytes(content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:])


def _drop(content: bytearray, chance: np.random.Generator) -> bytearray:
    start, end = _span(content, chance)
    del content[start:end]
    return content


def _repeat(content: bytearray, chance: np.random.Generator) -> bytes:
    start, end = _span(content, chance)
    return bytes(content[:end] + content[start:])


def _lines(content: bytearray, chance: np.random.Generator) -> bytes:
    """A line twice, missing, cut off, or in another's place."""
    lines = bytes(content).splitlines(keepends=True)
    place, other, how = int(chance.integers(len(lines))), int(chance.integers(len(lines))), int(chance.integers(4))
    if how == 0:
        lines.insert(other, lines[place])
    elif how == 1:
        del lines[place]
    elif how == 2:
        lines[place] = lines[place][: int(chance.integers(len(lines[place])))]
    else:
        lines[place], lines[other] = lines[other], lines[place]
    return b"".join(lines)


def _digits(content: bytearray, chance: np.random.Generator) -> bytearray:
    """Another character of those that a text in JSON or TOML is made of."""
    for place in chance.integers(0, len(content), chance.integers(1, 4)):
        content[place] = int(chance.choice(np.frombuffer(b'0123456789.-eE"{}[],: \n', np.uint8)))
    return content


BINARY: tuple[Damage, ...] = (_bytes, _bits, _cut, _append, _zero, _swap, _drop, _repeat)
TEXT: tuple[Damage, ...] = (*BINARY, _lines, _digits)


def mangled(content: bytes, seed: int, *, text: bool = False) -> bytes:
    """The content, damaged in one of these ways; it is never the same as before, and always the same for a seed."""
    chance = np.random.default_rng(seed)
    kinds = TEXT if text else BINARY
    while (damaged := bytes(kinds[seed % len(kinds)](bytearray(content), chance))) == content:
        kinds = (_bits,)
    return damaged
