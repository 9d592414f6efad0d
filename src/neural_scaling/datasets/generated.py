"""Datasets that are sampled from a model instead of fetched, such as MNIST-1M.

The model is not known here. It gives a :class:`Recipe` for each size; the shards it yields become one array on disk, with the
real test images of the dataset it imitates.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neural_scaling.datasets.catalogue import Record
from neural_scaling.datasets.download import Say
from neural_scaling.datasets.image_data import Bytes, ImageDataset, ImageSplit
from neural_scaling.datasets.problems import SourceFailed
from neural_scaling.datasets.store import Build, write_array


@dataclass(frozen=True)
class Recipe:
    """How one size of a generated dataset is made.

    Attributes
    ----------
    images
        How many.
    version
        Anything that changes whenever the images do: a digest of weights and settings. What is on disk with another version is
        made anew.
    shards
        Called with a folder and a function that prints a line. Yields images (n, height, width, channels) and labels (n,) in an
        order that is always the same, ``images`` of them in all. Finished shards may be kept in the folder, which stays when
        the call is interrupted and is removed when the dataset is complete.
    origin
        What made them, in a few words.
    """

    images: int
    version: str
    shards: Callable[[Path, Say], Iterable[ImageSplit]]
    origin: str


def record_of(record: Record, size: str, recipe: Recipe) -> Record:
    """Return the record of one size of a generated dataset, from that of all sizes."""
    return replace(record, name=f"{record.name}-{size}", train=recipe.images, version=recipe.version)


def build_from(recipe: Recipe, real: Callable[[Say], ImageDataset]) -> Build:
    """Return what builds a dataset from its recipe.

    Parameters
    ----------
    recipe
        How the training images are made.
    real
        Loads the dataset whose test images it is tested on.

    Returns
    -------
    callable
        For :func:`neural_scaling.datasets.store.create`, resumable.
    """

    def build(folder: Path, downloads: Path, say: Say) -> str:
        test = real(say).test
        shards = folder / "shards"
        shards.mkdir(exist_ok=True)
        labels: list[Bytes] = []

        def images() -> Iterator[Bytes]:
            for shard in recipe.shards(shards, say):
                labels.append(shard.labels)
                yield shard.images

        write_array(folder / "train_images.npy", (recipe.images, *test.images.shape[1:]), images())
        made = sum(map(len, labels))
        if made != recipe.images:
            raise SourceFailed(f"the model made {made} images instead of {recipe.images}")
        write_array(folder / "train_labels.npy", (recipe.images,), [np.concatenate(labels)])
        write_array(folder / "test_images.npy", test.images.shape, [test.images])
        write_array(folder / "test_labels.npy", test.labels.shape, [test.labels])
        shutil.rmtree(shards)
        return recipe.origin

    return build
