"""The line of provenance."""

import re

import pytest

from companion import notebook


@pytest.mark.parametrize(
    ("seeds", "said"),
    [(None, ""), (3, "seed: 3 · "), ([5], "seed: 5 · "), (range(32), "seeds: 0 to 31 · "), ([1, 4], "seeds: 1, 4 · ")],
)
def test_provenance_is_one_line(seeds, said):
    line = notebook.provenance("small", seeds)
    assert line.startswith(f"scale: small · {said}neural-scaling ")
    assert re.search(r" · commit \S+ · .+ cores · \d{4}-\d\d-\d\d$", line)
    assert "\n" not in line
