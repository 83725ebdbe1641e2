"""The augmentation kernel against its definition, over all options, shapes and types; and what it may touch."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.data.augment import augment
from glassnet.data.augmentation import Augmentation
from glassnet.kernels.augmentation import spline
from glassnet.kernels.codegen.jit import OPTIONS
from glassnet.kernels.sizes import warp_layout
from glassnet.support.random_keys import FIELD_SCALE
from tests.rounding import TINY, check_within, gamma

Array = np.ndarray[Any, Any]
AUGMENTATIONS = st.builds(
    Augmentation,
    shift=st.sampled_from([0, 0.3, 2, 40]),
    rotation=st.sampled_from([0, 10, 180]),
    scale=st.sampled_from([0, 0.2, 0.9]),
    stretch=st.sampled_from([0, 0.3]),
    shear=st.sampled_from([0, 20, 80]),
    elastic=st.sampled_from([0, 0.5, 3, 100]),
    elastic_grid=st.sampled_from([1, 4, 7, 64]),
    flip=st.sampled_from([False, True, "vertical", "both", 0.9, "alternate"]),
    crop=st.sampled_from([0, 1, 5]),
    brightness=st.sampled_from([0, 0.3, 1]),
    contrast=st.sampled_from([0, 0.5, 1]),
    erase=st.sampled_from([0, 0.5, 1]),
    erase_size=st.sampled_from([(0.02, 0.2), (0.5, 1)]),
    fill=st.sampled_from(["zero", "edge", "reflect"]),
)
SHAPES = st.one_of(
    st.sampled_from([(1, 1, 1), (28, 28, 1), (16, 16, 3), (1, 33, 2), (33, 1, 5)]),
    st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5)),
)


def run(
    kernels: Any,
    guarded: Any,
    images: Array,
    order: Array,
    options: Any,
    key: int,
    rows: tuple[int, int],
    first: int,
    flips: int = 0,
) -> Array:
    """The kernel's rows of a mini-batch; the others stay what they were, and so does all that is no scratch."""
    shape = images.shape[1:]
    record, target = options.record, guarded(np.full((len(order) - first, *shape), np.nan, np.float32))
    scratch = guarded(np.full(warp_layout(*shape, options.elastic_grid)[-1], np.nan, np.float32))
    source = images.copy()
    kernels["glassnet_augment"](
        record.ctypes.data, source.ctypes.data, int(images.dtype == np.uint8), order.ctypes.data, first, *rows, *shape,
        key, flips, target.at, scratch.at,
    )  # fmt: skip
    target.check()
    scratch.check()
    np.testing.assert_array_equal(source, images)
    np.testing.assert_array_equal(record, options.record)
    assert np.isnan(target.values[: rows[0]]).all()
    assert np.isnan(target.values[rows[1] :]).all()
    return np.array(target.values[slice(*rows)])


def bound(options: Augmentation, shape: tuple[int, ...], is_bytes: bool) -> float:
    """How far a pixel may be off: by the place that it is taken from, the mixing of four pixels, and shading.

    A place is a·j + b·i + c + 1 + shift: a, b and c are rounded, then their products, then four sums. The elastic shift sums
    weighted points of up to `points` along both sides. Four weights, which add up to 1, are off by 12u together (cubics,
    term by term); they belong to a place between points, known to 2u of at most `cells`, and from there to the next
    point the shift may change by 2 · points.
    """
    height, width, _ = shape
    steepest = (1 + np.tan(np.radians(options.shear))) / ((1 - options.scale) * (1 - options.stretch))  # of a and b
    terms = steepest * (1.5 * (width + height) + 2 * (options.shift + options.crop)) + max(width, height) / 2 + 1
    terms += 4 * max(width, height) * (options.fill == "reflect")  # four more sums, of at most as much
    points, cells = 2 * 0xFFFF * FIELD_SCALE * options.elastic, options.elastic_grid
    shift = points * (gamma(2) + 2 * (gamma(12) + gamma(3) + 2 * gamma(2) * cells))
    place = gamma(6) * (terms + points) + shift
    top, between = (255, 255) if is_bytes else (1, 2)  # the largest value, and from one pixel to the next
    mixed = 2 * place * between + gamma(10) * top  # two differences, products and sums one way, then the other
    return (1 + options.contrast) * mixed + gamma(3) * top * (1 + 2 * options.contrast + options.brightness)


@settings(max_examples=150)
@given(
    options=AUGMENTATIONS, shape=SHAPES, is_bytes=st.booleans(), key=st.integers(0, 2**64 - 1), seed=st.integers(0, 2**32 - 1)
)
def test_kernel_is_the_reference(
    kernels: Any, guarded: Any, options: Augmentation, shape: tuple[int, ...], is_bytes: bool, key: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    if not is_bytes:
        images = rng.uniform(-1, 1, images.shape).astype(np.float32)
    order = rng.permutation(6)
    found = run(kernels, guarded, images, order, options, key, (1, 4), 1, flips=key)
    mirrored = options.mirrored(np.uint64(key), order[2:5])
    wanted = augment(images[order[2:5]], options.record, np.uint64(key), np.float64, 1, mirrored)
    assert found.shape == wanted.shape
    check_within(found, wanted, bound(options, shape, is_bytes))
    if is_bytes:
        assert found.min() >= 0
        assert found.max() <= 255


def test_spline_weights() -> None:
    """Cubic B-splines: s³/6, (3t³ − 6t² + 4)/6, the same of s = 1 − t, t³/6; each to the roundings of its own terms."""
    t = np.linspace(0, 1, 4097).astype(np.float32)
    found = np.empty((len(t), 4), np.float32)

    @numba.njit(**OPTIONS)
    def fill(t: Array, found: Array) -> None:
        for i in range(t.size):
            found[i, 0], found[i, 1], found[i, 2], found[i, 3] = spline(t[i])

    fill(t, found)
    t = t.astype(np.float64)
    for place, of, roundings in ((0, 1 - t, 7), (3, t, 4)):
        check_within(found[:, place], of**3 / 6, gamma(roundings) * of**3 / 6 + TINY)
    for place, of, roundings in ((1, t, 8), (2, 1 - t, 11)):
        wanted, terms = (3 * of**3 - 6 * of**2 + 4) / 6, (3 * of**2 * (2 - of) + 4) / 6
        check_within(found[:, place], wanted, gamma(roundings) * terms)


@pytest.mark.parametrize("is_bytes", [True, False])
@pytest.mark.parametrize("fill", ["zero", "edge", "reflect"])
@pytest.mark.parametrize("shape", [(28, 28, 1), (7, 20, 3), (4, 3, 2)])
def test_nothing_asked_for_gives_back_the_images(
    kernels: Any, guarded: Any, is_bytes: bool, fill: str, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    images = rng.integers(0, 256, (5, *shape), dtype=np.uint8)
    if not is_bytes:
        images = rng.standard_normal(images.shape).astype(np.float32)
    found = run(kernels, guarded, images, np.arange(5), Augmentation(fill=fill), 12345, (0, 5), 0)
    np.testing.assert_array_equal(found, images)
    np.testing.assert_array_equal(augment(images, Augmentation(fill=fill).record, np.uint64(12345)), images)


def test_an_image_does_not_depend_on_which_rows_are_done_together(kernels: Any, guarded: Any) -> None:
    rng = np.random.default_rng(2)
    images, options = rng.integers(0, 256, (9, 28, 28, 1), dtype=np.uint8), Augmentation(rotation=20, elastic=1, erase=0.5)
    order = rng.permutation(9)
    whole = run(kernels, guarded, images, order, options, 77, (0, 9), 0)
    parts = [run(kernels, guarded, images, order, options, 77, rows, 0) for rows in ((0, 1), (1, 5), (5, 9))]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
