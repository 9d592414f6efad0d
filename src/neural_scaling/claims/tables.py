"""Claims as text: a plain table to compare between runs, a Markdown table to read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import get_args

from neural_scaling.claims.claim import Claim, Verdict


def number(value: float | None) -> str:
    """Print a number with two significant digits, steadily.

    Rounding noise is removed first (nine digits), and what is below 1e-6 prints as 0, so that the text does
    not depend on the number of threads.

    Parameters
    ----------
    value
        Number, or None.

    Returns
    -------
    str
        For example ``0.57``, ``1.2e+04`` or, for None, ``-``.
    """
    if value is None:
        return "-"
    if abs(value) < 1e-6:
        return "0"
    steady = float(f"{value:.9g}")
    if not math.isfinite(steady):
        return f"{steady:g}"
    decimals = max(0, 1 - math.floor(math.log10(abs(steady))))
    return f"{steady:.{decimals}f}" if 1e-4 <= abs(steady) < 1e4 else f"{steady:.1e}"


def table(claims: Sequence[Claim]) -> str:
    """Return claims as a plain text table with few digits, fit for comparison between runs.

    Parameters
    ----------
    claims
        Claims, one per line.

    Returns
    -------
    str
        Columns: claim, predicted, measured with interval, verdict.
    """
    rows = [("claim", "predicted", "measured", "verdict")]
    rows += [(claim.id, _predicted(claim), _measured(claim), claim.verdict) for claim in claims]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return "\n".join(line.rstrip() for line in lines)


def to_markdown(claims: Sequence[Claim], with_item: bool = False) -> str:
    """Return claims as a Markdown table for a page.

    Parameters
    ----------
    claims
        Claims, one per row.
    with_item
        Add the columns item and scale, for the page that lists all claims.

    Returns
    -------
    str
        Markdown; empty if there is no claim.
    """
    if not claims:
        return ""
    head = ["Where", "Claim", "Predicted", "Measured", "Verdict", "Why"]
    head = ["Item", "Scale", *head] if with_item else head
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for claim in claims:
        cells = [
            claim.location,
            f"{claim.statement} ({claim.quantity})",
            _predicted(claim),
            _measured(claim),
            f"**{claim.verdict}**",
            claim.reason,
        ]
        cells = [claim.item, claim.scale, *cells] if with_item else cells
        lines.append("| " + " | ".join(_cell(cell) for cell in cells) + " |")
    return "\n".join(lines)


def summary(claims: Sequence[Claim]) -> str:
    """Return the number of claims by verdict and scale as a small Markdown table.

    Parameters
    ----------
    claims
        Claims.

    Returns
    -------
    str
        Markdown; a sentence if there is no claim.
    """
    if not claims:
        return "The ledger is empty: no page has recorded a claim yet."
    scales = sorted({claim.scale for claim in claims}, reverse=True)
    lines = ["| Verdict | " + " | ".join(scales) + " |", "|" + " --- |" * (1 + len(scales))]
    for verdict in get_args(Verdict):
        counts = [sum(claim.verdict == verdict and claim.scale == scale for claim in claims) for scale in scales]
        lines.append(f"| {verdict} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _predicted(claim: Claim) -> str:
    return claim.predicted_text if claim.predicted is None and claim.predicted_text else number(claim.predicted)


def _measured(claim: Claim) -> str:
    if claim.interval is None:
        return number(claim.measured)
    return f"{number(claim.measured)} [{number(claim.interval[0])}, {number(claim.interval[1])}]"


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", r"\|")
