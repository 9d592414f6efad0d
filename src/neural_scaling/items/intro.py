"""The front page: the main result on one easy and one hard task, and the exponents in one table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neural_scaling.claims import number
from neural_scaling.experiments import InfiniteLimitRun
from neural_scaling.fits import PowerLawFit, fit_power_law, theory_window
from neural_scaling.parameters import (
    Capacities,
    Capacity,
    Count,
    EasySource,
    HardSource,
    Parameters,
    Positive,
    Rising,
    Sources,
)
from neural_scaling.runs import obtain
from neural_scaling.spectra import Array
from neural_scaling.theory import chi, compute_optimum, edge_of_stability_step, regime

ITEM = "intro"


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """Parameters of the page."""

    alpha: Capacity
    beta_hard: HardSource
    beta_easy: EasySource
    beta_super_easy: EasySource
    gamma: Positive
    eta: Positive
    steps: Count
    alphas: Capacities
    betas: Sources
    gammas: Rising
    explorer_time: Positive
    explorer_eta: Positive


@dataclass(frozen=True)
class MeasuredCurve:
    """A loss curve at N, B -> infinity with its exponent.

    Attributes
    ----------
    beta
        Source.
    gamma
        Richness, 0 for the lazy limit.
    time
        eta * steps, positive, shape (R,).
    loss
        Shape (R,).
    sharpness
        Largest value of eta times the sharpness; gradient descent is at the edge of stability at 2.
    predicted
        Exponent that theory gives (eq. 10).
    fit
        In the window that theory gives, in eta * steps.
    """

    beta: float
    gamma: float
    time: Array
    loss: Array
    sharpness: float
    predicted: float
    fit: PowerLawFit


def measured_curves(
    alpha: float, beta: float, gammas: Sequence[float], eta: float, steps: int, scale: str
) -> list[MeasuredCurve]:
    """Solve one task with infinitely many modes at several richnesses and fit each curve.

    Parameters
    ----------
    alpha, beta
        Capacity and source.
    gammas
        Richness of each curve.
    eta
        Learning rate.
    steps
        Number of unit steps.
    scale
        ``small`` computes, ``full`` looks up first.

    Returns
    -------
    list of MeasuredCurve
        One for each richness.

    Raises
    ------
    InputError
        If a parameter is out of range or a curve too short to hold a window.
    """
    curves = []
    for gamma in gammas:
        arrays = obtain(InfiniteLimitRun(alpha, beta, math.inf, eta, gamma, steps), ITEM, scale).arrays
        edge = edge_of_stability_step(beta, gamma, eta)
        window = theory_window(alpha, beta, eta, gamma, steps, edge_step=edge if edge < math.inf else None)
        time, loss = eta * arrays["step"][1:], arrays["loss"][1:]
        fit = fit_power_law(time, loss, (eta * window.start, eta * window.end))
        sharpness = eta * float(np.max(arrays["sharpness"]))
        curves.append(MeasuredCurve(beta, gamma, time, loss, sharpness, chi(beta, rich=gamma > 0), fit))
    return curves


def exponent_table(alpha: float, betas: Sequence[float], curves: Sequence[MeasuredCurve]) -> str:
    """Return the exponents of the loss in time and in compute, predicted and measured, as a Markdown table.

    Parameters
    ----------
    alpha
        Capacity.
    betas
        Source of each task, one pair of rows (lazy, rich) for each.
    curves
        Measured curves, used where source and kind of learning agree.

    Returns
    -------
    str
        Markdown with formulas in dollar signs.

    Raises
    ------
    InputError
        If ``alpha <= 1`` or a source is not positive.
    """
    head = ("Task", r"$\chi$, theory", r"$\chi$, measured [95 %]", "$r$, theory")
    rows = [head, ("---",) * len(head)]
    for beta in betas:
        for rich in (False, True):
            fits = [curve.fit for curve in curves if curve.beta == beta and (curve.gamma > 0) == rich]
            rows.append(
                (
                    rf"{regime(alpha, beta)}, $\beta = {beta:g}$, {'rich' if rich else 'lazy'}",
                    number(chi(beta, rich)),
                    ", ".join(_with_interval(fit) for fit in fits) or "not shown",
                    number(compute_optimum(alpha, beta, rich).r),
                )
            )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _with_interval(fit: PowerLawFit) -> str:
    low, high = fit.interval
    return f"{number(fit.exponent, 3)} [{number(low, 3)}, {number(high, 3)}]"
