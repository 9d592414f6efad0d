"""Figure 3: what a finite batch adds to the loss, for a hard and a super-easy task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import zeta

from companion.agreement import (
    agreement_table,
    claims_at_both_ends,
    dense_curve,
    draw_mean,
    mean_curve,
    resampled_mean,
    seed_losses,
)
from companion.claims import Claim, Measurement, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, guide, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import resampled
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits import fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import InfiniteLimitRun, LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    chi,
    kernel_growth_exponent,
    kernel_scale,
    sgd_exponent,
    step_of_modes,
    transient_exponent,
)

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent of the hard task (1/2 and 2/3).
EXPONENT_TOLERANCE = 0.055
#: One term counts as alone where it is this many times the next (prefactors one).
DOMINANCE = 10.0
#: SGD noise feeds on itself when the product of strength and kernel reaches one; runs end well before.
NOISE_LIMIT = 0.5
_RESAMPLES = 400
_TERM = ["name", "term", "location", "predicted", "exponent", "interval", "window"]


class Plan(Parameters):
    """What Figure 3 computes: the parameters of its notebook and the runs they make."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_same_length("batches", "seeds")

    def eta(self, beta: float) -> float:
        """Return the learning rate of the panel of a source."""
        return float(self.eta_hard if beta == self.beta_hard else self.eta_super_easy)

    def limit(self, beta: float) -> InfiniteLimitRun:
        """Return the run at infinite width and batch."""
        return InfiniteLimitRun(self.alpha, beta, math.inf, self.eta(beta), self.gamma, self.steps)

    def theory(self, beta: float) -> list[OnlineDMFTRun]:
        """Return the mean-field runs of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [OnlineDMFTRun(*common, width=self.width, batch=batch) for batch in self.batches]

    def simulation(self, beta: float) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [
            ToyModelRun(*common, width=self.width, batch=batch, seeds=seeds)
            for batch, seeds in zip(self.batches, self.seeds, strict=True)
        ]

    def long(self, beta: float) -> dict[tuple[float, float], LongDMFTRun]:
        """Return the mean-field runs to late times by (N, B).

        At infinite width: the smallest, the largest and an infinite batch. For the super-easy task also every batch, and an
        infinite one, at the width of the figure. A run ends where SGD noise would begin to feed on itself.
        """
        sizes = [(math.inf, float(batch)) for batch in (self.batches[0], self.batches[-1], math.inf)]
        if beta == self.beta_super_easy:
            sizes += [(float(self.width), float(batch)) for batch in (*self.batches, math.inf)]
        setting = (self.alpha, beta, math.inf, self.eta(beta), self.gamma)
        ends = [min(self.time_long, self._noise_end(beta, batch)) for _, batch in sizes]
        return {
            (width, batch): LongDMFTRun(*setting, end, width=width, batch=batch)
            for (width, batch), end in zip(sizes, ends, strict=True)
        }

    def _noise_end(self, beta: float, batch: float) -> float:
        """Return eta*steps at which ``(eta/B) K sum_k lambda_k / 2`` reaches :data:`NOISE_LIMIT`; infinite if it never does."""
        growth = kernel_growth_exponent(beta, rich=True)
        largest = NOISE_LIMIT * batch / (0.5 * self.eta(beta) * float(zeta(self.alpha)))
        return float(((largest - 1) / self.gamma) ** (1 / growth)) if growth > 0 else math.inf

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for beta in (self.beta_hard, self.beta_super_easy):
            runs += [*self.simulation(beta), *self.theory(beta), self.limit(beta), *self.long(beta).values()]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel:
    """One task: results of simulation and theory in unit steps, one per batch, and of the limits."""

    beta: float  # source
    simulation: tuple[Result, ...]
    theory: tuple[Result, ...]
    limit: Result  # infinite width and batch, in unit steps
    long: dict[tuple[float, float], Result]  # the theory to late times by (N, B), infinity included


def panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    simulation, theory = (tuple(results[run] for run in runs) for runs in (plan.simulation(beta), plan.theory(beta)))
    long = {sizes: results[run] for sizes, run in plan.long(beta).items()}
    return Panel(beta, simulation, theory, results[plan.limit(beta)], long)


def stability(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compute the mean-square-stability number of every batch, at first and with the kernel of the last step.

    ``growth`` is K = 1 + gamma C_w at the last step, at infinite width and batch.
    """
    # The sum converges once all modes with eta lambda_k of order one are resolved.
    quadrature, eta = PowerLaw(plan.alpha, panel.beta).quadrature(1e4), plan.eta(panel.beta)
    growth = 1 + plan.gamma * float(panel.limit.arrays["weight_norm"][-1])
    numbers = [
        [mean_square_stability(quadrature, rate, batch) for rate in (eta, eta * growth)] for batch in plan.batches
    ]
    rows = [(batch, growth, *pair) for batch, pair in zip(plan.batches, numbers, strict=True)]
    return pd.DataFrame(rows, columns=["batch", "growth", "first", "last"])


def agreement(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compare the mean of the simulations with the theory at every batch."""
    return agreement_table(plan.batches, panel.theory, panel.simulation, _RESAMPLES)


def excess(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compare every batch with the largest one.

    ``excess`` is the ratio of losses at the last step, less one, ``theory`` the same of the theory. ``slope`` is the change of
    the logarithm of that ratio per e-fold of steps over the last decade: by how much the exponents differ.
    """
    step = panel.simulation[0].arrays["step"][1:]
    late = step >= step[-1] / 10

    def both(ratio: Array) -> tuple[float, float]:
        return float(ratio[-1] - 1), float(np.polyfit(np.log(step[late]), np.log(ratio[late]), 1)[0])

    largest, expected = mean_curve(panel.simulation[-1])[1], panel.theory[-1].arrays["loss"][-1]
    largest_drawn = _resampled_means(panel.simulation[-1], stream=1)
    rows = []
    for batch, theory, simulation in zip(plan.batches[:-1], panel.theory[:-1], panel.simulation[:-1], strict=True):
        last, slope = both(mean_curve(simulation)[1] / largest)
        drawn = [both(a / b) for a, b in zip(_resampled_means(simulation), largest_drawn, strict=True)]
        lasts, slopes = zip(*drawn, strict=True)
        theory_last = float(theory.arrays["loss"][-1] / expected - 1)
        rows.append((batch, last, _around(last, lasts), theory_last, slope, _around(slope, slopes)))
    return pd.DataFrame(rows, columns=["batch", "excess", "interval", "theory", "slope", "slope_interval"])


def transients(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Fit the terms of a super-easy task one by one, each in the limit that isolates it, on the theory's late times.

    Windows come from the loss law with prefactors one: a term's window holds the times at which it is :data:`DOMINANCE` times
    the next one and at least ten modes are learned.
    """
    alpha, beta, eta, width, batch = plan.alpha, panel.beta, plan.eta(panel.beta), float(plan.width), plan.batches[0]
    learned = eta * step_of_modes(alpha, beta, plan.gamma, eta, 10.0)
    last = max(eta * float(result.arrays["step"][-1]) for result in (panel.limit, panel.long[math.inf, math.inf]))
    sgd, transient = sgd_exponent(alpha, beta, rich=True), transient_exponent(alpha, beta, rich=True)
    sgd_start = (DOMINANCE * batch / eta) ** (1 / (beta - sgd))
    transient_start = (DOMINANCE * width) ** (1 / (beta - transient))
    # The bottleneck N^-alpha against (1/N) t^-e.
    transient_end = (width ** (alpha - 1) / DOMINANCE) ** (1 / transient)
    rows = []
    for name, term, location, predicted, sizes, first, end in (
        ("gradient-flow", "gradient flow", "eq. 10", beta, (math.inf, math.inf), learned, last),
        ("sgd", "SGD transient", "eq. 9", sgd, (math.inf, float(batch)), sgd_start, last),
        ("finite-width", "finite-N transient", "eq. 9", transient, (width, math.inf), transient_start, transient_end),
    ):
        time, loss = late(plan, panel, sizes)
        window = max(learned, first), min(end, last, float(time[-1]))
        # A window shorter than a factor of two holds no power.
        fit = fit_power_law(time, loss, window) if window[1] > 2 * window[0] else None
        rows.append((name, term, location, predicted, *Measurement.exponent(fit).columns()))
    return pd.DataFrame(rows, columns=_TERM)


def hard_noise(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Fit the growth of the relative excess loss that SGD noise gives a hard task, in the theory at infinite width.

    The paper's law has ``(eta/B) t^-(2-1/alpha)m`` beside ``t^-beta m``, a ratio that falls; the corrected one has a ratio
    that grows like the kernel, ``t^(1-chi)``. The largest batch is taken, for which the excess stays small, and a window in
    which the growth of the kernel is :data:`DOMINANCE` times its initial scale.
    """
    time, relative = noise_share(plan, panel, plan.batches[-1])
    growth = kernel_growth_exponent(panel.beta, rich=True)
    window = ((DOMINANCE / plan.gamma) ** (1 / growth), float(time[-1]))
    usable = window[1] > 2 * window[0] and bool(np.all(relative[time >= window[0]] > 0))
    fit = fit_power_law(time[relative > 0], relative[relative > 0], window) if usable else None
    paper = sgd_exponent(plan.alpha, panel.beta, rich=True) - chi(panel.beta)
    row = ("noise", "relative excess of the loss", "eq. 9", paper, *Measurement.exponent(fit).columns())
    return pd.DataFrame([row], columns=_TERM)


def noise_share(plan: Plan, panel: Panel, batch: int) -> tuple[Array, Array]:
    """Return eta*steps and the relative excess loss that a batch causes at infinite width, in the theory at late times."""
    time, noisy = late(plan, panel, (math.inf, float(batch)))
    shown = time[time >= 1]
    quiet = resampled(*late(plan, panel, (math.inf, math.inf)), shown)
    return shown, noisy[time >= 1] / quiet - 1


def late(plan: Plan, panel: Panel, sizes: tuple[float, float]) -> tuple[Array, Array]:
    """Return eta*steps and the loss of the theory at late times."""
    arrays = panel.long[sizes].arrays
    kept = (arrays["step"] > 0) & (arrays["loss"] > 1e-12 * arrays["loss"][0])
    time = plan.eta(panel.beta) * arrays["step"][kept]
    return dense_curve(time, arrays["loss"][kept], float(time[0]))


def local_noise(plan: Plan, beta: float, batch: int, time: Array) -> Array:
    """Return the leading relative excess loss of a hard task, ``(eta/B) K sum_k lambda_k / 2``."""
    growth = kernel_scale(beta, plan.gamma, 1.0, time)
    return np.asarray(0.5 * plan.eta(beta) / batch * float(zeta(plan.alpha)) * growth)


def term_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents of single terms."""
    letter, task = _place(panel)
    return [
        judged(
            plan,
            f"fig03.{task}.{row.name}",
            f"Fig. 3{letter}, {row.location}",
            f"The {row.term} of the {task} task goes as t^{-row.predicted:+.3g}.",
            f"exponent of decay of the {row.term} in eta*steps, theory at late times",
            row.predicted,
            Measurement.of(row.exponent, row.interval, row.window),
            EXPONENT_TOLERANCE,
            # The corrected law differs from the paper's in the noise of a hard task.
            -kernel_growth_exponent(panel.beta, rich=True) if row.name == "noise" else None,
        )
        for row in found.itertuples()
    ]


def agreement_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest batch."""
    letter, task = _place(panel)
    doubt = "; the theory leaves out the fourth moment of the data, a relative correction of order 1/B"
    return claims_at_both_ends(plan, found, f"3{letter}", task, "B", doubt)


def shift_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that SGD noise leaves the scaling of a hard task alone, over the steps of the figure."""
    row = found.iloc[0]
    return judged(
        plan,
        "fig03.hard.shift",
        "Fig. 3a",
        "SGD noise does not significantly alter the scaling of a hard task.",
        f"exponent at B = {plan.batches[-1]} less that at B = {row.batch}, last decade of the simulated steps",
        0.0,
        Measurement.of(row.slope, row.slope_interval, (plan.steps / 10, plan.steps)),
        EXPONENT_TOLERANCE,
        remark=f"; the loss at B = {row.batch} is {100 * row.excess:.0f} % above that at B = {plan.batches[-1]} "
        "at the last step",
    )


def batch_claim(plan: Plan, panel: Panel) -> Claim:
    """Return the claim that the SGD transient is proportional to 1/B."""
    small, middle, large = plan.batches[0], next(batch for batch in plan.batches if batch >= 4), plan.batches[-1]
    step = panel.simulation[0].arrays["step"][1:]
    late = step >= step[-1] / 10
    # The excess over the largest batch is proportional to 1/B - 1/largest.
    predicted = (1 / small - 1 / large) / (1 / middle - 1 / large)

    def ratio(curves: Sequence[Array]) -> float:
        first, second, reference = (curve[late] for curve in curves)
        return float(np.mean(first - reference) / np.mean(second - reference))

    runs = [panel.simulation[plan.batches.index(batch)] for batch in (small, middle, large)]
    measured = ratio([mean_curve(run)[1] for run in runs])
    drawn = zip(*(_resampled_means(run, stream=stream) for stream, run in enumerate(runs)), strict=True)
    return judged(
        plan,
        "fig03.super-easy.one-over-b",
        "Fig. 3b, eq. 9",
        "The SGD transient of a super-easy task is proportional to 1/B.",
        f"excess over B = {large} at B = {small} over that at B = {middle}, last decade of steps",
        predicted,
        Measurement(measured, _around(measured, [ratio(curves) for curves in drawn]), (plan.steps / 10, plan.steps)),
        0.25 * predicted,
    )


def _place(panel: Panel) -> tuple[str, str]:
    """Return the letter of a panel and the name of its task."""
    return ("a", "hard") if panel.beta < 1 else ("b", "super-easy")


def _resampled_means(result: Result, stream: int = 0) -> list[Array]:
    """Return mean curves of seeds drawn with replacement; another stream draws independently."""
    losses, random = seed_losses(result), np.random.default_rng(stream)
    return [resampled_mean(losses, random) for _ in range(_RESAMPLES)]


def _around(value: float, drawn: Sequence[float]) -> tuple[float, float]:
    error = NORMAL_95 * float(np.std(drawn, ddof=1))
    return value - error, value + error


def batch_color(batch: float) -> str:
    """Colour of a batch: the scale of widths, from 2^0 on; an infinite batch is black."""
    return width_color(16 * batch)


def loss_figure(plan: Plan, hard: Panel, super_easy: Panel) -> Figure:
    """Draw loss against steps: simulated mean with band and theory, one curve per batch, and the guides."""
    with book_style():
        figure = new_figure(8.6)
        for axes, panel in zip(figure.subplots(2, 1), (hard, super_easy), strict=True):
            for batch, theory, simulation in zip(plan.batches, panel.theory, panel.simulation, strict=True):
                draw_mean(axes, simulation, batch_color(batch), f"$B = {batch}$", least=1 / 3, alpha=0.15)
                axes.loglog(theory.arrays["step"][1:], theory.arrays["loss"][1:], "--", color=INK, linewidth=1.1)
            lowest = min(float(mean_curve(simulation)[1].min()) for simulation in panel.simulation)
            limit = panel.limit.arrays
            axes.loglog(limit["step"][1:], limit["loss"][1:], ":", color=MUTED, linewidth=1.6)
            axes.set_ylim(0.25 * lowest, None)
            _guides(axes, plan, panel)
            letter, task = _place(panel)
            axes.set_title(rf"({letter}) {task} task, $\beta = {panel.beta:g}$, $N = {plan.width}$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            handles, labels = axes.get_legend_handles_labels()
            handles += [
                Line2D([], [], color=INK, linestyle="--", linewidth=1.1),
                Line2D([], [], color=MUTED, linestyle=":", linewidth=1.6),
            ]
            axes.legend(handles, [*labels, "theory", r"$N, B \to \infty$"], loc="lower left", ncols=2, fontsize=11)
    return figure


def late_figure(plan: Plan, hard: Panel, super_easy: Panel) -> Figure:
    """Draw the theory to late times: terms of the super-easy task, and what SGD noise adds to the hard one."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1)
        smallest, width = float(plan.batches[0]), float(plan.width)
        for batch in plan.batches:
            curve = late(plan, super_easy, (width, float(batch)))
            upper.loglog(*curve, color=batch_color(batch), label=f"$B = {batch}$")
        for sizes, style, label in (
            ((math.inf, math.inf), ":", r"$N, B = \infty$"),
            ((math.inf, smallest), "--", rf"$N = \infty$, $B = {smallest:g}$"),
            ((width, math.inf), "-.", rf"$B = \infty$, $N = {width:g}$"),
        ):
            upper.loglog(*late(plan, super_easy, sizes), style, color=INK, linewidth=1.2, label=label)
        upper.set_ylim(0.1 * float(late(plan, super_easy, (math.inf, smallest))[1][-1]), None)
        upper.set_title(rf"super-easy task, $\beta = {super_easy.beta:g}$, theory")
        upper.set_ylabel("loss")
        upper.legend(loc="lower left", ncols=2, fontsize=10)
        for batch in (plan.batches[0], plan.batches[-1]):
            time, relative = noise_share(plan, hard, batch)
            lower.loglog(time, relative, color=batch_color(batch), label=rf"$N = \infty$, $B = {batch}$")
            lower.loglog(time, local_noise(plan, hard.beta, batch, time), "--", color=MUTED, linewidth=1.3)
        lower.plot([], [], "--", color=MUTED, label=r"$(\eta / B)\, K(t)\, \sum_k \lambda_k / 2$")
        lower.set_title(rf"hard task, $\beta = {hard.beta:g}$, theory")
        lower.set_ylabel("relative excess loss")
        lower.set_xlabel(r"$\eta t$")
        lower.legend(loc="lower right")
    return figure


def _guides(axes: Axes, plan: Plan, panel: Panel) -> None:
    """Draw the paper's powers: the rich one for a hard task; SGD and finite-N transients for a super-easy one."""
    step = panel.theory[0].arrays["step"][1:]
    last = float(step[-1])
    first, largest = (result.arrays["loss"][1:] for result in (panel.theory[0], panel.theory[-1]))
    if panel.beta < 1:
        power = float(chi(panel.beta))
        lines = [(power, rf"$t^{{-{power:.3g}}}$", (last / 8, last), float(largest[-1]) / 1.5, last, False)]
    else:
        sgd, transient = (function(plan.alpha, panel.beta, True) for function in (sgd_exponent, transient_exponent))
        at = last / 12
        lines = [
            (sgd, rf"$t^{{-{sgd:g}}}$", (at / 2, at * 2.5), 2.2 * float(np.interp(at, step, first)), at, True),
            (transient, rf"$t^{{-{transient:g}}}$", (last / 12, last), float(largest[-1]) / 1.8, last, False),
        ]
    for power, label, ends, level, anchor, above in lines:
        x = np.array(ends)
        guide(axes, x, level * (x / anchor) ** -power, label, above=above, linewidth=1.5, rise=6)
