"""Keys, the store and the rule that decides what is computed."""

import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.base.files import NotWritten
from neural_scaling.models.runs import InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import (
    DamagedResult,
    Engine,
    Index,
    canonical_json,
    describe,
    experiment_key,
    obtain,
    obtain_all,
    promote,
    read_result,
    recompute_slice,
    write_result,
)
from neural_scaling.runs.experiment import UNKNOWN
from runs.squares import Squares

RECORD = {"seconds": 1, "date": "2000-01-01", "hardware": "abacus", "commit": "unknown"}


@pytest.fixture(autouse=True)
def stores(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    Squares.calls.clear()
    return tmp_path


def file_under(folder, experiment, values):
    write_result(folder, experiment_key(experiment), canonical_json(experiment), {"values": values}, RECORD)


def test_golden_keys():
    # Frozen on purpose: a change here orphans every stored result.
    assert experiment_key(InfiniteLimitRun(1.5, 0.4, math.inf, 0.02, 2.0, 10000)) == "b5c87476d8e168bc"
    assert experiment_key(OnlineDMFTRun(1.5, 0.4, 32768, 0.1, 1.0, 512, width=16, batch=128)) == "74bb8bc1f1558ab8"
    assert (
        experiment_key(ToyModelRun(1.5, 0.4, 32768, 0.1, 1.0, 512, width=16, batch=128, seeds=32)) == "1c2d7c811e0b4b9e"
    )


def test_key_ignores_how_a_number_is_written_and_sees_every_value():
    assert experiment_key(Squares(4, 1)) == experiment_key(Squares(np.int64(4), np.float64(1.0)))
    assert experiment_key(Squares(4, -0.0)) == experiment_key(Squares(4, 0.0))
    assert len({experiment_key(Squares(4, s)) for s in (1.0, 1.0 + 1e-15, math.inf, -math.inf)}) == 4
    assert json.loads(canonical_json(Squares(4, math.inf)))["values"] == {"count": 4, "pause": 0.0, "scale": "inf"}


def test_key_changes_with_the_algorithm(monkeypatch):
    before = experiment_key(Squares())
    monkeypatch.setattr(Squares, "algorithm", 2)
    assert experiment_key(Squares()) != before


def test_values_that_are_not_plain_are_refused():
    with pytest.raises(InputError, match="scale: NaN"):
        canonical_json(Squares(4, math.nan))
    with pytest.raises(InputError, match="count: a ndarray is not a plain value"):
        canonical_json(Squares(np.arange(3)))


def test_versions_of_inputs_are_part_of_the_key(stores, monkeypatch):
    plain = experiment_key(Squares())

    def of_version(name):
        monkeypatch.setattr(Squares, "inputs", {"digits": name})

    of_version("1")
    key, identity = experiment_key(Squares()), canonical_json(Squares())
    write_result(stores / "data" / "results" / "figxx", key, identity, {"values": np.array([7.0])}, RECORD)
    assert key != plain and Index("figxx").look_up(Squares()).found is not None
    of_version("2")
    seen = Index("figxx").look_up(Squares())
    assert seen.found is None and seen.reason.endswith("version of digits 1 -> 2")
    # Who cannot make the data cannot tell another version, and gets what is shipped; never what is only cached.
    of_version(UNKNOWN)
    seen = Index("figxx").look_up(Squares())
    assert seen.found.arrays["values"] == [7.0] and "version of its data cannot be checked" in seen.reason
    assert Index("figxx").look_up(Squares(5)).found is None
    for path in (stores / "data" / "results" / "figxx").iterdir():
        path.rename(stores / path.name)
    assert Index("figxx").look_up(Squares()).found is None


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "file"))
    with pytest.raises(NotWritten, match=r"file/.* could not be written .*set NEURAL_SCALING_CACHE"):
        obtain(Squares(), "figxx", "full")


def test_small_scale_never_reads_a_store(stores):
    for layer in ("data", "cache"):
        file_under(stores / layer / "results" / "figxx", Squares(), np.array([6.0, 6.0, 6.0, 6.0]))
    result = obtain(Squares(), "figxx", "small")
    assert result.origin == "computed"
    np.testing.assert_array_equal(result.arrays["values"], [0, 1, 4, 9])


def test_full_scale_takes_shipped_then_cached_then_computes_once(stores):
    first = obtain(Squares(), "figxx", "full")
    second = obtain(Squares(), "figxx", "full")
    assert (first.origin, second.origin, Squares.calls) == ("computed", "cached", [4])
    np.testing.assert_array_equal(first.arrays["values"], second.arrays["values"])
    assert second.provenance["seconds"] >= 0 and "commit" in second.provenance
    file_under(stores / "data" / "results" / "figxx", Squares(), np.array([5.0]))
    assert obtain(Squares(), "figxx", "full").origin == "shipped"


@pytest.mark.parametrize("damage", ["truncate", "flip", "remove arrays", "swap", "schema", "garbage"])
def test_a_damaged_result_is_set_aside_and_recomputed(stores, damage, capsys):
    obtain(Squares(), "figxx", "full")
    folder, key = stores / "cache" / "results" / "figxx", experiment_key(Squares())
    arrays, described = folder / f"{key}.npz", folder / f"{key}.json"
    content = bytearray(arrays.read_bytes())
    if damage == "truncate":
        arrays.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 2] ^= 1
        arrays.write_bytes(content)
    elif damage == "remove arrays":
        arrays.unlink()
    elif damage == "swap":
        file_under(folder, Squares(5), np.zeros(5))
        other = experiment_key(Squares(5))
        arrays.write_bytes((folder / f"{other}.npz").read_bytes())
        described.write_bytes((folder / f"{other}.json").read_bytes())
    elif damage == "schema":
        described.write_text(json.dumps(json.loads(described.read_text()) | {"schema": 99}))
    else:
        described.write_text("not json")
    with pytest.raises(DamagedResult):
        read_result(folder, key, canonical_json(Squares()))
    result = obtain(Squares(), "figxx", "full")
    np.testing.assert_array_equal(result.arrays["values"], [0, 1, 4, 9])
    assert result.origin == "computed"
    assert "cached result damaged and not used" in capsys.readouterr().err
    assert list(folder.glob("*.damaged"))
    assert obtain(Squares(), "figxx", "full").origin == "cached"


def test_a_failed_write_leaves_what_was_there(stores, monkeypatch):
    obtain(Squares(), "figxx", "full")
    folder = stores / "cache" / "results" / "figxx"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neural_scaling.base.files.os.fsync", full_disk)
    with pytest.raises(OSError, match=r"could not be written \(No space left.*free space, or set NEURAL_SCALING_CACHE"):
        file_under(folder, Squares(), np.zeros(3))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale: got 'huge'"):
        obtain(Squares(), "figxx", "huge")


@pytest.mark.slow
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_to_the_store_yields_a_wrong_result(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("store")
    folder = root / "results"
    runs = [Squares(3), Squares(4), Squares(5)]
    for run in runs:
        file_under(folder, run, np.arange(run.count) ** 2.0)
    names = sorted(path.name for path in folder.iterdir())
    for _ in range(data.draw(st.integers(1, 3))):
        path = folder / data.draw(st.sampled_from(names))
        action = data.draw(st.sampled_from(["flip", "truncate", "remove", "swap", "empty"]))
        content = bytearray(path.read_bytes()) if path.exists() else bytearray()
        if action == "remove":
            path.unlink(missing_ok=True)
        elif action == "empty":
            path.write_bytes(b"")
        elif action == "swap":
            other = folder / data.draw(st.sampled_from(names))
            theirs = other.read_bytes() if other.exists() else b""
            path.write_bytes(theirs)
            other.write_bytes(content)
        elif content:
            at = data.draw(st.integers(0, len(content) - 1))
            if action == "flip":
                content[at] ^= data.draw(st.integers(1, 255))
            path.write_bytes(content if action == "flip" else content[:at])
    for run in runs:
        try:
            found = read_result(folder, experiment_key(run), canonical_json(run))
        except DamagedResult:
            continue
        if found is not None:
            np.testing.assert_array_equal(found[0]["values"], np.arange(run.count) ** 2.0)
            assert found[1] == RECORD


def test_a_missing_run_is_compared_with_the_nearest_stored_one(stores, capsys):
    obtain_all([Squares(4, 2.0), Squares(9, 7.0)], "figxx", "full")
    capsys.readouterr()
    obtain_all([Squares(4, 2.0), Squares(4, 3.0)], "figxx", "full")
    said = capsys.readouterr().err
    assert "squares 4: found, cached" in said
    assert f"missing, changed against {experiment_key(Squares(4, 2.0))}: scale 2.0 -> 3.0" in said


def test_force_computes_what_is_there_and_says_so(stores, capsys):
    obtain(Squares(), "figxx", "full")
    assert obtain_all([Squares()], "figxx", "full", force=True)[Squares()].origin == "computed"
    assert Squares.calls == [4, 4]
    assert "squares 4: forced" in capsys.readouterr().err


def test_description_names_origin_hardware_and_date(stores):
    text = describe(list(obtain_all([Squares(3), Squares(4)], "figxx", "full").values()))
    assert text.startswith("2 runs computed: 20") and "cores" in text and "s in all" in text


def test_promotion_ships_all_runs_or_none(stores):
    runs = [Squares(3), Squares(4)]
    obtain(runs[0], "figxx", "full")
    with pytest.raises(InputError, match="1 of 2 full-scale runs of figxx are missing: squares 4"):
        promote(runs, "figxx")
    assert not (stores / "data" / "results").exists()
    obtain(runs[1], "figxx", "full")
    file_under(stores / "data" / "results" / "figxx", Squares(7), np.zeros(7))
    copied, size = promote(runs, "figxx")
    assert copied == [experiment_key(run) for run in runs] and size > 0
    assert obtain(runs[0], "figxx", "full").origin == "shipped"
    assert not list((stores / "data" / "results" / "figxx").glob(f"{experiment_key(Squares(7))}*"))
    assert recompute_slice(runs[1], "figxx") == 0.0
    with pytest.raises(InputError, match="is not shipped"):
        recompute_slice(Squares(9), "figxx")


def test_whatever_files_of_a_result_are_replaced_a_reader_has_the_old_one_or_the_new(stores, monkeypatch):
    folder, key, identity = stores / "results", experiment_key(Squares()), canonical_json(Squares())
    seen, replace = [], os.replace

    def replaced(*paths):
        replace(*paths)
        found = read_result(folder, key, identity)
        seen.append(None if found is None else found[0]["values"][0])

    monkeypatch.setattr("neural_scaling.base.files.os.replace", replaced)
    file_under(folder, Squares(), np.array([1.0]))
    file_under(folder, Squares(), np.array([2.0]))
    assert seen == [None, 1.0, 1.0, 2.0, 2.0]


def test_a_reader_between_whose_looks_a_result_is_replaced_has_the_new_one(stores, monkeypatch):
    folder, key, identity = stores / "results", experiment_key(Squares()), canonical_json(Squares())
    file_under(folder, Squares(), np.array([1.0]))
    read, left = Path.read_bytes, [1]

    def read_later(path):
        if path.suffix == ".npz" and left:
            left.clear()
            file_under(folder, Squares(), np.array([2.0]))
        return read(path)

    monkeypatch.setattr(Path, "read_bytes", read_later)
    assert read_result(folder, key, identity)[0]["values"] == [2.0]


def test_provenance_stands_under_a_checksum_and_older_files_have_none(stores):
    folder, key, identity = stores / "results", experiment_key(Squares()), canonical_json(Squares())
    file_under(folder, Squares(), np.array([1.0]))
    described = folder / f"{key}.json"
    body = json.loads(described.read_text())
    described.write_text(json.dumps(body | {"provenance": RECORD | {"hardware": "a faster one"}}))
    with pytest.raises(DamagedResult, match="its own checksum does not match"):
        read_result(folder, key, identity)
    described.write_text(json.dumps(body | {"remark": "mine"}))
    with pytest.raises(DamagedResult, match="its own checksum does not match"):
        read_result(folder, key, identity)
    seal = body.pop("sha256 of the rest")
    described.write_text(json.dumps(body))
    assert read_result(folder, key, identity)[1] == RECORD
    for strange in (
        {"sha257 of the rest": seal},
        {"provenance": {"seconds": 1}},
        {"provenance": "lost"},
        {"experiment": []},
    ):
        described.write_text(json.dumps(body | strange))
        with pytest.raises(DamagedResult, match="not what describes a result"):
            read_result(folder, key, identity)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"[" * 100_000, b"5", b"{}", b'{"schema": 1, "provenance": 7}'])
def test_damaged_json_is_named_and_hides_nothing_else(stores, capsys, content):
    obtain(Squares(4), "figxx", "full")
    folder = stores / "cache" / "results" / "figxx"
    (folder / "0000000000000000.json").write_bytes(content)
    capsys.readouterr()
    seen = Index("figxx").look_up(Squares(5))
    assert f"against {experiment_key(Squares(4))}: count 4 -> 5" in seen.reason
    assert capsys.readouterr().err.startswith(f"not used: {folder / '0000000000000000.json'}: ")


def damaged(stores):
    """Return the folder of a damaged result of ``Squares()``."""
    folder = stores / "cache" / "results" / "figxx"
    file_under(folder, Squares(), np.array([1.0]))
    (folder / f"{experiment_key(Squares())}.npz").write_bytes(b"")
    return folder


def test_a_cache_that_cannot_be_written_stops_no_listing(stores, monkeypatch):
    folder = damaged(stores)
    (stores / "cache" / "running").write_text("in the way of locks")
    seen = Index("figxx").look_up(Squares())
    assert seen.found is None and "cached result damaged and not used" in seen.reason
    (stores / "cache" / "running").unlink()

    def refused(*_):
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr("neural_scaling.runs.store.os.replace", refused)
    assert "cached result damaged and not used" in Index("figxx").look_up(Squares()).reason
    assert len(list(folder.iterdir())) == 2


def test_what_a_run_is_about_to_replace_is_not_set_aside(stores):
    folder, lock = damaged(stores), stores / "cache" / "running" / f"{experiment_key(Squares())}.lock"
    lock.parent.mkdir()
    with FileLock(lock):
        assert "damaged" in Index("figxx").look_up(Squares()).reason
        assert not list(folder.glob("*.damaged"))
    Index("figxx").look_up(Squares())
    assert len(list(folder.glob("*.damaged"))) == 2


def test_promotion_deletes_only_what_it_wrote(stores):
    shipped = stores / "data" / "results" / "figxx"
    file_under(shipped, Squares(7), np.zeros(7))
    file_under(shipped, Squares(8), np.zeros(8))
    (shipped / f"{experiment_key(Squares(8))}.npz").write_bytes(b"altered")
    others = {
        "README.md": "words",
        "notes.json": "{}",
        "x.npz.damaged": "?",
        f"{experiment_key(Squares(3))}.txt": "words",
    }
    for name, text in others.items():
        (shipped / name).write_text(text)
    (shipped / "older").mkdir()
    obtain(Squares(3), "figxx", "full")
    promote([Squares(3)], "figxx")
    left = {path.name for path in shipped.iterdir()}
    kept = {f"{experiment_key(Squares(count))}{suffix}" for count in (3, 8) for suffix in (".npz", ".json")}
    assert left == {*others, "older", *kept}


@pytest.mark.parametrize(
    "engine", [Engine("sequential"), Engine("processes", 1), Engine("dask", 1)], ids=lambda e: e.kind
)
def test_every_engine_has_the_same_advice_where_the_cache_cannot_be_written(engine, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(NotWritten, match=r"file/cache/running.* could not be written .*set NEURAL_SCALING_CACHE"):
        obtain_all([Squares()], "figxx", "full", engine)
