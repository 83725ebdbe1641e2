"""Trainings broken on purpose are found and rightly named; healthy ones are left in peace."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.faults import FAULTS, Fault, healthy
from glassnet.analysis.diagnosis import Finding, diagnose
from glassnet.analysis.diagnosis.data_rules import missing_classes
from glassnet.analysis.diagnosis.facts import Facts
from glassnet.analysis.diagnosis.outcome_rules import majority_class, majority_class_of_many, unsure
from glassnet.data import Dataset, Splits, load_dataset
from glassnet.errors import DataError
from glassnet.network import Network
from glassnet.nn import Pixels
from glassnet.nn.losses import SoftmaxCrossEntropy
from glassnet.support import i18n
from glassnet.support.i18n import Message, tr
from glassnet.training import History

NAMES = {
    "learning-rate-too-high", "learning-rate-too-low", "saturated-units", "dead-relus", "vanishing-gradients",
    "exploding-gradients", "symmetric-start", "unscaled-inputs", "overfitting", "underfitting", "non-finite-cost",
    "majority-class", "noisy-labels", "validation-mismatch", "missing-classes", "too-few-steps",
}  # fmt: skip


@pytest.fixture(scope="module")
def digits() -> Splits:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def mnist() -> Splits:
    try:
        splits = load_dataset("mnist")
    except DataError as error:
        pytest.skip(f"MNIST is not here: {error.what}")
    assert splits.validation is not None
    return Splits(splits.train[:2000], splits.validation[:600])


def test_each_name_has_a_fault() -> None:
    assert {fault.name for fault in FAULTS} == NAMES  # difference-within-noise takes two trainings: it has tests of its own
    assert all(tr(name).zh.endswith(f"（{name}）") for name in NAMES | {"difference-within-noise"})


def is_told(finding: Finding) -> bool:
    """Whether a finding has all that a reader needs: figures, a reason, and steps."""
    return any(sign.isdigit() for sign in finding.evidence) and len(finding.cause) > 40 and all(finding.try_next)


def figures(text: str) -> list[str]:
    """The numbers of a text, in any order, as languages have words in different orders."""
    return sorted(re.findall(r"\d+(?:[,.]\d+)*(?:e[+-]?\d+)?", text))


def is_told_in_chinese(finding: Finding) -> bool:
    """Whether everything is said in Chinese too, with the same figures and the same options to type."""
    assert finding.title.en == finding.name
    assert re.fullmatch(rf".*[一-鿿].*（{finding.name}）", finding.title.zh)
    for message in (finding.evidence, finding.cause, *finding.try_next):
        assert isinstance(message, Message)
        english, other = message.en, message.zh
        assert re.search(r"[一-鿿]", other), other
        assert figures(english) == figures(other), (english, other)
        assert re.findall(r"--[\w-]+(?: [\w.]+=[\w.+-]+)?", english) == re.findall(r"--[\w-]+(?: [\w.]+=[\w.+-]+)?", other)
        assert not re.search(r"[,.;:] |[a-z]{3,} [a-z]{3,} [a-z]{3,} [a-z]{3,}", other), other
    return True


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}: {fault.how}")
def test_fault_in_digits(fault: Fault, digits: Splits) -> None:
    found = diagnose(*fault.train(digits, 1))
    assert found.names[0] == fault.name, str(found)
    assert all(map(is_told, found)), str(found)
    assert all(map(is_told_in_chinese, found)), str(found)
    assert "{" not in str(found)


def test_other_words_change_no_finding(digits: Splits, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = [fault.train(digits, 1) for fault in {fault.name: fault for fault in FAULTS}.values()]
    wanted = [diagnose(*each).names for each in trained]
    with monkeypatch.context() as patch:
        patch.setattr(i18n, "_render", lambda *texts: "gone")
        assert [diagnose(*each).names for each in trained] == wanted


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.name}: {fault.how}")
def test_fault_in_mnist(fault: Fault, mnist: Splits) -> None:
    found = diagnose(*fault.train(mnist, 2))
    assert found.names[0] == fault.name, str(found)


@pytest.mark.parametrize("seed", range(4))
def test_no_alarm_without_a_fault(seed: int, digits: Splits) -> None:
    found = diagnose(*healthy(digits, seed))
    assert found.healthy
    assert str(found).startswith("Nothing wrong found.")
    assert found.short().startswith("Diagnosis: nothing wrong found.")


def test_no_more_than_three_at_the_top(digits: Splits) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "unscaled-inputs")
    found = diagnose(*fault.train(digits, 1))
    assert len(found) > 3
    assert len(found.top) == 3
    text = str(found)
    assert all(f"{number}. {finding.name}" in text for number, finding in enumerate(found.top, 1))
    assert found.names[3] in text.split("consequence:")[1]
    assert text.count("  seen:") == 3


def test_a_remark_is_told_in_both_languages(digits: Splits) -> None:
    """Of a training that was too short, as a rule would tell if it did not do so itself."""
    history, network, _ = next(fault for fault in FAULTS if fault.name == "too-few-steps").train(digits, 1)
    (remark,) = unsure(Facts(history, network, digits.train, digits.validation))
    assert figures(remark.en) == figures(remark.zh)
    assert remark.zh.startswith("准确率")


def test_unscaled_inputs_that_are_learnt_all_the_same_are_no_alarm(digits: Splits) -> None:
    """A healthy network, and the same function of raw pixels: what was scaled by Pixels is scaled by the first weights."""
    history, network, _ = healthy(digits, 0)
    layers = [layer for layer in network.layers if not isinstance(layer, Pixels)]
    raw = Network(layers, loss=SoftmaxCrossEntropy(), input_shape=digits.train.shape, seed=0)
    raw.parameters = network.parameters
    first = next(slot for slot in raw.slots if slot.key == "weight")
    first.part(raw.flat)[...] /= 255
    found = diagnose(history, raw, digits)
    assert found.healthy
    (remark,) = found.remarks
    assert "an RMS of" in remark.en
    assert figures(remark.en) == figures(remark.zh)
    assert "note: the inputs of the first weights" in found.short()
    assert diagnose(history, network, digits).remarks == ()


def test_a_dozen_steps_need_not_gain_much(digits: Splits) -> None:
    """Half a hundredth of the cost in five steps is a good pace; a cost that stands still is none, but says nothing else."""
    history, network, _ = next(fault for fault in FAULTS if fault.name == "too-few-steps").train(digits, 1)
    (epoch,) = history.epochs
    assert epoch.steps == 5
    end = Facts(history, network, digits.train).end_cost
    epoch.first_step["cost"] = end / 0.995
    assert diagnose(history, network, digits).names == ("too-few-steps",)
    epoch.first_step["cost"] = end / 0.9999
    assert diagnose(history, network, digits).healthy


def test_steps_that_do_harm_need_not_be_huge(digits: Splits) -> None:
    """Sparse images give small gradients: a fifth of the weights changed in a step, and a cost above that of the start."""
    history, network, _ = next(fault for fault in FAULTS if fault.how == "ReLUs at rate 5").train(digits, 1)
    for epoch in history.epochs:
        epoch.first_step.pop("update_norms", None)
        for name in epoch.update_norms:
            epoch.update_norms[name] = 0.2
    start = history.epochs[0].first_step["cost"]
    *others, last = history.epochs
    history.epochs = [*others, replace(last, train_cost=1.01 * start)]
    assert diagnose(history, network, digits).names[0] == "learning-rate-too-high"
    history.epochs = [*others, replace(last, train_cost=0.9 * start)]
    assert diagnose(history, network, digits).names[0] == "dead-relus"


def test_without_validation_and_without_statistics(digits: Splits) -> None:
    """What is not known is not guessed: the rest is found all the same."""
    fault = next(fault for fault in FAULTS if fault.how == "all weights zero")
    history, network, _ = fault.train(Splits(digits.train), 1)
    assert diagnose(history, network, digits.train).names[0] == "symmetric-start"
    history.epochs = []
    assert diagnose(history, network, digits.train).names[0] == "symmetric-start"


def test_the_rate_is_named_where_it_is_known(digits: Splits) -> None:
    fault = next(fault for fault in FAULTS if fault.name == "non-finite-cost")
    history, network, data = fault.train(digits, 1)
    assert not history.epochs
    assert "learning_rate=1e+03" in diagnose(history, network, data, learning_rate=1e4).findings[0].try_next[0]
    assert "=" not in diagnose(history, network, data).findings[0].try_next[0]


@pytest.mark.parametrize(("change", "rate"), [(0.35, "0.43"), (0.2, "0.5"), (3.0, "0.05")])
def test_a_rate_is_lowered_by_as_much_as_it_is_too_high(digits: Splits, change: float, rate: str) -> None:
    """To where a step changes 3 %, and to a tenth at most: a network thrown out of its range changes little."""
    history, network, _ = next(fault for fault in FAULTS if fault.how == "ReLUs at rate 5").train(digits, 1)
    for epoch in history.epochs:
        epoch.first_step.pop("update_norms", None)
        for name in epoch.update_norms:
            epoch.update_norms[name] = change
    *others, last = history.epochs
    history.epochs = [*others, replace(last, train_cost=2 * history.epochs[0].first_step["cost"])]
    (finding,) = (each for each in diagnose(history, network, digits) if each.name == "learning-rate-too-high")
    assert finding.try_next[0] == f"lower the learning rate: --set learning_rate={rate}"


@pytest.mark.parametrize(("count", "told"), [(99, False), (100, True)])
def test_a_small_part_need_not_have_every_class(count: int, told: bool) -> None:
    """One image of twenty is of class b: of 100, five should be; of fewer, it may be chance that there are none."""
    train = Dataset(np.zeros((200, 3), np.float32), np.array([0] * 190 + [1] * 10), ("a", "b"))
    held_out = Dataset(np.zeros((count, 3), np.float32), np.zeros(count, np.int64), ("a", "b"))
    finding = missing_classes(Facts(History(), Network([3, 2], seed=1), train, held_out))
    assert (finding is not None) == told
    if finding:
        assert finding.evidence == "the validation part (100 images) has no images of class b."


@pytest.mark.parametrize(("largest", "rule"), [(59, majority_class), (60, majority_class_of_many)])
def test_one_answer_is_told_once(largest: int, rule: Callable[[Facts], Finding | None]) -> None:
    """By the rule of classes that are uneven, or of those that are not: from 60 % on they are."""
    network = Network([3, 2], seed=1)
    network.parameters = np.zeros_like(network.parameters)
    train = Dataset(np.ones((100, 3), np.float32), (np.arange(100) >= largest).astype(np.int64), ("a", "b"))
    facts = Facts(History(), network, train)
    assert [each for each in (majority_class, majority_class_of_many) if each(facts)] == [rule]


def test_a_fault_is_trained_in_silence(digits: Splits, capsys: pytest.CaptureFixture[str]) -> None:
    FAULTS[0].train(digits, 1)
    assert capsys.readouterr().out == ""


def test_hard_images_are_not_noisy_labels() -> None:
    """Classes that overlap, so that neighbours often contradict, and a network that does better than noise allows."""
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 4, 900)
    centres = rng.standard_normal((4, 30))
    images = (centres[labels] * 0.6 + rng.standard_normal((900, 30))).astype(np.float32)
    parts = [Dataset(images[part], labels[part]) for part in (slice(0, 600), slice(600, None))]
    assert "noisy-labels" not in diagnose(*healthy(Splits(*parts), 0)).names


def test_pixels_that_tell_nothing_contradict_no_label() -> None:
    """Two classes whose neighbours are no better than chance, and a network that is: as it is with photographs."""
    rng = np.random.default_rng(4)
    images = rng.standard_normal((900, 200)).astype(np.float32)
    labels = (images[:, 0] > 0).astype(np.int64)  # one number of two hundred: lost in the angle between images
    splits = Splits(*(Dataset(images[part], labels[part], ("a", "b")) for part in (slice(0, 700), slice(700, None))))
    history, network, _ = healthy(splits, 0)
    found = Facts(history, network, splits.train, splits.validation)
    assert found.neighbours.clear_wrong > 0.25
    assert found.validation_accuracy is not None
    assert found.validation_accuracy > 0.65
    assert "noisy-labels" not in diagnose(history, network, splits).names
