"""`diagnose`: the rules, applied in their order: causes before their consequences, and certain before likely ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from glassnet.analysis.diagnosis import course_rules, data_rules, outcome_rules, start_rules
from glassnet.analysis.diagnosis.advice import of_recipe, without_what_is_done
from glassnet.analysis.diagnosis.difference import diagnose_difference
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Diagnosis, Finding
from glassnet.data import Dataset, Splits
from glassnet.errors import InputError
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr
from glassnet.training import History
from glassnet.training.arguments import as_dataset, check_labels

Data: TypeAlias = Splits | Dataset | tuple[Dataset | Array, Dataset | Array]
Rule: TypeAlias = Callable[[Facts], Finding | None]

RULES: tuple[Rule, ...] = (
    # inputs
    data_rules.missing_classes,
    data_rules.unscaled_inputs,
    # initial weights
    start_rules.symmetric_start,
    start_rules.exploding_gradients,
    start_rules.saturated_at_start,
    start_rules.dead_at_start,
    start_rules.vanishing_gradients,
    # images and labels
    data_rules.validation_mismatch,
    data_rules.noisy_labels,
    # steps
    course_rules.non_finite_cost,
    course_rules.learning_rate_too_high,
    start_rules.saturated_now,
    start_rules.dead_now,
    outcome_rules.majority_class_of_many,
    course_rules.learning_rate_too_low,
    course_rules.too_few_steps,
)

# Only where no cause was found: a symptom beside its cause distracts from it.
SYMPTOMS: tuple[Rule, ...] = (
    outcome_rules.overfitting,
    outcome_rules.underfitting,
    outcome_rules.majority_class,
)


def diagnose(
    history: History | Sequence[History],
    network: Network | Sequence[Network],
    data: Data,
    *,
    learning_rate: float | None = None,
    in_force: frozenset[str] = frozenset(),
) -> Diagnosis:
    """What is wrong with a training, causes first; for several trainings, whether the best is significantly better.

    `data`: Splits, or the training part, or (training, validation). Test images are not classified, only their classes are
    counted. `learning_rate`: that of the training, if its history does not have it. `in_force`: what the training already
    does, of the names in `advice.py`, which is not suggested again. Several histories and networks, one
    each, are compared on the validation part (or on all images, if there is one part).
    Raises `InputError` for histories, networks and data that do not match.
    """
    splits = _as_splits(data)
    if isinstance(history, History) and isinstance(network, Network):
        check_labels(network, splits.train, "diagnose(data)")
        facts = Facts(history, network, splits.train, splits.validation, splits.test, learning_rate, in_force)
        found = apply_rules(facts)
        unsure = () if found else outcome_rules.unsure(facts)
        return Diagnosis(found, (*unsure, *data_rules.learns_unscaled(facts)), judged=not unsure)
    if isinstance(history, History) or isinstance(network, Network) or len(history) != len(network):
        raise InputError(
            tr("The histories and the networks do not match."),
            where="diagnose(history, network)",
            expected=tr("one of each, or as many histories as networks"),
            received=tr(" and ").join([_count(history, History), _count(network, Network)]),
        )
    images = splits.train if splits.validation is None else splits.validation
    names = [f"network {number}" for number in range(1, len(network) + 1)]
    return diagnose_difference([[each] for each in network], images, names, histories=[[each] for each in history])


def apply_rules(facts: Facts) -> tuple[Finding, ...]:
    """The findings of the rules, in their order, each name once; those of the symptoms if there are none."""
    for rules in (RULES, SYMPTOMS):
        found: dict[str, Finding] = {}
        for finding in filter(None, (rule(facts) for rule in rules)):
            found.setdefault(finding.name, finding)
        if "majority-class" in found:
            found.pop("too-few-steps", None)  # nothing is learnt, so more of the same steps would not help
        if found:
            return tuple(without_what_is_done(finding, facts) for finding in found.values())
    return ()


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


def diagnose_run(run: Run) -> Diagnosis:
    """`diagnose` with all that a run has kept."""
    return diagnose(run.history, run.network, run.splits, learning_rate=run.learning_rate, in_force=of_recipe(run.recipe))
