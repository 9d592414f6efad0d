import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from companion.pages import fig09 as figure09
from neural_scaling.base.checks import InputError
from neural_scaling.models.linear_models import loss_curve, projection_floor

LAM = np.arange(1, 13.0) ** -1.5
TARGET = np.arange(1, 13.0) ** 0.2


def features(width, seed=0):
    return np.random.default_rng(seed).standard_normal((width, LAM.size))


@settings(max_examples=30)
@given(width=st.integers(1, 8), gamma=st.floats(0, 2), eta=st.floats(0.001, 0.05), seed=st.integers(0, 99))
def test_projected_and_factored_forms_agree(width, gamma, eta, seed):
    A = features(width, seed)
    first, second = (loss_curve(form, LAM, TARGET, A, eta, gamma, 40) for form in ("projected", "factored"))
    np.testing.assert_allclose(first, second, rtol=1e-10)  # rounding over 40 steps


def test_without_feature_learning_all_are_random_features():
    A = features(4)
    curves = [loss_curve(form, LAM, TARGET, A, 0.05, 0.0, 30) for form in ("two-layer", "projected", "factored")]
    for curve in curves:
        np.testing.assert_allclose(
            curve, loss_curve("random features", LAM, TARGET, A, 0.05, 0.0, 30), rtol=1e-12
        )  # rounding


def test_floor():
    assert projection_floor(LAM, TARGET, np.eye(LAM.size)) == pytest.approx(0, abs=1e-12)
    A = np.eye(LAM.size)[:3]
    assert projection_floor(LAM, TARGET, A) == pytest.approx(np.sum(LAM[3:] * TARGET[3:] ** 2), rel=1e-12)
    curve = loss_curve("random features", LAM, TARGET, 2 * A, 0.2, 0.0, 500)
    # Slowest rate eta lambda_3 4/3 = 0.05 a step: exp(-2 * 0.05 * 500) is left.
    assert curve[-1] == pytest.approx(projection_floor(LAM, TARGET, A), rel=1e-9)


@pytest.mark.slow
def test_claims_of_figure_9():
    plan = figure09.Plan()
    found = figure09.losses(plan)
    verdicts = {claim.id: claim.verdict for claim in figure09.model_claims(plan, found)}
    assert verdicts == dict.fromkeys(("fig-9.equivalence", "fig-9.floor", "fig-9.no-bottleneck"), "confirmed")
    plan = figure09.Plan(steps=20)
    unfinished = {claim.id: claim.verdict for claim in figure09.model_claims(plan, figure09.losses(plan))}
    assert unfinished["fig-9.floor"] == "not confirmed"


def test_divergence_is_an_error():
    with np.errstate(all="ignore"), pytest.raises(InputError, match=r"^eta: .*diverge"):
        loss_curve("two-layer", LAM, TARGET, features(4), 10.0, 1.0, 500)
