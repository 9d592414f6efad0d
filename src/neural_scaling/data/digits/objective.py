"""What the denoiser is trained for."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from neural_scaling.base.checks import instance, real
from neural_scaling.base.tensors import check_tensor
from neural_scaling.data.digits.noise import NoiseSchedule
from neural_scaling.data.digits.sizes import CLASSES, SIDE

__all__ = ["denoising_loss"]


def denoising_loss(
    denoiser: nn.Module, schedule: NoiseSchedule, x: Tensor, label: Tensor, dropped: float, random: np.random.Generator
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
    """
    instance(denoiser, "denoiser", nn.Module, "give a Denoiser")
    instance(schedule, "schedule", NoiseSchedule, "give a NoiseSchedule")
    check_tensor(x, "x", (None, 1, SIDE, SIDE), torch.float32)
    check_tensor(label, "label", x.shape[:1], torch.int64)
    dropped = real(dropped, "dropped", least=0, most=1)
    instance(random, "random", np.random.Generator, "give a generator, as numpy.random.default_rng makes it")
    n = x.shape[0]
    level = random.integers(1, schedule.levels + 1, size=n)
    lost = torch.from_numpy(random.random(n) < dropped).to(x.device)
    noise = torch.from_numpy(random.standard_normal(tuple(x.shape), dtype=np.float32)).to(x.device)
    signal = torch.from_numpy(schedule.signal[level]).to(x.device)[:, None, None, None]
    keep, add = signal.sqrt().float(), (1 - signal).sqrt().float()
    time = torch.from_numpy((level / schedule.levels).astype(np.float32)).to(x.device)
    velocity: Tensor = denoiser(keep * x + add * noise, time, label.masked_fill(lost, CLASSES))
    return (velocity - (keep * noise - add * x)).square().mean()
