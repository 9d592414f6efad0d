"""The prose of the pages: sections of one idea, the paper beside what came out, equations named as those of the paper."""

import re
from pathlib import Path

import pytest

from bookkit import compose, registry, top
from bookkit.project import Project
from companion.claims import by_claim, load_ledger

BOOK = Project(Path(__file__).resolve().parents[2])
ITEMS = registry.items(BOOK)
#: Pages about a figure, a table or a question; the others are the front page, the explorer, the list of claims and the errata.
OF_ITEMS = [item for item in ITEMS if item not in compose.FRONT]
MOST = 150


def text(item):
    """The prose of a notebook as one text."""
    return "\n\n".join(cell.source for cell in registry.source(BOOK, item).cells if cell.cell_type == "markdown")


def sections(said):
    """Pairs of title and text, from one heading to the next."""
    parts = re.split(r"(?m)^#+ (.*)$", said)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def words(said):
    """The number of words; a formula counts as one."""
    said = re.sub(r"<!--.*?-->", "", said, flags=re.DOTALL)
    said = re.sub(r"\$\$.*?\$\$(\s*\(eq-[\w-]+\))?", " formula ", said, flags=re.DOTALL)
    return len([word for word in re.sub(r"\$[^$]*\$", "formula", said).split() if re.search(r"\w", word)])


def test_a_formula_counts_as_one_word():
    assert words("The loss\n$$\na b c\n$$ (eq-one)\nfalls as $t^{- \\beta}$, <!-- here: a, b --> - so.") == 7
    assert sections("# A\none\n## B\ntwo\n") == [("A", "\none\n"), ("B", "\ntwo\n")]


@pytest.mark.parametrize("item", ITEMS)
def test_no_section_is_longer_than_one_idea(item):
    long = {title: words(said) for title, said in sections(text(item)) if words(said) > MOST}
    assert not long


@pytest.mark.parametrize("item", OF_ITEMS)
def test_every_page_of_an_item_says_first_what_the_paper_says_and_what_came_out(item):
    first = registry.source(BOOK, item).cells[0].source
    claims = [claim for claim, _ in by_claim(load_ledger(BOOK.ledger)) if claim.item == item]
    beside, rest = top.columns(first.partition("\n\n")[2], claims)
    assert re.findall(r"\{grid-item-card\} (.*)", beside) == ["The paper says", "Here"]
    assert beside.count("<li>") == min(len(claims), top.BULLETS)
    assert top.PAPER not in rest and top.HERE not in rest and "<!-- here" not in beside + rest
    named = top.named_claims(first)
    assert set(named) <= {claim.id for claim in claims} and len(named) <= top.BULLETS
    assert bool(top.key_table(claims)) == bool(claims)


@pytest.mark.parametrize("item", ITEMS)
def test_equations_are_named_as_those_of_the_paper(item):
    captions = (cell.metadata.get("mystnb", {}).get("figure", {}) for cell in registry.source(BOOK, item).cells)
    said = " ".join([text(item), *(figure.get("caption", "") for figure in captions)])
    assert not re.findall(r"(?<![Pp]aper )\beqs?\. \d+", " ".join(said.split()))
    assert not re.findall(r"(?<=\s)\[\d+(?:[-, ]+\d+)*\](?!\()", said)
