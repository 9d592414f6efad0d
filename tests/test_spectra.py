"""Spectra, power laws and the quadrature over modes against plain sums and zeta functions."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import zeta

from neural_scaling.checks import InputError
from neural_scaling.dmft import TimeGrid, solve
from neural_scaling.spectra import PowerLaw, Spectrum


def test_power_law_has_the_stated_eigenvalues_and_target():
    spectrum = PowerLaw(1.5, 0.4, 5).spectrum()
    k = np.arange(1, 6)
    np.testing.assert_allclose(spectrum.eigenvalues, k**-1.5)
    np.testing.assert_allclose(spectrum.target**2 * spectrum.eigenvalues, k ** (-1.5 * 0.4 - 1))
    assert np.all(spectrum.target > 0)


@settings(max_examples=30)
@given(
    alpha=st.floats(1.05, 4.0),
    beta=st.floats(0.1, 3.0),
    modes=st.integers(50, 40_000),
    time=st.floats(0.1, 1e4),
)
def test_quadrature_sums_smooth_functions_of_the_eigenvalue(alpha, beta, modes, time):
    law = PowerLaw(alpha, beta, modes)
    spectrum, quadrature = law.spectrum(), law.quadrature(horizon=1e4)
    for g in (
        lambda x: x * np.exp(-2 * x * time),
        lambda x: x * time / (1 + x * time),
        lambda x: -np.expm1(int(time) * np.log1p(-min(0.5, 1 / time) * x)),
    ):
        # 1e-8: ten nodes a bin of ratio two leave at most 4e-10 on these functions in a scan over time.
        assert quadrature.weights @ g(quadrature.nodes) == pytest.approx(
            np.sum(g(spectrum.eigenvalues)), rel=1e-8, abs=1e-12
        )
        expected = np.sum(spectrum.target**2 * g(spectrum.eigenvalues))
        assert quadrature.target_weights @ g(quadrature.nodes) == pytest.approx(expected, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize(("alpha", "beta"), [(1.05, 0.1), (1.5, 1.0), (4.0, 3.0)])
def test_eight_nodes_a_bin_leave_less_than_a_log_spaced_grid(alpha, beta):
    law = PowerLaw(alpha, beta, 20_000)
    spectrum, quadrature = law.spectrum(), law.quadrature(1e4, nodes_per_bin=8)
    for time in np.geomspace(0.1, 1e4, 200):
        of_modes, of_nodes = (1 / (1 + x * time) ** 2 for x in (spectrum.eigenvalues, quadrature.nodes))
        expected = np.sum(spectrum.target**2 * spectrum.eigenvalues * of_modes)
        got = quadrature.target_weights @ (quadrature.nodes * of_nodes)
        # 1e-5: interpolation in eight points of a bin of ratio two leaves 5.83^-8 = 7e-7 times a moderate factor.
        assert got == pytest.approx(expected, rel=1e-5)


@given(alpha=st.floats(1.05, 4.0), beta=st.floats(0.05, 4.0), horizon=st.floats(1.0, 1e8))
@settings(max_examples=40)
def test_infinite_sums_are_zeta_functions(alpha, beta, horizon):
    quadrature = PowerLaw(alpha, beta).quadrature(horizon)
    # Sums of k^-s by Euler-Maclaurin from mode 2^17 on, midpoint error below 1e-10; cancellation near s = 1 costs digits.
    assert quadrature.trace == pytest.approx(zeta(alpha), rel=1e-9)
    assert quadrature.initial_loss == pytest.approx(zeta(1 + alpha * beta), rel=1e-9)


def test_very_many_modes_use_integrals_and_agree_with_the_direct_sum():
    law = PowerLaw(1.2, 0.3, 3_000_000)
    quadrature, spectrum = law.quadrature(1e5), law.spectrum()
    for time in (10.0, 1e3, 1e5):
        expected = np.sum(spectrum.target**2 * spectrum.eigenvalues * np.exp(-2 * spectrum.eigenvalues * time))
        got = quadrature.target_weights @ (quadrature.nodes * np.exp(-2 * quadrature.nodes * time))
        assert got == pytest.approx(expected, rel=1e-8)


def test_few_modes_are_summed_as_they_are():
    quadrature = PowerLaw(0.7, 0.5, 30).quadrature(1e3)
    np.testing.assert_array_equal(quadrature.weights, np.ones(30))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 0.5), "alpha: got 0.0"),
        ((-1.0, 0.5, 10), "alpha: got -1.0"),
        ((1.0, 0.5), "not trace class"),
        ((math.nan, 0.5), "alpha: got nan"),
        ((1.5, 0.0), "beta: got 0.0"),
        ((1.5, -0.3), "beta: got -0.3"),
        ((1.5, 0.5, 0), "modes: got 0"),
        ((1.5, 0.5, 2.5), "modes: got 2.5"),
        ((1.5, 0.5, math.nan), "modes: got nan"),
    ],
)
def test_bad_power_laws_are_refused(arguments, message):
    with pytest.raises(InputError, match=re.escape(message)):
        PowerLaw(*arguments)


@pytest.mark.parametrize(
    ("eigenvalues", "target", "message"),
    [
        ([], [], "eigenvalues: shape"),
        ([[1.0]], [[1.0]], "eigenvalues: shape"),
        ([1.0, 0.5], [1.0], "target: shape"),
        ([1.0, math.nan], [1.0, 1.0], "eigenvalues: NaN or infinity"),
        ([1.0, 0.5], [1.0, math.inf], "target: NaN or infinity"),
        ([1.0, 0.0], [1.0, 1.0], "zero or negative"),
        ([0.5, 1.0], [1.0, 1.0], "eigenvalues: its values are not descending"),
    ],
)
def test_bad_spectra_are_refused(eigenvalues, target, message):
    with pytest.raises(InputError, match=re.escape(message)):
        Spectrum(np.array(eigenvalues), np.array(target))


def test_infinite_power_law_cannot_be_listed_and_needs_a_horizon():
    with pytest.raises(InputError, match="modes: infinite"):
        PowerLaw(1.5, 0.5).spectrum()
    with pytest.raises(InputError, match="horizon"):
        PowerLaw(1.5, 0.5).quadrature(-1.0)


@settings(max_examples=25)
@given(
    seed=st.integers(0, 1000),
    decades=st.floats(0.5, 8),
    nodes=st.integers(4, 16),
    time=st.floats(-3, 10),
)
def test_compressed_spectrum_keeps_its_stated_error(seed, decades, nodes, time):
    random = np.random.default_rng(seed)
    eigenvalues = np.sort(10 ** (-decades * random.random(2000)))[::-1]
    spectrum = Spectrum(eigenvalues, random.normal(size=2000))
    exact, few, z = spectrum.quadrature(), spectrum.compressed(nodes), 10**time
    bound = 25 * 4.0**-nodes + 1e-11  # and rounding of sums of 2000 terms with interpolatory weights

    def learned(quadrature):
        return quadrature.nodes * z / (1 + quadrature.nodes * z)

    assert few.weights @ learned(few) == pytest.approx(exact.weights @ learned(exact), rel=bound)
    assert few.target_weights @ learned(few) == pytest.approx(exact.target_weights @ learned(exact), rel=bound)
    assert few.nodes.size < 2000


def test_the_theory_on_a_compressed_spectrum_is_that_of_all_modes():
    random = np.random.default_rng(2)
    eigenvalues = np.sort(np.arange(1, 801.0) ** -1.4 * random.lognormal(0, 0.3, 800))[::-1]
    spectrum = Spectrum(eigenvalues / eigenvalues[0], np.arange(1, 801.0) ** 0.1 * random.normal(size=800))
    grid = TimeGrid.unit_steps(0.2, 30)
    exact, few = (solve(modes, 1.0, grid, width=32, batch=16).loss for modes in (spectrum, spectrum.compressed(20)))
    # Products of a few responses, each exact to 2e-11.
    np.testing.assert_allclose(few, exact, rtol=1e-9)
