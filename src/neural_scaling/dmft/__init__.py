"""Dynamical mean field theory of the projected linear model.

:func:`solve` is the entry: online SGD or reused samples, N, B and P finite or infinite, exact in unit steps or on
log-spaced grids to very long times (eqs. 18-31 and 41). :func:`solve_many` takes many settings, one on each core.
:mod:`~neural_scaling.dmft.infinite` solves the limit of infinite width and batch (eqs. 43-44) exactly in unit steps for
many steps, and its gradient-flow limit explicitly; :mod:`~neural_scaling.dmft.flow` takes that limit to any time.
"""

from neural_scaling.dmft.diverged import DynamicsDiverged, NotConverged
from neural_scaling.dmft.flow import DecayTerms, KernelFlow, decay_terms, kernel_flow, printed_ratio
from neural_scaling.dmft.grid import TimeGrid
from neural_scaling.dmft.infinite import InfiniteLimit, gradient_flow, infinite_limit
from neural_scaling.dmft.many import Case, solve_many
from neural_scaling.dmft.solve import OrderParameters, Solution, solve
from neural_scaling.dmft.stability import largest_stable_eta, mean_square_stability

__all__ = [
    "Case", "DecayTerms", "DynamicsDiverged", "InfiniteLimit", "KernelFlow", "NotConverged", "OrderParameters",
    "Solution", "TimeGrid", "decay_terms", "gradient_flow", "infinite_limit", "kernel_flow", "largest_stable_eta",
    "mean_square_stability", "printed_ratio", "solve", "solve_many",
]  # fmt: skip
