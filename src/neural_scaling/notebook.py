"""What notebooks show around their results: a line of provenance."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from neural_scaling import __version__
from neural_scaling.runs.provenance import commit, hardware


def provenance(scale: str, seeds: int | Sequence[int] | None = None) -> str:
    """Return what produced a page, as one line of text to be displayed in a cell tagged ``provenance``.

    It differs from machine to machine, so that tag keeps its output out of the committed references.

    Parameters
    ----------
    scale
        ``small`` or ``full``.
    seeds
        A seed, several, or None where nothing is random.

    Returns
    -------
    str
        Scale, seeds, library version, commit (``unknown`` outside a checkout), hardware and date.
    """
    parts = [f"scale: {scale}"]
    if seeds is not None:
        listed = [seeds] if isinstance(seeds, int) else list(seeds)
        parts.append(f"seeds: {_abbreviated(listed)}" if len(listed) > 1 else f"seed: {listed[0]}")
    parts += [f"neural-scaling {__version__}", f"commit {commit()}", hardware()]
    parts.append(datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"))
    return " · ".join(parts)


def _abbreviated(seeds: list[int]) -> str:
    consecutive = seeds == list(range(seeds[0], seeds[0] + len(seeds)))
    return f"{seeds[0]} to {seeds[-1]}" if consecutive and len(seeds) > 2 else ", ".join(map(str, seeds))
