"""What the dense oracles share: inverses by substitution, and fixed points of causal equations."""

from __future__ import annotations

import numpy as np


def inverse(matrix):
    """Invert lower-triangular matrices (..., n, n) with ones on the diagonal.

    Substitution keeps the digits of small entries; a general inverse loses them, how many depends on the processor.
    """
    result = np.broadcast_to(np.eye(matrix.shape[-1]), matrix.shape).copy()
    for row in range(1, matrix.shape[-1]):
        result[..., row, :row] = -(matrix[..., row, None, :row] @ result[..., :row, :row])[..., 0, :]
    return result


def fixed_point(sweep, start, rows, block=1):
    """Iterate ``state = sweep(*state)``, matrices of which each row needs earlier rows and a few entries of its own.

    So the first n rows are closed: rows are added a few at a time, as in ``start`` (one matrix of a single row for each of the
    state), and swept until they stand still. The residual is asserted.
    """
    state, count = tuple(np.zeros((*one.shape[:-2], 0, 0)) for one in start), 0
    while count < rows:
        added = min(block, rows - count)
        count += added
        state = tuple(
            np.pad(matrix, [(0, 0)] * (matrix.ndim - 2) + [(0, added)] * 2) + _corner(one, count, added)
            for matrix, one in zip(state, start, strict=True)
        )
        for _ in range(4 * added + 1):
            state, previous = sweep(*state), state
            if _moved(state, previous) <= 1e-14:
                break
    assert _moved(sweep(*state), state) <= 1e-10, "the oracle did not converge"
    return state


def _corner(one, count, added):
    return np.asarray(one) * np.diag((np.arange(count) >= count - added).astype(float))


def _moved(state, previous):
    changes = [(np.max(np.abs(new - old)), np.max(np.abs(new))) for new, old in zip(state, previous, strict=True)]
    return max(change / max(size, 1e-300) for change, size in changes)
