"""Figures 11 and 12: two-layer linear networks on an easy and a hard task, their loss and the growth of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import zeta

from companion.claims import Claim, Measurement, Page, fact, judged
from companion.parameters import (
    Parameters,
)
from companion.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, Window, fit_power_law, local_slope, theory_window
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.linear_networks import lazy_loss
from neural_scaling.models.runs import LinearNetworkRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import chi

#: Both figures come from the same runs and stand on one page.

#: Agreement of exponents of the easy task.
EASY_TOLERANCE = 0.1
#: Modes learned at the start of a fit. Five, not ten: at N = 100 the power of the easy task ends early.
MODES_AT_START = 5.0
#: Share of the finite-N transient in the loss, with prefactors one, at which a fit ends.
TRANSIENT_SHARE = 0.5
#: Scale of the kernel at initialization, ``A(0)^T A(0) + |w(0)|^2`` on average over initializations.
INITIAL_SCALE = 2.0

#: Agreement of the spike's overlap with its prediction, which holds for N to infinity.
OVERLAP_TOLERANCE = 0.05
#: Departure from balancing that finite steps may leave.
BALANCE_TOLERANCE = 0.1

Quantity = Literal["loss", "loss, all modes", "|w|^2", "|w - w(0)|^2"]


class Plan(Parameters):
    """What Figures 11 and 12 compute: the parameters of their notebook and the runs they make."""

    @property
    def hard_tolerance(self) -> float:
        """Agreement of exponents of the hard task: a third of the gap between lazy and rich, to three digits."""
        return round(float(chi(self.beta_hard) - self.beta_hard) / 3, 3)

    def runs(self, beta: float) -> list[LinearNetworkRun]:
        """Return the runs of a panel, one per seed, each with all richnesses."""
        size = (self.alpha, beta, self.modes, self.width, self.batch, self.eta0)
        return [LinearNetworkRun(*size, tuple(self.gammas), self.steps, seed) for seed in range(self.seeds)]

    def wide(self, beta: float) -> list[LinearNetworkRun]:
        """Return the run of the wider networks on a task."""
        size = (self.alpha, beta, self.modes, self.width_wide, self.batch, self.eta0)
        return [LinearNetworkRun(*size, tuple(self.gammas_wide), self.steps, 0)]

    def strong(self) -> list[LinearNetworkRun]:
        """Return the runs at large richness on the hard task, one per seed."""
        size = (self.alpha, self.beta_hard, self.modes, self.width, self.batch, self.eta0_strong)
        return [LinearNetworkRun(*size, (self.gamma_strong,), self.steps, seed) for seed in range(self.seeds)]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        tasks = (self.beta_easy, self.beta_hard)
        return [*(run for beta in tasks for run in (*self.runs(beta), *self.wide(beta))), *self.strong()]


@dataclass(frozen=True)
class Curves:
    """The networks of one width on one task."""

    alpha: float
    # beta, width, eta0, batch: source, N, learning rate and B
    beta: float
    width: int
    eta0: float
    batch: float
    gammas: tuple[float, ...]  # richness of each curve, shape (G,)
    step: Array  # recorded steps, shape (R,)
    values: Mapping[str, Array]  # each recorded quantity, shape (seeds, G, R)
    diverged_at: Array  # step at which a network diverged, or -1, shape (seeds, G)
    # variance of the target beyond the M modes that the network sees: what it would add to the loss if they were
    # there, as long as they are not learned
    tail: float

    def quantity(self, name: Quantity, gamma: float) -> Array:
        """Return a curve that is fitted, one per seed, shape (seeds, R)."""
        g = self.gammas.index(gamma)
        match name:
            case "loss":
                return self.values["loss"][:, g]
            case "loss, all modes":
                return self.values["loss"][:, g] + self.tail
            case "|w|^2":
                return self.values["weight_norm"][:, g]
            case "|w - w(0)|^2":
                return self.values["readout_change"][:, g]  # over gamma0^2, which no exponent feels

    def diverged(self, gamma: float) -> float | None:
        """Return the first step at which the network of some seed diverged, or None."""
        steps = self.diverged_at[:, self.gammas.index(gamma)]
        return float(steps[steps >= 0].min()) if np.any(steps >= 0) else None

    def edge(self, gamma: float) -> float:
        """Return the first recorded step at which eta0 times the sharpness reaches 2 for some seed, or infinity."""
        sharpness = self.eta0 * self.values["sharpness"][:, self.gammas.index(gamma)].max(axis=0)
        beyond = np.flatnonzero(sharpness >= 2)
        return float(self.step[beyond[0]]) if beyond.size else math.inf


@dataclass(frozen=True)
class ExponentRow:
    """A fitted exponent beside the lazy and the rich prediction."""

    # quantity, beta, width, gamma: what was fitted
    quantity: Quantity
    beta: float
    width: int
    gamma: float
    # lazy, rich: predictions. Of decay for losses, of growth for weights
    lazy: float
    rich: float
    exponent: float  # mean over seeds
    # 95 %: Student's for the spread over seeds and the mean curvature of the fits, in quadrature
    interval: tuple[float, float]
    window: Window  # the window, from theory


def curves(runs: Sequence[LinearNetworkRun], results: Mapping[Experiment, Result]) -> Curves:
    """Collect the networks of one task."""
    one, arrays = runs[0], [results[run].arrays for run in runs]
    names = [name for name in arrays[0] if name not in ("step", "diverged_at")]
    return Curves(
        one.alpha,
        one.beta,
        one.width,
        one.eta0,
        one.batch,
        one.gammas,
        arrays[0]["step"],
        {name: np.stack([each[name] for each in arrays]).astype(np.float64) for name in names},
        np.stack([each["diverged_at"] for each in arrays]),
        float(zeta(1 + one.alpha * one.beta, one.modes + 1)),
    )


def fit_window(data: Curves, gamma: float) -> Window:
    """Return the steps in which theory expects a power, whatever the curves look like.

    From :func:`~neural_scaling.fits.theory_window` for the kernel that starts at the scale 2 and grows by gamma0^2, from five
    learned modes to the last step, the edge of stability or the SGD noise. Of its finite-size terms the model bottleneck does not
    exist here, since the network is not projected, and the transient of finite width, ``(1/N) a^-(min(1, beta) - 1/alpha)``,
    comes from the initial features only: its clock is the lazy one, ``a = 2 eta0 t``.
    """
    eta, last, edge = INITIAL_SCALE * data.eta0, float(data.step[-1]), data.edge(gamma)
    window = theory_window(
        data.alpha,
        data.beta,
        eta,
        gamma**2,
        last,
        B=data.batch,
        modes=MODES_AT_START,
        edge_step=edge if edge < math.inf else None,
        allow_empty=True,
    )
    excess = data.beta - min(1.0, data.beta) + 1 / data.alpha  # share of the transient: a^excess / N
    transient = (TRANSIENT_SHARE * data.width) ** (1 / excess) / eta
    if transient < window.end:
        return Window(window.start, transient, window.start_reason, "finite-N transient")
    return window


def exponent_row(data: Curves, gamma: float, quantity: Quantity) -> ExponentRow | None:
    """Fit one quantity at one richness, or return None if the window is empty or a network diverged."""
    window = fit_window(data, gamma)
    if window.empty or data.diverged(gamma) is not None:
        return None
    lazy, rich = data.beta, float(chi(data.beta))
    sign = 1.0
    if quantity in ("|w|^2", "|w - w(0)|^2"):
        sign, lazy, rich = -1.0, max(0.0, 1 - lazy), max(0.0, 1 - rich)
    per_seed = data.quantity(quantity, gamma)[:, 1:]
    fits = [fit_power_law(data.step[1:], curve, window.span) for curve in per_seed]
    exponent, half = _mean([sign * fit.exponent for fit in fits], fits)
    return ExponentRow(
        quantity, data.beta, data.width, gamma, lazy, rich, exponent, (exponent - half, exponent + half), window
    )


def _mean(exponents: Sequence[float], fits: Sequence[PowerLawFit]) -> tuple[float, float]:
    """Return the mean over seeds and half the width of its 95 % interval."""
    curvature = NORMAL_95 * float(np.mean([fit.curvature for fit in fits]))
    scatter = Measurement.mean_of(np.array(exponents)).interval
    spread = (scatter[1] - scatter[0]) / 2 if scatter else 0.0
    return float(np.mean(exponents)), math.hypot(spread, curvature)


@dataclass(frozen=True)
class LazyRow:
    """Linearised networks of one width on the easy task."""

    width: float  # N, or infinity
    # exponent, interval: mean over seeds with a 95 % interval
    exponent: float
    interval: tuple[float, float]
    window: tuple[float, float]  # steps of the fit


def lazy_rows(plan: Plan, easy: Curves) -> list[LazyRow]:
    """Fit linearised networks of several widths and of infinite width, all in the lazy window of the paper's width."""
    window = fit_window(easy, easy.gammas[0])
    if window.empty:
        return []
    spectrum, step = PowerLaw(plan.alpha, plan.beta_easy, plan.modes_lazy).spectrum(), easy.step[1:]
    rows = []
    for width in (*plan.widths_lazy, math.inf):
        seeds = range(plan.seeds if width < math.inf else 1)
        fits = [fit_power_law(step, lazy_loss(spectrum, width, plan.eta0, step, seed), window.span) for seed in seeds]
        exponent, half = _mean([fit.exponent for fit in fits], fits)
        rows.append(LazyRow(width, exponent, (exponent - half, exponent + half), window.span))
    return rows


def spike_overlap(weight_norm: Array, modes: int, width: int) -> Array:
    """Return the overlap with w that a balanced first layer's leading left singular vector has.

    Balancing gives ``A A^T = A(0) A(0)^T + w w^T`` up to the small w(0). The first term is a Wishart matrix, whose spectrum lies
    between ``(sqrt(M/N) - 1)^2`` and ``(sqrt(M/N) + 1)^2`` and whose R-transform is ``(M/N) / (1 - g)``. A rank-one addition of
    size ``s = |w|^2`` then owns the leading direction from ``s = 1 + sqrt(M/N)`` on, with squared overlap
    ``1 - R'(1/s) / s^2 = 1 - (M/N) / (s - 1)^2``.
    """
    return np.asarray(np.sqrt(np.maximum(0.0, 1 - modes / width / np.maximum(weight_norm - 1, 1e-9) ** 2)))


@dataclass(frozen=True)
class SpikeRow:
    """The first layer at the last step, means over seeds."""

    # beta, gamma: task and richness
    beta: float
    gamma: float
    weight_norm: float  # |w|^2
    # first, second, first_at_start: leading singular values of A, and the first at initialization
    first: float
    second: float
    first_at_start: float
    with_readout: float  # overlap of A's leading left singular vector with w, means of |cos|
    # with_learned, with_target: overlap of its leading right singular vector with the learned map and with w*
    with_learned: float
    with_target: float
    change_rank_one: float  # share of the first singular value in the squared norm of A - A(0)
    # change_with_readout, change_with_learned, change_with_target: as above for A - A(0); the target as a function
    # of the data
    change_with_readout: float
    change_with_learned: float
    change_with_target: float
    imbalance: float  # largest over steps and seeds: departure from balancing relative to the change of A A^T


def spike_rows(data: Curves) -> list[SpikeRow]:
    """Summarize the first layer at the last step."""
    rows = []
    for g, gamma in enumerate(data.gammas):
        last = {name: float(value[:, g, -1].mean()) for name, value in data.values.items()}
        rows.append(
            SpikeRow(
                beta=data.beta,
                gamma=gamma,
                weight_norm=last["weight_norm"],
                first=last["singular_first"],
                second=last["singular_second"],
                first_at_start=float(data.values["singular_first"][:, g, 0].mean()),
                with_readout=last["spike_readout"],
                with_learned=last["spike_learned"],
                with_target=last["spike_target"],
                change_rank_one=last["rank_one"],
                change_with_readout=last["change_readout"],
                change_with_learned=last["change_learned"],
                change_with_target=last["change_target_seen"],
                imbalance=float(data.values["imbalance"][:, g].max()),
            )
        )
    return rows


def exponent_claim(
    data: Curves, gamma: float, quantity: Quantity, name: str, statement: str, where: str, tolerance: float, page: Page
) -> Claim:
    """Return the claim that a quantity of one network has the predicted power."""
    row, window = exponent_row(data, gamma, quantity), fit_window(data, gamma)
    growth = quantity in ("|w|^2", "|w - w(0)|^2")
    power = data.beta if gamma == data.gammas[0] < 1 else float(chi(data.beta))
    why = f": {window.empty}" if window.empty else f": diverged at step {data.diverged(gamma) or 0:.0f}"
    return judged(
        page,
        name,
        where,
        statement,
        f"exponent of {quantity} in steps, gamma0 = {gamma:g}, N = {data.width}",
        max(0.0, 1 - power) if growth else power,
        Measurement(None, None) if row is None else Measurement(row.exponent, row.interval, row.window.span),
        tolerance,
        remark=why if row is None else "",
    )


def loss_claims(plan: Plan, narrow: Sequence[Curves], wide: Sequence[Curves], strong: Curves) -> list[Claim]:
    """Return the claims of Figure 11."""
    claims = []
    quantity: Quantity
    for panel, letter in zip((narrow, wide), ("", ".wide"), strict=True):
        easy, hard = panel
        for data, task, tolerance in ((easy, "easy", EASY_TOLERANCE), (hard, "hard", plan.hard_tolerance)):
            where = f"Fig. 11{'a' if task == 'easy' else 'b'}, App. G"
            for gamma, kind in ((data.gammas[0], "lazy"), (data.gammas[-1], "rich")):
                power = data.beta if kind == "lazy" else float(chi(data.beta))
                statement = f"The loss of the {task} task (beta = {data.beta:g}), {kind}, falls as t^-{power:.3g}."
                common = (statement, where, tolerance, plan)
                claims.append(exponent_claim(data, gamma, "loss", f"fig11.{task}.{kind}{letter}", *common))
                if task == "hard":
                    name = f"fig11.{task}.{kind}.all-modes{letter}"
                    claims.append(exponent_claim(data, gamma, "loss, all modes", name, *common))
    power = float(chi(strong.beta))
    text = f"Far in the rich regime the loss of the hard task (beta = {strong.beta:g}) falls as t^-{power:.3g}."
    for quantity, name in (("loss", "fig11.hard.strong"), ("loss, all modes", "fig11.hard.strong.all-modes")):
        where = "Fig. 11b, App. G"
        claims.append(exponent_claim(strong, strong.gammas[0], quantity, name, text, where, plan.hard_tolerance, plan))
    return [*claims, _constant_claim(narrow[0], plan)]


def _constant_claim(data: Curves, page: Page) -> Claim:
    """Return the claim that richness lowers the constant of the easy task."""
    inside = data.step <= fit_window(data, data.gammas[0]).end
    ratios = data.values["loss"][:, -1, inside][:, -1] / data.values["loss"][:, 0, inside][:, -1]
    good = bool(np.all(ratios < 1))
    return fact(
        page,
        "fig11.easy.constant",
        "Fig. 11a, App. G",
        "For an easy task richness lowers the loss by a constant factor.",
        f"loss at gamma0 = {data.gammas[-1]:g} over loss at gamma0 = {data.gammas[0]:g}, end of the lazy window",
        "confirmed" if good else "not confirmed",
        "for every seed (mean and extremes)" if good else "not for every seed (mean and extremes)",
        "below 1",
        Measurement(float(ratios.mean()), (float(ratios.min()), float(ratios.max()))),
    )


def lazy_claim(rows: Sequence[LazyRow], beta: float, page: Page) -> Claim:
    """Return the claim about the widest of the linearised networks."""
    row = max((row for row in rows if row.width < math.inf), key=lambda row: row.width, default=None)
    return judged(
        page,
        "fig11.easy.lazy.widest",
        "Fig. 11a, App. G",
        f"Linearised, the loss of the easy task (beta = {beta:g}) falls as t^-{beta:g} in the limit of large width.",
        "exponent of loss in steps" + ("" if row is None else f", gamma0 -> 0, B -> infinity, N = {row.width:g}"),
        beta,
        Measurement(None, None) if row is None else Measurement(row.exponent, row.interval, row.window),
        EASY_TOLERANCE,
    )


def weight_claims(plan: Plan, narrow: Sequence[Curves], wide: Curves, strong: Curves) -> list[Claim]:
    """Return the claims of Figure 12 and of the spike."""
    easy, hard = narrow
    lazy, rich = plan.gammas[0], plan.gammas[-1]
    power, first = 1 - float(chi(hard.beta)), 1 - hard.beta
    easily, hardly = "Fig. 12a, App. G", "Fig. 12b, App. G"
    tolerance = plan.hard_tolerance
    text = f"For a hard task |w|^2 grows as t^{power:.3g}."
    slow = f"At small richness the change of w grows as in perturbation theory, its square as t^{first:.3g}."
    stop = "For an easy task |w|^2 grows to a finite size and stays there."
    claims = [
        exponent_claim(easy, rich, "|w|^2", "fig11.weights.easy.rich", stop, easily, tolerance, plan),
        exponent_claim(hard, rich, "|w|^2", "fig11.weights.hard.rich", text, hardly, tolerance, plan),
        exponent_claim(strong, strong.gammas[0], "|w|^2", "fig11.weights.hard.strong", text, hardly, tolerance, plan),
        exponent_claim(hard, rich, "|w - w(0)|^2", "fig11.weights.hard.rich.change", text, hardly, tolerance, plan),
        exponent_claim(hard, lazy, "|w - w(0)|^2", "fig11.weights.hard.lazy.change", slow, hardly, tolerance, plan),
        exponent_claim(
            wide, wide.gammas[0], "|w - w(0)|^2", "fig11.weights.hard.lazy.change.wide", slow, hardly, tolerance, plan
        ),
    ]
    for data, kind in ((hard, "rich"), (strong, "strong")):
        overlaps = data.values["spike_readout"][:, -1, -1]
        spread = (float(overlaps.min()), float(overlaps.max()))
        predicted = float(spike_overlap(data.values["weight_norm"][:, -1, -1], plan.modes, data.width).mean())
        claims.append(
            judged(
                plan,
                f"fig11.weights.spike.{kind}",
                "App. G.3",
                "The growth of w is matched by a rank-one spike in the first layer.",
                f"overlap of A's leading left singular vector with w, last step, gamma0 = {data.gammas[-1]:g}, mean and extremes",
                predicted,
                Measurement(float(overlaps.mean()), spread),
                OVERLAP_TOLERANCE,
            )
        )
    departures = [row.imbalance for data in (*narrow, strong) for row in spike_rows(data)]
    claims.append(
        judged(
            plan,
            "fig11.weights.balancing",
            "App. G.3",
            "Training changes A A^T and w w^T by the same amount (balancing).",
            "norm of the difference over that of the change of A A^T, largest over steps, richnesses and seeds",
            0.0,
            Measurement(max(departures), (min(departures), max(departures))),
            BALANCE_TOLERANCE,
        )
    )
    return claims


def loss_figure(easy: Curves, hard: Curves) -> Figure:
    """Draw Figure 11: loss against steps for every richness."""
    with book_style():
        figure = new_figure(8.6)
        for axes, data, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            _curves(axes, data, "loss")
            last = np.exp(np.log(data.values["loss"][:, :, -1]).mean(axis=0))
            lazy, rich = data.beta, float(chi(data.beta))
            _guide(axes, data.step, 1.7 * float(last[0]), -lazy, rf"$t^{{-{lazy:g}}}$", above=True)
            if rich > lazy:
                _guide(axes, data.step, float(last[-1]) / 1.4, -rich, rf"$t^{{-{rich:.3f}}}$", above=False)
            if data.beta < 1:
                plain_ticks(axes.yaxis)
            axes.set_ylabel("loss")
            axes.set_title(f"({letter}) {_task(data)}")
            axes.legend(loc="lower left", ncols=2)
    return figure


def weights_figure(easy: Curves, hard: Curves) -> Figure:
    """Draw Figure 12: the squared norm of w against steps for every richness."""
    with book_style():
        figure = new_figure(8.6)
        for axes, data, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            _curves(axes, data, "weight_norm", bands=False)
            last = float(np.exp(np.log(data.values["weight_norm"][:, -1, -1]).mean()))
            lazy, rich = 1 - data.beta, 1 - float(chi(data.beta))
            if rich > 0:
                _guide(axes, data.step, 8.0 * last, lazy, rf"$t^{{{lazy:g}}}$", above=True)
                _guide(axes, data.step, 1.6 * last, rich, rf"$t^{{{rich:.3f}}}$", above=True)
            axes.set_ylim(0.5, 12 * last)
            plain_ticks(axes.yaxis)
            axes.set_ylabel(r"$|w|^2$")
            axes.set_title(f"({letter}) {_task(data)}")
            axes.legend(loc="upper left", ncols=2)
    return figure


def regime_figure(hard: Curves, strong: Curves) -> Figure:
    """Draw the local exponents of loss and weights of the hard task, from lazy to far in the rich regime."""
    beta, power = hard.beta, float(chi(hard.beta))
    with book_style():
        figure = new_figure(8.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for data, gamma in ((hard, hard.gammas[0]), (hard, hard.gammas[-1]), (strong, strong.gammas[0])):
            if data.diverged(gamma) is not None:
                continue
            for axes, sign, curve in (
                (upper, 1, data.quantity("loss, all modes", gamma)),
                (lower, -1, data.quantity("|w - w(0)|^2", gamma)),
            ):
                slope = local_slope(data.step[1:], np.exp(np.log(curve[:, 1:]).mean(axis=0)), width=0.5)
                axes.semilogx(
                    slope.t, sign * slope.exponent, color=richness_color(gamma), label=rf"$\gamma_0 = {gamma:g}$"
                )
        for axes, lazy, rich in ((upper, beta, power), (lower, 1 - beta, 1 - power)):
            for value, name in ((lazy, "lazy"), (rich, "rich")):
                axes.axhline(value, color=MUTED, linestyle="--", linewidth=1.3)
                axes.annotate(
                    name,
                    (1.0, value),
                    (4, 4),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    color=MUTED,
                )
        upper.set_ylim(0, 2 * power)
        lower.set_ylim(1 - 2 * power, 1.5 * (1 - beta))
        upper.set_ylabel("exponent of the loss")
        lower.set_ylabel(r"exponent of $|w - w(0)|^2$")
        lower.set_xlabel("steps $t$")
        upper.legend(loc="upper right", ncols=3)
    return figure


def spike_figure(easy: Curves, hard: Curves, strong: Curves, modes: int) -> Figure:
    """Draw the overlap of the first layer's leading singular vector with the readout, against the readout's size."""
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        for data, name, marker in ((easy, "easy", "s"), (hard, "hard", "o"), (strong, "hard", "^")):
            gamma = data.gammas[-1]
            axes.semilogx(
                data.values["weight_norm"][:, -1, ::4].ravel(),
                data.values["spike_readout"][:, -1, ::4].ravel(),
                marker,
                color=MUTED if name == "easy" else richness_color(gamma),
                markersize=4,
                label=rf"{name}, $\gamma_0 = {gamma:g}$",
            )
        size = np.geomspace(1 + np.sqrt(modes / hard.width), 1.2 * strong.values["weight_norm"][:, -1].max(), 300)
        axes.semilogx(size, spike_overlap(size, modes, hard.width), "--", color=INK, linewidth=1.3, label="theory")
        axes.set_xlabel(r"$|w|^2$")
        axes.set_ylabel("overlap with $w$")
        axes.set_ylim(0, 1.05)
        axes.legend(loc="upper left")
    return figure


def _task(data: Curves) -> str:
    kind = "hard" if data.beta < 1 else "easy"
    return rf"{kind} task, $\beta = {data.beta:g}$, $N = {data.width}$"


def _curves(axes: Axes, data: Curves, name: str, bands: bool = True) -> None:
    for g, gamma in enumerate(data.gammas):
        if data.diverged(gamma) is not None:
            continue
        logs = np.log(data.values[name][:, g, 1:])
        mean, spread = logs.mean(axis=0), logs.std(axis=0, ddof=1) if len(logs) > 1 else np.zeros(logs.shape[1])
        color = richness_color(gamma)
        # Wide below narrow, so that curves that coincide are all seen.
        width = 4.4 - 2.8 * g / max(len(data.gammas) - 1, 1)
        axes.loglog(data.step[1:], np.exp(mean), color=color, linewidth=width, label=rf"$\gamma_0 = {gamma:g}$")
        if not bands and g < len(data.gammas) - 1:
            continue
        axes.fill_between(
            data.step[1:], np.exp(mean - spread), np.exp(mean + spread), color=color, alpha=0.15, linewidth=0
        )
    axes.set_xlabel("steps $t$")


def _guide(axes: Axes, step: Array, last: float, power: float, label: str, above: bool) -> None:
    """Draw a power law that ends at a value at the last step, over the last decade and a half."""
    x = np.array([step[-1] / 30, step[-1]])
    y = last * (x / x[-1]) ** power
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4)
    axes.annotate(
        label,
        (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
        (4, 7) if above else (-4, -16),
        textcoords="offset points",
        ha="left" if above == (power < 0) else "right",
        color=MUTED,
    )
