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
from numpy.typing import ArrayLike, NDArray
from scipy.integrate import cumulative_trapezoid
from scipy.linalg import eigh
from scipy.special import ndtr

from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import array, real, require, whole
from neural_scaling.fits import fit_spectrum
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.networks.image_kernel import symmetric
from neural_scaling.spectra import Spectrum

__all__ = ["Estimate", "estimate_kernel", "estimate_spectrum"]

#: First mode of the window of a sampled kernel, and the shares of P that the windows of eigenvalues and of targets end at.
FIRST_MODE = 10
LAST_SHARE = 1 / 3
TARGET_SHARE = 0.9
#: Sources are looked for up to here; above 2 no law of the theory depends on them.
LARGEST_SOURCE = 5.0
_FEWEST = 100  # samples or modes
_MUCH_NOISE = 2  # times the mean square of the targets: more than it scatters by
_FEW_PER_CLASS = 10  # samples, below which labels may rather be quantities
_FAR = 3.0  # modes beyond this multiple of P are a constant
_RIDGES = 14
_WIDTH, _WIDE = 0.06, 0.25  # of bins of modes, relative to their mode number: to find the scatter, and to fit
_ROUNDING = 1e-4  # size of a negative eigenvalue, relative to the largest, that float32 explains
_SECOND_ORDER = 0.2  # error of the relation for ridges, relative to df/P; bounds what was seen of Gaussian features
_UNSURE = 0.25  # share of the correction of single eigenvalues that may be wrong; bounds what was seen
_CUT = NORMAL_95**2
_DOUBT = 2  # modes that have to scatter little before it is believed that coefficients do
_SMALLEST_SOURCE = 0.01
_SMALLEST_GAIN = 0.1  # of a variance; what is left has parts of the order 1/P
_SEEN = 11.83  # rise of the deviance without target: three standard deviations, for its amplitude and exponent
NORMAL_99 = 2.5758  # quantile of a normal variable, two-sided
SMALLEST_BEND = 0.1  # of an exponent, that is worth a warning
_NOTHING = -80.0  # logarithm of a constant that is not there


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
    law = _fit_capacity(values, known, first, last)
    parts = _means(power, values, known, law, noise or 0.0)
    target = _fit_source(parts, law.slope, scatter)
    # A bend of the eigenvalues can hide behind the modes beyond the law; one standard error of it is enough.
    bent = _beyond_chance(law.bend, law.bend_error, 1.0)
    spread = math.hypot(law.error, bent)
    turned = math.hypot(target.source * spread, _beyond_chance(target.bend, target.bend_error, NORMAL_95)) / law.slope
    low, high = (math.hypot(end - target.source, NORMAL_95 * turned) for end in target.interval)
    low, high = max(target.source - low, 0.0), min(target.source + high, LARGEST_SOURCE)
    shared = -target.source / law.slope * spread**2
    # The interval ends where sources are looked for; what follows from the capacity's error alone is left in any case.
    variance = max(((high - low) / (2 * NORMAL_95)) ** 2, (shared / spread) ** 2)
    reach = target.amplitude * (_FAR * known if known == samples else math.inf) ** (-law.slope * target.source)
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
    if low <= 1.01 * _SMALLEST_SOURCE:
        notes.append("the lower end of the source is open: it is 0")
    if target.lost:
        notes.append("the target is lost in noise or in modes beyond the samples: nothing of it is seen in the window")
    eigenvalues, powers = _modes(values, power, known, parts, law, target)
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


@dataclass(frozen=True)
class _Capacity:
    """Law of the eigenvalues: ``log lambda = level - slope log k`` from the first mode of the window on."""

    slope: float
    level: float
    rest: float  # sum of the eigenvalues beyond the law
    error: float  # standard error of the slope
    bend: float  # slope of the upper half of the window less that of the lower
    bend_error: float
    head: Array  # eigenvalues of the modes before the window


def _fit_capacity(values: Array, known: int, first: int, last: float) -> _Capacity:
    """Fit the sums over ridges."""
    samples = values.size
    kept = np.maximum(values, 0)
    grid = np.geomspace(10 * values[0], values[int(last)] / 1000, 300)
    count = np.array([(kept / (kept + ridge)).sum() for ridge in grid])
    ridge = np.exp(np.interp(np.log(np.geomspace(first, last, _RIDGES)), np.log(count), np.log(grid)))
    count = np.array([(kept / (kept + one)).sum() for one in ridge])
    kappa = (ridge / (1 - count / samples))[:, None]
    head = _single(values[: first - 1], kept)
    moved = _UNSURE * np.log(values[: first - 1] / head)
    x = np.linspace(math.log(first - 0.5), math.log(_end(known, samples)), 2000)
    weight = np.exp(x) * (x[1] - x[0])
    weight[[0, -1]] /= 2
    middle = 0.5 * math.log(first * last)
    slope = math.log(values[first - 1] / values[int(last) - 1]) / math.log(last / first)
    level, rest = math.log(values[first - 1]) - slope * (math.log(first) - middle), 0.0
    of_head = head / (head + kappa)
    for _ in range(100):
        law = 1 / (1 + kappa * np.exp(slope * (x - middle) - level))
        turn = law * (1 - law) * weight
        misfit = count - (of_head.sum(1) + law @ weight + rest / kappa[:, 0])
        columns = [-turn @ (x - middle), turn.sum(1), 1 / kappa[:, 0], -0.5 * turn @ np.abs(x - middle)]
        # Logarithms of single eigenvalues scatter with variance 2/P, independently.
        own = of_head * (1 - of_head)
        doubt = own @ moved
        covariance = 2 / samples * ((turn / weight) @ turn.T + own @ own.T) + np.outer(doubt, doubt)
        covariance += np.diag((_SECOND_ORDER * count / samples) ** 2 + 1e-4)
        free = [0, 1, 2]
        step, _ = _least_squares(np.stack([columns[i] for i in free], axis=1), misfit, covariance)
        if rest + step[2] < 0:
            free = [0, 1]
            step, _ = _least_squares(np.stack(columns[:2], axis=1), misfit + rest / kappa[:, 0], covariance)
            step = np.append(step, -rest)
        damping = min(1.0, 0.5 / max(abs(step[0]), 1e-300))
        slope, level, rest = slope + damping * step[0], level + damping * step[1], rest + damping * step[2]
        if abs(step[0]) < 1e-9:
            break
    _, errors = _least_squares(np.stack([columns[i] for i in free], axis=1), misfit, covariance)
    chi = float(misfit @ np.linalg.solve(covariance, misfit)) / (_RIDGES - len(free))
    bends, bend_errors = _least_squares(np.stack([columns[i] for i in [*free, 3]], axis=1), misfit, covariance)
    error = math.sqrt(max(1.0, chi)) * float(errors[0])
    bend, bend_error = float(bends[-1]), float(bend_errors[-1])
    return _Capacity(float(slope), float(level + slope * middle), float(rest), error, bend, bend_error, head)


def _end(known: int, samples: int) -> float:
    """Return where the law ends: at the rank of the kernel, if that is below P."""
    return known + 0.5 if known < samples else _FAR * samples


def _single(found: Array, values: Array) -> Array:
    """Remove from eigenvalues what the other modes add to each; those closer than their scatter do not count."""
    apart = found[:, None] - values
    scatter = 2 / values.size * found[:, None] ** 2
    # A mode is seen by the kernel without it, whose P eigenvalues are the others and one near zero.
    others = 1 + (found[:, None] * apart**3 / (apart**4 + scatter**2)).sum(1)
    return np.asarray(found * values.size / others)


def _least_squares(columns: Array, misfit: Array, covariance: Array) -> tuple[Array, Array]:
    """Return the generalized least-squares solution and its standard errors."""
    root = np.linalg.cholesky(covariance)
    design = np.linalg.solve(root, columns)
    size = np.sqrt((design**2).sum(0))
    inverse = np.linalg.inv((design / size).T @ (design / size))
    found = inverse @ ((design / size).T @ np.linalg.solve(root, misfit)) / size
    return found, np.sqrt(np.diag(inverse)) / size


def _nodes(first: int, known: int, samples: int) -> tuple[Array, Array]:
    """Return log k and weights of a sum over the modes from the first on, dense enough for the resonances."""
    found = [math.log(first - 0.5)]
    while found[-1] < math.log(_end(known, samples)):
        found.append(found[-1] + min(0.01, 0.15 * math.exp(found[-1]) / samples))
    x = np.array(found)
    return x, np.gradient(x) * np.exp(x) * np.where((x == x[0]) | (x == x[-1]), 0.5, 1.0)


def _stieltjes(at: Array, values: Array, population: Array, weight: Array, rest: float) -> NDArray[np.complex128]:
    """Solve ``z = -1/m + P^-1 (sum_j lambda_j / (1 + lambda_j m) + rest)`` just above the real axis.

    The start is the sample's own m, far above it.
    """
    samples = values.size
    m: NDArray[np.complex128] = (1 / (values - at[:, None] * (1 + 0.3j))).mean(1)
    for height in (0.3, 0.1, 0.03, 0.01, 0.003, 1e-3, 1e-4, 1e-5):
        z = at * (1 + 1j * height) - rest / samples
        for _ in range(100):
            response = population / (1 + population * m[:, None])
            step = -(z + 1 / m - response @ weight / samples) / (response**2 @ weight / samples - 1 / m**2)
            for _ in range(40):
                wrong = ((m + step).imag <= 0.1 * m.imag) | (np.abs(step) > 0.5 * np.abs(m))
                if not wrong.any():
                    break
                step[wrong] /= 2
            m = m + step
            if np.all(np.abs(step) < 1e-9 * np.abs(m)):
                break
    return m


@dataclass(frozen=True)
class _Means:
    """Parts of the mean of t_k, of bins of modes: the law for a source, modes before the window, and a constant."""

    mode: Array  # mean mode number of a bin
    along: Array  # its mean t_k
    size: Array  # modes in it
    shift: Array  # eigenvalue of the population over that of the sample
    edges: Array  # number of the last mode before each bin, and of the last of all
    width: Array  # modes over which a mode of the population spreads, to one side
    response: Array  # of the bin to a node of the law, weights included
    x: Array  # log k of the nodes, less that of the first mode of the window
    head: Array
    floor: float  # noise that is given

    def law(self, exponents: Array) -> Array:
        """Return the parts that follow the law of unit power at the first mode of the window, a row for each exponent."""
        return np.asarray(np.exp(-np.outer(exponents, self.x)) @ self.response.T)

    def exchange(self) -> Array:
        """Return the covariance of the relative t of bins over that of single normal t_k, where coefficients follow the law.

        A bin holds the share f of a mode, that of a Lorentzian. What one bin lacks others have: with several bins the covariance
        is that of a multinomial law, ``f (1 - f)`` and ``-f f'``, summed over modes, over the sums of f.
        """
        mode = np.arange(1.0, 3 * self.edges[-1])
        reach = [
            np.arctan((edge[:, None] + 0.5 - mode) / self.width[:, None]) for edge in (self.edges[:-1], self.edges[1:])
        ]
        share = (reach[1] - reach[0]) / math.pi
        total = share.sum(1)
        return np.asarray(np.diag(1 / total) - share @ share.T / np.outer(total, total))

    def random(self) -> Array:
        """Return the scatter of bins over that of normal t_k, where coefficients follow the law: 0 where no mode mixes."""
        return np.asarray(np.minimum(1.0, self.size * np.diag(self.exchange())))

    def joined(self, width: float) -> _Means:
        """Return wider bins."""
        edges = _edges(self.edges, width)
        start = np.searchsorted(self.edges, edges[:-1])

        def mean(one: Array) -> Array:
            weight = self.size.reshape(-1, *[1] * (one.ndim - 1))
            return np.asarray(np.add.reduceat(one * weight, start) / np.add.reduceat(weight, start))

        return _Means(
            mean(self.mode),
            mean(self.along),
            np.diff(edges),
            mean(self.shift),
            edges,
            mean(self.width),
            mean(self.response),
            self.x,
            mean(self.head),
            self.floor,
        )


def _edges(allowed: Array, width: float) -> Array:
    """Return edges of bins of a relative width, of those allowed."""
    found = [allowed[0]]
    while found[-1] < allowed[-1]:
        least = found[-1] + max(1, round(width * found[-1]))
        found.append(allowed[min(np.searchsorted(allowed, least), allowed.size - 1)])
    return np.array(found)


def _profile(parts: _Means, law: Array, scatter: Array, start: Array) -> tuple[Array, Array]:
    """Minimize the deviance over amplitude and constant, for each row of the law; return it and the logarithms of both."""
    weight = parts.size / scatter
    base = parts.head + parts.floor

    def deviance(at: Array) -> tuple[Array, Array, Array, Array]:
        signal, rest = np.exp(at[:, :1]) * law, np.exp(at[:, 1:]) * np.ones_like(law)
        mean = signal + rest + base
        return 2 * ((np.log(mean) + parts.along / mean) @ weight), signal / mean, rest / mean, parts.along / mean - 1

    at, damping = start.copy(), np.full(len(law), 1e-3)
    value, *found = deviance(at)
    for _ in range(200):
        signal, rest, excess = found
        a, b, d = (signal**2) @ weight, (signal * rest) @ weight, (rest**2) @ weight
        up, on = (signal * excess) @ weight, (rest * excess) @ weight
        aa, dd = a * (1 + damping) + 1e-9, d * (1 + damping) + 1e-9
        step = np.stack([dd * up - b * on, aa * on - b * up], axis=1) / (aa * dd - b * b)[:, None]
        new = at + np.clip(step, -2, 2)
        new[:, 1] = np.maximum(new[:, 1], _NOTHING)
        lower, *candidate = deviance(new)
        good = lower <= value + 1e-10
        done = np.where(good, value - lower < 1e-6, damping > 1e6)
        at[good], value = new[good], np.where(good, lower, value)
        found = [np.where(good[:, None], one, other) for one, other in zip(candidate, found, strict=True)]
        damping = np.where(good, damping / 10, np.maximum(damping, 1e-4) * 10)
        if done.all():
            break
    return value, at


def _means(power: Array, values: Array, known: int, law: _Capacity, floor: float) -> _Means:
    """Bin the modes of the window, and compute what their means respond to."""
    samples, first = values.size, law.head.size + 1
    last = int(TARGET_SHARE * known)
    edges = _edges(np.arange(first - 1.0, last + 1), _WIDTH)
    size = np.diff(edges)
    start = edges[:-1].astype(int)

    def bins(one: Array) -> Array:
        return np.asarray(np.add.reduceat(one[:last], start) / size)

    x, weight = _nodes(first, known, samples)
    population = np.concatenate([law.head, np.exp(law.level - law.slope * x)])
    at = bins(values)
    m = _stieltjes(at, values, population, np.concatenate([np.ones(first - 1), weight]), law.rest)
    response = 1 / np.abs(1 + population * m[:, None]) ** 2
    k = bins(np.arange(1.0, samples + 1))
    width = math.pi * k**2 / (law.slope**2 * samples)
    head = response[:, : first - 1] @ power[: first - 1] / samples
    # The mode number of a sample's eigenvalue by the density of the theory, from that of the resonance at the first.
    resonance = -m[0].real / abs(m[0]) ** 2
    density = samples / math.pi * at * m.imag
    first_number = math.exp((law.level - math.log(resonance)) / law.slope)
    number = first_number + cumulative_trapezoid(density, -np.log(at), initial=0)
    shift = np.exp(law.level - law.slope * np.log(number)) / at
    following = response[:, first - 1 :] * weight
    return _Means(k, bins(power), size, shift, edges, width, following, x - math.log(first), head, floor)


@dataclass(frozen=True)
class _Source:
    """Law of the target."""

    source: float
    interval: tuple[float, float]  # 95 %, for the given slope of the eigenvalues
    amplitude: float
    constant: float  # noise and modes beyond the law
    constant_error: float
    bend: float  # slope of log p against log k in the upper half less that in the lower
    bend_error: float
    lost: bool  # whether the window could be without target
    resolved: float  # last mode whose own power is half of what is seen along it
    mean: Array  # of each bin
    signal: Array  # what the law adds to it


def _fit_source(parts: _Means, slope: float, mixed: float) -> _Source:
    """Fit source, amplitude and constant by the deviance of a gamma law, whose scatter is fitted as well."""
    source = np.linspace(_SMALLEST_SOURCE, LARGEST_SOURCE, 51)
    single, parts = parts, parts.joined(_WIDE)
    law, random = parts.law(1 + slope * source), parts.random()
    scatter = np.full(parts.size.size, mixed)
    level = np.log(np.maximum([parts.along[0], parts.along[-1]], 1e-300))
    starts = [
        np.stack([level[0] - np.log(law[:, 0]), np.full(source.size, level[1] + shift)], axis=1)
        for shift in (-14.0, -5.0, 0.5)
    ]
    runs = [_profile(parts, law, scatter, start) for start in starts]
    at = np.stack([one[1] for one in runs])[np.argmin([one[0] for one in runs], axis=0), np.arange(source.size)]
    deviance = np.min([one[0] for one in runs], axis=0)
    own = 1.0
    for _ in range(3):
        best = int(deviance.argmin())
        mean, signal = _mean(single, 1 + slope * source[best], at[best])
        mixed, own = _scatter(single, signal / mean, mean, mixed, own)
        mean, signal = _mean(parts, 1 + slope * source[best], at[best])
        scatter = mixed * (1 - (signal / mean) ** 2 * (1 - own) * (1 - random))
        deviance, at = _profile(parts, law, scatter, at)
    for _ in range(2):  # a finer grid where the deviance is low
        near = np.flatnonzero(deviance < deviance.min() + 4 * _CUT)
        ends = source[[max(near[0] - 1, 0), min(near[-1] + 1, source.size - 1)]]
        fine = np.linspace(ends[0], ends[1], 51)
        start = np.stack([np.interp(fine, source, column) for column in at.T], axis=1)
        source, law = fine, parts.law(1 + slope * fine)
        deviance, at = _profile(parts, law, scatter, start)
    best = int(deviance.argmin())
    even = np.full(scatter.size, mixed)  # the law may not have made itself more certain
    (seen,), _ = _profile(parts, law[[best]], even, at[[best]])
    (unseen,), _ = _profile(parts, np.zeros((1, even.size)), even, at[[best]])
    lost = bool(unseen - seen < _SEEN)
    everything = (_SMALLEST_SOURCE, LARGEST_SOURCE)
    exponent, constant = 1 + slope * source[best], math.exp(at[best, 1])
    mean, signal = _mean(parts, exponent, at[best])
    # Bend and constant to first order: their columns, beside those of the amplitude and the exponent.
    weight = np.exp(at[best, 0] - exponent * parts.x)
    certain = parts.size * (signal / mean) ** 2 / scatter
    middle = float(certain @ np.log(parts.mode / (single.edges[0] + 1)) / certain.sum())
    shapes = [np.ones_like(parts.x), -parts.x, -0.5 * np.abs(parts.x - middle)]
    columns = np.stack([*(parts.response @ (weight * shape) for shape in shapes), np.ones_like(mean)], axis=1)
    covariance = np.diag(scatter / parts.size * mean**2)
    residual = parts.along - mean
    # The deviance takes bins as independent; what they exchange makes the exponent more certain.
    relative = signal / mean * math.sqrt(mixed * max(0.0, 1 - own))
    exchange = relative * parts.exchange() * relative[:, None]
    np.fill_diagonal(exchange, scatter / parts.size)
    narrow = _sharpness(columns[:, [0, 1, 3]] / mean[:, None], scatter / parts.size, exchange)
    bent, errors = _least_squares(columns, residual, covariance)
    _, straight = _least_squares(columns[:, [0, 1, 3]], residual, covariance)
    amplitude = math.exp(at[best, 0]) * (single.edges[0] + 1) ** exponent
    mean, signal = _mean(single, exponent, at[best])
    hidden = np.flatnonzero(signal < 0.5 * mean)
    return _Source(
        source=float(source[best]),
        interval=everything if lost else _crossings(source, (deviance - deviance[best]) / narrow, best),
        amplitude=float(amplitude),
        constant=constant,
        constant_error=float(straight[2]),
        bend=float(bent[2]),
        bend_error=float(errors[2]),
        lost=lost,
        resolved=float(single.mode[hidden[0]] if hidden.size else single.mode[-1]),
        mean=mean,
        signal=signal,
    )


def _sharpness(columns: Array, variance: Array, covariance: Array) -> float:
    """Return the variance of the second coefficient of a weighted fit over what it is for independent residuals, at most 1."""
    weighted = columns / variance[:, None]
    size = np.sqrt((columns * weighted).sum(0))
    inverse = np.linalg.pinv((columns / size).T @ (weighted / size))
    true = inverse @ (weighted / size).T @ covariance @ (weighted / size) @ inverse
    return float(np.clip(true[1, 1] / inverse[1, 1], _SMALLEST_GAIN, 1.0))


def _mean(parts: _Means, exponent: float, at: Array) -> tuple[Array, Array]:
    """Return the mean t_k of bins, and what the law adds to it, from the logarithms of amplitude and constant."""
    signal = np.exp(at[0]) * parts.law(np.array([exponent]))[0]
    return signal + np.exp(at[1]) + parts.head + parts.floor, signal


def _scatter(parts: _Means, share: Array, mean: Array, mixed: float, own: float) -> tuple[float, float]:
    """Return the variance of t_k over its squared mean where modes mix, and what coefficients add to it, from 0 on.

    The first is that of normal variables at least. The second is 1 for normal coefficients, and 0 where they follow the law.
    """
    excess = parts.size * (parts.along / mean - 1) ** 2
    room = share**2 * (1 - parts.random())
    expected = 1 - room * (1 - own)
    if np.any(room < 0.5):
        mixed = max(mixed, float(np.mean((excess / expected)[room < 0.5])))
    beyond = excess / mixed - 1 + room
    found = max(0.0, float((room * beyond / expected**2).sum() / max((room**2 / expected**2).sum(), 1e-300)))
    count = float((room**2).sum())
    return mixed, (count * found + _DOUBT) / (count + _DOUBT)


def _crossings(x: Array, rise: Array, best: int) -> tuple[float, float]:
    """Return where the deviance has risen by the 95 % quantile, on either side of its minimum, or the end of the grid."""
    root = np.sqrt(np.maximum(rise, 0))
    ends = []
    for side in (slice(best, None, -1), slice(best, None)):
        above = np.flatnonzero(root[side] > NORMAL_95)
        until = slice(0, above[0] + 1) if above.size else slice(0, None)
        ends.append(float(np.interp(NORMAL_95, np.maximum.accumulate(root[side][until]), x[side][until])))
    return ends[0], ends[1]


def _modes(
    values: Array, power: Array, known: int, parts: _Means, law: _Capacity, target: _Source
) -> tuple[Array, Array]:
    """Return eigenvalues and powers of the population, to the last mode known."""
    first = law.head.size + 1
    last = int(min(max(target.resolved, first), known * LAST_SHARE))
    mode = np.arange(first, last + 1)

    def at(one: Array) -> Array:
        return np.asarray(np.interp(np.log(mode), np.log(parts.mode), one))

    other, signal = target.mean - target.signal, np.exp(at(np.log(np.maximum(target.signal, 1e-300))))
    expected = target.amplitude * mode ** (-1 - law.slope * target.source)
    following = expected * (power[first - 1 : last] - at(other)) / signal
    before = (power[: first - 1] - other[0]) / values.size
    return (
        np.concatenate([law.head, values[first - 1 : last] * at(parts.shift)]),
        np.concatenate([before, following]),
    )
