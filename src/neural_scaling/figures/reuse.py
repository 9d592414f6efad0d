"""Training on fixed samples: learning curves, the gap between test and training loss, the limit against P."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import INK, MUTED, book_style, new_figure, plain_ticks, richness_color
from neural_scaling.items.reuse import Curves
from neural_scaling.sample_reuse import reuse_limit
from neural_scaling.spectra import Array, ModeQuadrature

# Dark to light, few samples to many; every one keeps 3 to 1 against white.
_COLORS = ("#2d1160", "#8c2981", "#c8406b", "#d9622b", "#8a8600", "#3d8a5f")


def curves_figure(found: Sequence[Curves]) -> Figure:
    """Draw test and training loss against steps, one row per richness.

    Parameters
    ----------
    found
        Curves at every richness.

    Returns
    -------
    matplotlib.figure.Figure
        Mean over seeds with one standard deviation either way; the theory is dashed.
    """
    with book_style():
        figure = new_figure(3.9 * len(found) + 0.9)
        panels = figure.subplots(len(found), 2, sharex=True, sharey="col", squeeze=False)
        for row, one in zip(panels, found, strict=True):
            for axes, name, title in zip(row, ("loss", "train_loss"), ("test", "training"), strict=True):
                for index, (color, samples, simulation) in enumerate(
                    zip(_COLORS, one.samples, one.simulation, strict=False)
                ):
                    step, losses = simulation.arrays["step"][1:], simulation.arrays[name][:, 1:].astype(np.float64)
                    _banded(axes, step, losses, color, f"$P = {samples}$")
                    axes.loglog(*one.expected(index, name), "--", color=INK, linewidth=1.3)
                axes.set_title(rf"{title} loss, $\gamma = {one.gamma:g}$")
        first = found[0].simulation[0].arrays["loss"][:, 0].mean()
        lowest = min(simulation.arrays["loss"].mean(axis=0).min() for one in found for simulation in one.simulation)
        panels[0][0].set_ylim(0.6 * lowest, 2 * first)
        # Training losses fall to zero for P < N: only a few decades are shown.
        panels[0][1].set_ylim(2e-3 * first, 2 * first)
        for axes in panels[-1]:
            axes.set_xlabel("steps $t$")
        for axes in panels[:, 0]:
            axes.set_ylabel("loss")
            plain_ticks(axes.yaxis)
        handles, labels = panels[0][0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.3))
        figure.legend(handles, [*labels, "theory"], loc="outside lower center", ncols=3)
    return figure


def gap_figure(found: Sequence[Curves]) -> Figure:
    """Draw test minus training loss against steps, one panel per richness.

    Parameters
    ----------
    found
        Curves at every richness.

    Returns
    -------
    matplotlib.figure.Figure
        Mean over seeds with two standard errors either way; the theory is dashed.
    """
    with book_style():
        figure = new_figure(7.6)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True, sharey=True))
        for axes, one in zip(panels, found, strict=True):
            for index, (color, samples, simulation) in enumerate(
                zip(_COLORS, one.samples, one.simulation, strict=False)
            ):
                arrays = simulation.arrays
                gaps = arrays["loss"][:, 1:].astype(np.float64) - arrays["train_loss"][:, 1:]
                mean, error = gaps.mean(axis=0), gaps.std(axis=0, ddof=1) / math.sqrt(gaps.shape[0])
                axes.semilogx(arrays["step"][1:], mean, color=color, label=f"$P = {samples}$")
                axes.fill_between(
                    arrays["step"][1:], mean - 2 * error, mean + 2 * error, color=color, alpha=0.2, linewidth=0
                )
                steps, test = one.expected(index, "loss")
                axes.semilogx(steps, test - one.expected(index, "train_loss")[1], "--", color=INK, linewidth=1.3)
            axes.set_title(rf"$\gamma = {one.gamma:g}$")
            axes.set_ylabel("test $-$ training loss")
        first = found[0].simulation[0].arrays["loss"][:, 0].mean()
        panels[0].set_ylim(-0.1 * first, 0.6 * first)
        panels[-1].set_xlabel("steps $t$")
        handles, labels = panels[0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.3))
        panels[0].legend(handles, [*labels, "theory"], loc="upper left", ncols=2)
    return figure


def peak_figure(found: Sequence[Curves], quadrature: ModeQuadrature, steps: Sequence[float]) -> Figure:
    """Draw the test loss against P at several steps and in the limit, one panel per richness.

    Parameters
    ----------
    found
        Curves at every richness.
    quadrature
        The modes, for the limit.
    steps
        Recorded steps to show.

    Returns
    -------
    matplotlib.figure.Figure
        Dots: simulated mean with two standard errors. Dashed: theory at the same step. Line: theory of the limit.
    """
    shades = ("#8a8600", "#c8406b", "#2d1160")  # early to late
    with book_style():
        figure = new_figure(8.2)
        panels = np.atleast_1d(figure.subplots(len(found), 1, sharex=True, sharey=True))
        for axes, one in zip(panels, found, strict=True):
            # Leaving out P = N, where the limit is infinite, cuts the line there.
            dense = np.unique(np.round(np.geomspace(min(one.samples), max(one.samples), 200)))
            limit = [math.nan if p == one.width else reuse_limit(quadrature, one.width, float(p)).loss for p in dense]
            axes.loglog(dense, limit, color=MUTED, label=r"$t \to \infty$")
            for color, step in zip(shades, steps, strict=False):
                points = []
                for index, simulation in enumerate(one.simulation):
                    at = int(np.argmin(np.abs(simulation.arrays["step"] - step)))
                    losses = simulation.arrays["loss"][:, at].astype(np.float64)
                    times, values = one.expected(index, "loss")
                    expected = math.exp(
                        np.interp(math.log(simulation.arrays["step"][at]), np.log(times), np.log(values))
                    )
                    points.append((losses.mean(), 2 * losses.std(ddof=1) / math.sqrt(losses.size), expected))
                mean, error, expected_all = np.array(points).T
                axes.errorbar(one.samples, mean, error, fmt="o", color=color, label=f"$t = {step:.0f}$")
                axes.loglog(one.samples, expected_all, "--", color=color, linewidth=1.3)
            axes.axvline(one.width, color=MUTED, linestyle=":", linewidth=1.2)
            axes.annotate(
                "$P = N$", (one.width, 0.03), (4, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
                color=MUTED,
            )  # fmt: skip
            axes.set_title(rf"$\gamma = {one.gamma:g}$, $N = {one.width}$")
            axes.set_ylabel("test loss")
            plain_ticks(axes.yaxis)
        first = found[0].simulation[0].arrays["loss"][:, 0].mean()
        lowest = min(one.simulation[-1].arrays["loss"].mean(axis=0).min() for one in found)
        panels[0].set_ylim(0.6 * lowest, 1.5 * first)
        panels[-1].set_xticks(found[0].samples, labels=[str(samples) for samples in found[0].samples])
        panels[-1].set_xticks([], minor=True)
        panels[-1].set_xlabel("samples $P$")
        handles, labels = panels[0].get_legend_handles_labels()
        handles.append(Line2D([], [], color=INK, linestyle="--", linewidth=1.3))
        figure.legend(handles, [*labels, "theory"], loc="outside lower center", ncols=3)
    return figure


def plateau_figure(found: Sequence[Curves], quadrature: ModeQuadrature, power: float) -> Figure:
    """Draw test loss against steps at few samples and large width, and the limit against P.

    Parameters
    ----------
    found
        Curves of the study of the bottleneck at every richness.
    quadrature
        The modes, for the limit.
    power
        Exponent of the predicted bottleneck in P.

    Returns
    -------
    matplotlib.figure.Figure
        Upper panel: lazy solid, rich dotted, theory dashed, the limits grey. Lower panel: exact limits of the draws over eq. 78.
    """
    with book_style():
        figure = new_figure(8.8)
        upper, lower = figure.subplots(2, 1)
        for one in found:
            for index, (color, samples, simulation) in enumerate(
                zip(_COLORS, one.samples, one.simulation, strict=False)
            ):
                label = f"$P = {samples}$" if one is found[0] else None
                mean = simulation.arrays["loss"].mean(axis=0, dtype=np.float64)
                style = "-" if one.gamma == 0 else ":"
                upper.loglog(simulation.arrays["step"][1:], mean[1:], style, color=color, label=label)
                upper.loglog(*one.expected(index, "loss"), "--", color=INK, linewidth=1.1)
                if one is found[0]:
                    limit = reuse_limit(quadrature, one.width, samples).loss
                    upper.axhline(limit, 0.8, color=MUTED, linewidth=1.2)
        upper.set_title(
            rf"$N = {found[0].width}$, $\gamma = {found[0].gamma:g}$ solid, $\gamma = {found[-1].gamma:g}$ dotted"
        )
        upper.set_xlabel("steps $t$")
        upper.set_ylabel("test loss")
        plain_ticks(upper.yaxis)
        upper.legend(loc="lower left", ncols=2)
        _limit_panel(lower, found[0], quadrature, power)
    return figure


def _limit_panel(axes: Axes, found: Curves, quadrature: ModeQuadrature, power: float) -> None:
    dense = np.geomspace(min(found.samples) / 2, 4 * max(found.samples), 60)
    wide = [reuse_limit(quadrature, math.inf, float(p)) for p in dense]
    axes.loglog(dense, [one.loss for one in wide], color=INK, label=r"theory, $N \to \infty$")
    axes.loglog(dense, [one.printed for one in wide], "--", color=richness_color(2.0), label="eq. 78 as printed")
    narrow = dense[dense < found.width / 2]  # towards P = N the limit rises without bound
    finite = [reuse_limit(quadrature, found.width, float(p)).loss for p in narrow]
    axes.loglog(narrow, finite, color=MUTED, label=f"theory, $N = {found.width}$")
    floors = [simulation.arrays["floor"] for simulation in found.simulation]
    means = [floor.mean() for floor in floors]
    errors = [2 * floor.std(ddof=1) / math.sqrt(floor.size) for floor in floors]
    axes.errorbar(found.samples, means, errors, fmt="o", color=_COLORS[1], label="exact limit of the draws")
    x = np.array([dense[-1] / 12, dense[-1]])
    y = 0.55 * wide[-1].printed * (x / x[-1]) ** -power
    axes.loglog(x, y, ":", color=MUTED, linewidth=1.6)
    axes.annotate(
        rf"$P^{{-{power:.3g}}}$", (float(x[0]), float(y[0])), (-34, -6), textcoords="offset points", color=MUTED
    )
    axes.set_xlabel("samples $P$")
    axes.set_ylabel(r"test loss, $t \to \infty$")
    axes.legend(loc="lower left")


def _banded(axes: Axes, step: Array, losses: Array, color: str, label: str) -> None:
    mean, spread = losses.mean(axis=0), losses.std(axis=0, ddof=1)
    axes.loglog(step, mean, color=color, label=label)
    # On a logarithmic axis a band that reaches zero cannot be drawn: it is cut at a tenth of the mean.
    axes.fill_between(step, np.maximum(mean - spread, 0.1 * mean), mean + spread, color=color, alpha=0.2, linewidth=0)
