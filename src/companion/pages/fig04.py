"""Figure 4: loss against compute for many widths, its frontier, and the optimal width and time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.agreement import LOSS_TOLERANCE, dense_curve, mean_curve, resampled_mean, seed_losses
from companion.claims import Claim, Measurement, Page, fact, judged
from companion.parameters import (
    Parameters,
)
from companion.style import INK, MUTED, book_style, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import ComputeFrontier, compute_frontier, fit_power_law, local_slope
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import (
    Regime,
    compute_optimum,
    edge_of_stability_step,
    effective_time,
    frontier,
    loss_terms,
    regime,
)

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent of the hard task (0.4 and 1/3).
EXPONENT_TOLERANCE = 0.022
#: Points of a frontier per decade of compute.
PER_DECADE = 20
#: Modes and parameters that the optimum must have before a fit begins.
LEAST = 10.0
#: The asymptotic fit of the theory: the last decades of its compute.
LAST_DECADES = 2.0
_RESAMPLES = 200

Source = Literal["simulation", "theory", "limit"]


class Plan(Parameters):
    """What Figure 4 computes: the parameters of its notebook and the runs they make."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_same_length("betas", "etas", "batches", "widest", "widest_theory", "batches_limit")
        self.require_same_length("widths", "seeds")

    def panel_widths(self, panel: int) -> list[int]:
        """Return N of each simulated curve of a panel."""
        return [width for width in self.widths if width <= self.widest[panel]]

    def shown_theory(self, panel: int) -> list[int]:
        """Return the simulated widths of a panel for which the theory is solved too."""
        return [width for width in self.panel_widths(panel) if width in self.widths_theory]

    def steps(self, width: int) -> int:
        """Return the last step of a width: that at which the largest compute is used up."""
        return int(self.compute // width)

    def simulation(self, panel: int) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per width."""
        return [
            ToyModelRun(
                self.alpha,
                self.betas[panel],
                self.modes,
                self.etas[panel],
                self.gamma,
                self.steps(width),
                width=width,
                batch=self.batches[panel],
                seeds=seeds,
            )
            for width, seeds in zip(self.widths, self.seeds, strict=True)
            if width <= self.widest[panel]
        ]

    def theory(self, panel: int) -> list[OnlineDMFTRun]:
        """Return the mean-field runs of a panel in unit steps, one per width of :meth:`shown_theory`."""
        return [
            OnlineDMFTRun(
                self.alpha,
                self.betas[panel],
                math.inf,
                self.etas[panel],
                self.gamma,
                min(self.steps(width), self.steps_theory),
                width=width,
                batch=self.batches[panel],
            )
            for width in self.shown_theory(panel)
        ]

    def long(self, panel: int, batch: float) -> list[LongDMFTRun]:
        """Return the mean-field runs of a panel on a logarithmic grid at a batch, one per width of the theory.

        Each runs through the range of the figure, and beyond it until its width is exhausted, ``eta t = N^alpha``: a
        larger compute then belongs to larger widths.
        """
        return [
            LongDMFTRun(
                self.alpha,
                self.betas[panel],
                math.inf,
                self.etas[panel],
                self.gamma,
                self._end(width, self.etas[panel]),
                width=width,
                batch=batch,
            )
            for width in self.widths_theory
            if width <= self.widest_theory[panel]
        ]

    def _end(self, width: int, eta: float) -> float:
        shown, exhausted = eta * self.compute / width, float(width) ** self.alpha
        return float(min(max(shown, exhausted), eta * self.compute_theory / width))

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for panel in range(len(self.betas)):
            runs += [*self.simulation(panel), *self.theory(panel)]
            runs += [*self.long(panel, self.batches[panel]), *self.long(panel, self.batches_limit[panel])]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Curve:
    """Loss of one width against steps."""

    width: int  # N
    step: Array  # steps, from 1, shape (R,)
    loss: Array  # shape (R,)


@dataclass(frozen=True)
class Panel:
    """One task."""

    # alpha, beta, gamma, eta, batch: capacity, source, richness, learning rate and B
    alpha: float
    beta: float
    gamma: float
    eta: float
    batch: int
    # modes, widths, simulation: M, N and results of the simulations
    modes: int
    widths: tuple[int, ...]
    simulation: tuple[Result, ...]
    theory: tuple[Curve, ...]  # mean-field curves up to the same compute: unit steps, then the logarithmic grid
    # mean-field curves on the logarithmic grid, for the frontier beyond the range of the simulations
    long: tuple[Curve, ...]
    # batch_limit, limit: the B that the panel's row of Table 1 speaks of, and curves as long at that B
    batch_limit: float
    limit: tuple[Curve, ...]
    # compute, compute_theory: largest compute of the simulations and of the theory
    compute: float
    compute_theory: float

    @property
    def regime(self) -> Regime:
        """Hard, easy or super-easy."""
        return regime(self.alpha, self.beta)


@dataclass(frozen=True)
class FrontierRow:
    """Fitted exponents of a frontier beside Table 1."""

    source: Source  # simulation or theory
    window: tuple[float, float]  # first and last compute of the fit, C = N t with t in steps
    # r, a: exponents of L* ~ C^-r and N* ~ C^a; that of t* = C / N* is 1 - a
    r: float
    # r_interval, a_interval: 95 %: spread over resampled seeds (simulation only) and bend inside the window
    r_interval: tuple[float, float]
    a: float
    a_interval: tuple[float, float]
    # predicted_r, predicted_a: table 1
    predicted_r: float
    predicted_a: float


def panel(plan: Plan, index: int, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    long, limit = (
        {int(run.width): _smooth(int(run.width), results[run]) for run in plan.long(index, batch)}
        for batch in (plan.batches[index], plan.batches_limit[index])
    )
    theory = []
    for width, run in zip(plan.shown_theory(index), plan.theory(index), strict=True):
        exact = _curve(width, results[run])
        later = long.get(width)
        if later is not None:
            kept = (later.step > exact.step[-1]) & (later.step <= plan.steps(width))
            step = np.concatenate([exact.step, later.step[kept]])
            exact = Curve(width, step, np.concatenate([exact.loss, later.loss[kept]]))
        theory.append(exact)
    return Panel(
        alpha=plan.alpha,
        beta=plan.betas[index],
        gamma=plan.gamma,
        eta=plan.etas[index],
        batch=plan.batches[index],
        modes=plan.modes,
        widths=tuple(plan.panel_widths(index)),
        simulation=tuple(results[run] for run in plan.simulation(index)),
        theory=tuple(theory),
        long=tuple(long.values()),
        batch_limit=plan.batches_limit[index],
        limit=tuple(limit.values()),
        compute=plan.compute,
        compute_theory=plan.compute_theory,
    )


def missing_tail(panel: Panel) -> float:
    """Return the loss of the modes beyond M over the smallest simulated loss."""
    power = panel.alpha * panel.beta
    smallest = min(float(mean_curve(result)[1].min()) for result in panel.simulation)
    return float(panel.modes**-power / power / smallest)


def edge_step(panel: Panel) -> float:
    """Return the step at which discrete training leaves gradient flow, from the scaling of the kernel, prefactor one."""
    return edge_of_stability_step(panel.beta, panel.gamma, panel.eta)


def simulated_frontier(panel: Panel, compute: Array) -> ComputeFrontier:
    """Return the frontier of the mean losses of the simulations."""
    return compute_frontier(panel.widths, [mean_curve(result) for result in panel.simulation], compute)


def theory_frontier(curves: Sequence[Curve], compute: Array) -> ComputeFrontier:
    """Return the frontier of mean-field curves."""
    return compute_frontier([curve.width for curve in curves], [(curve.step, curve.loss) for curve in curves], compute)


def compute_grid(first: float, last: float) -> Array:
    """Return a logarithmic grid of compute, :data:`PER_DECADE` points a decade."""
    return np.geomspace(first, last, max(2, round(PER_DECADE * math.log10(last / first)) + 1))


def fit_start(panel: Panel) -> float:
    """Return the compute at which fits begin, from theory alone.

    There the optimum of the corrected loss law (prefactors one) has :data:`LEAST` parameters and has learned as many
    modes: with fewer, sums over modes are not yet power laws. Hard tasks leave SGD noise out, as Table 1 does.
    """
    terms = loss_terms(panel.alpha, panel.beta, panel.gamma > 0, "corrected")
    log_compute = np.linspace(1e-3, math.log(panel.compute_theory), 4000)
    best = frontier(terms, log_compute, math.inf if panel.regime == "hard" else panel.batch, panel.eta)
    modes = effective_time(panel.beta, panel.gamma, 1.0, np.exp(best.log_time)) ** (1 / panel.alpha)
    small = np.flatnonzero((np.exp(best.log_width) < LEAST) | (modes < LEAST))
    return float(np.exp(log_compute[small[-1] + 1]) / panel.eta)


def exponents(panel: Panel, source: Source) -> FrontierRow:
    """Fit a frontier in the window that theory gives.

    The window of the simulations runs from :func:`fit_start` to the largest compute at which the best width still
    lies between two others. Those of the theory, at the batch of the panel and at that of its row of Table 1, are their last
    :data:`LAST_DECADES` decades.
    """
    if source == "simulation":
        curves = [mean_curve(result) for result in panel.simulation]
        last = _reached(panel.widths, [step for step, _ in curves])
        grid = compute_grid(fit_start(panel), last)
        found = simulated_frontier(panel, grid)
        window = found.inside()
        drawn = _resamples(panel)
    else:
        last = 0.999 * panel.compute_theory
        grid = compute_grid(last / 10**LAST_DECADES, last)
        found = theory_frontier(panel.long if source == "theory" else panel.limit, grid)
        window = found.inside()
        drawn = []
    resampled = [compute_frontier(panel.widths, curves, grid) for curves in drawn]
    expected = compute_optimum(panel.alpha, panel.beta, panel.gamma > 0)
    r, r_error = _power(found.compute, found.loss, window, [front.loss for front in resampled])
    a, a_error = _power(found.compute, found.width, window, [front.width for front in resampled])
    return FrontierRow(
        source=source,
        window=window,
        r=r,
        r_interval=(r - r_error, r + r_error),
        a=-a,
        a_interval=(-a - a_error, -a + a_error),
        predicted_r=expected.r,
        predicted_a=expected.a,
    )


def frontier_ratio(panel: Panel) -> tuple[float, float]:
    """Return the simulated frontier over that of the theory, averaged over log compute, and its standard error.

    Both are taken over the widths of the theory.
    """
    widths = [curve.width for curve in panel.theory]
    last = min(
        _reached(panel.widths, [mean_curve(result)[0] for result in panel.simulation]),
        _reached(widths, [curve.step for curve in panel.theory]),
    )
    grid = compute_grid(fit_start(panel), last)
    expected = np.log(theory_frontier(panel.theory, grid).loss)
    chosen = [panel.widths.index(width) for width in widths]

    def averaged(curves: Sequence[tuple[Array, Array]]) -> float:
        found = compute_frontier(widths, [curves[index] for index in chosen], grid)
        return float(np.mean(np.log(found.loss) - expected))

    ratio = math.exp(averaged([mean_curve(result) for result in panel.simulation]))
    return ratio, ratio * float(np.std([averaged(curves) for curves in _resamples(panel)], ddof=1))


def exponent_claims(panel: Panel, rows: Sequence[FrontierRow], page: Page) -> list[Claim]:
    """Return the claims about the frontier of one task: loss and optimal width, for each source of curves."""
    letter = {"hard": "a", "easy": "b", "super-easy": "c"}[panel.regime]
    claims = []
    for row in rows:
        where = {
            "simulation": f"in simulations up to C = {panel.compute:.0e}",
            "theory": f"in the theory up to C = {panel.compute_theory:.0e} at the batch of the figure, {panel.batch}",
            "limit": f"in the theory up to C = {panel.compute_theory:.0e} at B = {panel.batch_limit:g}",
        }[row.source]
        for name, words, predicted, measured, interval in (
            ("loss", f"the loss goes as C^-{row.predicted_r:.3f}", row.predicted_r, row.r, row.r_interval),
            (
                "width",
                f"the optimal width goes as C^{row.predicted_a:.3f}, so the number of steps as C^{1 - row.predicted_a:.3f}",
                row.predicted_a,
                row.a,
                row.a_interval,
            ),
        ):
            claims.append(
                judged(
                    page,
                    f"fig04.{panel.regime}.{name}.{row.source}",
                    f"Fig. 4{letter}, Table 1, {panel.regime}",
                    f"Along the frontier of the {panel.regime} task (beta = {panel.beta:g}) {words}, {where}.",
                    f"exponent of the {'loss' if name == 'loss' else 'optimal width'} in compute N t",
                    predicted,
                    Measurement(measured, interval, row.window),
                    EXPONENT_TOLERANCE,
                    doubt="" if row.source == "simulation" else _why(panel, row.source),
                )
            )
    return claims


def gain_claim(panel: Panel, row: FrontierRow, page: Page) -> Claim:
    """Return the claim that feature learning improves the frontier of a hard task."""
    lazy = compute_optimum(panel.alpha, panel.beta, rich=False).r
    above = row.r_interval[0] > lazy
    return fact(
        page,
        f"fig04.{panel.regime}.gain.{row.source}",
        "section 4, Table 1",
        f"Feature learning improves the frontier of the hard task beyond the lazy C^-{lazy:.3f}.",
        "exponent of the loss in compute N t",
        "confirmed" if above else "inconclusive" if row.r_interval[1] > lazy else "not confirmed",
        f"the interval lies {'above' if above else 'not above'} the lazy exponent",
        f"above {lazy:.3f}",
        Measurement(row.r, row.r_interval, row.window),
    )


def agreement_claim(panel: Panel, ratio: float, standard_error: float, page: Page) -> Claim:
    """Return the claim that the mean-field theory gives the frontier of the simulations."""
    return judged(
        page,
        f"fig04.{panel.regime}.theory",
        "Fig. 4, eqs. 26-31",
        f"The mean field theory gives the frontier of the {panel.regime} task (beta = {panel.beta:g}).",
        "simulated frontier over that of the theory, averaged over log compute",
        1.0,
        Measurement.with_error(ratio, standard_error),
        LOSS_TOLERANCE,
    )


def _why(panel: Panel, source: Source) -> str:
    """Return why the theory's exponents are not there yet."""
    if panel.regime == "hard" and source == "theory":
        return "; at a fixed batch SGD noise grows with the kernel and pulls the exponent down again"
    if panel.regime == "super-easy":
        quiet = compute_optimum(panel.alpha, panel.beta, panel.gamma > 0, finite_batch=False)
        return f"; it comes slowly from the exponents of an infinite batch, r = {quiet.r:.3f} and a = {quiet.a:.3f}"
    return "; a limit that is still being approached"


def _curve(width: int, result: Result) -> Curve:
    step, loss = result.arrays["step"], result.arrays["loss"]
    return Curve(width, step[step >= 1], loss[step >= 1])


def _smooth(width: int, result: Result) -> Curve:
    """Return a curve of the logarithmic grid with as many points as the others."""
    step, loss = result.arrays["step"], result.arrays["loss"]
    return Curve(width, *dense_curve(step[step > 0], loss[step > 0], 1.0))


def _reached(widths: Sequence[int], steps: Sequence[Array]) -> float:
    """Return the largest compute that every curve reaches."""
    return min(width * float(step[-1]) for width, step in zip(widths, steps, strict=True))


def _resamples(panel: Panel) -> list[list[tuple[Array, Array]]]:
    """Return mean curves of seeds drawn with replacement, width by width."""
    random = np.random.default_rng(0)
    simulated = [(result.arrays["step"][1:], seed_losses(result)) for result in panel.simulation]
    return [[(step, resampled_mean(losses, random)) for step, losses in simulated] for _ in range(_RESAMPLES)]


def _power(
    compute: Array, values: Array, window: tuple[float, float], resampled: Sequence[Array]
) -> tuple[float, float]:
    """Return the decay exponent and the half-width of its 95 % interval.

    The interval holds the spread over resampled seeds and the bend: half the difference between the exponents of the two
    halves of the window, less what noise alone gives.
    """
    middle = math.sqrt(window[0] * window[1])

    def fitted(curve: Array) -> tuple[float, float]:
        left, right = (
            fit_power_law(compute, curve, part).exponent for part in ((window[0], middle), (middle, window[1]))
        )
        return fit_power_law(compute, curve, window).exponent, 0.5 * (left - right)

    exponent, bend = fitted(values)
    noise = np.std([fitted(curve) for curve in resampled], axis=0, ddof=1) if resampled else np.zeros(2)
    variance = float(noise[0]) ** 2 + max(0.0, bend**2 - float(noise[1]) ** 2)
    return exponent, NORMAL_95 * math.sqrt(variance)


#: One colour and marker per regime.
_TASKS = {"hard": ("#0072b2", "o"), "easy": ("#0d8577", "s"), "super-easy": ("#c2410c", "^")}


def loss_figure(panels: Sequence[Panel], first: float = 100.0) -> Figure:
    """Draw loss against compute: simulated mean with band and theory, one curve per width, and the guides."""
    with book_style():
        figure = new_figure(4.3 * len(panels))
        for axes, panel, letter in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, "abc", strict=False):
            for width, simulation in zip(panel.widths, panel.simulation, strict=True):
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color, octave = width_color(width), math.log2(width)
                # Every second octave is named, or every octave where there are few.
                every = 2 if len(panel.widths) > 8 else 1
                named = octave == int(octave) and int(octave - 3) % every == 0
                axes.loglog(width * step, mean, color=color, linewidth=1.4, label=f"$N = {width}$" if named else None)
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a tenth of the mean.
                lower = np.maximum(mean - spread, 0.1 * mean)
                axes.fill_between(width * step, lower, mean + spread, color=color, alpha=0.2, linewidth=0)
            for theory in panel.theory:
                axes.loglog(theory.width * theory.step, theory.loss, "--", color=INK, linewidth=0.9)
            grid = compute_grid(first, 0.99 * panel.compute)
            front = simulated_frontier(panel, grid)
            axes.set_xlim(first, 1.1 * panel.compute)
            axes.set_ylim(0.35 * front.loss.min(), 2.5 * front.loss.max())
            _guides(axes, panel, front)
            axes.set_title(rf"({letter}) {panel.regime} task, $\beta = {panel.beta:g}$")
            axes.set_xlabel("compute $C = N t$")
            axes.set_ylabel("loss")
            handles, labels = axes.get_legend_handles_labels()
            handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=0.9))
            axes.legend(handles, [*labels, "theory"], loc="lower left", ncols=2, fontsize=11)
    return figure


def allocation_figure(panels: Sequence[Panel]) -> Figure:
    """Draw the optimal width and the optimal number of steps against compute."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel in panels:
            color, marker = _TASKS[panel.regime]
            front = theory_frontier(panel.long, compute_grid(300.0, 0.99 * panel.compute_theory))
            seen = simulated_frontier(panel, compute_grid(300.0, 0.99 * panel.compute))
            a = compute_optimum(panel.alpha, panel.beta, panel.gamma > 0).a
            for axes, quantity, power in ((upper, "width", a), (lower, "time", 1 - a)):
                label = rf"{panel.regime}, $\beta = {panel.beta:g}$"
                line, points = getattr(front, quantity), getattr(seen, quantity)
                axes.loglog(front.compute[front.interior], line[front.interior], color=color, label=label)
                dots = np.flatnonzero(seen.interior)[::3]
                axes.loglog(seen.compute[dots], points[dots], marker, color=color, markersize=5)
                x = np.array([front.compute[-1] / 1e3, front.compute[-1]])
                end = line[front.interior][-1] * 1.35
                axes.loglog(x, end * (x / front.compute[front.interior][-1]) ** power, "--", color=MUTED, linewidth=1.3)
        upper.set_ylabel("optimal width $N^*$")
        lower.set_ylabel("optimal steps $t^*$")
        lower.set_xlabel("compute $C = N t$")
        upper.legend(loc="upper left")
    return figure


def slope_figure(panels: Sequence[Panel], rows: Sequence[FrontierRow]) -> Figure:
    """Draw the local exponents of the frontier of the theory against compute, and the fits to the simulations."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for panel, row in zip(panels, rows, strict=True):
            color, marker = _TASKS[panel.regime]
            cases: list[tuple[Sequence[Curve], float, str]] = [(panel.long, panel.batch, "-")]
            if panel.batch_limit != panel.batch:
                cases.append((panel.limit, panel.batch_limit, "-."))
            for curves, batch, style in cases:
                front = theory_frontier(curves, compute_grid(300.0, 0.99 * panel.compute_theory))
                kept = front.interior
                name = r"\infty" if math.isinf(batch) else f"{batch:g}"
                for axes, values, sign in ((upper, front.loss, 1), (lower, front.width, -1)):
                    slopes = local_slope(front.compute[kept], values[kept], width=1.0)
                    label = rf"{panel.regime}, $B = {name}$"
                    axes.semilogx(slopes.t, sign * slopes.exponent, style, color=color, linewidth=1.6, label=label)
            middle = math.sqrt(row.window[0] * row.window[1])
            for axes, predicted, measured, interval in (
                (upper, row.predicted_r, row.r, row.r_interval),
                (lower, row.predicted_a, row.a, row.a_interval),
            ):
                axes.axhline(predicted, color=color, linestyle="--", linewidth=1.1)
                axes.plot(row.window, [measured, measured], color=color, linewidth=1.0)
                error = [[measured - interval[0]], [interval[1] - measured]]
                axes.errorbar(middle, measured, error, fmt=marker, color=color, capsize=4, markersize=6)
        upper.set_ylabel("exponent $r$ of the loss")
        lower.set_ylabel("exponent $a$ of the width")
        lower.set_xlabel("compute $C = N t$")
        upper.legend(loc="center right", fontsize=10)
    return figure


def _guides(axes: Axes, panel: Panel, front: ComputeFrontier) -> None:
    """Draw the paper's powers below the last decades of the frontier."""
    rich = panel.gamma > 0
    powers = [(compute_optimum(panel.alpha, panel.beta, rich).r, "")]
    if panel.regime == "super-easy":
        powers.insert(0, (compute_optimum(panel.alpha, panel.beta, rich, finite_batch=False).r, " (no SGD noise)"))
    x = np.array([max(front.compute[0], front.compute[-1] / 10**2.5), front.compute[-1]])
    start = math.exp(float(np.interp(math.log(x[0]), np.log(front.compute), np.log(front.loss))))
    # The power of Table 1 lies below the frontier, any other below that.
    for number, (power, note) in enumerate(reversed(powers)):
        y = start / 1.5 / 3.0**number * (x / x[0]) ** -power
        axes.loglog(x, y, ":" if number else "--", color=MUTED, linewidth=1.6)
        share = 0.75 if number else 0.5
        place = float(x[0] ** (1 - share) * x[1] ** share), float(y[0] ** (1 - share) * y[1] ** share)
        axes.annotate(
            rf"$C^{{-{power:.3g}}}${note}",
            place,
            (-6, -6),
            textcoords="offset points",
            ha="right",
            va="top",
            color=MUTED,
        )
