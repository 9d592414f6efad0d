"""Figure 9: the three models trained side by side, to see that the diagram says what they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from companion.claims import Claim, Measurement, Tolerance, judged, number
from companion.parameters import Parameters
from companion.style import FROZEN, INK, TRAINABLE, drawing
from neural_scaling.models.linear_models import Model, loss_curve, projection_floor

MODELS: tuple[Model, ...] = ("random features", "two-layer", "projected", "factored")
ROUNDING = Tolerance(1e-9, "two forms of one model agree to rounding, which grows with the number of steps")
FLOOR = Tolerance(1e-3, "a loss within a thousandth of a floor has reached it")


class Plan(Parameters):
    """Parameters of the page."""


def losses(plan: Plan) -> pd.DataFrame:
    """Train the models from the same A(0) on the same power law, infinite batch, at the width of the page and at N = 1.

    ``floor`` is the loss of the best fit within the span of the initial features, ``gap`` the largest relative difference
    from the projected form at any step.
    """
    index = np.arange(1, plan.modes + 1, dtype=np.float64)
    eigenvalues = index**-plan.alpha
    target = np.sqrt(index ** (-plan.alpha * plan.beta - 1.0) / eigenvalues)
    rows = []
    for width in dict.fromkeys((plan.width, 1)):
        features = np.random.default_rng(plan.seed).standard_normal((width, plan.modes))
        floor = projection_floor(eigenvalues, target, features)
        setting = (eigenvalues, target, features, plan.eta, plan.gamma, plan.steps)
        curves = {model: loss_curve(model, *setting) for model in MODELS}
        for model, loss in curves.items():
            gap = float(np.max(np.abs(curves["projected"] - loss) / curves["projected"]))
            rows.append((width, model, float(loss[0]), float(loss[-1]), floor, gap))
    return pd.DataFrame(rows, columns=["width", "model", "initial", "final", "floor", "gap"])


def model_claims(plan: Plan, found: pd.DataFrame) -> list[Claim]:
    """Judge what the text around Figure 9 says of the models."""
    wide, single = (found[found.width == width].set_index("model") for width in (plan.width, 1))
    distance = (wide.final / wide.floor - 1.0).abs()
    cases = (
        (
            "equivalence",
            "Fig. 9c, App. B, eqs. 4, 16, 17",
            "Projected descent on A is plain descent on B with A(t) = B(t) A(0).",
            f"largest relative difference of the two losses, N = {plan.width}",
            wide.gap["factored"],
            ROUNDING,
            "eq. 17 needs the factor gamma that its text describes",
        ),
        (
            "floor",
            "Fig. 9, caption",
            "The frozen and the projected model keep the bottleneck of finite width, whatever the richness.",
            f"relative distance of both final losses from the projection residual, N = {plan.width}",
            distance[["random features", "projected"]].max(),
            FLOOR,
            f"the floor is {number(wide.floor.iloc[0])}",
        ),
        (
            "no-bottleneck",
            "section 2 and Fig. 9b",
            "Without the projection even N = 1 fits the target.",
            "final loss of the two-layer network over the floor of the projected one, N = 1",
            single.final["two-layer"] / single.floor["two-layer"],
            FLOOR,
            "",
        ),
    )
    return [
        judged(
            plan,
            f"fig-9.{name}",
            location,
            statement,
            quantity,
            0.0,
            Measurement.exact(float(value)),
            "simulation",
            tolerance,
            note=note,
        )
        for name, location, statement, quantity, value, tolerance, note in cases
    ]


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
    """Draw Figure 9: random features, two-layer linear network, network behind a frozen projection."""
    with drawing(4.6, 1, 3) as (figure, sheet):
        for axes, (title, layers, weights) in zip(sheet, _MODELS, strict=True):
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
                axes.plot([x0, x1], [lower.height, upper.height], color=color, linewidth=0.8, linestyle=style, zorder=1)
        middle = 0.5 * (lower.height + upper.height)
        edge = 0.5 * (lower.half_width + upper.half_width)
        axes.text(edge + 0.12, middle, bundle.name, color=color, fontsize=14, va="center", ha="left")
    dots: dict[str, Any] = {"markerfacecolor": "white", "markeredgewidth": 1.3, "markersize": 8, "zorder": 2}
    for layer in layers:
        axes.plot(_positions(layer), np.full(layer.units, layer.height), "o", color=INK, **dots)
        if layer.size:
            axes.text(-layer.half_width - 0.14, layer.height, layer.size, fontsize=14, va="center", ha="right")
    axes.text(0.0, -0.28, r"$\psi(x)$", fontsize=14, ha="center", va="top")
    axes.text(0.0, 3.22, "$f(x)$", fontsize=14, ha="center", va="bottom")
    axes.set(xlim=(-1.45, 1.45), ylim=(-0.75, 3.7))
    axes.axis("off")


def _positions(layer: _Layer) -> list[float]:
    return [float(x) for x in np.linspace(-layer.half_width, layer.half_width, layer.units)]
