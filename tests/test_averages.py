"""Averages of noisy curves and their errors, on noise that is known."""

import numpy as np
import pytest

from neural_scaling.fits import binned_means, moving_average, scatter_excess


def test_means_in_bins_are_those_of_the_curve():
    time = np.geomspace(1, 100, 4001)[1:]
    noise = 0.01 * np.random.default_rng(2).standard_normal(4000)
    middle, mean, error = binned_means(time, np.log(time) + noise, 1.0, per_decade=10, fewest=5)
    assert middle.size in (20, 21)  # the last value begins a bin of its own, unless rounding keeps it out
    expected = 0.01 / np.sqrt(200)
    np.testing.assert_allclose(mean, np.log(middle), atol=4 * expected)
    np.testing.assert_allclose(error[1:-1], expected, rtol=0.3)


def test_bins_of_few_values_are_left_out():
    assert binned_means(np.arange(1.0, 30), np.ones(29), 2.9).shape == (3, 0)
    assert binned_means([], [], 1.0).shape == (3, 0)


def test_moving_averages():
    np.testing.assert_allclose(moving_average([1, 2, 6, 4], 2), [1.5, 4, 5])
    np.testing.assert_allclose(moving_average([1, 2, 6], 9), [3])
    assert moving_average([], 2).size == 0


def test_scatter_of_neighbours_that_go_together():
    white = np.random.default_rng(3).standard_normal(100_000)
    assert scatter_excess(white) == pytest.approx(1, abs=0.05)
    # Of means of two in a row the differences have half the variance of those of the values, long means the same as before.
    assert scatter_excess(np.convolve(white, [0.5, 0.5], "valid"), row=100) == pytest.approx(2, rel=0.1)
    assert scatter_excess(np.ones(10)) == 1.0 == scatter_excess(np.ones(1000))
