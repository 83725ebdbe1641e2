"""`diagnose`: why a training failed, or that it did not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from glassnet.analysis.diagnosis.data_rules import learns_unscaled
from glassnet.analysis.diagnosis.difference import diagnose_difference
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Diagnosis
from glassnet.analysis.diagnosis.rules import apply_rules, still_learning
from glassnet.data import Dataset, Splits
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training import History
from glassnet.training.arguments import as_dataset, check_labels

Data: TypeAlias = Splits | Dataset | tuple[Dataset | Array, Dataset | Array]


def diagnose(
    history: History | Sequence[History],
    network: Network | Sequence[Network],
    data: Data,
    *,
    learning_rate: float | None = None,
) -> Diagnosis:
    """What is wrong with a training, causes first; of several trainings, whether the best is really better.

    `data`: Splits, or the training part, or (training, validation). Nothing is asked of the network about test images; only
    which classes are among them is looked at. `learning_rate`: what the training was asked for, if its history can't tell.
    Several histories and networks, one each: on the validation part (or all, where there is one part), best against others.
    Raises `InputError` for what does not belong together.
    """
    splits = _as_splits(data)
    if isinstance(history, History) and isinstance(network, Network):
        check_labels(network, splits.train, "diagnose(data)")
        facts = Facts(history, network, splits.train, splits.validation, splits.test, rate=learning_rate)
        found = apply_rules(facts)
        return Diagnosis(found, (*(() if found else still_learning(facts)), *learns_unscaled(facts)))
    if isinstance(history, History) or isinstance(network, Network) or len(history) != len(network):
        raise InputError(
            tr("Histories and networks do not belong together."),
            where="diagnose(history, network)",
            expected=tr("one of both, or as many of the one as of the other"),
            received=tr(" and ").join([_count(history, History), _count(network, Network)]),
        )
    images = splits.train if splits.validation is None else splits.validation
    names = [f"network {number}" for number in range(1, len(network) + 1)]
    return diagnose_difference([[each] for each in network], images, names, histories=[[each] for each in history])


def _as_splits(data: Data) -> Splits:
    if isinstance(data, Splits):
        return data
    if isinstance(data, tuple) and len(data) == 2 and isinstance(data[0], Dataset) and isinstance(data[1], Dataset):
        return Splits(data[0], data[1])
    return Splits(as_dataset(data, "diagnose(data)"))  # type: ignore[arg-type]  # as_dataset refuses all else


def _count(value: object, kind: type) -> str:
    if isinstance(value, kind):
        return tr("one {kind}", kind=kind.__name__)
    return tr("{count} in a list", count=len(value)) if isinstance(value, list) else repr(value)
