"""Notes on the printed equations: each checked, as tables, as entries and as claims."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, Tolerance, judged
from companion.claims.places import linked, of_paper
from companion.claims.words import number, with_formulas
from companion.errata import ERRATA, Erratum, Setting, Tier, end_of_training, infinite_width, meanfield
from companion.style import INK, MUTED, RICH, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import noise_coefficient, transient_coefficient

#: Agreement of a factor of 1 or 2.
FACTOR = Tolerance(0.05, "a factor of 1 or 2: a twentieth of their difference")
#: How the consequence of a note begins.
TIER: dict[Tier, str] = {"law": "**Law:** ", "constant": "Constant: ", "misprint": "none", "note": ""}
#: Agreement of what is simulated for the two fourth moments, relative to it.
MOMENT = 0.02


def check_all(setting: Setting) -> pd.DataFrame:
    """Run every check: the error of both forms, None where an erratum is checked by reading alone, and the outcome."""
    rows = []
    for erratum in ERRATA:
        errors = erratum.errors(setting)
        forms = (None, None) if errors is None else (errors.printed, errors.corrected)
        rows.append((erratum.name, erratum.tier, erratum.location, *forms, erratum.tolerance, erratum.outcome(errors)))
    columns = ["name", "tier", "where", "printed", "corrected", "tolerance", "outcome"]
    return pd.DataFrame(rows, columns=columns)


def shown(found: pd.DataFrame) -> pd.DataFrame:
    """Return checks with their errors in few digits, fit for comparison between runs, and places without markup."""
    numbers = {
        form: [_error(*row) for row in zip(found[form], found.tolerance, strict=True)]
        for form in ("printed", "corrected")
    }
    where = found["where"].str.replace("$", "").map(of_paper)
    return found.assign(where=where, **numbers).drop(columns=["tier", "tolerance"])


def _error(value: float, tolerance: float) -> str:
    # What rounding leaves differs from one processor to the next, and may be nothing at all. Identities hold to 1e-9,
    # integrals and fits to 1e-5. A tolerance of nothing belongs to a count, which is exact.
    floor = 1e-5 if tolerance > 1e-9 else min(tolerance, 1e-9)
    return f"< {floor:.0e}" if value < floor else number(float(f"{value:.6g}"))


def contents() -> str:
    """Return what the notes are about as Markdown: a table of those that change something, and the misprints folded."""
    changing = [erratum for erratum in ERRATA if erratum.tier in ("law", "constant")]
    slips = [erratum for erratum in ERRATA if erratum.tier == "misprint"]
    folded = f"<details><summary>{len(slips)} misprints, each local</summary>\n\n{_contents(slips)}\n\n</details>"
    return f"{_contents(changing)}\n\n{folded}"


def _contents(errata: Sequence[Erratum]) -> str:
    rows = [
        f'| <a href="#erratum-{erratum.name}">{erratum.title}</a> | {linked(erratum.location)} '
        f"| {TIER[erratum.tier]}{of_paper(erratum.consequence)} | {_links(erratum)} |"
        for erratum in errata
    ]
    return "\n".join(["| What | Where | Consequence | Page |", "| :-- | :-- | :-- | :-- |", *rows])


def _links(erratum: Erratum) -> str:
    return ", ".join(f"{{ref}}`{page}`" for page in erratum.pages)


def entries(found: pd.DataFrame, setting: Setting) -> str:
    """Return checks as Markdown, one entry each that opens to both forms, the reason and the check; notes as a list."""
    errata = {erratum.name: erratum for erratum in ERRATA}
    blocks = []
    for row in shown(found).itertuples():
        erratum = errata[row.name]
        see, location = f" See {_links(erratum)}." if erratum.pages else "", erratum.location
        if erratum.tier == "note":
            blocks.append(f'- <span id="erratum-{erratum.name}"></span>**{location}.** {erratum.reason}{see}')
            continue
        title = f'<span class="said">{with_formulas(erratum.title)}</span>'
        place = f'<span class="tag">{with_formulas(location)}</span>'
        body = [f"*Printed:* {erratum.printed}", f"*Corrected:* {erratum.corrected}", erratum.reason + see]
        if erratum.check is not None:
            quantity = erratum.quantity % vars(setting)
            body.append(
                f"*{quantity[0].upper()}{quantity[1:]}:* **{row.printed}** printed, **{row.corrected}** corrected "
                f"(tolerance {erratum.tolerance:g})."
            )
        start = f'<details class="erratum" id="erratum-{erratum.name}"><summary>{title} {place}</summary>'
        blocks.append("\n\n".join([start, *body, "</details>\n"]))
    return of_paper("\n".join(blocks))


def claims(setting: Setting) -> list[Claim]:
    """Judge what no other page does: the factor in eq. 53 and what the mean-field theory drops at small B and N."""
    found = [
        judged(
            setting,
            "errata.loss-rate",
            "eqs. 53, 54",
            "The loss falls at the rate Delta^T K Delta.",
            "-dL/dt over Delta^T K Delta in the rich flow",
            1.0,
            Measurement.exact(infinite_width.loss_rate_ratio(setting)),
            "theory",
            FACTOR,
            2.0,
        )
    ]
    for name, location, statement, quantity, values in (
        (
            "fourth-moment",
            "eqs. 21, 26, 31",
            "The noise of a batch in mode k has the variance lambda_k C_0/B.",
            f"loss after 6 steps at B = {setting.batch}, gamma = 0, infinite width, beta = {setting.easy:g}",
            meanfield.fourth_moment_losses(setting),
        ),
        (
            "fourth-moment-width",
            "eqs. 23, 26",
            "To first order in 1/N finite width acts as noise of variance C_3/N and one response of all modes.",
            f"coefficient of 1/N in the loss of 16 modes at eta t = 1, gamma = 0, beta = {setting.easy:g}",
            meanfield.width_coefficients(setting),
        ),
    ):
        printed, corrected, measured, error = values
        found.append(
            judged(
                setting,
                f"errata.{name}",
                location,
                statement,
                quantity,
                printed,
                Measurement.with_error(measured, error),
                "simulation",
                Tolerance(MOMENT * measured, "2 %: the intervals are within 1.2 %, the moments are 5 and 23 %"),
                corrected,
                note="the correction has the dropped fourth moment",
            )
        )
    return found


@dataclass(frozen=True)
class Curves:
    """What the figure shows."""

    floors: pd.DataFrame  # exact projections of an easy task by width, and eq. 76 as printed and as corrected
    time: Array  # eta*steps of the closed forms, shape (T,)
    # coefficients of 1/N and of eta/B by source, each of shape (T,)
    transients: dict[float, Array]
    noises: dict[float, Array]


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
    )


PRINTED: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 2)), "linewidth": 1.8}
CORRECTED: dict[str, Any] = {"color": RICH, "linewidth": 1.8, "linestyle": (0, (1, 1.2))}


def draw(curves: Curves, alpha: float) -> Figure:
    """Draw the three laws that change."""
    with book_style():
        figure = new_figure(8.2)
        panels = figure.subplot_mosaic([["a", "a"], ["b", "c"]])
        _floor(panels["a"], curves.floors)
        powers = {beta: (1 / alpha - 1, 1 / alpha - min(1.0, beta)) for beta in curves.transients}
        _powers(panels["b"], curves.time, curves.transients, powers)
        panels["b"].set(title="(b) finite-$N$ transient", ylabel="coefficient of $1/N$")
        edge = 2 - 1 / alpha
        powers = {beta: (-edge, -min(beta, edge)) for beta in curves.noises}
        _powers(panels["c"], curves.time, curves.noises, powers)
        panels["c"].set(title="(c) SGD term", ylabel=r"coefficient of $\eta/B$")
    return figure


def _floor(axes: Axes, floors: pd.DataFrame) -> None:
    widths = floors["size"]
    axes.loglog(widths, floors.printed, label="paper eq. 76, printed", **PRINTED)
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
