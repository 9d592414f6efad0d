"""The second kernels: narrower than the first, checked to be the ones that compute, or said to be missing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bookkit import arithmetic, commands, references

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_second_kernel_is_another_one_or_its_absence_is_said():
    environment, sentence = arithmetic.second()
    if environment is None:
        assert re.fullmatch("the kernel .+ is the only one that can be chosen here", sentence)
        return
    other, own = re.fullmatch(r"kernel (\w+) in place of (\w+)", sentence).groups()
    assert other != own
    # What pytest says is what computes.
    command = [sys.executable, "-m", "pytest", "--collect-only", "tests/test_spectra.py"]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    said = rf"^kernels: openblas {other}, threads: 1; torch (AVX2|DEFAULT); XLA flags: .*max_isa=AVX"
    assert re.search(said, run.stdout, re.MULTILINE)


@pytest.mark.parametrize(("answers", "said"), [(["ARMV8"], "ARMV8"), (["SkylakeX", "SkylakeX"], "SkylakeX")])
def test_a_kernel_that_cannot_be_chosen_is_not_taken_for_another(monkeypatch, answers, said):
    left = list(answers)
    monkeypatch.setattr(arithmetic, "kernel", lambda _: left.pop(0))
    assert arithmetic.second() == (None, f"the kernel {said} is the only one that can be chosen here")
    assert not left


@pytest.mark.parametrize("path", [*commands.NUMERICAL, *commands.THREADED])
def test_what_runs_again_is_there(path):
    assert (ROOT / path).exists()


def test_each_stage_has_its_kernels_and_threads(monkeypatch, project, capsys):
    ran = []
    monkeypatch.setattr(commands, "_python", lambda _, *words, environment: ran.append((words, environment)))
    monkeypatch.setattr(
        references, "compare", lambda _, chosen, environment: ran.append((("references",), environment))
    )
    monkeypatch.setattr(arithmetic, "second", lambda: ({"OPENBLAS_CORETYPE": "Haswell"}, "Haswell in place of Zen"))
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    for stage in (commands._second_kernel, commands._two_threads, commands._references_again):
        stage(project)
    assert [environment.get("OPENBLAS_CORETYPE") for _, environment in ran] == ["Haswell", None, "Haswell"]
    assert ran[1][1]["OPENBLAS_NUM_THREADS"] == "2" and set(commands.THREADED) < set(ran[1][0])
    assert set(commands.NUMERICAL) < set(ran[0][0])
    assert capsys.readouterr().out == "Haswell in place of Zen\n" * 2

    ran.clear()
    monkeypatch.setattr(arithmetic, "second", lambda: (None, "it has one"))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    for stage in (commands._second_kernel, commands._two_threads, commands._references_again):
        stage(project)
    assert ran == [(("references",), None)]  # executed a second time all the same
    said = "skipped: it has one\nskipped: two threads would take turns on the only core\nthe same kernels: it has one\n"
    assert capsys.readouterr().out == said
