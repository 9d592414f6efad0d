"""The simulation in N + 1 dimensions: same paths and same law as the direct one, invariants, bad input."""

import jax
import numpy as np
import pytest
from scipy.stats import ks_2samp

from neural_scaling.dmft import DynamicsDiverged
from neural_scaling.models.toy_model import projected_factor, simulate
from neural_scaling.spectra import PowerLaw
from oracles.direct_simulation import direct_losses


def initial_projection(modes, width, seed):
    """Return the A(0) that :func:`projected_factor` draws, as long as its modes fit in one block."""
    assert modes <= 4 * (width + 1)
    normals = np.random.default_rng(np.random.SeedSequence(seed)).standard_normal((modes, width + 1))
    return normals[:, :width].T


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_infinite_batch_follows_the_direct_path(gamma):
    spectrum = PowerLaw(1.5, 0.6, 30).spectrum()
    got = simulate(spectrum, 8, 0.2, gamma, 100, [3, 4])
    for run, seed in zip(got.loss, (3, 4), strict=True):
        expected = direct_losses(spectrum, initial_projection(30, 8, seed), 0.2, gamma, 100)
        # A hundred steps of rounding, and that of the projection onto N + 1 features.
        np.testing.assert_allclose(run, expected, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("gamma", "batch"), [(0.0, 1), (1.0, 3)])
def test_finite_batch_has_the_law_of_the_direct_simulation(gamma, batch):
    spectrum = PowerLaw(1.5, 0.6, 24).spectrum()
    seeds, steps, eta = 500, 24, 0.15
    random = np.random.default_rng(11)
    direct = np.array(
        [direct_losses(spectrum, random.normal(size=(6, 24)), eta, gamma, steps, batch, random) for _ in range(seeds)]
    )
    got = simulate(spectrum, 6, eta, gamma, steps, range(seeds), batch).loss
    # Six two-sample tests over both settings: a level of 1e-4 / 6 each is a false alarm in 1 of 10000 for a fresh seed.
    for step in (1, 6, 24):
        assert ks_2samp(direct[:, step], got[:, step]).pvalue > 1e-4 / 6
    # The test has power: without the noise of the batch some step is told apart.
    other = simulate(spectrum, 6, eta, gamma, steps, range(seeds)).loss
    assert min(ks_2samp(direct[:, step], other[:, step]).pvalue for step in (1, 6, 24)) < 1e-4 / 6


@pytest.mark.slow
def test_a_curve_does_not_depend_on_the_other_seeds():
    spectrum = PowerLaw(1.5, 0.6, 50).spectrum()
    together = simulate(spectrum, 8, 0.2, 1.0, 40, [0, 1, 2], 4)
    alone = simulate(spectrum, 8, 0.2, 1.0, 40, [1], 4)
    # Batched and single products may round differently; nothing else may differ.
    np.testing.assert_allclose(together.loss[1], alone.loss[0], rtol=1e-10)


@pytest.mark.parametrize(
    "setting",
    [jax.enable_x64(True), jax.threefry_partitionable(False), jax.default_prng_impl("rbg")],
    ids=["x64", "threefry", "rbg"],
)
def test_the_seed_alone_decides_whatever_jax_is_set_to(setting):
    spectrum = PowerLaw(1.5, 0.6, 50).spectrum()
    expected = simulate(spectrum, 8, 0.2, 1.0, 10, [3, 2**40], batch=4).loss
    with setting:
        np.testing.assert_array_equal(simulate(spectrum, 8, 0.2, 1.0, 10, [3, 2**40], batch=4).loss, expected)


def test_factor_is_the_covariance_of_projected_features_and_target_in_blocks():
    spectrum = PowerLaw(1.3, 0.7, 1000).spectrum()
    factor = projected_factor(spectrum, 5, seed=2)
    random = np.random.default_rng(np.random.SeedSequence(2))
    rows = np.concatenate([random.standard_normal((min(24, 1000 - k), 6)) for k in range(0, 1000, 24)])
    rows[:, -1] = spectrum.target
    rows *= np.sqrt(spectrum.eigenvalues)[:, None]
    # The factor of blocks one after another: rounding of 1000 terms, the absolute part for entries that cancel.
    np.testing.assert_allclose(factor.T @ factor, rows.T @ rows, rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(factor, np.triu(factor))


def test_as_many_parameters_as_modes_leave_no_floor():
    got = simulate(PowerLaw(1.5, 0.6, 6).spectrum(), 6, 0.2, 0.0, 3, [0])
    assert got.floor[0] == pytest.approx(0, abs=1e-20)  # the square of what rounding leaves of numbers of order one


def test_limit_of_long_training_does_not_depend_on_richness():
    spectrum = PowerLaw(1.2, 0.8, 40).spectrum()
    lazy = simulate(spectrum, 3, 0.3, 0.0, 4000, range(4))
    rich = simulate(spectrum, 3, 0.3, 1.0, 4000, range(4))
    np.testing.assert_array_equal(lazy.floor, rich.floor)  # the same factor
    # Three features, thousands of steps: the slowest direction has decayed to rounding.
    np.testing.assert_allclose(rich.loss[:, -1], rich.floor, rtol=1e-8)
    np.testing.assert_allclose(lazy.loss[:, -1], lazy.floor, rtol=1e-8)
    assert np.all(rich.loss[:, 50] < lazy.loss[:, 50]), "richness must matter on the way"


def test_first_loss_is_the_variance_of_the_target():
    law = PowerLaw(1.5, 0.4, 500)
    got = simulate(law.spectrum(), 10, 0.1, 1.0, 1, [0, 1])
    # A sum of 500 positive terms: rounding.
    np.testing.assert_allclose(got.loss[:, 0], law.spectrum().quadrature().initial_loss, rtol=1e-12)


def test_divergence_is_reported():
    with pytest.raises(DynamicsDiverged, match="try eta"):
        simulate(PowerLaw(1.5, 0.5, 20).spectrum(), 2, 1.9, 5.0, 200, range(4))
