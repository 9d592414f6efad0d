"""Rich networks beside lazy theory on the clock of their growing kernel, and how that kernel grows.

The trace of the kernel tells the clock while little of it belongs to what is learned already. On easier tasks more of it
does; there the kernel is followed mode by mode, and each mode counts for what is left in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.integrate import cumulative_trapezoid

from companion.agreement import decided_by
from companion.circle_compare import of_networks, over_tasks
from companion.circle_curves import CurveRow, kernel_of
from companion.claims import MEAN, Claim, Measurement, Page, judged, of_exponent
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import decay
from neural_scaling.networks.circle_kernel import lazy_loss, unlearned_clock
from neural_scaling.networks.runs import CircleModesRun, CircleRun
from neural_scaling.runs import Experiment, Result

#: Steps, times on the clock and losses of one network, each of shape (R,).
Curve = tuple[Array, Array, Array]
#: Sources up to which the trace is claimed to tell the clock.
CLOCK_BELOW = 0.5
#: Clocks, as the table names them.
TRACE, MODES = "trace", "modes still to be learned"


@dataclass(frozen=True)
class Followed:
    """How far and in how many seeds a kernel is followed mode by mode."""

    steps: int  # the exponent's window ends there at the latest
    seeds: int


#: By source; where a source is missing, the trace alone is known.
FOLLOWED = {0.5: Followed(10_000, 3), 0.75: Followed(10_000, 3)}


def followed(run: CircleRun) -> list[CircleModesRun]:
    """Return the runs that follow the kernel of a curve mode by mode, a seed each."""
    if run.beta not in FOLLOWED:
        return []
    how = FOLLOWED[run.beta]
    return CircleModesRun(**vars(run) | {"steps": min(run.steps, how.steps), "seeds": 1}).up_to(how.seeds)


def clocked(rows: Sequence[CurveRow], results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Measure exponents in the clock ``s`` of the growing kernel, beside that of lazy theory at the same ``s``.

    One row for the integral of K(t)/K(0), K the trace, and one for the clock of what is left to learn.
    """
    found = []
    for row in rows:
        runs = followed(row.run)
        runs = runs if all(run in results for run in runs) else []
        if not row.fitted or (row.run.beta >= CLOCK_BELOW and not runs):
            continue
        window = (row.window.start, min([row.window.end, *(float(run.steps) for run in runs)]))
        curves = {TRACE: [(row.step, clock, loss) for clock, loss in zip(row.clocks(), row.loss, strict=True)]}
        for run in runs:
            step, modes, loss = (results[run].arrays[name] for name in ("step", "modes", "loss"))
            clock = unlearned_clock(step, modes[0], decay(run.beta, run.power), run.eta)
            curves.setdefault(MODES, []).append((step, clock, loss[0]))
        found += [(row.run.beta, kernel, *_exponents(row, seeds, window)) for kernel, seeds in curves.items()]
    return pd.DataFrame(found, columns=["beta", "clock", "theory", "exponent", "interval", "window", "seeds"])


def _exponents(row: CurveRow, seeds: Sequence[Curve], window: tuple[float, float]) -> tuple[object, ...]:
    """Return the exponents of lazy theory and of the loss, mean over seeds, the interval, the window and the number of seeds."""
    pairs = []
    for step, clock, loss in seeds:
        inside = (step >= window[0]) & (step <= window[1])
        losses = (_lazy(row, clock[inside]), loss[inside])
        pairs.append([fit_power_law(clock[inside], one).exponent for one in losses])
    theory, measured = np.array(pairs).T
    interval = Measurement.mean_of(measured).interval
    return float(theory.mean()), float(measured.mean()), interval, window, measured.size


def _lazy(row: CurveRow, clock: Array) -> Array:
    run = row.run
    return lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, clock)


#: What the exponent is taken in, by the clock.
_CLOCKS = {
    TRACE: "the integral of K(t)/K(0), K the trace of the tangent kernel",
    MODES: "the integral of K(t)/K(0), K the tangent kernel on the modes that are still to be learned",
}


def clock_claims(page: Page, found: pd.DataFrame, name: str) -> list[Claim]:
    """Return the claims that a rich network learns as a lazy one does whose time is the integral of the kernel."""
    claims = []
    for row in found.itertuples():
        if row.clock != (TRACE if row.beta < CLOCK_BELOW else MODES):
            continue
        measured = Measurement.none(f"one network, of exponent {row.exponent:.3f}, has no interval")
        if row.seeds > 1:
            measured = Measurement.of(row.exponent, row.interval, row.window, meaning=MEAN)
        claims.append(
            judged(
                page,
                f"{name}.beta-{row.beta:g}",
                "eq. 65",
                "Rich networks have the loss of lazy ones at the time that their growing kernel gives "
                f"(beta = {row.beta:g}).",
                f"exponent of the loss in {_CLOCKS[row.clock]}",
                row.theory,
                measured,
                "network",
                seeds=row.seeds,
                needs=decided_by(measured, row.seeds, of_exponent(row.theory, "network").value),
            )
        )
    return claims


def growths(rows: Sequence[CurveRow]) -> pd.DataFrame:
    """Measure exponents of ``K(t) - K(0)``, K the trace of the kernel, on hard tasks, beside eq. 52 in the same steps.

    The equation takes what is learned from lazy theory at the clock of the network's kernel; its richness changes no exponent.
    ``ratio`` is the exponent over that of the equation for every seed.
    """
    found = []
    for row in rows:
        if row.run.beta >= 1 or not row.fitted:
            continue
        pairs = []
        for kernel, clock in zip(row.kernels, row.clocks(), strict=True):
            seen = [np.maximum(kernel - 1, 1e-12), predicted_growth(row, clock)]
            pairs.append([-fit_power_law(row.step, grown, row.window.span).exponent for grown in seen])
        measured, theory = np.array(pairs).T
        exponent, interval, window = Measurement.mean_of(measured, row.window.span).columns()
        numbers = (1 - row.predicted, float(theory.mean()), exponent, interval, window, measured / theory)
        found.append((row.run.beta, *numbers))
    return pd.DataFrame(found, columns=["beta", "late", "theory", "exponent", "interval", "window", "ratio"])


def predicted_growth(row: CurveRow, clock: Array) -> Array:
    """Return the growth of the trace over gamma by eq. 52, shape (R,), where ``y (1 - e^(-lambda s))`` is learned."""
    kernel, eta = kernel_of(row.run.depth, row.run.power), row.run.eta
    values = kernel.tangent[1:]
    power = np.arange(1, kernel.tangent.size) ** (-2 * decay(row.run.beta, row.run.power)) / 2
    step, time = np.concatenate([[0.0], row.step]), np.concatenate([[0.0], clock])
    left = np.exp(-eta * np.outer(time, values))
    rate = 2 * (left * (1 - left) * power) @ (values + kernel.trace)
    return np.asarray(eta * cumulative_trapezoid(rate, step))


def growth_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment], identifier: str) -> Claim:
    """Return the claim that the kernel of a network grows on hard tasks as eq. 52 has it, the mean over tasks."""
    ratios = over_tasks(found.ratio)
    return of_networks(
        page,
        identifier,
        "eq. 52; said of the solvable model",
        "On hard tasks the tangent kernel of rich networks grows with the exponent that it has in the solvable model.",
        "exponent of K(t) - K(0) over that of eq. 52 in the same steps, K the trace, mean over the hard tasks and seeds",
        Measurement.mean_of(ratios),
        ratios.size,
        runs,
    )
