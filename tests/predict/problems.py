"""Made-up tasks."""

import itertools
import math
from dataclasses import dataclass

import numpy as np

from neural_scaling.spectra import PowerLaw

_CHUNK = 2000


def kernel_of(law, samples, random, modes=3000, coefficients=None):
    """Return kernel and targets of Gaussian features; modes behind the first act as white noise of both.

    Coefficients are those of the law unless they are given.
    """
    first, rest = PowerLaw(law.alpha, law.beta, modes).spectrum(), law.tail(modes + 1, 1.0)
    features = random.standard_normal((samples, modes)) * np.sqrt(first.eigenvalues)
    known = features @ (first.target if coefficients is None else coefficients)
    targets = known + np.sqrt(rest.initial_loss) * random.standard_normal(samples)
    return features @ features.T + rest.trace * np.eye(samples), targets


def sample(random, samples, eigenvalues, coefficients):
    """Return the kernel of Gaussian features of these variances, and targets (samples, outputs).

    Large modes are multiplied in float64, later ones in float32, whose rounding is small against the sum.
    """
    kernel, targets = np.zeros((samples, samples)), np.zeros((samples, coefficients.shape[1]))
    edges = [0, 256, *range(256 + _CHUNK, eigenvalues.size, _CHUNK), eigenvalues.size]
    for start, end in itertools.pairwise(edges):
        kind = np.float32 if start else np.float64
        features = random.standard_normal((samples, end - start), dtype=kind)
        features *= np.sqrt(eigenvalues[start:end]).astype(kind)
        kernel += features @ features.T
        targets += features @ coefficients[start:end].astype(kind)
    return kernel, targets


def power_law(capacity, source, modes):
    """Return eigenvalues and coefficients."""
    mode = np.arange(1, modes + 1.0)
    eigenvalues = mode**-capacity
    return eigenvalues, np.sqrt(mode ** (-capacity * source - 1) / eigenvalues)


@dataclass(frozen=True)
class Recovery:
    """Exponents of a draw with its kernel and targets."""

    capacity: float
    source: float
    noise: float
    kernel: np.ndarray
    targets: np.ndarray


def recovery(seed, samples=None):
    """Return a task drawn for the recovery of its exponents, with noise of 1 % of the variance or without."""
    random = np.random.default_rng([20_417, seed])
    samples = samples or round(1000 * 3 ** random.random())
    capacity, source, share = random.uniform(1.2, 3), random.uniform(0.2, 2), 0.01 * random.integers(2)
    eigenvalues, coefficients = power_law(capacity, source, 10 * samples)
    kernel, targets = sample(random, samples, eigenvalues, coefficients[:, None])
    noise = share * float(np.mean(targets**2))
    targets = targets[:, 0] + math.sqrt(noise) * random.standard_normal(samples)
    return Recovery(capacity, source, noise, kernel, targets)
