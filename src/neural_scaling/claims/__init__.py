"""Claims of the paper as objects: judged by one rule, kept in one ledger, shown in one table.

A notebook judges its claims, records them and prints them; the page, the ledger and the tests read the same
objects.
"""

from neural_scaling.claims.claim import Claim, Verdict
from neural_scaling.claims.judgement import Judgement, judge
from neural_scaling.claims.ledger import (
    CLAIMS_VARIABLE,
    LedgerError,
    load_ledger,
    record,
    to_json,
    write_ledger,
)
from neural_scaling.claims.measurement import Measurement, judged
from neural_scaling.claims.tables import bound, number, summary, table, to_markdown

__all__ = [
    "CLAIMS_VARIABLE",
    "Claim",
    "Judgement",
    "LedgerError",
    "Measurement",
    "Verdict",
    "bound",
    "judge",
    "judged",
    "load_ledger",
    "number",
    "record",
    "summary",
    "table",
    "to_json",
    "to_markdown",
    "write_ledger",
]
