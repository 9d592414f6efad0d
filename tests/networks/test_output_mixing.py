"""Outputs that move each other: against small steps, against one kernel for all, and against networks in training."""

import dataclasses

import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.networks.cnn import ImageShape, image_ensemble
from neural_scaling.networks.image_batches import ImageData
from neural_scaling.networks.image_kernel import TIMES
from neural_scaling.networks.image_runs import MixingRun
from neural_scaling.networks.mlp import Member
from neural_scaling.networks.output_mixing import mixing_curves
from pictures import made_up

OUTPUTS = 3


def drawn(rows):
    random = np.random.default_rng(4)
    features, targets = random.standard_normal((rows, OUTPUTS, 40)), random.standard_normal((rows, OUTPUTS))
    return np.einsum("acp,bdp->acbd", features, features), targets


def test_flow_of_the_whole_kernel_is_that_of_small_steps():
    count, time = 6, np.array([1e-9, 0.1])
    kernel, targets = drawn(10)
    whole = kernel.reshape(30, 30)
    part = slice(0, count * OUTPUTS), slice(count * OUTPUTS, 30)
    train, test = mixing_curves(whole[part[0], part[0]], targets[:6], whole[part[1], part[0]], targets[6:], time)
    np.testing.assert_allclose(train[:, 0], np.mean(targets[:6] ** 2))
    np.testing.assert_allclose(test[:, 0], np.mean(targets[6:] ** 2))
    f, y = np.zeros(30), targets.ravel()
    for _ in range(1000):
        f += 1e-4 * whole[:, part[0]] @ (y - f)[part[0]] / count
    left = (y - f) ** 2
    # A thousand steps of the largest eigenvalue times h, 1e-3, are off by half of that.
    assert (train[2, 1], test[2, 1]) == pytest.approx((left[part[0]].mean(), left[part[1]].mean()), rel=1e-2)
    own = []
    for one in range(OUTPUTS):
        f = np.zeros(10)
        for _ in range(1000):
            f += 1e-4 * kernel[:, one, :6, one] @ (targets[:, one] - f)[:6] / count
        own.append((targets[:, one] - f) ** 2)
    assert train[1, 1] == pytest.approx(np.mean([left[:6] for left in own]), rel=1e-2)
    assert test[1, 1] == pytest.approx(np.mean([left[6:] for left in own]), rel=1e-2)


def test_one_kernel_for_all_outputs_mixes_nothing():
    kernel, targets = drawn(10)
    alike = np.kron(kernel[:, 0, :, 0], np.eye(OUTPUTS))
    for curves in mixing_curves(alike[:18, :18], targets[:6], alike[18:, :18], targets[6:], np.array([0.01, 0.1, 1.0])):
        np.testing.assert_allclose(curves[1:], curves[:1].repeat(2, axis=0), rtol=1e-9)


def test_a_linearised_network_in_training_follows_the_whole_kernel():
    # Full-batch steps small enough for flow: eta_0 lambda is about 0.05, and each step is off by half of that of itself.
    data = ImageData(made_up(images=12), torch.device("cpu"), torch.float64, test=5)
    eta, steps = 0.01, 400
    model = image_ensemble(ImageShape(3, 12, 3, 4), [Member(1, 0.0, eta)], torch.device("cpu"), torch.float64)
    index = torch.arange(12)
    x, y = data.take(index), data.targets(index)
    kernel = model.tangent_kernel(torch.cat([x, data.test_inputs]))[0].numpy()
    for _ in range(steps):
        model.step(x[None], y[None], model.initial(x[None]))
    left = data.loss(model.centred(data.test_inputs[None], model.initial(data.test_inputs[None])))
    _, test = mixing_curves(
        kernel[:48, :48], y.numpy(), kernel[48:, :48], data.test_targets.numpy(), np.array([eta * steps])
    )
    assert float(left) == pytest.approx(test[2, 0], rel=2e-3)
    # The mean kernel does not tell: at width 3 outputs differ and move each other.
    assert abs(float(left) / test[0, 0] - 1) > 0.02


def test_runs(monkeypatch):
    monkeypatch.setattr("neural_scaling.data.load", lambda name, size=None: made_up(name=name))
    run = MixingRun("made-up", 12, 3, 0)
    arrays = run.run(Monitor())
    shapes = {"train": (3, TIMES.size), "test": (3, TIMES.size), "diagonal": (32,)}
    assert {name: values.shape for name, values in arrays.items()} == shapes
    assert arrays["train"][:, -1].max() < arrays["train"][:, 0].min()
    assert run.deviation(arrays, run.slice().run(Monitor())) < run.tolerance
    assert run.deviation(arrays, dataclasses.replace(run.slice(), seed=1).run(Monitor())) > 1e-2


def test_bad_input():
    with pytest.raises(InputError, match="kernel: 5 rows"):
        mixing_curves(np.eye(5), np.zeros((3, 2)), np.zeros((2, 6)), np.zeros((1, 2)), TIMES)
