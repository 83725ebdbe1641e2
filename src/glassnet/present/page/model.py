"""What the page knows of a run: the network's layers and weights, its programs, some of its training images."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any, cast

import numpy as np

from glassnet.compiler import OPTIMIZER_KINDS
from glassnet.data import Dataset
from glassnet.data.style import ImageStyle
from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.nn import Layer, Nested, Standardize
from glassnet.nn.chain import name_layers
from glassnet.nn.optimizers import Adam, Muon, ScipyMinimize
from glassnet.present.page.facts import facts_of
from glassnet.present.page.lowering import Job, layer_paths, lower_for_page
from glassnet.present.page.novelty import novelty_of
from glassnet.present.page.snapshots import pack_snapshots
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

SAMPLES = 300  # training images in a page
BATCH = 32  # at most so many drawings in a mini-batch


def kernels(name: str = "glassnet.wasm") -> Array:
    """The bytes of a WebAssembly module."""
    return np.frombuffer(files("glassnet.present.page").joinpath(name).read_bytes(), np.uint8)


def payload(runs: Sequence[Run]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of a page that shows these runs."""
    return payload_of([(run.network, _jobs(run), *describe_run(run)) for run in runs])


def payload_of(
    models: Sequence[tuple[Network, Sequence[Job], dict[str, Any], dict[str, Array]]],
) -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of networks with programs for these jobs, their entries of the header and their arrays."""
    arrays: dict[str, Array] = {"wasm": kernels(), "scalar": kernels("glassnet-scalar.wasm")}
    lowered, context = lower_for_page([(network, jobs) for network, jobs, *_ in models])
    entries = []
    for number, ((_, _, entry, own), programs) in enumerate(zip(models, lowered, strict=True)):
        found = {}
        for program in programs:
            places = {name: f"{program.fields['purpose']}.{name}" for name in program.arrays}
            own = own | {places[name]: array for name, array in program.arrays.items()}
            found[program.fields["purpose"]] = {**program.fields, "arrays": places}
        arrays |= {f"{number}.{name}": array for name, array in own.items()}
        entries.append({**entry, "key": str(number), "programs": found})
    return {"context": context, "models": entries}, arrays


def _jobs(run: Run) -> list[Job]:
    """Programs to show every layer, and to train on drawings as the run trained, without augmentation."""
    is_bytes, optimizer = run.splits.train.images.dtype == np.uint8, run.recipe.make_optimizer()
    if isinstance(optimizer, (Muon, ScipyMinimize)) or type(optimizer) not in OPTIMIZER_KINDS:
        optimizer = Adam()
    batch = min(run.recipe.training.batch_size or BATCH, BATCH)
    return [Job("show", is_bytes=is_bytes), Job("train", batch, is_bytes, optimizer)]


def describe_run(run: Run) -> tuple[dict[str, Any], dict[str, Array]]:
    """An entry of the header, without programs, and its arrays."""
    network, train = run.network, run.splits.train
    samples, labels = some_samples(train)
    style = network.image_style or ImageStyle.of(train)  # runs of earlier versions don't say
    novelty, known = novelty_of(network, train, run.splits.validation)
    entry = {
        "name": run.recipe.name,
        **describe_network(network),
        "shape": list(_image_shape(train)),
        "bytes": train.images.dtype == np.uint8,
        "samples": len(labels),
        "style": None if style is None else style.describe(),
        "novelty": novelty,
        "epochs": len(run.history.epochs),
        **facts_of(run),
    }
    arrays = {"state": network.state, "samples": samples, "labels": labels.astype(np.int32), **known}
    entry["snapshots"], packed = pack_snapshots(run, samples, labels)
    return entry, arrays | packed


def describe_network(network: Network) -> dict[str, Any]:
    """Layers, and what turns raw outputs into probabilities."""
    link = network.loss.link
    return {
        "classes": list(network.classes),
        "parameters": network.flat.size,
        "outputs": network.outputs,
        "threshold": network.threshold,
        "last": link or type(network.layers[-1]).__name__,
        "link": link is not None,
        "activation_in_loss": network.fuses_activation,
        "loss": type(network.loss).__name__,
        "penalised": [int(slot.penalised) for slot in network.slots],
        "layers": _layers(network),
    }


def _layers(network: Network) -> list[dict[str, Any]]:
    shapes: dict[str, tuple[Any, Any]] = {}
    for number, layer in enumerate(network.layers):
        shapes[str(number)] = network.shapes[number], network.shapes[number + 1]
        shapes |= _inner_shapes(layer, str(number))
    found, names = [], _names(network.layers)
    for path, layer in layer_paths(network.layers):
        settings = layer.describe()
        if isinstance(layer, Standardize):
            settings |= {key: values.ravel().tolist() for key, values in layer.statistics.items()}
        before, after = shapes[path]
        found.append({
            "path": path,
            "name": names[path],
            "branches": len(layer.branches),
            "type": settings.pop("type"),
            "settings": {} if layer.branches else settings,
            "inputShape": list(before),
            "outputShape": list(after),
            "parameters": {},
        })  # fmt: skip
    by_path = {layer["path"]: layer for layer in found}
    for slot in (*network.slots, *network.running_slots):
        path, key = _home(network, slot.layer, slot.key)
        by_path[path]["parameters"][key] = {"at": slot.offset, "shape": list(slot.shape), "trained": slot in network.slots}
    return found


def _names(layers: Sequence[Layer], path: str = "", name: str = "") -> dict[str, str]:
    """The name of each layer by its path, as the trace has it: residual1.0.conv2d1."""
    found: dict[str, str] = {}
    for number, (own, layer) in enumerate(zip(name_layers(layers), layers, strict=True)):
        found[f"{path}{number}"] = name + own
        for which, branch in enumerate(layer.branches):
            found |= _names(branch, f"{path}{number}.{which}.", f"{name}{own}.{which}.")
    return found


def _inner_shapes(layer: Layer, path: str) -> dict[str, tuple[Any, Any]]:
    """The shapes before and after each layer of the branches of a layer."""
    found: dict[str, tuple[Any, Any]] = {}
    for which, branch in enumerate(layer.branches if isinstance(layer, Nested) else ()):
        shapes = cast("Nested", layer).branch_shapes[which]
        for number, inner in enumerate(branch):
            place = f"{path}.{which}.{number}"
            found[place] = shapes[number], shapes[number + 1]
            found |= _inner_shapes(inner, place)
    return found


def _home(network: Network, number: int, key: str) -> tuple[str, str]:
    """The path of the layer that owns a parameter, and its name there: "3.0.0", "weight" for 0.conv2d1.weight of layer 3."""
    path, layer = str(number), network.layers[number]
    while layer.branches:
        which, name, key = key.split(".", 2)
        branch = layer.branches[int(which)]
        place = name_layers(branch).index(name)
        path, layer = f"{path}.{which}.{place}", branch[place]
    return path, key


def some_samples(data: Dataset, count: int = SAMPLES) -> tuple[Array, Array]:
    """Images and labels, as many of each class, in a fixed random order."""
    if data.labels.ndim != 1 or data.labels.dtype.kind not in "iu":
        raise InputError(tr("The page shows networks that tell classes apart."), where="export", expected=tr("class labels"))
    order = np.random.default_rng(0).permutation(len(data))
    rank = np.empty(len(data), np.int64)
    for label in np.unique(data.labels):
        mine = order[data.labels[order] == label]
        rank[mine] = np.arange(len(mine))
    chosen = order[np.argsort(rank[order], kind="stable")][:count]
    return data.images[chosen], data.labels[chosen]


def _image_shape(data: Dataset) -> tuple[int, int, int]:
    shape = (*data.images.shape[1:], 1, 1)[:3]
    return int(shape[0]), int(shape[1]), int(shape[2])
