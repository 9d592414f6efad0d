"""The page on the cost of the solver reads what the benchmark has kept."""

import io

import pytest

from companion.pages import speed
from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import data_root


def test_kept_numbers_are_drawn_with_their_powers(tmp_path):
    growth = speed.growth(speed.kept(data_root() / "benchmarks" / "mean_field.json"))
    powers = {label: -fit.exponent for label, (_, _, fit) in growth.items()}
    assert 1.5 < powers["steps $T$"] < 3.5  # K T^3 operations, less at small T
    assert abs(powers["width $N$"]) < 0.3
    figure = speed.cost_figure(growth)
    figure.savefig(io.BytesIO(), format="png")
    assert len(figure.axes) == 4
    with pytest.raises(InputError, match=r"none\.json is not there; run the benchmark"):
        speed.kept(tmp_path / "none.json")
