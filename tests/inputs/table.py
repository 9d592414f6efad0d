"""One row for each public callable: a right call, and the kind of every argument."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from inputs.kinds import Fresh, Kind, Shared, value_of
from neural_scaling.base.checks import InputError
from neural_scaling.runs import Experiment

HERE = Path(__file__).resolve().parent
#: Modules that pages of the book call without being listed there.
UNLISTED = ("neural_scaling.base.grids", "neural_scaling.models.linear_models", "companion.claims")
PAGES = HERE.parents[1] / "book" / "library"


@dataclasses.dataclass(frozen=True, repr=False)
class Row:
    """A public callable with the kinds of its arguments.

    ``on`` is the object of a method, ``part`` takes from a result what can be compared.
    """

    callable: Callable[..., Any]
    on: Any
    part: Callable[[Any], Any] | None
    kinds: dict[str, Kind]

    @property
    def name(self) -> str:
        return name_of(self.callable)

    def __repr__(self) -> str:
        return self.name

    def call(self, **changed: Any) -> Any:
        """Return the result of the right call, but for the arguments given."""
        arguments = {name: value_of(kind.right) for name, kind in self.kinds.items()} | changed
        first = [] if self.on is None else [value_of(self.on)]
        result = self.callable(*first, **arguments)
        result = list(result) if isinstance(result, Iterator) else result
        return result if self.part is None else self.part(result)


def row(
    callable: Callable[..., Any],
    on: Shared | Fresh | None = None,
    part: Callable[[Any], Any] | None = None,
    /,
    **kinds: Kind,
) -> Row:
    """Return a row, as :class:`Row` says."""
    return Row(callable, on, part, kinds)


def name_of(callable: Any) -> str:
    return f"{callable.__module__}.{callable.__qualname__}"


def rows() -> list[Row]:
    """Return all rows."""
    return [row for module in _row_modules() for row in module.ROWS]


def exempt() -> dict[str, str]:
    """Return why a public callable has no row, by its name."""
    return {name_of(one): why for module in _row_modules() for one, why in getattr(module, "EXEMPT", {}).items()}


def _row_modules() -> list[Any]:
    names = sorted(path.stem for path in (HERE / "rows").glob("*.py"))
    return [importlib.import_module(f"inputs.rows.{name}") for name in names]


def public_modules() -> list[str]:
    """Return the modules whose members the pages of the library list, and those that share their rooms."""
    text = "\n".join(page.read_text("utf-8") for page in sorted(PAGES.glob("*.md")))
    return [*UNLISTED, *re.findall(r"automodule:: (\S+)\n +:members:", text)]


def public_callables(module: str) -> list[Callable[..., Any]]:
    """Return functions, classes and methods with arguments that a module publishes."""
    found = importlib.import_module(module)
    out: list[Callable[..., Any]] = []
    for name in found.__all__:
        one = getattr(found, name)
        if inspect.isclass(one) and not issubclass(one, BaseException):
            if not getattr(one, "_is_protocol", False) and not inspect.isabstract(one):
                out += [one, *_methods(one)]
        elif inspect.isfunction(one):
            out.append(one)
    return [one for one in out if arguments_of(one)]


def _methods(kind: type) -> list[Callable[..., Any]]:
    """Return public methods written in the library, without those that only the store of runs calls."""
    out = []
    for name in set(dir(kind)) - (set(dir(Experiment)) if issubclass(kind, Experiment) else set()):
        method = getattr(kind, name)
        ours = getattr(method, "__module__", "") or ""
        routine = inspect.isroutine(method) and callable(method)  # to Python 3.13 a cached property is a routine
        if not name.startswith("_") and routine and ours.startswith(("neural_scaling", "companion")):
            out.append(method)
    return out


def arguments_of(callable: Callable[..., Any]) -> list[str]:
    """Return the names of the arguments, without the object of a method and without keywords that are only passed on."""
    found = inspect.signature(callable).parameters.values()
    return [one.name for one in found if one.name not in {"self", "cls"} and one.kind != one.VAR_KEYWORD]


def complaint(row: Row, wrong: dict[str, Any]) -> str | None:
    """Return what is wrong with how wrong values of some arguments are received; None if they are refused as they should be."""
    shown = ", ".join(f"{name}={_shown(value)}" for name, value in wrong.items())
    names = {name for argument in wrong for name in (argument, *row.kinds[argument].names)}
    try:
        row.call(**wrong)
    except InputError as error:
        first, _, rest = str(error).partition(":")
        if first not in names:
            return f"{shown}: blames another argument: {error}"
        return None if ";" in rest else f"{shown}: names no remedy: {error}"
    except Exception as error:
        return f"{shown}: {type(error).__name__}: {str(error)[:150]}"
    return f"{shown}: accepted"


def same(one: Any, other: Any) -> bool:
    """Return whether two results are equal in all their parts."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and torch.equal(one, other)
    if isinstance(one, np.ndarray):
        return np.asarray(other).dtype == one.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind in "fc")
    if isinstance(one, float):
        return isinstance(other, float) and (one == other or (one != one and other != other))
    if isinstance(one, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if type(one) is not type(other):
        return False
    if isinstance(one, str | int | bytes | None | type) or not hasattr(one, "__dict__"):
        return bool(one == other)
    # Times of day and running times differ from call to call.
    parts = {name: value for name, value in vars(one).items() if name != "seconds" and not name.startswith("_")}
    return all(same(value, getattr(other, name)) for name, value in parts.items())


def _shown(value: Any) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) < 70 else text[:67] + "..."
