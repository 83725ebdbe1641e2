"""Products in bfloat16 against NumPy in float64 on the rounded operands, and whole trainings in it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

import glassnet as gn
from glassnet.errors import InputError, ModelFileError
from glassnet.kernels.matmul.tile import ADD, SET
from glassnet.kernels.sizes import COLUMNS, LANES, ROWS, WIDE_DEPTH, WIDE_STRIP
from tests.rounding import check_sum
from tests.unit.kernels.test_conv import WINDOWS, Window, exactly
from tests.unit.kernels.test_matmul import PRODUCTS, SWAPPED, Product, images

Array = np.ndarray[Any, Any]
PAIR_DEPTH = 2 * WIDE_DEPTH


def rounded(values: Array) -> Array:
    """float32 values rounded to bfloat16, ties to even: 8 bits of their 24."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    return (bits & 0xFFFF0000).astype(np.uint32).view(np.float32).astype(np.float64)


def packed(b: Array) -> Array:
    """B in panels of COLUMNS columns, whose rows are pairs of its rows: the bits of bfloat16, the first one below."""
    inner, width = b.shape
    whole = np.zeros((inner + inner % 2, -(-width // COLUMNS) * COLUMNS), np.float32)
    whole[:inner, :width] = rounded(b)
    halves = (whole.view(np.uint32) >> 16).reshape(len(whole) // 2, 2, -1, COLUMNS)
    return np.ascontiguousarray((halves[:, 0] | halves[:, 1] << 16).swapaxes(0, 1)).view(np.float32)


def test_rounding_by_hand() -> None:
    assert rounded(np.array([1 + 2.0**-8, 1 + 3 * 2.0**-8, 1 + 2.0**-8 + 2.0**-20, -255.0])).tolist() == [
        1, 1 + 2.0**-6, 1 + 2.0**-7, -255,
    ]  # fmt: skip


@settings(max_examples=80)
@given(PRODUCTS, st.booleans(), st.booleans())
@example(Product(10, 784, 30, True, 0.2, 0, 2, 1), True, False)
@example(Product(1, 1, 1, False, 1.0, 0, 3, 1), False, True)
@example(Product(4 * ROWS + 1, PAIR_DEPTH + 3, 2 * WIDE_STRIP + 1, False, 1.0, 0, 2, 1), True, False)
@example(Product(4 * ROWS + 1, 2 * PAIR_DEPTH + 3, WIDE_STRIP + 1, False, 1.0, 0, 3, 1), True, True)
def test_rows(kernels: Any, guarded: Any, scratch: Any, case: Product, with_bias: bool, transposed: bool) -> None:
    source, order, x, scale = images(case)
    rng, scale = case.rng, np.float64(np.float32(scale))
    x = scale * rounded(x / scale)
    shape = (case.width, case.inner) if transposed else (case.inner, case.width)
    b = guarded(rng.standard_normal(shape).astype(np.float32), fence=np.nan)
    bias = guarded((rng.standard_normal(case.width) * with_bias).astype(np.float32), fence=np.nan)
    panels = guarded(packed(b.values), fence=np.nan)
    results = []
    for threads, kept in [(1, 0), (case.threads, 0), *([] if transposed else [(case.threads, panels.at)])]:
        c = guarded(np.full((case.m, case.width), np.nan, dtype=np.float32))
        for thread in range(threads):
            room = scratch()
            kernels["glassnet_multiply_row_pairs"](
                source.ctypes.data, int(case.is_bytes), case.inner, scale, order.ctypes.data, case.first,
                case.m, case.inner, b.at, transposed, case.width, kept, bias.at, c.at, room.ctypes.data, thread, threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)
    factor = rounded(b.values.T if transposed else b.values)
    # one product and sum a term, in blocks that are added to C; the factor, the bias
    check_sum(results[0], x @ factor + bias.values, np.abs(x) @ np.abs(factor) + np.abs(bias.values), case.inner + 4)


@settings(max_examples=80)
@given(st.one_of(PRODUCTS, SWAPPED), st.sampled_from([SET, ADD]), st.sampled_from([1.0, -0.3, 2.5e-4]))
@example(Product(10, 784, 30, True, 0.2, 0, 2, 1), ADD, -0.3)
@example(Product(1, 1, 1, False, 1.0, 0, 3, 1), SET, 1.0)
@example(Product(1, 4 * ROWS * 3, 5, False, 0.0, 0, 3, 1), SET, 1.0)
@example(Product(PAIR_DEPTH + 3, ROWS * 12, 2 * WIDE_STRIP + 1, False, 1.0, 0, 3, 1), ADD, -0.3)
def test_columns(kernels: Any, guarded: Any, scratch: Any, case: Product, mode: int, alpha: float) -> None:
    source, order, x, scale = images(case)
    rng, alpha, scale = case.rng, 1.0 if mode == SET else alpha, np.float64(np.float32(scale))
    x = scale * rounded(x / scale)
    b = guarded(rng.standard_normal((case.m, case.width)).astype(np.float32), fence=np.nan)
    start = rng.standard_normal((case.inner, case.width)).astype(np.float32)
    zeros = guarded(np.zeros(case.width, dtype=np.float32), fence=np.nan)
    results = []
    for threads in (1, case.threads):
        c = guarded(start if mode == ADD else np.full_like(start, np.nan))
        for thread in range(threads):
            room = scratch()
            kernels["glassnet_multiply_column_pairs"](
                source.ctypes.data, int(case.is_bytes), case.inner, scale, order.ctypes.data, case.first,
                case.m, case.inner, b.at, case.width, zeros.at, c.at, mode, alpha, room.ctypes.data, thread, threads,
            )  # fmt: skip
        c.check()
        results.append(c.values.copy())
    np.testing.assert_array_equal(results[0], results[1])
    factor, kept = np.float64(np.float32(alpha)), start if mode == ADD else np.zeros_like(start)
    product, sizes = factor * (x.T @ rounded(b.values)), abs(factor) * (np.abs(x.T) @ np.abs(rounded(b.values)))
    # one product and sum a term, in blocks; alpha times the scale, that product, the sum with what was there
    check_sum(results[0], kept + product, sizes + np.abs(kept), case.m + 5)


OPTIONS: dict[str, Any] = {"epochs": 3, "batch_size": 32, "seed": 1, "progress": False, "statistics": False}


def in_pairs(weight: Array) -> Array:
    """Rows (…, 2n, columns) in pairs of bfloat16, (…, n, columns), as floats of the same bits."""
    bits = rounded(weight).astype(np.float32).view(np.uint32)
    return np.ascontiguousarray((bits[..., 0::2, :] >> 16) | bits[..., 1::2, :]).view(np.float32)


EVEN = WINDOWS.map(lambda case: replace(case, channels=2 * case.channels, gap=0))


@settings(max_examples=60)
@given(EVEN)
def test_convolution(kernels: Any, guarded: Any, case: Window) -> None:
    x, weight, bias, dy = case.arrays()
    held, b = guarded(x, fence=np.nan), guarded(bias, fence=np.nan)
    w, room = guarded(in_pairs(weight), fence=np.nan), guarded(np.full(x.size // 2 + LANES, np.nan, np.float32))
    y = guarded(np.full(dy.shape, -5.5, np.float32))
    kernels["glassnet_convolve_pairs"](
        held.at, len(x), x[0].size, case.strides[1] * case.channels, case.strides[0], case.height,
        case.width * case.channels, w.at, case.filters, b.at, y.at, dy[0].size, case.down, case.across, room.at,
    )  # fmt: skip
    y.check()
    room.check()
    x, weight = rounded(x), rounded(weight)
    wanted, sizes = exactly(x, weight, dy, case)[0] + bias, exactly(np.abs(x), np.abs(weight), dy, case)[0] + np.abs(bias)
    check_sum(y.values, wanted, sizes, weight[..., 0].size + 2)  # the taps, the bias


@settings(max_examples=60)
@given(WINDOWS, st.sampled_from([SET, ADD]), st.integers(1, 3))
@example(Window(9, 21, 2, 2, (2, 1), (0, 0), 3, 5, 0, 1), SET, 1)
@example(Window(9, 1, 2, 1, (1, 1), (0, 0), 1, 5, 0, 1), ADD, 2)
def test_gradient_of_a_convolution(kernels: Any, guarded: Any, case: Window, mode: int, apart: int) -> None:
    case = replace(case, gap=0)
    x, weight, _, dy = case.arrays()
    held, zeros = guarded(x, fence=np.nan), guarded(np.zeros(case.filters, np.float32), np.nan)
    framed = np.full((case.down, case.across, apart, case.filters), np.nan, np.float32)
    framed[:, :, 0] = dy
    given_dy = guarded(framed, fence=np.nan)
    dw = guarded(weight if mode == ADD else np.full_like(weight, np.nan))
    pairs = x.size + COLUMNS + case.down * ((case.across + 1) // 2) * case.filters + LANES
    room = guarded(np.full(pairs, np.nan, np.float32))
    kernels["glassnet_convolve_weight_pairs"](
        held.at, len(x), x[0].size, case.strides[1] * case.channels, case.strides[0], case.height,
        case.width * case.channels, given_dy.at, framed[0].size, apart * case.filters, case.filters, dw.at,
        case.down, case.across, mode, zeros.at, room.at,
    )  # fmt: skip
    dw.check()
    room.check()
    x, dy = rounded(x), rounded(dy)
    before = weight if mode == ADD else np.zeros_like(weight)
    wanted, sizes = exactly(x, weight, dy, case)[1], exactly(np.abs(x), weight, np.abs(dy), case)[1]
    check_sum(dw.values, before + wanted, np.abs(before) + sizes, case.down * case.across + 3)


CONVOLUTIONS = {
    "1×1": [gn.Conv2D(16, 1), "Tanh", gn.Conv2D(12, 1)],
    "5×5": [gn.Conv2D(16, 5, padding="same"), "Tanh", gn.Conv2D(12, 5, padding="same")],
    "scattered": [gn.Conv2D(16, 3, strides=2, padding="same"), "Tanh", gn.Conv2D(32, 3, strides=2, padding="same")],
    "uneven": [gn.Conv2D(10, (2, 3), strides=(1, 2)), "Tanh", gn.Conv2D(6, (3, 2), padding="same")],
}


@pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")
@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_networks_with_convolutions(name: str) -> None:
    rng = np.random.default_rng(1)
    images, labels = rng.integers(0, 256, (40, 9, 9, 8)).astype(np.uint8), rng.integers(0, 10, 40)

    def make() -> gn.Network:
        layers = [gn.Scale(1 / 255), *CONVOLUTIONS[name], "Tanh", gn.GlobalAveragePool2D(), gn.Dense(10)]
        return gn.Network(layers, input_shape=(9, 9, 8), loss="SoftmaxCrossEntropy", seed=1)

    rounding = gn.check_gradients(make(), images[:16], labels[:16], precision="bfloat16").rounding
    assert rounding["float32"] < 1e-6
    assert 2.0**-14 < rounding["bfloat16"] < 2.0**-7
    nets = [make(), make()]
    for threads, net in enumerate(nets, 1):
        net.fit((images, labels), **OPTIONS, optimizer=gn.SGD(0.1), threads=threads, precision="bfloat16")
    np.testing.assert_array_equal(nets[0].parameters, nets[1].parameters)
    assert np.abs(nets[0].predict_proba(images) - nets[0].predict_proba(images, precision="bfloat16")).max() < 0.01


def network(activation: str = "ReLU", seed: int = 1) -> gn.Network:
    layers = [gn.Flatten(), gn.Pixels(), gn.Dense(96), activation, gn.Dense(80), activation, gn.Dense(10)]
    return gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=seed)


def recurrent(*layers: gn.Layer) -> gn.Network:
    layers = (gn.Pixels(), *layers, gn.Dense(10))
    return gn.Network(list(layers), input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1)


MAKERS = {
    "dense": network,
    "lstm": lambda: recurrent(gn.LSTM(40)),
    "gru": lambda: recurrent(gn.GRU(50, return_sequences=True), gn.GRU(20)),
    "rnn": lambda: recurrent(gn.SimpleRNN(18)),
}


@pytest.fixture(scope="module")
def data() -> gn.Splits:
    return gn.load_dataset("digits")


@pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")
@pytest.mark.parametrize("optimizer", [gn.SGD(0.1), gn.Adam(0.001, clip_norm=1.0)], ids=["sgd", "adam"])
@pytest.mark.parametrize("network", MAKERS.values(), ids=MAKERS)
def test_training_has_the_same_bits_on_any_number_of_threads(data: gn.Splits, optimizer: Any, network: Any) -> None:
    nets = {}
    for name, threads, precision in (("one", 1, "bfloat16"), ("two", 2, "bfloat16"), ("float32", 1, "float32")):
        nets[name] = network()
        nets[name].fit(data.train, **OPTIONS, optimizer=optimizer, threads=threads, precision=precision)
    np.testing.assert_array_equal(nets["one"].parameters, nets["two"].parameters)
    difference = np.abs(nets["one"].parameters - nets["float32"].parameters)
    assert 1e-5 < difference.max() < 0.05  # rounded to 8 bits, but the same training
    assert abs(nets["one"].evaluate(data.test).accuracy - nets["float32"].evaluate(data.test).accuracy) < 0.02


def test_predictions_are_those_of_rounded_operands(data: gn.Splits) -> None:
    net, pixels = network(), data.test.images.reshape(len(data.test.images), -1)
    x: Array = rounded(pixels.astype(np.float32)) / 255  # the pixels of digits are bytes: exact
    for dense in (2, 4):
        W, b = (np.asarray(net.layers[dense].parameters[name], np.float64) for name in ("weight", "bias"))
        x = np.maximum((x if dense == 2 else rounded(x)) @ rounded(W) + b, 0)
    raw = x @ np.asarray(net.layers[6].parameters["weight"], np.float64)  # 80 · 10 weights: in float32
    wanted = np.exp(raw - raw.max(axis=1, keepdims=True))
    wanted /= wanted.sum(axis=1, keepdims=True)
    found = net.predict_proba(data.test.images, precision="bfloat16")
    exact = net.predict_proba(data.test.images)
    # An activation near the middle of two roundings may take the other: 2⁻⁸ of it, times a weight.
    assert np.abs(found - wanted).max() < 0.2 * np.abs(found - exact).max()
    np.testing.assert_array_equal(net.predict(data.test.images, precision="bfloat16"), found.argmax(axis=1))
    few = data.test.images[:15]  # float32 is quicker for so few
    np.testing.assert_array_equal(net.predict_proba(few, precision="bfloat16"), net.predict_proba(few))
    evaluation = net.evaluate(data.test, precision="bfloat16")
    assert evaluation.correct == (found.argmax(axis=1) == data.test.labels).sum()


def test_recurrent_predictions_are_those_of_rounded_operands(data: gn.Splits) -> None:
    net = recurrent(gn.SimpleRNN(64))
    weights = [np.asarray(value, np.float64) for layer in net.layers[1:] for value in layer.parameters.values()]
    W, U, b, output, bias = weights
    h: Array = np.zeros((len(data.test.images), 64))
    for t in range(8):  # bytes are exact, their scale is a factor of the sums
        x = rounded(data.test.images[:, t, :, 0].astype(np.float32)) / 255
        h = np.tanh(x @ rounded(W) + rounded(h) @ rounded(U) + b)
    raw = h @ output + bias
    wanted = np.exp(raw - raw.max(axis=1, keepdims=True))
    wanted /= wanted.sum(axis=1, keepdims=True)
    found = net.predict_proba(data.test.images, precision="bfloat16")
    exact = net.predict_proba(data.test.images)
    # Of a few images, a state near the middle of two roundings takes the other.
    assert np.median(np.abs(found - wanted)) < 0.01 * np.median(np.abs(found - exact))


@pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")
@pytest.mark.parametrize("layer", [gn.LSTM(33), gn.GRU(14)], ids=["odd", "narrow"])
def test_recurrent_layers_that_are_quicker_in_float32_stay_so(data: gn.Splits, layer: gn.Layer) -> None:
    one, other = recurrent(layer), recurrent(layer)
    one.fit(data.train, **OPTIONS, optimizer=gn.SGD(0.1), precision="bfloat16")
    other.fit(data.train, **OPTIONS, optimizer=gn.SGD(0.1))
    np.testing.assert_array_equal(one.parameters, other.parameters)


@pytest.mark.filterwarnings("ignore::glassnet.errors.PrecisionWarning")
def test_a_gradient_that_is_direct_beside_two_winograd_convolutions(data: gn.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in the program loads the kernels of pairs, which must not be called."""
    monkeypatch.setattr("glassnet.compiler.conv.winograd_outputs", lambda *given: 2)
    monkeypatch.setattr("glassnet.compiler.conv.gradient_outputs", lambda *given: 0)
    monkeypatch.setattr("glassnet.compiler.conv.prefers_scatter", lambda *given: False)
    layers = [gn.Pixels(), gn.Conv2D(8, 3), gn.Conv2D(8, 3), gn.GlobalAveragePool2D(), gn.Dense(10)]
    one, other = (gn.Network(layers, input_shape=(8, 8, 1), loss="SoftmaxCrossEntropy", seed=1) for _ in range(2))
    one.fit(data.train[:64], **OPTIONS, optimizer=gn.SGD(0.1), precision="bfloat16")
    other.fit(data.train[:64], **OPTIONS, optimizer=gn.SGD(0.1))
    np.testing.assert_array_equal(one.parameters, other.parameters)


def test_resumed_trainings_have_the_same_bits_and_precision(data: gn.Splits, tmp_path: Any) -> None:
    options = {**OPTIONS, "optimizer": gn.Adam(0.001), "checkpoint": tmp_path / "c.safetensors"}
    whole, halves = network(), network()
    whole.fit(data.train, **{**options, "checkpoint": None}, precision="bfloat16")
    halves.fit(data.train, **{**options, "epochs": 1}, precision="bfloat16")
    with pytest.raises(ModelFileError, match="precision"):
        network().fit(data.train, **options, resume=True)
    halves.fit(data.train, **options, resume=True, precision="bfloat16")
    np.testing.assert_array_equal(whole.parameters, halves.parameters)


def test_unknown_precisions_are_refused(data: gn.Splits) -> None:
    for ask, where in (
        (lambda: network().fit(data.train, epochs=1, precision="half"), "fit"),
        (lambda: network().predict(data.test.images, precision="half"), "predict"),
        (lambda: network().predict_proba(data.test.images, precision="half"), "predict_proba"),
        (lambda: network().evaluate(data.test, precision="half"), "evaluate"),
    ):
        with pytest.raises(InputError, match="There is no such precision") as error:
            ask()
        assert f"{where}(precision)" in str(error.value)
        assert "float32 | bfloat16" in str(error.value)
        assert "'half'" in str(error.value)


def test_what_runs_in_numpy_has_no_other_precision(data: gn.Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="Only the compiled kernels compute in bfloat16"):
        network().astype("float64").fit(data.train, epochs=1, precision="bfloat16")
    monkeypatch.setenv("GLASSNET_KERNELS", "0")
    with pytest.raises(InputError, match="Only the compiled kernels compute in bfloat16"):
        network().predict(data.test.images, precision="bfloat16")


@pytest.mark.parametrize("maker", ["lstm", "gru", "rnn"])
def test_the_gradients_of_recurrent_layers_are_as_near(data: gn.Splits, maker: str) -> None:
    check = gn.check_gradients(MAKERS[maker](), data.train[:20], precision="bfloat16")
    assert check.passed
    assert check.rounding["float32"] < 1e-6
    assert 2.0**-12 < check.rounding["bfloat16"] < 2.0**-7


def test_the_gradient_check_says_what_it_costs(data: gn.Splits) -> None:
    check = gn.check_gradients(network("Tanh"), data.train[:20], precision="bfloat16")
    assert check.passed
    assert check.rounding["float32"] < 1e-6
    assert 2.0**-12 < check.rounding["bfloat16"] < 2.0**-7  # each factor is off by 2⁻⁹ at most
    kinks = gn.check_gradients(network("ReLU"), data.train[:20], precision="bfloat16").rounding
    assert kinks["bfloat16"] < 0.05  # an input near 0 changes its sign, and the slope there is another
    assert f"float32 {check.rounding['float32']:.2g}, bfloat16 {check.rounding['bfloat16']:.2g}" in str(check)
    assert not gn.check_gradients(network(), data.train[:2]).rounding
    with pytest.raises(InputError, match="There is no such precision"):
        gn.check_gradients(network(), data.train[:2], precision="half")
