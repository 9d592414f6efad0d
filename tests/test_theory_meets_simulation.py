"""DMFT against the mean of simulations at settings that differ in every parameter."""

import math

import numpy as np
import pytest
from scipy.stats import t as student

from companion.wear import wear
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.models.toy_model import simulate
from neural_scaling.spectra import PowerLaw

pytestmark = pytest.mark.slow

# (alpha, beta, M, N, B, gamma, eta)
SETTINGS = [
    (1.5, 0.5, 300, 32, 8, 1.0, 0.2),
    (1.5, 0.5, 300, 32, math.inf, 0.0, 0.2),
    (1.5, 1.2, 300, 32, math.inf, 1.0, 0.2),
    (1.5, 0.4, 2000, 64, 32, 2.0, 0.1),
    (2.0, 1.2, 500, 48, 32, 1.0, 0.2),
    (2.0, 0.3, 400, 24, 64, 0.5, 0.3),
    (1.2, 0.8, 800, 96, 24, 1.0, 0.1),
    (1.5, 2.0, 300, 64, 32, 0.0, 0.2),
]
STEPS = (1, 4, 16, 60)
SEEDS = 64
# 32 comparisons; two-sided level 0.001 over all of them (Bonferroni, Student's t with 63 degrees of freedom).
FAMILY_WISE_RATE = 1e-3
THRESHOLD = student.ppf(1 - FAMILY_WISE_RATE / (2 * len(SETTINGS) * len(STEPS)), SEEDS - 1)


@pytest.mark.parametrize(("alpha", "beta", "modes", "width", "batch", "gamma", "eta"), SETTINGS)
def test_dmft_lies_within_the_error_of_the_mean(alpha, beta, modes, width, batch, gamma, eta):
    law = PowerLaw(alpha, beta, modes)
    simulated = simulate(law.spectrum(), width, eta, gamma, STEPS[-1], range(SEEDS), batch)
    theory = solve(law.spectrum(), gamma, TimeGrid.unit_steps(eta, STEPS[-1]), width=width, batch=batch)
    for step in STEPS:
        error = simulated.standard_error[step]
        deviation = abs(simulated.mean[step] - theory.loss[step])
        assert deviation < THRESHOLD * error, f"step {step}: {deviation / error:.1f} standard errors"
        # With 64 seeds the largest fluctuation, of the first mode at small N, is 6 % of the mean.
        assert error < 0.07 * theory.loss[step], "too noisy to mean anything"


@pytest.mark.parametrize(("setting", "wrong"), [(0, {"batch": 32}), (0, {"width": 64}), (3, {"gamma": 0.0})])
def test_the_comparison_can_fail(setting, wrong):
    # Theory of the wrong batch size, width or richness is rejected by the same criterion.
    alpha, beta, modes, width, batch, gamma, eta = SETTINGS[setting]
    law = PowerLaw(alpha, beta, modes)
    simulated = simulate(law.spectrum(), width, eta, gamma, STEPS[-1], range(SEEDS), batch)
    values = {"gamma": gamma, "width": width, "batch": batch} | wrong
    theory = solve(law.spectrum(), grid=TimeGrid.unit_steps(eta, STEPS[-1]), **values)
    deviations = [abs(simulated.mean[s] - theory.loss[s]) / simulated.standard_error[s] for s in STEPS]
    assert np.max(deviations) > THRESHOLD


def test_noise_wears_features_off_on_a_plateau_in_simulation_too():
    early, late = wear(PowerLaw(1.5, 0.8, 100), 1.0, 0.1, 16, 4, [20.0, 150.0], seeds=10).itertuples()
    assert late.theory < 0.9 * early.theory and late.theory < 0.75 * late.without_noise
    # The theory leaves out terms of relative order 1/N and 1/B: 15 % beside the noise of ten simulations.
    for row in (early, late):
        assert abs(row.simulated - row.theory) < 4 * row.error + 0.15 * row.theory
    assert late.simulated + 4 * late.error < late.without_noise
