"""The second opinion on labels: planted errors are found, in every kind of data, and what can't be judged is refused."""

from __future__ import annotations

import csv
import io
import sys
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

import glassnet as gn
from glassnet.analysis.inspection import cross_validation
from glassnet.analysis.inspection.cross_validation import fold_probabilities
from glassnet.data.readers.builtin import all_digits
from glassnet.present.figures.sheets import write_inspection

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_validation, "LEAST_STEPS", 200)


def with_errors(labels: Array, share: float = 0.05, seed: int = 0) -> tuple[Array, Array]:
    """The labels with a share of them changed to another class, and which those are."""
    rng = np.random.default_rng(seed)
    wrong = np.zeros(len(labels), bool)
    wrong[rng.choice(len(labels), int(share * len(labels)), replace=False)] = True
    classes = labels.max() + 1
    return np.where(wrong, (labels + rng.integers(1, classes, len(labels))) % classes, labels), wrong


def precision(inspection: gn.analysis.inspection.Inspection, wrong: Array) -> float:  # type: ignore[name-defined]
    assert inspection.label_scores is not None
    return float(average_precision_score(wrong, -inspection.label_scores.scores))


@pytest.fixture(scope="module")
def errors() -> tuple[gn.Splits, Array]:
    """Digits, 900 in train and 300 in test, with 5 % of all labels changed."""
    data = all_digits()
    labels, wrong = with_errors(np.array(data.labels[:1200]))
    dataset = gn.Dataset(data.images[:1200], labels)
    return gn.Splits(dataset[:900], None, dataset[900:]), wrong


def test_planted_errors_come_first(errors: tuple[gn.Splits, Array]) -> None:
    splits, wrong = errors
    inspection = gn.inspect(splits, labels=True)
    scores, finding = inspection.label_scores, inspection.finding("likely-wrong-labels")
    assert scores is not None
    assert finding is not None
    assert precision(inspection, wrong) > 0.9
    found = np.flatnonzero(scores.likely_wrong)
    assert wrong[found].mean() > 0.7
    assert len(found) > 0.6 * wrong.sum()
    right = all_digits().labels[:1200]
    assert (scores.suggested[found] == right[found])[wrong[found]].mean() > 0.9
    listed = [image.index + (900 if image.part == "test" else 0) for image in finding.images]
    assert listed == [index for index in scores.order if scores.likely_wrong[index]]
    assert {image.part for image in finding.images} == {"train", "test"}
    # Both opinions are told.
    assert scores.neighbours is not None
    both = int((scores.neighbours & scores.likely_wrong).sum())
    others = int((scores.neighbours & ~scores.likely_wrong).sum())
    assert both > 10
    assert f"the nearest neighbours doubt {both} of them, too, and {others} others" in finding.evidence
    for image, index in zip(finding.images, listed, strict=True):
        assert image.note.endswith("doubt it, too" if scores.neighbours[index] else "do not doubt it")


def test_the_same_seed_gives_the_same_bits_and_another_one_does_not(errors: tuple[gn.Splits, Array]) -> None:
    data = errors[0].train[:150]
    first, again, other = (fold_probabilities(data, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.probabilities, again.probabilities)
    assert not np.array_equal(first.fold, other.fold)
    assert np.allclose(first.probabilities.sum(axis=1), 1)


def test_no_network_is_asked_for_what_it_was_trained_on() -> None:
    """Random labels can be learned by heart, not predicted; a copy in another fold would tell."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (200, 8, 8, 1)).astype(np.uint8)
    labels = np.arange(200) % 2
    images[100:], labels[100:] = images[:100], labels[:100]
    copies = [np.array([index, index + 100]) for index in range(100)]
    data = gn.Dataset(images, labels)
    apart, together = (fold_probabilities(data, copies=given) for given in (None, copies))
    agreement = [float((found.probabilities.argmax(axis=1) == labels).mean()) for found in (apart, together)]
    assert agreement[0] > 0.8  # as most copies are in two folds
    assert agreement[1] < 0.65
    inspection = gn.inspect(data, labels=True, quick=True)
    assert inspection.finding("likely-wrong-labels") is None
    assert "not reported" in inspection.checks[-1].result
    assert inspection.label_scores is not None
    assert inspection.label_scores.neighbours is None


def test_groups_stay_in_one_fold_unless_a_class_would_be_in_one_only() -> None:
    data = all_digits()[:200]
    grouped = gn.Dataset(data.images, data.labels, groups=np.arange(200) // 10)
    found = fold_probabilities(grouped)
    assert found.by == "group"
    assert all(len(np.unique(found.fold[grouped.groups == group])) == 1 for group in range(20))
    own = gn.Dataset(data.images, data.labels, groups=data.labels)  # a group a class
    assert fold_probabilities(own).by == "stratified"


@pytest.mark.parametrize("kind", ["rows", "floats", "colour", "large"])
def test_every_kind_of_data(kind: str) -> None:
    data = all_digits()
    count = 300 if kind == "large" else 600
    images: Array = np.array(data.images[:count])
    if kind == "rows":
        images = images.reshape(count, -1).astype(np.float32) * 1000
    elif kind == "floats":
        images = (images.astype(np.float32) - 100) * 3
    elif kind == "colour":
        images = images.repeat(3, axis=-1)
    else:
        images = images.repeat(6, axis=1).repeat(5, axis=2)
    labels, wrong = with_errors(np.array(data.labels[:count]))
    inspection = gn.inspect(gn.Dataset(images, labels), labels=True, quick=True)
    assert precision(inspection, wrong) > 0.8
    finding = inspection.finding("likely-wrong-labels")
    assert finding is not None
    assert "neighbours" not in finding.evidence  # they were not asked


def test_a_class_without_images_is_never_suggested(errors: tuple[gn.Splits, Array]) -> None:
    train = errors[0].train
    kept = train[train.labels != 4]
    scores = gn.inspect(kept, labels=True, quick=True).label_scores
    assert scores is not None
    assert scores.probabilities.shape == (len(kept), 10)
    assert not scores.probabilities[:, 4].any()
    assert not (scores.suggested == 4).any()


def test_the_list_of_all_labels(errors: tuple[gn.Splits, Array], tmp_path: Any) -> None:
    splits, _ = errors
    inspection = gn.inspect(gn.Splits(splits.train[:200], None, splits.test[:50]), labels=True)  # type: ignore[index]
    scores = inspection.label_scores
    assert scores is not None
    written = write_inspection(inspection, tmp_path)
    assert {"labels.csv", "labels-01.png", "labels-02.png"} <= {path.name for path in written}
    rows = list(csv.DictReader(io.StringIO((tmp_path / "labels.csv").read_text(encoding="utf-8"))))
    assert [int(row["rank"]) for row in rows] == list(range(1, 251))
    assert len({(row["split"], row["index"]) for row in rows}) == 250
    values = [float(row["score"]) for row in rows]
    assert values == sorted(values)
    first = rows[0]
    index = int(first["index"]) + (200 if first["split"] == "test" else 0)
    assert index == scores.order[0]
    assert first["given"] == scores.pool.classes[scores.given[index]]
    assert first["suggested"] == scores.pool.classes[scores.suggested[index]]
    assert float(first["score"]) == pytest.approx(
        (float(first["probability_given"]) - float(first["probability_suggested"]) + 1) / 2, abs=1e-3
    )
    doubted = {row["doubted_by"] for row in rows if row["likely_wrong"] == "yes"}
    assert doubted <= {"both", "k-fold"}


def test_sheets_in_order_with_given_and_suggested_label(errors: tuple[gn.Splits, Array]) -> None:
    scores = gn.inspect(errors[0].train[:200], labels=True, quick=True).label_scores
    assert scores is not None
    texts = [text.get_text() for text in gn.figures.label_sheet_figure(scores, 1).axes[0].texts]
    assert len(texts) == 60
    for text, index in zip(texts, scores.order[60:120], strict=True):
        assert text.startswith(f"{scores.given[index]} → {scores.suggested[index]}  ")
        assert f"\ntrain {index}" in text
    with pytest.raises(gn.InputError, match="no such page"):
        gn.figures.label_sheet_figure(scores, 4)


def test_what_it_refuses(monkeypatch: pytest.MonkeyPatch, errors: tuple[gn.Splits, Array]) -> None:
    train = errors[0].train
    with pytest.raises(gn.InputError, match=r"(?s)These labels can't be checked.*targets of shape"):
        gn.inspect("chain", labels=True)
    with pytest.raises(gn.InputError, match=r"(?s)These labels can't be checked.*two classes or more.*'3'"):
        gn.inspect(train[train.labels == 3], labels=True)
    few = train[np.concatenate([np.flatnonzero(train.labels == 2)[:4], np.flatnonzero(train.labels == 5)])]
    with pytest.raises(gn.InputError, match=r"(?s)Class '2' has too few images.*at least 5 images.*4 images"):
        gn.inspect(few, labels=True)
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    with pytest.raises(gn.InputError, match=r'(?s)needs cleanlab.*pip install "glassnet\[labels\]"'):
        gn.inspect(train, labels=True)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress(terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    from glassnet.training.display import steps_display

    monkeypatch.setattr("sys.stdout.isatty", lambda: terminal, raising=False)
    with steps_display("Working", 10, True) as advance:
        for _ in range(10):
            advance()
    out = capsys.readouterr().out
    assert "Working" in out
    if not terminal:
        assert out.splitlines()[0] == "Working …"
        assert [line.split(", about")[0] for line in out.splitlines()[1:]] == [f"Working: {s} %" for s in (20, 40, 60, 80)]
    with steps_display("Working", 10, False) as advance:
        advance()
    assert capsys.readouterr().out == ""
