"""Numbers that sum up a tangent kernel given on equally weighted inputs."""

from __future__ import annotations

import math
from typing import Any

import torch

from neural_scaling.base.checks import require, whole
from neural_scaling.base.tensors import check_tensor

__all__ = ["circle_cosines", "circle_spectrum", "kernel_sharpness", "kernel_trace"]

#: Rounding of sums in float32, by which the halves of a kernel may differ, relative to its largest number.
_ROUNDING = 1e-4


def kernel_trace(kernel: torch.Tensor) -> torch.Tensor:
    """Return the sum of the eigenvalues of the kernel as an operator on functions of the inputs.

    Parameters
    ----------
    kernel
        Shape (E, n, n).

    Returns
    -------
    torch.Tensor
        Mean of the diagonal, shape (E,).
    """
    _check(kernel)
    return kernel.diagonal(dim1=1, dim2=2).mean(1)


def kernel_sharpness(kernel: torch.Tensor) -> torch.Tensor:
    """Return the largest eigenvalue; gradient descent is stable while eta_0 times it is below 2.

    Parameters
    ----------
    kernel
        Symmetric, shape (E, n, n).

    Returns
    -------
    torch.Tensor
        Shape (E,); NaN where the kernel is not finite.
    """
    _check(kernel)
    finite = torch.isfinite(kernel).flatten(1).all(1)
    clean = torch.where(finite[:, None, None], kernel, torch.zeros_like(kernel))
    apart = (clean - clean.transpose(1, 2)).abs().amax() <= _ROUNDING * clean.abs().amax()
    require(bool(apart), "kernel", "it is not symmetric", "give scalar products of gradients")
    if clean.device.type == "mps":  # which has no eigenvalues
        clean = clean.cpu()
    largest = torch.linalg.eigvalsh(clean)[:, -1].to(kernel.device) / kernel.shape[1]
    return torch.where(finite, largest, torch.full_like(largest, float("nan")))


def circle_spectrum(kernel: torch.Tensor) -> torch.Tensor:
    """Return the mean of the kernel over the waves of each frequency, its eigenvalues if it is invariant under rotations.

    Parameters
    ----------
    kernel
        On n equidistant angles, shape (E, n, n).

    Returns
    -------
    torch.Tensor
        ``<e_k, K e_k>`` for k = 0 .. n/2, shape (E, n/2 + 1).
    """
    _check(kernel)
    count = kernel.shape[1]
    waves = torch.fft.ifft(torch.fft.fft(kernel, dim=1), dim=2)
    spectrum: torch.Tensor = waves.diagonal(dim1=1, dim2=2).real[:, : count // 2 + 1] / count
    return spectrum


def circle_cosines(kernel: torch.Tensor, modes: int) -> torch.Tensor:
    """Return what the kernel makes of every cosine, its eigenvalues if it is invariant under rotations.

    A network that has learned an even target tells cosines from sines, which :func:`circle_spectrum` averages.

    Parameters
    ----------
    kernel
        On n equidistant angles from 0 on, shape (E, n, n).
    modes
        Largest k, below n/2.

    Returns
    -------
    torch.Tensor
        ``<cos k, K cos k>/<cos k, cos k>`` for k = 0 .. modes, shape (E, modes + 1).
    """
    _check(kernel)
    count = kernel.shape[1]
    modes = whole(modes, "modes", "stay below half the angles", least=0, most=(count - 1) // 2)
    # Whole turns are left out before the cosine: its argument keeps the precision of the angle.
    turns = torch.outer(torch.arange(count), torch.arange(modes + 1)) % count
    waves = torch.cos(2 * math.pi / count * turns.double()).to(kernel)
    seen: torch.Tensor = ((kernel @ waves) * waves).sum(1) / (count * waves.square().sum(0))
    return seen


def _check(kernel: Any) -> None:
    rows = kernel.shape[-1] if isinstance(kernel, torch.Tensor) and kernel.ndim else None
    check_tensor(kernel, "kernel", (None, rows or None, rows or None))
