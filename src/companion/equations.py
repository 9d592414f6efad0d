"""Every equation of the paper: what it says, what computes it, the pages that judge it and what is wrong with it in print.

Only the meanings are written here. Functions are found by their docstrings, pages by their text and by the locations of claims,
corrections by those of the errata; why an equation has no claim stands in :mod:`companion.claims.places`.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from companion.claims import Claim, by_claim
from companion.claims.places import EQUATIONS, WITHOUT, equations
from companion.claims.shown import address, anchor, page_name
from companion.errata import ERRATA, Erratum

#: Pages that list what others say, and this one.
LISTS = ("claims", "errata", "equations")
#: The line of ``book/equations.md`` that the list replaces.
MARK = "<!-- the equations -->"

MEANINGS: dict[int, str] = {
    1: "the form of a scaling law in time and parameters",
    2: "features of the infinitely wide network, covariance $\\Lambda$",
    3: "student $f = \\frac1N w \\cdot A\\psi$ and target $y = w^* \\cdot \\psi$",
    4: "projected SGD: the steps of $w$ and $A$",
    5: "test loss $v^{0\\top} \\Lambda v^0$",
    6: "capacity $\\alpha$ and source $\\beta$",
    7: "norm of the target in the kernel's Hilbert space",
    8: "loss law, lazy",
    9: "loss law, rich",
    10: "exponent $\\chi(\\beta)$ of the loss in time",
    11: "growth of the kernel and the modes learned",
    12: "model bottleneck from the top $N$ modes",
    13: "target and kernel on the circle",
    14: "capacity and source of networks on the circle",
    15: "the model as a two-layer linear network",
    16: "$A(t) = B(t) A(0)$",
    17: "gradient descent on $w$ and $B$",
    18: "the fields $v^0, \\dots, v^4$ and $v^w$",
    19: "dynamics of $A$ and $w$ by correlations",
    20: "dynamics of $v^0$ and $v^w$",
    21: "noise of a batch: $v^1$ and $v^2$ after the average over data",
    22: "correlations $C_0$ and $C_1$",
    23: "noise of finite width: $v^3$ and $v^4$ after the average over $A(0)$",
    24: "correlations $C_2$ and $C_3$",
    25: "single-site equation of $w$",
    26: "complete mean field equations, online SGD",
    27: "response $H^w$ of $v^w$ to $v^4$, as a matrix in time",
    28: "error $v^0_k$ and its response $H^0_k$",
    29: "response $R_3$, self-consistent",
    30: "correlation $C_w$",
    31: "correlations $C_0$, $C_2$ and $C_3$",
    32: "gradient flow on $P$ samples that are reused",
    33: "fields $v^1$ and $v^2$ with reused samples",
    34: "fields $v^3$ and $v^4$ with reused samples",
    35: "dynamics of $w$ and $A$ by these fields",
    36: "field $v^w$",
    37: "$v^2$ after the average over the samples",
    38: "$v^1$ after the average over the samples",
    39: "$v^4$ after the average over $A(0)$",
    40: "$v^3$ after the average over $A(0)$",
    41: "complete mean field equations, reused samples",
    42: "power laws of spectrum and target",
    43: "limit $N, B \\to \\infty$ of the order parameters",
    44: "dynamics in that limit, in unit steps",
    45: "approximation in continuous time",
    46: "errors $v^0_k$ for a given $C_w$",
    47: "$C_2$ and $C_w$ at leading order in $\\gamma$",
    48: "errors $v^0_k$ at leading order in $\\gamma$",
    49: "modes learned, first level",
    50: "loss, first level: $t^{-\\beta(2-\\beta)}$",
    51: "gradient flow with the matrix $M$",
    52: "the same for $\\Delta$ and the kernel $K$",
    53: "rate of the loss and its three terms",
    54: "the same without the middle term",
    55: "kernel at leading order in $\\gamma$: spike and scale",
    56: "eigenvalues of that kernel",
    57: "errors under that kernel",
    58: "modes learned, first level, from the kernel",
    59: "loss, first level, from the kernel",
    60: "rate of the kernel at the next level",
    61: "errors at level 2",
    62: "exponents of all levels",
    63: "rate of the kernel's scale $M(t)$, self-consistent",
    64: "the scale $M(t)$",
    65: "errors under the scale $M(t)$",
    66: "residual $B(t)$ that drives the kernel",
    67: "self-consistent equation of $B(t)$",
    68: "its solution: $\\chi = \\beta \\max(1, 2/(1+\\beta))$",
    69: "$\\chi$ as the limit of a sum over modes",
    70: "order parameters after long training",
    71: "error after long training",
    72: "the same with the late response $r_3$",
    73: "late response $r_{2,4}$",
    74: "self-consistent equation of $r_3$",
    75: "$r_3 \\sim N^\\alpha$",
    76: "loss that width leaves: model bottleneck",
    77: "self-consistent equation of $r_1$",
    78: "loss that samples leave: data bottleneck",
    79: "response $R_3$ to first order in $1/N$",
    80: "loss with the transient of finite width",
    81: "loss under SGD noise as a Volterra equation",
    82: "kernel of that equation",
    83: "loss with the term of SGD noise",
    84: "two-layer linear network with richness $\\gamma$",
    85: "its data",
}


@dataclass
class Equation:
    """An equation with all that the book has on it."""

    number: int
    meaning: str
    functions: list[str] = field(default_factory=list)  # names as the pages of the library have them
    claims: list[Claim] = field(default_factory=list)  # those that cite it, at their largest scale
    errata: list[Erratum] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # links to the pages that discuss it and judge no claim on it


def documented(root: Path) -> Iterator[tuple[str, Any]]:
    """Yield the functions, classes and modules that the pages of the library list, with their names there."""
    for page in pages_of_text(root):
        for name, members in re.findall(r"automodule:: (\S+)(\n +:members:)?", page.read_text("utf-8")):
            module = importlib.import_module(name)
            yield name, module
            listed = getattr(module, "__all__", None) or [one for one in vars(module) if not one.startswith("_")]
            for one in listed if members else ():
                thing = getattr(module, one)
                own = hasattr(module, "__all__") or getattr(thing, "__module__", "") == name
                if own and (inspect.isfunction(thing) or inspect.isclass(thing)):
                    yield f"{name}.{one}", thing


def cited_by(thing: Any) -> list[int]:
    """Return the equations that the docstring of something names, without its list of attributes."""
    said = inspect.getdoc(thing) or ""
    return equations(re.split(r"\n(?:Attributes|Returns|See Also)\n-+\n", said)[0])


def discussed(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield name, text and link of every page that is no list of what others say."""
    for path in sorted((root / "notebooks").glob("*.py")):
        said = re.findall(r"^# (.*)$", path.read_text("utf-8"), re.MULTILINE)
        if path.stem not in LISTS:
            yield path.stem, "\n".join(said), f"[{page_name(path.stem)}](pages/{path.stem}.ipynb)"
    for path in pages_of_text(root):
        if path.stem not in LISTS:
            yield path.stem, path.read_text("utf-8"), f"{{doc}}`/{path.relative_to(root).with_suffix('').as_posix()}`"


def pages_of_text(root: Path) -> list[Path]:
    """Return the pages of the book that are not notebooks."""
    return sorted(path for path in (root / "book").rglob("*.md") if "pages" not in path.parts)


def collected(claims: Iterable[Claim], root: Path) -> list[Equation]:
    """Return all equations of the paper in its order; the pages are those of the checkout at ``root``."""
    found = {number: Equation(number, MEANINGS[number]) for number in range(1, EQUATIONS + 1)}
    for name, thing in documented(root):
        for number in cited_by(thing):
            found[number].functions.append(name)
    for claim, _ in by_claim(claims):
        for number in equations(claim.location):
            found[number].claims.append(claim)
    for page, said, link in discussed(root):
        for number in equations(said):
            # Numbers beyond those of the paper are of other works.
            if number in found and page not in {claim.item for claim in found[number].claims}:
                found[number].texts.append(link)
    for erratum in ERRATA:
        for number in equations(erratum.location):
            found[number].errata.append(erratum)
    return list(found.values())


def as_markdown(claims: Iterable[Claim], root: Path) -> str:
    """Return the list of equations in MyST Markdown, for the page ``book/equations.md``."""
    found = collected(claims, root)
    links = " ".join(f'<a href="#eq-{equation.number}">{equation.number}</a>' for equation in found)
    return "\n".join([f'<p class="jumps">Go to eq. {links}</p>\n', *map(_entry, found)])


def _entry(equation: Equation) -> str:
    number = equation.number
    # What readers type: the search finds an entry of the index if it holds the whole of the words.
    spelled = ", ".join(
        f"! {words}" for words in (f"eq. {number}", f"eq {number}", f"equation {number}", f"({number})")
    )
    said = []
    if equation.functions:
        said.append("Code: " + ", ".join(f"{{py:obj}}`~{name}`" for name in equation.functions))
    if equation.texts:
        said.append("Text: " + ", ".join(equation.texts))
    if equation.claims:
        said.append("Claims: " + ", ".join(_pages(equation.claims)))
    elif reason := WITHOUT.get(f"eq. {number}"):
        said.append(f"No claim: {reason}")
    if equation.errata:
        links = ", ".join(
            f'<a href="pages/errata.html#erratum-{erratum.name}">{erratum.title or "a note"}</a>'
            for erratum in equation.errata
        )
        said.append(f"Errata: {links}")
    lines = "\n\n".join(f"{line}." for line in said)
    return f"""\
<div class="equation" id="eq-{number}">

```{{index}} {spelled}
```

**eq. {number}** {equation.meaning}

{lines}

</div>
"""


def _pages(claims: Iterable[Claim]) -> Iterator[str]:
    """Yield a link for every page that judges some of the claims, to the first of them that it judges."""
    first: dict[str, Claim] = {}
    for claim in claims:
        first.setdefault(claim.item, claim)
    for item, claim in first.items():
        yield f'<a href="pages/{address(claim)}#{anchor(claim.id)}">{page_name(item)}</a>'
