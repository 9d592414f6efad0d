"""The committed small-scale references: made, checked for staleness, compared with a fresh execution.

A reference is the executed notebook reduced to what must not change: all cells, and the text output of those tagged
``nbval-check-output``, a table as text. Everything else (images, other outputs, ids, times) is dropped, so that two executions
give the same bytes.
"""

from __future__ import annotations

import difflib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence

import nbformat
from nbformat import NotebookNode

from bookkit import execution, notebooks, registry
from bookkit.problems import Problem, refuse
from bookkit.project import Project, write_atomically
from bookkit.registry import CHECKED
from bookkit.stages import single_threaded

REMEDY = "Run `nox -s references`, look at the difference and commit it if it is meant."
#: What ``pytest --nbval`` reads as: this output may differ.
IGNORED = "nbval-ignore-output"


def normalised(executed: NotebookNode, where: str) -> NotebookNode:
    """Return an executed notebook reduced to what is compared."""
    reduced = notebooks.without_run_metadata(nbformat.from_dict(executed))
    executions = 0
    for index, cell in enumerate(reduced.cells):
        if cell.cell_type != "code":
            continue
        executions += 1
        cell.execution_count = executions  # nbval takes a cell without a number for one that has not run
        checked = CHECKED in cell.metadata.get("tags", [])
        cell.outputs = _texts(cell.outputs, f"{where}: cell {index}") if checked else []
        if not checked:
            cell.metadata["tags"] = [*cell.metadata.get("tags", []), IGNORED]
    return reduced


def as_text(notebook: NotebookNode) -> str:
    """Return the bytes of a reference as text."""
    return nbformat.writes(notebook) + "\n"


def write(project: Project, item: str) -> bool:
    """Rewrite the reference of an item from its executed notebook in the book."""
    executed = nbformat.read(project.executed / f"{item}.ipynb", as_version=4)
    path = project.references / f"{item}.ipynb"
    text = as_text(normalised(executed, item))
    before = path.read_text("utf-8") if path.is_file() else None
    if text != before:
        write_atomically(path, text)
    return text != before


def stale(project: Project) -> list[str]:
    """Return what is wrong with the references as files: missing, left over, or of another source or values."""
    wrong = []
    for item in registry.items(project):
        path = project.references / f"{item}.ipynb"
        if not path.is_file():
            wrong.append(f"notebooks/references/{item}.ipynb is missing. {REMEDY}")
            continue
        expected = notebooks.prepared(project, registry.job(project, item, "small"))
        found = nbformat.read(path, as_version=4)
        if _skeleton(found) != _skeleton(expected):
            wrong.append(
                f"notebooks/references/{item}.ipynb does not belong to the present notebooks/{item}.py and "
                f"its small-scale parameters. {REMEDY}"
            )
    known = {f"{item}.ipynb" for item in registry.items(project)}
    wrong += [
        f"notebooks/references/{path.name} belongs to no notebook. Remove it."
        for path in sorted(project.references.glob("*.ipynb"))
        if path.name not in known
    ]
    return wrong


def remove_strays(project: Project) -> None:
    """Remove references of items that are no more."""
    known = set(registry.items(project))
    for path in project.references.glob("*.ipynb"):
        if path.stem not in known:
            path.unlink()


def compare_executed(project: Project) -> None:
    """Compare the notebooks that were executed for the book at small scale with their references."""
    refuse(stale(project))
    wrong: list[str] = []
    for item in registry.items(project):
        executed = normalised(nbformat.read(project.executed / f"{item}.ipynb", as_version=4), item)
        reference = nbformat.read(project.references / f"{item}.ipynb", as_version=4)
        lines = difflib.unified_diff(_shown(reference), _shown(executed), "reference", "executed", n=0, lineterm="")
        wrong += [f"{item}: {line}" for line in lines]
    refuse(wrong, f"If the change is meant: {REMEDY}")


def compare(
    project: Project,
    chosen: Sequence[str] | None = None,
    workers: int = 2,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Execute references again with nbval, from an empty cache, and compare the checked cells."""
    refuse(stale(project))
    paths = [
        str(project.references / f"{item}.ipynb") for item in (registry.items(project) if chosen is None else chosen)
    ]
    if not paths:
        return
    command = [sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
    # Without loadfile the cells of one notebook would be spread over workers.
    command += ["-p", "no:cacheprovider", "-q", f"-n{workers}", "--dist=loadfile", *paths]
    with execution.kernel_environment("small", project.work, keep_claims=False, pictures=False):
        variables = {**os.environ, **single_threaded(), **(environment or {})}
        run = subprocess.run(command, cwd=project.root, env=variables, check=False)
    if run.returncode:
        raise Problem(f"a notebook no longer gives its reference (see above). If the change is meant: {REMEDY}")


def _shown(notebook: NotebookNode) -> list[str]:
    """Return the lines of all outputs; those of a reference and of an execution are of the same cells."""
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    texts = [text for output in outputs for text in ([output.text] if "text" in output else output.data.values())]
    return "\n".join(texts).splitlines()


def _texts(outputs: list[NotebookNode], where: str) -> list[NotebookNode]:
    kept: list[NotebookNode] = []
    for output in outputs:
        if output.output_type == "stream":
            if output.name != "stdout":
                raise Problem(f"{where} writes to standard error and is tagged {CHECKED!r}: {output.text!r}")
            if kept and kept[-1].output_type == "stream":  # how a stream is cut into pieces is chance
                kept[-1].text += output.text
                continue
            kept.append(nbformat.v4.new_output("stream", name="stdout", text=output.text))
            continue
        text = output.get("data", {}).get("text/plain", "<")
        if text.startswith("<"):  # what Python says of an object that has no words
            raise Problem(
                f"{where} is tagged {CHECKED!r} but its output is {text if text != '<' else output.output_type}. "
                "A checked cell gives text; show pictures in another cell."
            )
        kept.append(nbformat.v4.new_output(output.output_type, data={"text/plain": text}))
    return kept


def _skeleton(notebook: NotebookNode) -> list[tuple[str, str, str]]:
    return [
        (cell.cell_type, cell.source, ",".join(tag for tag in cell.metadata.get("tags", []) if tag != IGNORED))
        for cell in notebook.cells
    ]
