"""Targets, their loss, and the kernels of infinitely wide networks on the circle."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from neural_scaling.base.checks import InputError
from neural_scaling.models import circle
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.circle_kernel import circle_kernel, lazy_loss, power_correlation, unlearned_clock

THETA = np.array([1e-3, 0.3, 1.0, 2.0, math.pi, 4.0, -0.5, 7.0])


def test_targets_with_closed_forms():
    inside = np.remainder(THETA, 2 * math.pi)
    np.testing.assert_allclose(circle.target(THETA, 1.0), -np.log(2 * np.sin(inside / 2)), rtol=1e-12, atol=1e-13)
    parabola = math.pi**2 / 6 - math.pi * inside / 2 + inside**2 / 4
    np.testing.assert_allclose(circle.target(THETA, 2.0), parabola, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("q", [0.6, 0.75, 1.4, 2.3, 3.0])
def test_targets_are_their_series(q):
    theta = THETA[1:]
    last = 200_000
    k = np.arange(1, last + 1)
    # A smooth end of the sum removes its Gibbs oscillation; what is left falls with any power of the cut.
    end = np.where(k < last / 2, 1.0, np.cos(math.pi * (k / last - 0.5)) ** 2)
    series = [float(np.sum(end * k**-q * np.cos(k * one))) for one in theta]
    np.testing.assert_allclose(circle.target(theta, q), series, atol=1e-7)


@pytest.mark.parametrize("odd", [1.0, 3.0])
def test_targets_are_continuous_in_q_at_odd_numbers(odd):
    near = circle.target(THETA, odd + 1e-5)
    np.testing.assert_allclose(circle.target(THETA, odd), near, rtol=1e-3)
    np.testing.assert_allclose(circle.target(THETA, odd + 1e-7), circle.target(THETA, odd + 2e-7), rtol=1e-5)


def test_variance_tail_and_source():
    assert circle.variance(1.0) == pytest.approx(math.pi**2 / 12)
    assert circle.tail(0.8, 1) == pytest.approx(circle.variance(0.8))
    assert circle.tail(0.8, 5) == pytest.approx(circle.variance(0.8) - sum(k**-1.6 for k in range(1, 5)) / 2)
    assert circle.source(1.4, 0.9) == pytest.approx(1.0)
    assert circle.decay(circle.source(1.4, 1.2), 1.2) == pytest.approx(1.4)


def test_loss_is_exact_over_the_circle():
    q = 0.7
    data = CircleData([q, q], torch.device("cpu"), torch.float64, angles=64, test_angles=128)
    theta = np.arctan2(*data.test_inputs.numpy().T[::-1])
    learned = np.cos(theta) + 2**-q * np.cos(2 * theta)
    wrong = 0.3 + 0.1 * np.sin(5 * theta)
    loss = data.loss(torch.from_numpy(np.stack([learned, learned + wrong]))).numpy()
    np.testing.assert_allclose(loss, [circle.tail(q, 3), circle.tail(q, 3) + 0.09 + 0.005], rtol=1e-9)


def test_a_slow_series_has_no_value_at_angle_0():
    with pytest.raises(InputError, match="theta: has an angle 0"):
        circle.target([0.0], 0.9)


def test_arc_cosine_kernels():
    rho = np.linspace(-1, 1, 41)
    angle = np.arccos(rho)
    np.testing.assert_allclose(power_correlation(rho, 0.0), 1 - angle / math.pi, atol=1e-12)
    first = (np.sin(angle) + (math.pi - angle) * rho) / math.pi
    np.testing.assert_allclose(power_correlation(rho, 1.0), first, atol=1e-12)


@pytest.mark.parametrize("exponent", [-0.28, 0.72, 1.5])
@pytest.mark.parametrize("rho", [-0.5, 0.3, 0.9])
def test_averages_against_quadrature(exponent, rho):
    def integral(end):
        return quad(lambda x: ((math.cos(x) - math.cos(end)) / 2) ** exponent, 0, end, limit=200)[0]

    # In polar coordinates, with end = pi - arccos(rho); the quadrature is good to 1e-8 at an endpoint singularity.
    expected = integral(math.pi - math.acos(rho)) / integral(math.pi)
    assert float(power_correlation(np.array(rho), exponent)) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("power", [0.75, 1.0, 1.5])
def test_capacity_is_twice_the_power(power):
    values = circle_kernel(4, power, modes=1000, angles=2**15).tangent
    for first in (200, 201):
        k = np.arange(first, 800, 2)
        slope = np.polyfit(np.log(k), np.log(values[k]), 1)[0]
        # Corrections are of relative order k^(1 - 2 q), the slowest at q = 3/4; the grid folds in 1e-3.
        assert slope == pytest.approx(-2 * power, abs=0.04)


def test_lazy_loss_starts_at_the_variance_and_gets_its_power():
    values = circle_kernel(4, 1.0, modes=4000, angles=2**14).tangent
    steps = np.array([0.0, 1e5, 1e6])
    loss = lazy_loss(values, 0.5, 1.0, 0.1, steps)
    assert loss[0] == pytest.approx(circle.variance(1.0))
    assert math.log10(loss[1] / loss[2]) == pytest.approx(0.5, abs=0.02)


def test_clock_of_what_is_left_to_learn():
    eta, q, step = 0.1, 1.0, np.arange(0.0, 401.0)
    first = np.arange(1, 41.0) ** -2
    alike = np.outer(1 + step / 50, np.concatenate([[3.0], first]))
    np.testing.assert_allclose(unlearned_clock(step, alike, q, eta), step + step**2 / 100, rtol=1e-12)
    # Modes 1 and 2 are learned long before step 200 (eta K = 1/10 and 1/40): that they grow from then on counts for nothing.
    learned = np.tile(np.concatenate([[3.0], first]), (step.size, 1))
    learned[:, 1:3] *= 1 + np.maximum(step - 200, 0)[:, None]
    assert unlearned_clock(step, learned, q, eta)[-1] == pytest.approx(400, rel=0.01)
    assert learned[-1, 1:].sum() / first.sum() > 100  # of which the trace would tell


def test_clock_of_modes_that_grow_differently_in_small_steps():
    eta, q, step = 0.1, 0.75, np.concatenate([[0.0], np.geomspace(1, 1000, 61)])
    k = np.arange(0, 31)
    first = np.maximum(k, 1.0) ** -2.0
    modes = first * (1 + np.outer(step, 1 / (20 + 5.0 * k)))
    clock, left, dt = 0.0, k[1:] ** -q, 0.05
    for number in range(20_000):  # r_k follows the clock, in steps of a twentieth
        kernel = first[1:] * (1 + number * dt / (20 + 5.0 * k[1:]))
        passed = dt * (left**2 @ kernel) / (left**2 @ first[1:])
        left = left * (1 - eta * first[1:] * passed)
        clock += passed
    found = unlearned_clock(step, modes, q, eta)
    assert found[-1] == pytest.approx(clock, rel=2e-3)  # second order in a ninth of a decade
    trace = np.trapezoid(modes[:, 1:].sum(1) / first[1:].sum(), step)
    assert abs(trace / found[-1] - 1) > 0.2


def test_loss_on_the_clock_is_that_of_a_lazy_network():
    eta, q, step = 0.05, 1.0, np.arange(0.0, 2001.0)
    values = circle_kernel(4, 1.0, modes=64, angles=2**12).tangent
    growth = 1 + (step / 100) ** 0.6
    left, losses = np.arange(1, 65) ** -q, []
    for factor in growth:
        losses.append(left @ left / 2)
        left = left * np.exp(-eta * factor * values[1:])
    clock = unlearned_clock(step, np.outer(growth, values), q, eta)
    lazy = np.exp(-2 * eta * np.outer(clock, values[1:])) @ np.arange(1, 65) ** (-2 * q) / 2
    np.testing.assert_allclose(losses, lazy, rtol=2e-2)  # the sum over steps against the integral
