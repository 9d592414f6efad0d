"""Two builds in one checkout, and what a killed one leaves behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bookkit import workplace

ROOT = Path(__file__).resolve().parents[2]
HOLD = """
import sys
from pathlib import Path
from bookkit import workplace
with workplace.held(Path(sys.argv[1])), workplace.temporary(Path(sys.argv[1])) as place:
    print("held", place, flush=True)
    sys.stdin.read()
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT / "src")])}


def holder(work):
    command = [sys.executable, "-c", HOLD, str(work)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT)


def test_the_second_waits_and_says_for_whom(tmp_path):
    with holder(tmp_path) as first:
        assert first.stdout.readline().startswith("held")
        with holder(tmp_path) as second:
            said = second.stdout.readline()
            assert said.startswith(f"waiting for `-c {tmp_path}` (process {first.pid} on ")
            first.stdin.close()
            assert first.wait(30) == 0
            assert second.stdout.readline().startswith("held")
            second.stdin.close()
            assert second.wait(30) == 0
    assert [path.name for path in tmp_path.glob("at-work-*")] == []


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_dead_process_is_no_obstacle_and_what_it_left_is_removed(tmp_path, capsys):
    with holder(tmp_path) as first:
        left = first.stdout.readline().split()[1]
        first.kill()
    assert os.path.isdir(left)
    with workplace.held(tmp_path):
        assert not os.path.exists(left)
    assert capsys.readouterr().out == ""


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="there is no /proc")
def test_a_kernel_dies_with_its_build_and_has_written_where_nothing_reads(project, tmp_path):
    source = project.notebooks / "tiny.py"
    endless = (
        "import time\n"
        'record([claim])\nPath(os.environ["NEURAL_SCALING_TEST_PID"]).write_text(str(os.getpid()))\ntime.sleep(600)\n'
    )
    source.write_text(source.read_text().replace("_ = record([claim])\n", endless))
    told = tmp_path / "pid"
    command = [sys.executable, str(ROOT / "tools" / "book.py"), "--root", str(project.root), "book"]
    with subprocess.Popen(command, env={**ENVIRONMENT, "NEURAL_SCALING_TEST_PID": str(told)}) as build:
        until(told.exists)
        build.send_signal(signal.SIGKILL)
    kernel = int(told.read_text())
    until(lambda: not alive(kernel))
    assert list(project.executed.rglob("*")) == []
    assert len(list(project.work.glob("at-work-*/claims.json"))) == 1
    with workplace.held(project.work):
        assert list(project.work.glob("at-work-*")) == []


def alive(process):
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""  # empty for one that is dead and not yet buried
    except FileNotFoundError:
        return False


def until(happened, seconds=60):
    end = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.1)
