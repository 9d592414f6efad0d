r"""Where unit steps differ from the continuous limit, and by how much.

Lazy, without noise, a mode decays by ``(1 - eta lambda)^(2t)`` instead of ``e^(-2 lambda tau)``, ``tau = eta t``: to first order
in eta by the factor ``1 - eta lambda^2 tau``. Averaged over the modes that carry the loss of a power law,

.. math:: L_\eta / L_0 - 1 \to -\frac{\eta}{\tau}\, \frac{\beta (\beta + 1)}{4} .

With noise the loss of both is that without times ``1/(1 - s)``, where ``s = sum_k (eta lambda_k/B) / (2 - eta lambda_k)`` in unit
steps and ``(eta/B) sum_k lambda_k / 2`` in continuous time.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.interpolate import CubicSpline

from companion.parameters import Parameters
from companion.style import INK, MUTED, drawing
from neural_scaling import dmft
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit, fit_power_law
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import effective_time


class Plan(Parameters):
    """Parameters of the page."""

    def gaps(self) -> dict[str, list[Gap]]:
        """Return the gap without noise of every task and learning rate, by the name of the task."""
        return {
            f"{'rich' if gamma else 'lazy'}, {task}": [
                without_noise(self.alpha, beta, gamma, eta, self.end) for eta in self.etas
            ]
            for gamma in (0.0, self.gamma)
            for task, beta in (("hard", self.beta_hard), ("easy", self.beta_easy))
        }

    def noisy_gaps(self) -> dict[str, list[Gap]]:
        """Return the gap with noise of the hard task, lazy and rich, at every learning rate."""
        common = (self.batch, self.noise_end)
        return {
            name: [with_noise(self.alpha, self.beta_hard, gamma, eta, *common) for eta in self.noise_etas]
            for name, gamma in (("lazy, hard, with noise", 0.0), ("rich, hard, with noise", self.gamma))
        }


@dataclass(frozen=True)
class Gap:
    """Relative difference of the loss in unit steps from that of the continuous limit."""

    # beta, gamma, eta: source, richness and learning rate
    beta: float
    gamma: float
    eta: float
    batch: float  # B
    time: Array  # eta * t, shape (R,)
    gap: Array  # L_eta / L_0 - 1, shape (R,)
    # eta times the largest eigenvalue of the kernel of gradient flow, shape (R,): 2 is the edge of stability
    sharpness: Array

    @property
    def stable(self) -> Array:
        """Rows before the edge of stability, of bool, shape (R,)."""
        return np.asarray(np.logical_and.accumulate(self.sharpness < 2))

    def at(self, time: float) -> float:
        """Return the gap at a time, between samples by straight lines."""
        return float(np.interp(time, self.time, self.gap))


def without_noise(alpha: float, beta: float, gamma: float, eta: float, end: float) -> Gap:
    """Return the gap at infinite width and batch."""
    modes = PowerLaw(alpha, beta).quadrature(4 * float(effective_time(beta, gamma, 1.0, end)))
    steps = round(end / eta)
    record = np.unique(np.round(np.geomspace(1, steps, 80)).astype(int))
    flow = dmft.kernel_flow(modes, gamma, eta * record)
    try:
        loss = dmft.infinite_limit(modes, eta, gamma, steps, record=record).loss
    except dmft.DynamicsDiverged:
        loss = np.full(record.size, math.inf)
    return Gap(beta, gamma, eta, math.inf, eta * record, loss / flow.loss - 1, eta * flow.sharpness)


def with_noise(alpha: float, beta: float, gamma: float, eta: float, batch: int, end: float) -> Gap:
    """Return the gap at infinite width and finite batch, both by :func:`neural_scaling.dmft.solve`."""
    modes = PowerLaw(alpha, beta).quadrature(4 * float(effective_time(beta, gamma, 1.0, end)))
    unit = dmft.solve(modes, gamma, dmft.TimeGrid.unit_steps(eta, round(end / eta)), batch=batch)
    limit = dmft.solve(modes, gamma, dmft.TimeGrid.log_spaced(eta, end, 12), batch=batch, estimate_error=False)
    shown = (limit.time >= 2 * eta) & (limit.time <= unit.time[-1])
    time = limit.time[shown]
    loss = np.exp(CubicSpline(np.log(unit.time[1:]), np.log(unit.loss[1:]))(np.log(time)))
    sharpness = eta * dmft.kernel_flow(modes, gamma, time).sharpness
    return Gap(beta, gamma, eta, batch, time, loss / limit.loss[shown] - 1, sharpness)


def lazy_law(beta: float, eta: float, time: float) -> float:
    """Return ``-(eta/tau) beta (beta + 1)/4``."""
    return -eta / time * beta * (beta + 1) / 4


def noise_law(alpha: float, eta: float, batch: int) -> float:
    """Return the late lazy gap at infinite width and finite batch, ``(1 - s_0)/(1 - s_eta) - 1``."""
    modes = PowerLaw(alpha, 1.0).quadrature(1e4)
    in_steps = float(modes.weights @ (eta * modes.nodes / batch / (2 - eta * modes.nodes)))
    in_time = eta / batch * modes.trace / 2
    return (1 - in_time) / (1 - in_steps) - 1


def power_in_eta(gaps: Sequence[Gap], time: float) -> PowerLawFit:
    """Fit ``|gap| ~ eta^p`` at a time over the learning rates that are stable there; the exponent is ``-p``."""
    used = sorted((gap for gap in gaps if gap.stable[np.searchsorted(gap.time, time)]), key=lambda gap: gap.eta)
    return fit_power_law([gap.eta for gap in used], [abs(gap.at(time)) for gap in used])


def power_in_time(gap: Gap, start: float) -> PowerLawFit:
    """Fit ``|gap| ~ tau^-p`` from a time on, as far as the learning rate is stable."""
    good = gap.stable
    return fit_power_law(gap.time[good], np.abs(gap.gap[good]), (start, float(gap.time[good][-1])))


def powers(plan: Plan, gaps: Mapping[str, Sequence[Gap]]) -> pd.DataFrame:
    """Fit the size of the gap in eta and in time; ``end`` is the last gap at the smallest learning rate, in units of it."""
    rows = []
    for task, found in gaps.items():
        first = found[0]
        in_eta, in_time = -power_in_eta(found, plan.at).exponent, -power_in_time(first, plan.late).exponent
        law = math.nan if first.gamma else lazy_law(first.beta, 1, plan.end)
        rows.append((task, first.gamma, in_eta, in_time, first.gap[-1] / first.eta, law))
    return pd.DataFrame(rows, columns=["task", "gamma", "in_eta", "in_time", "end", "law"])


def edges(gaps: Mapping[str, Sequence[Gap]]) -> pd.DataFrame:
    """Find when rich learning reaches the edge of stability, NaN where it does not, and the largest gap before."""
    rows = []
    for task, found in gaps.items():
        for gap in (one for one in found if one.gamma > 0):
            stable = int(np.count_nonzero(gap.stable))
            edge = float(gap.time[stable]) if stable < gap.time.size else math.nan
            rows.append((task, gap.eta, edge, float(np.abs(gap.gap[:stable]).max())))
    return pd.DataFrame(rows, columns=["task", "eta", "edge", "before"])


def noise_table(plan: Plan, gaps: Mapping[str, Sequence[Gap]]) -> pd.DataFrame:
    """Return the last gap with noise at every learning rate, beside the law of the lazy one."""
    rows = []
    for lazy, rich in zip(*gaps.values(), strict=True):
        law = noise_law(plan.alpha, lazy.eta, plan.batch) + lazy_law(lazy.beta, lazy.eta, plan.noise_end)
        rows.append((lazy.eta, lazy.gap[-1], law, rich.gap[-1]))
    return pd.DataFrame(rows, columns=["eta", "lazy", "law", "rich"])


_COLORS = ("#4c1d95", "#0072b2", "#0d8577", "#8a6d00", "#c2410c")


def gap_figure(panels: Mapping[str, Sequence[Gap]]) -> Figure:
    """Draw the size of the relative difference of losses against time, one panel a task."""
    with drawing(1.0 + 3.1 * len(panels), len(panels), sharex=True) as (figure, rows):
        for axes, (title, gaps) in zip(rows, panels.items(), strict=True):
            for gap, color in zip(gaps, _COLORS, strict=False):
                _draw(axes, gap, color)
            axes.set(title=title, ylabel=r"$|L_\eta / L_0 - 1|$", ylim=(1e-6, None))
        rows[0].plot([], [], "--", color=INK, linewidth=1.1, label="law")
        rows[0].plot([], [], ":", color=MUTED, label="beyond the edge")
        rows[0].legend(ncols=2)
        rows[-1].set_xlabel(r"$\eta t$")
    return figure


def _draw(axes: Axes, gap: Gap, color: str) -> None:
    size, stable = np.abs(gap.gap), gap.stable
    last = int(np.count_nonzero(stable))
    axes.loglog(gap.time[:last], size[:last], color=color, label=rf"$\eta = {gap.eta:g}$")
    beyond = np.isfinite(size) & (np.arange(size.size) >= last - 1)
    axes.loglog(gap.time[beyond], size[beyond], ":", color=color)
    if gap.gamma == 0 and np.isinf(gap.batch):
        axes.loglog(
            gap.time, np.abs([lazy_law(gap.beta, gap.eta, t) for t in gap.time]), "--", color=INK, linewidth=1.1
        )
