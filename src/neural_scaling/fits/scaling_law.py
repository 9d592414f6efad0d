"""Scaling laws of a loss in model size and data or time: joint fits, their comparison, and the allocation that follows.

Points come from training runs; those of one run share its noise, so runs and not points are resampled and left out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from itertools import product
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import InputError, array, choice, instances, require, require_positive, whole
from neural_scaling.base.checks import seed as check_seed
from neural_scaling.fits._powers import FLOOR, LEAST_CAPACITY, LEAST_LOG, Form, Law, Points, minimise
from neural_scaling.fits.offset import LARGEST_EXPONENT, LEAST_EXPONENT
from neural_scaling.fits.power_law import FloatArray
from neural_scaling.theory.compute_optimal import minimise_affine
from neural_scaling.theory.loss_law import PowerTerm, Version, loss

#: Fewer runs say nothing of how runs differ.
FEWEST_RUNS = 6
#: Different sizes that a floor and a power need.
FEWEST_SIZES = 3
_FEWEST_RESAMPLES = 40  # 2.5 % of them is one
_FOLDS = 20
_LEVELS = {  # of the starts; floors over the lowest loss, the rest as logarithms over the typical one, and exponents
    FLOOR: (0.02, 0.25, 0.5, 0.75, 0.95),
    "power": (-5.0, -4.0, -3.0, -2.0, -1.0, 0.0),
    "term": (-5.0, -3.0, -1.0),
    "exponent": (0.05, 0.2, 0.5, 1.0, 2.0),
    "alpha": (1.05, 1.25, 1.5, 2.0, 3.0),
    "beta": (0.1, 0.3, 0.6, 1.2, 1.6, 2.5),
}
_SCREENED = 300  # points at which all starts are looked at
_AGREE = 1e-6  # relative, in the sum that is minimised
_EDGE = 1 + 1e-6
_RESOLVED = 1e-5  # in log loss
_COMPARED = 200  # draws of runs for the difference of two laws
_KEPT = 2 / 3  # of the range in log N or log D
_FEWEST_COMPARED = 3  # runs held out, for an interval
_LIFTED = -5.0  # logarithm of a coefficient over the typical loss
_BEYOND = 1e3  # times the range of the points in which an optimum is looked for


@dataclass(frozen=True, eq=False)
class ScalingLawFit(ArrayValue):
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
        95 % intervals, shape (P, 2): percentiles of fits to runs drawn again with replacement. They hold what differs from run
        to run, however noise goes together along a run; that no sum of such powers describes the loss they do not hold. Where
        more than 2.5 % of the fits end at a bound (exponents 1e-3 and 10, no prefactor) an interval is open (0 or infinity;
        1 for the capacity).
    covariance
        Of the exponents, in the order of ``names``, over the runs drawn again.
    resampled
        Exponents and logarithms of the prefactors in each of these fits, shape (R, P).
    terms
        The law with its prefactors.
    scatter
        Median size of the residuals in log loss.
    points, runs
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
    covariance: FloatArray
    resampled: FloatArray
    terms: tuple[PowerTerm, ...]
    scatter: float
    points: int
    runs: int
    starts: int
    agreeing: int
    span: FloatArray
    warnings: tuple[str, ...]

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
        size, data = np.exp(at.log_width + least[0]), np.exp(at.log_time + least[1])
        outside = [(one[0] < low) | (one[0] > high) for one, (low, high) in zip((size, data), self.span, strict=True)]
        parts = {}
        for name, all_values in (("N", size), ("D", data), ("L", np.exp(at.log_loss)), ("exponent", at.a)):
            parts[name] = all_values[0]
            parts[f"{name}_interval"] = _percentiles(all_values[1:], all_values[0])
        return Allocation(np.exp(budget) * per, **parts, extrapolated=outside[0] | outside[1])

    def as_dict(self) -> dict[str, Any]:
        """Return what can be written as JSON: all but the single fits; ends of open intervals are None.

        Returns
        -------
        dict
        """
        return _plain(self, "resampled", "terms")


@dataclass(frozen=True, eq=False)
class Allocation(ArrayValue):
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

    def as_dict(self) -> dict[str, Any]:
        """Return what can be written as JSON.

        Returns
        -------
        dict
        """
        return _plain(self)


@dataclass(frozen=True, eq=False)
class HeldOut(ArrayValue):
    """What laws miss of points that they have not seen, in log loss; arrays have an entry for each law, shape (K,).

    Attributes
    ----------
    laws
        Their names.
    kept_to
        Points above it were held out, in the units of N or D; NaN where whole runs were left out in turn.
    points, runs
        Numbers of points held out and of the runs that they belong to.
    error
        Mean over these runs of the mean size of ``log(predicted / L)``.
    bias
        The same of ``log(predicted / L)`` itself.
    largest
        Largest size.
    difference, interval
        ``error`` of the first law less that of the second, and its 95 % interval. Where runs were left out in turn it comes from
        how they differ (Student); where the largest were held out, from both laws fitted to runs drawn again, on runs drawn
        again. NaN with one law, or fewer than three runs held out.
    """

    laws: tuple[str, ...]
    kept_to: float
    points: int
    runs: int
    error: FloatArray
    bias: FloatArray
    largest: FloatArray
    difference: float
    interval: tuple[float, float]

    @property
    def better(self) -> str | None:
        """Law with the smaller error, if the interval tells; a difference of 1e-5 in log loss tells nothing."""
        low, high = self.interval
        return self.laws[1] if low > _RESOLVED else self.laws[0] if high < -_RESOLVED else None

    def as_dict(self) -> dict[str, Any]:
        """Return what can be written as JSON; what is NaN is None.

        Returns
        -------
        dict
        """
        return _plain(self)


@dataclass(frozen=True)
class LawComparison:
    """Two laws on the same points.

    Attributes
    ----------
    left_out
        Errors on runs left out in turn (of more than twenty, several at a time): how the laws describe the points.
    largest_N, largest_D
        Errors on the largest third, in log N or log D, by fits to the rest: how they extrapolate. None where too little is left.
    """

    left_out: HeldOut
    largest_N: HeldOut | None
    largest_D: HeldOut | None

    @property
    def statement(self) -> str:
        """Which law describes the points better, and which extrapolates better, or that the points cannot tell."""
        sentences = []
        for found, what in (
            (self.left_out, "runs left out"),
            (self.largest_N, "the largest N"),
            (self.largest_D, "the largest D"),
        ):
            if found is None:
                sentences.append(f"Too few points are left to predict {what}.")
                continue
            errors = " and ".join(f"{error:.2g} ({law})" for law, error in zip(found.laws, found.error, strict=True))
            verdict = f"{found.better} is better" if found.better else "these points cannot tell the laws apart"
            sentences.append(f"On {what}, {verdict}: errors {errors} in log loss.")
        return " ".join(sentences)

    def as_dict(self) -> dict[str, Any]:
        """Return what can be written as JSON.

        Returns
        -------
        dict
        """
        parts = {"left_out": self.left_out, "largest_N": self.largest_N, "largest_D": self.largest_D}
        return {name: None if one is None else one.as_dict() for name, one in parts.items()} | {
            "statement": self.statement
        }


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
    data = _Data.checked(N, D, L, run, law, version, batch)
    draws = whole(resamples, "resamples", least=_FEWEST_RESAMPLES)
    best = _Best.of(data)
    random = np.random.default_rng(check_seed(seed))
    times = np.array([_draw(random, data.sizes) for _ in range(draws)])
    drawn, settled = best.again(data, times[:, data.run])
    return _result(data, best, drawn, settled)


def held_out_error(
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    run: ArrayLike,
    *,
    along: str = "N",
    laws: Sequence[Law] = ("chinchilla",),
    version: Version = "corrected",
    batch: ArrayLike | None = None,
    seed: int = 0,
) -> HeldOut:
    """Fit laws to the smaller part of N or D, and measure what they miss of the largest.

    Held out are points above two thirds of the range in log N or log D.

    Parameters
    ----------
    N, D, L, run, version, batch
        As in :func:`fit_scaling_law`.
    along
        ``"N"`` or ``"D"``.
    laws
        One law, or two to be compared; one without a term for the batch leaves it aside.
    seed
        Of the draws of runs.

    Returns
    -------
    HeldOut

    Raises
    ------
    InputError
        As in :func:`fit_scaling_law`, for the points that are left too.

    Examples
    --------
    >>> import numpy as np
    >>> from neural_scaling.fits import held_out_error
    >>> run, N, D = (one.ravel() for one in np.broadcast_arrays(
    ...     np.arange(9)[:, None], np.geomspace(1e6, 1e9, 9)[:, None], np.geomspace(1e8, 1e11, 12)))
    >>> error = held_out_error(N, D, 1.7 + 400 * N**-0.34 + 410 * D**-0.28, run)
    >>> print(error.runs, "runs missed by less than 1e-6:", bool(error.largest[0] < 1e-6))
    3 runs missed by less than 1e-6: True
    """
    each = _each(N, D, L, run, _listed(laws), version, batch)
    return _largest(each, choice(along, "along", ("N", "D")), check_seed(seed))


def compare_scaling_laws(
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    run: ArrayLike,
    *,
    laws: Sequence[Law] = ("chinchilla", "rich"),
    version: Version = "corrected",
    batch: ArrayLike | None = None,
    seed: int = 0,
) -> LawComparison:
    """Compare two laws on the same points by runs left out and by extrapolation.

    Parameters
    ----------
    N, D, L, run, version, batch
        As in :func:`fit_scaling_law`.
    laws
        Two laws; one without a term for the batch leaves it aside.
    seed
        Of the draws of runs.

    Returns
    -------
    LawComparison

    Raises
    ------
    InputError
        As in :func:`fit_scaling_law`, or if there are not two laws.

    Examples
    --------
    >>> import numpy as np
    >>> from neural_scaling.fits import compare_scaling_laws
    >>> run, N, D = (one.ravel() for one in np.broadcast_arrays(
    ...     np.arange(9)[:, None], np.geomspace(16, 1024, 9)[:, None], np.geomspace(1e2, 1e5, 12)))
    >>> print(compare_scaling_laws(N, D, N**-0.6 + D**-0.5 + N**-1.0 * D**0.2, run, laws=("chinchilla", "rich")).left_out.better)
    rich
    """
    chosen = _listed(laws)
    require(len(chosen) == 2, "laws", f"got {len(chosen)}", "give two")
    each, start = _each(N, D, L, run, chosen, version, batch), check_seed(seed)
    first = each[0]
    folds = first.run % min(_FOLDS, first.runs)
    seen = folds != np.arange(folds.max() + 1)[:, None]
    missed = []
    for part in seen:
        first.part(part)  # refuses where a fold holds the only run of a size that is needed
    for data in each:
        fits, _ = _Best.of(data).again(data, seen.astype(np.float64))
        logs = data.points.parts(data.form, fits)[0]
        missed.append(logs[folds, np.arange(folds.size)] - data.points.y)
    left_out = _held_out(each, np.array(missed), np.ones(folds.size, dtype=bool), math.nan)
    return LawComparison(left_out, *(_if_possible(each, along, start) for along in "ND"))


@dataclass(frozen=True)
class _Data:
    """Checked points of a law. ``x`` holds logarithms of N, D and batch, ``middle`` their means and that of the typical loss."""

    form: Form
    x: FloatArray
    y: FloatArray
    run: NDArray[np.intp]

    @classmethod
    def checked(
        cls,
        N: ArrayLike,
        D: ArrayLike,
        L: ArrayLike,
        run: ArrayLike,
        law: Law,
        version: Version,
        batch: ArrayLike | None,
    ) -> _Data:
        law = choice(law, "law", get_args(Law))
        version = choice(version, "version", get_args(Version))
        size = array(N, "N", above=0)
        data, value = (array(one, name, shape=size.shape, above=0) for one, name in ((D, "D"), (L, "L")))
        label = array(run, "run", shape=size.shape, whole=True)
        noisy = batch is not None
        batches = np.ones(size.shape) if batch is None else array(batch, "batch", shape=size.shape, above=0)
        require(not noisy or law in ("lazy", "rich"), "batch", f"{law!r} has no term for it", "leave it out")
        remedy = "give runs of two batches at least, or leave it out"
        require(not noisy or np.unique(batches).size > 1, "batch", "is the same everywhere", remedy)
        x = np.log(np.stack([size, data, batches], axis=1))
        found = cls(Form(law, version, noisy), x, np.log(value), np.unique(label, return_inverse=True)[1])
        found._require_enough()
        found._require_runs()
        return found

    def _require_enough(self) -> None:
        """Refuse points that cannot fix the parameters, of whatever runs."""
        sizes = np.unique(self.x[:, 0]).size
        if self.form.law == "time":
            require(
                sizes == 1, "N", f"has {sizes} sizes, of which 'time' knows nothing", "use another law, or one size"
            )
        else:
            remedy = "give more; for one size use law='time', or fit_offset_power_law for a single curve"
            require(sizes >= FEWEST_SIZES, "N", f"has {sizes} of the {FEWEST_SIZES} sizes that a floor needs", remedy)
        times = np.unique(self.x[:, 1]).size
        require(times >= FEWEST_SIZES, "D", f"has {times} different values", "sample the curves more finely")
        fewest = 2 * (len(self.form.terms) + len(self.form.exponent_names))
        require(self.y.size >= fewest, "L", f"has {self.y.size} points", f"give {fewest}, two for each parameter")

    def _require_runs(self) -> None:
        """Refuse runs that are none, or too few to be drawn again."""
        for column, name, blamed in ((0, "N", "run"), (2, "batch", "batch")):
            low, high = np.full(self.runs, np.inf), np.full(self.runs, -np.inf)
            np.minimum.at(low, self.run, self.x[:, column])
            np.maximum.at(high, self.run, self.x[:, column])
            problem = f"one run has points of different {name}"
            require(bool(np.all(low == high)), blamed, problem, f"give each run one {name}")
        remedy = f"give {FEWEST_RUNS}: intervals come from how runs differ"
        require(self.runs >= FEWEST_RUNS, "run", f"names {self.runs} runs", remedy)

    @property
    def runs(self) -> int:
        return int(self.run.max()) + 1

    @property
    def middle(self) -> FloatArray:
        """Means of the columns of x, then the median of y."""
        return np.append(self.x.mean(axis=0), np.median(self.y))

    @property
    def points(self) -> Points:
        middle = self.middle
        return Points(self.x - middle[:3], self.y - middle[3])

    def part(self, keep: NDArray[np.bool_]) -> _Data:
        """Return some of the points, if they are enough."""
        found = _Data(self.form, self.x[keep], self.y[keep], np.unique(self.run[keep], return_inverse=True)[1])
        found._require_enough()
        return found

    @property
    def sizes(self) -> FloatArray:
        """Logarithm of N of each run, shape (runs,)."""
        return np.asarray(self.x[np.unique(self.run, return_index=True)[1], 0])

    def natural(self, theta: FloatArray) -> FloatArray:
        """Return exponents and logarithms of prefactors in the units of the points, shape (S, P)."""
        number, middle = len(self.form.terms), self.middle
        logs = theta[:, :number] + middle[3] + self.form.exponents(theta[:, number:]) @ middle[:3]
        return np.concatenate(
            [theta[:, number:], np.where(theta[:, :number] <= LEAST_LOG + 1e-6, -np.inf, logs)], axis=1
        )


@dataclass(frozen=True)
class _Best:
    """The best optimum, and those from which other weightings of the runs may find theirs, with their boxes."""

    theta: FloatArray
    low: FloatArray
    high: FloatArray
    starts: int
    agreeing: int
    settled: bool

    @classmethod
    def of(cls, data: _Data) -> _Best:
        points, form = data.points, data.form
        start = _starts(points, form)
        boxes = form.boxes()
        number = len(form.terms)
        inside = np.array([np.all((start[:, number:] >= low[number:]) & (start[:, number:] <= high[number:]), axis=1)
                           for low, high in boxes])  # fmt: skip
        box = inside.argmax(axis=0)
        low, high = (np.array([one[side] for one in boxes])[box] for side in (0, 1))
        found = minimise(points, form, start, low, high)
        order = np.argsort(found.value)
        firsts = [next(i for i in order if box[i] == one) for one in np.unique(box)]
        firsts.sort(key=lambda i: float(found.value[i]))
        best = firsts[0]
        same = box == box[best]
        each = _by_run(data, np.ones(data.y.size, dtype=bool), _sizes(points, form, found.theta[firsts]))
        more = each - each[0]
        # In draws of runs another stretch may be the best if it is no worse by four standard errors.
        near = more.mean(axis=1) <= 4 * more.std(axis=1, ddof=1) / math.sqrt(data.runs)
        kept = [i for i, one in zip(firsts, near, strict=True) if one or i == best]
        limit = found.value[best] * (1 + _AGREE) + 1e-18 * points.y.size
        agreeing = int(np.count_nonzero(found.value <= limit))
        return cls(found.theta[kept], low[kept], high[kept], int(same.sum()), agreeing, bool(found.settled[best]))

    def again(self, data: _Data, weight: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
        """Return the best parameters for each weighting of the points, shape (S, P), and whether the search came to rest."""
        ends = []
        for theta, low, high in zip(self.theta, self.low, self.high, strict=True):
            start = theta.copy()
            logs = start[: len(data.form.terms)]
            np.maximum(logs, _LIFTED, out=logs)  # a term that is absent has no slope, and would stay so
            start, least, most = (np.tile(one, (len(weight), 1)) for one in (start, low, high))
            ends.append(minimise(data.points, data.form, start, least, most, weight))
        chosen = np.argmin([one.value for one in ends], axis=0), np.arange(len(weight))
        return np.array([one.theta for one in ends])[chosen], np.array([one.settled for one in ends])[chosen]


def _starts(points: Points, form: Form) -> FloatArray:
    """Return for each floor and all exponents the best prefactors of a grid."""
    floors = np.log(_LEVELS[FLOOR]) + points.y.min()
    own = [_LEVELS.get(name, _LEVELS["exponent"]) for name in form.exponent_names]
    level = _LEVELS["power" if form.law in ("chinchilla", "time") else "term"]
    logs = np.array(list(product(level, repeat=len(form.terms) - 1)))
    few = np.linspace(0, points.y.size - 1, min(points.y.size, _SCREENED)).astype(int)
    seen = Points(points.x[few], points.y[few])
    out = []
    for floor, *exponents in product(floors, *own):
        tried = np.hstack([np.full((len(logs), 1), floor), logs, np.tile(exponents, (len(logs), 1))])
        value = seen.value(form, tried, np.ones((1, few.size)), seen.y)
        out.append(tried[np.argmin(value)])
    return np.array(out)


def _sizes(points: Points, form: Form, theta: FloatArray) -> FloatArray:
    """Return the sizes of residuals, shape (S, n)."""
    return np.abs(points.parts(form, theta)[0] - points.y)


def _by_run(data: _Data, some: NDArray[np.bool_], values: FloatArray) -> FloatArray:
    """Return means over those of some points that belong to each run, shape (..., their runs)."""
    member = data.run[some] == np.unique(data.run[some])[:, None]
    return np.asarray(values @ (member / member.sum(axis=1, keepdims=True)).T)


def _result(data: _Data, best: _Best, drawn: FloatArray, settled: NDArray[np.bool_]) -> ScalingLawFit:
    form, shapes = data.form, len(data.form.exponent_names)
    optimum, resampled = data.natural(best.theta[:1])[0], data.natural(drawn)
    values = np.append(optimum[:shapes], np.exp(optimum[shapes:]))
    intervals = np.exp(_percentiles(resampled, optimum))
    ends = _percentiles(resampled[:, :shapes], optimum[:shapes])
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
        np.atleast_2d(np.cov(resampled[:, :shapes], rowvar=False)),
        resampled,
        terms,
        float(np.median(_sizes(data.points, form, best.theta[:1]))),
        data.y.size,
        data.runs,
        best.starts,
        best.agreeing,
        span,
        tuple(_warnings(data, best, values, intervals, resampled, settled, span)),
    )


def _warnings(
    data: _Data,
    best: _Best,
    values: FloatArray,
    intervals: FloatArray,
    resampled: FloatArray,
    settled: NDArray[np.bool_],
    span: FloatArray,
) -> list[str]:
    form, shapes = data.form, len(data.form.exponent_names)
    out = []
    for name, (low, high) in zip("ND", span, strict=True):
        if high < 10 * low and (name == "D" or form.law != "time"):
            out.append(
                f"{name} spans a factor of {high / low:.3g}, less than a decade: its exponent hangs on the floor."
            )
    for name, (low, high) in zip(form.exponent_names, intervals, strict=False):
        if low in (0.0, 1.0) or math.isinf(high):
            out.append(f"{name} is not identified: its interval is open.")
    for name, value, (low, _) in zip(form.terms, values[shapes:], intervals[shapes:], strict=True):
        if value == 0:
            out.append(
                f"The term {name!r} is absent from the best fit: an exponent that stands in it alone means nothing."
            )
        elif low == 0:
            out.append(f"The term {name!r} may be absent: more than 2.5 % of the draws are fitted without it.")
    floors = resampled[:, shapes]
    there = np.isfinite(floors)
    for q, name in enumerate(form.exponent_names):
        if np.count_nonzero(there) > 2 and np.ptp(resampled[there, q]) > 0 and np.ptp(floors[there]) > 0:
            together = float(np.corrcoef(floors[there], resampled[there, q])[0, 1])
            low, high = intervals[q]
            if abs(together) > 0.95 and high > 1.5 * low:
                out.append(
                    f"The floor and {name} go together (correlation {together:.3f}): data tell little of each alone."
                )
    if best.agreeing < max(3, best.starts // 50):
        out.append(f"Only {best.agreeing} of {best.starts} starts found the best optimum: there may be a better one.")
    unsettled = int(np.count_nonzero(~settled)) + (not best.settled)
    if unsettled > 0.01 * settled.size:
        out.append(f"{unsettled} of {settled.size + 1} searches did not come to rest.")
    return out


def _each(
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    run: ArrayLike,
    laws: Sequence[Law],
    version: Version,
    batch: ArrayLike | None,
) -> list[_Data]:
    """Return the checked points for each law, the batch for those alone that have a term for it, if one has."""
    with_term = [law for law in laws if law in ("lazy", "rich")] or laws
    return [_Data.checked(N, D, L, run, law, version, batch if law in with_term else None) for law in laws]


def _draw(random: np.random.Generator, sizes: FloatArray) -> FloatArray:
    """Return how often each run is drawn; draws with fewer sizes than a floor needs, of as many, are drawn again."""
    fewest = min(FEWEST_SIZES, np.unique(sizes).size)
    while True:
        times = random.multinomial(sizes.size, np.full(sizes.size, 1 / sizes.size)).astype(np.float64)
        if np.unique(sizes[times > 0]).size >= fewest:
            return times


def _largest(each: Sequence[_Data], along: str, seed: int) -> HeldOut:
    """Return errors on the largest third in the logarithm of N or D."""
    first = each[0]
    x = first.x[:, "ND".index(along)]
    limit = float(x.min() + (x.max() - x.min()) * _KEPT)
    out = x > limit + 1e-9
    random = np.random.default_rng(seed)
    inside = np.isin(np.arange(first.runs), first.run[~out])
    both = along == "D"  # runs have points on either side, else they lie on one
    times = np.zeros((_COMPARED, first.runs))
    missed: list[FloatArray] = []
    drawn: list[FloatArray] = []
    for data in each:
        try:
            part = data.part(~out)
        except InputError as error:
            raise InputError(f"along: without the largest {along} too little is left to fit; {error}") from None
        best = _Best.of(part)
        missed.append(_missed(data, out, part.natural(best.theta[:1])))
        if len(each) == 2:
            if not drawn:
                times[:, inside] = [_draw(random, part.sizes) for _ in times]
                if not both:
                    times[:, ~inside] = [_draw(random, np.zeros(np.count_nonzero(~inside))) for _ in times]
            fits, _ = best.again(part, times[:, first.run[~out]])
            drawn.append(_missed(data, out, part.natural(fits)))
    found = _held_out(each, np.concatenate(missed), out, math.exp(limit))
    if len(each) == 1 or found.runs < _FEWEST_COMPARED:
        return found
    weight = times[:, np.unique(first.run[out])]
    gaps = (_by_run(first, out, np.abs(drawn[0])) - _by_run(first, out, np.abs(drawn[1]))) * weight
    low, high = np.percentile(gaps.sum(axis=1) / np.maximum(weight.sum(axis=1), 1), [2.5, 97.5])
    half = float(high - low) / 2  # fits to fewer different runs miss more: the width tells, not the place
    return replace(found, interval=(found.difference - half, found.difference + half))


def _missed(data: _Data, out: NDArray[np.bool_], fits: FloatArray) -> FloatArray:
    """Return logarithms of prediction over loss at some points for exponents and prefactors, shape (S, points)."""
    shapes = len(data.form.exponent_names)
    logs = fits[:, shapes:, None] - data.form.exponents(fits[:, :shapes]) @ data.x[out].T
    return np.asarray(np.logaddexp.reduce(logs, axis=1) - data.y[out])


def _if_possible(each: Sequence[_Data], along: str, seed: int) -> HeldOut | None:
    try:
        return _largest(each, along, seed)
    except InputError:
        return None


def _held_out(each: Sequence[_Data], missed: FloatArray, out: NDArray[np.bool_], limit: float) -> HeldOut:
    """Return what is told by the residuals of each law, shape (K, points), of points that it has not seen."""
    error, bias = (_by_run(each[0], out, one) for one in (np.abs(missed), missed))
    runs = error.shape[1]
    difference, half = math.nan, math.nan
    if len(each) == 2:
        gap = error[0] - error[1]
        difference = float(gap.mean())
        if runs >= _FEWEST_COMPARED:
            half = float(stdtrit(runs - 1, 0.975) * gap.std(ddof=1)) / math.sqrt(runs)
    return HeldOut(
        tuple(data.form.law for data in each),
        limit,
        int(np.count_nonzero(out)),
        runs,
        error.mean(axis=1),
        bias.mean(axis=1),
        np.abs(missed).max(axis=1),
        difference,
        (difference - half, difference + half),
    )


def _percentiles(values: FloatArray, best: FloatArray) -> FloatArray:
    """Return the ends of the middle 95 % of values along the first axis, the best one inside, shape (..., 2)."""
    low = np.percentile(values, 2.5, axis=0, method="lower")  # some may be infinite: nothing between two of them
    high = np.percentile(values, 97.5, axis=0, method="higher")
    return np.stack([np.minimum(low, best), np.maximum(high, best)], axis=-1)


def _listed(laws: Any) -> list[Law]:
    listed = instances(laws, "laws", str, "give a list of names")
    known = [choice(law, "laws", get_args(Law)) for law in listed]
    require(len(set(known)) == len(known) <= 2, "laws", f"got {known}", "give one law, or two different ones")
    return known


def _plain(result: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a result as what JSON knows."""

    def of(value: Any) -> Any:
        value = value.tolist() if isinstance(value, np.ndarray) else value
        if isinstance(value, list | tuple):
            return [of(one) for one in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return {field.name: of(getattr(result, field.name)) for field in fields(result) if field.name not in without}
