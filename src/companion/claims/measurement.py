"""A measured number as a claim needs it, and the two doors to a claim: a number that equals a prediction, one beyond a limit."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypedDict, Unpack, get_args, runtime_checkable

import numpy as np
from pydantic import ValidationError
from scipy.special import stdtrit

from companion.claims.claim import Claim, Kind, Relation
from companion.claims.tolerance import Tolerance, of_exponent
from companion.claims.words import found
from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.runs import Experiment
from neural_scaling.runs.experiment import experiment_key

Ends = tuple[float, float]

FINITE = "give a finite number, or Measurement.none with the reason"

#: What an interval is.
EXACT = "computed, without an error"
MEAN = "95 % interval of the mean over seeds"
SLOPE = "95 % interval of the mean slope in the window"
NORMAL = "95 % interval"
EXTREMES = "smallest and largest value"


@dataclass(frozen=True)
class Measurement:
    """A number with what is known about it."""

    value: float | None  # the number, or None where there is none
    interval: Ends | None  # around it; None without a value
    window: Ends | None = None  # first and last abscissa of what it was taken from, if there is one
    missing: str = ""  # why there is no value, for the reason of the claim
    meaning: str = NORMAL  # what the interval is

    def __post_init__(self) -> None:
        # Every comparison with NaN is false, so that it would pass for agreement or disagreement, as it happens.
        if self.value is not None:
            checks.keep(self, value=checks.real(self.value, "value", FINITE))
        if self.interval is not None:
            checks.keep(self, interval=_pair(self.interval, "interval", FINITE))
        if self.window is not None:
            checks.keep(self, window=_pair(self.window, "window"))
        checks.text(self.missing, "missing")
        checks.text(self.meaning, "meaning")

    @classmethod
    def none(cls, missing: str) -> Measurement:
        """Return that there is no number, and why."""
        return cls(None, None, None, missing)

    @classmethod
    def around(cls, value: float, half: float, window: Ends | None = None, meaning: str = NORMAL) -> Measurement:
        """Return a number in the middle of its interval, of which ``half`` is half the length."""
        value, half = checks.real(value, "value", FINITE), checks.real(half, "half", FINITE, least=0.0)
        return cls(value, (value - half, value + half), window, meaning=meaning)

    @property
    def half(self) -> float:
        """Half the length of the interval; NaN without one, which no other number takes for a small error."""
        return (self.interval[1] - self.interval[0]) / 2 if self.interval else math.nan

    @classmethod
    def exact(cls, value: float) -> Measurement:
        """Return a number without an error."""
        value = found(value, "value")
        return cls(value, (value, value), meaning=EXACT)

    @classmethod
    def bounded(cls, values: Array) -> Measurement:
        """Return the largest of several values, shape (n,), each at least 0: what is claimed of it holds for all."""
        worst = float(checks.array(values, "values", least=0.0).max())
        return cls(worst, (0.0, worst), meaning="from 0 to the largest value")

    @classmethod
    def with_error(
        cls, value: float, standard_error: float, window: tuple[float, float] | None = None, count: int | None = None
    ) -> Measurement:
        """Return a number with the 95 % interval of its standard error, which one seed does not have.

        It is Student's interval where the error comes from the scatter of ``count`` values, else the normal one.
        """
        error = checks.real(standard_error, "standard_error", "take two seeds or more", least=0.0)
        quantile = NORMAL_95 if count is None else float(stdtrit(checks.whole(count, "count", least=2) - 1, 0.975))
        return cls.around(value, quantile * error, window, MEAN)

    @classmethod
    def among(cls, values: Array, value: float, window: tuple[float, float] | None = None) -> Measurement:
        """Return a number that stands for several values, shape (n,), with their extremes."""
        found = checks.array(values, "values")
        value = checks.real(value, "value", FINITE)
        return cls(value, (float(found.min()), float(found.max())), window, meaning=EXTREMES)

    @classmethod
    def last_of(cls, values: Array, window: tuple[float, float]) -> Measurement:
        """Return the last of several values, shape (n,), with their extremes."""
        found = checks.array(values, "values")
        return cls.among(found, found[-1], window)

    @classmethod
    def farthest_of(cls, values: Array, predicted: float, window: tuple[float, float] | None = None) -> Measurement:
        """Return that of several values, shape (n,), which is farthest from what is predicted, with their extremes."""
        found = checks.array(values, "values")
        gaps = np.abs(found - checks.real(predicted, "predicted"))
        return cls.among(found, found[np.argmax(gaps)], window)

    @classmethod
    def median_of(cls, values: Array) -> Measurement:
        """Return the median of several values, shape (n,), with their extremes; none where there is no value."""
        found = checks.array(values, "values", fewest=0)
        if not found.size:
            return cls.none("no value was measured")
        return cls.among(found, np.median(found))

    @classmethod
    def mean_of(cls, values: Array, window: tuple[float, float] | None = None) -> Measurement:
        """Return the mean of independent values, shape (n,), with Student's 95 % interval; none unless two or more are finite."""
        values = checks.array(values, "values", fewest=0, nan=True)
        count = values.size
        if count < 2 or not np.all(np.isfinite(values)):
            return cls.none("not enough finite values")
        half = float(stdtrit(count - 1, 0.975) * values.std(ddof=1) / math.sqrt(count))
        return cls.around(float(values.mean()), half, window, MEAN)

    @classmethod
    def exponent(cls, fit: PowerLawFit | None, grows: bool = False) -> Measurement:
        """Return the exponent of a fit, with ``grows`` that of growth, or no number where nothing could be fitted."""
        if fit is None:
            return cls.none("nothing could be fitted")
        fit = checks.instance(fit, "fit", PowerLawFit, "give a fit by fit_power_law, or None")
        if not all(map(math.isfinite, (fit.exponent, *fit.interval))):
            return cls.none("the fit does not bound the exponent")
        sign = -1.0 if checks.flag(grows, "grows") else 1.0
        low, high = sorted(sign * end for end in fit.interval)
        return cls(sign * fit.exponent, (low, high), fit.window, meaning=SLOPE)

    @classmethod
    def of(
        cls,
        value: float | None,
        interval: Ends | None,
        window: Ends | None = None,
        missing: str = "",
        meaning: str = NORMAL,
    ) -> Measurement:
        """Return what :meth:`columns` wrote into a row: NaN is no number, and ``missing`` says why."""
        missing = checks.text(missing, "missing")
        if value is None or math.isnan(found(value, "value")):
            return cls.none(missing or "nothing could be measured")
        return cls(value, interval, window, meaning=meaning)

    def widened(self, error: float, what: str) -> Measurement:
        """Return the number with another error in its interval, in quadrature: half a 95 % interval of what ``what`` names."""
        error, what = checks.real(error, "error", least=0.0), checks.text(what, "what")
        if self.value is None or self.interval is None:
            return self
        low, high = (math.hypot(end - self.value, error) for end in self.interval)
        return replace(
            self, interval=(self.value - low, self.value + high), meaning=f"{self.meaning}, with the error {what}"
        )

    def columns(self) -> tuple[float, tuple[float, float] | None, tuple[float, float] | None]:
        """Return value, interval and window as a row of a table holds them; no value is NaN."""
        return math.nan if self.value is None else self.value, self.interval, self.window


def _pair(values: Ends, argument: str, remedy: str = "give (low, high)") -> Ends:
    good = isinstance(values, tuple | list | np.ndarray) and len(values) == 2
    checks.require(good, argument, f"got {values!r}", remedy)
    low, high = (checks.real(end, argument, remedy) for end in values)
    checks.require(low <= high, argument, f"got ({low:g}, {high:g})", "give (low, high)")
    return low, high


@runtime_checkable
class Page(Protocol):
    """What a claim must know of its page: the plan of a notebook is one."""

    @property
    def item(self) -> str:
        """Name of the notebook."""

    @property
    def scale(self) -> str:
        """Scale at which it runs."""


class Details(TypedDict, total=False):
    """What a claim may say beyond its numbers."""

    seeds: int | None  # number of independent runs behind the number
    runs: Iterable[Experiment]  # those behind the number, where they are kept
    note: str  # added to the reason
    needs: str  # what would decide the claim, added where it stays open
    beyond: bool  # that needs other machines than those used here


def judged(
    page: Page,
    id: str,
    location: str,
    statement: str,
    quantity: str,
    predicted: float,
    measured: Measurement,
    kind: Kind,
    tolerance: Tolerance | None = None,
    corrected: float | None = None,
    **details: Unpack[Details],
) -> Claim:
    """Return the claim that a measured number is the predicted one, within the tolerance of an exponent unless another is given.

    A claim about an exponent may be stricter than :func:`of_exponent`, never looser.
    """
    allowed = of_exponent(predicted, kind, corrected) if tolerance is None else tolerance
    words = (id, location, statement, quantity, kind)
    return _claim(page, words, "equals", predicted, measured, allowed, corrected, details)


def bounded(
    page: Page,
    id: str,
    location: str,
    statement: str,
    quantity: str,
    relation: Literal["above", "below"],
    limit: float,
    measured: Measurement,
    kind: Kind,
    tolerance: Tolerance | None = None,
    corrected: float | None = None,
    **details: Unpack[Details],
) -> Claim:
    """Return the claim that a number lies beyond a limit with its whole interval; a tolerance is for its correction alone."""
    checks.choice(relation, "relation", ("above", "below"))
    allowed = Tolerance(0.0, "a limit has no tolerance") if tolerance is None else tolerance
    words = (id, location, statement, quantity, kind)
    return _claim(page, words, relation, limit, measured, allowed, corrected, details)


def _claim(
    page: Page,
    words: tuple[str, str, str, str, Kind],
    relation: Relation,
    predicted: float,
    measured: Measurement,
    tolerance: Tolerance,
    corrected: float | None,
    details: Details,
) -> Claim:
    page = checks.instance(page, "page", Page, "give the plan of the page")
    measured = checks.instance(measured, "measured", Measurement, "give a Measurement")
    tolerance = checks.instance(tolerance, "tolerance", Tolerance, "give a Tolerance")
    predicted = checks.real(predicted, "predicted")
    names = ("id", "location", "statement", "quantity")
    checks.choice(words[-1], "kind", get_args(Kind))
    corrected = None if corrected is None else checks.real(corrected, "corrected")
    # A correction that changes nothing is none.
    same = corrected is not None and abs(corrected - predicted) <= 1e-9
    fields = {
        **{name: checks.text(value, name) for name, value in zip(names, words, strict=False)},
        "kind": words[-1],
        "item": page.item,
        "scale": page.scale,
        "relation": relation,
        "predicted": predicted,
        "corrected": None if same else corrected,
        "tolerance": checks.real(tolerance.value, "tolerance", least=0.0),
        "rule": tolerance.reason,
        "measured": measured.value,
        "interval": measured.interval,
        "window": measured.window,
        "missing": measured.missing,
        "meaning": measured.meaning if measured.value is not None else "",
        **details,
        "runs": tuple(experiment_key(run) for run in details.get("runs", ())),
    }
    try:
        return Claim.model_validate(fields)
    except ValidationError as error:
        one = error.errors()[0]
        name = f"{one['loc'][0]}: " if one["loc"] else ""  # what concerns several fields begins with the name of one
        raise checks.InputError(f"{name}{one['msg'].removeprefix('Value error, ')}.") from None
