"""Bad input at random over the whole table: one to three wrong arguments of a call at once, some from no kind at all.

``python tests/fuzz_inputs.py`` tries 300 combinations, others each time, and prints how many were refused by name.
"""

import sys
from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from inputs.table import Row, complaint, rows

COUNT = 300
#: Right for no argument of any kind.
RUBBISH = [
    object(),
    b"bytes",
    np.datetime64("2026-01-01"),
    np.ma.masked,
    Ellipsis,
    Decimal(1),
    slice(3),
    NotImplemented,
]

_ROWS = [row for row in rows() if row.kinds]


@st.composite
def bad_calls(draw: st.DrawFn) -> tuple[Row, dict[str, Any]]:
    """Draw a row and wrong values for some of its arguments."""
    row = draw(st.sampled_from(_ROWS))
    names = draw(st.lists(st.sampled_from(list(row.kinds)), min_size=1, max_size=3, unique=True))
    return row, {name: draw(st.sampled_from([*row.kinds[name].wrong(), *RUBBISH])) for name in names}


def main() -> int:
    """Try all, print a tally; hypothesis reports the smallest call that is not refused as it should be."""
    tried: list[str] = []

    @settings(max_examples=COUNT, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(bad_calls())
    def try_one(drawn: tuple[Row, dict[str, Any]]) -> None:
        row, wrong = drawn
        found = complaint(row, wrong)
        note(f"{row.name}: {found}")
        assert found is None
        tried.append(row.name)

    try_one()
    print(
        f"{len(tried)} bad inputs to {len(set(tried))} of {len(_ROWS)} functions, all refused by the name of an argument"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
