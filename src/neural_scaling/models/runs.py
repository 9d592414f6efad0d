"""The runs of the models as values: infinite limit, gradient flow, DMFT at finite width and batch, simulations.

Curves are kept on a log-spaced grid of steps, which is what figures and fits use and small enough to ship.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import jax
import numpy as np

from neural_scaling import dmft
from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.models.linear_networks import CURVES, train_linear_networks
from neural_scaling.models.toy_model import simulate
from neural_scaling.runs.experiment import Experiment
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum
from neural_scaling.theory import effective_time

__all__ = [
    "GradientFlowRun", "InfiniteLimitRun", "LinearNetworkRun", "LongDMFTRun", "OnlineDMFTRun", "OrderRun",
    "ToyModelRun",
]  # fmt: skip


@dataclass(frozen=True)
class _PowerLawRun(Experiment):
    """What the runs below share."""

    # alpha, beta: capacity and source
    alpha: float
    beta: float
    modes: float  # M, or infinity
    eta: float  # learning rate
    gamma: float  # richness
    steps: int  # number of steps T

    def __post_init__(self) -> None:
        law = self.power_law()
        checks.keep_each(self, checks.require_positive, "eta")
        checks.keep_each(self, checks.real, "gamma", least=0.0)
        checks.keep_each(self, checks.whole, "steps")
        checks.keep(self, alpha=law.alpha, beta=law.beta, modes=law.modes)

    @property
    def work(self) -> int:
        """Steps."""
        return self.steps

    @property
    def label(self) -> str:
        """Kind, source and richness."""
        return f"{self.kind} beta={self.beta:g} gamma={self.gamma:g}"

    def slice(self) -> Self:
        """Return the same run with a tenth of its steps, at most 200."""
        return replace(self, steps=min(max(self.steps // 10, 20), 200, self.steps))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses on the steps that both grids hold, and for as many seeds as the slice has."""
        _, whole, part = np.intersect1d(arrays["step"], recomputed["step"], return_indices=True)
        trusted = whole[whole < self._comparable(arrays)]
        part = part[: trusted.size]
        expected = np.atleast_2d(arrays["loss"])[:, trusted]
        values = np.atleast_2d(recomputed["loss"])[:, part]
        return float(np.max(np.abs(values / expected[: values.shape[0]] - 1)))

    def _comparable(self, arrays: Arrays) -> int:
        """Return how many recorded steps can be compared."""
        return int(arrays["step"].size)

    def power_law(self) -> PowerLaw:
        """Return the spectrum and target."""
        return PowerLaw(self.alpha, self.beta, self.modes)

    def quadrature(self) -> ModeQuadrature:
        """Return the modes, resolved to the effective time that the theory predicts, with a factor 4 to spare."""
        reached = float(effective_time(self.beta, self.gamma, self.eta, float(self.steps)))
        return self.power_law().quadrature(4 * max(reached, 1.0), nodes_per_bin=8)


@dataclass(frozen=True)
class InfiniteLimitRun(_PowerLawRun):
    """N, B -> infinity in unit steps: :func:`neural_scaling.dmft.infinite_limit`."""

    kind: ClassVar[str] = "infinite limit"
    algorithm: ClassVar[int] = 1

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step``, ``loss``, ``weight_norm`` and ``sharpness``, each of shape (R,)."""
        solution = dmft.infinite_limit(self.quadrature(), self.eta, self.gamma, self.steps, monitor=monitor)
        curves = {name: getattr(solution, name) for name in ("loss", "weight_norm", "sharpness")}
        return {"step": solution.time, **curves}

    def _comparable(self, arrays: Arrays) -> int:
        """Return the number of recorded steps before the edge of stability: past it rounding is amplified."""
        beyond = np.flatnonzero(self.eta * arrays["sharpness"] >= 1.9)
        return int(beyond[0]) if beyond.size else super()._comparable(arrays)


@dataclass(frozen=True)
class GradientFlowRun(_PowerLawRun):
    """The limit eta -> 0 at the same eta * steps: :func:`neural_scaling.dmft.gradient_flow`."""

    kind: ClassVar[str] = "gradient flow"
    algorithm: ClassVar[int] = 1

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (eta * steps divided by eta), ``loss`` and ``weight_norm``, each of shape (R,)."""
        steps = log_spaced_steps(self.steps)
        solution = dmft.gradient_flow(self.quadrature(), self.gamma, self.eta * steps, monitor=monitor)
        monitor.advance(self.steps)
        return {"step": steps, "loss": solution.loss, "weight_norm": solution.weight_norm}


@dataclass(frozen=True)
class OnlineDMFTRun(_PowerLawRun):
    """DMFT at finite width and batch in unit steps: :func:`neural_scaling.dmft.solve`.

    Parameters
    ----------
    width, batch
        N and B, whole numbers or infinity.
    """

    kind: ClassVar[str] = "DMFT"
    algorithm: ClassVar[int] = 1
    width: float = math.inf
    batch: float = math.inf

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep_each(self, checks.count, "width", "batch")

    @property
    def label(self) -> str:
        """Kind, source, richness and width."""
        return f"{super().label} N={self.width:g}"

    @property
    def work(self) -> int:
        """Rows."""
        return self.steps + 1

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` and ``loss``, each of shape (R,)."""
        return self._solved(log_spaced_steps(self.steps), monitor, batch=self.batch)

    def _solved(self, steps: Array, monitor: Monitor, *curves: str, **how: Any) -> Arrays:
        """Return the loss, and other curves of a solution, at some of the steps."""
        grid = dmft.TimeGrid.unit_steps(self.eta, self.steps)
        solution = dmft.solve(self.quadrature(), self.gamma, grid, width=self.width, monitor=monitor, **how)
        return {"step": steps} | {name: getattr(solution, name)[steps.astype(int)] for name in ("loss", *curves)}


_SLICE = 10.0  # end of what is recomputed to check a kept run, in eta * steps


@dataclass(frozen=True)
class LongDMFTRun(Experiment):
    """DMFT on a logarithmic grid of times: :func:`neural_scaling.dmft.solve` on ``TimeGrid.log_spaced``.

    Parameters
    ----------
    alpha, beta
        Capacity and source.
    modes
        M, or infinity.
    eta
        Learning rate; the continuous-time limit feels it only through the SGD noise, eta/B.
    gamma
        Richness.
    time
        End of the run, eta * steps.
    width, batch
        N and B, whole numbers or infinity.
    until
        Only the cells of the grid that end by this time are solved.
    """

    kind: ClassVar[str] = "long DMFT"
    algorithm: ClassVar[int] = 2
    alpha: float
    beta: float
    modes: float
    eta: float
    gamma: float
    time: float
    width: float = math.inf
    batch: float = math.inf
    until: float = math.inf

    def __post_init__(self) -> None:
        law = PowerLaw(self.alpha, self.beta, self.modes)
        checks.keep_each(self, checks.require_positive, "eta", "time")
        checks.keep_each(self, checks.count, "width", "batch")
        checks.keep_each(self, checks.real, "gamma", least=0.0)
        checks.keep_each(self, checks.real, "until", above=0.0, infinite=True)
        checks.keep(self, alpha=law.alpha, beta=law.beta, modes=law.modes)

    @property
    def work(self) -> int:
        """One, for a run that takes seconds."""
        return 1

    @property
    def label(self) -> str:
        """Kind, source, richness and width."""
        return f"{self.kind} beta={self.beta:g} gamma={self.gamma:g} N={self.width:g}"

    def slice(self) -> Self:
        """Return the first cells of the grid."""
        return replace(self, until=_SLICE)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses at the times of the slice."""
        rows = np.searchsorted(arrays["step"], recomputed["step"] * (1 - 1e-9))
        return float(np.max(np.abs(recomputed["loss"] / arrays["loss"][rows] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (eta * steps divided by eta), ``loss`` and ``error`` (relative, estimated), shape (R,)."""
        reached = float(effective_time(self.beta, self.gamma, self.eta, self.time / self.eta))
        quadrature = PowerLaw(self.alpha, self.beta, self.modes).quadrature(4 * max(reached, 1.0), nodes_per_bin=8)
        grid = dmft.TimeGrid.log_spaced(self.eta, self.time).head(self.until)
        rows = Parts(monitor).last("solution", counted=False)
        solution = dmft.solve(quadrature, self.gamma, grid, width=self.width, batch=self.batch, monitor=rows)
        monitor.advance(1)
        return {"step": solution.step, "loss": solution.loss, "error": solution.error}


@dataclass(frozen=True)
class ToyModelRun(_PowerLawRun):
    """Simulation over seeds: :func:`neural_scaling.models.toy_model.simulate`.

    Parameters
    ----------
    width, batch
        N (finite) and B.
    seeds
        Number of seeds; they are 0, 1, ..., seeds - 1.
    """

    kind: ClassVar[str] = "simulation"
    algorithm: ClassVar[int] = 1
    width: int = 16
    batch: float = math.inf
    seeds: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep_each(self, checks.whole, "width", "seeds")
        checks.keep(self, batch=checks.count(self.batch, "batch"))

    def slice(self) -> Self:
        """Return the first steps of the first seed."""
        return replace(self, seeds=1, steps=min(20, self.steps))

    @property
    def device(self) -> str:
        """JAX's default device."""
        first = jax.devices()[0]
        return "cpu" if first.platform == "cpu" else f"{first.platform} {first.device_kind}"

    @property
    def work(self) -> int:
        """Steps times seeds."""
        return (self.steps + 1) * self.seeds

    @property
    def label(self) -> str:
        """Kind, source, richness and width."""
        return f"{super().label} N={self.width}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (R,), ``loss`` (seeds, R) in float32 and ``floor`` (seeds,)."""
        how = (self.width, self.eta, self.gamma, self.steps, range(self.seeds), self.batch)
        outcome = simulate(self.power_law().spectrum(), *how, monitor=monitor)
        steps = log_spaced_steps(self.steps)
        return {"step": steps, "loss": outcome.loss[:, steps.astype(int)].astype(np.float32), "floor": outcome.floor}


@dataclass(frozen=True)
class LinearNetworkRun(Experiment):
    """Two-layer linear networks of several richnesses: :func:`neural_scaling.models.linear_networks.train_linear_networks`.

    Parameters
    ----------
    alpha, beta
        Capacity and source.
    modes, width, batch
        M, N and B.
    eta0
        Learning rate of the mean-field convention.
    gammas
        Richness gamma0 of each network.
    steps
        Number of steps T.
    seed
        Of initialization and data.
    """

    kind: ClassVar[str] = "linear networks"
    algorithm: ClassVar[int] = 1
    alpha: float
    beta: float
    modes: int
    width: int
    batch: float
    eta0: float
    gammas: tuple[float, ...]
    steps: int
    seed: int

    def __post_init__(self) -> None:
        law = PowerLaw(self.alpha, self.beta, checks.whole(self.modes, "modes"))
        checks.keep_each(self, checks.whole, "width", "steps")
        checks.keep_each(self, checks.count, "batch")
        checks.keep_each(self, checks.require_positive, "eta0")
        checks.keep_each(self, checks.seed, "seed")
        checks.keep(self, alpha=law.alpha, beta=law.beta, modes=int(law.modes))
        checks.keep(self, gammas=tuple(checks.array(self.gammas, "gammas", least=0.0).tolist()))

    @property
    def work(self) -> int:
        """Steps."""
        return self.steps + 1

    @property
    def label(self) -> str:
        """Kind, source, width, learning rate and seed."""
        return f"{self.kind} beta={self.beta:g} N={self.width} eta0={self.eta0:g} seed={self.seed}"

    def slice(self) -> Self:
        """Return the first steps, on which all is recorded."""
        return replace(self, steps=min(10, self.steps))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses on the steps that both grids hold."""
        _, whole, part = np.intersect1d(arrays["step"], recomputed["step"], return_indices=True)
        return float(np.max(np.abs(recomputed["loss"][:, part] / arrays["loss"][:, whole] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (R,), ``diverged_at`` (G,) and each recorded quantity, ``loss`` and so on, (G, R) in float32."""
        how = (self.width, self.eta0, self.gammas, self.steps, self.seed, self.batch)
        spectrum = PowerLaw(self.alpha, self.beta, self.modes).spectrum()
        history = train_linear_networks(spectrum, *how, monitor=monitor)
        curves = {name: getattr(history, name).astype(np.float32) for name in CURVES}
        return {"step": history.step, "diverged_at": history.diverged_at, **curves}


@dataclass(frozen=True)
class OrderRun(Experiment):
    """Random models of one target, lazy and rich, at infinite width and batch: :func:`neural_scaling.dmft.infinite_limit`.

    A model is a spectrum: a power law broken at random places into random slopes, with noise on every eigenvalue, scaled to
    trace 2. The target puts the variance ``k^(-p-1)`` into mode k for every model.

    Parameters
    ----------
    power
        p, the product of capacity and source of a plain power law.
    models, modes
        Number of models; M.
    gamma, eta, steps
        Richness of the rich run, learning rate and number of steps.
    seed
        Of the random spectra.
    """

    kind: ClassVar[str] = "order of models"
    algorithm: ClassVar[int] = 1
    compared: ClassVar[tuple[str, ...]] = ("lazy", "rich")
    power: float
    models: int
    modes: int
    gamma: float
    eta: float
    steps: int
    seed: int

    def __post_init__(self) -> None:
        checks.keep_each(self, checks.require_positive, "power", "eta")
        checks.keep_each(self, checks.whole, "models", "modes", "steps")
        checks.keep(self, seed=checks.seed(self.seed), gamma=checks.real(self.gamma, "gamma", least=0.0))

    @property
    def work(self) -> int:
        """Models."""
        return self.models

    @property
    def label(self) -> str:
        """Target."""
        return f"p={self.power:g}"

    def slice(self) -> Self:
        """Return the first models."""
        return replace(self, models=min(3, self.models))

    def _spectrum(self, index: int) -> Spectrum:
        """Return one model."""
        random = np.random.default_rng(np.random.SeedSequence([self.seed, index]))
        k = np.arange(1, self.modes + 1, dtype=np.float64)
        breaks = np.sort(random.uniform(0, math.log(self.modes), 3))
        slopes = random.uniform(1.05, 3.0, 4)
        local = slopes[np.searchsorted(breaks, np.log(k))]
        log_values = -np.concatenate([[0.0], np.cumsum(local[1:] * np.diff(np.log(k)))])
        values = np.sort(np.exp(log_values + 0.2 * random.standard_normal(self.modes)))[::-1]
        values = 2 * values / values.sum()
        return Spectrum(values, np.sqrt(k ** (-self.power - 1) / values))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``time`` (R,), eta * steps, and ``lazy`` and ``rich``, losses of shape (models, R)."""
        kept = np.unique(np.geomspace(1, self.steps, 60).astype(int)).astype(np.float64)
        found: dict[str, list[Array]] = {"lazy": [], "rich": []}
        parts = Parts(monitor)
        for index in range(self.models):
            for name, gamma in (("lazy", 0.0), ("rich", self.gamma)):

                def solved(steps: Monitor, index: int = index, gamma: float = gamma) -> Arrays:
                    modes = self._spectrum(index).quadrature()
                    limit = dmft.infinite_limit(modes, self.eta, gamma, self.steps, record=kept, monitor=steps)
                    monitor.advance(1 if gamma else 0)
                    return {"loss": limit.loss}

                found[name].append(parts.run(f"{name} {index}", solved, counted=False)["loss"])
        return {"time": kept * self.eta} | {name: np.array(losses) for name, losses in found.items()}
