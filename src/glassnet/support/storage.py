"""Networks as files: safetensors for the arrays, a JSON header for the rest. Written in one step; nothing is unpickled."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.errors import InputError, ModelFileError, ModelFileWarning, reason, writing
from glassnet.support.arrays import Array
from glassnet.support.atomic import replacing
from glassnet.support.i18n import tr

FOREIGN = (".h5", ".hdf5", ".keras", ".pkl", ".pickle", ".joblib", ".pt", ".pth", ".onnx", ".npz")  # of other libraries
FORMAT = 2
PREVIOUS = 1  # without a checksum; such files are still read
_UNKNOWN = b"0" * 64  # where the checksum stands, while it is computed
_MARK = rb"{\"format\": 2, \"sha256\": \""  # what stands before it, as a text within JSON


def write_tensors(path: Path, tensors: dict[str, Array], header: dict[str, Any], *, durable: bool = False) -> None:
    """Write named arrays and a JSON header as one safetensors file, replacing any file there.

    The header begins with the SHA-256 of the whole file, computed with 64 zeros in its own place.
    """
    from safetensors.numpy import save

    content = save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        {"glassnet": json.dumps({"format": FORMAT, "sha256": _UNKNOWN.decode(), **header}, ensure_ascii=False)},
    )
    found = _around_checksum(content)
    assert found is not None
    before, after = found
    with writing(path), replacing(path, durable=durable) as file:
        file.writelines((before, _checksum(before, after), after))


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the header of a file that must hold a `kind` ("model", "checkpoint"), exactly as it was written.

    Files of format 1 have no checksum: they are read with a `ModelFileWarning`.
    """
    refused = partial(ModelFileError, where=path, expected=tr("a {kind} saved by glassnet", kind=tr(kind)))
    tensors, metadata, checked = _load(path, refused)
    try:
        header = json.loads(metadata["glassnet"])
        if not isinstance(header, dict):
            raise ValueError("no JSON object")
    except (KeyError, ValueError, RecursionError):
        raise refused(tr("The file was not saved by glassnet."), received=tr("no glassnet header")) from None
    if header.get("format") not in (FORMAT, PREVIOUS):
        raise ModelFileError(
            tr("The file has another version."),
            where=path,
            expected=tr("format {version}", version=FORMAT),
            received=tr("format {version}", version=header.get("format")),
            hint=tr("save it again with this version of glassnet, or install the version that saved it"),
        )
    is_old = list(header)[:2] == ["format", "kind"] and header["format"] == PREVIOUS
    if not checked and not is_old:
        what = tr("The checksum of the file does not match: it is damaged or was changed after it was saved.")
        raise refused(what, received=tr("other bytes"), hint=tr("use an undamaged copy"))
    if header.get("kind") != kind:
        raise refused(tr("The file is not a {kind}.", kind=tr(kind)), received=tr("a {kind}", kind=header.get("kind")))
    if is_old:
        what = tr("saved by an earlier version without a checksum. Damage can't be detected: save it again.")
        warnings.warn(f"{path}: {what}", ModelFileWarning, stacklevel=3)  # the line that called Network.load
    return tensors, header


def _load(path: Path, refused: Callable[..., ModelFileError]) -> tuple[dict[str, Array], dict[str, str], bool]:
    """The arrays, the metadata, and whether there is a checksum that fits; all of one reading: a file may be replaced."""
    from safetensors import SafetensorError
    from safetensors.numpy import load

    if not path.is_file():
        raise refused(tr("There is no such file."))
    try:
        content = path.read_bytes()
        tensors = load(content)
        length = int.from_bytes(content[:8], "little")
        metadata = json.loads(content[8 : 8 + length]).get("__metadata__") or {}
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError, KeyError, RecursionError, MemoryError) as error:
        what = tr("The file can't be read: it is damaged, cut off or not a safetensors file.")
        raise refused(what, received=reason(error)) from None
    found = _around_checksum(content)
    is_whole = found is not None and content[len(found[0]) : len(content) - len(found[1])] == _checksum(*found)
    return tensors, metadata, is_whole


def _around_checksum(content: bytes) -> tuple[memoryview, memoryview] | None:
    """What stands before and after the checksum; None where there is none."""
    start = content.find(_MARK, 0, 8 + int.from_bytes(content[:8], "little"))
    if start < 0:
        return None
    start += len(_MARK)
    return memoryview(content)[:start], memoryview(content)[start + len(_UNKNOWN) :]


def _checksum(before: memoryview, after: memoryview) -> bytes:
    digest = hashlib.sha256(before)
    digest.update(_UNKNOWN)
    digest.update(after)
    return digest.hexdigest().encode()


def fill(arrays: dict[str, Array], tensors: dict[str, Array], path: Path) -> None:
    """Copy each tensor of the file into the array of its name; the names and shapes must agree."""
    for name in sorted(set(arrays) ^ set(tensors)):
        what, expected = tr("The arrays in the file are not those of the layers."), ", ".join(sorted(arrays))
        received = tr("{name} is missing", name=name) if name in arrays else tr("an additional {name}", name=name)
        raise ModelFileError(what, where=path, expected=expected, received=received)
    for name, array in arrays.items():
        found, where = tensors[name], f"{path}, {name}"
        if found.shape != array.shape:
            what = tr("An array in the file has the wrong shape.")
            raise ModelFileError(what, where=where, expected=array.shape, received=found.shape)
        if not np.isfinite(found).all():
            what = tr("An array in the file holds NaN or infinity.")
            raise ModelFileError(what, where=where, expected=tr("finite numbers"))
        array[...] = found


def model_path(value: str | Path) -> Path:
    """The path of a model file to write. Raises `InputError` for one that is named as the files of other libraries are."""
    path = as_path(value)
    if path.suffix.lower() in FOREIGN:
        what, hint = tr("glassnet writes models as .safetensors files."), repr(str(path.with_suffix(".safetensors")))
        raise InputError(what, where="save(path)", expected=".safetensors", received=path.suffix, hint=hint)
    return path


def as_path(value: str | Path) -> Path:
    """A path from a text or a path."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise InputError(tr("This is not a path."), expected=tr("a file name"), received=repr(value))
    return Path(value)
