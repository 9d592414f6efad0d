"""The strict build of the book."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from bookkit import workplace
from bookkit.problems import Problem
from bookkit.project import Project

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build(project: Project) -> Path:
    """Build the HTML book; warnings are errors.

    Every page is read anew. A build that goes on from an earlier one would not repeat the warnings of pages that did
    not change themselves (a label that another page lost, a build that was interrupted), and it would save little.

    Parameters
    ----------
    project
        With executed notebooks.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    Problem
        If the builder warns or fails; the message holds the warnings.
    """
    with workplace.temporary(project.work) as place:
        log = place / "build.log"
        command = [_builder(), "build", str(project.root), "--path-output", str(place), "-W", "-n", "--keep-going"]
        with log.open("w", encoding="utf-8") as file:
            run = subprocess.run(command, cwd=project.root, stdout=file, stderr=subprocess.STDOUT, check=False)
        if run.returncode:
            written = COLOUR.sub("", log.read_text("utf-8", errors="replace"))
            lines = [line for line in written.splitlines() if "WARNING" in line or "ERROR" in line]
            raise Problem("the book does not build without warnings:\n" + "\n".join(lines or [written[-4000:]]))
        shutil.rmtree(project.html, ignore_errors=True)
        os.replace(place / "_build" / "html", project.html)
    return project.html / "index.html"


def _builder() -> str:
    found = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    if found is None:
        raise Problem("jupyter-book is not installed beside this Python. Run `nox -s env`.")
    return found
