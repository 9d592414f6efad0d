"""Weak richness: networks on the circle that learn more slowly than their linearised twins, and why."""

from __future__ import annotations

import math

from companion.parameters import Parameters
from neural_scaling.networks.weak_runs import WeakRun
from neural_scaling.runs import Experiment


class Plan(Parameters):
    """Parameters of the notebook and the runs they make."""

    def run(
        self, richness: float | None = None, sharpness: float = math.inf, angles: int | None = None, finer: int = 1
    ) -> WeakRun:
        """Return the run at the richness and the angles of the page unless others are given, with steps as many times finer."""
        return WeakRun(
            self.beta,
            self.depth,
            self.width,
            self.richness if richness is None else richness,
            sharpness,
            self.eta / finer,
            self.steps * finer,
            self.seeds,
            self.angles if angles is None else angles,
        )

    def by_richness(self) -> list[WeakRun]:
        """Return the runs of ReLU networks at every richness."""
        return [self.run(richness) for richness in self.richnesses]

    def by_sharpness(self) -> list[WeakRun]:
        """Return the runs at every sharpness, ReLU last."""
        return [self.run(sharpness=sharpness) for sharpness in (*self.sharpnesses, math.inf)]

    def by_angles(self) -> list[WeakRun]:
        """Return the runs on fewer, as many and more angles."""
        return [self.run(angles=angles) for angles in self.angles_study]

    def by_step(self) -> list[WeakRun]:
        """Return the runs at the learning rate of the page and at half of it, on the fewest angles."""
        return [self.run(angles=self.angles_study[0], finer=finer) for finer in (1, 2)]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs = [*self.by_richness(), *self.by_angles(), *self.by_step(), *self.by_sharpness()]
        return [*dict.fromkeys(runs)]
