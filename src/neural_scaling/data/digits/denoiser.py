"""The network that tells image from noise: a small U-Net, conditioned on noise level and label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural_scaling.base.checks import instance, keep, require, whole
from neural_scaling.base.tensors import check_tensor
from neural_scaling.data.digits.sizes import CLASSES, SIDE

__all__ = ["Denoiser", "Shape"]

_GROUPS = 4
_WAVES = 16  # pairs of sine and cosine that tell the noise level


@dataclass(frozen=True)
class Shape:
    """Size of a denoiser.

    Attributes
    ----------
    features
        Channels at 28 x 28; twice and four times as many at 14 x 14 and 7 x 7. A multiple of 4.
    """

    features: int

    def __post_init__(self) -> None:
        keep(self, features=whole(self.features, "features", f"give a positive multiple of {_GROUPS}"))
        good = self.features % _GROUPS == 0
        require(good, "features", f"got {self.features}", f"give a positive multiple of {_GROUPS}")


class Denoiser(nn.Module):
    """Predicts the velocity ``sqrt(abar) z - sqrt(1 - abar) x_0`` from a noisy image, its noise level and its label.

    Image and noise both follow from the velocity and the noisy image, at every level without division by small numbers.

    Parameters
    ----------
    shape
        Its size.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        instance(shape, "shape", Shape, "give a Shape")
        fine, middle, coarse = (shape.features * factor for factor in (1, 2, 4))
        self.shape = shape
        self.level = nn.Sequential(nn.Linear(2 * _WAVES, coarse), nn.SiLU(), nn.Linear(coarse, coarse))
        self.label = nn.Embedding(CLASSES + 1, coarse)
        self.first = nn.Conv2d(1, fine, 3, padding=1)
        self.down_fine = _Block(fine, fine, coarse)
        self.halve_fine = nn.Conv2d(fine, middle, 3, stride=2, padding=1)
        self.down_middle = _Block(middle, middle, coarse)
        self.halve_middle = nn.Conv2d(middle, coarse, 3, stride=2, padding=1)
        self.bottom = nn.ModuleList([_Block(coarse, coarse, coarse), _Block(coarse, coarse, coarse)])
        self.double_middle = nn.Conv2d(coarse, middle, 1)
        self.up_middle = _Block(2 * middle, middle, coarse)
        self.double_fine = nn.Conv2d(middle, fine, 1)
        self.up_fine = _Block(2 * fine, fine, coarse)
        self.norm = nn.GroupNorm(_GROUPS, fine)
        self.last = nn.Conv2d(fine, 1, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        # Several times faster on processors than channels first, normalisation included.
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, x: Tensor, time: Tensor, label: Tensor) -> Tensor:
        """Predict velocities, shape (n, 1, 28, 28).

        Parameters
        ----------
        x
            Noisy images, shape (n, 1, 28, 28).
        time
            Noise level over the number of levels, shape (n,).
        label
            0 to 9, or 10 for a dropped label, shape (n,).
        """
        dtype = self.last.weight.dtype
        check_tensor(x, "x", (None, 1, SIDE, SIDE), dtype)
        check_tensor(time, "time", x.shape[:1], dtype)
        check_tensor(label, "label", x.shape[:1], torch.int64)
        context = F.silu(self.level(_waves(time)) + self.label(label))
        fine = self.down_fine(self.first(x), context)
        middle = self.down_middle(self.halve_fine(fine), context)
        h = self.halve_middle(middle)
        for block in self.bottom:
            h = block(h, context)
        h = self.up_middle(torch.cat((_double(self.double_middle(h)), middle), 1), context)
        h = self.up_fine(torch.cat((_double(self.double_fine(h)), fine), 1), context)
        velocity: Tensor = self.last(F.silu(self.norm(h)))
        return velocity


class _Block(nn.Module):
    """Two convolutions beside the identity; level and label scale and shift what lies between them."""

    def __init__(self, inputs: int, outputs: int, context: int) -> None:
        super().__init__()
        self.norm_in = nn.GroupNorm(_GROUPS, inputs)
        self.conv_in = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.context = nn.Linear(context, 2 * outputs)
        self.norm_out = nn.GroupNorm(_GROUPS, outputs, affine=False)
        self.conv_out = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.past = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        nn.init.zeros_(self.conv_out.weight)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        h = self.norm_out(self.conv_in(F.silu(self.norm_in(x))))
        scale, shift = self.context(context)[:, :, None, None].chunk(2, 1)
        changed: Tensor = self.past(x) + self.conv_out(F.silu(torch.addcmul(shift, h, 1 + scale)))
        return changed


def _waves(time: Tensor) -> Tensor:
    rates = torch.exp(torch.linspace(0, math.log(200), _WAVES, device=time.device, dtype=torch.float32))
    angles = math.pi / 2 * time[:, None] * rates
    return torch.cat((torch.sin(angles), torch.cos(angles)), 1)


def _double(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")
