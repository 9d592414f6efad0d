"""Every mode on every grid, lazy and rich, at finite and infinite N, B and P, against a slow solution of its own.

A cell of the table has an oracle, is another cell under another name, or is refused; a cell that is none of these fails.
"""

import itertools
import math
import re
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import Phase, example, given, settings
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.dmft import TimeGrid, gradient_flow, infinite_limit, kernel_flow, solve
from neural_scaling.spectra import PowerLaw
from oracles.dense_dmft import dense_online
from oracles.dense_fourth_moment import dense_fourth_moment
from oracles.dense_reuse import dense_reuse
from oracles.direct_simulation import direct_flow, direct_losses
from oracles.extrapolation import extrapolated

MODES = ("online", "reuse", "fourth moment", "infinite limit", "gradient flow")
UNIT, LOG = "unit steps", "log-spaced"
LAZY, RICH = "lazy", "rich"
ANY, YES, NO = (True, False), (True,), (False,)
#: Mode, grid, richness, and whether N, B and P are finite.
CELLS = list(itertools.product(MODES, (UNIT, LOG), (LAZY, RICH), *[(True, False)] * 3))

#: Mode, grids and which of N, B, P may be finite: what the library computes.
SOLVED = [
    ("online", (UNIT, LOG), ANY, ANY, NO),
    ("reuse", (UNIT, LOG), ANY, NO, YES),
    ("fourth moment", (UNIT, LOG), ANY, YES, NO),
    ("infinite limit", (UNIT,), NO, NO, NO),
    ("gradient flow", (LOG,), NO, NO, NO),
]
#: The same for calls that are another mode under another name.
RENAMED = [("online", (UNIT, LOG), ANY, NO, YES, "reuse"), ("reuse", (UNIT, LOG), ANY, ANY, NO, "online")]
#: The same for what is refused: with which error, and why.
REFUSED = [
    ("online", (UNIT, LOG), ANY, YES, YES, InputError, "samples are fresh every step or the same every step"),
    ("reuse", (UNIT, LOG), ANY, YES, YES, InputError, "samples are fresh every step or the same every step"),
    ("fourth moment", (UNIT, LOG), ANY, YES, YES, InputError, "samples are fresh every step or the same every step"),
    ("fourth moment", (UNIT, LOG), ANY, NO, ANY, InputError, "it is a part of the noise of a batch"),
    ("infinite limit", (UNIT,), YES, ANY, ANY, TypeError, "it is the limit in all three"),
    ("infinite limit", (UNIT,), NO, YES, ANY, TypeError, "it is the limit in all three"),
    ("infinite limit", (UNIT,), NO, NO, YES, TypeError, "it is the limit in all three"),
    ("infinite limit", (LOG,), ANY, ANY, ANY, TypeError, "in continuous time it is gradient flow"),
    ("gradient flow", (LOG,), YES, ANY, ANY, TypeError, "it is the limit in all three"),
    ("gradient flow", (LOG,), NO, YES, ANY, TypeError, "it is the limit in all three"),
    ("gradient flow", (LOG,), NO, NO, YES, TypeError, "it is the limit in all three"),
    ("gradient flow", (UNIT,), ANY, ANY, ANY, TypeError, "in unit steps it is the infinite limit"),
]


def rows_of(table, cell):
    mode, grid, _, *finite = cell
    return [
        row
        for row in table
        if row[0] == mode
        and grid in row[1]
        and all(one in allowed for one, allowed in zip(finite, row[2:5], strict=True))
    ]


def name(cell):
    mode, grid, richness, *finite = cell
    return "-".join([mode, grid, richness, *(letter for letter, one in zip("NBP", finite, strict=True) if one)])


@dataclass(frozen=True)
class Drawn:
    """A setting: ``growth`` is that of the kernel when all is learned, ``fraction`` the part of its edge of stability."""

    alpha: float
    beta: float
    modes: int
    growth: float
    fraction: float
    steps: int
    width: int
    batch: int
    samples: int


@dataclass(frozen=True)
class Problem:
    """What a cell makes of a setting."""

    spectrum: object
    eta: float
    gamma: float
    steps: int
    width: float
    batch: float
    samples: float


def problem(cell, drawn):
    _, _, richness, *finite = cell
    spectrum = PowerLaw(drawn.alpha, drawn.beta, drawn.modes).spectrum()
    numbers = [
        one if kept else math.inf for one, kept in zip((drawn.width, drawn.batch, drawn.samples), finite, strict=True)
    ]
    growth = drawn.growth if richness == RICH else 0.0
    gamma = growth / float(np.sum(spectrum.target**2))
    # Few features, samples or a small batch raise the largest eigenvalue, learning adds a scale and a spike.
    edge = (1 + 2 * growth) * math.prod((1 + math.sqrt(spectrum.eigenvalues.sum() / one)) ** 2 for one in numbers)
    return Problem(spectrum, 2 * drawn.fraction / edge, gamma, drawn.steps, *numbers)


settings_of_cells = st.builds(
    Drawn,
    alpha=st.floats(1.05, 3.0),
    beta=st.floats(0.1, 3.0),
    modes=st.integers(2, 12),
    growth=st.floats(0.1, 3.0),
    fraction=st.floats(0.05, 0.95),
    steps=st.integers(1, 40),
    width=st.integers(1, 12),
    batch=st.integers(1, 12),
    samples=st.integers(1, 12),
)
#: Fewer modes, and at the shortest of the steps that are extrapolated a third of the edge at most.
settings_of_flows = st.builds(
    Drawn,
    alpha=st.floats(1.05, 3.0),
    beta=st.floats(0.1, 3.0),
    modes=st.integers(2, 6),
    growth=st.floats(0.1, 1.5),
    fraction=st.floats(0.05, 0.3),
    steps=st.just(32),
    width=st.integers(1, 12),
    batch=st.integers(1, 12),
    samples=st.integers(1, 12),
)
#: Forty steps close to the edge: two features, or five samples, have learned all that they can.
FAR = Drawn(1.5, 0.5, 12, 2.0, 0.9, 40, 2, 3, 5)


def solved(cell, p, grid, **options):
    """Return what the library finds, by name."""
    found = solve(
        p.spectrum,
        p.gamma,
        grid,
        width=p.width,
        batch=p.batch,
        samples=p.samples,
        fourth_moment=cell[0] == "fourth moment",
        **options,
    )
    curves = {"loss": found.loss, "weight_norm": found.weight_norm}
    return found, curves if found.train_loss is None else curves | {"train_loss": found.train_loss}


def dense(cell, p, eta, steps, batch, block=1):
    """Return curves and order parameters of the whole matrices, by name."""
    arguments = (p.spectrum.eigenvalues, p.spectrum.target, eta, p.gamma, steps, p.width)
    curves = {}
    if cell[0] == "reuse":
        c0, c1, r1, r3, c3, c_w = dense_reuse(*arguments, p.samples, block)
        curves = {"loss": np.diag(c0), "train_loss": np.diag(c1)}
    elif cell[0] == "online":
        c0, r3, c3, c_w = dense_online(*arguments, batch, block)
        curves, r1 = {"loss": np.diag(c0)}, np.eye(steps + 1)
    else:
        loss, r3, c3, c_w = dense_fourth_moment(*arguments, batch, block)
        curves, r1 = {"loss": loss}, np.eye(steps + 1)
    order = {"response": r3, "data_response": r1, "feature_correlation": c3, "weight_correlation": c_w}
    return curves | {"weight_norm": np.diag(c_w)}, order


def assert_unit_steps_agree(cell, p):
    quadrature = p.spectrum.quadrature()
    # 1e-8 leaves room for rounding that the condition of the responses multiplies. The error of a mode is one minus what has been
    # learned, so that its square keeps no digits below the square of rounding.
    close = {"rtol": 1e-8, "atol": 1e-20 * quadrature.initial_loss}
    if cell[0] == "infinite limit":
        got = infinite_limit(quadrature, p.eta, p.gamma, p.steps, np.arange(p.steps + 1))
        # As many orthogonal features as modes are no projection.
        features = math.sqrt(p.spectrum.modes) * np.eye(p.spectrum.modes)
        np.testing.assert_allclose(got.loss, direct_losses(p.spectrum, features, p.eta, p.gamma, p.steps), **close)
        return
    found, curves = solved(cell, p, TimeGrid.unit_steps(p.eta, p.steps))
    expected, order = dense(cell, p, p.eta, p.steps, p.batch)
    assert curves.keys() == expected.keys()
    for name_of_curve, values in expected.items():
        np.testing.assert_allclose(curves[name_of_curve], values, **close, err_msg=name_of_curve)
    for name_of_matrix, values in order.items():
        got = getattr(found.order, name_of_matrix)
        np.testing.assert_allclose(got, values, rtol=0, atol=1e-8 * np.max(np.abs(values)), err_msg=name_of_matrix)


def in_continuous_time(cell, p):
    """Return names of the curves, their values halfway and at the end, and how far these are known."""
    noise = p.eta / p.batch  # strength of white noise: the same for steps of every length

    def of_steps(eta, count):
        batch = eta / noise if noise else math.inf
        return np.array(list(dense(cell, p, eta, count, batch, block=8)[0].values()))

    return list(dense(cell, p, p.eta, 1, p.batch)[0]), *extrapolated(of_steps, p.eta * p.steps)


def four_cells_an_octave(p):
    """Return a grid one of whose cells ends halfway."""
    end = p.eta * p.steps
    return TimeGrid.log_spaced(p.eta, end, cells_per_decade=4 / math.log10(2), first=end / 2**4)


def assert_continuous_time_agrees(cell, p):
    end = p.eta * p.steps
    if cell[0] == "gradient flow":
        time = np.array([0.0, end / 2, end])
        loss, weight_norm = direct_flow(p.spectrum, p.gamma, time)
        for flow in (gradient_flow, kernel_flow):
            got = flow(p.spectrum.quadrature(), p.gamma, time)
            # Both integrators keep a relative error of 1e-8 a step, in less than two hundred steps.
            np.testing.assert_allclose(got.loss, loss, rtol=2e-6)
            np.testing.assert_allclose(got.weight_norm, weight_norm, rtol=2e-6)
        return
    noise = p.eta / p.batch
    names, expected, uncertain = in_continuous_time(cell, p)
    grid = four_cells_an_octave(p)
    found, curves = solved(cell, p, grid)
    grids = [grid.coarsened(), grid.coarsened().coarsened()]
    coarse, coarser = (solved(cell, p, one, estimate_error=False)[1] for one in grids)
    halfway = int(np.argmin(np.abs(found.time - end / 2)))
    assert found.time[halfway] == pytest.approx(end / 2)
    for row, curve in enumerate(names):
        got, other, another = curves[curve][[halfway, -1]], coarse[curve][-1], coarser[curve][-1]
        if curve == "loss" and cell[0] != "fourth moment":
            allowed = found.error[[halfway, -1]] * got
        else:
            # No error is stated, or one that is too small where noise, of first order in a cell, meets an error of the signal of
            # opposite sign: the larger of two changes by halves, with noise 2.4 times that, as for errors that fall by a root.
            changed = max(abs(got[-1] - other), abs(other - another))
            allowed = np.full(2, changed / (math.sqrt(2) - 1 if noise else 1))
        assert np.all(np.abs(got - expected[row]) <= allowed + uncertain[row]), curve
        assert np.all(uncertain[row] <= 1e-3 * expected[row]), "the oracle says nothing"


def test_every_cell_has_an_oracle_or_a_reason_why_not():
    for cell in CELLS:
        assert sum(len(rows_of(table, cell)) for table in (SOLVED, RENAMED, REFUSED)) == 1, name(cell)


def test_a_cell_under_another_name_has_an_oracle():
    for cell in CELLS:
        for row in rows_of(RENAMED, cell):
            assert rows_of(SOLVED, (row[-1], *cell[1:])), name(cell)


def cells(table, grid=None):
    chosen = [cell for cell in CELLS if rows_of(table, cell) and grid in (None, cell[1])]
    return pytest.mark.parametrize("cell", chosen, ids=name)


@cells(REFUSED)
def test_what_has_no_meaning_is_refused(cell):
    error = rows_of(REFUSED, cell)[0][5]
    p = problem(cell, FAR)
    grid = TimeGrid.unit_steps(p.eta, 4) if cell[1] == UNIT else TimeGrid.log_spaced(p.eta, 4.0)
    finite = {key: one for key in ("width", "batch", "samples") if (one := getattr(p, key)) < math.inf}
    with pytest.raises(error) as caught:
        if cell[0] == "infinite limit":
            infinite_limit(
                p.spectrum, p.eta, p.gamma, **({"steps": 4, **finite} if cell[1] == UNIT else {"grid": grid, **finite})
            )
        elif cell[0] == "gradient flow":
            kernel_flow(
                p.spectrum, p.gamma, **({"time": [4.0], **finite} if cell[1] == LOG else {"grid": grid, **finite})
            )
        else:
            solved(cell, p, grid)
    assert re.match("samples|fourth_moment" if error is InputError else ".*unexpected keyword", str(caught.value))


@cells(SOLVED, UNIT)
@settings(max_examples=6)
@given(drawn=settings_of_cells)
@example(drawn=FAR)
def test_unit_steps(cell, drawn):
    assert_unit_steps_agree(cell, problem(cell, drawn))


@pytest.mark.long
@cells(SOLVED, LOG)
@settings(max_examples=2, phases=[Phase.generate])  # to shrink a failure would take minutes
@given(drawn=settings_of_flows)
def test_continuous_time(cell, drawn):
    assert_continuous_time_agrees(cell, problem(cell, drawn))


@pytest.mark.parametrize("richness", [LAZY, RICH])
def test_noise_within_a_cell_is_more_than_its_grid_makes_of_it(richness):
    # What is put right within cells vanishes with their width, so that an error which is taken from another grid allows for it.
    # Batches of one: at the end of the rich run it takes an error of 4e-4 away, and leaves 1e-5.
    cell = ("online", LOG, richness, False, True, False)
    p = problem(cell, Drawn(1.2, 0.8, 6, 1.0, 0.3, 32, 2, 1, 7))
    expected = in_continuous_time(cell, p)[1][0]
    assert solved(cell, p, four_cells_an_octave(p))[1]["loss"][-1] == pytest.approx(expected[-1], rel=5e-5)
