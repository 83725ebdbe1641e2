# The public names. Each is imported at its first use, so that `import glassnet` costs next to nothing.

from .analysis import (
    explain as explain,
)
from .analysis.diagnosis import (
    Diagnosis as Diagnosis,
)
from .analysis.diagnosis import (
    Difference as Difference,
)
from .analysis.diagnosis import (
    Finding as Finding,
)
from .analysis.diagnosis import (
    diagnose as diagnose,
)
from .analysis.diagnosis import (
    diagnose_difference as diagnose_difference,
)
from .analysis.gradient_check import (
    check_gradients as check_gradients,
)
from .analysis.inspection import (
    inspect as inspect,
)
from .analysis.trace import (
    Trace as Trace,
)
from .analysis.trace import (
    trace as trace,
)
from .data import (
    Dataset as Dataset,
)
from .data import (
    Splits as Splits,
)
from .data import (
    expand_by_shifts as expand_by_shifts,
)
from .data import (
    list_datasets as list_datasets,
)
from .data import (
    load_dataset as load_dataset,
)
from .data.augmentation import (
    Augmentation as Augmentation,
)
from .errors import (
    DataError as DataError,
)
from .errors import (
    DataWarning as DataWarning,
)
from .errors import (
    GlassnetError as GlassnetError,
)
from .errors import (
    InputError as InputError,
)
from .errors import (
    ModelFileError as ModelFileError,
)
from .errors import (
    ModelFileWarning as ModelFileWarning,
)
from .errors import (
    RecipeError as RecipeError,
)
from .errors import (
    RunError as RunError,
)
from .errors import (
    ShapeError as ShapeError,
)
from .experiment.ensemble import (
    Ensemble as Ensemble,
)
from .experiment.lr_finder import (
    RateTest as RateTest,
)
from .experiment.lr_finder import (
    find_learning_rate as find_learning_rate,
)
from .experiment.recipe import (
    Recipe as Recipe,
)
from .experiment.recipe import (
    list_recipes as list_recipes,
)
from .experiment.recipe import (
    load_recipe as load_recipe,
)
from .experiment.run import (
    Run as Run,
)
from .experiment.run import (
    train as train,
)
from .network import (
    Network as Network,
)
from .nn import (
    GELU as GELU,
)
from .nn import (
    GRU as GRU,
)
from .nn import (
    LSTM as LSTM,
)
from .nn import (
    AveragePool2D as AveragePool2D,
)
from .nn import (
    BatchNorm as BatchNorm,
)
from .nn import (
    Concatenate as Concatenate,
)
from .nn import (
    Conv2D as Conv2D,
)
from .nn import (
    Dense as Dense,
)
from .nn import (
    Dropout as Dropout,
)
from .nn import (
    Flatten as Flatten,
)
from .nn import (
    GlobalAveragePool2D as GlobalAveragePool2D,
)
from .nn import (
    GlobalMaxPool2D as GlobalMaxPool2D,
)
from .nn import (
    Layer as Layer,
)
from .nn import (
    LayerNorm as LayerNorm,
)
from .nn import (
    LeakyReLU as LeakyReLU,
)
from .nn import (
    MaxPool2D as MaxPool2D,
)
from .nn import (
    Pixels as Pixels,
)
from .nn import (
    ReLU as ReLU,
)
from .nn import (
    Residual as Residual,
)
from .nn import (
    Scale as Scale,
)
from .nn import (
    Sigmoid as Sigmoid,
)
from .nn import (
    SimpleRNN as SimpleRNN,
)
from .nn import (
    Softmax as Softmax,
)
from .nn import (
    Standardize as Standardize,
)
from .nn import (
    Swish as Swish,
)
from .nn import (
    Tanh as Tanh,
)
from .nn import (
    architectures as architectures,
)
from .nn.initializers import (
    GlorotNormal as GlorotNormal,
)
from .nn.initializers import (
    GlorotUniform as GlorotUniform,
)
from .nn.initializers import (
    HeNormal as HeNormal,
)
from .nn.initializers import (
    HeUniform as HeUniform,
)
from .nn.initializers import (
    LecunNormal as LecunNormal,
)
from .nn.initializers import (
    Normal as Normal,
)
from .nn.initializers import (
    Orthogonal as Orthogonal,
)
from .nn.initializers import (
    Uniform as Uniform,
)
from .nn.initializers import (
    Zeros as Zeros,
)
from .nn.losses import (
    BinaryCrossEntropy as BinaryCrossEntropy,
)
from .nn.losses import (
    Quadratic as Quadratic,
)
from .nn.losses import (
    SoftmaxCrossEntropy as SoftmaxCrossEntropy,
)
from .nn.metrics import (
    Evaluation as Evaluation,
)
from .nn.optimizers import (
    SGD as SGD,
)
from .nn.optimizers import (
    Adam as Adam,
)
from .nn.optimizers import (
    AdamW as AdamW,
)
from .nn.optimizers import (
    RMSprop as RMSprop,
)
from .nn.optimizers import (
    ScipyMinimize as ScipyMinimize,
)
from .nn.penalties import (
    L1 as L1,
)
from .nn.penalties import (
    L1L2 as L1L2,
)
from .nn.penalties import (
    L2 as L2,
)
from .nn.schedules import (
    Constant as Constant,
)
from .nn.schedules import (
    CosineDecay as CosineDecay,
)
from .nn.schedules import (
    OneCycle as OneCycle,
)
from .nn.schedules import (
    StepDecay as StepDecay,
)
from .nn.schedules import (
    WarmUp as WarmUp,
)
from .present import (
    figures as figures,
)
from .present.report import (
    report as report,
)
from .training import (
    Callback as Callback,
)
from .training import (
    EarlyStopping as EarlyStopping,
)
from .training import (
    History as History,
)
from .training import (
    Stop as Stop,
)
from .training import (
    StopReason as StopReason,
)
from .training import (
    TrainingWarning as TrainingWarning,
)

__version__: str
