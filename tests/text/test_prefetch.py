"""A thread that works ahead: in order, within bounds, gone at the end, and its exceptions are the caller's."""

import threading

import pytest

from neural_scaling.data.text import Prefetched


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name == "prefetch"]


def test_items_come_in_order():
    with Prefetched(lambda step: step**2, start=3, stop=9) as items:
        assert list(items) == [9, 16, 25, 36, 49, 64]
        assert list(items) == []  # and then no more
    with Prefetched(str, stop=0) as items:
        assert list(items) == []


def test_none_is_an_item_too():
    with Prefetched(lambda step: None, stop=3) as items:
        assert list(items) == [None] * 3


def test_it_works_ahead_but_not_further_than_it_may():
    made, enough = [], threading.Event()

    def make(step):
        made.append(step)
        if len(made) == 4:  # three in store and one in hand
            enough.set()
        return step

    with Prefetched(make, ahead=3) as items:
        assert enough.wait(30)  # nobody has asked for any yet
        assert next(items) == 0
    assert len(made) <= 5  # one place became free


def test_an_exception_comes_in_its_place():
    def make(step):
        if step == 2:
            raise ArithmeticError("step 2")
        return step

    with Prefetched(make) as items:
        assert [next(items), next(items)] == [0, 1]
        with pytest.raises(ArithmeticError, match="step 2"):
            next(items)
        assert list(items) == []


def test_leaving_early_ends_the_thread():
    with pytest.raises(KeyError), Prefetched(lambda step: step, ahead=1) as items:
        next(items)
        raise KeyError
    items.close()  # again, without effect
    assert list(items) == []


def test_a_caller_that_waits_hears_of_the_end():
    held = threading.Event()
    items = Prefetched(lambda step: held.wait(30))
    found = []
    caller = threading.Thread(target=lambda: found.extend(items))
    caller.start()
    threading.Timer(0.05, held.set).start()
    items._closed.set()
    caller.join(30)
    assert not caller.is_alive() and found == []
    items.close()
