"""Labelled images as a stream for the engine: inputs, one-hot targets, test loss.

Images stay bytes in memory, or on disk where they are many, and are normalised as they are drawn: mean 0 and variance 1 per
channel over the training images, so that ``|x|^2 = D`` on average. With crops, every pair of an image and a way to crop it is
an input with a number of its own, so that a stream of them is again a stream of numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from neural_scaling.base.checks import flag, instance, require, whole
from neural_scaling.base.devices import find_device
from neural_scaling.base.tensors import check_numbers, check_tensor, float_type
from neural_scaling.data.images import ImageDataset
from neural_scaling.data.streams import SHIFT, framed

if TYPE_CHECKING:
    from neural_scaling.data import ImageSplit
    from neural_scaling.data.images import Bytes

__all__ = ["HELD_BYTES", "KERNEL_IMAGES", "ImageData"]

#: Test images at which the tangent kernel is followed.
KERNEL_IMAGES = 16
#: More training images than this many bytes stay on disk and are read batch by batch.
HELD_BYTES = 2**32


class ImageData:
    """One-hot targets of labelled images, the same for all members.

    Parameters
    ----------
    dataset
        Where images come from.
    device, dtype
        Where the images are held, and in which precision they are drawn.
    images
        Number of training images, the first ones; all by default.
    test
        Number of test images, the first ones.
    crops
        Shift every image by up to four pixels and mirror half of them. Test images get one shift each, for good, so that
        training and test images follow one law.
    replacement
        Draw samples with replacement; else every image comes once before any comes again.

    Raises
    ------
    InputError
        If the images are not square or there are fewer than asked for.
    """

    def __init__(
        self,
        dataset: ImageDataset,
        device: torch.device | str,
        dtype: torch.dtype,
        images: int | None = None,
        test: int = 2000,
        crops: bool = False,
        replacement: bool = False,
    ) -> None:
        instance(dataset, "dataset", ImageDataset, "give a dataset, as neural_scaling.data.load returns it")
        device, dtype = find_device(device), float_type(dtype)
        crops, replacement = flag(crops, "crops"), flag(replacement, "replacement")
        height, breadth, channels = dataset.train.images.shape[1:]
        require(height == breadth, "dataset", f"{dataset.name} has images of {height} x {breadth}", "give square ones")
        self.classes, self.size, self.channels = len(dataset.classes), int(height), int(channels)
        self.crops, self.replacement, self._dtype = crops, replacement, dtype
        #: Ways to crop an image.
        self.variants = (2 * SHIFT + 1) ** 2 * 2 if crops else 1
        self._scale = torch.tensor(1 / (255 * dataset.std), device=device, dtype=dtype)
        self._shift = torch.tensor(-dataset.mean / dataset.std, device=device, dtype=dtype)
        border = np.rint(255 * dataset.mean).astype(np.uint8)
        self._images, self._labels = _held(dataset.train, images, border if crops else None, "images", device)
        test = whole(test, "test", most=len(dataset.test))
        pictures, self._test_labels = _held(dataset.test, test, border if crops else None, "test", device)
        generator = torch.Generator("cpu").manual_seed(0)
        variant = torch.randint(self.variants, (test,), generator=generator, device="cpu").to(device)
        self.test_inputs = self._drawn(pictures, torch.arange(test, device=device), variant)
        #: The first test images, for the kernel.
        self.kernel_inputs = self.test_inputs[:KERNEL_IMAGES]
        self._unit = torch.eye(self.classes, device=device, dtype=dtype)

    @property
    def count(self) -> int:
        """Number of inputs, images times the ways to crop each."""
        return int(self._images.shape[0]) * self.variants

    def take(self, index: torch.Tensor) -> torch.Tensor:
        """Return training inputs.

        Parameters
        ----------
        index
            Numbers of the inputs, any shape.

        Returns
        -------
        torch.Tensor
            Images as rows with the channels of a pixel together, shape (..., D).
        """
        check_numbers(index, "index")
        return self._drawn(self._images, index // self.variants, index % self.variants)

    def targets(self, index: torch.Tensor) -> torch.Tensor:
        """Return one-hot targets at training inputs, shape (..., k).

        Parameters
        ----------
        index
            Numbers of the inputs, any shape.
        """
        check_numbers(index, "index")
        return self._unit[self._labels[index // self.variants]]

    @property
    def test_targets(self) -> torch.Tensor:
        """One-hot targets at the test inputs, shape (n, k)."""
        return self._unit[self._test_labels]

    def loss(self, output: torch.Tensor) -> torch.Tensor:
        """Return the squared error, mean over test images and outputs, shape (E,): 1/k for a network that says nothing.

        Parameters
        ----------
        output
            f at ``test_inputs``, shape (E, n, k).
        """
        check_tensor(output, "output", (None, *self.test_targets.shape), self._dtype)
        return (output - self.test_targets).square().mean(dim=(1, 2))

    def _drawn(self, images: torch.Tensor | Bytes, number: torch.Tensor, variant: torch.Tensor) -> torch.Tensor:
        if isinstance(images, np.ndarray) or not self.crops:  # cropped images are in memory, with their border
            pixels = _chosen(images, number)
        else:
            span, place = 2 * SHIFT + 1, torch.arange(self.size, device=images.device)
            across = torch.where((variant % 2 == 1)[..., None], self.size - 1 - place, place)
            rows = (variant // 2 // span)[..., None] + place
            columns = (variant // 2 % span)[..., None] + across
            pixels = images[number[..., None, None], rows[..., :, None], columns[..., None, :]]
        return (pixels.to(self._dtype) * self._scale + self._shift).flatten(-3)


def _held(
    split: ImageSplit,
    count: int | None,
    border: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] | None,
    name: str,
    device: torch.device,
) -> tuple[torch.Tensor | Bytes, torch.Tensor]:
    """Return the first images of a split, in a border if one is given, and their labels; many images stay where they are."""
    there = len(split.labels)
    wanted = there if count is None else whole(count, name, f"give a number from 1 to {there}", most=there)
    labels = torch.from_numpy(np.array(split.labels[:wanted]).astype(np.int64)).to(device)
    if border is None and split.images[:wanted].nbytes > HELD_BYTES:
        return split.images[:wanted], labels
    pixels = np.array(split.images[:wanted])
    if border is not None:
        pixels = framed(pixels, border)
    return torch.from_numpy(pixels).to(device), labels


def _chosen(images: torch.Tensor | Bytes, number: torch.Tensor) -> torch.Tensor:
    """Return images by number, from memory or from disk."""
    if isinstance(images, torch.Tensor):
        return images[number]
    return torch.from_numpy(np.asarray(images[number.cpu().numpy()])).to(number.device)
