"""A figure in few bytes, with no visible change.

Curves keep the points without which they would be drawn elsewhere by more than a twentieth of a point; paths are written as
steps of hundredths of a point; groups that hold nothing, names that nothing refers to and repeated styles go.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as Tree
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import cache

import numpy as np
from matplotlib.path import Path

from neural_scaling.base.arrays import Array

REACH = 0.05
"""Points by which a curve may be drawn elsewhere: less than a tenth of a pixel at the width of a page."""
_SPACES = {"": "http://www.w3.org/2000/svg", "xlink": "http://www.w3.org/1999/xlink"}
_HREF = f"{{{_SPACES['xlink']}}}href"
_CLIP = "clip-path"
_REFERENCE = re.compile(r'href="#([^"]+)"|url\(#([^)]+)\)')
#: Digits beyond a hundredth; small numbers are scales, of which each digit counts.
_LONG = re.compile(r"\b(?!0\.0)\d+\.\d{3,}")
_COMMAND = re.compile(r"([MLQCz])([^MLQCz]*)")
#: Points of a straight step, and of the two kinds of curved ones.
_POINTS = {"l": 1, "q": 2, "c": 3}
_MOVED = re.compile(r"translate\((\S+) (\S+)\)")
#: A style is worth a name from this number of uses on.
_REPEATED = 3

Points = Sequence[tuple[int, int]]  # in hundredths of a point


def lighter(svg: str) -> str:
    """Return a drawing of matplotlib in fewer bytes, without its metadata."""
    for prefix, space in _SPACES.items():
        Tree.register_namespace(prefix, space)
    root = Tree.fromstring(svg)
    names = {first or second for first, second in _REFERENCE.findall(svg)}
    short = {name: f"g{k}" for k, name in enumerate(sorted(names))}  # no colour begins with this letter
    for element in root.iter():
        _shorten(element, short)
    _flatten(root)
    _name_styles(root)
    return Tree.tostring(root, encoding="unicode").replace(" />", "/>") + "\n"


def _kind(element: Tree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _flatten(element: Tree.Element) -> None:
    """Put in place of each group that changes nothing what it holds."""
    kept: list[Tree.Element] = []
    for child in element:
        _flatten(child)
        if _kind(child) == "g" and not (child.attrib and len(child)):
            kept += child
        elif _kind(child) != "metadata":
            kept.append(child)
    element[:] = kept


def _shorten(element: Tree.Element, short: dict[str, str]) -> None:
    element.tail = None
    if _kind(element) != "style":
        element.text = None
    known, at = short.get(element.attrib.pop("id", "")), element.attrib
    if known:
        at["id"] = known
    if at.get(_HREF, "").startswith("#"):
        at[_HREF] = f"#{short[at[_HREF][1:]]}"
    if _CLIP in at:
        at[_CLIP] = f"url(#{short[at[_CLIP][5:-1]]})"
    if "d" in at:
        at["d"] = "".join(_outline(at["d"], simplify="transform" not in at))
    if _kind(element) == "use" and (moved := _MOVED.fullmatch(at.get("transform", ""))):
        del at["transform"]
        at |= {name: value for name, value in zip("xy", moved.groups(), strict=True) if float(value)}
    for name in ("x", "y", "width", "height", "transform", "style"):
        if name in at:
            at[name] = _LONG.sub(lambda match: f"{float(match[0]):.2f}", at[name])
    if "style" in at:
        at["style"] = at["style"].replace(": ", ":").replace("; ", ";")


def _name_styles(root: Tree.Element) -> None:
    """Write a style that many elements have once, under a name."""
    styled = [element for element in root.iter() if "style" in element.attrib]
    uses = Counter(element.attrib["style"] for element in styled)
    names = {style: f"s{k}" for k, style in enumerate(uses) if uses[style] >= _REPEATED}
    for element in styled:
        if name := names.get(element.attrib["style"]):
            del element.attrib["style"]
            element.attrib["class"] = name
    sheet = next(element for element in root.iter() if _kind(element) == "style")
    sheet.text = f"{sheet.text}{''.join(f'.{name}{{{style}}}' for style, name in names.items())}"


def _outline(path: str, simplify: bool) -> Iterator[str]:
    """Yield the parts of a path, in steps from point to point."""
    parts: list[tuple[str, list[Array]]] = []
    for command, numbers in _COMMAND.findall(path):
        points = np.array(numbers.split(), dtype=float).reshape(-1, 2)
        if parts and command in "LQC" and parts[-1][0] in (command, "M" if command == "L" else command):
            parts[-1][1].append(points)
        else:
            parts.append((command, [points]))
    at = start = (0, 0)
    for command, exact in parts:
        if command == "z":
            at = start
            yield command
            continue
        line = np.concatenate(exact)
        found = np.rint(100 * (_simplified(line) if simplify and command == "M" else line)).astype(int)
        places = [(int(x), int(y)) for x, y in found]
        if command == "M":
            at = start = places.pop(0)
            yield "M" + _joined([start])
        if places:
            letter = "l" if command == "M" else command.lower()
            yield letter + _joined(_steps(at, places, _POINTS[letter]))
            at = places[-1]


def _simplified(points: Array) -> Array:
    """Return the points of a line without those that nobody would miss."""
    if len(points) < 4:
        return points
    path = Path(points)
    path.simplify_threshold = REACH
    return np.asarray(path.cleaned(simplify=True).vertices)[:-1]  # the last only ends the path


def _steps(at: tuple[int, int], points: Points, size: int) -> Points:
    """Return points as seen from where their step begins, which is where every ``size``-th of them stands."""
    starts = [at, *points[size - 1 :: size]]
    return [(x - starts[k // size][0], y - starts[k // size][1]) for k, (x, y) in enumerate(points)]


def _joined(points: Points) -> str:
    """Return numbers with nothing between them that a sign replaces."""
    words = (_number(value) for point in points for value in point)
    return "".join(word if word[0] == "-" else f" {word}" for word in words).lstrip()


@cache
def _number(hundredths: int) -> str:
    return f"{hundredths / 100:.2f}".rstrip("0").rstrip(".").replace("0.", ".", abs(hundredths) < 100)
