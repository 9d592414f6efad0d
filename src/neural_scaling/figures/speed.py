"""What the mean field solver costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, RICH, book_style, new_figure
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
            axes.set_title(f"power {-fit.exponent:.2f}")
    return figure
