import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.fits import fit_power_law, late_window, local_slope, theory_window, window_sensitivity
from neural_scaling.theory import chi, modes_learned, self_consistent_curve

T = np.arange(1, 2001, dtype=float)


class TestExactLaws:
    @given(exponent=st.floats(-3, 5), log_prefactor=st.floats(-20, 20))
    def test_recovered_to_rounding(self, exponent, log_prefactor):
        fit = fit_power_law(T, math.exp(log_prefactor) * T**-exponent, (10, 1500))
        # Logarithms of size 50 carry 1e-14 each; over two decades the slope inherits a few times 1e-15 of them.
        assert fit.exponent == pytest.approx(exponent, abs=1e-12)
        assert math.log(fit.prefactor) == pytest.approx(log_prefactor, abs=1e-11)
        assert fit.curvature < 1e-12
        assert 0 < fit.statistical_error < 1e-12  # what rounding leaves unknown
        assert fit.interval[0] <= fit.exponent <= fit.interval[1]

    def test_three_points_are_enough(self):
        fit = fit_power_law([1.0, 2.0, 8.0], [1.0, 0.5, 0.125])
        assert fit.points == 3
        assert fit.exponent == pytest.approx(1, abs=1e-12)
        assert fit.window == (1.0, 8.0)

    def test_samples_are_even_in_log_and_stay_in_the_window(self):
        # A curve that is a power only inside the window must not feel what lies outside.
        L = np.where((T >= 20) & (T <= 500), T**-0.7, 1e3)
        fit = fit_power_law(T, L, (20, 500), points=16)
        assert fit.points <= 16
        assert fit.exponent == pytest.approx(0.7, abs=1e-12)

    def test_local_slope_of_a_power(self):
        slopes = local_slope(T, 3 * T**-0.8)
        np.testing.assert_allclose(slopes.exponent, 0.8, atol=1e-11)  # as above, over 0.3 decades
        assert slopes.t.min() > 1 and slopes.t.max() < 2000


@given(exponent=st.floats(0.1, 3), floor=st.floats(1e-4, 1e-1), c=st.floats(1e-6, 1e6), s=st.floats(1e-3, 1e3))
def test_scale_equivariance(exponent, floor, c, s):
    """A fit does not depend on units: L -> cL moves the prefactor by c, t -> st by s^exponent."""
    L = T**-exponent + floor
    base = fit_power_law(T, L, (10, 1000))
    tall = fit_power_law(T, c * L, (10, 1000))
    wide = fit_power_law(s * T, L, (10 * s, 1000 * s))
    for fit in (tall, wide):
        # Rounding of logarithms, and of the ends of the window, which can move one sample of the grid in principle;
        # the integers between 10 and 1000 leave no such tie.
        assert fit.exponent == pytest.approx(base.exponent, abs=1e-10)
        assert fit.curvature == pytest.approx(base.curvature, abs=1e-10)
        assert fit.points == base.points
    assert tall.prefactor == pytest.approx(c * base.prefactor, rel=1e-9)
    assert wide.prefactor == pytest.approx(base.prefactor * s**base.exponent, rel=1e-9)


class TestUncertainty:
    def test_noise_is_covered_at_the_nominal_rate(self):
        """95 % intervals from the stated errors; 2000 fits, so the rate is known to 0.5 % (one standard error)."""
        rng = np.random.default_rng(7)
        t = np.geomspace(10, 1000, 40)
        truth, relative = 0.6, 0.05
        inside_statistical = inside_full = 0
        runs = 2000
        for _ in range(runs):
            L = 2 * t**-truth * np.exp(relative * rng.standard_normal(t.size))
            fit = fit_power_law(t, L, sigma=relative * L)
            inside_statistical += abs(fit.exponent - truth) <= 1.96 * fit.statistical_error
            inside_full += fit.interval[0] <= truth <= fit.interval[1]
        # Four standard errors: a false alarm in 16 000, and the seed is fixed.
        assert inside_statistical / runs == pytest.approx(0.95, abs=0.02)
        # The noise that is left in the curvature only widens the interval.
        assert 0.95 <= inside_full / runs <= 0.995

    def test_statistical_error_scales_with_sigma(self):
        L = T**-0.5
        errors = [fit_power_law(T, L, sigma=scale * L).statistical_error for scale in (0.01, 0.02)]
        assert errors[1] == pytest.approx(2 * errors[0], rel=1e-12)  # linear

    def test_curvature_is_half_the_difference_of_the_halves(self):
        t = np.geomspace(1, 100, 201)
        L = np.where(t < 10, t**-1.0, 10.0 * t**-2.0)
        fit = fit_power_law(t, L, points=201)
        assert fit.curvature == pytest.approx(0.5, abs=1e-2)  # the middle point belongs to one half only
        assert fit.standard_error == pytest.approx(fit.curvature, rel=5e-3)  # bent points scatter about the line too
        assert fit.correlated
        assert fit.interval[0] < 1 < 2 < fit.interval[1]

    def test_floor_is_covered_by_the_curvature(self):
        """A correction of 10 % at the end of the window biases the exponent by less than the interval."""
        L = T**-0.5 * (1 + 0.1 * (T / T[-1]) ** 0.5)
        fit = fit_power_law(T, L, (20, 2000))
        assert fit.interval[0] <= 0.5 <= fit.interval[1]
        assert fit.exponent < 0.5


BAD_CURVES = {
    "NaN": (T, np.where(T == 5, math.nan, 1.0), "^L: "),
    "infinite": (T, np.where(T == 5, math.inf, 1.0), "^L: "),
    "zero": (T, np.where(T == 5, 0.0, 1.0), "^L: "),
    "negative": (T, -T, "^L: "),
    "step zero": (T - 1, T, "^t: "),
    "unsorted": (T[::-1], T, "^t: .*ascending"),
    "repeated": (np.repeat(T, 2), np.repeat(T, 2), "^t: .*ascending"),
    "shape": (T, T[:-1], "^L: .*shape"),
    "two points": (T[:2], T[:2], "^t: .*at least 3"),
    "two-dimensional": (T.reshape(2, -1), T.reshape(2, -1), "^t: .*shape"),
}


@pytest.mark.parametrize(("t", "L", "match"), BAD_CURVES.values(), ids=BAD_CURVES.keys())
@pytest.mark.parametrize("function", [fit_power_law, local_slope])
def test_bad_curves_are_refused(function, t, L, match):
    with pytest.raises(InputError, match=match):
        function(t, L)


def test_bad_fit_arguments_are_refused():
    L = T**-0.5
    with pytest.raises(InputError, match=r"^window: .*holds 2"):
        fit_power_law(T, L, (10, 11))
    with pytest.raises(InputError, match=r"^window: "):
        fit_power_law(T, L, (100, 10))
    with pytest.raises(InputError, match=r"^sigma: "):
        fit_power_law(T, L, sigma=0 * L)
    with pytest.raises(InputError, match=r"^sigma: .*shape"):
        fit_power_law(T, L, sigma=L[1:])
    with pytest.raises(InputError, match=r"^points: "):
        fit_power_law(T, L, points=2)
    with pytest.raises(InputError, match=r"^width: "):
        local_slope(T, L, width=0.0)
    with pytest.raises(InputError, match=r"^width: .*no interval"):
        local_slope([1.0, 10.0, 100.0], [3.0, 2.0, 1.0], width=0.3)


class TestTheoryWindow:
    def test_starts_when_ten_modes_are_learned_and_ends_with_the_curve(self):
        window = theory_window(1.5, 0.4, 0.02, 1.0, t_max=1e5)
        assert modes_learned(1.5, 0.4, 1.0, 0.02, window.start) == pytest.approx(10, rel=1e-9)  # root to 1e-13
        assert window.end == 1e5
        assert window.end_reason == "end of the curve"
        assert not window.empty

    @given(gamma=st.floats(0, 4), modes=st.floats(2, 30))
    def test_richer_starts_earlier(self, gamma, modes):
        lazy, rich = (theory_window(1.5, 0.4, 0.1, g, t_max=1e7, modes=modes) for g in (0.0, gamma))
        assert rich.start <= lazy.start * (1 + 1e-9)

    def test_bottleneck_ends_it(self):
        # Leading a^-beta with a = eta t, floor N^-(alpha beta): 10 % at a^beta = 0.1 N^(alpha beta).
        window = theory_window(1.5, 0.9, 1.0, 0.0, t_max=1e7, N=1e4)
        assert window.end_reason == "finite-N transient"  # of the order of the floor here, and earlier
        alone = (0.1 * 1e4 ** (1.5 * 0.9)) ** (1 / 0.9)
        assert window.end <= alone
        assert theory_window(1.5, 0.9, 1.0, 0.0, t_max=1e7, N=1e5).end > window.end

    def test_edge_of_stability_ends_it(self):
        window = theory_window(1.5, 0.4, 0.5, 1.0, t_max=1e5, edge_step=400)
        assert (window.end, window.end_reason) == (400, "edge of stability")

    def test_sgd_noise_ends_it_only_where_it_changes_the_exponent(self):
        assert theory_window(1.5, 3.0, 0.1, 0.0, t_max=1e7, B=1e9).end_reason == "SGD noise"
        assert theory_window(1.5, 0.4, 0.1, 0.0, t_max=1e7, B=1).end_reason == "end of the curve"
        assert theory_window(1.5, 1.2, 0.1, 1.0, t_max=1e7, B=1).end_reason == "end of the curve"
        assert theory_window(1.5, 0.4, 0.001, 1.0, t_max=1e9, B=1).end_reason == "SGD noise"

    def test_too_short_is_an_error_or_a_reason(self):
        arguments = {"alpha": 1.5, "beta": 0.4, "eta": 0.01, "gamma": 0.0, "t_max": 4000}
        with pytest.raises(InputError, match=r"^window: .*10 modes learned.*third of a decade"):
            theory_window(**arguments)
        window = theory_window(**arguments, allow_empty=True)
        assert "third of a decade" in window.empty
        assert window.decades < 1 / 3
        assert not theory_window(**arguments, modes=3).empty

    def test_edge_at_the_first_step(self):
        window = theory_window(1.5, 0.4, 0.5, 1.0, t_max=1e5, edge_step=0, allow_empty=True)
        assert window.empty

    @pytest.mark.parametrize("beta", [0.3, 0.5])
    def test_the_rule_finds_chi_on_the_self_consistent_curve(self, beta):
        t = np.geomspace(1, 1e6, 600)
        curve = self_consistent_curve(1.5, beta, 1.0, 0.1 * t)
        window = theory_window(1.5, beta, 0.1, 1.0, t_max=1e6)
        fit = fit_power_law(t, curve.loss, window.span)
        # At these sources t + gamma t^(2-chi) is a power up to a few per cent in the window.
        assert fit.exponent == pytest.approx(chi(beta), abs=0.01)


class TestLateWindow:
    @pytest.mark.parametrize(
        ("beta", "gamma", "start"),
        [
            (0.3, 1.0, 10 ** (1.3 / 0.7)),  # gamma t^(1 - chi) = 10 with chi = 0.4615
            (1.5, 1.0, 100.0),  # t^(1 - beta) = 0.1
            (3.0, 1e-9, 100.0),  # ten modes, as gamma is small
            (0.3, 0.0, 100.0),  # ten modes; 10^(1/0.7) = 27
        ],
    )
    def test_it_starts_when_modes_are_learned_and_the_kernel_has_its_late_form(self, beta, gamma, start):
        assert late_window(2.0, beta, gamma, 1e8).span == (pytest.approx(start, rel=1e-6), 1e8)

    def test_a_short_curve_has_none(self):
        assert "10 modes learned" in late_window(2.0, 0.3, 0.0, 50.0).empty


class TestSensitivity:
    def test_a_power_does_not_care(self):
        result = window_sensitivity(T, T**-0.5, (50, 800))
        assert result.exponents.shape == (3, 3)
        assert result.spread < 1e-12  # rounding
        assert result.stable(0.5, 0.01)
        assert result.stable(0.7, 0.01)
        assert result.fit.exponent == result.exponents[1, 1]

    def test_a_bend_shows(self):
        result = window_sensitivity(T, T**-0.5 + T[-1] ** -0.5, (20, 900))
        assert result.low < result.fit.exponent < result.high
        assert not result.stable(result.fit.exponent, 0.5 * result.spread / 4)

    def test_windows_outside_the_curve_are_left_out(self):
        result = window_sensitivity(T, T**-0.5, (1.5, 1900))
        assert np.isnan(result.exponents[0]).all()
        assert np.isnan(result.exponents[:, 2]).all()
        assert np.isfinite(result.exponents[1:, :2]).all()


def test_results_are_frozen():
    fit = fit_power_law(T, T**-0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fit.exponent = 1.0
