"""What the page on the parametrization concludes, and that it could conclude otherwise."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from companion.pages import mup
from companion.pages import mup as draw

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


def test_what_is_measured_and_concluded():
    check, curves = mup.coordinate_check(PLAN), mup.width_curves(PLAN)
    search, limit = mup.eta_search(PLAN), mup.lazy_limit(PLAN)
    assert check.moved.shape == (3, 3, 4)
    assert curves.loss.shape == (2, curves.step.size)
    assert search.loss.shape == (2, 2)
    claims = {claim.id: claim for claim in mup.claims(check, curves, search, limit, mup.Plan())}
    assert set(claims) == {"mup.layer-1", "mup.layer-2", "mup.output", "mup.curves", "mup.eta", "mup.lazy"}
    assert claims["mup.lazy"].verdict == "confirmed"
    assert claims["mup.output"].verdict != "not confirmed"
    # As in the standard parametrization, where outputs would grow with width.
    grown = dataclasses.replace(check, moved=check.moved * np.sqrt(check.widths)[None, :, None])
    apart = dataclasses.replace(curves, loss=curves.loss * np.array([[1.0], [3.0]]))
    moving = dataclasses.replace(
        search, loss=np.array([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]), etas=np.array([0.1, 0.2, 0.4])
    )
    stuck = dataclasses.replace(limit, difference=np.full(3, 0.2))
    wrong = mup.claims(grown, apart, moving, stuck, mup.Plan())
    assert {claim.verdict for claim in wrong} == {"not confirmed"}
    figure = draw.draw(check, curves, search, limit)
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
