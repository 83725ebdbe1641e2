"""The form "torch": `.pt2`, a program from images to probabilities, and `.safetensors`, a `state_dict`."""

from __future__ import annotations

import io
import json
import warnings
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.interop.export import Predict, Proof, export
from glassnet.interop.operations import operations_of
from glassnet.interop.to_torch import import_torch, to_torch
from glassnet.network import Network
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from torch import nn

SUFFIXES = (".pt2", ".safetensors")
BATCH = 256
HEADER = "glassnet"  # the metadata's key in a .safetensors, its file's name in a .pt2


def export_torch(model: Run | Network, path: str | Path, *, takes_bytes: bool | None = None) -> Proof:
    """Write a run or network as a file of PyTorch, by the ending of `path`, unless it answers differently there; the proof.

    `.pt2`: `torch.export.load(path).module()` gives probabilities (N, classes) for images (N, *input_shape),
    of any number. `takes_bytes`: whether they are uint8 (by default where the network begins with `Pixels`) or float32.
    `.safetensors`: the `state_dict` of `gn.to_torch(net)`, with classes, layers and the hash of the weights in its metadata.
    Raises `InputError` for another ending, a layer that PyTorch has no module for, and where PyTorch is not installed;
    `WriteError` where the file can't be written.
    """
    return export(model, path, "torch", takes_bytes=takes_bytes)


def encode(network: Network, metadata: dict[str, Any], *, takes_bytes: bool | None = None) -> bytes:
    """The bytes of a file with the ending of `metadata["file"]`."""
    suffix = Path(metadata["file"]).suffix.lower()
    if suffix not in SUFFIXES:
        what, where = tr("PyTorch's files have another ending."), "export_torch(path)"
        raise InputError(what, where=where, expected=" | ".join(SUFFIXES), received=repr(suffix))
    torch = import_torch("export_torch")
    takes_bytes = network.takes_pixels if takes_bytes is None else takes_bytes
    header = json.dumps({**metadata, "takes_bytes": takes_bytes, "network": network.describe()}, ensure_ascii=False)
    if suffix == ".safetensors":
        from safetensors.torch import save

        state = {name: tensor.contiguous() for name, tensor in to_torch(network).state_dict().items()}
        return save(state, {"format": "pt", HEADER: header})
    images = torch.zeros(2, *network.input_shape, dtype=torch.uint8 if takes_bytes else torch.float32)
    module = _with_probabilities(to_torch(network), network)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", r"The tensor attributes? self\..*_flat_weights"
        )  # nn.LSTM's list of its own parameters
        program = torch.export.export(module, (images,), dynamic_shapes=({0: torch.export.Dim("images")},))
    file = io.BytesIO()
    torch.export.save(program, file, extra_files={HEADER: header})
    return file.getvalue()


def predictor(content: bytes) -> Predict:
    """PyTorch's answers from such a file; a `state_dict` is loaded into the module of the network that the file describes."""
    torch = import_torch("export_torch")
    if content[:2] == b"PK":
        files = {HEADER: ""}
        module = torch.export.load(io.BytesIO(content), extra_files=files).module()
        header = json.loads(files[HEADER])
        kind = torch.uint8 if header["takes_bytes"] else torch.float32
    else:
        from safetensors.torch import load

        length = int.from_bytes(content[:8], "little")
        header = json.loads(json.loads(content[8 : 8 + length])["__metadata__"][HEADER])
        options = header["network"]
        network = Network(options.pop("layers"), **options)
        bare = to_torch(network)
        bare.load_state_dict(load(content), strict=True)
        module = _with_probabilities(bare, network)
        kind = None

    def predict(images: Array) -> Array:
        if kind == torch.uint8 and images.dtype != np.uint8:
            what, hint = tr("The program takes images of another type."), "takes_bytes=False"
            raise InputError(what, where="export_torch", expected="uint8", received=images.dtype, hint=hint)
        found = []
        with torch.no_grad():
            for first in range(0, len(images), BATCH):
                given = torch.tensor(images[first : first + BATCH])
                found.append(module(given if kind is None else given.to(kind)).numpy())
        return np.concatenate(found)

    return predict


def _with_probabilities(module: nn.Module, network: Stack) -> nn.Module:
    """The module, and behind it what the loss adds for probabilities."""
    from torch import nn

    from glassnet.interop import torch_modules as own

    ends: dict[str, Callable[[], nn.Module]] = {
        "softmax": lambda: nn.Softmax(-1),
        "sigmoid": nn.Sigmoid,
        "share": own.Share,
        "two_classes": own.TwoClasses,
    }
    modules = OrderedDict[str, nn.Module](network=module)
    for operation in operations_of(network):
        if operation.name in ("probabilities", "classes"):
            modules[operation.name] = ends[operation.kind]()
    return nn.Sequential(modules).eval()
