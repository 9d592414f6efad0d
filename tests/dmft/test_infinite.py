"""The Markovian form of the infinite limit against the convolutions, closed forms and its own gradient flow."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.errata.infinite_width import convolution_loss
from neural_scaling.dmft import gradient_flow, infinite_limit
from neural_scaling.spectra import PowerLaw


@settings(max_examples=25)
@given(
    alpha=st.floats(1.05, 3.0),
    beta=st.floats(0.1, 3.0),
    eta=st.floats(0.01, 0.5),
    gamma=st.floats(0.0, 2.0),
    steps=st.integers(1, 40),
)
def test_equals_the_convolution_over_the_past(alpha, beta, eta, gamma, steps):
    spectrum = PowerLaw(alpha, beta, 30).spectrum()
    expected = convolution_loss(spectrum, eta, gamma, steps)
    got = infinite_limit(spectrum.quadrature(), eta, gamma, steps, record=np.arange(steps + 1))
    # The same numbers by other sums, forty steps: rounding, below 1e-13 on every kernel.
    np.testing.assert_allclose(got.loss, expected, rtol=1e-10)


def test_lazy_limit_is_the_geometric_decay_of_each_mode():
    spectrum = PowerLaw(1.5, 0.5, 50).spectrum()
    t = np.arange(0, 300)
    decay = (1 - 0.1 * spectrum.eigenvalues) ** (2 * t[:, None])
    expected = decay @ (spectrum.eigenvalues * spectrum.target**2)
    got = infinite_limit(spectrum.quadrature(), 0.1, 0.0, 299, record=t)
    # A power by 300 products: their rounding is below 300 times 2e-16.
    np.testing.assert_allclose(got.loss, expected, rtol=1e-12)


@pytest.mark.slow
def test_gradient_flow_is_the_limit_of_small_steps():
    quadrature = PowerLaw(1.5, 0.4, 400).spectrum().quadrature()
    time = np.array([1.0, 5.0, 20.0])
    flow = gradient_flow(quadrature, 1.0, time)
    errors = []
    for eta in (0.02, 0.01):
        steps = infinite_limit(quadrature, eta, 1.0, round(20 / eta), record=np.round(time / eta))
        errors.append(np.abs(steps.loss / flow.loss - 1).max())
        np.testing.assert_allclose(steps.weight_norm, flow.weight_norm, rtol=5 * eta)
    # Euler's rule: halving the step halves the error, up to the next order (10 % at these steps).
    assert errors[1] == pytest.approx(errors[0] / 2, rel=0.1)


def test_weight_norm_of_the_flow_integrates_the_correlation_with_the_target():
    # dC_w/dt = 2 (w* - v0)^T Lambda v0, which is 2 (B(t) - L(t)); checked through the energy balance of the lazy limit.
    law = PowerLaw(2.0, 0.5, 100)
    quadrature = law.spectrum().quadrature()
    flow = gradient_flow(quadrature, 0.0, np.array([0.0, 3.0]))
    lam, w2 = quadrature.nodes, quadrature.target_weights
    expected = np.sum(w2 * (1 - np.exp(-lam * 3.0)) ** 2)  # |w|^2/N -> |v_w|^2 when R3 = I
    assert flow.weight_norm[1] == pytest.approx(expected, rel=1e-6)  # integrator tolerance 1e-8
    assert flow.loss[0] == pytest.approx(quadrature.initial_loss, rel=1e-14)


def test_infinitely_many_modes_are_approached_by_finite_ones():
    limit = infinite_limit(PowerLaw(1.5, 0.4).quadrature(1e3), 0.1, 1.0, 500)
    gaps = []
    for modes in (10_000, 100_000):
        finite = infinite_limit(PowerLaw(1.5, 0.4, modes).quadrature(1e3), 0.1, 1.0, 500)
        gaps.append(limit.loss[-1] - finite.loss[-1])
    # Modes beyond M are never learned here, so the gap is their variance, sum_{k>M} k^-(1 + alpha beta) ~ M^-0.6/0.6, within the
    # few per cent by which they have been learned after all.
    assert gaps == pytest.approx([m**-0.6 / 0.6 for m in (1e4, 1e5)], rel=0.05)


def test_sharpness_starts_at_the_largest_eigenvalue_and_matches_the_full_matrix():
    spectrum = PowerLaw(1.5, 0.4, 60).spectrum()
    lam, w, eta, gamma = spectrum.eigenvalues, spectrum.target, 0.1, 1.0
    u, weight_norm, g = np.zeros(60), 0.0, np.eye(60)
    for _ in range(50):
        a = lam * (w - u)
        overlap = u @ a
        u_next = u + eta * g @ a + eta * gamma * a * (weight_norm + eta * overlap)
        g_next = g + eta * gamma * (np.outer(u, a) + np.outer(a, u)) + (eta * gamma) ** 2 * weight_norm * np.outer(a, a)
        weight_norm += 2 * eta * overlap + eta**2 * a @ g @ a
        u, g = u_next, g_next
    root = np.sqrt(lam)
    expected = np.linalg.eigvalsh(root[:, None] * (g + gamma * weight_norm * np.eye(60)) * root[None, :])[-1]
    got = infinite_limit(spectrum.quadrature(), eta, gamma, 50, record=np.array([0, 50]))
    # The largest eigenvalue by other means, well separated: rounding only.
    assert got.sharpness[0] == pytest.approx(1.0)
    assert got.sharpness[1] == pytest.approx(expected, rel=1e-10)
