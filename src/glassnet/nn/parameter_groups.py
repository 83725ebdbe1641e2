"""An optimizer on the parameters of a network: which of them it treats how, and one step of all of them in NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from glassnet.nn.optimizers import Muon, Optimizer
from glassnet.nn.stack import Stack
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.support.registry import unknown

Group = tuple[int, int, float, float, float, float, int, int]


def param_groups(stack: Stack, optimizer: Optimizer) -> list[Group]:
    """Of each parameter array: offset, size, l1, l2, decoupled weight decay, factor of the learning rate, rows, columns.

    Rows and columns are 0 where the optimizer takes the array number by number.
    """
    groups = []
    for slot in stack.slots:
        l1, l2 = stack.regularizer.rates if slot.penalised else (0.0, 0.0)
        decay, columns = optimizer.decay_of(slot.name, slot.penalised), slot.shape[-1]
        matrix = (slot.size // columns, columns) if optimizer.takes_matrix(slot.name, slot.shape) else (0, 0)
        groups.append((slot.offset, slot.size, l1, l2, decay, optimizer.factor(slot.name), *matrix))
    return groups


def check_names(stack: Stack, optimizer: Optimizer) -> None:
    """Refuse an optimizer that names parameters which the network does not have."""
    names = [slot.name for slot in stack.slots]
    given = {"rates": optimizer.rates, "sgd": optimizer.sgd if isinstance(optimizer, Muon) else ()}
    for option, patterns in given.items():
        for pattern in patterns:
            if not any(fnmatchcase(name, pattern) for name in names):
                raise unknown(tr("parameter"), pattern, names, f"{type(optimizer).__name__}({option})")


def take_step(
    stack: Stack, optimizer: Optimizer, w: Array, gradient: Array, moments: Sequence[Array], rate: float, number: int
) -> None:
    """Change the flat vectors w, of the network's parameters, and `moments` in place; `number` counts steps from 1."""
    for slot in stack.slots:
        factor, decay = optimizer.factor(slot.name), optimizer.decay_of(slot.name, slot.penalised)
        if factor:
            shape = slot.shape if optimizer.takes_matrix(slot.name, slot.shape) else (slot.size,)
            parts = (slot.part(flat) for flat in (w, gradient, *moments))
            a, g, m, v = (part.reshape(shape) if part.size else part for part in parts)
            optimizer.step(a, g, m, v, rate * factor, number, decay)
