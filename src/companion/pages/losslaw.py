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
from companion.claims import EXTREMES, SLOPE, Claim, Measurement, Tolerance, bounded, judged
from companion.legible import ON_PICTURE
from companion.long_runs import LongRun
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks, width_color
from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.runs import OrderRun
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw, Spectrum
from neural_scaling.theory import PowerTerm, Version, chi, loss_terms, model_bottleneck, step_of_modes

VERSIONS: tuple[Version, ...] = ("paper", "corrected")
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
    ratio: dict[Version, Array] = {}
    for version in VERSIONS:
        curves = list(zip(run.widths, run.noises, strict=True))
        terms = loss_terms(alpha, beta, rich, version)
        columns = np.stack([np.stack([_term(term, time, *curve) for curve in curves]) for term in terms])
        scaled = (columns / loss).reshape(len(terms), -1).T
        size = np.sqrt(np.mean(scaled**2, axis=0))
        found, _ = nnls(scaled / size, np.ones(scaled.shape[0]))
        ratio[version] = loss / np.tensordot(found / size, columns, axes=1)
    return Law(run, rich, time, loss, ratio)


def _term(term: PowerTerm, time: Array, width: float, noise: float) -> Array:
    if noise == 0 and term.B_exponent:
        return np.zeros_like(time)
    return np.asarray(term(time, width, 1.0, noise or 1.0), dtype=np.float64)


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
        run = one.run
        clean = [i for i, noise in enumerate(run.noises) if noise == 0 and math.isfinite(run.widths[i])]
        modes = PowerLaw(run.alpha, run.beta).quadrature(4 * (3 * max(run.widths[i] for i in clean)) ** run.alpha)
        # The slowest of N modes needs a time of about N^alpha.
        done = [i for i in clean if 30 * run.widths[i] ** run.alpha < plan.end]
        found += [one.loss[i, -1] / model_bottleneck(modes, run.widths[i]) for i in done]
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


def last_ratios(heads: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Return the ratios of losses at the last time, by target."""
    rows = [(power, head.lazy.iloc[-1], head.rich.iloc[-1]) for power, head in heads.items()]
    return pd.DataFrame(rows, columns=["power", "lazy", "rich"])


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
    worst = float(found[np.argmax(np.abs(found - 1))])
    return [
        judged(
            plan,
            "losslaw.end",
            "eqs. 8, 9",
            "The end of training at finite width does not depend on richness and is the residual of a projection.",
            "last loss of the long runs over the deterministic equivalent, worst and extremes",
            1.0,
            Measurement.of(worst, (float(found.min()), float(found.max())), meaning=EXTREMES),
            "theory",
            END,
        )
    ]


def constant_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that easy tasks gain a constant and no exponent, all of them together."""
    moved = found.early / found.late
    ends, moves = ((float(values.min()), float(values.max())) for values in (found.late, moved))
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
            Measurement.of(ends[1], ends, window, meaning=EXTREMES),
            "theory",
        ),
        judged(
            plan,
            "losslaw.constant.level",
            "section 6, eq. 9",
            "For beta > 1 feature learning gains no exponent: rich and lazy losses end parallel.",
            f"ratio of rich to lazy loss a decade before the last time over that at it, worst of {across}",
            1.0,
            Measurement.of(max(moves, key=lambda one: abs(one - 1)), moves, window, meaning=EXTREMES),
            "theory",
            LEVEL,
        ),
    ]


def order_claims(plan: Plan, found: pd.DataFrame, heads: Mapping[float, pd.DataFrame]) -> list[Claim]:
    """Return the claim that models keep the order of their exponents, and what was found about the order of their losses."""
    sources = np.linspace(0.0, 3.0, 3001)[1:]
    slopes = np.diff(chi(sources)) / np.diff(sources)
    claims = [
        bounded(
            plan,
            "losslaw.order.exponents",
            "section 6, eq. 10",
            "The model with the larger lazy exponent has the larger rich exponent: chi increases with beta.",
            "smallest slope of chi between neighbours of a grid of 3000 sources up to 3",
            "above",
            0.0,
            Measurement.exact(float(slopes.min())),
            "algebra",
        )
    ]
    last = plan.order_eta * plan.order_steps
    claims += [
        bounded(
            plan,
            f"losslaw.order.{_kind(row.power)}",
            "section 6",
            f"Found here: losses need not keep their order from lazy to rich, {_kind(row.power)} target.",
            f"share of {row.pairs} pairs of random models whose losses change order, eta t = {last:.3g}",
            "above",
            0.0,
            Measurement.of(row.share, row.interval, meaning="95 % interval, models resampled"),
            "theory",
            seeds=plan.models,
            runs=[run],
            note=f"{row.reversed} pairs with differences above 2 % both ways; rank correlation {row.tau:.2f}",
            needs="more random models",
        )
        for row, run in zip(found.itertuples(), plan.orders(), strict=True)
    ]
    for power, head in heads.items():
        measured = Measurement.exact(float(head.rich.iloc[-1]))
        # Where both have learned everything they differ in, ratios are 1 up to rounding.
        if (head.lazy > 1 + 1e-9).any():
            measured = Measurement.none("the model ahead is not lazily better at all times")
        claims.append(
            bounded(
                plan,
                f"losslaw.head-start.{_kind(power)}",
                "section 6",
                f"Found here: a model that is lazily better at all times can be worse when rich, {_kind(power)} target.",
                "rich loss of the model ahead over the other at the last time",
                "above",
                1.0,
                measured,
                "theory",
                note="what is learned sooner drives the kernel less: the model ahead ends with the smaller kernel",
                needs="a pair of which one is lazily better at all times",
            )
        )
    return claims


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


def _kind(power: float) -> str:
    return "hard" if power < 1 else "easy"


def ratio_figure(found: pd.DataFrame) -> Figure:
    """Draw the largest factor between solution and law over the tasks."""
    capacities, sources = (sorted(set(found[name])) for name in ("alpha", "beta"))
    largest = float(found[["printed", "corrected"]].to_numpy().max())
    top = math.log(max(largest, 1.1))
    with book_style():
        figure = new_figure(1.9 + 1.5 * len(capacities))
        grid = figure.subplots(2, 2, sharex=True, sharey=True)
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
    with book_style():
        figure = new_figure(4.3 * len(laws))
        for axes, one, letter in zip(np.atleast_1d(figure.subplots(len(laws), 1)), laws, "abcdef", strict=False):
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


def order_figure(
    plan: Plan, results: Mapping[Experiment, Result], found: pd.DataFrame, heads: Mapping[float, pd.DataFrame]
) -> Figure:
    """Draw lazy against rich losses of random models of the first target, and the ratios of the constructed pairs."""
    arrays = results[plan.orders()[0]].arrays
    lazy, rich = arrays["lazy"][:, -1], arrays["rich"][:, -1]
    with book_style():
        figure = new_figure(8.4)
        upper, lower = figure.subplots(2, 1)
        upper.loglog(lazy, rich, "o", color=INK, markersize=4.5)
        if found.example[0] is not None:
            pair = list(found.example[0])
            ringed = {"markerfacecolor": "none", "markersize": 11, "linewidth": 1.4}
            upper.loglog(lazy[pair], rich[pair], "o-", color=RICH, **ringed)
        for axis in (upper.xaxis, upper.yaxis):
            plain_ticks(axis)
        upper.set(xlabel="lazy loss", ylabel="rich loss")
        upper.set(title=f"(a) random models, hard target, $\\eta t = {arrays['time'][-1]:.3g}$")
        for (power, head), style in zip(heads.items(), ("-", "--"), strict=False):
            lower.semilogx(head.time, head.lazy, style, color=LAZY, label=f"{_kind(power)}, lazy")
            lower.semilogx(head.time, head.rich, style, color=RICH, label=f"{_kind(power)}, rich")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set(xlabel=r"$\eta t$", ylabel="loss of the model ahead / other")
        lower.set(title="(b) first eight eigenvalues doubled")
        lower.legend(loc="lower right")
    return figure
