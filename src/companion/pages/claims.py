"""The page of all claims: the ledger by page, with a form that filters it and files to download."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

from companion.claims import VERDICTS, Claim, Kind, by_claim, to_html
from companion.claims.shown import page_name
from companion.claims.verdicts import chips, slug

#: Files of the ledger, seen from the page; ``book/_ext/ledger_files.py`` puts them there.
FILES = {"ledger.json": "JSON", "schema.json": "its schema", "ledger.csv": "CSV"}


def filter_form(claims: Iterable[Claim]) -> str:
    """Return the form that filters the list; it appears only where its script runs."""
    largest = [claim for claim, _ in by_claim(claims)]
    choices: dict[str, Mapping[str, str]] = {
        "verdict": {
            slug(verdict): verdict for verdict in VERDICTS if any(claim.verdict == verdict for claim in largest)
        },
        "page": {item: page_name(item) for item in dict.fromkeys(claim.item for claim in largest)},
        "kind": {kind: kind for kind in get_args(Kind)},
    }
    fields = [
        f'<label>{name.capitalize()} <select name="{name}"><option value="">all</option>'
        + "".join(f'<option value="{value}">{words}</option>' for value, words in options.items())
        + "</select></label>"
        for name, options in choices.items()
    ]
    return (
        f'<form class="claim-filter" hidden>{"".join(fields)}<label>Words <input name="q" type="search"></label>'
        '<button type="reset">Clear</button><button type="button" data-open>Open all pages</button>'
        f'<p role="status">{len(largest)} claims</p></form>'
    )


def claim_list(claims: Iterable[Claim]) -> str:
    """Return all claims as HTML, page by page; without the script every page stands open."""
    pages: dict[str, list[Claim]] = {}
    for claim in claims:
        pages.setdefault(claim.item, []).append(claim)
    return "".join(_page(item, pages[item]) for item in pages)


def _page(item: str, claims: Sequence[Claim]) -> str:
    line = f'<span class="said">{html.escape(page_name(item))}</span> {chips(claims)}'
    return f'<details class="claim-page" open><summary>{line}</summary>{to_html(claims, with_item=True)}</details>\n'


def downloads() -> str:
    """Return the links to the files of the ledger."""
    links = [f'<a href="../../_downloads/claims/{file}" download>{words}</a>' for file, words in FILES.items()]
    return f"<p>The ledger as a file: {', '.join(links)}.</p>"
