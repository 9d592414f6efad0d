"""The figure of the front page: lazy and rich loss curves of a hard and an easy task."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.figures.style import LAZY, MUTED, RICH, book_style, new_figure
from neural_scaling.items.intro import MeasuredCurve


def draw(panels: Sequence[Sequence[MeasuredCurve]]) -> Figure:
    """Draw loss against time, one panel for each task.

    Parameters
    ----------
    panels
        The lazy and the rich curve of each task.

    Returns
    -------
    matplotlib.figure.Figure
        Curves solid, predicted powers dashed beside them, the lazy one above and the rich one below.
    """
    with book_style():
        figure = new_figure(4.0)
        for axes, curves in zip(np.atleast_1d(figure.subplots(1, len(panels))), panels, strict=True):
            for curve in curves:
                rich = curve.gamma > 0
                color, name = (RICH, rf"rich, $\gamma = {curve.gamma:g}$") if rich else (LAZY, "lazy")
                axes.loglog(curve.time, curve.loss, color=color, label=name)
                _guide(axes, curve, color)
            kind = "hard" if curves[0].beta < 1 else "easy"
            axes.set_title(rf"{kind} task, $\beta = {curves[0].beta:g}$")
            axes.set_xlabel(r"time $t = \eta \times$ steps")
            axes.legend(loc="lower left")
        figure.axes[0].set_ylabel("loss")
    return figure


def _guide(axes: Axes, curve: MeasuredCurve, color: str) -> None:
    """Draw the predicted power beside the fitted part of a curve."""
    rich = curve.gamma > 0
    start, end = curve.time[-1] / 30, curve.time[-1]
    first = float(np.interp(start, curve.time, curve.loss))
    low, high = axes.get_ylim()
    clear = (high / low) ** 0.05
    time = np.array([start, end])
    loss = first * (1 / clear if rich else clear) * (time / start) ** -curve.predicted
    axes.loglog(time, loss, "--", color=color, linewidth=1.3)
    axes.annotate(
        rf"$t^{{-{curve.predicted:.2g}}}$",
        (float(np.sqrt(time.prod())), float(np.sqrt(loss.prod()))),
        (-8, -16) if rich else (8, 8),
        textcoords="offset points",
        ha="right" if rich else "left",
        color=MUTED,
    )
