"""Cross-entropy of a centred mean-field readout, a few tokens at a time.

Logits are the largest arrays of a language model by far (tokens times vocabulary), so they are made, turned into probabilities
and used for gradients in blocks that stay small, and are never kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.nn.functional import log_softmax

from neural_scaling.base.checks import instance, keep, require_positive
from neural_scaling.base.tensors import check_tensor

__all__ = ["CentredReadout", "token_loss", "token_loss_gradient"]

#: Logits at once by type of device: 8 MB in float32, about a processor's cache; 1 GB elsewhere, for products of many rows.
_BLOCK = {"cpu": 2**21}
_LARGE_BLOCK = 2**28


@dataclass(frozen=True)
class CentredReadout:
    """The map from features z to ``f = [R_init (z - z_init)/gamma_0 + V z]/N``.

    Attributes
    ----------
    start
        R_init, shape (N, vocabulary).
    displacement
        V = (R - R_init)/gamma_0, shape (N, vocabulary).
    richness
        gamma_0.
    """

    start: torch.Tensor
    displacement: torch.Tensor
    richness: float

    def __post_init__(self) -> None:
        check_tensor(self.start, "start", (None, None))
        check_tensor(self.displacement, "displacement", self.start.shape, self.start.dtype)
        keep(self, richness=require_positive(self.richness, "richness"))

    @property
    def matrix(self) -> torch.Tensor:
        """R_init over V, divided by N, which gives f in one product with :meth:`joined`."""
        return torch.cat([self.start, self.displacement]) / self.start.shape[0]

    @property
    def slope(self) -> torch.Tensor:
        """df/dz, shape (vocabulary, N)."""
        return (torch.add(self.displacement, self.start, alpha=1 / self.richness) / self.start.shape[0]).T

    def joined(self, features: torch.Tensor, initial: torch.Tensor) -> torch.Tensor:
        """Return ``(z - z_init)/gamma_0`` and z side by side, shape (..., 2 N)."""
        _check_features(self, features, initial)
        return torch.cat([(features - initial) / self.richness, features], -1)


def token_loss(
    head: CentredReadout, features: torch.Tensor, initial: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Return the cross-entropy of every token in nats, shape (...).

    Parameters
    ----------
    head
        The readout.
    features, initial
        z and z_init, shape (..., N).
    targets
        Tokens that come next, int64, shape (...).
    """
    _check(head, features, initial, targets)
    matrix = head.matrix
    parts = [
        -log_softmax(head.joined(z, z_init) @ matrix, 1).gather(1, token[:, None])[:, 0]
        for z, z_init, token in _blocks(features, initial, targets, matrix.shape[1])
    ]
    return torch.cat(parts).view(targets.shape)


@torch.no_grad()
def token_loss_gradient(
    head: CentredReadout, features: torch.Tensor, initial: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the mean cross-entropy and its gradients.

    Parameters
    ----------
    head, features, initial, targets
        As for :func:`token_loss`.

    Returns
    -------
    loss, features, displacement : torch.Tensor
        The mean, a scalar; its derivatives by z, shape (..., N), and by V, shape (N, vocabulary).
    """
    _check(head, features, initial, targets)
    matrix, slope = head.matrix, head.slope
    total = features.new_zeros(())
    by_features, by_displacement = [], torch.zeros_like(head.displacement)
    for z, z_init, token in _blocks(features, initial, targets, matrix.shape[1]):
        logs = log_softmax(head.joined(z, z_init) @ matrix, 1)
        total -= logs.gather(1, token[:, None]).sum()
        error = logs.exp_()  # softmax minus one at the token that comes
        error.scatter_add_(1, token[:, None], error.new_full((), -1.0).expand(token.shape[0], 1))
        by_features.append(error @ slope)
        by_displacement.addmm_(z.T, error)
    share = 1 / targets.numel()
    return (
        total * share,
        (torch.cat(by_features) * share).view_as(features),
        by_displacement * (share / features.shape[-1]),
    )


def _check(head: CentredReadout, features: torch.Tensor, initial: torch.Tensor, targets: torch.Tensor) -> None:
    instance(head, "head", CentredReadout, "give a CentredReadout")
    _check_features(head, features, initial)
    check_tensor(targets, "targets", features.shape[:-1], torch.int64)


def _check_features(head: CentredReadout, features: torch.Tensor, initial: torch.Tensor) -> None:
    rows = [None] * (max(features.ndim, 2) - 1) if isinstance(features, torch.Tensor) else [None]
    check_tensor(features, "features", (*rows, head.start.shape[0]), head.start.dtype)
    check_tensor(initial, "initial", features.shape, head.start.dtype)


def _blocks(
    features: torch.Tensor, initial: torch.Tensor, targets: torch.Tensor, vocabulary: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Cut tokens into blocks whose logits are few."""
    rows = max(1, _BLOCK.get(features.device.type, _LARGE_BLOCK) // vocabulary)
    flat = (features.flatten(0, -2), initial.flatten(0, -2), targets.flatten())
    return zip(*(torch.split(tensor, rows) for tensor in flat), strict=True)
