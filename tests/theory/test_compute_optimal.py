import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_scaling.theory import (
    balancing_terms,
    compute_optimum,
    frontier,
    loss,
    loss_terms,
    phase,
    phases,
    regime,
    super_easy_boundary,
    table_frontier,
)
from neural_scaling.theory.loss_law import TRANSIENT

LOG_C = 1e4
"""ln C at which limits are read off: a term that loses by C^-g has left a share exp(-1e4 g)."""


def test_table_as_printed():
    a, b = 2.0, 0.5
    assert compute_optimum(a, b, False).r == pytest.approx(a * b / (a + 1))
    assert compute_optimum(a, b, True).r == pytest.approx(2 * a * b / (a * (1 + b) + 2))
    for rich in (False, True):
        assert compute_optimum(a, 1.25, rich).r == pytest.approx(2.5 / 3.5)
        assert compute_optimum(a, 1.75, rich).r == pytest.approx(1 - 1 / 4)
        assert compute_optimum(a, 1.75, rich, finite_batch=False).r == pytest.approx(3.5 / 4.5)


@pytest.mark.slow
def test_784_cases_minimised_numerically():
    """14 capacities, 14 sources, lazy and rich, as printed and as corrected: Table 1 survives the corrections.

    Every task keeps 0.009 and more in beta from a boundary, so the slowest competing power loses by C^-0.003 or
    faster: a share below exp(-30) is left at ln C = 1e4. 1e-6 is far above that and above rounding.
    """
    capacities = np.linspace(1.1, 4.0, 14)
    sources = [0.1, 0.2, 0.3, 0.45, 0.6, 0.75, 0.9, 1.1, 1.2, 1.3, 1.45, 1.6, 2.2, 3.0]
    gaps = []
    for alpha in capacities:
        for beta in sources:
            for rich in (False, True):
                formula = compute_optimum(alpha, beta, rich)
                for version in ("paper", "corrected"):
                    found = table_frontier(alpha, beta, rich, version, LOG_C)
                    gaps.append(max(abs(found.r - formula.r), abs(found.a - formula.a)))
    assert len(gaps) == 784
    assert max(gaps) < 1e-6


@settings(max_examples=60)
@given(alpha=st.floats(1.05, 4.0), beta=st.floats(0.05, 3.0), rich=st.booleans())
def test_random_tasks_agree_with_the_formulas(alpha, beta, rich):
    # Within 0.02 of a boundary terms tie and the limit is reached too slowly; the formulas are continuous there.
    if min(abs(beta - 1), abs(beta - float(super_easy_boundary(alpha)))) < 0.02:
        return
    formula = compute_optimum(alpha, beta, rich)
    for version in ("paper", "corrected"):
        found = table_frontier(alpha, beta, rich, version, 1e5)
        assert found.r == pytest.approx(formula.r, abs=1e-6)
        assert found.a == pytest.approx(formula.a, abs=1e-6)


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize("alpha", [1.2, 1.5, 3.0])
def test_formulas_are_continuous_and_the_boundary_is_slow(alpha, rich):
    for boundary in (1.0, float(super_easy_boundary(alpha))):
        below, above = (compute_optimum(alpha, boundary + shift, rich) for shift in (-1e-9, 1e-9))
        # Slopes in beta are at most alpha; twice 1e-9 in beta.
        assert below.r == pytest.approx(above.r, abs=1e-8)
        assert below.a == pytest.approx(above.a, abs=1e-8)
        found = table_frontier(alpha, boundary, rich, "paper", LOG_C)
        # On the boundary three powers tie: factors of order one, the same exponents.
        assert found.r == pytest.approx(below.r, abs=1e-6)


def test_optimum_is_the_minimum_found_by_brute_force():
    terms = loss_terms(1.5, 0.5, True, "corrected")
    compute, B, eta = 1e8, 16.0, 0.1
    found = frontier(terms, math.log(compute), B, eta)
    N = np.geomspace(1.0, compute, 200_001)
    values = loss(terms, compute / N, N, B, eta)
    best = np.argmin(values)
    assert found.log_width == pytest.approx(math.log(N[best]), abs=2e-4)  # two cells of the grid
    assert found.log_loss == pytest.approx(math.log(values[best]), abs=1e-7)  # second order in the cell
    assert found.log_time + found.log_width == pytest.approx(found.log_compute)
    assert found.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("version", ["paper", "corrected"])
@pytest.mark.parametrize("beta", [0.4, 1.2, 2.0])
def test_local_exponents_are_derivatives(beta, version):
    terms = loss_terms(1.7, beta, False, version)
    centre, step = np.linspace(5, 40, 8), 1e-3
    low, mid, high = (frontier(terms, centre + shift, B=8.0) for shift in (-step, 0, step))
    # Central differences: third derivatives of order one times 1e-6, rounding 1e-15/1e-3.
    np.testing.assert_allclose(mid.r, (low.log_loss - high.log_loss) / (2 * step), atol=1e-6)
    np.testing.assert_allclose(mid.a, (high.log_width - low.log_width) / (2 * step), atol=1e-6)


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.5), (2.0, 1.25), (1.5, 1.8), (3.0, 0.9)])
def test_surviving_terms_are_those_of_the_phase(alpha, beta, rich):
    named = phase(alpha, beta, rich)
    expected = {named.early, named.late}
    terms = loss_terms(alpha, beta, rich, "paper")
    assert balancing_terms(terms, frontier(terms, LOG_C, B=1.0)) == expected
    terms = loss_terms(alpha, beta, rich, "corrected")
    if regime(alpha, beta) == "hard":
        # With the corrected transient three terms are of one order at the optimum.
        assert balancing_terms(terms, frontier(terms, LOG_C)) == expected | {TRANSIENT}
    else:
        assert balancing_terms(terms, table_frontier(alpha, beta, rich, "corrected", LOG_C)) >= expected


def test_super_easy_needs_a_finite_batch():
    terms = loss_terms(2.0, 1.75, True)
    with_noise, without = frontier(terms, LOG_C, B=1.0), frontier(terms, LOG_C)
    assert with_noise.r == pytest.approx(0.75, abs=1e-6)
    assert without.r == pytest.approx(compute_optimum(2.0, 1.75, True, finite_batch=False).r, abs=1e-6)
    easy = compute_optimum(2.0, 1.75, True, finite_batch=False).phase
    assert (easy.early, easy.late) == (phases(True)["easy"].early, phases(True)["easy"].late)


def test_rich_hard_row_fails_if_the_noise_term_is_kept_for_ever():
    found = frontier(loss_terms(2.0, 0.5, True, "corrected"), LOG_C, B=1.0)
    late = 2 * (2 / 3) - 1  # t^-(2 chi - 1) against N^-(alpha beta), alpha beta = 1
    assert found.r == pytest.approx(late / (1 + late), abs=1e-6)
    assert found.r < compute_optimum(2.0, 0.5, True).r


def test_phase_labels():
    assert phases(False)["hard"].early_label == r"t^{-\beta}"
    assert phases(True)["hard"].early_label == r"t^{-2\beta/(1+\beta)}"
    assert phases(True)["easy"].printed_label.endswith(r"N^{-\alpha\beta}")
    np.testing.assert_allclose(super_easy_boundary(np.array([1.0, 2.0, 4.0])), [1.0, 1.5, 1.75])
