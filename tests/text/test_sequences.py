"""Packed sequences: every token a target once in a pass, any batch by its step alone, the same for the same seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.data.text import Prefetched, Sequences

TOKENS = np.random.default_rng(0).integers(8192, size=10_001).astype(np.uint16)


def numbered(count):
    return np.arange(count, dtype=np.uint16)


@settings(max_examples=60)
@given(st.integers(2, 400), st.integers(1, 30), st.integers(1, 9), st.integers(0, 99))
def test_in_a_pass_every_token_is_a_target_once(count, length, batch, seed):
    length = min(length, count - 1)
    sequences = Sequences(numbered(count), length, batch, seed)
    steps = -(-len(sequences) // batch)
    drawn = np.concatenate([sequences.batch_at(step) for step in range(steps)])[: len(sequences)]
    assert drawn.dtype == np.int64 and drawn.shape == (len(sequences), length + 1)
    np.testing.assert_array_equal(np.diff(drawn, axis=1), 1)  # tokens that follow one another
    np.testing.assert_array_equal(np.sort(drawn[:, 1:].ravel()), 1 + np.arange(len(sequences) * length))
    assert count - 1 - len(sequences) * length < length  # what is left out at the end


def test_a_second_pass_has_another_order():
    sequences = Sequences(numbered(641), 10, 64, 0)
    first, second = sequences.batch_at(0), sequences.batch_at(1)
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first, axis=0), np.sort(second, axis=0))


@settings(max_examples=30)
@given(st.integers(0, 500), st.integers(0, 5))
def test_a_batch_needs_none_of_those_before_it(step, seed):
    one, other = (Sequences(TOKENS, 64, 8, seed) for _ in range(2))
    for earlier in range(0, step, 100):
        other.batch_at(earlier)
    np.testing.assert_array_equal(one.batch_at(step), other.batch_at(step))
    assert not np.array_equal(one.batch_at(step), Sequences(TOKENS, 64, 8, seed + 1).batch_at(step))


def test_going_on_with_prefetching_gives_the_same_batches():
    sequences = Sequences(TOKENS, 32, 4, 7)
    with Prefetched(sequences.batch_at, stop=20) as batches:
        whole = list(batches)
    with Prefetched(sequences.batch_at, start=13, stop=20) as batches:
        for expected, found in zip(whole[13:], batches, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_held_out_text_comes_in_its_order():
    sequences = Sequences(TOKENS, 100, 8, 3)
    whole = list(sequences.in_order())
    assert len(sequences) == 100 and [len(batch) for batch in whole] == [8] * 12 + [4]
    np.testing.assert_array_equal(np.concatenate(whole)[:, :-1].ravel(), TOKENS[:10_000])
    np.testing.assert_array_equal(np.concatenate(list(sequences.in_order(11))), np.concatenate(whole)[:11])
    assert sum(map(len, sequences.in_order(1000))) == 100


def test_fresh_steps():
    assert Sequences(TOKENS, 100, 8, 3).fresh_steps == 12


def test_tokens_may_stay_on_disk(tmp_path):
    np.save(tmp_path / "tokens.npy", TOKENS)
    mapped = np.load(tmp_path / "tokens.npy", mmap_mode="r")
    batch = Sequences(mapped, 50, 4, 1).batch_at(3)
    np.testing.assert_array_equal(batch, Sequences(TOKENS, 50, 4, 1).batch_at(3))
    batch[0] = 0  # a copy
    assert not np.shares_memory(batch, mapped)


def test_too_little_text_is_refused():
    with pytest.raises(InputError, match="tokens: there are 10; give more than 10"):
        Sequences(TOKENS[:10], 10, 1, 0)
