"""Figure 5: networks on the circle, hard and easy, at changing target and at changing activation."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.circle_clock import clock_claims, clocked, followed, growth_claim, growths
from companion.circle_compare import compared, gain_claim, order_claim, share_claim
from companion.circle_curves import CurveRow, curve_claim, curve_row, kernel_of, task_color
from companion.claims import SLOPE, Claim, Measurement, Tolerance, judged
from companion.own_kernel import (
    ANGLES,
    MANY,
    NETWORKS,
    against_own,
    kernels_of,
    lazy_claims,
    losses_of,
    own_claim,
    own_runs,
)
from companion.parameters import Parameters
from companion.style import MUTED, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.circle import source
from neural_scaling.networks.circle_kernel import lazy_loss
from neural_scaling.networks.runs import CircleModesRun, CircleRun, OwnKernelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Modes that the infinitely wide linearised network has learned where its last power is fitted.
FAR = (30, 300)
#: Groups of networks whose spread is the error of the powers of finite width.
GROUPS = 8

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

    def more_seeds(self) -> list[CircleRun]:
        """Return the linearised networks of (a) of which there are more: those of hard tasks, whose exponents are judged."""
        return [run for run in self.targets(0.0) if run.beta < 1]

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
        runs += [part for run in self.more_seeds() for part in run.up_to(self.seeds_lazy)]
        return [*dict.fromkeys(runs), *([*self.followed(), *self.kernels()] if self.scale != "small" else [])]

    def followed(self) -> list[CircleModesRun]:
        """Return the runs that follow the kernels of rich networks mode by mode; at small scale nothing asks for them."""
        return [one for run in self.targets(self.richness) for one in followed(run)]

    def kernels(self) -> list[OwnKernelRun]:
        """Return the runs of the kernels that linearised networks start from; at small scale nothing asks for them."""
        more = self.more_seeds()
        fewer = [[run for run in self.targets(0.0) if run not in more], *self._activations()]
        own = [run for runs in fewer if runs for run in own_runs(runs, self.seeds)]
        own += own_runs(more, self.seeds_lazy) if more else []
        return [*own, self.networks(), *self.by_width_kernels()]

    def networks(self) -> OwnKernelRun:
        """Return the kernels of many networks on the targets of (a)."""
        return kernels_of(self.targets(0.0), NETWORKS, ANGLES)

    def by_width_kernels(self) -> list[OwnKernelRun]:
        """Return the kernels of many networks of every width of the study of N for a linearised network."""
        return [kernels_of([run], MANY, ANGLES) for run in self.by_width_easy()]

    def _activations(self) -> list[list[CircleRun]]:
        return [[run] for run in self.activations(0.0)]


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


@dataclass(frozen=True)
class Found:
    """What is measured once for tables and claims; at small scale networks give no exponents and nothing is."""

    widths: pd.DataFrame  # losses of linearised networks over those of their own kernels, (a) and then (b)
    own: Array  # losses that kernels of many networks give on the targets of (a), shape (targets, networks, R)
    compared: pd.DataFrame  # rich beside linearised exponents
    clocked: pd.DataFrame  # rich exponents on the clock of the kernel
    growths: pd.DataFrame  # growth of the kernel beside eq. 52


def measure(
    plan: Plan,
    targets: Mapping[float, Sequence[CurveRow]],
    activations: Mapping[float, Sequence[CurveRow]],
    results: Mapping[Experiment, Result],
) -> Found | None:
    """Compare the networks of (a) and (b) with their linearised twins, their kernels and theory; None at small scale."""
    if plan.scale == "small":
        return None
    lazy, rich = targets[0.0], targets[plan.richness]
    panels = [("a", lazy), *(("b", [row]) for row in activations[0.0])]
    widths = pd.concat([against_own(rows, results).assign(panel=panel) for panel, rows in panels], ignore_index=True)
    own = losses_of(plan.networks(), results)
    return Found(widths, own, compared(rich, lazy, own), clocked(rich, results), growths(rich))


def claims_of(
    plan: Plan,
    targets: Mapping[float, Sequence[CurveRow]],
    activations: Mapping[float, Sequence[CurveRow]],
    finite: Sequence[CurveRow],
    found: Found | None,
    results: Mapping[Experiment, Result],
) -> list[Claim]:
    """Return the claims of the page; those about exponents of networks need a window that small scale does not have."""
    if found is None:
        return [infinite_claim(plan)]
    rich, lazy, place = targets[plan.richness], targets[0.0], "Fig. 5a, eq. 10"
    twins = [*plan.targets(plan.richness), *plan.targets(0.0)]
    hard = [row.run.beta < 1 for row in lazy]
    last = max(activations)
    return [
        *(curve_claim(plan, row, f"fig05.a.rich.beta-{row.run.beta:g}", place) for row in rich),
        share_claim(plan, found.compared, plan.targets(plan.richness), "fig05.a.rich.share"),
        gain_claim(plan, found.compared, twins),
        order_claim(plan, found.compared, plan.targets(plan.richness)),
        *clock_claims(plan, found.clocked, "fig05.a.clock"),
        growth_claim(plan, found.growths, plan.targets(plan.richness), "fig05.a.kernel"),
        infinite_claim(plan),
        *lazy_claims(plan, [*itertools.compress(lazy, hard)], found.own[hard], "fig05.a.lazy", place),
        *(
            own_claim(plan, found.widths[found.widths.panel == panel], f"fig05.{panel}.lazy.kernel", f"Fig. 5{panel}")
            for panel in "ab"
        ),
        *(
            curve_claim(plan, row, f"fig05.b.gamma0-{last:g}.q-{row.run.power:g}", "Fig. 5b, eq. 10")
            for row in activations[last]
        ),
        *width_claims(plan, finite, results),
    ]


def infinite_claim(plan: Plan) -> Claim:
    """Return the claim that infinitely wide linearised networks fall as t^-beta: of all tasks the farthest from it."""
    found = []
    for run in [*plan.targets(0.0), *plan.activations(0.0)]:
        values = kernel_of(run.depth, run.power).tangent
        first, last = (1 / (run.eta * float(values[k])) for k in FAR)
        times = np.round(np.geomspace(first, last, 61))
        fit = fit_power_law(times, lazy_loss(values, run.beta, run.power, run.eta, times))
        ends = (fit.interval[0] / run.beta, fit.interval[1] / run.beta)
        found.append((max(abs(end - 1) for end in ends), fit.exponent / run.beta, ends, run))
    _, ratio, ends, run = max(found, key=lambda one: one[0])
    return judged(
        plan,
        "fig05.lazy.infinite",
        "Fig. 5, eqs. 10, 14",
        "The loss of infinitely wide linearised networks falls as t^-beta.",
        "exponent of the loss over beta while 30 to 300 modes are learned, of the task farthest from 1",
        1.0,
        Measurement.of(ratio, ends, meaning=SLOPE),
        "theory",
        Tolerance(0.05, "ratios of exponents, theory: 5 %"),
        note=f"beta = {run.beta:g}, q_phi = {run.power:g}",
        needs="later steps would decide it",
    )


def width_claims(plan: Plan, rows: Sequence[CurveRow], results: Mapping[Experiment, Result]) -> list[Claim]:
    """Claim that linearised networks exceed the loss of infinite width by (1/N) t^(-(1 - 1/alpha)) on an easy task.

    The losses are those that kernels of many random networks give. Networks in groups, each group at every width, give the error.
    """
    widths = np.array([row.run.width for row in rows], dtype=np.float64)
    late = rows[0].step >= rows[0].step[-1] / 10
    step = rows[0].step[late]
    groups = []
    for row, run in zip(rows, plan.by_width_kernels(), strict=True):
        losses = losses_of(run, results)[0][:, late]
        groups.append(losses.reshape(GROUPS, -1, step.size).mean(axis=1) - row.theory[late])
    excess = np.stack(groups, axis=1)  # (groups, widths, steps)
    in_width = np.array([_slope(widths, one.mean(axis=1)) for one in excess])
    in_time = np.array([np.mean([_slope(step, at) for at in one]) for one in excess])
    task = f"(beta = {plan.beta_easy_study:g}, linearised)"
    found: list[tuple[str, str, str, float, Array]] = [
        (
            "fig05.width.in-n",
            f"The loss at finite width exceeds that of infinite width by an amount falling as 1/N {task}.",
            "exponent in N of the excess that kernels of finite width give, over the last decade of steps",
            1.0,
            in_width,
        ),
        (
            "fig05.width.in-t",
            f"The excess falls in steps as t^-(1 - 1/alpha) {task}.",
            "exponent in steps of the excess that kernels of finite width give, last decade, mean over widths",
            0.5,
            in_time,
        ),
    ]
    window = (float(step[0]), float(step[-1]))
    return [
        judged(
            plan,
            identifier,
            "eqs. 8, 9, third term",
            statement,
            quantity,
            predicted,
            Measurement.mean_of(exponents, window),
            "network",
            seeds=MANY,
            runs=plan.by_width_kernels(),
            needs="wider networks would decide it",
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
    with drawing(8.0, 2, sharex=True) as (figure, (upper, lower)):
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
        lower.set(ylim=(None, 4.0), xlabel="steps $t$", ylabel=r"$\eta_0 \times$ largest eigenvalue")
    return figure


def study_figure(plan: Plan, found: pd.DataFrame) -> Figure:
    """Draw the exponent against what a study varies."""
    beta = plan.beta_study
    lazy = min(gamma0 for gamma0 in plan.richness_study if gamma0 > 0) / 3  # where the linearised network is drawn
    with drawing(8.4, 2, 2) as (figure, sheet):
        for axes, letter, (study, varied, label) in zip(sheet.flat, "cdef", STUDIES, strict=True):
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
                place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "va": "center"}
                axes.annotate(text, (1.0, level), (4, 0), color=MUTED, **place)
            axes.set_xscale("log")
            ticks = {place: f"{value:g}" if value else "lin." for place, value in zip(x, rows[varied], strict=True)}
            axes.set_xticks(list(ticks), list(ticks.values()), rotation=60 if len(ticks) > 4 else 0)
            axes.minorticks_off()
            axes.set(title=rf"({letter}) {study}, $\beta = {beta:g}$", xlabel=label, ylabel="exponent")
            if len(series) > 1:
                axes.legend()
    return figure
