"""The ledger: a JSON file of claims at their largest scales, each with its checks at smaller ones."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from companion.claims.claim import Claim, as_json, by_claim, listed
from companion.claims.shown import Shown
from neural_scaling.base import checks
from neural_scaling.base.files import write_atomically

#: Names the file into which :func:`record` writes; empty or unset means that nothing is written.
CLAIMS_VARIABLE = "NEURAL_SCALING_CLAIMS"

#: Fields that follow from the others; a ledger that says otherwise is refused.
FOLLOWING = ("headline", "verdict", "reason")


class LedgerError(ValueError):
    """A claim or a ledger file is not as it must be; the message names the claim and the field."""


def record(claims: Iterable[Claim]) -> list[Claim]:
    """Return claims, after writing them to the file named by ``NEURAL_SCALING_CLAIMS``, if it is set.

    Claims that the file already holds stay; one with the same id and scale is replaced. The file is
    replaced in one step, so a reader never sees half of it.
    """
    given = listed(claims)
    _require_once(given, "recorded claims")
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
    if not (isinstance(content, list) and all(isinstance(entry, dict) for entry in content)):
        raise LedgerError(f"{file}: a ledger is a list of claims; restore the file from version control.")
    claims = []
    for entry in content:
        main = {name: value for name, value in entry.items() if name != "checks"}
        # A check holds what differs from the claim; null is what the claim has and the check does not.
        changes: list[dict[str, Any]] = [{}, *entry.get("checks", [])]
        claims += [_read({k: v for k, v in (main | one).items() if v is not None}, str(file)) for one in changes]
    _require_once(claims, str(file))
    return claims


def write_ledger(path: str | Path, claims: Iterable[Claim]) -> None:
    """Write a ledger file in one step, after checking it."""
    file, given = checks.path(path, "path"), listed(claims)
    _require_once(given, str(file))
    entries = []
    for claim, smaller in by_claim(given):
        main = as_json(claim)
        others = [_differing(as_json(one), main) for one in smaller]
        entries.append(main | ({"checks": others} if others else {}))
    file.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(entries, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(file, [text.encode()])


def schema() -> dict[str, Any]:
    """Return the JSON schema of a ledger file."""
    claim = Claim.model_json_schema(mode="serialization")
    checks = {
        "type": "array",
        "description": "The same claim at smaller scales, as far as it differs; null is a field that it does not have.",
        "items": {"type": "object"},
    }
    required = [name for name, field in Claim.model_fields.items() if field.is_required()]
    entry = claim | {
        "properties": claim["properties"] | {"checks": checks},
        "required": [*required, "verdict", "reason"],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Claims ledger",
        "description": "What the paper claims and what came out, one object per claim.",
        "type": "array",
        "items": entry,
    }


def _differing(check: dict[str, Any], main: dict[str, Any]) -> dict[str, Any]:
    return {name: check.get(name) for name in {**main, **check} if check.get(name) != main.get(name)}


def _read(entry: dict[str, Any], where: str) -> Claim:
    name = entry.get("id", "without an id")
    said = {field: entry.pop(field) for field in FOLLOWING if field in entry}
    try:
        claim = Claim.model_validate_json(json.dumps(entry))
    except (ValidationError, ValueError) as error:
        raise LedgerError(f"{where}: claim {name!r}: {_first(error)}.") from None
    for field in ("verdict", "reason"):
        if said.get(field) != getattr(claim, field):
            raise LedgerError(
                f"{where}: claim {name!r}: field {field!r} is {said.get(field)!r}, but the other fields give "
                f"{getattr(claim, field)!r}; record the claim anew."
            )
    return claim


def _first(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    one = error.errors()[0]
    field = f"field {str(one['loc'][0])!r}: " if one["loc"] else ""
    return f"{field}{one['msg']}"


def _require_once(claims: list[Claim], where: str) -> None:
    seen: set[tuple[str, str]] = set()
    items: dict[str, str] = {}
    for claim in claims:
        key = claim.id, claim.scale
        if key in seen or items.setdefault(claim.id, claim.item) != claim.item:
            raise LedgerError(
                f"{where}: claim {claim.id!r} occurs twice at scale {claim.scale!r} or on two pages; "
                "give each claim an id of its own."
            )
        seen.add(key)
