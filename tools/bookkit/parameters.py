"""The parameters of a notebook: what its ``parameters`` cell declares, and whether given values fit.

The cell holds annotated assignments and nothing else::

    beta: float = 0.4  # source exponent, dimensionless

The values are those of small scale; what differs at another one stands in a YAML file.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from nbformat import NotebookNode

from bookkit.problems import Problem, unknown
from companion.parameters import defaults

TAG = "parameters"
SCALARS: dict[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "str": (str,), "bool": (bool,)}


def declared(notebook: NotebookNode, where: str) -> dict[str, ast.expr]:
    """Return name and annotation of each parameter of a notebook.

    Parameters
    ----------
    notebook
        As read by jupytext.
    where
        Its name, for error messages.

    Returns
    -------
    dict
        In the order of the cell.

    Raises
    ------
    Problem
        If there is not exactly one cell tagged ``parameters``, or it holds anything but annotated assignments.
    """
    cells = [cell for cell in notebook.cells if TAG in cell.metadata.get("tags", [])]
    if len(cells) != 1:
        raise Problem(
            f"{where}: {len(cells)} cells carry the tag {TAG!r}. Give exactly one code cell "
            f'the header `# %% tags=["{TAG}"]`.'
        )
    names: dict[str, ast.expr] = {}
    for statement in ast.parse(cells[0].source).body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), annotation=annotation, value=ast.expr()):
                _check_annotation(annotation, f"{where}: parameter {name!r}")
                names[name] = annotation
            case _:
                raise Problem(
                    f"{where}: the parameters cell holds `{ast.unparse(statement)}`. Write each parameter as "
                    "`name: type = value` and move everything else to another cell."
                )
    return names


def cell_values(notebook: NotebookNode) -> dict[str, Any]:
    """Return the values that the ``parameters`` cell gives, those of small scale."""
    return defaults(next(cell.source for cell in notebook.cells if TAG in cell.metadata.get("tags", [])))


def read_values(path: Path) -> dict[str, Any]:
    """Return the values written in a YAML file.

    Raises
    ------
    Problem
        If the file is missing, is not YAML or is not a mapping of names to values.
    """
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


def check_values(values: Mapping[str, Any], names: Mapping[str, ast.expr], where: str) -> None:
    """Check that every value belongs to a declared parameter and fits its annotation.

    Parameters
    ----------
    values
        Name to value.
    names
        From :func:`declared`.
    where
        Origin of the values, for error messages.

    Raises
    ------
    Problem
        On the first value that does not fit.
    """
    for name, value in values.items():
        if name not in names:
            raise unknown(f"parameter in {where}", name, names, "Correct the name or declare it in the notebook.")
        if not _fits(value, names[name]):
            hint = ""
            if isinstance(value, str) and "float" in ast.unparse(names[name]):
                hint = " YAML takes 1e-3 for text: write 1.0e-3, and .inf for infinity."
            raise Problem(
                f"{where}: parameter {name!r} is {value!r} ({type(value).__name__}), but the notebook declares "
                f"`{ast.unparse(names[name])}`. Give a value of that type.{hint}"
            )


def check_no_repetition(values: Mapping[str, Any], small: Mapping[str, Any], where: str) -> None:
    """Refuse a value that the notebook gives already: it would stand in two places, and one would be forgotten."""
    repeated = [name for name, value in values.items() if name != "scale" and value == small[name]]
    if repeated:
        raise Problem(f"{where}: {', '.join(repeated)} repeats the notebook. Remove the line.")


def parse_override(text: str, name: str) -> Any:
    """Return the value that ``text`` means, read as YAML.

    Raises
    ------
    Problem
        If it is not YAML.
    """
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise Problem(f"parameter {name!r}: {text!r} is not valid YAML ({error}). Quote it for the shell.") from error


def _fits(value: Any, annotation: ast.expr) -> bool:
    match annotation:
        case ast.Constant(value=None):
            return value is None
        case ast.Name(id=name):
            # bool is an int to Python, but `steps: true` is a slip
            return isinstance(value, SCALARS[name]) and (name == "bool" or not isinstance(value, bool))
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            return _fits(value, left) or _fits(value, right)
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            return isinstance(value, list) and all(_fits(item, inner) for item in value)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, inner])):
            return isinstance(value, dict) and all(_fits(k, key) and _fits(v, inner) for k, v in value.items())
    raise AssertionError(ast.unparse(annotation))  # _check_annotation lets nothing else through


def _check_annotation(annotation: ast.expr, where: str) -> None:
    match annotation:
        case ast.Constant(value=None):
            return
        case ast.Name(id=name) if name in SCALARS:
            return
        case ast.BinOp(left=left, op=ast.BitOr(), right=right):
            _check_annotation(left, where)
            _check_annotation(right, where)
        case ast.Subscript(value=ast.Name(id="list"), slice=inner):
            _check_annotation(inner, where)
        case ast.Subscript(value=ast.Name(id="dict"), slice=ast.Tuple(elts=[key, inner])):
            _check_annotation(key, where)
            _check_annotation(inner, where)
        case _:
            raise Problem(
                f"{where} is declared `{ast.unparse(annotation)}`. Use int, float, str, bool, list[...], "
                "dict[..., ...] or a union of them with None."
            )
