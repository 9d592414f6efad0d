"""What counts of tokens say of a text: the levels that a network passes when it has learned frequencies, then pairs."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import array, require, whole

__all__ = ["DISCOUNT", "ngram_losses"]

#: Taken off every count of a pair and given to what was not seen after the first token of it.
DISCOUNT = 0.75


def ngram_losses(train: npt.ArrayLike, test: npt.ArrayLike, vocabulary: int) -> tuple[float, float]:
    """Return the cross-entropies of a text under frequencies of tokens and of pairs of tokens in another one.

    Frequencies of tokens count every token once more than it was seen. Those of pairs are interpolated with them after an
    absolute discount (Ney, Essen and Kneser, 1994).

    Parameters
    ----------
    train
        Tokens that are counted, shape (n,).
    test
        Tokens that are predicted, all but the first, shape (m,).
    vocabulary
        Number of different tokens.

    Returns
    -------
    single, pairs : float
        Nats per token.

    Raises
    ------
    InputError
        If a text has fewer than two tokens or a token is not in the vocabulary.
    """
    vocabulary = whole(vocabulary, "vocabulary")
    train, test = _tokens(train, "train", vocabulary), _tokens(test, "test", vocabulary)
    counts = np.bincount(train, minlength=vocabulary)
    frequency = (counts + 1) / (train.size + vocabulary)
    single: Array = frequency[test[1:]]
    followed = np.bincount(train[:-1], minlength=vocabulary)
    pairs, seen = np.unique(_pairs(train, vocabulary), return_counts=True)
    kinds = np.bincount(pairs // vocabulary, minlength=vocabulary)
    wanted = _pairs(test, vocabulary)
    place = np.minimum(np.searchsorted(pairs, wanted), pairs.size - 1)
    found = np.where(pairs[place] == wanted, seen[place] - DISCOUNT, 0.0)
    before = test[:-1]
    rest = np.where(followed[before] > 0, DISCOUNT * kinds[before], 1.0)
    both = (found + rest * single) / np.maximum(followed[before], 1)
    return float(-np.log(single).mean()), float(-np.log(both).mean())


def _tokens(values: npt.ArrayLike, argument: str, vocabulary: int) -> npt.NDArray[np.integer]:
    """Return a text of at least two tokens of the vocabulary; arrays of whole numbers are not copied."""
    kept = isinstance(values, np.ndarray) and values.dtype.kind in "iu" and values.ndim == 1 and values.size > 1
    tokens = np.asarray(values) if kept else array(values, argument, whole=True, least=0, fewest=2).astype(np.int64)
    low, high = int(tokens.min()), int(tokens.max())
    require(
        low >= 0 and high < vocabulary, argument, f"holds tokens {low} to {high}", "give a vocabulary with all of them"
    )
    return tokens


def _pairs(tokens: npt.NDArray[np.integer], vocabulary: int) -> npt.NDArray[np.int64]:
    """Return the numbers of the pairs of neighbours."""
    wide = tokens.astype(np.int64)
    return wide[:-1] * vocabulary + wide[1:]
