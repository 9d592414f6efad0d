import dataclasses
import json
import math
import re
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest
from bs4 import BeautifulSoup
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from companion.agreement import mean_exponent
from companion.claims import (
    CLAIMS_VARIABLE,
    HEADLINES,
    VERDICTS,
    Claim,
    LedgerError,
    Measurement,
    Shown,
    Tolerance,
    as_json,
    bound,
    bounded,
    by_claim,
    chip,
    headlines,
    judged,
    load_ledger,
    number,
    of_exponent,
    record,
    schema,
    summary,
    to_html,
    to_table,
    verdict_bar,
    write_ledger,
)
from companion.claims.claim import OPEN
from companion.claims.places import PARTS, WITHOUT, index, linked, places
from companion.claims.tolerance import LEAST, SHARE
from companion.claims.verdicts import SIGNS, slug
from companion.claims.words import in_symbols
from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import data_root
from neural_scaling.fits import fit_power_law
from neural_scaling.models.runs import InfiniteLimitRun
from neural_scaling.runs.experiment import experiment_key

CLAIM = Claim(
    id="fig-2.slope.hard.rich",
    item="fig02",
    location="Fig. 2b",
    statement="The exponent of a hard task is 2 beta/(1 + beta).",
    quantity="exponent of L against steps",
    kind="theory",
    scale="small",
    relation="equals",
    predicted=4 / 7,
    tolerance=0.057,
    rule="a third of the gap",
    measured=0.5612,
    interval=(0.55, 0.5724),
    meaning="95 % interval of the mean slope in the window",
    window=(100.0, 10000.0),
)

PAGE = SimpleNamespace(item="losslaw", scale="small")
WITHIN = Tolerance(0.05, "a test")


def changed(**fields):
    return Claim.model_validate(CLAIM.model_dump(exclude={"headline", "verdict", "reason"}) | fields)


def of(measured, interval, predicted=0.5, tolerance=WITHIN, **more):
    found = Measurement.none("none") if measured is None else Measurement(measured, interval)
    return judged(PAGE, "a.b", "eq. 8", "s", "q", predicted, found, "theory", tolerance, **more)


class TestVerdict:
    """Verdict and reason follow from the numbers."""

    @pytest.mark.parametrize(
        ("measured", "interval", "verdict"),
        [
            (0.52, (0.50, 0.54), "confirmed"),
            (0.52, (0.51, 0.53), "confirmed"),  # leaves out the prediction by 2 %
            (0.54, (0.53, 0.545), "close"),  # by 6 %
            (0.52, (0.40, 0.64), "inconclusive"),  # too wide
            (0.57, (0.54, 0.60), "inconclusive"),  # just outside, not excluded
            (0.70, (0.60, 0.80), "not confirmed"),
            (0.30, (0.29, 0.44), "not confirmed"),
            (None, None, "inconclusive"),
        ],
    )
    def test_rule(self, measured, interval, verdict):
        assert of(measured, interval).verdict == verdict

    @pytest.mark.parametrize(
        ("corrected", "interval", "verdict"),
        [
            (0.5, (0.49, 0.51), "corrected"),
            (0.7, (0.49, 0.51), "not confirmed"),
            (0.5, (0.40, 0.60), "correction undecided"),
            (1.0, (0.49, 0.51), "not confirmed"),  # a correction that changes nothing
        ],
    )
    def test_corrected_needs_the_printed_to_fail_and_the_correction_to_hold(self, corrected, interval, verdict):
        assert of(0.5, interval, 1.0, corrected=corrected).verdict == verdict
        assert of(0.5, interval, 0.5, corrected=0.9).verdict in ("confirmed", "inconclusive")

    @pytest.mark.parametrize(
        ("interval", "above", "below"),
        [
            ((0.6, 0.8), "confirmed", "not confirmed"),
            ((0.4, 0.8), "inconclusive", "inconclusive"),
            ((0.1, 0.4), "not confirmed", "confirmed"),
        ],
    )
    def test_a_limit(self, interval, above, below):
        found = Measurement(sum(interval) / 2, interval)
        for relation, verdict in (("above", above), ("below", below)):
            claim = bounded(PAGE, "a.b", "eq. 8", "s", "q", relation, 0.5, found, "theory")
            assert claim.verdict == verdict
            assert f"{relation} 0.500" in claim.reason

    def test_the_correction_of_a_limit_has_a_tolerance(self):
        found = Measurement(-0.2, (-0.22, -0.18))
        claim = bounded(PAGE, "a.b", "eq. 8", "s", "q", "above", 0.0, found, "theory", WITHIN, corrected=-0.2)
        assert claim.verdict == "corrected"

    def test_out_of_reach_is_open_and_beyond(self):
        assert of(0.5, (0.1, 0.9), beyond=True).verdict == of(None, None, beyond=True).verdict == "out of reach"
        assert of(0.5, (0.5, 0.5), beyond=True).verdict == "confirmed"

    @pytest.mark.parametrize(("interval", "added"), [((0.5, 0.5), "; n"), ((0.3, 0.7), "; n; w")])
    def test_what_would_decide_a_claim_is_said_where_it_is_open(self, interval, added):
        assert of(0.5, interval, note="n", needs="w").reason == of(0.5, interval).reason + added

    @given(
        predicted=st.floats(-5, 5),
        measured=st.floats(-5, 5),
        below=st.floats(0, 2),
        above=st.floats(0, 2),
        tolerance=st.floats(0.01, 2),
        factor=st.sampled_from([-1.0, 10.0, -100.0]),
    )
    def test_verdicts_exclude_each_other_and_know_no_units(self, predicted, measured, below, above, tolerance, factor):
        def verdict(unit):
            ends = sorted((unit * (measured - below), unit * (measured + above)))
            return of(unit * measured, tuple(ends), unit * predicted, Tolerance(abs(unit) * tolerance, "t")).verdict

        found, gap = verdict(1.0), abs(measured - predicted)
        distances = [gap, abs(measured - below - predicted), abs(measured + above - predicted), below, above]
        # Six digits are kept, so that what is that near to an edge may fall on either side of it.
        if all(abs(one - edge) > 1e-3 for one in distances for edge in (tolerance, 0.05 * abs(predicted))):
            assert found not in ("confirmed", "close") or gap <= tolerance
            assert found != "not confirmed" or gap > tolerance
            assert verdict(factor) == found

    def test_bad_input(self):
        with pytest.raises(InputError, match=r"^tolerance: "):
            of(0.5, (0.4, 0.6), tolerance=Tolerance(0.0, "none"))
        with pytest.raises(InputError, match=r"^interval: "):
            of(0.5, (0.6, 0.7))
        with pytest.raises(InputError, match=r"^predicted: "):
            of(0.5, (0.4, 0.6), predicted=math.nan)
        with pytest.raises(InputError, match=r"^corrected: "):
            of(0.5, (0.4, 0.6), corrected=math.inf)
        with pytest.raises(InputError, match=r"^id: "):
            judged(PAGE, "A b", "eq. 8", "s", "q", 1.0, Measurement.exact(1.0), "theory")


class TestTolerance:
    @pytest.mark.parametrize("kind", SHARE)
    def test_an_exponent(self, kind):
        assert of_exponent(2.0, kind).value == of_exponent(-2.0, kind).value == 2 * SHARE[kind]
        assert of_exponent(0.0, kind).value == LEAST[kind]
        assert (
            of_exponent(3.0, kind, corrected=-2.0) == of_exponent(-2.0, kind, corrected=3.0) == of_exponent(2.0, kind)
        )

    @pytest.mark.parametrize(("kind", "beta"), [("theory", 0.89), ("simulation", 0.79), ("network", 0.79)])
    def test_it_tells_lazy_from_rich(self, kind, beta):
        rich = 2 * beta / (1 + beta)
        for source in (beta, 0.5, 0.1):
            chi = 2 * source / (1 + source)
            assert of_exponent(chi, kind).value < chi - source
        assert of_exponent(rich, kind).value == pytest.approx(rich - beta, rel=0.15)


class TestJudged:
    def test_it_takes_what_the_measurement_knows(self):
        run = InfiniteLimitRun(1.5, 0.5, math.inf, 0.1, 0.0, 10)
        measured = Measurement.with_error(1.5, 0.1, (2.0, 3.0))
        claim = judged(
            PAGE, "losslaw.x", "eq. 8", "It is 1.", "ratio", 1.0, measured, "simulation", seeds=7, runs=[run]
        )
        assert (claim.item, claim.scale, claim.window, claim.seeds) == ("losslaw", "small", (2.0, 3.0), 7)
        assert claim.interval == pytest.approx((1.5 - 1.96 * 0.1, 1.5 + 1.96 * 0.1), rel=1e-4)
        assert claim.runs == (experiment_key(run),)
        assert (claim.tolerance, claim.rule) == of_exponent(1.0, "simulation")

    @pytest.mark.parametrize("measured", [Measurement(1.5, (1.0, 2.0), (3.0, 4.0)), Measurement.none("too short")])
    def test_a_row_of_a_table_gives_the_measurement_back(self, measured):
        value, interval, window = measured.columns()
        assert Measurement.of(value, interval, window, measured.missing) == measured

    def test_an_unknown_error_is_no_small_one(self):
        assert Measurement.around(2.0, 0.5).half == 0.5
        assert math.isnan(Measurement.mean_of([1.0]).half)

    def test_one_of_several_values_comes_with_their_extremes(self):
        values, window = np.array([1.2, 0.9, 0.7, 1.1]), (2.0, 3.0)
        farthest = Measurement.farthest_of(values, 1.0, window)
        assert farthest == Measurement(0.7, (0.7, 1.2), window, meaning="smallest and largest value")
        others = (
            Measurement.farthest_of(values, 0.9),
            Measurement.last_of(values, window),
            Measurement.median_of(values),
        )
        assert [one.value for one in others] == [1.2, 1.1, 1.0]
        assert {one.interval for one in others} == {(0.7, 1.2)}

    def test_no_fit_is_no_measurement(self):
        claim = judged(PAGE, "a.b", "eq. 8", "s", "q", 1.0, Measurement.exponent(None), "theory")
        assert (claim.measured, claim.verdict, claim.reason) == (None, "inconclusive", "nothing could be fitted")


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
        shown = Shown([CLAIM, changed(id="b", predicted=1.0, corrected=0.5612)], lambda claim: claim.id != "b")
        assert repr(shown) == f"{CLAIM.id}: confirmed"
        assert shown._repr_html_().count("<details") == 2

    def test_a_claim_opens_to_its_numbers_and_checks(self):
        small = changed(seeds=3, note="a note")
        text = to_html(
            [changed(id="b"), small, changed(scale="full", measured=0.56, needs="x", runs=("0a",))], with_item=True
        )
        lines = BeautifulSoup(text, "html.parser").select("details.claim")
        assert [line["id"] for line in lines] == ["claim-b", f"claim-{CLAIM.id}"]
        full = lines[1]
        assert (full["data-verdict"], full["data-page"], full["data-kind"]) == ("confirmed", "fig02", "theory")
        said = {head.get_text(): head.find_next("dd").get_text() for head in full.select("dt")}
        assert (
            said["Predicted"] == "0.571" and said["Runs"] == "0a" and said["Tolerance"] == "0.057: a third of the gap"
        )
        assert said["Measured"] == "0.560 [0.550, 0.572] (95 % interval of the mean slope in the window)"
        assert said["Live check"] == "small: 0.571 predicted, 0.561 [0.550, 0.572] measured ✓ confirmed"
        assert "Would decide it" not in said  # it is decided
        assert full.select_one(f'a[href="fig02.html#{full["id"]}"]').get_text() == "Figure 2, full scale"
        assert to_html([]) == ""

    def test_equations_are_those_of_the_paper_wherever_a_claim_names_them(self):
        claim = changed(
            location="Fig. 2a, eqs. 8, 9", statement="As eq. 67.", quantity="that of paper eq. 67", note="eq. 1"
        )
        said = BeautifulSoup(to_html([claim]), "html.parser").get_text()
        assert said.count("eq") == 5 == said.count("paper eq") + said.count("Pequ")
        assert "Fig. 2a, paper eqs. 8, 9" in said

    def test_an_open_claim_says_once_what_would_decide_it(self):
        (line,) = BeautifulSoup(to_html([changed(interval=(0.4, 0.7), needs="more seeds")]), "html.parser").select("dl")
        assert line.get_text().count("more seeds") == 1

    def test_a_page_and_the_list_of_all_claims_lead_to_each_other(self):
        (link,) = BeautifulSoup(to_html([CLAIM]), "html.parser").select("dd a")
        assert link["href"] == f"claims.html#claim-{CLAIM.id}"
        assert "data-" not in to_html([CLAIM])

    def test_summary_counts_the_largest_scale(self):
        corrected = {"predicted": 1.0, "corrected": 0.5612}
        counts = summary([CLAIM, changed(scale="full", **corrected), changed(id="b", **corrected)])
        found = dict(zip(counts.verdict, counts.claims, strict=True))
        assert found["corrected"] == 2 and sum(found.values()) == 2

    def test_a_table_has_all_fields(self):
        (row,) = to_table([CLAIM]).to_dict("records")
        assert row == as_json(CLAIM) | {"interval": CLAIM.interval, "window": CLAIM.window}


NASTY = "<script>alert(1)</script> | $x_1$ `code` **bold** _it_ [a](b) {math}`x` {{ s }} &lt; \\| a*b <br> ~~s~~ # h"


TAGS = {"div", "details", "summary", "span", "dl", "dt", "dd", "a", "code", "sub", "sup"}


class TestEscaping:
    """What a claim says is shown as it stands."""

    @staticmethod
    def shown(claims):
        soup = BeautifulSoup(to_html(claims), "html.parser")
        assert {tag.name for tag in soup.find_all()} <= TAGS
        return soup

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            (NASTY, NASTY.replace("x_1", "x1").replace("a*b", "a·b")),
            ("|w|^2", "|w| to the power 2"),
            ("t^(-1)", "t to the power −1"),
            *((text, text) for text in ("N * 2", "two\nlines", "ends with \\", "$5 and $6")),
        ],
    )
    def test_text_of_a_claim(self, text, read):
        claim = changed(statement=text, quantity=text, note=text, location=text)
        soup = self.shown([claim])
        said = {head.get_text(): head.find_next("dd").get_text() for head in soup.select("dt")}
        assert soup.select_one(".said").get_text() == said["Of"] == read
        assert said["Place"] == text and said["Reason"].endswith(f"; {read}")
        plain = BeautifulSoup(to_html([claim], with_item=True), "html.parser").select_one("details")["data-plain"]
        assert plain == f"{text}; {text}; {claim.reason}"


class TestSymbols:
    """Formulas in plain text, as a page shows them."""

    @staticmethod
    def shown(text):
        soup = BeautifulSoup(in_symbols(text), "html.parser")
        for hidden in soup.select("sup > .visually-hidden"):
            assert hidden.extract().get_text() == " to the power "
        return soup

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("falls as t^-0.571.", "falls as t<sup>−0.571</sup>."),
            ("t^(-2 beta/(1+beta)), q_phi = 1", "t<sup>−2β/(1+β)</sup>, q<sub>φ</sub> = 1"),
            ("a^-(1 - 1/alpha), so", "a<sup>−(1 − 1/α)</sup>, so"),
            ("N^-(alpha min(2, beta)), t^-((1 - 1/alpha) m)", "N<sup>−α min(2, β)</sup>, t<sup>−(1 − 1/α) m</sup>"),
            ("t^-(2-beta), C^(2-x), t^(2^k)", "t<sup>−(2−β)</sup>, C<sup>2−x</sup>, t<sup>2<sup>k</sup></sup>"),
            ("P^alpha y^T, t^(1", "P<sup>α</sup> y<sup>T</sup>, t^(1"),
            ("gamma0, gamma_0, lambda r3", "γ<sub>0</sub>, γ<sub>0</sub>, λ r<sub>3</sub>"),
            ("chi_(n+1), w*_k, w*^2, k*", "χ<sub>n+1</sub>, w*<sub>k</sub>, w*<sup>2</sup>, k*"),
            ("L_N - L_inf, sum_k lambda_k", "L<sub>N</sub> − L<sub>∞</sub>, Σ<sub>k</sub> λ<sub>k</sub>"),
            ("a = int K dt, Delta(s), -dL/dt", "a = ∫ K dt, Δ(s), −dL/dt"),
            ("gamma -> 0, B -> infinity, 1 +- 0.2 <= 2", "γ → 0, B → ∞, 1 ± 0.2 ≤ 2"),
            ("1 << 2, k ~ t, beta > 1", "1 ≪ 2, k ∼ t, β &gt; 1"),
            ("[-1.65e-05, 1e+09] at 3e9", "[−1.65 × 10<sup>−5</sup>, 10<sup>9</sup>] at 3 × 10<sup>9</sup>"),
            ("L_B / L_∞, q_φ, 2 beta, 2 t", "L<sub>B</sub> / L<sub>∞</sub>, q<sub>φ</sub>, 2β, 2 t"),
            ("predicted: beta(1-beta) in eta*steps", "predicted: β(1−β) in η·steps"),
            ("a 3 x 3 & 4", "a 3 x 3 &amp; 4"),
        ],
    )
    def test_formulas(self, text, shown):
        assert self.shown(text).decode_contents().replace("\N{NO-BREAK SPACE}", " ") == shown

    def test_no_line_ends_within_an_equation_or_a_number(self):
        parts = self.shown("for B = 2 below 1.5e-6").get_text().split(" ")
        assert [part.replace("\N{NO-BREAK SPACE}", " ") for part in parts] == ["for", "B = 2", "below", "1.5 × 10−6"]

    @pytest.mark.parametrize(
        "text",
        [
            "alphabet, theta, betas and an alpha_beta_gamma",
            "the sum over modes, finite-N, MNIST-1M, mnist1m, cifar10 and C4",
            "losslaw.limit.rich.beta-1.25 and batch.excess.gamma-0.b1",
            "eqs. 8-31, a key 12e4f0, the file gamma0_max",
        ],
    )
    def test_words_and_names_are_no_formulas(self, text):
        assert in_symbols(text) == text

    @given(st.lists(st.sampled_from([*"<>&\"'^_()-* t1e", "alpha", "beta", "<b>", "&lt;", "->", " - ", "1e-05"])))
    def test_any_text_stays_text(self, parts):
        text = "".join(parts)
        whole = ElementTree.fromstring(f"<p>{in_symbols(text)}</p>")  # refuses tags that do not match
        assert {tag.tag for tag in whole.iter()} <= {"p", "sub", "sup", "span"}
        assert "".join(whole.itertext()).count("<") == text.count("<") - 2 * text.count("<<")

    @given(
        st.recursive(
            st.just("alpha"), lambda inner: st.tuples(inner, inner).map("({0[0]} + {0[1]})".format), max_leaves=5
        )
    )
    def test_parentheses_close_where_they_opened(self, formula):
        power = formula.replace("alpha", "α").removeprefix("(").removesuffix(")")
        assert self.shown(f"(t^{formula}) b)").decode_contents() == f"(t<sup>{power}</sup>) b)"

    def test_nothing_is_left_spelled_in_the_ledger(self):
        claims = TestCommitted.claims
        said = {text for claim in claims for text in (claim.statement, claim.quantity, claim.reason, claim.rule)}
        left = re.compile(r"[\^_]|->|<=|\d-\d|(?<!\w)-\d|\b(alpha|beta|gamma|chi|eta|lambda|phi|[Dd]elta|inf)(\b|\d)")
        assert not [text for text in said if left.search(re.sub(r"eqs?\. [-\d]+", "", self.shown(text).get_text()))]


class TestVerdicts:
    """Chips and the bar, in words and in colours."""

    CSS = (Path(__file__).parents[1] / "book" / "_static" / "book.css").read_text("utf-8")

    def test_every_verdict_has_its_own_sign_beside_the_word(self):
        assert len(set(SIGNS.values())) == len(VERDICTS) and set(SIGNS) == set(VERDICTS)
        for verdict, sign in SIGNS.items():
            assert BeautifulSoup(chip(verdict), "html.parser").get_text() == f"{sign} {verdict}"
            assert BeautifulSoup(chip(verdict, 3), "html.parser").get_text() == f"{sign} {verdict}: 3"

    def test_the_bar_counts_claims_at_their_largest_scale_and_leads_to_them(self):
        wrong = {"predicted": 1.0}
        given = [CLAIM, changed(scale="full", **wrong), changed(id="b", item="fig03"), changed(id="c", **wrong)]
        links = BeautifulSoup(verdict_bar(given), "html.parser").select("a")
        assert [(link["href"], link["aria-label"], link["style"]) for link in links] == [
            ("claims.html#verdict=confirmed", "1 confirmed", "flex-grow:1"),
            ("claims.html#verdict=not-confirmed", "2 not confirmed", "flex-grow:2"),
        ]
        (link,) = BeautifulSoup(verdict_bar([CLAIM], page=""), "html.parser").select("a")
        assert link["href"] == "#verdict=confirmed&page=fig02"
        assert verdict_bar([]) == ""

    @pytest.mark.parametrize("theme", ["html", 'html[data-theme="dark"]'])
    def test_colours_are_legible(self, theme):
        block = re.search(rf"^{re.escape(theme)} {{(.*?)}}", self.CSS, re.DOTALL | re.MULTILINE)[1]
        colours = dict(re.findall(r"--([a-z-]+): #([0-9a-f]{6});", block))
        text = luminance(colours.pop("verdict-text"))
        assert set(colours) == {slug(verdict) for verdict in VERDICTS}
        for name, colour in colours.items():
            low, high = sorted((text, luminance(colour)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, name  # WCAG AA for text
            assert f".verdict.{name} {{ --verdict: var(--{name}); }}" in self.CSS


def luminance(colour):
    """Relative luminance of WCAG 2."""
    parts = [int(colour[k : k + 2], 16) / 255 for k in (0, 2, 4)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


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
        with pytest.raises(InputError, match=f"^{name}: "):
            Measurement(*numbers)

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
        assert load_ledger(path) == [CLAIM]
        assert CLAIM.predicted == 0.571429  # six digits are kept, the same in the file and before
        assert [entry.name for entry in path.parent.iterdir()] == ["ledger.json"]

    def test_rounding_noise_leaves_no_trace(self):
        noisy = as_json(changed(predicted=0.0, measured=3e-16, interval=(0.0, 3e-16)))
        assert (noisy["predicted"], noisy["measured"], noisy["interval"]) == (0.0, 0.0, [0.0, 0.0])

    def test_a_claim_stands_once_with_its_checks(self, tmp_path):
        path = tmp_path / "ledger.json"
        checks = [changed(note="only here", window=None), changed(scale="reduced", measured=0.56)]
        write_ledger(path, [*checks, changed(scale="full", seeds=3)])
        (entry,) = json.loads(path.read_text())
        assert entry["scale"] == "full" and [one["scale"] for one in entry["checks"]] == ["reduced", "small"]
        assert set(entry["checks"][0]) == {"scale", "measured", "seeds"}
        assert sorted(load_ledger(path), key=str) == sorted([*checks, changed(scale="full", seeds=3)], key=str)
        Draft202012Validator(schema()).validate([entry])

    def test_record_writes_nothing_unless_asked(self, monkeypatch, tmp_path):
        monkeypatch.delenv(CLAIMS_VARIABLE, raising=False)
        monkeypatch.chdir(tmp_path)
        assert record([CLAIM]) == [CLAIM]
        assert list(tmp_path.iterdir()) == []

    def test_record_merges_by_id_and_scale(self, monkeypatch, tmp_path):
        path = tmp_path / "claims.json"
        monkeypatch.setenv(CLAIMS_VARIABLE, str(path))
        record([CLAIM, changed(id="other")])
        record([changed(interval=(0.0, 1.0)), changed(scale="full")])
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
            ("verdict", "not confirmed"),  # does not follow from the numbers
            ("reason", "because"),
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
        path.write_text(json.dumps([as_json(CLAIM) | {field: value}]))
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
        entry = as_json(CLAIM)
        path.write_text(json.dumps([entry, entry]))
        with pytest.raises(LedgerError, match="twice"):
            load_ledger(path)
        path.write_text(json.dumps([{k: v for k, v in entry.items() if k != "rule"}]))
        with pytest.raises(LedgerError, match=r"claim 'fig-2.slope.hard.rich': .*'rule'"):
            load_ledger(path)
        path.write_text(json.dumps([entry | {"extra": 1}]))
        with pytest.raises(LedgerError, match="extra"):
            load_ledger(path)
        path.write_text(json.dumps([entry, entry | {"item": "other", "scale": "full"}]))
        with pytest.raises(LedgerError, match="two pages"):
            load_ledger(path)


class TestCommitted:
    """The ledger of the book: reading it recomputes every verdict and reason."""

    claims = load_ledger(data_root() / "claims" / "ledger.json")

    def test_open_claims_say_what_would_decide_them(self):
        silent = [claim.id for claim, _ in by_claim(self.claims) if claim.verdict in OPEN and not claim.needs]
        assert not silent

    def test_few_claims_are_inconclusive(self):
        largest = [claim for claim, _ in by_claim(self.claims)]
        assert sum(claim.verdict == "inconclusive" for claim in largest) <= 0.15 * len(largest)

    def test_no_exponent_is_judged_looser_than_the_rule(self):
        loose = [
            claim.id
            for claim in self.claims
            if claim.relation == "equals"
            and claim.quantity.startswith("exponent")
            and claim.tolerance > of_exponent(claim.predicted, claim.kind).value * (1 + 1e-5)
        ]
        assert not loose

    def test_pages_cite_claims_that_are_there(self):
        pages = (Path(__file__).parents[1] / "notebooks" / "references").glob("*.ipynb")
        lists = [ids for page in pages for ids in re.findall(r'"Judged on other pages: ([^"]*)"', page.read_text())]
        cited = {id for ids in lists for id in ids.split(", ")}
        assert cited and cited <= {claim.id for claim in self.claims}

    def test_the_schema_stands_beside_it(self):
        assert json.loads((data_root() / "claims" / "schema.json").read_text()) == schema()


class TestPlaces:
    @pytest.mark.parametrize(
        ("location", "parts"),
        [
            ("Fig. 2b, eqs. 8-10", {"Fig. 2", "eq. 8", "eq. 9", "eq. 10"}),
            ("eqs. 8, 9 and 80", {"eq. 8", "eq. 9", "eq. 80"}),
            ("eqs. 8, 9, third term", {"eq. 8", "eq. 9"}),
            ("Appendix D with eq. 41", {"App. D", "eq. 41"}),
            ("App. G.3, footnote 2", {"App. G", "footnote 2"}),
            ("section 5.1, Table 1", {"section 5.1", "Table 1"}),
            ("Figs. 11 and 12", {"Fig. 11", "Fig. 12"}),
            ("Equation 44 convolves", {"eq. 44"}),
            ("nowhere", set()),
        ],
    )
    def test_a_location_names_parts(self, location, parts):
        assert places(location) == parts

    def test_equations_of_a_location_are_links(self):
        said = BeautifulSoup(linked("Fig. 2b, eqs. 8, 18-31 and 80, third term, Table 1"), "html.parser")
        assert said.get_text().startswith("Fig. 2b, paper eqs. 8, ")
        assert linked("paper eqs. 8, 9") == linked("eqs. 8, 9")
        assert [(link.get_text(), link["href"]) for link in said.select("a")] == [
            ("8", "../equations.html#eq-8"),
            ("18-31", "../equations.html#eq-18"),
            ("80", "../equations.html#eq-80"),
        ]

    def test_every_part_of_the_paper_has_claims_or_a_reason(self):
        claims = TestCommitted.claims
        cited = set().union(*(places(claim.location) for claim in claims))
        assert not set(WITHOUT) & cited, "a reason for none where there is a claim"
        found = index(claims)
        assert not list(found.part[found.claims == ""])
        assert cited <= set(PARTS)


class TestErrorsOfTheRule:
    """How often the rule errs, on curves whose exponent is known."""

    @staticmethod
    def verdicts(truth, predicted, count, scatter, draws=300):
        """Verdicts on power laws with an exponent that varies between seeds, a correction that decays, and noise."""
        random, step = np.random.default_rng(7), np.geomspace(10.0, 1000.0, 40)
        found = Counter()
        for _ in range(draws):
            exponents = truth + scatter * random.standard_normal(count)
            noise = 0.02 * random.standard_normal((count, step.size))
            curves = step ** -exponents[:, None] * (1 + 0.3 / step) * np.exp(noise)
            measured = mean_exponent(step, curves, (10.0, 1000.0))
            found[judged(PAGE, "a.b", "eq. 8", "s", "q", predicted, measured, "network").verdict] += 1
        return found

    @pytest.mark.parametrize(("count", "scatter"), [(3, 0.005), (3, 0.05), (12, 0.005), (12, 0.05)])
    def test_a_true_exponent_is_hardly_ever_excluded(self, count, scatter):
        found = self.verdicts(0.5, 0.5, count, scatter)
        # The interval alone would exclude it in 5 % of draws; it must lie 10 % away on top of that.
        assert found["not confirmed"] <= 0.01 * found.total()
        assert scatter > 0.005 or found["confirmed"] >= 0.95 * found.total()

    @pytest.mark.parametrize(("count", "scatter"), [(3, 0.005), (3, 0.05), (12, 0.005), (12, 0.05)])
    def test_the_lazy_exponent_is_hardly_ever_taken_for_the_rich_one(self, count, scatter):
        found = self.verdicts(0.5, 2 / 3, count, scatter)
        assert found["confirmed"] + found["close"] <= 0.01 * found.total()
        assert scatter > 0.005 or found["not confirmed"] >= 0.95 * found.total()


class TestHeadlines:
    def test_they_are_of_the_ledger(self):
        known = {claim.id: claim for claim, _ in by_claim(TestCommitted.claims)}
        assert 20 <= len(HEADLINES) <= 35 and set(HEADLINES) <= set(known)
        lines = BeautifulSoup(headlines(TestCommitted.claims), "html.parser").select("li")
        for line, (id, words) in zip(lines, HEADLINES.items(), strict=True):
            claim = known[id]
            assert (
                line.select_one(".verdict").get_text() == f"{SIGNS[claim.verdict]} {claim.verdict}" and claim.headline
            )
            assert [link["href"].removesuffix(".html") for link in line.select("a")] == [
                f"claims.html#claim-{id}",
                claim.item,
            ]
            of_paper = "Paper: " if claim.verdict == "corrected" else ""  # what is corrected is not held by the book
            said = re.sub(r"\$([^$]*)\$", r"\\(\1\\)", words)
            assert line.select_one(".said").get_text() == of_paper + said
            numbers = line.select_one(".against").get_text()
            assert ("±" in numbers) == (claim.relation == "equals" or bool(of_paper))
            assert numbers.count("would decide it") == (claim.verdict in OPEN)

    def test_an_unknown_one_is_refused(self):
        with pytest.raises(InputError, match=r"^claims: "):
            headlines([CLAIM])
