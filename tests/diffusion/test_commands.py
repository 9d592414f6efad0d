"""The command line of the model, and its images as a dataset."""

import numpy as np
import pytest

from neural_scaling.data import loading
from neural_scaling.data.digits import dataset, sizes
from neural_scaling.data.digits import runs as experiments
from neural_scaling.data.digits.__main__ import main
from neural_scaling.runs import experiment_key

pytestmark = pytest.mark.slow


def test_networks_are_trained_and_shipped(tiny, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("neural_scaling.data.digits.__main__.MODELS", {"reduced": tiny})
    monkeypatch.setattr("neural_scaling.data.digits.__main__.JUDGE", experiments.JUDGE)
    assert main(["ship"]) == 2
    assert "2 of 2 full-scale runs of diffusion are missing" in capsys.readouterr().err
    assert main(["train", "reduced"]) == main(["train", "judge"]) == main(["ship"]) == 0
    shipped = {path.name for path in (tmp_path / "results" / experiments.WEIGHTS).iterdir()}
    keys = [experiment_key(run) for run in (tiny, experiments.JUDGE)]
    assert shipped == {f"{key}.{suffix}" for key in keys for suffix in ("json", "npz")}


def test_bad_words_are_refused():
    with pytest.raises(SystemExit):
        main(["train", "anything"])


def test_the_dataset_is_the_shards_with_the_last_held_out(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DATASETS", str(tmp_path / "datasets"))
    monkeypatch.setattr(loading, "SIZES", sizes.SIZES)
    monkeypatch.setattr(loading, "ENTRIES", {"mnist1m": {"large": loading._digits("large")}})
    drawn = loading.load("mnist1m", "large", say=lambda line: None)
    images, labels = (np.concatenate(parts) for parts in zip(*dataset.shards("large"), strict=True))
    np.testing.assert_array_equal(drawn.train.images, images[:100])
    np.testing.assert_array_equal(drawn.test.images, images[100:])
    np.testing.assert_array_equal(drawn.test.labels, labels[100:])
    assert loading.verify("mnist1m", "large")


def test_the_sizes_of_the_book_are_in_the_catalogue():
    records = {size: entry.record for size, entry in loading.ENTRIES["mnist1m"].items()}
    assert {size: (record.train, record.test) for size, record in records.items()} == {
        "small": (1_500, 500),
        "reduced": (54_000, 6_000),
        "full": (900_000, 100_000),
    }
