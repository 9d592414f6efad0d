"""Training the denoiser and drawing a shard of images, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from neural_scaling.checks import InputError, require
from neural_scaling.diffusion.denoiser import CLASSES, SIDE, Denoiser, Shape
from neural_scaling.diffusion.noise import Kind, NoiseSchedule
from neural_scaling.diffusion.sampler import guided, require_guidance, sample
from neural_scaling.diffusion.training import SINGLE, Optimization, train
from neural_scaling.diffusion.weights import digest, pack, unpack
from neural_scaling.monitor import Arrays, Monitor
from neural_scaling.networks.devices import describe_device, find_device
from neural_scaling.networks.experiments import device_name
from neural_scaling.runs import Experiment, Index, Result

#: Item of the stored results under which weights are kept and shipped.
WEIGHTS = "diffusion"

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class DenoiserRun(Experiment):
    """A denoiser trained on the training images of MNIST.

    The loss is the mean square error of the predicted velocity, at noise levels drawn uniformly. Each step draws its batch,
    levels and noise from seed and step alone.

    Parameters
    ----------
    features
        Channels at the finest resolution.
    schedule
        ``cosine`` or ``linear``.
    levels
        Number of noise levels T.
    darkest
        What the darkest pixel value, 0, is mapped to; the brightest, 255, is mapped to 1.
    dropped
        Probability that an image is shown without its label.
    batch, steps
        Images per step and number of steps.
    rate, average
        See :class:`~neural_scaling.diffusion.training.Optimization`.
    seed
        Of initial weights, batches and noise.
    until
        Stop after so many steps.
    """

    kind: ClassVar[str] = "denoiser"
    algorithm: ClassVar[int] = 1
    # Adam divides small gradients by small numbers, so that rounding in float32 counts from the first steps on.
    tolerance: ClassVar[float] = 1e-3

    features: int
    schedule: Kind
    levels: int
    darkest: float
    dropped: float
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
        """Channels, levels and steps."""
        return f"denoiser {self.features} features, {self.levels} levels, {self.steps} steps"

    @property
    def noise(self) -> NoiseSchedule:
        """The noise levels."""
        return NoiseSchedule.named(self.schedule, self.levels)

    def slice(self) -> Self:
        """Return the first steps."""
        return replace(self, until=SINGLE)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses of the first steps."""
        return float(np.max(np.abs(recomputed["first"] / arrays["first"][: recomputed["first"].size] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return the averaged weights and the losses.

        ``first`` are those of the first ten steps; ``step`` and ``loss`` are the ends and the means of blocks of 100 steps.
        """
        from neural_scaling.datasets import load

        require(0 <= self.dropped < 1, "dropped", f"got {self.dropped!r}", "give a probability below 1")
        require(self.darkest < 1, "darkest", f"got {self.darkest!r}", "give a number below 1, such as -1")
        require(self.batch >= 1, "batch", f"got {self.batch}", "give at least one image per step")
        device, schedule = find_device(device_name()), self.noise
        shown = load("mnist").train
        images = torch.from_numpy(np.array(shown.images)).permute(0, 3, 1, 2).to(device)
        labels = torch.from_numpy(shown.labels.astype(np.int64)).to(device)
        denoiser = fresh(Denoiser, Shape(self.features), self.seed).to(device)

        def loss(step: int) -> Tensor:
            random = np.random.default_rng([self.seed, step])
            chosen = torch.from_numpy(random.integers(images.shape[0], size=self.batch)).to(device)
            x = self.darkest + (1 - self.darkest) / 255 * images[chosen].float()
            return denoising_loss(denoiser, schedule, x, labels[chosen], self.dropped, random)

        trained = train(denoiser, loss, Optimization(self.steps, self.rate, self.average), monitor, self.until)
        return {"first": trained.single, "step": trained.step, "loss": trained.loss} | pack(trained.average)


def fresh(kind: type[Denoiser], shape: Shape, seed: int) -> Denoiser:
    """Return a network with initial weights from a seed, without touching the global random state."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return kind(shape)


def denoising_loss(
    denoiser: torch.nn.Module,
    schedule: NoiseSchedule,
    x: Tensor,
    label: Tensor,
    dropped: float,
    random: np.random.Generator,
) -> Tensor:
    """Return the mean square error of the velocities at random noise levels.

    Parameters
    ----------
    denoiser
        Velocity from noisy images, times and labels.
    schedule
        The noise levels; each image gets one, all equally likely.
    x
        Images, shape (n, 1, 28, 28).
    label
        Shape (n,).
    dropped
        Probability of dropping a label.
    random
        Of levels, drops and noise.

    Returns
    -------
    torch.Tensor
        A number.
    """
    n = x.shape[0]
    level = random.integers(1, schedule.levels + 1, size=n)
    lost = torch.from_numpy(random.random(n) < dropped).to(x.device)
    noise = torch.from_numpy(random.standard_normal(tuple(x.shape), dtype=np.float32)).to(x.device)
    signal = torch.from_numpy(schedule.signal[level]).to(x.device)[:, None, None, None]
    keep, add = signal.sqrt().float(), (1 - signal).sqrt().float()
    time = torch.from_numpy((level / schedule.levels).astype(np.float32)).to(x.device)
    velocity: Tensor = denoiser(keep * x + add * noise, time, label.masked_fill(lost, CLASSES))
    return (velocity - (keep * noise - add * x)).square().mean()


#: The two models. ``full`` has the levels, features, schedule, range of pixels, drops, batch, learning rate and epochs (40) of
#: the source of the paper's images, in a network of ours; it is meant for a GPU. ``reduced`` is ours, for two cores.
MODELS: dict[str, DenoiserRun] = {
    "reduced": DenoiserRun(16, "cosine", 400, -1.0, 0.1, 128, 32_000, 1e-3, 0.9995, seed=0, until=32_000),
    "full": DenoiserRun(128, "linear", 400, 0.0, 0.1, 256, 9_375, 1e-4, 0.999, seed=0, until=9_375),
}


def trained(run: Experiment, name: str) -> Result:
    """Return the result of a training that was done before, shipped or from the user's cache.

    Parameters
    ----------
    run
        The training.
    name
        What ``python -m neural_scaling.diffusion train`` calls the network.

    Returns
    -------
    neural_scaling.runs.Result
        Weights, see :func:`~neural_scaling.diffusion.weights.pack`, and losses.

    Raises
    ------
    InputError
        If there are no weights, or they are damaged.
    """
    seen = Index(WEIGHTS).look_up(run)
    if seen.found is None:
        raise InputError(
            f"weights: those of {name!r} cannot be used ({seen.reason}); get the shipped ones with a clone of the repository, "
            f"or train them with 'python -m neural_scaling.diffusion train {name}'."
        )
    return Result(seen.found.arrays, seen.found.provenance, seen.found.origin)


def trained_denoiser(model: str) -> Result:
    """Return the trained weights of a model; see :func:`trained`.

    Parameters
    ----------
    model
        ``reduced`` or ``full``.

    Returns
    -------
    neural_scaling.runs.Result

    Raises
    ------
    InputError
        If the model is unknown or has no weights, or they are damaged.
    """
    require(model in MODELS, "model", f"got {model!r}", f"use one of {', '.join(MODELS)}")
    return trained(MODELS[model], model)


@dataclass(frozen=True)
class ShardRun(Experiment):
    """A shard of generated images, from its own seed: which other shards there are does not matter.

    Labels are balanced and shuffled in each batch. Labels and all noise are the same on every machine; the network's rounding is
    not, and may change grey values by one or, rarely, more. On one machine with the same number of threads all is the same to
    the bit.

    Parameters
    ----------
    model, weights
        Name of the model and :func:`~neural_scaling.diffusion.weights.digest` of its weights.
    guidance, steps, churn
        See :func:`~neural_scaling.diffusion.sampler.sample` and :func:`~neural_scaling.diffusion.sampler.guided`.
    images, batch
        Number of images and of those that go through the network together.
    seed, shard
        Of labels and noise.
    """

    kind: ClassVar[str] = "generated images"
    algorithm: ClassVar[int] = 1
    # Share of pixels that differ by more than two grey values.
    tolerance: ClassVar[float] = 1e-2

    model: str
    weights: str
    guidance: float
    steps: int
    churn: float
    images: int
    batch: int
    seed: int
    shard: int

    @property
    def device(self) -> str:
        """What the images are drawn on."""
        return describe_device(find_device(device_name()))

    @property
    def work(self) -> int:
        """Number of images."""
        return self.images

    @property
    def label(self) -> str:
        """Model and number of the shard."""
        return f"{self.model} model, shard {self.shard}"

    def slice(self) -> Self:
        """Return the shard with its first batch only."""
        return replace(self, images=self.batch)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Return the share of pixels of the first batch that differ by more than two grey values."""
        part = recomputed["images"]
        return float(np.mean(np.abs(arrays["images"][: len(part)].astype(int) - part) > 2))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``images``, shape (images, 28, 28, 1), and ``labels``, shape (images,), both uint8."""
        require_guidance(self.guidance)
        require(self.batch >= 1, "batch", f"got {self.batch}", "give at least one image at a time")
        whole = self.images >= 1 and self.images % self.batch == 0
        require(whole, "images", f"got {self.images}", f"give a multiple of the batch of {self.batch}")
        kept, model, device = trained_denoiser(self.model).arrays, MODELS[self.model], find_device(device_name())
        found = digest(kept)
        require(found == self.weights, "weights", f"{found} are there, not {self.weights}", "plan the shards anew")
        denoiser = Denoiser(Shape(model.features))
        unpack(kept, denoiser)
        denoiser.to(device).eval()
        pieces: list[Pixels] = []
        labels: list[Pixels] = []
        for number in range(self.images // self.batch):
            random = np.random.default_rng([self.seed, self.shard, number])
            labels.append(random.permutation(np.arange(self.batch, dtype=np.uint8) % CLASSES))
            pieces.append(draw(denoiser, model, labels[-1], self, random, device))
            monitor.advance(self.batch)
        return {"images": np.concatenate(pieces), "labels": np.concatenate(labels)}


@torch.inference_mode()
def draw(
    denoiser: Denoiser,
    model: DenoiserRun,
    labels: Pixels,
    how: ShardRun,
    random: np.random.Generator,
    device: torch.device,
) -> Pixels:
    """Draw images of given labels.

    Parameters
    ----------
    denoiser, model
        The network and how it was trained.
    labels
        Shape (n,).
    how
        Guidance, steps, churn.
    random
        Of the noise, drawn on the host so that it is the same for every device.
    device
        Where the network is.

    Returns
    -------
    numpy.ndarray
        uint8, shape (n, 28, 28, 1).
    """

    def noise() -> Tensor:
        values = random.standard_normal((labels.size, 1, SIDE, SIDE), dtype=np.float32)
        return torch.from_numpy(values).to(device, memory_format=torch.channels_last)

    predict = guided(denoiser, torch.from_numpy(labels.astype(np.int64)).to(device), how.guidance, model.levels)
    x = sample(predict, model.noise, noise, how.steps, how.churn, (model.darkest, 1.0))
    grey = ((x - model.darkest) * (255 / (1 - model.darkest))).round().clamp(0, 255)
    return grey.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()
