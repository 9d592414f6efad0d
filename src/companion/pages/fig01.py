"""Figure 1: the exponent of the loss in time, measured, and the phases, checked point by point."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import SLOPE, Claim, Measurement, Tolerance, bound, judged
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, book_style, new_figure
from neural_scaling.base.checks import require
from neural_scaling.fits import fit_power_law
from neural_scaling.theory import (
    Regime,
    balancing_terms,
    chi,
    frontier,
    loss_terms,
    phase,
    phases,
    self_consistent_curve,
    super_easy_boundary,
)
from neural_scaling.theory.loss_law import BOTTLENECK, GRADIENT_FLOW, SGD, TERM_NAMES, TRANSIENT, VERSIONS

#: Agreement of exponents at very late times, stricter than elsewhere.
LATE = Tolerance(
    0.008, "exponents at very late times: a sixth of the smallest gap between lazy and rich at the hard sources shown"
)
#: A label names its region.
NAMES = Tolerance(0.01, "shares: a label holds if it does so at all tasks but one in a hundred")
#: Samples per decade of the integrated curves.
DENSITY = 8
#: Natural logarithm of the compute at which the phases are read off: subdominant terms are gone.
LOG_COMPUTE = 1e4

REGIMES: tuple[Regime, ...] = ("hard", "easy", "super-easy")
HARD, EASY, SUPER = "#f6e3d3", "#dbe9f6", "#dff0e2"
SOURCE_RANGE = (0.2, 2.3)


class Plan(Parameters):
    """Parameters of the page."""

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1.0 not in self.sources, "sources", "1 is among them, where powers meet", "leave it out")
        for name in ("hard", "easy"):
            self.require_among(name, "sources")


def exponents(plan: Plan) -> pd.DataFrame:
    """Integrate eq. 67 for every source, lazy and rich, and fit the loss in the late and in the early window."""
    end = max(plan.late[1], plan.early[1])
    time = np.geomspace(1e-2, end, DENSITY * round(math.log10(end) + 2) + 1)
    rows = []
    for limit, gamma in (("lazy", 0.0), ("rich", plan.gamma)):
        for beta in plan.sources:
            curve = self_consistent_curve(plan.alpha, beta, gamma, time)
            late, early = (fit_power_law(curve.time, curve.loss, span, points=400) for span in (plan.late, plan.early))
            predicted = float(chi(beta, limit == "rich"))
            rows.append((beta, limit, predicted, late.exponent, late.interval, late.window, early.exponent))
    return pd.DataFrame(rows, columns=["beta", "limit", "predicted", "late", "interval", "window", "early"])


def phase_counts(plan: Plan) -> pd.DataFrame:
    """Minimise eqs. 8 and 9 over a grid of tasks and compare the surviving terms with the phase plot.

    ``named`` is the share of the tasks of a region at which exactly the two terms that it names remain at the optimum,
    ``printed`` the same for the two terms that the printed figure writes into the region, ``known`` for any of the three pairs.
    """
    rows = []
    for limit in ("lazy", "rich"):
        rich = limit == "rich"
        seen: dict[Regime, list[frozenset[str]]] = {}
        for alpha, beta in _tasks(plan):
            terms = loss_terms(alpha, beta, rich, "paper")
            left = balancing_terms(terms, frontier(terms, LOG_COMPUTE, B=1.0))
            seen.setdefault(phase(alpha, beta, rich).regime, []).append(left)
        for regime in filter(seen.get, REGIMES):
            named = _named(regime)
            printed = frozenset({TRANSIENT, BOTTLENECK}) if regime == "easy" else named
            pairs = [{named}, {printed}, {_named(each) for each in REGIMES}]
            shares = [float(np.mean([left in allowed for left in seen[regime]])) for allowed in pairs]
            rows.append((regime, limit, len(seen[regime]), *shares))
    return pd.DataFrame(rows, columns=["regime", "limit", "points", "named", "printed", "known"])


def improvements(plan: Plan) -> pd.DataFrame:
    """Return the smallest change from the lazy to the rich exponent of every term in time, over the grid of tasks."""
    changes: dict[str, list[list[float]]] = {GRADIENT_FLOW: [], TRANSIENT: [], SGD: []}
    for alpha, beta in _tasks(plan):
        laws = [[loss_terms(alpha, beta, rich, version) for rich in (False, True)] for version in VERSIONS]
        for place, name in enumerate(TERM_NAMES):
            if name in changes:
                changes[name].append([lazy[place].t_exponent - rich[place].t_exponent for lazy, rich in laws])
    rows = [(name, *np.min(values, axis=0).tolist()) for name, values in changes.items()]
    return pd.DataFrame(rows, columns=["term", "printed", "corrected"])


def _tasks(plan: Plan) -> list[tuple[float, float]]:
    """Return the grid of capacities and sources, without those on a boundary, where terms tie at any compute."""
    cells = (np.arange(plan.grid) + 0.5) / plan.grid
    return [
        (alpha, beta)
        for alpha in (1.0 + (plan.largest_capacity - 1.0) * cells).tolist()
        for beta in (plan.largest_source * cells).tolist()
        if min(abs(beta - 1.0), abs(beta - float(super_easy_boundary(alpha)))) >= 1e-2
    ]


def exponent_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Judge chi at one hard and one easy source, lazy and rich."""
    worst = (found.late - found.predicted).abs().groupby(found.limit).max()
    quoted = (
        ("lazy", plan.hard, "lazy", "The lazy loss falls with the source as its exponent."),
        ("hard.rich", plan.hard, "rich", "Feature learning raises the exponent of a hard task to 2 beta/(1 + beta)."),
        ("easy.rich", plan.easy, "rich", "Feature learning leaves the exponent of an easy task at beta."),
    )
    return [
        judged(
            plan,
            f"fig-1.exponent.{name}",
            "Fig. 1a, eqs. 10, 68",
            statement,
            f"chi at beta = {beta:g}, fit of the loss of eq. 67 against eta t",
            row.predicted,
            Measurement.of(row.late, row.interval, row.window, meaning=SLOPE),
            "theory",
            LATE,
            note=f"all sources shown differ by {bound(float(worst[limit]))}; this tests eq. 68 against eq. 67, not eq. 67",
        )
        for name, beta, limit, statement in quoted
        for row in found[(found.limit == limit) & (found.beta == beta)].itertuples()
    ]


def phase_claims(plan: Plan, counts: pd.DataFrame) -> list[Claim]:
    """Judge the labels of the phase plots (that of the easy region by the pair that section 4 names), and that they are all."""
    statements = {
        "hard": ("Hard", "gradient flow against the model bottleneck"),
        "easy": ("Easy", "the finite-N transient against the model bottleneck"),
        "super-easy": ("Super-easy", "SGD noise against the finite-N transient"),
    }
    claims = []
    for count in counts.itertuples():
        panel, equation = ("c", 9) if count.limit == "rich" else ("b", 8)
        tasks, balance = statements[count.regime]
        share = f"share of {count.points} tasks at which the optimum of eq. {equation} balances"
        pair, predicted, measured, corrected, note = balance, 1.0, count.printed, None, ""
        if count.regime == "easy":
            pair, predicted, measured, corrected = "gradient flow against the finite-N transient", 0.0, count.named, 1.0
            note = "corrected: the pair of section 4 and Table 1; the printed label is what follows in time at fixed N"
        claims.append(
            judged(
                plan,
                f"fig-1.phase.{count.regime}.{count.limit}",
                f"Fig. 1{panel}, {count.regime} region",
                f"At fixed compute {tasks.lower()} tasks balance {balance}.",
                f"{share} {pair}",
                predicted,
                Measurement.exact(measured),
                "algebra",
                NAMES,
                corrected,
                note=note,
            )
        )
    known = float((counts.known * counts.points).sum() / counts.points.sum())
    claims.append(
        judged(
            plan,
            "fig-1.phase.three",
            "section 4, footnote 4",
            "Three balances, and no others, occur for alpha > 1.",
            f"share of {counts.points.sum()} tasks, lazy and rich, at which the optimum of eqs. 8 and 9 is one of the three",
            1.0,
            Measurement.exact(known),
            "algebra",
            NAMES,
        )
    )
    return claims


def improvement_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Judge that feature learning makes no exponent in time smaller."""
    return [
        judged(
            plan,
            f"fig-1.improved.{row.term.lower().replace(' ', '-')}",
            "section 4, below eq. 9",
            f"In the rich regime the exponent of the {row.term} is the same as in the lazy one or larger.",
            f"smallest change of the exponent in time over the plane of tasks, corrected law; {row.printed:.3g} as printed",
            0.0,
            Measurement.exact(row.corrected),
            "algebra",
            note=""
            if row.corrected > -1e-9
            else "the corrected term, found by solving the theory, is worse for some hard tasks when they are rich",
        )
        for row in found.itertuples()
    ]


def _named(kind: Regime) -> frozenset[str]:
    region = phases(False)[kind]
    return frozenset({region.early, region.late})


def draw(plan: Plan, found: pd.DataFrame) -> Figure:
    """Draw Figure 1."""
    with book_style():
        figure = new_figure(8.4)
        panels = figure.subplot_mosaic([["a", "a"], ["b", "c"]], height_ratios=[1.0, 1.2])
        _exponents(panels["a"], plan, found)
        _phases(panels["b"], False, plan.largest_capacity)
        _phases(panels["c"], True, plan.largest_capacity)
        panels["a"].set_title(r"(a) $L(t)\sim t^{-\chi(\beta)}$ for $N, B\to\infty$")
        panels["b"].set_title(r"(b) lazy, $\gamma\to 0$")
        panels["c"].set_title(r"(c) rich, $\gamma>0$")
        panels["b"].set_ylabel(r"capacity $\alpha$")
        panels["c"].tick_params(labelleft=False)
    return figure


def _exponents(axes: Axes, plan: Plan, found: pd.DataFrame) -> None:
    beta = np.linspace(0.002, 1.23, 300)
    axes.plot(beta, chi(beta), color=RICH, label=r"rich: $\beta\,\max(1, \frac{2}{1+\beta})$")
    axes.plot(beta, chi(beta, rich=False), color=LAZY, linestyle=(0, (5, 2)), label=r"lazy: $\beta$")
    hollow: dict[str, Any] = {"marker": "o", "linestyle": "", "markerfacecolor": "white", "markeredgewidth": 1.6}
    for row in found.itertuples():
        axes.plot(row.beta, row.late, color=RICH if row.limit == "rich" else LAZY, **hollow)
        if row.limit == "rich":
            axes.plot(row.beta, row.early, "x", color=MUTED, markeredgewidth=1.8)
    first, last = (round(math.log10(end)) for end in plan.early)
    axes.plot([], [], color=MUTED, label="integrated, late", **hollow)
    early = rf"integrated, $10^{{{first}}}<\eta t<10^{{{last}}}$"
    axes.plot([], [], "x", color=MUTED, markeredgewidth=1.8, label=early)
    axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
    axes.text(0.985, 0.03, "hard", ha="right", color=MUTED)
    axes.text(1.015, 0.03, "easy", ha="left", color=MUTED)
    axes.set(xlim=(0, 1.23), ylim=(0, 1.28), xlabel=r"source $\beta$", ylabel=r"exponent $\chi$")
    axes.legend(loc="upper left")


def _phases(axes: Axes, rich: bool, largest: float) -> None:
    alpha = np.linspace(1.0, largest, 200)
    boundary = super_easy_boundary(alpha)
    left, right = SOURCE_RANGE
    axes.fill_betweenx(alpha, left, 1.0, color=HARD, linewidth=0)
    axes.fill_betweenx(alpha, 1.0, boundary, color=EASY, linewidth=0)
    axes.fill_betweenx(alpha, boundary, right, color=SUPER, linewidth=0)
    axes.plot(np.ones(2), [1.0, largest], color=INK, linewidth=1.4)
    axes.plot(boundary, alpha, color=INK, linewidth=1.4)
    span = largest - 1.0
    region = phases(rich)
    places = {"hard": (0.6, 0.5), "easy": (1.335, 0.73), "super-easy": (1.86, 0.16)}
    for part in region.values():
        x, height = places[part.regime]
        _label(axes, x, 1.0 + height * span, part.early_label, part.late_label)
    for x, title in ((0.6, "hard"), (1.335, "easy†"), (2.02, "super-\neasy")):
        axes.text(x, largest - 0.05 * span, title, ha="center", va="top", fontweight="bold", linespacing=0.95)
    axes.text(1.67, 1.0 + 0.46 * span, r"$\beta=2-\frac{1}{\alpha}$", fontsize=11, color=MUTED)
    axes.set(xlim=SOURCE_RANGE, ylim=(1.0, largest), xlabel=r"source $\beta$", xticks=[0.5, 1, 1.5, 2])
    for side in ("top", "right"):
        axes.spines[side].set_visible(True)


def _label(axes: Axes, x: float, y: float, early: str, late: str) -> None:
    for text, points, anchor in ((early, 9, "bottom"), (r"\downarrow", 0, "center"), (late, -9, "top")):
        axes.annotate(
            f"${text}$", (x, y), xytext=(0, points), textcoords="offset points", ha="center", va=anchor, fontsize=11
        )
