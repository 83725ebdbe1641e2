"""The rules in their order: causes before what follows from them, and what is certain before what is likely."""

from __future__ import annotations

import numpy as np

from glassnet.analysis.diagnosis import course_rules, data_rules, outcome_rules, start_rules
from glassnet.analysis.diagnosis.course_rules import Rule
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.finding import Finding
from glassnet.analysis.diagnosis.phrases import percent
from glassnet.support.i18n import NOTHING, Message, listing, tr

SELDOM = 0.2  # of a class's share: answered less often, it is as good as left out

RULES: tuple[Rule, ...] = (
    # what is fed in
    data_rules.missing_classes,
    data_rules.unscaled_inputs,
    # where the network starts
    start_rules.symmetric_start,
    start_rules.exploding_gradients,
    start_rules.saturated_at_start,
    start_rules.dead_at_start,
    start_rules.vanishing_gradients,
    # what the images and labels say
    data_rules.validation_mismatch,
    data_rules.noisy_labels,
    # how it moves
    course_rules.non_finite_cost,
    course_rules.learning_rate_too_high,
    start_rules.saturated_now,
    start_rules.dead_now,
    outcome_rules.majority_class_of_many,
    course_rules.learning_rate_too_low,
    course_rules.too_few_steps,
)

# What came of it, told where no cause was found: a symptom beside its cause only distracts.
SYMPTOMS: tuple[Rule, ...] = (
    outcome_rules.overfitting,
    outcome_rules.underfitting,
    outcome_rules.majority_class,
)


def apply_rules(facts: Facts) -> tuple[Finding, ...]:
    """What the rules find, in their order, each name once."""
    return _apply(RULES, facts) or _apply(SYMPTOMS, facts)


def _apply(rules: tuple[Rule, ...], facts: Facts) -> tuple[Finding, ...]:
    found: dict[str, Finding] = {}
    for rule in rules:
        finding = rule(facts)
        if finding is not None:
            found.setdefault(finding.name, finding)
    return tuple(found.values())


def still_learning(facts: Facts) -> tuple[Message, ...]:
    """A remark about a network that falls short, though no rule says why: which classes it leaves out so far."""
    if not facts.is_classification or not facts.falls_short:
        return ()
    answers = np.bincount(facts.train_classes, minlength=len(facts.train.counts)) / len(facts.train_classes)
    rare = np.flatnonzero(answers < SELDOM * facts.train.counts / len(facts.train))
    left_out = NOTHING
    if len(rare):
        names = [(facts.train.classes or ())[place] for place in rare[:8]]
        left_out = tr("; hardly ever answered so far: class {names}", names=listing(names))
    told = tr(
        "accuracy {found} %, where comparing pixels reaches {reach} %{left_out}. Training may need more epochs, or a "
        "luckier start: try other seeds (--seeds 5).",
        found=percent(facts.accuracy),
        reach=percent(facts.within_reach),
        left_out=left_out,
    )
    return (told,)
