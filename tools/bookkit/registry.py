"""The items of the book: every ``notebooks/<item>.py``, with its values at each scale."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jupytext
from nbformat import NotebookNode

from bookkit import parameters
from bookkit.problems import Problem, unknown
from bookkit.project import Project
from neural_scaling.base.paths import SCALES

#: Key of the notebook header under which an item lists further files that it reads.
HEADER = "neural_scaling"
CHECKED = "nbval-check-output"


@dataclass(frozen=True)
class Job:
    """One notebook to run with given values."""

    item: str  # name of the notebook
    scale: str  # small, reduced or full
    values: Mapping[str, Any]  # all parameters
    overrides: Mapping[str, Any] = field(default_factory=dict)  # those that the user changed on the command line
    differing: Mapping[str, Any] = field(default_factory=dict)  # those that are not as the notebook has them

    @property
    def page(self) -> str:
        """Name of the executed notebook, of which the page of the item is composed."""
        return self.item if self.scale == "small" else f"{self.item}_{self.scale}"

    @property
    def folder(self) -> str:
        """Name of the folder of a run asked for by hand; it differs for different overrides."""
        name = f"{self.item}-{self.scale}"
        if self.overrides:
            canonical = json.dumps(self.overrides, sort_keys=True)
            name += f"-changed-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"
        return name


def items(project: Project) -> list[str]:
    """Return the names of all items, sorted."""
    return sorted(path.stem for path in project.notebooks.glob("*.py"))


def scales(project: Project, item: str) -> list[str]:
    """Return the scales of an item: small, and those that have a file of what differs."""
    return [scale for scale in SCALES if scale == "small" or (project.parameters / f"{item}.{scale}.yaml").is_file()]


def book_scales(project: Project, item: str) -> list[str]:
    """Return the scales at which the book executes an item: small, and that of its results where some are shipped.

    Its page shows the last of them. Results are shipped at reduced scale where there is one, else at full scale.
    """
    folder = project.results(item)
    shipped = folder.is_dir() and any(folder.iterdir())
    return scales(project, item)[: 2 if shipped else 1]


def shown(project: Project, job: Job) -> bool:
    """Return whether the page of an item shows this scale; of others it tells the claims alone."""
    return job.scale == book_scales(project, job.item)[-1]


def source(project: Project, item: str) -> NotebookNode:
    """Return the notebook of an item as its source has it: no outputs, no parameter values."""
    if item not in items(project):
        raise unknown("item", item, items(project), "An item is the name of a file notebooks/<item>.py.")
    return jupytext.read(project.notebooks / f"{item}.py", fmt="py:percent")


def reads(notebook: NotebookNode) -> list[str]:
    """Return the files, relative to the root, that a notebook says it reads apart from its parameters."""
    return list(notebook.metadata.get(HEADER, {}).get("reads", []))


def job(project: Project, item: str, scale: str, overrides: Mapping[str, str] | None = None) -> Job:
    """Return what to run, everything checked."""
    notebook = source(project, item)
    if scale not in scales(project, item):
        raise unknown(f"scale of {item}", scale, scales(project, item), "Give one of them after --scale.")
    names = parameters.declared(notebook, f"notebooks/{item}.py")
    values = small = parameters.cell_values(notebook)
    where = f"notebooks/{item}.py"
    parameters.check_values(values, names, where)
    if scale != "small":
        file = project.parameters / f"{item}.{scale}.yaml"
        where = f"notebooks/parameters/{file.name}"
        differing = parameters.read_values(file)
        parameters.check_values(differing, names, where)
        parameters.check_no_repetition(differing, small, where)
        values = {**small, **differing}
    if values["scale"] != scale:
        raise Problem(f"{where}: scale is {values['scale']!r}. Make it {scale!r}.")
    changed = {name: parameters.parse_override(text, name) for name, text in (overrides or {}).items()}
    parameters.check_values(changed, names, f"the command line for {item}")
    if changed.get("scale", scale) != scale:
        raise Problem(f"parameter 'scale' alone changes no value. Give --scale {changed['scale']}.")
    values = {**values, **changed}
    return Job(item, scale, values, changed, {name: value for name, value in values.items() if value != small[name]})


def check(project: Project) -> list[str]:
    """Check every item at every scale."""
    wrong = []
    for item in items(project):
        for scale in scales(project, item):
            try:
                job(project, item, scale)
            except Problem as problem:
                wrong.append(str(problem))
        wrong += _misused(project, item)
    known = {f"{item}.{scale}.yaml" for item in items(project) for scale in SCALES[1:]}
    wrong += [
        f"notebooks/parameters/{path.name} belongs to no notebook or scale. Rename or remove it."
        for path in sorted(project.parameters.glob("*"))
        if path.name not in known
    ]
    return list(dict.fromkeys(wrong))


def _misused(project: Project, item: str) -> list[str]:
    wrong = []
    notebook = source(project, item)
    for name in reads(notebook):
        if not (project.root / name).exists():
            wrong.append(f"notebooks/{item}.py: the header reads {name!r}, which does not exist. Correct the path.")
    for cell in notebook.cells:
        start = cell.source.strip().split("\n")[0]
        if CHECKED in cell.metadata.get("tags", []) and cell.cell_type != "code":
            wrong.append(f"notebooks/{item}.py: the tag {CHECKED!r} stands on the text cell {start!r}. Remove it.")
        if cell.cell_type != "code":
            continue
        try:
            ast.parse(cell.source)
        except SyntaxError as error:
            # A test runner may pass over the errors of a cell with a magic, so there are none.
            wrong.append(
                f"notebooks/{item}.py: the cell starting {start!r} is not plain Python ({error.msg}). "
                "Correct it; magics and shell commands are not used in the notebooks."
            )
    return wrong
