"""Claims of the paper as objects: judged by one rule, kept in one ledger, shown line by line."""

from companion.claims.claim import VERDICTS, Claim, Kind, Verdict, as_json, by_claim
from companion.claims.headlines import HEADLINES
from companion.claims.ledger import CLAIMS_VARIABLE, LedgerError, load_ledger, record, schema, show, write_ledger
from companion.claims.measurement import EXTREMES, MEAN, NORMAL, SLOPE, Measurement, Page, bounded, judged
from companion.claims.shown import Cited, Shown, cite, headlines, summary, to_html, to_table
from companion.claims.tolerance import Tolerance, of_exponent
from companion.claims.verdicts import chip, verdict_bar
from companion.claims.words import bound, number

__all__ = [
    "CLAIMS_VARIABLE", "EXTREMES", "HEADLINES", "MEAN", "NORMAL", "SLOPE", "VERDICTS", "Cited", "Claim", "Kind",
    "LedgerError", "Measurement", "Page", "Shown", "Tolerance", "Verdict", "as_json", "bound", "bounded", "by_claim",
    "chip", "cite", "headlines", "judged", "load_ledger", "number", "of_exponent", "record", "schema", "show",
    "summary", "to_html", "to_table", "verdict_bar", "write_ledger",
]  # fmt: skip
