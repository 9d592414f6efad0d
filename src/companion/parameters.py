"""Parameters of a page: its notebook's parameters cell holds name, kind, small value and meaning, and nothing repeats them.

The kind says what a value may be, and is one of :data:`KINDS`::

    alpha: "Capacity" = 1.5  # capacity (ours: the paper does not state it)
    widths: "RisingCounts" = [16, 64, 256]  # N of (c) and (d)

A class derived from :class:`Parameters` in ``pages/<item>.py`` has the parameters of ``notebooks/<item>.py`` as its fields.
"""

from __future__ import annotations

import ast
import functools
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import yaml

from neural_scaling.base import checks
from neural_scaling.base.checks import choice, require
from neural_scaling.base.paths import SCALES
from neural_scaling.data.digits.sizes import SIZES
from neural_scaling.data.loading import ENTRIES
from neural_scaling.data.records import ImageRecord, Record, TextRecord
from neural_scaling.runs import Experiment, Result, obtain_all

#: Returns a value in its internal form, or raises naming the parameter.
Check = Callable[[Any, str], Any]

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


class Parameters:
    """Base of a page's plan, a frozen dataclass of the parameters in its notebook; an object that exists is in range."""

    item: ClassVar[str]
    kinds: ClassVar[dict[str, str]]

    if TYPE_CHECKING:  # fields are read from the notebook

        def __init__(self, *args: Any, scale: str = "small", **values: Any) -> None: ...
        def __getattr__(self, name: str) -> Any: ...

    def __init_subclass__(cls, item: str = "") -> None:
        cls.item = item or cls.__module__.rpartition(".")[2]
        cell = _cell(NOTEBOOKS / f"{cls.item}.py")
        cls.kinds = {name: kind for name, kind in declared(cell).items() if name != "scale"}
        cls.__annotations__ = {**cls.kinds, "scale": "str"}
        for name, value in defaults(cell).items():
            setattr(cls, name, KINDS[cls.kinds[name]](value, name) if name in cls.kinds else value)
        setattr(cls, "scale", field(default="small", kw_only=True))  # noqa: B010  (declared by annotation only)
        dataclass(frozen=True)(cls)

    def __post_init__(self) -> None:
        choice(self.scale, "scale", SCALES)
        for name, kind in self.kinds.items():
            object.__setattr__(self, name, KINDS[kind](getattr(self, name), name))

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all parameters but the scale."""
        return list(cls.kinds)

    def experiments(self) -> list[Experiment]:
        """Return the runs of the page, each once."""
        return []

    def results(self) -> dict[Experiment, Result]:
        """Return the results of all runs, computed where nothing is kept."""
        return obtain_all(self.experiments(), self.item, self.scale)

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


def _seed_list(value: Any, name: str) -> tuple[int, ...]:
    return tuple(checks.seeds(value, name))


_capacity = partial(checks.real, above=1.0)
_richness = partial(checks.real, least=0.0)
_positive = checks.require_positive
_seeds = partial(checks.whole, least=2, remedy="give at least 2, for a standard error")
_task = listed(checks.require_positive, fewest=2, most=2)

#: What a parameter may be, by the name that stands in the parameters cell.
KINDS: dict[str, Check] = {
    "Scale": chosen(SCALES),
    "Capacity": _capacity,
    "Source": _positive,
    "HardSource": partial(checks.real, above=0.0, below=1.0),
    "EasySource": partial(checks.real, above=1.0),
    "Richness": _richness,  # 0 is the lazy limit
    "Positive": _positive,
    "Count": checks.whole,
    "Size": checks.count,  # may be infinite
    "Seed": checks.seed,
    "SeedList": _seed_list,
    "Seeds": _seeds,  # how many, where their spread gives an error
    "Capacities": listed(_capacity, order=1),
    "Sources": listed(_positive, order=1),
    "HardSources": listed(partial(checks.real, above=0.0, below=1.0), order=1),
    "EasySources": listed(partial(checks.real, above=1.0), order=1),
    "Richnesses": listed(_richness, order=1),
    "FromLazy": listed(_richness, fewest=2, order=1, first=0.0),
    "Positives": listed(_positive),
    "Rising": listed(_positive, order=1),
    "Ascent": listed(_positive, fewest=2, order=1),
    "Falling": listed(_positive, fewest=2, order=-1),
    "Counts": listed(checks.whole),
    "RisingCounts": listed(checks.whole, order=1),
    "RisingSizes": listed(checks.count, order=1),
    "Sizes": listed(checks.count),
    "SeedsEach": listed(_seeds),
    "Images": listed(dataset_of(ImageRecord)),
    "Text": dataset_of(TextRecord),
    "DigitSet": chosen(SIZES),
    "WholeWindow": listed(checks.whole, fewest=2, most=2, order=1),
    "Window": listed(_positive, fewest=2, most=2, order=1),
    "Tasks": listed(_task),  # capacity and source
}


def defaults(cell: str) -> dict[str, Any]:
    """Return name and value of each parameter in the source of a parameters cell."""
    return {ast.unparse(one.target): _value(one.value) for one in _assignments(cell)}


def declared(cell: str) -> dict[str, str]:
    """Return name and kind of each parameter in the source of a parameters cell."""
    return {ast.unparse(one.target): ast.unparse(one.annotation).strip("'\"") for one in _assignments(cell)}


def cell_of(item: str) -> str:
    """Return the source of the parameters cell of a page."""
    return _cell(NOTEBOOKS / f"{item}.py")


def scales_of(item: str) -> list[str]:
    """Return the scales that a page has: small by its cell, others by their files."""
    if not (NOTEBOOKS / f"{item}.py").is_file():
        return []
    return [scale for scale in SCALES if scale == "small" or _file(item, scale).is_file()]


def values_at(item: str, scale: str) -> dict[str, Any]:
    """Return the values of a page's parameters at a scale, the scale among them."""
    have = scales_of(item)
    require(bool(have), "item", f"got {item!r}, which has no parameters", "use the name of a notebook")
    require(scale in have, "scale", f"{item} has no {scale!r}", f"use one of {', '.join(have)}")
    values = defaults(_cell(NOTEBOOKS / f"{item}.py"))
    return values if scale == "small" else values | yaml.safe_load(_file(item, scale).read_text("utf-8"))


def _file(item: str, scale: str) -> Path:
    return NOTEBOOKS / "parameters" / f"{item}.{scale}.yaml"


@functools.cache
def _cell(notebook: Path) -> str:
    """Return the source of the parameters cell; reading it as a notebook would cost the import of a reader."""
    cells = re.split(r"^# %%", notebook.read_text("utf-8"), flags=re.MULTILINE)
    return next((cell.partition("\n")[2] for cell in cells if re.match(r'.*tags=\[.*"parameters"', cell)), "")


def _assignments(cell: str) -> list[ast.AnnAssign]:
    return [one for one in ast.parse(cell).body if isinstance(one, ast.AnnAssign) and one.value is not None]


def _value(expression: ast.expr | None) -> Any:
    assert expression is not None
    return eval(compile(ast.Expression(expression), "parameters", "eval"), {"__builtins__": {}, "float": float})
