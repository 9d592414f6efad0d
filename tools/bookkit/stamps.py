"""Whether a notebook must be run again, and why.

Beside each executed notebook stands a stamp: hashes of all that went into it. It is written last, so a run that was
interrupted has none.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bookkit import registry
from bookkit.project import Project, write_atomically
from bookkit.registry import Job

#: Part of the key and how the terminal says that it changed.
REASONS = {
    "notebook": "notebook source changed",
    "parameters": "parameters changed",
    "library": "code that it imports changed",
    "lock": "locked versions changed",
    "pipeline": "the way notebooks are run changed",
    "reads": "a file it reads changed",
    "results": "shipped results changed",
    "shown": "its page shows another scale",
}
# The modules that shape an executed notebook; the others may change without a rerun.
PIPELINE = ("execution.py", "kernels.py", "notebooks.py")


def hash_files(files: Iterable[Path], root: Path) -> str:
    """Return one hash of names and contents of files, and of folders with all that is in them.

    Line ends do not count: a checkout may translate them.
    """
    digest = hashlib.sha256()
    for path in sorted(files):
        inside = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
        for file in inside:
            if "__pycache__" in file.parts or file.name.endswith(".pyc"):
                continue
            content = file.read_bytes()
            if b"\0" not in content:
                content = content.replace(b"\r\n", b"\n")
            digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
            digest.update(content)
    return digest.hexdigest()[:16]


def imported_code(project: Project, source: str) -> str:
    """Return a hash of all modules under ``src`` that code imports, directly or not, without comments and docstrings.

    A package counts with its data files; an import inside a function counts.
    """
    found: dict[str, str] = {}
    waiting = _named(ast.parse(source), "")
    while waiting:
        name = waiting.pop()
        file = _file(project.library, name)
        if file is None or name in found:
            continue
        waiting |= {name.rpartition(".")[0]}
        if file.name == "__init__.py":
            data = [path for path in file.parent.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc")]
            found[name] = hash_files(data, project.library)
        code, names = _read(file, name, file.stat().st_mtime_ns)
        found[name] = found.get(name, "") + code
        waiting |= names
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


def _file(library: Path, name: str) -> Path | None:
    path = library.joinpath(*name.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py")) if name else ()
    return next((candidate for candidate in candidates if candidate.is_file()), None)


_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


@functools.cache
def _read(file: Path, name: str, changed: int) -> tuple[str, set[str]]:
    """Return a hash of what a module does, and the names that it imports."""
    source = file.read_text("utf-8")
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            node.body.pop(0)
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest(), _named(tree, package)


def _named(tree: ast.Module, package: str) -> set[str]:
    """Return the modules that code may import: what ``from a import b`` names is a module or a member of one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module) if part)
            names |= {base, *(f"{base}.{alias.name}" for alias in node.names)}
    return names


def lock_files(project: Project) -> list[Path]:
    """Return the files that fix the versions of everything installed."""
    return [project.root / "requirements.txt", project.root / "constraints.txt"]


def key(project: Project, job: Job) -> dict[str, str]:
    """Return the parts of the key of a job."""
    source = project.notebooks / f"{job.item}.py"
    canonical = json.dumps(dict(job.values), sort_keys=True).encode()
    notebook = registry.source(project, job.item)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    parts = {
        "notebook": hash_files([source], project.root),
        "parameters": hashlib.sha256(canonical).hexdigest()[:16],
        "library": imported_code(project, code),
        "lock": hash_files(lock_files(project), project.root),
        "pipeline": hash_files([Path(__file__).with_name(name) for name in PIPELINE], Path(__file__).parent),
    }
    if not registry.shown(project, job):
        parts["shown"] = "without pictures"
    named = registry.reads(notebook)
    if named:
        parts["reads"] = hash_files([project.root / name for name in named], project.root)
    if job.scale != "small":
        parts["results"] = hash_files([project.results(job.item)], project.root)
    return parts


def stamp_file(project: Project, job: Job) -> Path:
    """Return where the stamp of a job stands."""
    return project.executed / f"{job.page}.json"


def read_stamp(project: Project, job: Job) -> dict[str, Any] | None:
    """Return the stamp of a job, or None if there is no readable one."""
    try:
        stamp = json.loads(stamp_file(project, job).read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return stamp if isinstance(stamp, dict) and isinstance(stamp.get("key"), dict) else None


def why_run(project: Project, job: Job) -> str | None:
    """Return why a job must be run, in words, or None if what is there can be used."""
    stamp = read_stamp(project, job)
    if stamp is None:
        return "not executed yet"
    now = key(project, job)
    changed = [reason for part, reason in REASONS.items() if now.get(part) != stamp["key"].get(part)]
    if changed:
        return ", ".join(changed)
    if stamp.get("notices"):
        return f"when it last ran, {', '.join(stamp['notices'])}"
    notebook = project.executed / f"{job.page}.ipynb"
    if not notebook.is_file() or stamp.get("executed") != hash_files([notebook], project.root):
        return "the executed notebook is missing or altered"
    if not project.claims(job.item, job.scale).is_file():
        return "its claims are missing"
    return None


def remove_stamp(project: Project, job: Job) -> None:
    """Remove the stamp of a job that is about to run."""
    stamp_file(project, job).unlink(missing_ok=True)


def write_stamp(
    project: Project, job: Job, parts: dict[str, str], seconds: float, date: str, notices: Sequence[str] = ()
) -> None:
    """Write the stamp of a job that has just run, from the key taken before it started; with notices it runs again."""
    notebook = project.executed / f"{job.page}.ipynb"
    stamp = {
        "key": parts,
        "executed": hash_files([notebook], project.root),
        "seconds": round(seconds, 2),
        "date": date,
        "notices": list(notices),
    }
    write_atomically(stamp_file(project, job), json.dumps(stamp, indent=1) + "\n")
