"""Every export answers as the network does: each layer, each end, each shipped recipe's network."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.interop import c as c_form, numpy as numpy_form
from glassnet.interop.c_calls import CALLS
from glassnet.interop.export import metadata_of, type_of
from glassnet.interop.operations import KINDS
from tests.interop import CASES_OF_LAYERS, assert_same, networks_of_recipes

each_network = pytest.mark.parametrize("make", [*CASES_OF_LAYERS, *networks_of_recipes()])


def described(network: Any, images: Any, file: str) -> dict[str, Any]:
    return {"file": file, **metadata_of(network), "input_type": type_of(images)}


def test_numpy_has_all_kinds() -> None:
    assert set(KINDS) <= set(numpy_form.FUNCTIONS)


@each_network
def test_numpy(make: Any) -> None:
    network, images = make()
    content = numpy_form.encode(network, described(network, images, "model.py"))
    assert_same(network, numpy_form.predictor(content), images)


STRICT = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
CHECKED = [*STRICT, "-O1", "-g0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


@pytest.fixture(scope="module")
def cc() -> list[str]:
    """The command of a C compiler that has the sanitizers."""
    path = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
    if path is None:
        pytest.skip("there is no C compiler on this machine")
    return [path]


def asked(cc: list[str], folder: Path, cases: dict[str, Any], flags: list[str]) -> dict[str, Any]:
    """The probabilities of networks whose headers are compiled into one program, by name."""
    asks, given = [], b""
    for number, (name, (network, images)) in enumerate(cases.items()):
        content = c_form.encode(network, described(network, images, "model.h"), name=f"n{number}")
        (folder / f"n{number}.h").write_bytes(content)
        kind = "uint8_t" if images.dtype == np.uint8 else "float"
        asks.append(f"    ASK(n{number}, N{number}, {kind}, {len(images)}) /* {name} */")
        given += images.tobytes()
    includes = "\n".join(f'#include "n{number}.h"' for number in range(len(cases)))
    (folder / "all.c").write_text(ALL % (includes, "\n".join(asks)), encoding="utf-8")
    subprocess.run([*cc, *flags, "-o", "all", "all.c", "-lm"], cwd=folder, check=True)
    (folder / "images").write_bytes(given)
    subprocess.run([folder / "all"], cwd=folder, check=True)
    answers, found = np.fromfile(folder / "answers", dtype=np.float32), {}
    for name, (network, images) in cases.items():
        size = len(images) * len(network.classes)
        found[name], answers = answers[:size].reshape(len(images), -1), answers[size:]
    assert not answers.size
    return found


ALL = """
%s
#include <stdio.h>

#define ASK(name, NAME, type, count)                                                       \\
    for (int n = 0; n < count; n++) {                                                      \\
        static type image[NAME##_INPUTS];                                                  \\
        float probabilities[NAME##_CLASSES];                                               \\
        if (fread(image, sizeof image, 1, images) != 1)                                    \\
            return 1;                                                                      \\
        int found = name##_predict(image, probabilities);                                  \\
        for (int i = 0; i < NAME##_CLASSES; i++)                                           \\
            if (probabilities[i] > probabilities[found])                                   \\
                return 2;                                                                  \\
        if (fwrite(probabilities, sizeof probabilities, 1, answers) != 1)                  \\
            return 3;                                                                      \\
    }

int main(void)
{
    FILE *images = fopen("images", "rb"), *answers = fopen("answers", "wb");
    if (!images || !answers)
        return 4;
%s
    fclose(images);
    return fclose(answers);
}
"""


def test_c_has_all_kinds() -> None:
    assert set(KINDS) == set(CALLS)


def test_c_of_every_layer_and_end(cc: list[str], tmp_path: Path) -> None:
    cases = {str(case.id): case.values[0]() for case in CASES_OF_LAYERS}
    found = asked(cc, tmp_path, cases, CHECKED)
    for name, (network, images) in cases.items():
        assert_same(network, lambda _, name=name: found[name], images)


def test_c_of_every_recipe(cc: list[str], tmp_path: Path) -> None:
    cases = {str(case.id): case.values[0]() for case in networks_of_recipes()}
    found = asked(cc, tmp_path, cases, CHECKED)
    for name, (network, images) in cases.items():
        assert_same(network, lambda _, name=name: found[name], images)
