"""Every public function with every kind of input: right values in every usual form, wrong ones refused by name."""

import importlib

import pytest

from inputs.table import (
    Row,
    arguments_of,
    complaint,
    exempt,
    name_of,
    public_callables,
    public_modules,
    rows,
    same,
)

#: Modules and packages whose rows are still to be written.
UNFINISHED = """
experiments finite_data dmft spectra toy_model
"""

_ROWS = rows()


def _finished(module: str) -> bool:
    return module.split(".")[1] not in UNFINISHED.split()


@pytest.mark.parametrize("module", [module for module in public_modules() if _finished(module)])
def test_each_public_callable_has_a_row(module: str) -> None:
    assert hasattr(importlib.import_module(module), "__all__"), f"{module} names nothing public: give it an __all__"
    known = {row.name: row for row in _ROWS}
    reasons = exempt()
    missing = []
    for one in public_callables(module):
        name = name_of(one)
        if name in reasons:
            assert name not in known, f"{name} has a row and a reason to have none"
        elif name not in known:
            missing.append(name)
        elif lacking := set(arguments_of(one)) - set(known[name].kinds):
            missing.append(f"{name}: {', '.join(sorted(lacking))}")
    assert not missing, "without a row, or arguments without a kind:\n" + "\n".join(missing)


def test_each_row_is_of_a_public_callable() -> None:
    names = [row.name for row in _ROWS]
    assert len(set(names)) == len(names), "two rows for one callable"
    public = {name_of(one) for module in public_modules() if _finished(module) for one in public_callables(module)}
    stale = [name for name in (*names, *exempt()) if name not in public and _finished(name)]
    assert not stale, f"not public: {stale}"


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name.removeprefix("neural_scaling."))
def test_wrong_values_are_refused_by_name(row: Row) -> None:
    assert all(len(kind.wrong()) >= 3 for kind in row.kinds.values())
    row.call()  # what is refused below is refused for the wrong value alone
    found = [complaint(row, {name: wrong}) for name, kind in row.kinds.items() for wrong in kind.wrong()]
    assert not any(found), "\n" + "\n".join(filter(None, found))


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name.removeprefix("neural_scaling."))
def test_right_values_give_the_same_result_in_every_form(row: Row) -> None:
    expected = row.call()
    for name, kind in row.kinds.items():
        for form in kind.forms():
            assert same(row.call(**{name: form}), expected), f"{name}={form!r} gives another result"
