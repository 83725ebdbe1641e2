"""The operations of a program. `records.RECORDS` says which operands each has; `interpreter` runs them."""

from __future__ import annotations

LOAD = 0  # y = scale · x
AUGMENT = 1  # y = x under random transforms
AFFINE = 2  # y = (x − mean) · scale + shift, column by column

DENSE = 3  # y = x·W + b
DENSE_SKINNY = 4  # the same for many inputs and few outputs, from Wᵀ
DENSE_TRANSPOSE = 5  # Wᵀ, for DENSE_SKINNY and DENSE_DX
DENSE_DX = 6  # dx = dy·Wᵀ
DENSE_DW = 7  # dW = xᵀ·dy
DENSE_DW_SKINNY = 8  # the same for many inputs and few outputs
DENSE_DB = 9  # db = Σ dy
DENSE_PANELS = 24  # W as DENSE reads it the quickest

ACTIVATION = 10  # y = σ(x)
ACTIVATION_BACKWARD = 11  # dx = dy · σ′(x)
SOFTMAX = 12  # y = softmax(x)
SOFTMAX_BACKWARD = 13  # dx = y · (dy − ⟨dy, y⟩)
DROPOUT = 14  # y = mask · x / (1 − rate); maps dy to dx as well
LAYER_NORM = 15  # y = γ·x̂ + β
LAYER_NORM_DX = 16  # dx
LAYER_NORM_GRADIENTS = 17  # dγ and dβ
ADD = 18  # y = a + b
COPY_CHANNELS = 19  # some channels of x to some of y

LOSS = 20  # loss, class and dz of each image
OUTPUT = 21  # class of each image, and its outputs

SUM_OWN_PARTS = 22  # partial sums of this rank, joined
EXCHANGE = 23  # with the other ranks

# Operations of the unit `fused_block`.
CONV = 32  # convolution; then the statistics for batch normalisation, or the epilogue: normalise, activate, pool
CONV_BACKWARD = 33  # dy → partial sums of dW and db, and dx
CONV_GRADIENTS = 34  # dW and db from their partial sums
ROTATE_WEIGHTS = 35  # the kernel rotated by 180°, its channels and filters exchanged
WINOGRAD_WEIGHTS = 36  # the weights as Winograd's convolution takes them
WINOGRAD_ROTATED = 37  # the same of rotated weights
EPILOGUE = 38  # out = pool(σ(normalised y))
EPILOGUE_BACKWARD = 39  # dy from dout, where no convolution comes before
IMAGE_STATISTICS = 40  # for batch normalisation, where no convolution comes before
BATCH_NORM_STATISTICS = 41  # statistics of the images → of the mini-batch
BATCH_NORM_RUNNING = 42  # gain and shift from the running statistics
BATCH_NORM_SUMS = 43  # Σg and Σg·ŷ of the images
BATCH_NORM_GRADIENTS = 44  # dγ and dβ, and the coefficients of dy
AVERAGE_POOL = 45  # y = means of the windows of x
AVERAGE_POOL_BACKWARD = 46  # dx

# Operations of the unit `recurrent`.
RECURRENT = 64  # all steps forward
RECURRENT_BACKWARD = 65  # all steps backward: dx and partial sums of the gradients
RECURRENT_PANELS = 66  # the recurrent weights, or their transpose, as products read them
RECURRENT_GRADIENTS = 67  # the gradients from their partial sums
RECURRENT_PAIRS = 68  # RECURRENT_PANELS in pairs of bfloat16

# Operations of the unit `bfloat16`: products in bfloat16, sums in float32.
DENSE_BFLOAT16 = 80  # DENSE
DENSE_DX_BFLOAT16 = 81  # DENSE_DX
DENSE_DW_BFLOAT16 = 82  # DENSE_DW
PAIR_WEIGHTS = 83  # the weights as a convolution in bfloat16 takes them
PAIR_ROTATED = 84  # the same of rotated weights
PAIR_PANELS = 85  # the weights of a dense layer as its product in bfloat16 reads them

# Operations of the unit `int8`: products of bytes, sums in int32.
DENSE_INT8 = 96  # DENSE
QUAD_WEIGHTS = 97  # weights, rounded to bytes

# Units that are compiled when a program first has one of their operations.
UNITS = {
    "augment": range(AUGMENT, AUGMENT + 1),
    "fused_block": range(CONV, AVERAGE_POOL_BACKWARD + 1),
    "recurrent": range(RECURRENT, RECURRENT_PAIRS + 1),
    "pair_row": range(RECURRENT_PAIRS, RECURRENT_PAIRS + 1),
    "multiply_row_pairs": range(RECURRENT_PAIRS, RECURRENT_PAIRS + 1),
    "multiply_column_pairs": range(RECURRENT_PAIRS, RECURRENT_PAIRS + 1),
    "bfloat16": range(DENSE_BFLOAT16, PAIR_PANELS + 1),
    "int8": range(DENSE_INT8, QUAD_WEIGHTS + 1),
    "convolve_quantized": range(QUAD_WEIGHTS, QUAD_WEIGHTS + 1),
    "convolve_pairs": range(PAIR_WEIGHTS, PAIR_ROTATED + 1),
    "convolve_weight_pairs": range(PAIR_WEIGHTS, PAIR_ROTATED + 1),
}
