"""What the mean field solver costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from neural_scaling.figures.style import INK, RICH, book_style, new_figure, plain_ticks
from neural_scaling.fits import PowerLawFit


def cost_figure(panels: Mapping[str, tuple[Sequence[float], Sequence[float], PowerLawFit]]) -> Figure:
    """Draw seconds against size with the fitted power, one panel for each kind of size.

    Parameters
    ----------
    panels
        Label of the abscissa: sizes, seconds, and the fit, whose exponent is that of decay.

    Returns
    -------
    matplotlib.figure.Figure
        Points: measured. Dashed: fit, over its window.
    """
    with book_style():
        figure = new_figure(7.2)
        for axes, (label, (sizes, seconds, fit)) in zip(figure.subplots(2, 2).ravel(), panels.items(), strict=True):
            axes.loglog(sizes, seconds, "o-", color=RICH)
            window = np.array(fit.window)
            axes.loglog(window, fit.prefactor * window**-fit.exponent, "--", color=INK, linewidth=1.4)
            axes.set_xlabel(label)
            axes.set_ylabel("seconds")
            middle = math.sqrt(min(seconds) * max(seconds))
            axes.set_ylim(
                min(0.8 * min(seconds), middle / 4), max(1.25 * max(seconds), middle * 4)
            )  # noise is not growth
            axes.xaxis.set_major_locator(FixedLocator(sizes))
            axes.xaxis.set_major_formatter(FuncFormatter(_size))
            axes.xaxis.set_minor_locator(NullLocator())
            plain_ticks(axes.yaxis)
            axes.set_title(f"power {-fit.exponent:.2f}")
    return figure


def _size(size: float, _: int) -> str:
    power = math.log10(size)
    return rf"$10^{{{round(power)}}}$" if power >= 2 and abs(power - round(power)) < 1e-9 else f"{size:g}"
