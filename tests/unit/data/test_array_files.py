"""Arrays in `.npz`, `.mat` and `.h5`: names, axes, labels; what is damaged; and size and colour for arrays."""

from __future__ import annotations

import contextlib
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from glassnet.data import Splits, load_dataset
from glassnet.data.options import ImageOptions
from glassnet.data.readers.array_names import find_roles
from glassnet.data.resize import bring, bring_pixels
from glassnet.errors import DataError, DataWarning, InputError
from glassnet.network import Network
from glassnet.nn import Dense, Flatten, Pixels
from glassnet.support import memory

Array = np.ndarray[Any, Any]
WHOLE = {"fractions": (1, 0, 0)}
RNG = np.random.default_rng(0)
PICTURES = RNG.integers(0, 256, (12, 5, 4), np.uint8)
LABELS = np.arange(12) % 3


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path / "data.npz", **arrays)
    return path / "data.npz"


def mat(path: Path, **arrays: Any) -> Path:
    from scipy.io import savemat

    savemat(path / "data.mat", arrays, do_compression=True)
    return path / "data.mat"


def mat73(path: Path, **arrays: Any) -> Path:
    """As MATLAB's save -v7.3: HDF5 after 512 bytes of its own, axes from the other end."""
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "data.mat", "w", userblock_size=512) as file:
        for name, array in arrays.items():
            if isinstance(array, list):
                refs = file.create_group("#refs#")
                for number, text in enumerate(array):
                    codes = np.array([[ord(letter)] for letter in text], np.uint16)
                    refs.create_dataset(str(number), data=codes).attrs["MATLAB_class"] = np.bytes_("char")
                cell = file.create_dataset(name, (1, len(array)), h5py.ref_dtype)
                cell[0] = [refs[str(number)].ref for number in range(len(array))]
                cell.attrs["MATLAB_class"] = np.bytes_("cell")
            else:
                file[name] = np.asarray(array).T
    return path / "data.mat"


def h5(path: Path, file_name: str = "data.h5", /, **arrays: Any) -> Path:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / file_name, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return path / file_name


def same(splits: Splits, images: Array = PICTURES, labels: Array = LABELS) -> None:
    part = splits.train
    np.testing.assert_array_equal(part.images, images[..., np.newaxis] if images.ndim == 3 else images)
    np.testing.assert_array_equal(part.labels, labels)


# ------------------------------------------------------------------ which array is what


@pytest.mark.parametrize(
    ("images", "labels", "part"),
    [
        ("x_train", "y_train", "train"), ("X_test", "Y_test", "test"), ("train_set_x", "train_set_y", "train"),
        ("trainX", "trainY", "train"), ("XTrain", "YTrain", "train"), ("xtrain", "ytrain", "train"),
        ("images", "labels", "train"), ("X", "y", "train"), ("data", "target", "train"),
        ("test_images", "test_labels", "test"),
        ("dataset/train/images", "dataset/train/labels", "train"), ("x_val", "y_val", "validation"),
        ("traindata", "trainlabels", "train"), ("valid_set_x", "valid_set_y", "validation"),
        ("train_set_x_orig", "y", "train"),
    ],
)  # fmt: skip
def test_names(images: str, labels: str, part: str) -> None:
    roles = find_roles([images, labels, "__header__", "Theta1", "list_classes"], "file")
    assert roles[part, "images"] == images
    assert roles["" if labels == "y" and part != "train" else part, "labels"] == labels
    assert roles["", "classes"] == "list_classes"
    assert len(roles) == 3


def test_two_names_for_the_same() -> None:
    with pytest.raises(DataError, match=r"(?s)Two arrays have the same meaning.*the train images.*x and images"):
        find_roles(["x", "images"], "file")


# ------------------------------------------------------------------ npz and h5


@pytest.mark.parametrize("write", [npz, h5])
def test_keras_names(tmp_path: Path, write: Callable[..., Path]) -> None:
    path = write(tmp_path, x_train=PICTURES, y_train=LABELS, x_test=PICTURES[:3], y_test=LABELS[:3])
    splits = load_dataset(path, **WHOLE)
    same(splits)
    assert splits.classes == ("0", "1", "2")
    assert splits.validation is None
    assert splits.test is not None
    assert len(splits.test) == 3
    splits = load_dataset(path)  # validation is taken from the training part
    assert splits.validation is not None
    assert len(splits.train) + len(splits.validation) == 12
    explicit = write(tmp_path, x_train=PICTURES, y_train=LABELS, x_val=PICTURES[:2], y_val=LABELS[:2])
    splits = load_dataset(explicit)
    same(splits)
    assert splits.validation is not None
    assert splits.test is None


@pytest.mark.parametrize("write", [npz, h5])
def test_classes_and_groups(tmp_path: Path, write: Callable[..., Path]) -> None:
    names = ["cat", "dog", "ape"] if write is npz else [b"cat", b"dog", b"ape"]
    path = write(tmp_path, images=PICTURES, labels=LABELS[:, np.newaxis], classes=names, groups=np.repeat([7, 8, 9, 4], 3))
    splits = load_dataset(path, fractions=(0.5, 0.25, 0.25))
    assert splits.classes == ("cat", "dog", "ape")
    assert splits.test is not None
    assert splits.test.groups is not None
    assert len(set(splits.test.groups)) == 1  # by group, as there are groups


def test_ng_cats(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (6, 4, 4, 3), np.uint8)
    labels = np.array([[0, 1, 0, 1, 1, 0]])
    splits = load_dataset(h5(tmp_path, train_set_x=colour, train_set_y=labels, list_classes=[b"non-cat", b"cat"]), **WHOLE)
    same(splits, colour, labels[0])
    assert splits.classes == ("non-cat", "cat")


COLOUR = RNG.integers(0, 256, (10, 4, 4, 3), np.uint8)
CATS = np.arange(10) % 2
NAMES = [b"non-cat", b"cat"]


@pytest.mark.parametrize(
    ("train", "test", "names"),
    [
        (("train_set_x", "train_set_y"), ("test_set_x", "test_set_y"), ("train_catvnoncat.h5", "test_catvnoncat.h5")),
        (("X", "Y"), ("X", "Y"), ("Training.hdf5", "my-test.h5")),  # the files' names say it
        (("x_train", "y_train"), ("x_test", "y_test"), ("b.h5", "a.h5")),
    ],
)
@pytest.mark.parametrize("classes", [{}, {"list_classes": NAMES}])
def test_one_hdf5_file_for_each_part(
    tmp_path: Path, train: tuple[str, str], test: tuple[str, str], names: tuple[str, str], classes: dict[str, Any]
) -> None:
    for (x, y), name, part in ((train, names[0], slice(0, 6)), (test, names[1], slice(6, 10))):
        h5(tmp_path, name, **{x: COLOUR[part], y: CATS[np.newaxis, part]}, **classes)
    (tmp_path / "._hidden.h5").write_bytes(b"what a system left here")
    splits = load_dataset(tmp_path, fractions=(1, 0, 0))
    same(splits, COLOUR[:6], CATS[:6])
    assert splits.validation is None
    assert splits.test is not None
    np.testing.assert_array_equal(splits.test.images, COLOUR[6:])
    np.testing.assert_array_equal(splits.test.labels, CATS[6:])
    assert splits.classes == (("non-cat", "cat") if classes else ("0", "1"))
    sized = load_dataset(tmp_path, size=2, color="grey", seed=1)  # part of the training images for validation
    assert sized.train.shape == (2, 2, 1)
    assert sized.test is not None
    assert (len(sized.test), sized.validation is not None) == (4, True)


@pytest.mark.parametrize(
    ("first", "second", "what", "expected"),
    [
        ({"x": COLOUR, "y": CATS}, {"x": COLOUR, "y": CATS}, "Two files hold the same part.", "the train images in one file"),
        ({"x": COLOUR}, {"x_train": COLOUR}, "Two files hold the same part.", "the train images in one file"),
        ({"y": CATS}, {"y": CATS}, "Two files hold the same part.", "the train labels in one file"),
        (
            {"x": COLOUR, "y": CATS, "list_classes": NAMES},
            {"x_test": COLOUR, "y_test": CATS, "list_classes": NAMES[::-1]},
            "Two files differ in their class names.",
            "the same classes in both",
        ),
    ],
)
def test_hdf5_files_that_do_not_go_together(
    tmp_path: Path, first: dict[str, Any], second: dict[str, Any], what: str, expected: str
) -> None:
    h5(tmp_path, "one.h5", **first)
    h5(tmp_path, "two.h5", **second)
    with pytest.raises(DataError) as caught:
        load_dataset(tmp_path)
    assert (caught.value.what, caught.value.expected, caught.value.where) == (what, expected, tmp_path)
    assert caught.value.received == "one.h5 and two.h5"
    assert "train and test in their names" in str(caught.value.hint)


def test_a_folder_with_only_the_test_part(tmp_path: Path) -> None:
    h5(tmp_path, "test_catvnoncat.h5", test_set_x=COLOUR, test_set_y=CATS)
    with pytest.raises(DataError, match="The file has no images for training"):
        load_dataset(tmp_path)


@pytest.mark.parametrize(
    ("labels", "classes", "found"),
    [
        (np.array([5, 7, 5, 9]), None, (("5", "7", "9"), [0, 1, 0, 2])),
        (np.array([1.0, 2.0, 1.0, 2.0]), None, (("1", "2"), [0, 1, 0, 1])),
        (np.array(["b", "a", "b", "c"]), None, (("a", "b", "c"), [1, 0, 1, 2])),
        (np.array([b"b", b"a", b"b", b"c"]), None, (("a", "b", "c"), [1, 0, 1, 2])),
        (np.eye(3)[[2, 0, 1, 2]], None, (("0", "1", "2"), [2, 0, 1, 2])),
        (np.array([1, 2, 3, 1]), ["x", "y", "z"], (("x", "y", "z"), [0, 1, 2, 0])),
        (np.array([0, 2, 0, 2]), ["x", "y", "z"], (("x", "y", "z"), [0, 2, 0, 2])),
        (np.array([True, False, False, True]), None, (("False", "True"), [1, 0, 0, 1])),
    ],
)
def test_labels(tmp_path: Path, labels: Array, classes: list[str] | None, found: tuple[tuple[str, ...], list[int]]) -> None:
    more = {} if classes is None else {"class_names": classes}
    splits = load_dataset(npz(tmp_path, x=PICTURES[:4], y=labels, **more), split="random", **WHOLE)
    assert (splits.classes, splits.train.labels.tolist()) == found


def test_savez_without_names(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", PICTURES, LABELS)
    same(load_dataset(tmp_path / "data.npz", **WHOLE))


def test_channels_first_and_images_last(tmp_path: Path) -> None:
    colour = RNG.integers(0, 256, (12, 5, 4, 3), np.uint8)
    for written in (colour, np.moveaxis(colour, 3, 1), np.moveaxis(colour, 0, 3)):
        same(load_dataset(npz(tmp_path, x=written, y=LABELS), **WHOLE), colour)


def test_rows_are_images_where_a_size_says_so(tmp_path: Path) -> None:
    path = npz(tmp_path, x=PICTURES.reshape(12, 20), y=LABELS)
    assert load_dataset(path, **WHOLE).train.shape == (20,)
    same(load_dataset(path, size=(5, 4), **WHOLE))
    with pytest.raises(DataError, match=r"(?s)Only images can be resized.*examples of shape \(20,\)"):
        load_dataset(path, size=(6, 6), **WHOLE)


@pytest.mark.parametrize(
    ("arrays", "what"),
    [
        ({"x": PICTURES}, "The file has no labels for training under a known name."),
        ({"pics": PICTURES, "y": LABELS}, "The file has no images for training under a known name."),
        ({"x": PICTURES, "y": LABELS[:5]}, "There are not as many labels as images."),
        ({"x": PICTURES, "y": LABELS + 0.5}, "The labels are neither whole numbers nor texts, one for each image."),
        ({"x": PICTURES, "y": np.ones((12, 3))}, "The labels are neither whole numbers nor texts, one for each image."),
        ({"x": PICTURES, "y": LABELS, "classes": ["a", "b"]}, "There is no name for every class."),
        ({"x": np.full((12, 4), np.nan), "y": LABELS}, "Some values are NaN or infinite as float32."),
        ({"x": PICTURES, "y": LABELS, "groups": [1, 2]}, "There are not as many groups as images."),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, arrays: dict[str, Any], what: str) -> None:
    path = npz(tmp_path, **arrays)
    with pytest.raises(DataError) as caught:
        load_dataset(path)
    assert caught.value.what == what
    assert str(path) in str(caught.value.where)


def test_python_objects_are_not_unpickled(tmp_path: Path) -> None:
    path = npz(tmp_path, x=PICTURES, y=np.array(["a", 1, None] * 4, dtype=object))
    with pytest.raises(DataError, match=r"(?s)holds Python objects.*unpickle.*data.npz, y.*dtype object"):
        load_dataset(path)
    same(load_dataset(npz(tmp_path, x=PICTURES, y=LABELS, notes=np.array([{}], dtype=object)), **WHOLE))  # not needed


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_python_objects_are_known_by_the_header(tmp_path: Path, version: tuple[int, int]) -> None:
    """In each version of NumPy's format."""
    for labels in (LABELS, np.array(["a", 1, None] * 4, dtype=object)):
        path = tmp_path / "data.npz"
        with zipfile.ZipFile(path, "w") as file:
            for name, array in (("x", PICTURES), ("y", labels)):
                with file.open(f"{name}.npy", "w") as member:
                    np.lib.format.write_array(member, array, version)
        if labels is LABELS:
            same(load_dataset(path, **WHOLE))
        else:
            with pytest.raises(DataError, match="holds Python objects"):
                load_dataset(path, **WHOLE)


# ------------------------------------------------------------------ MATLAB


@pytest.mark.parametrize("write", [mat, mat73])
def test_matlab_rows_are_images_column_by_column(tmp_path: Path, write: Callable[..., Path]) -> None:
    """As ex3data1 and ex4data1: X (5000, 400) of 20×20, y (5000, 1) of 1…10, where 10 stands for the digit 0."""
    images = RNG.random((20, 6, 6))
    labels = np.arange(20) % 10 + 1.0
    rows = np.stack([image.ravel(order="F") for image in images])
    splits = load_dataset(write(tmp_path, X=rows, y=labels[:, np.newaxis]), **WHOLE)
    same(splits, images.astype(np.float32), (labels - 1).astype(int))
    assert splits.classes == ("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")
    assert splits.train.images.dtype == np.float32


@pytest.mark.parametrize("write", [mat, mat73])
def test_matlab_images_come_last(tmp_path: Path, write: Callable[..., Path]) -> None:
    """As SVHN: X (32, 32, 3, N), y (N, 1)."""
    colour = RNG.integers(0, 256, (12, 6, 5, 3), np.uint8)
    same(load_dataset(write(tmp_path, X=np.moveaxis(colour, 0, 3), y=LABELS[:, np.newaxis] + 1), **WHOLE), colour)
    same(load_dataset(write(tmp_path, X=np.moveaxis(PICTURES, 0, 2), y=LABELS[:, np.newaxis] + 1), **WHOLE))
    same(load_dataset(write(tmp_path, X=colour, y=LABELS[np.newaxis] + 1), **WHOLE), colour)  # or first, as others write it
    rows = np.stack([image.ravel(order="F") for image in colour[:, :5]])  # 5 × 5 × 3
    same(load_dataset(write(tmp_path, X=rows, y=LABELS[:, np.newaxis]), **WHOLE), colour[:, :5])
    rows = np.stack([image.ravel(order="F") for image in PICTURES])
    same(load_dataset(write(tmp_path, X=rows, y=LABELS[:, np.newaxis]), size=(5, 4), **WHOLE))


@pytest.mark.parametrize("write", [mat, mat73])
def test_matlab_class_names(tmp_path: Path, write: Callable[..., Path]) -> None:
    names: Any = ["零", "one", "2"]
    given = np.array(names, dtype=object) if write is mat else names
    splits = load_dataset(write(tmp_path, X=PICTURES, y=LABELS[:, np.newaxis] + 1, class_names=given), **WHOLE)
    assert splits.classes == ("零", "one", "2")


def test_matlab_structs(tmp_path: Path) -> None:
    """As EMNIST: dataset.train.images, dataset.train.labels, dataset.train.writers, dataset.test.images, …"""
    rows = np.stack([image.ravel(order="F") for image in PICTURES[:, :4]])
    part = {"images": rows, "labels": LABELS[:, np.newaxis], "writers": np.arange(12)[:, np.newaxis]}
    splits = load_dataset(mat(tmp_path, dataset={"train": part, "test": part, "mapping": np.eye(2)}), **WHOLE)
    same(splits, PICTURES[:, :4])
    assert splits.train.groups is not None
    assert splits.test is not None


def test_ng_weights_are_no_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"(?s)no images for training.*Theta1: \(25, 401\), Theta2: \(10, 26\)"):
        load_dataset(mat(tmp_path, Theta1=np.zeros((25, 401)), Theta2=np.zeros((10, 26))))


# ------------------------------------------------------------------ damaged files


@pytest.mark.parametrize(("write", "kind"), [(npz, ".npz"), (mat, ".mat"), (mat73, "HDF5 file"), (h5, "HDF5 file")])
def test_cut_off_anywhere(tmp_path: Path, write: Callable[..., Path], kind: str) -> None:
    big = RNG.integers(0, 256, (200, 20, 20), np.uint8)
    path = write(tmp_path, x=big, y=np.arange(200) % 3)
    whole = path.read_bytes()
    for kept in (0, 100, 600, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:kept])
        with pytest.raises(DataError) as caught:
            load_dataset(path)
        assert caught.value.where == path
        if kept > 600:
            assert f"The {kind} can't be read: it is damaged, cut off or of another format." == caught.value.what
            assert caught.value.hint == "get the file again"
            assert "\n" not in str(caught.value.received)


@settings(max_examples=60)
@given(st.data())
def test_damaged_anywhere(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    path = npz(folder, x=PICTURES, y=LABELS)  # test_mangled_files.py has the others, whose readers cost a process each
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError, InputError):  # nothing else
        load_dataset(path, **WHOLE)


def test_arrays_that_unpack_beyond_memory_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((30, 500, 500), np.uint8), y=np.arange(30) % 2, more=np.zeros(10**7))
    monkeypatch.setattr(memory, "SMALL", 0)
    monkeypatch.setattr(memory, "available", lambda: 2**23 / memory.DATA_FRACTION)
    assert load_dataset(tmp_path / "a.npz", **WHOLE).train.shape == (500, 500, 1)  # what is not asked for does not count
    monkeypatch.setattr(memory, "available", lambda: 2**22 / memory.DATA_FRACTION)
    with pytest.raises(DataError, match=r"(?s)more memory than there is.*0\.0 GB for 2 arrays, unpacked"):
        load_dataset(tmp_path / "a.npz")


def test_without_h5py(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [h5(tmp_path, x=PICTURES, y=LABELS), mat73(tmp_path, x=PICTURES, y=LABELS)]
    monkeypatch.setitem(sys.modules, "h5py", None)
    for path in paths:
        with pytest.raises(DataError, match=r"(?s)Reading this file needs h5py.*pip install h5py"):
            load_dataset(path)


def test_known_by_their_content(tmp_path: Path) -> None:
    for write in (mat, h5):
        path = write(tmp_path, x=PICTURES, y=LABELS)
        path = path.rename(tmp_path / "without-ending")
        same(load_dataset(path, **WHOLE))


# ------------------------------------------------------------------ size and colour of arrays


def test_named_arrays_take_a_size_and_a_colour() -> None:
    splits = load_dataset("digits", size=(4, 2), color="rgb")
    plain = load_dataset("digits")
    assert splits.train.shape == (4, 2, 3)
    assert splits.train.images.dtype == np.uint8
    np.testing.assert_array_equal(splits.train.labels, plain.train.labels)
    means = plain.train.images.reshape(-1, 4, 2, 2, 4).mean(axis=(2, 4))
    assert np.abs(splits.train.images[..., 0] - means).max() < 1  # averages, rounded across and down
    assert load_dataset("digits", size=8).train.images is not None
    with pytest.raises(DataError, match="Only images can be resized or converted to a colour"):
        load_dataset("chain", size=8)


def test_grey_and_float_images() -> None:
    colour = np.zeros((1, 2, 2, 3), np.float32)
    colour[..., 1] = 1.0
    grey = bring_pixels(colour, (1, 1), "grey", "stretch")
    assert grey.dtype == np.float32
    assert grey.ravel().tolist() == pytest.approx([0.587])
    assert bring_pixels((colour * 255).astype(np.uint8), (2, 2), "grey", "stretch").ravel().tolist() == [150] * 4
    padded = bring_pixels(colour, (4, 2), "rgb", "pad")
    np.testing.assert_array_equal(padded[0, 1:3], colour[0])
    assert not padded[0, [0, 3]].any()


def test_bring_changes_nothing_that_is_right() -> None:
    splits = load_dataset("digits")
    assert bring(splits, ImageOptions((8, 8), "grey"), "here") is splits
    assert bring(splits, ImageOptions(), "here") is splits


@pytest.mark.parametrize("write", [npz, mat, mat73, h5])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_floats_up_to_255_become_bytes_with_a_word(
    tmp_path: Path, write: Callable[..., Path], kind: type[np.floating[Any]]
) -> None:
    near = (PICTURES + RNG.uniform(-0.4, 0.4, PICTURES.shape)).clip(0, 255).astype(kind)
    path = write(tmp_path, X=near, y=LABELS, X_test=np.full_like(near[:3], 1), y_test=LABELS[:3])  # the parts are of one kind
    with pytest.warns(DataWarning, match="floats from 0 to 25[0-9.]*: they are read as bytes"):
        splits = load_dataset(path, **WHOLE)
    assert splits.train.images.dtype == splits.test.images.dtype == np.uint8
    np.testing.assert_array_equal(splits.train.images[..., 0], PICTURES)


@pytest.mark.parametrize(
    "values",
    [PICTURES / 255, PICTURES / 255 * 1.3, PICTURES / 127.5 - 1, PICTURES * 2.0, PICTURES.reshape(12, 20) * 0.93],
    ids=["0…1", "0…1.3", "-1…1", "0…510", "rows of numbers"],
)
def test_other_floats_stay(tmp_path: Path, values: Array) -> None:
    images = load_dataset(npz(tmp_path, X=values, y=LABELS), **WHOLE).train.images
    np.testing.assert_array_equal(images.reshape(values.shape), values.astype(np.float32))


def test_flattened_rows_of_whole_numbers_are_pixels(tmp_path: Path) -> None:
    """As tables of MNIST have them: a network that begins with Pixels refused these."""
    with pytest.warns(DataWarning, match="read as bytes"):
        data = load_dataset(npz(tmp_path, X=PICTURES.reshape(12, 20).astype(float), y=LABELS), **WHOLE).train
    np.testing.assert_array_equal(data.images.reshape(PICTURES.shape), PICTURES)
    Network([Flatten(), Pixels(), Dense(3)], input_shape=data.shape, seed=0).predict(data.images)
