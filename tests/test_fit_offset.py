"""Power laws with a constant: recovery, coverage of the intervals, what errors cannot tell apart."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from neural_scaling.base.checks import InputError
from neural_scaling.fits import fit_common_offset, fit_offset_power_law

TIME = np.geomspace(1e5, 1e7, 24)


def curve(offset, exponent, error, seed=0):
    value = offset + 4 * (TIME / 1e6) ** -exponent
    return value + error * np.random.default_rng(seed).standard_normal(TIME.size), np.full(TIME.size, error)


@pytest.mark.parametrize(("offset", "exponent"), [(3.0, 0.2), (0.0, 0.05), (1.0, 0.7)])
def test_an_exact_curve_gives_its_numbers_back(offset, exponent):
    value, _ = curve(offset, exponent, 0.0)
    fit = fit_offset_power_law(TIME, value, np.full(TIME.size, 1e-2))
    assert fit.exponent == pytest.approx(exponent, rel=1e-6)  # rounding, where curves bend little
    assert fit.offset == pytest.approx(offset, abs=1e-5)
    assert fit.prefactor * 1e6**-fit.exponent == pytest.approx(4, abs=1e-5)
    assert not fit.at_bound and fit.correlation == 0
    assert fit.gain > 20 if offset else fit.gain < 4


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
    assert plain.exponents == pytest.approx(exponents, rel=1e-6)


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
    assert fit.intervals[0, 0] == 0
    assert fit.offset_interval[0] == 0


@pytest.mark.parametrize("exponent", [3.5, 7.0])
def test_steep_laws_are_found(exponent):
    time = np.geomspace(1, 1e4, 60)
    fit = fit_offset_power_law(time, time**-exponent + 0.5, np.full(60, 0.01))
    assert fit.exponent == pytest.approx(exponent, rel=1e-6)
    assert fit.interval[0] < exponent < fit.interval[1]
    assert fit.offset_interval[0] < 0.5 < fit.offset_interval[1]
    assert not fit.at_bound


@pytest.mark.parametrize(
    "law", [lambda t: t**0.3, lambda t: 0.5 + t**-20.0, lambda t: t**-1e-5], ids=["rising", "step", "flat"]
)
def test_values_at_a_bound_are_said_to_be_there_and_open(law):
    time = np.geomspace(1, 1e4, 60)
    value = law(time)
    fit = fit_offset_power_law(time, value, 0.01 * value)
    common = fit_common_offset(time, [value, 0.5 + time**-0.5], [0.01 * value, np.full(60, 0.01)])
    assert fit.at_bound and common.at_bound.tolist() == [True, False]
    assert fit.offset_interval == common.offset_interval == (0.0, np.inf)
    assert fit.interval[0] == 0 or fit.interval[1] == np.inf
    assert fit.prefactor >= 0
    assert np.all(common.intervals == [0.0, np.inf])


def test_noise_that_goes_on_shows():
    """Neighbours with a correlation of 0.9: found without bias, and intervals as much wider."""
    time, random = np.geomspace(1, 1e4, 100), np.random.default_rng(0)
    noise = random.standard_normal((60, 100))
    for i in range(1, 100):
        noise[:, i] = 0.9 * noise[:, i - 1] + np.sqrt(0.19) * noise[:, i]
    fits = [
        fit_offset_power_law(time, (0.5 + time**-0.5) * (1 + 0.001 * one), 0.001 * (0.5 + time**-0.5)) for one in noise
    ]
    found = np.array([fit.correlation for fit in fits])
    assert np.mean(found) == pytest.approx(0.9, abs=4 * np.std(found) / np.sqrt(60))
    assert np.all(found > 0)


def test_bad_input():
    with pytest.raises(InputError, match="sigma: got"):
        fit_common_offset(TIME, [TIME, TIME], np.zeros((2, 24)))
    with pytest.raises(InputError, match="L: shape"):
        fit_common_offset(TIME, np.ones((0, 24)), np.ones((0, 24)))
    with pytest.raises(InputError, match=r"sigma: shape .*of shape \(2, 24\)"):
        fit_common_offset(TIME, [TIME, TIME], np.ones((1, 24)))
    with pytest.raises(InputError, match="sigma: shape"):
        fit_offset_power_law(TIME, TIME, [1.0])
    with pytest.raises(InputError, match="sigma: got"):
        fit_offset_power_law(TIME, TIME, np.zeros(24))
    with pytest.raises(InputError, match="t: has 3 points"):
        fit_offset_power_law(TIME[:3], TIME[:3], np.ones(3))


@pytest.mark.parametrize("noise", [0.02, 1e-4])
def test_an_offset_gains_more_than_chance_where_there_is_one(noise):
    """A law without one is fitted as well: the gain exceeds 3.84 in one of forty, more than 12 of 200 hardly ever."""
    random, time = np.random.default_rng(0), np.geomspace(1, 100, 40)
    values = 2 * time**-0.4 * (1 + noise * random.standard_normal((200, time.size)))
    assert sum(fit_offset_power_law(time, value, noise * value).gain > 3.84 for value in values) <= 12
    fit = fit_offset_power_law(time, values[0], noise * values[0])

    def missed(exponent):
        power, weight = time**-exponent, (noise * values[0]) ** -2
        scale = (power * weight) @ values[0] / (power**2 @ weight)
        return weight @ (values[0] - scale * power) ** 2

    assert fit.chi2_without == pytest.approx(minimize_scalar(missed, bracket=(0.3, 0.5), tol=1e-10).fun, rel=1e-6)
