"""Small data sets in the formats in which EMNIST, Kuzushiji, CIFAR and CASIA-HWDB are published, written byte by byte."""

from __future__ import annotations

import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LETTERS = "".join(f"{label} {64 + label} {96 + label}\n" for label in range(1, 27))
"""emnist-letters-mapping.txt"""


def gnt_record(character: str, bitmap: Array) -> bytes:
    """Size, code (ASCII with a zero byte), width, height, then rows of bytes: 255 is paper."""
    height, width = bitmap.shape
    code = character.encode("gb2312").ljust(2, b"\0")
    return struct.pack("<I", 10 + width * height) + code + struct.pack("<HH", width, height) + bitmap.tobytes()


def idx(array: Array) -> bytes:
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def write_emnist(
    folder: Path, name: str, images: Array, labels: Array, mapping: str, pack: Callable[[bytes], bytes] = bytes
) -> None:
    """Both parts with the same images (N, H, W), which are transposed in the file."""
    ending = "" if pack is bytes else ".gz"
    for part in ("train", "test"):
        start = f"emnist-{name}-{part}"
        (folder / f"{start}-images-idx3-ubyte{ending}").write_bytes(pack(idx(images.transpose(0, 2, 1))))
        (folder / f"{start}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels)))
    (folder / f"emnist-{name}-mapping.txt").write_text(mapping)


def write_kuzushiji(folder: Path, name: str, images: Array, labels: Array) -> None:
    """Both parts with the same images, of three classes."""
    for part in ("train", "test"):
        np.savez_compressed(folder / f"{name}-{part}-imgs.npz", images)
        np.savez_compressed(folder / f"{name}-{part}-labels.npz", labels.astype(np.uint8))
    table = "index,codepoint,char\r\n0,U+3042,あ\r\n1,U+3044,い\r\n2,U+309D,ゝ\r\n"
    (folder / f"{name}_classmap.csv").write_text(table, encoding="utf-8", newline="")


def cifar_record(image: Array, *labels: int) -> bytes:
    """The label, in CIFAR-100 after a coarse one, then red, green and blue."""
    return bytes(labels) + image.transpose(2, 0, 1).tobytes()


def python_2_batch(rows: Array, labels: list[int], name: str) -> bytes:
    """A batch as cPickle of Python 2 wrote it in protocol 2: a dictionary with bytes as keys."""

    def text(value: bytes) -> bytes:
        return b"U" + bytes([len(value)]) + value

    def number(value: int) -> bytes:
        return struct.pack("<cB", b"K", value) if value < 256 else struct.pack("<cH", b"M", value)

    array = b"cnumpy.core.multiarray\n_reconstruct\nq\x05cnumpy\nndarray\nq\x06K\x00\x85U\x01b\x87Rq\x07(K\x01"
    array += (
        number(rows.shape[0]) + number(rows.shape[1]) + b"\x86cnumpy\ndtype\nq\x08U\x02u1K\x00K\x01\x87Rq\x09(K\x03U\x01|"
    )
    array += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T" + struct.pack("<i", rows.size) + rows.tobytes() + b"tb"
    marks = b"]q\x04(" + b"".join(map(number, labels)) + b"e"
    names = (
        b"](" + b"".join(text(b"cat_s_%06d.png" % label) + b"r" + struct.pack("<I", 300 + label) for label in labels) + b"e"
    )
    start = b"\x80\x02}q\x01(" + text(b"batch_label") + text(b"testing batch 1 of 1")
    return start + text(name.encode()) + marks + text(b"data") + array + text(b"filenames") + names + b"u."


def write_cifar(folder: Path, classes: int, images: Array, labels: Array, *, pickled: bool = False) -> Path:
    """CIFAR-10 with the same images in each batch, or CIFAR-100, in a folder named as in the archive."""
    ten = classes == 10
    made = folder / (f"cifar-{classes}-" + ("python" if pickled and not ten else "binary" if not ten else "batches-"))
    made = made.with_name(made.name + ("py" if pickled else "bin")) if ten else made
    made.mkdir()
    batches = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"] if ten else ["train", "test"]
    names = [f"class {number}" for number in range(classes)]
    rows = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    for batch in batches:
        if pickled:
            (made / batch).write_bytes(python_2_batch(rows, labels.tolist(), "labels" if ten else "fine_labels"))
        else:
            coarse = [()] * len(labels) if ten else [(label // 5,) for label in labels.tolist()]
            records = [cifar_record(*record) for record in _records(images, coarse, labels)]
            (made / f"{batch}.bin").write_bytes(b"".join(records))
    if pickled:
        meta = {b"label_names" if ten else b"fine_label_names": [name.encode() for name in names], b"num_vis": 3072}
        (made / ("batches.meta" if ten else "meta")).write_bytes(pickle.dumps(meta, 2))
    else:
        (made / ("batches.meta.txt" if ten else "fine_label_names.txt")).write_text("\n".join(names) + "\n\n")
    return made


def _records(images: Array, coarse: list[Any], labels: Array) -> list[tuple[Any, ...]]:
    return [(image, *before, label) for image, before, label in zip(images, coarse, labels.tolist(), strict=True)]
