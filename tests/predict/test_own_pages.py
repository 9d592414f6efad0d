"""What the pages on own problems compute: answers that are known, and a network trained as its kernel says."""

from dataclasses import replace

import numpy as np
import pytest

from companion.own_runs import OwnForecastRun, OwnTrainingRun, network
from companion.pages import own_curves, own_problem
from neural_scaling.base.monitor import Monitor
from neural_scaling.theory import bottleneck_exponent
from pictures import made_up


@pytest.mark.slow
def test_what_is_predicted_from_samples_holds_the_task_that_they_were_drawn_from():
    plan = own_problem.Plan(samples=400)
    task = own_problem.known(plan)
    answers = own_problem.answers(plan, task)
    assert list(answers["true"]) == [plan.alpha, plan.beta]
    assert answers["inside"].all()  # one draw at a fixed seed; coverage is measured elsewhere
    assert (own_problem.held(task)["inside"] > 0.9).all()


def test_a_typed_spectrum_gives_its_exponents():
    mode = np.arange(1, 301)
    summary = own_problem.summary(own_problem.typed(mode**-1.3, 1 / mode)).set_index("quantity")["value"]
    assert summary["capacity α"] == pytest.approx(1.3)
    assert summary["source β"] == pytest.approx((1.3 + 2 - 1) / 1.3)  # lambda w^2 = k^-(alpha + 2)
    assert summary["probability that the task is hard"] == 0


@pytest.mark.slow
def test_curves_on_the_law_give_its_exponents():
    """Without the noise of seeds the fitted points are those of the law itself."""
    plan = own_curves.Plan(resamples=40)
    runs = plan.trained()
    step = np.unique(np.geomspace(1, plan.steps, 200).astype(int))
    a = bottleneck_exponent(plan.alpha, plan.beta, "corrected")

    class Made:
        def __init__(self, width):
            loss = 2 * width**-a + 1.5 * (plan.eta * step) ** -plan.beta
            self.arrays = {"step": step, "loss": np.tile(loss, (plan.seeds, 1))}

    found = own_curves.curves(plan, {run: Made(run.width) for run in runs})
    table = own_curves.exponents(plan, found).set_index(["law", "name"])
    for name in ("a", "b"):
        assert table.loc["Chinchilla form", name]["value"] == pytest.approx(
            table.loc["Chinchilla form", name]["true"], rel=1e-3
        )


@pytest.mark.slow
def test_training_is_the_same_each_time_and_its_first_seed_alone(monkeypatch):
    monkeypatch.setattr("companion.own_runs.load", lambda name: made_up(images=120))
    run = OwnTrainingRun("made-up", 100, 20, 4, 0.5, 0.05, 8, 60, 2)
    first, second = run.run(Monitor()), replace(run, seeds=1).run(Monitor())
    assert first["loss"].shape == (2, len(run.recorded()))
    np.testing.assert_array_equal(first["loss"][:1], second["loss"])
    assert run.deviation(first, run.slice().run(Monitor())) <= run.tolerance
    assert np.all(first["loss"][:, -1] < 0.95 * first["loss"][:, 0])


@pytest.mark.slow
def test_a_nearly_lazy_network_follows_its_forecast(monkeypatch):
    """Classes that differ in brightness are learned as the kernel says, up to the noise of batches and 1/N."""
    monkeypatch.setattr("companion.own_runs.load", lambda name: made_up(images=400, test=100))
    forecast = OwnForecastRun("made-up", 300, 100, 32).run(Monitor())
    trained = OwnTrainingRun("made-up", 300, 100, 32, 0.05, 0.05, 64, 100, 2).run(Monitor())
    time, loss = 0.05 * trained["step"][1:], trained["loss"][:, 1:].mean(axis=0)
    train, test = (np.interp(time, forecast["time"], bound) for bound in forecast["bounds"])
    inside = (time >= forecast["time"][0]) & (time <= forecast["time"][-1])
    assert inside.sum() >= 5
    assert np.all(loss[inside] > 0.9 * train[inside])
    assert np.all(loss[inside] < 1.1 * test[inside])


def test_the_network_returns_one_row_of_outputs_a_picture():
    import torch

    assert network(3, 2, 8, 5)(torch.zeros(4, 2, 8, 8)).shape == (4, 5)
