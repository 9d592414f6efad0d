"""The solver in unit steps against the dense oracle, against closed forms, and under bad input."""

import math
import re

import numpy as np
import pytest
from scipy.optimize import brentq

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import DynamicsDiverged, TimeGrid, infinite_limit, solve
from neural_scaling.dmft.learned import ShiftedResponses, StoredResponses
from neural_scaling.spectra import PowerLaw, Spectrum
from oracles.causal import inverse
from oracles.dense_dmft import dense_online


def online(modes, eta, gamma, steps, width=math.inf, batch=math.inf, **options):
    return solve(modes, gamma, TimeGrid.unit_steps(eta, steps), width=width, batch=batch, **options)


def assert_agrees(spectrum, eta, gamma, steps, width, batch):
    c0, r3, c3, c_w = dense_online(spectrum.eigenvalues, spectrum.target, eta, gamma, steps, width, batch)
    got = online(spectrum.quadrature(), eta, gamma, steps, width, batch)
    # With the kernels Haswell, SkylakeX and Sandybridge of OpenBLAS and one or two threads the solver is the same to 1e-15. The
    # products of the oracle, whose terms cancel, leave up to 5e-12.
    np.testing.assert_allclose(got.loss, np.diag(c0), rtol=1e-8)
    order = got.order
    for mine, theirs in ((order.response, r3), (order.feature_correlation, c3), (order.weight_correlation, c_w)):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-8 * np.max(np.abs(theirs)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "batch", "gamma"), [(2, math.inf, 0.0), (3, 16, 0.5), (2, 8, 1.0), (4, math.inf, 2.0)]
)
def test_agrees_with_the_oracle_past_the_plateau(width, batch, gamma):
    # t = 64 is past N^alpha/eta = 11 .. 32: the model has learned all that N features can express. At eta = 0.5 some of
    # these settings are past the edge of stability, where responses grow exponentially and with them what rounding leaves.
    assert_agrees(PowerLaw(1.5, 0.7, 80).spectrum(), 0.25, gamma, 64, width, batch)


def test_the_oracles_invert_without_losing_digits():
    # Whole numbers below 2^53 are exact under substitution; a general inverse exchanges rows, divides and rounds.
    whole = np.tril(np.random.default_rng(0).integers(-3, 1, (24, 24)), -1) + np.eye(24)
    inverted = inverse(whole)
    assert 1e6 < np.max(np.abs(inverted)) < 2**40
    np.testing.assert_array_equal(whole @ inverted, np.eye(24))
    np.testing.assert_array_equal(inverse(inverted), whole)


def test_reused_samples_give_the_fixed_point_of_the_whole_matrices():
    # The equations of the whole matrices, iterated 26 times from the start with dense inverses until nothing moves by 1e-12;
    # 1e-9 leaves those inverses three digits.
    got = solve(PowerLaw(1.5, 0.5, 200).spectrum(), 1.0, TimeGrid.unit_steps(0.3, 47), width=32, samples=8)
    assert got.loss[47] == pytest.approx(0.7092528142669474, rel=1e-9)
    assert got.train_loss[47] == pytest.approx(0.0036742981563333346, rel=1e-9)


def test_agrees_for_a_spectrum_that_is_no_power_law():
    random = np.random.default_rng(5)
    eigenvalues = np.sort(random.lognormal(-1, 1, 25))[::-1]
    spectrum = Spectrum(eigenvalues / eigenvalues[0], random.normal(size=25))
    assert_agrees(spectrum, 0.3, 0.8, 40, 8, 12)


def test_quadrature_gives_the_same_loss_as_the_plain_sum():
    law = PowerLaw(1.5, 0.4, 3000)
    exact = online(law.spectrum().quadrature(), 0.2, 1.0, 40, 32, 16)
    few = online(law.quadrature(horizon=200), 0.2, 1.0, 40, 32, 16)
    # The quadrature's own error is below 1e-9 on smooth functions (tests of spectra).
    np.testing.assert_allclose(few.loss, exact.loss, rtol=1e-8)


def test_infinite_width_and_batch_is_the_infinite_limit():
    quadrature = PowerLaw(1.5, 0.4, 200).spectrum().quadrature()
    exact = infinite_limit(quadrature, 0.2, 1.0, 60, record=np.arange(61))
    got = online(quadrature, 0.2, 1.0, 60)
    # The same numbers by other sums, of numbers of order one: rounding is below 1e-14 on every kernel.
    np.testing.assert_allclose(got.loss, exact.loss, rtol=1e-12)
    np.testing.assert_allclose(got.weight_norm, exact.weight_norm, atol=1e-12)


def test_chunks_of_rows_agree_with_every_response_stored():
    # 100 rows are more than three chunks. One path keeps every K_k, the other only Y.
    nodes, rows = PowerLaw(1.5, 0.5, 9).spectrum().eigenvalues, 100
    random = np.random.default_rng(3)
    stored, shifted = StoredResponses(nodes, rows), ShiftedResponses(nodes, rows)
    for row in range(rows):
        loop = 0.1 * random.random((1, row))
        learned = stored.driven(loop)
        # Rounding of a hundred rows, each a sum over those before: below 2e-12 on every kernel.
        np.testing.assert_allclose(shifted.driven(loop), learned, rtol=1e-10)
        pushed = random.normal(size=(nodes.size, 1, row))
        np.testing.assert_allclose(shifted.projected(pushed), stored.projected(pushed), rtol=0, atol=1e-10)
        for responses in (stored, shifted):
            responses.append(np.pad(loop, ((0, 0), (0, 1))), np.pad(learned, ((0, 0), (0, 0), (0, 1))))


@pytest.mark.slow
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_ends_on_the_floor_of_the_projection_for_any_richness(gamma):
    spectrum = PowerLaw(1.5, 0.7, 40).spectrum()
    lam, width = spectrum.eigenvalues, 4
    r = brentq(lambda r: np.sum(lam * r / (1 + lam * r)) - width, 1e-6, 1e9)
    floor = np.sum(lam * spectrum.target**2 / (1 + lam * r))
    got = online(spectrum.quadrature(), 0.5, gamma, 600, width=width)
    # The slowest of the N directions has decayed by e^-(eta t lambda_min): 1e-3 leaves room for it.
    assert got.loss[-1] == pytest.approx(floor, rel=1e-3)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eta": 2.5}, "eta: got 2.5, but gradient descent"),
        ({"eta": 1.2, "batch": 1}, "eta: got 1.2 at batch 1"),
        ({"samples": 16}, "samples: got 16 together with batch 8"),
        ({"fourth_moment": True, "batch": math.inf}, "fourth_moment: asked for at infinite batch"),
    ],
)
def test_bad_input_names_argument_and_remedy(change, message):
    values = {"eta": 0.2, "gamma": 0.5, "steps": 5, "width": 8, "batch": 8} | change
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        online(PowerLaw(1.5, 0.5, 20).spectrum().quadrature(), **values)
    assert ";" in str(caught.value), "the message must also say what to do"


def test_divergence_is_reported_with_a_smaller_step():
    quadrature = PowerLaw(1.5, 0.5, 20).spectrum().quadrature()
    with pytest.raises(DynamicsDiverged, match="diverges at step") as caught:
        online(quadrature, 1.5, 50.0, 60)
    suggested = float(re.search(r"try eta <= ([0-9.]+)", str(caught.value))[1])
    assert 0.001 < suggested < 0.75
    assert online(quadrature, suggested, 50.0, 60).loss[-1] < 0.1 * quadrature.initial_loss
    with pytest.raises(DynamicsDiverged, match="diverges at step"):
        infinite_limit(quadrature, 1.5, 50.0, 60)
