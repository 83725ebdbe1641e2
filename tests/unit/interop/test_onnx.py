"""Networks as ONNX files: the answers are ours, at two versions of ONNX's operators."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError
from glassnet.interop.export import metadata_of, type_of
from glassnet.interop.onnx import OPSETS, encode, predictor
from glassnet.interop.onnx_operators import OPERATORS
from glassnet.interop.operations import KINDS
from tests.interop import CASES_OF_LAYERS, assert_same, made, networks_of_recipes

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

FIRST, LAST = OPSETS[0], OPSETS[-1]


def written(network: gn.Network, images: Any, opset: int | None = None) -> bytes:
    return encode(network, {**metadata_of(network), "input_type": type_of(images)}, opset)


def test_every_kind_of_operation_has_its_form() -> None:
    assert OPERATORS.keys() == KINDS.keys()


@pytest.mark.parametrize("opset", [FIRST, LAST])
@pytest.mark.parametrize("make", CASES_OF_LAYERS)
def test_layer(make: Any, opset: int) -> None:
    network, images = make()
    assert_same(network, predictor(written(network, images, opset)), images)


@pytest.mark.parametrize("make", networks_of_recipes())
def test_recipe(make: Any) -> None:
    network, images = make()
    assert_same(network, predictor(written(network, images)), images)


def test_file_says_what_it_is() -> None:
    network = gn.Network([gn.Pixels(), gn.Conv2D(2, 3), gn.Flatten(), gn.Dense(3)], input_shape=(5, 4, 3), seed=1)
    network.classes = ("零", "b", "c")
    images = np.random.default_rng(0).integers(0, 256, (7, 5, 4, 3), dtype=np.uint8)
    model = onnx.load_from_string(written(network, images))
    texts = {entry.key: entry.value for entry in model.metadata_props}
    assert texts["classes"] == '["零", "b", "c"]'
    assert texts["input_shape"] == "[5, 4, 3]"
    assert {key: texts[key] for key in ("made_by", "weights_sha256", "preparation", "input_type")} == {
        "made_by": f"glassnet {gn.__version__}",
        "weights_sha256": metadata_of(network)["weights_sha256"],
        "preparation": "null",
        "input_type": "uint8",
    }
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    assert (taken.name, taken.type, taken.shape) == ("image", "tensor(uint8)", ["N", 5, 4, 3])
    probabilities, label = session.run(["probabilities", "label"], {"image": images})
    assert (probabilities.dtype, probabilities.shape) == (np.float32, (7, 3))
    assert label.dtype == np.int64
    np.testing.assert_array_equal(label, network.predict(images))
    assert [part.shape for part in session.run(None, {"image": images[:0]})] == [(0, 3), (0,)]


def test_images_are_transposed_once() -> None:
    layers = [gn.Pixels(), gn.Conv2D(2, 3), gn.BatchNorm(), gn.ReLU(), gn.MaxPool2D(2), gn.Flatten(), gn.Dense(3)]
    network, images = made(gn.Network(layers, input_shape=(8, 6, 3), seed=1))
    model = onnx.load_from_string(written(network, images))
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("Transpose") == 1
    assert kinds[-2:] == ["Identity", "ArgMax"]


def test_shares_of_tiny_sigmoids() -> None:
    """onnxruntime's float32 sigmoid is 0 below −18: all classes would be equally likely."""
    network = gn.Network([gn.Dense(3)], input_shape=(1,), loss="BinaryCrossEntropy", seed=1)
    network.parameters = [0, 0, 0, -20, -21, -22]
    images = np.zeros((2, 1), dtype=np.float32)
    assert_same(network, predictor(written(network, images)), images)
    network.parameters = [0, 0, 0, -200, -300, -400]  # none is likely: each as much
    assert_same(network, predictor(written(network, images)), images)


def test_a_center_far_from_0_is_subtracted_first() -> None:
    network = gn.Network([gn.Standardize([200.0], [0.001]), gn.Dense(3)], input_shape=(4,), seed=1)
    images = np.full((3, 4), 200, dtype=np.uint8)
    images[1] += 1
    assert_same(network, predictor(written(network, images)), images)


def test_unknown_opset() -> None:
    with pytest.raises(InputError, match="Unknown opset") as caught:
        encode(gn.Network([4, 3]), {}, 12)
    assert (caught.value.expected, caught.value.received) == (" | ".join(map(str, OPSETS)), "12")


def test_file_for_bytes_refuses_floats() -> None:
    network, images = made(gn.Network([4, 3], seed=1))
    with pytest.raises(InputError, match="takes bytes"):
        predictor(written(network, images))(images / np.float32(255))


def test_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    with pytest.raises(InputError, match="not installed") as caught:
        encode(gn.Network([4, 3]), {})
    assert caught.value.hint == 'pip install "glassnet[onnx]"'


def test_export_proves_and_writes(tmp_path: Any) -> None:
    network, _ = made(gn.Network([784, 30, 10], seed=1))
    proof = gn.export_onnx(network, tmp_path / "model.onnx", opset=LAST)
    assert (proof.holds, proof.images, proof.changed) == (True, 100, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.onnx", "model.onnx.json"]
    assert onnx.load(tmp_path / "model.onnx").opset_import[0].version == LAST
    with pytest.raises(InputError, match="a folder that exists"):
        gn.export_onnx(network, tmp_path / "none" / "model.onnx")


def test_a_layer_without_a_form_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(OPERATORS, "tanh")
    network = gn.Network([gn.Dense(4), gn.Tanh(), gn.Dense(3)], input_shape=(5,))
    with pytest.raises(InputError, match="can't be exported") as caught:
        encode(network, {})
    assert caught.value.where == "tanh1"
