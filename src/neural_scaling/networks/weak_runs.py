r"""Weakly rich networks on the circle beside their linearised twins, by gradient descent on all angles at once.

With the tangent kernel K(t) of the present weights gradient flow is ``dr/dt = -K(t) r`` for the residual r = y - f, whatever the
network: a network can differ from its twin, whose kernel stays K(0), by what K(t) - K(0) does and by nothing else. So residuals
of the same target are moved beside the network's own:

* ``twin``: with K(0), the linearised network;
* ``replayed``: with K(t) of every step, which must give the network back as long as a step is linear;
* ``diagonal``: with K(0) and the change of its diagonal in Fourier modes;
* ``frozen``: with K of the present weights from the start on.

The activation is ``c log(1 + e^(s h))/s``; as the sharpness s grows it becomes the rectifier, whose slope jumps at the kink.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import instance, keep, keep_each, real, require, require_positive, whole
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor, scalar
from neural_scaling.models.circle import decay
from neural_scaling.networks.runs import loss_deviation
from neural_scaling.runs.experiment import Experiment

if TYPE_CHECKING:
    import torch

__all__ = ["BANDS", "KINDS", "WeakRun", "displaced"]

#: First modes of the bands, one an octave; the last band ends before its double.
BANDS = (1, 2, 4, 8, 16, 32)
#: Residuals that are followed, the network's own first.
KINDS = ("network", "twin", "replayed", "diagonal", "frozen")
_PER_DECADE = 5
_STRAIGHT = 30.0  # from here on log(1 + e^z) is z to rounding


@dataclass(frozen=True)
class WeakRun(Experiment):
    """Networks trained on the first half of the modes that equidistant angles tell apart, beside linear flows of their kernels.

    Networks, target and seeds are those of :class:`~neural_scaling.networks.runs.CircleRun` for ReLU. In float64: at little
    richness f is a small difference.

    Parameters
    ----------
    beta
        Source of the target ``sum_k k^-q cos k theta``, k below half the number of angles.
    depth, width
        Layers of weights and neurons of each hidden layer.
    richness
        gamma_0, positive.
    sharpness
        s of the softplus; infinite for ReLU.
    eta
        eta_0.
    steps
        Number of steps.
    seeds
        Number of networks; their seeds are 0, 1, ...
    angles
        Number of equidistant angles, even.
    """

    kind: ClassVar[str] = "circle weak"
    algorithm: ClassVar[int] = 1
    # The order of sums counts in the 15th digit, but a kink that passes an angle a step earlier moves the loss by about 1e-6.
    tolerance: ClassVar[float] = 1e-4

    beta: float
    depth: int
    width: int
    richness: float
    sharpness: float
    eta: float
    steps: int
    seeds: int
    angles: int

    def __post_init__(self) -> None:
        angles = whole(self.angles, "angles", "give an even number, at least twice the last band", least=4 * BANDS[-1])
        require(angles % 2 == 0, "angles", f"got {angles}", "give an even number")
        keep_each(self, require_positive, "beta", "richness", "eta")
        keep_each(self, whole, "width", "steps", "seeds")
        keep_each(self, whole, "depth", least=2)
        keep_each(self, real, "sharpness", remedy="give a positive number, or math.inf", above=0.0, infinite=True)
        keep(self, angles=angles)

    @property
    def work(self) -> int:
        """Steps times seeds."""
        return self.steps * self.seeds

    @property
    def label(self) -> str:
        """Richness, sharpness, width and angles."""
        return f"weak gamma0={self.richness:g} s={self.sharpness:g} N={self.width} n={self.angles} eta0={self.eta:g}"

    def slice(self) -> Self:
        """Return the steps up to a recorded one, of the first seed."""
        recorded = log_spaced_steps(self.steps, _PER_DECADE)
        return replace(self, steps=int(recorded[(recorded >= 1) & (recorded <= max(20, recorded[1]))][-1]), seeds=1)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses on the steps that both hold, without the flow of the diagonal: it depends on what was recorded."""
        numbers = [number for number, name in enumerate(KINDS) if name != "diagonal"]
        return max(
            loss_deviation(*({"step": one["step"], "loss": one["loss"][number]} for one in (arrays, recomputed)))
            for number in numbers
        )

    def run(self, monitor: Monitor) -> Arrays:
        """Return what the residuals are, and what has become of kernel and features, on recorded steps.

        ``step`` (R,); in float32 ``loss`` (kinds, seeds, R) and ``power`` (kinds, seeds, R, bands), mean squares of the
        residuals, whole and in bands of modes; ``kernel`` and ``overlap`` (seeds, R, bands), the diagonal of the kernel over
        that at the start and the cosine between the tangent feature of a mode now and at the start, means over the modes of a
        band; ``moved`` and ``crossed`` (seeds, R), the share of pairs of angle and neuron whose slope is on the other side of
        1/2 than at the start, and the sum over steps of those that changed side in a step.
        """
        flows = _Flows(self)
        if (kept := monitor.restored()) is not None:
            flows.restore(kept)
        while True:
            monitor.waiting(flows.look, flows.kept)
            if flows.done == self.steps:
                return flows.outcome()
            flows.step()
            monitor.advance(self.seeds)
            monitor.safe_point(flows.kept)


class Networks:
    """Networks of one shape at the same inputs, shape (n, D), with all gradients at these inputs."""

    def __init__(self, weights: list[torch.Tensor], x: torch.Tensor, sharpness: float) -> None:
        self.weights, self.sharpness = weights, sharpness
        self.x = x.expand(len(weights[0]), -1, -1).contiguous()
        self.width = weights[-1].shape[1]
        self.gain = gain(sharpness)
        self.factors = [x.shape[1] ** -0.5, *[self.gain * self.width**-0.5] * (len(weights) - 2)]
        self.evaluate()

    def evaluate(self) -> torch.Tensor:
        """Evaluate outputs F, shape (E, n), slopes, and derivatives of F with respect to all arguments of activations."""
        import torch

        below, self.below, self.slopes = self.x, [self.x], []
        for weight, factor in zip(self.weights[:-1], self.factors, strict=True):
            below, slope = activation(factor * torch.bmm(below, weight), self.sharpness)
            self.below.append(below)
            self.slopes.append(slope)
        gradient = (self.gain / self.width) * self.weights[-1].transpose(1, 2).expand_as(below)
        self.deltas: list[torch.Tensor] = []
        for layer in range(len(self.slopes) - 1, -1, -1):
            gradient = gradient * self.slopes[layer]
            self.deltas.insert(0, gradient)
            gradient = (
                self.factors[layer] * torch.bmm(gradient, self.weights[layer].transpose(1, 2)) if layer else gradient
            )
        return torch.bmm(below, self.weights[-1])[..., 0] * (self.gain / self.width)

    def feature(self, a: torch.Tensor) -> list[torch.Tensor]:
        """Return ``sum_x a(x) dF(x)/dW`` for every layer; a is of shape (E, n)."""
        import torch

        a = a[:, :, None]
        pairs = zip(self.factors, self.below[:-1], self.deltas, strict=True)
        found = [factor * torch.bmm(below.transpose(1, 2), delta * a) for factor, below, delta in pairs]
        return [*found, (self.gain / self.width) * torch.bmm(self.below[-1].transpose(1, 2), a)]

    def along(self, moved: list[torch.Tensor]) -> torch.Tensor:
        """Return the derivative of F along a displacement of the weights, shape (E, n)."""
        import torch

        found = (self.gain / self.width) * torch.bmm(self.below[-1], moved[-1])[..., 0]
        for factor, below, delta, one in zip(self.factors, self.below[:-1], self.deltas, moved[:-1], strict=True):
            found = found + factor * (torch.bmm(below, one) * delta).sum(2)
        return found

    def kernel(self, other: Networks | None = None) -> torch.Tensor:
        """Return ``N dF dF'`` over all weights, of these networks and others of the same shape, (E, n, n)."""
        import torch

        second = self if other is None else other
        kernel = (self.gain / self.width) ** 2 * torch.bmm(self.below[-1], second.below[-1].transpose(1, 2))
        for layer, factor in enumerate(self.factors):
            grams = [
                torch.bmm(one, two.transpose(1, 2))
                for one, two in ((self.below[layer], second.below[layer]), (self.deltas[layer], second.deltas[layer]))
            ]
            kernel += factor**2 * grams[0] * grams[1]
        return kernel * self.width


class _Flows:
    """Networks on their way and the residuals beside them."""

    def __init__(self, run: WeakRun) -> None:
        import torch

        from neural_scaling.networks.circle_data import points
        from neural_scaling.networks.mlp import Shape, initial_weights

        self.run, n = run, run.angles
        theta = 2 * np.pi * np.arange(n) / n
        x = torch.tensor(points(theta))
        shape = Shape(run.depth, run.width)
        drawn = zip(*(initial_weights(shape, seed) for seed in range(run.seeds)), strict=True)
        weights = [torch.stack(layer).double() for layer in drawn]
        self.first = Networks([weight.clone() for weight in weights], x, run.sharpness)
        self.now = Networks(weights, x, run.sharpness)
        self.start = self.first.evaluate()
        modes = np.arange(1, n // 2)
        cosines = np.cos(np.outer(theta, modes))
        self.y = torch.tensor(cosines @ modes ** -decay(run.beta)).expand(run.seeds, -1)
        self.cosines = torch.tensor(cosines * math.sqrt(2 / n))
        self.kernel = self.first.kernel() / n
        self.diagonal = self._diagonal(self.kernel)
        self.change = torch.zeros_like(self.diagonal)  # of the diagonal, at the last record
        self.residuals = {name: self.y.clone() for name in ("twin", "replayed", "diagonal")}
        self.active = [slope > 0.5 for slope in self.first.slopes]
        self.crossed = torch.zeros(run.seeds, dtype=torch.float64)
        self.steps = log_spaced_steps(run.steps, _PER_DECADE).astype(int)
        size, bands = (run.seeds, len(self.steps)), len(BANDS)
        self.found = {
            "loss": np.zeros((len(KINDS), *size)),
            "power": np.zeros((len(KINDS), *size, bands)),
            **{name: np.zeros((*size, bands)) for name in ("kernel", "overlap")},
            **{name: np.zeros(size) for name in ("moved", "crossed")},
        }
        self.done = self.filled = 0
        self._output()

    def step(self) -> None:
        """Take a step of gradient descent on half the mean square over all angles, and one of each flow."""
        eta, n, richness = self.run.eta, self.run.angles, self.run.richness
        own = self.now.feature(self.y - self.output)
        replayed = self.residuals["replayed"]
        scale = eta * self.now.width / n
        self.residuals["replayed"] = replayed - scale * self.now.along(self.now.feature(replayed))
        for name in ("twin", "diagonal"):
            r = self.residuals[name]
            moved = (self.kernel @ r[:, :, None])[..., 0]
            if name == "diagonal":
                moved = moved + (self.change * (r @ self.cosines)) @ self.cosines.T
            self.residuals[name] = r - eta * moved
        for weight, gradient in zip(self.now.weights, own, strict=True):
            weight.add_(gradient, alpha=richness * scale)
        self.done += 1
        self._output()
        active = [slope > 0.5 for slope in self.now.slopes]
        self.crossed += _changed(active, self.active)
        self.active = active

    def look(self) -> None:
        """Record, if this is a step to record."""
        if self.filled == len(self.steps) or self.done != self.steps[self.filled]:
            return
        at, found = self.filled, self.found
        kernel, diagonal, found["kernel"][:, at], found["overlap"][:, at] = self.compared(self.now)
        self.change = diagonal - self.diagonal
        residuals = {"network": self.y - self.output, **self.residuals, "frozen": self.flow(kernel, self.done)}
        for number, name in enumerate(KINDS):
            found["loss"][number, :, at] = residuals[name].square().mean(1)
            found["power"][number, :, at] = self.power(residuals[name])
        found["moved"][:, at] = _changed(self.active, [slope > 0.5 for slope in self.first.slopes])
        found["crossed"][:, at] = self.crossed
        self.filled += 1

    def compared(self, networks: Networks) -> tuple[torch.Tensor, torch.Tensor, Array, Array]:
        """Return kernel and diagonal of networks, and in bands the diagonal over the first one and the overlap of features."""
        kernel = networks.kernel() / self.run.angles
        diagonal = self._diagonal(kernel)
        mixed = self._diagonal(networks.kernel(self.first) / self.run.angles)
        overlap = mixed / (diagonal * self.diagonal).sqrt()
        bands = [
            np.stack([one[:, first - 1 : 2 * first - 1].mean(1) for first in BANDS], axis=1)
            for one in (diagonal / self.diagonal, overlap)
        ]
        return kernel, diagonal, bands[0], bands[1]

    def flow(self, kernel: torch.Tensor, steps: int) -> torch.Tensor:
        """Return the residual after steps with a kernel that stays."""
        import torch

        values, vectors = torch.linalg.eigh(kernel)
        parts = (vectors.transpose(1, 2) @ self.y[:, :, None])[..., 0] * (1 - self.run.eta * values) ** steps
        left: torch.Tensor = (vectors @ parts[:, :, None])[..., 0]
        return left

    def power(self, r: torch.Tensor) -> Array:
        """Return the mean square of a residual in every band, shape (E, bands)."""
        import torch

        series = (torch.fft.rfft(r)[:, : self.run.angles // 2] / self.run.angles).abs().square() * 2
        return np.stack([series[:, first : 2 * first].sum(1) for first in BANDS], axis=1)

    def kept(self) -> Arrays:
        """Return the state after a step."""
        tensors = {f"weight {number}": weight for number, weight in enumerate(self.now.weights)}
        tensors |= {f"residual {name}": r for name, r in self.residuals.items()}
        tensors |= {"change": self.change, "crossed": self.crossed}
        arrays = {f"found {name}": values for name, values in self.found.items()}
        arrays |= {name: tensor.numpy() for name, tensor in tensors.items()}
        return {name: array.copy() for name, array in arrays.items()} | {
            "done": scalar(self.done),
            "filled": scalar(self.filled),
        }

    def restore(self, arrays: Arrays) -> None:
        """Go back to a state."""
        import torch

        for number, weight in enumerate(self.now.weights):
            weight.copy_(torch.from_numpy(arrays[f"weight {number}"]))
        self.residuals = {name: torch.from_numpy(arrays[f"residual {name}"]) for name in self.residuals}
        self.change, self.crossed = torch.from_numpy(arrays["change"]), torch.from_numpy(arrays["crossed"])
        self.found = {name: arrays[f"found {name}"] for name in self.found}
        self.done, self.filled = int(arrays["done"]), int(arrays["filled"])
        self._output()
        self.active = [slope > 0.5 for slope in self.now.slopes]

    def outcome(self) -> Arrays:
        """Return what was recorded."""
        found = {name: values.astype(np.float32) for name, values in self.found.items()}
        return {"step": self.steps.astype(float)} | found

    def _output(self) -> None:
        self.output = (self.now.evaluate() - self.start) / self.run.richness

    def _diagonal(self, kernel: torch.Tensor) -> torch.Tensor:
        """Return the diagonal of a kernel in cosines, shape (E, modes)."""
        return (self.cosines * (kernel @ self.cosines)).sum(1)


def displaced(run: WeakRun, size: float) -> Arrays:
    """Move the initial weights at random instead of training them.

    Parameters
    ----------
    run
        Says which networks and how many steps of the flows; its richness is not used.
    size
        Standard deviation of the displacement of every weight, those of the weights being 1.

    Returns
    -------
    dict
        ``power`` (2, seeds, bands), mean squares of the residuals of the flow by the kernel after the displacement, and of that
        by the kernel before it; ``kernel`` and ``overlap`` (seeds, bands) as :meth:`WeakRun.run` has them.
    """
    import torch

    from neural_scaling.networks.seeding import standard_normal

    run, size = instance(run, "run", WeakRun, "give a WeakRun"), require_positive(size, "size")
    flows = _Flows(run)
    shapes = [tuple(weight.shape[1:]) for weight in flows.first.weights]
    drawn = zip(*(standard_normal(shapes, seed, 1) for seed in range(run.seeds)), strict=True)
    moved = [w + size * torch.stack(one).double() for w, one in zip(flows.first.weights, drawn, strict=True)]
    kernel, _, diagonal, overlap = flows.compared(Networks(moved, flows.first.x[0], run.sharpness))
    power = [flows.power(flows.flow(one, run.steps)) for one in (kernel, flows.kernel)]
    return {"power": np.stack(power), "kernel": diagonal, "overlap": overlap}


def activation(h: torch.Tensor, sharpness: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``log(1 + e^(s h))/s`` and its slope; the rectifier where s is infinite."""
    import torch

    if sharpness == math.inf:
        return h.clamp(min=0), (h > 0).to(h.dtype)
    return torch.nn.functional.softplus(h, sharpness, _STRAIGHT), torch.sigmoid(sharpness * h)


def gain(sharpness: float) -> float:
    """Return the factor that gives the softplus of a standard normal a mean square of 1."""
    if sharpness == math.inf:
        return math.sqrt(2)
    h = np.linspace(-12, 12, 2**15)
    density = np.exp(-(h**2) / 2) / math.sqrt(2 * math.pi)
    value: Array = np.logaddexp(0, sharpness * h) / sharpness
    return math.pow(float(np.trapezoid(value**2 * density, h)), -0.5)


def _changed(one: list[torch.Tensor], other: list[torch.Tensor]) -> torch.Tensor:
    """Return the share of neurons and angles that are not on the same side, shape (E,)."""
    return sum((a != b).double().mean((1, 2)) for a, b in zip(one, other, strict=True)) / len(one)  # type: ignore[return-value]
