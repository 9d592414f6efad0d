"""Generated datasets: shards become one array, the last images are for testing, a new version is made anew."""

from dataclasses import replace

import numpy as np
import pytest

from images.tiny import record_of, tiny_arrays
from neural_scaling.data import folders, loading
from neural_scaling.data.generated import build_from
from neural_scaling.data.loading import Entry, load
from neural_scaling.data.problems import SourceFailed

SHARDS = [tiny_arrays(number, train=25)[:2] for number in range(4)]
IMAGES, LABELS = (np.concatenate(arrays) for arrays in zip(*SHARDS, strict=True))


def make(root, said, train=60, test=40, breaks=False):
    record = replace(record_of(tiny_arrays(), "madeup-small", known=False), train=train, test=test)

    def shards(say):
        say("drawing")
        yield from SHARDS
        if breaks:
            raise KeyboardInterrupt

    return folders.create(root, record, build_from(record, shards, lambda: "dots"), said.append), record


def test_the_first_images_are_for_training_and_the_last_for_testing(root, said):
    folder, record = make(root, said)
    dataset = folders.read(folder, record)
    np.testing.assert_array_equal(dataset.train.images, IMAGES[:60])
    np.testing.assert_array_equal(dataset.train.labels, LABELS[:60])
    np.testing.assert_array_equal(dataset.test.images, IMAGES[60:])
    np.testing.assert_array_equal(dataset.test.labels, LABELS[60:])
    assert folders.read_record(folder)["origin"] == "dots" and said[0] == "drawing"
    folders.verify(folder, record)


def test_an_interruption_leaves_no_dataset(root, said):
    with pytest.raises(KeyboardInterrupt):
        make(root, said, breaks=True)
    assert not (root / "madeup-small").exists() and not (root / ".madeup-small.building").exists()


@pytest.mark.parametrize("train", [59, 61])
def test_another_number_of_images_is_refused(root, said, train):
    with pytest.raises(SourceFailed, match="the model made 100 images instead of"):
        make(root, said, train=train)
    assert not (root / "madeup-small").exists()


def test_images_of_a_model_that_has_changed_are_made_anew(root, said, monkeypatch):
    record, versions, made = replace(record_of(tiny_arrays(), "madeup", known=False), train=60, test=40), ["1"], []

    def shards(say):
        made.append(versions[-1])
        return SHARDS

    entry = Entry(record, build_from(record, shards, lambda: "dots"), version=lambda: versions[-1])
    monkeypatch.setattr(loading, "ENTRIES", {"madeup": {None: entry}})
    for version in ("1", "1", "2", "2"):
        versions.append(version)
        assert len(load("madeup", say=said.append).train) == 60
    assert made == ["1", "2"] and "another version" in " ".join(said)
