"""The reproducibility record says what the parameters, the ledger and the results say."""

import json
import re
from pathlib import Path

import pytest

from companion import claims, record
from companion.parameters import cell_of, scales_of, values_at
from neural_scaling.runs.provenance import provenance

ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.parametrize("item", record.STATED)
def test_what_the_paper_states_is_used_at_full_scale(item):
    values = values_at(item, scales_of(item)[-1])
    assert [name for name, one in record.STATED[item].items() if not record.holds(one.value, values[name])] == []


@pytest.mark.parametrize("item", record.STATED)
def test_every_parameter_has_a_line_and_a_meaning(item):
    table = record.setup(item)
    assert set(table.parameter) == set(values_at(item, "small")) - {"scale"}
    assert (table.meaning.str.len() > 0).all() and not table.meaning.str.contains(r"\(ours| ;| ,").any()


@pytest.mark.parametrize("item", record.STATED)
def test_nothing_is_both_ours_and_stated(item):
    marked = {line.split(":")[0] for line in cell_of(item).splitlines() if re.search(r"# .*\(ours", line)}
    assert marked & {name for name, one in record.STATED[item].items() if "public code" not in one.place} == set()


def test_evidence_follows_from_the_values():
    table = record.setup("fig08").set_index("parameter")
    assert table.evidence["depth"] == "stated, Fig. 8, caption"
    assert table.evidence["heads"] == "stated, Fig. 8, caption; so at full scale"
    assert table.evidence["rates"] == "ours"
    assert table["here (reduced scale)"]["heads"] == "8" and table.paper["heads"] == "16"
    table = record.setup("fig10")
    assert "in every build" not in table and "here" in table


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (10000, "10000"),
        (1e6, "1000000"),
        (float("inf"), "∞"),
        ([0.5, [1, 2]], "0.5, (1, 2)"),
        (True, "True"),
        ("c4", "c4"),
    ],
)
def test_values_in_words(value, shown):
    assert record.words(value) == shown


def test_claims_that_are_named_exist():
    entries = claims.load_ledger(ROOT / "data" / "claims" / "ledger.json")
    items = {claim.item for claim in entries}
    named = re.findall(r"`([a-z0-9_]+\.[a-z0-9.-]+)`", (ROOT / "book" / "record.md").read_text("utf-8"))
    named = [name for name in named if name.split(".")[0] in items]
    assert named and set(named) <= {claim.id for claim in entries}


def test_every_figure_with_stated_values_is_on_the_page():
    page = (ROOT / "book" / "record.md").read_text("utf-8")
    assert re.findall(r"^```\{record\} setup (\w+)$", page, re.MULTILINE) == list(record.STATED)


@pytest.fixture
def results(tmp_path):
    for key, extra in (("a", {}), ("b", {"memory": "24 GiB", "peak_memory": 512, "threads": "all"})):
        made = {
            "commit": "c",
            "hardware": "CPU, model 3, 2 cores",
            "device": "cpu",
            "platform": "Linux",
            "python": "3.11",
        }
        made |= {"threads": "1", "seconds": 60.0, "date": "2026-01-02T00:00:00Z", "versions": {"numpy": key}} | extra
        body = {"key": key, "experiment": {"kind": "k"}, "provenance": made}
        (tmp_path / "results" / "x").mkdir(parents=True, exist_ok=True)
        (tmp_path / "results" / "x" / f"{key}.json").write_text(json.dumps(body))
    return tmp_path


def test_hardware_and_software_come_from_the_results(results):
    found = record.records(results)
    (row,) = record.hardware(found).to_dict("records")
    assert (row["processor"], row["cores"], row["runs"], row["minutes in all"]) == ("CPU, model 3", "2", 2, "2")
    assert row["memory"] == "not recorded, 24 GiB" and row["peak of a run"] == "not recorded, 512 MiB"
    assert row["threads"] == "1, all" and row["when"] == "2026-01-02"
    assert record.software(found).values.tolist()[-2:] == [["numpy", "a", 1], ["numpy", "b", 1]]


def test_all_shipped_results_are_counted():
    files = list((ROOT / "data" / "results").glob("*/*.json"))
    assert record.hardware(record.records()).runs.sum() == len(files)


def test_a_new_result_says_how_much_memory_there_is_and_was_used():
    made = provenance(1.0, "cpu")
    assert re.fullmatch(r"\d+ GiB|unknown", made["memory"])
    assert made.get("peak_memory", 1) > 0
