"""Figure 4: loss against compute for many widths, its frontier, and the optimal width and time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.agreement import LOSS, dense_curve, draw_mean, mean_curve, resampled_mean, seed_losses
from companion.claims import SLOPE, Claim, Kind, Measurement, bounded, judged
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import (
    ComputeFrontier,
    compute_frontier,
    fit_power_law,
    frontier_start,
    local_slope,
    resampled_exponent,
)
from neural_scaling.models.runs import LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import Regime, Version, compute_optimum, edge_of_stability_step, frontier, loss_terms, regime

#: Points of a frontier per decade of compute.
PER_DECADE = 20
#: The asymptotic fit of the theory: the last decades of its compute.
LAST_DECADES = 2.0
_RESAMPLES = 200

_SAME = ["task", "quantity", "window", "exponent", "interval", "predicted", "corrected"]
_EXPONENTS = ["task", "source", "batch", "window", "r", "r_interval", "predicted_r", "a", "a_interval", "predicted_a"]

Source = Literal["simulation", "theory", "limit"]
_VERSIONS: tuple[Version, Version] = ("paper", "corrected")
_SIMULATION: Kind = "simulation"
_THEORY: Kind = "theory"
_LETTERS = {"hard": "a", "easy": "b", "super-easy": "c"}
_NAMES = {"loss": "loss", "width": "optimal width"}
#: Steps from 1 on and losses, by width.
Curves = dict[int, tuple[Array, Array]]


class Plan(Parameters):
    """What Figure 4 computes: the parameters of its notebook and the runs they make."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_same_length("betas", "etas", "batches", "widest", "widest_theory", "batches_limit")
        self.require_same_length("widths", "seeds")

    def steps(self, width: int) -> int:
        """Return the last step of a width: that at which the largest compute is used up."""
        return int(self.compute // width)

    def simulation(self, panel: int) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per width."""
        setting = (self.alpha, self.betas[panel], self.modes, self.etas[panel], self.gamma)
        return [
            ToyModelRun(*setting, self.steps(width), width=width, batch=self.batches[panel], seeds=seeds)
            for width, seeds in zip(self.widths, self.seeds, strict=True)
            if width <= self.widest[panel]
        ]

    def theory(self, panel: int) -> list[OnlineDMFTRun]:
        """Return the mean-field runs in unit steps, one per simulated width of a panel for which the theory is solved too."""
        setting = (self.alpha, self.betas[panel], math.inf, self.etas[panel], self.gamma)
        return [
            OnlineDMFTRun(*setting, min(self.steps(width), self.steps_theory), width=width, batch=self.batches[panel])
            for width in self.widths
            if width <= self.widest[panel] and width in self.widths_theory
        ]

    def long(self, panel: int, batch: float) -> list[LongDMFTRun]:
        """Return the mean-field runs of a panel on a logarithmic grid at a batch, one per width of the theory.

        Each runs through the range of the figure, and beyond it until its width is exhausted, ``eta t = N^alpha``: a
        larger compute then belongs to larger widths.
        """
        eta = self.etas[panel]
        setting = (self.alpha, self.betas[panel], math.inf, eta, self.gamma)
        widths = [width for width in self.widths_theory if width <= self.widest_theory[panel]]
        ends = [max(eta * self.compute / width, float(width) ** self.alpha) for width in widths]
        return [
            LongDMFTRun(*setting, float(min(end, eta * self.compute_theory / width)), width=width, batch=batch)
            for width, end in zip(widths, ends, strict=True)
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for panel in range(len(self.betas)):
            runs += [*self.simulation(panel), *self.theory(panel)]
            runs += [*self.long(panel, self.batches[panel]), *self.long(panel, self.batches_limit[panel])]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel:
    """One task: simulations, and curves of the theory, by width."""

    task: Regime
    beta: float  # source
    eta: float  # learning rate
    batch: int  # B of the simulations, and of the theory beside them
    batch_limit: float  # the B that the panel's row of Table 1 speaks of
    simulation: dict[int, Result]
    theory: Curves  # up to the same compute: unit steps, then the logarithmic grid
    # long, limit: on the logarithmic grid, for the frontier beyond the range of the simulations, at batch and batch_limit
    long: Curves
    limit: Curves

    def means(self) -> Curves:
        """Return the mean curves of the simulations."""
        return {width: mean_curve(result) for width, result in self.simulation.items()}


def panel(plan: Plan, index: int, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    beta, batch, batch_limit = plan.betas[index], plan.batches[index], plan.batches_limit[index]
    long, limit = (
        {int(run.width): _smooth(results[run]) for run in plan.long(index, size)} for size in (batch, batch_limit)
    )
    theory = {}
    for run in plan.theory(index):
        width = int(run.width)
        step, loss = (results[run].arrays[name][1:] for name in ("step", "loss"))
        if width in long:
            later, later_loss = long[width]
            kept = (later > step[-1]) & (later <= plan.steps(width))
            step, loss = np.concatenate([step, later[kept]]), np.concatenate([loss, later_loss[kept]])
        theory[width] = step, loss
    simulation = {int(run.width): results[run] for run in plan.simulation(index)}
    task = regime(plan.alpha, beta)
    return Panel(task, beta, plan.etas[index], batch, batch_limit, simulation, theory, long, limit)


def settings(plan: Plan, panels: Sequence[Panel]) -> pd.DataFrame:
    """Return the setting of every panel, and what bounds it.

    ``left_out`` is the loss of the modes beyond M over the smallest simulated loss; ``edge`` the step at which discrete training
    leaves gradient flow, from the scaling of the kernel with prefactor one.
    """
    rows = []
    for one in panels:
        power = plan.alpha * one.beta
        smallest = min(float(loss.min()) for _, loss in one.means().values())
        left_out = float(plan.modes**-power / power / smallest)
        edge = edge_of_stability_step(one.beta, plan.gamma, one.eta)
        rows.append((one.task, one.beta, one.eta, one.batch, left_out, edge))
    return pd.DataFrame(rows, columns=["task", "beta", "eta", "batch", "left_out", "edge"])


def front(curves: Curves, compute: Array) -> ComputeFrontier:
    """Return the frontier of curves."""
    return compute_frontier(list(curves), list(curves.values()), compute)


def compute_grid(first: float, last: float) -> Array:
    """Return a logarithmic grid of compute, :data:`PER_DECADE` points a decade."""
    return np.geomspace(first, last, max(2, round(PER_DECADE * math.log10(last / first)) + 1))


def first_compute(plan: Plan, panel: Panel) -> float:
    """Return the compute at which fits begin, from theory alone."""
    return frontier_start(plan.alpha, panel.beta, panel.eta, plan.gamma, plan.compute_theory, panel.batch)


def exponents(plan: Plan, panels: Sequence[Panel]) -> pd.DataFrame:
    """Fit the frontiers of all panels in the windows that theory gives: L* ~ C^-r, N* ~ C^a, and predictions of Table 1.

    The window of the simulations runs from :func:`first_compute` to the largest compute at which the best width still
    lies between two others. Those of the theory, at the batch of the panel and at that of its row of Table 1, are their last
    :data:`LAST_DECADES` decades.
    """
    rows = []
    for one in panels:
        expected = compute_optimum(plan.alpha, one.beta, plan.gamma > 0)
        means, last = one.means(), 0.999 * plan.compute_theory
        seen = compute_grid(first_compute(plan, one), _reached(means))
        late = compute_grid(last / 10**LAST_DECADES, last)
        cases: list[tuple[Source, float, Curves, Array, list[Curves]]] = [
            ("simulation", one.batch, means, seen, _resamples(one)),
            ("theory", one.batch, one.long, late, []),
        ]
        if one.batch_limit != one.batch:
            cases.append(("limit", one.batch_limit, one.limit, late, []))
        for source, batch, curves, grid, drawn in cases:
            found, resampled = front(curves, grid), [front(again, grid) for again in drawn]
            window = found.inside()
            losses, widths = ([getattr(again, name) for again in resampled] or None for name in ("loss", "width"))
            r, r_error = resampled_exponent(grid, found.loss, window, losses)
            decay, a_error = resampled_exponent(grid, found.width, window, widths)
            r_interval, a_interval = (
                Measurement.with_error(value, error).interval for value, error in ((r, r_error), (-decay, a_error))
            )
            rows.append((one.task, source, batch, window, r, r_interval, expected.r, -decay, a_interval, expected.a))
    return pd.DataFrame(rows, columns=_EXPONENTS)


def same_window(plan: Plan, panels: Sequence[Panel]) -> pd.DataFrame:
    """Fit the simulated frontier and the theory's at the same batch where both are known; the interval is of their ratio."""
    rows = []
    for one in panels:
        means = one.means()
        grid = compute_grid(first_compute(plan, one), min(_reached(means), _reached(one.theory)))
        seen, expected = front(means, grid), front(one.theory, grid)
        (first, other), (last, earlier) = zip(seen.inside(), expected.inside(), strict=True)
        window, drawn = (max(first, other), min(last, earlier)), [front(again, grid) for again in _resamples(one)]
        for quantity, sign in (("loss", 1), ("width", -1)):
            theory = getattr(expected, quantity)
            ratios = [getattr(again, quantity) / theory for again in drawn]
            more, error = resampled_exponent(grid, getattr(seen, quantity) / theory, window, ratios)
            predicted = sign * fit_power_law(grid, theory, window).exponent
            value, interval, _ = Measurement.with_error(predicted + sign * more, error).columns()
            rows.append((one.task, quantity, window, value, interval, predicted, None))
    return pd.DataFrame(rows, columns=_SAME)


def law(plan: Plan, panels: Sequence[Panel], found: pd.DataFrame) -> pd.DataFrame:
    """Fit the theory beside the minimum of the loss law, eq. 9 as printed and as corrected, at the batch of the figure.

    Windows are those of the theory; the interval is of the ratio to the law as printed.
    """
    rows = []
    for one, window in zip(panels, found[found.source == "theory"].window, strict=True):
        grid = compute_grid(*window)
        theory, rich = front(one.long, grid), plan.gamma > 0
        printed, corrected = (
            frontier(loss_terms(plan.alpha, one.beta, rich, version), np.log(one.eta * grid), one.batch, one.eta)
            for version in _VERSIONS
        )
        for quantity, sign in (("loss", 1), ("width", -1)):
            expected, other = (np.exp(getattr(best, f"log_{quantity}")) for best in (printed, corrected))
            more, error = resampled_exponent(grid, getattr(theory, quantity) / expected, window)
            powers = [sign * fit_power_law(grid, values, window).exponent for values in (expected, other)]
            value = powers[0] + sign * more
            rows.append((one.task, quantity, window, value, Measurement.with_error(value, error).interval, *powers))
    return pd.DataFrame(rows, columns=_SAME)


def agreement(plan: Plan, panel: Panel) -> Measurement:
    """Return the simulated frontier over that of the theory, averaged over log compute, over the widths of the theory."""
    means = panel.means()
    grid = compute_grid(first_compute(plan, panel), min(_reached(means), _reached(panel.theory)))
    expected = np.log(front(panel.theory, grid).loss)

    def averaged(curves: Curves) -> float:
        found = front({width: curves[width] for width in panel.theory}, grid)
        return float(np.mean(np.log(found.loss) - expected))

    ratio = math.exp(averaged(means))
    return Measurement.with_error(ratio, ratio * float(np.std([averaged(one) for one in _resamples(panel)], ddof=1)))


def claims(plan: Plan, panel: Panel, found: pd.DataFrame, beside: pd.DataFrame, by_law: pd.DataFrame) -> list[Claim]:
    """Return the claims about one task: its frontier beside theory, law and Table 1, what richness gains, and the ratio."""
    rows = found[found.task == panel.task]
    return [
        *beside_claims(plan, panel, beside[beside.task == panel.task], "same-window"),
        *beside_claims(plan, panel, by_law[by_law.task == panel.task], "law"),
        *table_claims(plan, panel, rows),
        *(gain_claims(plan, panel, rows) if panel.beta < 1 else []),
        agreement_claim(plan, panel, agreement(plan, panel)),
    ]


def beside_claims(plan: Plan, panel: Panel, rows: pd.DataFrame, by: str) -> list[Claim]:
    """Return the claims that the simulated frontier is the theory's (same-window), or the theory's that of the loss law (law)."""
    seen = by == "same-window"
    where, equations, kind, random, needs = (
        ("in simulations is that of the theory", "eqs. 26-31", _SIMULATION, min(plan.seeds), "more seeds")
        if seen
        else (f"at B = {panel.batch} is that of the loss law", "eq. 9", _THEORY, None, "a larger compute")
    )
    against = "that of the theory" if seen else "eq. 9 with prefactors one, minimised"
    return [
        judged(
            plan,
            f"fig04.{panel.task}.{row.quantity}.{by}",
            f"Fig. 4{_LETTERS[panel.task]}, {equations}",
            f"The frontier of the {panel.task} task (beta = {panel.beta:g}) {where}: its {_NAMES[row.quantity]}.",
            f"exponent of the {_NAMES[row.quantity]} in compute N t; predicted: {against} in the same window",
            row.predicted,
            Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE),
            kind,
            corrected=row.corrected,
            seeds=random,
            needs=needs,
        )
        for row in rows.itertuples()
    ]


def table_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the frontier has the asymptotic powers: the theory at the batch of the row, the simulated loss."""
    limit, simulation = _limit(found), next(found[found.source == "simulation"].itertuples())
    in_theory = f"in the theory up to C = {plan.compute_theory:.0e} at B = {limit.batch:g}"
    cases: list[tuple[Any, str, str, Kind, str]] = [
        (simulation, "loss", "r", _SIMULATION, f"in simulations up to C = {plan.compute:.0e}"),
        (limit, "loss", "r", _THEORY, in_theory),
        (limit, "width", "a", _THEORY, in_theory),
    ]
    return [
        judged(
            plan,
            f"fig04.{panel.task}.{quantity}.{'limit' if kind == 'theory' else kind}",
            f"Fig. 4{_LETTERS[panel.task]}, Table 1" if quantity == "loss" else "section 4, balances at fixed compute",
            f"Along the frontier of the {panel.task} task (beta = {panel.beta:g}) the {_NAMES[quantity]} goes as "
            f"C^{-predicted if quantity == 'loss' else predicted:.3f}, {where}.",
            f"exponent of the {_NAMES[quantity]} in compute N t",
            predicted,
            Measurement.of(getattr(row, symbol), getattr(row, f"{symbol}_interval"), row.window, meaning=SLOPE),
            kind,
            seeds=min(plan.seeds) if kind == "simulation" else None,
            needs="more seeds and a larger compute" if kind == "simulation" else "a larger compute",
        )
        for row, quantity, symbol, kind, where in cases
        for predicted in (getattr(row, f"predicted_{symbol}"),)
    ]


def gain_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that feature learning improves the frontier of a hard task and moves its optimum to larger widths."""
    lazy, limit = compute_optimum(plan.alpha, panel.beta, rich=False), _limit(found)
    simulation = next(found[found.source == "simulation"].itertuples())
    improves = f"Feature learning improves the frontier of the hard task beyond the lazy C^-{lazy.r:.3f}"
    grows = (
        f"Feature learning changes how to share compute: the optimal width grows faster than the lazy C^{lazy.a:.3f}."
    )
    table = "section 4, Table 1"
    return [
        bounded(
            plan,
            f"fig04.{panel.task}.{name}",
            location,
            statement,
            f"exponent of the {_NAMES[quantity]} in compute N t",
            "above",
            getattr(lazy, symbol),
            Measurement.of(getattr(row, symbol), getattr(row, f"{symbol}_interval"), row.window, meaning=SLOPE),
            kind,
            seeds=min(plan.seeds) if kind == "simulation" else None,
            needs="more seeds",
        )
        for name, location, statement, row, quantity, symbol, kind in (
            ("gain.simulation", table, f"{improves}, simulations.", simulation, "loss", "r", _SIMULATION),
            ("gain.limit", table, f"{improves}, theory.", limit, "loss", "r", _THEORY),
            ("allocation", "abstract, section 1", grows, limit, "width", "a", _THEORY),
        )
    ]


def agreement_claim(plan: Plan, panel: Panel, ratio: Measurement) -> Claim:
    """Return the claim that the mean-field theory gives the frontier of the simulations."""
    half = (ratio.interval[1] - ratio.interval[0]) / 2 if ratio.interval else math.inf
    return judged(
        plan,
        f"fig04.{panel.task}.theory",
        f"Fig. 4{_LETTERS[panel.task]}, eqs. 26-31",
        f"The mean field theory gives the frontier of the {panel.task} task (beta = {panel.beta:g}).",
        "simulated frontier over that of the theory, averaged over log compute",
        1.0,
        ratio,
        "simulation",
        LOSS,
        seeds=min(plan.seeds),
        needs=f"about {max(2, math.ceil((2 * half / LOSS.value) ** 2))} times the seeds would decide it",
    )


def _limit(found: pd.DataFrame) -> Any:
    """Return the row of the theory at the batch that Table 1 speaks of: the last one."""
    return list(found[found.source != "simulation"].itertuples())[-1]


def _smooth(result: Result) -> tuple[Array, Array]:
    """Return a curve of the logarithmic grid with as many points as the others."""
    step, loss = result.arrays["step"], result.arrays["loss"]
    return dense_curve(step[step > 0], loss[step > 0], 1.0)


def _reached(curves: Curves) -> float:
    """Return the largest compute that every curve reaches."""
    return min(width * float(step[-1]) for width, (step, _) in curves.items())


def _resamples(panel: Panel) -> list[Curves]:
    """Return mean curves of seeds drawn with replacement."""
    random = np.random.default_rng(0)
    seen = {width: (result.arrays["step"][1:], seed_losses(result)) for width, result in panel.simulation.items()}
    return [
        {width: (step, resampled_mean(losses, random)) for width, (step, losses) in seen.items()}
        for _ in range(_RESAMPLES)
    ]


#: One colour and marker per regime.
_TASKS = {"hard": ("#0072b2", "o"), "easy": ("#0d8577", "s"), "super-easy": ("#c2410c", "^")}


def loss_figure(plan: Plan, panels: Sequence[Panel], first: float = 100.0) -> Figure:
    """Draw loss against compute: simulated mean with band and theory, one curve per width, and the guides."""
    with book_style():
        figure = new_figure(4.3 * len(panels))
        for axes, panel, letter in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, "abc", strict=False):
            # Every second octave is named, or every octave where there are few.
            every = 2 if len(panel.simulation) > 8 else 1
            for width, simulation in panel.simulation.items():
                octave = math.log2(width)
                label = f"$N = {width}$" if octave == int(octave) and int(octave - 3) % every == 0 else None
                draw_mean(axes, simulation, width_color(width), label, per_step=width, linewidth=1.4)
            for width, (step, loss) in panel.theory.items():
                axes.loglog(width * step, loss, "--", color=INK, linewidth=0.9)
            seen = front(panel.means(), compute_grid(first, 0.99 * plan.compute))
            axes.set(xlim=(first, 1.1 * plan.compute), ylim=(0.35 * seen.loss.min(), 2.5 * seen.loss.max()))
            _guides(axes, plan, panel, seen)
            axes.set(title=rf"({letter}) {panel.task} task, $\beta = {panel.beta:g}$", xlabel="compute $C = N t$")
            axes.set(ylabel="loss")
            handles, labels = axes.get_legend_handles_labels()
            handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=0.9))
            axes.legend(handles, [*labels, "theory"], loc="lower left", ncols=2)
    return figure


def allocation_figure(plan: Plan, panels: Sequence[Panel]) -> Figure:
    """Draw the optimal width and the optimal number of steps against compute."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel in panels:
            color, marker = _TASKS[panel.task]
            expected = front(panel.long, compute_grid(300.0, 0.99 * plan.compute_theory))
            seen = front(panel.means(), compute_grid(300.0, 0.99 * plan.compute))
            a = compute_optimum(plan.alpha, panel.beta, plan.gamma > 0).a
            compute, dots = expected.compute[expected.interior], np.flatnonzero(seen.interior)[::3]
            for axes, quantity, power in ((upper, "width", a), (lower, "time", 1 - a)):
                line = getattr(expected, quantity)[expected.interior]
                axes.loglog(compute, line, color=color, label=rf"{panel.task}, $\beta = {panel.beta:g}$")
                axes.loglog(seen.compute[dots], getattr(seen, quantity)[dots], marker, color=color, markersize=5)
                x = np.array([expected.compute[-1] / 1e3, expected.compute[-1]])
                axes.loglog(x, line[-1] * 1.35 * (x / compute[-1]) ** power, "--", color=MUTED, linewidth=1.3)
        upper.set_ylabel("optimal width $N^*$")
        lower.set(ylabel="optimal steps $t^*$", xlabel="compute $C = N t$")
        upper.legend(loc="upper left")
    return figure


def slope_figure(plan: Plan, panels: Sequence[Panel], found: pd.DataFrame) -> Figure:
    """Draw the local exponents of the frontier of the theory against compute, and the fits to the simulations."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel, row in zip(panels, found[found.source == "simulation"].itertuples(), strict=True):
            color, marker = _TASKS[panel.task]
            cases: list[tuple[Curves, float, str]] = [(panel.long, panel.batch, "-")]
            if panel.batch_limit != panel.batch:
                cases.append((panel.limit, panel.batch_limit, "-."))
            for curves, batch, style in cases:
                expected = front(curves, compute_grid(300.0, 0.99 * plan.compute_theory))
                kept = expected.interior
                name = r"\infty" if math.isinf(batch) else f"{batch:g}"
                for axes, values, sign in ((upper, expected.loss, 1), (lower, expected.width, -1)):
                    slopes = local_slope(expected.compute[kept], values[kept], width=1.0)
                    label = rf"{panel.task}, $B = {name}$"
                    axes.semilogx(slopes.t, sign * slopes.exponent, style, color=color, linewidth=1.6, label=label)
            middle = math.sqrt(row.window[0] * row.window[1])
            for axes, symbol in ((upper, "r"), (lower, "a")):
                measured, (low, high) = getattr(row, symbol), getattr(row, f"{symbol}_interval")
                axes.axhline(getattr(row, f"predicted_{symbol}"), color=color, linestyle="--", linewidth=1.1)
                axes.plot(row.window, [measured, measured], color=color, linewidth=1.0)
                error = [[measured - low], [high - measured]]
                axes.errorbar(middle, measured, error, fmt=marker, color=color, capsize=4, markersize=6)
        upper.set_ylabel("exponent $r$ of the loss")
        lower.set(ylabel="exponent $a$ of the width", xlabel="compute $C = N t$")
        upper.legend(loc="center right")
    return figure


def _guides(axes: Axes, plan: Plan, panel: Panel, seen: ComputeFrontier) -> None:
    """Draw the paper's powers below the last decades of the frontier."""
    rich = plan.gamma > 0
    powers = [(compute_optimum(plan.alpha, panel.beta, rich).r, "")]
    if panel.task == "super-easy":
        powers.insert(0, (compute_optimum(plan.alpha, panel.beta, rich, finite_batch=False).r, " (no SGD noise)"))
    x = np.array([max(seen.compute[0], seen.compute[-1] / 10**2.5), seen.compute[-1]])
    start = math.exp(float(np.interp(math.log(x[0]), np.log(seen.compute), np.log(seen.loss))))
    # The power of Table 1 lies below the frontier, any other below that.
    for number, (power, note) in enumerate(reversed(powers)):
        y = start / 1.5 / 3.0**number * (x / x[0]) ** -power
        axes.loglog(x, y, ":" if number else "--", color=MUTED, linewidth=1.6)
        share = 0.6 if number else 0.5
        place = float(x[0] ** (1 - share) * x[1] ** share), float(y[0] ** (1 - share) * y[1] ** share)
        axes.annotate(
            rf"$C^{{-{power:.3g}}}${note}",
            place,
            (-8, -14),
            textcoords="offset points",
            ha="right",
            va="top",
            color=MUTED,
        )
