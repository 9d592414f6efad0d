"""Items whose runs are worth keeping, and the runs that a set of parameters makes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import yaml

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
from neural_scaling.paths import checkout
from neural_scaling.runs import Experiment


class _Plan(Protocol):
    def __init__(self, **parameters: Any) -> None: ...

    def experiments(self) -> list[Experiment]: ...


def _planned(plan: type[_Plan]) -> Callable[[Mapping[str, Any]], list[Experiment]]:
    """Return what makes the runs of a page whose plan holds all parameters but the scale."""
    return lambda parameters: plan(**{k: value for k, value in parameters.items() if k != "scale"}).experiments()


#: Runs of an item from the parameters of its notebook.
EXPERIMENTS: dict[str, Callable[[Mapping[str, Any]], list[Experiment]]] = {
    figure02.ITEM: _planned(figure02.Plan),
    figure03.ITEM: _planned(figure03.Plan),
    figure04.ITEM: _planned(figure04.Plan),
    figure05.ITEM: _planned(figure05.Plan),
    figure06.ITEM: _planned(figure06.Plan),
    figure07.ITEM: _planned(figure07.Plan),
    figure08.ITEM: _planned(figure08.Plan),
    figure11.ITEM: _planned(figure11.Plan),
    batch.ITEM: _planned(batch.Plan),
    bottleneck.ITEM: _planned(bottleneck.Plan),
    losslaw.ITEM: _planned(losslaw.Plan),
    mnist1m.ITEM: _planned(mnist1m.Plan),
    reuse.ITEM: _planned(reuse.Plan),
    sgdnoise.ITEM: _planned(sgdnoise.Plan),
    source.ITEM: _planned(source.Plan),
    transient.ITEM: _planned(transient.Plan),
}


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
    root = checkout()
    require(root is not None, "item", "no checkout found, so no parameters", "run this inside a checkout")
    path = Path(root or "") / "notebooks" / "parameters" / f"{item}.{scale}.yaml"
    require(path.is_file(), "scale", f"got {scale!r}, but there is no {path.name}", "use small or full")
    return EXPERIMENTS[item](yaml.safe_load(path.read_text()))
