# The public names. Each is imported at its first use, so that `import glassnet` costs next to nothing.

from . import sklearn as sklearn
from .analysis import explain as explain
from .analysis.comparison import Comparison as Comparison, compare as compare
from .analysis.diagnosis import (
    Diagnosis as Diagnosis,
    Difference as Difference,
    Finding as Finding,
    diagnose as diagnose,
    diagnose_difference as diagnose_difference,
)
from .analysis.distillation import Distilled as Distilled, distill as distill
from .analysis.gradient_check import check_gradients as check_gradients
from .analysis.inspection import inspect as inspect
from .analysis.learning_curve import LearningCurve as LearningCurve, learning_curve as learning_curve
from .analysis.trace import Trace as Trace, trace as trace
from .data import (
    Dataset as Dataset,
    Splits as Splits,
    draw_characters as draw_characters,
    expand_by_shifts as expand_by_shifts,
    list_datasets as list_datasets,
    load_dataset as load_dataset,
)
from .data.augmentation import Augmentation as Augmentation
from .data.multicrop import MultiCrop as MultiCrop
from .data.prepare import Prepared as Prepared
from .data.shards.plan import ShardPlan as ShardPlan, plan_shards as plan_shards
from .data.shards.read import check_shard as check_shard
from .data.shards.shard import shard as shard
from .data.style import ImageStyle as ImageStyle
from .errors import (
    DataError as DataError,
    DataWarning as DataWarning,
    GlassnetError as GlassnetError,
    InputError as InputError,
    ModelFileError as ModelFileError,
    ModelFileWarning as ModelFileWarning,
    PrecisionWarning as PrecisionWarning,
    RecipeError as RecipeError,
    RunError as RunError,
    ShapeError as ShapeError,
    TrackerWarning as TrackerWarning,
    TrainingWarning as TrainingWarning,
)
from .experiment.ensemble import Ensemble as Ensemble
from .experiment.lr_finder import RateTest as RateTest, find_learning_rate as find_learning_rate
from .experiment.prepare import find as find, prepare as prepare
from .experiment.recipe import Recipe as Recipe, list_recipes as list_recipes, load_recipe as load_recipe
from .experiment.run import Run as Run, train as train
from .experiment.search.recipe_search import search as search
from .interop.export import export_c as export_c, export_numpy as export_numpy, export_onnx as export_onnx
from .interop.from_keras import from_keras as from_keras
from .interop.from_nielsen import from_nielsen as from_nielsen
from .interop.from_onnx import from_onnx as from_onnx
from .interop.from_torch import from_torch as from_torch
from .interop.to_torch import to_torch as to_torch
from .interop.torch import export_torch as export_torch
from .network import Network as Network
from .nn import architectures as architectures
from .nn.activations import (
    GELU as GELU,
    LeakyReLU as LeakyReLU,
    ReLU as ReLU,
    Sigmoid as Sigmoid,
    Softmax as Softmax,
    Swish as Swish,
    Tanh as Tanh,
)
from .nn.branches import Concatenate as Concatenate, Residual as Residual
from .nn.conv import Conv2D as Conv2D
from .nn.dense import Dense as Dense
from .nn.dropout import Dropout as Dropout
from .nn.initializers import (
    Dirac as Dirac,
    GlorotNormal as GlorotNormal,
    GlorotUniform as GlorotUniform,
    HeNormal as HeNormal,
    HeUniform as HeUniform,
    LecunNormal as LecunNormal,
    Normal as Normal,
    Orthogonal as Orthogonal,
    Uniform as Uniform,
    Whitening as Whitening,
    Zeros as Zeros,
)
from .nn.inputs import Flatten as Flatten, Pixels as Pixels, Scale as Scale, Standardize as Standardize
from .nn.layer import Layer as Layer
from .nn.lookahead import Lookahead as Lookahead
from .nn.losses import (
    BinaryCrossEntropy as BinaryCrossEntropy,
    Quadratic as Quadratic,
    SoftmaxCrossEntropy as SoftmaxCrossEntropy,
)
from .nn.metrics import Evaluation as Evaluation
from .nn.norm import BatchNorm as BatchNorm, LayerNorm as LayerNorm
from .nn.optimizers import (
    SGD as SGD,
    Adam as Adam,
    AdamW as AdamW,
    Muon as Muon,
    RMSprop as RMSprop,
    ScipyMinimize as ScipyMinimize,
)
from .nn.penalties import L1 as L1, L1L2 as L1L2, L2 as L2
from .nn.pooling import (
    AveragePool2D as AveragePool2D,
    GlobalAveragePool2D as GlobalAveragePool2D,
    GlobalMaxPool2D as GlobalMaxPool2D,
    MaxPool2D as MaxPool2D,
)
from .nn.recurrent import GRU as GRU, LSTM as LSTM, SimpleRNN as SimpleRNN
from .nn.schedules import (
    Constant as Constant,
    CosineDecay as CosineDecay,
    OneCycle as OneCycle,
    StepDecay as StepDecay,
    Triangular as Triangular,
    WarmUp as WarmUp,
)
from .present import figures as figures
from .present.report import report as report
from .training import (
    Callback as Callback,
    EarlyStopping as EarlyStopping,
    History as History,
    MLflow as MLflow,
    Stop as Stop,
    StopReason as StopReason,
    TensorBoard as TensorBoard,
    WandB as WandB,
)

__version__: str
