"""The ledger: a JSON list of claims that follows ``schema.json``, read and written with checks."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from companion.claims.claim import Claim
from companion.claims.words import Shown, listed
from neural_scaling.base import checks
from neural_scaling.base.files import write_atomically

#: Names the file into which :func:`record` writes; empty or unset means that nothing is written.
CLAIMS_VARIABLE = "NEURAL_SCALING_CLAIMS"

#: Fields that hold numbers.
NUMBERS = ("predicted", "measured", "interval", "window")


class LedgerError(ValueError):
    """A claim or a ledger file does not follow the schema; the message names the claim and the field."""


def record(claims: Iterable[Claim]) -> list[Claim]:
    """Check claims and write them to the file named by ``NEURAL_SCALING_CLAIMS``, if it is set.

    Claims that the file already holds stay; one with the same id and scale is replaced. The file is
    replaced in one step, so a reader never sees half of it.
    """
    given = listed(claims)
    _validate([to_json(claim) for claim in given], "recorded claims")
    target = os.environ.get(CLAIMS_VARIABLE, "")
    if target:
        path = Path(target)
        known = load_ledger(path) if path.exists() else []
        replaced = {(claim.id, claim.scale) for claim in given}
        merged = [claim for claim in known if (claim.id, claim.scale) not in replaced] + given
        write_ledger(path, merged)
    return given


def show(claims: Iterable[Claim], compared: Callable[[Claim], bool] = lambda claim: True) -> Shown:
    """Record the claims of a page, and return them as it shows them; references compare the verdicts of those ``compared``."""
    return Shown(record(claims), compared)


def load_ledger(path: str | Path) -> list[Claim]:
    """Read a ledger file."""
    file = checks.path(path, "path")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise LedgerError(f"{file}: there is no such ledger; run the notebooks that record claims.") from error
    except (ValueError, RecursionError) as error:
        raise LedgerError(f"{file}: not valid JSON ({error}); restore the file from version control.") from error
    _validate(content, str(file))
    return [_from_json(entry) for entry in content]


def write_ledger(path: str | Path, claims: Iterable[Claim]) -> None:
    """Write a ledger file in one step, after checking it."""
    file = checks.path(path, "path")
    entries = [to_json(claim) for claim in listed(claims)]
    _validate(entries, str(file))
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(file, [text.encode()])


def to_json(claim: Claim) -> dict[str, Any]:
    """Return a claim as the ledger holds it.

    Numbers are kept to six significant digits and rounding noise (below 1e-12) as 0, so that a ledger does not
    change with the machine. An empty ``predicted_text`` is left out.
    """
    entry = asdict(checks.instance(claim, "claim", Claim, "give a Claim"))
    for name in NUMBERS:
        value = entry[name]
        if isinstance(value, float | int):
            entry[name] = _steady(value)
        elif value is not None:
            entry[name] = [_steady(end) for end in value]
    if not entry["predicted_text"]:
        del entry["predicted_text"]
    return entry


def _steady(value: float) -> float:
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.6g}")


@cache
def _validator() -> Draft202012Validator:
    text = files("companion.claims").joinpath("schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema)


def _validate(content: Any, where: str) -> None:
    error = best_match(_validator().iter_errors(content))
    if error is not None:
        raise LedgerError(f"{where}: {_describe(error, content)}.") from None
    seen: set[tuple[str, str]] = set()
    for entry in content:
        key = entry["id"], entry["scale"]
        if key in seen:
            raise LedgerError(
                f"{where}: claim {key[0]!r} occurs twice at scale {key[1]!r}; give each claim an id of its own."
            )
        seen.add(key)
        for name in NUMBERS:
            value = entry[name]
            values = value if isinstance(value, list) else [value]
            if any(v is not None and not math.isfinite(v) for v in values):
                raise LedgerError(
                    f"{where}: claim {key[0]!r}: field {name!r} is {value!r}; give finite numbers or null."
                )
            if isinstance(value, list) and value[0] > value[1]:
                raise LedgerError(f"{where}: claim {key[0]!r}: field {name!r} is {value!r}; the lower end comes first.")


def _describe(error: ValidationError, content: Any) -> str:
    path = list(error.absolute_path)
    if not path:
        return f"a ledger is a list of claims, found {type(content).__name__}"
    entry = content[path[0]]
    name = entry.get("id", f"number {path[0]}") if isinstance(entry, dict) else f"number {path[0]}"
    field = f"field {path[1]!r}: " if len(path) > 1 else ""
    return f"claim {name!r}: {field}{error.message}"


def _from_json(entry: dict[str, Any]) -> Claim:
    values = {field.name: entry[field.name] for field in fields(Claim) if field.name in entry}
    for name in ("interval", "window"):
        if values[name] is not None:
            first, second = values[name]
            values[name] = (float(first), float(second))
    return Claim(**values)
