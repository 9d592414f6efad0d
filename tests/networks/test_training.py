"""The engine: streams, resume, divergence, runs as values."""

import dataclasses

import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.models.circle import variance
from neural_scaling.networks import training
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.networks.runs import CircleRun
from neural_scaling.networks.training import train
from neural_scaling.runs import canonical_json
from stopping import Interrupting, Resuming, Stopped

CPU = torch.device("cpu")
RUN = CircleRun(beta=0.5, power=1.0, depth=3, width=16, richness=0.5, eta=0.1, batch=8, steps=250, seeds=2, angles=512)


@pytest.mark.parametrize("richness", [0.0, 0.5])
def test_a_run_that_goes_on_ends_with_the_same_numbers(richness):
    run = dataclasses.replace(RUN, richness=richness)
    whole = run.run(Monitor())
    interrupting = Interrupting(2)
    with pytest.raises(Stopped):
        run.run(interrupting)
    again = run.run(Resuming(interrupting.state))
    assert set(whole) == set(again) == {"step", "loss", "trace", "sharpness", "diverged"}
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])


@pytest.mark.parametrize("richness", [0.0, 0.5])
def test_what_is_too_much_for_a_table_is_evaluated_batch_by_batch(richness, monkeypatch):
    run = dataclasses.replace(RUN, richness=richness, steps=60)
    tabulated = run.run(Monitor())
    monkeypatch.setattr(training, "TABLE_BYTES", 1)
    anew = run.run(Monitor())
    np.testing.assert_allclose(anew["loss"], tabulated["loss"], rtol=1e-5)  # sums of another order in float32


def test_result_and_slice():
    counted = []
    monitor = Monitor()
    monitor.advance = counted.append
    arrays = RUN.run(monitor)
    assert sum(counted) == RUN.work == 500
    assert arrays["loss"].shape == (2, arrays["step"].size)
    assert arrays["loss"][:, 0] == pytest.approx(variance(1.0), rel=1e-5)
    assert np.all(arrays["loss"][:, -1] < arrays["loss"][:, 0])
    part = RUN.slice()
    assert (part.steps, part.seeds) == (38, 1)  # the last recorded step up to 40
    assert RUN.deviation(arrays, part.run(Monitor())) < RUN.tolerance  # another number of members rounds otherwise
    other = dataclasses.replace(part, eta=0.2).run(Monitor())
    assert RUN.deviation(arrays, other) > 1e-2


def test_slices_of_large_steps_end_before_rounding_grows():
    steps = {eta: dataclasses.replace(RUN, eta=eta).slice().steps for eta in (0.2, 0.4, 1.6, 100.0)}
    assert steps == {0.2: 38, 0.4: 19, 1.6: 5, 100.0: 1}


def test_runs_that_diverge_alike_agree_and_others_do_not():
    gone, there = ({"step": np.array([5.0]), "loss": np.array([[loss]])} for loss in (np.inf, 1.0))
    assert RUN.deviation(gone, gone) == 0.0
    assert RUN.deviation(gone, there) == RUN.deviation(there, gone) == np.inf


def test_a_stream_belongs_to_its_seed():
    data = CircleData([0.8, 0.8], CPU, torch.float32, angles=512)
    alone = train(
        ensemble(Shape(3, 16), [Member(7, 0.5, 0.1)], CPU), CircleData([0.8], CPU, torch.float32, 512), [60], 8
    )
    both = train(ensemble(Shape(3, 16), [Member(3, 2.0, 0.05), Member(7, 0.5, 0.1)], CPU), data, [60], 8)
    np.testing.assert_allclose(alone.loss[0], both.loss[1], rtol=1e-4)
    assert both.loss[0] != pytest.approx(both.loss[1], rel=1e-3)


def test_the_loss_of_the_stream_is_the_mean_over_batches():
    found = []
    for recorded in (range(31), [0, 10, 30]):
        data = CircleData([0.8, 0.8], CPU, torch.float32, angles=512)
        members = [Member(0, 0.5, 0.1), Member(1, 0.5, 0.1)]
        found.append(train(ensemble(Shape(3, 16), members, CPU), data, recorded, 8))
    every, some = found[0].stream, found[1].stream
    np.testing.assert_allclose(some[:, 1], every[:, 1:11].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(some[:, 2], every[:, 11:].mean(axis=1), rtol=1e-5)
    # At first f = 0, and the first batch shows targets of the variance that the test loss has at step 0.
    assert every[:, 1].mean() == pytest.approx(found[0].loss[:, 0].mean(), rel=1)


def test_divergence_is_a_result():
    members = [Member(0, 0.5, 100.0), Member(0, 0.5, 0.1)]
    data = CircleData([0.8, 0.8], CPU, torch.float32, angles=512)
    outcome = train(ensemble(Shape(3, 16), members, CPU), data, [0, 1, 10, 50], 8)
    assert 0 < outcome.diverged[0] < 10
    assert np.isinf(outcome.loss[0, -1])
    assert np.isinf(outcome.diverged[1])
    assert np.all(np.isfinite(outcome.loss[1]))
    assert not np.any(np.isnan(outcome.loss))
    arrays = dataclasses.replace(RUN, eta=1000.0).run(Monitor())
    assert np.all(np.isfinite(arrays["diverged"]))
    assert np.all(np.isinf(arrays["loss"][:, -1]))
    assert RUN.deviation(arrays, RUN.run(Monitor())) == np.inf


def test_an_unknown_device(monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "abacus")
    with pytest.raises(InputError, match="device: got 'abacus'"):
        RUN.run(Monitor())


def little(dtype=torch.float32):
    return CircleData([0.8], CPU, dtype, angles=64)


def network(richness=1.0, shape=None):
    return ensemble(shape or Shape(3, 8), [Member(0, richness, 0.1)], CPU)


def test_steps_and_sizes_come_in_every_usual_form():
    expected = train(network(), little(), [0, 2, 5], 8)
    shape = Shape(np.int64(3), np.array([8, 16])[0], np.float64(2.0), np.float32(1.0))
    assert shape == Shape(3, 8) and all(type(size) is int for size in (shape.depth, shape.width, shape.inputs))
    model = ensemble(shape, (Member(np.int64(0), np.float32(1.0), np.float64(0.1)),), "cpu")
    for recorded in (np.array([0, 2, 5]), np.array([0.0, 2.0, 5.0]), torch.tensor([0, 2, 5]), (0, 2, 5)):
        found = train(model, little(), recorded, np.int64(8))
        np.testing.assert_array_equal(found.step, expected.step)
        np.testing.assert_array_equal(found.loss, expected.loss)
        assert (found.loss > 0).all()
        model = network()


@pytest.mark.parametrize(("richness", "dtype"), [(1e-3, torch.float32), (1.0, torch.float64)])
def test_data_of_another_precision_than_the_network(richness, dtype):
    with pytest.raises(InputError, match=r"^data: its test_inputs are of torch.*, the model is of torch.*; make both"):
        train(network(richness), little(dtype), [0, 5], 8)


def test_targets_of_another_precision_than_the_network():
    data = little()
    data._values = data._values.double()
    with pytest.raises(InputError, match=r"^data: its targets are of torch.float64, the model is of torch.float32"):
        train(network(), data, [0, 5], 8)


@pytest.mark.parametrize("richness", [0.0, 1.0])
def test_targets_of_zeros_are_learned_at_once(richness):
    data = little()
    data._values.zero_()
    outcome = train(network(richness), data, [0, 5], 8)
    assert np.isinf(outcome.diverged).all() and (outcome.stream == 0).all()


def test_zeros_in_the_first_batches_are_no_divergence():
    data = little()

    class Late(CircleData):
        asked = 0

        def targets(self, index):
            Late.asked += 1
            return super().targets(index) * (Late.asked > 2)

    late = Late([0.8], CPU, torch.float32, angles=64)
    expected = train(network(), data, [0, 5], 8).loss[0, 0]
    outcome = train(network(), late, [0, 1, 2, 5], 8)
    assert np.isinf(outcome.diverged).all() and np.isfinite(outcome.loss).all()
    assert (outcome.loss[0, :3] == expected).all() and outcome.loss[0, 3] != expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch.cuda.is_available() is False")
def test_training_on_cuda_without_host_sync():
    device = torch.device("cuda")
    data = CircleData([1.0], device, torch.float32, angles=4096)
    model = ensemble(Shape(4, 64), [Member(0, 0.5, 0.1)], device)
    index = torch.randint(4096, (1, 64), device=device)
    frozen = model.initial(data.inputs[index])
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(10):
            model.step(data.inputs[index], data.targets(index), frozen)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    losses = train(ensemble(Shape(4, 64), [Member(0, 0.5, 0.1)], device), data, [0, 200], 64).loss
    # Samples differ between devices, the law does not; the first loss is that of no network at all.
    assert losses[0, 0] == pytest.approx(variance(1.5), rel=1e-5)
    assert losses[0, 1] < 0.2 * losses[0, 0]


def test_runs_of_later_seeds_go_on_where_the_first_ones_end():
    short = dataclasses.replace(RUN, steps=50)
    first, second = dataclasses.replace(short, seeds=1).up_to(2)
    assert first == dataclasses.replace(short, seeds=1)
    assert '"first_seed":1' in canonical_json(second) and "first_seed" not in canonical_json(first)
    whole = short.run(Monitor())["loss"]
    for expected, part in zip(whole, (first, second), strict=True):
        # An ensemble of two sums in another order than one of one, in float32.
        np.testing.assert_allclose(part.run(Monitor())["loss"][0], expected, rtol=1e-4)
