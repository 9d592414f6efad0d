"""Pages by name: every ``pages/<item>.py`` is one, and those that keep runs have a plan with experiments."""

from __future__ import annotations

import functools
from importlib import import_module
from pathlib import Path
from typing import Any

from companion.parameters import values_at
from neural_scaling.base.checks import require
from neural_scaling.runs import Experiment


@functools.cache
def plans() -> dict[str, type[Any]]:
    """Return the plans of the pages that keep runs, by name."""
    names = sorted(path.stem for path in (Path(__file__).parent / "pages").glob("[!_]*.py"))
    found = {name: getattr(import_module(f"companion.pages.{name}"), "Plan", None) for name in names}
    return {name: plan for name, plan in found.items() if plan is not None and hasattr(plan, "experiments")}


def experiments(item: str, scale: str) -> list[Experiment]:
    """Return the runs of a page at the parameters that the checkout gives for a scale."""
    require(item in plans(), "item", f"{item!r} keeps no runs", f"use one of {', '.join(plans())}")
    runs: list[Experiment] = plans()[item](**values_at(item, scale)).experiments()
    return runs
