"""Networks that learn features beside their linearised twins, and beside theory on the clock of their growing kernel."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from companion.circle_curves import SEEDS, CurveRow, kernel_of
from companion.claims import MEAN, Claim, Measurement, Page, Tolerance, bounded, judged
from companion.own_kernel import steadied
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import decay
from neural_scaling.networks.circle_kernel import lazy_loss
from neural_scaling.runs import Experiment

#: Agreement of ratios of exponents.
RATIO = Tolerance(0.1, "ratios of exponents of networks: 10 %")
#: The trace of the kernel tells the clock of what is still to be learned while little of it belongs to what is learned.
CLOCK_BELOW = 0.5


def compared(rich: Sequence[CurveRow], lazy: Sequence[CurveRow], own: Array) -> pd.DataFrame:
    """Compare exponents of rich and linearised networks in the windows of the rich; tasks without one are left out.

    ``own`` holds the losses that kernels of many linearised networks give.

    ``level`` is the rich exponent over chi, ``share`` how much of the way from the exponent of the infinitely wide linearised
    network to chi is covered, both for every seed; ``halves`` are those of the 95 % intervals of rich and lazy.
    """
    found = []
    for row, other, losses in zip(rich, lazy, own, strict=True):
        if not row.fitted:
            continue
        slopes = row.slopes(*row.window.span)
        interval = Measurement.mean_of(slopes).interval
        assert interval is not None
        linearised, half = steadied(other, losses, row.window.span)
        share = (slopes - row.lazy_theory) / (row.predicted - row.lazy_theory)
        numbers = (row.exponent, linearised, row.lazy_theory, ((interval[1] - interval[0]) / 2, half))
        level = slopes / row.predicted
        found.append((row.run.beta, row.predicted, *numbers, row.window.span, level, share, slopes))
    names = ["beta", "predicted", "rich", "lazy", "infinite", "halves", "window", "level", "share", "slopes"]
    return pd.DataFrame(found, columns=names)


def table(found: pd.DataFrame) -> pd.DataFrame:
    """Return the means over seeds, with the share for hard tasks."""
    hard = found.beta < 1
    means = {name: [values.mean() for values in found[name]] for name in ("level", "share")}
    shown = found[["beta", "predicted", "rich", "lazy", "infinite"]].assign(**means)
    return shown.assign(share=shown.share.where(hard))


def share_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich networks cover most of the way to chi on hard tasks, the mean over tasks."""
    share = np.mean(np.stack(list(found[found.beta < 1].share)), axis=0)
    return bounded(
        page,
        "fig05.a.rich.share",
        "Fig. 5a, eq. 10",
        "On average over hard tasks feature learning covers more than half of the way from the lazy exponent to chi(beta).",
        "(measured - lazy)/(chi - lazy) in the same window, lazy at infinite width, mean over the hard tasks and seeds",
        "above",
        0.5,
        Measurement.mean_of(share),
        "network",
        seeds=share.size,
        runs=runs,
        needs=SEEDS,
    )


def gain_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich exponents exceed lazy ones on hard tasks: of all tasks the one that shows it least."""
    gains = []
    for row in found[found.beta < 1].itertuples():
        half = math.hypot(*row.halves)
        gain = row.rich - row.lazy
        gains.append((gain - half, Measurement(gain, (gain - half, gain + half), row.window, meaning=MEAN), row.beta))
    _, least, beta = min(gains, key=lambda one: one[0])
    return bounded(
        page,
        "fig05.a.gain",
        "section 3, eq. 10; Fig. 5a",
        "On hard tasks the loss of rich networks falls faster than that of linearised networks of the same width.",
        "exponent of rich less that of linearised networks in the same steps, least sure of the hard tasks",
        "above",
        0.0,
        least,
        "network",
        seeds=found.slopes.iloc[0].size,
        runs=runs,
        note=f"beta = {beta:g}",
        needs=SEEDS,
    )


def order_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that a larger source has a larger rich exponent: of all neighbours those that show it least."""
    rows = list(found.itertuples())
    steps = []
    for one, other in itertools.pairwise(rows):
        step = Measurement.mean_of(other.slopes - one.slopes)
        assert step.interval is not None
        steps.append((step.interval[0], step, f"beta = {one.beta:g} and {other.beta:g}"))
    _, least, between = min(steps, key=lambda one: one[0])
    return bounded(
        page,
        "fig05.a.order",
        "section 6, Ordering of Models",
        "Networks that learn features keep the order in which lazy networks learn tasks: a larger source, a larger exponent.",
        "difference of the rich exponents of neighbouring sources, seed by seed, the least sure",
        "above",
        0.0,
        least,
        "network",
        seeds=found.slopes.iloc[0].size,
        runs=runs,
        note=between,
        needs=SEEDS,
    )


def same_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich and lazy exponents are equal on easy tasks: of all tasks the one that is farthest from it."""
    ratios = []
    for row in found[found.beta > 1].itertuples():
        ratio = row.rich / row.lazy
        half = ratio * math.hypot(row.halves[0] / row.rich, row.halves[1] / row.lazy)
        ratios.append(
            (abs(ratio - 1) + half, Measurement(ratio, (ratio - half, ratio + half), row.window, meaning=MEAN), row)
        )
    _, farthest, row = max(ratios, key=lambda one: one[0])
    return judged(
        page,
        "fig07.b.same",
        "section 6; Fig. 7b",
        "On easy tasks rich networks and linearised networks of the same width fall with the same exponent.",
        "exponent of rich over that of linearised networks in the same steps, task farthest from 1",
        1.0,
        farthest,
        "network",
        RATIO,
        seeds=row.slopes.size,
        runs=runs,
        note=f"beta = {row.beta:g}; of infinite width the linearised network has {row.infinite:.2f} there, "
        f"of this width {row.lazy:.2f}: its kernel learns part of the target late",
        needs=SEEDS,
    )


def easy_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich networks have the lazy exponent of infinite width on easy tasks, the mean over tasks."""
    easy = found[found.beta > 1]
    ratios = np.mean([row.slopes / row.infinite for row in easy.itertuples()], axis=0)
    return judged(
        page,
        "fig07.b.easy",
        "section 6; Fig. 7b",
        "On easy tasks rich networks fall with the exponent of infinitely wide linearised networks.",
        "exponent of rich networks over that of lazy theory in the same steps, mean over the easy tasks and seeds",
        1.0,
        Measurement.mean_of(ratios),
        "network",
        RATIO,
        seeds=ratios.size,
        runs=runs,
        needs=SEEDS,
    )


def clocked(rows: Sequence[CurveRow]) -> pd.DataFrame:
    """Measure exponents in the clock ``s``, the integral of K(t)/K(0), beside that of lazy theory at the same ``s``."""
    found = []
    for row in rows:
        if row.run.beta >= CLOCK_BELOW or not row.fitted:
            continue
        inside = row.inside(*row.window.span)
        pairs = []
        for clock, loss in zip(row.clocks()[:, inside], row.loss[:, inside], strict=True):
            pairs.append((fit_power_law(clock, loss).exponent, fit_power_law(clock, _lazy(row, clock)).exponent))
        measured, theory = np.array(pairs).T
        exponent, interval, _ = Measurement.mean_of(measured).columns()
        found.append((row.run.beta, float(theory.mean()), exponent, interval, row.window.span, measured.size))
    return pd.DataFrame(found, columns=["beta", "theory", "exponent", "interval", "window", "seeds"])


def clock_claims(page: Page, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that a rich network learns as a lazy one does whose time is the integral of the kernel."""
    return [
        judged(
            page,
            f"fig05.a.clock.beta-{row.beta:g}",
            "eq. 65",
            f"Rich networks have the loss of lazy ones at the time that their growing kernel gives (beta = {row.beta:g}).",
            "exponent of the loss in the integral of K(t)/K(0), K the trace of the tangent kernel",
            row.theory,
            Measurement.of(row.exponent, row.interval, row.window, meaning=MEAN),
            "network",
            seeds=row.seeds,
            needs=SEEDS,
        )
        for row in found.itertuples()
    ]


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
    return np.asarray(eta * np.cumsum(np.diff(step) * (rate[1:] + rate[:-1]) / 2))


def growth_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that the kernel of a network grows on hard tasks as eq. 52 has it, the mean over tasks."""
    ratios = np.mean(np.stack(list(found.ratio)), axis=0)
    return judged(
        page,
        "fig05.a.kernel",
        "eq. 52; said of the solvable model",
        "On hard tasks the tangent kernel of rich networks grows with the exponent that it has in the solvable model.",
        "exponent of K(t) - K(0) over that of eq. 52 in the same steps, K the trace, mean over the hard tasks and seeds",
        1.0,
        Measurement.mean_of(ratios),
        "network",
        RATIO,
        seeds=ratios.size,
        runs=runs,
        needs=SEEDS,
    )


def _lazy(row: CurveRow, clock: Array) -> Array:
    run = row.run
    return lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, clock)
