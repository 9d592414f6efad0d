"""Runs with finite data as values: samples that are reused, and small batches with their distribution over seeds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
from scipy.stats import binom

from neural_scaling import dmft
from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.models.runs import OnlineDMFTRun, ToyModelRun
from neural_scaling.models.sample_reuse import simulate_reuse
from neural_scaling.models.toy_model import simulate

__all__ = ["MinibatchDMFTRun", "MinibatchRun", "SampleReuseDMFTRun", "SampleReuseFlowRun", "SampleReuseRun"]

#: Seeds whose curves are kept as they are by :class:`MinibatchRun`.
KEPT_SEEDS = 8


@dataclass(frozen=True)
class SampleReuseRun(ToyModelRun):
    """Full-batch gradient descent on P fixed samples: :func:`neural_scaling.models.sample_reuse.simulate_reuse`.

    Parameters
    ----------
    samples
        P. The batch is always all of them.
    """

    kind: ClassVar[str] = "sample reuse"
    algorithm: ClassVar[int] = 1
    samples: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep(self, samples=checks.whole(self.samples, "samples"))

    @property
    def label(self) -> str:
        """Kind, source, richness, width and samples."""
        return f"{super().label} P={self.samples}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (R,), ``loss`` and ``train_loss`` (seeds, R) in float32, ``floor`` and ``train_floor`` (seeds,)."""
        how = (self.width, self.samples, self.eta, self.gamma, self.steps, range(self.seeds))
        outcome = simulate_reuse(self.power_law().spectrum(), *how, monitor=monitor)
        steps = log_spaced_steps(self.steps, per_decade=10)
        loss, train_loss = (
            losses[:, steps.astype(int)].astype(np.float32) for losses in (outcome.loss, outcome.train_loss)
        )
        floors = {"floor": outcome.floor, "train_floor": outcome.train_floor}
        return {"step": steps, "loss": loss, "train_loss": train_loss, **floors}


@dataclass(frozen=True)
class SampleReuseDMFTRun(OnlineDMFTRun):
    """DMFT of full-batch gradient descent on P fixed samples in unit steps: :func:`neural_scaling.dmft.solve`.

    Parameters
    ----------
    samples
        P, or infinity.
    """

    kind: ClassVar[str] = "sample reuse DMFT"
    algorithm: ClassVar[int] = 2
    samples: float = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep(self, samples=checks.count(self.samples, "samples"))

    @property
    def label(self) -> str:
        """Kind, source, richness, width and samples."""
        return f"{super().label} P={self.samples:g}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step``, ``loss`` and ``train_loss``, each of shape (R,)."""
        return self._solved(log_spaced_steps(self.steps, per_decade=10), monitor, "train_loss", samples=self.samples)


@dataclass(frozen=True)
class SampleReuseFlowRun(SampleReuseDMFTRun):
    """The same as gradient flow, on a log-spaced grid to the same eta * steps: as far as a simulation goes, in seconds."""

    kind: ClassVar[str] = "sample reuse DMFT, flow"
    algorithm: ClassVar[int] = 1

    def slice(self) -> Self:
        """Return the same run: it takes seconds, and the rows of its grid depend on the last one."""
        return self

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (eta * steps divided by eta), ``loss`` and ``train_loss``, each of shape (R,)."""
        grid = dmft.TimeGrid.log_spaced(self.eta, self.eta * self.steps, cells_per_decade=10)
        rows = Parts(monitor).last("solution", counted=False)
        solution = dmft.solve(self.quadrature(), self.gamma, grid, width=self.width, samples=self.samples, monitor=rows)
        monitor.advance(self.work)
        assert solution.train_loss is not None
        return {"step": solution.time / self.eta, "loss": solution.loss, "train_loss": solution.train_loss}


@dataclass(frozen=True)
class MinibatchDMFTRun(OnlineDMFTRun):
    """DMFT of online SGD in unit steps, with or without the fourth moments of the batch: :func:`neural_scaling.dmft.solve`.

    Parameters
    ----------
    fourth_moment
        Whether the noise of a batch has the variance that Gaussian features give it; the paper drops a part.
    """

    kind: ClassVar[str] = "minibatch DMFT"
    algorithm: ClassVar[int] = 1
    fourth_moment: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep(self, fourth_moment=checks.flag(self.fourth_moment, "fourth_moment"))

    @property
    def label(self) -> str:
        """Kind, source, richness, width, batch and which theory."""
        return f"{super().label} B={self.batch:g}{' fourth moment' if self.fourth_moment else ''}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` and ``loss``, each of shape (R,)."""
        how = {"batch": self.batch, "fourth_moment": self.fourth_moment}
        return self._solved(log_spaced_steps(self.steps, per_decade=10), monitor, **how)


@dataclass(frozen=True)
class MinibatchRun(ToyModelRun):
    """Online SGD over many seeds, kept as statistics: mean, median and spread, and the excess over infinite batch.

    The excess compares every seed with gradient descent on the population from the same A(0), so that what a finite width
    does to the loss cancels and what the batch does is left.
    """

    kind: ClassVar[str] = "minibatch"
    algorithm: ClassVar[int] = 1

    @property
    def label(self) -> str:
        """Kind, source, richness, width and batch."""
        return f"{super().label} B={self.batch:g}"

    @property
    def work(self) -> int:
        """Steps times seeds, with and without the noise of the batch."""
        return 2 * super().work

    def slice(self) -> Self:
        """Return the first steps of as many seeds as are kept."""
        return replace(super().slice(), seeds=min(KEPT_SEEDS, self.seeds))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the curves of the seeds that are kept."""
        return super().deviation(arrays | {"loss": arrays["first"]}, recomputed | {"loss": recomputed["first"]})

    def run(self, monitor: Monitor) -> Arrays:
        """Return statistics of the loss at the recorded steps, each of shape (R,) unless said otherwise.

        ``step``; ``mean``, ``error`` (standard error of the mean), ``top`` (share of the sum that the largest hundredth of the
        losses has) over the seeds that have not diverged, ``diverged`` (how many have); ``median``, ``median_low``,
        ``median_high`` (95 % interval), ``low``, ``high`` (16th and 84th percentile) over all seeds, those included;
        ``excess`` and ``excess_error``, the mean over that of the same seeds at infinite batch, and its standard error;
        ``first``, the curves of a few seeds, shape (few, R).
        """
        settings = (self.power_law().spectrum(), self.width, self.eta, self.gamma, self.steps, range(self.seeds))
        recorded = log_spaced_steps(self.steps, per_decade=10).astype(int)

        def losses(monitor: Monitor, **how: Any) -> Arrays:
            return {"loss": simulate(*settings, monitor=monitor, **how).loss[:, recorded]}

        parts = Parts(monitor)
        noisy = parts.run("noisy", partial(losses, batch=self.batch, keep_diverged=True))["loss"]
        control = parts.run("control", losses)["loss"]
        columns = [_statistics(*pair) for pair in zip(noisy.T, control.T, strict=True)]
        found = {name: np.array([column[name] for column in columns]) for name in columns[0]}
        return {"step": recorded.astype(float), **found, "first": noisy[:KEPT_SEEDS].astype(np.float32)}


def _statistics(noisy: Array, control: Array) -> dict[str, float]:
    """Return the statistics of the losses of all seeds at one step; ``control`` is the same at infinite batch."""
    kept = np.isfinite(noisy)
    x, y = noisy[kept], control[kept]
    mean, ratio, root = x.mean(), x.mean() / y.mean(), math.sqrt(x.size)
    ordered = np.sort(noisy)
    # The ranks between which the median of the law lies with probability 95 %.
    low, high = (int(rank) for rank in binom.interval(0.95, noisy.size, 0.5))
    return {
        "mean": mean,
        "error": x.std(ddof=1) / root,
        "top": np.sort(x)[-max(1, x.size // 100) :].sum() / x.sum(),
        "diverged": np.count_nonzero(~kept),
        "median": float(np.median(noisy)),
        "median_low": ordered[low - 1] if low else 0.0,  # five values or fewer bound nothing
        "median_high": ordered[high] if high < noisy.size else math.inf,
        "low": ordered[int(0.16 * noisy.size)],
        "high": ordered[int(0.84 * noisy.size)],
        "excess": ratio,
        "excess_error": (x - ratio * y).std(ddof=1) / y.mean() / root,
    }
