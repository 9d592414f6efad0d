"""Exponents of networks on the circle: windows that theory and the network's own kernel fix, fits, verdicts.

No window looks at the loss. For a linearised network it starts where the loss of the infinitely wide linearised network,
which is known exactly, has come near its last power. A network that learns features has a faster clock, the integral of its
growing kernel; its window starts when that clock has reached the same point and, for a hard task, the kernel has doubled
(before, the rich power has not begun). A window ends where eta_0 times the largest eigenvalue of the kernel reaches 1,
half-way to the edge of stability, up to which gradient descent may count as gradient flow.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from companion.claims import Claim, Page
from companion.claims.measurement import judged
from companion.claims.tables import fixed
from companion.learning_curves import FittedCurve, LearningCurve, learning_curve
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, Window, fit_power_law, local_slope
from neural_scaling.networks.circle_kernel import CircleKernel, circle_kernel, lazy_loss
from neural_scaling.networks.runs import CircleRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import chi

#: The infinitely wide lazy curve counts as arrived when its exponent is within this share of beta.
ARRIVED = 0.1
#: A kernel that has grown by this factor counts as rich.
GROWN = 2.0
#: Largest eta_0 times eigenvalue up to which steps may count as gradient flow; the edge of stability is at 2.
FLOW = 1.0
#: Agreement of the exponents of easy tasks.
EASY_TOLERANCE = 0.1
_MODES = 4000


@dataclass(frozen=True)
class CurveRow(FittedCurve):
    """One learning curve beside theory."""

    run: CircleRun  # what was trained
    theory: Array  # loss at infinite width and batch without feature learning, shape (R,)
    predicted: float  # chi(beta), or beta for a linearised network
    lazy_theory: float  # exponent of theory in the window of the fit; NaN without one

    @property
    def late(self) -> float:
        """Exponent of the mean loss in the second half (in log steps) of the window: where the curve is heading."""
        if self.window.empty:
            return math.nan
        return self.exponent_between(math.sqrt(self.window.start * self.window.end), self.window.end)

    def exponent_between(self, first: float, last: float) -> float:
        """Return the exponent of the mean loss between two steps; NaN where a seed has diverged."""
        inside = self.inside(first, last)
        if not np.all(np.isfinite(self.mean[inside])) or np.count_nonzero(inside) < 3:
            return math.nan
        return fit_power_law(self.step[inside], self.mean[inside]).exponent


def curve_row(run: CircleRun, results: Mapping[Experiment, Result]) -> CurveRow:
    """Collect and fit one curve."""
    curve = learning_curve(results[run], run.eta)
    theory = lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, curve.step)
    window = _window(run, curve)
    lazy = math.nan if window.empty else fit_power_law(curve.step, theory, window.span).exponent
    return CurveRow(
        **vars(curve),
        window=window,
        measured=curve.measure(window),
        run=run,
        theory=theory,
        predicted=float(chi(run.beta, rich=run.richness > 0)),
        lazy_theory=lazy,
    )


def curve_rows(runs: Sequence[CircleRun], results: Mapping[Experiment, Result]) -> list[CurveRow]:
    """Return :func:`curve_row` of several runs."""
    return [curve_row(run, results) for run in runs]


def kernel_growth_fit(row: CurveRow) -> PowerLawFit | None:
    """Return the fit of the growth of the kernel, ``K(t) - K(0)``, in the window of the loss; its exponent is negative."""
    if row.window.empty:
        return None
    inside = row.step <= row.window.end
    return fit_power_law(row.step[inside], np.maximum(row.growth[inside] - 1, 1e-12), row.window.span)


@functools.cache
def kernel_of(depth: int, power: float) -> CircleKernel:
    """Return the kernel of the infinitely wide network; computed once."""
    return circle_kernel(depth, power, modes=_MODES, angles=2**16)


def tolerance(beta: float) -> float:
    """Return how far an exponent may lie from its prediction: a third of the gap between lazy and rich, or for easy tasks 0.1."""
    return (float(chi(beta)) - beta) / 3 if beta < 1 else EASY_TOLERANCE


def curve_claim(row: CurveRow, identifier: str, location: str, page: Page) -> Claim:
    """Return the claim about the exponent of one curve."""
    run = row.run
    kind = f"networks of richness gamma0 = {run.richness:g}" if run.richness else "linearised networks"
    remark = doubt = ""
    if row.fitted:
        if not run.richness:
            remark = f"; infinitely wide, the exponent in this window is {row.lazy_theory:.3f}"
        elif math.isfinite(row.late):
            doubt = f"; in the second half of the window the exponent is {row.late:.3f}"
    if math.isfinite(row.diverged):
        remark += f"; diverged at step {row.diverged:.0f}"
    return judged(
        page,
        identifier,
        location,
        f"The loss of {kind} falls as t^-{row.predicted:.3f} (beta = {run.beta:g}, q_phi = {run.power:g}).",
        "exponent of the test loss in steps, mean over seeds",
        row.predicted,
        row.measured,
        tolerance(run.beta),
        remark=remark,
        doubt=doubt,
    )


def table(rows: Sequence[CurveRow]) -> str:
    """Return the exponents as lines of text."""
    lines = ["beta q_phi gamma0 paper slope 95 % interval  late  lazy  window (steps)"]
    for row in rows:
        run = row.run
        head = f"{run.beta:<4.3g} {run.power:<5g} {run.richness:<6g} {row.predicted:<5.2f}"
        if row.fitted:
            low, high = row.interval
            span = f"{row.window.start:.0f} to {row.window.end:.0f} ({row.window.end_reason})"
            numbers = (
                f"{row.exponent:<5.2f} [{low:5.2f}, {high:5.2f}] {fixed(row.late, 2):<5} {fixed(row.lazy_theory, 2):<5}"
            )
            lines.append(f"{head} {numbers} {span}")
        else:
            lines.append(f"{head} no window up to step {row.window.end:.0f} ({row.window.end_reason})")
    return "\n".join(lines)


def _window(run: CircleRun, curve: LearningCurve) -> Window:
    """Return the window that theory and the kernel fix."""
    reached = curve.clock() >= _arrival(run)
    why = "lazy theory within a tenth of beta"
    if run.richness > 0 and run.beta < 1:
        reached &= curve.growth >= GROWN
        why += " and kernel doubled"
    first = np.flatnonzero(reached)
    start = float(curve.step[first[0]]) if first.size else math.inf
    ends = [(curve.last_finite(), "diverged" if math.isfinite(curve.diverged) else "last step")]
    beyond = np.flatnonzero(curve.sharpness >= FLOW)
    if beyond.size:
        ends.append((float(curve.step[max(int(beyond[0]) - 1, 0)]), "eta0 sharpness = 1"))
    end, end_reason = min(ends)
    if math.isinf(start):
        why += ": not before the last step"
    return Window(start, end, why, end_reason)


def _arrival(run: CircleRun) -> float:
    """Return the step from which the infinitely wide lazy loss has nearly its last exponent."""
    times = np.geomspace(1, 1e7, 400)
    curve = lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, times)
    slopes = local_slope(times, curve, width=0.3, points=200)
    # The slope overshoots before the even and odd modes of low order are learned; the last departure counts.
    away = np.flatnonzero((np.abs(slopes.exponent / run.beta - 1) > ARRIVED) & (slopes.t < 1e5))
    return float(slopes.t[away[-1]]) if away.size else 1.0
