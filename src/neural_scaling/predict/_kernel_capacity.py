"""The capacity of a kernel on samples, by the first relation of :mod:`~neural_scaling.predict.estimate`."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neural_scaling.base.arrays import Array

FAR = 3.0  # modes beyond this multiple of P are a constant
_RIDGES = 14
_SECOND_ORDER = 0.2  # error of the relation for ridges, relative to df/P; bounds what was seen of Gaussian features
_UNSURE = 0.25  # share of the correction of single eigenvalues that may be wrong; bounds what was seen


@dataclass(frozen=True)
class Capacity:
    """Law of the eigenvalues: ``log lambda = level - slope log k`` from the first mode of the window on."""

    slope: float
    level: float
    rest: float  # sum of the eigenvalues beyond the law
    error: float  # standard error of the slope
    bend: float  # slope of the upper half of the window less that of the lower
    bend_error: float
    head: Array  # eigenvalues of the modes before the window


def fit_capacity(values: Array, known: int, first: int, last: float) -> Capacity:
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
    x = np.linspace(math.log(first - 0.5), math.log(end_of_law(known, samples)), 2000)
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
        step, _ = least_squares(np.stack([columns[i] for i in free], axis=1), misfit, covariance)
        if rest + step[2] < 0:
            free = [0, 1]
            step, _ = least_squares(np.stack(columns[:2], axis=1), misfit + rest / kappa[:, 0], covariance)
            step = np.append(step, -rest)
        damping = min(1.0, 0.5 / max(abs(step[0]), 1e-300))
        slope, level, rest = slope + damping * step[0], level + damping * step[1], rest + damping * step[2]
        if abs(step[0]) < 1e-9:
            break
    _, errors = least_squares(np.stack([columns[i] for i in free], axis=1), misfit, covariance)
    chi = float(misfit @ np.linalg.solve(covariance, misfit)) / (_RIDGES - len(free))
    bends, bend_errors = least_squares(np.stack([columns[i] for i in [*free, 3]], axis=1), misfit, covariance)
    error = math.sqrt(max(1.0, chi)) * float(errors[0])
    bend, bend_error = float(bends[-1]), float(bend_errors[-1])
    return Capacity(float(slope), float(level + slope * middle), float(rest), error, bend, bend_error, head)


def end_of_law(known: int, samples: int) -> float:
    """Return where the law ends: at the rank of the kernel, if that is below P."""
    return known + 0.5 if known < samples else FAR * samples


def _single(found: Array, values: Array) -> Array:
    """Remove from eigenvalues what the other modes add to each; those closer than their scatter do not count."""
    apart = found[:, None] - values
    scatter = 2 / values.size * found[:, None] ** 2
    # A mode is seen by the kernel without it, whose P eigenvalues are the others and one near zero.
    others = 1 + (found[:, None] * apart**3 / (apart**4 + scatter**2)).sum(1)
    return np.asarray(found * values.size / others)


def least_squares(columns: Array, misfit: Array, covariance: Array) -> tuple[Array, Array]:
    """Return the generalized least-squares solution and its standard errors."""
    root = np.linalg.cholesky(covariance)
    design = np.linalg.solve(root, columns)
    size = np.sqrt((design**2).sum(0))
    inverse = np.linalg.inv((design / size).T @ (design / size))
    found = inverse @ ((design / size).T @ np.linalg.solve(root, misfit)) / size
    return found, np.sqrt(np.diag(inverse)) / size


def nodes(first: int, known: int, samples: int) -> tuple[Array, Array]:
    """Return log k and weights of a sum over the modes from the first on, dense enough for the resonances."""
    found = [math.log(first - 0.5)]
    while found[-1] < math.log(end_of_law(known, samples)):
        found.append(found[-1] + min(0.01, 0.15 * math.exp(found[-1]) / samples))
    x = np.array(found)
    return x, np.gradient(x) * np.exp(x) * np.where((x == x[0]) | (x == x[-1]), 0.5, 1.0)
