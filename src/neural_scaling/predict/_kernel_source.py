"""The source of a target on samples, by the second relation of :mod:`~neural_scaling.predict.estimate`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import cumulative_trapezoid

from neural_scaling.base.arrays import Array
from neural_scaling.fits.power_law import NORMAL_95
from neural_scaling.predict._kernel_capacity import Capacity, least_squares, nodes

#: Shares of P that the windows of eigenvalues and of targets end at.
LAST_SHARE = 1 / 3
TARGET_SHARE = 0.9
#: Sources are looked for up to here; above 2 no law of the theory depends on them.
LARGEST_SOURCE = 5.0
SMALLEST_SOURCE = 0.01
_WIDTH, _WIDE = 0.06, 0.25  # of bins of modes, relative to their mode number: to find the scatter, and to fit
_CUT = NORMAL_95**2
_DOUBT = 2  # modes that have to scatter little before it is believed that coefficients do
_SMALLEST_GAIN = 0.1  # of a variance; what is left has parts of the order 1/P
_SEEN = 11.83  # rise of the deviance without target: three standard deviations, for its amplitude and exponent
_NOTHING = -80.0  # logarithm of a constant that is not there


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
class Means:
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

    def joined(self, width: float) -> Means:
        """Return wider bins."""
        edges = _edges(self.edges, width)
        start = np.searchsorted(self.edges, edges[:-1])

        def mean(one: Array) -> Array:
            weight = self.size.reshape(-1, *[1] * (one.ndim - 1))
            return np.asarray(np.add.reduceat(one * weight, start) / np.add.reduceat(weight, start))

        return Means(
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


def _profile(parts: Means, law: Array, scatter: Array, start: Array) -> tuple[Array, Array]:
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


def bin_means(power: Array, values: Array, known: int, law: Capacity, floor: float) -> Means:
    """Bin the modes of the window, and compute what their means respond to."""
    samples, first = values.size, law.head.size + 1
    last = int(TARGET_SHARE * known)
    edges = _edges(np.arange(first - 1.0, last + 1), _WIDTH)
    size = np.diff(edges)
    start = edges[:-1].astype(int)

    def bins(one: Array) -> Array:
        return np.asarray(np.add.reduceat(one[:last], start) / size)

    x, weight = nodes(first, known, samples)
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
    return Means(k, bins(power), size, shift, edges, width, following, x - math.log(first), head, floor)


@dataclass(frozen=True)
class Source:
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


def fit_source(parts: Means, slope: float, mixed: float) -> Source:
    """Fit source, amplitude and constant by the deviance of a gamma law, whose scatter is fitted as well."""
    source = np.linspace(SMALLEST_SOURCE, LARGEST_SOURCE, 51)
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
    everything = (SMALLEST_SOURCE, LARGEST_SOURCE)
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
    bent, errors = least_squares(columns, residual, covariance)
    _, straight = least_squares(columns[:, [0, 1, 3]], residual, covariance)
    amplitude = math.exp(at[best, 0]) * (single.edges[0] + 1) ** exponent
    mean, signal = _mean(single, exponent, at[best])
    hidden = np.flatnonzero(signal < 0.5 * mean)
    return Source(
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


def _mean(parts: Means, exponent: float, at: Array) -> tuple[Array, Array]:
    """Return the mean t_k of bins, and what the law adds to it, from the logarithms of amplitude and constant."""
    signal = np.exp(at[0]) * parts.law(np.array([exponent]))[0]
    return signal + np.exp(at[1]) + parts.head + parts.floor, signal


def _scatter(parts: Means, share: Array, mean: Array, mixed: float, own: float) -> tuple[float, float]:
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


def population_modes(
    values: Array, power: Array, known: int, parts: Means, law: Capacity, target: Source
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
