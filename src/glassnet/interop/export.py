"""A network written in another program's form, and the proof that it answers as it does here."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
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
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.storage import as_path

PARTS = {"validation": mark("validation images"), "training": mark("training images"), "random": mark("random images")}
TIE = 1e-5  # of probabilities: two classes within it are equally likely
Predict = Callable[[Array], Array]  # images (N, *network.input_shape), uint8 or float32 → probabilities (N, classes)


class Form(NamedTuple):
    """A form that networks are exported in. Its module has `encode(network, metadata, **options) -> bytes` and
    `predictor(content) -> Predict`, which opens these bytes and asks them as their users would."""

    name: str
    module: str


FORMS: dict[str, Form] = {
    "numpy": Form("NumPy", "glassnet.interop.numpy"),
    "c": Form("C", "glassnet.interop.c"),
    "onnx": Form("ONNX", "glassnet.interop.onnx"),
    "torch": Form("PyTorch", "glassnet.interop.torch"),
}


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

    @classmethod
    def of(cls, record: dict[str, Any]) -> Proof:
        """The proof in a record of an export."""
        return cls(**{field.name: record[field.name] for field in fields(cls)})

    @property
    def text(self) -> Message:
        """The proof in words."""
        counts = {"equal": f"{self.equal:,}", "images": f"{self.images:,}", "part": tr(PARTS[self.part])}
        found = tr("{equal} of {images} {part} have the class that they have here", **counts)
        if self.ties:
            found = tr("{found}, {ties} are ties", found=found, ties=self.ties)
        return tr("{found}; probabilities differ by at most {largest}", found=found, largest=f"{self.largest:.1e}")


def export(model: Run | Network, path: str | Path, form: str, **options: Any) -> Proof:
    """Write a run or network to `path`, unless it answers differently there; the proof, which is also beside it as JSON.

    A run is proven on its validation images, read anew from their files; a network on random bytes. Raises `InputError` for
    a layer that the form lacks or a path that is none, `WriteError` where the files can't be written.
    """
    path = as_path(path)
    network = model.network if isinstance(model, Run) else model
    check_path(path)
    module = importlib.import_module(FORMS[form].module)
    part, images = _images(model)
    metadata = {"file": path.name, **metadata_of(network), "input_type": type_of(images)}
    content: bytes = module.encode(network, metadata, **options)
    proof = prove(network, images, module.predictor(content), part)
    record = {"form": form, **metadata, **asdict(proof), "holds": proof.holds}
    if proof.holds:
        with writing(path):
            write_bytes(path, content)
            write_text(path.with_name(path.name + ".json"), json.dumps(record, indent=1, ensure_ascii=False) + "\n")
    if isinstance(model, Run):
        add_export(model.folder, {"time": datetime.now(UTC).isoformat(timespec="seconds"), **record})
    return proof


def export_numpy(model: Run | Network, path: str | Path) -> Proof:
    """Write a run or network as one Python file that needs only NumPy; the proof. Raises as `export` does.

    gn.export_numpy(run, "model.py")        python model.py IMAGE.png
    """
    return export(model, path, "numpy")


def export_c(model: Run | Network, path: str | Path, *, name: str | None = None) -> Proof:
    """Write a run or network as one C99 header without dependencies or heap; the proof, for which a C compiler is needed.

    `name` begins every name in it, by default the file's: `digits_predict(image, probabilities)`. Raises as `export` does.

    gn.export_c(run, "digits.h")
    """
    return export(model, path, "c", name=name)


def export_onnx(model: Run | Network, path: str | Path, opset: int | None = None) -> Proof:
    """Write a run or network as an ONNX file, unless onnxruntime answers differently with it; the proof, as of `export`.

        gn.export_onnx(gn.Run.load("runs/a"), "model.onnx").holds

    Input: "image" (N, *input_shape), uint8, or float32 for a network that was trained on such numbers. Outputs:
    "probabilities" (N, classes), float32, and "label" (N,), int64. `opset`: the version of ONNX's operators, 17 to 26.
    Raises `InputError` without the packages onnx and onnxruntime, for another opset, or for a layer that has no form in ONNX.
    """
    return export(model, path, "onnx", opset=opset)


def check_path(path: Path) -> None:
    """Refuse a path that no file can have."""
    if not path.parent.is_dir() or path.is_dir():
        what = tr("The export needs the name of a file in a folder that exists.")
        raise InputError(what, where=path, received=tr("a folder") if path.is_dir() else tr("no such folder"))


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


def type_of(images: Array) -> str:
    """What an export takes that is made for such images: "uint8" or "float32"."""
    return "uint8" if images.dtype == np.uint8 else "float32"


def _images(model: Run | Network) -> tuple[str, Array]:
    if isinstance(model, Network):
        images = np.random.default_rng(0).integers(0, 256, (100, *model.input_shape), dtype=np.uint8)
        return "random", images if model.takes_pixels else images.astype(np.float32)
    splits = read_splits(model.recipe, anew=True)
    return ("training", splits.train.images) if splits.validation is None else ("validation", splits.validation.images)
