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

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from neural_scaling.checks import require
from neural_scaling.monitor import Arrays, Monitor
from neural_scaling.networks.experiments import DatasetRun, device_name
from neural_scaling.spectra import Array

if TYPE_CHECKING:
    import torch

#: Times eta_0 t of the lazy learning curves.
TIMES = np.geomspace(0.1, 1e5, 73)

#: Images on which the kernel over images and outputs is diagonalized.
MIXED_IMAGES = 100


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


def sampled_kernel(kernel: Array, targets: Array, across: Array, test_targets: Array, time: Array) -> SampledKernel:
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

    Returns
    -------
    SampledKernel

    Raises
    ------
    InputError
        If shapes do not fit.
    """
    count, outputs = targets.shape
    fits = kernel.shape == (count, count) and across.shape == (test_targets.shape[0], count)
    require(fits, "kernel", f"has shape {kernel.shape} for {count} targets", "give a row and a column for each target")
    values, vectors = np.linalg.eigh(kernel / count)
    values, vectors = values[::-1], vectors[:, ::-1]
    along = vectors.T @ targets
    power = (along**2).sum(axis=1) / (count * outputs)
    seen = across @ vectors / count
    rest = _rests(seen, values, along, test_targets)
    train, test = [], []
    for now in time:
        left = np.exp(-now * np.maximum(values, 0))
        # (1 - exp(-lambda t))/lambda, which is t where lambda vanishes.
        learned = -np.expm1(-now * np.maximum(values, 0)) / np.maximum(values, 1e-300)
        learned = np.where(values > 1e-12, learned, now)
        train.append(left**2 @ power)
        test.append(np.mean((test_targets - seen @ (learned[:, None] * along)) ** 2))
    return SampledKernel(values, power, rest, np.asarray(time), np.array(train), np.array(test))


def _rests(seen: Array, values: Array, along: Array, test_targets: Array) -> Array:
    """Return the test error of the expansion in the first k eigenfunctions, shape (n,)."""
    left, rests = test_targets.copy(), []
    for number, value in enumerate(values):
        if value > 1e-12:
            left -= np.outer(seen[:, number] / value, along[number])
        rests.append(np.mean(left**2))
    return np.array(rests)


def mixing_curves(kernel: Array, targets: Array, time: Array) -> Array:
    """Return the training loss of gradient flow by three kernels, shape (3, T).

    They are the mean over outputs of the kernel of one output; the kernel that each output has; and all of the kernel, by which
    outputs move each other. At infinite width they are the same.

    Parameters
    ----------
    kernel
        Over images and outputs, shape (n k, n k), rows ordered by image, then output.
    targets
        Shape (n, k).
    time
        eta_0 t, shape (T,).

    Returns
    -------
    Array
        Mean squared error over images and outputs.
    """
    count, outputs = targets.shape
    whole = kernel.reshape(count, outputs, count, outputs)
    mean = _flow(np.einsum("acbc->ab", whole) / outputs, targets, time, count)
    own = [_flow(whole[:, one, :, one], targets[:, [one]], time, count) for one in range(outputs)]
    return np.stack([mean, np.mean(own, axis=0), _flow(kernel, targets.reshape(-1, 1), time, count)])


def _flow(kernel: Array, targets: Array, time: Array, count: int) -> Array:
    """Return the mean squared error of gradient flow on all rows of a kernel, averaged over ``count`` images, shape (T,)."""
    values, vectors = np.linalg.eigh(kernel / count)
    power = ((vectors.T @ targets) ** 2).sum(axis=1)
    return np.asarray(np.exp(-2 * np.outer(time, np.maximum(values, 0))) @ power / targets.size)


@dataclass(frozen=True)
class KernelRun(DatasetRun):
    """Spectrum of the tangent kernel of a convolutional network at its start, on images of a dataset.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.datasets.load` takes it.
    images
        n, training images, the first ones.
    test
        Test images, the first ones.
    crops
        Shift and mirror the images, each in one way.
    width
        N.
    seed
        Of the initial weights, as in :class:`~neural_scaling.networks.image_runs.ImageRun`.
    """

    kind: ClassVar[str] = "image kernel"
    algorithm: ClassVar[int] = 1
    # Gradients are in float32; sums of thousands of products round in the sixth digit, and the smallest eigenvalues feel it.
    tolerance: ClassVar[float] = 1e-3

    dataset: str
    images: int
    test: int
    crops: bool
    width: int
    seed: int

    @property
    def work(self) -> int:
        """Images."""
        return self.images

    @property
    def label(self) -> str:
        """Dataset, width and number of images."""
        name = self.dataset + (" with crops" if self.crops else "")
        return f"{name} kernel N={self.width} n={self.images} seed={self.seed}"

    def slice(self) -> Self:
        """Return the kernel on the first images."""
        return replace(self, images=min(self.images, 128), test=min(self.test, 16))

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the kernel's values at the first images with themselves, which all sizes share."""
        expected, values = arrays["diagonal"], recomputed["diagonal"]
        count = min(expected.size, values.size)
        return float(np.max(np.abs(values[:count] / expected[:count] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return, in float32, what :class:`SampledKernel` holds but for the times, and two more arrays.

        ``diagonal`` is K(x, x) at the first 128 images, ``mixing`` what :func:`mixing_curves` returns for the first
        :data:`MIXED_IMAGES`, shape (3, T).
        """
        import torch

        from neural_scaling.datasets import load
        from neural_scaling.networks.cnn import ImageShape, image_ensemble
        from neural_scaling.networks.devices import find_device
        from neural_scaling.networks.image_data import ImageData
        from neural_scaling.networks.mlp import Member

        device = find_device(device_name())
        images = load(self.dataset)
        data = ImageData(images, device, torch.float32, self.images, self.test, self.crops)
        shape = ImageShape(self.width, data.size, data.channels, data.classes)
        model = image_ensemble(shape, [Member(self.seed, 0.0, 1.0)], device)
        index = self._chosen(data.count // self.images, device)
        kernel = model.mean_kernel(torch.cat([data.take(index), data.test_inputs]))[0].cpu().numpy()
        targets, test_targets = (part.double().cpu().numpy() for part in (data.targets(index), data.test_targets))
        n = self.images
        found = sampled_kernel(kernel[:n, :n], targets, kernel[n:, :n], test_targets, TIMES)
        monitor.advance(n)
        kept = {name: getattr(found, name) for name in ("eigenvalues", "power", "rest", "train", "test")}
        kept["diagonal"] = kernel.diagonal()[: min(128, n)].copy()
        few = index[: min(MIXED_IMAGES, n)]
        whole = model.tangent_kernel(data.take(few))[0].double().cpu().numpy()
        kept["mixing"] = mixing_curves(whole, targets[: few.numel()], TIMES)
        return {name: values.astype(np.float32) for name, values in kept.items()}

    def _chosen(self, variants: int, device: torch.device) -> torch.Tensor:
        """Return the numbers of the inputs: each image once, cropped in a way of its own."""
        import torch

        generator = torch.Generator().manual_seed(1)
        ways = torch.randint(variants, (self.images,), generator=generator)
        return (torch.arange(self.images) * variants + ways).to(device)
