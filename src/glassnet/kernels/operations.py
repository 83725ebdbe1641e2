"""Numbers the interpreter and its callers agree on: its operations, then the kinds of activations, costs and optimizers.

Beside each operation: what it does, and which operands it takes: a, b, c are the last three integers of an instruction.
"""

from __future__ import annotations

INPUT = -1  # as a source: the mini-batch of pictures where it lies in the data set

LOAD = 0  # target = number · pictures
AFFINE = 1  # target = source · constants[a …] + constants[b …], column by column
DENSE = 2  # target = number · source · W + b; a: offset of W, b: offset of b in the parameters, or -1
DENSE_BIAS = 3  # gradient of b = column sums of source (dy); a: offset of b; target: room for one row
DENSE_TRANSPOSE = 4  # target = Wᵀ; a: offset of W (width of source, width of target), b: how far apart the rows of Wᵀ lie
DENSE_INPUT = 5  # target (dx) = source (dy) · Wᵀ; a: where Wᵀ lies in the workspace
DENSE_WEIGHT = 6  # gradient of W = number · sourceᵀ · dy; a: where dy lies, b: offset of W
ACTIVATE = 7  # target = σ(source); a: which (see elementwise), number: its slope
ACTIVATE_BACK = 8  # target (dx) = dy · σ′; source: x, a: which, b: where y lies, c: where dy lies
SOFTMAX = 9  # target = softmax(source), row by row
SOFTMAX_BACK = 10  # target (dx); b: where y lies, c: where dy lies
DROPOUT = 11  # target = source with some values dropped; a: column of keys, number: rate. Maps dy to dx as well
COST = 12  # target (delta) = ∂cost/∂source; a: which cost (see losses), b: room for target rows
DENSE_NARROW = 14  # DENSE of many inputs and few outputs; a: offset of b or -1, b: where Wᵀ lies, c: how far apart its rows
DENSE_NARROW_WEIGHT = 15  # DENSE_WEIGHT of such a layer
OUTPUT = 13  # the classes of source, and its rows to `outputs` if that is there

SIGMOID, TANH, RELU, LEAKY_RELU, GELU = range(5)
QUADRATIC, BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY = range(3)
SGD, RMSPROP, ADAM = range(3)
OPTIONS = 5  # of an optimizer: momentum, Nesterov's (0 or 1), beta 1 or rho, beta 2, epsilon
