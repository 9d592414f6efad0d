"""Figure 5: networks on the circle, hard and easy, at changing target and at changing activation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from companion.circle_curves import curve_claim, curve_rows, kernel_growth_fit
from companion.claims import Claim, Measurement, judged
from companion.parameters import (
    Parameters,
)
from neural_scaling.base.arrays import Array
from neural_scaling.models.circle import source
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result

#: Agreement of the exponent of the kernel's growth, which runs from 0.14 to 0.82 over the hard tasks.
GROWTH_TOLERANCE = 0.1
#: Agreement of the powers of the finite-width excess, whose coefficients are of order one and differ between networks.
EXCESS_TOLERANCE = 0.2


class Plan(Parameters):
    """What Figure 5 computes: the parameters of its notebook and the runs they make."""

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


def exponent_claims(plan: Plan, results: Mapping[Experiment, Result]) -> list[Claim]:
    """Return the claims about the exponents of (a) and (b), lazy and rich."""
    claims = []
    for richness in (0.0, plan.richness):
        for row in curve_rows(plan.targets(richness), results):
            kind = "rich" if richness else "lazy"
            claims.append(curve_claim(row, f"fig05.a.{kind}.beta-{row.run.beta:g}", "Fig. 5a, eq. 10", plan))
    for richness in (0.0, *plan.richness_activations):
        for row in curve_rows(plan.activations(richness), results):
            kind = f"gamma0-{richness:g}" if richness else "lazy"
            identifier = f"fig05.b.{kind}.q-{row.run.power:g}"
            claims.append(curve_claim(row, identifier, "Fig. 5b, eq. 10", plan))
    return claims


def width_claims(plan: Plan, results: Mapping[Experiment, Result]) -> list[Claim]:
    """Claim that linearised networks exceed the loss of infinite width by (1/N) t^(-(1 - 1/alpha)) on an easy task."""
    rows = curve_rows(plan.by_width_easy(), results)
    widths = np.array([row.run.width for row in rows], dtype=np.float64)
    late = rows[0].step >= rows[0].step[-1] / 10
    excess = [row.mean[late] - row.theory[late] for row in rows]
    task = f"(beta = {plan.beta_easy_study:g}, linearised)"
    found: list[tuple[str, str, str, float, list[float]]] = [
        (
            "fig05.width.in-n",
            f"The loss at finite width exceeds that of infinite width by an amount falling as 1/N {task}.",
            "exponent in N of the excess, over the last decade of steps",
            1.0,
            # One exponent for each of three thirds of the decade: they share networks, so their spread is not all of the error.
            [
                _slope(widths, np.array([one[part].mean() for one in excess]))
                for part in np.array_split(np.arange(late.sum()), 3)
            ],
        ),
        (
            "fig05.width.in-t",
            f"The excess falls in steps as t^-(1 - 1/alpha) {task}.",
            "exponent in steps of the excess over the last decade, mean over widths",
            0.5,
            [_slope(rows[0].step[late], one) for one in excess],
        ),
    ]
    window = (float(rows[0].step[late][0]), float(rows[0].step[-1]))
    return [
        judged(
            plan,
            identifier,
            "eqs. 8-9, third term",
            statement,
            quantity,
            predicted,
            Measurement.mean_of(np.array(exponents), window),
            EXCESS_TOLERANCE,
        )
        for identifier, statement, quantity, predicted, exponents in found
    ]


def _slope(x: Array, excess: Array) -> float:
    """Return minus the slope in log-log; NaN where the excess is not positive."""
    if x.size < 2 or not np.all(np.isfinite(excess) & (excess > 0)):
        return math.nan
    return float(-np.polyfit(np.log(x), np.log(excess), 1)[0])


def growth_claims(plan: Plan, results: Mapping[Experiment, Result]) -> list[Claim]:
    """Return the claims that the kernel of a network grows as t^(1 - chi) on hard tasks."""
    claims = []
    for row in curve_rows(plan.targets(plan.richness), results):
        if row.run.beta >= 1:
            continue
        predicted, fit = 1 - row.predicted, kernel_growth_fit(row)
        claims.append(
            judged(
                plan,
                f"fig05.a.kernel.beta-{row.run.beta:g}",
                "section 4, eqs. 66-70",
                f"The tangent kernel of rich networks grows as t^{predicted:.3f} (beta = {row.run.beta:g}).",
                "exponent of K(t) - K(0) in steps, K the trace of the tangent kernel",
                predicted,
                Measurement.none(row.window.empty)
                if fit is None
                else Measurement(-fit.exponent, (-fit.interval[1], -fit.interval[0]), fit.window),
                GROWTH_TOLERANCE,
            )
        )
    return claims
