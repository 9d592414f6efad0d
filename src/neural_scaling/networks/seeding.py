"""Random numbers from seeds: streams that are told apart by words, initial weights that are the same on every device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from neural_scaling.checks import require


def stream_seed(*words: int) -> int:
    """Return the seed of the stream that some words name, for a generator of torch.

    Parameters
    ----------
    words
        Non-negative; streams of different words are independent.

    Returns
    -------
    int
    """
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


def standard_normal(shapes: Iterable[Sequence[int]], seed: int, stream: int) -> list[torch.Tensor]:
    """Draw the initial weights of a network.

    Parameters
    ----------
    shapes
        Of the tensors, in the order in which they are drawn.
    seed
        Non-negative.
    stream
        One number for each kind of network.

    Returns
    -------
    list of torch.Tensor
        float32 on the processor.

    Raises
    ------
    InputError
        If the seed is negative.
    """
    require(seed >= 0, "seed", f"got {seed!r}", "give a non-negative integer")
    generator = torch.Generator().manual_seed(stream_seed(seed, stream))
    return [torch.randn(tuple(shape), generator=generator) for shape in shapes]
