"""PyTorch modules for what `to_torch` finds no module of PyTorch for. Importing this file imports PyTorch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from glassnet.nn.windows import Margins, Pair
from glassnet.support.arrays import Array


class ChannelsLast(nn.Sequential):
    """Modules in a row that take images (N, rows, columns, channels), not PyTorch's (N, channels, …)."""


class ToChannelsFirst(nn.Module):
    """(N, …, channels) becomes (N, channels, …)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(-1, 1)


class ToChannelsLast(nn.Module):
    """(N, channels, …) becomes (N, …, channels)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(1, -1)


class Pixels(nn.Module):
    """Floats of the module's type: y = factor·x for integers, y = x for floats."""

    factor: Tensor

    def __init__(self, factor: float = 1 / 255) -> None:
        super().__init__()
        self.register_buffer("factor", torch.tensor(factor, dtype=torch.float64), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        y = x.to(self.factor.dtype)
        return y if x.is_floating_point() else y * self.factor


class Scale(nn.Module):
    """y = factor·x + offset."""

    def __init__(self, factor: float, offset: float = 0.0) -> None:
        super().__init__()
        self.factor, self.offset = factor, offset

    def forward(self, x: Tensor) -> Tensor:
        return x * self.factor + self.offset

    def extra_repr(self) -> str:
        return f"factor={self.factor}, offset={self.offset}"


class Standardize(nn.Module):
    """y = (x − mean) / std; the shape of mean and std is that of one image."""

    mean: Tensor
    std: Tensor

    def __init__(self, mean: Array, std: Array) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(np.asarray(mean, dtype=np.float64)))
        self.register_buffer("std", torch.tensor(np.asarray(std, dtype=np.float64)))

    def forward(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.std


class AveragePool2d(nn.Module):
    """The mean of each window over what lies inside images of `size`, which `margins` of zeros surround.

    nn.AvgPool2d(count_include_pad=False) does the same where the margins are symmetric.
    """

    inside: Tensor

    def __init__(self, window: Pair, strides: Pair, margins: Margins, size: Pair) -> None:
        super().__init__()
        top, bottom, left, right = margins
        self.window, self.strides, self.padding = window, strides, (left, right, top, bottom)
        self.register_buffer("inside", self._mean(torch.ones(1, 1, *size, dtype=torch.float64)), persistent=False)

    def _mean(self, x: Tensor) -> Tensor:
        return functional.avg_pool2d(functional.pad(x, self.padding), self.window, self.strides)

    def forward(self, x: Tensor) -> Tensor:
        return self._mean(x) / self.inside

    def extra_repr(self) -> str:
        return f"window={self.window}, strides={self.strides}, padding={self.padding}"


class _States(nn.Module):
    """States of (N, steps, features), or of images row by row; without `return_sequences`, the last."""

    def __init__(self, features: int, units: int, *, return_sequences: bool = False, **options: Any) -> None:
        super().__init__(features, units, batch_first=True, **options)
        self.return_sequences = return_sequences

    def forward(self, x: Tensor) -> Tensor:
        states: Tensor = super().forward(x.flatten(2))[0]
        return states if self.return_sequences else states[:, -1]

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, return_sequences={self.return_sequences}"


class RNN(_States, nn.RNN):  # type: ignore[misc]  # no tuple
    """nn.RNN that gives its states, or the last: not a tuple, so it can stand in a Sequential."""


class LSTM(_States, nn.LSTM):  # type: ignore[misc]  # no tuple
    """nn.LSTM that gives its states, or the last: not a tuple, so it can stand in a Sequential."""


class GRU(_States, nn.GRU):  # type: ignore[misc]  # no tuple
    """nn.GRU that gives its states, or the last: not a tuple, so it can stand in a Sequential."""


class Residual(nn.Module):
    """y = layers(x) + projection(x)."""

    def __init__(self, layers: nn.Module, projection: nn.Module) -> None:
        super().__init__()
        self.layers, self.projection = layers, projection

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x) + self.projection(x)
        return y


class Concatenate(nn.Module):
    """The outputs of the branches side by side along `dim`, that of the channels."""

    def __init__(self, branches: Iterable[nn.Module], dim: int) -> None:
        super().__init__()
        self.branches, self.dim = nn.ModuleList(branches), dim

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([branch(x) for branch in self.branches], dim=self.dim)


class Share(nn.Module):
    """y = x / Σ x; where the sum is 0, each as much."""

    def forward(self, x: Tensor) -> Tensor:
        total = x.sum(dim=-1, keepdim=True)
        return torch.where(total > 0, x / torch.where(total > 0, total, 1), 1 / x.shape[-1])


class TwoClasses(nn.Module):
    """(1 − x, x) of one number."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([1 - x, x], dim=-1)
