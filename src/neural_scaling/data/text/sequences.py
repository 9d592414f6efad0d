"""Packed sequences: documents end to end, cut into pieces of one length, drawn in an order fixed by a seed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural_scaling.base.checks import array, keep, keep_each, require, whole
from neural_scaling.base.checks import seed as checked_seed
from neural_scaling.data.streams import Order
from neural_scaling.data.text_data import Tokens, as_tokens

#: Token numbers, shape (sequences, length + 1): inputs are all but the last column, targets all but the first.
Batch = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Sequences:
    """Batches of packed sequences.

    Sequence i holds the tokens i T to (i + 1) T, both included, of a text: neighbours share one token, which is the last
    target of the one and the first input of the other, so that every token but the first is a target exactly once in a pass.
    A sequence may hold the end of one document and the start of the next. The text is cut at the same places in every pass;
    at most T - 1 tokens at its end are left out.

    Attributes
    ----------
    tokens
        A text, shape (n,); may be memory-mapped.
    length
        Number T of inputs of a sequence.
    batch
        Number of sequences in a batch.
    seed
        Fixes the order. Every sequence comes once in each pass, in an order of its own; a batch may hold the end of one
        pass and the start of the next.

    Raises
    ------
    InputError
        If the text is shorter than one sequence, or a number is below 1.
    """

    tokens: Tokens
    length: int
    batch: int
    seed: int

    def __post_init__(self) -> None:
        keep_each(self, whole, "length", "batch")
        keep(self, tokens=as_tokens(self.tokens, "tokens"), seed=checked_seed(self.seed))
        require(
            len(self.tokens) > self.length, "tokens", f"there are {len(self.tokens)}", f"give more than {self.length}"
        )

    def __len__(self) -> int:
        """Return the number of sequences."""
        return (len(self.tokens) - 1) // self.length

    @property
    def fresh_steps(self) -> int:
        """Number of steps in which no sequence comes twice."""
        return self._order.fresh_steps

    @property
    def _order(self) -> Order:
        return Order(len(self), self.batch, self.seed)

    def at(self, sequences: npt.ArrayLike) -> Batch:
        """Return sequences by their numbers, int64, shape (n, length + 1).

        Parameters
        ----------
        sequences
            Numbers from 0 to ``len(self) - 1``, shape (n,).
        """
        numbers = array(sequences, "sequences", whole=True, least=0, most=len(self) - 1)
        starts = numbers.astype(np.int64) * self.length
        drawn: Batch = self.tokens[starts[:, None] + np.arange(self.length + 1)].astype(np.int64)
        return drawn

    def batch_at(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0; batches need not be asked for in turn.

        Returns
        -------
        numpy.ndarray
            int64, shape (batch, length + 1).
        """
        return self.at(self._order.indices(step))

    def in_order(self, limit: int | None = None) -> Iterator[Batch]:
        """Yield the first sequences of the text, or all, once and in their order: for a loss on held-out text.

        Parameters
        ----------
        limit
            How many; None for all.

        Yields
        ------
        numpy.ndarray
            int64, shape (batch, length + 1), the last one perhaps with fewer rows.
        """
        stop = len(self) if limit is None else min(whole(limit, "limit"), len(self))
        for first in range(0, stop, self.batch):
            yield self.at(np.arange(first, min(first + self.batch, stop)))
