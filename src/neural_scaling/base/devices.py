"""Where networks are trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator

import torch

from neural_scaling.base.arrays import Precision
from neural_scaling.base.checks import choice, require
from neural_scaling.base.tensors import float_type

__all__ = ["KINDS", "describe_device", "find_device", "full_precision", "working_dtype"]

KINDS = ("auto", "cuda", "mps", "cpu")


def find_device(name: str | torch.device = "auto") -> torch.device:
    """Return the device that a name asks for.

    Parameters
    ----------
    name
        ``cpu``, ``cuda`` (also ``cuda:1``), ``mps``, or ``auto`` for the first there is of CUDA, MPS and the processor; or the
        device itself.

    Raises
    ------
    InputError
        If the name is unknown, or the device is not there.
    """
    name = str(name) if isinstance(name, torch.device) else name
    kind = name.split(":")[0] if isinstance(name, str) else None
    require(kind in KINDS, "device", f"got {name!r}", f"use one of {', '.join(KINDS)}")
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    how = "no driver or no GPU" if torch.version.cuda else f"this torch ({torch.__version__}) is built without CUDA"
    require(kind != "cuda" or cuda, "device", f"cuda asked for, but {how}", "use auto or cpu, or install a CUDA build")
    require(kind != "mps" or mps, "device", "mps asked for, but this machine has none", "use auto or cpu")
    number = name.split(":")[1] if ":" in name else "0"
    require(
        number.isdigit() and (kind != "cuda" or int(number) < torch.cuda.device_count()),
        "device",
        f"got {name!r}, but there are {torch.cuda.device_count()} CUDA devices",
        "give a number from 0 on",
    )
    return torch.device(name)


def working_dtype(
    precisions: Iterable[Precision], device: torch.device | str, dtype: torch.dtype | None
) -> torch.dtype:
    """Return the arithmetic of an ensemble.

    Parameters
    ----------
    precisions
        What its members ask for; the highest counts.
    device
        Where it will be.
    dtype
        Taken instead, if given.

    Raises
    ------
    InputError
        If it is float64 on an MPS device, which has none.
    """
    require(isinstance(precisions, list | tuple), "precisions", f"got {precisions!r}", "give a list")
    wanted = [choice(one, "precisions", ("float32", "float64")) for one in precisions]
    if dtype is None:
        dtype = torch.float64 if "float64" in wanted else torch.float32
    float_type(dtype)
    require(
        find_device(device).type != "mps" or dtype != torch.float64,
        "richness",
        "asks for float64, which an MPS device lacks",
        "use the device cpu, or a richness of 0 or of at least 0.01",
    )
    return dtype


@contextlib.contextmanager
def full_precision() -> Iterator[None]:
    """Keep products and convolutions on CUDA in full float32, and convolutions the same every time.

    Centring subtracts near equals, which the ten bits of TF32 would drown.
    """
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def describe_device(device: torch.device | str) -> str:
    """Return the device in a few words, for the provenance of a result."""
    device = find_device(device)
    return f"cuda {torch.cuda.get_device_name(device)}" if device.type == "cuda" else device.type
