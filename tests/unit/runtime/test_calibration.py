"""Calibration, and the rule by which close answers in int8 are computed again in float32."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, strategies as st

import glassnet as gn
from glassnet.compiler import FEW_IMAGES
from glassnet.errors import InputError, ModelFileError, PrecisionWarning
from glassnet.runtime import Predictor
from glassnet.runtime.int8 import find_ranges, margin_errors, margins
from glassnet.support.storage import read_tensors, write_tensors

Array = np.ndarray[Any, Any]
pytestmark = pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")  # where int8 is emulated


@pytest.fixture(scope="module")
def data() -> gn.Splits:
    return gn.load_dataset("digits")


def made(kind: str, data: gn.Splits) -> gn.Network:
    body: list[Any] = [gn.Flatten(), gn.Dense(96), "ReLU", gn.Dense(80), "Tanh"]
    if kind == "convolutions":
        inner = [gn.Conv2D(16, 3, padding="same"), "ReLU", gn.Conv2D(16, 1)]
        body = [gn.Conv2D(16, 3, padding="same"), gn.BatchNorm(), "ReLU", gn.Residual(inner), gn.MaxPool2D(2), gn.Flatten()]
    net = gn.Network([gn.Pixels(), *body, gn.Dense(10)], input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)
    net.fit(data.train, epochs=3, seed=1, progress=False, statistics=False)
    return net


@pytest.fixture(scope="module", params=["dense", "convolutions"])
def trained(request: pytest.FixtureRequest, data: gn.Splits) -> gn.Network:
    return made(request.param, data)


@pytest.fixture
def net(trained: gn.Network, data: gn.Splits) -> gn.Network:
    found = copy.deepcopy(trained)
    assert data.validation is not None
    found.calibrate(data.validation.images)
    return found


def answers(net: gn.Network, images: Array) -> Array:
    return net.predict_proba(images, precision="int8")


@given(st.integers(1, 5), st.integers(0, 1000))
def test_a_class_that_differs_has_a_margin_within_the_error(outputs: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    exact = rng.standard_normal((50, outputs)).astype(np.float32)
    found = exact + rng.normal(0, 0.5, exact.shape).astype(np.float32)
    classes = [x[:, 0] > 0 if outputs == 1 else x.argmax(axis=1) for x in (exact, found)]
    differ = classes[0] != classes[1]
    assert (margins(found, 0.0) <= margin_errors(found, exact))[differ].all()


def test_margins_by_hand() -> None:
    assert margins(np.array([[1.0, 4.0, 3.5], [2.0, 2.0, -1.0]], np.float32), 0.0).tolist() == [0.5, 0.0]
    assert margins(np.array([[0.75], [0.25]], np.float32), 0.5).tolist() == [0.25, 0.25]
    found, exact = np.array([[3.0, 1.0, 0.0]], np.float32), np.array([[2.0, 1.0, 0.5]], np.float32)
    assert margin_errors(found, exact).tolist() == [1.5]


def test_ranges_are_those_of_every_product(data: gn.Splits) -> None:
    """The inputs of a layer within another, too; of bytes, all that bytes can be."""
    net = made("convolutions", data)
    rows = net.rows(data.test.images)
    found = find_ranges(net, rows)
    assert list(found) == [1, 5, 7, 10]  # in the order of `walk`: each before those inside it
    assert found[1] == (0.0, pytest.approx(1.0))
    after: Array = np.maximum(net.forward(rows, stop=4)[0], 0)
    assert found[5] == (0.0, pytest.approx(float(after.max()), rel=1e-5))
    assert find_ranges(net, net.rows(data.test.images.astype(np.float32) / 255))[1][1] <= 1


def test_no_class_of_the_calibration_images_differs(net: gn.Network, data: gn.Splits) -> None:
    assert data.validation is not None
    images, found = data.validation.images, net.calibration
    assert found is not None
    assert found.holds
    assert (found.images, found.changed) == (len(images), 0)
    np.testing.assert_array_equal(net.predict(images, precision="int8"), net.predict(images))
    difference = np.abs(answers(net, images) - net.predict_proba(images)).max()
    assert difference == found.largest
    assert 1e-5 < difference < 0.1  # rounded, indeed
    assert f"{len(images)} of {len(images)} images have the class" in found.text.en


def test_close_answers_are_those_of_float32(net: gn.Network, data: gn.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a limit between the margins of the test images, those below it have the bits of float32, the rest have not."""
    found, images = net.calibration, data.test.images
    assert found is not None
    alone = Predictor(net, ranges=found.ranges).outputs(net.rows(images), "raw")[0]
    limit = float(np.median(margins(alone, 0.0)))
    predictor = net.predictor_at("int8", "test")
    monkeypatch.setattr(predictor, "_limit", limit)
    raw, exact = predictor.outputs(net.rows(images), "raw")[0], net.predictor.outputs(net.rows(images), "raw")[0]
    again = margins(alone, 0.0) <= limit
    np.testing.assert_array_equal(raw[again], exact[again])
    np.testing.assert_array_equal(raw[~again], alone[~again])
    assert (raw[~again] != exact[~again]).any(axis=1).all()


def test_evaluation(net: gn.Network, data: gn.Splits) -> None:
    found, exact = net.evaluate(data.test, precision="int8", top_k=3), net.evaluate(data.test, top_k=3)
    assert found.correct == (net.predict(data.test.images, precision="int8") == data.test.labels).sum()
    p = answers(net, data.test.images)[np.arange(len(data.test)), data.test.labels]
    assert found.loss == pytest.approx(-np.log(p).mean(), rel=1e-5)
    assert found.loss != exact.loss
    assert found.top_k_correct == exact.top_k_correct


def test_few_images_are_predicted_in_float32(net: gn.Network, data: gn.Splits) -> None:
    for count in (1, FEW_IMAGES - 1):
        images = data.test.images[:count]
        np.testing.assert_array_equal(answers(net, images), net.predict_proba(images))


def test_threads_give_the_same_bits(net: gn.Network, data: gn.Splits) -> None:
    found, rows = net.calibration, net.rows(data.test.images)
    assert found is not None
    one, three = (Predictor(net, threads, ranges=found.ranges).outputs(rows, "raw")[0] for threads in (1, 3))
    np.testing.assert_array_equal(one, three)


def test_copies_of_a_predictor_have_its_answers(net: gn.Network, data: gn.Splits) -> None:
    predictor, rows = net.predictor_at("int8", "test"), net.rows(data.test.images)
    np.testing.assert_array_equal(copy.deepcopy(predictor).outputs(rows, "raw")[0], predictor.outputs(rows, "raw")[0])


def test_bytes_and_the_same_floats_have_the_same_answers(net: gn.Network, data: gn.Splits) -> None:
    images = data.test.images
    np.testing.assert_allclose(answers(net, images.astype(np.float32) / 255), answers(net, images), atol=1e-6)


def test_a_weight_written_through_a_view_changes_the_prediction(net: gn.Network, data: gn.Splits) -> None:
    images = data.test.images[:40]
    for slot in net.slots:
        before = answers(net, images)
        slot.part(net.state)[0] += np.float32(0.5)
        after, anew = answers(net, images), answers(copy.deepcopy(net), images)
        np.testing.assert_array_equal(after, anew)
        if slot.key == "weight":
            assert (after != before).any()


def test_a_file_keeps_the_calibration(net: gn.Network, data: gn.Splits, tmp_path: Path) -> None:
    net.save(tmp_path / "a.safetensors")
    again = gn.Network.load(tmp_path / "a.safetensors")
    assert again.calibration == net.calibration
    np.testing.assert_array_equal(answers(again, data.test.images), answers(net, data.test.images))


@pytest.mark.parametrize("damage", [{"limit": "x"}, {"limit": float("nan")}, {"ranges": None}, {"more": 1}])
def test_a_damaged_calibration_is_refused(net: gn.Network, tmp_path: Path, damage: dict[str, Any]) -> None:
    path = tmp_path / "a.safetensors"
    net.save(path)
    tensors, header = read_tensors(path, "model")
    header["calibration"] |= damage
    write_tensors(path, tensors, {"kind": "model", **header})
    with pytest.raises(ModelFileError, match="does not describe a network"):
        gn.Network.load(path)


def test_training_and_new_weights_forget_it(net: gn.Network, data: gn.Splits) -> None:
    def change(by: str, other: gn.Network) -> None:
        if by == "fit":
            other.fit(data.train.head(50), epochs=1, progress=False, statistics=False)
        else:
            other.parameters = other.parameters

    for by in ("fit", "parameters"):
        other = copy.deepcopy(net)
        change(by, other)
        assert other.calibration is None
        with pytest.raises(InputError, match="The network is not calibrated for int8") as error:
            other.predict(data.test.images, precision="int8")
        assert "net.calibrate(splits.validation.images)" in str(error.value)


def test_what_can_not_be_calibrated(data: gn.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    net = made("dense", data)
    with pytest.raises(InputError, match="too few images") as error:
        net.calibrate(data.test.images[: FEW_IMAGES - 1])
    assert "16 images or more" in str(error.value)
    with pytest.raises(InputError, match="Networks are trained in float32 or bfloat16"):
        net.fit(data.train, epochs=1, precision="int8")
    with pytest.raises(InputError, match="There is no such precision") as error:
        net.predict(data.test.images, precision="half")
    assert "float32 | bfloat16 | int8" in str(error.value)
    with pytest.raises(InputError, match="Only the compiled kernels compute in int8"):
        net.astype("float64").calibrate(data.test.images)
    net.parameters = np.full_like(net.parameters, np.inf)
    with pytest.raises(InputError, match="are not finite numbers"):
        net.calibrate(data.test.images)
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    with pytest.raises(InputError, match="Only the compiled kernels compute in int8"):
        net.predict(data.test.images, precision="int8")


@pytest.mark.filterwarnings("default::glassnet.errors.PrecisionWarning")
def test_emulation_is_said(data: gn.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glassnet.runtime.precision.HAS_INT8", False)
    with pytest.warns(PrecisionWarning, match="no instructions for int8") as said:
        made("dense", data).calibrate(data.test.images)
    assert said[0].filename == __file__
