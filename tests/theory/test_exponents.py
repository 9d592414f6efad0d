import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.checks import InputError
from neural_scaling.theory import (
    chi,
    chi_level,
    compute_optimum,
    kernel_growth_exponent,
    loss_terms,
    modes_learned_exponent,
    regime,
    rkhs_norm_squared,
    self_consistent_curve,
    super_easy_boundary,
    time_multiplier,
    transient_exponent,
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


CALLS = {
    "regime": lambda a, b: regime(a, b),
    "loss_terms": lambda a, b: loss_terms(a, b, True),
    "transient_exponent": lambda a, b: transient_exponent(a, b, True),
    "compute_optimum": lambda a, b: compute_optimum(a, b, True),
    "modes_learned_exponent": lambda a, b: modes_learned_exponent(a, b),
    "rkhs_norm_squared": lambda a, b: rkhs_norm_squared(a, b),
    "self_consistent_curve": lambda a, b: self_consistent_curve(a, b, 1.0, [1.0, 2.0]),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
class TestBadInput:
    @pytest.mark.parametrize("alpha", [0.0, -1.5, math.nan, math.inf, "two", True])
    def test_capacity_must_be_positive(self, call, alpha):
        with pytest.raises(InputError, match=r"^alpha: .*positive"):
            call(alpha, 0.5)

    @pytest.mark.parametrize("alpha", [1.0, 0.7])
    def test_capacity_must_be_trace_class(self, call, alpha):
        with pytest.raises(InputError, match=r"^alpha: .*trace class"):
            call(alpha, 0.5)

    @pytest.mark.parametrize("beta", [0.0, -0.5, math.nan, math.inf])
    def test_source_must_be_positive(self, call, beta):
        with pytest.raises(InputError, match=r"^beta: "):
            call(1.5, beta)


def test_bad_input_elsewhere():
    with pytest.raises(InputError, match=r"^beta: "):
        chi(np.array([0.5, -1.0]))
    with pytest.raises(InputError, match=r"^level: "):
        chi_level(0.5, -1)
    with pytest.raises(InputError, match=r"^level: "):
        chi_level(0.5, 1.5)
    with pytest.raises(InputError, match=r"^alpha: .*trace class"):
        super_easy_boundary(0.9)
    with pytest.raises(InputError, match=r"^version: "):
        loss_terms(1.5, 0.5, True, "printed")
