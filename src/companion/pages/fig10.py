"""Figure 10: the exponent at increasing levels of the bootstrap, measured on integrated curves."""

from __future__ import annotations

import math
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing
from neural_scaling.base.checks import require
from neural_scaling.fits import fit_power_law
from neural_scaling.theory import chi, chi_level, level_curve

#: Agreement of exponents at very late times, stricter than elsewhere.
LEVELS = Tolerance(0.002, "exponents at very late times: below the gap of 0.0025 between levels 5 and 6 at beta = 0.4")
#: Samples per decade of the integrated curves.
DENSITY = 8


class Plan(Parameters):
    """Parameters of the page."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1.0 not in self.sources, "sources", "1 is among them, where powers meet", "leave it out")
        self.require_among("quoted", "sources")


def exponents(plan: Plan) -> pd.DataFrame:
    """Integrate the levels of eqs. 60-62 and the self-consistent eq. 67, which is level infinity, and fit each."""
    alpha, gamma, end = plan.alpha, plan.gamma, plan.window[1]
    time = np.geomspace(1e-2, end, DENSITY * round(math.log10(end) + 2) + 1)
    rows = []
    for beta in plan.sources:
        for level in (*range(plan.levels + 1), math.inf):
            loss = level_curve(alpha, beta, gamma, time, level)
            fit = fit_power_law(time, loss, plan.window, points=400)
            rows.append((beta, level, float(chi_level(beta, level)), fit.exponent, fit.interval, fit.window))
    return pd.DataFrame(rows, columns=["beta", "level", "predicted", "exponent", "interval", "window"])


def by_level(found: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each level with prediction and fit at every source side by side."""
    columns = {"level": found.level.unique()}
    for beta, rows in found.groupby("beta"):
        columns[f"chi_{beta:g}"], columns[f"found_{beta:g}"] = rows.predicted.to_numpy(), rows.exponent.to_numpy()
    return pd.DataFrame(columns)


def level_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Judge levels 1, 2 and infinity at one source, and all levels at once."""
    beta = plan.quoted
    rows: dict[float, Any] = {row.level: row for row in found[found.beta == beta].itertuples()}
    one, two = rows[1.0].predicted, rows[2.0].predicted
    printed, limit = 2.0 / (1.0 + beta), float(chi(beta))
    beyond = "corrected: 2 beta/(1 + beta), as eq. 68 has it"
    first = "One refinement gives the exponent beta (2 - beta)."
    second = "Two refinements give the exponent beta (2 - beta (2 - beta))."
    last = "The limit of infinitely many levels is 2/(1 + beta)."
    claims = [
        judged(
            plan,
            f"fig-10.{name}",
            location,
            statement,
            f"exponent of the loss against eta t at beta = {beta:g}",
            predicted,
            Measurement.of(rows[level].exponent, rows[level].interval, rows[level].window, meaning=SLOPE),
            "theory",
            LEVELS,
            corrected,
            note=note,
        )
        for name, level, location, statement, predicted, corrected, note in (
            ("level-1", 1.0, "eqs. 50, 59, 62", first, one, None, ""),
            ("level-2", 2.0, "eq. 62", second, two, None, ""),
            ("limit", math.inf, "Fig. 10, caption", last, printed, limit, beyond),
        )
    ]
    claims.append(
        bounded(
            plan,
            "fig-10.levels",
            "Fig. 10, eq. 62",
            "Each level n has the exponent chi_n, chi_(n+1) = max(beta, beta (2 - chi_n)).",
            f"largest departure of {len(found)} fitted exponents from chi_n",
            "below",
            LEVELS.value,
            Measurement.exact(float((found.exponent - found.predicted).abs().max())),
            "theory",
        )
    )
    return claims


def draw(plan: Plan, found: pd.DataFrame) -> Figure:
    """Draw Figure 10, with circles for levels 0, 1, 2 and the limit."""
    beta = np.linspace(0.002, 1.2, 300)
    with drawing(5.2) as (figure, axes):
        colors = {n: mpl.colormaps["viridis"](0.72 * n / plan.levels) for n in range(plan.levels + 1)}
        for n, color in colors.items():
            style = "-" if n % 2 == 0 else (0, (6, 2))
            axes.plot(beta, chi_level(beta, n), color=color, linestyle=style, label=f"level {n}")
        axes.plot(beta, chi(beta), color=INK, linewidth=2.6, linestyle=(0, (1, 1)), label=r"level $\infty$")
        for row in found[found.level.isin((0, 1, 2, math.inf))].itertuples():
            color = colors.get(row.level, INK)
            axes.plot(row.beta, row.exponent, "o", color=color, markerfacecolor="white", markeredgewidth=1.5)
        axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        axes.set(xlim=(0, 1.2), ylim=(0, 1.25), xlabel=r"source $\beta$", ylabel=r"exponent $\chi_n$")
        axes.legend(loc="upper left", ncols=2)
    return figure
