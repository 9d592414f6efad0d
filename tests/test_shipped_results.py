"""Every shipped result is there, and a slice of each is recomputed: numbers cannot change without ``algorithm`` changing."""

import pytest

from companion.registry import experiments, keep_runs
from neural_scaling.base.paths import data_root, datasets_root, shipped_scale
from neural_scaling.data.loading import folder_of
from neural_scaling.runs import Index, experiment_key, recompute_slice

SHIPPED = [item for item in keep_runs() if (data_root() / "results" / item).is_dir()]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DATASETS", str(datasets_root()))  # images are fetched once for all
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))


@pytest.mark.parametrize("item", SHIPPED)
def test_all_runs_of_the_item_and_nothing_else_are_shipped(item):
    index, wanted = Index(item), experiments(item, shipped_scale(item))
    assert {index.look_up(run).reason for run in wanted} == {"found, shipped"}
    keys = {path.name.split(".")[0] for path in (data_root() / "results" / item).iterdir()}
    assert keys == {experiment_key(run) for run in wanted}


@pytest.mark.parametrize("item", SHIPPED)
def test_shipped_results_are_small(item):
    size = sum(path.stat().st_size for path in (data_root() / "results" / item).iterdir())
    assert size < 1_000_000


RUNS = {experiment_key(run): (item, run) for item in SHIPPED for run in experiments(item, shipped_scale(item))}


@pytest.mark.long
@pytest.mark.parametrize("key", RUNS, ids=lambda key: f"{RUNS[key][0]}-{key}")
def test_a_recomputed_slice_agrees(key):
    item, experiment = RUNS[key]
    name = getattr(experiment, "dataset", "")
    if name.startswith("mnist1m") and not folder_of(name).is_dir():
        pytest.skip(f"{name} is not on disk, and drawing it takes longer than all tests")
    assert recompute_slice(experiment, item) < experiment.tolerance


@pytest.mark.parametrize("key", RUNS)
def test_items_that_share_a_run_ship_the_same_result(key):
    files = [path for item in SHIPPED for path in (data_root() / "results" / item).glob(f"{key}.npz")]
    assert files and len({path.read_bytes() for path in files}) == 1


def test_the_comparison_can_fail(monkeypatch):
    experiment = experiments("fig02", "full")[1]
    monkeypatch.setattr(
        type(experiment), "slice", lambda self: type(self)(1.5, 0.4, self.modes, self.eta, 1.01 * self.gamma, 200)
    )
    assert recompute_slice(experiment, "fig02") > experiment.tolerance
