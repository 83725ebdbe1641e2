"""`trace`: one image and one weight, from the first layer to the updated weight."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from glassnet.analysis.gradient_check import check_gradients
from glassnet.analysis.trace.choice import Choice, choose
from glassnet.analysis.trace.document import Document, Step
from glassnet.analysis.trace.loss import cost_steps
from glassnet.analysis.trace.optimizer_state import stand_of
from glassnet.analysis.trace.path import Hop, make_chain
from glassnet.analysis.trace.recorder import Pass, record_pass
from glassnet.analysis.trace.sample import as_image, differences_of, part_of, subject_of, unsure
from glassnet.analysis.trace.update import update_steps
from glassnet.data import Dataset
from glassnet.errors import InputError, writing
from glassnet.experiment.run import Run
from glassnet.network import Network
from glassnet.nn.optimizers import Optimizer
from glassnet.support.arrays import Array
from glassnet.support.atomic import write_text
from glassnet.support.i18n import NOTHING, Message, tr

if TYPE_CHECKING:
    from rich.console import RenderableType

TABLE_UP_TO = 20  # parameters: of so small a network every gradient is shown


class Trace(Document):
    """A trace that can be printed and saved as a page."""

    def __rich__(self) -> RenderableType:
        from glassnet.analysis.trace.terminal import render

        return render(self)

    def __str__(self) -> str:
        from glassnet.analysis.trace.terminal import plain

        return plain(self)

    def html(self) -> str:
        """One HTML page without external files."""
        from glassnet.analysis.trace.html import page

        return page(self)

    def save(self, path: str | Path) -> Path:
        """Write the page to a file."""
        target = Path(path)
        with writing(target, tr("The page can't be written.")):
            target.parent.mkdir(parents=True, exist_ok=True)
            write_text(target, self.html())
        return target


def trace(
    what: Run | Network | str | Path,
    image: int | str | Path | Array | None = None,
    *,
    label: int | str | Array | None = None,
    unit: str | None = None,
    weight: str | None = None,
    part: str | None = None,
    data: Dataset | None = None,
    optimizer: Optimizer | str | dict[str, Any] | None = None,
) -> Trace:
    """Follow one image and one weight through forward, backward and update, in float64; the `Trace`.

    `what`: a run (or its folder), or a network. `image`: a number in the `part` ("train", the default, or "validation") of
    the run's data or in `data`; an image file; or an array; by default an image, of the validation data if there are any,
    that is classified correctly with a low probability. `label`: the class (or its name) of a file or array; by default the
    network's prediction. `unit`: "dense1.3", "conv2d1.4.5.0"; `weight`: "dense1.40.3", "lstm1.recurrent_weight.2.5"; by
    default those with the largest gradient. `optimizer`: of the step; by default the run's, going on from its checkpoint,
    or SGD(0.01).
    """
    run = Run.load(what) if isinstance(what, (str, Path)) else what if isinstance(what, Run) else None
    network = run.network if run is not None else what
    if not isinstance(network, Network):
        what, given = tr("This is neither a run nor a network."), type(what).__name__
        raise InputError(what, where="trace", expected=tr("a Run, its folder, or a Network"), received=given)
    if part is None:
        part = "validation" if image is None and run is not None and run.splits.validation is not None else "train"
    if run is not None and data is None and (image is None or isinstance(image, (int, np.integer))):
        data = part_of(run, part)
    notes: list[Message] = []
    if image is None:
        image, why = unsure(network, data, part) if data is not None else (0, None)
        notes += [why] if why else []
    x, target, subject = subject_of(network, image, label, data, part, run, notes)
    if run is not None:
        notes += differences_of(run)
    found = record_pass(network, x, target)
    layers = [record.layer for name, record in found.records.items() if "." not in name]
    chain = make_chain(layers, "", found.records)
    choice = choose(chain, unit, weight)
    steps = _steps(found, choice)
    chosen, stand = stand_of(run, network, optimizer)
    slot = next(slot for slot in found.network.slots if slot.name == f"{choice.lens.name}.{choice.key}")
    place = slot.offset + int(np.ravel_multi_index(choice.index, slot.shape))
    update, values = update_steps(found, place, slot, chosen, stand)
    return Trace(
        title=NOTHING if run is None else run.recipe.heading,
        image=as_image(x),
        subject=subject,
        why=choice.why,
        weight=choice.name,
        steps=(*steps, *update),
        gradient=float(found.gradient[place]),
        table=check_gradients(network, x[None], target) if network.flat.size <= TABLE_UP_TO else None,
        notes=tuple(notes),
        **values,
    )


def _steps(found: Pass, choice: Choice) -> list[Step]:
    """Forward along the path, the loss, and back to the weight."""
    steps: list[Step] = []
    exact, path = found.network, list(choice.path)
    for hop in path:
        mine = hop.lens is choice.lens
        steps += hop.lens.forward(hop.inside, hop.out, choice.key if mine else None, choice.index if mine else None)
    before_cost: list[Hop] = path[:-1] if exact.fuses_activation else path
    end = before_cost[-1].out
    shape = exact.shapes[exact.layers_before_loss]
    steps += cost_steps(found, int(np.ravel_multi_index(end, shape)) if shape else 0)
    for hop in reversed(before_cost):
        if hop.lens is choice.lens:
            steps += hop.lens.gradient(choice.key, choice.index, hop.inside, hop.out)
            break
        steps += hop.lens.backward(hop.inside, hop.out)
    return steps
