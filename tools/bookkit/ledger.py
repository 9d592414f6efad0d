"""The ledger of claims: merged when references are rewritten, compared after every execution of the book."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from bookkit.problems import Problem
from bookkit.project import Project
from bookkit.registry import Job
from companion.claims import Claim, LedgerError, load_ledger, write_ledger

#: From (item, scale) to the claims that the notebook made.
Made = dict[tuple[str, str], list[Claim]]

REMEDY = "If the change is meant, run `nox -s references`, look at the difference and commit it."
#: Where nothing is random an interval may be a point; this much of it may change with the machine.
ROUNDING = 1e-6


def read(path: Path) -> list[Claim]:
    """Return the claims in a file."""
    try:
        return load_ledger(path)
    except LedgerError as error:
        raise Problem(f"{error} Or run `nox -s references`.") from error


def produced(project: Project, jobs: Iterable[Job]) -> Made:
    """Return the claims that executed notebooks of the book made."""
    made: Made = {}
    for job in jobs:
        claims = read(project.claims(job.item, job.scale))
        for claim in claims:
            if (claim.item, claim.scale) != (job.item, job.scale):
                raise Problem(
                    f"claim {claim.id!r} says item {claim.item!r} and scale {claim.scale!r}, but notebook "
                    f"{job.item!r} made it at scale {job.scale!r}. Correct it in the notebook."
                )
        made[job.item, job.scale] = claims
    return made


def merge(ledger: list[Claim], made: Made) -> list[Claim]:
    """Return the ledger with all claims of the given items and scales replaced, sorted."""
    kept = [claim for claim in ledger if (claim.item, claim.scale) not in made]
    new = [claim for claims in made.values() for claim in claims]
    return sorted([*kept, *new], key=_key)


def write(project: Project, claims: list[Claim]) -> None:
    """Write the ledger atomically, in the form in which it is committed."""
    try:
        write_ledger(project.ledger, claims)
    except LedgerError as error:
        raise Problem(str(error)) from error


def differences(ledger: list[Claim], made: Made) -> list[str]:
    """Return how the claims of an execution of the whole book differ from the ledger, one line each.

    The same claims must come out with the same verdicts. A measured value may differ from that of the ledger within
    the interval that the ledger gives for it, since arithmetic differs from machine to machine.
    """
    wrong = []
    committed = {_key(claim): claim for claim in ledger}
    fresh = {_key(claim): claim for claims in made.values() for claim in claims}
    for item, name, scale in sorted(fresh.keys() - committed.keys()):
        wrong.append(f"claim {name!r} of {item} ({scale}) is not in the ledger. {REMEDY}")
    for item, name, scale in sorted(committed.keys() - fresh.keys()):
        wrong.append(f"claim {name!r} of {item} ({scale}) stands in the ledger but no notebook makes it. {REMEDY}")
    for key in sorted(committed.keys() & fresh.keys()):
        wrong += _changes(committed[key], fresh[key])
    return wrong


def _key(claim: Claim) -> tuple[str, str, str]:
    return claim.item, claim.id, claim.scale


def _changes(old: Claim, new: Claim) -> list[str]:
    where = f"claim {old.id!r} of {old.item} ({old.scale})"
    wrong = []
    if old.verdict != new.verdict:
        wrong.append(f"{where}: verdict {new.verdict!r}, in the ledger {old.verdict!r}. {REMEDY}")
    if old.interval is not None:
        low, high = old.interval
        slack = ROUNDING * max(abs(low), abs(high))
        if new.measured is None or not low - slack <= new.measured <= high + slack:
            wrong.append(f"{where}: measured {new.measured!r}, outside the ledger's {old.interval}. {REMEDY}")
    return wrong
