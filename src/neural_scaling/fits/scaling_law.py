"""Scaling laws of a loss in model size and data or time: joint fits with intervals, and the allocation that follows.

Points come from training runs; those of one run share its noise, so runs and not points are resampled and left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, stdtrit

from neural_scaling.base.checks import array, choice, require, require_positive
from neural_scaling.base.checks import seed as check_seed
from neural_scaling.fits._powers import LEAST_CAPACITY, Form, Law
from neural_scaling.fits._runs import FEWEST_SIZES, RESOLVED, Best, Runs, Written, check_resamples, draw
from neural_scaling.fits.offset import LARGEST_EXPONENT, LEAST_EXPONENT
from neural_scaling.fits.power_law import NORMAL_95, FloatArray
from neural_scaling.theory.compute_optimal import minimise_affine
from neural_scaling.theory.loss_law import PowerTerm, Version, loss

_EDGE = 1 + 1e-6
_ABSENT = 0.01  # of the scatter: what a term changes less than this anywhere is none
_FALSE_ALARMS = 0.05  # of the test of the law
_PARTS = 6  # of log D, in which residuals of a run are told apart
_ENOUGH = 9  # runs of three sizes
_ENUMERATED = 12  # signs, of which there are 4096 choices
_BEYOND = 1e3  # times the range of the points in which an optimum is looked for


@dataclass(frozen=True, eq=False)
class ScalingLawFit(Written):
    """Joint fit of a sum of powers to losses of training runs.

    Attributes
    ----------
    law
        ``"chinchilla"``: ``E + A N^-a + B D^-b``; ``"time"``: ``E + B D^-b``; ``"lazy"`` and ``"rich"``: the terms of
        :func:`~neural_scaling.theory.loss_terms` at free capacity ``alpha`` and source ``beta``, each with a prefactor, and a
        floor.
    version
        Of the exponents of ``"lazy"`` and ``"rich"``, as in :func:`~neural_scaling.theory.loss_terms`.
    names
        Exponents (``a`` and ``b``, or ``alpha`` and ``beta``), then the terms, ``floor`` first.
    values
        Best exponents and prefactors in the units of N, D and L, shape (P,).
    intervals
        95 % intervals, shape (P, 2): percentiles of fits to runs drawn again with replacement, however noise goes together along
        a run. For few runs they are taken as far out as Student's quantile is (0.5 % of six runs, 2.5 % of many) and
        stretched by ``sqrt(m / (m - 1))``, for m runs of each size with m - 1 degrees of freedom each, or where sizes have no
        two runs for all of them with one degree of freedom less. Where more of
        the fits end at a bound (exponents 1e-3 and 10, no prefactor) an interval is open (0 or infinity; 1 for the capacity).
    lack_of_fit
        Probability that runs of neighbouring sizes miss the law as much alike as they do, if they only differ by noise of their
        own that is as likely up as down: at 0.05 or less a warning says that the law does not describe the points. Six runs or
        so show only what all sizes miss in common. It is 1 where nothing that numbers resolve is missed.
    covariance
        Of the exponents, in the order of ``names``, over the runs drawn again.
    resampled
        Exponents and logarithms of the prefactors in each of these fits, shape (R, P).
    terms
        The law with its prefactors.
    scatter
        Median size of the residuals in log loss.
    points, runs, sizes
        Their numbers.
    starts, agreeing
        Number of starts (on this side of the kinks that the exponents of the theory have at beta = 1 and 2), and how many of them
        ended at the best optimum.
    span
        Least and largest N and D of the points, shape (2, 2).
    warnings
        What keeps an exponent from being identified, in sentences; none where nothing does.
    """

    law: Law
    version: Version
    names: tuple[str, ...]
    values: FloatArray
    intervals: FloatArray
    lack_of_fit: float
    covariance: FloatArray
    resampled: FloatArray
    terms: tuple[PowerTerm, ...]
    scatter: float
    points: int
    runs: int
    sizes: int
    starts: int
    agreeing: int
    span: FloatArray
    warnings: tuple[str, ...]

    _left_out: ClassVar = ("resampled", "terms")

    def __getitem__(self, name: str) -> float:
        """Return the value of a parameter."""
        return float(self.values[self.names.index(choice(name, "name", self.names))])

    def interval(self, name: str) -> tuple[float, float]:
        """Return the 95 % interval of a parameter.

        Parameters
        ----------
        name
            One of ``names``.

        Returns
        -------
        tuple of float

        Raises
        ------
        InputError
            If there is no such parameter.
        """
        low, high = self.intervals[self.names.index(choice(name, "name", self.names))].tolist()
        return low, high

    def draws(self, name: str) -> FloatArray:
        """Return an exponent in the fits to runs drawn again, spread out so that 95 % of them fill its interval, shape (R,).

        One factor spreads all: nearer to the best exponent the draws are a little too far apart, far out too near.

        Parameters
        ----------
        name
            Of an exponent.

        Raises
        ------
        InputError
            If there is no such exponent.
        """
        q = self.names.index(choice(name, "name", [one for one in ("a", "b", "alpha", "beta") if one in self.names]))
        free, factor = _widening(self.runs, self.sizes)
        factor *= float(stdtrit(free, 0.975)) / NORMAL_95
        return np.asarray(self.values[q] + (self.resampled[:, q] - self.values[q]) * factor)

    def loss(self, N: ArrayLike, D: ArrayLike, B: ArrayLike = math.inf) -> FloatArray:
        """Return the loss of the fitted law.

        Parameters
        ----------
        N, D, B
            Size, data or time, and batch, > 0, shapes that broadcast. Only a law with a term for it looks at the batch.

        Returns
        -------
        ndarray
            Of the broadcast shape.

        Raises
        ------
        InputError
            If one is not positive.
        """
        return loss(self.terms, array(D, "D", axes=None, above=0), array(N, "N", axes=None, above=0), B)

    def allocation(self, compute: ArrayLike, per: float = 1.0) -> Allocation:
        """Divide compute between size and data so that the fitted loss is least.

        Parameters
        ----------
        compute
            ``C = per * N * D``, > 0, shape (C,).
        per
            Operations for each parameter and datum: 1 in the paper, 6 for the training of transformers.

        Returns
        -------
        Allocation
            With intervals from the runs drawn again. The noise of batches is left out.

        Raises
        ------
        InputError
            If an argument is not positive, the law knows no size, or so little compute is far below that of all points.
        """
        per = require_positive(per, "per")
        budget = np.log(array(compute, "compute", above=0)) - math.log(per)
        require(self.law != "time", "law", "'time' knows no size", "fit one in N and D")
        form = Form(self.law, self.version, noisy=False)
        least = np.log(self.span[:, 0]) - math.log(_BEYOND)
        reach = budget - least.sum()
        remedy = f"give more than {per * math.exp(least.sum()):.3g}"
        require(bool(np.all(reach > 0)), "compute", "is far below that of all points", remedy)
        number, shapes = len(form.terms), len(form.exponent_names)
        with np.errstate(divide="ignore"):
            best = np.append(self.values[:shapes], np.log(self.values[shapes:]))
        fits = np.vstack([best, self.resampled])[:, : shapes + number]
        powers = form.exponents(fits[:, :shapes])[..., :2]
        constant = fits[:, shapes:] - powers @ least
        at = minimise_affine(
            -powers[..., 1].T[..., None], -powers[..., 0].T[..., None], constant.T[..., None], reach[None]
        )
        parts = {}
        found = ("N", at.log_width + least[0]), ("D", at.log_time + least[1]), ("L", at.log_loss), ("exponent", at.a)
        for name, values in found:
            back = np.asarray if name == "exponent" else np.exp
            parts[name] = back(values[0])
            parts[f"{name}_interval"] = back(_percentiles(values[1:], values[0], self.runs, self.sizes))
        at_best = zip((parts["N"], parts["D"]), self.span, strict=True)
        outside = [(one < low) | (one > high) for one, (low, high) in at_best]
        return Allocation(np.exp(budget) * per, **parts, extrapolated=outside[0] | outside[1])


@dataclass(frozen=True, eq=False)
class Allocation(Written):
    """Compute-optimal size, data and loss; arrays of shape (C,), intervals (95 %) of shape (C, 2).

    Attributes
    ----------
    compute
        Of the run.
    N, N_interval
        Best size.
    D, D_interval
        Best data or time.
    L, L_interval
        Loss there.
    exponent, exponent_interval
        Local exponent ``d ln N / d ln C``; that of D is one minus it.
    extrapolated
        Whether N or D lies outside the range of the points.
    """

    compute: FloatArray
    N: FloatArray
    N_interval: FloatArray
    D: FloatArray
    D_interval: FloatArray
    L: FloatArray
    L_interval: FloatArray
    exponent: FloatArray
    exponent_interval: FloatArray
    extrapolated: NDArray[np.bool_]


def fit_scaling_law(
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    run: ArrayLike,
    *,
    law: Law = "chinchilla",
    version: Version = "corrected",
    batch: ArrayLike | None = None,
    resamples: int = 1000,
    seed: int = 0,
) -> ScalingLawFit:
    """Fit a loss in model size and data or time by a sum of powers with a floor.

    The Huber loss of residuals in log loss, with its bend at 1e-3, is minimised as Hoffmann et al. (2022) do, from their number
    of starts: for each of 125 floors and exponents (90 to 150 with the exponents of the theory) the best prefactors of a grid are
    improved to the end. Results do not depend on the units of N, D and L.

    Parameters
    ----------
    N
        Parameters or width, > 0, shape (n,).
    D
        Data seen, steps or eta * steps, > 0, shape (n,).
    L
        Loss, > 0, shape (n,). Take some twenty to sixty points, even in log D, of a curve.
    run
        Whole number for each point, shape (n,): points of one training run share it. A run has one N.
    law
        ``"chinchilla"``, ``"time"`` (one N only), ``"lazy"`` or ``"rich"``, as in :class:`ScalingLawFit`.
    version
        ``"corrected"`` or ``"paper"``, for the exponents of ``"lazy"`` and ``"rich"``.
    batch
        Batch of each point, shape (n,), two different ones at least: adds the term of SGD noise to ``"lazy"`` and ``"rich"``.
    resamples
        How often runs are drawn again, >= 40.
    seed
        Of these draws.

    Returns
    -------
    ScalingLawFit

    Raises
    ------
    InputError
        If values are not positive and finite, shapes differ, there are fewer than two points for each parameter, six runs or
        three sizes (one with ``"time"``), or a run has points of different N or batch.

    Notes
    -----
    Measured coverage of the 95 % intervals of the two exponents, at noise of 1 % with a correlation of 0.9 along a run.
    ``"chinchilla"``, 60 sets of points each, a then b: 6 sizes of one run 100 and 97 %, 3 sizes of two runs 88 and 98 %, of
    three 93 and 98 %, of five 93 and 98 %; 8 sizes of one run all of 40. Sizes of one run are covered too often. Four terms,
    points from the law itself: all of 40 ``"lazy"`` (8 runs) and of 40 ``"rich"`` (20 runs), none of which was said not to fit.

    Of 20 sets of points from the mean field theory, whose widths and times are finite, the intervals hold the true capacity in
    6 and the true source in 9: the four terms miss by 2 %, and capacity comes out too small. All 20 were said not to fit. Where
    that is said, do not read alpha and beta as capacity and source.

    Of 40 sets without a floor, 8 sizes of one run, all were said not to determine it, and none of 40 with one; with a floor and
    6 runs, 6 of 60 were.

    Examples
    --------
    >>> import numpy as np
    >>> from neural_scaling.fits import fit_scaling_law
    >>> run, N, D = (one.ravel() for one in np.broadcast_arrays(
    ...     np.arange(8)[:, None], np.geomspace(1e6, 1e9, 8)[:, None], np.geomspace(1e8, 1e11, 12)))
    >>> fit = fit_scaling_law(N, D, 1.7 + 400 * N**-0.34 + 410 * D**-0.28, run, resamples=40)
    >>> print(f"a = {fit['a']:.2f}, b = {fit['b']:.2f}, floor {fit['floor']:.2f}")
    a = 0.34, b = 0.28, floor 1.70
    """
    data = Runs.checked(N, D, L, run, [law], version, batch)[0]
    draws, random = check_resamples(resamples), np.random.default_rng(check_seed(seed))
    best = Best.of(data, thorough=True)
    times = np.array([draw(random, data.sizes) for _ in range(draws)])
    drawn, settled = best.again(data, times[:, data.run])
    return _result(data, best, drawn, settled)


def _result(data: Runs, best: Best, drawn: FloatArray, settled: NDArray[np.bool_]) -> ScalingLawFit:
    form, shapes = data.form, len(data.form.exponent_names)
    missed = data.missed(best.theta[:1])[0]
    scatter = float(np.median(np.abs(missed)))
    lack = _lack_of_fit(data, missed) if scatter > RESOLVED else 1.0
    absent = max(RESOLVED, _ABSENT * scatter)
    optimum, resampled = data.natural(best.theta[:1], absent)[0], data.natural(drawn, absent)
    values = np.append(optimum[:shapes], np.exp(optimum[shapes:]))
    sizes = np.unique(data.sizes).size
    ends = _percentiles(resampled, optimum, data.runs, sizes)
    intervals, ends = np.exp(ends), ends[:shapes]
    for q, name in enumerate(form.exponent_names):
        least, lowest = (LEAST_CAPACITY, 1.0) if name == "alpha" else (LEAST_EXPONENT, 0.0)
        ends[q, 0] = lowest if ends[q, 0] <= least * _EDGE else ends[q, 0]
        ends[q, 1] = math.inf if ends[q, 1] >= LARGEST_EXPONENT / _EDGE else ends[q, 1]
    intervals[:shapes] = ends
    powers = form.exponents(optimum[None, :shapes])[0]
    terms = tuple(
        PowerTerm(name, value, -power[1] + 0.0, -power[0] + 0.0, -power[2] + 0.0)
        for name, value, power in zip(form.terms, values[shapes:], powers, strict=True)
    )
    span = np.exp(np.stack([data.x[:, :2].min(axis=0), data.x[:, :2].max(axis=0)], axis=1))
    return ScalingLawFit(
        form.law,
        form.version,
        (*form.exponent_names, *form.terms),
        values,
        intervals,
        lack,
        np.atleast_2d(np.cov(resampled[:, :shapes], rowvar=False)),
        resampled,
        terms,
        scatter,
        data.y.size,
        data.runs,
        sizes,
        best.starts,
        best.agreeing,
        span,
        tuple(
            [
                *_unfit(lack),
                *_few(data.runs, sizes),
                *_unknown(form, values, intervals, resampled, span),
                *_unfound(best, settled),
            ]
        ),
    )


def _lack_of_fit(data: Runs, missed: FloatArray) -> float:
    """Return how probable it is that runs next to each other in size miss the law so much alike.

    Means of the residuals over parts of log D are a vector for each run. Where runs are independent the cosines between
    neighbours have signs at random; the fit itself makes them rather negative. Their sum is compared with all choices of signs.
    """
    x = data.x[:, 1]
    part = np.minimum((x - x.min()) / np.ptp(x) * _PARTS, _PARTS - 1).astype(int)
    cell = data.run * _PARTS + part
    sums, counts = (np.bincount(cell, one, data.runs * _PARTS) for one in (missed, np.ones(x.size)))
    rows = (sums / np.maximum(counts, 1)).reshape(data.runs, _PARTS)[np.argsort(data.sizes, kind="stable")]
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(float).tiny)
    alike = np.sum(rows[1:] * rows[:-1], axis=1)
    alike = alike[alike != 0]  # neighbours without a part of log D in common say nothing
    if alike.size > _ENUMERATED:
        return float(ndtr(-alike.sum() / math.sqrt(alike @ alike)))
    signs = np.array(list(product((-1, 1), repeat=alike.size)))
    return float(np.mean(signs @ alike >= alike.sum() - 1e-12))


def _unfit(lack: float) -> list[str]:
    """Say whether the law describes the points."""
    if lack > _FALSE_ALARMS:
        return []
    return [
        f"The law does not describe these points: runs of neighbouring sizes miss it alike (p = {lack:.2g}). Its exponents are "
        "those of the best sum of powers; intervals hold how runs differ, not this, and may miss what the exponents stand for."
    ]


def _few(runs: int, sizes: int) -> list[str]:
    """Say where intervals were measured to be too narrow."""
    if sizes != FEWEST_SIZES or runs >= _ENOUGH:
        return []
    return [
        f"{runs} runs of three sizes: intervals cover less than they say, 9 in 10, for the exponent of size. Add sizes."
    ]


def _unknown(
    form: Form, values: FloatArray, intervals: FloatArray, resampled: FloatArray, span: FloatArray
) -> list[str]:
    """Say what the points do not determine."""
    shapes = len(form.exponent_names)
    out = []
    for name, (low, high) in zip("ND", span, strict=True):
        if high < 10 * low and (name == "D" or form.law != "time"):
            out.append(
                f"{name} spans a factor of {high / low:.3g}, less than a decade: its exponent hangs on the floor."
            )
    for name, (low, high) in zip(form.exponent_names, intervals, strict=False):
        if low in (0.0, 1.0) or math.isinf(high):
            out.append(f"{name} is not identified: its interval is open.")
    floors = resampled[:, shapes]
    there = np.isfinite(floors)
    if intervals[shapes, 0] == 0:
        out.append(
            f"The points do not determine the floor: {1 - there.mean():.0%} of the draws are fitted without one, and those "
            f"with one reach {intervals[shapes, 1]:.3g}. Predictions beyond the points hang on it."
        )
    for name, value, (low, _) in zip(form.terms[1:], values[shapes + 1 :], intervals[shapes + 1 :], strict=True):
        if value == 0:
            out.append(
                f"The term {name!r} is absent from the best fit: an exponent that stands in it alone means nothing."
            )
        elif low == 0:
            out.append(f"The term {name!r} may be absent: draws enough to reach the interval are fitted without it.")
    for q, name in enumerate(form.exponent_names):
        if np.count_nonzero(there) > 2 and np.ptp(resampled[there, q]) > 0 and np.ptp(floors[there]) > 0:
            together = float(np.corrcoef(floors[there], resampled[there, q])[0, 1])
            low, high = intervals[q]
            if abs(together) > 0.95 and high > 1.5 * low:
                out.append(
                    f"The floor and {name} go together (correlation {together:.3f}): data tell little of each alone."
                )
    return out


def _unfound(best: Best, settled: NDArray[np.bool_]) -> list[str]:
    """Say where the search may have missed the optimum."""
    out = []
    if best.agreeing < max(3, best.starts // 50):
        out.append(f"Only {best.agreeing} of {best.starts} starts found the best optimum: there may be a better one.")
    unsettled = int(np.count_nonzero(~settled)) + (not best.settled)
    if unsettled > 0.01 * settled.size:
        out.append(f"{unsettled} of {settled.size + 1} searches did not come to rest.")
    return out


def _percentiles(values: FloatArray, best: FloatArray, runs: int, sizes: int) -> FloatArray:
    """Return the ends of the middle 95 % of values along the first axis, the best one inside, shape (..., 2).

    Percentiles of few runs are too narrow: they are taken as far out as Student's quantile is, and then widened by a factor.
    """
    free, factor = _widening(runs, sizes)
    tail = 100 * float(ndtr(stdtrit(free, 0.025)))
    low = np.percentile(values, tail, axis=0, method="lower")  # some may be infinite: nothing between two of them
    high = np.percentile(values, 100 - tail, axis=0, method="higher")
    ends = np.stack([np.minimum(low, best), np.maximum(high, best)], axis=-1)
    middle = np.where(np.isfinite(best), best, 0.0)[..., None]
    return np.asarray(middle + (ends - middle) * factor)


def _widening(runs: int, sizes: int) -> tuple[int, float]:
    """Return the degrees of freedom of runs drawn again and the factor ``sqrt(m / (m - 1))`` by which they are too near.

    See Hesterberg 2015, Am. Stat. 69, 371. Where sizes have several runs, what these tell of noise is how the m of one size
    differ, with a degree of freedom less for each size; else m are all runs.
    """
    among, free = (runs / sizes, runs - sizes) if runs >= 2 * sizes else (runs, runs - 1)
    return free, math.sqrt(among / (among - 1))
