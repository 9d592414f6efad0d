import dataclasses
import json
import math
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from markdown_it.renderer import RendererHTML
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

from companion.claims import (
    CLAIMS_VARIABLE,
    Claim,
    LedgerError,
    Measurement,
    Shown,
    bound,
    judge,
    judged,
    load_ledger,
    number,
    record,
    summary,
    to_json,
    to_markdown,
    write_ledger,
)
from neural_scaling.base.checks import InputError
from neural_scaling.fits import fit_power_law

CLAIM = Claim(
    id="fig-2.slope.hard.rich",
    item="fig02",
    location="Fig. 2b",
    statement="The exponent of a hard task is 2 beta/(1 + beta).",
    quantity="exponent of L against steps",
    predicted=4 / 7,
    measured=0.5612,
    interval=(0.55, 0.5724),
    window=(100.0, 10000.0),
    scale="small",
    verdict="confirmed",
    reason="within a third of the gap",
)

PAGE = SimpleNamespace(item="losslaw", scale="small")


def changed(**fields):
    return dataclasses.replace(CLAIM, **fields)


class TestJudged:
    def test_it_is_the_judgement_as_a_claim(self):
        measured = Measurement.with_error(1.5, 0.1, (2.0, 3.0))
        claim = judged(PAGE, "losslaw.noise.x", "eq. 8", "It is 1.", "ratio", 1.0, measured, 0.01, corrected=1.5)
        verdict, reason = judge(1.0, 1.5, measured.interval, 0.01, 1.5)
        assert (claim.verdict, claim.reason) == (verdict, reason)
        assert (claim.item, claim.window) == ("losslaw", (2.0, 3.0))
        assert claim.interval == pytest.approx((1.5 - 1.96 * 0.1, 1.5 + 1.96 * 0.1), rel=1e-4)

    @pytest.mark.parametrize(("value", "added"), [(1.0, "; r"), (2.0, "; r; d")])
    def test_doubt_is_told_of_a_claim_that_is_not_confirmed(self, value, added):
        claim = judged(PAGE, "a.b", "eq. 8", "s", "q", 1.0, Measurement.exact(value), 0.1, remark="; r", doubt="; d")
        assert claim.reason == judge(1.0, value, (value, value), 0.1).reason + added

    @pytest.mark.parametrize("measured", [Measurement(1.5, (1.0, 2.0), (3.0, 4.0)), Measurement.none("too short")])
    def test_a_row_of_a_table_gives_the_measurement_back(self, measured):
        value, interval, window = measured.columns()
        assert Measurement.of(value, interval, window, measured.missing) == measured
        claim = judged(PAGE, "a.b", "eq. 8", "s", "q", 1.0, Measurement.of(value, interval, window, "too short"), 0.1)
        assert (claim.measured, claim.verdict) == (measured.value, "inconclusive")

    def test_no_fit_is_no_measurement(self):
        claim = judged(PAGE, "a.b", "eq. 8", "s", "q", 1.0, Measurement.exponent(None), 0.1)
        assert (claim.measured, claim.verdict) == (None, "inconclusive")


class TestJudge:
    @pytest.mark.parametrize(
        ("measured", "interval", "verdict"),
        [
            (0.52, (0.50, 0.54), "confirmed"),
            (0.52, (0.51, 0.53), "confirmed"),  # the interval may leave out the prediction
            (0.52, (0.40, 0.64), "inconclusive"),  # too wide
            (0.57, (0.54, 0.60), "inconclusive"),  # just outside, not excluded
            (0.70, (0.60, 0.80), "not confirmed"),
            (0.30, (0.29, 0.44), "not confirmed"),
            (None, None, "inconclusive"),
            (0.5, None, "inconclusive"),
            (math.nan, (0.4, 0.6), "inconclusive"),
        ],
    )
    def test_rule(self, measured, interval, verdict):
        assert judge(0.5, measured, interval, tolerance=0.05).verdict == verdict

    def test_corrected_needs_the_printed_to_fail_and_the_correction_to_hold(self):
        assert judge(1.0, 0.5, (0.49, 0.51), 0.05, corrected=0.5).verdict == "corrected"
        assert judge(1.0, 0.5, (0.49, 0.51), 0.05, corrected=0.7).verdict == "not confirmed"
        assert judge(0.5, 0.5, (0.49, 0.51), 0.05, corrected=0.5).verdict == "confirmed"
        assert judge(1.0, 0.5, (0.49, 0.51), 0.05, corrected=1.0) == judge(1.0, 0.5, (0.49, 0.51), 0.05)
        assert judge(1.0, 0.9, (0.5, 1.3), 0.05, corrected=0.9).verdict == "inconclusive"

    @given(
        predicted=st.floats(-5, 5),
        measured=st.floats(-5, 5),
        below=st.floats(0, 2),
        above=st.floats(0, 2),
        tolerance=st.floats(0.01, 2),
    )
    def test_verdicts_exclude_each_other(self, predicted, measured, below, above, tolerance):
        interval = measured - below, measured + above
        verdict, reason = judge(predicted, measured, interval, tolerance)
        near = abs(measured - predicted) <= tolerance * (1 + 1e-9)
        assert verdict != "confirmed" or near
        assert verdict != "not confirmed" or not near
        assert reason

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"^tolerance: "):
            judge(0.5, 0.5, (0.4, 0.6), 0.0)
        with pytest.raises(InputError, match=r"^interval: "):
            judge(0.5, 0.5, (0.6, 0.7), 0.1)


class TestText:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (None, "-"),
            (0.5714, "0.57"),
            (-0.5714, "-0.57"),
            (3e-13, "0"),
            (1.0, "1.0"),
            (12.34, "12"),
            (0.0325, "0.033"),
            (123456.0, "1.2e+05"),
            (2.5e-5, "2.5e-05"),
            (math.inf, "inf"),
        ],
    )
    def test_number(self, value, text):
        assert number(value) == text

    @given(st.floats(-1e6, 1e6))
    def test_number_does_not_feel_rounding_noise(self, value):
        # Printing snaps to nine digits first. Noise in the 15th digit moves the snapped value only if it lies within
        # 1e-15 of the middle between two of them, and the printed one only if that is also a printed middle.
        snapped = float(f"{value:.8g}")
        assert number(snapped * (1 + 1e-14)) == number(snapped) == number(snapped * (1 - 1e-14))

    def test_bound(self):
        assert bound(3e-6) == "less than 1e-05"
        assert bound(0.0) == bound(4e-16)

    def test_what_references_compare(self):
        shown = Shown([CLAIM, changed(id="b", verdict="corrected")], lambda claim: claim.id != "b")
        assert repr(shown) == f"{CLAIM.id}: confirmed"
        assert shown._repr_markdown_() == to_markdown([CLAIM, changed(id="b", verdict="corrected")])

    def test_markdown_has_one_row_per_claim_and_survives_bars(self):
        text = to_markdown([changed(reason="a | b"), CLAIM], with_item=True)
        rows = text.splitlines()
        assert len(rows) == 4
        assert r"a \| b" in rows[2]
        assert rows[0].count("|") == rows[1].count("|") == rows[3].count("|") == 5
        assert "fig02, small" in rows[3]
        assert to_markdown([]) == ""

    def test_prediction_in_words(self):
        words = changed(predicted=None, predicted_text="falls")
        assert "| falls |" in to_markdown([words])

    def test_summary_counts(self):
        counts = summary([CLAIM, changed(id="b", verdict="corrected"), changed(id="c", scale="full")])
        assert list(counts.columns) == ["verdict", "small", "full"]
        found = {row.verdict: (row.small, row.full) for row in counts.itertuples()}
        assert found == {
            "confirmed": (1, 1),
            "corrected": (1, 0),
            "not confirmed": (0, 0),
            "inconclusive": (0, 0),
        }
        assert list(summary([])) == ["verdict"]


NASTY = "<script>alert(1)</script> | $x_1$ `code` **bold** _it_ [a](b) {math}`x` {{ s }} &lt; \\| a*b <br> ~~s~~ # h"


class TestEscaping:
    """What a claim says is shown as it stands, as the book's own parser reads it."""

    @staticmethod
    def shown(claims, **more):
        config = MdParserConfig(enable_extensions={"amsmath", "colon_fence", "deflist", "dollarmath", "substitution"})
        soup = BeautifulSoup(create_md_parser(config, RendererHTML).render(to_markdown(claims, **more)), "html.parser")
        assert {tag.name for tag in soup.find_all()} <= set(
            ["table", "thead", "tbody", "tr", "th", "td", "strong", "em", "br"]
        )
        return [[cell.get_text("\n") for cell in row.find_all("td")] for row in soup.select("tbody tr")]

    @pytest.mark.parametrize("text", [NASTY, "|w|^2", "t^(-1)", "N^-1 * 2", "two\nlines", "ends with \\", "$5 and $6"])
    def test_text_of_a_claim(self, text):
        claim = changed(statement=text, quantity=text, reason=text, location=text, predicted=None, predicted_text=text)
        ((words, predicted, _, verdict),) = self.shown([claim])
        plain = " ".join(text.split())
        assert words.split("\n") == [plain, f": {plain}", plain, plain]
        assert (predicted, verdict) == (plain, "confirmed")

    @given(
        st.text(alphabet="ab |\\`*_{}[]<>#$~^&!()-.:\"'", min_size=1, max_size=12).filter(
            lambda text: text.strip() == text
        )
    )
    def test_any_text(self, text):
        ((words, *_),) = self.shown([changed(statement="s", reason=text)], with_item=True)
        assert words.split("\n")[-1] == " ".join(text.split())


class TestNoNumber:
    """NaN is refused where it would be compared, and shown as no number."""

    def test_one_seed_has_no_error(self):
        with pytest.raises(InputError, match=r"standard_error: got nan; take two seeds or more\."):
            Measurement.with_error(1.0, math.nan)

    @pytest.mark.parametrize(
        ("name", "numbers"),
        [("value", (math.nan, (0, 1))), ("interval", (0.5, (0, math.inf))), ("window", (0.5, (0, 1), (math.nan, 1)))],
    )
    def test_a_measurement_is_finite_or_none(self, name, numbers):
        with pytest.raises(InputError, match=f"^{name}: (got|NaN) "):
            Measurement(*numbers)

    @pytest.mark.parametrize(
        ("name", "value"), [("predicted", math.nan), ("corrected", math.inf), ("tolerance", math.nan)]
    )
    def test_a_prediction_is_finite(self, name, value):
        numbers = {"predicted": 1.0, "measured": 1.0, "interval": (0.9, 1.1), "tolerance": 0.1}
        with pytest.raises(InputError, match=f"^{name}: got "):
            judge(**numbers | {name: value})

    def test_a_fit_that_bounds_nothing_is_no_measurement(self):
        fit = dataclasses.replace(
            fit_power_law([1.0, 2.0, 4.0, 8.0], [1.0, 0.5, 0.26, 0.125]), interval=(-math.inf, math.inf)
        )
        assert Measurement.exponent(fit).value is None and Measurement.exponent(fit).missing

    def test_it_is_shown_as_a_dash(self):
        assert number(math.nan) == "-"


class TestLedger:
    def test_round_trip(self, tmp_path):
        path = tmp_path / "new" / "ledger.json"
        write_ledger(path, [CLAIM])
        (back,) = load_ledger(path)
        # Numbers are kept to six digits.
        assert back.predicted == pytest.approx(CLAIM.predicted, rel=1e-5)
        assert dataclasses.replace(back, predicted=CLAIM.predicted) == CLAIM
        write_ledger(path, [back])
        assert load_ledger(path) == [back]
        assert [entry.name for entry in path.parent.iterdir()] == ["ledger.json"]

    def test_rounding_noise_leaves_no_trace(self):
        noisy = changed(predicted=0.0, measured=3e-16, interval=(0.0, 3e-16))
        assert to_json(noisy)["measured"] == 0.0
        assert to_json(noisy)["interval"] == [0.0, 0.0]

    def test_record_writes_nothing_unless_asked(self, monkeypatch, tmp_path):
        monkeypatch.delenv(CLAIMS_VARIABLE, raising=False)
        monkeypatch.chdir(tmp_path)
        assert record([CLAIM]) == [CLAIM]
        assert list(tmp_path.iterdir()) == []

    def test_record_merges_by_id_and_scale(self, monkeypatch, tmp_path):
        path = tmp_path / "claims.json"
        monkeypatch.setenv(CLAIMS_VARIABLE, str(path))
        record([CLAIM, changed(id="other")])
        record([changed(verdict="inconclusive"), changed(scale="full")])
        seen = {(claim.id, claim.scale): claim.verdict for claim in load_ledger(path)}
        assert seen == {
            ("other", "small"): "confirmed",
            (CLAIM.id, "small"): "inconclusive",
            (CLAIM.id, "full"): "confirmed",
        }

    def test_a_failed_write_leaves_the_old_file(self, monkeypatch, tmp_path):
        path = tmp_path / "claims.json"
        write_ledger(path, [CLAIM])
        before = path.read_bytes()

        def broken(*_):
            raise OSError("disk full")

        monkeypatch.setattr("neural_scaling.base.files.os.replace", broken)
        with pytest.raises(OSError, match="disk full"):
            write_ledger(path, [changed(id="b")])
        assert path.read_bytes() == before
        assert [entry.name for entry in tmp_path.iterdir()] == ["claims.json"]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("verdict", "maybe"),
            ("scale", "medium"),
            ("predicted", "0.5"),
            ("measured", math.nan),
            ("interval", [0.6]),
            ("interval", [0.6, 0.5]),
            ("interval", [0.5, math.inf]),
            ("window", [1, 2, 3]),
            ("statement", ""),
            ("location", 3),
            ("item", "Fig 2"),
        ],
    )
    def test_errors_name_claim_and_field(self, tmp_path, field, value):
        path = tmp_path / "ledger.json"
        path.write_text(json.dumps([to_json(CLAIM) | {field: value}]))
        with pytest.raises(LedgerError, match=rf"claim 'fig-2.slope.hard.rich': field '{field}'") as caught:
            load_ledger(path)
        assert str(path) in str(caught.value)

    def test_other_errors(self, tmp_path):
        path = tmp_path / "ledger.json"
        with pytest.raises(LedgerError, match="no such ledger"):
            load_ledger(path)
        path.write_text("[")
        with pytest.raises(LedgerError, match="not valid JSON"):
            load_ledger(path)
        path.write_text("{}")
        with pytest.raises(LedgerError, match="list of claims"):
            load_ledger(path)
        entry = to_json(CLAIM)
        path.write_text(json.dumps([entry, entry]))
        with pytest.raises(LedgerError, match="twice"):
            load_ledger(path)
        path.write_text(json.dumps([{k: v for k, v in entry.items() if k != "reason"}]))
        with pytest.raises(LedgerError, match=r"claim 'fig-2.slope.hard.rich': .*'reason'"):
            load_ledger(path)
        path.write_text(json.dumps([entry | {"extra": 1}]))
        with pytest.raises(LedgerError, match="extra"):
            load_ledger(path)
        with pytest.raises(LedgerError, match=r"field 'id'"):
            record([changed(id="Fig 2")])


def test_committed_ledger_is_valid():
    assert isinstance(load_ledger(Path(__file__).parents[1] / "data" / "claims" / "ledger.json"), list)
