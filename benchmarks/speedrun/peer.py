"""The same recipe in PyTorch: the same starting weights, mini-batches, augmentation, optimizer and learning rates."""

from __future__ import annotations

import contextlib
import time
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
import torch
from torch.nn import functional

import glassnet as gn
from benchmarks.speedrun.boards import Images
from benchmarks.speedrun.ours import views
from glassnet.nn.optimizers import SGD, AdamW, Muon, Optimizer, average


class TorchMuon(torch.optim.Optimizer):
    """Muon for matrices and filters, as in `glassnet.Muon`; products in the type of the weights."""

    def __init__(self, parameters: Any, settings: Muon) -> None:
        super().__init__(parameters, {"lr": 0.0})
        self.settings = settings

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]  # takes no closure
        settings = self.settings
        for group in self.param_groups:
            for w in group["params"]:
                state = self.state[w]
                m = state.setdefault("momentum", torch.zeros_like(w))
                m.mul_(settings.momentum).add_(w.grad)
                step = w.grad + settings.momentum * m if settings.nesterov else m
                if settings.normalize:
                    w.mul_(len(w) ** 0.5 / w.norm())
                else:
                    w.mul_(1 - group["lr"] * settings.weight_decay)
                w.sub_(group["lr"] * orthogonal(step.reshape(len(w), -1), settings.iterations).reshape(w.shape))


def orthogonal(g: Any, iterations: int) -> Any:
    """Newton and Schulz's iteration of (outputs, inputs)."""
    tall = g.shape[0] > g.shape[1]
    x = g.T if tall else g
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.T if tall else x


def train(recipe: gn.Recipe, images: Images, threads: int, precision: str) -> tuple[float, float]:
    """Seconds of training and the accuracy on the test images in percent."""
    torch.set_num_threads(threads)
    start = time.perf_counter()
    module = trained(recipe, images, precision)
    seconds = time.perf_counter() - start
    return seconds, evaluate(recipe, module, images)


def trained(recipe: gn.Recipe, images: Images, precision: str) -> Any:
    """PyTorch's module after the recipe's training, in `eval()` mode."""
    settings, optimizer = recipe.training, recipe.make_optimizer()
    assert isinstance(optimizer, Optimizer)
    network = recipe.make_network(images.splits)
    network.adapt(images.train.images)
    module: Any = gn.to_torch(network)
    module = module.to(memory_format=torch.channels_last).train()
    loss = recipe_loss(network)
    steppers = optimizers_of(optimizer, module)
    x, y, count = images.train.images, torch.from_numpy(np.array(images.train.labels)), len(images.train)
    steps, rng = -(-count // settings.batch_size), np.random.default_rng(settings.seed)
    total, augmentation = steps * settings.epochs, recipe.make_augmentation()
    rates, key = optimizer.schedule.rates(0, total, total), 2 * int(rng.integers(2**62))
    mean = None if settings.average is None else {name: each.clone() for name, each in module.state_dict().items()}
    for epoch in range(settings.epochs):
        order = rng.permutation(count)
        plain = epoch >= settings.epochs - settings.plain_epochs
        for step in range(steps):
            chosen = order[step * settings.batch_size : (step + 1) * settings.batch_size]
            batch = x[chosen]
            if augmentation is not None and not plain:
                mirrored = augmentation.mirrored(np.uint64(key + (epoch + 1) % 2), chosen)
                if mirrored is not None:
                    batch[mirrored] = batch[mirrored][:, :, ::-1]
                batch = moved(augmentation, batch, int(rng.integers(2**63)))
            number = epoch * steps + step
            for stepper in steppers:
                for group in stepper.param_groups:
                    group["lr"] = rates[number] * group["factor"]
                stepper.zero_grad(set_to_none=True)
            with autocast(precision):
                loss(module(torch.from_numpy(batch)), y[chosen]).backward()
            for stepper in steppers:
                decay(stepper)
                stepper.step()
            if mean is not None and settings.average is not None:
                for name, each in module.state_dict().items():
                    if each.is_floating_point():
                        average(mean[name].numpy(), each.numpy(), settings.average, number)
    if mean is not None:
        module.load_state_dict(mean)
    return module.eval()


@torch.no_grad()
def decay(stepper: Any) -> None:
    """Decoupled weight decay, where PyTorch's optimizer has none: w ← (1 − η·λ)·w."""
    for group in stepper.param_groups:
        for w in group["params"] if group.get("decay") else ():
            w.mul_(1 - group["lr"] * group["decay"])


def moved(augmentation: gn.Augmentation, batch: Any, seed: int) -> Any:
    """The changes but for mirroring in turn; whole shifts alone by slices, as PyTorch's users would, all else as ours."""
    options = {name: value for name, value in vars(augmentation).items() if value != getattr(gn.Augmentation(), name)}
    if set(options) - {"flip", "crop", "fill"} or options.get("fill") != "reflect":
        return augmentation(batch, seed)
    pad, (height, width) = augmentation.crop, batch.shape[1:3]
    shifts = np.random.default_rng(seed).integers(0, 2 * pad + 1, (len(batch), 2))
    around, found = np.pad(batch, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect"), np.empty_like(batch)
    for i in range(2 * pad + 1):
        for j in range(2 * pad + 1):
            here = (shifts == (i, j)).all(axis=1)
            found[here] = around[here, i : i + height, j : j + width]
    return found


def recipe_loss(network: gn.Network) -> Any:
    assert isinstance(network.loss, gn.SoftmaxCrossEntropy)
    smoothing = network.loss.label_smoothing
    return lambda z, t: functional.cross_entropy(z, t, label_smoothing=smoothing)


def autocast(precision: str) -> Any:
    return torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else contextlib.nullcontext()


def optimizers_of(optimizer: Optimizer, module: Any) -> list[Any]:
    """PyTorch's optimizers; each group of parameters has its `factor` of the learning rate."""
    groups, matrices = [], []
    for name, parameter in module.named_parameters():
        layer, _, key = name.rpartition(".")
        norm = layer.startswith(("batchnorm", "layernorm"))
        ours = f"{layer}.{({'weight': 'gamma', 'bias': 'beta'} if norm else {}).get(key, key)}"
        factor, decays = optimizer.factor(ours), key == "weight" and not norm
        if factor == 0:
            parameter.requires_grad = False
            continue
        group = {"params": [parameter], "factor": factor}
        if isinstance(optimizer, Muon):
            if parameter.ndim > 1 and not any(fnmatchcase(ours, pattern) for pattern in optimizer.sgd):
                matrices.append(group)
            else:
                groups.append(group | {"decay": optimizer.decay_of(ours, tuple(parameter.shape), decays)})
        else:
            groups.append(group | {"weight_decay": optimizer.decay if decays else 0.0})
    if isinstance(optimizer, Muon):
        sgd = torch.optim.SGD(groups, lr=1.0, momentum=optimizer.sgd_momentum, nesterov=optimizer.nesterov)
        return [sgd, TorchMuon(matrices, optimizer)]
    if isinstance(optimizer, AdamW):
        betas = (optimizer.beta1, optimizer.beta2)
        return [torch.optim.AdamW(groups, lr=1.0, betas=betas, eps=optimizer.epsilon)]
    assert isinstance(optimizer, SGD)
    return [torch.optim.SGD(groups, lr=1.0, momentum=optimizer.momentum, nesterov=optimizer.nesterov)]


@torch.no_grad()
def evaluate(recipe: gn.Recipe, module: Any, images: Images) -> float:
    """The accuracy in percent, of the mean over the recipe's views."""
    options = views(recipe)
    changes, count = options.get("augmentation"), options.get("views", 1)
    pixels, total = images.test.images, torch.zeros(())
    if isinstance(changes, gn.MultiCrop):
        seen = list(changes.views(pixels, count))
    else:
        seen = [pixels, *(changes(pixels, number) for number in range(1, count) if changes is not None)]
    for view in seen:
        logits = [module(torch.from_numpy(np.array(part))) for part in np.array_split(view, max(1, len(view) // 500))]
        total = total + functional.softmax(torch.cat(logits), dim=1)
    return 100 * float((total.argmax(1).numpy() == images.test.labels).mean())
