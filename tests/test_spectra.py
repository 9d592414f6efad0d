"""Spectra, power laws and the quadrature over modes against plain sums and zeta functions."""

import math
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import zeta

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import (
    TimeGrid,
    decay_terms,
    gradient_flow,
    infinite_limit,
    kernel_flow,
    mean_square_stability,
    solve,
)
from neural_scaling.models.toy_model import simulate
from neural_scaling.spectra import ModeQuadrature, NotResolved, PowerLaw, Spectrum, as_quadrature


def test_power_law_has_the_stated_eigenvalues_and_target():
    spectrum = PowerLaw(1.5, 0.4, 5).spectrum()
    k = np.arange(1, 6)
    np.testing.assert_allclose(spectrum.eigenvalues, k**-1.5)
    np.testing.assert_allclose(spectrum.target**2 * spectrum.eigenvalues, k ** (-1.5 * 0.4 - 1))
    assert np.all(spectrum.target > 0)


@settings(max_examples=30)
@given(alpha=st.floats(1.05, 4.0), beta=st.floats(0.1, 3.0), modes=st.integers(50, 40_000), time=st.floats(0.1, 1e4))
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


@pytest.mark.slow
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


def test_an_infinite_trace_is_refused():
    with pytest.raises(InputError, match="not trace class"):
        PowerLaw(1.0, 0.5)


def test_infinite_power_law_cannot_be_listed_and_needs_a_horizon():
    with pytest.raises(InputError, match="modes: infinite"):
        PowerLaw(1.5, 0.5).spectrum()


@settings(max_examples=25)
@given(seed=st.integers(0, 1000), decades=st.floats(0.5, 8), nodes=st.integers(4, 16), time=st.floats(-3, 10))
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


LAW = PowerLaw(1.5, 0.4)
#: Its modes beyond the 32nd matter early.
FLAT = PowerLaw(1.05, 0.3)


@pytest.mark.parametrize("nodes", [8, 12])
@pytest.mark.parametrize(("alpha", "beta"), [(1.05, 0.1), (1.5, 0.4), (4.0, 3.0)])
def test_a_quadrature_resolves_what_its_horizon_says(alpha, beta, nodes):
    law = PowerLaw(alpha, beta)
    few, many = law.quadrature(33.0, nodes), law.quadrature(1e5, 16)
    assert few.horizon >= 33.0
    z = few.horizon
    for g in (lambda x: x * z / (1 + x * z), lambda x: x / (1 + x * z) ** 2, lambda x: x * np.exp(-2 * x * z)):
        for weights in ("weights", "target_weights"):
            exact = getattr(many, weights) @ g(many.nodes)
            assert getattr(few, weights) @ g(few.nodes) == pytest.approx(exact, rel=2e-5)


def test_every_mode_resolved_is_an_infinite_horizon():
    assert PowerLaw(1.5, 0.4, 50).quadrature(1.0).horizon == math.inf
    assert PowerLaw(1.5, 0.4, 400).quadrature(1e9).horizon == math.inf
    assert PowerLaw(1.5, 0.4, 400).quadrature(10.0).horizon < 1e3
    assert PowerLaw(1.5, 0.4, 400).spectrum().quadrature().horizon == math.inf


BEYOND = {
    "kernel_flow": lambda modes: kernel_flow(modes, 5.0, [30.0]),
    "gradient_flow": lambda modes: gradient_flow(modes, 5.0, [1.0, 30.0]),
    "infinite_limit": lambda modes: infinite_limit(modes, 0.02, 5.0, 1500, [1500]),
    "unit steps": lambda modes: solve(modes, 20.0, TimeGrid.unit_steps(0.025, 200)),
    "log grid": lambda modes: solve(modes, 5.0, TimeGrid.log_spaced(0.1, 30.0, 3), width=32),
}


@pytest.mark.slow
@pytest.mark.parametrize("solver", BEYOND)
def test_a_solver_refuses_to_go_beyond_the_horizon_and_extends_that_of_a_law(solver):
    narrow = FLAT.quadrature(10.0, 8)
    with pytest.raises(InputError, match=r"^modes: resolves modes to .*; give the PowerLaw itself") as caught:
        BEYOND[solver](narrow)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)
    assert isinstance(caught.value, NotResolved) and caught.value.reached > narrow.horizon
    # 2e-5 a sum, amplified by the growth of the kernel.
    right = BEYOND[solver](FLAT.quadrature(1e5)).loss[-1]
    assert BEYOND[solver](FLAT).loss[-1] == pytest.approx(right, rel=1e-4)


@pytest.mark.long
def test_a_flow_in_the_rich_regime_is_right_for_the_law_itself():
    # With modes resolved to eta * t alone the loss came out 2700 times too small.
    right = kernel_flow(LAW.quadrature(1e11, 8), 5.0, [1e6]).loss[0]
    assert kernel_flow(LAW, 5.0, [1e6]).loss[0] == pytest.approx(right, rel=1e-4)
    with pytest.raises(InputError, match=r"modes: resolves"):
        kernel_flow(LAW.quadrature(1e6), 5.0, [1e6])


def test_values_are_copied_frozen_compared_and_pickled():
    eigenvalues, target = np.arange(1.0, 11) ** -1.5, np.ones(10)
    spectrum = Spectrum(eigenvalues, target)
    quadrature, grid = spectrum.quadrature(), TimeGrid.log_spaced(0.1, 10.0)
    eigenvalues[0] = target[0] = -1.0
    assert spectrum.eigenvalues[0] == spectrum.target[0] == 1.0
    again = PowerLaw(1.5, 0.5, 10).spectrum().eigenvalues
    assert spectrum == Spectrum(list(again), (1.0,) * 10) and hash(spectrum) == hash(Spectrum(again, np.ones(10)))
    assert spectrum != Spectrum(again, np.full(10, 2.0)) and spectrum != "spectrum"
    flow = kernel_flow(quadrature, 1.0, [0.0, 1.0])
    values = (spectrum, quadrature, grid, flow, solve(spectrum, 0.5, grid, width=4))
    for value in (*values, values[-1].order, infinite_limit(spectrum, 0.1, 0.5, 5), decay_terms(flow)):
        copy = pickle.loads(pickle.dumps(value))
        assert copy == value and hash(copy) == hash(value)
        for name, array in vars(copy).items():
            if isinstance(array, np.ndarray):
                with pytest.raises(ValueError, match="read-only"):
                    array[...] = 0
                with pytest.raises(ValueError, match="read-only"):
                    getattr(value, name)[...] = 0


@pytest.mark.parametrize("cast", [list, tuple, np.float32, torch.tensor], ids=["list", "tuple", "float32", "torch"])
def test_a_spectrum_is_taken_in_every_usual_form(cast):
    eigenvalues, target = np.array([1.0, 0.5, 0.25]), np.array([1.0, -2.0, 0.5])
    assert Spectrum(cast(eigenvalues), cast(target)) == Spectrum(eigenvalues, target)
    assert (
        ModeQuadrature(cast(eigenvalues), cast([1.0] * 3), cast(target**2))
        == Spectrum(eigenvalues, target).quadrature()
    )


def test_laws_spectra_and_quadratures_are_taken_alike():
    law = PowerLaw(1.5, 0.5, 40)
    grid, spectrum = TimeGrid.unit_steps(0.1, 5), law.spectrum()
    for solver in (
        lambda modes: solve(modes, 1.0, grid, width=8).loss,
        lambda modes: infinite_limit(modes, 0.1, 1.0, 5).loss,
        lambda modes: gradient_flow(modes, 1.0, [1.0]).loss,
        lambda modes: kernel_flow(modes, 1.0, [1.0]).loss,
        lambda modes: simulate(modes, 4, 0.1, 1.0, 5, [0]).loss,
        lambda modes: mean_square_stability(modes, 0.1, 8),
    ):
        of_law, of_spectrum, of_quadrature = (solver(modes) for modes in (law, spectrum, spectrum.quadrature()))
        np.testing.assert_allclose(of_spectrum, of_law, rtol=1e-13)
        np.testing.assert_allclose(of_quadrature, of_law, rtol=1e-13)
        for wrong in ("law", None, PowerLaw, [1.0, 0.5]):
            with pytest.raises(InputError, match=r"^(modes|spectrum): got"):
                solver(wrong)
    with pytest.raises(InputError, match=r"^spectrum: infinitely many modes"):
        simulate(LAW, 4, 0.1, 1.0, 5, [0])
    with pytest.raises(InputError, match=r"^spectrum: a quadrature that is not the plain sum"):
        simulate(LAW.quadrature(10.0), 4, 0.1, 1.0, 5, [0])


def test_a_long_spectrum_is_compressed_and_a_short_one_kept():
    assert as_quadrature(PowerLaw(1.5, 0.5, 300).spectrum(), "modes", 1.0).nodes.size == 300
    spectrum = PowerLaw(1.5, 0.5, 2000).spectrum()
    assert as_quadrature(spectrum, "modes", 1.0).nodes.size < 250
    grid = TimeGrid.unit_steps(0.2, 12)
    few, all_modes = (solve(modes, 1.0, grid, width=32, batch=16).loss for modes in (spectrum, spectrum.quadrature()))
    np.testing.assert_allclose(few, all_modes, rtol=1e-9)
    # A spectrum of a few degenerate levels far apart does not get shorter, and stays.
    scattered = Spectrum(2.0 ** -np.repeat(np.arange(60.0), 10), np.ones(600))
    assert as_quadrature(scattered, "modes", 1.0).nodes.size == 600


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.7, 1.5, 3.0])
def test_every_number_of_modes_has_a_quadrature(alpha):
    """Also where the last bin holds a single mode, as with 85 modes at 1.5."""
    for modes in range(60, 400):
        law = PowerLaw(alpha, 0.5, modes)
        quadrature = law.quadrature(1e30)
        k = np.arange(1.0, modes + 1)
        assert quadrature.initial_loss == pytest.approx(np.sum(k ** (-alpha * 0.5 - 1)), rel=1e-10)
        assert quadrature.trace == pytest.approx(np.sum(k**-alpha), rel=1e-10)
