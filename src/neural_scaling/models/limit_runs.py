"""Limits of training by linear algebra: what width leaves of a target, and what an interpolant of least norm does."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, factor_with
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.runs import Experiment
from neural_scaling.spectra import PowerLaw

__all__ = ["LimitRun"]


@dataclass(frozen=True)
class LimitRun(Experiment):
    """Limits of training on draws of the projection or of the samples, for several targets at once.

    Parameters
    ----------
    alpha, sources
        Capacity, and a source for each target.
    modes
        M.
    size
        N random directions, or P samples; at most M.
    seeds
        Number of draws; they are 0, 1, ..., ``seeds`` - 1.
    data
        False: residual of the projection onto N directions. True: test error of the interpolant of least norm on P samples.
    """

    kind: ClassVar[str] = "limit of training"
    algorithm: ClassVar[int] = 1
    compared: ClassVar[tuple[str, ...]] = ("loss", "scale")
    alpha: float
    sources: tuple[float, ...]
    modes: int
    size: int
    seeds: int
    data: bool

    def __post_init__(self) -> None:
        modes, sources = checks.whole(self.modes, "modes"), checks.array(self.sources, "sources", above=0.0)
        alpha = checks.require_positive(self.alpha, "alpha")
        checks.keep_each(self, checks.whole, "size", remedy=f"give a whole number from 1 to {modes}", most=modes)
        checks.keep_each(self, checks.whole, "seeds")
        checks.keep_each(self, checks.flag, "data")
        checks.keep(self, alpha=alpha, sources=tuple(sources.tolist()), modes=modes)

    @property
    def work(self) -> int:
        """Draws, weighted by the cost of one."""
        return self.seeds * self.size**2

    @property
    def label(self) -> str:
        """Kind and size."""
        return f"{'P' if self.data else 'N'} = {self.size}"

    def slice(self) -> Self:
        """Return the first draw."""
        return replace(self, seeds=1)

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``loss``, shape (seeds, targets), and ``scale``, shape (seeds,), the trace of the inverse Gram matrix."""
        spectra = [PowerLaw(self.alpha, beta, self.modes).spectrum() for beta in self.sources]
        eigenvalues = spectra[0].eigenvalues
        targets = np.stack([spectrum.target for spectrum in spectra], axis=1)
        losses, scales = [], []
        if (restored := monitor.restored()) is not None:
            losses, scales = list(restored["loss"]), list(restored["scale"])

        def state() -> Arrays:
            return {"loss": np.array(losses), "scale": np.array(scales)}

        for seed in range(len(scales), self.seeds):
            random = np.random.default_rng(np.random.SeedSequence([seed, self.size, int(self.data)]))
            draw = functools.partial(
                _interpolation if self.data else _projection, eigenvalues, targets, self.size, random
            )
            loss, scale = monitor.waiting(draw, state)
            losses.append(loss)
            scales.append(scale)
            monitor.advance(self.size**2)
            monitor.safe_point(state)
        return {"loss": np.array(losses), "scale": np.array(scales)}


def _projection(eigenvalues: Array, targets: Array, size: int, random: np.random.Generator) -> tuple[Array, float]:
    """Residuals of the targets outside N random directions, and the trace of the inverse of ``A Lambda A^T``."""
    block = 4 * (size + targets.shape[1])
    factor = np.zeros((0, size + targets.shape[1]))
    for first in range(0, eigenvalues.size, block):
        part = slice(first, first + block)
        rows = np.concatenate([random.standard_normal((eigenvalues[part].size, size)), targets[part]], axis=1)
        rows *= np.sqrt(eigenvalues[part])[:, None]
        factor = factor_with(factor, rows)
    inverse = np.linalg.inv(factor[:size, :size])
    return np.asarray(np.sum(factor[size:, size:] ** 2, axis=0)), float(np.sum(inverse**2))


def _interpolation(eigenvalues: Array, targets: Array, size: int, random: np.random.Generator) -> tuple[Array, float]:
    """Test errors of the interpolants of least norm on P samples, and the trace of the inverse Gram matrix."""
    samples = random.standard_normal((eigenvalues.size, size)) * np.sqrt(eigenvalues)[:, None]
    basis, factor = np.linalg.qr(samples)
    error = targets - basis @ (basis.T @ targets)
    inverse = np.linalg.inv(factor)
    return np.asarray(eigenvalues @ error**2), float(np.sum(inverse**2))
