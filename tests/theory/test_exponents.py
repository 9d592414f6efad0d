import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.theory import (
    chi,
    chi_level,
    kernel_growth_exponent,
    modes_learned_exponent,
    regime,
    rkhs_norm_squared,
    time_multiplier,
)

SOURCES = st.floats(0.01, 4.0)
EPS = 1e-12  # a handful of floating point operations on numbers of order one


@given(beta=SOURCES)
def test_chi_solves_the_self_consistency(beta):
    value = chi(beta)
    assert value == pytest.approx(max(beta, beta * (2 - value)), abs=EPS)
    assert chi(beta, rich=False) == beta
    assert beta - EPS <= value <= 2 * beta
    assert value == pytest.approx(beta * time_multiplier(beta), abs=EPS)


def test_chi_known_values_and_shapes():
    assert chi(0.4) == pytest.approx(4 / 7, abs=EPS)
    assert chi(1.2) == 1.2
    beta = np.array([[0.25, 0.5], [1.0, 2.0]])
    assert chi(beta).shape == beta.shape
    np.testing.assert_allclose(chi(beta), [[0.4, 2 / 3], [1.0, 2.0]], atol=EPS)
    assert isinstance(chi(0.5), float)


@given(beta=st.floats(0.05, 0.99), level=st.integers(0, 12))
def test_levels_alternate_and_close_in_by_beta(beta, level):
    now = chi_level(beta, level) - chi(beta)
    following = chi_level(beta, level + 1) - chi(beta)
    assert following == pytest.approx(-beta * now, abs=EPS)


@given(beta=st.floats(1.0, 4.0), level=st.integers(0, 6))
def test_levels_of_easy_tasks_stay_at_beta(beta, level):
    assert chi_level(beta, level) == beta


def test_levels_printed_in_the_paper():
    beta = 0.3
    assert chi_level(beta, 1) == pytest.approx(beta * (2 - beta), abs=EPS)
    assert chi_level(beta, 2) == pytest.approx(beta * (2 - beta * (2 - beta)), abs=EPS)
    assert chi_level(beta, math.inf) == chi(beta)


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (1.5, 0.4, "hard"),
        (1.5, 1.0, "hard"),
        (1.5, 1.2, "easy"),
        (2.0, 1.5, "easy"),
        (2.0, 1.75, "super-easy"),
        (1.01, 1.2, "super-easy"),
    ],
)
def test_regime(alpha, beta, expected):
    assert regime(alpha, beta) == expected


def test_derived_exponents():
    assert kernel_growth_exponent(0.5) == pytest.approx(1 / 3, abs=EPS)
    assert kernel_growth_exponent(0.5, rich=False) == 0
    assert kernel_growth_exponent(1.5) == 0
    assert modes_learned_exponent(1.5, 0.4) == pytest.approx((2 - chi(0.4)) / 1.5, abs=EPS)
    assert modes_learned_exponent(1.5, 0.4, rich=False) == pytest.approx(1 / 1.5, abs=EPS)


def test_rkhs_norm():
    assert rkhs_norm_squared(1.5, 1.0) == math.inf
    k = np.arange(1, 200_001)
    # The tail beyond 2e5 modes is 2e5^-1.5/1.5 < 1e-8.
    assert rkhs_norm_squared(1.5, 2.0) == pytest.approx(np.sum(k**-2.5), rel=1e-7)
    # Near beta = 1 the paper's 1/(alpha (beta - 1)) is the leading part; the next one is Euler's 0.58.
    assert rkhs_norm_squared(1.5, 1.01) == pytest.approx(1 / (1.5 * 0.01), abs=0.6)
