"""Known modes with the power law that goes on behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import zeta

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import require
from neural_scaling.predict.estimate import Estimate
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum

__all__ = ["TailedModes", "extended"]

_PER_BIN = 10  # nodes for each factor of two of the eigenvalues: losses to 1e-6
_FEW = 64  # known modes that are kept one by one
_SUMMED = 4096
#: Modes of a tail whose eigenvalues have no finite sum.
_LAST_MODE = 1e12


@dataclass(frozen=True, eq=False)
class TailedModes(ArrayValue):
    """Modes of which the first are known one by one and the others follow powers of their number."""

    # Quadrature over the known modes: nodes, weights of the plain sum and of that with (w*_k)^2, each of shape (K,).
    nodes: Array
    weights: Array
    squares: Array
    first: int  # mode that is not known
    # From there on the eigenvalue is scale k^-capacity, the power lambda_k (w*_k)^2 amplitude k^-(capacity source + 1).
    capacity: float
    source: float
    scale: float
    amplitude: float
    last: float = math.inf  # mode of the tail
    noise: float = 0.0  # variance of the targets that no mode holds

    def __post_init__(self) -> None:
        known = ModeQuadrature(self.nodes, self.weights, self.squares)
        checks.keep(self, nodes=known.nodes, weights=known.weights, squares=known.target_weights)
        checks.keep_each(self, checks.whole, "first")
        checks.keep_each(self, checks.require_positive, "capacity", "source", "scale", "amplitude")

    @classmethod
    def of(cls, eigenvalues: Array, power: Array, tail: tuple[float, float, float, float]) -> TailedModes:
        """Return known modes in any order, with capacity, source, scale and amplitude of the tail.

        Estimates of modes with little target may be negative; the mode before pays for them, so that no sum of later modes is.
        """
        order = np.argsort(-eigenvalues, kind="stable")
        values, squares = eigenvalues[order], _paid(power[order]) / eigenvalues[order]
        if values.size <= _FEW:
            return cls(values, np.ones(values.size), squares, values.size + 1, *tail)
        few = Spectrum(values, np.sqrt(squares)).compressed(_PER_BIN)
        return cls(few.nodes, few.weights, few.target_weights, values.size + 1, *tail)

    @property
    def loss(self) -> float:
        """Loss of the untrained model: power of all modes."""
        return float(self.squares @ self.nodes) + self.tail_power

    @property
    def tail_power(self) -> float:
        """Power of all modes behind the known ones."""
        return self._power_to(self._last)

    def _power_to(self, last: float) -> float:
        exponent = self.capacity * self.source + 1
        behind = 0.0 if last == math.inf else zeta(exponent, last + 1)
        return max(0.0, float(self.amplitude * (zeta(exponent, self.first) - behind)))

    @property
    def _last(self) -> float:
        return self.last if self.capacity > 1 else min(self.last, _LAST_MODE)

    def within(self, variance: float, noise: float = 0.0) -> TailedModes:
        """Return the modes with a tail that ends where the variance left to it is used up; what the tail leaves is noise.

        The variance is that of the targets less the power of known modes, infinite where it is not known; at least ``noise`` of
        it is noise.
        """
        if variance == math.inf:
            return self
        left = max(0.0, variance - noise)
        if self.tail_power <= left:
            return replace(self, noise=noise + left - self.tail_power)
        low, high = math.log(self.first), math.log(min(self._last, _LAST_MODE))
        if self._power_to(self.first) >= left:
            return replace(self, last=float(self.first - 1), noise=noise + left)
        if self._power_to(math.exp(high)) <= left:
            return replace(self, noise=noise)
        end = brentq(lambda x: self._power_to(math.exp(x)) - left, low, high, xtol=1e-6)
        return replace(self, last=float(math.floor(math.exp(end))), noise=noise)

    def quadrature(self, horizon: float, nodes_per_bin: int = _PER_BIN) -> tuple[ModeQuadrature, NDArray[np.bool_]]:
        """Return nodes and weights that resolve the dynamics to an effective time, and which nodes are of the tail."""
        horizon = checks.require_positive(horizon, "horizon")
        if self.last < self.first:
            return ModeQuadrature(self.nodes, self.weights, self.squares), np.zeros(self.nodes.size, bool)
        law = PowerLaw(self.capacity, self.source, self._last)
        tail = law.tail(self.first, horizon * self.scale, nodes_per_bin, _SUMMED)
        nodes = np.concatenate([self.nodes, tail.nodes * self.scale])
        order = np.argsort(-nodes, kind="stable")  # an estimated tail may begin above the last known modes
        plain = np.concatenate([self.weights, tail.weights])
        squares = np.concatenate([self.squares, tail.target_weights * self.amplitude / self.scale])
        behind = np.arange(nodes.size) >= self.nodes.size
        found = ModeQuadrature(nodes[order], plain[order], squares[order], tail.horizon / self.scale)
        return found, behind[order]


def _paid(power: Array) -> Array:
    if np.all(power >= 0):
        return power
    found, debt = np.zeros_like(power), 0.0
    for number in range(power.size - 1, -1, -1):
        debt += power[number]
        if debt > 0:
            found[number], debt = debt, 0.0
    return found


def extended(estimate: Estimate, horizon: float) -> ModeQuadrature:
    """Return the known modes of an estimate with its power-law tail, as the solvers of :mod:`neural_scaling.dmft` take them.

    Parameters
    ----------
    estimate
        Of a spectrum or a kernel.
    horizon
        Largest effective time, eta * steps times the growth of the kernel, to be resolved.

    Returns
    -------
    ModeQuadrature

    Raises
    ------
    InputError
        If the horizon is not positive, or the target has no tail of finite variance.
    """
    return tailed(estimate).quadrature(horizon)[0]


def tailed(estimate: Estimate) -> TailedModes:
    """Return the modes of an estimate."""
    estimate = checks.instance(estimate, "estimate", Estimate, "give what estimate_spectrum or estimate_kernel returns")
    problem = f"its source is {estimate.source:.3g}, and a tail of that source has infinite variance"
    require(estimate.source > 0, "estimate", problem, "give more modes or samples, or another window")
    tail = (estimate.capacity, estimate.source, estimate.scale, estimate.amplitude)
    found = TailedModes.of(estimate.eigenvalues, estimate.power, tail)
    return found.within(estimate.variance - float(estimate.power.sum()), estimate.noise_interval[0])
