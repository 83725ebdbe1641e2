"""Model files: what is saved comes back; what is damaged is refused, and an old file is never half overwritten."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from glassnet.errors import InputError, ModelFileError, ModelFileWarning, RunError
from glassnet.network import Network
from glassnet.nn import Dense, Dropout, Flatten, Pixels, ReLU, Softmax, Standardize
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.penalties import L1L2
from glassnet.support.storage import FORMAT, write_tensors


def network() -> Network:
    return Network(
        [Flatten(), Pixels(), Standardize(), Dense(4, initializer="HeNormal"), ReLU(), Dropout(0.1), Dense(3), Softmax()],
        loss=SoftmaxCrossEntropy(label_smoothing=0.1),
        regularizer=L1L2(1e-3, 1e-2),
        input_shape=(2, 3, 1),
        classes=("零", "一", "二"),
        seed=3,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    network().save(path)
    return path


def header_of(path: Path) -> dict[str, Any]:
    size = int.from_bytes(path.read_bytes()[:8], "little")
    return dict(json.loads(json.loads(path.read_bytes()[8 : 8 + size])["__metadata__"]["glassnet"]))


def rewrite(path: Path, header: Any = None, **changes: np.ndarray[Any, Any] | None) -> None:
    """Save the file anew with another header, and arrays changed or (None) left out."""
    tensors: dict[str, Any] = {**load_file(path), **{name.replace("__", "."): array for name, array in changes.items()}}
    kept = {name: array for name, array in tensors.items() if array is not None}
    header = header_of(path) if header is None else header
    if isinstance(header, dict) and header.get("format") == FORMAT:  # with a checksum that fits
        write_tensors(path, kept, {name: value for name, value in header.items() if name not in ("format", "sha256")})
    else:
        save_file(kept, path, {"glassnet": header if isinstance(header, str) else json.dumps(header)})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_comes_back(tmp_path: Path, dtype: str) -> None:
    net, path = network().astype(dtype), tmp_path / "model.safetensors"
    images = np.random.default_rng(1).integers(0, 256, (9, 2, 3, 1)).astype(np.uint8)
    net.fit((images, np.arange(9) % 3), 2, seed=1)
    net.save(str(path))
    loaded = Network.load(path)
    assert loaded.describe() == net.describe()
    assert loaded.dtype == dtype
    assert loaded.classes == ("零", "一", "二")
    np.testing.assert_array_equal(loaded.parameters, net.parameters)
    np.testing.assert_array_equal(loaded(images), net(images))
    assert loaded.loss_and_gradient(images, [0] * 9)[0] == net.loss_and_gradient(images, [0] * 9)[0]
    assert [entry.name for entry in tmp_path.iterdir()] == ["model.safetensors"]  # and nothing beside it


def test_file_is_plain_safetensors(saved: Path) -> None:
    tensors = load_file(saved)
    assert set(tensors) == {
        "dense1.weight", "dense1.bias", "dense2.weight", "dense2.bias", "standardize1.mean", "standardize1.std",
    }  # fmt: skip
    header = header_of(saved)
    assert (header["format"], header["kind"]) == (2, "model")


def small(path: Path) -> bytes:
    Network([Dense(1)], input_shape=(2,), seed=1).save(path)
    return path.read_bytes()


def refused(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(ModelFileError) as caught:
        Network.load(path)
    return caught.value.what


CHANGED = "The checksum of the file does not match: it is damaged or was changed after it was saved."


def test_every_bit_counts(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    content = small(path)
    said = set()
    for place, byte in enumerate(content):
        for bit in range(8):
            said.add(refused(path, content[:place] + bytes([byte ^ 1 << bit]) + content[place + 1 :]))
    assert CHANGED in said
    for place in range(len(content)):
        refused(path, content[:place])
        refused(path, content[:place] + content[place + 1 :])
        refused(path, content[:place] + b" " + content[place:])
        if content[place] != ord("1"):
            refused(path, content[:place] + b"1" + content[place + 1 :])
    for more in (b"\0", b" ", content):
        refused(path, content + more)
    path.write_bytes(content)
    Network.load(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (rb"{\"format\": 2", rb"{\"format\": 1"),
        (b"sha256", b"sha255"),
        (rb"\"sha256\"", rb"\"seed\"  "),
        (rb"format\": 2, \"sha256", rb"format\": 1, \"sha255"),
        (rb"format\": 2, \"sha256", rb"format\": 1,  \"kind"),
        (rb"{\"format\": 2, \"sha256\": \"", rb"{\"sha256\": \"2\", \"format\": 1"),
        (b"    ", b"\t   "),
    ],
)
def test_changes_that_would_do_without_the_checksum(tmp_path: Path, old: bytes, new: bytes) -> None:
    path = tmp_path / "model.safetensors"
    content = small(path)
    assert old in content
    refused(path, content.replace(old, new.ljust(len(old))[: len(old)], 1))


def test_a_checksum_of_zeros_is_none(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    content = small(path)
    digest = header_of(path)["sha256"].encode()
    assert content.count(digest) == 1
    assert hashlib.sha256(content.replace(digest, b"0" * 64)).hexdigest().encode() == digest  # as the docstring says
    for other in (b"0" * 64, digest.upper(), digest[::-1]):
        assert refused(path, content.replace(digest, other)) == CHANGED


def test_a_class_may_be_named_like_a_checksum(tmp_path: Path) -> None:
    classes = ('{"format": 2, "sha256": "' + "0" * 64, "0" * 64)
    net = Network([Dense(2)], loss="SoftmaxCrossEntropy", input_shape=(2,), classes=classes, seed=1)
    net.save(tmp_path / "model.safetensors")
    assert Network.load(tmp_path / "model.safetensors").classes == classes


def test_files_of_format_1_are_read_with_a_warning(saved: Path) -> None:
    whole = Network.load(saved).parameters
    header = {"format": 1, **{name: value for name, value in header_of(saved).items() if name not in ("format", "sha256")}}
    rewrite(saved, header)
    with pytest.warns(ModelFileWarning, match=r"model.safetensors: saved by an earlier version without a checksum") as caught:
        np.testing.assert_array_equal(Network.load(saved).parameters, whole)
    assert caught[0].filename == __file__
    rewrite(saved, {**header, "sha256": "0" * 64})
    with pytest.warns(ModelFileWarning):  # keys that it does not know were never refused
        Network.load(saved)
    for wrong in ({"sha256": "0" * 64, **header}, {"kind": "model", **header}, {**header, "format": 2}):
        rewrite(saved, json.dumps(wrong))
        with pytest.raises(ModelFileError, match="The checksum of the file does not match"):
            Network.load(saved)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated_files(saved: Path, share: float) -> None:
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ModelFileError, match="damaged, cut off or not a safetensors file") as caught:
        Network.load(saved)
    assert str(saved) in str(caught.value)


@pytest.mark.parametrize("content", [b"hello", b"\x00" * 100, b"\xff" * 100, b"PK\x03\x04" + b"0" * 50])
def test_other_files(saved: Path, content: bytes) -> None:
    saved.write_bytes(content)
    with pytest.raises(ModelFileError, match="can't be read"):
        Network.load(saved)


def test_missing_file(tmp_path: Path) -> None:
    for path in (tmp_path / "no.safetensors", tmp_path):
        with pytest.raises(ModelFileError, match="There is no such file") as caught:
            Network.load(path)
        assert "a model saved by glassnet" in str(caught.value)
    with pytest.raises(InputError, match="This is not a path"):
        Network.load("")


def test_another_version(saved: Path) -> None:
    rewrite(saved, header_of(saved) | {"format": 3})
    with pytest.raises(ModelFileError, match="another version") as caught:
        Network.load(saved)
    assert "format 2" in str(caught.value)
    assert "format 3" in str(caught.value)


@pytest.mark.parametrize("header", ["{", "[1, 2]", "3", "null"])
def test_header_that_is_none(saved: Path, header: str) -> None:
    rewrite(saved, header)
    with pytest.raises(ModelFileError, match="not saved by glassnet"):
        Network.load(saved)


def test_file_of_somebody_else(tmp_path: Path) -> None:
    save_file({"w": np.zeros(3)}, tmp_path / "m.safetensors")
    with pytest.raises(ModelFileError, match="not saved by glassnet"):
        Network.load(tmp_path / "m.safetensors")


def test_checkpoint_is_no_model(saved: Path) -> None:
    rewrite(saved, header_of(saved) | {"kind": "checkpoint"})
    with pytest.raises(ModelFileError, match="The file is not a model") as caught:
        Network.load(saved)
    assert "a checkpoint" in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"layers": [{"type": "Densse", "units": 3}]},
        {"layers": []},
        {"layers": [{"type": "Dense", "units": -1}]},
        {"layers": 5},
        {"loss": "none"},
        {"input_shape": "abc"},
        {"input_shape": [0]},
        {"dtype": "int8"},
        {"seed": "x"},
        {"classes": 3},
        {"regularizer": {"type": "L2", "rate": -1}},
        {"regularizer": {"type": "L2", "rate": "a"}},
    ],
    ids=repr,
)
def test_header_that_describes_no_network(saved: Path, change: dict[str, Any]) -> None:
    rewrite(saved, header_of(saved) | change)
    with pytest.raises(ModelFileError, match="does not describe a network"):
        Network.load(saved)


def test_header_that_lacks_a_part(saved: Path) -> None:
    header = header_of(saved)
    del header["input_shape"]
    rewrite(saved, header)
    with pytest.raises(ModelFileError, match="does not describe a network") as caught:
        Network.load(saved)
    assert "input_shape" in str(caught.value)


def test_wrong_arrays(saved: Path) -> None:
    rewrite(saved, dense1__weight=np.zeros((5, 4), np.float32))
    with pytest.raises(ModelFileError, match="wrong shape") as caught:
        Network.load(saved)
    for part in ("dense1.weight", "(6, 4)", "(5, 4)"):
        assert part in str(caught.value)
    rewrite(saved, dense1__weight=np.full((6, 4), np.nan, np.float32))
    with pytest.raises(ModelFileError, match="holds NaN or infinity"):
        Network.load(saved)
    rewrite(saved, dense1__weight=None)
    with pytest.raises(ModelFileError, match="not those of the layers") as caught:
        Network.load(saved)
    assert "dense1.weight is missing" in str(caught.value)
    rewrite(saved, dense1__weight=np.zeros((6, 4), np.float32), more=np.zeros(1))
    with pytest.raises(ModelFileError, match="not those of the layers") as caught:
        Network.load(saved)
    assert "an additional more" in str(caught.value)


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="can't be written") as caught:
        network().save(tmp_path / "nowhere" / "model.safetensors")
    assert "choose a folder that exists" in str(caught.value)


def test_failed_save_leaves_the_old_file(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = saved.read_bytes()

    def fail(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(RunError, match="can't be written") as caught:
        network().save(saved)
    assert "No space left on device" in str(caught.value)
    assert saved.read_bytes() == before
    assert [entry.name for entry in saved.parent.iterdir()] == [saved.name]
