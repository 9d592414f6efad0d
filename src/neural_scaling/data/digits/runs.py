"""Training the networks and drawing a shard of images, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self, get_args

import numpy as np

from neural_scaling.base.checks import (
    InputError,
    choice,
    instance,
    keep_each,
    real,
    require,
    require_positive,
    text,
    whole,
)
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.data.digits.noise import Kind, NoiseSchedule
from neural_scaling.data.digits.sizes import CLASSES, Pixels
from neural_scaling.data.digits.weights import digest, pack, unpack
from neural_scaling.runs import Index, Result
from neural_scaling.runs.device import DeviceRun, device_name

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "JUDGE", "MODELS", "WEIGHTS", "ClassifierRun", "DenoiserRun", "ShardRun", "TrainingRun", "trained",
    "trained_denoiser", "trained_judge",
]  # fmt: skip

#: Item of the stored results under which weights are kept and shipped.
WEIGHTS = "diffusion"

_SLICE = 10  # steps of the slice that checks a kept training


@dataclass(frozen=True)
class TrainingRun(DeviceRun):
    """A network trained on the training images of MNIST; the base of the two that there are.

    Each step draws its batch and all else that is random from seed and step alone.

    Parameters
    ----------
    batch, steps
        Images per step and number of steps.
    rate, average
        See :class:`~neural_scaling.data.digits.optimization.Optimization`.
    seed
        Of initial weights, batches and noise.
    until
        Stop after so many steps.
    """

    # Adam divides small gradients by small numbers, so that rounding in float32 counts from the first steps on.
    tolerance: ClassVar[float] = 1e-3
    compared: ClassVar[tuple[str, ...]] = ("first",)

    batch: int
    steps: int
    rate: float
    average: float
    seed: int
    until: int

    def __post_init__(self) -> None:
        keep_each(self, whole, "batch", "steps", "until")
        keep_each(self, require_positive, "rate")
        keep_each(self, real, "average", least=0, below=1)
        keep_each(self, checked_seed, "seed")

    @property
    def work(self) -> int:
        """Number of steps."""
        return self.until

    def slice(self) -> Self:
        """Return the first steps."""
        return replace(self, until=_SLICE)


@dataclass(frozen=True)
class DenoiserRun(TrainingRun):
    """A denoiser; the loss is the mean square error of the velocity at noise levels drawn uniformly.

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
    """

    kind: ClassVar[str] = "denoiser"
    algorithm: ClassVar[int] = 1

    features: int
    schedule: Kind
    levels: int
    darkest: float
    dropped: float

    def __post_init__(self) -> None:
        super().__post_init__()
        keep_each(self, whole, "features")
        keep_each(self, choice, "schedule", options=get_args(Kind))
        keep_each(self, whole, "levels", least=2)
        keep_each(self, real, "darkest", below=1)
        keep_each(self, real, "dropped", least=0, below=1)

    @property
    def label(self) -> str:
        """Channels, levels and steps."""
        return f"denoiser {self.features} features, {self.levels} levels, {self.steps} steps"

    @property
    def noise(self) -> NoiseSchedule:
        """The noise levels."""
        return NoiseSchedule.named(self.schedule, self.levels)

    def run(self, monitor: Monitor) -> Arrays:
        """Return the averaged weights and the losses.

        ``first`` are those of the first ten steps; ``step`` and ``loss`` are the ends and the means of blocks of 100 steps.
        """
        from neural_scaling.base.devices import find_device
        from neural_scaling.data.digits.denoiser import Denoiser, Shape
        from neural_scaling.data.digits.objective import denoising_loss
        from neural_scaling.data.digits.optimization import Optimization, Shown, seeded, train

        schedule, device = self.noise, find_device(device_name())
        denoiser = seeded(lambda: Denoiser(Shape(self.features)), self.seed).to(device)
        shown = Shown(self.batch, device)

        def loss(step: int) -> Tensor:
            random = np.random.default_rng([self.seed, step])
            x, labels = shown.draw(random)
            x = self.darkest + (1 - self.darkest) * x
            return denoising_loss(denoiser, schedule, x, labels, self.dropped, random)

        trained = train(denoiser, loss, Optimization(self.steps, self.rate, self.average), monitor, self.until)
        return trained.losses | pack(trained.average)


@dataclass(frozen=True)
class ClassifierRun(TrainingRun):
    """A classifier; the images of a batch are shifted together by up to two pixels."""

    kind: ClassVar[str] = "classifier"
    algorithm: ClassVar[int] = 1

    @property
    def label(self) -> str:
        """Number of steps."""
        return f"classifier, {self.steps} steps"

    def run(self, monitor: Monitor) -> Arrays:
        """Return the averaged weights and the losses, as :meth:`DenoiserRun.run` does."""
        import torch
        import torch.nn.functional as F

        from neural_scaling.base.devices import find_device
        from neural_scaling.data.digits.classifier import Classifier
        from neural_scaling.data.digits.optimization import Optimization, Shown, seeded, train

        device = find_device(device_name())
        network = seeded(Classifier, self.seed).to(device)
        shown = Shown(self.batch, device)

        def loss(step: int) -> Tensor:
            random = np.random.default_rng([self.seed, step])
            x, labels = shown.draw(random)
            down, right = (int(shift) for shift in random.integers(-2, 3, size=2))
            return F.cross_entropy(network(torch.roll(x, (down, right), (2, 3))), labels)

        trained = train(network, loss, Optimization(self.steps, self.rate, self.average), monitor, self.until)
        return trained.losses | pack(trained.average)


#: The two models. ``full`` has the levels, features, schedule, range of pixels, drops, batch, learning rate and epochs (40) of
#: public code of the paper's group, in a network of ours; it is meant for a GPU. ``reduced`` is ours, for two cores.
MODELS: dict[str, DenoiserRun] = {
    "reduced": DenoiserRun(
        features=16,
        schedule="cosine",
        levels=400,
        darkest=-1.0,
        dropped=0.1,
        batch=128,
        steps=12_000,
        rate=1e-3,
        average=0.999,
        seed=0,
        until=12_000,
    ),
    "full": DenoiserRun(
        features=128,
        schedule="linear",
        levels=400,
        darkest=0.0,
        dropped=0.1,
        batch=256,
        steps=9_375,
        rate=1e-4,
        average=0.999,
        seed=0,
        until=9_375,
    ),
}
#: The classifier that judges generated images.
JUDGE = ClassifierRun(batch=100, steps=6_000, rate=2e-3, average=0.998, seed=0, until=6_000)


def trained(run: TrainingRun, name: str) -> Result:
    """Return the result of a training that was done before, shipped or from the user's cache.

    Parameters
    ----------
    run
        The training.
    name
        What ``python -m neural_scaling.data.digits train`` calls the network.

    Returns
    -------
    neural_scaling.runs.Result
        Weights, see :func:`~neural_scaling.data.digits.weights.pack`, and losses.

    Raises
    ------
    InputError
        If there are no weights, or they are damaged.
    """
    instance(run, "run", TrainingRun, "give a DenoiserRun or a ClassifierRun")
    name = text(name, "name")
    seen = Index(WEIGHTS).look_up(run)
    if seen.found is None:
        raise InputError(
            f"weights: those of {name!r} cannot be used ({seen.reason}); get the shipped ones with a clone of the repository, "
            f"or train them with 'python -m neural_scaling.data.digits train {name}'."
        )
    return seen.found


def trained_denoiser(model: str) -> Result:
    """Return the trained weights of a model; see :func:`trained`.

    Parameters
    ----------
    model
        ``reduced`` or ``full``.

    Raises
    ------
    InputError
        If the model is unknown or has no weights, or they are damaged.
    """
    model = choice(model, "model", MODELS)
    return trained(MODELS[model], model)


def trained_judge() -> Result:
    """Return the trained weights of the classifier; see :func:`trained`."""
    return trained(JUDGE, "judge")


@dataclass(frozen=True)
class ShardRun(DeviceRun):
    """A shard of generated images, from its own seed: which other shards there are does not matter.

    Labels are balanced and shuffled in each batch. Labels and all noise are the same on every machine; the network's rounding is
    not, and may change grey values by one or, rarely, more. On one machine with the same number of threads all is the same to
    the bit.

    Parameters
    ----------
    model, weights
        Name of the model and :func:`~neural_scaling.data.digits.weights.digest` of its weights.
    guidance, steps, churn
        See :func:`~neural_scaling.data.digits.sampler.sample` and :func:`~neural_scaling.data.digits.sampler.guided`.
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

    def __post_init__(self) -> None:
        keep_each(self, text, "model", "weights")
        keep_each(self, whole, "steps", "images", "batch")
        keep_each(self, real, "guidance", least=0)
        keep_each(self, real, "churn", least=0, most=1)
        keep_each(self, checked_seed, "seed")
        keep_each(self, whole, "shard", least=0)
        fits = self.images % self.batch == 0
        require(fits, "images", f"got {self.images}", f"give a multiple of the batch of {self.batch}")

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
        from neural_scaling.base.devices import find_device
        from neural_scaling.data.digits.denoiser import Denoiser, Shape
        from neural_scaling.data.digits.optimization import seeded
        from neural_scaling.data.digits.sampler import Sampler

        kept, model = trained_denoiser(self.model).arrays, MODELS[self.model]
        found = digest(kept)
        require(found == self.weights, "weights", f"{found} are there, not {self.weights}", "plan the shards anew")
        denoiser = seeded(lambda: Denoiser(Shape(model.features)), 0)
        unpack(kept, denoiser)
        denoiser.to(find_device(device_name())).eval()
        sampler = Sampler(denoiser, model.noise, self.steps, self.churn, self.guidance, model.darkest)
        begun = monitor.restored()
        pieces: list[Pixels] = [] if begun is None else list(begun["images"])
        labels: list[Pixels] = [] if begun is None else list(begun["labels"])

        def state() -> Arrays:
            return {"images": np.array(pieces), "labels": np.array(labels)}

        for number in range(len(pieces), self.images // self.batch):
            random = np.random.default_rng([self.seed, self.shard, number])
            own = random.permutation(np.arange(self.batch, dtype=np.uint8) % CLASSES)
            pieces.append(monitor.waiting(partial(sampler.draw, own, random), state))
            labels.append(own)
            monitor.advance(self.batch)
            monitor.safe_point(state)
        return {"images": np.concatenate(pieces), "labels": np.concatenate(labels)}
