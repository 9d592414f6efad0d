"""Width and richness enter as muP says, and bad values are refused."""

import math

import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.base.devices import find_device
from neural_scaling.networks.activations import PowerReLU
from neural_scaling.networks.mlp import LinearisedEnsemble, Member, MLPEnsemble, Shape, ensemble, initial_weights
from neural_scaling.networks.parametrization import Parametrization, precision

CPU = torch.device("cpu")


def test_scales():
    scale = Parametrization(width=256, richness=0.5, eta=0.1)
    assert scale.output_scale == 1 / 128
    assert scale.learning_rate == pytest.approx(0.1 * 256 * 0.25)
    linear = Parametrization(width=256, richness=0.0, eta=0.1)
    assert linear.linearised
    assert linear.learning_rate * linear.output_scale**2 == pytest.approx(0.1 / 256)
    assert precision(1e-3) == "float64"
    assert precision(0.0) == precision(0.1) == "float32"


@pytest.mark.parametrize("power", [0.6, 0.72, 1.0, 1.8])
def test_activation_has_unit_second_moment(power):
    h = torch.linspace(0, 30, 300_001, dtype=torch.float64)
    activation = PowerReLU(power)
    phi = activation.gain * activation.evaluate(h.clone(), torch.empty_like(h))
    moment = torch.trapezoid(phi**2 * torch.exp(-(h**2) / 2), h) / math.sqrt(2 * math.pi)
    assert float(moment) == pytest.approx(1, abs=1e-6)  # the trapezoid rule at the kink


def test_the_same_training_in_the_terms_of_mup():
    # What microsoft/mup does, written out: readout weights of variance 1/N_0 divided by N/N_0, rates of vector-like
    # weights times N/N_0, of matrix-like ones unchanged.
    base, width, inputs, gamma0, eta = 8, 32, 2, 0.7, 0.2
    settings = Parametrization(width, gamma0, eta).as_mup(base, inputs)
    shape = Shape(3, width, inputs)
    drawn = [weight.double() for weight in initial_weights(shape, 4)]
    ratio = width / base
    mup = [drawn[0] / math.sqrt(inputs), drawn[1] / math.sqrt(width), drawn[2] / math.sqrt(base)]
    mup = [weight.clone().requires_grad_(True) for weight in mup]
    rates = [settings.lr_input * ratio, settings.lr, settings.lr * ratio]
    gain = PowerReLU().gain

    def output(x):
        h = gain * torch.relu(x @ mup[0])
        h = gain * torch.relu(h @ mup[1])
        return (settings.output_mult * h @ mup[2] / ratio)[:, 0]

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(16, inputs, generator=generator, dtype=torch.float64)
    y = torch.randn(16, generator=generator, dtype=torch.float64)
    ours = MLPEnsemble(shape, [Member(4, gamma0, eta)], CPU, torch.float64)
    frozen = ours.initial(x[None])
    start = output(x).detach()
    for _ in range(20):
        loss = ((y - output(x) + start) ** 2).mean() / 2
        for weight, rate, gradient in zip(mup, rates, torch.autograd.grad(loss, mup), strict=True):
            weight.data -= rate * gradient
        ours.step(x[None], y[None], frozen)
    # Two ways to write the same numbers: rounding only.
    torch.testing.assert_close(ours.centred(x[None], frozen)[0], (output(x) - start).detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Parametrization(8, 0.0, 0.1).as_mup(8, 2), "richness: is 0"),
        (lambda: ensemble(Shape(3, 8), [Member(0, 0.0, 0.1), Member(0, 1.0, 0.1)], CPU), "richness"),
        (lambda: MLPEnsemble(Shape(3, 8), [Member(0, 0.0, 0.1)], CPU), "LinearisedEnsemble"),
        (lambda: LinearisedEnsemble(Shape(3, 8), [Member(0, 1.0, 0.1)], CPU), "MLPEnsemble"),
        (lambda: find_device("cpu:x"), "device: got 'cpu:x'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_cuda_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert find_device("auto") == CPU
    with pytest.raises(InputError, match="device: cuda asked for, but"):
        find_device("cuda")
    with pytest.raises(InputError, match="mps"):
        find_device("mps")
