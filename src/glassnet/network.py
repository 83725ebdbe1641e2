"""`Network`: what people make, train, ask, save and load."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import training
from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation, Views, as_augmentation, views_of
from glassnet.errors import InputError, ModelFileError
from glassnet.nn import Layer
from glassnet.nn.architectures import as_chain, default_loss, default_optimizer
from glassnet.nn.confusion import confusion_matrix
from glassnet.nn.losses import Loss, as_loss
from glassnet.nn.metrics import Evaluation, chosen_k, evaluate_probabilities
from glassnet.nn.optimizers import Optimizer, ScipyMinimize, as_optimizer
from glassnet.nn.penalties import Regularizer, as_regularizer
from glassnet.nn.stack import Stack
from glassnet.runtime import Ranks, check_precision, warn_emulated
from glassnet.support.arrays import Array, mean_of
from glassnet.support.habits import answered
from glassnet.support.i18n import tr
from glassnet.support.registry import describe
from glassnet.support.storage import as_path, fill, model_path, read_tensors, write_tensors
from glassnet.training.arguments import (
    Plan,
    as_dataset,
    as_soft_targets,
    check_fit,
    check_labels,
    check_seed,
    check_sign,
    class_names,
    image_weights,
)
from glassnet.training.callbacks import Callback, EpochFunction, as_callbacks
from glassnet.training.display import default_display
from glassnet.training.habits import familiar
from glassnet.training.known_images import PREFIX
from glassnet.training.loop import Training
from glassnet.training.predicts import Predicts
from glassnet.training.scipy import minimize


class Network(Predicts):
    """An image classifier: layers in a row, with a loss.

        Network([784, 30, 10], seed=1)                                  the tutorial's: sigmoid, quadratic loss, N(0,1)
        Network([Flatten(), Pixels(), Dense(10)], input_shape=(28, 28, 1), loss=SoftmaxCrossEntropy(), seed=1)

    `layers`: sizes, or layers (or their names or descriptions). `input_shape`: of one image. `loss`: by default
    SoftmaxCrossEntropy after Dense or Softmax, BinaryCrossEntropy after Dense(1), else, and for sizes and floating targets,
    Quadratic.
    `regularizer`: a penalty on the weights. `seed`: of the starting weights; by default a new one each time.
    `dtype`: float32 runs on the compiled kernels, float64 in NumPy. `classes`: their names, if known before training.
    A layer that is part of another network is copied. `image_style`: what the training images look like, if known; `prepare`
    makes other images alike. It is saved with the network.
    """

    @answered
    def __init__(
        self,
        layers: Sequence[int] | Sequence[Layer | str | dict[str, Any]],
        *,
        loss: Loss | str | dict[str, Any] | None = None,
        input_shape: Sequence[int] | None = None,
        regularizer: Regularizer | str | dict[str, Any] | None = None,
        seed: int | None = None,
        dtype: str = "float32",
        classes: Sequence[str] | None = None,
    ) -> None:
        made, shape = as_chain(layers, input_shape)
        self.seed = secrets.randbits(32) if seed is None else check_seed(seed)
        super().__init__(
            made,
            loss=default_loss(made[-1]) if loss is None else as_loss(loss, "Network(loss)"),
            input_shape=shape,
            regularizer=as_regularizer(regularizer, "Network(regularizer)"),
            rng=np.random.default_rng(self.seed),
            dtype=dtype,
        )
        if input_shape is not None:
            self._take_shape(tuple(int(size) for size in input_shape))
        self.classes = class_names(classes, self)
        self._default_loss = loss is None

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        """Remember the images' own shape where only their number of pixels was known."""
        if len(self.input_shape) == 1 and prod(shape) == self.features:
            self.input_shape = self.shapes[0] = shape

    @familiar
    def fit(
        self,
        train: Dataset | tuple[Array, Array],
        epochs: int = 10,
        *,
        batch_size: int = 32,
        optimizer: Optimizer | ScipyMinimize | str | dict[str, Any] | None = None,
        validation: Dataset | tuple[Array, Array] | None = None,
        seed: int | None = None,
        callbacks: Callback | EpochFunction | Sequence[Callback | EpochFunction] = (),
        class_weight: Mapping[int, float] | str | None = None,
        sample_weight: Array | None = None,
        soft_targets: Array | None = None,
        augmentation: Augmentation | dict[str, Any] | None = None,
        plain_epochs: int = 0,
        shuffle_block: int | None = None,
        keep: str = "last",
        average: float | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        threads: int | None = None,
        precision: str = "float32",
        statistics: bool = True,
        progress: bool | None = None,
        ranks: Ranks | None = None,
    ) -> training.History:
        """Train on images and labels; the history, epoch by epoch.

        Also as in Keras: fit(images, labels), `validation_data`, `validation_split` and `verbose`. `optimizer`: Adam() by
        default, for the tutorial's networks of sizes SGD(3.0); `ScipyMinimize` takes the whole set at once. `callbacks`: one,
        several, or functions (progress, epoch), called after each epoch. `seed`: of the order of the images
        and of dropout. `class_weight`: {class: weight}, or "balanced": images/(classes·images of the class).
        `sample_weight` (N,): the loss of a batch is Σ wᵢ·lossᵢ / N.
        `soft_targets` (N, outputs): what the loss compares the outputs with instead of the labels, such as another network's
        probabilities; accuracy is that of the labels, and augmented images keep the targets of the original.
        `augmentation`: random changes of the training images,
        anew in every step but in the last `plain_epochs`. `shuffle_block`: the order of an epoch is that of blocks of so many
        images, shuffled within windows of 64 MiB, instead of one of the whole set; by default for memory-mapped images alone
        (docs/shards.md). `keep`: the weights of the "last" epoch, or of the "best" on the
        validation set. `average`: β of a moving average of the weights, e ← β·e + (1−β)·w after each step t, with β at most
        (1 + t)/(10 + t); it is what is validated and kept, while training goes on with w (Polyak and Juditsky, 1992).
        `checkpoint`: a file that keeps the state after an epoch; with `resume`, training goes on from it, to the same bits.
        `threads`: by default as many as make it faster; the result never depends on it. `precision`: "bfloat16" rounds the
        operands of products to 8 bits where that is quicker (docs/speed.md); sums, weights and validation stay float32.
        `statistics`: whether the history
        has statistics of the layers' outputs for a few training images, which `diagnose` reads; weights do not depend on it.
        `progress`: True shows it, False does not, None does on a terminal and in a notebook. `ranks`: of processes that train
        the network together on MPI, each of which calls this with the same arguments (docs/scale.md).
        """
        data = self.labelled(train, "fit(train)", learn=True)
        held_out = None if validation is None else as_dataset(validation, "fit(validation)", data.classes)
        changes = as_augmentation(augmentation, "fit(augmentation)")
        chosen = default_optimizer(self.layers, self.loss) if optimizer is None else as_optimizer(optimizer, "fit(optimizer)")
        check_fit(epochs, batch_size, plain_epochs, keep, average, changes, chosen, shuffle_block)
        self._prepare(data)
        check_labels(self, data, "fit(train)")
        if held_out is not None:
            check_labels(self, held_out, "fit(validation)")
        weights = image_weights(data, class_weight, sample_weight)
        soft = as_soft_targets(soft_targets, len(data), self)
        display = [*default_display(progress), *as_callbacks(callbacks, "fit(callbacks)")]
        warn_emulated(check_precision(precision, self, "fit(precision)"), stacklevel=4)
        self._predictor = None
        self.forget_images()
        if isinstance(chosen, ScipyMinimize):
            return minimize(
                self, data, soft, method=chosen, epochs=epochs, validation=held_out, weights=weights, callbacks=display
            )
        plan = Plan(
            train=data,
            epochs=int(epochs),
            soft_targets=soft,
            batch_size=min(int(batch_size), len(data)),
            optimizer=chosen,
            validation=held_out,
            seed=secrets.randbits(32) if seed is None else check_seed(seed),
            weights=weights,
            keep_best=keep == "best",
            averaging=average,
            checkpoint=None if checkpoint is None else as_path(checkpoint),
            resume=resume,
            threads=threads,
            precision=precision,
            augmentation=changes,
            plain_epochs=int(plain_epochs),
            shuffle_block=data.block if shuffle_block is None else int(shuffle_block),
            statistics=bool(statistics),
            ranks=ranks,
        )
        return Training(self, plan, display).run()

    def _prepare(self, data: Dataset) -> None:
        self._take_shape(data.shape)
        if data.classes is not None and len(data.classes) == len(self.classes) and self._unnamed:
            self.classes = data.classes

    def __call__(self, images: Array) -> Array:
        """The outputs of the last layer, (N, outputs)."""
        return self.predictor.outputs(self.rows(images), "outputs")[0]

    @answered
    def predict(self, images: Array, *, precision: str = "float32") -> NDArray[np.int64]:
        """Class indices (N,) of images (N, …), or of one image.

        `precision`: of products, as in `fit`, or "int8" after `calibrate`.
        """
        return self.predictor_at(precision, "predict(precision)").classes(self.rows(images))

    @answered
    def predict_proba(
        self,
        images: Array,
        *,
        augmentation: Views = None,
        views: int | None = None,
        seed: int = 0,
        precision: str = "float32",
    ) -> Array:
        """Probabilities (N, classes); rows sum to 1.

        From the softmax, or from sigmoids: a single one is the probability of class 1, several are divided by their sum.
        `augmentation`: the mean over `views` (8) of each image, one as it is and the others under changes drawn by `seed`; or
        a `MultiCrop`, the mean over its views. `precision`: of products, as in `predict`.
        """
        rows, predictor = self.rows(images), self.predictor_at(precision, "predict_proba(precision)")
        if augmentation is None and views is None and seed == 0:  # most calls, of which one image makes the rest felt
            return self.probabilities(predictor.outputs(rows, "raw")[0])
        shape = self.input_shape if len(self.input_shape) > 1 else np.shape(images)[1:]
        return mean_of(
            self.probabilities(predictor.outputs(view, "raw")[0])
            for view in views_of(rows, shape, augmentation, views, check_seed(seed))
        )

    @familiar
    def evaluate(
        self,
        data: Dataset | tuple[Array, Array],
        *,
        augmentation: Views = None,
        views: int | None = None,
        seed: int = 0,
        top_k: int | None = None,
        precision: str = "float32",
    ) -> Evaluation:
        """Loss, accuracy and confusion on images with labels; for one floating target, of its sign.

        `top_k`: count the images whose class is among so many with the largest outputs, too; by default 5 above 20 classes.
        With `augmentation`, of the mean over `views` as in `predict_proba`; the loss is the mean −ln p of the right class.
        `precision`: of products, as in `predict`.
        """
        predictor = self.predictor_at(precision, "evaluate(precision)")
        data = self.labelled(data, "evaluate(data)")
        check_labels(self, data, "evaluate(data)")
        if augmentation is not None or views not in (None, 1):
            views_alike: dict[str, Any] = {"augmentation": augmentation, "views": views, "seed": seed}
            probabilities = self.predict_proba(data.images, **views_alike, precision=precision)
            return evaluate_probabilities(probabilities, data.labels, self.classes, top_k)
        rows, labels, classes = self.rows(data.images), data.labels, self.classes
        losses, found = predictor.losses(rows, labels)
        if not data.is_classification:
            check_sign(data, self.outputs)
            labels, classes = (labels[:, 0] > 0).astype(np.int64), ("negative", "positive")
            found = (predictor.outputs(rows, "raw")[0][:, 0] > 0).astype(np.int64)
        confusion, correct = confusion_matrix(labels, found, len(classes)), int((found == labels).sum())
        k = chosen_k(top_k, len(classes))
        hits = None if k is None else correct if k == 1 else predictor.top_k_hits(rows, labels, k)
        return Evaluation(float(losses.mean()), correct, len(data), confusion, classes, k, hits)

    def loss_and_gradient(
        self, images: Array, labels: Array, sample_weight: Array | None = None
    ) -> tuple[float, NDArray[np.float64]]:
        """Mean loss with penalty, and its gradient by all parameters as one float64 vector, computed in float64.

        As `evaluate` has it: dropout is off, and BatchNorm uses its running statistics.
        """
        data = self.labelled((images, labels), "loss_and_gradient")
        check_labels(self, data, "loss_and_gradient")
        exact: Stack = self if self.dtype == np.float64 else self.astype("float64")
        weights = None if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
        losses, _, gradient = exact.losses_and_gradient(exact.rows(images), data.labels, weights)
        penalty, more = exact.penalty_and_gradient()
        return float(losses.mean()) + penalty, gradient + more

    @answered
    def save(self, path: str | Path) -> None:
        """Write the network to a .safetensors file, in one step."""
        arrays, header = self._known()
        write_tensors(model_path(path), self._arrays() | arrays, {"kind": "model", **self.describe(), **header}, durable=True)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network from a file that `save` wrote."""
        path = as_path(path)
        tensors, header = read_tensors(path, "model")
        try:
            names = ("loss", "input_shape", "regularizer", "classes", "dtype", "seed")
            network = cls(header["layers"], **{name: header[name] for name in names})
            network._remember_style(header)
            network._remember_calibration(header)
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                tr("The file's header does not describe a network."), where=path, received=str(error)
            ) from None
        known = {name: tensors.pop(name) for name in list(tensors) if name.startswith(PREFIX)}
        fill(network._arrays(), tensors, path)
        network._remember_novelty(known, header, path)
        for layer in network.layers:
            layer.adapted = True
        return network

    def describe(self) -> dict[str, Any]:
        """Everything but the arrays, ready for JSON."""
        regularizer = describe(self.regularizer) if any(self.regularizer.rates) else None
        return {
            "layers": [layer.describe() for layer in self.layers],
            "loss": describe(self.loss),
            "regularizer": regularizer,
            "input_shape": list(self.input_shape),
            "classes": list(self.classes),
            "dtype": str(self.dtype),
            "seed": self.seed,
        }

    def __str__(self) -> str:
        return self.summary()

    def __repr__(self) -> str:
        inside = ", ".join(map(repr, self.layers))
        return f"Network([{inside}], loss={self.loss!r}, input_shape={self.input_shape})"
