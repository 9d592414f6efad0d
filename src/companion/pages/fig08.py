"""Figure 8: a transformer that learns to predict the next token at fixed richness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import chi2

from companion.claims import Claim, Measurement, Page, fact, judged
from companion.claims.claim import Verdict
from companion.claims.tables import fixed
from companion.parameters import Parameters
from companion.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError, require
from neural_scaling.fits import (
    CommonOffsetFit,
    OffsetFit,
    PowerLawFit,
    fit_common_offset,
    fit_offset_power_law,
    fit_power_law,
)
from neural_scaling.fits.offset import ONE_PARAMETER_95
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.language_runs import LanguageRun, NgramRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: Exponent of the lazy curve in the public notebook that draws the figure, fitted by eye to 3e9 tokens of C4.
PAPER_SOURCE = 0.0325
#: Bins per decade of tokens for fits; a bin needs this many batches for an error.
BINS, FEWEST = 16, 8
#: Batches in a row whose means tell how far losses of neighbouring batches go together.
ROW = 20
#: Runs of neighbouring held-out sequences that count as independent.
GROUPS = 16
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

    def trials(self) -> list[LanguageRun]:
        """Return short runs of the laziest network, one per learning rate that is tried; of held-out text they see little."""
        lazy = self.runs()[0]
        return [replace(lazy, eta=rate, steps=self.trial, test=min(2, self.test)) for rate in self.rates]

    def frequencies(self) -> NgramRun:
        """Return the counts of as many tokens as a network reads, or of twenty million."""
        return NgramRun(self.dataset, min(self.steps * self.batch * self.context, COUNTED))

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        again = itertools.chain.from_iterable(self.repeats())
        return list(dict.fromkeys([*self.runs(), *again, *self.trials(), self.frequencies()]))


@dataclass(frozen=True)
class Levels:
    """Cross-entropies, nats per token, of what knows less than a network: steps on its way."""

    nothing: float  # logarithm of the vocabulary
    # tokens, pairs: by frequencies of tokens and of pairs of tokens in the training text, on held-out text
    tokens: float
    pairs: float

    def __str__(self) -> str:
        """Return the levels as a line of text."""
        return (
            f"levels: {self.nothing:.2f} knowing nothing, {self.tokens:.2f} by frequencies of tokens, "
            f"{self.pairs:.2f} of pairs"
        )


def levels(plan: Plan, results: Mapping[Experiment, Result]) -> Levels:
    """Return the levels beside which losses are shown."""
    tokens, pairs = (float(loss) for loss in results[plan.frequencies()].arrays["loss"])
    return Levels(math.log(float(results[plan.runs()[0]].arrays["vocabulary"])), tokens, pairs)


@dataclass(frozen=True)
class Curve:
    """The losses of one run against tokens, and their fits."""

    run: LanguageRun  # what was trained
    # tokens, loss: tokens read when a batch was done, and its cross-entropy before the step, nats per token, shape
    # (S,), as far as finite
    tokens: Array
    loss: Array
    # held_out_tokens, held_out, moved: tokens read at recorded steps from the first on, cross-entropy of held-out
    # text and how far its features have moved, shape (R,), as far as finite
    held_out_tokens: Array
    held_out: Array
    moved: Array
    final: Array  # cross-entropy of every held-out sequence at the end, nats per token, shape (test,)
    diverged: float  # step of a divergence, or infinity
    vocabulary: int  # number of tokens there are
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
        first, second = (
            fit_power_law(part[0], part[1], sigma=part[2]).exponent
            for part in (self.binned[:, :middle], self.binned[:, middle:])
        )
        return first, second

    def average(self, batches: int) -> tuple[Array, Array]:
        """Return the moving average of the losses and the tokens at the middle of each of its windows."""
        return moving_average(self.tokens, batches), moving_average(self.loss, batches)


def curve(run: LanguageRun, start: float, results: Mapping[Experiment, Result]) -> Curve:
    """Collect and fit the curve of one run."""
    arrays = results[run].arrays
    per_step = run.batch * run.context
    loss = arrays["loss"].astype(np.float64)
    loss = loss[np.isfinite(loss)]
    tokens = per_step * np.arange(1, loss.size + 1, dtype=np.float64)
    held_out, moved = (arrays[name].astype(np.float64)[1:] for name in ("held_out", "moved"))
    finite = np.isfinite(held_out)
    binned = bins(tokens, loss, start)
    fit = offset = None
    if binned.shape[1] >= 4:
        fit = fit_power_law(binned[0], binned[1], sigma=binned[2])
        offset = fit_offset_power_law(binned[0], binned[1], binned[2])
    return Curve(
        run, tokens, loss, per_step * arrays["step"][1:][finite], held_out[finite], moved[finite],
        arrays["final"].astype(np.float64), float(arrays["diverged"]), int(arrays["vocabulary"]),
        (start, float(per_step * max(loss.size, 1))), binned, fit, offset,
    )  # fmt: skip


def moving_average(values: Array, size: int) -> Array:
    """Return the means of so many values in a row, shape (S - size + 1,); of all where there are fewer."""
    width = min(size, values.size)
    return np.convolve(values, np.full(width, 1 / width), "valid") if width else values


def bins(tokens: Array, loss: Array, start: float) -> Array:
    """Average the losses of batches in bins of log tokens.

    The error of a mean comes from the differences of successive losses, which do not feel the slope of the curve: batches share
    no text, so their losses are independent given the network.
    """
    require(start > 0, "start", f"got {start!r}", "give a positive number of tokens")
    place = np.floor(BINS * np.log10(tokens / start) + 1e-9)
    rows = []
    for number in np.unique(place[place >= 0]):
        inside = np.flatnonzero(place == number)
        if inside.size >= FEWEST:
            values = loss[inside]
            error = math.sqrt(np.mean(np.diff(values) ** 2) / 2 / inside.size)
            rows.append((math.exp(np.log(tokens[inside]).mean()), values.mean(), error))
    return np.array(rows, dtype=np.float64).reshape(-1, 3).T


def _together(values: Array) -> float:
    """Return by how much means of ``ROW`` values in a row scatter more than those of independent values, at least 1."""
    count = values.size // ROW
    if count < FEWEST:
        return 1.0
    means = values[: count * ROW].reshape(count, ROW).mean(axis=1)
    single = float(np.mean(np.diff(values) ** 2))
    return max(1.0, math.sqrt(ROW * float(np.mean(np.diff(means) ** 2)) / single)) if single > 0 else 1.0


def gap(later: Curve, lazy: Curve) -> Measurement:
    """Return by how much the exponent of a curve exceeds that of the lazy one, from the ratio of their losses.

    Runs share seed and batches, so what is easy or hard about a batch is in both losses and leaves their ratio. What remains
    follows how the networks move: neighbours go together, and errors are raised as far as means of ``ROW`` batches scatter more
    than those of independent ones would.
    """
    if math.isfinite(later.diverged) or math.isfinite(lazy.diverged):
        return Measurement.none("a run diverged")
    values = later.loss / lazy.loss
    ratio = bins(lazy.tokens, values, lazy.window[0])
    together = _together(values[lazy.tokens >= lazy.window[0]])
    try:
        fit = fit_power_law(ratio[0], ratio[1], sigma=together * ratio[2])
    except InputError as problem:
        return Measurement.none(str(problem))
    return Measurement.exponent(fit)


def predictions(source: float) -> dict[str, float]:
    """Return the exponents that feature learning is to give for a source: the first correction, and all of them."""
    return {"t^(-beta(2-beta))": source * (2 - source), "t^(-2 beta/(1+beta))": float(chi(source))}


def claims(curves: Sequence[Curve], page: Page) -> list[Claim]:
    """Return the claims of the figure."""
    lazy, richest = curves[0], curves[-1]
    if lazy.fit is None or lazy.offset is None:
        return [_order_claim(curves, page)]
    first = _lazy_claim(lazy, lazy.fit, lazy.offset, page)
    return [first, _order_claim(curves, page), _rich_claim(lazy, lazy.fit, richest, first.verdict, page)]


def _lazy_claim(lazy: Curve, fit: PowerLawFit, offset: OffsetFit, page: Page) -> Claim:
    """Judge whether the lazy curve is a power law.

    Not if it misses the bins by more than chance would in 19 of 20 cases, or if a constant lowers chi squared by more than chance
    would in 39 of 40, since it may not be negative; undecided if neither, but a constant of a quarter of the loss would do as
    well, or if the run diverged.
    """
    low, high = offset.interval
    least, most = offset.offset_interval
    freedom = offset.points - 2
    missed = offset.chi2_without > chi2.ppf(0.95, freedom)
    verdict: Verdict = "confirmed" if most < lazy.binned[1, -1] / 4 else "inconclusive"
    if missed or offset.gain > ONE_PARAMETER_95:
        verdict = "not confirmed"
    ended = ""
    if math.isfinite(lazy.diverged):
        verdict, ended = "inconclusive", f"; the run diverged at step {lazy.diverged:.0f}"
    return fact(
        page,
        "fig08.lazy",
        "Fig. 8",
        "In the lazy limit the loss falls as a power of the number of tokens.",
        f"exponent of the cross-entropy of fresh batches in tokens, gamma0 {lazy.run.richness:g}",
        verdict,
        f"chi squared of the power law {offset.chi2_without:.1f} for {freedom} degrees of freedom; a constant lowers it "
        f"by {offset.gain:.1f}, then the exponent is {offset.exponent:.3f} [{low:.3f}, {high:.3f}] and the constant "
        f"{offset.offset:.2f} [{least:.2f}, {most:.2f}] nats{ended}",
        "t^-beta",
        Measurement(fit.exponent, fit.interval, lazy.window),
    )


def _rich_claim(lazy: Curve, fit: PowerLawFit, richest: Curve, straight: Verdict, page: Page) -> Claim:
    """Judge the exponent of the richest network, that of the lazy one plus that of the ratio of the losses.

    What is compared is the exponent of the ratio with ``beta (1 - beta)``; the error of beta enters through that.
    """
    beta, excess = fit.exponent, gap(richest, lazy)
    first, whole = predictions(beta).values()
    measured = excess
    if excess.value is not None and excess.interval is not None:
        half = math.hypot(
            (excess.interval[1] - excess.interval[0]) / 2, (1 - 2 * beta) * NORMAL_95 * fit.standard_error
        )
        value = beta + excess.value
        measured = Measurement(value, (value - half, value + half), lazy.window)
    found = judged(
        page,
        "fig08.rich",
        "Fig. 8",
        f"At gamma0 = {richest.run.richness:g} the loss falls about as t^(-beta(2-beta)), beta being the lazy exponent.",
        "exponent of the cross-entropy of fresh batches in tokens",
        first,
        measured,
        (first - beta) / 3,
        remark=f"; lazy exponent {beta:.4f}, 2 beta/(1+beta) = {whole:.4f}, features have moved by "
        + (f"{richest.moved[-1]:.2g}" if richest.moved.size else "nothing that was seen"),
    )
    if straight == "not confirmed" and found.verdict != "inconclusive":
        doubt = "; but the lazy curve is no power law here, so that beta has no meaning beyond this window"
        return replace(found, verdict="inconclusive", reason=found.reason + doubt)
    return found


def _order_claim(curves: Sequence[Curve], page: Page) -> Claim:
    """Judge whether every network ends lower on held-out text than the one that is less rich, sequence by sequence."""
    steps = [_ends(later, former) for former, later in itertools.pairwise(curves)]
    whole = _ends(curves[-1], curves[0])
    listed = ", ".join(
        f"{one.run.richness:g}: " + ("diverged" if math.isfinite(one.diverged) else f"{float(one.final.mean()):.3f}")
        for one in curves
    )
    verdict: Verdict = "inconclusive"
    if all(one.interval is not None and one.interval[1] < 0 for one in steps):
        verdict = "confirmed"
    elif any(one.interval is not None and one.interval[0] > 0 for one in steps):
        verdict = "not confirmed"
    return fact(
        page,
        "fig08.order",
        "Fig. 8",
        "The richer the network, the lower its loss after the same number of tokens.",
        "held-out cross-entropy of the richest network less that of the laziest, nats per token, at the end",
        verdict,
        whole.missing
        or f"held-out cross-entropy at richness {listed}; each from the one before it: "
        + ", ".join(_difference(one) for one in steps),
        "below 0",
        Measurement(whole.value, whole.interval),
    )


def _difference(found: Measurement) -> str:
    """Return the interval of a difference as text."""
    return f"[{found.interval[0]:+.4f}, {found.interval[1]:+.4f}]" if found.interval else found.missing


def _ends(later: Curve, former: Curve) -> Measurement:
    """Return by how much a network ends above another one on held-out text, mean over sequences.

    Neighbouring sequences come from the same documents, so the error is that of the mean over ``GROUPS`` or more runs of
    neighbours.
    """
    if math.isfinite(later.diverged) or math.isfinite(former.diverged):
        return Measurement.none("a run diverged")
    size = max(1, later.final.size // GROUPS)
    whole = later.final.size // size * size
    return Measurement.mean_of((later.final - former.final)[:whole].reshape(-1, size).mean(axis=1))


def common(curves: Sequence[Curve]) -> CommonOffsetFit | None:
    """Fit all curves with one constant: what no network can learn of the text."""
    if any(math.isfinite(one.diverged) or one.fit is None for one in curves):
        return None
    tokens, loss, error = (np.stack([one.binned[row] for one in curves]) for row in range(3))
    return fit_common_offset(tokens[0], loss, error)


def common_table(curves: Sequence[Curve]) -> str:
    """Return the exponents with one constant as lines of text, beside what the laziest lets expect of the others."""
    fit = common(curves)
    if fit is None:
        return "one constant for all: too few batches, or a run diverged"
    least, most = fit.offset_interval
    lines = [f"one constant for all: {fit.offset:.2f} [{least:.2f}, {most:.2f}] nats"]
    for one, exponent, (low, high) in zip(curves, fit.exponents, fit.intervals, strict=True):
        lines.append(f"  gamma0 {one.run.richness:<7g} exponent {exponent:.3f} [{low:.3f}, {high:.3f}]")
    named = ", ".join(f"{name} {exponent:.3f}" for name, exponent in predictions(float(fit.exponents[0])).items())
    return "\n".join([*lines, f"  predicted from the laziest: {named}"])


def trial_table(plan: Plan, results: Mapping[Experiment, Result]) -> str:
    """Return what the tried learning rates did to the laziest network."""
    lines = [f"eta    highest  last fifth of {plan.trial} steps"]
    for run in plan.trials():
        arrays = results[run].arrays
        loss, diverged = arrays["loss"].astype(np.float64), float(arrays["diverged"])
        if math.isfinite(diverged):
            lines.append(f"{run.eta:<6g} diverged at step {diverged:.0f}")
            continue
        end, start = float(loss[-max(1, loss.size // 5) :].mean()), math.log(float(arrays["vocabulary"]))
        side = "below" if end < start else "above"
        lines.append(f"{run.eta:<6g} {loss.max():<8.2f} {end:.2f}, {side} the start at {start:.2f}")
    return "\n".join(lines)


def seed_table(pairs: Sequence[tuple[Curve, Curve]]) -> str:
    """Return what other weights and another order of the text change."""
    lines = ["seed  slope   95 % interval     richest, excess            held-out, difference"]
    for lazy, richest in pairs:
        if lazy.fit is None:
            lines.append(f"{lazy.run.seed:<5d} too few batches to fit")
            continue
        low, high = lazy.fit.interval
        told = (_with_interval(found, digits) for found, digits in ((gap(richest, lazy), 4), (_ends(richest, lazy), 3)))
        lines.append(f"{lazy.run.seed:<5d} {lazy.fit.exponent:<7.4f} [{low:.4f}, {high:.4f}]  {'   '.join(told)}")
    return "\n".join(lines)


def _with_interval(found: Measurement, digits: int) -> str:
    """Return a measurement as text."""
    if found.value is None or found.interval is None:
        return found.missing
    low, high = found.interval
    return f"{found.value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def table(curves: Sequence[Curve]) -> str:
    """Return the exponents as lines of text."""
    lines = ["gamma0  moved   train   held-out  slope     95 % interval     halves"]
    beside = ["gamma0  with a constant  95 % interval   constant, nats"]
    for one in curves:
        head = f"{one.run.richness:<7g}"
        if math.isfinite(one.diverged):
            lines.append(f"{head} diverged at step {one.diverged:.0f}")
            continue
        if one.fit is None or one.offset is None:
            lines.append(f"{head} too few batches to fit")
            continue
        (low, high), (first, last), (least, most) = one.fit.interval, one.offset.interval, one.offset.offset_interval
        early, late = one.halves
        lines.append(
            f"{head} {one.moved[-1]:<7.2g} {one.binned[1, -1]:<7.3f} {one.held_out[-1]:<9.3f} {one.fit.exponent:<9.4f} "
            f"[{low:.4f}, {high:.4f}]  {fixed(early, 3)} {fixed(late, 3)}"
        )
        beside.append(
            f"{head} {one.offset.exponent:<16.3f} [{first:.3f}, {last:.3f}]  {one.offset.offset:.2f} [{least:.2f}, {most:.2f}]"
        )
    return "\n".join([*lines, *(beside if len(beside) > 1 else [])])


_STYLES = ("-.", ":")
_MILLION = 1e6


def color(richness: float) -> str:
    """Return the colour of a richness: the scale of other pages, stretched so that 1e-4 to 0.1 fill it."""
    return richness_color(2 * math.sqrt(10 * richness))


def loss_figure(curves: Sequence[Curve], levels: Levels, average: int) -> Figure:
    """Draw losses of fresh batches and of held-out text against tokens."""
    lazy = curves[0]
    with book_style():
        figure = new_figure(6.4)
        axes = figure.subplots()
        for one in curves:
            tokens, loss = one.average(average)
            shade = color(one.run.richness)
            axes.loglog(tokens / _MILLION, loss, color=shade, label=rf"$\gamma_0 = {one.run.richness:g}$")
            shown = one.held_out_tokens >= tokens[0] / 4
            axes.loglog(one.held_out_tokens[shown] / _MILLION, one.held_out[shown], "o", color=shade, markersize=4)
        if lazy.fit is not None:
            x = np.array(lazy.window)
            middle = math.exp(np.log(x).mean())
            level = lazy.fit.prefactor * middle**-lazy.fit.exponent
            axes.loglog(
                x / _MILLION,
                1.015 * level * (x / middle) ** -lazy.fit.exponent,
                "--",
                color=INK,
                label=r"fit $t^{-\beta}$",
            )
            lowest = min((one for one in curves if one.fit), key=lambda one: float(one.binned[1, -1]))
            level = math.exp(np.interp(math.log(middle), np.log(lowest.binned[0]), np.log(lowest.binned[1])))
            names = (r"$t^{-\beta(2-\beta)}$", r"$t^{-2\beta/(1+\beta)}$")
            for number, exponent in enumerate(predictions(lazy.fit.exponent).values()):
                factor = 0.985 - 0.015 * number
                axes.loglog(
                    x / _MILLION,
                    factor * level * (x / middle) ** -exponent,
                    _STYLES[number],
                    color=INK,
                    label=names[number],
                )
        for name, level in (
            ("knowing nothing", levels.nothing),
            ("frequencies of tokens", levels.tokens),
            ("frequencies of pairs", levels.pairs),
        ):
            axes.axhline(level, color=MUTED, linewidth=1)
            axes.text(0.01, level, name, transform=axes.get_yaxis_transform(), va="bottom", color=MUTED)
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        axes.set_xlabel("million tokens")
        axes.set_ylabel("cross-entropy, nats per token")
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))  # curves fall, so there is room below the first level
    return figure


def gap_figure(curves: Sequence[Curve], average: int) -> Figure:
    """Draw losses over that of the laziest network on the same batches, and how far features have moved."""
    lazy, *others = curves
    with book_style():
        figure = new_figure(6.8)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for one in others:
            size = min(one.loss.size, lazy.loss.size)
            tokens = moving_average(lazy.tokens[:size], average)
            ratio = moving_average(one.loss[:size] / lazy.loss[:size], average)
            upper.semilogx(tokens, ratio, color=color(one.run.richness), label=rf"$\gamma_0 = {one.run.richness:g}$")
        for one in curves:
            lower.loglog(
                one.held_out_tokens,
                one.moved,
                color=color(one.run.richness),
                label=rf"$\gamma_0 = {one.run.richness:g}$",
            )
        upper.axhline(1, color=MUTED, linewidth=1)
        upper.set_ylabel("loss over that of the laziest")
        lower.set_ylabel("change of features")
        lower.set_xlabel("tokens")
        upper.legend(*lower.get_legend_handles_labels(), loc="lower left")
    return figure
