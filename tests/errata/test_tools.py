"""What the checks compute with, against independent computations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import zeta

from companion.errata.dense import Forms, Problem, solve_dense, substitute
from companion.errata.gradient_flow import solve_flow
from companion.errata.simulation import simulate_descent
from neural_scaling import dmft
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import effective_scale, model_bottleneck
from oracles.dense_dmft import dense_online

SPECTRUM = PowerLaw(1.5, 0.5, 40).spectrum()


@pytest.mark.slow
@given(st.floats(0.02, 0.3), st.floats(0, 2), st.integers(8, 200))
def test_dense_equations_agree_with_the_oracle(eta, gamma, width):
    found = solve_dense(Problem(SPECTRUM, eta, gamma, 8, width))
    c0, r3, c3, c_w = dense_online(SPECTRUM.eigenvalues, SPECTRUM.target, eta, gamma, 8, width, math.inf)
    # Both iterate to a residual, 1e-10 and less; far entries are small, hence the absolute part.
    for value, expected in ((found.c0, c0), (found.r3, r3), (found.c3, c3), (found.c_w, c_w)):
        np.testing.assert_allclose(value, expected, rtol=1e-8, atol=1e-10 * np.max(np.abs(expected)))
    np.testing.assert_allclose(np.diag(found.c1), np.diag(found.c0), rtol=1e-12)  # no sample is seen twice


def test_a_solution_comes_out_unchanged_and_each_printed_form_changes_it():
    problem = Problem(SPECTRUM, 0.2, 1.0, 10, 32, 24)
    known = solve_dense(problem)
    again = substitute(problem, known)
    # A fixed point, iterated until rounding is left.
    np.testing.assert_allclose(again.c3, known.c3, rtol=1e-9)
    for name in Forms.__dataclass_fields__:
        printed = substitute(problem, known, Forms(**{name: False}))
        changes = [
            np.max(np.abs(getattr(printed, part) - getattr(known, part))) / np.max(np.abs(getattr(known, part)))
            for part in ("c0", "c3", "c_w")
        ]
        assert max(changes) > 0.01, name


@pytest.mark.parametrize(("gamma", "eta"), [(0.0, 0.6), (1.0, 0.25)])
def test_each_line_of_the_proof_of_the_floor(gamma, eta):
    spectrum, width = PowerLaw(1.2, 0.5, 10).spectrum(), 4
    found = solve_dense(Problem(spectrum, eta, gamma, 150, width))
    lam, target = spectrum.eigenvalues, spectrum.target**2
    response, c = found.drive @ found.r3, (found.drive @ found.c3 @ found.drive.T)[-1, -1]
    r = effective_scale(spectrum, width)
    reach = lam * r / (1 + lam * r)
    df2 = np.sum(reach**2)
    signal, noise = np.sum(lam * target / (1 + lam * r) ** 2), c / width * np.sum(lam / (1 + lam * r) ** 2)
    # After 150 steps responses are within 1e-3 of their end, the loss, which is smallest there, within 1e-6.
    assert response[-1].sum() == pytest.approx(r, rel=2e-3)
    assert abs(response[-1, 0]) < 1e-3 * r  # the start is forgotten
    assert c * (1 - df2 / width) == pytest.approx(np.sum(reach**2 * target), rel=2e-3)
    assert width - df2 == pytest.approx(r * np.sum(lam / (1 + lam * r) ** 2), rel=1e-12)
    assert noise == pytest.approx(np.sum(reach**2 * target) / r, rel=2e-3)
    assert found.c0[-1, -1] == pytest.approx(signal + noise, rel=2e-3)
    assert found.c0[-1, -1] == pytest.approx(model_bottleneck(spectrum, width), rel=2e-6)
    assert found.c0[-1, -1] > 2 * signal  # eq. 76, which is the first part alone


def test_dense_equations_of_sample_reuse_agree_with_simulation():
    problem = Problem(SPECTRUM, 0.3, 1.0, 20, 64, 48)
    simulated, found = simulate_descent(problem, 150), solve_dense(problem)
    # Four standard errors and as much for the next order in 1/N and 1/P.
    allowed = 8 * simulated.standard_error
    np.testing.assert_allclose(np.diag(found.c0), simulated.loss, rtol=allowed)
    np.testing.assert_allclose(np.diag(found.c1), simulated.train_loss, rtol=allowed)
    assert simulated.train_loss[-1] < 0.9 * simulated.loss[-1]


def test_the_flow_is_that_of_the_library():
    flow = solve_flow(1.5, 0.5, 1.0, (1.0, 10.0))
    reference = dmft.gradient_flow(flow.quadrature, 1.0, np.array([1.0, 10.0]))
    loss = flow.error**2 @ (flow.quadrature.target_weights * flow.quadrature.nodes)
    # Both integrators keep 1e-8 or better a step.
    np.testing.assert_allclose(loss, reference.loss, rtol=1e-6)
    np.testing.assert_allclose(flow.weight_norm, reference.weight_norm, rtol=1e-6)


def test_the_top_components_bound_the_floor_and_give_its_power_for_hard_tasks_only():
    widths = (1e3, 1e5)
    for beta, growth in ((0.5, 0.0), (1.5, 0.75)):  # alpha (beta - 1) for beta > 1
        law = PowerLaw(1.5, beta).quadrature(4 * (3 * widths[1]) ** 1.5)
        ratios = [model_bottleneck(law, width) / zeta(1 + 1.5 * beta, width + 1) for width in widths]
        assert min(ratios) > 1
        # The next power is 1/N^(1/4) or smaller.
        assert np.log10(ratios[1] / ratios[0]) / 2 == pytest.approx(growth, abs=0.01)


def test_equal_times_and_all_times():
    # Eq. 47, lazy: the sum of equal times falls as t^(-1-beta), its integral over one time as t^-beta.
    q, time = PowerLaw(1.5, 0.5).quadrature(4e6), np.array([1e4, 1e6])
    decay = np.exp(-np.outer(time, q.nodes))
    equal, integral = decay**2 @ (q.target_weights * q.nodes**2), (decay * (1 - decay)) @ (q.target_weights * q.nodes)
    powers = [np.log10(values[0] / values[1]) / 2 for values in (equal, integral)]
    np.testing.assert_allclose(powers, [1.5, 0.5], atol=2e-3)  # what a lower power of t leaves
