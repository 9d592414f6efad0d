"""Dynamical mean field theory of the projected linear model.

:mod:`~neural_scaling.dmft.infinite` solves the limit of infinite width and batch (eqs. 43-44 and their gradient-flow
limit), :mod:`~neural_scaling.dmft.online` the full equations of online SGD at finite width and batch (eqs. 18-31),
both exact in unit steps.
"""

from neural_scaling.dmft.infinite import InfiniteLimit, gradient_flow, infinite_limit
from neural_scaling.dmft.online import OnlineSolution, solve_online
from neural_scaling.dmft.stability import DynamicsDiverged, mean_square_stability

__all__ = [
    "DynamicsDiverged",
    "InfiniteLimit",
    "OnlineSolution",
    "gradient_flow",
    "infinite_limit",
    "mean_square_stability",
    "solve_online",
]
