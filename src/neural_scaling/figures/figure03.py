"""Figure 3 and its companion: the terms of the loss one by one at late times."""

from __future__ import annotations

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, width_color
from neural_scaling.items.figure03 import Panel, late, local_noise, noise_share
from neural_scaling.theory import chi, sgd_exponent, transient_exponent


def batch_color(batch: float) -> str:
    """Colour of a batch: the scale of widths, from 2^0 on; an infinite batch is black.

    Parameters
    ----------
    batch
        B, > 0 or infinite.

    Returns
    -------
    str
        Hexadecimal colour.
    """
    return width_color(16 * batch)


def loss_figure(hard: Panel, super_easy: Panel) -> Figure:
    """Draw loss against steps: simulated mean with band and theory, one curve per batch, and the guides.

    Parameters
    ----------
    hard, super_easy
        The two panels.

    Returns
    -------
    matplotlib.figure.Figure
        The band is one standard deviation over seeds either way; the theory is dashed, infinite width and batch dotted.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, panel, letter in zip(figure.subplots(2, 1), (hard, super_easy), "ab", strict=True):
            lowest = math.inf
            for batch, theory, simulation in zip(panel.batches, panel.theory, panel.simulation, strict=True):
                step = simulation.arrays["step"][1:]
                losses = simulation.arrays["loss"][:, 1:].astype(np.float64)
                mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
                color = batch_color(batch)
                axes.loglog(step, mean, color=color, label=f"$B = {batch}$")
                # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a third of the mean.
                lower = np.maximum(mean - spread, mean / 3)
                axes.fill_between(step, lower, mean + spread, color=color, alpha=0.15, linewidth=0)
                axes.loglog(theory.arrays["step"][1:], theory.arrays["loss"][1:], "--", color=INK, linewidth=1.1)
                lowest = min(lowest, float(mean.min()))
            limit = panel.limit.arrays
            axes.loglog(limit["step"][1:], limit["loss"][1:], ":", color=MUTED, linewidth=1.6)
            axes.set_ylim(0.25 * lowest, None)
            _guides(axes, panel)
            kind = "hard" if panel.beta < 1 else "super-easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {panel.beta:g}$, $N = {panel.width}$")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("loss")
            handles, labels = axes.get_legend_handles_labels()
            handles += [
                Line2D([], [], color=INK, linestyle="--", linewidth=1.1),
                Line2D([], [], color=MUTED, linestyle=":", linewidth=1.6),
            ]
            axes.legend(handles, [*labels, "theory", r"$N, B \to \infty$"], loc="lower left", ncols=2, fontsize=11)
    return figure


def late_figure(hard: Panel, super_easy: Panel) -> Figure:
    """Draw the theory to late times: terms of the super-easy task, and what SGD noise adds to the hard one.

    Parameters
    ----------
    hard, super_easy
        The two panels.

    Returns
    -------
    matplotlib.figure.Figure
        Against eta*steps. Upper: loss at every batch and in the limits that leave one term alone. Lower: relative
        excess loss at the smallest batch and infinite width, and its leading order.
    """
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1)
        smallest, width = float(super_easy.batches[0]), float(super_easy.width)
        for batch in super_easy.batches:
            time, loss = late(super_easy, (width, float(batch)))
            upper.loglog(time, loss, color=batch_color(batch), label=f"$B = {batch}$")
        for sizes, style, label in (
            ((math.inf, math.inf), ":", r"$N, B = \infty$"),
            ((math.inf, smallest), "--", rf"$N = \infty$, $B = {smallest:g}$"),
            ((width, math.inf), "-.", rf"$B = \infty$, $N = {width:g}$"),
        ):
            time, loss = late(super_easy, sizes)
            upper.loglog(time, loss, style, color=INK, linewidth=1.2, label=label)
        floor = float(late(super_easy, (math.inf, smallest))[1][-1])
        upper.set_ylim(0.1 * floor, None)
        upper.set_title(rf"super-easy task, $\beta = {super_easy.beta:g}$, theory")
        upper.set_ylabel("loss")
        upper.legend(loc="lower left", ncols=2, fontsize=10)
        for batch in (hard.batches[0], hard.batches[-1]):
            time, relative = noise_share(hard, batch)
            lower.loglog(time, relative, color=batch_color(batch), label=rf"$N = \infty$, $B = {batch}$")
            lower.loglog(time, local_noise(hard, batch, time), "--", color=MUTED, linewidth=1.3)
        lower.plot([], [], "--", color=MUTED, label=r"$(\eta / B)\, K(t)\, \sum_k \lambda_k / 2$")
        lower.set_title(rf"hard task, $\beta = {hard.beta:g}$, theory")
        lower.set_ylabel("relative excess loss")
        lower.set_xlabel(r"$\eta t$")
        lower.legend(loc="lower right")
    return figure


def _guides(axes: Axes, panel: Panel) -> None:
    """Draw the paper's powers: the rich one for a hard task; SGD and finite-N transients for a super-easy one."""
    step = panel.theory[0].arrays["step"][1:]
    last = float(step[-1])
    first, largest = (result.arrays["loss"][1:] for result in (panel.theory[0], panel.theory[-1]))
    if panel.beta < 1:
        power = float(chi(panel.beta))
        lines = [(power, rf"$t^{{-{power:.3g}}}$", (last / 8, last), float(largest[-1]) / 1.5, last, "below")]
    else:
        sgd, transient = (function(panel.alpha, panel.beta, True) for function in (sgd_exponent, transient_exponent))
        at = last / 12
        lines = [
            (sgd, rf"$t^{{-{sgd:g}}}$", (at / 2, at * 2.5), 2.2 * float(np.interp(at, step, first)), at, "above"),
            (transient, rf"$t^{{-{transient:g}}}$", (last / 12, last), float(largest[-1]) / 1.8, last, "below"),
        ]
    for power, label, ends, level, anchor, side in lines:
        x = np.array(ends)
        y = level * (x / anchor) ** -power
        axes.loglog(x, y, "--", color=MUTED, linewidth=1.5)
        axes.annotate(
            label,
            (float(np.sqrt(x[0] * x[1])), float(np.sqrt(y[0] * y[1]))),
            (6, 6) if side == "above" else (-6, -18),
            textcoords="offset points",
            ha="left" if side == "above" else "right",
            color=MUTED,
        )
