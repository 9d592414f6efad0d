"""Your own problem: a spectrum or a kernel in, a :class:`Prediction` out."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import InputError, require
from neural_scaling.networks.image_kernel import decompose
from neural_scaling.predict.estimate import Estimate, estimate_kernel, estimate_spectrum
from neural_scaling.predict.forecast import BestUse, Curve, Range, allocate, drawn, run_of, times
from neural_scaling.predict.runs import keep
from neural_scaling.predict.tail import TailedModes
from neural_scaling.runs import Engine, describe, obtain_all

__all__ = ["Bounds", "Options", "Prediction", "from_kernel", "from_spectrum"]

SCHEMA = 1
ITEM = "predict"  # under which runs are kept
_POINTS = 81
_CAREFUL = 0.05
_MOST = 0.5  # share of the loss that may rest on the tail without a warning


@dataclass(frozen=True)
class Options:
    """What to forecast.

    Parameters
    ----------
    richness
        ``gamma L(0) / lambda_1``, a number without units: at 1 the kernel changes by about itself when its first mode is learned.
    until
        Last time, eta * steps; by default ten times that at which frozen features learn the last known mode.
    eta
        Learning rate at which the edge of stability is looked for; by default a twentieth of the largest at the start.
    budgets
        Compute ``N t`` for which to find the best width and time; by default three in the range of the curves.
    draws
        Number of draws for bands and intervals, 8 at least.
    store
        Whether curves are kept in the cache and found there.
    engine
        Where to compute what is missing; by default what the environment names.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    richness: float = 1.0
    until: float | None = None
    eta: float | None = None
    budgets: Sequence[float] | None = None
    draws: int = 24
    store: bool = True
    engine: Engine | None = None

    def __post_init__(self) -> None:
        checks.keep(self, richness=checks.require_positive(self.richness, "richness"))
        for name in ("until", "eta"):
            if getattr(self, name) is not None:
                checks.keep(self, **{name: checks.require_positive(getattr(self, name), name)})
        if self.budgets is not None:
            checks.keep(self, budgets=tuple(checks.array(self.budgets, "budgets", above=1.0).tolist()))
        checks.keep(self, draws=checks.whole(self.draws, "draws", least=8), store=checks.flag(self.store, "store"))
        if self.engine is not None:
            checks.instance(self.engine, "engine", Engine, "give an Engine, or None")


@dataclass(frozen=True, eq=False)
class Bounds(ArrayValue):
    """Gradient flow of the linearised network on the samples: what the population's lies between.

    Attributes
    ----------
    time
        eta * steps, shape (R,).
    train, test
        Mean squared error at the samples, which is too low, and at other samples, which is too high, noise included; shape (R,).
    source_train, source_test
        Exponents of both where the modes of the window are learned.
    """

    time: Array
    train: Array
    test: Array
    source_train: Range
    source_test: Range


@dataclass(frozen=True, eq=False)
class Prediction(ArrayValue):
    """What is predicted of a problem.

    Attributes
    ----------
    origin
        ``spectrum``, ``kernel``, ``network`` or ``curves``.
    capacity, source
        alpha and beta with 95 % intervals and the mode numbers that they were found in; None where curves do not tell.
    hard, super_easy
        Probabilities that the source is below 1, and above ``2 - 1/alpha``.
    warnings
        Sentences.
    provenance
        Where the curves come from.
    best_use
        The best use of compute at frozen and with learned features.
    noise
        Variance of the noise of the labels, which is not in the curves.
    gamma
        Richness in the units of the data.
    estimate
        All that is known of the modes. None, as all below but the last, for a prediction from curves.
    lazy, rich
        Learning curves at frozen and with learned features.
    gain
        Loss at frozen features over that with learned ones at the edge of stability, or at the last time.
    largest_eta
        Largest learning rate that stays stable to the last time with learned features.
    eta
        Learning rate at which the edge was looked for.
    edge
        Time, in eta * steps, at which it is reached with this learning rate, or None.
    tail_time
        Time from which on more than half of the loss at frozen features rests on modes that are not known, or None.
    bounds
        Of a kernel with test samples, else None.
    curves
        Measured curves and the law fitted to them, for a prediction from curves.
    """

    origin: str
    capacity: Range | None
    source: Range | None
    hard: float
    super_easy: float
    warnings: tuple[str, ...]
    provenance: str
    best_use: tuple[BestUse, ...] = ()
    noise: float = 0.0
    gamma: float = math.nan
    estimate: Estimate | None = None
    lazy: Curve | None = None
    rich: Curve | None = None
    gain: Range | None = None
    largest_eta: Range | None = None
    eta: float = math.nan
    edge: float | None = None
    tail_time: float | None = None
    bounds: Bounds | None = None
    curves: FittedCurves | None = None

    @property
    def difficulty(self) -> str:
        """The most probable of hard, easy and super-easy."""
        chances = {
            "hard": self.hard,
            "easy": max(0.0, 1 - self.hard - self.super_easy),
            "super-easy": self.super_easy,
        }
        return max(chances, key=lambda name: chances[name])

    def exponent(self, first: float, last: float, rich: bool = True) -> Range:
        """Return the mean exponent of a learning curve between two times, with its 95 % interval.

        Parameters
        ----------
        first, last
            Times, eta * steps, within the curve.
        rich
            Whether features are learned.

        Returns
        -------
        Range

        Raises
        ------
        InputError
            If the times are out of order or hold fewer than six times of the curve.
        """
        window = checks.interval((first, last), "window", above=0.0)
        curve = self.rich if checks.flag(rich, "rich") else self.lazy
        if curve is None:
            raise InputError("rich: a prediction from curves has no learning curves of modes; read curves.fit.")
        return curve.exponent(window)

    def to_dict(self) -> dict[str, Any]:
        """Return all numbers as plain values, as ``prediction.schema.json`` describes them; NaN becomes None."""
        found = {"schema": SCHEMA} | {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return found | {"difficulty": self.difficulty}

    def to_json(self) -> str:
        """Return :meth:`to_dict` as text."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False) + "\n"

    def save(self, folder: str | Path) -> Path:
        """Write ``report.html``, ``prediction.json`` and the plots as SVG to a folder, all of them or nothing.

        Parameters
        ----------
        folder
            Made if missing; a report that is there is replaced.

        Returns
        -------
        Path
            Of the folder.

        Raises
        ------
        InputError
            If the folder holds other files.
        OSError
            If it cannot be written; what was there before is intact.
        """
        from neural_scaling.predict.report import write

        return write(self, checks.path(folder, "folder"))


_LEFT_OUT = {"draws", "draw_sharpness", "draw_clock"}  # of the JSON


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, ArrayValue | Range):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in _LEFT_OUT}  # type: ignore[arg-type]
    return value


def from_spectrum(
    eigenvalues: ArrayLike,
    coefficients: ArrayLike,
    *,
    window: tuple[float, float] | None = None,
    options: Options | None = None,
) -> Prediction:
    """Predict from exact eigenvalues and the coefficients of the target in their basis.

    Parameters
    ----------
    eigenvalues
        In any order, shape (K,). Zeros and small negative values are dropped, with a warning.
    coefficients
        ``w*_k``, so that the variance of the target along mode k is ``lambda_k (w*_k)^2``, shape (K,).
    window
        First and last mode number that the exponents are fitted in; by default 10 and a third of the modes.
    options
        What to forecast.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If shapes differ, there are too few modes, or the target has no power law.
    """
    return of_estimate("spectrum", estimate_spectrum(eigenvalues, coefficients, window), _options(options))


def from_kernel(
    kernel: ArrayLike,
    targets: ArrayLike,
    *,
    across: ArrayLike | None = None,
    test_targets: ArrayLike | None = None,
    noise: float | None = None,
    options: Options | None = None,
) -> Prediction:
    """Predict from a kernel on samples.

    Parameters
    ----------
    kernel
        Symmetric, shape (P, P).
    targets
        Shape (P,) or (P, outputs), or labels: whole numbers, shape (P,), made one-hot and centred.
    across
        Kernel between m test samples and these, shape (m, P), for the bounds of the learning curve at frozen features.
    test_targets
        As ``targets``, of the test samples.
    noise
        Variance of the noise of the targets; estimated by default.
    options
        What to forecast.

    Returns
    -------
    Prediction

    Raises
    ------
    InputError
        If the kernel is not symmetric, shapes do not fit, there are too few samples, or the target has no power law.
    """
    chosen = _options(options)
    require(
        (across is None) == (test_targets is None), "across", "without test_targets, or they without it", "give both"
    )
    estimate = estimate_kernel(kernel, targets, noise)
    return of_estimate("kernel", estimate, chosen, (kernel, targets, across, test_targets))


def _options(options: Options | None) -> Options:
    return Options() if options is None else checks.instance(options, "options", Options, "give Options, or None")


def of_estimate(
    origin: str, estimate: Estimate, options: Options, samples: tuple[Any, Any, Any, Any] | None = None
) -> Prediction:
    """Return the prediction that goes with an estimate."""
    draws = drawn(estimate, options.draws)
    center = draws[0]
    require(
        center.loss > 0,
        "targets",
        "no variance that a kernel could learn",
        "give a target that is not constant or noise",
    )
    largest = float(center.nodes[0])
    gamma = options.richness * largest / center.loss
    problem = keep(draws)
    runs = [run_of(problem, draws, richness, options.until, _POINTS) for richness in (0.0, gamma)]
    results = obtain_all(runs, ITEM, "full" if options.store else "small", options.engine)
    lazy, rich = (Curve.of(results[run], run.gamma > 0) for run in runs)
    eta = _CAREFUL * 2 / largest if options.eta is None else options.eta
    edge = rich.edge(eta)
    last = rich.time.size - 1 if edge is None else int(np.flatnonzero(rich.time >= edge)[0])
    best_use = tuple(allocate(draws, (lazy, rich), options.budgets))
    return Prediction(
        origin=origin,
        capacity=Range(estimate.capacity, *estimate.capacity_interval, estimate.window),
        source=Range(estimate.source, *estimate.source_interval, estimate.window),
        hard=estimate.hard,
        super_easy=estimate.super_easy,
        warnings=(*estimate.warnings, *_warnings(estimate, lazy, eta, best_use)),
        provenance=describe(list(results.values())),
        best_use=best_use,
        noise=estimate.noise,
        gamma=gamma,
        estimate=estimate,
        lazy=lazy,
        rich=rich,
        gain=Range.of(lazy.loss[last] / rich.loss[last], lazy.draws[:, last] / rich.draws[:, last]),
        largest_eta=Range.of(2 / rich.sharpness.max(), 2 / rich.draw_sharpness.max(axis=1)),
        eta=eta,
        edge=edge,
        tail_time=lazy.rests_on_tail(_MOST),
        bounds=None if samples is None or samples[2] is None else _bounds(estimate, center, lazy.time, samples),
    )


def _warnings(estimate: Estimate, lazy: Curve, eta: float, best_use: Sequence[BestUse]) -> list[str]:
    words, known = [], estimate.eigenvalues.size
    if (time := lazy.rests_on_tail(_MOST)) is not None:
        words.append(
            f"From eta * t = {time:.3g} on more than half of the loss at frozen features lies in modes beyond the {known} that are "
            "known: there the curves rest on the fitted power law."
        )
    if estimate.capacity <= 1:
        words.append(
            "The capacity is not above 1: the sum of the eigenvalues has no end, and widths cannot be chosen by theory."
        )
    if eta * lazy.sharpness[0] >= 2:
        words.append(
            f"The learning rate {eta:.3g} is unstable from the first step; take less than {2 / lazy.sharpness[0]:.3g}."
        )
    for one in best_use:
        kind = "learned" if one.rich else "frozen"
        if one.compute.size == 0 or np.isnan(one.width[:, 0]).any():
            words.append(f"With {kind} features the best width of a budget lies outside of what was computed.")
        beyond = one.compute[one.width[:, 0] > known]
        if beyond.size:
            words.append(
                f"With {kind} features the best width at C = {beyond[0]:.3g} exceeds the {known} modes that are known: it rests "
                "on the fitted power law."
            )
    return words


def _bounds(estimate: Estimate, center: TailedModes, time: Array, samples: tuple[Any, Any, Any, Any]) -> Bounds:
    """Follow gradient flow on the samples, at them and at the others."""
    kernel, targets, across, test_targets = samples
    train, test = _both(targets, test_targets)
    modes = decompose(kernel, train, across, len(train))
    seen, missed = modes.flow(test, time)
    seen, missed = seen * train.shape[1], missed * train.shape[1]
    first, last = (1 / (center.scale * k**-center.capacity) for k in estimate.window)
    first, last = max(first, float(time[0])), min(last, float(time[-1]))
    inside = (time >= first) & (time <= last)

    def slope(loss: Array) -> Range:
        found = np.polyfit(np.log(time[inside]), np.log(np.maximum(loss[inside], 1e-300)), 1, cov=True)
        half = 1.96 * math.sqrt(float(found[1][0, 0]))
        return Range(-float(found[0][0]), -float(found[0][0]) - half, -float(found[0][0]) + half, (first, last))

    return Bounds(time, seen, missed, slope(seen - estimate.noise), slope(missed - estimate.noise))


def _both(targets: Any, test_targets: Any) -> tuple[Array, Array]:
    """Return targets of both parts with an axis of outputs; labels become one-hot, less their mean in the first part."""
    train, test = (
        checks.array(one, name, axes=None) for one, name in ((targets, "targets"), (test_targets, "test_targets"))
    )
    if train.ndim == 1 and np.asarray(targets).dtype.kind in "iu":
        classes = np.unique(train)
        require(
            bool(np.isin(test, classes).all()),
            "test_targets",
            "a label that targets lack",
            "give labels that both have",
        )
        train, test = ((one[:, None] == classes).astype(np.float64) for one in (train, test))
        return train - train.mean(axis=0), test - train.mean(axis=0)
    train, test = (one[:, None] if one.ndim == 1 else one for one in (train, test))
    require(train.shape[1:] == test.shape[1:], "test_targets", f"shape {test.shape}", f"give {train.shape[1]} outputs")
    return train, test
