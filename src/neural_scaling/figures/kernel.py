"""Figures of the page on kernel dynamics."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.dmft import decay_terms
from neural_scaling.figures.style import INK, LAZY, MUTED, RICH, book_style, new_figure, plain_ticks
from neural_scaling.items.kernel import Curve, LevelRow, NetworkRow, Plan, SingleRow, effective_kernel
from neural_scaling.spectra import Array
from neural_scaling.theory import limiting_scale, rkhs_norm_squared, self_similar_solution

Style = Literal["-", "--", ":", "none"]
Place = Literal["upper left", "lower left"]

#: One per source or mode; black first.
COLORS = ("#1a1a1a", "#0072b2", "#0d8577", "#c2410c", "#8e1a4f", "#6b5b00")


def growth_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the growth of the kernel and the number of modes learned, with the late solution dashed.

    Parameters
    ----------
    plan, hard, easy
        The parameters and their curves.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels.
    """
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            time = measured.flow.time
            upper.loglog(time, measured.flow.scale, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.modes, color=color)
            late = time >= measured.window[0]
            if measured.beta < 1:
                solution = self_similar_solution(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[time > 0.3], solution.kernel(time[time > 0.3]))
                _dashed(lower, time[time > 1], solution.modes_learned(time[time > 1]))
            else:
                limit = limiting_scale(plan.alpha, measured.beta, plan.gamma)
                _dashed(upper, time[late], np.full(int(late.sum()), limit))
                _dashed(lower, time[time > 1], (limit * time[time > 1] / math.log(2)) ** (1 / plan.alpha))
        upper.set_ylim(0.8, None)
        lower.set_ylim(0.8, None)
        upper.set_ylabel(r"scale of the kernel $1 + \gamma C_w$")
        lower.set_ylabel(r"mode half learned $k_*$")
        lower.set_xlabel(r"$\eta t$")
        _legend(upper, [("--", "", "late solution")], "upper left")
    return figure


def parts_figure(plan: Plan, hard: Curve, easy: Curve) -> Figure:
    """Draw the largest eigenvalue of the kernel and what it is made of, for one hard and one easy task.

    Parameters
    ----------
    plan, hard, easy
        The parameters and the two curves.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels.
    """
    with book_style():
        figure = new_figure(8.6)
        for axes, measured, letter in zip(figure.subplots(2, 1), (hard, easy), "ab", strict=True):
            flow = measured.flow
            axes.loglog(flow.time, flow.scale, color=COLORS[1], label=r"scale $s\lambda_1$")
            axes.loglog(flow.time, flow.spike, color=RICH, label=r"spike $\gamma|y - \Delta|^2/s$")
            axes.loglog(flow.time, flow.sharpness, "--", color=INK, linewidth=1.6, label="largest eigenvalue")
            first_order = plan.gamma * flow.quadrature.initial_loss
            axes.axhline(first_order, color=MUTED, linestyle=":", linewidth=1.4)
            axes.annotate(r"$\gamma |y|^2$", (0.012, first_order), (0, 4), textcoords="offset points", color=MUTED)
            top = float(flow.sharpness.max())
            axes.set_ylim(float(flow.spike[-1]) / 3, (4 if measured.beta < 1 else 2) * top)
            if measured.beta > 1:
                plain_ticks(axes.yaxis)
            kind = "hard" if measured.beta < 1 else "easy"
            axes.set_title(rf"({letter}) {kind} task, $\beta = {measured.beta:g}$, $\gamma = {plan.gamma:g}$")
            axes.set_xlabel(r"$\eta t$")
            axes.set_ylabel("eigenvalue")
            axes.legend(loc="upper left" if measured.beta < 1 else "lower right")
    return figure


def network_figure(plan: Plan, rows: Sequence[NetworkRow], modes: Sequence[int], exact: Curve) -> Figure:
    """Draw the effective kernel of single modes, simulated and in the limit of infinite width.

    Parameters
    ----------
    plan, rows, modes, exact
        The parameters, the networks, the modes they show and the limit.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        shown = (exact.flow.time >= 0.5) & (exact.flow.time <= 2 * rows[-1].time)
        time = exact.flow.time[shown]
        for index, (mode, color) in enumerate(zip(modes, COLORS, strict=False)):
            axes.semilogx(time, effective_kernel(plan, exact, mode)[shown], color=color, label=f"$k = {mode}$")
            axes.semilogx([row.time for row in rows], [row.diagonal[index] for row in rows], "o", color=color)
        axes.semilogx(time, exact.flow.scale[shown], "--", color=MUTED, label="scale alone")
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"effective kernel $K_k(t)/\lambda_k$")
        _legend(axes, [("none", "o", f"networks, $N = {plan.width}$")], "upper left")
    return figure


def terms_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the terms of eq. 53 for the quoted hard task, and the ratio of the second to the third for all.

    Parameters
    ----------
    plan, hard, easy
        The parameters and their curves.

    Returns
    -------
    matplotlib.figure.Figure
        Two panels.
    """
    quoted = next(measured for measured in hard if measured.beta == plan.quoted_hard)
    with book_style():
        figure = new_figure(8.6)
        upper, lower = figure.subplots(2, 1, sharex=True)
        terms, time = decay_terms(quoted.flow), quoted.flow.time
        loss = quoted.flow.loss
        # Times t over the loss: each term's share in the local exponent.
        for values, color, label in (
            (terms.lazy, LAZY, "initial kernel"),
            (terms.scale, COLORS[1], "scale (third term)"),
            (terms.spike, RICH, "spike (second term)"),
        ):
            upper.loglog(time, 2 * time * values / loss, color=color, label=label)
        upper.set_ylim(1e-3, 3)
        upper.set_title(rf"(a) $\beta = {quoted.beta:g}$")
        upper.set_ylabel("share in the local exponent")
        upper.legend(loc="center right", bbox_to_anchor=(1.0, 0.38))
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            lower.loglog(time, measured.ratio, color=color, label=rf"$\beta = {measured.beta:g}$")
            lower.loglog(time, measured.printed_ratio, ":", color=color, linewidth=1.4)
            if measured.beta < 1:
                share = self_similar_solution(plan.alpha, measured.beta, plan.gamma).spike_share
                late = time[time >= measured.window[0]]
                _dashed(lower, late, np.full(late.size, share))
        lower.set_ylim(1e-4, 3)
        lower.set_title("(b) spike over scale")
        lower.set_ylabel("ratio of the terms")
        lower.set_xlabel(r"$\eta t$")
        _legend(lower, [("--", "", "late solution"), (":", "", "as printed")], "lower left")
    return figure


def level_figure(rows: Sequence[LevelRow], exact: Curve) -> Figure:
    """Draw the loss at each level of approximation over the exact loss.

    Parameters
    ----------
    rows, exact
        The levels and the exact curve.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row, color in zip([row for row in rows if not math.isnan(row.level)], COLORS, strict=False):
            name = r"level $\infty$" if math.isinf(row.level) else f"level {row.level:g}"
            style = "--" if row.level % 2 == 1 else "-"
            axes.loglog(exact.flow.time, row.loss / exact.flow.loss, style, color=color, label=name)
        axes.axhline(1, color=MUTED, linewidth=1.2, linestyle=":")
        plain_ticks(axes.yaxis)
        axes.axvspan(*exact.window, color=MUTED, alpha=0.08, linewidth=0)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel("loss over exact loss")
        axes.legend(loc="upper left")
    return figure


def norm_figure(plan: Plan, hard: Sequence[Curve], easy: Sequence[Curve]) -> Figure:
    """Draw the squared norm of the weights on both sides of beta = 1, rich and lazy.

    Parameters
    ----------
    plan, hard, easy
        The parameters and their curves.

    Returns
    -------
    matplotlib.figure.Figure
        One panel.
    """
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for measured, color in zip((*hard, *easy), COLORS, strict=False):
            time = measured.flow.time
            axes.loglog(time, measured.norm, color=color, label=rf"$\beta = {measured.beta:g}$")
            axes.loglog(time, measured.lazy_norm, ":", color=color)
            if measured.beta > 1:
                limit = (limiting_scale(plan.alpha, measured.beta, plan.gamma) - 1) / plan.gamma
                for value in (limit, rkhs_norm_squared(plan.alpha, measured.beta)):
                    axes.plot(time[-1] * 2, value, "<", color=color, clip_on=False)
        axes.set_ylim(1e-2, None)
        axes.set_xlabel(r"$\eta t$")
        axes.set_ylabel(r"$|w|^2/N$")
        extra: list[tuple[Style, str, str]] = [
            ("-", "", rf"$\gamma = {plan.gamma:g}$"),
            (":", "", "lazy"),
            ("none", "<", "limit"),
        ]
        _legend(axes, extra, "upper left")
    return figure


def single_figure(rows: Sequence[SingleRow]) -> Figure:
    """Draw the loss of networks of one parameter with and without the projection.

    Parameters
    ----------
    rows
        One per number of modes.

    Returns
    -------
    matplotlib.figure.Figure
        One panel; one line per seed.
    """
    with book_style():
        figure = new_figure(5.2)
        axes = figure.subplots()
        for row, color in zip(rows, COLORS[1:], strict=False):
            for free, held in zip(row.unprojected, row.projected, strict=True):
                axes.loglog(row.step, free, color=color)
                axes.loglog(row.step, held, "--", color=color, linewidth=1.2)
            axes.plot([], [], color=color, label=f"$M = {row.modes}$, no projection")
        axes.set_xlabel("steps $t$")
        axes.set_ylabel("loss")
        _legend(axes, [("--", "", "with projection")], "lower left")
    return figure


def _dashed(axes: Axes, x: Array, y: Array) -> None:
    axes.loglog(x, y, "--", color=MUTED, linewidth=1.4, zorder=1)


def _legend(axes: Axes, extra: Sequence[tuple[Style, str, str]], place: Place) -> None:
    """Add a legend with grey entries for line styles and markers, each (line style, marker, label)."""
    handles, labels = axes.get_legend_handles_labels()
    grey = [
        Line2D([], [], color=MUTED, linestyle=style, marker=marker, linewidth=1.4, label=label)
        for style, marker, label in extra
    ]
    axes.legend([*handles, *grey], [*labels, *(label for _, _, label in extra)], loc=place, ncols=2)
