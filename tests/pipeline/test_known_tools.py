"""The page on common tools: each of its commands is run as it stands there, in a copy that has executed nothing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = re.findall(r"```bash\n(.*?)```", (ROOT / "book" / "known_tools.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A folder with the files of the repository that these tools read."""
    root = tmp_path_factory.mktemp("copy")
    generated = shutil.ignore_patterns("_executed", "__pycache__", "*.ipynb_checkpoints", "*.egg-info")
    for name in ("book", "notebooks", "src", "data/claims"):
        shutil.copytree(ROOT / name, root / name, ignore=generated)
    shutil.rmtree(root / "book" / "pages", ignore_errors=True)  # those of the checkout
    for name in ("_config.yml", "_toc.yml", "pyproject.toml"):
        shutil.copy(ROOT / name, root / name)
    (root / "runs").mkdir()
    return root


def run(command, root):
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(root / "src")}
    shell = ["bash", "-euo", "pipefail", "-c", command]
    return subprocess.run(shell, cwd=root, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.long
@pytest.mark.parametrize(
    "command",
    [line for block in COMMANDS for line in block.replace("\\\n", "").splitlines() if "jupyter-book" not in line],
)
def test_a_command_of_the_page_works(command, copy):
    before = (copy / "notebooks" / "fig10.py").read_bytes()
    found = run(command, copy)
    assert found.returncode == 0, found.stdout + found.stderr
    assert (copy / "notebooks" / "fig10.py").read_bytes() == before
    if "-p alpha 1.7" in command:
        assert "scale: small, changed: alpha = 1.7" in (copy / "runs" / "fig10.ipynb").read_text("utf-8")


@pytest.mark.long
@pytest.mark.parametrize(
    ("given", "said"), [("-p alpha 0.5", "alpha: got 0.5; "), ("-p scale full", "scale: got 'full'; ")]
)
def test_papermill_refuses_a_wrong_value_in_one_line(copy, given, said):
    found = run(f"papermill notebooks/references/fig10.ipynb runs/refused.ipynb {given}", copy)
    assert found.returncode != 0
    assert f"ParameterError: {said}" in found.stderr


@pytest.mark.long
def test_a_copy_saved_in_the_browser_changes_no_word_of_its_source(copy):
    source = copy / "notebooks" / "fig09.py"
    before = source.read_text("utf-8")
    command = (
        "jupytext --sync notebooks/fig09.py && touch notebooks/fig09.ipynb && jupytext --sync notebooks/fig09.ipynb"
    )
    assert run(command, copy).returncode == 0
    assert source.read_text("utf-8") == before


@pytest.mark.long
def test_the_builder_says_what_to_run_first(copy):
    assert "jupyter-book build .\n" in COMMANDS
    found = run("jupyter-book build .", copy)
    assert found.returncode == 1
    said = "error: no notebook has been executed yet. Run `nox -s book`, which executes them and builds the book.\n"
    assert found.stderr.endswith(said) and "Traceback" not in found.stderr
