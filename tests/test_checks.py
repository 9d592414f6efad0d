import math

import jax.numpy as jnp
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.base import checks
from neural_scaling.base.checks import InputError

NO_NUMBERS = [
    None,
    "1",
    b"1",
    True,
    np.True_,
    1j,
    [1.0],
    np.ones(2),
    np.ma.masked,
    {},
    object,
    math.nan,
    np.float32("nan"),
]


@pytest.mark.parametrize("wrong", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize(
    "check",
    [checks.real, checks.require_positive, checks.whole, checks.count, checks.seed],
    ids=lambda check: check.__name__,
)
def test_what_is_no_number_is_refused_by_name(check, wrong):
    with pytest.raises(InputError, match=r"^this: got .*; give a .*\.$"):
        check(wrong, "this")


@pytest.mark.parametrize(
    "form", [2, 2.0, np.int8(2), np.float32(2), np.array(2), jnp.asarray(2), torch.tensor(2.0)], ids=repr
)
def test_a_number_comes_in_many_forms(form):
    for check, kind in ((checks.real, float), (checks.whole, int), (checks.count, float), (checks.seed, int)):
        value = check(form, "this")
        assert type(value) is kind
        assert value == 2


@pytest.mark.parametrize(
    ("call", "remedy"),
    [
        (lambda: checks.real(1.0, "x", above=1), "give a finite number above 1"),
        (lambda: checks.real(0.5, "x", least=1, most=2), "give a finite number of at least 1 and of at most 2"),
        (lambda: checks.real(2.0, "x", below=2), "give a finite number below 2"),
        (lambda: checks.real(-math.inf, "x", infinite=True), "give a number, or math.inf"),
        (lambda: checks.real(10**400, "x"), "give a finite number"),
        (lambda: checks.whole(2.5, "x"), "give a whole number of at least 1"),
        (lambda: checks.whole(8, "x", least=0, most=7), "give a whole number of at least 0 and of at most 7"),
        (lambda: checks.count(0, "x"), "give a positive whole number, or math.inf"),
        (lambda: checks.seed(2**63), "give a whole number from 0 to 2^63 - 1"),
        (lambda: checks.seeds([1, 1], "x"), "give each seed once"),
        (lambda: checks.choice("c", "x", "ab"), "use one of a, b"),
        (lambda: checks.instances([1, "a"], "x", int, "give numbers"), "give numbers"),
        (lambda: checks.interval((2, 1), "x"), "sort it, smallest first, and drop repeated values"),
        (lambda: checks.array([1.0, 2.0], "x", shape=(None, 2)), "give an array of shape (any, 2)"),
        (
            lambda: checks.array([1.0, 2.0], "x", order="descending"),
            "sort it, largest first, together with what belongs to it",
        ),
        (lambda: checks.array([1.0, 2.5], "x", whole=True), "give whole numbers"),
        (lambda: checks.array([1.0], "x", fewest=2), "give at least 2 values"),
    ],
)
def test_remedies(call, remedy):
    with pytest.raises(InputError) as caught:
        call()
    assert str(caught.value).endswith(f"; {remedy}.")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=5))
def test_an_array_is_a_copy_that_nobody_changes(values):
    for form in (
        values,
        tuple(values),
        np.array(values),
        torch.tensor(values, dtype=torch.float64),
        np.array(values, np.float32),
    ):
        found = checks.array(form, "this")
        np.testing.assert_array_equal(found, values)
        assert found.dtype == np.float64
        assert not found.flags.writeable
        assert not (isinstance(form, np.ndarray) and np.shares_memory(found, form))


def test_what_failed_may_be_among_measured_values():
    np.testing.assert_array_equal(checks.array([math.nan, -math.inf, 1.0], "x", nan=True), [math.nan, -math.inf, 1.0])
    with pytest.raises(InputError, match=r"^x: NaN or infinity"):
        checks.array([math.nan, 1.0], "x", infinite=True)
