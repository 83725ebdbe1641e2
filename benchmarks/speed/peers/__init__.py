"""The peers: one file each, imported only when used."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

from benchmarks.speed.peers.base import Peer


@dataclass(frozen=True)
class Entry:
    """The module and class of a peer, and the package it needs."""

    module: str
    cls: str
    needs: str | None = None
    install: str = ""
    fraction: float = 1.0
    compiles: bool = False

    @property
    def missing(self) -> str | None:
        """A message if the peer's library is not installed, else None."""
        if self.needs is None or importlib.util.find_spec(self.needs) is not None:
            return None
        return f"not installed (pip install {self.install})"

    def load(self) -> type[Peer[Any]]:
        found: type[Peer[Any]] = getattr(importlib.import_module(f"{__name__}.{self.module}"), self.cls)
        return found


_TORCH = '"torch==2.13.0"'

PEERS: dict[str, Entry] = {
    "ours": Entry("ours", "Ours", compiles=True),
    "numpy": Entry("vectorised", "Vectorised"),
    "sklearn": Entry("scikit", "Scikit", "sklearn", "scikit-learn"),
    "torch-eager": Entry("torch_eager", "TorchEager", "torch", _TORCH),
    "torch-argmax": Entry("torch_eager", "TorchArgmax", "torch", _TORCH),
    "torch-compiled": Entry("torch_compiled", "TorchCompiled", "torch", _TORCH, compiles=True),
    "torch-net": Entry("torch_net", "TorchNet", "torch", _TORCH),
    "torch-net-last": Entry("torch_net", "TorchNetLast", "torch", _TORCH),
    "torch-net-compiled": Entry("torch_net", "TorchNetCompiled", "torch", _TORCH, compiles=True),
    "torch-net-last-compiled": Entry("torch_net", "TorchNetLastCompiled", "torch", _TORCH, compiles=True),
    "jax-scan": Entry("jax_scan", "JaxScan", "jax", '"jax>=0.10"', compiles=True),
    "jax-net": Entry("jax_net", "JaxNet", "jax", '"jax>=0.10"', compiles=True),
    "onnxruntime": Entry("exported", "OnnxRuntime", "onnxruntime", '"onnxruntime>=1.31" onnx'),
    "openvino": Entry("exported", "OpenVino", "openvino", '"openvino>=2025.4" onnx'),
    "nielsen": Entry("nielsen", "Nielsen", fraction=0.02),
}

__all__ = ["PEERS", "Entry", "Peer"]
