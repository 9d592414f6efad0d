"""Training: bit-equal after a stop, diverging with a clear error, weights that are checked."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.data.digits.denoiser import Denoiser, Shape
from neural_scaling.data.digits.optimization import Optimization, TrainingDiverged, train
from neural_scaling.data.digits.runs import MODELS
from neural_scaling.data.digits.sampler import Sampler
from neural_scaling.data.digits.weights import digest, pack, unpack

pytestmark = pytest.mark.slow

FULL = MODELS["full"]


def test_training_lowers_the_loss_and_the_seed_decides(tiny):
    longer = replace(tiny, steps=200, until=200)
    arrays = longer.run(Monitor())
    # Velocities have variance one. The loss of a block is a mean over a hundred batches.
    assert arrays["loss"][-1] < 0.9 * arrays["first"].mean()
    assert arrays["step"].tolist() == [100, 200]
    assert digest(tiny.run(Monitor())) == digest(tiny.run(Monitor()))
    assert digest(tiny.run(Monitor())) != digest(replace(tiny, seed=1).run(Monitor()))


def test_the_slice_repeats_the_first_steps_and_the_comparison_can_fail(tiny):
    arrays = tiny.run(Monitor())
    assert tiny.deviation(arrays, tiny.slice().run(Monitor())) < 1e-6
    assert tiny.deviation(arrays, replace(tiny.slice(), seed=1).run(Monitor())) > tiny.tolerance


def test_the_full_model_takes_a_few_steps_and_draws(tiny):
    arrays = replace(FULL, batch=2, until=2).run(Monitor())
    assert np.isfinite(arrays["first"]).all() and arrays["first"].size == 2
    denoiser = Denoiser(Shape(FULL.features)).eval()
    unpack(arrays, denoiser)
    drawn = Sampler(denoiser, FULL.noise, 2, 1.0, 0.5, FULL.darkest).draw(
        np.array([3], np.uint8), np.random.default_rng(0)
    )
    assert drawn.shape == (1, 28, 28, 1) and drawn.dtype == np.uint8


def test_the_shipped_weights_are_small():
    model = MODELS["reduced"]
    network = Denoiser(Shape(model.features))
    assert sum(weight.nbytes for weight in pack(network).values()) < 4_000_000


def test_a_loss_that_is_not_finite_ends_training_with_a_clear_error():
    network = nn.Linear(2, 1)

    def loss(step):
        return network(torch.ones(1, 2)).sum() * (float("nan") if step == 3 else 1.0)

    with pytest.raises(TrainingDiverged, match=r"nan at step 3 of 10 at learning rate 0\.1; give a smaller one"):
        train(network, loss, Optimization(10, 0.1, 0.0), Monitor())


def test_the_average_follows_the_weights():
    network = nn.Linear(1, 1, bias=False)
    seen = []

    def loss(step):
        seen.append(network.weight.item())
        return network.weight.sum()

    trained = train(network, loss, Optimization(40, 0.1, 0.5), Monitor())
    seen.append(network.weight.item())
    mean = seen[0]
    for step, weight in enumerate(seen[1:]):
        kept = min(0.5, (1 + step) / (10 + step))
        mean = kept * mean + (1 - kept) * weight
    assert trained.average.weight.item() == pytest.approx(mean, rel=1e-5)


def test_the_rate_rises_and_falls_to_zero():
    how = Optimization(1000, 1e-3, 0.9)
    rates = [how.rate_at(step) for step in range(1000)]
    assert max(rates) == pytest.approx(1e-3) and np.argmax(rates) in (99, 100)
    assert rates[0] == pytest.approx(1e-5) and 0 < rates[-1] < 1e-8


def test_weights_come_back_in_half_precision():
    one, other = nn.Conv2d(1, 3, 3), nn.Conv2d(1, 3, 3)
    unpack(pack(one), other)
    torch.testing.assert_close(other.weight, one.weight, rtol=2.0**-11, atol=1e-7)
    assert digest(pack(one)) == digest(pack(other))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda arrays: arrays.pop("weight bias"),
        lambda arrays: arrays.update({"weight more": np.zeros(1)}),
        lambda arrays: arrays.update({"weight bias": np.zeros(4, np.float16)}),
        lambda arrays: arrays.update({"weight bias": np.full(3, np.nan, np.float16)}),
    ],
)
def test_weights_that_do_not_fit_are_refused(spoil):
    arrays = pack(nn.Conv2d(1, 3, 3))
    spoil(arrays)
    with pytest.raises(InputError, match=r"^weights: "):
        unpack(arrays, nn.Conv2d(1, 3, 3))


def test_weights_too_large_for_half_precision_are_refused():
    network = nn.Linear(1, 1)
    nn.init.constant_(network.weight, 1e6)
    with pytest.raises(InputError, match="not finite in half precision"):
        pack(network)


def test_an_unknown_device_is_refused(tiny, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "abacus")
    with pytest.raises(InputError, match=r"^device: "):
        tiny.run(Monitor())
