"""What notebooks do around their results: check parameters, print a line of provenance, give notice of missing data.

A page that needs images asks for them by :func:`dataset`, one that needs text by :func:`text`. Where they cannot be had the page
says so and shows shipped results instead of computing; the terminal lists such pages, and the tests count them as failures::

    plan = notebook.plan(item.Plan, globals())
    digits = dataset("mnist")
    if digits is None:
        scale, plan = shipped_plan(item.Plan, "fig06")
    results = obtain_all(plan.experiments(), "fig06", scale)
"""

from __future__ import annotations

import dataclasses
import datetime
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from companion.parameters import Parameters, scales_of, values_at
from neural_scaling import __version__
from neural_scaling.base import checks
from neural_scaling.base.checks import InputError, choice, require
from neural_scaling.base.paths import SCALES, shipped_scale
from neural_scaling.data import DatasetUnavailable, ImageDataset, load, load_text
from neural_scaling.data.text import TextDataset
from neural_scaling.runs import Experiment, Index
from neural_scaling.runs.provenance import commit, hardware

__all__ = ["ParameterError", "dataset", "needs_data", "plan", "provenance", "shipped_plan", "text"]

Loaded = TypeVar("Loaded")
Chosen = TypeVar("Chosen", bound=Parameters)


class ParameterError(InputError):
    """A parameter of a page cannot be used; a notebook shows the message as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # what IPython asks an exception for
        return [f"{type(self).__name__}: {self}"]


def plan(kind: type[Chosen], values: Mapping[str, Any]) -> Chosen:
    """Return the plan of a page, checked, from the values of its parameters cell.

    Parameters
    ----------
    kind
        The page's plan.
    values
        ``globals()`` of the notebook.

    Returns
    -------
    Chosen
        A plan of that kind.

    Raises
    ------
    ParameterError
        If a value is out of range, or ``scale`` names a scale whose values these are not.
    """
    _require_plan(kind, "kind")
    require(issubclass(kind, Parameters), "kind", f"got {kind!r}", "give a class derived from Parameters")
    checks.instance(values, "values", Mapping, "give globals()")
    try:
        found = kind(**{name: values[name] for name in kind.names()})
        _require_scale(found, values["scale"])
        getattr(found, "experiments", list)()  # runs have ranges of their own
    except InputError as error:
        raise ParameterError(str(error)) from None
    return found


def provenance(scale: str, seeds: int | Sequence[int] | None = None, plan: Parameters | None = None) -> str:
    """Return what produced a page, as one line of text to be displayed in a cell tagged ``provenance``.

    It differs from machine to machine, so that tag keeps its output out of the committed references.

    Parameters
    ----------
    scale
        ``small``, ``reduced`` or ``full``.
    seeds
        A seed, several, or None where nothing is random.
    plan
        Parameters of the page: those that are not of this scale are named; None for a page without.

    Returns
    -------
    str
        Scale with what was changed, seeds, library version, commit (``unknown`` outside a checkout), hardware and date.
    """
    plan = None if plan is None else checks.instance(plan, "plan", Parameters, "give the plan of the page, or None")
    parts = [f"scale: {choice(scale, 'scale', SCALES)}" + ("" if plan is None else _difference(plan, scale))]
    if seeds is not None:
        listed = checks.seeds(seeds) if isinstance(seeds, Iterable) else [checks.seed(seeds, "seeds")]
        parts.append(f"seeds: {_abbreviated(listed)}" if len(listed) > 1 else f"seed: {listed[0]}")
    parts += [f"neural-scaling {__version__}", f"commit {commit()}", hardware()]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return " · ".join(parts)


def dataset(name: str, size: str | None = None) -> ImageDataset | None:
    """Return a dataset for a page, or show a notice and return None where no source of it can be reached.

    Parameters
    ----------
    name, size
        As for :func:`neural_scaling.data.load`.

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
        As for :func:`neural_scaling.data.load_text`.

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
    experiments = checks.instances(experiments, "experiments", Experiment, "give a list of runs", fewest=0)
    checks.text(item, "item")
    if choice(scale, "scale", SCALES) == "small":
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
    _require_plan(plan, "plan")
    scale = shipped_scale(item)
    names = {field.name for field in dataclasses.fields(plan)}
    return scale, plan(**{name: value for name, value in values_at(item, scale).items() if name in names})


def _require_plan(kind: Any, argument: str) -> None:
    good = isinstance(kind, type) and dataclasses.is_dataclass(kind)
    require(good, argument, f"got {kind!r}", "give the class of a page's plan")


def _difference(plan: Parameters, scale: str) -> str:
    """Return in words which values are not those of a scale."""
    if scale not in scales_of(plan.item):
        return ", values not compared"
    words = ", ".join(f"{name} = {_shown(getattr(plan, name))}" for name in _changed(plan, scale))
    return f", changed: {words}" if words else ""


def _changed(plan: Parameters, scale: str) -> list[str]:
    """Return the names of the parameters whose values are not those of a scale."""
    own = type(plan)(**values_at(plan.item, scale))
    return [name for name in plan.names() if getattr(plan, name) != getattr(own, name)]


def _require_scale(plan: Parameters, scale: str) -> None:
    """Refuse a scale if more of the values are those of another one: small runs under the name of large ones."""
    known = scales_of(plan.item)
    choice(scale, "scale", known or SCALES)
    if known:
        fewest, nearest = min((len(_changed(plan, name)), name != scale, name) for name in known)[::2]
        require(
            nearest == scale,
            "scale",
            f"got {scale!r}, but the values are {'those' if fewest == 0 else 'nearest to those'} of {nearest}",
            f"name the values, not only the scale: --scale {scale} (papermill: -f notebooks/parameters/{plan.item}.{scale}.yaml)",
        )


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


def _shown(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
