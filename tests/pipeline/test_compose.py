"""The page of an item: what it shows, what stands folded below it, and when it is written."""

import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from nbformat.v4 import new_output

from bookkit import commands, compose, registry
from bookkit.project import Project
from companion import cli
from companion.claims import Measurement, Tolerance, judged, write_ledger
from companion.parameters import cell_of
from companion.record import CODE, STATED, comments, words

BOOK = Project(Path(__file__).resolve().parents[2])
RUN = {"seconds": 5400.0, "hardware": "abacus <old>", "date": "2000-01-01", "commit": "unknown"}
SAID = '\n# %% tags=["provenance"]\nprint("scale")\n'


def claim(scale, name="tiny.sum", measured=1.0):
    page, found = SimpleNamespace(item="tiny", scale=scale), Measurement(measured, (measured - 0.1, measured + 0.1))
    return judged(page, name, "eq. 1", "It is so.", "sum", 1.0, found, "algebra", Tolerance(0.3, "a test"))


@pytest.fixture
def make(project):
    """A function that puts down an executed notebook and claims as a run leaves them."""
    source = project.notebooks / "tiny.py"
    source.write_text(source.read_text() + SAID)

    def put(scale, claims=()):
        job = registry.job(project, "tiny", scale)
        notebook = registry.source(project, "tiny")
        for cell in (cell for cell in notebook.cells if cell.cell_type == "code"):
            if "provenance" in cell.metadata.get("tags", []):
                cell.outputs = [new_output("stream", text=f"scale: {scale} · seed: 3\n")]
            elif "print" in cell.source or cell.source.endswith("figure"):
                cell.outputs = [new_output("stream", text=f"of {scale}\n")]
        project.executed.mkdir(exist_ok=True)
        nbformat.write(notebook, project.executed / f"{job.page}.ipynb")
        file = project.claims("tiny", scale)
        file.parent.mkdir(exist_ok=True)
        write_ledger(file, claims)

    return put


@pytest.fixture
def both(project, make):
    """The tiny project as executed at both scales, of which one claim is confirmed at one of them only."""
    project.results("tiny").mkdir(parents=True)
    (project.results("tiny") / "one.json").write_text(json.dumps({"provenance": RUN}))
    (project.results("tiny") / "other.json").write_text(json.dumps({"shipped": True}))
    make("small", [claim("small", measured=2.0), claim("small", "tiny.same")])
    make("full", [claim("full"), claim("full", "tiny.same")])
    return project


def parts(page):
    """The folded parts of a page by their titles."""
    found = {}
    for cell in page.cells:
        if cell.source.startswith("::::{dropdown}"):
            title, _, content = cell.source.removeprefix("::::{dropdown} ").partition("\n")
            assert content.endswith("\n::::")
            found[title] = content.removesuffix("\n::::")
    return found


def rows(table):
    """The rows of a table in Markdown, without its head, by their first column."""
    found = [
        [value.strip() for value in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table.splitlines()
        if line.startswith("|")
    ]
    assert len({len(row) for row in found}) == 1
    return {row[0].strip("`"): row[1:] for row in found[2:]}


def commands_of(text):
    return [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]


def test_the_page_is_that_of_the_largest_scale_and_its_head_says_so(both):
    page = compose.page(both, "tiny")
    nbformat.validate(page)
    lines = page.cells[0].source.splitlines()
    assert lines[:2] == ["(tiny-page)=", "# A tiny notebook"]
    assert lines[3] == '<p class="page-head"><span class="scale">full scale · 1 run, 1.5 h of computing</span></p>'
    assert lines[5].startswith('<div class="verdict-bar" role="group" aria-label="2 claims by verdict">')
    assert "See [the figure](fig-tiny)" in page.cells[0].source
    assert {output.text for cell in page.cells for output in cell.get("outputs", [])} == {"of full\n"}


def test_no_code_is_left_between_the_paragraphs(both):
    page = compose.page(both, "tiny")
    code = [cell for cell in page.cells if cell.cell_type == "code"]
    assert len(code) == 2 and all(cell.outputs for cell in code)
    assert all("remove-input" in cell.metadata.tags and "hide-input" not in cell.metadata.tags for cell in code)
    (figure,) = (cell for cell in code if "mystnb" in cell.metadata)
    assert figure.metadata.mystnb.figure.name == "fig-tiny"  # what names it stays


def test_below_stands_what_made_it(both):
    found = parts(compose.page(both, "tiny"))
    assert list(found) == ["Parameters", "Live check", "Rerun", "Code of this page", "Provenance"]
    assert rows(found["Parameters"]) == {
        "power": ["exponent", "2", "2", "ours"],
        "count": ["", "5", "3", "ours"],
    }
    assert rows(found["Live check"]) == {
        "tiny.sum": ["2.00 [1.90, 2.10]", claim("small", measured=2.0).verdict, "confirmed"],
        "tiny.same": ["1.00 [0.900, 1.10]", "confirmed", "the same"],
    }
    assert claim("small", measured=2.0).verdict != "confirmed"
    assert "{literalinclude} ../../notebooks/tiny.py" in found["Code of this page"]
    assert found["Provenance"] == "```text\nscale: full · seed: 3\n```"
    assert "They took 1.5 h on abacus &lt;old&gt;." in found["Rerun"]


def test_a_claim_of_small_scale_alone_is_named_as_that(both):
    write_ledger(both.claims("tiny", "full"), [claim("full")])
    assert rows(parts(compose.page(both, "tiny"))["Live check"])["tiny.same"][-1] == "only here"


def test_a_page_of_one_scale_without_claims_and_parameters(project, make):
    source = project.notebooks / "tiny.py"
    source.write_text(re.sub(r"(?m)^(power|count):.*\n", "", source.read_text()))
    (project.parameters / "tiny.full.yaml").unlink()
    make("small")
    page = compose.page(project, "tiny")
    assert page.cells[0].source.splitlines()[3:5] == [
        '<p class="page-head"><span class="scale">computed in this build</span></p>',
        "",
    ]
    assert "verdict" not in nbformat.writes(page)
    found = parts(page)
    assert list(found) == ["Rerun", "Code of this page", "Provenance"]
    assert commands_of(found["Rerun"]) == [".venv/bin/nox -s execute -- tiny"]
    assert "for example" not in found["Rerun"] and "shipped" not in found["Rerun"]


def test_a_live_check_without_claims_says_what_is_compared(both):
    for scale in ("small", "full"):
        write_ledger(both.claims("tiny", scale), [])
    found = parts(compose.page(both, "tiny"))
    assert "It makes no claim" in found["Live check"] and "|" not in found["Live check"]


def test_a_page_is_written_when_it_differs_and_strays_go(both):
    compose.write(both)
    path = both.pages / "tiny.ipynb"
    text, first = path.read_text(), path.stat()
    (both.pages / "gone.ipynb").write_text("{}")
    (both.pages / "tiny_full.ipynb").write_text("{}")
    compose.write(both)
    assert [one.name for one in both.pages.iterdir()] == ["tiny.ipynb"]
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (first.st_ino, first.st_mtime_ns)
    path.write_text(text + "\n")
    compose.write(both)
    assert path.read_text() == text
    write_ledger(both.claims("tiny", "full"), [claim("full")])
    compose.write(both)
    assert path.read_text() != text


@pytest.mark.parametrize("item", registry.items(BOOK))
def test_every_parameter_of_the_book_has_its_row_and_its_command(item):
    jobs = [registry.job(BOOK, item, scale) for scale in registry.book_scales(BOOK, item)]
    small, largest = jobs[0].values, jobs[-1].values
    table = "\n".join(compose._parameters(BOOK, jobs))
    found = rows(table) if table else {}
    assert list(found) == [name for name in small if name != "scale"]
    for name, (meaning, *values, whose) in found.items():
        assert meaning and "(ours" not in meaning
        assert (whose == "ours") == (name not in STATED.get(item, {}))
        assert values == [words(job.values[name]) for job in reversed(jobs)]

    for command in commands_of("\n".join(compose._rerun(BOOK, jobs[-1]))):
        given_words = shlex.split(command)
        if given_words[:4] == [".venv/bin/nox", "-s", "execute", "--"]:
            given = commands.parser().parse_args(["execute", *given_words[4:]])
            again = registry.job(BOOK, given.item, given.scale, dict(given.parameters))
            assert (again.item, again.values) == (item, largest)
        else:
            assert given_words[:3] == [".venv/bin/python", "-m", "companion"]
            options = cli._parser().parse_args(given_words[3:])
            assert (options.words, options.scale, options.force) == ([item], jobs[-1].scale, True)


@pytest.mark.parametrize("item", STATED)
def test_no_value_that_the_paper_states_is_called_ours(item):
    called = {name for name, comment in comments(cell_of(item)).items() if "(ours" in comment}
    assert not called & {name for name, stated in STATED[item].items() if stated.place != CODE}


def test_a_comment_is_found_wherever_its_statement_ends():
    assert comments('x: "Tasks" = [  # tasks\n    1,  # easy\n]  # of the page\n') == {"x": "of the page"}
    notes = comments(cell_of("sgdnoise"))
    assert notes["rich_tasks"] == "capacity, source of the long rich runs (ours)"
    assert comments(cell_of("fig08"))["scale"].startswith("small, reduced for one pass")
