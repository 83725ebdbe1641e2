"""Dataset and Splits: what they take, what they hand out, and what they refuse."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as hnp

from glassnet.data import Dataset, Splits, expand_by_shifts, make_chain
from glassnet.errors import DataError, InputError


def small(n: int = 6, **more: Any) -> Dataset:
    images = np.arange(n * 12, dtype=np.uint8).reshape(n, 2, 3, 2)
    return Dataset(images, np.arange(n) % 3, **more)


def refused(what: str, *parts: str, **arguments: Any) -> None:
    """Building a Dataset must fail with all these parts in its message."""
    given: dict[str, Any] = {"images": np.zeros((3, 2, 2, 1), np.uint8), "labels": [0, 1, 1]} | arguments
    with pytest.raises(InputError, match=re.escape(what)) as caught:
        Dataset(**given)
    for part in parts:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.zeros((1, 2), np.uint8), np.uint8),
        (np.zeros((1, 2), np.float32), np.float32),
        (np.zeros((1, 2), np.float64), np.float32),
        (np.zeros((1, 2), np.float16), np.float32),
        (np.zeros((1, 2), ">f4"), np.float32),
        (np.zeros((1, 2), bool), np.uint8),
        (np.array([[0, 255]]), np.uint8),
        (np.array([[0, 256]]), np.float32),
        (np.array([[-1, 0]], np.int8), np.float32),
        ([[1, 2]], np.uint8),
        ([[0.5, 2]], np.float32),
    ],
)
def test_pixels_become_uint8_or_float32(given: Any, kept: type) -> None:
    images = Dataset(given, [0]).images
    assert images.dtype == kept
    assert images.dtype.isnative
    np.testing.assert_array_equal(images, np.asarray(given))


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64, np.float32]),
        hnp.array_shapes(min_dims=2, max_dims=4, max_side=5),
        elements={"min_value": 0, "max_value": 100},
    )
)
def test_pixels_keep_their_values(images: np.ndarray[Any, Any]) -> None:
    dataset = Dataset(images, np.zeros(len(images), int))
    assert len(dataset) == len(images)
    np.testing.assert_array_equal(dataset.flat, images.reshape(len(images), -1))
    assert dataset.images.ndim == (4 if images.ndim == 3 else images.ndim)


def test_grey_images_get_a_channel_axis() -> None:
    assert Dataset(np.zeros((2, 5, 4)), [0, 1]).shape == (5, 4, 1)


def test_nothing_is_copied_and_nothing_can_be_written() -> None:
    images = np.zeros((2, 4, 4, 1), np.float32)
    dataset = Dataset(images, np.array([0, 1]), groups=["a", "b"])
    assert np.shares_memory(dataset.images, images)
    assert np.shares_memory(dataset.flat, images)
    assert dataset.flat.shape == (2, 16)
    images[0] = 1  # the caller's own array stays writable
    assert dataset.groups is not None
    for array in (
        dataset.images,
        dataset.labels,
        dataset.groups,
        dataset.flat,
        dataset[:1].images,
        dataset[[0]].labels,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = array[0]


def test_arrays_are_contiguous() -> None:
    dataset = Dataset(np.zeros((4, 3, 2, 6), np.uint8).transpose(0, 3, 1, 2), np.arange(8)[::2], groups=np.arange(8)[::2])
    for chosen in (dataset, dataset[::2], dataset[::-1], dataset[[3, 1]]):
        assert chosen.groups is not None
        assert all(array.flags.c_contiguous for array in (chosen.images, chosen.labels, chosen.groups, chosen.flat))


def test_labels_and_classes() -> None:
    assert Dataset(np.zeros((2, 1)), np.array([0, 2], np.uint8)).classes == ("0", "1", "2")
    assert Dataset(np.zeros((2, 1)), [False, True], ["other", "cat"]).classes == ("other", "cat")
    dataset = small(classes=("a", "b", "c", "d"))
    assert dataset.labels.dtype == np.int64
    assert dataset.is_classification
    assert dataset.counts.tolist() == [2, 2, 2, 0]


def test_floating_targets() -> None:
    dataset = Dataset([[1.0], [2.0]], np.array([[0.5, 1], [2, 3]], np.float32))
    assert not dataset.is_classification
    assert dataset.classes is None
    assert dataset.labels.dtype == np.float64
    _, target = dataset[1]
    assert np.array_equal(target, [2, 3])
    with pytest.raises(InputError, match=r"(?s)Only class labels can be counted.*targets of shape \(2, 2\)"):
        _ = dataset.counts
    refused("Floating targets have no classes.", "2 classes", labels=np.zeros((3, 1)), classes=("a", "b"))


def test_selecting() -> None:
    dataset = small(groups=np.arange(6))
    image, label = dataset[-1]
    assert label == 2
    assert type(label) is int
    assert np.array_equal(image, dataset.images[5])
    assert np.shares_memory(dataset[1:3].images, dataset.images)
    for key in (slice(1, None, 2), [1, 3, -1], np.array([1, 3, 5]), np.arange(6) % 2 == 1, [False, True] * 3):
        chosen = dataset[key]
        assert isinstance(chosen, Dataset)
        assert chosen.groups is not None
        assert chosen.groups.tolist() == [1, 3, 5]
        assert chosen.labels.tolist() == [1, 0, 2]
        assert chosen.classes == dataset.classes
    assert dataset[np.int8(2)][1] == 2
    assert [label for _, label in dataset] == [0, 1, 2, 0, 1, 2]
    assert len(dataset.head(2)) == 2
    assert len(dataset.head(100)) == 6


@pytest.mark.parametrize(
    ("key", "message"),
    [
        (6, r"There is no such image\.\n.*Dataset\[…\]\n  expected: -6 to 5\n  received: 6"),
        (-7, r"no such image.*\n.*\n.*\n  received: -7"),
        ([0, 9], r"no such image.*\n.*\n.*\n  received: 9"),
        ([], r"The selection holds no images\.\n.*\n  expected: at least one of 6 images\n  received: \[\]"),
        (slice(4, 2), "holds no images"),
        (np.zeros(6, bool), "holds no images"),
        ([True], r"does not select images\.\n.*\n.*booleans of shape \(6,\)\n  received: shape \(1,\), dtype bool"),
        ([0.5], r"does not select images.*\n.*\n.*\n  received: shape \(1,\), dtype float64"),
        ("a", "does not select images"),
        (True, r"does not select images.*\n.*\n.*\n  received: shape \(\), dtype bool"),
        (np.zeros((1, 2), int), r"does not select images.*\n.*\n.*\n  received: shape \(1, 2\), dtype int64"),
    ],
)
def test_selecting_what_is_not_there(key: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        small()[key]


def test_head_of_nothing() -> None:
    with pytest.raises(InputError, match="The selection holds no images"):
        small().head(0)


def test_images_that_are_refused() -> None:
    refused("The images are not numbers.", "Dataset(images)", "dtype <U1", images=["a", "b", "c"])
    refused("The images are not numbers.", "dtype complex128", images=np.zeros((3, 2), complex))
    refused("The images are not numbers.", "dtype object", images=np.array([[None], [1], [2]]))
    refused("This can't be made into one array.", "same shape", "one size", images=[[1, 2], [3], [4]])
    refused("There are no images.", "Dataset(images)", "shape (0, 2, 2)", images=np.zeros((0, 2, 2)), labels=[])
    refused("There are no images.", "shape (3, 0)", images=np.zeros((3, 0)))
    refused("These are single numbers, not images.", "shape (3,)", "reshape(-1, 1)", images=[1, 2, 3])
    refused("These are single numbers, not images.", images=1)


def test_pixels_that_are_not_finite() -> None:
    images = np.zeros((3, 2, 2))
    images[1, 0] = np.nan, np.inf
    images[2, 1, 1] = 1e300  # finite, but not as float32
    refused(
        "The images hold numbers that are NaN or infinite as float32.",
        "Dataset(images), image 1",
        "2 such numbers in that image; images with any: 2 of 3",
        "np.nan_to_num",
        images=images,
    )
    refused("The targets hold numbers that are NaN", "Dataset(labels), target 2", "1 of 3", labels=[[0.0], [1.0], [np.nan]])


def test_labels_that_are_refused() -> None:
    refused("not as many labels as images.", "3 labels, one for each image", "received: 2 labels", labels=[0, 1])
    parts = (
        "Dataset(labels), item 1",
        "0 to 1, the indices of 2 classes",
        "5; labels out of range: 2 of 3",
        "return_inv",
    )
    refused("A label is out of range.", *parts, labels=[0, 5, -1], classes=("a", "b"))
    refused("A label is out of range.", "item 2", "0 to 65535", labels=[0, 0, 10**9])
    refused("A label is out of range.", "item 0", labels=np.array([2**64 - 1, 0, 0], np.uint64))
    words = "The labels are not integers, one for each image."
    refused(words, "Dataset(labels)", "dtype float64", "labels.astype(int)", "reshape(-1, 1)", labels=[0.0, 1.0, 1.0])
    refused(words, "dtype <U3", "np.unique(names, return_inverse=True)", labels=["cat", "dog", "cat"])
    refused(words, "shape (3, 2)", "labels.argmax(axis=1)", labels=[[0, 1], [1, 0], [1, 0]])
    refused(words, "shape (3, 1)", "labels.ravel()", labels=[[0], [1], [1]])
    refused(words, "shape ()", labels=1)


def test_classes_and_groups_that_are_refused() -> None:
    refused("The class names are not all different.", "Dataset(classes)", "'a', 2 times", classes=("a", "b", "a"))
    refused("There are no class names.", "received: none", classes=())
    refused("The classes are one text", "'ab'", "classes=('ab',)", classes="ab")
    refused("not as many groups as images.", "Dataset(groups)", "3 groups", "received: 1 groups", groups=[1])
    refused("The groups are neither integers nor texts", "dtype float64", groups=[0.5, 1, 2])


def test_groups_may_be_texts() -> None:
    groups = Dataset(np.zeros((2, 1)), [0, 1], groups=np.array(["Ann", "Bo"], dtype=object)).groups
    assert groups is not None
    assert groups.dtype.kind == "U"


def test_repr_is_one_helpful_line() -> None:
    assert repr(small()) == "Dataset(6 images of 2×3×2, uint8, 3 classes: 0 1 2)"
    assert repr(make_chain().train) == "Dataset(2 examples of 1 features, float32, targets of 1)"
    many = small(classes=[f"c{i}" for i in range(12)], groups=[1, 1, 1, 2, 2, 2])
    assert repr(many).endswith("12 classes: c0 c1 c2 c3 c4 c5 c6 c7 c8 … c11, 2 groups)")


def test_splits() -> None:
    splits = Splits(small(), test=small(3))
    assert splits.validation is None
    assert splits.classes == ("0", "1", "2")
    with pytest.raises(DataError, match=r"differ in their classes\.\n.*Splits\(test\)\n.*\n.*\n  try: .*same classes="):
        Splits(small(), None, small(2))
    with pytest.raises(DataError, match=r"differ in their shape\.\n.*Splits\(validation\)\n  expected: \(2, 3, 2\)"):
        Splits(small(), Dataset(np.zeros((3, 4, 4)), [0, 1, 2]))


def test_can_be_sent_to_another_process() -> None:
    copy = pickle.loads(pickle.dumps(small(groups=range(6))))
    assert repr(copy) == repr(small(groups=range(6)))


def test_chain() -> None:
    splits = make_chain()
    assert splits.validation is None
    for part in (splits.train, splits.test):
        assert part is not None
        assert part.images.dtype == np.float32
        assert part.images.tolist() == [[1.0], [-1.0]]
        assert part.labels.tolist() == [[-1.0], [1.0]]


def test_importing_is_light() -> None:
    code = (
        "import sys, glassnet.data\n"
        "heavy = {'sklearn', 'scipy', 'numba', 'PIL', 'pooch', 'requests', 'pandas'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "glassnet.data.read_digits()\n"
        "assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_names_of_files_go_with_their_images() -> None:
    data = Dataset(np.zeros((3, 4, 4), np.uint8), [0, 1, 0], names=["a.png", "b.png", "c.png"])
    assert data.names is not None
    assert data.names.tolist() == ["a.png", "b.png", "c.png"]
    subset = data[[2, 0]]
    assert subset.names is not None
    assert subset.names.tolist() == ["c.png", "a.png"]
    assert expand_by_shifts(data).names.tolist() == data.names.tolist() * 5  # type: ignore[union-attr]
    with pytest.raises(InputError, match="not as many names as images"):
        Dataset(np.zeros((3, 4, 4), np.uint8), [0, 1, 0], names=["a.png"])
    with pytest.raises(InputError, match="names are not texts"):
        Dataset(np.zeros((3, 4, 4), np.uint8), [0, 1, 0], names=[1, 2, 3])  # type: ignore[list-item]
