"""The SGD term: what a finite batch adds to the loss, lazy and rich, hard and easy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from companion.claims import Claim, Judgement, Measurement, Page, fact, judge
from companion.long_runs import LongRun
from companion.parameters import (
    Parameters,
)
from companion.style import INK, MUTED, book_style, new_figure
from companion.wear import Wear, wear
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import Regime, chi, lazy_loss, noise_coefficient, regime, sgd_exponent

#: Agreement of exponents in time.
EXPONENT_TOLERANCE = 0.05
#: Agreement of the relative excess with its prediction.
EXCESS_TOLERANCE = 0.1


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def plateau(self) -> list[Wear]:
        """Return the norm of the readout on a plateau, in theory and simulation."""
        law = PowerLaw(1.5, 0.8, self.plateau_modes)
        return wear(
            law,
            self.gamma,
            self.sim_eta,
            self.plateau_width,
            self.plateau_batch,
            self.plateau_times,
            self.plateau_seeds,
        )

    def long(self, alpha: float, beta: float) -> LongRun:
        """Return the long rich run of one task, without and with noise."""
        return LongRun(alpha, beta, self.gamma, self.rich_end, (math.inf, math.inf), (0.0, self.rich_noise))

    def simulated(self, batch: float) -> tuple[OnlineDMFTRun, ToyModelRun]:
        """Return theory and simulation at one batch."""
        common = (self.sim_alpha, self.sim_beta, self.sim_modes, self.sim_eta, self.gamma, self.sim_steps)
        return (
            OnlineDMFTRun(*common, width=self.sim_width, batch=batch),
            ToyModelRun(*common, width=self.sim_width, batch=batch, seeds=self.sim_seeds),
        )

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        long = [self.long(*task) for task in self.rich_tasks]
        return [*long, *self.simulated(math.inf), *self.simulated(self.sim_batch)]


@dataclass(frozen=True)
class LazyRow:
    """Exact first order in eta/B of a lazy task."""

    # alpha, beta, regime: task
    alpha: float
    beta: float
    regime: Regime
    # time, coefficient: eta * steps and the coefficient of eta/B, shape (T,)
    time: Array
    coefficient: Array
    relative: Array  # coefficient / (L_inf sum_k lambda_k / 2), shape (T,)
    fit: PowerLawFit  # decay exponent of the coefficient
    # paper, corrected: exponents
    paper: float
    corrected: float


@dataclass(frozen=True)
class ExactRow:
    """Exact mean loss of lazy SGD at one batch."""

    batch: float  # B
    # step, ratio: steps and loss over the loss at infinite batch, shape (R,)
    step: Array
    ratio: Array
    limit: float  # 1 / (1 - s) with s the mean-square-stability number
    first_order: float  # 1 + (eta/B) sum_k lambda_k / 2


@dataclass(frozen=True)
class RichRow:
    """Relative excess of a rich task."""

    # alpha, beta, gamma, noise: task, richness, eta/B
    alpha: float
    beta: float
    gamma: float
    noise: float
    time: Array  # eta * steps, shape (T,)
    excess: Array  # (L_B - L_inf) / L_inf, shape (T,)
    predicted: Array  # (eta/B) K sum_k lambda_k / 2 with K = 1 + gamma C_w measured, shape (T,)
    fit: PowerLawFit  # decay exponent of the excess in time; negative for growth
    fit_loss: PowerLawFit  # decay exponent of L_B - L_inf
    # paper, corrected: exponents of the term
    paper: float
    corrected: float
    fit_kernel: PowerLawFit | None  # decay exponent of the excess in the kernel's scale K; -1 means proportional to it
    ratio: tuple[float, float, float]  # lowest and highest excess / predicted in the window, and its last value


@dataclass(frozen=True)
class Simulated:
    """Simulated relative excess."""

    time: Array  # centres of bins of time, eta * steps, shape (bins,)
    # excess, error: mean over seeds and times in the bin of (L_B - L_inf) / <L_inf>, and its standard error, shape
    # (bins,)
    excess: Array
    error: Array
    theory: Array  # the same from the theory at the same width, shape (bins,)


def lazy_rows(plan: Plan) -> list[LazyRow]:
    """Evaluate the exact lazy coefficient of eta/B for every task."""
    time = np.geomspace(1.0, plan.lazy_end, 6 * math.ceil(math.log10(plan.lazy_end)) + 1)
    first, last = plan.lazy_window
    rows = []
    for alpha, beta in plan.tasks:
        modes = PowerLaw(alpha, beta).quadrature(4 * plan.lazy_end)
        coefficient = noise_coefficient(modes, time)
        relative = coefficient / (lazy_loss(modes, time) * modes.trace / 2)
        fit = fit_power_law(time, coefficient, (first, last))
        paper, corrected = sgd_exponent(alpha, beta, False, "paper"), sgd_exponent(alpha, beta, False, "corrected")
        rows.append(LazyRow(alpha, beta, regime(alpha, beta), time, coefficient, relative, fit, paper, corrected))
    return rows


def second_moments(modes: ModeQuadrature, eta: float, batch: float, steps: int) -> tuple[Array, Array]:
    """Run the exact recursion of the mean loss of lazy SGD at infinite width, Gaussian features.

    ``m_k' = (1 - eta lambda_k)^2 m_k + (eta^2/B) (lambda_k L + lambda_k^2 m_k)`` for ``m_k = <v0_k^2>`` and
    ``L = sum_k lambda_k m_k``. It is linear in the initial ``(w*_k)^2``, so on quadrature nodes the part proportional to it and
    the part that noise feeds are kept apart.
    """
    nodes = modes.nodes
    per_batch = 0.0 if math.isinf(batch) else 1 / batch
    shrink = (1 - eta * nodes) ** 2 + eta**2 * per_batch * nodes**2
    start, fed = modes.target_weights * nodes, np.zeros(nodes.size)
    plain, gain = modes.weights * nodes, eta**2 * per_batch * nodes
    own = np.ones(nodes.size)
    wanted = log_spaced_steps(steps)
    losses, position = np.empty(wanted.size), 0
    for step in range(steps + 1):
        loss = float(start @ own + plain @ fed)
        if step == wanted[position]:
            losses[position] = loss
            position += 1
        own *= shrink
        fed *= shrink
        fed += gain * loss
    return wanted, losses


def exact_rows(plan: Plan) -> list[ExactRow]:
    """Run the exact recursion at every batch."""
    law = PowerLaw(plan.exact_alpha, plan.exact_beta)
    modes = law.quadrature(4 * plan.exact_eta * plan.exact_steps)
    step, infinite = second_moments(modes, plan.exact_eta, math.inf, plan.exact_steps)
    rows = []
    for batch in plan.exact_batches:
        _, loss = second_moments(modes, plan.exact_eta, batch, plan.exact_steps)
        limit = 1 / (1 - mean_square_stability(modes, plan.exact_eta, batch))
        rows.append(ExactRow(batch, step, loss / infinite, limit, 1 + plan.exact_eta / batch * modes.trace / 2))
    return rows


def rich_rows(plan: Plan, results: Mapping[Experiment, Result]) -> list[RichRow]:
    """Take the relative excess from the long rich runs."""
    first, last = plan.rich_window
    rows = []
    for alpha, beta in plan.rich_tasks:
        arrays = results[plan.long(alpha, beta)].arrays
        kept = arrays["time"] > 0
        time, base = arrays["time"][kept], arrays["loss"][0, kept]
        excess = arrays["loss"][1, kept] / base - 1
        growth = 1 + plan.gamma * arrays["weight_norm"][0, kept]
        trace = PowerLaw(alpha, beta).quadrature(1e3).trace
        predicted = plan.rich_noise * growth * trace / 2
        inside = (time >= first) & (time <= last)
        ratio = (excess / predicted)[inside]
        fit = fit_power_law(time[inside], excess[inside])
        fit_loss = fit_power_law(time[inside], (excess * base)[inside])
        # A kernel that settles gives nothing to fit against.
        fit_kernel = fit_power_law(growth[inside], excess[inside]) if beta < 1 else None
        paper, corrected = sgd_exponent(alpha, beta, True, "paper"), sgd_exponent(alpha, beta, True, "corrected")
        extremes = (float(ratio.min()), float(ratio.max()), float(ratio[-1]))
        rows.append(
            RichRow(
                alpha=alpha,
                beta=beta,
                gamma=plan.gamma,
                noise=plan.rich_noise,
                time=time,
                excess=excess,
                predicted=predicted,
                fit=fit,
                fit_loss=fit_loss,
                paper=paper,
                corrected=corrected,
                fit_kernel=fit_kernel,
                ratio=extremes,
            )
        )
    return rows


def simulated(plan: Plan, results: Mapping[Experiment, Result], bins: int = 6) -> Simulated:
    """Compare simulated and theoretical relative excess, in bins of log time.

    A simulation at finite batch and the one at infinite batch share A(0) seed by seed: their difference is free of most of its
    noise.
    """
    (theory_inf, run_inf), (theory_fin, run_fin) = plan.simulated(math.inf), plan.simulated(plan.sim_batch)
    step = results[run_inf].arrays["step"]
    base = results[run_inf].arrays["loss"].astype(np.float64)
    per_seed = (results[run_fin].arrays["loss"].astype(np.float64) - base) / base.mean(axis=0)
    theory = results[theory_fin].arrays["loss"] / results[theory_inf].arrays["loss"] - 1
    edges = np.geomspace(max(1.0 / plan.sim_eta, 2.0), plan.sim_steps, bins + 1)
    time, excess, error, expected = [], [], [], []
    for low, high in itertools.pairwise(edges):
        inside = (step >= low * (1 - 1e-9)) & (step <= high * (1 + 1e-9))
        weights = np.gradient(np.log(step[inside]))
        weights /= weights.sum()
        values = per_seed[:, inside] @ weights
        time.append(plan.sim_eta * math.sqrt(low * high))
        excess.append(values.mean())
        error.append(values.std(ddof=1) / math.sqrt(values.size))
        expected.append(theory[inside] @ weights)
    return Simulated(np.array(time), np.array(excess), np.array(error), np.array(expected))


def claims(
    lazy: Sequence[LazyRow],
    exact: Sequence[ExactRow],
    rich: Sequence[RichRow],
    simulation: Simulated,
    page: Page,
) -> list[Claim]:
    """Judge everything on the page."""
    found = []
    for row in lazy:
        judged = judge(
            row.paper, row.fit.exponent, row.fit.interval, EXPONENT_TOLERANCE, _differs(row.paper, row.corrected)
        )
        found.append(
            _exponent_claim(
                f"sgdnoise.lazy.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "eq. 8",
                f"The SGD term of the lazy {row.regime} task, alpha = {row.alpha:g}, beta = {row.beta:g}, falls as "
                "t^-(2 - 1/alpha).",
                row.paper,
                row.fit,
                judged,
                page,
            )
        )
    for task in rich:
        judged = judge(
            task.paper,
            task.fit_loss.exponent,
            task.fit_loss.interval,
            2 * EXPONENT_TOLERANCE,
            _differs(task.paper, task.corrected),
        )
        kind = regime(task.alpha, task.beta)
        found.append(
            _exponent_claim(
                f"sgdnoise.rich.alpha-{task.alpha:g}.beta-{task.beta:g}",
                "eq. 9",
                f"The SGD term of the rich {kind} task, alpha = {task.alpha:g}, beta = {task.beta:g}, falls as "
                "t^-((2 - 1/alpha) m).",
                task.paper,
                task.fit_loss,
                judged,
                page,
            )
        )
        if task.fit_kernel is not None:
            low, high, late = task.ratio
            grown = judge(-1.0, task.fit_kernel.exponent, task.fit_kernel.interval, EXCESS_TOLERANCE)
            found.append(
                fact(
                    page,
                    f"sgdnoise.growth.alpha-{task.alpha:g}.beta-{task.beta:g}",
                    "section 6",
                    "The relative excess by SGD noise of a rich hard task is proportional to (eta/B) K(t), which grows "
                    f"(alpha = {task.alpha:g}, beta = {task.beta:g}).",
                    "decay exponent of the relative excess in K (-1: proportional), window in K",
                    grown.verdict,
                    f"{grown.reason}; at the end it is {late:.2f} times (eta/B) K sum_k lambda_k / 2, "
                    f"{low:.2f} to {high:.2f} times in the window",
                    -1.0,
                    Measurement(task.fit_kernel.exponent, task.fit_kernel.interval, task.fit_kernel.window),
                )
            )
            irrelevant = task.excess[task.time >= task.fit.window[0]]
            grows = bool(task.fit.interval[1] < 0)
            found.append(
                fact(
                    page,
                    f"sgdnoise.insignificant.alpha-{task.alpha:g}.beta-{task.beta:g}",
                    "section 6, Insignificance of SGD for Hard Tasks",
                    "For hard tasks transients of SGD are always suppressed.",
                    f"relative excess of the loss at the last time, eta/B = {task.noise:g}",
                    "corrected" if grows else "confirmed",
                    f"it grows as t^{-task.fit.exponent:.2f}; the statement holds while (eta/B) K sum_k lambda_k / 2 << 1"
                    if grows
                    else "it does not grow",
                    "falls to 0",
                    Measurement(
                        float(irrelevant[-1]), (float(irrelevant.min()), float(irrelevant.max())), task.fit.window
                    ),
                )
            )
    worst = max(exact, key=lambda one: abs(one.ratio[-1] / one.limit - 1))
    gaps = [float(one.ratio[-1] / one.limit) for one in exact]
    judged = judge(1.0, float(worst.ratio[-1] / worst.limit), (min(gaps), max(gaps)), 0.02)
    found.append(
        fact(
            page,
            "sgdnoise.lazy.constant",
            "eq. 8",
            "Lazy and hard, a finite batch multiplies the loss by a constant, 1/(1 - s), at any stable learning rate.",
            "exact loss ratio over 1/(1 - s) at the last step, the worst batch and the extremes",
            judged.verdict,
            judged.reason,
            1.0,
            Measurement(float(worst.ratio[-1] / worst.limit), (min(gaps), max(gaps))),
        )
    )
    rise = simulation.excess[-1] - simulation.excess[0]
    error = math.hypot(simulation.error[-1], simulation.error[0])
    clear = rise > NORMAL_95 * error
    found.append(
        fact(
            page,
            "sgdnoise.simulation.growth",
            "section 6, Insignificance of SGD for Hard Tasks",
            "In simulation the relative excess of a rich hard task grows with time.",
            "relative excess in the last bin of time minus that in the first",
            "confirmed" if clear else "inconclusive",
            "the rise exceeds its 95 % interval" if clear else "the rise does not exceed its 95 % interval",
            float(simulation.theory[-1] - simulation.theory[0]),
            Measurement(
                float(rise),
                (float(rise - NORMAL_95 * error), float(rise + NORMAL_95 * error)),
                (float(simulation.time[0]), float(simulation.time[-1])),
            ),
        )
    )
    return found


def _exponent_claim(
    name: str, place: str, statement: str, paper: float, fit: PowerLawFit, judged: Judgement, page: Page
) -> Claim:
    return fact(
        page,
        name,
        place,
        statement,
        "decay exponent of L_B - L_inf at first order in eta/B, against eta t",
        judged.verdict,
        judged.reason,
        paper,
        Measurement(fit.exponent, fit.interval, fit.window),
    )


def _differs(paper: float, corrected: float) -> float | None:
    return corrected if abs(paper - corrected) > 1e-9 else None


def growth_exponent(row: RichRow) -> float:
    """Return the exponent with which the relative excess of a rich task should grow: for hard tasks that of the kernel."""
    return float(chi(row.beta)) - row.corrected


def scale_prefactor(beta: float) -> float:
    """Return the factor c of a rich hard task when only the scale of the kernel is kept.

    Noise acts directly (1) and by damping the growth of the kernel (the rest).
    """
    m = 2 / (1 + beta)
    feedback = beta * m / (2 * m - 1)
    return 1 + feedback / (2**beta - 1) / (2 + feedback)


_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f", "#7a7a12", "#7c3aed")


def lazy_figure(rows: Sequence[LazyRow]) -> Figure:
    """Draw the exact coefficient of eta/B, and relative to the loss."""
    with book_style():
        figure = new_figure(8.8)
        upper, lower = figure.subplots(2, 1)
        for row, color in zip(rows, _COLORS, strict=False):
            name = rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$ ({row.regime})"
            upper.loglog(row.time, row.coefficient, color=color, label=name)
            first, last = row.fit.window
            span = np.geomspace(first, last, 2)
            anchor = float(np.interp(np.log(first), np.log(row.time), np.log(row.coefficient)))
            upper.loglog(span, 1.5 * np.exp(anchor) * (span / first) ** -row.corrected, "--", color=INK, linewidth=1.1)
            if abs(row.paper - row.corrected) > 1e-9:
                upper.loglog(span, np.exp(anchor) * (span / first) ** -row.paper, ":", color=color, linewidth=1.6)
            lower.loglog(row.time, row.relative, color=color)
        upper.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
        upper.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
        upper.legend(loc="lower left", fontsize=10)
        upper.set_ylabel(r"$(B/\eta)(L_B - L_\infty)$")
        upper.set_title(r"(a) coefficient of $\eta/B$")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set_ylim(0.2, 200)
        lower.set_title(r"(b) the same over $L_\infty \sum_k \lambda_k / 2$")
        lower.set_ylabel("relative coefficient")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure


def exact_figure(rows: Sequence[ExactRow]) -> Figure:
    """Draw the exact ratio of the losses at finite and infinite batch."""
    with book_style():
        figure = new_figure(4.4)
        axes = figure.subplots()
        for row, color in zip(rows, _COLORS, strict=False):
            axes.semilogx(row.step[1:], row.ratio[1:], color=color, label=f"$B = {row.batch:g}$")
            axes.axhline(row.limit, color=INK, linewidth=1.1, linestyle="--")
            axes.axhline(row.first_order, color=color, linewidth=1.4, linestyle=":")
        axes.plot([], [], "--", color=INK, linewidth=1.1, label=r"$1/(1-s)$")
        axes.plot([], [], ":", color=MUTED, linewidth=1.4, label="first order")
        axes.set_xlabel("steps")
        axes.set_ylabel(r"$L_B / L_\infty$")
        axes.legend(loc="upper right", ncols=2)
    return figure


def rich_figure(rows: Sequence[RichRow], simulation: Simulated) -> Figure:
    """Draw the relative excess of rich tasks, long runs and simulation."""
    with book_style():
        figure = new_figure(8.2)
        upper, lower = figure.subplots(2, 1)
        for row, color in zip(rows, _COLORS, strict=False):
            if regime(row.alpha, row.beta) == "super-easy":
                continue  # there the noise outgrows the loss by many powers of ten
            name = rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$"
            upper.loglog(row.time, row.excess / row.noise, color=color, label=name)
            upper.loglog(row.time, row.predicted / row.noise, "--", color=color, linewidth=1.3)
        upper.plot([], [], "--", color=INK, linewidth=1.3, label=r"$K \sum_k \lambda_k / 2$")
        upper.set_ylabel(r"$(B/\eta)\,(L_B/L_\infty - 1)$")
        upper.set_title(r"(a) mean field, small $\eta/B$")
        upper.legend(loc="upper left")
        lower.errorbar(
            simulation.time,
            simulation.excess,
            NORMAL_95 * simulation.error,
            fmt="o",
            color=_COLORS[1],
            capsize=2,
            label="simulation",
        )
        lower.semilogx(simulation.time, simulation.theory, "--", color=INK, linewidth=1.4, label="mean field")
        lower.set_ylim(bottom=0)
        lower.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
        lower.set_xlim(simulation.time[0] / 1.2, simulation.time[-1] * 1.2)
        lower.xaxis.set_minor_formatter(NullFormatter())
        lower.set_ylabel(r"$L_B/L_\infty - 1$")
        lower.set_title("(b) simulation")
        lower.legend(loc="upper left")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure
