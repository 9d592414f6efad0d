"""Claims as text: a plain table to compare between runs, a Markdown table to read."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import get_args

import pandas as pd

from companion.claims.claim import Claim, Verdict, found
from neural_scaling.base.checks import flag, instances, real, whole


def number(value: float | None, digits: int = 2) -> str:
    """Print a number with few significant digits, or ``-`` for none: ``0.57``, ``1.2e+04``.

    Rounding noise is removed first (nine digits), and what is below 1e-6 prints as 0, so that the text does not depend on
    the number of threads.
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


def escaped(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line: no markup, mathematics, HTML or table in it takes effect."""
    return re.sub(r"([\\`*_{}\[\]<>#|$~^&])", r"\\\1", " ".join(text.split()))


def bound(value: float) -> str:
    """Print the power of ten above a size, at least 1e-9: a bound that rounding noise does not move."""
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
    """Return claims as a Markdown table, empty if there is none; with item and scale for the page that lists all claims.

    The claim, what was measured and why stand in one wide column, the numbers and the verdict in narrow ones, so that the table
    fits a narrow page.
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
        cells = (text, escaped(_predicted(claim)), escaped(_measured(claim)), f"**{claim.verdict}**")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def summary(claims: Sequence[Claim]) -> pd.DataFrame:
    """Return the number of claims by verdict, a row each, and scale, a column each."""
    claims = listed(claims)
    verdicts, scales = get_args(Verdict), sorted({claim.scale for claim in claims}, reverse=True)
    counts = Counter((claim.verdict, claim.scale) for claim in claims)
    return pd.DataFrame({"verdict": verdicts} | {scale: [counts[one, scale] for one in verdicts] for scale in scales})


def _predicted(claim: Claim) -> str:
    return claim.predicted_text if claim.predicted is None and claim.predicted_text else number(claim.predicted, 3)


def _measured(claim: Claim) -> str:
    measured = number(claim.measured, 3)
    if claim.interval is None:
        return measured
    low, high = (number(end, 3) for end in claim.interval)
    return measured if low == measured == high else f"{measured} [{low}, {high}]"
