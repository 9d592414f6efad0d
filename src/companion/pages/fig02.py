"""Figure 2: learning dynamics at infinite and finite width, and the step size that ends the rich gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.agreement import agreement_table, claims_at_both_ends, draw_mean
from companion.claims import Claim, Measurement, fact, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, SERIES, book_style, guide, new_figure, richness_color, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law, theory_window, window_sensitivity
from neural_scaling.models.runs import GradientFlowRun, InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi, edge_of_stability_step

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent at beta = 0.4 (0.171).
EXPONENT_TOLERANCE = 0.057


class Plan(Parameters):
    """What Figure 2 computes: the parameters of its notebook and the runs they make."""

    def discrete(self, beta: float) -> list[InfiniteLimitRun]:
        """Return the runs in unit steps of panel (a) or (b), one per richness."""
        eta, steps = self.eta_infinite, self.steps_infinite
        return [InfiniteLimitRun(self.alpha, beta, math.inf, eta, gamma, steps) for gamma in self.gammas]

    def flow(self, beta: float) -> list[GradientFlowRun]:
        """Return the gradient-flow runs of panel (a) or (b), one per richness."""
        eta, steps = self.eta_infinite, self.steps_infinite
        return [GradientFlowRun(self.alpha, beta, math.inf, eta, gamma, steps) for gamma in self.gammas]

    def theory(self, beta: float) -> list[OnlineDMFTRun]:
        """Return the mean-field runs of panel (c) or (d), one per width."""
        common = (self.alpha, beta, self.modes, self.eta_finite, self.gamma_finite, self.steps_finite)
        return [OnlineDMFTRun(*common, width=width, batch=self.batch) for width in self.widths]

    def simulation(self, beta: float) -> list[ToyModelRun]:
        """Return the simulations of panel (c) or (d), one per width."""
        common = (self.alpha, beta, self.modes, self.eta_finite, self.gamma_finite, self.steps_finite)
        return [ToyModelRun(*common, width=width, batch=self.batch, seeds=self.seeds) for width in self.widths]

    def edge(self) -> list[InfiniteLimitRun]:
        """Return the runs of the edge-of-stability study, richness varying fastest."""
        return [
            InfiniteLimitRun(self.alpha, self.beta_hard, math.inf, eta, gamma, self.steps_edge)
            for eta in self.etas_edge
            for gamma in self.gammas_edge
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for beta in (self.beta_easy, self.beta_hard):
            runs += [*self.discrete(beta), *self.flow(beta), *self.theory(beta), *self.simulation(beta)]
        return list(dict.fromkeys([*runs, *self.edge()]))


@dataclass(frozen=True)
class InfinitePanel:
    """Panels (a) and (b): one task at N, B -> infinity."""

    alpha: float
    beta: float  # source
    eta: float  # learning rate
    gammas: tuple[float, ...]  # richness of each curve
    # discrete, flow: results of InfiniteLimitRun and GradientFlowRun, one per richness
    discrete: tuple[Result, ...]
    flow: tuple[Result, ...]


@dataclass(frozen=True)
class FinitePanel:
    """Panels (c) and (d): one task at finite width."""

    beta: float  # source
    widths: tuple[int, ...]  # N of each curve
    # theory, simulation: results of OnlineDMFTRun and ToyModelRun, one per width
    theory: tuple[Result, ...]
    simulation: tuple[Result, ...]


def infinite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> InfinitePanel:
    """Collect the curves of panel (a) or (b)."""
    discrete = tuple(results[run] for run in plan.discrete(beta))
    flow = tuple(results[run] for run in plan.flow(beta))
    return InfinitePanel(plan.alpha, beta, plan.eta_infinite, tuple(plan.gammas), discrete, flow)


def finite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> FinitePanel:
    """Collect theory and simulation of panel (c) or (d)."""
    theory = tuple(results[run] for run in plan.theory(beta))
    return FinitePanel(beta, tuple(plan.widths), theory, tuple(results[run] for run in plan.simulation(beta)))


def exponents(panel: InfinitePanel) -> pd.DataFrame:
    """Fit every curve of a panel in the window that theory gives for it; ``moved`` is over windows whose ends move by two."""
    rows = []
    for gamma, result in zip(panel.gammas, panel.discrete, strict=True):
        step, loss = result.arrays["step"][1:], result.arrays["loss"][1:]
        edge = edge_of_stability_step(panel.beta, gamma, panel.eta)
        window = theory_window(
            panel.alpha, panel.beta, panel.eta, gamma, float(step[-1]), edge_step=edge if edge < math.inf else None
        )
        found = Measurement.exponent(fit_power_law(step, loss, window.span))
        moved = window_sensitivity(step, loss, window)
        predicted = float(chi(panel.beta, rich=gamma > 0))
        rows.append((gamma, predicted, *found.columns(), (moved.low, moved.high)))
    return pd.DataFrame(rows, columns=["gamma", "predicted", "exponent", "interval", "window", "moved"])


def agreement(panel: FinitePanel) -> pd.DataFrame:
    """Compare the mean of the simulations with the theory at every width."""
    return agreement_table(panel.widths, panel.theory, panel.simulation)


def edge_of_stability(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Find when each run of the study reaches the edge of stability, and the exponents before and after it.

    ``edge`` is the first recorded step with a sharpness, eta times the largest eigenvalue of the kernel, of 2; ``predicted``
    is the theory's with prefactor one.
    """
    rows = []
    for run in plan.edge():
        arrays, eta, gamma = results[run].arrays, run.eta, run.gamma
        step, loss = arrays["step"], arrays["loss"]
        beyond = np.flatnonzero(eta * arrays["sharpness"] >= 2)
        edge = float(step[beyond[0]]) if beyond.size else math.inf
        window = theory_window(
            run.alpha, run.beta, eta, gamma, float(run.steps), edge_step=edge if beyond.size else None, allow_empty=True
        )
        before = math.nan if window.empty else fit_power_law(step[1:], loss[1:], window.span).exponent
        # Three times the edge: past the oscillation by which the dynamics settles there. A third of a decade is left.
        late = (3 * edge, float(run.steps))
        after = fit_power_law(step[1:], loss[1:], late).exponent if late[1] > 2.2 * late[0] else math.nan
        rows.append((eta, gamma, edge, edge_of_stability_step(run.beta, gamma, eta), before, after))
    return pd.DataFrame(rows, columns=["eta", "gamma", "edge", "predicted", "before", "after"])


def exponent_claims(plan: Plan, panel: InfinitePanel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents of panel (a) or (b): lazy, smallest and largest richness."""
    letter, task = ("b", "hard") if panel.beta < 1 else ("a", "easy")
    rich = [row for row in found.itertuples() if row.gamma > 0]
    chosen = [row for row in found.itertuples() if row.gamma == 0] + rich[:1] + rich[-1:]
    return [
        judged(
            plan,
            f"fig02.{task}.gamma-{row.gamma:g}",
            f"Fig. 2{letter}, eqs. 8-10",
            f"The loss of the {task} task (beta = {panel.beta:g}), "
            f"{'lazy' if row.gamma == 0 else f'rich, gamma = {row.gamma:g}'}, falls as t^-{row.predicted:.3f}.",
            "exponent of the loss in steps",
            row.predicted,
            Measurement.of(row.exponent, row.interval, row.window),
            EXPONENT_TOLERANCE,
            doubt="; at this richness the curve is still on its way from the lazy to the rich power when the window ends"
            if panel.beta < 1
            else "; just above beta = 1 the kernel settles only like (eta t)^(1 - beta), so the power is approached slowly",
        )
        for row in {row.gamma: row for row in chosen}.values()
    ]


def constant_claim(plan: Plan, panel: InfinitePanel) -> Claim:
    """Return the claim that richness lowers the constant of an easy task without changing its power."""
    last = [float(result.arrays["loss"][-1]) for result in panel.discrete]
    falling = all(b < a for a, b in itertools.pairwise(last))
    return fact(
        plan,
        "fig02.easy.constant",
        "Fig. 2a, section 4",
        "For an easy task richness lowers the loss at all late times by a constant factor.",
        f"loss at gamma = {panel.gammas[-1]:g} over loss at gamma = 0, last step",
        "confirmed" if falling and panel.gammas[0] == 0 else "not confirmed",
        "the loss at the last step falls with gamma" if falling else "the loss at the last step is not ordered",
        "below 1, and smaller the larger gamma",
        last[-1] / last[0],
    )


def agreement_claims(plan: Plan, panel: FinitePanel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest width."""
    letter, task = ("d", "hard") if panel.beta < 1 else ("c", "easy")
    return claims_at_both_ends(plan, found, f"2{letter}", task, "N")


def edge_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about where the rich exponent holds and that it is lost beyond the edge of stability."""
    rich, lost = float(chi(plan.beta_hard)), found.after.dropna()
    reached = found[found.edge < math.inf]
    ratios = reached.edge / reached.predicted
    return [
        fact(
            plan,
            "fig02.hard.beyond-the-edge",
            "Fig. 2b, eq. 10",
            f"The exponent {rich:.3f} of the hard task holds at any learning rate and for all times.",
            "exponent from three times the edge of stability on, median and extremes over runs",
            "not confirmed" if len(lost) and lost.max() < rich - EXPONENT_TOLERANCE else "inconclusive",
            "at fixed learning rate the kernel stops growing at the edge of stability and the rich exponent is lost"
            if len(lost)
            else "no run went far enough beyond the edge",
            rich,
            Measurement.median_of(lost),
        ),
        fact(
            plan,
            "fig02.hard.edge-step",
            "eq. 10 with gradient descent's bound",
            "The edge comes when eta (1 + gamma (eta t)^(1 - chi)) reaches 2, up to a prefactor of order one.",
            "step of the edge over the predicted step, median and extremes over runs",
            # An order-one prefactor: within a factor of five either way.
            "confirmed" if len(ratios) and ratios.min() > 0.2 and ratios.max() < 5 else "inconclusive",
            f"{len(reached)} of {len(found)} runs reach the edge",
            1.0,
            Measurement.median_of(ratios),
        ),
    ]


def infinite_figure(easy: InfinitePanel, hard: InfinitePanel) -> Figure:
    """Draw panels (a) and (b): loss against steps at N, B -> infinity for every richness."""
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            for gamma, discrete, flow in zip(panel.gammas, panel.discrete, panel.flow, strict=True):
                step, loss = discrete.arrays["step"][1:], discrete.arrays["loss"][1:]
                axes.loglog(step, loss, color=richness_color(gamma), label=rf"$\gamma = {gamma:g}$")
                dots = slice(4, None, 9)
                axes.loglog(
                    flow.arrays["step"][1:][dots],
                    flow.arrays["loss"][1:][dots],
                    ".",
                    color=richness_color(gamma),
                    markersize=5,
                )
            _guide(
                axes, step, panel.discrete[0].arrays["loss"][1:], panel.beta, rf"$t^{{-{panel.beta:g}}}$", above=True
            )
            if panel.beta < 1:
                power = float(chi(panel.beta))
                _guide(axes, step, panel.discrete[-1].arrays["loss"][1:], power, rf"$t^{{-{power:.3f}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, $N, B \to \infty$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            axes.legend(loc="lower left", ncols=2)
            upper = axes.secondary_xaxis("top", functions=_scaling(panel.eta))
            upper.set_xlabel(rf"$\eta t$  ($\eta = {panel.eta:g}$)", fontsize=11)
            axes.spines["top"].set_visible(True)
    return figure


def finite_figure(easy: FinitePanel, hard: FinitePanel) -> Figure:
    """Draw panels (c) and (d): simulated mean with band and theory, at every width."""
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (easy, hard), "cd", strict=True):
            for width, theory, simulation in zip(panel.widths, panel.theory, panel.simulation, strict=True):
                draw_mean(axes, simulation, width_color(width), f"$N = {width}$")
                step = theory.arrays["step"][1:]
                axes.loglog(step, theory.arrays["loss"][1:], "--", color=INK, linewidth=1.3)
            power = float(chi(panel.beta))
            _guide(axes, step, theory.arrays["loss"][1:], power, rf"$t^{{-{power:.3g}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, finite $N$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            handles = [*axes.get_legend_handles_labels()[0], Line2D([], [], color=INK, linestyle="--", linewidth=1.3)]
            labels = [*axes.get_legend_handles_labels()[1], "theory"]
            axes.legend(handles, labels, loc="lower left", ncols=2)
    return figure


def edge_figure(plan: Plan, results: Mapping[Experiment, Result], found: pd.DataFrame, gamma: float) -> Figure:
    """Draw loss and sharpness of the hard task against eta * steps at several learning rates and one richness."""
    edges = dict(zip(plan.edge(), found.edge, strict=True))
    shown = [run for run in plan.edge() if run.gamma == gamma]
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for run, color in zip(shown, SERIES, strict=False):
            step, loss, sharpness = (results[run].arrays[name] for name in ("step", "loss", "sharpness"))
            upper.loglog(run.eta * step[1:], loss[1:], color=color, label=rf"$\eta = {run.eta:g}$")
            lower.loglog(run.eta * step[1:], run.eta * sharpness[1:], color=color)
            if edges[run] < math.inf:
                at = int(np.searchsorted(step, edges[run]))
                for axes, value in ((upper, loss[at]), (lower, run.eta * sharpness[at])):
                    axes.plot(run.eta * step[at], value, "x", color=color, markersize=10, markeredgewidth=2.5)
        losses = [results[run].arrays["loss"] for run in shown]
        smallest, last = (
            min(run.eta for run in shown) * plan.steps_edge,
            max(run.eta for run in shown) * plan.steps_edge,
        )
        rich = float(chi(plan.beta_hard))
        anchor = losses[0][-1] * smallest**rich
        x = np.array([3.0, last])
        for power, scale, name in (
            (rich, 0.8 * anchor, r"$t^{-2\beta/(1+\beta)}$"),
            (plan.beta_hard, 2.2 * anchor, r"$t^{-\beta}$"),
        ):
            upper.loglog(x, scale * x**-power, "--", color=MUTED, linewidth=1.4)
            upper.annotate(name, (last, float(scale * last**-power)), (4, 0), textcoords="offset points", color=MUTED)
        # Spikes at the edge can exceed the first loss by far; they are cut here and said in the caption.
        upper.set_ylim(0.3 * min(loss.min() for loss in losses), 2 * losses[0][0])
        upper.set_ylabel("loss")
        upper.legend(loc="lower left")
        lower.axhline(2, color=MUTED, linestyle="--", linewidth=1.2)
        lower.annotate("edge of stability", (0.03, 2), (0, 4), textcoords="offset points", color=MUTED)
        lower.set_xlabel(r"$\eta t$")
        lower.set_ylabel(r"$\eta \times$ largest eigenvalue")
    return figure


def _guide(axes: Axes, step: Array, loss: Array, power: float, label: str, above: bool) -> None:
    """Draw a power law beside the last decade and a half of a curve."""
    x = np.array([step[-1] / 30, step[-1]])
    y = loss[-1] * (1.6 if above else 1 / 1.6) * (x / x[-1]) ** -power
    guide(axes, x, y, label, above=above)


def _scaling(factor: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    return (lambda x: x * factor, lambda x: x / factor)
