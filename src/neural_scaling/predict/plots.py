"""Plots of a prediction as SVG that takes its text colour from the page around it."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from neural_scaling.fits import ScalingLawFit
from neural_scaling.predict.estimate import Estimate
from neural_scaling.predict.forecast import Curve
from neural_scaling.predict.prediction import FittedCurves, Prediction

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
    found = {}
    if prediction.lazy is not None and prediction.rich is not None:
        curves = (prediction.lazy, prediction.rich)
        found["curves"] = _svg(lambda axes: _curves(axes, prediction, curves))
        found["sharpness"] = _svg(lambda axes: _sharpness(axes, prediction.eta, curves))
    if (estimate := prediction.estimate) is not None:
        found["spectrum"] = _svg(lambda axes: _spectrum(axes, estimate))
    if (measured := prediction.curves) is not None:
        found["points"] = _svg(
            lambda axes: _points(axes, measured, None if prediction.source is None else prediction.source.window)
        )
    return found


def _svg(draw: Callable[[Axes], None]) -> str:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.6, 3.6), layout="constrained")
        draw(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    text = buffer.getvalue()
    return text[text.index("<svg") :].replace(_INK, "currentColor")


def _spectrum(axes: Axes, estimate: Estimate) -> None:
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


def _curves(axes: Axes, prediction: Prediction, curves: tuple[Curve, Curve]) -> None:
    for name, curve, colour in zip(("frozen features", "learned"), curves, (_LAZY, _RICH), strict=True):
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
    axes.set_ylim(bottom=0.3 * float(min(curve.low.min() for curve in curves)))
    axes.legend()


def _sharpness(axes: Axes, eta: float, curves: tuple[Curve, Curve]) -> None:
    for curve, colour in zip(curves, (_LAZY, _RICH), strict=True):
        axes.loglog(curve.time, curve.sharpness, color=colour, label="learned" if curve.rich else "frozen features")
    axes.axhline(2 / eta, color=_INK, lw=0.8, ls="--")
    axes.annotate(rf"edge at $\eta$ = {eta:.2g}", (float(curves[0].time[0]), 2 / eta), va="bottom")
    axes.set(xlabel=r"time, $\eta t$", ylabel="largest eigenvalue of the kernel")
    axes.legend()


def _points(axes: Axes, measured: FittedCurves, window: tuple[float, float] | None) -> None:
    fit = measured.fit
    for number in np.unique(measured.run):
        one = measured.run == number
        order = np.argsort(measured.data[one])
        x, size = measured.data[one][order], measured.size[one][order]
        axes.loglog(x, measured.loss[one][order], ".-", ms=3, lw=0.8, color=_LAZY)
        if isinstance(fit, ScalingLawFit):
            law = fit.loss(np.where(np.isnan(size), 1.0, size), x)
        else:
            x = x if window is None else x[(x >= window[0]) & (x <= window[1])]
            law = fit.offset + fit.prefactor * x**-fit.exponent
        axes.loglog(x, law, "--", lw=1, color=_RICH)
    axes.set(xlabel="time or data", ylabel="loss")
