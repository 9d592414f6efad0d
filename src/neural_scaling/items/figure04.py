"""Figure 4: loss against compute for many widths, its frontier and the optimal width and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neural_scaling.experiments import ToyModelRun
from neural_scaling.runs import Experiment

ITEM = "fig04"


@dataclass(frozen=True)
class Plan:
    """What Figure 4 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    alpha
        Capacity.
    gamma
        Richness.
    betas, etas, batches
        Source, learning rate and B of each panel.
    modes
        M of the simulations and of the theory beside them.
    widths, seeds
        N of each curve, and simulations per width.
    widest
        Largest N of each panel; wider networks are optimal only beyond the largest compute.
    compute
        Largest compute C = N t, t in steps.
    """

    alpha: float
    gamma: float
    betas: Sequence[float]
    etas: Sequence[float]
    batches: Sequence[int]
    modes: int
    widths: Sequence[int]
    seeds: Sequence[int]
    widest: Sequence[int]
    compute: float

    def steps(self, width: int) -> int:
        """Return the last step of a width: that at which the largest compute is used up."""
        return int(self.compute // width)

    def simulation(self, panel: int) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per width."""
        return [
            ToyModelRun(
                self.alpha,
                self.betas[panel],
                self.modes,
                self.etas[panel],
                self.gamma,
                self.steps(width),
                width=width,
                batch=self.batches[panel],
                seeds=seeds,
            )
            for width, seeds in zip(self.widths, self.seeds, strict=True)
            if width <= self.widest[panel]
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for panel in range(len(self.betas)):
            runs += self.simulation(panel)
        return list(dict.fromkeys(runs))
