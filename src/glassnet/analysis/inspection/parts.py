"""Findings about classes and splits: missing and imbalanced classes, and images or groups in two splits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.support.i18n import Message, listing, mark, tr

_IMBALANCE, _NEAR = 3.0, 1.5  # times as many images; of a class with few images, and where all have as few, none is rare
_FEW = 10
_UNEVEN, _SIGNIFICANCE = 0.1, 1e-3


def class_balance(pool: Pool) -> Iterator[Finding]:
    """Classes that are missing from a split, much rarer than others, or in different proportions in another split."""
    if pool.labels is None:
        return
    counts = {name: part.counts for name, part in pool.parts.items()}
    train = counts["train"]
    for name, part in counts.items():
        if missing := [pool.classes[index] for index in np.flatnonzero(part == 0)]:
            why = mark("The network cannot learn these classes.")
            if name != "train":
                why = mark("The accuracy on {part} says nothing about these classes.")
            yield Finding(
                "missing-classes",
                tr("{part} has no images of {classes}", part=name, classes=_listed(missing)),
                tr(why, part=name),
                (tr("split again with --split stratified"), tr("or add images")),
            )
    rare, common = int(train.argmin()), int(train.argmax())
    if train[rare] > 0 and (
        train[common] > _IMBALANCE * train[rare] or (train[rare] < _FEW and train[common] > _NEAR * train[rare])
    ):
        yield Finding(
            "class-imbalance",
            tr(
                "in train, {common} has {images}, {rare} {count:,}; always predicting {common} has {share:.1f} % accuracy",
                common=repr(pool.classes[common]),
                images=counted(int(train[common])),
                rare=repr(pool.classes[rare]),
                count=train[rare],
                share=100 * train[common] / train.sum(),
            ),
            tr("A network learns the frequent classes first and may never predict the rare ones."),
            (
                tr("train with --set class_weight=balanced"),
                tr("look at the accuracy of each class, not only at the overall one"),
            ),
        )
    for name, part in counts.items():
        if name != "train" and (distance := _distance(train, part)) > _UNEVEN:
            most = int(np.abs(part / part.sum() - train / train.sum()).argmax())
            yield Finding(
                "uneven-splits",
                tr(
                    "class proportions in {part} differ from those in train: {distance:.0f} % of the images would have to "
                    "change class; {label} is {there:.1f} % there, {train:.1f} % in train",
                    part=name,
                    distance=100 * distance,
                    label=repr(pool.classes[most]),
                    there=100 * part[most] / part.sum(),
                    train=100 * train[most] / train.sum(),
                ),
                tr("Accuracy on {part} is measured with other class proportions than in training.", part=name),
                (tr("split again with --split stratified"),),
            )


def shared_groups(pool: Pool) -> Iterator[Finding]:
    """Groups (writers, photographs) with images in more than one split."""
    groups = {name: np.unique(part.groups) for name, part in pool.parts.items() if part.groups is not None}
    if not groups:
        return
    names, counts = np.unique(np.concatenate(list(groups.values())), return_counts=True)
    shared = [str(name) for name in names[counts > 1]]
    if not shared:
        return
    overlaps = []
    for first, second in combinations(groups, 2):
        leaked = np.isin(pool.parts[second].groups, groups[first])  # type: ignore[arg-type]  # `groups` has no part without
        if leaked.any():
            text = mark("{count:,} of {images} in {second} are of groups in {first}")
            overlaps.append(tr(text, count=int(leaked.sum()), images=counted(len(leaked)), second=second, first=first))
    text = mark("{count:,} of {groups} are in more than one split")
    if len(shared) == 1:
        text = mark("1 of {groups} is in more than one split")
    examples = tr(", such as {names}; {parts}", names=_listed(shared[:3]), parts=listing(overlaps))
    yield Finding(
        "groups-across-splits",
        tr(text, count=len(shared), groups=counted(len(names), "group")) + examples,
        tr(
            "Images of a group (one writer, one photograph) are easier to classify when others of the group were in "
            "training: accuracy is higher than for unseen writers and photographs."
        ),
        (tr("split again with --split group"),),
    )


def copies(pool: Pool, groups: list[Indices], *, near: bool) -> Iterator[Finding]:
    """Findings about groups of copies: with different labels, across splits, and within one split."""
    prefix, alike = ("near-", tr("nearly the same pixels")) if near else ("", tr("the same pixels"))

    def finding(name: str, groups: list[Indices], evidence: str, cause: str, *try_next: str) -> Finding:
        images = counted(sum(map(len, groups)))
        seen = tr("{images} in {groups} {evidence}", images=images, groups=counted(len(groups), "group"), evidence=evidence)
        return Finding(name, seen, cause, try_next, tuple(map(pool.references, groups)))

    keep_one = tr("keep one image of each group")
    labels = pool.labels
    if contradicting := [group for group in groups if labels is not None and len(np.unique(labels[group])) > 1]:
        wrong = mark("At least one label of each group is wrong.")
        if near:
            wrong = mark("At least one label of each group is wrong, if these are copies.")
        evidence = tr("with {alike} and different labels", alike=alike)
        look = tr("look at them, and correct or delete the wrong ones")
        yield finding(f"contradicting-{prefix}duplicates", contradicting, evidence, tr(wrong), look)
    if across := [group for group in groups if len(np.unique(pool.part_of[group])) > 1]:
        images = np.concatenate(across)
        held_out = pool.count_by_part(images[pool.part_of[images] > 0])
        yield finding(
            f"{prefix}duplicates-across-splits",
            across,
            tr("with {alike} in two splits, {held_out} among them", alike=alike, held_out=held_out),
            tr("Held-out images that were also in training make the accuracy too high."),
            keep_one,
            tr("or give copies the same group, and split with --split group"),
        )
    if within := [group for group in groups if len(np.unique(pool.part_of[group])) == 1]:
        why = mark("They have more weight in training than other images.")
        if len(pool.parts) > 1:
            why = mark("They have more weight in training than other images, and a random split would separate them.")
        yield finding(f"{prefix}duplicates", within, tr("with {alike}, within one split", alike=alike), tr(why), keep_one)


def _distance(train: npt.NDArray[np.int64], part: npt.NDArray[np.int64]) -> float:
    """Total variation distance of the class proportions; 0 if a χ² test does not find them different."""
    from scipy.stats import chi2_contingency

    table = np.stack([train, part])[:, train + part > 0]
    if chi2_contingency(table, correction=False).pvalue > _SIGNIFICANCE:
        return 0.0
    return float(np.abs(train / train.sum() - part / part.sum()).sum() / 2)


def _listed(names: list[str]) -> Message:
    first = listing(repr(name) for name in names[:5])
    return first if len(names) <= 5 else first + tr(" and {count:,} more", count=len(names) - 5)
