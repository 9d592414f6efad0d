"""Errata: every suspected slip checked, as tables, as entries and as claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, Page, fact, judge
from companion.claims.tables import number
from companion.errata import (
    ERRATA,
    Erratum,
    Errors,
    Kind,
    Outcome,
    Setting,
    bottleneck,
    infinite,
    meanfield,
    transients,
)
from companion.errata.first_order import batch_correction, width_correction
from companion.style import INK, MUTED, RICH, WIDTH, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.spectra import PowerLaw

#: Agreement of exponents read off closed forms; the smallest difference between a printed and a corrected one is 0.5.
EXPONENT_TOLERANCE = 0.02
#: Agreement of the exponent of exact projections between widths 16 and 256, a fifth of the difference to be resolved.
FLOOR_TOLERANCE = 0.15
#: Agreement of factors of 1 or 2.
FACTOR_TOLERANCE = 0.05


@dataclass(frozen=True)
class Row:
    """One erratum with its measured errors."""

    erratum: Erratum  # what is printed and what should be
    errors: Errors | None  # measured; None if the check is reading alone
    outcome: Outcome  # whether it stands


def check_all(setting: Setting) -> list[Row]:
    """Run every check."""
    rows = []
    for erratum in ERRATA:
        errors = erratum.errors(setting)
        rows.append(Row(erratum, errors, erratum.outcome(errors)))
    return rows


def of_kind(rows: Sequence[Row], kind: Kind) -> list[Row]:
    """Return the rows of one kind."""
    return [row for row in rows if row.erratum.kind == kind]


def to_text(rows: Sequence[Row]) -> str:
    """Return rows as a plain table with few digits, fit for comparison between runs."""
    lines = [("erratum", "printed", "corrected", "outcome")]
    lines += [(row.erratum.name, *_numbers(row), row.outcome) for row in rows]
    widths = [max(len(line[column]) for line in lines) for column in range(4)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def to_table(rows: Sequence[Row]) -> str:
    """Return rows as a narrow Markdown table: where, and the error of either form."""
    lines = ["| Where | Error as printed | Error corrected |", "| :-- | :-- | :-- |"]
    for row in rows:
        printed, corrected = _numbers(row) if row.errors is not None else ("by reading", "")
        lines.append(f"| {row.erratum.location} | {printed} | {corrected} |")
    return "\n".join(lines)


def to_entries(rows: Sequence[Row], setting: Setting) -> str:
    """Return rows as a Markdown definition list, one entry each: both forms, the reason and the check."""
    entries = []
    for row in rows:
        erratum = row.erratum
        suspected = erratum.kind == "suspicion"
        definitions = [f"*Printed:* {erratum.printed}"]
        if not suspected or row.errors is not None:
            definitions.append(f"*{'Suspected' if suspected else 'Corrected'}:* {erratum.corrected}")
        reason = erratum.reason
        if erratum.page:
            reason += f" See {{ref}}`{erratum.page}`."
        definitions.append(reason)
        if row.errors is not None:
            printed, corrected = _numbers(row)
            quantity = erratum.quantity % vars(setting)
            other = "suspected" if suspected else "corrected"
            definitions.append(
                f"*{quantity[0].upper()}{quantity[1:]}:* **{printed}** printed, **{corrected}** {other} "
                f"(tolerance {erratum.tolerance:g})."
            )
        entries.append("\n".join([f"**{erratum.location}**", *(f": {text}\n" for text in definitions)]))
    return "\n".join(entries)


def _numbers(row: Row) -> tuple[str, str]:
    if row.errors is None:
        return "-", "-"
    # What rounding leaves differs from one processor to the next, and may be nothing at all. Identities hold to 1e-9,
    # integrals and fits to 1e-5. A tolerance of nothing belongs to a count, which is exact.
    tolerance = row.erratum.tolerance
    floor = 1e-5 if tolerance > 1e-9 else min(tolerance, 1e-9)
    return _error(row.errors.printed, floor), _error(row.errors.corrected, floor)


def _error(value: float, floor: float) -> str:
    return f"< {floor:.0e}" if value < floor else number(float(f"{value:.6g}"))


def substance_claims(setting: Setting) -> list[Claim]:
    """Judge the matters of substance."""
    alpha, hard, easy, above = setting.alpha, setting.hard, setting.easy, setting.super_easy
    claims = [
        _exponent(
            "gradient-correlation",
            "eq. 47",
            "The correlation C_2(t, t) falls as t to the power -beta.",
            f"exponent of C_2(t, t) against eta t in the lazy limit, beta = {hard:g}",
            infinite.gradient_correlation_fit(setting),
            (hard, 1 + hard),
            EXPONENT_TOLERANCE,
            setting,
        ),
        _exponent(
            "weight-norm",
            "eq. 47",
            "The norm C_w grows as t to the power 1 - beta. (The slips in eqs. 45 and 47 cancel.)",
            f"exponent of C_w against eta t in the lazy limit, beta = {hard:g}, growth counted negative",
            infinite.weight_norm_fit(setting),
            (hard - 1, None),
            EXPONENT_TOLERANCE,
            setting,
        ),
        _factor(
            "loss-rate",
            "eqs. 53, 54",
            "The loss falls at the rate Delta^T K Delta.",
            "-dL/dt over Delta^T K Delta in the rich flow",
            infinite.loss_rate_ratio(setting),
            (1.0, 2.0),
            setting,
        ),
        _spike_claim(setting),
    ]
    scale_limit, spike_limit = infinite.scale_limit(setting)
    claims += [
        _factor(
            "scale-limit",
            "eqs. 55, 56",
            "The scale of the kernel grows by twice gamma times the RKHS norm of the target.",
            f"late growth over gamma y^T Lambda^-1 (1 - exp(-Lambda t)) y, beta = {easy:g}, gamma to 0",
            scale_limit,
            (2.0, 1.0),
            setting,
        ),
        _factor(
            "spike-limit",
            "eq. 55",
            "The spike of the kernel tends to twice gamma y y^T.",
            f"late entry (1, 1) over gamma y_1^2, beta = {easy:g}, gamma to 0",
            spike_limit,
            (2.0, 1.0),
            setting,
        ),
    ]
    claims += [
        _exponent(
            f"floor.{name}",
            "eqs. 8, 9, 12, 76, 80",
            "The loss at t to infinity falls with N to the power -alpha min(2, beta).",
            f"exponent in N of exact projections, beta = {beta:g}",
            bottleneck.floor_fit(setting, beta),
            (alpha * min(2.0, beta), None if beta < 1 else alpha),
            FLOOR_TOLERANCE,
            setting,
        )
        for name, beta in (("hard", hard), ("easy", easy))
    ]
    claims.append(
        _exponent(
            "data-floor",
            "eq. 78",
            "The loss of full-batch training at t to infinity falls with P to the power -alpha min(2, beta).",
            f"exponent in P of exact interpolations, beta = {easy:g}",
            bottleneck.data_fit(setting),
            (alpha * min(2.0, easy), None),
            FLOOR_TOLERANCE,
            setting,
        )
    )
    claims += [
        _exponent(
            f"transient.{name}",
            "eqs. 8, 9, 80",
            "The finite-N transient falls as t to the power -(1 - 1/alpha) in the lazy limit.",
            f"exponent of the coefficient of 1/N against eta t, beta = {beta:g}; negative if it grows",
            transients.correction_fit(setting, beta, "width"),
            (1 - 1 / alpha, None if beta > 1 else beta - 1 / alpha),
            EXPONENT_TOLERANCE,
            setting,
        )
        for name, beta in (("hard", hard), ("easy", easy))
    ]
    claims += [
        _exponent(
            f"sgd.{name}",
            "eqs. 8, 9",
            "The SGD term falls as t to the power -(2 - 1/alpha) in the lazy limit.",
            f"exponent of the coefficient of eta/B against eta t, beta = {beta:g}",
            transients.correction_fit(setting, beta, "batch"),
            (2 - 1 / alpha, None if beta > 2 - 1 / alpha else beta),
            EXPONENT_TOLERANCE,
            setting,
        )
        for name, beta in (("hard", hard), ("super-easy", above))
    ]
    printed, corrected, measured, error = meanfield.fourth_moment_losses(setting)
    interval = (measured - NORMAL_95 * error, measured + NORMAL_95 * error)
    verdict, reason = judge(printed, measured, interval, 0.01 * measured, corrected)
    claims.append(
        fact(
            setting,
            "errata.fourth-moment",
            "eqs. 21, 26, 31",
            "The noise of a batch in mode k has the variance lambda_k C_0/B.",
            f"loss after 6 steps at B = {setting.batch}, gamma = 0, infinite width, beta = {easy:g}",
            verdict,
            f"{reason}, with the dropped fourth moment",
            printed,
            Measurement(measured, interval),
        )
    )
    return claims


@dataclass(frozen=True)
class Curves:
    """What the figure shows."""

    # widths, floors, floor_errors: exact projections of an easy task: N, mean loss and its standard error, each
    # (n,)
    widths: Array
    floors: Array
    floor_errors: Array
    # floor_printed, floor_corrected: eq. 76 as printed and as corrected at the same widths
    floor_printed: Array
    floor_corrected: Array
    time: Array  # eta*steps of the closed forms, shape (T,)
    # transients, noises: coefficients of 1/N and of eta/B by source, each of shape (T,)
    transients: dict[float, Array]
    noises: dict[float, Array]
    spikes: dict[float, tuple[Array, Array]]  # times and ratios of the middle to the last term of eq. 53 by source


def curves(setting: Setting) -> Curves:
    """Compute what the figure shows."""
    floors, spreads = (np.array(values) for values in bottleneck.projection_floors(setting.alpha, setting.easy))
    printed, corrected = bottleneck.floor_forms(setting)
    time = np.geomspace(1.0, setting.window[1], 61)
    tasks = {
        beta: PowerLaw(setting.alpha, beta).quadrature(4 * time[-1])
        for beta in (setting.hard, setting.easy, setting.super_easy)
    }
    return Curves(
        np.array(bottleneck.WIDTHS, dtype=np.float64),
        floors,
        floors * spreads,
        printed,
        corrected,
        time,
        {beta: width_correction(tasks[beta], time) for beta in (setting.hard, setting.easy)},
        {beta: batch_correction(tasks[beta], time) for beta in (setting.hard, setting.super_easy)},
        {beta: infinite.spike_ratios(setting, beta) for beta in (0.6 * setting.hard, setting.hard)},
    )


def _exponent(
    name: str,
    location: str,
    statement: str,
    quantity: str,
    fit: PowerLawFit,
    forms: tuple[float, float | None],
    tolerance: float,
    page: Page,
) -> Claim:
    """Judge an exponent against what is printed and, if there is a correction, what should be."""
    verdict, reason = judge(forms[0], fit.exponent, fit.interval, tolerance, forms[1])
    return fact(
        page,
        f"errata.{name}",
        location,
        statement,
        quantity,
        verdict,
        reason,
        forms[0],
        Measurement(fit.exponent, fit.interval, fit.window),
    )


def _factor(
    name: str, location: str, statement: str, quantity: str, measured: float, forms: tuple[float, float], page: Page
) -> Claim:
    """Judge a factor, computed without noise."""
    interval = (measured, measured)
    verdict, reason = judge(forms[0], measured, interval, FACTOR_TOLERANCE, forms[1])
    return fact(
        page,
        f"errata.{name}",
        location,
        statement,
        quantity,
        verdict,
        reason,
        forms[0],
        Measurement(measured, interval),
    )


def _spike_claim(setting: Setting) -> Claim:
    """Judge whether the middle term of eq. 53 dies out beside the last one."""
    time, ratios = infinite.spike_ratios(setting, setting.hard)
    decade = ratios[time >= time[-1] / 10.0001]
    interval = (float(decade.min()), float(decade.max()))
    verdict, reason = judge(0.0, float(decade[-1]), interval, FACTOR_TOLERANCE)
    return fact(
        setting,
        "errata.spike-share",
        "eqs. 53, 54",
        "The middle term of dL/dt is subleading for hard tasks.",
        f"ratio of the middle to the last term over the last decade of the flow, beta = {setting.hard:g}",
        verdict,
        f"{reason}; under the ansatz of the text the ratio tends to {number(infinite.ansatz_ratio(setting.hard))}: the "
        "two terms have the same power. The exponent chi is not affected",
        0.0,
        Measurement(float(decade[-1]), interval, (float(time[-1] / 10), float(time[-1]))),
    )


PRINTED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 2)), "linewidth": 1.8}
CORRECTED: dict[str, Any] = {"color": RICH, "linewidth": 1.8, "linestyle": (0, (1, 1.2))}


def draw(curves: Curves, alpha: float) -> Figure:
    """Draw the four comparisons."""
    with book_style():
        figure = new_figure(7.6, WIDTH)
        panels = figure.subplot_mosaic([["a", "b"], ["c", "d"]])
        _floor(panels["a"], curves)
        powers = {beta: (1 / alpha - 1, 1 / alpha - min(1.0, beta)) for beta in curves.transients}
        _powers(panels["b"], curves.time, curves.transients, powers)
        panels["b"].set(title="(b) finite-$N$ transient", ylabel="coefficient of $1/N$")
        edge = 2 - 1 / alpha
        powers = {beta: (-edge, -min(beta, edge)) for beta in curves.noises}
        _powers(panels["c"], curves.time, curves.noises, powers)
        panels["c"].set(title="(c) SGD term", ylabel=r"coefficient of $\eta/B$")
        _spikes(panels["d"], curves)
    return figure


def _floor(axes: Axes, curves: Curves) -> None:
    axes.loglog(curves.widths, curves.floor_printed, label="eq. 76, printed", **PRINTED)
    axes.loglog(curves.widths, curves.floor_corrected, label="corrected", **CORRECTED)
    style: dict[str, Any] = {"fmt": "o", "color": INK, "markerfacecolor": "white", "markeredgewidth": 1.6}
    axes.errorbar(curves.widths, curves.floors, curves.floor_errors, label="projections", **style)
    axes.set(title=r"(a) bottleneck", xlabel="$N$", ylabel=r"$L(t\to\infty)$")
    axes.set_xticks(curves.widths, [f"{width:g}" for width in curves.widths])
    axes.minorticks_off()
    axes.legend(loc="lower left")


def _powers(axes: Axes, time: Array, values: dict[float, Array], powers: dict[float, tuple[float, float]]) -> None:
    late = time >= 30
    for index, (beta, curve) in enumerate(values.items()):
        axes.loglog(time, curve, color=INK, linewidth=1.6)
        # The first label stands above its curve, clear of it whether it rises or falls, the second below.
        middle, left = time.size // 2, index > 0 or curve[-1] > curve[0]
        axes.annotate(
            rf"$\beta={beta:g}$",
            (time[middle], curve[middle]),
            xytext=(-12 if left else 6, -16 if index > 0 else 6),
            textcoords="offset points",
            ha="right" if left else "left",
            fontsize=12,
        )
        printed, corrected = powers[beta]
        # Guides start where the asymptotic power should hold, the printed one only where it differs.
        start = curve[late][-1] * (time[late] / time[-1]) ** corrected
        axes.loglog(time[late], 0.72 * start, **CORRECTED)
        if abs(printed - corrected) > 1e-9:
            axes.loglog(time[late], curve[late][0] * (time[late] / time[late][0]) ** printed, **PRINTED)
    axes.set_xlabel(r"$\eta t$")


def _spikes(axes: Axes, curves: Curves) -> None:
    for (beta, (time, ratio)), marker in zip(curves.spikes.items(), "so", strict=False):
        axes.semilogx(time, ratio, marker + "-", color=INK, markerfacecolor="white", label=rf"$\beta={beta:g}$")
    axes.axhline(0.0, label="printed limit", **PRINTED)
    top = max(float(np.max(ratio)) for _, ratio in curves.spikes.values())
    axes.set(title="(d) spike over scale", xlabel=r"$\eta t$", ylabel="ratio in eq. 53", ylim=(-0.03, 1.35 * top))
    axes.legend(loc="upper right")
