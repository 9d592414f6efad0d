"""Where in the paper claims belong: every section, equation, figure, table and footnote, with its claims or why it has none."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import pandas as pd

from companion.claims.claim import Claim, by_claim

_NUMBER = r"\d+(?:-\d+)?"
_LIST = rf"({_NUMBER}(?:(?:, |, and | and ){_NUMBER})*)"
_KINDS = {
    "section": r"[Ss]ections? (\d(?:\.\d)?)",
    "App.": r"(?:App\.|Appendix) ([A-G])",
    "Fig.": rf"Figs?\. {_LIST}",
    "Table": r"Table (1)",
    "eq.": rf"(?:\b[Ee]qs?\.|\b[Ee]quations?) {_LIST}",
    "footnote": r"footnote (\d)",
}

#: Number of the last equation of arXiv v1.
EQUATIONS = 85
#: The page of all equations, seen from the executed pages.
ALL_EQUATIONS = "../equations.html"

#: Parts of arXiv v1 in its order. Captions belong to their figures.
PARTS = (
    *(f"section {name}" for name in ("1", "2", "3", "4", "5.1", "5.2", "6")),
    *(f"App. {name}" for name in "ABCDEFG"),
    *(f"Fig. {number}" for number in range(1, 13)),
    "Table 1",
    *(f"footnote {number}" for number in range(1, 5)),
    *(f"eq. {number}" for number in range(1, EQUATIONS + 1)),
)

_PROCESS = "one of the processes behind eq. 41, whose solution is judged"

#: Why a part has no claim.
WITHOUT: dict[str, str] = {
    "App. A": "holds Figures 7 and 8",
    "App. F": "its equations have claims, eqs. 79-83",
    "footnote 1": "a normalisation that is free",
    "footnote 3": "names: the source of another work is half of this one",
    "eq. 1": "the form of a scaling law, no statement about this model",
    **dict.fromkeys(("eq. 2", "eq. 3", "eq. 15", "eq. 32", "eq. 33", "eq. 34", "eq. 35", "eq. 36"), "a definition"),
    **dict.fromkeys(("eq. 84", "eq. 85"), "a definition"),
    "eq. 5": "a definition; the notes on the printed equations have its factor 1/N",
    "eq. 6": "a definition; the notes on the printed equations have its sign",
    "eq. 13": "a definition of the task",
    **dict.fromkeys(("eq. 37", "eq. 38", "eq. 39", "eq. 40"), _PROCESS),
    "eq. 42": "a definition",
    "eq. 57": "a step towards eqs. 58 and 59",
    **dict.fromkeys(("eq. 60", "eq. 61"), "steps towards eq. 62"),
    "eq. 81": "its misprint is among the notes on the printed equations; eqs. 82 and 83 rest on it",
}


def places(location: str) -> set[str]:
    """Return the parts of the paper that a location names, ranges of equations expanded."""
    found = set()
    for kind, pattern in _KINDS.items():
        for match in re.findall(pattern, location):
            if kind in ("eq.", "Fig."):
                for first, last in re.findall(r"(\d+)(?:-(\d+))?", match):
                    found |= {f"{kind} {number}" for number in range(int(first), int(last or first) + 1)}
            else:
                found.add(f"{kind} {match}")
    return found


def equations(location: str) -> list[int]:
    """Return the numbers of the equations that a text cites."""
    return sorted(int(part.removeprefix("eq. ")) for part in places(" ".join(location.split())) if part[:3] == "eq.")


def of_paper(text: str) -> str:
    """Return a text that names equations as those of the paper, since the book numbers its own as well."""
    text = re.sub(r"(?<![Pp]aper )\beq(s?\. \d)", r"paper eq\1", text)
    return re.sub(r"(?<![Pp]aper )\bEq(s?\. \d)", r"Paper eq\1", text)


def linked(location: str) -> str:
    """Return a location in HTML with its equations named as those of the paper, and as links."""

    def links(match: re.Match[str]) -> str:
        return re.sub(r"(\d+)(-\d+)?", rf'<a href="{ALL_EQUATIONS}#eq-\1">\g<0></a>', match[0])

    return re.sub(_KINDS["eq."], links, of_paper(location))


def index(claims: Iterable[Claim], without: Mapping[str, str] = WITHOUT) -> pd.DataFrame:
    """Return every part of the paper with the ids of its claims, or with the reason why it has none."""
    known: dict[str, list[str]] = {}
    for claim, _ in by_claim(claims):
        for part in places(claim.location):
            known.setdefault(part, []).append(claim.id)
    rows = [(part, ", ".join(known.get(part, [])) or without.get(part, "")) for part in PARTS]
    return pd.DataFrame(rows, columns=["part", "claims"])
