"""Power laws that end at a constant, one for a curve or one for several: what cannot be learned, beside the law without it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtrit

from neural_scaling.base.arrays import ArrayValue
from neural_scaling.base.checks import array, require
from neural_scaling.fits.power_law import FloatArray, check_curve, check_errors, correlated

#: Exponents that are told apart from a constant below and from a single first point above.
LEAST_EXPONENT, LARGEST_EXPONENT = 1e-3, 10.0
_EXPONENTS = np.geomspace(LEAST_EXPONENT, LARGEST_EXPONENT, 185)  # five percent apart
_INSIDE = 33  # points of each closer look at a stretch of exponents
_LOOKS = 12  # each closer by a factor of 16
_CLOSE = 1e-11  # relative; noise of 1e-6 leaves errors of about as much
_ACROSS = 200  # exponents across an interval, at which offsets are looked for
_TINY = 1e-300
_OFFSETS = 60  # from nothing to the lowest loss
_ZOOMS = 20  # each by four at least, as long as fewer than a quarter are accepted
_GENEROUS = 6.0  # times as far chi squared may rise before the noise is known
_HALVINGS = 40
_GOLDEN = (1 + math.sqrt(5)) / 2
_CORRELATIONS = np.linspace(0, 0.99, 100)
#: Quantile of chi squared with one degree of freedom: by how much it must fall for one more parameter.
ONE_PARAMETER_95 = 3.841458820694124


@dataclass(frozen=True)
class OffsetFit:
    """Fit of ``L = offset + prefactor * t^-exponent``, neither offset nor prefactor negative.

    Attributes
    ----------
    exponent, prefactor, offset
        Best values.
    interval, offset_interval
        95 % intervals: the values at which chi squared, the others at their best, exceeds its minimum by less than 3.84. This
        limit is raised where the best fit misses more than the errors allow, and where its residuals show that the noise is
        correlated. An interval that reaches an end of 1e-3 to 10 in the exponent is open there (0 or infinity). An offset
        that is nothing is covered from above only, and so too often.
    chi2
        Sum of squared deviations over squared errors.
    chi2_without
        That of the best power law without an offset.
    points
        Number of points.
    at_bound
        Whether the best exponent lies at an end of its range, or the best prefactor is zero because the curve does not fall. Then
        no value means anything, and both intervals are open.
    correlation
        Correlation of neighbouring points where the residuals show one, as of an autoregressive process; else 0. It shows
        with some forty points or more.
    """

    exponent: float
    prefactor: float
    offset: float
    interval: tuple[float, float]
    offset_interval: tuple[float, float]
    chi2: float
    chi2_without: float
    points: int
    at_bound: bool
    correlation: float

    @property
    def gain(self) -> float:
        """By how much the offset lowers chi squared, in units of what the best fit misses per degree of freedom (or 1)."""
        return (self.chi2_without - self.chi2) / max(1.0, self.chi2 / max(self.points - 3, 1))


def fit_offset_power_law(t: ArrayLike, L: ArrayLike, sigma: ArrayLike) -> OffsetFit:
    """Fit a power law with a non-negative offset by weighted least squares.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values, shape (T,).
    sigma
        Their standard errors, shape (T,). Noise is normal, and independent or that of an autoregressive process.

    Raises
    ------
    InputError
        If the curve is not valid, errors are not positive, or there are fewer than four points.
    """
    time, value = check_curve(t, L)
    require(time.size >= 4, "t", f"has {time.size} points", "give at least four")
    curve = _Curve(time / time[0], value, check_errors(sigma, time.shape) ** -2)
    coarse = curve.profile(_EXPONENTS)
    exponent, (chi2, offset, prefactor) = curve.least(coarse, "chi2", "offset", "prefactor")
    _, (alone,) = curve.least(coarse, "without")
    noise = _noise([curve], offset, np.array([exponent]), np.array([prefactor]))
    limits = chi2 + ONE_PARAMETER_95 * noise.rise
    at_bound = prefactor == 0 or bool(_at_end(exponent))
    low, high = (curve.until(exponent, coarse.chi2, limits[1], end) for end in (LEAST_EXPONENT, LARGEST_EXPONENT))
    if prefactor == 0 or curve.flat <= limits[1]:  # without a prefactor any exponent will do
        low, high = LEAST_EXPONENT, LARGEST_EXPONENT
    return OffsetFit(
        exponent,
        prefactor * float(time[0]) ** exponent,
        offset,
        _open(low, high),
        (0.0, math.inf) if at_bound else curve.offsets(exponent, coarse.chi2, limits[0]),
        chi2,
        alone,
        int(time.size),
        at_bound,
        noise.correlation,
    )


@dataclass(frozen=True, eq=False)
class CommonOffsetFit(ArrayValue):
    """Fit of ``L_i = offset + prefactor_i * t^-exponent_i`` with one offset for several curves, nothing of it negative.

    Attributes
    ----------
    offset
        Best value.
    offset_interval
        95 % interval from the profile of chi squared, as in :class:`OffsetFit`; its limit is raised by as much as noise that the
        curves share widens it.
    exponents
        Best values, shape (K,).
    intervals
        95 % intervals, shape (K, 2): the exponents that any offset leaves possible, the other curves at their best for it. One
        that reaches 1e-3 or 10 is open there (0 or infinity).
    at_bound
        Shape (K,): whether an exponent lies at an end of its range or its curve does not fall. Where one does, no value means
        anything, and all intervals are open.
    correlation
        Of neighbouring points, as in :class:`OffsetFit`.
    """

    offset: float
    offset_interval: tuple[float, float]
    exponents: FloatArray
    intervals: FloatArray
    at_bound: NDArray[np.bool_]
    correlation: float


def fit_common_offset(t: ArrayLike, L: ArrayLike, sigma: ArrayLike) -> CommonOffsetFit:
    """Fit power laws with a common non-negative offset by weighted least squares.

    Curves may share their noise, as losses on the same batches do. How far it is shared is taken from the correlation of the
    residuals.

    Parameters
    ----------
    t
        Increasing positive abscissae, shape (T,).
    L
        Positive values of K curves, shape (K, T).
    sigma
        Their standard errors, shape (K, T). Noise along a curve is as in :func:`fit_offset_power_law`.

    Raises
    ------
    InputError
        If there is no curve, one is not valid, errors are not positive, or there are fewer than four points.
    """
    time = array(t, "t", above=0, fewest=4, order="rising")
    values = array(L, "L", axes=2, above=0)
    require(values.shape[1] == time.size, "L", f"shape {values.shape}", f"give curves of {time.size} values")
    errors = check_errors(sigma, values.shape)
    curves = [_Curve(time / time[0], value, error**-2) for value, error in zip(values, errors, strict=True)]
    lowest = float((values + 5 * errors).min())  # noise may take values below the constant
    # Evenly from nothing to the lowest loss, and ever closer to it, where a curve has come down to the constant.
    offsets = lowest * np.union1d(np.linspace(0, 1, _OFFSETS), 1 - np.geomspace(1e-9, 1, _OFFSETS))
    noise, rise = None, np.full(1 + len(curves), _GENEROUS * len(curves))
    for zoom in range(_ZOOMS + 1):
        exponents = np.stack([curve.best(offsets) for curve in curves])
        total = np.sum([curve.chi2(offsets, row) for curve, row in zip(curves, exponents, strict=True)], axis=0)
        best = int(np.argmin(total))
        limits = total[best] + ONE_PARAMETER_95 * rise
        accepted = np.flatnonzero(total <= limits.max())
        if noise is None and zoom and (accepted.size > _OFFSETS / 4 or zoom == _ZOOMS - 1):
            at = [curve.law(offsets[[best]], row[[best]])[1][0] for curve, row in zip(curves, exponents, strict=True)]
            prefactors = np.array(at)
            noise = _noise(curves, float(offsets[best]), exponents[:, best], prefactors)
            limits = total[best] + ONE_PARAMETER_95 * noise.rise
            rise, accepted = noise.rise, np.flatnonzero(total <= limits.max())
        if noise is not None and (accepted.size > _OFFSETS / 4 or zoom == _ZOOMS):
            break
        near = offsets[max(accepted[0] - 1, 0)], offsets[min(accepted[-1] + 1, offsets.size - 1)]
        offsets = np.linspace(*near, _OFFSETS)
    assert noise is not None
    at_bound = (prefactors == 0) | _at_end(exponents[:, best])
    if at_bound.any():
        span, intervals = (0.0, math.inf), np.tile([0.0, math.inf], (len(curves), 1))
    else:
        span = _ends(offsets, total, float(limits[0]))
        intervals = np.array([
            curve.between(offsets, row, limit - total)
            for curve, row, limit in zip(curves, exponents, limits[1:], strict=True)
        ])  # fmt: skip
    return CommonOffsetFit(float(offsets[best]), span, exponents[:, best], intervals, at_bound, noise.correlation)


@dataclass(frozen=True)
class _Profile:
    """The best law at each of some exponents, every array of shape (E,).

    ``free`` and ``free_chi2`` are offset and chi squared without regard to signs, ``stiff`` is by how much chi squared rises with
    the square of the distance from that offset, and ``most`` the offset at which nothing is left of the prefactor.
    """

    offset: FloatArray
    prefactor: FloatArray
    chi2: FloatArray
    without: FloatArray
    free: FloatArray
    free_chi2: FloatArray
    stiff: FloatArray
    most: FloatArray


@dataclass(frozen=True)
class _Curve:
    """A curve whose law is known but for offset, prefactor and exponent; arguments of shape (C,) are taken side by side.

    Its first time is 1, so that powers neither overflow nor lose the points that matter.
    """

    time: FloatArray
    value: FloatArray
    weight: FloatArray

    @property
    def flat(self) -> float:
        """Chi squared of the best constant."""
        return float((self.value - self.mean) ** 2 @ self.weight)

    @property
    def mean(self) -> float:
        """That constant."""
        return float(self.value @ self.weight / self.weight.sum())

    def profile(self, exponents: FloatArray) -> _Profile:
        """Return the best law at each exponent."""
        weight, value = self.weight, self.value
        powers = self.time ** -exponents[:, None]
        squares, sums = powers**2 @ weight, powers @ weight
        alone = (powers * weight) @ value / squares
        total = weight.sum()
        mean_x, mean_y = sums / total, value @ weight / total
        centred = powers - mean_x[:, None]
        spread = centred**2 @ weight
        slope = (centred * weight) @ (value - mean_y) / spread
        free = mean_y - slope * mean_x
        free_chi2 = (value - mean_y - slope[:, None] * centred) ** 2 @ weight
        without = (value - alone[:, None] * powers) ** 2 @ weight
        offset = np.where(slope < 0, mean_y, np.maximum(free, 0.0))
        prefactor = np.where(slope < 0, 0.0, np.where(free < 0, alone, slope))
        chi2 = np.where(slope < 0, self.flat, np.where(free < 0, without, free_chi2))
        most = (powers * weight) @ value / sums
        return _Profile(offset, prefactor, chi2, without, free, free_chi2, total * spread / squares, most)

    def least(self, coarse: _Profile, *names: str) -> tuple[float, tuple[float, ...]]:
        """Return the exponent at which the first of these values is least, in ever closer looks, and all of them there."""
        best, exponents = coarse, _EXPONENTS
        for _ in range(_LOOKS):
            found = int(np.argmin(getattr(best, names[0])))
            low, high = exponents[max(found - 1, 0)], exponents[min(found + 1, exponents.size - 1)]
            if high - low < _CLOSE * high:
                break
            exponents = np.geomspace(low, high, _INSIDE)
            best = self.profile(exponents)
        found = int(np.argmin(getattr(best, names[0])))
        return float(exponents[found]), tuple(float(getattr(best, name)[found]) for name in names)

    def until(self, exponent: float, coarse: FloatArray, limit: float, end: float) -> float:
        """Return the exponent towards an end at which chi squared, ``coarse`` at all exponents, exceeds a limit, or that end."""
        beyond = exponent > _EXPONENTS if end == LEAST_EXPONENT else exponent < _EXPONENTS
        rest = np.append(_EXPONENTS[beyond & (coarse <= limit)], exponent)
        inside = float(rest.min() if end == LEAST_EXPONENT else rest.max())
        outside = _EXPONENTS[inside > _EXPONENTS] if end == LEAST_EXPONENT else _EXPONENTS[inside < _EXPONENTS]
        if outside.size == 0:
            return end
        far = float(outside[-1] if end == LEAST_EXPONENT else outside[0])
        while abs(far - inside) > _CLOSE * inside:
            grid = np.geomspace(inside, far, _INSIDE)
            last = int(np.argmax(self.profile(grid[1:]).chi2 > limit))  # the farthest is outside
            inside, far = float(grid[last]), float(grid[last + 1])
        return inside

    def offsets(self, exponent: float, coarse: FloatArray, limit: float) -> tuple[float, float]:
        """Return the offsets between which chi squared stays below a limit at some exponent."""
        low, high = (self.until(exponent, coarse, limit, end) for end in (LEAST_EXPONENT, LARGEST_EXPONENT))
        found = self.profile(np.append(np.geomspace(low, high, _ACROSS), exponent))
        kept = found.chi2 <= limit
        half = np.sqrt(np.maximum(limit - found.free_chi2, 0.0) / found.stiff)
        least = np.maximum(found.free - half, 0.0)[kept]
        most = np.minimum(found.free + half, found.most)[kept]
        if self.flat <= limit:
            most = np.append(most, self.mean + math.sqrt((limit - self.flat) / self.weight.sum()))
        return float(least.min()), float(most.max())

    def law(self, offset: FloatArray, exponent: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return chi squared and the best prefactor, shape (C,) each."""
        power = self.time ** -exponent[:, None]
        left = self.value - offset[:, None]
        prefactor = np.maximum((power * left) @ self.weight / (power**2 @ self.weight), 0.0)
        return (left - prefactor[:, None] * power) ** 2 @ self.weight, prefactor

    def chi2(self, offset: FloatArray, exponent: FloatArray) -> FloatArray:
        """Return chi squared with the best prefactor, shape (C,)."""
        return self.law(offset, exponent)[0]

    def best(self, offset: FloatArray) -> FloatArray:
        """Return the exponent of least chi squared for each offset, shape (C,): golden sections about the best of a grid."""
        grid = np.geomspace(LEAST_EXPONENT, LARGEST_EXPONENT, 50)
        found = self.profile(grid)
        stiff, free, most = found.stiff[:, None], found.free[:, None], found.most[:, None]
        flat = self.weight.sum() * (offset - self.mean) ** 2 + self.flat
        seen = np.where(offset < most, found.free_chi2[:, None] + stiff * (offset - free) ** 2, flat)
        least = np.argmin(seen, axis=0)
        low, high = (np.log(grid[np.clip(least + side, 0, grid.size - 1)]) for side in (-1, 1))
        for _ in range(_HALVINGS):
            step = (high - low) / _GOLDEN
            first, second = high - step, low + step
            left = self.chi2(offset, np.exp(first)) < self.chi2(offset, np.exp(second))
            low, high = np.where(left, low, first), np.where(left, second, high)
        return np.asarray(np.exp((low + high) / 2))

    def between(self, offset: FloatArray, exponent: FloatArray, spare: FloatArray) -> tuple[float, float]:
        """Return the exponents between which chi squared rises by no more than is spare at some offset."""
        kept = spare >= 0
        offset, exponent = offset[kept], exponent[kept]
        most = self.chi2(offset, exponent) + spare[kept]
        ends = []
        for end in (LEAST_EXPONENT, LARGEST_EXPONENT):
            near, far = np.log(exponent), np.full(offset.shape, math.log(end))
            if np.any(self.chi2(offset, np.exp(far)) <= most):
                ends.append(end)
                continue
            for _ in range(_HALVINGS):
                middle = (near + far) / 2
                inside = self.chi2(offset, np.exp(middle)) <= most
                near, far = np.where(inside, middle, near), np.where(inside, far, middle)
            ends.append(float(np.exp(near.min() if end == LEAST_EXPONENT else near.max())))
        return _open(*ends)


def _at_end(exponent: float | FloatArray) -> NDArray[np.bool_]:
    """Return whether exponents lie at an end of their range, but for what the search for them leaves."""
    return (np.asarray(exponent) < LEAST_EXPONENT * (1 + 1e-6)) | (np.asarray(exponent) > LARGEST_EXPONENT * (1 - 1e-6))


def _open(low: float, high: float) -> tuple[float, float]:
    """Return an interval of exponents, open where it reaches an end of the range."""
    return (0.0 if low <= LEAST_EXPONENT else low), (math.inf if high >= LARGEST_EXPONENT else high)


def _ends(offsets: FloatArray, total: FloatArray, limit: float) -> tuple[float, float]:
    """Return where chi squared on a fine grid of offsets crosses a limit, between its points by straight lines."""
    kept = np.flatnonzero(total <= limit)
    ends = []
    for i, j in ((kept[0], kept[0] - 1), (kept[-1], kept[-1] + 1)):
        if not 0 <= j < offsets.size:
            ends.append(float(offsets[i]))
            continue
        share = (limit - total[i]) / (total[j] - total[i])
        ends.append(float(offsets[i] + share * (offsets[j] - offsets[i])))
    return ends[0], ends[1]


@dataclass(frozen=True)
class _Noise:
    """What residuals tell of the noise.

    ``rise`` is the factor by which chi squared may rise farther than for independent noise of the errors given: for the offset,
    then for each exponent, shape (1 + K,). ``correlation`` is that of neighbouring points.
    """

    rise: FloatArray
    correlation: float


def _noise(curves: list[_Curve], offset: float, exponents: FloatArray, prefactors: FloatArray) -> _Noise:
    """Return what the residuals of the best laws tell of the noise.

    Parameters respond linearly to small noise. Their variance follows from this response and the correlations of the noise,
    between curves as the residuals have them, along curves as an autoregressive process would give such residuals.
    """
    number, size = len(curves), curves[0].time.size
    design, missed = np.zeros((number, size, 1 + 2 * number)), np.empty((number, size))
    for k, (curve, exponent, prefactor) in enumerate(zip(curves, exponents, prefactors, strict=True)):
        root, law = np.sqrt(curve.weight), curve.time**-exponent
        columns = np.stack([np.ones(size), law * np.log(curve.time), law], axis=1)
        design[k][:, [0, 1 + k, 1 + number + k]] = root[:, None] * columns
        missed[k] = root * (curve.value - offset - prefactor * law)
    flat = design.reshape(number * size, -1)
    flat = flat / np.linalg.norm(flat, axis=0)
    response = np.linalg.pinv(flat)
    left = np.eye(number * size) - flat @ response
    lag = np.abs(np.subtract.outer(np.arange(size), np.arange(size)))
    # Residuals far below the errors are no noise of these, but what rounding leaves of an exact law.
    told = np.sum(missed**2) > 1e-3 * missed.size
    correlation = _correlation(missed, left, lag) if told and correlated(missed) else 0.0
    along = correlation**lag
    across = np.eye(1)
    if number > 1:
        across = missed @ missed.T
        across /= np.sqrt(np.outer(across.diagonal(), across.diagonal())) + _TINY
        np.fill_diagonal(across, 1.0)
    own = response[: 1 + number].reshape(1 + number, number, size)
    varied = np.einsum("pki,kl,ij,plj->p", own, across, along, own, optimize=True)
    noisy = left @ np.kron(np.eye(number), along)
    expected = noisy.trace()
    scale = max(1.0, float(np.sum(missed**2)) / expected)
    if correlation:  # the scale is then known from few independent residuals: Student's quantile
        scale *= stdtrit(expected**2 / np.sum(noisy * noisy.T), 0.975) ** 2 / ONE_PARAMETER_95
    return _Noise(scale * np.maximum(1.0, varied / np.sum(own**2, axis=(1, 2))), correlation)


def _correlation(missed: FloatArray, left: FloatArray, lag: NDArray[np.int_]) -> float:
    """Return the correlation of neighbours in noise of which a fit leaves residuals with neighbours as correlated as these.

    ``left`` takes noise to residuals. Those of a fit are less correlated than the noise, since the law takes up what is smooth.
    """
    number, size = missed.shape
    found = float(np.sum(missed[:, 1:] * missed[:, :-1]) / np.sum(missed**2))
    neighbours = np.kron(np.eye(number), 0.5 * (lag == 1))
    products, squares = (
        np.array(
            [
                sum(np.sum(matrix[k : k + size, k : k + size][lag == d]) for k in range(0, number * size, size))
                for d in range(size)
            ]
        )
        for matrix in (left @ neighbours @ left, left)
    )
    powers = _CORRELATIONS[:, None] ** np.arange(size)
    return float(np.interp(found, (powers @ products) / (powers @ squares), _CORRELATIONS))
