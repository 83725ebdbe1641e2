"""Integer codes of activations, recurrent layers, losses and optimizers in compiled code."""

from __future__ import annotations

NO_ACTIVATION, SIGMOID, TANH, RELU, LEAKY_RELU, GELU, SWISH = range(-1, 6)
RNN_TANH, RNN_RELU, LSTM, GRU = range(4)
QUADRATIC, BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY = range(3)
SGD, RMSPROP, ADAM = range(3)
