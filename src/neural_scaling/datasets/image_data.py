"""Images with labels and a fixed split into training and test images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.spectra import Array

Bytes = npt.NDArray[np.uint8]


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
