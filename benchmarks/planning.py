"""Plans for several machines: what the cost model of benchmarks/scaling.py predicts, and what is measured beside it."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import cache
from typing import Any

from benchmarks import scaling
from benchmarks.namespaces import Machines, two_machines
from benchmarks.ranks import measure, prepared, ran
from benchmarks.scaling import Compute, Link, Traffic
from glassnet.compiler import SharedProgram, assemble, share

LINKS = ((1.0, 1.0), (0.0, 10.0), (0.0, 1.0), (5.0, 1.0), (1.0, 0.1))  # milliseconds each way, Gbit/s
MANY = 16  # times the mini-batch, of which one of so many ranks is measured


@cache
def known(recipe: str) -> tuple[Any, dict[str, Any]]:
    """The network, and what its program depends on."""
    network, train, options = prepared(recipe, 1, plain=False)
    return network, {"augmentation": options["augmentation"], "image_shape": (*train.images.shape[1:], 1)[:3]}


def program(recipe: str, batch: int) -> SharedProgram:
    """The program of a rank."""
    network, options = known(recipe)
    return share(assemble(network, batch, is_bytes=True, purpose="train", **options))


def compute(recipe: str, steps: int, batch: int) -> Compute:
    """Fitted to what one of 1, 2 and 4 ranks computes of a mini-batch, and one of 16 of one that is 16 times as large.

    Two processes at once, each of one thread, as where two ranks share these processors.
    """
    found = []
    for images, ranks in ((batch, 1), (batch, 2), (batch, 4), (MANY * batch, MANY)):
        command = [
            "work",
            recipe,
            "--steps",
            str(max(2, steps * batch // images)),
            "--batch",
            str(images),
            "--alone",
            str(ranks),
        ]
        seconds = statistics.mean(row["step"] for row in ran(command, 2))
        own = scaling.busiest(program(recipe, images), images, ranks)
        print(f"{recipe:12} {own:4} of {images:4} images: {1e3 * seconds:8.2f} ms", flush=True)
        found.append((own, images, seconds))
    fit = scaling.fitted(found)
    print(
        f"{recipe:12} {1e3 * fit.step:.2f} + {1e3 * fit.image:.4f} own + {1e3 * fit.shared:.4f} all images, ms a step",
        flush=True,
    )
    return fit


def measured_link(machines: Machines | None) -> Link:
    """Between two processes, on one machine or on two."""
    return scaling.fitted_link([tuple(row) for row in ran(["link"], 2, machines)[0]["link"]])


def predicted(recipe: str, batch: int, ranks: int, cost: Compute, link: Link) -> tuple[float, int, Traffic]:
    """Seconds of a step, images of the busiest rank, and what a rank waits for."""
    shared = program(recipe, batch)
    own, sent = scaling.busiest(shared, batch, ranks), scaling.traffic(shared, batch, ranks)
    return scaling.step_seconds(cost, link, own, batch, ranks, sent), own, sent


def batch_of(recipe: str) -> int:
    from glassnet.experiment.recipe import load_recipe

    return load_recipe(recipe).training.batch_size


def model(recipes: Sequence[str], steps: int) -> None:
    """The constants, and how many times as many images a second are expected: the recipe's mini-batch, and one that grows."""
    links = {"shared memory": measured_link(None)}
    with two_machines(0.0, 1e9) as machines:
        slow = links["1 Gbit/s"] = measured_link(machines)
    links["10 Gbit/s"] = Link(slow.latency, 10e9 / 8)  # the rate as named: packets cannot be carried so fast here
    for name, link in links.items():
        print(f"{name:14} a message {1e6 * link.latency:7.0f} µs, {link.rate / 1e6:7.1f} MB/s", flush=True)
    for recipe in recipes:
        batch = batch_of(recipe)
        cost = compute(recipe, steps, batch)
        alone = cost.seconds(batch, batch)
        for ranks in (2, 4, 8, 16, 32, 64, 128, 256):
            for images in (batch, batch * ranks):
                rows = [predicted(recipe, images, ranks, cost, link) for link in links.values()]
                _, own, sent = rows[0]
                speeds = "".join(f"{alone * images / batch / row[0]:8.2f}×" for row in rows)
                print(
                    f"{recipe:12} {ranks:3} ranks, mini-batch {images:5}, {own:3} images of the busiest rank, "
                    f"{sent.messages:4} messages, {sent.bytes / 1e6:7.2f} MB {speeds}",
                    flush=True,
                )


def namespaces(recipes: Sequence[str], steps: int, settings: Sequence[tuple[float, float]]) -> bool:
    """Measured beside predicted, for each link; whether all weights are those of one process."""
    costs = {recipe: compute(recipe, steps, batch_of(recipe)) for recipe in recipes}
    wanted = {recipe: measure(recipe, steps, 1, 1)["weights"] for recipe in recipes}
    same = True
    for delay, rate in settings:
        with two_machines(1e-3 * delay, 1e9 * rate) as machines:
            link = measured_link(machines)
            print(
                f"{delay:g} ms each way, {rate:g} Gbit/s: a message {1e3 * link.latency:.2f} ms, {link.rate / 1e6:.1f} MB/s"
            )
            for recipe, cost in costs.items():
                found = measure(recipe, steps, 2, 1, machines=machines)
                expected, _, sent = predicted(recipe, batch_of(recipe), 2, cost, link)
                same &= found["weights"] == wanted[recipe]
                bits = "same bits" if found["weights"] == wanted[recipe] else "DIFFERENT WEIGHTS"
                step = found["step"]
                print(
                    f"{recipe:12} {sent.messages:3} messages, {sent.bytes / 1e6:.2f} MB: {1e3 * step:7.2f} ms a step, "
                    f"predicted {1e3 * expected:7.2f}, ratio {step / expected:.2f}, {bits}",
                    flush=True,
                )
    return same
