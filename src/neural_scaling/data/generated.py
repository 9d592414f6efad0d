"""Datasets that are sampled from a model instead of fetched, such as MNIST-1M: shards become arrays on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np

from neural_scaling.data.download import Say
from neural_scaling.data.folders import Build, write_array
from neural_scaling.data.images import Bytes
from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.records import ImageRecord

#: Told what to print lines with, yields images (n, height, width, channels) and labels (n,), always the same in the same order.
Shards = Callable[[Say], Iterable[tuple[Bytes, Bytes]]]


def build_from(record: ImageRecord, shards: Shards, origin: Callable[[], str]) -> Build:
    """Return what builds a dataset from the shards of a model.

    The first images are for training and the last ones, from the same model, for testing, so that both follow one law. Only
    the test images are ever held in memory as a whole.
    """

    def build(folder: Path, downloads: Path, say: Say) -> str:
        labels: list[Bytes] = []
        test: list[Bytes] = []

        def training() -> Iterator[Bytes]:
            left = record.train
            for images, classes in shards(say):
                labels.append(classes)
                yield images[:left]
                test.append(images[left:])
                left -= len(images[:left])

        write_array(folder / "train_images.npy", (record.train, *record.shape), training())
        made = sum(map(len, labels))
        if made != record.train + record.test:
            raise SourceFailed(f"the model made {made} images instead of {record.train + record.test}")
        named = np.concatenate(labels)
        write_array(folder / "train_labels.npy", (record.train,), [named[: record.train]])
        write_array(folder / "test_images.npy", (record.test, *record.shape), test)
        write_array(folder / "test_labels.npy", (record.test,), [named[record.train :]])
        return origin()

    return build
