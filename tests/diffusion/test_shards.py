"""Shards of generated images: each from its own seed, whole or not there."""

import errno
import json
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.base.files import write_atomically
from neural_scaling.base.monitor import Monitor
from neural_scaling.data import folders, loading
from neural_scaling.data.catalogue import MNIST1M
from neural_scaling.data.digits import dataset, sizes
from neural_scaling.data.digits import runs as experiments
from neural_scaling.data.digits.denoiser import Denoiser
from neural_scaling.data.digits.runs import trained_denoiser
from neural_scaling.data.digits.sampler import BLACK
from neural_scaling.data.digits.weights import digest
from neural_scaling.data.generated import build_from
from neural_scaling.data.problems import DatasetUnavailable
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.runs import Interrupted, canonical_json, experiment_key
from neural_scaling.runs.execution import RunMonitor

pytestmark = pytest.mark.slow


def files(tmp_path):
    return sorted((tmp_path / "cache" / "results" / dataset.SHARDS).iterdir())


def everything(size, **options):
    parts = list(dataset.shards(size, say=lambda line: None, **options))
    return [np.concatenate(arrays) for arrays in zip(*parts, strict=True)]


def test_a_shard_alone_is_the_shard_of_the_set(trained):
    images, labels = everything("large")
    assert images.shape == (120, 28, 28, 1) and images.dtype == labels.dtype == np.uint8
    alone = dataset.planned("large")[4].run(Monitor())
    np.testing.assert_array_equal(alone["images"], images[80:100])
    np.testing.assert_array_equal(alone["labels"], labels[80:100])
    assert not np.array_equal(images[:20], images[20:40])


def test_the_small_set_begins_the_large_one(trained):
    small, large = everything("small"), everything("large")
    for few, many in zip(small, large, strict=True):
        np.testing.assert_array_equal(few, many[:40])


def test_every_batch_has_every_label_equally_often(trained):
    _, labels = everything("large")
    assert np.all(np.bincount(labels, minlength=10) == 12)
    assert all(np.array_equal(np.sort(batch), np.arange(10)) for batch in labels.reshape(-1, 10))
    assert len({tuple(batch) for batch in labels.reshape(-1, 10)}) == 12


def test_what_was_drawn_before_a_stop_is_kept_and_the_rest_is_the_same(trained, tmp_path):
    whole = everything("large")
    kept = files(tmp_path)
    assert len(kept) == 12  # images and provenance of six shards
    for path in kept[:7]:
        path.unlink()
    before = {path: path.stat().st_mtime_ns for path in kept[8:]}
    again = everything("large")
    for one, other in zip(whole, again, strict=True):
        np.testing.assert_array_equal(one, other)
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_signal_stops_the_set_and_the_next_call_finishes_it(trained, monkeypatch):
    whole = everything("small")
    drawn = []

    def stop(self, units):
        RunMonitor.advance_before(self, units)
        drawn.append(units)
        if len(drawn) == 3:  # in the middle of the second shard
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(RunMonitor, "advance_before", RunMonitor.advance, raising=False)
    monkeypatch.setattr(RunMonitor, "advance", stop)
    with pytest.raises(Interrupted):
        everything("large")
    assert len(drawn) == 3
    again = everything("large")
    np.testing.assert_array_equal(again[0][:40], whole[0])


def test_a_full_disk_is_told_of_the_folder_that_is_full(trained, tmp_path, monkeypatch):
    record = replace(MNIST1M, name="mnist1m-small", train=20, test=20)

    def full(path, content, remedy):
        def pieces():
            yield b"half"
            raise OSError(errno.ENOSPC, "No space left on device")

        write_atomically(path, pieces(), remedy)

    monkeypatch.setattr("neural_scaling.runs.store.write_atomically", full)  # the datasets are on another disk
    built = build_from(record, lambda say: dataset.shards("small", say), lambda: "dots")
    with pytest.raises(OSError, match=r"mnist1m-shards/.* could not be written .*set NEURAL_SCALING_CACHE") as raised:
        folders.create(tmp_path / "datasets", record, built, lambda line: None)
    assert "NEURAL_SCALING_DATASETS" not in str(raised.value)
    assert {path.name for path in (tmp_path / "datasets").glob("*mnist1m*")} <= {".mnist1m-small.lock"}
    assert not list((tmp_path / "cache").rglob(".*.npz.*"))


def test_a_set_on_disk_is_whole_where_nobody_can_tell_another_version(trained, tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DATASETS", str(tmp_path / "datasets"))
    record = replace(loading.find("mnist1m", "small").record, train=20, test=20, version=dataset.version("small"))
    monkeypatch.setitem(loading.ENTRIES["mnist1m"], "small", replace(loading.find("mnist1m", "small"), record=record))
    folders.create(
        tmp_path / "datasets",
        record,
        build_from(record, lambda say: dataset.shards("small", say), lambda: "dots"),
        lambda line: None,
    )
    assert loading.state("mnist1m-small") == "whole" and loading.verify("mnist1m-small")
    other = {"small": replace(sizes.SIZES["small"], guidance=0.0)}
    with monkeypatch.context() as changed:
        changed.setattr(sizes, "SIZES", other)
        assert loading.state("mnist1m-small") == "outdated"
    monkeypatch.setattr(experiments, "MODELS", {"tiny": replace(trained, seed=5)})  # not trained
    assert loading.state("mnist1m-small") == "whole" and loading.verify("mnist1m-small")
    with pytest.raises(DatasetUnavailable, match=r"cannot be made. weights: .*neural_scaling.data.digits train tiny"):
        loading.obtain("mnist1m-small")


def test_a_damaged_shard_is_set_aside_and_drawn_anew(trained, tmp_path):
    whole = everything("small")
    path = next(path for path in files(tmp_path) if path.suffix == ".npz")
    path.write_bytes(path.read_bytes()[:-10])
    again = everything("small")
    np.testing.assert_array_equal(whole[0], again[0])
    assert any(path.name.endswith(".damaged") for path in files(tmp_path))


def test_no_guidance_asks_the_network_half_as_much(trained, monkeypatch):
    rows = []
    forward = Denoiser.forward
    monkeypatch.setattr(
        Denoiser, "forward", lambda self, x, time, label: rows.append(len(x)) or forward(self, x, time, label)
    )
    run = dataset.planned("small")[0]
    with_guidance = run.run(Monitor())["images"]
    asked = sum(rows)
    rows.clear()
    without = replace(run, guidance=0.0).run(Monitor())["images"]
    assert asked == 2 * sum(rows) == 2 * run.images * run.steps
    assert not np.array_equal(with_guidance, without)


def test_nothing_is_left_between_black_and_the_least_grey_value(trained):
    images = dataset.planned("small")[0].run(Monitor())["images"]
    assert set(range(1, BLACK)).isdisjoint(np.unique(images))
    assert np.any(images == 0) and np.any(images >= BLACK)


def test_a_slice_repeats_the_first_batch_and_the_comparison_can_fail(trained):
    run = dataset.planned("small")[1]
    arrays = run.run(Monitor())
    assert run.deviation(arrays, run.slice().run(Monitor())) == 0
    assert run.deviation(arrays, replace(run.slice(), shard=5).run(Monitor())) > run.tolerance


def test_the_last_tenth_of_the_shards_is_held_out():
    assert {name: (size.total, size.held_out) for name, size in sizes.SIZES.items()} == {
        "small": (2_000, 500),
        "reduced": (60_000, 6_000),
        "full": (1_000_000, 100_000),
    }


def test_the_version_changes_with_weights_and_settings(trained, monkeypatch):
    before = dataset.version("small")
    assert before == dataset.version("small") != dataset.version("large")
    settings = dict(sizes.SIZES)
    monkeypatch.setattr(sizes, "SIZES", settings | {"small": replace(settings["small"], guidance=0.0)})
    assert dataset.version("small") != before


def test_a_run_on_generated_images_is_another_with_other_weights(trained, monkeypatch):
    run = ImageRun("mnist1m-small", 0, 100, False, 4, 1.0, 0.1, 8, 4, 1)
    before = experiment_key(run)
    assert json.loads(canonical_json(run))["values"]["version of mnist1m-small"] == dataset.version("small")
    monkeypatch.setattr(experiments, "MODELS", {"tiny": replace(trained, seed=5)})
    assert run.inputs == {"mnist1m-small": "unknown"}  # not trained yet
    assert experiment_key(run) != before
    assert replace(run, dataset="mnist").inputs == {}


def test_without_weights_the_error_says_what_to_do(tiny):
    with pytest.raises(InputError, match=r"^weights: .*missing.*neural_scaling.data.digits train tiny"):
        dataset.version("small")


def test_damaged_weights_are_not_used(trained, tmp_path):
    path = tmp_path / "cache" / "results" / experiments.WEIGHTS / f"{experiment_key(trained)}.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"^weights: .*damaged"):
        next(dataset.shards("small"))


def test_weights_other_than_planned_are_refused(trained):
    run = replace(dataset.planned("small")[0], weights="0" * 16)
    with pytest.raises(InputError, match=f"^weights: {digest(trained_denoiser('tiny').arrays)} are there"):
        run.run(Monitor())


@pytest.mark.parametrize("call", [sizes.find, dataset.version, dataset.origin])
def test_an_unknown_size_is_refused(call):
    with pytest.raises(InputError, match=r"^size: got 'huge'; use one of small, reduced, full"):
        call("huge")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch.cuda.is_available() is False")
def test_images_drawn_on_cuda_are_those_of_the_processor(trained, monkeypatch):
    run = dataset.planned("small")[0]
    expected = run.run(Monitor())
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "cuda")
    arrays = run.run(Monitor())
    np.testing.assert_array_equal(arrays["labels"], expected["labels"])
    assert run.deviation(expected, arrays) < run.tolerance
