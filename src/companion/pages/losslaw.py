"""The loss law as a whole: four terms against long solutions over tasks, and what the discussion draws from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import nnls

from companion.agreement import LOSS
from companion.claims import SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.legible import ON_PICTURE
from companion.long_runs import LongRun
from companion.parameters import Parameters
from companion.style import INK, drawing, width_color
from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.runs import OrderRun
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw, Spectrum
from neural_scaling.theory import Version, chi, loss_terms, model_bottleneck, step_of_modes
from neural_scaling.theory.loss_law import VERSIONS

#: Largest factor between solution and law where four powers describe the loss.
FACTOR = 2.0
#: Agreement of the end of long runs with the deterministic equivalent.
END = Tolerance(0.02, "ratios of solved equations: 2 %, above the error of the solver")
#: Constancy of a ratio of losses in the last decade.
LEVEL = Tolerance(0.05, "ratios of losses: 5 %, less than a gain of 0.03 in the exponent makes in a decade")
#: Numbers of modes of the test with another spectrum, half as many parameters and samples per batch, and its simulations.
SIZES, SEEDS = (32, 64, 128, 256), 48


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def tasks(self) -> list[tuple[float, float]]:
        """Return all pairs of capacity and source."""
        return list(itertools.product(self.capacities, self.sources))

    def long(self, alpha: float, beta: float, rich: bool) -> LongRun:
        """Return the long run of one task: the limit, every width, then with noise."""
        widths = (math.inf, *map(float, self.widths), *map(float, self.noisy_widths))
        noises = (0.0,) * (1 + len(self.widths)) + (self.noise,) * len(self.noisy_widths)
        return LongRun(alpha, beta, self.gamma if rich else 0.0, self.end, widths, noises)

    def orders(self) -> list[OrderRun]:
        """Return the runs of the ordering test."""
        common = (self.models, self.order_modes, self.order_gamma, self.order_eta, self.order_steps, 0)
        return [OrderRun(power, *common) for power in self.powers]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [*(self.long(*task, rich) for task in self.tasks() for rich in (False, True)), *self.orders()]


@dataclass(frozen=True)
class Law:
    """The law beside the solution of one task, lazy or rich."""

    run: LongRun
    rich: bool
    time: Array  # eta * steps from ten learned modes on, shape (T,)
    loss: Array  # solution, shape (curves, T)
    ratio: dict[Version, Array]  # solution over fitted law, by version, shape (curves, T)

    def worst(self, version: Version) -> float:
        """Return the largest factor by which solution and law differ."""
        return float(np.exp(np.max(np.abs(np.log(self.ratio[version])))))


def law(plan: Plan, alpha: float, beta: float, rich: bool, results: Mapping[Experiment, Result]) -> Law:
    """Fit the four coefficients of the law, printed and corrected, to the solution of one task.

    The four constants of either version are free and not negative; they are chosen by least squares of the relative difference
    over all curves and times, which are evenly spaced in the logarithm. What is compared is therefore the powers.
    """
    run = plan.long(alpha, beta, rich)
    arrays = results[run].arrays
    kept = arrays["time"] >= step_of_modes(alpha, beta, run.gamma, 1.0, 10.0)
    time, loss = arrays["time"][kept], arrays["loss"][:, kept]
    widths = np.array(run.widths)[:, None]
    batches = np.array([1 / noise if noise else math.inf for noise in run.noises])[:, None]  # at eta = 1
    ratio: dict[Version, Array] = {}
    for version in VERSIONS:
        columns = np.stack([term(time, widths, batches) for term in loss_terms(alpha, beta, rich, version)])
        scaled = (columns / loss).reshape(len(columns), -1).T
        size = np.sqrt(np.mean(scaled**2, axis=0))
        found, _ = nnls(scaled / size, np.ones(scaled.shape[0]))
        ratio[version] = loss / np.tensordot(found / size, columns, axes=1)
    return Law(run, rich, time, loss, ratio)


def comparison(plan: Plan, laws: Sequence[Law]) -> pd.DataFrame:
    """Return for every task the largest factor of either law, and the exponent of the limit of infinite width without noise."""
    window = (plan.end / 10**plan.fit_decades, plan.end)
    rows = []
    for one in laws:
        alpha, beta = one.run.alpha, one.run.beta
        fitted = Measurement.exponent(fit_power_law(one.time, one.loss[0], window)).columns()
        factors = [one.worst(version) for version in VERSIONS]
        rows.append((alpha, beta, "rich" if one.rich else "lazy", *factors, float(chi(beta, rich=one.rich)), *fitted))
    names = ["alpha", "beta", "regime", "printed", "corrected", "predicted", "exponent", "interval", "window"]
    return pd.DataFrame(rows, columns=names)


def ends(plan: Plan, laws: Sequence[Law]) -> Array:
    """Return last losses over the deterministic equivalent, of every finite width without noise that has reached its end."""
    found = []
    for one in laws:
        modes = PowerLaw(one.run.alpha, one.run.beta)
        for width, noise, last in zip(one.run.widths, one.run.noises, one.loss[:, -1], strict=True):
            # The slowest of N modes needs a time of about N^alpha.
            if noise == 0 and 30 * width**modes.alpha < plan.end:
                found.append(last / model_bottleneck(modes, width))
    return np.array(found)


def constants(laws: Sequence[Law]) -> pd.DataFrame:
    """Return the rich over the lazy limiting loss of every task with beta > 1, a decade before the last time and at it."""
    rows = []
    for rich in (one for one in laws if one.rich and one.run.beta > 1):
        task = (rich.run.alpha, rich.run.beta)
        lazy = next(one for one in laws if not one.rich and (one.run.alpha, one.run.beta) == task)
        last = min(rich.time[-1], lazy.time[-1])
        at = np.log([last / 10, last])
        early, late = np.divide(*(np.exp(np.interp(at, np.log(one.time), np.log(one.loss[0]))) for one in (rich, lazy)))
        rows.append((*task, early, late, (float(rich.time[-1] / 10), float(rich.time[-1]))))
    return pd.DataFrame(rows, columns=["alpha", "beta", "early", "late", "window"])


def exponential(plan: Plan) -> pd.DataFrame:
    """Compare theory and simulation of a spectrum and a target that are no power laws, at sizes that grow in proportion.

    The eigenvalues fall exponentially from 1 to 1/500 and the target has the same variance in every mode. ``ratio`` is the loss
    over the theory, averaged over log steps, the mean over seeds with its interval; ``spread`` is its relative scatter.
    """
    eta, steps, rows = 0.1, 100, []
    for modes in SIZES:
        values = 500.0 ** -(np.arange(modes) / modes)
        spectrum, half = Spectrum(values, np.sqrt(1 / (modes * values))), modes // 2
        theory = dmft.solve(spectrum, plan.gamma, dmft.TimeGrid.unit_steps(eta, steps), width=half, batch=half).loss
        losses = simulate(spectrum, half, eta, plan.gamma, steps, range(SEEDS), batch=half).loss
        weights = 1 / np.arange(1, steps + 1)
        ratios = (losses / theory)[:, 1:] @ weights / weights.sum()
        found = Measurement.mean_of(ratios)
        rows.append((modes, half, half, found.value, found.interval, float(ratios.std(ddof=1))))
    return pd.DataFrame(rows, columns=["modes", "width", "batch", "ratio", "interval", "spread"])


def limit_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents at infinite width and batch, the worst over the capacities."""
    claims = []
    for (regime, beta), rows in found.groupby(["regime", "beta"], sort=False):
        worst = rows.loc[(rows.exponent - rows.predicted).abs().idxmax()]
        lows, highs = zip(*rows.interval, strict=True)
        meaning = f"{SLOPE}, all capacities together"
        measured = Measurement.of(worst.exponent, (min(lows), max(highs)), worst.window, meaning=meaning)
        claims.append(
            judged(
                plan,
                f"losslaw.limit.{regime}.beta-{beta:g}",
                f"eqs. 10, {'8' if regime == 'lazy' else '9'}",
                f"At infinite width and batch the {regime} loss falls as t^-{worst.predicted:.3g} at any capacity, "
                f"beta = {beta:g}.",
                f"exponent in eta t, worst of alpha = {', '.join(f'{alpha:g}' for alpha in rows.alpha)}, window in eta t",
                worst.predicted,
                measured,
                "theory",
                runs=[plan.long(alpha, beta, regime == "rich") for alpha in rows.alpha],
                needs="a longer run: the power is still being approached when the window ends",
            )
        )
    return claims


def sum_claims(plan: Plan, laws: Sequence[Law]) -> list[Claim]:
    """Return the claims that four powers describe the loss at all times, widths and batches, lazy and rich."""
    versions = ((VERSIONS[0], "", "as printed"), (VERSIONS[1], ".corrected", "as corrected here"))
    claims = []
    for kind, (version, name, whose) in itertools.product(("lazy", "rich"), versions):
        chosen = [one for one in laws if one.rich == (kind == "rich")]
        worst, time = max(one.worst(version) for one in chosen), chosen[0].time
        claims.append(
            bounded(
                plan,
                f"losslaw.sum.{kind}{name}",
                "eq. 9" if kind == "rich" else "eq. 8",
                f"Four powers {whose}, with free constants, describe the {kind} loss at all times, widths and batches.",
                f"largest factor between solution and law {whose}, over all tasks and curves, window in eta t",
                "below",
                FACTOR,
                Measurement.of(worst, (worst, worst), (float(time[0]), float(time[-1])), meaning="the largest of all"),
                "theory",
                runs=[one.run for one in chosen],
                note="a sum of two terms is off by up to 2 where they cross; a wrong power is off by more and more",
            )
        )
    return claims


def end_claims(plan: Plan, found: Array) -> list[Claim]:
    """Return the claim about the end of training at finite width, where a run has reached it."""
    if not found.size:
        return []
    return [
        judged(
            plan,
            "losslaw.end",
            "eqs. 8, 9",
            "The end of training at finite width does not depend on richness and is the residual of a projection.",
            "last loss of the long runs over the deterministic equivalent, worst and extremes",
            1.0,
            Measurement.farthest_of(found, 1.0),
            "theory",
            END,
        )
    ]


def constant_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that easy tasks gain a constant and no exponent, all of them together."""
    window = found.window.iloc[0]
    across = f"gamma = {plan.gamma:g}, all tasks with beta > 1, window in eta t"
    return [
        bounded(
            plan,
            "losslaw.constant",
            "section 4, eq. 11",
            "For beta > 1 feature learning lowers the loss by a constant.",
            f"rich over lazy loss at the last time, largest of {across}",
            "below",
            1.0,
            Measurement.among(found.late, found.late.max(), window),
            "theory",
        ),
        judged(
            plan,
            "losslaw.constant.level",
            "section 6, eq. 9",
            "For beta > 1 feature learning gains no exponent: rich and lazy losses end parallel.",
            f"ratio of rich to lazy loss a decade before the last time over that at it, worst of {across}",
            1.0,
            Measurement.farthest_of(found.early / found.late, 1.0, window),
            "theory",
            LEVEL,
        ),
    ]


def spectrum_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that the theory holds for any spectrum, and exactly in the proportional limit."""
    last = found.iloc[-1]
    error = found.spread / math.sqrt(2 * (SEEDS - 1))
    fit = fit_power_law(found.modes.astype(float), found.spread, sigma=error)
    common = f"exponential spectrum, gamma = {plan.gamma:g}, N = B = M/2"
    return [
        judged(
            plan,
            "losslaw.any-spectrum",
            "section 3",
            "The theory gives the mean loss for spectra and targets that are no power laws.",
            f"simulated mean over theory, averaged over log steps, {common}, M = {last.modes}",
            1.0,
            Measurement.of(last.ratio, last.interval, meaning="95 % interval of the mean over seeds"),
            "simulation",
            LOSS,
            seeds=SEEDS,
        ),
        bounded(
            plan,
            "losslaw.proportional",
            "footnote 2",
            "With N/M and B/M fixed, fluctuations of the loss vanish as the sizes grow.",
            f"decay exponent in M of the scatter of the loss over seeds, {common}, window in M",
            "above",
            0.0,
            Measurement.exponent(fit),
            "simulation",
            seeds=SEEDS,
        ),
    ]


def ratio_figure(found: pd.DataFrame) -> Figure:
    """Draw the largest factor between solution and law over the tasks."""
    capacities, sources = (sorted(set(found[name])) for name in ("alpha", "beta"))
    largest = float(found[["printed", "corrected"]].to_numpy().max())
    top = math.log(max(largest, 1.1))
    with drawing(1.9 + 1.5 * len(capacities), 2, 2, sharex=True, sharey=True) as (figure, grid):
        for line, regime in zip(grid, ("lazy", "rich"), strict=True):
            for axes, version in zip(line, ("printed", "corrected"), strict=True):
                table = found[found.regime == regime].pivot_table(version, "alpha", "beta")
                values = table.reindex(index=capacities, columns=sources).to_numpy()
                shown = axes.imshow(np.log(values), origin="lower", aspect="auto", cmap="cividis_r", vmin=0, vmax=top)
                for i, j in np.ndindex(values.shape):
                    dark = math.log(values[i, j]) > 0.55 * top
                    text = f"{values[i, j]:.2f}" if values[i, j] < 9.95 else f"{values[i, j]:.0f}"
                    axes.text(j, i, text, ha="center", va="center", fontsize=11, color=ON_PICTURE[dark])
                axes.set_xticks(range(len(sources)), [f"{beta:g}" for beta in sources])
                axes.set_yticks(range(len(capacities)), [f"{alpha:g}" for alpha in capacities])
                axes.set_title(f"{regime}, {'as ' if version == 'printed' else ''}{version}")
                axes.spines[:].set_visible(False)
                axes.tick_params(length=0)
            line[0].set_ylabel(r"capacity $\alpha$")
        for axes in grid[1]:
            axes.set_xlabel(r"source $\beta$")
        bar = figure.colorbar(shown, ax=grid, shrink=0.7)
        ticks = [value for value in (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000) if value <= largest * 1.05]
        bar.set_ticks([math.log(value) for value in ticks], labels=[f"{value:g}" for value in ticks])
        bar.set_label("largest factor")
    return figure


def curves_figure(laws: Sequence[Law]) -> Figure:
    """Draw the solution with both laws for a few tasks."""
    with drawing(4.3 * len(laws), len(laws)) as (figure, sheet):
        for axes, one, letter in zip(sheet, laws, "abcdef", strict=False):
            for i, (width, noise) in enumerate(zip(one.run.widths, one.run.noises, strict=True)):
                if noise:
                    continue
                color = width_color(width)
                name = r"$N = \infty$" if math.isinf(width) else f"$N = {width:g}$"
                axes.loglog(one.time, one.loss[i], color=color, label=name)
                axes.loglog(one.time, one.loss[i] / one.ratio["corrected"][i], "--", color=color, linewidth=1.2)
                axes.loglog(one.time, one.loss[i] / one.ratio["paper"][i], ":", color=color, linewidth=1.6)
            axes.plot([], [], "--", color=INK, linewidth=1.2, label="corrected law")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed law")
            kind = "rich" if one.rich else "lazy"
            axes.set(title=rf"({letter}) {kind}, $\alpha = {one.run.alpha:g}$, $\beta = {one.run.beta:g}$")
            axes.set(xlabel=r"$\eta t$", ylabel="loss")
            axes.legend(loc="lower left")
    return figure
