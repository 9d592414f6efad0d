"""The SGD term: what a finite batch adds to the loss, lazy and rich, hard and easy."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from companion.agreement import log_average
from companion.claims import MEAN, SLOPE, Claim, Measurement, Tolerance, bounded, judged, of_exponent
from companion.long_runs import LongRun, Task
from companion.parameters import Parameters
from companion.style import CASES, INK, MUTED, drawing
from companion.wear import wear
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi, lazy_loss, lazy_sgd_loss, noise_coefficient, regime, sgd_exponent

#: Agreement of the exact lazy ratio of losses with its limit.
CONSTANT = Tolerance(0.02, "ratios of solved equations: 2 %, since the limit is approached as long as one iterates")


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def long(self, alpha: float, beta: float) -> LongRun:
        """Return the long rich run of one task, without and with noise."""
        return LongRun(alpha, beta, self.gamma, self.rich_end, (math.inf, math.inf), (0.0, self.rich_noise))

    def simulated(self, batch: float) -> tuple[OnlineDMFTRun, ToyModelRun]:
        """Return theory and simulation at one batch."""
        common = (self.sim_alpha, self.sim_beta, self.sim_modes, self.sim_eta, self.gamma, self.sim_steps)
        return (
            OnlineDMFTRun(*common, width=self.sim_width, batch=batch),
            ToyModelRun(*common, width=self.sim_width, batch=batch, seeds=self.sim_seeds),
        )

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        long = [self.long(*task) for task in self.rich_tasks]
        return [*long, *self.simulated(math.inf), *self.simulated(self.sim_batch)]


@dataclass(frozen=True)
class Noise(Task):
    """What noise adds to the loss of one task; lazy at first order in eta/B, in units of it."""

    # time, added, relative: eta * steps, L_B - L_inf, and the same over L_inf, each of shape (T,)
    time: Array
    added: Array
    relative: Array
    # kernel, predicted: scale K of the kernel, and (eta/B) K sum_k lambda_k / 2, each of shape (T,)
    kernel: Array
    predicted: Array
    fit: PowerLawFit  # decay exponent of added


def lazy_noise(plan: Plan) -> list[Noise]:
    """Evaluate the exact lazy coefficient of eta/B for every task."""
    time = np.geomspace(1.0, plan.lazy_end, 6 * math.ceil(math.log10(plan.lazy_end)) + 1)
    ones = np.ones(time.size)
    found = []
    for alpha, beta in plan.tasks:
        modes = PowerLaw(alpha, beta).quadrature(4 * plan.lazy_end)
        added = noise_coefficient(modes, time)
        fit = fit_power_law(time, added, plan.lazy_window)
        relative = added / lazy_loss(modes, time)
        found.append(Noise(alpha, beta, time, added, relative, ones, ones * modes.trace / 2, fit))
    return found


def rich_noise(plan: Plan, results: Mapping[Experiment, Result]) -> list[Noise]:
    """Take what noise adds from the long rich runs."""
    found = []
    for alpha, beta in plan.rich_tasks:
        arrays = results[plan.long(alpha, beta)].arrays
        kept = arrays["time"] > 0
        time, base = arrays["time"][kept], arrays["loss"][0, kept]
        relative = arrays["loss"][1, kept] / base - 1
        kernel = 1 + plan.gamma * arrays["weight_norm"][0, kept]
        predicted = plan.rich_noise * kernel * PowerLaw(alpha, beta).quadrature(1e3).trace / 2
        added, inside = relative * base, _inside(plan, time)
        fit = fit_power_law(time[inside], added[inside])
        found.append(Noise(alpha, beta, time, added, relative, kernel, predicted, fit))
    return found


def _inside(plan: Plan, time: Array) -> npt.NDArray[np.bool_]:
    first, last = plan.rich_window
    return np.asarray((time >= first) & (time <= last))


def exponents(found: Sequence[Noise], rich: bool) -> pd.DataFrame:
    """Return the decay exponents of ``L_B - L_inf``: printed, corrected and fitted."""
    rows = []
    for one in found:
        task = (one.alpha, one.beta)
        printed, corrected = sgd_exponent(*task, rich, "paper"), sgd_exponent(*task, rich, "corrected")
        rows.append((*task, regime(*task), printed, corrected, *Measurement.exponent(one.fit).columns()))
    names = ["alpha", "beta", "regime", "printed", "corrected", "exponent", "interval", "window"]
    return pd.DataFrame(rows, columns=names)


def growth(plan: Plan, found: Sequence[Noise]) -> pd.DataFrame:
    """Return how the relative excess of rich tasks grows in time, and for hard tasks how it depends on the kernel's scale K.

    ``kernel`` is its decay exponent in K, -1 where it is proportional to K; a kernel that settles gives nothing to fit against.
    ``lowest``, ``highest`` and ``last`` are the excess over (eta/B) K sum_k lambda_k / 2, in the window and at its end.
    """
    rows = []
    for one in found:
        inside = _inside(plan, one.time)
        excess = one.relative[inside]
        grown = Measurement.exponent(fit_power_law(one.time[inside], excess), grows=True).columns()
        ratio = excess / one.predicted[inside]
        predicted = float(chi(one.beta)) - sgd_exponent(one.alpha, one.beta, True, "corrected")
        kernel = Measurement.exponent(fit_power_law(one.kernel[inside], excess) if one.beta < 1 else None).columns()
        ratios = (float(ratio.min()), float(ratio.max()), float(ratio[-1]), scale_prefactor(one.beta))
        rows.append((one.alpha, one.beta, predicted, *grown, *kernel, *ratios))
    names = ["alpha", "beta", "predicted", "exponent", "interval", "window"]
    names += ["kernel", "kernel_interval", "kernel_window", "lowest", "highest", "last", "scale_only"]
    return pd.DataFrame(rows, columns=names)


def exact_ratios(plan: Plan) -> pd.DataFrame:
    """Return the exact lazy loss over that at infinite batch: a row for each step, a column for each batch."""
    modes = PowerLaw(plan.exact_alpha, plan.exact_beta).quadrature(4 * plan.exact_eta * plan.exact_steps)
    steps = log_spaced_steps(plan.exact_steps)
    losses = {
        batch: lazy_sgd_loss(modes, plan.exact_eta, batch, plan.exact_steps)[steps.astype(int)]
        for batch in (math.inf, *plan.exact_batches)
    }
    return pd.DataFrame({batch: losses[batch] / losses[math.inf] for batch in plan.exact_batches}, index=steps)


def exact_limits(plan: Plan, ratios: pd.DataFrame) -> pd.DataFrame:
    """Return the last ratio of every batch, its limit 1/(1 - s) and the first order in eta/B."""
    modes = PowerLaw(plan.exact_alpha, plan.exact_beta).quadrature(4 * plan.exact_eta * plan.exact_steps)
    rows = []
    for batch in plan.exact_batches:
        limit = 1 / (1 - mean_square_stability(modes, plan.exact_eta, batch))
        rows.append((batch, ratios[batch].iloc[-1], limit, 1 + plan.exact_eta / batch * modes.trace / 2))
    return pd.DataFrame(rows, columns=["batch", "ratio", "limit", "first_order"])


def scale_prefactor(beta: float) -> float:
    """Return the factor c of a rich hard task when only the scale of the kernel is kept.

    Noise acts directly (1) and by damping the growth of the kernel (the rest).
    """
    m = 2 / (1 + beta)
    feedback = beta * m / (2 * m - 1)
    return 1 + feedback / (2**beta - 1) / (2 + feedback)


def simulated(plan: Plan, results: Mapping[Experiment, Result], bins: int = 6) -> pd.DataFrame:
    """Compare simulated and theoretical relative excess, in bins of the logarithm of time, eta * steps.

    A simulation at finite batch and the one at infinite batch share A(0) seed by seed: their difference is free of most of its
    noise. ``excess`` is the mean over seeds and times in the bin of ``(L_B - L_inf) / <L_inf>``.
    """
    (theory_inf, run_inf), (theory_fin, run_fin) = plan.simulated(math.inf), plan.simulated(plan.sim_batch)
    step = results[run_inf].arrays["step"]
    base = results[run_inf].arrays["loss"].astype(np.float64)
    per_seed = (results[run_fin].arrays["loss"].astype(np.float64) - base) / base.mean(axis=0)
    theory = results[theory_fin].arrays["loss"] / results[theory_inf].arrays["loss"] - 1
    edges = np.geomspace(max(1.0 / plan.sim_eta, 2.0), plan.sim_steps, bins + 1)
    rows = []
    for low, high in itertools.pairwise(edges):
        inside = (step >= low * (1 - 1e-9)) & (step <= high * (1 + 1e-9))
        values = log_average(per_seed[:, inside], step[inside])
        found, error = Measurement.mean_of(values), float(values.std(ddof=1) / math.sqrt(values.size))
        expected = float(log_average(theory[inside], step[inside]))
        rows.append((plan.sim_eta * math.sqrt(low * high), found.value, error, found.interval, expected))
    return pd.DataFrame(rows, columns=["time", "excess", "error", "interval", "theory"])


def plateau(plan: Plan) -> pd.DataFrame:
    """Return the norm of the readout on a plateau, in theory and simulation."""
    law = PowerLaw(1.5, 0.8, plan.plateau_modes)
    where = (plan.plateau_width, plan.plateau_batch, plan.plateau_times, plan.plateau_seeds)
    return wear(law, plan.gamma, plan.sim_eta, *where)


def term_claims(plan: Plan, found: pd.DataFrame, rich: bool) -> list[Claim]:
    """Return the claims about the power with which the term of SGD falls."""
    kind, power = ("rich", "t^-((2 - 1/alpha) m)") if rich else ("lazy", "t^-(2 - 1/alpha)")
    return [
        judged(
            plan,
            f"sgdnoise.{kind}.alpha-{row.alpha:g}.beta-{row.beta:g}",
            "eq. 9" if rich else "eq. 8",
            f"The SGD term of the {kind} {row.regime} task, alpha = {row.alpha:g}, beta = {row.beta:g}, falls as {power}.",
            "decay exponent of L_B - L_inf at first order in eta/B, against eta t",
            row.printed,
            Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE),
            "theory",
            corrected=row.corrected,
            runs=[plan.long(row.alpha, row.beta)] if rich else (),
        )
        for row in found.itertuples()
    ]


def appendix_claims(plan: Plan, lazy: pd.DataFrame, rich: pd.DataFrame) -> list[Claim]:
    """Return the claims about the SGD term as Appendix F.2 prints it, for super-easy tasks, where eqs. 8 and 9 are right."""
    return [
        judged(
            plan,
            f"sgdnoise.appendix.{kind}",
            "eqs. 82, 83",
            f"The SGD term of the {kind} super-easy task, alpha = {row.alpha:g}, beta = {row.beta:g}, "
            "falls as t^-(1 - 1/alpha).",
            "decay exponent of L_B - L_inf at first order in eta/B, against eta t",
            1 - 1 / row.alpha,
            Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE),
            "theory",
            corrected=row.corrected,
            runs=[plan.long(row.alpha, row.beta)] if kind == "rich" else (),
            note="the correction is what eqs. 8 and 9 print",
        )
        for found, kind in ((lazy, "lazy"), (rich, "rich"))
        for row in found[found.regime == "super-easy"][-1:].itertuples()
    ]


def growth_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the noise of hard tasks grows with the kernel and that it is insignificant."""
    claims = []
    for row in found[found.beta < 1].itertuples():
        claims += [
            judged(
                plan,
                f"sgdnoise.growth.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "section 6",
                "The relative excess by SGD noise of a rich hard task is proportional to (eta/B) K(t), which grows "
                f"(alpha = {row.alpha:g}, beta = {row.beta:g}).",
                "decay exponent of the relative excess in K (-1: proportional), window in K",
                -1.0,
                Measurement.of(row.kernel, row.kernel_interval, row.kernel_window, meaning=SLOPE),
                "theory",
                runs=[plan.long(row.alpha, row.beta)],
                note=f"at the end it is {row.last:.2f} times (eta/B) K sum_k lambda_k / 2, "
                f"{row.lowest:.2f} to {row.highest:.2f} times in the window",
            ),
            bounded(
                plan,
                f"sgdnoise.insignificant.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "section 6",
                "SGD noise has no impact on the scaling of hard tasks that feature learning improves: its share in the loss "
                f"falls (alpha = {row.alpha:g}, beta = {row.beta:g}).",
                f"growth exponent of the relative excess in eta t, eta/B = {plan.rich_noise:g} (negative: it falls)",
                "below",
                0.0,
                Measurement.of(row.exponent, row.interval, row.window, meaning=SLOPE),
                "theory",
                of_exponent(row.predicted, "theory"),
                corrected=row.predicted,
                runs=[plan.long(row.alpha, row.beta)],
                note="what the paper says holds while (eta/B) K sum_k lambda_k / 2 << 1",
            ),
        ]
    return claims


def constant_claim(plan: Plan, exact: pd.DataFrame) -> Claim:
    """Return the claim that a lazy hard task pays a constant factor for a finite batch."""
    return judged(
        plan,
        "sgdnoise.lazy.constant",
        "eq. 8",
        "Lazy and hard, a finite batch multiplies the loss by a constant, 1/(1 - s), at any stable learning rate.",
        "exact loss ratio over 1/(1 - s) at the last step, the worst batch and the extremes",
        1.0,
        Measurement.farthest_of(exact.ratio / exact.limit, 1.0),
        "theory",
        CONSTANT,
    )


def simulation_claim(plan: Plan, found: pd.DataFrame) -> Claim:
    """Return the claim that the simulated relative excess grows."""
    first, last = found.iloc[0], found.iloc[-1]
    rise, half = last.excess - first.excess, NORMAL_95 * math.hypot(last.error, first.error)
    return bounded(
        plan,
        "sgdnoise.simulation.growth",
        "section 6",
        "Found here: in simulation the relative excess of a rich hard task grows with time.",
        "relative excess in the last bin of time minus that in the first, window in eta t",
        "above",
        0.0,
        Measurement.of(rise, (rise - half, rise + half), (first.time, last.time), meaning=MEAN),
        "simulation",
        seeds=plan.sim_seeds,
        runs=[*plan.simulated(math.inf), *plan.simulated(plan.sim_batch)],
        note=f"the mean field theory rises by {last.theory - first.theory:.2f}",
    )


def lazy_figure(found: Sequence[Noise], table: pd.DataFrame) -> Figure:
    """Draw the exact coefficient of eta/B, and relative to the loss."""
    with drawing(8.8, 2) as (figure, (upper, lower)):
        for one, row, color in zip(found, table.itertuples(), CASES, strict=False):
            upper.loglog(one.time, one.added, color=color, label=f"{one.name} ({row.regime})")
            first, last = row.window
            span = np.geomspace(first, last, 2)
            anchor = float(np.interp(np.log(first), np.log(one.time), np.log(one.added)))
            upper.loglog(span, 1.5 * np.exp(anchor) * (span / first) ** -row.corrected, "--", color=INK, linewidth=1.1)
            if abs(row.printed - row.corrected) > 1e-9:
                upper.loglog(span, np.exp(anchor) * (span / first) ** -row.printed, ":", color=color, linewidth=1.6)
            lower.loglog(one.time, one.relative / one.predicted, color=color)
        upper.plot([], [], "--", color=INK, linewidth=1.1, label="corrected power")
        upper.plot([], [], ":", color=MUTED, linewidth=1.6, label="printed power")
        upper.legend(loc="lower left")
        upper.set(ylabel=r"$(B/\eta)(L_B - L_\infty)$", title=r"(a) coefficient of $\eta/B$")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set(ylim=(0.2, 200), title=r"(b) the same over $L_\infty \sum_k \lambda_k / 2$")
        lower.set(ylabel="relative coefficient")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure


def exact_figure(ratios: pd.DataFrame, limits: pd.DataFrame) -> Figure:
    """Draw the exact ratio of the losses at finite and infinite batch."""
    with drawing(4.4) as (figure, axes):
        for row, color in zip(limits.itertuples(), CASES, strict=False):
            axes.semilogx(ratios.index[1:], ratios[row.batch].iloc[1:], color=color, label=f"$B = {row.batch:g}$")
            axes.axhline(row.limit, color=INK, linewidth=1.1, linestyle="--")
            axes.axhline(row.first_order, color=color, linewidth=1.4, linestyle=":")
        axes.plot([], [], "--", color=INK, linewidth=1.1, label=r"$1/(1-s)$")
        axes.plot([], [], ":", color=MUTED, linewidth=1.4, label="first order")
        axes.set(xlabel="steps", ylabel=r"$L_B / L_\infty$")
        axes.legend(loc="upper right", ncols=2)
    return figure


def rich_figure(plan: Plan, found: Sequence[Noise], simulation: pd.DataFrame) -> Figure:
    """Draw the relative excess of rich tasks, long runs and simulation."""
    with drawing(8.2, 2) as (figure, (upper, lower)):
        for one, color in zip(found, CASES, strict=False):
            if regime(one.alpha, one.beta) == "super-easy":
                continue  # there the noise outgrows the loss by many powers of ten
            upper.loglog(one.time, one.relative / plan.rich_noise, color=color, label=one.name)
            upper.loglog(one.time, one.predicted / plan.rich_noise, "--", color=color, linewidth=1.3)
        upper.plot([], [], "--", color=INK, linewidth=1.3, label=r"$K \sum_k \lambda_k / 2$")
        upper.set(ylabel=r"$(B/\eta)\,(L_B/L_\infty - 1)$", title=r"(a) mean field, small $\eta/B$")
        upper.legend(loc="upper left")
        time, error = simulation.time, NORMAL_95 * simulation.error
        lower.errorbar(time, simulation.excess, error, fmt="o", color=CASES[1], capsize=2, label="simulation")
        lower.semilogx(time, simulation.theory, "--", color=INK, linewidth=1.4, label="mean field")
        lower.set_ylim(bottom=0)
        lower.set_xticks([1, 2, 5, 10, 20, 50], labels=["1", "2", "5", "10", "20", "50"])
        lower.set_xlim(time.iloc[0] / 1.2, time.iloc[-1] * 1.2)
        lower.xaxis.set_minor_formatter(NullFormatter())
        lower.set(ylabel=r"$L_B/L_\infty - 1$", title="(b) simulation")
        lower.legend(loc="upper left")
        for axes in (upper, lower):
            axes.set_xlabel(r"$\eta t$")
    return figure
