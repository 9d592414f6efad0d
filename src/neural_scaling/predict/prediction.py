"""What a forecast is asked for, and what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import InputError
from neural_scaling.fits import OffsetFit, ScalingLawFit
from neural_scaling.predict.estimate import Estimate
from neural_scaling.predict.forecast import BestUse, Curve, Range
from neural_scaling.runs import Engine

__all__ = ["Bounds", "FittedCurves", "Options", "Prediction"]

SCHEMA = 1


@dataclass(frozen=True)
class Options:
    """What to forecast.

    Parameters
    ----------
    richness
        ``gamma L(0) / lambda_1``, a number without units: at 1 the kernel changes by about itself when its first mode is learned.
    gamma0
        Richness of a network in mean-field scaling, in place of ``richness``: gamma is then its square. That is exact for a
        linear network of two layers whose first one the model moves, and an assumption for others (:ref:`library-predict`). The
        kernel has to be in the units of :func:`~neural_scaling.predict.mean_field_scaling.mean_field_rates`.
    width, batch
        N and B of the learning curves and all that is read from them; infinite by default. A finite one takes about a minute.
    until
        Last time, eta * steps; by default ten times that at which frozen features learn the last known mode.
    eta
        Learning rate at which the edge of stability is looked for, and that of SGD at finite batch; by default a twentieth of the
        largest at the start. It is that of steps down half the squared error, summed over outputs: twice the one of a loss
        without the half.
    budgets
        Compute ``N t`` for which to find the best width and time; by default three in the range of the curves.
    draws
        Number of draws for bands and intervals, 8 at least.
    store
        Whether curves, and the kernel of a network, are kept in the cache and found there. The modes of the problem are kept
        in any case.
    engine
        Where to compute what is missing; by default what the environment names.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    richness: float = 1.0
    gamma0: float | None = None
    width: float = math.inf
    batch: float = math.inf
    until: float | None = None
    eta: float | None = None
    budgets: Sequence[float] | None = None
    draws: int = 24
    store: bool = True
    engine: Engine | None = None

    def __post_init__(self) -> None:
        checks.keep(self, richness=checks.require_positive(self.richness, "richness"))
        checks.keep(self, width=checks.count(self.width, "width"), batch=checks.count(self.batch, "batch"))
        for name in ("gamma0", "until", "eta"):
            if getattr(self, name) is not None:
                checks.keep(self, **{name: checks.require_positive(getattr(self, name), name)})
        if self.budgets is not None:
            checks.keep(self, budgets=tuple(checks.array(self.budgets, "budgets", above=0.0).tolist()))
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
        Exponents of both, less the noise, where the modes of the window are learned; None where the curve has too few such times,
        or one is lost in noise.
    """

    time: Array
    train: Array
    test: Array
    source_train: Range | None
    source_test: Range | None


@dataclass(frozen=True, eq=False)
class FittedCurves(ArrayValue):
    """Measured curves and the law fitted to them.

    Attributes
    ----------
    size, data, loss, run
        Points: N (NaN where it is not known), D or t, L, and the number of the training run, each of shape (n,).
    fit
        Of a sum of powers to six runs or more, else of one power, with a floor where one shows, to the late part of a curve.
    """

    size: Array
    data: Array
    loss: Array
    run: Array
    fit: ScalingLawFit | OffsetFit


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
        Richness of the curve with learned features, in the units of the data.
    richness
        The same without units, ``gamma L(0) / lambda_1``.
    gamma0
        gamma_0 of the network that the kernel belongs to, None where it is not known.
    richness_from
        ``richness`` where that of the theory was given, or ``gamma0`` where it is assumed to be ``gamma_0^2``.
    width, batch
        N and B of the curves.
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
    richness: float = math.nan
    gamma0: float | None = None
    richness_from: Literal["richness", "gamma0"] = "richness"
    width: float = math.inf
    batch: float = math.inf
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
        start, end = checks.require_positive(first, "first"), checks.require_positive(last, "last")
        window = checks.interval((start, end), "window")
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


_LEFT_OUT = {"draws", "draw_noise", "draw_sharpness", "draw_clock", "resampled"}  # of the JSON


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if is_dataclass(value):
        return {one.name: _plain(getattr(value, one.name)) for one in fields(value) if one.name not in _LEFT_OUT}
    return value
