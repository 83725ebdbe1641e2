"""Numbers the interpreter and its callers agree on: its operations, then the kinds of activations, costs and optimizers.

Beside each operation: what it does, and which operands it takes: a, b, c are the last three integers of an instruction.
"""

from __future__ import annotations

INPUT = -1  # as a source: the mini-batch of images where it lies in the data set

LOAD = 0  # target = number · source
AFFINE = 1  # target = (source − constants[c …]) · constants[a …] + constants[b …], column by column
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
AUGMENT = 16  # target = images at random; width_out: of an image's row, a: options, b: column of keys, number: channels
OUTPUT = 13  # the classes of source, and its rows to `outputs` if that is there

ADD_VALUES = 23  # target = source + b
COPY_CHANNELS = 17  # a: places an image; b: channels copied, from the first of a row on
LAYER_NORM = 18  # target = γ·x̂ + β, row by row of `width out` numbers; a: γ, b: β, c: x̂, and after its rows 1/√(…); number: ε
LAYER_NORM_BACK = 19  # target (dx); source dy; operands the same
LAYER_NORM_WEIGHTS = 20  # gradients of γ and β; source dy; operands the same

# About a stage (see stage.py): a is the offset of its record, in bytes.
STAGE_FORWARD = 32  # convolution; where the mini-batch's statistics are asked for, these, else all that follows
STAGE_JOIN = 33  # statistics of the images → of the mini-batch
STAGE_RUNNING = 34  # gain and shift from the running statistics
STAGE_FINISH = 35  # y → out
STAGE_SUMS = 36  # Σg and Σg·ŷ of the images
STAGE_GRADIENTS = 37  # gradients of γ and β, coefficients of dy
STAGE_TURN = 38  # the weights turned about
STAGE_BACK = 39  # dy → partial gradients of the weights, and dx
STAGE_WEIGHTS = 40  # partial gradients → gradients of weights and biases
STAGE_AVERAGE = 41  # out = means of y's windows, as the record's pooling has them
STAGE_AVERAGE_BACK = 42  # dx from dout
STAGE_PRODUCTS = 43  # the weights as Winograd's convolution takes them
STAGE_PRODUCTS_BACK = 44  # the same of the weights turned about

# About a recurrent layer: a is the offset of its record, in bytes.
SEQUENCE_FORWARD = 48  # z = x·W + b, then all steps
SEQUENCE_BACK = 49  # back through all steps, dx, and partial gradients of the weights
SEQUENCE_WEIGHTS = 50  # partial gradients → gradients

# Operations that are units of their own, by the name of the unit.
UNITS = {
    "stages": range(STAGE_FORWARD, STAGE_PRODUCTS_BACK + 1),
    "sequences": range(SEQUENCE_FORWARD, SEQUENCE_WEIGHTS + 1),
    "augment": range(AUGMENT, AUGMENT + 1),
}

SIGMOID, TANH, RELU, LEAKY_RELU, GELU, SWISH = range(6)
RNN_TANH, RNN_RELU, LSTM, GRU = range(4)
QUADRATIC, BINARY_CROSS_ENTROPY, SOFTMAX_CROSS_ENTROPY = range(3)
SGD, RMSPROP, ADAM = range(3)
OPTIONS = 5  # of an optimizer: momentum, Nesterov's (0 or 1), beta 1 or rho, beta 2, epsilon

# Places in the vector of an augmentation's options (see augment.py): shifts in pixels, angles in radians.
(
    WARP_SHIFT, WARP_ROTATION, WARP_SCALE, WARP_STRETCH, WARP_SHEAR, WARP_ELASTIC, WARP_CELLS, WARP_MIRROR, WARP_UPSIDE_DOWN,
    WARP_CROP, WARP_BRIGHTNESS, WARP_CONTRAST, WARP_ERASE, WARP_ERASE_LEAST, WARP_ERASE_MOST, WARP_EDGE,
) = range(16)  # fmt: skip
WARP_OPTIONS = 16
# Which of an image's random numbers decides what; the elastic field's control points begin with DRAW_FIELD.
(
    DRAW_RIGHT, DRAW_DOWN, DRAW_ROTATION, DRAW_SCALE, DRAW_STRETCH, DRAW_SHEAR, DRAW_MIRROR, DRAW_UPSIDE_DOWN,
    DRAW_CROP_RIGHT, DRAW_CROP_DOWN, DRAW_BRIGHTNESS, DRAW_CONTRAST, DRAW_ERASE, DRAW_ERASE_SIZE, DRAW_ERASE_SHAPE,
    DRAW_ERASE_RIGHT, DRAW_ERASE_DOWN,
) = range(17)  # fmt: skip
DRAW_FIELD = 32
# 1 over the standard deviation of the sum of four 16-bit numbers, and of cubic B-splines through such control points.
WARP_NORMAL = 1 / ((65536**2 - 1) / 3) ** 0.5 / (2416 / 5040)
