"""The commit that a result is stamped with is that of the code that made it, or unknown."""

import importlib
import importlib.util
import subprocess
from pathlib import Path

import pytest

from neural_scaling.base import paths

provenance = importlib.import_module("neural_scaling.runs.provenance")  # the package has a function of this name
NAME = ["-c", "user.name=nobody", "-c", "user.email=nobody@localhost"]


def git(folder, *words):
    return subprocess.run(
        ["git", "-C", folder, *NAME, *words], check=True, capture_output=True, text=True
    ).stdout.strip()


def checkout_in(folder):
    """Make what looks like a checkout."""
    (folder / "notebooks" / "parameters").mkdir(parents=True)
    (folder / "notebooks" / "parameters" / "x.yaml").write_text("")
    (folder / "src" / "neural_scaling").mkdir(parents=True)
    (folder / "src" / "neural_scaling" / "paths.py").write_bytes(Path(paths.__file__).read_bytes())
    return folder


def committed(folder):
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return git(folder, "rev-parse", "--short=12", "HEAD")


def commit_of(root, monkeypatch):
    monkeypatch.setattr(provenance, "own_checkout", lambda: root)
    return provenance.commit.__wrapped__()


def test_commit_and_changes(tmp_path, monkeypatch):
    root = checkout_in(tmp_path / "ours")
    head = committed(root)
    assert len(head) == 12 and commit_of(root, monkeypatch) == head
    (root / "README.md").write_text("no part of the library")
    assert commit_of(root, monkeypatch) == head
    source = root / "src" / "neural_scaling" / "paths.py"
    source.write_text(source.read_text() + "\n")
    assert commit_of(root, monkeypatch) == f"{head}+changes"
    git(root, "checkout", "-q", "src")
    (root / "src" / "neural_scaling" / "new.py").write_text("")
    assert commit_of(root, monkeypatch) == f"{head}+changes"


def test_a_surrounding_or_a_named_repository_is_never_taken_for_it(tmp_path, monkeypatch):
    theirs = tmp_path / "theirs"
    copy = checkout_in(theirs / "vendor" / "copy")
    committed(theirs)
    assert commit_of(copy, monkeypatch) == "unknown"
    assert commit_of(None, monkeypatch) == "unknown"
    ours = checkout_in(tmp_path / "ours")
    head = committed(ours)
    monkeypatch.setenv("GIT_DIR", str(theirs / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(theirs))
    assert commit_of(ours, monkeypatch) == head


@pytest.mark.parametrize("place", ["src", ".venv/lib/python/site-packages"])
def test_only_the_checkout_that_the_package_is_imported_from_is_its_own(tmp_path, monkeypatch, place):
    root = checkout_in(tmp_path)
    file = root / place / "neural_scaling" / "base" / "paths.py"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(Path(paths.__file__).read_bytes())
    spec = importlib.util.spec_from_file_location("somewhere", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.chdir(root)
    assert module.own_checkout() == (root if place == "src" else None)
    assert module.checkout() == root  # its data are good for both
