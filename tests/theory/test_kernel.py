import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.theory import (
    chi,
    edge_of_stability_step,
    effective_time,
    kernel_scale,
    modes_learned,
    step_of_modes,
)


def test_effective_time_is_the_one_inside_equation_10():
    step, eta, gamma, beta = np.array([1.0, 10.0, 1e4]), 0.1, 2.0, 0.4
    time = eta * step
    expected = time + gamma * time ** (2 - chi(beta))
    np.testing.assert_allclose(effective_time(beta, gamma, eta, step), expected, rtol=1e-13)  # rounding
    np.testing.assert_allclose(modes_learned(1.5, beta, gamma, eta, step), expected ** (1 / 1.5), rtol=1e-13)


def test_lazy_and_easy_kernels():
    step = np.array([1.0, 100.0])
    np.testing.assert_array_equal(kernel_scale(0.4, 0.0, 0.1, step), 1.0)
    np.testing.assert_array_equal(kernel_scale(1.3, 2.0, 0.1, step), 3.0)


@given(
    alpha=st.floats(1.05, 4.0),
    beta=st.floats(0.05, 2.5),
    gamma=st.floats(0.0, 4.0),
    eta=st.floats(1e-4, 1.0),
    modes=st.floats(0.5, 1e4),
)
def test_step_of_modes_inverts(alpha, beta, gamma, eta, modes):
    step = step_of_modes(alpha, beta, gamma, eta, modes)
    # The root is found to 1e-13 in the logarithm; exponents of at most 2 on either side.
    assert modes_learned(alpha, beta, gamma, eta, step) == pytest.approx(modes, rel=1e-10)


def test_edge_of_stability():
    step = edge_of_stability_step(0.4, 2.0, 0.1)
    assert 0.1 * kernel_scale(0.4, 2.0, 0.1, step) == pytest.approx(2.0, rel=1e-10)  # rounding of a power
    # The two learning rates tried at gamma = 2: 0.1 reaches the edge before step 1e4, 0.02 does not.
    assert step < 1e4 < edge_of_stability_step(0.4, 2.0, 0.02)
    assert edge_of_stability_step(0.4, 0.0, 0.1) == math.inf
    assert edge_of_stability_step(0.4, 1.0, 3.0) == 0
    assert edge_of_stability_step(1.5, 1.0, 0.5) == math.inf
    assert edge_of_stability_step(1.5, 4.0, 0.5) == 0
    assert edge_of_stability_step(0.98, 0.1, 1e-4) == math.inf  # beyond any float
