"""Power laws with a constant: recovery, coverage of the intervals, what errors cannot tell apart."""

import numpy as np
import pytest

from neural_scaling.checks import InputError
from neural_scaling.fits import fit_common_offset, fit_offset_power_law

TIME = np.geomspace(1e5, 1e7, 24)


def curve(offset, exponent, error, seed=0):
    value = offset + 4 * (TIME / 1e6) ** -exponent
    return value + error * np.random.default_rng(seed).standard_normal(TIME.size), np.full(TIME.size, error)


@pytest.mark.parametrize(("offset", "exponent"), [(3.0, 0.2), (0.0, 0.05), (1.0, 0.7)])
def test_an_exact_curve_gives_its_numbers_back(offset, exponent):
    value, _ = curve(offset, exponent, 0.0)
    fit = fit_offset_power_law(TIME, value, np.full(TIME.size, 1e-2))
    assert fit.exponent == pytest.approx(exponent, rel=0.006)  # the grid of exponents
    assert fit.offset == pytest.approx(offset, abs=0.1)
    assert fit.prefactor * 1e6**-fit.exponent == pytest.approx(4, abs=0.1)
    assert fit.gain > 20 if offset else fit.gain < 4


def test_intervals_cover():
    seen = [fit_offset_power_law(TIME, *curve(3.0, 0.3, 0.01, seed)) for seed in range(200)]
    inside = np.mean([fit.interval[0] <= 0.3 <= fit.interval[1] for fit in seen])
    offsets = np.mean([fit.offset_interval[0] <= 3.0 <= fit.offset_interval[1] for fit in seen])
    assert inside > 0.91  # 0.95 less three standard errors of 200 trials
    assert offsets > 0.91


def test_what_errors_cannot_tell_apart_has_a_wide_interval():
    fit = fit_offset_power_law(TIME, *curve(3.0, 0.05, 0.1))
    assert fit.interval[1] - fit.interval[0] > 0.1
    assert fit.offset_interval[0] == 0
    assert fit.gain < 6


def test_a_misfit_widens():
    value, error = curve(3.0, 0.3, 0.01)
    wiggle = value + 0.05 * np.sin(3 * np.log(TIME))
    plain, wide = fit_offset_power_law(TIME, value, error), fit_offset_power_law(TIME, wiggle, error)
    assert np.diff(wide.interval) > 1.5 * np.diff(plain.interval)


def test_curves_with_one_constant_give_their_numbers_back():
    exponents = [0.06, 0.1, 0.2]
    value = np.stack([3 + 4 * (TIME / 1e6) ** -exponent for exponent in exponents])
    fit = fit_common_offset(TIME, value, np.full(value.shape, 1e-3))
    assert fit.offset == pytest.approx(3, abs=0.05)
    assert fit.exponents == pytest.approx(exponents, rel=0.05)
    plain = fit_common_offset(TIME, value - 3, np.full(value.shape, 1e-3))
    assert plain.offset == 0
    assert plain.exponents == pytest.approx(exponents, rel=0.006)  # the grid of exponents


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("offset", [0.0, 3.0])
@pytest.mark.parametrize("error", [1e-4, 0.01])
def test_intervals_with_one_constant_cover(shared, offset, error):
    exponents, inside = np.array([0.1, 0.25]), []
    law = np.stack([offset + 4 * (TIME / 1e6) ** -exponent for exponent in exponents])
    for seed in range(30):
        noise = error * np.random.default_rng(seed).standard_normal((2, TIME.size))
        fit = fit_common_offset(TIME, law + (noise[[0, 0]] if shared else noise), np.full(law.shape, error))
        least, most = fit.offset_interval
        within = (fit.intervals[:, 0] <= exponents) & (exponents <= fit.intervals[:, 1])
        inside.append([least <= offset <= most, *within])
    # 0.95 less three standard errors of 30 trials, whether noise is shared or not
    assert np.all(np.mean(inside, axis=0) > 0.83)


def test_intervals_with_one_constant_are_no_wider_than_they_must():
    exponents = np.array([0.1, 0.25])
    value = np.stack([4 * (TIME / 1e6) ** -exponent for exponent in exponents])
    fit = fit_common_offset(TIME, value, np.full(value.shape, 0.01))
    # Chi squared may rise twice as far as for a curve alone, which is 1.4 times as wide where it is a parabola.
    alone = [fit_offset_power_law(TIME, row, np.full(row.shape, 0.01)) for row in value]
    assert fit.offset_interval[1] < 2 * min(one.offset_interval[1] for one in alone)
    for found, one in zip(fit.intervals, alone, strict=True):
        assert found[0] < one.exponent < found[1]
        assert np.diff(found) < 2 * np.diff(one.interval)


@pytest.mark.parametrize(("offset", "prefactor", "exponents"), [(1.0, 4.0, (2.9, 1.0)), (3.0, 0.003, (1.0, 2.0))])
def test_steep_curves_and_curves_close_to_the_constant(offset, prefactor, exponents):
    value = np.stack([offset + prefactor * (TIME / 4e6) ** -exponent for exponent in exponents])
    fit = fit_common_offset(TIME, value, np.full(value.shape, 1e-5))
    assert fit.offset_interval[0] <= offset <= fit.offset_interval[1]
    assert np.diff(fit.offset_interval) < 1e-3
    assert fit.exponents == pytest.approx(exponents, rel=0.01)


def test_an_exponent_that_is_not_fixed_is_open():
    value = np.stack([3 + 4 * (TIME / 1e6) ** -0.1, 3 + 4 * (TIME / 1e6) ** -0.2])
    fit = fit_common_offset(TIME, value, np.full(value.shape, 3.0))
    assert fit.intervals[0, 0] == 1e-3
    assert fit.offset_interval[0] == 0


def test_bad_input():
    with pytest.raises(InputError, match="sigma: holds"):
        fit_common_offset(TIME, [TIME, TIME], np.zeros((2, 24)))
    with pytest.raises(InputError, match="L: holds no curve"):
        fit_common_offset(TIME, np.ones((0, 24)), np.ones((0, 24)))
    with pytest.raises(InputError, match=r"sigma: has shape .*give shape \(2, 24\)"):
        fit_common_offset(TIME, [TIME, TIME], np.ones((1, 24)))
    with pytest.raises(InputError, match="sigma: has shape"):
        fit_offset_power_law(TIME, TIME, [1.0])
    with pytest.raises(InputError, match="sigma: holds"):
        fit_offset_power_law(TIME, TIME, np.zeros(24))
    with pytest.raises(InputError, match="t: has 3 points"):
        fit_offset_power_law(TIME[:3], TIME[:3], np.ones(3))
