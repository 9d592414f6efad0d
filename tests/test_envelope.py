"""The frontier of loss curves: exact where the minimum over widths is known, honest where it lies outside."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.fits import compute_frontier, fit_power_law

WIDTHS = np.round(8 * 2 ** (np.arange(17) / 2))
STEP = np.unique(np.round(np.geomspace(1, 1e6, 400)))


def family(time_exponent, width_exponent, widths=WIDTHS, step=STEP):
    """Two competing powers, whose frontier is a power known in closed form."""
    return [(step, step**-time_exponent + float(width) ** -width_exponent) for width in widths]


@pytest.mark.slow
@given(time_exponent=st.floats(0.4, 1.5), width_exponent=st.floats(0.5, 2.5))
def test_two_powers(time_exponent, width_exponent):
    p, q = time_exponent, width_exponent
    compute = np.geomspace(1e2, 1e8, 60)
    front = compute_frontier(WIDTHS, family(p, q), compute)
    # d/dN [ (N/C)^p + N^-q ] = 0
    width = (q / p * compute**p) ** (1 / (p + q))
    exact = (width / compute) ** p + width**-q
    # Away from the first steps, where curves are interpolated between whole steps, and the smallest widths.
    good = front.interior & (compute / width > 20)
    # Next order in the expansion of exp(p x) + exp(-q x) around its minimum, half an octave (loss) and an octave (width)
    # either side, at the largest powers.
    np.testing.assert_allclose(front.loss[good], exact[good], rtol=0.025)
    np.testing.assert_allclose(np.log(front.width[good]), np.log(width[good]), atol=0.15)
    np.testing.assert_allclose(front.time * front.width, front.compute)


def test_exponents_of_two_powers():
    compute = np.geomspace(1e3, 1e6, 61)
    front = compute_frontier(WIDTHS, family(2 / 3, 1.0), compute)
    window = front.inside()
    assert window[0] <= 2e3 and window[1] == compute[-1]
    # r = pq/(p+q) = 0.4 and a = p/(p+q) = 0.4; the staircase of widths leaves ripples of a per cent.
    assert fit_power_law(compute, front.loss, window).exponent == pytest.approx(0.4, abs=2e-3)
    assert fit_power_law(compute, front.width, window).exponent == pytest.approx(-0.4, abs=0.01)


def test_a_minimum_outside_the_family_is_marked():
    compute = np.geomspace(1e2, 5e6, 50)
    front = compute_frontier(WIDTHS[:4], family(2 / 3, 1.0, WIDTHS[:4]), compute)
    assert not front.interior[-1]
    assert front.width[-1] == WIDTHS[3]
    assert front.inside()[1] < 1e5
    only = compute_frontier(WIDTHS[:1], family(2 / 3, 1.0, WIDTHS[:1]), compute)
    assert not only.interior.any()
    with pytest.raises(InputError, match=r"^curves: "):
        only.inside()


def test_short_curves_do_not_take_part():
    curves = family(2 / 3, 1.0)
    compute = np.geomspace(1e3, 1e6, 31)
    whole = compute_frontier(WIDTHS, curves, compute)
    # The narrowest curves end long after they were best.
    cut = [(t[t <= 1e5], loss[t <= 1e5]) for t, loss in curves]
    np.testing.assert_array_equal(compute_frontier(WIDTHS, cut, compute).loss, whole.loss)


def test_the_longest_stretch_is_inside():
    front = compute_frontier(WIDTHS, family(2 / 3, 1.0), np.geomspace(1e3, 1e6, 31))
    broken = front.interior.copy()
    broken[[5, 20]] = False
    assert dataclasses.replace(front, interior=broken).inside() == (front.compute[6], front.compute[19])


def test_negative_losses_are_refused():
    with pytest.raises(InputError, match=r"^L: "):
        compute_frontier([8.0, 16.0], [(STEP, -STEP)] * 2, [10.0, 100.0])
