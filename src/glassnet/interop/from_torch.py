"""Networks from PyTorch's modules, with their weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from glassnet.interop.importer import Before
from glassnet.interop.to_torch import import_torch
from glassnet.interop.torch_readers import OWN, PYTORCH, Walk
from glassnet.network import Network
from glassnet.support.i18n import tr

if TYPE_CHECKING:
    from torch import nn


def from_torch(module: nn.Module, input_shape: Iterable[int], *, before: Before = ()) -> Network:
    """A network with the layers and weights of a PyTorch `nn.Sequential`, nested ones too; it gives the module's outputs.

    `input_shape`: that of one image here, (rows, columns, channels); PyTorch's (channels, rows, columns) follows from it.
    `network(images)` equals `module.eval()(images.transpose(0, 3, 1, 2))`. `before`: layers that stand in front, such as
    [Pixels()] where the module was fed bytes divided by 255 (ToTensor), so that the network takes the bytes.

    A LogSoftmax at the end is left to the loss, SoftmaxCrossEntropy: `network(images)` are the scores before it, and
    `network.predict_proba(images)` is exp of the module's outputs. nn.RNN, nn.LSTM and nn.GRU (batch_first, one layer, one
    direction) stand for all their states; those of `glassnet.interop.torch_modules` can give the last one alone.
    Raises `InputError` for a module or option that glassnet lacks, `ShapeError` for shapes that do not fit.

        net = gn.from_torch(module, (28, 28, 1), before=[gn.Pixels()])
    """
    torch = import_torch("from_torch")
    walk = Walk("from_torch", input_shape, before)
    if not isinstance(module, torch.nn.Module):
        walk.refuse(tr("This is not a module of PyTorch."), "torch.nn.Module", type(module).__qualname__)
    from glassnet.interop import torch_modules as own

    walk.first = not isinstance(module, own.ChannelsLast) and len(walk.shape) == 3
    _read(walk, module, "")
    walk.settle("")
    if walk.order is not None:
        walk.where = "from_torch"
        what = tr("The outputs of the module are a flattened image, whose numbers stand in another order here.")
        walk.refuse(what, tr("a Linear behind the Flatten"))
    return walk.network()


def _read(walk: Walk, module: Any, path: str) -> None:
    from torch import nn

    from glassnet.interop import torch_modules as own

    if isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward:
        for name, child in module._modules.items():  # named_children leaves out a module's second place
            _read(walk, child, f"{path}.{name}" if path else name)
        return
    kind, name = type(module), type(module).__name__
    tables = ((nn, PYTORCH), (own, OWN))
    found = next((table[name] for home, table in tables if getattr(home, name, None) is kind and name in table), None)
    walk.settle(name)
    walk.where = f"{path}, {module!r}" if path else repr(module)
    if found is None:
        walk.unknown(module, ("Sequential", *PYTORCH))
    if walk.is_ended:
        walk.refuse(tr("LogSoftmax is only read at the end of the module."))
    found(walk, module)
