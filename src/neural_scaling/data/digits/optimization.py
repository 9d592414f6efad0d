"""Training that can be killed: random numbers from seed and step alone, averaged weights, checkpoints, divergence as an error."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from neural_scaling.base.checks import instance, keep_each, real, require, require_positive, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.base.devices import find_device
from neural_scaling.base.monitor import Arrays, Monitor

__all__ = ["RECORDED", "SINGLE", "Optimization", "Shown", "Trained", "TrainingDiverged", "seeded", "train"]

Network = TypeVar("Network", bound=nn.Module)

#: Steps over which the recorded loss is averaged.
RECORDED = 100
#: First steps whose losses are recorded one by one, for the check that a kept run can be repeated.
SINGLE = 10
_WARM_UP = 200  # steps in which the learning rate grows to its value


class TrainingDiverged(ArithmeticError):
    """The loss is not finite any more; the message names the step and what to change."""


@dataclass(frozen=True)
class Optimization:
    """How to train.

    Attributes
    ----------
    steps
        Number of steps T of the whole training, which the learning rate depends on.
    rate
        Learning rate of Adam. It grows linearly over 200 steps (a tenth of T if that is less) and then falls to zero like half
        a cosine.
    average
        Share that the running average of the weights keeps per step; less in the first steps. 0 for no average.
    """

    steps: int
    rate: float
    average: float

    def __post_init__(self) -> None:
        keep_each(self, whole, "steps")
        keep_each(self, require_positive, "rate")
        keep_each(self, real, "average", least=0, below=1)

    def rate_at(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        step = whole(step, "step", "count steps from 0", least=0)
        warm = max(1, min(_WARM_UP, self.steps // 10))
        if step < warm:
            return self.rate * (step + 1) / warm
        return self.rate * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, self.steps - warm)))


@dataclass(frozen=True)
class Trained:
    """What training gives.

    Attributes
    ----------
    average
        The network with averaged weights.
    losses
        ``first``, those of the first steps, shape (<= 10,); ``step`` and ``loss``, the last step of each block of 100 and the
        mean loss in it, shapes (R,).
    """

    average: nn.Module
    losses: Arrays


def seeded(make: Callable[[], Network], seed: int) -> Network:
    """Return a network with initial weights from a seed alone; global random state, precision and device are left alone."""
    require(callable(make), "make", f"got {type(make).__name__}", "give a function without arguments")
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float32)
        with torch.random.fork_rng(devices=[]), torch.device("cpu"):
            torch.default_generator.manual_seed(checked_seed(seed))
            return make()
    finally:
        torch.set_default_dtype(before)


class Shown:
    """The training images of MNIST, shown in batches.

    Parameters
    ----------
    batch
        Images at a time, at least 1.
    device
        Where they are put.
    """

    def __init__(self, batch: int, device: torch.device | str) -> None:
        from neural_scaling.data.entries import MNIST

        batch, device = whole(batch, "batch", "give at least one image per step"), find_device(device)
        shown = MNIST.load().train
        self._batch, self._device = batch, device
        self._images = torch.from_numpy(np.array(shown.images)).permute(0, 3, 1, 2).to(device)
        self._labels = torch.from_numpy(shown.labels.astype(np.int64)).to(device)

    def draw(self, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return images with values from 0 to 1, shape (batch, 1, 28, 28), and their labels, drawn with repetition."""
        instance(random, "random", np.random.Generator, "give a generator, as numpy.random.default_rng makes it")
        chosen = torch.from_numpy(random.integers(len(self._images), size=self._batch)).to(self._device)
        return self._images[chosen].float() / 255, self._labels[chosen]


def train(
    network: nn.Module, loss: Callable[[int], Tensor], how: Optimization, monitor: Monitor, until: int | None = None
) -> Trained:
    """Train a network in place with Adam.

    A run that goes on from the state it offered to the monitor gives bit by bit the numbers of one that was never stopped, on
    the same machine with the same number of threads.

    Parameters
    ----------
    network
        Its parameters are trained.
    loss
        Loss on the batch of a step; the batch and all noise must follow from the number of the step.
    how
        Steps, learning rate, average.
    monitor
        Told of every step and offered the state.
    until
        Stop after so many steps; by default after all.

    Raises
    ------
    TrainingDiverged
        If the loss is not finite.
    """
    instance(network, "network", nn.Module, "give a module of PyTorch")
    require(callable(loss), "loss", f"got {type(loss).__name__}", "give a function of the step")
    instance(how, "how", Optimization, "give an Optimization")
    instance(monitor, "monitor", Monitor, "give a Monitor")
    last = how.steps if until is None else min(whole(until, "until"), how.steps)
    average = copy.deepcopy(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=how.rate)
    losses = _restore(network, average, optimizer, monitor)
    for step in range(len(losses), last):
        for group in optimizer.param_groups:
            group["lr"] = how.rate_at(step)
        optimizer.zero_grad(set_to_none=True)
        value = loss(step)
        losses.append(value.item())
        if not math.isfinite(losses[-1]):
            raise TrainingDiverged(
                f"rate: the loss is {losses[-1]} at step {step} of {how.steps} at learning rate {how.rate:g}; give a smaller one."
            )
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        _follow(average, network, min(how.average, (1 + step) / (10 + step)))
        monitor.advance(1)
        monitor.safe_point(lambda: _state(network, average, optimizer, losses))
    blocks = np.array(losses[: last - last % RECORDED] if last >= RECORDED else losses)
    size = RECORDED if last >= RECORDED else last
    steps = np.arange(size, blocks.size + 1, size, dtype=np.float64)
    means = blocks.reshape(-1, size).mean(1)
    return Trained(average, {"first": np.array(losses[:SINGLE]), "step": steps, "loss": means})


@torch.no_grad()
def _follow(average: nn.Module, network: nn.Module, kept: float) -> None:
    followers: list[Tensor] = list(average.parameters())
    leaders: list[Tensor] = list(network.parameters())
    torch._foreach_lerp_(followers, leaders, 1 - kept)


def _state(network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, losses: list[float]) -> Arrays:
    arrays = {"losses": np.array(losses)}
    for (name, weight), mean in zip(network.named_parameters(), average.parameters(), strict=True):
        moments = optimizer.state[weight]
        held = {"weight": weight, "average": mean} | {key: moments[key] for key in ("exp_avg", "exp_avg_sq", "step")}
        arrays |= {f"{key} {name}": tensor.detach().cpu().numpy().copy() for key, tensor in held.items()}
    return arrays


def _restore(network: nn.Module, average: nn.Module, optimizer: torch.optim.Optimizer, monitor: Monitor) -> list[float]:
    kept = monitor.restored()
    if kept is None:
        return []
    with torch.no_grad():
        for (name, weight), mean in zip(network.named_parameters(), average.parameters(), strict=True):
            weight.copy_(torch.from_numpy(kept[f"weight {name}"]))
            mean.copy_(torch.from_numpy(kept[f"average {name}"]))
            moments = {
                key: torch.empty_like(weight).copy_(torch.from_numpy(kept[f"{key} {name}"]))
                for key in ("exp_avg", "exp_avg_sq")
            }
            optimizer.state[weight] = moments | {"step": torch.from_numpy(kept[f"step {name}"])}
    return [float(value) for value in kept["losses"]]
