"""The judge of generated digits: a small convolutional network trained on real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural_scaling.diffusion.denoiser import CLASSES, SIDE
from neural_scaling.diffusion.experiments import Pixels, trained
from neural_scaling.diffusion.training import SINGLE, Optimization, train
from neural_scaling.diffusion.weights import pack, unpack
from neural_scaling.monitor import Arrays, Monitor
from neural_scaling.networks.devices import describe_device, find_device
from neural_scaling.networks.experiments import device_name
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import Array

#: Number of features that distances between sets of images are computed in.
FEATURES = 64

_ROWS = 500  # images judged at once


class Classifier(nn.Module):
    """Two convolutions and two dense layers; the features are the outputs of the last but one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 32, 3, padding=1)
        self.dense = nn.Linear(32 * (SIDE // 4) ** 2, FEATURES)
        self.last = nn.Linear(FEATURES, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        """Return the features of images of shape (n, 1, 28, 28), values 0 to 1; shape (n, 64)."""
        h = F.max_pool2d(F.relu(self.first(x)), 2)
        h = F.max_pool2d(F.relu(self.second(h)), 2)
        return F.relu(self.dense(h.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images of shape (n, 1, 28, 28), values 0 to 1; shape (n, 10)."""
        logits: Tensor = self.last(self.features(x))
        return logits


@dataclass(frozen=True)
class ClassifierRun(Experiment):
    """A classifier trained on the training images of MNIST, images shifted by up to two pixels.

    Parameters
    ----------
    batch, steps
        Images per step and number of steps.
    rate, average
        See :class:`~neural_scaling.diffusion.training.Optimization`.
    seed
        Of initial weights, batches and shifts.
    until
        Stop after so many steps.
    """

    kind: ClassVar[str] = "classifier"
    algorithm: ClassVar[int] = 1
    tolerance: ClassVar[float] = 1e-3  # as for the denoiser

    batch: int
    steps: int
    rate: float
    average: float
    seed: int
    until: int

    @property
    def device(self) -> str:
        """What the network is trained on."""
        return describe_device(find_device(device_name()))

    @property
    def work(self) -> int:
        """Number of steps."""
        return self.until

    @property
    def label(self) -> str:
        """Number of steps."""
        return f"classifier, {self.steps} steps"

    def slice(self) -> Self:
        """Return the first steps."""
        return replace(self, until=SINGLE)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses of the first steps."""
        return float(np.max(np.abs(recomputed["first"] / arrays["first"][: recomputed["first"].size] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return the averaged weights and the losses, as :meth:`neural_scaling.diffusion.experiments.DenoiserRun.run` does."""
        from neural_scaling.datasets import load

        device, shown = find_device(device_name()), load("mnist").train
        images = torch.from_numpy(np.array(shown.images)).permute(0, 3, 1, 2).to(device)
        labels = torch.from_numpy(shown.labels.astype(np.int64)).to(device)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = Classifier().to(device)

        def loss(step: int) -> Tensor:
            random = np.random.default_rng([self.seed, step])
            chosen = torch.from_numpy(random.integers(images.shape[0], size=self.batch)).to(device)
            down, right = (int(shift) for shift in random.integers(-2, 3, size=2))
            x = torch.roll(images[chosen].float() / 255, (down, right), (2, 3))
            return F.cross_entropy(network(x), labels[chosen])

        trained = train(network, loss, Optimization(self.steps, self.rate, self.average), monitor, self.until)
        return {"first": trained.single, "step": trained.step, "loss": trained.loss} | pack(trained.average)


#: The judge of the book.
JUDGE = ClassifierRun(100, 6_000, 2e-3, 0.998, seed=0, until=6_000)


def trained_judge() -> Result:
    """Return the trained weights of the judge; see :func:`~neural_scaling.diffusion.experiments.trained`."""
    return trained(JUDGE, "judge")


@dataclass(frozen=True)
class Judged:
    """What the classifier says.

    Attributes
    ----------
    labels
        Most likely label of each image, shape (n,).
    features
        Shape (n, 64).
    """

    labels: Pixels
    features: Array


@torch.inference_mode()
def classify(images: Pixels, kept: Arrays) -> Judged:
    """Let the classifier look at images.

    Parameters
    ----------
    images
        uint8, shape (n, 28, 28, 1).
    kept
        Its weights.

    Returns
    -------
    Judged

    Raises
    ------
    InputError
        If the weights do not fit.
    """
    network = Classifier()
    unpack(kept, network)
    labels, features = [], []
    for rows in _blocks(images):
        seen = network.features(torch.from_numpy(rows).permute(0, 3, 1, 2).float() / 255)
        features.append(seen.double().numpy())
        labels.append(network.last(seen).argmax(1).numpy().astype(np.uint8))
    return Judged(np.concatenate(labels), np.concatenate(features))


def _blocks(images: Pixels) -> Iterator[Pixels]:
    for first in range(0, len(images), _ROWS):
        yield np.array(images[first : first + _ROWS])
