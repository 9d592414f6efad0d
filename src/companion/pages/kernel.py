"""Kernel dynamics: how the kernel of the features grows in the limit of infinite width, and which part of it matters."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import EXTREMES, SLOPE, Claim, Measurement, Tolerance, judged
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, SERIES, drawing, grey_legend, plain_ticks
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.dmft import KernelFlow, decay_terms, kernel_flow, printed_ratio
from neural_scaling.fits import fit_power_law, late_window
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    chi,
    effective_time,
    limiting_scale,
    modes_learned_exponent,
    rkhs_norm_squared,
    self_similar_solution,
)

#: Agreement of exponents, stricter than the rule.
EXPONENT = Tolerance(0.01, "exponents: just below the distance 0.011 between level 3 and the limit at beta = 0.4")
#: Agreement of prefactors and of shares.
VALUE = Tolerance(
    0.005, "prefactors and shares: far above the relative corrections at the last time, except near beta = 1"
)
#: Samples a decade of every curve.
DENSITY = 20


class Plan(Parameters):
    """What the page computes: the parameters of its notebook."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_among("quoted_hard", "hard")
        self.require_among("quoted_easy", "easy")
        require(len(self.etas) >= 3, "etas", f"has {len(self.etas)} values", "give three, for two extrapolations to 0")

    @property
    def last_decade(self) -> tuple[float, float]:
        """Window of eta * steps in which prefactors are read off."""
        return self.last / 10, self.last


@dataclass(frozen=True)
class Curve:
    """One gradient flow with what is measured on it."""

    beta: float  # source
    flow: KernelFlow  # the solution
    modes: Array  # k*, the mode that is half learned, shape (R,); NaN at first
    lazy_norm: Array  # |w|^2/N at gamma = 0, shape (R,)
    ratio: Array  # second over third term of eq. 53 in its exact form, shape (R,)
    printed_ratio: Array  # the same with y - Delta(s) replaced by y, as in the last line of eq. 53, shape (R,)
    window: tuple[float, float]  # of eta * steps, for late powers


def curve(plan: Plan, beta: float, gamma: float | None = None) -> Curve:
    """Integrate gradient flow at N, B -> infinity and measure its kernel."""
    gamma = plan.gamma if gamma is None else gamma
    time = np.geomspace(1e-2, plan.last, DENSITY * round(math.log10(plan.last) + 2) + 1)
    reached = float(effective_time(beta, gamma, 1.0, plan.last))
    quadrature = PowerLaw(plan.alpha, beta).quadrature(8 * reached)
    flow = kernel_flow(quadrature, gamma, time)
    modes = flow.eigenvalue_at(0.5) ** (-1 / plan.alpha)
    lazy_norm = np.expm1(-np.outer(time, quadrature.nodes)) ** 2 @ quadrature.target_weights
    terms, window = decay_terms(flow), late_window(plan.alpha, beta, gamma, plan.last)
    return Curve(beta, flow, modes, lazy_norm, terms.spike / terms.scale, printed_ratio(flow), window.span)


def growth(plan: Plan, curves: Iterable[Curve]) -> pd.DataFrame:
    """Fit the powers of every task: scale of the kernel, modes learned, squared norm of the weights, spike."""
    rows = []
    for measured in curves:
        beta, flow, window, power = measured.beta, measured.flow, measured.window, 1 - chi(measured.beta)
        lazy_window = late_window(plan.alpha, beta, 0.0, plan.last).span
        modes = ("modes learned", modes_learned_exponent(plan.alpha, beta), measured.modes, window)
        if beta < 1:
            # The spike first has to form: the target learned to one per cent, t^-chi = 0.01.
            formed = (max(window[0], 100 ** (1 / chi(beta))), plan.last)
            found = [
                ("kernel scale", power, flow.scale, window),
                modes,
                ("|w|^2", power, flow.weight_norm, window),
                ("|w|^2 lazy", 1 - beta, measured.lazy_norm, lazy_window),
                ("spike", -power, flow.spike, formed),
            ]
        else:
            missing = (limiting_scale(plan.alpha, beta, flow.gamma) - 1) / flow.gamma - flow.weight_norm
            missing_lazy = rkhs_norm_squared(plan.alpha, beta) - measured.lazy_norm
            found = [
                modes,
                ("limit - |w|^2", 1 - beta, missing, window),
                ("lazy limit - |w|^2", 1 - beta, missing_lazy, lazy_window),
                ("ratio of paper eq. 53", 1 - beta, measured.ratio, window),
            ]
        for quantity, predicted, values, where in found:
            kept = np.isfinite(values) & (values > 0)
            fitted = Measurement.exponent(fit_power_law(flow.time[kept], values[kept], where), grows=True)
            rows.append((beta, quantity, predicted, *fitted.columns()))
    return pd.DataFrame(rows, columns=["beta", "quantity", "predicted", "exponent", "interval", "window"])


def spike_shares(plan: Plan, curves: Iterable[Curve]) -> pd.DataFrame:
    """Read off the second over the third term of eq. 53 at the last time; the interval has the extremes of the last decade."""
    rows = []
    for measured in curves:
        beta, last = measured.beta, measured.flow.time >= plan.last_decade[0]
        predicted = self_similar_solution(plan.alpha, beta, plan.gamma).spike_share if beta < 1 else 0.0
        found = Measurement.last_of(measured.ratio[last], plan.last_decade)
        rows.append((beta, *found.columns(), predicted, float(measured.printed_ratio[-1])))
    return pd.DataFrame(rows, columns=["beta", "ratio", "interval", "window", "predicted", "printed"])


def growth_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Judge the powers of kernel, modes learned and norm of the weights."""
    known = {
        "kernel scale": ("scale", "eqs. 10, 54, 64", "The kernel of a hard task grows as t^(1 - chi)."),
        "modes learned": ("modes", "eqs. 11, 58", "The mode learned at time t is k* ~ t^((2 - chi)/alpha)."),
        "|w|^2": ("norm", "eq. 47 and Fig. 12", "For a hard task |w|^2 grows without bound, as t^(1 - chi)."),
        "|w|^2 lazy": ("norm-lazy", "eq. 47", "With frozen features |w|^2 of a hard task grows as t^(1 - beta)."),
        "limit - |w|^2": ("norm", "eq. 47", "For an easy task |w|^2 saturates; what is missing falls as t^(1 - beta)."),
    }
    claims = []
    for row in found[found.quantity.isin(list(known))].itertuples():
        name, location, statement = known[row.quantity]
        id, quantity = f"kernel.{name}.beta-{row.beta:g}", f"exponent in eta t at beta = {row.beta:g}"
        measured = Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE)
        claims.append(judged(plan, id, location, statement, quantity, row.predicted, measured, "theory", EXPONENT))
    return claims


def decay_claims(plan: Plan, shares: pd.DataFrame, quoted: Curve) -> list[Claim]:
    """Judge whether the second term of eq. 53 is subleading, and the prefactors of the late solution."""
    note = "both terms have the same power, so the exponent is untouched and the constant is not"
    claims = [
        judged(
            plan,
            f"kernel.subleading.beta-{row.beta:g}",
            "eqs. 53, 54",
            "The spike's term of the decay of the loss is subleading to the term of the scale.",
            f"ratio of the two terms in the last decade at beta = {row.beta:g}",
            0.0,
            Measurement.of(row.ratio, row.interval, row.window, meaning=EXTREMES),
            "theory",
            VALUE,
            row.predicted if row.beta < 1 else None,
            note=note if row.beta < 1 else "",
        )
        for row in shares.itertuples()
    ]
    solution = self_similar_solution(plan.alpha, quoted.beta, plan.gamma)
    final = quoted.flow.time >= plan.last_decade[0]
    time = quoted.flow.time[final]
    for name, what, values in (
        ("loss", "loss", quoted.flow.loss[final] / solution.loss(time)),
        ("scale", "scale of the kernel", quoted.flow.scale[final] / solution.kernel(time)),
        ("modes", "number of modes learned", quoted.modes[final] / solution.modes_learned(time)),
    ):
        statement = f"The power-law ansatz solves the dynamics: it gives the {what} with its prefactor."
        quantity = f"{what} over the self-similar solution in the last decade, beta = {quoted.beta:g}"
        id, measured = f"kernel.prefactor.{name}", Measurement.last_of(values, plan.last_decade)
        claims.append(judged(plan, id, "eqs. 10, 63-69", statement, quantity, 1.0, measured, "theory", VALUE))
    return claims


def spike_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Judge whether the spike of a hard task stays once it has formed."""
    spike = next(found[(found.quantity == "spike") & (found.beta == plan.quoted_hard)].itertuples())
    return judged(
        plan,
        "kernel.spike.hard",
        "eq. 55",
        "Once formed the spike of a hard task stays, if eq. 55, of first order in gamma, is carried to any gamma.",
        f"exponent of the spike's eigenvalue in eta t at beta = {spike.beta:g}",
        0.0,
        Measurement.of(spike.exponent, spike.interval, spike.window, meaning=SLOPE),
        "theory",
        EXPONENT,
        spike.predicted,
        note="beyond first order in gamma the spike is divided by the growing scale",
    )


def limit_claims(plan: Plan, weak: Curve, strong: Curve) -> list[Claim]:
    """Judge where spike and scale of an easy task end, at first order in gamma and beyond."""
    flow, beta = weak.flow, weak.beta
    spike = float(flow.spike[-1]) / (flow.gamma * flow.quadrature.initial_loss)
    scale = float(flow.weight_norm[-1]) / rkhs_norm_squared(plan.alpha, beta)
    at = f"at gamma = {flow.gamma:g}, beta = {beta:g}, eta t = {plan.last:g}"
    return [
        judged(
            plan,
            "kernel.first-order.spike",
            "below eq. 55",
            "At first order in gamma the spike of an easy task converges to gamma y y^T.",
            f"eigenvalue of the spike over gamma |y|^2 {at}",
            1.0,
            Measurement.exact(spike),
            "theory",
            VALUE,
            note="half of the limit of the two terms in eq. 55",
        ),
        judged(
            plan,
            "kernel.first-order.scale",
            "eqs. 55, 56",
            "At first order in gamma the scale of an easy task grows by 2 gamma times the squared RKHS norm.",
            f"growth of the scale over gamma |w*|^2 {at}",
            2.0,
            Measurement.exact(scale),
            "theory",
            VALUE,
            1.0,
            note="eq. 55 drops Delta(s) where it is as large as y",
        ),
        judged(
            plan,
            "kernel.scale.limit",
            "eqs. 47, 48",
            "The kernel of an easy task stops growing; the norm of the target says where.",
            f"scale at eta t = {plan.last:g}, beta = {strong.beta:g}, gamma = {strong.flow.gamma:g}",
            limiting_scale(plan.alpha, strong.beta, strong.flow.gamma),
            Measurement.exact(float(strong.flow.scale[-1])),
            "theory",
            VALUE,
            note="from s (s - 1) = gamma |w*|^2",
        ),
    ]


def level_claims(plan: Plan, found: pd.DataFrame, losses: pd.DataFrame) -> list[Claim]:
    """Judge the exact curve between the levels, whose exponents Figure 10 judges, and the prefactor of their limit."""
    beta, exact = plan.quoted_hard, next(found[found.level == "exact"].itertuples())
    last = losses[losses.index >= plan.last_decade[0]]
    return [
        judged(
            plan,
            "kernel.level.exact",
            "eqs. 10, 68",
            "The exact loss, the spike included, has the exponent of infinitely many levels, not that of any one.",
            f"exponent of the loss in eta t at beta = {beta:g}",
            exact.predicted,
            Measurement.of(exact.exponent, exact.interval, exact.window, meaning=SLOPE),
            "theory",
            EXPONENT,
        ),
        judged(
            plan,
            "kernel.level.prefactor",
            "eqs. 63-67",
            "The closure that keeps the scale alone has the exact power, with another prefactor.",
            f"its loss over the exact loss in the last decade at beta = {beta:g}",
            self_similar_solution(plan.alpha, beta, plan.gamma).closure_ratio(),
            Measurement.last_of(last.inf / last.exact, plan.last_decade),
            "theory",
            VALUE,
        ),
    ]


def norm_claim(plan: Plan) -> Claim:
    """Judge eq. 7: the squared norm of an easy target is 1/(alpha (beta - 1)), which diverges at beta = 1."""
    above = np.geomspace(1e-4, 1e-2, 9)
    ratios = np.array([plan.alpha * one * rkhs_norm_squared(plan.alpha, 1 + one) for one in above])
    return judged(
        plan,
        "kernel.norm.divergence",
        "eq. 7",
        "The squared norm of an easy target diverges as 1/(alpha (beta - 1)) at beta = 1.",
        "sum over modes times alpha (beta - 1), beta - 1 from 0.01 down to 0.0001",
        1.0,
        Measurement.last_of(ratios[::-1], (float(above[0]), float(above[-1]))),
        "algebra",
        Tolerance(0.02, "the next term of the sum is 0.577 alpha (beta - 1), at most 0.009 at alpha = 1.5 here"),
        note="at larger beta the sum over modes exceeds the integral behind the printed form",
    )


def growth_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the growth of the kernel and the number of modes learned, with the late solution dashed."""
    with drawing(8.6, 2, sharex=True) as (figure, (upper, lower)):
        for measured, color in zip((*hard, *easy), SERIES, strict=False):
            time = measured.flow.time
            upper.loglog(time, measured.flow.scale, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.modes, color=color)
            late = time >= measured.window[0]
            if measured.beta < 1:
                solution = self_similar_solution(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[time > 0.3], solution.kernel(time[time > 0.3]))
                _dashed(lower, time[time > 1], solution.modes_learned(time[time > 1]))
            else:
                limit = limiting_scale(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[late], np.full(int(late.sum()), limit))
                _dashed(lower, time[time > 1], (limit * time[time > 1] / math.log(2)) ** (1 / plan.alpha))
        upper.set(ylim=(0.8, None), ylabel=r"scale of the kernel $1 + \gamma C_w$")
        lower.set(ylim=(0.8, None), ylabel=r"mode half learned $k_*$", xlabel=r"$\eta t$")
        grey_legend(upper, {"late solution": "--"}, "upper left")
    return figure


def parts_figure(plan: Plan, hard: Curve, easy: Curve) -> Figure:
    """Draw the largest eigenvalue of the kernel and what it is made of, for one hard and one easy task."""
    with drawing(8.6, 2) as (figure, sheet):
        for axes, measured, letter in zip(sheet, (hard, easy), "ab", strict=True):
            flow = measured.flow
            axes.loglog(flow.time, flow.scale, color=SERIES[1], label=r"scale $s\lambda_1$")
            axes.loglog(flow.time, flow.spike, color=RICH, label=r"spike $\gamma|y - \Delta|^2/s$")
            axes.loglog(flow.time, flow.sharpness, "--", color=INK, linewidth=1.6, label="largest eigenvalue")
            first_order = plan.gamma * flow.quadrature.initial_loss
            axes.axhline(first_order, color=MUTED, linestyle=":", linewidth=1.4)
            axes.annotate(r"$\gamma |y|^2$", (0.012, first_order), (0, 4), textcoords="offset points", color=MUTED)
            top = float(flow.sharpness.max())
            axes.set_ylim(float(flow.spike[-1]) / 3, (4 if measured.beta < 1 else 2) * top)
            if measured.beta > 1:
                plain_ticks(axes.yaxis)
            kind = "hard" if measured.beta < 1 else "easy"
            axes.set(title=rf"({letter}) {kind} task, $\beta = {measured.beta:g}$, $\gamma = {plan.gamma:g}$")
            axes.set(xlabel=r"$\eta t$", ylabel="eigenvalue")
            axes.legend(loc="upper left" if measured.beta < 1 else "lower right")
    return figure


def terms_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the terms of eq. 53 for the quoted hard task, and the ratio of the second to the third for all."""
    quoted = next(measured for measured in hard if measured.beta == plan.quoted_hard)
    with drawing(8.6, 2, sharex=True) as (figure, (upper, lower)):
        terms, time = decay_terms(quoted.flow), quoted.flow.time
        loss = quoted.flow.loss
        # Times t over the loss: each term's share in the local exponent.
        for values, color, label in (
            (terms.lazy, LAZY, "initial kernel"),
            (terms.scale, SERIES[1], "scale (third term)"),
            (terms.spike, RICH, "spike (second term)"),
        ):
            upper.loglog(time, 2 * time * values / loss, color=color, label=label)
        upper.set(ylim=(1e-3, 3), title=rf"(a) $\beta = {quoted.beta:g}$", ylabel="share in the local exponent")
        upper.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))
        for measured, color in zip((*hard, *easy), SERIES, strict=False):
            lower.loglog(time, measured.ratio, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.printed_ratio, ":", color=color, linewidth=1.4)
            if measured.beta < 1:
                share = self_similar_solution(plan.alpha, measured.beta, plan.gamma).spike_share
                late = time[time >= measured.window[0]]
                _dashed(lower, late, np.full(late.size, share))
        lower.set(ylim=(1e-4, 3), title="(b) spike over scale", ylabel="ratio of the terms", xlabel=r"$\eta t$")
        grey_legend(lower, {"late solution": "--", "as printed": ":"}, "lower left")
    return figure


def norm_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the squared norm of the weights on both sides of beta = 1, rich and lazy."""
    with drawing(5.2) as (figure, axes):
        for measured, color in zip((*hard, *easy), SERIES, strict=False):
            time = measured.flow.time
            axes.loglog(time, measured.flow.weight_norm, color=color, label=rf"$\beta = {measured.beta:g}$")
            axes.loglog(time, measured.lazy_norm, ":", color=color)
            if measured.beta > 1:
                limit = (limiting_scale(plan.alpha, measured.beta, plan.gamma) - 1) / plan.gamma
                for value in (limit, rkhs_norm_squared(plan.alpha, measured.beta)):
                    axes.plot(time[-1] * 2, value, "<", color=color, clip_on=False)
        axes.set(ylim=(1e-2, None), xlabel=r"$\eta t$", ylabel=r"$|w|^2/N$")
        grey_legend(axes, {rf"$\gamma = {plan.gamma:g}$": "-", "lazy": ":", "limit": "<"}, "upper left")
    return figure


def _dashed(axes: Axes, x: Array, y: Array) -> None:
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4, zorder=1)
