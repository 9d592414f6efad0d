"""Figure 5: networks on the circle, hard and easy, at changing target and at changing activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neural_scaling.circle import source
from neural_scaling.networks.experiments import CircleRun
from neural_scaling.runs import Experiment

ITEM = "fig05"


@dataclass(frozen=True)
class Plan:
    """What Figure 5 computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    depth, width, batch, steps, seeds, eta
        L, N, B, T, seeds and eta_0 of every curve unless a study varies it.
    richness
        gamma_0 of the rich curves; each has a linearised one beside it.
    angles
        Angles that samples are drawn from.
    betas
        Sources of (a), ReLU networks.
    decay, powers
        q of the one target of (b) and q_phi of each of its activations.
    richness_activations
        gamma_0 of the rich curves of (b): the same gamma_0 changes the kernel of a steep activation far more.
    beta_study
        Source of the studies, ReLU networks.
    richness_study
        Values of gamma_0; 0 is the linearised network.
    eta_study, richness_eta_study
        Values of eta_0, each at each of these values of gamma_0.
    batch_study, width_study
        Values of B and of N, rich networks.
    beta_easy_study, width_easy_study
        Source and values of N of linearised networks on an easy task.
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
    decay: float
    powers: Sequence[float]
    richness_activations: Sequence[float]
    beta_study: float
    richness_study: Sequence[float]
    eta_study: Sequence[float]
    richness_eta_study: Sequence[float]
    batch_study: Sequence[int]
    width_study: Sequence[int]
    beta_easy_study: float
    width_easy_study: Sequence[int]

    def run(self, beta: float, power: float, richness: float) -> CircleRun:
        """Return the run of one curve of (a) or (b)."""
        size = (self.depth, self.width, richness, self.eta, self.batch, self.steps, self.seeds, self.angles)
        return CircleRun(beta, power, *size)

    def targets(self, richness: float) -> list[CircleRun]:
        """Return the runs of (a) at one richness, one per source."""
        return [self.run(beta, 1.0, richness) for beta in self.betas]

    def activations(self, richness: float) -> list[CircleRun]:
        """Return the runs of (b) at one richness, one per activation."""
        return [self.run(round(source(self.decay, power), 12), power, richness) for power in self.powers]

    def by_richness(self) -> list[CircleRun]:
        """Return the runs of the study of gamma_0."""
        return [self.run(self.beta_study, 1.0, richness) for richness in self.richness_study]

    def by_eta(self, richness: float) -> list[CircleRun]:
        """Return the runs of the study of eta_0 at one richness."""
        run = self.run(self.beta_study, 1.0, richness)
        return [replace(run, eta=eta) for eta in self.eta_study]

    def by_batch(self) -> list[CircleRun]:
        """Return the runs of the study of B."""
        run = self.run(self.beta_study, 1.0, self.richness)
        return [replace(run, batch=batch) for batch in self.batch_study]

    def by_width(self) -> list[CircleRun]:
        """Return the runs of the study of N."""
        run = self.run(self.beta_study, 1.0, self.richness)
        return [replace(run, width=width) for width in self.width_study]

    def by_width_easy(self) -> list[CircleRun]:
        """Return the runs of the study of N for a linearised network on an easy task."""
        run = self.run(self.beta_easy_study, 1.0, 0.0)
        return [replace(run, width=width) for width in self.width_easy_study]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once: the curves of the paper first."""
        runs: list[CircleRun] = []
        for richness in (self.richness, 0.0):
            runs += self.targets(richness)
        for richness in (*self.richness_activations, 0.0):
            runs += self.activations(richness)
        runs += self.by_richness()
        for richness in self.richness_eta_study:
            runs += self.by_eta(richness)
        runs += [*self.by_batch(), *self.by_width(), *self.by_width_easy()]
        return list(dict.fromkeys(runs))
