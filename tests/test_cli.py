"""The command line: table of runs, computing, shipping, cache; clear words for bad input."""

import os
import shlex
import signal
import subprocess
import sys
import threading

import pytest
from filelock import FileLock

from companion import cli as book
from neural_scaling import cli
from neural_scaling.base.paths import checkout
from neural_scaling.runs import experiment_key, obtain
from neural_scaling.runs.execution import nothing_running
from runs.squares import Squares


@pytest.fixture(autouse=True)
def squares(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setattr(book, "experiments", lambda item, scale: [Squares(3), Squares(4)])
    return tmp_path


def test_runs_are_listed_computed_and_shipped(capsys, squares):
    assert book.main(["runs", "figxx"]) == 0
    table = capsys.readouterr().out
    assert table.count("missing") == 2 and experiment_key(Squares(3)) in table
    assert book.main(["runs", "figxx", "--compute", "--engine", "sequential"]) == 0
    assert capsys.readouterr().out.count("found, cached") == 2
    assert book.main(["runs", "promote", "figxx"]) == 0
    assert "2 runs copied" in capsys.readouterr().out
    assert book.main(["runs", "figxx"]) == 0
    table = capsys.readouterr().out
    assert table.count("found, shipped") == 2 and "cores" in table
    assert len(list((squares / "results" / "figxx").glob("*.npz"))) == 2


def test_cache_is_listed_and_cleared(capsys, squares):
    book.main(["runs", "figxx", "--compute"])
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
        (["runs", "figxx", "--engine", "gpu"], "error: engine: got 'gpu'; use one of sequential, processes, dask"),
        (["runs", "figxx", "--workers", "0"], "error: workers: got 0; give at least one worker"),
        (["runs", "figxx", "--workers", "2"], "error: workers: given with engine 'sequential'; take engine"),
        (["runs", "figxx", "--engine", "dask", "--scheduler", "tcp://10.0.0.1:8786"], "is open to everyone"),
    ],
)
def test_bad_input_is_one_line(words, message, capsys):
    assert book.main(words) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_unknown_item_is_named(monkeypatch, capsys):
    monkeypatch.undo()
    assert book.main(["runs", "fig99"]) == 2
    assert "item: 'fig99' keeps no runs; use one of batch, " in capsys.readouterr().err


def test_a_scale_that_an_item_does_not_have_is_named(monkeypatch, capsys):
    monkeypatch.undo()
    assert book.main(["runs", "fig02", "--scale", "reduced"]) == 2
    assert capsys.readouterr().err == "error: scale: fig02 has no 'reduced'; use one of small, full.\n"


def test_a_missing_data_root_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path / "nowhere"))
    assert book.main(["runs", "figxx"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: NEURAL_SCALING_DATA: ") and error.count("\n") == 1


def test_the_cache_is_not_cleared_while_a_run_is_on(capsys, squares):
    book.main(["runs", "figxx", "--compute"])
    running = squares / "cache" / "running"
    (running / "1234.status").write_text(
        '{"label": "squares 9", "units": 3, "work": 9, "seconds": 1.0, "process": "here:12"}'
    )
    capsys.readouterr()
    with FileLock(running / "1234.lock"):
        assert cli.main(["cache", "clear"]) == 2
        said = "error: cache: a run is on, squares 9 (here:12, 3 of 9); wait for its end, or stop it first.\n"
        assert capsys.readouterr().err == said
    assert len(list((squares / "cache" / "results").glob("*/*.npz"))) == 2 and running.exists()
    assert cli.main(["cache", "clear"]) == 0
    assert not running.exists() and not list((squares / "cache" / "results").iterdir())


def test_no_run_begins_while_the_cache_is_cleared(squares):
    begun = []
    with nothing_running():
        thread = threading.Thread(target=lambda: begun.append(obtain(Squares(3), "figxx", "full")), daemon=True)
        thread.start()
        thread.join(0.5)
        assert not begun
    thread.join(30)
    assert begun


def test_a_signal_where_no_run_is_under_way_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(book, "experiments", lambda item, scale: signal.raise_signal(signal.SIGTERM))
    assert book.main(["runs", "figxx"]) == 143
    assert capsys.readouterr().err == "SIGTERM: ended; no run was under way.\n"


@pytest.mark.long
def test_a_closed_pipe_and_a_deleted_working_directory(tmp_path):
    gone = tmp_path / "gone"
    gone.mkdir()
    words = [sys.executable, "-P", "-m", "companion", "runs", "fig03"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    environment["NEURAL_SCALING_DATA"] = str(checkout() / "data")
    script = f'rmdir "$PWD"; {{ {shlex.join(words)}; echo "status $?" >&2; }} | true'
    done = subprocess.run(["bash", "-c", script], cwd=gone, env=environment, capture_output=True, text=True)
    assert done.stderr == "status 141\n"
