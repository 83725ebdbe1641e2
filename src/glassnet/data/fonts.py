"""Fonts on this machine: the faces in files and folders, and which characters they can draw."""

from __future__ import annotations

import contextlib
import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.paths import as_path, exists
from glassnet.support.registry import nearest

SYSTEM = "system"  # all fonts that are installed
ENDINGS = (".ttf", ".otf", ".ttc", ".otc")
VARIANTS = {"Mono", "Condensed", "Narrow", "CN", "HK", "JP", "KR", "MBE", "SC", "TC", "TW"}
"""Words in the names of families whose outlines are, for the most part, those of the family without the word."""


@dataclass(frozen=True)
class Face:
    """One font: face `index` of the file at `path`. `family` is its name, such as "DejaVu Sans"; `style`, "Bold"."""

    path: Path
    index: int
    family: str
    style: str

    @property
    def group(self) -> str:
        """The name that all styles and variants of one design share: they are not independent of each other."""
        return " ".join(word for word in self.family.split() if word not in VARIANTS)

    def __str__(self) -> str:
        return f"{self.family} {self.style}"


def faces_of(path: Path) -> list[Face]:
    """The faces of a font file. Raises `DataError` for what is none."""
    from PIL import ImageFont

    found: list[Face] = []
    with contextlib.suppress(OSError, ValueError):  # there is no face of this number, or the file is damaged
        while True:
            family, style = ImageFont.truetype(path, 20, index=len(found)).getname()
            found.append(Face(path, len(found), family or path.stem, style or ""))
    if not found:
        raise DataError(tr("This is not a font that can be read."), where=path, expected=", ".join(ENDINGS))
    return found


@lru_cache(maxsize=256)
def _glyphs(path: Path, index: int) -> dict[int, str]:
    """The names of a face's glyphs by code point."""
    from fontTools.ttLib import TTFont

    logging.getLogger("fontTools").setLevel(logging.ERROR)
    with TTFont(path, fontNumber=index, lazy=True) as font:
        return dict(font.getBestCmap() or {})


def missing(face: Face, characters: Sequence[str]) -> list[str]:
    """The characters that a face has no glyph for, or one glyph for several of them; all if its table can't be read."""
    try:
        known = _glyphs(face.path, face.index)
    except Exception:  # fontTools fails in many ways on damaged files
        return list(characters)
    glyphs = [known.get(ord(character)) for character in characters]
    times = Counter(glyphs)
    return [character for character, glyph in zip(characters, glyphs, strict=True) if glyph is None or times[glyph] > 1]


@dataclass(frozen=True)
class Found:
    """The `faces` that have all the characters; `without`: those in folders that don't, and what they lack, as text."""

    faces: tuple[Face, ...]
    without: dict[str, str]


def find_faces(fonts: Sequence[str | os.PathLike[str]], characters: Sequence[str]) -> Found:
    """The faces of font files, folders (one face of each file in them), families by name ("DejaVu Sans"), or "system".

    Raises `DataError` for a file or family that lacks a character, for names and paths that are none, and if no face is left.
    A face in a folder that lacks one is left out.
    """
    faces: dict[Face, None] = {}
    without: dict[str, str] = {}
    for item in fonts:
        chosen = list(_named(item))
        if chosen:
            faces |= dict.fromkeys(_require(chosen, characters, item))
            continue
        for path in _files(item):
            with contextlib.suppress(DataError):
                candidates = faces_of(path)
                fitting = next((face for face in candidates if not missing(face, characters)), None)
                if fitting is not None:
                    faces[fitting] = None
                else:
                    without[str(path)] = _listed(missing(candidates[0], characters))
    if not faces:
        raise DataError(
            tr("None of these fonts has all the characters."),
            where=", ".join(map(str, fonts)),
            expected=tr("glyphs for {characters}", characters=_listed(characters)),
            received=tr("{count} fonts without some of them", count=len(without)) if without else tr("no fonts"),
        )
    return Found(tuple(faces), without)


def _named(item: str | os.PathLike[str]) -> Iterator[Face]:
    """The faces that are meant by a file or by the name of a family; none for a folder, and for all that is installed."""
    path = as_path(item)
    if item == SYSTEM or path.is_dir():
        return
    if exists(path):
        yield from faces_of(path)
        return
    families: set[str] = set()
    for file in _files(SYSTEM):
        with contextlib.suppress(DataError):
            for face in faces_of(file):
                families.add(face.family)
                if face.family == item:
                    yield face
    if item not in families:
        close = nearest(str(item), sorted(families))
        raise DataError(
            tr("There is no such font on this machine."),
            where="fonts",
            expected=tr("a font file, a folder of them, the name of a family, or {system}", system=repr(SYSTEM)),
            received=repr(str(item)),
            hint=tr('did you mean "{near}"?', near=close)
            if close
            else tr("install it, or name one of those that `fc-list : family` lists"),
        )


def _require(faces: list[Face], characters: Sequence[str], item: object) -> list[Face]:
    """Those of the faces that have all characters; `DataError` if none has."""
    fitting = [face for face in faces if not missing(face, characters)]
    if not fitting:
        lacking = missing(faces[0], characters)
        raise DataError(
            tr("This font has no glyph for some of the characters."),
            where=item,
            expected=tr("glyphs for {characters}", characters=_listed(characters)),
            received=tr("none for {characters}", characters=_listed(lacking)),
            hint=tr("leave the font out, or these characters"),
        )
    single = {face.path: face for face in reversed(fitting)}  # one of each file: the others have the same outlines
    return list(reversed(single.values())) if as_path(item).is_file() else fitting  # type: ignore[arg-type]  # a name or a path


def _files(item: str | os.PathLike[str]) -> list[Path]:
    """The font files in a folder, or of the system."""
    if item == SYSTEM:
        from matplotlib.font_manager import findSystemFonts

        return [Path(name) for name in sorted(findSystemFonts())]
    return sorted(path for path in as_path(item).rglob("*") if path.suffix.lower() in ENDINGS)


def _listed(characters: Sequence[str]) -> str:
    return " ".join(characters[:10]) + (" …" if len(characters) > 10 else "")
