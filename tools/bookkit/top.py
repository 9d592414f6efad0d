"""The top of an item's page: what the paper says beside what came out, and a table of the claims that matter most.

The first cell of a notebook says it once: a paragraph that begins with ``**The paper says.**``, one with ``**Here.**``, and
``<!-- here: id, id -->`` where headline claims are not what a reader looks for first. Every number comes from the claims.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import zip_longest

from companion.claims import HEADLINES, Claim, Verdict, by_claim, chip
from companion.claims.places import ALL_EQUATIONS, linked, of_paper
from companion.claims.shown import anchor, expected, headline, measured
from companion.claims.words import in_symbols

#: Claims that stand beside what the paper says, and rows of the table below the figure.
BULLETS, ROWS = 3, 10
#: Of several claims about one quantity the table shows first what holds least.
ORDER: tuple[Verdict, ...] = (
    "not confirmed",
    "corrected",
    "correction undecided",
    "inconclusive",
    "out of reach",
    "close",
    "confirmed",
)
PAPER, HERE = "**The paper says.**", "**Here.**"
_NAMED = re.compile(r"<!-- here: (.*?) -->\s*", re.DOTALL)
_CITED = re.compile(r"\b[Pp]aper\s+eqs?\.\s+\d+(?:-\d+)?(?:(?:,|,?\s+and)\s+\d+(?:-\d+)?\b)*")


def columns(text: str, claims: Iterable[Claim]) -> tuple[str, str]:
    """Return the two columns of a page, none if its first cell does not say what the paper says, and the rest of the cell."""
    rest, said = [], {PAPER: "", HERE: ""}
    for paragraph in _NAMED.sub("", text).split("\n\n"):
        mark = next((mark for mark in said if paragraph.startswith(mark)), "")
        if mark:
            said[mark] = paragraph.removeprefix(mark).strip()
        else:
            rest.append(paragraph)
    if not said[PAPER]:
        return "", text
    found = most_telling(claims, named_claims(text))
    lines = "".join(_bullet(claim, _told_apart(found)) for claim in found[:BULLETS])
    bullets = f'<ul class="claims here">{lines}</ul>' if found else ""
    left = f":::{{grid-item-card}} The paper says\n:columns: 12 12 5 5\n\n{said[PAPER]}\n:::"
    right = f":::{{grid-item-card}} Here\n:columns: 12 12 7 7\n\n{said[HERE]}\n\n{bullets}\n:::"
    return f"::::{{grid}}\n:gutter: 3\n:class-container: says\n\n{left}\n\n{right}\n::::", "\n\n".join(rest)


def named_claims(text: str) -> list[str]:
    """Return the ids that the first cell of a notebook names as those that a reader looks for first."""
    found = _NAMED.search(text)
    return found[1].replace(",", " ").split() if found else []


def most_telling(claims: Iterable[Claim], named: Sequence[str] = ()) -> list[Claim]:
    """Return claims in the order in which readers want them: named ones, headline claims, one of each quantity in turn."""
    largest = {claim.id: claim for claim, _ in by_claim(claims)}
    first = [id for id in dict.fromkeys([*named, *HEADLINES]) if id in largest]
    groups: dict[str, list[Claim]] = {}
    for claim in largest.values():
        if claim.id not in first and claim.measured is not None:
            groups.setdefault(claim.quantity, []).append(claim)
    ranked = (sorted(group, key=lambda claim: ORDER.index(claim.verdict)) for group in groups.values())
    others = [claim for row in zip_longest(*ranked) for claim in row if claim is not None]
    return [*(largest[id] for id in first), *others]


def key_table(claims: Sequence[Claim], named: Sequence[str] = ()) -> str:
    """Return the claims that matter most as a table in HTML, empty if the page makes none."""
    order = most_telling(claims, named)
    if not order:
        return ""
    count, shown = len(by_claim(claims)), order[:ROWS]
    all_below = f'{len(shown)} of the {count} claims of this page, <a href="#claims">all below</a>'
    what = "All claims of this page" if len(shown) == count else all_below
    rows = "".join(_row(claim, _told_apart(order)) for claim in shown)
    heads = "".join(f"<th>{head}</th>" for head in ("case", "predicted", "measured [interval]", "verdict"))
    return (
        f'<div class="key-table"><p class="caption">{what}</p>'
        f"<table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def cited(text: str) -> str:
    """Return the text of a page with the equations of the paper as links."""

    def link(match: re.Match[str]) -> str:
        numbers = re.findall(r"\d+", match[0])
        if len(numbers) == 1:
            return f'<a href="{ALL_EQUATIONS}#eq-{numbers[0]}">{match[0]}</a>'
        return linked(" ".join(match[0].split()))

    return _CITED.sub(link, text)


def _told_apart(claims: Iterable[Claim]) -> dict[str, str]:
    """Return by id what tells claims that say the same apart: their places in the paper or else what is measured."""
    groups: dict[str, list[Claim]] = {}
    for claim in claims:
        groups.setdefault(claim.statement, []).append(claim)
    found: dict[str, str] = {}
    for group in groups.values():
        if len(group) > 1:
            kind = "location" if len({claim.location for claim in group}) == len(group) else "quantity"
            found |= {claim.id: getattr(claim, kind) for claim in group if not claim.headline}
    return found


def _words(claim: Claim, apart: Mapping[str, str]) -> str:
    words = headline(claim) if claim.headline else in_symbols(of_paper(claim.statement))
    of_what = f" ({in_symbols(of_paper(apart[claim.id]))})" if claim.id in apart else ""
    return f'<a href="#{anchor(claim.id)}">{words.removesuffix(".")}</a>{of_what}'


def _bullet(claim: Claim, apart: Mapping[str, str]) -> str:
    numbers = f"<strong>{measured(claim)}</strong>, predicted {expected(claim)}"
    said = f'{chip(claim.verdict)} <span class="said">{_words(claim, apart)}</span>'
    return f'<li>{said} <span class="against">{numbers}</span></li>'


def _row(claim: Claim, apart: Mapping[str, str]) -> str:
    def cells() -> Iterator[str]:
        yield f'<td class="case">{_words(claim, apart)}</td>'
        yield f'<td data-head="predicted">{expected(claim)}</td>'
        yield f'<td data-head="measured">{measured(claim)}</td>'
        yield f"<td>{chip(claim.verdict)}</td>"

    return f"<tr>{''.join(cells())}</tr>"
