"""Claims, errata and figures."""

import tempfile
from pathlib import Path

from companion import claims
from companion import style as figures
from companion.claims import Claim, Measurement
from companion.errata import Erratum, Errors, Setting
from companion.parameters import Parameters
from inputs.kinds import Shared, array, call, choice, flag, instance, measured, pair, path, real, several, text, whole
from inputs.table import row
from neural_scaling.fits import fit_power_law

FOLDER = tempfile.TemporaryDirectory(prefix="neural-scaling-inputs-")
LEDGER = Path(FOLDER.name) / "ledger.json"
CLAIM = Claim("a.b", "a", "eq. 1", "It is 1.", "ratio", 1.0, 1.0, (0.5, 1.5), (1.0, 2.0), "small", "confirmed", "it is")
ERRATUM = Erratum("a-b", "eq. 1", "misprint", "a", "b", "c", "error", 0.5, lambda _: Errors(1.0, 0.0))
claims.write_ledger(LEDGER, [CLAIM])

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
        id=word,
        location=word,
        statement=word,
        quantity=word,
        predicted=number,
        measured=instance(Measurement(1.0, (0.75, 1.25))),
        tolerance=positive,
        scale=choice("small"),
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
    row(Measurement.exact, value=number),
    row(
        Measurement.with_error,
        value=number,
        standard_error=real(0.5, least=0),
        window=interval.or_none(),
        count=whole(4, 2).or_none(),
    ),
    row(Measurement.last_of, values=array([1.0, 2.0]), window=interval.or_none()),
    row(Measurement.mean_of, values=array([1.0, 2.0], nan=True, empty=True), window=interval.or_none()),
    row(Measurement.exponent, fit=instance(Shared(lambda: fit_power_law([1, 2, 4, 8], [8, 4, 2, 1]))).or_none()),
    row(claims.number, value=measured(1.0).or_none(), digits=whole(2)),
    row(claims.bound, value=real(0.5, least=0)),
    row(claims.to_json, claim=instance(CLAIM)),
    row(claims.table, claims=some),
    row(claims.to_markdown, claims=some, with_item=flag(True)),
    row(claims.summary, claims=some),
    row(claims.record, claims=some),
    row(claims.load_ledger, path=ledger),
    row(claims.write_ledger, path=ledger, claims=some),
    row(Errors, printed=measured(1.0), corrected=measured(0.5)),
    row(
        Erratum,
        name=word,
        location=word,
        kind=choice("misprint"),
        printed=word,
        corrected=word,
        reason=word,
        quantity=word,
        tolerance=real(0.5, least=0),
        check=call(ERRATUM.check).or_none(),
        page=word,
    ),
    row(Erratum.errors, Shared(lambda: ERRATUM), setting=instance(Setting())),
    row(Erratum.outcome, Shared(lambda: ERRATUM), errors=instance(Errors(1.0, 0.0)).or_none()),
    row(
        Setting,
        alpha=real(1.5, above=1),
        hard=real(0.5, above=0, below=1),
        easy=real(1.5, above=1),
        super_easy=real(3.5, above=2 - 1 / 1.5),
        gamma=positive,
        eta=positive,
        modes=whole(50),
        width=whole(20, 2, 49),
        samples=whole(4, 2),
        batch=whole(4, 2),
        steps=whole(4, 2),
        seeds=whole(4, 2),
        window=pair((1e4, 1e6), (0.0, 1e6)),
        late=pair((1e8, 1e12), (0.0, 1e12)),
        horizon=positive,
    ),
    row(figures.new_figure, None, lambda figure: figure.get_size_inches(), height=positive, width=positive),
    row(figures.richness_color, gamma=real(0.5, least=0)),
    row(figures.width_color, N=real(64.0, above=0, infinite=True)),
]

EXEMPT = {
    claims.Judgement: "a result that users read",
    Parameters.require_among: "called by plans of pages on themselves",
    Parameters.require_same_length: "called by plans of pages on themselves",
}
