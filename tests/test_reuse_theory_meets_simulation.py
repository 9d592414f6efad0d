"""DMFT of sample reuse against the mean of simulations, test and training loss, at settings that differ in every parameter."""

import functools
import math

import numpy as np
import pytest
from scipy.stats import t as student

from neural_scaling import dmft
from neural_scaling.models.sample_reuse import simulate_reuse
from neural_scaling.spectra import PowerLaw

pytestmark = pytest.mark.slow

# (alpha, beta, M, N, P, gamma, eta)
SETTINGS = [
    (1.5, 0.5, 300, 32, 48, 0.0, 0.2),
    (1.5, 0.5, 300, 64, 24, 1.0, 0.2),
    (1.5, 1.2, 300, 48, 96, 1.0, 0.2),
    (2.0, 0.3, 400, 32, 64, 0.5, 0.3),
    (2.0, 1.2, 500, 96, 32, 2.0, 0.1),
    (1.2, 0.8, 800, 64, 64, 1.0, 0.1),
    (1.5, 2.0, 300, 128, 40, 0.0, 0.2),
    (3.0, 0.5, 200, 64, 100, 1.0, 0.1),
]
STEPS = (1, 4, 16, 60)
SEEDS = 96
# 64 comparisons; two-sided level 0.001 over all of them (Bonferroni, Student's t with 95 degrees of freedom).
THRESHOLD = student.ppf(1 - 1e-3 / (2 * len(SETTINGS) * len(STEPS) * 2), SEEDS - 1)


@functools.cache
def simulated(setting):
    """Return test and training losses of a setting on all steps, (2, seeds, T + 1)."""
    alpha, beta, modes, width, samples, gamma, eta = setting
    spectrum = PowerLaw(alpha, beta, modes).spectrum()
    outcome = simulate_reuse(spectrum, width, samples, eta, gamma, STEPS[-1], range(SEEDS))
    return np.stack([outcome.loss, outcome.train_loss])


def deviations(setting, **wrong):
    """Return the deviations in standard errors and the relative standard errors, (2, steps) each."""
    alpha, beta, modes, width, samples, gamma, eta = setting
    values = {"gamma": gamma, "width": width, "samples": samples} | wrong
    quadrature = PowerLaw(alpha, beta, modes).spectrum().quadrature()
    solution = dmft.solve(quadrature, grid=dmft.TimeGrid.unit_steps(eta, STEPS[-1]), **values)
    losses = simulated(setting)[:, :, list(STEPS)]
    theory = np.stack([solution.loss, solution.train_loss])[:, list(STEPS)]
    errors = losses.std(axis=1, ddof=1) / math.sqrt(SEEDS)
    return (losses.mean(axis=1) - theory) / errors, errors / theory


@pytest.mark.parametrize("setting", SETTINGS)
def test_test_and_training_loss_lie_within_the_error_of_the_mean(setting):
    found, errors = deviations(setting)
    assert np.max(np.abs(found)) < THRESHOLD, f"deviations in standard errors {found}"
    # With 96 seeds the largest fluctuation, of the training loss at few samples, is 8 % of the mean.
    assert np.max(errors) < 0.1, "too noisy to mean anything"


@pytest.mark.parametrize(
    ("setting", "wrong"), [(1, {"samples": 48}), (2, {"samples": 10_000}), (0, {"width": 64}), (4, {"gamma": 0.0})]
)
def test_the_comparison_can_fail(setting, wrong):
    assert np.max(np.abs(deviations(SETTINGS[setting], **wrong)[0])) > THRESHOLD
