"""A notebook runs again when something that went into it has changed, and the terminal says what."""

import shutil

import pytest

from bookkit import execution, registry, stamps

CHANGES = {
    "notebooks/tiny.py": "notebook source changed",
    "requirements.txt": "locked versions changed",
    "constraints.txt": "locked versions changed",
}


@pytest.fixture
def small(copied):
    return registry.job(copied, "tiny", "small")


def test_nothing_changed(copied, small, capsys):
    assert stamps.why_run(copied, small) is None
    outcome = execution.run_for_book(copied, small)
    assert outcome.reason is None
    assert outcome.seconds > 0  # that of the run itself
    assert "reused (nothing changed)" in capsys.readouterr().out


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_file_is_the_reason(copied, small, name):
    path = copied.root / name
    path.write_text(path.read_text() + "\n# changed\n")
    assert stamps.why_run(copied, small) == CHANGES[name]


@pytest.fixture
def importing(copied):
    """The tiny project after its notebook has come to import a module, which imports another inside a function."""
    (copied.library / "package" / "__init__.py").write_text("")
    (copied.library / "package" / "module.py").write_text(
        "def value():\n    from . import deep\n    return deep.VALUE\n"
    )
    for name in ("deep", "other"):
        (copied.library / "package" / f"{name}.py").write_text("VALUE = 1\n")
    source = copied.notebooks / "tiny.py"
    source.write_text(source.read_text() + "\n# %%\nimport package.module\n")
    return copied


def changed_parts(project, change):
    job = registry.job(project, "tiny", "small")
    before = stamps.key(project, job)
    change()
    after = stamps.key(project, job)
    return {stamps.REASONS[part] for part in after if after[part] != before[part]}


@pytest.mark.parametrize("name", ["__init__.py", "module.py", "deep.py", "table.json"])
def test_what_it_imports_is_a_reason_and_so_is_what_that_imports(importing, name):
    path = importing.library / "package" / name
    text = path.read_text() if path.exists() else ""
    change = lambda: path.write_text(text + "\nMORE = 2\n")  # noqa: E731
    assert changed_parts(importing, change) == {"code that it imports changed"}


def test_what_it_does_not_import_is_no_reason(importing):
    path = importing.library / "package" / "other.py"
    assert changed_parts(importing, lambda: path.write_text("VALUE = 2\n")) == set()


def test_comments_and_docstrings_are_no_reason(importing):
    path = importing.library / "package" / "module.py"
    text = '"""A module."""\n# a comment\n' + path.read_text().replace("def value():", 'def value():\n    """One."""')
    assert changed_parts(importing, lambda: path.write_text(text)) == set()


def test_line_ends_are_no_change(copied, small):
    path = copied.root / "requirements.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert stamps.why_run(copied, small) is None


def test_a_changed_parameter_is_the_reason(copied):
    path = copied.parameters / "tiny.full.yaml"
    path.write_text(path.read_text().replace("count: 5", "count: 4"))
    assert stamps.why_run(copied, registry.job(copied, "tiny", "full")) == "parameters changed"


def test_a_comment_in_the_parameters_is_no_reason(copied):
    path = copied.parameters / "tiny.full.yaml"
    path.write_text("# five of them\n" + path.read_text())
    assert stamps.why_run(copied, registry.job(copied, "tiny", "full")) is None


def test_changed_results_concern_the_full_scale_only(copied, small):
    full = registry.job(copied, "tiny", "full")
    assert stamps.why_run(copied, full) is None
    (copied.results("tiny") / "more.json").write_text("{}")
    assert stamps.why_run(copied, full) == "shipped results changed"
    assert stamps.why_run(copied, small) is None


def test_small_scale_is_drawn_again_once_its_page_shows_it(copied, small):
    shutil.rmtree(copied.results("tiny"))
    assert stamps.why_run(copied, small) == "its page shows another scale"


def test_a_file_that_the_notebook_says_it_reads_is_a_reason(copied):
    source = copied.notebooks / "tiny.py"
    header = "# ---\n# jupyter:\n#   neural_scaling:\n#     reads: [data/claims/ledger.json]\n# ---\n\n"
    source.write_text(header + source.read_text())
    job = registry.job(copied, "tiny", "small")
    before = stamps.key(copied, job)
    copied.ledger.write_text("[ ]\n")
    after = stamps.key(copied, job)
    assert {part for part in after if after[part] != before[part]} == {"reads"}


def test_missing_or_altered_copies_are_a_reason(copied, small):
    notebook = copied.executed / "tiny.ipynb"
    text = notebook.read_text()
    notebook.write_text(text.replace("values: 1.0", "values: 2.0"))
    assert stamps.why_run(copied, small) == "the executed notebook is missing or altered"
    notebook.write_text(text)
    assert stamps.why_run(copied, small) is None
    copied.claims("tiny", "small").unlink()
    assert stamps.why_run(copied, small) == "its claims are missing"
    stamps.stamp_file(copied, small).write_text('{"key":')
    assert stamps.why_run(copied, small) == "not executed yet"


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_an_interrupted_run_leaves_no_stamp(copied, small, monkeypatch, error):
    def interrupted(*arguments, **more):
        raise error

    monkeypatch.setattr(execution.papermill, "execute_notebook", interrupted)
    with pytest.raises(error):
        execution.run_for_book(copied, small, force=True)
    assert stamps.why_run(copied, small) == "not executed yet"
    assert not list(copied.executed.glob(".*"))


def test_an_edit_during_the_run_makes_it_run_again(copied, small, monkeypatch):
    original = execution.run

    def edited_meanwhile(project, notebook, *arguments, **more):
        path = project.notebooks / "tiny.py"
        path.write_text(path.read_text() + "\n# edited\n")
        return notebook

    monkeypatch.setattr(execution, "run", edited_meanwhile)
    execution.run_for_book(copied, small, force=True)
    monkeypatch.setattr(execution, "run", original)
    assert stamps.why_run(copied, small) == "notebook source changed"


def test_leftovers_of_a_renamed_item_are_removed(copied):
    for name in ("gone.ipynb", "gone.json", "claims/gone.small.json"):
        (copied.executed / name).write_text("[]")
    execution.remove_strays(copied, execution.book_jobs(copied))
    left = sorted(path.relative_to(copied.executed).as_posix() for path in copied.executed.rglob("*.*"))
    assert left == [
        "claims/tiny.full.json",
        "claims/tiny.small.json",
        "tiny.ipynb",
        "tiny.json",
        "tiny_full.ipynb",
        "tiny_full.json",
    ]
