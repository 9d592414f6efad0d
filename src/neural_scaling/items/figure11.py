"""Figures 11 and 12: two-layer linear networks on an easy and a hard task, their loss and the growth of their weights."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import zeta

from neural_scaling.claims import Claim, Measurement, judged
from neural_scaling.experiments import LinearNetworkRun
from neural_scaling.fits import PowerLawFit, Window, fit_power_law, theory_window
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.linear_networks import lazy_loss
from neural_scaling.parameters import (
    Capacity,
    Count,
    EasySource,
    HardSource,
    Parameters,
    Positive,
    Rising,
    RisingCounts,
    Seeds,
    Size,
)
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import Array, PowerLaw
from neural_scaling.theory import chi

#: Both figures come from the same runs and stand on one page.
ITEM = "fig11"

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


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """What Figures 11 and 12 compute: the parameters of their notebook and the runs they make.

    Attributes
    ----------
    alpha
        Capacity.
    beta_easy, beta_hard
        Sources of panels (a) and (b).
    modes, width, batch
        M, N and B.
    eta0
        Learning rate.
    gammas
        Richness gamma0 of each network, ascending.
    steps
        Last step.
    seeds
        Number of initializations and data streams; they are 0, 1, ..., seeds - 1.
    width_wide, gammas_wide
        N and richnesses of wider networks, one seed, that show what the width does.
    eta0_strong, gamma_strong
        Learning rate and richness of networks on the hard task far beyond the crossover from lazy to rich.
    widths_lazy, modes_lazy
        N and M of linearised networks on the easy task, which are exact for any N.
    """

    alpha: Capacity
    beta_easy: EasySource
    beta_hard: HardSource
    modes: Count
    width: Count
    batch: Size
    eta0: Positive
    gammas: Rising
    steps: Count
    seeds: Seeds
    width_wide: Count
    gammas_wide: Rising
    eta0_strong: Positive
    gamma_strong: Positive
    widths_lazy: RisingCounts
    modes_lazy: Count

    @property
    def hard_tolerance(self) -> float:
        """Agreement of exponents of the hard task: a third of the gap between lazy and rich, to three digits."""
        return round((float(chi(self.beta_hard)) - self.beta_hard) / 3, 3)

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
    """The networks of one width on one task.

    Attributes
    ----------
    beta, width, eta0, batch
        Source, N, learning rate and B.
    gammas
        Richness of each curve, shape (G,).
    step
        Recorded steps, shape (R,).
    values
        Each recorded quantity, shape (seeds, G, R).
    diverged_at
        Step at which a network diverged, or -1, shape (seeds, G).
    tail
        Variance of the target beyond the M modes that the network sees: what it would add to the loss if they were there,
        as long as they are not learned.
    """

    alpha: float
    beta: float
    width: int
    eta0: float
    batch: float
    gammas: tuple[float, ...]
    step: Array
    values: Mapping[str, Array]
    diverged_at: Array
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
    """A fitted exponent beside the lazy and the rich prediction.

    Attributes
    ----------
    quantity, beta, width, gamma
        What was fitted.
    lazy, rich
        Predictions. Of decay for losses, of growth for weights.
    exponent
        Mean over seeds.
    interval
        95 %: Student's for the spread over seeds and the mean curvature of the fits, in quadrature.
    window
        The window, from theory.
    """

    quantity: Quantity
    beta: float
    width: int
    gamma: float
    lazy: float
    rich: float
    exponent: float
    interval: tuple[float, float]
    window: Window


def curves(runs: Sequence[LinearNetworkRun], results: Mapping[Experiment, Result]) -> Curves:
    """Collect the networks of one task.

    Parameters
    ----------
    runs
        Runs that differ in the seed only.
    results
        Result of every run of the plan.

    Returns
    -------
    Curves
    """
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

    Parameters
    ----------
    data
        The networks.
    gamma
        Richness.

    Returns
    -------
    Window
        In steps; it may be empty.
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
    """Fit one quantity at one richness, or return None if the window is empty or a network diverged.

    Parameters
    ----------
    data
        The networks.
    gamma
        Richness.
    quantity
        What to fit.

    Returns
    -------
    ExponentRow or None
    """
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
    """Linearised networks of one width on the easy task.

    Attributes
    ----------
    width
        N, or infinity.
    exponent, interval
        Mean over seeds with a 95 % interval.
    window
        Steps of the fit.
    """

    width: float
    exponent: float
    interval: tuple[float, float]
    window: tuple[float, float]


def lazy_rows(plan: Plan, easy: Curves) -> list[LazyRow]:
    """Fit linearised networks of several widths and of infinite width, all in the lazy window of the paper's width.

    Parameters
    ----------
    plan
        The parameters.
    easy
        The networks of the easy task, for the window.

    Returns
    -------
    list of LazyRow
        The widths of the plan and infinity; empty where the window is.
    """
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

    Parameters
    ----------
    weight_norm
        ``|w|^2``, any shape.
    modes, width
        M and N.

    Returns
    -------
    ndarray
        Between 0 and 1, for N to infinity; at finite N the turn is smooth.
    """
    return np.asarray(np.sqrt(np.maximum(0.0, 1 - modes / width / np.maximum(weight_norm - 1, 1e-9) ** 2)))


@dataclass(frozen=True)
class SpikeRow:
    """The first layer at the last step, means over seeds.

    Attributes
    ----------
    beta, gamma
        Task and richness.
    weight_norm
        ``|w|^2``.
    first, second, first_at_start
        Leading singular values of A, and the first at initialization.
    with_readout
        Overlap of A's leading left singular vector with w, means of ``|cos|``.
    with_learned, with_target
        Overlap of its leading right singular vector with the learned map and with w*.
    change_rank_one
        Share of the first singular value in the squared norm of ``A - A(0)``.
    change_with_readout, change_with_learned, change_with_target
        As above for ``A - A(0)``; the target as a function of the data.
    imbalance
        Largest over steps and seeds: departure from balancing relative to the change of ``A A^T``.
    """

    beta: float
    gamma: float
    weight_norm: float
    first: float
    second: float
    first_at_start: float
    with_readout: float
    with_learned: float
    with_target: float
    change_rank_one: float
    change_with_readout: float
    change_with_learned: float
    change_with_target: float
    imbalance: float


def spike_rows(data: Curves) -> list[SpikeRow]:
    """Summarize the first layer at the last step.

    Parameters
    ----------
    data
        The networks.

    Returns
    -------
    list of SpikeRow
        One per richness.
    """
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
    data: Curves, gamma: float, quantity: Quantity, name: str, statement: str, where: str, tolerance: float, scale: str
) -> Claim:
    """Return the claim that a quantity of one network has the predicted power.

    Parameters
    ----------
    data
        The networks.
    gamma
        Richness; the prediction is the lazy one for the smallest of them, if below 1, and the rich one for others.
    quantity
        What is fitted.
    name
        Identity of the claim.
    statement, where
        What is claimed and where.
    tolerance
        Largest difference that counts as agreement.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    Claim
    """
    row, window = exponent_row(data, gamma, quantity), fit_window(data, gamma)
    growth = quantity in ("|w|^2", "|w - w(0)|^2")
    power = data.beta if gamma == data.gammas[0] < 1 else float(chi(data.beta))
    why = f": {window.empty}" if window.empty else f": diverged at step {data.diverged(gamma) or 0:.0f}"
    return judged(
        name,
        where,
        statement,
        f"exponent of {quantity} in steps, gamma0 = {gamma:g}, N = {data.width}",
        max(0.0, 1 - power) if growth else power,
        Measurement(None, None) if row is None else Measurement(row.exponent, row.interval, row.window.span),
        tolerance,
        scale,
        remark=why if row is None else "",
    )


def loss_claims(
    plan: Plan, narrow: Sequence[Curves], wide: Sequence[Curves], strong: Curves, scale: str
) -> list[Claim]:
    """Return the claims of Figure 11.

    Parameters
    ----------
    plan
        The parameters.
    narrow, wide
        Easy and hard task at the paper's width and at the wider one.
    strong
        Hard task at large richness.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    claims = []
    quantity: Quantity
    for panel, letter in zip((narrow, wide), ("", ".wide"), strict=True):
        easy, hard = panel
        for data, task, tolerance in ((easy, "easy", EASY_TOLERANCE), (hard, "hard", plan.hard_tolerance)):
            where = f"Fig. 11{'a' if task == 'easy' else 'b'}, App. G"
            for gamma, kind in ((data.gammas[0], "lazy"), (data.gammas[-1], "rich")):
                power = data.beta if kind == "lazy" else float(chi(data.beta))
                statement = f"The loss of the {task} task (beta = {data.beta:g}), {kind}, falls as t^-{power:.3g}."
                common = (statement, where, tolerance, scale)
                claims.append(exponent_claim(data, gamma, "loss", f"fig11.{task}.{kind}{letter}", *common))
                if task == "hard":
                    name = f"fig11.{task}.{kind}.all-modes{letter}"
                    claims.append(exponent_claim(data, gamma, "loss, all modes", name, *common))
    power = float(chi(strong.beta))
    text = f"Far in the rich regime the loss of the hard task (beta = {strong.beta:g}) falls as t^-{power:.3g}."
    for quantity, name in (("loss", "fig11.hard.strong"), ("loss, all modes", "fig11.hard.strong.all-modes")):
        where = "Fig. 11b, App. G"
        claims.append(exponent_claim(strong, strong.gammas[0], quantity, name, text, where, plan.hard_tolerance, scale))
    return [*claims, _constant_claim(narrow[0], scale)]


def _constant_claim(data: Curves, scale: str) -> Claim:
    """Return the claim that richness lowers the constant of the easy task."""
    inside = data.step <= fit_window(data, data.gammas[0]).end
    ratios = data.values["loss"][:, -1, inside][:, -1] / data.values["loss"][:, 0, inside][:, -1]
    good = bool(np.all(ratios < 1))
    return Claim(
        id="fig11.easy.constant",
        item=ITEM,
        location="Fig. 11a, App. G",
        statement="For an easy task richness lowers the loss by a constant factor.",
        quantity=f"loss at gamma0 = {data.gammas[-1]:g} over loss at gamma0 = {data.gammas[0]:g}, end of the lazy window",
        predicted=None,
        predicted_text="below 1",
        measured=float(ratios.mean()),
        interval=(float(ratios.min()), float(ratios.max())),
        window=None,
        scale=scale,
        verdict="confirmed" if good else "not confirmed",
        reason="for every seed (mean and extremes)" if good else "not for every seed (mean and extremes)",
    )


def lazy_claim(rows: Sequence[LazyRow], beta: float, scale: str) -> Claim:
    """Return the claim about the widest of the linearised networks.

    Parameters
    ----------
    rows
        From :func:`lazy_rows`.
    beta
        Source of the easy task.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    Claim
    """
    row = max((row for row in rows if row.width < math.inf), key=lambda row: row.width, default=None)
    return judged(
        "fig11.easy.lazy.widest",
        "Fig. 11a, App. G",
        f"Linearised, the loss of the easy task (beta = {beta:g}) falls as t^-{beta:g} in the limit of large width.",
        "exponent of loss in steps" + ("" if row is None else f", gamma0 -> 0, B -> infinity, N = {row.width:g}"),
        beta,
        Measurement(None, None) if row is None else Measurement(row.exponent, row.interval, row.window),
        EASY_TOLERANCE,
        scale,
    )


def weight_claims(plan: Plan, narrow: Sequence[Curves], wide: Curves, strong: Curves, scale: str) -> list[Claim]:
    """Return the claims of Figure 12 and of the spike.

    Parameters
    ----------
    plan
        The parameters.
    narrow
        Easy and hard task at the paper's width.
    wide
        Hard task at the larger width.
    strong
        Hard task at large richness.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    easy, hard = narrow
    lazy, rich = plan.gammas[0], plan.gammas[-1]
    power, first = 1 - float(chi(hard.beta)), 1 - hard.beta
    easily, hardly = "Fig. 12a, App. G", "Fig. 12b, App. G"
    tolerance = plan.hard_tolerance
    text = f"For a hard task |w|^2 grows as t^{power:.3g}."
    slow = f"At small richness the change of w grows as in perturbation theory, its square as t^{first:.3g}."
    stop = "For an easy task |w|^2 grows to a finite size and stays there."
    claims = [
        exponent_claim(easy, rich, "|w|^2", "fig11.weights.easy.rich", stop, easily, tolerance, scale),
        exponent_claim(hard, rich, "|w|^2", "fig11.weights.hard.rich", text, hardly, tolerance, scale),
        exponent_claim(strong, strong.gammas[0], "|w|^2", "fig11.weights.hard.strong", text, hardly, tolerance, scale),
        exponent_claim(hard, rich, "|w - w(0)|^2", "fig11.weights.hard.rich.change", text, hardly, tolerance, scale),
        exponent_claim(hard, lazy, "|w - w(0)|^2", "fig11.weights.hard.lazy.change", slow, hardly, tolerance, scale),
        exponent_claim(
            wide, wide.gammas[0], "|w - w(0)|^2", "fig11.weights.hard.lazy.change.wide", slow, hardly, tolerance, scale
        ),
    ]
    for data, kind in ((hard, "rich"), (strong, "strong")):
        overlaps = data.values["spike_readout"][:, -1, -1]
        spread = (float(overlaps.min()), float(overlaps.max()))
        predicted = float(spike_overlap(data.values["weight_norm"][:, -1, -1], plan.modes, data.width).mean())
        claims.append(
            judged(
                f"fig11.weights.spike.{kind}",
                "App. G.3",
                "The growth of w is matched by a rank-one spike in the first layer.",
                f"overlap of A's leading left singular vector with w, last step, gamma0 = {data.gammas[-1]:g}, mean and extremes",
                predicted,
                Measurement(float(overlaps.mean()), spread),
                OVERLAP_TOLERANCE,
                scale,
            )
        )
    departures = [row.imbalance for data in (*narrow, strong) for row in spike_rows(data)]
    claims.append(
        judged(
            "fig11.weights.balancing",
            "App. G.3",
            "Training changes A A^T and w w^T by the same amount (balancing).",
            "norm of the difference over that of the change of A A^T, largest over steps, richnesses and seeds",
            0.0,
            Measurement(max(departures), (min(departures), max(departures))),
            BALANCE_TOLERANCE,
            scale,
        )
    )
    return claims
