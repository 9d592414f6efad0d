"""The parameters of a notebook: what its ``parameters`` cell declares, and whether given values fit.

The cell holds annotated assignments and nothing else; the annotation is one of :data:`companion.parameters.KINDS`::

    beta: "Source" = 0.4  # source exponent, dimensionless

The values are those of small scale; what differs at another one stands in a YAML file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

from bookkit.problems import Problem, unknown
from companion.parameters import KINDS, defaults
from neural_scaling.base.checks import InputError

TAG = "parameters"


def declared(notebook: NotebookNode, where: str) -> dict[str, str]:
    """Return name and kind of each parameter of a notebook, in the order of the cell."""
    cells = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise Problem(
            f"{where}: {len(cells)} cells carry the tag {TAG!r}. Give exactly one code cell "
            f'the header `# %% tags=["{TAG}"]`.'
        )
    names: dict[str, str] = {}
    for statement in ast.parse(cells[0].source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=ast.Constant(value=str(kind)), value=ast.expr()):
                if kind not in KINDS:
                    raise unknown(f"kind of {name!r} in {where}", kind, KINDS, "Use a kind of companion.parameters.")
                names[name] = kind
            case _:
                raise Problem(
                    f"{where}: the parameters cell holds `{ast.unparse(statement)}`. Write each parameter as "
                    '`name: "Kind" = value` and move everything else to another cell.'
                )
    return names


def cell_source(notebook: NotebookNode) -> str:
    """Return the code of the ``parameters`` cell."""
    return str(next(cell.source for cell in notebook.cells if TAG in cell.metadata.get("tags", [])))


def cell_values(notebook: NotebookNode) -> dict[str, Any]:
    """Return the values that the ``parameters`` cell gives, those of small scale."""
    return defaults(cell_source(notebook))


def read_values(path: Path) -> dict[str, Any]:
    """Return the values written in a YAML file."""
    if not path.is_file():
        raise Problem(
            f"{path.name} is missing. Write it: `scale` and one line `name: value` for each parameter that differs."
        )
    try:
        values = yaml.safe_load(path.read_text("utf-8"))
    except yaml.YAMLError as error:
        raise Problem(f"{path.name} is not valid YAML: {error}") from error
    values = {} if values is None else values
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise Problem(f"{path.name} is not a mapping. Write one line `name: value` for each parameter.")
    return values


def check_values(values: Mapping[str, Any], names: Mapping[str, str], where: str) -> None:
    """Refuse the first value that belongs to no declared parameter, or that its kind does not allow."""
    for name, value in values.items():
        if name not in names:
            raise unknown(f"parameter in {where}", name, names, "Correct the name or declare it in the notebook.")
        try:
            KINDS[names[name]](value, name)
        except InputError as error:
            given = value if isinstance(value, list) else [value]
            number = any(isinstance(one, str) and re.match(r"[-+]?(\d|\.?inf)", one) for one in given)
            hint = " YAML takes 1e-3 for text: write 1.0e-3, and .inf for infinity." if number else ""
            raise Problem(f"{where}: {error}{hint}") from None


def check_no_repetition(values: Mapping[str, Any], small: Mapping[str, Any], where: str) -> None:
    """Refuse a value that the notebook gives already: it would stand in two places, and one would be forgotten."""
    repeated = [name for name, value in values.items() if name != "scale" and value == small[name]]
    if repeated:
        raise Problem(f"{where}: {', '.join(repeated)} repeats the notebook. Remove the line.")


def parse_override(text: str, name: str) -> Any:
    """Return the value that ``text`` means, read as YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Problem(f"parameter {name!r}: {text!r} is not valid YAML ({error}). Quote it for the shell.") from error
