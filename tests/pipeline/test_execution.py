"""Running notebooks: what the kernel is told, what a failure says, what a run by hand leaves alone."""

import json
import os
import subprocess
import sys

import jupytext
import nbformat
import pytest
from filelock import FileLock, Timeout

from bookkit import commands, execution, notebooks, registry
from bookkit.execution import Outcome
from bookkit.problems import Problem
from bookkit.stages import shared_programs


def tree(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_executed_notebook_shows_values_and_hides_the_run(executed):
    small = nbformat.read(executed.executed / "tiny.ipynb", as_version=4)
    assert not any("injected-parameters" in cell.metadata.get("tags", []) for cell in small.cells)
    notebook = nbformat.read(executed.executed / "tiny_full.ipynb", as_version=4)
    nbformat.validate(notebook)
    injected = [cell for cell in notebook.cells if "injected-parameters" in cell.metadata.get("tags", [])]
    assert [cell.source for cell in injected] == ['# Parameters\nscale = "full"\ncount = 5']
    assert "papermill" not in json.dumps(notebook.metadata)
    assert str(executed.root) not in nbformat.writes(notebook)


def test_a_run_by_hand_has_its_own_folder_and_touches_nothing_else(copied, capsys):
    before = tree(copied.executed)
    arguments = ["execute", "tiny", "-p", "power", "1", "-p", "count", "4"]
    assert commands.main(["--root", str(copied.root), *arguments]) == 0
    assert tree(copied.executed) == before
    assert not copied.references.exists()
    (folder,) = copied.runs.iterdir()
    assert str(folder) in capsys.readouterr().out
    assert {path.name for path in folder.iterdir() if path.name != ".work"} == {
        "claims.json",
        "figure-1.svg",
        "parameters.yaml",
        "tiny.ipynb",
    }
    assert "values: 1.0 2.0 3.0 4.0" in (folder / "tiny.ipynb").read_text()
    assert json.loads((folder / "claims.json").read_text())[0]["measured"] == 10


def test_a_forked_kernel_shows_what_an_interpreter_of_its_own_shows(executed):
    job = registry.job(executed, "tiny", "small")
    with execution.kernel_environment("small", executed.work, pictures=False):
        alone = execution.run(executed, notebooks.prepared(executed, job), "tiny")
    assert nbformat.writes(alone) + "\n" == (executed.executed / "tiny.ipynb").read_text("utf-8")


@pytest.mark.slow
def test_no_page_sees_what_another_left(project):
    source = project.notebooks / "tiny.py"
    leave = 'import math\nassert not hasattr(math, "left") and "LEFT" not in os.environ\nmath.left = os.environ["LEFT"] = "x"'
    source.write_text(source.read_text().replace("known =", f"{leave}\nknown ="))
    outcomes = execution.run_side_by_side(project, [registry.job(project, "tiny", "small")] * 6, force=True)
    assert all(outcome.seconds > 0.1 for outcome in outcomes)  # that of the kernel, which another process waits for


@pytest.mark.slow
def test_a_failing_cell_is_named(project, capsys):
    source = project.notebooks / "tiny.py"
    source.write_text(source.read_text().replace("known =", 'raise ValueError("too large")\nknown ='))
    assert commands.main(["--root", str(project.root), "execute", "tiny"]) == 1
    error = capsys.readouterr().err
    assert "tiny small: a cell failed" in error
    assert "ValueError: too large" in error


@pytest.mark.slow
def test_a_failing_cell_stops_those_that_have_not_begun_and_leaves_no_page(project, capsys):
    source = project.notebooks / "tiny.py"
    source.write_text(source.read_text().replace("known =", 'raise ValueError("too large")\nknown ='))
    job = registry.job(project, "tiny", "small")
    with pytest.raises(Problem, match=r"tiny small: a cell failed[\s\S]*ValueError: too large"):
        execution.run_side_by_side(project, [job] * 40)
    kernels = min(os.cpu_count(), execution._MOST_KERNELS)
    assert capsys.readouterr().out.count("tiny       small   runs") < 5 * kernels  # and what had begun meanwhile
    assert not list(project.executed.glob("*.ipynb"))
    assert not list(project.work.glob("at-work-*"))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
def test_a_killed_process_is_named_as_that(project):
    source = project.notebooks / "tiny.py"
    kill = "import multiprocessing, os, signal\nos.kill(multiprocessing.parent_process().pid, signal.SIGKILL)"
    source.write_text(source.read_text().replace("known =", f"{kill}\nknown ="))
    with pytest.raises(Problem, match="a process that executed a notebook was killed"):
        execution.run_side_by_side(project, [registry.job(project, "tiny", "small")])


def test_small_scale_gets_an_empty_cache_whatever_the_user_has(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    monkeypatch.delenv("NEURAL_SCALING_DATASETS", raising=False)
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setenv("MPLBACKEND", "agg")
    (tmp_path / "value").write_text("13")
    for arguments in ({"scale": "small"}, {"scale": "small", "own_cache": True}, {"scale": "full"}):
        with execution.kernel_environment(work=tmp_path / "work", keep_claims=False, **arguments):
            assert os.listdir(os.environ["NEURAL_SCALING_CACHE"]) == []
            assert os.environ["NEURAL_SCALING_DATASETS"] == str(tmp_path / "datasets")  # the user's
            assert os.environ["NEURAL_SCALING_CLAIMS"] == os.environ["NEURAL_SCALING_UNSEEN"] == ""
            assert "NEURAL_SCALING_DATA" not in os.environ
            assert "MPLBACKEND" not in os.environ
            assert os.environ["IPYTHONDIR"].startswith(str(tmp_path / "work"))
    with execution.kernel_environment("full", tmp_path / "work", own_cache=True) as claims:
        assert claims.read_text() == "[]\n"
        assert os.environ["NEURAL_SCALING_CLAIMS"] == str(claims)
        assert os.environ["NEURAL_SCALING_CACHE"] == str(tmp_path)
    assert os.environ["NEURAL_SCALING_DATA"] == str(tmp_path)
    assert os.environ["MPLBACKEND"] == "agg"


def test_budgets(project, monkeypatch):
    job = registry.job(project, "tiny", "small")
    slow = [Outcome(job, 60.0, None)]
    assert commands.over_budget(slow, slack=2.0) == []
    assert "tiny took 60 s of a core at small scale, more than 40 s" in commands.over_budget(slow, slack=1.0)[0]
    many = [Outcome(job, 38.0, None)] * 14
    assert commands.over_budget(many, slack=1.0) == ["all small-scale notebooks took 532 s of a core, more than 480 s."]
    full = [Outcome(registry.job(project, "tiny", "full"), 1e4, None)]
    assert commands.over_budget(full, slack=1.0) == []
    monkeypatch.setattr(execution, "run_for_book", lambda project, job, **_: Outcome(job, 1e3, None))
    commands.execute_all(project)  # a warning only
    with pytest.raises(Problem, match="more than 80 s"):
        commands.execute_all(project, strict=True)


@pytest.mark.parametrize(("deaths", "ends"), [(1, True), (2, True), (3, False)])
def test_a_kernel_that_dies_while_it_starts_is_started_again(executed, monkeypatch, deaths, ends):
    calls = []

    def dies(notebook, *arguments, **more):
        calls.append(1)
        if len(calls) <= deaths:
            raise RuntimeError("Kernel died before replying to kernel_info")
        return notebook

    monkeypatch.setattr(execution.papermill, "execute_notebook", dies)
    notebook = jupytext.reads("# %%\n1", fmt="py:percent")
    if ends:
        execution.run(executed, notebook, "tiny")
    else:
        with pytest.raises(Problem, match="a kernel died 3 times while it started"):
            execution.run(executed, notebook, "tiny")
    assert len(calls) == min(deaths + 1, 3)


def test_one_kernel_starts_at_a_time(executed, monkeypatch):
    free = []

    def begins(notebook, *arguments, on_cell, **more):
        for start in (False, True):
            if start:
                on_cell(1, 1)
            try:
                with FileLock(executed.work / "starting.lock", timeout=0):
                    free.append(start)
            except Timeout:
                pass
        return notebook

    monkeypatch.setattr(execution.papermill, "execute_notebook", begins)
    execution.run(executed, jupytext.reads("# %%\n1", fmt="py:percent"), "tiny")
    assert free == [True]  # held until the first cell


def test_another_error_of_the_engine_is_not_tried_again(executed, monkeypatch):
    def fails(*arguments, **more):
        raise RuntimeError("something else")

    monkeypatch.setattr(execution.papermill, "execute_notebook", fails)
    with pytest.raises(RuntimeError, match="something else"):
        execution.run(executed, jupytext.reads("# %%\n1", fmt="py:percent"), "tiny")


PROGRAM = """
import jax, jax.numpy as jnp
hits = []
jax.monitoring.register_event_listener(lambda event, **_: hits.append(event) if event.endswith("cache_hits") else None)
jax.config.update("jax_enable_x64", True)
normals = jax.jit(lambda key: jax.random.gamma(key, jnp.linspace(0.5, 9.0, 64)))(jax.random.key(0))
print(len(hits), float(normals.sum()).hex())
"""


@pytest.mark.slow
def test_processes_share_what_jax_compiles(tmp_path):
    def run():
        variables = {**os.environ, **shared_programs(tmp_path)}
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env=variables, capture_output=True, text=True, check=True
        )

    first, again = (run().stdout.split() for _ in range(2))
    assert (int(first[0]), int(again[0]) > 0) == (0, True)
    assert again[1] == first[1]
