r"""Tangent kernels of convolutional networks on real images: eigenvalues, the target in their eigenbasis, lazy learning curves.

With n images the kernel is an n x n matrix; its eigenvalues over n estimate those of the kernel as an operator on functions of
the images of the task, :math:`\lambda_k`, and the mean squares of the targets along its eigenvectors estimate
:math:`\lambda_k (w^*_k)^2`. Both hold for k far below n only: n samples cannot tell what lies beyond mode n, and share it out
among the last modes that they have.

The linearised network under gradient flow at the population is therefore known between two bounds that the same n images give.
Taken as the population, they let every mode be learned, to the last; that is the training loss of gradient flow on them, and
too low. The test loss of the same flow, at other images, is too high: it is that of n images used again and again. The bounds
meet while the modes that are learned are few against n.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, keep, require, whole

__all__ = ["TIMES", "Modes", "SampledKernel", "decompose", "sampled_kernel"]

#: Times eta_0 t of the lazy learning curves.
TIMES = np.geomspace(0.1, 1e5, 73)
#: By which the halves of a kernel summed in float32 may differ, relative to its largest number.
_ROUNDING = 1e-4


@dataclass(frozen=True)
class SampledKernel:
    """Eigenvalues of a kernel on n images, targets along its eigenvectors, and the curves of gradient flow.

    Attributes
    ----------
    eigenvalues
        Descending, shape (n,).
    power
        Mean square of the targets along each eigenvector, mean over outputs, shape (n,): ``lambda_k (w*_k)^2``.
    rest
        Mean squared error at the other images of the expansion in the first k eigenfunctions with the coefficients that the n
        images give, k = 1 ... n, shape (n,).
    time
        eta_0 t, shape (T,).
    train, test
        Mean squared error of gradient flow on the n images, at them and at the other images, shape (T,).
    """

    eigenvalues: Array
    power: Array
    rest: Array
    time: Array
    train: Array
    test: Array


@dataclass(frozen=True)
class Modes:
    """A kernel on n images by its eigenvectors, and targets along them.

    Attributes
    ----------
    eigenvalues
        Descending, shape (r,); r is n, or n k where outputs are among the rows.
    along
        Targets along the eigenvectors, shape (r, k).
    seen
        Values at m other rows that go with a unit along each eigenvector, times the eigenvalue, shape (m, r).
    """

    eigenvalues: Array
    along: Array
    seen: Array

    def __post_init__(self) -> None:
        values = array(self.eigenvalues, "eigenvalues", order="descending")
        along = array(self.along, "along", axes=2)
        require(len(along) == values.size, "along", f"shape {along.shape}", f"give {values.size} rows, one a mode")
        seen = array(self.seen, "seen", axes=2)
        require(seen.shape[1] == values.size, "seen", f"shape {seen.shape}", f"give {values.size} columns, one a mode")
        keep(self, eigenvalues=values, along=along, seen=seen)

    def flow(self, test_targets: ArrayLike, time: ArrayLike) -> tuple[Array, Array]:
        """Return the mean squared error of gradient flow at the images and at the others, shape (T,) each.

        Parameters
        ----------
        test_targets
            Shape (m, k).
        time
            eta_0 t, shape (T,).

        Returns
        -------
        train, test : Array
        """
        test_targets = array(test_targets, "test_targets", shape=(len(self.seen), self.along.shape[1]), axes=2)
        time = array(time, "time", least=0)
        power = (self.along**2).sum(axis=1) / self.along.size
        rates = np.maximum(self.eigenvalues, 0)
        train, test = [], []
        for now in time:
            # (1 - exp(-lambda t))/lambda, which is t where lambda vanishes.
            learned = -np.expm1(-now * rates) / np.maximum(self.eigenvalues, 1e-300)
            learned = np.where(now * rates > 1e-12, learned, now)
            train.append(np.exp(-now * rates) ** 2 @ power)
            test.append(np.mean((test_targets - self.seen @ (learned[:, None] * self.along)) ** 2))
        return np.array(train), np.array(test)


def decompose(kernel: ArrayLike, targets: ArrayLike, across: ArrayLike, images: int) -> Modes:
    """Diagonalize a kernel, as an operator on functions of equally weighted images.

    Parameters
    ----------
    kernel
        Symmetric, shape (r, r).
    targets
        Shape (r, k).
    across
        Kernel between m other rows and these, shape (m, r).
    images
        n, number of images among the rows.

    Returns
    -------
    Modes
        r eigenvalues, targets (r, k) along the eigenvectors, and these at the other rows (m, r).
    """
    kernel, targets, across = symmetric(kernel), array(targets, "targets", axes=2), array(across, "across", axes=2)
    rows = len(kernel)
    require(len(targets) == rows, "targets", f"shape {targets.shape}", f"give {rows} rows, as the kernel has")
    require(across.shape[1] == rows, "across", f"shape {across.shape}", f"give {rows} columns, as the kernel has")
    images = whole(images, "images", most=rows)
    values, vectors = np.linalg.eigh(kernel / images)
    values, vectors = values[::-1], vectors[:, ::-1]
    return Modes(values, vectors.T @ targets, across @ vectors / images)


def symmetric(kernel: ArrayLike) -> Array:
    """Return a symmetric kernel; its halves may differ by the rounding of sums in float32, and the lower one counts."""
    found = array(kernel, "kernel", axes=2)
    require(
        found.shape[0] == found.shape[1], "kernel", f"shape {found.shape}", "give a row and a column for each target"
    )
    apart = float(np.abs(found - found.T).max()) <= _ROUNDING * float(np.abs(found).max())
    require(apart, "kernel", "it is not symmetric", "give scalar products of gradients")
    return found


def sampled_kernel(
    kernel: ArrayLike, targets: ArrayLike, across: ArrayLike, test_targets: ArrayLike, time: ArrayLike
) -> SampledKernel:
    """Diagonalize a kernel on n images and follow gradient flow on them.

    Parameters
    ----------
    kernel
        Symmetric, shape (n, n).
    targets
        Shape (n, k).
    across
        Kernel between test images and the n images, shape (m, n).
    test_targets
        Shape (m, k).
    time
        eta_0 t, shape (T,).
    """
    kernel, targets = symmetric(kernel), array(targets, "targets", axes=2)
    count, outputs = targets.shape
    require(len(kernel) == count, "kernel", f"{len(kernel)} rows for {count} targets", "give a row for each target")
    across = array(across, "across", axes=2)
    test_targets = array(test_targets, "test_targets", axes=2, shape=(len(across), outputs))
    time = array(time, "time", least=0)
    modes = decompose(kernel, targets, across, count)
    power = (modes.along**2).sum(axis=1) / (count * outputs)
    rest = _rests(modes.seen, modes.eigenvalues, modes.along, test_targets)
    train, test = modes.flow(test_targets, time)
    return SampledKernel(modes.eigenvalues, power, rest, time, train, test)


def _rests(seen: Array, values: Array, along: Array, test_targets: Array) -> Array:
    """Return the test error of the expansion in the first k eigenfunctions, shape (n,)."""
    left, rests = test_targets.copy(), []
    for number, value in enumerate(values):
        if value > 1e-12 * values[0]:
            left -= np.outer(seen[:, number] / value, along[number])
        rests.append(np.mean(left**2))
    return np.array(rests)
