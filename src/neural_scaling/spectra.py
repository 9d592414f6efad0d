"""Kernel spectra, target coefficients and quadrature over modes.

Every theoretical quantity of the model is a sum over the modes k of the infinite-width kernel, either
``sum_k g(lambda_k)`` or ``sum_k (w*_k)^2 g(lambda_k)``, of functions ``g`` that are smooth in the eigenvalue
``lambda_k`` and vanish at ``lambda = 0``. A :class:`ModeQuadrature` holds nodes and the two sets of weights; the
plain sum over all modes of a :class:`Spectrum` is the quadrature whose nodes are the eigenvalues themselves.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.polynomial.chebyshev import chebpts1
from numpy.polynomial.legendre import leggauss
from scipy.special import roots_jacobi

from neural_scaling.checks import require, require_positive

Array = npt.NDArray[np.float64]

#: Beyond this mode number a bin is summed as an integral (midpoint Euler-Maclaurin, relative error below 1e-9).
_LARGEST_SUMMED_MODE = 1 << 17
_EXACT_MODES = 32
_BIN_RATIO = 2.0
_NODES_PER_BIN = 12


@dataclass(frozen=True)
class ModeQuadrature:
    """Nodes and weights with ``sum_k g(lambda_k) ~ weights @ g(nodes)`` for smooth ``g`` with ``g(0) = 0``.

    Attributes
    ----------
    nodes
        Eigenvalues at which ``g`` is evaluated, shape (K,), descending, positive.
    weights
        Weights of the plain sum over modes, shape (K,).
    target_weights
        Weights of ``sum_k (w*_k)^2 g(lambda_k)``, shape (K,).
    """

    nodes: Array
    weights: Array
    target_weights: Array

    @property
    def initial_loss(self) -> float:
        """Loss of the untrained model, ``sum_k lambda_k (w*_k)^2`` (eq. 5 at w = 0)."""
        return float(self.target_weights @ self.nodes)

    @property
    def trace(self) -> float:
        """Trace of the kernel, ``sum_k lambda_k``."""
        return float(self.weights @ self.nodes)


@dataclass(frozen=True)
class Spectrum:
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
        eigenvalues = np.asarray(self.eigenvalues, dtype=np.float64)
        target = np.asarray(self.target, dtype=np.float64)
        require(
            eigenvalues.ndim == 1 and eigenvalues.size > 0,
            "eigenvalues",
            f"shape {eigenvalues.shape}",
            "give a one-dimensional array with at least one mode",
        )
        require(
            target.shape == eigenvalues.shape,
            "target",
            f"shape {target.shape} does not match eigenvalues {eigenvalues.shape}",
            "give one coefficient per mode",
        )
        require(
            bool(np.all(np.isfinite(eigenvalues))),
            "eigenvalues",
            "NaN or infinity in the spectrum",
            "remove the modes that are not finite",
        )
        require(bool(np.all(np.isfinite(target))), "target", "NaN or infinity", "remove what is not finite")
        require(
            bool(np.all(eigenvalues > 0)),
            "eigenvalues",
            "zero or negative value",
            "drop modes of zero variance: no step can learn them",
        )
        require(
            bool(np.all(np.diff(eigenvalues) <= 0)),
            "eigenvalues",
            "not in descending order",
            "sort eigenvalues and target together, largest first",
        )
        object.__setattr__(self, "eigenvalues", eigenvalues)
        object.__setattr__(self, "target", target)

    @property
    def modes(self) -> int:
        """Number of modes M."""
        return int(self.eigenvalues.size)

    def quadrature(self) -> ModeQuadrature:
        """Return the plain sum over all modes, exact, K = M."""
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

        Returns
        -------
        ModeQuadrature

        Raises
        ------
        InputError
            If the number of nodes is out of range.
        """
        require(2 <= nodes_per_bin <= 40, "nodes_per_bin", f"got {nodes_per_bin!r}", "give 2 to 40 nodes")
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
        require_positive(self.alpha, "alpha", "the capacity exponent must be a positive finite number")
        require_positive(self.beta, "beta", "the source exponent must be a positive finite number")
        require(
            self.modes == math.inf or (self.modes >= 1 and self.modes == int(self.modes)),
            "modes",
            f"got {self.modes!r}",
            "give a positive whole number, or math.inf",
        )
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
            Largest effective time, in units of eta * steps times the growth of the kernel, that must be resolved.
        nodes_per_bin
            Nodes for each factor of two of the eigenvalues. Relaxed losses come out to 1e-9 with 12 and to 1e-5 with 8, which is
            enough for a log-spaced grid of times.

        Returns
        -------
        ModeQuadrature
            32 nodes and ``nodes_per_bin`` for each factor of two of the horizon. For M up to the number of exact modes it is
            the plain sum.

        Raises
        ------
        InputError
            If ``horizon`` is not positive and finite, or there are fewer than two nodes in a bin.
        """
        require_positive(horizon, "horizon", "give the largest eta * steps * kernel growth to be resolved")
        require(nodes_per_bin >= 2, "nodes_per_bin", f"got {nodes_per_bin!r}", "give at least two nodes")
        if self.modes <= 2 * _EXACT_MODES:
            return self.spectrum().quadrature()
        last = min(self.modes, float(_EXACT_MODES))
        exact = PowerLaw(self.alpha, self.beta, int(last)).spectrum().quadrature()
        nodes, weights, targets = [exact.nodes], [exact.weights], [exact.target_weights]
        first = int(last) + 1
        while first <= self.modes:
            next_first = math.ceil(first * _BIN_RATIO ** (1 / self.alpha))
            closing = first**-self.alpha * horizon <= 1 or next_first > self.modes
            stop = self.modes + 1 if closing else float(next_first)
            lowest = 0.0 if stop == math.inf else (stop - 1) ** -self.alpha
            bin_nodes = _chebyshev(lowest, first**-self.alpha, nodes_per_bin)
            nodes.append(bin_nodes)
            # Interpolating g/lambda builds g(0) = 0 in, which the infinite tail needs to converge.
            weights.append(self._moments(first, stop, bin_nodes, -self.alpha) / bin_nodes)
            targets.append(self._moments(first, stop, bin_nodes, -self.alpha * self.beta - 1) / bin_nodes)
            if closing:
                break
            first = next_first
        return ModeQuadrature(np.concatenate(nodes), np.concatenate(weights), np.concatenate(targets))

    def _moments(self, first: int, stop: float, nodes: Array, power: float) -> Array:
        """Return ``sum_{first <= k < stop} k^power ell_j(k^-alpha)`` for the Lagrange polynomials of ``nodes``."""
        summed = min(stop, max(first, _LARGEST_SUMMED_MODE))
        k = np.arange(first, summed, dtype=np.float64)
        total = k**power @ _lagrange(nodes, k**-self.alpha)
        if summed < stop:
            total = total + self._integral(summed - 0.5, stop - 0.5, nodes, power)
        return total

    def _integral(self, low: float, high: float, nodes: Array, power: float) -> Array:
        """Return the integral of ``k^power ell_j(k^-alpha)`` over ``low < k < high``."""
        if high == math.inf:
            # With x = k^-alpha the integrand is x^c times a polynomial: Gauss-Jacobi is exact.
            end = low**-self.alpha
            exponent = -(power + 1) / self.alpha - 1
            x, w = roots_jacobi(nodes.size, 0.0, exponent)
            x, w = (x + 1) / 2, w / 2 ** (exponent + 1)
            return np.asarray((w * end ** (exponent + 1) / self.alpha) @ _lagrange(nodes, x * end))
        x, w = leggauss(64)
        log_k = (math.log(high) + math.log(low)) / 2 + x * (math.log(high) - math.log(low)) / 2
        k = np.exp(log_k)
        jacobian = w * k * (math.log(high) - math.log(low)) / 2
        return np.asarray((jacobian * k**power) @ _lagrange(nodes, k**-self.alpha))


def _chebyshev(low: float, high: float, count: int) -> Array:
    """Return Chebyshev points of the first kind on [low, high], descending."""
    return np.asarray((low + high) / 2 + (high - low) / 2 * chebpts1(count)[::-1])


def _lagrange(nodes: Array, x: Array) -> Array:
    """Return the Lagrange polynomials of ``nodes`` at ``x``, shape (len(x), len(nodes))."""
    gaps = (nodes[:, None] - nodes[None, :]) / nodes[0]
    np.fill_diagonal(gaps, 1.0)
    distance = (x[:, None] - nodes[None, :]) / nodes[0]
    # Products over all other nodes, formed one by one: never divides by a distance that vanishes.
    result = np.ones_like(distance)
    for j in range(nodes.size):
        others = np.delete(np.arange(nodes.size), j)
        result[:, j] = np.prod(distance[:, others] / gaps[j, others], axis=1)
    return np.asarray(result)
