"""Keys, the store and the rule that decides what is computed."""

import dataclasses
import json
import math
from typing import ClassVar

import numpy as np
import pytest

from neural_scaling.checks import InputError
from neural_scaling.experiments import InfiniteLimitRun, OnlineDMFTRun, ToyModelRun
from neural_scaling.runs import (
    DamagedResult,
    Experiment,
    canonical_json,
    experiment_key,
    obtain,
    read_result,
    write_result,
)


@dataclasses.dataclass(frozen=True)
class Squares(Experiment):
    """A run that counts how often it was computed."""

    kind: ClassVar[str] = "squares"
    algorithm: ClassVar[int] = 1
    calls: ClassVar[list[int]] = []
    count: int = 4
    scale: float = 1.0

    @property
    def work(self):
        return 1

    @property
    def label(self):
        return "squares"

    def run(self, progress):
        progress(1)
        self.calls.append(self.count)
        return {"values": self.scale * np.arange(self.count) ** 2.0}


@pytest.fixture(autouse=True)
def stores(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    Squares.calls.clear()
    return tmp_path


def file_under(folder, experiment, values):
    write_result(folder, experiment_key(experiment), canonical_json(experiment), {"values": values}, {"seconds": 1})


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
    assert json.loads(canonical_json(Squares(4, math.inf)))["values"] == {"count": 4, "scale": "inf"}


def test_key_changes_with_the_algorithm(monkeypatch):
    before = experiment_key(Squares())
    monkeypatch.setattr(Squares, "algorithm", 2)
    assert experiment_key(Squares()) != before


def test_values_that_are_not_plain_are_refused():
    with pytest.raises(InputError, match="scale: NaN"):
        canonical_json(Squares(4, math.nan))
    with pytest.raises(InputError, match="count: a ndarray is not a plain value"):
        canonical_json(Squares(np.arange(3)))


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
    assert "damaged result not used" in capsys.readouterr().err
    assert list(folder.glob("*.damaged"))
    assert obtain(Squares(), "figxx", "full").origin == "cached"


def test_a_failed_write_leaves_what_was_there(stores, monkeypatch):
    obtain(Squares(), "figxx", "full")
    folder = stores / "cache" / "results" / "figxx"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("neural_scaling.runs.store.os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        file_under(folder, Squares(), np.zeros(3))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_unknown_scale_is_refused():
    with pytest.raises(InputError, match="scale: got 'huge'"):
        obtain(Squares(), "figxx", "huge")
