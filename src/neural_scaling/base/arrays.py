"""Arrays of numbers, and frozen dataclasses that hold them: compared by value, and never changed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.linalg.lapack import dtpqrt

Array = npt.NDArray[np.float64]
Precision = Literal["float32", "float64"]


class ArrayValue:
    """Base of such a dataclass, to be declared with ``@dataclass(frozen=True, eq=False)``."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, np.ndarray):
                frozen = value.view()
                frozen.flags.writeable = False
                object.__setattr__(self, name, frozen)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        ArrayValue.__post_init__(self)  # an array comes out of a pickle writeable

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(_same(getattr(self, field.name), getattr(other, field.name)) for field in fields(self))  # type: ignore[arg-type]

    def __hash__(self) -> int:
        return hash(tuple(_hashable(getattr(self, field.name)) for field in fields(self)))  # type: ignore[arg-type]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(np.array_equal(one, other, equal_nan=True))
    return bool(one == other) or (isinstance(one, float) and isinstance(other, float) and one != one and other != other)


def _hashable(value: Any) -> Any:
    # Zero of either sign is equal, so it hashes equally.
    return (value + 0.0).tobytes() if isinstance(value, np.ndarray) else value


def factor_with(factor: Array, rows: Array) -> Array:
    """Return the triangular factor of a factor with more rows; this form spares its zeros."""
    if factor.shape[0] < factor.shape[1]:
        return np.asarray(np.linalg.qr(np.concatenate([factor, rows]), mode="r"))
    return np.ascontiguousarray(dtpqrt(0, min(64, factor.shape[1]), factor, rows)[0])
