"""Images with labels and a fixed split into training and test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.checks import require
from neural_scaling.spectra import Array

Bytes = npt.NDArray[np.uint8]

_PIECE = 4096  # images handled at once


@dataclass(frozen=True)
class ImageSplit:
    """Images of the training or the test set.

    Attributes
    ----------
    images
        Shape (n, height, width, channels), 0 to 255; may be memory-mapped.
    labels
        Number of the class, shape (n,).
    """

    images: Bytes
    labels: Bytes

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class ImageDataset:
    """A dataset, split once and for all.

    Attributes
    ----------
    name
        As :func:`~neural_scaling.datasets.load` was given it, with the size if there are several.
    train, test
        The split.
    classes
        Name of each class.
    mean, std
        Mean and standard deviation of the training images, per channel, with white as 1; shape (channels,).
    """

    name: str
    train: ImageSplit
    test: ImageSplit
    classes: tuple[str, ...]
    mean: Array
    std: Array

    @classmethod
    def from_arrays(cls, name: str, train: ImageSplit, test: ImageSplit, classes: tuple[str, ...]) -> ImageDataset:
        """Make a dataset of one's own images.

        Parameters
        ----------
        name
            As pages and figures shall show it.
        train, test
            Images of the same height, width and channels.
        classes
            Name of each class.

        Returns
        -------
        ImageDataset

        Raises
        ------
        InputError
            If shapes, types or labels do not fit.
        """
        for argument, split in (("train", train), ("test", test)):
            images, labels = split.images, split.labels
            require(
                images.ndim == 4 and images.dtype == np.uint8 and images.shape[1:] == train.images.shape[1:],
                argument,
                f"has images of type {images.dtype} and shape {images.shape}",
                "give bytes of shape (n, height, width, channels), the same for both splits",
            )
            require(
                len(images) > 0 and labels.shape == (len(images),) and labels.dtype == np.uint8,
                argument,
                f"has {len(images)} images and labels of type {labels.dtype} and shape {labels.shape}",
                "give at least one image and as many labels, as bytes",
            )
            require(
                int(labels.max()) < len(classes),
                argument,
                f"has the label {labels.max()}",
                f"name {labels.max() + 1} classes",
            )
        return cls(name, train, test, classes, *moments(train.images))

    def normalised(self, images: Bytes) -> npt.NDArray[np.float32]:
        """Return images with mean 0 and standard deviation 1 per channel over the training set.

        Parameters
        ----------
        images
            Shape (..., height, width, channels), 0 to 255; any part of the dataset.

        Returns
        -------
        numpy.ndarray
            float32, same shape.
        """
        scale = (1 / (255 * self.std)).astype(np.float32)
        shift = (-self.mean / self.std).astype(np.float32)
        return images.astype(np.float32) * scale + shift


def moments(images: Bytes) -> tuple[Array, Array]:
    """Return mean and standard deviation of images per channel with white as 1, exact but for the last rounding."""
    counts = np.zeros((images.shape[-1], 256), np.int64)
    for start in range(0, len(images), _PIECE):
        piece = images[start : start + _PIECE]
        for channel, count in enumerate(counts):
            count += np.bincount(piece[..., channel].ravel(), minlength=256)
    values, weights = np.arange(256) / 255, counts / counts.sum(axis=1, keepdims=True)
    mean = weights @ values
    return mean, np.sqrt(weights @ values**2 - mean**2)
