"""The judge of generated digits: a small convolutional network trained on real ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.base.monitor import Arrays
from neural_scaling.base.tensors import check_tensor
from neural_scaling.data.digits.optimization import seeded
from neural_scaling.data.digits.sizes import CLASSES, SIDE, Pixels
from neural_scaling.data.digits.weights import unpack
from neural_scaling.data.images import as_bytes

__all__ = ["FEATURES", "Classifier", "Judged", "classify"]

#: Number of features that distances between sets of images are computed in.
FEATURES = 64

_ROWS = 500  # images judged at once


class Classifier(nn.Module):
    """Two convolutions and two dense layers; the features are the outputs of the last but one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 32, 3, padding=1)
        self.dense = nn.Linear(32 * (SIDE // 4) ** 2, FEATURES)
        self.last = nn.Linear(FEATURES, CLASSES)

    def features(self, x: Tensor) -> Tensor:
        """Return the features of images of shape (n, 1, 28, 28), values 0 to 1; shape (n, 64)."""
        check_tensor(x, "x", (None, 1, SIDE, SIDE), self.first.weight.dtype)
        h = F.max_pool2d(F.relu(self.first(x)), 2)
        h = F.max_pool2d(F.relu(self.second(h)), 2)
        return F.relu(self.dense(h.flatten(1)))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of images of shape (n, 1, 28, 28), values 0 to 1; shape (n, 10)."""
        logits: Tensor = self.last(self.features(x))
        return logits


@dataclass(frozen=True)
class Judged:
    """What the classifier says.

    Attributes
    ----------
    labels
        Most likely label of each image, shape (n,).
    features
        Shape (n, 64).
    """

    labels: Pixels
    features: Array


@torch.inference_mode()
def classify(images: Pixels, kept: Arrays) -> Judged:
    """Let the classifier look at images.

    Parameters
    ----------
    images
        uint8, shape (n, 28, 28, 1).
    kept
        Its weights.

    Raises
    ------
    InputError
        If the weights do not fit.
    """
    images = as_bytes(images, "images", axes=4)
    remedy = f"give images of {SIDE} x {SIDE} grey pixels"
    require(images.shape[1:] == (SIDE, SIDE, 1), "images", f"shape {images.shape}", remedy)
    network = seeded(Classifier, 0)
    unpack(kept, network)
    labels, features = [], []
    for rows in _blocks(images):
        seen = network.features(torch.from_numpy(rows).permute(0, 3, 1, 2).float() / 255)
        features.append(seen.double().numpy())
        labels.append(network.last(seen).argmax(1).numpy().astype(np.uint8))
    return Judged(np.concatenate(labels), np.concatenate(features))


def _blocks(images: Pixels) -> Iterator[Pixels]:
    for first in range(0, len(images), _ROWS):
        yield np.array(images[first : first + _ROWS])
