"""Gradients, the lazy limit, the tangent kernel and what stays put when width changes."""

import numpy as np
import pytest
import torch

from neural_scaling.networks.activations import PowerReLU
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.circle_kernel import circle_kernel
from neural_scaling.networks.kernels import circle_cosines, circle_spectrum, kernel_sharpness, kernel_trace
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.networks.training import train

CPU = torch.device("cpu")
DOUBLE = torch.float64


def plain(weights, x, shape, gamma0):
    """Return the output of one network, uncentred, written as the formulas are."""
    gain = PowerReLU(shape.power).gain
    h = x @ weights[0] / shape.inputs**0.5
    for weight in weights[1:-1]:
        h = gain * h.clamp(min=0) ** shape.power @ weight / shape.width**0.5
    return (gain * h.clamp(min=0) ** shape.power @ weights[-1])[:, 0] / (gamma0 * shape.width)


def batch(shape, count=12):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, count, shape.inputs, generator=generator, dtype=DOUBLE)
    return x, torch.randn(2, count, generator=generator, dtype=DOUBLE)


@pytest.mark.parametrize("power", [0.72, 1.0, 1.8])
@pytest.mark.parametrize("depth", [2, 4])
def test_gradient_of_the_centred_model_is_that_of_autograd_on_the_plain_one(power, depth):
    shape = Shape(depth, 16, 3, power)
    members = [Member(0, 0.7, 0.01), Member(3, 2.0, 0.02)]
    model = ensemble(shape, members, CPU, DOUBLE)
    x, y = batch(shape)
    frozen = model.initial(x)
    for _ in range(3):
        before = [weight.clone() for weight in model.weights]
        error = model.step(x, y, frozen)
        for number, member in enumerate(members):
            weights = [weight[number].clone().requires_grad_(True) for weight in before]
            residual = y[number] - plain(weights, x[number], shape, member.richness) + frozen[number] / member.richness
            gradients = torch.autograd.grad((residual**2).mean() / 2, weights)
            assert float(error[number]) == pytest.approx(float((residual**2).mean().detach()), rel=1e-10)
            rate = member.eta * shape.width * member.richness**2
            for old, gradient, new in zip(weights, gradients, model.weights, strict=True):
                torch.testing.assert_close(new[number], (old - rate * gradient).detach(), rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("power", [0.8, 1.0, 1.4])
def test_tangent_kernel_is_that_of_torch_func(power):
    shape = Shape(4, 12, 2, power)
    model = ensemble(shape, [Member(2, 0.5, 0.1)], CPU, DOUBLE)
    x = batch(shape)[0][0]
    weights = [weight[0] for weight in model.weights]
    jacobian = torch.func.jacrev(lambda parameters: plain(parameters, x, shape, 1.0))(weights)
    rows = torch.cat([part.flatten(1) for part in jacobian], dim=1)
    torch.testing.assert_close(model.tangent_kernel(x)[0], shape.width * rows @ rows.T, rtol=1e-9, atol=1e-12)


def test_lazy_limit_is_the_kernel_predictor_with_the_empirical_kernel():
    # Full kernel on all 48 inputs of the stream: f moves by eta_0 K (y - f) on the batch, nothing else.
    shape, eta, size, steps = Shape(3, 24), 0.3, 6, 150
    model = ensemble(shape, [Member(1, 0.0, eta)], CPU, DOUBLE)
    data = CircleData([0.9], CPU, DOUBLE, angles=48, test_angles=16)
    kernel = model.tangent_kernel(torch.cat([data.inputs, data.test_inputs]))[0].numpy()
    drawn = []
    targets = data.targets

    def seen(index):
        drawn.append(index.numpy()[0])
        return targets(index)

    data.targets = seen
    outcome = train(model, data, [0, steps], size)
    f = np.zeros(kernel.shape[0])
    y = targets(torch.arange(48)[None])[0].numpy()
    for index in drawn:
        f += eta / size * kernel[:, index] @ (y[index] - f[index])
    assert len(drawn) == steps
    expected = data.loss(torch.from_numpy(f[None, 48:]))
    assert outcome.loss[0, -1] == pytest.approx(float(expected), rel=1e-9)


def test_small_richness_tends_to_the_linearised_network():
    data = CircleData([0.9], CPU, DOUBLE, angles=256, test_angles=64)
    curves = []
    for gamma0 in (0.0, 1e-4, 1e-3):
        model = ensemble(Shape(4, 32), [Member(1, gamma0, 0.1)], CPU, DOUBLE)
        curves.append(train(model, data, [1, 10, 100], 16).loss[0])
    away = [np.max(np.abs(curve / curves[0] - 1)) for curve in curves[1:]]
    assert away[0] < 1e-3  # a few kinks of the activation are crossed, so the approach is not smooth
    assert away[0] < away[1] < 1e-2


def changes(width, gamma0=1.0, seeds=3, steps=8):
    """Return how far features of the last layer and outputs have moved after some steps, root mean squares over seeds."""
    shape = Shape(3, width)
    model = ensemble(shape, [Member(seed, gamma0, 0.2) for seed in range(seeds)], CPU)
    data = CircleData([1.5] * seeds, CPU, torch.float32, angles=256, test_angles=32)
    x = data.test_inputs.expand(seeds, -1, -1)
    before, raw = model.arguments(x)[-1], model.raw(x)
    train(model, data, [steps], 64)
    features = (model.arguments(x)[-1] - before).square().mean().sqrt()
    return float(features), float(model.centred(x, raw).square().mean().sqrt())


def test_coordinate_check():
    widths = np.array([64, 256, 1024])
    moved = np.array([changes(int(width)) for width in widths])
    slopes = np.polyfit(np.log(widths), np.log(moved), 1)[0]
    # Flat in muP. In the standard parametrization features would move as N^(-1/2), with a fixed rate as N^(+1/2).
    assert np.all(np.abs(slopes) < 0.1)
    assert np.all(moved > 0.1)


def test_richness_sets_how_far_features_move():
    little, much = changes(256, gamma0=0.01)[0], changes(256, gamma0=0.1)[0]
    assert much / little == pytest.approx(10, rel=0.05)  # first order in gamma0


def test_loss_curves_coincide_across_widths():
    curves = []
    for width in (128, 512):
        model = ensemble(Shape(3, width), [Member(seed, 0.5, 0.1) for seed in range(3)], CPU)
        data = CircleData([1.0] * 3, CPU, torch.float32, angles=1024, test_angles=128)
        curves.append(train(model, data, [5, 20, 80], 64).loss.mean(0))
    # Corrections are of order 1/N: some per cent at N = 128, where a wrong power of N would be a factor.
    assert np.max(np.abs(curves[0] / curves[1] - 1)) < 0.15


def test_kernel_of_a_wide_network_is_that_of_the_infinite_one():
    model = ensemble(Shape(4, 512), [Member(seed, 1.0, 0.1) for seed in range(4)], CPU)
    angles = 2 * np.pi * np.arange(64) / 64
    x = torch.tensor(2**0.5 * np.stack([np.cos(angles), np.sin(angles)], axis=1), dtype=torch.float32)
    kernel = model.tangent_kernel(x)
    infinite = circle_kernel(4, 1.0, modes=8, angles=4096)
    spectrum = circle_spectrum(kernel).mean(0).numpy()
    # Fluctuations are of order (4 N)^(-1/2) = 2 %, the mean is shifted by a few 1/N; 5 % leaves room for both.
    np.testing.assert_allclose(spectrum[:4], infinite.tangent[:4], rtol=0.1)
    np.testing.assert_allclose(circle_cosines(kernel, 3).mean(0).numpy(), infinite.tangent[:4], rtol=0.1)
    assert float(kernel_trace(kernel).mean()) == pytest.approx(infinite.trace, rel=0.1)
    assert float(kernel_sharpness(kernel).mean()) == pytest.approx(infinite.tangent[0], rel=0.1)


@pytest.mark.parametrize("count", [9, 16])
def test_what_a_kernel_makes_of_cosines(count):
    root = torch.randn(2, count, count, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    kernel = root @ root.transpose(1, 2)
    modes = (count - 1) // 2
    found = circle_cosines(kernel, modes).numpy()
    for k in range(modes + 1):
        wave = np.cos(2 * np.pi * k * np.arange(count) / count)
        slow = [wave @ one.numpy() @ wave / count**2 / (wave**2).mean() for one in kernel]
        np.testing.assert_allclose(found[:, k], slow, rtol=1e-12)
    wave = np.cos(4 * np.pi * np.arange(count) / count)
    learned = torch.tensor(np.outer(wave, wave))[None]  # cos 2 alone: the mean of cosine and sine has half of it
    expected = np.where(np.arange(modes + 1) == 2, 0.5, 0.0)
    np.testing.assert_allclose(circle_cosines(learned, modes)[0].numpy(), expected, atol=1e-15)
    assert circle_spectrum(learned)[0, 2].item() == pytest.approx(0.25)
