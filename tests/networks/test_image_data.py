"""Streams of labelled images and the runs made of them."""

import dataclasses

import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.data import ImageSplit
from neural_scaling.data.streams import SHIFT
from neural_scaling.networks.cnn import ImageShape, image_ensemble
from neural_scaling.networks.image_batches import ImageData
from neural_scaling.networks.image_runs import ImageRun
from neural_scaling.networks.mlp import Member
from neural_scaling.networks.training import train
from pictures import made_up
from stopping import Interrupting, Resuming, Stopped

CPU = torch.device("cpu")


def test_inputs_and_targets():
    dataset = made_up()
    data = ImageData(dataset, CPU, torch.float64, test=10)
    index = torch.arange(data.count).view(2, 30)
    x, y = data.take(index), data.targets(index)
    assert x.shape == (2, 30, 432)
    assert float(x.square().mean()) == pytest.approx(1)
    np.testing.assert_allclose(x.view(60, 12, 12, 3).mean((0, 1, 2)), 0, atol=1e-12)
    np.testing.assert_allclose(
        x.view(60, -1)[7].numpy(), dataset.normalised(dataset.train.images[7]).ravel(), rtol=1e-4
    )
    assert torch.equal(y.argmax(2).flatten(), torch.from_numpy(dataset.train.labels.astype(np.int64)))
    assert torch.equal(y.sum(2), torch.ones(2, 30, dtype=torch.float64))
    assert data.test_inputs.shape == (10, 432)
    zero = torch.zeros(2, 10, 4, dtype=torch.float64)
    assert data.loss(zero).tolist() == pytest.approx([0.25, 0.25])  # 1/k
    assert data.loss(zero + data.test_targets).tolist() == [0, 0]


def test_crops_are_inputs_of_their_own():
    dataset = made_up()
    data = ImageData(dataset, CPU, torch.float64, test=10, crops=True, replacement=True)
    ways = 2 * (2 * SHIFT + 1) ** 2
    assert data.count == 60 * ways
    middle = 2 * (SHIFT * (2 * SHIFT + 1) + SHIFT)
    plain = ImageData(dataset, CPU, torch.float64, test=10).take(torch.tensor([5])).view(12, 12, 3)
    straight, mirrored = data.take(torch.tensor([5 * ways + middle, 5 * ways + middle + 1])).view(2, 12, 12, 3)
    assert torch.equal(straight, plain)
    assert torch.equal(mirrored, plain.flip(1))
    corner = data.take(torch.tensor([5 * ways])).view(12, 12, 3)
    assert torch.equal(corner[SHIFT:, SHIFT:], plain[:-SHIFT, :-SHIFT])
    assert float(corner[:SHIFT].abs().max()) < 0.02  # the mean colour, to half a level
    assert torch.equal(data.targets(torch.tensor([5 * ways + 3])), data.targets(torch.tensor([5 * ways])))


def test_many_images_stay_on_disk(monkeypatch, tmp_path):
    dataset = made_up()
    held = ImageData(dataset, CPU, torch.float64, test=10)
    np.save(tmp_path / "images.npy", dataset.train.images)
    images = np.load(tmp_path / "images.npy", mmap_mode="r")
    dataset = dataclasses.replace(dataset, train=ImageSplit(images, dataset.train.labels))
    monkeypatch.setattr("neural_scaling.networks.image_batches.HELD_BYTES", 1000)
    mapped = ImageData(dataset, CPU, torch.float64, test=10)
    assert isinstance(mapped._images, np.memmap)
    index = torch.tensor([[3, 0], [59, 3]])
    assert torch.equal(mapped.take(index), held.take(index))
    assert torch.equal(mapped.targets(index), held.targets(index))
    shape, members = ImageShape(4, 12, 3, 4), [Member(0, 0.5, 0.1)]
    losses = [
        train(image_ensemble(shape, members, CPU, torch.float64), data, [0, 20], 8).loss for data in (held, mapped)
    ]
    np.testing.assert_array_equal(*losses)


def test_every_image_comes_once_before_any_comes_again():
    data = ImageData(made_up(), CPU, torch.float32, test=10)
    seen = []
    take = data.take

    def watched(index):
        if index.ndim == 2:  # a batch, not the table
            seen.append(index[0])
        return take(index)

    data.take = watched
    model = image_ensemble(ImageShape(2, 12, 3, 4), [Member(3, 1.0, 0.01)], CPU)
    train(model, data, [0, 130], 7)
    drawn = torch.cat(seen)
    assert drawn.shape == (910,)
    for start in range(0, 900, 60):
        assert torch.equal(drawn[start : start + 60].sort().values, torch.arange(60))
    assert not torch.equal(drawn[:60], drawn[60:120])


def test_table_and_fresh_evaluation_agree(monkeypatch):
    data = ImageData(made_up(), CPU, torch.float64, test=10)
    members = [Member(0, 0.5, 0.1), Member(1, 0.5, 0.1)]
    losses = []
    for most in (2**30, 0):
        monkeypatch.setattr("neural_scaling.networks.training.TABLE_BYTES", most)
        losses.append(
            train(image_ensemble(ImageShape(4, 12, 3, 4), members, CPU, torch.float64), data, [0, 50], 8).loss
        )
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-9)
    assert np.all(losses[0][:, 1] < losses[0][:, 0])


RUN = ImageRun("made-up", 0, 16, False, 4, 0.5, 0.1, 4, 130, 2)


@pytest.fixture
def offline(monkeypatch):
    monkeypatch.setattr("neural_scaling.data.load", lambda name, size=None: made_up(name=name))


@pytest.mark.slow
@pytest.mark.parametrize("change", [{}, {"richness": 0.0}, {"crops": True}])
@pytest.mark.usefixtures("offline")
def test_a_run_that_goes_on_ends_with_the_same_numbers(change):
    run = dataclasses.replace(RUN, **change)
    whole = run.run(Monitor())
    assert whole["loss"].shape == whole["trace"].shape == (2, whole["step"].size)
    assert whole["loss"][:, 0] == pytest.approx(0.25)
    assert np.all(whole["loss"][:, -1] < 0.23)
    assert float(whole["repeated"]) == pytest.approx(0.026 if run.crops else 1 - 60 / 520, abs=2e-3)
    interrupting = Interrupting(1)
    with pytest.raises(Stopped):
        run.run(interrupting)
    again = run.run(Resuming(interrupting.state))
    assert set(whole) == set(again)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])
    part = run.slice()
    assert (part.steps, part.seeds) == (2, 1)
    assert run.deviation(whole, part.run(Monitor())) < run.tolerance
    assert run.deviation(whole, dataclasses.replace(part, eta=0.2).run(Monitor())) > 1e-2


@pytest.mark.usefixtures("offline")
def test_the_trace_of_a_linearised_network_stays():
    arrays = dataclasses.replace(RUN, richness=0.0).run(Monitor())
    np.testing.assert_allclose(arrays["trace"], arrays["trace"][:, :1].repeat(arrays["step"].size, axis=1), rtol=1e-6)
    assert np.all(arrays["sharpness"] <= 4 * arrays["trace"] * (1 + 1e-6))
    assert np.all(arrays["sharpness"] > 0.2 * arrays["trace"])


def test_images_that_are_not_square():
    dataset = made_up()
    wide = ImageSplit(dataset.train.images[:, :, :10], dataset.train.labels)
    with pytest.raises(InputError, match="12 x 10"):
        ImageData(dataclasses.replace(dataset, train=wide, test=wide), CPU, torch.float32)
