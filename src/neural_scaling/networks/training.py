"""Online training of ensembles: fresh batches, losses on given steps, checkpoints, divergence as a result.

Everything between two checks of the host happens on the device: indices of the samples are drawn there, a chunk of steps at a
time, from a generator seeded by seed and chunk, so that a run can go on from any chunk without keeping the generator; losses
and the step of a divergence are collected there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt
import torch

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, flag, instance, require, whole
from neural_scaling.base.monitor import Arrays, Monitor, Parts, scalar
from neural_scaling.networks.compiling import CompiledStep, Step
from neural_scaling.networks.mlp import Member
from neural_scaling.networks.seeding import stream_seed

__all__ = ["DIVERGED", "TABLE_BYTES", "FiniteData", "Trainable", "Training", "train"]

_KEPT = ("losses", "stream", "errors", "diverged", "first")  # of the state
_CHUNK = 100  # steps between which the host looks in
_TABLE_ROWS = 4096  # inputs evaluated at once
#: What the initial weights fix is kept for all inputs up to this size, and evaluated batch by batch beyond it.
TABLE_BYTES = 2**33
_STATE_BYTES = 2**26  # of it, up to which it goes into the state of a run
#: A batch loss this many times the first one counts as diverged. Batches of a target with heavy tails differ by a hundred.
DIVERGED = 1e4


@runtime_checkable
class Trainable(Protocol):
    """What the engine asks of an ensemble; :class:`~neural_scaling.networks.mlp.MLPEnsemble` is one."""

    members: tuple[Member, ...]

    @property
    def state(self) -> list[torch.Tensor]:
        """Tensors that training changes in place."""

    def raw(self, x: torch.Tensor) -> torch.Tensor:
        """Return the output before centring."""

    def initial(self, x: torch.Tensor) -> torch.Tensor:
        """Return what the initial weights fix at inputs and a step needs, members and inputs in front; at any time the same."""

    def centred(self, x: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Return the centred output, given what the initial weights fix."""

    def step(self, x: torch.Tensor, y: torch.Tensor, frozen: torch.Tensor) -> torch.Tensor:
        """Take a step on a batch and return its mean squared error."""


@runtime_checkable
class FiniteData(Protocol):
    """Data whose inputs are numbered, so that the initial network may be evaluated at each once."""

    test_inputs: torch.Tensor

    @property
    def count(self) -> int:
        """Number of inputs."""

    @property
    def replacement(self) -> bool:
        """Whether samples are drawn with replacement; else every input comes once before any comes again."""

    def take(self, index: torch.Tensor) -> torch.Tensor:
        """Return inputs by number, with one more dimension than the numbers."""

    def targets(self, index: torch.Tensor) -> torch.Tensor:
        """Return each member's targets at inputs."""

    def loss(self, output: torch.Tensor) -> torch.Tensor:
        """Return each member's test loss from its centred outputs at the test inputs."""


@dataclass(frozen=True)
class Training:
    """Outcome of :func:`train`.

    Attributes
    ----------
    step
        Recorded steps, shape (R,).
    loss
        Test loss after that many steps, shape (E, R); infinite from the step of a divergence on.
    stream
        Error of the batches, each before its step, mean over the steps since the one recorded before, shape (E, R); without
        meaning at step 0 and from a divergence on. Where no input comes twice it is a test loss.
    diverged
        Step at which each member diverged, infinity for those that did not; shape (E,).
    observed
        What else was recorded, each of shape (E, R) or (E, R, ...); without meaning from the step of a divergence on.
    """

    step: Array
    loss: Array
    stream: Array
    diverged: Array
    observed: dict[str, Array]


@torch.no_grad()
def train(
    model: Trainable,
    data: FiniteData,
    recorded: Sequence[int],
    batch: int,
    monitor: Monitor | None = None,
    observe: Mapping[str, Callable[[], torch.Tensor]] | None = None,
    compiled: bool = False,
) -> Training:
    """Train an ensemble up to the last recorded step, each member on its own stream of fresh batches.

    A seed's stream is the same whatever the richness, the learning rate and the other members.

    Parameters
    ----------
    model
        At its initial weights; trained in place.
    data
        What to learn.
    recorded
        Steps after which the test loss is taken, ascending whole numbers from 0 on.
    batch
        B.
    monitor
        Told of progress in member-steps; may keep the state and give it back. A run that goes on ends with the same numbers.
    observe
        What to record beside the loss: functions that return one number or more per member, shape (E,) or (E, ...).
    compiled
        Compile the step (``torch.compile``). Where no compiler is found the reason is printed and the plain step taken.

    Raises
    ------
    InputError
        If the batch is below 1, the steps are not ascending whole numbers, or model and data differ in precision or device.
    """
    instance(model, "model", Trainable, "give an ensemble, as ensemble() makes it")
    _check_data(model, instance(data, "data", FiniteData, "give data, as CircleData or ImageData are"))
    batch, steps = whole(batch, "batch"), recorded_steps(recorded)
    monitor = instance(Monitor() if monitor is None else monitor, "monitor", Monitor, "give a Monitor, or None")
    observe = instance({} if observe is None else observe, "observe", Mapping, "give functions by their names")
    for name, quantity in observe.items():
        require(callable(quantity), "observe", f"{name!r} is no function", "give functions by their names")
    compiled, parts = flag(compiled, "compiled"), Parts(monitor)
    run = _Run(model, data, steps, batch, observe, parts)
    if compiled:
        run.step = CompiledStep(model.step)
    monitor = parts.last("training")
    kept = monitor.restored()
    if kept is not None:
        run.restore(kept)
    run.record(monitor)
    # The host looks for divergence between chunks only, wherever it was that a run went on.
    while run.done < steps[-1] and (run.done % _CHUNK or not run.over):
        for _ in run.chunk():
            monitor.advance(len(model.members))
            monitor.safe_point(run.kept)
            run.record(monitor)
    return run.outcome()


def recorded_steps(recorded: Sequence[int]) -> npt.NDArray[np.int64]:
    """Return steps to record at: whole numbers from 0 on, each once, in order."""
    return array(recorded, "recorded", least=0, whole=True, order="rising").astype(np.int64)


def _check_data(model: Trainable, data: FiniteData) -> None:
    """Refuse data that are empty, not finite, of another precision or on another device than the model."""
    whole(data.count, "data", "give at least one input")
    require(data.test_inputs.numel() > 0, "data", "no test inputs", "give at least one")
    _require_alike(model, "test_inputs", data.test_inputs)
    finite = bool(data.test_inputs.isfinite().all())
    require(finite, "data", "NaN or infinity in test_inputs", "remove what is not finite")


def _require_alike(model: Trainable, name: str, part: torch.Tensor) -> None:
    own = model.state[0]
    remedy = "make both alike; a positive richness below 0.01 makes an ensemble of torch.float64"
    for found, wanted in ((part.dtype, own.dtype), (part.device, own.device)):
        require(found == wanted, "data", f"its {name} are of {found}, the model is of {wanted}", remedy)


class _Run:
    """A training on its way."""

    def __init__(
        self,
        model: Trainable,
        data: FiniteData,
        recorded: npt.NDArray[np.int64],
        batch: int,
        observe: Mapping[str, Callable[[], torch.Tensor]],
        parts: Parts,
    ) -> None:
        self.model, self.data, self.recorded, self.batch, self.observe = model, data, recorded, batch, observe
        count, device = len(model.members), data.test_inputs.device
        self.frozen = _table(model, data, parts) if data.count <= batch * recorded[-1] else None
        self.frozen_test = _initial(model, data.test_inputs, parts, "test inputs", kept=False)
        self.member = torch.arange(count, device=device)[:, None]
        self.generators = [torch.Generator(device) for _ in model.members]
        self.losses = torch.zeros(len(recorded), count, device=device, dtype=data.test_inputs.dtype)
        self.stream = torch.zeros_like(self.losses)
        self.errors = torch.zeros(count, device=device, dtype=data.test_inputs.dtype)  # summed since the last record
        self.observed: dict[str, torch.Tensor] = {}  # from the first record on, which tells their shapes
        self.diverged = torch.full((count,), float("inf"), device=device, dtype=torch.float32)
        self.first = torch.zeros(count, device=device, dtype=data.test_inputs.dtype)
        self.orders: dict[tuple[int, int], torch.Tensor] = {}
        self.done = self.filled = 0
        self.step: Step = model.step

    @property
    def over(self) -> bool:
        """Whether every member has diverged."""
        return bool(torch.isfinite(self.diverged).all())

    @torch.no_grad()
    def evaluated(self) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the test loss and the observed quantities."""
        inputs = self.data.test_inputs.expand(len(self.model.members), -1, -1)
        loss = self.data.loss(self.model.centred(inputs, self.frozen_test))
        return loss, [quantity() for quantity in self.observe.values()]

    def record(self, monitor: Monitor) -> None:
        """Take the test loss if this is a step to record."""
        if self.filled < len(self.recorded) and self.done == self.recorded[self.filled]:
            self.losses[self.filled], observed = monitor.waiting(self.evaluated, self.kept)
            before = int(self.recorded[self.filled - 1]) if self.filled else 0
            self.stream[self.filled] = self.errors / max(1, self.done - before)
            self.errors.zero_()
            for name, value in zip(self.observe, observed, strict=True):
                if name not in self.observed:
                    self.observed[name] = self.losses.new_zeros((len(self.recorded), *value.shape))
                self.observed[name][self.filled] = value
            self.filled += 1

    def chunk(self) -> Iterator[None]:
        """Take the steps up to the next multiple of the chunk's length or the end."""
        index = self.samples(self.done // _CHUNK)
        for offset in range(self.done % _CHUNK, _CHUNK):
            if self.done >= self.recorded[-1]:
                break
            drawn = index[offset]
            inputs = self.data.take(drawn)
            frozen = self.model.initial(inputs) if self.frozen is None else self.frozen[self.member, drawn]
            targets = self.data.targets(drawn)
            if self.done == 0:
                _require_alike(self.model, "inputs", inputs)
                _require_alike(self.model, "targets", targets)
            error = self.step(inputs, targets, frozen)
            self.errors += error
            # The first batch on which a member was wrong at all: targets may vanish on those before.
            self.first = torch.where(self.first > 0, self.first, error)
            blown = ~((error <= DIVERGED * self.first) & (error < float("inf"))) & torch.isinf(self.diverged)
            self.diverged.masked_fill_(blown, self.done)
            self.done += 1
            yield

    def samples(self, chunk: int) -> torch.Tensor:
        """Draw the inputs of a chunk of steps, shape (steps, E, B)."""
        if not self.data.replacement:
            return torch.stack([self.rounds(member.seed, chunk) for member in self.model.members], dim=1)
        count = self.data.count
        streams = []
        for member, generator in zip(self.model.members, self.generators, strict=True):
            generator.manual_seed(stream_seed(member.seed, 1, chunk))
            shape = (_CHUNK, self.batch)
            streams.append(torch.randint(count, shape, generator=generator, device=generator.device))
        return torch.stack(streams, dim=1)

    def rounds(self, seed: int, chunk: int) -> torch.Tensor:
        """Draw the inputs of a chunk of steps, each once before any comes again, shape (steps, B)."""
        count, drawn = self.data.count, _CHUNK * self.batch
        first, last = chunk * drawn // count, ((chunk + 1) * drawn - 1) // count
        orders = {}
        for number in range(first, last + 1):
            order = self.orders.get((seed, number))
            if order is None:
                generator = self.generators[0].manual_seed(stream_seed(seed, 3, number))
                order = torch.randperm(count, generator=generator, device=generator.device)
            orders[seed, number] = order
        self.orders = {key: order for key, order in self.orders.items() if key[0] != seed} | orders
        start = chunk * drawn - first * count
        return torch.cat(list(orders.values()))[start : start + drawn].view(_CHUNK, self.batch)

    def kept(self) -> Arrays:
        """Return the state after a step."""
        tensors = {f"tensor {number}": tensor for number, tensor in enumerate(self.model.state)}
        tensors |= {f"observed {name}": values for name, values in self.observed.items()}
        tensors |= {name: getattr(self, name) for name in _KEPT}
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        return arrays | {"done": scalar(self.done), "filled": scalar(self.filled)}

    def restore(self, arrays: Arrays) -> None:
        """Go back to a state."""
        for number, tensor in enumerate(self.model.state):
            tensor.copy_(torch.from_numpy(arrays[f"tensor {number}"]))
        for name in self.observe:
            if (values := arrays.get(f"observed {name}")) is not None:
                self.observed[name] = torch.from_numpy(values).to(self.losses)
        for name in _KEPT:
            getattr(self, name).copy_(torch.from_numpy(arrays[name]))
        self.done, self.filled = int(arrays["done"]), int(arrays["filled"])

    def outcome(self) -> Training:
        """Return the curves; a member that has diverged has infinite loss from there on."""
        loss = self.losses.double().cpu().numpy().T.copy()
        diverged = self.diverged.double().cpu().numpy()
        beyond = (self.recorded[None, :] > diverged[:, None]) | ~np.isfinite(loss)
        loss[np.logical_or.accumulate(beyond, axis=1)] = np.inf
        observed = {
            name: self.observed.get(name, self.losses).double().transpose(0, 1).cpu().numpy().copy()
            for name in self.observe
        }
        stream = self.stream.double().cpu().numpy().T.copy()
        return Training(self.recorded.astype(float), loss, stream, diverged, observed)


@torch.no_grad()
def _table(model: Trainable, data: FiniteData, parts: Parts) -> torch.Tensor | None:
    """Return what the initial weights fix at all inputs, (E, G, ...), or None where that is too much to keep."""
    device = data.test_inputs.device
    one = data.take(torch.zeros(1, dtype=torch.int64, device=device)).expand(len(model.members), -1, -1)
    size = model.initial(one).nbytes * data.count
    if size > TABLE_BYTES:
        return None
    blocks = []
    for start in range(0, data.count, _TABLE_ROWS):
        index = torch.arange(start, min(start + _TABLE_ROWS, data.count), device=device)
        blocks.append(_initial(model, data.take(index), parts, f"inputs from {start}", size <= _STATE_BYTES))
    return torch.cat(blocks, dim=1)


def _initial(model: Trainable, inputs: torch.Tensor, parts: Parts, name: str, kept: bool) -> torch.Tensor:
    """Return what the initial weights fix at inputs, (E, B, ...); as a part of the run's state, or else found again."""

    @torch.no_grad()
    def found() -> torch.Tensor:
        return model.initial(inputs.expand(len(model.members), -1, -1))

    if not kept:
        return parts.last(name).waiting(found, dict)
    return torch.from_numpy(parts.call(name, lambda: {"initial": found().cpu().numpy()})["initial"]).to(inputs.device)
