"""Pickles of arrays are read as pickle would, without unpickling; all other pickles are refused, and nothing runs."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import pickle
import pickletools
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import glassnet as gn
from benchmarks.mangling import mangled
from glassnet.data import find_mnist
from glassnet.data.options import ImageOptions
from glassnet.data.readers import pickle_machine
from glassnet.data.readers.pickle_machine import OPERATIONS, Machine
from glassnet.data.readers.pickled import read_pickle
from glassnet.errors import DataError

RNG = np.random.default_rng(3)
LABELS = np.arange(12) % 3
IMAGES = (RNG.integers(0, 256, (12, 784)) / 256).astype(np.float32)
PARTS = ((IMAGES[:6], LABELS[:6]), (IMAGES[6:9], LABELS[6:9]), (IMAGES[9:], LABELS[9:]))


@pytest.fixture(autouse=True)
def _nothing_is_unpickled(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was unpickled or run")

    for module, name in ((pickle, "load"), (pickle, "loads"), (pickle, "Unpickler"), (os, "system")):
        monkeypatch.setattr(module, name, refuse)


def python_2(array: np.ndarray[Any, Any]) -> bytes:
    """An array as cPickle of Python 2 wrote it in protocol 2: all texts are bytes."""
    shape = b"".join(b"M" + struct.pack("<H", size) for size in array.shape)
    dtype = b"cnumpy\ndtype\nq\x04U\x02" + array.dtype.str[1:].encode() + b"q\x05K\x00K\x01\x87q\x06Rq\x07"
    dtype += b"(K\x03U\x01" + array.dtype.str[:1].encode() + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x08b"
    content = b"T" + struct.pack("<i", array.nbytes) + array.tobytes() + b"q\x09"
    made = b"cnumpy.core.multiarray\n_reconstruct\nq\x00cnumpy\nndarray\nq\x01K\x00\x85q\x02U\x01bq\x03\x87Rq\x0a"
    return made + b"(K\x01(" + shape + b"tq\x0b" + dtype + b"\x89" + content + b"tq\x0cb"


def python_2_text(array: np.ndarray[Any, Any]) -> bytes:
    """The same in protocol 0, in which `pickle.dump(data, file)` of Python 2 writes: numbers as text, bytes as their repr."""
    shape = b"".join(b"I%d\n" % size for size in array.shape)
    dtype = b"cnumpy\ndtype\np4\n(S'" + array.dtype.str[1:].encode() + b"'\np5\nI0\nI1\ntp6\nRp7\n"
    dtype += b"(I3\nS'" + array.dtype.str[:1].encode() + b"'\nNNNI-1\nI-1\nI0\ntp8\nb"
    made = b"cnumpy.core.multiarray\n_reconstruct\np0\n(cnumpy\nndarray\np1\n(I0\ntp2\nS'b'\np3\ntp9\nRp10\n"
    return made + b"(I1\n(" + shape + b"tp11\n" + dtype + b"I00\nS" + repr(array.tobytes())[1:].encode() + b"\ntp12\nb"


def two(first: bytes, second: bytes, protocol: int) -> bytes:
    return first + second + b"\x86" if protocol == 2 else b"(" + first + second + b"t"


def read(content: bytes, folder: Path, name: str = "data.pkl") -> gn.Splits:
    (folder / name).write_bytes(content)
    return gn.load_dataset(folder / name)


def check(splits: gn.Splits) -> None:
    for part, (images, labels) in zip((splits.train, splits.validation, splits.test), PARTS, strict=True):
        assert part is not None
        assert part.shape == (28, 28, 1)
        np.testing.assert_array_equal(part.flat, images)
        np.testing.assert_array_equal(part.labels, labels)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("kind", [tuple, list])
def test_what_python_3_dumps(protocol: int, kind: type, tmp_path: Path) -> None:
    content = pickle.dumps(kind(map(kind, PARTS)), protocol)
    check(read(content, tmp_path))
    check(read(gzip.compress(content), tmp_path, "mnist.pkl.gz"))
    check(read(content.replace(b"numpy._core", b"numpy.core"), tmp_path) if protocol < 4 else read(content, tmp_path))


@pytest.mark.parametrize(("protocol", "array"), [(0, python_2_text), (2, python_2)])
def test_what_python_2_dumped(protocol: int, array: Any, tmp_path: Path) -> None:
    parts = [two(array(images), array(labels), protocol) for images, labels in PARTS]
    content = (b"\x80\x02" if protocol else b"") + (b"(" + b"".join(parts) + b"t.")
    check(read(gzip.compress(content), tmp_path, "mnist.pkl.gz"))
    with io.BytesIO(content) as file:  # as pickle itself reads it
        expected = pickle._Unpickler(file, encoding="latin1").load()  # type: ignore[attr-defined]
    for (images, labels), (wanted, marks) in zip(expected, PARTS, strict=True):
        np.testing.assert_array_equal(images, wanted)
        np.testing.assert_array_equal(labels, marks)


@pytest.mark.skipif(find_mnist() is None, reason="MNIST is not here (set GLASSNET_DATA)")
def test_nielsens_mnist(tmp_path: Path) -> None:
    """His file in his form, float32 k/256 and int64 labels, from some of the real images."""
    mnist = gn.load_dataset("mnist")
    kept = [part[:120] for part in (mnist.train, mnist.validation, mnist.test) if part is not None]
    pairs = [((part.flat / np.float32(256)).astype(np.float32), part.labels) for part in kept]
    content = b"(" + b"".join(two(python_2_text(images), python_2(labels), 0) for images, labels in pairs) + b"t."
    found = read(gzip.compress(content, 1), tmp_path, "mnist.pkl.gz")
    for mine, part in zip((found.train, found.validation, found.test), kept, strict=True):
        assert mine is not None
        assert (mine.images.dtype, mine.shape, mine.classes) == (np.float32, (28, 28, 1), part.classes)
        np.testing.assert_array_equal(mine.images * 256, part.images)
        np.testing.assert_array_equal(mine.labels, part.labels)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize(
    "images",
    [
        RNG.integers(0, 256, (12, 5, 4), np.uint8),
        np.asfortranarray(RNG.integers(0, 256, (12, 5, 4), np.uint8)),
        RNG.random((12, 7)).astype(">f8"),
        RNG.random((12, 4, 4)).astype(np.float16),
        RNG.integers(0, 2, (12, 4, 4)).astype(bool),
    ],
    ids=["bytes", "fortran", "big-endian", "half", "booleans"],
)
def test_kinds_of_arrays(images: np.ndarray[Any, Any], protocol: int, tmp_path: Path) -> None:
    names = np.array(["cat", "dog", "other"])[LABELS]
    path = tmp_path / "data.pickle"
    path.write_bytes(pickle.dumps((images, names), protocol))
    found = read_pickle(path, ImageOptions()).train
    np.testing.assert_array_equal(found.images.reshape(images.shape), images.astype(found.images.dtype))
    assert (found.classes, found.labels.tolist()) == (("cat", "dog", "other"), LABELS.tolist())


def test_parts_and_their_division(tmp_path: Path) -> None:
    one = read(pickle.dumps((IMAGES, LABELS)), tmp_path)  # divided, as there are no parts
    assert one.validation is not None
    pair = read(pickle.dumps((PARTS[0], PARTS[1])), tmp_path)  # training and test, as Keras has them
    assert pair.test is not None
    np.testing.assert_array_equal(pair.test.labels, PARTS[1][1])
    sized = gn.load_dataset(tmp_path / "data.pkl", size=14)
    assert sized.train.shape == (14, 14, 1)


class Runs:
    """What pickle would run."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.popen, (self.command,)


def array_of(shape: bytes, dtype: bytes = b"U\x02u1", content: bytes = b"U\x04abcd", fortran: bytes = b"\x89") -> bytes:
    made = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    return made + b"(K\x01" + shape + b"cnumpy\ndtype\n" + dtype + b"K\x00K\x01\x87R" + fortran + content + b"tb"


EVIL = {
    "global": (b"cos\nsystem\n(S'touch {}'\ntR.", "GLOBAL os system"),
    "global-of-numpy": (b"cnumpy.testing\nrundocs\n(tR.", "GLOBAL numpy.testing rundocs"),
    "numpy-load": (b"cnumpy\nload\n(S'x'\ntR.", "GLOBAL numpy load"),
    "stack-global": (b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x08touch {}\x85R.", "GLOBAL os system"),
    "stack-global-of-arrays": (b"\x80\x04)(t\x93.", r"STACK_GLOBAL \(\(\), \(\)\)"),
    "eval": (b"c__builtin__\neval\n(S'1'\ntR.", "GLOBAL __builtin__ eval"),
    "getattr": (b"\x80\x04\x8c\x08builtins\x8c\x07getattr\x93.", "GLOBAL builtins getattr"),
    "dotted": (b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", "GLOBAL numpy ndarray.tofile"),
    "copyreg": (b"ccopy_reg\n_reconstructor\n(tR.", "GLOBAL copy_reg _reconstructor"),
    "inst": (b"(S'touch {}'\nios\nsystem\n.", "INST os system"),
    "obj": (b"(cos\nsystem\nS'touch {}'\no.", "GLOBAL os system"),
    "obj-of-ndarray": (b"(cnumpy\nndarray\nK\x01o.", "OBJ"),
    "newobj": (b"\x80\x02cnumpy\nndarray\nK\x01\x85\x81.", "NEWOBJ"),
    "newobj-ex": (b"\x80\x04cnumpy\nndarray\n)}\x92.", "EMPTY_DICT"),
    "build": (b"cnumpy\nndarray\nK\x01b.", r"BUILD \(function, int\)"),
    "build-a-list": (b"]K\x01b.", r"BUILD \(\(\), int\)"),
    "reduce-ndarray": (b"cnumpy\nndarray\nK\x04\x85R.", r"REDUCE \(function, \(int\)\)"),
    "reduce-a-text": (b"S'os.system'\n(S'x'\ntR.", r"REDUCE \(bytes, \(bytes\)\)"),
    "reconstruct-another-class": (b"cnumpy.core.multiarray\n_reconstruct\n(cos\nsystem\ntR.", "GLOBAL os system"),
    "reconstruct-a-dtype": (b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\ndtype\nK\x00\x85U\x01b\x87R.", "REDUCE"),
    "encode-by-another-codec": (b"c_codecs\nencode\nX\x01\0\0\0aX\x03\0\0\0hex\x86R.", "REDUCE"),
    "ext": (b"\x80\x02\x82\x01.", "EXT1 1"),
    "persistent": (b"Pfile\n.", "PERSID file"),
    "persistent-object": (b"K\x01Q.", "BINPERSID"),
    "out-of-band": (b"\x80\x05\x97.", "NEXT_BUFFER"),
    "dict": (pickle.dumps({"x": 1}), "EMPTY_DICT"),
    "set": (pickle.dumps({1}), "EMPTY_SET"),
    "object-array": (pickle.dumps((np.array([{}, 1], dtype=object), LABELS)), "dtype O8|EMPTY_DICT"),
    "object-dtype": (array_of(b"K\x04\x85", b"U\x02O8") + b".", "dtype O8"),
    "structure": (pickle.dumps((np.zeros(3, "u1,f4"), LABELS)), "dtype V5"),
    "many-operations": (b"\x80\x02" + b"K\x01" * 100_001 + b".", "more than 100,000 operations"),
    "control-characters": (b"c\x1b[2J\n\x07\n.", r"GLOBAL \\x1b\[2J \\x07"),
}


@pytest.mark.parametrize("name", EVIL)
def test_nothing_but_arrays_is_made(name: str, tmp_path: Path) -> None:
    content, received = EVIL[name]
    with pytest.raises(DataError, match=rf"(?s)holds more than arrays.*data.pkl, byte \d+.*received: {received}"):
        read(content.replace(b"{}", os.fsencode(tmp_path / "ran")), tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("protocol", range(6))
def test_code_beside_arrays_does_not_run(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps((PARTS[0], (PARTS[1][0], Runs(f"touch {tmp_path / 'ran'}"))), protocol)
    with pytest.raises(DataError, match="received: GLOBAL os popen"):
        read(content, tmp_path)
    assert not (tmp_path / "ran").exists()


DAMAGED = {
    "empty": (b"", "is no operation"),
    "no-stop": (b"K\x01", "is no operation"),
    "no-values": (b"\x86.", "too few values"),
    "nothing-to-stop-with": (b".", "empty list"),
    "no-mark": (b"t.", "empty list"),
    "unknown-memo": (b"h\x07.", "7"),
    "shape-too-large": (
        array_of(b"J\xff\xff\xff\x7fJ\xff\xff\xff\x7f\x86") + b".",
        "an array of 2147483647×2147483647 numbers",
    ),
    "shape-of-nothing": (
        array_of(b"K\x00\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f\x86", content=b"U\0") + b".",
        "an array of",
    ),
    "shape-negative": (array_of(b"J\xfc\xff\xff\xffJ\xff\xff\xff\xff\x86") + b".", r"an array of \(int, int\) numbers"),
    "shape-of-long-numbers": (array_of(b"\x8b\0\0\x10\0" + bytes(2**20 - 1) + b"\x01" + b"\x85") + b".", "an array of"),
    "shape-of-texts": (array_of(b"U\x014\x85") + b".", r"an array of \(bytes\) numbers"),
    "shape-of-many": (array_of(b"(" + b"K\x01" * 33 + b"t", content=b"U\x01a") + b".", "an array of"),
    "claims-too-much": (b"\x80\x04\x8e\0\0\0\0\0\x01\0\0abc.", "needs more memory than there is"),
    "more-behind": (pickle.dumps(PARTS) + b"K", "bytes after the end"),
    "not-a-text": (b"S'abc\n.", "no quotes"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged(name: str, tmp_path: Path) -> None:
    content, received = DAMAGED[name]
    with pytest.raises(DataError, match=received) as caught:
        read(content, tmp_path)
    assert caught.value.where == tmp_path / "data.pkl"


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (1, "int"),
        ("text", "str"),
        (IMAGES, "array"),
        ((IMAGES, [1, 2]), r"\(array, \(int, int\)\)"),
        ((PARTS, PARTS), r"\(\(\(, \), \(, \), \(, \)\)|\(\("),
        ((*PARTS, PARTS[0]), r"\(\(array, array\), \(array, array\)"),
        ((), r"\(\)"),
        ((np.array(3), np.array(3)), r"\(array, array\)"),
    ],
)
def test_arrays_in_another_order(value: object, received: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"(?s)does not hold images with labels.*received: {received}.*try:"):
        read(pickle.dumps(value), tmp_path)


@pytest.mark.parametrize("deep", [b"]q\x00h\x00a.", b"]q\x00" + b"h\x00h\x00\x86q\x00" * 100 + b"."])
def test_a_list_in_itself_and_a_billion_of_tuples(deep: bytes, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="does not hold images with labels"):
        read(deep, tmp_path)


def test_a_text_encoded_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.support.memory.SMALL", 1 << 20)
    monkeypatch.setattr("glassnet.support.memory.available", lambda: float(1 << 21))
    text = b"X" + struct.pack("<i", 1 << 16) + b"a" * (1 << 16)
    once = b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R"
    with pytest.raises(DataError, match="needs more memory than there is"):
        read(b"\x80\x02" + text + b"q\x00" + once * 100 + b".", tmp_path)
    with pytest.raises(DataError, match="needs more memory than there is"):  # 4 MB of zeros in 4 kB
        read(gzip.compress(b"T" + struct.pack("<i", 1 << 22) + bytes(1 << 22) + b"."), tmp_path, "data.pkl.gz")
    with pytest.raises(DataError, match="needs more memory than there is"):
        read(gzip.compress(b"S'" + bytes(1 << 22)), tmp_path, "data.pkl.gz")


def test_every_other_operation_is_refused_by_name(tmp_path: Path) -> None:
    for opcode in pickletools.opcodes:
        if opcode.name not in OPERATIONS and opcode.name != "STOP":
            with pytest.raises(DataError, match=f"received: {opcode.name}"):
                read(opcode.code.encode("latin-1") + bytes(16) + b"\n\n", tmp_path)


def test_only_these_names() -> None:
    names = {name for name in pickle_machine.GLOBALS if not name.startswith(("numpy._core", "numpy.core"))}
    assert names == {"numpy ndarray", "numpy dtype", "_codecs encode"}
    assert set(pickle_machine.GLOBALS.values()) == {"_reconstruct", "_frombuffer", "ndarray", "dtype", "encode"}


SMALL = ((IMAGES[:6, :4], LABELS[:6].astype(np.uint8)), (IMAGES[6:, :4], LABELS[6:].astype(np.uint8)))
WRITTEN = [pickle.dumps(SMALL, protocol) for protocol in range(6)]
WRITTEN += [b"(" + b"".join(two(array(x), array(y), protocol) for x, y in SMALL) + b"t."
            for protocol, array in ((0, python_2_text), (2, python_2))]  # fmt: skip


@pytest.mark.parametrize("content", WRITTEN)
@pytest.mark.filterwarnings("ignore::glassnet.DataWarning")
def test_changed_bytes_are_refused_or_numbers(content: bytes, tmp_path: Path) -> None:
    for seed in range(150):
        path = tmp_path / "data.pkl"
        path.write_bytes(mangled(content, seed))
        try:
            found = read_pickle(path, ImageOptions())
        except DataError:
            continue
        assert found.train.images.dtype in (np.uint8, np.float32)


PIECES = [
    b"cnumpy.core.multiarray\n_reconstruct\n", b"cnumpy.core.numeric\n_frombuffer\n", b"c_codecs\nencode\n",
    b"cnumpy\nndarray\n", b"cnumpy\ndtype\n", array_of(b"K\x04\x85"), array_of(b"K\x02K\x02\x86"),
    b"K\x00", b"K\x04", b"\x8a\x01\xff", b"N", b"\x88", b"\x89", b"C\x04abcd", b"X\x06\0\0\0latin1",
    *(b"U" + bytes([len(text)]) + text for text in (b"u1", b"b", b"<", b"C", b"abcd")),
    *(bytes([code]) for code in b"()t]lae\x85\x86\x87Rb\x93\x94"), b"q\x00", b"q\x01", b"h\x00", b"h\x01",
]  # fmt: skip


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=25))
def test_any_order_of_operations(pieces: list[bytes]) -> None:
    with contextlib.suppress(DataError, ValueError, IndexError, KeyError):  # `reading` turns the others into a DataError
        Machine(io.BytesIO(b"".join(pieces) + b"."), Path("data.pkl")).run()
