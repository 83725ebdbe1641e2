"""Does a comparison keep its level, and see what is there? `python -m benchmarks.comparison [--networks FILE] [--pairs N]`.

Networks 784-100-10 and 784-40-10 are trained on MNIST with 24 seeds each and asked about the 20,000 images of validation and
test set, which are the population here. A planted pair is 10,000 images drawn from these with replacement, and networks or
seeds drawn from both recipes; of the errors of the second, so large a share is corrected at random that the true difference
is exactly 0, or exactly 0.5 points. Errors overlap as those of real networks do, and seeds vary as theirs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr
from scipy.stats import ttest_ind

import glassnet as gn
from glassnet.analysis.comparison.paired import crossed, effect, mcnemar

Right = NDArray[np.bool_]
IMAGES, SEEDS, LEVEL = 10_000, 5, 0.05
NETWORKS = 24  # seeds of each recipe
RECIPES = {"784-100-10": (100, 5), "784-40-10": (40, 4)}  # units, epochs


@dataclass(frozen=True)
class Planted:
    """Correctness (networks, images) of both recipes on the population."""

    first: Right
    second: Right

    def draw(self, rng: np.random.Generator, seeds: tuple[int, int], difference: float) -> tuple[Right, Right]:
        """Correctness on IMAGES images of so many seeds of each; the true accuracies differ by `difference`.

        One network each: that of these two networks; else that of the recipes.
        """
        chosen = rng.permutation(len(self.first))[: max(seeds)]
        a, b = self.first[chosen[: seeds[0]]], self.second[chosen[: seeds[1]]]
        wrong = [
            1 - float((part if seeds == (1, 1) else whole).mean()) for part, whole in ((a, self.first), (b, self.second))
        ]
        corrected = 1 - (wrong[0] + difference) / wrong[1]
        assert 0 <= corrected < 1, "the second recipe must be worse by more than the planted difference"
        images = rng.integers(0, a.shape[1], IMAGES)
        return a[:, images], b[:, images] | (rng.random((len(b), IMAGES)) < corrected)

    def halves(self, rng: np.random.Generator, seeds: int) -> tuple[Right, Right]:
        """So many seeds twice, all different, of the first recipe: nothing is planted, and the recipes are equal."""
        chosen = rng.permutation(len(self.first))
        images = rng.integers(0, self.first.shape[1], IMAGES)
        return self.first[chosen[:seeds]][:, images], self.first[chosen[seeds : 2 * seeds]][:, images]


Test = Callable[[Right, Right], float]


def paired_seeds(first: Right, second: Right) -> float:
    return effect(first, second, (range(len(first)), range(len(second)))).p


def other_seeds(first: Right, second: Right) -> float:
    return effect(first, second, (range(len(first)), range(100, 100 + len(second)))).p


def images_only(first: Right, second: Right) -> float:
    """The paired test over images alone, as if the seeds were the only ones there are."""
    found = first.mean(axis=0) - second.mean(axis=0)
    return 2 * float(ndtr(-abs(found.mean()) / (found.std(ddof=1) / np.sqrt(len(found)))))


def welch(first: Right, second: Right) -> float:
    """Welch's t-test of the seeds' accuracies, as if there were no other images."""
    return float(ttest_ind(first.mean(axis=1), second.mean(axis=1), equal_var=False).pvalue)


CASES: dict[str, tuple[tuple[int, int], Test]] = {
    "1 network each, McNemar exact": ((1, 1), lambda a, b: mcnemar(a[0], b[0])),
    "1 network each, McNemar mid-p": ((1, 1), lambda a, b: mcnemar(a[0], b[0], mid_p=True)),
    "2 seeds each, the same": ((2, 2), paired_seeds),
    "2 seeds each, others": ((2, 2), other_seeds),
    "5 seeds each, the same": ((SEEDS, SEEDS), paired_seeds),
    "5 seeds each, others": ((SEEDS, SEEDS), other_seeds),
    "1 seed against 5": ((1, SEEDS), other_seeds),
    "(5 seeds, images only)": ((SEEDS, SEEDS), images_only),
    "(5 seeds, Welch)": ((SEEDS, SEEDS), welch),
}


def called_different(planted: Planted, case: str, difference: float, pairs: int, seed: int) -> int:
    """How many of so many planted pairs have p ≤ LEVEL."""
    seeds, test = CASES[case]
    rng = np.random.default_rng(seed)
    return sum(test(*planted.draw(rng, seeds, difference)) <= LEVEL for _ in range(pairs))


def trained(networks: int = NETWORKS) -> Planted:
    """Networks of both recipes on MNIST, and which of the 20,000 images each classifies correctly."""
    splits = gn.load_dataset("mnist")
    parts = [part for part in (splits.validation, splits.test) if part is not None]
    found: list[Right] = []
    for name, (units, epochs) in RECIPES.items():
        right = []
        for seed in range(networks):
            layers = [gn.Flatten(), gn.Pixels(), gn.Dense(units), gn.ReLU(), gn.Dense(10)]
            net = gn.Network(layers, input_shape=(28, 28, 1), loss=gn.SoftmaxCrossEntropy(), seed=seed)
            net.fit(
                splits.train, epochs=epochs, batch_size=32, optimizer=gn.Adam(gn.OneCycle(0.005)), seed=seed, progress=False
            )
            right.append(np.concatenate([net.predict(part.images) == part.labels for part in parts]))
        found.append(np.array(right))
        accuracies = 100 * found[-1].mean(axis=1)
        spread = crossed(found[-1].astype(float))
        print(
            f"{name}: {accuracies.mean():.2f} ± {accuracies.std(ddof=1):.2f} % over {networks} seeds; "
            f"deviation by seeds alone {100 * np.sqrt(networks * spread.seeds):.2f} points",
            flush=True,
        )
    return Planted(*found)


def report(planted: Planted, pairs: int, many: int) -> None:
    """For each test: pairs called different, of equal ones and of those 0.5 points apart; and of many equal ones."""
    print(f"{'p ≤ 0.05':32}{f'equal, of {pairs}':>16}{f'0.5 apart, of {pairs}':>20}{f'equal, of {many}':>18}")
    for place, case in enumerate(CASES):
        seed = 1000 * place
        counts = [
            called_different(planted, case, 0.0, pairs, seed),
            called_different(planted, case, 0.005, pairs, seed + 1),
            called_different(planted, case, 0.0, many, seed + 2),
        ]
        print(f"{case:32}{counts[0]:>16}{counts[1]:>20}{counts[2]:>18}", flush=True)
    for seeds in (2, SEEDS):
        rng = np.random.default_rng(seeds)
        level = sum(other_seeds(*planted.halves(rng, seeds)) <= LEVEL for _ in range(many))
        print(f"{f'one recipe, {seeds} + {seeds} seeds, unplanted':52}{'':16}{level:>18}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.comparison", description=str(__doc__).partition("\n")[0])
    parser.add_argument("--networks", type=Path, help=".npz to keep what the networks get right, or to read it")
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--many", type=int, default=1000, help="equal pairs for the level")
    parsed = parser.parse_args(arguments)
    if parsed.networks is not None and parsed.networks.exists():
        with np.load(parsed.networks) as kept:
            planted = Planted(kept["first"], kept["second"])
    else:
        planted = trained()
        if parsed.networks is not None:
            np.savez_compressed(parsed.networks, first=planted.first, second=planted.second)
    report(planted, parsed.pairs, parsed.many)


if __name__ == "__main__":
    main()
