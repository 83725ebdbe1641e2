"""The file formats that glassnet reads: how to write a small valid file of each, and how to read it."""

from __future__ import annotations

import contextlib
import functools
import gzip
import hashlib
import io
import json
import pickle
import shutil
import tarfile
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import glassnet as gn
from benchmarks.mangling import mangled
from benchmarks.published import gnt_record, idx, write_cifar, write_emnist, write_kuzushiji
from glassnet.data import decode_many, read_image
from glassnet.errors import GlassnetError
from glassnet.present.report import report
from glassnet.training.checkpoint import State

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (30, 6, 5), np.uint8)
LABELS = (np.arange(30) % 3).astype(np.uint8)
NAMES = np.array(["cat", "dog", "other"])


@dataclass(frozen=True)
class Kind:
    """`write` writes a valid file to an empty folder and returns its path; `read` returns its contents, for comparison.

    `sealed`: every change must be refused. `text`: damage it as text, too.
    """

    write: Callable[[Path], Path]
    read: Callable[[Path], object]
    sealed: bool = False
    text: bool = False

    def sample(self, folder: Path) -> Path:
        """A valid file in the subfolder `good` of `folder`; damaged copies are written next to it."""
        (folder / "good").mkdir()
        return self.write(folder / "good")


def outcome(kind: Kind, sample: Path, seed: int) -> str:
    """Read a damaged copy: "equal", "different", or "refused". Other errors are raised."""
    root = next(parent for parent in sample.parents if parent.name == "good")
    content = sample.read_bytes()
    with (
        tempfile.TemporaryDirectory(dir=root.parent) as folder,
        mock.patch.object(decode_many, "cache_folder", return_value=Path(folder, "cache")),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        copy = Path(folder) / "copy"
        shutil.copytree(root, copy)
        path = copy / sample.relative_to(root)
        before = _digest(_read_original(kind, sample))
        path.write_bytes(mangled(content, seed, text=kind.text))
        try:
            after = _digest(kind.read(path))
        except GlassnetError:
            return "refused"
        return "equal" if before == after else "different"


@functools.lru_cache(maxsize=1)
def _read_original(kind: Kind, sample: Path) -> object:
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "copy"
        root = next(parent for parent in sample.parents if parent.name == "good")
        shutil.copytree(root, copy)
        return kind.read(copy / sample.relative_to(root))


def _digest(value: object) -> str:
    if isinstance(value, np.ndarray):
        return hashlib.sha256(f"{value.dtype} {value.shape}".encode() + value.tobytes()).hexdigest()
    if isinstance(value, (list, tuple)):
        return " ".join(map(_digest, value))
    return repr(value)


def _data(path: Path) -> object:
    """All arrays of a data set."""
    splits = gn.load_dataset(path, split="random", fractions=(1, 0, 0))
    parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
    return [(part.images, part.labels, part.classes, part.groups) for part in parts]


def _write_shards(folder: Path) -> Path:
    np.savez(folder / "data.npz", images=IMAGES, labels=LABELS)
    gn.shard(folder / "data.npz", folder / "shards", workers=1, split="random", block=4, shard_images=8)
    return folder / "shards" / "shards.json"


def _read_shards(path: Path) -> object:
    splits = gn.load_dataset(path.parent)
    parts = [part for part in (splits.train, splits.validation, splits.test) if part is not None]
    return [(part.images, part.labels, part.classes, part.groups) for part in parts]


# Models and runs


def _network() -> gn.Network:
    layers = [gn.Flatten(), gn.Pixels(), gn.Dense(6), gn.BatchNorm(), gn.ReLU(), gn.Dense(3)]
    return gn.Network(layers, loss="SoftmaxCrossEntropy", input_shape=(6, 5), classes=tuple(NAMES), seed=1)


def _write_model(folder: Path) -> Path:
    _network().save(folder / "model.safetensors")
    return folder / "model.safetensors"


def _write_checkpoint(folder: Path) -> Path:
    path = folder / "checkpoint.safetensors"
    _network().fit((IMAGES, LABELS), 2, seed=1, checkpoint=path, validation=(IMAGES, LABELS), progress=False)
    return path


def _as_format_1(write: Callable[[Path], Path]) -> Callable[[Path], Path]:
    """The same file in the format without checksums."""

    def old(folder: Path) -> Path:
        from safetensors import safe_open
        from safetensors.numpy import save_file

        path = write(folder)
        with safe_open(path, framework="numpy") as file:
            header = json.loads(file.metadata()["glassnet"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no dictionary
        header = {"format": 1, **{name: value for name, value in header.items() if name not in ("format", "sha256")}}
        save_file(tensors, path, {"glassnet": json.dumps(header, ensure_ascii=False)})
        return path

    return old


def _read_model(path: Path) -> object:
    network = gn.Network.load(path)
    with np.errstate(all="ignore"):
        return network.describe(), network.parameters, network(IMAGES)


def _read_checkpoint(path: Path) -> object:
    state, network = State.load(path), _network()
    network.fit((IMAGES, LABELS), 3, seed=1, checkpoint=path, resume=True, validation=(IMAGES, LABELS), progress=False)
    return len(state.history), state.arrays["parameters"], state.history.rows(), network.parameters


def _write_run(name: str) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        settings = {"layers": ["Flatten", "Pixels", {"type": "Dense", "units": 6}, "ReLU", {"type": "Dense", "units": 10}],
                    "training.show_gradients": False, "optimizer": {"type": "SGD", "learning_rate": 0.1}}  # fmt: skip
        run = gn.train("digits", out=folder / "run", epochs=3, settings=settings, progress=False)
        for _ in range(3):
            run.evaluate()
        return run.folder / name

    return write


def _read_run(path: Path) -> object:
    """The run, as read by the commands `evaluate`, `report` and `diagnose`."""
    run = gn.Run.load(path.parent)
    result = run.evaluate()
    report(run, path.parent / "report.html")
    return run.recipe, run.history.lines(), run.looks[:-1], result.correct


# Arrays


def _write_npz(folder: Path) -> Path:
    np.savez(folder / "data.npz", x=IMAGES, y=LABELS, classes=NAMES)
    return folder / "data.npz"


def _write_npy(member: str) -> Callable[[Path], Path]:
    """One array of a `.npz` as a file: inside the zip, its checksum would reveal any damage."""

    def write(folder: Path) -> Path:
        for name, array in (("x", IMAGES), ("y", LABELS), ("classes", NAMES)):
            np.save(folder / f"{name}.npy", array)
        return folder / f"{member}.npy"

    return write


def _read_npy(path: Path) -> object:
    with zipfile.ZipFile(path.parent / "data.npz", "w") as file:
        for name in ("x", "y", "classes"):
            file.write(path.parent / f"{name}.npy", f"{name}.npy")
    return _data(path.parent / "data.npz")


def _write_pickle(protocol: int, name: str = "data.pkl", pack: Callable[[bytes], bytes] = bytes) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(pack(pickle.dumps(((IMAGES[:24], LABELS[:24]), (IMAGES[24:], LABELS[24:])), protocol)))
        return folder / name

    return write


def _write_mat(**options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        from scipy.io import savemat

        values = {"x": IMAGES, "y": LABELS, "class_names": NAMES.astype(object)}
        if options.get("format") == "4":
            values = {"x": IMAGES.reshape(30, -1), "y": LABELS, "class_names": NAMES}
        savemat(folder / "data.mat", values, **options)
        return folder / "data.mat"

    return write


def _write_h5(name: str = "data.h5", userblock: bool = False, **options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        import h5py

        with h5py.File(folder / name, "w", userblock_size=512 if userblock else 0) as file:
            group = file.create_group("dataset")
            group.create_dataset("x", data=IMAGES, **options)
            group.create_dataset("y", data=LABELS)
            file["list_classes"] = np.array([text.encode() for text in NAMES])
        return folder / name

    return write


def _write_idx(ending: str, pack: Callable[[bytes], bytes]) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for part in ("train", "t10k"):
            (folder / f"{part}-images-idx3-ubyte{ending}").write_bytes(pack(idx(IMAGES)))
            (folder / f"{part}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(LABELS)))
        return folder / f"train-images-idx3-ubyte{ending}"

    return write


# Published data sets


def _write_gnt(packed: bool) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        records = [gnt_record("一丁啊!"[index % 4], image) for index, image in enumerate(IMAGES)]
        for writer in range(3):
            (folder / f"{1001 + writer}-c.gnt").write_bytes(b"".join(records[10 * writer : 10 * writer + 10]))
        if not packed:
            return folder / "1001-c.gnt"
        with zipfile.ZipFile(folder / "hwdb.zip", "w", zipfile.ZIP_DEFLATED) as file:
            for path in sorted(folder.glob("*.gnt")):
                file.write(path, path.name)
        return folder / "hwdb.zip"

    return write


def _write_published(write: Callable[[Path], object], name: str) -> Callable[[Path], Path]:
    def written(folder: Path) -> Path:
        write(folder)
        return next(folder.rglob(name))

    return written


EMNIST = functools.partial(
    write_emnist, name="letters", images=IMAGES, labels=LABELS + 1, mapping="1 65 97\n2 66 98\n3 67 99\n"
)
KUZUSHIJI = functools.partial(write_kuzushiji, name="k49", images=IMAGES, labels=LABELS)
CIFAR = functools.partial(write_cifar, images=RNG.integers(0, 256, (6, 32, 32, 3), np.uint8), labels=np.arange(6) % 3)
CIFAR_10, CIFAR_100 = functools.partial(CIFAR, classes=10), functools.partial(CIFAR, classes=100)


def _write_archive(folder: Path) -> Path:
    made = CIFAR_10(folder)
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as file:
        file.add(made, made.name)
    return folder / "cifar-10-binary.tar.gz"


# Images


def _encoded(form: str, index: int = 0, **options: Any) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    pixels = np.random.default_rng(index).integers(0, 256, (24, 20, 3), np.uint8)
    Image.fromarray(pixels).save(stream, form, **options)
    return stream.getvalue()


def _write_images(form: str, **options: Any) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        for index in range(6):
            file = folder / "data" / ("a" if index < 3 else "b") / f"{index}.{form}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_encoded(form, index, **options))
        return folder / "data" / "a" / f"0.{form}"

    return write


def _read_images(path: Path) -> object:
    """The folder with the damaged image among valid ones, and the image alone, as for a prediction."""
    found = [_data(path.parents[1])]
    with contextlib.suppress(gn.InputError):
        found.append(read_image(path, (24, 20, 3)))
    return found


def _write_zip(method: int) -> Callable[[Path], Path]:
    def write(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "data.zip", "w", method) as file:
            for index in range(6):
                file.writestr(f"{'a' if index < 3 else 'b'}/{index}.png", _encoded("png", index))
        return folder / "data.zip"

    return write


def _write_nielsen(folder: Path) -> Path:
    arrays = {"weights": [RNG.normal(size=(4, 6)).tolist()], "biases": [RNG.normal(size=(4, 1)).tolist()]}
    (folder / "net.json").write_text(json.dumps({"sizes": [6, 4], **arrays, "cost": "CrossEntropyCost"}))
    return folder / "net.json"


KINDS = {
    "model": Kind(_write_model, _read_model, sealed=True),
    "checkpoint": Kind(_write_checkpoint, _read_checkpoint, sealed=True),
    "model-format-1": Kind(_as_format_1(_write_model), _read_model),
    "checkpoint-format-1": Kind(_as_format_1(_write_checkpoint), _read_checkpoint),
    "nielsen.json": Kind(_write_nielsen, lambda path: gn.from_nielsen(path).parameters, text=True),
    "recipe.toml": Kind(_write_run("recipe.toml"), _read_run, text=True),
    "history.jsonl": Kind(_write_run("history.jsonl"), _read_run, text=True),
    "ledger.jsonl": Kind(_write_run("ledger.jsonl"), _read_run, text=True),
    "shards.json": Kind(_write_shards, _read_shards, text=True),
    "npz": Kind(_write_npz, _data),
    "npz-compressed": Kind(lambda folder: _compressed(folder), _data),
    "npy-images": Kind(_write_npy("x"), _read_npy),
    "npy-labels": Kind(_write_npy("y"), _read_npy),
    "npy-classes": Kind(_write_npy("classes"), _read_npy),
    "npy-alone": Kind(_write_npy("x"), lambda path: read_image(path, IMAGES.shape)),
    "pickle": Kind(_write_pickle(4), _data),
    "pickle-text": Kind(_write_pickle(0), _data),
    "pickle-gz": Kind(_write_pickle(2, "data.pkl.gz", gzip.compress), _data),
    "mat": Kind(_write_mat(), _data),
    "mat-compressed": Kind(_write_mat(do_compression=True), _data),
    "mat-4": Kind(_write_mat(format="4"), _data),
    "mat-7.3": Kind(_write_h5("data.mat", userblock=True), _data),
    "h5": Kind(_write_h5(), _data),
    "h5-chunked": Kind(_write_h5(chunks=(7, 3, 5), compression="gzip", shuffle=True, fletcher32=True), _data),
    "idx": Kind(_write_idx("", bytes), lambda path: _data(path.parent)),
    "idx-gz": Kind(_write_idx(".gz", gzip.compress), lambda path: _data(path.parent)),
    "gnt": Kind(_write_gnt(packed=False), _data),
    "gnt-zip": Kind(_write_gnt(packed=True), _data),
    "emnist": Kind(_write_published(EMNIST, "*train-labels*"), lambda path: _data(path.parent)),
    "emnist-mapping": Kind(_write_published(EMNIST, "*mapping.txt"), lambda path: _data(path.parent), text=True),
    "kuzushiji": Kind(_write_published(KUZUSHIJI, "*train-imgs*"), _data),
    "kuzushiji-classmap": Kind(_write_published(KUZUSHIJI, "*.csv"), _data, text=True),
    "cifar-10-binary": Kind(_write_published(CIFAR_10, "data_batch_2.bin"), lambda path: _data(path.parent)),
    "cifar-100-python": Kind(
        _write_published(functools.partial(CIFAR_100, pickled=True), "test"), lambda path: _data(path.parent)
    ),
    "cifar-10-python-meta": Kind(
        _write_published(functools.partial(CIFAR_10, pickled=True), "batches.meta"), lambda path: _data(path.parent)
    ),
    "cifar-10-tar-gz": Kind(_write_archive, _data),
    "zip-stored": Kind(_write_zip(zipfile.ZIP_STORED), _data),
    "zip-deflated": Kind(_write_zip(zipfile.ZIP_DEFLATED), _data),
    **{form: Kind(_write_images(form), _read_images) for form in ("png", "jpeg", "gif", "bmp", "webp", "ppm")},
    "jpeg-progressive": Kind(_write_images("jpeg", progressive=True), _read_images),
    "tiff": Kind(_write_images("tiff"), _read_images),
    "tiff-lzw": Kind(_write_images("tiff", compression="tiff_lzw"), _read_images),
    "tiff-deflate": Kind(_write_images("tiff", compression="tiff_adobe_deflate"), _read_images),
    "tiff-jpeg": Kind(_write_images("tiff", compression="jpeg"), _read_images),
}


def _compressed(folder: Path) -> Path:
    np.savez_compressed(folder / "data.npz", x=IMAGES, y=LABELS, classes=NAMES)
    return folder / "data.npz"
