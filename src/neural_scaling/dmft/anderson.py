"""Anderson acceleration of a fixed-point iteration: the residuals of a few past iterates give the next.

Where a few directions are known in which the iteration alone would go far off, probes of the map along them stand in its memory
from the start: the step is then Newton's in these directions.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neural_scaling.base.arrays import Array

#: A residual this much larger than the best so far is a step gone wrong.
_SETBACK = 10.0
#: Evaluations without a smaller residual after which rounding is taken to be reached.
_PATIENCE = 30
#: Steps shorter than this part of the residual are of no use.
_SHORTEST = 1e-3
#: No value moves by more than this part of its scale in a step.
_LONGEST = 0.2
#: Evaluations after which probes are taken anew if the residual, still above :data:`_NEAR`, fell by less than :data:`_FALL`.
_STALE = 4
_FALL = 0.3
_NEAR = 1e-3


def fixed_point(
    update: Callable[[Array], Array],
    start: Array,
    scale: Array,
    tolerance: float,
    iterations: int,
    mixing: float = 1.0,
    depth: int = 10,
    probes: Callable[[Array], list[Array]] | None = None,
) -> tuple[Array, float]:
    """Iterate ``x = update(x)`` until the residual is small everywhere."""
    x, best = start, np.inf
    kept, since = (start, start, np.inf), 0
    memory: list[tuple[Array, Array]] = []  # changes of x and of its residual, both in units of the scale
    last: tuple[Array, Array] | None = None
    probed = (0, np.inf)  # when probes were taken, and the residual then
    for taken in range(iterations):
        value = update(x)
        gap = (value - x) / scale
        residual = float(np.max(np.abs(gap)))
        if residual <= tolerance:
            return value, residual
        if not residual <= _SETBACK * best:
            # Gone too far (or to infinity): a shorter step from the best iterate, with a fresh memory.
            memory, last = [], None
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
        if probes and memory and taken - probed[0] >= _STALE and residual > _NEAR:
            if residual > _FALL * probed[1]:
                memory, last = [], None
            else:
                probed = taken, residual
        if probes and not memory:
            probed = taken, residual
            memory = [(probe / scale, (update(x + probe) - x - probe) / scale - gap) for probe in probes(x)]
        if last is not None:
            memory.append((x / scale - last[0], gap - last[1]))
            del memory[:-depth]
        last = x / scale, gap
        step = mixing * gap
        if memory:
            moves, changes = (np.array(columns).T for columns in zip(*memory, strict=True))
            sizes = np.linalg.norm(changes, axis=0)
            weights = np.linalg.lstsq(changes / sizes, gap, rcond=1e-10)[0] / sizes
            step = step - (moves + mixing * changes) @ weights
        x = x + scale * step * min(1.0, _LONGEST / float(np.max(np.abs(step))))
    return kept[1], kept[2]
