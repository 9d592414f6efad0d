"""Learning curves of an estimated task with their bands, and the best use of compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.interpolate import CubicSpline, RectBivariateSpline
from scipy.special import stdtrit

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import require
from neural_scaling.fits import resampled_exponent
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.predict.estimate import Estimate
from neural_scaling.predict.runs import OwnDMFTRun, OwnFlowRun
from neural_scaling.predict.tail import TailedModes, tailed
from neural_scaling.runs import Result
from neural_scaling.theory import compute_optimum
from neural_scaling.theory.finite_size import lazy_loss, width_loss

_SEED = 20260101  # of the draws
_COMPUTED = 3e-4  # relative error of the curves themselves, by comparison with kernel_flow
_CLOSEST = 1e-3  # squared relative distance of eigenvalues below which vectors turn into each other altogether
_NOTHING = 1e-100  # of the first loss: what is below has ended
_LEAST_SOURCE = 0.02  # draws below have tails that never end
_TABLE_TIMES, _TABLE_WIDTHS, _TABLE_DRAWS = 24, 9, 8


@dataclass(frozen=True)
class Range:
    """A number with its 95 % interval and the window that it was found in."""

    value: float
    low: float
    high: float
    window: tuple[float, float] | None = None

    @classmethod
    def of(cls, value: float, draws: Array, window: tuple[float, float] | None = None) -> Range:
        """Return a positive number whose logarithm scatters as its draws do."""
        low, high = ends(np.array([value]), np.asarray(draws)[:, None])
        return cls(float(value), float(low[0]), float(high[0]), window)


def ends(values: Array, draws: Array, error: float = 0.0) -> tuple[Array, Array]:
    """Return the ends of 95 % intervals about positive values (R,), with a relative error of their own.

    The mean square distances of the logarithms of draws (D, R) above and below them count each for one side: modes that end in
    some draws leave next to nothing of a loss there.
    """
    apart = np.log(draws / values)
    below, above = (np.sqrt(2 * np.mean(np.maximum(one, 0) ** 2, axis=0) + error**2) for one in (-apart, apart))
    factor = float(stdtrit(len(draws), 0.975))
    return np.asarray(values * np.exp(-factor * below)), np.asarray(values * np.exp(factor * above))


@dataclass(frozen=True, eq=False)
class Curve(ArrayValue):
    """A learning curve in gradient flow, without the noise of the labels, at N, B -> infinity unless a loss says otherwise.

    Attributes
    ----------
    rich
        Whether features are learned.
    time
        eta * steps, shape (R,).
    loss, low, high
        Expected squared error and its 95 % band, shape (R,): at the width and batch that were asked for, the mean over draws of
        the initial weights and of the batches.
    growth
        Of the kernel's eigenvalues since the start, shape (R,).
    sharpness
        Largest eigenvalue of the kernel, shape (R,).
    tail
        Share of the loss in modes that are not known but continued by their power law, shape (R,).
    clock
        Time in which the modes decay, the integral of the growth, shape (R,).
    draws
        Losses of the draws that the band was made of, shape (D, R), at the same width and batch.
    draw_noise
        Variance of the targets that no mode holds, of the estimate and then of the draws, shape (1 + D,).
    draw_sharpness, draw_clock
        Of the draws, shape (D, R).
    """

    rich: bool
    time: Array
    loss: Array
    low: Array
    high: Array
    growth: Array
    sharpness: Array
    tail: Array
    clock: Array
    draws: Array
    draw_noise: Array
    draw_sharpness: Array
    draw_clock: Array

    @classmethod
    def of(cls, result: Result, rich: bool) -> Curve:
        """Return the curve of a run whose first draw is the estimate."""
        arrays = result.arrays
        each = np.maximum(arrays["loss"], _NOTHING * arrays["loss"][:, :1])
        loss, draws = each[0], each[1:]
        low, high = ends(loss, draws, _COMPUTED)
        return cls(
            rich,
            arrays["time"],
            loss,
            low,
            high,
            arrays["scale"][0],
            arrays["sharpness"][0],
            arrays["parts"][0],
            arrays["clock"][0],
            draws,
            arrays["noise"],
            arrays["sharpness"][1:],
            arrays["clock"][1:],
        )

    def measured(self) -> tuple[Array, Array, Array]:
        """Return what a measurement of the loss would see, with the noise of the targets, and its 95 % band, shape (R,) each."""
        seen = self.loss + self.draw_noise[0]
        return seen, *ends(seen, self.draws + self.draw_noise[1:, None], _COMPUTED)

    def exponent(self, window: tuple[float, float]) -> Range:
        """Return the mean exponent of the loss between two times; its interval holds the draws and the bend of the curve."""
        window = checks.interval(window, "window", above=0.0)
        value, error = resampled_exponent(self.time, self.loss, window, self.draws)
        return Range(value, value - NORMAL_95 * error, value + NORMAL_95 * error, window)

    def rests_on_tail(self, share: float) -> float | None:
        """Return the first time from which on more than a share of the loss lies in modes that are not known."""
        over = np.flatnonzero(self.tail > checks.real(share, "share", least=0.0, most=1.0))
        return float(self.time[over[0]]) if over.size else None

    def edge(self, eta: float) -> float | None:
        """Return the first time at which ``eta`` times the sharpness is 2, or None."""
        over = np.flatnonzero(checks.require_positive(eta, "eta") * self.sharpness >= 2)
        return float(self.time[over[0]]) if over.size else None


@dataclass(frozen=True, eq=False)
class BestUse(ArrayValue):
    """The width and the time that make the loss smallest at given compute ``C = N t``, t in eta * steps.

    Attributes
    ----------
    rich
        Whether features are learned.
    compute
        Budgets, shape (C,).
    width, time, loss
        Optimum with its 95 % interval, shape (C, 3): value, low, high. NaN where it lies outside of what was computed.
    loss_exponent, width_exponent
        ``L* ~ C^-r`` and ``N* ~ C^a`` of the theory for late times (Table 1, infinite batch), None where the capacity is below 1.
    """

    rich: bool
    compute: Array
    width: Array
    time: Array
    loss: Array
    loss_exponent: Range | None
    width_exponent: Range | None


def _lost_to_width(modes: TailedModes, clock: Array, width: float) -> Array:
    quadrature, _ = modes.quadrature(4 * float(clock[-1]), 5)
    return np.maximum(width_loss(quadrature, width, clock, 16, 8) - lazy_loss(quadrature, clock), 0)


def drawn(estimate: Estimate, count: int) -> list[TailedModes]:
    """Return the modes of an estimate and then as many draws of what they might be.

    Exponents are drawn from their joint normal law, and levels of both tails in the middle of the window, with the scatter of the
    modes there. A tail ends where the variance of the targets is used up. On P samples variances along modes scatter by
    ``sqrt(2/P)`` and coefficients before the window by what leaks into them. From the window on modes follow the law that is
    drawn, and scatter about it as they do.
    """
    random = np.random.default_rng(_SEED)
    center = tailed(estimate)
    exponents = random.multivariate_normal(
        [estimate.capacity, estimate.source], estimate.covariance, size=count, method="eigh"
    )
    k = np.arange(1, estimate.eigenvalues.size + 1, dtype=np.float64)
    first, last = estimate.window[0], min(estimate.window[1], float(k[-1]))
    inside = (k >= first) & (k <= last)
    middle = math.log(math.sqrt(first * last))
    slope = estimate.capacity * estimate.source + 1
    level_errors = [
        _level_error(values[inside] * k[inside] ** power / level)
        for values, power, level in (
            (estimate.eigenvalues, estimate.capacity, estimate.scale),
            (estimate.power, slope, estimate.amplitude),
        )
    ]
    law = estimate.amplitude * k**-slope
    scatter = _scatter(estimate.power / law, k)
    found = [center]
    for capacity, source in exponents:
        capacity = max(capacity, 0.5 * estimate.capacity)
        source = max(source, _LEAST_SOURCE)
        lift = random.standard_normal(2) * level_errors
        scale = estimate.scale * math.exp(lift[0] + (capacity - estimate.capacity) * middle)
        amplitude = estimate.amplitude * math.exp(lift[1] + (capacity * source + 1 - slope) * middle)
        tail = (float(capacity), float(source), scale, amplitude)
        if estimate.samples is None:
            known = (center.nodes, center.weights, center.squares, center.first)
            found.append(TailedModes(*known, *tail))
            continue
        found.append(_sampled(estimate, center, k, law, scatter, tail, random))
    return found


def _sampled(
    estimate: Estimate,
    center: TailedModes,
    k: Array,
    law: Array,
    scatter: Array,
    tail: tuple[float, float, float, float],
    random: np.random.Generator,
) -> TailedModes:
    """Draw the known modes of a kernel on samples."""
    samples, positive = estimate.samples or 1, np.maximum(estimate.power, 0)
    capacity, source, scale, amplitude = tail
    normal = random.standard_normal((2, k.size))
    share = np.exp(math.sqrt(2 / samples) * normal[0])  # variance of a feature on the samples, which its power shares
    inside = k >= estimate.window[0]
    error = np.zeros(k.size)
    unknown = center.tail_power + max(estimate.noise, 0)
    error[~inside] = _leaked(estimate.eigenvalues, positive, unknown, int(np.count_nonzero(~inside))) / samples
    alone = (np.sqrt(positive) + np.sqrt(error) * normal[1]) ** 2 - error
    follow = estimate.power + law * np.sqrt(scatter) * normal[1]
    tilt = amplitude * k ** -(capacity * source + 1) / law
    turn = scale * k**-capacity / (estimate.scale * k**-estimate.capacity)
    power = np.where(inside, follow * tilt, alone)
    found = TailedModes.of(estimate.eigenvalues * share * np.where(inside, turn, 1), share * power, tail)
    # What the first modes are drawn too large by has leaked between them: many times what the tail holds, and not taken from it.
    known = min(float(power.sum()), float(estimate.power.sum()))
    return found.within(estimate.variance - known, estimate.noise_interval[0])


def _leaked(values: Array, power: Array, rest: float, count: int) -> Array:
    """Return P times the variance that other modes give the coefficients of the first ones, to first order in 1/P.

    On samples the products of two features have the mean squares 1/P, and turn the vector of a mode k towards a mode j so that in
    all ``lambda_k / (lambda_k - lambda_j)`` of its coefficient is seen. What is not known is far below.
    """
    apart = 1 - values / values[:count, None]
    np.fill_diagonal(apart, np.inf)
    return np.asarray((power / np.maximum(apart**2, _CLOSEST)).sum(axis=1) + rest)


def _scatter(ratio: Array, k: Array) -> Array:
    """Return the mean square distance from 1 of ratios in octaves of the mode number."""
    octave = np.log2(k).astype(int)
    sums = np.bincount(octave, (ratio - 1) ** 2) / np.maximum(np.bincount(octave), 1)
    return np.asarray(sums[octave])


def _level_error(ratio: Array) -> float:
    return float(np.std(ratio) / math.sqrt(max(ratio.size, 1)))


def times(modes: TailedModes, until: float | None) -> tuple[float, float]:
    """Return the first and the last time of a forecast: by default ten times that of the last known mode."""
    last = modes.scale * (modes.first - 1) ** -modes.capacity
    begin = 0.1 / float(modes.nodes[0])
    remedy = f"give a later one: the curves begin at {begin:.3g}, a tenth of one over the largest eigenvalue"
    require(until is None or until > begin, "until", f"got {until}", remedy)
    return begin, max(10 / last, 100 * begin) if until is None else until


def run_of(problem: str, draws: Sequence[TailedModes], gamma: float, until: float | None, points: int) -> OwnFlowRun:
    """Return the run of the curves of a problem."""
    begin, end = times(draws[0], until)
    return OwnFlowRun(problem, gamma, end, begin, points, len(draws))


def at_size(curve: Curve, result: Result, draws: Sequence[TailedModes], width: float) -> Curve:
    """Return the curve at the width and batch of a run of mean field theory of the estimate.

    A draw gets from width what its frozen features lose in the clock of its kernel, and the rest as a factor, that of the
    estimate: the noise of SGD is nearly proportional to the loss itself, and so is what the clock leaves out.
    """
    solution, log_time = result.arrays, np.log(curve.time)
    flow, losses = CubicSpline(log_time, np.log(curve.loss)), np.stack([curve.loss, *curve.draws])
    inside = (solution["time"] > 0) & (solution["time"] <= curve.time[-1] * (1 + 1e-9))
    there = np.maximum(np.log(solution["time"][inside]), log_time[0])
    ratio = np.log(np.maximum(solution["loss"][inside], _NOTHING * curve.loss[0])) - flow(there)
    loss = curve.loss * np.exp(CubicSpline(np.log(solution["time"][inside]), ratio)(log_time))
    if width < math.inf:
        clocks = np.stack([curve.clock, *curve.draw_clock])
        losses = losses + [_lost_to_width(*one, width) for one in zip(draws, clocks, strict=True)]
    each = losses[1:] * (loss / losses[0])
    error = math.hypot(_COMPUTED, float(solution["error"].max()))
    low, high = ends(loss, each, error)
    return replace(curve, loss=loss, low=low, high=high, draws=each)


def sized_run_of(run: OwnFlowRun, curve: Curve, eta: float, width: float, batch: float) -> OwnDMFTRun:
    """Return the run of a curve at finite width or batch; the learning rate sets the noise of batches alone."""
    horizon = 4 * float(curve.clock[-1])
    return OwnDMFTRun(run.problem, run.gamma, run.end, horizon, eta if batch < math.inf else 1.0, width, batch)


def allocate(draws: Sequence[TailedModes], curves: Sequence[Curve], budgets: Sequence[float] | None) -> list[BestUse]:
    """Return the optimum of each curve.

    At frozen features the loss at width N is the mean field solution. With feature learning what finite width adds is that of
    frozen features in the clock of the growing kernel, which is within 4 % of the loss of the mean field solution
    (``tests/predict/test_forecast.py``).
    """
    tables = [_Table.of(modes, curves) for modes in draws[: _TABLE_DRAWS + 1]]
    return [_allocation(tables, draws, curve, budgets) for curve in curves]


@dataclass(frozen=True)
class _Table:
    """What finite width adds to the loss, over widths and the clock."""

    log_width: Array
    log_clock: Array
    added: Array

    @classmethod
    def of(cls, modes: TailedModes, curves: Sequence[Curve]) -> _Table:
        last = max(float(max(curve.clock[-1], curve.draw_clock[:, -1].max())) for curve in curves)
        clock = np.geomspace(curves[0].time[0], last, _TABLE_TIMES)
        width = np.geomspace(2, 10 * modes.first, _TABLE_WIDTHS)
        quadrature, _ = modes.quadrature(4 * last, 5)
        infinite = lazy_loss(quadrature, clock)
        least = _NOTHING * infinite[0]  # interpolated modes leave rounding of either sign where they end
        both = [np.maximum(width_loss(quadrature, float(one), clock, 8, 4), least) for one in width]
        found = both / np.maximum(infinite, least)
        return cls(np.log(width), np.log(clock), np.log(np.maximum(found, 1)))

    def losses(self, time: Array, infinite: Array, clock: Array, modes: TailedModes) -> RectBivariateSpline:
        """Return the logarithm of the loss over log width and log time."""
        ratio = RectBivariateSpline(self.log_width, self.log_clock, self.added)
        quadrature, _ = modes.quadrature(4 * float(clock[-1]), 5)
        lazy = np.maximum(lazy_loss(quadrature, clock), _NOTHING * modes.loss)
        added = lazy * np.expm1(np.maximum(ratio(self.log_width, np.log(clock)), 0))
        return RectBivariateSpline(self.log_width, np.log(time), np.log(infinite + added))


def _allocation(
    tables: Sequence[_Table], draws: Sequence[TailedModes], curve: Curve, budgets: Sequence[float] | None
) -> BestUse:
    losses = [curve.loss, *curve.draws[:_TABLE_DRAWS]]
    clocks = [curve.clock, *curve.draw_clock[:_TABLE_DRAWS]]
    splines = [
        table.losses(curve.time, loss, clock, modes)
        for table, loss, clock, modes in zip(tables, losses, clocks, draws, strict=False)
    ]
    widths = tables[0].log_width
    ends = (float(widths[0]), float(widths[-1])), (math.log(curve.time[0]), math.log(curve.time[-1]))
    if budgets is None:
        candidates = np.linspace(ends[0][0] + ends[1][0], ends[0][1] + ends[1][1], 61)
        good = [one for one in candidates if np.isfinite(_optimum(splines[0], one, ends)[0])]
        budgets = [math.exp(good[int(share * (len(good) - 1))]) for share in (0.2, 0.5, 0.8)] if good else []
    rows = []
    for budget in budgets:
        value, *others = (np.array(_optimum(spline, math.log(budget), ends)) for spline in splines)
        drawn_logs = np.array([one for one in others if np.all(np.isfinite(one))])
        half = np.full(3, math.nan)
        if len(drawn_logs) == len(others):
            half = stdtrit(len(others), 0.975) * np.sqrt(np.mean((drawn_logs - value) ** 2, axis=0))
        rows.append(np.exp(np.array([value, value - half, value + half])).T)
    table = np.array(rows).reshape(-1, 3, 3)
    return BestUse(
        curve.rich,
        np.array(list(budgets), dtype=np.float64),
        table[:, 0],
        table[:, 1],
        table[:, 2],
        *_late(draws, curve.rich),
    )


def _optimum(
    spline: RectBivariateSpline, log_compute: float, ends: tuple[tuple[float, float], tuple[float, float]]
) -> tuple[float, float, float]:
    """Return log N, log t and log L of the smallest loss, NaN where it lies at an end of the table."""
    low = max(ends[0][0], log_compute - ends[1][1])
    high = min(ends[0][1], log_compute - ends[1][0])
    nothing = (math.nan, math.nan, math.nan)
    if high <= low:
        return nothing
    log_width = np.linspace(low, high, 400)
    values = spline(log_width, log_compute - log_width, grid=False)
    best = int(np.argmin(values))
    if best in (0, values.size - 1):
        return nothing
    return float(log_width[best]), float(log_compute - log_width[best]), float(values[best])


def _late(draws: Sequence[TailedModes], rich: bool) -> tuple[Range | None, Range | None]:
    """Return the exponents of Table 1 with the scatter of capacity and source."""
    if min(one.capacity for one in draws) <= 1:
        return None, None
    found = [compute_optimum(one.capacity, one.source, rich, finite_batch=False) for one in draws]
    return tuple(  # type: ignore[return-value]
        Range.of(values[0], np.array(values[1:])) for values in ([one.r for one in found], [one.a for one in found])
    )
