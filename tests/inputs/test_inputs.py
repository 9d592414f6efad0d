"""Every public function with every kind of input: right values in every usual form, wrong ones refused by name."""

import copy
import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pytest

from inputs.table import Row, arguments_of, complaint, exempt, name_of, public_callables, public_modules, rows, same

_ROWS = rows()


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Rows may write; the checkout is not the place for it."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("module", public_modules())
def test_each_public_callable_has_a_row(module: str) -> None:
    assert hasattr(importlib.import_module(module), "__all__"), f"{module} names nothing public: give it an __all__"
    known: dict[str, set[str]] = {}
    for row in _ROWS:
        known.setdefault(row.name, set()).update(row.kinds)
    reasons = exempt()
    missing = []
    for one in public_callables(module):
        name = name_of(one)
        if name in reasons:
            assert name not in known, f"{name} has a row and a reason to have none"
        elif name not in known:
            missing.append(name)
        elif lacking := set(arguments_of(one)) - known[name]:
            missing.append(f"{name}: {', '.join(sorted(lacking))}")
    assert not missing, "without a row, or arguments without a kind:\n" + "\n".join(missing)


def test_each_row_is_of_a_public_callable() -> None:
    names = [row.name for row in _ROWS]
    public = {name_of(one) for module in public_modules() for one in public_callables(module)}
    stale = [name for name in (*names, *exempt()) if name not in public]
    assert not stale, f"not public: {stale}"


@pytest.mark.slow
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name.removeprefix("neural_scaling."))
def test_wrong_values_are_refused_by_name(row: Row) -> None:
    assert all(len(kind.wrong()) >= 3 for kind in row.kinds.values())
    row.call()  # what is refused below is refused for the wrong value alone
    found = [complaint(row, {name: wrong}) for name, kind in row.kinds.items() for wrong in kind.wrong()]
    assert not any(found), "\n" + "\n".join(filter(None, found))


@pytest.mark.slow
@pytest.mark.parametrize("row", _ROWS, ids=lambda row: row.name.removeprefix("neural_scaling."))
def test_right_values_give_the_same_result_in_every_form(row: Row) -> None:
    expected = row.call()
    for name, kind in row.kinds.items():
        for form in kind.forms():
            assert same(row.call(**{name: form}), expected), f"{name}={form!r} gives another result"


#: Data and weights are large and go to PyTorch as they are, which takes no read-only array.
_THEORY = [row for row in _ROWS if row.name.split(".")[1] not in {"data", "networks"}]


@pytest.mark.parametrize("row", _THEORY, ids=lambda row: row.name.removeprefix("neural_scaling."))
def test_results_compare_equal_and_do_not_change(row: Row) -> None:
    result = row.call()
    if dataclasses.is_dataclass(result):
        assert result == copy.deepcopy(result)
        arrays = {name: value for name, value in vars(result).items() if isinstance(value, np.ndarray)}
        assert not [name for name, value in arrays.items() if value.flags.writeable]
