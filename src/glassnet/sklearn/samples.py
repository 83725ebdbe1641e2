"""Training samples in an order of their own, repeated by their weights, and the part of them that is held out.

scikit-learn's contract is that a sample of weight 2 is the same as two samples, and one of weight 0 none. For mini-batches
that holds only if both give the same ones: so whole weights repeat the samples, which are sorted by a hash of their values.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import train_test_split

from glassnet.errors import InputError
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

MOST_REPEATS = 8  # on average: beyond it, whole weights would make the training that many times as long
BLOCK = 1 << 20  # words that are hashed together


@dataclass(frozen=True)
class Samples:
    """What is trained on: `chosen` are indices, `groups` (N,) number equal samples alike, `weights` (N,) or None."""

    chosen: NDArray[np.intp]
    groups: NDArray[np.intp]
    weights: NDArray[np.float64] | None

    def part(self, mask: NDArray[np.bool_]) -> Samples:
        """Those where `mask` (N,) is true."""
        weights = None if self.weights is None else self.weights[mask]
        return replace(self, chosen=self.chosen[mask], groups=self.groups[mask], weights=weights)

    def hold_out(self, labels: NDArray[np.int64], fraction: float, seed: int) -> tuple[Samples, Samples]:
        """A training and a validation part; equal samples stay together. `labels` are those of all samples.

        Stratified, unless there are too few samples of a class.
        """
        _, first = np.unique(self.groups, return_index=True)
        strata = labels[self.chosen[first]]
        counts, fewest = np.bincount(strata), min(fraction, 1 - fraction) * len(strata)
        many = counts[counts > 0].min() > 1 and fewest >= np.count_nonzero(counts)
        _, held_out = train_test_split(
            self.groups[first], test_size=fraction, stratify=strata if many else None, random_state=seed
        )
        mask = np.isin(self.groups, held_out)
        return self.part(~mask), self.part(mask)


def arrange(X: Array, labels: NDArray[np.int64], weights: NDArray[np.float64] | None) -> Samples:
    """The samples `X` (N, …) to train on, in an order that depends on their values alone.

    Samples of weight 0 are left out. Whole weights repeat their samples, unless that made them more than eight times as many;
    others remain weights of the loss.
    """
    if weights is None:
        repeats, kept = np.ones(len(X), dtype=np.intp), None
    else:
        if weights.min() < 0 or not weights.any():
            raise InputError(
                tr("Sample weights can't be negative, and not all of them zero."),
                where="NetworkClassifier.fit(sample_weight)",
                expected=tr("numbers of at least 0, one above 0"),
                received=tr("{low:g} to {high:g}", low=weights.min(), high=weights.max()),
            )
        whole = bool((weights == np.floor(weights)).all()) and weights.mean() <= MOST_REPEATS
        repeats, kept = (weights if whole else weights > 0).astype(np.intp), None if whole else weights
    keys = hashes(X)
    order = np.lexsort((labels, keys))
    order = order[repeats[order] > 0]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(keys[order]) != 0) | (np.diff(labels[order]) != 0)
    again = repeats[order]
    chosen = np.repeat(order, again)
    return Samples(chosen, np.repeat(np.cumsum(new) - 1, again), None if kept is None else kept[chosen])


def hashes(X: Array) -> NDArray[np.uint64]:
    """A number for each sample (N, …), equal for equal ones: Σⱼ aⱼ·xⱼ mod 2⁶⁴ over its 32-bit words xⱼ, aⱼ odd and random."""
    rows = np.ascontiguousarray(X).reshape(len(X), -1).view(np.uint8)
    if spare := -rows.shape[1] % 4:
        rows = np.pad(rows, ((0, 0), (0, spare)))
    words = rows.view(np.uint32)
    factors = np.random.default_rng(0).integers(0, 2**64, size=words.shape[1], dtype=np.uint64) | np.uint64(1)
    step = max(1, BLOCK // words.shape[1])
    parts = [words[i : i + step].astype(np.uint64) @ factors for i in range(0, len(words), step)]
    return np.concatenate(parts)
