"""Counts of tokens and of pairs, beside sums over all that could have come."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest

from neural_scaling.base.checks import InputError
from neural_scaling.data.text.ngrams import DISCOUNT, ngram_losses

VOCABULARY = 7


def texts(seed=0):
    generator = np.random.default_rng(seed)
    train = generator.integers(0, VOCABULARY - 1, 60).astype(np.uint16)  # the last token is never seen
    return train, np.array([3, VOCABULARY - 1, 2, 2, 5, 0, VOCABULARY - 1, 1], np.uint16)


def single(train, token):
    return (Counter(train.tolist())[token] + 1) / (len(train) + VOCABULARY)


def pair(train, first, second):
    after = Counter(b for a, b in itertools.pairwise(train.tolist()) if a == first)
    total = sum(after.values())
    if total == 0:
        return single(train, second)
    return (max(after[second] - DISCOUNT, 0) + DISCOUNT * len(after) * single(train, second)) / total


def test_the_same_as_token_by_token():
    train, test = texts()
    first, second = ngram_losses(train, test, VOCABULARY)
    tokens = test.tolist()
    assert first == pytest.approx(-np.mean([math.log(single(train, b)) for b in tokens[1:]]))
    assert second == pytest.approx(-np.mean([math.log(pair(train, a, b)) for a, b in itertools.pairwise(tokens)]))


def test_frequencies_are_probabilities():
    train, _ = texts()
    everything = range(VOCABULARY)
    for before in everything:
        both = [ngram_losses(train, np.array([before, token]), VOCABULARY) for token in everything]
        assert np.exp(-np.array(both)).sum(axis=0) == pytest.approx([1, 1])


def test_pairs_of_a_text_without_order_add_nothing():
    generator = np.random.default_rng(0)
    frequency = np.array([0.5, 0.25, 0.125, 0.125])
    train, test = (generator.choice(4, 40_000, p=frequency) for _ in range(2))
    first, second = ngram_losses(train, test, 4)
    entropy = -(frequency * np.log(frequency)).sum()
    # The standard deviation of -log p is 0.6, over 200 draws 0.003.
    assert first == pytest.approx(entropy, abs=0.01) and second == pytest.approx(entropy, abs=0.01)


def test_bad_input():
    train, test = texts()
    with pytest.raises(InputError, match="test: shape"):
        ngram_losses(train, test[:1], VOCABULARY)
    with pytest.raises(InputError, match="train: holds tokens 0 to 5"):
        ngram_losses(train, test, 4)
