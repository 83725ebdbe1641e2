"""The records that compiled code reads: the operands of each operation of a program, and the context it runs in.

An operand that is a place is an offset in floats into the workspace, except parameters and running statistics (`weight`,
`bias`, `gamma` …), which are offsets into the network's state. −1 means absent, except for the `x` of a layer that reads the
images: there it is INPUT. Fields that end in `_scratch` are offsets in bytes into each thread's scratch memory. Widths and
sizes are those of one image.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any, ClassVar, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from glassnet.kernels import opcodes as op

INPUT = -1  # as a place: the images of the mini-batch, bytes or floats, where they lie in the data set
RECORDS: dict[int, type[Record]] = {}  # of each operation
PACKED = {"i8": "q", "f8": "d", "f4": "f"}  # types of fields, as `struct` names them


class Record:
    """A structure whose fields are its annotations: int64, float64, float32, or another record in place.

    `operations`: the opcodes of those whose operands it holds.
    """

    dtype: ClassVar[np.dtype[np.void]]
    _packer: ClassVar[Struct]  # of the same layout
    _inner: ClassVar[tuple[str, ...]]  # fields that are records

    def __init_subclass__(cls, operations: Sequence[int] = ()) -> None:
        RECORDS.update(dict.fromkeys(operations, cls))
        kinds = {name: kind for name, kind in get_type_hints(cls).items() if get_origin(kind) is not ClassVar}
        cls.dtype = np.dtype(
            [(name, kind.dtype if issubclass(kind, Record) else kind) for name, kind in kinds.items()], align=True
        )
        cls._inner = tuple(name for name, kind in kinds.items() if issubclass(kind, Record))
        layout, at = "=", 0
        for kind, offset in (field[:2] for field in (cls.dtype.fields or {}).values()):
            layout += f"{offset - at}x{PACKED.get(kind.str[1:]) or f'{kind.itemsize}s'}"
            at = offset + kind.itemsize
        cls._packer = Struct(f"{layout}{cls.dtype.itemsize - at}x")

    @classmethod
    def pack(cls, fields: dict[str, Any]) -> bytes:
        """A record, in a third of the time that NumPy takes; every field must be given."""
        names = (cls.dtype.fields or {}).keys()
        if fields.keys() != names:
            wrong = sorted(fields.keys() ^ names)
            raise TypeError(f"{cls.__name__} has the fields {', '.join(names)}; missing or unknown: {', '.join(wrong)}")
        if cls._inner:
            fields = fields | {name: bytes(fields[name]) for name in cls._inner}
        return cls._packer.pack(*map(fields.__getitem__, names))

    @classmethod
    def make(cls, **fields: Any) -> NDArray[np.void]:
        """An array of one record; every field must be given."""
        return np.frombuffer(bytearray(cls.pack(fields)), cls.dtype)


class Load(Record, operations=[op.LOAD]):
    x: int  # input, or INPUT
    y: int  # output
    width: int
    scale: float


class AugmentOptions(Record):
    """The most of each random change (see data/augmentation.py)."""

    shift: np.float32  # pixels
    rotation: np.float32  # radians
    scale: np.float32
    stretch: np.float32
    shear: np.float32  # radians
    elastic: np.float32  # pixels
    elastic_grid: int  # cells of the elastic field
    flip_x: np.float32  # probability of mirroring left and right
    flip_y: np.float32  # and top and bottom
    crop: int  # pixels
    brightness: np.float32
    contrast: np.float32
    erase: np.float32  # probability
    erase_least: np.float32  # share of the area
    erase_most: np.float32
    beyond: int  # what lies beyond an image: 0 zeros, 1 its edge repeated, 2 its reflection
    in_turn: int  # 1: each image is mirrored left and right in every other epoch


class Augment(Record, operations=[op.AUGMENT]):
    options: AugmentOptions
    x: int  # images: input, or INPUT
    y: int  # output
    height: int
    width: int
    channels: int
    key: int  # which of a step's random keys


class Affine(Record, operations=[op.AFFINE]):
    x: int
    y: int
    width: int
    mean: int  # of each column, in the constants
    scale: int
    shift: int


class Dense(Record, operations=[op.DENSE]):
    x: int  # (inputs), or INPUT
    y: int  # (outputs)
    inputs: int
    outputs: int
    weight: int  # (inputs, outputs)
    panels: int  # of the weights; −1: they are read where they lie
    bias: int
    scale: float  # factor of x


class DensePairs(Record, operations=[op.DENSE_BFLOAT16]):
    x: int
    y: int
    inputs: int
    outputs: int
    weight: int
    panels: int  # of the weights, or −1: packed in each product
    bias: int
    scale: float


class DenseInt8(Record, operations=[op.DENSE_INT8]):
    x: int
    y: int
    inputs: int
    outputs: int
    factor: float  # bytes are round(x · factor) + zero
    zero: int
    panels: int  # of the weights, in quads
    row: int  # bytes from an image to the next
    images: int  # taken together
    bytes_scratch: int


class QuadWeights(Record, operations=[op.QUAD_WEIGHTS]):
    """Weights (groups, taps, columns) as quads of taps, and what makes outputs of sums, in panels of COLUMNS columns."""

    groups: int
    taps: int
    columns: int
    weight: int
    bias: int
    scale: float  # of the bytes of x
    zero: int
    panels: int  # of each: biases, factors, corrections, then the quads


class DenseSkinny(Record, operations=[op.DENSE_SKINNY]):
    x: int
    y: int
    inputs: int
    outputs: int
    weight_t: int  # Wᵀ
    weight_t_row: int  # floats from one row of Wᵀ to the next
    bias: int
    scale: float


class DenseTranspose(Record, operations=[op.DENSE_TRANSPOSE]):
    inputs: int
    outputs: int
    weight: int  # (inputs, outputs)
    weight_t: int  # (outputs, inputs)
    weight_t_row: int  # floats from one row of Wᵀ to the next


class DenseDx(Record, operations=[op.DENSE_DX, op.DENSE_DX_BFLOAT16]):
    dy: int
    dx: int
    inputs: int
    outputs: int
    weight: int


class DenseDw(Record, operations=[op.DENSE_DW, op.DENSE_DW_SKINNY, op.DENSE_DW_BFLOAT16]):
    x: int
    dy: int
    inputs: int
    outputs: int
    weight: int
    scale: float


class DenseDb(Record, operations=[op.DENSE_DB]):
    dy: int
    outputs: int
    bias: int
    sums: int  # room for one row


class Activation(Record, operations=[op.ACTIVATION]):
    x: int
    y: int
    width: int
    kind: int  # see kinds
    slope: float  # of LeakyReLU


class ActivationBackward(Activation, operations=[op.ACTIVATION_BACKWARD]):
    dy: int
    dx: int


class Softmax(Record, operations=[op.SOFTMAX]):
    x: int  # (rows, width)
    y: int
    rows: int
    width: int


class SoftmaxBackward(Record, operations=[op.SOFTMAX_BACKWARD]):
    y: int
    dy: int
    dx: int
    rows: int
    width: int


class Dropout(Record, operations=[op.DROPOUT]):
    x: int
    y: int
    width: int
    key: int  # which of a step's random keys
    rate: float


class LayerNorm(Record, operations=[op.LAYER_NORM]):
    x: int  # (rows, width)
    y: int
    rows: int
    width: int
    normal: int  # x̂; −1: neither is kept
    inverse: int  # 1/√(variance + ε) of each row
    gamma: int
    beta: int
    epsilon: float


class LayerNormBackward(Record, operations=[op.LAYER_NORM_DX, op.LAYER_NORM_GRADIENTS]):
    dy: int
    dx: int
    rows: int
    width: int
    normal: int
    inverse: int
    gamma: int
    beta: int


class Add(Record, operations=[op.ADD]):
    a: int
    b: int
    y: int
    width: int


class CopyChannels(Record, operations=[op.COPY_CHANNELS]):
    x: int  # the first channel to copy
    y: int  # where it goes
    pixels: int
    channels: int  # so many are copied
    x_channels: int  # of a pixel of x
    y_channels: int


class Loss(Record, operations=[op.LOSS]):
    z: int  # raw outputs
    dz: int
    targets: int  # room for one row an image
    outputs: int
    kind: int  # see kinds
    smoothing: float  # of labels
    threshold: float  # above it a single output means class 1


class Output(Record, operations=[op.OUTPUT]):
    z: int
    outputs: int
    threshold: float


class SumOwnParts(Record, operations=[op.SUM_OWN_PARTS]):
    partial: int
    size: int  # of a partial sum
    partitions: int  # of the mini-batch


class Exchange(Record, operations=[op.EXCHANGE]):
    number: int  # which exchange of a step


class PoolShape(Record):
    """Windows over images (height, width, channels): one value for each window and channel."""

    height: int
    width: int
    channels: int
    window_height: int  # 0: no pooling
    window_width: int
    stride_y: int
    stride_x: int
    top: int  # rows of padding above
    left: int
    out_height: int
    out_width: int


class EpilogueShape(Record):
    """What follows a convolution: out = pool(σ(y))."""

    pool: PoolShape
    activation: int  # see kinds
    slope: float
    argmax_row: int  # pixels are counted from the first of a window; so many from one of its rows to the next


class KernelShape(Record):
    kernel_height: int
    kernel_width: int
    channels: int
    filters: int


class ConvShape(KernelShape):
    """A convolution: x (height, width, channels) → y (out_height, out_width, filters)."""

    height: int
    width: int
    stride_y: int
    stride_x: int
    top: int  # rows of zeros above x
    left: int
    padded_height: int  # of x with its zeros
    padded_width: int
    out_height: int
    out_width: int


class Block(Record):
    """A convolution and what follows it."""

    epilogue: EpilogueShape
    conv: ConvShape


class Conv(Block, operations=[op.CONV]):
    x: int
    scale: float
    weight: int
    bias: int
    outputs: int  # m of Winograd's algorithm; 0: direct convolution
    winograd_weights: int
    weight_pairs: int  # −1: not in bfloat16
    weight_quads: int  # −1: not in int8
    factor: float  # bytes are round(x · factor) + zero
    zero: int
    images: int  # taken together
    rows_together: int  # of one image, whose rows of y the threads share, so many at a time; 0: they share the images
    by_filters: int  # 1: they share its filters, and its rows in what follows
    y: int  # kept only where the normalisation needs it, or the threads share filters
    statistics: int  # of each image: mean of y, Σ(y − mean), Σ(y − mean)²
    mean: int  # out = (y − mean)·gain + shift, …
    gain: int
    shift: int
    out: int
    argmax: int  # which pixel of its window each pooled value came from, as int32
    x_scratch: int
    y_scratch: int
    winograd_scratch: int
    pairs_scratch: int  # or of bytes


class ConvBackward(Block, operations=[op.CONV_BACKWARD]):
    x: int
    scale: float
    y: int
    out: int
    argmax: int
    dout: int
    coefficients: int  # of batch normalisation: a, b, c, ḡ and mean in dy = a·(g − ḡ) + b·(y − mean) + c
    dx: int
    has_bias: int
    weight_t: int  # Wᵀ, or the rotated weights where dx is a convolution
    dx_outputs: int  # m of Winograd's algorithm for dx; 0: direct convolution
    winograd_rotated: int
    rotated_pairs: int  # −1: direct convolution in float32
    dw_outputs: int  # m for dW
    packs: int  # 1: dW directly from panels of dy and of taps
    pair_gradient: int  # 1: dW directly in bfloat16
    images: int  # taken together
    scatter: int  # 1: dx from dy·Wᵀ, added where each tap lies; 0: from dy with zeros around it by convolution
    sparse_rows: int  # rows of windows whose argmax pixels are listed together; 0: gradients from all pixels
    dy_top: int  # rows of zeros above dy
    dy_left: int
    dy_height: int  # of dy with zeros around and between its pixels; 0: without
    dy_width: int
    partial: int  # partial sums of dW, then of db, for each partition
    partitions: int  # of the mini-batch
    row_scratch: int
    x_scratch: int
    dy_scratch: int
    taps_scratch: int
    list_scratch: int
    winograd_scratch: int
    pairs_scratch: int
    products_scratch: int  # of Winograd's algorithm: sums for dW
    panels_scratch: int


class ConvGradients(KernelShape, operations=[op.CONV_GRADIENTS]):
    weight: int
    bias: int
    transposed: int  # 1: the partial sums are those of Wᵀ
    partial: int
    partitions: int


class RotateWeights(KernelShape, operations=[op.ROTATE_WEIGHTS]):
    weight: int
    rotated: int  # (kernel_height, kernel_width, filters, channels)


class WinogradWeights(Record, operations=[op.WINOGRAD_WEIGHTS, op.WINOGRAD_ROTATED]):
    outputs: int  # m of F(m×m, r×r)
    taps: int  # r
    weight: int  # (taps, taps, channels, filters): in the state, or in the workspace where it was rotated
    channels: int
    filters: int
    transformed: int


class PairWeights(Record, operations=[op.PAIR_WEIGHTS, op.PAIR_ROTATED]):
    weight: int  # (rows, columns): in the state, or in the workspace where it was rotated
    rows: int
    columns: int
    pairs: int  # (rows / 2, columns) pairs of bfloat16


class Panels(Record, operations=[op.DENSE_PANELS, op.PAIR_PANELS]):
    weight: int  # (inputs, outputs)
    inputs: int
    outputs: int
    panels: int  # (outputs / COLUMNS, inputs, COLUMNS) numbers or (outputs / COLUMNS, inputs / 2, COLUMNS) pairs, rounded up


class EpilogueOutput(Record):
    epilogue: EpilogueShape
    y: int
    out: int
    argmax: int


class Epilogue(EpilogueOutput, operations=[op.EPILOGUE]):
    mean: int  # −1: not normalised
    gain: int
    shift: int


class EpilogueBackward(EpilogueOutput, operations=[op.EPILOGUE_BACKWARD]):
    dout: int
    coefficients: int
    dy: int
    row_scratch: int


class ImageStatistics(Record, operations=[op.IMAGE_STATISTICS]):
    y: int
    pixels: int
    channels: int
    statistics: int  # of each image: mean of y, Σ(y − mean), Σ(y − mean)²


class BatchNormRunning(Record, operations=[op.BATCH_NORM_RUNNING]):
    channels: int
    gamma: int
    beta: int
    running_mean: int
    running_variance: int
    mean: int
    mean_error: int  # the rounding error of `mean`
    inverse: int  # 1/√(variance + ε)
    gain: int
    shift: int
    epsilon: float


class BatchNormStatistics(BatchNormRunning, operations=[op.BATCH_NORM_STATISTICS]):
    """`mean` is that of the mini-batch, rounded."""

    pixels: int
    statistics: int
    momentum: float


class BatchNormSums(EpilogueOutput, operations=[op.BATCH_NORM_SUMS]):
    dout: int
    mean: int
    inverse: int
    sums: int  # of each image: Σg, Σg·ŷ
    row_scratch: int


class BatchNormGradients(Record, operations=[op.BATCH_NORM_GRADIENTS]):
    pixels: int
    channels: int
    pooled: int  # 1: g is zero but for few pixels
    running: int  # 1: of the normalisation by running statistics, which do not depend on y
    sums: int
    gamma: int
    beta: int
    mean: int
    mean_error: int
    inverse: int
    gain: int
    coefficients: int


class AveragePool(Record, operations=[op.AVERAGE_POOL, op.AVERAGE_POOL_BACKWARD]):
    pool: PoolShape
    x: int  # backward: dx
    y: int  # dy


class RecurrentShape(Record):
    """A recurrent layer over (steps, features)."""

    kind: int  # see kinds
    steps: int
    features: int
    units: int
    gates: int
    all_states: int  # 1: the output is the state after each step; 0: after the last
    partitions: int  # of the mini-batch; a thread takes each through all steps


class RecurrentStates(RecurrentShape):
    pairs: int  # 1: products in bfloat16
    x: int
    scale: float
    inputs: int  # x step by step, as floats
    inputs_row: int  # floats from one row of them to the next
    z: int  # gates; backward, they become their gradients
    h: int  # states, from step 0 on
    c: int  # cells of LSTM, from step 0 on
    inner: int  # hₜ₋₁·Uₙ + bias, of GRU


class Recurrent(RecurrentStates, operations=[op.RECURRENT]):
    weight: int
    recurrent_weight: int
    panels: int  # of the recurrent weights; −1: they are read where they lie
    bias: int
    recurrent_bias: int  # of GRU
    product: int  # hₜ₋₁·U of one step, of GRU
    out: int


class RecurrentBackward(RecurrentStates, operations=[op.RECURRENT_BACKWARD]):
    dout: int
    dproduct: int
    dh: int
    dc: int
    weight: int
    panels: int  # of the transposed recurrent weights
    dx_steps: int  # dx, step by step
    dx: int
    partial: int  # partial sums of dW, dU, db and the GRU's other bias, for each partition


class RecurrentPanels(Record, operations=[op.RECURRENT_PANELS, op.RECURRENT_PAIRS]):
    """The recurrent weights as the second operand of products: (inner, width)."""

    inner: int
    width: int
    transposed: int  # 1: (width, inner) is how they lie
    weight: int
    panels: int
    apart: int  # floats from one to the next


class RecurrentGradients(RecurrentShape, operations=[op.RECURRENT_GRADIENTS]):
    weight: int
    recurrent_weight: int
    bias: int
    recurrent_bias: int
    partial: int
