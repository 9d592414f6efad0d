"""Intervals cover what they claim: every public estimator, over exponents, noise, constants and numbers of points.

Each cell simulates 400 curves. Its coverage is known to 1.1 % then, one binomial standard error at 95 %, and has to lie between
92 % and 98 %, the upper limit with this error added; the bias is less than a tenth of the width. A spread of cells runs with all
tests; ``NEURAL_SCALING_TEST_INTERVALS=all`` runs all of them.
"""

import importlib
import inspect
import itertools
import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from companion.claims import Measurement
from inputs.table import public_modules
from neural_scaling.fits import (
    CommonOffsetFit,
    OffsetFit,
    PowerLawFit,
    SpectrumFit,
    fit_common_offset,
    fit_offset_power_law,
    fit_power_law,
    fit_spectrum,
)
from neural_scaling.networks.coordinate_check import CoordinateCheck, _judged
from neural_scaling.predict import Estimate, estimate_spectrum
from neural_scaling.spectra import PowerLaw, Spectrum

ALL = os.environ.get("NEURAL_SCALING_TEST_INTERVALS") == "all"
TRIALS = 400
BINOMIAL = math.sqrt(0.05 * 0.95 / TRIALS)
REACH = 1e4  # last time over first


@dataclass(frozen=True)
class Cell:
    """One combination: estimator, exponent, relative noise, its correlation along a curve, constant, points, errors given."""

    estimator: str
    exponent: float
    noise: float
    correlation: float
    offset: float
    points: int
    sigma: bool

    def __str__(self):
        kind = "sigma" if self.sigma else "scatter"
        return f"{self.estimator} {self.exponent:g} {self.noise:g} {self.correlation:g} {self.offset:g} {self.points} {kind}"

    @property
    def time(self):
        return np.geomspace(1, REACH, self.points)

    def law(self, exponent=None):
        return self.offset + self.time ** -(self.exponent if exponent is None else exponent)

    def draws(self, curves=1):
        """Return standard normal noise, shape (trials, curves, points), the same for all cells of one shape."""
        random = np.random.default_rng([self.points, curves])
        noise = random.standard_normal((TRIALS, curves, self.points))
        for i in range(1, self.points if self.correlation else 0):
            noise[..., i] = self.correlation * noise[..., i - 1] + math.sqrt(1 - self.correlation**2) * noise[..., i]
        return noise


@dataclass(frozen=True)
class Outcome:
    """What the trials found of one number: estimates and ends of intervals, whether they say that they cannot be trusted."""

    name: str
    truth: float
    estimates: np.ndarray
    low: np.ndarray
    high: np.ndarray
    flagged: np.ndarray
    bounded: bool = False  # the truth lies at the end of what is allowed

    @classmethod
    def of(cls, name, truth, fits, take, flagged=lambda fit: False, bounded=False):
        rows = np.array([take(fit) for fit in fits], dtype=float)
        return cls(name, truth, *rows.T, np.array([flagged(fit) for fit in fits]), bounded)


def _line(cell):
    law = cell.law()
    curves = law * np.exp(cell.noise * cell.draws()[:, 0])
    fits = [fit_power_law(cell.time, curve, sigma=cell.noise * law if cell.sigma else None) for curve in curves]
    yield Outcome.of(
        "exponent", cell.exponent, fits, lambda fit: (fit.exponent, *fit.interval), lambda fit: fit.correlated
    )


def _runs(cell):
    """The mean over six runs of a training, each fitted by itself: points of one run share their noise."""
    curves = cell.law() * np.exp(cell.noise * cell.draws(6))
    fits = [
        Measurement.mean_of(np.array([fit_power_law(cell.time, run).exponent for run in curve])) for curve in curves
    ]
    yield Outcome.of("exponent", cell.exponent, fits, lambda fit: (fit.value, *fit.interval))


def _known(cell):
    """A number with a standard error known beforehand."""
    fits = [Measurement.with_error(cell.exponent + cell.noise * one, cell.noise) for one in cell.draws()[:, 0, 0]]
    yield Outcome.of("value", cell.exponent, fits, lambda fit: (fit.value, *fit.interval))


def _few(cell):
    """A mean whose standard error comes from the scatter of as many values as the cell has points."""
    values = cell.exponent + cell.noise * cell.draws()[:, 0]
    errors = values.std(axis=1, ddof=1) / math.sqrt(cell.points)
    means = zip(values.mean(axis=1), errors, strict=True)
    fits = [Measurement.with_error(mean, error, count=cell.points) for mean, error in means]
    yield Outcome.of("value", cell.exponent, fits, lambda fit: (fit.value, *fit.interval))


def _ended(cell):
    law = cell.law()
    fits = [fit_offset_power_law(cell.time, law * (1 + cell.noise * one[0]), cell.noise * law) for one in cell.draws()]
    at = {"flagged": lambda fit: fit.at_bound, "bounded": cell.offset == 0}
    yield Outcome.of("exponent", cell.exponent, fits, lambda fit: (fit.exponent, *fit.interval), **at)
    yield Outcome.of("offset", cell.offset, fits, lambda fit: (fit.offset, *fit.offset_interval), **at)


def _common(cell, shared=False):
    exponents = (cell.exponent, 1.5 * cell.exponent)
    law = np.stack([cell.law(one) for one in exponents])
    noise = cell.draws(2)[:, [0, 0] if shared else [0, 1]]
    fits = [fit_common_offset(cell.time, law * (1 + cell.noise * one), cell.noise * law) for one in noise]
    at = {"flagged": lambda fit: fit.at_bound.any(), "bounded": cell.offset == 0}
    yield Outcome.of("offset", cell.offset, fits, lambda fit: (fit.offset, *fit.offset_interval), **at)
    for k, one in enumerate(exponents):
        yield Outcome.of(f"exponent {k}", one, fits, lambda fit, k=k: (fit.exponents[k], *fit.intervals[k]), **at)


def _source(cell):
    """Coefficients are normal; the exponent of the cell is the source, its points are the modes."""
    law = PowerLaw(1.5, cell.exponent, cell.points).spectrum()
    fits = [fit_spectrum(Spectrum(law.eigenvalues, law.target * one[0])) for one in cell.draws()]
    yield Outcome.of("source", cell.exponent, fits, lambda fit: (fit.source, *fit.source_interval))


def _widths(cell):
    """The power of the width in a change, over three seeds, each of which is fitted by itself."""
    changes = cell.law()[:, None] * np.exp(cell.noise * cell.draws(3).transpose(0, 2, 1))
    fits = [_judged(cell.time, change) for change in changes]
    yield Outcome.of("power", -cell.exponent, fits, lambda fit: (fit[0], *fit[1]))


#: Intervals from runs drawn again, too slow for 400 trials: ``tests/test_scaling_law.py`` measures their coverage.
ELSEWHERE = {"Allocation", "HeldOut", "ScalingLawFit"}


def _exact(cell):
    """As the source, by the estimate that predictions rest on."""
    law = PowerLaw(1.5, cell.exponent, cell.points).spectrum()
    fits = [estimate_spectrum(law.eigenvalues, law.target * one[0]) for one in cell.draws()]
    yield Outcome.of("source", cell.exponent, fits, lambda fit: (fit.source, *fit.source_interval))


ESTIMATORS: dict[str, tuple[type, Callable]] = {
    "line": (PowerLawFit, _line),
    "runs": (Measurement, _runs),
    "known": (Measurement, _known),
    "few": (Measurement, _few),
    "ended": (OffsetFit, _ended),
    "common": (CommonOffsetFit, _common),
    "shared": (CommonOffsetFit, lambda cell: _common(cell, shared=True)),
    "source": (SpectrumFit, _source),
    "exact": (Estimate, _exact),
    "widths": (CoordinateCheck, _widths),
}


def _cells():
    """All combinations, and whether each is of those that run every time."""
    exponents, noises = (0.1, 0.4, 1.5, 4.0), (1e-6, 1e-4, 1e-2, 0.1)
    for exponent, noise, points, sigma in itertools.product(exponents, noises, (3, 6, 12, 30, 60), (False, True)):
        often = (exponent, noise) in {(0.4, 0.1), (4.0, 1e-6)} and points in (3, 12, 30)
        yield Cell("line", exponent, noise, 0, 0, points, sigma), often
    for exponent, noise, points in itertools.product(exponents, noises, (30, 60)):
        yield Cell("line", exponent, noise, 0.9, 0, points, True), (exponent, noise, points) == (0.4, 0.1, 60)
        yield Cell("runs", exponent, noise, 0.9, 0, points, False), (exponent, noise, points) == (0.4, 0.1, 30)
        yield Cell("known", exponent, noise, 0, 0, 1, True), (exponent, noise, points) == (0.4, 0.1, 30)
    for exponent, noise, offset, points in itertools.product(exponents, noises, (0.0, 0.5), (6, 24, 60)):
        often = (exponent, noise, offset, points) in {(0.4, 1e-6, 0.5, 60), (4.0, 1e-2, 0.5, 24), (0.4, 0.1, 0.0, 24)}
        yield Cell("ended", exponent, noise, 0, offset, points, True), often
    for exponent, noise, offset in itertools.product(exponents[1:], noises, (0.0, 0.5)):
        often = (exponent, noise, offset) == (0.4, 1e-4, 0.5)
        yield Cell("ended", exponent, noise, 0.9, offset, 100, True), often
        for estimator in ("common", "shared"):
            yield Cell(estimator, exponent, noise, 0, offset, 24, True), False
    for noise, values in itertools.product(noises, (3, 8, 50)):
        yield Cell("few", 1.0, noise, 0, 0, values, False), noise == 0.1
        yield Cell("widths", 0.5, noise, 0, 0, values, False), (noise, values) == (0.1, 8)
    for estimator in ("common", "shared"):
        yield Cell(estimator, 0.4, 1e-5, 0, 0.5, 12, True), True
    for source, modes in itertools.product((0.1, 0.4, 1.0, 2.0, 4.0), (300, 1000, 3000)):
        yield Cell("source", source, 1.0, 0, 0, modes, False), (source, modes) == (0.4, 1000)
    for source, modes in itertools.product((0.4, 1.0, 2.0), (300, 1000, 3000)):
        yield Cell("exact", source, 1.0, 0, 0, modes, False), (source, modes) == (1.0, 1000)


def test_every_public_estimator_with_an_interval_has_rows():
    found = set()
    for module in map(importlib.import_module, public_modules()):
        for name in getattr(module, "__all__", ()):
            one = getattr(module, name)
            if inspect.isclass(one) and any("interval" in attribute for attribute in {*dir(one), *_fields(one)}):
                found.add(name)
    tested = {kind.__name__ for kind, _ in ESTIMATORS.values()}
    assert found == tested | ELSEWHERE
    assert {cell.estimator for cell, often in _cells() if often} == set(ESTIMATORS)


def _fields(kind):
    return getattr(kind, "__dataclass_fields__", ())


@pytest.mark.long
@pytest.mark.parametrize("cell", [cell for cell, often in _cells() if often or ALL], ids=str)
def test_intervals_cover(cell):
    for outcome in ESTIMATORS[cell.estimator][1](cell):
        check(cell, outcome)


def check(cell, outcome):
    """Assert coverage, bias and width of what is not flagged."""
    assert np.all(outcome.high > outcome.low), "an interval without width"
    assert np.all((outcome.low <= outcome.estimates) & (outcome.estimates <= outcome.high))
    inside = (outcome.low <= outcome.truth) & (outcome.truth <= outcome.high)
    if cell.estimator == "line" and cell.correlation:
        # The model is independent noise; what departs from it shows.
        assert np.mean(inside | outcome.flagged) >= 0.92
        return
    closed = np.isfinite(outcome.high) & ((outcome.low > 0) | outcome.bounded)
    coverage = np.mean(inside)
    assert coverage >= 0.92, f"{outcome.name}: {coverage:.3f}"
    # An end that is open, or the end of what is allowed, covers from one side always.
    if closed.all() and not outcome.bounded:
        assert coverage <= 0.98 + BINOMIAL, f"{outcome.name}: {coverage:.3f}"
    if closed.mean() > 0.95:
        width = np.median((outcome.high - outcome.low)[closed])
        bias = np.median(outcome.estimates) - outcome.truth
        # What may not be negative exceeds a truth of nothing by 0.4 standard errors on average: a fifth of an interval cut there.
        assert abs(bias) < (0.2 if outcome.bounded else 0.1) * width, (
            f"{outcome.name}: bias {bias:.3g}, width {width:.3g}"
        )
    if cell.estimator in {"ended", "common", "shared"}:
        assert np.all((outcome.low == 0) | np.isinf(outcome.high) | ~outcome.flagged), "a value at a bound, and closed"
