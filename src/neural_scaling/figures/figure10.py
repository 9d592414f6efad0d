"""Figure 10: the exponent of the loss at increasing levels of the approximation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from neural_scaling.figures.style import INK, MUTED, WIDTH, book_style, new_figure
from neural_scaling.items.figure10 import LevelRow

FloatArray = NDArray[np.float64]


def draw(
    beta: FloatArray,
    levels: Mapping[int, FloatArray],
    limit: FloatArray,
    rows: Sequence[LevelRow],
) -> Figure:
    """Draw Figure 10.

    Parameters
    ----------
    beta
        Sources, shape (P,).
    levels
        chi_n by level n, shape (P,) each.
    limit
        chi at level infinity, shape (P,).
    rows
        Measured exponents, shown as circles.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    with book_style():
        figure = new_figure(5.2, WIDTH)
        axes = figure.subplots()
        last = max(levels)
        colors = {n: mpl.colormaps["viridis"](0.72 * n / max(last, 1)) for n in levels}
        for n, values in levels.items():
            style = "-" if n % 2 == 0 else (0, (6, 2))
            axes.plot(beta, values, color=colors[n], linestyle=style, label=f"level {n}")
        axes.plot(beta, limit, color=INK, linewidth=2.6, linestyle=(0, (1, 1)), label=r"level $\infty$")
        for row in rows:
            color = INK if math.isinf(row.level) else colors[int(row.level)]
            axes.plot(row.beta, row.fit.exponent, "o", color=color, markerfacecolor="white", markeredgewidth=1.5)
        axes.axvline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        axes.set(xlim=(0, 1.2), ylim=(0, 1.25), xlabel=r"source $\beta$", ylabel=r"exponent $\chi_n$")
        axes.legend(loc="upper left", ncols=2)
    return figure
