"""The command line: table of runs, computing, shipping, cache; clear words for bad input."""

import pytest

from neural_scaling import cli
from neural_scaling.runs import experiment_key
from runs.squares import Squares


@pytest.fixture(autouse=True)
def squares(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setattr(cli, "experiments", lambda item, scale: [Squares(3), Squares(4)])
    return tmp_path


def test_runs_are_listed_computed_and_shipped(capsys, squares):
    assert cli.main(["runs", "figxx"]) == 0
    table = capsys.readouterr().out
    assert table.count("missing") == 2 and experiment_key(Squares(3)) in table
    assert cli.main(["runs", "figxx", "--compute", "--engine", "sequential"]) == 0
    assert capsys.readouterr().out.count("found, cached") == 2
    assert cli.main(["runs", "promote", "figxx"]) == 0
    assert "2 runs copied" in capsys.readouterr().out
    assert cli.main(["runs", "figxx"]) == 0
    table = capsys.readouterr().out
    assert table.count("found, shipped") == 2 and "cores" in table
    assert len(list((squares / "results" / "figxx").glob("*.npz"))) == 2


def test_cache_is_listed_and_cleared(capsys, squares):
    cli.main(["runs", "figxx", "--compute"])
    capsys.readouterr()
    assert cli.main(["cache"]) == 0
    assert "figxx: 2 runs" in capsys.readouterr().out
    assert cli.main(["cache", "clear", "figxx"]) == 0
    assert not list((squares / "cache" / "results").glob("*/*.npz"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["runs", "ship", "figxx"], "error: runs: got 'ship figxx'"),
        (["runs", "promote", "figxx"], "2 of 2 full-scale runs of figxx are missing"),
        (["runs", "figxx", "--compute", "--engine", "grid"], "error: engine: got 'grid'"),
    ],
)
def test_bad_input_is_one_line(words, message, capsys):
    assert cli.main(words) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error


def test_unknown_item_is_named(monkeypatch, capsys):
    monkeypatch.undo()
    assert cli.main(["runs", "fig99"]) == 2
    assert "item: 'fig99' keeps no runs; use one of fig02" in capsys.readouterr().err
