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
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from threadpoolctl import threadpool_limits

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.dmft.diverged import DynamicsDiverged
from neural_scaling.dmft.grid import ascending_times
from neural_scaling.spectra import ModeQuadrature, NotResolved, PowerLaw, Spectrum, as_quadrature

T = TypeVar("T")

# Errors of learned modes are far below one and set the growth of the scale late: they need an absolute tolerance of their own.
_ABSOLUTE_TOLERANCE = 1e-14
#: Parts of the last time at which the scale of the kernel is looked at: between them its integral by straight lines is good to a
#: per cent, as the scale moves by powers of time.
ON_THE_WAY = np.geomspace(1e-3, 1.0, 50)
#: How much further than gradient flow reaches a quadrature is made to resolve: noise and finite width change the growth.
_MARGIN = 4.0


@dataclass(frozen=True, eq=False)
class KernelFlow(ArrayValue):
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
    def settled_norm(self) -> Array:
        """``|w|^2/N`` that the invariant ``|u|^2 = C_w s`` gives for the error reached, shape (R,).

        Equal to ``weight_norm`` in exact arithmetic; close to the limit of an easy task it keeps more digits of what is missing.
        """
        learned = (1 - self.error) ** 2 @ self.quadrature.target_weights
        if self.gamma == 0:
            return np.asarray(learned)
        return np.asarray((np.sqrt(1 + 4 * self.gamma * learned) - 1) / (2 * self.gamma))

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

            low = max(float(strength[0]) * 1e-3, 1e-14 * base)
            # Without a target on the largest eigenvalue that one may stay the largest.
            shift = float(brentq(secular, low, 2 * excess, xtol=1e-14 * base)) if secular(low) > 0 else 0.0
            found.append(base + shift)
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
        """
        level = checks.real(level, "level", above=0.0, below=1.0)
        log_nodes = np.log(self.quadrature.nodes)
        result = np.full(self.time.size, math.nan)
        for row, error in enumerate(self.error):
            above = np.flatnonzero(error >= level)
            if above.size and (first := int(above[0])) > 0:
                share = (level - error[first - 1]) / (error[first] - error[first - 1])
                result[row] = math.exp(log_nodes[first - 1] + share * (log_nodes[first] - log_nodes[first - 1]))
        return result


@dataclass(frozen=True, eq=False)
class DecayTerms(ArrayValue):
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
    """
    flow = checks.instance(flow, "flow", KernelFlow, "give what kernel_flow returns")
    lam, weights = flow.quadrature.nodes, flow.quadrature.target_weights
    lazy = flow.error**2 @ (weights * lam**2)
    overlap = (flow.error * (1 - flow.error)) @ (weights * lam)
    return DecayTerms(lazy, flow.gamma * flow.weight_norm * lazy, flow.gamma / flow.scale * overlap**2)


def printed_ratio(flow: KernelFlow) -> Array:
    """Return the second over the third term of eq. 53 as its last line prints them, with ``y - Delta(s)`` replaced by ``y``.

    The exact ratio is that of ``spike`` and ``scale`` of :func:`decay_terms`. Integrals over time are by the trapezoidal rule in
    log time, so the solution needs ten times a decade or more, and one at which nothing is learned yet.

    Parameters
    ----------
    flow
        A solution at positive times.

    Returns
    -------
    Array
        Shape (R,).

    Raises
    ------
    InputError
        If ``flow`` is none, or begins at time zero.
    """
    flow = checks.instance(flow, "flow", KernelFlow, "give what kernel_flow returns")
    checks.require(flow.time[0] > 0, "flow", "begins at time zero", "give a solution at positive times")
    lam, weights = flow.quadrature.nodes, flow.quadrature.target_weights
    steps = np.diff(np.log(flow.time))[:, None]
    integrand = flow.error * flow.time[:, None]
    first = flow.time[0] * np.ones((1, lam.size))  # the error is 1 until then
    past = np.cumsum(np.concatenate([first, steps * (integrand[1:] + integrand[:-1]) / 2]), axis=0)
    second = (flow.error @ (weights * lam)) * ((flow.error * past) @ (weights * lam**2))
    third = (flow.error**2 @ (weights * lam**2)) * (past @ (weights * lam))
    return np.asarray(second / third)


def kernel_flow(
    modes: PowerLaw | Spectrum | ModeQuadrature, gamma: float, time: ArrayLike, relative_tolerance: float = 1e-8
) -> KernelFlow:
    """Solve eqs. 51-52 in the rank-one form of this module.

    Parameters
    ----------
    modes
        A power law, a spectrum, or a quadrature that resolves ``time[-1]`` times the growth of the kernel.
    gamma
        Richness.
    time
        Values of eta * steps at which to give the solution, shape (R,), ascending, not negative.
    relative_tolerance
        Of each step of the integrator. At the default, loss and scale are good to about 1e-6; see
        :attr:`KernelFlow.invariant_defect`.

    Raises
    ------
    InputError
        If an argument is out of range, or a quadrature does not resolve the time that is reached.
    DynamicsDiverged
        If the integrator gives up.
    """
    time = ascending_times(time)
    gamma = checks.real(gamma, "gamma", "give zero or a positive richness", least=0.0)
    tolerance = checks.real(relative_tolerance, "relative_tolerance", above=0.0, below=1.0)
    return resolving(modes, max(float(time[-1]), 1.0), lambda quadrature: _flow(quadrature, gamma, time, tolerance))


def resolving(modes: PowerLaw | Spectrum | ModeQuadrature, horizon: float, solver: Callable[[ModeQuadrature], T]) -> T:
    """Return what a solver finds on a quadrature; that of a power law is extended until it resolves what is reached."""
    while True:
        try:
            return solver(as_quadrature(modes, "modes", horizon))
        except NotResolved as missed:
            if not isinstance(modes, PowerLaw):
                raise
            horizon = _MARGIN * missed.reached


def horizon_of_flow(modes: PowerLaw | Spectrum | ModeQuadrature, gamma: float, time: float) -> float:
    """Return the horizon to which to resolve a power law for a solution to ``time``; others are resolved already."""
    if not isinstance(modes, PowerLaw):
        return time
    flow = kernel_flow(modes, gamma, time * ON_THE_WAY, 1e-4)
    return _MARGIN * effective_time(flow.time, flow.scale)


def effective_time(time: Array, scale: Array) -> float:
    """Return the integral of the kernel's growth, 1 at time 0, to the last time."""
    return float(np.trapezoid(np.append(1.0, scale), np.append(0.0, time)))


def _flow(quadrature: ModeQuadrature, gamma: float, time: Array, relative_tolerance: float) -> KernelFlow:
    lam, weights = quadrature.nodes / quadrature.nodes[0], quadrature.target_weights
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
    # In units of the largest eigenvalue and of the target; values between those asked for show how far the kernel grows.
    unit = quadrature.initial_loss / float(quadrature.nodes[0])
    kept = np.union1d(time, time[-1] * ON_THE_WAY)
    # The integrator's first step subtracts from a row of memory that it has not set, and never uses the difference.
    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        result = solve_ivp(
            slope,
            (0.0, float(kept[-1] * quadrature.nodes[0])),
            start,
            method="BDF",
            t_eval=kept * quadrature.nodes[0],
            jac=jacobian,
            rtol=relative_tolerance,
            atol=_ABSOLUTE_TOLERANCE * np.append(np.ones(size), unit or 1.0),
        )
    if not result.success:
        raise DynamicsDiverged(f"gradient flow could not be integrated: {result.message}")
    quadrature.check_resolved(effective_time(kept, 1 + gamma * result.y[size]), "modes")
    found = result.y[:, np.isin(kept, time)]
    return KernelFlow(quadrature, gamma, time, np.ascontiguousarray(found[:size].T), np.asarray(found[size]))
