"""A convolutional network as a reader may bring it: written in plain torch, forecast from its kernel, then trained."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Self, TypeVar

import numpy as np
import torch
from torch import nn

from neural_scaling.base.checks import flag, keep_each, require_positive, seed, text, whole
from neural_scaling.base.devices import find_device
from neural_scaling.base.monitor import Arrays, Monitor, Parts, scalar
from neural_scaling.data import load
from neural_scaling.networks.image_batches import ImageData
from neural_scaling.networks.runs import DatasetRun, NetworkRun
from neural_scaling.predict import Options, from_kernel
from neural_scaling.predict.mean_field_scaling import Centred, mean_field_groups, mean_field_rates, mean_field_start
from neural_scaling.predict.tangent import sample_kernel
from neural_scaling.runs.device import device_name
from neural_scaling.runs.experiment import ADDED

GAIN = 2.0**0.5  # of ReLU
Part = TypeVar("Part")


def there(value: Part | None) -> Part:
    """Return a part of a prediction that all have which start from modes."""
    assert value is not None
    return value


def network(width: int, channels: int, size: int, classes: int) -> nn.Module:
    """Return two convolutions and a readout, as anyone would write them."""
    return nn.Sequential(
        nn.Conv2d(channels, width, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Conv2d(width, width, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.Flatten(),
        nn.Linear(width * (size // 4) ** 2, classes),
    )


@dataclass(frozen=True)
class OwnForecastRun(DatasetRun):
    """What the kernel of the network at its start predicts, from images and labels alone."""

    kind: ClassVar[str] = "own network forecast"
    algorithm: ClassVar[int] = 2
    # Gradients are in float32; sums of thousands of products round in the sixth digit.
    tolerance: ClassVar[float] = 1e-3
    compared: ClassVar[tuple[str, ...]] = ("diagonal",)

    dataset: str
    # images, test: training images of the kernel, and test images, the first ones
    images: int
    test: int
    width: int  # filters of each convolution
    seed: int = 0  # of the weights

    def __post_init__(self) -> None:
        keep_each(self, text, "dataset")
        keep_each(self, whole, "images", least=100)
        keep_each(self, whole, "test", "width")
        keep_each(self, seed, "seed")

    @property
    def work(self) -> int:
        """Images."""
        return self.images

    @property
    def label(self) -> str:
        """Dataset, width and number of images."""
        return f"{self.dataset} forecast N={self.width} n={self.images} seed={self.seed}"

    def slice(self) -> Self:
        """Return the forecast from the first images."""
        return replace(self, images=min(self.images, 128), test=min(self.test, 16))

    def run(self, monitor: Monitor) -> Arrays:
        """Return the curves over ``time``, eta * steps.

        ``lazy`` and ``rich``, shape (3, R): the loss with noise and the ends of its band; ``bounds``, (2, R): gradient flow on
        the images, seen at them and at the test images; ``tail``, (R,): share of the lazy loss in modes that are not known;
        ``capacity`` and ``source``, (3,): value and interval; ``hard``; ``eta``, the largest stable learning rate at the start;
        ``diagonal``, K(x, x) at the first 128 images; ``eigenvalues``, of the modes that are known.
        """
        device = find_device(device_name())
        data = ImageData(load(self.dataset), device, torch.float32, self.images, self.test)
        model = mean_field_start(_made(self.width, data), self.seed, gain=GAIN).to(device)
        index, n = torch.arange(self.images, device=device), self.images
        inputs = _pictures(data, torch.cat([data.take(index), data.test_inputs]))
        rates = mean_field_rates(model, gain=GAIN)
        made = Parts(monitor).call(
            "kernel", lambda: {"kernel": sample_kernel(model, inputs, rates=rates, progress=False)}
        )
        kernel, mean = made["kernel"], _mean(data, n)
        seen, other = ((part - mean).double().cpu().numpy() for part in (data.targets(index), data.test_targets))
        found = from_kernel(
            kernel[:n, :n], seen, across=kernel[n:, :n], test_targets=other, options=Options(store=False)
        )
        monitor.advance(n)
        lazy, rich, bounds = there(found.lazy), there(found.rich), there(found.bounds)
        ranges = {name: getattr(found, name) for name in ("capacity", "source")}
        return {
            "time": lazy.time,
            "lazy": np.stack(lazy.measured()),
            "rich": np.stack(rich.measured()),
            "bounds": np.stack([bounds.train, bounds.test]),
            "tail": lazy.tail,
            **{name: np.array([one.value, one.low, one.high]) for name, one in ranges.items()},
            "hard": np.array(found.hard),
            "eta": np.array(2 / lazy.sharpness[0]),
            "diagonal": kernel.diagonal()[: min(128, n)].astype(np.float32),
            "eigenvalues": there(found.estimate).eigenvalues,
        }


@dataclass(frozen=True)
class OwnTrainingRun(DatasetRun, NetworkRun):
    """The same network trained online by gradient descent, centred, in mean-field scaling."""

    kind: ClassVar[str] = "own network training"
    algorithm: ClassVar[int] = 1
    # Trained in float32, where the order of sums counts in the 7th digit.
    tolerance: ClassVar[float] = 1e-3
    sliced: ClassVar[int] = 2
    per_decade: ClassVar[int] = 10

    dataset: str
    images: int  # whose mean centres the targets, as in the forecast; batches are drawn from all
    test: int
    width: int
    # richness, eta, batch, steps: gamma_0, eta_0, B and T
    richness: float
    eta: float
    batch: int
    steps: int
    seeds: int  # number of networks
    last_only: bool = field(default=False, metadata=ADDED)  # record the last step alone

    def __post_init__(self) -> None:
        keep_each(self, text, "dataset")
        keep_each(self, whole, "images", least=100)
        keep_each(self, whole, "test", "width", "batch", "steps", "seeds")
        keep_each(self, require_positive, "richness", "eta")
        keep_each(self, flag, "last_only")

    @property
    def label(self) -> str:
        """Dataset, richness, learning rate, width and batch."""
        return f"{self.dataset} own network gamma0={self.richness:g} eta0={self.eta:g} N={self.width} B={self.batch}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step``, (R,), and ``loss`` at the test images, summed over outputs, float32, shape (seeds, R)."""
        device = find_device(device_name())
        data = ImageData(load(self.dataset), device, torch.float32, None, self.test)
        mean, parts = _mean(data, self.images), Parts(monitor)
        losses = [
            parts.run(f"seed {number}", partial(self._trained, number, data, mean))["loss"]
            for number in range(self.seeds)
        ]
        return {"step": np.array(self.recorded()), "loss": np.array(losses, np.float32)}

    def _trained(self, number: int, data: ImageData, mean: torch.Tensor, monitor: Monitor) -> Arrays:
        device = data.test_inputs.device
        model = Centred(mean_field_start(_made(self.width, data), number, gain=GAIN), self.richness).to(device)
        optimizer = torch.optim.SGD(mean_field_groups(model.network, self.eta, self.richness, gain=GAIN))
        chance = torch.Generator().manual_seed(number)
        test, wanted = _pictures(data, data.test_inputs), set(self.recorded())
        weights, losses, first = list(model.network.parameters()), list[float](), 0
        if (kept := monitor.restored()) is not None:
            losses, first = kept["losses"].tolist(), int(kept["step"])
            chance.set_state(torch.from_numpy(kept["chance"]))
            with torch.no_grad():
                for place, weight in enumerate(weights):
                    weight.copy_(torch.from_numpy(kept[f"weight {place}"]))
        for step in range(first, self.steps + 1):

            def state(step: int = step) -> Arrays:
                held = {f"weight {place}": weight.detach().cpu().numpy().copy() for place, weight in enumerate(weights)}
                return held | {"losses": np.array(losses), "step": scalar(step), "chance": chance.get_state().numpy()}

            monitor.safe_point(state)
            if step in wanted:
                with torch.no_grad():
                    losses.append(float((model(test) - data.test_targets + mean).square().sum(1).mean()))
            if step == self.steps:
                break
            index = torch.randint(data.count, (self.batch,), generator=chance).to(device)
            misfit = model(_pictures(data, data.take(index))) - data.targets(index) + mean
            optimizer.zero_grad()
            (misfit.square().sum(1).mean() / 2).backward()
            optimizer.step()
            monitor.advance(1)
        return {"loss": np.array(losses)}


def _made(width: int, data: ImageData) -> nn.Module:
    return network(width, data.channels, data.size, data.classes)


def _pictures(data: ImageData, rows: torch.Tensor) -> torch.Tensor:
    """Return rows of pixels as torch has images, channels first."""
    return rows.view(-1, data.size, data.size, data.channels).permute(0, 3, 1, 2).contiguous()


def _mean(data: ImageData, images: int) -> torch.Tensor:
    return data.targets(torch.arange(images, device=data.test_inputs.device)).mean(0)
