"""Figure 5: networks on the circle, hard and easy, at changing target and at changing activation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.circle_curves import CurveRow, curve_claim, curve_row, task_color
from companion.claims import Claim, Measurement, judged
from companion.parameters import Parameters
from companion.style import MUTED, book_style, new_figure
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import source
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Agreement of the exponent of the kernel's growth, which runs from 0.14 to 0.82 over the hard tasks.
GROWTH_TOLERANCE = 0.1
#: Agreement of the powers of the finite-width excess, whose coefficients are of order one and differ between networks.
EXCESS_TOLERANCE = 0.2


#: Studies of the exponent: name, what varies, its symbol.
STUDIES = [
    ("richness", "gamma0", r"$\gamma_0$ (lin.: linearised)"),
    ("step size", "eta", r"$\eta_0$"),
    ("batch", "batch", "$B$"),
    ("width", "width", "$N$"),
]


class Plan(Parameters):
    """What Figure 5 computes: the parameters of its notebook and the runs they make."""

    def run(self, beta: float, power: float, richness: float) -> CircleRun:
        """Return the run of one curve of (a) or (b)."""
        size = (self.depth, self.width, richness, self.eta, self.batch, self.steps, self.seeds, self.angles)
        return CircleRun(beta, power, *size)

    def targets(self, richness: float) -> list[CircleRun]:
        """Return the runs of (a) at one richness, one per source."""
        return [self.run(beta, 1.0, richness) for beta in self.betas]

    def activations(self, richness: float) -> list[CircleRun]:
        """Return the runs of (b) at one richness, one per activation."""
        return [self.run(round(source(self.decay, power), 12), power, richness) for power in self.powers]

    def by_richness(self) -> list[CircleRun]:
        """Return the runs of the study of gamma_0."""
        return [self.run(self.beta_study, 1.0, richness) for richness in self.richness_study]

    def by_eta(self, richness: float) -> list[CircleRun]:
        """Return the runs of the study of eta_0 at one richness."""
        run = self.run(self.beta_study, 1.0, richness)
        return [replace(run, eta=eta) for eta in self.eta_study]

    def by_batch(self) -> list[CircleRun]:
        """Return the runs of the study of B."""
        run = self.run(self.beta_study, 1.0, self.richness)
        return [replace(run, batch=batch) for batch in self.batch_study]

    def by_width(self) -> list[CircleRun]:
        """Return the runs of the study of N."""
        run = self.run(self.beta_study, 1.0, self.richness)
        return [replace(run, width=width) for width in self.width_study]

    def by_width_easy(self) -> list[CircleRun]:
        """Return the runs of the study of N for a linearised network on an easy task."""
        run = self.run(self.beta_easy_study, 1.0, 0.0)
        return [replace(run, width=width) for width in self.width_easy_study]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once: the curves of the paper first."""
        runs: list[CircleRun] = []
        for richness in (self.richness, 0.0):
            runs += self.targets(richness)
        for richness in (*self.richness_activations, 0.0):
            runs += self.activations(richness)
        runs += self.by_richness()
        for richness in self.richness_eta_study:
            runs += self.by_eta(richness)
        runs += [*self.by_batch(), *self.by_width(), *self.by_width_easy()]
        return list(dict.fromkeys(runs))


def studies(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Measure the exponent in every study, in its window and (``decade``) over the last decade of steps."""
    by_eta = [run for richness in plan.richness_eta_study for run in plan.by_eta(richness)]
    found = []
    for (study, *_), runs in zip(STUDIES, (plan.by_richness(), by_eta, plan.by_batch(), plan.by_width()), strict=True):
        for run in runs:
            row = curve_row(run, results)
            exponent, interval, _ = row.measured.columns()
            decade = row.exponent_between(run.steps / 10, run.steps)
            diverged = row.diverged if math.isfinite(row.diverged) else math.nan
            varied = (run.richness, run.eta, run.batch, run.width)
            found.append((study, *varied, exponent, interval, decade, diverged))
    names = ["study", "gamma0", "eta", "batch", "width", "exponent", "interval", "decade", "diverged"]
    return pd.DataFrame(found, columns=names)


def window_starts(rows: Sequence[CurveRow]) -> pd.DataFrame:
    """Return where windows start; no number where that is after the last step."""
    starts = [row.window.start if row.window.start < row.run.steps else math.nan for row in rows]
    return pd.DataFrame({"beta": [row.run.beta for row in rows], "start": starts})


def excess(rows: Sequence[CurveRow]) -> pd.DataFrame:
    """Compare the loss at every width with that of infinite width, at a few steps."""
    found = []
    for share in (0.03, 0.1, 0.3, 1.0):
        step = share * rows[0].run.steps
        at = int(abs(rows[0].step - step).argmin())
        found.append((step, *(float(row.mean[at] / row.theory[at]) for row in rows)))
    return pd.DataFrame(found, columns=["step", *(f"width{row.run.width}" for row in rows)])


def kernel_growth(row: CurveRow) -> Measurement:
    """Return the exponent of the growth of the kernel, ``K(t) - K(0)``, in the window of the loss."""
    if row.window.empty:
        return Measurement.none(row.window.empty)
    inside = row.step <= row.window.end
    fit = fit_power_law(row.step[inside], np.maximum(row.growth[inside] - 1, 1e-12), row.window.span)
    return Measurement(-fit.exponent, (-fit.interval[1], -fit.interval[0]), fit.window)


def exponent_claims(
    plan: Plan, targets: Mapping[float, Sequence[CurveRow]], activations: Mapping[float, Sequence[CurveRow]]
) -> list[Claim]:
    """Return the claims about the exponents of (a) and (b), lazy and rich, from the curves of every richness."""
    claims = []
    for richness, rows in targets.items():
        kind = "rich" if richness else "lazy"
        for row in rows:
            claims.append(curve_claim(plan, row, f"fig05.a.{kind}.beta-{row.run.beta:g}", "Fig. 5a, eq. 10"))
    for richness, rows in activations.items():
        kind = f"gamma0-{richness:g}" if richness else "lazy"
        for row in rows:
            claims.append(curve_claim(plan, row, f"fig05.b.{kind}.q-{row.run.power:g}", "Fig. 5b, eq. 10"))
    return claims


def growth_claims(plan: Plan, rows: Sequence[CurveRow]) -> list[Claim]:
    """Return the claims that the kernel of a network grows as t^(1 - chi) on hard tasks."""
    claims = []
    for row in rows:
        if row.run.beta >= 1:
            continue
        predicted = 1 - row.predicted
        claims.append(
            judged(
                plan,
                f"fig05.a.kernel.beta-{row.run.beta:g}",
                "section 4, eqs. 66-70",
                f"The tangent kernel of rich networks grows as t^{predicted:.3f} (beta = {row.run.beta:g}).",
                "exponent of K(t) - K(0) in steps, K the trace of the tangent kernel",
                predicted,
                kernel_growth(row),
                GROWTH_TOLERANCE,
            )
        )
    return claims


def width_claims(plan: Plan, rows: Sequence[CurveRow]) -> list[Claim]:
    """Claim that linearised networks exceed the loss of infinite width by (1/N) t^(-(1 - 1/alpha)) on an easy task."""
    widths = np.array([row.run.width for row in rows], dtype=np.float64)
    late = rows[0].step >= rows[0].step[-1] / 10
    excess = [row.mean[late] - row.theory[late] for row in rows]
    task = f"(beta = {plan.beta_easy_study:g}, linearised)"
    found: list[tuple[str, str, str, float, list[float]]] = [
        (
            "fig05.width.in-n",
            f"The loss at finite width exceeds that of infinite width by an amount falling as 1/N {task}.",
            "exponent in N of the excess, over the last decade of steps",
            1.0,
            # One exponent for each of three thirds of the decade: they share networks, so their spread is not all of the error.
            [
                _slope(widths, np.array([one[part].mean() for one in excess]))
                for part in np.array_split(np.arange(late.sum()), 3)
            ],
        ),
        (
            "fig05.width.in-t",
            f"The excess falls in steps as t^-(1 - 1/alpha) {task}.",
            "exponent in steps of the excess over the last decade, mean over widths",
            0.5,
            [_slope(rows[0].step[late], one) for one in excess],
        ),
    ]
    window = (float(rows[0].step[late][0]), float(rows[0].step[-1]))
    return [
        judged(
            plan,
            identifier,
            "eqs. 8-9, third term",
            statement,
            quantity,
            predicted,
            Measurement.mean_of(np.array(exponents), window),
            EXCESS_TOLERANCE,
        )
        for identifier, statement, quantity, predicted, exponents in found
    ]


def _slope(x: Array, excess: Array) -> float:
    """Return minus the slope in log-log; NaN where the excess is not positive."""
    if x.size < 2 or not np.all(np.isfinite(excess) & (excess > 0)):
        return math.nan
    return float(-np.polyfit(np.log(x), np.log(excess), 1)[0])


def kernel_figure(rows: Sequence[CurveRow]) -> Figure:
    """Draw how the tangent kernel grows and how near it comes to the edge of stability."""
    with book_style():
        figure = new_figure(8.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for number, row in enumerate(rows):
            color = task_color(number, len(rows))
            upper.loglog(row.step, row.growth, color=color, label=rf"$\beta = {row.run.beta:.3g}$")
            lower.loglog(row.step, row.sharpness, color=color)
            if row.run.beta < 1 and not row.window.empty:
                x = np.array(row.window.span)
                middle = math.exp(np.log(x).mean())
                level = float(np.exp(np.interp(math.log(middle), np.log(row.step), np.log(row.growth))))
                upper.loglog(x, 1.25 * level * (x / middle) ** (1 - row.predicted), "--", color=MUTED, linewidth=1.4)
        upper.set_ylabel(r"kernel $K(t)/K(0)$")
        upper.legend(loc="upper left", ncols=2)
        for level, name in ((2.0, "edge of stability"), (1.0, "end of the windows")):
            lower.axhline(level, color=MUTED, linestyle="--", linewidth=1.2)
            lower.annotate(name, (1.0, level), (2, 3), textcoords="offset points", color=MUTED)
        lower.set_ylim(top=4.0)
        lower.set_xlabel("steps $t$")
        lower.set_ylabel(r"$\eta_0 \times$ largest eigenvalue")
    return figure


def study_figure(plan: Plan, found: pd.DataFrame) -> Figure:
    """Draw the exponent against what a study varies."""
    beta = plan.beta_study
    lazy = min(gamma0 for gamma0 in plan.richness_study if gamma0 > 0) / 3  # where the linearised network is drawn
    with book_style():
        figure = new_figure(8.4)
        for axes, letter, (study, varied, label) in zip(figure.subplots(2, 2).flat, "cdef", STUDIES, strict=True):
            rows = found[found.study == study]
            x = rows[varied].replace(0.0, lazy).astype(float)
            series = list(rows.groupby("gamma0")) if varied == "eta" else [(None, rows)]
            for number, (gamma0, group) in enumerate(series):
                color = task_color(number, max(len(series), 2))
                axes.plot(x[group.index], group.decade, "o", color=color, markerfacecolor="white", markersize=7)
                kept = group[group.exponent.notna()]
                if len(kept):
                    errors = [(high - low) / 2 for low, high in kept.interval]
                    points = (x[kept.index], kept.exponent, errors)
                    axes.errorbar(*points, fmt="o", color=color, capsize=3, markersize=5)
                axes.plot([], [], "o-", color=color, label="" if gamma0 is None else rf"$\gamma_0 = {gamma0:g}$")
            for level, text in [(beta, r"$\beta$"), (float(chi(beta)), r"$\chi$")][: 2 if beta < 1 else 1]:
                axes.axhline(level, color=MUTED, linestyle="--", linewidth=1.2)
                axes.annotate(
                    text,
                    (1.0, level),
                    (-3, 3),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    color=MUTED,
                )
            axes.set_xscale("log")
            ticks = {place: f"{value:g}" if value else "lin." for place, value in zip(x, rows[varied], strict=True)}
            axes.set_xticks(list(ticks), list(ticks.values()), rotation=45 if len(ticks) > 4 else 0)
            axes.minorticks_off()
            axes.set_title(rf"({letter}) {study}, $\beta = {beta:g}$")
            axes.set_xlabel(label)
            axes.set_ylabel("exponent")
            if len(series) > 1:
                axes.legend(fontsize=10)
    return figure
