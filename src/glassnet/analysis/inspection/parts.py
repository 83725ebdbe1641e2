"""Findings about parts and classes: too few, too uneven, missing; and what is on both sides of a split."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt

from glassnet.analysis.inspection.findings import Finding, counted
from glassnet.analysis.inspection.pool import Indices, Pool
from glassnet.support.i18n import Message, listing, tr

_IMBALANCE = 3.0
_FEW = 10
_UNEVEN, _CHANCE = 0.1, 1e-3


def class_balance(pool: Pool) -> list[Finding]:
    """Classes missing from a part, much rarer than others, or of other shares in another part."""
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
                    tr("What training never sees is never said.")
                    if name == "train"
                    else tr("{part} can't tell about this class.", part=name),
                    (tr("split anew with --split stratified"), tr("or add images")),
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
                tr("A network learns the frequent classes first and may never say the rare ones."),
                (
                    tr("train with --set class_weight=balanced"),
                    tr("look at the accuracy of each class, not only at that of all"),
                ),
            )
        )
    for name, part in counts.items():
        if name != "train" and (apart := _apart(train, part)) > _UNEVEN:
            shares = part / part.sum() - train / train.sum()
            most = int(np.abs(shares).argmax())
            found.append(
                Finding(
                    "uneven-splits",
                    tr(
                        "the classes' shares in {part} are not those in train: {apart:.0f} % of the images would have to "
                        "change class; {label} is {there:.1f} % there, {train:.1f} % in train",
                        part=name,
                        apart=100 * apart,
                        label=repr(pool.classes[most]),
                        there=100 * part[most] / part.sum(),
                        train=100 * train[most] / train.sum(),
                    ),
                    tr("Accuracy in {part} then measures another mixture than the one that was learnt.", part=name),
                    (tr("split anew with --split stratified"),),
                )
            )
    return found


def shared_groups(pool: Pool) -> list[Finding]:
    """Groups (writers, photographs) with images in more than one part."""
    groups = {name: np.unique(part.groups) for name, part in pool.parts.items() if part.groups is not None}
    if not groups:
        return []
    names, counts = np.unique(np.concatenate(list(groups.values())), return_counts=True)
    shared = [str(name) for name in names[counts > 1]]
    if not shared:
        return []
    told = []
    for first, second in combinations(groups, 2):
        there = np.isin(pool.parts[second].groups, groups[first])  # type: ignore[arg-type]  # it has groups
        if there.any():
            told.append(
                tr(
                    "{count:,} of {images} in {second} are of groups in {first}",
                    count=int(there.sum()),
                    images=counted(len(there)),
                    second=second,
                    first=first,
                )
            )
    return [
        Finding(
            "groups-across-splits",
            (
                tr("1 of {groups} is in more than one part", groups=counted(len(names), "group"))
                if len(shared) == 1
                else tr(
                    "{count:,} of {groups} are in more than one part", count=len(shared), groups=counted(len(names), "group")
                )
            )
            + tr(", such as {names}; {parts}", names=_listed(shared[:3]), parts=listing(told)),
            tr(
                "Images that belong together (of one writer, cut from one photograph) are easier to tell when their like "
                "was in training: accuracy comes out higher than for people and photographs never seen."
            ),
            (tr("split anew with --split group"),),
        )
    ]


def copies(pool: Pool, groups: list[Indices], *, near: bool) -> list[Finding]:
    """Groups of copies as findings: with different labels, across parts, and within one part."""
    alike = tr("nearly the same pixels") if near else tr("the same pixels")
    prefix = "near-" if near else ""
    labels = pool.labels
    torn = [group for group in groups if labels is not None and len(np.unique(labels[group])) > 1]
    across = [group for group in groups if len(np.unique(pool.part_of[group])) > 1]
    within = [group for group in groups if len(np.unique(pool.part_of[group])) == 1]
    found = []
    if torn:
        found.append(
            _of_groups(
                pool,
                f"contradicting-{prefix}duplicates",
                torn,
                tr("with {alike} and different labels", alike=alike),
                tr("At least one label of each group is wrong, if these are copies.")
                if near
                else tr("At least one label of each group is wrong."),
                (tr("look at them, and correct or delete what is wrong"),),
            )
        )
    if across:
        held = np.concatenate(across)
        held = held[pool.part_of[held] > 0]
        found.append(
            _of_groups(
                pool,
                f"{prefix}duplicates-across-splits",
                across,
                tr("with {alike} in two parts, {parts} among them", alike=alike, parts=pool.tell_parts(held)),
                tr("What was seen in training is no test: accuracy comes out too high."),
                (
                    tr("delete the copies, all but one of each group"),
                    tr("or give copies one group, and split with --split group"),
                ),
            )
        )
    if within:
        found.append(
            _of_groups(
                pool,
                f"{prefix}duplicates",
                within,
                tr("with {alike}, within one part", alike=alike),
                tr("They weigh more in training than other images, and another split would put them on both sides.")
                if len(pool.parts) > 1
                else tr("They weigh more in training than other images."),
                (tr("delete the copies, all but one of each group"),),
            )
        )
    return found


def doubtful_labels(
    pool: Pool, places: Indices, said: npt.NDArray[np.intp], votes: npt.NDArray[np.intp], voters: int
) -> list[Finding]:
    if not len(places):
        return []
    images = tuple(
        (
            pool.reference(
                int(place),
                tr(
                    "{count} of {voters} neighbours say {label}",
                    count=count,
                    voters=voters,
                    label=repr(pool.classes[name]),
                ),
            ),
        )
        for place, name, count in zip(places, said, votes, strict=True)
    )
    share = 100 * len(places) / len(pool)
    return [
        Finding(
            "doubtful-labels",
            tr(
                "{images} ({share:.2g} %) whose label none of the {voters} most similar images has: {parts}",
                images=counted(len(places)),
                share=share,
                voters=voters,
                parts=pool.tell_parts(places),
            ),
            tr("Some of these labels are wrong; others are right, and the image is badly drawn or rare: only a look tells."),
            (tr("look at them, worst first, and correct what is wrong"),),
            images,
        )
    ]


def _of_groups(pool: Pool, name: str, groups: list[Indices], evidence: str, cause: str, try_next: tuple[str, ...]) -> Finding:
    count = sum(map(len, groups))
    told = tr(
        "{images} in {groups} {evidence}", images=counted(count), groups=counted(len(groups), "group"), evidence=evidence
    )
    return Finding(name, told, cause, try_next, tuple(pool.references(group) for group in groups))


def _apart(train: npt.NDArray[np.int64], part: npt.NDArray[np.int64]) -> float:
    """Half the sum of the differences of shares; 0 where chance (χ²) explains them."""
    from scipy.special import chdtrc

    table = np.stack([train, part])[:, train + part > 0]
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    chance = chdtrc(max(table.shape[1] - 1, 1), ((table - expected) ** 2 / expected).sum())
    if chance > _CHANCE:
        return 0.0
    return float(np.abs(train / train.sum() - part / part.sum()).sum() / 2)


def _listed(names: list[str]) -> Message:
    shown = listing(repr(name) for name in names[:5])
    return shown if len(names) <= 5 else shown + tr(" and {count:,} more", count=len(names) - 5)
