"""Random numbers from seeds: streams that are told apart by words, initial weights that are the same on every device."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch

from neural_scaling.base.checks import seed as checked_seed


def stream_seed(*words: int) -> int:
    """Return the seed of the stream that some words name, for a generator of torch."""
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


def standard_normal(shapes: Iterable[Sequence[int]], seed: int, stream: int) -> list[torch.Tensor]:
    """Draw the initial weights of a network."""
    # Neither the global precision nor the global device of torch may count.
    generator = torch.Generator("cpu").manual_seed(stream_seed(checked_seed(seed), stream))
    return [torch.randn(tuple(shape), generator=generator, dtype=torch.float32, device="cpu") for shape in shapes]
