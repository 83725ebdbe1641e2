"""Characters drawn from fonts, each several times with random distortions: training images without a collection."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from glassnet.data.augmentation import Augmentation
from glassnet.data.dataset import Dataset, Splits
from glassnet.data.decode_many import progress
from glassnet.data.fonts import SYSTEM, Face, find_faces
from glassnet.data.options import ReadOptions, as_options
from glassnet.data.readers.filename_labels import NUMERAL_CLASSES
from glassnet.data.splits import divide
from glassnet.errors import DataError, InputError
from glassnet.support.checks import whole_number
from glassnet.support.habits import answered
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

Bytes = npt.NDArray[np.uint8]
SIZE = 32  # pixels of each side, where no size is given
COPIES = 8
MOST_GLYPHS = 256 * 2**20  # bytes of undistorted glyphs that are kept
FILLED = 0.84  # of the image: the largest character of a font
SETS = {
    "digits": "0123456789",
    "numerals": NUMERAL_CLASSES,
    "latin": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
    "hanzi": bytes(byte for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF if high < 0xD7 else 0xFA)
                   for byte in (high, low)).decode("gb2312"),
}  # fmt: skip
"""Characters by name; "hanzi": the 3,755 of level 1 of GB 2312, in its order."""


@answered
def draw_characters(
    characters: str | Sequence[str] = "digits",
    fonts: Sequence[str | os.PathLike[str]] = (SYSTEM,),
    *,
    test_fonts: Sequence[str | os.PathLike[str]] = (),
    copies: int = COPIES,
    size: int | Sequence[int] | None = SIZE,
    split: str | None = None,
    fractions: Sequence[float] | None = None,
    fold: int | None = None,
    folds: int = 5,
    seed: int = 0,
) -> Splits:
    """Characters drawn `copies` times from each font, light on black: images `uint8` (N, H, W, 1), in splits.

    `characters`  the classes: a text such as "0123", or "digits", "latin", "numerals", "hanzi" (3,755 of GB 2312, level 1)
    `fonts`       font files, folders of them, names of families such as "DejaVu Sans", or "system": all that are installed
    `test_fonts`  those of the test part; by default some of `fonts`. Styles of one design are never in two parts
    `size`        `(H, W)` or one number
    `split`, `fractions`, `fold`, `folds`, `seed`   as in `load_dataset`; "stratified" puts every font in every part

    Each copy is thinner or bolder, turned, leaning, stretched, moved and bent at random, as a function of the seed alone.
    Fonts in folders that lack a character are named in `Splits.left_out`. Raises `DataError` for fonts that are none, lack a
    character, or are too few for the parts, and `InputError` for wrong options.

        splits = gn.draw_characters("0123456789", ["DejaVu Sans", "DejaVu Serif"], copies=4, split="stratified")
    """
    options = as_options(size=size, split=split, fractions=fractions, fold=fold, folds=folds, seed=seed)
    return divide_drawings(plan_drawings(characters, fonts, test_fonts, copies, options), options, Drawing.all)


@dataclass(frozen=True)
class Drawing:
    """`characters` from all `faces`, `copies` times each, by face, copy and character; `seed`: of the distortions."""

    faces: tuple[Face, ...]
    characters: tuple[str, ...]
    size: tuple[int, int]
    copies: int
    seed: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.faces) * len(self.characters) * self.copies

    def all(self) -> Bytes:
        """The images (N, H, W, 1). Raises `DataError` for more than fit into memory."""
        what = tr("{count:,} drawn images", count=len(self))
        need = len(self) * self.size[0] * self.size[1]
        require_memory_for_data(need, what, "fonts", tr("fewer copies or fonts, or a smaller size"))
        images, each = np.empty((len(self), *self.size, 1), np.uint8), len(self.characters)
        with progress(tr("drawing characters"), len(self)) as advance:
            for number, face in enumerate(self.faces):
                glyphs = draw_glyphs(face, self.characters, self._twice)
                for copy in range(self.copies):
                    start = (number * self.copies + copy) * each
                    images[start : start + each] = distorted(glyphs, [*self.seed, number, copy])
                    advance(each)
        return images

    def some(self, rows: npt.NDArray[Any]) -> Bytes:
        """The images of `all` at these rows (n,), and no others: for sets beyond memory."""
        each = len(self.characters)
        images, batches, places = np.empty((len(rows), *self.size, 1), np.uint8), rows // each, rows % each
        keep = len(self.faces) * each * self._twice[0] * self._twice[1] <= MOST_GLYPHS
        order = np.lexsort((places, batches))
        for face in np.unique(batches // self.copies):
            mine = order[batches[order] // self.copies == face]
            chosen = np.arange(each) if keep else np.unique(places[mine])
            needed = self.characters, self._twice, None if keep else tuple(chosen.tolist())
            glyphs = (_kept_glyphs if keep else draw_glyphs)(self.faces[face], *needed)
            for batch in np.unique(batches[mine]):
                where = mine[batches[mine] == batch]
                of = places[where]
                seed = [*self.seed, int(face), int(batch % self.copies)]
                images[where] = distorted(glyphs[np.searchsorted(chosen, of)], seed, of, each)
        return images

    def labelled(self, images: npt.NDArray[Any]) -> Dataset:
        """A data set of what stands for the images, with their labels and groups."""
        each = len(self.characters)
        labels = np.tile(np.arange(each), len(self.faces) * self.copies)
        groups = np.repeat([face.group for face in self.faces], each * self.copies)
        return Dataset(images, labels, classes=self.characters, groups=groups)

    @property
    def _twice(self) -> tuple[int, int]:
        return 2 * self.size[0], 2 * self.size[1]


@dataclass(frozen=True)
class Drawings:
    """What is drawn for training and, where there are fonts for it, for the test; `without`: fonts that lack characters."""

    parts: tuple[Drawing, ...]
    without: dict[str, str]


def plan_drawings(
    characters: str | Sequence[str],
    fonts: Sequence[str | os.PathLike[str]],
    test_fonts: Sequence[str | os.PathLike[str]],
    copies: int,
    options: ReadOptions,
) -> Drawings:
    """What `draw_characters` draws. Raises as it does."""
    given = tuple(SETS.get(characters, characters) if isinstance(characters, str) else characters)
    _check_characters(given, characters)
    whole_number(copies, tr("The number of copies must be a whole number above 0."), "copies", tr("1 or more"), least=1)
    found = find_faces([fonts] if isinstance(fonts, str) else fonts, given)
    test = find_faces([test_fonts] if isinstance(test_fonts, str) else test_fonts, given).faces if test_fonts else ()
    if shared := sorted({face.group for face in found.faces} & {face.group for face in test}):
        raise DataError(
            tr("A font that is held out for the test is also trained on."),
            where="test_fonts",
            expected=tr("other fonts than in fonts"),
            received=", ".join(shared),
        )
    size = options.size or (SIZE, SIZE)
    parts = [
        Drawing(faces, given, size, copies, (options.seed, part)) for part, faces in enumerate((found.faces, test)) if faces
    ]
    return Drawings(tuple(parts), found.without)


def divide_drawings(drawings: Drawings, options: ReadOptions, images_of: Callable[[Drawing], npt.NDArray[Any]]) -> Splits:
    """The splits of what is drawn; `images_of` gives the images, or what stands for them."""
    drawn = [drawing.labelled(images_of(drawing)) for drawing in drawings.parts]
    splits = divide(Splits(drawn[0], test=drawn[1] if len(drawn) > 1 else None), options)
    reasons = tuple(tr("no glyph for {characters}", characters=lacking) for lacking in drawings.without.values())
    return replace(splits, left_out=tuple(drawings.without), reasons=reasons)


def _check_characters(given: tuple[str, ...], characters: object) -> None:
    """Raise `InputError` unless these are two or more different characters."""
    wrong = [repr(item) for item in given if not isinstance(item, str) or len(item) != 1 or item.isspace()]
    twice = [tr("{character} twice", character=repr(item)) for item, count in Counter(given).items() if count > 1]
    if len(given) < 2 or wrong or twice:
        raise InputError(
            tr("These are not characters to be drawn."),
            where="characters",
            expected=tr("two or more different ones, such as '0123', or a set: {sets}", sets=" | ".join(SETS)),
            received=next(iter([*wrong, *twice]), repr(characters)),
        )


def draw_glyphs(face: Face, characters: Sequence[str], size: tuple[int, int], chosen: Sequence[int] | None = None) -> Bytes:
    """Light characters on black, (N, H, W), in the middle, in one scale: the largest fills 84 % of a side.

    `chosen`: the indices of those to draw; all by default. Raises `DataError` for a glyph without ink.
    """
    from PIL import Image, ImageDraw, ImageFont

    height, width = size
    font = ImageFont.truetype(face.path, 100, index=face.index)
    boxes = np.array([font.getbbox(character) for character in characters], np.float64)
    sides = boxes[:, 2:] - boxes[:, :2]
    if (sides <= 0).any():
        empty = characters[int((sides <= 0).any(axis=1).argmax())]
        raise DataError(tr("A glyph of this font is empty."), where=str(face), received=repr(empty),
                        hint=tr("leave the font out, or these characters"))  # fmt: skip
    scale = FILLED * min(width / sides[:, 0].max(), height / sides[:, 1].max())
    font = ImageFont.truetype(face.path, max(1, round(100 * scale)), index=face.index)
    drawn = characters if chosen is None else [characters[index] for index in chosen]
    glyphs = np.zeros((len(drawn), height, width), np.uint8)
    for index, character in enumerate(drawn):
        left, top, right, bottom = font.getbbox(character)
        canvas = Image.new("L", (width, height))
        place = ((width - left - right) / 2, (height - top - bottom) / 2)
        ImageDraw.Draw(canvas).text(place, character, fill=255, font=font)
        glyphs[index] = np.asarray(canvas)
    return glyphs


@lru_cache(maxsize=1024)  # of at most MOST_GLYPHS in all
def _kept_glyphs(face: Face, characters: tuple[str, ...], size: tuple[int, int], chosen: None) -> Bytes:
    return draw_glyphs(face, characters, size, chosen)


def distorted(glyphs: Bytes, seed: Sequence[int], places: npt.NDArray[Any] | None = None, count: int | None = None) -> Bytes:
    """Glyphs (N, H, W), each distorted at random, at half their size (N, H/2, W/2, 1).

    `places` (N,): where the glyphs are among `count`, as each one's distortion depends on its place.
    """
    rng = np.random.default_rng(seed)
    pens = rng.random(len(glyphs) if count is None else count)
    pens = pens if places is None else pens[places]
    bold, thin = pens < 0.3, pens > 0.8
    inked = glyphs.copy()
    inked[bold] = _spread(glyphs[bold], np.maximum)
    inked[thin] = _spread(glyphs[thin], np.minimum) // 2 + glyphs[thin] // 2  # a hairline stays
    side = max(glyphs.shape[1:])
    change = Augmentation(shift=0.06 * side, rotation=7, scale=0.14, stretch=0.12, shear=10, elastic=0.016 * side)
    moved = change(inked, seed=int(rng.integers(2**63)), places=places).astype(np.uint16)
    rows = moved[:, ::2] + moved[:, 1::2]
    return ((rows[:, :, ::2] + rows[:, :, 1::2] + 2) // 4).astype(np.uint8)[..., None]


def _spread(glyphs: Bytes, extreme: Callable[[Bytes, Bytes], Bytes]) -> Bytes:
    """The extreme of each pixel, its left and its upper neighbours; glyphs have black margins."""
    for axis in (1, 2):
        glyphs = extreme(glyphs, np.roll(glyphs, 1, axis=axis))
    return glyphs
