"""A project as small as it can be: one notebook that computes, one that claims, a page of text."""

import json
import shutil
from pathlib import Path

import pytest

from bookkit import environment
from bookkit.project import Project

ROOT = Path(__file__).resolve().parents[2]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave the tests that start a kernel or build a wheel out of the edit loop."""
    for item in items:
        if Path(__file__).parent in item.path.parents and {"executed", "installed"} & set(item.fixturenames):
            item.add_marker(pytest.mark.long)


TINY = """\
# %% [markdown]
# (tiny-page)=
# # A tiny notebook
#
# See [the figure](fig-tiny), {eq}`eq-tiny` and [the text](text-page).
#
# $$ a = b $$ (eq-tiny)

# %% tags=["parameters"]
scale: "Scale" = "small"
power: "Positive" = 2.0  # exponent
count: "Count" = 3

# %%
import os
from pathlib import Path

from companion.style import book_style, new_figure

known = Path(os.environ["NEURAL_SCALING_CACHE"]) / "value"
values = [float(known.read_text())] if known.exists() else [float(n**power) for n in range(1, count + 1)]

# %% tags=["nbval-check-output"]
print("values:", *(f"{value:.1f}" for value in values))

# %% tags=["remove-input"] mystnb={"figure": {"name": "fig-tiny", "caption": "Values."}, "image": {"alt": "Growing values."}}
with book_style():
    figure = new_figure(2.0)
    _ = figure.subplots().plot(values, label="values")
figure

# %%
from types import SimpleNamespace
from companion.claims import Measurement, bounded, record

page, grown = SimpleNamespace(item="tiny", scale=scale), Measurement(sum(values), (sum(values) - 1, sum(values) + 1))
claim = bounded(page, "tiny.sum", "nowhere", "The sum grows.", "sum", "above", 0.0, grown, "algebra")
_ = record([claim])
"""

TOC = """\
format: jb-book
root: book/text
chapters:
  - file: book/pages/tiny
"""


def write_project(root: Path) -> Project:
    """Write the tiny project into an empty folder."""
    for folder in ("notebooks/parameters", "src/package", "data/claims", "book"):
        (root / folder).mkdir(parents=True)
    (root / "notebooks" / "tiny.py").write_text(TINY)
    (root / "notebooks" / "parameters" / "tiny.full.yaml").write_text("scale: full\ncount: 5\n")
    (root / "src" / "package" / "module.py").write_text("VALUE = 1\n")
    (root / "data" / "claims" / "ledger.json").write_text("[]\n")
    shutil.copy(ROOT / "data" / "claims" / "schema.json", root / "data" / "claims" / "schema.json")
    (root / "book" / "text.md").write_text("(text-page)=\n# A text\n\nSee {ref}`tiny-page`.\n")
    (root / "_toc.yml").write_text(TOC)
    for name in ("requirements.txt", "constraints.txt", "pyproject.toml", "_config.yml"):
        shutil.copy(ROOT / name, root / name)
    shutil.copytree(ROOT / "book" / "_ext", root / "book" / "_ext", ignore=shutil.ignore_patterns("__pycache__"))
    for shape in ("_static", "_templates"):
        shutil.copytree(ROOT / "book" / shape, root / "book" / shape)
    shutil.copy(ROOT / "book" / "references.bib", root / "book" / "references.bib")
    return Project(root)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A tiny project of one's own; nothing in it has run."""
    return write_project(tmp_path / "project")


@pytest.fixture(scope="session")
def executed(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A tiny project whose notebook has run for the book at both scales; tests leave it as it is."""
    from bookkit import execution

    project = write_project(tmp_path_factory.mktemp("executed") / "project")
    project.results("tiny").mkdir(parents=True)
    (project.results("tiny") / "result.json").write_text(json.dumps({"shipped": True}))
    execution.run_side_by_side(project, execution.book_jobs(project))
    return project


@pytest.fixture
def copied(executed: Project, tmp_path: Path) -> Project:
    """A copy of the executed tiny project, to change at will."""
    root = tmp_path / "copied"
    shutil.copytree(executed.root, root)
    return Project(root)


@pytest.fixture
def a_venv(tmp_path: Path) -> Path:
    """A folder that looks like a virtual environment with two whole packages."""
    venv = tmp_path / ".venv"
    python = environment.interpreter(venv)
    python.parent.mkdir(parents=True)
    python.write_text("")
    (venv / "pyvenv.cfg").write_text("version = 3.11\n")
    for name in ("alpha", "beta"):
        _add_package(venv, name)
    return venv


@pytest.fixture
def add_package():
    """A function that puts a whole package into an environment and returns its folder of metadata."""
    return _add_package


def _add_package(venv: Path, name: str) -> Path:
    site = venv / "lib" / "python3.11" / "site-packages"
    info = site / f"{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (site / f"{name}.py").write_text("")
    (info / "METADATA").write_text(f"Name: {name}\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"{name}.py,,\n__pycache__/{name}.pyc,,\n{name}-1.0.dist-info/RECORD,,\n")
    return info
