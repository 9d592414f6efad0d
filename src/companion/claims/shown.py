"""Claims as a page shows them: lines to compare between runs, a Markdown table to read, one table of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import pandas as pd

from companion.claims.claim import ORDER, VERDICTS, Claim, as_json
from companion.claims.headlines import HEADLINES
from companion.claims.words import escaped, number
from neural_scaling.base.checks import choice, flag, instances, text


def listed(claims: Iterable[Claim]) -> list[Claim]:
    """Return claims as a list."""
    return instances(claims, "claims", Claim, "give a list of claims", fewest=0)


class Shown:
    """Claims as a page shows them: a table to read, and a line for each with id and verdict, which references compare."""

    def __init__(self, claims: Sequence[Claim], compared: Callable[[Claim], bool] = lambda claim: True) -> None:
        self.claims, self.compared = listed(claims), compared

    def __repr__(self) -> str:
        return "\n".join(f"{claim.id}: {claim.verdict}" for claim in self.claims if self.compared(claim))

    def _repr_markdown_(self) -> str:
        return to_markdown(self.claims)


class Cited:
    """Names of claims that other pages judge; a test looks them up in the ledger."""

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = [text(id, "ids") for id in ids]

    def __repr__(self) -> str:
        return f"Judged on other pages: {', '.join(self.ids)}"

    def _repr_markdown_(self) -> str:
        names = ", ".join(f"`{id}`" for id in self.ids)
        return f"Judged on other pages (see {{ref}}`claims-page`): {names}."


def cite(*ids: str) -> Cited:
    """Return the names of claims that other pages judge, as a page shows them."""
    return Cited(ids)


def by_claim(claims: Iterable[Claim]) -> list[tuple[Claim, list[Claim]]]:
    """Return every claim at its largest scale, each with its checks at smaller scales, in the order given."""
    groups: dict[str, list[Claim]] = {}
    for claim in listed(claims):
        groups.setdefault(claim.id, []).append(claim)
    ranked = (sorted(group, key=lambda claim: ORDER.index(claim.scale)) for group in groups.values())
    return [(group[-1], group[:-1][::-1]) for group in ranked]


def to_markdown(claims: Sequence[Claim], with_item: bool = False) -> str:
    """Return claims as a Markdown table, empty if there is none, each with its checks at smaller scales below it.

    The claim, what was measured and why stand in one wide column, the numbers and the verdict in narrow ones, so that the table
    fits a narrow page. The page that lists all claims shows their pages and scales (``with_item``).
    """
    claims, with_item = listed(claims), flag(with_item, "with_item")
    if not claims:
        return ""
    lines = ["| Claim | Predicted | Measured | Verdict |", "| :-- | :-- | :-- | :-- |"]
    for claim, checks in by_claim(claims):
        where = f"**{escaped(claim.location)}**"
        if with_item:
            where += f" ({escaped(claim.item)}, {escaped(claim.scale)})"
        text = f"{where}: {escaped(claim.statement)}<br>*{escaped(claim.quantity)}*<br>{escaped(claim.reason)}"
        for check in checks:
            seen = f"{_predicted(check)} predicted, {_measured(check)} measured: {check.verdict}"
            text += f"<br>At {check.scale} scale {escaped(seen)}"
        cells = (text, escaped(_predicted(claim)), escaped(_measured(claim)), f"**{claim.verdict}**")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def to_table(claims: Iterable[Claim]) -> pd.DataFrame:
    """Return claims as a table, a row each and a column for every field; a pair stays one."""
    rows = [as_json(claim) for claim in listed(claims)]
    flat = [{name: tuple(value) if isinstance(value, list) else value for name, value in row.items()} for row in rows]
    return pd.DataFrame(flat).drop(columns="runs", errors="ignore")


def headlines(claims: Iterable[Claim]) -> str:
    """Return the claims that answer whether the paper holds as a Markdown table: verdict, claim, number against number, page."""
    known = {claim.id: claim for claim, _ in by_claim(claims)}
    lines = ["| Verdict | Claim | Predicted | Measured | Page |", "| :-- | :-- | :-- | :-- | :-- |"]
    for id, words in HEADLINES.items():
        claim = known[choice(id, "claims", known)]
        predicted = _predicted(claim)
        if claim.verdict.startswith("correct"):
            predicted += f", corrected {number(claim.corrected, 3)}"
        page = f"[{claim.item}]({claim.item}.ipynb)"
        lines.append(f"| **{claim.verdict}** | {words} | {escaped(predicted)} | {escaped(_measured(claim))} | {page} |")
    return "\n".join(lines)


def summary(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return the number of claims by verdict at the largest scale of each, with what the verdict means."""
    counts = Counter(claim.verdict for claim, _ in by_claim(claims))
    return pd.DataFrame(
        [(verdict, counts[verdict], meaning) for verdict, meaning in VERDICTS.items()],
        columns=["verdict", "claims", "meaning"],
    )


def _predicted(claim: Claim) -> str:
    value = number(claim.predicted, 3)
    return value if claim.relation == "equals" else f"{claim.relation} {value}"


def _measured(claim: Claim) -> str:
    measured = number(claim.measured, 3)
    if claim.interval is None:
        return measured
    low, high = (number(end, 3) for end in claim.interval)
    return measured if low == measured == high else f"{measured} [{low}, {high}]"
