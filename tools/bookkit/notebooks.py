"""From the source of an item to the notebook that is run: values injected, cell ids fixed, kernel named."""

from __future__ import annotations

from nbformat import NotebookNode
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from bookkit import registry
from bookkit.project import Project
from bookkit.registry import Job

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def prepared(project: Project, job: Job) -> NotebookNode:
    """Return the notebook of a job, ready to run."""
    notebook = registry.source(project, job.item)
    notebook.metadata = NotebookNode(kernelspec=dict(KERNEL))
    notebook = load_notebook_node(notebook)
    if job.differing:
        notebook = parameterize_notebook(
            notebook, dict(job.differing), kernel_name=KERNEL["name"], language=KERNEL["language"]
        )
        for cell in notebook.cells:
            cell.source = cell.source.rstrip("\n")  # papermill ends its cell with an empty line
        _fold_values(notebook)
    return without_run_metadata(notebook)


def notices(executed: NotebookNode) -> list[str]:
    """Return what an executed notebook could not have, as :func:`companion.notebook.dataset` left it in its outputs."""
    marks = [
        output.get("metadata", {}).get("neural_scaling", {}).get("notice")
        for cell in executed.cells
        for output in cell.get("outputs", [])
    ]
    return [mark for mark in marks if mark]


def _fold_values(notebook: NotebookNode) -> None:
    """Fold the cell of injected values where the notebook asks for it with the tag ``fold-values``."""
    tagged = {tag: cell for cell in notebook.cells for tag in cell.metadata.get("tags", [])}
    if "fold-values" in tagged and "injected-parameters" in tagged:
        tagged["injected-parameters"].metadata["tags"].append("hide-input")


def without_run_metadata(notebook: NotebookNode) -> NotebookNode:
    """Drop what differs from run to run or from machine to machine: papermill's and the kernel's notes, cell ids."""
    notebook.metadata.pop("papermill", None)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["language_info"] = {"name": "python"}
    for index, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{index}"
        for note in ("papermill", "execution", "lines_to_next_cell"):
            cell.metadata.pop(note, None)
        if not cell.metadata.get("tags", True):
            del cell.metadata["tags"]
    notebook.nbformat, notebook.nbformat_minor = 4, 5  # the version that has cell ids
    return notebook
