"""Linearised networks of finite width beside gradient descent with the kernel of their own initial weights."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from companion.agreement import decided_by
from companion.circle_curves import CurveRow, arrival, curve_claim
from companion.claims import MEAN, SLOPE, Claim, Measurement, Page, Tolerance, judged
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.fits import Window, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.runs import CircleRun, OwnKernelRun
from neural_scaling.runs import Experiment, Result

#: Angles that resolve the kernels of :data:`NETWORKS` random networks, whose mean is that of their kind.
ANGLES, NETWORKS = 1024, 48
#: Random networks of each width where what their kernels lack of infinite width is measured.
MANY = 192
#: Angles at which the test loss of a run is taken.
TEST_ANGLES = 2048
#: A kernel whose loss half the angles change by less than this is resolved.
RESOLVED = 0.02
#: Share of the loss of infinite width by which the mean over networks may depart from it in a window of the exponent.
DEPARTED = 0.1
#: Agreement of a measured loss with that of its own kernel.
LOSS = Tolerance(0.05, "losses: 5 %, for the noise of batches and the kernel on finitely many angles")


def kernels_of(runs: Sequence[CircleRun], seeds: int, angles: int) -> OwnKernelRun:
    """Return the run of the kernels of linearised networks that differ in their source alone."""
    one = runs[0]
    return OwnKernelRun(
        tuple(run.beta for run in runs), one.power, one.depth, one.width, one.eta, one.steps, seeds, angles
    )


def own_runs(runs: Sequence[CircleRun], seeds: int) -> list[OwnKernelRun]:
    """Return the runs that :func:`against_own` compares with."""
    return [kernels_of(runs, seeds, angles) for angles in (TEST_ANGLES, TEST_ANGLES // 2)]


def losses_of(run: OwnKernelRun, results: Mapping[Experiment, Result]) -> Array:
    """Return the losses from step 1 on, shape (targets, seeds, R)."""
    return results[run].arrays["loss"].astype(np.float64).transpose(1, 0, 2)[..., 1:]


def against_own(rows: Sequence[CurveRow], results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Compare losses of linearised networks, of one kind, with those of their own kernels, over the last decade of steps.

    Rows of one number of seeds stand together.
    ``own`` is the mean over seeds and log steps of the ratio, no number where the angles do not resolve the kernel;
    ``infinite`` compares with infinite width.
    """
    found = []
    for seeds, alike in itertools.groupby(rows, key=lambda row: row.loss.shape[0]):
        group = list(alike)
        both = [losses_of(run, results) for run in own_runs([row.run for row in group], seeds)]
        for row, fine, coarse in zip(group, *both, strict=True):
            late = row.inside(row.run.steps / 10, row.run.steps)
            ratio = Measurement.none("the angles do not resolve the kernel")
            if np.all(np.abs(np.log(fine[:, late] / coarse[:, late]).mean(axis=1)) < RESOLVED):
                ratio = Measurement.mean_of((row.loss[:, late] / fine[:, late]).mean(axis=1))
            infinite = float((row.mean[late] / row.theory[late]).mean())
            found.append((row.run.beta, row.run.power, *ratio.columns()[:2], infinite, seeds))
    return pd.DataFrame(found, columns=["beta", "power", "own", "interval", "infinite", "seeds"])


def own_claim(page: Page, found: pd.DataFrame, identifier: str, location: str) -> Claim:
    """Return the claim that linearised networks follow their own kernels: of all tasks the one that is farthest from it."""
    kept = found[found.own.notna()]
    far = max(kept.itertuples(), key=lambda row: max(abs(end - 1) for end in row.interval), default=None)
    left = ", ".join(f"{power:g}" for power in sorted(set(found.power) - set(kept.power)))
    notes = [f"beta = {far.beta:g}, q_phi = {far.power:g}"] if far else []
    if left:
        notes.append(f"without q_phi = {left}, where the angles do not resolve the kernel")
    seeds = int(far.seeds if far else found.seeds.min())
    measured = Measurement.of(far.own, far.interval, meaning=MEAN) if far else Measurement.none("no kernel is resolved")
    return judged(
        page,
        identifier,
        location,
        "The loss of linearised networks is that of gradient descent with the kernel of their initial weights.",
        "measured loss over that loss, mean over seeds and the last decade of steps, of the task farthest from 1",
        1.0,
        measured,
        "network",
        LOSS,
        seeds=seeds,
        note="; ".join(notes),
        needs=decided_by(measured, seeds, LOSS.value) + ", with more angles",
    )


def before_departure(rows: Sequence[CurveRow], own: Array) -> list[tuple[Window, Measurement]]:
    """Measure exponents of linearised networks where their kind, the mean over many kernels, has the loss of infinite width.

    ``own`` holds the losses of the kernels. The interval holds what :func:`steadied` gives and the bend of the curve.
    """
    found = []
    for row, losses in zip(rows, own, strict=True):
        start, end = arrival(row.run), (row.window.end, row.window.end_reason)
        beyond = np.abs(losses.mean(axis=0) / row.theory - 1) > DEPARTED
        departed = np.flatnonzero(beyond & (row.step >= start))
        if departed.size:
            end = min(end, (float(row.step[max(int(departed[0]) - 1, 0)]), "finite width adds a tenth to the loss"))
        window = Window(start, end[0], "lazy theory within a tenth of beta", end[1])
        if window.empty:
            found.append((window, Measurement.none(window.empty)))
            continue
        inside = row.inside(*window.span)
        bend = NORMAL_95 * fit_power_law(row.step[inside], row.mean[inside]).curvature
        value, half = steadied(row, losses, window.span)
        found.append((window, Measurement.around(value, math.hypot(half, bend), window.span, SLOPE)))
    return found


def steadied(row: CurveRow, losses: Array, window: tuple[float, float]) -> tuple[float, float]:
    """Return the exponent of a linearised network in a window and half its 95 % interval.

    What the kernel of each seed gives is replaced by its mean over many networks, which removes most of the spread. The losses
    that their kernels give have shape (networks, R), the seeds of the row first.
    """
    inside = row.inside(*window)
    kernels = np.array([fit_power_law(row.step[inside], one[inside]).exponent for one in losses])
    left = row.slopes(*window) - kernels[: row.loss.shape[0]]
    found = [Measurement.mean_of(values) for values in (left, kernels)]
    require(all(one.interval for one in found), "row", "its losses are not finite", "leave it out")
    return float(left.mean() + kernels.mean()), math.hypot(*(one.half for one in found))


def lazy_claims(page: Page, rows: Sequence[CurveRow], own: Array, prefix: str, location: str) -> list[Claim]:
    """Return the claims about exponents of linearised networks of the tasks that finite width leaves a window."""
    note = f"what the kernels of the seeds explain is averaged over {NETWORKS} networks"
    needs = "a wider network, whose loss is that of infinite width for longer, would decide it"
    return [
        curve_claim(page, row, f"{prefix}.beta-{row.run.beta:g}", location, measured, note, needs)
        for row, (window, measured) in zip(rows, before_departure(rows, own), strict=True)
        if not window.empty
    ]
