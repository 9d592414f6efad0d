"""Parameters of a page: each field of a plan says by its type what it may be, and a plan that exists is in range.

::

    @dataclass(frozen=True)
    class Plan(Parameters, item="fig02"):
        alpha: Capacity
        widths: RisingCounts
"""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, get_type_hints

import jupytext
import numpy as np
import yaml

from neural_scaling.base import checks
from neural_scaling.base.checks import require
from neural_scaling.base.paths import SCALES, checkout
from neural_scaling.data.loading import ENTRIES
from neural_scaling.data.records import ImageRecord, Record, TextRecord

#: Returns a value in its internal form, or raises naming the parameter.
Check = Callable[[Any, str], Any]


class Parameters:
    """Base of a page's frozen dataclass, each field of which is annotated with a :data:`Check`."""

    item: ClassVar[str]

    def __init_subclass__(cls, item: str) -> None:
        cls.item = item

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self), include_extras=True)
        for name in self.names():
            (check,) = hints[name].__metadata__
            object.__setattr__(self, name, check(getattr(self, name), name))

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all parameters."""
        return [field.name for field in fields(cls)]  # type: ignore[arg-type]

    def require_same_length(self, first: str, *others: str) -> None:
        """Refuse lists that belong together and differ in length."""
        length = len(getattr(self, first))
        for name in others:
            found = len(getattr(self, name))
            require(found == length, name, f"has {found} values, {first} has {length}", f"give one for each of {first}")

    def require_among(self, name: str, others: str) -> None:
        """Refuse a value that is quoted from a list and does not stand in it."""
        value, listed = getattr(self, name), getattr(self, others)
        require(value in listed, name, f"got {value!r}", f"use one of {others}: {', '.join(map(str, listed))}")


def listed(check: Check, *, fewest: int = 1, most: int | None = None, order: int = 0, first: Any = None) -> Check:
    """Return the check of a list of values: its size, its order (1 rising, -1 falling) and its first value."""

    def checked(values: Any, name: str) -> tuple[Any, ...]:
        good = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str | bytes)
        require(good, name, f"got {values!r}", "give a list")
        found = tuple(check(value, name) for value in values)
        size = f"{fewest} {'value' if fewest == 1 else 'values'}"
        limits = f"give {size}" if most == fewest else f"give at least {size}"
        require(fewest <= len(found) <= (most or len(found)), name, f"got {list(found)}", limits)
        steps = [order * (b - a) for a, b in itertools.pairwise(found)] if order else []
        words = f"sort it, {'smallest' if order > 0 else 'largest'} first, each value once"
        require(all(step > 0 for step in steps), name, f"got {list(found)}", words)
        require(first is None or found[0] == first, name, f"got {list(found)}", f"begin with {first}")
        return found

    return checked


def chosen(options: Iterable[str]) -> Check:
    """Return the check of a name among some."""
    return partial(checks.choice, options=tuple(options))


def dataset_of(kind: type[Record[Any]]) -> Check:
    """Return the check of the name of a dataset, of images or of text."""

    def checked(value: Any, name: str) -> str:
        entries = ((first, size, entry.record) for first, sizes in ENTRIES.items() for size, entry in sizes.items())
        known = [f"{first}-{size}" if size else first for first, size, record in entries if isinstance(record, kind)]
        return checks.choice(value, name, known)

    return checked


_capacity = partial(checks.real, above=1.0)
_richness = partial(checks.real, least=0.0)
_positive = checks.require_positive
_seeds = partial(checks.whole, least=2, remedy="give at least 2, for a standard error")
_task = listed(checks.require_positive, fewest=2, most=2)

Capacity = Annotated[float, _capacity]
Source = Annotated[float, _positive]
HardSource = Annotated[float, partial(checks.real, above=0.0, below=1.0)]
EasySource = Annotated[float, partial(checks.real, above=1.0)]
Richness = Annotated[float, _richness]  # 0 is the lazy limit
Positive = Annotated[float, _positive]
Count = Annotated[int, checks.whole]
Size = Annotated[float, checks.count]  # may be infinite
Seed = Annotated[int, checks.seed]
SeedList = Annotated[Sequence[int], checks.seeds]
Seeds = Annotated[int, _seeds]  # how many, where their spread gives an error

Capacities = Annotated[Sequence[float], listed(_capacity, order=1)]
Sources = Annotated[Sequence[float], listed(_positive, order=1)]
HardSources = Annotated[Sequence[float], listed(partial(checks.real, above=0.0, below=1.0), order=1)]
EasySources = Annotated[Sequence[float], listed(partial(checks.real, above=1.0), order=1)]
Richnesses = Annotated[Sequence[float], listed(_richness, order=1)]
FromLazy = Annotated[Sequence[float], listed(_richness, fewest=2, order=1, first=0.0)]
Positives = Annotated[Sequence[float], listed(_positive)]
Rising = Annotated[Sequence[float], listed(_positive, order=1)]
Ascent = Annotated[Sequence[float], listed(_positive, fewest=2, order=1)]
Falling = Annotated[Sequence[float], listed(_positive, fewest=2, order=-1)]
Counts = Annotated[Sequence[int], listed(checks.whole)]
RisingCounts = Annotated[Sequence[int], listed(checks.whole, order=1)]
RisingSizes = Annotated[Sequence[float], listed(checks.count, order=1)]
Sizes = Annotated[Sequence[float], listed(checks.count)]
SeedsEach = Annotated[Sequence[int], listed(_seeds)]
Images = Annotated[Sequence[str], listed(dataset_of(ImageRecord))]
Text = Annotated[str, dataset_of(TextRecord)]
WholeWindow = Annotated[tuple[int, int], listed(checks.whole, fewest=2, most=2, order=1)]
Window = Annotated[tuple[float, float], listed(_positive, fewest=2, most=2, order=1)]
Tasks = Annotated[Sequence[tuple[float, float]], listed(_task)]  # capacity and source


def defaults(cell: str) -> dict[str, Any]:
    """Return name and value of each parameter in the source of a parameters cell."""
    statements = [one for one in ast.parse(cell).body if isinstance(one, ast.AnnAssign) and one.value is not None]
    return {ast.unparse(one.target): _value(one.value) for one in statements if one.value is not None}


def _value(expression: ast.expr) -> Any:
    return eval(compile(ast.Expression(expression), "parameters", "eval"), {"__builtins__": {}, "float": float})


def scales_of(item: str) -> list[str]:
    """Return the scales that a page has, none outside a checkout: small by its cell, others by their files."""
    root = checkout()
    if root is None or not (root / "notebooks" / f"{item}.py").is_file():
        return []
    return [scale for scale in SCALES if scale == "small" or _file(root, item, scale).is_file()]


def values_at(item: str, scale: str) -> dict[str, Any]:
    """Return the values of a page's parameters at a scale, without the scale itself.

    Raises
    ------
    InputError
        Outside a checkout, or if the page has no such scale.
    """
    root = checkout()
    require(root is not None, "item", "no checkout found, so no parameters", "run this inside a checkout")
    assert root is not None
    have = scales_of(item)
    require(bool(have), "item", f"got {item!r}, which has no parameters", "use the name of a notebook")
    require(scale in have, "scale", f"{item} has no {scale!r}", f"use one of {', '.join(have)}")
    values = dict(_small_values(root / "notebooks" / f"{item}.py"))
    if scale != "small":
        values |= yaml.safe_load(_file(root, item, scale).read_text("utf-8"))
    values.pop("scale", None)
    return values


def _file(root: Path, item: str, scale: str) -> Path:
    return root / "notebooks" / "parameters" / f"{item}.{scale}.yaml"


@functools.cache
def _small_values(notebook: Path) -> dict[str, Any]:
    cells = jupytext.read(notebook, fmt="py:percent").cells
    return next((defaults(cell.source) for cell in cells if "parameters" in cell.metadata.get("tags", [])), {})
