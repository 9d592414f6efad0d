"""The rank-one form of gradient flow against the flow of the whole matrix, its invariants and closed forms."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import TimeGrid, decay_terms, gradient_flow, infinite_limit, kernel_flow, printed_ratio, solve
from neural_scaling.dmft import flow as flow_module
from neural_scaling.spectra import NotResolved, PowerLaw, Spectrum

TIME = np.array([0.0, 0.5, 3.0, 20.0])


@pytest.mark.slow
@settings(max_examples=15)
@given(alpha=st.floats(1.05, 3.0), beta=st.floats(0.1, 3.0), gamma=st.floats(0.0, 4.0))
def test_equals_the_flow_of_the_whole_matrix(alpha, beta, gamma):
    quadrature = PowerLaw(alpha, beta, 40).spectrum().quadrature()
    expected = gradient_flow(quadrature, gamma, TIME)
    got = kernel_flow(quadrature, gamma, TIME)
    # The integrator of the matrix keeps a relative error of 1e-8 a step; a hundred steps lead to 20.
    np.testing.assert_allclose(got.loss, expected.loss, rtol=2e-6)
    np.testing.assert_allclose(got.weight_norm, expected.weight_norm, rtol=2e-6, atol=1e-12)
    np.testing.assert_allclose(got.sharpness, expected.sharpness, rtol=2e-6)


def test_matrix_of_the_features_has_the_stated_form():
    # Eqs. 51 in full, with M = G + gamma C_w, for 12 modes and no quadrature.
    lam, w, gamma = np.arange(1, 13.0) ** -1.5, np.arange(1, 13.0) ** -0.2, 0.7

    def slope(_, state):
        u, norm, g = state[:12], state[12], state[13:].reshape(12, 12)
        a = lam * (w - u)
        change = gamma * (np.outer(u, a) + np.outer(a, u))
        return np.concatenate([g @ a + gamma * norm * a, [2 * u @ a], change.ravel()])

    start = np.concatenate([np.zeros(13), np.eye(12).ravel()])
    state = solve_ivp(slope, (0, 10), start, rtol=1e-11, atol=1e-13).y[:, -1]
    u, scale = state[:12], 1 + gamma * state[12]
    # The integrator keeps 1e-11 a step, some tens of steps.
    np.testing.assert_allclose(state[13:].reshape(12, 12), np.eye(12) + gamma / scale * np.outer(u, u), atol=1e-9)
    assert u @ u == pytest.approx(state[12] * scale, rel=1e-9)


def test_unit_steps_approach_it_in_proportion_to_the_learning_rate():
    quadrature = PowerLaw(1.5, 0.4).quadrature(1e3)
    flow = kernel_flow(quadrature, 1.0, np.array([10.0]))
    gaps = [infinite_limit(quadrature, eta, 1.0, round(10 / eta)).loss[-1] / flow.loss[0] - 1 for eta in (0.02, 0.01)]
    assert gaps[1] == pytest.approx(gaps[0] / 2, rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("beta", "gamma"), [(0.3, 1.0), (1.4, 2.0)])
def test_agrees_with_the_mean_field_theory_on_a_log_grid(beta, gamma):
    quadrature = PowerLaw(1.6, beta).quadrature(1e7)
    theory = solve(quadrature, gamma, TimeGrid.log_spaced(0.1, 1e4))
    flow = kernel_flow(quadrature, gamma, theory.time)
    # The two share nothing but the modes. The theory states its error; the flow is good to 1e-6.
    assert np.all(np.abs(theory.loss / flow.loss - 1) < theory.error + 2e-6)
    np.testing.assert_allclose(
        theory.weight_norm, flow.weight_norm, rtol=2e-4, atol=1e-12
    )  # no error of its own is stated
    np.testing.assert_allclose(theory.learned.T, 1 - flow.error, atol=2e-4)


def test_lazy_limit():
    quadrature = PowerLaw(1.5, 0.4).quadrature(1e5)
    time = np.geomspace(0.1, 1e4, 12)
    flow = kernel_flow(quadrature, 0.0, time)
    error = np.exp(-np.outer(time, quadrature.nodes))
    np.testing.assert_allclose(flow.error, error, atol=1e-12)  # exact but for rounding in some hundred steps
    np.testing.assert_array_equal(flow.scale, 1)
    np.testing.assert_array_equal(flow.spike, 0)
    np.testing.assert_allclose(flow.sharpness, 1)
    # Half learned where lambda t = ln 2; nodes are dense enough for straight lines in log lambda.
    np.testing.assert_allclose(flow.eigenvalue_at(0.5)[time > 1] * time[time > 1] / math.log(2), 1, rtol=0.02)


def test_terms_add_up_to_the_decay_of_the_loss():
    quadrature = PowerLaw(1.5, 0.4).quadrature(1e4)
    time = np.array([5.0, 5.0 * 1.001, 5.0 * 1.001**2])
    flow = kernel_flow(quadrature, 1.0, time)
    terms = decay_terms(flow)
    total = 2 * (terms.lazy + terms.scale + terms.spike)
    slope = (flow.loss[2] - flow.loss[0]) / (time[2] - time[0])
    assert -slope == pytest.approx(total[1], rel=1e-4)  # central difference over 0.1 % of the time
    assert -slope != pytest.approx(total[1] / 2, rel=0.1), "the factor two that eq. 53 lacks"


def test_printed_ratio_of_lazy_learning():
    quadrature = PowerLaw(1.5, 0.4).quadrature(1e4)
    flow = kernel_flow(quadrature, 0.0, np.geomspace(1e-2, 1e3, 500))
    lam, weights, error = quadrature.nodes, quadrature.target_weights, np.exp(-np.outer(flow.time, quadrature.nodes))
    # The integral over time of an error e^(-lambda t) is (1 - e^(-lambda t))/lambda.
    second = (error @ (weights * lam)) * ((error * (1 - error)) @ (weights * lam))
    third = (error**2 @ (weights * lam**2)) * ((1 - error) @ weights)
    np.testing.assert_allclose(printed_ratio(flow), second / third, rtol=0.01)  # it takes the error for 1 until 0.01
    with pytest.raises(InputError, match=r"^flow: begins at time zero"):
        printed_ratio(kernel_flow(quadrature, 0.0, TIME))


def test_long_times():
    flow = kernel_flow(PowerLaw(1.5, 0.6).quadrature(4e7), 1.0, np.geomspace(1, 1e6, 13))
    assert np.all(np.diff(flow.loss) < 0)
    # Learned modes overshoot: the spike pushes them past the target.
    assert flow.error[-1, 0] < 0


def in_plain_time(quadrature, gamma, time):
    """Errors and |w|^2/N by an integrator of stiff equations, in time and with no clock."""
    lam, weights, size = quadrature.nodes, quadrature.target_weights, quadrature.nodes.size

    def slope(_, state):
        error, scale = state[:size], 1 + gamma * state[size]
        overlap = (weights * lam * error) @ (1 - error)
        return np.append(-scale * lam * error - gamma / scale * overlap * (1 - error), 2 * overlap)

    start, allowed = np.append(np.ones(size), 0.0), np.append(np.full(size, 1e-15), 1e-15 * quadrature.initial_loss)
    found = solve_ivp(slope, (0, time[-1]), start, "Radau", time, rtol=1e-10, atol=allowed).y
    return found[:size].T, found[size]


GAPS = Spectrum([1.0, 0.1, 1e-5, 3e-6], [1.0, 3.0, 300.0, 2000.0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("modes", "gamma", "last"),
    [
        (PowerLaw(1.5, 0.4, 30).spectrum(), 1.0, 1e4),
        (PowerLaw(1.2, 2.5, 30).spectrum(), 1e4, 1e3),
        (PowerLaw(2.0, 0.1, 30).spectrum(), 1e-3, 1e5),
        (GAPS, 1.0, 1.3e3),  # the kernel grows 2000-fold at the end
    ],
)
def test_equals_an_integration_in_plain_time(modes, gamma, last):
    quadrature, time = modes.quadrature(), np.geomspace(1e-3, last, 40)
    error, norm = in_plain_time(quadrature, gamma, time)
    got = kernel_flow(quadrature, gamma, time)
    # What the solver states; the other one keeps 1e-10 a step, in up to some hundred steps.
    expected = error**2 @ (quadrature.target_weights * quadrature.nodes)
    np.testing.assert_allclose(got.loss, expected, rtol=1e-6, atol=1e-18 * quadrature.initial_loss)
    np.testing.assert_allclose(got.weight_norm, norm, rtol=1e-7)
    np.testing.assert_allclose(got.error, error, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 1e-3, 1.0, 1e6])
@pytest.mark.parametrize("modes", [PowerLaw(1.1, 0.1), PowerLaw(1.5, 1.0), PowerLaw(2.5, 3.5)])
def test_shorter_steps_change_no_more_than_is_stated(modes, gamma, monkeypatch):
    time = np.append(0, np.geomspace(1e-3, 1e5, 7))
    got = kernel_flow(modes, gamma, time)
    monkeypatch.setattr(flow_module, "_STEP", 0.06)
    finer = kernel_flow(modes, gamma, time)
    np.testing.assert_allclose(got.loss, finer.loss, rtol=1e-6)
    np.testing.assert_allclose(got.scale, finer.scale, rtol=1e-7)


@pytest.mark.parametrize("last", [3.0, 3.3, 3.6, 100.0])
def test_modes_have_to_resolve_the_very_time_that_is_reached(last):
    modes = PowerLaw(1.5, 0.4, 40).spectrum().quadrature()
    time = np.linspace(0, last, 400)
    reached = np.trapezoid(kernel_flow(modes, 1.0, time).scale, time)
    kernel_flow(dataclasses.replace(modes, horizon=1.01 * reached), 1.0, [last])
    with pytest.raises(NotResolved):
        kernel_flow(dataclasses.replace(modes, horizon=0.99 * reached), 1.0, [last])


def test_values_do_not_depend_on_the_other_times_asked_for():
    time = np.geomspace(0.1, 1e4, 12)
    together = kernel_flow(PowerLaw(1.5, 0.4).quadrature(1e6), 1.0, time)
    alone = kernel_flow(PowerLaw(1.5, 0.4).quadrature(1e6), 1.0, time[[5]])
    np.testing.assert_array_equal(alone.error[0], together.error[5])


def test_only_the_start():
    flow = kernel_flow(PowerLaw(1.5, 0.6, 10).spectrum().quadrature(), 1.0, np.array([0.0]))
    assert (flow.loss[0], flow.scale[0], flow.sharpness[0]) == (pytest.approx(flow.quadrature.initial_loss), 1.0, 1.0)
    assert math.isnan(flow.eigenvalue_at()[0])
