"""What a trace picks, says and refuses; its lines of code; its path through every kind of layer; its page."""

from __future__ import annotations

import itertools
import linecache
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.gradient_check import check_gradients, rows, table
from glassnet.analysis.trace.html import _equation, _lowered
from glassnet.errors import InputError
from glassnet.nn import LAYERS

Array = np.ndarray[Any, Any]
RNG = np.random.default_rng(1)
DATA = gn.Dataset(RNG.integers(0, 256, (6, 8, 8, 1)).astype(np.uint8), np.arange(6) % 3, ("cat", "dog", "owl"))

NETWORKS: dict[str, tuple[list[Any], Any]] = {
    "pools": (
        [gn.Scale(1 / 255), gn.Conv2D(4, 3, strides=2, padding="same"), gn.GELU(), gn.AveragePool2D(2), gn.LayerNorm(),
         gn.GlobalAveragePool2D(), gn.Dense(3), gn.Softmax()],
        gn.SoftmaxCrossEntropy(),
    ),
    "branches": (
        [gn.Pixels(), gn.Residual([gn.Conv2D(4, 3, padding="same"), gn.Swish(), gn.Conv2D(4, 3, padding="same")]),
         gn.Concatenate([[gn.Conv2D(2, 1)], [], [gn.MaxPool2D(3, strides=1, padding="same"), gn.BatchNorm()]]),
         gn.GlobalMaxPool2D(), gn.Dense(3), gn.Sigmoid()],
        gn.BinaryCrossEntropy(),
    ),
    "flat": (
        [gn.Standardize(), gn.Flatten(), gn.Residual([gn.Dense(5), gn.LeakyReLU(0.1)]), gn.Dropout(0.5), gn.Dense(4),
         gn.Tanh(), gn.Dense(3), gn.Sigmoid()],
        gn.Quadratic(),
    ),
    "relu": ([gn.Pixels(), gn.Flatten(), gn.Dense(6), gn.ReLU(), gn.Dense(3)], gn.Quadratic()),
    "gru": ([gn.Pixels(), gn.GRU(5, return_sequences=True), gn.GRU(4), gn.Dense(3)], gn.SoftmaxCrossEntropy()),
    "lstm": ([gn.Pixels(), gn.LSTM(5, return_sequences=True), gn.LSTM(4), gn.Dense(3)], gn.SoftmaxCrossEntropy()),
    "rnn": (
        [gn.Pixels(), gn.SimpleRNN(5, return_sequences=True), gn.SimpleRNN(4, activation="relu"), gn.Dense(3)], gn.Quadratic()
    ),
}  # fmt: skip


def made(name: str) -> gn.Network:
    layers, loss = NETWORKS[name]
    network = gn.Network(layers, loss=loss, input_shape=(8, 8, 1), seed=2, regularizer=gn.L2(0.01))
    network.fit(DATA, 1, optimizer=gn.SGD(0.1), seed=0, progress=False)
    return network


def test_every_kind_of_layer_is_traced() -> None:
    kinds = {type(layer).__name__ for layers, _ in NETWORKS.values() for top in layers
             for layer in (top, *(one for branch in top.branches for one in branch))}  # fmt: skip
    assert set(LAYERS) == kinds


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_a_weight_of_every_array_of_every_network(name: str) -> None:
    """The gradient at the end of the chain of steps is that of the definition, whichever weight is followed."""
    network, rng = made(name), np.random.default_rng(0)
    for slot in network.slots:
        index = [int(rng.integers(size)) for size in slot.shape]
        trace = gn.trace(network, 4, data=DATA, weight=".".join([slot.name, *map(str, index)]))
        assert trace.gradient == pytest.approx(trace.numerical, rel=1e-5, abs=2e-9)
        assert trace.cost_before == pytest.approx(
            float(network.evaluate((DATA.images[4:5], DATA.labels[4:5])).loss), rel=1e-4
        )
        backward = [step for step in trace.steps if step.phase == "backward"]
        assert backward[0].tag == "BP1"
        assert backward[-1].tag in ("BP3", "BP4")
        first = backward[-1].numbers[0][0]
        assert not isinstance(first, str)
        assert first.value == trace.gradient


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_nothing_of_the_page_stays_english_in_chinese(name: str, english_left: Callable[[str], list[str]]) -> None:
    network = made(name)
    names = {"cat", "dog", "owl"}
    for optimizer in (gn.SGD(0.1, momentum=0.5, clip_norm=1e-3), gn.AdamW(), gn.Muon(weight_decay=0.1)):
        text = gn.trace(network, 1, data=DATA, optimizer=optimizer).html()
        assert [left for left in english_left(text) if left not in names] == []


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_what_one_step_gives_the_next_one_takes(name: str) -> None:
    """Forward, an output is the input of the layer above; backward, ∂C/∂x of a layer is ∂C/∂y of the one below."""
    trace = gn.trace(made(name), 1, data=DATA)
    forward = [step for step in trace.steps if step.phase == "forward"]
    for below, above in itertools.pairwise(forward):
        if below.place == above.place and len(above.shown) == 2:
            continue  # the last state of a recurrent layer, which may be steps away from the one shown
        given = {round(number.value, 12) for number in below.shown}
        assert given & {round(number.value, 12) for number in above.shown}, (below.place, above.place)
    assert [step.place for step in forward][-1] == list(made(name).names)[-1]


SIGNS = {
    "tanh²(": "squared_tanh(", "·": "*", "−": "-", "²": "**2", "σ(": "sigmoid(", "Φ(": "phi(", "φ(": "density(", "√": "sqrt",
    "½": "0.5", "e^": "exp", "(other channels)": "", "[": "(", "]": ")",
}  # fmt: skip
FUNCTIONS: dict[str, Callable[..., float]] = {
    "tanh": math.tanh, "squared_tanh": lambda x: math.tanh(x) ** 2, "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "max": max,
    "sqrt": math.sqrt, "exp": math.exp, "ln": math.log, "phi": lambda x: (1 + math.erf(x / math.sqrt(2))) / 2,
    "density": lambda x: math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_line_of_numbers_is_true(name: str) -> None:
    check_lines(gn.trace(made(name), 1, data=DATA, optimizer=gn.SGD(0.1, momentum=0.5)))


def test_each_line_of_a_softmax_inside_the_network_is_true() -> None:
    """Its input acts on all outputs: the path may leave by another one."""
    layers = [gn.Pixels(), gn.Flatten(), gn.Dense(4), gn.Tanh(), gn.Dense(3), gn.Softmax()]
    network = gn.Network(layers, loss=gn.Quadratic(), input_shape=(8, 8, 1), seed=2)
    traces = [gn.trace(network, 1, data=DATA, unit=f"dense2.{unit}") for unit in range(3)]
    for trace in traces:
        check_lines(trace)
    notes = [step.note for trace in traces for step in trace.steps if (step.place, step.phase) == ("softmax1", "forward")]
    assert any(note is not None and "comes from input" in note.en for note in notes)


def check_lines(trace: gn.Trace) -> None:
    """What stands to the right of the equals sign, computed, is what stands to its left."""
    for step in trace.steps:
        for line in step.numbers if step.phase in ("forward", "cost", "backward") else ():
            first, *rest = itertools.dropwhile(lambda part: isinstance(part, str), line)
            text = "".join(part if isinstance(part, str) else f"({part.value!r})" for part in rest)
            assert text.startswith(" = "), line
            text = re.sub(r" \(\S+ more\)", "", text)  # how many there are, behind their sum
            for sign, code in SIGNS.items():
                text = text.replace(sign, code)
            wanted = eval(text[3:], {"__builtins__": {}}, FUNCTIONS)
            assert not isinstance(first, str)
            assert first.value == pytest.approx(wanted, rel=1e-5, abs=1e-7), (step.place, line)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_line_of_code_stands_where_it_is_said_to(name: str) -> None:
    root = Path(gn.__file__).parent
    for optimizer in (gn.SGD(0.1, momentum=0.5), gn.RMSprop(), gn.AdamW(), gn.Muon(weight_decay=0.1), gn.Muon(sgd=("*",))):
        for step in gn.trace(made(name), 0, data=DATA, optimizer=optimizer).steps:
            assert step.sources
            for source in step.sources:
                first = linecache.getline(str(root / source.file), source.line).strip()
                assert first
                assert source.text.startswith(first)
                names = {code for symbol in step.symbols for code in symbol.code}
                in_any = " ".join(one.text for one in step.sources)
                assert not names or any(re.search(rf"\b{code}\b", in_any) for code in names), (step.place, step.title.en)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_each_symbol_of_an_equation_is_known_and_marked(name: str) -> None:
    for step in gn.trace(made(name), 0, data=DATA).steps:
        keys = set(re.findall(r"\{(\w+)\}", step.equation))
        assert keys <= {symbol.key for symbol in step.symbols}, step.title.en
        assert "{" not in step.plain_equation
        assert keys & {number.symbol for number in step.shown}, step.title.en


# ------------------------------------------------------------------ what is chosen


def test_the_default_is_the_largest_gradient_of_the_first_layer_that_learns() -> None:
    network = made("relu")
    trace = gn.trace(network, 2, data=DATA)
    _, gradient = network.loss_and_gradient(DATA.images[2:3], DATA.labels[2:3])
    slot = network.slots[0]
    plain = gradient - network.regularizer.rates[1] * np.where(np.arange(gradient.size) < slot.size, network.parameters, 0)
    place = int(np.abs(plain[: slot.size]).argmax())
    assert trace.weight == f"dense1.weight[{place // 6}, {place % 6}]"
    assert trace.gradient == pytest.approx(plain[place], rel=1e-6)
    assert "largest gradient of dense1" in trace.why.en


def test_a_unit_takes_its_strongest_weight_and_the_path_goes_through_it() -> None:
    network = made("flat")
    for unit, place in (("dense2.2", "dense2"), ("tanh1.1", "dense1"), ("residual1.0.leakyrelu1.2", "residual1.0.dense1")):
        trace = gn.trace(network, 0, data=DATA, unit=unit)
        layer, _, number = unit.rpartition(".")
        assert any(step.place == layer and number in step.title.en for step in trace.steps)
        assert trace.weight.startswith(f"{place}.weight[") or layer == "tanh1"
    trace = gn.trace(network, 0, data=DATA, unit="tanh1.1")
    assert re.fullmatch(r"dense1\.weight\[\d+, 1\]", trace.weight)


def test_bracketed_names_are_understood_as_they_are_printed() -> None:
    network = made("relu")
    assert gn.trace(network, 0, data=DATA, weight="dense2.weight[4, 1]").weight == "dense2.weight[4, 1]"
    assert gn.trace(network, 0, data=DATA, weight="dense2.4.1").weight == "dense2.weight[4, 1]"
    assert gn.trace(network, 0, data=DATA, weight="dense2.bias.1", unit="dense2.1").weight == "dense2.bias[1]"


def test_the_network_is_left_as_it_was() -> None:
    network = made("lstm")
    before = network.parameters
    gn.trace(network, 0, data=DATA)
    np.testing.assert_array_equal(network.parameters, before)
    assert all("forward" not in vars(layer) for layer in network.layers)


def test_an_image_without_label_takes_the_networks_word_and_says_so() -> None:
    network = made("relu")
    network.classes = ("cat", "dog", "owl")
    trace = gn.trace(network, DATA.images[0])
    said = network.classes[int(network.predict(DATA.images[:1])[0])]
    assert any(said in note.en and said in note.zh for note in trace.notes)
    assert gn.trace(network, DATA.images[0], label="owl").subject.en.startswith("the image, labelled owl")


def test_what_is_too_small_to_be_seen_is_explained() -> None:
    """A gradient of 1e-13 beside "0.000000000" looks like a fault; an image that tells more has no such words."""
    splits = gn.load_dataset("chain")
    network = gn.load_recipe("chain").make_network(splits)

    def words() -> str:
        check = next(step for step in gn.trace(network, 0, data=splits.train).steps if step.phase == "check")
        return "" if check.note is None else check.note.en

    assert words() == ""
    network.parameters = np.array([1, -1, 1 + 1e-12])
    assert words().startswith("Too small for these digits")


def test_powers_are_raised_and_marks_lowered_on_the_page() -> None:
    step = next(step for step in gn.trace(made("relu"), 0, data=DATA, optimizer="Adam").steps if step.place == "optimizer")
    assert "^" in step.plain_equation
    shown = str(_equation(step))
    assert "^" not in shown
    assert '<sup><b class="s" tabindex="0" data-s="t"' in shown
    assert _lowered("z_g = W_x, two_words") == "z<sub>g</sub> = W<sub>x</sub>, two_words"


def test_titles_of_arrays_are_not_broken_at_their_width() -> None:
    layers = [gn.Conv2D(2, 2), gn.Flatten(), gn.Dense(3)]
    network = gn.Network(layers, loss=gn.SoftmaxCrossEntropy(), input_shape=(4, 4, 1), seed=1)
    assert "their products, which are summed\n" in str(gn.trace(network, np.zeros((4, 4, 1), np.float32), label=0))


# ------------------------------------------------------------------ the chain, and a run


def test_the_chain_gives_the_tutorials_table() -> None:
    """Start weights 0.2333, −0.233, −0.52133; x = 1 is to become −1: by hand."""
    recipe = gn.load_recipe("chain")
    splits = gn.load_dataset("chain")
    network = recipe.make_network(splits)
    w1, w2, w3 = 0.2333, -0.233, -0.52133
    error = w1 * w2 * w3 - (-1)
    for number, wanted in (("1", error * w2 * w3), ("2", error * w1 * w3), ("3", error * w1 * w2)):
        trace = gn.trace(network, 0, data=splits.train, weight=f"dense{number}.0.0", optimizer=gn.SGD(0.05))
        assert trace.gradient == pytest.approx(wanted, rel=1e-12)
        assert trace.numerical == pytest.approx(wanted, rel=1e-9)
        assert trace.after == pytest.approx((w1, w2, w3)[int(number) - 1] - 0.05 * wanted, rel=1e-12)
        assert trace.cost_before == pytest.approx(0.5 * error**2, rel=1e-12)
        assert trace.table is not None
        assert [entry.gradient for entry in trace.table.parameters] == pytest.approx(
            [error * w2 * w3, error * w1 * w3, error * w1 * w2], rel=1e-12
        )
        assert all(f"<td>{cell.replace('-', '−')}</td>" in trace.html() for row in rows(trace.table) for cell in row)
        assert "image" not in f"{trace.subject.en} {trace.why.en}"  # it has none
        assert all(line.strip() in str(trace) for line in table(trace.table).splitlines())
    assert trace.table.parameters[0].numerical == check_gradients(network, splits.train[:1]).parameters[0].numerical


def test_a_run_goes_on_from_where_its_optimizer_stands(tmp_path: Path) -> None:
    run = gn.train("digits", epochs=1, out=tmp_path / "run", settings={"optimizer": {"type": "Adam", "learning_rate": 0.003},
                   "keep": "last"})  # fmt: skip
    trace = gn.trace(run, 5)
    t = next(number for step in trace.steps for number in step.shown if number.name == "t")
    assert t.value == -(-len(run.splits.train) // run.recipe.training.batch_size) + 1
    first = next(number for step in trace.steps for number in step.shown if number.name == "first")
    assert first.value != 0
    fresh = gn.trace(run, 5, optimizer=gn.Adam(0.003))
    assert fresh.gradient == trace.gradient
    assert fresh.after != trace.after


def test_batch_norm_says_which_statistics_are_used() -> None:
    step = next(step for step in gn.trace(made("branches"), 0, data=DATA, unit="concatenate1.2.batchnorm1.2").steps
                if "batchnorm" in step.place)  # fmt: skip
    assert step.note is not None
    assert "running mean" in step.note.en


# ------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("options", "what", "hint"),
    [
        ({"weight": "dens1.0.0"}, "There is no such layer.", "did you mean 'dense1'?"),
        ({"unit": "relu2.0"}, "There is no such layer.", "did you mean 'relu1'?"),
        ({"weight": "dense1.wieght.0.0"}, "dense1 has no such parameter.", "did you mean 'weight'?"),
        ({"weight": "dense1.0.6"}, "There is no such weight.", "dense1.weight.0.5"),
        ({"weight": "dense1.0"}, "There is no such weight.", "dense1.weight.0.0"),
        ({"weight": "dense1.weight.a.b"}, "This is not a position in a layer.", None),
        ({"unit": "dense1.6"}, "There is no such unit.", "dense1.5"),
        ({"unit": "dense1"}, "This is not a position in a layer.", None),
        ({"unit": "flatten1.3"}, "No weight lies before this unit.", "dense1.0"),
        ({"unit": "dense1.2", "weight": "dense1.0.3"}, "The weight is not one of this unit.", "leave out one of the two"),
        ({"unit": "dense2.2", "weight": "dense1.0.3"}, "The weight is not one of this unit.", "leave out one of the two"),
        ({"image": 6}, "There is no such image.", "--image 5"),
        ({"image": -1}, "There is no such image.", "--image 0"),
        ({"label": "owls"}, "There is no such class.", "did you mean 'owl'?"),
        ({"optimizer": "Adm"}, "Unknown optimizer.", "did you mean 'Adam'?"),
        ({"image": np.zeros((5, 5, 1), np.uint8)}, "The image does not fit the network.", None),
    ],
)
def test_wrong_input(options: dict[str, Any], what: str, hint: str | None) -> None:
    network = made("relu")
    network.classes = ("cat", "dog", "owl")
    with pytest.raises(InputError) as caught:
        gn.trace(network, **{"image": 0, "data": DATA, **options})
    assert caught.value.what == what
    assert caught.value.hint == hint


def test_a_network_alone_has_no_images() -> None:
    with pytest.raises(InputError, match="An image number needs a data set"):
        gn.trace(made("relu"), 0)
    with pytest.raises(InputError, match="neither a run nor a network"):
        gn.trace(3)  # type: ignore[arg-type]


# ------------------------------------------------------------------ the page


def test_the_page_needs_nothing_else_and_has_both_languages(tmp_path: Path) -> None:
    trace = gn.trace(made("branches"), 0, data=DATA)
    page = trace.save(tmp_path / "deep" / "page.html").read_text(encoding="utf-8")
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert not re.search(r"https?://|url\(|@import", page)
    assert page.count('class="en" lang="en"') == page.count('class="zh" lang="zh-Hans"') > 40
    for step in trace.steps:
        assert step.title.zh != step.title.en
    assert len(page.encode()) < 1_000_000


def test_texts_in_the_page_are_escaped() -> None:
    network = made("relu")
    network.classes = ("<script>alert(1)</script>", "b", "c")
    page = gn.trace(network, DATA.images[0], label=0).html()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_terminal_has_every_number_of_every_line() -> None:
    from glassnet.analysis.trace.notation import spoken
    from glassnet.analysis.trace.terminal import plain

    trace = gn.trace(made("pools"), 0, data=DATA)
    text = plain(trace, width=100_000)
    for step in trace.steps:
        for parts in step.numbers:
            assert "".join(part for part, _ in spoken(parts)) in text
        for source in step.sources:
            assert f"{source.file}:{source.line}" in text


@pytest.mark.parametrize("options", [{}, {"normalize": True}, {"weight_decay": 0.1}, {"rates": {"*.weight": 0.5}}], ids=repr)
def test_a_step_of_muon_adds_up(options: dict[str, Any]) -> None:
    """w′ = k·w − η·o, as the definition takes the step of the whole matrix from the gradient."""
    network, optimizer = made("relu"), gn.Muon(0.25, momentum=0.5, **options)
    trace = gn.trace(network, 0, data=DATA, optimizer=optimizer)
    step = next(step for step in trace.steps if step.place == "optimizer")
    numbers = {number.name: number.value for number in step.shown}
    keep, rate = numbers.get("keep", 1.0), 0.25 * (0.5 if options.get("rates") else 1.0)
    assert numbers["rate"] == rate
    assert numbers["w.after"] == pytest.approx(keep * numbers["w"] - rate * numbers["w.orthogonal"], rel=1e-6)
    assert ("keep" in numbers) == bool({"weight_decay", "normalize"} & set(options))
    assert abs(numbers["w.orthogonal"]) <= 1.3  # of a matrix whose singular values are at most 1.2 or so
