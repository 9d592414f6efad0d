"""The parametrization put to the test, in four panels."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, RICH, book_style, new_figure, width_color
from neural_scaling.items.mup import CoordinateCheck, EtaSearch, LazyLimit, WidthCurves


def draw(check: CoordinateCheck, curves: WidthCurves, search: EtaSearch, limit: LazyLimit) -> Figure:
    """Draw the coordinate check, loss curves across widths, the search for a learning rate and the lazy limit.

    Parameters
    ----------
    check, curves, search, limit
        From :mod:`neural_scaling.items.mup`.

    Returns
    -------
    matplotlib.figure.Figure
        Four panels. Dashed: powers of the width that wrong scalings would give, and first order in the richness.
    """
    with book_style():
        figure = new_figure(8.6)
        (a, b), (c, d) = figure.subplots(2, 2)
        output = check.mean[-1]
        for layer, moved in enumerate(check.mean[:-1]):
            a.loglog(check.widths, moved, "o-", color=width_color(2 ** (5 + 3 * layer)), label=f"layer {layer + 1}")
        a.loglog(check.widths, output, "s-", color=RICH, label="output")
        for power in (-0.5, 0.5):
            level = output[0] * (1.6 if power > 0 else 1 / 1.6)
            a.loglog(check.widths, level * (check.widths / check.widths[0]) ** power, "--", color=MUTED, linewidth=1.2)
        a.set_title("(a) coordinate check")
        a.set_xlabel("width $N$")
        a.set_ylabel("change in a few steps")
        a.legend(fontsize=9)
        for width, loss in zip(curves.widths, curves.loss, strict=True):
            b.loglog(curves.step[1:], loss[1:], color=width_color(width), label=f"$N = {width:g}$")
        b.set_title("(b) loss across widths")
        b.set_xlabel("steps $t$")
        b.set_ylabel("test loss")
        b.legend(fontsize=9)
        for width, loss in zip(search.widths, search.loss, strict=True):
            finite = np.isfinite(loss)
            c.loglog(search.etas[finite], loss[finite], "o-", color=width_color(width), label=f"$N = {width:g}$")
        c.set_title("(c) which learning rate is best")
        c.set_xticks(search.etas, [f"{eta:g}" for eta in search.etas])
        c.minorticks_off()
        c.set_xlabel(r"$\eta_0$")
        c.set_ylabel("test loss at the last step")
        d.loglog(limit.richness, limit.difference, "o-", color=INK)
        d.loglog(limit.richness, 0.5 * limit.difference[0] * limit.richness / limit.richness[0], "--", color=MUTED)
        d.set_title("(d) lazy limit")
        d.set_xlabel(r"richness $\gamma_0$")
        d.set_ylabel("relative difference of the loss")
    return figure
