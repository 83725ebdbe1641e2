"""Every operation has a record, is emitted by some lowering, and is handled by the interpreter."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glassnet.compiler import assemble, share
from glassnet.compiler.program_builder import ProgramBuilder
from glassnet.data.augmentation import Augmentation
from glassnet.kernels import opcodes, records
from glassnet.kernels.context import Context, OptimizerOptions, ParamGroup
from glassnet.network import Network
from glassnet.nn import (
    GELU,
    LSTM,
    AveragePool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LayerNorm,
    MaxPool2D,
    Pixels,
    ReLU,
    Residual,
    Scale,
    Softmax,
)
from glassnet.nn.losses import Loss
from glassnet.nn.optimizers import Optimizer
from glassnet.runtime import CompiledTrainer, ReferenceTrainer, StepPlan, make_trainer, use_kernels

KERNELS = Path(inspect.getfile(opcodes)).parent
OPCODES = {name: number for name, number in vars(opcodes).items() if isinstance(number, int)}
IMAGES = (12, 12, 16)
NETWORKS: list[tuple[list[Layer], tuple[int, ...], dict[str, Any]]] = [
    (
        [Pixels(), Conv2D(32, 3, padding="same"), BatchNorm(), ReLU(), Conv2D(32, 3, padding="same"), ReLU()],
        IMAGES,
        {"augmentation": Augmentation(shift=1), "image_shape": IMAGES},
    ),
    ([Conv2D(3, 5), BatchNorm(), MaxPool2D(2), BatchNorm()], IMAGES, {}),
    ([Scale(2.0, 1.0), BatchNorm(), GELU(), AveragePool2D(2), LayerNorm()], IMAGES, {}),
    ([Residual([Dropout(0.5)]), Concatenate([[ReLU()], []]), Conv2D(3, 3), Conv2D(3, 2), Softmax()], IMAGES, {}),
    ([LSTM(3, return_sequences=True), LSTM(2)], (4, 5), {}),
    ([Dense(5, use_bias=False), Dense(3)], (4100,), {}),
    ([Conv2D(8, (5, 4)), Conv2D(8, (5, 4)), Flatten(), Dense(64), Dense(64)], IMAGES, {"precision": "bfloat16"}),
    ([LSTM(16)], (4, 5), {"precision": "bfloat16"}),
]


@pytest.mark.parametrize(
    "kind", [*records.RECORDS.values(), Context, OptimizerOptions, ParamGroup], ids=lambda kind: kind.__name__
)
def test_records_are_packed_as_numpy_lays_them_out(kind: type[records.Record]) -> None:
    wanted = np.zeros(1, kind.dtype)
    for number, (name, (field, *_)) in enumerate((kind.dtype.fields or {}).items(), -3):  # some below 0, as −1 is for absent
        value = number / 2 if field.kind == "f" else number
        wanted[name] = np.arange(1, field.itemsize + 1, dtype=np.uint8).view(field)[0] if field.kind == "V" else value
    found = kind.pack({name: wanted[name][0] for name in kind.dtype.names or ()})
    assert found == wanted.tobytes()  # what lies between fields is zero, too
    assert kind.make(**{name: wanted[name][0] for name in kind.dtype.names or ()}).flags.writeable


def test_every_operation_has_a_number_and_a_record_of_its_own() -> None:
    assert sorted(OPCODES.values()) == sorted(set(OPCODES.values())) == sorted(records.RECORDS)
    kinds = {kind for kind in vars(records).values() if isinstance(kind, type) and issubclass(kind, records.Record)}
    groups = {records.Record, records.AugmentOptions, records.PoolShape, records.KernelShape, records.ConvShape,
              records.EpilogueShape, records.EpilogueOutput, records.Block, records.RecurrentShape,
              records.RecurrentStates}  # fmt: skip
    assert kinds - groups == set(records.RECORDS.values())


def test_every_operation_is_emitted() -> None:
    dense = Network([Dense(64), Dense(64), Dense(1025)], input_shape=(64,), seed=1)
    program = assemble(dense, 16, is_bytes=True, purpose="raw", ranges={0: (0.0, 1.0)}, many=True)
    found = set(program.code[:, 0].tolist())
    for layers, shape, options in NETWORKS:
        net = Network([*layers, Flatten(), Dense(3)], input_shape=shape, seed=1)
        for purpose in ("train", "losses", "outputs"):
            given = {key: value for key, value in options.items() if purpose == "train" or key == "precision"}
            program = assemble(net, 64, is_bytes=True, purpose=purpose, **given)
            found |= set(program.code[:, 0].tolist())
            if purpose == "train":
                found |= set(share(program).program.code[:, 0].tolist())
    assert {name for name, number in OPCODES.items() if number not in found} == set()


def _handled(path: str) -> list[str]:
    """The operations that a file's `if opcode == op.NAME` ask for."""
    tree = ast.parse((KERNELS / path).read_text(encoding="utf-8"))
    return [
        node.comparators[0].attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq) and ast.unparse(node.left) == "opcode"
        if isinstance(node.comparators[0], ast.Attribute)
    ]


def test_every_operation_is_handled_once() -> None:
    files = {"fused_block": "conv/fused_block.py", "recurrent": "recurrent.py", "bfloat16": "bfloat16.py", "int8": "int8.py"}
    units = {name: _handled(path) for name, path in files.items()}
    for name, handled in units.items():
        assert sorted(OPCODES[operation] for operation in handled) == [
            number for number in sorted(OPCODES.values()) if number in opcodes.UNITS[name]
        ]
    everywhere = [*_handled("interpreter.py"), *(operation for handled in units.values() for operation in handled)]
    assert sorted(everywhere) == sorted(OPCODES)


@pytest.fixture
def builder() -> ProgramBuilder:
    return ProgramBuilder(Network([4, 2], seed=1), 1, True)


def test_unknown_operations_are_refused(builder: ProgramBuilder) -> None:
    with pytest.raises(ValueError, match="99 is the opcode of no operation"):
        builder.emit(99)


@pytest.mark.parametrize(("change", "name"), [({"z": 0}, "z"), ({"b": None}, "b")], ids=["unknown", "missing"])
def test_operands_are_named_and_whole(builder: ProgramBuilder, change: dict[str, Any], name: str) -> None:
    operands = {"a": 0, "b": 1, "y": 2, "width": 3} | change
    with pytest.raises(TypeError, match=f"Add has the fields a, b, y, width; missing or unknown: {name}$"):
        builder.emit(opcodes.ADD, **{key: value for key, value in operands.items() if value is not None})


class Absolute(Loss):
    """A loss that the kernels do not know: Σ|z − t|."""

    def value_and_gradient(self, z: Any, target: Any) -> tuple[Any, Any]:
        return np.abs(z - target).sum(axis=-1), np.sign(z - target)


class SignDescent(Optimizer):
    """An optimizer that the kernels do not know."""

    def step(self, w: Any, g: Any, m: Any, v: Any, rate: float, number: int, decay: float = 0.0) -> None:
        w -= rate * np.sign(g)


def test_an_unknown_loss_runs_in_numpy() -> None:
    net = Network([4, 2], loss=Absolute(), seed=1)
    x, labels = np.random.default_rng(1).standard_normal((6, 4)).astype(np.float32), np.arange(6) % 2
    assert not use_kernels(net)
    with pytest.raises(KeyError, match="Absolute"):
        assemble(net, 4, is_bytes=False, purpose="train")
    before = net.evaluate((x, labels)).loss
    net.fit((x, labels), 30, seed=1)
    assert net.evaluate((x, labels)).loss < before


def test_an_unknown_optimizer_runs_in_numpy() -> None:
    net = Network([4, 2], seed=1)
    x, labels, plan = np.ones((6, 4), np.float32), np.arange(6) % 2, StepPlan(batch_size=6, optimizer=SignDescent(0.5))
    with pytest.raises(KeyError, match="SignDescent"):
        CompiledTrainer(net, x, labels, plan)
    trainer, before = make_trainer(net, x, labels, plan), net.parameters
    assert isinstance(trainer, ReferenceTrainer)
    trainer.begin_epoch(np.arange(6), np.full(1, 0.5), np.random.default_rng(1))
    trainer.run(0, 1, 0)
    np.testing.assert_allclose(np.abs(net.parameters - before), 0.5, rtol=1e-6)
