"""Compute-optimal frontiers of loss curves by width: along them the loss goes as C^-r and the best width as C^a."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from companion.agreement import mean_curve, resampled_means, seed_losses
from companion.claims import Measurement
from neural_scaling.base.arrays import Array
from neural_scaling.fits import ComputeFrontier, compute_frontier, fit_power_law, resampled_exponent
from neural_scaling.runs import Result

#: What is a power of compute along a frontier, and the sign of r and of a among exponents of decay.
SIGNS = {"loss": 1, "width": -1}
_RESAMPLES = 200

#: Steps from 1 on and losses, by width.
Curves = dict[int, tuple[Array, Array]]
Pair = tuple[float, float]
#: A quantity, the window of its fit, its exponent with an interval, and the exponents of what it stands beside.
Row = tuple[Any, ...]


@dataclass(frozen=True)
class Simulated:
    """Simulations by width, as curves."""

    results: dict[int, Result]

    @cached_property
    def means(self) -> Curves:
        """Means over seeds."""
        return {width: mean_curve(result) for width, result in self.results.items()}

    @cached_property
    def drawn(self) -> list[Curves]:
        """Means over seeds drawn with replacement."""
        drawn = resampled_means([seed_losses(result) for result in self.results.values()], _RESAMPLES)
        steps = {width: step for width, (step, _) in self.means.items()}
        return [{width: (steps[width], loss) for width, loss in zip(steps, one, strict=True)} for one in drawn]

    def beside(self, theory: Curves, compute: Array) -> list[Row]:
        """Fit the frontier where both it and that of the theory are known; intervals are of their ratio."""
        seen, expected = front(self.means, compute), front(theory, compute)
        (first, other), (last, earlier) = zip(seen.inside(), expected.inside(), strict=True)
        curves = {quantity: [getattr(expected, quantity)] for quantity in SIGNS}
        return beside(
            seen, curves, (max(first, other), min(last, earlier)), [front(one, compute) for one in self.drawn]
        )

    def over(self, theory: Curves, compute: Array) -> Measurement:
        """Return the frontier over that of the theory, averaged over log compute, over the widths of the theory."""
        expected = np.log(front(theory, compute).loss)

        def averaged(curves: Curves) -> float:
            found = front({width: curves[width] for width in theory}, compute)
            return float(np.mean(np.log(found.loss) - expected))

        ratio = math.exp(averaged(self.means))
        return Measurement.with_error(ratio, ratio * float(np.std([averaged(one) for one in self.drawn], ddof=1)))


def compute_grid(first: float, last: float) -> Array:
    """Return a logarithmic grid of compute, twenty points a decade."""
    return np.geomspace(first, last, max(2, round(20 * math.log10(last / first)) + 1))


def reached(curves: Curves) -> float:
    """Return the largest compute that every curve reaches."""
    return min(width * float(step[-1]) for width, (step, _) in curves.items())


def joined(curve: tuple[Array, Array], later: tuple[Array, Array], last: float) -> tuple[Array, Array]:
    """Return a curve and, from its end to a last step, another one."""
    kept = (later[0] > curve[0][-1]) & (later[0] <= last)
    return np.concatenate([curve[0], later[0][kept]]), np.concatenate([curve[1], later[1][kept]])


def front(curves: Curves, compute: Array) -> ComputeFrontier:
    """Return the frontier of curves."""
    return compute_frontier(list(curves), list(curves.values()), compute)


def powers(curves: Curves, compute: Array, drawn: Sequence[Curves] = ()) -> Row:
    """Return the window inside a frontier, and r and a there with their intervals; curves of seeds drawn again give a spread."""
    found = front(curves, compute)
    level = dict.fromkeys(SIGNS, (np.ones_like(compute),))  # beside it a frontier has the exponents that it has alone
    r, a = beside(found, level, found.inside(), [front(one, compute) for one in drawn])
    return found.inside(), *r[2:4], *a[2:4]


def beside(
    found: ComputeFrontier, expected: Mapping[str, Sequence[Array]], window: Pair, drawn: Sequence[ComputeFrontier] = ()
) -> list[Row]:
    """Fit a frontier beside the first of the expected curves of each quantity, and fit these.

    Intervals are of the ratio of both, in which a bend that they share does not count; frontiers of seeds drawn again give it a
    spread.
    """
    rows = []
    for quantity, curves in expected.items():
        ratio, *ratios = (getattr(one, quantity) / curves[0] for one in (found, *drawn))
        more, error = resampled_exponent(found.compute, ratio, window, ratios or None)
        predicted = [SIGNS[quantity] * fit_power_law(found.compute, curve, window).exponent for curve in curves]
        fitted = Measurement.with_error(predicted[0] + SIGNS[quantity] * more, error)
        rows.append((quantity, window, fitted.value, fitted.interval, *predicted))
    return rows
