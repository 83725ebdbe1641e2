"""Damage to files as by disks, transfers and editors: changed bytes or bits, truncation, moved blocks."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Damage = Callable[[bytearray, np.random.Generator], bytes | bytearray]
LONGEST = 200  # maximum number of bytes zeroed, dropped, repeated or appended


def _span(content: bytearray, rng: np.random.Generator) -> tuple[int, int]:
    start = int(rng.integers(len(content)))
    return start, min(len(content), start + int(rng.integers(1, LONGEST)))


def _bytes(content: bytearray, rng: np.random.Generator) -> bytearray:
    for index in rng.integers(0, len(content), rng.integers(1, 5)):
        content[index] = int(rng.integers(256))
    return content


def _bits(content: bytearray, rng: np.random.Generator) -> bytearray:
    for index in rng.integers(0, len(content), rng.integers(1, 9)):
        content[index] ^= 1 << int(rng.integers(8))
    return content


def _cut(content: bytearray, rng: np.random.Generator) -> bytearray:
    return content[: int(rng.integers(len(content)))]


def _append(content: bytearray, rng: np.random.Generator) -> bytes:
    return bytes(content) + rng.bytes(int(rng.integers(1, LONGEST)))


def _zero(content: bytearray, rng: np.random.Generator) -> bytearray:
    start, end = _span(content, rng)
    content[start:end] = bytes(end - start)
    return content


def _swap(content: bytearray, rng: np.random.Generator) -> bytes:
    a, b, c, d = sorted(int(index) for index in rng.integers(0, len(content) + 1, 4))
    return bytes(content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:])


def _drop(content: bytearray, rng: np.random.Generator) -> bytearray:
    start, end = _span(content, rng)
    del content[start:end]
    return content


def _repeat(content: bytearray, rng: np.random.Generator) -> bytes:
    start, end = _span(content, rng)
    return bytes(content[:end] + content[start:])


def _lines(content: bytearray, rng: np.random.Generator) -> bytes:
    """A line repeated, deleted, truncated, or swapped with another."""
    lines = bytes(content).splitlines(keepends=True)
    index, other, how = int(rng.integers(len(lines))), int(rng.integers(len(lines))), int(rng.integers(4))
    if how == 0:
        lines.insert(other, lines[index])
    elif how == 1:
        del lines[index]
    elif how == 2:
        lines[index] = lines[index][: int(rng.integers(len(lines[index])))]
    else:
        lines[index], lines[other] = lines[other], lines[index]
    return b"".join(lines)


def _digits(content: bytearray, rng: np.random.Generator) -> bytearray:
    """Some characters replaced by others that occur in JSON or TOML."""
    for index in rng.integers(0, len(content), rng.integers(1, 4)):
        content[index] = int(rng.choice(np.frombuffer(b'0123456789.-eE"{}[],: \n', np.uint8)))
    return content


BINARY: tuple[Damage, ...] = (_bytes, _bits, _cut, _append, _zero, _swap, _drop, _repeat)
TEXT: tuple[Damage, ...] = (*BINARY, _lines, _digits)


def mangled(content: bytes, seed: int, *, text: bool = False) -> bytes:
    """The content, damaged in one of these ways; always different from the original, and determined by the seed."""
    rng = np.random.default_rng(seed)
    kinds = TEXT if text else BINARY
    while (damaged := bytes(kinds[seed % len(kinds)](bytearray(content), rng))) == content:
        kinds = (_bits,)
    return damaged
