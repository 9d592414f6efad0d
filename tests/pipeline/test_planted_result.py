"""A false result in the cache: at small scale nobody reads it, and a notebook that did read it would turn the tests red."""

import os
import subprocess
import sys

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from neural_scaling.base.monitor import Monitor
from neural_scaling.models.runs import InfiniteLimitRun
from neural_scaling.runs import canonical_json, experiment_key, write_result

RUN = InfiniteLimitRun(1.5, 0.4, 50, 0.1, 1.0, 20)
RECORD = {"seconds": 1.0, "date": "2000-01-01", "hardware": "abacus", "commit": "unknown"}
SOURCE = """
from neural_scaling.models.runs import InfiniteLimitRun
from neural_scaling.runs import obtain

print(f"{{obtain(InfiniteLimitRun(1.5, 0.4, 50, 0.1, 1.0, 20), 'figxx', {scale!r}).arrays['loss'][-1]:.4f}}")
"""


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """A cache that holds a false result, and a folder for notebooks."""
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    arrays = RUN.run(Monitor())
    false = arrays | {"loss": 0.9 * np.asarray(arrays["loss"])}
    write_result(tmp_path / "cache" / "results" / "figxx", experiment_key(RUN), canonical_json(RUN), false, RECORD)
    return tmp_path


def compare(folder, scale):
    """Run nbval on a notebook at ``scale`` whose stored output is that of small scale from an empty cache."""
    notebook = new_notebook(cells=[new_code_cell(SOURCE.format(scale="small"))])
    NotebookClient(notebook, kernel_name="python3").execute()
    notebook.cells[0].source = SOURCE.format(scale=scale)
    notebook.cells[0].metadata["tags"] = ["nbval-check-output"]
    nbformat.write(notebook, folder / "reference.ipynb")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--nbval-lax", "reference.ipynb"]
    return subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)


@pytest.mark.long
def test_small_scale_does_not_see_it(planted):
    outcome = compare(planted, "small")
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.long
def test_a_notebook_that_reads_it_fails_the_comparison(planted):
    outcome = compare(planted, "full")
    assert outcome.returncode == 1 and "1 failed" in outcome.stdout, outcome.stdout
