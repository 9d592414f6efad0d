"""Figure 8: losses of a transformer on text, for several richness."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.items.figure08 import Curve, Levels, moving_average, predictions

_STYLES = ("-.", ":")
_MILLION = 1e6


def color(richness: float) -> str:
    """Return the colour of a richness: the scale of other pages, stretched so that 1e-4 to 0.1 fill it."""
    return richness_color(2 * math.sqrt(10 * richness))


def loss_figure(curves: Sequence[Curve], levels: Levels, average: int) -> Figure:
    """Draw losses of fresh batches and of held-out text against tokens.

    Parameters
    ----------
    curves
        The laziest first.
    levels
        What knows less than a network.
    average
        Batches in the moving average.

    Returns
    -------
    matplotlib.figure.Figure
        Lines: moving averages over batches before their step. Dots: held-out text. Grey: the levels. Dashed: fit of the lazy
        curve, in its window, a little above it so that both are seen. Dash-dotted and dotted: the powers predicted from its
        exponent for rich networks, below the lowest curve.
    """
    lazy = curves[0]
    with book_style():
        figure = new_figure(6.4)
        axes = figure.subplots()
        for one in curves:
            tokens, loss = one.average(average)
            shade = color(one.run.richness)
            axes.loglog(tokens / _MILLION, loss, color=shade, label=rf"$\gamma_0 = {one.run.richness:g}$")
            shown = one.held_out_tokens >= tokens[0] / 4
            axes.loglog(one.held_out_tokens[shown] / _MILLION, one.held_out[shown], "o", color=shade, markersize=4)
        if lazy.fit is not None:
            x = np.array(lazy.window)
            middle = math.exp(np.log(x).mean())
            level = lazy.fit.prefactor * middle**-lazy.fit.exponent
            axes.loglog(
                x / _MILLION,
                1.015 * level * (x / middle) ** -lazy.fit.exponent,
                "--",
                color=INK,
                label=r"fit $t^{-\beta}$",
            )
            lowest = min((one for one in curves if one.fit), key=lambda one: float(one.binned[1, -1]))
            level = math.exp(np.interp(math.log(middle), np.log(lowest.binned[0]), np.log(lowest.binned[1])))
            names = (r"$t^{-\beta(2-\beta)}$", r"$t^{-2\beta/(1+\beta)}$")
            for number, exponent in enumerate(predictions(lazy.fit.exponent).values()):
                factor = 0.985 - 0.015 * number
                axes.loglog(
                    x / _MILLION,
                    factor * level * (x / middle) ** -exponent,
                    _STYLES[number],
                    color=INK,
                    label=names[number],
                )
        for name, level in (
            ("knowing nothing", levels.nothing),
            ("frequencies of tokens", levels.tokens),
            ("frequencies of pairs", levels.pairs),
        ):
            axes.axhline(level, color=MUTED, linewidth=1)
            axes.text(0.01, level, name, transform=axes.get_yaxis_transform(), va="bottom", color=MUTED)
        plain_ticks(axes.xaxis)
        plain_ticks(axes.yaxis)
        axes.set_xlabel("million tokens")
        axes.set_ylabel("cross-entropy, nats per token")
        axes.legend(loc="upper right", bbox_to_anchor=(1, 0.93))  # curves fall, so there is room below the first level
    return figure


def gap_figure(curves: Sequence[Curve], average: int) -> Figure:
    """Draw losses over that of the laziest network on the same batches, and how far features have moved.

    Parameters
    ----------
    curves
        The laziest first.
    average
        Batches in the moving average.

    Returns
    -------
    matplotlib.figure.Figure
        Above the ratios of losses, whose noise is mostly gone since all curves share their batches; below the root mean square
        of the change of features on held-out text over their own.
    """
    lazy, *others = curves
    with book_style():
        figure = new_figure(6.8)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for one in others:
            size = min(one.loss.size, lazy.loss.size)
            tokens = moving_average(lazy.tokens[:size], average)
            ratio = moving_average(one.loss[:size] / lazy.loss[:size], average)
            upper.semilogx(tokens, ratio, color=color(one.run.richness), label=rf"$\gamma_0 = {one.run.richness:g}$")
        for one in curves:
            lower.loglog(
                one.held_out_tokens,
                one.moved,
                color=color(one.run.richness),
                label=rf"$\gamma_0 = {one.run.richness:g}$",
            )
        upper.axhline(1, color=MUTED, linewidth=1)
        upper.set_ylabel("loss over that of the laziest")
        lower.set_ylabel("change of features")
        lower.set_xlabel("tokens")
        upper.legend(*lower.get_legend_handles_labels(), loc="lower left")
    return figure
