"""From noise to images: a strided sampler between ancestral and deterministic, with classifier-free guidance."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from neural_scaling.base.checks import array, instance, interval, keep_each, real, require, whole
from neural_scaling.base.tensors import check_tensor
from neural_scaling.data.digits.denoiser import Denoiser
from neural_scaling.data.digits.noise import NoiseSchedule
from neural_scaling.data.digits.sizes import CLASSES, SIDE, Pixels

__all__ = ["BLACK", "Predictor", "Sampler", "guided", "sample"]

#: Darker grey values are made black. Real images have one pixel in 200 between black and this; a trace of noise is left there.
BLACK = 8
#: Velocity of noisy images at a noise level.
Predictor = Callable[[Tensor, int], Tensor]


def guided(denoiser: Denoiser, label: Tensor, guidance: float, levels: int) -> Predictor:
    """Return the prediction for given labels, pushed away from that without label.

    ``(1 + w) v(x, label) - w v(x, dropped label)``: classifier-free guidance of strength w. Both are computed in one batch; the
    second not at all for w = 0.

    Parameters
    ----------
    denoiser
        The network.
    label
        Labels of the images to come, shape (n,).
    guidance
        w >= 0.
    levels
        Number of noise levels.

    Returns
    -------
    callable
        Velocity from noisy images of shape (n, 1, 28, 28) and a level.
    """
    require(callable(denoiser), "denoiser", f"got {type(denoiser).__name__}", "give a Denoiser")
    check_tensor(label, "label", (None,), torch.int64)
    guidance = real(guidance, "guidance", "give 0 (none) or a positive number", least=0)
    levels = whole(levels, "levels")
    both = torch.cat((label, torch.full_like(label, CLASSES))) if guidance else label

    def predict(x: Tensor, level: int) -> Tensor:
        copies = both.shape[0] // label.shape[0]
        time = torch.full((both.shape[0],), level / levels, dtype=x.dtype, device=x.device)
        velocity: Tensor = denoiser(torch.cat([x] * copies), time, both)
        if not guidance:
            return velocity
        with_label, without = velocity.chunk(2)
        return with_label + guidance * (with_label - without)

    return predict


def sample(
    predict: Predictor,
    schedule: NoiseSchedule,
    noise: Callable[[], Tensor],
    steps: int,
    churn: float = 1.0,
    bounds: tuple[float, float] | None = None,
) -> Tensor:
    """Go from pure noise to images through some of the noise levels.

    From level t to the next visited level s the predicted image and the predicted noise are mixed anew for level s, with a
    share of the noise replaced by fresh noise: ``x_s = sqrt(abar_s) x_0 + sqrt(1 - abar_s - sigma^2) eps + sigma z`` with
    ``sigma^2 = churn^2 (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s)``. With churn one and all levels this is ancestral
    sampling with the variance of the true posterior; with churn zero it is deterministic after the first draw.

    Parameters
    ----------
    predict
        Velocity ``sqrt(abar) eps - sqrt(1 - abar) x_0``.
    schedule
        The noise levels.
    noise
        Gives standard normal numbers in the shape of the images: once to start, then once per step where noise is added.
    steps
        How many levels are visited, 1 to all.
    churn
        Between 0 and 1.
    bounds
        Range into which the predicted image is cut at every step; none by default.

    Returns
    -------
    torch.Tensor
        At noise level 0.
    """
    require(callable(predict), "predict", f"got {type(predict).__name__}", "give a function, as guided returns it")
    require(callable(noise), "noise", f"got {type(noise).__name__}", "give a function without arguments")
    instance(schedule, "schedule", NoiseSchedule, "give a NoiseSchedule")
    churn = real(churn, "churn", least=0, most=1)
    bounds = None if bounds is None else interval(bounds, "bounds", least=-math.inf)
    visited, signal = schedule.visited(steps), schedule.signal
    x = noise()
    for t, s in itertools.pairwise(visited):
        now, then = float(signal[t]), float(signal[s])
        velocity = predict(x, t)
        image = math.sqrt(now) * x - math.sqrt(1 - now) * velocity
        if bounds is not None:
            image = image.clamp(*bounds)
        eps = (x - math.sqrt(now) * image) / math.sqrt(1 - now)
        fresh = churn**2 * (1 - then) / (1 - now) * (1 - now / then)
        x = math.sqrt(then) * image + math.sqrt(max(1 - then - fresh, 0.0)) * eps
        if fresh > 0:
            x = x + math.sqrt(fresh) * noise()
    return x


@dataclass(frozen=True)
class Sampler:
    """A trained denoiser and how images are drawn from it.

    Parameters
    ----------
    denoiser
        The network, on the device that is used.
    schedule
        Its noise levels.
    steps, churn, guidance
        See :func:`sample` and :func:`guided`.
    darkest
        What the darkest pixel value was mapped to in training; the brightest was mapped to 1.
    """

    denoiser: Denoiser
    schedule: NoiseSchedule
    steps: int
    churn: float
    guidance: float
    darkest: float

    def __post_init__(self) -> None:
        instance(self.denoiser, "denoiser", Denoiser, "give a Denoiser")
        instance(self.schedule, "schedule", NoiseSchedule, "give a NoiseSchedule")
        keep_each(self, whole, "steps", most=self.schedule.levels)
        keep_each(self, real, "churn", least=0, most=1)
        keep_each(self, real, "guidance", least=0)
        keep_each(self, real, "darkest", below=1)

    @torch.inference_mode()
    def draw(self, labels: ArrayLike, random: np.random.Generator) -> Pixels:
        """Draw images of given labels, uint8, shape (n, 28, 28, 1); grey values below :data:`BLACK` become black.

        Parameters
        ----------
        labels
            Shape (n,).
        random
            Of the noise, drawn on the host so that it is the same for every device.
        """
        labels = array(labels, "labels", whole=True, least=0, most=CLASSES).astype(np.int64)
        instance(random, "random", np.random.Generator, "give a generator, as numpy.random.default_rng makes it")
        device = next(self.denoiser.parameters()).device

        def noise() -> Tensor:
            values = random.standard_normal((labels.size, 1, SIDE, SIDE), dtype=np.float32)
            return torch.from_numpy(values).to(device, memory_format=torch.channels_last)

        given = torch.from_numpy(labels).to(device)
        predict = guided(self.denoiser, given, self.guidance, self.schedule.levels)
        x = sample(predict, self.schedule, noise, self.steps, self.churn, (self.darkest, 1.0))
        grey = ((x - self.darkest) * (255 / (1 - self.darkest))).round().clamp(0, 255)
        grey = torch.where(grey < BLACK, 0.0, grey)
        return grey.permute(0, 2, 3, 1).to(torch.uint8).cpu().numpy()
