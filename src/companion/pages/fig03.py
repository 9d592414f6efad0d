"""Figure 3: what a finite batch adds to the loss, for a hard and a super-easy task."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import zeta

from companion.agreement import (
    agreement_table,
    claims_at_both_ends,
    dense_curve,
    mean_curve,
    resampled_mean,
    seed_losses,
)
from companion.claims import Claim, Measurement, Page, judged
from companion.parameters import (
    Parameters,
)
from companion.style import INK, MUTED, book_style, new_figure, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import resampled
from neural_scaling.dmft import mean_square_stability
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.models.runs import InfiniteLimitRun, LongDMFTRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    chi,
    kernel_growth_exponent,
    kernel_scale,
    sgd_exponent,
    step_of_modes,
    transient_exponent,
)

#: Agreement of exponents: a third of the gap between the lazy and the rich exponent of the hard task (1/2 and 2/3).
EXPONENT_TOLERANCE = 0.055
#: One term counts as alone where it is this many times the next (prefactors one).
DOMINANCE = 10.0
#: SGD noise feeds on itself when the product of strength and kernel reaches one; runs end well before.
NOISE_LIMIT = 0.5
_RESAMPLES = 400


class Plan(Parameters):
    """What Figure 3 computes: the parameters of its notebook and the runs they make."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_same_length("batches", "seeds")

    def eta(self, beta: float) -> float:
        """Return the learning rate of the panel of a source."""
        return float(self.eta_hard if beta == self.beta_hard else self.eta_super_easy)

    def limit(self, beta: float) -> InfiniteLimitRun:
        """Return the run at infinite width and batch."""
        return InfiniteLimitRun(self.alpha, beta, math.inf, self.eta(beta), self.gamma, self.steps)

    def theory(self, beta: float) -> list[OnlineDMFTRun]:
        """Return the mean-field runs of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [OnlineDMFTRun(*common, width=self.width, batch=batch) for batch in self.batches]

    def simulation(self, beta: float) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [
            ToyModelRun(*common, width=self.width, batch=batch, seeds=seeds)
            for batch, seeds in zip(self.batches, self.seeds, strict=True)
        ]

    def long(self, beta: float) -> dict[tuple[float, float], LongDMFTRun]:
        """Return the mean-field runs to late times by (N, B).

        At infinite width: the smallest, the largest and an infinite batch. For the super-easy task also every batch, and an
        infinite one, at the width of the figure. A run ends where SGD noise would begin to feed on itself.
        """
        sizes = [(math.inf, float(batch)) for batch in (self.batches[0], self.batches[-1], math.inf)]
        if beta == self.beta_super_easy:
            sizes += [(float(self.width), float(batch)) for batch in (*self.batches, math.inf)]
        return {
            (width, batch): LongDMFTRun(
                self.alpha,
                beta,
                math.inf,
                self.eta(beta),
                self.gamma,
                min(self.time_long, self._noise_end(beta, batch)),
                width=width,
                batch=batch,
            )
            for width, batch in sizes
        }

    def _noise_end(self, beta: float, batch: float) -> float:
        """Return eta*steps at which ``(eta/B) K sum_k lambda_k / 2`` reaches :data:`NOISE_LIMIT`; infinite if it never does."""
        growth = kernel_growth_exponent(beta, rich=True)
        largest = NOISE_LIMIT * batch / (0.5 * self.eta(beta) * float(zeta(self.alpha)))
        return float(((largest - 1) / self.gamma) ** (1 / growth)) if growth > 0 else math.inf

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for beta in (self.beta_hard, self.beta_super_easy):
            runs += [*self.simulation(beta), *self.theory(beta), self.limit(beta), *self.long(beta).values()]
        return list(dict.fromkeys(runs))


@dataclass(frozen=True)
class Panel:
    """One task."""

    # alpha, beta, gamma, eta, width: capacity, source, richness, learning rate and N
    alpha: float
    beta: float
    gamma: float
    eta: float
    width: int
    batches: tuple[int, ...]  # B of each curve
    # simulation, theory: results of simulation and mean-field theory in unit steps, one per batch
    simulation: tuple[Result, ...]
    theory: tuple[Result, ...]
    limit: Result  # result at infinite width and batch in unit steps
    long: dict[tuple[float, float], Result]  # results of the theory to late times by (N, B), infinity included


@dataclass(frozen=True)
class StabilityRow:
    """How far a batch is from mean-square instability; the loss of SGD stays bounded below 1."""

    batch: int  # B
    lazy: float  # of the initial kernel
    # of the kernel at the last step, by which it has grown to growth times its initial scale at N, B -> infinity
    grown: float
    growth: float  # K = 1 + gamma C_w at the last step


@dataclass(frozen=True)
class ExcessRow:
    """Loss at a batch over the loss at the largest batch, less one."""

    batch: int  # B
    at_last: float  # at the last step
    interval: tuple[float, float]  # 95 %, from resampled seeds
    theory: float  # the same for the mean-field theory
    # change of ln(L_B / L_largest) per e-fold of steps over the last decade: by how much the exponents differ
    slope: float
    slope_interval: tuple[float, float]  # 95 %, from resampled seeds


@dataclass(frozen=True)
class TransientRow:
    """Exponent in time of one term of the loss, where it is alone."""

    name: str  # short name, for identifiers
    words: str  # what it is
    location: str  # where the paper states it
    predicted: float  # exponent in the paper, eq. 9
    corrected: float | None  # exponent of the corrected law where it differs, else None
    fit: PowerLawFit | None  # power law in the window, eta*steps; None if the window is empty


def panel(plan: Plan, beta: float, results: Mapping[Experiment, Result]) -> Panel:
    """Collect the curves of a panel."""
    return Panel(
        alpha=plan.alpha,
        beta=beta,
        gamma=plan.gamma,
        eta=plan.eta(beta),
        width=plan.width,
        batches=tuple(plan.batches),
        simulation=tuple(results[run] for run in plan.simulation(beta)),
        theory=tuple(results[run] for run in plan.theory(beta)),
        limit=results[plan.limit(beta)],
        long={sizes: results[run] for sizes, run in plan.long(beta).items()},
    )


def stability(panel: Panel) -> list[StabilityRow]:
    """Compute the mean-square-stability numbers of a panel."""
    # The sum converges once all modes with eta lambda_k of order one are resolved.
    quadrature = PowerLaw(panel.alpha, panel.beta).quadrature(1e4)
    growth = 1 + panel.gamma * float(panel.limit.arrays["weight_norm"][-1])
    return [
        StabilityRow(
            batch,
            mean_square_stability(quadrature, panel.eta, batch),
            mean_square_stability(quadrature, panel.eta * growth, batch),
            growth,
        )
        for batch in panel.batches
    ]


def agreement(panel: Panel) -> pd.DataFrame:
    """Compare the mean of the simulations with the theory at every batch."""
    return agreement_table(panel.batches, panel.theory, panel.simulation, _RESAMPLES)


def excess(panel: Panel) -> list[ExcessRow]:
    """Compare every batch with the largest one."""
    step = panel.simulation[0].arrays["step"][1:]
    late = step >= step[-1] / 10

    def slope(ratio: Array) -> float:
        return float(np.polyfit(np.log(step[late]), np.log(ratio[late]), 1)[0])

    largest = mean_curve(panel.simulation[-1])[1]
    largest_drawn = _resampled_means(panel.simulation[-1], stream=1)
    rows = []
    for batch, theory, simulation in zip(panel.batches[:-1], panel.theory[:-1], panel.simulation[:-1], strict=True):
        ratio = mean_curve(simulation)[1] / largest
        drawn = [a / b for a, b in zip(_resampled_means(simulation), largest_drawn, strict=True)]
        slopes = [slope(one) for one in drawn]
        rows.append(
            ExcessRow(
                batch=batch,
                at_last=float(ratio[-1] - 1),
                interval=_around(float(ratio[-1] - 1), [float(one[-1] - 1) for one in drawn]),
                theory=float(theory.arrays["loss"][-1] / panel.theory[-1].arrays["loss"][-1] - 1),
                slope=slope(ratio),
                slope_interval=_around(slope(ratio), slopes),
            )
        )
    return rows


def transients(panel: Panel) -> list[TransientRow]:
    """Fit the terms of a super-easy task one by one, each in the limit that isolates it, on the theory's late times.

    Windows come from the loss law with prefactors one: a term's window holds the times at which it is :data:`DOMINANCE` times
    the next one and at least ten modes are learned.
    """
    alpha, beta, width, batch = panel.alpha, panel.beta, float(panel.width), float(panel.batches[0])
    learned = panel.eta * step_of_modes(alpha, beta, panel.gamma, panel.eta, 10.0)
    end = float(panel.eta * panel.limit.arrays["step"][-1])
    last = max(end, panel.eta * float(panel.long[math.inf, math.inf].arrays["step"][-1]))
    sgd, transient = sgd_exponent(alpha, beta, rich=True), transient_exponent(alpha, beta, rich=True)
    sgd_start = (DOMINANCE * batch / panel.eta) ** (1 / (beta - sgd))
    transient_start = (DOMINANCE * width) ** (1 / (beta - transient))
    # The bottleneck N^-alpha against (1/N) t^-e.
    transient_end = (width ** (alpha - 1) / DOMINANCE) ** (1 / transient)
    cases = (
        ("gradient-flow", "gradient flow", "eq. 10", beta, (math.inf, math.inf), (learned, last)),
        ("sgd", "SGD transient", "eq. 9", sgd, (math.inf, batch), (max(learned, sgd_start), last)),
        (
            "finite-width",
            "finite-N transient",
            "eq. 9",
            transient,
            (width, math.inf),
            (max(learned, transient_start), min(transient_end, last)),
        ),
    )
    return [
        TransientRow(name, words, location, predicted, None, _fit(panel, sizes, window))
        for name, words, location, predicted, sizes, window in cases
    ]


def hard_noise(panel: Panel) -> TransientRow:
    """Fit the growth of the relative excess loss that SGD noise gives a hard task, in the theory at infinite width.

    The paper's law has ``(eta/B) t^-(2-1/alpha)m`` beside ``t^-beta m``, a ratio that falls; the corrected one has a ratio
    that grows like the kernel, ``t^(1-chi)``. The largest batch is taken, for which the excess stays small, and a window in
    which the growth of the kernel is :data:`DOMINANCE` times its initial scale.
    """
    time, relative = noise_share(panel, panel.batches[-1])
    corrected = -kernel_growth_exponent(panel.beta, rich=True)
    window = ((DOMINANCE / panel.gamma) ** (-1 / corrected), float(time[-1]))
    usable = window[1] > 2 * window[0] and bool(np.all(relative[time >= window[0]] > 0))
    fit = fit_power_law(time[relative > 0], relative[relative > 0], window) if usable else None
    paper = sgd_exponent(panel.alpha, panel.beta, rich=True) - chi(panel.beta)
    return TransientRow("noise", "relative excess of the loss", "eq. 9", paper, corrected, fit)


def noise_share(panel: Panel, batch: int) -> tuple[Array, Array]:
    """Return eta*steps and the relative excess loss that a batch causes at infinite width, in the theory at late times."""
    time, noisy = late(panel, (math.inf, float(batch)))
    shown = time[time >= 1]
    quiet = resampled(*late(panel, (math.inf, math.inf)), shown)
    return shown, noisy[time >= 1] / quiet - 1


def late(panel: Panel, sizes: tuple[float, float]) -> tuple[Array, Array]:
    """Return eta*steps and the loss of the theory at late times."""
    arrays = panel.long[sizes].arrays
    kept = (arrays["step"] > 0) & (arrays["loss"] > 1e-12 * arrays["loss"][0])
    time = panel.eta * arrays["step"][kept]
    return dense_curve(time, arrays["loss"][kept], float(time[0]))


def local_noise(panel: Panel, batch: int, time: Array) -> Array:
    """Return the leading relative excess loss of a hard task, ``(eta/B) K sum_k lambda_k / 2``."""
    growth = kernel_scale(panel.beta, panel.gamma, 1.0, time)
    return np.asarray(0.5 * panel.eta / batch * float(zeta(panel.alpha)) * growth)


def transient_claims(task: str, rows: Sequence[TransientRow], letter: str, page: Page) -> list[Claim]:
    """Return the claims about the exponents of single terms."""
    return [
        judged(
            page,
            f"fig03.{task}.{row.name}",
            f"Fig. 3{letter}, {row.location}",
            f"The {row.words} of the {task} task goes as t^{-row.predicted:+.3g}.",
            f"exponent of decay of the {row.words} in eta*steps, theory at late times",
            row.predicted,
            Measurement.exponent(row.fit),
            EXPONENT_TOLERANCE,
            row.corrected,
        )
        for row in rows
    ]


def agreement_claims(page: Page, panel: Panel, found: pd.DataFrame) -> list[Claim]:
    """Return the claims that theory describes simulation, at the smallest and the largest batch."""
    letter, task = ("a", "hard") if panel.beta < 1 else ("b", "super-easy")
    doubt = "; the theory leaves out the fourth moment of the data, a relative correction of order 1/B"
    return claims_at_both_ends(page, found, f"3{letter}", task, "B", doubt)


def shift_claim(panel: Panel, page: Page) -> Claim:
    """Return the claim that SGD noise leaves the scaling of a hard task alone, over the steps of the figure."""
    row = excess(panel)[0]
    step = panel.simulation[0].arrays["step"]
    return judged(
        page,
        "fig03.hard.shift",
        "Fig. 3a",
        "SGD noise does not significantly alter the scaling of a hard task.",
        f"exponent at B = {panel.batches[-1]} less that at B = {row.batch}, last decade of the simulated steps",
        0.0,
        Measurement(row.slope, row.slope_interval, (float(step[-1] / 10), float(step[-1]))),
        EXPONENT_TOLERANCE,
        remark=f"; the loss at B = {row.batch} is {100 * row.at_last:.0f} % above that at B = {panel.batches[-1]} "
        "at the last step",
    )


def batch_claim(panel: Panel, page: Page) -> Claim:
    """Return the claim that the SGD transient is proportional to 1/B."""
    small, large = panel.batches[0], panel.batches[-1]
    middle = panel.batches.index(next(batch for batch in panel.batches if batch >= 4))
    step = panel.simulation[0].arrays["step"][1:]
    late = step >= step[-1] / 10
    # The excess over the largest batch is proportional to 1/B - 1/largest.
    predicted = (1 / small - 1 / large) / (1 / panel.batches[middle] - 1 / large)

    def ratio(curves: Sequence[Array]) -> float:
        first, second, reference = (curve[late] for curve in curves)
        return float(np.mean(first - reference) / np.mean(second - reference))

    runs = (panel.simulation[0], panel.simulation[middle], panel.simulation[-1])
    measured = ratio([mean_curve(run)[1] for run in runs])
    drawn = zip(*(_resampled_means(run, stream=stream) for stream, run in enumerate(runs)), strict=True)
    interval = _around(measured, [ratio(curves) for curves in drawn])
    return judged(
        page,
        "fig03.super-easy.one-over-b",
        "Fig. 3b, eq. 9",
        "The SGD transient of a super-easy task is proportional to 1/B.",
        f"excess over B = {large} at B = {small} over that at B = {panel.batches[middle]}, last decade of steps",
        predicted,
        Measurement(measured, interval, (float(step[-1] / 10), float(step[-1]))),
        0.25 * predicted,
    )


def _fit(panel: Panel, sizes: tuple[float, float], window: tuple[float, float]) -> PowerLawFit | None:
    """Fit a long curve in a window of eta*steps, or not at all if the window is shorter than a factor of two."""
    time, loss = late(panel, sizes)
    window = (window[0], min(window[1], float(time[-1])))
    return fit_power_law(time, loss, window) if window[1] > 2 * window[0] else None


def _resampled_means(result: Result, stream: int = 0) -> list[Array]:
    """Return mean curves of seeds drawn with replacement; another stream draws independently."""
    losses, random = seed_losses(result), np.random.default_rng(stream)
    return [resampled_mean(losses, random) for _ in range(_RESAMPLES)]


def _around(value: float, drawn: Sequence[float]) -> tuple[float, float]:
    error = NORMAL_95 * float(np.std(drawn, ddof=1))
    return value - error, value + error


def batch_color(batch: float) -> str:
    """Colour of a batch: the scale of widths, from 2^0 on; an infinite batch is black."""
    return width_color(16 * batch)


def loss_figure(hard: Panel, super_easy: Panel) -> Figure:
    """Draw loss against steps: simulated mean with band and theory, one curve per batch, and the guides."""
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (hard, super_easy), "ab", strict=True):
            lowest = math.inf
            for batch, theory, simulation in zip(panel.batches, panel.theory, panel.simulation, strict=True):
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color = batch_color(batch)
                axes.loglog(step, mean, color=color, label=f"$B = {batch}$")
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a third of the mean.
                lower = np.maximum(mean - spread, mean / 3)
                axes.fill_between(step, lower, mean + spread, color=color, alpha=0.15, linewidth=0)
                axes.loglog(theory.arrays["step"][1:], theory.arrays["loss"][1:], "--", color=INK, linewidth=1.1)
                lowest = min(lowest, float(mean.min()))
            limit = panel.limit.arrays
            axes.loglog(limit["step"][1:], limit["loss"][1:], ":", color=MUTED, linewidth=1.6)
            axes.set_ylim(0.25 * lowest, None)
            _guides(axes, panel)
            kind = "hard" if panel.beta < 1 else "super-easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, $N = {panel.width}$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            handles, labels = axes.get_legend_handles_labels()
            handles += [
                Line2D([], [], color=INK, linestyle="--", linewidth=1.1),
                Line2D([], [], color=MUTED, linestyle=":", linewidth=1.6),
            ]
            axes.legend(handles, [*labels, "theory", r"$N, B \to \infty$"], loc="lower left", ncols=2, fontsize=11)
    return figure


def late_figure(hard: Panel, super_easy: Panel) -> Figure:
    """Draw the theory to late times: terms of the super-easy task, and what SGD noise adds to the hard one."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1)
        smallest, width = float(super_easy.batches[0]), float(super_easy.width)
        for batch in super_easy.batches:
            time, loss = late(super_easy, (width, float(batch)))
            upper.loglog(time, loss, color=batch_color(batch), label=f"$B = {batch}$")
        for sizes, style, label in (
            ((math.inf, math.inf), ":", r"$N, B = \infty$"),
            ((math.inf, smallest), "--", rf"$N = \infty$, $B = {smallest:g}$"),
            ((width, math.inf), "-.", rf"$B = \infty$, $N = {width:g}$"),
        ):
            time, loss = late(super_easy, sizes)
            upper.loglog(time, loss, style, color=INK, linewidth=1.2, label=label)
        floor = float(late(super_easy, (math.inf, smallest))[1][-1])
        upper.set_ylim(0.1 * floor, None)
        upper.set_title(rf"super-easy task, $\beta = {super_easy.beta:g}$, theory")
        upper.set_ylabel("loss")
        upper.legend(loc="lower left", ncols=2, fontsize=10)
        for batch in (hard.batches[0], hard.batches[-1]):
            time, relative = noise_share(hard, batch)
            lower.loglog(time, relative, color=batch_color(batch), label=rf"$N = \infty$, $B = {batch}$")
            lower.loglog(time, local_noise(hard, batch, time), "--", color=MUTED, linewidth=1.3)
        lower.plot([], [], "--", color=MUTED, label=r"$(\eta / B)\, K(t)\, \sum_k \lambda_k / 2$")
        lower.set_title(rf"hard task, $\beta = {hard.beta:g}$, theory")
        lower.set_ylabel("relative excess loss")
        lower.set_xlabel(r"$\eta t$")
        lower.legend(loc="lower right")
    return figure


def _guides(axes: Axes, panel: Panel) -> None:
    """Draw the paper's powers: the rich one for a hard task; SGD and finite-N transients for a super-easy one."""
    step = panel.theory[0].arrays["step"][1:]
    last = float(step[-1])
    first, largest = (result.arrays["loss"][1:] for result in (panel.theory[0], panel.theory[-1]))
    if panel.beta < 1:
        power = float(chi(panel.beta))
        lines = [(power, rf"$t^{{-{power:.3g}}}$", (last / 8, last), float(largest[-1]) / 1.5, last, "below")]
    else:
        sgd, transient = (function(panel.alpha, panel.beta, True) for function in (sgd_exponent, transient_exponent))
        at = last / 12
        lines = [
            (sgd, rf"$t^{{-{sgd:g}}}$", (at / 2, at * 2.5), 2.2 * float(np.interp(at, step, first)), at, "above"),
            (transient, rf"$t^{{-{transient:g}}}$", (last / 12, last), float(largest[-1]) / 1.8, last, "below"),
        ]
    for power, label, ends, level, anchor, side in lines:
        x = np.array(ends)
        y = level * (x / anchor) ** -power
        axes.loglog(x, y, "--", color=MUTED, linewidth=1.5)
        axes.annotate(
            label,
            (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
            (6, 6) if side == "above" else (-6, -18),
            textcoords="offset points",
            ha="left" if side == "above" else "right",
            color=MUTED,
        )
