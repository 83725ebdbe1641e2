"""Multi-crop: the fixed views, and alternating flips in training."""

from __future__ import annotations

import numpy as np
import pytest

import glassnet as gn
from glassnet.data.augment import in_turn
from glassnet.errors import InputError


def test_the_six_views() -> None:
    images = np.random.default_rng(1).integers(0, 256, (2, 5, 6, 3), dtype=np.uint8)
    plain, mirrored, first, first_mirrored, second, _ = gn.MultiCrop().views(images)
    np.testing.assert_array_equal(plain, images)
    np.testing.assert_array_equal(mirrored, images[:, :, ::-1])
    np.testing.assert_array_equal(first[:, :-1, :-1], images[:, 1:, 1:])
    np.testing.assert_array_equal(first[:, -1, :-1], images[:, -2, 1:])  # the reflection of the last but one row
    np.testing.assert_array_equal(first_mirrored, first[:, :, ::-1])
    np.testing.assert_array_equal(second[:, 1:, 1:], images[:, :-1, :-1])
    assert len(list(gn.MultiCrop(flip=False).views(images))) == 3
    assert len(list(gn.MultiCrop().views(images, 2))) == 2


def test_probabilities_are_the_mean_over_the_views() -> None:
    digits = gn.load_dataset("digits")
    net = gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(10)], input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
    images = digits.test.images
    wanted = np.mean([net.predict_proba(view) for view in gn.MultiCrop().views(images)], axis=0)
    np.testing.assert_allclose(net.predict_proba(images, augmentation=gn.MultiCrop()), wanted, atol=1e-12)
    two = net.predict_proba(images, augmentation={"type": "MultiCrop"}, views=2)
    np.testing.assert_allclose(two, (net.predict_proba(images) + net.predict_proba(images[:, :, ::-1])) / 2, atol=1e-12)
    found = net.evaluate(digits.test, augmentation=gn.MultiCrop())
    assert found.correct == (wanted.argmax(axis=1) == digits.test.labels).sum()


def test_wrong_views_are_refused() -> None:
    images = np.zeros((1, 4, 4, 1), np.uint8)
    with pytest.raises(InputError, match="MultiCrop has fewer views") as caught:
        list(gn.MultiCrop().views(images, 7))
    assert "at most 6" in str(caught.value)
    with pytest.raises(InputError, match="can't be shifted"):
        list(gn.MultiCrop(4).views(images))
    with pytest.raises(InputError, match="whole number of pixels"):
        gn.MultiCrop(0)
    with pytest.raises(InputError, match="did you mean 'shift'"):
        gn.Network([gn.Flatten(), gn.Dense(2)], input_shape=(4, 4, 1), seed=1).predict_proba(
            images, augmentation={"type": "MultiCrop", "shfit": 1}
        )


def test_recipes_take_it() -> None:
    recipe = gn.load_recipe("digits").changed({"views": 6, "view_augmentation": {"type": "MultiCrop", "shift": 2}})
    assert recipe.make_view_augmentation() == gn.MultiCrop(2)


def test_each_image_is_mirrored_in_every_other_epoch() -> None:
    numbers = np.arange(2000)
    first, second = (in_turn(np.uint64(2 * 12345 + parity), numbers) for parity in (1, 0))
    np.testing.assert_array_equal(first, ~second)
    assert 900 < first.sum() < 1100
    assert (in_turn(np.uint64(2 * 12346 + 1), numbers) != first).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_training_mirrors_in_turn(dtype: str) -> None:
    """One weight for the left pixel: the image (1, 0) tells by its gradient whether it was mirrored."""
    images = np.zeros((64, 1, 2, 1), np.float32)
    images[:, 0, 0] = 1
    seen = []
    for epochs in (1, 2, 3):
        net = gn.Network([gn.Flatten(), gn.Dense(1, use_bias=False)], input_shape=(1, 2, 1), seed=1, dtype=dtype)
        net.parameters = [0.0, 0.0]
        targets = np.ones((64, 1))
        changes = gn.Augmentation(flip="alternate")
        net.fit((images, targets), epochs, batch_size=64, optimizer=gn.SGD(0.5), augmentation=changes, seed=3, progress=False)
        seen.append(net.parameters)
    share = seen[0] / 0.5  # of images that were not mirrored in epoch 1, and of those that were
    assert share.sum() == pytest.approx(1.0)
    assert 0.2 < share[0] < 0.8
    second = (seen[1] - seen[0]) / 0.5  # each gradient is (w − 1) of the pixel it has
    np.testing.assert_allclose(second, (1 - seen[0]) * share[::-1], rtol=1e-5)
    third = (seen[2] - seen[1]) / 0.5
    np.testing.assert_allclose(third, (1 - seen[1]) * share, rtol=1e-5)


def test_called_alone_it_mirrors_half_of_the_images() -> None:
    images = np.random.default_rng(1).integers(0, 256, (300, 4, 5, 1), dtype=np.uint8)
    found = gn.Augmentation(flip="alternate")(images, 7)
    mirrored = (found == images[:, :, ::-1]).all(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[~mirrored], images[~mirrored])
    assert 100 < mirrored.sum() < 200
    places = np.array([250, 3])
    np.testing.assert_array_equal(gn.Augmentation(flip="alternate")(images[places], 7, places=places), found[places])
