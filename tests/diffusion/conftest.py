"""A dataset and networks so small that everything around them can be tested in seconds."""

from types import SimpleNamespace

import pytest

from neural_scaling.data import entries
from neural_scaling.data.digits import runs as experiments
from neural_scaling.data.digits import sizes
from neural_scaling.data.digits.runs import ClassifierRun, DenoiserRun
from neural_scaling.data.digits.sizes import Size
from neural_scaling.runs import obtain
from pictures import digits


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Small data, models named ``tiny`` and sizes ``small`` and ``large`` of 20 and 60 images; nothing is trained yet."""
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "cpu")
    data = SimpleNamespace(train=digits(300, 0), test=digits(100, 1))
    monkeypatch.setattr(entries, "MNIST", SimpleNamespace(load=lambda: data))
    model = DenoiserRun(8, 30, 2e-3, 0.9, 0, 30, features=4, schedule="cosine", levels=20, darkest=-1.0, dropped=0.1)
    monkeypatch.setattr(experiments, "MODELS", {"tiny": model})
    monkeypatch.setattr(experiments, "JUDGE", ClassifierRun(20, 40, 3e-3, 0.8, seed=0, until=40))
    small = {"small": Size("tiny", 2, 20, 10, 0.5, 4, 1.0), "large": Size("tiny", 6, 20, 10, 0.5, 4, 1.0)}
    monkeypatch.setattr(sizes, "SIZES", small)
    return model


@pytest.fixture
def trained(tiny):
    """The same with the model trained."""
    obtain(tiny, experiments.WEIGHTS, "full")
    return tiny
