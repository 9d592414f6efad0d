"""Generated datasets: shards become one array, an interruption costs a shard at most, a new version is made anew."""

import numpy as np
import pytest

from images.tiny import record_of, tiny_arrays
from neural_scaling.datasets import store
from neural_scaling.datasets.generated import Recipe, build_from
from neural_scaling.datasets.generated import record_of as sized
from neural_scaling.datasets.image_data import ImageDataset, ImageSplit
from neural_scaling.datasets.problems import SourceFailed

TINY = tiny_arrays()
REAL = ImageDataset("tiny", ImageSplit(*TINY[:2]), ImageSplit(*TINY[2:]), tuple("0123456789"), np.zeros(1), np.ones(1))
RECORD = record_of(TINY, "madeup", known=False)
SHARD = 25


class Model:
    """Makes shards of dots; may break off before one."""

    def __init__(self):
        self.made: list[int] = []
        self.breaks_before: int | None = None

    def shards(self, folder, say):
        for number in range(4):
            path = folder / f"{number}.npz"
            if not path.exists():
                if number == self.breaks_before:
                    raise KeyboardInterrupt
                arrays = tiny_arrays(number, train=SHARD)
                np.savez(path, images=arrays[0], labels=arrays[1])
                self.made.append(number)
            with np.load(path) as kept:
                yield ImageSplit(kept["images"], kept["labels"])


@pytest.fixture
def model():
    return Model()


def make(root, model, said, images=4 * SHARD, version="1"):
    recipe = Recipe(images, version, model.shards, "a model of dots")
    record = sized(RECORD, "small", recipe)
    folder = store.create(root, record, build_from(recipe, lambda say: REAL), said.append, resumable=True)
    return folder, record


def test_shards_become_one_dataset_tested_on_real_images(root, model, said):
    folder, record = make(root, model, said)
    dataset = store.read(folder, record)
    assert dataset.name == "madeup-small" and len(dataset.train) == 4 * SHARD
    for number in range(4):
        part = slice(number * SHARD, (number + 1) * SHARD)
        np.testing.assert_array_equal(dataset.train.images[part], tiny_arrays(number, train=SHARD)[0])
        np.testing.assert_array_equal(dataset.train.labels[part], tiny_arrays(number, train=SHARD)[1])
    np.testing.assert_array_equal(dataset.test.images, REAL.test.images)
    assert not (folder / "shards").exists()
    assert store.read_record(folder)["origin"] == "a model of dots"
    store.verify(folder, record)


def test_finished_shards_outlive_an_interruption(root, model, said):
    model.breaks_before = 2
    with pytest.raises(KeyboardInterrupt):
        make(root, model, said)
    assert not (root / "madeup-small").exists()
    model.breaks_before = None
    make(root, model, said)
    assert model.made == [0, 1, 2, 3]


def test_shards_of_another_version_do_not(root, model, said):
    model.breaks_before = 2
    with pytest.raises(KeyboardInterrupt):
        make(root, model, said)
    model.breaks_before = None
    make(root, model, said, version="2")
    assert model.made == [0, 1, 0, 1, 2, 3]
    make(root, model, said, version="3")
    assert len(model.made) == 10 and "another version" in " ".join(said)


def test_a_model_that_makes_too_few_is_refused(root, model, said):
    with pytest.raises(SourceFailed, match="the model made 100 images instead of 101"):
        make(root, model, said, images=101)
    assert not (root / "madeup-small").exists()
