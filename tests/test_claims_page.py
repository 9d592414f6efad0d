"""The page of all claims: what its form offers, and what its script does in a browser."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from browser import dom
from companion.claims import by_claim, load_ledger, verdict_bar
from companion.claims.verdicts import slug
from companion.pages import claims as page
from neural_scaling.base.paths import data_root

CLAIMS = load_ledger(data_root() / "claims" / "ledger.json")
LARGEST = [claim for claim, _ in by_claim(CLAIMS)]
STATIC = Path(__file__).parents[1] / "book" / "_static"


def test_without_a_script_every_claim_is_there_and_no_form():
    soup = BeautifulSoup(page.filter_form(CLAIMS) + page.claim_list(CLAIMS), "html.parser")
    assert [line["id"] for line in soup.select("details.claim")] == [f"claim-{claim.id}" for claim in LARGEST]
    assert all(group.has_attr("open") for group in soup.select("details.claim-page"))
    assert soup.form.has_attr("hidden")


def test_the_form_offers_what_the_claims_have():
    soup = BeautifulSoup(page.filter_form(CLAIMS), "html.parser")
    offered = {
        field["name"]: {option["value"] for option in field.select("option")} - {""} for field in soup.select("select")
    }
    assert offered["verdict"] == {slug(claim.verdict) for claim in LARGEST}
    assert offered["page"] == {claim.item for claim in LARGEST}
    assert offered["kind"] == {claim.kind for claim in LARGEST}
    assert all(field.find_parent("label").get_text(strip=True) for field in soup.select("select, input"))


def test_the_page_is_light():
    whole = page.filter_form(CLAIMS) + page.claim_list(CLAIMS) + page.downloads()
    assert len(whole.encode()) < 800_000  # of the million bytes of the page; the theme has a tenth


# Each step does something and returns the ids of what is shown then, and the address.
DRIVER = """
const shown = () => [...document.querySelectorAll("details.claim:not([hidden])")].map(one => one.id.slice(6));
const fields = () => [...document.querySelectorAll("select")].map(one => one.selectedIndex);
const status = () => document.querySelector("[role=status]").textContent;
const state = () => ({fields: fields(), shown: shown(), hash: location.hash, status: status()});
const pause = () => new Promise(done => setTimeout(done, 20));
const change = (name, value) => {
  const form = document.forms[0];
  form.elements[name].value = value;
  form.elements[name].dispatchEvent(new Event(name === "q" ? "input" : "change", {bubbles: true}));
};
const key = (target, name) => target.dispatchEvent(new KeyboardEvent("keydown", {key: name, bubbles: true}));
addEventListener("load", async () => {
  const steps = {
    start: () => {},
    kind: () => change("kind", "network"),
    segment: () => document.querySelector(".verdict-bar a.not-confirmed").click(),
    words: () => change("q", "MNIST exponent"),
    formula: () => change("q", "gamma0 4.2e+05"),
    back: () => history.back(),
    clear: () => document.querySelector("[type=reset]").click(),
    key: () => key(document.querySelector(".verdict-bar a.corrected"), " "),
    again: () => document.querySelector(".verdict-bar a.corrected").click(),
    unknown: () => { location.hash = "#verdict=none&page=fig05"; },
    claim: () => { location.hash = "#claim-CLAIM"; },
  };
  const found = {};
  for (const [name, act] of Object.entries(steps)) {
    act();
    await pause();
    found[name] = state();
  }
  found.claim.open = [...document.querySelectorAll("details[open]")].map(one => one.id || one.className);
  const out = document.createElement("pre");
  out.id = "found";
  out.textContent = JSON.stringify(found);
  document.body.append(out);
});
"""


def noted(file, fragment=""):
    """What the driver wrote at each step."""
    return json.loads(BeautifulSoup(dom(file, fragment), "html.parser").select_one("#found").get_text())


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "claims.html"
    body = verdict_bar(CLAIMS, page="") + page.filter_form(CLAIMS) + page.claim_list(CLAIMS)
    driver = DRIVER.replace("CLAIM", LARGEST[0].id)
    script = (STATIC / "claims.js").read_text("utf-8")
    path.write_text(
        f"<!doctype html><meta charset=utf-8><body>{body}<script>{script}</script><script>{driver}</script>", "utf-8"
    )
    return path


@pytest.fixture(scope="module")
def found(file):
    return noted(file)


def ids(**wanted):
    return [claim.id for claim in LARGEST if all(getattr(claim, name) == value for name, value in wanted.items())]


@pytest.mark.slow
class TestInABrowser:
    def test_everything_is_shown_at_first(self, found):
        status = f"{len(LARGEST)} of {len(LARGEST)} claims"
        assert found["start"] == {"fields": [0, 0, 0], "shown": ids(), "hash": "", "status": status}

    def test_fields_and_segments_narrow_the_list_together(self, found):
        assert found["kind"]["shown"] == ids(kind="network") and found["kind"]["hash"] == "#kind=network"
        assert found["segment"]["shown"] == ids(kind="network", verdict="not confirmed")
        assert found["segment"]["hash"] == "#verdict=not-confirmed&kind=network"

    def test_words_may_stand_anywhere_and_all_must(self, found):
        assert found["words"]["hash"].endswith("&q=MNIST+exponent")
        assert set(found["words"]["shown"]) <= set(found["segment"]["shown"])
        lines = BeautifulSoup(page.claim_list(CLAIMS), "html.parser").select(".claim")
        said = {line["id"].removeprefix("claim-"): line.get_text().lower() for line in lines}
        expected = [id for id in found["segment"]["shown"] if "mnist" in said[id] and "exponent" in said[id]]
        assert found["words"]["shown"] == expected != []

    def test_formulas_are_found_as_they_are_typed(self, found):
        said = {claim.id: f"{claim.statement} {claim.quantity} {claim.reason}" for claim in LARGEST}
        expected = [id for id in found["segment"]["shown"] if "gamma0" in said[id] and "4.2e+05" in said[id]]
        assert found["formula"]["shown"] == expected != []

    def test_back_returns_to_what_was_selected_before(self, found):
        assert (found["back"]["hash"], found["back"]["shown"]) == ("#kind=network", ids(kind="network"))

    def test_clear_shows_everything(self, found):
        assert (found["clear"]["hash"], found["clear"]["shown"]) == ("", ids())

    def test_a_segment_answers_to_the_keyboard_and_releases(self, found):
        assert found["key"]["shown"] == ids(verdict="corrected")
        assert found["again"]["shown"] == ids()

    def test_an_unknown_value_in_the_address_counts_as_none(self, found):
        assert found["unknown"]["shown"] == ids(item="fig05")
        assert found["unknown"]["fields"][0] == 0  # "all", not an empty field

    def test_an_address_opens_its_claim(self, found):
        assert f"claim-{LARGEST[0].id}" in found["claim"]["open"] and "claim-page" in found["claim"]["open"]

    def test_a_filtered_view_can_be_linked(self, file):
        state = noted(file, "#verdict=out-of-reach")["start"]
        assert state["shown"] == ids(verdict="out of reach") != []
        assert state["status"].startswith("1 of ")
