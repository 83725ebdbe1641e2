"""Novelty: how far an image is from the training images in the hidden layers, and from where on it is none of the classes.

The distance to the nearest training image in a hidden layer is that of Sun, Ming, Zhu and Li, "Out-of-distribution detection
with deep nearest neighbors" (ICML 2022); here in the principal components of two layers.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from math import ceil, isfinite
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from glassnet.errors import ModelFileError
from glassnet.runtime.features import HiddenFeatures
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr

FALSE_ALARMS = 0.01  # the share of images like the training data that lie beyond the limit
MOST_REFERENCES, MOST_COMPONENTS, MOST_VALIDATED = 10_000, 256, 5_000
MOST_FLOATS = 1 << 25  # of the references' features
ENOUGH = 4_000  # references for the principal components
BLOCK = 500  # images compared with all references at once
SMOOTHING = 1e-3  # of the mean variance, added to that of each component
CLIPPED = 5e-4  # the share of the references' coordinates that may exceed the range of a byte


@dataclass(frozen=True)
class Novelty:
    """The training images' features as bytes, and the distance beyond which an image is unlike them.

    The features x of an image become z = (x − mean)·components, whose columns are principal components v divided by the
    fourth root of their variance; its novelty is min ‖z − step·reference‖ / limit. In a `subset` outside²·‖rest‖² is
    added to the square of the distance, where the rest of x − mean is orthogonal to the components.
    """

    mean: Array  # (F,)
    components: Array  # (F, D) float16
    references: NDArray[np.int8]  # (N, D)
    step: float
    limit: float
    validated: int  # images that the limit was set on
    alarms: int  # how many of them lie beyond it
    held_out: bool  # whether they are validation images; else they are training images, without themselves
    outside: float = 0.0  # the weight of what lies outside the components; 0 where all were kept

    ARRAYS: ClassVar[tuple[str, ...]] = ("mean", "components", "references")

    @classmethod
    def fit(cls, features: HiddenFeatures, train: Array, validation: Array | None) -> Self:
        """From rows of training images and, for the limit, of validation images; the same bits for any number of threads."""
        with threadpool_limits(1, user_api="blas"):
            x = features(train, _some(len(train), min(MOST_REFERENCES, max(2, MOST_FLOATS // features.width))))
            mean = x.mean(axis=0)
            components = _components((x - mean)[:: max(1, len(x) // ENOUGH)]).astype(np.float16)
            z = _project(x, mean, components)
            step = max(float(np.quantile(np.abs(z), 1 - CLIPPED)) / 127, 1e-12)
            found = cls(
                mean, components, _quantised(z, step), step, limit=1.0, validated=0, alarms=0, held_out=validation is not None
            )
            if validation is None:
                distances = found._nearest(z, leave_out=np.arange(len(z)))
            else:
                distances = found.of(features(validation, _some(len(validation), MOST_VALIDATED)))
        limit = conformal_limit(distances)
        return replace(found, limit=limit, validated=len(distances), alarms=int((distances > limit).sum()))

    def of(self, features: Array) -> NDArray[np.float64]:
        """The novelty (N,) of images with these features; above 1 an image is unlike the training images."""
        z = _project(features, self.mean, self.components)
        distances = self._nearest(z)
        if self.outside:
            distances = np.hypot(distances, self.outside * self._rest(features, z))
        return distances / self.limit

    @cached_property
    def _floats(self) -> tuple[Array, Array]:
        """The references as floats, and their squared lengths; kept, as one image is compared quicker than they are made."""
        references = self.references.astype(np.float32) * np.float32(self.step)
        return references, np.square(references).sum(axis=1)

    def __getstate__(self) -> dict[str, Any]:
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def _nearest(self, z: Array, leave_out: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        """The distance of each row to its nearest reference, but for the one that it leaves out."""
        (references, squares), found = self._floats, np.empty(len(z))
        for i in range(0, len(z), BLOCK):
            block = z[i : i + BLOCK]
            distances = np.square(block).sum(axis=1)[:, None] + squares - 2 * block @ references.T
            if leave_out is not None:
                distances[np.arange(len(block)), leave_out[i : i + BLOCK]] = np.inf
            found[i : i + BLOCK] = np.sqrt(np.maximum(distances.min(axis=1), 0))
        return found

    def subset(self, references: Array, held_out: Array, components: int) -> Self:
        """A smaller one, for a page: only its first components, and other references: training images with these features.

        What the components no longer see is measured as a whole, `outside`. The limit, and so the share of false alarms, is
        set anew on `held_out`, the features of validation images, or of training images that are no references.
        """
        kept, left = self.components[:, :components].copy(), self.components[:, components:].astype(np.float32)
        outside = float(np.linalg.norm(left, axis=0).mean()) if left.size else 0.0
        rows = _quantised(_project(references, self.mean, kept), self.step)
        found = replace(self, components=kept, references=rows, outside=outside, limit=1.0)
        distances = found.of(held_out)
        limit = conformal_limit(distances)
        return replace(found, limit=limit, validated=len(distances), alarms=int((distances > limit).sum()))

    def _rest(self, features: Array, z: Array) -> NDArray[np.float64]:
        """The length of the part of each row of features that is orthogonal to the components."""
        inside = z / np.linalg.norm(self.components.astype(np.float64), axis=0)
        squares = np.square(features - self.mean, dtype=np.float64).sum(axis=1) - np.square(inside).sum(axis=1)
        return np.asarray(np.sqrt(np.maximum(squares, 0)))

    def arrays(self) -> dict[str, Array]:
        """The arrays, for a file."""
        return {name: getattr(self, name) for name in self.ARRAYS}

    def figures(self) -> dict[str, Any]:
        """The numbers, for a file's header."""
        found = {name: value for name, value in asdict(self).items() if name not in self.ARRAYS}
        return found if self.outside else {name: value for name, value in found.items() if name != "outside"}

    @classmethod
    def restore(cls, arrays: dict[str, Any], figures: Any, width: int, path: Path) -> Self:
        """From a file's arrays and numbers, checked; `width` is that of the features."""
        refused = partial(ModelFileError, tr("What the file holds for novelty is damaged."), where=path)
        try:
            found = cls(**arrays, **figures)
            numbers: dict[str, Any] = {"step": float, "limit": float, "validated": int, "alarms": int, "held_out": bool}
            numbers["outside"] = float
            for name, kind in numbers.items():
                value: Any = getattr(found, name)
                if type(value) is not kind or not isfinite(value) or value < 0:
                    raise ValueError(f"{name} = {value!r}")
            count = found.components.shape[-1]
            for name, shape, dtype in (
                ("mean", (width,), np.float32),
                ("components", (width, count), np.float16),
                ("references", (len(found.references), count), np.int8),
            ):
                array = getattr(found, name)
                if array.shape != shape or array.dtype != dtype or not array.size or not np.isfinite(array).all():
                    raise ValueError(f"{name} {array.dtype} {array.shape}")
            if not found.limit or not found.step:
                raise ValueError("limit = 0")
        except (TypeError, ValueError, IndexError) as error:
            raise refused(
                expected=tr("{names}, as glassnet saves them", names=", ".join(cls.ARRAYS)), received=str(error)
            ) from None
        return found


def conformal_limit(distances: NDArray[np.float64]) -> float:
    """The distance that a new image like these exceeds with a probability of at most 1 %: the ⌈0.99·(n+1)⌉-th smallest.

    With fewer than 99 it is the largest. Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005).
    """
    rank = min(len(distances), ceil((1 - FALSE_ALARMS) * (len(distances) + 1)))
    return max(float(np.sort(distances)[rank - 1]), 1e-12)


def _some(rows: int, count: int) -> NDArray[np.int64]:
    """The indices of at most `count` of so many rows, drawn with a fixed seed, in their order."""
    if rows <= count:
        return np.arange(rows)
    return np.sort(np.random.default_rng(0).choice(rows, count, replace=False))


def _project(x: Array, mean: Array, components: Array) -> Array:
    return np.asarray((x - mean) @ components.astype(np.float32))


def _quantised(z: Array, step: float) -> NDArray[np.int8]:
    return np.asarray(np.clip(np.round(z / step), -127, 127), np.int8)


def _components(x: Array) -> Array:
    """Principal components (F, D) of centred x, each divided by the fourth root of its variance, by subspace iteration."""
    count = min(MOST_COMPONENTS, x.shape[1])
    basis = np.eye(x.shape[1], dtype=np.float32)
    if x.shape[1] > count + 32:
        basis = np.random.default_rng(0).standard_normal((x.shape[1], count + 32), dtype=np.float32)
        for _ in range(4):
            basis = np.linalg.qr(x.T @ (x @ basis))[0]
    y = x @ basis
    variances, vectors = np.linalg.eigh(y.T @ y / len(x))
    variances, vectors = np.maximum(variances[::-1][:count], 0), vectors[:, ::-1][:, :count]
    spread = variances + SMOOTHING * max(float(variances.mean()), 1e-12)
    return np.asarray(basis @ vectors / np.sqrt(np.sqrt(spread)))
