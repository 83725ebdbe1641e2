"""Lines that users of Keras, PyTorch and scikit-learn type: each works, or is answered with how it is written here."""

from __future__ import annotations

import copy
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.data import load_dataset
from glassnet.support import habits

DIGITS = load_dataset("digits")
IMAGES, LABELS = DIGITS.train.images[:120], DIGITS.train.labels[:120]
ONE_HOT = np.eye(10)[LABELS]
NAMES = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])[LABELS]
LAYERS: list[Any] = [
    {"type": "Flatten"},
    {"type": "Pixels"},
    {"type": "Dense", "units": 16},
    "ReLU",
    {"type": "Dense", "units": 10},
]
SHAPE = (8, 8, 1)


def network(**options: Any) -> gn.Network:
    return gn.Network(LAYERS, **{"input_shape": SHAPE, "seed": 1, **options})


def fitted(**options: Any) -> tuple[gn.Network, gn.History]:
    net = network()
    return net, net.fit(IMAGES, LABELS, **{"epochs": 2, "seed": 1, "verbose": 0, **options})


# What works


def same_as_pairs(net: gn.Network) -> None:
    """A network that was fitted for two epochs is the one of fit((images, labels))."""
    other = network()
    other.fit((IMAGES, LABELS), 2, seed=1, progress=False)
    np.testing.assert_array_equal(net.parameters, other.parameters)


def fit_x_y() -> None:
    same_as_pairs(fitted()[0])


def fit_by_names() -> None:
    net = network()
    net.fit(x=IMAGES, y=LABELS, epochs=2, seed=1)
    same_as_pairs(net)
    net = network()
    net.fit(X=IMAGES, y=list(LABELS), epochs=2, seed=1)
    same_as_pairs(net)


def fit_lists() -> None:
    net = network()
    net.fit(IMAGES.tolist(), LABELS.tolist(), epochs=2, seed=1)
    same_as_pairs(net)


def fit_batch_size() -> None:
    assert fitted(batch_size=30)[1].epochs[0].steps == 4


def fit_validation_split() -> None:
    _, history = fitted(validation_split=0.2)
    assert history.epochs[0].validation_total == 23  # of each class a fifth
    assert len(history.validation_accuracy) == 2


def fit_validation_data() -> None:
    _, history = fitted(validation_data=(IMAGES[:50], LABELS[:50]))
    assert history.epochs[0].validation_total == 50


def fit_verbose(capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    fitted(verbose=0)
    assert capsys.readouterr().out == ""
    fitted(verbose=1)
    assert "Epoch" in capsys.readouterr().out


def fit_names() -> None:
    net = network()
    net.fit(IMAGES, NAMES, epochs=60, seed=1, validation_data=(IMAGES, NAMES))
    assert net.classes == tuple(sorted(set(NAMES)))
    assert net.score(IMAGES, NAMES) > 0.8
    assert (np.array(net.classes)[net.predict(IMAGES)] == NAMES).mean() == net.score(IMAGES, NAMES)
    part = NAMES == "nine"
    assert net.evaluate(IMAGES[part], NAMES[part]).confusion[net.classes.index("nine")].sum() == part.sum()


def fit_digits_as_text() -> None:
    net = network()
    net.fit(IMAGES, LABELS.astype(str), epochs=2, seed=1)
    same_as_pairs(net)


def fit_one_hot() -> None:
    for rows in (ONE_HOT, ONE_HOT.astype(int), ONE_HOT.tolist()):
        net = network()
        net.fit(IMAGES, rows, epochs=2, seed=1)
        same_as_pairs(net)
    assert net.evaluate(IMAGES, ONE_HOT).correct == net.evaluate(IMAGES, LABELS).correct


def fit_column() -> None:
    net = network()
    net.fit(IMAGES, LABELS.reshape(-1, 1), epochs=2, seed=1)
    same_as_pairs(net)


def fit_one_callback() -> None:
    # By the accuracy: the mean of the same losses in another order differs in its last digit.
    options = {"optimizer": gn.SGD(1e-12), "validation_data": (IMAGES, LABELS)}
    _, history = fitted(epochs=40, callbacks=gn.EarlyStopping(3), **options)
    assert len(history) == 4


def fit_function() -> None:
    seen: list[int] = []
    fitted(callbacks=lambda progress, epoch: seen.append(epoch.epoch))
    fitted(callbacks=[lambda progress, epoch: seen.append(progress.epochs)])
    assert seen == [1, 2, 2, 2]


def function_stops() -> None:
    assert len(fitted(epochs=5, callbacks=lambda progress, epoch: progress.stop("enough"))[1]) == 1


def fit_learns() -> None:
    net, history = fitted(epochs=60)
    assert isinstance(net.loss, gn.SoftmaxCrossEntropy)
    assert history.train_accuracy[-1] > 0.8
    assert net.predict_proba(IMAGES).sum(axis=1) == pytest.approx(1)


def evaluate_x_y() -> None:
    net, _ = fitted()
    assert net.evaluate(IMAGES, LABELS).correct == net.evaluate((IMAGES, LABELS)).correct
    assert net.evaluate(x=IMAGES, y=LABELS).total == 120


def score_x_y() -> None:
    net, _ = fitted()
    assert net.score(IMAGES, LABELS) == net.score(DIGITS.train[:120]) == net.evaluate((IMAGES, LABELS)).accuracy


def optimizer_by_name() -> None:
    net, _ = fitted(optimizer="adam")
    same_as_pairs(net)
    assert len(fitted(optimizer="sgd")[1]) == 2
    assert len(fitted(optimizer="rmsprop")[1]) == 2


def losses_by_name() -> None:
    for name in ("categorical_crossentropy", "sparse_categorical_crossentropy", "softmax_cross_entropy"):
        assert isinstance(network(loss=name).loss, gn.SoftmaxCrossEntropy)
    assert isinstance(network(loss="mse").loss, gn.Quadratic)
    assert isinstance(network(loss="binary_crossentropy").loss, gn.BinaryCrossEntropy)


def weight_and_bias() -> None:
    net = network()
    dense = net.layers[2]
    assert dense.weight is dense.parameters["weight"]
    assert dense.bias.shape == (16,)
    before = net(IMAGES)
    dense.weight = np.zeros((64, 16))
    assert not net.parameters[: 64 * 16].any()
    assert (net(IMAGES) != before).any()


def weights_and_back() -> None:
    net, _ = fitted()
    other = network(seed=2)
    assert [array.shape for array in net.get_weights()] == [(64, 16), (16,), (16, 10), (10,)]
    other.set_weights(net.get_weights())
    np.testing.assert_array_equal(other(IMAGES), net(IMAGES))
    other.get_weights()[0][...] = 0  # copies
    np.testing.assert_array_equal(other.parameters, net.parameters)


def summary() -> None:
    net = network()
    assert repr(net.summary()) == str(net.summary()) == str(net)
    assert "Dense(units=16" in net.summary()
    assert "1,210" in net.summary()


def history_history() -> None:
    _, history = fitted(validation_split=0.5)
    assert set(history.history) == {"loss", "accuracy", "val_loss", "val_accuracy"}
    assert history.history["loss"] == history.train_cost
    assert history.history["val_accuracy"] == history.validation_accuracy
    assert set(fitted()[1].history) == {"loss", "accuracy"}


def history_plot() -> None:
    axes = fitted(epochs=3)[1].plot().axes
    assert [list(axis.lines[0].get_xdata()) for axis in axes] == [[1, 2, 3]] * 2


def copies() -> None:
    net, _ = fitted()
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin.predict(IMAGES), net.predict(IMAGES))
        twin.parameters = 0 * twin.parameters
        assert net.parameters.any()


def joblib_file(tmp_path: Path) -> None:
    joblib = pytest.importorskip("joblib", reason="joblib comes with scikit-learn")
    net, _ = fitted()
    wanted = net.predict_proba(IMAGES)
    joblib.dump(net, tmp_path / "net.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "net.joblib").predict_proba(IMAGES), wanted)


def save_and_load(tmp_path: Path) -> None:
    net, _ = fitted()
    net.save(str(tmp_path / "m.safetensors"))
    np.testing.assert_array_equal(gn.Network.load(tmp_path / "m.safetensors").parameters, net.parameters)


def regression() -> None:
    net = gn.Network([gn.Dense(1)], input_shape=(2,), seed=1)
    x = np.random.default_rng(0).random((200, 2))
    net.fit(x, x @ [[2.0], [-1.0]], epochs=200, optimizer=gn.Adam(0.05), seed=1)
    assert isinstance(net.loss, gn.Quadratic)
    assert net.layers[0].weight.ravel() == pytest.approx([2, -1], abs=0.05)


def two_classes() -> None:
    net = gn.Network([gn.Flatten(), gn.Pixels(), gn.Dense(1)], input_shape=SHAPE, seed=1)
    net.fit(IMAGES, LABELS > 4, epochs=200, seed=1)
    assert isinstance(net.loss, gn.BinaryCrossEntropy)
    assert net.score(IMAGES, LABELS > 4) > 0.8


def shorthand_learns() -> None:
    net = gn.Network([64, 30, 10], seed=1)
    net.fit(DIGITS.train.images, DIGITS.train.labels, seed=1)
    assert net.score(DIGITS.train) > 0.9


WORKS: list[Callable[..., None]] = [
    fit_x_y, fit_by_names, fit_lists, fit_batch_size, fit_validation_split, fit_validation_data, fit_verbose, fit_names,
    fit_digits_as_text, fit_one_hot, fit_column, fit_one_callback, fit_function, function_stops, fit_learns, evaluate_x_y,
    score_x_y, optimizer_by_name, losses_by_name, weight_and_bias, weights_and_back, summary, history_history, history_plot,
    copies, joblib_file, save_and_load, regression, two_classes, shorthand_learns,
]  # fmt: skip


@pytest.mark.parametrize("line", WORKS, ids=lambda line: line.__name__)
def test_it_works(line: Callable[..., None], request: pytest.FixtureRequest) -> None:
    line(**{name: request.getfixturevalue(name) for name in inspect.signature(line).parameters})


# What is answered: the line, and what its answer says

ANSWERED: list[tuple[str, str]] = [
    ("gn.Adam(lr=0.1)", "learning_rate=…"),
    ("gn.Adam(beta_1=0.9)", "beta1=…"),
    ("gn.SGD(momentm=0.9)", "did you mean 'momentum'?"),
    ("gn.Dense(30, activation='relu')", "[Dense(30), ReLU()]"),
    ("gn.Dense()", "missing a required argument: 'units'"),
    ("gn.Dense(30, input_dim=784)", "Network(layers, input_shape=(28, 28, 1))"),
    ("gn.Dense(30, input_shape=(784,))", "Network(layers, input_shape=(28, 28, 1))"),
    ("gn.Dense(30, kernel_initializer='he_normal')", "initializer=…"),
    ("gn.Dense(30, kernel_regularizer='l2')", "regularizer=L2(0.0001)"),
    ("gn.Conv2D(20, 5, padding='SAME')", "did you mean 'same'?"),
    ("gn.Conv2D(20, 5, stride=2)", "strides=…"),
    ("gn.Conv2D(20, 5, activation='relu')", "[Dense(30), ReLU()]"),
    ("gn.Dropout(p=0.2)", "rate=…"),
    ("gn.LeakyReLU(alpha=0.1)", "slope=…"),
    ("gn.EarlyStopping(monitor='val_loss', patience=3)", "it follows the validation accuracy"),
    ("gn.EarlyStopping(patience=3, restore_best_weights=True)", "keep='best'"),
    ("gn.Sequential([gn.Dense(10)])", "a network is a list of layers"),
    ("gn.layers.Dense(10)", "gn.Dense"),
    ("gn.load_model('m.h5')", "Network.load('model.safetensors')"),
    ("gn.to_categorical([1, 2])", "class indices, names or one-hot rows"),
    ("gn.Convolution2D(20, 5)", "did you mean 'Conv2D'?"),
    ("gn.MaxPooling2D(2)", "did you mean 'MaxPool2D'?"),
    ("gn.BatchNormalization()", "did you mean 'BatchNorm'?"),
    ("gn.ModelCheckpoint('m.h5')", "checkpoint='file'"),
    ("gn.Network(['relu'], input_shape=(3,))", "did you mean 'ReLU'?"),
    ("gn.Network([gn.Flatten, gn.Dense(3)], input_shape=(3,))", "Flatten(…)"),
    ("gn.Network(gn.Dense(3), input_shape=(3,))", "[784, 30, 10]"),
    ("gn.Network([784, 10], optimizer='adam')", "optimizer=Adam(learning_rate=0.001)"),
    ("gn.Network([784, 10], random_state=0)", "seed=…"),
    ("gn.Network(hidden_layer_sizes=(100,))", "Network([784, 100, 10])"),
    ("gn.Network([gn.Conv2D(3, 3)], input_shape=(1, 28, 28))", "the channels come last"),
    ("gn.Network([784, 10**9, 10])", "fewer units"),
    ("gn.Network([gn.Dense(10**7)], input_shape=(10**7,))", "fewer units"),
    ("network().compile(optimizer='adam', loss='mse', metrics=['accuracy'])", "nothing to compile"),
    ("network().add(gn.Dense(3))", "a network is a list of layers"),
    ("network().predict_proba(IMAGES, novelty=True)", "net.novelty(images), net.is_novel(images)"),
    ("network().predict_classes(IMAGES)", "net.predict(images) gives class indices"),
    ("network().coef_", "net.layers[i].weight"),
    ("network().weights", "net.get_weights()"),
    ("network().predcit(IMAGES)", "did you mean 'predict'?"),
    ("network().layers[2].kernel", "net.layers[i].weight"),
    ("network().layers[2].wieght", "did you mean 'weight'?"),
    ("network().set_weights([np.zeros(3)])", "(64, 16)"),
    ("network().save('m.h5')", "'m.safetensors'"),
    ("network().save('m.keras')", "'m.safetensors'"),
    ("network().fit(IMAGES, LABELS, n_epochs=3)", "epochs=…"),
    ("network().fit(IMAGES, LABELS, epoch=3)", "epochs=…"),
    ("network().fit(IMAGES, LABELS, lr=0.1)", "optimizer=Adam(learning_rate=0.001)"),
    ("network().fit(IMAGES, LABELS, metrics=['accuracy'])", "loss and accuracy of each epoch"),
    ("network().fit(IMAGES, LABELS, shuffle=True)", "shuffles"),
    ("network().fit(IMAGES, LABELS, loss='mse')", "Network(layers, loss="),
    ("network().fit(IMAGES, LABELS, optimizer=gn.Adam)", "Adam(…)"),
    ("network().fit(IMAGES, LABELS, optimizer='adm')", "did you mean 'Adam'?"),
    ("network().fit(IMAGES, LABELS, callbacks=gn.EarlyStopping)", "EarlyStopping()"),
    ("network().fit(IMAGES, LABELS, callbacks=lambda epoch: None)", "function (progress, epoch)"),
    ("network().fit(IMAGES)", "a Dataset, or (images, labels)"),
    ("network().fit()", "missing a required argument: 'train'"),
    ("network().fit(IMAGES, LABELS, validation_split=0.2, validation_data=(IMAGES, LABELS))", "one of validation"),
    ("network().fit(IMAGES, LABELS, validation_split=1.5)", "0 < share < 1"),
    ("network().fit(IMAGES, np.where(LABELS > 4, 'high', 'low'))", "give the last Dense layer 2 units"),
    ("network(classes=list('abcdefghij')).evaluate(IMAGES, NAMES)", "a, b, c"),
    ("network().fit(np.zeros((4, 1, 8, 8)), [0, 1, 2, 3])", "images.transpose(0, 2, 3, 1)"),
    ("network().fit(255.0 * IMAGES / IMAGES.max(), LABELS)", "images.astype('uint8')"),
    ("network().predict(255.0 * IMAGES / IMAGES.max())", "images.astype('uint8')"),
    ("network(dtype='float64').predict(255.0 * IMAGES / IMAGES.max())", "images.astype('uint8')"),
    ("gn.Network([64, 10]).evaluate(16.0 * IMAGES / IMAGES.max(), LABELS)", "images / images.max()"),
    ("rgb().predict(np.zeros((4, 3, 16, 16)))", "images.transpose(0, 2, 3, 1)"),
    ("network().predict(images=IMAGES, batch_size=32)", "images"),
    ("gn.Dataset(IMAGES, LABELS, class_names=['a'])", "classes=…"),
    ("gn.load_dataset('digits', validation_split=0.2)", "fractions"),
    ("gn.train('digits', lr=0.1)", "learning_rate"),
]  # fmt: skip


def rgb() -> gn.Network:
    return gn.Network([gn.Flatten(), gn.Dense(2)], input_shape=(16, 16, 3))


@pytest.mark.parametrize(("line", "answer"), ANSWERED, ids=[line for line, _ in ANSWERED])
def test_it_is_answered(line: str, answer: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(gn.GlassnetError) as caught:
        eval(line)
    assert answer in str(caught.value)
    assert not list(tmp_path.iterdir())  # nothing half-written


def test_there_are_forty() -> None:
    assert len(WORKS) + len(ANSWERED) >= 40


def test_answers_name_what_there_is() -> None:
    """Own names in the tables exist, and no foreign one has become a name of glassnet."""
    assert not set(habits.NAMES) & (set(dir(gn)) - {"train"}), "a name that glassnet has by now needs no answer"
    assert not [name for name in habits.NAMES if name in vars(gn.Network)]


def test_attributes_that_are_probed_for() -> None:
    """Python and notebooks ask for names that need not be there."""
    net = network()
    assert not hasattr(net, "_repr_png_")
    assert not hasattr(net, "compile")
    assert not hasattr(gn, "Sequential")
    assert getattr(net.layers[0], "slope", 0.5) == 0.5


def test_dir_shows_the_public_names() -> None:
    from glassnet import nn  # noqa: F401  # submodules that were imported are not shown

    assert dir(gn) == sorted(gn.__all__)
    assert not [name for name in dir(gn) if name.startswith("_") or name in ("nn", "errors", "lazy_loader", "Any")]
    assert all(getattr(gn, name) is not None for name in dir(gn))
