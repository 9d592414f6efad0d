"""Weights of a network as arrays that can be shipped: half precision, checked when read."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import InputError, instance, require
from neural_scaling.base.monitor import Arrays

if TYPE_CHECKING:
    import torch

__all__ = ["digest", "pack", "unpack"]

_PREFIX = "weight "


def pack(network: torch.nn.Module) -> Arrays:
    """Return the weights of a network in half precision, which is how they are shipped and used.

    Parameters
    ----------
    network
        Any; its buffers are not kept.

    Returns
    -------
    dict
        ``weight <name>`` to an array in float16.

    Raises
    ------
    InputError
        If a weight is not finite in half precision.
    """
    import torch

    arrays = {}
    instance(network, "network", torch.nn.Module, "give a module of PyTorch")
    for name, weight in network.named_parameters():
        with np.errstate(over="ignore"):
            arrays[_PREFIX + name] = weight.detach().cpu().contiguous().numpy().astype(np.float16)
        if not np.isfinite(arrays[_PREFIX + name]).all():
            raise InputError(f"weights: {name} is not finite in half precision; train with a smaller learning rate.")
    return arrays


def unpack(arrays: Mapping[str, npt.NDArray[Any]], network: torch.nn.Module) -> None:
    """Put kept weights into a network, in its own precision and on its own device.

    Parameters
    ----------
    arrays
        From :func:`pack`; other entries are ignored.
    network
        Of the same shape.

    Raises
    ------
    InputError
        If a weight is missing, is one too many, has another shape or is not finite.
    """
    import torch

    instance(network, "network", torch.nn.Module, "give a module of PyTorch")
    _check(arrays)
    names = {name.removeprefix(_PREFIX) for name in arrays if name.startswith(_PREFIX)}
    own = dict(network.named_parameters())
    if names != set(own):
        raise InputError(f"weights: {sorted(names ^ set(own))[:3]} do not fit the network; train it anew.")
    with torch.no_grad():
        for name, weight in own.items():
            kept = arrays[_PREFIX + name]
            if kept.shape != tuple(weight.shape) or not np.isfinite(kept).all():
                raise InputError(f"weights: {name} has another shape or is not finite; train the network anew.")
            weight.copy_(torch.from_numpy(kept.astype(np.float32)))


def digest(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Return 16 hexadecimal digits of the SHA-256 of kept weights: which weights an image comes from."""
    _check(arrays)
    whole = hashlib.sha256()
    for name in sorted(name for name in arrays if name.startswith(_PREFIX)):
        whole.update(name.encode() + np.ascontiguousarray(arrays[name]).tobytes())
    return whole.hexdigest()[:16]


def _check(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    remedy = "give them as pack returns them"
    for name, kept in instance(arrays, "weights", Mapping, remedy).items():
        require(isinstance(kept, np.ndarray), "weights", f"{name} is of type {type(kept).__name__}", remedy)
