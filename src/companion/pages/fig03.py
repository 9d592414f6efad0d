"""Figure 3: what a finite batch adds to the loss, for a hard and a super-easy task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import zeta

from companion.agreement import (
    Compared,
    claims_at_both_ends,
    compared,
    dense_curve,
    draw_mean,
    log_average,
    mean_curve,
    resampled_means,
    seed_losses,
    seeds_needed,
)
from companion.claims import SLOPE, Claim, Measurement, bounded, judged
from companion.late_terms import WIDER, Late
from companion.parameters import Parameters
from companion.style import INK, MUTED, THEORY, drawing, entries, guide, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import resampled
from neural_scaling.dmft import mean_square_stability
from neural_scaling.models.finite_data_runs import MinibatchDMFTRun
from neural_scaling.models.runs import InfiniteLimitRun, LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, kernel_growth_exponent, sgd_exponent, transient_exponent

#: From this batch on corrections of order 1/B count as small; the theory is stated for large B.
LARGE = 4
#: SGD noise feeds on itself when the product of strength and kernel reaches one; runs end well before.
NOISE_LIMIT = 0.5
#: Sets of seeds that are drawn from those simulated.
RESAMPLES = 400


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
        return {
            (width, batch): LongDMFTRun(*setting, self._end(beta, batch), width=width, batch=batch)
            for width, batch in sizes
        }

    def _end(self, beta: float, batch: float) -> float:
        """Return the last eta*steps of a run, at which ``(eta/B) K sum_k lambda_k / 2`` is :data:`NOISE_LIMIT` at most."""
        growth = kernel_growth_exponent(beta, rich=True)
        largest = NOISE_LIMIT * batch / (0.5 * self.eta(beta) * float(zeta(self.alpha)))
        reached = ((largest - 1) / self.gamma) ** (1 / growth) if growth > 0 else math.inf
        return float(min(self.time_long, reached))

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for beta in (self.beta_hard, self.beta_super_easy):
            runs += [*self.simulation(beta), *self.theory(beta), self.fourth(beta), self.limit(beta)]
            runs += self.long(beta).values()
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel(Compared):
    """One task: simulation and theory in unit steps, one per batch, and the limits."""

    fourth: Array  # loss of the theory with fourth moments at the smallest batch, shape (R,)
    limit: Result  # infinite width and batch, in unit steps
    late: Late  # the theory to late times

    @property
    def place(self) -> tuple[str, str]:
        """Letter of the panel and name of its task."""
        return ("a", "hard") if self.beta < 1 else ("b", "super-easy")


def panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    found = compared(beta, plan.batches, plan.simulation(beta), plan.theory(beta), results)
    curves = {sizes: dense_curve(results[run], run.eta) for sizes, run in plan.long(beta).items()}
    late = Late(plan.alpha, beta, plan.gamma, plan.eta(beta), plan.width, plan.batches, curves)
    step, loss = (results[plan.fourth(beta)].arrays[name][1:] for name in ("step", "loss"))
    return Panel(**vars(found), fourth=resampled(step, loss, found.step), limit=results[plan.limit(beta)], late=late)


def stability(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compute the mean-square-stability number of every batch, at first and with the kernel of the last step.

    ``growth`` is K = 1 + gamma C_w at the last step, at infinite width and batch.
    """
    # The sum converges once all modes with eta lambda_k of order one are resolved.
    quadrature, eta = PowerLaw(plan.alpha, panel.beta).quadrature(1e4), plan.eta(panel.beta)
    growth = 1 + plan.gamma * float(panel.limit.arrays["weight_norm"][-1])
    first, last = ([mean_square_stability(quadrature, rate, b) for b in plan.batches] for rate in (eta, eta * growth))
    return pd.DataFrame({"batch": plan.batches, "growth": growth, "first": first, "last": last})


def fourth_moment(panel: Panel) -> float:
    """Return the theory with fourth moments over that of the paper at the smallest batch, averaged over log steps."""
    return float(log_average(panel.fourth / panel.theory[0], panel.step))


def excess(plan: Plan, panel: Panel) -> pd.DataFrame:
    """Compare every batch with the largest one.

    ``excess`` is the ratio of losses at the last step, less one, ``theory`` the same of the theory. ``slope`` is the change of
    the logarithm of that ratio per e-fold of steps over the last decade: by how much the exponents differ. ``exponent`` is that
    of the largest batch.
    """
    largest = mean_curve(panel.simulation[-1])[1]
    largest_drawn = resampled_means([seed_losses(panel.simulation[-1])], RESAMPLES, stream=1)
    exponent = -_last_decade(panel, largest)
    rows = []
    for batch, expected, simulation in zip(plan.batches[:-1], panel.theory, panel.simulation, strict=False):
        ratio = mean_curve(simulation)[1] / largest
        drawn = resampled_means([seed_losses(simulation)], RESAMPLES)
        ratios = [a / b for (a,), (b,) in zip(drawn, largest_drawn, strict=True)]
        last = _with_spread(float(ratio[-1] - 1), [one[-1] - 1 for one in ratios])
        slope = _with_spread(_last_decade(panel, ratio), [_last_decade(panel, one) for one in ratios])
        rows.append((batch, *last, float(expected[-1] / panel.theory[-1, -1] - 1), *slope, exponent))
    return pd.DataFrame(rows, columns=["batch", "excess", "interval", "theory", "slope", "slope_interval", "exponent"])


def _with_spread(value: float, drawn: Sequence[float]) -> tuple[float, tuple[float, float] | None]:
    return Measurement.with_error(value, float(np.std(drawn, ddof=1))).columns()[:2]


def _last_decade(panel: Panel, loss: Array) -> float:
    """Return the slope of a curve in log-log over the last decade of steps."""
    decade = panel.step >= panel.step[-1] / 10
    return float(np.polyfit(np.log(panel.step[decade]), np.log(loss[decade]), 1)[0])


def term_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents of single terms."""
    letter, task = panel.place
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
    (letter, task), other = panel.place, fourth_moment(panel)
    note = (
        f"with the fourth moment of Gaussian data, which the paper leaves out, the theory is {other:.3g} times as large"
    )
    return claims_at_both_ends(plan, found, f"3{letter}", task, "B", {plan.batches[0]: other}, note)


def shift_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that SGD noise leaves the scaling of a hard task alone: the smallest batch, and all from LARGE on."""
    largest, smallest, large = plan.batches[-1], found.iloc[0], found[found.batch >= LARGE]
    shifted = smallest.exponent - _last_decade(panel, panel.fourth / panel.theory[-1])
    moment = "; corrected: by what the theory with the fourth moment of the data shifts it"
    cases = [("shift", f"B = {smallest.batch}", smallest, shifted, moment)]
    if len(large):
        worst = large.loc[large.slope.abs().idxmax()]
        words = f"B = {worst.batch}, the batch from {LARGE} on that departs most"
        cases.append(("shift-large", words, worst, None, ""))
    claims = []
    for name, words, row, corrected, note in cases:
        seeds, (low, high) = plan.seeds[plan.batches.index(row.batch)], row.slope_interval
        ends, steps = (row.exponent - high, row.exponent - low), (plan.steps / 10, plan.steps)
        claims.append(
            judged(
                plan,
                f"fig03.hard.{name}",
                "Fig. 3a, caption",
                f"SGD noise does not significantly alter the scaling of a hard task, {words}.",
                f"exponent of the loss in the last decade of the simulated steps; predicted: that at B = {largest}",
                row.exponent,
                Measurement.of(row.exponent - row.slope, ends, steps, meaning="95 % interval of the difference"),
                "simulation",
                corrected=corrected,
                seeds=seeds,
                note=f"the loss is {100 * row.excess:.0f} % above that at B = {largest} at the last step{note}",
                needs=seeds_needed((high - low) / 2, seeds, 0.1 * row.exponent),
            )
        )
    return claims


def batch_claim(plan: Plan, panel: Panel) -> Claim:
    """Return the claim that the SGD transient is proportional to 1/B, from the batch :data:`LARGE` on."""
    batches, largest = np.array(plan.batches), plan.batches[-1]
    kept, decade = (batches >= LARGE) & (batches < largest), panel.step >= panel.step[-1] / 10
    measured = Measurement.none("it takes two batches below the largest")
    if np.count_nonzero(kept) >= 2:
        # The excess over the largest batch is proportional to 1/B - 1/largest.
        strength = np.log(1 / batches[kept] - 1 / largest)
        excess = np.log((panel.theory[kept] - panel.theory[-1])[:, decade].mean(axis=1))
        power, between = float(np.polyfit(strength, excess, 1)[0]), np.diff(excess) / np.diff(strength)
        ends = min(power, float(between.min())), max(power, float(between.max()))
        steps = (plan.steps / 10, plan.steps)
        measured = Measurement.of(power, ends, steps, meaning="extremes between neighbouring batches")
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


def batch_color(batch: float) -> str:
    """Colour of a batch: the scale of widths, from 2^0 on; an infinite batch is black."""
    return width_color(16 * batch)


def loss_figure(plan: Plan, hard: Panel, super_easy: Panel) -> Figure:
    """Draw loss against steps: simulated mean with band and theory, one curve per batch, and the guides."""
    dashed, dotted = {**THEORY, "linewidth": 1.1}, {"color": MUTED, "linestyle": ":", "linewidth": 1.6}
    with drawing(8.6, 2) as (figure, sheet):
        for axes, panel in zip(sheet, (hard, super_easy), strict=True):
            for batch, expected, simulation in zip(plan.batches, panel.theory, panel.simulation, strict=True):
                draw_mean(axes, simulation, batch_color(batch), f"$B = {batch}$", least=1 / 3, alpha=0.15)
                axes.loglog(panel.step, expected, **dashed)
            lowest = min(float(mean_curve(simulation)[1].min()) for simulation in panel.simulation)
            axes.loglog(*(panel.limit.arrays[name][1:] for name in ("step", "loss")), **dotted)
            axes.set_ylim(0.25 * lowest, None)
            _guides(axes, plan, panel)
            letter, task = panel.place
            axes.set(title=rf"({letter}) {task} task, $\beta = {panel.beta:g}$, $N = {plan.width}$", xlabel="steps $t$")
            axes.set(ylabel="loss")
            more = {"theory": dashed, r"$N, B \to \infty$": dotted}
            axes.legend(*entries(axes, more), loc="lower left", ncols=2)
    return figure


def late_figure(plan: Plan, hard: Panel, super_easy: Panel) -> Figure:
    """Draw the theory to late times: terms of the super-easy task, and what SGD noise adds to the hard one."""
    with drawing(8.6, 2) as (figure, (upper, lower)):
        smallest, width = plan.batches[0], plan.width
        for batch in plan.batches:
            upper.loglog(*super_easy.late.curves[width, batch], color=batch_color(batch), label=f"$B = {batch}$")
        for sizes, style, label in (
            ((math.inf, math.inf), ":", r"$N, B = \infty$"),
            ((math.inf, smallest), "--", rf"$N = \infty$, $B = {smallest:g}$"),
            ((width, math.inf), "-.", rf"$B = \infty$, $N = {width:g}$"),
        ):
            upper.loglog(*super_easy.late.curves[sizes], style, color=INK, linewidth=1.2, label=label)
        upper.set(ylim=(0.1 * float(super_easy.late.curves[math.inf, smallest][1][-1]), None))
        upper.set(title=rf"super-easy task, $\beta = {super_easy.beta:g}$, theory", ylabel="loss")
        upper.legend(loc="lower left", ncols=2)
        for batch in (plan.batches[0], plan.batches[-1]):
            time, relative = hard.late.noise_share(batch)
            lower.loglog(time, relative, color=batch_color(batch), label=rf"$N = \infty$, $B = {batch}$")
            lower.loglog(time, hard.late.local_noise(batch, time), "--", color=MUTED, linewidth=1.3)
        lower.plot([], [], "--", color=MUTED, label=r"$(\eta / B)\, K(t)\, \sum_k \lambda_k / 2$")
        lower.set(title=rf"hard task, $\beta = {hard.beta:g}$, theory", ylabel="relative excess loss")
        lower.set(xlabel=r"$\eta t$")
        lower.legend(loc="lower right")
    return figure


def _guides(axes: Axes, plan: Plan, panel: Panel) -> None:
    """Draw the paper's powers: the rich one for a hard task; SGD and finite-N transients for a super-easy one."""
    last, first, largest = float(panel.step[-1]), panel.theory[0], float(panel.theory[-1, -1])
    if panel.beta < 1:
        lines = [(float(chi(panel.beta)), (last / 8, last), largest / 1.5, last, False)]
    else:
        sgd, transient = (function(plan.alpha, panel.beta, True) for function in (sgd_exponent, transient_exponent))
        at = last / 12
        lines = [
            (sgd, (at / 2, at * 2.5), 2.2 * float(np.interp(at, panel.step, first)), at, True),
            (transient, (at, last), largest / 1.8, last, False),
        ]
    for power, ends, level, anchor, above in lines:
        x, label = np.array(ends), rf"$t^{{-{power:.3g}}}$"
        guide(axes, x, level * (x / anchor) ** -power, label, above=above, linewidth=1.5, rise=6)
