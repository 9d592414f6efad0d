"""Items whose runs are worth keeping, and the runs that a set of parameters makes."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from neural_scaling.checks import require
from neural_scaling.items import (
    batch,
    bottleneck,
    figure02,
    figure03,
    figure04,
    figure05,
    figure06,
    figure07,
    figure08,
    figure11,
    losslaw,
    mnist1m,
    reuse,
    sgdnoise,
    source,
    transient,
)
from neural_scaling.parameters import values_at
from neural_scaling.runs import Experiment


class _Plan(Protocol):
    item: ClassVar[str]

    def __init__(self, **parameters: Any) -> None: ...

    def experiments(self) -> list[Experiment]: ...


_PLANS: tuple[type[_Plan], ...] = (
    figure02.Plan,
    figure03.Plan,
    figure04.Plan,
    figure05.Plan,
    figure06.Plan,
    figure07.Plan,
    figure08.Plan,
    figure11.Plan,
    batch.Plan,
    bottleneck.Plan,
    losslaw.Plan,
    mnist1m.Plan,
    reuse.Plan,
    sgdnoise.Plan,
    source.Plan,
    transient.Plan,
)
#: Items that keep runs, with their plans.
EXPERIMENTS = {plan.item: plan for plan in _PLANS}


def experiments(item: str, scale: str) -> list[Experiment]:
    """Return the runs of an item at the parameters that the checkout gives for a scale.

    Parameters
    ----------
    item
        For example ``fig02``.
    scale
        ``small``, ``full`` or, where there is one, ``reduced``.

    Returns
    -------
    list of Experiment

    Raises
    ------
    InputError
        If the item keeps no runs, the scale has no parameters, or there is no checkout.
    """
    require(item in EXPERIMENTS, "item", f"{item!r} keeps no runs", f"use one of {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[item](**values_at(item, scale)).experiments()
