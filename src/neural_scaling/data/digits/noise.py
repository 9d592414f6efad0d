"""Noise levels: how much of an image is left at each, forward step by step and in closed form."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, choice, keep, whole

__all__ = ["Kind", "NoiseSchedule"]

Kind = Literal["cosine", "linear"]

_OFFSET = 0.008  # keeps the first levels of the cosine from having next to no noise
_LARGEST = 0.999  # of a step's noise, so that the last level keeps a trace of the image and nothing is divided by 0


@dataclass(frozen=True)
class NoiseSchedule:
    """Shares of signal at noise levels 0 (the image) to T (almost pure noise).

    One step forward is ``x_t = sqrt(1 - beta_t) x_(t-1) + sqrt(beta_t) z`` with standard normal z. So variance one is kept, and
    ``x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) z`` in one go, with ``abar_t`` the product of all ``1 - beta`` up to t.

    Attributes
    ----------
    beta
        Variance of the noise of each step, shape (T,); its first entry leads from level 0 to level 1.
    """

    beta: Array

    def __post_init__(self) -> None:
        keep(self, beta=array(self.beta, "beta", above=0, below=1))

    @classmethod
    def named(cls, kind: Kind, levels: int) -> NoiseSchedule:
        """Return the schedule of a name.

        Parameters
        ----------
        kind
            ``linear``: variances from 1e-4 to 0.02, equally spaced, as in the source of the paper's images. ``cosine``:
            ``abar`` falls like a squared cosine, which ends in pure noise and spends fewer levels on it.
        levels
            T, at least 2.
        """
        kind, levels = choice(kind, "kind", get_args(Kind)), whole(levels, "levels", least=2)
        time = np.arange(levels + 1) / levels
        if kind == "linear":
            return cls(1e-4 + (0.02 - 1e-4) * time[1:])
        signal = np.cos((time + _OFFSET) / (1 + _OFFSET) * math.pi / 2) ** 2
        return cls(np.minimum(1 - signal[1:] / signal[:-1], _LARGEST))

    @property
    def levels(self) -> int:
        """T."""
        return self.beta.size

    @property
    def signal(self) -> Array:
        """Share ``abar_t`` of the image's variance at every level, shape (T + 1,), from 1 down."""
        return np.concatenate([[1.0], np.cumprod(1 - self.beta)])

    def visited(self, steps: int) -> list[int]:
        """Return the levels that a sampler of so many steps visits, from T down to 0, as equally spaced as whole numbers can be.

        Parameters
        ----------
        steps
            Between 1 and T.

        Returns
        -------
        list of int
            ``steps + 1`` levels.
        """
        steps = whole(steps, "steps", f"give 1 to {self.levels} steps of the sampler", most=self.levels)
        return [round(level) for level in np.linspace(self.levels, 0, steps + 1)]
