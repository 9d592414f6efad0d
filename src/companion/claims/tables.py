"""Claims as text: a plain table to compare between runs, a Markdown table to read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

from companion.claims.claim import Claim, Verdict, found
from neural_scaling.base.checks import flag, instances, real, whole


def number(value: float | None, digits: int = 2) -> str:
    """Print a number with few significant digits, steadily.

    Rounding noise is removed first (nine digits), and what is below 1e-6 prints as 0, so that the text does
    not depend on the number of threads.

    Parameters
    ----------
    value
        Number, or None or NaN where there is none.
    digits
        Significant digits.

    Returns
    -------
    str
        For example ``0.57``, ``1.2e+04`` or, for no number, ``-``.
    """
    digits = whole(digits, "digits")
    if value is None or math.isnan(found(value, "value")):
        return "-"
    steady = float(f"{found(value, 'value'):.9g}")
    if abs(steady) < 1e-6:
        return "0"
    if not math.isfinite(steady):
        return f"{steady:g}"
    decimals = max(0, digits - 1 - math.floor(math.log10(abs(steady))))
    return f"{steady:.{decimals}f}" if 1e-4 <= abs(steady) < 1e4 else f"{steady:.{digits - 1}e}"


def fixed(value: float, decimals: int) -> str:
    """Print a number with so many decimals, or ``-`` for NaN, which stands for no number."""
    return "-" if math.isnan(value) else f"{value:.{decimals}f}"


def escaped(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line: no markup, mathematics, HTML or table in it takes effect."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~^&])", r"\\\1", " ".join(text.split()))


def bound(value: float) -> str:
    """Print the power of ten above a size, at least 1e-9: a bound that rounding noise does not move.

    Parameters
    ----------
    value
        Size, >= 0.

    Returns
    -------
    str
        For example ``less than 1e-05``.
    """
    size = max(real(value, "value", least=0.0), 1e-9)
    return f"less than {10.0 ** math.ceil(math.log10(size) + 1e-9):.0e}"


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


def to_markdown(claims: Sequence[Claim], with_item: bool = False) -> str:
    """Return claims as a Markdown table for a page.

    The claim, what was measured and why stand in one wide column, the numbers and the verdict in narrow ones, so that
    the table fits a narrow page.

    Parameters
    ----------
    claims
        Claims, one per row.
    with_item
        Name item and scale too, for the page that lists all claims.

    Returns
    -------
    str
        Markdown; empty if there is no claim.
    """
    claims, with_item = listed(claims), flag(with_item, "with_item")
    if not claims:
        return ""
    lines = ["| Claim | Predicted | Measured | Verdict |", "| :-- | :-- | :-- | :-- |"]
    for claim in claims:
        where = f"**{escaped(claim.location)}**"
        if with_item:
            where += f" ({escaped(claim.item)}, {escaped(claim.scale)})"
        text = f"{where}: {escaped(claim.statement)}<br>*{escaped(claim.quantity)}*<br>{escaped(claim.reason)}"
        cells = (text, escaped(_predicted(claim, 3)), escaped(_measured(claim, 3)), f"**{claim.verdict}**")
        lines.append("| " + " | ".join(cells) + " |")
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
    claims = listed(claims)
    if not claims:
        return "The ledger is empty: no page has recorded a claim yet."
    scales = sorted({claim.scale for claim in claims}, reverse=True)
    lines = ["| Verdict | " + " | ".join(scales) + " |", "|" + " --- |" * (1 + len(scales))]
    for verdict in get_args(Verdict):
        counts = [sum(claim.verdict == verdict and claim.scale == scale for claim in claims) for scale in scales]
        lines.append(f"| {verdict} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _predicted(claim: Claim, digits: int) -> str:
    if claim.predicted is None and claim.predicted_text:
        return claim.predicted_text
    return number(claim.predicted, digits)


def _measured(claim: Claim, digits: int) -> str:
    measured = number(claim.measured, digits)
    if claim.interval is None:
        return measured
    low, high = (number(end, digits) for end in claim.interval)
    return measured if low == measured == high else f"{measured} [{low}, {high}]"
