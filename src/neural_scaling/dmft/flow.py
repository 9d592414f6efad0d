r"""Gradient flow at N, B -> infinity in its rank-one form: K + 1 unknowns instead of K^2, to any time.

Equations 51-52 move a whole matrix ``G = A^T A / N``. Because gradient flow keeps ``A A^T - gamma w w^T`` fixed, that
matrix never leaves a one-parameter family. With ``u = w* - v0``, ``a = Lambda v0`` and the scale
``s = 1 + gamma C_w``,

.. math::
    G = I + \frac{\gamma}{s}\, u u^T, \qquad |u|^2 = C_w\, s,

exactly and at all times, as their time derivatives show. What remains is

.. math::
    \dot u = s\, a + \frac{\gamma}{s} (u \cdot a)\, u, \qquad \dot C_w = 2\, u \cdot a ,

and the kernel of eq. 52 is ``s Lambda + (gamma/s) z z^T`` with ``z = Lambda^(1/2) u = y - Delta``. In the clock
``tau`` that runs ``s`` times as fast as time the modes part, but for one number: with ``sigma = s^(-1/2)`` and
``u_k = s^(1/2) (sigma - E_k) w*_k``,

.. math::
    \frac{dE_k}{d\tau} = -\lambda_k E_k + \frac{d\sigma}{d\tau}, \qquad
    \sigma^{-2} = 1 + \gamma \sum_k w_k^{*2} (\sigma - E_k)^2, \qquad \frac{dt}{d\tau} = \sigma^2 .

So a step is exact but for its polynomial of ``sigma``, however stiff the modes are. In unit steps the relation holds up to
order eta only: :func:`neural_scaling.dmft.infinite_limit` moves the matrix.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.polynomial.polynomial import polyint, polymul, polysub, polyval
from numpy.typing import ArrayLike
from scipy.integrate import cumulative_trapezoid
from scipy.optimize import brentq
from scipy.special import roots_jacobi
from threadpoolctl import threadpool_limits

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.dmft.diverged import DynamicsDiverged
from neural_scaling.dmft.grid import ascending_times
from neural_scaling.spectra import ModeQuadrature, NotResolved, PowerLaw, Spectrum, as_quadrature

T = TypeVar("T")

#: Points of a step at which its polynomial agrees with the equations.
_POINTS = 5
#: A step as a part of the clock that has passed. The complex times at which sigma is singular lie as far away as zero or farther.
_STEP = 0.15
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
    # The error is 1 until the first time.
    past = flow.time[0] + cumulative_trapezoid(flow.error * flow.time[:, None], np.log(flow.time), axis=0, initial=0)
    second = (flow.error @ (weights * lam)) * ((flow.error * past) @ (weights * lam**2))
    third = (flow.error**2 @ (weights * lam**2)) * (past @ (weights * lam))
    return np.asarray(second / third)


def kernel_flow(modes: PowerLaw | Spectrum | ModeQuadrature, gamma: float, time: ArrayLike) -> KernelFlow:
    """Solve eqs. 51-52 in the rank-one form of this module.

    Loss and scale are good to 1e-6; a loss below 1e-12 of the first one is good to 1e-18 of that.

    Parameters
    ----------
    modes
        A power law, a spectrum, or a quadrature that resolves ``time[-1]`` times the growth of the kernel.
    gamma
        Richness.
    time
        Values of eta * steps at which to give the solution, shape (R,), ascending, not negative.

    Raises
    ------
    InputError
        If an argument is out of range, or a quadrature does not resolve the time that is reached.
    DynamicsDiverged
        If a step has no solution.
    """
    time = ascending_times(time)
    gamma = checks.real(gamma, "gamma", "give zero or a positive richness", least=0.0)
    return resolving(modes, max(float(time[-1]), 1.0), lambda quadrature: _flow(quadrature, gamma, time))


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
    flow = kernel_flow(modes, gamma, time * ON_THE_WAY)
    return _MARGIN * effective_time(flow.time, flow.scale)


def effective_time(time: Array, scale: Array) -> float:
    """Return the integral of the kernel's growth, 1 at time 0, to the last time."""
    return float(np.trapezoid(np.append(1.0, scale), np.append(0.0, time)))


def _flow(quadrature: ModeQuadrature, gamma: float, time: Array) -> KernelFlow:
    error, norm = np.empty((time.size, quadrature.nodes.size)), np.empty(time.size)
    # Products of this size are too small to share among threads.
    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        clock = _Clock(quadrature, gamma)
        for row, moment in enumerate(time):
            while clock.next_time < moment:
                clock.advance()
            error[row], norm[row] = clock.at(float(moment))
    quadrature.check_resolved(clock.reached, "modes")
    return KernelFlow(quadrature, gamma, time, error, norm)


class _Clock:
    """The flow on its own clock: the state where a step begins and ends, and the polynomial of sigma along it.

    A state is E and sigma - E of every mode, each with all its digits, and sigma.
    """

    def __init__(self, quadrature: ModeQuadrature, gamma: float) -> None:
        self.lam, self.weights, self.gamma = quadrature.nodes, quadrature.target_weights, gamma
        # Until then nothing is learned and nothing grows.
        self.first = 1 / (self.lam[0] + math.sqrt(gamma * abs(float(self.weights @ self.lam**2))))
        self.next_state = np.ones(self.lam.size), np.zeros(self.lam.size), 1.0
        self.step, self.tau, self.next_time, self.polynomial = 0.0, 0.0, 0.0, np.ones(1)

    def advance(self) -> None:
        """Take the next step."""
        self.tau += self.step
        self.state, self.time = self.next_state, self.next_time
        before, self.step = self.step, _STEP * max(self.tau, self.first)
        points, coefficients = _collocation()
        kept, powers = self._along(points)[1]
        pushed = (powers @ coefficients).reshape(-1, _POINTS, _POINTS)
        begun = self.state[2]
        sigma = polyval(1 + points * self.step / (before or self.step), self.polynomial)  # as it went on before
        for _ in range(30):  # Newton's method takes two or three
            weighted = self.weights[:, None] * (now := kept + pushed @ (sigma - begun))
            scale = 1 + self.gamma * np.sum(weighted * now, axis=0)
            slope = np.sum(weighted[:, :, None] * pushed, axis=0)
            jacobian = 2 * np.diag(sigma * scale) + 2 * self.gamma * sigma[:, None] ** 2 * slope
            change = np.linalg.solve(jacobian, sigma**2 * scale - 1)
            sigma = sigma - change
            if np.max(np.abs(change)) <= 1e-12 * sigma[-1]:
                break
        else:
            raise DynamicsDiverged(f"gradient flow could not be integrated beyond time {self.time:.3g}")
        self.polynomial = np.append(begun, coefficients @ (sigma - begun))
        self.passed = self.step * polyint(polymul(self.polynomial, self.polynomial))
        self.next_time = self.time + float(np.sum(self.passed))
        self.next_state = self._at(1.0)

    def at(self, moment: float) -> tuple[Array, float]:
        """Return relative errors and |w|^2/N at a time within the step."""
        (error, learned, sigma), part = self.next_state, 1.0
        if moment < self.next_time:
            begun = polysub(self.passed, [moment - self.time])
            part = brentq(lambda part: float(polyval(part, begun)), 0.0, 1.0, xtol=1e-15)
            error, learned, sigma = self._at(part)
        self.reached = self.tau + part * self.step
        return error / sigma, float(self.weights @ learned**2)

    def _at(self, part: float) -> tuple[Array, Array, float]:
        """Return the state where a part of the step has passed."""
        error, learned = (kept[:, 0] + pushed @ self.polynomial[1:] for kept, pushed in self._along(np.array([part])))
        return error, learned, float(polyval(part, self.polynomial))

    def _along(self, points: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        """Return for E and sigma - E what they are at points of a step if sigma stays, and what powers of its polynomial add."""
        error, learned, sigma = self.state
        passed = self.step * np.outer(self.lam, points)
        few, many = np.minimum(passed, 1.0), np.maximum(passed, 1.0)
        found = np.empty((_POINTS + 1, *passed.shape))  # the integral of exp(-passed (1 - x)) x^m over x from 0 to 1
        # Each rule goes where it loses no digits: down from a power that hardly counts, or up from the exponential.
        value = np.full(passed.shape, 1 / 21)
        for power in range(20, 0, -1):
            value = (1 - few * value) / power
            if power <= _POINTS + 1:
                found[power - 1] = value
        value = -np.expm1(-many) / many
        for power in range(_POINTS + 1):
            value = (1 - power * value) / many if power else value
            np.copyto(found[power], value, where=passed > 1)
        powers = np.arange(1, _POINTS + 1)[:, None, None]
        left = np.exp(-passed)
        added = (points**powers * part for part in (powers * found[:-1], passed * found[1:]))
        to_error, to_learned = (part.reshape(_POINTS, -1).T for part in added)
        return (left * error[:, None], to_error), (left * learned[:, None] - np.expm1(-passed) * sigma, to_learned)


@functools.cache
def _collocation() -> tuple[Array, Array]:
    """Return Radau's points of a step, and the coefficients of a polynomial, zero at its beginning, by its values there."""
    points = np.append((roots_jacobi(_POINTS - 1, 1, 0)[0] + 1) / 2, 1.0)
    return points, np.linalg.inv(points[:, None] ** np.arange(1, _POINTS + 1))
