"""Figure 10: the exponent at increasing levels of the bootstrap, measured on integrated curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from companion.claims import Claim, Measurement, Page, Verdict, bound, fact, judge
from companion.parameters import Parameters
from companion.style import INK, MUTED, WIDTH, book_style, new_figure
from neural_scaling.base.checks import require
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.theory import chi, chi_level, level_curve, self_consistent_curve

#: Agreement of exponents at very late times: below the gap of 0.0025 between levels 5 and 6 at beta = 0.4.
EXPONENT_TOLERANCE = 0.002
#: Samples per decade of the integrated curves.
DENSITY = 8


class Plan(Parameters):
    """Parameters of the page."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1.0 not in self.sources, "sources", "1 is among them, where powers meet", "leave it out")
        self.require_among("quoted", "sources")


@dataclass(frozen=True)
class LevelRow:
    """One level at one source."""

    level: float  # number of refinements; infinity for the self-consistent curve
    beta: float  # source
    predicted: float  # chi_n
    fit: PowerLawFit  # fit of the integrated loss


def level_rows(
    alpha: float, gamma: float, sources: Sequence[float], levels: int, window: tuple[float, float]
) -> list[LevelRow]:
    """Integrate the levels of eqs. 60-62 and the self-consistent eq. 67, and fit each."""
    time = np.geomspace(1e-2, window[1], DENSITY * round(math.log10(window[1]) + 2) + 1)
    rows = []
    for beta in sources:
        for level in (*range(levels + 1), math.inf):
            if math.isinf(level):
                loss = self_consistent_curve(alpha, beta, gamma, time).loss
            else:
                loss = level_curve(alpha, beta, gamma, time, int(level))
            fit = fit_power_law(time, loss, window, points=400)
            rows.append(LevelRow(level, beta, chi_level(beta, level), fit))
    return rows


def level_claims(rows: Sequence[LevelRow], beta: float, page: Page) -> list[Claim]:
    """Judge levels 1, 2 and infinity at one source, and all levels at once."""
    shown = {row.level: row for row in rows if row.beta == beta}
    quoted = (
        ("level-1", 1.0, "eqs. 50 and 59", "One refinement gives the exponent beta (2 - beta)."),
        ("level-2", 2.0, "eqs. 61 and 62", "Two refinements give the exponent beta (2 - beta (2 - beta))."),
    )
    claims = []
    for name, level, location, statement in quoted:
        fit = shown[level].fit
        verdict, reason = judge(shown[level].predicted, fit.exponent, fit.interval, EXPONENT_TOLERANCE)
        claims.append(_claim(name, location, statement, shown[level], page, verdict, reason))
    limit = shown[math.inf]
    printed, corrected = 2.0 / (1.0 + beta), chi(beta)
    verdict, reason = judge(printed, limit.fit.exponent, limit.fit.interval, EXPONENT_TOLERANCE, corrected)
    claims.append(
        _claim(
            "limit",
            "Fig. 10, caption",
            "The limit of infinitely many levels is 2/(1 + beta).",
            LevelRow(limit.level, beta, printed, limit.fit),
            page,
            verdict,
            f"{reason}, the value 2 beta/(1 + beta) of eqs. 62 and 68",
        )
    )
    gaps = [row.fit.exponent - row.predicted for row in rows]
    largest = max(gaps, key=abs)
    verdict, reason = judge(0.0, largest, (min(gaps), max(gaps)), EXPONENT_TOLERANCE)
    claims.append(
        fact(
            page,
            "fig-10.levels",
            "Fig. 10, eq. 62",
            "Each level n has the exponent chi_n, chi_(n+1) = max(beta, beta (2 - chi_n)).",
            f"largest departure of {len(rows)} fitted exponents from chi_n",
            verdict,
            f"{reason}; all {bound(abs(largest))}",
            0.0,
            Measurement(largest, (min(gaps), max(gaps)), rows[0].fit.window),
        )
    )
    return claims


def _claim(name: str, location: str, statement: str, row: LevelRow, page: Page, verdict: Verdict, reason: str) -> Claim:
    return fact(
        page,
        f"fig-10.{name}",
        location,
        statement,
        f"exponent of the loss against eta t at beta = {row.beta:g}",
        verdict,
        reason,
        row.predicted,
        Measurement(row.fit.exponent, row.fit.interval, row.fit.window),
    )


FloatArray = NDArray[np.float64]


def draw(
    beta: FloatArray,
    levels: Mapping[int, FloatArray],
    limit: FloatArray,
    rows: Sequence[LevelRow],
) -> Figure:
    """Draw Figure 10."""
    with book_style():
        figure = new_figure(5.2, WIDTH)
        axes = figure.subplots()
        last = max(levels)
        colors = {n: mpl.colormaps["viridis"](0.72 * n / max(last, 1)) for n in levels}
        for n, values in levels.items():
            style = "-" if n % 2 == 0 else (0, (6, 2))
            axes.plot(beta, values, color=colors[n], linestyle=style, label=f"level {n}")
        axes.plot(beta, limit, color=INK, linewidth=2.6, linestyle=(0, (1, 1)), label=r"level $\infty$")
        for row in rows:
            color = INK if math.isinf(row.level) else colors[int(row.level)]
            axes.plot(row.beta, row.fit.exponent, "o", color=color, markerfacecolor="white", markeredgewidth=1.5)
        axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        axes.set(xlim=(0, 1.2), ylim=(0, 1.25), xlabel=r"source $\beta$", ylabel=r"exponent $\chi_n$")
        axes.legend(loc="upper left", ncols=2)
    return figure
