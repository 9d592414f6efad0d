"""The list of hand-made errors fits the library: what each of them replaces is there, once."""

import pytest

from mutants import MUTANTS, ROOT, copied, failed, place


@pytest.mark.parametrize(("file", "old", "new", "test"), MUTANTS)
def test_what_a_mutant_replaces_is_there(file, old, new, test):
    assert place(file, old).replace(old, new) != place(file, old)
    assert (ROOT / test.split("::")[0]).is_file()


@pytest.mark.slow
def test_a_copy_runs_as_it_is(tmp_path):
    assert not failed(copied(tmp_path), ["tests/errata/test_errata.py::test_every_entry_is_complete"])
