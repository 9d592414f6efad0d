"""Figure 6 and what goes with it: learning curves on real images, spectra of kernels, capacity and source."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.image_tasks import EDGE, paper_source
from companion.pages.fig06 import Curves
from companion.pages.source import Task
from companion.style import INK, MUTED, RICH, book_style, new_figure, plain_ticks, richness_color, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.theory import chi

_TASKS = ("#1b3a6b", RICH)


def loss_figure(found: Sequence[Curves]) -> Figure:
    """Draw the losses of networks of several richness, one panel per dataset."""
    with book_style():
        figure = new_figure(5.4 * len(found))
        for letter, axes, one in zip("abcdef", np.atleast_1d(figure.subplots(len(found), 1)), found, strict=False):
            last = float(one.rows[0].step[-1])
            time = one.panel.eta * one.rows[0].step
            shown = (time >= TIMES[0]) & (time <= TIMES[-1])
            bounds = [_between(bound, time[shown]) for bound in (one.source.train, one.source.test)]
            axes.fill_between(one.rows[0].step[shown], *bounds, color=MUTED, alpha=0.25, linewidth=0)
            for row in one.rows:
                color = richness_color(row.run.richness)
                name = rf"$\gamma_0 = {row.run.richness:g}$" if row.run.richness else "linearised"
                axes.loglog(row.step, row.mean, color=color, label=name)
                axes.fill_between(
                    row.step, row.loss.min(axis=0), row.loss.max(axis=0), color=color, alpha=0.2, linewidth=0
                )
            handles = [Line2D([], [], color=MUTED, linewidth=6, alpha=0.4)]
            names = ["predicted, lazy"]
            start = min(row.window.start for row in one.rows)
            x = np.array([min(start, last / 10), last])
            finite = sorted((row for row in one.rows if np.isfinite(row.mean[-1])), key=lambda row: row.mean[-1])
            for line, exponent, text, beside, factor in (
                ("--", one.paper, r"$t^{-\beta}$", finite[-1:], 1.12),
                ("-.", float(chi(one.paper)), r"$t^{-2\beta/(1+\beta)}$", finite[:1], 0.88),
            ):
                for other in beside:
                    middle = math.exp(np.log(x).mean())
                    level = math.exp(np.interp(math.log(middle), np.log(other.step), np.log(other.mean)))
                    axes.loglog(x, factor * level * (x / middle) ** -exponent, line, color=INK, linewidth=1.2)
                handles += axes.plot([], [], line, color=INK, linewidth=1.2)
                names.append(text)
            lowest = min((float(row.mean[-1]) for row in finite), default=0.01)
            axes.set_ylim(0.6 * lowest, 0.115)
            plain_ticks(axes.yaxis)
            axes.set_title(f"({letter}) {one.panel.dataset}{' with crops' if one.panel.crops else ''}")
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("test loss, mean over outputs")
            own, titles = axes.get_legend_handles_labels()
            axes.legend([*own, *handles], [*titles, *names], loc="lower left", ncols=2)
    return figure


def kernel_figure(found: Sequence[Curves]) -> Figure:
    """Draw how tangent kernels grow and how near they come to the edge of stability, one column per dataset."""
    with book_style():
        figure = new_figure(6.4)
        panels = figure.subplots(2, len(found), sharex="col", sharey="row", squeeze=False)
        for number, one in enumerate(found):
            upper, lower = panels[:, number]
            for row in one.rows:
                color = richness_color(row.run.richness)
                name = rf"$\gamma_0 = {row.run.richness:g}$" if row.run.richness else "linearised"
                upper.loglog(row.step, row.growth, color=color, label=name)
                lower.loglog(row.step, row.sharpness, color=color)
            lower.axhline(EDGE, color=MUTED, linestyle="--", linewidth=1.2)
            upper.set_title(one.panel.dataset)
            lower.set_xlabel("steps $t$")
            plain_ticks(upper.yaxis)
            plain_ticks(lower.yaxis)
        named = {text: line for axes in panels[0] for line, text in zip(*axes.get_legend_handles_labels(), strict=True)}
        figure.legend(list(named.values()), list(named), loc="outside lower center", ncols=4, fontsize=10)
        panels[0, 0].set_ylabel(r"kernel $K(t)/K(0)$")
        panels[1, 0].set_ylabel(r"$\eta_0 \times$ largest eigenvalue")
    return figure


def spectrum_figure(tasks: Sequence[Task]) -> Figure:
    """Draw eigenvalues, and what the first k eigenfunctions leave of the targets."""
    with book_style():
        figure = new_figure(9.6)
        upper, lower = figure.subplots(2, 1)
        for color, one in zip(_TASKS, tasks, strict=False):
            row = one.rows[0]
            mode = np.arange(1, row.eigenvalues.size + 1)
            kept = row.eigenvalues > 0
            upper.loglog(mode[kept], row.eigenvalues[kept], color=color, label=one.name)
            x = np.array(row.window)
            fit = row.eigenvalue_fit
            upper.loglog(x, 1.6 * fit.prefactor * x**-fit.exponent, "--", color=MUTED)
            lower.fill_between(mode[:-1], row.left[:-1], row.rest[:-1], color=color, alpha=0.3, linewidth=0)
            middle = np.sqrt(row.left[:-1] * row.rest[:-1])
            lower.loglog(mode[:-1], middle, color=color, label=one.name)
            inside = (mode >= x[0]) & (mode <= x[1])
            place = math.exp(np.log(x).mean())
            level = math.exp(np.interp(math.log(place), np.log(mode[:-1]), np.log(middle)))
            fallen = row.eigenvalues[inside] / row.eigenvalues[int(place) - 1]
            lower.loglog(mode[inside], 1.12 * level * fallen**row.source, "--", color=MUTED)
            lower.loglog(mode[inside], 0.88 * level * fallen ** paper_source(one.name), ":", color=INK)
        upper.set_title("(a) eigenvalues of the tangent kernel")
        upper.set_xlabel("mode $k$")
        upper.set_ylabel(r"$\lambda_k$")
        handles, names = upper.get_legend_handles_labels()
        upper.legend([*handles, Line2D([], [], color=MUTED, linestyle="--")], [*names, r"fit $k^{-\alpha}$"])
        lower.set_title(r"(b) targets beyond mode $k$")
        lower.set_xlabel("mode $k$")
        lower.set_ylabel(r"$\sum_{l > k} \lambda_l (w^*_l)^2$")
        low = min(float(np.min(one.rows[0].left[: int(one.rows[0].window[1]) * 3])) for one in tasks)
        lower.set_ylim(0.7 * low, 0.2)
        handles, names = lower.get_legend_handles_labels()
        handles += [Line2D([], [], color=MUTED, linestyle="--"), Line2D([], [], color=INK, linestyle=":")]
        lower.legend(handles, [*names, r"fit $\lambda_k^\beta$", r"with the paper's $\beta$"], loc="lower left")
    return figure


def study_figure(tasks: Sequence[Task]) -> Figure:
    """Draw capacity and source against the number of images and against width."""
    with book_style():
        figure = new_figure(8.0)
        panels = figure.subplots(2, 2, sharey="row")
        for color, one in zip(_TASKS, tasks, strict=False):
            for column, rows, name in ((0, one.by_count, "images"), (1, one.by_width, "width")):
                x = np.array([getattr(row.run, name) for row in rows], dtype=np.float64)
                for line, quantity in enumerate(("capacity", "source")):
                    axes = panels[line, column]
                    values = np.array([getattr(row, quantity) for row in rows])
                    ends = np.array([getattr(row, f"{quantity}_interval") for row in rows])
                    axes.errorbar(
                        x,
                        values,
                        np.abs(ends.T - values),
                        fmt="o-",
                        color=color,
                        capsize=3,
                        markersize=5,
                        label=one.name,
                    )
                    axes.set_xscale("log")
                    axes.set_xticks(x, [f"{value:g}" for value in x], rotation=45)
                    axes.minorticks_off()
                panels[1, column].axhline(paper_source(one.name), color=color, linestyle=":", linewidth=1.4)
        for column, label in enumerate(("images $n$", "width $N$")):
            panels[1, column].set_xlabel(label)
        panels[0, 0].set_ylabel(r"capacity $\alpha$")
        panels[1, 0].set_ylabel(r"source $\beta$")
        panels[0, 0].legend()
    return figure


def lazy_figure(tasks: Sequence[Task]) -> Figure:
    """Draw learning curves of linearised networks over what the spectrum predicts."""
    with book_style():
        figure = new_figure(4.6 * len(tasks))
        for axes, one in zip(np.atleast_1d(figure.subplots(len(tasks), 1)), tasks, strict=True):
            row = one.rows[0]
            steps = one.lazy[0].step
            time = one.lazy[0].run.eta * steps
            shown = (time >= TIMES[0]) & (time <= TIMES[-1])
            bounds = [_between(bound, time[shown]) for bound in (row.train, row.test)]
            axes.fill_between(steps[shown], *bounds, color=MUTED, alpha=0.3, linewidth=0, label="from the spectrum")
            widest = one.lazy[-1]
            middle = row.lazy(time[shown])
            mixed = [middle * factor for factor in one.slowing[-1].estimates(time[shown])]
            color = width_color(widest.run.width)
            name = f"with mixing of outputs, $N = {widest.run.width}$"
            axes.fill_between(steps[shown], *mixed, color=color, alpha=0.25, linewidth=0, label=name)
            for curve in one.lazy:
                axes.loglog(
                    curve.step, curve.mean, color=width_color(curve.run.width), label=f"$N = {curve.run.width}$"
                )
            axes.set_ylim(0.7 * float(np.min(bounds)), 0.115)  # a network that diverges leaves the figure
            plain_ticks(axes.yaxis)
            axes.set_title(one.name)
            axes.set_xlabel("steps $t$")
            axes.set_ylabel("test loss, linearised")
            axes.legend(loc="lower left")
    return figure


def _between(bound: Array, time: Array) -> Array:
    """Return a bound of the lazy curve at other times."""
    return np.asarray(np.exp(np.interp(np.log(time), np.log(TIMES), np.log(bound))))
