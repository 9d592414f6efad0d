"""The page on adding one, done to a copy: a notebook, a page module and a line in the contents; then a parameter, one line."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOK, PAGE = re.findall(r"```python\n(.*?)```", (ROOT / "book" / "add_page.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture
def copy(tmp_path):
    generated = shutil.ignore_patterns("_executed", "__pycache__", "*.egg-info", "references", ".*")
    for name in ("book", "notebooks", "src", "tools"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=generated)
    (tmp_path / "data").symlink_to(ROOT / "data")
    for name in ("_config.yml", "_toc.yml", "pyproject.toml", "requirements.txt", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def book(root, *arguments):
    environment = {**os.environ, "PYTHONPATH": str(root / "src")}
    command = [sys.executable, str(root / "tools" / "book.py"), *arguments]
    found = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr
    return found.stdout


def shown(root, *overrides):
    folder = Path(book(root, "execute", "extra", *overrides).splitlines()[-1])
    cells = nbformat.read(folder / "extra.ipynb", as_version=4).cells
    return cells[-1].outputs[0].data["text/plain"]


@pytest.mark.long
def test_a_page_and_then_a_parameter(copy):
    (copy / "notebooks" / "extra.py").write_text(NOTEBOOK)
    (copy / "src" / "companion" / "pages" / "extra.py").write_text(PAGE)
    with (copy / "_toc.yml").open("a") as contents:
        contents.write("      - file: book/pages/extra\n")
    book(copy, "check")
    assert [line.split() for line in shown(copy, "-p", "power", "3.0").splitlines()[1:]] == [
        ["1", "1.00"],
        ["2", "8.00"],
        ["3", "27.0"],
    ]

    source, module = copy / "notebooks" / "extra.py", copy / "src" / "companion" / "pages" / "extra.py"
    source.write_text(NOTEBOOK.replace("\n\n# %%\nfrom", '\ncount: "Count" = 3  # how many\n\n# %%\nfrom'))
    module.write_text(PAGE.replace("range(1, 4)", "range(1, plan.count + 1)"))  # it is used, too
    book(copy, "check")
    assert len(shown(copy).splitlines()) == 1 + 3
    assert len(shown(copy, "-p", "count", "5").splitlines()) == 1 + 5
