"""The solver on log-spaced grids against unit steps, closed forms and gradient flow, and the error that it reports."""

import math
import pickle
import re

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import Case, NotConverged, Solution, TimeGrid, gradient_flow, solve, solve_many
from neural_scaling.dmft.fast_noise import spectrum_of_projection
from neural_scaling.dmft.march import March, Setting
from neural_scaling.spectra import PowerLaw
from stopping import Interrupting, Resuming, Stopped


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_infinite_width_and_batch_is_gradient_flow(gamma):
    quadrature = PowerLaw(1.5, 0.5).quadrature(1000)
    got = solve(quadrature, gamma, TimeGrid.log_spaced(0.1, 100))
    flow = gradient_flow(quadrature, gamma, got.time, 1e-10)
    actual = np.abs(got.loss / flow.loss - 1)
    assert actual.max() < 1e-5
    # The estimate is the error of the coarser grid: never below the actual one, once rounding no longer matters.
    assert np.all(actual[1:] <= got.error[1:] + 1e-8)
    np.testing.assert_allclose(got.weight_norm[1:], flow.weight_norm[1:], rtol=5e-5)


def extrapolated(alpha, beta, gamma, width, noise, end, steps, samples=math.inf):
    """Return loss and weight norm of unit steps at eta -> 0 and fixed eta/B, from three learning rates."""
    quadrature = PowerLaw(alpha, beta).quadrature(20 * end)
    values = []
    for division in (1, 2, 4):
        eta = end / (steps * division)
        march = solve(
            quadrature,
            gamma,
            TimeGrid.unit_steps(eta, steps * division),
            width=width,
            batch=_batch(eta, noise),
            samples=samples,
        )
        rows = march.step.size // np.array([4, 1])
        values.append([march.loss[[rows[0], -1]], march.weight_norm[[rows[0], -1]]])
    first = 2 * np.array(values[1:]) - np.array(values[:-1])
    return (4 * first[1] - first[0]) / 3


def _batch(eta, noise):
    # Whole batches: eta is chosen so that eta / noise is one.
    return math.inf if noise == 0 else round(eta / noise)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "beta", "gamma", "width", "noise", "samples"),
    [
        (1.5, 0.5, 1.0, 16, 0.0, math.inf),
        (1.5, 0.5, 0.0, 32, 0.02, math.inf),
        (1.5, 0.5, 1.0, math.inf, 0.02, math.inf),
        (1.5, 0.5, 1.0, 32, 0.02, math.inf),
        (2.0, 3.0, 0.5, 16, 0.02, math.inf),
        (1.5, 0.5, 1.0, 16, 0.0, 32),
        (2.0, 1.3, 0.5, 64, 0.0, 24),
    ],
)
def test_unit_steps_tend_to_it(alpha, beta, gamma, width, noise, samples):
    end, steps = 5.12, 64
    loss, weight_norm = extrapolated(alpha, beta, gamma, width, noise, end, steps, samples)
    quadrature = PowerLaw(alpha, beta).quadrature(20 * end)
    # A grid one of whose cells ends at a quarter of the time: that many rows of unit steps.
    grid = TimeGrid.log_spaced(1.0, end, cells_per_decade=10 / math.log10(4), first=end / 4**3)
    batch = math.inf if noise == 0 else round(1 / noise)
    got = solve(quadrature, gamma, grid, width=width, batch=batch, samples=samples)
    quarter = int(np.argmin(np.abs(got.time - end / 4)))
    assert got.time[quarter] == pytest.approx(end / 4)
    # Unit steps leave an error of eta^3, below 1e-4 here (the change by the last extrapolation); the grid adds the reported one.
    np.testing.assert_allclose(got.loss[[quarter, -1]], loss, rtol=2e-4 + got.error.max())
    np.testing.assert_allclose(got.weight_norm[[quarter, -1]], weight_norm, rtol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.5), (2.0, 3.6)])
def test_lazy_noise_at_infinite_width_is_the_second_moment_equation(alpha, beta):
    eta, batch, end = 0.1, 1, 1e4
    quadrature = PowerLaw(alpha, beta).quadrature(end)
    got = solve(quadrature, 0.0, TimeGrid.log_spaced(eta, end), batch=batch)
    lam, w, t = quadrature.nodes, quadrature.weights, quadrature.target_weights

    def slope(_, packed):
        signal, noise = packed.reshape(2, -1)
        loss = t @ (lam * signal) + w @ (lam * noise)
        return np.concatenate([-2 * lam * signal, -2 * lam * noise + eta / batch * lam * loss])

    start = np.concatenate([np.ones(lam.size), np.zeros(lam.size)])
    exact = solve_ivp(slope, (0, end), start, "Radau", got.time, rtol=1e-8, atol=1e-14).y.reshape(2, lam.size, -1)
    loss = (t * lam) @ exact[0] + (w * lam) @ exact[1]
    # At beta = 3.6 nearly all of the loss is noise: the largest error that noise can cause.
    np.testing.assert_allclose(got.loss, loss, rtol=1e-3)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 4.0])
def test_stays_on_the_plateau_at_the_floor_of_the_projection(gamma):
    law, width = PowerLaw(1.5, 0.7), 16
    quadrature = law.quadrature(1e7)
    lam, w = quadrature.nodes, quadrature.weights
    r = brentq(lambda r: np.sum(w * lam * r / (1 + lam * r)) - width, 1e-6, 1e9)
    floor = float(quadrature.target_weights @ (lam / (1 + lam * r)))
    got = solve(quadrature, gamma, TimeGrid.log_spaced(0.1, 1e6, cells_per_decade=4), width=width, estimate_error=False)
    assert np.all(np.isfinite(got.loss))
    # The plateau is reached at eta t = N^alpha = 64; by 1e4 the slowest direction is gone.
    np.testing.assert_allclose(got.loss[got.time > 1e4], floor, rtol=1e-6)


@pytest.mark.slow
def test_reused_samples_end_on_the_floor_of_both_limits():
    quadrature = PowerLaw(1.5, 0.7).quadrature(1e6)
    lam, w = quadrature.nodes, quadrature.weights
    got = solve(quadrature, 0.5, TimeGrid.log_spaced(0.1, 1e5, 4), samples=24, estimate_error=False)
    r = brentq(lambda r: np.sum(w * lam * r / (1 + lam * r)) - 24, 1e-6, 1e9)
    left = 1 / (1 + lam * r)
    floor = float(quadrature.target_weights @ (lam * left**2)) / (1 - float(w @ (1 - left) ** 2) / 24)
    # The slowest of 24 directions, of rate 24^-1.5 or so, is gone long before eta t = 1e5.
    assert got.loss[-1] == pytest.approx(floor, rel=1e-6)
    assert abs(got.train_loss[-1]) < 1e-10, "more modes than samples: the training set is fitted"


@pytest.mark.slow
def test_the_error_falls_with_the_grid_and_is_reported():
    quadrature = PowerLaw(1.5, 0.5).quadrature(1e4)
    coarse, fine = (solve(quadrature, 1.0, TimeGrid.log_spaced(0.1, 1e3, cells), width=32, batch=8) for cells in (4, 8))
    assert 0 < fine.error.max() < coarse.error.max() < 0.02
    # Noise within cells makes the difference of two grids fall with the root of their width only: the rest is a multiple of it.
    rest = abs(coarse.loss[-1] / fine.loss[-1] - 1) / (math.sqrt(2) - 1)
    assert rest == pytest.approx(fine.error[-1], rel=0.5)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "batch", "beta"), [(16, 8, 0.8), (64, 2, 0.8), (32, 5, 1.2)])
def test_noise_wears_the_features_off_on_a_plateau_and_the_solution_goes_on(width, batch, beta):
    quadrature = PowerLaw(1.5, beta).quadrature(1e5, nodes_per_bin=8)
    solution = solve(quadrature, 1.0, TimeGrid.log_spaced(0.1, 3e4), width=width, batch=batch)
    assert solution.error.max() < 2e-3 / (math.sqrt(2) - 1)  # two grids differ by 2e-3 at most
    assert solution.residual < 1e-7
    plateau = solution.time > width**1.5
    # |w|^2 falls smoothly, without a jump to another solution of a cell.
    change = np.diff(np.log(solution.weight_norm[plateau]))
    assert np.all(change < 0) and np.all(change > -0.5)
    assert np.all(np.diff(solution.loss[plateau]) < 1e-3 * solution.loss[-1])


@pytest.mark.parametrize(
    ("alpha", "modes", "width", "horizon"), [(1.55, 15, 29, 16.0), (1.91, 102, 260, 6e4), (1.5, 200, 8, 1e3)]
)
def test_rates_have_the_first_moments_of_the_projected_kernel(alpha, modes, width, horizon):
    quadrature = PowerLaw(alpha, 1.0, modes).spectrum().quadrature()
    found = spectrum_of_projection(quadrature, 1 / width, horizon)
    lam = quadrature.nodes
    # Of W: sum lambda, and for many features sum lambda^2 + (sum lambda)^2 / N. Half a per cent is what the fit allows for.
    assert found.weights.sum() == pytest.approx(lam.sum(), rel=5e-3)
    assert found.weights @ found.rates == pytest.approx(np.sum(lam**2) + lam.sum() ** 2 / width, rel=5e-3)


def test_a_kernel_whose_noise_is_not_represented_is_refused():
    # As many features as modes: the spectrum reaches down to zero.
    with pytest.raises(InputError, match="width: got 56, at which the noise of small batches"):
        solve(PowerLaw(1.17, 0.5, 56).spectrum(), 0.0, TimeGrid.log_spaced(0.1, 80.0), width=56, batch=8)


@pytest.mark.slow
def test_head_of_a_grid_gives_the_same_rows():
    quadrature, grid = PowerLaw(1.5, 0.8).quadrature(1e4), TimeGrid.log_spaced(0.1, 1e3)
    head = grid.head(50.0)
    assert 25 < head.time[-1] <= 50.0
    whole, part = (solve(quadrature, 1.0, g, width=32, batch=8, estimate_error=False) for g in (grid, head))
    np.testing.assert_array_equal(part.loss, whole.loss[: part.loss.size])
    assert grid.head(0.0).rows == 3  # a cell at least


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TimeGrid.unit_steps(0.1, 5).coarsened(), "grid: unit steps are exact"),
        (lambda: TimeGrid.unit_steps(0.1, 5).head(0.2), "grid: unit steps have no cells"),
        (
            lambda: solve(PowerLaw(1.5, 0.5).quadrature(10), 1.0, TimeGrid.log_spaced(1.0, 10), batch=1),
            "eta: got 1.0 at batch 1, where SGD noise feeds on itself",
        ),
    ],
)
def test_bad_input_names_argument_and_remedy(make, message):
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        make()
    assert ";" in str(caught.value)


@pytest.mark.slow
def test_many_cases_at_once_are_the_cases_one_by_one():
    modes, grid = PowerLaw(1.5, 0.8).quadrature(200), TimeGrid.log_spaced(0.2, 20.0)
    cases = [Case(0.0, width=16), Case(1.0, width=16, batch=4), Case(1.0, batch=-3), Case(0.5, width=8, samples=32)]
    found = solve_many(modes, cases, grid, workers=2)
    for case, got in zip(cases, found, strict=True):
        if case.batch == -3:
            assert isinstance(got, InputError) and "batch: got -3" in str(got)  # the others are not lost
            continue
        alone = solve(modes, case.gamma, grid, width=case.width, batch=case.batch, samples=case.samples)
        assert isinstance(got, Solution)
        np.testing.assert_allclose(got.loss, alone.loss, rtol=1e-9)
    with pytest.raises(InputError, match="cases: got none"):
        solve_many(modes, [], grid)


def test_an_unsolved_cell_survives_the_way_between_processes():
    error = NotConverged(3.5, "residual 0.1")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)
    assert error.time == 3.5


@pytest.mark.slow
@pytest.mark.parametrize("setting", [{"width": 16, "batch": 8.0}, {"width": 16, "samples": 32.0}], ids=str)
@pytest.mark.parametrize("at", [3, 15], ids=["coarse", "fine"])
def test_a_solution_that_is_stopped_goes_on_to_the_same_bits(setting, at):
    modes, grid = PowerLaw(1.5, 0.6).quadrature(100.0), TimeGrid.log_spaced(0.1, 20.0)
    whole = solve(modes, 0.5, grid, **setting)
    stopping = Interrupting(at)
    with pytest.raises(Stopped):
        solve(modes, 0.5, grid, **setting, monitor=stopping)
    again = solve(modes, 0.5, grid, **setting, monitor=Resuming(stopping.state))
    for name in ("time", "loss", "error", "weight_norm", "learned"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name), strict=True, err_msg=name)
    assert again.residual == whole.residual


@pytest.mark.parametrize("per_sample", [0.0, 0.02])
@pytest.mark.parametrize("angle", [0.0, 1.2])
def test_a_root_followed_from_the_last_iterate_is_the_one_found_from_the_axis(angle, per_sample):
    quadrature = PowerLaw(1.5, 0.5).quadrature(1e3)
    march = March(quadrature, TimeGrid.log_spaced(0.1, 10.0), Setting(1.0, 0.05, 0.0, per_sample))
    for size in np.geomspace(1e-3, 1e3, 7):
        x = size * np.exp(1j * angle)
        march.roots = []
        alone = march._self_consistent(complex(x))
        before = complex(1.04 * x)
        march.roots = [(before, march._self_consistent(before))]
        # Both end where a step of Newton's method is rounding.
        assert march._self_consistent(complex(x)) == pytest.approx(alone, rel=1e-12)
