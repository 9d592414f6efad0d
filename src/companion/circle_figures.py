"""Figures 5 and 7 and what goes with them: losses of networks on the circle, their kernels, and studies of the exponent."""

from __future__ import annotations

import math
from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.circle_curves import CurveRow
from companion.pages.fig07 import FluctuationRow, SpectrumRow
from companion.style import INK, MUTED, book_style, new_figure
from neural_scaling.theory import chi

#: (title, rich rows, lazy rows)
Panel = tuple[str, Sequence[CurveRow], Sequence[CurveRow]]


def loss_figure(panels: Sequence[Panel]) -> Figure:
    """Draw the losses of several tasks, with and without feature learning."""
    with book_style():
        figure = new_figure(5.2 * len(panels))
        for axes, (title, rich, lazy) in zip(np.atleast_1d(figure.subplots(len(panels), 1)), panels, strict=True):
            for number, (row, other) in enumerate(zip(rich, lazy, strict=True)):
                color = _color(number, len(rich))
                name = rf"$\beta = {row.run.beta:.3g}$"
                axes.loglog(row.step, row.mean, color=color, label=name)
                axes.fill_between(
                    row.step, row.loss.min(axis=0), row.loss.max(axis=0), color=color, alpha=0.2, linewidth=0
                )
                axes.loglog(other.step, other.mean, ":", color=color, linewidth=1.4)
                _guide(axes, row)
            # A run that diverges leaves the figure; the table says so.
            shown = [row.mean[np.isfinite(row.mean)] for row in (*rich, *lazy)]
            first = max(row.mean[0] for row in (*rich, *lazy) if math.isinf(row.diverged) or row.diverged > 10)
            axes.set_ylim(0.4 * min(float(values.min()) for values in shown), 2.5 * first)
            axes.set_title(title)
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("test loss")
            handles, names = axes.get_legend_handles_labels()
            handles += [Line2D([], [], color=INK, linestyle=":"), Line2D([], [], color=MUTED, linestyle="--")]
            axes.legend(handles, [*names, "linearised", r"$t^{-\chi(\beta)}$"], loc="lower left", ncols=2)
    return figure


def kernel_figure(rows: Sequence[CurveRow]) -> Figure:
    """Draw how the tangent kernel grows and how near it comes to the edge of stability."""
    with book_style():
        figure = new_figure(8.0)
        upper, lower = figure.subplots(2, 1, sharex=True)
        for number, row in enumerate(rows):
            color = _color(number, len(rows))
            upper.loglog(row.step, row.growth, color=color, label=rf"$\beta = {row.run.beta:.3g}$")
            lower.loglog(row.step, row.sharpness, color=color)
            if row.run.beta < 1 and not row.window.empty:
                x = np.array(row.window.span)
                middle = math.exp(np.log(x).mean())
                level = float(np.exp(np.interp(math.log(middle), np.log(row.step), np.log(row.growth))))
                upper.loglog(x, 1.25 * level * (x / middle) ** (1 - row.predicted), "--", color=MUTED, linewidth=1.4)
        upper.set_ylabel(r"kernel $K(t)/K(0)$")
        upper.legend(loc="upper left", ncols=2)
        for level, name in ((2.0, "edge of stability"), (1.0, "end of the windows")):
            lower.axhline(level, color=MUTED, linestyle="--", linewidth=1.2)
            lower.annotate(name, (1.0, level), (2, 3), textcoords="offset points", color=MUTED)
        lower.set_ylim(top=4.0)
        lower.set_xlabel("steps $t$")
        lower.set_ylabel(r"$\eta_0 \times$ largest eigenvalue")
    return figure


def study_figure(
    studies: Sequence[tuple[str, str, Sequence[tuple[str, Sequence[float], Sequence[CurveRow]]]]],
) -> Figure:
    """Draw the exponent against what a study varies."""
    with book_style():
        figure = new_figure(8.4)
        for axes, (title, label, series) in zip(figure.subplots(2, 2).flat, studies, strict=True):
            for number, (name, values, rows) in enumerate(series):
                color = _color(number, max(len(series), 2))
                x = np.array(values, dtype=np.float64)
                late = [row.exponent_between(row.run.steps / 10, row.run.steps) for row in rows]
                axes.plot(x, late, "o", color=color, markerfacecolor="white", markersize=7)
                kept = [(place, row) for place, row in zip(x, rows, strict=True) if row.fitted]
                if kept:
                    errors = [(row.interval[1] - row.interval[0]) / 2 for _, row in kept]
                    axes.errorbar(
                        [place for place, _ in kept],
                        [row.exponent for _, row in kept],
                        errors,
                        fmt="o",
                        color=color,
                        capsize=3,
                        markersize=5,
                    )
                axes.plot([], [], "o-", color=color, label=name)
            beta = series[0][2][0].run.beta
            levels = [(beta, r"$\beta$"), (float(chi(beta)), r"$\chi$")] if beta < 1 else [(beta, r"$\beta$")]
            for level, text in levels:
                axes.axhline(level, color=MUTED, linestyle="--", linewidth=1.2)
                axes.annotate(
                    text,
                    (1.0, level),
                    (-3, 3),
                    xycoords=("axes fraction", "data"),
                    textcoords="offset points",
                    ha="right",
                    color=MUTED,
                )
            axes.set_xscale("log")
            ticks = {value: f"{value:g}" for _, values, _ in series for value in values}
            for _, values, rows in series:
                mixed = any(row.run.richness for row in rows)
                ticks |= {
                    value: "lin." for value, row in zip(values, rows, strict=True) if mixed and not row.run.richness
                }
            axes.set_xticks(list(ticks), list(ticks.values()), rotation=45 if len(ticks) > 4 else 0)
            axes.minorticks_off()
            axes.set_title(title)
            axes.set_xlabel(label)
            axes.set_ylabel("exponent")
            if len(series) > 1:
                axes.legend(fontsize=10)
    return figure


def spectrum_figure(spectra: Sequence[SpectrumRow], scatter: Sequence[FluctuationRow]) -> Figure:
    """Draw kernel spectra, and how kernels of finite width scatter."""
    with book_style():
        figure = new_figure(10.0)
        upper, lower = figure.subplots(2, 1)
        for number, row in enumerate(spectra):
            color = _color(number, len(spectra))
            k = np.arange(1, row.kernel.tangent.size)
            upper.loglog(k, row.kernel.tangent[1:], color=color, label=rf"$q_\phi = {row.kernel.power:g}$")
            # Beyond a sixteenth of the angles the grid folds later modes in.
            shown = np.unique(np.geomspace(1, row.finite.size // 8, 14).astype(int))
            upper.loglog(shown, row.finite[shown], "o", color=color, markersize=5)
            x = np.array(row.even.window)
            upper.loglog(
                x, 2.2 * row.kernel.tangent[int(x[0])] * (x / x[0]) ** (-2 * row.kernel.power), "--", color=MUTED
            )
        upper.set_title("(a) eigenvalues of the tangent kernel")
        upper.set_xlabel("frequency $k$")
        upper.set_ylabel(r"$\lambda_k$")
        handles, names = upper.get_legend_handles_labels()
        handles += [
            Line2D([], [], color=INK, marker="o", linestyle="", markersize=5),
            Line2D([], [], color=MUTED, linestyle="--"),
        ]
        upper.legend(handles, [*names, "finite width", r"$k^{-2 q_\phi}$"], loc="lower left")
        for number, line in enumerate(scatter):
            color = _color(number, len(scatter))
            lower.loglog(line.widths, line.scatter, "o-", color=color, label=rf"$q_\phi = {line.power:g}$")
            guide = 0.88 * line.scatter[0] * (line.widths / line.widths[0]) ** -line.predicted
            lower.loglog(line.widths, guide, "--", color=MUTED)
        lower.set_title("scatter of the kernel of two-layer networks")
        lower.set_xlabel("width $N$")
        lower.set_ylabel("interquartile range / median")
        lower.legend(loc="lower left")
    return figure


def _guide(axes: Axes, row: CurveRow) -> None:
    """Draw the predicted power a little below a curve, over its window or the last decade."""
    first, last = row.window.span if not row.window.empty else (row.step[-1] / 10, row.step[-1])
    x = np.array([first, last])
    if not np.isfinite(row.mean[-1]):
        return
    middle = math.exp(np.log(x).mean())
    level = float(np.exp(np.interp(math.log(middle), np.log(row.step), np.log(row.mean))))
    axes.loglog(x, 0.82 * level * (x / middle) ** -row.predicted, "--", color=MUTED, linewidth=1.4)


def _color(number: int, count: int) -> str:
    """Return the colour of one task of several, from dark to light."""
    return to_hex(mpl.colormaps["viridis"](0.78 * number / max(count - 1, 1)))
