"""The strict build of the book."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from bookkit import pages, workplace
from bookkit.problems import Problem
from bookkit.project import Project, write_atomically
from bookkit.stamps import hash_files, lock_files

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def build(project: Project, *, anew: bool = True) -> Path:
    """Build the HTML book; warnings are errors. Return its first page.

    Anew, every page is read. Else the builder goes on from its last success, which is quick and does not repeat the warnings
    of pages that did not change themselves, such as a label that another page lost; where nothing has changed it need not start.
    """
    first = project.html / "index.html"
    if not anew and _last(project)[2:] == [_state(project)]:
        return first
    place = _place(project, anew)
    log = place / "build.log"
    command = [_builder(), "build", str(project.root), "--path-output", str(place), "-W", "-n", "--keep-going"]
    with log.open("w", encoding="utf-8") as file:
        run = subprocess.run(command, cwd=project.root, stdout=file, stderr=subprocess.STDOUT, check=False)
    if run.returncode:
        written = COLOUR.sub("", log.read_text("utf-8", errors="replace"))
        lines = [line for line in written.splitlines() if "WARNING" in line or "ERROR" in line]
        raise Problem("the book does not build without warnings:\n" + "\n".join(lines or [written[-4000:]]))
    with workplace.temporary(project.work) as temporary:
        shutil.copytree(place / "_build" / "html", temporary / "html")
        shutil.rmtree(project.html, ignore_errors=True)
        os.replace(temporary / "html", project.html)
    write_atomically(_pointer(project), f"{place.name} {_frame(project)} {_state(project)}")
    return first


def _pointer(project: Project) -> Path:
    """Return the file that names the folder of the last success; there is none while a build goes on or after it failed."""
    return project.build / "last-success"


def _last(project: Project) -> list[str]:
    """Return the folder of the last success, the frame of its pages and its state, or nothing."""
    pointer = _pointer(project)
    return pointer.read_text("utf-8").split() if pointer.is_file() else []


def _state(project: Project) -> str:
    """Return a hash of all that pages are made of, and of the names, sizes and times of what was built."""
    beside = [path for path in project.root.iterdir() if path.is_file()]  # pages include some of them
    sources = [project.root / "book", project.notebooks, project.library, project.root / "data", *beside]
    built = [(path, path.stat()) for path in sorted(project.html.rglob("*"))]
    listed = "\n".join(f"{path} {known.st_size} {known.st_mtime_ns}" for path, known in built)
    return hashlib.sha256(f"{hash_files(sources, project.root)} {listed}".encode()).hexdigest()[:16]


def _place(project: Project, anew: bool) -> Path:
    """Return the folder to build in: that of the last success, or a new one, into which no orphan of a killed build writes."""
    last = _last(project)
    _pointer(project).unlink(missing_ok=True)
    if not anew and last[1:2] == [_frame(project)] and (project.build / last[0]).is_dir():
        return project.build / last[0]
    pages.found_good(project).unlink(missing_ok=True)
    project.build.mkdir(exist_ok=True)
    for left in project.build.glob("built-*"):
        shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix="built-", dir=project.build))


def _frame(project: Project) -> str:
    """Return a hash of what shapes every page: the builder would not read unchanged pages anew for it."""
    files = [
        project.toc,
        project.root / "_config.yml",
        project.root / "book" / "_ext",
        project.root / "book" / "_static",
        project.root / "book" / "_templates",
    ]
    return hash_files([*files, *lock_files(project)], project.root)


def _builder() -> str:
    found = shutil.which("jupyter-book", path=str(Path(sys.executable).parent))
    if found is None:
        raise Problem("jupyter-book is not installed beside this Python. Run `nox -s env`.")
    return found
