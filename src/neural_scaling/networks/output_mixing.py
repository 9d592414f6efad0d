"""Outputs of a network of finite width move each other: how much that slows a linearised network.

At infinite width all outputs have one tangent kernel and do not mix. At finite width each has its own, and gradients of two
outputs are not orthogonal, so that the kernel over images and outputs together has a wider spectrum than that of the mean output:
what is left of the targets, a convex function of the rates, is more. On few images the whole kernel can be diagonalized. Of the
curves of gradient flow on them, those at the images themselves go to zero as all modes are learned, and late on their ratio to
those of the mean kernel is too large; those at other images end at what so few images cannot tell, and theirs is too small then.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, require
from neural_scaling.networks.image_kernel import decompose, symmetric

__all__ = ["KERNELS", "mixing_curves"]

#: Kernels, in the order of the rows of the curves.
KERNELS = ("mean over outputs", "each output's own", "whole")


def mixing_curves(
    kernel: ArrayLike, targets: ArrayLike, across: ArrayLike, test_targets: ArrayLike, time: ArrayLike
) -> tuple[Array, Array]:
    """Follow gradient flow by three kernels: the mean over outputs, the kernel that each output has, and all of the kernel.

    Flow is ``df = <K (y - f)> d(eta_0 t)``, mean over images (eq. 10, lazy), with the sum over outputs where K mixes them.

    Parameters
    ----------
    kernel
        Over images and outputs, shape (n k, n k), rows ordered by image, then output.
    targets
        Shape (n, k).
    across
        Between other images and these, shape (m k, n k).
    test_targets
        At the other images, shape (m, k).
    time
        eta_0 t, shape (T,).

    Returns
    -------
    train, test : Array
        Mean squared error at the images and at the others, rows as in :data:`KERNELS`, shape (3, T).
    """
    kernel, targets = symmetric(kernel), array(targets, "targets", axes=2)
    test_targets, time = array(test_targets, "test_targets", axes=2), array(time, "time", least=0)
    (count, outputs), (others, _) = targets.shape, test_targets.shape
    fits = len(kernel) == count * outputs
    require(fits, "kernel", f"{len(kernel)} rows for targets {targets.shape}", "give a row for each image and output")
    require(test_targets.shape[1] == outputs, "test_targets", f"shape {test_targets.shape}", f"give {outputs} columns")
    across = array(across, "across", axes=2, shape=(others * outputs, count * outputs))
    joined = kernel.reshape(count, outputs, count, outputs)
    beyond = across.reshape(others, outputs, count, outputs)

    def flow(kernel: Array, targets: Array, across: Array, test_targets: Array) -> tuple[Array, Array]:
        return decompose(kernel, targets, across, count).flow(test_targets, time)

    mean_kernel, mean_across = (np.einsum("acbc->ab", part) / outputs for part in (joined, beyond))
    mean = flow(mean_kernel, targets, mean_across, test_targets)
    own = [
        flow(joined[:, one, :, one], targets[:, [one]], beyond[:, one, :, one], test_targets[:, [one]])
        for one in range(outputs)
    ]
    joint = flow(kernel, targets.reshape(-1, 1), across, test_targets.reshape(-1, 1))
    rows = mean, tuple(np.mean(curves, axis=0) for curves in zip(*own, strict=True)), joint
    train, test = (np.stack(curves) for curves in zip(*rows, strict=True))
    return train, test
