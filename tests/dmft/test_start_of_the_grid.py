"""The first cells of a log-spaced grid at scales far from one, against gradient flow, and the refusal of what is wrong there."""

import math

import numpy as np
import pytest

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import NotConverged, TimeGrid, implicit, kernel_flow, solve
from neural_scaling.spectra import PowerLaw, Spectrum
from stopping import Interrupting, Resuming, Stopped

LOUD = Spectrum(np.arange(1.0, 61) ** -1.5, 200 * np.arange(1.0, 61) ** -0.2)


def assert_agrees_with_the_flow(spectrum, gamma, grid):
    found = solve(spectrum, gamma, grid)
    flow = kernel_flow(spectrum, gamma, found.time)
    # Relative to a loss that has decayed below 1e-8 of its start nothing is asked: cells are found to that.
    seen = flow.loss > 1e-8 * flow.loss[0]
    assert np.all(np.abs(found.loss / flow.loss - 1)[seen] <= found.error[seen] + 1e-6)
    assert found.error[1] < 1e-2, "the start itself is resolved"
    assert np.all(found.error[1:] > 0)


@pytest.mark.slow
def test_a_large_target_is_learned_as_gradient_flow_says():
    assert_agrees_with_the_flow(LOUD, 1.0, TimeGrid.log_spaced(1e-3, 100.0))


@pytest.mark.long
@pytest.mark.parametrize(
    ("gamma", "unit", "first"), [(1.0, 1e6, 10.0), (100.0, 1e-6, None), (100.0, 1.0, 10.0), (1e4, 1.0, 10.0)]
)
def test_the_start_is_that_of_gradient_flow_at_any_richness(gamma, unit, first):
    base = PowerLaw(1.5, 0.6, 10).spectrum()
    grid = TimeGrid.log_spaced(0.1, 20 / unit, 6, None if first is None else first / unit)
    assert_agrees_with_the_flow(Spectrum(unit * base.eigenvalues, base.target), gamma, grid)


@pytest.mark.parametrize(
    "setting", [{"width": 2}, {"batch": 4}, {"width": 3, "batch": 2, "fourth_moment": True}, {"samples": 3}], ids=str
)
def test_the_first_row_is_on_the_short_time_form_at_any_size(setting):
    # Second order in time: halving the first cell quarters what the first row misses.
    spectrum, missed = PowerLaw(1.2, 0.5, 20).spectrum(), []
    lam, squares = spectrum.eigenvalues, spectrum.target**2
    loss, noise = lam @ squares, 0.1 / setting.get("batch", math.inf)
    felt = lam * (lam + np.sum(lam) / setting.get("width", math.inf))
    slope = -2 * lam**2 @ squares + noise * loss * np.sum(felt)
    slope += noise * (lam * squares) @ felt if setting.get("fourth_moment") else 0.0
    for first in (2e-3, 1e-3):
        found = solve(spectrum, 1.0, TimeGrid.log_spaced(0.1, 4e-3, 6, first), **setting)
        missed.append(found.loss[1] - loss - slope * found.time[1])
    assert abs(missed[0]) < 0.05 * abs(slope) * 2e-3
    assert missed[1] == pytest.approx(missed[0] / 4, rel=0.05)


def test_a_first_cell_on_another_solution_is_refused(monkeypatch):
    # A first cell many times too wide, as it would be without a look at the scales: its loss stays where it was.
    spectrum = Spectrum(LOUD.eigenvalues[:10], 10 * LOUD.target[:10])
    monkeypatch.setattr(TimeGrid, "fitted", lambda self, largest, rate: self)
    monkeypatch.setattr(implicit, "_LARGEST_CHANGE", math.inf)
    with pytest.raises(NotConverged, match="misses its short-time form"):
        solve(spectrum, 1.0, TimeGrid.log_spaced(1e-3, 10.0), estimate_error=False)


def test_a_grid_of_one_cell_has_an_error_too():
    found = solve(PowerLaw(1.5, 0.6, 30), 1.0, TimeGrid.log_spaced(0.1, 0.05), width=8)
    assert found.time[-1] == pytest.approx(0.05) and np.all(found.error[1:] > 0)
    flow = kernel_flow(PowerLaw(1.5, 0.6, 30), 1.0, found.time)
    one = solve(PowerLaw(1.5, 0.6, 30), 1.0, TimeGrid.log_spaced(0.1, 0.05))
    assert np.all(np.abs(one.loss / flow.loss - 1) <= one.error + 1e-8)


@pytest.mark.parametrize("grid", [TimeGrid.log_spaced(0.1, 10.0), TimeGrid.unit_steps(0.1, 10)], ids=["log", "unit"])
@pytest.mark.parametrize("setting", [{"width": 8, "batch": 4}, {"width": 8, "samples": 4}, {}], ids=str)
def test_a_target_of_zeros_has_no_loss(grid, setting):
    spectrum = Spectrum(np.arange(1.0, 21) ** -1.5, np.zeros(20))
    found = solve(spectrum, 1.0, grid, **setting)
    assert not found.loss.any() and not found.weight_norm.any() and not found.error.any()
    lazy = solve(Spectrum(spectrum.eigenvalues, np.ones(20)), 0.0, grid, **setting)
    np.testing.assert_allclose(found.learned, lazy.learned, atol=1e-9)


@pytest.mark.long
@pytest.mark.parametrize(("gamma", "setting"), [(1.0, {}), (1.0, {"width": 16, "batch": 8, "eta": 0.1})], ids=str)
def test_until_chooses_grid_and_modes_for_a_tolerance(gamma, setting):
    law = PowerLaw(1.5, 0.6)
    found = solve(law, gamma, until=100.0, tolerance=1e-3, **setting)
    assert found.time[-1] == pytest.approx(100.0) and found.error.max() <= 1e-3
    eta = setting.pop("eta", 1.0)
    finer = solve(law, gamma, found.grid.refined(0.0), estimate_error=False, **setting)
    assert finer.grid.eta == eta
    rows = np.searchsorted(finer.time, found.time * (1 - 1e-9))
    assert np.all(np.abs(found.loss / finer.loss[rows] - 1) <= 1e-3)


@pytest.mark.slow
def test_a_search_for_a_tolerance_goes_on_where_it_was_stopped():
    law = PowerLaw(1.5, 0.6, 30)
    whole = solve(law, 1.0, until=10.0, width=8, tolerance=1e-5)
    assert whole.grid.rows > 3 * 6 * 2, "the first grid tried does not do"
    interrupting = Interrupting(
        whole.grid.rows // 3
    )  # within the last grid tried, the others have offered as many states
    with pytest.raises(Stopped):
        solve(law, 1.0, until=10.0, width=8, tolerance=1e-5, monitor=interrupting)
    again = solve(law, 1.0, until=10.0, width=8, tolerance=1e-5, monitor=Resuming(interrupting.state))
    np.testing.assert_array_equal(again.loss, whole.loss)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "grid: got None"),
        ({"grid": TimeGrid.log_spaced(0.1, 1.0), "until": 3.0}, "grid: given together with until"),
        ({"until": 3.0, "batch": 4}, "eta: left out at finite batch"),
        ({"until": 3.0, "estimate_error": False}, "estimate_error: False together with until"),
        ({"until": 3.0, "tolerance": 1e-15}, "tolerance: got 1e-15, and the error is"),
    ],
)
def test_what_does_not_say_until_when_is_refused(arguments, message):
    with pytest.raises(InputError, match=f"^{message}"):
        solve(PowerLaw(1.5, 0.6, 10), 1.0, **arguments)
