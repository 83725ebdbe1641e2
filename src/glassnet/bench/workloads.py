"""What is timed: one dataclass a workload, and the list of them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

VECTORISED = ("numpy", "sklearn", "torch-eager", "torch-compiled", "jax-scan")


@dataclass(frozen=True)
class Workload:
    """A dense network, its data, and how much of the work one timed call does."""

    name: str
    sizes: tuple[int, ...]
    shape: tuple[int, int, int]
    source: Literal["mnist", "numerals", "cats"]
    pictures: int
    batch: int
    rate: float
    peers: tuple[str, ...]
    hidden: Literal["sigmoid", "relu"] = "sigmoid"
    loss: Literal["quadratic", "cross-entropy"] = "quadratic"
    kind: Literal["train", "predict"] = "train"
    per: Literal["epoch", "step", "picture", "call"] = "epoch"
    epochs: int = 1
    calls: int = 1
    one_core: bool = False
    quick_pictures: int | None = None

    @property
    def full_batch(self) -> bool:
        return self.batch == self.pictures

    @property
    def steps(self) -> int:
        """Training steps in one timed call."""
        return self.epochs * (self.pictures // self.batch)

    @property
    def units(self) -> int:
        """How many of `per` one timed call does."""
        return {"epoch": self.epochs, "step": self.steps, "picture": self.calls * self.pictures, "call": self.calls}[self.per]

    @property
    def unit(self) -> str:
        return f"s per {self.per}"

    @property
    def flops(self) -> float:
        """Useful floating-point operations in one `per` of training.

        A product (m×k)·(k×n) counts 2·m·k·n. Each layer has three (output, weight gradient, input gradient), the
        first layer two; activations, costs and updates are not counted.
        """
        weights = [fan_in * fan_out for fan_in, fan_out in zip(self.sizes, self.sizes[1:], strict=False)]
        a_picture = 6 * sum(weights) - 2 * weights[0]
        return float(a_picture) * self.steps * self.batch / self.units

    def quick(self) -> Workload:
        """The same work on fewer pictures, for a first impression."""
        return replace(self, pictures=self.quick_pictures or self.pictures, calls=max(1, self.calls // 10))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Workload:
        values: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        return cls(**values)


def _nielsen(hidden: int) -> Workload:
    return Workload(
        name=f"nielsen-{hidden}",
        sizes=(784, hidden, 10),
        shape=(28, 28, 1),
        source="mnist",
        pictures=50_000,
        batch=10,
        rate=3.0,
        peers=(*VECTORISED, "nielsen"),
        one_core=True,
        quick_pictures=5_000,
    )


def _numerals(batch: int) -> Workload:
    return Workload(
        name=f"numerals-{batch}",
        sizes=(4096, 256, 15),
        shape=(64, 64, 1),
        source="numerals",
        pictures=2_000,
        batch=batch,
        rate=0.1,
        peers=VECTORISED,
        loss="cross-entropy",
        per="step",
        epochs=3,
        quick_pictures=1_000,
    )


_CATS = Workload(
    name="cats",
    sizes=(49152, 20, 7, 5, 1),
    shape=(128, 128, 3),
    source="cats",
    pictures=1_323,
    batch=1_323,
    rate=0.0075,
    peers=VECTORISED,
    hidden="relu",
    loss="cross-entropy",
    per="step",
    epochs=6,
)


def _predict(pictures: int, calls: int, name: str, per: Literal["picture", "call"]) -> Workload:
    return Workload(
        name=name,
        sizes=(784, 30, 10),
        shape=(28, 28, 1),
        source="mnist",
        pictures=pictures,
        batch=pictures,
        rate=3.0,
        peers=("numpy", "torch-eager", "torch-argmax"),
        kind="predict",
        per=per,
        calls=calls,
        one_core=True,
    )


WORKLOADS: dict[str, Workload] = {
    work.name: work
    for work in (
        _nielsen(30),
        _nielsen(100),
        _numerals(100),
        _numerals(1000),
        _CATS,
        _predict(1, 2_000, "predict-one", "picture"),
        _predict(10_000, 10, "predict-10000", "call"),
    )
}
TRAINING = tuple(name for name, work in WORKLOADS.items() if work.kind == "train")
