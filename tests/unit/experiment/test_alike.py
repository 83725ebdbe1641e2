"""Ranks that were given different versions, recipes or data are told so before anything is written."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import glassnet as gn
from glassnet.experiment.alike import check_alike
from glassnet.experiment.run import prepare


class Another:
    """Stands for the ranks: rank 1 has what this one has, but for one change."""

    def __init__(self, part: str, key: str, value: str) -> None:
        self.change = part, key, value

    def texts(self, own: Any) -> list[Any]:
        part, key, value = self.change
        other = copy.deepcopy(own)
        assert not key or key in other[part]
        other[part][key] = value
        return [own, own if not key else other]


@pytest.mark.parametrize(
    ("part", "key", "what"),
    [
        ("version", "glassnet", "The ranks run different versions, or on different processors."),
        ("version", "kernels", "The ranks run different versions, or on different processors."),
        ("recipe", "training.batch_size", "The ranks have different recipes."),
        ("recipe", "training.epochs", "The ranks have different recipes."),
        ("data", "train", "The ranks have different data."),
        ("data", "validation", "The ranks have different data."),
    ],
)
def test_what_differs_is_named(part: str, key: str, what: str) -> None:
    recipe, splits = prepare("digits")
    ranks: Any = Another(part, key, "something else")
    with pytest.raises(gn.GlassnetError) as caught:
        check_alike(ranks, recipe, splits)
    text = str(caught.value)
    for told in (what, f"rank 1, {key}", "as on rank 0", "something else"):
        assert told in text


def test_the_same_is_accepted_wherever_the_data_lies() -> None:
    recipe, splits = prepare("digits")
    alike: Any = Another("recipe", "", "")
    check_alike(alike, recipe, splits)
    check_alike(alike, recipe.changed({"data.path": "/elsewhere"}), splits)


def test_other_images_give_another_checksum() -> None:
    _, splits = prepare("digits")
    found: list[Any] = []

    class Recorder:
        def texts(self, own: Any) -> list[Any]:
            found.append(own["data"]["train"])
            return [own]

    ranks: Any = Recorder()
    changed = splits.train.images.copy()
    changed[7, 3, 3] ^= 1
    for train in (splits.train, gn.Dataset(changed, splits.train.labels)):
        check_alike(ranks, prepare("digits")[0], gn.Splits(train, splits.validation, splits.test))
    assert found[0] != found[1]
