"""The late solution of hard tasks: its function against quadrature, its constants against the dynamics."""

import math

import numpy as np
import pytest
from scipy.integrate import quad, solve_ivp
from scipy.special import gamma as gamma_function

from neural_scaling.dmft import decay_terms, kernel_flow
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import (
    chi,
    kernel_growth_exponent,
    limiting_scale,
    mode_sum,
    modes_learned_exponent,
    rkhs_norm_squared,
    self_similar_solution,
    unlearned_fraction,
)


@pytest.mark.parametrize("nu", [0.0, 0.1, 0.45])
@pytest.mark.parametrize("x", [1e-3, 0.5, 7.0, 49.0, 51.0, 300.0])
def test_learned_fraction_is_the_integral(nu, x):
    # r = 1 - z/x moves the peak of the integrand to the origin.
    near, _ = quad(lambda z: (1 - z / x) ** (-nu / 2) * math.exp(-z), 0, min(x / 2, 40.0), epsabs=0, epsrel=1e-12)
    far = 0.0
    if x < 80:
        far, _ = quad(lambda z: math.exp(-z), min(x / 2, 40.0), x, weight="alg", wvar=(0, -nu / 2), epsrel=1e-12)
        far *= x ** (nu / 2)
    assert 1 - unlearned_fraction(x, nu) == pytest.approx(near + far, rel=1e-10)


def test_a_kernel_at_rest_learns_exponentially():
    x = np.array([0.1, 1.0, 5.0])
    np.testing.assert_allclose(unlearned_fraction(x, 0.0), np.exp(-x), rtol=1e-10)


@pytest.mark.parametrize("beta", [0.1, 0.4, 0.9])
def test_powers_are_those_of_the_paper(beta):
    solution = self_similar_solution(1.7, beta, 0.6)
    time = np.array([1e10, 1e12])
    for values, power in (
        (solution.loss(time), -chi(beta)),
        (solution.kernel(time), kernel_growth_exponent(beta)),
        (solution.modes_learned(time), modes_learned_exponent(1.7, beta)),
    ):
        assert math.log(values[1] / values[0]) / math.log(100) == pytest.approx(power, rel=1e-12)


@pytest.mark.parametrize("beta", [0.05, 0.3, 0.6, 0.95])
def test_constants_balance_the_decay_of_the_loss(beta):
    # dL/dt = -2 s (1 + share) Delta^T Lambda Delta, whose constant follows from the integral over x^beta (1 - p)^2.
    solution = self_similar_solution(1.5, beta, 2.0)
    nu, c = solution.nu, solution.kernel_constant
    decay = nu**2 * c**2 / (4 * solution.gamma * solution.spike_share)
    # Integrals to 1e-10 with a tail dropped at e^-40; near beta = 1 they are large and cancel.
    assert beta * solution.loss_constant == pytest.approx(2 * decay * (1 + solution.spike_share), rel=1e-6)


def test_constants_without_the_spike_are_incomplete_gamma_functions():
    # As beta -> 1 the kernel stops growing: the loss tends to that of a frozen kernel in the clock tau.
    beta = 0.999
    frozen = gamma_function(beta) * 2**-beta / 1.5
    assert self_similar_solution(1.5, beta, 1.0).loss_constant == pytest.approx(frozen, rel=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta", "gamma"), [(1.5, 0.3, 1.0), (2.5, 0.4, 0.3)])
def test_dynamics_runs_into_it(alpha, beta, gamma):
    solution = self_similar_solution(alpha, beta, gamma)
    time = np.array([1e6])
    flow = kernel_flow(PowerLaw(alpha, beta).quadrature(8 * float(solution.clock(time)[0])), gamma, time)
    # First correction: the part 1 of the scale s, whose relative size is 1/s < 1 %.
    assert solution.kernel(time)[0] > 100
    assert flow.loss[0] == pytest.approx(solution.loss(time)[0], rel=0.01)
    assert flow.scale[0] == pytest.approx(solution.kernel(time)[0], rel=0.01)
    terms = decay_terms(flow)
    assert terms.spike[0] / terms.scale[0] == pytest.approx(solution.spike_share, rel=0.02)
    modes = flow.eigenvalue_at(0.5) ** (-1 / alpha)
    assert modes[0] == pytest.approx(solution.modes_learned(time)[0], rel=0.02)


@pytest.mark.parametrize("gamma", [0.0, 0.1, 3.0])
def test_easy_tasks_stop_at_the_limiting_scale(gamma):
    limit = limiting_scale(2.0, 2.0, gamma)
    flow = kernel_flow(PowerLaw(2.0, 2.0).quadrature(1e7), gamma, np.array([1e6]))
    assert flow.scale[0] == pytest.approx(limit, rel=1e-5)  # what is missing falls like 1/t
    assert limit * (limit - 1) == pytest.approx(gamma * rkhs_norm_squared(2.0, 2.0))


@pytest.mark.parametrize("exact_rate", [False, True])
def test_closure_constants(exact_rate):
    alpha, beta, gamma, log_end = 1.5, 0.3, 2.0, math.log(1e30)
    # y . Delta and |Delta|^2 with the scale alone are S(a) and S(2 a); in log time, from t = 0.01 on.

    def slope(log_t, state):
        a, norm = state
        drive = mode_sum(alpha, beta, a)
        rate = 2 * (drive - mode_sum(alpha, beta, 2 * a)) if exact_rate else drive
        return np.exp(log_t) * np.array([1 + gamma * norm, rate])

    start = math.log(0.01)
    end = solve_ivp(slope, (start, log_end), [0.01, 0.01], method="DOP853", rtol=1e-9, atol=0.0).y[0, -1]
    solution = self_similar_solution(alpha, beta, gamma)
    ratio = mode_sum(alpha, beta, 2 * end) / solution.loss(1e30)
    assert ratio == pytest.approx(solution.closure_ratio(exact_rate), rel=1e-6)
