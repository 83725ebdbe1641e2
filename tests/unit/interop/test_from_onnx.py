"""ONNX files as networks: our own, those of other exporters, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.errors import InputError, ModelFileError
from glassnet.interop.export import metadata_of, type_of
from glassnet.interop.from_onnx import from_onnx
from glassnet.interop.onnx import OPSETS, encode
from tests.interop import CASES_OF_LAYERS, networks_of_recipes

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def returned(network: gn.Network, images: Any, path: Path, opset: int | None = None) -> gn.Network:
    path.write_bytes(encode(network, {**metadata_of(network), "input_type": type_of(images)}, opset))
    return from_onnx(path)


BACK = [pytest.param(*case.values, None, id=case.id) for case in CASES_OF_LAYERS]
BACK += [pytest.param(*case.values, OPSETS[-1], id=f"{case.id}-newest") for case in CASES_OF_LAYERS if "GELU" in str(case.id)]


@pytest.mark.parametrize(("make", "opset"), BACK)
def test_layer_comes_back(make: Any, opset: int | None, tmp_path: Path) -> None:
    network, images = make()
    again = returned(network, images, tmp_path / "model.onnx", opset)
    np.testing.assert_allclose(again.predict_proba(images), network.predict_proba(images), rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", networks_of_recipes())
def test_recipe_comes_back(make: Any, tmp_path: Path) -> None:
    network, images = make()
    again = returned(network, images, tmp_path / "model.onnx")
    np.testing.assert_allclose(again.predict_proba(images), network.predict_proba(images), rtol=0, atol=1e-5)
    assert (again.classes, again.takes_pixels) == (network.classes, network.takes_pixels)


def by_onnxruntime(path: Path, images: Any) -> Any:
    """What the file's own runtime gives first, for images (N, rows, columns, channels) whose order the file's input tells."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (taken,) = session.get_inputs()
    if images.ndim == 4 and len(taken.shape) == 4 and taken.shape[1:] != list(images.shape[1:]):
        images = images.transpose(0, 3, 1, 2)
    return session.run(None, {taken.name: images})[0]


def softmax(z: Any) -> Any:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def assert_imported(path: Path, images: Any) -> gn.Network:
    """The file's network with outputs within 1e-5 of onnxruntime's."""
    network = from_onnx(path)
    wanted = by_onnxruntime(path, images).reshape(len(images), -1)
    np.testing.assert_allclose(network(images), wanted, rtol=1e-5, atol=1e-5)
    return network


def kinds(network: gn.Network) -> list[str]:
    return [type(layer).__name__ for layer in network.layers]


def saved(path: Path, nodes: Any, shape: Any, arrays: Any, opset: int = 13, kind: int = 1, **changes: Any) -> Path:
    """A file of nodes from "x" to "y"."""
    from onnx import helper, numpy_helper

    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info("y", 1, [None, None])],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7), path)
    return path


RNG = np.random.default_rng(4)


def floats(*shape: int) -> Any:
    return (RNG.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)


def node(kind: str, inputs: str, output: str, **options: Any) -> Any:
    return onnx.helper.make_node(kind, inputs.split(), output.split(), name=f"n-{output.split()[0]}", **options)


def test_mnist_8_of_the_model_zoo(tmp_path: Path) -> None:
    """Its graph as CNTK wrote it: SAME_UPPER, biases that are added, weights that are reshaped; the weights are drawn."""
    same = {"auto_pad": "SAME_UPPER", "dilations": [1, 1], "group": 1, "kernel_shape": [5, 5], "strides": [1, 1]}
    pool = {"auto_pad": "NOTSET", "pads": [0, 0, 0, 0]}
    nodes = [
        node("Reshape", "Parameter193 Parameter193_shape", "Parameter193_reshape1"),
        node("Conv", "x Parameter5", "Convolution28", **same),
        node("Add", "Convolution28 Parameter6", "Plus30"),
        node("Relu", "Plus30", "ReLU32"),
        node("MaxPool", "ReLU32", "Pooling66", kernel_shape=[2, 2], strides=[2, 2], **pool),
        node("Conv", "Pooling66 Parameter87", "Convolution110", **same),
        node("Add", "Convolution110 Parameter88", "Plus112"),
        node("Relu", "Plus112", "ReLU114"),
        node("MaxPool", "ReLU114", "Pooling160", kernel_shape=[3, 3], strides=[3, 3], **pool),
        node("Reshape", "Pooling160 Pooling160_shape", "Pooling160_reshape0"),
        node("MatMul", "Pooling160_reshape0 Parameter193_reshape1", "Times212"),
        node("Add", "Times212 Parameter194", "y"),
    ]
    arrays = {
        "Parameter193": floats(16, 4, 4, 10),
        "Parameter193_shape": np.array([256, 10]),
        "Parameter5": floats(8, 1, 5, 5),
        "Parameter6": floats(8, 1, 1),
        "Parameter87": floats(16, 8, 5, 5),
        "Parameter88": floats(16, 1, 1),
        "Pooling160_shape": np.array([1, 256]),
        "Parameter194": floats(1, 10),
    }
    path = saved(tmp_path / "mnist-8.onnx", nodes, [1, 1, 28, 28], arrays, opset=8)
    network = assert_imported(path, RNG.random((1, 28, 28, 1), dtype=np.float32))
    assert kinds(network) == ["Conv2D", "ReLU", "MaxPool2D", "Conv2D", "ReLU", "MaxPool2D", "Flatten", "Dense"]
    assert network.layers[0].use_bias


def squeezenet() -> Path:
    return Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"


def test_squeezenet_of_the_model_zoo(tmp_path: Path) -> None:
    """Its graph as Caffe2 wrote it comes with onnx; where that has only the weights' sizes, they are drawn."""
    model = onnx.load(squeezenet())
    sizes = {array.name: onnx.numpy_helper.to_array(array) for array in model.graph.initializer}
    kept = [entry for entry in model.graph.node if entry.op_type != "ConstantOfShape"]
    made = [entry for entry in model.graph.node if entry.op_type == "ConstantOfShape"]
    drawn = [onnx.numpy_helper.from_array(floats(*sizes[entry.input[0]]), entry.output[0]) for entry in made]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    model.graph.initializer.extend(drawn)
    model.ir_version = 7
    onnx.save(model, tmp_path / "squeezenet.onnx")
    network = assert_imported(tmp_path / "squeezenet.onnx", RNG.random((1, 224, 224, 3), dtype=np.float32))
    assert kinds(network).count("Concatenate") == 8
    assert network.outputs == 1000


def test_a_network_as_keras_has_it(tmp_path: Path) -> None:
    """Channels last, "same" with strides, BatchNormalization behind a Transpose, ReduceMean, a softmax at the end."""
    nodes = [
        node("Cast", "x", "f", to=1),
        node("Sub", "f mean", "centred"),
        node("Mul", "centred scale", "scaled"),
        node("Transpose", "scaled", "t", perm=[0, 3, 1, 2]),
        node("Conv", "t w b", "c", pads=[0, 0, 1, 1], strides=[2, 2]),
        node("BatchNormalization", "c gamma beta running variance", "n", epsilon=1e-3, momentum=0.99),
        node("Relu", "n", "r"),
        node("Transpose", "r", "back", perm=[0, 2, 3, 1]),
        node("ReduceMean", "back", "means", axes=[1, 2], keepdims=0),
        node("MatMul", "means dense", "d"),
        node("Add", "d bias", "z"),
        node("Softmax", "z", "y"),
    ]
    arrays = {
        "mean": np.array([120, 110, 100], np.float32),
        "scale": np.array([0.02, 0.01, 0.03], np.float32),
        "w": floats(6, 3, 3, 3),
        "b": floats(6),
        **{name: RNG.uniform(0.5, 2, 6).astype(np.float32) for name in ("gamma", "beta", "running", "variance")},
        "dense": floats(6, 4),
        "bias": floats(4),
    }
    path = saved(tmp_path / "keras.onnx", nodes, ["N", 8, 10, 3], arrays, kind=2)
    network = assert_imported(path, RNG.integers(0, 256, (5, 8, 10, 3), dtype=np.uint8))
    assert kinds(network) == ["Standardize", "Conv2D", "BatchNorm", "ReLU", "GlobalAveragePool2D", "Dense", "Softmax"]
    assert (network.input_shape, network.layers[1].padding, network.layers[2].momentum) == ((8, 10, 3), "same", 0.99)


def test_an_mlp_as_scikit_learn_has_it(tmp_path: Path) -> None:
    """Rows of features, Mul and Add by scalars, a sigmoid, two probabilities of one output."""
    nodes = [
        node("Div", "x ten", "s"),
        node("MatMul", "s w", "m"),
        node("Add", "b m", "h"),
        node("LeakyRelu", "h", "a", alpha=0.2),
        node("Gemm", "a v c", "z", transB=1, alpha=0.5, beta=2.0),
        node("Sigmoid", "z", "p"),
        node("Sub", "one p", "q"),
        node("Concat", "q p", "y", axis=1),
    ]
    arrays = {"ten": np.float32(10), "one": np.ones(1, np.float32), "w": floats(7, 5), "b": floats(5)}
    path = saved(tmp_path / "mlp.onnx", nodes, [None, 7], arrays | {"v": floats(1, 5), "c": floats(1)})
    network, rows = from_onnx(path), RNG.standard_normal((6, 7)).astype(np.float32)
    np.testing.assert_allclose(network.predict_proba(rows), by_onnxruntime(path, rows), rtol=0, atol=1e-6)
    assert kinds(network) == ["Scale", "Dense", "LeakyReLU", "Dense", "Sigmoid"]


@pytest.fixture(scope="module")
def torch() -> Any:
    return pytest.importorskip("torch", reason="PyTorch is not installed")


def torch_networks(nn: Any) -> dict[str, tuple[Any, tuple[int, ...]]]:
    class Block(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Conv2d(4, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.GELU())

        def forward(self, x: Any) -> Any:
            return x + self.inner(x)

    class Rows(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self, recurrent: Any) -> None:
            super().__init__()
            self.recurrent, self.out = recurrent, nn.Linear(6, 3)

        def forward(self, x: Any) -> Any:
            return self.out(self.recurrent(x.squeeze(1))[0][:, -1])

    class View(nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x.view(x.size(0), -1)

    return {
        "strided": (
            nn.Sequential(
                nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(4, 5, 4, stride=2, padding=1), nn.SiLU(),
                View(), nn.BatchNorm1d(30), nn.Linear(30, 3), nn.LogSoftmax(dim=1),
            ),
            (3, 8, 12),
        ),
        "residual": (
            nn.Sequential(
                nn.Conv2d(1, 4, 5, padding=2), Block(), nn.MaxPool2d(2), Block(), nn.AvgPool2d(2, ceil_mode=True),
                nn.Dropout(0.4), nn.Flatten(), nn.Linear(16, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(1),
            ),
            (1, 8, 7),
        ),
        "pooled": (
            nn.Sequential(nn.Conv2d(2, 4, 3), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3)),
            (2, 6, 5),
        ),
        "lstm": (Rows(nn.LSTM(7, 6, batch_first=True)), (1, 5, 7)),
        "gru": (Rows(nn.GRU(7, 6, batch_first=True)), (1, 5, 7)),
        "rnn": (Rows(nn.RNN(7, 6, batch_first=True, nonlinearity="relu")), (1, 5, 7)),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "opset"),
    [*((name, opset) for name in ("strided", "pooled", "lstm", "gru", "rnn") for opset in (13, 17)), ("residual", 17)],
)
@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_exported_by_torch(torch: Any, name: str, opset: int, tmp_path: Path) -> None:
    torch.manual_seed(3)
    module, shape = torch_networks(torch.nn)[name]
    x = torch.randn(20, *shape)
    module.train()(x)  # running statistics of their own
    module.eval()
    dynamic = {} if name in ("lstm", "gru", "rnn") else {"dynamic_axes": {"x": {0: "N"}, "y": {0: "N"}}}
    example = x if dynamic else x[:1]
    path = tmp_path / "torch.onnx"
    torch.onnx.export(
        module, (example,), path, dynamo=False, opset_version=opset, input_names=["x"], output_names=["y"], **dynamic
    )
    network, images = from_onnx(path), np.ascontiguousarray(example.numpy().transpose(0, 2, 3, 1))
    wanted = by_onnxruntime(path, images)
    if name == "residual":
        np.testing.assert_allclose(network(images), wanted, rtol=0, atol=1e-5)
    else:
        np.testing.assert_allclose(network.predict_proba(images), softmax(wanted.astype(float)), rtol=0, atol=1e-5)
    assert network.input_shape == images.shape[1:]


def test_classes_and_style_of_our_own_files(tmp_path: Path) -> None:
    network = gn.Network([gn.Pixels(), gn.Conv2D(2, 3), gn.Flatten(), gn.Dense(2)], input_shape=(5, 4, 1), seed=1)
    network.classes, network.image_style = ("猫", "dog"), gn.ImageStyle(ink=True, contrast=0.5)
    again = returned(network, np.zeros((1, 5, 4, 1), np.uint8), tmp_path / "model.onnx")
    assert (again.classes, again.image_style) == (network.classes, network.image_style)


def test_weights_in_another_file(tmp_path: Path) -> None:
    """Those in the file's folder are read, those outside are not."""
    path = saved(tmp_path / "model.onnx", [node("Gemm", "x w", "y")], [None, 300], {"w": floats(300, 40)})
    rows = RNG.standard_normal((3, 300)).astype(np.float32)
    wanted = from_onnx(path)(rows)
    (tmp_path / "inside").mkdir()
    model = onnx.load(path)
    onnx.save_model(model, tmp_path / "inside/model.onnx", save_as_external_data=True, location="weights.bin")
    np.testing.assert_array_equal(from_onnx(tmp_path / "inside/model.onnx")(rows), wanted)
    (tmp_path / "weights.bin").write_bytes((tmp_path / "inside/weights.bin").read_bytes())
    model = onnx.load(tmp_path / "inside/model.onnx", load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "location":
            entry.value = "../weights.bin"
    (tmp_path / "inside/model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelFileError, match="can't be read"):
        from_onnx(tmp_path / "inside/model.onnx")


def test_damaged_files(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    network = gn.Network([gn.Pixels(), gn.Conv2D(2, 3), gn.ReLU(), gn.Flatten(), gn.Dense(3)], input_shape=(5, 4, 1), seed=1)
    content = encode(network, metadata_of(network))
    rng = np.random.default_rng(5)
    for number in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, len(content), 1 + number % 5):
            damaged[at] = rng.integers(256)
        path.write_bytes(bytes(damaged[: len(damaged) - number % 3 * 40]))
        try:
            from_onnx(path)
        except (ModelFileError, InputError):
            continue
    for content in (b"", b"\x80\x04K\x01.", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match="damaged, cut off or not an ONNX file"):
            from_onnx(path)
    with pytest.raises(ModelFileError, match="no such file"):
        from_onnx(tmp_path / "none.onnx")


IMAGE = [None, 2, 6, 6]
W = {"w": floats(3, 2, 3, 3)}
DENSE = {"v": floats(72, 3)}
REFUSED: dict[str, tuple[Any, Any, str, str]] = {  # nodes, constants, the node that is named, what is said of it
    "operator": ([("LRN", "x", "y", {"size": 3})], {}, "LRN 'n-y'", "LRN"),
    "other": ([("Sin", "x", "y", {})], {}, "Sin 'n-y'", "Sin"),
    "group": ([("Conv", "x w", "y", {"group": 2})], {"w": floats(2, 1, 3, 3)}, "Conv 'n-y'", "group=2"),
    "dilations": ([("Conv", "x w", "y", {"dilations": [2, 2]})], W, "Conv 'n-y'", "dilations=[2, 2]"),
    "pads": ([("Conv", "x w", "y", {"pads": [2, 2, 2, 2]})], W, "Conv 'n-y'", "pads=[2, 2, 2, 2]"),
    "pool": (
        [("MaxPool", "x", "y", {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})], {},
        "MaxPool 'n-y'", "pads=[1, 1, 1, 1]",
    ),
    "average": (
        [("AveragePool", "x", "y", {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1})], {},
        "AveragePool 'n-y'", "count_include_pad=1",
    ),
    "softmax": ([("Softmax", "x", "y", {"axis": 2})], {}, "Softmax 'n-y'", "axis=2"),
    "product": ([("Relu", "x", "a", {}), ("Mul", "x a", "y", {})], {}, "Mul 'n-y'", "a product of two values"),
    "quotient": ([("Relu", "x", "a", {}), ("Div", "x a", "y", {})], {}, "Div 'n-y'", "a value divided by another"),
    "difference": ([("Relu", "x", "a", {}), ("Sub", "x a", "y", {})], {}, "Sub 'n-y'", "2 inputs that depend on the image"),
    "inverse": ([("Div", "one x", "y", {})], {"one": np.ones(1, np.float32)}, "Div 'n-y'", "a constant divided by a value"),
    "cast": ([("Cast", "x", "a", {"to": 7}), ("Cast", "a", "y", {"to": 1})], {}, "Cast 'n-a'", "INT64"),
    "part": ([("Erf", "x", "e", {}), ("Flatten", "e", "f", {}), ("MatMul", "f v", "y", {})], DENSE, "Erf 'n-e'", ""),
    "concat": ([("Relu", "x", "a", {}), ("Concat", "x a", "y", {"axis": 2})], {}, "Concat 'n-y'", "axis=2"),
    "reshape": (
        [("Relu", "x", "a", {}), ("Reshape", "a s", "y", {})], {"s": np.array([-1, 8, 9])},
        "Reshape 'n-y'", "[1, 2, 6, 6] → [1, 8, 9]",
    ),
    "mean": ([("ReduceMean", "x", "y", {"axes": [1]})], {}, "ReduceMean 'n-y'", "axes=[1]"),
    "weights": (
        [("Flatten", "x", "f", {}), ("Relu", "v", "r", {}), ("MatMul", "f r", "y", {})], DENSE,
        "Relu 'n-r'", "only constants",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_we_lack_is_refused_by_name(name: str, tmp_path: Path) -> None:
    nodes, arrays, where, received = REFUSED[name]
    made = [node(kind, inputs, output, **options) for kind, inputs, output, options in nodes]
    path = saved(tmp_path / "model.onnx", made, IMAGE, arrays)
    with pytest.raises(InputError, match="ONNX operator can't be imported") as caught:
        from_onnx(path)
    assert str(caught.value.where) == where
    assert received in str(caught.value.received or "")


@pytest.mark.parametrize("name", ["light_bvlc_alexnet", "light_resnet50"])
def test_networks_of_the_model_zoo_that_need_what_we_lack(name: str) -> None:
    with pytest.raises(InputError, match=r"LRN|pads=\[1, 1, 1, 1\]"):
        from_onnx(squeezenet().with_name(f"{name}.onnx"))


def test_graphs_that_are_no_network(tmp_path: Path) -> None:
    path, relu = tmp_path / "model.onnx", [node("Relu", "x", "y")]
    with pytest.raises(InputError, match="size of the images"):
        from_onnx(saved(path, relu, [None, 3, None, None], {}))
    with pytest.raises(InputError, match="Unknown opset"):
        from_onnx(saved(path, relu, [None, 3], {}, opset=6))
    with pytest.raises(InputError, match="does not depend"):
        from_onnx(saved(path, [node("Identity", "c", "y")], [None, 3], {"c": floats(1, 3)}))
    with pytest.raises(InputError, match="no layers"):
        from_onnx(saved(path, [node("Identity", "x", "y")], [None, 3], {}))
    with pytest.raises(InputError, match="another order"):
        from_onnx(saved(path, [node("Relu", "x", "r"), node("Flatten", "r", "y")], [None, 3, 4, 4], {}))
    uneven = [node("Mul", "x m", "s"), node("GlobalMaxPool", "s", "y")]
    with pytest.raises(InputError, match="negative or zero factor"):
        from_onnx(saved(path, uneven, [None, 3, 4, 4], {"m": floats(3, 4, 4)}))
    crossed = [
        *(node("Relu", "x", "a"), node("Tanh", "a", "b"), node("Add", "x b", "c")),
        *(node("Sigmoid", "b", "d"), node("Add", "c d", "y")),
    ]
    with pytest.raises(InputError, match="nested"):
        from_onnx(saved(path, crossed, [None, 3], {}))


def test_shapes_that_do_not_chain(tmp_path: Path) -> None:
    nodes = [node("Gemm", "x w", "h"), node("Gemm", "h v", "y")]
    path = saved(tmp_path / "model.onnx", nodes, [None, 4], {"w": floats(4, 5), "v": floats(6, 3)})
    with pytest.raises(gn.ShapeError, match="do not fit together") as caught:
        from_onnx(path)
    assert (caught.value.where, caught.value.expected, caught.value.received) == ("Gemm 'n-y', weight", (5, 3), (6, 3))


def test_several_inputs_or_outputs(tmp_path: Path) -> None:
    path = saved(tmp_path / "model.onnx", [node("Relu", "x", "y")], [None, 4], {})
    model = onnx.load(path)
    model.graph.output.add().CopyFrom(onnx.helper.make_tensor_value_info("x", 1, [None, 4]))
    onnx.save(model, path)
    with pytest.raises(InputError, match="which output"):
        from_onnx(path)
    model.graph.input.add().CopyFrom(onnx.helper.make_tensor_value_info("z", 1, [None, 4]))
    onnx.save(model, path)
    with pytest.raises(InputError, match="several inputs") as caught:
        from_onnx(path)
    assert caught.value.received == "x, z"
