"""Verdicts as a reader sees them, in plain HTML: a chip with a sign and a word, and a bar of how often each was reached."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable
from urllib.parse import urlencode

from companion.claims.claim import VERDICTS, Claim, Verdict, by_claim
from neural_scaling.base import checks

#: What stands beside the word, so that colour is not all that tells verdicts apart.
SIGNS: dict[Verdict, str] = {
    "confirmed": "✓",
    "close": "≈",
    "corrected": "→",
    "correction undecided": "→?",
    "not confirmed": "✗",
    "inconclusive": "?",
    "out of reach": "…",
}
#: The page that lists all claims, seen from the other executed pages.
ALL_CLAIMS = "claims.html"


def slug(verdict: str) -> str:
    """Return a verdict as one word, for classes and addresses."""
    return verdict.replace(" ", "-")


def chip(verdict: Verdict, count: int | None = None) -> str:
    """Return a verdict as HTML: sign and word, or sign and how often."""
    checks.choice(verdict, "verdict", VERDICTS)
    sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
    if count is None:
        return f'<span class="verdict {slug(verdict)}">{sign} {verdict}</span>'
    count = checks.whole(count, "count", least=0)
    words = f'<span class="heard">{verdict}: </span>'
    return f'<span class="verdict {slug(verdict)}" title="{verdict}">{sign} {words}{count}</span>'


def chips(claims: Iterable[Claim]) -> str:
    """Return how often claims, each at its largest scale, have which verdict, as HTML."""
    counts = Counter(claim.verdict for claim, _ in by_claim(claims))
    return " ".join(chip(verdict, counts[verdict]) for verdict in VERDICTS if counts[verdict])


def verdict_bar(claims: Iterable[Claim], page: str = ALL_CLAIMS) -> str:
    """Return how many claims have which verdict as a bar in HTML, whose segments lead to them on ``page``; empty is this one."""
    largest = [claim for claim, _ in by_claim(claims)]
    page = checks.text(page, "page")
    if not largest:
        return ""
    items = {claim.item for claim in largest}
    item = {"page": items.pop()} if len(items) == 1 else {}
    counts = Counter(claim.verdict for claim in largest)
    parts, words = [], []
    for verdict in (verdict for verdict in VERDICTS if counts[verdict]):
        count, address = counts[verdict], f"{page}#{urlencode({'verdict': slug(verdict), **item})}"
        link = f'href="{html.escape(address)}" data-verdict="{slug(verdict)}"'
        label = f'aria-label="{count} {verdict}" title="{verdict}: {VERDICTS[verdict]}"'
        sign = f'<span aria-hidden="true">{SIGNS[verdict]}</span>'
        parts.append(
            f'<a class="verdict {slug(verdict)}" {link} {label} style="flex-grow:{count}">{sign}&nbsp;{count}</a>'
        )
        words.append(f"{SIGNS[verdict]} {verdict}")
    return (
        f'<div class="verdict-bar" role="group" aria-label="{len(largest)} claims by verdict">{"".join(parts)}</div>'
        f'<p class="verdict-key" aria-hidden="true">{" · ".join(words)}</p>'
    )
