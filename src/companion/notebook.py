"""What notebooks do around their results: check parameters, print a line of provenance, give notice of missing data.

A page asks for images by :func:`dataset`, for text by :func:`text`. Where no source can be reached it says so and shows shipped
results instead of computing; the terminal lists such pages, and the tests count them as failures::

    plan = notebook.plan(page.Plan, globals())
    if notebook.dataset("mnist") is None:
        plan = notebook.shipped_plan(page.Plan)
    results = plan.results()
"""

from __future__ import annotations

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
from neural_scaling.runs import Index
from neural_scaling.runs.provenance import commit, hardware

Loaded = TypeVar("Loaded")
Chosen = TypeVar("Chosen", bound=Parameters)


class ParameterError(InputError):
    """A parameter of a page cannot be used; a notebook shows the message as one line, without a traceback."""

    def _render_traceback_(self) -> list[str]:  # what IPython asks an exception for
        return [f"{type(self).__name__}: {self}"]


def plan(kind: type[Chosen], values: Mapping[str, Any]) -> Chosen:
    """Return the plan of a page, checked, from ``globals()`` of its notebook."""
    try:
        found = kind(**{name: values[name] for name in [*kind.names(), "scale"]})
        _require_scale(found)
        found.experiments()  # runs have ranges of their own
    except InputError as error:
        raise ParameterError(str(error)) from None
    return found


def provenance(plan: Parameters | str, seeds: int | Sequence[int] | None = None) -> str:
    """Return what produced a page, as one line: scale, what was changed, seeds, version, commit, hardware and date.

    It differs from machine to machine, so the tag ``provenance`` keeps it out of the committed references. A page that
    computes nothing gives its scale in place of a plan.
    """
    scale = plan if isinstance(plan, str) else plan.scale
    parts = [f"scale: {choice(scale, 'scale', SCALES)}" + ("" if isinstance(plan, str) else _difference(plan))]
    if seeds is not None:
        listed = checks.seeds(seeds) if isinstance(seeds, Iterable) else [checks.seed(seeds, "seeds")]
        parts.append(f"seeds: {_abbreviated(listed)}" if len(listed) > 1 else f"seed: {listed[0]}")
    parts += [f"neural-scaling {__version__}", f"commit {commit()}", hardware()]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return " · ".join(parts)


def dataset(name: str, size: str | None = None) -> ImageDataset | None:
    """Return a dataset for a page, or show a notice and return None where no source of it can be reached."""
    return _or_notice(load, name, size, "images")


def text(name: str, size: str | None = None) -> TextDataset | None:
    """Return a text for a page, or show a notice and return None where no source of it can be reached."""
    return _or_notice(load_text, name, size, "tokens")


def needs_data(plan: Parameters) -> bool:
    """Return whether a page has runs to compute, for which it needs its data: all at small scale, else those not kept."""
    index = Index(plan.item)
    return plan.scale == "small" or any(index.look_up(experiment).found is None for experiment in plan.experiments())


def shipped_plan(kind: type[Chosen]) -> Chosen:
    """Return the plan of the runs of a page whose results are shipped."""
    return kind(**values_at(kind.item, shipped_scale(kind.item)))


def _difference(plan: Parameters) -> str:
    """Return in words which values are not those of the plan's scale."""
    words = ", ".join(f"{name} = {_shown(getattr(plan, name))}" for name in _changed(plan, plan.scale))
    return f", changed: {words}" if words else ""


def _changed(plan: Parameters, scale: str) -> list[str]:
    """Return the names of the parameters whose values are not those of a scale."""
    own = type(plan)(**values_at(plan.item, scale))
    return [name for name in plan.names() if getattr(plan, name) != getattr(own, name)]


def _require_scale(plan: Parameters) -> None:
    """Refuse a scale if more of the values are those of another one: small runs under the name of large ones."""
    known = scales_of(plan.item)
    choice(plan.scale, "scale", known)
    fewest, nearest = min((len(_changed(plan, name)), name != plan.scale, name) for name in known)[::2]
    require(
        nearest == plan.scale,
        "scale",
        f"got {plan.scale!r}, but the values are {'those' if fewest == 0 else 'nearest to those'} of {nearest}",
        f"name the values, not only the scale: --scale {plan.scale} "
        f"(papermill: -f notebooks/parameters/{plan.item}.{plan.scale}.yaml)",
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

    title = f"The {kind} of {name} cannot be reached"
    said = "What follows are results computed elsewhere and shipped with this book, not computed for this page."
    body = f'<p class="admonition-title">{title}</p><p>{said}</p><pre>{html.escape(reason)}</pre>'
    display(  # type: ignore[no-untyped-call]
        {"text/html": f'<div class="admonition warning">{body}</div>', "text/plain": f"{title}. {said}\n{reason}"},
        raw=True,
        metadata={"neural_scaling": {"notice": f"{name} cannot be reached"}},
    )


def _abbreviated(seeds: list[int]) -> str:
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive and len(seeds) > 2 else ", ".join(map(str, seeds))


def _shown(value: Any) -> str:
    return str(list(value)) if isinstance(value, tuple) else str(value)
