"""Where data and caches are found."""

import pytest

from neural_scaling.base import paths


def test_the_checkout_is_found_from_the_package():
    assert (paths.checkout() / "notebooks" / "fig02.py").is_file()
    assert paths.data_root() == paths.checkout() / "data"


def test_environment_variables_win(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA_VARIABLE, str(tmp_path))
    monkeypatch.setenv(paths.CACHE_VARIABLE, str(tmp_path / "cache"))
    assert paths.data_root() == tmp_path
    assert paths.cache_root() == tmp_path / "cache"


def test_a_wrong_data_variable_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(paths.DATA_VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(paths.DataRootMissing, match=r"NEURAL_SCALING_DATA: .* is not a folder; point it at"):
        paths.data_root()


def test_outside_a_checkout_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(paths, "checkout", lambda: None)
    monkeypatch.delenv(paths.DATA_VARIABLE, raising=False)
    assert paths.find_data_root() is None
    with pytest.raises(paths.DataRootMissing, match="set NEURAL_SCALING_DATA"):
        paths.data_root()
