"""Networks as files: safetensors for the arrays, a JSON header for the rest. Written in one step; nothing is unpickled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.atomic import write_bytes
from glassnet.errors import InputError, ModelFileError, RunError
from glassnet.reference import Array

FORMAT = 1


def write_tensors(path: Path, tensors: dict[str, Array], header: dict[str, Any], *, durable: bool = False) -> None:
    """Write named arrays and a JSON header as one safetensors file, replacing any file there."""
    from safetensors.numpy import save

    content = save(
        {name: np.ascontiguousarray(array) for name, array in tensors.items()},
        {"glassnet": json.dumps({"format": FORMAT, **header}, ensure_ascii=False)},
    )
    try:
        write_bytes(path, content, durable=durable)
    except OSError as error:
        raise RunError(
            "The file can't be written.",
            where=path,
            received=error.strerror or str(error),
            hint="choose a folder that exists and that you may write to",
        ) from None


def read_tensors(path: Path, kind: str) -> tuple[dict[str, Array], dict[str, Any]]:
    """The arrays and the header of a file that must hold a `kind` ("model", "checkpoint")."""
    from safetensors import SafetensorError, safe_open

    expected = f"a {kind} saved by glassnet"
    if not path.is_file():
        raise ModelFileError("There is no such file.", where=path, expected=expected)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (not a dict)
    except (SafetensorError, OSError, ValueError, TypeError, AttributeError) as error:
        raise ModelFileError(
            "The file can't be read: it is damaged, cut short, or no safetensors file.",
            where=path,
            expected=expected,
            received=str(error),
        ) from None
    try:
        header = json.loads(metadata["glassnet"])
        if not isinstance(header, dict):
            raise ValueError("no JSON object")
    except (KeyError, ValueError):
        raise ModelFileError(
            "The file was not saved by glassnet.", where=path, expected=expected, received="no glassnet header"
        ) from None
    if header.get("format") != FORMAT:
        raise ModelFileError(
            "The file has another version.",
            where=path,
            expected=f"format {FORMAT}",
            received=f"format {header.get('format')}",
            hint="save it anew with this version of glassnet, or install the version that saved it",
        )
    if header.get("kind") != kind:
        raise ModelFileError(f"The file is no {kind}.", where=path, expected=expected, received=f"a {header.get('kind')}")
    return tensors, header


def fill(arrays: dict[str, Array], tensors: dict[str, Array], path: Path) -> None:
    """Copy each tensor of the file into the array of its name; the names and shapes must agree."""
    for name in sorted(set(arrays) ^ set(tensors)):
        raise ModelFileError(
            "The file's arrays are not those of its layers.",
            where=path,
            expected=", ".join(sorted(arrays)),
            received=f"{name} is {'missing' if name in arrays else 'too many'}",
        )
    for name, array in arrays.items():
        if tensors[name].shape != array.shape:
            raise ModelFileError(
                "An array of the file has the wrong shape.",
                where=f"{path}, {name}",
                expected=array.shape,
                received=tensors[name].shape,
            )
        if not np.isfinite(tensors[name]).all():
            raise ModelFileError(
                "An array of the file holds NaN or infinity.", where=f"{path}, {name}", expected="finite numbers"
            )
        array[...] = tensors[name]


def as_path(value: str | Path) -> Path:
    """A path from a text or a path."""
    if not isinstance(value, (str, Path)) or not str(value):
        raise InputError("This is no path.", expected="a file name", received=repr(value))
    return Path(value)
