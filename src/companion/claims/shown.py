"""Claims as a page shows them: one line each that opens to its numbers; lines to compare between runs; one table of all."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from companion.claims.claim import OPEN, VERDICTS, Claim, as_json, by_claim, listed
from companion.claims.headlines import HEADLINES
from companion.claims.places import linked, of_paper
from companion.claims.verdicts import ALL_CLAIMS, chip, slug
from companion.claims.words import in_symbols, number, with_formulas
from neural_scaling.base.checks import choice, flag, text

#: Names of pages that are not those of a figure or table.
NAMES = {"losslaw": "Loss law", "sgdnoise": "SGD noise", "mnist1m": "MNIST-1M", "mup": "Parametrization"}


class Shown:
    """Claims as a page shows them: lines that open, and a line for each with id and verdict, which references compare."""

    def __init__(self, claims: Sequence[Claim], compared: Callable[[Claim], bool] = lambda claim: True) -> None:
        self.claims, self.compared = listed(claims), compared

    def __repr__(self) -> str:
        return "\n".join(f"{claim.id}: {claim.verdict}" for claim in self.claims if self.compared(claim))

    def _repr_html_(self) -> str:
        return to_html(self.claims)


class Cited:
    """Names of claims that other pages judge; a test looks them up in the ledger."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = [text(id, "ids") for id in ids]

    def __repr__(self) -> str:
        return f"Judged on other pages: {', '.join(self.ids)}"

    def _repr_html_(self) -> str:
        names = ", ".join(f'<a href="{ALL_CLAIMS}#{anchor(id)}"><code>{html.escape(id)}</code></a>' for id in self.ids)
        return f"<p>Judged on other pages: {names}.</p>"


def cite(*ids: str) -> Cited:
    """Return the names of claims that other pages judge, as a page shows them."""
    return Cited(ids)


def anchor(id: str) -> str:
    """Return the anchor of a claim, on the page that judges it and on that of all claims."""
    return f"claim-{html.escape(id)}"


def address(claim: Claim) -> str:
    """Return the page that judges a claim, seen from other pages of items."""
    return f"{claim.item}.html"


def page_name(item: str) -> str:
    """Return what a page is called in a word or two."""
    kind, figure = re.fullmatch(r"(fig|table)?(.*)", item).groups()  # type: ignore[union-attr]
    if kind:
        return f"{'Figure' if kind == 'fig' else 'Table'} {int(figure)}"
    return NAMES.get(item, item.replace("_", " ").capitalize())


def to_html(claims: Sequence[Claim], with_item: bool = False) -> str:
    """Return claims as HTML, a line each that opens; with ``with_item`` a line leads to its page, else to that of all claims."""
    claims, with_item = listed(claims), flag(with_item, "with_item")
    lines = "".join(_line(claim, checks, with_item) for claim, checks in by_claim(claims))
    return f'<div class="claims">{lines}</div>' if lines else ""


def _line(claim: Claim, checks: Sequence[Claim], with_item: bool) -> str:
    name = page_name(claim.item)
    where = f'<span class="where">{_said(claim.location)}</span>'
    tags = f'{where} <span class="tag">{claim.kind}</span>' + (f'<span class="tag">{name}</span>' if with_item else "")
    link = f'<a href="{address(claim)}#{anchor(claim.id)}">{name}, {claim.scale} scale</a>'
    if not with_item:
        link = f'<a href="{ALL_CLAIMS}#{anchor(claim.id)}">among all claims</a>'
    rows = {
        "Of": _said(claim.quantity),
        "Predicted": in_symbols(_predicted(claim)),
        "Corrected": "" if claim.corrected is None else in_symbols(number(claim.corrected, 3)),
        "Measured": _said(_measured(claim) + (f" ({claim.meaning})" if claim.meaning else "")),
        "Window": "" if claim.window is None else in_symbols(" to ".join(f"{end:.4g}" for end in claim.window)),
        "Seeds": "" if claim.seeds is None else str(claim.seeds),
        "Tolerance": _said(claim.rule if claim.tolerance == 0 else f"{claim.tolerance:.2g}: {claim.rule}"),
        "Reason": _said(claim.reason.removesuffix(f"; {claim.needs}")),
        "Would decide it": _said(_decides(claim)),
        "Live check": "<br>".join(map(_check, checks)),
        "Place": linked(html.escape(claim.location)),
        "Judged on" if with_item else "See it": link,
        "Runs": " ".join(f"<code>{key}</code>" for key in claim.runs),
        "Id": f"<code>{html.escape(claim.id)}</code>",
    }
    body = "".join(f"<dt>{head}</dt><dd>{value}</dd>" for head, value in rows.items() if value)
    data = ""
    if with_item:
        plain = html.escape(f"{claim.statement}; {claim.quantity}; {claim.reason}")  # as readers type it into the form
        data = f'data-verdict="{slug(claim.verdict)}" data-page="{claim.item}" data-kind="{claim.kind}" data-plain="{plain}"'
    return (
        f'<details class="claim" id="{anchor(claim.id)}" {data}><summary>{chip(claim.verdict)} '
        f'<span class="said">{_said(claim.statement)}</span> {tags}</summary><dl>{body}</dl></details>\n'
    )


def _said(text: str) -> str:
    return in_symbols(of_paper(text))


def _check(check: Claim) -> str:
    found = f"{_predicted(check)} predicted, {_measured(check)} measured"
    return f"{check.scale}: {in_symbols(found)} {chip(check.verdict)}"


def to_table(claims: Iterable[Claim]) -> pd.DataFrame:
    """Return claims as a table, a row each and a column for every field; a pair stays one."""
    rows = [as_json(claim) for claim in listed(claims)]
    flat = [{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows]
    return pd.DataFrame(flat).drop(columns="runs", errors="ignore")


def headlines(claims: Iterable[Claim]) -> str:
    """Return the claims that answer whether the paper holds as HTML: verdict, claim, number against number, page."""
    known = {claim.id: claim for claim, _ in by_claim(claims)}
    lines = []
    for id in HEADLINES:
        claim = known[choice(id, "claims", known)]
        lines.append(
            f'<li>{chip(claim.verdict)} <span class="said"><a href="{ALL_CLAIMS}#{anchor(id)}">{headline(claim)}</a></span> '
            f'<span class="against">predicted {expected(claim)}, measured {measured(claim)}{_open(claim)} '
            f'<a class="tag" href="{address(claim)}">{page_name(claim.item)}</a></span></li>\n'
        )
    return f'<ul class="claims headlines">{"".join(lines)}</ul>'


def headline(claim: Claim) -> str:
    """Return the line of a claim that tells whether the paper holds, as HTML; one that is corrected is said to be the paper's."""
    return ("Paper: " if claim.verdict == "corrected" else "") + with_formulas(HEADLINES[claim.id])


def expected(claim: Claim) -> str:
    """Return as HTML what a claim predicts, its correction where the claim is judged by one, and what is allowed either way."""
    corrected = f", corrected {number(claim.corrected, 3)}" if claim.verdict.startswith("correct") else ""
    allowed = f" ± {claim.tolerance:.2g}" if claim.tolerance and (corrected or claim.relation == "equals") else ""
    return in_symbols(_predicted(claim) + corrected + allowed)


def measured(claim: Claim) -> str:
    """Return as HTML what was measured, with its interval."""
    return in_symbols(_measured(claim))


def summary(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return the number of claims by verdict at the largest scale of each, with what the verdict means."""
    counts = Counter(claim.verdict for claim, _ in by_claim(claims))
    return pd.DataFrame(
        [(verdict, counts[verdict], meaning) for verdict, meaning in VERDICTS.items()],
        columns=["verdict", "claims", "meaning"],
    )


def _decides(claim: Claim) -> str:
    """Return what would decide a claim, if it is open."""
    return claim.needs.removesuffix(" would decide it").rstrip(",") if claim.verdict in OPEN else ""


def _open(claim: Claim) -> str:
    needs = _decides(claim)
    return f"; would decide it: {_said(needs)}" if needs else ""


def _predicted(claim: Claim) -> str:
    value = number(claim.predicted, 3)
    return value if claim.relation == "equals" else f"{claim.relation} {value}"


def _measured(claim: Claim) -> str:
    measured = number(claim.measured, 3)
    if claim.interval is None:
        return measured
    low, high = (number(end, 3) for end in claim.interval)
    return measured if low == measured == high else f"{measured} [{low}, {high}]"
