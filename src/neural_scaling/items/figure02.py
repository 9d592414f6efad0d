"""Figure 2: learning dynamics at infinite and finite width, and the step size that ends the rich gain."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from neural_scaling.claims import Claim, Measurement, judged
from neural_scaling.experiments import GradientFlowRun, InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.fits import PowerLawFit, fit_power_law, theory_window, window_sensitivity
from neural_scaling.items.agreement import AgreementRow, agreement_rows, claims_at_both_ends
from neural_scaling.parameters import (
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
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import Array
from neural_scaling.theory import chi, edge_of_stability_step

ITEM = "fig02"

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent at beta = 0.4 (0.171).
EXPONENT_TOLERANCE = 0.057


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """What Figure 2 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    alpha
        Capacity.
    beta_easy, beta_hard
        Sources of (a, c) and (b, d).
    gammas
        Richness of each curve of (a, b).
    eta_infinite, steps_infinite
        Learning rate and steps of (a, b).
    modes, widths, eta_finite, gamma_finite, batch, steps_finite, seeds
        M, N, learning rate, richness, B, steps and simulations per width of (c, d).
    etas_edge, gammas_edge, steps_edge
        Learning rates, richnesses and steps of the study of the edge of stability.
    """

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
    """Panels (a) and (b): one task at N, B -> infinity.

    Attributes
    ----------
    beta
        Source.
    eta
        Learning rate.
    gammas
        Richness of each curve.
    discrete, flow
        Results of :class:`~neural_scaling.experiments.InfiniteLimitRun` and
        :class:`~neural_scaling.experiments.GradientFlowRun`, one per richness.
    """

    alpha: float
    beta: float
    eta: float
    gammas: tuple[float, ...]
    discrete: tuple[Result, ...]
    flow: tuple[Result, ...]


@dataclass(frozen=True)
class FinitePanel:
    """Panels (c) and (d): one task at finite width.

    Attributes
    ----------
    beta
        Source.
    widths
        N of each curve.
    theory, simulation
        Results of :class:`~neural_scaling.experiments.OnlineDMFTRun` and
        :class:`~neural_scaling.experiments.ToyModelRun`, one per width.
    """

    beta: float
    widths: tuple[int, ...]
    theory: tuple[Result, ...]
    simulation: tuple[Result, ...]


@dataclass(frozen=True)
class ExponentRow:
    """A fitted exponent beside its prediction.

    Attributes
    ----------
    gamma
        Richness.
    predicted
        ``chi(beta)`` for gamma > 0, ``beta`` for gamma = 0.
    fit
        In the window that theory gives, in steps.
    lowest, highest
        Exponents over windows whose ends move by a factor of two.
    """

    gamma: float
    predicted: float
    fit: PowerLawFit
    lowest: float
    highest: float


@dataclass(frozen=True)
class EdgeRow:
    """One run towards or past the edge of stability.

    Attributes
    ----------
    eta, gamma
        Learning rate and richness.
    step
        Steps recorded, shape (R,).
    loss
        Shape (R,).
    sharpness
        eta times the largest eigenvalue of the kernel, shape (R,).
    edge
        First recorded step with ``sharpness >= 2``, or infinity.
    predicted_edge
        The same from the theory's scaling with prefactor one.
    before, after
        Exponents in the theory's window up to the edge and from three times the edge on; NaN where the window is too
        short.
    """

    eta: float
    gamma: float
    step: Array
    loss: Array
    sharpness: Array
    edge: float
    predicted_edge: float
    before: float
    after: float


def infinite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> InfinitePanel:
    """Collect the curves of panel (a) or (b).

    Parameters
    ----------
    plan, beta
        The parameters and the source of the panel.
    results
        Result of every run of the plan.

    Returns
    -------
    InfinitePanel
    """
    discrete = tuple(results[run] for run in plan.discrete(beta))
    flow = tuple(results[run] for run in plan.flow(beta))
    return InfinitePanel(plan.alpha, beta, plan.eta_infinite, tuple(plan.gammas), discrete, flow)


def finite_panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> FinitePanel:
    """Collect theory and simulation of panel (c) or (d).

    Parameters
    ----------
    plan, beta
        The parameters and the source of the panel.
    results
        Result of every run of the plan.

    Returns
    -------
    FinitePanel
    """
    theory = tuple(results[run] for run in plan.theory(beta))
    return FinitePanel(beta, tuple(plan.widths), theory, tuple(results[run] for run in plan.simulation(beta)))


def exponents(panel: InfinitePanel) -> list[ExponentRow]:
    """Fit every curve of a panel in the window that theory gives for it.

    Parameters
    ----------
    panel
        Panel (a) or (b).

    Returns
    -------
    list of ExponentRow
    """
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
    """Compare the mean of the simulations with the theory at every width.

    Parameters
    ----------
    panel
        Panel (c) or (d).

    Returns
    -------
    list of AgreementRow
    """
    return agreement_rows(panel.widths, panel.theory, panel.simulation)


def edge_of_stability(plan: Plan, results: Mapping[Experiment, Result]) -> list[EdgeRow]:
    """Find when each run of the study reaches the edge of stability and what follows.

    Parameters
    ----------
    plan
        The parameters.
    results
        Result of every run of the plan.

    Returns
    -------
    list of EdgeRow
        One per learning rate and richness, richness varying fastest.
    """
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
    """Return the claims about the exponents of panel (a) or (b): lazy, smallest and largest richness.

    Parameters
    ----------
    panel
        The panel.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
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
    """Return the claim that richness lowers the constant of an easy task without changing its power.

    Parameters
    ----------
    panel
        Panel (a).
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    Claim
    """
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
    """Return the claims that theory describes simulation, at the smallest and the largest width.

    Parameters
    ----------
    panel
        Panel (c) or (d).
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    letter, task = ("d", "hard") if panel.beta < 1 else ("c", "easy")
    return claims_at_both_ends(agreement(panel), f"2{letter}", task, "N", scale)


def edge_claims(rows: Sequence[EdgeRow], beta: float, scale: str) -> list[Claim]:
    """Return the claims about where the rich exponent holds and that it is lost beyond the edge of stability.

    Parameters
    ----------
    rows
        Runs from :func:`edge_of_stability`.
    beta
        Source of the hard task.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
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
