"""What the page of Figure 2 concludes from curves whose answer is known, and that it could conclude otherwise."""

import dataclasses
import math

import numpy as np
import pandas as pd
import pytest

from companion.agreement import log_average
from companion.pages import fig02 as figure02
from neural_scaling.base.grids import log_spaced_steps
from neural_scaling.base.monitor import Monitor
from neural_scaling.runs import Result

pytestmark = pytest.mark.slow

PLAN = figure02.Plan(gammas=[0.0, 2.0], steps_infinite=4000, eta_infinite=0.05)


def panel_of(beta):
    runs = [*PLAN.discrete(beta), *PLAN.flow(beta)]
    return figure02.infinite_panel(PLAN, beta, {run: Result(run.run(Monitor()), {}, "computed") for run in runs})


@pytest.fixture(scope="module")
def hard():
    return panel_of(0.4)


@pytest.fixture(scope="module")
def found(hard):
    return figure02.exponents(hard)


def times(panel, factor):
    """Every curve of a panel in unit steps multiplied by a function of the step."""
    changed = [
        dataclasses.replace(
            one, arrays=one.arrays | {"loss": one.arrays["loss"] * factor(np.maximum(one.arrays["step"], 1))}
        )
        for one in panel.discrete
    ]
    return dataclasses.replace(panel, discrete=tuple(changed))


def test_curves_beside_theory_in_one_window(hard, found):
    lazy, rich = found.itertuples()
    # Frozen kernels obey eq. 67 exactly up to the sum over modes; a rich one has a spike besides.
    assert lazy.closure == pytest.approx(0.4, abs=0.003) and lazy.exponent == pytest.approx(lazy.closure, abs=0.003)
    assert rich.closure == pytest.approx(rich.exponent, rel=0.05)
    assert np.abs(found.flow - 1).max() < 0.01
    steeper = figure02.exponents(times(hard, lambda step: step**-0.1))
    assert (steeper.exponent - found.exponent).to_numpy() == pytest.approx(0.1)
    assert [high - low for low, high in steeper.beside] == pytest.approx([high - low for low, high in found.beside])
    assert list(steeper.closure) == list(found.closure)


def test_claims_of_the_hard_task(hard, found):
    late = figure02.late_exponents(hard)
    assert list(late.gamma) == [2.0]
    assert late.exponent[0] == pytest.approx(0.8 / 1.4, abs=0.003)

    def verdicts(panel, rows):
        return {claim.id: claim.verdict for claim in figure02.exponent_claims(PLAN, panel, rows, late)}

    right = verdicts(hard, found)
    assert right == dict.fromkeys(
        ("fig02.hard.gamma-0", "fig02.hard.gamma-2", "fig02.hard.gamma-2.steps", "fig02.hard.flow"), "confirmed"
    )
    other = times(hard, lambda step: step**-0.1)
    wrong = verdicts(other, figure02.exponents(other))
    assert wrong == right | dict.fromkeys(
        ("fig02.hard.gamma-0", "fig02.hard.gamma-2.steps", "fig02.hard.flow"), "not confirmed"
    )


def test_the_loss_falls_with_richness(hard):
    claim = figure02.order_claim(PLAN, hard)
    assert (claim.id, claim.verdict) == ("fig02.hard.order", "confirmed")
    turned = dataclasses.replace(hard, discrete=hard.discrete[::-1])
    assert figure02.order_claim(PLAN, turned).verdict == "not confirmed"


def test_beyond_the_edge():
    rows = pd.DataFrame(
        {"edge": [100.0, 50.0, math.inf], "predicted": [200.0, 60.0, 1e4], "after": [0.3, 0.4, math.nan]}
    )
    late, edge = figure02.edge_claims(PLAN, rows)
    assert (late.measured, late.interval, late.verdict) == (pytest.approx(0.35), (0.3, 0.4), "confirmed")
    assert edge.interval == (pytest.approx(math.log10(0.5)), pytest.approx(math.log10(50 / 60)))
    assert edge.verdict == "confirmed" and "2 of 3 runs" in edge.reason
    kept, far = figure02.edge_claims(PLAN, rows.assign(after=0.6, predicted=1e4))
    assert [kept.verdict, far.verdict] == ["not confirmed", "not confirmed"]
    none, _ = figure02.edge_claims(PLAN, rows.assign(after=math.nan))
    assert none.verdict == "inconclusive"


def test_an_average_over_log_steps_does_not_feel_the_grid():
    step = log_spaced_steps(10000, 10)[1:].astype(float)
    middle = (math.log(step[0]) + math.log(step[-1])) / 2
    assert log_average(np.log(step), step) == pytest.approx(middle, rel=1e-3)
    assert abs(np.log(step).mean() / middle - 1) > 0.02  # without weights the whole steps at first count too little
