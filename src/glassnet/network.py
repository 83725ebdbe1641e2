"""`Network`: what people make, train, ask, save and load."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnet import training
from glassnet.data import Dataset
from glassnet.data.augmentation import Augmentation, as_augmentation, views_of
from glassnet.data.style import ImageStyle
from glassnet.errors import InputError, ModelFileError
from glassnet.nn import Layer, as_layer
from glassnet.nn.architectures import default_loss, default_optimizer, shorthand
from glassnet.nn.inputs import check_shape
from glassnet.nn.losses import Loss, as_loss
from glassnet.nn.metrics import Evaluation, confusion_matrix, evaluate_probabilities
from glassnet.nn.optimizers import Optimizer, ScipyMinimize, as_optimizer
from glassnet.nn.penalties import Regularizer, as_regularizer
from glassnet.nn.stack import Stack
from glassnet.runtime import Predictor
from glassnet.runtime.features import HiddenFeatures, feature_width, hidden_depths
from glassnet.runtime.novelty import Novelty
from glassnet.support.arrays import Array
from glassnet.support.habits import answered
from glassnet.support.i18n import tr
from glassnet.support.memory import require_memory
from glassnet.support.registry import describe
from glassnet.support.storage import as_path, fill, model_path, read_tensors, write_tensors
from glassnet.training.arguments import Plan, as_dataset, check_fit, check_labels, check_novelty, check_seed, image_weights
from glassnet.training.callbacks import Callback, EpochFunction, as_callbacks
from glassnet.training.display import default_display
from glassnet.training.habits import Familiar, familiar
from glassnet.training.loop import Training
from glassnet.training.scipy import minimize

PREFIX = "novelty."  # of the arrays in a model file that are not a layer's


class Network(Familiar):
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

    image_style: ImageStyle | None = None
    _predictor: Predictor | None

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
        if not isinstance(layers, Sequence) or not layers:
            raise InputError(tr("A network needs layers."), where="Network(layers)", expected=tr("for example [784, 30, 10]"))
        sizes = [int(size) for size in layers if isinstance(size, (int, np.integer))]
        if len(sizes) == len(layers):
            made, shape = shorthand(sizes)
        else:
            made = [as_layer(layer, f"layer {i + 1}") for i, layer in enumerate(layers)]  # type: ignore[arg-type]  # as_layer refuses numbers
            if input_shape is None:
                raise InputError(
                    tr("The shape of the images is missing."),
                    where="Network(input_shape)",
                    expected=tr("for example (28, 28, 1)"),
                    received="None",
                )
            shape = tuple(int(size) for size in input_shape)
            check_shape(shape, "Network(input_shape)")
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
        self.classes = self._named(classes) if classes is not None else self._numbered()
        self._default_loss = loss is None
        self._predictor: Predictor | None = None
        self._features: HiddenFeatures | None = None
        self._novelty: Novelty | None = None

    def _take_shape(self, shape: tuple[int, ...]) -> None:
        """Remember the images' own shape where only their number of pixels was known."""
        if len(self.input_shape) == 1 and int(np.prod(shape)) == self.features:
            self.input_shape = self.shapes[0] = shape

    def _named(self, classes: Sequence[str]) -> tuple[str, ...]:
        names, count = tuple(map(str, classes)), len(self._numbered())
        if len(names) != count:
            raise InputError(
                tr("The number of class names does not fit the network's outputs."),
                where="Network(classes)",
                expected=tr("{count} names, as a single output distinguishes two classes", count=count)
                if self.outputs == 1
                else tr("{count} names", count=count),
                received=f"{len(names)}: {', '.join(names[:12])}{' …' if len(names) > 12 else ''}",
                hint=tr(
                    "give the last Dense layer {names} units, or use an architecture, which adapts to the number of classes",
                    names=len(names),
                )
                if len(names) > 1
                else None,
            )
        return names

    def _numbered(self) -> tuple[str, ...]:
        hint = tr("end the network with a Dense layer with one unit per class")
        require_memory(
            64 * self.outputs, tr("the names of {outputs:,} classes", outputs=self.outputs), repr(self.layers[-1]), hint
        )
        return tuple(str(i) for i in range(max(2, self.outputs)))

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {
            "_predictor": None,
            "_features": None,
        }  # machine code and addresses are of this process alone

    @property
    def predictor(self) -> Predictor:
        """The compiled form of prediction, made at the first use."""
        if self._predictor is None:
            self._predictor = Predictor(self)
        return self._predictor

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
        augmentation: Augmentation | dict[str, Any] | None = None,
        plain_epochs: int = 0,
        keep: str = "last",
        average: float | None = None,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        threads: int | None = None,
        statistics: bool = True,
        progress: bool | None = None,
    ) -> training.History:
        """Train on images and labels; the history, epoch by epoch.

        Also as in Keras: fit(images, labels), `validation_data`, `validation_split` and `verbose`. `optimizer`: Adam() by
        default, for the tutorial's networks of sizes SGD(3.0); `ScipyMinimize` takes the whole set at once. `callbacks`: one,
        several, or functions (progress, epoch), called after each epoch. `seed`: of the order of the images
        and of dropout. `class_weight`: {class: weight}, or "balanced": images/(classes·images of the class).
        `sample_weight` (N,): the loss of a batch is Σ wᵢ·lossᵢ / N. `augmentation`: random changes of the training images,
        anew in every step but in the last `plain_epochs`. `keep`: the weights of the "last" epoch, or of the "best" on the
        validation set. `average`: β of a moving average of the weights, e ← β·e + (1−β)·w after each step t, with β at most
        (1 + t)/(10 + t); it is what is validated and kept, while training goes on with w (Polyak and Juditsky, 1992).
        `checkpoint`: a file that keeps the state after an epoch; with `resume`, training goes on from it, to the same bits.
        `threads`: by default as many as make it faster; the result never depends on it. `statistics`: whether the history
        has statistics of the layers' outputs for a few training images, which `diagnose` reads; weights do not depend on it.
        `progress`: True shows it, False does not, None does on a terminal.
        """
        data = self.labelled(train, "fit(train)", learn=True)
        held_out = None if validation is None else as_dataset(validation, "fit(validation)", data.classes)
        changes = as_augmentation(augmentation, "fit(augmentation)")
        chosen = default_optimizer(self.layers, self.loss) if optimizer is None else as_optimizer(optimizer, "fit(optimizer)")
        check_fit(epochs, batch_size, plain_epochs, keep, average, changes, chosen)
        self._prepare(data)
        check_labels(self, data, "fit(train)")
        if held_out is not None:
            check_labels(self, held_out, "fit(validation)")
        weights = image_weights(data, class_weight, sample_weight)
        display = [*default_display(progress), *as_callbacks(callbacks, "fit(callbacks)")]
        self._predictor = self._features = None
        self._novelty = self.image_style = None  # what was known of the images trained on before
        if isinstance(chosen, ScipyMinimize):
            return minimize(self, data, method=chosen, epochs=epochs, validation=held_out, weights=weights, callbacks=display)
        plan = Plan(
            train=data,
            epochs=int(epochs),
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
            augmentation=changes,
            plain_epochs=int(plain_epochs),
            statistics=bool(statistics),
        )
        return Training(self, plan, display).run()

    def _prepare(self, data: Dataset) -> None:
        self._take_shape(data.shape)
        if data.classes is not None and self.classes == self._numbered() and len(data.classes) == max(2, self.outputs):
            self.classes = data.classes

    def __call__(self, images: Array) -> Array:
        """The outputs of the last layer, (N, outputs)."""
        return self.predictor.outputs(self.rows(images), "outputs")[0]

    @answered
    def predict(self, images: Array) -> NDArray[np.int64]:
        """Class indices (N,) of images (N, …), or of one image."""
        return self.predictor.classes(self.rows(images))

    @answered
    def predict_proba(
        self,
        images: Array,
        *,
        augmentation: Augmentation | dict[str, Any] | None = None,
        views: int | None = None,
        seed: int = 0,
    ) -> Array:
        """Probabilities (N, classes); rows sum to 1.

        From the softmax, or from sigmoids: a single one is the probability of class 1, several are divided by their sum.
        `augmentation`: the mean over `views` (8) of each image, one as it is and the others under changes drawn by `seed`.
        """
        rows = self.rows(images)
        shape = self.input_shape if len(self.input_shape) > 1 else np.shape(images)[1:]
        raws = [
            self.predictor.outputs(view, "raw")[0] for view in views_of(rows, shape, augmentation, views, check_seed(seed))
        ]
        return np.asarray(np.mean([self.probabilities(raw) for raw in raws], axis=0))

    def fit_novelty(
        self,
        train: Dataset | tuple[Array, Array],
        validation: Dataset | tuple[Array, Array] | None = None,
        *,
        threads: int | None = None,
    ) -> None:
        """Remember what the training images look like in the hidden layers, for `novelty` and `is_novel`.

        At most 10,000 images are kept, as up to 256 bytes each, and saved with the network. The limit of `is_novel` is set so
        that a new image like the validation images exceeds it with a probability of 1 %; without these, each training image
        is compared with the others. `glassnet.train` has done this; after `fit`, call it, as training makes it void.
        Raises `InputError` for targets that are not classes, and for a network without a hidden layer.
        """
        data = as_dataset(train, "fit_novelty(train)")
        held_out = None if validation is None else as_dataset(validation, "fit_novelty(validation)")
        check_novelty(data)
        rows = self.rows(data.images), None if held_out is None else self.rows(held_out.images)
        self._novelty = Novelty.fit(HiddenFeatures(self, hidden_depths(self), threads), *rows)

    def _hidden(self) -> HiddenFeatures:
        if self._features is None:
            self._features = HiddenFeatures(self, hidden_depths(self))
        return self._features

    @property
    def fitted_novelty(self) -> Novelty | None:
        """What `fit_novelty` has found: its limit was set on `.validated` images, of which `.alarms` exceed it."""
        return self._novelty

    def novelty(self, images: Array) -> NDArray[np.float64]:
        """How unlike the training images each image is, (N,): the distance in the hidden layers to the nearest, by its limit.

            novelty = min ‖z − zᵢ‖ / limit over the training images i

        z are principal components of the last hidden layer's outputs, and of those halfway to it. Above 1, `is_novel`.
        """
        hidden, rows = self._hidden(), self.rows(images)
        if self._novelty is None:
            raise InputError(
                tr("This network does not know yet what its training images look like."),
                where="novelty",
                expected=tr("a network from glassnet.train, or one that fit_novelty was called for after its training"),
                hint="net.fit_novelty(splits.train, splits.validation)",
            )
        return self._novelty.of(hidden(rows))

    def is_novel(self, images: Array) -> NDArray[np.bool_]:
        """Whether each image is none of what the network was trained on, (N,): its novelty exceeds 1.

        Of images like the training images, 1 % are called novel. An image of something else is not always: a letter O is a 0.
        """
        return np.asarray(self.novelty(images) > 1)

    @familiar
    def evaluate(
        self,
        data: Dataset | tuple[Array, Array],
        *,
        augmentation: Augmentation | dict[str, Any] | None = None,
        views: int | None = None,
        seed: int = 0,
    ) -> Evaluation:
        """Loss, accuracy and confusion on images with labels; for one floating target, of its sign.

        With `augmentation`, of the mean over `views` as in `predict_proba`; the loss is the mean −ln p of the right class.
        """
        data = self.labelled(data, "evaluate(data)")
        check_labels(self, data, "evaluate(data)")
        if augmentation is not None or views not in (None, 1):
            probabilities = self.predict_proba(data.images, augmentation=augmentation, views=views, seed=seed)
            return evaluate_probabilities(probabilities, data.labels, self.classes)
        rows, labels, classes = self.rows(data.images), data.labels, self.classes
        losses, found = self.predictor.losses(rows, labels)
        if not data.is_classification:
            if self.outputs != 1:
                raise InputError(
                    tr("Accuracy is defined only for classes, and for the sign of a single target."),
                    where="evaluate(data)",
                    expected=tr("labels (N,) of classes, or targets (N, 1)"),
                    received=tr("targets {shape}", shape=labels.shape),
                )
            labels, classes = (labels[:, 0] > 0).astype(np.int64), ("negative", "positive")
            found = (self.predictor.outputs(rows, "raw")[0][:, 0] > 0).astype(np.int64)
        confusion = confusion_matrix(labels, found, len(classes))
        return Evaluation(float(losses.mean()), int((found == labels).sum()), len(data), confusion, classes)

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
        arrays, header = self._arrays(), {"kind": "model", **self.describe()}
        if self._novelty is not None:
            arrays |= {PREFIX + name: array for name, array in self._novelty.arrays().items()}
            header["novelty"] = self._novelty.figures()
        if self.image_style is not None:
            header["image_style"] = self.image_style.describe()
        write_tensors(model_path(path), arrays, header, durable=True)

    @classmethod
    def load(cls, path: str | Path) -> Network:
        """Read a network from a file that `save` wrote."""
        path = as_path(path)
        tensors, header = read_tensors(path, "model")
        try:
            names = ("loss", "input_shape", "regularizer", "classes", "dtype", "seed")
            network = cls(header["layers"], **{name: header[name] for name in names})
            if "image_style" in header:  # not in files of earlier versions
                network.image_style = ImageStyle.from_description(header["image_style"])
        except (InputError, KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                tr("The file's header does not describe a network."), where=path, received=str(error)
            ) from None
        novelty = {name: tensors.pop(name) for name in list(tensors) if name.startswith(PREFIX)}
        fill(network._arrays(), tensors, path)
        if novelty or "novelty" in header:
            arrays = {name.removeprefix(PREFIX): array for name, array in novelty.items()}
            network._novelty = Novelty.restore(arrays, header.get("novelty"), feature_width(network), path)
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
