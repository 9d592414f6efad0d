"""Figure 8: a transformer that learns to predict the next token at fixed richness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, Tolerance, bounded, judged
from companion.learning_curves import bend
from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing, plain_ticks, richness_colors
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError
from neural_scaling.fits import (
    OffsetFit,
    PowerLawFit,
    binned_means,
    fit_common_offset,
    fit_offset_power_law,
    fit_power_law,
    moving_average,
    scatter_excess,
)
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.language_runs import LanguageRun, NgramRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Exponent of the lazy curve in the public notebook that draws the figure, fitted by eye to 3e9 tokens of C4.
PAPER_SOURCE = 0.0325
#: Runs of neighbouring held-out sequences that count as independent.
GROUPS = 16
#: What is compared of the laziest and the richest network of a seed; ``bend`` is that of the ratio of their losses.
COMPARED = ("exponent", "interval", "excess", "excess_interval", "difference", "difference_interval", "bend")
#: Seeds from which on claims about both ends take their error from the spread over seeds.
SEVERAL = 3
#: Tokens of the training text that are counted at most.
COUNTED = 20_000_000


class Plan(Parameters):
    """What Figure 8 computes: the parameters of its notebook and the runs they make."""

    def runs(self) -> list[LanguageRun]:
        """Return the runs of the figure, one per richness."""
        return [
            LanguageRun(
                self.dataset, self.context, self.depth, self.heads, self.head_size, self.residual, richness, self.eta,
                self.batch, self.steps, self.seeds[0], self.test,
            )
            for richness in self.richness
        ]  # fmt: skip

    def repeats(self) -> list[tuple[LanguageRun, LanguageRun]]:
        """Return the laziest and the richest run, once for every seed."""
        ends = self.runs()[0], self.runs()[-1]
        return [(replace(ends[0], seed=seed), replace(ends[1], seed=seed)) for seed in self.seeds]

    def ends(self) -> list[LanguageRun]:
        """Return the runs of :meth:`repeats`, one after the other."""
        return list(itertools.chain.from_iterable(self.repeats()))

    def trials(self) -> list[LanguageRun]:
        """Return short runs of the laziest network, one per learning rate that is tried; of held-out text they see little."""
        lazy = self.runs()[0]
        return [replace(lazy, eta=rate, steps=self.trial, test=min(2, self.test)) for rate in self.rates]

    def frequencies(self) -> NgramRun:
        """Return the counts of as many tokens as a network reads, or of twenty million."""
        return NgramRun(self.dataset, min(self.steps * self.batch * self.context, COUNTED))

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return list(dict.fromkeys([*self.runs(), *self.ends(), *self.trials(), self.frequencies()]))


def sound(found: Sequence[Curve]) -> dict[str, bool]:
    """Say whether all networks learn, the richest most, and only with features that move."""
    lazy, richest = found[0], found[-1]
    slow, rich = (one.binned[1, -1] for one in (lazy, richest))
    return {
        "all networks learn from the start": all(one.binned[1, 0] < one.loss[0] for one in found),
        "the laziest network learns more than a twentieth of its loss": bool(lazy.held_out[-1] < 0.95 * lazy.loss[0]),
        "the richest network ends below the laziest, in fresh batches": bool(rich < slow),
        "the richest network ends below the laziest, on held-out text": bool(richest.held_out[-1] < lazy.held_out[-1]),
        "features move in the richest network only": bool(lazy.moved[-1] < 0.01 < richest.moved[-1]),
    }


def levels(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return the losses, nats per token, of what knows less than a network: nothing, or frequencies in the training text."""
    tokens, pairs = (float(loss) for loss in results[plan.frequencies()].arrays["loss"])
    nothing = math.log(float(results[plan.runs()[0]].arrays["vocabulary"]))
    rows = [("knowing nothing", nothing), ("frequencies of tokens", tokens), ("frequencies of pairs", pairs)]
    return pd.DataFrame(rows, columns=["level", "loss"])


@dataclass(frozen=True)
class Curve:
    """The losses of one run against tokens, and their fits."""

    run: LanguageRun  # what was trained
    tokens: Array  # read when a batch was done, shape (S,), as far as losses are finite
    loss: Array  # cross-entropy of that batch before its step, nats per token, shape (S,)
    held_out_tokens: Array  # read at recorded steps from the first on, shape (R,), as far as finite
    held_out: Array  # cross-entropy of held-out text there, shape (R,)
    moved: Array  # how far the features of held-out text have moved there, shape (R,)
    final: Array  # cross-entropy of every held-out sequence at the end, nats per token, shape (test,)
    diverged: float  # step of a divergence, or infinity
    window: tuple[float, float]  # tokens at the ends of the fits
    binned: Array  # tokens, mean loss and its standard error in bins of the window, shape (3, K)
    fit: PowerLawFit | None  # power law in the window; None where there are too few bins
    offset: OffsetFit | None  # the same with a constant; None where there are too few bins

    @property
    def halves(self) -> tuple[float, float]:
        """Exponents in the first and the second half of the bins, which differ if the curve bends; NaN below three bins each."""
        middle = self.binned.shape[1] // 2
        if middle < 3:
            return math.nan, math.nan
        halves = self.binned[:, :middle], self.binned[:, middle:]
        first, second = (fit_power_law(t, loss, sigma=error).exponent for t, loss, error in halves)
        return first, second


def curve(run: LanguageRun, start: float, results: Mapping[Experiment, Result]) -> Curve:
    """Collect and fit the curve of one run."""
    arrays = results[run].arrays
    per_step = run.batch * run.context
    loss = arrays["loss"].astype(np.float64)
    loss = loss[np.isfinite(loss)]
    tokens = per_step * np.arange(1, loss.size + 1, dtype=np.float64)
    held_out, moved = (arrays[name].astype(np.float64)[1:] for name in ("held_out", "moved"))
    finite = np.isfinite(held_out)
    binned = binned_means(tokens, loss, start)
    fit = offset = None
    if binned.shape[1] >= 4:
        fit = fit_power_law(binned[0], binned[1], sigma=binned[2])
        offset = fit_offset_power_law(binned[0], binned[1], binned[2])
    return Curve(
        run, tokens, loss, per_step * arrays["step"][1:][finite], held_out[finite], moved[finite],
        arrays["final"].astype(np.float64), float(arrays["diverged"]), (start, float(per_step * max(loss.size, 1))),
        binned, fit, offset,
    )  # fmt: skip


def gap(later: Curve, lazy: Curve) -> Measurement:
    """Return by how much the exponent of a curve exceeds that of the lazy one, from the ratio of their losses.

    Runs share seed and batches, so what is easy or hard about a batch is in both losses and leaves their ratio. What remains
    follows how the networks move: neighbours go together, and errors are raised as far as that makes means scatter more.
    """
    return _excess(_ratio_fit(later, lazy))


def _excess(fit: PowerLawFit | str) -> Measurement:
    return Measurement.none(fit) if isinstance(fit, str) else Measurement.exponent(fit)


def _ratio_fit(later: Curve, lazy: Curve) -> PowerLawFit | str:
    """Fit the ratio of two losses, or say why there is nothing to fit."""
    if math.isfinite(later.diverged) or math.isfinite(lazy.diverged):
        return "a run diverged"
    values = later.loss / lazy.loss
    ratio = binned_means(lazy.tokens, values, lazy.window[0])
    excess = scatter_excess(values[lazy.tokens >= lazy.window[0]])
    try:
        return fit_power_law(ratio[0], ratio[1], sigma=excess * ratio[2])
    except InputError as problem:
        return str(problem)


def _ends(later: Curve, former: Curve) -> Measurement:
    """Return by how much a network ends above another one on held-out text, mean over sequences.

    Neighbouring sequences come from the same documents, so the error is that of the mean over ``GROUPS`` or more runs of
    neighbours.
    """
    if math.isfinite(later.diverged) or math.isfinite(former.diverged):
        return Measurement.none("a run diverged")
    size = max(1, later.final.size // GROUPS)
    whole = later.final.size // size * size
    differences = (later.final - former.final)[:whole].reshape(-1, size).mean(axis=1)
    return replace(Measurement.mean_of(differences), meaning="95 % interval of the mean over held-out text")


def predictions(source: float) -> dict[str, float]:
    """Return the exponents that feature learning is to give for a source: the first correction, and all of them."""
    return {"t^(-beta(2-beta))": source * (2 - source), "t^(-2 beta/(1+beta))": float(chi(source))}


def exponents(curves: Sequence[Curve]) -> pd.DataFrame:
    """Return the end of every curve, its exponent in the window and the exponents in the halves of the window."""
    rows: list[tuple[Any, ...]] = []
    for one in curves:
        if math.isfinite(one.diverged):
            rows.append((one.run.richness, *[math.nan] * 4, None, None, one.diverged))
            continue
        fitted = Measurement.exponent(one.fit).columns()[:2]
        train = one.binned[1, -1] if one.binned.size else math.nan
        halves = one.halves if one.fit else None
        rows.append((one.run.richness, one.moved[-1], train, one.held_out[-1], *fitted, halves, math.nan))
    columns = ["gamma0", "moved", "train", "held_out", "exponent", "interval", "halves", "diverged"]
    return pd.DataFrame(rows, columns=columns)


def offsets(curves: Sequence[Curve]) -> pd.DataFrame:
    """Return the exponents with a constant: one for each network, then one for all, as the entropy of the text would be."""
    rows = [
        ("each", one.run.richness, fit.exponent, fit.interval, fit.offset, fit.offset_interval)
        for one in curves
        if (fit := one.offset) and not math.isfinite(one.diverged)
    ]
    if len(rows) == len(curves):
        tokens, loss, error = (np.stack([one.binned[row] for one in curves]) for row in range(3))
        common = fit_common_offset(tokens[0], loss, error)
        rows += [
            ("all", one.run.richness, float(exponent), tuple(ends.tolist()), common.offset, common.offset_interval)
            for one, exponent, ends in zip(curves, common.exponents, common.intervals, strict=True)
        ]
    return pd.DataFrame(rows, columns=["shared", "gamma0", "exponent", "interval", "constant", "bounds"])


def predicted(curves: Sequence[Curve], constants: pd.DataFrame) -> pd.DataFrame:
    """Return what the exponent of the laziest network predicts for rich ones, by each fit and by the lines of the paper."""
    common = constants[constants.shared == "all"]
    lazy = {
        "no constant": curves[0].fit.exponent if curves[0].fit else math.nan,
        "one constant for all": math.nan if common.empty else common.exponent.iloc[0],
        "lines of the paper, by eye, C4": PAPER_SOURCE,
    }
    rows = [(name, beta, *predictions(beta).values()) for name, beta in lazy.items() if not math.isnan(beta)]
    return pd.DataFrame(rows, columns=["fit", "lazy", "first", "whole"])


def repeated(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return what other weights and another order of the text change in the laziest and the richest network."""
    pairs = [[curve(run, plan.start, results) for run in pair] for pair in plan.repeats()]
    rows = [(lazy.run.seed, *compared(lazy, richest)) for lazy, richest in pairs]
    return pd.DataFrame(rows, columns=["seed", *COMPARED])


def compared(lazy: Curve, richest: Curve) -> tuple[Any, ...]:
    """Return what :data:`COMPARED` names."""
    fit = _ratio_fit(richest, lazy)
    found = (Measurement.exponent(lazy.fit), _excess(fit), _ends(richest, lazy))
    bend = math.nan if isinstance(fit, str) else fit.curvature
    return (*itertools.chain.from_iterable(one.columns()[:2] for one in found), bend)


def trials(plan: Plan, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return the start of the losses of the laziest network, their maximum and the mean of their last fifth, by learning rate."""
    rows = []
    for run in plan.trials():
        arrays = results[run].arrays
        loss, diverged = arrays["loss"].astype(np.float64), float(arrays["diverged"])
        start = math.log(float(arrays["vocabulary"]))
        if math.isfinite(diverged):
            rows.append((run.eta, start, math.nan, math.nan, diverged))
        else:
            rows.append((run.eta, start, loss.max(), loss[-max(1, loss.size // 5) :].mean(), math.nan))
    return pd.DataFrame(rows, columns=["eta", "start", "highest", "end", "diverged"])


def claims(plan: Plan, curves: Sequence[Curve], again: pd.DataFrame) -> list[Claim]:
    """Return the claims of the figure, from its curves and what seeds change; at small scale of the order of the losses alone."""
    lazy, order = curves[0], _order_claim(plan, curves)
    if plan.scale == "small" or lazy.fit is None or lazy.offset is None:
        return [order]
    power = _lazy_claim(plan, lazy, lazy.fit, lazy.offset)
    ends = [_ends_claim(plan, again)] if len(again) >= SEVERAL else []
    return [power, order, *ends, _rich_claim(plan, lazy, lazy.fit, curves[-1], again, power.verdict == "confirmed")]


def _ends_claim(plan: Plan, again: pd.DataFrame) -> Claim:
    """Judge whether the richest network ends below the laziest whatever the weights and the order of the text."""
    return bounded(
        plan,
        "fig08.ends",
        "Fig. 8",
        "The richest network ends below the laziest whatever its initial weights and the order of the text.",
        "held-out cross-entropy of the richest network less that of the laziest at the end, nats per token, mean over seeds",
        "below",
        0.0,
        Measurement.mean_of(again.difference.to_numpy()),
        "network",
        seeds=len(again),
        runs=plan.ends(),
        needs="more seeds",
    )


def _lazy_claim(plan: Plan, lazy: Curve, fit: PowerLawFit, offset: OffsetFit) -> Claim:
    """Judge whether the lazy curve is a power law: whether its exponent keeps its value within a tenth along the window."""
    (low, high), (least, most) = offset.interval, offset.offset_interval
    first, last = lazy.window
    gone = Measurement.none(f"the run diverged at step {lazy.diverged:.0f}")
    return judged(
        plan,
        "fig08.lazy",
        "Fig. 8",
        f"In the lazy limit the loss falls as a power of the number of tokens (here {plan.dataset}, {first:.1e} to {last:.1e}; "
        "in the paper C4, 1e6 to 3e9).",
        "change of the exponent of the cross-entropy of fresh batches along the window in tokens, "
        f"gamma0 {lazy.run.richness:g}",
        0.0,
        gone if math.isfinite(lazy.diverged) else bend(lazy.binned, lazy.window),
        "network",
        Tolerance(0.1 * fit.exponent, "a tenth of the mean exponent, as for exponents of networks"),
        seeds=1,
        runs=[lazy.run],
        note=f"the mean exponent is {fit.exponent:.4f}; a constant lowers chi squared by {offset.gain:.1f} (chance: 3.84), then "
        f"the exponent is {offset.exponent:.3f} [{low:.3f}, {high:.3f}] and the constant {offset.offset:.2f} "
        f"[{least:.2f}, {most:.2f}] nats",
        needs="more tokens",
    )


def _rich_claim(
    plan: Plan, lazy: Curve, fit: PowerLawFit, richest: Curve, again: pd.DataFrame, straight: bool
) -> Claim:
    """Judge how far the richest network exceeds the lazy exponent; the error of beta enters through ``beta (1 - beta)``."""
    beta, excess, seeds, runs = fit.exponent, gap(richest, lazy), 1, [lazy.run, richest.run]
    bent, doubtful = 0.0, "of beta"
    if len(again) >= SEVERAL:
        beta, seeds, runs = float(again.exponent.mean()), len(again), plan.ends()
        excess = Measurement.mean_of(again.excess.to_numpy(), excess.window)
        # The spread over seeds does not know that all curves bend alike.
        bent, doubtful = NORMAL_95 * float(again.bend.mean()), "of the bend and of beta"
    first, whole = predictions(beta).values()
    moved = f"{richest.moved[-1]:.2g}" if richest.moved.size else "nothing that was seen"
    doubt = "" if straight else "; the lazy curve is not seen to be a power law, so that beta depends on the window"
    return judged(
        plan,
        "fig08.rich",
        "Fig. 8",
        f"At gamma0 = {richest.run.richness:g} the loss falls about as t^(-beta(2-beta)), beta the lazy exponent in the same "
        f"window (here {plan.dataset}, in the paper C4).",
        "exponent in tokens of the cross-entropy over that of the laziest network; predicted: beta(1-beta)",
        first - beta,
        excess.widened(math.hypot(bent, (1 - 2 * beta) * NORMAL_95 * fit.standard_error), doubtful),
        "network",
        Tolerance((first - beta) / 3, "a third of what feature learning adds"),
        seeds=seeds,
        runs=runs,
        note=f"lazy exponent {beta:.4f}, 2 beta/(1+beta) = {whole:.4f}, features have moved by {moved}{doubt}",
        needs="a lazy curve that is a power law over decades: the paper's width, text and number of tokens",
        beyond=True,
    )


def _order_claim(plan: Plan, curves: Sequence[Curve]) -> Claim:
    """Judge whether every network ends lower on held-out text than the one that is less rich, by the pair that is least sure."""
    steps = [_ends(later, former) for former, later in itertools.pairwise(curves)]
    worst = max(steps, key=lambda one: one.interval[1] if one.interval else math.inf)
    listed = ", ".join(
        f"{one.run.richness:g}: " + ("diverged" if math.isfinite(one.diverged) else f"{float(one.final.mean()):.3f}")
        for one in curves
    )
    return bounded(
        plan,
        "fig08.order",
        "Fig. 8",
        "The richer the network, the lower its loss after the same number of tokens.",
        "held-out cross-entropy of a network less that of the next less rich one at the end, nats per token, the largest of all",
        "below",
        0.0,
        worst,
        "network",
        seeds=1,
        runs=[one.run for one in curves],
        note=f"held-out cross-entropy at richness {listed}",
        needs="more held-out text, or runs that stay finite",
    )


_MILLION = 1e6


def loss_figure(curves: Sequence[Curve], levels: pd.DataFrame, average: int) -> Figure:
    """Draw losses of fresh batches and of held-out text against tokens."""
    lazy = curves[0]
    with drawing(6.4) as (figure, axes):
        colors = richness_colors(one.run.richness for one in curves)
        for one in curves:
            tokens, loss = moving_average(one.tokens, average), moving_average(one.loss, average)
            shade = colors[one.run.richness]
            axes.loglog(tokens / _MILLION, loss, color=shade, label=rf"$\gamma_0 = {one.run.richness:g}$")
            shown = one.held_out_tokens >= tokens[0] / 4
            axes.loglog(one.held_out_tokens[shown] / _MILLION, one.held_out[shown], "o", color=shade, markersize=4)
        if lazy.fit is not None:
            x = np.array(lazy.window)
            middle = math.exp(np.log(x).mean())
            fitted = lazy.fit.prefactor * middle**-lazy.fit.exponent
            lowest = min((one for one in curves if one.fit), key=lambda one: float(one.binned[1, -1]))
            level = math.exp(np.interp(math.log(middle), np.log(lowest.binned[0]), np.log(lowest.binned[1])))
            first, whole = predictions(lazy.fit.exponent).values()
            for anchor, exponent, style, name in (
                (1.015 * fitted, lazy.fit.exponent, "--", r"fit $t^{-\beta}$"),
                (0.985 * level, first, "-.", r"$t^{-\beta(2-\beta)}$"),
                (0.97 * level, whole, ":", r"$t^{-2\beta/(1+\beta)}$"),
            ):
                axes.loglog(x / _MILLION, anchor * (x / middle) ** -exponent, style, color=INK, label=name)
        for name, level in levels.itertuples(index=False):
            axes.axhline(level, color=MUTED, linewidth=1)
            axes.text(0.01, level, name, transform=axes.get_yaxis_transform(), va="bottom", color=MUTED)
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        axes.set(xlabel="million tokens", ylabel="cross-entropy, nats per token")
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))  # curves fall, so there is room below the first level
    return figure


def gap_figure(curves: Sequence[Curve], average: int) -> Figure:
    """Draw losses over that of the laziest network on the same batches, and how far features have moved."""
    lazy = curves[0]
    with drawing(6.8, 2, sharex=True) as (figure, (upper, lower)):
        colors = richness_colors(one.run.richness for one in curves)
        for one in curves:
            color, label = colors[one.run.richness], rf"$\gamma_0 = {one.run.richness:g}$"
            lower.loglog(one.held_out_tokens, one.moved, color=color, label=label)
            if one is not lazy:
                size = min(one.loss.size, lazy.loss.size)
                ratio = moving_average(one.loss[:size] / lazy.loss[:size], average)
                upper.semilogx(moving_average(lazy.tokens[:size], average), ratio, color=color, label=label)
        upper.axhline(1, color=MUTED, linewidth=1)
        upper.set_ylabel("loss over that of the laziest")
        lower.set(ylabel="change of features", xlabel="tokens")
        upper.legend(*lower.get_legend_handles_labels(), loc="lower left")
    return figure
