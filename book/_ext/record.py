"""Put the tables of the reproducibility record into its page: ``{record} setup fig02``, ``splits``, ``hardware``, ``software``.

They are made from the parameters and the shipped results while the book is built, so that no value is written twice.
"""

from __future__ import annotations

import base64
from typing import Any, ClassVar

import pandas as pd
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from companion import record


class Record(SphinxDirective):
    """One table, under the name of the function of ``companion.record`` that makes it."""

    required_arguments = 1
    optional_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        """Make the table."""
        for path in record.sources():
            self.env.note_dependency(str(path))
        what, *item = self.arguments
        match what:
            case "setup":
                return [as_table(record.setup(*item))]
            case "splits":
                return [as_table(record.splits())]
            case "hardware":
                found = record.records()
                return [as_table(record.hardware(found)), as_download(found, "runs.csv")]
            case "software":
                return [as_table(record.software(record.records()))]
            case _:
                raise self.error(f"{what!r} is no table of the record; use setup, splits, hardware or software")


def as_table(frame: pd.DataFrame) -> nodes.table:
    """Return a data frame as a table of plain text; names of parameters stand as code."""
    table, group = nodes.table(classes=["colwidths-auto", "record"]), nodes.tgroup(cols=frame.shape[1])
    head, body = nodes.thead(), nodes.tbody()
    group += [*(nodes.colspec(colwidth=1) for _ in frame.columns), head, body]
    table += group
    head += _row([nodes.Text(str(name)) for name in frame])
    coded = frame.columns[0] in ("parameter", "item")
    for _, row in frame.iterrows():
        cells: list[nodes.Node] = [nodes.Text(str(value)) for value in row]
        if coded:
            cells[0] = nodes.literal(text=str(row.iloc[0]))
        body += _row(cells)
    return table


def _row(cells: list[nodes.Node]) -> nodes.row:
    row = nodes.row()
    row += [nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells]
    return row


def as_download(frame: pd.DataFrame, name: str) -> nodes.raw:
    """Return a link that holds a data frame as CSV."""
    content = base64.b64encode(frame.to_csv(index=False).encode()).decode()
    link = f'<p><a class="csv" download="{name}" href="data:text/csv;base64,{content}">All {len(frame)} runs as CSV</a></p>'
    return nodes.raw("", link, format="html")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directive."""
    app.add_directive("record", Record)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
