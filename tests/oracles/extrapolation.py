"""Continuous time from unit steps: the theory of shorter and shorter steps, extrapolated to none."""

from __future__ import annotations

import itertools

import numpy as np

#: Steps to the end; the first must be short enough to be stable.
COUNTS = (32, 40, 48, 56, 64)


def extrapolated(of_steps, end):
    """Return values halfway and at ``end``, (..., 2), and how much the last order of the extrapolation moved them.

    ``of_steps(eta, count)`` gives values on steps 0 .. count, (..., count + 1). The error of Euler's rule is a power series in
    1/count, with white noise of a strength in proportion to eta too: the polynomial through all counts is taken at zero.
    """
    known = [np.asarray(of_steps(end / count, count))[..., [count // 2, count]] for count in COUNTS]
    for order in range(1, len(COUNTS)):
        last = known[-1]
        known = [
            fine + (fine - coarse) / (COUNTS[row + order] / COUNTS[row] - 1)
            for row, (coarse, fine) in enumerate(itertools.pairwise(known))
        ]
    return known[-1], np.abs(known[-1] - last)
