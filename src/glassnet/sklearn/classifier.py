"""`NetworkClassifier`: a network as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from glassnet.data import Dataset, Splits
from glassnet.errors import InputError
from glassnet.runtime import Predictor
from glassnet.sklearn.build import make_network, make_optimizer
from glassnet.sklearn.inputs import (
    all_classes,
    check_early_stopping,
    check_labels,
    check_samples,
    class_weights,
    indices,
    require_two,
)
from glassnet.sklearn.results import Results
from glassnet.sklearn.samples import Samples, arrange
from glassnet.sklearn.training import threads, train
from glassnet.support.arrays import Array
from glassnet.support.i18n import tr


class NetworkClassifier(Results, ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A neural network as a classifier of scikit-learn, for rows of features and for images.

    Rows are taken as they are: put a `StandardScaler` before the network in a `Pipeline`. Arrays of `uint8` are pixels, which
    the network brings to 0…1 itself. The result depends on `random_state`, and neither on the order of the samples nor on the
    number of threads.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Units of each hidden layer. Ignored where `layers` is given.

    layers : list of glassnet layers, str, dict or callable, default=None
        The whole network instead: layers up to the last one, with one unit for each class; the name of an architecture
        ("lenet", "vgg", "resnet", "row_rnn", "mlp"), or {"type": name, option: value}; or a function (shape of one sample,
        number of classes) -> list of layers.

    activation : {"relu", "logistic", "tanh", "gelu", "swish", "leakyrelu"}, default="relu"
        Activation of the hidden layers. Ignored where `layers` is given.

    optimizer : {"adam", "sgd", "adamw", "rmsprop", "lbfgs"}, dict or glassnet optimizer, default="adam"
        "lbfgs" takes all samples at once, in float64.

    learning_rate_init : float or glassnet schedule, default=None
        The learning rate; None is the optimizer's own, 0.001 for Adam.

    alpha : float, default=0.0
        L2 penalty on the weights: alpha/2·Σw² is added to the mean loss. `MLPClassifier` divides its own by the samples of
        the mini-batch.

    batch_size : int or "auto", default="auto"
        Samples of a mini-batch; "auto" is min(200, n_samples).

    max_iter : int, default=200
        Epochs, at most.

    tol : float, default=1e-4
        Training stops when the score has not risen by more than `tol` for `n_iter_no_change` epochs. The score is the
        accuracy on validation samples, without weights, if there are any, else minus the training loss.

    n_iter_no_change : int, default=10
        As above; `np.inf` for all of `max_iter` epochs.

    early_stopping : bool or "auto", default="auto"
        Whether the score is measured on validation samples, and the best weights are kept: those given to `fit`, or else a
        part of the training samples. "auto": only if `fit` is given some.

    validation_fraction : float, default=0.1
        The part of the training samples that is set aside with `early_stopping=True`; stratified, where each class has
        samples enough. Equal samples stay together.

    loss : {"log_loss", "binary_crossentropy", "quadratic"}, dict or glassnet loss, default=None
        None is "log_loss", the cross-entropy of the softmax; with `layers`, the loss that suits the last of them.

    class_weight : dict or "balanced", default=None
        {class: weight}; "balanced" is n_samples / (n_classes · samples of the class).

    augmentation : dict or glassnet.Augmentation, default=None
        Random changes of training images, such as {"shift": 2, "rotation": 10}.

    warm_start : bool, default=False
        Whether `fit` goes on with the weights of the previous call.

    n_jobs : int, default=None
        Threads; None is 1 (unless in a `joblib.parallel_config` context), -1 as many as make it faster. The result is the
        same.

    random_state : int, RandomState instance or None, default=None
        Of the starting weights, the order of the samples, dropout, augmentation and the validation part.

    verbose : bool, default=False
        Whether the progress is shown.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The class labels.
    network_ : glassnet.Network
        The trained network, to be saved, explained, traced or exported.
    history_ : glassnet.History
        Losses, accuracies, norms and more, epoch by epoch.
    diagnosis_ : glassnet.Diagnosis
        What is wrong with the training, causes first; found when first asked for. It needs the training samples, which are
        not pickled.
    n_features_in_ : int
        Numbers in one sample.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where `X` has names that are strings.
    n_iter_ : int
        Epochs of the training.
    n_outputs_ : int
        Outputs of the network.
    loss_ : float
        Mean training loss of the last epoch.
    loss_curve_ : list of float
        Mean training loss of each epoch, as the weights moved.
    validation_scores_ : list of float or None
        Accuracy on the validation samples after each epoch, if there are any.
    t_ : int
        Training samples seen.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : scikit-learn's own, for rows of features.

    Examples
    --------
    >>> from glassnet.sklearn import NetworkClassifier
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import cross_val_score
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = NetworkClassifier(hidden_layer_sizes=(30,), learning_rate_init=0.01, max_iter=20, random_state=1)
    >>> bool(cross_val_score(classifier, X / 16, y, cv=3).mean() > 0.9)
    True
    """

    classes_: Array
    t_: int
    _seed: int  # of the training
    _moments: Sequence[Array]  # of the optimizer, for partial_fit

    def __init__(
        self,
        hidden_layer_sizes: Any = (100,),
        *,
        layers: Any = None,
        activation: Any = "relu",
        optimizer: Any = "adam",
        learning_rate_init: Any = None,
        alpha: float = 0.0,
        batch_size: Any = "auto",
        max_iter: int = 200,
        tol: float = 1e-4,
        n_iter_no_change: Any = 10,
        early_stopping: Any = "auto",
        validation_fraction: float = 0.1,
        loss: Any = None,
        class_weight: Any = None,
        augmentation: Any = None,
        warm_start: bool = False,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.layers = layers
        self.activation = activation
        self.optimizer = optimizer
        self.learning_rate_init = learning_rate_init
        self.alpha = alpha
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.loss = loss
        self.class_weight = class_weight
        self.augmentation = augmentation
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, X_val: Any = None, y_val: Any = None) -> Self:
        """Train a network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or images (n_samples, height, width[, channels])
            The training samples.
        y : array-like of shape (n_samples,)
            Their classes, as numbers or strings.
        sample_weight : array-like of shape (n_samples,), default=None
            A sample of weight 0 is left out, one of weight 2 counts as two.
        X_val, y_val : as X and y, default=None
            Validation samples, for `early_stopping`. In a `Pipeline` they are transformed as X is with
            `Pipeline(..., transform_input=["X_val"])`.

        Returns
        -------
        self : NetworkClassifier
        """
        if (X_val is None) != (y_val is None):
            given, other = ("X_val", "y_val") if y_val is None else ("y_val", "X_val")
            raise InputError(tr("{given} is given without {other}.", given=given, other=other), where="NetworkClassifier.fit")
        sets_aside = check_early_stopping(self.early_stopping)
        if X_val is not None and sets_aside is False:
            raise InputError(
                tr("X_val and y_val are given, but early_stopping is False."),
                where="NetworkClassifier.fit",
                expected="early_stopping='auto' | True",
            )
        again = self.warm_start and hasattr(self, "network_")
        X = check_samples(self, X, reset=not again)
        y = check_labels(y, X, "NetworkClassifier.fit(y)")
        if not again:
            self.classes_ = np.unique(y)
        labels = indices(y, self.classes_, "NetworkClassifier.fit(y)")
        samples = arrange(X, labels, self._sample_weights(sample_weight, X))
        require_two(self.classes_[np.unique(labels[samples.chosen])], "NetworkClassifier.fit(y)")
        rng = check_random_state(self.random_state)
        if not again:
            self._begin(X, rng)
        self._seed, validation = int(rng.randint(2**31 - 1)), None
        if X_val is not None:
            X_val = check_samples(self, X_val, reset=False)
            where = "NetworkClassifier.fit(y_val)"
            validation = self._data(X_val, indices(check_labels(y_val, X_val, where), self.classes_, where))
        elif sets_aside:
            samples, held_out = samples.hold_out(labels, self.validation_fraction, self._seed)
            validation = self._data(X, labels, held_out)
        weights = class_weights(self.class_weight, self.classes_, labels[samples.chosen], samples.weights)
        if weights is not None:
            weights = weights / weights.mean()  # the learning rate keeps its meaning
        return self._train(Splits(self._data(X, labels, samples), validation), weights)

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one more epoch on these samples; moments of the optimizer are kept.

        Parameters
        ----------
        X, y, sample_weight
            As in `fit`; weights are not scaled to a mean of 1.
        classes : array-like of shape (n_classes,), default=None
            All classes, needed at the first call.

        Returns
        -------
        self : NetworkClassifier
        """
        for option, wrong in (
            ("early_stopping", check_early_stopping(self.early_stopping)),
            ("class_weight", self.class_weight == "balanced"),
        ):
            if wrong:
                raise InputError(
                    tr("partial_fit sees only a part of the samples, so it can't use {option}.", option=option),
                    where=f"NetworkClassifier({option})",
                    received=repr(getattr(self, option)),
                )
        first, where = not hasattr(self, "network_"), "NetworkClassifier.partial_fit(y)"
        X = check_samples(self, X, reset=first)
        y = check_labels(y, X, where)
        self.classes_ = all_classes(classes, None if first else self.classes_)
        labels = indices(y, self.classes_, where)
        samples = arrange(X, labels, self._sample_weights(sample_weight, X))
        if first:
            rng = check_random_state(self.random_state)
            self._begin(X, rng)
            self._seed = int(rng.randint(2**31 - 1))
        weights = class_weights(self.class_weight, self.classes_, labels[samples.chosen], samples.weights)
        return self._train(Splits(self._data(X, labels, samples)), weights, more=True)

    def predict(self, X: Any) -> Array:
        """The class (n_samples,) of each sample of X, as in `fit`."""
        rows = self._known_rows(X)
        return np.asarray(self.classes_[self._predictor.classes(rows)])

    def predict_proba(self, X: Any) -> Array:
        """Probabilities (n_samples, n_classes) of the classes, in the order of `classes_`."""
        rows = self._known_rows(X)
        return np.asarray(self.network_.probabilities(self._predictor.outputs(rows, "raw")[0]))

    def predict_log_proba(self, X: Any) -> Array:
        """The logarithms (n_samples, n_classes) of the probabilities."""
        with np.errstate(divide="ignore"):  # of a probability of 0, as scikit-learn has it
            return np.asarray(np.log(self.predict_proba(X)))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    def _begin(self, X: Array, rng: np.random.RandomState) -> None:
        """Make a new network for samples like X."""
        self.network_ = make_network(
            X.shape[1:],
            [str(name) for name in self.classes_],
            hidden_layer_sizes=self.hidden_layer_sizes,
            layers=self.layers,
            activation=self.activation,
            loss=self.loss,
            alpha=self.alpha,
            is_bytes=X.dtype == np.uint8,
            seed=int(rng.randint(2**31 - 1)),
        )

    def _train(self, data: Splits, weights: NDArray[np.float64] | None, *, more: bool = False) -> Self:
        """Train the network: from the start, or for one epoch `more`."""
        before = (self.history_, self._moments) if more and hasattr(self, "history_") else None
        done = len(self.history_) if before else 0
        self.history_, self._moments = train(
            self.network_,
            data,
            optimizer=make_optimizer(self.optimizer, self.learning_rate_init),
            batch_size=self.batch_size,
            max_iter=1 if more else self.max_iter,
            patience=None if more or self.n_iter_no_change == np.inf else self.n_iter_no_change,
            tol=self.tol,
            weights=weights,
            augmentation=self.augmentation,
            threads=threads(self.n_jobs),
            verbose=bool(self.verbose),
            seed=self._seed,
            before=before,
        )
        self.t_ = (self.t_ if before else 0) + len(data.train) * (len(self.history_) - done)
        self._predictor = Predictor(self.network_, threads(self.n_jobs))
        self._trained_on, self._diagnosis = data, None
        return self

    def _sample_weights(self, given: Any, X: Array) -> NDArray[np.float64] | None:
        return None if given is None else np.asarray(_check_sample_weight(given, X, dtype=np.float64))

    def _data(self, X: Array, labels: NDArray[np.int64], samples: Samples | None = None) -> Dataset:
        if samples is not None:
            X, labels = X[samples.chosen], labels[samples.chosen]
        return Dataset(X, labels, classes=self.network_.classes)

    def _known_rows(self, X: Any) -> Array:
        """X as rows that the network takes."""
        check_is_fitted(self, "history_")
        return self.network_.rows(check_samples(self, X, reset=False))
