"""The curves are checked against quadrature, and they in turn check chi and its levels."""

import math

import numpy as np
import pytest
from scipy.integrate import quad

from neural_scaling.theory import chi, chi_level, kernel_growth_exponent, level_curve, mode_sum, self_consistent_curve


@pytest.mark.parametrize("x", [1e-12, 1e-6, 0.3, 20.0, 1e4])
@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.3), (3.0, 1.4)])
def test_mode_sum_is_the_integral(alpha, beta, x):
    expected, _ = quad(
        lambda u: np.exp(-alpha * beta * u - x * np.exp(-alpha * u)), 0, 200, limit=400, epsabs=0, epsrel=1e-11
    )
    assert mode_sum(alpha, beta, x) == pytest.approx(expected, rel=1e-8)  # accuracy of the quadrature


def late_slope(time, values):
    late = time > time[-1] * 1e-20
    return np.polyfit(np.log(time[late]), np.log(values[late]), 1)[0]


@pytest.mark.parametrize("beta", [0.1, 0.4, 0.7, 0.9, 1.2])
def test_late_exponents_follow_equation_68(beta):
    time = np.geomspace(1e-2, 1e130, 600)
    curve = self_consistent_curve(1.5, beta, 1.0, time)
    # What is left at t = 1e110 is of relative order t^-(1 - chi) < 1e-5 for the hard tasks here, and of order
    # t^-(beta - 1) for the easy one.
    assert late_slope(time, curve.loss) == pytest.approx(-chi(beta), abs=1e-5)
    assert late_slope(time, curve.kernel) == pytest.approx(kernel_growth_exponent(beta), abs=1e-4)


@pytest.mark.parametrize("level", [0, 1, 2, 5, math.inf])
def test_late_exponents_of_levels(level):
    time = np.geomspace(1e-2, 1e130, 600)
    assert late_slope(time, level_curve(1.5, 0.5, 1.0, time, level)) == pytest.approx(
        -chi_level(0.5, level),
        abs=1e-6,  # corrections of relative order t^-(1 - chi_n), t > 1e110
    )


def test_lazy_limit_is_the_frozen_kernel():
    time = np.geomspace(0.1, 1e6, 50)
    curve = self_consistent_curve(1.5, 0.4, 0.0, time)
    np.testing.assert_allclose(curve.effective_time, time, rtol=1e-8)  # tolerance of the integrator, 1e-10 a step
    np.testing.assert_allclose(curve.loss, mode_sum(1.5, 0.4, 2 * time), rtol=1e-8)
    np.testing.assert_array_equal(curve.kernel, 1.0)


def test_early_kernel_grows_linearly_from_the_start():
    time = np.array([1e-5, 2e-5])
    curve = self_consistent_curve(1.5, 0.4, 3.0, time)
    # K = 1 + gamma t S(0), S(0) = 1/(alpha beta), up to second order in t = 1e-5.
    np.testing.assert_allclose(curve.kernel - 1, 3.0 * time / (1.5 * 0.4), rtol=1e-4)


def test_richness_only_helps():
    time = np.geomspace(1.0, 1e5, 20)
    losses = [self_consistent_curve(1.5, 0.4, gamma, time).loss for gamma in (0.0, 0.1, 1.0)]
    assert np.all(losses[1] < losses[0]) and np.all(losses[2] < losses[1])
