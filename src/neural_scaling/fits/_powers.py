"""Sums of powers fitted to the logarithm of a loss by a Huber loss: many starts and many weightings side by side.

A law is ``log f = log sum_j exp(c_j - p_j . x)`` with x the logarithms of N, D and B about their means, free coefficients c and
decay exponents p that follow from a few parameters. The Newton step of the Huber loss is damped by the quadratic above it and
kept only where the loss falls; parameters stay in a box. The first axis S of arrays counts fits.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neural_scaling.fits.offset import LARGEST_EXPONENT, LEAST_EXPONENT
from neural_scaling.fits.power_law import FloatArray
from neural_scaling.theory.loss_law import BOTTLENECK, GRADIENT_FLOW, SGD, TRANSIENT, Version, decay_exponents

Law = Literal["chinchilla", "time", "lazy", "rich"]

#: Residual in log loss from which on its size counts, no longer its square (Hoffmann et al. 2022).
HUBER = 1e-3
FLOOR = "floor"
#: Logarithms of coefficients over the typical loss, in the middle of the points. At the least one a term is absent.
LEAST_LOG, LARGEST_LOG = -18.0, 12.0
LEAST_CAPACITY = 1 + LEAST_EXPONENT
_SOURCE_EDGES = (LEAST_EXPONENT, 1.0, 2.0, LARGEST_EXPONENT)  # exponents of the theory have kinks in beta at 1 and 2
_STEP = 1e-6  # for derivatives of exponents, smooth between the kinks
_ROUNDS = 400
_DAMPING = 1e-8, 1e8
_CHUNK = 1_000_000  # numbers in the largest array


@dataclass(frozen=True)
class Form:
    """Terms of a law, and how their exponents follow from its parameters."""

    law: Law
    version: Version
    noisy: bool  # whether there is a term for the noise of finite batches

    @property
    def terms(self) -> tuple[str, ...]:
        """Names of the terms, the floor first."""
        if self.law in {"chinchilla", "time"}:
            return (FLOOR, "N", "D") if self.law == "chinchilla" else (FLOOR, "D")
        return (FLOOR, GRADIENT_FLOW, BOTTLENECK, TRANSIENT, *([SGD] if self.noisy else []))

    @property
    def exponent_names(self) -> tuple[str, ...]:
        """Names of the parameters of the exponents."""
        return {"chinchilla": ("a", "b"), "time": ("b",)}.get(self.law, ("alpha", "beta"))

    def boxes(self) -> tuple[FloatArray, FloatArray]:
        """Return least and largest parameters, of each stretch of the last one between kinks, shape (stretches, P)."""
        logs = [(LEAST_LOG, LARGEST_LOG)] * len(self.terms)
        if self.law in {"chinchilla", "time"}:
            ranges = [[(LEAST_EXPONENT, LARGEST_EXPONENT)] * len(self.exponent_names)]
        else:
            ranges = [[(LEAST_CAPACITY, LARGEST_EXPONENT), stretch] for stretch in pairwise(_SOURCE_EDGES)]
        low, high = np.moveaxis(np.array([[*logs, *one] for one in ranges]), -1, 0)
        return low, high

    def exponents(self, shape: FloatArray) -> FloatArray:
        """Return decay exponents in N, D and B for parameters of shape (S, Q), shape (S, terms, 3)."""
        out = np.zeros((len(shape), len(self.terms), 3))
        if self.law == "chinchilla":
            out[:, 1, 0], out[:, 2, 1] = shape.T
        elif self.law == "time":
            out[:, 1, 1] = shape[:, 0]
        else:
            powers = decay_exponents(shape[:, 0], shape[:, 1], self.version, self.law == "rich")
            out[:, 1:] = powers[: len(self.terms) - 1, [1, 0, 2]].transpose(2, 0, 1)
        return out

    def slopes(self, shape: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
        """Return derivatives of the exponents within bounds, shape (S, terms, 3, Q)."""
        step = _STEP * np.eye(shape.shape[1])[:, None]
        ends = np.stack([np.minimum(shape + step, high), np.maximum(shape - step, low)])
        found = self.exponents(ends.reshape(-1, shape.shape[1])).reshape(*ends.shape[:3], len(self.terms), 3)
        gap = (ends[0] - ends[1]).sum(axis=-1)
        return np.moveaxis((found[0] - found[1]) / gap[..., None, None], 0, -1)


@dataclass(frozen=True)
class Points:
    """Points to fit: x of shape (n, 3) about its mean, and y, the logarithm of the loss about that of the typical loss."""

    x: FloatArray
    y: FloatArray

    def parts(self, form: Form, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the logarithm of the law, shape (S, n), and the share of each term, shape (S, terms, n)."""
        number = len(form.terms)
        terms = theta[:, :number, None] - form.exponents(theta[:, number:]) @ self.x.T
        top = terms.max(axis=1, keepdims=True)
        terms = np.exp(terms - top)
        total = terms.sum(axis=1, keepdims=True)
        return (top + np.log(total))[:, 0], terms / total

    def value(self, form: Form, theta: FloatArray, weight: FloatArray) -> FloatArray:
        """Return the weighted sum of Huber losses, shape (S,)."""
        return _huber(self.parts(form, theta)[0] - self.y, weight)


def _huber(missed: FloatArray, weight: FloatArray) -> FloatArray:
    size = np.abs(missed)
    losses = np.where(size < HUBER, 0.5 * size**2, HUBER * (size - 0.5 * HUBER))
    return np.asarray(np.sum(weight * losses, axis=1))


@dataclass(frozen=True)
class Optima:
    """Where the minimisations ended, shape (S, P), with what they reached and whether they came to rest, shape (S,)."""

    theta: FloatArray
    value: FloatArray
    settled: NDArray[np.bool_]

    def put(self, rows: NDArray[np.intp], other: Optima) -> None:
        """Replace some."""
        self.theta[rows], self.value[rows], self.settled[rows] = other.theta, other.value, other.settled


def minimise(
    points: Points,
    form: Form,
    start: FloatArray,
    low: FloatArray,
    high: FloatArray,
    weight: FloatArray | None = None,
    rounds: int = _ROUNDS,
) -> Optima:
    """Minimise from each start, shape (S, P), in boxes of that shape, with weights of shape (S, n)."""
    shape = (len(start), points.y.size)
    weight = np.ones(shape) if weight is None else np.broadcast_to(weight, shape)
    size = max(1, _CHUNK // (points.y.size * (start.shape[1] + len(form.terms))))
    found = []
    for first in range(0, len(start), size):
        mine = slice(first, first + size)
        found.append(_minimise(points, form, start[mine], low[mine], high[mine], weight[mine], rounds))
    return Optima(*(np.concatenate([getattr(one, name) for one in found]) for name in ("theta", "value", "settled")))


def _minimise(
    points: Points, form: Form, start: FloatArray, low: FloatArray, high: FloatArray, weight: FloatArray, rounds: int
) -> Optima:
    theta = np.clip(start, low, high)
    logs, shares = points.parts(form, theta)
    value = _huber(logs - points.y, weight)
    damping, settled = np.ones(len(theta)), np.zeros(len(theta), dtype=bool)
    moving = np.arange(len(theta))
    gradient, hessian, above = _derivatives(points, form, theta, low, high, weight, logs, shares)
    for _ in range(rounds):
        here, least, most = theta[moving], low[moving], high[moving]
        held = ((here <= least) & (gradient > 0)) | ((here >= most) & (gradient < 0))
        step = _steps(np.where(held, 0.0, gradient), hessian, above, damping[moving], held)
        trial = np.clip(here + step, least, most)
        logs, shares = points.parts(form, trial)
        reached = _huber(logs - points.y, weight[moving])
        gain = value[moving] - reached
        better = gain > 0
        theta[moving[better]], value[moving[better]] = trial[better], reached[better]
        damping[moving] = np.clip(damping[moving] * np.where(better, 0.2, 5.0), *_DAMPING)
        small = (
            (np.abs(trial - here).max(axis=1) < 1e-9)
            | (better & (gain <= 1e-13 * value[moving]))
            | (~better & (damping[moving] >= _DAMPING[1]))
        )
        settled[moving[small]] = True
        changed = better & ~small
        if changed.any():
            rows = moving[changed]
            at = (theta[rows], low[rows], high[rows], weight[rows], logs[changed], shares[changed])
            gradient[changed], hessian[changed], above[changed] = _derivatives(points, form, *at)
        moving = moving[~small]
        if moving.size == 0:
            break
        gradient, hessian, above = gradient[~small], hessian[~small], above[~small]
    return Optima(theta, value, settled)


def _derivatives(
    points: Points,
    form: Form,
    theta: FloatArray,
    low: FloatArray,
    high: FloatArray,
    weight: FloatArray,
    logs: FloatArray,
    shares: FloatArray,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return gradient, Hessian and the quadratic form above the loss, (S, P), (S, P, P) and (S, P, P)."""
    number = len(form.terms)
    slopes = form.slopes(theta[:, number:], low[:, number:], high[:, number:])
    # How each term responds to the parameters of the exponents: (S, terms, Q, n).
    response = -np.swapaxes(slopes, 2, 3) @ points.x.T
    own = shares[:, :, None] * response
    jacobian = np.concatenate([shares, own.sum(axis=1)], axis=1)  # (S, P, n)
    missed = logs - points.y
    size = np.abs(missed)
    bent = size < HUBER
    force = weight * np.clip(missed, -HUBER, HUBER)
    gradient = (jacobian @ force[:, :, None])[:, :, 0]
    above = (jacobian * (weight * HUBER / np.maximum(size, HUBER))[:, None]) @ np.swapaxes(jacobian, 1, 2)
    hessian = (jacobian * (weight * bent - force)[:, None]) @ np.swapaxes(jacobian, 1, 2)
    pull = own @ force[:, None, :, None]
    span = np.arange(number)
    hessian[:, span, span] += (shares @ force[:, :, None])[:, :, 0]
    hessian[:, :number, number:] += pull[..., 0]
    hessian[:, number:, :number] += np.swapaxes(pull[..., 0], 1, 2)
    hessian[:, number:, number:] += ((own * force[:, None, None]) @ np.swapaxes(response, 2, 3)).sum(axis=1)
    return gradient, hessian, above


def _steps(
    gradient: FloatArray, hessian: FloatArray, above: FloatArray, damping: FloatArray, held: NDArray[np.bool_]
) -> FloatArray:
    """Return damped Newton steps of the parameters that are not held."""
    matrix = hessian + damping[:, None, None] * above
    matrix = np.where(held[:, :, None] | held[:, None, :], 0.0, matrix)
    span = np.arange(matrix.shape[1])
    scale = np.abs(above[:, span, span])
    ridge = 1e-12 * scale.max(axis=1, keepdims=True) + np.maximum(damping, 1e-6)[:, None] * 1e-6 * scale + 1e-300
    matrix[:, span, span] += np.where(held, 1.0, ridge)
    return np.asarray(-np.linalg.solve(matrix, gradient[:, :, None])[:, :, 0])
