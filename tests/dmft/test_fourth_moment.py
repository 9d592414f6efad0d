"""The noise of a Gaussian batch with its fourth moments: exact lazy recursion, simulation, and what the paper's theory misses."""

import math

import numpy as np
import pytest

from neural_scaling import dmft
from neural_scaling.models.toy_model import simulate
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_sgd_loss


def lazy_sgd(spectrum, eta, batch, steps, runs, random):
    """Return the losses of SGD on the features themselves, real batches, (runs, T + 1)."""
    root = np.sqrt(spectrum.eigenvalues)
    v0, losses = np.tile(spectrum.target, (runs, 1)), np.empty((runs, steps + 1))
    for t in range(steps + 1):
        losses[:, t] = v0**2 @ spectrum.eigenvalues
        psi = random.standard_normal((runs, batch, root.size)) * root
        errors = np.einsum("rbk,rk->rb", psi, v0)
        v0 = v0 - eta / batch * np.einsum("rb,rbk->rk", errors, psi)
    return losses


@pytest.mark.parametrize("batch", [1, 3])
def test_the_recursion_is_the_mean_of_lazy_sgd(batch):
    spectrum = PowerLaw(2.0, 1.2, 12).spectrum()
    losses = lazy_sgd(spectrum, 0.2, batch, 12, 20_000, np.random.default_rng(5))
    exact = lazy_sgd_loss(spectrum.quadrature(), 0.2, batch, 12)
    errors = losses.std(axis=0, ddof=1) / math.sqrt(losses.shape[0])
    # Twelve steps of one average, strongly correlated: 4 standard errors are a false alarm in 1 of 1000 for a fresh seed.
    assert np.all(np.abs(losses.mean(axis=0) - exact)[1:] < 4 * errors[1:])
    # The paper's noise is told apart.
    printed = lazy_sgd_loss(spectrum.quadrature(), 0.2, batch, 12, fourth_moment=False)
    assert np.max((losses.mean(axis=0) - printed)[1:] / errors[1:]) > 10


@pytest.mark.parametrize("fourth_moment", [True, False])
@pytest.mark.parametrize("batch", [1, 4, 64])
def test_lazy_at_infinite_width_the_theory_is_the_recursion(batch, fourth_moment):
    for quadrature in (PowerLaw(1.5, 0.5).quadrature(100.0), PowerLaw(2.0, 1.2, 40).spectrum().quadrature()):
        grid = dmft.TimeGrid.unit_steps(0.2, 120)
        solution = dmft.solve(quadrature, 0.0, grid, batch=batch, fourth_moment=fourth_moment)
        exact = lazy_sgd_loss(quadrature, 0.2, batch, 120, fourth_moment)
        # The same numbers by other sums: rounding only.
        np.testing.assert_allclose(solution.loss, exact, rtol=1e-10)


def test_stability_bound_is_where_the_recursion_stops_decaying():
    quadrature = PowerLaw(1.5, 0.5, 60).spectrum().quadrature()
    for batch in (1, 4, 16):
        bound = dmft.largest_stable_eta(quadrature, batch)
        # The bound is a root found to 1e-12, and the quantity is linear there.
        assert dmft.mean_square_stability(quadrature, bound, batch) == pytest.approx(1, abs=1e-6)
        below, above = (lazy_sgd_loss(quadrature, factor * bound, batch, 4000) for factor in (0.95, 1.05))
        assert below[-1] < 0.5 * below[0]
        assert above[-1] > 10 * above[0]
    assert dmft.largest_stable_eta(quadrature, math.inf) == pytest.approx(2 / quadrature.nodes.max(), rel=1e-12)


@pytest.mark.slow
def test_lazy_at_finite_width_the_term_closes_the_gap_to_simulation():
    law, steps, seeds, batch = PowerLaw(2.0, 1.2, 256), 10, 1024, 1
    noisy = simulate(law.spectrum(), 32, 0.2, 0.0, steps, range(seeds), batch).loss[:, -1]
    control = simulate(law.spectrum(), 32, 0.2, 0.0, steps, range(seeds)).loss[:, -1]
    ratio = noisy.mean() / control.mean()
    error = (noisy - ratio * control).std(ddof=1) / control.mean() / math.sqrt(seeds)
    grid, quadrature = dmft.TimeGrid.unit_steps(0.2, steps), law.spectrum().quadrature()
    reference = dmft.solve(quadrature, 0.0, grid, width=32).loss[-1]
    ours = dmft.solve(quadrature, 0.0, grid, width=32, batch=batch, fourth_moment=True).loss[-1] / reference
    paper = dmft.solve(quadrature, 0.0, grid, width=32, batch=batch).loss[-1] / reference
    # Excess 0.55 by the theory with the term, 0.33 without; 4 standard errors of the simulation are about 0.15.
    assert abs(ratio - ours) < 4 * error < 0.2
    assert ratio - paper > 4 * error
