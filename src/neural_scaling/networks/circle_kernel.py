r"""Kernels of infinitely wide networks on the circle: NNGP and tangent kernel of depth-L networks with activation [h]_+^q.

With normalised activations every layer has unit variance and only the correlation rho of two inputs changes from layer to
layer. The average of a product of two powers of correlated normals is a Gauss hypergeometric function: relative to its value
at rho = 1,

.. math::
    \kappa_a(\rho) = \frac{\langle [u]_+^a [v]_+^a \rangle}{\langle [u]_+^{2a} \rangle}
      = s^{a+1/2} \, \frac{F(\tfrac12, \tfrac12; a+\tfrac32; s)}{F(\tfrac12, \tfrac12; a+\tfrac32; 1)},
      \qquad s = \frac{1+\rho}{2},

for any a > -1/2, by the polar form of the average and the Mehler-Dirichlet integral; no quadrature is needed. For a = 1 and 0
it is the arc-cosine kernel. From :math:`\Sigma = \Theta = \cos\theta`, L - 1 times,

.. math::
    \Theta \leftarrow \Theta\, \frac{q^2}{2q-1}\, \kappa_{q-1}(\Sigma) + \kappa_q(\Sigma),
    \qquad \Sigma \leftarrow \kappa_q(\Sigma).

Near theta = 0 the tangent kernel has a term :math:`|\theta|^{2q-1}` from the slopes, so its eigenvalues fall as k^(-2q). The
first layer has the same power at theta = pi, weaker, and so even and odd k have different constants.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import hyp2f1, zeta

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, real, require, require_positive, whole
from neural_scaling.models.circle import decay

__all__ = ["ANGLES", "CircleKernel", "circle_kernel", "lazy_loss", "power_correlation", "unlearned_clock"]

#: Angles at which kernels are evaluated; aliasing reaches 1e-3 of the eigenvalues at a thousandth of this.
ANGLES = 2**18


@dataclass(frozen=True)
class CircleKernel:
    """Eigenvalues of the kernels of an infinitely wide network, for functions on the circle with its uniform measure.

    Attributes
    ----------
    depth, power
        L and q_phi.
    tangent, gaussian
        Eigenvalues of tangent kernel and of the NNGP kernel of the last layer for cos(k theta), k = 0, 1, ..., shape (K,).
    trace
        The tangent kernel at equal inputs: the sum of all its eigenvalues, those of sines included.
    """

    depth: int
    power: float
    tangent: Array
    gaussian: Array
    trace: float


def circle_kernel(depth: int, power: float, modes: int = 1000, angles: int = ANGLES) -> CircleKernel:
    """Compute the eigenvalues of NNGP and tangent kernel on the circle.

    Parameters
    ----------
    depth
        L, layers of weights, at least 2.
    power
        q_phi, above 1/2.
    modes
        Largest k.
    angles
        Number of equidistant angles of the Fourier transform, even.
    """
    depth = whole(depth, "depth", "give at least 2 layers of weights", least=2)
    remedy = "give a power above 1/2: up to there the tangent kernel of the infinite network is infinite"
    power = real(power, "power", remedy, above=0.5)
    angles = whole(angles, "angles", least=4)
    require(angles % 2 == 0, "angles", f"got {angles}", "give an even number")
    modes = whole(modes, "modes", "stay below half the angles", most=angles // 2 - 1)
    correlation = np.cos(2 * math.pi * np.arange(angles // 2 + 1) / angles)
    tangent, slope = correlation, power**2 / (2 * power - 1)
    for _ in range(depth - 1):
        value = _correlation(correlation, power)
        tangent = tangent * slope * _correlation(correlation, power - 1) + value
        correlation = value
    trace = float(tangent[0])
    return CircleKernel(depth, power, _eigenvalues(tangent, modes), _eigenvalues(correlation, modes), trace)


def power_correlation(correlation: ArrayLike, exponent: float) -> Array:
    """Return the average of ``[u]_+^a [v]_+^a`` over normals of a correlation, relative to that at correlation 1.

    Parameters
    ----------
    correlation
        Any shape, between -1 and 1.
    exponent
        a, above -1/2.

    Returns
    -------
    Array
        Between 0 and 1.
    """
    correlation = array(correlation, "correlation", axes=None, least=-1, most=1)
    return _correlation(correlation, real(exponent, "exponent", above=-0.5))


def _correlation(correlation: Array, exponent: float) -> Array:
    """Return :func:`power_correlation`, of correlations that rounding may have moved beyond 1."""
    s = np.clip((1 + correlation) / 2, 0.0, 1.0)
    third = exponent + 1.5
    # F(1/2, 1/2; c; 1) by Gauss.
    at_one = math.gamma(third) * math.gamma(third - 1) / math.gamma(third - 0.5) ** 2
    return np.asarray(s ** (exponent + 0.5) * hyp2f1(0.5, 0.5, third, s) / at_one)


def lazy_loss(eigenvalues: ArrayLike, beta: float, power: float, eta: float, steps: ArrayLike) -> Array:
    """Return the loss of the linearised network at infinite width and batch on the target of source beta, shape (R,).

    Every mode is learned by itself: ``sum_k k^-2q (1 - eta_0 lambda_k)^(2 t)/2``. Modes beyond the given ones count as not
    learned.

    Parameters
    ----------
    eigenvalues
        Of the tangent kernel for k = 0, 1, ..., shape (K,), at least two.
    beta, power
        Source and q_phi.
    eta
        eta_0.
    steps
        From 0 on, shape (R,); whole numbers where eta_0 lambda_k is above 1.
    """
    eigenvalues, steps = array(eigenvalues, "eigenvalues", fewest=2), array(steps, "steps", least=0)
    q, eta = decay(beta, power), require_positive(eta, "eta")
    signs = eta * eigenvalues[1:].max() <= 1 or bool(np.all(steps == np.round(steps)))
    require(
        signs, "steps", "not whole, with modes that change sign at every step", "give whole steps, or a smaller eta"
    )
    modes = np.arange(1, eigenvalues.size)
    left = (1 - eta * eigenvalues[1:]) ** (2 * steps[:, None])
    return np.asarray(left @ modes ** (-2 * q) / 2 + float(zeta(2 * q, eigenvalues.size)) / 2)


def unlearned_clock(step: ArrayLike, modes: ArrayLike, decay: float, eta: float) -> Array:
    r"""Return the time of a network whose kernel grows, on the clock of what it has still to learn.

    A lazy network with the first kernel has ``r_k`` of the target left in mode k when its clock shows s. The clock runs as much
    faster than the steps as the present kernel lowers the loss of that remainder faster than the first kernel would,

    .. math::
        \frac{ds}{dt} = \frac{\sum_k r_k^2 K_k(t)}{\sum_k r_k^2 K_k(0)}, \qquad r_k = k^{-q} e^{-\eta_0 K_k(0) s}:

    modes count for what is left in them, and those that are learned do not. If every mode grows by the same factor,
    ``ds = K(t)/K(0) dt``.

    Parameters
    ----------
    step
        Rising, the first one the start, shape (R,).
    modes
        ``K_k``, the kernel of each mode k = 0, 1, ... at these steps, positive, shape (R, K), K at least 2.
    decay
        q of the target.
    eta
        eta_0.

    Returns
    -------
    Array
        s, 0 at the first step, shape (R,).

    Raises
    ------
    InputError
        If an argument is out of range, or ``modes`` has no row for each step.
    """
    step = array(step, "step", order="rising")
    modes = array(modes, "modes", shape=(step.size, None), above=0.0)
    require(modes.shape[1] >= 2, "modes", "holds the constant alone", "give k = 0, 1, ...")
    q, eta = real(decay, "decay", "give a decay above 1/2", above=0.5), require_positive(eta, "eta")
    kernels = modes[:, 1:]
    first, target = kernels[0], np.arange(1, modes.shape[1]) ** (-2 * q)

    def rate(kernel: Array, passed: float) -> float:
        left = target * np.exp(-2 * eta * (first - first.min()) * passed)  # a common factor cancels
        return float(left @ kernel / (left @ first))

    clock = np.zeros(step.size)
    for number, passed in enumerate(np.diff(step)):
        here = rate(kernels[number], clock[number])
        there = rate(kernels[number + 1], clock[number] + passed * here)
        clock[number + 1] = clock[number] + passed * (here + there) / 2
    return clock


def _eigenvalues(kernel: Array, modes: int) -> Array:
    """Return the Fourier coefficients of an even function given on half the circle."""
    whole = np.concatenate([kernel, kernel[-2:0:-1]])
    return np.asarray(np.fft.rfft(whole).real[: modes + 1] / whole.size)
