"""Many settings of the mean field theory on one grid, one a core: a solution alone gains little from cores or from stacking."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import joblib

from neural_scaling.base import checks
from neural_scaling.base.checks import InputError, require
from neural_scaling.dmft.diverged import DynamicsDiverged, NotConverged
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.solve import Solution, solve
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum, as_quadrature


@dataclass(frozen=True)
class Case:
    """A setting of :func:`~neural_scaling.dmft.solve`.

    Attributes
    ----------
    gamma
        Richness.
    width, batch, samples
        N, B and P.
    fourth_moment
        Whether the noise of a batch includes the fourth moment.
    """

    gamma: float
    width: float = float("inf")
    batch: float = float("inf")
    samples: float = float("inf")
    fourth_moment: bool = False


def solve_many(
    modes: PowerLaw | Spectrum | ModeQuadrature,
    cases: Sequence[Case],
    grid: TimeGrid,
    *,
    workers: int = -1,
    estimate_error: bool = True,
) -> list[Solution | InputError | DynamicsDiverged | NotConverged]:
    """Solve every case on its own core.

    Parameters
    ----------
    modes, grid
        As for :func:`~neural_scaling.dmft.solve`; the same for all.
    cases
        Settings, at least one.
    workers
        Processes; -1 for one on each core, 1 for none but this.
    estimate_error
        As for :func:`~neural_scaling.dmft.solve`.

    Returns
    -------
    list
        In the order of the cases: a solution, or the error that this case ended with. One case that diverges costs none of the
        others.

    Raises
    ------
    InputError
        If there is no case, or ``cases`` or ``workers`` are something else.
    """
    remedy = "give a list of Case"
    cases = [checks.instance(case, "cases", Case, remedy) for case in checks.instance(cases, "cases", Sequence, remedy)]
    require(len(cases) > 0, "cases", "got none", "give at least one Case")
    as_quadrature(modes, "modes", 1.0)
    grid = checks.instance(grid, "grid", TimeGrid, "give a TimeGrid")
    estimate_error = checks.flag(estimate_error, "estimate_error")
    workers = checks.whole(workers, "workers", "give a positive whole number, or -1 for all cores", least=-1)
    require(workers != 0, "workers", "got 0", "give a positive whole number, or -1 for all cores")
    with joblib.parallel_config("loky", inner_max_num_threads=1):
        found = joblib.Parallel(n_jobs=workers)(
            joblib.delayed(_outcome)(modes, case, grid, estimate_error) for case in cases
        )
    return list(found)


def _outcome(
    modes: PowerLaw | Spectrum | ModeQuadrature, case: Case, grid: TimeGrid, estimate_error: bool
) -> Solution | InputError | DynamicsDiverged | NotConverged:
    try:
        return solve(
            modes,
            case.gamma,
            grid,
            width=case.width,
            batch=case.batch,
            samples=case.samples,
            fourth_moment=case.fourth_moment,
            estimate_error=estimate_error,
        )
    except (InputError, DynamicsDiverged, NotConverged) as error:
        return error
