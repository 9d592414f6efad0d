"""Batches in an order fixed by a seed, any of them without those before it, so that a run can go on from any step."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import flag, instance, keep, keep_each, require, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.data.images import Bytes, ImageDataset, as_bytes

Indices = npt.NDArray[np.int64]

#: Pixels by which crops are shifted at most, either way; what comes in at the rim has the mean colour.
SHIFT = 4


@dataclass(frozen=True)
class Order:
    """The order in which images are drawn.

    Attributes
    ----------
    images
        How many there are.
    batch
        Drawn at each step.
    seed
        Fixes the order.
    replacement
        Draw each image independently, so that one may come again at any time. Otherwise every image comes once in each
        epoch, in an order of its own; a batch may hold the end of one epoch and the start of the next.
    """

    images: int
    batch: int
    seed: int
    replacement: bool = False

    def __post_init__(self) -> None:
        keep_each(self, whole, "images", "batch")
        keep(self, seed=checked_seed(self.seed), replacement=flag(self.replacement, "replacement"))

    def indices(self, step: int) -> Indices:
        """Return the images of a step, counted from 0; shape (batch,)."""
        step = whole(step, "step", "count steps from 0", least=0)
        if self.replacement:
            generator = np.random.default_rng((self.seed, 0, step))
            return generator.integers(self.images, size=self.batch)
        first = step * self.batch
        last = first + self.batch
        epochs = range(first // self.images, (last - 1) // self.images + 1)
        # cut before they are joined: there may be millions of images
        visited = [
            _permutation(self.images, self.seed, epoch)[
                max(first - epoch * self.images, 0) : last - epoch * self.images
            ]
            for epoch in epochs
        ]
        return np.concatenate(visited)

    def epochs(self, steps: int) -> float:
        """Return how often each image has been drawn after ``steps``, on average; above 1 images repeat."""
        return whole(steps, "steps", least=0) * self.batch / self.images

    @property
    def fresh_steps(self) -> int:
        """Number of steps in which no image comes twice, as an online theory assumes of all; 0 with replacement."""
        return 0 if self.replacement else self.images // self.batch

    def repeated(self, steps: int) -> float:
        """Return the share of all images drawn in ``steps`` that had been drawn before, expected if drawn with replacement."""
        drawn = whole(steps, "steps", least=0) * self.batch
        if drawn == 0:
            return 0.0
        distinct = min(drawn, self.images)
        if self.replacement:
            distinct = -self.images * np.expm1(drawn * np.log1p(-1 / self.images)) if self.images > 1 else 1
        return float(1 - distinct / drawn)


@dataclass(frozen=True)
class Stream:
    """Batches of normalised training images.

    Attributes
    ----------
    dataset
        Whose training images.
    order
        Over as many images as the training set has.
    augmented
        Crop and flip each image at random, anew each time it comes; see :func:`crops_and_flips`. The rim has the mean colour.

    Raises
    ------
    InputError
        If the order is for another number of images.
    """

    dataset: ImageDataset
    order: Order
    augmented: bool = False

    def __post_init__(self) -> None:
        count = len(instance(self.dataset, "dataset", ImageDataset, "give an ImageDataset").train)
        instance(self.order, "order", Order, "give an Order")
        keep(self, augmented=flag(self.augmented, "augmented"))
        require(self.order.images == count, "order", f"is of {self.order.images} images", f"give one of {count} images")

    def batch(self, step: int) -> tuple[npt.NDArray[np.float32], Bytes]:
        """Return the batch of a step, counted from 0.

        Parameters
        ----------
        step
            Any; batches need not be asked for in turn.

        Returns
        -------
        images : numpy.ndarray
            float32, shape (batch, height, width, channels), normalised.
        labels : numpy.ndarray
            uint8, shape (batch,).
        """
        step = whole(step, "step", "count steps from 0", least=0)
        drawn = self.order.indices(step)
        images = self.dataset.train.images[drawn]
        if self.augmented:
            generator = np.random.default_rng((self.order.seed, 1, step))
            images = crops_and_flips(images, generator, np.rint(255 * self.dataset.mean).astype(np.uint8))
        return self.dataset.normalised(images), self.dataset.train.labels[drawn]

    def __iter__(self) -> Iterator[tuple[npt.NDArray[np.float32], Bytes]]:
        """Yield the batches from the first on, without end."""
        step = 0
        while True:
            yield self.batch(step)
            step += 1


def crops_and_flips(images: Bytes, generator: np.random.Generator, border: Bytes) -> Bytes:
    """Return images moved by up to four pixels each way and mirrored with probability 1/2.

    An image of CIFAR-10 has 162 such versions, far from independent: the stand-in for a stream of fresh images.

    Parameters
    ----------
    images
        Shape (n, height, width, channels).
    generator
        Source of the random numbers.
    border
        Colour of what comes in at the rim, shape (channels,).

    Raises
    ------
    InputError
        If images or colour are no bytes of these shapes.
    """
    images, border = as_bytes(images, "images", axes=4), as_bytes(border, "border", axes=1)
    fits = border.shape == images.shape[-1:]
    require(fits, "border", f"shape {border.shape}", f"give {images.shape[-1]} numbers, one a channel")
    instance(generator, "generator", np.random.Generator, "give a generator, as numpy.random.default_rng makes it")
    count, height, width = images.shape[:3]
    padded = framed(images, border)
    down, right = generator.integers(2 * SHIFT + 1, size=(2, count, 1))
    mirrored = generator.random((count, 1)) < 0.5
    rows = down + np.arange(height)
    columns = right + np.where(mirrored, np.arange(width)[::-1], np.arange(width))
    cropped: Bytes = padded[np.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]
    return cropped


def framed(images: Bytes, border: Bytes) -> Bytes:
    """Return images in a frame four pixels wide."""
    count, height, width, channels = images.shape
    padded = np.empty((count, height + 2 * SHIFT, width + 2 * SHIFT, channels), np.uint8)
    padded[:] = border
    padded[:, SHIFT:-SHIFT, SHIFT:-SHIFT] = images
    return padded


@functools.lru_cache(maxsize=4)
def _permutation(images: int, seed: int, epoch: int) -> Indices:
    return np.random.default_rng((seed, 0, epoch)).permutation(images)
