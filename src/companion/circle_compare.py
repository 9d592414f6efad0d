"""Networks that learn features beside their linearised twins: exponents in the same windows, and what is claimed of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd

from companion.agreement import decided_by
from companion.circle_curves import CurveRow
from companion.claims import MEAN, Claim, Measurement, Page, Tolerance, bounded, judged
from companion.claims.measurement import Details
from companion.own_kernel import steadied
from neural_scaling.base.arrays import Array
from neural_scaling.runs import Experiment

#: Agreement of ratios of exponents.
RATIO = Tolerance(0.1, "ratios of exponents of networks: 10 %")


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
        linearised, half = steadied(other, losses, row.window.span)
        share = (slopes - row.lazy_theory) / (row.predicted - row.lazy_theory)
        numbers = (row.exponent, linearised, row.lazy_theory, (Measurement.mean_of(slopes).half, half))
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


def share_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment], identifier: str) -> Claim:
    """Return the claim that rich networks cover most of the way to chi on hard tasks, the mean over tasks."""
    share = over_tasks(found[found.beta < 1].share)
    return of_networks(
        page,
        identifier,
        "Fig. 5a, eq. 10",
        "On average over hard tasks feature learning covers more than half of the way from the lazy exponent to chi(beta).",
        "(measured - lazy)/(chi - lazy) in the same window, lazy at infinite width, mean over the hard tasks and seeds",
        Measurement.mean_of(share),
        share.size,
        runs,
        above=0.5,
    )


def gain_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich exponents exceed lazy ones on hard tasks: of all tasks the one that shows it least."""
    gains = []
    for row in found[found.beta < 1].itertuples():
        gains.append((Measurement.around(row.rich - row.lazy, math.hypot(*row.halves), row.window, MEAN), row.beta))
    least, beta = min(gains, key=lambda one: least_above(one[0]))
    return of_networks(
        page,
        "fig05.a.gain",
        "section 3, eq. 10; Fig. 5a",
        "On hard tasks the loss of rich networks falls faster than that of linearised networks of the same width.",
        "exponent of rich less that of linearised networks in the same steps, least sure of the hard tasks",
        least,
        found.slopes.iloc[0].size,
        runs,
        note=f"beta = {beta:g}",
        above=0.0,
    )


def least_above(measured: Measurement) -> tuple[float, float]:
    """Return what orders measurements by how little they lie above 0: one that lies below with its interval comes first."""
    assert measured.interval is not None
    low, high = measured.interval
    return min(high, 0.0), low


def order_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that a larger source has a larger rich exponent: of all neighbours those that show it least."""
    rows = list(found.itertuples())
    steps = []
    for one, other in itertools.pairwise(rows):
        step = Measurement.mean_of(other.slopes - one.slopes)
        steps.append((step, f"beta = {one.beta:g} and {other.beta:g}"))
    least, between = min(steps, key=lambda one: least_above(one[0]))
    return of_networks(
        page,
        "fig05.a.order",
        "section 6, Ordering of Models",
        "Networks that learn features keep the order in which lazy networks learn tasks: a larger source, a larger exponent.",
        "difference of the rich exponents of neighbouring sources, seed by seed, the least sure",
        least,
        found.slopes.iloc[0].size,
        runs,
        note=between,
        above=0.0,
    )


def over_tasks(values: Sequence[Array]) -> Array:
    """Return means over tasks for every seed, from one array (seeds,) per task; an empty one without a task."""
    return np.mean(np.stack([*values]), axis=0) if len(values) else np.empty(0)


def same_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich and lazy exponents are equal on easy tasks: of all tasks the one that is farthest from it."""
    ratios = []
    for row in found[found.beta > 1].itertuples():
        ratio = row.rich / row.lazy
        half = ratio * math.hypot(row.halves[0] / row.rich, row.halves[1] / row.lazy)
        measured = Measurement.around(ratio, half, row.window, MEAN)
        # A task that is surely off counts before one whose interval merely reaches farther.
        ratios.append(((max(abs(ratio - 1) - half, RATIO.value), abs(ratio - 1) + half), measured, row))
    _, farthest, row = max(ratios, key=lambda one: one[0])
    return of_networks(
        page,
        "fig07.b.same",
        "section 6; Fig. 7b",
        "On easy tasks rich networks and linearised networks of the same width fall with the same exponent.",
        "exponent of rich over that of linearised networks in the same steps, task farthest from 1",
        farthest,
        row.slopes.size,
        runs,
        note=f"beta = {row.beta:g}; of infinite width the linearised network has {row.infinite:.2f} there, "
        f"of this width {row.lazy:.2f}: its kernel learns part of the target late",
    )


def easy_claim(page: Page, found: pd.DataFrame, runs: Sequence[Experiment]) -> Claim:
    """Return the claim that rich networks have the lazy exponent of infinite width on easy tasks, the mean over tasks."""
    easy = found[found.beta > 1]
    ratios = over_tasks([row.slopes / row.infinite for row in easy.itertuples()])
    return of_networks(
        page,
        "fig07.b.easy",
        "section 6; Fig. 7b",
        "On easy tasks rich networks fall with the exponent of infinitely wide linearised networks.",
        "exponent of rich networks over that of lazy theory in the same steps, mean over the easy tasks and seeds",
        Measurement.mean_of(ratios),
        ratios.size,
        runs,
    )


def of_networks(
    page: Page,
    identifier: str,
    location: str,
    statement: str,
    quantity: str,
    measured: Measurement,
    seeds: int,
    runs: Sequence[Experiment],
    note: str = "",
    above: float | None = None,
) -> Claim:
    """Return the claim that a ratio of exponents of networks is 1, or that a number of theirs lies above a limit."""
    words = (page, identifier, location, statement, quantity)
    margin = RATIO.value if above is None else math.inf if measured.value is None else abs(measured.value - above)
    details: Details = {
        "seeds": seeds or None,
        "runs": runs,
        "note": note,
        "needs": decided_by(measured, seeds, margin),
    }
    if above is None:
        return judged(*words, 1.0, measured, "network", RATIO, **details)
    return bounded(*words, "above", above, measured, "network", **details)
