"""The finite-N transient: what finite width costs before its bottleneck is felt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, Page, fact, judge
from companion.long_runs import LongRun
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, transient_coefficient, transient_exponent

#: Agreement of lazy exponents: a tenth of the smallest gap between printed and corrected power among the tasks (0.5).
LAZY_TOLERANCE = 0.05
#: Agreement of rich exponents: the constant 1 in K = 1 + gamma C_w is still felt in six decades of time.
RICH_TOLERANCE = 0.1
#: Agreement of the simulated excess with the theory, relative; the theory is the leading order in 1/N.
EXCESS_TOLERANCE = 0.15


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def long(self, alpha: float, beta: float) -> LongRun:
        """Return the long rich run of one task: infinite width and a width at which 1/N is small."""
        modes_learned = self.rich_end ** ((2 - float(chi(beta))) / alpha) if beta < 1 else self.rich_end ** (1 / alpha)
        # For beta > 1 the model bottleneck adds a share of about (modes learned / N)^(alpha - 1) to the difference: N is larger.
        share = self.rich_share if beta < 1 else self.rich_share**2
        width = float(math.ceil(max(modes_learned, 1.0) / share))
        return LongRun(alpha, beta, self.gamma, self.rich_end, (math.inf, width), (0.0, 0.0))

    def simulated(self, gamma: float) -> tuple[InfiniteLimitRun, OnlineDMFTRun, ToyModelRun]:
        """Return theory at infinite and at finite width, and simulation, at one richness."""
        common = (self.sim_alpha, self.sim_beta, self.sim_modes, self.sim_eta, gamma, self.sim_steps)
        return (
            InfiniteLimitRun(*common),
            OnlineDMFTRun(*common, width=self.sim_width),
            ToyModelRun(*common, width=self.sim_width, seeds=self.sim_seeds),
        )

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        long = [self.long(*task) for task in self.rich_tasks]
        return [*long, *self.simulated(0.0), *self.simulated(self.gamma)]


@dataclass(frozen=True)
class Row:
    """Coefficient of 1/N in the loss of one task."""

    # alpha, beta, gamma: capacity, source, richness
    alpha: float
    beta: float
    gamma: float
    # time, coefficient: eta * steps and lim N (L_N - L_inf), shape (T,)
    time: Array
    coefficient: Array
    clock: Array  # effective time, the integral of 1 + gamma C_w, shape (T,); time if lazy
    # fit, fit_clock: decay exponents of the coefficient in time and in effective time; negative for growth
    fit: PowerLawFit
    fit_clock: PowerLawFit
    # paper, corrected, corrected_clock: exponents in time as printed and as corrected, and the corrected one in
    # effective time
    paper: float
    corrected: float
    corrected_clock: float


@dataclass(frozen=True)
class Simulated:
    """Simulated excess of the loss at finite width."""

    # gamma, width: richness and N
    gamma: float
    width: int
    time: Array  # eta * steps, shape (R,)
    # excess, error: N (L_N - L_inf) of the simulated mean and its standard error, shape (R,)
    excess: Array
    error: Array
    theory: Array  # the same from the theory, shape (R,)
    # ratio, ratio_error: simulated over theoretical excess, averaged over log time from the start of the window,
    # and its standard error
    ratio: float
    ratio_error: float
    # exponent, interval: decay exponent of the simulated excess in the window and its 95 % interval over seeds
    exponent: float
    interval: tuple[float, float]
    window: tuple[float, float]  # eta * steps
    theory_exponent: float  # the same fit to the theory at this width
    # paper, corrected: exponents of the term
    paper: float
    corrected: float


def lazy_rows(plan: Plan) -> list[Row]:
    """Evaluate the exact lazy coefficient for every task."""
    time = np.geomspace(1.0, plan.lazy_end, 8 * math.ceil(math.log10(plan.lazy_end)) + 1)
    rows = []
    for alpha, beta in plan.tasks:
        coefficient = transient_coefficient(PowerLaw(alpha, beta).quadrature(4 * plan.lazy_end), time)
        first, last = plan.lazy_window
        fit = fit_power_law(time, coefficient, (first, last))
        paper, corrected = (_exponent(alpha, beta, False, version) for version in ("paper", "corrected"))
        rows.append(Row(alpha, beta, 0.0, time, coefficient, time, fit, fit, paper, corrected, corrected))
    return rows


def rich_rows(plan: Plan, results: Mapping[Experiment, Result]) -> list[Row]:
    """Take the coefficient of 1/N from the long rich runs."""
    rows = []
    for alpha, beta in plan.rich_tasks:
        run = plan.long(alpha, beta)
        arrays = results[run].arrays
        kept = arrays["time"] > 0
        time = arrays["time"][kept]
        coefficient = run.widths[1] * (arrays["loss"][1] - arrays["loss"][0])[kept]
        clock = effective_clock(arrays["time"], arrays["weight_norm"][0], run.gamma)[kept]
        first, last = plan.rich_window
        inside = (time >= first) & (time <= last)
        fit = fit_power_law(time[inside], coefficient[inside])
        fit_clock = fit_power_law(clock[inside], coefficient[inside])
        paper, corrected = (_exponent(alpha, beta, True, version) for version in ("paper", "corrected"))
        lazy = _exponent(alpha, beta, False, "corrected")
        good = coefficient > 0
        rows.append(
            Row(
                alpha,
                beta,
                run.gamma,
                time[good],
                coefficient[good],
                clock[good],
                fit,
                fit_clock,
                paper,
                corrected,
                lazy,
            )
        )
    return rows


def effective_clock(time: Array, weight_norm: Array, gamma: float) -> Array:
    """Integrate the growth of the kernel, ``1 + gamma C_w``, over time by the trapezoidal rule."""
    growth = 1 + gamma * weight_norm
    cells = np.diff(time) * (growth[1:] + growth[:-1]) / 2
    return np.concatenate([[time[0]], time[0] + np.cumsum(cells)])


def simulated(plan: Plan, gamma: float, results: Mapping[Experiment, Result]) -> Simulated:
    """Compare the simulated excess with the theory at one richness."""
    infinite, finite, run = plan.simulated(gamma)
    step = results[run].arrays["step"]
    late = (step > 0) & (step * plan.sim_eta >= 0.5)  # before, the difference is below the noise of either loss
    time = step[late] * plan.sim_eta
    base = results[infinite].arrays["loss"][late]
    theory = plan.sim_width * (results[finite].arrays["loss"][late] - base)
    per_seed = plan.sim_width * (results[run].arrays["loss"][:, late].astype(np.float64) - base)
    mean, error = per_seed.mean(axis=0), per_seed.std(axis=0, ddof=1) / math.sqrt(per_seed.shape[0])
    inside = time >= plan.sim_from
    weights = np.gradient(np.log(time[inside]))
    ratios = (per_seed[:, inside] / theory[inside]) @ weights / weights.sum()
    exponents = _resampled_exponents(time[inside], per_seed[:, inside])
    low, high = np.quantile(exponents, (0.025, 0.975))
    rich = gamma > 0
    measured = _slope(time[inside], mean[inside])
    return Simulated(
        gamma=gamma,
        width=plan.sim_width,
        time=time,
        excess=mean,
        error=error,
        theory=theory,
        ratio=float(ratios.mean()),
        ratio_error=float(ratios.std(ddof=1) / math.sqrt(ratios.size)),
        exponent=measured,
        interval=(min(float(low), measured), max(float(high), measured)),
        window=(plan.sim_from, float(time[-1])),
        theory_exponent=_slope(time[inside], theory[inside]),
        paper=_exponent(plan.sim_alpha, plan.sim_beta, rich, "paper"),
        corrected=_exponent(plan.sim_alpha, plan.sim_beta, rich, "corrected"),
    )


def _slope(time: Array, value: Array) -> float:
    """Decay exponent by least squares on log-spaced samples."""
    weights = np.sqrt(np.gradient(np.log(time)))
    return float(-np.polyfit(np.log(time), np.log(np.maximum(value, 1e-12)), 1, w=weights)[0])


def _resampled_exponents(time: Array, per_seed: Array, draws: int = 400) -> Array:
    """Exponents of means over resampled seeds: the points of one curve share their noise, so seeds are resampled, not points."""
    random = np.random.default_rng(0)
    picks = random.integers(per_seed.shape[0], size=(draws, per_seed.shape[0]))
    return np.array([_slope(time, per_seed[pick].mean(axis=0)) for pick in picks])


def _exponent(alpha: float, beta: float, rich: bool, version: str) -> float:
    return transient_exponent(alpha, beta, rich, "paper" if version == "paper" else "corrected")


def claims(lazy: Sequence[Row], rich: Sequence[Row], simulations: Sequence[Simulated], page: Page) -> list[Claim]:
    """Judge everything on the page."""
    found = []
    for row in (*lazy, *rich):
        is_rich = row.gamma > 0
        tolerance = RICH_TOLERANCE if is_rich else LAZY_TOLERANCE
        judged = judge(row.paper, row.fit.exponent, row.fit.interval, tolerance, _differs(row.paper, row.corrected))
        kind = "rich" if is_rich else "lazy"
        found.append(
            fact(
                page,
                f"transient.{kind}.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "eq. 9, eq. 80" if is_rich else "eq. 8",
                f"The finite-N transient, {kind}, alpha = {row.alpha:g}, beta = {row.beta:g}, falls as "
                "t^-((1 - 1/alpha) m).",
                "decay exponent of lim N (L_N - L_inf) in eta t (negative: it grows)",
                judged.verdict,
                judged.reason,
                row.paper,
                Measurement(row.fit.exponent, row.fit.interval, row.fit.window),
            )
        )
        if is_rich:
            # On the effective clock there is no crossover to wait for.
            printed = 1 - 1 / row.alpha
            on_clock = judge(
                printed,
                row.fit_clock.exponent,
                row.fit_clock.interval,
                LAZY_TOLERANCE,
                _differs(printed, row.corrected_clock),
            )
            found.append(
                fact(
                    page,
                    f"transient.clock.alpha-{row.alpha:g}.beta-{row.beta:g}",
                    "eqs. 79, 80",
                    f"On the clock of the kernel's growth the rich transient is the lazy one, a^-(1 - 1/alpha), "
                    f"alpha = {row.alpha:g}, beta = {row.beta:g}.",
                    "decay exponent in the effective time a = int K dt (negative: it grows), window in a",
                    on_clock.verdict,
                    on_clock.reason,
                    printed,
                    Measurement(row.fit_clock.exponent, row.fit_clock.interval, row.fit_clock.window),
                )
            )
    for one in simulations:
        kind = "rich" if one.gamma > 0 else "lazy"
        spread = (one.ratio - NORMAL_95 * one.ratio_error, one.ratio + NORMAL_95 * one.ratio_error)
        agreed = judge(1.0, one.ratio, spread, EXCESS_TOLERANCE)
        found.append(
            fact(
                page,
                f"transient.simulation.{kind}",
                "eqs. 26-31",
                f"The mean field theory gives the simulated excess of the loss at N = {one.width}, {kind}.",
                "simulated over theoretical L_N - L_inf, averaged over log time",
                agreed.verdict,
                agreed.reason,
                1.0,
                Measurement(one.ratio, spread, one.window),
            )
        )
        falls = one.interval[0] > 0
        grows = one.interval[1] < 0
        found.append(
            fact(
                page,
                f"transient.simulation.{kind}.sign",
                "eqs. 8, 9",
                f"The simulated excess of the loss at N = {one.width}, {kind}, falls with time.",
                "decay exponent of the simulated L_N - L_inf in eta t (negative: it grows)",
                "corrected" if grows and one.corrected < 0 else "confirmed" if falls else "inconclusive",
                f"it {'grows' if grows else 'falls' if falls else 'neither clearly grows nor falls'}; the theory at "
                f"this width gives {one.theory_exponent:.2f} in the same window, the corrected power {one.corrected:.2f} "
                "holds once many modes are learned",
                one.paper,
                Measurement(one.exponent, one.interval, one.window),
            )
        )
    return found


def _differs(paper: float, corrected: float) -> float | None:
    return corrected if abs(paper - corrected) > 1e-9 else None


_COLORS = ("#0072b2", "#c2410c", "#0d8577", "#8e1a4f", "#7a7a12", "#7c3aed")


def coefficient_figure(rows: Sequence[Row]) -> Figure:
    """Draw the coefficient of 1/N against time for several tasks."""
    with book_style():
        figure = new_figure(5.6)
        axes = figure.subplots()
        _coefficients(axes, rows)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$N (L_N - L_\infty)$, $N \to \infty$")
    return figure


def rich_figure(rows: Sequence[Row]) -> Figure:
    """Draw the rich coefficient against time and, divided by its corrected power, against the effective time."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1)
        _coefficients(upper, rows)
        upper.set_xlabel(r"$\eta t$")
        upper.set_ylabel(r"$N (L_N - L_\infty)$, $N \to \infty$")
        upper.set_xlim(left=1)
        upper.set_title("(a) against time")
        for row, color in zip(rows, _COLORS, strict=False):
            late = row.time >= 10
            scaled = row.coefficient * row.clock**row.corrected_clock
            lower.loglog(row.clock[late], scaled[late] / scaled[-1], color=color, label=_name(row))
            printed = row.clock ** (row.corrected_clock - (1 - 1 / row.alpha))
            if abs(row.corrected_clock - (1 - 1 / row.alpha)) > 1e-9:
                lower.loglog(row.clock[late], printed[late] / printed[late][0], ":", color=color, linewidth=1.6)
        lower.set_xlabel(r"effective time $\int K\, dt$")
        lower.set_ylabel("coefficient / corrected power")
        lower.set_title("(b) on the clock of the kernel")
        lower.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
        lower.legend(loc="lower left")
    return figure


def simulation_figure(simulations: Sequence[Simulated]) -> Figure:
    """Draw the simulated excess beside the theory."""
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row in simulations:
            color = richness_color(row.gamma)
            axes.loglog(row.time, row.excess, color=color, label=rf"$\gamma = {row.gamma:g}$")
            low = np.maximum(row.excess - NORMAL_95 * row.error, 0.05 * row.excess)
            axes.fill_between(row.time, low, row.excess + NORMAL_95 * row.error, color=color, alpha=0.2, linewidth=0)
            axes.loglog(row.time, row.theory, "--", color=color, linewidth=1.4)
            inside = row.time >= row.window[0]
            start = row.theory[inside][0]
            printed = start * (row.time[inside] / row.time[inside][0]) ** -row.paper
            axes.loglog(row.time[inside], printed, ":", color=color, linewidth=1.6)
        axes.plot([], [], "--", color=INK, linewidth=1.4, label="theory")
        axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed power")
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$N (L_N - L_\infty)$")
        axes.legend(loc="lower left")
    return figure


def _coefficients(axes: Axes, rows: Sequence[Row]) -> None:
    for row, color in zip(rows, _COLORS, strict=False):
        axes.loglog(row.time, row.coefficient, color=color, label=_name(row))
        first, last = row.fit.window
        span = np.geomspace(first, last, 2)
        anchor = float(np.interp(np.log(last), np.log(row.time), np.log(row.coefficient)))
        axes.loglog(span, 1.35 * np.exp(anchor) * (span / last) ** -row.corrected, "--", color=INK, linewidth=1.1)
        if abs(row.paper - row.corrected) > 1e-9:
            begin = float(np.interp(np.log(first), np.log(row.time), np.log(row.coefficient)))
            axes.loglog(span, np.exp(begin) * (span / first) ** -row.paper, ":", color=color, linewidth=1.6)
    axes.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
    axes.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
    axes.legend(loc="lower left", fontsize=10)


def _name(row: Row) -> str:
    return rf"$\alpha = {row.alpha:g},\ \beta = {row.beta:g}$"
