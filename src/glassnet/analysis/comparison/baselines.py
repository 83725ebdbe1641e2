"""Baselines: classifiers of scikit-learn on the pixels, trained on the same images as the networks."""

from __future__ import annotations

import itertools
import pickle
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet.data import Dataset
from glassnet.support.i18n import mark

Rows = NDArray[np.float32]
Options = dict[str, Any]

TUNING = 10_000  # training images at most for each point of the SVC's grid; the best one is then trained on all images
GRID = {"C": (1.0, 5.0, 25.0), "gamma": (0.75, 1.5, 3.0)}  # gamma: multiples of 1 / (features · variance of the pixels)
NEIGHBOURS = (1, 3, 5, 7, 9, 15)
COMPONENTS = 50  # of the images, for gradient boosting: on all pixels it takes many times as long
PILOT, ANSWERS = 1000, 300  # images that a baseline is timed on before it is trained on all, and that it then classifies
CACHE = 1000  # MB that an SVC may keep its kernel matrix in


@dataclass(frozen=True)
class Fitted:
    """A trained baseline: `model`, an estimator of scikit-learn, and the `options` that were chosen for it."""

    model: Any
    options: Options = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes of the pickled estimator."""
        return len(pickle.dumps(self.model))

    def predict(self, images: NDArray[Any]) -> NDArray[np.int64]:
        """Class indices (N,) of images (N, …)."""
        with one_thread():
            return np.asarray(self.model.predict(rows(images)), dtype=np.int64)


@dataclass(frozen=True)
class Baseline:
    """`fit(train, validation)` trains it; `tuned`: it chooses options by the accuracy on the validation data.

    `work(n, m)`: how its time grows with n training images and m to classify, in any unit.
    """

    name: str
    fit: Callable[[Dataset, Dataset], Fitted]
    work: Callable[[int, int], float]
    tuned: bool = False

    def estimate(self, train: Dataset, validation: Dataset) -> float:
        """Seconds that training and classifying will take, from those of a few images."""
        few, asked = spaced(train, min(PILOT, len(train) // 4 + 1)), spaced(validation, ANSWERS)
        if len(np.unique(few.labels)) < 2:
            return 0.0
        places = np.concatenate([np.flatnonzero(few.labels == label)[:3] for label in np.unique(few.labels)])
        self.fit(few[places], asked)  # what is imported for the first time is not part of it
        began = time.perf_counter()
        self.fit(few, asked).predict(asked.images)
        seconds = time.perf_counter() - began
        return seconds * self.work(len(train), len(validation)) / self.work(len(few), len(asked))


def one_thread() -> Any:
    """OpenMP in one thread: boosting meets thousands of barriers, which take minutes where another process has a core."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="openmp")


def rows(images: NDArray[Any]) -> Rows:
    """Images as rows of features (N, features): integers from 0 to 1, as `Pixels` scales them; floats as they are."""
    flat = images.reshape(len(images), -1)
    scale = np.float32(np.iinfo(flat.dtype).max if flat.dtype.kind == "u" else 1)
    return np.asarray(flat / scale, dtype=np.float32)


def spaced(data: Dataset, count: int) -> Dataset:
    """At most so many of the images, evenly spaced: of each class, even where they are sorted by class."""
    return data if len(data) <= count else data[np.linspace(0, len(data) - 1, count).astype(int)]


def fit_svc(train: Dataset, options: Options, *, cache_size: float = CACHE) -> Any:
    """scikit-learn's SVC, with the kernel exp(−γ·|x − x′|²)."""
    from sklearn.svm import SVC

    return SVC(**options, cache_size=cache_size).fit(rows(train.images), train.labels)


def grid_for(train: Dataset) -> dict[str, Sequence[float]]:
    """C and gamma to try; gamma about 1 / (features · variance), which is scikit-learn's gamma="scale", to two digits."""
    pixels = rows(spaced(train, TUNING).images)
    scale = 1 / (pixels.shape[1] * max(float(pixels.var()), 1e-12))
    return {"C": GRID["C"], "gamma": [float(f"{scale * factor:.2g}") for factor in GRID["gamma"]]}


def tune_svc(train: Dataset, validation: Dataset, grid: Mapping[str, Sequence[float]]) -> Options:
    """The options of the grid with the best validation accuracy; the first of ties."""
    images, best, best_options = rows(validation.images), -1, {}
    for values in itertools.product(*grid.values()):
        options = dict(zip(grid, values, strict=True))
        correct = int((fit_svc(train, options).predict(images) == validation.labels).sum())
        if correct > best:
            best, best_options = correct, options
    return best_options


def _majority(train: Dataset, validation: Dataset) -> Fitted:
    from sklearn.dummy import DummyClassifier

    return Fitted(DummyClassifier(strategy="most_frequent").fit(rows(train.images[:1]).repeat(len(train), 0), train.labels))


def _logistic(train: Dataset, validation: Dataset) -> Fitted:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # after 300 iterations its accuracy no longer changes
        return Fitted(LogisticRegression(max_iter=300, tol=1e-3).fit(rows(train.images), train.labels))


def _neighbours(train: Dataset, validation: Dataset) -> Fitted:
    """The number of neighbours with the best validation accuracy; the first of ties."""
    from sklearn.neighbors import KNeighborsClassifier

    images, classes = rows(train.images), np.arange(int(train.labels.max()) + 1)
    counts = [k for k in NEIGHBOURS if k <= len(train)]
    nearest = KNeighborsClassifier(counts[-1]).fit(images, train.labels)
    votes = train.labels[nearest.kneighbors(rows(validation.images), return_distance=False)]
    correct = []
    for k in counts:
        answers = (votes[:, :k, np.newaxis] == classes).sum(axis=1).argmax(axis=1)
        correct.append(int((answers == validation.labels).sum()))
    k = counts[int(np.argmax(correct))]
    return Fitted(KNeighborsClassifier(k).fit(images, train.labels), {"k": k})


def _default_svc(train: Dataset, validation: Dataset) -> Fitted:
    options = {"C": 1.0, "gamma": "auto"}
    return Fitted(fit_svc(train, options), options)


def _tuned_svc(train: Dataset, validation: Dataset) -> Fitted:
    options = tune_svc(spaced(train, TUNING), validation, grid_for(train))
    return Fitted(fit_svc(train, options), options)


def _boosting(train: Dataset, validation: Dataset) -> Fitted:
    """Boosted trees, on the first principal components where there are more pixels."""
    from sklearn.decomposition import PCA
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.pipeline import make_pipeline

    images, trees = rows(train.images), HistGradientBoostingClassifier(random_state=0)
    components = min(COMPONENTS, len(train))
    reduce = images.shape[1] > 2 * COMPONENTS
    model = make_pipeline(PCA(components, svd_solver="randomized", random_state=0), trees) if reduce else trees
    with one_thread():
        return Fitted(model.fit(images, train.labels), {"components": components} if reduce else {})


def _grid_work(n: int, m: int) -> float:
    points = len(GRID["C"]) * len(GRID["gamma"])
    part = min(n, TUNING)
    return points * _pairs(part, m) + _pairs(n, m)


def _pairs(n: int, m: int) -> float:
    """Of images; the share of support vectors falls as n grows."""
    return float((n * (n + m)) ** 0.9)


BASELINES = (
    Baseline(mark("majority class"), _majority, lambda n, m: n + m),
    Baseline(mark("logistic regression"), _logistic, lambda n, m: n),
    Baseline(mark("k-nearest neighbours"), _neighbours, lambda n, m: n * m, tuned=True),
    Baseline(mark("SVC, default"), _default_svc, _pairs),
    Baseline(mark("SVC, tuned"), _tuned_svc, _grid_work, tuned=True),
    Baseline(mark("gradient boosting"), _boosting, lambda n, m: n + 2000),
)
