"""What the page on the parametrization concludes, and that it could conclude otherwise."""

import dataclasses

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from companion.pages import mup

PLAN = mup.Plan(
    depth=3,
    beta=1.0,
    batch=16,
    eta=0.1,
    richness=0.5,
    seeds=4,
    widths=[32, 64, 128],
    steps_check=5,
    widths_curves=[16, 32],
    steps=20,
    etas=[0.1, 0.4],
    richness_limit=[1e-2, 1e-3, 1e-4],
)


def claims(moved, curves, search, limit):
    return [
        *mup.flat_claims(PLAN, mup.slopes(PLAN, moved)),
        mup.curves_claim(PLAN, curves),
        mup.eta_claim(PLAN, mup.best(search)),
        mup.lazy_claim(PLAN, limit),
    ]


def test_what_is_measured_and_concluded():
    moved, curves = mup.coordinate_check(PLAN), mup.width_curves(PLAN)
    search, limit = mup.eta_search(PLAN), mup.lazy_limit(PLAN)
    assert moved.shape == (3, 3, 4)
    assert curves.loss.shape == (2, curves.step.size)
    assert list(zip(search.width, search.eta, strict=True)) == [(16, 0.1), (16, 0.4), (32, 0.1), (32, 0.4)]
    found = {claim.id: claim for claim in claims(moved, curves, search, limit)}
    assert set(found) == {"mup.layer-1", "mup.layer-2", "mup.output", "mup.curves", "mup.eta", "mup.lazy"}
    assert found["mup.lazy"].verdict == "confirmed"
    assert found["mup.output"].verdict != "not confirmed"
    # As in the standard parametrization, where outputs would grow with width.
    grown = moved * np.sqrt(PLAN.widths)[None, :, None]
    apart = dataclasses.replace(curves, loss=curves.loss * np.array([[1.0], [3.0]]))
    wide = dataclasses.replace(PLAN, etas=[0.1, 0.2, 0.4])
    moving = pd.DataFrame({"width": [16] * 3 + [32] * 3, "eta": wide.etas * 2, "loss": [1.0, 2, 3, 3, 2, 1]})
    assert mup.eta_claim(wide, mup.best(moving)).verdict == "not confirmed"
    wrong = claims(grown, apart, search, limit.assign(difference=0.2))
    assert {claim.verdict for claim in wrong if claim.id != "mup.eta"} == {"not confirmed"}
    figure = mup.draw(PLAN, moved, curves, search, limit)
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
