"""Plots of a prediction as SVG that takes its text colour from the page around it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.predict.prediction import Prediction

_INK = "#123456"  # replaced by the colour of the text around
_LAZY, _RICH, _THIRD = "#2f7fc1", "#d9622b", "#3f9b6a"  # readable on white and on black
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "neural-scaling",
    "font.family": "sans-serif",
    "font.size": 11,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.minor.size": 0,
    "ytick.minor.size": 0,
}


def svgs(prediction: Prediction) -> dict[str, str]:
    """Return the plots of a prediction by name."""
    drawings = {"spectrum": _spectrum, "curves": _curves, "sharpness": _sharpness}
    return {name: _svg(lambda axes, draw=draw: draw(axes, prediction)) for name, draw in drawings.items()}  # type: ignore[misc]


def _svg(draw: Callable[[Axes], None]) -> str:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def _spectrum(axes: Axes, prediction: Prediction) -> None:
    estimate = prediction.estimate
    k = np.arange(1, estimate.eigenvalues.size + 1, dtype=np.float64)
    shown = np.unique(np.geomspace(1, k.size, 400).astype(int)) - 1
    far = np.geomspace(estimate.window[0], 10 * k.size, 50)
    rows = (
        ("eigenvalue", estimate.eigenvalues, estimate.scale, estimate.capacity, _LAZY),
        ("power of the target", estimate.power, estimate.amplitude, estimate.capacity * estimate.source + 1, _RICH),
    )
    for name, values, level, exponent, colour in rows:
        good = shown[values[shown] > 0]
        axes.loglog(k[good], values[good], ".", ms=3, color=colour, label=name)
        axes.loglog(far, level * far**-exponent, "--", lw=1.2, color=colour)
    axes.axvspan(*estimate.window, color="#888888", alpha=0.15, lw=0)
    axes.set(xlabel="mode number k", ylabel="variance")
    axes.legend()


def _curves(axes: Axes, prediction: Prediction) -> None:
    for name, curve, colour in (("frozen features", prediction.lazy, _LAZY), ("learned", prediction.rich, _RICH)):
        known = curve.tail <= 0.5
        axes.loglog(curve.time[known], curve.loss[known], color=colour, label=name)
        behind = ~known
        behind[np.flatnonzero(known)[-1:]] = True  # the lines meet
        axes.loglog(curve.time[behind], curve.loss[behind], ":", color=colour)
        axes.fill_between(curve.time, curve.low, curve.high, color=colour, alpha=0.2, lw=0)
    if prediction.bounds is not None:
        excess = (prediction.bounds.train - prediction.noise, prediction.bounds.test - prediction.noise)
        for name, loss in zip(("train", "test"), excess, strict=True):
            good = loss > 0
            style = "--" if name == "train" else "-."
            axes.loglog(prediction.bounds.time[good], loss[good], style, lw=1, color=_THIRD, label=f"{name} bound")
    if prediction.edge is not None:
        axes.axvline(prediction.edge, color=_INK, lw=0.8, ls="--")
    axes.set(xlabel=r"time, $\eta t$", ylabel="loss")
    axes.set_ylim(bottom=0.3 * float(min(prediction.lazy.low.min(), prediction.rich.low.min())))
    axes.legend()


def _sharpness(axes: Axes, prediction: Prediction) -> None:
    for curve, colour in ((prediction.lazy, _LAZY), (prediction.rich, _RICH)):
        axes.loglog(curve.time, curve.sharpness, color=colour, label="learned" if curve.rich else "frozen features")
    axes.axhline(2 / prediction.eta, color=_INK, lw=0.8, ls="--")
    axes.annotate(
        rf"edge at $\eta$ = {prediction.eta:.2g}", (float(prediction.lazy.time[0]), 2 / prediction.eta), va="bottom"
    )
    axes.set(xlabel=r"time, $\eta t$", ylabel="largest eigenvalue of the kernel")
    axes.legend()
