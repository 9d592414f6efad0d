"""Training runs on real images as values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neural_scaling.base.checks import flag, settle, text, whole
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Arrays, Monitor
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.runs import DatasetRun, NetworkRun
from neural_scaling.runs.device import device_name

__all__ = ["ImageRun"]

_PER_DECADE = 10


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
        Shift and mirror the images; see :class:`~neural_scaling.networks.image_data.ImageData`. Then samples are drawn with
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
    """

    kind: ClassVar[str] = "image network"
    algorithm: ClassVar[int] = 1
    # Trained in float32, where the order of sums counts in the 7th digit; centring by small gamma_0 and few steps amplify it.
    tolerance: ClassVar[float] = 3e-4
    # Each of the first steps is recorded, and evaluating 2000 images takes ten times as long as a step.
    sliced: ClassVar[int] = 3

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

    def __post_init__(self) -> None:
        scale = Parametrization(self.width, self.richness, self.eta)
        settle(
            self,
            dataset=text(self.dataset, "dataset"),
            images=whole(self.images, "images", least=0),
            test=whole(self.test, "test"),
            crops=flag(self.crops, "crops"),
            width=scale.width,
            richness=scale.richness,
            eta=scale.eta,
            batch=whole(self.batch, "batch"),
            steps=whole(self.steps, "steps"),
            seeds=whole(self.seeds, "seeds"),
        )

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
        from neural_scaling.networks.image_data import ImageData
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
        recorded = [int(step) for step in log_spaced_steps(self.steps, _PER_DECADE)]
        kernel = data.test_inputs[:0]

        def trace() -> torch.Tensor:
            nonlocal kernel  # made once for both quantities, of which the engine asks in this order
            kernel = model.tangent_kernel(data.kernel_inputs)
            return kernel_trace(kernel)

        def sharpness() -> torch.Tensor:
            # The kernel acts on functions of image and output; the mean is over images only.
            return data.classes * kernel_sharpness(kernel)

        observe = {"trace": trace, "sharpness": sharpness}
        outcome = train(model, data, recorded, self.batch, monitor, observe)
        curves = {"loss": outcome.loss, "stream": outcome.stream} | outcome.observed
        kept = {"step": outcome.step, "diverged": outcome.diverged}
        for name, count in (("repeated", data.count), ("repeated images", data.count // data.variants)):
            kept[name] = np.asarray(Order(count, self.batch, 0, data.replacement).repeated(self.steps))
        return kept | {name: values.astype(np.float32) for name, values in curves.items()}
