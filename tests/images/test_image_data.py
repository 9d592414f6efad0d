"""Images in arrays of one's own."""

import numpy as np
import pytest

from images.tiny import tiny_arrays
from neural_scaling.base.checks import InputError
from neural_scaling.data import ImageDataset, ImageSplit
from neural_scaling.data.images import moments

TINY = tiny_arrays()
CLASSES = tuple("0123456789")


def test_moments_are_per_channel():
    images = np.random.default_rng(0).integers(256, size=(5000, 4, 4, 3), dtype=np.uint8)
    images[..., 1] //= 2
    mean, std = moments(images)
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 1, 2)), rtol=1e-12)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 1, 2)), rtol=1e-9)


def test_own_images_become_a_dataset():
    dataset = ImageDataset.from_arrays("own", ImageSplit(*TINY[:2]), ImageSplit(*TINY[2:]), CLASSES)
    # float32 sums of 1e5 numbers
    normal = dataset.normalised(dataset.train.images)
    assert normal.dtype == np.float32 and abs(normal.mean()) < 1e-5 and abs(normal.std() - 1) < 1e-5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda images, labels: (images[..., 0], labels), "images: shape .*give bytes with 4 axes"),
        (lambda images, labels: (images / 255, labels), "images: got .*give whole numbers"),
        (lambda images, labels: (images[:, :20], labels), "test: images of shape .*as in both splits"),
        (lambda images, labels: (images, labels[:-1]), "labels: 29 for 30 images; give one an image"),
        (lambda images, labels: (images[:0], labels[:0]), "images: shape .*at least one"),
        (lambda images, labels: (images, labels + np.uint8(10)), "test: has the label 19; name 20 classes"),
        (lambda images, labels: (images, labels - 10.0), "labels: got .*of at least 0"),
    ],
)
def test_images_that_do_not_fit_are_refused(change, message):
    with pytest.raises(InputError, match=message):
        ImageDataset.from_arrays("own", ImageSplit(*TINY[:2]), ImageSplit(*change(*TINY[2:])), CLASSES)
