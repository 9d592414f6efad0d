r"""The limit of infinite width and batch, in unit steps and as gradient flow.

In this limit ``R3 -> I`` and all noise vanishes (eq. 43). Equation 44 convolves over the whole past; the same dynamics is
Markovian in ``u = w* - v0``, ``C_w = |w|^2/N`` and the kernel of the features ``G = A^T A / N``,

.. math::
    u' &= u + \eta G a + \eta\gamma\, a\,(C_w + \eta\, u \cdot a), \qquad a = \Lambda (w^* - u), \\
    C_w' &= C_w + 2 \eta\, u \cdot a + \eta^2 a^T G a, \\
    G' &= G + \eta\gamma (u a^T + a u^T) + (\eta\gamma)^2 C_w\, a a^T,

without approximation, so a step costs K^2 for K quadrature nodes whatever its number. Its limit eta -> 0 is
eqs. 51-52 with ``M = G + gamma C_w I``. All vectors are ``w*_k`` times a smooth function of ``lambda_k``, and
``G - I`` is ``w*_k w*_l`` times one of two of them; those functions are what is stored on the nodes.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import DOP853
from threadpoolctl import threadpool_limits

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor, or_silent, scalar
from neural_scaling.dmft.diverged import DIVERGED, DynamicsDiverged
from neural_scaling.dmft.flow import horizon_of_flow, resolving
from neural_scaling.dmft.grid import ascending_times
from neural_scaling.dmft.stability import check_dynamics, check_finite, richness
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_quadrature


@dataclass(frozen=True, eq=False)
class InfiniteLimit(ArrayValue):
    """Solution at N, B -> infinity.

    Attributes
    ----------
    time
        Where the solution is given, shape (R,): steps for :func:`infinite_limit`, eta * steps for :func:`gradient_flow`.
    loss
        Test loss (eq. 5), shape (R,).
    weight_norm
        ``C_w = |w|^2/N``, shape (R,); ``1 + gamma C_w`` is the growth of the kernel's scale.
    sharpness
        Largest eigenvalue of the kernel ``Lambda^(1/2) (G + gamma C_w) Lambda^(1/2)``, shape (R,). Discrete steps are at the
        edge of stability where eta times this is 2.
    """

    time: Array
    loss: Array
    weight_norm: Array
    sharpness: Array


@dataclass
class _State:
    u: Array  # u_k / w*_k, shape (K,)
    weight_norm: float
    kernel: Array  # (G - I)_kl / (w*_k w*_l), shape (K, K)
    reached: float = 0.0  # effective time


def infinite_limit(
    modes: PowerLaw | Spectrum | ModeQuadrature,
    eta: float,
    gamma: float,
    steps: int,
    record: ArrayLike | None = None,
    monitor: Monitor | None = None,
) -> InfiniteLimit:
    """Solve the model at N, B -> infinity, exact in unit steps (eq. 44 with the factors of eta corrected).

    Parameters
    ----------
    modes
        A power law, a spectrum, or a quadrature that resolves ``eta * steps`` times the growth of the kernel.
    eta
        Learning rate.
    gamma
        Richness, 0 for the lazy limit.
    steps
        Number of steps T.
    record
        Steps at which to record, whole numbers in [0, steps], ascending; default about 40 a decade.
    monitor
        Told of progress in steps; may keep the state and give it back.

    Returns
    -------
    InfiniteLimit
        With ``time`` in steps.

    Raises
    ------
    InputError
        If an argument is out of range, or a quadrature does not resolve the time that is reached.
    DynamicsDiverged
        If the loss blows up.
    """
    # The smallest horizon is enough to see lambda_1.
    eta, gamma, steps, _, _ = check_dynamics(as_quadrature(modes, "modes", 1.0), eta, gamma, steps, math.inf, math.inf)
    times = log_spaced_steps(steps) if record is None else _steps_to_record(record, steps)
    horizon = horizon_of_flow(modes, gamma, eta * steps)
    # What a monitor keeps is of the first horizon.
    watch = [or_silent(monitor)]
    return resolving(
        modes,
        horizon,
        lambda quadrature: _infinite_limit(quadrature, eta, gamma, steps, times, watch.pop() if watch else Monitor()),
    )


def _steps_to_record(record: ArrayLike, steps: int) -> Array:
    return checks.array(record, "record", least=0.0, most=steps, whole=True, order="rising")


def _infinite_limit(
    quadrature: ModeQuadrature, eta: float, gamma: float, steps: int, times: Array, monitor: Monitor
) -> InfiniteLimit:
    size = quadrature.nodes.size
    state, rows, first = _State(np.zeros(size), 0.0, np.zeros((size, size))), [], 0
    if (restored := monitor.restored()) is not None:
        state = _State(restored["u"], float(restored["weight_norm"]), restored["kernel"], float(restored["reached"]))
        rows, first = list(restored["rows"]), int(restored["step"])
    wanted = {int(t) for t in times}
    # Products of K x K matrices are too small to share: on a busy machine, threads waiting for each other cost a factor of five.
    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        for step in range(first, steps + 1):
            a = quadrature.nodes * (1 - state.u)
            if step in wanted:
                loss = float(quadrature.target_weights @ (a * (1 - state.u)))
                if not loss <= DIVERGED * quadrature.initial_loss:
                    break
                rows.append(np.array([loss, state.weight_norm, _sharpness(quadrature, state, gamma)]))
            if step < steps:
                state.reached += eta * (1 + gamma * state.weight_norm)
                quadrature.check_resolved(state.reached, "modes")
                _advance(quadrature, state, a, eta, gamma)
                monitor.advance(1)
                monitor.safe_point(functools.partial(_kept, state, rows, step + 1))
    if len(rows) < times.size:
        check_finite(np.array([quadrature.initial_loss, *[r[0] for r in rows], math.nan]), quadrature, eta, gamma)
    loss, weight_norm, sharpness = np.array(rows).T
    return InfiniteLimit(times.astype(np.float64), loss, weight_norm, sharpness)


def gradient_flow(
    modes: PowerLaw | Spectrum | ModeQuadrature,
    gamma: float,
    time: ArrayLike,
    relative_tolerance: float = 1e-8,
    monitor: Monitor | None = None,
) -> InfiniteLimit:
    """Solve the limit N, B -> infinity and eta -> 0 at fixed eta * steps (eqs. 51-52).

    Parameters
    ----------
    modes, gamma, time
        As for :func:`~neural_scaling.dmft.kernel_flow`.
    relative_tolerance
        Of the Runge-Kutta integrator. An explicit method: its cost grows with ``time[-1]`` times the largest
        eigenvalue of the kernel; :func:`neural_scaling.dmft.kernel_flow` has no such limit.
    monitor
        May keep the state and give it back.

    Returns
    -------
    InfiniteLimit
        With ``time`` in eta * steps.

    Raises
    ------
    InputError
        If an argument is out of range, or a quadrature does not resolve the time that is reached.
    DynamicsDiverged
        If the integrator gives up.
    """
    time, gamma = ascending_times(time), richness(gamma)
    tolerance = checks.real(relative_tolerance, "relative_tolerance", above=0.0, below=1.0)
    horizon = horizon_of_flow(modes, gamma, float(time[-1])) if time[-1] else 1.0
    watch = [or_silent(monitor)]
    return resolving(
        modes,
        horizon,
        lambda quadrature: _gradient_flow(quadrature, gamma, time, tolerance, watch.pop() if watch else Monitor()),
    )


def _gradient_flow(
    quadrature: ModeQuadrature, gamma: float, time: Array, relative_tolerance: float, monitor: Monitor
) -> InfiniteLimit:
    size = quadrature.nodes.size
    # In units of the largest eigenvalue, of the target and of gamma.
    rate = float(quadrature.nodes[0])
    nodes, unit = quadrature.nodes / rate, quadrature.initial_loss / rate or 1.0
    absolute = np.concatenate([np.ones(size), [unit], np.full(size * size if gamma else 0, gamma)])

    def slope(_: float, packed: Array) -> Array:
        u, weight_norm = packed[:size], float(packed[size])
        a = nodes * (1 - u)
        if gamma == 0:
            return np.append(a, 2 * float((quadrature.target_weights * u) @ a))
        kernel = packed[size + 1 :].reshape(size, size)
        u_slope = a + kernel @ (quadrature.target_weights * a) + gamma * weight_norm * a
        growth = 2 * float((quadrature.target_weights * u) @ a)
        spike = np.outer(u, a)
        return np.concatenate([u_slope, [growth], (gamma * (spike + spike.T)).ravel()])

    def row(packed: Array) -> Array:
        kernel = np.zeros((size, size)) if gamma == 0 else packed[size + 1 :].reshape(size, size)
        state = _State(packed[:size], float(packed[size]), kernel)
        loss = float(quadrature.target_weights @ (quadrature.nodes * (1 - state.u) ** 2))
        return np.array([loss, state.weight_norm, _sharpness(quadrature, state, gamma)])

    begin, packed, rows = 0.0, np.zeros(size + 1 if gamma == 0 else size + 1 + size * size), []
    reached, ends = 0.0, time * rate
    kept = monitor.restored()
    if kept is not None:
        begin, packed, rows = float(kept["time"]), kept["packed"], list(kept["rows"])
        reached = float(kept["reached"])
    elif time[-1] == 0:
        rows = [row(packed)]
    with threadpool_limits(1):
        if len(rows) < time.size:
            small = relative_tolerance * 1e-3 * absolute
            solver = DOP853(slope, begin, packed, float(ends[-1]), rtol=relative_tolerance, atol=small)  # type: ignore[arg-type]
            if kept is not None:
                solver.h_abs = float(kept["next step"])
        while len(rows) < time.size:
            before, norm = solver.t, float(solver.y[size])
            failure = solver.step()
            if failure is not None:
                raise DynamicsDiverged(f"gradient flow could not be integrated: {failure}")
            reached += (solver.t - before) / rate * (1 + gamma * (norm + float(solver.y[size])) / 2)
            quadrature.check_resolved(reached, "modes")
            between = solver.dense_output()
            passed = int(np.searchsorted(ends, solver.t, side="right"))
            rows += [row(between(moment)) for moment in ends[len(rows) : passed]]
            monitor.safe_point(
                functools.partial(
                    dict,
                    time=scalar(solver.t),
                    packed=solver.y,
                    reached=scalar(reached),
                    rows=np.array(rows).reshape(-1, 3),
                    **{"next step": scalar(solver.h_abs)},
                )
            )
    loss, weight_norm, sharpness = np.array(rows).T
    return InfiniteLimit(time, loss, weight_norm, sharpness)


def _kept(state: _State, rows: list[Array], step: int) -> Arrays:
    return {
        "u": state.u,
        "weight_norm": scalar(state.weight_norm),
        "kernel": state.kernel,
        "reached": scalar(state.reached),
        "rows": np.array(rows).reshape(-1, 3),
        "step": scalar(step),
    }


def _advance(quadrature: ModeQuadrature, state: _State, a: Array, eta: float, gamma: float) -> None:
    weighted = quadrature.target_weights * a
    overlap = float(state.u @ weighted)
    if gamma == 0:
        pushed = a
    else:
        pushed = a + state.kernel @ weighted
        half = eta * gamma * state.u + (0.5 * (eta * gamma) ** 2 * state.weight_norm) * a
        spike = half[:, None] * a
        spike += spike.T
        state.kernel += spike
    norm = state.weight_norm + eta * overlap
    state.weight_norm += 2 * eta * overlap + eta**2 * float(pushed @ weighted)
    state.u = state.u + eta * pushed + (eta * gamma * norm) * a


def _sharpness(quadrature: ModeQuadrature, state: _State, gamma: float) -> float:
    scale = 1 + gamma * state.weight_norm
    if gamma == 0 or not np.all(np.isfinite(state.kernel)):
        return scale * float(quadrature.nodes[0])
    operator = np.diag(scale * quadrature.nodes) + state.kernel * (quadrature.target_weights * quadrature.nodes)
    return float(np.max(np.linalg.eigvals(operator).real))
