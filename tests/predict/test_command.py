"""The command takes files, and says in one line what is wrong with one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from neural_scaling import cli
from neural_scaling.predict import cli as command
from neural_scaling.spectra import PowerLaw


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spectrum(path):
    law = PowerLaw(1.5, 0.5, 150).spectrum()
    rows = np.column_stack([law.eigenvalues, law.target])
    np.savetxt(path, rows, delimiter=",", header="eigenvalue,coefficient", comments="")


@pytest.mark.slow
def test_a_spectrum_gives_sentences_a_report_and_is_found_again(workplace, capsys):
    spectrum("spectrum.csv")
    words = ["predict", "spectrum.csv", "--output", "report", "--plot", "curves.svg"]
    assert cli.main(words) == 0
    first = capsys.readouterr()
    assert (
        first.out.startswith("The task is hard")
        and first.err.splitlines()[0] == "predict: learning curves with bands, 0 found, 2 to compute"
    )
    assert (workplace / "report" / "report.html").is_file() and (workplace / "curves.svg").is_file()
    assert cli.main([*words, "--json"]) == 0
    again = capsys.readouterr()
    assert again.err.splitlines()[0] == "predict: learning curves with bands, 2 found, 0 to compute"
    assert json.loads(again.out)["origin"] == "spectrum"


@pytest.mark.long
def test_a_command_that_was_killed_goes_on_in_two_processes_with_the_same_bits(workplace, capsys):
    spectrum("spectrum.csv")
    words = ["predict", "spectrum.csv", "--json", "--until", "3", "--width", "8", "--batch", "4", "--gamma0", "2"]
    cache = workplace / "killed"
    environment = os.environ | {
        "NEURAL_SCALING_CACHE": str(cache),
        "NEURAL_SCALING_CHECKPOINT_SECONDS": "0",
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    command = [sys.executable, "-m", "neural_scaling", *words]
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    deadline = time.monotonic() + 240

    def inside_the_fourth() -> bool:
        """Modes and both flows are stored, and a state of a run that is not: a run is stored before its state is removed."""
        stored = {path.stem for path in cache.rglob("*.npz")}
        return len(stored) >= 3 and any(path.stem not in stored for path in cache.rglob("*.checkpoint"))

    while not inside_the_fourth():
        assert killed.poll() is None and time.monotonic() < deadline, killed.communicate()
        time.sleep(0.01)
    killed.send_signal(signal.SIGKILL)
    assert not killed.communicate()[0] and killed.returncode == -signal.SIGKILL
    resumed = subprocess.run(
        [*command, "--engine", "processes", "--workers", "2"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "going on from its checkpoint" in resumed.stderr and "2 found" in resumed.stderr
    assert cli.main([*words, "--no-store"]) == 0
    found, straight = json.loads(resumed.stdout), json.loads(capsys.readouterr().out)
    del found["provenance"], straight["provenance"]
    assert found == straight
    assert found["width"] == 8 and found["batch"] == 4 and found["gamma"] == 4 and found["richness_from"] == "gamma0"


def test_a_curve_gives_sentences(workplace, capsys):
    time = np.geomspace(10, 1e4, 30)
    np.savetxt("one.csv", np.column_stack([time, time**-0.4]), delimiter=",", header="t,loss", comments="")
    assert cli.main(["predict", "one.csv", "--law", "lazy"]) == 0
    assert "The loss falls with exponent 0.4" in capsys.readouterr().out


def test_the_first_row_of_a_log_is_left_out_and_said(workplace, capsys):
    time = np.geomspace(10, 1e4, 30)
    rows = np.column_stack([np.append(0, time), np.append(1, time**-0.4)])
    np.savetxt("log.csv", rows, delimiter=",", header="step,loss", comments="")
    assert cli.main(["predict", "log.csv", "--law", "lazy"]) == 0
    said = capsys.readouterr()
    assert "The loss falls with exponent 0.4" in said.out
    assert "warning: points at time 0 are left out" in said.err


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "error: file: none.csv is not there; give"),
        ("a.txt", "1", "error: file: got 'a.txt'; give a .csv or .npz file"),
        ("a.csv", "x,y\n1,2\n", "error: file: a.csv has the columns x, y; give"),
        ("a.csv", "t,loss\n1,two\n", "error: file: 'two' in column loss, row 2 of a.csv; give numbers"),
        ("a.csv", "t,loss\n1\n", "error: file: row 2 of a.csv has 1 cells; give 2"),
        ("a.npz", "no archive", "error: file: a.npz cannot be read"),
        ("a.csv", "t;loss\n1;2\n", "error: file: a.csv has the one column 't;loss'; separate columns by commas"),
        ("a.csv", "t,loss\n1,2\n".encode("utf-16"), "error: file: a.csv cannot be read"),
        ("a.npz", b"PK\x03\x04 cut off", "error: file: a.npz cannot be read"),
        (
            "a.npz",
            b"\x93NUMPY\x01\x00v\x00{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }".ljust(127)
            + b"\n"
            + bytes(8),
            "error: file: a.npz cannot be read",
        ),
        ("b.npz", {"x": np.ones(3)}, "error: file: b.npz has x; give 'kernel'"),
        (
            "b.npz",
            {name: np.ones(200) for name in ("eigenvalues", "coefficients", "kernel", "targets")},
            "error: file: b.npz has kernel and eigenvalues; give one of them",
        ),
        ("b.npz", {"inputs": np.ones((3, 2)), "targets": np.ones(3)}, "error: network: not given; add --network"),
    ],
)
def test_bad_files_are_one_line(name, content, message, capsys):
    if isinstance(content, str):
        with open(name, "w") as file:
            file.write(content)
    elif isinstance(content, bytes):
        with open(name, "wb") as file:
            file.write(content)
    elif content is not None:
        np.savez(name, **content)
    assert cli.main(["predict", name]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


@pytest.mark.parametrize("name", ["nothing", "nowhere:make", "math:nothing", "math:pi"])
def test_a_network_that_cannot_be_made_is_one_line(name, capsys):
    np.savez("data.npz", inputs=np.ones((200, 2)), targets=np.ones(200))
    assert cli.main(["predict", "data.npz", "--network", name]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: network: ") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("option", "name"),
    [
        (["--noise", "0.1"], "spectrum.csv"),
        (["--law", "lazy"], "spectrum.csv"),
        (["--first", "5"], "spectrum.csv"),
        (["--workers", "2"], "spectrum.csv"),
        (["--network", "a:b"], "kernel.npz"),
        (["--samples", "500"], "kernel.npz"),
        (["--richness", "2"], "one.csv"),
        (["--width", "8"], "one.csv"),
    ],
)
def test_an_option_that_would_be_ignored_is_refused(option, name, capsys):
    spectrum("spectrum.csv")
    np.savez("kernel.npz", kernel=np.eye(200), targets=np.ones(200))
    np.savetxt("one.csv", np.ones((30, 2)), delimiter=",", header="t,loss", comments="")
    assert cli.main(["predict", name, *option]) == 2
    assert capsys.readouterr().err.startswith(f"error: {option[0][2:]}: given with")


def archived(network, **arrays):
    """Return what is read of an archive."""
    np.savez("some.npz", **arrays)
    return set(command._archive(Path("some.npz"), network))


def test_what_an_archive_holds_beside_a_start_is_left_out():
    one = np.ones(3)
    assert archived(False, kernel=one, targets=one, eigenvalues=one) == {"kernel", "targets"}
    assert archived(True, inputs=one, targets=one, loss=one, test_targets=one) == {"inputs", "targets", "test_targets"}
    both = {"kernel": one, "inputs": one, "targets": one}
    assert archived(True, **both) == {"inputs", "targets"} and archived(False, **both) == {"kernel", "targets"}


def test_seeds_are_runs_of_every_size():
    with open("a.csv", "w") as file:
        file.write("N,seed,t,loss\n8,0,1,1\n8,1,1,1\n16,0,1,1\n16,0,2,1\n\n , , ,\n")
    np.testing.assert_array_equal(command._table(Path("a.csv"))["run"], [0, 1, 2, 2])
