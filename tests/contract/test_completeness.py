"""What belongs to a layer, a loss, an optimizer, a reader, a rule, a command is all there: what is missing is named.

CONTRIBUTING.md lists the same steps. A class or function is found where it is defined, not where it is registered, so one
that was only begun is found, too.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import glassnet as gn
import glassnet.analysis.diagnosis
import glassnet.cli
import glassnet.data.readers
import glassnet.nn
from benchmarks.faults import FAULTS
from benchmarks.mangled_kinds import KINDS
from glassnet.analysis.diagnosis.rules import RULES, SYMPTOMS
from glassnet.analysis.trace.lens import Lens
from glassnet.analysis.trace.path import LENSES
from glassnet.cli.main import app
from glassnet.compiler import can_lower
from glassnet.compiler.assemble import LOSS_KINDS
from glassnet.compiler.optimizers import OPTIMIZER_KINDS
from glassnet.data.load import PATH_READERS
from glassnet.nn import LAYERS, Flatten, Layer, Nested, Pixels
from glassnet.nn.initializers import INITIALIZERS, Initializer
from glassnet.nn.losses import LOSSES, Loss
from glassnet.nn.optimizers import OPTIMIZERS, Optimizer
from glassnet.nn.penalties import REGULARIZERS, Regularizer
from glassnet.nn.schedules import SCHEDULES, Schedule
from glassnet.support.i18n import tr
from tests.contract.test_gradients_layer_by_cost import COSTS
from tests.contract.test_layers import CASES
from tests.integration.test_gradient_check import PLACES

ROOT = Path(__file__).parents[2]
NUMPY_ONLY: set[str] = set()  # what no kernel computes: training with it runs in NumPy
KINDS_OF_KERNELS: dict[type, Collection[type]] = {Loss: LOSS_KINDS, Optimizer: OPTIMIZER_KINDS}
NO_TWIN = {"Flatten", "Pixels", "Scale", "Standardize", "Dropout"}  # layers that PyTorch does not have, or draws otherwise


def mentions(name: str, *paths: str) -> list[str]:
    """Those of the files and folders in which `name` does not stand as a word."""
    return [path for path in paths if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text_of(path))]


def text_of(path: str) -> str:
    found = ROOT / path
    files = sorted(found.rglob("*.py")) if found.is_dir() else [found]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


def modules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def defined(base: type, method: str) -> set[str]:
    """The classes of glassnet/nn/ that derive from `base` and have the `method` that makes one usable."""
    return {
        kind.__name__
        for module in modules(glassnet.nn)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base) and kind is not base and not kind.__name__.startswith("_")
        if not inspect.isabstract(kind) and getattr(kind, method) is not getattr(base, method)
    }


def missing(found: dict[str, list[str]]) -> str:
    return "\n".join(f"{name}: {', '.join(what)}" for name, what in sorted(found.items()) if what)


def test_layers() -> None:
    found: dict[str, list[str]] = {}
    for name in sorted(defined(Layer, "forward")):
        lacks = found[name] = []
        if name not in LAYERS:
            lacks.append("LAYERS in nn/__init__.py")
            continue
        if name not in gn.__all__:
            lacks.append("glassnet/__init__.pyi")
        if name not in CASES:
            lacks.append("CASES in tests/contract/test_layers.py")
        elif name not in NUMPY_ONLY and not lowered(name):
            lacks.append("a lowering in compiler/, or NUMPY_ONLY in this test")
        if name not in LENSES and not issubclass(LAYERS[name], (Nested, Pixels)):  # which path.py treats by themselves
            lacks.append("LENSES in analysis/trace/path.py")
        if mentions(name, "src/glassnet/interop/operations.py"):
            lacks.append("an entry in interop/operations.py")
        if mentions(name, "src/glassnet/present/page/js/explanations.js"):
            lacks.append("EXPLANATIONS in present/page/js/explanations.js")
        if name not in PLACES:
            lacks.append("PLACES in tests/integration/test_gradient_check.py")
        if name not in NO_TWIN and mentions(name, "tests/parity"):
            lacks.append("a twin in tests/parity, or NO_TWIN in this test")
        lacks += mentions(name, "docs/mathematics.md", "README.md", "README.zh-CN.md", "CHANGELOG.md")
    assert not missing(found)


def lowered(name: str) -> bool:
    """Whether the kernels run a network with the first case of the layer."""
    factory, shape = CASES[name][0]
    layers = [factory(), Flatten(), gn.Dense(2)]
    return can_lower(gn.Network(layers, input_shape=shape, loss="SoftmaxCrossEntropy", seed=1))


@pytest.mark.parametrize(
    ("kind", "method", "registry", "places"),
    [
        (Loss, "value_and_gradient", LOSSES, ("tests/parity", "docs/mathematics.md", "src/glassnet/analysis/trace/loss.py")),
        (Optimizer, "step", OPTIMIZERS, ("tests/parity", "docs/mathematics.md", "src/glassnet/analysis/trace/update.py")),
        (Schedule, "rate", SCHEDULES, ("tests/unit/nn/test_schedules.py", "docs/mathematics.md")),
        (Initializer, "__call__", INITIALIZERS, ("tests/unit/nn/test_initializers.py", "docs/mathematics.md")),
        (Regularizer, "rates", REGULARIZERS, ("tests/unit/nn/test_penalties.py", "docs/mathematics.md")),
    ],
    ids=["losses", "optimizers", "schedules", "initializers", "penalties"],
)
def test_what_a_network_is_trained_with(kind: type, method: str, registry: dict[str, type], places: tuple[str, ...]) -> None:
    found: dict[str, list[str]] = {}
    for name in sorted(defined(kind, method)):
        lacks = found[name] = []
        if name not in registry:
            lacks.append(f"the registry in {kind.__module__}")
        elif name not in NUMPY_ONLY and kind in KINDS_OF_KERNELS and registry[name] not in KINDS_OF_KERNELS[kind]:
            lacks.append("a kernel (LOSS_KINDS in compiler/assemble.py, compiler/optimizers.py), or NUMPY_ONLY in this test")
        if name not in gn.__all__:
            lacks.append("glassnet/__init__.pyi")
        lacks += mentions(name, *places, "README.md", "README.zh-CN.md")
    if kind is Loss:
        cases = {type(case["loss"]).__name__ for case in COSTS.values()}
        for name in set(LOSSES) - cases:
            found[name].append("COSTS in tests/contract/test_gradients_layer_by_cost.py")
    assert found
    assert not missing(found)


def test_readers(tmp_path: Path) -> None:
    """Every reader is offered by `load_dataset`, described in docs/data.md, and tried with damaged files."""
    readers = {
        name: module.__name__.removeprefix("glassnet.")
        for module in modules(glassnet.data.readers)
        for name, value in vars(module).items()
        if name.startswith("read_") and inspect.isfunction(value) and value.__module__ == module.__name__
    }
    used = text_of("src/glassnet/data/load.py") + text_of("src/glassnet/data/catalog.py") + text_of("src/glassnet/cli")
    used += "".join(text_of(f"src/glassnet/data/readers/{path.name}") for path in readers_that_use_readers())
    found = {name: [f"data/load.py (defined in {home})"] for name, home in readers.items() if name not in used}
    assert not missing(found)
    described = text_of("docs/data.md").replace("`", "")
    undescribed = [reader.kind for reader in PATH_READERS if reader.kind not in described]
    assert not undescribed, "docs/data.md, What can be read"
    tried: set[str] = set()
    for name, kind in KINDS.items():
        folder = tmp_path / name
        folder.mkdir()
        path = kind.write(folder)
        tried |= {reader.kind for reader in PATH_READERS for place in (path, *path.parents[:2]) if reader.accepts(place)}
    assert not [reader.kind for reader in PATH_READERS if reader.kind not in tried], "KINDS in benchmarks/mangled_kinds.py"


def readers_that_use_readers() -> Iterator[Path]:
    """Modules of data/readers/ that another reader is built from."""
    for path in (ROOT / "src/glassnet/data/readers").glob("*.py"):
        if re.search(r"^from glassnet\.data\.readers", path.read_text(encoding="utf-8"), re.MULTILINE):
            yield path


def test_rules() -> None:
    """Every rule of the diagnosis is applied, has a planted fault, and is described."""
    applied = {rule.__name__ for rule in (*RULES, *SYMPTOMS)}
    found: dict[str, list[str]] = {}
    for module in modules(glassnet.analysis.diagnosis):
        if not module.__name__.endswith("_rules"):
            continue
        for name, value in vars(module).items():
            if inspect.isfunction(value) and not name.startswith("_") and is_rule(value) and name not in applied:
                found[name] = [f"RULES in analysis/diagnosis/rules.py (defined in {module.__name__})"]
        for finding in findings_of(module):
            lacks = found.setdefault(finding, [])
            if finding not in {fault.name for fault in FAULTS}:
                lacks.append("a fault in benchmarks/faults.py")
            lacks += mentions(finding, "docs/seeing.md")
    assert not missing(found)


def is_rule(function: object) -> bool:
    return "Finding | None" in str(inspect.get_annotations(function).get("return"))  # type: ignore[arg-type]  # any function


def findings_of(module: ModuleType) -> set[str]:
    """The names of the findings that a module's rules give: marked messages whose Chinese ends with the English name."""
    return {
        node.args[0].value
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "mark" and isinstance(node.args[0], ast.Constant)
        if isinstance(node.args[0].value, str) and tr(node.args[0].value).zh.endswith(f"（{node.args[0].value}）")
    }


def test_commands() -> None:
    """Every file in cli/ with a command is part of `glassnet`, described, and tested."""
    registered = {command.name for command in app.registered_commands}
    found: dict[str, list[str]] = {}
    for module in modules(glassnet.cli):
        if not hasattr(module, "command"):
            continue
        name = module.__name__.rpartition(".")[2].replace("_", "-")
        lacks = found[name] = []
        if name not in registered:
            lacks.append("cli/main.py")
        lacks += mentions(name, "docs/commands.md", "README.md", "README.zh-CN.md", "tests/cli/test_commands.py")
    assert not missing(found)


@pytest.mark.parametrize("name", LENSES)
def test_a_lens_on_parameters_says_what_they_act_on(name: str) -> None:
    factory, shape = CASES[name][0]
    layer = factory()
    layer.build(shape, np.random.default_rng(0))
    if layer.parameters:
        assert LENSES[name].feeds is not Lens.feeds, "feeds"
        assert LENSES[name].gradient is not Lens.gradient, "gradient"
