"""The context of a program's run: one record for each thread, of addresses and numbers."""

from __future__ import annotations

from glassnet.kernels.records import Record


class ParamGroup(Record):
    """A stretch of the parameters with a penalty, decoupled weight decay and learning rate of its own."""

    offset: int
    size: int
    l1: float
    l2: float
    decay: float
    factor: float  # of the learning rate
    rows: int  # of the matrix that Muon makes orthogonal; 0: the optimizer's step number by number
    columns: int


class OptimizerOptions(Record):
    momentum: float
    nesterov: int
    rho: float
    beta1: float
    beta2: float
    epsilon: float
    muon_momentum: float
    iterations: int  # of Newton and Schulz
    normalize: int  # 1: matrices are brought to one norm before each step


class Context(Record):
    # The program.
    code: int  # (instructions, 2) int64: opcode, offset of its record in bytes
    records: int
    constants: int  # float32; zeros first, enough for any bias that is not there
    instructions: int
    prepared: int  # of the instructions, so many first ones depend on the weights alone
    is_prepared: int  # 1: they have run since the weights changed
    augment: int  # addresses of units that are compiled when a program first needs them, or 0
    fused_block: int
    recurrent: int
    bfloat16: int
    int8: int
    muon: int
    convolve_pairs: int
    convolve_weight_pairs: int
    pair_row: int
    multiply_row_pairs: int
    multiply_column_pairs: int
    convolve_quantized: int

    # Vectors of float32.
    parameters: int  # the network's state: parameters, then running statistics
    gradient: int
    m: int  # moments of the optimizer, where it has them
    v: int
    average: int  # moving average of the state
    averaged: int  # its size, or 0
    slow: int  # Lookahead's slow weights
    room: int  # of Muon, in float64: squares of blocks, then matrices
    workspace: int

    # The data set.
    images: int  # uint8 or float32 rows
    is_bytes: int
    labels: int  # int64, or 0
    targets: int  # float32 rows, or 0
    weights: int  # float64, or 0
    order: int  # int64: which image lies in which place
    identity: int  # int64: 0, 1, 2, …
    images_in_order: int
    batch_size: int

    # Results, in the places of `order`.
    losses: int  # float64
    classes: int  # int64
    outputs: int  # float32 rows, or 0

    # Training.
    training: int
    keep_gradient: int
    plain: int  # 1: images are not augmented in this epoch
    flips: int  # which images are mirrored in this epoch, where they are in turn
    rates: int  # float64 of each step
    keys: int  # uint64 (steps, keys_per_step), for augmentation and dropout
    keys_per_step: int
    past_steps: int  # before step 0 of `order`
    first_step: int
    last_step: int
    optimizer: int  # see kinds
    options_at: int  # of OptimizerOptions
    clip_norm: float
    averaging: float
    lookahead_every: int  # steps; 0: none
    lookahead_share: float
    param_groups: int  # of ParamGroup
    param_group_count: int
    square_sums: int  # float64 of each block of parameters

    # Data-parallel training on several processes, the ranks, which share each mini-batch.
    ranks: int  # 0 or 1: this process alone
    rank: int
    cuts: int  # int64 (2, ranks + 1): the first image of each rank, and the end; of a whole mini-batch, and of the last one
    exchange: int  # address of the function that EXCHANGE calls, or 0

    # This thread.
    thread: int
    threads: int
    scratch: int
    signals: int  # shared by all threads
    dealt: int  # 1: threads run apart, and each takes the next step that none has taken

    # The current mini-batch, set by the interpreter.
    step: int
    first: int  # place of its first image in `order`
    images_in_batch: int
    own_low: int  # this rank's images: own_low … own_high
    own_high: int
    low: int  # this thread's images: low … high
    high: int
    rate: float
    fused_update: int  # 1: gradients go straight into the parameters, as a step of plain SGD


# Places in `signals` (int64), in cache lines of their own. The barrier counts at place 0; the caller sets STOP to end the
# program; the first thread copies STOP to one of DECISIONS at the start of an even or an odd step. TAKEN counts dealt steps.
# At CALL, the second thread of `lead` and `follow` says that it waits, is called, and answers.
STOP, DECISIONS, TAKEN, CALL, SIGNALS = 8, (16, 17), 24, 32, 40
NOBODY, WAITING, CALLED, ANSWERED = range(4)
