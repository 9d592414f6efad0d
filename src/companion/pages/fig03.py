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
    log_average,
    mean_curve,
    resampled_mean,
    seed_losses,
    seeds_needed,
)
from companion.claims import SLOPE, Claim, Measurement, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, guide, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import resampled
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits import fit_power_law, late_window
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.finite_data_runs import MinibatchDMFTRun
from neural_scaling.models.runs import InfiniteLimitRun, LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    chi,
    kernel_growth_exponent,
    kernel_scale,
    model_bottleneck,
    sgd_exponent,
    step_of_modes,
    transient_exponent,
)

#: From this batch on corrections of order 1/B count as small; the theory is stated for large B.
LARGE = 4
#: The transient of finite width is fitted at this many times the width of the figure, which leaves it alone for longer.
WIDER = 16
#: One term counts as alone where it is this many times the next (prefactors one).
DOMINANCE = 10.0
#: SGD noise feeds on itself when the product of strength and kernel reaches one; runs end well before.
NOISE_LIMIT = 0.5
_RESAMPLES = 400
_DIFFERENCE = "95 % interval of the difference"
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

    def fourth(self, beta: float) -> MinibatchDMFTRun:
        """Return the mean-field run with the fourth moments of the data at the smallest batch of a panel."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return MinibatchDMFTRun(*common, width=self.width, batch=self.batches[0], fourth_moment=True)

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
        infinite one, at the width of the figure, and an infinite batch at :data:`WIDER` times that width. A run ends where SGD
        noise would begin to feed on itself.
        """
        sizes = [(math.inf, float(batch)) for batch in (self.batches[0], self.batches[-1], math.inf)]
        if beta == self.beta_super_easy:
            sizes += [(float(self.width), float(batch)) for batch in (*self.batches, math.inf)]
            sizes.append((float(WIDER * self.width), math.inf))
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
            runs += [*self.simulation(beta), *self.theory(beta), self.fourth(beta), self.limit(beta)]
            runs += self.long(beta).values()
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel:
    """One task: results of simulation and theory in unit steps, one per batch, and of the limits."""

    beta: float  # source
    simulation: tuple[Result, ...]
    theory: tuple[Result, ...]
    fourth: Array  # loss of the theory with fourth moments at the smallest batch, on the steps of the others from 1 on
    limit: Result  # infinite width and batch, in unit steps
    long: dict[tuple[float, float], Result]  # the theory to late times by (N, B), infinity included


def panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    simulation, theory = (tuple(results[run] for run in runs) for runs in (plan.simulation(beta), plan.theory(beta)))
    long = {sizes: results[run] for sizes, run in plan.long(beta).items()}
    coarse, step = results[plan.fourth(beta)].arrays, theory[0].arrays["step"][1:]
    fourth = resampled(coarse["step"][1:], coarse["loss"][1:], step)
    return Panel(beta, simulation, theory, fourth, results[plan.limit(beta)], long)


def stability(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compute the mean-square-stability number of every batch, at first and with the kernel of the last step.

    ``growth`` is K = 1 + gamma C_w at the last step, at infinite width and batch.
    """
    # The sum converges once all modes with eta lambda_k of order one are resolved.
    quadrature, eta = PowerLaw(plan.alpha, panel.beta).quadrature(1e4), plan.eta(panel.beta)
    growth = 1 + plan.gamma * float(panel.limit.arrays["weight_norm"][-1])
    first, last = ([mean_square_stability(quadrature, rate, b) for b in plan.batches] for rate in (eta, eta * growth))
    return pd.DataFrame({"batch": plan.batches, "growth": growth, "first": first, "last": last})


def agreement(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compare the mean of the simulations with the theory at every batch."""
    return agreement_table(plan.batches, panel.theory, panel.simulation, _RESAMPLES)


def fourth_moment(panel: Panel) -> float:
    """Return the theory with fourth moments over that of the paper at the smallest batch, averaged over log steps."""
    arrays = panel.theory[0].arrays
    return float(log_average(panel.fourth / arrays["loss"][1:], arrays["step"][1:]))


def excess(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compare every batch with the largest one.

    ``excess`` is the ratio of losses at the last step, less one, ``theory`` the same of the theory. ``slope`` is the change of
    the logarithm of that ratio per e-fold of steps over the last decade: by how much the exponents differ. ``exponent`` is that
    of the largest batch.
    """
    step = panel.simulation[0].arrays["step"][1:]
    late = step >= step[-1] / 10

    def both(ratio: Array) -> tuple[float, float]:
        return float(ratio[-1] - 1), float(np.polyfit(np.log(step[late]), np.log(ratio[late]), 1)[0])

    largest, expected = mean_curve(panel.simulation[-1])[1], panel.theory[-1].arrays["loss"][-1]
    largest_drawn = _resampled_means(panel.simulation[-1], stream=1)
    exponent = -both(largest)[1]
    rows = []
    for batch, theory, simulation in zip(plan.batches[:-1], panel.theory[:-1], panel.simulation[:-1], strict=True):
        last, slope = both(mean_curve(simulation)[1] / largest)
        drawn = [both(a / b) for a, b in zip(_resampled_means(simulation), largest_drawn, strict=True)]
        lasts, slopes = zip(*drawn, strict=True)
        theory_last = float(theory.arrays["loss"][-1] / expected - 1)
        rows.append((batch, last, _around(last, lasts), theory_last, slope, _around(slope, slopes), exponent))
    return pd.DataFrame(rows, columns=["batch", "excess", "interval", "theory", "slope", "slope_interval", "exponent"])


def transients(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Fit the terms of a super-easy task one by one, each in the limit that isolates it, on the theory's late times.

    Windows come from the loss law with prefactors one: a term's window holds the times at which it is :data:`DOMINANCE` times
    the next one and at least ten modes are learned. The transient of finite width is what the loss has beyond gradient flow and
    its exact limit at late times.
    """
    alpha, beta, eta, batch = plan.alpha, panel.beta, plan.eta(panel.beta), plan.batches[0]
    width = float(WIDER * plan.width)
    learned = eta * step_of_modes(alpha, beta, plan.gamma, eta, 10.0)
    last = max(eta * float(result.arrays["step"][-1]) for result in (panel.limit, panel.long[math.inf, math.inf]))
    sgd, transient = sgd_exponent(alpha, beta, rich=True), transient_exponent(alpha, beta, rich=True)
    sgd_start = (DOMINANCE * batch / eta) ** (1 / (beta - sgd))
    transient_start = (DOMINANCE * width) ** (1 / (beta - transient))
    # The bottleneck N^-alpha against (1/N) t^-e.
    transient_end = (width ** (alpha - 1) / DOMINANCE) ** (1 / transient)
    limits = (math.inf, math.inf), (math.inf, float(batch)), (width, math.inf)
    flow, noisy, narrow = (late(plan, panel, sizes) for sizes in limits)
    left = _beyond_flow(flow, *narrow) - model_bottleneck(PowerLaw(alpha, beta).quadrature(100 * width**alpha), width)
    rows = []
    for name, term, location, predicted, (time, loss), first, end in (
        ("gradient-flow", "gradient flow", "eqs. 9, 10", beta, flow, learned, last),
        ("sgd", "SGD transient", "eq. 9", sgd, noisy, sgd_start, last),
        ("finite-width", "finite-N transient", "eq. 9", transient, (narrow[0], left), transient_start, transient_end),
    ):
        window = max(learned, first), min(end, last, float(time[-1]))
        # A window shorter than a factor of two holds no power.
        usable = window[1] > 2 * window[0] and bool(np.all(loss[(time >= window[0]) & (time <= window[1])] > 0))
        fit = fit_power_law(time[loss > 0], loss[loss > 0], window) if usable else None
        rows.append((name, term, location, predicted, *Measurement.exponent(fit).columns()))
    return pd.DataFrame(rows, columns=_TERM)


def crossovers(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Find the eta*steps (from 1 on, infinite if never) at which SGD noise passes gradient flow, and finite width SGD noise."""
    flow = late(plan, panel, (math.inf, math.inf))
    narrow = late(plan, panel, (float(plan.width), math.inf))
    rows = []
    for batch in (plan.batches[0], plan.batches[-1]):
        noisy = late(plan, panel, (math.inf, float(batch)))
        time = np.geomspace(1.0, min(narrow[0][-1], noisy[0][-1]), 2000)
        noise, finite = (_beyond_flow(flow, time, resampled(*curve, time)) for curve in (noisy, narrow))
        gradient = resampled(*noisy, time) - noise
        passed = (noise > gradient, finite > noise)
        rows.append((batch, *(float(time[np.argmax(after)]) if after.any() else math.inf for after in passed)))
    return pd.DataFrame(rows, columns=["batch", "noise", "width"])


def gradient_flow(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Fit the loss of a hard task at infinite width and batch where the kernel has its late form."""
    time, loss = late(plan, panel, (math.inf, math.inf))
    window = late_window(plan.alpha, panel.beta, plan.gamma, float(time[-1]))
    fit = None if window.empty else fit_power_law(time, loss, window.span)
    row = ("limit", "loss at infinite batch", "caption", float(chi(panel.beta)), *Measurement.exponent(fit).columns())
    return pd.DataFrame([row], columns=_TERM)


def _beyond_flow(flow: tuple[Array, Array], time: Array, loss: Array) -> Array:
    """Subtract the loss of gradient flow, which is nothing once its curve has ended."""
    known = time <= flow[0][-1]
    gradient = np.zeros_like(loss)
    gradient[known] = resampled(*flow, time[known])
    return np.asarray(loss - gradient)


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
            Measurement.of(row.exponent, row.interval, row.window, "there is no window for it", SLOPE),
            "theory",
            # The corrected law differs from the paper's in the noise of a hard task.
            corrected=-kernel_growth_exponent(panel.beta, rich=True) if row.name == "noise" else None,
            needs="the theory to later times",
        )
        for row in found.itertuples()
    ]


def order_claim(plan: Plan, panel: Panel, found: pd.DataFrame) -> Claim:
    """Return the claim that gradient flow is followed by SGD noise and that by the transient of finite width."""
    small, large = found.itertuples()
    known = math.isfinite(small.noise) and math.isfinite(small.width)
    ratio = small.width / small.noise if known else math.nan
    return bounded(
        plan,
        "fig03.super-easy.order",
        "Fig. 3b, caption",
        f"The loss of the super-easy task passes from gradient flow to SGD noise and last to finite width, B = {small.batch}.",
        "time at which finite width overtakes SGD noise over that at which SGD noise overtakes gradient flow, theory",
        "above",
        1.0,
        Measurement.exact(ratio) if known else Measurement.none("a stage does not come in the time of the theory"),
        "theory",
        note=f"from eta t = 1 on, these are {small.noise:.3g} and {small.width:.3g}; at B = {large.batch} {large.noise:.3g} and "
        f"{large.width:.3g}" + (", so that SGD noise never leads" if large.width < large.noise else ""),
        needs="the theory to later times",
    )


def agreement_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest batch."""
    (letter, task), other = _place(panel), fourth_moment(panel)
    note = (
        f"with the fourth moment of Gaussian data, which the paper leaves out, the theory is {other:.3g} times as large"
    )
    return claims_at_both_ends(plan, found, f"3{letter}", task, "B", {plan.batches[0]: other}, note)


def shift_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that SGD noise leaves the scaling of a hard task alone: the smallest batch, and all from LARGE on."""
    largest, step = plan.batches[-1], panel.theory[0].arrays["step"][1:]
    decade = step >= step[-1] / 10
    ratio = panel.fourth[decade] / panel.theory[-1].arrays["loss"][1:][decade]
    smallest, large = found.iloc[0], found[found.batch >= LARGE]
    cases = [("shift", f"B = {smallest.batch}", smallest, float(np.polyfit(np.log(step[decade]), np.log(ratio), 1)[0]))]
    if len(large):
        worst = large.loc[large.slope.abs().idxmax()]
        words = f"B = {worst.batch}, the batch from {LARGE} on that departs most"
        cases.append(("shift-large", words, worst, math.nan))
    moment = "; corrected: by what the theory with the fourth moment of the data shifts it"
    claims = []
    for name, words, row, slope in cases:
        seeds, (low, high) = plan.seeds[plan.batches.index(row.batch)], row.slope_interval
        ends, steps = (row.exponent - high, row.exponent - low), (plan.steps / 10, plan.steps)
        note = f"the loss is {100 * row.excess:.0f} % above that at B = {largest} at the last step"
        claims.append(
            judged(
                plan,
                f"fig03.hard.{name}",
                "Fig. 3a, caption",
                f"SGD noise does not significantly alter the scaling of a hard task, {words}.",
                f"exponent of the loss in the last decade of the simulated steps; predicted: that at B = {largest}",
                row.exponent,
                Measurement.of(row.exponent - row.slope, ends, steps, meaning=_DIFFERENCE),
                "simulation",
                corrected=None if math.isnan(slope) else row.exponent - slope,
                seeds=seeds,
                note=note + ("" if math.isnan(slope) else moment),
                needs=seeds_needed((high - low) / 2, seeds, 0.1 * row.exponent),
            )
        )
    return claims


def batch_claim(plan: Plan, panel: Panel) -> Claim:
    """Return the claim that the SGD transient is proportional to 1/B, from the batch :data:`LARGE` on."""
    largest, step = plan.batches[-1], panel.theory[0].arrays["step"][1:]
    decade = step >= step[-1] / 10
    reference = panel.theory[-1].arrays["loss"][1:][decade]
    pairs = [(batch, run) for batch, run in zip(plan.batches, panel.theory, strict=True) if LARGE <= batch < largest]
    # The excess over the largest batch is proportional to 1/B - 1/largest.
    strength = np.log([1 / batch - 1 / largest for batch, _ in pairs])
    excess = np.log([float(np.mean(run.arrays["loss"][1:][decade] - reference)) for _, run in pairs])
    measured = Measurement.none("it takes two batches below the largest")
    if len(pairs) >= 2:
        power, between = float(np.polyfit(strength, excess, 1)[0]), np.diff(excess) / np.diff(strength)
        ends = min(power, float(between.min())), max(power, float(between.max()))
        decade_ends = (plan.steps / 10, plan.steps)
        measured = Measurement.of(power, ends, decade_ends, meaning="extremes between neighbouring batches")
    return judged(
        plan,
        "fig03.super-easy.one-over-b",
        "Fig. 3b, eq. 9",
        f"The SGD transient of a super-easy task is proportional to 1/B, from B = {LARGE} on.",
        f"exponent in 1/B of the excess over B = {largest}, mean of the last decade of steps, theory",
        1.0,
        measured,
        "theory",
        needs="more batches",
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
            axes.set(title=rf"({letter}) {task} task, $\beta = {panel.beta:g}$, $N = {plan.width}$", xlabel="steps $t$")
            axes.set(ylabel="loss")
            handles, labels = axes.get_legend_handles_labels()
            handles += [
                Line2D([], [], color=INK, linestyle="--", linewidth=1.1),
                Line2D([], [], color=MUTED, linestyle=":", linewidth=1.6),
            ]
            axes.legend(handles, [*labels, "theory", r"$N, B \to \infty$"], loc="lower left", ncols=2)
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
        upper.set(ylim=(0.1 * float(late(plan, super_easy, (math.inf, smallest))[1][-1]), None))
        upper.set(title=rf"super-easy task, $\beta = {super_easy.beta:g}$, theory", ylabel="loss")
        upper.legend(loc="lower left", ncols=2)
        for batch in (plan.batches[0], plan.batches[-1]):
            time, relative = noise_share(plan, hard, batch)
            lower.loglog(time, relative, color=batch_color(batch), label=rf"$N = \infty$, $B = {batch}$")
            lower.loglog(time, local_noise(plan, hard.beta, batch, time), "--", color=MUTED, linewidth=1.3)
        lower.plot([], [], "--", color=MUTED, label=r"$(\eta / B)\, K(t)\, \sum_k \lambda_k / 2$")
        lower.set(title=rf"hard task, $\beta = {hard.beta:g}$, theory", ylabel="relative excess loss")
        lower.set(xlabel=r"$\eta t$")
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
