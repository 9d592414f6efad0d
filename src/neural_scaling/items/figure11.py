"""Figures 11 and 12: two-layer linear networks on an easy and a hard task, their loss and the growth of their weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neural_scaling.experiments import LinearNetworkRun
from neural_scaling.runs import Experiment

#: Both figures come from the same runs, which are kept under this name.
ITEM = "fig11"


@dataclass(frozen=True)
class Plan:
    """What Figures 11 and 12 compute: the parameters of their notebooks and the runs they make.

    Attributes
    ----------
    alpha
        Capacity.
    beta_easy, beta_hard
        Sources of panels (a) and (b).
    modes, width, batch
        M, N and B.
    eta0
        Learning rate.
    gammas
        Richness gamma0 of each network, ascending.
    steps
        Last step.
    seeds
        Number of initializations and data streams; they are 0, 1, ..., seeds - 1.
    width_control, gammas_control
        N and richnesses of wider networks, one seed, that show what the width does.
    """

    alpha: float
    beta_easy: float
    beta_hard: float
    modes: int
    width: int
    batch: float
    eta0: float
    gammas: Sequence[float]
    steps: int
    seeds: int
    width_control: int
    gammas_control: Sequence[float]

    def runs(self, beta: float) -> list[LinearNetworkRun]:
        """Return the runs of a panel, one per seed, each with all richnesses."""
        size = (self.alpha, beta, self.modes, self.width, self.batch, self.eta0)
        return [LinearNetworkRun(*size, tuple(self.gammas), self.steps, seed) for seed in range(self.seeds)]

    def control(self, beta: float) -> LinearNetworkRun:
        """Return the run of the wider networks on a task."""
        size = (self.alpha, beta, self.modes, self.width_control, self.batch, self.eta0)
        return LinearNetworkRun(*size, tuple(self.gammas_control), self.steps, 0)

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        runs: list[Experiment] = []
        for beta in (self.beta_easy, self.beta_hard):
            runs += [*self.runs(beta), self.control(beta)]
        return runs
