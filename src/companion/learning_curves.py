"""Learning curves of networks: seeds, the kernel beside them, a window and an exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from scipy.integrate import cumulative_trapezoid

from companion.claims.measurement import SLOPE, Measurement
from neural_scaling.base.arrays import Array
from neural_scaling.fits import Window, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.runs import Result


@dataclass(frozen=True)
class LearningCurve:
    """What a run of networks has recorded, from step 1 on."""

    # step, loss: recorded steps, shape (R,), and losses, shape (seeds, R)
    step: Array
    loss: Array
    growth: Array  # trace of the tangent kernel over its first value, mean over seeds, shape (R,)
    sharpness: Array  # eta_0 times the largest eigenvalue of the kernel, mean over seeds, shape (R,)
    diverged: float  # first step at which a seed diverged, or infinity

    @property
    def mean(self) -> Array:
        """Loss, mean over seeds, shape (R,)."""
        return np.asarray(self.loss.mean(axis=0))

    def at(self, step: float) -> float:
        """Return the mean loss at a step between those recorded."""
        return float(np.exp(np.interp(math.log(step), np.log(self.step), np.log(self.mean))))

    def draw(self, axes: Axes, color: str, label: str) -> None:
        """Draw the mean loss against steps, in a band from the smallest to the largest of the seeds."""
        axes.loglog(self.step, self.mean, color=color, label=label)
        ends = self.loss.min(axis=0), self.loss.max(axis=0)
        axes.fill_between(self.step, *ends, color=color, alpha=0.2, linewidth=0)

    def clock(self) -> Array:
        """Return the time on the clock of the growing kernel, ``int K/K(0) dt`` in steps, shape (R,)."""
        return np.asarray(self.step[0] + cumulative_trapezoid(self.growth, self.step, initial=0))

    def last_finite(self) -> float:
        """Return the last recorded step before the divergence; without one, the last."""
        if math.isinf(self.diverged):
            return float(self.step[-1])
        return float(self.step[max(int(np.searchsorted(self.step, self.diverged)) - 1, 0)])

    def slopes(self, first: float, last: float) -> Array:
        """Return the exponent of each seed between two steps, shape (seeds,); NaN where too few losses are finite."""
        inside = self.inside(first, last)
        if np.count_nonzero(inside) < 3 or not np.all(np.isfinite(self.loss[:, inside])):
            return np.full(self.loss.shape[0], math.nan)
        return np.array([fit_power_law(self.step[inside], one[inside]).exponent for one in self.loss])

    def inside(self, first: float, last: float) -> npt.NDArray[np.bool_]:
        """Return which steps lie between two of them, these included, shape (R,)."""
        return (self.step >= first * (1 - 1e-9)) & (self.step <= last * (1 + 1e-9))

    def measure(self, window: Window) -> Measurement:
        """Return the exponent in a window, mean over seeds; its interval has their spread (Student) and the bend."""
        if window.empty:
            return Measurement.none(window.empty)
        exponents = self.slopes(*window.span)
        if not np.all(np.isfinite(exponents)):
            return Measurement.none("too few finite losses in the window")
        inside = self.inside(*window.span)
        bend = fit_power_law(self.step[inside], self.mean[inside]).curvature
        half = math.hypot(NORMAL_95 * bend, Measurement.mean_of(exponents).half)
        return Measurement.around(float(exponents.mean()), half, window.span, SLOPE)


@dataclass(frozen=True)
class FittedCurve(LearningCurve):
    """A learning curve with its exponent."""

    window: Window  # where the exponent is fitted; no end of it looks at the loss
    measured: Measurement  # the exponent as measure returns it

    @property
    def fitted(self) -> bool:
        """Whether there is an exponent."""
        return self.measured.value is not None

    @property
    def exponent(self) -> float:
        """Mean over seeds; NaN without a window."""
        return math.nan if self.measured.value is None else self.measured.value

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the mean slope in the window; NaN without a window."""
        return self.measured.interval or (math.nan, math.nan)


def bend(binned: Array, window: tuple[float, float]) -> Measurement:
    """Return by how much the exponent changes from the first to the last bin of a curve, from a parabola in log-log.

    Bins are those of :func:`binned_means`. Errors are raised as far as the parabola misses them by more than they allow.
    """
    time, loss, error = binned
    x, y, weight = np.log(time), np.log(loss), loss / error
    coefficients, covariance = np.polyfit(x, y, 2, w=weight, cov="unscaled")
    missed = float(np.sum((weight * (y - np.polyval(coefficients, x))) ** 2)) / max(x.size - 3, 1)
    factor = -2 * (x[-1] - x[0])
    half = NORMAL_95 * abs(factor) * math.sqrt(covariance[0, 0] * max(1.0, missed))
    value = float(factor * coefficients[0])
    return Measurement.of(value, (value - half, value + half), window)


def learning_curve(result: Result, eta: float) -> LearningCurve:
    """Return what a run has recorded."""
    arrays = result.arrays
    loss, trace, sharpness = (arrays[name].astype(np.float64) for name in ("loss", "trace", "sharpness"))
    growth = (trace / trace[:, :1]).mean(axis=0)[1:]
    sharp = eta * sharpness.mean(axis=0)[1:]
    return LearningCurve(arrays["step"][1:], loss[:, 1:], growth, sharp, float(arrays["diverged"].min()))
