"""ONNX files of others as networks: `from_onnx`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.data.style import ImageStyle
from glassnet.errors import GlassnetError, InputError, ModelFileError, reason
from glassnet.interop.from_onnx_node import Node, Operand
from glassnet.interop.from_onnx_operators import OPERATORS
from glassnet.interop.from_onnx_values import Part, Step, Value, image, lowered
from glassnet.interop.onnx import require
from glassnet.network import Network
from glassnet.nn import Layer, Sigmoid, Softmax
from glassnet.nn.layer import walk
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

OLDEST = 7  # broadcasting as in NumPy
LARGEST = 1 << 28  # numbers in a constant that a file has computed
CONSTANTS = {  # operators that may compute a constant from constants
    *("Add", "Sub", "Mul", "Div", "Neg", "Sqrt", "Cast", "Identity", "Constant", "ConstantOfShape", "Expand"),
    *("Concat", "Flatten", "Gather", "Reshape", "Shape", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
}
ENDS = {"log": None, "share": Sigmoid, "two_classes": Sigmoid}  # what `predict_proba` adds by itself, and behind which layer


def from_onnx(path: str | Path) -> Network:
    """The network in an ONNX file: an image classifier of layers that glassnet has, in a row or in branches.

        gn.from_onnx("model.onnx").predict(images)

    Images are (N, rows, columns, channels), also where the file has the channels first. The loss is the cross-entropy that
    suits the last layer. Raises `ModelFileError` for a file that can't be read, and `InputError` for an operator, or a
    setting of one, that no layer has, by its name.
    """
    path = Path(path)
    model = _load(path)
    try:
        return _Reader(model, path).network()
    except GlassnetError:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, RuntimeError, MemoryError, OverflowError) as error:
        raise _damaged(path, error) from None


def _damaged(path: Path, error: BaseException) -> ModelFileError:
    what = tr("The file can't be read: it is damaged, cut off or not an ONNX file.")
    return ModelFileError(what, where=path, received=reason(error))


def _load(path: Path) -> Any:
    """The model in a file, checked. Weights in other files are read from its own folder only: onnx sees to that."""
    onnx, _ = require()
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # it has no types

    if not path.is_file():
        raise ModelFileError(tr("There is no such file."), where=path, expected=tr("an ONNX file"))
    try:
        model = onnx.load(path)
        if not model.graph.node:
            raise ValueError("no nodes")
        onnx.checker.check_model(model)
        if model.functions:
            from onnx.inliner import inline_local_functions

            model = inline_local_functions(model)
        return model
    except (DecodeError, onnx.checker.ValidationError, OSError, ValueError, TypeError, RuntimeError, MemoryError) as error:
        raise _damaged(path, error) from None


class _Reader:
    """Reads the nodes of a graph in turn; what each name stands for is a value or a constant."""

    def __init__(self, model: Any, path: Path) -> None:
        from onnx import numpy_helper

        self.path, self.graph = path, model.graph
        self.opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
        if self.opset < OLDEST:
            expected = tr("opset {version} or later", version=OLDEST)
            raise InputError(tr("Unknown opset."), where=path, expected=expected, received=str(self.opset))
        self.texts = {entry.key: entry.value for entry in model.metadata_props}
        self.known: dict[str, Operand] = {"": None}
        self.known |= {array.name: numpy_helper.to_array(array) for array in self.graph.initializer}
        inputs = [entry for entry in self.graph.input if entry.name not in self.known]
        if len(inputs) != 1:
            names = ", ".join(entry.name for entry in inputs)
            raise InputError(tr("This ONNX file has several inputs."), where=path, expected=tr("one image"), received=names)
        self.input = inputs[0]
        tensor = self.input.type.tensor_type
        self.takes_bytes = tensor.elem_type == 2  # UINT8
        sizes = [dim.dim_value for dim in tensor.shape.dim]
        if len(sizes) not in (2, 3, 4) or not all(sizes[1:]):
            raise InputError(
                tr("The size of the images is not known."),
                where=f"{path}, {self.input.name}",
                expected="(N, channels, rows, columns) | (N, rows, columns, channels) | (N, features)",
                received=tuple(size or "?" for size in sizes),
            )
        self.batch = sizes[0] or 1
        self.channels_first = self._channels_first(sizes)
        self.known[self.input.name] = image(sizes[1:], self.channels_first)

    def _channels_first(self, sizes: list[int]) -> bool:
        """Whether the channels of the image come first: what is done with it says so, else its sizes."""
        name, rank = self.input.name, len(sizes)
        if self.texts.get("input_shape") == json.dumps(sizes[1:]):  # one of our own
            return False
        for node in self.graph.node:
            if name not in node.input:
                continue
            if node.op_type == "Transpose":
                return False
            if "Pool" in node.op_type or node.op_type in ("Conv", "BatchNormalization"):
                return True
            if node.op_type not in ("Cast", "Identity", "Dropout", "Add", "Sub", "Mul", "Div", "Reshape", "Unsqueeze"):
                break
            name = node.output[0]
        return rank < 4 or sizes[1] in (1, 3) or sizes[3] not in (1, 3)

    def network(self) -> Network:
        wanted = self._output()
        for node in self.graph.node:
            self._read(node)
        found = self.known.get(wanted)
        if not isinstance(found, Value):
            raise InputError(tr("The output does not depend on the image."), where=f"{self.path}, {wanted}")
        if not found.natural():
            raise InputError(tr("The outputs are in another order than in glassnet."), where=f"{self.path}, {wanted}")
        steps = self._end(found.step.way()[1:])
        with_arrays = lowered(steps, self.takes_bytes, self._lacking)
        layers = [layer for layer, _ in with_arrays]
        inside = list(walk(layers))
        if not layers or len({id(layer) for layer in inside}) < len(inside):
            what = tr("The branches of this graph are not nested in each other.")
            raise InputError(what, where=self.path, expected=tr("layers in a row, Residual and Concatenate"))
        network = Network(
            layers,
            loss=_loss(layers[-1], int(np.prod(found.shape))),
            input_shape=steps[0].before.shape if steps[0].before else None,
            seed=0,
        )
        for layer, arrays in [*with_arrays, *(one for step in steps for one in step.inside)]:
            for name, array in arrays.items():
                (layer.parameters | layer.statistics)[name][...] = array
            layer.adapted = True
        self._describe(network)
        return network

    def _output(self) -> str:
        """The name of the output that holds the classes' probabilities or logits."""
        names = [entry.name for entry in self.graph.output if entry.type.tensor_type.elem_type in (1, 11)]  # FLOAT, DOUBLE
        if "probabilities" in names:
            return "probabilities"
        if len(names) != 1:
            received = ", ".join(entry.name for entry in self.graph.output)
            expected = tr("one output of floats: probabilities or logits")
            raise InputError(
                tr("It is not clear which output is meant."), where=self.path, expected=expected, received=received
            )
        return str(names[0])

    def _read(self, entry: Any) -> None:
        from onnx import helper

        if entry.op_type == "ArgMax":  # the class beside its probability
            return
        options = {attribute.name: helper.get_attribute_value(attribute) for attribute in entry.attribute}
        if any(name not in self.known for name in entry.input):
            return  # what follows from what is not read: refused where the output needs it
        inputs = [self.known[name] for name in entry.input]
        domain = "" if entry.domain in ("", "ai.onnx") else entry.domain + "."
        name = entry.name or next(iter(entry.output), "")
        node = Node(domain + entry.op_type, name, inputs, options, self.opset, self.batch, self.channels_first)
        if entry.op_type == "Shape" and isinstance(inputs[0], Value):
            sizes = zip(inputs[0].axes, inputs[0].sizes(), strict=True)
            shape = np.array([self.batch if 0 in group else size for group, size in sizes], dtype=np.int64)
            self.known[entry.output[0]] = shape[options.get("start", 0) : options.get("end")]
        elif not any(isinstance(one, Value) for one in inputs):
            self.known[entry.output[0]] = self._computed(entry, node)
        elif node.kind not in OPERATORS:
            raise node.refused(node.kind, " | ".join(sorted(OPERATORS)))
        else:
            for number, value in OPERATORS[node.kind](node).items():
                if number < len(entry.output):
                    self.known[entry.output[number]] = value

    def _computed(self, entry: Any, node: Node) -> Array:
        """A constant that a node computes from others."""
        from onnx import TensorProto, helper
        from onnx.reference import ReferenceEvaluator

        if node.kind not in CONSTANTS:
            raise node.refused(tr("only constants"), " | ".join(sorted(CONSTANTS)))
        sizes = {"ConstantOfShape": 0, "Expand": 1}.get(node.kind)
        if sizes is not None and np.prod(np.asarray(node.inputs[sizes], dtype=float)) > LARGEST:
            raise node.refused(node.inputs[sizes], tr("at most {count} numbers", count=LARGEST))
        given = {name: np.asarray(array) for name, array in zip(entry.input, node.inputs, strict=True) if name}
        inputs = [
            helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in given.items()
        ]
        outputs = [helper.make_tensor_value_info(entry.output[0], TensorProto.UNDEFINED, None)]
        graph = helper.make_graph([entry], "constant", inputs, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)])
        found: Any = ReferenceEvaluator(model).run(None, given)
        return np.asarray(found[0])

    def _end(self, steps: list[Step]) -> list[Step]:
        """The steps without what `predict_proba` does by itself."""
        last = steps[-1] if steps else None
        if last is not None and isinstance(last.layer, Part) and last.layer.kind in ENDS:
            needed = ENDS[last.layer.kind]
            before = steps[-2].layer if len(steps) > 1 else None
            if needed is not None and not isinstance(before, needed):
                raise self._lacking(last.node)
            steps = steps[:-1]
        if not steps:
            raise InputError(tr("This ONNX file has no layers."), where=self.path)
        return steps

    def _lacking(self, node: str) -> InputError:
        what = tr("This ONNX operator can't be imported.")
        return InputError(what, where=node, expected=tr("an expression that is one of glassnet's layers"))

    def _describe(self, network: Network) -> None:
        """Names of classes and the images' style, where the file says them as glassnet's own do."""
        try:
            classes = json.loads(self.texts.get("classes", "null"))
            style = json.loads(self.texts.get("preparation", "null"))
            if (
                isinstance(classes, list)
                and len(classes) == max(network.outputs, 2)
                and all(isinstance(c, str) for c in classes)
            ):
                network.classes = tuple(classes)
            if isinstance(style, dict):
                network.image_style = ImageStyle.from_description(style)
        except (ValueError, TypeError, KeyError):  # of others, who mean something else by it
            return


def _loss(last: Layer, outputs: int) -> str:
    if isinstance(last, Sigmoid) or (outputs == 1 and not isinstance(last, Softmax)):
        return "BinaryCrossEntropy"
    return "SoftmaxCrossEntropy"
