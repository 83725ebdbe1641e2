"""A stage: convolution, batch normalisation, activation and pooling that follow one another, done image by image.

One record a stage tells the kernels where everything lies. Places are offsets in floats: `weight`, `bias`, `gamma`,
`beta`, `running_mean` and `running_variance` into the network's state, the others into the workspace; −1: not there.

    x (height, width, channels) → y (out_height, out_width, filters) → out (pooled_height, pooled_width, filters)

y is the convolution's output (without a convolution: the stage's input), kept only where the normalisation needs it.
"""

from __future__ import annotations

import numpy as np

SIZES = (
    "height", "width", "channels", "kernel_height", "kernel_width", "stride_y", "stride_x",
    "top", "left", "padded_height", "padded_width",  # of x: zeros above and left, and the whole with its zeros
    "out_height", "out_width", "filters",
    "activation",  # −1: none
    "pool_height", "pool_width", "pool_stride_y", "pool_stride_x", "pool_top", "pool_left",  # pool_height 0: no pooling
    "pooled_height", "pooled_width",
    "chosen_line",  # chosen counts the pixels of a window from its first, rows so far apart
    "back_top", "back_left", "back_height", "back_width",  # of dy, with zeros around and between its pixels
    "scatters",  # 1: dx by scattering dy · Wᵀ (dy as it is); 0: by convolving dy, in a frame of zeros, with W turned about
    "list_rows",  # of windows whose chosen pixels are listed together, to find dW and dx from the lists; 0: not from lists
    "product_gradients",  # 1: the partial gradients of the weights are sums of Winograd's products
    "parts",  # into which the images are dealt for the sums of the gradients of the weights
)  # fmt: skip
PLACES = (
    "weight", "bias", "gamma", "beta", "running_mean", "running_variance",
    "x", "y", "out", "chosen",  # chosen: which place of its window each pooled value came from, as int32
    "statistics",  # of each image: mean of y, sums of deviations and of their squares about it
    "mean", "rest", "inverse", "gain", "shift",  # normalised: (y − mean)·gain + shift; inverse = 1/√(variance + ε)
    "dout", "dx", "sums", "coefficients",  # of each image: Σg, Σg·ŷ; dy = a·(g − ḡ) + b·(y − mean) + c
    "products", "products_back",  # W, and W turned about, as winograd.py takes them
    "transposed", "partial",  # W turned about, or Wᵀ; gradients of the weights, then of the biases, of each part
)  # fmt: skip
ROOMS = (
    "row_room",
    "y_room",
    "x_room",
    "dy_room",
    "taps_room",
    "list_room",
    "winograd_room",
)  # bytes from the start of a thread's scratch
NUMBERS = ("slope", "momentum", "epsilon", "scale")

STAGE = np.dtype([(name, np.int64) for name in SIZES + PLACES + ROOMS] + [(name, np.float64) for name in NUMBERS], align=True)

SEQUENCE_SIZES = ("kind", "steps", "width", "units", "gates", "all_states", "parts")
SEQUENCE_PLACES = (
    "weight", "recurrent", "bias", "inner_bias",  # in the parameters
    "x", "order",  # order: the row of x that each row of z is made of, as int64
    "z", "states", "cells", "inner", "product",  # gates; states and cells from step 0 on; GRU: m, and hₜ₋₁·U of one step
    "out", "dout", "dproduct", "dstate", "dcell", "transposed", "weight_transposed", "dsteps", "dx",
    "partial",  # gradients of the weights, then of the biases, of each part of the mini-batch
)  # fmt: skip
SEQUENCE = np.dtype(
    [(name, np.int64) for name in SEQUENCE_SIZES + SEQUENCE_PLACES] + [("scale", np.float64)],
    align=True,
)
