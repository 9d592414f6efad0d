"""Text as tokens: whole documents one after the other, each closed by a token of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import array, instance, keep, keep_each, require, whole

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
        As :func:`~neural_scaling.data.load_text` was given it.
    vocabulary
        Number of different tokens.
    train, test
        Tokens, shape (n,); may be memory-mapped.
    """

    name: str
    vocabulary: int
    train: Tokens
    test: Tokens

    def __post_init__(self) -> None:
        name = instance(self.name, "name", str, "give text")
        vocabulary = whole(self.vocabulary, "vocabulary", least=2, most=2**16)
        keep_each(self, as_tokens, "train", "test")
        keep(self, name=name, vocabulary=vocabulary)


def as_tokens(values: Any, argument: str) -> Tokens:
    """Return tokens; those in the type in which texts are kept may be memory-mapped, and are not copied."""
    if not (isinstance(values, np.ndarray) and values.dtype == np.uint16):
        return array(values, argument, whole=True, least=0, most=2**16 - 1).astype(np.uint16)
    require(
        values.ndim == 1 and values.size > 0, argument, f"shape {values.shape}", "give one axis of tokens, at least one"
    )
    require(not isinstance(values, np.ma.MaskedArray), argument, "masked values", "remove or fill them")
    return values
