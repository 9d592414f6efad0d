"""A measured number as a claim needs it, and the two doors to a claim: a number against a prediction, a fact with its reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.special import stdtrit

from companion.claims.claim import Claim, Verdict, found, pair
from companion.claims.judgement import ends, judge
from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.fits import PowerLawFit
from neural_scaling.fits.power_law import NORMAL_95

Ends = tuple[float, float]

FINITE = "give a finite number, or Measurement.none with the reason"


@dataclass(frozen=True)
class Measurement:
    """A number with what is known about it."""

    value: float | None  # the number, or None where there is none
    # 95 % interval, or the extremes seen where nothing is random; None without a value
    interval: tuple[float, float] | None
    window: tuple[float, float] | None = None  # first and last abscissa of what it was taken from, if there is one
    missing: str = ""  # why there is no value, for the reason of the claim

    def __post_init__(self) -> None:
        # Every comparison with NaN is false, so that it would pass for agreement or disagreement, as it happens.
        if self.value is not None:
            checks.keep(self, value=checks.real(self.value, "value", FINITE))
        if self.interval is not None:
            numbers = [checks.real(end, "interval", FINITE) for end in ends(self.interval)]
            checks.keep(self, interval=tuple(numbers))
        if self.window is not None:
            checks.keep(self, window=pair(self.window, "window"))
        checks.text(self.missing, "missing")

    @classmethod
    def none(cls, missing: str) -> Measurement:
        """Return that there is no number, and why."""
        return cls(None, None, None, missing)

    @classmethod
    def exact(cls, value: float) -> Measurement:
        """Return a number without an error."""
        value = found(value, "value")
        return cls(value, (value, value))

    @classmethod
    def with_error(
        cls, value: float, standard_error: float, window: tuple[float, float] | None = None, count: int | None = None
    ) -> Measurement:
        """Return a number with the 95 % interval of its standard error, which one seed does not have.

        It is Student's interval where the error comes from the scatter of ``count`` values, else the normal one.
        """
        value = checks.real(value, "value", FINITE)
        error = checks.real(standard_error, "standard_error", "take two seeds or more", least=0.0)
        quantile = NORMAL_95 if count is None else float(stdtrit(checks.whole(count, "count", least=2) - 1, 0.975))
        return cls(value, (value - quantile * error, value + quantile * error), window)

    @classmethod
    def last_of(cls, values: Array, window: tuple[float, float]) -> Measurement:
        """Return the last of several values, shape (n,), with their extremes."""
        found = checks.array(values, "values")
        return cls(float(found[-1]), (float(found.min()), float(found.max())), window)

    @classmethod
    def median_of(cls, values: Array) -> Measurement:
        """Return the median of several values, shape (n,), with their extremes; none where there is no value."""
        found = checks.array(values, "values", fewest=0)
        return cls(float(np.median(found)), (float(found.min()), float(found.max()))) if found.size else cls(None, None)

    @classmethod
    def mean_of(cls, values: Array, window: tuple[float, float] | None = None) -> Measurement:
        """Return the mean of independent values, shape (n,), with Student's 95 % interval; none unless two or more are finite."""
        values = checks.array(values, "values", fewest=0, nan=True)
        count = values.size
        if count < 2 or not np.all(np.isfinite(values)):
            return cls.none("not enough finite values")
        mean = float(values.mean())
        half = float(stdtrit(count - 1, 0.975) * values.std(ddof=1) / math.sqrt(count))
        return cls(mean, (mean - half, mean + half), window)

    @classmethod
    def exponent(cls, fit: PowerLawFit | None) -> Measurement:
        """Return the exponent of a fit, or no number where nothing could be fitted."""
        if fit is None:
            return cls(None, None)
        fit = checks.instance(fit, "fit", PowerLawFit, "give a fit by fit_power_law, or None")
        if not all(map(math.isfinite, (fit.exponent, *fit.interval))):
            return cls.none("the fit does not bound the exponent")
        return cls(fit.exponent, fit.interval, fit.window)

    @classmethod
    def of(
        cls, value: float | None, interval: Ends | None, window: Ends | None = None, missing: str = ""
    ) -> Measurement:
        """Return what :meth:`columns` wrote into a row: NaN is no number, and ``missing`` says why."""
        missing = checks.text(missing, "missing")
        if value is None or math.isnan(found(value, "value")):
            return cls.none(missing)
        return cls(value, interval, window)

    def columns(self) -> tuple[float, tuple[float, float] | None, tuple[float, float] | None]:
        """Return value, interval and window as a row of a table holds them; no value is NaN."""
        return math.nan if self.value is None else self.value, self.interval, self.window


@runtime_checkable
class Page(Protocol):
    """What a claim must know of its page: the plan of a notebook is one."""

    @property
    def item(self) -> str:
        """Name of the notebook."""

    @property
    def scale(self) -> str:
        """Scale at which it runs."""


def judged(
    page: Page,
    id: str,
    location: str,
    statement: str,
    quantity: str,
    predicted: float,
    measured: Measurement,
    tolerance: float,
    corrected: float | None = None,
    remark: str = "",
    doubt: str = "",
) -> Claim:
    """Return the claim that a measured number is the predicted one, decided by :func:`judge`.

    ``remark`` is added to the reason, ``doubt`` after it unless the claim is confirmed.
    """
    measured = checks.instance(measured, "measured", Measurement, "give a Measurement")
    verdict, reason = judge(predicted, measured.value, measured.interval, tolerance, corrected)
    reason = (measured.missing or reason) + checks.text(remark, "remark")
    doubt = checks.text(doubt, "doubt")
    return fact(
        page,
        id,
        location,
        statement,
        quantity,
        verdict,
        reason + ("" if verdict == "confirmed" else doubt),
        predicted,
        measured,
    )


def fact(
    page: Page,
    id: str,
    location: str,
    statement: str,
    quantity: str,
    verdict: Verdict,
    reason: str,
    predicted: float | str | None = None,
    measured: Measurement | float | None = None,
) -> Claim:
    """Return a claim that no single number decides, with its verdict and the reason; a prediction may be words."""
    if measured is None or isinstance(measured, Measurement):
        found = measured or Measurement(None, None)
    else:
        found = Measurement.exact(checks.real(measured, "measured", FINITE))
    page = checks.instance(page, "page", Page, "give the plan of the page")
    words, value = (predicted, None) if isinstance(predicted, str) else ("", predicted)
    return Claim(
        id=checks.text(id, "id"),
        item=page.item,
        location=location,
        statement=statement,
        quantity=quantity,
        predicted=value,
        measured=found.value,
        interval=found.interval,
        window=found.window,
        scale=page.scale,
        verdict=verdict,
        reason=reason,
        predicted_text=words,
    )
