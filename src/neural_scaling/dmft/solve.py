"""One entry to the mean field theory at finite width, batch and number of samples."""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.ndimage import maximum_filter1d

from neural_scaling.base import checks
from neural_scaling.base.arrays import Array, ArrayValue
from neural_scaling.base.checks import require
from neural_scaling.base.monitor import Arrays, Monitor, Parts, or_silent, scalar
from neural_scaling.dmft.diverged import DIVERGED, DynamicsDiverged, NotConverged
from neural_scaling.dmft.flow import horizon_of_flow, resolving
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.implicit import advance
from neural_scaling.dmft.march import March, Setting
from neural_scaling.dmft.stability import check_finite, check_setting, suggested_eta
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_quadrature

_REFINEMENTS = 3  # how often the cells from one that is not found on are halved
#: Coarse cells among which the largest difference counts for the error: with noise, errors of both signs alternate over decades.
_NEARBY, _NEARBY_NOISE = 5, 9
#: Without noise the error falls at least like the width of the cells: that of the finer grid is at most the difference. White
#: noise in a cell is known to order one half, and an error that falls by sqrt(2) is this many times the difference.
_HALF_ORDER = 1 / (math.sqrt(2) - 1)
#: With the fourth moment short runs were seen to miss by twice what that says.
_FOURTH_MOMENT = 2.5
_CELLS = (6.0, 12.0, 24.0)  # cells a decade, tried in turn for a tolerance
#: Part of the first change of the loss by which the first row may miss its closed short-time form; what is of second order in
#: time is less, as the first row lies at a thirteenth of the time on which anything moves at first, or before.
_START = 0.5
_FOUND = 1e-7  # to which the loss of a cell is found, in units of the loss of the untrained model


@dataclass(frozen=True, eq=False)
class OrderParameters(ArrayValue):
    """Order parameters on the rows of a grid, each R x R.

    Responses act on functions given at the rows, weights of integrals included; correlations are values at pairs of rows.
    On a log-spaced grid the white noise of SGD stands on the diagonal of ``feature_correlation`` as its strength over the weight
    of the row.

    Attributes
    ----------
    response
        ``R_3``, of v3 to its own noise (identity at infinite width).
    data_response
        ``R_1``, of the training error to its own noise (identity unless samples are reused).
    drive
        ``X = S + gamma W o C_w``: how the errors of a mode move its learned weight.
    weight_response
        ``S``, of w to v3.
    feature_correlation
        ``C_3 = v3 . v3 / N``.
    weight_correlation
        ``C_w = w . w / N``.
    """

    response: Array
    data_response: Array
    drive: Array
    weight_response: Array
    feature_correlation: Array
    weight_correlation: Array


@dataclass(frozen=True, eq=False)
class Solution(ArrayValue):
    """Outcome of :func:`solve`.

    Attributes
    ----------
    time
        ``eta * t``, shape (R,): every step, or 0 and the end of every cell of a log-spaced grid.
    loss
        Test loss (eq. 5), shape (R,).
    train_loss
        Loss on the reused samples, shape (R,), or None when every step has fresh data.
    weight_norm
        ``|w|^2/N``, the diagonal of ``C_w``, shape (R,); ``1 + gamma`` times it is the growth of the kernel's scale.
    error
        Estimated relative error of ``loss``, shape (R,), meant to overestimate: on a log-spaced grid the difference from a grid
        with cells twice as wide, the largest nearby, at finite batch times 2.4, with the fourth moment times 6; zero on unit
        steps. Of 55 random settings compared with cells four times as fine (``tests/random_settings.py --finer``) none had a
        larger error: at most 0.74 of the stated one at finite batch, and 0.19 without.
    learned
        ``1 - H_k 1``, the learned part of the target's mode at every node, shape (K, R).
    grid
        The grid of the order parameters.
    order
        The order parameters on all rows of the grid.
    residual
        Largest residual of the correlations of a cell, relative; zero on unit steps.
    seconds
        Time that the solution took, that of the error included.
    """

    time: Array
    loss: Array
    train_loss: Array | None
    weight_norm: Array
    error: Array
    learned: Array
    grid: TimeGrid
    order: OrderParameters
    residual: float
    seconds: float

    @property
    def step(self) -> Array:
        """Steps of discrete training, ``time / eta``."""
        return self.time / self.grid.eta


def solve(
    modes: PowerLaw | Spectrum | ModeQuadrature,
    gamma: float,
    grid: TimeGrid | None = None,
    *,
    until: float | None = None,
    eta: float | None = None,
    tolerance: float = 1e-2,
    width: float = math.inf,
    batch: float = math.inf,
    samples: float = math.inf,
    fourth_moment: bool = False,
    estimate_error: bool = True,
    monitor: Monitor | None = None,
) -> Solution:
    """Solve the mean field theory of the projected linear model (eqs. 18-31 online, eq. 41 with reused samples).

    ``solve(modes, gamma, until=1e4)`` chooses the grid. In unit steps the solution is exact. On a log-spaced grid it is that of
    gradient flow with white SGD noise of strength ``eta/B``, to the error that is reported.

    Parameters
    ----------
    modes
        A power law, which is resolved as far as the dynamics reaches; a spectrum, compressed if it is long (``.quadrature()``
        keeps all its modes, and takes many times longer); or a quadrature, refused where the dynamics goes beyond its horizon.
    gamma
        Richness, 0 for random features.
    grid
        :meth:`TimeGrid.unit_steps` or :meth:`TimeGrid.log_spaced`; or leave it out and give ``until``.
    until
        Last time, eta * steps, of a log-spaced grid as fine as ``tolerance`` needs.
    eta
        Learning rate, for ``until`` at finite batch only: the noise has the strength ``eta/B``.
    tolerance
        Largest relative error of the loss, for ``until`` only.
    width
        N, or infinity.
    batch
        B of online SGD, or infinity.
    samples
        P of full-batch gradient descent on reused samples, or infinity.
    fourth_moment
        Include the fourth moment of Gaussian features in the noise of a batch, which the paper drops: exact at gamma = 0 and
        infinite width, elsewhere without the correlation between modes that the shared factor makes.
    estimate_error
        Solve on a coarser grid too; without it ``error`` is NaN on a log-spaced grid.
    monitor
        On a given grid told of progress in rows; may keep the state and give it back.

    Raises
    ------
    InputError
        If an argument is out of range, ``eta`` is unstable, both B and P are finite, a quadrature does not resolve the time that
        is reached, or ``tolerance`` needs a finer grid than 24 cells a decade.
    DynamicsDiverged
        If the loss blows up.
    NotConverged
        If a cell of a log-spaced grid is not found, on finer grids neither.
    """
    fourth_moment = checks.flag(fourth_moment, "fourth_moment")
    estimate_error = checks.flag(estimate_error, "estimate_error")
    monitor = or_silent(monitor)
    if until is not None:
        require(grid is None, "grid", "given together with until", "give one of them")
        end, tolerance = checks.require_positive(until, "until"), checks.require_positive(tolerance, "tolerance")
        require(
            eta is not None or checks.count(batch, "batch") == math.inf,
            "eta",
            "left out at finite batch",
            "give the learning rate: the noise of SGD has the strength eta/B",
        )
        require(
            estimate_error,
            "estimate_error",
            "False together with until",
            "leave it out: the grid is chosen by the error",
        )
        parts = Parts(monitor)
        for cells in _CELLS:
            made = TimeGrid.log_spaced(1.0 if eta is None else eta, end, cells)
            options = {"width": width, "batch": batch, "samples": samples, "fourth_moment": fourth_moment}
            found = solve(modes, gamma, made, **options, monitor=parts.last(f"{cells:g} cells"))  # type: ignore[arg-type]
            if found.error.max() <= tolerance:
                return found
        found_error = f"got {tolerance:g}, and the error is {found.error.max():.2g} at {cells:g} cells a decade"
        require(False, "tolerance", found_error, "accept a larger error, or give a finer grid")
    begin = clock.perf_counter()
    require(eta is None, "eta", "given together with a grid, which has its own", "leave it out")
    grid = checks.instance(grid, "grid", TimeGrid, "give a TimeGrid, or leave it out and give until")
    few = as_quadrature(modes, "modes", 1.0)  # what there is at the start, whatever the horizon
    gamma, width, batch, samples = check_setting(few, grid, gamma, width, batch, samples)
    require(
        not fourth_moment or batch < math.inf,
        "fourth_moment",
        "asked for at infinite batch, where there is no noise",
        "give a finite batch, or leave it out",
    )
    setting = Setting(gamma, 1 / width, 1 / batch, 1 / samples, fourth_moment)
    watch = [monitor]  # what it keeps is of the first horizon
    return resolving(
        modes,
        horizon_of_flow(modes, gamma, float(grid.time[-1])),
        lambda resolved: _solve(resolved, grid, setting, watch.pop() if watch else Monitor(), estimate_error, begin),
    )


def _solve(
    quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor, estimate_error: bool, begin: float
) -> Solution:
    if grid.explicit:
        march = _unit_steps(quadrature, grid, setting, monitor)
        rows = np.arange(grid.rows)
        return _solution(march, rows, np.zeros(grid.rows), clock.perf_counter() - begin)
    if quadrature.initial_loss == 0:
        return _without_target(quadrature, grid, setting, monitor, estimate_error, begin)
    march, coarse = _log_spaced(quadrature, grid, setting, monitor, estimate_error)
    rows = np.arange(march.grid.block - 1, march.grid.rows, march.grid.block)
    error = _difference(march, coarse) if coarse else np.full(rows.size, math.nan)
    return _from_the_start(_solution(march, rows, error, clock.perf_counter() - begin), quadrature)


def _without_target(
    quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor, estimate_error: bool, begin: float
) -> Solution:
    """Solve for a target of zeros: the features stay, and correlations, linear in the target's variance then, vanish."""
    any_target = replace(quadrature, target_weights=quadrature.weights)
    lazy = _solve(any_target, grid, replace(setting, gamma=0.0), monitor, estimate_error, begin)
    none, order = 0 * lazy.loss, lazy.order
    return replace(
        lazy,
        loss=none,
        train_loss=None if lazy.train_loss is None else none,
        weight_norm=none,
        error=none,
        order=replace(
            order, feature_correlation=0 * order.feature_correlation, weight_correlation=0 * order.weight_correlation
        ),
    )


def _unit_steps(quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor) -> March:
    march = March(quadrature, grid, setting)
    if (kept := monitor.restored()) is not None:
        march.restore(kept)
    with np.errstate(over="ignore", invalid="ignore"):
        while march.count < grid.rows:
            advance(march)
            if not march.loss[march.count - 1] <= DIVERGED * march.loss[0]:
                seen = march.loss[: march.count]
                check_finite(seen, quadrature, grid.eta, setting.gamma, setting.width, setting.batch)
            _check_resolved(march)
            monitor.advance(1)
            monitor.safe_point(march.state)
    return march


def _log_spaced(
    quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor, with_coarse: bool
) -> tuple[March, _Coarse | None]:
    grid = grid.fitted(float(quadrature.nodes[0]), _first_rate(quadrature, grid.eta, setting))
    coarse, parts = None, Parts(monitor)
    if with_coarse:
        first = grid.coarsened()

        def solved(monitor: Monitor) -> Arrays:
            march = _refining(quadrature, first, setting, monitor)
            return _grid_state(march.grid) | {"loss": march.loss}

        found = parts.run("coarse", solved, counted=False)
        coarse = _Coarse(_grid_restored(first, found), found["loss"])
        if coarse.grid.rows > first.rows:
            grid = coarse.grid.refined(0.0)  # keep cells twice as fine as those of the coarse solution
    # The last part, which gives no arrays but the march itself.
    return _refining(quadrature, grid, setting, parts.last("fine")), coarse


class _Coarse(NamedTuple):
    """What the estimate of the error needs of the coarser solution."""

    grid: TimeGrid
    loss: Array


def _grid_state(grid: TimeGrid) -> Arrays:
    return {"grid time": grid.time, "grid weight": grid.weight}


def _grid_restored(grid: TimeGrid, state: Arrays) -> TimeGrid:
    return replace(grid, time=state["grid time"], weight=state["grid weight"])


def _refining(quadrature: ModeQuadrature, grid: TimeGrid, setting: Setting, monitor: Monitor) -> March:
    """Solve on a grid, made finer from the first cell on that is not found."""
    kept, first = monitor.restored(), 0
    if kept is not None:
        grid, first = _grid_restored(grid, kept), int(kept["refinement"])
    for refinement in range(first, _REFINEMENTS + 1):
        try:
            march = March(quadrature, grid, setting)
            if kept is not None:
                march.restore(kept)
                kept = None
            further = _grid_state(grid) | {"refinement": scalar(refinement)}
            return _cells(march, monitor, further)
        except NotConverged as failure:
            if refinement == _REFINEMENTS:
                raise
            grid = grid.refined(failure.time)
    raise AssertionError("unreachable")


def _cells(march: March, monitor: Monitor, further: Arrays) -> March:
    quadrature, grid, setting = march.quadrature, march.grid, march.setting
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        while march.count < grid.rows:
            advance(march)
            if not march.loss[march.count - 1] <= DIVERGED * quadrature.initial_loss:
                stable = suggested_eta(quadrature, setting.gamma, grid.horizon, setting.width, setting.batch)
                time = float(grid.time[march.count - 1])
                raise DynamicsDiverged(
                    f"the loss blows up at eta * t = {time:.3g} with eta = {grid.eta:g}: the noise of SGD feeds on itself "
                    f"as the kernel grows; try eta <= {min(stable, grid.eta / 2):.2g}, a larger batch or a smaller gamma."
                )
            if march.count == grid.block:
                _check_start(march)
            _check_resolved(march)
            monitor.advance(grid.block)
            monitor.safe_point(lambda: march.state() | further)
    return march


def _first_rate(quadrature: ModeQuadrature, eta: float, setting: Setting) -> float:
    """Return one over the time on which anything moves at first: errors, the kernel by the signal, and both by the noise."""
    loss, trace, noise = quadrature.initial_loss, quadrature.trace, setting.per_batch * eta
    projected = float(quadrature.nodes[0]) + trace * (setting.per_width + setting.per_sample)
    signal = float(quadrature.target_weights @ quadrature.nodes**2) + setting.per_sample * loss * trace
    feeding = noise * float(quadrature.weights @ quadrature.nodes**2 + setting.per_width * trace**2)
    return projected + feeding + math.sqrt(setting.gamma * signal) + setting.gamma * noise * loss * trace


def _check_start(march: March) -> None:
    """Refuse a first cell whose first row is not on the closed short-time form of the loss.

    At first order in time features are those of the untrained model, whose noise is felt through the projection too:
    ``dL/dt = -2 sum_k lambda_k^2 (w*_k)^2 + eta/B sum_k lambda_k (lambda_k + tr/N) (L + lambda_k (w*_k)^2)``, the last term with
    the fourth moment only. At second order the noise of P samples can be as large, as it is of the loss and not of the signal.
    """
    quadrature, setting = march.quadrature, march.setting
    nodes, targets = quadrature.nodes, quadrature.target_weights
    loss, time = quadrature.initial_loss, float(march.grid.time[0])
    felt = nodes * (nodes + setting.per_width * quadrature.trace)
    signal, spread = 2 * float(targets @ nodes**2), loss * float(quadrature.weights @ felt)
    noise = spread + setting.fourth_moment * float((targets * nodes) @ felt)
    noise *= setting.per_batch * march.grid.eta
    missed = abs(float(march.loss[0]) - loss - (noise - signal) * time)
    allowed = time * (signal + noise + time * setting.per_sample * spread)
    if not missed <= _START * allowed + _FOUND * loss:
        raise NotConverged(0.0, f"the loss misses its short-time form by {missed / (time * signal):.2g} of its change")


def _check_resolved(march: March) -> None:
    rows = slice(0, march.count)
    scale = 1 + march.setting.gamma * march.weight_norm[rows]
    march.quadrature.check_resolved(float(march.grid.weight[rows] @ scale), "modes")


def _difference(march: March, coarse: _Coarse) -> Array:
    """Return an overestimate of the relative error at the ends of cells, from the difference that halving the cells made."""
    ends = slice(march.grid.block - 1, None, march.grid.block)
    fine_time, coarse_time = march.grid.time[ends], coarse.grid.time[ends]
    shared = np.searchsorted(fine_time, coarse_time * (1 - 1e-9)).astype(int)
    difference = np.abs(coarse.loss[ends] / march.loss[ends][shared] - 1)
    # Where the curves cross the difference vanishes, the error does not: the largest nearby counts.
    nearby, factor = (_NEARBY_NOISE, _HALF_ORDER) if march.setting.per_batch else (_NEARBY, 1.0)
    factor *= _FOURTH_MOMENT if march.setting.fourth_moment else 1.0
    return np.asarray(factor * np.interp(fine_time, coarse_time, maximum_filter1d(difference, nearby)))


def _solution(march: March, rows: npt.NDArray[np.intp], error: Array, seconds: float) -> Solution:
    setting = march.setting
    train = None
    if setting.per_sample:
        train = np.einsum(
            "ij,jk,ik->i", march.data_response, march.loss_correlation, march.data_response, optimize=True
        )[rows]
    order = OrderParameters(
        march.response,
        march.data_response,
        march.drive,
        march.weight_response,
        march.feature_correlation,
        march.weight_correlation,
    )
    return Solution(
        time=march.grid.time[rows],
        loss=march.loss[rows],
        train_loss=train,
        weight_norm=march.weight_norm[rows],
        error=error,
        learned=1 - march.unlearned[:, rows],
        grid=march.grid,
        order=order,
        residual=march.residual,
        seconds=seconds,
    )


def _from_the_start(solution: Solution, quadrature: ModeQuadrature) -> Solution:
    """Put the untrained model before the first cell."""
    first = quadrature.initial_loss
    return replace(
        solution,
        time=np.append(0.0, solution.time),
        loss=np.append(first, solution.loss),
        train_loss=None if solution.train_loss is None else np.append(first, solution.train_loss),
        weight_norm=np.append(0.0, solution.weight_norm),
        error=np.append(0.0, solution.error),
        learned=np.concatenate([np.zeros((quadrature.nodes.size, 1)), solution.learned], axis=1),
    )
