"""Published points: what is kept of them, and their analysis on made-up points of a known law."""

import json

import numpy as np
import pandas as pd
import pytest

import published_points as study
from companion.pages import own_curves
from neural_scaling.base.paths import datasets_root


def test_their_fit_gives_the_values_of_those_who_read_them():
    found = own_curves.published_values().set_index("name")
    # The sum that both minimise is flat there; parts of a per cent of it move the prefactors by per cents.
    np.testing.assert_allclose(found.value, found.again, rtol=0.03)
    inside = [low < printed < high for printed, (low, high) in zip(found.printed, found.interval, strict=True)]
    assert inside[list(found.index).index("E")] is False  # why they wrote their paper


def test_the_page_shows_every_comparison():
    found = own_curves.published_errors()
    assert len(found) == 6
    assert found.notna().all().all()
    assert all(
        low < difference < high for difference, (low, high) in zip(found.difference, found.interval, strict=True)
    )


def test_points_are_read_and_outliers_left_out(tmp_path):
    size, data = (one.ravel() for one in np.meshgrid(np.geomspace(1e8, 1e10, 8), np.geomspace(1e10, 1e12, 8)))
    loss = 1.8 + 480 * size**-0.35 + 2000 * data**-0.37
    table = pd.DataFrame({"Model Size": size, "Training FLOP": 6 * size * data, "loss": loss})
    table.loc[3, "loss"] = np.nan
    table.to_csv(tmp_path / "points.csv")
    N, D, L, run = study.points(tmp_path / "points.csv")
    assert len(N) == len(L) == len(set(run)) == 64 - 1 - study.OUTLIERS
    assert np.min(D / N) > np.sort(data / size)[study.OUTLIERS - 1]
    a, low, high = study.measured((N, D, L, run), resamples=40)["fits"]["chinchilla"]["a"]
    assert low <= a <= high
    assert a == pytest.approx(0.35, abs=1e-4)


@pytest.mark.slow
def test_the_points_still_give_what_is_kept():
    path = datasets_root() / study.ADDRESS.rsplit("/", 1)[1]
    if not path.is_file():
        pytest.skip(f"{path.name} is not on disk: fetch it with `python tests/published_points.py`")
    kept = json.loads(study.KEPT.read_text("utf-8"))
    for name, values in study.measured(study.points(path))["fits"]["chinchilla"].items():
        np.testing.assert_allclose(values, kept["fits"]["chinchilla"][name], rtol=1e-6)
