"""What scaling laws miss of points that they have not seen, and which of two is better there."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from neural_scaling.base.checks import InputError, choice, instances, require
from neural_scaling.base.checks import seed as check_seed
from neural_scaling.fits._powers import Law
from neural_scaling.fits._runs import FOLDS, RESOLVED, Best, Runs, Written, check_resamples, draw
from neural_scaling.fits.power_law import FloatArray
from neural_scaling.theory.loss_law import Version

_FEWEST_COMPARED = 3  # runs held out, for an interval


@dataclass(frozen=True, eq=False)
class HeldOut(Written):
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
        return self.laws[1] if low > RESOLVED else self.laws[0] if high < -RESOLVED else None


@dataclass(frozen=True, eq=False)
class LawComparison(Written):
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
        """Return what can be written as JSON, the statement too.

        Returns
        -------
        dict
        """
        return super().as_dict() | {"statement": self.statement}


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
    resamples: int = 200,
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
    resamples
        How often runs are drawn again for the interval of the difference of two laws, >= 40.
    seed
        Of these draws.

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
    each = Runs.checked(N, D, L, run, _listed(laws), version, batch)
    return _largest(each, choice(along, "along", ("N", "D")), check_resamples(resamples), check_seed(seed))


def compare_scaling_laws(
    N: ArrayLike,
    D: ArrayLike,
    L: ArrayLike,
    run: ArrayLike,
    *,
    laws: Sequence[Law] = ("chinchilla", "rich"),
    version: Version = "corrected",
    batch: ArrayLike | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> LawComparison:
    """Compare two laws on the same points by runs left out and by extrapolation.

    Parameters
    ----------
    N, D, L, run, version, batch, resamples, seed
        As in :func:`held_out_error`.
    laws
        Two laws; one without a term for the batch leaves it aside.

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
    each = Runs.checked(N, D, L, run, chosen, version, batch)
    draws, start = check_resamples(resamples), check_seed(seed)
    first = each[0]
    folds = first.run % min(FOLDS, first.runs)
    seen = folds != np.arange(folds.max() + 1)[:, None]
    missed = []
    for part in seen:
        first.part(part)  # refuses where a fold holds the only run of a size that is needed
    for data in each:
        fits, _ = Best.of(data).again(data, seen.astype(np.float64))
        missed.append(data.missed(fits)[folds, np.arange(folds.size)])
    left_out = _held_out(each, np.array(missed), np.ones(folds.size, dtype=bool), math.nan)
    return LawComparison(left_out, *(_if_possible(each, along, draws, start) for along in "ND"))


def _largest(each: Sequence[Runs], along: str, draws: int, seed: int) -> HeldOut:
    """Return errors on the largest third in the logarithm of N or D."""
    first = each[0]
    x, limit = first.top(along)
    out = x > limit + 1e-9
    random = np.random.default_rng(seed)
    inside = np.isin(np.arange(first.runs), first.run[~out])
    times = np.zeros((draws, first.runs))
    missed: list[FloatArray] = []
    drawn: list[FloatArray] = []
    for data in each:
        try:
            part = data.part(~out)
        except InputError as error:
            raise InputError(f"along: without the largest {along} too little is left to fit; {error}") from None
        best = Best.of(part)
        missed.append(_missed(data, out, part.natural(best.theta[:1])))
        if len(each) == 2:
            if not drawn:
                times[:, inside] = [draw(random, part.sizes) for _ in times]
                if not inside.all():  # in D a run has points on either side, unless it is one point
                    times[:, ~inside] = [draw(random, np.zeros(np.count_nonzero(~inside))) for _ in times]
            fits, _ = best.again(part, times[:, first.run[~out]])
            drawn.append(_missed(data, out, part.natural(fits)))
    found = _held_out(each, np.concatenate(missed), out, math.exp(limit))
    if len(each) == 1 or found.runs < _FEWEST_COMPARED:
        return found
    weight = times[:, np.unique(first.run[out])]
    gaps = (first.by_run(np.abs(drawn[0]) - np.abs(drawn[1]), out)) * weight
    low, high = np.percentile(gaps.sum(axis=1) / np.maximum(weight.sum(axis=1), 1), [2.5, 97.5])
    half = float(high - low) / 2  # fits to fewer different runs miss more: the width tells, not the place
    return replace(found, interval=(found.difference - half, found.difference + half))


def _missed(data: Runs, out: NDArray[np.bool_], fits: FloatArray) -> FloatArray:
    """Return logarithms of prediction over loss at some points for exponents and prefactors, shape (S, points)."""
    shapes = len(data.form.exponent_names)
    logs = fits[:, shapes:, None] - data.form.exponents(fits[:, :shapes]) @ data.x[out].T
    return np.asarray(np.logaddexp.reduce(logs, axis=1) - data.y[out])


def _if_possible(each: Sequence[Runs], along: str, draws: int, seed: int) -> HeldOut | None:
    try:
        return _largest(each, along, draws, seed)
    except InputError:
        return None


def _held_out(each: Sequence[Runs], missed: FloatArray, out: NDArray[np.bool_], limit: float) -> HeldOut:
    """Return what is told by the residuals of each law, shape (K, points), of points that it has not seen."""
    error, bias = (each[0].by_run(one, out) for one in (np.abs(missed), missed))
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


def _listed(laws: Any) -> list[Law]:
    listed = instances(laws, "laws", str, "give a list of names")
    known = [choice(law, "laws", get_args(Law)) for law in listed]
    require(len(set(known)) == len(known) <= 2, "laws", f"got {known}", "give one law, or two different ones")
    return known
