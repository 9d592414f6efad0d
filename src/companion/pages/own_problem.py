"""Use it on your problem: a kernel with a known answer, a spectrum typed in, a network of one's own on real images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.image_tasks import title
from companion.own_runs import OwnForecastRun, OwnTrainingRun, there
from companion.parameters import Parameters
from companion.style import LAZY, MUTED, RICH, drawing
from neural_scaling.base.arrays import Array
from neural_scaling.dmft import kernel_flow
from neural_scaling.predict import Options, Prediction, from_kernel, from_spectrum
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw

_PORTION = 2000  # modes whose features are drawn at once
_RANGES = ("capacity", "source")


class Plan(Parameters):
    """What the page computes."""

    def forecasts(self) -> list[OwnForecastRun]:
        """Return the forecasts, one per dataset."""
        return [OwnForecastRun(name, self.images, self.test, self.width) for name in self.datasets]

    def trained(self, forecast: OwnForecastRun) -> list[OwnTrainingRun]:
        """Return the networks that a forecast is held against, one per richness."""
        shape = (forecast.dataset, self.images, self.test, self.width)
        return [
            OwnTrainingRun(*shape, richness, self.eta, self.batch, self.steps, self.seeds)
            for richness in (self.nearly_lazy, self.richness)
        ]

    def experiments(self) -> list[Experiment]:
        """Return all runs."""
        forecasts = self.forecasts()
        return [*forecasts, *(run for forecast in forecasts for run in self.trained(forecast))]


@dataclass(frozen=True)
class Known:
    """A task made to order, its prediction from samples, and its exact curves."""

    found: Prediction
    # lazy, rich: exact losses at the times of the prediction, shape (R,)
    lazy: Array
    rich: Array


def known(plan: Plan) -> Known:
    """Draw samples of a power-law task, predict from their kernel alone, and solve the task itself."""
    chance = np.random.default_rng(plan.seed)
    modes = PowerLaw(plan.alpha, plan.beta, 10 * plan.samples)
    spectrum = modes.spectrum()
    kernel, target = np.zeros((plan.samples, plan.samples)), np.zeros(plan.samples)
    for first in range(0, spectrum.modes, _PORTION):
        part = slice(first, first + _PORTION)
        features = chance.standard_normal((plan.samples, spectrum.eigenvalues[part].size))
        features *= np.sqrt(spectrum.eigenvalues[part])
        kernel += features @ features.T
        target += features @ spectrum.target[part]
    target += np.sqrt(plan.noise * target.var()) * chance.standard_normal(plan.samples)
    # Later the modes that the task is made of come to an end.
    found = from_kernel(kernel, target, options=Options(store=False, until=float(plan.samples)))
    lazy, rich = (kernel_flow(modes, gamma, there(found.lazy).time).loss for gamma in (0.0, found.gamma))
    return Known(found, lazy, rich)


def answers(plan: Plan, task: Known) -> pd.DataFrame:
    """Return the exponents found from samples beside those that the task was made with."""
    found = task.found
    rows = []
    for name, true in zip(_RANGES, (plan.alpha, plan.beta), strict=True):
        one = there(getattr(found, name))
        rows.append((name, true, one.value, (one.low, one.high), one.low <= true <= one.high))
    return pd.DataFrame(rows, columns=["exponent of the task", "true", "value", "interval", "inside"])


def held(task: Known) -> pd.DataFrame:
    """Return the share of points at which the exact curve lies inside the predicted band."""
    rows = [
        (name, float(np.mean((curve.low <= exact) & (exact <= curve.high))))
        for name, curve, exact in (
            ("lazy", there(task.found.lazy), task.lazy),
            ("rich", there(task.found.rich), task.rich),
        )
    ]
    return pd.DataFrame(rows, columns=["curve", "inside"])


def typed(eigenvalues: Sequence[float] | Array, coefficients: Sequence[float] | Array) -> Prediction:
    """Return the prediction for a spectrum typed in."""
    return from_spectrum(eigenvalues, coefficients, options=Options(store=False))


def summary(found: Prediction) -> pd.DataFrame:
    """Return the numbers of a prediction that answer the first questions."""
    ranges = {
        "capacity α": found.capacity,
        "source β": found.source,
        "gain by learned features": found.gain,
        "largest stable learning rate": found.largest_eta,
    }
    rows: list[tuple[object, ...]] = [
        (name, there(one).value, (there(one).low, there(one).high)) for name, one in ranges.items()
    ]
    rows.append(("probability that the task is hard", found.hard, None))
    return pd.DataFrame(rows, columns=["quantity", "value", "interval"])


def images(forecasts: Sequence[OwnForecastRun], results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return the exponents that the kernels of the networks give, one row per dataset."""
    rows = []
    for run in forecasts:
        arrays = results[run].arrays
        capacity, source = ((value, tuple(ends)) for value, *ends in (arrays[name].tolist() for name in _RANGES))
        rows.append((run.dataset, *capacity, *source, float(arrays["hard"]), float(arrays["eta"])))
    names = ["dataset", "capacity", "capacity_interval", "source", "source_interval", "hard", "largest"]
    return pd.DataFrame(rows, columns=names)


def along(plan: Plan, forecast: OwnForecastRun, results: Mapping[Experiment, Result]) -> pd.DataFrame:
    """Return trained over predicted losses along the curve, at one step a half-decade."""
    arrays, rows = results[forecast].arrays, []
    nearly_lazy, rich = (results[run].arrays for run in plan.trained(forecast))
    steps = nearly_lazy["step"]
    time = plan.eta * steps
    inside = (time >= arrays["time"][0]) & (time <= arrays["time"][-1])
    wanted = np.unique(np.searchsorted(np.log10(steps[inside]), np.arange(0, np.log10(plan.steps) + 1e-9, 0.5)))
    for place in np.flatnonzero(inside)[np.minimum(wanted, inside.sum() - 1)]:
        lazy, low, high = (_at(arrays, curve, time[place]) for curve in arrays["lazy"])
        train, test = (_at(arrays, curve, time[place]) for curve in arrays["bounds"])
        trained, learned = (float(one["loss"][:, place].mean()) for one in (nearly_lazy, rich))
        predicted = (lazy, (low, high), (train, test))
        rows.append((int(steps[place]), *predicted, trained, trained / lazy, learned / trained))
    names = ["step", "predicted", "band", "bounds", "trained", "ratio", "learned"]
    return pd.DataFrame(rows, columns=names)


def _at(arrays: Mapping[str, Array], curve: Array, time: float) -> float:
    """Return a predicted loss at a time."""
    return float(np.exp(np.interp(np.log(time), np.log(arrays["time"]), np.log(curve))))


def known_figure(task: Known) -> Figure:
    """Draw the predicted bands and the exact curves."""
    with drawing(4.2) as (figure, axes):
        shown = (
            (there(task.found.lazy), task.lazy, LAZY, "frozen features"),
            (there(task.found.rich), task.rich, RICH, "learned features"),
        )
        for curve, exact, color, name in shown:
            axes.fill_between(curve.time, curve.low, curve.high, color=color, alpha=0.2, linewidth=0)
            axes.loglog(curve.time, exact, color=color, linestyle="-" if color == LAZY else "--", label=name)
        if task.found.tail_time is not None:
            tail = "more than half of the loss lies in the tail"
            axes.axvline(task.found.tail_time, color=MUTED, linestyle=":", label=tail)
        axes.set(xlabel=r"$\eta t$", ylabel="loss")
        axes.legend(loc="lower left")
    return figure


def images_figure(plan: Plan, results: Mapping[Experiment, Result]) -> Figure:
    """Draw what is predicted before training and the trained networks on top, a panel per dataset."""
    forecasts = plan.forecasts()
    with drawing(4.4 * len(forecasts), len(forecasts)) as (figure, sheet):
        for letter, axes, run in zip("abcdef", sheet, forecasts, strict=False):
            arrays = results[run].arrays
            steps = arrays["time"] / plan.eta
            shown = (steps >= 1) & (steps <= plan.steps)
            for name, color, words in (("lazy", LAZY, "frozen"), ("rich", RICH, "learned")):
                ends, label = arrays[name][1:, shown], f"predicted, {words} features"
                axes.fill_between(steps[shown], *ends, color=color, alpha=0.2, linewidth=0, label=label)
            axes.loglog(steps[shown], arrays["bounds"][0, shown], ":", color=MUTED, label="bounds from the images")
            axes.loglog(steps[shown], arrays["bounds"][1, shown], ":", color=MUTED)
            for trained, color, style in zip(plan.trained(run), (LAZY, RICH), ("-", "--"), strict=True):
                found = results[trained].arrays
                kept, label = found["step"] > 0, rf"trained, $\gamma_0 = {trained.richness:g}$"
                axes.loglog(found["step"][kept], found["loss"][:, kept].mean(axis=0), style, color=color, label=label)
            axes.set(title=f"({letter}) {title(run.dataset)}", xlabel="step $t$", ylabel="test loss")
            axes.legend(loc="lower left", fontsize="small")
    return figure
