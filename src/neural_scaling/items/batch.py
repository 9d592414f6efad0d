"""What a small batch does to the loss: the fourth moments of Gaussian features that the paper's noise leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from neural_scaling.checks import require
from neural_scaling.claims import Claim, judge
from neural_scaling.dmft import mean_square_stability
from neural_scaling.finite_data import MinibatchDMFTRun, MinibatchRun
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.parameters import Capacity, Count, FromLazy, Parameters, Positive, RisingCounts, Seeds, Source
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import Array, ModeQuadrature, PowerLaw

ITEM = "batch"

#: Agreement of the loss relative to infinite batch: half of what other pages allow for a loss, since the finite width cancels.
EXCESS_TOLERANCE = 0.025
#: A mean whose 95 % error is more than this fraction of it is decided by a few seeds and measures nothing.
LARGEST_ERROR = 0.25


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """What the page on small batches computes: the parameters of its notebook and the runs they make.

    Attributes
    ----------
    alpha, beta, modes, width, eta
        Capacity, source, M, N and learning rate of all runs.
    gammas
        Richnesses.
    batches
        Finite B, ascending.
    steps, seeds
        Number of steps and of seeds.
    """

    alpha: Capacity
    beta: Source
    modes: Count
    width: Count
    eta: Positive
    gammas: FromLazy
    batches: RisingCounts
    steps: Count
    seeds: Seeds

    def simulation(self, gamma: float, batch: float) -> MinibatchRun:
        """Return the simulation at one richness and batch."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        return MinibatchRun(*common, width=self.width, batch=batch, seeds=self.seeds)

    def theory(self, gamma: float, batch: float, fourth_moment: bool) -> MinibatchDMFTRun:
        """Return the theory at one richness and batch, as in the paper or with fourth moments."""
        common = (self.alpha, self.beta, self.modes, self.eta, gamma, self.steps)
        return MinibatchDMFTRun(*common, width=self.width, batch=batch, fourth_moment=fourth_moment)

    def experiments(self) -> list[Experiment]:
        """Return all runs, each once."""
        runs: list[Experiment] = [self.theory(gamma, math.inf, False) for gamma in self.gammas]
        for gamma, batch in itertools.product(self.gammas, self.batches):
            runs += [self.simulation(gamma, batch), *(self.theory(gamma, batch, which) for which in (False, True))]
        return list(dict.fromkeys(runs))

    def quadrature(self) -> ModeQuadrature:
        """Return the modes, for the lazy network at infinite width."""
        return PowerLaw(self.alpha, self.beta, self.modes).quadrature(4 * max(self.eta * self.steps, 1.0))


@dataclass(frozen=True)
class BatchCurves:
    """Simulation and both theories at one richness and batch, on recorded steps from 1 on, each of shape (R,).

    Attributes
    ----------
    gamma, batch
        Richness and B.
    step
        Steps.
    excess, excess_error
        Simulated mean loss over that of the same seeds at infinite batch, and its standard error.
    paper, ours
        The same ratio by the paper's theory and with fourth moments.
    simulation
        Statistics of the simulation.
    paper_loss, our_loss
        Loss by either theory.
    """

    gamma: float
    batch: int
    step: Array
    excess: Array
    excess_error: Array
    paper: Array
    ours: Array
    simulation: Result
    paper_loss: Array
    our_loss: Array


@dataclass(frozen=True)
class ErrorRow:
    """The effect of a batch averaged over log steps.

    Attributes
    ----------
    gamma, batch
        Richness and B.
    excess, standard_error
        Simulated loss over that at infinite batch; the error is an upper bound (mean of the errors of the steps).
    paper, ours
        The same by the paper's theory and with fourth moments.
    lowest_median
        Smallest ratio of median to mean over the recorded steps.
    top
        Largest share of the sum over seeds that one seed in a hundred has, over the recorded steps.
    diverged
        Seeds that blew up by the last step.
    """

    gamma: float
    batch: int
    excess: float
    standard_error: float
    paper: float
    ours: float
    lowest_median: float
    top: float
    diverged: int

    @property
    def measured(self) -> bool:
        """Whether the mean over seeds is known at all: at small batch a single rich seed can be all of it."""
        return NORMAL_95 * self.standard_error < LARGEST_ERROR * self.excess

    @property
    def paper_error(self) -> float:
        """Relative error of the paper's theory."""
        return self.paper / self.excess - 1

    @property
    def our_error(self) -> float:
        """Relative error with fourth moments."""
        return self.ours / self.excess - 1


def second_moments(
    quadrature: ModeQuadrature, eta: float, batch: float, steps: int, fourth_moment: bool = True
) -> Array:
    """Return the exact mean loss of lazy SGD at infinite width, from the recursion of the second moments.

    ``m_k(t+1) = (1 - eta lambda_k)^2 m_k + (eta^2/B) (lambda_k L + lambda_k^2 m_k)`` with ``m_k = <v0_k^2>`` and
    ``L = sum_k lambda_k m_k``. It closes on the diagonal, so that nothing is neglected for Gaussian features.

    Parameters
    ----------
    quadrature
        The modes.
    eta
        Learning rate.
    batch
        B.
    steps
        Number of steps T.
    fourth_moment
        Whether to keep ``lambda_k^2 m_k``; the paper's theory does not.

    Returns
    -------
    Array
        Loss on steps 0 .. T, shape (T + 1,).
    """
    lam, kept = quadrature.nodes, 1.0 if fourth_moment else 0.0
    factor = (1 - eta * lam) ** 2 + kept * (eta * lam) ** 2 / batch
    # m_k = (w*_k)^2 a_k + b_k, because the quadrature has weights for sums with (w*_k)^2 and for sums without.
    target, noise = np.ones_like(lam), np.zeros_like(lam)
    losses = np.empty(steps + 1)
    for t in range(steps + 1):
        losses[t] = (quadrature.target_weights * lam) @ target + (quadrature.weights * lam) @ noise
        target, noise = factor * target, factor * noise + eta**2 / batch * lam * losses[t]
    return losses


def largest_stable_step(quadrature: ModeQuadrature, batch: float) -> float:
    """Return the learning rate at which lazy SGD loses mean-square stability.

    Parameters
    ----------
    quadrature
        The modes.
    batch
        B.

    Returns
    -------
    float
        Where :func:`neural_scaling.dmft.mean_square_stability` reaches 1.
    """
    highest = 2 / (quadrature.nodes[0] * (1 + 1 / batch))
    found = brentq(
        lambda eta: min(mean_square_stability(quadrature, eta, batch), 2.0) - 1, 1e-9 * highest, (1 - 1e-12) * highest
    )
    return float(found)


def curves(plan: Plan, gamma: float, batch: int, results: Mapping[Experiment, Result]) -> BatchCurves:
    """Collect simulation and theories at one richness and batch.

    Parameters
    ----------
    plan, gamma, batch
        The parameters, richness and B.
    results
        Result of every run of the plan.

    Returns
    -------
    BatchCurves
    """
    simulation = results[plan.simulation(gamma, batch)]
    reference = results[plan.theory(gamma, math.inf, False)].arrays["loss"]
    paper, ours = (results[plan.theory(gamma, batch, which)].arrays["loss"] for which in (False, True))
    arrays = simulation.arrays
    require(
        bool(np.all(arrays["step"] == results[plan.theory(gamma, batch, True)].arrays["step"])),
        "results",
        "simulation and theory are recorded on different steps",
        "compute both with the same number of steps",
    )
    later = slice(1, None)  # at step 0 nothing has happened
    return BatchCurves(
        gamma,
        batch,
        arrays["step"][later],
        arrays["excess"][later],
        arrays["excess_error"][later],
        (paper / reference)[later],
        (ours / reference)[later],
        simulation,
        paper[later],
        ours[later],
    )


def error_row(found: BatchCurves) -> ErrorRow:
    """Average the effect of a batch over log steps.

    Parameters
    ----------
    found
        Curves at one richness and batch.

    Returns
    -------
    ErrorRow
    """
    weights = np.gradient(np.log(found.step))
    weights = weights / weights.sum()
    arrays = found.simulation.arrays
    excess, error, paper, ours = (
        float(values @ weights) for values in (found.excess, found.excess_error, found.paper, found.ours)
    )
    return ErrorRow(
        found.gamma,
        found.batch,
        excess,
        error,
        paper,
        ours,
        float(np.min(arrays["median"][1:] / arrays["mean"][1:])),
        float(np.max(arrays["top"])),
        int(arrays["diverged"][-1]),
    )


def excess_claims(rows: Sequence[ErrorRow], width: int, scale: str) -> list[Claim]:
    """Return the claims that the paper's theory gives the effect of a batch, the fourth moments as its correction.

    Parameters
    ----------
    rows
        From :func:`error_row`.
    width
        N.
    scale
        Scale of the run, for the ledger.

    Returns
    -------
    list of Claim
    """
    claims = []
    for row in rows:
        interval = (row.excess - NORMAL_95 * row.standard_error, row.excess + NORMAL_95 * row.standard_error)
        verdict, reason = judge(row.paper, row.excess, interval, EXCESS_TOLERANCE, row.ours)
        if not row.measured:
            reason += f"; the largest hundredth of the seeds has {row.top:.0%} of the sum, so that there is no mean to compare"
        claims.append(
            Claim(
                id=f"batch.excess.gamma-{row.gamma:g}.b{row.batch}",
                item=ITEM,
                location="Appendix C, eqs. 18-31",
                statement=f"The theory gives the loss at batch B = {row.batch} relative to infinite batch, "
                f"gamma = {row.gamma:g}, N = {width}.",
                quantity="mean loss over that at infinite batch, averaged over log steps",
                predicted=row.paper,
                measured=row.excess,
                interval=interval,
                window=None,
                scale=scale,
                verdict=verdict,
                reason=reason,
            )
        )
    return claims
