"""What a small batch does to the loss: the fourth moments of Gaussian features that the paper's noise leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.agreement import log_average
from companion.claims import MEAN, Claim, Measurement, Tolerance, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, SIZES, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import TimeGrid, largest_stable_eta, mean_square_stability, solve
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.finite_data_runs import MinibatchDMFTRun, MinibatchRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_sgd_loss

#: Agreement of the excess over the loss at infinite batch: a share of it, and at least a part of the loss.
EXCESS_SHARE, EXCESS_LEAST = 0.1, 0.01
#: A mean whose 95 % error is more than this fraction of it is decided by a few seeds and measures nothing.
LARGEST_ERROR = 0.25
#: Distance between two ways to the same numbers that counts as none, relative; the richness near 0 leaves its own size.
SAME, NEAR_LAZY = 1e-4, 1e-6


class Plan(Parameters):
    """What the page on small batches computes: the parameters of its notebook and the runs they make."""

    def simulation(self, gamma: float, batch: float) -> MinibatchRun:
        """Return the simulation at one richness and batch."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        return MinibatchRun(*common, width=self.width, batch=batch, seeds=self.seeds)

    def theory(self, gamma: float, batch: float, fourth_moment: bool) -> MinibatchDMFTRun:
        """Return the theory at one richness and batch, as in the paper or with fourth moments."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        return MinibatchDMFTRun(*common, width=self.width, batch=batch, fourth_moment=fourth_moment)

    def compared(self, gamma: float, batch: float) -> list[Experiment]:
        """Return the runs behind one comparison."""
        theories = [self.theory(gamma, *which) for which in ((math.inf, False), (batch, False), (batch, True))]
        return [self.simulation(gamma, batch), *theories]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        cases = itertools.product(self.gammas, self.batches)
        return list(dict.fromkeys(run for case in cases for run in self.compared(*case)))


@dataclass(frozen=True)
class BatchCurves:
    """Simulation and both theories at one richness and batch, on recorded steps from 1 on, each of shape (R,)."""

    gamma: float  # richness
    batch: int  # B
    simulation: dict[str, Array]  # statistics over seeds, as MinibatchRun records them
    # loss by the paper's theory and with fourth moments
    paper: Array
    ours: Array
    infinite: Array  # loss by theory at infinite batch

    @property
    def step(self) -> Array:
        """Recorded steps."""
        return self.simulation["step"]


def lazy_bounds(plan: Plan) -> pd.DataFrame:
    """Return where lazy SGD at infinite width is stable, and how far both theories fall below its exact loss."""
    quadrature = PowerLaw(plan.alpha, plan.beta, plan.modes).quadrature(4 * max(plan.eta * plan.steps, 1.0))
    grid = TimeGrid.unit_steps(plan.eta, plan.steps)
    rows = []
    for batch in plan.batches:
        exact = lazy_sgd_loss(quadrature, plan.eta, batch, plan.steps)
        paper, ours = (
            solve(quadrature, 0.0, grid, batch=batch, fourth_moment=which).loss / exact for which in (False, True)
        )
        bound, number = largest_stable_eta(quadrature, batch), mean_square_stability(quadrature, plan.eta, batch)
        rows.append((batch, bound, number, paper.min(), ours.min()))
    return pd.DataFrame(rows, columns=["batch", "bound", "number", "paper", "ours"])


def lazy_limit_claim(plan: Plan) -> Claim:
    """Return the claim that the theory is that of SGD on random features as the richness tends to 0."""
    quadrature = PowerLaw(plan.alpha, plan.beta, plan.modes).quadrature(4 * max(plan.eta * plan.steps, 1.0))
    grid, gaps = TimeGrid.unit_steps(plan.eta, plan.steps), []
    for batch, which in itertools.product(plan.batches, (False, True)):
        exact = lazy_sgd_loss(quadrature, plan.eta, batch, plan.steps, fourth_moment=which)
        found = solve(quadrature, NEAR_LAZY, grid, batch=batch, fourth_moment=which).loss
        gaps.append(float(np.max(np.abs(found / exact - 1))))
    return bounded(
        plan,
        "batch.lazy-limit",
        "section 2, App. D",
        "As gamma tends to 0 the mean field theory becomes that of random features, at finite batch.",
        f"largest relative distance of the loss at gamma = {NEAR_LAZY:g} from the recursion of second moments of static "
        "features, all steps and batches, with and without fourth moments",
        "below",
        SAME,
        Measurement.exact(max(gaps)),
        "theory",
    )


def curves(plan: Plan, results: Mapping[Experiment, Result]) -> list[BatchCurves]:
    """Collect simulation and theories at every richness and batch, batch varying fastest."""
    found = []
    for gamma, batch in itertools.product(plan.gammas, plan.batches):
        simulation = results[plan.simulation(gamma, batch)].arrays
        # At step 0 nothing has happened.
        infinite, paper, ours = (
            results[plan.theory(gamma, *which)].arrays["loss"][1:]
            for which in ((math.inf, False), (batch, False), (batch, True))
        )
        later = {name: values[..., 1:] for name, values in simulation.items()}
        found.append(BatchCurves(gamma, batch, later, paper, ours, infinite))
    return found


def effects(found: Sequence[BatchCurves]) -> pd.DataFrame:
    """Average the effect of a batch, the loss over that at infinite batch, over log steps, as long as it is measured.

    It is measured until the 95 % error of a step exceeds a quarter of the ratio: at small batch a single rich seed can be all
    of the mean from some step on. ``last`` is the last step that counts, ``error`` is the standard error of ``excess``, an
    upper bound: the mean of those of single steps. ``median`` is the lowest ratio of median to mean, ``top`` the largest
    share of the sum that the largest hundredth of the seeds has, ``diverged`` the number of seeds that blew up by the end.
    """
    rows = []
    for one in found:
        arrays = one.simulation
        lost = np.flatnonzero(NORMAL_95 * arrays["excess_error"] > LARGEST_ERROR * arrays["excess"])
        end = int(lost[0]) if lost.size else one.step.size
        row: dict[str, object] = {"gamma": one.gamma, "batch": one.batch, "last": math.nan, "excess": math.nan}
        if end > 1:
            ratios = (arrays["excess"], arrays["excess_error"], one.paper / one.infinite, one.ours / one.infinite)
            excess, error, paper, ours = (float(log_average(values[:end], one.step[:end])) for values in ratios)
            interval = Measurement.with_error(excess, error).interval
            row |= {"last": float(one.step[end - 1]), "excess": excess, "interval": interval, "error": error}
            row |= {"paper": paper, "ours": ours, "paper_error": paper / excess - 1, "our_error": ours / excess - 1}
        row |= {"median": float(np.min(arrays["median"] / arrays["mean"])), "top": float(np.max(arrays["top"]))}
        rows.append(row | {"diverged": int(arrays["diverged"][-1])})
    return pd.DataFrame(rows)


def losses(found: Sequence[BatchCurves], steps: Sequence[int]) -> pd.DataFrame:
    """Return the mean loss at single steps, its relative 95 % error, and the relative error of both theories."""
    rows = []
    for step, one in itertools.product(steps, found):
        at = int(np.argmin(np.abs(one.step - step)))
        mean, error = (float(one.simulation[name][at]) for name in ("mean", "error"))
        paper, ours = one.paper[at] / mean - 1, one.ours[at] / mean - 1
        rows.append((step, one.gamma, one.batch, mean, NORMAL_95 * error / mean, paper, ours))
    return pd.DataFrame(rows, columns=["step", "gamma", "batch", "mean", "error", "paper_error", "our_error"])


def excess_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the paper's theory gives the effect of a batch, the fourth moments as its correction."""
    claims = []
    for row in found.itertuples():
        measured, printed, corrected = Measurement.none("a few seeds decide the mean from the second step on"), 0.0, 0.0
        if not math.isnan(row.excess):
            low, high = (end - 1 for end in row.interval)
            measured = Measurement.of(row.excess - 1, (low, high), (1.0, row.last), meaning=MEAN)
            printed, corrected = row.paper - 1, row.ours - 1
        allowed = max(EXCESS_SHARE * corrected, EXCESS_LEAST)
        claims.append(
            judged(
                plan,
                f"batch.excess.gamma-{row.gamma:g}.b{row.batch}",
                "App. C, eqs. 18-31",
                f"The theory gives what batch B = {row.batch} adds to the loss at infinite batch, "
                f"gamma = {row.gamma:g}, N = {plan.width}.",
                "mean loss over that at infinite batch, minus 1, averaged over log steps, window in steps",
                printed,
                measured,
                "simulation",
                Tolerance(allowed, "what a batch adds: 10 % of it, at least 1 % of the loss"),
                corrected=corrected,
                seeds=plan.seeds,
                runs=plan.compared(row.gamma, row.batch),
                note=""
                if row.last == plan.steps
                else f"later the largest hundredth of the seeds has up to {row.top:.0%} of the sum",
                needs="errors of the averaged excess from single seeds, or more seeds",
            )
        )
    return claims


def excess_figure(plan: Plan, found: Sequence[BatchCurves]) -> Figure:
    """Draw the loss over that at infinite batch against steps, one panel per richness."""
    with drawing(8.6, len(plan.gammas), sharex=True) as (figure, panels):
        for axes, gamma in zip(panels, plan.gammas, strict=True):
            shown = [one for one in found if one.gamma == gamma]
            for color, one in zip(SIZES, shown, strict=False):
                excess, errors = one.simulation["excess"] - 1, 2 * one.simulation["excess_error"]
                _dots(axes, one.step, excess, errors, color, 3.5, 0.9, f"$B = {one.batch}$")
                axes.plot(one.step, one.ours / one.infinite - 1, color=color, linewidth=1.5)
                axes.plot(one.step, one.paper / one.infinite - 1, "--", color=color, linewidth=1.3)
            axes.set(xscale="log", yscale="log")
            top = max(float(np.max(one.ours / one.infinite)) for one in shown) - 1
            axes.set(ylim=(3e-3, 4 * top), title=rf"$\gamma = {gamma:g}$", ylabel=r"$L_B / L_\infty - 1$")
        panels[-1].set_xlabel("steps $t$")
        handles, labels = panels[0].get_legend_handles_labels()
        spaces = {"columnspacing": 1.2, "handletextpad": 0.2}
        figure.legend(handles, labels, loc="outside upper center", ncols=len(labels), **spaces)
        lines = [Line2D([], [], color=INK, linestyle=style, linewidth=1.4) for style in ("--", "-")]
        figure.legend(lines, ["paper", "with fourth moment"], loc="outside lower center", ncols=2)
    return figure


def error_figure(found: pd.DataFrame) -> Figure:
    """Draw the relative error of both theories against B, one panel per richness."""
    gammas = found.gamma.unique()
    with drawing(4.4, 1, len(gammas), sharex=True, sharey=True) as (figure, panels):
        for axes, gamma in zip(panels, gammas, strict=True):
            rows = found[found.gamma == gamma]
            x, noise = rows.batch.to_numpy(np.float64), (2 * rows.error / rows.excess).to_numpy()
            axes.fill_between(x, 1e-5, noise, color=MUTED, alpha=0.25, linewidth=0, label="error of simulation")
            for values, color, marker, label in (
                (rows.paper_error, INK, "s", "paper"),
                (rows.our_error, RICH, "o", "with fourth moment"),
            ):
                axes.errorbar(x, values.abs(), noise, fmt=f"{marker}-", color=color, elinewidth=1.0, label=label)
            last = abs(rows.paper_error.iloc[-1])
            axes.plot(x, 1.7 * last * x[-1] / x, ":", color=MUTED, linewidth=1.6, label="$1/B$")
            axes.set_xscale("log", base=2)
            axes.set_xticks(x, rows.batch)
            axes.set(yscale="log", title=rf"$\gamma = {gamma:g}$", xlabel="batch $B$")
        panels[0].set(ylim=(1e-3, 1.0), ylabel="relative error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def spread_figure(plan: Plan, found: Sequence[BatchCurves]) -> Figure:
    """Draw mean, median, spread and single runs at the smallest batch, one panel per richness."""
    shown = [one for one in found if one.batch == plan.batches[0]]
    with drawing(8.2, len(shown), sharex=True) as (figure, panels):
        for axes, one in zip(panels, shown, strict=True):
            arrays = one.simulation
            band = {"color": SIZES[1], "alpha": 0.2, "linewidth": 0, "label": "16 to 84 %"}
            axes.fill_between(one.step, arrays["low"], arrays["high"], **band)
            for curve in arrays["first"]:
                axes.plot(one.step, curve, color=MUTED, linewidth=0.6)
            axes.plot(one.step, arrays["median"], color=SIZES[1], label="median")
            _dots(axes, one.step, arrays["mean"], 2 * arrays["error"], RICH, 4, 1.0, "mean")
            axes.plot(one.step, one.paper, "--", color=INK, linewidth=1.4, label="paper")
            axes.plot(one.step, one.ours, color=INK, linewidth=1.4, label="with fourth moment")
            axes.set(xscale="log", yscale="log", title=rf"$B = {one.batch}$, $\gamma = {one.gamma:g}$", ylabel="loss")
            axes.set(ylim=(0.4 * float(arrays["low"].min()), 3 * float(one.ours[0])))
        panels[-1].set_xlabel("steps $t$")
        panels[0].legend(loc="lower left", ncols=2)
    return figure


def _dots(
    axes: Axes, step: Array, values: Array, errors: Array, color: str, size: float, width: float, label: str
) -> None:
    axes.errorbar(step, values, errors, fmt="o", markersize=size, elinewidth=width, color=color, label=label)
