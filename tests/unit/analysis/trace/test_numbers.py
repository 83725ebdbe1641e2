"""Every number of a trace, on the page and in its steps, computed again from the definitions: agreement to the last digit."""

from __future__ import annotations

import html
import re
from typing import Any

import numpy as np
import pytest

import glassnet as gn
from glassnet.analysis.trace.document import Number, Parts, Step
from glassnet.analysis.trace.notation import figure
from glassnet.nn.initializers import Normal

Array = np.ndarray[Any, Any]
SPAN = re.compile(r'<span class="n" data-q="([^"]+)"[^>]*>([^<]*)</span>')
RNG = np.random.default_rng(3)
PICTURES = RNG.integers(0, 256, (6, 6, 6, 1)).astype(np.uint8)
LABELS = np.arange(6) % 3
DATA = gn.Dataset(PICTURES, LABELS)


def sigmoid(z: Array) -> Array:
    found: Array = 1 / (1 + np.exp(-z))
    return found


def dense(units: int, **options: Any) -> gn.Dense:
    return gn.Dense(units, initializer=Normal(0.5), bias_initializer=Normal(), **options)


NETWORKS: dict[str, Any] = {
    "dense, quadratic": ([gn.Flatten(), gn.Pixels(), dense(8), gn.Sigmoid(), dense(3), gn.Sigmoid()], gn.Quadratic()),
    "dense, entropy": ([gn.Pixels(), gn.Flatten(), dense(7), gn.Tanh(), dense(3), gn.Sigmoid()], gn.BinaryCrossEntropy()),
    "dense, softmax": ([gn.Pixels(), gn.Flatten(), dense(9), gn.GELU(), dense(3), gn.Softmax()], gn.SoftmaxCrossEntropy(0.1)),
    "softmax inside": ([gn.Pixels(), gn.Flatten(), dense(4), gn.Swish(), dense(3), gn.Softmax()], gn.Quadratic()),
    "convolution": (
        [gn.Pixels(), gn.Conv2D(3, 3, padding="same"), gn.ReLU(), gn.MaxPool2D(2), gn.Conv2D(4, 2), gn.BatchNorm(),
         gn.Sigmoid(), gn.Flatten(), dense(3)],
        gn.SoftmaxCrossEntropy(),
    ),
    "overlapping pools, strides": (
        [gn.Pixels(), gn.Conv2D(2, 3, strides=2, padding="same", use_bias=False), gn.BatchNorm(),
         gn.MaxPool2D(2, strides=1, padding="same"), gn.Flatten(), dense(3)],
        gn.BinaryCrossEntropy(),
    ),
    "lstm": ([gn.Pixels(), gn.LSTM(3), dense(3)], gn.SoftmaxCrossEntropy()),
}  # fmt: skip
OPTIMIZERS = [gn.SGD(0.5), gn.SGD(0.1, momentum=0.9, nesterov=True), gn.RMSprop(0.01), gn.Adam(0.01), gn.AdamW(0.02),
              gn.SGD(0.5, clip_norm=0.01)]  # fmt: skip


def made(name: str, regularizer: Any = None) -> gn.Network:
    """The network after a little training, so that running statistics have moved."""
    layers, loss = NETWORKS[name]
    network = gn.Network(layers, loss=loss, input_shape=(6, 6, 1), seed=4, dtype="float64", regularizer=regularizer)
    network.fit(DATA, 2, batch_size=3, optimizer=gn.SGD(0.1), seed=1, progress=False)
    return network


def target_of(network: gn.Network, label: int) -> Array:
    smoothing = getattr(network.loss, "label_smoothing", 0.0)
    return (np.arange(3) == label) * (1 - smoothing) + smoothing / 3


class Expected:
    """What each number of a trace must be, by its name."""

    def __init__(self, own: Any, network: gn.Network, trace: gn.Trace, image: int, optimizer: Any) -> None:
        self.make, self.image = own, PICTURES[image]
        self.own = own(network, PICTURES[image], target_of(network, int(LABELS[image])))
        self.network, self.trace, self.optimizer = network, trace, optimizer
        base, _, index = trace.weight.partition("[")
        self.array, self.place = base, tuple(int(i) for i in index.rstrip("]").split(","))
        self.known = self._known()

    def _known(self) -> dict[str, float]:
        """The numbers of check and step, by the optimizers' definitions."""
        own, l1l2 = self.own, self.network.regularizer.rates
        gradient = own.gradient()
        full = {
            slot.name: gradient[slot.name] + (l1l2[0] * np.sign(v) + l1l2[1] * v if slot.penalised else 0)
            for slot in self.network.slots
            for v in [own.arrays[slot.name].real]
        }
        g, w = full[self.array][self.place], own.arrays[self.array][self.place].real
        known = {"cost": own.cost, "w": w, "gradient": gradient[self.array][self.place], "epsilon": 1e-5, "l1": l1l2[0],
                 "l2": l1l2[1], "g": g}  # fmt: skip
        known["cost.above"] = own.cost_with(self.array, self.place, 1e-5)
        known["cost.below"] = own.cost_with(self.array, self.place, -1e-5)
        known["numerical"] = own.quotient(self.array, self.place, 1e-5)
        o, clip = self.optimizer, self.optimizer.clip_norm
        norm = np.sqrt(sum((values**2).sum() for values in full.values()))
        factor = clip / norm if clip and norm > clip else 1.0
        known |= {"clip": clip, "norm": norm, "g.clipped": g * factor, "rate": o.schedule.rate(0, 1), "first": 0.0,
                  "second": 0.0, "t": 1}  # fmt: skip
        known |= {name: getattr(o, name) for name in ("momentum", "rho", "beta1", "beta2") if hasattr(o, name)}
        known |= {"decay": o.decay}
        kind, rate, after = type(o).__name__, known["rate"], {}
        for slot in self.network.slots:
            v, d = own.arrays[slot.name].real, full[slot.name] * factor
            if kind == "SGD":
                after[slot.name] = v - rate * (d * (1 + o.momentum) if o.nesterov else d)
            elif kind == "RMSprop":
                after[slot.name] = v - rate * d / (np.sqrt((1 - o.rho) * d**2) + o.epsilon)
            else:
                kept = 1 - rate * o.decay if slot.penalised else 1.0
                after[slot.name] = kept * v - rate * d / (np.abs(d) + o.epsilon)  # m̂ = d and v̂ = d² after one step
        known["w.after"] = after[self.array][self.place]
        d = known["g.clipped"]
        known["first.after"] = {"SGD": d, "RMSprop": 0.1 * d * d}.get(kind, 0.1 * d)
        known["second.after"], known["first.corrected"], known["second.corrected"] = 0.001 * d * d, d, d * d
        if kind != "SGD":
            known["optimizer.epsilon"] = o.epsilon
        if kind == "RMSprop":
            known["first.after"] = (1 - o.rho) * d * d
        known["cost.alone"] = own.cost_with(self.array, self.place, known["w.after"] - w)
        stepped = self.make(self.network, self.image, own.target)
        stepped.arrays |= {name: values.astype(complex) for name, values in after.items()}
        known["cost.after"] = float(stepped.run().real)
        return known

    def of(self, number: Number, step: Step, line: Parts) -> float:
        name, own = number.name, self.own
        if step.place == "optimizer" and name == "g":
            return self.known["g.clipped"]
        if step.place == "optimizer" and name == "epsilon":
            return self.known["optimizer.epsilon"]
        if name in self.known:
            return self.known[name]
        if (plain := own.number(name)) is not None:
            return plain
        z = own.values["z"].real
        if match := re.fullmatch(r"outputs\.(\w+)\[(\d+)\]", name):
            k = int(match[2])
            answers = sigmoid(z) if own.network.loss.link == "Sigmoid" else np.exp(z) / np.exp(z).sum()
            dz = own.slope("z", (k,))
            return {"j": k, "z": z[k], "t": own.target[k], "a": answers[k], "dz": dz}[match[1]]
        if match := re.fullmatch(r"cost\.term\[(\d+)\]", name):
            return float(own.terms(own.values["z"])[int(match[1])].real)
        return self._special(name, line)

    def _special(self, name: str, line: Parts) -> float:
        own = self.own
        layer, _, rest = name.partition(".")
        kind = type(own.layers[layer]).__name__
        if match := re.fullmatch(r"(\w)\.into\[(\d+), (\d+)\]", rest):
            column = "ifgo".index(match[1]) * own.layers[layer].units + int(match[3])
            return float(own.values[f"{layer}.z.{match[2]}"][column].real)
        if match := re.fullmatch(r"dstates\[(\d+), (\d+)\]", rest):
            last = len(own.values[f"{layer}.x"]) - 1
            return own.slope(f"{layer}.y", (int(match[2]),)) if int(match[1]) == last else 0.0
        if match := re.fullmatch(r"product\[(.+)\]", rest):
            p, q, f, i, j, channel = map(int, match[1].split(","))
            weight = own.arrays[f"{layer}.weight"][i, j, channel, f].real
            return float(self._patch(layer, p, q, channel)[i, j] * weight)
        if match := re.fullmatch(r"channels\[(.+)\]", rest):
            p, q, f, channel = map(int, match[1].split(","))
            weight = own.arrays[f"{layer}.weight"][..., f].real
            return float(sum((self._patch(layer, p, q, c) * weight[..., c]).sum()
                             for c in range(weight.shape[2]) if c != channel))  # fmt: skip
        if rest == "epsilon":
            return float(own.layers[layer].epsilon)
        place = tuple(int(i) for i in re.findall(r"\d+", rest.partition("[")[2]))
        if kind == "GELU" and rest.startswith("share"):
            from scipy.stats import norm

            return float(norm.cdf(own.values[f"{layer}.x"][place].real))
        if kind == "GELU" and rest.startswith("density"):
            from scipy.stats import norm

            return float(norm.pdf(own.values[f"{layer}.x"][place].real))
        if kind == "Swish" and rest.startswith("sigma"):
            return float(sigmoid(own.values[f"{layer}.x"][place].real))
        if kind == "Softmax" and rest.startswith("total"):
            return float(np.exp(own.values[f"{layer}.x"].real).sum())
        match = re.fullmatch(r"(.+)\.(others|count)\[([\d, ]+)\]", rest)
        assert match, f"a number that nothing explains: {name}"
        terms = self._terms(layer, match[1])
        kept = [int(i) for i in match[3].split(",")]
        return float(len(terms) - len(kept)) if match[2] == "count" else float(np.delete(terms, kept).sum())

    def _patch(self, layer: str, p: int, q: int, channel: int) -> Array:
        own, x = self.own, self.own.values[f"{layer}.x"].real
        found = np.zeros(own.layers[layer].window)
        for a, b, taps in own.windows(own.layers[layer], x.shape):
            for i, j, r, c in taps if (a, b) == (p, q) else ():
                if 0 <= r < x.shape[0] and 0 <= c < x.shape[1]:
                    found[i, j] = x[r, c, channel]
        return found

    def _terms(self, layer: str, what: str) -> Array:
        """All terms of a sum of which only some are written."""
        own = self.own
        kind, x = type(own.layers[layer]).__name__, own.values[f"{layer}.x"].real
        place = tuple(int(i) for i in re.findall(r"-?\d+", what.partition("[")[2]))
        head = what.partition("[")[0]
        get = lambda key: own.arrays[f"{layer}.{key}"].real  # noqa: E731
        slopes = lambda shape: np.array([own.slope(f"{layer}.y", k) for k in np.ndindex(*shape)]).reshape(shape)  # noqa: E731
        if kind == "Dense":
            if head == "y":
                return x * get("weight")[:, place[0]]
            return get("weight")[place[0]] * slopes((get("weight").shape[1],))
        if kind == "BatchNorm":
            dy = slopes(x.shape)[..., place[0]].ravel()
            return dy * own.values[f"{layer}.normal"].real[..., place[0]].ravel() if head == "dgamma" else dy
        if kind == "Conv2D":
            return self._convolution_terms(layer, head, place, slopes)
        assert kind == "LSTM", (layer, what)
        steps = x.reshape(len(x), -1)
        h = [np.zeros(own.layers[layer].units), *(own.values[f"{layer}.h.{t}"].real for t in range(len(x)))]
        width = 4 * own.layers[layer].units
        if match := re.fullmatch(r"(\w)\.into\[(\d+), (\d+)\]\.(x|h)", what):
            column, t = "ifgo".index(match[1]) * own.layers[layer].units + int(match[3]), int(match[2])
            return steps[t] * get("weight")[:, column] if match[4] == "x" else h[t] * get("recurrent_weight")[:, column]
        dz = lambda t: np.array([own.slope(f"{layer}.z.{t}", (k,)) for k in range(width)])  # noqa: E731
        if head == "dh":
            return get("recurrent_weight")[place[1]] * dz(place[0] + 1)
        if head == "dx":
            return get("weight")[int(np.ravel_multi_index(place[1:], x.shape[1:]))] * dz(place[0])
        column = np.array([own.slope(f"{layer}.z.{t}", (place[-1],)) for t in range(len(x))])
        factors = {"dweight": steps[:, place[0]], "drecurrent_weight": np.array(h[:-1])[:, min(place[0], 2)], "dbias": 1.0}
        return column * factors[head]

    def _convolution_terms(self, layer: str, head: str, place: tuple[int, ...], slopes: Any) -> Array:
        own, x = self.own, self.own.values[f"{layer}.x"].real
        weight, shape = own.arrays[f"{layer}.weight"].real, own.values[f"{layer}.y"].shape
        if head == "channel":
            p, q, f, channel = place
            return (self._patch(layer, p, q, channel) * weight[..., channel, f]).ravel()
        dy, found = slopes(shape), []
        for p, q, taps in own.windows(own.layers[layer], x.shape):
            if head == "dx":
                hits = [(i, j) for i, j, r, c in taps if (r, c) == place[:2]]
                found += [weight[i, j, place[2], f] * dy[p, q, f] for i, j in hits for f in range(shape[2])]
            elif head == "dweight":
                found.append(self._patch(layer, p, q, place[2])[place[0], place[1]] * dy[p, q, place[3]])
            else:
                found.append(dy[p, q, place[0]])
        return np.array(found)


def agrees(text: str, wanted: float, form: str) -> bool:
    """Whether the digits shown are those of `wanted`: half a unit of the last, and what rounding in float64 adds."""
    shown = float(text.replace("−", "-"))
    mantissa, _, exponent = text.replace("−", "-").partition("e")
    digits = len(mantissa.partition(".")[2])
    unit = 10.0 ** (int(exponent or 0) - digits)
    if form.endswith("g"):  # zeros at the end are left out
        unit = min(unit, 10.0 ** (np.floor(np.log10(abs(wanted))) - int(form[1:-1]) + 1)) if wanted else unit
    return abs(shown - wanted) <= 0.5 * unit + 1e-13 * max(1.0, abs(wanted)) + (2e-11 if form == ".9f" else 0)


def check(own: Any, network: gn.Network, trace: gn.Trace, image: int, optimizer: Any) -> int:
    """Hold every number of a trace against its definition; how many there are."""
    expected, count = Expected(own, network, trace, image, optimizer), 0
    shown_on_page = [(html.unescape(name), text) for name, text in SPAN.findall(trace.html())]
    stated = []
    for step in trace.steps:
        lines = [*step.numbers, *([number for row in grid.cells for number in row] for grid in step.grids)]
        for line in lines:
            for number in line:
                if not isinstance(number, Number):
                    continue
                text = figure(number)
                stated.append((number.name, text))
                count += 1
                if number.name == "difference.bound":
                    assert abs(trace.gradient - trace.numerical) <= number.value
                    continue
                wanted = expected.of(number, step, list(line))
                assert agrees(text, wanted, number.form), (step.place, step.title.en, number.name, text, wanted)
    assert sorted(set(stated) - set(shown_on_page)) == []  # the page shows them all, …
    summary = {"gradient", "numerical", "w", "w.after", "cost", "cost.after"}
    extra = set(shown_on_page) - set(stated)
    assert {name for name, _ in extra} <= summary  # … and besides only the summary at its top,
    for name, text in extra:
        assert agrees(text, expected.known[name], ".9f" if name == "numerical" else ".6g")
    return count


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_number_of_the_largest_gradient(own: Any, name: str) -> None:
    network = made(name)
    assert check(own, network, gn.trace(network, 1, data=DATA, optimizer=gn.SGD(0.5)), 1, gn.SGD(0.5)) > 30


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
@pytest.mark.parametrize("regularizer", [None, gn.L1L2(0.01, 0.02)], ids=["", "penalty"])
def test_every_number_of_every_optimizer(own: Any, optimizer: Any, regularizer: Any) -> None:
    network = made("dense, quadratic", regularizer)
    check(own, network, gn.trace(network, 2, data=DATA, optimizer=optimizer), 2, optimizer)


@pytest.mark.parametrize("name", ["convolution", "overlapping pools, strides", "lstm", "dense, softmax"])
def test_every_number_of_a_weight_of_every_array(own: Any, name: str) -> None:
    network, rng = made(name), np.random.default_rng(5)
    for slot in network.slots:
        index = [int(rng.integers(size)) for size in slot.shape]
        weight = f"{slot.name}.{'.'.join(map(str, index))}"
        trace = gn.trace(network, 3, data=DATA, weight=weight, optimizer=gn.SGD(0.5))
        assert trace.weight == f"{slot.name}[{', '.join(map(str, index))}]"
        check(own, network, trace, 3, gn.SGD(0.5))


def test_digits_are_compared_and_not_only_sizes() -> None:
    """The comparison itself: one unit of the last digit off is wrong."""
    assert agrees("0.123457", 0.1234567, ".6g")
    assert not agrees("0.123458", 0.1234567, ".6g")
    assert agrees("−1.5e−07", -1.5e-7, ".6g")
    assert not agrees("−1.5e−07", 1.5e-7, ".6g")
    assert not agrees("0.5", 0.50001, ".6g")
