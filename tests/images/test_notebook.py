"""What a page does with data: use them, or say that they cannot be reached and take the plan of what is shipped."""

from dataclasses import replace

import pytest

from companion import notebook
from companion.pages import fig06, transient
from companion.parameters import values_at
from companion.registry import experiments
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
        "The images of mnist cannot be reached" in data["text/html"] and "tried &lt;everything&gt;" in data["text/html"]
    )
    assert metadata == {"neural_scaling": {"notice": "mnist cannot be reached"}}


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
    assert "The tokens of speeches-books cannot be reached" in data["text/plain"]
    assert metadata == {"neural_scaling": {"notice": "speeches-books cannot be reached"}}


def test_one_that_is_damaged_is_an_error(monkeypatch):
    def damaged(name, size):
        raise DatasetDamaged("a file")

    monkeypatch.setattr(notebook, "load", damaged)
    with pytest.raises(DatasetDamaged):
        notebook.dataset("mnist")


def test_data_are_needed_only_for_what_is_computed(monkeypatch, tmp_path):
    monkeypatch.setenv("NEURAL_SCALING_CACHE", str(tmp_path))
    shipped = transient.Plan(**values_at("transient", "full"))
    assert not notebook.needs_data(shipped)
    assert notebook.needs_data(replace(shipped, scale="small"))
    assert notebook.needs_data(replace(transient.Plan(), scale="full"))


@pytest.mark.parametrize(("page", "scale"), [(transient, "full"), (fig06, "reduced")])
def test_the_plan_of_what_is_shipped(page, scale):
    plan = notebook.shipped_plan(page.Plan)
    assert plan.scale == scale and plan.experiments() == experiments(plan.item, scale)
