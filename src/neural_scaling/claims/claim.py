"""A claim of the paper as an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Verdict = Literal["confirmed", "not confirmed", "corrected", "inconclusive"]


@dataclass(frozen=True)
class Claim:
    """One claim and what came of it.

    Attributes
    ----------
    id
        Unique within a scale: lower case words joined by dots and hyphens.
    item
        Notebook that records it.
    location
        Place in the paper, such as ``eq. 10`` or ``Table 1, hard rich`` (arXiv v1 numbering).
    statement
        The claim in our words.
    quantity
        What the numbers are, with units.
    predicted, measured
        Numbers, or None where there is none.
    interval
        95 % interval of the measurement, or the extremes seen where nothing is random.
    window
        First and last abscissa of a fit, in the units that ``quantity`` names.
    scale
        ``small`` or ``full``.
    verdict
        ``confirmed``, ``not confirmed``, ``corrected`` (the printed statement fails and a stated correction
        holds) or ``inconclusive``.
    reason
        Why.
    predicted_text
        The prediction as words or a formula; shown instead of the number if there is no number.
    """

    id: str
    item: str
    location: str
    statement: str
    quantity: str
    predicted: float | None
    measured: float | None
    interval: tuple[float, float] | None
    window: tuple[float, float] | None
    scale: str
    verdict: Verdict
    reason: str
    predicted_text: str = ""
