"""The model in full, simulated: its kernel beside the limit of infinite width, its two forms, and no projection."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.claims import Claim, Measurement, Tolerance, judged
from companion.parameters import Parameters
from companion.style import MUTED, SERIES, drawing, grey_legend
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import KernelFlow
from neural_scaling.models.direct_model import best_in_span, initial_features, train_directly
from neural_scaling.spectra import PowerLaw, Spectrum

#: Agreement of simulated networks with the limit of infinite width.
NETWORK = Tolerance(0.05, "kernels of networks: 5 %, for finite width and learning rate")

_EXTRAPOLATED = "error of the extrapolation, from a larger learning rate"


@dataclass(frozen=True)
class Single:
    """Networks of one parameter, with and without the projection."""

    modes: int  # M
    step: Array  # steps, shape (R,)
    # projected, unprojected: losses, shape (seeds, R)
    projected: Array
    unprojected: Array
    floor: Array  # best loss in the span of the one initial feature, shape (seeds,)


def growth(plan: Parameters, modes: Sequence[int]) -> pd.DataFrame:
    """Train networks in unit steps; return the ``scale`` of the kernel and its ``diagonal`` at some modes, means over seeds."""
    spectrum, columns = _spectrum(plan, plan.modes), np.asarray(modes) - 1
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
        rows.append((time, float(np.mean(scales)), error, np.mean(diagonals, axis=0)))
    return pd.DataFrame(rows, columns=["time", "scale", "error", "diagonal"])


def effective_kernel(plan: Parameters, flow: KernelFlow, mode: int) -> Array:
    """Return the effective kernel of a mode over its initial value, ``K_k/lambda_k = s + (gamma/s) u_k^2``."""
    node = int(np.argmin(np.abs(np.log(flow.quadrature.nodes / float(mode) ** -plan.alpha))))
    target = float(mode) ** (plan.alpha - plan.alpha * plan.quoted_hard - 1)
    return np.asarray(flow.scale + flow.gamma / flow.scale * target * (1 - flow.error[:, node]) ** 2)


def spikes(plan: Parameters) -> pd.DataFrame:
    """Train one network at decreasing learning rates to the same eta * steps and diagonalize ``B^T B - I``.

    ``first`` and ``second`` are its eigenvalues largest in size; gradient flow makes the first ``scale``, gamma |w|^2/N, and its
    eigenvector that of ``B^T w``, from which ``misalignment`` is one minus the overlap.
    """
    spectrum, width = _spectrum(plan, plan.small_modes), plan.small_width
    initial = initial_features(spectrum, width, 0)
    rows = []
    for eta in plan.etas:
        run = train_directly(spectrum, initial, eta, plan.gamma, round(plan.small_time / eta), "factored")
        mixing = run.mixing if run.mixing is not None else np.eye(width)
        values, vectors = np.linalg.eigh(mixing.T @ mixing - np.eye(width))
        order = np.argsort(-np.abs(values))
        direction = mixing.T @ run.weights
        overlap = abs(float(vectors[:, order[0]] @ direction)) / float(np.linalg.norm(direction))
        first, second = float(values[order[0]]), float(values[order[1]])
        rows.append((eta, first, plan.gamma * run.weight_norm, second, 1 - overlap))
    return pd.DataFrame(rows, columns=["eta", "first", "scale", "second", "misalignment"])


def forms(plan: Parameters) -> pd.DataFrame:
    """Train eq. 4 and the B(t) A(0) form on the same data; return largest relative differences of ``loss`` and of A(T)."""
    spectrum = _spectrum(plan, plan.small_modes)
    initial = initial_features(spectrum, plan.small_width, 1)
    rows = []
    for batch in (math.inf, float(plan.batch)):
        common = (spectrum, initial, plan.eta, plan.gamma, plan.steps)
        direct, factored = (train_directly(*common, form, batch) for form in ("projected", "factored"))
        loss = float(np.max(np.abs(direct.loss / factored.loss - 1)))
        apart, largest = np.max(np.abs(direct.features - factored.features)), np.max(np.abs(direct.features))
        rows.append((batch, loss, float(apart / largest)))
    return pd.DataFrame(rows, columns=["batch", "loss", "features"])


def single(plan: Parameters) -> list[Single]:
    """Train networks of one parameter with and without the projection."""
    step = np.unique(np.round(np.geomspace(1, plan.single_steps, 200))).astype(int)
    found = []
    for modes in plan.single_modes:
        spectrum = _spectrum(plan, modes)
        projected, unprojected, floor = [], [], []
        for seed in range(plan.single_seeds):
            initial = initial_features(spectrum, 1, seed)
            common = (spectrum, initial, plan.single_eta, plan.gamma, plan.single_steps)
            projected.append(train_directly(*common, "projected").loss[step])
            unprojected.append(train_directly(*common, "unprojected").loss[step])
            floor.append(best_in_span(spectrum, initial))
        found.append(Single(modes, step.astype(float), np.array(projected), np.array(unprojected), np.array(floor)))
    return found


def rank_one_claim(plan: Parameters, found: pd.DataFrame) -> Claim:
    """Judge whether training adds a spike of rank one: what is left of the second eigenvalue as the learning rate vanishes."""
    share = (found.second / found["first"]).to_numpy()
    # Discretization is of first order in eta. Two extrapolations differ by what is left of the second order.
    rates = found.eta.to_numpy()
    pairs = [(share[k - 1], share[k], rates[k - 1], rates[k]) for k in (-2, -1)]
    earlier, later = (b - (b - a) * eta / (eta - before) for a, b, before, eta in pairs)
    error = abs(later - earlier)
    return judged(
        plan,
        "kernel.spike.rank-one",
        "eqs. 51, 55",
        "Gradient flow adds a spike of rank one to the kernel of the features.",
        f"second over first eigenvalue of B^T B - I, extrapolated to eta = 0, N = {plan.small_width}",
        0.0,
        Measurement(later, (later - error, later + error), meaning=_EXTRAPOLATED),
        "theory",
        Tolerance(0.005, "a share of the kernel: 0.5 %"),
        note=f"at eta = {found.eta.iloc[-1]:g} it is {share[-1]:.1g}",
    )


def scale_claim(plan: Parameters, found: pd.DataFrame, flow: KernelFlow) -> Claim:
    """Judge whether the kernel of simulated networks grows as the limit of infinite width says."""
    last = found.iloc[-1]
    theory = math.exp(float(np.interp(math.log(last.time), np.log(flow.time), np.log(flow.scale))))
    return judged(
        plan,
        "kernel.network.scale",
        "eqs. 43-52",
        f"The kernel of networks with N = {plan.width} grows as in the limit of infinite width.",
        f"simulated scale over that of gradient flow at eta t = {last.time:g}, beta = {plan.quoted_hard:g}",
        1.0,
        Measurement.with_error(last.scale / theory, last.error / theory, count=plan.seeds),
        "simulation",
        NETWORK,
        seeds=plan.seeds,
    )


def growth_figure(plan: Parameters, found: pd.DataFrame, modes: Sequence[int], flow: KernelFlow) -> Figure:
    """Draw the effective kernel of single modes, simulated and in the limit of infinite width."""
    with drawing(5.2) as (figure, axes):
        shown = (flow.time >= 0.5) & (flow.time <= 2 * found.time.iloc[-1])
        time = flow.time[shown]
        for index, (mode, color) in enumerate(zip(modes, SERIES, strict=False)):
            axes.semilogx(time, effective_kernel(plan, flow, mode)[shown], color=color, label=f"$k = {mode}$")
            axes.semilogx(found.time, [values[index] for values in found.diagonal], "o", color=color)
        axes.semilogx(time, flow.scale[shown], "--", color=MUTED, label="scale alone")
        axes.set(xlabel=r"$\eta t$", ylabel=r"effective kernel $K_k(t)/\lambda_k$")
        grey_legend(axes, {f"networks, $N = {plan.width}$": "o"}, "upper left")
    return figure


def single_figure(trained: Sequence[Single]) -> Figure:
    """Draw the loss of networks of one parameter with and without the projection."""
    with drawing(5.2) as (figure, axes):
        for row, color in zip(trained, SERIES[1:], strict=False):
            for free, held in zip(row.unprojected, row.projected, strict=True):
                axes.loglog(row.step, free, color=color)
                axes.loglog(row.step, held, "--", color=color, linewidth=1.2)
            axes.plot([], [], color=color, label=f"$M = {row.modes}$, no projection")
        axes.set(xlabel="steps $t$", ylabel="loss")
        grey_legend(axes, {"with projection": "--"}, "lower left")
    return figure


def _spectrum(plan: Parameters, modes: int) -> Spectrum:
    """Return the modes of the networks, those of the quoted hard task."""
    return PowerLaw(plan.alpha, plan.quoted_hard, modes).spectrum()
