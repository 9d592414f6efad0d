"""Spectra of kernels on samples: known exponents come back, bounds are bounds, runs repeat."""

import dataclasses

import numpy as np
import pytest
import torch

from companion.image_tasks import fitted_row
from neural_scaling.base.checks import InputError
from neural_scaling.base.monitor import Monitor
from neural_scaling.networks.cnn import ImageShape, image_ensemble
from neural_scaling.networks.image_batches import ImageData
from neural_scaling.networks.image_kernel import TIMES, sampled_kernel
from neural_scaling.networks.image_runs import KernelRun
from neural_scaling.networks.mlp import Member
from pictures import made_up


def gaussian(alpha, beta, count, test=300, modes=4000, outputs=10):
    """Return a sampled kernel of Gaussian features with a power-law spectrum, and its loss under gradient flow."""
    random = np.random.default_rng(0)
    k = np.arange(1, modes + 1.0)
    eigenvalues, power = k**-alpha, k ** (-alpha * beta - 1)
    beyond = modes ** (-alpha * beta) / (alpha * beta)
    features = random.standard_normal((count + test, modes)) * np.sqrt(eigenvalues)
    weights = np.sqrt(power / eigenvalues)[:, None] * random.choice([-1.0, 1.0], (modes, outputs))
    # What no eigenvalue is given to is noise for a sample.
    targets = features @ weights + np.sqrt(beyond) * random.standard_normal((count + test, outputs))
    kernel = features @ features.T
    found = sampled_kernel(kernel[:count, :count], targets[:count], kernel[count:, :count], targets[count:], TIMES)
    flow = np.array([power @ np.exp(-2 * eigenvalues * now) + beyond for now in TIMES])
    return found, flow


@pytest.mark.parametrize("count", [500, 600, 1000])
@pytest.mark.parametrize(("alpha", "beta"), [(1.35, 0.3), (1.1, 0.075)])
def test_known_exponents_come_back(alpha, beta, count):
    found, flow = gaussian(alpha, beta, count)
    arrays = {name: getattr(found, name) for name in ("eigenvalues", "power", "rest", "train", "test")}
    row = fitted_row(None, **arrays)
    # The page quotes both.
    assert 0.89 < row.capacity / alpha < 0.98
    assert row.source == pytest.approx(beta, abs=0.022)
    assert all(fit.exponent == pytest.approx(beta, abs=0.07) for fit in row.tail_fits)
    assert row.source_interval[0] < beta < row.source_interval[1]
    assert row.tail_fits[1].exponent < row.tail_fits[0].exponent
    early = TIMES < 10
    # The first modes hold most of the target, and a few hundred samples of them scatter by 5 %.
    assert np.all(found.train[early] <= flow[early] * 1.06)
    assert np.all(found.test[early] >= flow[early] * 0.94)
    np.testing.assert_allclose(row.lazy(TIMES[early]), flow[early], rtol=0.1)
    assert row.arrival == pytest.approx(10**alpha, rel=0.3)


def test_rests_do_not_depend_on_the_unit_of_the_kernel():
    random = np.random.default_rng(3)
    features, targets = random.standard_normal((30, 50)), random.standard_normal((30, 2))
    kernel = features @ features.T

    def rests(unit):
        parts = unit * kernel[:20, :20], targets[:20], unit * kernel[20:, :20], targets[20:]
        return sampled_kernel(*parts, np.array([1.0])).rest

    np.testing.assert_allclose(rests(1e-15), rests(1.0), rtol=1e-8)


def test_flow_is_that_of_small_steps():
    random = np.random.default_rng(3)
    features, weights = random.standard_normal((30, 50)), random.standard_normal((50, 2))
    targets, kernel = features @ weights, features @ features.T
    found = sampled_kernel(kernel[:20, :20], targets[:20], kernel[20:, :20], targets[20:], np.array([0.5, 2.0]))
    f, h = np.zeros((30, 2)), 1e-4
    for step in range(20_000):
        if step in (5000, 19_999):
            place = 0 if step == 5000 else 1
            error = targets - f
            assert np.mean(error[:20] ** 2) == pytest.approx(found.train[place], rel=2e-2)
            assert np.mean(error[20:] ** 2) == pytest.approx(found.test[place], rel=2e-2)
        f += h * kernel[:, :20] @ (targets - f)[:20] / 20
    assert found.power.sum() == pytest.approx(np.mean(targets[:20] ** 2))
    # All 20 eigenfunctions together interpolate; what they leave elsewhere is the error of that.
    solved = kernel[20:, :20] @ np.linalg.solve(kernel[:20, :20], targets[:20])
    assert found.rest[-1] == pytest.approx(np.mean((targets[20:] - solved) ** 2))


def test_linearised_networks_follow_their_kernel():
    # Full-batch steps of all outputs together: f moves by eta_0 K (y - f), nothing else.
    data = ImageData(made_up(images=12), torch.device("cpu"), torch.float64, test=5)
    eta = 0.2
    model = image_ensemble(ImageShape(3, 12, 3, 4), [Member(1, 0.0, eta)], torch.device("cpu"), torch.float64)
    index = torch.arange(12)
    x, y = data.take(index), data.targets(index)
    kernel = model.tangent_kernel(torch.cat([x, data.test_inputs]))[0]
    f = torch.zeros(17 * 4, dtype=torch.float64)
    for _ in range(40):
        model.step(x[None], y[None], model.initial(x[None]))
        f = f + eta * kernel[:, :48] @ (y.flatten() - f[:48]) / 12
    found = model.centred(data.test_inputs[None], model.initial(data.test_inputs[None]))[0]
    torch.testing.assert_close(found.flatten(), f[48:], rtol=1e-9, atol=1e-11)


RUN = KernelRun("made-up", 60, 20, False, 3, 0)


@pytest.mark.parametrize("crops", [False, True])
def test_runs(monkeypatch, crops):
    monkeypatch.setattr("neural_scaling.data.load", lambda name, size=None: made_up(name=name))
    run = dataclasses.replace(RUN, crops=crops)
    arrays = run.run(Monitor())
    assert {name: values.shape for name, values in arrays.items()} == {
        "eigenvalues": (60,),
        "power": (60,),
        "rest": (60,),
        "train": TIMES.shape,
        "test": TIMES.shape,
        "diagonal": (60,),
    }
    assert arrays["eigenvalues"].sum() == pytest.approx(arrays["diagonal"].mean(), rel=1e-5)
    assert arrays["power"].sum() == pytest.approx(0.25, rel=1e-5)
    part = dataclasses.replace(run.slice(), images=30)
    assert run.deviation(arrays, part.run(Monitor())) < run.tolerance
    assert run.deviation(arrays, dataclasses.replace(part, seed=1).run(Monitor())) > 1e-2


def test_bad_input():
    with pytest.raises(InputError, match="kernel: 4 rows"):
        sampled_kernel(np.eye(4), np.zeros((3, 1)), np.zeros((2, 3)), np.zeros((2, 1)), TIMES)
    few = np.ones(150)
    with pytest.raises(InputError, match="images: got 150"):
        fitted_row(None, few, few, few, TIMES, TIMES)
