"""Kernel spectra, target coefficients and quadrature over modes.

Every theoretical quantity of the model is a sum over the modes k of the infinite-width kernel, either
``sum_k g(lambda_k)`` or ``sum_k (w*_k)^2 g(lambda_k)``, of functions ``g`` that are smooth in the eigenvalue
``lambda_k`` and vanish at ``lambda = 0``. A :class:`ModeQuadrature` holds nodes and the two sets of weights; the
plain sum over all modes of a :class:`Spectrum` is the quadrature whose nodes are the eigenvalues themselves.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.chebyshev import chebpts1
from numpy.polynomial.legendre import leggauss
from scipy.special import roots_jacobi

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import InputError, require, require_positive

__all__ = ["ModeQuadrature", "NotResolved", "PowerLaw", "Spectrum"]

#: Beyond this mode number a bin is summed as an integral (midpoint Euler-Maclaurin, relative error below 1e-9).
_LARGEST_SUMMED_MODE = 1 << 17
_EXACT_MODES = 32
_BIN_RATIO = 2.0
_NODES_PER_BIN = 12
#: Error of interpolation in the last bin that bounds its horizon; with its derivative it adds up to 1e-5 of a loss.
_LAST_BIN_ERROR = 1e-6
#: A spectrum is compressed when it has more modes than this (seconds of a solver) and that removes at least half of them.
_FEW_MODES = 512
_COMPRESSED_NODES = 20


class NotResolved(InputError):
    """The dynamics reaches an effective time at which modes count that the quadrature does not resolve.

    Attributes
    ----------
    reached
        Effective time reached: the integral of the kernel's growth over eta * steps.
    """

    def __init__(self, argument: str, horizon: float, reached: float) -> None:
        super().__init__(
            f"{argument}: resolves modes to an effective time (eta * steps times the growth of the kernel) of {horizon:.3g}, but "
            f"{reached:.3g} is reached; give the PowerLaw itself, or its quadrature(horizon={4 * reached:.2g})."
        )
        self._found = argument, horizon, reached
        self.reached = reached

    def __reduce__(self) -> tuple[type[NotResolved], tuple[str, float, float]]:
        return NotResolved, self._found  # as errors are sent between processes


@dataclass(frozen=True, eq=False)
class ModeQuadrature(ArrayValue):
    """Nodes and weights with ``sum_k g(lambda_k) ~ weights @ g(nodes)`` for smooth ``g`` with ``g(0) = 0``.

    Attributes
    ----------
    nodes
        Eigenvalues at which ``g`` is evaluated, shape (K,), descending, positive.
    weights
        Weights of the plain sum over modes, shape (K,).
    target_weights
        Weights of ``sum_k (w*_k)^2 g(lambda_k)``, shape (K,). Like ``weights``, some of an interpolation may be negative.
    horizon
        Longest effective time, eta * steps times the growth of the kernel, to which the dynamics is resolved: losses to 2e-5
        where bins have eight nodes or more. Infinite where every mode is resolved. Solvers refuse to go beyond.

    Raises
    ------
    InputError
        If shapes differ, nodes are not positive and descending, a value is not finite, or the target's variance is negative.
    """

    nodes: Array
    weights: Array
    target_weights: Array
    horizon: float = math.inf

    def __post_init__(self) -> None:
        nodes = checks.array(self.nodes, "nodes", above=0.0, order="descending")
        weights = checks.array(self.weights, "weights", shape=nodes.shape)
        targets = checks.array(self.target_weights, "target_weights", shape=nodes.shape)
        # Single weights of an interpolation may be negative, variances may not.
        require(
            float(weights @ nodes) > 0,
            "weights",
            "the trace of the kernel is not positive",
            "give the weights of a sum over modes",
        )
        require(
            float(targets @ nodes) >= 0,
            "target_weights",
            "the variance of the target is negative",
            "give the weights of a sum over modes of (w*_k)^2",
        )
        horizon = checks.real(self.horizon, "horizon", above=0.0, infinite=True)
        for name, value in zip(("nodes", "weights", "target_weights"), (nodes, weights, targets), strict=True):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "horizon", horizon)

    def check_resolved(self, reached: float, argument: str) -> None:
        """Raise :class:`NotResolved` naming ``argument`` if an effective time is beyond the horizon."""
        if reached > self.horizon:
            raise NotResolved(argument, self.horizon, reached)

    @property
    def initial_loss(self) -> float:
        """Loss of the untrained model, ``sum_k lambda_k (w*_k)^2`` (eq. 5 at w = 0)."""
        return float(self.target_weights @ self.nodes)

    @property
    def trace(self) -> float:
        """Trace of the kernel, ``sum_k lambda_k``."""
        return float(self.weights @ self.nodes)


@dataclass(frozen=True, eq=False)
class Spectrum(ArrayValue):
    """Eigenvalues of the infinite-width kernel and coefficients of the target in its eigenbasis (eqs. 2, 3).

    Parameters
    ----------
    eigenvalues
        Shape (M,), positive, sorted in descending order.
    target
        Target coefficients ``w*_k`` in the basis of features ``psi_k`` (variance ``lambda_k``), shape (M,).

    Raises
    ------
    InputError
        If a shape is wrong, a value is not finite, an eigenvalue is not positive or the order is not descending.
    """

    eigenvalues: Array
    target: Array

    def __post_init__(self) -> None:
        eigenvalues = checks.array(self.eigenvalues, "eigenvalues", order="descending")
        require(
            bool(eigenvalues[-1] > 0),
            "eigenvalues",
            "zero or negative value",
            "drop modes of zero variance: no step can learn them",
        )
        object.__setattr__(self, "eigenvalues", eigenvalues)
        object.__setattr__(self, "target", checks.array(self.target, "target", shape=eigenvalues.shape))

    @property
    def modes(self) -> int:
        """Number of modes M."""
        return int(self.eigenvalues.size)

    def quadrature(self) -> ModeQuadrature:
        """Return the plain sum over all modes, exact, K = M.

        Solvers take the spectrum itself and compress a long one, which is many times faster.
        """
        return ModeQuadrature(self.eigenvalues, np.ones(self.modes), self.target**2)

    def compressed(self, nodes_per_bin: int = 16) -> ModeQuadrature:
        """Return a quadrature over a measured spectrum with few nodes.

        Eigenvalues are binned by factors of two, downwards from the largest. A bin with more modes than nodes gets Chebyshev
        nodes and interpolatory weights for ``g(lambda)/lambda``; the modes of other bins are kept. For the responses of the
        theory, ``g = lambda z / (1 + lambda z)`` with z >= 0, both sums are exact to a relative error of ``25 * 4^-n`` with n
        nodes a bin: g/lambda is analytic where ``Re lambda > 0``, and on the ellipse of parameter 4 around a bin at most 4.6
        times its values inside, so that interpolation errs by at most ``4 * 4.6 * 4^(1-n) / 3`` of them (Trefethen,
        Approximation Theory and Approximation Practice, chapter 8).

        Parameters
        ----------
        nodes_per_bin
            n, from 2 to 40.
        """
        nodes_per_bin = checks.whole(nodes_per_bin, "nodes_per_bin", least=2, most=40)
        octave = np.floor(np.log2(self.eigenvalues[0] / self.eigenvalues))
        nodes, weights, targets = [], [], []
        for number in np.unique(octave):
            inside = octave == number
            values, squares = self.eigenvalues[inside], self.target[inside] ** 2
            if values.size <= nodes_per_bin:
                nodes.append(values)
                weights.append(np.ones(values.size))
                targets.append(squares)
                continue
            top = self.eigenvalues[0] / 2**number
            chosen = (1.5 + 0.5 * chebpts1(nodes_per_bin)[::-1]) * top / 2
            shares = _lagrange(chosen, values) * values[:, None] / chosen
            nodes.append(chosen)
            weights.append(shares.sum(axis=0))
            targets.append(squares @ shares)
        return ModeQuadrature(np.concatenate(nodes), np.concatenate(weights), np.concatenate(targets))


@dataclass(frozen=True)
class PowerLaw:
    """Power-law spectrum and target, ``lambda_k = k^-alpha``, ``(w*_k)^2 lambda_k = k^(-alpha beta - 1)`` (eqs. 6, 42).

    Parameters
    ----------
    alpha
        Capacity exponent. Must exceed 1 when ``modes`` is infinite, so that the kernel is trace class.
    beta
        Source exponent, positive.
    modes
        Number of modes M, or ``math.inf``.

    Raises
    ------
    InputError
        If an exponent is out of range or ``modes`` is not a positive integer or infinity.
    """

    alpha: float
    beta: float
    modes: float = math.inf

    def __post_init__(self) -> None:
        alpha = require_positive(self.alpha, "alpha", "the capacity exponent must be a positive finite number")
        beta = require_positive(self.beta, "beta", "the source exponent must be a positive finite number")
        modes = checks.count(self.modes, "modes")
        for name, value in (("alpha", alpha), ("beta", beta), ("modes", modes)):
            object.__setattr__(self, name, value)
        require(
            self.alpha > 1 or self.modes < math.inf,
            "alpha",
            f"got {self.alpha!r} with infinitely many modes, so the kernel is not trace class (sum of k^-alpha diverges)",
            "take alpha > 1, or a finite number of modes",
        )

    def spectrum(self) -> Spectrum:
        """Return all M eigenvalues and coefficients (all ``w*_k > 0``).

        Raises
        ------
        InputError
            If the number of modes is infinite.
        """
        require(self.modes < math.inf, "modes", "infinite", "give a finite number of modes to list them")
        k = np.arange(1, int(self.modes) + 1, dtype=np.float64)
        return Spectrum(k**-self.alpha, k ** ((self.alpha - self.alpha * self.beta - 1) / 2))

    def quadrature(self, horizon: float, nodes_per_bin: int = _NODES_PER_BIN) -> ModeQuadrature:
        """Return a quadrature over modes that resolves the dynamics up to ``horizon``.

        The first modes are kept as they are. Below them each geometric bin of eigenvalues gets Chebyshev nodes
        and interpolatory weights for ``g(lambda)/lambda``; the last bin reaches down to zero. In it the dynamics is a
        low-degree polynomial in ``lambda``, which needs ``horizon * lambda <= 1`` there.

        Parameters
        ----------
        horizon
            Largest effective time, in units of eta * steps times the growth of the kernel, that must be resolved. Solvers
            compare it with the time that they reach; given the law itself they choose it.
        nodes_per_bin
            Nodes for each factor of two of the eigenvalues. Relaxed losses come out to 1e-9 with 12 and to 1e-5 with 8, which is
            enough for a log-spaced grid of times.

        Returns
        -------
        ModeQuadrature
            32 nodes and ``nodes_per_bin`` for each factor of two of the horizon. For M up to the number of exact modes it is
            the plain sum.
        """
        horizon = require_positive(horizon, "horizon", "give the largest eta * steps * kernel growth to be resolved")
        nodes_per_bin = checks.whole(nodes_per_bin, "nodes_per_bin", least=2)
        if self.modes <= 2 * _EXACT_MODES:
            return self.spectrum().quadrature()
        exact = PowerLaw(self.alpha, self.beta, _EXACT_MODES).spectrum().quadrature()
        rest = self.tail(_EXACT_MODES + 1, horizon, nodes_per_bin)
        nodes, weights, targets = (np.concatenate(pair) for pair in zip(_sums(exact), _sums(rest), strict=True))
        return ModeQuadrature(nodes, weights, targets, rest.horizon)

    def tail(
        self, first: int, horizon: float, nodes_per_bin: int = _NODES_PER_BIN, summed: int = _LARGEST_SUMMED_MODE
    ) -> ModeQuadrature:
        """Return a quadrature over the modes from ``first`` on, as that of :meth:`quadrature` goes on below its exact modes.

        Parameters
        ----------
        first
            Number of the first mode, at most M.
        horizon, nodes_per_bin
            As for :meth:`quadrature`.
        summed
            Bins that begin beyond this mode number are integrals, to a relative error of about ``10 / first^2``.

        Returns
        -------
        ModeQuadrature
            ``nodes_per_bin`` nodes for each factor of two from the first eigenvalue down to one over the horizon.
        """
        first = checks.whole(first, "first", most=self.modes)
        horizon = require_positive(horizon, "horizon", "give the largest eta * steps * kernel growth to be resolved")
        nodes_per_bin = checks.whole(nodes_per_bin, "nodes_per_bin", least=2)
        summed = checks.whole(summed, "summed", most=_LARGEST_SUMMED_MODE)
        nodes: list[Array] = []
        weights: list[Array] = []
        targets: list[Array] = []
        resolved = math.inf
        while first <= self.modes:
            next_first = math.ceil(first * _BIN_RATIO ** (1 / self.alpha))
            closing = first**-self.alpha * horizon <= 1 or next_first > self.modes
            stop = self.modes + 1 if closing else float(next_first)
            lowest = 0.0 if stop == math.inf else (stop - 1) ** -self.alpha
            bin_nodes = _chebyshev(lowest, first**-self.alpha, 1 if stop == first + 1 else nodes_per_bin)
            nodes.append(bin_nodes)
            # Interpolating g/lambda builds g(0) = 0 in, which the infinite tail needs to converge.
            powers = (-self.alpha, -self.alpha * self.beta - 1)
            for found, moments in zip(
                (weights, targets), self._moments(first, stop, bin_nodes, powers, summed), strict=True
            ):
                found.append(moments / bin_nodes)
            if closing:
                if next_first <= self.modes:
                    resolved = _reach(nodes_per_bin) * first**self.alpha
                break
            first = next_first
        return ModeQuadrature(np.concatenate(nodes), np.concatenate(weights), np.concatenate(targets), resolved)

    def _moments(self, first: int, stop: float, nodes: Array, powers: tuple[float, ...], most: int) -> list[Array]:
        """Return ``sum_{first <= k < stop} k^power ell_j(k^-alpha)`` for the Lagrange polynomials of ``nodes``, by power."""
        summed = min(stop, max(first, most))
        k = np.arange(first, summed, dtype=np.float64)
        polynomials = _lagrange(nodes, k**-self.alpha)
        totals = [k**power @ polynomials for power in powers]
        if summed < stop:
            rest = (self._integral(summed - 0.5, stop - 0.5, nodes, power) for power in powers)
            totals = [total + integral for total, integral in zip(totals, rest, strict=True)]
        return totals

    def _integral(self, low: float, high: float, nodes: Array, power: float) -> Array:
        """Return the integral of ``k^power ell_j(k^-alpha)`` over ``low < k < high``."""
        if high == math.inf:
            # With x = k^-alpha the integrand is x^c times a polynomial: Gauss-Jacobi is exact.
            end = low**-self.alpha
            exponent = -(power + 1) / self.alpha - 1
            x, w = roots_jacobi(nodes.size, 0.0, exponent)
            x, w = (x + 1) / 2, w / 2 ** (exponent + 1)
            return np.asarray((w * end ** (exponent + 1) / self.alpha) @ _lagrange(nodes, x * end))
        x, w = _legendre()
        log_k = (math.log(high) + math.log(low)) / 2 + x * (math.log(high) - math.log(low)) / 2
        k = np.exp(log_k)
        jacobian = w * k * (math.log(high) - math.log(low)) / 2
        return np.asarray((jacobian * k**power) @ _lagrange(nodes, k**-self.alpha))


@functools.cache
def _legendre() -> tuple[Array, Array]:
    return leggauss(64)


def _sums(quadrature: ModeQuadrature) -> tuple[Array, Array, Array]:
    return quadrature.nodes, quadrature.weights, quadrature.target_weights


def as_quadrature(modes: PowerLaw | Spectrum | ModeQuadrature, argument: str, horizon: float) -> ModeQuadrature:
    """Return the quadrature that a solver works with."""
    if isinstance(modes, PowerLaw):
        return modes.quadrature(horizon)
    if isinstance(modes, ModeQuadrature):
        return modes
    spectrum = checks.instance(modes, argument, Spectrum, "give a PowerLaw, Spectrum or ModeQuadrature")
    if spectrum.modes > _FEW_MODES:
        few = spectrum.compressed(_COMPRESSED_NODES)
        if 2 * few.nodes.size <= spectrum.modes:
            return few
    return spectrum.quadrature()


def as_spectrum(modes: PowerLaw | Spectrum | ModeQuadrature, argument: str) -> Spectrum:
    """Return the modes, one by one, that a simulation works with."""
    remedy = "give a Spectrum, or a PowerLaw with a finite number of modes"
    if isinstance(modes, PowerLaw):
        require(modes.modes < math.inf, argument, "infinitely many modes", remedy)
        return modes.spectrum()
    if isinstance(modes, ModeQuadrature):
        plain = bool(np.all(modes.weights == 1) and np.all(modes.target_weights >= 0))
        require(plain, argument, "a quadrature that is not the plain sum over modes", remedy)
        return Spectrum(modes.nodes, np.sqrt(modes.target_weights))
    return checks.instance(modes, argument, Spectrum, remedy)


def _reach(nodes: int) -> float:
    """Return the largest ``lambda z`` in a bin that reaches down to zero where interpolation resolves ``1/(1 + lambda z)``.

    With the pole at ``lambda = -1/z`` the error falls like ``rho^-n``, where ``(rho + 1/rho)/2 = 1 + 2 / (lambda z)``.
    """
    rho = math.pow(_LAST_BIN_ERROR, -1 / nodes)
    return 2 / ((rho + 1 / rho) / 2 - 1)


def _chebyshev(low: float, high: float, count: int) -> Array:
    """Return Chebyshev points of the first kind on [low, high], descending."""
    return np.asarray((low + high) / 2 + (high - low) / 2 * chebpts1(count)[::-1])


def _lagrange(nodes: Array, x: Array) -> Array:
    """Return the Lagrange polynomials of ``nodes`` at ``x``, shape (len(x), len(nodes))."""
    gaps = (nodes[:, None] - nodes[None, :]) / nodes[0]
    np.fill_diagonal(gaps, 1.0)
    distance = (x - nodes[:, None]) / nodes[0]
    # The product over all nodes before one and that over all after it: never divides by a distance that vanishes.
    before, after = np.ones_like(distance), np.ones_like(distance)
    np.cumprod(distance[:-1], axis=0, out=before[1:])
    np.cumprod(distance[:0:-1], axis=0, out=after[-2::-1])
    return np.asarray((before * after).T / np.prod(gaps, axis=1))
