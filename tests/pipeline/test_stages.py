"""The table of stages: what passed, failed or did not run, and how busy the cores were."""

import time

import pytest

from bookkit.problems import Problem
from bookkit.stages import run_stages


def test_the_table_says_what_failed_what_did_not_run_and_how_busy_the_cores_were(capsys):
    def busy():
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            pass

    def wrong():
        raise Problem("it is wrong")

    with pytest.raises(Problem):
        run_stages([("busy", busy), ("wrong", wrong), ("after", busy)])
    head, *table = [line.split() for line in capsys.readouterr().out.splitlines()[-6:] if line.strip() != "stage"]
    assert head == ["seconds", "of", "the", "cores"]
    assert [line[:-2] for line in table] == [
        ["busy", "passed"],
        ["wrong", "FAILED"],
        ["after", "not", "run"],
        ["total"],
    ]
    seconds, cores = (float(number) for number in table[0][-2:])
    assert seconds >= 0.5 and cores >= 0.4  # others may keep the cores busy as well
