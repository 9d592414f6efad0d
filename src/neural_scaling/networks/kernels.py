"""Numbers that sum up a tangent kernel given on equally weighted inputs."""

from __future__ import annotations

import torch


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
    return kernel.diagonal(dim1=1, dim2=2).mean(1)


def kernel_sharpness(kernel: torch.Tensor) -> torch.Tensor:
    """Return the largest eigenvalue; gradient descent is stable while eta_0 times it is below 2.

    Parameters
    ----------
    kernel
        Shape (E, n, n).

    Returns
    -------
    torch.Tensor
        Shape (E,); NaN where the kernel is not finite.
    """
    finite = torch.isfinite(kernel).flatten(1).all(1)
    clean = torch.where(finite[:, None, None], kernel, torch.zeros_like(kernel))
    largest = torch.linalg.eigvalsh(clean)[:, -1] / kernel.shape[1]
    return torch.where(finite, largest, torch.full_like(largest, float("nan")))
