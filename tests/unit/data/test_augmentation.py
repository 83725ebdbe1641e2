"""Augmentation by hand: each change at its extreme, what chance draws, and the options that are refused."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data import augment as definition
from glassnet.data.augmentation import Augmentation, as_augmentation, image_shape
from glassnet.errors import InputError, ShapeError
from glassnet.present.figures import augmentation_figure
from glassnet.support.random_keys import split_mix

Array = np.ndarray[Any, Any]


@pytest.fixture
def most(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The reference with every even draw at its most, and the changes of one image under it."""
    monkeypatch.setattr(definition, "_symmetric", lambda own, number: np.ones((len(own), 1, 1)))

    def change(image: Array, **options: Any) -> Array:
        images = image.reshape(1, *image.shape, 1)
        return definition.augment(images, Augmentation(**options).record, np.uint64(9), np.float64)[0, ..., 0]

    return change


def ramp(height: int, width: int) -> Array:
    return np.arange(1.0, height * width + 1).reshape(height, width)


# What each change does


def test_shift_by_whole_pixels(most: Any) -> None:
    image = ramp(4, 5)
    found = most(image, shift=2)
    np.testing.assert_array_equal(found[2:, 2:], image[:-2, :-2])
    assert not found[:2].any()
    assert not found[:, :2].any()
    found = most(image, shift=2, fill="edge")
    np.testing.assert_array_equal(found, np.pad(image, ((2, 0), (2, 0)), mode="edge")[:4, :5])


def test_shift_by_half_a_pixel_is_the_mean_of_neighbours(most: Any) -> None:
    image = ramp(3, 3)
    wide = np.pad(image, ((1, 0), (1, 0)))
    np.testing.assert_allclose(most(image, shift=0.5), (wide[1:, 1:] + wide[1:, :-1] + wide[:-1, 1:] + wide[:-1, :-1]) / 4)


@pytest.mark.parametrize("size", [5, 6, 1])
def test_rotation_is_counter_clockwise_about_the_centre(most: Any, size: int) -> None:
    image = ramp(size, size)
    np.testing.assert_allclose(most(image, rotation=90), np.rot90(image), atol=1e-5 * image.max())
    np.testing.assert_allclose(most(image, rotation=180), np.rot90(image, 2), atol=1e-5 * image.max())


def test_rotation_of_a_wide_image_cuts_what_goes_beyond(most: Any) -> None:
    image = ramp(3, 7)
    found = most(image, rotation=90)
    np.testing.assert_allclose(found[:, 2:5], np.rot90(image[:, 2:5]), atol=1e-4)
    np.testing.assert_allclose(found[:, [0, 1, 5, 6]], 0, atol=1e-4)


def test_scale_enlarges_about_the_centre(most: Any) -> None:
    image = np.zeros((9, 9))
    image[4, 4], image[4, 6] = 1.0, 2.0
    found = most(image, scale=0.5)
    assert found[4, 4] == 1.0
    np.testing.assert_allclose(found[4, 7], 2.0, atol=1e-6)  # 2 pixels from the centre become 3


def test_stretch_widens_and_lowers(most: Any) -> None:
    image = np.zeros((17, 17))
    image[8, 12], image[2, 8] = 1.0, 2.0
    found = most(image, stretch=0.5)
    np.testing.assert_allclose(found[8, 14], 1.0, atol=1e-6)  # 4 to the right become 6
    np.testing.assert_allclose(found[4, 8], 2.0, atol=1e-6)  # 6 above become 4


def test_shear_leans_to_the_right(most: Any) -> None:
    image = np.zeros((5, 9))
    image[:, 4] = 1.0
    np.testing.assert_allclose(most(image, shear=45), np.eye(9)[2:7, ::-1], atol=1e-6)


@pytest.mark.parametrize("kernels", ["0", "1"])
def test_flips(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    image = np.arange(40, dtype=np.uint8).reshape(1, 5, 4, 2)
    np.testing.assert_array_equal(Augmentation(flip=1.0)(image), image[:, :, ::-1])
    images = np.repeat(image, 400, axis=0)
    forms = {"horizontal": [(1, 1), (1, -1)], "vertical": [(1, 1), (-1, 1)], "both": [(1, 1), (1, -1), (-1, 1), (-1, -1)]}
    for flip, wanted in forms.items():
        found = Augmentation(flip=flip)(images)
        counts = [(found == image[:, ::down, ::right]).all(axis=(1, 2, 3)).sum() for down, right in wanted]
        assert sum(counts) == 400
        assert min(counts) > 400 / len(wanted) - 50
    assert (Augmentation(flip=True).flips, Augmentation(flip=False).flips) == ((0.5, 0.0), (0.0, 0.0))


@pytest.mark.parametrize("fill", ["zero", "edge", "reflect"])
def test_crop_cuts_windows_out_of_the_image_with_a_margin(fill: str) -> None:
    image = np.random.default_rng(0).integers(1, 256, (6, 5, 3), dtype=np.uint8)
    wide = np.pad(image, ((2, 2), (2, 2), (0, 0)), mode="constant" if fill == "zero" else fill)
    windows = [wide[i : i + 6, j : j + 5].tobytes() for i in range(5) for j in range(5)]
    found = Augmentation(crop=2, fill=fill)(np.stack([image] * 2000))
    counts = [sum(one.tobytes() == window for one in found) for window in windows]
    assert sum(counts) == 2000
    assert min(counts) > 40  # 80 ± 9
    assert max(counts) < 120


def test_contrast_and_brightness(most: Any) -> None:
    image = np.array([[0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(most(image, contrast=0.5), [[-0.25, 1.25], [0.5, 0.5]])
    np.testing.assert_allclose(most(image, brightness=0.25), image + 0.25)
    in_bytes = np.array([[0, 200], [100, 100]], dtype=np.uint8)
    np.testing.assert_allclose(most(in_bytes, contrast=1, brightness=0.2), [[0, 255], [151, 151]], atol=1e-4)


def test_erasing() -> None:
    images = np.full((500, 20, 30, 3), 200, dtype=np.uint8)
    images[:, 0, 0] = 80
    found = Augmentation(erase=0.4, erase_size=(0.1, 0.3))(images)
    hidden = (found == 0).all(axis=3)
    assert 0.3 < hidden.any(axis=(1, 2)).mean() < 0.5
    sizes = []
    for mask in hidden[hidden.any(axis=(1, 2))]:
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        assert mask.sum() == len(rows) * len(columns)  # a rectangle
        assert (rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1) == (len(rows), len(columns))
        assert 0.25 < len(rows) / len(columns) < 4
        sizes.append(mask.sum() / 600)
    assert 0.08 < min(sizes) < 0.15
    assert 0.25 < max(sizes) < 0.34
    np.testing.assert_array_equal(found[~hidden], images[~hidden])
    grey = Augmentation(erase=1.0, fill="edge")(images[:1])
    assert set(np.unique(grey)) <= {80, 200}  # the mean, 199.8, rounded


# What chance draws


def blob(count: int) -> Array:
    i, j = np.mgrid[0:41, 0:41] - 20
    return np.repeat(np.exp(-(i**2 / 18 + j**2 / 60))[None].astype(np.float32), count, axis=0)


def moments(images: Array) -> tuple[Array, Array, Array]:
    """Centres (N, 2) right and down, angles (N,), sizes (N,) of the ink."""
    i, j = np.mgrid[0:41, 0:41] - 20.0
    total = images.sum(axis=(1, 2), dtype=float)
    x, y = ((images * axis).sum(axis=(1, 2)) / total for axis in (j, i))
    xx, yy, xy = (
        (images * part).sum(axis=(1, 2)) / total - other for part, other in ((j * j, x * x), (i * i, y * y), (i * j, x * y))
    )
    return np.stack([x, y], axis=1), -np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)), np.sqrt(xx + yy)


@pytest.mark.parametrize("kernels", ["0", "1"])
def test_shifts_rotations_and_sizes_are_even_and_independent(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    centres, angles, sizes = moments(Augmentation(shift=3, rotation=30, scale=0.2)(blob(1000), seed=4))
    size = sizes / moments(blob(1))[2]
    for values, limit in ((centres[:, 0], 3), (centres[:, 1], 3), (angles, 30), (size - 1, 0.2)):
        assert np.abs(values).max() < 1.06 * limit
        assert np.abs(values).max() > 0.9 * limit
        assert abs(values.mean()) < 0.08 * limit
        assert abs(values.std() / limit - 3**-0.5) < 0.05
    pairs = np.corrcoef(np.stack([centres[:, 0], centres[:, 1], angles, size]))
    assert np.abs(pairs - np.eye(4)).max() < 0.13


@pytest.mark.parametrize(("height", "width", "grid"), [(28, 28, 4), (20, 50, 6), (64, 64, 1)])
def test_elastic_field_is_normal_smooth_and_as_large_as_asked(height: int, width: int, grid: int) -> None:
    options = SimpleNamespace(elastic=2.5, elastic_grid=grid)
    own = split_mix(np.uint64(1), np.arange(4000, dtype=np.uint64))
    fields = np.stack(definition._elastic(options, own, height, width))
    assert fields.shape == (2, 4000, height, width)
    assert abs(fields.std() / 2.5 - 1) < 0.03
    assert abs(fields.mean()) < 0.06
    assert abs((fields**4).mean() / fields.var() ** 2 - 3) < 0.25
    assert abs(np.corrcoef(fields[0].ravel(), fields[1].ravel())[0, 1]) < 0.06
    spacing = max(height, width) / grid
    bends = np.abs(np.diff(fields, n=2, axis=3))  # the second derivative of a cubic spline is bounded by its points'
    assert bends.max() < 4 * 2.5 * 3.5 / 0.479 / spacing**2


def test_elastic_field_moves_the_middle_of_an_image_as_often_left_as_right() -> None:
    centres, _, _ = moments(Augmentation(elastic=1.5)(blob(1000), seed=1))
    assert np.abs(centres.mean(axis=0)).max() < 0.12
    assert (centres.std(axis=0) > 0.3).all()
    assert (centres.std(axis=0) < 1.5).all()


def test_the_same_seed_the_same_images(monkeypatch: pytest.MonkeyPatch) -> None:
    images, change = np.random.default_rng(0).integers(0, 256, (300, 8, 8, 1), dtype=np.uint8), Augmentation(rotation=90)
    found = change(images, seed=3)
    np.testing.assert_array_equal(change(images, seed=3), found)
    assert (change(images, seed=4) != found).any(axis=(1, 2, 3)).all()
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    assert np.abs(change(images, seed=3).astype(int) - found).max() <= 1


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_images_keep_their_type_and_shape(dtype: Any) -> None:
    images = np.random.default_rng(0).integers(0, 128, (3, 6, 7)).astype(dtype)
    found = Augmentation(shift=1, contrast=0.1)(images)
    assert (found.dtype, found.shape) == (dtype, images.shape)
    assert (found != images).any()


# What is refused


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *((name, -1) for name in ("shift", "rotation", "scale", "stretch", "shear", "elastic", "crop", "brightness")),
        *((name, value) for name in ("shift", "rotation") for value in (float("nan"), float("inf"), "2", None, True)),
        ("rotation", 181), ("scale", 1), ("stretch", 1.0), ("shear", 90), ("elastic", float("inf")), ("crop", 1.5),
        ("brightness", 1.01), ("contrast", 2), ("contrast", -0.5), ("erase", -0.1), ("erase", 1.1), ("elastic_grid", 0),
        ("elastic_grid", 65), ("elastic_grid", 2.5), ("flip", "sideways"), ("flip", 2), ("flip", -0.5), ("flip", None),
        ("flip", [1]), ("fill", "grey"), ("fill", 0), ("erase_size", 0.2), ("erase_size", (0.2, 0.1)),
        ("erase_size", (0, 0.1)), ("erase_size", (0.1, 1.5)), ("erase_size", ("a", "b")), ("erase_size", (0.1, 0.2, 0.3)),
    ],
)  # fmt: skip
def test_options_out_of_range(option: str, value: Any) -> None:
    with pytest.raises(InputError) as caught:
        Augmentation(**{option: value})
    error = caught.value
    assert error.what == f"Invalid {option} in Augmentation."
    assert (error.where, error.received) == (f"Augmentation({option})", repr(value))
    assert error.expected


def test_unknown_options_name_the_nearest() -> None:
    with pytest.raises(InputError, match=r"Unknown option of Augmentation") as caught:
        as_augmentation({"rotate": 5}, "fit(augmentation)")
    assert caught.value.hint == "did you mean 'rotation'?"
    assert caught.value.where == "fit(augmentation)"


@pytest.mark.parametrize("value", ["rotation", 3, [1]])
def test_what_is_no_augmentation(value: Any) -> None:
    with pytest.raises(InputError, match="This is not an augmentation"):
        as_augmentation(value, "here")


def test_forms_of_an_augmentation() -> None:
    wanted = Augmentation(shift=2, erase_size=(0.1, 0.2), flip="both")
    assert as_augmentation({"shift": 2, "erase_size": [0.1, 0.2], "flip": "both"}, "here") == wanted
    assert as_augmentation({"type": "Augmentation", "shift": 2}, "here") == Augmentation(shift=2)
    assert as_augmentation(None, "here") is None
    assert as_augmentation({}, "here") is None
    assert as_augmentation(Augmentation(fill="edge", elastic_grid=9, flip=0.0), "here") is None
    assert hash(wanted) == hash(as_augmentation(wanted, "here"))
    assert gn.Augmentation is Augmentation


@pytest.mark.parametrize(
    "images", [np.zeros((3, 16)), np.zeros((0, 4, 4)), np.zeros((2, 3, 4, 5, 6)), np.zeros((2, 3, 4), dtype=complex)]
)
def test_what_is_no_image(images: Array) -> None:
    with pytest.raises(ShapeError, match="Only images can be augmented") as caught:
        Augmentation(shift=1)(images)
    assert caught.value.received == f"{images.dtype} {images.shape}"


def test_shape_of_images() -> None:
    assert image_shape([(28, 28, 1), (784,)], "here") == (28, 28, 1)
    assert image_shape([(784,), (28, 14, 2)], "here") == (28, 14, 2)
    assert image_shape([(784,), (28, 28)], "here") == (28, 28, 1)
    with pytest.raises(ShapeError, match="Augmentation needs the height and width") as caught:
        image_shape([(784,), (784,)], "fit(augmentation)")
    assert caught.value.received == "rows of 784 numbers"


# The sheet of images before and after


@pytest.mark.parametrize(("shape", "dtype"), [((28, 28, 1), np.uint8), ((9, 12, 3), np.float32)])
def test_sheet_holds_images_before_and_after(shape: tuple[int, ...], dtype: Any) -> None:
    rng = np.random.default_rng(0)
    data = gn.Dataset(rng.integers(0, 256, (30, *shape)).astype(dtype), np.arange(30) % 3)
    figure = augmentation_figure(data, Augmentation(flip=1.0), count=4, views=5, title="Numerals")
    sheet = np.asarray(figure.axes[0].images[0].get_array())
    height, width, _ = shape
    assert sheet.shape == (4 * (height + 2) - 2, 6 * width + 8 + width // 3, 3)
    before = data.images[:4].astype(float)
    low, high = (before.min(), before.max()) if dtype == np.float32 else (0, 255)
    for row in range(4):
        line = sheet[row * (height + 2) : row * (height + 2) + height]
        np.testing.assert_array_equal(line[:, -width:], line[:, width - 1 :: -1])
        wanted = np.broadcast_to((before[row] - low) / (high - low) * 255, (height, width, 3))
        np.testing.assert_allclose(line[:, :width], wanted, atol=1)
    assert figure.get_suptitle() == "Numerals"


def test_sheet_needs_images() -> None:
    with pytest.raises(InputError, match="Only images can be drawn"):
        augmentation_figure(gn.Dataset(np.zeros((2, 9)), [0, 1]), Augmentation(shift=1))


@pytest.mark.parametrize("kernels", ["1", "0"])
def test_some_images_are_transformed_as_they_are_among_all(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLASSNET_KERNELS", kernels)
    changes = Augmentation(shift=2, elastic=1.0, erase=0.5, rotation=9)
    images = np.random.default_rng(0).integers(0, 256, (300, 9, 8), np.uint8)
    places = np.array([3, 270, 4, 0])
    some = changes(images[places], 5, places=places)
    np.testing.assert_array_equal(some, changes(images, 5)[places])
    assert (some != changes(images[places], 5)).any()
