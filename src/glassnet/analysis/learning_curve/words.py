"""What a learning curve says, in plain words."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, isfinite, log10

from glassnet.analysis.learning_curve.curve import LearningCurve
from glassnet.support.i18n import Message, mark, tr
from glassnet.support.terminal import table

HARDLY = 0.1  # more images hardly help where twice as many would remove less than this part of the errors
FAR = 100  # times the images there are: no extrapolation beyond


def report(curve: LearningCurve, goals: Sequence[float] = ()) -> str:
    """The measured sizes as a table, and the answer; `goals`: accuracies asked about, by default the next two round ones."""
    head = [(tr("images"), tr("trainings"), tr("accuracy on validation images"))]
    rows = [(f"{point.images:,}", str(len(point.accuracies)), _measured(point.accuracies)) for point in curve.points]
    return "\n".join([*table([*head, *rows], left=0), "", *answer(curve, goals)])


def answer(curve: LearningCurve, goals: Sequence[float] = ()) -> list[Message]:
    """The accuracy with the images there are and with more, what `goals` need, and whether more images would help."""
    now, twice = curve.predict(curve.images), curve.predict(2 * curve.images)
    lines = [
        tr("With the {images:,} training images there are: about {span}.", images=curve.images, span=_span(now)),
        tr("With twice as many: about {span}.", span=_span(twice)),
        *(_need(curve, goal) for goal in goals or curve.goals),
        _verdict(now[1], twice[1]),
        tr("In brackets are 90 % intervals, for one training and for new images like the validation images."),
    ]
    if len(curve.points[0].accuracies) == 1:
        lines.append(tr("Each size was trained once: with more draws the intervals can become narrower."))
    return lines


def _verdict(now: float, twice: float) -> Message:
    gain = 100 * (twice - now)
    if (twice - now) < HARDLY * (1 - now):
        return tr("More images would hardly help: twice as many bring about {gain:.2g} points.", gain=max(gain, 0.0))
    fewer = 100 * (twice - now) / (1 - now)
    return tr("More images would help: twice as many remove about {fewer:.0f} % of the errors.", fewer=fewer)


def _need(curve: LearningCurve, goal: float) -> Message:
    low, middle, high = curve.needed(goal)
    most = FAR * curve.images
    wanted = tr("{accuracy:g} %", accuracy=round(100 * goal, 4))
    if low > most:
        text = mark("{wanted} would need more than {most} images, if it can be reached at all.")
        return tr(text, wanted=wanted, most=count(most))
    if middle > most:
        text = mark("{wanted} would need at least {low} images, and may be out of reach.")
        return tr(text, wanted=wanted, low=count(low))
    upper = count(high) if high <= most else tr("more than {most}", most=count(most))
    text = mark("{wanted} would need about {middle} images ({low} to {high}).")
    return tr(text, wanted=wanted, middle=count(middle), low=count(low), high=upper)


def count(images: float) -> str:
    """A number of images to two digits: 61,234 is 61,000."""
    if not isfinite(images):
        return "∞"
    unit = 10 ** max(0, floor(log10(max(images, 1))) - 1)
    return f"{round(images / unit) * unit:,}"


def _span(found: tuple[float, float, float]) -> Message:
    low, middle, high = (100 * value for value in found)
    digits = 1 if high - low >= 0.2 else 2
    text = mark("{middle:.{digits}f} % ({low:.{digits}f} to {high:.{digits}f})")
    return tr(text, middle=middle, low=low, high=high, digits=digits)


def _measured(accuracies: Sequence[float]) -> str:
    mean = 100 * sum(accuracies) / len(accuracies)
    if len(accuracies) == 1:
        return f"{mean:.2f} %"
    return tr("{mean:.2f} % ({low:.2f} to {high:.2f})", mean=mean, low=100 * min(accuracies), high=100 * max(accuracies))
