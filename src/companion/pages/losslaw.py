"""The loss law as a whole: four terms against long solutions over tasks, and what the discussion draws from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.figure import Figure
from scipy.optimize import nnls

from companion.claims import Claim, Measurement, fact, judged
from companion.long_runs import LongRun
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks, width_color
from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.fits import fit_power_law
from neural_scaling.models.runs import OrderRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw
from neural_scaling.theory import PowerTerm, Version, chi, effective_time, loss_terms, model_bottleneck, step_of_modes

Flags = npt.NDArray[np.bool_]

VERSIONS: tuple[Version, ...] = ("paper", "corrected")
#: Agreement of exponents of the limiting curves: less than half the smallest gap between lazy and rich that is measured.
EXPONENT_TOLERANCE = 0.05
#: Agreement of the end of long runs with the deterministic equivalent, relative: above the error of the solver.
END_TOLERANCE = 0.02
#: Losses closer than this, relative, count as equal when models are ordered.
TIE = 0.02


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
        columns = np.stack([np.stack([_term(term, time, width, noise) for width, noise in curves]) for term in terms])
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


def orders(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Count, on every target, the pairs of models whose order at the last time changes between lazy and rich.

    ``pairs`` are those whose losses differ by more than 2 % lazy and rich, ``reversed`` those among them whose order differs,
    ``share`` their share with its interval, ``tau`` Kendall's rank correlation. ``example`` are the indices (better lazy, worse
    lazy) of the largest reversal, ``lazy`` and ``rich`` the loss of the first over that of the second.
    """
    rows = [_order(run, results[run]) for run in plan.orders()]
    names = ["power", "pairs", "reversed", "tau", "share", "interval", "example", "lazy", "rich"]
    return pd.DataFrame(rows, columns=names)


def _order(run: OrderRun, result: Result) -> tuple[object, ...]:
    lazy, rich = (result.arrays[name][:, -1] for name in ("lazy", "rich"))
    pairs = np.triu_indices(lazy.size, k=1)
    gaps = gap_lazy, gap_rich = [np.log(loss)[pairs[0]] - np.log(loss)[pairs[1]] for loss in (lazy, rich)]
    clear = (np.abs(gap_lazy) > TIE) & (np.abs(gap_rich) > TIE)
    opposite = clear & (np.sign(gap_lazy) != np.sign(gap_rich))
    tau = float(np.mean(np.sign(gap_lazy) * np.sign(gap_rich)))
    count, changed = int(np.count_nonzero(clear)), int(np.count_nonzero(opposite))
    share = changed / max(count, 1)
    interval = _share_interval(share, clear, opposite, lazy.size)
    example, ratios = None, (math.nan, math.nan)
    if changed:
        pick = int(np.argmax(np.where(opposite, np.min(np.abs(gaps), axis=0), 0)))
        first, second = int(pairs[0][pick]), int(pairs[1][pick])
        example = a, b = (first, second) if gap_lazy[pick] < 0 else (second, first)
        ratios = (float(lazy[a] / lazy[b]), float(rich[a] / rich[b]))
    return run.power, count, changed, tau, share, interval, example, *ratios


def _share_interval(share: float, clear: Flags, opposite: Flags, models: int, draws: int = 1000) -> tuple[float, float]:
    """Return the 95 % interval from resampling models: pairs that share a model are not independent."""
    first, second = np.triu_indices(models, k=1)
    counts = np.random.default_rng(0).multinomial(models, np.full(models, 1 / models), size=draws)
    weights = counts[:, first] * counts[:, second]
    low, high = np.quantile((weights @ opposite) / np.maximum(weights @ clear, 1), (0.025, 0.975))
    return min(float(low), share), max(float(high), share)


def head_start(power: float, gamma: float, alpha: float = 1.5, eta: float = 0.03, steps: int = 5000) -> pd.DataFrame:
    """Double the first eight eigenvalues of a power law and return the losses over those before, lazy and rich, in time.

    No eigenvalue is smaller than before, so the lazy loss is smaller at all times.
    """
    plain = PowerLaw(alpha, power / alpha)
    base = plain.quadrature(4 * float(effective_time(plain.beta, gamma, eta, float(steps))))
    factor = np.where(np.arange(base.nodes.size) < 8, 2.0, 1.0)  # the first nodes are the first modes
    order = np.argsort(-factor * base.nodes, kind="stable")
    # The variance lambda_k (w*_k)^2 of a mode is the target's and stays.
    ahead = ModeQuadrature((factor * base.nodes)[order], base.weights[order], (base.target_weights / factor)[order])
    kept = np.unique(np.geomspace(1, steps, 60).astype(int)).astype(np.float64)
    lazy, rich = (
        np.divide(*(dmft.infinite_limit(modes, eta, richness, steps, record=kept).loss for modes in (ahead, base)))
        for richness in (0.0, gamma)
    )
    return pd.DataFrame({"time": eta * kept, "lazy": lazy, "rich": rich})


def last_ratios(heads: Mapping[float, pd.DataFrame]) -> pd.DataFrame:
    """Return the ratios of losses at the last time, by target."""
    rows = [(power, head.lazy.iloc[-1], head.rich.iloc[-1]) for power, head in heads.items()]
    return pd.DataFrame(rows, columns=["power", "lazy", "rich"])


def limit_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims about the exponents at infinite width and batch."""
    return [
        judged(
            plan,
            f"losslaw.limit.{row.regime}.alpha-{row.alpha:g}.beta-{row.beta:g}",
            "eqs. 8, 9, first term",
            f"At infinite width and batch the {row.regime} loss falls as t^-{row.predicted:.3g}, alpha = {row.alpha:g}, "
            f"beta = {row.beta:g}.",
            "exponent in eta t",
            row.predicted,
            Measurement.of(row.exponent, row.interval, row.window),
            EXPONENT_TOLERANCE,
            doubt="; the power is still being approached when the window ends" if row.regime == "rich" else "",
        )
        for row in found.itertuples()
    ]


def sum_claims(plan: Plan, laws: Sequence[Law]) -> list[Claim]:
    """Return the claims that four powers describe the loss at all times, widths and batches, lazy and rich."""
    found = []
    for rich, kind in ((False, "lazy"), (True, "rich")):
        chosen = [one for one in laws if one.rich == rich]
        printed, corrected = (max(one.worst(version) for one in chosen) for version in VERSIONS)
        found.append(
            fact(
                plan,
                f"losslaw.sum.{kind}",
                "eq. 9" if rich else "eq. 8",
                f"Four powers with free constants describe the {kind} loss at all times, widths and batches.",
                "largest factor between solution and law as printed, over all tasks and curves, window in eta t",
                "corrected" if corrected < math.sqrt(printed) else "inconclusive",
                f"the printed law is off by up to a factor {printed:.2g}, the corrected one by {corrected:.2g}",
                "of order one",
                Measurement(printed, None, (float(chosen[0].time[0]), float(chosen[0].time[-1]))),
            )
        )
    return found


def end_claims(plan: Plan, found: Array) -> list[Claim]:
    """Return the claim about the end of training at finite width, where a run has reached it."""
    if not found.size:
        return []
    worst = float(found[np.argmax(np.abs(found - 1))])
    return [
        judged(
            plan,
            "losslaw.end",
            "eqs. 8, 9, second term",
            "The end of training at finite width does not depend on richness and is the residual of a projection.",
            "last loss of the long runs over the deterministic equivalent, worst and extremes",
            1.0,
            Measurement(worst, (float(found.min()), float(found.max()))),
            END_TOLERANCE,
        )
    ]


def constant_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that easy tasks gain a constant and no exponent."""
    claims = []
    for row in found.itertuples():
        level = row.late < 1 and abs(math.log(row.early / row.late)) < 0.05
        claims.append(
            fact(
                plan,
                f"losslaw.constant.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "section 6, Source Hypothesis",
                "For beta > 1 feature learning gains a constant and no exponent, "
                f"alpha = {row.alpha:g}, beta = {row.beta:g}.",
                f"rich over lazy loss at the last time, gamma = {plan.gamma:g}; the interval includes a tenth of it",
                "confirmed" if level else "inconclusive",
                "the ratio is below 1 and moves by less than 5 % in the last decade"
                if level
                else "the ratio still moves in the last decade",
                "below 1 and level",
                Measurement.of(row.late, (min(row.early, row.late), max(row.early, row.late)), row.window),
            )
        )
    return claims


def order_claims(plan: Plan, found: pd.DataFrame, heads: Mapping[float, pd.DataFrame]) -> list[Claim]:
    """Return the claims that models keep their order from lazy to rich: random ones, and those with a head start."""
    last = plan.order_eta * plan.order_steps
    random = [
        fact(
            plan,
            f"losslaw.order.{_kind(row.power)}",
            "section 6, Ordering of Models",
            f"The order of models by lazy loss is their order by rich loss, {_kind(row.power)} target.",
            f"share of {row.pairs} pairs of random models whose order changes, eta t = {last:.3g}",
            "not confirmed" if row.reversed else "confirmed",
            f"{row.reversed} counterexamples with differences above 2 % both ways; rank correlation "
            f"{row.tau:.2f}. The order of the exponents is preserved: chi grows with beta",
            0.0,
            Measurement.of(row.share, row.interval),
        )
        for row in found.itertuples()
    ]
    constructed = []
    for power, head in heads.items():
        lazy, rich = float(head.lazy.iloc[-1]), float(head.rich.iloc[-1])
        # Where both have learned everything the two differ in, ratios are 1 up to rounding.
        never_worse = bool((head.lazy <= 1 + 1e-9).all())
        constructed.append(
            fact(
                plan,
                f"losslaw.head-start.{_kind(power)}",
                "section 6, Ordering of Models",
                f"A model that is lazily better at all times is better when rich, {_kind(power)} target.",
                "rich loss of the model ahead over the other at the last time, the interval from the lazy ratio",
                "not confirmed" if never_worse and rich > 1 + TIE / 2 else "inconclusive",
                "what is learned sooner drives the kernel less: the model ahead ends with the smaller kernel",
                "at most 1",
                Measurement(rich, (min(lazy, rich), max(lazy, rich))),
            )
        )
    return [*random, *constructed]


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
                    axes.text(j, i, text, ha="center", va="center", fontsize=11, color="white" if dark else INK)
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
            axes.set_title(rf"({letter}) {kind}, $\alpha = {one.run.alpha:g}$, $\beta = {one.run.beta:g}$")
            axes.set_xlabel(r"$\eta t$")
            axes.set_ylabel("loss")
            axes.legend(loc="lower left", fontsize=10)
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
        upper.set_xlabel("lazy loss")
        upper.set_ylabel("rich loss")
        upper.set_title(f"(a) random models, hard target, $\\eta t = {arrays['time'][-1]:.3g}$")
        for (power, head), style in zip(heads.items(), ("-", "--"), strict=False):
            lower.semilogx(head.time, head.lazy, style, color=LAZY, label=f"{_kind(power)}, lazy")
            lower.semilogx(head.time, head.rich, style, color=RICH, label=f"{_kind(power)}, rich")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set_xlabel(r"$\eta t$")
        lower.set_ylabel("loss of the model ahead / other")
        lower.set_title("(b) first eight eigenvalues doubled")
        lower.legend(loc="lower right")
    return figure
