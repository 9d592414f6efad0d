"""Text as tokens: whole documents one after the other, each closed by a token of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.uint16]
#: Of each document the number of tokens, the one that ends it included, and of characters; shape (documents, 2).
Lengths = npt.NDArray[np.uint32]

#: The token that ends a document, in every vocabulary used here.
END = 1


@dataclass(frozen=True)
class TextDataset:
    """A text, split once and for all into training and held-out documents.

    Attributes
    ----------
    name
        As :func:`~neural_scaling.text.load` was given it.
    vocabulary
        Number of different tokens.
    train, test
        Tokens, shape (n,); may be memory-mapped.
    """

    name: str
    vocabulary: int
    train: Tokens
    test: Tokens
