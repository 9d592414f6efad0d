"""The finite-N transient: what finite width costs before its bottleneck is felt."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.integrate import cumulative_trapezoid

from companion.agreement import log_average, resampled_means
from companion.claims import MEAN, SLOPE, Claim, Measurement, Tolerance, bounded, judged, of_exponent
from companion.long_runs import LongRun, Task
from companion.parameters import Parameters
from companion.style import CASES, INK, MUTED, drawing, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, transient_coefficient, transient_exponent
from neural_scaling.theory.loss_law import VERSIONS

#: Agreement of the coefficient of 1/N at a richness near 0 with that of random features.
LAZY_LIMIT = Tolerance(0.02, "2 %: above the error of the solver and the next order in 1/N")
#: Agreement of the simulated excess with the theory, relative.
EXCESS = Tolerance(0.15, "excess of the loss by finite width: 15 %, since the theory is the leading order in 1/N")


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
class Coefficient(Task):
    """Coefficient of 1/N in the loss of one task."""

    # time, value, clock: eta * steps, lim N (L_N - L_inf), and the effective time, the integral of 1 + gamma C_w (time if
    # lazy), each of shape (T,)
    time: Array
    value: Array
    clock: Array
    # fit, fit_clock: decay exponents in time and in effective time; negative for growth
    fit: PowerLawFit
    fit_clock: PowerLawFit


@dataclass(frozen=True)
class Simulated:
    """Simulated excess of the loss at finite width, at one richness."""

    gamma: float
    time: Array  # eta * steps, shape (R,)
    seeds: Array  # N (L_N - L_inf) of every simulation, shape (S, R)
    theory: Array  # the same from the theory, shape (R,)

    @property
    def mean(self) -> Array:
        """Mean over simulations, shape (R,)."""
        return np.asarray(self.seeds.mean(axis=0))

    @property
    def error(self) -> Array:
        """Standard error of the mean, shape (R,)."""
        return np.asarray(self.seeds.std(axis=0, ddof=1) / math.sqrt(self.seeds.shape[0]))


def lazy_coefficients(plan: Plan) -> list[Coefficient]:
    """Evaluate the exact lazy coefficient for every task."""
    time = np.geomspace(1.0, plan.lazy_end, 8 * math.ceil(math.log10(plan.lazy_end)) + 1)
    found = []
    for alpha, beta in plan.tasks:
        value = transient_coefficient(PowerLaw(alpha, beta).quadrature(4 * plan.lazy_end), time)
        fit = fit_power_law(time, value, plan.lazy_window)
        found.append(Coefficient(alpha, beta, time, value, time, fit, fit))
    return found


def rich_coefficients(plan: Plan, results: Mapping[Experiment, Result]) -> list[Coefficient]:
    """Take the coefficient of 1/N from the long rich runs."""
    first, last = plan.rich_window
    found = []
    for alpha, beta in plan.rich_tasks:
        run = plan.long(alpha, beta)
        arrays = results[run].arrays
        kept = arrays["time"] > 0
        time = arrays["time"][kept]
        value = run.widths[1] * (arrays["loss"][1] - arrays["loss"][0])[kept]
        clock = effective_clock(arrays["time"], arrays["weight_norm"][0], run.gamma)[kept]
        inside = (time >= first) & (time <= last)
        fit, fit_clock = (fit_power_law(axis[inside], value[inside]) for axis in (time, clock))
        good = value > 0
        found.append(Coefficient(alpha, beta, time[good], value[good], clock[good], fit, fit_clock))
    return found


def effective_clock(time: Array, weight_norm: Array, gamma: float) -> Array:
    """Integrate the growth of the kernel, ``1 + gamma C_w``, over time by the trapezoidal rule."""
    return np.asarray(time[0] + cumulative_trapezoid(1 + gamma * weight_norm, time, initial=0))


def exponents(found: Sequence[Coefficient], rich: bool) -> pd.DataFrame:
    """Return the decay exponents of the coefficient in eta t, and with ``clock`` in their names those in the effective time."""
    rows = []
    for one in found:
        task = (one.alpha, one.beta)
        for_time = [transient_exponent(*task, rich, version) for version in VERSIONS]
        # On the clock of the kernel the rich transient is the lazy one.
        for_clock = [transient_exponent(*task, False, version) for version in VERSIONS]
        fits = [Measurement.exponent(fit).columns() for fit in (one.fit, one.fit_clock)]
        rows.append((*task, *for_time, *fits[0], *for_clock, *fits[1]))
    names = ["printed", "corrected", "exponent", "interval", "window"]
    return pd.DataFrame(rows, columns=["alpha", "beta", *names, *(f"clock_{name}" for name in names)])


def simulated(plan: Plan, gamma: float, results: Mapping[Experiment, Result]) -> Simulated:
    """Collect the simulated excess and the theory at one richness."""
    infinite, finite, run = plan.simulated(gamma)
    step = results[run].arrays["step"]
    late = (step > 0) & (step * plan.sim_eta >= 0.5)  # before, the difference is below the noise of either loss
    base = results[infinite].arrays["loss"][late]
    theory = plan.sim_width * (results[finite].arrays["loss"][late] - base)
    seeds = plan.sim_width * (results[run].arrays["loss"][:, late].astype(np.float64) - base)
    return Simulated(gamma, step[late] * plan.sim_eta, seeds, theory)


def comparison(plan: Plan, simulations: Sequence[Simulated]) -> pd.DataFrame:
    """Compare the simulated excess with the theory from the start of the window on.

    ``ratio`` is simulated over theoretical excess, averaged over log time; ``exponent`` is the decay exponent of the simulated
    excess with its 95 % interval over seeds, ``theory`` the same fit to the theory at this width.
    """
    rows = []
    for one in simulations:
        inside = one.time >= plan.sim_from
        time, seeds, theory = one.time[inside], one.seeds[:, inside], one.theory[inside]
        ratio = Measurement.mean_of(log_average(seeds / theory, time))
        # The points of one curve share their noise, so seeds are resampled, not points.
        drawn = [_slope(time, mean) for (mean,) in resampled_means([seeds], 400)]
        low, high = np.quantile(drawn, (0.025, 0.975))
        exponent, window = _slope(time, one.mean[inside]), (plan.sim_from, float(time[-1]))
        interval = (min(float(low), exponent), max(float(high), exponent))
        terms = (transient_exponent(plan.sim_alpha, plan.sim_beta, one.gamma > 0, version) for version in VERSIONS)
        found = (exponent, interval, window, _slope(time, theory))
        rows.append((one.gamma, ratio.value, ratio.interval, *found, *terms))
    names = ["gamma", "ratio", "ratio_interval", "exponent", "interval", "window", "theory", "printed", "corrected"]
    return pd.DataFrame(rows, columns=names)


def _slope(time: Array, value: Array) -> float:
    """Decay exponent by least squares on log-spaced samples."""
    weights = np.sqrt(np.gradient(np.log(time)))
    return float(-np.polyfit(np.log(time), np.log(np.maximum(value, 1e-12)), 1, w=weights)[0])


def term_claims(plan: Plan, found: pd.DataFrame, rich: bool) -> list[Claim]:
    """Return the claims about the power of the transient in time."""
    kind = "rich" if rich else "lazy"
    return [
        judged(
            plan,
            f"transient.{kind}.alpha-{row.alpha:g}.beta-{row.beta:g}",
            "eqs. 9, 80" if rich else "eq. 8",
            f"The finite-N transient, {kind}, alpha = {row.alpha:g}, beta = {row.beta:g}, falls as t^-((1 - 1/alpha) m).",
            "decay exponent of lim N (L_N - L_inf) in eta t (negative: it grows)",
            row.printed,
            Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE),
            "theory",
            corrected=row.corrected,
            runs=[plan.long(row.alpha, row.beta)] if rich else (),
        )
        for row in found.itertuples()
    ]


def clock_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the power of the rich transient in the effective time, where there is no crossover to wait for."""
    return [
        judged(
            plan,
            f"transient.clock.alpha-{row.alpha:g}.beta-{row.beta:g}",
            "eqs. 79, 80",
            f"On the clock of the kernel's growth the rich transient is the lazy one, a^-(1 - 1/alpha), "
            f"alpha = {row.alpha:g}, beta = {row.beta:g}.",
            "decay exponent in the effective time a = int K dt (negative: it grows), window in a",
            row.clock_printed,
            Measurement.of(row.clock_exponent, row.clock_interval, row.clock_window, meaning=SLOPE),
            "theory",
            corrected=row.clock_corrected,
            runs=[plan.long(row.alpha, row.beta)],
        )
        for row in found.itertuples()
    ]


def lazy_limit(plan: Plan) -> pd.DataFrame:
    """Return the coefficient of 1/N at a richness near 0 over the closed form of random features, both without fourth moments."""
    alpha, beta = plan.tasks[0]
    width, end = 1e4, 1e4  # the width is far above the modes learned by then
    modes, grid = PowerLaw(alpha, beta).quadrature(4 * end), TimeGrid.log_spaced(1.0, end)
    limit, finite = (solve(modes, 1e-6, grid, width=size, estimate_error=False) for size in (math.inf, width))
    late = limit.time >= 1
    time, found = limit.time[late], width * (finite.loss - limit.loss)[late]
    return pd.DataFrame({"time": time, "ratio": found / transient_coefficient(modes, time, fourth_moment=False)})


def lazy_limit_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that the theory is that of random features as the richness tends to 0."""
    alpha, beta = plan.tasks[0]
    return judged(
        plan,
        "transient.lazy-limit",
        "section 2, App. D",
        "As gamma tends to 0 the mean field theory becomes that of random features, at finite width.",
        "coefficient of 1/N from the theory at gamma = 1e-6 over that of static random features, worst over time, "
        f"alpha = {alpha:g}, beta = {beta:g}, window in eta t",
        1.0,
        Measurement.farthest_of(found.ratio, 1.0, (found.time.min(), found.time.max())),
        "theory",
        LAZY_LIMIT,
    )


def simulation_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory gives the simulated excess, and that it falls with time."""
    claims = []
    for row in found.itertuples():
        kind = "rich" if row.gamma > 0 else "lazy"
        claims += [
            judged(
                plan,
                f"transient.simulation.{kind}",
                "eqs. 26-31",
                f"The mean field theory gives the simulated excess of the loss at N = {plan.sim_width}, {kind}.",
                "simulated over theoretical L_N - L_inf, averaged over log time",
                1.0,
                Measurement.of(row.ratio, row.ratio_interval, row.window, meaning=MEAN),
                "simulation",
                EXCESS,
                seeds=plan.sim_seeds,
                runs=plan.simulated(row.gamma),
            ),
            bounded(
                plan,
                f"transient.simulation.{kind}.sign",
                "eq. 9" if row.gamma > 0 else "eq. 8",
                f"The simulated excess of the loss at N = {plan.sim_width}, {kind}, falls with time.",
                "decay exponent of the simulated L_N - L_inf in eta t (negative: it grows)",
                "above",
                0.0,
                Measurement.of(row.exponent, row.interval, row.window, meaning="95 % interval, seeds resampled"),
                "simulation",
                of_exponent(row.theory, "simulation"),
                corrected=row.theory,
                seeds=plan.sim_seeds,
                runs=plan.simulated(row.gamma),
                note="the correction is the exponent of the theory at this width in the same window; "
                f"the corrected power {row.corrected:.2f} holds once many modes are learned",
                needs="up to seven times as many draws",
            ),
        ]
    return claims


def coefficient_figure(found: Sequence[Coefficient], table: pd.DataFrame) -> Figure:
    """Draw the coefficient of 1/N against time for several tasks."""
    with drawing(5.6) as (figure, axes):
        _coefficients(axes, found, table)
    return figure


def rich_figure(found: Sequence[Coefficient], table: pd.DataFrame) -> Figure:
    """Draw the rich coefficient against time and, divided by its corrected power, against the effective time."""
    with drawing(8.6, 2) as (figure, (upper, lower)):
        _coefficients(upper, found, table)
        upper.set(xlim=(1, None), title="(a) against time")
        for one, row, color in zip(found, table.itertuples(), CASES, strict=False):
            late = one.time >= 10
            scaled = one.value * one.clock**row.clock_corrected
            lower.loglog(one.clock[late], scaled[late] / scaled[-1], color=color, label=one.name)
            if abs(row.clock_corrected - row.clock_printed) > 1e-9:
                printed = one.clock[late] ** (row.clock_corrected - row.clock_printed)
                lower.loglog(one.clock[late], printed / printed[0], ":", color=color, linewidth=1.6)
        lower.set(xlabel=r"effective time $\int K\, dt$", ylabel="coefficient / corrected power")
        lower.set(title="(b) on the clock of the kernel")
        lower.plot([], [], ":", color=INK, linewidth=1.6, label="as printed")
        lower.legend(loc="lower left")
    return figure


def simulation_figure(simulations: Sequence[Simulated], table: pd.DataFrame) -> Figure:
    """Draw the simulated excess beside the theory."""
    with drawing(5.2) as (figure, axes):
        for one, row in zip(simulations, table.itertuples(), strict=True):
            color, mean, margin = richness_color(one.gamma), one.mean, NORMAL_95 * one.error
            axes.loglog(one.time, mean, color=color, label=rf"$\gamma = {one.gamma:g}$")
            low = np.maximum(mean - margin, 0.05 * mean)
            axes.fill_between(one.time, low, mean + margin, color=color, alpha=0.2, linewidth=0)
            axes.loglog(one.time, one.theory, "--", color=color, linewidth=1.4)
            inside = one.time >= row.window[0]
            time = one.time[inside]
            printed = one.theory[inside][0] * (time / time[0]) ** -row.printed
            axes.loglog(time, printed, ":", color=color, linewidth=1.6)
        axes.plot([], [], "--", color=INK, linewidth=1.4, label="theory")
        axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed power")
        axes.set(xlabel=r"$\eta t$", ylabel=r"$N (L_N - L_\infty)$")
        axes.legend(loc="lower left")
    return figure


def _coefficients(axes: Axes, found: Sequence[Coefficient], table: pd.DataFrame) -> None:
    for one, row, color in zip(found, table.itertuples(), CASES, strict=False):
        axes.loglog(one.time, one.value, color=color, label=one.name)
        first, last = row.window
        span = np.geomspace(first, last, 2)
        begin, end = np.exp(np.interp(np.log([first, last]), np.log(one.time), np.log(one.value)))
        axes.loglog(span, 1.35 * end * (span / last) ** -row.corrected, "--", color=INK, linewidth=1.1)
        if abs(row.printed - row.corrected) > 1e-9:
            axes.loglog(span, begin * (span / first) ** -row.printed, ":", color=color, linewidth=1.6)
    axes.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
    axes.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
    axes.legend(loc="lower left")
    axes.set(xlabel=r"$\eta t$", ylabel=r"$N (L_N - L_\infty)$, $N \to \infty$")
