"""Figure 2: learning dynamics at infinite and finite width, and the step size that ends the rich gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.agreement import AgreementRow, agreement_rows, claims_at_both_ends
from companion.claims import Claim, Measurement, judged
from companion.parameters import (
    Capacity,
    Count,
    EasySource,
    FromLazy,
    HardSource,
    Parameters,
    Positive,
    Richness,
    Rising,
    RisingCounts,
    Seeds,
    Size,
)
from companion.style import INK, MUTED, book_style, new_figure, richness_color, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, fit_power_law, theory_window, window_sensitivity
from neural_scaling.models.runs import GradientFlowRun, InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi, edge_of_stability_step

ITEM = "fig02"

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent at beta = 0.4 (0.171).
EXPONENT_TOLERANCE = 0.057


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """What Figure 2 computes: the parameters of its notebook and the runs they make."""

    alpha: Capacity
    beta_easy: EasySource
    beta_hard: HardSource
    gammas: FromLazy
    eta_infinite: Positive
    steps_infinite: Count
    modes: Count
    widths: RisingCounts
    eta_finite: Positive
    gamma_finite: Richness
    batch: Size
    steps_finite: Count
    seeds: Seeds
    etas_edge: Rising
    gammas_edge: Rising
    steps_edge: Count

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


@dataclass(frozen=True)
class ExponentRow:
    """A fitted exponent beside its prediction."""

    gamma: float  # richness
    predicted: float  # chi(beta) for gamma > 0, beta for gamma = 0
    fit: PowerLawFit  # in the window that theory gives, in steps
    # lowest, highest: exponents over windows whose ends move by a factor of two
    lowest: float
    highest: float


@dataclass(frozen=True)
class EdgeRow:
    """One run towards or past the edge of stability."""

    # eta, gamma: learning rate and richness
    eta: float
    gamma: float
    step: Array  # steps recorded, shape (R,)
    loss: Array  # shape (R,)
    sharpness: Array  # eta times the largest eigenvalue of the kernel, shape (R,)
    edge: float  # first recorded step with sharpness >= 2, or infinity
    predicted_edge: float  # the same from the theory's scaling with prefactor one
    # before, after: exponents in the theory's window up to the edge and from three times the edge on; NaN where the
    # window is too short
    before: float
    after: float


def infinite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> InfinitePanel:
    """Collect the curves of panel (a) or (b)."""
    discrete = tuple(results[run] for run in plan.discrete(beta))
    flow = tuple(results[run] for run in plan.flow(beta))
    return InfinitePanel(plan.alpha, beta, plan.eta_infinite, tuple(plan.gammas), discrete, flow)


def finite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> FinitePanel:
    """Collect theory and simulation of panel (c) or (d)."""
    theory = tuple(results[run] for run in plan.theory(beta))
    return FinitePanel(beta, tuple(plan.widths), theory, tuple(results[run] for run in plan.simulation(beta)))


def exponents(panel: InfinitePanel) -> list[ExponentRow]:
    """Fit every curve of a panel in the window that theory gives for it."""
    rows = []
    for gamma, result in zip(panel.gammas, panel.discrete, strict=True):
        step, loss = result.arrays["step"][1:], result.arrays["loss"][1:]
        edge = edge_of_stability_step(panel.beta, gamma, panel.eta)
        window = theory_window(
            panel.alpha, panel.beta, panel.eta, gamma, float(step[-1]), edge_step=edge if edge < math.inf else None
        )
        fit = fit_power_law(step, loss, window.span)
        moved = window_sensitivity(step, loss, window)
        predicted = float(chi(panel.beta, rich=gamma > 0))
        rows.append(ExponentRow(gamma, predicted, fit, moved.low, moved.high))
    return rows


def agreement(panel: FinitePanel) -> list[AgreementRow]:
    """Compare the mean of the simulations with the theory at every width."""
    return agreement_rows(panel.widths, panel.theory, panel.simulation)


def edge_of_stability(plan: Plan, results: Mapping[Experiment, Result]) -> list[EdgeRow]:
    """Find when each run of the study reaches the edge of stability and what follows."""
    rows = []
    for run in plan.edge():
        arrays, eta, gamma = results[run].arrays, run.eta, run.gamma
        step, loss, sharpness = arrays["step"], arrays["loss"], eta * arrays["sharpness"]
        beyond = np.flatnonzero(sharpness >= 2)
        edge = float(step[beyond[0]]) if beyond.size else math.inf
        window = theory_window(
            run.alpha, run.beta, eta, gamma, float(run.steps), edge_step=edge if beyond.size else None, allow_empty=True
        )
        before = math.nan if window.empty else fit_power_law(step[1:], loss[1:], window.span).exponent
        # Three times the edge: past the oscillation by which the dynamics settles there. A third of a decade is left.
        late = (3 * edge, float(run.steps))
        after = fit_power_law(step[1:], loss[1:], late).exponent if late[1] > 2.2 * late[0] else math.nan
        predicted = edge_of_stability_step(run.beta, gamma, eta)
        rows.append(EdgeRow(eta, gamma, step, loss, sharpness, edge, predicted, before, after))
    return rows


def exponent_claims(panel: InfinitePanel, scale: str) -> list[Claim]:
    """Return the claims about the exponents of panel (a) or (b): lazy, smallest and largest richness."""
    letter, task = ("b", "hard") if panel.beta < 1 else ("a", "easy")
    rows = exponents(panel)
    rich = [row for row in rows if row.gamma > 0]
    chosen = [row for row in rows if row.gamma == 0] + rich[:1] + rich[-1:]
    claims = []
    for row in dict.fromkeys(chosen):
        kind = "lazy" if row.gamma == 0 else f"rich, gamma = {row.gamma:g}"
        claims.append(
            judged(
                f"fig02.{task}.gamma-{row.gamma:g}",
                f"Fig. 2{letter}, eqs. 8-10",
                f"The loss of the {task} task (beta = {panel.beta:g}), {kind}, falls as t^-{row.predicted:.3f}.",
                "exponent of the loss in steps",
                row.predicted,
                Measurement.exponent(row.fit),
                EXPONENT_TOLERANCE,
                scale,
                doubt="; at this richness the curve is still on its way from the lazy to the rich power when the window ends"
                if panel.beta < 1
                else "; just above beta = 1 the kernel settles only like (eta t)^(1 - beta), so the power is approached slowly",
            )
        )
    return claims


def constant_claim(panel: InfinitePanel, scale: str) -> Claim:
    """Return the claim that richness lowers the constant of an easy task without changing its power."""
    last = [float(result.arrays["loss"][-1]) for result in panel.discrete]
    ratios = [value / last[0] for value in last]
    falling = all(b < a for a, b in itertools.pairwise(ratios))
    return Claim(
        id="fig02.easy.constant",
        item=ITEM,
        location="Fig. 2a, section 4",
        statement="For an easy task richness lowers the loss at all late times by a constant factor.",
        quantity=f"loss at gamma = {panel.gammas[-1]:g} over loss at gamma = 0, last step",
        predicted=None,
        predicted_text="below 1, and smaller the larger gamma",
        measured=ratios[-1],
        interval=(ratios[-1], ratios[-1]),
        window=None,
        scale=scale,
        verdict="confirmed" if falling and panel.gammas[0] == 0 else "not confirmed",
        reason="the loss at the last step falls with gamma" if falling else "the loss at the last step is not ordered",
    )


def agreement_claims(panel: FinitePanel, scale: str) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest width."""
    letter, task = ("d", "hard") if panel.beta < 1 else ("c", "easy")
    return claims_at_both_ends(agreement(panel), f"2{letter}", task, "N", scale)


def edge_claims(rows: Sequence[EdgeRow], beta: float, scale: str) -> list[Claim]:
    """Return the claims about where the rich exponent holds and that it is lost beyond the edge of stability."""
    rich, lost = float(chi(beta)), [row.after for row in rows if not math.isnan(row.after)]
    reached = [row for row in rows if row.edge < math.inf]
    claims = [
        Claim(
            id="fig02.hard.beyond-the-edge",
            item=ITEM,
            location="Fig. 2b, eq. 10",
            statement=f"The exponent {rich:.3f} of the hard task holds at any learning rate and for all times.",
            quantity="exponent from three times the edge of stability on, median and extremes over runs",
            predicted=rich,
            measured=float(np.median(lost)) if lost else None,
            interval=(min(lost), max(lost)) if lost else None,
            window=None,
            scale=scale,
            verdict="not confirmed" if lost and max(lost) < rich - EXPONENT_TOLERANCE else "inconclusive",
            reason="at fixed learning rate the kernel stops growing at the edge of stability and the rich exponent is lost"
            if lost
            else "no run went far enough beyond the edge",
        )
    ]
    ratios = [row.edge / row.predicted_edge for row in reached]
    claims.append(
        Claim(
            id="fig02.hard.edge-step",
            item=ITEM,
            location="eq. 10 with gradient descent's bound",
            statement="The edge comes when eta (1 + gamma (eta t)^(1 - chi)) reaches 2, up to a prefactor of order one.",
            quantity="step of the edge over the predicted step, median and extremes over runs",
            predicted=1.0,
            measured=float(np.median(ratios)) if ratios else None,
            interval=(min(ratios), max(ratios)) if ratios else None,
            window=None,
            scale=scale,
            # An order-one prefactor: within a factor of five either way.
            verdict="confirmed" if ratios and min(ratios) > 0.2 and max(ratios) < 5 else "inconclusive",
            reason=f"{len(reached)} of {len(rows)} runs reach the edge",
        )
    )
    return claims


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
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color = width_color(width)
                axes.loglog(step, mean, color=color, label=f"$N = {width}$")
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a tenth of the mean.
                lower = np.maximum(mean - spread, 0.1 * mean)
                axes.fill_between(step, lower, mean + spread, color=color, alpha=0.2, linewidth=0)
                axes.loglog(theory.arrays["step"][1:], theory.arrays["loss"][1:], "--", color=INK, linewidth=1.3)
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


def edge_figure(rows: Sequence[EdgeRow], beta: float, gamma: float) -> Figure:
    """Draw loss and sharpness of the hard task against eta * steps at several learning rates and one richness."""
    shown = [row for row in rows if row.gamma == gamma]
    colors = ["#1a1a1a", "#0072b2", "#0d8577", "#c2410c", "#8e1a4f"]
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for row, color in zip(shown, colors, strict=False):
            time = row.eta * row.step[1:]
            upper.loglog(time, row.loss[1:], color=color, label=rf"$\eta = {row.eta:g}$")
            lower.loglog(time, row.sharpness[1:], color=color)
            if row.edge < math.inf:
                at = int(np.searchsorted(row.step, row.edge))
                upper.plot(row.eta * row.edge, row.loss[at], "x", color=color, markersize=10, markeredgewidth=2.5)
                lower.plot(row.eta * row.edge, row.sharpness[at], "x", color=color, markersize=10, markeredgewidth=2.5)
        last = max(row.eta * row.step[-1] for row in shown)
        smallest = min(shown, key=lambda row: row.eta)
        anchor = smallest.loss[-1] * (smallest.eta * smallest.step[-1]) ** float(chi(beta))
        x = np.array([3.0, last])
        for power, scale, name in (
            (float(chi(beta)), 0.8 * anchor, r"$t^{-2\beta/(1+\beta)}$"),
            (beta, 2.2 * anchor, r"$t^{-\beta}$"),
        ):
            upper.loglog(x, scale * x**-power, "--", color=MUTED, linewidth=1.4)
            upper.annotate(name, (last, float(scale * last**-power)), (4, 0), textcoords="offset points", color=MUTED)
        # Spikes at the edge can exceed the first loss by far; they are cut here and said in the caption.
        upper.set_ylim(0.3 * min(row.loss.min() for row in shown), 2 * shown[0].loss[0])
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
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4)
    axes.annotate(
        label,
        (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
        (6, 8) if above else (-6, -18),
        textcoords="offset points",
        ha="left" if above else "right",
        color=MUTED,
    )


def _scaling(factor: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    return (lambda x: x * factor, lambda x: x / factor)
