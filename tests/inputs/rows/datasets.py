"""Datasets of images."""

import numpy as np

from inputs.kinds import Fresh, Kind, Shared, array, choice, flag, instance, seed, several, text, whole
from inputs.table import row
from neural_scaling import data as datasets

CLASSES = ["even", "odd"]
IMAGES = np.random.default_rng(0).integers(256, size=(4, 10, 10, 1)).astype(np.uint8)
LABELS = np.array([0, 1, 1, 0])

split = Shared(lambda: datasets.ImageSplit(IMAGES, LABELS))
own = Shared(lambda: datasets.ImageDataset.from_arrays("own", split.get(), split.get(), CLASSES))
order = Shared(lambda: datasets.Order(4, 2, 0))
stream = Shared(lambda: datasets.Stream(own.get(), order.get()))
images = array(IMAGES, axes=4, least=0, most=255, whole=True)
labels = array(LABELS, least=0, most=255, whole=True)
several_labels = datasets.ImageSplit(IMAGES, LABELS + 1)
splits = instance(split, several_labels)
classes = several(CLASSES, "ab").named("classes", "train")  # any name will do, but not one for two classes
name = text("own")

ROWS = [
    row(datasets.ImageSplit, images=images, labels=labels),
    row(
        datasets.ImageDataset,
        name=name,
        train=splits,
        test=splits,
        classes=classes,
        mean=array([0.5]).also([0.5, 0.5]),
        std=array([0.25], above=0).also([0.5, 0.5]),
    ),
    row(datasets.ImageDataset.from_arrays, name=name, train=splits, test=splits, classes=classes),
    row(
        datasets.ImageDataset.normalised,
        own,
        images=array(IMAGES, axes=None, least=0, most=255, whole=True).also(IMAGES[..., 0]),
    ),
    row(datasets.Order, images=whole(4), batch=whole(2), seed=seed(), replacement=flag()),
    row(datasets.Order.indices, order, step=whole(1, 0)),
    row(datasets.Order.epochs, order, steps=whole(1, 0)),
    row(datasets.Order.repeated, order, steps=whole(3, 0)),
    row(datasets.Stream, dataset=instance(own), order=instance(order, datasets.Order(5, 2, 0)), augmented=flag()),
    row(datasets.Stream.batch, stream, step=whole(1, 0)),
    row(
        datasets.crops_and_flips,
        images=images,
        generator=Kind(Fresh(lambda: np.random.default_rng(0)), lambda right: [None, "text", 3, np.random.default_rng]),
        border=array([7], least=0, most=255, whole=True).also([7, 7]),
    ),
    row(datasets.folder_of, name=choice("mnist1m"), size=choice("small")),
    row(datasets.version, name=choice("c4"), size=choice("small").or_none()),
]

_NETWORK = "needs the network, and is tested against a server on this machine; refuses names as folder_of does"
_RECORD = "filled in by the catalogue alone, and tested with the store"
EXEMPT = {
    datasets.load: _NETWORK,
    datasets.load_text: _NETWORK,
    datasets.obtain: _NETWORK,
    datasets.verify: _NETWORK,
    **{
        one: _RECORD
        for record in (datasets.ImageRecord, datasets.TextRecord)
        for one in (record, record.check, record.measured, record.opened)
    },
}
