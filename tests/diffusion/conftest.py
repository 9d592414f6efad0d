"""A dataset and networks so small that everything around them can be tested in seconds."""

from types import SimpleNamespace

import numpy as np
import pytest

from neural_scaling import datasets
from neural_scaling.diffusion import classifier, dataset, experiments
from neural_scaling.diffusion.classifier import ClassifierRun
from neural_scaling.diffusion.dataset import Size
from neural_scaling.diffusion.experiments import DenoiserRun
from neural_scaling.runs import obtain


def split(images, seed):
    """Blobs whose place tells their label."""
    random = np.random.default_rng(seed)
    labels = np.tile(np.arange(10, dtype=np.uint8), images // 10)
    pictures = np.zeros((images, 28, 28, 1), np.uint8)
    for picture, label in zip(pictures, labels, strict=True):
        row, column = 4 + 5 * (label // 4), 2 + 6 * (label % 4)
        picture[row : row + 6, column : column + 6, 0] = random.integers(100, 256, (6, 6))
    return SimpleNamespace(images=pictures, labels=labels)


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """Small data, models named ``tiny`` and sizes ``small`` and ``large`` of 20 and 60 images; nothing is trained yet."""
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NEURAL_SCALING_DATA", str(tmp_path))
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "cpu")
    data = SimpleNamespace(train=split(300, 0), test=split(100, 1))
    monkeypatch.setattr(datasets, "load", lambda name: data)
    model = DenoiserRun(4, "cosine", 20, -1.0, 0.1, 8, 30, 2e-3, 0.9, seed=0, until=30)
    monkeypatch.setattr(experiments, "MODELS", {"tiny": model})
    monkeypatch.setattr(classifier, "JUDGE", ClassifierRun(20, 40, 3e-3, 0.8, seed=0, until=40))
    sizes = {"small": Size("tiny", 2, 20, 10, 0.5, 4, 1.0), "large": Size("tiny", 6, 20, 10, 0.5, 4, 1.0)}
    monkeypatch.setattr(dataset, "SIZES", sizes)
    return model


@pytest.fixture
def trained(tiny):
    """The same with the model trained."""
    obtain(tiny, experiments.WEIGHTS, "full")
    return tiny
