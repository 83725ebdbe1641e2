"""A network written in another program's form, and the proof that it answers as it does here."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from glassnet import __version__
from glassnet.errors import InputError, writing
from glassnet.experiment.run import Run, read_splits
from glassnet.experiment.run_folder import add_export
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.atomic import write_bytes, write_text
from glassnet.support.i18n import tr

TIE = 1e-5  # of probabilities: two classes within it are equally likely
Predict = Callable[[Array], Array]  # images (N, *network.input_shape), uint8 or float32 → probabilities (N, classes)


class Form(NamedTuple):
    """A form that networks are exported in. Its module has `encode(network, metadata, **options) -> bytes` and
    `predictor(content) -> Predict`, which opens these bytes and asks them as their users would."""

    name: str
    module: str


FORMS: dict[str, Form] = {"torch": Form("PyTorch", "glassnet.interop.torch")}


@dataclass(frozen=True)
class Proof:
    """An export's answers beside those of `Network.predict_proba`.

    `part`: which images: "validation", "training", or "random" bytes. Of `images`, `equal` have the same class, `ties` have
    another one where both are within 1e-5, `changed` have another one. `largest`: the largest difference of a probability.
    """

    part: str
    images: int
    equal: int
    ties: int
    changed: int
    largest: float

    @property
    def holds(self) -> bool:
        return self.changed == 0


def export(model: Run | Network, path: str | Path, form: str, **options: Any) -> Proof:
    """Write a run or network to `path`, unless it answers differently there; the proof, which is also beside it as JSON.

    A run is proven on its validation images, read anew from their files; a network on random bytes. Raises `InputError` for
    a layer that the form lacks, `WriteError` where the files can't be written.
    """
    path = Path(path)
    network = model.network if isinstance(model, Run) else model
    module = importlib.import_module(FORMS[form].module)
    metadata = metadata_of(network)
    content: bytes = module.encode(network, metadata, **options)
    part, images = _images(model)
    proof = prove(network, images, module.predictor(content), part)
    record = {"form": form, "file": path.name, **metadata, **asdict(proof), "holds": proof.holds}
    if proof.holds:
        with writing(path):
            write_bytes(path, content)
            write_text(path.with_name(path.name + ".json"), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    if isinstance(model, Run):
        add_export(model.folder, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **record})
    return proof


def prove(network: Network, images: Array, predict: Predict, part: str) -> Proof:
    """`predict` beside `network.predict_proba` on images (N, …)."""
    wanted, found = network.predict_proba(images), np.asarray(predict(images), dtype=np.float64)
    if found.shape != wanted.shape:
        raise InputError(tr("The export gives other outputs."), where="export", expected=wanted.shape, received=found.shape)
    top = np.sort(wanted, axis=1)
    other = found.argmax(axis=1) != wanted.argmax(axis=1)
    ties = int((other & (top[:, -1] - top[:, -2] < TIE)).sum())
    differ = int(other.sum())
    largest = float(np.nan_to_num(np.abs(found - wanted), nan=1.0).max(initial=0.0))
    return Proof(part, len(images), len(images) - differ, ties, differ - ties, largest)


def metadata_of(network: Network) -> dict[str, Any]:
    """What an export says of itself: classes, input, preparation, the hash of the weights; ready for JSON."""
    return {
        "made_by": f"glassnet {__version__}",
        "classes": list(network.classes),
        "input_shape": list(network.input_shape),
        "preparation": None if network.image_style is None else asdict(network.image_style),
        "weights_sha256": hashlib.sha256(network.state.astype(np.float32).tobytes()).hexdigest(),
    }


def _images(model: Run | Network) -> tuple[str, Array]:
    if isinstance(model, Network):
        rng = np.random.default_rng(0)
        return "random", rng.integers(0, 256, (100, *model.input_shape), dtype=np.uint8)
    splits = read_splits(model.recipe, anew=True)
    return ("training", splits.train.images) if splits.validation is None else ("validation", splits.validation.images)
