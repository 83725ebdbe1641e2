"""Networks lowered for WebAssembly: programs as plain arrays and numbers, for js/engine.js.

Sizes of panels and padding follow the vector unit, so lowering runs in a process of its own, with GLASSNET_SIMD=wasm:
`python -m glassnet.present.page.lowering FOLDER` reads FOLDER/jobs.json and the models beside it, and writes
programs.safetensors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np

from glassnet.compiler import OPTIMIZER_KINDS, assemble, can_lower, optimizer_options
from glassnet.compiler.program_builder import Program, Value
from glassnet.data.augmentation import Augmentation
from glassnet.errors import GlassnetError
from glassnet.kernels import opcodes as op
from glassnet.kernels.codegen.host import IS_WASM
from glassnet.kernels.context import Context, ParamGroup
from glassnet.kernels.records import Record
from glassnet.kernels.sizes import PADDING, UPDATE_BLOCK
from glassnet.network import Network
from glassnet.nn import Layer
from glassnet.nn.optimizers import Optimizer, as_optimizer
from glassnet.runtime.trainer import param_groups
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import describe
from glassnet.support.storage import read_tensors, write_tensors

JOBS, PROGRAMS = "jobs.json", "programs.safetensors"


@dataclass(frozen=True)
class Job:
    """A program of a network: to "show" every layer of one image, or to "train" on mini-batches of up to `capacity`."""

    purpose: str
    capacity: int = 1
    is_bytes: bool = True
    optimizer: Optimizer | None = None
    augmentation: Augmentation | None = None


@dataclass(frozen=True)
class Lowered:
    """A program, as JSON (`fields`) and arrays: code, records, constants; of a training, param_groups and options too."""

    fields: dict[str, Any]
    arrays: dict[str, Array]


def context_fields() -> dict[str, Any]:
    """The layout of the interpreter's context: its size, and each field's offset in bytes."""
    return {
        "size": Context.dtype.itemsize,
        "offsets": _offsets(Context),
        "floats": [name for name in _offsets(Context) if Context.dtype[name] == np.float64],
        "group": _offsets(ParamGroup),
        "group_size": ParamGroup.dtype.itemsize,
    }


def _offsets(kind: type[Record]) -> dict[str, int]:
    fields: Any = kind.dtype.fields
    return {name: field[1] for name, field in fields.items()}


def lower_for_page(work: Sequence[tuple[Network, Sequence[Job]]]) -> tuple[list[list[Lowered]], dict[str, Any]]:
    """The programs of each network, and the layout of the context."""
    for network, _ in work:
        if not can_lower(network):
            raise GlassnetError(
                tr("The page can't compute this network: the kernels don't know all its layers, or it is not float32."),
                where=repr(network),
            )
    with tempfile.TemporaryDirectory(prefix="glassnet-page-") as name:
        folder, jobs = Path(name), []
        for number, (network, wanted) in enumerate(work):
            network.save(folder / f"{number}.safetensors")
            jobs.append([_described(job) for job in wanted])
        (folder / JOBS).write_text(json.dumps(jobs))
        environment = dict(os.environ, GLASSNET_SIMD="wasm", PYTHONPATH=os.pathsep.join(filter(None, sys.path)))
        command = [sys.executable, "-P", "-m", __name__, str(folder)]
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        if done.returncode:
            raise GlassnetError(
                tr("The network could not be lowered for the page."), where=__name__, received=done.stderr.decode()[-2000:]
            )
        arrays, header = read_tensors(folder / PROGRAMS, "programs")
    found = [
        [
            Lowered(fields, {key: arrays[f"{number}.{place}.{key}"] for key in fields.pop("arrays")})
            for place, fields in enumerate(programs)
        ]
        for number, programs in enumerate(header["networks"])
    ]
    return found, header["context"]


def _described(job: Job) -> dict[str, Any]:
    made = {"purpose": job.purpose, "capacity": job.capacity, "is_bytes": job.is_bytes}
    optimizer = None if job.optimizer is None else describe(job.optimizer)
    return {**made, "optimizer": optimizer, "augmentation": None if job.augmentation is None else asdict(job.augmentation)}


def lower_job(network: Network, job: Job) -> Lowered:
    """The program of one job, for the vector unit of this process."""
    height, width, channels = (*network.input_shape, 1, 1)[:3]
    program = assemble(
        network,
        job.capacity,
        is_bytes=job.is_bytes,
        purpose=job.purpose,
        augmentation=job.augmentation,
        image_shape=(height, width, channels),
    )
    arrays: dict[str, Array] = {"code": program.code, "records": program.records, "constants": program.constants}
    opcodes = set(program.code[:, 0].tolist())
    fields: dict[str, Any] = {
        "purpose": job.purpose, "is_bytes": int(job.is_bytes), "capacity": program.capacity, "forward": program.forward,
        "instructions": len(program.code), "workspace": int(program.workspace) + PADDING, "rows": int(program.rows),
        "scratch": int(program.scratch) + 4 * PADDING, "keys": program.keys, "augmented": int(program.augmented),
        "units": [name for name, members in op.UNITS.items() if not opcodes.isdisjoint(members)],
        "seen": _seen(network, program), "input_gradient": int(program.input_gradient),
    }  # fmt: skip
    if job.optimizer is not None:
        groups = np.array(param_groups(network, job.optimizer), dtype=ParamGroup.dtype)
        arrays |= {"param_groups": groups.view(np.uint8), "options": optimizer_options(job.optimizer).view(np.uint8)}
        fields |= {
            "optimizer": OPTIMIZER_KINDS[type(job.optimizer)], "moments": job.optimizer.moments,
            "rate": float(job.optimizer.schedule.rates(0, 1, 1)[0]),
            "clip_norm": job.optimizer.clip_norm, "groups": len(groups),
            "square_sums": int((groups["size"] // UPDATE_BLOCK + 1).sum()) + 1,
        }  # fmt: skip
    return Lowered(fields, arrays)


def _seen(network: Network, program: Program) -> list[dict[str, Any]]:
    paths = dict(layer_paths(network.layers))
    by_layer = {id(layer): path for path, layer in paths.items()}
    return [{"path": by_layer[id(seen.layer)], **_place(seen.value), "gradient": int(seen.gradient)} for seen in program.seen]


def _place(value: Value) -> dict[str, Any]:
    shape = [int(side) for side in value.shape]
    return {"at": int(value.at), "scale": float(value.scale), "shape": shape, "images": bool(value.at < 0)}


def layer_paths(layers: Sequence[Layer], before: str = "") -> list[tuple[str, Layer]]:
    """Each layer by its path: "3", and "3.0.1" for layer 1 of branch 0 inside it."""
    found = []
    for number, layer in enumerate(layers):
        path = f"{before}{number}"
        found.append((path, layer))
        for which, branch in enumerate(layer.branches):
            found += layer_paths(branch, f"{path}.{which}.")
    return found


def main(folder: Path) -> None:
    assert IS_WASM, "GLASSNET_SIMD=wasm"
    arrays: dict[str, Array] = {}
    networks = []
    for number, jobs in enumerate(json.loads((folder / JOBS).read_text())):
        network, programs = Network.load(folder / f"{number}.safetensors"), []
        for place, fields in enumerate(jobs):
            lowered = lower_job(network, _job(fields))
            arrays |= {f"{number}.{place}.{key}": array for key, array in lowered.arrays.items()}
            programs.append({**lowered.fields, "arrays": list(lowered.arrays)})
        networks.append(programs)
    header = {"kind": "programs", "context": context_fields(), "networks": networks}
    write_tensors(folder / PROGRAMS, arrays, header)


def _job(fields: dict[str, Any]) -> Job:
    optimizer, augmentation = fields["optimizer"], fields["augmentation"]
    return replace(
        Job(**fields),
        optimizer=optimizer and cast("Optimizer", as_optimizer(optimizer, "optimizer")),
        augmentation=augmentation and Augmentation(**augmentation),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
