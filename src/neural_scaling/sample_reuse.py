r"""Simulation of full-batch gradient descent on P fixed samples (Appendix D) at finite width.

As in :mod:`neural_scaling.toy_model`, training sees the features only through ``(A(0) psi, w* . psi)``, which given A(0) is
Gaussian with covariance ``R^T R``, R the triangular factor of ``Lambda^(1/2) [A(0)^T, w*]``. So the P samples are the rows of
``G R`` with G a P x (N + 1) matrix of normals, and full-batch descent depends on them only through ``F``, the triangular
factor of ``G R / sqrt(P)``:

.. math::
    c = (-B^T w / N,\, 1), \qquad L_{test} = |R c|^2, \qquad L_{train} = |F c|^2, \qquad v_3 = [F^T F c]_{1..N}, \qquad
    w' = w + \eta B v_3, \qquad B' = B + \tfrac{\eta\gamma}{N} w\, v_3^T .

The law is that of training on all M features, and a step costs the same whatever M and P.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np

from neural_scaling.checks import require
from neural_scaling.dmft.stability import check_dynamics, check_finite
from neural_scaling.monitor import Arrays, Monitor, scalar
from neural_scaling.spectra import Array, Spectrum
from neural_scaling.toy_model import projected_factor

_CHUNK = 64  # steps compiled into one loop; between chunks progress is reported and the state can be kept


@dataclass(frozen=True)
class ReuseSimulation:
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
    spectrum: Spectrum,
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
    A(0) of a seed is that of :func:`neural_scaling.toy_model.simulate`.

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

    Returns
    -------
    ReuseSimulation

    Raises
    ------
    InputError
        If an argument is out of range, N exceeds M, or ``eta`` is unstable on the population.
    DynamicsDiverged
        If a run blows up.
    """
    check_dynamics(spectrum.quadrature(), eta, gamma, steps, width, math.inf)
    for value, name in ((width, "width"), (samples, "samples")):
        require(
            1 <= value < math.inf and value == int(value),
            name,
            f"got {value!r}",
            "give a positive whole number; dmft has the limits",
        )
    require(
        width <= spectrum.modes,
        "width",
        f"N = {width} exceeds the number of modes M = {spectrum.modes}",
        "take N <= M: more parameters than modes are redundant",
    )
    require(
        len(seeds) > 0 and all(seed >= 0 for seed in seeds) and len(set(seeds)) == len(seeds),
        "seeds",
        f"got {list(seeds)!r}",
        "give at least one non-negative integer, each once",
    )
    width, samples, count = int(width), int(samples), len(seeds)
    monitor = monitor or Monitor()
    state = monitor.restored()
    if state is None:
        factor = np.stack([projected_factor(spectrum, width, seed) for seed in seeds])
        fit = np.stack([_sample_factor(one, samples, seed) for one, seed in zip(factor, seeds, strict=True)])
        state = {
            "factor": factor,
            "fit": fit,
            "w": np.zeros((count, width)),
            "b": np.tile(np.eye(width), (count, 1, 1)),
            "losses": np.zeros((2, count, steps + 1)),
            "done": scalar(0),
        }
    with jax.enable_x64(True):
        both = jnp.asarray(state["factor"]), jnp.asarray(state["fit"])
        moving = jnp.asarray(state["w"]), jnp.asarray(state["b"])
        losses = state["losses"]
        for start in range(int(state["done"]), steps + 1, _CHUNK):
            length = min(_CHUNK, steps + 1 - start)
            moving, found = _steps(both, moving, eta, gamma, length)
            losses[:, :, start : start + length] = np.moveaxis(np.asarray(found), 0, -1)
            monitor.advance(count * length)
            monitor.safe_point(functools.partial(_kept, state, moving, start + length))
    for run in losses[0]:
        check_finite(run, eta)
    floors = np.array([_floors(one, fit) for one, fit in zip(state["factor"], state["fit"], strict=True)])
    return ReuseSimulation(losses[0], losses[1], floors[:, 0], floors[:, 1])


def _sample_factor(factor: Array, samples: int, seed: int) -> Array:
    """Return F with ``F^T F = R^T G^T G R / P``, of min(P, N + 1) rows, for the P samples of a seed."""
    # The samples must not share numbers with A(0): the child of the seed's sequence is an independent stream.
    random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    size = factor.shape[0]
    fit = np.zeros((0, size))
    for first in range(0, samples, 4 * size):
        rows = random.standard_normal((min(4 * size, samples - first), size)) @ factor
        fit = np.concatenate([fit, rows / math.sqrt(samples)])
        if fit.shape[0] > size:
            fit = np.asarray(np.linalg.qr(fit, mode="r"))
    return fit


def _floors(factor: Array, fit: Array) -> tuple[float, float]:
    """Return test and training loss of the smallest least-squares solution.

    Every step moves ``B^T w`` within the span of the samples' projected features, and the training loss goes to its minimum:
    both hold for any richness, and together they fix the limit.
    """
    # rcond far below the smallest eigenvalue that can matter, far above rounding.
    solution = np.linalg.lstsq(fit[:, :-1], fit[:, -1], rcond=1e-14)[0]
    c = np.append(-solution, 1.0)
    return float(np.sum((factor @ c) ** 2)), float(np.sum((fit @ c) ** 2))


def _kept(state: Arrays, moving: tuple[jax.Array, jax.Array], done: int) -> Arrays:
    return state | {"w": np.asarray(moving[0]), "b": np.asarray(moving[1]), "done": scalar(done)}


@functools.partial(jax.jit, static_argnames=("length",), donate_argnums=(1,))
def _steps(
    both: tuple[jax.Array, jax.Array], state: tuple[jax.Array, jax.Array], eta: float, gamma: float, length: int
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Advance all runs by ``length`` steps; return the state and both losses before each, shape (length, 2, seeds)."""
    factor, fit = both
    count, size = factor.shape[0], factor.shape[1]
    width = size - 1

    def step(carry: tuple[jax.Array, jax.Array], _: None) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        w, b = carry
        c = jnp.concatenate([-jnp.einsum("sij,si->sj", b, w) / width, jnp.ones((count, 1))], axis=1)
        error, residual = jnp.einsum("sij,sj->si", factor, c), jnp.einsum("sij,sj->si", fit, c)
        v3 = jnp.einsum("sij,si->sj", fit, residual)[:, :width]
        stepped = w + eta * jnp.einsum("sij,sj->si", b, v3)
        b = b + (eta * gamma / width) * w[:, :, None] * v3[:, None, :]
        return (stepped, b), jnp.stack([jnp.sum(error**2, axis=1), jnp.sum(residual**2, axis=1)])

    return jax.lax.scan(step, state, None, length=length)
