"""Nielsen's expanded MNIST."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glassnet.data import Dataset, expand_by_shifts
from glassnet.errors import InputError


def test_by_hand() -> None:
    image = np.array([[1, 2, 3], [4, 5, 6]], dtype=np.uint8)
    found = expand_by_shifts(Dataset(image[None], [0], classes=["a", "b"], groups=["w"]))
    assert found.images[..., 0].tolist() == [
        [[1, 2, 3], [4, 5, 6]],
        [[0, 1, 2], [0, 4, 5]],
        [[2, 3, 0], [5, 6, 0]],
        [[0, 0, 0], [1, 2, 3]],
        [[4, 5, 6], [0, 0, 0]],
    ]
    assert found.images.dtype == np.uint8
    assert (found.classes, found.labels.tolist()) == (("a", "b"), [0] * 5)
    assert found.groups is not None
    assert found.groups.tolist() == ["w"] * 5


@pytest.mark.parametrize("pixels", [1, 2, 3])
def test_images_and_labels_stay_together(pixels: int) -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.uniform(0, 1, (4, 8, 9, 3)).astype(np.float32), rng.standard_normal((4, 2)))
    found = expand_by_shifts(data, pixels)
    assert (len(found), found.images.dtype, found.groups, found.classes) == (20, np.float32, None, None)
    np.testing.assert_array_equal(found.labels, np.tile(data.labels, (5, 1)))
    for number, (down, right) in enumerate([(0, 0), (0, 1), (0, -1), (1, 0), (-1, 0)]):
        wide = np.pad(data.images, ((0, 0), (3, 3), (3, 3), (0, 0)))
        wanted = wide[:, 3 - pixels * down : 11 - pixels * down, 3 - pixels * right : 12 - pixels * right]
        np.testing.assert_array_equal(found.images[4 * number : 4 * number + 4], wanted)


@pytest.mark.parametrize("pixels", [0, -1, 1.5, True, "1"])
def test_shifts_that_are_none(pixels: Any) -> None:
    with pytest.raises(InputError, match="A shift is a whole number of pixels") as caught:
        expand_by_shifts(Dataset(np.zeros((1, 4, 4)), [0]), pixels)
    assert caught.value.received == repr(pixels)


@pytest.mark.parametrize(("shape", "pixels"), [((2, 16), 1), ((2, 4, 9, 1), 4), ((2, 9, 3, 1), 3)])
def test_what_can_not_be_shifted(shape: tuple[int, ...], pixels: int) -> None:
    with pytest.raises(InputError, match="can't be shifted") as caught:
        expand_by_shifts(Dataset(np.zeros(shape), [0, 1]), pixels)
    assert caught.value.received == str(shape[1:])
