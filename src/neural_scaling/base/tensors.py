"""Checks of tensors, cheap enough for every step: kind, precision and shape, never values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from neural_scaling.base.checks import InputError, require

#: Arithmetic that networks know.
FLOATS = (torch.float32, torch.float64)


def check_tensor(
    value: Any, argument: str, shape: Sequence[int | None], dtypes: torch.dtype | tuple[torch.dtype, ...] = FLOATS
) -> None:
    """Raise InputError unless a value is a tensor of a precision and a shape, in which None stands for any positive size."""
    if not isinstance(value, torch.Tensor):
        raise InputError(f"{argument}: got {type(value).__name__}; give a tensor of PyTorch.")
    known = dtypes if isinstance(dtypes, tuple) else (dtypes,)
    if value.dtype not in known:
        wanted = " or ".join(map(str, known))
        raise InputError(f"{argument}: numbers of {value.dtype}; give {wanted}, as the network or the data are made.")
    if value.ndim != len(shape) or any(
        size != wanted if wanted is not None else size < 1 for size, wanted in zip(value.shape, shape, strict=True)
    ):
        sizes = ", ".join("any" if size is None else str(size) for size in shape)
        raise InputError(f"{argument}: shape {tuple(value.shape)}; give a tensor of shape ({sizes}).")


def check_numbers(value: Any, argument: str, axes: int | None = None) -> None:
    """Raise InputError unless a value is a tensor of whole numbers, which name inputs, labels or tokens."""
    shape = value.shape if axes is None and isinstance(value, torch.Tensor) else [None] * (axes or 1)
    check_tensor(value, argument, shape, torch.int64)


def float_type(dtype: Any) -> torch.dtype:
    """Return the arithmetic of a network."""
    require(
        isinstance(dtype, torch.dtype) and dtype in FLOATS, "dtype", f"got {dtype!r}", f"use {FLOATS[0]} or {FLOATS[1]}"
    )
    return dtype  # type: ignore[no-any-return]
