"""Training on the same P samples over and over: test loss, training loss and the gap between them (Appendix D)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.claims import Claim, judge
from neural_scaling.finite_data import SampleReuseDMFTRun, SampleReuseFlowRun, SampleReuseRun
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.parameters import Capacity, Count, FromLazy, Parameters, Positive, RisingCounts, Seeds, Source
from neural_scaling.runs import Experiment, Result
from neural_scaling.sample_reuse import reuse_limit
from neural_scaling.spectra import Array, ModeQuadrature, PowerLaw

ITEM = "reuse"

#: Agreement of a simulated mean with the theory, relative. The theory is exact as N and P -> infinity.
LOSS_TOLERANCE = 0.05
#: The training loss is compared until the theory has it at this fraction of its first value: below, single seeds decide the mean.
TRAINED = 0.05
#: Window of the fit of the limit in P: two decades past the first hundred modes.
BOTTLENECK_WINDOW = (1e2, 1e4)


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """What the page on sample reuse computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    alpha, beta, modes, eta
        Capacity, source, M and learning rate of all runs.
    gammas
        Richnesses.
    width, samples, steps, seeds
        N, the values of P, number of steps and seeds of the learning curves.
    steps_theory
        Steps to which the theory is solved step by step; from there on as gradient flow.
    width_plateau, samples_plateau, seeds_plateau
        N, the values of P and seeds of the study of the bottleneck in P.
    """

    alpha: Capacity
    beta: Source
    modes: Count
    eta: Positive
    gammas: FromLazy
    width: Count
    samples: RisingCounts
    steps: Count
    seeds: Seeds
    steps_theory: Count
    width_plateau: Count
    samples_plateau: RisingCounts
    seeds_plateau: Seeds

    def simulation(self, gamma: float, plateau: bool = False) -> list[SampleReuseRun]:
        """Return the simulations at one richness, one per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        width, values, seeds = self._chosen(plateau)
        return [SampleReuseRun(*common, width=width, seeds=seeds, samples=samples) for samples in values]

    def theory(self, gamma: float, plateau: bool = False) -> list[SampleReuseDMFTRun]:
        """Return the mean-field runs at one richness, one per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps_theory)
        width, values, _ = self._chosen(plateau)
        return [SampleReuseDMFTRun(*common, width=width, samples=samples) for samples in values]

    def flow(self, gamma: float, plateau: bool = False) -> list[SampleReuseFlowRun]:
        """Return the theory as gradient flow to the last step of the simulations, one run per number of samples."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        width, values, _ = self._chosen(plateau)
        return [SampleReuseFlowRun(*common, width=width, samples=samples) for samples in values]

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        cases = list(itertools.product(self.gammas, (False, True)))
        simulations: list[Experiment] = [run for case in cases for run in self.simulation(*case)]
        theories = [run for case in cases for run in (*self.theory(*case), *self.flow(*case))]
        return list(dict.fromkeys([*simulations, *theories]))

    def quadrature(self) -> ModeQuadrature:
        """Return the modes for the limit t -> infinity."""
        return PowerLaw(self.alpha, self.beta, self.modes).spectrum().quadrature()

    def _chosen(self, plateau: bool) -> tuple[int, Sequence[int], int]:
        if plateau:
            return self.width_plateau, self.samples_plateau, self.seeds_plateau
        return self.width, self.samples, self.seeds


@dataclass(frozen=True)
class Curves:
    """All curves at one richness.

    Attributes
    ----------
    gamma, width, samples
        Richness, N and P of each curve.
    theory, flow, simulation
        Results of :class:`~neural_scaling.finite_data.SampleReuseDMFTRun`,
        :class:`~neural_scaling.finite_data.SampleReuseFlowRun` and :class:`~neural_scaling.finite_data.SampleReuseRun`, one
        per P.
    """

    gamma: float
    width: int
    samples: tuple[int, ...]
    theory: tuple[Result, ...]
    flow: tuple[Result, ...]
    simulation: tuple[Result, ...]

    def expected(self, index: int, name: str) -> tuple[Array, Array]:
        """Return steps from 1 on and the theory of the P of that index: step by step, then gradient flow."""
        exact, flow = self.theory[index].arrays, self.flow[index].arrays
        later = flow["step"] > exact["step"][-1]
        steps = np.concatenate([exact["step"][1:], flow["step"][later]])
        return steps, np.concatenate([exact[name][1:], flow[name][later]])


@dataclass(frozen=True)
class AgreementRow:
    """Simulation beside theory at one richness and one P.

    Attributes
    ----------
    gamma, samples
        Richness and P.
    test, train
        Mean over seeds of the average over log steps of loss / theory.
    test_error, train_error
        Their standard errors, from the spread over seeds, which are independent.
    """

    gamma: float
    samples: int
    test: float
    test_error: float
    train: float
    train_error: float


@dataclass(frozen=True)
class StoppingRow:
    """The best step to stop at, for one richness and one P.

    Attributes
    ----------
    gamma, samples
        Richness and P.
    best_step, best
        Recorded step with the lowest mean test loss, and that loss.
    last
        Mean test loss at the last step.
    expected_best_step, expected_best, expected_last
        The same by the theory, at the resolution of its grid.
    limit
        Mean over seeds of the test loss as t -> infinity; infinite for N = P.
    """

    gamma: float
    samples: int
    best_step: float
    best: float
    last: float
    expected_best_step: float
    expected_best: float
    expected_last: float
    limit: float


@dataclass(frozen=True)
class LimitRow:
    """The limit t -> infinity at one N and one P.

    Attributes
    ----------
    width, samples
        N and P.
    simulated, error
        Mean over seeds of the test loss of the exact limit of the draw, and its standard error.
    theory, train
        Test and training loss of :func:`~neural_scaling.sample_reuse.reuse_limit`.
    printed
        Eq. 78 as printed.
    """

    width: int
    samples: int
    simulated: float
    error: float
    theory: float
    train: float
    printed: float


def curves(plan: Plan, gamma: float, results: Mapping[Experiment, Result], plateau: bool = False) -> Curves:
    """Collect the curves at one richness.

    Parameters
    ----------
    plan, gamma
        The parameters and the richness.
    results
        Result of every run of the plan.
    plateau
        Those of the study of the bottleneck.

    Returns
    -------
    Curves
    """
    simulations = plan.simulation(gamma, plateau)
    return Curves(
        gamma,
        simulations[0].width,
        tuple(run.samples for run in simulations),
        tuple(results[run] for run in plan.theory(gamma, plateau)),
        tuple(results[run] for run in plan.flow(gamma, plateau)),
        tuple(results[run] for run in simulations),
    )


def agreement(found: Curves) -> list[AgreementRow]:
    """Compare simulation and theory at every P, as far as the theory goes.

    Parameters
    ----------
    found
        Curves at one richness.

    Returns
    -------
    list of AgreementRow
    """
    rows = []
    for samples, theory, simulation in zip(found.samples, found.theory, found.simulation, strict=True):
        numbers = []
        for name in ("loss", "train_loss"):
            kept = theory.arrays["step"] > 0
            if name == "train_loss":
                kept &= theory.arrays[name] > TRAINED * theory.arrays[name][0]
            numbers += _averaged_ratio(theory, simulation, name, kept)
        rows.append(AgreementRow(found.gamma, samples, *numbers))
    return rows


def stopping(found: Curves) -> list[StoppingRow]:
    """Find the best step to stop at for every P.

    Parameters
    ----------
    found
        Curves at one richness.

    Returns
    -------
    list of StoppingRow
    """
    rows = []
    for index, (samples, simulation) in enumerate(zip(found.samples, found.simulation, strict=True)):
        steps, expected = found.expected(index, "loss")
        lowest = int(np.argmin(expected))
        mean = simulation.arrays["loss"].mean(axis=0, dtype=np.float64)
        best = int(np.argmin(mean))
        limit = math.inf if samples == found.width else float(simulation.arrays["floor"].mean())
        step = float(simulation.arrays["step"][best])
        theory = (float(steps[lowest]), float(expected[lowest]), float(expected[-1]))
        rows.append(StoppingRow(found.gamma, samples, step, float(mean[best]), float(mean[-1]), *theory, limit))
    return rows


def limits(plan: Plan, found: Curves) -> list[LimitRow]:
    """Compare the exact limits of the simulated draws with the theory's, at every P except P = N.

    Parameters
    ----------
    plan
        The parameters.
    found
        Curves at one richness; the limit does not depend on it.

    Returns
    -------
    list of LimitRow
    """
    rows = []
    for samples, simulation in zip(found.samples, found.simulation, strict=True):
        if samples == found.width:
            continue
        floor, theory = simulation.arrays["floor"], reuse_limit(plan.quadrature(), found.width, samples)
        error = float(floor.std(ddof=1) / math.sqrt(floor.size))
        mean = float(floor.mean())
        rows.append(LimitRow(found.width, samples, mean, error, theory.loss, theory.train_loss, theory.printed))
    return rows


def bottleneck(alpha: float, beta: float) -> tuple[PowerLawFit, float]:
    """Fit the limit t -> infinity at infinite width and infinitely many modes against P from 1e2 to 1e4.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source.

    Returns
    -------
    fit : PowerLawFit
        Of the test loss.
    prefactor : float
        Test loss over eq. 78 as printed, at P = 1e4.
    """
    samples = np.geomspace(*BOTTLENECK_WINDOW, 25)
    # sum_k K_k = P has y below P^alpha; the modes must be resolved beyond it.
    quadrature = PowerLaw(alpha, beta).quadrature(100 * BOTTLENECK_WINDOW[1] ** alpha)
    found = [reuse_limit(quadrature, math.inf, float(value)) for value in samples]
    fit = fit_power_law(samples, [limit.loss for limit in found], BOTTLENECK_WINDOW)
    return fit, found[-1].loss / found[-1].printed


def agreement_claims(rows: Sequence[AgreementRow], width: int, scale: str) -> list[Claim]:
    """Return the claims that the theory gives test and training loss, at the smallest and the largest P.

    Parameters
    ----------
    rows
        From :func:`agreement`, at one richness.
    width
        N.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    claims = []
    for row in dict.fromkeys((rows[0], rows[-1])):
        for name, words in (("test", "test"), ("train", "training")):
            ratio, error = getattr(row, name), getattr(row, f"{name}_error")
            interval = (ratio - NORMAL_95 * error, ratio + NORMAL_95 * error)
            verdict, reason = judge(1.0, ratio, interval, LOSS_TOLERANCE)
            claims.append(
                Claim(
                    id=f"reuse.{name}.gamma-{row.gamma:g}.p{row.samples}",
                    item=ITEM,
                    location="Appendix D, eq. 41",
                    statement=f"The theory gives the mean {words} loss on P = {row.samples} fixed samples, N = {width}, "
                    f"gamma = {row.gamma:g}.",
                    quantity="simulated mean over theory, averaged over log steps",
                    predicted=1.0,
                    measured=ratio,
                    interval=interval,
                    window=None,
                    scale=scale,
                    verdict=verdict,
                    reason=reason,
                )
            )
    return claims


def limit_claims(rows: Sequence[LimitRow], scale: str) -> list[Claim]:
    """Return the claim about the bottleneck in P as printed, at the largest P of the study.

    Parameters
    ----------
    rows
        From :func:`limits` of the study of the bottleneck.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    row = max(rows, key=lambda row: row.samples)  # the theory is the leading order in 1/P
    ratio, error = row.simulated / row.printed, row.error / row.printed
    interval = (ratio - NORMAL_95 * error, ratio + NORMAL_95 * error)
    corrected = row.theory / row.printed
    # The tolerance is relative to the corrected value, which is the larger one.
    verdict, reason = judge(1.0, ratio, interval, LOSS_TOLERANCE * corrected, corrected)
    return [
        Claim(
            id="reuse.bottleneck.prefactor",
            item=ITEM,
            location="eq. 78",
            statement="Trained to the end on P samples at large width, the test loss is the sum over modes of lambda w*^2 / "
            "(1 + lambda r)^2.",
            quantity=f"simulated limit over that sum, N = {row.width}, P = {row.samples}",
            predicted=1.0,
            measured=ratio,
            interval=interval,
            window=None,
            scale=scale,
            verdict=verdict,
            reason=f"{reason}; eq. 78 leaves out a factor 1/(1 - d/P), of order one, and the finite width",
        )
    ]


def richness_claim(found: Sequence[Curves], scale: str) -> Claim:
    """Return the claim that the limit of long training does not depend on the richness.

    Parameters
    ----------
    found
        Curves at every richness.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    Claim
    """
    # Only runs that have arrived can be asked: their training loss has come within a millionth of the first one of its limit.
    ratios = []
    for one in (one for one in found if one.gamma > 0):
        for simulation in one.simulation:
            arrays = simulation.arrays
            arrived = arrays["train_loss"][:, -1] - arrays["train_floor"] < 1e-6 * arrays["train_loss"][:, 0]
            ratios += list(arrays["loss"][arrived, -1] / arrays["floor"][arrived])
    measured = float(np.median(ratios)) if ratios else None
    interval = (float(min(ratios)), float(max(ratios))) if ratios else None
    verdict, reason = judge(1.0, measured, interval, LOSS_TOLERANCE)
    return Claim(
        id="reuse.limit.richness",
        item=ITEM,
        location="Appendix D with eq. 41",
        statement="Where training ends on P samples does not depend on the richness.",
        quantity="test loss of rich runs that have arrived over the limit of lazy training, median and extremes over seeds",
        predicted=1.0,
        measured=measured,
        interval=interval,
        window=None,
        scale=scale,
        verdict=verdict,
        reason=f"{reason} ({len(ratios)} runs)",
    )


def _averaged_ratio(theory: Result, simulation: Result, name: str, kept: npt.NDArray[np.bool_]) -> list[float]:
    """Return mean and standard error over seeds of the average over log steps of loss / theory."""
    step = theory.arrays["step"]
    _, first, second = np.intersect1d(step[kept], simulation.arrays["step"], return_indices=True)
    # The grid holds every whole step at first and is log-spaced later; weights make it log-spaced throughout.
    weights = np.gradient(np.log(step[kept][first]))
    ratios = simulation.arrays[name][:, second].astype(np.float64) / theory.arrays[name][kept][first]
    per_seed = ratios @ weights / weights.sum()
    return [float(per_seed.mean()), float(per_seed.std(ddof=1) / math.sqrt(per_seed.size))]
