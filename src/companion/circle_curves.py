"""Networks on the circle (Figures 5 and 7): windows that theory and the network's own kernel fix, exponents, losses drawn.

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
from dataclasses import dataclass, replace

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.integrate import cumulative_trapezoid

from companion.agreement import seeds_needed
from companion.claims import Claim, Measurement, Page, judged, of_exponent
from companion.learning_curves import FittedCurve, LearningCurve, learning_curve
from companion.style import INK, MUTED, drawing, entries
from companion.tables import Table
from neural_scaling.base.arrays import Array
from neural_scaling.fits import Window, fit_power_law, local_slope
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
_MODES = 4000


@dataclass(frozen=True)
class CurveRow(FittedCurve):
    """One learning curve beside theory."""

    run: CircleRun  # what was trained
    kernels: Array  # trace of the tangent kernel over its first value, shape (seeds, R)
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

    def clocks(self) -> Array:
        """Return the time on the clock of each network's growing kernel, in steps, shape (seeds, R)."""
        return np.asarray(self.step[0] + cumulative_trapezoid(self.kernels, self.step, initial=0))


def curve_row(run: CircleRun, results: Mapping[Experiment, Result]) -> CurveRow:
    """Collect and fit one curve, of all seeds that there are."""
    result = _joined(run, results)
    curve = learning_curve(result, run.eta)
    trace = result.arrays["trace"].astype(np.float64)
    theory = lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, curve.step)
    window = _window(run, curve)
    lazy = math.nan if window.empty else fit_power_law(curve.step, theory, window.span).exponent
    return CurveRow(
        **vars(curve),
        window=window,
        measured=curve.measure(window),
        run=run,
        kernels=(trace / trace[:, :1])[:, 1:],
        theory=theory,
        predicted=float(chi(run.beta, rich=run.richness > 0)),
        lazy_theory=lazy,
    )


def curve_rows(runs: Sequence[CircleRun], results: Mapping[Experiment, Result]) -> list[CurveRow]:
    """Return :func:`curve_row` of several runs."""
    return [curve_row(run, results) for run in runs]


@functools.cache
def kernel_of(depth: int, power: float) -> CircleKernel:
    """Return the kernel of the infinitely wide network; computed once."""
    return circle_kernel(depth, power, modes=_MODES, angles=2**16)


def curve_claim(
    page: Page,
    row: CurveRow,
    identifier: str,
    location: str,
    measured: Measurement | None = None,
    note: str = "",
    needs: str = "",
) -> Claim:
    """Return the claim about the exponent of one curve, measured in its own window or as given."""
    run = row.run
    kind = f"networks of richness gamma0 = {run.richness:g}" if run.richness else "linearised networks"
    notes = [note] if note else []
    if row.fitted and run.richness and math.isfinite(row.late):
        notes.append(f"in the second half of the window the exponent is {row.late:.3f}")
    if math.isfinite(row.diverged):
        notes.append(f"diverged at step {row.diverged:.0f}")
    return judged(
        page,
        identifier,
        location,
        f"The loss of {kind} falls as t^-{row.predicted:.3f} (beta = {run.beta:g}, q_phi = {run.power:g}).",
        "exponent of the test loss in steps, mean over seeds",
        row.predicted,
        row.measured if measured is None else measured,
        "network",
        seeds=row.loss.shape[0],
        runs=run.up_to(row.loss.shape[0]),
        note="; ".join(notes),
        needs=needs or _needs(row),
    )


def _needs(row: CurveRow) -> str:
    """Say what would decide the exponent of a curve, by what makes its interval wide."""
    if row.measured.interval is None:
        return "a longer run at smaller steps, with a window before the edge of stability, would decide it"
    half = Measurement.mean_of(row.slopes(*row.window.span)).half
    if half > row.measured.half / math.sqrt(2):
        return seeds_needed(half, row.loss.shape[0], of_exponent(row.predicted, "network").value)
    return "the exponent still changes in the window; two decades between a doubled kernel and the edge would decide it"


def exponents(rows: Sequence[CurveRow], caption: str = "") -> Table:
    """Return the exponents as a table; ``late`` is that of the second half of a window, ``lazy`` that of theory in it."""
    found = []
    for row in rows:
        run, window, (exponent, interval, span) = row.run, row.window, row.measured.columns()
        ends = window.end_reason if row.fitted else f"none up to step {window.end:.0f} ({window.end_reason})"
        curve = (run.beta, run.power, run.richness, row.predicted)
        found.append((*curve, exponent, interval, row.late, row.lazy_theory, span, ends))
    names = ["beta", "power", "gamma0", "predicted", "exponent", "interval", "late", "lazy", "window", "ends"]
    formats = dict.fromkeys(("predicted", "exponent", "interval", "late", "lazy"), ".2f")
    formats |= {"beta": ".3g", "power": "g", "window": ".0f"}
    heads = {"power": "q_φ", "window": "window in steps", "ends": "end of the window"}
    return Table(pd.DataFrame(found, columns=names), caption, heads, formats)


def sound(rich: Sequence[CurveRow], lazy: Sequence[CurveRow], slack: float = 1.0) -> dict[str, bool]:
    """Say whether feature learning helps, a loss within ``slack`` counting as lower, and more on the kernel of harder tasks."""
    growth = [row.growth[-1] for row in rich if row.run.beta >= 0.5]
    return {
        "every rich network ends below its linearised twin": all(
            one.mean[-1] < slack * other.mean[-1] for one, other in zip(rich, lazy, strict=True)
        ),
        "the kernel grows more on a harder task, from β = 0.5 on": sorted(growth, reverse=True) == growth,
    }


def loss_figure(panels: Sequence[tuple[str, Sequence[CurveRow], Sequence[CurveRow]]]) -> Figure:
    """Draw the losses of several tasks with and without feature learning; a panel is title, rich and linearised curves."""
    with drawing(5.2 * len(panels), len(panels)) as (figure, sheet):
        for axes, (title, rich, lazy) in zip(sheet, panels, strict=True):
            for number, (row, other) in enumerate(zip(rich, lazy, strict=True)):
                color = task_color(number, len(rich))
                name = rf"$\beta = {row.run.beta:.3g}$"
                row.draw(axes, color, name)
                axes.loglog(other.step, other.mean, ":", color=color, linewidth=1.4)
                _guide(axes, row)
            # A run that diverges leaves the figure; the table says so.
            shown = [row.mean[np.isfinite(row.mean)] for row in (*rich, *lazy)]
            first = max(row.mean[0] for row in (*rich, *lazy) if math.isinf(row.diverged) or row.diverged > 10)
            axes.set(ylim=(0.4 * min(float(values.min()) for values in shown), 2.5 * first), title=title)
            axes.set(xlabel="steps $t$", ylabel="test loss")
            dotted, dashed = {"color": INK, "linestyle": ":"}, {"color": MUTED, "linestyle": "--"}
            more = {"linearised": dotted, r"$t^{-\chi(\beta)}$": dashed}
            axes.legend(*entries(axes, more), loc="lower left", ncols=2)
    return figure


def task_color(number: int, count: int) -> str:
    """Return the colour of one task of several, from dark to light."""
    return to_hex(mpl.colormaps["viridis"](0.78 * number / max(count - 1, 1)))


def _guide(axes: Axes, row: CurveRow) -> None:
    """Draw the predicted power a little below a curve, over its window or the last decade."""
    first, last = row.window.span if not row.window.empty else (row.step[-1] / 10, row.step[-1])
    x = np.array([first, last])
    if not np.isfinite(row.mean[-1]):
        return
    middle = math.sqrt(first * last)
    axes.loglog(x, 0.82 * row.at(middle) * (x / middle) ** -row.predicted, "--", color=MUTED, linewidth=1.4)


def _joined(run: CircleRun, results: Mapping[Experiment, Result]) -> Result:
    """Return the result of a run with those that differ from it in their seeds alone."""
    later = [one for one in results if isinstance(one, CircleRun) and replace(one, first_seed=run.first_seed) == run]
    parts = [results[one].arrays for one in sorted(later, key=lambda one: one.first_seed)]
    arrays = {name: np.concatenate([part[name] for part in parts]) for name in parts[0] if name != "step"}
    return replace(results[run], arrays=arrays | {"step": parts[0]["step"]})


def _window(run: CircleRun, curve: LearningCurve) -> Window:
    """Return the window that theory and the kernel fix."""
    reached = curve.clock() >= arrival(run)
    why = "lazy theory within a tenth of beta"
    if run.richness > 0 and run.beta < 1:
        reached &= curve.growth >= GROWN
        why += " and kernel doubled"
    return window_from(curve, reached, why)


def window_from(curve: LearningCurve, reached: npt.NDArray[np.bool_], why: str) -> Window:
    """Return the window from the first step that has reached what is wanted until steps no longer count as gradient flow."""
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


def arrival(run: CircleRun) -> float:
    """Return the step from which the infinitely wide lazy loss has nearly its last exponent."""
    times = np.geomspace(1, 1e7, 400)
    curve = lazy_loss(kernel_of(run.depth, run.power).tangent, run.beta, run.power, run.eta, times)
    slopes = local_slope(times, curve, width=0.3, points=200)
    # The slope overshoots before the even and odd modes of low order are learned; the last departure counts.
    away = np.flatnonzero((np.abs(slopes.exponent / run.beta - 1) > ARRIVED) & (slopes.t < 1e5))
    return float(slopes.t[away[-1]]) if away.size else 1.0
