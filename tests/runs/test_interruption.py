"""Runs that are killed, stopped, starved of disk or asked for twice."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from neural_scaling.experiments import InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Engine, Interrupted, experiment_key
from neural_scaling.runs.checkpoint import Checkpoint
from neural_scaling.runs.engines import compute_all
from neural_scaling.runs.execution import compute, compute_and_store
from neural_scaling.runs.locations import checkpoint_file
from runs.squares import Squares

TESTS = Path(__file__).resolve().parents[1]

# Each takes a second or two, so that kills at random moments fall before, between and into checkpoints.
RUNS = {
    "simulation": ToyModelRun(1.5, 0.5, 600, 0.1, 1.0, 10000, width=96, batch=8, seeds=12),
    "theory": OnlineDMFTRun(1.5, 0.5, 600, 0.1, 1.0, 600, width=32, batch=8),
    "infinite limit": InfiniteLimitRun(1.5, 0.4, float("inf"), 0.05, 1.0, 60000),
}
# ``nox -s soak`` asks for more.
KILLS = int(os.environ.get("NEURAL_SCALING_TEST_KILLS", "21"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(TESTS))
    return tmp_path / "cache"


def warm_up(run):
    """Return the statement that compiles what ``run`` needs: a kill during compilation would test nothing."""
    if isinstance(run, Squares):
        return "import jax; jax.numpy.zeros(1)"
    return f"from neural_scaling.runs.execution import compute; compute({replace(run, steps=40)!r}, lambda units: None)"


def prepare(run, interval):
    """Start a process that will compute ``run``; return it when it only waits to be released."""
    script = f"""
        import math
        from neural_scaling.experiments import *
        from runs.squares import Squares
        from neural_scaling.runs.execution import compute_and_store
        from neural_scaling.runs import Interrupted
        inf = math.inf
        {warm_up(run)}
        print("ready", flush=True)
        input()
        try:
            compute_and_store({run!r}, "figxx", lambda units: None, lambda message: print(message, flush=True))
        except Interrupted as stop:
            print("stopped", flush=True)
            raise SystemExit(130)
        print("done", flush=True)
    """
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "NEURAL_SCALING_CHECKPOINT_SECONDS": str(interval),
    }
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    return process


def release(process):
    """Let a prepared process begin; not before all that it printed has been read."""
    process.stdin.write("\n")
    process.stdin.flush()
    return process


def start(run, interval):
    """Start a process that computes ``run``; return it when the computation begins."""
    return release(prepare(run, interval))


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_killed_at_random_moments_a_run_ends_with_the_same_bits(name, cache):
    run, moments = RUNS[name], random.Random(name)
    compute(replace(run, steps=40), lambda units: None)
    started = time.monotonic()
    expected = compute(run, lambda units: None).arrays
    seconds = time.monotonic() - started
    resumed = kills = 0
    while kills < KILLS // len(RUNS):
        process = start(run, interval=0.05)
        try:
            output, errors = process.communicate(timeout=seconds * moments.uniform(0.1, 0.9))
            assert output.endswith("done\n"), (
                process.returncode,
                errors,
            )  # faster than the kill: this one is complete, begin a new one
            for path in (cache / "results" / "figxx").iterdir():
                path.unlink()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            kills += 1
            resumed += "going on from its checkpoint" in process.communicate()[0]
    process = start(run, interval=30)
    output, _ = process.communicate(timeout=120)
    assert output.endswith("done\n")
    assert resumed > 0, "no run went on from a checkpoint: the test tests nothing"
    found = compute_and_store(run, "figxx", lambda units: None, pytest.fail).arrays
    # compute_and_store without force computes; the stored result is what the process left.
    stored = np.load(cache / "results" / "figxx" / f"{experiment_key(run)}.npz")
    for array_name, array in expected.items():
        np.testing.assert_array_equal(stored[array_name], array, strict=True)
        np.testing.assert_array_equal(found[array_name], array, strict=True)
    assert not checkpoint_file(experiment_key(run)).exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_writes_a_checkpoint_and_exits_cleanly(number):
    run = Squares(200, 1.0, 0.02)
    process = start(run, interval=1000)
    time.sleep(0.6)
    process.send_signal(number)
    output, _ = process.communicate(timeout=20)
    assert output == "stopped\n" and process.returncode == 130
    checkpoint = Checkpoint(checkpoint_file(experiment_key(run)), identity_of(run))
    _, units = checkpoint.load()
    assert 0 < units < 200
    second = start(run, interval=1000)
    output, _ = second.communicate(timeout=30)
    assert output == "squares 200: going on from its checkpoint\ndone\n"


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


def test_a_full_disk_keeps_the_older_checkpoint(cache, monkeypatch):
    checkpoint = Checkpoint(cache / "running" / "x.checkpoint", "id")
    checkpoint.save(lambda: {"values": np.arange(3)}, units=3)

    def full_disk(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("neural_scaling.files.os.fsync", full_disk)
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
