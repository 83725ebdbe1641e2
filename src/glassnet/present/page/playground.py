"""The playground: networks trained in a page, on the bundled digits; each that can be chosen is lowered beforehand."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.analysis.diagnosis.images import neighbours
from glassnet.compiler import OPTIMIZER_KINDS, optimizer_options
from glassnet.data import Dataset, load_dataset
from glassnet.data.style import ImageStyle
from glassnet.errors import writing
from glassnet.network import Network
from glassnet.nn.optimizers import SGD, Adam, Optimizer
from glassnet.present.page.bundle import bundle
from glassnet.present.page.lowering import Job, Lowered, lower_for_page
from glassnet.present.page.model import describe_network, kernels, some_samples
from glassnet.present.page.write import page_of
from glassnet.support.arrays import Array
from glassnet.support.atomic import write_text
from glassnet.support.i18n import tr

WIDTHS = {"dense": (5, 10, 30, 100), "conv": (4, 8, 16), "rnn": (8, 16, 32)}
HIDDEN = (0, 1, 2, 5)  # hidden layers of dense networks
ACTIVATIONS = ("Sigmoid", "Tanh", "ReLU")
LOSSES = ("Quadratic", "SoftmaxCrossEntropy")
OPTIMIZERS: dict[str, Optimizer] = {"SGD": SGD(0.5), "momentum": SGD(0.5, momentum=0.9), "Adam": Adam(0.01)}
SIZES = (30, 100, 300, 1259)  # training images, the first ones: about as many of each class
CAPACITY = 100  # images in the largest mini-batch


@dataclass(frozen=True)
class Choice:
    """An architecture of the page: "dense" with `hidden` layers, "conv" or "rnn", by name "dense-2-30-ReLU-Quadratic"."""

    kind: str
    hidden: int
    width: int
    activation: str
    loss: str

    @property
    def name(self) -> str:
        return "-".join([self.kind, *map(str, (self.hidden, self.width)), self.activation, self.loss])

    def layers(self) -> list[str | dict[str, Any]]:
        last: list[str | dict[str, Any]] = [{"type": "Dense", "units": 10}]
        if self.loss == "Quadratic":
            last.append("Sigmoid")
        if self.kind == "conv":
            conv = {"type": "Conv2D", "filters": self.width, "kernel_size": 3, "padding": "same"}
            return ["Pixels", conv, self.activation, {"type": "MaxPool2D", "pool_size": 2}, "Flatten", *last]
        if self.kind == "rnn":
            return ["Pixels", {"type": "SimpleRNN", "units": self.width, "activation": self.activation.lower()}, *last]
        block: list[str | dict[str, Any]] = [{"type": "Dense", "units": self.width}, self.activation]
        return ["Pixels", "Flatten", *block * self.hidden, *last]


def choices() -> Iterator[Choice]:
    """All that the page offers: without hidden layers no width and no activation, in recurrent layers no sigmoid."""
    for loss in LOSSES:
        for hidden in HIDDEN:
            for width in WIDTHS["dense"] if hidden else (0,):
                for activation in ACTIVATIONS if hidden else ("",):
                    yield Choice("dense", hidden, width, activation, loss)
        for width in WIDTHS["conv"]:
            for activation in ACTIVATIONS:
                yield Choice("conv", 1, width, activation, loss)
        for width in WIDTHS["rnn"]:
            for activation in ("Tanh", "ReLU"):
                yield Choice("rnn", 1, width, activation, loss)


def playground_payload() -> tuple[dict[str, Any], dict[str, Array]]:
    """The header and the arrays of the page; equal arrays of the programs are kept once."""
    splits = load_dataset("digits")
    train = Dataset(*some_samples(splits.train, len(splits.train)), splits.train.classes)
    style = ImageStyle.of(splits.train)
    work = []
    jobs = [Job("show"), Job("losses", CAPACITY), Job("train", CAPACITY, optimizer=OPTIMIZERS["SGD"])]
    offered = list(choices())
    for choice in offered:
        network = Network(choice.layers(), loss=choice.loss, input_shape=(8, 8, 1), classes=splits.train.classes, seed=0)
        work.append((network, jobs))
    lowered, context = lower_for_page(work)
    arrays: dict[str, Array] = {"wasm": kernels(), "axes": _axes(train)}
    parts = {"train": train, "validation": splits.validation, "test": splits.test}
    for name, part in parts.items():
        assert part is not None
        arrays |= {f"{name}.images": part.images, f"{name}.labels": part.labels.astype(np.int32)}
    entries = {}
    for choice, (network, _), programs in zip(offered, work, lowered, strict=True):
        entry = {**describe_network(network), "name": choice.name, "programs": {}}
        for program in programs:
            entry["programs"][program.fields["purpose"]] = {**program.fields, "arrays": _kept(program, arrays)}
        entries[choice.name] = entry
    header = {
        "context": context,
        "shape": [8, 8, 1],
        "style": style.describe(),
        "sizes": {str(size): _nearest(train[np.arange(size)], splits.validation) for size in SIZES},
        "widths": WIDTHS,
        "hidden": HIDDEN,
        "networks": entries,
        "optimizers": {name: _optimizer(optimizer) for name, optimizer in OPTIMIZERS.items()},
    }
    return header, arrays


def _kept(program: Lowered, arrays: dict[str, Array]) -> dict[str, str]:
    """Where each array of a program lies among the arrays of the page."""
    places = {}
    for name, array in program.arrays.items():
        place = hashlib.sha256(array.tobytes() + str(array.dtype).encode()).hexdigest()[:12]
        arrays.setdefault(place, array)
        places[name] = place
    return places


def _optimizer(optimizer: Optimizer) -> dict[str, Any]:
    return {
        "optimizer": OPTIMIZER_KINDS[type(optimizer)],
        "moments": optimizer.moments,
        "options": optimizer_options(optimizer).view(np.uint8).tolist(),
    }


def _nearest(train: Dataset, validation: Dataset | None) -> float:
    """The accuracy of the nearest training image's class on the validation images, with which the page compares."""
    assert validation is not None
    return neighbours(train, validation).accuracy


def _axes(train: Dataset) -> Array:
    """Two orthogonal directions (2, 64) in which the classes' mean images lie farthest apart: principal components."""
    rows = train.images.reshape(len(train), -1) / 255
    means = np.array([rows[train.labels == label].mean(axis=0) for label in range(10)])
    return np.linalg.svd(means - means.mean(axis=0), full_matrices=False)[2][:2].astype(np.float32)


def playground_html() -> str:
    """The playground as HTML text that needs nothing else."""
    return page_of(tr("Playground"), bundle(*playground_payload()), entry="playground.js", template="playground.html")


def write_playground(path: str | Path) -> Path:
    """Write the playground to a file; its path."""
    path = Path(path)
    text = playground_html()
    with writing(path):
        write_text(path, text)
    return path
