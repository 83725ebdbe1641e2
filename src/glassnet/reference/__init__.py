"""Every operation in plain NumPy, for any float type: the definition that kernels and gradients are held to.

Shapes: x (N, …) with the pictures along the first axis. A function f has its derivative beside it as f_backward: from the
gradient of the cost by the output, dy, to the gradient by the input, dx.
"""

from glassnet.reference.arrays import Array
from glassnet.reference.augmentation import augment
from glassnet.reference.convolution import Margins, Pair, conv2d, conv2d_backward
from glassnet.reference.costs import binary_cross_entropy, quadratic, softmax_cross_entropy
from glassnet.reference.dense import dense, dense_backward
from glassnet.reference.normalisation import moments, normalise, normalise_backward, scale_backward
from glassnet.reference.pointwise import (
    dropout_mask,
    gelu,
    gelu_backward,
    leaky_relu,
    leaky_relu_backward,
    sigmoid,
    sigmoid_backward,
    softmax,
    softmax_backward,
    split_mix,
    swish,
    swish_backward,
    tanh_backward,
)
from glassnet.reference.pooling import (
    average_pool,
    average_pool_backward,
    global_average_backward,
    global_max,
    global_max_backward,
    max_pool,
    max_pool_backward,
)
from glassnet.reference.recurrence import (
    RECURRENT_ACTIVATIONS,
    gru,
    gru_backward,
    gru_through_time,
    lstm,
    lstm_backward,
    lstm_through_time,
    simple_rnn,
    simple_rnn_backward,
    simple_rnn_through_time,
)

__all__ = [
    "RECURRENT_ACTIVATIONS",
    "Array",
    "Margins",
    "Pair",
    "augment",
    "average_pool",
    "average_pool_backward",
    "binary_cross_entropy",
    "conv2d",
    "conv2d_backward",
    "dense",
    "dense_backward",
    "dropout_mask",
    "gelu",
    "gelu_backward",
    "global_average_backward",
    "global_max",
    "global_max_backward",
    "gru",
    "gru_backward",
    "gru_through_time",
    "leaky_relu",
    "leaky_relu_backward",
    "lstm",
    "lstm_backward",
    "lstm_through_time",
    "max_pool",
    "max_pool_backward",
    "moments",
    "normalise",
    "normalise_backward",
    "quadratic",
    "scale_backward",
    "sigmoid",
    "sigmoid_backward",
    "simple_rnn",
    "simple_rnn_backward",
    "simple_rnn_through_time",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "split_mix",
    "swish",
    "swish_backward",
    "tanh_backward",
]
