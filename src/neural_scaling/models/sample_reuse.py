r"""Simulation of full-batch gradient descent on P fixed samples (Appendix D) at finite width.

As in :mod:`~neural_scaling.models.toy_model`, training sees features only through ``(A(0) psi, w* . psi)``, which given A(0) is
Gaussian with covariance ``R^T R``, R the triangular factor of ``Lambda^(1/2) [A(0)^T, w*]``. So the P samples are the rows of
``G R`` with G a P x (N + 1) matrix of normals, and full-batch descent depends on them only through ``F``, the triangular
factor of ``G R / sqrt(P)``:

.. math::
    c = (-B^T w / N,\, 1), \qquad L_{test} = |R c|^2, \qquad L_{train} = |F c|^2, \qquad v_3 = [F^T F c]_{1..N}, \qquad
    w' = w + \eta B v_3, \qquad B' = B + \tfrac{\eta\gamma}{N} w\, v_3^T .

The law is that of training on all M features, and a step costs the same whatever M and P. For P < N the readout moves only in
the P dimensions that the samples' projected features span, and everything is written in a basis of that span, so that a
step costs ``min(N, P)^2``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue, factor_with
from neural_scaling.base.checks import require
from neural_scaling.base.monitor import Arrays, Monitor, Parts, or_silent, paced, scalar
from neural_scaling.dmft.stability import check_dynamics, check_finite
from neural_scaling.models.toy_model import projected_factor
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_spectrum
from neural_scaling.theory.finite_size import within_reach

__all__ = ["ReuseLimit", "ReuseSimulation", "reuse_limit", "simulate_reuse"]

_CHUNK = 64  # most steps of one call; between calls progress is reported and the state can be kept


@dataclass(frozen=True, eq=False)
class ReuseSimulation(ArrayValue):
    """Outcome of :func:`simulate_reuse`.

    Attributes
    ----------
    loss
        Test loss on steps 0 .. T (exact over the data distribution), shape (seeds, T + 1).
    train_loss
        Mean squared error on the P samples, shape (seeds, T + 1).
    floor
        Test loss reached as t -> infinity, which does not depend on the richness, shape (seeds,).
    train_floor
        The same for the training loss; zero to rounding for P <= N, shape (seeds,).
    """

    loss: Array
    train_loss: Array
    floor: Array
    train_floor: Array


def simulate_reuse(
    spectrum: PowerLaw | Spectrum | ModeQuadrature,
    width: int,
    samples: int,
    eta: float,
    gamma: float,
    steps: int,
    seeds: Sequence[int],
    monitor: Monitor | None = None,
) -> ReuseSimulation:
    """Train from ``w = 0`` on P fixed Gaussian samples, one independent A(0) and sample per seed.

    All seeds are trained together, in float64 on JAX's default device; a seed's curve does not depend on the others. The
    A(0) of a seed is that of :func:`neural_scaling.models.toy_model.simulate`.

    Parameters
    ----------
    spectrum
        The M modes.
    width
        N, at most M.
    samples
        P.
    eta
        Learning rate.
    gamma
        Richness.
    steps
        Number of steps T.
    seeds
        One non-negative integer per run.
    monitor
        Told of progress in seed-steps; may keep the state and give it back.

    Raises
    ------
    InputError
        If an argument is out of range, N exceeds M, or ``eta`` is unstable on the population.
    DynamicsDiverged
        If a run blows up.
    """
    spectrum = as_spectrum(spectrum, "spectrum")
    width = checks.whole(
        width, "width", f"give a whole number up to the number of modes, {spectrum.modes}", most=spectrum.modes
    )
    samples = checks.whole(samples, "samples", "give a positive whole number; dmft has the limit of many")
    eta, gamma = checks.require_positive(eta, "eta"), checks.real(gamma, "gamma", least=0.0)
    steps, seeds, monitor = checks.whole(steps, "steps"), checks.seeds(seeds), or_silent(monitor)
    check_dynamics(spectrum.quadrature(), eta, gamma, steps, width, math.inf)
    count, parts = len(seeds), Parts(monitor)
    pairs = [_reduced(parts, spectrum, width, samples, seed) for seed in seeds]
    factor, fit = (np.stack(matrices) for matrices in zip(*pairs, strict=True))

    def trained(monitor: Monitor) -> Arrays:
        state = monitor.restored()
        if state is None:
            state = {
                "w": np.zeros((count, factor.shape[2] - 1)),
                "b": np.tile(np.eye(factor.shape[2] - 1), (count, 1, 1)),
                "losses": np.zeros((2, count, steps + 1)),
                "done": scalar(0),
            }
        with jax.enable_x64(True):
            both = jnp.asarray(factor), jnp.asarray(fit)
            moving = jnp.asarray(state["w"]), jnp.asarray(state["b"])
            losses = state["losses"]
            for start, length in paced(int(state["done"]), steps + 1, _CHUNK):
                moving, found = _steps(both, moving, length, width, eta, gamma)
                losses[:, :, start : start + length] = np.moveaxis(np.asarray(found)[:length], 0, -1)
                monitor.advance(count * length)
                monitor.safe_point(functools.partial(_kept, moving, losses, start + length))
        return {"losses": losses}

    losses = parts.run("training", trained)["losses"]
    for run in losses[0]:
        check_finite(run, spectrum.quadrature(), eta, gamma, width)
    floors = np.array([_floors(*pair) for pair in pairs])
    return ReuseSimulation(losses[0], losses[1], floors[:, 0], floors[:, 1])


@dataclass(frozen=True)
class ReuseLimit:
    """Mean field theory of training on P fixed samples as t -> infinity.

    Attributes
    ----------
    loss, train_loss
        Test and training loss.
    printed
        ``sum_k lambda_k (w*_k)^2 / (1 + lambda_k y)^2``, the test loss of eq. 78 as printed where ``width`` is infinite.
    """

    loss: float
    train_loss: float
    printed: float


def reuse_limit(modes: PowerLaw | Spectrum | ModeQuadrature, width: float, samples: float) -> ReuseLimit:
    r"""Return the limit of the theory as t -> infinity, which does not depend on the richness (eqs. 77-78 and beyond).

    The matrix Y of the equations becomes a number y with ``sum_k K_k = min(N, P)``, ``K_k = lambda_k y / (1 + lambda_k y)``, so
    that the smaller of N and P has zero response. With ``d = sum_k K_k^2``, ``n = min(N, P)``,
    ``b = sum_k lambda_k (w*_k)^2 / (1 + lambda_k y)^2`` and ``c = sum_k (w*_k)^2 K_k^2 / y`` the losses solve

    .. math::
        (1 - d/P)\, C_0 - \tfrac{n - d}{N}\, C = b, \qquad (1 - d/N)\, C - \tfrac{n - d}{P}\, C_0 = c,
        \qquad L_{train} = (1 - n/P)^2 C_0 .

    Parameters
    ----------
    modes
        Their number must exceed ``min(N, P)``, and the horizon of a quadrature y.
    width, samples
        N and P, different, at most one of them infinite.

    Raises
    ------
    InputError
        If N = P, where the limit is infinite, both are infinite, or there are not enough modes.
    """
    width = checks.real(width, "width", least=1.0, infinite=True)
    samples = checks.real(samples, "samples", least=1.0, infinite=True)
    smaller = min(width, samples)
    require(
        width != samples,
        "samples",
        f"N = P = {samples:g}, where the loss grows without bound",
        "take different N and P, and at most one of them infinite",
    )
    quadrature, y = within_reach(modes, smaller, "samples")
    nodes = quadrature.nodes
    k = nodes * y / (1 + nodes * y)
    d = float(quadrature.weights @ k**2)
    bias = float((quadrature.target_weights * nodes) @ (1 - k) ** 2)
    moved = float(quadrature.target_weights @ k**2) / y
    per_width, per_sample = 1 / width, 1 / samples
    system = np.array(
        [[1 - d * per_sample, -(smaller - d) * per_width], [-(smaller - d) * per_sample, 1 - d * per_width]]
    )
    loss = float(np.linalg.solve(system, np.array([bias, moved]))[0])
    return ReuseLimit(loss, (1 - smaller * per_sample) ** 2 * loss, bias)


def _sample_factor(factor: Array, samples: int, seed: int) -> Array:
    """Return F with ``F^T F = R^T G^T G R / P``, of min(P, N + 1) rows, for the P samples of a seed."""
    # The samples must not share numbers with A(0): the child of the seed's sequence is an independent stream.
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    size = factor.shape[0]
    fit = np.zeros((0, size))
    for first in range(0, samples, 4 * size):
        rows = random.standard_normal((min(4 * size, samples - first), size)) @ factor
        rows /= math.sqrt(samples)
        fit = factor_with(fit, rows) if fit.shape[0] + rows.shape[0] > size else np.concatenate([fit, rows])
    return fit


def _within_span(factor: Array, fit: Array) -> tuple[Array, Array]:
    """Return both factors in an orthonormal basis of the span of the samples' projected features, if that is smaller."""
    if fit.shape[0] >= fit.shape[1] - 1:
        return factor, fit
    basis = np.linalg.qr(fit[:, :-1].T)[0]
    narrow = [np.column_stack([whole[:, :-1] @ basis, whole[:, -1]]) for whole in (factor, fit)]
    return np.asarray(np.linalg.qr(narrow[0], mode="r")), narrow[1]


def _floors(factor: Array, fit: Array) -> tuple[float, float]:
    """Return test and training loss of the smallest least-squares solution, where training ends up at any richness."""
    # rcond far below the smallest eigenvalue that can matter, far above rounding.
    solution = np.linalg.lstsq(fit[:, :-1], fit[:, -1], rcond=1e-14)[0]
    c = np.append(-solution, 1.0)
    return float(np.sum((factor @ c) ** 2)), float(np.sum((fit @ c) ** 2))


def _reduced(parts: Parts, spectrum: Spectrum, width: int, samples: int, seed: int) -> tuple[Array, Array]:
    """Return both factors of a seed."""
    whole = parts.run(f"factor {seed}", lambda monitor: {"factor": projected_factor(spectrum, width, seed, monitor)})
    return _within_span(whole["factor"], _sample_factor(whole["factor"], samples, seed))


def _kept(moving: tuple[jax.Array, jax.Array], losses: Array, done: int) -> Arrays:
    return {"w": np.asarray(moving[0]), "b": np.asarray(moving[1]), "losses": losses, "done": scalar(done)}


@functools.partial(jax.jit, donate_argnums=(1,))
def _steps(
    both: tuple[jax.Array, jax.Array],
    state: tuple[jax.Array, jax.Array],
    length: int,
    width: int,
    eta: float,
    gamma: float,
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Advance all runs by ``length`` steps, one program for any; return the state and losses before each, (_CHUNK, 2, seeds)."""
    factor, fit = both
    count = factor.shape[0]

    def step(carry: tuple[jax.Array, jax.Array]) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        w, b = carry
        c = jnp.concatenate([-jnp.einsum("sij,si->sj", b, w) / width, jnp.ones((count, 1))], axis=1)
        error, residual = jnp.einsum("sij,sj->si", factor, c), jnp.einsum("sij,sj->si", fit, c)
        v3 = jnp.einsum("sij,si->sj", fit, residual)[:, :-1]
        stepped = w + eta * jnp.einsum("sij,sj->si", b, v3)
        b = b + (eta * gamma / width) * w[:, :, None] * v3[:, None, :]
        return (stepped, b), jnp.stack([jnp.sum(error**2, axis=1), jnp.sum(residual**2, axis=1)])

    def next_step(number: jax.Array, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        moved, found = step(carry[0])
        return moved, carry[1].at[number].set(found)

    moved, losses = jax.lax.fori_loop(0, length, next_step, (state, jnp.zeros((_CHUNK, 2, count))))
    return moved, losses
