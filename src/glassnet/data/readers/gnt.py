"""CASIA-HWDB's `.gnt`: handwritten Chinese characters, each a grey bitmap of its own size; one file a writer."""

from __future__ import annotations

import contextlib
import re
import struct
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from glassnet.data.dataset import Dataset, Splits
from glassnet.data.decode_many import progress
from glassnet.data.options import MOST_PIXELS, ReadOptions
from glassnet.data.readers.drawn import FILLED
from glassnet.data.readers.image_sources import Folder, Zip, hidden, holds_images, is_image
from glassnet.data.readers.subprocess import reading
from glassnet.data.resize import bring, fitted
from glassnet.data.splits import divide
from glassnet.errors import DataError
from glassnet.support.environment import available_cores
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

SIZE = 64  # pixels of each side, where no size is given
HEADER = struct.Struct("<I2sHH")  # bytes of the record, the character's code in GBK, width, height
PARTS = {"train": r"trn|train", "validation": r"valid", "test": r"tst|test|competition"}
"""What the folders' names say, as HWDB1.1trn_gnt, Gnt1.0Test and competition-gnt do."""
_AT_ONCE = 4096  # characters that one thread reads; a writer of HWDB has fewer
Open = Callable[[str], contextlib.AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True, eq=False)
class GntIndex:
    """Where each character of some `.gnt` files is: `names` of the files in `path`, and for N characters `(N,)` arrays.

    `file`: index in `names`; `offset`: byte at which its record begins; `labels`: index in `classes`. Records are in the
    files' order. `parts`: the part of each file. An index can be pickled, and sent to other processes.
    """

    path: Path
    names: tuple[str, ...]
    parts: tuple[str, ...]
    classes: tuple[str, ...]
    file: npt.NDArray[np.int32]
    offset: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.file)

    @property
    def groups(self) -> npt.NDArray[np.str_] | None:
        """The writer of each character, `(N,)`: its file's name without `.gnt`. None where there is one file."""
        writers = np.array([PurePosixPath(name).stem for name in self.names])
        return writers[self.file] if len(writers) > 1 else None

    def of_part(self, part: str) -> npt.NDArray[np.intp]:
        """The indices of the characters in a part."""
        return np.flatnonzero(np.array([found == part for found in self.parts])[self.file])

    def splits(self, images: Callable[[npt.NDArray[np.intp]], npt.NDArray[np.uint8]]) -> Splits:
        """The parts of the files, with `images` of chosen characters. Raises `DataError` for a class that is not trained."""
        lacking = np.setdiff1d(self.labels, self.labels[self.of_part("train")])
        if len(lacking):
            raise DataError(
                tr("Class {name} has no images in the training part.", name=repr(self.classes[lacking[0]])),
                where=self.path,
                expected=tr("images of every class in the folder train"),
                received=tr(
                    "of {classes} classes, {lacking} are missing there", classes=len(self.classes), lacking=len(lacking)
                ),
            )
        made: dict[str, Any] = {}
        groups = self.groups
        for part in dict.fromkeys(("train", *self.parts)):
            chosen = self.of_part(part)
            made[part] = Dataset(
                images(chosen), self.labels[chosen], self.classes, None if groups is None else groups[chosen]
            )
        return Splits(**made)


def is_gnt(path: Path) -> bool:
    """Whether a path is a `.gnt` file, or a folder or zip with any."""
    if path.is_dir():
        return holds_images(path, _is_gnt)
    return path.is_file() and (_is_gnt(path.name) or any(map(_is_gnt, _members(path))))


def is_zip_without_images(path: Path) -> bool:
    """Whether a file is a zip that has `.gnt` files and no images."""
    members = _members(path)
    return any(map(_is_gnt, members)) and not any(map(is_image, members))


def read_gnt(path: Path, options: ReadOptions) -> Splits:
    """The characters of a `.gnt` file, or of a folder or zip of them, in splits: by writer, unless there are parts.

    Light ink on black, `uint8` (N, H, W, 1): the aspect is kept, the longer side fills 84 % as in `draw_characters`, and
    the bitmap's middle is the image's. `options.size`: 64 × 64 by default. The classes are in the order of their codes.
    Raises `DataError` for files that are damaged, with the file and the byte, and as `divide` does.
    Source: C.-L. Liu, F. Yin, D.-H. Wang, Q.-F. Wang, "CASIA online and offline Chinese handwriting databases", 2011.
    """
    index, size = scan_gnt(path), options.size or (SIZE, SIZE)
    require_memory_for_data(
        len(index) * size[0] * size[1], tr("{count:,} characters", count=len(index)), path, tr("a smaller size")
    )
    return divide(bring(index.splits(lambda chosen: read_characters(index, chosen, size)), options, path), options)


def scan_gnt(path: Path) -> GntIndex:
    """Where each character is in a `.gnt` file, or in a folder or zip of them. Reads everything, keeps no bitmap.

    Raises `DataError` for a record that is damaged, naming the file and the byte at which it begins.
    """
    file: list[npt.NDArray[np.int32]] = []
    offset: list[npt.NDArray[np.int64]] = []
    codes: list[npt.NDArray[np.uint16]] = []
    characters: dict[bytes, str] = {}
    with _opened(path) as (names, stream), progress(tr("looking at characters"), len(names)) as advance:
        for number, name in enumerate(names):
            where = path if path.is_file() and _is_gnt(path.name) else f"{path}/{name}"
            with reading(path, ".gnt"), stream(name) as content:
                found = list(_records(content, where, characters))
            if not found:
                raise DataError(
                    tr("The .gnt file is empty."), where=tr("{path}, byte {position}", path=where, position=0),
                    expected=tr("at least one character"), received=tr("{count} bytes", count=0),
                    hint=tr("get the file again"),
                )  # fmt: skip
            file.append(np.full(len(found), number, np.int32))
            offset.append(np.array([place for place, _ in found], np.int64))
            codes.append(np.array([int.from_bytes(code) for _, code in found], np.uint16))
            advance(1)
    known, labels = np.unique(np.concatenate(codes), return_inverse=True)
    classes = tuple(characters[int(code).to_bytes(2)] for code in known)
    places = np.concatenate(file), np.concatenate(offset)
    return GntIndex(path, names, _parts(names), classes, *places, labels.reshape(-1).astype(np.int64))


def read_characters(
    index: GntIndex, chosen: Sequence[int] | npt.NDArray[np.integer[Any]], size: tuple[int, int] = (SIZE, SIZE)
) -> npt.NDArray[np.uint8]:
    """The chosen characters of an index, in that order: `uint8` (n, H, W, 1), light ink on black, as `read_gnt` says.

    Only their files are opened, and each is read once, from its first to its last chosen record; several at a time.
    Raises `DataError` for files that are gone or have changed since they were scanned.
    """
    rows = np.asarray(chosen, np.int64).reshape(-1)
    images = np.zeros((len(rows), *size, 1), np.uint8)
    order = np.lexsort((index.offset[rows], index.file[rows]))
    ends = np.flatnonzero(np.diff(index.file[rows][order])) + 1
    runs = [order[start:end] for start, end in pairwise([0, *ends.tolist(), len(order)])]
    tasks = [run[start : start + _AT_ONCE] for run in runs for start in range(0, len(run), _AT_ONCE)]

    def fill(task: npt.NDArray[np.intp]) -> int:
        name = index.names[index.file[rows[task[0]]]]
        where = index.path if index.path.name == name else f"{index.path}/{name}"
        with reading(index.path, ".gnt"), stream(name) as content:
            for row in task:
                character = rows[row]
                content.seek(int(index.offset[character]))
                record = _next(content, where, int(index.offset[character]))
                if record is None or _decoded(record[0]) != index.classes[index.labels[character]]:
                    raise _damaged(
                        tr("The file has changed since it was scanned."), where, int(index.offset[character]),
                        index.classes[index.labels[character]],
                        tr("the end of the file") if record is None else _shown(record[0]),
                    )  # fmt: skip
                images[row, :, :, 0] = _drawn(record[1], size)
        return len(task)

    with (
        _opened(index.path, index.names) as (_, stream),
        progress(tr("reading characters"), len(rows)) as advance,
        ThreadPoolExecutor(min(8, available_cores())) as pool,
    ):
        try:
            for count in pool.map(fill, tasks):
                advance(count)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return images


def _records(content: IO[bytes], where: object, characters: dict[bytes, str]) -> Iterator[tuple[int, bytes]]:
    """The offset and the code of each record; new codes are added to `characters`."""
    offset = 0
    while (record := _next(content, where, offset)) is not None:
        code, bitmap = record
        if code not in characters:
            character = _decoded(code)
            if character is None:
                expected = tr("two bytes of GBK, or one and a zero byte for ASCII")
                raise _damaged(tr("The code of a character is impossible."), where, offset + 4, expected, _shown(code))
            characters[code] = character
        yield offset, code
        offset += HEADER.size + bitmap.size


def _next(content: IO[bytes], where: object, offset: int) -> tuple[bytes, npt.NDArray[np.uint8]] | None:
    """The code and the bitmap `(H, W)` of the record at which a file stands; None at the end of the file."""
    head = content.read(HEADER.size)
    if not head:
        return None
    if len(head) < HEADER.size:
        raise _truncated(where, offset, HEADER.size, len(head))
    length, code, width, height = HEADER.unpack(head)
    if not 0 < width * height <= MOST_PIXELS or length != HEADER.size + width * height:
        raise _damaged(
            tr("The size of a character's record is wrong: the file is damaged, or no .gnt."), where, offset,
            tr("a size of {size:,} bytes, 10 + {width} × {height}", size=HEADER.size + width * height, width=width,
               height=height) if 0 < width * height <= MOST_PIXELS else tr("a width and a height of a character"),
            tr("a size of {size:,} bytes, {width} × {height} pixels", size=length, width=width, height=height),
        )  # fmt: skip
    pixels = content.read(width * height)
    if len(pixels) < width * height:
        raise _truncated(where, offset, length, HEADER.size + len(pixels))
    return code, np.frombuffer(pixels, np.uint8).reshape(height, width)


def _drawn(bitmap: npt.NDArray[np.uint8], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """A bitmap of dark ink as light ink in the middle of an image `(H, W)`."""
    from PIL import Image

    height, width = max(1, round(FILLED * size[0])), max(1, round(FILLED * size[1]))
    top, left = (size[0] - height) // 2, (size[1] - width) // 2
    image = np.zeros(size, np.uint8)
    image[top : top + height, left : left + width] = np.asarray(fitted(Image.fromarray(255 - bitmap), (height, width), "pad"))
    return image


def _decoded(code: bytes) -> str | None:
    """The character of a code: two bytes of GBK, or ASCII and a zero byte. None for any other."""
    try:
        character = (code[:1] if code[1] == 0 else code).decode("gbk")
    except UnicodeDecodeError:
        return None
    return character if len(character) == 1 and character.isprintable() else None


def _shown(code: bytes) -> str:
    return tr("bytes {code}", code=code.hex(" "))


def _parts(names: Sequence[str]) -> tuple[str, ...]:
    """The part of each file, by its folders: "train" where they do not say, and everywhere where all say the same."""
    parts = []
    for name in names:
        folders = name.rpartition("/")[0].lower()
        said = [part for part, words in PARTS.items() if re.search(words, folders)]
        parts.append(said[0] if len(said) == 1 else "train")
    return tuple(parts) if len(set(parts)) > 1 else ("train",) * len(parts)


@contextlib.contextmanager
def _opened(path: Path, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Open]]:
    """The names of the `.gnt` files in a path, unless they are given, and how to open one."""
    if path.is_dir():
        yield names or Folder(path, _is_gnt).names, lambda name: (path / name).open("rb")
    elif _is_gnt(path.name):
        yield (path.name,), lambda name: path.open("rb")
    else:
        with contextlib.closing(Zip(path, _is_gnt)) as files:
            yield files.names, files.stream


def _is_gnt(name: str) -> bool:
    return name.lower().endswith(".gnt") and not hidden(name)


def _members(path: Path) -> list[str]:
    """The names in a zip; none where the file is no zip, or is damaged."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.namelist()
    except Exception:  # damaged: zipfile fails in many ways
        return []


def _truncated(where: object, offset: int, expected: int, received: int) -> DataError:
    what = tr("A character is cut off at the end of the file.")
    whole = tr("a record of {count:,} bytes", count=expected)
    return _damaged(what, where, offset, whole, tr("{count} bytes", count=received))


def _damaged(what: str, where: object, offset: int, expected: str, received: str) -> DataError:
    place = tr("{path}, byte {position}", path=where, position=offset)
    return DataError(what, where=place, expected=expected, received=received, hint=tr("get the file again"))
