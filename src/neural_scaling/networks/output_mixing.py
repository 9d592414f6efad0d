"""Outputs of a network of finite width move each other: how much that slows a linearised network.

At infinite width all outputs have one tangent kernel and do not mix. At finite width each has its own, and gradients of two
outputs are not orthogonal, so that the kernel over images and outputs together has a wider spectrum than that of the mean output:
what is left of the targets, a convex function of the rates, is more. On few images the whole kernel can be diagonalized. Of the
curves of gradient flow on them, those at the images themselves go to zero as all modes are learned, and late on their ratio to
those of the mean kernel is too large; those at other images end at what so few images cannot tell, and theirs is too small then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, require, seed, settle, text, whole
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.networks.image_kernel import TIMES, decompose, diagonal_deviation, symmetric
from neural_scaling.networks.runs import DatasetRun
from neural_scaling.runs.device import device_name

__all__ = ["KERNELS", "MixingRun", "mixing_curves"]

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

    Raises
    ------
    InputError
        If shapes do not fit.
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


@dataclass(frozen=True)
class MixingRun(DatasetRun):
    """Gradient flow by the tangent kernel of a convolutional network at its start, with and without outputs that move each other.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.data.load` takes it.
    images
        n, the first training images, and as many test images.
    width
        N.
    seed
        Of the initial weights, as in :class:`~neural_scaling.networks.image_runs.ImageRun`.
    """

    kind: ClassVar[str] = "output mixing"
    algorithm: ClassVar[int] = 1
    # Gradients are in float32, where sums of thousands of products round in the sixth digit.
    tolerance: ClassVar[float] = 1e-3

    dataset: str
    images: int
    width: int
    seed: int

    def __post_init__(self) -> None:
        settle(
            self,
            dataset=text(self.dataset, "dataset"),
            images=whole(self.images, "images"),
            width=whole(self.width, "width"),
            seed=seed(self.seed),
        )

    @property
    def work(self) -> int:
        """Images."""
        return 2 * self.images

    @property
    def label(self) -> str:
        """Dataset, width and number of images."""
        return f"{self.dataset} mixing of outputs N={self.width} n={self.images} seed={self.seed}"

    def slice(self) -> Self:
        """Return the same on the first images."""
        return replace(self, images=min(self.images, 8))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the kernel's values at the first images with themselves, which all sizes share."""
        return diagonal_deviation(arrays, recomputed)

    def run(self, monitor: Monitor) -> Arrays:
        """Return, in float32, ``train`` and ``test``, shape (3, T), see :func:`mixing_curves`, and ``diagonal``.

        The last is K(x, x) of every output at the first 8 images, shape (8 k,).
        """
        import torch

        from neural_scaling.base.devices import find_device
        from neural_scaling.data import load
        from neural_scaling.networks.cnn import ImageShape, image_ensemble
        from neural_scaling.networks.image_data import ImageData
        from neural_scaling.networks.mlp import Member

        device = find_device(device_name())
        data = ImageData(load(self.dataset), device, torch.float32, self.images, self.images)
        model = image_ensemble(
            ImageShape(self.width, data.size, data.channels, data.classes), [Member(self.seed, 0.0, 1.0)], device
        )
        index = torch.arange(self.images, device=device)
        inputs, parts = torch.cat([data.take(index), data.test_inputs]), Parts(monitor)
        kernel = parts.call("kernel", lambda: {"kernel": model.tangent_kernel(inputs)[0].cpu().numpy()})["kernel"]
        kernel = kernel.astype(np.float64)
        targets, test_targets = (part.double().cpu().numpy() for part in (data.targets(index), data.test_targets))
        rows = targets.size
        names = ("train", "test")
        flows = partial(mixing_curves, kernel[:rows, :rows], targets, kernel[rows:, :rows], test_targets, TIMES)
        curves = parts.call("curves", lambda: dict(zip(names, flows(), strict=True)))
        monitor.advance(2 * self.images)
        kept = curves | {"diagonal": kernel.diagonal()[: 8 * data.classes].copy()}
        return {name: values.astype(np.float32) for name, values in kept.items()}
