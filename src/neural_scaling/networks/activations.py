r"""Powers of the rectifier, normalised: :math:`\phi(h) = c\,[h]_+^q` with E phi(h)^2 = 1 for a standard normal h."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from neural_scaling.base.checks import real, settle

__all__ = ["PowerReLU"]

_TINY = 1e-30  # keeps 0/0 from being formed


@dataclass(frozen=True)
class PowerReLU:
    """The activation ``c [h]_+^q``.

    Parameters
    ----------
    power
        q, above 1/2: below, the tangent kernel of the infinite network is infinite.

    Raises
    ------
    InputError
        If the power is not above 1/2.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        remedy = "give a power above 1/2: up to there the slope of the activation has no second moment"
        settle(self, power=real(self.power, "power", remedy, above=0.5))

    @property
    def gain(self) -> float:
        """The constant c, ``(E [h]_+^{2q})^(-1/2)`` with ``E [h]_+^{2q} = 2^(q-1) Gamma(q+1/2)/sqrt(pi)``."""
        moment: float = 2 ** (self.power - 1) * math.gamma(self.power + 0.5) / math.sqrt(math.pi)
        return 1 / math.sqrt(moment)

    def rectified(self, h: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Return ``[h]_+^q``, without the constant, which goes into the next layer's.

        Parameters
        ----------
        h
            Any shape.
        out
            Where to put it, of the same shape. For q = 1 it may be ``h``.

        Returns
        -------
        torch.Tensor
            ``out``.
        """
        torch.clamp(h, min=0, out=out)
        return out if self.power == 1 else out.pow_(self.power)

    def times_slope(self, gradient: torch.Tensor, h: torch.Tensor, rectified: torch.Tensor) -> torch.Tensor:
        """Return ``gradient * d[h]_+^q/dh``, zero where h <= 0, in the memory of ``gradient``.

        Parameters
        ----------
        gradient
            Any shape.
        h, rectified
            Argument and value of the activation; for q = 1 they may be the same memory.

        Returns
        -------
        torch.Tensor
            ``gradient``.
        """
        if self.power == 1:
            return torch.ops.aten.threshold_backward.grad_input(gradient, rectified, 0, grad_input=gradient)  # type: ignore[no-any-return]
        # A power was taken already: the slope is q value/h, and the value is zero where h is not positive.
        return gradient.mul_(rectified).mul_(self.power).div_(h.clamp(min=_TINY))
