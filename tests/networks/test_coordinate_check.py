"""Mean-field scaling passes the coordinate check and keeps its learning rate; the standard parametrization does neither."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from neural_scaling.base.checks import InputError
from neural_scaling.networks.coordinate_check import (
    LearningRateTransfer,
    coordinate_check,
    draw_coordinate_check,
    draw_learning_rate_transfer,
    learning_rate_transfer,
)
from neural_scaling.networks.mlp import Shape, initial_weights

GAIN = math.sqrt(2)


class Factor(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return x * self.factor


def mean_field(width):
    """The library's perceptron: weights of variance one with factors in front."""
    weights = initial_weights(Shape(3, width, 4), int(torch.randint(2**31, (1,))))
    dense = [nn.Linear(*weight.shape, bias=False) for weight in weights]
    with torch.no_grad():
        for layer, weight in zip(dense, weights, strict=True):
            layer.weight.copy_(weight.T)
    first, second, last = dense
    between = GAIN / width**0.5
    layers = [first, Factor(0.5), nn.ReLU(), second, Factor(between), nn.ReLU(), last, Factor(GAIN / width)]
    return nn.Sequential(*layers)


def standard(width):
    sizes = [4, width, width, 1]
    first, second, last = (nn.Linear(sizes[number], sizes[number + 1]) for number in range(3))
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU(), last)


def one_rate(network, rate=0.05):
    return torch.optim.SGD(network.parameters(), rate)


def times_width(network, rate=0.5):
    return torch.optim.SGD(network.parameters(), rate * network[-2].in_features)


def data(count=64):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(count, 4, generator=generator)
    return x, torch.sin(2 * x[:, :1]) + x[:, 1:2] * x[:, 2:3]


WIDTHS = [32, 64, 128, 256, 512]


@pytest.mark.slow
def test_mean_field_passes_and_the_standard_parametrization_fails():
    good = coordinate_check(mean_field, data(), WIDTHS, times_width)
    words = dict(zip(good.layers, good.verdict, strict=True))
    assert {words[name] for name in ("1", "4", "7", "output")} == {"stable"}
    # What stands before its factor moves as the bare sum, by another power of the width.
    assert words["3"] == "grows"
    bad = coordinate_check(standard, data(), WIDTHS, one_rate)
    assert not bad.passed
    assert dict(zip(bad.layers, bad.verdict, strict=True))["output"] == "grows"
    still = coordinate_check(standard, data(), WIDTHS, lambda network: one_rate(network, 1 / network[0].out_features))
    assert dict(zip(still.layers, still.verdict, strict=True))["0"] == "vanishes"


@pytest.mark.slow
@pytest.mark.long
def test_the_learning_rate_of_mean_field_scaling_stays():
    # From N = 128 on corrections of order 1/N are some per cent; the seeds' own best rates scatter by a step of the search.
    rates, widths = 2.0 ** np.arange(-6, 2), [128, 1024]
    ours = learning_rate_transfer(mean_field, data(), rates, widths, times_width, steps=40)
    theirs = learning_rate_transfer(standard, data(), rates, widths, steps=40)
    assert all(ours.inside) and all(theirs.inside)
    assert np.all(np.abs(np.log2(ours.shift)) <= 1)
    moved = [abs(np.log(one.slide[1]).mean()) for one in (ours, theirs)]
    assert moved[0] < moved[1] / 3
    assert moved[1] > math.log(8) / 4  # a rate in proportion to 1/N, as of a linear network, would have moved by 8
    assert "*" in str(theirs) and len(str(theirs).splitlines()) == 1 + rates.size
    figure = draw_learning_rate_transfer(ours)
    assert len(figure.axes[0].lines) == 2 * len(widths)


def test_a_known_slide_is_found():
    rates = np.geomspace(1e-3, 1, 16)
    curve = [np.log(rates / rate) ** 2 + 1 for rate in (0.02, 0.08)]
    losses = np.exp(np.stack(curve, axis=1))[:, :, None]
    losses[-2:, 1] = math.inf
    found = LearningRateTransfer(rates, np.array([1.0, 2.0]), losses, rates[:2], (True, True), 1.6)
    np.testing.assert_allclose(found.slide[:, 0], [1, 4], rtol=0.025)  # a hundredth of a power of ten


class Known(nn.Module):
    """An output that moves by a known power of the width with each step."""

    def __init__(self, width, power):
        super().__init__()
        self.layer, self.last = nn.Linear(1, 1), Factor(1.0)
        self.layer.weight.data.fill_(torch.rand(1).item())
        self.scale = width**power

    def forward(self, x):
        return self.last(self.layer(x)) * self.scale


@pytest.mark.parametrize(("power", "word"), [(0.0, "stable"), (0.5, "grows"), (-0.5, "vanishes")])
def test_a_known_power_is_found(power, word):
    x = torch.ones(3, 1)
    check = coordinate_check(
        lambda width: Known(width, power),
        (x, x),
        [8, 16, 32],
        one_rate,
        steps=1,
        loss=lambda y, _: y.sum() / y.detach().abs().sum(),  # its gradient knows nothing of the scale
        show=False,
    )
    assert check.layers == ("layer", "last", "output")
    assert check.slope[-1] == pytest.approx(power + check.slope[0], abs=1e-6)
    assert check.verdict[-1] == word
    assert np.all(check.interval[:, 0] <= check.slope) and np.all(check.slope <= check.interval[:, 1])
    assert word in str(check) and len(draw_coordinate_check(check).axes[0].lines) == 3


def test_a_network_that_diverges_is_said_to():
    check = coordinate_check(standard, data(), [64, 128], lambda network: one_rate(network, 1e6), steps=30)
    assert set(check.verdict) == {"diverges"} and not check.passed


def test_the_generator_of_the_caller_is_left_alone():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    coordinate_check(standard, data(), [8, 16], one_rate, steps=1, seeds=2)
    assert torch.equal(torch.rand(2), expected)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"factory": lambda width: 3}, "factory: got 3; let it return"),
        ({"data": (torch.ones(3, 4), torch.ones(2, 1))}, "data: shapes"),
        ({"widths": [16]}, "widths: shape"),
        ({"optimizer": lambda network: None}, "optimizer: got None"),
        ({"optimizer": lambda network: one_rate(network, 0.0)}, "optimizer: no layer moves"),
    ],
)
def test_bad_input(changed, message):
    right = {"factory": standard, "data": data(), "widths": [8, 16], "optimizer": one_rate}
    with pytest.raises(InputError, match=message):
        coordinate_check(**right | changed)


def test_bad_input_of_the_transfer():
    with pytest.raises(InputError, match="rates: shape"):
        learning_rate_transfer(standard, data(), [0.1, 0.2], [8, 16])
    with pytest.raises(InputError, match="rates: networks of width 8, 16 diverge at all of them; give smaller ones"):
        learning_rate_transfer(standard, data(), [1e6, 1e7, 1e8], [8, 16], seeds=1)
