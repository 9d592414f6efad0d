"""Figure 7: kernel spectra on the circle, and networks on easy tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neural_scaling.networks.experiments import CircleRun
from neural_scaling.runs import Experiment

ITEM = "fig07"


@dataclass(frozen=True)
class Plan:
    """What Figure 7 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    depth, width, batch, steps, seeds, eta
        L, N, B, T, seeds and eta_0 of every curve of (b).
    richness
        gamma_0 of the rich curves; each has a linearised one beside it.
    angles
        Angles that samples are drawn from.
    betas
        Sources of (b), ReLU networks.
    """

    depth: int
    width: int
    batch: int
    steps: int
    seeds: int
    eta: float
    richness: float
    angles: int
    betas: Sequence[float]

    def tasks(self, richness: float) -> list[CircleRun]:
        """Return the runs of (b) at one richness, one per source."""
        size = (self.depth, self.width, richness, self.eta, self.batch, self.steps, self.seeds, self.angles)
        return [CircleRun(beta, 1.0, *size) for beta in self.betas]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        return [*self.tasks(self.richness), *self.tasks(0.0)]
