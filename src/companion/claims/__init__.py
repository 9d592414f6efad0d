"""Claims of the paper as objects: judged by one rule, kept in one ledger, shown in one table.

A notebook judges its claims, records them and prints them; the page, the ledger and the tests read the same
objects.
"""

from companion.claims.claim import Claim, Verdict
from companion.claims.judgement import Judgement, judge
from companion.claims.ledger import CLAIMS_VARIABLE, LedgerError, load_ledger, record, show, to_json, write_ledger
from companion.claims.measurement import Measurement, Page, fact, judged
from companion.claims.words import Shown, bound, number, summary, to_markdown

__all__ = [
    "CLAIMS_VARIABLE",
    "Claim",
    "Judgement",
    "LedgerError",
    "Measurement",
    "Page",
    "Shown",
    "Verdict",
    "bound",
    "fact",
    "judge",
    "judged",
    "load_ledger",
    "number",
    "record",
    "show",
    "summary",
    "to_json",
    "to_markdown",
    "write_ledger",
]
