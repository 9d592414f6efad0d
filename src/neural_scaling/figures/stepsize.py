"""Unit steps against the continuous limit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure
from neural_scaling.items.stepsize import Gap, lazy_law

_COLORS = ("#4c1d95", "#0072b2", "#0d8577", "#8a6d00", "#c2410c")


def gap_figure(panels: Sequence[tuple[str, Sequence[Gap]]]) -> Figure:
    """Draw the size of the relative difference of losses against time, one panel a task.

    Parameters
    ----------
    panels
        Title and gaps, one for each learning rate.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: gap, fainter beyond the edge of stability. Dashed, where lazy and without noise: the law.
    """
    with book_style():
        figure = new_figure(1.0 + 3.1 * len(panels))
        rows = figure.subplots(len(panels), 1, sharex=True, squeeze=False)[:, 0]
        for axes, (title, gaps) in zip(rows, panels, strict=True):
            for gap, color in zip(gaps, _COLORS, strict=False):
                _draw(axes, gap, color)
            axes.set_title(title)
            axes.set_ylabel(r"$|L_\eta / L_0 - 1|$")
            axes.set_ylim(bottom=1e-6)
        rows[0].plot([], [], "--", color=INK, linewidth=1.1, label="law")
        rows[0].plot([], [], ":", color=MUTED, label="beyond the edge")
        rows[0].legend(fontsize=10, ncols=2)
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
