"""Use it on your curves: a scaling law fitted to training runs whose exponents are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from companion.parameters import Parameters
from companion.style import INK, drawing, width_color
from neural_scaling.base.arrays import Array
from neural_scaling.base.paths import data_root
from neural_scaling.fits import LawComparison, ScalingLawFit, compare_scaling_laws, fit_scaling_law
from neural_scaling.models.runs import ToyModelRun
from neural_scaling.runs import Experiment, Result
from neural_scaling.theory import bottleneck_exponent

#: Values that are printed for the Chinchilla form of language models: by Hoffmann et al. and by Besiroglu et al.
_PRINTED = {"E": (1.69, 1.8172), "A": (406.4, 482.01), "a": (0.34, 0.3478), "B": (410.7, 2085.43), "b": (0.28, 0.3658)}
#: What the fit of the library calls them.
_NAMES = {"E": "floor", "A": "N", "a": "a", "B": "D", "b": "b"}
LAWS: tuple[Literal["chinchilla"], Literal["lazy"]] = ("chinchilla", "lazy")
CALLED = {"chinchilla": "Chinchilla form", "lazy": "four terms"}


class Plan(Parameters):
    """What the page computes."""

    def trained(self) -> list[ToyModelRun]:
        """Return the training runs, one set of seeds per width."""
        common = (self.alpha, self.beta, self.modes, self.eta, 0.0, self.steps)
        return [ToyModelRun(*common, width=width, seeds=self.seeds) for width in self.widths]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        return [*self.trained()]


@dataclass(frozen=True)
class Curves:
    """Points of all training runs, one after the other, and the laws fitted to them."""

    # width, time, loss: N, eta * steps and loss, shape (n,) each
    width: Array
    time: Array
    loss: Array
    fits: Mapping[str, ScalingLawFit]
    compared: LawComparison


def curves(plan: Plan, results: Mapping[Experiment, Result]) -> Curves:
    """Collect the points and fit both laws."""
    parts: list[tuple[Array, Array, Array, NDArray[np.int64]]] = []
    for experiment in plan.trained():
        arrays = results[experiment].arrays
        kept = np.unique(np.searchsorted(arrays["step"], np.geomspace(plan.first, plan.steps, plan.points)))
        width, time = np.full(kept.size, float(experiment.width)), plan.eta * arrays["step"][kept]
        for loss in arrays["loss"][:, kept].astype(np.float64):
            parts.append((width, time, loss, np.full(kept.size, len(parts))))
    size, data, losses, run = (np.concatenate(column) for column in zip(*parts, strict=True))
    points = (size, data, losses, run)
    fits: dict[str, ScalingLawFit] = {law: fit_scaling_law(*points, law=law, resamples=plan.resamples) for law in LAWS}
    compared = compare_scaling_laws(*points, laws=LAWS, resamples=plan.resamples)
    return Curves(size, data, losses, fits, compared)


def exponents(plan: Plan, found: Curves) -> pd.DataFrame:
    """Return fitted exponents with intervals beside those of the task."""
    true = {
        "a": bottleneck_exponent(plan.alpha, plan.beta, "corrected"),
        "b": plan.beta,
        "alpha": plan.alpha,
        "beta": plan.beta,
    }
    rows = [
        (CALLED[law], name, true[name], fit[name], fit.interval(name), fit.agreeing, fit.starts)
        for law, fit in found.fits.items()
        for name in fit.names
        if name in true
    ]
    return pd.DataFrame(rows, columns=["law", "name", "true", "value", "interval", "agreeing", "starts"])


def errors(found: Curves) -> pd.DataFrame:
    """Return what each law misses of runs and points that it has not seen."""
    compared = found.compared
    rows: list[tuple[object, ...]] = []
    for what, one in (
        ("runs left out in turn", compared.left_out),
        ("the largest N", compared.largest_N),
        ("the longest times", compared.largest_D),
    ):
        if one is not None:
            rows.append(
                (
                    what,
                    *one.error.tolist(),
                    one.difference,
                    one.interval,
                    CALLED[one.better] if one.better else "cannot be told",
                )
            )
    return pd.DataFrame(rows, columns=["unseen", *LAWS, "difference", "interval", "better"])


def allocation(plan: Plan, found: Curves) -> pd.DataFrame:
    """Return the best width and time at several budgets by each law."""
    rows: list[tuple[object, ...]] = []
    for law, fit in found.fits.items():
        best = fit.allocation(plan.budgets)
        rows += [
            (CALLED[law], compute, size, tuple(ends), time, loss, bool(outside))
            for compute, size, ends, time, loss, outside in zip(
                best.compute, best.N, best.N_interval, best.D, best.L, best.extrapolated, strict=True
            )
        ]
    return pd.DataFrame(rows, columns=["law", "compute", "best_width", "interval", "time", "loss", "outside"])


def _published() -> dict[str, Any]:
    """Return what tests/published_points.py has kept."""
    found: dict[str, Any] = json.loads((data_root() / "benchmarks" / "published_points.json").read_text("utf-8"))
    return found


def published_values() -> pd.DataFrame:
    """Return the Chinchilla form of published points beside what others found."""
    fitted = _published()["fits"]["chinchilla"]
    rows = [(name, *_PRINTED[name], fitted[own][0], tuple(fitted[own][1:])) for name, own in _NAMES.items()]
    return pd.DataFrame(rows, columns=["name", "printed", "again", "value", "interval"])


def published_errors() -> pd.DataFrame:
    """Return what the four terms miss of published points that they have not seen, beside the Chinchilla form."""
    rows = [
        (unseen, law, *one["error"][::-1], one["difference"], tuple(one["interval"]), one["better"] or "cannot be told")
        for law, compared in _published()["compared"].items()
        for unseen, one in compared.items()
    ]
    return pd.DataFrame(rows, columns=["unseen", "law", "error", "chinchilla", "difference", "interval", "better"])


def draw(found: Curves) -> Figure:
    """Draw the points and both laws."""
    with drawing(4.4) as (figure, axes):
        for width in np.unique(found.width):
            mine = found.width == width
            axes.loglog(found.time[mine], found.loss[mine], ".", color=width_color(width), markersize=3)
            time = np.unique(found.time[mine])
            for law, style in zip(LAWS, (":", "-"), strict=True):
                axes.loglog(time, found.fits[law].loss(width, time), style, color=width_color(width))
            end = (time[-1], found.fits[LAWS[-1]].loss(width, time[-1:])[0])
            axes.annotate(
                f"$N = {width:g}$", end, (4, 0), textcoords="offset points", color=width_color(width), va="center"
            )
        axes.plot([], [], ".", color=INK, label="training runs")
        axes.plot([], [], ":", color=INK, label="Chinchilla form")
        axes.plot([], [], "-", color=INK, label="four terms of the theory")
        axes.set(xlabel=r"$\eta t$", ylabel="loss")
        axes.legend(loc="lower left")
    return figure
