"""The page of an item: what it shows, what stands folded below it, and when it is written."""

import html
import json
import re
import shlex
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
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
    assert "# %% [markdown]\n" in found["Code of this page"] and "tags=" not in found["Code of this page"]
    assert found["Provenance"] == "```text\nscale: full · seed: 3\n```"
    assert "They took 1.5 h on abacus &lt;old&gt;." in found["Rerun"]


def test_the_last_line_says_what_made_the_page(both, make):
    assert compose.page(both, "tiny").cells[-1].source == (
        '<p class="provenance">1 run · commit unknown · abacus &lt;old&gt; · 1.5 h · 2000-01-01</p>'
    )
    (both.results("tiny") / "one.json").unlink()
    (both.results("tiny") / "other.json").unlink()
    assert compose.page(both, "tiny").cells[-1].source == '<p class="provenance">scale: small · seed: 3 · 0 s</p>'


def test_many_commits_are_counted(both):
    for k in range(5):
        record = json.dumps({"provenance": {**RUN, "commit": f"c{k}", "date": f"2000-01-0{k + 1}"}})
        (both.results("tiny") / f"more{k}.json").write_text(record)
    line = compose.page(both, "tiny").cells[-1].source
    assert "6 runs · commits c0, c1, c2 and 3 more · " in line and line.endswith("9.0 h · 2000-01-01 to 2000-01-05</p>")


def test_what_matters_most_comes_first_where_the_notebook_says_what_the_paper_says(both):
    path = both.executed / "tiny_full.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += "\n\n**The paper says.** So (paper eq. 4).\n\nAnd more."
    nbformat.write(notebook, path)
    cells = compose.page(both, "tiny").cells
    title, beside, rest = (cells[0].source.find(part) for part in ("# A tiny", "{grid-item-card}", "And more."))
    assert 0 < title < beside < rest
    assert '<a href="../equations.html#eq-4">paper eq. 4</a>' in cells[0].source
    assert cells[1].metadata.mystnb.figure.name == "fig-tiny"
    assert cells[2].source.startswith('<div class="key-table"><p class="caption">All claims of this page')
    assert sum("mystnb" in cell.metadata for cell in cells) == 1


def test_the_figure_that_stands_for_a_page_can_be_chosen():
    first, other, text = (nbformat.v4.new_code_cell(metadata={"mystnb": {"figure": {}}}) for _ in range(3))
    text.metadata = {}
    assert compose._lead([text, first, other]) is first
    other.metadata["tags"] = ["lead"]
    assert compose._lead([text, first, other]) is other
    assert compose._lead([text]) is None


@pytest.mark.parametrize(
    ("curves", "links"),
    [
        (
            [{"x": [1]}],
            ["../../_figures/tiny-fig-tiny.csv", "../../_figures/tiny-fig-tiny.npz", "tiny.html#tiny-rerun"],
        ),
        ([], ["tiny.html#tiny-rerun"]),
    ],
)
def test_a_card_leads_to_the_page_its_data_and_how_to_rerun_it(both, curves, links):
    path = both.executed / "tiny_full.ipynb"
    notebook = nbformat.read(path, as_version=4)
    (figure,) = (cell for cell in notebook.cells if "mystnb" in cell.metadata)
    inside = html.escape(json.dumps({"curves": curves}))
    figure.outputs = [
        new_output("display_data", data={"image/svg+xml": f'<svg><metadata id="figure">{inside}</metadata></svg>'})
    ]
    nbformat.write(notebook, path)
    card = BeautifulSoup(compose._card(both, "tiny"), "html.parser")
    assert card.select_one("a.page")["href"] == "tiny.html"
    assert card.select_one(".title").get_text() == "A tiny notebook"
    assert [link["href"] for link in card.select(".links a")] == links
    assert parts(compose.page(both, "tiny"))["Rerun"].startswith(":name: tiny-rerun\n")


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
