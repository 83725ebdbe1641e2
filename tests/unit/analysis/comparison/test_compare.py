"""Runs and baselines compared: real ones, on the digits."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.comparison.baselines import BASELINES, Baseline, Fitted, grid_for, rows, spaced
from glassnet.analysis.comparison.compare import prepare
from glassnet.analysis.comparison.measure import short_names
from glassnet.analysis.comparison.result import Comparison, Entrant, duration, size
from glassnet.errors import InputError, RunError
from glassnet.support.i18n import same
from glassnet.support.terminal import columns

OPTIONS = {"threads": 1, "progress": False}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[gn.Run]:
    """One good and one poor run of the digits."""
    folder = tmp_path_factory.mktemp("runs")
    return [
        gn.train("digits", epochs=epochs, out=folder / name, progress=False) for epochs, name in ((8, "good"), (1, "poor"))
    ]


def baseline(name: str) -> Baseline:
    return next(each for each in BASELINES if each.name == name)


def entrant(name: str, right: list[list[bool]], seeds: tuple[int, ...] | None = None) -> Entrant:
    return Entrant(name=same(name), right=np.array(right), seeds=seeds, training=1.0, prediction=1e-6, size=100)


def test_two_runs_are_compared_on_their_validation_images(runs: list[gn.Run]) -> None:
    found = gn.compare(list(reversed(runs)))
    data = runs[0].splits.validation
    assert data is not None
    good, poor = found.entrants
    assert [str(good.name), str(poor.name)] == ["good", "poor"]
    np.testing.assert_array_equal(good.right[0], runs[0].network.predict(data.images) == data.labels)
    assert good.accuracy == runs[0].network.evaluate(data).accuracy
    assert good.interval == runs[0].network.evaluate(data).interval
    assert good.size == 4 * len(runs[0].network.parameters)
    assert good.training == sum(runs[0].history.seconds)
    (pair,) = found.pairs
    assert pair.shown
    assert pair.message.startswith("good is better than poor by ")
    assert "Holm" not in pair.message  # one pair only
    assert not runs[0].looks


def test_several_seeds_are_trained_where_there_are_fewer(runs: list[gn.Run], tmp_path: Path) -> None:
    folders = [run.folder for run in runs]
    found = gn.compare(folders, seeds=2, out=tmp_path, progress=False, threads=1)
    assert {str(each.label) for each in found.entrants} == {"good, 2 seeds", "poor, 2 seeds"}
    assert {path.name for path in tmp_path.iterdir()} == {"compare-good", "compare-poor"}
    (made,) = (tmp_path / "compare-good").iterdir()
    more = gn.Run.load(made)
    first, second = runs[0].recipe.training, more.recipe.training
    assert second == first.model_copy(update={"seed": first.seed + 1})
    assert "2 pairs of the same seed" in found.pairs[0].effect.test
    before = made.stat().st_mtime_ns, (made / "model.safetensors").stat().st_mtime_ns
    again = gn.compare(folders, seeds=2, out=tmp_path, progress=False, threads=1)
    assert (made.stat().st_mtime_ns, (made / "model.safetensors").stat().st_mtime_ns) == before
    assert [each.accuracy for each in again.entrants] == [each.accuracy for each in found.entrants]


def test_seeds_of_another_recipe_are_not_used(runs: list[gn.Run], tmp_path: Path) -> None:
    gn.train("digits", epochs=2, seed=1, out=tmp_path / "compare-poor" / "seed-1", progress=False)
    gn.compare([run.folder for run in runs], seeds=2, out=tmp_path, progress=False, threads=1)
    assert (tmp_path / "compare-poor-2" / "seed-1" / "model.safetensors").exists()


def test_the_test_set_is_recorded_in_each_ledger(tmp_path: Path) -> None:
    runs = [gn.train("digits", epochs=1, seed=seed, out=tmp_path / str(seed), progress=False) for seed in (1, 2)]
    found = gn.compare(runs, test=True)
    assert found.part == "test"
    for run in runs:
        (look,) = run.looks
        assert look["comparison"] == [each.fingerprint for each in runs]
        accuracy = next(each.accuracy for each in found.entrants if each.name == run.folder.name)
        assert look["correct"] / look["total"] == accuracy
    runs[0].folder.joinpath("ledger.jsonl").write_text("{")
    with pytest.raises(RunError, match="ledger is damaged"):
        gn.compare(runs, test=True)
    assert len(runs[1].looks) == 1


def test_it_says_what_was_chosen_on_the_images(runs: list[gn.Run]) -> None:
    recipe = runs[0].recipe.changed({"training.keep": "best"})
    chosen = [replace(runs[0], recipe=recipe), runs[1]]
    assert "Number of epochs chosen on these images, so slightly too high an accuracy: good." in str(gn.compare(chosen))
    assert "chosen on these images" not in str(gn.compare(runs))


@pytest.mark.parametrize("name", [each.name for each in BASELINES if each.name != "gradient boosting"])
def test_each_baseline_learns_the_digits(name: str) -> None:
    splits = gn.load_dataset("digits")
    assert splits.validation is not None
    assert splits.test is not None
    fitted = baseline(name).fit(splits.train, splits.validation)
    accuracy = float((fitted.predict(splits.test.images) == splits.test.labels).mean())
    assert accuracy < 0.12 if name == "majority class" else accuracy > 0.94
    assert fitted.size > 100
    assert baseline(name).estimate(splits.train, splits.validation) > 0


def test_boosting_on_few_images_and_on_components_of_many_pixels() -> None:
    splits = gn.load_dataset("digits")
    assert splits.validation is not None
    train = splits.train[splits.train.labels < 2][:120]
    fitted = baseline("gradient boosting").fit(train, splits.validation)
    asked = splits.validation[splits.validation.labels < 2]
    assert (fitted.predict(asked.images) == asked.labels).mean() > 0.95
    wide = gn.Dataset(np.repeat(np.repeat(train.images, 2, axis=1), 2, axis=2), train.labels, classes=train.classes)
    assert baseline("gradient boosting").fit(wide, wide).options == {"components": 50}


def test_the_number_of_neighbours_is_chosen_on_validation_data() -> None:
    from sklearn.neighbors import KNeighborsClassifier

    splits = gn.load_dataset("digits")
    assert splits.validation is not None
    train, validation = splits.train[:200], splits.validation
    correct = {
        k: (
            KNeighborsClassifier(k).fit(rows(train.images), train.labels).predict(rows(validation.images))
            == validation.labels
        ).sum()
        for k in (1, 3, 5, 7, 9, 15)
    }
    fitted = baseline("k-nearest neighbours").fit(train, validation)
    assert correct[fitted.options["k"]] == max(correct.values())


def test_the_pixels_of_baselines_are_scaled_as_those_of_networks() -> None:
    assert rows(np.full((2, 3, 4, 1), 255, dtype=np.uint8)).tolist() == [[1.0] * 12] * 2
    assert rows(np.full((1, 2), 0.25, dtype=np.float32)).tolist() == [[0.25, 0.25]]
    data = gn.Dataset(np.zeros((100, 2), np.float32), np.repeat([0, 1, 2, 3], 25), classes=tuple("abcd"))
    assert set(spaced(data, 8).labels) == {0, 1, 2, 3}
    splits = gn.load_dataset("digits")
    gamma = 1 / (64 * (splits.train.images / 255.0).var())
    assert grid_for(splits.train)["gamma"] == pytest.approx([0.75 * gamma, 1.5 * gamma, 3 * gamma], rel=0.05)


def test_baselines_are_trained_on_the_same_split(runs: list[gn.Run], monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[tuple[gn.Dataset, gn.Dataset]] = []

    class Zero:
        def predict(self, images: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
            return np.zeros(len(images))

    def fit(train: gn.Dataset, validation: gn.Dataset) -> Fitted:
        given.append((train, validation))
        return Fitted(Zero(), options={"k": 3})

    monkeypatch.setattr(Fitted, "size", 12)
    monkeypatch.setattr(
        "glassnet.analysis.comparison.measure.BASELINES", (Baseline("SVC, tuned", fit, lambda n, m: n, True),)
    )
    found = gn.compare(runs[0].folder, baselines=True)
    data = runs[0].splits
    assert data.validation is not None
    ((train, validation),) = given
    np.testing.assert_array_equal(train.images, data.train.images)
    np.testing.assert_array_equal(validation.labels, data.validation.labels)
    svc = found.entrants[-1]
    assert (str(svc.name), svc.chosen, svc.options, svc.size) == ("SVC, tuned", "options", {"k": 3}, 12)
    assert svc.accuracy == (data.validation.labels == 0).mean()
    assert "SVC, tuned: k = 3" in str(found)


def test_every_pair_is_tested_and_the_text_fits_into_80_columns() -> None:
    rng = np.random.default_rng(0)
    parts = [
        entrant(name, (rng.random((k, 500)) < p).tolist(), seeds)
        for name, k, p, seeds in (
            ("a-run-with-a-very-long-name-of-its-own", 3, 0.95, (0, 1, 2)),
            ("一个名字很长很长很长很长很长的训练", 1, 0.94, (0,)),
            ("SVC", 1, 0.6, None),
        )
    ]
    found = Comparison.of(parts, "validation")
    assert len(found.pairs) == 3
    assert len(found.against_best) == 2
    assert max(map(columns, found.table())) <= 80
    values = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert [each["name"] for each in values["entrants"]] == [each.name for each in found.entrants]
    assert all(each["p_holm"] >= each["p"] for each in values["pairs"])
    assert all((each["more_images"] is None) or not each["shown"] for each in values["pairs"])
    shown = [pair for pair in found.pairs if pair.shown]
    assert shown
    assert all("after Holm's correction" in pair.message for pair in found.pairs)
    assert "would be needed" in next(pair for pair in found.pairs if not pair.shown).message


def test_equal_accuracies_say_what_would_have_been_shown() -> None:
    right = [[True] * 90 + [False] * 10]
    (pair,) = Comparison.of([entrant("a", right, (0,)), entrant("b", right, (0,))], "test").pairs
    assert pair.message.startswith("Not shown: a and b are equally accurate")
    assert "would have been shown" in pair.message


def test_times_and_sizes_in_words() -> None:
    assert [duration(each) for each in (2e-6, 0.0451, 5.23, 75, 600, 9000)] == [
        "2.0 µs",
        "45 ms",
        "5.2 s",
        "75 s",
        "10 min",
        "2.5 h",
    ]
    assert [size(each) for each in (12, 104_000, 3_400_000, 2.5e9)] == ["12 B", "104 kB", "3.4 MB", "2.5 GB"]


def test_names_are_as_short_as_they_can_be(tmp_path: Path) -> None:
    paths = [tmp_path / "a" / "x", tmp_path / "b" / "x", tmp_path / "y"]
    assert short_names(paths) == ["a/x", "b/x", "y"]


def test_what_cannot_be_compared(runs: list[gn.Run], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="needs two runs"):
        gn.compare(runs[:1])
    with pytest.raises(InputError, match="listed twice"):
        gn.compare([runs[0], runs[0].folder])
    with pytest.raises(RunError, match="not a run folder"):
        gn.compare([runs[0].folder, tmp_path])
    with pytest.raises(InputError, match="number of seeds must be positive"):
        prepare([run.folder for run in runs], baselines=False, seeds=-1, test=False, out=tmp_path, options=OPTIONS)
    other = gn.train("digits", epochs=1, out=tmp_path / "other", settings={"data.split_seed": 5}, progress=False)
    with pytest.raises(RunError, match="same validation data"):
        gn.compare([runs[0], other])
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "two.npz", images=rng.integers(0, 256, (60, 8, 8), dtype=np.uint8), labels=np.arange(60) % 2)
    small = {"network.layers": [64, 4, 2], "network.loss": "Quadratic"}
    data = tmp_path / "two.npz"
    two = gn.train("digits", data=data, epochs=1, settings=small, out=tmp_path / "two", progress=False)
    with pytest.raises(RunError, match="other classes") as refused:
        gn.compare([runs[0], two])
    assert "0, 1, 2" in str(refused.value)
    for name in ("three", "four"):
        settings = small | {"data.fractions": [0.8, 0.0, 0.2]}
        gn.train("digits", data=data, epochs=1, settings=settings, out=tmp_path / name, progress=False)
    none = [tmp_path / "three", tmp_path / "four"]
    with pytest.raises(RunError, match="images with class labels") as refused:
        gn.compare(none)
    assert "--test" in str(refused.value)
    assert gn.compare(none, test=True).images == 12
    with pytest.raises(RunError, match="tuned on validation data"):
        gn.compare(none, test=True, baselines=True)
