"""Errata: every suspected slip checked, as tables, as entries and as claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, judged
from companion.claims.words import number
from companion.errata import ERRATA, Setting, end_of_training, infinite_width, meanfield, transients
from companion.style import INK, MUTED, RICH, WIDTH, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import noise_coefficient, transient_coefficient

#: Agreement of exponents read off closed forms; the smallest difference between a printed and a corrected one is 0.5.
EXPONENT_TOLERANCE = 0.02
#: Agreement of the exponent of exact projections between widths 16 and 256, a fifth of the difference to be resolved.
FLOOR_TOLERANCE = 0.15
#: Agreement of factors of 1 or 2.
FACTOR_TOLERANCE = 0.05


def check_all(setting: Setting) -> pd.DataFrame:
    """Run every check: the error of both forms, None where an erratum is checked by reading alone, and the outcome."""
    rows = []
    for erratum in ERRATA:
        errors = erratum.errors(setting)
        forms = (None, None) if errors is None else (errors.printed, errors.corrected)
        rows.append((erratum.name, erratum.kind, erratum.location, *forms, erratum.tolerance, erratum.outcome(errors)))
    columns = ["name", "kind", "where", "printed", "corrected", "tolerance", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return checks with their errors in few digits, fit for comparison between runs, and places without markup."""
    numbers = {
        form: [_error(*row) for row in zip(found[form], found.tolerance, strict=True)]
        for form in ("printed", "corrected")
    }
    return found.assign(where=found["where"].str.replace("$", ""), **numbers).drop(columns=["kind", "tolerance"])


def _error(value: float, tolerance: float) -> str:
    # What rounding leaves differs from one processor to the next, and may be nothing at all. Identities hold to 1e-9,
    # integrals and fits to 1e-5. A tolerance of nothing belongs to a count, which is exact.
    floor = 1e-5 if tolerance > 1e-9 else min(tolerance, 1e-9)
    return f"< {floor:.0e}" if value < floor else number(float(f"{value:.6g}"))


def entries(found: pd.DataFrame, setting: Setting) -> str:
    """Return checks as a Markdown definition list, one entry each: both forms, the reason and the check."""
    errata = {erratum.name: erratum for erratum in ERRATA}
    blocks = []
    for row in shown(found).itertuples():
        erratum = errata[row.name]
        read, other = erratum.check is None, "suspected" if erratum.kind == "suspicion" else "corrected"
        definitions = [f"*Printed:* {erratum.printed}"]
        if other == "corrected" or not read:
            definitions.append(f"*{other.capitalize()}:* {erratum.corrected}")
        definitions.append(erratum.reason + (f" See {{ref}}`{erratum.page}`." if erratum.page else ""))
        if not read:
            quantity = erratum.quantity % vars(setting)
            definitions.append(
                f"*{quantity[0].upper()}{quantity[1:]}:* **{row.printed}** printed, **{row.corrected}** {other} "
                f"(tolerance {erratum.tolerance:g})."
            )
        blocks.append("\n".join([f"**{erratum.location}**", *(f": {text}\n" for text in definitions)]))
    return "\n".join(blocks)


def substance_claims(setting: Setting) -> list[Claim]:
    """Judge the matters of substance."""
    alpha, hard, easy, above = setting.alpha, setting.hard, setting.easy, setting.super_easy
    scale_limit, spike_limit = infinite_width.scale_limit(setting)
    claims = [
        _exponent(
            setting,
            "gradient-correlation",
            "eq. 47",
            "The correlation C_2(t, t) falls as t to the power -beta.",
            f"exponent of C_2(t, t) against eta t in the lazy limit, beta = {hard:g}",
            infinite_width.gradient_correlation_fit(setting),
            hard,
            1 + hard,
        ),
        _exponent(
            setting,
            "weight-norm",
            "eq. 47",
            "The norm C_w grows as t to the power 1 - beta. (The slips in eqs. 45 and 47 cancel.)",
            f"exponent of C_w against eta t in the lazy limit, beta = {hard:g}, growth counted negative",
            infinite_width.weight_norm_fit(setting),
            hard - 1,
        ),
        _factor(
            setting,
            "loss-rate",
            "eqs. 53, 54",
            "The loss falls at the rate Delta^T K Delta.",
            "-dL/dt over Delta^T K Delta in the rich flow",
            infinite_width.loss_rate_ratio(setting),
            1.0,
            2.0,
        ),
        _spike_claim(setting),
        _factor(
            setting,
            "scale-limit",
            "eqs. 55, 56",
            "The scale of the kernel grows by twice gamma times the RKHS norm of the target.",
            f"late growth over gamma y^T Lambda^-1 (1 - exp(-Lambda t)) y, beta = {easy:g}, gamma to 0",
            scale_limit,
            2.0,
            1.0,
        ),
        _factor(
            setting,
            "spike-limit",
            "eq. 55",
            "The spike of the kernel tends to twice gamma y y^T.",
            f"late entry (1, 1) over gamma y_1^2, beta = {easy:g}, gamma to 0",
            spike_limit,
            2.0,
            1.0,
        ),
    ]
    claims += [
        _exponent(
            setting,
            f"floor.{name}",
            "eqs. 8, 9, 12, 76, 80",
            "The loss at t to infinity falls with N to the power -alpha min(2, beta).",
            f"exponent in N of exact projections, beta = {beta:g}",
            end_of_training.floor_fit(setting, beta),
            alpha * min(2.0, beta),
            None if beta < 1 else alpha,
            FLOOR_TOLERANCE,
        )
        for name, beta in (("hard", hard), ("easy", easy))
    ]
    claims.append(
        _exponent(
            setting,
            "data-floor",
            "eq. 78",
            "The loss of full-batch training at t to infinity falls with P to the power -alpha min(2, beta).",
            f"exponent in P of exact interpolations, beta = {easy:g}",
            end_of_training.data_fit(setting),
            alpha * min(2.0, easy),
            tolerance=FLOOR_TOLERANCE,
        )
    )
    claims += [
        _exponent(
            setting,
            f"transient.{name}",
            "eqs. 8, 9, 80",
            "The finite-N transient falls as t to the power -(1 - 1/alpha) in the lazy limit.",
            f"exponent of the coefficient of 1/N against eta t, beta = {beta:g}; negative if it grows",
            transients.correction_fit(setting, beta, "width"),
            1 - 1 / alpha,
            None if beta > 1 else beta - 1 / alpha,
        )
        for name, beta in (("hard", hard), ("easy", easy))
    ]
    claims += [
        _exponent(
            setting,
            f"sgd.{name}",
            "eqs. 8, 9",
            "The SGD term falls as t to the power -(2 - 1/alpha) in the lazy limit.",
            f"exponent of the coefficient of eta/B against eta t, beta = {beta:g}",
            transients.correction_fit(setting, beta, "batch"),
            2 - 1 / alpha,
            None if beta > 2 - 1 / alpha else beta,
        )
        for name, beta in (("hard", hard), ("super-easy", above))
    ]
    printed, corrected, measured, error = meanfield.fourth_moment_losses(setting)
    claims.append(
        judged(
            setting,
            "errata.fourth-moment",
            "eqs. 21, 26, 31",
            "The noise of a batch in mode k has the variance lambda_k C_0/B.",
            f"loss after 6 steps at B = {setting.batch}, gamma = 0, infinite width, beta = {easy:g}",
            printed,
            Measurement.with_error(measured, error),
            0.01 * measured,
            corrected,
            remark=", with the dropped fourth moment",
        )
    )
    return claims


def _exponent(
    setting: Setting,
    name: str,
    location: str,
    statement: str,
    quantity: str,
    fit: PowerLawFit,
    printed: float,
    corrected: float | None = None,
    tolerance: float = EXPONENT_TOLERANCE,
) -> Claim:
    """Judge an exponent against what is printed and, if there is a correction, what should be."""
    measured = Measurement.exponent(fit)
    return judged(setting, f"errata.{name}", location, statement, quantity, printed, measured, tolerance, corrected)


def _factor(
    setting: Setting,
    name: str,
    location: str,
    statement: str,
    quantity: str,
    value: float,
    printed: float,
    corrected: float,
) -> Claim:
    """Judge a factor, computed without noise."""
    measured, tolerance = Measurement.exact(value), FACTOR_TOLERANCE
    return judged(setting, f"errata.{name}", location, statement, quantity, printed, measured, tolerance, corrected)


def _spike_claim(setting: Setting) -> Claim:
    """Judge whether the middle term of eq. 53 dies out beside the last one."""
    time, ratios = infinite_width.spike_ratios(setting, setting.hard)
    decade = ratios[time >= time[-1] / 10.0001]
    limit = number(infinite_width.ansatz_ratio(setting.hard))
    return judged(
        setting,
        "errata.spike-share",
        "eqs. 53, 54",
        "The middle term of dL/dt is subleading for hard tasks.",
        f"ratio of the middle to the last term over the last decade of the flow, beta = {setting.hard:g}",
        0.0,
        Measurement.last_of(decade, (float(time[-1] / 10), float(time[-1]))),
        FACTOR_TOLERANCE,
        remark=f"; under the ansatz of the text the ratio tends to {limit}: the two terms have the same power. "
        "The exponent chi is not affected",
    )


@dataclass(frozen=True)
class Curves:
    """What the figure shows."""

    floors: pd.DataFrame  # exact projections of an easy task by width, and eq. 76 as printed and as corrected
    time: Array  # eta*steps of the closed forms, shape (T,)
    # coefficients of 1/N and of eta/B by source, each of shape (T,)
    transients: dict[float, Array]
    noises: dict[float, Array]
    spikes: dict[float, tuple[Array, Array]]  # times and ratios of the middle to the last term of eq. 53 by source


def curves(setting: Setting) -> Curves:
    """Compute what the figure shows."""
    printed, corrected = end_of_training.floor_forms(setting)
    floors = end_of_training.projection_floors(setting.alpha, setting.easy)
    time = np.geomspace(1.0, setting.window[1], 61)
    hard, easy, above = (
        PowerLaw(setting.alpha, beta).quadrature(4 * time[-1])
        for beta in (setting.hard, setting.easy, setting.super_easy)
    )
    return Curves(
        floors.assign(printed=printed, corrected=corrected),
        time,
        {setting.hard: transient_coefficient(hard, time), setting.easy: transient_coefficient(easy, time)},
        {setting.hard: noise_coefficient(hard, time), setting.super_easy: noise_coefficient(above, time)},
        {beta: infinite_width.spike_ratios(setting, beta) for beta in (0.6 * setting.hard, setting.hard)},
    )


PRINTED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 2)), "linewidth": 1.8}
CORRECTED: dict[str, Any] = {"color": RICH, "linewidth": 1.8, "linestyle": (0, (1, 1.2))}


def draw(curves: Curves, alpha: float) -> Figure:
    """Draw the four comparisons."""
    with book_style():
        figure = new_figure(7.6, WIDTH)
        panels = figure.subplot_mosaic([["a", "b"], ["c", "d"]])
        _floor(panels["a"], curves.floors)
        powers = {beta: (1 / alpha - 1, 1 / alpha - min(1.0, beta)) for beta in curves.transients}
        _powers(panels["b"], curves.time, curves.transients, powers)
        panels["b"].set(title="(b) finite-$N$ transient", ylabel="coefficient of $1/N$")
        edge = 2 - 1 / alpha
        powers = {beta: (-edge, -min(beta, edge)) for beta in curves.noises}
        _powers(panels["c"], curves.time, curves.noises, powers)
        panels["c"].set(title="(c) SGD term", ylabel=r"coefficient of $\eta/B$")
        _spikes(panels["d"], curves)
    return figure


def _floor(axes: Axes, floors: pd.DataFrame) -> None:
    widths = floors["size"]
    axes.loglog(widths, floors.printed, label="eq. 76, printed", **PRINTED)
    axes.loglog(widths, floors.corrected, label="corrected", **CORRECTED)
    style: dict[str, Any] = {"fmt": "o", "color": INK, "markerfacecolor": "white", "markeredgewidth": 1.6}
    axes.errorbar(widths, floors["mean"], floors.error, label="projections", **style)
    axes.set(title=r"(a) bottleneck", xlabel="$N$", ylabel=r"$L(t\to\infty)$")
    axes.set_xticks(widths, [f"{width:g}" for width in widths])
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
