"""What the page on the parametrization concludes, and that it could conclude otherwise."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from companion.pages import mup

PLAN = mup.Plan(
    depth=3,
    beta=1.0,
    batch=16,
    eta=0.1,
    richness=0.5,
    seeds=4,
    seeds_curves=4,
    widths=[32, 64, 128],
    steps_check=5,
    widths_curves=[16, 32],
    steps=20,
    etas=[0.1, 0.4],
    richness_limit=[5e-3, 1e-3, 1e-4],
)


def claims(moved, curves, search, limit):
    return [
        *mup.flat_claims(PLAN, mup.growth(PLAN, moved)),
        mup.curves_claim(PLAN, curves),
        mup.eta_claim(PLAN, mup.best(search)),
        mup.lazy_claim(PLAN, limit),
    ]


def test_curves_are_compared_seed_by_seed_where_they_differ_most():
    losses = np.ones((3, 4, 5))
    noise = np.exp(np.random.default_rng(0).standard_normal((1, 4, 1)))  # of the samples, which all widths share
    losses[1, :, 3] = 1.02
    losses[1, :, 2] = np.exp([0.09, 0.10, 0.11, 0.10])
    curves = mup.WidthCurves(np.arange(1, 6.0), losses * noise)
    claim = mup.curves_claim(PLAN, curves)
    assert "at step 3," in claim.quantity and claim.measured == pytest.approx(0.1)
    scatter = np.std([0.09, 0.10, 0.11, 0.10], ddof=1)
    assert np.diff(claim.interval)[0] / 2 == pytest.approx(
        3.1824 * scatter / 2, rel=1e-3
    )  # Student, three degrees of freedom
    assert claim.verdict == "not confirmed"
    assert (
        mup.curves_claim(PLAN, mup.WidthCurves(curves.step, np.exp(0.4 * np.log(losses)) * noise)).verdict
        == "confirmed"
    )


def test_a_best_rate_is_known_to_one_step_of_the_search():
    plan = dataclasses.replace(PLAN, etas=[0.025, 0.1, 0.4, 1.6, 6.4])

    def claim(*rates):
        return mup.eta_claim(plan, pd.DataFrame({"width": range(len(rates)), "eta": rates}))

    assert claim(0.1, 0.1).verdict == "confirmed" and claim(0.1, 0.1).interval == (0.25, 4)
    assert claim(0.1, 0.4).verdict == "inconclusive"
    assert claim(0.1, 2.0).verdict == "not confirmed"
    for end in (0.025, 6.4):  # a best rate beyond it would be unseen
        assert claim(end, end).verdict == "inconclusive" and "at an end of the search" in claim(end, end).reason


def test_what_is_measured_and_concluded():
    results = PLAN.results()
    moved, curves = mup.changes(PLAN, results), mup.width_curves(PLAN, results)
    search, limit = mup.eta_search(PLAN, results), mup.lazy_limit(PLAN, results)
    assert moved.shape == (3, 3, 4)
    assert curves.losses.shape == (2, 4, curves.step.size) and curves.loss.shape == (2, curves.step.size)
    assert list(zip(search.width, search.eta, strict=True)) == [(16, 0.1), (16, 0.4), (32, 0.1), (32, 0.4)]
    found = {claim.id: claim for claim in claims(moved, curves, search, limit)}
    assert set(found) == {"mup.layer-1", "mup.layer-2", "mup.output", "mup.curves", "mup.eta", "mup.lazy"}
    assert found["mup.lazy"].verdict == "confirmed"
    assert found["mup.output"].verdict != "not confirmed"
    # As in the standard parametrization, where outputs would grow with width.
    grown = moved * np.sqrt(PLAN.widths)[None, :, None]
    assert mup.growth(PLAN, grown).factor.to_numpy() == pytest.approx(
        np.sqrt(2) * mup.growth(PLAN, moved).factor.to_numpy()
    )
    apart = dataclasses.replace(curves, losses=curves.losses * np.array([[[1.0]], [[3.0]]]))
    wide = dataclasses.replace(PLAN, etas=[0.05, 0.1, 0.2, 0.4, 0.8, 1.6])
    losses = [4.0, 1, 2, 3, 4, 5, 5, 4, 3, 2, 1, 4]
    moving = pd.DataFrame({"width": [16] * 6 + [32] * 6, "eta": wide.etas * 2, "loss": losses})
    assert mup.eta_claim(wide, mup.best(moving)).verdict == "not confirmed"
    wrong = claims(grown, apart, search, limit.assign(difference=0.2))
    found = {claim.id: claim.verdict for claim in wrong if claim.id != "mup.eta"}
    assert found.pop("mup.lazy") == "inconclusive"  # a difference that does not fall
    assert set(found.values()) == {"not confirmed"}
    growing = limit.assign(difference=limit.richness**-0.5)
    assert mup.lazy_claim(PLAN, growing).verdict == "not confirmed"
    figure = mup.draw(PLAN, moved, curves, search, limit)
    assert isinstance(figure, Figure)
    assert figure.svg().startswith("<?xml")
