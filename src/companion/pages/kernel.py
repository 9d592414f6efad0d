"""Kernel dynamics: how the kernel of the features grows, which part of it matters, and the forms of the model behind it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.special import gamma as gamma_function

from companion.claims import Claim, Measurement, Page, bound, fact, judged
from companion.parameters import (
    Parameters,
)
from companion.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import KernelFlow, decay_terms, kernel_flow
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.models.direct_model import best_in_span, initial_features, train_directly
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    SelfSimilarSolution,
    chi,
    chi_level,
    effective_time,
    level_curve,
    limiting_scale,
    modes_learned_exponent,
    rkhs_norm_squared,
    self_consistent_curve,
    self_similar_solution,
    step_of_modes,
)

#: Agreement of exponents: just below the distance 0.011 between level 3 and the limit at beta = 0.4.
EXPONENT_TOLERANCE = 0.01
#: Agreement of prefactors and of shares. Relative corrections at the last time are far smaller, except near beta = 1.
VALUE_TOLERANCE = 0.005
#: Agreement of simulated networks with the limit of infinite width, relative: finite width, seeds and learning rate.
NETWORK_TOLERANCE = 0.05
#: Largest relative difference that counts as rounding after hundreds of steps.
ROUNDING = 1e-10
#: Samples a decade of every curve.
DENSITY = 20


class Plan(Parameters):
    """What the page computes: the parameters of its notebook."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_among("quoted_hard", "hard")
        self.require_among("quoted_easy", "easy")


@dataclass(frozen=True)
class Curve:
    """One gradient flow with what is measured on it."""

    beta: float  # source
    flow: KernelFlow  # the solution
    modes: Array  # k*, the mode that is half learned, shape (R,); NaN at first
    norm: Array  # |w|^2/N from the invariant |u|^2 = C_w (1 + gamma C_w), shape (R,)
    lazy_norm: Array  # the same at gamma = 0, shape (R,)
    ratio: Array  # second over third term of eq. 53 in its exact form, shape (R,)
    printed_ratio: Array  # the same with y - Delta(s) replaced by y, as in the last line of eq. 53, shape (R,)
    window: tuple[float, float]  # from late_window


@dataclass(frozen=True)
class ExponentRow:
    """A measured power of time beside its prediction."""

    beta: float  # source
    name: str  # what was fitted
    predicted: float  # exponent of growth that theory gives
    # measured, interval: the same from the fit
    measured: float
    interval: tuple[float, float]
    fit: PowerLawFit  # the fit, whose exponent is one of decay


@dataclass(frozen=True)
class LevelRow:
    """One level of approximation beside the exact curve."""

    level: float  # number of refinements; infinity for the self-consistent curve, NaN for the exact one
    predicted: float  # exponent of its loss
    loss: Array  # shape (R,)
    fit: PowerLawFit  # in the window of the exact curve


@dataclass(frozen=True)
class NetworkRow:
    """Simulated networks at one time."""

    time: float  # eta * steps
    # scale, scale_error: 1 + gamma |w|^2/N, mean over seeds and its standard error
    scale: float
    scale_error: float
    diagonal: Array  # effective kernel of the modes shown over its initial value, mean over seeds, shape (len(modes),)


@dataclass(frozen=True)
class SpikeRow:
    """What training added to the kernel of a simulated network's features."""

    eta: float  # learning rate
    # first, second: eigenvalues of B^T B - I, largest in size first
    first: float
    second: float
    scale: float  # gamma |w|^2/N, which gradient flow gives the first
    misalignment: float  # one minus the overlap of its eigenvector with B^T w


@dataclass(frozen=True)
class FormsRow:
    """Equation 4 and the B(t) A(0) form trained on the same batches."""

    batch: float  # B
    loss: float  # largest relative difference of the losses over all steps
    features: float  # largest difference of A(T) from B(T) A(0) over the largest entry


@dataclass(frozen=True)
class SingleRow:
    """Networks of one parameter, with and without the projection."""

    modes: int  # M
    step: Array  # steps, shape (R,)
    # projected, unprojected: losses, shape (seeds, R)
    projected: Array
    unprojected: Array
    floor: Array  # best loss in the span of the one initial feature, shape (seeds,)


def curve(plan: Plan, beta: float, gamma: float | None = None) -> Curve:
    """Integrate gradient flow at N, B -> infinity and measure its kernel."""
    gamma = plan.gamma if gamma is None else gamma
    time = np.geomspace(1e-2, plan.last, DENSITY * round(math.log10(plan.last) + 2) + 1)
    reached = float(effective_time(beta, gamma, 1.0, plan.last))
    quadrature = PowerLaw(plan.alpha, beta).quadrature(8 * reached)
    flow = kernel_flow(quadrature, gamma, time)
    modes = flow.eigenvalue_at(0.5) ** (-1 / plan.alpha)
    learned = (1 - flow.error) ** 2 @ quadrature.target_weights
    norm = (np.sqrt(1 + 4 * gamma * learned) - 1) / (2 * gamma)
    lazy = np.expm1(-np.outer(time, quadrature.nodes)) ** 2 @ quadrature.target_weights
    terms = decay_terms(flow)
    ratio, window = terms.spike / terms.scale, late_window(plan, beta, gamma)
    return Curve(beta, flow, modes, norm, lazy, ratio, _printed_ratio(flow), window)


def late_window(plan: Plan, beta: float, gamma: float) -> tuple[float, float]:
    """Return the window of eta * steps in which late powers are fitted, from theory alone."""
    growth = 1 - chi(beta, rich=gamma > 0)
    strength = gamma if gamma > 0 else 1.0
    settled = (10 / strength if growth > 0 else 10 * strength) ** (1 / abs(growth))
    return max(step_of_modes(plan.alpha, beta, gamma, 1.0, 10.0), settled), plan.last


def growth_rows(plan: Plan, measured: Curve) -> list[ExponentRow]:
    """Fit the powers of one task: scale of the kernel, modes learned and squared norm of the weights, rich and lazy."""
    beta, time = measured.beta, measured.flow.time
    modes = _growth(
        beta, "modes learned", modes_learned_exponent(plan.alpha, beta), time, measured.modes, measured.window
    )
    lazy_window = late_window(plan, beta, 0.0)
    if beta < 1:
        growth = 1 - chi(beta)
        # The spike first has to form: the target learned to one per cent, t^-chi = 0.01.
        formed = (max(measured.window[0], 100 ** (1 / chi(beta))), plan.last)
        return [
            _growth(beta, "kernel scale", growth, time, measured.flow.scale, measured.window),
            modes,
            _growth(beta, "|w|^2", growth, time, measured.norm, measured.window),
            _growth(beta, "|w|^2 lazy", 1 - beta, time, measured.lazy_norm, lazy_window),
            _growth(beta, "spike", -growth, time, measured.flow.spike, formed),
        ]
    limit = (limiting_scale(plan.alpha, beta, measured.flow.gamma) - 1) / measured.flow.gamma
    missing = limit - measured.norm
    missing_lazy = rkhs_norm_squared(plan.alpha, beta) - measured.lazy_norm
    return [
        modes,
        _growth(beta, "limit - |w|^2", 1 - beta, time, missing, measured.window),
        _growth(beta, "lazy limit - |w|^2", 1 - beta, time, missing_lazy, lazy_window),
        _growth(beta, "ratio of eq. 53", 1 - beta, time, measured.ratio, measured.window),
    ]


def level_rows(plan: Plan, exact: Curve) -> list[LevelRow]:
    """Integrate the levels of eqs. 60-62 and the self-consistent eq. 67 beside the exact curve."""
    time, beta = exact.flow.time, exact.beta
    rows = []
    for level in (*range(plan.levels + 1), math.inf):
        if math.isinf(level):
            loss = self_consistent_curve(plan.alpha, beta, plan.gamma, time).loss
        else:
            loss = level_curve(plan.alpha, beta, plan.gamma, time, int(level))
        rows.append(LevelRow(level, chi_level(beta, level), loss, fit_power_law(time, loss, exact.window)))
    fit = fit_power_law(time, exact.flow.loss, exact.window)
    return [*rows, LevelRow(math.nan, chi(beta), exact.flow.loss, fit)]


def closure_ratio(solution: SelfSimilarSolution, exact_rate: bool = False) -> float:
    """Return the late loss of a closure that keeps the scale alone over the exact one; all have the same power."""
    alpha, beta, nu = solution.alpha, solution.beta, solution.nu
    weight = float(gamma_function(beta)) / alpha
    squared = 2 * solution.gamma * weight / (1 - beta) * (2 * (1 - 2**-beta) if exact_rate else 1.0)
    clocks = (solution.kernel_constant / math.sqrt(squared)) ** (beta / (1 - nu))
    return float(weight * 2**-beta / solution.loss_constant * clocks)


def network_rows(plan: Plan, modes: Sequence[int]) -> list[NetworkRow]:
    """Train networks in unit steps and measure their kernel."""
    spectrum = PowerLaw(plan.alpha, plan.quoted_hard, plan.modes).spectrum()
    columns = np.asarray(modes) - 1
    rows = []
    for time in plan.times:
        scales, diagonals = [], []
        for seed in range(plan.seeds):
            initial = initial_features(spectrum, plan.width, seed)
            run = train_directly(spectrum, initial, plan.eta, plan.gamma, round(time / plan.eta), "factored")
            scales.append(1 + plan.gamma * run.weight_norm)
            moved, fixed = np.sum(run.features[:, columns] ** 2, axis=0), np.sum(initial[:, columns] ** 2, axis=0)
            diagonals.append(moved / fixed + scales[-1] - 1)
        error = float(np.std(scales, ddof=1)) / math.sqrt(plan.seeds)
        rows.append(NetworkRow(time, float(np.mean(scales)), error, np.mean(diagonals, axis=0)))
    return rows


def effective_kernel(plan: Plan, measured: Curve, mode: int) -> Array:
    """Return the effective kernel of a mode over its initial value, ``K_k/lambda_k = s + (gamma/s) (w*_k p_k)^2``."""
    eigenvalue = float(mode) ** -plan.alpha
    node = int(np.argmin(np.abs(np.log(measured.flow.quadrature.nodes / eigenvalue))))
    target = float(mode) ** (plan.alpha - plan.alpha * measured.beta - 1)
    learned = 1 - measured.flow.error[:, node]
    scale = measured.flow.scale
    return np.asarray(scale + measured.flow.gamma / scale * target * learned**2)


def spike_rows(plan: Plan) -> list[SpikeRow]:
    """Train one network at decreasing learning rates to the same eta * steps and diagonalize what B has become."""
    spectrum = PowerLaw(plan.alpha, plan.quoted_hard, plan.small_modes).spectrum()
    initial = initial_features(spectrum, plan.small_width, 0)
    rows = []
    for eta in plan.etas:
        run = train_directly(spectrum, initial, eta, plan.gamma, round(plan.small_time / eta), "factored")
        mixing = run.mixing if run.mixing is not None else np.eye(plan.small_width)
        values, vectors = np.linalg.eigh(mixing.T @ mixing - np.eye(plan.small_width))
        order = np.argsort(-np.abs(values))
        direction = mixing.T @ run.weights
        overlap = abs(float(vectors[:, order[0]] @ direction)) / float(np.linalg.norm(direction))
        first, second = float(values[order[0]]), float(values[order[1]])
        rows.append(SpikeRow(eta, first, second, plan.gamma * run.weight_norm, 1 - overlap))
    return rows


def forms_rows(plan: Plan) -> list[FormsRow]:
    """Train equation 4 and the B(t) A(0) form on the same data, at infinite and finite batch."""
    spectrum = PowerLaw(plan.alpha, plan.quoted_hard, plan.small_modes).spectrum()
    initial = initial_features(spectrum, plan.small_width, 1)
    rows = []
    for batch in (math.inf, float(plan.batch)):
        common = (plan.eta, plan.gamma, plan.steps)
        direct = train_directly(spectrum, initial, *common, "projected", batch)
        factored = train_directly(spectrum, initial, *common, "factored", batch)
        loss = float(np.max(np.abs(direct.loss / factored.loss - 1)))
        largest = float(np.max(np.abs(direct.features)))
        rows.append(FormsRow(batch, loss, float(np.max(np.abs(direct.features - factored.features))) / largest))
    return rows


def single_rows(plan: Plan) -> list[SingleRow]:
    """Train networks of one parameter with and without the projection."""
    step = np.unique(np.round(np.geomspace(1, plan.single_steps, 200))).astype(int)
    rows = []
    for modes in plan.single_modes:
        spectrum = PowerLaw(plan.alpha, plan.quoted_hard, modes).spectrum()
        projected, unprojected, floor = [], [], []
        for seed in range(plan.single_seeds):
            initial = initial_features(spectrum, 1, seed)
            common = (spectrum, initial, plan.single_eta, plan.gamma, plan.single_steps)
            projected.append(train_directly(*common, "projected").loss[step])
            unprojected.append(train_directly(*common, "unprojected").loss[step])
            floor.append(best_in_span(spectrum, initial))
        rows.append(SingleRow(modes, step.astype(float), np.array(projected), np.array(unprojected), np.array(floor)))
    return rows


def growth_claims(rows: Sequence[ExponentRow], page: Page) -> list[Claim]:
    """Judge the powers of kernel, modes learned and norm of the weights."""
    known = {
        "kernel scale": ("scale", "eqs. 10, 54, 64", "The kernel of a hard task grows as t^(1 - chi)."),
        "modes learned": ("modes", "eqs. 11, 58", "The mode learned at time t is k* ~ t^((2 - chi)/alpha)."),
        "|w|^2": ("norm", "eq. 47 and Fig. 12", "For a hard task |w|^2 grows without bound, as t^(1 - chi)."),
        "|w|^2 lazy": ("norm-lazy", "eq. 47", "With frozen features |w|^2 of a hard task grows as t^(1 - beta)."),
        "limit - |w|^2": ("norm", "eq. 47", "For an easy task |w|^2 saturates; what is missing falls as t^(1 - beta)."),
    }
    claims = []
    for row in rows:
        if row.name not in known:
            continue
        name, location, statement = known[row.name]
        claims.append(
            judged(
                page,
                f"kernel.{name}.beta-{row.beta:g}",
                location,
                statement,
                f"exponent in eta t at beta = {row.beta:g}",
                row.predicted,
                Measurement(row.measured, row.interval, row.fit.window),
                EXPONENT_TOLERANCE,
            )
        )
    return claims


def decay_claims(plan: Plan, curves: Sequence[Curve]) -> list[Claim]:
    """Judge whether the second term of eq. 53 is subleading, and the prefactors of the late solution."""
    decade = (plan.last / 10, plan.last)
    claims = []
    for measured in curves:
        beta = measured.beta
        corrected = self_similar_solution(plan.alpha, beta, plan.gamma).spike_share if beta < 1 else None
        remark = ": both terms have the same power, so the exponent is untouched and the constant is not"
        claims.append(
            judged(
                plan,
                f"kernel.subleading.beta-{beta:g}",
                "eq. 53",
                "The spike's term of the decay of the loss is subleading to the term of the scale.",
                f"ratio of the two terms in the last decade at beta = {beta:g}",
                0.0,
                Measurement.last_of(measured.ratio[measured.flow.time >= decade[0]], decade),
                VALUE_TOLERANCE,
                corrected,
                remark if beta < 1 else "",
            )
        )
    quoted = next(measured for measured in curves if measured.beta == plan.quoted_hard)
    solution = self_similar_solution(plan.alpha, quoted.beta, plan.gamma)
    final = quoted.flow.time >= decade[0]
    time = quoted.flow.time[final]
    for name, values, what in (
        ("loss", quoted.flow.loss[final] / solution.loss(time), "loss"),
        ("scale", quoted.flow.scale[final] / solution.kernel(time), "scale of the kernel"),
        ("modes", quoted.modes[final] / solution.modes_learned(time), "number of modes learned"),
    ):
        claims.append(
            judged(
                plan,
                f"kernel.prefactor.{name}",
                "eqs. 10, 63-69",
                f"The power-law ansatz solves the dynamics: it gives the {what} with its prefactor.",
                f"{what} over the self-similar solution in the last decade, beta = {quoted.beta:g}",
                1.0,
                Measurement.last_of(values, decade),
                VALUE_TOLERANCE,
            )
        )
    return claims


def spike_claims(
    plan: Plan, spike: ExponentRow, weak: Curve, strong: Curve, network: Sequence[SpikeRow]
) -> list[Claim]:
    """Judge what eq. 55 says about the spike and about the scale of an easy task."""
    last = network[-1]
    # Discretization is of first order in eta: the second eigenvalue must fall with it, within a fifth.
    falls = [a.second / b.second / (a.eta / b.eta) for a, b in itertools.pairwise(network)]
    rank_one = all(0.8 < ratio < 1.25 for ratio in falls) and abs(last.second / last.first) < VALUE_TOLERANCE
    share = abs(last.second / last.first)
    claims = [
        fact(
            plan,
            "kernel.spike.rank-one",
            "eqs. 51, 55",
            "Training adds a spike of rank one to the kernel of the features.",
            f"second over first eigenvalue of B^T B - I at eta = {last.eta:g}, N = {plan.small_width}",
            "confirmed" if rank_one else "not confirmed",
            "proportional to eta: gradient flow gives exactly rank one" if rank_one else "does not vanish with eta",
            0.0,
            share,
        )
    ]
    claims.append(
        judged(
            plan,
            "kernel.spike.hard",
            "eq. 55",
            "The spike of a hard task grows until it is gamma y y^T up to a factor, and stays.",
            f"exponent of the spike's eigenvalue in eta t at beta = {spike.beta:g}",
            0.0,
            Measurement(spike.measured, spike.interval, spike.fit.window),
            EXPONENT_TOLERANCE,
            spike.predicted,
            ": beyond first order in gamma the spike is divided by the growing scale",
        )
    )
    variance = weak.flow.quadrature.initial_loss
    norm = rkhs_norm_squared(plan.alpha, weak.beta)
    for name, value, statement, what in (
        (
            "spike",
            float(weak.flow.spike[-1]) / (weak.flow.gamma * variance),
            "At first order in gamma the spike of an easy task tends to 2 gamma y y^T, the limit of both terms.",
            "eigenvalue of the spike over gamma |y|^2",
        ),
        (
            "scale",
            float(weak.norm[-1]) / norm,
            "At first order in gamma the scale of an easy task grows by 2 gamma times the squared RKHS norm.",
            "growth of the scale over gamma |w*|^2",
        ),
    ):
        claims.append(
            judged(
                plan,
                f"kernel.first-order.{name}",
                "eqs. 55, 56",
                statement,
                f"{what} at gamma = {weak.flow.gamma:g}, beta = {weak.beta:g}, eta t = {plan.last:g}",
                2.0,
                Measurement.exact(value),
                VALUE_TOLERANCE,
                1.0,
                ": the printed step drops Delta(s) where it is as large as y",
            )
        )
    claims.append(
        judged(
            plan,
            "kernel.scale.limit",
            "eqs. 47, 48",
            "The kernel of an easy task stops growing; the norm of the target says where.",
            f"scale at eta t = {plan.last:g}, beta = {strong.beta:g}, gamma = {strong.flow.gamma:g}",
            limiting_scale(plan.alpha, strong.beta, strong.flow.gamma),
            Measurement.exact(float(strong.flow.scale[-1])),
            VALUE_TOLERANCE,
            remark=", from s (s - 1) = gamma |w*|^2",
        )
    )
    return claims


def level_claims(plan: Plan, rows: Sequence[LevelRow], exact: Curve) -> list[Claim]:
    """Judge the levels of approximation and the exact curve between them."""
    claims = []
    for row in rows:
        if math.isnan(row.level):
            name, statement = "exact", "The exact loss has the exponent of infinitely many levels, not that of any one."
        elif math.isinf(row.level):
            name, statement = "limit", "The self-consistent closure has the exponent 2 beta/(1 + beta)."
        else:
            name, statement = f"{row.level:g}", f"Level {row.level:g} has the exponent {row.predicted:.3f}."
        claims.append(
            judged(
                plan,
                f"kernel.level.{name}",
                "eqs. 60-62, 68",
                statement,
                f"exponent of the loss in eta t at beta = {exact.beta:g}",
                row.predicted,
                Measurement.exponent(row.fit),
                EXPONENT_TOLERANCE,
            )
        )
    decade = (plan.last / 10, plan.last)
    late = exact.flow.time >= decade[0]
    closure = next(row for row in rows if math.isinf(row.level))
    claims.append(
        judged(
            plan,
            "kernel.level.prefactor",
            "eqs. 63-67",
            "The closure that keeps the scale alone has the exact power, with another prefactor.",
            f"its loss over the exact loss in the last decade at beta = {exact.beta:g}",
            closure_ratio(self_similar_solution(plan.alpha, exact.beta, plan.gamma)),
            Measurement.last_of(closure.loss[late] / exact.flow.loss[late], decade),
            VALUE_TOLERANCE,
        )
    )
    return claims


def network_claim(plan: Plan, rows: Sequence[NetworkRow], exact: Curve) -> Claim:
    """Judge whether the kernel of simulated networks grows as the limit of infinite width says."""
    last = rows[-1]
    theory = math.exp(float(np.interp(math.log(last.time), np.log(exact.flow.time), np.log(exact.flow.scale))))
    return judged(
        plan,
        "kernel.network.scale",
        "eqs. 43-52",
        f"The kernel of networks with N = {plan.width} grows as in the limit of infinite width.",
        f"simulated scale over that of gradient flow at eta t = {last.time:g}, beta = {exact.beta:g}",
        1.0,
        Measurement.with_error(last.scale / theory, last.scale_error / theory, count=plan.seeds),
        NETWORK_TOLERANCE,
    )


def model_claims(plan: Plan, forms: Sequence[FormsRow], single: Sequence[SingleRow]) -> list[Claim]:
    """Judge the equivalence of Appendix B and the remark on the projection."""
    worst = max(max(row.loss, row.features) for row in forms)
    fewest = min(single, key=lambda row: row.modes)
    left = float(np.max(fewest.unprojected[:, -1] / fewest.floor))
    kept = np.concatenate([row.projected[:, -1] / row.floor for row in single])
    fits = left < 1e-3
    claims = [
        fact(
            plan,
            "kernel.forms",
            "Appendix B, eqs. 4, 16, 17",
            "Projected descent on A equals ordinary descent on B with A = B A(0).",
            f"largest relative difference of loss and features over {plan.steps} steps",
            "confirmed" if worst < ROUNDING else "not confirmed",
            f"{bound(worst)}, with the gamma that eq. 17 leaves to the text",
            0.0,
            Measurement(worst, (0.0, worst)),
        ),
        fact(
            plan,
            "kernel.single.unprojected",
            "section 2, below eq. 4",
            "Without the projection a network with N = 1 fits the target.",
            f"final loss over the floor of the projected network, M = {fewest.modes}, largest over seeds",
            "confirmed" if fits else "not confirmed",
            "the loss falls far below the floor and goes on falling" if fits else "the loss stays",
            0.0,
            Measurement(left, (0.0, left)),
        ),
    ]
    claims.append(
        judged(
            plan,
            "kernel.single.projected",
            "section 2, below eq. 4",
            "With the projection a network with N = 1 stops at the best loss in the span of its one feature.",
            "final loss over that floor, median and extremes over seeds and numbers of modes",
            1.0,
            Measurement(float(np.median(kept)), (float(kept.min()), float(kept.max()))),
            VALUE_TOLERANCE,
        )
    )
    return claims


def _printed_ratio(flow: KernelFlow) -> Array:
    """Second over third term of the last line of eq. 53, its integrals over time by the trapezoidal rule in log time."""
    lam, weights = flow.quadrature.nodes, flow.quadrature.target_weights
    steps = np.diff(np.log(flow.time))[:, None]
    integrand = flow.error * flow.time[:, None]
    first = flow.time[0] * np.ones((1, lam.size))  # the error is 1 until then
    past = np.cumsum(np.concatenate([first, steps * (integrand[1:] + integrand[:-1]) / 2]), axis=0)
    second = (flow.error @ (weights * lam)) * ((flow.error * past) @ (weights * lam**2))
    third = (flow.error**2 @ (weights * lam**2)) * (past @ (weights * lam))
    return np.asarray(second / third)


def _growth(
    beta: float, name: str, predicted: float, time: Array, values: Array, window: tuple[float, float]
) -> ExponentRow:
    kept = np.isfinite(values) & (values > 0)
    fit = fit_power_law(time[kept], values[kept], window)
    low, high = fit.interval
    return ExponentRow(beta, name, predicted, -fit.exponent, (-high, -low), fit)


Style = Literal["-", "--", ":", "none"]
Place = Literal["upper left", "lower left"]

#: One per source or mode; black first.
COLORS = ("#1a1a1a", "#0072b2", "#0d8577", "#c2410c", "#8e1a4f", "#6b5b00")


def growth_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the growth of the kernel and the number of modes learned, with the late solution dashed."""
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            time = measured.flow.time
            upper.loglog(time, measured.flow.scale, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.modes, color=color)
            late = time >= measured.window[0]
            if measured.beta < 1:
                solution = self_similar_solution(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[time > 0.3], solution.kernel(time[time > 0.3]))
                _dashed(lower, time[time > 1], solution.modes_learned(time[time > 1]))
            else:
                limit = limiting_scale(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[late], np.full(int(late.sum()), limit))
                _dashed(lower, time[time > 1], (limit * time[time > 1] / math.log(2)) ** (1 / plan.alpha))
        upper.set_ylim(0.8, None)
        lower.set_ylim(0.8, None)
        upper.set_ylabel(r"scale of the kernel $1 + \gamma C_w$")
        lower.set_ylabel(r"mode half learned $k_*$")
        lower.set_xlabel(r"$\eta t$")
        _legend(upper, [("--", "", "late solution")], "upper left")
    return figure


def parts_figure(plan: Plan, hard: Curve, easy: Curve) -> Figure:
    """Draw the largest eigenvalue of the kernel and what it is made of, for one hard and one easy task."""
    with book_style():
        figure = new_figure(8.6)
        for axes, measured, letter in zip(figure.subplots(2, 1), (hard, easy), "ab", strict=True):
            flow = measured.flow
            axes.loglog(flow.time, flow.scale, color=COLORS[1], label=r"scale $s\lambda_1$")
            axes.loglog(flow.time, flow.spike, color=RICH, label=r"spike $\gamma|y - \Delta|^2/s$")
            axes.loglog(flow.time, flow.sharpness, "--", color=INK, linewidth=1.6, label="largest eigenvalue")
            first_order = plan.gamma * flow.quadrature.initial_loss
            axes.axhline(first_order, color=MUTED, linestyle=":", linewidth=1.4)
            axes.annotate(r"$\gamma |y|^2$", (0.012, first_order), (0, 4), textcoords="offset points", color=MUTED)
            top = float(flow.sharpness.max())
            axes.set_ylim(float(flow.spike[-1]) / 3, (4 if measured.beta < 1 else 2) * top)
            if measured.beta > 1:
                plain_ticks(axes.yaxis)
            kind = "hard" if measured.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {measured.beta:g}$, $\gamma = {plan.gamma:g}$")
            axes.set_xlabel(r"$\eta t$")
            axes.set_ylabel("eigenvalue")
            axes.legend(loc="upper left" if measured.beta < 1 else "lower right")
    return figure


def network_figure(plan: Plan, rows: Sequence[NetworkRow], modes: Sequence[int], exact: Curve) -> Figure:
    """Draw the effective kernel of single modes, simulated and in the limit of infinite width."""
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        shown = (exact.flow.time >= 0.5) & (exact.flow.time <= 2 * rows[-1].time)
        time = exact.flow.time[shown]
        for index, (mode, color) in enumerate(zip(modes, COLORS, strict=False)):
            axes.semilogx(time, effective_kernel(plan, exact, mode)[shown], color=color, label=f"$k = {mode}$")
            axes.semilogx([row.time for row in rows], [row.diagonal[index] for row in rows], "o", color=color)
        axes.semilogx(time, exact.flow.scale[shown], "--", color=MUTED, label="scale alone")
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"effective kernel $K_k(t)/\lambda_k$")
        _legend(axes, [("none", "o", f"networks, $N = {plan.width}$")], "upper left")
    return figure


def terms_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the terms of eq. 53 for the quoted hard task, and the ratio of the second to the third for all."""
    quoted = next(measured for measured in hard if measured.beta == plan.quoted_hard)
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        terms, time = decay_terms(quoted.flow), quoted.flow.time
        loss = quoted.flow.loss
        # Times t over the loss: each term's share in the local exponent.
        for values, color, label in (
            (terms.lazy, LAZY, "initial kernel"),
            (terms.scale, COLORS[1], "scale (third term)"),
            (terms.spike, RICH, "spike (second term)"),
        ):
            upper.loglog(time, 2 * time * values / loss, color=color, label=label)
        upper.set_ylim(1e-3, 3)
        upper.set_title(rf"(a) $\beta = {quoted.beta:g}$")
        upper.set_ylabel("share in the local exponent")
        upper.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            lower.loglog(time, measured.ratio, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.printed_ratio, ":", color=color, linewidth=1.4)
            if measured.beta < 1:
                share = self_similar_solution(plan.alpha, measured.beta, plan.gamma).spike_share
                late = time[time >= measured.window[0]]
                _dashed(lower, late, np.full(late.size, share))
        lower.set_ylim(1e-4, 3)
        lower.set_title("(b) spike over scale")
        lower.set_ylabel("ratio of the terms")
        lower.set_xlabel(r"$\eta t$")
        _legend(lower, [("--", "", "late solution"), (":", "", "as printed")], "lower left")
    return figure


def level_figure(rows: Sequence[LevelRow], exact: Curve) -> Figure:
    """Draw the loss at each level of approximation over the exact loss."""
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row, color in zip([row for row in rows if not math.isnan(row.level)], COLORS, strict=False):
            name = r"level $\infty$" if math.isinf(row.level) else f"level {row.level:g}"
            style = "--" if row.level % 2 == 1 else "-"
            axes.loglog(exact.flow.time, row.loss / exact.flow.loss, style, color=color, label=name)
        axes.axhline(1, color=MUTED, linewidth=1.2, linestyle=":")
        plain_ticks(axes.yaxis)
        axes.axvspan(*exact.window, color=MUTED, alpha=0.08, linewidth=0)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel("loss over exact loss")
        axes.legend(loc="upper left")
    return figure


def norm_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the squared norm of the weights on both sides of beta = 1, rich and lazy."""
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            time = measured.flow.time
            axes.loglog(time, measured.norm, color=color, label=rf"$\beta = {measured.beta:g}$")
            axes.loglog(time, measured.lazy_norm, ":", color=color)
            if measured.beta > 1:
                limit = (limiting_scale(plan.alpha, measured.beta, plan.gamma) - 1) / plan.gamma
                for value in (limit, rkhs_norm_squared(plan.alpha, measured.beta)):
                    axes.plot(time[-1] * 2, value, "<", color=color, clip_on=False)
        axes.set_ylim(1e-2, None)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$|w|^2/N$")
        extra: list[tuple[Style, str, str]] = [
            ("-", "", rf"$\gamma = {plan.gamma:g}$"),
            (":", "", "lazy"),
            ("none", "<", "limit"),
        ]
        _legend(axes, extra, "upper left")
    return figure


def single_figure(rows: Sequence[SingleRow]) -> Figure:
    """Draw the loss of networks of one parameter with and without the projection."""
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row, color in zip(rows, COLORS[1:], strict=False):
            for free, held in zip(row.unprojected, row.projected, strict=True):
                axes.loglog(row.step, free, color=color)
                axes.loglog(row.step, held, "--", color=color, linewidth=1.2)
            axes.plot([], [], color=color, label=f"$M = {row.modes}$, no projection")
        axes.set_xlabel("steps $t$")
        axes.set_ylabel("loss")
        _legend(axes, [("--", "", "with projection")], "lower left")
    return figure


def _dashed(axes: Axes, x: Array, y: Array) -> None:
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4, zorder=1)


def _legend(axes: Axes, extra: Sequence[tuple[Style, str, str]], place: Place) -> None:
    """Add a legend with grey entries for line styles and markers, each (line style, marker, label)."""
    handles, labels = axes.get_legend_handles_labels()
    grey = [
        Line2D([], [], color=MUTED, linestyle=style, marker=marker, linewidth=1.4, label=label)
        for style, marker, label in extra
    ]
    axes.legend([*handles, *grey], [*labels, *(label for _, _, label in extra)], loc=place, ncols=2)
