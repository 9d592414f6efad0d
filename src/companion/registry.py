"""Pages by name: every ``pages/<item>.py`` is one, and those whose plan has experiments keep runs."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from companion.parameters import values_at
from neural_scaling.base.checks import require
from neural_scaling.runs import Experiment


def keep_runs() -> list[str]:
    """Return the pages that keep runs; their source is read, since importing them all takes seconds."""
    pages = sorted((Path(__file__).parent / "pages").glob("*.py"))
    return [page.stem for page in pages if "def experiments(self" in page.read_text("utf-8")]


def experiments(item: str, scale: str) -> list[Experiment]:
    """Return the runs of a page at the parameters that the checkout gives for a scale."""
    kept = keep_runs()
    require(item in kept, "item", f"{item!r} keeps no runs", f"use one of {', '.join(kept)}")
    runs: list[Experiment] = import_module(f"companion.pages.{item}").Plan(**values_at(item, scale)).experiments()
    return runs
