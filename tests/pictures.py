"""A dataset that is made up on the spot."""

import numpy as np

from neural_scaling.data import ImageDataset, ImageSplit


def made_up(images=60, test=20, size=12, channels=3, name="made-up"):
    """Return a dataset whose classes differ in brightness."""
    random = np.random.default_rng(0)
    splits = []
    for count in (images, test):
        labels = random.integers(0, 4, count).astype(np.uint8)
        noise = random.integers(0, 120, (count, size, size, channels))
        splits.append(ImageSplit((noise + 40 * labels[:, None, None, None]).astype(np.uint8), labels))
    white = splits[0].images / 255
    return ImageDataset(name, *splits, tuple("abcd"), white.mean((0, 1, 2)), white.std((0, 1, 2)))
