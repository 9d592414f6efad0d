"""One hypothesis profile for every test: the same examples on every machine, no time limit per example."""

import os

import pytest
from hypothesis import settings

settings.register_profile("ci", derandomize=True, deadline=None)
settings.load_profile("ci")


def pytest_report_header():
    """Say which arithmetic kernels compute: results must hold for each."""
    import scipy.linalg  # noqa: F401  (it has an OpenBLAS of its own beside NumPy's)
    import torch
    from threadpoolctl import threadpool_info

    modules = [module for module in threadpool_info() if module["user_api"] == "blas"]
    blas = {f"{one['internal_api']} {one.get('architecture')}, threads: {one['num_threads']}" for one in modules}
    flags = os.environ.get("XLA_FLAGS", "none")
    return f"kernels: {'; '.join(sorted(blas))}; torch {torch.backends.cpu.get_cpu_capability()}; XLA flags: {flags}"


@pytest.fixture
def said():
    """Lines that were printed; ``said.append`` prints one."""
    return []


@pytest.fixture
def root(tmp_path, monkeypatch):
    """The folder of all datasets."""
    folder = tmp_path / "datasets"
    monkeypatch.setenv("NEURAL_SCALING_DATASETS", str(folder))
    return folder
