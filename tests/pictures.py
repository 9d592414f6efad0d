"""Datasets that are made up on the spot."""

from types import SimpleNamespace

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


def digits(images, seed):
    """Return blobs whose place tells their label."""
    random = np.random.default_rng(seed)
    labels = np.tile(np.arange(10, dtype=np.uint8), images // 10)
    pictures = np.zeros((images, 28, 28, 1), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = 4 + 5 * (label // 4), 2 + 6 * (label % 4)
        picture[row : row + 6, column : column + 6, 0] = random.integers(100, 256, (6, 6))
    return SimpleNamespace(images=pictures, labels=labels)
