"""A network as one Python file that needs only NumPy, written to be read."""

from __future__ import annotations

import base64
import inspect
import zlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from glassnet.interop import numpy_functions
from glassnet.interop.export import Predict
from glassnet.interop.operations import Array32, Operation, operations_of
from glassnet.interop.source import about_images, check_kinds, constant, file_name, spell, variables, wrapped
from glassnet.network import Network
from glassnet.support.arrays import Array

FUNCTIONS = {name: f for name, f in vars(numpy_functions).items() if inspect.isfunction(f)}  # those of KINDS, by kind
BATCH = 32  # images at once: windows of many would need much memory

BEGIN = '''\
"""A neural network that classifies images, in plain NumPy. Written by {made_by}.

    python {file} IMAGE.png          its class and probabilities; or an .npy file of images (N, {sizes})

{about}

Weights: SHA-256 {weights_sha256}, at the end of the file.
"""

import base64
import sys
import zlib

import numpy as np

CLASSES = {classes}
SHAPE = {shape}  # of one image


def probabilities(images):
    """Probabilities (N, {count}) of images (N, {sizes}). Some hundreds at once are enough for the memory."""
    images = np.asarray(images)
    if images.shape[1:] != SHAPE{or_type}:
        raise ValueError(f"expected: {input_type} (N, {sizes}); received: {{images.dtype}} {{images.shape}}")
    x = images.astype(np.float32)
{steps}
    return {last}


def predict(images):
    """The likeliest class of each image, as its number."""
    return probabilities(images).argmax(axis=1)
'''

END = '''\
def read(path):
    """Images (N, {sizes}) from an .npy file, or one from an image file, for which Pillow is needed."""
    if path.endswith(".npy"):
        images = np.load(path)
        return images[None] if images.shape == SHAPE else images
    from PIL import Image

{opened}


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: python {file} IMAGE.png|IMAGES.npy")
    try:
        found = probabilities(read(sys.argv[1]))
    except (ImportError, OSError, ValueError) as error:
        sys.exit(f"{{sys.argv[1]}}: {{error}}")
    for row in found:
        print(CLASSES[row.argmax()], " ".join(f"{{name}}:{{p:.4f}}" for name, p in zip(CLASSES, row)), sep="\\t")


def array(shape, text):
    """Float32 numbers, compressed by zlib and written in base64."""
    return np.frombuffer(zlib.decompress(base64.b64decode(text)), dtype="<f4").reshape(shape)


W = {{  # by layer and by argument of its function
{weights}
}}

if __name__ == "__main__":
    main()
'''

OPENED = """\
    image = Image.open(path).convert({mode!r})
    if image.size != {size}:
        raise ValueError(f"expected: an image of {size[0]}×{size[1]} pixels; received: {{image.size[0]}}×{{image.size[1]}}")
    return np.asarray(image{scaled}).reshape(1, *SHAPE)"""
NOT_OPENED = '    raise ValueError("expected: an .npy file, as this network\'s inputs are no images of 1 or 3 channels")'


def encode(network: Network, metadata: dict[str, Any]) -> bytes:
    """The Python file: what it takes, the operations in their order, the functions they need, and the weights."""
    takes_bytes = metadata["input_type"] == "uint8"
    operations = operations_of(network, takes_bytes=takes_bytes)
    check_kinds(operations, FUNCTIONS, "NumPy")
    names = [f"x{number}" if number else "x" for number in variables(operations, lambda operation: True)]
    given = {
        **metadata,
        "file": file_name(metadata),
        "about": wrapped(about_images(metadata, takes_bytes)),
        "classes": _tuple(metadata["classes"]),
        "count": len(metadata["classes"]),
        "shape": repr(network.input_shape),
        "sizes": ", ".join(map(str, network.input_shape)),
        "or_type": " or images.dtype != np.uint8" if takes_bytes else "",
        "steps": "\n".join(f"    {line}" for line in _steps(operations, names)),
        "last": names[-1],
        "opened": _opened(network.input_shape, takes_bytes),
        "weights": _weights(operations),
    }
    functions = [inspect.getsource(FUNCTIONS[name]) for name in _needed(operation.kind for operation in operations)]
    return "\n\n".join([BEGIN.format(**given), *functions, END.format(**given)]).encode()


def predictor(content: bytes) -> Predict:
    """The `probabilities` of a file that `encode` wrote, which is executed."""
    module: dict[str, Any] = {"__name__": "exported"}
    exec(compile(content, "exported.py", "exec"), module)

    def predict(images: Array) -> Array:
        batches = [images[start : start + BATCH] for start in range(0, max(len(images), 1), BATCH)]
        return np.concatenate([module["probabilities"](batch) for batch in batches])

    return predict


def _steps(operations: list[Operation], names: list[str]) -> Iterable[str]:
    for number, operation in enumerate(operations, 1):
        arguments = [names[value] for value in operation.inputs]
        if _arrays(operation):
            arguments.append(f'**W["{operation.name}"]')
        values = {key: constant(operation, key) for key in operation.arrays}
        arguments += [f"{key}={_number(value)}" for key, value in values.items() if value is not None]
        parameters = inspect.signature(FUNCTIONS[operation.kind]).parameters
        for key, setting in operation.settings.items():
            if key in parameters and parameters[key].default != setting:  # a window's size is also that of the weights
                arguments.append(f"{key}={setting!r}")
        call = f"{names[number]} = {operation.kind}({', '.join(arguments)})"
        yield f"{call:<60}  # {operation.name}: {spell(operation.shape)}"


def _arrays(operation: Operation) -> dict[str, Array32]:
    """The arrays that stand at the end of the file, and not as a number in the call."""
    return {key: array for key, array in operation.arrays.items() if constant(operation, key) is None}


def _needed(kinds: Iterable[str]) -> list[str]:
    """The functions of these kinds and those that they call, in the order in which they are defined."""
    found, waiting = set[str](), list(kinds)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [called for called in FUNCTIONS[name].__code__.co_names if called in FUNCTIONS]
    return [name for name in FUNCTIONS if name in found]


def _number(value: float) -> str:
    return repr(float(str(np.float32(value))))  # the shortest text that is the same float32


def _tuple(texts: list[str]) -> str:
    spelled = repr(tuple(texts))
    return spelled if len(spelled) < 110 else "(\n" + "".join(f"    {text!r},\n" for text in texts) + ")"


def _weights(operations: list[Operation]) -> str:
    lines = []
    for operation in operations:
        if arrays := _arrays(operation):
            lines.append(f'    "{operation.name}": {{')
            for key, array in arrays.items():
                text = base64.b64encode(zlib.compress(array.astype("<f4").tobytes(), 9)).decode()
                lines.append(f'        "{key}": array({array.shape}, """')
                lines += [text[start : start + 120] for start in range(0, len(text), 120)]
                lines.append('        """),')
            lines.append("    },")
    return "\n".join(lines)


def _opened(shape: tuple[int, ...], takes_bytes: bool) -> str:
    if len(shape) != 3 or shape[2] not in (1, 3):
        return NOT_OPENED
    mode = "L" if shape[2] == 1 else "RGB"
    return OPENED.format(mode=mode, size=(shape[1], shape[0]), scaled="" if takes_bytes else ", dtype=np.float32")
