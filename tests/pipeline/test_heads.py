"""Wide tables become cards on a phone, whose lines say what they are."""

import heads
from bs4 import BeautifulSoup


def table(*names, rows=2):
    head = "".join(f'<th class="head"><p>{name}</p></th>\n' for name in names)
    body = "".join(f"<tr><td><p>{n}</p></td>\n{'<td>x</td>' * (len(names) - 1)}</tr>" for n in range(rows))
    return f'<table class="table">\n<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'


def test_cells_of_a_wide_table_have_the_heads_of_their_columns_and_others_stay():
    wide, narrow = table("a", "<em>b</em> &lt; 1", 'so "called"', "d"), table("a", "b", "c")
    page = f"<p>{narrow}</p>{wide}<p>{wide}</p>"
    changed = heads.named(page)
    assert narrow in changed
    for found in BeautifulSoup(changed, "html.parser").select("table.wide"):
        assert [[cell.get("data-head") for cell in row.select("td")] for row in found.select("tbody tr")] == [
            [None, "b < 1", 'so "called"', "d"]
        ] * 2
        assert found.get_text() == BeautifulSoup(wide, "html.parser").get_text()
    assert changed.count('<table class="table wide">') == 2


def test_a_table_whose_heads_are_formulas_stays():
    page = table("a", r"<span>\(\beta\)</span>", "c", "d")
    assert heads.named(page) == page
