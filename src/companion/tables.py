"""Tables of a page: one data frame, shown with few digits, compared as text, offered whole as CSV."""

from __future__ import annotations

import base64
import html
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from companion.claims.words import in_symbols, number
from neural_scaling.base.checks import require

#: Rows of a table that is shown open; a longer one is folded.
OPEN_ROWS = 16

#: Heads of columns that many tables have, by the name that code uses.
HEADS = {
    "alpha": "α",
    "beta": "β",
    "gamma": "γ",
    "gamma0": "γ₀",
    "eta": "η",
    "width": "N",
    "batch": "B",
    "samples": "P",
    "exponent": "fitted",
    "interval": "95 %",
}
#: Columns of what was chosen, not measured.
CHOSEN = ("alpha", "beta", "gamma", "gamma0", "eta", "width", "batch", "samples")


class Table:
    """A data frame as a page shows it.

    Columns have names that code can use; ``heads`` says what stands above them, with symbol and unit. Numbers are shown with
    three significant digits, or as ``formats`` says for a column, for example ``".2f"``; NaN is no number; a pair is an
    interval or a window. The CSV holds them as measured.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        caption: str = "",
        heads: Mapping[str, str] | None = None,
        formats: Mapping[str, str] | None = None,
    ) -> None:
        self.frame, self.caption = frame, caption
        self.heads, self.formats = {**HEADS, **(heads or {})}, {**dict.fromkeys(CHOSEN, "g"), **(formats or {})}
        shown = [self.heads.get(name, name) for name in self.frame]
        require(len(set(shown)) == len(shown), "heads", f"two columns are called alike in {shown}", "name them apart")

    def strings(self) -> pd.DataFrame:
        """Return the cells as they are shown."""
        columns = {
            self.heads.get(name, name): [_shown(value, self.formats.get(name, "")) for value in self.frame[name]]
            for name in self.frame
        }
        return pd.DataFrame(columns, dtype=object)

    def __repr__(self) -> str:
        return (f"{self.caption}\n" if self.caption else "") + str(self.strings().to_string(index=False))

    def csv(self) -> str:
        """Return the numbers as measured; a pair takes two columns."""
        columns = {}
        for name in self.frame:
            values = list(self.frame[name])
            if any(isinstance(value, tuple) for value in values):
                for k, end in enumerate(("low", "high")):
                    columns[f"{name}_{end}"] = [value[k] if isinstance(value, tuple) else None for value in values]
            else:
                columns[name] = values
        return str(pd.DataFrame(columns).to_csv(index=False))

    def _repr_html_(self) -> str:
        body = str(self.strings().to_html(index=False, border=0, classes="numbers"))
        body = re.sub(r"<td>([^<]{40,})</td>", r'<td class="words">\1</td>', body)  # sentences are text
        body = re.sub(r"(<t[hd][^>]*>)([^<]+)", lambda cell: cell[1] + in_symbols(html.unescape(cell[2])), body)
        body = re.sub(r"(?<=[\d%>]) to (?=[−+\d])", "\N{NO-BREAK SPACE}to ", body)
        content = base64.b64encode(self.csv().encode()).decode()
        link = f'<a class="csv" download="table.csv" href="data:text/csv;base64,{content}">CSV</a>'
        caption = in_symbols(self.caption)
        if len(self.frame) > OPEN_ROWS:
            return f"<details><summary>{caption or 'Table'} ({len(self.frame)} rows)</summary>{body}{link}</details>"
        return (f'<p class="caption">{caption}</p>' if caption else "") + body + link


def holding(statements: Mapping[str, bool]) -> Table:
    """Return what must hold at any scale, and whether it does on this page."""
    frame = pd.DataFrame({"statement": list(statements), "holds": list(statements.values())})
    return Table(frame, heads={"statement": "what must hold at any scale"})


def _shown(value: Any, form: str) -> str:
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, tuple):
        return " to ".join(_shown(end, form) for end in value)
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "-"
    if form:
        return format(value, form)
    return f"{value:d}" if isinstance(value, int) else number(float(value), 3)
