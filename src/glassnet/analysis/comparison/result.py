"""The result of a comparison: all that took part, and every pair of them, as text and as a dictionary."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from glassnet.analysis.comparison.paired import Effect, Right, effect, holm, mean_interval
from glassnet.analysis.comparison.power import Needed, needed
from glassnet.support.i18n import Message, mark, same, tr
from glassnet.support.terminal import columns, table
from glassnet.support.upwards import Shown

LEVEL = 0.05
WIDEST = 26  # columns of a name in the table
UNITS = ("B", "kB", "MB", "GB")


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """A run, runs of several seeds, or a baseline.

    `right`: which images each network classifies correctly, (seeds, images); `seeds`: None for a baseline. `training`:
    seconds, the mean over seeds, with the search for `options`; `prediction`: seconds an image; `size`: bytes of one
    network's numbers, or of the pickled baseline. `chosen`: what was chosen on the validation images that are compared on.
    """

    name: Message
    right: Right = field(repr=False)
    seeds: tuple[int, ...] | None
    training: float
    prediction: float
    size: int
    options: dict[str, Any] = field(default_factory=dict)
    chosen: Literal["epochs", "options"] | None = None

    @property
    def accuracy(self) -> float:
        """Of one network, or the mean over the seeds."""
        return float(self.right.mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Its 95 % confidence interval: Wilson's for one network, else over images and seeds."""
        return mean_interval(self.right)

    @property
    def label(self) -> Message:
        """The name, with the number of seeds."""
        count = len(self.right)
        return self.name if count == 1 else tr("{name}, {count} seeds", name=self.name, count=count)


@dataclass(frozen=True)
class Pair:
    """Two entrants: how much more accurate `better` is; `p` corrected for the number of pairs; what would be `needed`."""

    better: Entrant
    worse: Entrant
    effect: Effect
    p: float
    pairs: int
    needed: Needed | None

    @property
    def shown(self) -> bool:
        """Whether the difference is significant, at 5 % for all pairs together."""
        return self.p <= LEVEL

    @property
    def message(self) -> Message:
        """One sentence."""
        low, high = (signed(end) for end in self.effect.interval)
        figures: dict[str, Any] = {
            "better": self.better.name, "worse": self.worse.name, "points": f"{100 * self.effect.value:.2f}",
            "low": low, "high": high, "p": self._p(),
        }  # fmt: skip
        if self.shown:
            return tr("{better} is better than {worse} by {points} points ({low} to {high}); {p}.", **figures)
        if not self.effect.value:
            text = mark("Not shown: {better} and {worse} are equally accurate ({low} to {high} points); {p}; {needed}.")
        else:
            text = mark("Not shown: {better} better than {worse} by {points} points ({low} to {high}); {p}; {needed}.")
        return tr(text, **figures, needed=self.needed.message if self.needed else "")

    def _p(self) -> Message:
        size = "< 0.0001" if self.p < 1e-4 else f"= {self.p:.4f}" if self.p < 0.01 else f"= {self.p:.2f}"
        return tr("p {size} after Holm's correction", size=size) if self.pairs > 1 else tr("p {size}", size=size)

    def to_dict(self) -> dict[str, Any]:
        found, more = self.effect, self.needed
        return {
            "better": self.better.name.en, "worse": self.worse.name.en, "difference": found.value,
            "interval": list(found.interval), "p": found.p, "p_holm": self.p, "shown": self.shown, "test": found.test.en,
            "more_images": more and more.images, "more_seeds": more and more.seeds, "more_of_both": more and more.together,
            "least_difference": more and more.least,
        }  # fmt: skip


@dataclass(frozen=True)
class Comparison(Shown):
    """`entrants`, the most accurate first; `pairs`, all of them, by their places; on so many `images` of a `part`.

    `against_best`: the pairs of the first with each of the others. `to_dict()` gives everything for JSON, `str()` a table
    and a sentence for each of these pairs.
    """

    entrants: tuple[Entrant, ...]
    pairs: tuple[Pair, ...]
    images: int
    part: str

    @classmethod
    def of(cls, entrants: Sequence[Entrant], part: str) -> Comparison:
        """Test all pairs."""
        ranked = sorted(entrants, key=lambda entrant: -entrant.accuracy)
        both = list(itertools.combinations(ranked, 2))
        found = [effect(a.right, b.right, (a.seeds, b.seeds)) for a, b in both]
        images = ranked[0].right.shape[1]
        pairs = [
            Pair(a, b, each, p, len(both), _needed(a, b, each, images, LEVEL / len(both)) if p > LEVEL else None)
            for (a, b), each, p in zip(both, found, holm([each.p for each in found]), strict=True)
        ]
        return cls(tuple(ranked), tuple(pairs), images, part)

    @property
    def best(self) -> Entrant:
        return self.entrants[0]

    @property
    def against_best(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if pair.better is self.best)

    def to_dict(self) -> dict[str, Any]:
        """Entrants and pairs; a number that is infinite or undefined is None."""
        entrants = [
            {
                "name": one.name.en, "accuracy": one.accuracy, "interval": list(one.interval),
                "seeds": None if one.seeds is None else list(one.seeds),
                "accuracies": one.right.mean(axis=1).tolist(), "training_seconds": one.training,
                "prediction_seconds": one.prediction, "bytes": one.size, "options": one.options,
                "chosen_on_these_images": one.chosen,
            }
            for one in self.entrants
        ]  # fmt: skip
        return {
            "part": self.part, "images": self.images, "entrants": entrants, "pairs": [pair.to_dict() for pair in self.pairs]
        }  # fmt: skip

    def __str__(self) -> str:
        sentences = [pair.message for pair in self.against_best]
        return "\n".join([*self.table(), "", *sentences, *([""] if sentences else []), *self.notes()])

    def table(self) -> list[str]:
        """Name, accuracy, interval, training time, prediction time and size, at 80 columns."""
        head = ["", tr("accuracy"), tr("95 % interval"), tr("training"), tr("per image"), tr("size")]
        rows = [
            [
                _cut(entrant.label), f"{100 * entrant.accuracy:.2f} %",
                "–".join(f"{100 * end:.2f}" for end in entrant.interval),
                duration(entrant.training), duration(entrant.prediction), size(entrant.size),
            ]
            for entrant in self.entrants
        ]  # fmt: skip
        return table([head, *rows])

    def notes(self) -> list[Message]:
        """What was compared on, what was chosen on it, and what single networks say."""
        text = mark("On {count:,} test images.") if self.part == "test" else mark("On {count:,} validation images.")
        notes = [tr(text, count=self.images)]
        for what, about in (
            ("epochs", mark("Number of epochs chosen on these images, so slightly too high an accuracy: {names}.")),
            ("options", mark("Options chosen on these images, so slightly too high an accuracy: {names}.")),
        ):
            names = [entrant.name for entrant in self.entrants if entrant.chosen == what]
            if names:
                notes.append(tr(about, names=tr("; ").join(names)))
        if any(entrant.options for entrant in self.entrants):
            chosen = [
                tr(
                    "{name}: {options}",
                    name=entrant.name,
                    options=same(", ".join(f"{k} = {v}" for k, v in entrant.options.items())),
                )
                for entrant in self.entrants
                if entrant.options
            ]
            notes.append(tr("Options: {options}.", options=tr("; ").join(chosen)))
        if sum(entrant.seeds is not None and len(entrant.right) == 1 for entrant in self.entrants) > 0 and self.pairs:
            notes.append(
                tr("A run of one seed is compared as this one network; its recipe may do better or worse with another seed.")
            )
        return notes


def signed(share: float) -> str:
    """A share in points, with a minus sign."""
    return f"{100 * share:.2f}".replace("-", "−")


def duration(seconds: float) -> Message:
    """A time, to two or three digits."""
    for most, unit, factor in ((1e-3, "µs", 1e6), (1.0, "ms", 1e3), (120.0, "s", 1.0), (7200.0, "min", 1 / 60)):
        if seconds < most:
            number = seconds * factor
            return same(f"{number:.{1 if number < 10 else 0}f} {unit}")
    return same(f"{seconds / 3600:.1f} h")


def size(count: float) -> str:
    """Bytes, to two or three digits."""
    number, unit = float(count), UNITS[0]
    for unit in UNITS:
        if number < 1000 or unit == UNITS[-1]:
            break
        number /= 1000
    return f"{number:.{1 if number < 10 and unit != 'B' else 0}f} {unit}"


def _needed(a: Entrant, b: Entrant, found: Effect, images: int, level: float) -> Needed:
    seeds = min(len(entrant.right) for entrant in (a, b) if entrant.seeds is not None) if a.seeds or b.seeds else 1
    return needed(found, images, seeds, level=level)


def _cut(name: Message) -> str:
    """A name that is too wide, without its middle."""
    if columns(name) <= WIDEST:
        return name
    head, tail = str(name)[: WIDEST // 2 - 1], str(name)[-WIDEST // 2 :]
    while columns(head + "…" + tail) > WIDEST:
        head, tail = head[:-1], tail[1:]
    return f"{head}…{tail}"
