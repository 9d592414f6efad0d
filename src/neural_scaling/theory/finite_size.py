r"""What finite width, batch and data add to the loss, exactly where that is possible.

Limits of training. At width N the loss ends at the residual of an orthogonal projection onto N random directions; with P samples
it ends at the error of the interpolant of least norm. Both are governed by the same scale r, with
``sum_k lambda_k r / (1 + lambda_k r)`` equal to N or P, but by different powers of ``1 / (1 + lambda_k r)``.

Corrections at frozen features (gamma = 0), in gradient flow, to first order in 1/N and in eta/B. With
``phi_kl = int_0^t exp(-lambda_k (t-s) - lambda_l s) ds``,

.. math::
    \ell_N(t) &= \sum_k \lambda_k \Big[ 2 (w^*_k)^2 \lambda_k e^{-\lambda_k t} \sum_l \lambda_l
        \frac{t e^{-\lambda_k t} - \phi_{kl}(t)}{\lambda_l - \lambda_k} + \sum_l (w^*_l)^2 \lambda_l^2 \phi_{kl}(t)^2
        + 2 (w^*_k)^2 \lambda_k^2 t^2 e^{-2 \lambda_k t} \Big], \\
    \ell_B(t) &= \sum_k \lambda_k^2 \Big[ \sum_l \lambda_l (w^*_l)^2 \tfrac12 \phi_{kl}(2t)
        + (w^*_k)^2 \lambda_k t e^{-2 \lambda_k t} \Big],

so that ``L = L_0 + ell_N / N + (eta/B) ell_B`` up to higher orders. Only sums over modes enter, so any time can be reached.
The last term of each is the fourth moment of Gaussian entries of A(0) or of Gaussian features within one mode; that of ``ell_N``
is half from the variance of what is learned, half from its mean. The mean-field equations leave both out; they are smaller by a
power of time.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq

from neural_scaling.base.checks import array, count, flag, require, require_positive, whole
from neural_scaling.spectra import ModeQuadrature, NotResolved, PowerLaw, Spectrum, as_quadrature
from neural_scaling.theory._inputs import FloatArray

Modes = PowerLaw | Spectrum | ModeQuadrature
_NEWTON = 50
_SOLVED = 1e-7
_SERIES_BELOW = 1e-3  # |x| below which (x - 1 + exp(-x)) / x^2 is summed as a series: four terms leave 1e-15


def effective_scale(modes: Modes, size: float) -> float:
    """Solve ``sum_k lambda_k r / (1 + lambda_k r) = size`` for r (eqs. 74 and 77).

    Parameters
    ----------
    modes
        Modes; the horizon of a quadrature must not be below r, about ``size^alpha``.
    size
        N (then r is r_3) or P (then r is r_1), > 0 and below the number of modes.

    Returns
    -------
    float
        r, in units of time (eta * steps): modes with ``lambda_k r > 1`` are within reach.

    Raises
    ------
    InputError
        If ``size`` is not positive or the modes do not suffice.
    """
    return within_reach(modes, size, "size")[1]


def within_reach(modes: Modes, size: float, argument: str) -> tuple[ModeQuadrature, float]:
    """Return modes that resolve the scale r, and r."""
    size = require_positive(size, argument)
    # The modes of a law have no end, those of its quadrature for a time of 1 have.
    horizon = max(1.0, size**modes.alpha) if isinstance(modes, PowerLaw) else 1.0
    while True:
        quadrature = as_quadrature(modes, "modes", horizon)
        r = _scale_of(quadrature, size, argument)
        try:
            quadrature.check_resolved(r, "modes")
        except NotResolved:
            if not isinstance(modes, PowerLaw):
                raise
            horizon = 4 * r
        else:
            return quadrature, r


def _scale_of(modes: ModeQuadrature, size: float, argument: str) -> float:
    nodes, weights = modes.nodes, modes.weights

    def excess(log_r: float) -> float:
        reach = nodes * math.exp(log_r)
        return float(weights @ (reach / (1 + reach))) - size

    low = math.log(size / float(weights @ nodes)) - 1e-9  # lambda r / (1 + lambda r) < lambda r
    high = low + 1.0
    while excess(high) <= 0:  # rounding fills as many directions as there are modes
        high += 2.0
        require(high < 600, argument, f"got {size:g}, more than the modes can fill", "take fewer, or more modes")
    return math.exp(float(brentq(excess, low, high, xtol=1e-14)))


def model_bottleneck(modes: Modes, N: float) -> float:
    """Loss at width N for t, B -> infinity: the residual of a projection, ``sum_k lambda_k (w*_k)^2 / (1 + lambda_k r)``.

    Parameters
    ----------
    modes
        Modes and target.
    N
        Width.

    Returns
    -------
    float
        Loss, falling as ``N^(-alpha min(1, beta))`` for power laws.

    Raises
    ------
    InputError
        As :func:`effective_scale`.
    """
    quadrature, r = within_reach(modes, N, "N")
    return float(quadrature.target_weights @ (quadrature.nodes / (1 + quadrature.nodes * r)))


def printed_bottleneck(modes: Modes, size: float) -> float:
    """Sum with the second power, ``sum_k lambda_k (w*_k)^2 / (1 + lambda_k r)^2``, as eqs. 76 and 78 have it.

    Parameters
    ----------
    modes
        Modes and target.
    size
        N or P.

    Returns
    -------
    float
        The sum, falling as ``size^(-alpha min(2, beta))`` for power laws.
    """
    return _second_power(*within_reach(modes, size, "size"))


def _second_power(modes: ModeQuadrature, r: float) -> float:
    return float(modes.target_weights @ (modes.nodes / (1 + modes.nodes * r) ** 2))


def data_bottleneck(modes: Modes, P: float) -> float:
    """Test loss for t, N -> infinity on P samples: :func:`printed_bottleneck` divided by ``1 - df_2/P``.

    ``df_2 = sum_k (lambda_k r / (1 + lambda_k r))^2``; for power laws the factor tends to alpha.

    Parameters
    ----------
    modes
        Modes and target.
    P
        Number of samples.

    Returns
    -------
    float
        Loss of the interpolant of least norm, falling as ``P^(-alpha min(2, beta))`` for power laws.
    """
    quadrature, r = within_reach(modes, P, "P")
    reach = quadrature.nodes * r / (1 + quadrature.nodes * r)
    return _second_power(quadrature, r) / (1 - float(quadrature.weights @ reach**2) / float(P))


def lazy_loss(modes: Modes, time: ArrayLike) -> FloatArray:
    """Loss at N, B -> infinity, gamma = 0 in gradient flow, ``sum_k lambda_k (w*_k)^2 exp(-2 lambda_k t)``, shape (T,).

    Parameters
    ----------
    modes
        Modes and target.
    time
        eta * steps, > 0, shape (T,).

    Raises
    ------
    InputError
        If a time is not positive, or beyond the horizon of the modes.
    """
    quadrature, times = _resolving(modes, time)
    with np.errstate(under="ignore"):
        decay = np.exp(-2 * np.outer(times, quadrature.nodes))
    return np.asarray(decay @ (quadrature.target_weights * quadrature.nodes))


def lazy_width_loss(modes: Modes, N: float, time: ArrayLike) -> FloatArray:
    """Mean-field loss at width N, B -> infinity and gamma = 0 in gradient flow, at any time at once.

    The loss is ``y^T exp(-2 K t) y`` for the kernel K of N random features, the inverse Laplace transform of
    ``y^T (K + rho)^-1 y = (kappa/rho) sum_k lambda_k (w*_k)^2 / (lambda_k + kappa)`` with
    ``kappa (1 - (1/N) sum_k lambda_k / (lambda_k + kappa)) = rho``. It is the mean field solution itself, and ends at
    :func:`model_bottleneck`.

    Parameters
    ----------
    modes
        Modes and target, resolving the largest time.
    N
        Width, below the number of modes; infinity gives :func:`lazy_loss`.
    time
        eta * steps, > 0, shape (T,), ascending.

    Returns
    -------
    ndarray
        Loss, shape (T,), to about 1e-7 of that of the untrained model.

    Raises
    ------
    InputError
        If an argument is out of range, or a time beyond the horizon of the modes.
    """
    width = count(N, "N")
    if width == math.inf:
        return lazy_loss(modes, time)
    array(time, "time", above=0, order="rising")
    quadrature, times = _resolving(modes, time)
    return width_loss(quadrature, width, times)


def width_loss(
    modes: ModeQuadrature, width: float, times: FloatArray, contour: int = 16, per_decade: float = 8.0
) -> FloatArray:
    """Do as :func:`lazy_width_loss`; 8 points on the contour give 1e-4 of the loss of the untrained model."""
    nodes, plain, power = modes.nodes, modes.weights * modes.nodes, modes.target_weights * modes.nodes
    points, weights = _talbot(contour)
    # From times so short that nothing is learned, so that each solution starts near the one before.
    begin = min(1e-2 / nodes[0], times[0] / 2)
    early = np.geomspace(begin, times[-1], 2 + math.ceil(per_decade * math.log10(times[-1] / begin)))
    kappa = points / (2 * begin) + plain.sum() / width
    losses = {}
    for t in np.union1d(early, times):
        rho = points / (2 * t)
        for _ in range(_NEWTON):
            inverse = 1 / (nodes[:, None] + kappa)
            filled = (plain @ inverse) / width
            off = kappa * (1 - filled) - rho
            kappa = kappa - off / (1 - filled + kappa * (plain @ inverse**2) / width)
            if np.all(np.abs(off) <= _SOLVED * np.abs(rho)):  # Newton's last step squares what is left
                break
        if t in times:
            losses[float(t)] = float(np.real(weights @ (kappa / rho * (power @ (1 / (nodes[:, None] + kappa)))))) / (
                2 * t
            )
    return np.array([losses[float(t)] for t in times])


def _talbot(count: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Points and weights of Talbot's contour for inverse Laplace transforms at t = 1 (Abate and Valko, 2004)."""
    angle = np.arange(1, count) * math.pi / count
    cot = 1 / np.tan(angle)
    points = np.concatenate([[2 * count / 5 + 0j], 2 * count / 5 * angle * (cot + 1j)])
    factors = np.concatenate([[0.5 + 0j], 1 + 1j * angle * (1 + cot**2) - 1j * cot])
    return points, 0.4 * factors * np.exp(points)


def transient_coefficient(modes: Modes, time: ArrayLike, fourth_moment: bool = True) -> FloatArray:
    """Coefficient of 1/N in the loss at gamma = 0 and B = infinity, ``ell_N(t)`` of :mod:`~neural_scaling.theory.finite_size`.

    Exact for Gaussian A(0) in gradient flow; without the fourth moment it is that of the mean-field equations.

    Parameters
    ----------
    modes
        Modes and target, resolving the largest time.
    time
        eta * steps, > 0, shape (T,).
    fourth_moment
        Whether to keep the last term of ``ell_N``, which the noise and the response of the paper (eqs. 23, 26) leave out.

    Returns
    -------
    ndarray
        The coefficient, shape (T,).

    Raises
    ------
    InputError
        If a time is not positive, or beyond the horizon of the modes.
    """
    quadrature, times = _resolving(modes, time)
    nodes, plain, target = quadrature.nodes, quadrature.weights, quadrature.target_weights
    kept = 2 * target * nodes**3 * float(flag(fourth_moment, "fourth_moment"))
    values = []
    for t in times:
        with np.errstate(under="ignore"):
            decay = np.exp(-nodes * t)
            within = t**2 * (kept @ decay**2)
            # Row k, column l.
            delayed = _delayed(nodes, float(t))
            x = (nodes[None, :] - nodes[:, None]) * t
            with np.errstate(divide="ignore", invalid="ignore"):
                slowed = t**2 * (decay[:, None] * (x - 1) + decay[None, :]) / x**2
            small = np.abs(x) < _SERIES_BELOW
            series = 0.5 - x / 6 + x**2 / 24 - x**3 / 120
            slowed = np.where(small, t**2 * decay[:, None] * series, slowed)
            bias = (target * nodes**2 * decay) @ slowed @ (plain * nodes)
            spread = (plain * nodes) @ delayed**2 @ (target * nodes**2)
        values.append(2 * bias + spread + within)
    return np.array(values)


def noise_coefficient(modes: Modes, time: ArrayLike, fourth_moment: bool = True) -> FloatArray:
    """Coefficient of eta/B in the loss at gamma = 0 and N = infinity, ``ell_B(t)`` of :mod:`~neural_scaling.theory.finite_size`.

    Exact for Gaussian features in small steps; without the fourth moment it is that of the mean-field equations.

    Parameters
    ----------
    modes, time
        As for :func:`transient_coefficient`; so are the shape of the coefficient and the errors.
    fourth_moment
        Whether to keep the last term of ``ell_B``, which the noise of the paper (eqs. 21, 26, 31) leaves out.
    """
    quadrature, times = _resolving(modes, time)
    nodes, target = quadrature.nodes, quadrature.target_weights
    kept = target * nodes**3 * float(flag(fourth_moment, "fourth_moment"))
    values = []
    for t in times:
        with np.errstate(under="ignore"):
            delayed = _delayed(nodes, 2 * float(t))
            spread = 0.5 * (quadrature.weights * nodes**2) @ delayed @ (target * nodes)
            values.append(spread + t * (kept @ np.exp(-2 * nodes * t)))
    return np.array(values)


def lazy_sgd_loss(modes: Modes, eta: float, batch: float, steps: int, fourth_moment: bool = True) -> FloatArray:
    """Exact mean loss of SGD at gamma = 0 and N = infinity on Gaussian features, by iterating their second moments.

    ``m_k' = (1 - eta lambda_k)^2 m_k + (eta^2/B) (lambda_k L + lambda_k^2 m_k)`` for ``m_k = <v0_k^2>`` and
    ``L = sum_k lambda_k m_k``, from which nothing is left out at any learning rate and batch.

    Parameters
    ----------
    modes
        Modes and target.
    eta
        Learning rate, > 0.
    batch
        B, a whole number or infinity.
    steps
        Number of steps T.
    fourth_moment
        Whether to keep ``lambda_k^2 m_k``, which the noise of the paper (eqs. 21, 26, 31) leaves out.

    Returns
    -------
    ndarray
        Loss after 0, 1, ..., T steps, shape (T + 1,).
    """
    eta, batch, steps = require_positive(eta, "eta"), count(batch, "batch"), whole(steps, "steps")
    quadrature = as_quadrature(modes, "modes", 4 * eta * steps)
    nodes, kept = quadrature.nodes, float(flag(fourth_moment, "fourth_moment"))
    shrink = (1 - eta * nodes) ** 2 + kept * eta**2 / batch * nodes**2
    # The part proportional to the initial (w*_k)^2 and the part that noise feeds have weights of their own.
    start, fed = quadrature.target_weights * nodes, np.zeros(nodes.size)
    plain, gain = quadrature.weights * nodes, eta**2 / batch * nodes
    own = np.ones(nodes.size)
    losses = np.empty(steps + 1)
    for step in range(steps + 1):
        losses[step] = start @ own + plain @ fed
        own *= shrink
        fed *= shrink
        fed += gain * losses[step]
    return losses


def _resolving(modes: Modes, time: ArrayLike) -> tuple[ModeQuadrature, FloatArray]:
    """Return modes that resolve the latest of some times, and the times."""
    times = array(time, "time", above=0)
    quadrature = as_quadrature(modes, "modes", float(times.max()))
    quadrature.check_resolved(float(times.max()), "modes")
    return quadrature, times


def _delayed(nodes: FloatArray, t: float) -> FloatArray:
    """``int_0^t exp(-lambda_k (t-s) - lambda_l s) ds`` for all pairs, shape (K, K)."""
    gap = np.abs(nodes[:, None] - nodes[None, :])
    slower = np.exp(-np.minimum(nodes[:, None], nodes[None, :]) * t)
    with np.errstate(divide="ignore", invalid="ignore"):
        lasting = np.where(gap * t > 1e-12, -np.expm1(-gap * t) / gap, t)
    return np.asarray(slower * lasting)
