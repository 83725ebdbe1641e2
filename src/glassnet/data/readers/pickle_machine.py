"""Pickled arrays without unpickling: a few of pickle's operations are carried out here. They only make NumPy arrays, tuples,
lists, numbers and texts, and dictionaries where a format has them; any other operation, and any other name than those in
`GLOBALS`, is refused.
"""

from __future__ import annotations

import codecs
import math
import pickletools
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from glassnet.errors import DataError
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory_for_data

MOST_DIMENSIONS = 32
PIECE = 1 << 20
MOST_OPERATIONS = 100_000  # Nielsen's file has 200; each may take some bytes of memory
GLOBALS = {
    f"{module} {name}": name
    for name, modules in {
        "_reconstruct": ("numpy.core.multiarray", "numpy._core.multiarray"),
        "_frombuffer": ("numpy.core.numeric", "numpy._core.numeric"),
        "ndarray": ("numpy",),
        "dtype": ("numpy",),
        "encode": ("_codecs",),  # bytes, in protocols before 3
    }.items()
    for module in modules
}
NUMBERS_OR_TEXTS = re.compile(r"[<>|=]?(b1|[iu][1248]|f[248]|[SU]\d{1,5})")


@dataclass(frozen=True)
class _Name:
    """One of `GLOBALS`: a mark that this machine knows, never the object of that name."""

    name: str


@dataclass
class _Kind:
    """A dtype while it is made."""

    dtype: np.dtype[Any]


@dataclass
class PickledArray:
    """An array while it is made: empty at first, then filled by BUILD."""

    array: npt.NDArray[Any] | None = None


class _File:
    """A file as `pickletools` reads it, which refuses what does not fit into memory."""

    def __init__(self, file: IO[bytes], path: object) -> None:
        self._file, self._path, self.position, self._checked = file, path, 0, 0

    def _count(self, length: int) -> None:
        self.position += length
        if self.position > self._checked + PIECE:
            require_memory_for_data(2 * self.position, tr("what was unpacked so far"), self._path)
            self._checked = self.position

    def read(self, length: int) -> bytes:
        self._count(length)
        return self._file.read(length)

    def readline(self) -> bytes:
        line = bytearray()
        while not line.endswith(b"\n") and (piece := self._file.readline(PIECE)):
            self._count(len(piece))
            line += piece
        return bytes(line)


class Machine:
    """Pickle's stack machine, with the operations that arrays need; `run` gives a value with `PickledArray`s in it.

    `dicts`: whether to make dictionaries, too, with texts as keys. `most`: the most operations.
    """

    def __init__(self, file: IO[bytes], path: object, *, dicts: bool = False, most: int = MOST_OPERATIONS) -> None:
        self._file, self._path = _File(file, path), path
        self._operations, self._most = OPERATIONS | (DICTS if dicts else {}), most
        self._stack: list[Any] = []
        self._marks: list[int] = []  # heights of the stack
        self._memo: dict[int, Any] = {}
        self._encoded = 0  # bytes made from texts

    def run(self) -> object:
        for _ in range(self._most):
            code = self._file.read(1)
            opcode = CODES.get(code.decode("latin-1"))
            if opcode is None:
                raise ValueError(f"byte {self._file.position}: {code!r} is no operation")
            if opcode.name == "STOP":
                return self._stack.pop()
            read = READERS.get(opcode.name, opcode.arg and opcode.arg.reader)
            argument = read(self._file) if read else None
            if opcode.name not in self._operations:
                raise self._refused(f"{opcode.name} {_shown(argument)}")
            self._operations[opcode.name](self, argument)
        raise self._refused(tr("more than {count:,} operations", count=self._most))

    def _refused(self, received: str) -> DataError:
        return DataError(
            tr("The pickle holds more than arrays. Loading it could run any code, so it is not loaded."),
            where=tr("{path}, byte {position}", path=self._path, position=self._file.position),
            expected=tr("NumPy arrays of numbers or texts, in tuples or lists"),
            received=received,
            hint=tr("np.savez with the arrays alone writes a file that can be read"),
        )

    def push(self, value: object) -> None:
        self._stack.append(value)

    def mark(self, _: object) -> None:
        self._marks.append(len(self._stack))

    def since_mark(self) -> list[Any]:
        start = self._marks.pop()
        items, self._stack[start:] = self._stack[start:], []
        return items

    def last(self, count: int) -> list[Any]:
        if len(self._stack) < count:
            raise ValueError(f"byte {self._file.position}: too few values on the stack")
        return [self._stack.pop() for _ in range(count)][::-1]

    def extend(self, items: list[Any]) -> None:
        if not isinstance(self._stack[-1], list):
            raise self._refused(f"APPEND {outline(self._stack[-1])}")
        self._stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        """Set pairs of keys and values; keys are texts, in Python 2 bytes."""
        keys = items[::2]
        if not isinstance(self._stack[-1], dict) or len(items) % 2 or not all(isinstance(key, (str, bytes)) for key in keys):
            raise self._refused(f"SETITEMS {outline([self._stack[-1], items])}")
        texts = [key.decode("latin-1") if isinstance(key, bytes) else key for key in keys]
        self._stack[-1].update(zip(texts, items[1::2], strict=True))

    def make_dict(self, items: list[Any]) -> None:
        self.push({})
        self.update(items)

    def put(self, place: int | None) -> None:
        self._memo[len(self._memo) if place is None else place] = self._stack[-1]

    def get(self, place: int) -> None:
        self.push(self._memo[place])

    def find(self, name: str) -> None:
        if name not in GLOBALS:
            raise self._refused(f"GLOBAL {_shown(name)}")
        self.push(_Name(GLOBALS[name]))

    def find_pushed(self, _: object) -> None:
        match self.last(2):
            case str() as module, str() as name:
                self.find(f"{module} {name}")
            case others:
                raise self._refused(f"STACK_GLOBAL {outline(others)}")

    def reduce(self, _: object) -> None:
        """What the call of a function with a tuple of arguments would make."""
        match self.last(2):
            case _Name("_reconstruct"), (_Name("ndarray"), tuple(), bytes() | str()):
                self.push(PickledArray())
            case _Name("dtype"), (str() | bytes() as name, *_):
                self.push(_Kind(self._dtype(name)))
            case _Name("_frombuffer"), (
                bytes() | bytearray() as content,
                _Kind() as kind,
                tuple() as shape,
                str() | bytes() as order,
            ):
                self.push(PickledArray(_filled(content, kind, shape, fortran=order in ("F", b"F"))))
            case _Name("encode"), (str() as text, "latin1"):
                self._encoded += len(text)  # one long text may be encoded again and again
                require_memory_for_data(2 * self._encoded, tr("what was unpacked so far"), self._path)
                self.push(text.encode("latin-1"))
            case others:
                raise self._refused(f"REDUCE {outline(others)}")

    def _dtype(self, name: str | bytes) -> np.dtype[Any]:
        text = name.decode("latin-1") if isinstance(name, bytes) else name
        if not NUMBERS_OR_TEXTS.fullmatch(text):
            raise self._refused(f"dtype {_shown(text)}")
        return np.dtype(text)

    def build(self, _: object) -> None:
        """Fill a dtype, (version, byte order, None, None, None, …), or an array, (version, shape, dtype, Fortran, bytes)."""
        made, state = self.last(2)
        match made, state:
            case _Kind(), (int(), str() | bytes() as order, None, None, None, *_):
                order = order.decode() if isinstance(order, bytes) else order
                made.dtype = made.dtype.newbyteorder(order)  # type: ignore[arg-type]  # NumPy refuses other letters
            case PickledArray(None), (int(), tuple() as shape, _Kind() as kind, int() as fortran, bytes() as content):
                made.array = _filled(content, kind, shape, fortran=bool(fortran))
            case _:
                raise self._refused(f"BUILD {outline([made, state])}")
        self.push(made)


def outline(value: object, depth: int = 2) -> str:
    """What a value is, in a few words: it may be nested deeply, and hold itself."""
    if isinstance(value, (tuple, list)) and depth:
        inside = ", ".join(outline(item, depth - 1) for item in value[:4])
        return f"({inside}, … {len(value)})" if len(value) > 4 else f"({inside})"
    return {PickledArray: "array", _Kind: "dtype", _Name: "function"}.get(type(value), type(value).__name__)


def _filled(content: bytes | bytearray, kind: _Kind, shape: tuple[Any, ...], *, fortran: bool) -> npt.NDArray[Any]:
    """Raises `ValueError` where the shape does not fit the bytes."""
    whole = len(shape) <= MOST_DIMENSIONS and all(isinstance(size, int) and 0 <= size < 2**48 for size in shape)
    if not whole or math.prod(shape) * kind.dtype.itemsize != len(content):
        size = "×".join(map(str, shape)) if whole else outline(shape)
        raise ValueError(f"an array of {size} numbers, {kind.dtype}, in {len(content):,} bytes")
    return np.frombuffer(content, kind.dtype).reshape(shape, order="F" if fortran else "C")


def _shown(value: object) -> str:
    """A number or text of the file, for a message: short and printable."""
    return "" if value is None else ascii(value if isinstance(value, int) else str(value)[:80]).strip("'")


def _read_string(file: Any) -> bytes:
    """A text of Python 2 in protocol 0, as its repr; `pickletools` takes ASCII alone."""
    line = file.readline().rstrip(b"\n")
    if len(line) < 2 or line[:1] not in b"'\"" or line[-1:] != line[:1]:
        raise ValueError("no quotes around a text")
    return codecs.escape_decode(line[1:-1])[0]


def _push_bytes(machine: Machine, text: str) -> None:
    machine.push(text.encode("latin-1"))


def _nothing(machine: Machine, _: object) -> None:
    """The version of the protocol, the length of a frame."""


def _constant(value: object) -> Operation:
    return lambda machine, _: machine.push(value)


def _tuple(count: int) -> Operation:
    return lambda machine, _: machine.push(tuple(machine.last(count)))


CODES = {opcode.code: opcode for opcode in pickletools.opcodes}
Operation = Callable[[Machine, Any], None]
READERS: dict[str, Callable[[Any], Any]] = {"STRING": _read_string}
PUSHED = """INT BININT BININT1 BININT2 LONG LONG1 LONG4 FLOAT BINFLOAT STRING UNICODE SHORT_BINUNICODE BINUNICODE BINUNICODE8
    SHORT_BINBYTES BINBYTES BINBYTES8 BYTEARRAY8"""
OPERATIONS: dict[str, Operation] = {
    **dict.fromkeys(("PROTO", "FRAME"), _nothing),
    **dict.fromkeys(PUSHED.split(), Machine.push),
    **dict.fromkeys(("BINSTRING", "SHORT_BINSTRING"), _push_bytes),  # of Python 2
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "MARK": Machine.mark,
    **{name: _tuple(count) for count, name in enumerate(("EMPTY_TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"))},
    "TUPLE": lambda machine, _: machine.push(tuple(machine.since_mark())),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "LIST": lambda machine, _: machine.push(machine.since_mark()),
    "APPEND": lambda machine, _: machine.extend(machine.last(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.since_mark()),
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), Machine.put),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), Machine.get),
    "GLOBAL": Machine.find,
    "STACK_GLOBAL": Machine.find_pushed,
    "REDUCE": Machine.reduce,
    "BUILD": Machine.build,
}
DICTS: dict[str, Operation] = {
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "DICT": lambda machine, _: machine.make_dict(machine.since_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.last(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.since_mark()),
}
