"""Tables of a page: text that references can compare, HTML for readers, CSV with all that was measured."""

import base64
import io
import math
import re

import numpy as np
import pandas as pd
import pytest
from bs4 import BeautifulSoup

from companion.claims.words import in_symbols
from companion.tables import OPEN_ROWS, Table
from neural_scaling.base.checks import InputError

FRAME = pd.DataFrame(
    {
        "gamma": [0.0, 0.125],
        "width": np.array([16, 1024]),
        "exponent": [0.1 + 0.2, 1 / 3],
        "interval": [(0.29, 0.31), None],
        "edge": [math.nan, 12345.678],
        "held": np.array([True, False]),
        "word": ["a", None],
    }
)


def read(table):
    return pd.read_csv(io.StringIO(table.csv()))


def page(table):
    return BeautifulSoup(table._repr_html_(), "html.parser")


def cells(table):
    return [
        [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in row.find_all(["th", "td"])]
        for row in page(table).find_all("tr")
    ]


def test_text_is_this():
    table = Table(FRAME, "Slopes", {"edge": "edge at step"}, {"edge": ".0f", "interval": ".3f"})
    assert repr(table).splitlines() == [
        "Slopes",
        "    γ    N fitted           95 % edge at step held word",
        "    0   16  0.300 0.290 to 0.310            -  yes    a",
        "0.125 1024  0.333              -        12346   no    -",
    ]


def test_text_does_not_feel_rounding_noise_nor_the_index():
    noisy = FRAME.assign(exponent=FRAME.exponent * (1 + 1e-14)).set_axis([7, 3])
    assert repr(Table(noisy)) == repr(Table(FRAME))
    assert repr(Table(pd.DataFrame({"x": [3e-16]}))) == repr(Table(pd.DataFrame({"x": [0.0]})))


def test_no_number_is_a_dash_whatever_stands_for_it():
    nothing = pd.DataFrame({"x": pd.Series([None, math.nan, np.float64("nan"), (1.0, math.nan)], dtype=object)})
    assert list(Table(nothing, formats={"x": ".2f"}).strings().x) == ["-", "-", "-", "1.00 to -"]


def test_csv_has_all_digits_under_the_names_of_code_and_pairs_in_two_columns():
    table = read(Table(FRAME, heads={"edge": "edge at step"}, formats={"exponent": ".1f"}))
    names = ["gamma", "width", "exponent", "interval_low", "interval_high", "edge", "held", "word"]
    assert list(table) == names
    for name in ("gamma", "width", "exponent", "held"):
        assert list(table[name]) == list(FRAME[name])
    assert (table.interval_low[0], table.interval_high[0]) == (0.29, 0.31)
    assert table.loc[1, ["interval_low", "interval_high", "word"]].isna().all()
    assert math.isnan(table.edge[0]) and table.edge[1] == 12345.678


def test_html_shows_what_the_text_shows_and_offers_the_csv():
    table = Table(FRAME, "Slopes")
    strings = table.strings()
    shown = [
        [BeautifulSoup(in_symbols(text), "html.parser").text.replace("\N{NO-BREAK SPACE}", " ") for text in row]
        for row in strings.to_numpy()
    ]
    assert cells(table) == [list(strings), *shown]
    assert "1.23 × 10" in shown[1][4]
    assert page(table).find("p", class_="caption").text == "Slopes"
    kind, _, content = page(table).find("a", class_="csv")["href"].partition(",")
    assert kind == "data:text/csv;base64"
    assert base64.b64decode(content).decode() == table.csv()


@pytest.mark.parametrize(("rows", "folded"), [(OPEN_ROWS, False), (OPEN_ROWS + 1, True)])
def test_a_long_table_is_folded_under_its_name(rows, folded):
    html = page(Table(pd.DataFrame({"x": range(rows)}), "Numbers"))
    assert (html.find("details") is not None) == folded
    assert len(html.find_all("tr")) == rows + 1
    assert html.find("a", class_="csv")
    if folded:
        assert html.find("details").find("table") and html.find("summary").text == f"Numbers ({rows} rows)"
        assert page(Table(pd.DataFrame({"x": range(rows)}))).find("summary").text == f"Table ({rows} rows)"


NASTY = '<script>alert(1)</script> & "b"'


@pytest.mark.parametrize("rows", [1, OPEN_ROWS + 1])
def test_html_in_a_caption_a_head_or_a_cell_is_shown_as_it_stands(rows):
    table = Table(pd.DataFrame({"x": [NASTY] * rows}), NASTY, {"x": NASTY})
    assert page(table).find("script") is None
    assert cells(table) == [[NASTY]] * (rows + 1)
    assert page(table).find(["summary", "p"]).text.startswith(NASTY)


def test_a_long_cell_is_not_cut():
    text = "word " * 40
    assert cells(Table(pd.DataFrame({"x": [text.strip()]})))[1] == [text.strip()]
    assert text.strip() in repr(Table(pd.DataFrame({"x": [text.strip()]})))


def test_a_wide_table_is_not_cut():
    frame = pd.DataFrame({f"column{k}": [k] for k in range(40)})
    assert len(cells(Table(frame))[0]) == 40
    assert repr(Table(frame)).split()[:40] == list(frame)


def test_formulas_are_typeset_in_captions_heads_and_cells():
    html = page(Table(pd.DataFrame({"x": ["|w|^2", "eta0 = 1"]}), "Loss, C^-r", {"x": "L_B"}))
    tags = [tag.parent.name for tag in html.find_all(["sub", "sup"])]
    assert tags == ["p", "th", "td", "td"]


def test_sentences_wrap_and_numbers_do_not():
    cells = re.findall(r"<td[^>]*>", Table(pd.DataFrame({"a": ["word " * 20], "b": [1.5]}))._repr_html_())
    assert cells == ['<td class="words">', "<td>"]


def test_two_columns_have_two_heads():
    with pytest.raises(InputError, match=r"^heads: two columns are called alike"):
        Table(pd.DataFrame({"a": [1], "b": [2]}), heads={"a": "N", "b": "N"})
