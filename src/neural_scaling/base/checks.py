"""One way to refuse bad input: name the argument, say what is wrong with it and what to do.

Each check returns the value in its one internal form (``float``, ``int``, a read-only copy as an array), whatever usual form it
came in: Python or NumPy numbers, lists, arrays of NumPy, JAX or PyTorch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt

__all__ = [
    "InputError", "array", "choice", "count", "flag", "instance", "instances", "interval", "keep", "path", "real",
    "require", "require_positive", "seed", "seeds", "text", "whole",
]  # fmt: skip

_T = TypeVar("_T")

#: Seeds that every random generator in use takes.
LARGEST_SEED = 2**63 - 1


class Explained(Exception):
    """An error whose message says what is wrong and what to do; commands show it as one line."""


class InputError(Explained, ValueError):
    """An argument is out of range, has the wrong shape or cannot be used; the message says what to change."""


def require(condition: bool, argument: str, problem: str, remedy: str) -> None:
    """Raise :class:`InputError` naming ``argument`` unless ``condition`` holds.

    Parameters
    ----------
    condition
        What must be true.
    argument
        Name of the argument as the caller wrote it.
    problem
        What is wrong, with the offending value.
    remedy
        What the caller should do instead.

    Raises
    ------
    InputError
        If ``condition`` is false.
    """
    if not condition:
        raise InputError(f"{argument}: {problem}; {remedy}.")


def real(
    value: Any,
    argument: str,
    remedy: str | None = None,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    infinite: bool = False,
) -> float:
    """Return a real number as ``float``.

    Parameters
    ----------
    value
        Number of Python or NumPy, or an array of one element without axes.
    argument, remedy
        For the message; by default the remedy names the range.
    above, least, below, most
        Bounds, exclusive and inclusive.
    infinite
        Whether infinity is in the range too.

    Raises
    ------
    InputError
        If it is text, None, a truth value, complex, NaN or out of range.
    """
    number = _scalar(value)
    good = isinstance(number, Real) and not isinstance(number, bool | np.bool_)
    if good:
        number = _float(number)
        inside = above < number < below and least <= number <= most
        good = inside if math.isfinite(number) else infinite and number == math.inf
    require(good, argument, f"got {_shown(value)}", remedy or _range("number", above, least, below, most, infinite))
    return float(number)


def require_positive(value: Any, argument: str, remedy: str = "give a positive finite number") -> float:
    """Return ``value`` as ``float`` if it is a positive finite real number, else raise :class:`InputError`."""
    return real(value, argument, remedy, above=0.0)


def whole(value: Any, argument: str, remedy: str | None = None, *, least: int = 1, most: float = math.inf) -> int:
    """Return a whole number as ``int``; 64.0 is one, 64.5, text and truth values are not.

    Parameters
    ----------
    value
        Number of Python or NumPy, or an array of one element without axes.
    argument, remedy
        For the message; by default the remedy names the range.
    least, most
        Bounds, inclusive.
    """
    number = _scalar(value)
    good = isinstance(number, Real) and not isinstance(number, bool | np.bool_)
    good = good and (isinstance(number, Integral) or float(number).is_integer()) and least <= number <= most
    limits = _range("whole number", -math.inf, least, math.inf, most, False)
    require(good, argument, f"got {_shown(value)}", remedy or limits)
    return int(number)


def count(
    value: Any, argument: str, remedy: str = "give a positive whole number, or math.inf", *, least: int = 1
) -> float:
    """Return a positive whole number or infinity, as ``float``: a width N, a batch B, a number of samples P or of modes M."""
    number = _scalar(value)
    if isinstance(number, Real) and number == math.inf:
        return math.inf
    return float(whole(value, argument, remedy, least=least))


def seed(value: Any, argument: str = "seed") -> int:
    """Return a seed, a whole number from 0 to 2^63 - 1."""
    return whole(value, argument, "give a whole number from 0 to 2^63 - 1", least=0, most=LARGEST_SEED)


def seeds(values: Any, argument: str = "seeds") -> list[int]:
    """Return seeds as a list, each once."""
    require(_is_list(values), argument, f"got {_shown(values)}", "give a list of whole numbers from 0 to 2^63 - 1")
    listed = [seed(value, argument) for value in values]
    require(len(listed) > 0, argument, "got none", "give at least one seed")
    require(len(set(listed)) == len(listed), argument, f"got {listed}", "give each seed once")
    return listed


def flag(value: Any, argument: str) -> bool:
    """Return a truth value; numbers and text are refused."""
    require(isinstance(value, bool | np.bool_), argument, f"got {_shown(value)}", "give True or False")
    return bool(value)


def choice(value: Any, argument: str, options: Iterable[_T]) -> _T:
    """Return one of some options."""
    known = list(options)
    good = isinstance(value, str | int) and value in known
    require(good, argument, f"got {_shown(value)}", f"use one of {', '.join(map(str, known))}")
    return known[known.index(value)]


def instance(value: Any, argument: str, kind: type[_T] | tuple[type[_T], ...], remedy: str) -> _T:
    """Return an object of a kind.

    Raises
    ------
    InputError
        If it is of another kind, or the class itself.
    """
    if not isinstance(value, kind):  # to write what is right as text takes long where it holds arrays
        raise InputError(f"{argument}: got {_shown(value)}; {remedy}.")
    return value


def instances(
    values: Any, argument: str, kind: type[_T] | tuple[type[_T], ...], remedy: str, *, fewest: int = 1
) -> list[_T]:
    """Return a list of objects of a kind.

    Raises
    ------
    InputError
        If it is no list, has fewer than ``fewest`` or one is of another kind.
    """
    if not _is_list(values):
        raise InputError(f"{argument}: got {_shown(values)}; {remedy}.")
    listed = [instance(value, argument, kind, remedy) for value in values]
    require(len(listed) >= fewest, argument, f"got {len(listed)}", f"give at least {fewest}")
    return listed


def text(value: Any, argument: str) -> str:
    """Return text."""
    return instance(value, argument, str, "give text")


def path(value: Any, argument: str) -> Path:
    """Return a path given as text or as an object."""
    require(isinstance(value, str | Path) and value != "", argument, f"got {_shown(value)}", "give a path")
    return Path(value)


def keep(owner: Any, **values: Any) -> None:
    """Set fields of a frozen dataclass to their checked values, as its ``__post_init__`` does."""
    for name, value in values.items():
        object.__setattr__(owner, name, value)


def keep_each(owner: Any, check: Callable[..., Any], *names: str, **limits: Any) -> None:
    """Set fields of a frozen dataclass to what a check makes of their values."""
    keep(owner, **{name: check(getattr(owner, name), name, **limits) for name in names})


def interval(values: Any, argument: str, *, above: float = -math.inf, least: float = -math.inf) -> tuple[float, float]:
    """Return a lower and a larger upper bound, as of a window.

    Raises
    ------
    InputError
        If they are not two numbers in order and range.
    """
    low, high = array(values, argument, shape=(2,), above=above, least=least, order="rising").tolist()
    return low, high


def array(
    values: Any,
    argument: str,
    *,
    axes: int | None = 1,
    shape: Sequence[int | None] | None = None,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    fewest: int = 1,
    whole: bool = False,
    infinite: bool = False,
    nan: bool = False,
    order: Literal["ascending", "rising", "descending"] | None = None,
) -> npt.NDArray[np.float64]:
    """Return real numbers as a read-only array of float64 that shares no memory with the caller's.

    Parameters
    ----------
    values
        List, tuple, or array of NumPy, JAX or PyTorch, of any real type.
    argument
        For the message.
    axes
        Number of axes; with None any, and a number alone is one without.
    shape
        Wanted shape, if it is known; None stands for any size.
    above, least, below, most
        Bounds of every value, exclusive and inclusive.
    fewest
        Least size of the first axis.
    whole
        Whether values must be whole numbers.
    infinite
        Whether infinity is allowed.
    nan
        Whether values may be NaN or of either infinity, as what a computation that failed gives.
    order
        ``rising`` (each above the one before), ``ascending`` or ``descending`` (repeated values allowed).

    Raises
    ------
    InputError
        If it is text, ragged, masked, complex, of truth values, of another shape or order, or a value is NaN or out of range.
    """
    found = _numbers(values, argument)
    if shape is not None:
        fits = len(shape) == found.ndim and all(
            want in (None, size) for want, size in zip(shape, found.shape, strict=True)
        )
        sizes = ", ".join("any" if want is None else str(want) for want in shape)
        require(fits, argument, f"shape {found.shape}", f"give an array of shape ({sizes})")
    elif axes is not None:
        require(found.ndim == axes, argument, f"shape {found.shape}", f"give an array with {axes} {_axes(axes)}")
    require(
        found.ndim == 0 or (found.shape[0] >= fewest and (found.size > 0 or fewest == 0)),
        argument,
        f"shape {found.shape}",
        f"give at least {fewest} {'value' if fewest == 1 else 'values'}",
    )
    bad = np.isnan(found) | (np.isinf(found) & (not infinite or found < 0))
    require(nan or not bad.any(), argument, "NaN or infinity among its values", "remove what is not finite")
    outside = ~bad & ~((found > above) & (found >= least) & (found <= most))
    outside |= (found >= below) & np.isfinite(found)
    if outside.any():
        limits = _range("numbers", above, least, below, most, infinite)
        raise InputError(f"{argument}: got {found[outside][:1]} among its values; {limits}.")
    if whole:
        broken = np.isfinite(found) & (found != np.round(found))
        require(not broken.any(), argument, f"got {found[broken][:1]} among its values", "give whole numbers")
    if order is not None:
        steps = np.diff(found)
        good = {"rising": steps > 0, "ascending": steps >= 0, "descending": steps <= 0}[order]
        remedy = {
            "rising": "sort it, smallest first, and drop repeated values",
            "ascending": "sort it, smallest first",
            "descending": "sort it, largest first, together with what belongs to it",
        }
        words = "strictly ascending" if order == "rising" else order
        require(bool(good.all()), argument, f"its values are not {words}", remedy[order])
    found.flags.writeable = False
    return found


def _numbers(values: Any, argument: str) -> npt.NDArray[np.float64]:
    """Return a fresh array of float64, or refuse what is not made of real numbers."""
    if hasattr(values, "detach"):  # a tensor of PyTorch, on any device
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values  # NumPy has no bfloat16
    masked = isinstance(values, np.ma.MaskedArray) and bool(np.ma.getmaskarray(values).any())
    require(not masked, argument, "masked values", "remove or fill them")
    remedy = "give a list or array of real numbers"
    if isinstance(values, str | bytes | dict | set):
        raise InputError(f"{argument}: got {_shown(values)}; {remedy}.")
    try:
        found = np.asarray(values)
    except (ValueError, TypeError, RuntimeError):
        require(False, argument, f"got {_shown(values)}, whose parts differ in shape", remedy)
    require(found.dtype != bool, argument, "truth values", remedy)
    require(found.dtype.kind != "c", argument, "complex numbers", "give their real parts, if the rest is rounding")
    # bfloat16 and the like of JAX are of no standard kind, yet numbers.
    good = found.dtype.kind in "iuf" or (found.dtype.kind == "V" and found.dtype.names is None)
    if not good:  # the text of a large array takes longer than all checks of it
        raise InputError(f"{argument}: got {_shown(values)}; {remedy}.")
    return np.array(found, dtype=np.float64, order="C")  # sums depend on the order in memory


def _is_list(values: Any) -> bool:
    """Return whether something can be gone through once; arrays without axes say so and cannot."""
    return (
        isinstance(values, Iterable) and not isinstance(values, str | bytes | dict) and getattr(values, "ndim", 1) == 1
    )


def _scalar(value: Any) -> Any:
    """Return the number in an array or tensor without axes; anything else as it is."""
    masked = isinstance(value, np.ma.MaskedArray)
    if not masked and hasattr(value, "item") and getattr(value, "ndim", None) == 0:
        return value.item()
    return value


def _float(number: Any) -> float:
    try:
        return float(number)
    except OverflowError:  # a whole number beyond the largest float
        return math.nan


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{type(value).__name__} {text[:60]}..."


def _axes(number: int) -> str:
    return "axis" if number == 1 else "axes"


def _range(noun: str, above: float, least: float, below: float, most: float, infinite: bool) -> str:
    """Return the remedy that names a range."""
    bounds = []
    if above > -math.inf:
        bounds.append(f"above {above:g}")
    if least > -math.inf:
        bounds.append(f"of at least {least:g}")
    if below < math.inf:
        bounds.append(f"below {below:g}")
    if most < math.inf:
        bounds.append(f"of at most {most:g}")
    finite = "" if infinite or noun == "whole number" else "finite "
    article = "" if noun.endswith("s") else "a "
    text = f"give {article}{finite}{noun} {' and '.join(bounds)}".rstrip()
    return f"{text}, or math.inf" if infinite else text
