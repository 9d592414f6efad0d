"""Networks with activations by name or as functions: gradients, kernels, the lazy limit, and what is refused."""

import numpy as np
import pytest
import torch

from neural_scaling.base.checks import InputError
from neural_scaling.networks.activations import Elementwise, PowerReLU, activation
from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.networks.training import train
from oracles.plain_activations import FUNCTIONS, gain, given

DOUBLE = torch.float64


def plain(weights, x, shape, phi):
    """The output of one network, as the formulas are."""
    c = gain(phi)
    h = x @ weights[0] / shape.inputs**0.5
    for weight in weights[1:-1]:
        h = c * phi(h) @ weight / shape.width**0.5
    return (c * phi(h) @ weights[-1])[:, 0] / shape.width


def numbers(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=DOUBLE)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_step_and_kernel_are_those_of_autograd(name):
    shape, member, phi = Shape(4, 12, 3, activation=given(name)), Member(2, 0.7, 0.05), FUNCTIONS[name]
    model = ensemble(shape, [member], "cpu", DOUBLE)
    x, y = numbers(1, 9, 3), numbers(1, 9)
    weights = [weight[0].clone().requires_grad_() for weight in model.weights]
    torch.testing.assert_close(model.raw(x)[0], plain(weights, x[0], shape, phi).detach(), rtol=1e-9, atol=1e-12)
    jacobian = torch.func.jacrev(lambda these: plain(these, x[0], shape, phi))(weights)
    rows = torch.cat([part.flatten(1) for part in jacobian], dim=1).detach()
    torch.testing.assert_close(model.tangent_kernel(x[0])[0], shape.width * rows @ rows.T, rtol=1e-9, atol=1e-12)
    frozen = model.initial(x)
    model.step(x, y, frozen)
    residual = y[0] - (plain(weights, x[0], shape, phi) - frozen[0]) / member.richness
    gradients = torch.autograd.grad((residual**2).mean() / 2, weights)
    rate = member.eta * shape.width * member.richness**2
    for old, gradient, new in zip(weights, gradients, model.weights, strict=True):
        torch.testing.assert_close(new[0], (old - rate * gradient).detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["tanh", "sine"])
def test_small_richness_tends_to_the_linearised_network(name):
    data = CircleData([0.9], torch.device("cpu"), DOUBLE, angles=256, test_angles=64)
    curves = []
    for richness in (0.0, 1e-4, 1e-3):
        model = ensemble(Shape(3, 16, activation=given(name)), [Member(1, richness, 0.1)], "cpu", DOUBLE)
        curves.append(train(model, data, [1, 10, 60], 16).loss[0])
    away = [np.max(np.abs(curve / curves[0] - 1)) for curve in curves[1:]]
    # Without kinks the approach is smooth: of first order in the richness.
    assert away[1] / away[0] == pytest.approx(10, rel=0.1)
    assert away[0] < 1e-3


def test_a_rectifier_by_any_name_is_the_same_network():
    x = numbers(1, 5, 2)
    expected = ensemble(Shape(3, 8), [Member(0, 1.0, 0.1)], "cpu", DOUBLE).raw(x)
    for same in ("relu", 1, 1.0, PowerReLU(1.0)):
        assert torch.equal(
            ensemble(Shape(3, 8, activation=same), [Member(0, 1.0, 0.1)], "cpu", DOUBLE).raw(x), expected
        )
    by_function = ensemble(Shape(3, 8, activation=torch.relu), [Member(0, 1.0, 0.1)], "cpu", DOUBLE).raw(x)
    torch.testing.assert_close(
        by_function, expected, rtol=1e-6, atol=0
    )  # the constant by the trapezoid rule, at a kink
    steep = ensemble(Shape(3, 8, activation=1.4), [Member(0, 1.0, 0.1)], "cpu", DOUBLE).raw(x)
    assert torch.equal(steep, ensemble(Shape(3, 8, power=1.4), [Member(0, 1.0, 0.1)], "cpu", DOUBLE).raw(x))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("swish", "got 'swish'; use relu, tanh, gelu, softplus, or a function"),
        (0.5, "got 0.5; use relu, tanh, gelu, softplus, a power of ReLU above 1/2, or a function"),
        (None, "got None"),
        (True, "got True"),
        (torch.cumsum, "the function fails on a tensor"),
        (lambda h: h.sum(), "it is not one number from one"),
        (lambda h: h.softmax(0) + h.cumsum(0), "it is not one number from one"),
        (lambda h: 0 * h, "it has no mean square"),
        (lambda h: 1 / (h - h), "it has no mean square"),
    ],
)
def test_what_is_refused(wrong, message):
    with pytest.raises(InputError, match=f"activation: {message}"):
        activation(wrong)


def test_activation_and_power_exclude_each_other():
    with pytest.raises(InputError, match="power: got 2 beside an activation"):
        Shape(3, 8, power=2.0, activation="tanh")
    assert Shape(3, 8, activation="tanh").phi == Elementwise("tanh")
