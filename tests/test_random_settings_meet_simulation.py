"""Theory against plain simulation of eq. 4 at settings drawn at random: online SGD and reused samples."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.spectra import PowerLaw
from oracles.direct_simulation import direct_losses

pytestmark = pytest.mark.slow

STEPS = (1, 5, 15, 40)
SEEDS = 256
COUNT = 14


def drawn(number):
    """Return alpha, beta, gamma, eta, N and either a batch or a number of samples."""
    random = np.random.default_rng([2409, 17858, number])
    alpha, beta, gamma, eta = random.uniform([1.1, 0.2, 0.0, 0.05], [3.0, 2.0, 2.0, 0.25])
    width, data = random.integers(64, 192, 2)
    return float(alpha), float(beta), float(gamma), float(eta), int(width), int(data), number % 2 == 0


# All comparisons together at level 0.001 (Bonferroni, Student's t).
THRESHOLD = student.ppf(1 - 1e-3 / (2 * COUNT * len(STEPS)), SEEDS - 1)


def deviations(number, **wrong):
    alpha, beta, gamma, eta, width, data, online = drawn(number)
    spectrum = PowerLaw(alpha, beta, 80).spectrum()
    kind = "batch" if online else "samples"
    losses = []
    for seed in range(SEEDS):
        random = np.random.default_rng([number, seed])
        start = random.normal(size=(width, spectrum.modes))
        losses.append(direct_losses(spectrum, start, eta, gamma, STEPS[-1], random=random, **{kind: data}))
    losses = np.array(losses)[:, list(STEPS)]
    values = {"gamma": gamma, "width": width, kind: data} | wrong
    theory = solve(spectrum, grid=TimeGrid.unit_steps(eta, STEPS[-1]), **values).loss[list(STEPS)]
    error = losses.std(axis=0, ddof=1) / math.sqrt(SEEDS)
    return losses.mean(axis=0), theory, error


@pytest.mark.parametrize("number", range(COUNT))
def test_the_mean_of_simulations_is_that_of_the_theory(number):
    mean, theory, error = deviations(number)
    assert np.all(np.abs(mean - theory) < THRESHOLD * error + left_out(number) * theory), (
        mean / theory,
        error / theory,
    )
    assert np.all(error < 0.08 * theory), "too noisy to mean anything"


def left_out(number):
    """Return the relative size of what mean field theory leaves out.

    The rate at which a mode is learned fluctuates with a variance of 2/N and 2/B or 2/P, and the mean of a decaying exponential
    is larger by half of that times the square of the exponent, which is 2 where it matters.
    """
    *_, width, data, _ = drawn(number)
    return 4 / width + 4 / data


def test_another_width_or_number_of_samples_would_be_seen():
    for number, wrong in ((2, {"width": 4}), (1, {"samples": 4})):
        mean, theory, error = deviations(number, **wrong)
        assert np.any(np.abs(mean - theory) > THRESHOLD * error + left_out(number) * theory)
