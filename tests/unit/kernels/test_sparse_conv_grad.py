"""Back through a pooled convolution by lists of the argmax pixels, against NumPy in float64; and sums over lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings, strategies as st

from glassnet.compiler.algorithms import prefers_sparse, sparse_rows
from glassnet.compiler.geometry import conv_shape, list_floats, pool_shape
from glassnet.kernels import kinds
from glassnet.kernels.matmul.gather_accumulate import CHAINS, WIDEST
from glassnet.kernels.records import ConvBackward
from glassnet.kernels.sizes import LANES, SHORT
from glassnet.nn import Conv2D, MaxPool2D, conv as nn_conv, pooling as nn_pooling
from tests.rounding import check_sum

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Pooled:
    """A convolution of one image and the pooling behind it; windows of both may stick out where `same`."""

    shape: tuple[int, int, int]
    filters: int
    kernel: tuple[int, int]
    pool: tuple[int, int]
    strides: tuple[int, int]
    same: tuple[bool, bool]
    together: int  # rows of windows listed at a time
    seed: int

    @property
    def layers(self) -> tuple[Conv2D, MaxPool2D]:
        paddings = ["same" if same else "valid" for same in self.same]
        kernel = tuple(min(pair) for pair in zip(self.kernel, self.shape, strict=False))
        conv = Conv2D(self.filters, kernel, padding=paddings[0])
        positions = conv.positions(self.shape)
        window = tuple(min(pair) for pair in zip(self.pool, positions, strict=True))
        return conv, MaxPool2D(window, strides=self.strides, padding=paddings[1])

    def record(self) -> Array:
        layer, pooling = self.layers
        block, conv = np.zeros(1, ConvBackward.dtype), conv_shape(layer, self.shape)
        pool = pool_shape(pooling, (*layer.positions(self.shape), self.filters))
        epilogue = {"pool": pool, "activation": kinds.RELU, "argmax_row": conv["padded_width"]}
        for name, value in epilogue.items():
            block["epilogue"][name] = value
        block["conv"], block["has_bias"], block["sparse_rows"] = conv, 1, min(self.together, pool["out_height"])
        return block


SIDE = st.sampled_from([1, 2, 4, 5, 9, 13])
POOLED = st.builds(
    Pooled,
    shape=st.tuples(SIDE, SIDE, st.sampled_from([1, 2, 3, LANES, 20, 31])),
    filters=st.sampled_from([1, 2, max(1, LANES - 1), LANES + 1, 20]),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    pool=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    strides=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    same=st.tuples(st.booleans(), st.booleans()),
    together=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
NIELSEN = (
    Pooled((28, 28, 1), 20, (5, 5), (2, 2), (2, 2), (False, False), 12, 1),
    Pooled((12, 12, 20), 40, (5, 5), (2, 2), (2, 2), (False, False), 4, 1),
)
WIDE = Pooled((7, 6, 150), 3, (3, 5), (3, 2), (2, 1), (True, True), 2, 1)  # more columns than registers; windows overlap


@settings(max_examples=100)
@given(POOLED)
@example(NIELSEN[0])
@example(NIELSEN[1])
@example(WIDE)
def test_back(kernels: Any, guarded: Any, case: Pooled) -> None:
    conv, pool = case.layers
    margins, block = conv.margins(case.shape), case.record()
    top, bottom, left, right = margins
    rng = np.random.default_rng(case.seed)
    shapes = case.shape, (*conv.kernel_size, case.shape[2], case.filters)
    x, weight = (rng.standard_normal(shape).astype(np.float32).astype(float) for shape in shapes)
    positions = (*conv.positions(case.shape), case.filters)
    y = rng.standard_normal(positions)  # any: what the pooling chose matters, not how y came about
    out, place = (found[0] for found in nn_pooling.max_pool(y[None], pool.window, pool.strides, pool.margins(positions)))
    out = np.maximum(out, 0)
    dout = rng.standard_normal(out.shape).astype(np.float32)
    line, across = int(block["epilogue"]["argmax_row"][0]), pool.window[1]

    def held(values: Array) -> Any:
        return guarded(np.ascontiguousarray(values, dtype=np.float32), fence=np.nan)

    framed = held(np.pad(x, ((top, bottom), (left, right), (0, 0))))
    wt, argmax = (
        held(weight.reshape(-1, case.filters).T),
        held((place // across * line + place % across).astype(np.int32).view(np.float32)),
    )
    gradients, outs = held(dout), held(out)
    taps = weight[..., 0].size
    start = rng.standard_normal((taps + 1) * case.filters).astype(np.float32)
    total = guarded(start.copy())
    dx, dx_framed = (
        guarded(np.full(case.shape, np.nan, np.float32)),
        guarded(np.full(framed.values.shape, np.nan, np.float32)),
    )
    floats = list_floats(block["conv"][0], block["epilogue"]["pool"][0], line, int(block["sparse_rows"][0]))
    room = guarded(np.full(floats, np.nan, np.float32))
    for into in (dx.at, 0):  # 0: of the first layer nobody asks for dx
        total.values[...] = start
        kernels["glassnet_sparse_conv_grad"](
            block.ctypes.data, gradients.at, outs.at, argmax.at, framed.at, wt.at, into, dx_framed.at, total.at, room.at
        )
        for guard in (total, dx, dx_framed, room):
            guard.check()

        def spread(gradient: Array) -> Array:
            return nn_pooling.max_pool_backward(
                np.where(out > 0, gradient, 0.0)[None],
                place[None],
                (1, *positions),
                pool.window,
                pool.strides,
                pool.margins(positions),
            )

        # Windows that share a pixel may cancel in dy; the lists hold them one by one.
        dy, terms_of_dy = spread(dout.astype(float)), spread(np.abs(dout).astype(float))

        def exact(dy: Array, x: Array, weight: Array) -> tuple[Array, Array]:
            found, dw, _ = nn_conv.conv2d_backward(dy, x[None], weight, (1, 1), margins)
            return found[0], dw.reshape(taps, -1).T

        wanted, sizes = exact(dy, x, weight), exact(terms_of_dy, np.abs(x), np.abs(weight))
        windows, ends = out[..., 0].size, taps * case.filters
        began, ended = start.astype(float), total.values.astype(float)
        # Each window's product and sum, in lists that are added to what was there; for the biases in four sums side by side.
        dw, sizes_of_dw = (values.ravel() for values in (wanted[1], sizes[1]))
        check_sum(ended[:ends], began[:ends] + dw, np.abs(began[:ends]) + sizes_of_dw, windows + 1)
        db, sizes_of_db = dy.sum(axis=(0, 1, 2)), terms_of_dy.sum(axis=(0, 1, 2))
        check_sum(ended[ends:], began[ends:] + db, np.abs(began[ends:]) + sizes_of_db, windows + 4)
        # A list of the filters and windows that chose a pixel, for each tap; those of each row of windows by themselves.
        argmax_by, lists_at = case.filters * pool.window[0] * pool.window[1], taps // case.shape[2] * pool.window[0]
        check_sum(dx.values, wanted[0], sizes[0], argmax_by + lists_at)


@settings(max_examples=60)
@given(
    rows=st.integers(1, CHAINS + 1),
    columns=st.one_of(
        st.integers(1, 3 * SHORT), st.sampled_from([SHORT * WIDEST, SHORT * WIDEST + 1, 2 * SHORT * WIDEST + 3])
    ),
    sizes=st.lists(st.integers(0, 5), min_size=1, max_size=5),
    seed=st.integers(0, 2**32 - 1),
)
def test_sums_over_lists(kernels: Any, guarded: Any, rows: int, columns: int, sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    begins, matrix = np.cumsum([0, *sizes]), rng.standard_normal((7, rows, columns)).astype(np.float32)
    positions, factors = rng.integers(0, 7, begins[-1]), rng.standard_normal(begins[-1]).astype(np.float32)
    before = rng.standard_normal((len(sizes), rows, columns)).astype(np.float32)
    a, c = guarded(matrix, fence=np.nan), guarded(before.copy())
    lists_at, places_at = (guarded(values.astype(np.int32).view(np.float32)) for values in (begins, positions))
    factors_at = guarded(factors)
    kernels["glassnet_gather_accumulate"](
        len(sizes), lists_at.at, places_at.at, factors_at.at, rows * columns, a.at, columns, rows, columns, c.at,
        rows * columns, columns,
    )  # fmt: skip
    c.check()
    for number in range(len(sizes)):
        entries = slice(begins[number], begins[number + 1])
        terms = factors[entries, None, None].astype(float) * matrix[positions[entries]]
        wanted, bound = before[number] + terms.sum(axis=0), np.abs(before[number]) + np.abs(terms).sum(axis=0)
        check_sum(c.values[number], wanted, bound, len(terms) + 1)  # the entries, then what was there


@pytest.mark.skipif(LANES != 16, reason="what is less work depends on the registers")
@pytest.mark.parametrize(
    ("out", "pooled", "kernel", "channels", "filters", "worth_it"),
    [
        (24, 12, 5, 1, 20, True),  # Nielsen's two
        (8, 4, 5, 20, 40, True),
        (14, 7, 3, 64, 64, True),
        (28, 14, 3, 1, 32, False),  # a list's entry would be as much work as the three rows of taps behind it
        (8, 7, 3, 20, 40, False),  # windows that overlap: nearly as many as pixels
    ],
)
def test_lists_are_made_where_they_are_less_work(
    out: int, pooled: int, kernel: int, channels: int, filters: int, worth_it: bool
) -> None:
    conv = {
        "out_height": out, "out_width": out, "kernel_height": kernel, "kernel_width": kernel, "channels": channels,
        "filters": filters,
    }  # fmt: skip
    pool = {"out_height": pooled, "out_width": pooled, "channels": filters}
    assert prefers_sparse(conv, pool) == worth_it
    assert sparse_rows(pool | {"channels": 4000}) == 1
