"""The second kernels: narrower than the first, checked to be the ones that compute, or said to be missing."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bookkit import arithmetic

ROOT = Path(__file__).resolve().parents[2]


def test_the_second_kernel_is_another_one_or_its_absence_is_said():
    environment, sentence = arithmetic.second(threads=2)
    if environment is None:
        assert re.fullmatch("the kernel .+ is the only one that can be chosen here", sentence)
        return
    other, own = re.fullmatch(r"kernel (\w+) in place of (\w+), threads: 2", sentence).groups()
    assert other != own
    # What pytest says is what computes.
    command = [sys.executable, "-m", "pytest", "--collect-only", "tests/test_spectra.py"]
    run = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    said = rf"^kernels: openblas {other}, threads: 2; torch (AVX2|DEFAULT); XLA flags: .*max_isa=AVX"
    assert re.search(said, run.stdout, re.MULTILINE)


@pytest.mark.parametrize(("answers", "said"), [(["ARMV8"], "ARMV8"), (["SkylakeX", "SkylakeX"], "SkylakeX")])
def test_a_kernel_that_cannot_be_chosen_is_not_taken_for_another(monkeypatch, answers, said):
    left = list(answers)
    monkeypatch.setattr(arithmetic, "kernel", lambda _: left.pop(0))
    assert arithmetic.second(1) == (None, f"the kernel {said} is the only one that can be chosen here")
    assert not left
