"""What notebooks show around their results: a line of provenance, and a notice where data could not be had.

A page that needs images asks for them by :func:`dataset`, one that needs text by :func:`text`. Where they cannot be had the page
says so and shows shipped results instead of computing; the terminal lists such pages, and the tests count them as failures::

    plan = item.Plan(widths=widths, steps=steps)
    digits = dataset("mnist")
    if digits is None:
        scale, plan = shipped_plan(item.Plan, "fig06")
    results = obtain_all(plan.experiments(), "fig06", scale)
"""

from __future__ import annotations

import dataclasses
import datetime
import html
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import yaml

from neural_scaling import __version__
from neural_scaling.checks import require
from neural_scaling.datasets import DatasetUnavailable, ImageDataset, load
from neural_scaling.paths import checkout, shipped_scale
from neural_scaling.runs import Experiment, Index
from neural_scaling.runs.provenance import commit, hardware
from neural_scaling.text import TextDataset
from neural_scaling.text import load as load_text

Loaded = TypeVar("Loaded")


def provenance(scale: str, seeds: int | Sequence[int] | None = None) -> str:
    """Return what produced a page, as one line of text to be displayed in a cell tagged ``provenance``.

    It differs from machine to machine, so that tag keeps its output out of the committed references.

    Parameters
    ----------
    scale
        ``small`` or ``full``.
    seeds
        A seed, several, or None where nothing is random.

    Returns
    -------
    str
        Scale, seeds, library version, commit (``unknown`` outside a checkout), hardware and date.
    """
    parts = [f"scale: {scale}"]
    if seeds is not None:
        listed = [seeds] if isinstance(seeds, int) else list(seeds)
        parts.append(f"seeds: {_abbreviated(listed)}" if len(listed) > 1 else f"seed: {listed[0]}")
    parts += [f"neural-scaling {__version__}", f"commit {commit()}", hardware()]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return " · ".join(parts)


def dataset(name: str, size: str | None = None) -> ImageDataset | None:
    """Return a dataset for a page, or show a notice and return None where no source of it can be reached.

    Parameters
    ----------
    name, size
        As for :func:`neural_scaling.datasets.load`.

    Returns
    -------
    ImageDataset or None

    Raises
    ------
    InputError
        If there is no such dataset or size.
    DatasetDamaged
        If a file on disk is not as it was written.
    OSError
        If the disk is full or cannot be written.
    """
    return _or_notice(load, name, size, "images")


def text(name: str, size: str | None = None) -> TextDataset | None:
    """Return a text for a page, or show a notice and return None where no source of it can be reached.

    Parameters
    ----------
    name, size
        As for :func:`neural_scaling.text.load`.

    Returns
    -------
    TextDataset or None

    Raises
    ------
    InputError
        If there is no such text or size.
    DatasetDamaged
        If a file on disk is not as it was written.
    OSError
        If the disk is full or cannot be written.
    """
    return _or_notice(load_text, name, size, "tokens")


def needs_data(experiments: Sequence[Experiment], item: str, scale: str) -> bool:
    """Return whether a page has runs to compute, for which it needs its data.

    Parameters
    ----------
    experiments
        Runs of the page.
    item, scale
        As :func:`neural_scaling.runs.obtain_all` takes them.

    Returns
    -------
    bool
        True at small scale, where everything is computed; else whether the result of a run is missing.
    """
    if scale == "small":
        return True
    index = Index(item)
    return any(index.look_up(experiment).found is None for experiment in experiments)


def shipped_plan(plan: type[Any], item: str) -> tuple[str, Any]:
    """Return the plan of the runs of an item whose results are shipped, and its scale.

    Parameters
    ----------
    plan
        A dataclass whose fields are parameters of the notebook.
    item
        For example ``fig06``.

    Returns
    -------
    str, object
        ``reduced`` or ``full``; an object of that class with the values of ``notebooks/parameters/<item>.<scale>.yaml``.

    Raises
    ------
    InputError
        Outside a checkout, or if there is no such file.
    """
    root, scale = checkout(), shipped_scale(item)
    path = None if root is None else root / "notebooks" / "parameters" / f"{item}.{scale}.yaml"
    require(
        path is not None and path.is_file(), "item", f"{item!r} has no {scale}-scale parameters", "use it in a checkout"
    )
    assert path is not None
    values = yaml.safe_load(path.read_text("utf-8"))
    names = {field.name for field in dataclasses.fields(plan)}
    return scale, plan(**{name: value for name, value in values.items() if name in names})


def _or_notice(load_it: Callable[[str, str | None], Loaded], name: str, size: str | None, kind: str) -> Loaded | None:
    try:
        return load_it(name, size)
    except DatasetUnavailable as error:
        _show_notice(name, kind, str(error))
        return None


def _show_notice(name: str, kind: str, reason: str) -> None:
    """Display a warning whose metadata tell the program that builds the book what is missing."""
    from IPython.display import display

    title = f"The {kind} of {name} could not be had"
    said = "What follows are results computed elsewhere and shipped with this book, not computed for this page."
    body = f'<p class="admonition-title">{title}</p><p>{said}</p><pre>{html.escape(reason)}</pre>'
    display(  # type: ignore[no-untyped-call]
        {"text/html": f'<div class="admonition warning">{body}</div>', "text/plain": f"{title}. {said}\n{reason}"},
        raw=True,
        metadata={"neural_scaling": {"notice": f"{name} could not be had"}},
    )


def _abbreviated(seeds: list[int]) -> str:
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive and len(seeds) > 2 else ", ".join(map(str, seeds))
