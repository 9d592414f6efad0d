"""Streams of batches: seeded, each image once in an epoch, any batch without those before it."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from images.tiny import tiny_arrays
from neural_scaling.data import ImageDataset, ImageSplit, Order, Stream, crops_and_flips

TINY = tiny_arrays()
DATASET = ImageDataset(
    "tiny", ImageSplit(*TINY[:2]), ImageSplit(*TINY[2:]), tuple("0123456789"), np.array([0.5]), np.array([0.25])
)


def drawn(order, steps):
    return np.concatenate([order.indices(step) for step in range(steps)])


@given(images=st.integers(1, 40), batch=st.integers(1, 100), seed=st.integers(0, 5))
def test_without_replacement_each_epoch_has_every_image_once(images, batch, seed):
    order = Order(images, batch, seed)
    epochs = 3
    steps = -(-epochs * images // batch)
    found = drawn(order, steps)
    assert found.shape == (steps * batch,)
    for epoch in range(epochs):
        assert sorted(found[epoch * images : (epoch + 1) * images]) == list(range(images))
    fresh = order.fresh_steps
    assert len(set(drawn(order, fresh + 1))) < (fresh + 1) * batch
    assert fresh == 0 or len(set(drawn(order, fresh))) == fresh * batch
    assert order.repeated(steps) == 1 - images / (steps * batch)


def test_orders_differ_by_epoch_and_seed():
    one = drawn(Order(50, 50, 0), 2)
    assert not np.array_equal(one[:50], one[50:])
    assert not np.array_equal(one, drawn(Order(50, 50, 1), 2))
    np.testing.assert_array_equal(one, drawn(Order(50, 50, 0), 2))


def test_with_replacement_draws_are_independent_and_uniform():
    order = Order(100, 64, 3, replacement=True)
    found = drawn(order, 1000)
    assert found.min() == 0 and found.max() == 99
    counts = np.bincount(found, minlength=100)
    # 99 degrees of freedom: standard deviation 14; five of them
    assert abs(np.sum((counts - 640.0) ** 2 / 640) - 99) < 70
    assert order.fresh_steps == 0


def test_the_share_of_repetitions_with_replacement_is_the_expected_one():
    order = Order(10_000, 100, 0, replacement=True)
    steps = 150
    counted = 1 - len(set(drawn(order, steps))) / (steps * order.batch)
    # the number of distinct images has a standard deviation of about 40 here, of 15000 drawn
    assert abs(order.repeated(steps) - counted) < 5 * 40 / 15_000
    assert order.repeated(0) == 0 and Order(1, 4, 0, replacement=True).repeated(1) == 0.75


def test_a_million_images_are_repeated_when_the_steps_say_so():
    order = Order(60_000, 64, 0)
    assert order.fresh_steps == 937 and order.epochs(1000) > 1


def test_a_stream_gives_normalised_images_at_any_step():
    stream = Stream(DATASET, Order(120, 16, 7))
    for step, (images, labels) in zip(range(10), stream, strict=False):
        again, _ = stream.batch(step)
        np.testing.assert_array_equal(images, again)
        index = stream.order.indices(step)
        np.testing.assert_array_equal(labels, TINY[1][index])
        np.testing.assert_allclose(images, (TINY[0][index] / 255 - 0.5) / 0.25, atol=1e-6)


def test_an_augmented_stream_changes_an_image_each_time():
    stream = Stream(DATASET, Order(120, 120, 7), augmented=True)
    first, second = (stream.batch(step)[0][np.argsort(stream.order.indices(step))] for step in (0, 1))
    same = np.mean([np.array_equal(one, other) for one, other in zip(first, second, strict=True)])
    assert same < 0.1  # of 162 versions
    np.testing.assert_array_equal(stream.batch(1)[0], stream.batch(1)[0])


def test_crops_and_flips_are_what_they_say():
    images = np.arange(1, 1 + 12 * 10 * 2, dtype=np.uint8).reshape(1, 12, 10, 2)
    padded = np.full((20, 18, 2), [250, 255], np.uint8)
    padded[4:-4, 4:-4] = images[0]
    expected = {
        padded[down : down + 12, right : right + 10][:, ::turn].tobytes()
        for down in range(9)
        for right in range(9)
        for turn in (1, -1)
    }
    assert len(expected) == 162
    found = crops_and_flips(np.repeat(images, 4000, axis=0), np.random.default_rng(0), np.array([250, 255], np.uint8))
    # the chance that one of 162 is missed in 4000 draws is below 1e-8
    assert {image.tobytes() for image in found} == expected
