"""References: the same bytes every time, red when the source moved on, red when a number is false."""

import contextlib

import jupytext
import nbformat
import pytest

from bookkit import commands, execution, ledger, references, registry, workplace
from bookkit.problems import Problem


def test_two_executions_give_the_same_bytes_and_the_comparison_passes(copied, capsys):
    assert references.write(copied, "tiny")
    path = copied.references / "tiny.ipynb"
    first = path.read_bytes()
    execution.run_for_book(copied, registry.job(copied, "tiny", "small"), force=True)
    assert not references.write(copied, "tiny")
    assert path.read_bytes() == first
    text = first.decode()
    assert "values: 1.0 4.0 9.0" in text
    assert "image/svg" not in text and "<svg" not in text
    assert references.stale(copied) == []
    references.compare_executed(copied)
    references.compare(copied, workers=1)


def test_a_page_that_differs_from_its_reference_is_named_with_the_line(copied):
    references.write(copied, "tiny")
    page = copied.executed / "tiny.ipynb"
    page.write_text(page.read_text().replace("values: 1.0 4.0 9.0", "values: 1.0 4.0 9.1"))
    with pytest.raises(Problem, match=r"tiny: -values: 1.0 4.0 9.0\ntiny: \+values: 1.0 4.0 9.1\n.*nox -s references"):
        references.compare_executed(copied)
    references.write(copied, "tiny")
    references.compare_executed(copied)


def test_a_false_cached_result_would_be_seen(copied, monkeypatch, tmp_path):
    # The tiny notebook believes its cache. The user's cache holds a false result: it must not be read.
    (tmp_path / "value").write_text("13")
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    references.write(copied, "tiny")
    references.compare(copied, workers=1)

    # And if the cache were not empty, the comparison would not let the false number pass.
    original = workplace.temporary

    @contextlib.contextmanager
    def planted(work):
        with original(work) as place:
            (place / "cache").mkdir()
            (place / "cache" / "value").write_text("13")
            yield place

    monkeypatch.setattr(workplace, "temporary", planted)
    with pytest.raises(Problem, match="no longer gives its reference"):
        references.compare(copied, workers=1)


def test_a_reference_of_another_source_or_of_other_values_is_stale(copied):
    references.write(copied, "tiny")
    source = copied.notebooks / "tiny.py"
    source.write_text(source.read_text().replace('count: "Count" = 3', 'count: "Count" = 2'))
    (wrong,) = references.stale(copied)
    assert "does not belong to the present notebooks/tiny.py" in wrong
    assert "Run `nox -s references`" in wrong
    with pytest.raises(Problem, match="does not belong"):
        references.compare(copied)


def test_missing_and_left_over_references_are_reported(copied):
    copied.references.mkdir()
    (copied.references / "gone.ipynb").write_text("{}")
    assert references.stale(copied) == [
        f"notebooks/references/tiny.ipynb is missing. {references.REMEDY}",
        "notebooks/references/gone.ipynb belongs to no notebook. Remove it.",
    ]
    references.remove_strays(copied)
    assert len(references.stale(copied)) == 1


def with_output(*outputs):
    notebook = jupytext.reads('# %% tags=["nbval-check-output"]\n1\n\n# %%\n2', fmt="py:percent")
    for cell in notebook.cells:
        cell.outputs = [nbformat.from_dict(output) for output in outputs]
        cell.execution_count = 3
    return notebook


def stream(name, text):
    return {"output_type": "stream", "name": name, "text": text}


def display(**data):
    return {"output_type": "display_data", "metadata": {}, "data": {k.replace("_", "/"): v for k, v in data.items()}}


def test_only_the_text_of_checked_cells_is_kept():
    table = display(text_plain="c", text_html="<b>c</b>", text_markdown="*c*")
    given = with_output(stream("stdout", "a\n"), stream("stdout", "b\n"), table)
    checked, other = references.normalised(given, "x").cells
    assert [output.get("text") or output.data for output in checked.outputs] == ["a\nb\n", {"text/plain": "c"}]
    assert other.outputs == [] and other.metadata.tags == ["nbval-ignore-output"]
    assert [checked.execution_count, other.execution_count] == [1, 2]
    assert given.cells[1].outputs  # left as it is


@pytest.mark.parametrize("output", [display(text_html="<b>"), display(image_png="xx"), stream("stderr", "careful")])
def test_a_checked_cell_gives_text(output):
    with pytest.raises(Problem, match=r"cell 0.*tagged 'nbval-check-output'"):
        references.normalised(with_output(output), "x")


def test_rewriting_runs_everything_and_fills_the_ledger(copied, monkeypatch):
    forced = []
    original = execution.run_for_book

    def noted(project, job, *, force=False, computed=None):
        forced.append((job.scale, force))
        return original(project, job)  # as executed by the fixture

    monkeypatch.setattr(execution, "run_for_book", noted)
    (copied.references).mkdir()
    (copied.references / "gone.ipynb").write_text("{}")
    commands.rewrite_references(copied, [])
    assert sorted(forced) == [("full", True), ("small", True)]
    assert [path.name for path in copied.references.iterdir()] == ["tiny.ipynb"]
    claims = ledger.read(copied.ledger)
    assert [(claim.scale, claim.measured) for claim in claims] == [("full", 55), ("small", 14)]
    commands.check_ledger(copied)
    with pytest.raises(Problem, match="unknown item 'tinny'"):
        commands.rewrite_references(copied, ["tinny"])
