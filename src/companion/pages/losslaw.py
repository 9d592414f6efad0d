"""The loss law as a whole: four terms against long solutions over tasks, and what the discussion draws from it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from scipy.optimize import nnls

from companion.claims import Claim, Measurement, Page, fact, judge
from companion.long_runs import LongRun
from companion.parameters import Parameters
from companion.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks, width_color
from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum
from neural_scaling.theory import PowerTerm, Version, chi, effective_time, loss_terms, model_bottleneck, step_of_modes

Flags = npt.NDArray[np.bool_]
Indices = npt.NDArray[np.intp]

VERSIONS: tuple[Version, ...] = ("paper", "corrected")
#: Agreement of exponents of the limiting curves: less than half the smallest gap between lazy and rich that is measured.
EXPONENT_TOLERANCE = 0.05
#: Agreement of the end of long runs with the deterministic equivalent, relative: above the error of the solver.
END_TOLERANCE = 0.02
#: Losses closer than this, relative, count as equal when models are ordered.
TIE = 0.02


@dataclass(frozen=True)
class OrderRun(Experiment):
    """Random models of one target, lazy and rich, at infinite width and batch in small steps.

    A model is a spectrum: a power law broken at random places into random slopes, with noise on every eigenvalue, scaled to
    trace 2. The target puts the variance ``k^(-p-1)`` into mode k for every model.
    """

    kind: ClassVar[str] = "order of models"
    algorithm: ClassVar[int] = 1
    power: float  # p, the product of capacity and source of a plain power law
    # models, modes: number of models; M
    models: int
    modes: int
    # gamma, eta, steps: richness of the rich run, learning rate and steps
    gamma: float
    eta: float
    steps: int
    seed: int  # of the random spectra

    @property
    def work(self) -> int:
        """Models."""
        return self.models

    @property
    def label(self) -> str:
        """Target."""
        return f"p={self.power:g}"

    def slice(self) -> Self:
        """Return the first models."""
        return replace(self, models=min(3, self.models))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses of the models that both hold."""
        count = recomputed["rich"].shape[0]
        return max(float(np.max(np.abs(recomputed[k] / arrays[k][:count] - 1))) for k in ("lazy", "rich"))

    def spectrum(self, index: int) -> Spectrum:
        """Return one model."""
        random = np.random.default_rng(np.random.SeedSequence([self.seed, index]))
        k = np.arange(1, self.modes + 1, dtype=np.float64)
        breaks = np.sort(random.uniform(0, math.log(self.modes), 3))
        slopes = random.uniform(1.05, 3.0, 4)
        local = slopes[np.searchsorted(breaks, np.log(k))]
        log_values = -np.concatenate([[0.0], np.cumsum(local[1:] * np.diff(np.log(k)))])
        values = np.sort(np.exp(log_values + 0.2 * random.standard_normal(self.modes)))[::-1]
        values = 2 * values / values.sum()
        return Spectrum(values, np.sqrt(k ** (-self.power - 1) / values))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``time`` (R,), eta * steps, and ``lazy`` and ``rich``, losses of shape (models, R)."""
        kept = np.unique(np.geomspace(1, self.steps, 60).astype(int)).astype(np.float64)
        found: dict[str, list[Array]] = {"lazy": [], "rich": []}
        parts = Parts(monitor)
        for index in range(self.models):
            for name, gamma in (("lazy", 0.0), ("rich", self.gamma)):

                def solved(steps: Monitor, index: int = index, gamma: float = gamma) -> Arrays:
                    modes = self.spectrum(index).quadrature()
                    limit = dmft.infinite_limit(modes, self.eta, gamma, self.steps, record=kept, monitor=steps)
                    monitor.advance(1 if gamma else 0)
                    return {"loss": limit.loss}

                found[name].append(parts.run(f"{name} {index}", solved, counted=False)["loss"])
        return {"time": kept * self.eta} | {name: np.array(losses) for name, losses in found.items()}


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
class LawRow:
    """The law against the solution for one task."""

    # alpha, beta, rich: task
    alpha: float
    beta: float
    rich: bool
    time: Array  # eta * steps from ten learned modes on, shape (T,)
    # widths, noises: of each curve
    widths: tuple[float, ...]
    noises: tuple[float, ...]
    loss: Array  # solution, shape (curves, T)
    ratio: dict[Version, Array]  # solution over fitted law, by version, shape (curves, T)
    worst: dict[Version, float]  # largest factor by which solution and law differ, by version
    coefficients: dict[Version, Array]  # of the four terms, by version
    fit: PowerLawFit  # decay exponent of the limiting curve (infinite width, no noise)
    predicted: float  # chi or beta
    error: float  # largest relative error that the solver reports for the limiting curve
    # last loss over the deterministic equivalent for every finite width that has reached its end, without noise
    ends: Array


@dataclass(frozen=True)
class OrderRow:
    """Order of random models on one target."""

    power: float  # p of the target
    time: Array  # times of comparison, eta * steps, shape (R,)
    # lazy, rich: losses, shape (models, R)
    lazy: Array
    rich: Array
    # pairs, reversed_pairs: pairs whose losses differ by more than 2 % lazy and rich at the last time, and those
    # among them whose order differs
    pairs: int
    reversed_pairs: int
    # dominated, reversed_dominated: pairs of which one is lazily better at all times (never worse, and by more than
    # 2 % at some time), and those among them that end in the opposite order when rich, by more than 2 %
    dominated: int
    reversed_dominated: int
    # 95 % interval of reversed_pairs / pairs, from resampling models: pairs that share a model are not independent
    share_interval: tuple[float, float]
    tau: float  # kendall's rank correlation of lazy and rich losses at the last time
    # indices (better lazy, worse lazy) of the largest reversal at the last time, or None
    example: tuple[int, int] | None
    example_ratios: tuple[float, float]  # lazy and rich loss of the first over the second there


def law_row(plan: Plan, alpha: float, beta: float, rich: bool, results: Mapping[Experiment, Result]) -> LawRow:
    """Fit the four coefficients of the law, printed and corrected, to the solution of one task.

    The four constants of either version are free and not negative; they are chosen by least squares of the relative difference
    over all curves and times, which are evenly spaced in the logarithm. What is compared is therefore the powers.
    """
    run = plan.long(alpha, beta, rich)
    arrays = results[run].arrays
    start = step_of_modes(alpha, beta, run.gamma, 1.0, 10.0)
    kept = arrays["time"] >= start
    time, loss = arrays["time"][kept], arrays["loss"][:, kept]
    ratio: dict[Version, Array] = {}
    worst: dict[Version, float] = {}
    coefficients: dict[Version, Array] = {}
    for version in VERSIONS:
        terms = loss_terms(alpha, beta, rich, version)
        columns = np.stack(
            [
                np.stack([_term(term, time, N, noise) for N, noise in zip(run.widths, run.noises, strict=True)])
                for term in terms
            ]
        )
        scaled = (columns / loss).reshape(len(terms), -1).T
        size = np.sqrt(np.mean(scaled**2, axis=0))
        found, _ = nnls(scaled / size, np.ones(scaled.shape[0]))
        coefficients[version] = found / size
        law = np.tensordot(coefficients[version], columns, axes=1)
        ratio[version] = loss / law
        worst[version] = float(np.exp(np.max(np.abs(np.log(ratio[version])))))
    window = (plan.end / 10**plan.fit_decades, plan.end)
    clean = [i for i, noise in enumerate(run.noises) if noise == 0 and math.isfinite(run.widths[i])]
    modes = PowerLaw(alpha, beta).quadrature(4 * (3 * max(run.widths[i] for i in clean)) ** alpha)
    done = [i for i in clean if 30 * run.widths[i] ** alpha < plan.end]  # the slowest of N modes needs about N^alpha
    ends = np.array([loss[i, -1] / model_bottleneck(modes, run.widths[i]) for i in done])
    return LawRow(
        alpha=alpha,
        beta=beta,
        rich=rich,
        time=time,
        widths=run.widths,
        noises=run.noises,
        loss=loss,
        ratio=ratio,
        worst=worst,
        coefficients=coefficients,
        fit=fit_power_law(time, loss[0], window),
        predicted=float(chi(beta, rich=rich)),
        error=float(np.nanmax(arrays["error"])),
        ends=ends,
    )


def _term(term: PowerTerm, time: Array, width: float, noise: float) -> Array:
    if noise == 0 and term.B_exponent:
        return np.zeros_like(time)
    return np.asarray(term(time, width, 1.0, noise or 1.0), dtype=np.float64)


def order_row(run: OrderRun, result: Result) -> OrderRow:
    """Count the pairs of models whose order changes between lazy and rich."""
    time, lazy, rich = (result.arrays[name] for name in ("time", "lazy", "rich"))
    log_lazy, log_rich = np.log(lazy), np.log(rich)
    first, second = np.triu_indices(lazy.shape[0], k=1)
    gap_lazy, gap_rich = (log[first] - log[second] for log in (log_lazy, log_rich))  # (pairs, R)
    clear = (np.abs(gap_lazy[:, -1]) > TIE) & (np.abs(gap_rich[:, -1]) > TIE)
    opposite = clear & (np.sign(gap_lazy[:, -1]) != np.sign(gap_rich[:, -1]))
    never_worse = np.all(gap_lazy <= 1e-12, axis=1) | np.all(gap_lazy >= -1e-12, axis=1)
    dominated = never_worse & (np.max(np.abs(gap_lazy), axis=1) > TIE)
    better = np.sign(gap_lazy[np.arange(first.size), np.argmax(np.abs(gap_lazy), axis=1)])
    overturned = dominated & (np.abs(gap_rich[:, -1]) > TIE) & (np.sign(gap_rich[:, -1]) == -better)
    tau = float(np.mean(np.sign(gap_lazy[:, -1]) * np.sign(gap_rich[:, -1])))
    example, ratios = None, (1.0, 1.0)
    if np.any(opposite):
        strength = np.where(opposite, np.minimum(np.abs(gap_lazy[:, -1]), np.abs(gap_rich[:, -1])), 0)
        pick = int(np.argmax(strength))
        pair = (int(first[pick]), int(second[pick]))
        example = pair if gap_lazy[pick, -1] < 0 else (pair[1], pair[0])
        a, b = example
        ratios = (float(lazy[a, -1] / lazy[b, -1]), float(rich[a, -1] / rich[b, -1]))
    return OrderRow(
        run.power,
        time,
        lazy,
        rich,
        int(np.count_nonzero(clear)),
        int(np.count_nonzero(opposite)),
        int(np.count_nonzero(dominated)),
        int(np.count_nonzero(overturned)),
        _share_interval(clear, opposite, (first, second), lazy.shape[0]),
        tau,
        example,
        ratios,
    )


def _share_interval(
    clear: Flags, opposite: Flags, pairs: tuple[Indices, Indices], models: int, draws: int = 1000
) -> tuple[float, float]:
    random = np.random.default_rng(0)
    counts = random.multinomial(models, np.full(models, 1 / models), size=draws)
    weights = counts[:, pairs[0]] * counts[:, pairs[1]]
    shares = (weights @ opposite) / np.maximum(weights @ clear, 1)
    point = float(np.count_nonzero(opposite)) / max(int(np.count_nonzero(clear)), 1)
    low, high = np.quantile(shares, (0.025, 0.975))
    return min(float(low), point), max(float(high), point)


@dataclass(frozen=True)
class HeadStart:
    """Two models of one target: the second has larger leading eigenvalues and is otherwise the same."""

    power: float  # p of the target
    time: Array  # eta * steps, shape (R,)
    # lazy, rich: loss of the model ahead over that of the other, shape (R,)
    lazy: Array
    rich: Array


def head_start(power: float, gamma: float, alpha: float = 1.5, eta: float = 0.03, steps: int = 5000) -> HeadStart:
    """Double the first eight eigenvalues of a power law and compare, lazy and rich.

    No eigenvalue is smaller than before, so the lazy loss is smaller at all times.
    """
    law = PowerLaw(alpha, power / alpha)
    base = law.quadrature(4 * float(effective_time(law.beta, gamma, eta, float(steps))))
    factor = np.where(np.arange(base.nodes.size) < 8, 2.0, 1.0)  # the first nodes are the first modes
    order = np.argsort(-factor * base.nodes, kind="stable")
    # The variance lambda_k (w*_k)^2 of a mode is the target's and stays.
    ahead = ModeQuadrature((factor * base.nodes)[order], base.weights[order], (base.target_weights / factor)[order])
    kept = np.unique(np.geomspace(1, steps, 60).astype(int)).astype(np.float64)
    losses = {
        (name, richness): dmft.infinite_limit(modes, eta, richness, steps, record=kept).loss
        for name, modes in (("base", base), ("ahead", ahead))
        for richness in (0.0, gamma)
    }
    lazy, rich = (losses["ahead", value] / losses["base", value] for value in (0.0, gamma))
    return HeadStart(power, eta * kept, lazy, rich)


def claims(
    rows: Sequence[LawRow], orders: Sequence[OrderRow], heads: Sequence[HeadStart], gamma: float, page: Page
) -> list[Claim]:
    """Judge everything on the page."""
    found = []
    for row in rows:
        judged = judge(row.predicted, row.fit.exponent, row.fit.interval, EXPONENT_TOLERANCE)
        kind = "rich" if row.rich else "lazy"
        reason = judged.reason
        if judged.verdict != "confirmed" and row.rich:
            reason += "; the power is still being approached when the window ends"
        found.append(
            fact(
                page,
                f"losslaw.limit.{kind}.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "eqs. 8, 9, first term",
                f"At infinite width and batch the {kind} loss falls as t^-{row.predicted:.3g}, alpha = {row.alpha:g}, "
                f"beta = {row.beta:g}.",
                "exponent in eta t",
                judged.verdict,
                reason,
                row.predicted,
                Measurement(row.fit.exponent, row.fit.interval, row.fit.window),
            )
        )
    for rich in (False, True):
        kind = "rich" if rich else "lazy"
        chosen = [row for row in rows if row.rich == rich]
        printed, corrected = (max(row.worst[version] for row in chosen) for version in VERSIONS)
        held = corrected < math.sqrt(printed)
        found.append(
            fact(
                page,
                f"losslaw.sum.{kind}",
                "eq. 9" if rich else "eq. 8",
                f"Four powers with free constants describe the {kind} loss at all times, widths and batches.",
                "largest factor between solution and law as printed, over all tasks and curves, window in eta t",
                "corrected" if held else "inconclusive",
                f"the printed law is off by up to a factor {printed:.2g}, the corrected one by {corrected:.2g}",
                "of order one",
                Measurement(printed, None, (float(chosen[0].time[0]), float(chosen[0].time[-1]))),
            )
        )
    ends = np.concatenate([row.ends for row in rows])
    if ends.size:
        worst = float(ends[np.argmax(np.abs(ends - 1))])
        judged = judge(1.0, worst, (float(ends.min()), float(ends.max())), END_TOLERANCE)
        found.append(
            fact(
                page,
                "losslaw.end",
                "eqs. 8, 9, second term",
                "The end of training at finite width does not depend on richness and is the residual of a projection.",
                "last loss of the long runs over the deterministic equivalent, worst and extremes",
                judged.verdict,
                judged.reason,
                1.0,
                Measurement(worst, (float(ends.min()), float(ends.max()))),
            )
        )
    easy = [row for row in rows if row.rich and row.beta > 1]
    for row in easy:
        early, late = constants(rows, row.alpha, row.beta)
        settled = abs(math.log(early / late)) < 0.05
        found.append(
            fact(
                page,
                f"losslaw.constant.alpha-{row.alpha:g}.beta-{row.beta:g}",
                "section 6, Source Hypothesis",
                "For beta > 1 feature learning gains a constant and no exponent, "
                f"alpha = {row.alpha:g}, beta = {row.beta:g}.",
                f"rich over lazy loss at the last time, gamma = {gamma:g}; the interval includes a tenth of it",
                "confirmed" if late < 1 and settled else "inconclusive",
                "the ratio is below 1 and moves by less than 5 % in the last decade"
                if late < 1 and settled
                else "the ratio still moves in the last decade",
                "below 1 and level",
                Measurement(
                    late, (min(early, late), max(early, late)), (float(row.time[-1] / 10), float(row.time[-1]))
                ),
            )
        )
    for order in orders:
        share = order.reversed_pairs / max(order.pairs, 1)
        kind = "hard" if order.power < 1 else "easy"
        found.append(
            fact(
                page,
                f"losslaw.order.{kind}",
                "section 6, Ordering of Models",
                f"The order of models by lazy loss is their order by rich loss, {kind} target.",
                f"share of {order.pairs} pairs of random models whose order changes, eta t = {order.time[-1]:.3g}",
                "not confirmed" if order.reversed_pairs else "confirmed",
                f"{order.reversed_pairs} counterexamples with differences above 2 % both ways; rank correlation "
                f"{order.tau:.2f}. The order of the exponents is preserved: chi grows with beta",
                0.0,
                Measurement(share, order.share_interval),
            )
        )
    for head in heads:
        kind = "hard" if head.power < 1 else "easy"
        # Where both have learned everything the two differ in, ratios are 1 up to rounding.
        never_worse = bool(np.all(head.lazy <= 1 + 1e-9))
        final = float(head.rich[-1])
        found.append(
            fact(
                page,
                f"losslaw.head-start.{kind}",
                "section 6, Ordering of Models",
                f"A model that is lazily better at all times is better when rich, {kind} target.",
                "rich loss of the model ahead over the other at the last time, the interval from the lazy ratio",
                "not confirmed" if never_worse and final > 1 + TIE / 2 else "inconclusive",
                "what is learned sooner drives the kernel less: the model ahead ends with the smaller kernel",
                "at most 1",
                Measurement(final, (min(float(head.lazy[-1]), final), max(float(head.lazy[-1]), final))),
            )
        )
    return found


def constants(rows: Sequence[LawRow], alpha: float, beta: float) -> tuple[float, float]:
    """Return the rich over the lazy limiting loss of a task, a decade before the last time and at it."""
    pair = {row.rich: row for row in rows if (row.alpha, row.beta) == (alpha, beta)}
    last = min(row.time[-1] for row in pair.values())
    values = {
        rich: np.exp(np.interp(np.log([last / 10, last]), np.log(row.time), np.log(row.loss[0])))
        for rich, row in pair.items()
    }
    early, late = values[True] / values[False]
    return float(early), float(late)


def ratio_figure(rows: Sequence[LawRow]) -> Figure:
    """Draw the largest factor between solution and law over the tasks."""
    capacities = sorted({row.alpha for row in rows})
    sources = sorted({row.beta for row in rows})
    largest = max(row.worst[version] for row in rows for version in VERSIONS)
    with book_style():
        figure = new_figure(1.9 + 1.5 * len(capacities))
        grid = figure.subplots(2, 2, sharex=True, sharey=True)
        for line, rich in zip(grid, (False, True), strict=True):
            for axes, version in zip(line, VERSIONS, strict=True):
                values = np.full((len(capacities), len(sources)), math.nan)
                for row in rows:
                    if row.rich == rich:
                        values[capacities.index(row.alpha), sources.index(row.beta)] = row.worst[version]
                shown = axes.imshow(
                    np.log(values),
                    origin="lower",
                    aspect="auto",
                    cmap="cividis_r",
                    vmin=0,
                    vmax=math.log(max(largest, 1.1)),
                )
                for i, j in np.ndindex(values.shape):
                    dark = math.log(values[i, j]) > 0.55 * math.log(max(largest, 1.1))
                    text = f"{values[i, j]:.2f}" if values[i, j] < 9.95 else f"{values[i, j]:.0f}"
                    axes.text(j, i, text, ha="center", va="center", fontsize=11, color="white" if dark else INK)
                axes.set_xticks(range(len(sources)), [f"{beta:g}" for beta in sources])
                axes.set_yticks(range(len(capacities)), [f"{alpha:g}" for alpha in capacities])
                axes.set_title(f"{'rich' if rich else 'lazy'}, {'as printed' if version == 'paper' else 'corrected'}")
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


def curves_figure(rows: Sequence[LawRow]) -> Figure:
    """Draw the solution with both laws for a few tasks."""
    with book_style():
        figure = new_figure(4.3 * len(rows))
        for axes, row, letter in zip(np.atleast_1d(figure.subplots(len(rows), 1)), rows, "abcdef", strict=False):
            for i, (width, noise) in enumerate(zip(row.widths, row.noises, strict=True)):
                if noise:
                    continue
                color = width_color(width)
                name = r"$N = \infty$" if math.isinf(width) else f"$N = {width:g}$"
                axes.loglog(row.time, row.loss[i], color=color, label=name)
                axes.loglog(row.time, row.loss[i] / row.ratio["corrected"][i], "--", color=color, linewidth=1.2)
                axes.loglog(row.time, row.loss[i] / row.ratio["paper"][i], ":", color=color, linewidth=1.6)
            axes.plot([], [], "--", color=INK, linewidth=1.2, label="corrected law")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed law")
            kind = "rich" if row.rich else "lazy"
            axes.set_title(rf"({letter}) {kind}, $\alpha = {row.alpha:g}$, $\beta = {row.beta:g}$")
            axes.set_xlabel(r"$\eta t$")
            axes.set_ylabel("loss")
            axes.legend(loc="lower left", fontsize=10)
    return figure


def order_figure(order: OrderRow, heads: Sequence[HeadStart]) -> Figure:
    """Draw lazy against rich losses of random models, and the ratio of losses of the constructed pairs."""
    with book_style():
        figure = new_figure(8.4)
        upper, lower = figure.subplots(2, 1)
        upper.loglog(order.lazy[:, -1], order.rich[:, -1], "o", color=INK, markersize=4.5)
        if order.example is not None:
            pair = list(order.example)
            upper.loglog(
                order.lazy[pair, -1],
                order.rich[pair, -1],
                "o-",
                color=RICH,
                markerfacecolor="none",
                markersize=11,
                linewidth=1.4,
            )
        for axis in (upper.xaxis, upper.yaxis):
            plain_ticks(axis)
        upper.set_xlabel("lazy loss")
        upper.set_ylabel("rich loss")
        upper.set_title(f"(a) random models, hard target, $\\eta t = {order.time[-1]:.3g}$")
        for head, style in zip(heads, ("-", "--"), strict=False):
            kind = "hard" if head.power < 1 else "easy"
            lower.semilogx(head.time, head.lazy, style, color=LAZY, label=f"{kind}, lazy")
            lower.semilogx(head.time, head.rich, style, color=RICH, label=f"{kind}, rich")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set_xlabel(r"$\eta t$")
        lower.set_ylabel("loss of the model ahead / other")
        lower.set_title("(b) first eight eigenvalues doubled")
        lower.legend(loc="lower right")
    return figure
