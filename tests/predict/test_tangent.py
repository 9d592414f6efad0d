"""Tangent kernels of any module against the library's own networks, against plain Jacobians, and under every limit of memory."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from neural_scaling.base.checks import InputError
from neural_scaling.networks.circle_kernel import circle_kernel
from neural_scaling.networks.cnn import ImageShape, image_ensemble
from neural_scaling.networks.kernels import circle_spectrum
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.predict import mean_field_scaling, tangent
from neural_scaling.predict.mean_field_scaling import Centred, mean_field_groups, mean_field_rates, mean_field_start
from neural_scaling.predict.tangent import sample_kernel
from neural_scaling.runs.checkpoint import Checkpoint

GAIN = math.sqrt(2)


def numbers(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def plain(network, inputs, outputs="mean"):
    """The same from the whole Jacobian."""
    weights = {name: weight.detach() for name, weight in network.named_parameters() if weight.requires_grad}
    with sdpa_kernel(SDPBackend.MATH):  # the only one that torch.func knows
        jacobian = torch.func.jacrev(lambda given: torch.func.functional_call(network, given, (inputs,)))(weights)
    rows = torch.cat([part.flatten(2) for part in jacobian.values()], dim=2).double()
    kernels = torch.einsum("ncp,mcp->cnm", rows, rows).numpy()
    return kernels if outputs == "each" else kernels.mean(0) if outputs == "mean" else kernels[outputs]


class Pool(nn.Module):
    def forward(self, x):
        return torch.nn.functional.avg_pool2d(x, 2)


class ByHand(nn.Module):
    """Weights that no layer holds, and one layer that is used twice."""

    def __init__(self):
        super().__init__()
        self.first = nn.Parameter(numbers(5, 6, seed=1))
        self.twice = nn.Linear(6, 6)
        self.norm = nn.LayerNorm(6)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        return self.last(self.norm(self.twice(torch.tanh(self.twice(torch.tanh(x @ self.first))))))


class Tied(nn.Module):
    """A weight that a layer holds and that is used outside of it too."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        return torch.tanh(self.layer(x)) @ self.layer.weight


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.LSTM(3, 4, batch_first=True), nn.Linear(4, 2)

    def forward(self, x):
        return self.last(self.cell(x)[0][:, -1])


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.mixed = nn.Linear(3, 8), nn.MultiheadAttention(8, 2, batch_first=True)
        self.last = nn.Linear(8, 2)

    def forward(self, x):
        h = self.first(x)
        return self.last(self.mixed(h, h, h, need_weights=False)[0].mean(1))


def convolutional(dtype=torch.float64):
    layers = [
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 6, 3, dilation=2, bias=False),
        nn.GELU(),
        Pool(),
        nn.Conv2d(6, 6, 1, groups=2),
        nn.Flatten(),
        nn.Linear(6, 5),
        nn.Tanh(),
        nn.Linear(5, 3),
    ]
    torch.manual_seed(0)
    for layer in layers:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    return nn.Sequential(*layers).to(dtype).eval()


class Norms(nn.Module):
    """Layers along a line, with norms of all kinds, and filters whose stride leaves out the end."""

    def __init__(self):
        super().__init__()
        self.filters = nn.Conv1d(2, 6, 4, stride=2, padding=1, dilation=2)
        self.group, self.layer, self.batch = nn.GroupNorm(2, 6), nn.LayerNorm((6, 4)), nn.BatchNorm1d(6)
        self.flat, self.last = nn.BatchNorm1d(24), nn.Linear(24, 2)
        for norm in (self.group, self.layer, self.batch, self.flat):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
        for norm in (self.batch, self.flat):
            norm.running_mean += 0.3
            norm.running_var *= 2

    def forward(self, x):
        h = torch.tanh(self.group(torch.tanh(self.filters(x))))
        h = torch.tanh(self.batch(torch.tanh(self.layer(h)))).flatten(1)
        return self.last(torch.tanh(self.flat(h)))


def made(kind):
    torch.manual_seed(0)
    return kind().double()


NETWORKS = {
    "convolutional": (convolutional, (7, 3, 13, 13)),
    "norms": (lambda: made(Norms).eval(), (7, 2, 12)),
    "by hand": (lambda: made(ByHand), (7, 5)),
    "tied": (lambda: made(Tied), (7, 4)),
    "recurrent": (lambda: made(Recurrent), (6, 4, 3)),
    "attention": (lambda: made(Attention), (6, 5, 3)),
}


@pytest.mark.parametrize("outputs", ["mean", "each", 1])
@pytest.mark.parametrize("name", NETWORKS)
def test_kernel_is_that_of_the_whole_jacobian(name, outputs):
    make, shape = NETWORKS[name]
    network, inputs = make(), numbers(*shape, dtype=torch.float64)
    found = sample_kernel(network, inputs, outputs=outputs)
    if name == "recurrent":  # torch.func has no rule for it
        rows = []
        for one in inputs:
            out = network(one[None])[0]
            parts = [torch.autograd.grad(value, list(network.parameters()), retain_graph=True) for value in out]
            rows.append(torch.stack([torch.cat([part.flatten() for part in line]) for line in parts]))
        kernels = torch.einsum("ncp,mcp->cnm", torch.stack(rows), torch.stack(rows)).numpy()
        expected = {"mean": kernels.mean(0), "each": kernels}.get(outputs, kernels[1])
    else:
        expected = plain(network, inputs, outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_layers_of_a_usual_network_need_no_gradient_by_torch_func():
    network = convolutional()
    plan = tangent._Plan(network, dict(network.named_parameters()), numbers(4, 3, 13, 13).double(), torch.device("cpu"))
    assert plan.others == ["6.weight", "6.bias"]  # filters in groups
    norms = made(Norms).eval()
    plan = tangent._Plan(norms, dict(norms.named_parameters()), numbers(4, 2, 12).double(), torch.device("cpu"))
    assert not plan.others
    tied = made(Tied)
    plan = tangent._Plan(tied, dict(tied.named_parameters()), numbers(4, 4).double(), torch.device("cpu"))
    assert plan.others == ["layer.weight", "layer.bias"]


@pytest.mark.parametrize("name", ["convolutional", "by hand", "norms"])
def test_no_limit_of_memory_changes_the_kernel(monkeypatch, name):
    monkeypatch.setattr(tangent, "_ROWS", 3)
    make, shape = NETWORKS[name]
    network, inputs = make(), numbers(23, *shape[1:], dtype=torch.float64)
    for outputs in ("mean", "each"):
        expected = sample_kernel(network, inputs, outputs=outputs)
        passes = []
        for memory in (5e-5, 1e-4, 2e-4, 4e-4):
            run = tangent._Work.run

            def seen(self, *rest, run=run, passes=passes):
                passes.append(len(self.passes))
                return run(self, *rest)

            monkeypatch.setattr(tangent._Work, "run", seen)
            try:
                found = sample_kernel(network, inputs, outputs=outputs, memory=memory)
            except InputError as error:
                assert str(error).startswith("memory: ")
                continue
            finally:
                monkeypatch.setattr(tangent._Work, "run", run)
            np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)
        assert len(passes) >= 2 and passes[0] > passes[-1]


def test_the_memory_that_is_asked_for_is_enough():
    network, inputs = convolutional(), numbers(7, 3, 13, 13, dtype=torch.float64)
    with pytest.raises(InputError, match="give at least") as caught:
        sample_kernel(network, inputs, memory=1e-6)
    enough = float(str(caught.value).split("at least ")[1].split(" GB")[0])
    expected = sample_kernel(network, inputs)
    np.testing.assert_allclose(sample_kernel(network, inputs, memory=enough), expected, rtol=1e-10, atol=1e-12)


def perceptron(depth, width, inputs, gain=GAIN):
    """A network of layers of torch with the activation of the library's."""

    class Rectifier(nn.Module):
        def forward(self, x):
            return torch.relu(x)

    sizes = [inputs, *[width] * (depth - 1), 1]
    layers = []
    for number in range(depth):
        layers += [nn.Linear(sizes[number], sizes[number + 1], bias=False), Rectifier()]
    return nn.Sequential(*layers[:-1])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_kernel_of_a_perceptron_is_its_own(dtype):
    shape = Shape(4, 32, 3)
    ours = ensemble(shape, [Member(5, 0.7, 0.1)], "cpu", dtype)
    network = perceptron(4, 32, 3).to(dtype)
    factors, _ = mean_field_scaling._factors(network, None, GAIN)
    with torch.no_grad():
        for (name, weight), own in zip(network.named_parameters(), ours.weights, strict=True):
            weight.copy_(own[0].T * factors[name])
    x = numbers(20, 3, seed=2, dtype=dtype)
    torch.testing.assert_close(network(x).T, ours.raw(x[None]))
    expected = ours.tangent_kernel(x)[0].numpy()
    loose = 2e-5 if dtype == torch.float32 else 1e-12
    found = sample_kernel(network, x, rates=mean_field_rates(network, gain=GAIN))
    np.testing.assert_allclose(found, expected, atol=loose * expected.max())
    # f/gamma_0 with rates times gamma_0^2: the same at every richness.
    centred = Centred(network, 0.25)
    rates = mean_field_rates(network, richness=0.25, gain=GAIN)
    found = sample_kernel(centred, x, rates={f"network.{name}": rate for name, rate in rates.items()})
    np.testing.assert_allclose(found, expected, atol=loose * expected.max())


def test_training_of_a_perceptron_is_the_library_s_own():
    shape, eta, richness = Shape(3, 16, 3), 0.2, 0.5
    ours = ensemble(shape, [Member(1, richness, eta)], "cpu", torch.float64)
    network = perceptron(3, 16, 3).double()
    factors, _ = mean_field_scaling._factors(network, None, GAIN)
    with torch.no_grad():
        for (name, weight), own in zip(network.named_parameters(), ours.weights, strict=True):
            weight.copy_(own[0].T * factors[name])
    x, y = numbers(8, 3, dtype=torch.float64), numbers(8, seed=3, dtype=torch.float64)
    centred, frozen = Centred(network, richness), ours.initial(x[None])
    assert not centred(x).any()
    optimizer = torch.optim.SGD(mean_field_groups(network, eta, richness, gain=GAIN))
    for _ in range(30):
        optimizer.zero_grad()
        ((y - centred(x)[:, 0]) ** 2).mean().div(2).backward()
        optimizer.step()
        ours.step(x[None], y[None], frozen)
    torch.testing.assert_close(centred(x).T, ours.centred(x[None], frozen), rtol=1e-9, atol=1e-12)
    assert float(centred(x).detach().abs().max()) > 0.1


class Image(nn.Module):
    """The library's convolutional network in layers of torch."""

    def __init__(self, shape):
        super().__init__()
        n = shape.width
        self.first, self.second = (nn.Conv2d(shape.channels, n, 3, bias=False), nn.Conv2d(n, 2 * n, 3, bias=False))
        self.dense, self.last = nn.Linear(shape.flat, 8 * n, bias=False), nn.Linear(8 * n, shape.outputs, bias=False)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        x = self.pool(torch.relu(self.first(x)))
        x = self.pool(torch.relu(self.second(x))).permute(0, 2, 3, 1).flatten(1)
        return self.last(torch.relu(self.dense(x)))


def test_kernel_of_a_convolutional_network_is_its_own():
    shape = ImageShape(4, 12, 3, 5)
    ours = image_ensemble(shape, [Member(2, 1.0, 0.1)], "cpu")
    network = Image(shape)
    factors, _ = mean_field_scaling._factors(network, None, GAIN)
    first, second, dense, last = (weight[0] for weight in ours.weights)
    own = [first.permute(0, 3, 1, 2), second.permute(0, 3, 1, 2), dense.T, last.T]
    with torch.no_grad():
        for (name, weight), given in zip(network.named_parameters(), own, strict=True):
            weight.copy_(given * factors[name])
    x = numbers(9, shape.inputs, seed=4)
    images = x.reshape(-1, 12, 12, 3).permute(0, 3, 1, 2)
    torch.testing.assert_close(network(images), ours.raw(x[None])[0])
    rates = mean_field_rates(network, gain=GAIN)
    expected = ours.mean_kernel(x)[0].numpy()
    np.testing.assert_allclose(sample_kernel(network, images, rates=rates), expected, atol=2e-5 * expected.max())
    full = ours.tangent_kernel(x)[0].numpy().reshape(9, 5, 9, 5)
    each = sample_kernel(network, images, rates=rates, outputs="each")
    np.testing.assert_allclose(each, np.einsum("ncmc->cnm", full), atol=2e-5 * expected.max())


@pytest.mark.slow
def test_kernel_of_a_wide_perceptron_is_that_of_the_infinite_one():
    angles = 2 * np.pi * np.arange(64) / 64
    x = math.sqrt(2) * np.stack([np.cos(angles), np.sin(angles)], axis=1)
    kernels = []
    for seed in range(4):
        network = mean_field_start(perceptron(3, 512, 2), seed, gain=GAIN)
        kernels.append(sample_kernel(network, x, rates=mean_field_rates(network, gain=GAIN)))
    spectrum = circle_spectrum(torch.tensor(np.stack(kernels))).mean(0).numpy()
    # Fluctuations are of order (4 N)^(-1/2) = 2 %, as in the test of the library's own network.
    np.testing.assert_allclose(spectrum[:4], circle_kernel(3, 1.0, 8, 4096).tangent[:4], rtol=0.1)


def test_a_kernel_that_was_interrupted_goes_on(monkeypatch, tmp_path):
    monkeypatch.setattr(Checkpoint, "due", True)
    network, inputs = convolutional(), numbers(20, 3, 13, 13, dtype=torch.float64)
    expected = sample_kernel(network, inputs, memory=1e-4)
    add, calls, stop = tangent._Work._add, [], 3

    def stopping(self, *rest):
        calls.append(len(self.passes))
        if len(calls) == stop:
            raise KeyboardInterrupt
        return add(self, *rest)

    monkeypatch.setattr(tangent._Work, "_add", stopping)
    with pytest.raises(KeyboardInterrupt):
        sample_kernel(network, inputs, memory=1e-4, cache=tmp_path)
    (file,) = tmp_path.iterdir()
    assert calls[0] > stop
    stop = None
    np.testing.assert_array_equal(sample_kernel(network, inputs, memory=1e-4, cache=tmp_path), expected)
    assert len(calls) == calls[0] + 1  # the pass that was broken off is the only one that was begun twice
    np.testing.assert_array_equal(sample_kernel(network, inputs, memory=1e-4, cache=tmp_path), expected)
    assert len(calls) == calls[0] + 1 and list(tmp_path.iterdir()) == [file]
    with torch.no_grad():
        network[-1].bias.add_(1)
    sample_kernel(network, inputs, memory=1e-4, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


class Hidden(torch.nn.Module):
    """Two layers and what is between them, which neither name nor weights tell."""

    def __init__(self, between):
        super().__init__()
        torch.manual_seed(0)
        self.between, self.first, self.second = between, torch.nn.Linear(3, 16), torch.nn.Linear(16, 1)

    def forward(self, x):
        return self.second(self.between(self.first(x)))


@pytest.mark.parametrize(
    "between",
    [torch.tanh, lambda x: 1.01 * torch.relu(x), lambda x: torch.relu(x) - torch.sin(x) + torch.sin(x.detach())],
)
def test_what_a_module_computes_is_part_of_what_is_kept(between, tmp_path):
    """The last one has the same outputs and other gradients."""
    inputs = numbers(12, 3)
    sample_kernel(Hidden(torch.relu), inputs, cache=tmp_path)
    found = sample_kernel(Hidden(between), inputs, cache=tmp_path)
    np.testing.assert_array_equal(found, sample_kernel(Hidden(between), inputs))
    assert len(list(tmp_path.iterdir())) == 2


def test_inputs_in_any_form_and_a_network_that_is_left_alone():
    network = perceptron(3, 8, 3)
    x = numbers(6, 3)
    expected = sample_kernel(network, x)
    for form in (x.numpy(), x.double().numpy(), x.tolist(), x.double(), x.requires_grad_()):
        np.testing.assert_array_equal(sample_kernel(network, form, device="cpu"), expected)
    with torch.no_grad():
        np.testing.assert_array_equal(sample_kernel(network, x), expected)
    assert not any(layer._forward_hooks for layer in network.modules())
    assert all(weight.grad is None for weight in network.parameters())


def test_frozen_parameters_do_not_count():
    network = convolutional()
    network[0].requires_grad_(False)
    network[8].weight.requires_grad_(False)
    inputs = numbers(5, 3, 13, 13, dtype=torch.float64)
    np.testing.assert_allclose(sample_kernel(network, inputs), plain(network, inputs), rtol=1e-9)


class Wrong(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.layer, self.what = nn.Linear(3, 2), what

    def forward(self, x):
        y = self.layer(x)
        if self.what == "tuple":
            return y, x
        if self.what == "flat":
            return y[:, 0]
        if self.what == "random":
            return y + torch.rand(1)
        if self.what == "batch":
            return y - y.mean(0)
        if self.what == "root":
            return (y - y.detach()).abs().sqrt()
        if self.what == "nan":
            return y / 0
        return y.detach()


REFUSED = [
    (None, "network: got None"),
    (Wrong("tuple"), "network: it returns tuple"),
    (Wrong("flat"), r"network: it returns shape \(4,\) for 4 samples"),
    (Wrong("random"), "network: it returns other outputs when called again"),
    (Wrong("batch"), "network: outputs of a sample depend on other samples"),
    (Wrong("root"), "network: gradients of layer.weight, layer.bias are not finite"),
    (Wrong("nan"), "network: its outputs are not finite"),
    (Wrong("detached"), "network: its outputs do not depend on parameters"),
    (nn.Linear(3, 2, device="meta"), "network: it lies on the meta device, without numbers; use network.to_empty"),
    (nn.Sequential(nn.Linear(3, 2), nn.Dropout()), "network: dropout '1' is in training mode; call network.eval"),
    (nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), "network: batch norm '1' is in training mode"),
    (nn.Linear(3, 2).requires_grad_(False), "network: it has no parameters that require gradients"),
    (nn.Linear(3, 2).half(), "network: parameters of torch.float16"),
    (nn.Linear(4, 2), r"inputs: the network does not take shape \(5, 3\)"),
]


@pytest.mark.parametrize(("network", "message"), REFUSED)
def test_networks_that_have_no_kernel(network, message):
    with pytest.raises(InputError, match=message):
        sample_kernel(network, torch.rand(5, 3))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"inputs": torch.ones(5, 3, dtype=torch.uint8)}, "inputs: got numbers of torch.uint8; scale them to floats"),
        ({"inputs": [[1, 2, 3]]}, "inputs: got numbers of torch.int64"),
        ({"inputs": torch.full((5, 3), math.nan)}, "inputs: NaN"),
        ({"inputs": torch.rand(3)}, r"inputs: shape \(3,\)"),
        ({"inputs": torch.rand(0, 3)}, r"inputs: shape \(0, 3\)"),
        ({"inputs": [[1.0], [2.0, 3.0]]}, "inputs: got list that is no array"),
        ({"inputs": "text"}, "inputs: got 'text'"),
        ({"outputs": "all"}, "outputs: got 'all'"),
        ({"outputs": 2}, "outputs: got 2"),
        ({"rates": {"weights": 1.0}}, "rates: weights is no trained parameter"),
        ({"rates": {"weight": -1.0}}, "rates: got -1.0"),
        ({"rates": 3}, "rates: got 3"),
        ({"memory": 0}, "memory: got 0"),
        ({"memory": 1e-7}, "memory: 1e-07 GB are too little; give at least"),
        ({"device": "nowhere"}, "device: got 'nowhere'"),
        ({"progress": 1}, "progress: got 1"),
        ({"cache": 3}, "cache: got 3"),
    ],
)
def test_other_values_that_are_refused(changed, message):
    with pytest.raises(InputError, match=message):
        sample_kernel(**{"network": nn.Linear(3, 2), "inputs": torch.rand(5, 3)} | changed)


def test_scaling_that_is_refused():
    with pytest.raises(InputError, match=r"richness: got 0.001 with a network in float32; use network.double\(\)"):
        Centred(nn.Linear(3, 1), 1e-3)
    Centred(nn.Linear(3, 1).double(), 1e-3)
    with pytest.raises(InputError, match=r"network: 1\.weight, 1\.bias belongs to no Linear or Conv layer"):
        mean_field_rates(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))
    with pytest.raises(InputError, match="readout: got 'last'; give the name of a layer: 0"):
        mean_field_rates(nn.Sequential(nn.Linear(3, 2)), readout="last")
    with pytest.raises(InputError, match="network: it has no Linear or Conv layer"):
        mean_field_start(nn.Tanh())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_same_kernel_on_a_gpu():
    network, inputs = convolutional(torch.float32), numbers(30, 3, 13, 13)
    expected = sample_kernel(network, inputs)
    found = sample_kernel(network, inputs, device="cuda", memory=2e-3)
    np.testing.assert_allclose(found, expected, atol=2e-5 * expected.max())
