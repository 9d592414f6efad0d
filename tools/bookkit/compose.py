"""The page of an item: its notebook at the largest scale without code between the paragraphs, and below it all that made it.

The small-scale run of the same notebook is the live check of the page: computed from nothing in every build.
"""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import nbformat
import yaml
from nbformat import NotebookNode

from bookkit import ledger, parameters, registry, stamps, top
from bookkit.pages import toc_pages
from bookkit.project import Project, write_atomically
from bookkit.registry import Job
from companion import record
from companion.claims import Claim, headlines, verdict_bar
from companion.claims.verdicts import chips
from companion.claims.words import number

_CELL, _HEAD = re.compile(r"^(# %%(?: \[markdown\])?).*$", re.MULTILINE), r"\1"

#: Pages that the front page names elsewhere, and those of the paper's figures and table in its order.
FRONT = ("intro", "explore", "claims", "errata")
PAPER = ("fig01", "fig02", "fig03", "fig04", "table1", "fig05", "fig06", "fig07", "fig08", "fig09", "fig10", "fig11")


def write(project: Project) -> None:
    """Write the page of every item that is not there yet or differs; remove pages of items that are no more."""
    items = registry.items(project)
    for item in items:
        path = project.pages / f"{item}.ipynb"
        text = nbformat.writes(page(project, item)) + "\n"
        if not path.is_file() or path.read_text("utf-8") != text:
            write_atomically(path, text)
    for path in project.pages.glob("*"):
        if path.stem not in items:
            path.unlink()


def page(project: Project, item: str) -> NotebookNode:
    """Return the page of an item."""
    jobs = [registry.job(project, item, scale) for scale in registry.book_scales(project, item)]
    notebook = nbformat.read(project.executed / f"{jobs[-1].page}.ipynb", as_version=4)
    claims = ledger.read(project.claims(item, jobs[-1].scale))
    said: list[str] = []
    cells: list[NotebookNode] = []
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", []))
        if cell.cell_type == "code":
            if "provenance" in tags:
                said += [output.get("text", "") for output in cell.outputs]
            if "provenance" in tags or not cell.outputs:
                continue
            cell.metadata["tags"] = sorted((tags - {"hide-input"}) | {"remove-input"})
        cells.append(cell)
    title, _, text = cells[0].source.partition("\n\n")
    beside, rest = top.columns(text, claims)
    cells[0].source = "\n\n".join(filter(None, [title, _head(project, jobs[-1], claims), beside, rest]))
    for cell in cells:
        if cell.cell_type == "markdown":
            cell.source = top.cited(cell.source)
        for mark, made in MARKS.items():
            if mark in cell.source:
                cell.source = cell.source.replace(mark, made(project))
    if beside:  # figure and table of what matters most come first, wherever the notebook makes them
        lead = _lead(cells)
        table = top.key_table(claims, top.named_claims(text))
        moved = [
            *([cells.pop(cells.index(lead))] if lead else []),
            *([nbformat.v4.new_markdown_cell(table)] if table else []),
        ]
        cells[1:1] = moved
    cells += [nbformat.v4.new_markdown_cell(part) for part in _below(project, jobs, claims, said)]
    for index, cell in enumerate(cells):
        cell["id"] = f"cell-{index}"
    notebook.cells = cells
    return notebook


def _lead(cells: Iterable[NotebookNode]) -> NotebookNode | None:
    """Return the cell of the figure that stands for a page: the one tagged ``lead``, else the first."""
    figures = [cell for cell in cells if "figure" in cell.metadata.get("mystnb", {})]
    tagged = [cell for cell in figures if "lead" in cell.metadata.get("tags", [])]
    return next(iter([*tagged, *figures]), None)


def _answer(project: Project) -> str:
    """Return how all claims stand, and those that answer whether the paper holds."""
    claims = ledger.read(project.ledger)
    return verdict_bar(claims) + "\n\n" + headlines(claims)


def _cards(project: Project) -> str:
    """Return a card for every page: thumbnail, title, scale and how its claims stand; the figures of the paper come first."""
    named = [page.rpartition("/")[2] for page in toc_pages(project) if page.startswith("book/pages/")]
    items = [item for item in named if item not in FRONT]
    order = sorted(items, key=lambda item: PAPER.index(item) if item in PAPER else len(PAPER))
    return f'<div class="cards-of-pages">{"".join(_card(project, item) for item in order)}</div>'


def _card(project: Project, item: str) -> str:
    scale = registry.book_scales(project, item)[-1]
    job = registry.job(project, item, scale)
    notebook = nbformat.read(project.executed / f"{job.page}.ipynb", as_version=4)
    title = notebook.cells[0].source.partition("\n\n")[0].splitlines()[-1].lstrip("# ")
    lead = _lead(notebook.cells)
    picture, links = "", {"rerun": f"{item}.html#{_rerun_label(item)}"}
    if lead:
        figure = f"../../_figures/{item}-{lead.metadata.mystnb.figure.name}"
        picture = f'<img src="{figure}.png" alt="" role="presentation" loading="lazy">'
        links = {"CSV": f"{figure}.csv", "NPZ": f"{figure}.npz", **links} if _has_curves(lead) else links
    counts = chips(ledger.read(project.claims(item, scale)))
    words = f'<span class="title">{html.escape(title)}</span><span class="scale">{_named(scale)}</span>'
    page = f'<a class="page" href="{item}.html">{picture}{words}<span>{counts}</span></a>'
    small = " · ".join(
        f'<a {"" if name == "rerun" else "download "}href="{address}" aria-label="{name}: {html.escape(title)}">{name}</a>'
        for name, address in links.items()
    )
    return f'<div class="card-of-page">{page}<span class="links">{small}</span></div>'


def _has_curves(cell: NotebookNode) -> bool:
    """Return whether the figure of a cell offers its curves."""
    pictures = (output.get("data", {}).get("image/svg+xml", "") for output in cell.outputs)
    found = (CURVES.search(picture) for picture in pictures)
    return any(one is not None and bool(json.loads(html.unescape(one[1]))["curves"]) for one in found)


def _rerun_label(item: str) -> str:
    """Return the label of the part of a page that says how to make it again."""
    return f"{item.replace('_', '-')}-rerun"


#: Where the figure of a cell says what it is made of (``companion.style``).
CURVES = re.compile(r'<metadata id="figure">(.*?)</metadata>', re.DOTALL)

#: What composing puts in place of a mark on a page.
MARKS: Mapping[str, Callable[[Project], str]] = {"<!-- answer -->": _answer, "<!-- cards -->": _cards}


def _named(scale: str) -> str:
    """Return the scale in words; what has no larger one is computed whenever the book is built."""
    return "computed in this build" if scale == "small" else f"{scale} scale"


def _head(project: Project, largest: Job, claims: list[Claim]) -> str:
    """Return the line below the title: scale, what the kept runs cost, how the claims stand."""
    records = _records(project, largest)
    words = [_named(largest.scale)]
    if records:
        count = "1 run" if len(records) == 1 else f"{len(records)} runs"
        words.append(f"{count}, {_hours(sum(record['seconds'] for record in records))} of computing")
    badge = f'<p class="page-head"><span class="scale">{" · ".join(words)}</span></p>'
    return badge + ("\n\n" + verdict_bar(claims) if claims else "")


def _below(project: Project, jobs: list[Job], claims: list[Claim], said: list[str]) -> Iterator[str]:
    """Yield the parts below the page, each folded."""
    item, small, largest = jobs[0].item, jobs[0], jobs[-1]
    yield "## Behind this page"
    rows = list(_parameters(project, jobs))
    if rows:
        yield _folded("Parameters", "\n".join(rows))
    if largest is not small:
        yield _folded("Live check", "\n".join(_live(project, small, claims)))
    yield _folded("Rerun", "\n".join(_rerun(project, largest)), _rerun_label(item))
    listings = [f"notebooks/{item}.py", f"src/companion/pages/{item}.py"]
    code = [
        # What cells say to the builder is left out: captions make lines of thousands of characters.
        f"{{download}}`{name} <../../{name}>`\n\n~~~~~python\n{_CELL.sub(_HEAD, path.read_text('utf-8')).rstrip()}\n~~~~~\n"
        for name in listings
        if (path := project.root / name).is_file()
    ]
    yield _folded("Code of this page", "\n".join(code))
    text = "".join(said).strip()
    yield _folded("Provenance", f"```text\n{text}\n```")
    yield f'<p class="provenance">{html.escape(_provenance(project, jobs, text))}</p>'


def _provenance(project: Project, jobs: list[Job], said: str) -> str:
    """Return in one line what made a page: the runs that it shows, or this build."""
    records = _records(project, jobs[-1])
    if not records:
        seconds = (stamps.read_stamp(project, jobs[-1]) or {}).get("seconds", 0)
        return f"{said.partition(chr(10))[0]} · {_hours(seconds)}"
    commits, days = (sorted({one[name] for one in records}) for name in ("commit", "date"))
    runs = "1 run" if len(records) == 1 else f"{len(records)} runs"
    named = f"commit{'s' if len(commits) > 1 else ''} {', '.join(commits[:3])}"
    named += f" and {len(commits) - 3} more" if len(commits) > 3 else ""
    when = days[0][:10] if days[0][:10] == days[-1][:10] else f"{days[0][:10]} to {days[-1][:10]}"
    machines = "; ".join(sorted({one["hardware"] for one in records}))
    return f"{runs} · {named} · {machines} · {_hours(sum(one['seconds'] for one in records))} · {when}"


def _folded(title: str, content: str, label: str = "") -> str:
    name = f":name: {label}\n\n" if label else ""
    return f"::::{{dropdown}} {title}\n{name}{content}\n::::"


def _parameters(project: Project, jobs: list[Job]) -> Iterator[str]:
    """Yield the rows of the table of parameters: meaning, value on this page, in the live check, and whose choice it is."""
    small, largest = jobs[0].values, jobs[-1].values
    names = [name for name in small if name != "scale"]
    if not names:
        return
    item = jobs[0].item
    full = registry.job(project, item, registry.scales(project, item)[-1]).values
    notes = record.comments(parameters.cell_source(registry.source(project, item)))
    two = len(jobs) > 1
    yield "| Parameter | Meaning | Value |" + (" Live check |" if two else "") + " From |"
    yield "| :-- | :-- | :-- |" + (" :-- |" if two else "") + " :-- |"
    for name in names:
        meaning = record.without_mark(notes.get(name, "")).replace("|", "\\|")
        values = [record.words(one[name]) for one in ((largest, small) if two else (largest,))]
        whose = record.evidence(item, name, largest[name], full[name])
        yield "| " + " | ".join([f"`{name}`", meaning, *values, whose]) + " |"


def _live(project: Project, small: Job, claims: list[Claim]) -> Iterator[str]:
    """Yield what the small run of this build says of the claims of the page."""
    stamp = stamps.read_stamp(project, small) or {}
    known = {claim.id: claim for claim in claims}
    checks = ledger.read(project.claims(small.item, small.scale))
    yield f"The same notebook at small scale, computed from nothing in this build in {stamp.get('seconds', 0):.0f} s of a core."
    yield ""
    if not checks:
        yield "It makes no claim: what it prints is compared with the committed reference."
        return
    yield "| Claim | Live | Verdict, live | Verdict, this page |"
    yield "| :-- | :-- | :-- | :-- |"
    for check in checks:
        whole = known.get(check.id)
        interval = "" if check.interval is None else " [{}, {}]".format(*(number(end, 3) for end in check.interval))
        same = "the same" if whole and whole.verdict == check.verdict else (whole.verdict if whole else "only here")
        yield f"| `{check.id}` | {number(check.measured, 3)}{interval} | {check.verdict} | {same} |"


def _rerun(project: Project, largest: Job) -> Iterator[str]:
    """Yield the commands that make this page again, with what they cost."""
    records = _records(project, largest)
    scale = "" if largest.scale == "small" else f" --scale {largest.scale}"
    yield "In a clone of the repository whose environment `nox -s env` made, the page as it stands here:\n"
    yield f"```bash\n.venv/bin/nox -s execute -- {largest.item}{scale}\n```\n"
    if records:
        spent, machines = sum(record["seconds"] for record in records), sorted({r["hardware"] for r in records})
        yield "Its runs are shipped. To compute them anew, resumable at any moment:\n"
        yield f"```bash\n.venv/bin/python -m companion runs {largest.item} --scale {largest.scale} --force\n```\n"
        yield f"They took {_hours(spent)} on {'; '.join(map(html.escape, machines))}."
    name = next((name for name in largest.values if name != "scale"), None)
    if name:
        value = (
            yaml.safe_dump(largest.values[name], default_flow_style=True, width=math.inf).removesuffix("...\n").strip()
        )
        yield "\nAny parameter can be changed, for example:\n"
        yield f"```bash\n.venv/bin/nox -s execute -- {largest.item}{scale} -p {name} '{value}'\n```"


def _records(project: Project, largest: Job) -> list[Mapping[str, Any]]:
    """Return the provenance of the kept runs of a page."""
    if largest.scale == "small":
        return []
    files: Iterable[Any] = sorted(project.results(largest.item).glob("*.json"))
    read = [json.loads(file.read_text("utf-8")) for file in files]
    return [record["provenance"] for record in read if "provenance" in record]


def _hours(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 3600 else f"{seconds / 3600:.1f} h"
