"""Phases of Figure 1(b,c): which two terms of the loss balance at fixed compute, region by region.

The boundaries are ``beta = 1`` (the target leaves the Hilbert space of the kernel) and
``beta = 2 - 1/alpha`` (the noise of SGD decays more slowly than the signal).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.checks import array, flag
from neural_scaling.theory._inputs import FloatArray
from neural_scaling.theory.exponents import Regime, regime
from neural_scaling.theory.loss_law import BOTTLENECK, GRADIENT_FLOW, SGD, TRANSIENT


@dataclass(frozen=True)
class Phase:
    """One region of the phase plot.

    Attributes
    ----------
    regime
        Difficulty of the task.
    rich
        True for gamma > 0.
    early, late
        Names of the terms that balance at the compute optimum: the loss passes from ``early`` to ``late``.
    early_label, late_label
        The same in mathematical text (without dollar signs), exponents as they hold after the corrections.
    printed_label
        ``early -> late`` as the figure of the paper prints it.
    """

    regime: Regime
    rich: bool
    early: str
    late: str
    early_label: str
    late_label: str
    printed_label: str


def phase(alpha: float, beta: float, rich: bool) -> Phase:
    """Return the phase of a task; a boundary counts as the harder side.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0.
    """
    return phases(rich)[regime(alpha, beta)]


def phases(rich: bool) -> dict[Regime, Phase]:
    """Return the three phases, hard, easy and super-easy.

    Parameters
    ----------
    rich
        True for gamma > 0.

    Returns
    -------
    dict
        Phase by regime.
    """
    rich = flag(rich, "rich")
    transient = r"\frac{1}{N}\,t^{-1+1/\alpha}"
    noise = r"\frac{1}{B}\,t^{-2+1/\alpha}"
    hard_time = r"t^{-2\beta/(1+\beta)}" if rich else r"t^{-\beta}"
    return {
        "hard": Phase(
            "hard", rich, GRADIENT_FLOW, BOTTLENECK, hard_time, r"N^{-\alpha\beta}", hard_time + r"\to N^{-\alpha\beta}"
        ),
        "easy": Phase(
            "easy", rich, GRADIENT_FLOW, TRANSIENT, r"t^{-\beta}", transient, transient + r"\to N^{-\alpha\beta}"
        ),
        "super-easy": Phase("super-easy", rich, SGD, TRANSIENT, noise, transient, noise + r"\to" + transient),
    }


def super_easy_boundary(alpha: ArrayLike) -> FloatArray:
    """Source above which SGD noise sets the loss at late times, ``beta = 2 - 1/alpha``, shape of ``alpha``.

    Parameters
    ----------
    alpha
        Capacity, > 1 (1 itself is allowed as the end of the boundary), any shape.
    """
    return np.asarray(2.0 - 1.0 / array(alpha, "alpha", axes=None, least=1.0), dtype=np.float64)
