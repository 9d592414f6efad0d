"""Training runs on the circle as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import LARGEST_SEED, array, flag, keep, keep_each, real, require_positive, whole
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.models.circle import decay
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.runs.device import DeviceRun, device_name
from neural_scaling.runs.experiment import ADDED

if TYPE_CHECKING:
    import torch

    from neural_scaling.networks.circle_data import CircleData
    from neural_scaling.networks.mlp import MLPEnsemble

__all__ = ["MODES", "MODES_ANGLES", "CircleModesRun", "CircleRun", "DatasetRun", "NetworkRun", "OwnKernelRun"]

#: Largest k whose cosine is followed.
MODES = 256
#: Angles on which it is; modes from three times :data:`MODES` on count in it there, under a quarter at the last k.
MODES_ANGLES = 1024


class DatasetRun(DeviceRun):
    """Base of runs on a dataset; subclasses are dataclasses with its name among their fields."""

    dataset: str

    @property
    def inputs(self) -> dict[str, str]:
        """Version of the dataset if it is made here, as generated images and tokenized text are."""
        from neural_scaling.data import version

        found = version(self.dataset)
        return {} if found is None else {self.dataset: found}


class NetworkRun(DeviceRun):
    """Base of training runs; subclasses are dataclasses that have steps and seeds among their fields.

    Attributes
    ----------
    sliced
        Steps of the slice that checks a kept run.
    per_decade
        Recorded steps in a factor of ten.
    """

    sliced: ClassVar[int]
    per_decade: ClassVar[int]

    steps: int
    seeds: int
    last_only: bool

    @property
    def work(self) -> int:
        """Steps times seeds."""
        return self.steps * self.seeds

    def slice(self) -> Self:
        """Return the first steps of the first seed, judged by the last of them, in which all before it shows."""
        steps = max(step for step in self.recorded() if step <= max(1, self._steady()))
        return replace(self, steps=steps, seeds=1, last_only=True)  # type: ignore[type-var]

    def _steady(self) -> float:
        """Return for how many steps rounding is not amplified beyond the tolerance."""
        return self.sliced

    def recorded(self) -> list[int]:
        """Return the steps at which losses are taken."""
        return [self.steps] if self.last_only else log_spaced_steps(self.steps, self.per_decade).astype(int).tolist()

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses on the steps that both hold, for the seeds that both have."""
        return loss_deviation(arrays, recomputed)


@dataclass(frozen=True)
class CircleRun(NetworkRun):
    """Perceptrons trained online on ``y = sum_k k^-q cos k theta``: :func:`neural_scaling.networks.training.train`.

    The seeds are trained together. A seed means the same initial weights and the same samples at every richness and learning
    rate.

    Parameters
    ----------
    beta
        Source; q = beta q_phi + 1/2 (eq. 14).
    power
        q_phi of the activation ``[h]_+^q_phi``.
    depth, width
        Layers of weights L and neurons N of each hidden layer.
    richness
        gamma_0; 0 for the linearised network.
    eta
        eta_0.
    batch
        B.
    steps
        Number of steps T.
    seeds
        Number of seeds.
    angles
        Number of equidistant angles that samples are drawn from.
    first_seed
        The first seed; the others follow it.
    last_only
        Whether to record the last step alone.
    """

    kind: ClassVar[str] = "circle network"
    algorithm: ClassVar[int] = 1
    # Trained in float32, where the order of sums counts in the 7th digit and the slice's few steps amplify it, most of all below
    # q_phi = 1, where slopes are infinite at the kinks. Another learning rate makes a difference of 1e-2 and more.
    tolerance: ClassVar[float] = 1e-3
    sliced: ClassVar[int] = 40
    per_decade: ClassVar[int] = 20

    beta: float
    power: float
    depth: int
    width: int
    richness: float
    eta: float
    batch: int
    steps: int
    seeds: int
    angles: int
    first_seed: int = field(default=0, metadata=ADDED)
    last_only: bool = field(default=False, metadata=ADDED)

    def __post_init__(self) -> None:
        scale = Parametrization(self.width, self.richness, self.eta)
        keep_each(self, whole, "batch", "steps", "seeds")
        keep_each(self, require_positive, "beta")
        keep_each(self, real, "power", above=0.5)
        keep_each(self, whole, "depth", least=2)
        keep_each(self, whole, "angles", least=4)
        keep_each(self, whole, "first_seed", least=0, most=LARGEST_SEED)
        keep_each(self, flag, "last_only")
        keep(self, width=scale.width, richness=scale.richness, eta=scale.eta)

    def _steady(self) -> float:
        """Return all steps of a slice up to a learning rate of 0.2; beyond, steps are unstable after fewer."""
        return min(self.sliced, 8 / self.eta)

    @property
    def label(self) -> str:
        """Source, activation, richness, learning rate, width, batch, and the first seed unless it is 0."""
        rich = f"gamma0={self.richness:g}" if self.richness else "linearised"
        later = f" seeds from {self.first_seed}" if self.first_seed else ""
        return f"beta={self.beta:g} q={self.power:g} {rich} eta0={self.eta:g} N={self.width} B={self.batch}{later}"

    def up_to(self, seeds: int) -> list[Self]:
        """Return this run and those of the same kind that go on to a number of seeds, each with as many seeds as this one."""
        return [replace(self, first_seed=first) for first in range(0, whole(seeds, "seeds"), self.seeds)]

    def run(self, monitor: Monitor) -> Arrays:
        """Return losses and the size of the tangent kernel on recorded steps.

        ``step`` (R,); ``diverged`` (seeds,), infinite for runs that stay finite; in float32, each of shape (seeds, R),
        ``loss``, ``trace`` and ``sharpness``, the sum of the eigenvalues of the tangent kernel and the largest of them.
        """
        from neural_scaling.networks.training import train

        model, data = self.untrained()
        outcome = train(model, data, self.recorded(), self.batch, monitor, self._observed(model, data))
        curves = {"loss": outcome.loss} | outcome.observed
        return {"step": outcome.step, "diverged": outcome.diverged} | {
            name: values.astype(np.float32) for name, values in curves.items()
        }

    def untrained(self) -> tuple[MLPEnsemble, CircleData]:
        """Return the networks at their initial weights and the data."""
        from neural_scaling.base.devices import find_device
        from neural_scaling.networks.circle_data import CircleData
        from neural_scaling.networks.mlp import Member, Shape, ensemble

        device = find_device(device_name())
        shape = Shape(self.depth, self.width, inputs=2, power=self.power)
        seeds = range(self.first_seed, self.first_seed + self.seeds)
        model = ensemble(shape, [Member(seed, self.richness, self.eta) for seed in seeds], device)
        return model, CircleData([decay(self.beta, self.power)] * self.seeds, device, model.dtype, self.angles)

    def _observed(self, model: MLPEnsemble, data: CircleData) -> dict[str, Callable[[], torch.Tensor]]:
        """Return what is recorded beside the loss."""
        from neural_scaling.networks.kernels import kernel_sharpness, kernel_trace

        return {
            "trace": lambda: kernel_trace(model.tangent_kernel(data.kernel_inputs)),
            "sharpness": lambda: kernel_sharpness(model.tangent_kernel(data.kernel_inputs)),
        }


@dataclass(frozen=True)
class CircleModesRun(CircleRun):
    """A :class:`CircleRun` that follows what its tangent kernel makes of every cosine, on :data:`MODES_ANGLES` angles."""

    kind: ClassVar[str] = "circle network modes"
    algorithm: ClassVar[int] = 1

    @property
    def label(self) -> str:
        """Label of the :class:`CircleRun`, and that modes are followed."""
        return f"{super().label} modes"

    def run(self, monitor: Monitor) -> Arrays:
        """Return what :class:`CircleRun` does, and ``modes`` in float32, shape (seeds, R, :data:`MODES` + 1), for k from 0 on."""
        return super().run(monitor)

    def _observed(self, model: MLPEnsemble, data: CircleData) -> dict[str, Callable[[], torch.Tensor]]:
        from neural_scaling.networks.kernels import circle_cosines

        inputs = data.test_inputs[:: len(data.test_inputs) // MODES_ANGLES]
        return super()._observed(model, data) | {"modes": lambda: circle_cosines(model.tangent_kernel(inputs), MODES)}


@dataclass(frozen=True)
class OwnKernelRun(DeviceRun):
    """Losses of linearised networks on the circle at infinite batch, from the kernels of their initial weights.

    The kernel of a network is taken on equidistant angles and diagonalised: that holds all that tells a linearised network
    from one of infinite width, and takes seconds where training takes minutes. Seeds are those of :class:`CircleRun`.

    Parameters
    ----------
    betas
        Sources, one for each target.
    power, depth, width, eta, steps
        As for :class:`CircleRun`.
    seeds
        Number of networks; their seeds are 0, 1, ..., ``seeds`` - 1.
    angles
        Number of angles n; modes from n/2 on count as not learned.
    """

    kind: ClassVar[str] = "circle kernel"
    algorithm: ClassVar[int] = 1
    # The kernel is summed in float32; what that rounds lies far below the eigenvalues that matter.
    tolerance: ClassVar[float] = 1e-3

    betas: tuple[float, ...]
    power: float
    depth: int
    width: int
    eta: float
    steps: int
    seeds: int
    angles: int

    def __post_init__(self) -> None:
        betas = array(self.betas, "betas", above=0.0)
        first = CircleRun(
            1.0, self.power, self.depth, self.width, 0.0, self.eta, 1, self.steps, self.seeds, self.angles
        )
        names = ("power", "depth", "width", "eta", "steps", "seeds", "angles")
        keep(self, betas=tuple(betas.tolist()), **{name: getattr(first, name) for name in names})

    @property
    def work(self) -> int:
        """Networks."""
        return self.seeds

    @property
    def label(self) -> str:
        """Activation, width and number of networks."""
        return f"kernels q={self.power:g} N={self.width} angles={self.angles} seeds={self.seeds}"

    def slice(self) -> Self:
        """Return the first network."""
        return replace(self, seeds=1)

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``step`` (R,), as :class:`CircleRun` records them, and ``loss`` in float32, shape (seeds, targets, R)."""
        step = log_spaced_steps(self.steps, CircleRun.per_decade)
        losses: list[Array] = []
        if (restored := monitor.restored()) is not None:
            losses = list(restored["loss"])

        def state() -> Arrays:
            return {"loss": np.array(losses)}

        for seed in range(len(losses), self.seeds):
            losses.append(monitor.waiting(lambda seed=seed: self._losses(seed, step), state))  # type: ignore[misc]
            monitor.advance(1)
            monitor.safe_point(state)
        return {"step": step, "loss": np.array(losses).astype(np.float32)}

    def _losses(self, seed: int, step: Array) -> Array:
        """Return the losses of one network, shape (targets, R)."""
        import torch

        from neural_scaling.models.circle import tail
        from neural_scaling.networks.circle_data import points
        from neural_scaling.networks.mlp import Member, Shape, ensemble

        theta = 2 * np.pi * np.arange(self.angles) / self.angles
        model = ensemble(Shape(self.depth, self.width, 2, self.power), [Member(seed, 1.0, 1.0)], torch.device("cpu"))
        inputs = torch.tensor(points(theta), dtype=model.dtype)
        kernel = model.tangent_kernel(inputs)[0].double().numpy() / self.angles
        eigenvalues, vectors = np.linalg.eigh((kernel + kernel.T) / 2)
        modes, decays = np.arange(1, self.angles // 2), np.array([decay(beta, self.power) for beta in self.betas])
        targets = np.cos(np.outer(theta, modes)) @ modes[:, None] ** -decays
        shares = (vectors.T @ targets) ** 2 / self.angles
        left = (1 - self.eta * eigenvalues) ** (2 * step[:, None])
        beyond = np.array([tail(q, self.angles // 2) for q in decays])
        return np.asarray((left @ shares + beyond).T)


def loss_deviation(arrays: Arrays, recomputed: Arrays) -> float:
    """Return the largest relative deviation of recomputed losses, on the steps and for the seeds that both results hold."""
    _, whole, part = np.intersect1d(arrays["step"], recomputed["step"], return_indices=True)
    expected = arrays["loss"][: recomputed["loss"].shape[0], whole].astype(np.float64)
    values = recomputed["loss"][:, part].astype(np.float64)
    together = np.isfinite(expected) & np.isfinite(values)
    if not np.array_equal(np.isfinite(expected), np.isfinite(values)):
        return float("inf")
    return float(np.max(np.abs(values[together] / expected[together] - 1), initial=0.0))  # all may have diverged
