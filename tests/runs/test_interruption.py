"""Runs that are killed, stopped, starved of disk or asked for twice."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from neural_scaling.base.interruption import stop_on_signal
from neural_scaling.runs import Engine, Interrupted, experiment_key
from neural_scaling.runs.checkpoint import Checkpoint
from neural_scaling.runs.engines import compute_all
from neural_scaling.runs.execution import RunMonitor, compute, compute_and_store
from neural_scaling.runs.locations import checkpoint_file
from runs.squares import Opaque, Squares
from runs.tiny_runs import classes, install, tiny_runs

TESTS = Path(__file__).resolve().parents[1]

# ``nox -s soak`` asks for all kinds, and for more kills.
KILLS = int(os.environ.get("NEURAL_SCALING_TEST_KILLS", "4"))
KINDS = sorted(found.kind for found in classes())
KILLED = KINDS if KILLS >= 100 else ["DMFT", "denoiser", "image kernel", "simulation"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(TESTS))
    return tmp_path / "cache"


# The run is made and all that it needs compiled before it begins: a kill during compilation would test nothing.
PREPARED = """
    import sys, time
    from neural_scaling.runs import Interrupted
    from neural_scaling.runs.execution import RunMonitor, compute, compute_and_store
    from runs.squares import Opaque, Squares
    {make}
    print("ready", flush=True)
    input()
    try:
        compute_and_store(run, "figxx", lambda units: None, lambda message: print(message, flush=True))
    except Interrupted as stop:
        print("stopped", flush=True)
        raise SystemExit(130)
    print("done", flush=True)
"""
#: A run of a kind on made-up data, slowed down at its safe points so that kills fall between and into checkpoints.
OF_KIND = """
    from runs.tiny_runs import install, tiny_runs
    install(setattr)
    run, points = tiny_runs()[{kind!r}]
    compute(run, lambda units: None)
    at_once, in_thread = RunMonitor.safe_point, RunMonitor.waiting
    def safe_point(self, state):
        time.sleep({seconds} / points / 2)
        at_once(self, state)
        time.sleep({seconds} / points / 2)
    def waiting(self, call, state):
        return in_thread(self, lambda: (time.sleep({seconds} / points), call())[1], state)
    RunMonitor.safe_point, RunMonitor.waiting = safe_point, waiting
"""


def prepare(make, interval):
    """Start a process that will compute a run; return it when it only waits to be released."""
    make = f"run = {make!r}" if isinstance(make, Squares) else textwrap.indent(textwrap.dedent(make), "    ")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "NEURAL_SCALING_CHECKPOINT_SECONDS": str(interval),
        "NEURAL_SCALING_DEVICE": "cpu",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(PREPARED.format(make=make.strip()))],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n", process.communicate()
    return process


def release(process):
    """Let a prepared process begin; not before all that it printed has been read."""
    process.stdin.write("\n")
    process.stdin.flush()
    return process


def start(run, interval):
    """Start a process that computes ``run``; return it when the computation begins."""
    return release(prepare(run, interval))


@pytest.mark.long
@pytest.mark.parametrize("kind", KILLED)
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(kind, cache, monkeypatch, capsys):
    install(monkeypatch.setattr)
    run, moments = tiny_runs()[kind][0], random.Random(kind)
    safe = []
    with monkeypatch.context() as counting:
        counting.setattr(RunMonitor, "safe_point", lambda monitor, state: safe.append(state))
        expected = compute(run, lambda units: None).arrays
    make, key = OF_KIND.format(kind=kind, seconds=1.5), experiment_key(run)
    results = cache / "results" / "figxx"
    wanted, kills, resumed = -(-KILLS // len(KILLED)), 0, 0
    for _ in range(20 * wanted):
        process = start(make, interval=0.02)
        try:
            output, errors = process.communicate(timeout=moments.uniform(0.05, 1.5))
            assert output.endswith("done\n"), (process.returncode, errors)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            if not (results / f"{key}.json").exists():
                kills += 1
                resumed += checkpoint_file(key).exists()
        for path in results.glob("*"):  # faster than the kill: begin anew
            path.unlink()
        if kills >= wanted and (resumed or not safe):
            break
    process = start(make, interval=30)
    output, errors = process.communicate(timeout=120)
    assert output.endswith("done\n"), errors
    with np.load(results / f"{key}.npz") as stored:
        assert set(stored.files) == set(expected)
        for name, array in expected.items():
            np.testing.assert_array_equal(stored[name], array, strict=True, err_msg=name)
    assert not checkpoint_file(key).exists()
    with capsys.disabled():
        print(f"\n{kind}: {kills} kills, {resumed} of them left a checkpoint, the same bits")
    assert kills > 0, "no run was killed: the test tests nothing"
    assert resumed > 0 or not safe, "no run went on from a checkpoint: the test tests nothing"


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2])
def test_a_signal_writes_a_checkpoint_and_exits_cleanly(number):
    run = Squares(100, 1.0, 0.02)
    process = start(run, interval=1000)
    time.sleep(0.6)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert output == "stopped\n" and process.returncode == 130
    checkpoint = Checkpoint(checkpoint_file(experiment_key(run)), identity_of(run))
    _, units = checkpoint.load()
    assert 0 < units < 100
    second = start(run, interval=1000)
    output, _ = second.communicate(timeout=30)
    assert output == "squares 100: going on from its checkpoint\ndone\n"


@pytest.mark.slow
def test_a_signal_ends_a_call_that_has_no_safe_points():
    run = Opaque(4, 1.0, 60.0)
    process = start(run, interval=1000)
    time.sleep(0.6)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=20)
    assert output == "stopped\n" and process.returncode == 130 and time.monotonic() - began < 10
    arrays, _ = Checkpoint(checkpoint_file(experiment_key(run)), identity_of(run)).load()
    np.testing.assert_array_equal(arrays["first=values"], [0.0])


def test_a_call_without_safe_points_gives_its_result_or_its_error(cache):
    run = Opaque(4, 1.0, 0.5)
    found = compute_and_store(run, "figxx", lambda units: None, pytest.fail)
    np.testing.assert_array_equal(found.arrays["values"], [0, 1, 4, 9])
    with pytest.raises(ValueError, match="sleep length must be non-negative"):
        compute_and_store(Opaque(4, 1.0, -1.0), "figxx", lambda units: None, pytest.fail)


def test_a_second_ctrl_c_acts_as_usual_and_other_signals_are_noted_once_more(request):
    started_with = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # a shell ignores it for its background jobs
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, started_with))
    with pytest.raises(KeyboardInterrupt), stop_on_signal() as stop:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGTERM)
        assert stop and stop.signal == signal.SIGTERM
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_a_signal_between_runs_ends_a_sweep(monkeypatch):
    monkeypatch.setattr(Squares, "calls", [])
    signalled = lambda *_: signal.raise_signal(signal.SIGTERM)  # noqa: E731
    monkeypatch.setattr("neural_scaling.runs.engines.SweepProgress.finished", signalled)
    with pytest.raises(Interrupted, match="figxx: stopped with 1 of 3 runs finished"):
        compute_all([Squares(count) for count in (2, 3, 4)], "figxx", Engine())


WHILE_IMPORTING = """
import os, runpy, signal, sys

class Signal:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            os.kill(os.getpid(), signal.{name})

sys.meta_path.insert(0, Signal())
runpy.run_module("neural_scaling", run_name="__main__", alter_sys=True)
"""


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGUSR1", 128 + signal.SIGUSR1)])
def test_a_signal_while_the_program_is_imported_ends_it_with_a_word(name, status):
    script = WHILE_IMPORTING.replace("{name}", name)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (status, f"{name}: ended; no run was under way.\n")


@dataclass(frozen=True)
class Signalling(Squares):
    """Takes a signal and offers no safe point."""

    def run(self, monitor):
        self.calls.append(self.count)
        signal.raise_signal(signal.SIGTERM)
        return {"values": np.zeros(1)}


@pytest.mark.parametrize("engine", [Engine(), Engine("processes", 1)], ids=lambda engine: engine.kind)
def test_a_signal_ends_a_sweep_of_runs_that_have_no_safe_points(engine, monkeypatch):
    monkeypatch.setattr(Signalling, "calls", [])
    with pytest.raises(Interrupted, match="figxx: stopped with 1 of 3 runs finished"):
        compute_all([Signalling(count) for count in (2, 3, 4)], "figxx", engine)
    assert Signalling.calls == [2]


@pytest.mark.slow
def test_two_processes_asking_for_the_same_run_compute_it_once():
    run = Squares(60, 1.0, 0.05)
    first, second = prepare(run, interval=1000), prepare(run, interval=1000)
    release(first)
    time.sleep(0.5)
    release(second)
    assert first.communicate(timeout=60)[0] == "done\n"
    output = second.communicate(timeout=60)[0]
    assert "another process computes it" in output and "waiting for its result" in output
    assert output.endswith("done\n")


@pytest.mark.slow
def test_when_the_first_of_two_dies_the_second_goes_on_from_its_checkpoint():
    run = Squares(80, 1.0, 0.05)
    first, second = prepare(run, interval=0.1), prepare(run, interval=0.1)
    release(first)
    time.sleep(1.0)
    release(second)
    time.sleep(0.5)
    first.kill()
    first.communicate()
    output = second.communicate(timeout=60)[0]
    assert "waiting for its result" in output and "going on from its checkpoint" in output
    assert output.endswith("done\n")


def identity_of(run):
    from neural_scaling.runs import canonical_json

    return canonical_json(run)


def test_a_checkpoint_of_another_version_is_named_and_not_used(cache, monkeypatch, capsys):
    path = cache / "running" / "x.checkpoint"
    Checkpoint(path, "id").save(lambda: {"values": np.arange(3)}, units=3)
    monkeypatch.setattr("neural_scaling.runs.checkpoint.FORMAT", 3)
    assert Checkpoint(path, "id").load() is None
    assert "written by another version of the library" in capsys.readouterr().err
    assert path.with_name("x.checkpoint.damaged").exists()


def test_a_full_disk_keeps_the_older_checkpoint(cache, monkeypatch):
    checkpoint = Checkpoint(cache / "running" / "x.checkpoint", "id")
    checkpoint.save(lambda: {"values": np.arange(3)}, units=3)

    def full_disk(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("neural_scaling.base.files.os.fsync", full_disk)
        with pytest.raises(OSError, match="No space left on device"):
            checkpoint.save(lambda: {"values": np.arange(9)}, units=9)
    arrays, units = checkpoint.load()
    assert units == 3
    np.testing.assert_array_equal(arrays["values"], np.arange(3))
    assert [path.name for path in (cache / "running").iterdir()] == ["x.checkpoint"]


@pytest.mark.parametrize("damage", ["truncate", "flip", "garbage", "other run"])
def test_a_damaged_checkpoint_is_named_set_aside_and_not_used(cache, damage, capsys):
    path = cache / "running" / "x.checkpoint"
    checkpoint = Checkpoint(path, "id")
    checkpoint.save(lambda: {"values": np.arange(100)}, units=3)
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[:-20])
    elif damage == "flip":
        content[300] ^= 4
        path.write_bytes(content)
    elif damage == "garbage":
        path.write_bytes(b"nothing of use")
    else:
        checkpoint = Checkpoint(path, "another id")
    assert checkpoint.load() is None
    assert "checkpoint not used" in capsys.readouterr().err
    assert path.with_name("x.checkpoint.damaged").exists() and not path.exists()
