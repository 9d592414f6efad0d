r"""Gradient flow at N, B -> infinity in its rank-one form: K + 1 unknowns instead of K^2, to any time.

Equations 51-52 move a whole matrix ``G = A^T A / N``. Because gradient flow keeps ``A A^T - gamma w w^T`` fixed, that
matrix never leaves a one-parameter family. With ``u = w* - v0``, ``a = Lambda v0`` and the scale
``s = 1 + gamma C_w``,

.. math::
    G = I + \frac{\gamma}{s}\, u u^T, \qquad |u|^2 = C_w\, s,

exactly and at all times, as their time derivatives show. What remains is

.. math::
    \dot u = s\, a + \frac{\gamma}{s} (u \cdot a)\, u, \qquad \dot C_w = 2\, u \cdot a ,

and the kernel of eq. 52 is ``s Lambda + (gamma/s) z z^T`` with ``z = Lambda^(1/2) u = y - Delta``. The equations are
stiff, and are solved by backward differentiation with their exact Jacobian. In unit steps the relation holds up to
order eta only: :func:`neural_scaling.dmft.infinite_limit` moves the matrix.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from neural_scaling.checks import require
from neural_scaling.dmft.diverged import DynamicsDiverged
from neural_scaling.dmft.grid import ascending_times
from neural_scaling.spectra import Array, ModeQuadrature

# Errors of learned modes are far below one and set the growth of the scale late: they need an absolute tolerance of their own.
_ABSOLUTE_TOLERANCE = 1e-14


@dataclass(frozen=True)
class KernelFlow:
    """Population gradient flow with everything that its kernel consists of.

    Attributes
    ----------
    quadrature
        The modes.
    gamma
        Richness.
    time
        eta * steps, shape (R,).
    error
        ``v0_k / w*_k`` at the nodes, shape (R, K): 1 at first, 0 when learned, slightly negative in between.
    weight_norm
        ``C_w = |w|^2/N``, shape (R,).
    """

    quadrature: ModeQuadrature
    gamma: float
    time: Array
    error: Array
    weight_norm: Array

    @property
    def loss(self) -> Array:
        """Test loss (eq. 5), shape (R,)."""
        return np.asarray(self.error**2 @ (self.quadrature.target_weights * self.quadrature.nodes))

    @property
    def scale(self) -> Array:
        """Growth ``s = 1 + gamma C_w`` of every eigenvalue of the kernel, shape (R,)."""
        return 1 + self.gamma * self.weight_norm

    @property
    def spike(self) -> Array:
        """The one eigenvalue of the kernel's rank-one part, ``(gamma/s) |y - Delta|^2``, shape (R,)."""
        norm = (1 - self.error) ** 2 @ (self.quadrature.target_weights * self.quadrature.nodes)
        return np.asarray(self.gamma / self.scale * norm)

    @property
    def invariant_defect(self) -> Array:
        """``|u|^2 / (C_w s) - 1``, zero in exact arithmetic, shape (R,); NaN at time zero."""
        norm = (1 - self.error) ** 2 @ self.quadrature.target_weights
        with np.errstate(invalid="ignore"):
            return np.asarray(norm / (self.weight_norm * self.scale) - 1)

    @property
    def sharpness(self) -> Array:
        """Largest eigenvalue of the kernel, shape (R,), from the secular equation of a rank-one change."""
        lam = self.quadrature.nodes
        found = []
        for scale, error in zip(self.scale, self.error, strict=True):
            strength = self.gamma / scale * self.quadrature.target_weights * lam * (1 - error) ** 2
            base = float(scale * lam[0])
            # The root lies above the largest eigenvalue of the diagonal by no more than the spike's own size.
            excess = float(np.sum(np.abs(strength)))
            if excess == 0:
                found.append(base)
                continue
            gaps = base - scale * lam

            def secular(shift: float, strength: Array = strength, gaps: Array = gaps) -> float:
                return float(np.sum(strength / (gaps + shift))) - 1

            found.append(base + float(brentq(secular, float(strength[0]) * 1e-3, 2 * excess, xtol=1e-14)))
        return np.array(found)

    def eigenvalue_at(self, level: float = 0.5) -> Array:
        """Return the eigenvalue of the modes whose relative error is ``level``, between nodes by straight lines in its log.

        Parameters
        ----------
        level
            Relative error, between 0 and 1.

        Returns
        -------
        Array
            Shape (R,); ``k* = eigenvalue^(-1/alpha)`` for a power law. NaN while no node is learned that far.

        Raises
        ------
        InputError
            If ``level`` is not between 0 and 1.
        """
        require(0 < level < 1, "level", f"got {level!r}", "give a relative error between 0 and 1")
        log_nodes = np.log(self.quadrature.nodes)
        result = np.full(self.time.size, math.nan)
        for row, error in enumerate(self.error):
            above = np.flatnonzero(error >= level)
            if above.size and (first := int(above[0])) > 0:
                share = (level - error[first - 1]) / (error[first] - error[first - 1])
                result[row] = math.exp(log_nodes[first - 1] + share * (log_nodes[first] - log_nodes[first - 1]))
        return result


@dataclass(frozen=True)
class DecayTerms:
    """The parts of ``-(1/2) dL/dt = Delta^T K Delta`` (eq. 53), each of shape (R,).

    Attributes
    ----------
    lazy
        ``Delta^T Lambda Delta``, the initial kernel.
    scale
        ``gamma C_w`` times that, the growth of all eigenvalues: the term called dominant.
    spike
        ``(gamma/s) ((y - Delta) . Delta)^2``, the rank-one part: the term called subleading.
    """

    lazy: Array
    scale: Array
    spike: Array


def decay_terms(flow: KernelFlow) -> DecayTerms:
    """Return what each part of the kernel contributes to the decay of the loss.

    Parameters
    ----------
    flow
        A solution.

    Returns
    -------
    DecayTerms
    """
    lam, weights = flow.quadrature.nodes, flow.quadrature.target_weights
    lazy = flow.error**2 @ (weights * lam**2)
    overlap = (flow.error * (1 - flow.error)) @ (weights * lam)
    return DecayTerms(lazy, flow.gamma * flow.weight_norm * lazy, flow.gamma / flow.scale * overlap**2)


def kernel_flow(quadrature: ModeQuadrature, gamma: float, time: Array, relative_tolerance: float = 1e-8) -> KernelFlow:
    """Solve eqs. 51-52 in the rank-one form of this module.

    Parameters
    ----------
    quadrature
        Modes, resolving ``time[-1]`` times the growth of the kernel.
    gamma
        Richness.
    time
        Values of eta * steps at which to give the solution, shape (R,), ascending, not negative.
    relative_tolerance
        Of each step of the integrator. At the default, loss and scale are good to about 1e-6; see
        :attr:`KernelFlow.invariant_defect`.

    Returns
    -------
    KernelFlow

    Raises
    ------
    InputError
        If ``time`` is empty, negative or not ascending, or gamma is negative.
    DynamicsDiverged
        If the integrator gives up.
    """
    time = ascending_times(time)
    require(math.isfinite(gamma) and gamma >= 0, "gamma", f"got {gamma!r}", "give zero or a positive richness")
    lam, weights = quadrature.nodes, quadrature.target_weights
    size = lam.size
    diagonal = np.arange(size)
    start = np.append(np.ones(size), 0.0)

    def slope(_: float, state: Array) -> Array:
        error, scale = state[:size], 1 + gamma * state[size]
        overlap = float((weights * lam * error) @ (1 - error))
        return np.append(-scale * lam * error - gamma / scale * overlap * (1 - error), 2 * overlap)

    def jacobian(_: float, state: Array) -> Array:
        error, scale = state[:size], 1 + gamma * state[size]
        overlap = float((weights * lam * error) @ (1 - error))
        overlap_slope = weights * lam * (1 - 2 * error)
        matrix = np.zeros((size + 1, size + 1))
        np.outer(-gamma / scale * (1 - error), overlap_slope, out=matrix[:size, :size])
        matrix[diagonal, diagonal] += -scale * lam + gamma / scale * overlap
        matrix[:size, size] = -gamma * lam * error + (gamma / scale) ** 2 * overlap * (1 - error)
        matrix[size, :size] = 2 * overlap_slope
        return matrix

    if time[-1] == 0:
        return KernelFlow(quadrature, gamma, time, start[None, :size], np.zeros(1))
    # The integrator's first step subtracts from a row of memory that it has not set, and never uses the difference.
    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        result = solve_ivp(
            slope,
            (0.0, float(time[-1])),
            start,
            method="BDF",
            t_eval=time,
            jac=jacobian,
            rtol=relative_tolerance,
            atol=_ABSOLUTE_TOLERANCE,
        )
    if not result.success:
        raise DynamicsDiverged(f"gradient flow could not be integrated: {result.message}")
    return KernelFlow(quadrature, gamma, time, np.ascontiguousarray(result.y[:size].T), np.asarray(result.y[size]))
