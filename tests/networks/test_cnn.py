"""Convolutional networks: gradients, the lazy limit, kernels, what stays put when width changes."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, conv2d

from neural_scaling.base.checks import InputError
from neural_scaling.networks.cnn import ImageShape, image_ensemble
from neural_scaling.networks.mlp import Member
from oracles.plain_activations import FUNCTIONS, gain, given

CPU = torch.device("cpu")
DOUBLE = torch.float64
SHAPE = ImageShape(3, size=12, channels=2, outputs=4)


def plain(weights, x, shape, gamma0, phi=torch.relu):
    """Return the outputs of one network, uncentred, written as the formulas are."""
    c = gain(phi)
    image = x.view(-1, shape.size, shape.size, shape.channels).permute(0, 3, 1, 2)
    first, second = (weight.permute(0, 3, 1, 2) for weight in weights[:2])
    h = conv2d(image, first) / (9 * shape.channels) ** 0.5
    h = conv2d(c * avg_pool2d(phi(h), 2), second) / (9 * shape.width) ** 0.5
    below = (c * avg_pool2d(phi(h), 2)).permute(0, 2, 3, 1).flatten(1)
    h = below @ weights[2] / below.shape[1] ** 0.5
    return c * phi(h) @ weights[3] / (8 * shape.width * gamma0)


def batch(shape=SHAPE, members=2, count=6):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(members, count, shape.inputs, generator=generator, dtype=DOUBLE)
    return x, torch.randn(members, count, shape.outputs, generator=generator, dtype=DOUBLE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_gradient_of_the_centred_model_is_that_of_autograd_on_the_plain_one(name):
    members, phi = [Member(0, 0.7, 0.01), Member(3, 2.0, 0.02)], FUNCTIONS[name]
    model = image_ensemble(replace(SHAPE, activation=given(name)), members, CPU, DOUBLE)
    x, y = batch()
    frozen = model.raw(x)
    torch.testing.assert_close(model.centred(x, frozen), torch.zeros_like(y))
    for _ in range(3):
        before = [weight.clone() for weight in model.weights]
        error = model.step(x, y, frozen)
        torch.testing.assert_close(model.initial(x), frozen)  # of the initial weights at any time
        for number, member in enumerate(members):
            weights = [weight[number].clone().requires_grad_(True) for weight in before]
            output = plain(weights, x[number], SHAPE, member.richness, phi)
            residual = y[number] - output + frozen[number] / member.richness
            gradients = torch.autograd.grad((residual**2).sum(1).mean() / 2, weights)
            assert float(error[number]) == pytest.approx(float((residual**2).mean().detach()), rel=1e-10)
            rate = member.eta * 8 * SHAPE.width * member.richness**2
            for old, gradient, new in zip(weights, gradients, model.weights, strict=True):
                torch.testing.assert_close(new[number], (old - rate * gradient).detach(), rtol=1e-10, atol=1e-13)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # which torch.func.jvp calls itself
@pytest.mark.parametrize("name", ["relu", "tanh", "power"])
def test_linearised_network_is_the_expansion_that_torch_func_makes(name):
    members = [Member(0, 0.0, 0.3), Member(4, 0.0, 0.1)]
    model = image_ensemble(replace(SHAPE, activation=given(name)), members, CPU, DOUBLE)
    x, y = batch()
    frozen = model.initial(x)
    for _ in range(3):
        model.step(x, y, frozen)
    for number, member in enumerate(members):
        weights = [weight[number] for weight in model.weights]

        def output(weights, rows=x[number]):
            return plain(weights, rows, SHAPE, 1.0, FUNCTIONS[name])

        moved = [torch.zeros_like(weight) for weight in weights]
        for _ in range(3):
            _, f = torch.func.jvp(output, (weights,), (moved,))
            _, pullback = torch.func.vjp(output, weights)
            (gradients,) = pullback((y[number] - f) / f.shape[0])
            moved = [old + member.eta * 8 * SHAPE.width * new for old, new in zip(moved, gradients, strict=True)]
        for expected, found in zip(moved, model.state, strict=True):
            torch.testing.assert_close(found[number], expected, rtol=1e-9, atol=1e-12)
        _, f = torch.func.jvp(output, (weights,), (moved,))
        torch.testing.assert_close(model.centred(x, frozen)[number], f, rtol=1e-9, atol=1e-12)


def test_small_richness_tends_to_the_linearised_network():
    x, y = batch(members=1)
    outputs = {}
    for richness in (0.0, 3e-4, 6e-4):
        model = image_ensemble(SHAPE, [Member(5, richness, 0.2)], CPU, DOUBLE)
        frozen = model.initial(x)
        for _ in range(20):
            model.step(x, y, frozen)
        outputs[richness] = model.centred(x, frozen)
    near, far = (float((outputs[value] - outputs[0.0]).norm() / outputs[0.0].norm()) for value in (3e-4, 6e-4))
    assert 0 < near < 0.02
    assert far / near == pytest.approx(2, rel=0.1)  # the first correction is linear in gamma_0


@pytest.mark.parametrize("name", ["relu", "gelu", "sine"])
def test_kernels_are_those_of_torch_func(name, monkeypatch):
    model = image_ensemble(replace(SHAPE, activation=given(name)), [Member(2, 0.5, 0.1)], CPU, DOUBLE)
    x = batch(members=1)[0][0]
    weights = [weight[0] for weight in model.weights]
    jacobian = torch.func.jacrev(lambda parameters: plain(parameters, x, SHAPE, 1.0, FUNCTIONS[name]))(weights)
    rows = torch.cat([part.flatten(2) for part in jacobian], dim=2)
    expected = 8 * SHAPE.width * torch.einsum("acp,bdp->acbd", rows, rows)
    count = x.shape[0] * SHAPE.outputs
    torch.testing.assert_close(model.tangent_kernel(x)[0], expected.reshape(count, count), rtol=1e-9, atol=1e-12)
    mean = torch.einsum("acbc->ab", expected) / SHAPE.outputs
    torch.testing.assert_close(model.mean_kernel(x)[0], mean, rtol=1e-9, atol=1e-12)
    monkeypatch.setattr("neural_scaling.networks.cnn._BLOCK", 4)
    monkeypatch.setattr("neural_scaling.networks.cnn._JACOBIAN_BYTES", 5000)  # a few filters at a time
    torch.testing.assert_close(model.mean_kernel(x)[0], mean, rtol=1e-9, atol=1e-12)


def test_function_and_features_move_alike_at_any_width():
    # Fixed steps on fixed data: changes of f, and of hidden arguments relative to gamma_0, do not depend on N.
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 8, 144, generator=generator)
    y = torch.eye(10)[torch.arange(8)][None]
    widths, moved, features = (8, 16, 32, 64), [], []
    for width in widths:
        members = [Member(seed, 1.0, 0.1) for seed in range(6)]
        model = image_ensemble(ImageShape(width, 12, 1), members, CPU)
        together = x.expand(6, -1, -1)
        frozen = model.initial(together)
        before = [values(model, x[0], number) for number in range(6)]
        for _ in range(4):
            model.step(together, y.expand(6, -1, -1), frozen)
        moved.append(float(model.centred(together, frozen).norm()))
        change = [(values(model, x[0], number) - before[number]).square().mean() for number in range(6)]
        features.append(float(torch.stack(change).mean().sqrt()))
    for quantity in (moved, features):
        slope = np.polyfit(np.log(widths), np.log(quantity), 1)[0]
        assert abs(slope) < 0.15, quantity  # standard scaling would give +-1/2


def values(model, x, number):
    """Return the arguments of the last hidden layer, in units of order one."""
    weights = model._of(number, model.weights)
    flat = model._forward(x, weights)[0].flat
    return flat @ weights[2] * (model.shape.scale * model.shape.readout / math.sqrt(2))


def test_kernel_at_the_start_does_not_depend_on_width():
    x = torch.randn(8, 144, generator=torch.Generator().manual_seed(3))
    traces = []
    for width in (16, 64):
        model = image_ensemble(ImageShape(width, 12, 1), [Member(seed, 1.0, 0.1) for seed in range(24)], CPU)
        traces.append(float(model.mean_kernel(x).diagonal(dim1=1, dim2=2).mean()))
    assert traces[0] == pytest.approx(traces[1], rel=0.15)  # networks of width 16 scatter by a third
    assert 1 < traces[-1] < 4  # four layers of at most one each; pools average some of it away


def test_bad_members():
    for members, message in (
        ([], "members: got 0; give at least 1"),
        ([Member(0, 0.0, 0.1), Member(0, 1.0, 0.1)], "richness: is positive for a member"),
        ([Member(0, 1.0, 0.1), Member(0, 0.0, 0.1)], "richness: is 0 for a member"),
    ):
        with pytest.raises(InputError, match=message):
            image_ensemble(SHAPE, members, CPU)
    with pytest.raises(InputError, match="seed: got -1"):
        Member(-1, 1.0, 0.1)


def test_precision_is_what_the_richness_asks_for():
    assert image_ensemble(SHAPE, [Member(0, 1e-3, 0.1)], CPU).dtype == DOUBLE
    assert image_ensemble(SHAPE, [Member(0, 1e-2, 0.1)], CPU).dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: torch.cuda.is_available() is False")
@pytest.mark.parametrize("richness", [0.0, 0.5])
def test_cuda_agrees_and_does_not_wait_for_the_host(richness):
    device = torch.device("cuda")
    x, y = (part.float() for part in batch(members=1))
    losses = {}
    for place in (CPU, device):
        model = image_ensemble(SHAPE, [Member(0, richness, 0.1)], place)
        there, targets = x.to(place), y.to(place)
        frozen = model.initial(there)
        model.step(there, targets, frozen)
        if place.type == "cuda":
            torch.cuda.synchronize()
            torch.cuda.set_sync_debug_mode("error")
        try:
            for _ in range(9):
                error = model.step(there, targets, frozen)
        finally:
            if place.type == "cuda":
                torch.cuda.set_sync_debug_mode("default")
        losses[place.type] = float(error[0])
    assert losses["cuda"] == pytest.approx(losses["cpu"], rel=1e-4)
