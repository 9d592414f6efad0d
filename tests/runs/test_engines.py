"""Engines: the same results from each, a real scheduler with two workers, a worker killed on the way."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from neural_scaling.base.checks import InputError
from neural_scaling.models.runs import OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import Engine, obtain_all
from runs.squares import Squares

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setenv("NEURAL_SCALING_CHECKPOINT_SECONDS", "0.2")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TESTS), *sys.path]))
    return tmp_path / "cache"


@pytest.fixture
def scheduler(tmp_path):
    """A Dask scheduler and two worker processes, each a process of its own, on loopback."""
    address_file = tmp_path / "scheduler.json"
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [
        subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(address_file)],
            **quiet,
        )
    ]
    deadline = time.monotonic() + 60
    while not address_file.exists():
        assert time.monotonic() < deadline, "the scheduler did not start"
        time.sleep(0.1)
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", "--scheduler-file", str(address_file)]
    for name in ("one", "two"):
        processes.append(
            subprocess.Popen([*worker, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--name", name], **quiet)
        )
    yield json.loads(address_file.read_text())["address"], processes[1:]
    for process in processes[::-1]:
        process.kill()
        process.wait()


@pytest.mark.long
def test_all_engines_give_the_same_bits(tmp_path, monkeypatch, scheduler):
    address, _ = scheduler
    runs = [ToyModelRun(1.5, 0.5, 200, 0.1, 1.0, 60, width=width, batch=8, seeds=2) for width in (8, 16)]
    runs.append(OnlineDMFTRun(1.5, 0.5, 200, 0.1, 1.0, 40, width=16, batch=8))
    found = {}
    for engine in (Engine(), Engine("processes", workers=2), Engine("dask", scheduler=address)):
        monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / engine.kind))
        found[engine.kind] = obtain_all(runs, "figxx", "full", engine)
    for kind in ("processes", "dask"):
        for run in runs:
            for name, array in found["sequential"][run].arrays.items():
                np.testing.assert_array_equal(found[kind][run].arrays[name], array, err_msg=f"{kind} {run.label}")


def kill_a_computing_process(cache, killed):
    """Wait until some process says that it computes a run, give it time for a checkpoint, and kill it."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for path in (cache / "running").glob("*.status"):
            try:
                process = int(json.loads(path.read_text())["process"].split(":")[-1])
            except (OSError, ValueError):
                continue  # just replaced or removed
            time.sleep(0.6)
            os.kill(process, signal.SIGKILL)
            killed.append(process)
            return
        time.sleep(0.05)


def assert_a_kill_costs_only_time(cache, engine):
    runs = [Squares(30 + i, 1.0, 0.1) for i in range(4)]
    killed = []
    killer = threading.Thread(target=kill_a_computing_process, args=(cache, killed))
    killer.start()
    found = obtain_all(runs, "figxx", "full", engine)
    killer.join()
    assert killed, "no worker was killed: the test tests nothing"
    for run in runs:
        np.testing.assert_array_equal(found[run].arrays["values"], np.arange(run.count) ** 2.0)
    return killed[0]


@pytest.mark.long
def test_killing_a_dask_worker_costs_only_time(cache, scheduler):
    address, workers = scheduler
    killed = assert_a_kill_costs_only_time(cache, Engine("dask", scheduler=address))
    assert killed in [worker.pid for worker in workers]


@pytest.mark.long
def test_killing_a_local_process_costs_only_time(cache):
    assert assert_a_kill_costs_only_time(cache, Engine("processes", workers=2)) != os.getpid()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cluster",), "engine: got 'cluster'; use one of sequential, processes, dask"),
        (("processes", 0), "workers: got 0"),
        (("sequential", 2), "workers: given with engine 'sequential'"),
        (("dask", None, "tcp://cluster:8786"), "scheduler: 'tcp://cluster:8786' is open to everyone who reaches it"),
        (("processes", 2, "tcp://127.0.0.1:1"), "scheduler: given with engine 'processes'"),
    ],
)
def test_bad_engines_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Engine(*arguments)


def test_engine_is_read_from_the_environment(monkeypatch):
    for name in ("ENGINE", "WORKERS", "SCHEDULER"):
        monkeypatch.delenv(f"NEURAL_SCALING_{name}", raising=False)
    assert Engine.from_environment() == Engine()
    monkeypatch.setenv("NEURAL_SCALING_ENGINE", "dask")
    monkeypatch.setenv("NEURAL_SCALING_WORKERS", "3")
    monkeypatch.setenv("NEURAL_SCALING_SCHEDULER", "tcp://127.0.0.1:8786")
    assert Engine.from_environment() == Engine("dask", 3, "tcp://127.0.0.1:8786")
    monkeypatch.setenv("NEURAL_SCALING_WORKERS", "many")
    with pytest.raises(InputError, match="NEURAL_SCALING_WORKERS: got 'many'"):
        Engine.from_environment()


def test_the_recipes_of_the_book_open_nothing_to_the_network():
    guides = [(TESTS.parent / "book" / name).read_text() for name in ("gpu.md", "reproduce.md")]
    recipe = "\n".join(guides).replace("\\\n", " ")
    commands = [line for line in recipe.splitlines() if "dask scheduler --" in line or "dask worker tcp" in line]
    assert len(commands) == 2 and all("--host 127.0.0.1" in line for line in commands)
    assert "--no-dashboard" in commands[0] and "--dashboard-address 127.0.0.1:0" in commands[1]
    assert 'protocol="tls://"' in recipe and recipe.count('"127.0.0.1:') == 2
