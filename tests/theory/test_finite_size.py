"""Limits of training and first corrections against independent evaluations of the same quantities."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import wishart

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.spectra import NotResolved, PowerLaw, Spectrum
from neural_scaling.theory import (
    data_bottleneck,
    effective_scale,
    lazy_loss,
    lazy_sgd_loss,
    model_bottleneck,
    noise_coefficient,
    printed_bottleneck,
    transient_coefficient,
)

FEW = Spectrum(np.array([1.0, 0.7, 0.2, 0.2, 0.05]), np.array([0.5, 1.0, 2.0, 0.3, 1.0])).quadrature()


@settings(max_examples=12)
@given(alpha=st.floats(1.1, 3.5), size=st.floats(0.5, 1e4))
def test_the_scale_fills_the_size(alpha, size):
    modes = PowerLaw(alpha, 1.0).quadrature(4 * (3 * size + 3) ** alpha)
    reach = modes.nodes * effective_scale(modes, size)
    # The root is found to 1e-14 in ln r, and the sum changes at most by itself per unit of that.
    assert modes.weights @ (reach / (1 + reach)) == pytest.approx(size, rel=1e-10)


@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0])
def test_the_scale_of_a_power_law(alpha):
    # int_0^inf dk r k^-alpha / (1 + r k^-alpha) = r^(1/alpha) (pi/alpha) / sin(pi/alpha); the sum differs by a constant below 1.
    size = 1e5
    expected = (size * alpha * math.sin(math.pi / alpha) / math.pi) ** alpha
    modes = PowerLaw(alpha, 1.0).quadrature(4 * (3 * size) ** alpha)
    assert effective_scale(modes, size) == pytest.approx(expected, rel=2 * alpha / size)


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.5), (1.5, 3.0), (2.0, 1.5), (2.0, 3.0)])
def test_powers_of_the_bottlenecks(alpha, beta):
    sizes = np.array([1e4, 1e5])
    modes = PowerLaw(alpha, beta).quadrature(4 * (3 * sizes[-1]) ** alpha)

    def power(function):
        first, last = (function(modes, size) for size in sizes)
        return math.log10(first / last)

    # The next power is at least 1/2 in the exponent below for these tasks: 1e-2 at these sizes, and it changes by 2/3 of that.
    assert power(model_bottleneck) == pytest.approx(alpha * min(1, beta), abs=0.01)
    assert power(data_bottleneck) == pytest.approx(alpha * min(2, beta), abs=0.01)
    factor = data_bottleneck(modes, 1e5) / printed_bottleneck(modes, 1e5)
    assert factor == pytest.approx(alpha, rel=1e-3)  # 1/(1 - df2/P), df2/P -> 1 - 1/alpha


def delayed(k, j, t):
    return quad(lambda s: math.exp(-FEW.nodes[k] * (t - s) - FEW.nodes[j] * s), 0, t, epsabs=0, epsrel=1e-11)[0]


@pytest.mark.parametrize("t", [0.3, 4.0, 60.0])
def test_corrections_are_the_double_integrals_they_stand_for(t):
    lam, target, size = FEW.nodes, FEW.target_weights, range(FEW.nodes.size)
    noise = transient = fourth = 0.0
    for k in size:
        for j in size:
            noise += lam[k] ** 2 * lam[j] * target[j] * 0.5 * delayed(k, j, 2 * t)
            transient += lam[k] * lam[j] ** 2 * target[j] * delayed(k, j, t) ** 2
            # int_0^t ds e^(-lam_k (t-s)) int_0^s e^(-lam_l (s-s') - lam_k s') ds', the response of one lag to another.
            slowed = quad(
                lambda s, k=k, j=j: math.exp(-lam[k] * (t - s)) * (delayed(j, k, s) if s else 0.0),
                0,
                t,
                epsabs=0,
                epsrel=1e-9,
            )[0]
            transient += 2 * lam[k] ** 2 * target[k] * math.exp(-lam[k] * t) * lam[j] * slowed
            if j == k:  # the fourth moment adds each of the two parts once more
                own = lam[k] ** 3 * target[k] * (delayed(k, k, t) ** 2 + 2 * math.exp(-lam[k] * t) * slowed)
                fourth += own
    assert noise_coefficient(FEW, [t], fourth_moment=False)[0] == pytest.approx(noise, rel=1e-8)
    assert transient_coefficient(FEW, [t], fourth_moment=False)[0] == pytest.approx(transient, rel=1e-7)
    assert transient_coefficient(FEW, [t])[0] == pytest.approx(transient + fourth, rel=1e-7)


@pytest.mark.parametrize("beta", [0.5, 1.5])
def test_the_finite_width_correction_is_that_of_random_features(beta):
    # What is even in the fluctuation of A^T A / N, over its Wishart law: the next order is N^-2.
    modes, width, t = PowerLaw(1.5, beta, 16).spectrum(), 2000, 1.0
    root = np.sqrt(modes.eigenvalues)
    fluctuation = wishart.rvs(width, np.eye(16), size=20_000, random_state=0) / width - np.eye(16)
    pairs = 0.0
    for sign in (1, -1):
        rates, vectors = np.linalg.eigh(root[:, None] * (np.eye(16) + sign * fluctuation) * root)
        learned = np.einsum("rkm,k->rm", vectors, root * modes.target)
        pairs = pairs + np.sum(np.exp(-2 * t * rates) * learned**2, axis=1) / 2
    excess = width * (pairs - lazy_loss(modes, [t])[0])
    error = excess.std() / math.sqrt(excess.size)  # 0.5 % of the mean
    assert transient_coefficient(modes, [t])[0] == pytest.approx(excess.mean(), abs=4 * error)
    assert transient_coefficient(modes, [t], fourth_moment=False)[0] < excess.mean() - 30 * error


def test_corrections_agree_with_the_mean_field_theory():
    eta, steps = 0.02, 150
    modes = PowerLaw(1.5, 0.5).quadrature(4 * eta * steps)
    time = eta * np.arange(1, steps + 1)
    grid = TimeGrid.unit_steps(eta, steps)
    plain = solve(modes, 0.0, grid).loss[1:]
    wide = solve(modes, 0.0, grid, width=10**6).loss[1:]
    noisy = solve(modes, 0.0, grid, batch=10**6).loss[1:]
    late = time > 1
    # Steps of 0.02 against continuous time: an error of the order of eta lambda_1.
    np.testing.assert_allclose(plain[late], lazy_loss(modes, time)[late], rtol=0.02)
    np.testing.assert_allclose(
        1e6 * (wide - plain)[late], transient_coefficient(modes, time, fourth_moment=False)[late], rtol=0.04
    )
    np.testing.assert_allclose(
        1e6 / eta * (noisy - plain)[late], noise_coefficient(modes, time, fourth_moment=False)[late], rtol=0.04
    )


@pytest.mark.parametrize(("alpha", "beta"), [(2.0, 0.3), (1.5, 0.5), (2.0, 3.0)])
def test_power_of_the_lazy_transient(alpha, beta):
    time = np.array([1e8, 1e9])
    first, last = transient_coefficient(PowerLaw(alpha, beta).quadrature(4e9), time)
    # The next power in t is smaller by t^(-1/alpha) or so.
    assert math.log10(first / last) == pytest.approx(min(1, beta) - 1 / alpha, abs=2e-3)


def test_relative_noise_of_a_lazy_hard_task():
    modes = PowerLaw(2.0, 0.5).quadrature(4e8)
    relative = noise_coefficient(modes, [1e8]) / lazy_loss(modes, [1e8])
    assert relative[0] == pytest.approx(modes.trace / 2, rel=1e-3)


def test_a_law_is_resolved_as_far_as_it_must_be_and_a_short_quadrature_is_refused():
    law = PowerLaw(1.5, 0.5)
    for closed_form, reached in ((model_bottleneck, 1000.0), (data_bottleneck, 1000.0), (lazy_loss, [1e6])):
        assert closed_form(law, reached) == pytest.approx(closed_form(law.quadrature(1e8), reached), rel=2e-5)
        with pytest.raises(NotResolved, match="modes: resolves modes to an effective time"):
            closed_form(law.quadrature(10.0), reached)
    for alpha in (1.2, 1.5, 3.0):
        law = PowerLaw(alpha, 0.5)
        expected = model_bottleneck(law.quadrature(4 * 3e6**alpha), 1e6)
        assert model_bottleneck(law, 1e6) == pytest.approx(expected, rel=1e-9)
    few = PowerLaw(1.5, 0.5, 300).spectrum()
    assert model_bottleneck(few, 20) == model_bottleneck(few.quadrature(), 20)


def test_as_many_directions_as_modes_have_no_scale():
    modes = PowerLaw(1.5, 0.8, 40).spectrum()
    assert effective_scale(modes, 39.5) < math.inf
    for size in (40, 41):
        with pytest.raises(InputError, match="size: got 4"):
            effective_scale(modes, size)


def test_sgd_without_noise_is_gradient_descent():
    modes = PowerLaw(2.0, 0.5).quadrature(4 * 20.0)
    step, loss = np.arange(1001, 20_001), lazy_sgd_loss(modes, 1e-3, math.inf, 20_000)[1001:]
    # Steps of 1e-3: (1 - eta lambda)^(2t) against exp(-2 lambda eta t), relative eta lambda^2 t e^(-...) <= eta.
    np.testing.assert_allclose(loss, lazy_loss(modes, 1e-3 * step), rtol=2e-3)


def test_one_step_of_sgd_by_the_moments_of_gaussian_features():
    nodes, start = FEW.nodes, FEW.target_weights * FEW.nodes
    first = lazy_sgd_loss(FEW, 0.1, 4, 1)
    kept = (1 - 0.1 * nodes) ** 2 + 0.1**2 / 4 * nodes**2
    expected = start @ kept + 0.1**2 / 4 * (FEW.weights @ nodes**2) * start.sum()
    np.testing.assert_allclose(first, [start.sum(), expected], rtol=1e-12)


@pytest.mark.parametrize("fourth_moment", [False, True])
def test_noise_of_a_large_batch_is_that_of_the_exact_loss(fourth_moment):
    # Steps of 1e-3 and eta/B = 1e-9: what is left is of the order of eta lambda_1, and of the rounding 1e-16 / 1e-9.
    eta, batch, steps = 1e-3, 10**6, np.array([300, 2000, 8000])
    with_noise, without = (lazy_sgd_loss(FEW, eta, size, 8000, fourth_moment)[steps] for size in (batch, math.inf))
    expected = noise_coefficient(FEW, eta * steps, fourth_moment)
    np.testing.assert_allclose((with_noise - without) * batch / eta, expected, rtol=5e-3)
    assert np.all(noise_coefficient(FEW, eta * steps) > 1.02 * noise_coefficient(FEW, eta * steps, False))
