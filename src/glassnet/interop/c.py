"""A network as one C99 header without dependencies or heap."""

from __future__ import annotations

import re
import shutil
import string
import subprocess
import sys
import tempfile
import textwrap
from dataclasses import replace
from functools import cache
from importlib import resources, util
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from glassnet.errors import InputError, spell as spell_error
from glassnet.interop.c_calls import CALLS, IN_PLACE, SCRATCH, Step, number
from glassnet.interop.export import Predict
from glassnet.interop.operations import Array32, Operation, operations_of
from glassnet.interop.source import about_images, check_kinds, file_name, spell, variables, wrapped
from glassnet.network import Network
from glassnet.nn.layer import Shape
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

BUFFERS = [*string.ascii_lowercase[:8], *(f"buffer{n}" for n in range(8, 1000))]  # i is a loop's

HEADER = """\
/* {file}: a neural network that classifies images. Written by {made_by}.

       {type} image[{upper}_INPUTS];  // filled
       float probabilities[{upper}_CLASSES];
       int found = {name}_predict(image, probabilities);  // the number of the likeliest class
       puts({name}_classes[found]);

{about}

{memory}

   Weights: SHA-256 {weights_sha256}.
   {name}_predict, at the end of the file, goes through the network from layer to layer. */

#ifndef {upper}_H
#define {upper}_H

#include <math.h>
#include <stdint.h>

#define {upper}_INPUTS {inputs} /* {shape} */
#define {upper}_CLASSES {count}

static const char *const {name}_classes[{upper}_CLASSES] = {{
{classes}
}};

{functions}

{weights}

/* The number of the likeliest class of an image, and the probabilities of all. */
static inline int {name}_predict(const {type} *image, float *probabilities)
{{
    static float {buffers};
    int found = 0;

    for (int i = 0; i < {upper}_INPUTS; i++)
        {first}[i] = (float)image[i];
{steps}
    for (int i = 0; i < {upper}_CLASSES; i++) {{
        probabilities[i] = {last}[i];
        if (probabilities[i] > probabilities[found])
            found = i;
    }}
    return found;
}}

#endif
"""

PROGRAM = """\
#include "{header}"
#include <stdio.h>

int main(int count, char **arguments) /* a file of images, a file for their probabilities */
{{
    static {type} image[{upper}_INPUTS];
    float probabilities[{upper}_CLASSES];
    FILE *images = count == 3 ? fopen(arguments[1], "rb") : 0, *answers = count == 3 ? fopen(arguments[2], "wb") : 0;
    if (!images || !answers)
        return 1;
    while (fread(image, sizeof image, 1, images) == 1) {{
        {name}_predict(image, probabilities);
        if (fwrite(probabilities, sizeof probabilities, 1, answers) != 1)
            return 1;
    }}
    fclose(images);
    return fclose(answers) != 0;
}}
"""


def encode(network: Network, metadata: dict[str, Any], *, name: str | None = None) -> bytes:
    """The header; `name` begins every name in it, by default that of the file."""
    takes_bytes = metadata["input_type"] == "uint8"
    name = _prefix(metadata["file"]) if name is None else _checked(name)
    operations = operations_of(network, takes_bytes=takes_bytes)
    check_kinds(operations, CALLS, "C")
    steps, sizes = _steps(operations, network.input_shape)
    arrays = {step.array(key): array for step in steps for key, array in step.arrays().items()}
    code = "\n".join(f"    /* {step.operation.name}: {spell(step.operation.shape)} */\n{_code(step)}" for step in steps)
    given = {
        **metadata,
        "file": file_name(metadata),
        "about": wrapped(about_images(metadata, takes_bytes), "   "),
        "memory": wrapped(_memory(arrays, sizes), "   "),
        "name": name,
        "upper": name.upper(),
        "type": "uint8_t" if takes_bytes else "float",
        "inputs": network.features,
        "shape": spell(network.input_shape),
        "count": len(network.classes),
        "classes": "\n".join(f"    {_string(text)}," for text in network.classes),
        "functions": "\n\n".join(_needed(code)),
        "weights": "\n\n".join(_weights(*item) for item in arrays.items()),
        "buffers": ", ".join(f"{variable}[{size}]" for variable, size in sizes.items()),
        "first": BUFFERS[0],
        "steps": code,
        "last": steps[-1].y,
    }
    written = {key: given[key].replace("NETWORK_", f"{name}_") for key in ("functions", "weights", "steps")}
    return HEADER.format(**given | written).encode()


def predictor(content: bytes) -> Predict:
    """The answers of a header that `encode` wrote, compiled with the C compiler of this machine."""
    command = compiler()
    text = content.decode()
    ((name, kind),) = re.findall(r"(\w+)_predict\(const (\w+) \*image", text)
    ((classes),) = re.findall(r"#define \w+_CLASSES (\d+)", text)

    def predict(images: Array) -> Array:
        with tempfile.TemporaryDirectory() as folder:
            program = Path(folder, "ask.exe")
            Path(folder, "network.h").write_bytes(content)
            source = PROGRAM.format(header="network.h", name=name, upper=name.upper(), type=kind)
            Path(folder, "ask.c").write_text(source, encoding="utf-8")
            _run([*command, "-std=c99", "-O3", "-o", str(program), str(Path(folder, "ask.c")), "-lm"])
            Path(folder, "images").write_bytes(images.astype("u1" if kind == "uint8_t" else "f4").tobytes())
            _run([str(program), str(Path(folder, "images")), str(Path(folder, "answers"))])
            answers = np.fromfile(Path(folder, "answers"), dtype=np.float32)
        return answers.reshape(len(images), int(classes))

    return predict


def compiler() -> list[str]:
    """The command of a C compiler: cc, gcc, clang, or that of the package ziglang."""
    path = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if path is not None:
        return [path]
    if util.find_spec("ziglang") is not None:
        return [sys.executable, "-m", "ziglang", "cc"]
    raise InputError(
        tr("There is no C compiler on this machine, which is needed to prove the export."),
        where="export",
        expected="cc | gcc | clang",
        hint=tr("{command} installs one", command="pip install ziglang"),
    )


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace")
        problem = done.stderr.strip()[-500:] or str(done.returncode) if done.returncode else ""
    except OSError as error:  # a folder for temporary files in which nothing may be run
        problem = spell_error(error)
    if problem:
        raise InputError(tr("The export can't be compiled or run here."), where=" ".join(command), received=problem)


def _steps(operations: list[Operation], shape: Shape) -> tuple[list[Step], dict[str, int]]:
    """What is to be done, and the buffers for it with their sizes."""
    kept = [operation for operation in operations if operation.kind != "flatten"]  # whose value is that of its input
    places = [0]  # of each value among those of `kept`
    for operation in operations:
        places.append(places[operation.inputs[0]] if operation.kind == "flatten" else max(places) + 1)
    moved = [replace(operation, inputs=tuple(places[value] for value in operation.inputs)) for operation in kept]
    found = variables(moved, lambda operation: operation.kind in IN_PLACE)
    names = [BUFFERS[found[place]] for place in places]
    shapes = [shape, *(operation.shape for operation in operations)]
    sizes: dict[str, int] = {}
    for name, each in zip(names, shapes, strict=True):
        sizes[name] = max(sizes.get(name, 0), prod(each))
    steps = [
        Step(operation, [names[value] for value in operation.inputs], [shapes[value] for value in operation.inputs], name)
        for operation, name in zip(operations, names[1:], strict=True)
        if operation.kind != "flatten"
    ]
    kinds = [operation for operation in kept if operation.kind in SCRATCH]
    scratch = [SCRATCH[operation.kind] * len(operation.arrays["recurrent_weight"]) for operation in kinds]
    return steps, sizes | ({"scratch": max(scratch)} if scratch else {})


def _code(step: Step) -> str:
    return textwrap.indent("\n".join(CALLS[step.operation.kind](step)), "    ")


def _memory(arrays: dict[str, Array32], sizes: dict[str, int]) -> str:
    constants, buffers = 4 * sum(array.size for array in arrays.values()), 4 * sum(sizes.values())
    return (
        f"Memory: {constants:,} bytes of weights, which are constants, and {buffers:,} bytes of buffers; no heap."
        " The buffers are static: two threads must not ask at the same time, and each source file that includes this one"
        " has its own copy of all."
    )


@cache
def functions() -> dict[str, str]:
    """The source of each function and type in c_functions.h by its name, with the comment before it."""
    text = resources.files("glassnet.interop").joinpath("c_functions.h").read_text(encoding="utf-8")
    parts = text.strip().split("\n\n")[1:]  # the first describes the file
    return {re.findall(r"NETWORK_(\w+)(?=\(|;\Z)", part)[0]: part for part in parts}


def _needed(code: str) -> list[str]:
    """The functions that the code calls and those that these call, in their order."""
    found, waiting = set[str](), [code]
    while waiting:
        for name in set(re.findall(r"NETWORK_(\w+)", waiting.pop())) & functions().keys() - found:
            found.add(name)
            waiting.append(functions()[name])
    return [part for name, part in functions().items() if name in found]


def _weights(name: str, array: Array32) -> str:
    values = array.ravel()
    numbers = [f"{value!s}f" for value in values] if np.isfinite(values).all() else [number(float(value)) for value in values]
    lines = ",\n    ".join(", ".join(numbers[start : start + 8]) for start in range(0, len(numbers), 8))
    return f"/* {spell(array.shape)} */\nstatic const float {name}[{array.size}] = {{\n    {lines}}};"


def _string(text: str) -> str:
    escaped = "".join(
        f"\\{char}" if char in '"\\?' else char if char.isprintable() else "".join(f"\\{byte:03o}" for byte in _bytes(char))
        for char in text
    )
    return f'"{escaped}"'


def _bytes(char: str) -> bytes:
    return char.encode(errors="surrogatepass")


def _prefix(file: str) -> str:
    """The name of a file as the beginning of names in C."""
    name = re.sub(r"\W", "_", Path(file).stem, flags=re.ASCII).strip("_")
    return name if name and not name[0].isdigit() else f"network_{name}".rstrip("_")


def _checked(name: str) -> str:
    if re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name) is None:
        raise InputError(
            tr("This can't begin a name in C."),
            where="export_c(name)",
            expected=tr("a letter, then letters, digits and _"),
            received=repr(name),
        )
    return name
