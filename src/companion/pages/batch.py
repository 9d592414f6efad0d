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

from companion.claims import Claim, Measurement, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, SIZES, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import TimeGrid, largest_stable_eta, mean_square_stability, solve
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.finite_data_runs import MinibatchDMFTRun, MinibatchRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_sgd_loss

#: Agreement of the loss relative to infinite batch: half of what other pages allow for a loss, since the finite width cancels.
EXCESS_TOLERANCE = 0.025
#: A mean whose 95 % error is more than this fraction of it is decided by a few seeds and measures nothing.
LARGEST_ERROR = 0.25


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

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = [self.theory(gamma, math.inf, False) for gamma in self.gammas]
        for gamma, batch in itertools.product(self.gammas, self.batches):
            runs += [self.simulation(gamma, batch), *(self.theory(gamma, batch, which) for which in (False, True))]
        return list(dict.fromkeys(runs))


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
    """Average the effect of a batch, the loss over that at infinite batch, over log steps.

    ``error`` is the standard error of ``excess``, an upper bound: the mean of those of single steps. ``median`` is the lowest
    ratio of median to mean, ``top`` the largest share of the sum that the largest hundredth of the seeds has, ``diverged``
    the number of seeds that blew up. A row is ``measured`` if the mean over seeds is known at all: at small batch a single
    rich seed can be all of it.
    """
    rows = []
    for one in found:
        weights = np.gradient(np.log(one.step))
        weights = weights / weights.sum()
        arrays = one.simulation
        excess, error, paper, ours = (
            float(values @ weights)
            for values in (arrays["excess"], arrays["excess_error"], one.paper / one.infinite, one.ours / one.infinite)
        )
        median, top = float(np.min(arrays["median"] / arrays["mean"])), float(np.max(arrays["top"]))
        interval = Measurement.with_error(excess, error).interval
        errors = (paper / excess - 1, ours / excess - 1)
        measured = NORMAL_95 * error < LARGEST_ERROR * excess
        last = int(arrays["diverged"][-1])
        rows.append((one.gamma, one.batch, excess, interval, error, paper, ours, *errors, median, top, last, measured))
    columns = ["gamma", "batch", "excess", "interval", "error", "paper", "ours", "paper_error", "our_error"]
    return pd.DataFrame(rows, columns=[*columns, "median", "top", "diverged", "measured"])


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
    doubt = "; the largest hundredth of the seeds has {:.0%} of the sum, so that there is no mean to compare"
    return [
        judged(
            plan,
            f"batch.excess.gamma-{row.gamma:g}.b{row.batch}",
            "Appendix C, eqs. 18-31",
            f"The theory gives the loss at batch B = {row.batch} relative to infinite batch, "
            f"gamma = {row.gamma:g}, N = {plan.width}.",
            "mean loss over that at infinite batch, averaged over log steps",
            row.paper,
            Measurement.of(row.excess, row.interval),
            EXCESS_TOLERANCE,
            corrected=row.ours,
            remark="" if row.measured else doubt.format(row.top),
        )
        for row in found.itertuples()
    ]


def excess_figure(plan: Plan, found: Sequence[BatchCurves]) -> Figure:
    """Draw the loss over that at infinite batch against steps, one panel per richness."""
    with book_style():
        figure = new_figure(8.6)
        panels = np.atleast_1d(figure.subplots(len(plan.gammas), 1, sharex=True))
        for axes, gamma in zip(panels, plan.gammas, strict=True):
            shown = [one for one in found if one.gamma == gamma]
            for color, one in zip(SIZES, shown, strict=False):
                excess, errors = one.simulation["excess"] - 1, 2 * one.simulation["excess_error"]
                _dots(axes, one.step, excess, errors, color, 3.5, 0.9, f"$B = {one.batch}$")
                axes.plot(one.step, one.ours / one.infinite - 1, color=color, linewidth=1.5)
                axes.plot(one.step, one.paper / one.infinite - 1, "--", color=color, linewidth=1.3)
            axes.set_xscale("log")
            axes.set_yscale("log")
            top = max(float(np.max(one.ours / one.infinite)) for one in shown) - 1
            axes.set_ylim(3e-3, 4 * top)
            axes.set_title(rf"$\gamma = {gamma:g}$")
            axes.set_ylabel(r"$L_B / L_\infty - 1$")
        panels[-1].set_xlabel("steps $t$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1.2, handletextpad=0.2
        )
        lines = [Line2D([], [], color=INK, linestyle=style, linewidth=1.4) for style in ("--", "-")]
        figure.legend(lines, ["paper", "with fourth moment"], loc="outside lower center", ncols=2)
    return figure


def error_figure(found: pd.DataFrame) -> Figure:
    """Draw the relative error of both theories against B, one panel per richness."""
    with book_style():
        figure = new_figure(4.4)
        gammas = found.gamma.unique()
        panels = np.atleast_1d(figure.subplots(1, len(gammas), sharex=True, sharey=True))
        for axes, gamma in zip(panels, gammas, strict=True):
            rows = found[(found.gamma == gamma) & found.measured]
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
            axes.set_yscale("log")
            axes.set_title(rf"$\gamma = {gamma:g}$")
            axes.set_xlabel("batch $B$")
        panels[0].set_ylim(1e-3, 1.0)
        panels[0].set_ylabel("relative error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def spread_figure(plan: Plan, found: Sequence[BatchCurves]) -> Figure:
    """Draw mean, median, spread and single runs at the smallest batch, one panel per richness."""
    with book_style():
        figure = new_figure(8.2)
        shown = [one for one in found if one.batch == plan.batches[0]]
        panels = np.atleast_1d(figure.subplots(len(shown), 1, sharex=True))
        for axes, one in zip(panels, shown, strict=True):
            arrays = one.simulation
            axes.fill_between(
                one.step, arrays["low"], arrays["high"], color=SIZES[1], alpha=0.2, linewidth=0, label="16 to 84 %"
            )
            for curve in arrays["first"]:
                axes.plot(one.step, curve, color=MUTED, linewidth=0.6)
            axes.plot(one.step, arrays["median"], color=SIZES[1], label="median")
            _dots(axes, one.step, arrays["mean"], 2 * arrays["error"], RICH, 4, 1.0, "mean")
            axes.plot(one.step, one.paper, "--", color=INK, linewidth=1.4, label="paper")
            axes.plot(one.step, one.ours, color=INK, linewidth=1.4, label="with fourth moment")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(rf"$B = {one.batch}$, $\gamma = {one.gamma:g}$")
            axes.set_ylabel("loss")
            axes.set_ylim(0.4 * float(arrays["low"].min()), 3 * float(one.ours[0]))
        panels[-1].set_xlabel("steps $t$")
        panels[0].legend(loc="lower left", ncols=2)
    return figure


def _dots(
    axes: Axes, step: Array, values: Array, errors: Array, color: str, size: float, width: float, label: str
) -> None:
    axes.errorbar(step, values, errors, fmt="o", markersize=size, elinewidth=width, color=color, label=label)
