"""The coordinate check of networks on the circle as a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.networks.runs import CircleRun
from neural_scaling.networks.training import train


@dataclass(frozen=True)
class MovesRun(CircleRun):
    """How far networks on the circle move in a few steps."""

    kind: ClassVar[str] = "circle network moves"
    algorithm: ClassVar[int] = 1

    @property
    def label(self) -> str:
        """Label of the :class:`CircleRun`, and that moves are measured."""
        return f"{super().label} moves"

    def slice(self) -> Self:
        """Return the first seed, with all of its few steps."""
        return replace(self, seeds=1)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the seeds that both hold."""
        moved = recomputed["moved"]
        return float(np.max(np.abs(moved / arrays["moved"][:, : moved.shape[1]] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``moved`` (L, seeds): root mean square changes of hidden arguments and, last, of the output."""
        model, data = self.untrained()
        inputs = data.kernel_inputs.expand(self.seeds, -1, -1)
        before, raw = [h.clone() for h in model.arguments(inputs)], model.raw(inputs)
        train(model, data, [self.steps], self.batch, monitor)
        pairs = zip(model.arguments(inputs), before, strict=True)
        changes = [*(after - first for after, first in pairs), model.centred(inputs, raw)]
        return {"moved": np.stack([change.flatten(1).square().mean(1).sqrt().double().cpu() for change in changes])}
