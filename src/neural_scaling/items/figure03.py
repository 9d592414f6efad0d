"""Figure 3: what a finite batch adds to the loss, for a hard and a super-easy task."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neural_scaling.experiments import OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Experiment

ITEM = "fig03"


@dataclass(frozen=True)
class Plan:
    """What Figure 3 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    alpha
        Capacity.
    beta_hard, beta_super_easy
        Sources of (a) and (b).
    gamma
        Richness.
    eta_hard, eta_super_easy
        Learning rates of (a) and (b).
    modes, width, steps
        M, N and the last step.
    batches, seeds
        B of each curve, and simulations per batch.
    """

    alpha: float
    beta_hard: float
    beta_super_easy: float
    gamma: float
    eta_hard: float
    eta_super_easy: float
    modes: int
    width: int
    steps: int
    batches: Sequence[int]
    seeds: Sequence[int]

    def eta(self, beta: float) -> float:
        """Return the learning rate of the panel of a source."""
        return self.eta_hard if beta == self.beta_hard else self.eta_super_easy

    def theory(self, beta: float) -> list[OnlineDMFTRun]:
        """Return the mean-field runs of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [OnlineDMFTRun(*common, width=self.width, batch=batch) for batch in self.batches]

    def simulation(self, beta: float) -> list[ToyModelRun]:
        """Return the simulations of a panel, one per batch."""
        common = (self.alpha, beta, self.modes, self.eta(beta), self.gamma, self.steps)
        return [
            ToyModelRun(*common, width=self.width, batch=batch, seeds=seeds)
            for batch, seeds in zip(self.batches, self.seeds, strict=True)
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = []
        for beta in (self.beta_hard, self.beta_super_easy):
            runs += self.simulation(beta)
        return list(dict.fromkeys(runs))
