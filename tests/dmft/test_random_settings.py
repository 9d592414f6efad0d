"""Thirty settings drawn over the whole range: a result with an error estimate, or an error whose remedy works."""

import pytest

import random_settings

_SETTINGS = random_settings.drawn(30)


def test_settings_cover_the_range():
    kinds = {(s.unit_steps, s.samples < float("inf"), s.batch < float("inf")) for s in _SETTINGS}
    assert len(kinds) == 6  # both grids, each with reused samples, finite batches and neither
    assert any(s.fourth_moment for s in _SETTINGS) and any(s.gamma == 0 for s in _SETTINGS)
    assert random_settings.drawn(200)[:30] == _SETTINGS


@pytest.mark.long
@pytest.mark.parametrize("setting", _SETTINGS, ids=[str(number) for number in range(len(_SETTINGS))])
def test_a_result_or_a_remedy(setting):
    found = random_settings.outcome(setting)
    assert random_settings.acceptable(found["kind"]), found["message"]
    if found["kind"] in {"result", "coarse result"}:
        assert found["error"] is not None
    else:
        assert found["message"].endswith(".") and "eta" in found["message"]


@pytest.mark.long
@pytest.mark.parametrize("number", [8, 16, 82, 167, 196])
def test_the_stated_error_is_an_overestimate(number):
    # Reused samples, small batches (82: a plain difference is twice too small), and neither.
    assert 0 < random_settings.true_over_stated(random_settings.drawn(200)[number]) < 1
