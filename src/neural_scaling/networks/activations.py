r"""Activations, normalised: :math:`c\,\phi(h)` with :math:`c^2\, E \phi(h)^2 = 1` for a standard normal h.

Powers of the rectifier, :math:`\phi(h) = [h]_+^q`, those known by a name, and any function of a tensor that takes its numbers one
by one. The constant c goes into the next layer's factor, so methods leave it out.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn.functional import gelu, softplus

from neural_scaling.base.checks import InputError, keep, real, require

__all__ = ["NAMES", "Elementwise", "Given", "PowerReLU", "activation"]

_TINY = 1e-30  # keeps 0/0 from being formed
_Function = Callable[[torch.Tensor], torch.Tensor]
_Slope = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
#: Functions with names, and the derivative that goes back through them, from gradient, argument and value.
_KNOWN: dict[str, tuple[_Function, _Slope]] = {
    "tanh": (torch.tanh, lambda gradient, h, value: torch.ops.aten.tanh_backward(gradient, value)),
    "gelu": (gelu, lambda gradient, h, value: torch.ops.aten.gelu_backward(gradient, h)),
    "softplus": (softplus, lambda gradient, h, value: gradient * torch.sigmoid(h)),
}
#: Names that :func:`activation` takes.
NAMES = ("relu", *_KNOWN)


@dataclass(frozen=True)
class PowerReLU:
    """The activation ``c [h]_+^q``.

    Parameters
    ----------
    power
        q, above 1/2: below, the tangent kernel of the infinite network is infinite.
    """

    power: float = 1.0

    def __post_init__(self) -> None:
        remedy = "give a power above 1/2: up to there the slope of the activation has no second moment"
        keep(self, power=real(self.power, "power", remedy, above=0.5))

    @property
    def in_place(self) -> bool:
        """Whether the value may take the memory of the argument."""
        return self.power == 1

    @property
    def gain(self) -> float:
        """The constant c, ``(E [h]_+^{2q})^(-1/2)`` with ``E [h]_+^{2q} = 2^(q-1) Gamma(q+1/2)/sqrt(pi)``."""
        moment: float = 2 ** (self.power - 1) * math.gamma(self.power + 0.5) / math.sqrt(math.pi)
        return 1 / math.sqrt(moment)

    def __call__(self, h: torch.Tensor) -> torch.Tensor:
        """Return ``[h]_+^q``, without the constant, as torch can differentiate it."""
        rectified = torch.relu(h)
        return rectified if self.power == 1 else rectified * h.clamp(min=_TINY) ** (self.power - 1)

    def evaluate(self, h: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Return ``[h]_+^q``, without the constant, which goes into the next layer's.

        Parameters
        ----------
        h
            Any shape.
        out
            Where to put it, of the same shape. For q = 1 it may be ``h``.
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
        """
        if self.power == 1:
            return torch.ops.aten.threshold_backward.grad_input(gradient, rectified, 0, grad_input=gradient)  # type: ignore[no-any-return]
        # A power was taken already: the slope is q value/h, and the value is zero where h is not positive.
        return gradient.mul_(rectified).mul_(self.power).div_(h.clamp(min=_TINY))


@dataclass(frozen=True)
class Elementwise:
    """An activation by its name or as a function.

    Parameters
    ----------
    function
        ``tanh``, ``gelu``, ``softplus``, or a function of a tensor that torch can differentiate and that takes its numbers one by
        one.

    Raises
    ------
    InputError
        If the name is unknown, or the function changes the shape, mixes numbers or has no finite second moment.
    """

    function: str | _Function

    def __post_init__(self) -> None:
        if isinstance(self.function, str):
            require(
                self.function in _KNOWN,
                "activation",
                f"got {self.function!r}",
                f"use {', '.join(NAMES)}, or a function",
            )
            return
        require(
            callable(self.function), "activation", f"got {self.function!r}", "give a name or a function of a tensor"
        )
        h = torch.linspace(-3, 3, 8, dtype=torch.float64)
        remedy = "give a function of a tensor that takes its numbers one by one"
        try:
            value, turned = self.function(h), self.function(h.flip(0))
        except Exception as error:
            raise InputError(f"activation: the function fails on a tensor ({error}); {remedy}.") from error
        good = isinstance(value, torch.Tensor) and value.shape == h.shape and value.dtype == h.dtype
        require(good and torch.allclose(value, turned.flip(0)), "activation", "it is not one number from one", remedy)
        require(math.isfinite(self.gain), "activation", "it has no mean square that is positive and finite", remedy)

    @property
    def in_place(self) -> bool:
        """Whether the value may take the memory of the argument; slopes need both."""
        return False

    @cached_property
    def gain(self) -> float:
        """The constant c, by the trapezoid rule on 12 standard deviations either way."""
        h = torch.linspace(-12, 12, 2**15, dtype=torch.float64)
        density = torch.exp(-(h**2) / 2) / math.sqrt(2 * math.pi)
        moment = float(torch.trapezoid(self(h) ** 2 * density, h).detach())
        return moment**-0.5 if 0 < moment < math.inf else math.nan

    def __call__(self, h: torch.Tensor) -> torch.Tensor:
        """Return the value without the constant, as torch can differentiate it."""
        return _KNOWN[self.function][0](h) if isinstance(self.function, str) else self.function(h)

    def evaluate(self, h: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        """Return the value without the constant, in ``out``, which is not ``h``; see :meth:`PowerReLU.evaluate`."""
        return out.copy_(self(h))

    def times_slope(self, gradient: torch.Tensor, h: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
        """Return ``gradient * dphi/dh`` in the memory of ``gradient``; see :meth:`PowerReLU.times_slope`."""
        if isinstance(self.function, str):
            return gradient.copy_(_KNOWN[self.function][1](gradient, h, value))
        with torch.enable_grad():
            at = h.detach().requires_grad_()
            (found,) = torch.autograd.grad(self.function(at), at, gradient)
        return gradient.copy_(found)


#: What :func:`activation` takes.
Given = str | float | _Function | PowerReLU | Elementwise


def activation(given: Given) -> PowerReLU | Elementwise:
    """Return an activation.

    Parameters
    ----------
    given
        A name (``relu``, ``tanh``, ``gelu``, ``softplus``), the power of a rectifier, a function of a tensor, or an activation.

    Raises
    ------
    InputError
        If it is none of these.

    Examples
    --------
    >>> round(activation("tanh").gain, 6)
    1.592537
    >>> activation(lambda h: torch.relu(h)).gain - activation(1).gain < 1e-6
    True
    """
    if isinstance(given, PowerReLU | Elementwise):
        return given
    if isinstance(given, str) and given == "relu":
        return PowerReLU()
    if isinstance(given, str) or callable(given):
        return Elementwise(given)
    remedy = f"use {', '.join(NAMES)}, a power of ReLU above 1/2, or a function of a tensor"
    return PowerReLU(real(given, "activation", remedy, above=0.5))
