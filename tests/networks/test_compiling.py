"""Compiled steps, and what happens where they cannot be compiled."""

import shutil

import numpy as np
import pytest
import torch

from neural_scaling.networks.circle_data import CircleData
from neural_scaling.networks.compiling import CompiledStep
from neural_scaling.networks.mlp import Member, Shape, ensemble
from neural_scaling.networks.training import train

# The compiler of torch imports parts of torch that are on their way out.
pytestmark = pytest.mark.filterwarnings("ignore")


def trained(compiled):
    device = torch.device("cpu")
    model = ensemble(Shape(3, 16), [Member(0, 0.5, 0.05), Member(1, 1.0, 0.05)], device)
    data = CircleData([1.0, 1.0], device, torch.float32, angles=256)
    return train(model, data, [0, 5, 20], 8, compiled=compiled).loss


def test_where_the_compiler_fails_the_reason_is_printed_and_the_plain_step_taken(monkeypatch, capsys):
    class Wrapped(Exception):
        inner_exception = RuntimeError("No working C++ compiler found\nand more")

    def fails(*_):
        raise Wrapped

    monkeypatch.setattr(torch, "compile", lambda step: fails)
    np.testing.assert_array_equal(trained(True), trained(False))
    said = capsys.readouterr().out
    assert said == "the step is not compiled: RuntimeError: No working C++ compiler found\n"  # once, not at every step


@pytest.mark.slow
def test_an_error_of_the_step_itself_is_not_hidden():
    def broken(x, y, frozen):
        raise ValueError("wrong shapes")

    said = []
    with pytest.raises(ValueError, match="wrong shapes"):
        CompiledStep(broken, said.append)(*[torch.zeros(1)] * 3)


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None and shutil.which("clang++") is None, reason="no C++ compiler here")
def test_a_compiled_step_gives_the_same_losses(capsys):
    # Other orders of sums: float32 over twenty steps.
    np.testing.assert_allclose(trained(True), trained(False), rtol=1e-4)
    assert "not compiled" not in capsys.readouterr().out
