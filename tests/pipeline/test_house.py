"""The house: what stands where can be told from its name."""

from collections import Counter
from pathlib import Path

from bookkit import commands
from runs.tiny_runs import classes

SRC = Path(__file__).resolve().parents[2] / "src"


def test_no_two_modules_have_one_name():
    names = [path.stem for path in SRC.rglob("*.py")]
    shared = {"__init__", "__main__", "cli", "runs"}  # one in each package or room, by rule
    assert [name for name, count in Counter(names).items() if count > 1 and name not in shared] == []


def test_run_classes_stand_in_modules_of_runs():
    elsewhere = {kind.__name__ for kind in classes() if not kind.__module__.rpartition(".")[2].endswith("runs")}
    assert elsewhere == set()


def test_pages_that_are_named_exist():
    assert {*commands.SMALLEST, *commands.LONGEST} <= {path.stem for path in (SRC.parent / "notebooks").glob("*.py")}


def test_a_page_is_a_notebook_and_a_module():
    notebooks = {path.stem for path in (SRC.parent / "notebooks").glob("*.py")}
    pages = {path.stem for path in (SRC / "companion" / "pages").glob("*.py")} - {"__init__"}
    assert notebooks == pages
