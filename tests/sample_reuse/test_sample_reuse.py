"""Training on P fixed samples: same paths and law as the direct simulation, its limits, and the identities of the theory."""

import numpy as np
import pytest
from scipy.stats import ks_2samp

from neural_scaling.dmft import DynamicsDiverged
from neural_scaling.models.sample_reuse import simulate_reuse
from neural_scaling.models.toy_model import projected_factor, simulate
from neural_scaling.spectra import PowerLaw
from oracles.causal import inverse
from oracles.dense_reuse import dense_reuse, direct_reuse


@pytest.mark.parametrize(("gamma", "samples"), [(0.0, 20), (1.0, 20), (1.0, 5)])
def test_it_follows_the_direct_path(gamma, samples):
    modes, width, steps = 30, 8, 100
    spectrum = PowerLaw(1.5, 0.6, modes).spectrum()
    got = simulate_reuse(spectrum, width, samples, 0.2, gamma, steps, [3, 4])
    for row, seed in enumerate((3, 4)):
        # A(0) as projected_factor draws it, and features whose projections are exactly the rows of G R.
        normals = np.random.default_rng(np.random.SeedSequence(seed)).standard_normal((modes, width + 1))
        a0, root = normals[:, :width].T, np.sqrt(spectrum.eigenvalues)
        factor = projected_factor(spectrum, width, seed)
        basis = np.linalg.solve(factor.T, (root[:, None] * np.column_stack([a0.T, spectrum.target])).T)
        child = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        features = child.standard_normal((samples, width + 1)) @ basis * root
        test, train = direct_reuse(spectrum, a0, features, 0.2, gamma, steps)
        # A hundred steps of rounding, and that of the features made to fit; the training error falls far below its start.
        np.testing.assert_allclose(got.loss[row], test, rtol=1e-9)
        np.testing.assert_allclose(got.train_loss[row], train, rtol=1e-8)


def test_it_has_the_law_of_training_on_all_features():
    spectrum = PowerLaw(1.5, 0.6, 24).spectrum()
    seeds, steps, width, samples = 400, 24, 6, 10
    random = np.random.default_rng(12)
    direct = np.array(
        [
            direct_reuse(
                spectrum,
                random.normal(size=(width, 24)),
                random.normal(size=(samples, 24)) * np.sqrt(spectrum.eigenvalues),
                0.15,
                1.0,
                steps,
            )
            for _ in range(seeds)
        ]
    )
    got = simulate_reuse(spectrum, width, samples, 0.15, 1.0, steps, range(seeds))
    # Six two-sample tests: a level of 1e-4 / 6 each is a false alarm in 1 of 10000 for a fresh seed.
    for step in (1, 6, 24):
        for part, curves in enumerate((got.loss, got.train_loss)):
            assert ks_2samp(direct[:, part, step], curves[:, step]).pvalue > 1e-4 / 6
    # The test has power: with twice the samples some step is told apart.
    other = simulate_reuse(spectrum, width, 2 * samples, 0.15, 1.0, steps, range(seeds))
    assert min(ks_2samp(direct[:, 1, step], other.train_loss[:, step]).pvalue for step in (1, 6, 24)) < 1e-4 / 6


@pytest.mark.parametrize("samples", [3, 6, 40])
def test_the_limit_of_long_training_does_not_depend_on_richness(samples):
    spectrum = PowerLaw(1.2, 0.8, 40).spectrum()
    for gamma in (0.0, 1.0):
        got = simulate_reuse(spectrum, 4, samples, 0.3, gamma, 6000, range(3))
        # Four features, thousands of steps: the slowest direction has decayed far below the loss.
        np.testing.assert_allclose(got.loss[:, -1], got.floor, rtol=1e-6)
        if samples > 4:
            np.testing.assert_allclose(got.train_loss[:, -1], got.train_floor, rtol=1e-6)
        else:
            assert np.all(got.train_loss[:, -1] < 1e-12)  # fitted


@pytest.mark.slow
def test_many_samples_are_the_population():
    spectrum = PowerLaw(1.5, 0.6, 60).spectrum()
    population = simulate(spectrum, 8, 0.2, 1.0, 50, [5])
    reused = simulate_reuse(spectrum, 8, 400_000, 0.2, 1.0, 50, [5])
    # Same A(0) by construction; what is left is the fluctuation of a covariance over 4e5 samples, sqrt(2 / 4e5) = 0.2 %.
    np.testing.assert_allclose(reused.loss, population.loss, rtol=0.02)
    np.testing.assert_allclose(reused.train_loss, population.loss, rtol=0.02)
    np.testing.assert_allclose(reused.floor, population.floor, rtol=1e-3)


def test_divergence_is_reported():
    with pytest.raises(DynamicsDiverged, match="try eta"):
        simulate_reuse(PowerLaw(1.5, 0.5, 20).spectrum(), 2, 8, 1.9, 5.0, 200, range(4))


@pytest.mark.parametrize(("gamma", "width", "samples"), [(0.0, 12, 7), (1.5, 5, 9)])
def test_all_responses_are_functions_of_one_matrix(gamma, width, samples):
    """The identities that reduce sample reuse to the equations of online training, on the oracle's solution."""
    spectrum = PowerLaw(1.5, 0.6, 30).spectrum()
    lam, w2 = spectrum.eigenvalues[:, None, None], spectrum.target[:, None, None] ** 2
    eta, steps = 0.3, 24
    c0, c1, r1, r3, c3, _ = dense_reuse(spectrum.eigenvalues, spectrum.target, eta, gamma, steps, width, samples)
    eye, theta = np.eye(steps + 1), eta * np.tril(np.ones((steps + 1, steps + 1)), -1)
    s = inverse(eye - eta * gamma * theta @ np.tril(c3, -1)) @ theta
    x = s + eta * gamma * np.tril(s @ c3 @ s.T, -1)
    y = x @ r3 @ r1
    h = inverse(eye + lam * y)
    taken = (lam * y @ h).sum(0)
    # The oracle's residual may be 1e-10; entries fall with distance, hence the absolute part. Below 1e-13 on every kernel.
    close = {"rtol": 1e-9, "atol": 1e-11}
    np.testing.assert_allclose(r1, eye - taken / samples, **close)
    np.testing.assert_allclose(r3, eye - taken / width, **close)
    np.testing.assert_allclose(x @ y, y @ x, **close)
    # The covariances obey the equations of online training with diag(C0)/B replaced by C0/P.
    ht, back = h.transpose(0, 2, 1), inverse(r3 @ r1)
    reduced = back @ c3 @ back.T
    signal = w2 + x @ c3 @ x.T / width
    np.testing.assert_allclose(c0, (h @ (lam * signal + lam**2 * y @ c0 @ y.T / samples) @ ht).sum(0), **close)
    np.testing.assert_allclose(reduced, (h @ (lam * c0 / samples + lam**2 * signal) @ ht).sum(0), **close)
    np.testing.assert_allclose(c1, r1 @ c0 @ r1.T, **close)
