"""The sizes of MNIST-1M: how many images, drawn how."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import choice, keep_each, real, seed, text, whole

__all__ = ["CLASSES", "SIDE", "SIZES", "Pixels", "Size", "find"]

#: Images or labels.
Pixels = npt.NDArray[np.uint8]
#: Side of an image.
SIDE = 28
#: Number of labels; the label with this number means that the label is dropped.
CLASSES = 10


_HELD_OUT = 10  # one shard in so many, at least one, is for testing


@dataclass(frozen=True)
class Size:
    """How a set of images is drawn.

    Attributes
    ----------
    model
        Name of the denoiser.
    shards, images
        Number of shards and of images in each.
    batch
        Images that go through the network together.
    guidance, steps, churn
        Of the sampler.
    seed
        Of labels and noise; each shard has its own streams.
    """

    model: str
    shards: int
    images: int
    batch: int
    guidance: float
    steps: int
    churn: float
    seed: int = 0

    def __post_init__(self) -> None:
        keep_each(self, whole, "shards", "images", "batch", "steps")
        keep_each(self, text, "model")
        keep_each(self, real, "guidance", least=0)
        keep_each(self, real, "churn", least=0, most=1)
        keep_each(self, seed, "seed")

    @property
    def total(self) -> int:
        """Number of images."""
        return self.shards * self.images

    @property
    def held_out(self) -> int:
        """Number of images for testing, the last ones, a tenth of the shards and at least one shard."""
        return max(1, self.shards // _HELD_OUT) * self.images


#: The sizes of MNIST-1M. The small set is the first shards of the reduced one.
SIZES: dict[str, Size] = {
    "small": Size("reduced", 4, 500, 100, 0.5, 25, 1.0),
    "reduced": Size("reduced", 120, 500, 100, 0.5, 25, 1.0),
    "full": Size("full", 1000, 1000, 1000, 0.5, 400, 1.0),
}


def find(size: str) -> Size:
    """Return the settings of a size.

    Parameters
    ----------
    size
        ``small``, ``reduced`` or ``full``.
    """
    return SIZES[choice(size, "size", SIZES)]
