"""Figures 11 and 12, and how far the rich regime and the spike have come."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.fits import local_slope
from neural_scaling.items.figure11 import Curves, spike_overlap
from neural_scaling.spectra import Array
from neural_scaling.theory import chi


def loss_figure(easy: Curves, hard: Curves) -> Figure:
    """Draw Figure 11: loss against steps for every richness.

    Parameters
    ----------
    easy, hard
        The networks of the two panels.

    Returns
    -------
    matplotlib.figure.Figure
        Geometric mean over seeds; the band is one standard deviation of the logarithm either way. Guides dashed.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, data, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            _curves(axes, data, "loss")
            last = np.exp(np.log(data.values["loss"][:, :, -1]).mean(axis=0))
            lazy, rich = data.beta, float(chi(data.beta))
            _guide(axes, data.step, 1.7 * float(last[0]), -lazy, rf"$t^{{-{lazy:g}}}$", above=True)
            if rich > lazy:
                _guide(axes, data.step, float(last[-1]) / 1.4, -rich, rf"$t^{{-{rich:.3f}}}$", above=False)
            if data.beta < 1:
                plain_ticks(axes.yaxis)
            axes.set_ylabel("loss")
            axes.set_title(f"({letter}) {_task(data)}")
            axes.legend(loc="lower left", ncols=2)
    return figure


def weights_figure(easy: Curves, hard: Curves) -> Figure:
    """Draw Figure 12: the squared norm of w against steps for every richness.

    Parameters
    ----------
    easy, hard
        The networks of the two panels.

    Returns
    -------
    matplotlib.figure.Figure
        Geometric mean over seeds; a band for the largest richness only, since all start from the same spread of ``|w(0)|^2``.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, data, letter in zip(figure.subplots(2, 1), (easy, hard), "ab", strict=True):
            _curves(axes, data, "weight_norm", bands=False)
            last = float(np.exp(np.log(data.values["weight_norm"][:, -1, -1]).mean()))
            lazy, rich = 1 - data.beta, 1 - float(chi(data.beta))
            if rich > 0:
                _guide(axes, data.step, 8.0 * last, lazy, rf"$t^{{{lazy:g}}}$", above=True)
                _guide(axes, data.step, 1.6 * last, rich, rf"$t^{{{rich:.3f}}}$", above=True)
            axes.set_ylim(0.5, 12 * last)
            plain_ticks(axes.yaxis)
            axes.set_ylabel(r"$|w|^2$")
            axes.set_title(f"({letter}) {_task(data)}")
            axes.legend(loc="upper left", ncols=2)
    return figure


def regime_figure(hard: Curves, strong: Curves) -> Figure:
    """Draw the local exponents of loss and weights of the hard task, from lazy to far in the rich regime.

    Parameters
    ----------
    hard, strong
        Networks at the paper's richnesses and at a large one.

    Returns
    -------
    matplotlib.figure.Figure
        Slopes of the geometric mean over seeds, over half a decade; dashed: the lazy and the rich prediction.
    """
    beta, power = hard.beta, float(chi(hard.beta))
    with book_style():
        figure = new_figure(8.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for data, gamma in ((hard, hard.gammas[0]), (hard, hard.gammas[-1]), (strong, strong.gammas[0])):
            if data.diverged(gamma) is not None:
                continue
            for axes, sign, curve in (
                (upper, 1, data.quantity("loss, all modes", gamma)),
                (lower, -1, data.quantity("|w - w(0)|^2", gamma)),
            ):
                slope = local_slope(data.step[1:], np.exp(np.log(curve[:, 1:]).mean(axis=0)), width=0.5)
                axes.semilogx(
                    slope.t, sign * slope.exponent, color=richness_color(gamma), label=rf"$\gamma_0 = {gamma:g}$"
                )
        for axes, lazy, rich in ((upper, beta, power), (lower, 1 - beta, 1 - power)):
            for value, name in ((lazy, "lazy"), (rich, "rich")):
                axes.axhline(value, color=MUTED, linestyle="--", linewidth=1.3)
                axes.annotate(
                    name,
                    (1.0, value),
                    (4, 4),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    color=MUTED,
                )
        upper.set_ylim(0, 2 * power)
        lower.set_ylim(1 - 2 * power, 1.5 * (1 - beta))
        upper.set_ylabel("exponent of the loss")
        lower.set_ylabel(r"exponent of $|w - w(0)|^2$")
        lower.set_xlabel("steps $t$")
        upper.legend(loc="upper right", ncols=3)
    return figure


def spike_figure(easy: Curves, hard: Curves, strong: Curves, modes: int) -> Figure:
    """Draw the overlap of the first layer's leading singular vector with the readout, against the readout's size.

    Parameters
    ----------
    easy, hard, strong
        The networks; of the first two only the largest richness.
    modes
        M.

    Returns
    -------
    matplotlib.figure.Figure
        One dot per fourth recorded step and seed. Dashed: :func:`~neural_scaling.items.figure11.spike_overlap`.
    """
    with book_style():
        figure = new_figure(4.2)
        axes = figure.subplots()
        for data, name, marker in ((easy, "easy", "s"), (hard, "hard", "o"), (strong, "hard", "^")):
            gamma = data.gammas[-1]
            axes.semilogx(
                data.values["weight_norm"][:, -1, ::4].ravel(),
                data.values["spike_readout"][:, -1, ::4].ravel(),
                marker,
                color=MUTED if name == "easy" else richness_color(gamma),
                markersize=4,
                label=rf"{name}, $\gamma_0 = {gamma:g}$",
            )
        size = np.geomspace(1 + np.sqrt(modes / hard.width), 1.2 * strong.values["weight_norm"][:, -1].max(), 300)
        axes.semilogx(size, spike_overlap(size, modes, hard.width), "--", color=INK, linewidth=1.3, label="theory")
        axes.set_xlabel(r"$|w|^2$")
        axes.set_ylabel("overlap with $w$")
        axes.set_ylim(0, 1.05)
        axes.legend(loc="upper left")
    return figure


def _task(data: Curves) -> str:
    kind = "hard" if data.beta < 1 else "easy"
    return rf"{kind} task, $\beta = {data.beta:g}$, $N = {data.width}$"


def _curves(axes: Axes, data: Curves, name: str, bands: bool = True) -> None:
    for g, gamma in enumerate(data.gammas):
        if data.diverged(gamma) is not None:
            continue
        logs = np.log(data.values[name][:, g, 1:])
        mean, spread = logs.mean(axis=0), logs.std(axis=0, ddof=1) if len(logs) > 1 else np.zeros(logs.shape[1])
        color = richness_color(gamma)
        # Wide below narrow, so that curves that coincide are all seen.
        width = 4.4 - 2.8 * g / max(len(data.gammas) - 1, 1)
        axes.loglog(data.step[1:], np.exp(mean), color=color, linewidth=width, label=rf"$\gamma_0 = {gamma:g}$")
        if not bands and g < len(data.gammas) - 1:
            continue
        axes.fill_between(
            data.step[1:], np.exp(mean - spread), np.exp(mean + spread), color=color, alpha=0.15, linewidth=0
        )
    axes.set_xlabel("steps $t$")


def _guide(axes: Axes, step: Array, last: float, power: float, label: str, above: bool) -> None:
    """Draw a power law that ends at a value at the last step, over the last decade and a half."""
    x = np.array([step[-1] / 30, step[-1]])
    y = last * (x / x[-1]) ** power
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4)
    axes.annotate(
        label,
        (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
        (4, 7) if above else (-4, -16),
        textcoords="offset points",
        ha="left" if above == (power < 0) else "right",
        color=MUTED,
    )
