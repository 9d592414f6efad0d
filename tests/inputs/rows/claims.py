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
CLAIM = Claim("a.b", "a", "eq. 1", "It is 1.", "ratio", 1.0, 1.0, (0.5, 1.5), (1.0, 2.0), "small", "confirmed", "it is")
claims.write_ledger(LEDGER, [CLAIM])

PAGE = instance(SimpleNamespace(item="a", scale="small"))
word = text("words")
number, optional = real(1.0), real(1.0).or_none()
interval = pair((0.5, 1.5), least=None)
extremes = pair((0.5, 1.5), least=None, nan=True).or_none()
positive = real(0.5, above=0)
ledger = path(LEDGER)
some = several([CLAIM], empty=True)

ROWS = [
    row(
        Claim,
        id=word,
        item=word,
        location=word,
        statement=word,
        quantity=word,
        predicted=optional,
        measured=optional,
        interval=interval.or_none(),
        window=interval.or_none(),
        scale=choice("small"),
        verdict=choice("confirmed"),
        reason=word,
        predicted_text=word,
    ),
    row(
        claims.judge,
        predicted=number,
        measured=measured(1.0).or_none(),
        interval=extremes.also((2.0, 3.0)),
        tolerance=positive,
        corrected=optional,
    ),
    row(
        claims.judged,
        page=PAGE,
        id=word,
        location=word,
        statement=word,
        quantity=word,
        predicted=number,
        measured=instance(Measurement(1.0, (0.75, 1.25))),
        tolerance=positive,
        corrected=optional,
        remark=word,
        doubt=word,
    ),
    row(
        Measurement,
        value=optional,
        interval=interval.or_none(),
        window=interval.or_none(),
        missing=word,
    ),
    row(Measurement.none, missing=word),
    row(
        Measurement.of,
        value=measured(1.0).or_none(),
        interval=pair((0.5, 1.5), least=None).or_none(),
        window=interval.or_none(),
        missing=word,
    ),
    row(Measurement.exact, value=number),
    row(
        Measurement.with_error,
        value=number,
        standard_error=real(0.5, least=0),
        window=interval.or_none(),
        count=whole(4, 2).or_none(),
    ),
    row(Measurement.last_of, values=array([1.0, 2.0]), window=interval.or_none()),
    row(Measurement.median_of, values=array([1.0, 2.0], empty=True)),
    row(Measurement.mean_of, values=array([1.0, 2.0], nan=True, empty=True), window=interval.or_none()),
    row(Measurement.exponent, fit=instance(Shared(lambda: fit_power_law([1, 2, 4, 8], [8, 4, 2, 1]))).or_none()),
    row(claims.number, value=measured(1.0).or_none(), digits=whole(2)),
    row(claims.bound, value=real(0.5, least=0)),
    row(claims.to_json, claim=instance(CLAIM)),
    row(
        claims.fact,
        page=PAGE,
        id=word,
        location=word,
        statement=word,
        quantity=word,
        verdict=choice("confirmed"),
        reason=word,
        predicted=optional.without(lambda wrong: isinstance(wrong, str)),
        measured=instance(Measurement(1.0, (0.5, 1.5))).or_none().without(lambda wrong: type(wrong) is int),
    ),
    row(claims.to_markdown, claims=some, with_item=flag(True)),
    row(claims.summary, claims=some),
    row(claims.record, claims=some),
    row(claims.load_ledger, path=ledger),
    row(claims.write_ledger, path=ledger, claims=some),
]

EXEMPT = {
    claims.show: "records claims and hands them to Shown",
    claims.Shown: "a display of a page",
    claims.Judgement: "a result that users read",
}
