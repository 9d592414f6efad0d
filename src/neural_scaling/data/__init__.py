"""Real images and text: fetched from their public places, checked, kept on disk, given out as arrays and batches.

Text is loaded by :func:`neural_scaling.data.load_text`.

>>> from neural_scaling.data import load
>>> digits = load("mnist")  # doctest: +SKIP
>>> digits.train.images.shape  # doctest: +SKIP
(60000, 28, 28, 1)

Nothing of the datasets is part of the repository: they are fetched on first use. Each has its sources in an order; what
comes is accepted only if the decoded images have the right checksum, so the source makes no difference.
"""

from neural_scaling.data.images import ImageDataset, ImageSplit
from neural_scaling.data.loading import folder_of, load, load_text, obtain, records, verify, version
from neural_scaling.data.problems import DatasetDamaged, DatasetError, DatasetUnavailable, SourceFailed
from neural_scaling.data.records import ImageRecord, Record, TextRecord
from neural_scaling.data.streams import Order, Stream, crops_and_flips

__all__ = [
    "DatasetDamaged", "DatasetError", "DatasetUnavailable", "ImageDataset", "ImageRecord", "ImageSplit", "Order",
    "Record", "SourceFailed", "Stream", "TextRecord", "crops_and_flips", "folder_of", "load", "load_text", "obtain",
    "records", "verify", "version",
]  # fmt: skip
