r"""Simulation of the projected linear model (eqs. 3-4) at finite width and batch.

Training with ``A(t) = B(t) A(0)`` (eqs. 16-17) sees the M features only through the projection ``A(0) psi`` and the target
``w* . psi``. Given A(0) these are jointly Gaussian in N + 1 dimensions, so with R the triangular factor of
``Lambda^(1/2) [A(0)^T, w*]`` the whole dynamics, its law unchanged, lives in N + 1 dimensions:

.. math::
    z = R\,(-B^T w / N,\, 1), \qquad L = |z|^2, \qquad v_3 = [R^T \hat z]_{1..N}, \qquad
    w' = w + \eta B v_3, \qquad B' = B + \tfrac{\eta\gamma}{N} w\, v_3^T .

At infinite batch ``\hat z = z``. At batch B, ``\hat z = g^T g z / B`` with g a B x (N+1) matrix of normals. Along z its law is
``|z| chi^2_B / B``, and across z it is an isotropic normal of variance ``|z|^2 chi^2_B / B^2`` with the same chi-square, so
one chi-square and N + 1 normals replace B (N + 1) normals and a step costs the same at any batch size.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue, factor_with
from neural_scaling.base.checks import require
from neural_scaling.base.monitor import Arrays, Monitor, Parts, or_silent, paced, scalar
from neural_scaling.dmft.diverged import DIVERGED
from neural_scaling.dmft.stability import check_dynamics, check_finite
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_spectrum

__all__ = ["Simulation", "simulate"]

_TINY = 1e-300  # keeps a vanished residual from dividing by zero
_CHUNK = 32  # most steps of one call; between calls progress is reported and the state can be kept
_GROUP_BYTES = 2**28  # of the matrices of the seeds trained together: also the size of a checkpoint


@dataclass(frozen=True, eq=False)
class Simulation(ArrayValue):
    """Outcome of :func:`simulate`.

    Attributes
    ----------
    loss
        Test loss on steps 0 .. T (exact over the data distribution), shape (seeds, T + 1); infinite from the step where a run
        that was allowed to diverge has done so.
    floor
        Loss of the best predictor in the span of ``A(0) psi``, reached as t -> infinity at infinite batch, shape (seeds,).
    """

    loss: Array
    floor: Array

    @property
    def mean(self) -> Array:
        """Mean loss over seeds, shape (T + 1,)."""
        return np.asarray(self.loss.mean(axis=0))

    @property
    def standard_error(self) -> Array:
        """Standard error of the mean over seeds, shape (T + 1,); NaN for one seed."""
        count = self.loss.shape[0]
        if count < 2:
            return np.full(self.loss.shape[1], math.nan)
        return np.asarray(self.loss.std(axis=0, ddof=1) / math.sqrt(count))


def simulate(
    spectrum: PowerLaw | Spectrum | ModeQuadrature,
    width: int,
    eta: float,
    gamma: float,
    steps: int,
    seeds: Iterable[int],
    batch: float = math.inf,
    monitor: Monitor | None = None,
    keep_diverged: bool = False,
) -> Simulation:
    """Train the model from ``w = 0`` on Gaussian features, one independent A(0) and data stream per seed.

    Seeds are trained together, as many at a time as fit in a quarter GiB; a seed's curve does not depend on the
    others, nor on how JAX is configured. Computed in float64 on JAX's default device.

    Parameters
    ----------
    spectrum
        The M modes, or a power law of finitely many.
    width
        N, at most M.
    eta
        Learning rate.
    gamma
        Richness.
    steps
        Number of steps T.
    seeds
        One whole number from 0 to 2^63 - 1 per run.
    batch
        B, or ``math.inf`` for gradient descent on the population.
    monitor
        Told of progress in seed-steps; may keep the state and give it back. A run that goes on from a kept state ends with
        the same numbers, bit for bit on the same device.
    keep_diverged
        Give a run that blows up an infinite loss from there on instead of raising. With feature learning and a small batch a few
        seeds in a thousand may do so at any learning rate: the step grows with the noise, without bound.

    Raises
    ------
    InputError
        If an argument is out of range, N exceeds M, or ``eta`` is unstable.
    DynamicsDiverged
        If a run blows up, unless ``keep_diverged``.
    """
    spectrum = as_spectrum(spectrum, "spectrum")
    eta, gamma, steps, size, batch = check_dynamics(spectrum.quadrature(), eta, gamma, steps, width, batch)
    require(size < math.inf, "width", "infinite", "a simulation has finite width; use dmft for the limit")
    width = int(size)
    require(
        width <= spectrum.modes,
        "width",
        f"N = {width} exceeds the number of modes M = {spectrum.modes}",
        "take N <= M: more parameters than modes are redundant",
    )
    seeds = checks.seeds(seeds)
    keep_diverged = checks.flag(keep_diverged, "keep_diverged")
    together = max(1, _GROUP_BYTES // (16 * (width + 1) ** 2))
    parts, found = Parts(or_silent(monitor)), []
    for first in range(0, len(seeds), together):
        group = _Group(spectrum, width, eta, gamma, steps, batch, seeds[first : first + together])
        found.append(parts.run(f"seeds from {first}", group.train))
    loss, floor = (np.concatenate([group[name] for group in found]) for name in ("loss", "floor"))
    for run in loss:
        if keep_diverged:
            run[np.logical_or.accumulate(~(run <= DIVERGED * run[0]))] = math.inf
        else:
            check_finite(run, spectrum.quadrature(), eta, gamma, width, batch)
    return Simulation(loss, floor)


def projected_factor(spectrum: Spectrum, width: int, seed: int, monitor: Monitor | None = None) -> Array:
    """Return the triangular factor R of ``Lambda^(1/2) [A(0)^T, w*]``, shape (N + 1, N + 1).

    ``R^T R`` is the covariance of ``(A(0) psi, w* . psi)``, and ``R[N, N]^2`` the part of the target's variance that no
    combination of the projected features can express. Factored by QR, block of modes by block: the Gram matrix
    would square a condition number of about ``N^(alpha/2)``.
    """
    monitor = or_silent(monitor)
    random = np.random.default_rng(np.random.SeedSequence(seed))
    block = 4 * (width + 1)
    factor, done = np.zeros((0, width + 1)), 0
    if (kept := monitor.restored()) is not None:
        factor, done = kept["factor"], int(kept["modes"])
    for first in range(0, spectrum.modes, block):
        part = slice(first, min(first + block, spectrum.modes))
        root = np.sqrt(spectrum.eigenvalues[part])
        rows = np.empty((root.size, width + 1))
        random.standard_normal(out=rows)
        if part.stop <= done:
            continue  # drawn again for the position in the stream
        # The last column held normals only so that one call fills a contiguous array.
        rows[:, -1] = spectrum.target[part]
        rows *= root[:, None]
        factor = factor_with(factor, rows)
        monitor.safe_point(functools.partial(dict, factor=factor, modes=scalar(part.stop)))
    if factor.shape[0] <= width:  # N = M: the target lies in the span
        factor = np.concatenate([factor, np.zeros((width + 1 - factor.shape[0], width + 1))])
    return factor


@dataclass(frozen=True)
class _Group:
    """Seeds that are trained together."""

    spectrum: Spectrum
    width: int
    eta: float
    gamma: float
    steps: int
    batch: float
    seeds: list[int]

    def train(self, monitor: Monitor) -> Arrays:
        """Return the losses (seeds, T + 1) and the floor (seeds,)."""
        parts = Parts(monitor)
        factors = [parts.run(f"factor {seed}", functools.partial(self._factor, seed))["factor"] for seed in self.seeds]
        floor = np.array([factor[-1, -1] ** 2 for factor in factors])
        return parts.run("training", functools.partial(self._training, factors)) | {"floor": floor}

    def _factor(self, seed: int, monitor: Monitor) -> Arrays:
        return {"factor": projected_factor(self.spectrum, self.width, seed, monitor)}

    def _training(self, factors: list[Array], monitor: Monitor) -> Arrays:
        count, size = len(factors), self.width + 1
        with jax.enable_x64(True), jax.threefry_partitionable(True):
            # Made by NumPy: JAX would compile a program for every shape.
            factor = jnp.asarray(np.stack(factors))
            # The data stream of a seed must not share numbers with its A(0): fold_in separates them. A step's numbers depend on
            # seed and step only, so the position in the stream needs no keeping.
            streams = [jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), 1) for seed in self.seeds]
            keys = jnp.stack(streams)
            if (kept := monitor.restored()) is not None:
                moving: Any = (jnp.asarray(kept["w"]), jnp.asarray(kept["b"]))
                losses = [kept["losses"]]
            else:
                moving = (
                    jnp.asarray(np.zeros((count, size - 1))),
                    jnp.asarray(np.tile(np.eye(size - 1), (count, 1, 1))),
                )
                losses = [np.zeros((0, count))]
            noisy = self.batch < math.inf
            for start, length in paced(losses[0].shape[0], self.steps + 1, _CHUNK):
                drawn = [_chi_squares(stream, start, self.batch) for stream in streams if noisy]
                chi2 = jnp.asarray(np.stack(drawn, axis=1)) if noisy else None
                moving, loss = _steps(factor, keys, chi2, moving, start, length, self.eta, self.gamma, self.batch)
                losses.append(np.asarray(loss)[:length])
                monitor.advance(count * length)
                monitor.safe_point(functools.partial(_kept, moving, losses))
        return {"loss": np.concatenate(losses).T}


def _kept(moving: tuple[jax.Array, jax.Array], losses: list[Array]) -> Arrays:
    return {"w": np.asarray(moving[0]), "b": np.asarray(moving[1]), "losses": np.concatenate(losses)}


@jax.jit
def _chi_squares(stream: jax.Array, first: int, batch: float) -> jax.Array:
    """Return the chi-squares of one seed in _CHUNK steps, (_CHUNK,); one program, for it takes longest to compile."""

    def one(index: jax.Array) -> jax.Array:
        along, _ = jax.random.split(jax.random.fold_in(stream, index))
        return 2 * jax.random.gamma(along, batch / 2, dtype=jnp.float64)

    return jax.vmap(one)(first + jnp.arange(_CHUNK))


@functools.partial(jax.jit, donate_argnums=(3,))
def _steps(
    factor: jax.Array,
    keys: jax.Array,
    chi2: jax.Array | None,
    state: tuple[jax.Array, jax.Array],
    first: int,
    length: int,
    eta: float,
    gamma: float,
    batch: float,
) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
    """Advance all runs by ``length`` steps, one program for any; return the state and the losses before each, (_CHUNK, seeds)."""
    count, size = factor.shape[0], factor.shape[1]
    width = size - 1

    def step(carry: tuple[jax.Array, jax.Array], number: jax.Array) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        w, b = carry
        learned = jnp.einsum("sij,si->sj", b, w) / width
        z = jnp.einsum("sij,sj->si", factor, jnp.concatenate([-learned, jnp.ones((count, 1))], axis=1))
        loss = jnp.sum(z**2, axis=1)
        seen = z if chi2 is None else jax.vmap(_minibatch, (0, None, 0, 0))(keys, first + number, chi2[number], z)
        v3 = jnp.einsum("sij,si->sj", factor, seen)[:, :width]
        stepped = w + eta * jnp.einsum("sij,sj->si", b, v3)
        return (stepped, b + (eta * gamma / width) * w[:, :, None] * v3[:, None, :]), loss

    def _minibatch(key: jax.Array, index: jax.Array, chi2: jax.Array, vector: jax.Array) -> jax.Array:
        _, across = jax.random.split(jax.random.fold_in(key, index))
        normals = jax.random.normal(across, vector.shape, vector.dtype)
        squared = jnp.maximum(jnp.sum(vector**2), _TINY)
        transverse = normals - vector * (vector @ normals) / squared
        return (chi2 * vector + jnp.sqrt(chi2 * squared) * transverse) / batch

    def next_step(number: jax.Array, carry: tuple[Any, jax.Array]) -> tuple[Any, jax.Array]:
        moved, loss = step(carry[0], number)
        return moved, carry[1].at[number].set(loss)

    moved, losses = jax.lax.fori_loop(0, length, next_step, (state, jnp.zeros((_CHUNK, count))))
    return moved, losses
