"""Findings about classes and splits: missing and imbalanced classes, and images or groups in two splits."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.support.i18n import Message, listing, tr

_IMBALANCE = 3.0
_FEW = 10
_UNEVEN, _SIGNIFICANCE = 0.1, 1e-3


def class_balance(pool: Pool) -> list[Finding]:
    """Classes that are missing from a split, much rarer than others, or in different proportions in another split."""
    if pool.labels is None:
        return []
    counts = {name: part.counts for name, part in pool.parts.items()}
    train = counts["train"]
    found = []
    for name, part in counts.items():
        missing = [pool.classes[index] for index in np.flatnonzero(part == 0)]
        if missing:
            found.append(
                Finding(
                    "missing-classes",
                    tr("{part} has no images of {classes}", part=name, classes=_listed(missing)),
                    tr("The network cannot learn these classes.")
                    if name == "train"
                    else tr("{part} does not measure these classes.", part=name),
                    (tr("split again with --split stratified"), tr("or add images")),
                )
            )
    rare, common = int(train.argmin()), int(train.argmax())
    if train[rare] > 0 and (train[common] > _IMBALANCE * train[rare] or train[rare] < _FEW):
        found.append(
            Finding(
                "class-imbalance",
                tr(
                    "in train, {common} has {images}, {rare} {count:,}; guessing the largest class is right {share:.1f} % "
                    "of the time",
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
        )
    for name, part in counts.items():
        if name != "train" and (distance := _distance(train, part)) > _UNEVEN:
            most = int(np.abs(part / part.sum() - train / train.sum()).argmax())
            found.append(
                Finding(
                    "uneven-splits",
                    tr(
                        "class proportions in {part} differ from those in train: {distance:.0f} % of the images would have "
                        "to change class; {label} is {there:.1f} % there, {train:.1f} % in train",
                        part=name,
                        distance=100 * distance,
                        label=repr(pool.classes[most]),
                        there=100 * part[most] / part.sum(),
                        train=100 * train[most] / train.sum(),
                    ),
                    tr("Accuracy on {part} is then measured on other class proportions than those of training.", part=name),
                    (tr("split again with --split stratified"),),
                )
            )
    return found


def shared_groups(pool: Pool) -> list[Finding]:
    """Groups (writers, photographs) with images in more than one split."""
    groups = {name: np.unique(part.groups) for name, part in pool.parts.items() if part.groups is not None}
    if not groups:
        return []
    names, counts = np.unique(np.concatenate(list(groups.values())), return_counts=True)
    shared = [str(name) for name in names[counts > 1]]
    if not shared:
        return []
    overlaps = []
    for first, second in combinations(groups, 2):
        leaked = np.isin(pool.parts[second].groups, groups[first])  # type: ignore[arg-type]  # `groups` has no part without
        if leaked.any():
            overlaps.append(
                tr(
                    "{count:,} of {images} in {second} are of groups in {first}",
                    count=int(leaked.sum()),
                    images=counted(len(leaked)),
                    second=second,
                    first=first,
                )
            )
    return [
        Finding(
            "groups-across-splits",
            _shared(len(shared), counted(len(names), "group"))
            + tr(", such as {names}; {parts}", names=_listed(shared[:3]), parts=listing(overlaps)),
            tr(
                "Images of a group (one writer, one photograph) are easier to classify when others of the group were in "
                "training: accuracy is higher than for unseen writers and photographs."
            ),
            (tr("split again with --split group"),),
        )
    ]


def copies(pool: Pool, groups: list[Indices], *, near: bool) -> list[Finding]:
    """Findings about groups of copies: with different labels, across splits, and within one split."""
    alike = tr("nearly the same pixels") if near else tr("the same pixels")
    prefix = "near-" if near else ""
    labels = pool.labels
    contradicting = [group for group in groups if labels is not None and len(np.unique(labels[group])) > 1]
    across = [group for group in groups if len(np.unique(pool.part_of[group])) > 1]
    within = [group for group in groups if len(np.unique(pool.part_of[group])) == 1]
    found = []
    if contradicting:
        found.append(
            _of_groups(
                pool,
                f"contradicting-{prefix}duplicates",
                contradicting,
                tr("with {alike} and different labels", alike=alike),
                tr("At least one label of each group is wrong, if these are copies.")
                if near
                else tr("At least one label of each group is wrong."),
                (tr("look at them, and correct or delete the wrong ones"),),
            )
        )
    if across:
        held_out = np.concatenate(across)
        held_out = held_out[pool.part_of[held_out] > 0]
        found.append(
            _of_groups(
                pool,
                f"{prefix}duplicates-across-splits",
                across,
                tr("with {alike} in two splits, {held_out} among them", alike=alike, held_out=pool.count_by_part(held_out)),
                tr("Held-out images that were also in training make the accuracy too high."),
                (tr("keep one image of each group"), tr("or give copies the same group, and split with --split group")),
            )
        )
    if within:
        found.append(
            _of_groups(
                pool,
                f"{prefix}duplicates",
                within,
                tr("with {alike}, within one split", alike=alike),
                tr("They weigh more in training than other images, and a random split would separate them.")
                if len(pool.parts) > 1
                else tr("They weigh more in training than other images."),
                (tr("keep one image of each group"),),
            )
        )
    return found


def doubtful_labels(
    pool: Pool, indices: Indices, suggested: npt.NDArray[np.intp], votes: npt.NDArray[np.intp], voters: int
) -> list[Finding]:
    if not len(indices):
        return []
    images = tuple(
        (pool.reference(int(index), _votes(count, voters, pool.classes[label])),)
        for index, label, count in zip(indices, suggested, votes, strict=True)
    )
    percent = 100 * len(indices) / len(pool)
    return [
        Finding(
            "doubtful-labels",
            tr(
                "{count} ({percent:.2g} %) whose label none of the {voters} most similar images has: {indices}",
                count=counted(len(indices)),
                percent=percent,
                voters=voters,
                indices=pool.count_by_part(indices),
            ),
            tr("Some of these labels are wrong; others are correct, but the image is badly drawn or unusual."),
            (tr("look at them, worst first, and correct the wrong labels"),),
            images,
        )
    ]


def _of_groups(pool: Pool, name: str, groups: list[Indices], evidence: str, cause: str, try_next: tuple[str, ...]) -> Finding:
    count = sum(map(len, groups))
    told = {"images": counted(count), "groups": counted(len(groups), "group"), "evidence": evidence}
    evidence = tr("{images} in {groups} {evidence}", **told)
    return Finding(name, evidence, cause, try_next, tuple(pool.references(group) for group in groups))


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


def _shared(count: int, groups: Message) -> Message:
    if count == 1:
        return tr("1 of {groups} is in more than one split", groups=groups)
    return tr("{count:,} of {groups} are in more than one split", count=count, groups=groups)


def _votes(count: int, voters: int, label: str) -> Message:
    return tr("{count} of {voters} neighbours say {label}", count=count, voters=voters, label=repr(label))
