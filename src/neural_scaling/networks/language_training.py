"""Training on fresh text: the loss of every batch before the step, held-out losses, checkpoints, divergence as a result.

While no text comes twice the loss of a batch before its step is that of new text, so the training curve is a test curve, if a
noisy one. The state of a training is the displacement of the weights and the curves: initial weights come from the seed and
batches from the step. On a processor a run that goes on ends with the same bits; on a GPU only where its kernels add in a fixed
order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, instance, require
from neural_scaling.base.devices import find_device
from neural_scaling.base.monitor import Arrays, Monitor, scalar
from neural_scaling.data.text import Prefetched
from neural_scaling.networks.training import recorded_steps
from neural_scaling.networks.transformer import Transformer, TransformerShape

__all__ = ["DIVERGED", "LanguageTraining", "train_language"]

# Token numbers of sequences, shape (B, T + 1): inputs are all but the last, targets all but the first.
Tokens = npt.NDArray[np.int64]
_CHUNK = 8  # steps between which the host looks in
#: A loss this many times that of knowing nothing, log(vocabulary), counts as diverged.
DIVERGED = 3.0


@dataclass(frozen=True)
class LanguageTraining:
    """Outcome of :func:`train_language`.

    Attributes
    ----------
    loss
        Cross-entropy of every batch before its step in nats per token, float32, shape (steps,); infinite from the step of a
        divergence on.
    step
        Steps after which held-out text was looked at, shape (R,).
    held_out
        Its cross-entropy then, float32, shape (R,); infinite after a divergence.
    final
        Cross-entropy of every held-out sequence at the last of these steps, float32, shape (S,); infinite after a divergence.
    moved
        How far features of that text have moved (:meth:`~neural_scaling.networks.transformer.Transformer.evaluate`), float32,
        shape (R,); without meaning after a divergence.
    diverged
        Step whose batch showed the divergence, infinity where there was none.
    """

    loss: npt.NDArray[np.float32]
    step: Array
    held_out: npt.NDArray[np.float32]
    final: npt.NDArray[np.float32]
    moved: npt.NDArray[np.float32]
    diverged: float


def train_language(
    model: Transformer,
    batches: Callable[[int], Tokens],
    held_out: Tokens,
    recorded: Sequence[int],
    device: torch.device | str,
    monitor: Monitor | None = None,
) -> LanguageTraining:
    """Train up to the last recorded step.

    Parameters
    ----------
    model
        At its initial weights; trained in place.
    batches
        Gives the batch of a step, counted from 0, always the same; called ahead of time in a thread.
    held_out
        Sequences that are only looked at.
    recorded
        Steps after which that is done, ascending whole numbers from 0 on.
    device
        That of the model.
    monitor
        Told of progress in steps; may keep the state and give it back.

    Raises
    ------
    InputError
        If the steps are not ascending whole numbers, tokens are not in the vocabulary, or the model is on another device.
    """
    steps = recorded_steps(recorded)
    shape = instance(model, "model", Transformer, "give a Transformer").shape
    require(callable(batches), "batches", f"got {type(batches).__name__}", "give a function of the step")
    text = _tokens(held_out, "held_out", shape)
    monitor = instance(Monitor() if monitor is None else monitor, "monitor", Monitor, "give a Monitor, or None")
    device, own = find_device(device), model.displacement["readout"].device
    require(device.type == own.type, "device", f"got {device}", f"give that of the model, {own}")
    run = _Run(model, torch.from_numpy(text).to(own), steps)
    kept = monitor.restored()
    if kept is not None:
        run.restore(kept)
    run.record(monitor)
    with Prefetched(
        lambda step: on_host(_tokens(batches(step), "batches", shape), device), start=run.done, stop=run.last
    ) as ahead:
        # The host looks for divergence between chunks only, wherever it was that a run went on.
        while run.done < run.last and (run.done % _CHUNK or not run.over):
            run.step(handed_over(next(ahead), device))
            monitor.advance(1)
            monitor.safe_point(run.kept)
            run.record(monitor)
    return run.outcome()


def _tokens(tokens: npt.ArrayLike, argument: str, shape: TransformerShape) -> Tokens:
    """Return sequences of tokens that a network knows."""
    found = array(tokens, argument, axes=2, whole=True, least=0, most=shape.vocabulary - 1)
    length = found.shape[1]
    remedy = f"give 2 to {shape.context + 1}, one more than are read"
    require(2 <= length <= shape.context + 1, argument, f"{length} tokens in a row", remedy)
    return found.astype(np.int64)


def on_host(tokens: Tokens, device: torch.device) -> torch.Tensor:
    """Return tokens where a device can fetch them by itself: for CUDA in memory that the system may not move."""
    batch = torch.from_numpy(tokens)
    return batch.pin_memory() if device.type == "cuda" else batch


def handed_over(batch: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a batch of :func:`on_host` on the device; CUDA fetches it in its turn, and the host goes on."""
    return batch.to(device, non_blocking=device.type == "cuda")


class _Run:
    """A training on its way."""

    def __init__(self, model: Transformer, held_out: torch.Tensor, recorded: npt.NDArray[np.int64]) -> None:
        self.model, self.text, self.recorded = model, held_out, recorded
        self.last = int(recorded[-1])
        self.bound = DIVERGED * math.log(model.shape.vocabulary)
        self.loss = torch.full((self.last,), math.inf, device=held_out.device, dtype=torch.float32)
        self.held_out = torch.full((len(recorded),), math.inf, device=held_out.device, dtype=torch.float32)
        self.moved = torch.zeros_like(self.held_out)
        self.final = torch.full((held_out.shape[0],), math.inf, device=held_out.device, dtype=torch.float32)
        self.done = self.filled = 0

    @property
    def over(self) -> bool:
        """Whether the training has diverged."""
        return not bool((self.loss[: self.done] <= self.bound).all())

    def record(self, monitor: Monitor) -> None:
        """Look at the held-out text if this is a step to do so."""
        if self.filled < len(self.recorded) and self.done == self.recorded[self.filled]:
            self.final, self.moved[self.filled] = monitor.waiting(lambda: self.model.evaluate(self.text), self.kept)
            self.held_out[self.filled] = self.final.mean()
            self.filled += 1

    def step(self, tokens: torch.Tensor) -> None:
        """Take a step."""
        self.loss[self.done] = self.model.step(tokens)
        self.done += 1

    @property
    def curves(self) -> dict[str, torch.Tensor]:
        """What has been recorded."""
        return {"loss": self.loss, "held out": self.held_out, "final": self.final, "moved": self.moved}

    def kept(self) -> Arrays:
        """Return the state."""
        tensors = {f"displacement {name}": v for name, v in self.model.displacement.items()}
        tensors |= self.curves
        arrays = {name: tensor.cpu().numpy() for name, tensor in tensors.items()}
        return arrays | {"done": scalar(self.done), "filled": scalar(self.filled)}

    def restore(self, arrays: Arrays) -> None:
        """Go back to a state."""
        for name, v in self.model.displacement.items():
            v.copy_(torch.from_numpy(arrays[f"displacement {name}"]))
        for name, curve in self.curves.items():
            curve.copy_(torch.from_numpy(arrays[name]))
        self.done, self.filled = int(arrays["done"]), int(arrays["filled"])

    def outcome(self) -> LanguageTraining:
        """Return the curves, infinite from a divergence on."""
        loss, held_out = self.loss.cpu().numpy().copy(), self.held_out.cpu().numpy().copy()
        blown = np.flatnonzero(~(loss[: self.done] <= self.bound))
        diverged = float(blown[0]) if blown.size else math.inf
        if blown.size:
            loss[blown[0] :] = math.inf
        held_out[(self.recorded > diverged) | ~(held_out <= self.bound)] = math.inf
        final = np.where(np.isfinite(held_out[-1]), self.final.cpu().numpy(), np.float32(math.inf))
        return LanguageTraining(loss, self.recorded.astype(float), held_out, final, self.moved.cpu().numpy(), diverged)
