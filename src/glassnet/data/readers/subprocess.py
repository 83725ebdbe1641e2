"""Reading files by C libraries, which a damaged file can crash or hang, in a process of its own that returns arrays."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from glassnet.data.readers.array_names import Role
from glassnet.errors import DataError, reason
from glassnet.support.i18n import tr
from glassnet.support.memory import DATA_FRACTION, available

Named = tuple[dict[Role, npt.NDArray[Any]], list[str]]
"""Arrays by their roles, and descriptions of all others."""

SECONDS, PER_MEGABYTE = 60.0, 1.0  # timeout of a reader
PIPE = 2**20  # bytes of the pipe's buffer, where the system allows it
HEADROOM = 2 * 2**30  # bytes that reading may take
EXPANSION = 1100  # more bytes for each byte of the file: deflate's limit is 1032


def read_in_subprocess(function: str, path: Path, what: str, **options: Any) -> Named:
    """Call `function` ("module:name") with the path and the options in a new interpreter.

    `what`: the kind of file, for messages. Raises the `DataError` that the function raised, and one where its process
    crashed or timed out.
    """
    python_path = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": python_path, "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "glassnet.data.readers.subprocess", json.dumps([function, str(path), options])]
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=stderr, pipesize=PIPE
        ) as reader,
    ):
        assert reader.stdout is not None
        seconds = SECONDS + PER_MEGABYTE * path.stat().st_size / 1e6
        timer, start = threading.Timer(seconds, reader.kill), time.monotonic()
        timer.start()
        try:
            return _received(reader.stdout, path)
        except EOFError:
            late = tr("the reader did not finish within {seconds:.0f} s", seconds=seconds)
            timed_out = time.monotonic() - start >= seconds
            raise unreadable(path, what, late if timed_out else _end(reader, stderr)) from None
        finally:
            timer.cancel()
            reader.kill()


def unreadable(path: Path | str, what: str, received: str, expected: str | None = None) -> DataError:
    """The error for a file that its library can't read."""
    return DataError(
        tr("The {what} can't be read: it is damaged, cut off or of another format.", what=what),
        where=path,
        expected=expected or tr("a whole file"),
        received=received,
        hint=tr("get the file again"),
    )


@contextlib.contextmanager
def reading(path: Path | str, what: str, expected: str | None = None) -> Iterator[None]:
    """Raise `unreadable` for whatever a library raises on a damaged file."""
    try:
        yield
    except DataError:
        raise
    except Exception as error:
        raise unreadable(path, what, reason(error), expected) from None


def _received(stream: IO[bytes], path: Path) -> Named:
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    head = json.loads(line)
    if "error" in head:
        error = head["error"]
        raise DataError(**error | {"where": path if error["where"] == str(path) else error["where"]})
    arrays: dict[Role, npt.NDArray[Any]] = {}
    for part, kind, dtype, shape, order in head["arrays"]:
        try:
            array = np.empty(shape, dtype, order)
        except MemoryError as error:
            raise DataError(tr("The array does not fit into memory."), where=path, received=str(error)) from None
        if array.nbytes and stream.readinto(_bytes(array)) < array.nbytes:  # type: ignore[attr-defined]  # a pipe is a BufferedReader
            raise EOFError
        arrays[part, kind] = array
    return arrays, head["others"]


def _bytes(array: npt.NDArray[Any]) -> memoryview:
    """An array's bytes, as they lie in memory."""
    return array.reshape(-1, order="A").view(np.uint8).data if array.nbytes else memoryview(b"")


def _end(reader: subprocess.Popen[bytes], stderr: IO[bytes]) -> str:
    """The exit code and the last line of what the process printed."""
    code = reader.wait()
    stderr.seek(0)
    lines = stderr.read().decode(errors="replace").strip().splitlines()
    ended = tr("the reader crashed, exit code {code}", code=code)
    return f"{ended}: {lines[-1]}" if lines else ended


def main() -> None:
    """In the new process: call the function, and write its results to the standard output."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints goes to the standard error
    function, name, options = json.loads(sys.argv[1])
    path = Path(name)
    _limit(path)
    module, _, attribute = function.partition(":")
    try:
        arrays, others = getattr(importlib.import_module(module), attribute)(path, **options)
        for (_, kind), array in arrays.items():
            if array.dtype.kind not in "biufcSU":
                what = tr("The array holds neither numbers nor texts.")
                raise DataError(what, where=f"{path}, {kind}", received=f"dtype {array.dtype}")
        whole = {role: a if a.flags.f_contiguous else np.ascontiguousarray(a) for role, a in arrays.items()}
        rows = [(*role, a.dtype.str, a.shape, "F" if a.flags.f_contiguous else "C") for role, a in whole.items()]
        head: dict[str, Any] = {"arrays": rows, "others": others}
    except DataError as error:
        whole = {}
        parts = {"where": str(error.where), "expected": error.expected, "received": error.received, "hint": error.hint}
        head = {"error": {"what": error.what, **{name: value and str(value) for name, value in parts.items()}}}
    with results:
        results.write(json.dumps(head).encode() + b"\n")
        for array in whole.values():
            results.write(_bytes(array))


def _limit(path: Path) -> None:
    """Leave no core dump, and no more memory than a file of this size can need."""
    with contextlib.suppress(ImportError, OSError, ValueError):  # not on every system
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        headroom = HEADROOM + EXPANSION * path.stat().st_size
        most = used + int(min(headroom, max(HEADROOM, DATA_FRACTION * available())))
        soft, hard = resource.getrlimit(resource.RLIMIT_AS)
        limits = [most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
        resource.setrlimit(resource.RLIMIT_AS, (min(limits), hard))


if __name__ == "__main__":
    main()
