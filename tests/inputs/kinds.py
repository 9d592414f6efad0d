"""Kinds of arguments: what is wrong for each, and the other forms in which a right value may come."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import jax.numpy as jnp
import numpy as np
import torch


class Shared:
    """A value made when it is first needed, and once."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.get = cache(make)


class Fresh:
    """A value made anew for each call, since the call changes it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self.get = make


def value_of(right: Any) -> Any:
    return right.get() if isinstance(right, Shared | Fresh) else right


@dataclass(frozen=True)
class Kind:
    """A right value, functions from it to wrong values and to other forms of it, and the names that a refusal may give."""

    right: Any
    wrong_of: Callable[[Any], Sequence[Any]]
    forms_of: Callable[[Any], Sequence[Any]] = lambda right: []
    more: tuple[Any, ...] = ()
    optional: bool = False
    names: tuple[str, ...] = ()

    def wrong(self) -> list[Any]:
        values = [*self.wrong_of(value_of(self.right)), *self.more]
        return [value for value in values if not (self.optional and value is None)]

    def forms(self) -> list[Any]:
        return list(self.forms_of(value_of(self.right)))

    def also(self, *wrong: Any) -> Kind:
        """Add wrong values."""
        return replace(self, more=wrong)

    def without(self, allowed: Callable[[Any], bool]) -> Kind:
        """Take out wrong values that are right for this argument."""
        return replace(self, wrong_of=lambda right: [one for one in self.wrong_of(right) if not allowed(one)])

    def or_none(self) -> Kind:
        """Allow None."""
        return replace(self, optional=True)

    def named(self, *names: str) -> Kind:
        """Let the message name something else than the argument, where that tells more."""
        return replace(self, names=names)


def real(
    right: float,
    *,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    infinite: bool = False,
) -> Kind:
    """A real number in a range."""

    def wrong(right: float) -> list[Any]:
        out = [*_beyond(above, least, below, most), math.nan, -math.inf]
        return [*out, *([] if infinite else [math.inf]), str(right), None, True, 1j, [right, right], np.ma.masked]

    return Kind(right, wrong, _numbers)


def measured(right: float) -> Kind:
    """A number that came out of a computation, NaN and infinity included."""
    return Kind(right, lambda right: [str(right), None, True, 1j, [right, right], np.ma.masked], _numbers)


def whole(right: int, least: float = 1, most: float = math.inf) -> Kind:
    """A whole number in a range."""
    return Kind(right, lambda right: _wrong_whole(right, least, most), _numbers)


def count(right: float, least: float = 1) -> Kind:
    """A positive whole number or infinity."""

    def wrong(right: float) -> list[Any]:
        return [value for value in _wrong_whole(right, least, math.inf) if value is not math.inf]

    return Kind(right, wrong, _numbers)


def seed(right: int = 0) -> Kind:
    """A seed."""
    return whole(right, 0, 2**63 - 1)


def seeds(right: Sequence[int] = (0, 1)) -> Kind:
    """A list of seeds."""

    def wrong(right: Sequence[int]) -> list[Any]:
        return [0, "0", None, [], [0, 0], [-1], [0.5], [2**64], [True], ["0"], [None], [[0, 1]]]

    return Kind(right, wrong, lambda right: [list(right), np.array(right), torch.tensor(right), jnp.array(right)])


def flag(right: bool = False) -> Kind:
    """A truth value."""
    return Kind(right, lambda right: [1, 0.0, "yes", None, [True]], lambda right: [np.bool_(right)])


def choice(right: str | int) -> Kind:
    """One of some words, or of some numbers."""
    return Kind(right, lambda right: ["another", None, 1.5, [right], -1])


def text(right: str) -> Kind:
    """Any text."""
    return Kind(right, lambda right: [None, 3, right.encode(), [right]])


def texts(right: Sequence[str]) -> Kind:
    """A list of texts, which may be empty."""
    return Kind(right, lambda right: ["text", None, 3, [3], [None], [right]], lambda right: [tuple(right), list(right)])


def path(right: Any) -> Kind:
    """A path, as text or as an object of pathlib."""
    return Kind(right, lambda right: [None, 3, 2.5, [right]], lambda right: [str(right)])


def instance(right: Any, *wrong: Any) -> Kind:
    """An object of a class."""
    return Kind(right, lambda right: [None, "text", 3, np.ones(2), type(right), [right], *wrong])


def kind_of(right: type) -> Kind:
    """A class."""
    return Kind(right, lambda right: [None, "text", 3, int, [right], right.__name__])


def call(right: Any) -> Kind:
    """Something to be called."""
    return Kind(right, lambda right: [None, "text", 3, [right]])


def several(right: Any, *wrong: Any, empty: bool = False) -> Kind:
    """A list of objects of a class."""

    def wrong_of(right: Any) -> list[Any]:
        return [None, "text", 3, right[0], [3], ["text"], [None], *([] if empty else [[]]), *wrong]

    return Kind(right, wrong_of, lambda right: [tuple(right), list(right)])


def pair(right: tuple[float, float], *wrong: Any, least: float | None = 0.0, nan: bool = False) -> Kind:
    """A lower and an upper bound."""

    def wrong_of(right: tuple[float, float]) -> list[Any]:
        low, high = right
        bad = [None, "ab", 3, (low,), (high, low), (low, "1"), (low, None), (low, 1j), (low, high, high)]
        bad += [] if nan else [(math.nan, high), (low, math.inf)]
        return [*bad, *([] if least is None else [(least - 1, high)]), *wrong]

    return Kind(right, wrong_of, lambda right: [list(right), np.array(right), tuple(map(np.float64, right))])


def array(
    right: Any,
    *,
    axes: int | None = 1,
    above: float = -math.inf,
    least: float = -math.inf,
    below: float = math.inf,
    most: float = math.inf,
    infinite: bool = False,
    whole: bool = False,
    nan: bool = False,
    empty: bool = False,
    ordered: bool = False,
    flags: bool = True,
) -> Kind:
    """Real numbers; ``axes`` None takes any number of axes, none too.

    ``ordered`` numbers ascend; ``flags`` says that truth values are wrong.
    """

    def wrong(right: Any) -> list[Any]:
        numbers = np.asarray(right, dtype=np.float64)

        def with_last(value: float) -> Any:
            changed = np.atleast_1d(numbers).copy()
            changed[(-1,) * changed.ndim] = value
            return changed if numbers.ndim else float(changed[0])

        out = ["text", None, numbers + 1j, np.ma.masked_equal(np.atleast_1d(numbers), np.atleast_1d(numbers).flat[0])]
        out += [[[1.0, 2.0], [3.0]], *([] if empty else [[]]), ["a", "b"], {"a": 1.0}, [None, 1.0]]
        out += [] if nan else [with_last(math.nan), with_last(-math.inf)]
        out += [] if nan or infinite else [with_last(math.inf)]
        out += [with_last(value) for value in _beyond(above, least, below, most)]
        out += [numbers > 0] if flags else []
        out += [] if axes is None else [numbers[None]]
        out += [] if axes is None or axes == 0 else [float(numbers.flat[0])]
        out += [with_last(numbers.flat[-1] + 0.5)] if whole else []
        out += [numbers[::-1]] if ordered else []
        return out

    return Kind(right, wrong, _arrays)


def tensor(right: Any, *wrong: Any) -> Kind:
    """A tensor of PyTorch, as networks take them."""

    def wrong_of(right: Any) -> list[Any]:
        bad = [None, "text", 3, right.numpy(), right.tolist(), right.to(torch.complex64), right[None, None]]
        return [*bad, *wrong]

    return Kind(right, wrong_of)


def device() -> Kind:
    """A device of PyTorch, or its name."""
    return Kind("cpu", lambda right: [None, 3, "nowhere", torch.float32, ["cpu"]], lambda right: [torch.device("cpu")])


def _beyond(above: float, least: float, below: float, most: float) -> list[float]:
    """Return numbers just outside of a range."""
    out = [above, above - 1] if math.isfinite(above) else []
    out += [least - 2.0**-20, least - 1] if math.isfinite(least) else []
    out += [below, below + 1] if math.isfinite(below) else []
    return out + ([most + 2.0**-20, most + 1] if math.isfinite(most) else [])


def _wrong_whole(right: float, least: float, most: float) -> list[Any]:
    out = [right + 0.5, str(right), None, True, math.nan, math.inf, -math.inf, [right], 1j, np.ma.masked]
    out += [least - 1] if math.isfinite(least) else []
    return out + ([most + 1] if math.isfinite(most) else [])


def _numbers(right: float) -> list[Any]:
    """Return a number in other usual forms that hold the same value."""
    if not isinstance(right, float | int):  # optional and not given
        return []
    out: list[Any] = [np.float64(right), np.array(float(right)), torch.tensor(right, dtype=torch.float64)]
    if float(np.float32(right)) == right:
        out += [np.float32(right), jnp.asarray(right, dtype=jnp.float32)]
    if math.isfinite(right) and float(right).is_integer():
        out += [int(right), np.int64(right), float(right)]
    return out


def _arrays(right: Any) -> list[Any]:
    """Return numbers in other usual forms that hold the same values."""
    if right is None:
        return []
    numbers = np.array(right, dtype=np.float64)
    out: list[Any] = [numbers, numbers.tolist(), torch.tensor(numbers)]
    out += [tuple(numbers.tolist())] if numbers.ndim else [np.float64(numbers)]
    if (numbers.astype(np.float32) == numbers).all():
        out += [numbers.astype(np.float32), jnp.asarray(numbers, dtype=jnp.float32), np.asfortranarray(numbers)]
    if np.isfinite(numbers).all() and (numbers == np.round(numbers)).all():
        out.append(numbers.astype(np.int64))
    return out
