"""Figure 9: the three models trained side by side, to see that the diagram says what they do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neural_scaling.claims import Claim, judge, number
from neural_scaling.linear_models import Model, loss_curve, projection_floor
from neural_scaling.parameters import Capacity, Count, Parameters, Positive, Richness, Seed, Source

ITEM = "fig09"

#: Two forms of one model agree to rounding, which grows with the number of steps.
ROUNDING_TOLERANCE = 1e-9
#: Relative distance to the floor that counts as having reached it.
FLOOR_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Plan(Parameters, item=ITEM):
    """Parameters of the page."""

    alpha: Capacity
    beta: Source
    modes: Count
    width: Count
    eta: Positive
    gamma: Richness
    steps: Count
    seed: Seed


@dataclass(frozen=True)
class Comparison:
    """Losses of the four forms from one initialization.

    Attributes
    ----------
    width
        N.
    loss
        Loss after every step by model, shape (T + 1,).
    floor
        Loss of the best fit within the span of the initial features.
    """

    width: int
    loss: dict[Model, NDArray[np.float64]]
    floor: float


def compare(
    alpha: float, beta: float, modes: int, width: int, eta: float, gamma: float, steps: int, seed: int
) -> Comparison:
    """Train the models of Figure 9 from the same A(0) on the same power law, infinite batch.

    Parameters
    ----------
    alpha, beta
        Capacity and source.
    modes, width
        M and N, N <= M.
    eta, gamma, steps
        Learning rate, richness, number of steps.
    seed
        Of A(0).

    Returns
    -------
    Comparison
        Losses and floor.
    """
    index = np.arange(1, modes + 1, dtype=np.float64)
    eigenvalues = index**-alpha
    target = np.sqrt(index ** (-alpha * beta - 1.0) / eigenvalues)
    features = np.random.default_rng(seed).standard_normal((width, modes))
    names: tuple[Model, ...] = ("random features", "two-layer", "projected", "factored")
    losses = {name: loss_curve(name, eigenvalues, target, features, eta, gamma, steps) for name in names}
    return Comparison(width, losses, projection_floor(eigenvalues, target, features))


def model_claims(wide: Comparison, single: Comparison, scale: str) -> list[Claim]:
    """Judge what the text around Figure 9 says of the models.

    Parameters
    ----------
    wide
        Comparison at N > 1.
    single
        Comparison at N = 1.
    scale
        ``small`` or ``full``.

    Returns
    -------
    list of Claim
        Equivalence of two forms, floor with and without feature learning, no floor without projection.
    """
    projected, factored = wide.loss["projected"], wide.loss["factored"]
    form_gap = float(np.max(np.abs(projected - factored) / projected))
    floor_gap = max(abs(wide.loss[name][-1] / wide.floor - 1.0) for name in ("random features", "projected"))
    escaped = float(single.loss["two-layer"][-1] / single.floor)
    cases = (
        (
            "equivalence",
            "Fig. 9c, eqs. 4, 16 and 17",
            "Projected descent on A is plain descent on B with A(t) = B(t) A(0).",
            f"largest relative difference of the two losses, N = {wide.width}",
            form_gap,
            ROUNDING_TOLERANCE,
            "; eq. 17 needs the factor gamma that its text describes",
        ),
        (
            "floor",
            "Fig. 9, caption",
            "The frozen and the projected model keep the bottleneck of finite width, whatever the richness.",
            f"relative distance of both final losses from the projection residual, N = {wide.width}",
            float(floor_gap),
            FLOOR_TOLERANCE,
            f"; the floor is {number(wide.floor)}",
        ),
        (
            "no-bottleneck",
            "section 2 and Fig. 9b",
            "Without the projection even N = 1 fits the target.",
            "final loss of the two-layer network over the floor of the projected one, N = 1",
            escaped,
            FLOOR_TOLERANCE,
            "",
        ),
    )
    claims = []
    for name, location, statement, quantity, value, tolerance, remark in cases:
        verdict, reason = judge(0.0, value, (value, value), tolerance)
        claims.append(
            Claim(
                id=f"fig-9.{name}",
                item=ITEM,
                location=location,
                statement=statement,
                quantity=quantity,
                predicted=0.0,
                measured=value,
                interval=(value, value),
                window=None,
                scale=scale,
                verdict=verdict,
                reason=reason + remark,
            )
        )
    return claims
