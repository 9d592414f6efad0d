"""Claims."""

import tempfile
from pathlib import Path
from types import SimpleNamespace

from companion import claims
from companion.claims import Claim, Measurement
from inputs.kinds import Shared, array, choice, flag, instance, measured, pair, path, real, several, text, whole
from inputs.table import row
from neural_scaling.fits import fit_power_law

FOLDER = tempfile.TemporaryDirectory(prefix="neural-scaling-inputs-")
LEDGER = Path(FOLDER.name) / "ledger.json"
OF = SimpleNamespace(item="a", scale="small")
CLAIM = claims.judged(OF, "a.b", "eq. 1", "It is 1.", "ratio", 1.0, Measurement(1.0, (0.9, 1.1)), "theory")
claims.write_ledger(LEDGER, [CLAIM])

PAGE = instance(OF)
word = text("words")
number, optional = real(1.0), real(1.0).or_none()
interval = pair((0.5, 1.5), least=None)
within = instance(claims.Tolerance(0.5, "a test")).or_none()
ledger = path(LEDGER)
some = several([CLAIM], empty=True)
every = several([CLAIM.model_copy(update={"id": id}) for id in claims.HEADLINES])

CLAIMED = {
    "page": PAGE,
    "id": text("words"),
    "location": word,
    "statement": word,
    "quantity": word,
    "measured": instance(Measurement(1.0, (0.75, 1.25))),
    "kind": choice("theory"),
    "corrected": optional,
}

ROWS = [
    row(claims.judged, predicted=number, tolerance=within, **CLAIMED),
    row(claims.bounded, relation=choice("above"), limit=number.named("predicted"), tolerance=within, **CLAIMED),
    row(claims.of_exponent, predicted=number, kind=choice("theory"), corrected=optional),
    row(
        Measurement, value=optional, interval=interval.or_none(), window=interval.or_none(), missing=word, meaning=word
    ),
    row(Measurement.none, missing=word),
    row(Measurement.around, value=number, half=real(0.5, least=0), window=interval.or_none(), meaning=word),
    row(
        Measurement.of,
        value=measured(1.0).or_none(),
        interval=pair((0.5, 1.5), least=None).or_none(),
        window=interval.or_none(),
        missing=word,
        meaning=word,
    ),
    row(Measurement.bounded, values=array([1.0, 2.0], least=0)),
    row(Measurement.widened, Shared(lambda: Measurement(1.0, (0.5, 1.5))), error=real(0.5, least=0), what=word),
    row(Measurement.exact, value=number),
    row(
        Measurement.with_error,
        value=number,
        standard_error=real(0.5, least=0),
        window=interval.or_none(),
        count=whole(4, 2).or_none(),
    ),
    row(Measurement.among, values=array([1.0, 2.0]), value=number, window=interval.or_none()),
    row(Measurement.farthest_of, values=array([1.0, 2.0]), predicted=number, window=interval.or_none()),
    row(Measurement.last_of, values=array([1.0, 2.0]), window=interval.or_none()),
    row(Measurement.median_of, values=array([1.0, 2.0], empty=True)),
    row(Measurement.mean_of, values=array([1.0, 2.0], nan=True, empty=True), window=interval.or_none()),
    row(
        Measurement.exponent,
        fit=instance(Shared(lambda: fit_power_law([1, 2, 4, 8], [8, 4, 2, 1]))).or_none(),
        grows=flag(True),
    ),
    row(claims.number, value=measured(1.0).or_none(), digits=whole(2)),
    row(claims.bound, value=real(0.5, least=0)),
    row(claims.as_json, claim=instance(CLAIM)),
    row(claims.by_claim, claims=some),
    row(claims.to_table, claims=some),
    row(claims.headlines, claims=every),
    row(claims.to_html, claims=some, with_item=flag(True)),
    row(claims.chip, verdict=choice("confirmed"), count=whole(3, 0).or_none()),
    row(claims.verdict_bar, claims=some, page=word),
    row(claims.summary, claims=some),
    row(claims.record, claims=some),
    row(claims.load_ledger, path=ledger),
    row(claims.write_ledger, path=ledger, claims=some),
]

EXEMPT = {
    Claim: "pydantic checks it, and the doors name what is wrong",
    claims.Tolerance: "a pair that the doors check",
    claims.show: "records claims and hands them to Shown",
    claims.cite: "takes names only",
    claims.Shown: "a display of a page",
    claims.Cited: "a display of a page",
}
