"""Every export answers as the network does: each layer, each end, each shipped recipe's network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import glassnet as gn
from glassnet.errors import InputError
from glassnet.interop import c as c_form, numpy as numpy_form
from glassnet.interop.c_calls import CALLS
from glassnet.interop.export import metadata_of, type_of
from glassnet.interop.operations import KINDS
from tests.interop import CASES_OF_LAYERS, assert_same, images_for, made, networks_of_recipes

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
CHECKED = [*STRICT, "-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]


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


def smaller(network: gn.Network) -> Any:
    """The same architecture with fewer units and filters, so that the C compiler has fewer weights to read."""
    described = network.describe()
    for layer in described["layers"][:-2]:  # the last Dense stays as it is
        layer |= {key: min(layer[key], most) for key, most in (("units", 40), ("filters", 12)) if key in layer}
    shape = described["input_shape"]
    if network.layers[0].__class__.__name__ == "Flatten":
        shape = [min(size, 28) for size in shape]
    classes, loss = described["classes"], described["loss"]
    return made(gn.Network(described["layers"], input_shape=shape, loss=loss, classes=classes, seed=1), 5)


def test_c_of_every_recipe(cc: list[str], tmp_path: Path) -> None:
    cases = {str(case.id): smaller(case.values[0]()[0]) for case in networks_of_recipes()}
    found = asked(cc, tmp_path, cases, CHECKED)
    for name, (network, images) in cases.items():
        assert_same(network, lambda _, name=name: found[name], images)


def test_c_is_valid_in_two_files_and_for_any_names(cc: list[str], tmp_path: Path) -> None:
    """Also in one that does not ask; with names of classes that C would read otherwise, and weights that are no numbers."""
    network = gn.Network([3, 2], seed=1, classes=['"a"\\', "??/ 零\n*/"])
    network.parameters = np.array([np.nan, np.inf, -np.inf, 1e-20, 2.0, 1e20, 0.5, -1.0])
    given = described(network, np.zeros((1, 3), dtype=np.float32), "9 lives*.h")
    (tmp_path / "n.h").write_bytes(c_form.encode(network, given))
    (tmp_path / "other.c").write_text('#include "n.h"\nint other(void) { return NETWORK_9_LIVES_CLASSES; }\n')
    (tmp_path / "main.c").write_text(
        """#include "n.h"
#include "n.h"
#include <stdio.h>
int other(void);
int main(void) {
    float image[3] = {0, 0, 0}, probabilities[2];
    network_9_lives_predict(image, probabilities);
    for (int i = 0; i < other(); i++) printf("%s|", network_9_lives_classes[i]);
    return 0;
}
"""
    )
    subprocess.run([*cc, *CHECKED, "-o", "both", "main.c", "other.c", "-lm"], cwd=tmp_path, check=True)
    done = subprocess.run([tmp_path / "both"], capture_output=True, check=True)
    assert done.stdout.decode() == '"a"\\|??/ 零\n*/|'


def test_c_without_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match="no C compiler") as caught:
        gn.export_c(gn.Network([3, 2], seed=1), tmp_path / "n.h")
    assert "pip install ziglang" in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_c_that_can_not_be_compiled(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for command in ([sys.executable, "-c", "import sys; sys.exit('no such flag')"], [str(tmp_path / "none")]):
        monkeypatch.setattr(c_form, "compiler", lambda command=command: command)
        with pytest.raises(InputError, match="can't be compiled or run here"):
            gn.export_c(gn.Network([3, 2], seed=1), tmp_path / "n.h")
    assert not list(tmp_path.iterdir())


def test_an_operation_that_a_form_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    network, images = made(gn.Network([3, 2], seed=1))
    for table, form in ((CALLS, c_form), (numpy_form.FUNCTIONS, numpy_form)):
        monkeypatch.delitem(table, "sigmoid")
        with pytest.raises(InputError, match="has no form for this operation") as caught:
            form.encode(network, described(network, images, "n"))
        assert caught.value.where == "sigmoid1"


def test_no_images_have_no_answers(cc: list[str]) -> None:
    network, images = made(gn.Network([gn.Conv2D(2, 2), gn.Flatten(), gn.Dense(3)], input_shape=(3, 3, 1), seed=1))
    for form in (numpy_form, c_form):
        predict = form.predictor(form.encode(network, described(network, images, "n.h")))
        assert predict(images[:0]).shape == (0, 3)
        assert_same(network, predict, images)


def test_c_of_a_name_that_is_none(tmp_path: Path) -> None:
    for name in ("1st", "a-b", "", "naïve"):
        with pytest.raises(InputError, match="can't begin a name in C"):
            gn.export_c(gn.Network([3, 2], seed=1), tmp_path / "n.h", name=name)


def test_a_network_is_exported_and_proven(tmp_path: Path) -> None:
    network = gn.Network([gn.Scale(1 / 255), gn.Dense(3)], input_shape=(4,), loss="SoftmaxCrossEntropy", seed=1)
    proofs = [gn.export_numpy(network, tmp_path / "n.py")]
    if any(map(shutil.which, ("cc", "gcc", "clang"))):
        proofs.append(gn.export_c(network, tmp_path / "n.h", name="tiny"))
        assert b"tiny_predict(const float *image" in (tmp_path / "n.h").read_bytes()
    for proof in proofs:
        assert (proof.part, proof.images, proof.changed) == ("random", 100, 0)
        assert proof.largest <= 1e-5


@pytest.mark.parametrize("kind", ["L", "RGB"])
def test_the_python_file_reads_images(kind: str, tmp_path: Path) -> None:
    """It runs where glassnet is not: `python -I` in another folder, an image file or an array."""
    shape = (4, 5, 1 if kind == "L" else 3)
    layers = [gn.Pixels(), gn.Conv2D(2, 3), gn.Flatten(), gn.Dense(2)]
    network = gn.Network(layers, input_shape=shape, loss="SoftmaxCrossEntropy", seed=1, classes=["one", "the other"])
    images = images_for(network, 3)
    gn.export_numpy(network, tmp_path / "model.py")
    np.save(tmp_path / "images.npy", images)
    np.save(tmp_path / "wrong.npy", images[:, 1:])
    Image.fromarray(images[0].squeeze(), kind).save(tmp_path / "first.png")
    Image.new(kind, (7, 7)).save(tmp_path / "large.png")

    def ask(*files: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-X", "utf8", "-I", "model.py", *files]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8")

    lines = ask("images.npy").stdout.splitlines()
    wanted = network.predict_proba(images)
    assert lines == [f"{network.classes[row.argmax()]}\tone:{row[0]:.4f} the other:{row[1]:.4f}" for row in wanted]
    assert ask("first.png").stdout.splitlines() == lines[:1]
    for file, message in (("wrong.npy", "expected: uint8"), ("large.png", "5×4 pixels"), ("none.png", "none.png")):
        done = ask(file)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert "Traceback" not in done.stderr
    assert "usage" in ask().stderr


def test_pixels_behind_a_layer_that_gives_floats_divides_nothing() -> None:
    layers = [gn.Flatten(), gn.Pixels(), gn.Dense(3), gn.Pixels(), gn.Residual([gn.Pixels()]), gn.Dense(3)]
    network, images = made(gn.Network(layers, input_shape=(4,), loss="SoftmaxCrossEntropy", seed=1))
    content = numpy_form.encode(network, described(network, images, "model.py"))
    assert_same(network, numpy_form.predictor(content), images)
