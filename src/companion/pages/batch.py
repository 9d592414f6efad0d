"""What a small batch does to the loss: the fourth moments of Gaussian features that the paper's noise leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.optimize import brentq

from companion.claims import Claim, Measurement, Page, fact, judge
from companion.parameters import Parameters
from companion.style import INK, MUTED, RICH, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.finite_data import MinibatchDMFTRun, MinibatchRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw

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

    def quadrature(self) -> ModeQuadrature:
        """Return the modes, for the lazy network at infinite width."""
        return PowerLaw(self.alpha, self.beta, self.modes).quadrature(4 * max(self.eta * self.steps, 1.0))


@dataclass(frozen=True)
class BatchCurves:
    """Simulation and both theories at one richness and batch, on recorded steps from 1 on, each of shape (R,)."""

    # gamma, batch: richness and B
    gamma: float
    batch: int
    step: Array  # steps
    # excess, excess_error: simulated mean loss over that of the same seeds at infinite batch, and its standard
    # error
    excess: Array
    excess_error: Array
    # paper, ours: the same ratio by the paper's theory and with fourth moments
    paper: Array
    ours: Array
    simulation: Result  # statistics of the simulation
    # paper_loss, our_loss: loss by either theory
    paper_loss: Array
    our_loss: Array


@dataclass(frozen=True)
class ErrorRow:
    """The effect of a batch averaged over log steps."""

    # gamma, batch: richness and B
    gamma: float
    batch: int
    # excess, standard_error: simulated loss over that at infinite batch; the error is an upper bound (mean of the
    # errors of the steps)
    excess: float
    standard_error: float
    # paper, ours: the same by the paper's theory and with fourth moments
    paper: float
    ours: float
    lowest_median: float  # smallest ratio of median to mean over the recorded steps
    top: float  # largest share of the sum over seeds that one seed in a hundred has, over the recorded steps
    diverged: int  # seeds that blew up by the last step

    @property
    def measured(self) -> bool:
        """Whether the mean over seeds is known at all: at small batch a single rich seed can be all of it."""
        return NORMAL_95 * self.standard_error < LARGEST_ERROR * self.excess

    @property
    def paper_error(self) -> float:
        """Relative error of the paper's theory."""
        return self.paper / self.excess - 1

    @property
    def our_error(self) -> float:
        """Relative error with fourth moments."""
        return self.ours / self.excess - 1


def second_moments(
    quadrature: ModeQuadrature, eta: float, batch: float, steps: int, fourth_moment: bool = True
) -> Array:
    """Return the exact mean loss of lazy SGD at infinite width, from the recursion of the second moments.

    ``m_k(t+1) = (1 - eta lambda_k)^2 m_k + (eta^2/B) (lambda_k L + lambda_k^2 m_k)`` with ``m_k = <v0_k^2>`` and
    ``L = sum_k lambda_k m_k``. It closes on the diagonal, so that nothing is neglected for Gaussian features.
    """
    lam, kept = quadrature.nodes, 1.0 if fourth_moment else 0.0
    factor = (1 - eta * lam) ** 2 + kept * (eta * lam) ** 2 / batch
    # m_k = (w*_k)^2 a_k + b_k, because the quadrature has weights for sums with (w*_k)^2 and for sums without.
    target, noise = np.ones_like(lam), np.zeros_like(lam)
    losses = np.empty(steps + 1)
    for t in range(steps + 1):
        losses[t] = (quadrature.target_weights * lam) @ target + (quadrature.weights * lam) @ noise
        target, noise = factor * target, factor * noise + eta**2 / batch * lam * losses[t]
    return losses


def largest_stable_step(quadrature: ModeQuadrature, batch: float) -> float:
    """Return the learning rate at which lazy SGD loses mean-square stability."""
    highest = 2 / (quadrature.nodes[0] * (1 + 1 / batch))
    found = brentq(
        lambda eta: min(mean_square_stability(quadrature, eta, batch), 2.0) - 1, 1e-9 * highest, (1 - 1e-12) * highest
    )
    return float(found)


def curves(plan: Plan, gamma: float, batch: int, results: Mapping[Experiment, Result]) -> BatchCurves:
    """Collect simulation and theories at one richness and batch."""
    simulation = results[plan.simulation(gamma, batch)]
    reference = results[plan.theory(gamma, math.inf, False)].arrays["loss"]
    paper, ours = (results[plan.theory(gamma, batch, which)].arrays["loss"] for which in (False, True))
    arrays = simulation.arrays
    require(
        bool(np.all(arrays["step"] == results[plan.theory(gamma, batch, True)].arrays["step"])),
        "results",
        "simulation and theory are recorded on different steps",
        "compute both with the same number of steps",
    )
    later = slice(1, None)  # at step 0 nothing has happened
    return BatchCurves(
        gamma,
        batch,
        arrays["step"][later],
        arrays["excess"][later],
        arrays["excess_error"][later],
        (paper / reference)[later],
        (ours / reference)[later],
        simulation,
        paper[later],
        ours[later],
    )


def error_row(found: BatchCurves) -> ErrorRow:
    """Average the effect of a batch over log steps."""
    weights = np.gradient(np.log(found.step))
    weights = weights / weights.sum()
    arrays = found.simulation.arrays
    excess, error, paper, ours = (
        float(values @ weights) for values in (found.excess, found.excess_error, found.paper, found.ours)
    )
    return ErrorRow(
        found.gamma,
        found.batch,
        excess,
        error,
        paper,
        ours,
        float(np.min(arrays["median"][1:] / arrays["mean"][1:])),
        float(np.max(arrays["top"])),
        int(arrays["diverged"][-1]),
    )


def excess_claims(rows: Sequence[ErrorRow], width: int, page: Page) -> list[Claim]:
    """Return the claims that the paper's theory gives the effect of a batch, the fourth moments as its correction."""
    claims = []
    for row in rows:
        interval = (row.excess - NORMAL_95 * row.standard_error, row.excess + NORMAL_95 * row.standard_error)
        verdict, reason = judge(row.paper, row.excess, interval, EXCESS_TOLERANCE, row.ours)
        if not row.measured:
            reason += f"; the largest hundredth of the seeds has {row.top:.0%} of the sum, so that there is no mean to compare"
        claims.append(
            fact(
                page,
                f"batch.excess.gamma-{row.gamma:g}.b{row.batch}",
                "Appendix C, eqs. 18-31",
                f"The theory gives the loss at batch B = {row.batch} relative to infinite batch, "
                f"gamma = {row.gamma:g}, N = {width}.",
                "mean loss over that at infinite batch, averaged over log steps",
                verdict,
                reason,
                row.paper,
                Measurement(row.excess, interval),
            )
        )
    return claims


# Dark to light, small batch to large; every one keeps 3 to 1 against white.
_COLORS = ("#2d1160", "#8c2981", "#c8406b", "#d9622b", "#8a8600", "#3d8a5f")


def excess_figure(found: Sequence[Sequence[BatchCurves]]) -> Figure:
    """Draw the loss over that at infinite batch against steps, one panel per richness."""
    with book_style():
        figure = new_figure(8.6)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True))
        for axes, batches in zip(panels, found, strict=True):
            for color, one in zip(_COLORS, batches, strict=False):
                axes.errorbar(
                    one.step,
                    one.excess - 1,
                    2 * one.excess_error,
                    fmt="o",
                    markersize=3.5,
                    elinewidth=0.9,
                    color=color,
                    label=f"$B = {one.batch}$",
                )
                axes.plot(one.step, one.ours - 1, color=color, linewidth=1.5)
                axes.plot(one.step, one.paper - 1, "--", color=color, linewidth=1.3)
            axes.set_xscale("log")
            axes.set_yscale("log")
            top = max(float(np.max(one.ours)) for one in batches) - 1
            axes.set_ylim(3e-3, 4 * top)
            axes.set_title(rf"$\gamma = {batches[0].gamma:g}$")
            axes.set_ylabel(r"$L_B / L_\infty - 1$")
        panels[-1].set_xlabel("steps $t$")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(
            handles, labels, loc="outside upper center", ncols=len(labels), columnspacing=1.2, handletextpad=0.2
        )
        lines = [Line2D([], [], color=INK, linestyle=style, linewidth=1.4) for style in ("--", "-")]
        figure.legend(lines, ["paper", "with fourth moment"], loc="outside lower center", ncols=2)
    return figure


def error_figure(rows: Sequence[Sequence[ErrorRow]]) -> Figure:
    """Draw the relative error of both theories against B, one panel per richness."""
    with book_style():
        figure = new_figure(4.4)
        panels = np.atleast_1d(figure.subplots(1, len(rows), sharex=True, sharey=True))
        for axes, every in zip(panels, rows, strict=True):
            batches = [row for row in every if row.measured]
            x = np.array([row.batch for row in batches], dtype=np.float64)
            noise = np.array([2 * row.standard_error / row.excess for row in batches])
            axes.fill_between(x, 1e-5, noise, color=MUTED, alpha=0.25, linewidth=0, label="error of simulation")
            for values, color, marker, label in (
                ([abs(row.paper_error) for row in batches], INK, "s", "paper"),
                ([abs(row.our_error) for row in batches], RICH, "o", "with fourth moment"),
            ):
                axes.errorbar(x, values, noise, fmt=f"{marker}-", color=color, elinewidth=1.0, label=label)
            last = abs(batches[-1].paper_error)
            axes.plot(x, 1.7 * last * x[-1] / x, ":", color=MUTED, linewidth=1.6, label="$1/B$")
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_title(rf"$\gamma = {every[0].gamma:g}$")
            axes.set_xlabel("batch $B$")
        panels[0].set_ylim(1e-3, 1.0)
        panels[0].set_ylabel("relative error")
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure


def spread_figure(found: Sequence[BatchCurves]) -> Figure:
    """Draw mean, median, spread and single runs at one batch, one panel per richness."""
    with book_style():
        figure = new_figure(8.2)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True))
        for axes, one in zip(panels, found, strict=True):
            arrays = {name: values[1:] for name, values in one.simulation.arrays.items() if values.ndim == 1}
            axes.fill_between(
                one.step, arrays["low"], arrays["high"], color=_COLORS[1], alpha=0.2, linewidth=0, label="16 to 84 %"
            )
            for curve in one.simulation.arrays["first"][:, 1:]:
                axes.plot(one.step, curve, color=MUTED, linewidth=0.6)
            axes.plot(one.step, arrays["median"], color=_COLORS[1], label="median")
            axes.errorbar(
                one.step,
                arrays["mean"],
                2 * arrays["error"],
                fmt="o",
                markersize=4,
                elinewidth=1.0,
                color=RICH,
                label="mean",
            )
            axes.plot(one.step, one.paper_loss, "--", color=INK, linewidth=1.4, label="paper")
            axes.plot(one.step, one.our_loss, color=INK, linewidth=1.4, label="with fourth moment")
            axes.set_xscale("log")
            axes.set_yscale("log")
            axes.set_title(rf"$B = {one.batch}$, $\gamma = {one.gamma:g}$")
            axes.set_ylabel("loss")
            axes.set_ylim(0.4 * float(arrays["low"].min()), 3 * float(one.our_loss[0]))
        panels[-1].set_xlabel("steps $t$")
        panels[0].legend(loc="lower left", ncols=2)
    return figure
