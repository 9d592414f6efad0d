"""The top of an item's page: two columns, links to equations, the table of the claims that matter most."""

from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup

from bookkit import top
from companion.claims import HEADLINES, Measurement, Tolerance, judged

PAGE = SimpleNamespace(item="tiny", scale="full")
HEADLINE = next(iter(HEADLINES))


def claim(id, measured=1.0, quantity="sum", statement="The {} of gamma0 falls as t^-1.20 at beta.", **fields):
    found = Measurement(measured, (measured - 0.1, measured + 0.1))
    words = ("eq. 1", statement.format(id), quantity)
    return judged(PAGE, id, *words, 1.0, found, "algebra", Tolerance(0.3, "a test"), **fields)


FIRST = """\
**The paper says.** It falls
as $t^{-1}$ (paper eqs. 8 and 9).

**Here.** It does.

<!-- here: tiny.c,
tiny.b -->

More.
"""


def test_the_first_cell_becomes_two_columns_and_the_rest():
    beside, rest = top.columns(FIRST, [claim("tiny.a"), claim("tiny.b", 2.0), claim("tiny.c"), claim("tiny.d")])
    left, right = beside.split("{grid-item-card} Here")
    assert "{grid-item-card} The paper says\n:columns: 12 12 5 5\n\nIt falls\nas $t^{-1}$" in left and "**" not in left
    assert rest == "More.\n"
    lines = BeautifulSoup(right, "html.parser").select("li")
    assert [line.a["href"] for line in lines] == ["#claim-tiny.c", "#claim-tiny.b", "#claim-tiny.a"]
    assert lines[1].select_one(".verdict").get_text() == "✗ not confirmed"
    assert lines[1].select_one(".against").get_text() == "2.00 [1.90, 2.10], predicted 1.00 ± 0.3"
    assert lines[0].a.get_text() == "The tiny.c of γ0 falls as t to the power −1.20 at β"


def test_a_cell_without_the_mark_stays_as_it_is():
    assert top.columns("Only text.\n\nMore.", [claim("tiny.a")]) == ("", "Only text.\n\nMore.")


def test_headlines_come_first_then_one_of_each_quantity_and_of_these_what_holds_least():
    claims = [
        claim("tiny.a"),
        claim("tiny.b", 2.0),
        claim("tiny.c", quantity="other"),
        claim(HEADLINE),
        claim("tiny.corrected", 2.0, "other", corrected=2.0),
    ]
    order = [one.id for one in top.most_telling(claims)]
    assert order == [HEADLINE, "tiny.b", "tiny.corrected", "tiny.a", "tiny.c"]
    assert [one.id for one in top.most_telling(claims, ["tiny.c", "gone"])][:2] == ["tiny.c", HEADLINE]


@pytest.mark.parametrize("count", [1, top.ROWS, top.ROWS + 1])
def test_the_table_shows_at_most_ten_claims_and_says_of_how_many(count):
    soup = BeautifulSoup(top.key_table([claim(f"tiny.n{k}") for k in range(count)]), "html.parser")
    rows = soup.select("tbody tr")
    assert len(rows) == min(count, top.ROWS)
    assert [cell.get_text() for cell in rows[0].select("td")[1:]] == ["1.00 ± 0.3", "1.00 [0.900, 1.10]", "✓ confirmed"]
    said = soup.select_one("p.caption").get_text()
    assert said == (
        f"{top.ROWS} of the {count} claims of this page, all below" if count > top.ROWS else "All claims of this page"
    )


def test_claims_that_say_the_same_show_of_what():
    same = [claim(f"tiny.n{k}", quantity=f"at alpha = {k}", statement="It grows.") for k in range(2)]
    soup = BeautifulSoup(top.key_table([*same, claim("tiny.a")]), "html.parser")
    cases = [cell.get_text().replace("\N{NO-BREAK SPACE}", " ") for cell in soup.select("td.case")]
    assert sorted(case for case in cases if "(" in case) == ["It grows (at α = 0)", "It grows (at α = 1)"]
    assert len(cases) == 3


def test_a_page_without_claims_has_no_table():
    assert top.key_table([]) == ""


@pytest.mark.parametrize(
    ("said", "links"),
    [
        ("as paper eq. 29 has it", {"29": "paper eq. 29"}),
        ("(paper eqs. 8, 9\nand 80)", {"8": "8", "9": "9", "80": "80"}),
        ("Paper eqs. 28-31 give", {"28": "28-31"}),
        ("paper eq. 4, with the 5 features", {"4": "paper eq. 4"}),
        ("$x$ of eq. 5", {}),
    ],
)
def test_equations_of_the_paper_are_links(said, links):
    soup = BeautifulSoup(top.cited(said), "html.parser")
    found = {link["href"].removeprefix("../equations.html#eq-"): link.get_text() for link in soup.select("a")}
    assert found == links
    assert soup.get_text().split() == said.split()
