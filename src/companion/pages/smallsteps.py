"""Hard tasks of Figure 5a in small steps: windows that end later, before the edge of stability."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.agreement import LOSS, decided_by
from companion.circle_clock import clock_claims, clocked, growth_claim, growths
from companion.circle_compare import least_above, of_networks, share_claim
from companion.circle_curves import FLOW, CurveRow, curve_claim, task_color
from companion.claims import MEAN, Claim, Measurement, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.fits import local_slope
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result, obtain_all


class Plan(Parameters):
    """What the page computes."""

    def _runs(self, eta: float, steps: int) -> list[CircleRun]:
        size = (self.depth, self.width, self.richness, eta, self.batch, steps, self.seeds, self.angles)
        return [CircleRun(beta, 1.0, *size) for beta in self.betas]

    def runs(self) -> list[CircleRun]:
        """Return the runs in small steps, one per source."""
        return self._runs(self.eta, self.steps)

    def larger(self) -> list[CircleRun]:
        """Return the runs of Figure 5a on the same tasks."""
        return self._runs(self.eta_larger, self.steps_larger)

    def experiments(self) -> list[Experiment]:
        """Return the runs that this page keeps; Figure 5 keeps the others."""
        return [*self.runs()]

    def results(self) -> dict[Experiment, Result]:
        """Return the results of this page's runs and of Figure 5's."""
        return super().results() | obtain_all(self.larger(), "fig05", self.scale)


def compared(rows: Sequence[CurveRow]) -> pd.DataFrame:
    """Compare exponents in their windows with those of lazy theory there and with chi; tasks without a window are left out.

    ``share`` is how much of the way from lazy theory to chi is covered, for every seed; ``decades`` the length of the window.
    """
    found = []
    for row in rows:
        if row.fitted:
            lazy, window, slopes = row.lazy_theory, row.window, row.slopes(*row.window.span)
            share = (slopes - lazy) / (row.predicted - lazy)
            measured = (lazy, row.exponent, Measurement.mean_of(slopes).interval, row.predicted, row.late)
            found.append((row.run.beta, *measured, share, window.decades, window.span))
    names = ["beta", "lazy", "exponent", "interval", "predicted", "late", "share", "decades", "window"]
    return pd.DataFrame(found, columns=names)


def table(found: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Return what is compared at every learning rate, the share as a mean over seeds."""
    frames = [one.assign(eta=eta, share=[share.mean() for share in one.share]) for eta, one in found.items()]
    return pd.concat(frames, ignore_index=True)[["eta", *frames[0].columns.drop("eta")]]


def flow(rows: Sequence[CurveRow], larger: Sequence[CurveRow]) -> pd.DataFrame:
    """Return the loss in larger steps over that in small ones at equal ``eta_0 t``, seed by seed, where it should differ most.

    That is the last half decade before the larger steps are half-way to the edge of stability, or end.
    """
    found = []
    for row, other in zip(rows, larger, strict=True):
        time, small = other.run.eta * other.step, row.run.eta * row.step
        calm = (time <= small[-1]) & np.logical_and.accumulate(other.sharpness < FLOW)
        measured = Measurement.none("the larger steps begin at the edge")
        if calm.any():
            end = float(time[calm][-1])
            window = (end / math.sqrt(10), end)
            inside = (time >= window[0]) & (time <= end)
            same = [np.interp(np.log(time[inside]), np.log(small), np.log(loss)) for loss in row.loss]
            ratios = np.exp(np.mean(np.log(other.loss[:, inside]) - np.array(same), axis=1))
            measured = Measurement.mean_of(ratios, window)
        found.append((row.run.beta, *measured.columns()))
    return pd.DataFrame(found, columns=["beta", "ratio", "interval", "window"])


def flow_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the loss on a task depends on steps and learning rate by eta_0 t alone."""
    claims = []
    for row, runs in zip(found.itertuples(), zip(plan.runs(), plan.larger(), strict=True), strict=True):
        measured = Measurement.of(row.ratio, row.interval, row.window, "the larger steps begin at the edge", MEAN)
        claims.append(
            judged(
                plan,
                f"smallsteps.flow.beta-{row.beta:g}",
                "section 2, gradient flow",
                "Before the edge of stability the loss of a network depends on steps and learning rate through eta_0 t alone "
                f"(beta = {row.beta:g}).",
                f"loss at eta_0 = {plan.eta_larger:g} over that at {plan.eta:g} at equal eta_0 t, seed by seed, mean over log "
                "time in the last half decade before the larger steps are half-way to the edge, or end",
                1.0,
                measured,
                "network",
                LOSS,
                seeds=plan.seeds,
                runs=runs,
                needs=decided_by(measured, plan.seeds, LOSS.value),
            )
        )
    return claims


def gain_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that rich exponents exceed those of lazy theory: of all tasks the one that shows it least."""
    gains, note = [], ""
    for row in found.itertuples():
        low, high = (end - row.lazy for end in row.interval)
        gains.append((Measurement(row.exponent - row.lazy, (low, high), row.window, meaning=MEAN), row.beta))
    least = Measurement.none("no task has a window")
    if gains:
        least, beta = min(gains, key=lambda one: least_above(one[0]))
        note = f"beta = {beta:g}; of {len(plan.betas)} tasks {len(gains)} have a window"
    return of_networks(
        plan,
        "smallsteps.gain",
        "section 3, eq. 10; Fig. 5a",
        "The loss of rich networks on hard tasks falls faster than that of infinitely wide lazy ones.",
        "exponent of rich networks less that of lazy theory in the same steps, least sure of the tasks",
        least,
        plan.seeds,
        plan.runs(),
        note=note,
        above=0.0,
    )


def claims_of(
    plan: Plan, rows: Sequence[CurveRow], found: pd.DataFrame, flows: pd.DataFrame, results: Mapping[Experiment, Result]
) -> list[Claim]:
    """Return the claims of the page; those about exponents need windows that small scale does not have."""
    flow = flow_claims(plan, flows)
    if plan.scale == "small":
        return flow
    claims = [
        *(curve_claim(plan, row, f"smallsteps.beta-{row.run.beta:g}", "Fig. 5a, eq. 10") for row in rows),
        share_claim(plan, found, plan.runs(), "smallsteps.share"),
        gain_claim(plan, found),
        *clock_claims(plan, clocked(rows, results), "smallsteps.clock"),
        growth_claim(plan, growths(rows), plan.runs(), "smallsteps.kernel"),
    ]
    return [*(_in_small_steps(claim) for claim in claims), *flow]


def _in_small_steps(claim: Claim) -> Claim:
    """Return a claim that Figure 5 makes too, told apart from it."""
    return claim.model_copy(update={"statement": f"In small steps: {claim.statement}"})


def covered(row: CurveRow) -> tuple[Array, Array]:
    """Return times and, at each, how much of the way from the local exponent of lazy theory to chi that of the loss covers.

    NaN where that way is shorter than half of its final length.
    """
    seen, lazy = (local_slope(row.step, loss, width=0.5) for loss in (row.mean, row.theory))
    way = row.predicted - lazy.exponent
    way[way < (row.predicted - row.run.beta) / 2] = math.nan
    return row.run.eta * seen.t, (seen.exponent - lazy.exponent) / way


def figure(rows: Sequence[CurveRow], larger: Sequence[CurveRow]) -> Figure:
    """Draw losses in both step sizes against time, and how much of the way to chi the local exponents cover."""
    with drawing(9.6, 2, sharex=True) as (figure, (upper, lower)):
        for number, (row, other) in enumerate(zip(rows, larger, strict=True)):
            color, run = task_color(number, len(rows)), row.run
            upper.loglog(run.eta * row.step, row.mean, color=color, label=rf"$\beta = {run.beta:g}$")
            upper.loglog(other.run.eta * other.step, other.mean, "--", color=color, linewidth=1.2)
            upper.loglog(run.eta * row.step, row.theory, ":", color=color, linewidth=1.2)
            time, share = covered(row)
            lower.semilogx(time, share, color=color, linewidth=1.0)
            inside = (time >= run.eta * row.window.start) & (time <= run.eta * row.window.end)
            lower.semilogx(time[inside], share[inside], color=color, linewidth=3.0)
        first, second = rows[0].run.eta, larger[0].run.eta
        upper.plot([], [], color=INK, label=rf"$\eta_0 = {first:g}$")
        upper.plot([], [], "--", color=INK, label=rf"$\eta_0 = {second:g}$")
        upper.plot([], [], ":", color=INK, label=r"lazy, $N = \infty$")
        upper.legend(loc="lower left", ncols=2)
        upper.set(ylabel="test loss")
        for level, name in ((0.0, r"lazy theory"), (1.0, r"$\chi(\beta)$")):
            lower.axhline(level, color=MUTED, linestyle="--", linewidth=1.2)
            lower.annotate(
                name, (0.0, level), (4, 3), xycoords=("axes fraction", "data"), textcoords="offset points", color=MUTED
            )
        lower.set(ylim=(-0.5, 1.5), xlabel=r"time $\eta_0 t$", ylabel=r"share of the way to $\chi$")
    return figure
