r"""Capacity and source, with 95 % intervals, of exact modes or of a kernel on samples.

The law is eq. 6: :math:`\lambda_k \propto k^{-\alpha}` and :math:`p_k = \lambda_k (w^*_k)^2 \propto k^{-\alpha\beta-1}`.

A kernel matrix K on P samples has biased modes: large ones leak into the vectors of small ones. Let l_k and u_k be the modes of
K/P, :math:`m(z) = P^{-1} \sum_k 1/(l_k - z)` and :math:`t_k = (u_k \cdot y)^2`. To leading order in 1/P, for Gaussian features
and many others,

.. math::
    \sum_k \frac{l_k}{l_k + r} = \sum_j \frac{\lambda_j}{\lambda_j + \kappa}, \quad \kappa = \frac1{m(-r)}, \qquad
    \langle t_k \rangle = \sum_j \frac{p_j}{|1 + \lambda_j m(l_k + i0)|^2} + \sigma^2.

The first relation holds for each ridge r and gives the capacity, by generalized least squares with the covariance of Gaussian
features. The second gives the source: each t_k scatters about its mean as the square of a normal variable does, and less where
the coefficients follow the law: a mode resolved by itself does not scatter then, and others exchange power with their neighbours
only. How far they follow the law is found from the scatter. Modes before the window are taken as measured. Modes after three
times P, and noise, add a constant to either relation, which is fitted too.

Sources: Ledoit and Péché (2011), Probability Theory and Related Fields 151, for the vectors; Simon et al. (2023), "The
Eigenlearning Framework", for the ridge.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import eigh
from scipy.special import ndtr

from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import array, real, require, whole
from neural_scaling.fits import fit_spectrum
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.image_kernel import symmetric
from neural_scaling.predict._kernel_capacity import FAR, fit_capacity
from neural_scaling.predict._kernel_source import (
    LARGEST_SOURCE,
    LAST_SHARE,
    SMALLEST_SOURCE,
    bin_means,
    fit_source,
    population_modes,
)
from neural_scaling.spectra import Spectrum

__all__ = ["Estimate", "estimate_kernel", "estimate_spectrum"]

#: First mode of the window of a sampled kernel.
FIRST_MODE = 10
_FEWEST = 100  # samples or modes
_MUCH_NOISE = 2  # times the mean square of the targets: more than it scatters by
_FEW_PER_CLASS = 10  # samples, below which labels may rather be quantities
_ROUNDING = 1e-4  # size of a negative eigenvalue, relative to the largest, that float32 explains
NORMAL_99 = 2.5758  # quantile of a normal variable, two-sided
SMALLEST_BEND = 0.1  # of an exponent, that is worth a warning


@dataclass(frozen=True, eq=False)
class Estimate(ArrayValue):
    """Capacity and source of a kernel and a target.

    Attributes
    ----------
    capacity, source
        alpha and beta.
    capacity_interval, source_interval
        95 % intervals. A departure from a power law widens them: half the difference of the slopes in the two halves of the
        window counts as a standard error as far as it exceeds chance, one standard error for the capacity and two for the
        source. Sources are looked for from 0 to 5.
    covariance
        Of capacity and source, shape (2, 2).
    window
        First and last mode number fitted.
    noise, noise_interval
        Variance of the noise of the targets, summed over outputs, in their units squared, and 95 % interval. Modes beyond those
        resolved look like noise: the lower end and the value have the tail of the law removed, the upper end has not.
    hard, super_easy
        Probabilities that the source is below 1, and that it is above ``2 - 1/alpha``.
    eigenvalues, power
        Estimates of ``lambda_k`` and of ``lambda_k (w*_k)^2`` for k = 1 ... K, as far as they are known.
    scale, amplitude
        Tails: ``lambda_k = scale k^-alpha`` and ``lambda_k (w*_k)^2 = amplitude k^(-alpha beta - 1)``.
    samples
        P, or None for exact modes.
    variance
        Mean square of the targets at the samples, summed over outputs; infinite for exact modes.
    smallest_bend
        Smallest difference between the target's exponents in the two halves of the window that would be significant at 1 %. A
        kink or a logarithm that makes less than that cannot be told from a power, and no warning says so.
    warnings
        What a reader has to know.
    """

    capacity: float
    capacity_interval: tuple[float, float]
    source: float
    source_interval: tuple[float, float]
    covariance: Array
    window: tuple[float, float]
    noise: float
    noise_interval: tuple[float, float]
    hard: float
    super_easy: float
    eigenvalues: Array
    power: Array
    scale: float
    amplitude: float
    samples: int | None
    variance: float
    smallest_bend: float
    warnings: tuple[str, ...]


def estimate_spectrum(
    eigenvalues: ArrayLike, coefficients: ArrayLike, window: tuple[float, float] | None = None
) -> Estimate:
    """Estimate capacity and source of exact modes with :func:`neural_scaling.fits.fit_spectrum`.

    Parameters
    ----------
    eigenvalues
        ``lambda_k`` in any order, shape (M,). Zeros, and values of the size of rounding, are dropped: negative ones, and positive
        ones that are no larger.
    coefficients
        Target coefficients ``w*_k`` in the same order, shape (M,).
    window
        First and last mode number fitted; by default from 10 to a third of the modes.

    Returns
    -------
    Estimate
        Its noise is 0.

    Raises
    ------
    InputError
        If shapes differ, an eigenvalue is negative beyond rounding, or fewer than 100 modes are left.
    """
    values = array(eigenvalues, "eigenvalues")
    target = array(coefficients, "coefficients", shape=values.shape)
    largest = _largest(values, "eigenvalues")
    kept = values > max(largest * np.finfo(float).tiny, -float(values.min()))
    order = np.argsort(-values[kept], kind="stable")
    values, target, dropped = values[kept][order], target[kept][order], int(np.count_nonzero(~kept))
    require(values.size >= _FEWEST, "eigenvalues", f"{values.size} are positive", f"give at least {_FEWEST}")
    require(bool(target.any()), "coefficients", "all are zero", "give a target")
    fit = fit_spectrum(Spectrum(values, target), window)
    first, last = fit.eigenvalues.window
    mode = np.arange(1, values.size + 1)
    power, inside = values * target**2, (mode >= first) & (mode <= last)
    notes = [f"{dropped} modes without variance are left out"] if dropped else []
    x = np.log(mode[inside])
    rough = float(np.var(np.log(values[inside]) + fit.capacity * x))
    chances = [_chance_of_halves(x, one) for one in (rough, fit.target.scatter)]
    curvatures = (fit.eigenvalues.curvature, fit.target.curvature)  # of which chance is taken out
    notes += _not_a_law([math.hypot(2 * one, chance) for one, chance in zip(curvatures, chances, strict=True)], chances)
    error = fit.eigenvalues.standard_error
    shared = -fit.source / fit.capacity * error**2
    return Estimate(
        capacity=fit.capacity,
        capacity_interval=fit.eigenvalues.interval,
        source=fit.source,
        source_interval=fit.source_interval,
        covariance=np.array([[error**2, shared], [shared, fit.source_error**2]]),
        window=(first, last),
        noise=0.0,
        noise_interval=(0.0, 0.0),
        **_regimes(fit.capacity, error, fit.source, fit.source_interval),
        eigenvalues=values,
        power=power,
        scale=fit.eigenvalues.prefactor,
        amplitude=float(np.mean(power[inside] * mode[inside] ** fit.target.exponent)),
        samples=None,
        variance=math.inf,
        smallest_bend=_significant(chances[1]),
        warnings=tuple(notes),
    )


def estimate_kernel(
    kernel: ArrayLike, targets: ArrayLike, noise: float | None = None, first: int = FIRST_MODE
) -> Estimate:
    """Estimate capacity and source of a kernel and a target known at samples.

    The intervals hold for features that are Gaussian or alike, to leading order in 1/P. The page of the library on predictions
    says how often they held in drawn tasks, and how wide they were. Where no mode of the window stands out of the noise the
    interval of the source is the whole range from 0 to 5.

    Parameters
    ----------
    kernel
        Symmetric, shape (P, P), P >= 100, in any units. A constant mode may stay; it counts as a mode.
    targets
        Shape (P,) or (P, outputs), whose powers are summed. Whole numbers of shape (P,) in an integer type are labels of classes:
        each becomes an output, with its mean removed.
    noise
        Variance of the noise of the targets, summed over outputs, in their units squared; by default it is estimated.
    first
        First mode of the power laws, from 2 on. Choose it before looking: an earlier one gives narrower intervals, right if the
        law holds there.

    Returns
    -------
    Estimate

    Raises
    ------
    InputError
        If the kernel is not symmetric or not positive semi-definite beyond rounding, has too few modes, its eigenvalues do not
        fall, targets do not vary, the noise is more than twice their mean square, or a value is not finite.
    """
    matrix = symmetric(kernel)
    samples = len(matrix)
    require(samples >= _FEWEST, "kernel", f"{samples} samples", f"give at least {_FEWEST}")
    outputs = as_outputs(targets, samples)
    require(bool((np.ptp(outputs, axis=0) > 0).any()), "targets", "all samples have the same", "give targets that vary")
    floor = None if noise is None else real(noise, "noise", least=0)
    values, vectors = eigh(matrix / samples, overwrite_a=True, check_finite=False, driver="evd")
    values, along = values[::-1], (vectors.T @ outputs)[::-1]
    rounding = max(-10 * values[-1], 10 * np.finfo(float).eps * _largest(values, "kernel"))
    known = int(np.count_nonzero(values > rounding))
    require(known >= _FEWEST, "kernel", f"{known} eigenvalues above rounding", f"give a kernel with {_FEWEST} at least")
    late = along[known // 2 : known]
    late = late.T @ late
    spread = float(np.trace(late)) ** 2
    # Of squares of normal variables, one an output; those of several outputs add up.
    scatter = 2 * float((late**2).sum()) / spread if spread else 2.0
    first = whole(first, "first", least=2, most=int(LAST_SHARE * known) // 2)
    variance = float((along**2).sum()) / samples
    problem = f"got {noise}, and the mean square of the targets is {variance:.3g}"
    require(
        floor is None or floor < _MUCH_NOISE * variance,
        "noise",
        problem,
        "give less, in the units of the targets squared",
    )
    found = _estimate(values, (along**2).sum(1), known, first, floor, scatter)
    classes, notes = outputs.shape[1] if labelled(targets) else 0, []
    if classes * _FEW_PER_CLASS > samples:
        words = (
            f"the targets, whole numbers, are taken for labels of {classes} classes: give floats if they are quantities"
        )
        notes.append(words)
    if repeated := _repeated(matrix, samples * rounding):
        notes.append(
            f"{repeated} samples are there already, up to rounding: leave them out, since exponents and intervals "
            "are wrong where many are repeated"
        )
    return replace(found, warnings=(*notes, *found.warnings))


def _repeated(matrix: Array, rounding: float) -> int:
    """Return the number of samples whose features are those of an earlier one."""
    size = np.diag(matrix)
    same = np.tril(size[:, None] + size - 2 * matrix <= 2 * rounding, -1)
    return int(np.count_nonzero(same.any(axis=1)))


def _largest(values: Array, argument: str) -> float:
    """Return the largest eigenvalue of a kernel, which must not have negative ones."""
    largest, smallest = float(values.max()), float(values.min())
    require(largest > 0, argument, "no eigenvalue is positive", "give those of a kernel")
    problem = f"an eigenvalue is {smallest / largest:.1e} of the largest"
    require(smallest >= -_ROUNDING * largest, argument, problem, "give a positive semi-definite kernel")
    return largest


def as_outputs(
    targets: ArrayLike, samples: int, argument: str = "targets", trained_on: ArrayLike | None = None
) -> Array:
    """Return targets of shape (P, outputs); labels become one-hot, less their mean over those that are trained on."""
    found = array(targets, argument, axes=None)
    good = found.ndim in (1, 2) and len(found) == samples
    require(good, argument, f"shape {found.shape}", f"give a row for each of the {samples} samples")
    if labelled(targets):
        labels = found if trained_on is None else array(trained_on, "targets")
        classes = np.unique(labels)
        known = bool(np.isin(found, classes).all())
        require(known, argument, "a label that targets lack", "give labels that both have")
        found = (found[:, None] == classes) - (labels[:, None] == classes).mean(0)
    return found.reshape(samples, -1)


def labelled(targets: ArrayLike) -> bool:
    """Return whether targets, numbers that have been checked, are labels of classes."""
    kind = str(targets.dtype) if hasattr(targets, "dtype") else str(np.asarray(targets).dtype)
    return np.ndim(targets) == 1 and "int" in kind


def _regimes(capacity: float, error: float, source: float, interval: tuple[float, float]) -> dict[str, float]:
    """Return the probabilities of the hard and the super-easy regime."""

    def below(limit: float, more: float = 0.0) -> float:
        side = max(interval[1] - source if limit > source else source - interval[0], 1e-12) / NORMAL_95
        return float(ndtr((limit - source) / math.hypot(side, more)))

    return {"hard": below(1.0), "super_easy": 1 - below(2 - 1 / capacity, error / capacity**2)}


def _chance_of_halves(x: Array, scatter: float) -> float:
    """Return the standard error of the difference between the slopes in both halves of a window."""
    middle = 0.5 * (x[0] + x[-1])
    halves = (x[x <= middle], x[x > middle])
    return math.sqrt(scatter * sum(1 / float(((one - one.mean()) ** 2).sum()) for one in halves))


def _not_a_law(bends: Sequence[float], errors: Sequence[float]) -> list[str]:
    """Return a warning for each law whose slopes in the halves of the window differ significantly at 1 %, and by a tenth."""
    return [
        f"no power law: the slopes of the {name} in the two halves of the window differ by {abs(bend):.2g}, which is significant "
        "at 1 %; what lies behind the window may follow neither"
        for name, bend, error in zip(("eigenvalues", "powers of the target"), bends, errors, strict=True)
        if abs(bend) > _significant(error)
    ]


def _significant(error: float) -> float:
    return max(NORMAL_99 * error, SMALLEST_BEND)


def _beyond_chance(bend: float, error: float, errors: float) -> float:
    """Return half a bend as far as it exceeds so many of its standard errors."""
    return 0.5 * math.sqrt(max(0.0, bend**2 - (errors * error) ** 2))


def _estimate(values: Array, power: Array, known: int, first: int, noise: float | None, scatter: float) -> Estimate:
    """Estimate both exponents from the eigenvalues of K/P and the squares of the targets along its vectors."""
    samples = values.size
    last = LAST_SHARE * known
    falls = values[int(last) - 1] < 0.5 * values[first - 1]
    require(
        bool(falls), "kernel", "its eigenvalues do not fall", "give a kernel with structure, not one near the identity"
    )
    law = fit_capacity(values, known, first, last)
    parts = bin_means(power, values, known, law, noise or 0.0)
    target = fit_source(parts, law.slope, scatter)
    # A bend of the eigenvalues can hide behind the modes beyond the law; one standard error of it is enough.
    bent = _beyond_chance(law.bend, law.bend_error, 1.0)
    spread = math.hypot(law.error, bent)
    turned = math.hypot(target.source * spread, _beyond_chance(target.bend, target.bend_error, NORMAL_95)) / law.slope
    low, high = (math.hypot(end - target.source, NORMAL_95 * turned) for end in target.interval)
    low, high = max(target.source - low, 0.0), min(target.source + high, LARGEST_SOURCE)
    shared = -target.source / law.slope * spread**2
    # The interval ends where sources are looked for; what follows from the capacity's error alone is left in any case.
    variance = max(((high - low) / (2 * NORMAL_95)) ** 2, (shared / spread) ** 2)
    reach = target.amplitude * (FAR * known if known == samples else math.inf) ** (-law.slope * target.source)
    tail = reach / (law.slope * target.source)
    notes = _not_a_law((law.bend, target.bend), (law.bend_error, target.bend_error))
    if known < samples:
        notes.append(
            f"the kernel has rank {known} or its other eigenvalues are lost in rounding: the window ends earlier"
        )
    if not target.lost and target.resolved < last:
        notes.append(
            f"beyond mode {target.resolved:.0f} of the window ({first} to {last:.0f}) noise, or modes beyond the samples, "
            "exceed the target: the source rests on the modes before"
        )
    if high >= LARGEST_SOURCE:
        notes.append(f"the upper end of the source is open: it is {LARGEST_SOURCE:g}, the largest looked for")
    if low <= 1.01 * SMALLEST_SOURCE:
        notes.append("the lower end of the source is open: it is 0")
    if target.lost:
        notes.append("the target is lost in noise or in modes beyond the samples: nothing of it is seen in the window")
    eigenvalues, powers = population_modes(values, power, known, parts, law, target)
    return Estimate(
        capacity=law.slope,
        capacity_interval=(law.slope - NORMAL_95 * spread, law.slope + NORMAL_95 * spread),
        source=target.source,
        source_interval=(low, high),
        covariance=np.array([[spread**2, shared], [shared, variance]]),
        window=(float(first), float(last)),
        noise=noise if noise is not None else max(0.0, target.constant - tail),
        noise_interval=(noise, noise)
        if noise is not None
        else (
            max(0.0, target.constant - NORMAL_95 * target.constant_error - tail),
            target.constant + NORMAL_95 * target.constant_error,
        ),
        **_regimes(law.slope, spread, target.source, (low, high)),
        eigenvalues=eigenvalues,
        power=powers,
        scale=math.exp(law.level),
        amplitude=target.amplitude,
        samples=samples,
        variance=float(power.sum()) / samples,
        smallest_bend=_significant(target.bend_error),
        warnings=tuple(notes),
    )
