"""Simulations as curves, and the theory beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy.special import stdtrit

from companion.claims import MEAN, SLOPE, Claim, Measurement, Page, Tolerance, judged
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.base.grids import resampled
from neural_scaling.fits import fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.runs import Experiment, Result

#: Agreement of the simulated mean with the theory, relative.
LOSS = Tolerance(0.05, "losses: 5 %, since the theory is exact only as N and B tend to infinity")

#: More seeds than anyone trains: what is searched ends there.
_MANY = 1e9


def seed_losses(result: Result, name: str = "loss") -> Array:
    """Return the loss of every seed from step 1 on, shape (S, R); at step 0 it is the variance of the target for all."""
    return np.asarray(result.arrays[name][:, 1:], dtype=np.float64)


def mean_curve(result: Result) -> tuple[Array, Array]:
    """Return the steps from 1 on and the mean loss over seeds, each of shape (R,)."""
    return result.arrays["step"][1:], seed_losses(result).mean(axis=0)


def resampled_means(runs: Sequence[Array], draws: int, stream: int = 0) -> list[list[Array]]:
    """Return, for every draw, means over seeds drawn with replacement of the values of each run, whose first axis is the seed.

    Another stream draws independently.
    """
    random = np.random.default_rng(stream)
    return [
        [np.asarray(one[random.integers(0, len(one), len(one))].mean(axis=0)) for one in runs] for _ in range(draws)
    ]


def dense_curve(result: Result, eta: float = 1.0, first: float | None = None) -> tuple[Array, Array]:
    """Draw the loss of a run of few times against eta*steps as a spline, forty points a decade, where it is above rounding."""
    step, loss = result.arrays["step"], result.arrays["loss"]
    kept = (step > 0) & (loss > 1e-12 * loss[0])
    time = eta * step[kept]
    start, last = first or float(time[0]), float(time[-1])
    dense = np.geomspace(start, last, max(2, math.ceil(40 * math.log10(last / start))))
    dense[0], dense[-1] = start, last
    return dense, resampled(time, loss[kept], dense)


def mean_exponent(step: Array, curves: Array, window: tuple[float, float], grows: bool = False) -> Measurement:
    """Return the exponent of several seeds, shape (seeds, R): its interval has their spread (Student) and their mean bend."""
    fits = [fit_power_law(step, curve, window) for curve in curves]
    found = np.array([-fit.exponent if grows else fit.exponent for fit in fits])
    scatter = Measurement.mean_of(found)
    spread = scatter.half if scatter.interval else 0.0  # what nothing is random about bends only
    half = math.hypot(spread, NORMAL_95 * float(np.mean([fit.curvature for fit in fits])))
    return Measurement.around(float(found.mean()), half, window, SLOPE)


def draw_mean(
    axes: Axes,
    result: Result,
    color: str,
    label: str | None = None,
    *,
    per_step: float = 1,
    least: float = 0.1,
    alpha: float = 0.2,
    name: str = "loss",
    **line: float,
) -> None:
    """Draw the mean over seeds against ``per_step`` times the step, and one standard deviation, cut at ``least`` of the mean."""
    losses, x = seed_losses(result, name), per_step * result.arrays["step"][1:]
    mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
    axes.loglog(x, mean, color=color, label=label, **line)
    axes.fill_between(x, np.maximum(mean - spread, least * mean), mean + spread, color=color, alpha=alpha, linewidth=0)


def log_average(values: Array, step: Array) -> Array:
    """Return the average over the logarithm of the step, by the trapezoidal rule along the last axis."""
    return np.asarray(np.trapezoid(values, np.log(step), axis=-1) / math.log(step[-1] / step[0]))


@dataclass(frozen=True)
class Compared:
    """One task at several widths or batches: simulations, and the theory of each at the same steps."""

    beta: float  # source
    sizes: tuple[int, ...]
    simulation: tuple[Result, ...]  # one per size
    step: Array  # recorded from 1 on, shape (R,)
    theory: Array  # loss, shape (sizes, R)

    def agreement(self, draws: int = 0) -> pd.DataFrame:
        """Return the simulated mean over the theory at every size, averaged over the logarithm of the step, with its interval."""
        rows = []
        for size, expected, found in zip(self.sizes, self.theory, self.simulation, strict=True):
            per_seed = log_average(seed_losses(found) / expected, self.step)
            require(per_seed.size >= 2, "simulation", "has one seed", "take two or more, for a standard error")
            measured = Measurement.mean_of(per_seed)
            if draws:
                error = np.std(resampled_means([per_seed], draws), ddof=1)
                measured = Measurement.with_error(float(per_seed.mean()), float(error), count=per_seed.size)
            rows.append((size, measured.value, measured.interval, per_seed.size))
        return pd.DataFrame(rows, columns=["size", "ratio", "interval", "seeds"])


def compared(
    beta: float,
    sizes: Sequence[int],
    simulation: Sequence[Experiment],
    theory: Sequence[Experiment],
    results: Mapping[Experiment, Result],
) -> Compared:
    """Collect the results of one task, whose runs are given one per size."""
    expected = [results[run].arrays for run in theory]
    losses = np.stack([arrays["loss"][1:] for arrays in expected])
    return Compared(beta, tuple(sizes), tuple(results[run] for run in simulation), expected[0]["step"][1:], losses)


def seeds_needed(half: float, seeds: int, allowed: float) -> str:
    """Say how many seeds would bring half of Student's interval to half of what is allowed, at least twice those there are."""
    needed = 2.0 * seeds
    while half * _student(needed) / _student(seeds) > allowed / 2 and needed < _MANY:
        needed *= 1.02
    return f"about {float(f'{needed:.1g}'):.0f} seeds would decide it"


def _student(seeds: float) -> float:
    """Return half of the 95 % interval of a mean over seeds, in units of their standard deviation."""
    return float(stdtrit(seeds - 1, 0.975)) / math.sqrt(seeds)


def decided_by(measured: Measurement, seeds: int, allowed: float) -> str:
    """Return what :func:`seeds_needed` says of a measurement; one without an interval cannot tell a number."""
    return seeds_needed(measured.half, seeds, allowed) if measured.interval else "more seeds would decide it"


def claims_at_both_ends(
    page: Page,
    found: pd.DataFrame,
    panel: str,
    task: str,
    symbol: str,
    corrected: Mapping[int, float] | None = None,
    note: str = "",
) -> list[Claim]:
    """Return the claims that theory describes simulation, at both end sizes; ``corrected`` is another theory over it, by size."""
    rows, other = list(found.itertuples()), corrected or {}
    return [
        judged(
            page,
            f"fig{int(panel[:-1]):02d}.{task}.theory.{end}",
            f"Fig. {panel}, eqs. 26-31",
            f"The mean field theory gives the mean loss of the {task} task at {symbol} = {row.size}.",
            "simulated mean over theory, averaged over log steps",
            1.0,
            Measurement.of(row.ratio, row.interval, meaning=MEAN),
            "simulation",
            LOSS,
            corrected=other.get(row.size),
            seeds=row.seeds,
            note=note if row.size in other else "",
            needs=seeds_needed(row.interval[1] - row.ratio, row.seeds, LOSS.value),
        )
        for end, row in zip(("smallest", "largest"), (rows[0], rows[-1]), strict=True)
        if len(rows) > 1 or end == "largest"
    ]
