"""Images with labels and a fixed split into training and test images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, instance, instances, keep, require
from neural_scaling.base.checks import text as checked_text

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

    Raises
    ------
    InputError
        If images or labels are no whole numbers from 0 to 255, their numbers differ or there are none.
    """

    images: Bytes
    labels: Bytes

    def __post_init__(self) -> None:
        images, labels = as_bytes(self.images, "images", axes=4), as_bytes(self.labels, "labels", axes=1)
        require(len(labels) == len(images), "labels", f"{len(labels)} for {len(images)} images", "give one an image")
        keep(self, images=images, labels=labels)

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class ImageDataset:
    """A dataset, split once and for all.

    Attributes
    ----------
    name
        As :func:`~neural_scaling.data.load` was given it, with the size if there are several.
    train, test
        The split.
    classes
        Name of each class.
    mean, std
        Mean and standard deviation of the training images, per channel, with white as 1; shape (channels,).

    Raises
    ------
    InputError
        If shapes or labels do not fit, or a channel is the same everywhere.
    """

    name: str
    train: ImageSplit
    test: ImageSplit
    classes: tuple[str, ...]
    mean: Array
    std: Array

    def __post_init__(self) -> None:
        name, classes = checked_text(self.name, "name"), tuple(instances(self.classes, "classes", str, "give names"))
        for argument in ("train", "test"):
            split = instance(getattr(self, argument), argument, ImageSplit, "give an ImageSplit")
            shape, wanted = split.images.shape[1:], self.train.images.shape[1:]
            require(shape == wanted, argument, f"images of shape {shape}", f"give {wanted}, as in both splits")
            most = int(split.labels.max())
            require(
                most < len(classes), argument, f"has the label {most}", f"name {most + 1} classes or mend the labels"
            )
        channels = (self.train.images.shape[-1],)
        mean, std = array(self.mean, "mean", shape=channels), array(self.std, "std", shape=channels)
        require(bool((std > 0).all()), "std", f"got {std}", "leave out channels that are the same everywhere")
        keep(self, name=name, classes=classes, mean=mean, std=std)

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
        """
        instance(train, "train", ImageSplit, "give an ImageSplit")
        return cls(name, train, test, classes, *moments(train.images))

    def normalised(self, images: Bytes) -> npt.NDArray[np.float32]:
        """Return images in float32 with mean 0 and standard deviation 1 per channel over the training set.

        Parameters
        ----------
        images
            Shape (..., height, width, channels), 0 to 255; any part of the dataset.
        """
        images = as_bytes(images, "images", axes=None)
        remedy = f"give {self.std.size} channels, last"
        require(images.shape[-1:] == self.std.shape, "images", f"shape {images.shape}", remedy)
        scale = (1 / (255 * self.std)).astype(np.float32)
        shift = (-self.mean / self.std).astype(np.float32)
        return images.astype(np.float32) * scale + shift


def as_bytes(values: Any, argument: str, axes: int | None) -> Bytes:
    """Return whole numbers from 0 to 255; bytes, which may be memory-mapped, are not copied."""
    if not (isinstance(values, np.ndarray) and values.dtype == np.uint8):
        return array(values, argument, axes=axes, whole=True, least=0, most=255).astype(np.uint8)
    fits = values.size > 0 and (axes is None or values.ndim == axes)
    require(fits, argument, f"shape {values.shape}", f"give bytes with {axes or 'any number of'} axes, at least one")
    require(not isinstance(values, np.ma.MaskedArray), argument, "masked values", "remove or fill them")
    return values


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
