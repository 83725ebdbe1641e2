"""Figures of results: what is drawn is what was measured."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from glassnet.data import Dataset
from glassnet.errors import InputError
from glassnet.network import Network
from glassnet.nn import Conv2D, Dense, Flatten, Pixels, ReLU
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.nn.metrics import Evaluation, calibrate, wilson
from glassnet.present import figures
from glassnet.present.figures.base import power, texts_of
from glassnet.present.figures.images import as_colours, heat, signed_colours, stretched
from glassnet.present.figures.weights import layers_with_images, weight_images
from glassnet.training import History
from glassnet.training.history import Epoch

Array = np.ndarray[Any, Any]


def history(epochs: int = 3, **changes: Any) -> History:
    rows = [
        Epoch(
            n, 1 / n, 0.5 + 0.1 * n, 2 / n, 0.4 + 0.1 * n, 4, 10, 0.1, 1.0, {"dense1.weight": 0.1 * n, "dense1.bias": 3.0}, {}
        )
        for n in range(1, epochs + 1)
    ]
    return History([replace(row, **changes) for row in rows])


@pytest.fixture(scope="module")
def network() -> Network:
    layers = [Pixels(), Conv2D(4, 3), ReLU(), Flatten(), Dense(6), ReLU(), Dense(3)]
    return Network(layers, loss=SoftmaxCrossEntropy(), input_shape=(8, 6, 1), seed=1)


@pytest.fixture(scope="module")
def data() -> Dataset:
    rng = np.random.default_rng(0)
    return Dataset(rng.integers(0, 256, (30, 8, 6, 1)).astype(np.uint8), np.arange(30) % 3, classes=("零", "一", "<b>"))


def lines(figure: Any) -> dict[str, Array]:
    return {line.get_label(): np.asarray(line.get_ydata()) for line in figure.axes[0].lines}


def test_curves_are_the_history() -> None:
    found = lines(figures.cost_figure(history()))
    np.testing.assert_allclose(found["training"], [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(found["validation"], [2, 1, 2 / 3])
    np.testing.assert_allclose(lines(figures.accuracy_figure(history()))["validation"], [50, 60, 70])
    assert list(lines(figures.gradients_figure(history()))) == ["dense1"]
    np.testing.assert_allclose(lines(figures.gradients_figure(history()))["dense1"], [0.1, 0.2, 0.3])


def test_curves_without_validation_and_of_one_epoch() -> None:
    found = figures.cost_figure(history(1, validation_cost=None))
    assert list(lines(found)) == ["training"]
    assert found.axes[0].lines[0].get_marker() == "o"


def test_costs_that_are_not_finite_are_said_to_be() -> None:
    found = figures.cost_figure(history(train_cost=float("nan"), validation_cost=float("inf")))
    assert [text.get_text() for text in found.axes[0].texts] == ["no finite values"]


def test_dots_and_their_intervals() -> None:
    result = Evaluation(0.1, 9, 12, np.array([[5, 1, 0], [2, 4, 0], [0, 0, 0]]), ("a", "b", "c"))
    axes = figures.class_accuracy_figure(result).axes[0]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["a", "b"]  # c has no images
    assert axes.lines[0].get_xdata() == pytest.approx([500 / 6, 400 / 6])
    low, high = wilson(5, 6)
    ends = axes.collections[0].get_segments()[0]
    assert ends[:, 0] == pytest.approx([100 * low, 100 * high])


def test_of_many_classes_the_worst_are_shown() -> None:
    count = 40
    confusion = np.diag(np.full(count, 10))
    confusion[7] = 0
    confusion[7, 8] = 10
    axes = figures.class_accuracy_figure(Evaluation(0.1, 390, 400, confusion, tuple(map(str, range(count))))).axes[0]
    assert len(axes.lines[0].get_xdata()) == 30
    assert axes.get_yticklabels()[0].get_text() == "7"


def test_confusion_shows_the_counts() -> None:
    result = Evaluation(0.1, 9, 12, np.array([[5, 1], [0, 4]]), ("a", "b"))
    texts = {text.xy: text.get_text() for text in figures.confusion_figure(result).axes[0].texts}
    assert texts == {(0, 0): "5", (1, 0): "1", (1, 1): "4"}


def test_calibration_is_drawn_where_there_are_images() -> None:
    result = calibrate(np.array([[0.95, 0.05], [0.65, 0.35], [0.62, 0.38]]), np.array([0, 0, 1]))
    top, bottom = figures.calibration_figure(result).axes
    assert top.lines[1].get_xdata() == pytest.approx([63.5, 95])
    assert top.lines[1].get_ydata() == pytest.approx([50, 100])
    assert [bar.get_height() for bar in bottom.patches] == result.counts.tolist()
    assert [text.get_text() for text in bottom.texts if text.get_text()] == ["2", "1"]  # how many images, above their bars


def test_weights_as_images(network: Network) -> None:
    assert layers_with_images(network) == ["conv2d1"]
    found = weight_images(network, "conv2d1")
    assert len(found) == 4
    weight = network.parameters[:36].reshape(3, 3, 4)
    for unit, image in enumerate(found):
        red, blue = image[..., 0].astype(int), image[..., 2].astype(int)
        np.testing.assert_array_equal(red >= blue, weight[..., unit] >= -1e-9)
    dense = Network([Flatten(), Pixels(), Dense(5), Dense(2)], input_shape=(4, 3, 3), seed=1)
    assert layers_with_images(dense) == ["dense1"]  # the second reads no pixels
    assert weight_images(dense, "dense1")[0].shape == (4, 3, 3)
    with pytest.raises(InputError, match="can't be drawn as images") as error:
        weight_images(network, "dense1")
    assert error.value.expected == "conv2d1"


def test_colours_by_hand() -> None:
    assert as_colours(np.array([[[7], [200]]], dtype=np.uint8)).tolist() == [[[7] * 3, [200] * 3]]
    assert as_colours(np.array([[[0.0], [0.5]]])).tolist() == [[[0] * 3, [128] * 3]]
    assert as_colours(np.array([[[-1.0], [3.0]]])).tolist() == [[[0] * 3, [255] * 3]]
    faint = np.array([[[100], [150], [110]]], dtype=np.uint8)
    assert stretched(faint)[0, :, 0].tolist() == [0, 255, 51]
    assert stretched(np.zeros((2, 2, 1), dtype=np.uint8)).max() == 0
    assert stretched(np.repeat(faint, 3, axis=2)).tolist() == np.repeat(faint, 3, axis=2).tolist()  # a photograph
    blue, white, red = signed_colours(np.array([-2.0, 0.0, 2.0])).astype(int)
    assert blue[2] > blue[0]
    assert red[0] > red[2]
    assert white.min() > 240
    hot = heat(np.array([[-5.0, 0.0, 1.0]])).astype(int).sum(axis=2)[0]
    assert hot[0] == hot[1] < hot[2]


@pytest.mark.filterwarnings("error")
def test_every_explanation_has_its_figure(network: Network, data: Dataset, tmp_path: Path) -> None:
    images = data.images[:3]
    network.classes = ("零", "一", "<b>")
    found = {
        "saliency": figures.saliency_figure(network, images),
        "occlusion": figures.occlusion_figure(network, images),
        "nearest": figures.nearest_figure(network, images, data, count=2),
        "typical": figures.typical_input_figure(network, ["conv2d1.0", "dense2.1"]),
        "maps": figures.activations_figure(network, images[0], "conv2d1"),
        "bars": figures.activations_figure(network, images[0], "dense1"),
        "weights": figures.weights_figure(network),
    }
    panels = {name: len(figure.axes) for name, figure in found.items()}
    assert panels == {"saliency": 6, "occlusion": 6, "nearest": 9, "typical": 2, "maps": 4, "bars": 1, "weights": 4}
    for name, figure in found.items():
        figures.save_figure(figure, tmp_path / f"{name}.svg")
        assert (tmp_path / f"{name}.svg").read_bytes().startswith(b"<?xml")
    figures.save_figure(found["bars"], str(tmp_path / "bars.png"))  # a name will do
    assert (tmp_path / "bars.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_no_image_is_refused() -> None:
    flat = Network([Dense(3)], input_shape=(6,), seed=1)
    with pytest.raises(InputError, match="Only images can be drawn"):
        figures.saliency_figure(flat, np.ones((2, 6), dtype=np.float32))
    with pytest.raises(InputError, match="can't be drawn as images"):
        figures.weights_figure(flat)
    with pytest.raises(InputError, match="Only images can be drawn"):
        figures.images_figure([])
    with pytest.raises(InputError, match="not measured") as error:
        figures.activation_statistics_figure({"relu1": {"mean": [1.0]}}, "spread")
    assert error.value.expected == "mean"


# ------------------------------------------------------------------ what the eye would stumble over


def test_scales_show_the_difference_of_good_results_and_say_so() -> None:
    rows = [
        Epoch(n, 1 / n, accuracy - 0.002, 2 / n, accuracy, 4, 10, 0.1, 1.0, {}, {})
        for n, accuracy in enumerate([0.1, 0.98, 0.99, 0.995, 0.997], 1)
    ]
    axes = figures.accuracy_figure(History(rows)).axes[0]
    assert axes.get_ylim() == pytest.approx((97.5, 100), abs=0.06)  # from the second epoch on
    assert axes.get_title(loc="left") == "accuracy, %; axis from 97.5 %"
    flat = figures.accuracy_figure(history(train_accuracy=0.098, validation_accuracy=0.099)).axes[0]
    assert np.ptp(flat.get_ylim()) >= 1  # noise does not fill the chart
    good = np.diag([400, 400])
    good[0] = 392, 8
    axes = figures.class_accuracy_figure(Evaluation(0.1, 792, 800, good, ("a", "b"))).axes[0]
    assert 80 < axes.get_xlim()[0] < 98
    assert axes.get_title(loc="left") == f"accuracy of each class, %; axis from {axes.get_xlim()[0]:g} %"


def test_each_line_has_its_label_beside_its_end_and_no_two_overlap() -> None:
    norms = {f"dense{n}.weight": 1 + 0.001 * n for n in range(1, 9)}
    figure = figures.gradients_figure(history(gradient_norms=norms))
    axes = figure.axes[0]
    assert axes.get_legend() is None
    assert sorted(text.get_text() for text in axes.texts) == sorted(name.removesuffix(".weight") for name in norms)
    figure.draw_without_rendering()
    boxes = sorted((Text.get_window_extent(text) for text in axes.texts), key=lambda box: float(box.y0))
    assert all(above.y0 >= below.y1 - 1 for below, above in itertools.pairwise(boxes))
    right = axes.get_window_extent().x1
    assert all(box.x0 >= right and box.x1 <= figure.bbox.x1 for box in boxes)


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_few_epochs_are_marked_whole(epochs: int, network: Network, data: Dataset) -> None:
    drawn = [figures.training_figure(history(epochs), network, data), figures.cost_figure(history(epochs))]
    for axes in (drawn[0].axes[0], drawn[0].axes[1], drawn[1].axes[0]):
        low, high = axes.get_xlim()
        marks = [mark for mark in axes.get_xticks() if low <= mark <= high]
        assert set(range(1, epochs + 1)) <= set(marks)
        assert all(mark == round(mark) for mark in marks)


def test_long_names_of_classes_do_not_run_into_each_other(network: Network, data: Dataset) -> None:
    kept, network.classes = network.classes, ("a long name of a class", "b", "another long name of a class")
    try:
        shown = figures.training_figure(history(), network, data)
    finally:
        network.classes = kept
    titles = [line for text in shown.axes[2].texts for line in text.get_text().splitlines()]
    assert any("…" in title for title in titles)
    assert max(map(len, titles)) <= len("is ") + 14


@pytest.mark.parametrize(("value", "text"), [(1, "1"), (0.0001, "0.0001"), (1e-5, "10⁻⁵"), (2e-12, "2·10⁻¹²"), (1e6, "10⁶")])
def test_small_numbers_on_axes_are_powers_of_ten(value: float, text: str) -> None:
    assert power(value) == text


def test_all_texts_are_found_without_making_the_numbers_at_ticks(network: Network, data: Dataset) -> None:
    shown = figures.training_figure(history(), network, data, "name")
    shown.axes[0].set_yticks([0, 1], ["low", "high"])
    drawn = {text.get_text() for text in shown.findobj(Text) if isinstance(text, Text) and text.get_text()}
    found = {text.get_text() for text in texts_of(shown) if text.get_text()}
    assert {"name", "loss", "epoch", "low", "high"} <= found
    assert all(text.replace(".", "").replace("−", "").isdigit() for text in drawn - found), drawn - found


def test_margins_leave_room_for_long_names() -> None:
    names = ("a", "a class with a name that is far too long to be drawn", "ein Name, der lang ist")
    figure = figures.class_accuracy_figure(Evaluation(0.1, 5, 6, np.diag([2, 2, 1]) + np.eye(3, k=1, dtype=int), names))
    FigureCanvasAgg(figure).draw()
    for label in figure.axes[0].get_yticklabels():
        assert label.get_window_extent().x0 >= 0, label.get_text()


def test_no_interval_strikes_out_a_number() -> None:
    result = Evaluation(0.1, 2, 4, np.array([[0, 2], [0, 2]]), ("a", "b"))
    axes = figures.class_accuracy_figure(result).axes[0]
    assert {text.get_text() for text in axes.texts} == {"0", "100"}
    assert all(text.get_position()[0] > 100 for text in axes.texts)


def test_a_comparison_shows_each_seed_and_what_lies_far_below() -> None:
    from glassnet.analysis.comparison.result import Comparison, Entrant
    from glassnet.support.i18n import same

    rng = np.random.default_rng(0)
    parts = [
        Entrant(name=same(name), right=rng.random((k, 2000)) < p, seeds=seeds, training=1.0, prediction=1e-6, size=100)
        for name, k, p, seeds in (("a", 3, 0.97, (0, 1, 2)), ("b", 1, 0.96, None), ("c", 1, 0.95, None), ("d", 1, 0.1, None))
    ]
    found = Comparison.of(parts, "test")
    figure = figures.comparison_figure(found)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a, 3 seeds", "b", "c", "d"]
    low, high = axes.get_xlim()
    assert 90 <= low < 95 < 97 < high <= 100
    texts = [text.get_text() for text in axes.texts]
    assert f"← {100 * found.entrants[-1].accuracy:.1f} %" in texts
    assert texts[:3] == [f"{100 * entrant.accuracy:.2f}" for entrant in found.entrants[:3]]
    dots = [line for line in axes.lines if line.get_marker() == "."]
    np.testing.assert_allclose(dots[0].get_xdata(), 100 * parts[0].right.mean(axis=1))
    assert "2,000 test images" in axes.get_title(loc="left")
