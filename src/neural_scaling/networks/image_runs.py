"""Runs on real images: networks that train, their tangent kernels, their mixing of outputs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np

from neural_scaling.base.checks import flag, keep, keep_each, seed, text, whole
from neural_scaling.base.monitor import Arrays, Monitor, Parts
from neural_scaling.networks.image_kernel import TIMES, sampled_kernel
from neural_scaling.networks.output_mixing import mixing_curves
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.runs import DatasetRun, NetworkRun
from neural_scaling.runs.device import device_name
from neural_scaling.runs.experiment import ADDED

if TYPE_CHECKING:
    import torch

    from neural_scaling.networks.cnn import CNNEnsemble
    from neural_scaling.networks.image_batches import ImageData

__all__ = ["ImageRun", "KernelRun", "MixingRun"]


@dataclass(frozen=True)
class ImageRun(DatasetRun, NetworkRun):
    """Convolutional networks trained on labelled images: :func:`neural_scaling.networks.training.train`.

    The seeds are trained together. They are 0, 1, ..., and a seed means the same initial weights and the same samples at every
    richness and learning rate.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.data.load` takes it.
    images
        Number of training images, the first ones; 0 for all.
    test
        Number of test images, the first ones.
    crops
        Shift and mirror the images; see :class:`~neural_scaling.networks.image_batches.ImageData`. Then samples are drawn with
        replacement; else every image comes once before any comes again.
    width
        N, filters of the first convolution.
    richness
        gamma_0; 0 for the linearised network.
    eta
        eta_0.
    batch
        B.
    steps
        Number of steps T.
    seeds
        Number of seeds.
    last_only
        Whether to record the last step alone.
    """

    kind: ClassVar[str] = "image network"
    algorithm: ClassVar[int] = 1
    # Trained in float32, where the order of sums counts in the 7th digit; centring by small gamma_0 and few steps amplify it.
    tolerance: ClassVar[float] = 3e-4
    # Evaluating 2000 images takes ten times as long as a step.
    sliced: ClassVar[int] = 2
    per_decade: ClassVar[int] = 10

    dataset: str
    images: int
    test: int
    crops: bool
    width: int
    richness: float
    eta: float
    batch: int
    steps: int
    seeds: int
    last_only: bool = field(default=False, metadata=ADDED)

    def __post_init__(self) -> None:
        scale = Parametrization(self.width, self.richness, self.eta)
        keep_each(self, whole, "test", "batch", "steps", "seeds")
        keep_each(self, flag, "crops", "last_only")
        keep_each(self, text, "dataset")
        keep_each(self, whole, "images", least=0)
        keep(self, width=scale.width, richness=scale.richness, eta=scale.eta)

    @property
    def label(self) -> str:
        """Dataset, richness, learning rate, width and batch."""
        rich = f"gamma0={self.richness:g}" if self.richness else "linearised"
        name = self.dataset + (" with crops" if self.crops else "")
        return f"{name} {rich} eta0={self.eta:g} N={self.width} B={self.batch}"

    def run(self, monitor: Monitor) -> Arrays:
        """Return losses and the size of the tangent kernel on recorded steps.

        ``step`` (R,); ``diverged`` (seeds,), infinite for runs that stay finite; ``repeated``, the share of samples seen before,
        and ``repeated images``, that of samples whose image had been seen, whichever way cropped;
        in float32, each of shape (seeds, R), ``loss``; ``stream``, the loss of the batches before their steps, mean over those
        since the record before; ``trace`` and ``sharpness``, the sum of the eigenvalues of the tangent
        kernel of one output, mean over outputs, and the largest eigenvalue over all outputs together.
        """
        import torch

        from neural_scaling.base.devices import find_device
        from neural_scaling.data import Order, load
        from neural_scaling.networks.cnn import ImageShape, image_ensemble
        from neural_scaling.networks.image_batches import ImageData
        from neural_scaling.networks.kernels import kernel_sharpness, kernel_trace
        from neural_scaling.networks.mlp import Member
        from neural_scaling.networks.parametrization import precision
        from neural_scaling.networks.training import train

        device = find_device(device_name())
        images = load(self.dataset)
        dtype = torch.float64 if precision(self.richness) == "float64" else torch.float32
        data = ImageData(images, device, dtype, self.images or None, self.test, self.crops, replacement=self.crops)
        shape = ImageShape(self.width, data.size, data.channels, data.classes)
        members = [Member(seed, self.richness, self.eta) for seed in range(self.seeds)]
        model = image_ensemble(shape, members, device)
        kernel = data.test_inputs[:0]

        def trace() -> torch.Tensor:
            nonlocal kernel  # made once for both quantities, of which the engine asks in this order
            kernel = model.tangent_kernel(data.kernel_inputs)
            return kernel_trace(kernel)

        def sharpness() -> torch.Tensor:
            # The kernel acts on functions of image and output; the mean is over images only.
            return data.classes * kernel_sharpness(kernel)

        observe = {"trace": trace, "sharpness": sharpness}
        outcome = train(model, data, self.recorded(), self.batch, monitor, observe)
        curves = {"loss": outcome.loss, "stream": outcome.stream} | outcome.observed
        kept = {"step": outcome.step, "diverged": outcome.diverged}
        for name, count in (("repeated", data.count), ("repeated images", data.count // data.variants)):
            kept[name] = np.asarray(Order(count, self.batch, 0, data.replacement).repeated(self.steps))
        return kept | {name: values.astype(np.float32) for name, values in curves.items()}


@dataclass(frozen=True)
class KernelRun(DatasetRun):
    """Spectrum of the tangent kernel of a convolutional network at its start, on images of a dataset.

    Parameters
    ----------
    dataset
        As :func:`neural_scaling.data.load` takes it.
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
    compared: ClassVar[tuple[str, ...]] = ("diagonal",)

    dataset: str
    images: int
    test: int
    crops: bool
    width: int
    seed: int

    def __post_init__(self) -> None:
        keep_each(self, whole, "images", "test", "width")
        keep(self, dataset=text(self.dataset, "dataset"), crops=flag(self.crops, "crops"), seed=seed(self.seed))

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

    def run(self, monitor: Monitor) -> Arrays:
        """Return, in float32, what :class:`SampledKernel` holds but for the times, and ``diagonal``.

        The last is K(x, x) at the first 128 images.
        """
        import torch

        data, model = _start(self, self.test, self.crops)
        index = self._chosen(data.count // self.images, data.test_inputs.device)
        inputs, parts = torch.cat([data.take(index), data.test_inputs]), Parts(monitor)
        kernel = parts.run("kernel", lambda monitor: {"kernel": model.mean_kernel(inputs, monitor)[0].cpu().numpy()})[
            "kernel"
        ]
        targets, test_targets = (part.double().cpu().numpy() for part in (data.targets(index), data.test_targets))
        n = self.images
        found = parts.call(
            "curves", lambda: vars(sampled_kernel(kernel[:n, :n], targets, kernel[n:, :n], test_targets, TIMES))
        )
        monitor.advance(n)
        kept = {name: found[name] for name in ("eigenvalues", "power", "rest", "train", "test")}
        kept["diagonal"] = kernel.diagonal()[: min(128, n)].copy()
        return {name: values.astype(np.float32) for name, values in kept.items()}

    def _chosen(self, variants: int, device: torch.device) -> torch.Tensor:
        """Return the numbers of the inputs: each image once, cropped in a way of its own."""
        import torch

        generator = torch.Generator("cpu").manual_seed(1)
        ways = torch.randint(variants, (self.images,), generator=generator, device="cpu")
        return (torch.arange(self.images, device="cpu") * variants + ways).to(device)


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
    compared: ClassVar[tuple[str, ...]] = ("diagonal",)

    dataset: str
    images: int
    width: int
    seed: int

    def __post_init__(self) -> None:
        keep_each(self, whole, "images", "width")
        keep(self, dataset=text(self.dataset, "dataset"), seed=seed(self.seed))

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

    def run(self, monitor: Monitor) -> Arrays:
        """Return, in float32, ``train`` and ``test``, shape (3, T), see :func:`mixing_curves`, and ``diagonal``.

        The last is K(x, x) of every output at the first 8 images, shape (8 k,).
        """
        import torch

        data, model = _start(self, self.images)
        index = torch.arange(self.images, device=data.test_inputs.device)
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


def _start(run: KernelRun | MixingRun, test: int, crops: bool = False) -> tuple[ImageData, CNNEnsemble]:
    """Return the images of a run and its network before any training."""
    import torch

    from neural_scaling.base.devices import find_device
    from neural_scaling.data import load
    from neural_scaling.networks.cnn import ImageShape, image_ensemble
    from neural_scaling.networks.image_batches import ImageData
    from neural_scaling.networks.mlp import Member

    device = find_device(device_name())
    data = ImageData(load(run.dataset), device, torch.float32, run.images, test, crops)
    shape = ImageShape(run.width, data.size, data.channels, data.classes)
    return data, image_ensemble(shape, [Member(run.seed, 0.0, 1.0)], device)
