"""Figure 9: the three models, drawn. Frozen weights are black and dashed, trainable ones orange and solid."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from neural_scaling.figures.style import FROZEN, INK, TRAINABLE, WIDTH, book_style, new_figure


@dataclass(frozen=True)
class _Layer:
    """A row of units: height, half-width, number drawn, and the name of its size."""

    height: float
    half_width: float
    units: int
    size: str


@dataclass(frozen=True)
class _Weights:
    """The weights between one layer and the next: name, and whether they are trained."""

    name: str
    trained: bool


_INPUT = _Layer(0.0, 0.92, 9, "$M$")
_MODELS: tuple[tuple[str, tuple[_Layer, ...], tuple[_Weights, ...]], ...] = (
    (
        "(a) random features",
        (_INPUT, _Layer(1.5, 0.5, 5, "$N$"), _Layer(3.0, 0.0, 1, "")),
        (_Weights("$A_0$", False), _Weights("$w(t)$", True)),
    ),
    (
        "(b) two-layer linear",
        (_INPUT, _Layer(1.5, 0.5, 5, "$N$"), _Layer(3.0, 0.0, 1, "")),
        (_Weights("$A(t)$", True), _Weights("$w(t)$", True)),
    ),
    (
        "(c) projected",
        (_INPUT, _Layer(1.0, 0.5, 5, "$N$"), _Layer(2.0, 0.5, 5, "$N$"), _Layer(3.0, 0.0, 1, "")),
        (_Weights("$A_0$", False), _Weights("$B(t)$", True), _Weights("$w(t)$", True)),
    ),
)


def draw() -> Figure:
    """Draw Figure 9: random features, two-layer linear network, network behind a frozen projection.

    Returns
    -------
    matplotlib.figure.Figure
        Panels (a), (b), (c).
    """
    with book_style():
        figure = new_figure(4.6, WIDTH)
        for axes, (title, layers, weights) in zip(figure.subplots(1, 3), _MODELS, strict=True):
            _network(axes, layers, weights)
            axes.set_title(title, loc="center")
        figure.legend(
            handles=[
                Line2D([], [], color=FROZEN, linestyle=(0, (4, 2)), linewidth=2, label="frozen"),
                Line2D([], [], color=TRAINABLE, linewidth=2, label="trainable"),
            ],
            loc="outside lower center",
            ncols=2,
        )
    return figure


def _network(axes: Axes, layers: tuple[_Layer, ...], weights: tuple[_Weights, ...]) -> None:
    for lower, upper, bundle in zip(layers, layers[1:], weights, strict=False):
        color = TRAINABLE if bundle.trained else FROZEN
        style = "-" if bundle.trained else (0, (4, 2))
        for x0 in _positions(lower):
            for x1 in _positions(upper):
                axes.plot(
                    [x0, x1],
                    [lower.height, upper.height],
                    color=color,
                    linewidth=0.8,
                    linestyle=style,
                    zorder=1,
                )
        middle = 0.5 * (lower.height + upper.height)
        edge = 0.5 * (lower.half_width + upper.half_width)
        axes.text(edge + 0.12, middle, bundle.name, color=color, fontsize=14, va="center", ha="left")
    for layer in layers:
        axes.plot(
            _positions(layer),
            np.full(layer.units, layer.height),
            "o",
            color=INK,
            markerfacecolor="white",
            markeredgewidth=1.3,
            markersize=8,
            zorder=2,
        )
        if layer.size:
            axes.text(-layer.half_width - 0.14, layer.height, layer.size, fontsize=14, va="center", ha="right")
    axes.text(0.0, -0.28, r"$\psi(x)$", fontsize=14, ha="center", va="top")
    axes.text(0.0, 3.22, "$f(x)$", fontsize=14, ha="center", va="bottom")
    axes.set(xlim=(-1.45, 1.45), ylim=(-0.75, 3.7))
    axes.axis("off")


def _positions(layer: _Layer) -> list[float]:
    return [float(x) for x in np.linspace(-layer.half_width, layer.half_width, layer.units)]
