"""Progress goes to the terminal or nowhere; provenance is one line."""

import re

import pytest

from neural_scaling import notebook


@pytest.fixture
def terminal(tmp_path, monkeypatch):
    path = tmp_path / "terminal"
    path.write_text("")
    monkeypatch.setenv(notebook.TERMINAL_VARIABLE, str(path))
    notebook._opened.cache_clear()
    yield path
    file = notebook._opened(str(path))
    if file is not None:
        file.close()
    notebook._opened.cache_clear()


def test_progress_is_drawn_on_the_named_terminal_only(terminal, capsys):
    assert list(notebook.progress([1, 2, 3], "counting")) == [1, 2, 3]
    with notebook.progress(10, "by hand") as bar:
        bar.update(10)
    assert "counting" in terminal.read_text() and "by hand" in terminal.read_text()
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["", "/no/such/terminal"])
def test_without_a_terminal_there_is_no_bar(monkeypatch, capsys, name):
    monkeypatch.setenv(notebook.TERMINAL_VARIABLE, name)
    with notebook.progress(3, "unseen") as bar:
        bar.update(3)
    assert bar.disable
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("seeds", "said"),
    [(None, ""), (3, "seed: 3 · "), ([5], "seed: 5 · "), (range(32), "seeds: 0 to 31 · "), ([1, 4], "seeds: 1, 4 · ")],
)
def test_provenance_is_one_line(seeds, said):
    line = notebook.provenance("small", seeds)
    assert line.startswith(f"scale: small · {said}neural-scaling ")
    assert re.search(r" · commit \S+ · .+ cores · \d{4}-\d\d-\d\d$", line)
    assert "\n" not in line
