"""Training on text: curves, resume, divergence, runs as values."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from neural_scaling import data as data_package
from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.data.text import Sequences
from neural_scaling.data.text_data import TextDataset
from neural_scaling.networks.language_runs import LanguageRun, NgramRun
from neural_scaling.networks.language_training import handed_over, on_host, train_language
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.transformer import Transformer, TransformerShape
from stopping import Interrupting, Resuming, Stopped

CPU = torch.device("cpu")
RUN = LanguageRun(
    dataset="cycles",
    context=8,
    depth=2,
    heads=2,
    head_size=8,
    residual=4.0,
    richness=0.1,
    eta=4.0,
    batch=8,
    steps=60,
    seed=3,
    test=5,
)


def cycles(count, seed):
    """Return text in which 12 tokens mostly follow each other in a circle."""
    generator = np.random.default_rng(seed)
    return (np.cumsum(generator.choice([1, 5], count, p=[0.9, 0.1])) % 12).astype(np.uint16)


@pytest.fixture(autouse=True)
def corpus(monkeypatch):
    made = TextDataset("cycles", 12, cycles(6000, 0), cycles(400, 1))
    monkeypatch.setattr(data_package, "load_text", lambda name: {"cycles": made}[name])


@pytest.mark.parametrize("richness", [1e-4, 0.1])
def test_a_run_that_goes_on_ends_with_the_same_bits(richness):
    run = dataclasses.replace(RUN, richness=richness)
    whole = run.run(Monitor())
    interrupting = Interrupting(3)
    with pytest.raises(Stopped):
        run.run(interrupting)
    assert 0 < int(interrupting.state["done"]) < run.steps
    again = run.run(Resuming(interrupting.state))
    assert set(whole) == set(again)
    for name, values in whole.items():
        np.testing.assert_array_equal(values, again[name])


def test_result_and_slice():
    counted = []
    monitor = Monitor()
    monitor.advance = counted.append
    arrays = RUN.run(monitor)
    assert sum(counted) == RUN.work == 60
    assert arrays["loss"].shape == (60,)
    assert arrays["loss"].dtype == arrays["held_out"].dtype == np.float32
    assert arrays["step"][-1] == 60
    assert arrays["moved"][0] == 0
    assert (
        0.05 < arrays["moved"][-1] < math.sqrt(2)
    )  # at gamma_0 = 0.1; what forgets its start moves by the root of two
    assert arrays["loss"][0] == pytest.approx(math.log(12), rel=1e-6)
    # Who knows the rule pays the entropy of one in ten, 0.33; who does not pays 2.48.
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert entropy - 0.1 < arrays["held_out"][-1] < 1.0
    assert arrays["loss"][-10:].mean() == pytest.approx(arrays["held_out"][-1], rel=0.3)
    part = RUN.slice()
    assert (part.steps, part.test) == (3, 2)
    assert RUN.deviation(arrays, part.run(Monitor())) == 0  # the same computation
    assert RUN.deviation(arrays, dataclasses.replace(part, eta=5.0).run(Monitor())) > RUN.tolerance


def test_every_loss_is_that_of_the_batch_before_its_step():
    shape = TransformerShape(12, 8, 1, 2, 4)
    model, follower = (Transformer(shape, Parametrization(8, 0.1, 1.0), 0, CPU) for _ in range(2))
    train = Sequences(cycles(600, 0), 8, 4, 7)
    held_out = Sequences(cycles(100, 1), 8, 4, 0).batch_at(0)
    outcome = train_language(model, train.batch_at, held_out, [0, 2, 6], CPU)
    for step in range(6):
        batch = torch.from_numpy(train.batch_at(step))
        if step in (0, 2):
            found = outcome.held_out[list(outcome.step).index(step)]
            assert found == pytest.approx(float(follower.evaluate(torch.from_numpy(held_out))[0].mean()), rel=1e-6)
        assert outcome.loss[step] == pytest.approx(float(follower.evaluate(batch)[0].mean()), rel=1e-6)
        follower.step(batch)


def test_divergence_is_a_result():
    arrays = dataclasses.replace(RUN, eta=3000.0).run(Monitor())
    first = int(arrays["diverged"])
    assert 0 < first < 60
    assert np.all(np.isfinite(arrays["loss"][:first]))
    assert np.all(np.isinf(arrays["loss"][first:]))
    assert np.isinf(arrays["held_out"][-1])
    assert not np.any(np.isnan(arrays["held_out"]))
    assert RUN.deviation(arrays, RUN.run(Monitor())) == np.inf


def test_small_richness_agrees_with_a_smaller_one():
    curves = [dataclasses.replace(RUN, richness=value).run(Monitor())["loss"] for value in (1e-4, 1e-3, 0.1)]
    np.testing.assert_allclose(curves[0], curves[1], rtol=5e-3)
    assert np.max(np.abs(curves[2] / curves[0] - 1)) > 0.02


def test_more_held_out_text_than_there_is():
    with pytest.raises(InputError, match="test: got 1000"):
        dataclasses.replace(RUN, test=1000).run(Monitor())


def test_counts_of_a_text_that_repeats_itself():
    run = NgramRun("cycles", 2000)
    single, pairs = run.run(Monitor())["loss"]
    assert pairs < 0.5 * single < 0.5 * math.log(12) + 0.1
    few = dataclasses.replace(run, tokens=100).run(Monitor())
    assert few["loss"][1] > pairs
    assert run.slice() == run
    assert run.deviation({"loss": np.array([single, pairs])}, run.run(Monitor())) == 0
    assert run.deviation(few, run.run(Monitor())) > 1e-3


def test_steps_that_are_not_ascending():
    model = Transformer(TransformerShape(12, 8, 1, 2, 4), Parametrization(8, 0.1, 1.0), 0, CPU)
    train = Sequences(cycles(600, 0), 8, 4, 7)
    with pytest.raises(InputError, match="recorded"):
        train_language(model, train.batch_at, train.batch_at(0), [0, 3, 3], CPU)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch.cuda.is_available() is False")
def test_a_step_on_cuda_is_that_of_the_processor_and_does_not_wait():
    shape, device = TransformerShape(64, 32, 2, 4, 16), torch.device("cuda")
    here, there = (Transformer(shape, Parametrization(64, 0.1, 4.0), 0, place) for place in (CPU, device))
    batches = [on_host(Sequences(cycles(3000, 0), 32, 8, 0).batch_at(step), device) for step in range(4)]
    first = handed_over(batches[0], device)
    there.evaluate(first)  # libraries are loaded
    there.step(first)
    losses = [float(here.step(batch)) for batch in batches]
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        found = [there.step(handed_over(batch, device)) for batch in batches[1:]]
    finally:
        torch.cuda.set_sync_debug_mode("default")
    np.testing.assert_allclose([float(loss) for loss in found], losses[1:], rtol=1e-4)
