"""How good generated digits are: distances between sets of images, neighbours in the training set, grey values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, require, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.data.digits.sizes import CLASSES, Pixels
from neural_scaling.data.images import as_bytes

__all__ = ["Nearest", "frechet_distance", "grey_values", "nearest", "normal_digits"]

_ROWS = 2000  # images whose distances are in memory at once


def frechet_distance(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Return the Fréchet distance between the normal distributions with the means and covariances of two sets of features.

    ``|m_1 - m_2|^2 + tr(C_1 + C_2 - 2 (C_1^(1/2) C_2 C_1^(1/2))^(1/2))``. Of two samples from one distribution it is not zero
    but falls inversely with their size, so only distances between sets of the same size can be compared.

    Parameters
    ----------
    one, other
        Features, shapes (n, d) and (m, d), more images than one.
    """
    one, other = array(one, "one", axes=2, fewest=2), array(other, "other", axes=2, fewest=2)
    fit = one.shape[1] == other.shape[1]
    require(fit, "other", f"shapes {one.shape} and {other.shape}", "give two sets of images with the same features")
    between = one.mean(0) - other.mean(0)
    first, second = np.cov(one.T), np.cov(other.T)
    root = _root(first)
    # The trace of the root is the sum of roots of the eigenvalues; rounding can make those that vanish negative.
    mixed = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0))
    return float(between @ between + np.trace(first) + np.trace(second) - 2 * mixed.sum())


def _root(covariance: Array) -> Array:
    values, vectors = np.linalg.eigh(covariance)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


@dataclass(frozen=True)
class Nearest:
    """Nearest images of a set.

    Attributes
    ----------
    distance
        Euclidean distance over all pixels, white as 1, shape (n,).
    index
        Which image of the set, shape (n,).
    """

    distance: Array
    index: np.ndarray[tuple[int], np.dtype[np.int64]]


def nearest(images: Pixels, among: Pixels) -> Nearest:
    """Find for each image the nearest one of a set, by brute force.

    Parameters
    ----------
    images, among
        uint8, shapes (n, 28, 28, 1) and (m, 28, 28, 1).
    """
    images, among = as_bytes(images, "images", axes=4), as_bytes(among, "among", axes=4)
    same = images.shape[1:] == among.shape[1:]
    require(same, "among", f"images of shape {among.shape[1:]}", f"give images of shape {images.shape[1:]}")
    best, index = np.full(len(images), np.inf), np.zeros(len(images), np.int64)
    start = 0
    for set_rows in _flat(among):
        squares = np.square(set_rows).sum(1)
        first = 0
        for rows in _flat(images):
            # The squared norm of the image itself is added at the end: it does not change which one is nearest.
            table = squares - 2 * (rows @ set_rows.T)
            where = table.argmin(1)
            least = table[np.arange(len(rows)), where]
            seen = slice(first, first + len(rows))
            closer = least < best[seen]
            best[seen][closer] = least[closer]
            index[seen][closer] = start + where[closer]
            first += len(rows)
        start += len(set_rows)
    # Once more without the cancellation of large squares.
    distance = [np.sqrt(np.square((images[i].astype(float) - among[j]) / 255).sum()) for i, j in enumerate(index)]
    return Nearest(np.array(distance), index)


def _flat(images: Pixels) -> Iterator[npt.NDArray[np.float32]]:
    for first in range(0, len(images), _ROWS):
        rows = np.asarray(images[first : first + _ROWS])
        yield rows.reshape(len(rows), -1).astype(np.float32) / np.float32(255)


def normal_digits(images: Pixels, labels: Pixels, each: int, seed: int) -> tuple[Pixels, Pixels]:
    """Draw a bad imitation for scale: pixels of each digit as a multivariate normal with the mean and covariance of real ones.

    Parameters
    ----------
    images, labels
        Real ones, shapes (n, 28, 28, 1) and (n,).
    each
        How many of each digit.
    seed
        Of the draws.

    Returns
    -------
    images : numpy.ndarray
        uint8, shape (10 each, 28, 28, 1), cut to the range of grey values.
    labels : numpy.ndarray
        uint8, shape (10 each,).
    """
    images, labels = as_bytes(images, "images", axes=4), as_bytes(labels, "labels", axes=1)
    require(len(labels) == len(images), "labels", f"{len(labels)} for {len(images)} images", "give one an image")
    counts = np.bincount(labels, minlength=CLASSES)
    full = len(counts) == CLASSES and bool((counts > 1).all())
    require(full, "labels", f"so many of each: {counts.tolist()}", f"give at least two of each of 0 to {CLASSES - 1}")
    each, seed = whole(each, "each"), checked_seed(seed)
    random, drawn = np.random.default_rng(seed), []
    for label in range(CLASSES):
        real = images[labels == label].reshape(-1, images[0].size) / 255
        noise = random.standard_normal((each, real.shape[1]))
        drawn.append(real.mean(0) + noise @ _root(np.cov(real.T)))
    grey = np.rint(255 * np.clip(np.concatenate(drawn), 0, 1)).astype(np.uint8)
    return grey.reshape(-1, *images.shape[1:]), np.repeat(np.arange(CLASSES, dtype=np.uint8), each)


def grey_values(images: Pixels) -> Array:
    """Return mean and spread of all pixels, spread of the mean over images (white as 1), shares of black and bright pixels.

    Parameters
    ----------
    images
        uint8, shape (n, 28, 28, 1).

    Returns
    -------
    numpy.ndarray
        Shape (5,). A spread is a standard deviation, bright is at least 250 of 255.
    """
    values = as_bytes(images, "images", axes=4).reshape(len(images), -1)
    ink = values.mean(1) / 255
    return np.array([ink.mean(), values.std() / 255, ink.std(), np.mean(values == 0), np.mean(values >= 250)])
