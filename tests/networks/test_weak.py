"""Weakly rich networks and the flows beside them, against autograd, other ensembles and closed forms; what the page concludes."""

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from companion.pages import weak as page
from neural_scaling.base.monitor import Monitor
from neural_scaling.networks.circle_data import points
from neural_scaling.networks.mlp import Member, Shape, ensemble, initial_weights
from neural_scaling.networks.weak_runs import BANDS, KINDS, Networks, WeakRun, displaced, gain
from neural_scaling.runs import Result

RUN = WeakRun(0.25, 3, 12, 0.05, math.inf, 0.3, 25, 2, 128)
THETA = 2 * np.pi * np.arange(128) / 128
X = torch.tensor(points(THETA))
MODES = np.arange(1, 64)
Y = torch.tensor(np.cos(np.outer(THETA, MODES)) @ MODES**-0.75).expand(2, -1).contiguous()


def drawn(depth=3, width=12):
    layers = zip(*(initial_weights(Shape(depth, width), seed) for seed in range(2)), strict=True)
    return [torch.stack(layer).double() for layer in layers]


def plain(weights, sharpness):
    """Return F of one network, written down once more."""

    def phi(h):
        if math.isinf(sharpness):
            return math.sqrt(2) * torch.relu(h)
        return gain(sharpness) * torch.log(1 + torch.exp(sharpness * h)) / sharpness

    h = X @ weights[0] / math.sqrt(2)
    for weight in weights[1:-1]:
        h = phi(h) @ weight / math.sqrt(weight.shape[0])
    return (phi(h) @ weights[-1])[:, 0] / weights[-1].shape[0]


def losses(arrays, kind):
    return arrays["loss"][KINDS.index(kind)]


@pytest.mark.parametrize("sharpness", [3.0, math.inf])
def test_gradients_are_those_of_autograd(sharpness):
    weights = drawn()
    networks = Networks(weights, X, sharpness)
    one = tuple(weight[1] for weight in weights)
    jacobian = torch.autograd.functional.jacobian(lambda *layers: plain(layers, sharpness), one)
    flat = torch.cat([part.flatten(1) for part in jacobian], dim=1)
    np.testing.assert_allclose(networks.evaluate()[1], plain(one, sharpness), atol=1e-13)
    feature = torch.cat([part[1].flatten() for part in networks.feature(Y)])
    np.testing.assert_allclose(feature, Y[1] @ flat, atol=1e-12)
    kernel = networks.kernel()[1]
    np.testing.assert_allclose(kernel, 12 * flat @ flat.T, atol=1e-12)
    np.testing.assert_allclose(12 * networks.along(networks.feature(Y))[1], kernel @ Y[1], atol=1e-10)


def test_gain_and_the_limit_of_relu():
    def square(h):
        return np.logaddexp(0, 5 * h) ** 2 / 25 * math.exp(-h * h / 2) / math.sqrt(2 * math.pi)

    assert gain(5.0) == pytest.approx(quad(square, -12, 12, limit=200)[0] ** -0.5, rel=1e-8)
    distances = []
    for sharpness in (1e3, 1e5):
        arrays = dataclasses.replace(RUN, sharpness=sharpness).run(Monitor())
        distances.append(np.abs(arrays["loss"] / RUN.run(Monitor())["loss"] - 1).max())
    # Few arguments lie within 1/s of a kink: the distance falls with the sharpness.
    assert distances[1] < 1e-3 < 1e-2 > distances[0]


@pytest.mark.parametrize(("kind", "richness"), [("network", 0.05), ("twin", 0.0)])
def test_network_and_twin_are_the_ensembles_on_all_angles(kind, richness):
    model = ensemble(Shape(3, 12), [Member(seed, richness, 0.3) for seed in range(2)], "cpu", torch.float64)
    x = X.expand(2, -1, -1).contiguous()
    frozen = model.initial(x).clone()
    for _ in range(RUN.steps):
        model.step(x, Y, frozen)
    expected = (Y - model.centred(x, frozen)).square().mean(1)
    np.testing.assert_allclose(losses(RUN.run(Monitor()), kind)[:, -1], expected, rtol=1e-6)


def test_all_flows_meet_as_richness_vanishes():
    arrays = dataclasses.replace(RUN, richness=1e-9).run(Monitor())
    for kind in KINDS:
        np.testing.assert_allclose(losses(arrays, kind), losses(arrays, "twin"), rtol=1e-5)
    np.testing.assert_allclose(arrays["overlap"], 1, atol=1e-5)
    assert not arrays["crossed"].any()


def test_smooth_networks_are_the_flow_of_their_kernels():
    def gap(eta, steps):
        run = dataclasses.replace(RUN, sharpness=4.0, richness=0.3, eta=eta, steps=steps)
        arrays = run.run(Monitor())
        assert np.abs(losses(arrays, "network") / losses(arrays, "twin") - 1)[:, -1].max() > 0.02
        return np.abs(losses(arrays, "network") / losses(arrays, "replayed") - 1)[:, -1].max()

    # What a step adds beyond first order is of order eta^2, all steps together of order eta.
    assert gap(0.05, 80) / gap(0.1, 40) == pytest.approx(0.5, abs=0.1)


def test_bands_hold_the_mean_square_of_their_modes():
    arrays = RUN.run(Monitor())
    expected = [(np.arange(first, 2 * first) ** -1.5).sum() / 2 for first in BANDS]
    np.testing.assert_allclose(arrays["power"][0, 0, 0], expected, rtol=1e-5)
    np.testing.assert_allclose(arrays["loss"][:, :, 0], Y.square().mean(), rtol=1e-6)
    assert np.all(np.diff(losses(arrays, "twin")) < 0)
    assert (arrays["crossed"] >= arrays["moved"] - 1e-6).all()


def test_displacement_by_chance():
    near, far = displaced(RUN, 1e-9), displaced(RUN, 0.1)
    np.testing.assert_allclose(near["power"][0], near["power"][1], rtol=1e-5)
    np.testing.assert_allclose(near["overlap"], 1, atol=1e-6)
    twin = RUN.run(Monitor())["power"][KINDS.index("twin"), :, -1]
    np.testing.assert_allclose(far["power"][1], twin, rtol=1e-5)
    assert (np.diff(far["overlap"].mean(0)) < 0).all()


def test_slice_is_the_beginning_and_the_comparison_can_fail():
    whole, part = RUN.run(Monitor()), RUN.slice().run(Monitor())
    assert RUN.deviation(whole, part) < 1e-6
    assert part["step"][-1] in whole["step"]
    for number in (KINDS.index(kind) for kind in ("network", "twin", "replayed", "frozen")):
        wrong = whole | {"loss": whole["loss"].copy()}
        wrong["loss"][number] *= 1.01
        assert RUN.deviation(wrong, part) > RUN.tolerance


def made_up(plan, excess):
    """Return results in which networks exceed their twins by a factor on the last step, each seed a little differently."""
    random, results = np.random.default_rng(0), {}
    for run in plan.experiments():
        step = np.array([0.0, 1.0, run.steps])
        shape = (len(KINDS), run.seeds, 3)
        power = np.ones((*shape, len(BANDS))) * np.array([1, 0.5, 0.01])[:, None]
        if math.isinf(run.sharpness):
            power[0, :, 2] *= np.exp(excess + 0.01 * random.normal(size=(run.seeds, 1)))
        power[KINDS.index("diagonal"), :, 2] *= np.exp(0.001 * random.normal(size=(run.seeds, 1)))
        ones = np.ones((run.seeds, 3, len(BANDS)))
        arrays = {"step": step, "loss": power.sum(-1), "power": power, "kernel": ones, "overlap": 0.8 * ones}
        results[run] = Result(arrays | {"moved": ones[..., 0], "crossed": ones[..., 0]}, {}, "computed")
    return results


@pytest.mark.parametrize(("excess", "verdict"), [(0.5, "confirmed"), (-0.5, "not confirmed")])
def test_claims_follow_the_networks(excess, verdict):
    plan = page.Plan(seeds=4, displacements=(0.1,), scale="full")
    results = made_up(plan, excess)
    compared = page.matched(plan, results)
    (level, smooth, relu) = compared[plan.sharpnesses[0]]
    assert level == pytest.approx(0.01) and np.allclose(smooth, 0) and relu.mean() == pytest.approx(excess, abs=0.02)
    found = page.claims_of(plan, results, page.by_chance(plan), compared)
    verdicts = {claim.id: claim.verdict for claim in found}
    assert verdicts["weak.slower"] == verdicts["weak.kinks"] == verdict
    assert verdicts["weak.diagonal"] == "confirmed"


def test_excess_takes_modes_and_figures_draw():
    plan = page.Plan()
    results = made_up(plan, 0.5)
    arrays = results[plan.run()].arrays
    arrays["power"][0, :, -1, 0] = 100.0  # modes below 4 do not count
    assert page.excess(results[plan.run()], "network")[:, -1].mean() == pytest.approx(0.5, abs=0.02)
    assert len(page.delay_figure(plan, results).axes) == len(page.band_figure(plan, results).axes) == 2
