"""Anderson acceleration of a fixed-point iteration: the residuals of a few past iterates give the next."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neural_scaling.spectra import Array

#: A residual this much larger than the best so far is a step gone wrong.
_SETBACK = 10.0
#: Evaluations without a smaller residual after which rounding is taken to be reached.
_PATIENCE = 30
#: Steps shorter than this part of the residual are of no use.
_SHORTEST = 1e-3


def fixed_point(
    update: Callable[[Array], Array],
    start: Array,
    scale: Array,
    tolerance: float,
    iterations: int,
    mixing: float = 1.0,
    depth: int = 8,
) -> tuple[Array, float]:
    """Iterate ``x = update(x)`` until the residual is small everywhere.

    Parameters
    ----------
    update
        The map, shape (n,) to (n,).
    start
        First iterate, shape (n,).
    scale
        What a residual counts relative to, shape (n,), positive.
    tolerance
        Largest residual in units of ``scale``.
    iterations
        Give up after that many evaluations.
    mixing
        Part of the residual that is added in a step.
    depth
        Residuals remembered.

    Returns
    -------
    solution : Array
        The value of ``update`` with the smallest residual, shape (n,).
    residual : float
        Its residual; above ``tolerance`` if the iteration gave up.
    """
    x, best = start, np.inf
    points: list[Array] = []
    residuals: list[Array] = []
    kept, since = (start, start, np.inf), 0
    for _ in range(iterations):
        value = update(x)
        gap = (value - x) / scale
        residual = float(np.max(np.abs(gap)))
        if residual <= tolerance:
            return value, residual
        if not residual <= _SETBACK * best:
            # Gone too far (or to infinity): a shorter step from the best iterate, with a fresh memory.
            points, residuals = [], []
            mixing /= 2
            x = kept[0] + mixing * (kept[1] - kept[0])
            if mixing < _SHORTEST:
                break
            continue
        if residual < best:
            best, kept, since = residual, (x, value, residual), 0
        else:
            since += 1
            if since > _PATIENCE:
                break
        points.append(x)
        residuals.append(gap)
        del points[:-depth], residuals[:-depth]
        x = x + mixing * scale * gap
        if len(residuals) > 1:
            differences = np.diff(np.array(residuals), axis=0).T
            weights = np.linalg.lstsq(differences, residuals[-1], rcond=1e-10)[0]
            x = x - (np.diff(np.array(points), axis=0).T + mixing * scale[:, None] * differences) @ weights
    return kept[1], kept[2]
