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

from companion.agreement import Compared, claims_at_both_ends, compared, draw_mean
from companion.claims import EXTREMES, SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.parameters import Parameters
from companion.style import MUTED, SERIES, THEORY, drawing, entries, guide, richness_colors, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import kernel_flow
from neural_scaling.fits import fit_power_law, late_window, theory_window, window_sensitivity
from neural_scaling.models.runs import GradientFlowRun, InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, edge_of_stability_step, effective_time, self_consistent_curve

#: Last eta * steps of the gradient flows on which the asymptotic exponents are measured.
LATEST = 1e9
#: Unit steps follow gradient flow to this share of the loss.
FLOW = 0.05
#: The edge comes where it is predicted, up to a prefactor of order one.
ORDER_ONE = Tolerance(math.log10(5), "a factor of five either way")


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
        cases = itertools.product(self.etas_edge, self.gammas_edge)
        return [InfiniteLimitRun(self.alpha, self.beta_hard, math.inf, *case, self.steps_edge) for case in cases]

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


def infinite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> InfinitePanel:
    """Collect the curves of panel (a) or (b)."""
    discrete = tuple(results[run] for run in plan.discrete(beta))
    flow = tuple(results[run] for run in plan.flow(beta))
    return InfinitePanel(plan.alpha, beta, plan.eta_infinite, tuple(plan.gammas), discrete, flow)


def finite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> Compared:
    """Collect theory and simulation of panel (c) or (d)."""
    return compared(beta, plan.widths, plan.simulation(beta), plan.theory(beta), results)


def exponents(panel: InfinitePanel) -> pd.DataFrame:
    """Fit every curve of a panel in the window that theory gives for it; ``moved`` is over windows whose ends move by two.

    ``closure`` is the exponent of eq. 67, the approximation behind the predicted power, in the same window, ``beside`` the
    interval of the exponent beside it, in which a bend of both does not count; ``flow`` is the loss over that of gradient flow
    where it departs most from 1.
    """
    rows = []
    for gamma, discrete, flow in zip(panel.gammas, panel.discrete, panel.flow, strict=True):
        step, loss = discrete.arrays["step"][1:], discrete.arrays["loss"][1:]
        edge = edge_of_stability_step(panel.beta, gamma, panel.eta)
        ends = (float(step[-1]), edge if edge < math.inf else None)
        window = theory_window(panel.alpha, panel.beta, panel.eta, gamma, ends[0], edge_step=ends[1])
        found = Measurement.exponent(fit_power_law(step, loss, window.span))
        moved = window_sensitivity(step, loss, window)
        closure = self_consistent_curve(panel.alpha, panel.beta, gamma, panel.eta * step).loss
        expected = fit_power_law(step, closure, window.span).exponent
        low, high = fit_power_law(step, loss / closure, window.span).interval
        ratio = loss / flow.arrays["loss"][1:]
        ratio = ratio[(step >= window.start) & (step <= window.end)]
        furthest = float(ratio[np.argmax(np.abs(ratio - 1))])
        predicted = float(chi(panel.beta, rich=gamma > 0))
        pairs = (moved.low, moved.high), (expected + low, expected + high)
        rows.append((gamma, predicted, *found.columns(), *pairs, expected, furthest))
    columns = ["gamma", "predicted", "exponent", "interval", "window", "moved", "beside", "closure", "flow"]
    return pd.DataFrame(rows, columns=columns)


def late_exponents(panel: InfinitePanel) -> pd.DataFrame:
    """Fit gradient flow up to eta * steps of :data:`LATEST` where the kernel has its late form, smallest and largest richness."""
    rich = [gamma for gamma in panel.gammas if gamma > 0]
    rows = []
    for gamma in dict.fromkeys((*rich[:1], *rich[-1:])):
        window = late_window(panel.alpha, panel.beta, gamma, LATEST)
        reached = float(effective_time(panel.beta, gamma, 1.0, LATEST))
        modes, time = PowerLaw(panel.alpha, panel.beta).quadrature(8 * reached), np.geomspace(1e-2, LATEST, 122)
        fit = None if window.empty else fit_power_law(time, kernel_flow(modes, gamma, time).loss, window.span)
        rows.append((gamma, float(chi(panel.beta)), *Measurement.exponent(fit).columns()))
    return pd.DataFrame(rows, columns=["gamma", "predicted", "exponent", "interval", "window"])


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


def exponent_claims(plan: Plan, panel: InfinitePanel, found: pd.DataFrame, late: pd.DataFrame) -> list[Claim]:
    """Return the claims about the curves of panel (a) or (b): asymptotic powers, and the steps shown beside the theory."""
    letter, task = ("b", "hard") if panel.beta < 1 else ("a", "easy")
    lazy = found[found.gamma == 0]
    cases = [("in steps", "eqs. 8, 10", row) for row in lazy.itertuples()]
    cases += [("in eta t, gradient flow at late times", "eqs. 9, 10", row) for row in late.itertuples()]
    claims = [
        judged(
            plan,
            f"fig02.{task}.gamma-{row.gamma:g}",
            f"Fig. 2{letter}, {equations}",
            f"The loss of the {task} task (beta = {panel.beta:g}), "
            f"{'lazy' if row.gamma == 0 else f'rich, gamma = {row.gamma:g}'}, falls as t^-{row.predicted:.3f}.",
            f"exponent of the loss {where}",
            row.predicted,
            Measurement.of(row.exponent, row.interval, row.window, "the kernel has no late form by then", SLOPE),
            "theory",
            needs="gradient flow to later times",
        )
        for where, equations, row in cases
    ]
    claims += [
        judged(
            plan,
            f"fig02.{task}.gamma-{row.gamma:g}.steps",
            f"Fig. 2{letter}, eq. 67",
            f"The approximation behind the power matches the exact equations over the steps of the figure, {task} task, "
            f"gamma = {row.gamma:g}.",
            "exponent of the loss in steps; predicted: that of eq. 67 in the same window",
            row.closure,
            Measurement.of(row.exponent, row.beside, row.window, meaning=SLOPE),
            "theory",
            needs="a window in which the ratio of the curves bends less",
        )
        for row in found.itertuples()
        if row.gamma in set(late.gamma)
    ]
    claims.append(
        bounded(
            plan,
            f"fig02.{task}.flow",
            f"Fig. 2{letter}, eqs. 44, 52",
            f"In unit steps the loss of the {task} task is that of gradient flow at the same eta t, to {FLOW:.0%}.",
            "largest departure from 1 of the loss over that of gradient flow, all richnesses, windows of the fits",
            "below",
            FLOW,
            Measurement.exact(float((found.flow - 1).abs().max())),
            "theory",
        )
    )
    return claims


def order_claim(plan: Plan, panel: InfinitePanel) -> Claim:
    """Return the claim that the loss falls with richness."""
    letter, task = ("b", "hard") if panel.beta < 1 else ("a", "easy")
    last = [float(result.arrays["loss"][-1]) for result in panel.discrete]
    ratios = [b / a for a, b in itertools.pairwise(last)]
    return bounded(
        plan,
        f"fig02.{task}.{'order' if panel.beta < 1 else 'constant'}",
        f"Fig. 2{letter}, section 4",
        f"The loss of {'a hard' if panel.beta < 1 else 'an easy'} task falls as richness grows.",
        "loss over that at the next smaller richness, last step, largest of all",
        "below",
        1.0,
        Measurement.of(max(ratios), (min(ratios), max(ratios)), meaning=EXTREMES),
        "theory",
        note=f"the loss at gamma = {panel.gammas[-1]:g} is {last[-1] / last[0]:.2g} of that at gamma = {panel.gammas[0]:g}",
    )


def agreement_claims(plan: Plan, panel: Compared, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest width."""
    letter, task = ("d", "hard") if panel.beta < 1 else ("c", "easy")
    return claims_at_both_ends(plan, found, f"2{letter}", task, "N")


def edge_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about when the edge of stability comes and what the exponent is beyond it."""
    rich, reached = float(chi(plan.beta_hard)), found[found.edge < math.inf]
    return [
        bounded(
            plan,
            "fig02.hard.beyond-the-edge",
            "ours, beside Fig. 2b",
            f"At a fixed learning rate the exponent of the hard task lies below {rich:.3f} past the edge of stability.",
            "exponent of the loss in steps from three times the edge on, median over runs",
            "below",
            rich,
            Measurement.median_of(found.after.dropna()),
            "theory",
            needs="runs that go further beyond the edge",
        ),
        judged(
            plan,
            "fig02.hard.edge-step",
            "ours, from eq. 10",
            "The edge comes when eta (1 + gamma (eta t)^(1 - chi)) reaches 2, up to a prefactor of order one.",
            "decimal logarithm of the step of the edge over the predicted step, median over runs",
            0.0,
            Measurement.median_of(np.log10(reached.edge / reached.predicted)),
            "theory",
            ORDER_ONE,
            note=f"{len(reached)} of {len(found)} runs reach the edge",
            needs="longer runs or larger learning rates",
        ),
    ]


def infinite_figure(easy: InfinitePanel, hard: InfinitePanel) -> Figure:
    """Draw panels (a) and (b): loss against steps at N, B -> infinity for every richness."""
    with drawing(8.6, 2) as (figure, sheet):
        for axes, panel, letter in zip(sheet, (easy, hard), "ab", strict=True):
            colors = richness_colors(panel.gammas)
            for gamma, discrete, flow in zip(panel.gammas, panel.discrete, panel.flow, strict=True):
                step, loss = discrete.arrays["step"][1:], discrete.arrays["loss"][1:]
                axes.loglog(step, loss, color=colors[gamma], label=rf"$\gamma = {gamma:g}$")
                dots = (flow.arrays[name][1:][4::9] for name in ("step", "loss"))
                axes.loglog(*dots, ".", color=colors[gamma], markersize=5)
            first, last = (panel.discrete[at].arrays["loss"][1:] for at in (0, -1))
            _guide(axes, step, first, panel.beta, rf"$t^{{-{panel.beta:g}}}$", above=True)
            if panel.beta < 1:
                power = float(chi(panel.beta))
                _guide(axes, step, last, power, rf"$t^{{-{power:.3f}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set(title=rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, $N, B \to \infty$", xlabel="steps $t$")
            axes.set(ylabel="loss")
            axes.legend(loc="lower left", ncols=2)
            upper = axes.secondary_xaxis("top", functions=_scaling(panel.eta))
            upper.set_xlabel(rf"$\eta t$  ($\eta = {panel.eta:g}$)", fontsize=11)
            axes.spines["top"].set_visible(True)
    return figure


def finite_figure(easy: Compared, hard: Compared) -> Figure:
    """Draw panels (c) and (d): simulated mean with band and theory, at every width."""
    with drawing(8.6, 2) as (figure, sheet):
        for axes, panel, letter in zip(sheet, (easy, hard), "cd", strict=True):
            for width, theory, simulation in zip(panel.sizes, panel.theory, panel.simulation, strict=True):
                draw_mean(axes, simulation, width_color(width), f"$N = {width}$")
                axes.loglog(panel.step, theory, **THEORY)
            power = float(chi(panel.beta))
            _guide(axes, panel.step, theory, power, rf"$t^{{-{power:.3g}}}$", above=False)
            kind = "hard" if panel.beta < 1 else "easy"
            axes.set(title=rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, finite $N$", xlabel="steps $t$")
            axes.set(ylabel="loss")
            axes.legend(*entries(axes, {"theory": THEORY}), loc="lower left", ncols=2)
    return figure


def edge_figure(plan: Plan, results: Mapping[Experiment, Result], found: pd.DataFrame, gamma: float) -> Figure:
    """Draw loss and sharpness of the hard task against eta * steps at several learning rates and one richness."""
    edges = dict(zip(plan.edge(), found.edge, strict=True))
    shown = [run for run in plan.edge() if run.gamma == gamma]
    with drawing(8.6, 2, sharex=True) as (figure, (upper, lower)):
        for run, color in zip(shown, SERIES, strict=False):
            step, loss, sharpness = (results[run].arrays[name] for name in ("step", "loss", "sharpness"))
            upper.loglog(run.eta * step[1:], loss[1:], color=color, label=rf"$\eta = {run.eta:g}$")
            lower.loglog(run.eta * step[1:], run.eta * sharpness[1:], color=color)
            if edges[run] < math.inf:
                at = int(np.searchsorted(step, edges[run]))
                for axes, value in ((upper, loss[at]), (lower, run.eta * sharpness[at])):
                    axes.plot(run.eta * step[at], value, "x", color=color, markersize=10, markeredgewidth=2.5)
        losses = [results[run].arrays["loss"] for run in shown]
        smallest, last = (end(run.eta for run in shown) * plan.steps_edge for end in (min, max))
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
        upper.set(ylim=(0.3 * min(loss.min() for loss in losses), 2 * losses[0][0]), ylabel="loss")
        upper.legend(loc="lower left")
        lower.axhline(2, color=MUTED, linestyle="--", linewidth=1.2)
        lower.annotate("edge of stability", (0.03, 2), (0, 4), textcoords="offset points", color=MUTED)
        lower.set(xlabel=r"$\eta t$", ylabel=r"$\eta \times$ largest eigenvalue")
    return figure


def _guide(axes: Axes, step: Array, loss: Array, power: float, label: str, above: bool) -> None:
    """Draw a power law beside the last decade and a half of a curve."""
    x = np.array([step[-1] / 30, step[-1]])
    y = loss[-1] * (1.6 if above else 1 / 1.6) * (x / x[-1]) ** -power
    guide(axes, x, y, label, above=above)


def _scaling(factor: float) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    return (lambda x: x * factor, lambda x: x / factor)
