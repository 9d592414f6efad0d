"""The four-term law against long solutions, and the order of models lazy and rich."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks, width_color
from neural_scaling.items.losslaw import VERSIONS, HeadStart, LawRow, OrderRow


def ratio_figure(rows: Sequence[LawRow]) -> Figure:
    """Draw the largest factor between solution and law over the tasks.

    Parameters
    ----------
    rows
        All tasks, lazy and rich.

    Returns
    -------
    matplotlib.figure.Figure
        Lazy above, rich below; printed left, corrected right. Each cell holds the factor.
    """
    capacities = sorted({row.alpha for row in rows})
    sources = sorted({row.beta for row in rows})
    largest = max(row.worst[version] for row in rows for version in VERSIONS)
    with book_style():
        figure = new_figure(1.9 + 1.5 * len(capacities))
        grid = figure.subplots(2, 2, sharex=True, sharey=True)
        for line, rich in zip(grid, (False, True), strict=True):
            for axes, version in zip(line, VERSIONS, strict=True):
                values = np.full((len(capacities), len(sources)), math.nan)
                for row in rows:
                    if row.rich == rich:
                        values[capacities.index(row.alpha), sources.index(row.beta)] = row.worst[version]
                shown = axes.imshow(
                    np.log(values),
                    origin="lower",
                    aspect="auto",
                    cmap="cividis_r",
                    vmin=0,
                    vmax=math.log(max(largest, 1.1)),
                )
                for i, j in np.ndindex(values.shape):
                    dark = math.log(values[i, j]) > 0.55 * math.log(max(largest, 1.1))
                    text = f"{values[i, j]:.2f}" if values[i, j] < 9.95 else f"{values[i, j]:.0f}"
                    axes.text(j, i, text, ha="center", va="center", fontsize=11, color="white" if dark else INK)
                axes.set_xticks(range(len(sources)), [f"{beta:g}" for beta in sources])
                axes.set_yticks(range(len(capacities)), [f"{alpha:g}" for alpha in capacities])
                axes.set_title(f"{'rich' if rich else 'lazy'}, {'as printed' if version == 'paper' else 'corrected'}")
                axes.spines[:].set_visible(False)
                axes.tick_params(length=0)
            line[0].set_ylabel(r"capacity $\alpha$")
        for axes in grid[1]:
            axes.set_xlabel(r"source $\beta$")
        bar = figure.colorbar(shown, ax=grid, shrink=0.7)
        ticks = [value for value in (1, 1.5, 2, 3, 5, 10, 20, 50, 100, 1000) if value <= largest * 1.05]
        bar.set_ticks([math.log(value) for value in ticks], labels=[f"{value:g}" for value in ticks])
        bar.set_label("largest factor")
    return figure


def curves_figure(rows: Sequence[LawRow]) -> Figure:
    """Draw the solution with both laws for a few tasks.

    Parameters
    ----------
    rows
        Two tasks or more, one panel each.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: solution without noise. Dashed: corrected law. Dotted: printed law.
    """
    with book_style():
        figure = new_figure(4.3 * len(rows))
        for axes, row, letter in zip(np.atleast_1d(figure.subplots(len(rows), 1)), rows, "abcdef", strict=False):
            for i, (width, noise) in enumerate(zip(row.widths, row.noises, strict=True)):
                if noise:
                    continue
                color = width_color(width)
                name = r"$N = \infty$" if math.isinf(width) else f"$N = {width:g}$"
                axes.loglog(row.time, row.loss[i], color=color, label=name)
                axes.loglog(row.time, row.loss[i] / row.ratio["corrected"][i], "--", color=color, linewidth=1.2)
                axes.loglog(row.time, row.loss[i] / row.ratio["paper"][i], ":", color=color, linewidth=1.6)
            axes.plot([], [], "--", color=INK, linewidth=1.2, label="corrected law")
            axes.plot([], [], ":", color=INK, linewidth=1.6, label="printed law")
            kind = "rich" if row.rich else "lazy"
            axes.set_title(rf"({letter}) {kind}, $\alpha = {row.alpha:g}$, $\beta = {row.beta:g}$")
            axes.set_xlabel(r"$\eta t$")
            axes.set_ylabel("loss")
            axes.legend(loc="lower left", fontsize=10)
    return figure


def order_figure(order: OrderRow, heads: Sequence[HeadStart]) -> Figure:
    """Draw lazy against rich losses of random models, and the ratio of losses of the constructed pairs.

    Parameters
    ----------
    order
        Random models of one target.
    heads
        Constructed pairs.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels; in the first the largest reversal is ringed and joined.
    """
    with book_style():
        figure = new_figure(8.4)
        upper, lower = figure.subplots(2, 1)
        upper.loglog(order.lazy[:, -1], order.rich[:, -1], "o", color=INK, markersize=4.5)
        if order.example is not None:
            pair = list(order.example)
            upper.loglog(
                order.lazy[pair, -1],
                order.rich[pair, -1],
                "o-",
                color=RICH,
                markerfacecolor="none",
                markersize=11,
                linewidth=1.4,
            )
        for axis in (upper.xaxis, upper.yaxis):
            plain_ticks(axis)
        upper.set_xlabel("lazy loss")
        upper.set_ylabel("rich loss")
        upper.set_title(f"(a) random models, hard target, $\\eta t = {order.time[-1]:.3g}$")
        for head, style in zip(heads, ("-", "--"), strict=False):
            kind = "hard" if head.power < 1 else "easy"
            lower.semilogx(head.time, head.lazy, style, color=LAZY, label=f"{kind}, lazy")
            lower.semilogx(head.time, head.rich, style, color=RICH, label=f"{kind}, rich")
        lower.axhline(1.0, color=MUTED, linewidth=0.9, linestyle=":")
        lower.set_xlabel(r"$\eta t$")
        lower.set_ylabel("loss of the model ahead / other")
        lower.set_title("(b) first eight eigenvalues doubled")
        lower.legend(loc="lower right")
    return figure
