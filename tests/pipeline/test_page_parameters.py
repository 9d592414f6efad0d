"""Every parameter of every page: a wrong value is refused by name before anything runs, and a scale is what it is called."""

import importlib
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bookkit import parameters, registry
from bookkit.project import Project
from companion import notebook
from neural_scaling.base.checks import InputError

BOOK = Project(Path(__file__).resolve().parents[2])
WITHOUT = {"claims", "speed"}  # they show what was kept
#: Pages whose default is one network, of which no error is taken.
ONE_SEED = {("source", "seeds")}
#: Kinds of a single value.
ONE = {
    "Capacity",
    "Source",
    "HardSource",
    "EasySource",
    "Richness",
    "Positive",
    "Count",
    "Size",
    "Seed",
    "Seeds",
    "Text",
}
#: Values that are numbers and yet none for a parameter of that name.
OUT_OF_RANGE = {
    "alpha": 1.0,
    "beta_hard": 1.0,
    "beta_easy": 1.0,
    "gammas": [1.0, 0.5],
    "window": [3.0, 2.0],
    "quoted": 0.3,
}


def plan_of(item):
    """The class of a page's plan, as its notebook has it."""
    source = (BOOK.notebooks / f"{item}.py").read_text()
    name, attribute = re.search(r"= notebook\.plan\((\w+)\.?(\w*), globals\(\)\)", source).groups()
    package, module = re.search(
        rf"from ([\w.]+) import ([\w, ]*\b{name}\b|\w+ as {name})$", source, re.MULTILINE
    ).groups()
    if not attribute:
        return getattr(importlib.import_module(package), name)
    return getattr(
        importlib.import_module(f"{package}.{module.split(' as ')[0] if ' as ' in module else name}"), attribute
    )


def declared(item):
    names = parameters.declared(registry.source(BOOK, item), item)
    return {name: kind for name, kind in names.items() if name != "scale"}


PAGES = [item for item in registry.items(BOOK) if item not in WITHOUT]
ROWS = [(item, name, kind) for item in PAGES for name, kind in declared(item).items()]


def wrong_values(item, name, kind):
    anything = ["x", None, [], {}, True, float("nan"), -1, "1", OUT_OF_RANGE.get(name)]
    if kind not in ONE:
        return [*anything, 0.5, ["x"], [None], [float("nan")], [-1], [[-1.0, 0.5]], [[]]]
    few = [1] if "seeds" in name and (item, name) not in ONE_SEED else []
    return [*anything, *few, *([0, 1.5] if kind in {"Count", "Seeds"} else [])]


@pytest.mark.parametrize("item", PAGES)
def test_a_plan_holds_the_parameters_of_its_page_and_fits_every_scale(item):
    plan = plan_of(item)
    assert plan.item == item
    assert plan.kinds == declared(item)
    for scale in registry.scales(BOOK, item):
        values = registry.job(BOOK, item, scale).values
        if (item, scale) == ("mnist1m", "full"):  # its weights are trained on a GPU and not shipped
            with pytest.raises(notebook.ParameterError, match="weights: those of 'full' cannot be used"):
                notebook.plan(plan, values)
            continue
        found = notebook.plan(plan, values)
        assert notebook.provenance(found).startswith(f"scale: {scale} · ")


@pytest.mark.parametrize(("item", "name", "kind"), ROWS)
def test_wrong_values_are_refused_by_name(item, name, kind):
    values = registry.job(BOOK, item, "small").values
    for value in wrong_values(item, name, kind):
        with pytest.raises(notebook.ParameterError) as refused:
            notebook.plan(plan_of(item), {**values, name: value})
        assert re.fullmatch(rf"{name}: .+; .+\.", str(refused.value)), (value, str(refused.value))


def test_lists_that_belong_together_have_one_length():
    values = registry.job(BOOK, "fig03", "small").values
    with pytest.raises(InputError, match="seeds: has 2 values, batches has 3; give one for each of batches"):
        notebook.plan(plan_of("fig03"), {**values, "seeds": [4, 4]})


def test_what_is_quoted_stands_in_its_list():
    values = registry.job(BOOK, "kernel", "small").values
    with pytest.raises(InputError, match=r"quoted_hard: got 0\.3; use one of hard: 0\.2, 0\.4, 0\.6"):
        notebook.plan(plan_of("kernel"), {**values, "quoted_hard": 0.3})


def test_what_was_changed_stands_beside_the_scale():
    plan = notebook.plan(plan_of("fig02"), registry.job(BOOK, "fig02", "small").values)
    changed = replace(plan, beta_hard=0.6, gammas=[0.0, 1.0])
    assert notebook.provenance(changed).startswith("scale: small, changed: beta_hard = 0.6, gammas = [0.0, 1.0] · ")


@pytest.mark.parametrize("changes", [{}, {"beta_hard": 0.6}])
def test_small_values_are_not_called_full(changes):
    values = registry.job(BOOK, "fig02", "small").values
    with pytest.raises(
        notebook.ParameterError, match=r"scale: got 'full', but the values are .* of small; .*--scale full"
    ):
        notebook.plan(plan_of("fig02"), {**values, **changes, "scale": "full"})
    assert notebook.plan(plan_of("fig02"), {**values, **changes}) is not None
    with pytest.raises(notebook.ParameterError, match="scale: got 'reduced'; use one of small, full"):
        notebook.plan(plan_of("fig02"), {**values, "scale": "reduced"})
