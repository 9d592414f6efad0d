"""Units of the eigenvalues and of the target change nothing but scale, in every solver and simulation.

With ``lambda -> c lambda`` and ``eta -> eta / c`` losses are c times as large; with ``w* -> c w*`` and ``gamma -> gamma / c^2``
losses and ``|w|^2`` are c^2 times as large.
"""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from neural_scaling.dmft import TimeGrid, gradient_flow, infinite_limit, kernel_flow, mean_square_stability, solve
from neural_scaling.models.direct_model import train_directly
from neural_scaling.models.sample_reuse import reuse_limit, simulate_reuse
from neural_scaling.models.toy_model import simulate
from neural_scaling.spectra import PowerLaw, Spectrum

BASE = PowerLaw(1.5, 0.6, 12).spectrum()
GAMMA, ETA, STEPS, END = 1.5, 0.2, 20, 8.0
INITIAL = np.random.default_rng(0).normal(size=(4, 12))


def of_solution(found):
    return {"loss": found.loss, "norm": found.weight_norm}


def unit_steps(**setting):
    return lambda modes, gamma, unit: of_solution(
        solve(modes, gamma, TimeGrid.unit_steps(ETA * unit, STEPS), **setting)
    )


def log_grid(**setting):
    return lambda modes, gamma, unit: of_solution(
        solve(modes, gamma, TimeGrid.log_spaced(ETA * unit, END * unit, 2), **setting)
    )


def until(modes, gamma, unit):
    return of_solution(solve(modes, gamma, until=END * unit, width=5))


def limit(modes, gamma, unit):
    found = infinite_limit(modes, ETA * unit, gamma, STEPS)
    return of_solution(found) | {"eigenvalue": found.sharpness}


def flow(solver):
    def run(modes, gamma, unit):
        found = solver(modes, gamma, np.array([0.0, 0.5, 2.0, END]) * unit)
        return of_solution(found) | {"eigenvalue": found.sharpness}

    return run


def simulation(batch):
    return lambda modes, gamma, unit: {"loss": simulate(modes, 4, ETA * unit, gamma, STEPS, [1, 2], batch).loss}


def reuse(modes, gamma, unit):
    found = simulate_reuse(modes, 4, 6, ETA * unit, gamma, STEPS, [1, 2])
    return {"loss": np.concatenate([found.loss, found.train_loss, found.floor[:, None]], axis=1)}


def direct(modes, gamma, unit):
    return {"loss": train_directly(modes, INITIAL, ETA * unit, gamma, STEPS, "projected", 8, 3).loss}


def reuse_end(modes, gamma, unit):
    found = reuse_limit(modes.quadrature(), 4, 6)
    return {"loss": np.array([found.loss, found.printed])}


def stability(modes, gamma, unit):
    return {"number": np.array([mean_square_stability(modes, ETA * unit, 8)])}


#: Relative tolerances: rounding for what is exact in steps, the accuracy of integrators, and for cells the residual to which
#: they are found, which growth and noise amplify.
SOLVERS = {
    "unit steps": (unit_steps(width=5, batch=8), 1e-9),
    "unit steps, reuse": (unit_steps(width=5, samples=6), 1e-9),
    "log grid": (log_grid(), 1e-5),
    "log grid, batch": (log_grid(width=5, batch=8), 1e-5),
    "log grid, fourth moment": (log_grid(batch=8, fourth_moment=True), 1e-5),
    "log grid, reuse": (log_grid(width=5, samples=6), 1e-5),
    "until": (until, 1e-5),
    "infinite limit": (limit, 1e-9),
    "gradient flow": (flow(gradient_flow), 1e-7),
    "kernel flow": (flow(kernel_flow), 1e-6),
    "simulation": (simulation(np.inf), 1e-9),
    "simulation, batch": (simulation(8), 1e-9),
    "simulation, reuse": (reuse, 1e-9),
    "direct simulation": (direct, 1e-9),
    "limit of reuse": (reuse_end, 1e-9),
    "stability": (stability, 1e-12),
}
_REFERENCE = {}


def reference(name):
    if name not in _REFERENCE:
        _REFERENCE[name] = SOLVERS[name][0](BASE, GAMMA, 1.0)
    return _REFERENCE[name]


@pytest.mark.long
@pytest.mark.parametrize("name", SOLVERS)
@settings(max_examples=1)
@example(larger=6.0, louder=0.0)
@example(larger=-6.0, louder=0.0)
@example(larger=0.0, louder=6.0)
@example(larger=0.0, louder=-6.0)
@given(larger=st.floats(-6, 6), louder=st.floats(-6, 6))
def test_units_change_nothing_but_scale(name, larger, louder):
    solver, tolerance = SOLVERS[name]
    larger, louder = 10**larger, 10**louder
    found = solver(Spectrum(larger * BASE.eigenvalues, louder * BASE.target), GAMMA / louder**2, 1 / larger)
    units = {"loss": larger * louder**2, "norm": louder**2, "eigenvalue": larger, "number": 1.0}
    for kind, expected in reference(name).items():
        # What has decayed to nothing is rounding of what it was: 1e-12 of the largest.
        np.testing.assert_allclose(
            found[kind] / units[kind], expected, rtol=tolerance, atol=1e-12 * np.max(expected), err_msg=kind
        )
