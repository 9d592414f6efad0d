"""What a page does with data: use them, or say that they could not be had and take the plan of what is shipped."""

from dataclasses import dataclass

import pytest

from companion import notebook
from companion.registry import experiments
from neural_scaling.base.checks import InputError
from neural_scaling.data import DatasetDamaged, DatasetUnavailable


def test_a_dataset_that_is_there_is_returned(monkeypatch):
    monkeypatch.setattr(notebook, "load", lambda name, size: (name, size))
    assert notebook.dataset("mnist1m", "small") == ("mnist1m", "small")


def test_one_that_cannot_be_had_is_a_notice(monkeypatch, capsys):
    def missing(name, size):
        raise DatasetUnavailable("tried <everything>")

    shown = []
    monkeypatch.setattr(notebook, "load", missing)
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data, more["metadata"])))
    assert notebook.dataset("mnist") is None
    [(data, metadata)] = shown
    assert (
        "The images of mnist could not be had" in data["text/html"] and "tried &lt;everything&gt;" in data["text/html"]
    )
    assert metadata == {"neural_scaling": {"notice": "mnist could not be had"}}


def test_a_text_likewise(monkeypatch, capsys):
    def missing(name, size):
        raise DatasetUnavailable("tried everything")

    monkeypatch.setattr(notebook, "load_text", lambda name, size: (name, size))
    assert notebook.text("c4", "small") == ("c4", "small")
    monkeypatch.setattr(notebook, "load_text", missing)
    shown = []
    monkeypatch.setattr("IPython.display.display", lambda data, **more: shown.append((data, more["metadata"])))
    assert notebook.text("speeches-books") is None
    [(data, metadata)] = shown
    assert "The tokens of speeches-books could not be had" in data["text/plain"]
    assert metadata == {"neural_scaling": {"notice": "speeches-books could not be had"}}


def test_one_that_is_damaged_is_an_error(monkeypatch):
    def damaged(name, size):
        raise DatasetDamaged("a file")

    monkeypatch.setattr(notebook, "load", damaged)
    with pytest.raises(DatasetDamaged):
        notebook.dataset("mnist")


def test_data_are_needed_only_for_what_is_computed(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    shipped = experiments("transient", "full")
    assert not notebook.needs_data(shipped, "transient", "full")
    assert notebook.needs_data(shipped, "transient", "small")
    assert notebook.needs_data(experiments("transient", "small"), "transient", "full")


def test_the_plan_of_what_is_shipped():
    @dataclass(frozen=True)
    class Plan:
        alpha: float
        steps_finite: int

    scale, plan = notebook.shipped_plan(Plan, "fig02")
    assert scale == "full" and plan.alpha == 1.5 and plan.steps_finite > 100
    with pytest.raises(InputError, match="item: got 'fig99', which has no parameters"):
        notebook.shipped_plan(Plan, "fig99")


def test_what_is_shipped_at_reduced_scale():
    @dataclass(frozen=True)
    class Plan:
        steps_objects: int

    assert notebook.shipped_plan(Plan, "fig06") == ("reduced", Plan(10_000))
