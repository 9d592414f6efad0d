"""The loss as a sum of four powers: eqs. 8 and 9 as printed, and with the corrections found here.

The sum holds up to constants: every coefficient is one. Time ``t`` is in units of eta*steps, the reading
under which the only explicit learning rate is the one in the SGD term.

Corrections (``version="corrected"``), with ``m`` the factor of
:func:`~neural_scaling.theory.exponents.time_multiplier`:

* model bottleneck ``N^(-alpha min(1, beta))`` instead of ``min(2, beta)``: the limit of training is an
  orthogonal projection, whose residual carries the first power of ``1/(1 + lambda r)``;
* finite-N transient ``(1/N) t^(-(min(1, beta) - 1/alpha) m)`` instead of ``(1 - 1/alpha) m``; it can grow;
* SGD term: as printed for super-easy tasks; below ``beta = 2 - 1/alpha`` the leading correction is local,
  ``(eta/B) K(t) L(t)``: a constant factor on the loss for lazy and easy tasks, growing like ``t^(1-chi)``
  for hard tasks with feature learning. There it is meaningful only while ``(eta/B) K(t)`` is small.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.checks import array, choice, instances, real, require_positive, text
from neural_scaling.theory._inputs import FloatArray, capacity, source_exponent
from neural_scaling.theory.exponents import time_multiplier

Version = Literal["paper", "corrected"]
VERSIONS: tuple[Version, Version] = ("paper", "corrected")

GRADIENT_FLOW = "gradient flow"
BOTTLENECK = "model bottleneck"
TRANSIENT = "finite-N transient"
SGD = "SGD transient"
TERM_NAMES = (GRADIENT_FLOW, BOTTLENECK, TRANSIENT, SGD)


@dataclass(frozen=True)
class PowerTerm:
    """One term ``coefficient * t^t_exponent * N^N_exponent * B^B_exponent * eta^eta_exponent``.

    Attributes
    ----------
    name
        One of ``TERM_NAMES``.
    coefficient
        Prefactor, 1 for every term built here.
    t_exponent, N_exponent, B_exponent, eta_exponent
        Signed powers (a decaying term has a negative one).
    """

    name: str
    coefficient: float = 1.0
    t_exponent: float = 0.0
    N_exponent: float = 0.0
    B_exponent: float = 0.0
    eta_exponent: float = 0.0

    def __post_init__(self) -> None:
        text(self.name, "name")
        for name in ("coefficient", "t_exponent", "N_exponent", "B_exponent", "eta_exponent"):
            object.__setattr__(self, name, real(getattr(self, name), name))

    def __call__(self, t: ArrayLike, N: ArrayLike = math.inf, B: ArrayLike = math.inf, eta: float = 1.0) -> FloatArray:
        """Evaluate the term."""
        eta = require_positive(eta, "eta")
        time, width, batch = (_scale(values, name) for values, name in ((t, "t"), (N, "N"), (B, "B")))
        powers = time**self.t_exponent * width**self.N_exponent * batch**self.B_exponent
        return np.asarray(self.coefficient * eta**self.eta_exponent * powers, dtype=np.float64)


def bottleneck_exponent(alpha: float, beta: float, version: Version = "paper") -> float:
    """Decay exponent of the bottleneck in N: ``alpha min(2, beta)``, corrected ``alpha min(1, beta)``.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    version
        ``"paper"`` (eqs. 8, 9, 76) or ``"corrected"``.
    """
    return float(decay_exponents(*_checked(alpha, beta, version), rich=False)[1, 1])


def transient_exponent(alpha: float, beta: float, rich: bool, version: Version = "paper") -> float:
    """Decay exponent e in time of the finite-N transient ``(1/N) t^-e`` (eqs. 8, 9, 80); negative when the term grows.

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0.
    version
        ``"paper"``: ``(1 - 1/alpha) m``; ``"corrected"``: ``(min(1, beta) - 1/alpha) m``.
    """
    return float(decay_exponents(*_checked(alpha, beta, version), rich)[2, 0])


def sgd_exponent(alpha: float, beta: float, rich: bool, version: Version = "paper") -> float:
    """Decay exponent e in time of the SGD term ``(eta/B) t^-e`` (eqs. 8, 9).

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0.
    version
        ``"paper"``: ``(2 - 1/alpha) m`` everywhere; ``"corrected"``: that for super-easy tasks, below
        ``chi`` minus the growth exponent of the kernel.
    """
    return float(decay_exponents(*_checked(alpha, beta, version), rich)[3, 0])


def loss_terms(
    alpha: float, beta: float, rich: bool, version: Version = "paper"
) -> tuple[PowerTerm, PowerTerm, PowerTerm, PowerTerm]:
    """Build the four terms of the loss law, lazy (eq. 8) or rich (eq. 9).

    Parameters
    ----------
    alpha, beta
        Capacity, > 1, and source, > 0.
    rich
        True for gamma > 0, False for the lazy limit.
    version
        ``"paper"`` as printed, ``"corrected"`` as described at the head of the module.

    Returns
    -------
    tuple of PowerTerm
        Gradient flow, model bottleneck, finite-N transient, SGD transient, in this order.
    """
    powers = 0.0 - decay_exponents(*_checked(alpha, beta, version), rich)
    flow, bottleneck, transient, sgd = (
        PowerTerm(name, 1.0, t, N, B, eta_exponent=float(name == SGD))
        for name, (t, N, B) in zip(TERM_NAMES, powers.tolist(), strict=True)
    )
    return flow, bottleneck, transient, sgd


def decay_exponents(alpha: ArrayLike, beta: ArrayLike, version: Version, rich: bool) -> FloatArray:
    """Return the decay exponents of the four terms in t, N and B, shape (4, 3, ...), for numbers or arrays of one shape."""
    alpha, beta = np.asarray(alpha, dtype=np.float64), np.asarray(beta, dtype=np.float64)
    clock = np.asarray(time_multiplier(beta, rich))
    zero, one = np.zeros_like(beta), np.ones_like(beta)
    printed = version == "paper"
    source = np.minimum(1.0, beta)
    noise = (2.0 - 1.0 / alpha) * clock
    if not printed:  # below the boundary the excess is local and grows with the kernel
        growth = np.maximum(0.0, 1.0 - beta * clock) if rich else zero
        noise = np.where((beta > 1.0) & (beta > 2.0 - 1.0 / alpha), noise, beta * clock - growth)
    bottleneck = alpha * (np.minimum(2.0, beta) if printed else source)
    transient = ((1.0 if printed else source) - 1.0 / alpha) * clock
    return np.array([
        [beta * clock, zero, zero], [zero, bottleneck, zero], [transient, one, zero], [noise, zero, one]
    ])  # fmt: skip


def loss(
    terms: Sequence[PowerTerm], t: ArrayLike, N: ArrayLike = math.inf, B: ArrayLike = math.inf, eta: float = 1.0
) -> FloatArray:
    """Sum the terms, broadcast; all prefactors are one, so only exponents and crossovers mean something.

    Parameters
    ----------
    terms
        Terms, for example from :func:`loss_terms`.
    t
        Time in eta*steps, > 0, any shape.
    N, B
        Width and batch, > 0 or infinite, shapes that broadcast with ``t``.
    eta
        Learning rate, > 0.
    """
    values = [term(t, N, B, eta) for term in instances(terms, "terms", PowerTerm, "pass the result of loss_terms")]
    return np.asarray(np.sum(np.stack(np.broadcast_arrays(*values)), axis=0), dtype=np.float64)


def _checked(alpha: float, beta: float, version: Version) -> tuple[float, float, Version]:
    return capacity(alpha), source_exponent(beta), choice(version, "version", get_args(Version))


def _scale(values: ArrayLike, argument: str) -> FloatArray:
    """Return times, widths or batches: positive, or infinite for the limit."""
    return array(values, argument, axes=None, above=0, infinite=True)
