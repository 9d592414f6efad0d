"""Figure 4: loss against compute for many widths, its frontier, and the optimal width and time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.agreement import LOSS, dense_curve, draw_mean
from companion.claims import SLOPE, Claim, Kind, Measurement, bounded, judged
from companion.frontiers import SIGNS, Curves, Simulated, beside, compute_grid, front, joined, powers, reached
from companion.parameters import Parameters
from companion.style import MUTED, THEORY, drawing, entries, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import ComputeFrontier, frontier_start, local_slope
from neural_scaling.models.runs import LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import Regime, compute_optimum, edge_of_stability_step, frontier, loss_terms, regime
from neural_scaling.theory.loss_law import VERSIONS

#: The asymptotic fit of the theory: the last decades of its compute.
LAST_DECADES = 2.0

_LETTERS = {"hard": "a", "easy": "b", "super-easy": "c"}
_NAMES = {"loss": "loss", "width": "optimal width"}
_BESIDE = ["task", "quantity", "window", "exponent", "interval", "predicted", "corrected"]


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

    def long(self, panel: int) -> dict[float, list[LongDMFTRun]]:
        """Return the mean-field runs of a panel on a logarithmic grid, one per width of the theory, by batch.

        The batches are that of the simulations and, if it is another one, that of the row of Table 1. Each run goes through the
        range of the figure, and beyond it until its width is exhausted, ``eta t = N^alpha``: a larger compute then belongs to
        larger widths.
        """
        eta = self.etas[panel]
        setting = (self.alpha, self.betas[panel], math.inf, eta, self.gamma)
        ends = {
            width: min(max(eta * self.compute / width, float(width) ** self.alpha), eta * self.compute_theory / width)
            for width in self.widths_theory
            if width <= self.widest_theory[panel]
        }
        return {
            batch: [LongDMFTRun(*setting, end, width=width, batch=batch) for width, end in ends.items()]
            for batch in (self.batches[panel], self.batches_limit[panel])
        }

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for panel in range(len(self.betas)):
            runs += [*self.simulation(panel), *self.theory(panel), *chain(*self.long(panel).values())]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel:
    """One task: simulations, and curves of the theory, by width."""

    task: Regime
    beta: float  # source
    eta: float  # learning rate
    batch: int  # B of the simulations, and of the theory beside them
    first: float  # compute at which fits begin, from theory alone
    simulation: Simulated
    theory: Curves  # up to the same compute: unit steps, then the logarithmic grid
    shared: Array  # compute at which fits of simulations beside the theory are made
    long: dict[float, Curves]  # on the logarithmic grid, for the frontier beyond the range of the simulations, by batch


def panel(plan: Plan, index: int, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    beta, eta, batch = plan.betas[index], plan.etas[index], plan.batches[index]
    long = {
        size: {int(run.width): dense_curve(results[run], first=1.0) for run in runs}
        for size, runs in plan.long(index).items()
    }
    theory = {}
    for run in plan.theory(index):
        width = int(run.width)
        theory[width] = results[run].arrays["step"][1:], results[run].arrays["loss"][1:]
        if width in long[batch]:
            theory[width] = joined(theory[width], long[batch][width], plan.steps(width))
    simulation = Simulated({int(run.width): results[run] for run in plan.simulation(index)})
    first = frontier_start(plan.alpha, beta, eta, plan.gamma, plan.compute_theory, batch)
    shared = compute_grid(first, min(reached(simulation.means), reached(theory)))
    return Panel(regime(plan.alpha, beta), beta, eta, batch, first, simulation, theory, shared, long)


def settings(plan: Plan, panels: Sequence[Panel]) -> pd.DataFrame:
    """Return the setting of every panel, and what bounds it.

    ``left_out`` is the loss of the modes beyond M over the smallest simulated loss; ``edge`` the step at which discrete training
    leaves gradient flow, from the scaling of the kernel with prefactor one.
    """
    rows = []
    for one in panels:
        power = plan.alpha * one.beta
        smallest = min(float(loss.min()) for _, loss in one.simulation.means.values())
        left_out = float(plan.modes**-power / power / smallest)
        edge = edge_of_stability_step(one.beta, plan.gamma, one.eta)
        rows.append((one.task, one.beta, one.eta, one.batch, left_out, edge))
    return pd.DataFrame(rows, columns=["task", "beta", "eta", "batch", "left_out", "edge"])


def exponents(plan: Plan, panels: Sequence[Panel]) -> pd.DataFrame:
    """Fit the frontiers of all panels in the windows that theory gives: L* ~ C^-r, N* ~ C^a, and predictions of Table 1.

    The window of the simulations runs from where fits begin to the largest compute at which the best width still lies between
    two others. Those of the theory, at the batch of the panel and at that of its row of Table 1, are their last
    :data:`LAST_DECADES` decades.
    """
    last = 0.999 * plan.compute_theory
    late, rows = compute_grid(last / 10**LAST_DECADES, last), []
    for one in panels:
        expected, means = compute_optimum(plan.alpha, one.beta, plan.gamma > 0), one.simulation.means
        seen = powers(means, compute_grid(one.first, reached(means)), one.simulation.drawn)
        rows.append((one.task, "simulation", one.batch, *seen, expected.r, expected.a))
        for source, (batch, curves) in zip(("theory", "limit"), one.long.items(), strict=False):
            rows.append((one.task, source, batch, *powers(curves, late), expected.r, expected.a))
    names = ["task", "source", "batch", "window", "r", "r_interval", "a", "a_interval", "predicted_r", "predicted_a"]
    return pd.DataFrame(rows, columns=names)


def same_window(panels: Sequence[Panel]) -> pd.DataFrame:
    """Fit the simulated frontier and the theory's at the same batch where both are known; the interval is of their ratio."""
    rows = [(one.task, *fit, None) for one in panels for fit in one.simulation.beside(one.theory, one.shared)]
    return pd.DataFrame(rows, columns=_BESIDE)


def law(plan: Plan, panels: Sequence[Panel], found: pd.DataFrame) -> pd.DataFrame:
    """Fit the theory beside the minimum of the loss law, eq. 9 as printed and as corrected, at the batch of the figure.

    Windows are those of the theory; the interval is of the ratio to the law as printed.
    """
    rows = []
    for one, window in zip(panels, found[found.source == "theory"].window, strict=True):
        grid = compute_grid(*window)
        laws = [loss_terms(plan.alpha, one.beta, plan.gamma > 0, version) for version in VERSIONS]
        best = [frontier(terms, np.log(one.eta * grid), one.batch, one.eta) for terms in laws]
        expected = {quantity: [np.exp(getattr(each, f"log_{quantity}")) for each in best] for quantity in SIGNS}
        fits = beside(front(one.long[one.batch], grid), expected, window)
        rows += [(one.task, *fit) for fit in fits]
    return pd.DataFrame(rows, columns=_BESIDE)


def claims(plan: Plan, panel: Panel, found: pd.DataFrame, same: pd.DataFrame, by_law: pd.DataFrame) -> list[Claim]:
    """Return the claims about one task: its frontier beside theory, law and Table 1, what richness gains, and the ratio."""
    rows = found[found.task == panel.task]
    return [
        *beside_claims(plan, panel, same[same.task == panel.task], "same-window"),
        *beside_claims(plan, panel, by_law[by_law.task == panel.task], "law"),
        *table_claims(plan, panel, rows),
        *(gain_claims(plan, panel, rows) if panel.beta < 1 else []),
        agreement_claim(plan, panel, panel.simulation.over(panel.theory, panel.shared)),
    ]


def beside_claims(plan: Plan, panel: Panel, rows: pd.DataFrame, by: str) -> list[Claim]:
    """Return the claims that the simulated frontier is the theory's (same-window), or the theory's that of the loss law (law)."""
    kind: Kind = "simulation" if by == "same-window" else "theory"
    if kind == "simulation":
        equations, where = "eqs. 26-31", "in simulations is that of the theory"
        against, needs = "that of the theory", "more seeds"
    else:
        equations, where = "eq. 9", f"at B = {panel.batch} is that of the loss law"
        against, needs = "eq. 9 with prefactors one, minimised", "a larger compute"
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
            seeds=min(plan.seeds) if kind == "simulation" else None,
            needs=needs,
        )
        for row in rows.itertuples()
    ]


def table_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the frontier has the asymptotic powers: the theory at the batch of the row, the simulated loss."""
    simulation, *_, limit = found.itertuples()
    seen = f"in simulations up to C = {plan.compute:.0e}"
    in_theory = f"in the theory up to C = {plan.compute_theory:.0e} at B = {limit.batch:g}"
    table, balance = f"Fig. 4{_LETTERS[panel.task]}, Table 1", "section 4, balances at fixed compute"
    return [
        judged(
            plan,
            f"fig04.{panel.task}.{name}",
            location,
            f"Along the frontier of the {panel.task} task (beta = {panel.beta:g}) the {_NAMES[quantity]} goes as "
            f"C^{-SIGNS[quantity] * predicted:.3f}, {where}.",
            predicted=predicted,
            needs="more seeds and a larger compute" if row is simulation else "a larger compute",
            **_measured(plan, row, quantity),
        )
        for name, location, row, quantity, where, predicted in (
            ("loss.simulation", table, simulation, "loss", seen, simulation.predicted_r),
            ("loss.limit", table, limit, "loss", in_theory, limit.predicted_r),
            ("width.limit", balance, limit, "width", in_theory, limit.predicted_a),
        )
    ]


def gain_claims(plan: Plan, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that feature learning improves the frontier of a hard task and moves its optimum to larger widths."""
    lazy = compute_optimum(plan.alpha, panel.beta, rich=False)
    simulation, *_, limit = found.itertuples()
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
            relation="above",
            limit=bound,
            needs="more seeds",
            **_measured(plan, row, quantity),
        )
        for name, location, statement, row, quantity, bound in (
            ("gain.simulation", table, f"{improves}, simulations.", simulation, "loss", lazy.r),
            ("gain.limit", table, f"{improves}, theory.", limit, "loss", lazy.r),
            ("allocation", "abstract, section 1", grows, limit, "width", lazy.a),
        )
    ]


def _measured(plan: Plan, row: Any, quantity: str) -> dict[str, Any]:
    """Return what a claim says of a measured exponent."""
    value, interval = (row.r, row.r_interval) if quantity == "loss" else (row.a, row.a_interval)
    simulated = row.source == "simulation"
    return {
        "quantity": f"exponent of the {_NAMES[quantity]} in compute N t",
        "measured": Measurement.of(value, interval, row.window, meaning=SLOPE),
        "kind": "simulation" if simulated else "theory",
        "seeds": min(plan.seeds) if simulated else None,
    }


def agreement_claim(plan: Plan, panel: Panel, ratio: Measurement) -> Claim:
    """Return the claim that the mean-field theory gives the frontier of the simulations."""
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
        needs=f"about {max(2, math.ceil((2 * ratio.half / LOSS.value) ** 2))} times the seeds would decide it",
    )


#: One colour and marker per regime.
_TASKS = {"hard": ("#0072b2", "o"), "easy": ("#0d8577", "s"), "super-easy": ("#c2410c", "^")}


def loss_figure(plan: Plan, panels: Sequence[Panel], first: float = 100.0) -> Figure:
    """Draw loss against compute: simulated mean with band and theory, one curve per width, and the guides."""
    theory = {**THEORY, "linewidth": 0.9}
    with drawing(4.3 * len(panels), len(panels)) as (figure, sheet):
        for axes, panel, letter in zip(sheet, panels, "abc", strict=False):
            # Every second octave is named, or every octave where there are few.
            every = 2 if len(panel.simulation.results) > 8 else 1
            for width, simulation in panel.simulation.results.items():
                octave = math.log2(width)
                label = f"$N = {width}$" if octave == int(octave) and int(octave - 3) % every == 0 else None
                draw_mean(axes, simulation, width_color(width), label, per_step=width, linewidth=1.4)
            for width, (step, loss) in panel.theory.items():
                axes.loglog(width * step, loss, **theory)
            seen = front(panel.simulation.means, compute_grid(first, 0.99 * plan.compute))
            axes.set(xlim=(first, 1.1 * plan.compute), ylim=(0.35 * seen.loss.min(), 2.5 * seen.loss.max()))
            _guides(axes, plan, panel, seen)
            axes.set(title=rf"({letter}) {panel.task} task, $\beta = {panel.beta:g}$", xlabel="compute $C = N t$")
            axes.set(ylabel="loss")
            axes.legend(*entries(axes, {"theory": theory}), loc="lower left", ncols=2)
    return figure


def allocation_figure(plan: Plan, panels: Sequence[Panel]) -> Figure:
    """Draw the optimal width and the optimal number of steps against compute."""
    with drawing(8.6, 2, sharex=True) as (figure, (upper, lower)):
        for panel in panels:
            color, marker = _TASKS[panel.task]
            expected = front(panel.long[panel.batch], compute_grid(300.0, 0.99 * plan.compute_theory))
            seen = front(panel.simulation.means, compute_grid(300.0, 0.99 * plan.compute))
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
    with drawing(8.6, 2, sharex=True) as (figure, (upper, lower)):
        for panel, row in zip(panels, found[found.source == "simulation"].itertuples(), strict=True):
            color, marker = _TASKS[panel.task]
            for (batch, curves), style in zip(panel.long.items(), ("-", "-."), strict=False):
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
    task = (plan.alpha, panel.beta, plan.gamma > 0)
    powers = [(compute_optimum(*task).r, "--", 0.5, "")]
    if panel.task == "super-easy":
        powers.append((compute_optimum(*task, finite_batch=False).r, ":", 0.6, " (no SGD noise)"))
    x = np.array([max(seen.compute[0], seen.compute[-1] / 10**2.5), seen.compute[-1]])
    start = math.exp(float(np.interp(math.log(x[0]), np.log(seen.compute), np.log(seen.loss))))
    # The power of Table 1 lies below the frontier, any other below that.
    for number, (r, style, share, note) in enumerate(powers):
        y = start / 1.5 / 6.0**number * (x / x[0]) ** -r
        axes.loglog(x, y, style, color=MUTED, linewidth=1.6)
        axes.set_ylim(bottom=min(axes.get_ylim()[0], 0.8 * y[-1]))
        label = rf"$C^{{-{r:.3g}}}${note}"
        place = x[0] ** (1 - share) * x[1] ** share, y[0] ** (1 - share) * y[1] ** share
        axes.annotate(label, place, (-8, -14), textcoords="offset points", ha="right", va="top", color=MUTED)
