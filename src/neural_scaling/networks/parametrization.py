r"""How width and richness enter a network: mean-field scaling (muP) with a richness gamma_0, in one place.

Every network of this project is

.. math::
    h^1 = D^{-1/2} W^1 x, \qquad h^{l+1} = N^{-1/2} W^{l+1} \phi(h^l), \qquad
    F = \tfrac{1}{N}\, w^L \cdot \phi(h^{L-1}), \qquad f = \frac{F - F_{\rm init}}{\gamma_0},

with all weights drawn from N(0, 1) and the inputs scaled so that :math:`|x|^2 = D`. ``F_init`` is the same network with the
weights that it started from; subtracting it (centring) makes f vanish at the start, whatever the richness. All weights take
the same step, gradient descent on :math:`\tfrac12 \langle (y - f)^2 \rangle` with

.. math::
    \eta = \eta_0\, N\, \gamma_0^2 .

Then f changes in one step by eta_0 times a kernel (the tangent kernel ``(1/N) |dF N/dW|^2``) that is of order one at any
width and any richness, and features h change by an amount of order ``gamma_0``. As ``gamma_0 -> 0`` at fixed eta_0 features
stand still and f follows its linearisation, the lazy limit. That limit is a mode of its own here (``richness = 0``): the
network is replaced by its first-order expansion about the initial weights, :math:`f = D F \cdot V` with V = (W -
W_init)/gamma_0, and V takes steps of size :math:`\eta_0 N`.

**For a reader who knows muP.** With the multipliers moved into the weights (``W~ = N^{-1/2} W`` and so on) this is the
scheme of Table 3 of "Tensor Programs V" for SGD. Per layer, with fan-in and fan-out as there:

=======  ==================  =========================  ============================
layer    variance of W~      learning rate of W~        Table 3, SGD
=======  ==================  =========================  ============================
input    1/D                 eta_0 gamma_0^2 N/D        1/fan_in, rate ~ fan_out
hidden   1/N                 eta_0 gamma_0^2            1/fan_in, rate ~ 1
readout  1/(gamma_0 N)^2     eta_0/N                    1/fan_in^2, rate ~ 1/fan_in
=======  ==================  =========================  ============================

The richness is what muP calls the output multiplier, inverted, with the learning rate changed along: in the package
``microsoft/mup`` a model whose readout is ``MuReadout(output_mult=1/(gamma_0 sqrt(N_0)))``, N_0 being the base width,
trained by ``MuSGD`` at ``lr = eta_0 gamma_0^2``. See :meth:`Parametrization.as_mup` for the whole map.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from neural_scaling.base.arrays import Precision
from neural_scaling.base.checks import keep, keep_each, real, require, require_positive, whole

__all__ = ["FLOAT64_BELOW", "MupSettings", "Parametrization", "Precision", "hidden_scale", "precision"]

#: Below this richness a network trains in float64, since F - F_init is too small a part of F for float32.
FLOAT64_BELOW = 1e-2


@dataclass(frozen=True)
class MupSettings:
    """The same network in the terms of the package ``microsoft/mup``.

    Attributes
    ----------
    output_mult
        Argument of ``MuReadout``, whose weights have variance ``1/N_0`` at the base width N_0.
    lr
        Learning rate given to ``MuSGD`` for hidden and readout weights.
    lr_input
        The same for the input weights, of variance ``1/D``.
    """

    output_mult: float
    lr: float
    lr_input: float


@dataclass(frozen=True)
class Parametrization:
    """Scales of a network of given width and richness.

    Parameters
    ----------
    width
        N, neurons (or channels) of a hidden layer.
    richness
        gamma_0; 0 is the linearised network.
    eta
        eta_0, learning rate of the function at any width and richness.
    """

    width: int
    richness: float
    eta: float

    def __post_init__(self) -> None:
        keep_each(self, whole, "width")
        keep_each(self, require_positive, "eta", remedy="give a positive learning rate eta_0")
        keep(self, richness=_richness(self.richness))

    @property
    def linearised(self) -> bool:
        """Whether this is the limit ``gamma_0 -> 0``."""
        return self.richness == 0

    @property
    def output_scale(self) -> float:
        """Factor ``1/(gamma_0 N)`` of the readout; ``1/N`` when linearised, where V stands for the weights."""
        return 1 / (self._factor * self.width)

    @property
    def learning_rate(self) -> float:
        """Step of all weights, ``eta_0 N gamma_0^2``; of the displacement V, ``eta_0 N``, when linearised."""
        return self.eta * self.width * self._factor**2

    @property
    def precision(self) -> Precision:
        """Arithmetic that the richness asks for; see :func:`precision`."""
        return precision(self.richness)

    def as_mup(self, base_width: int, inputs: int) -> MupSettings:
        """Return the settings of ``microsoft/mup`` that make the same network and the same training.

        Parameters
        ----------
        base_width
            N_0 of the base shapes.
        inputs
            D, number of inputs.

        Raises
        ------
        InputError
            If the network is linearised: no finite multiplier does that.
        """
        require(
            not self.linearised, "richness", "is 0", "the linearised network has no muP counterpart; give gamma_0 > 0"
        )
        base_width, inputs = whole(base_width, "base_width"), whole(inputs, "inputs")
        lr = self.eta * self.richness**2
        return MupSettings(1 / (self.richness * math.sqrt(base_width)), lr, lr * base_width / inputs)

    @property
    def _factor(self) -> float:
        return 1.0 if self.linearised else self.richness


def hidden_scale(fan_in: int) -> float:
    """Return the factor ``fan_in^(-1/2)`` in front of the weights of every layer but the readout."""
    return 1 / math.sqrt(whole(fan_in, "fan_in"))


def precision(richness: float) -> Precision:
    """Return the arithmetic that a richness asks for, ``float32`` or ``float64``.

    F is of order ``N^(-1/2)`` and ``F - F_init`` of order ``gamma_0``, known in float32 to about ``1e-7 N^(-1/2)``; weights
    move by a part of order ``gamma_0 N^(-1/2)`` of themselves in all, in small steps that float32 rounds to 1e-7. Below
    ``gamma_0 = 0.01`` either can be felt in a run of 1e4 steps. The linearised network keeps what is small by itself and
    needs float32 only.

    Parameters
    ----------
    richness
        gamma_0.
    """
    return "float64" if 0 < _richness(richness) < FLOAT64_BELOW else "float32"


def _richness(value: float) -> float:
    return real(value, "richness", "give a positive number, or 0 for the linearised network", least=0)
