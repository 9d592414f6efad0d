"""An erratum as an object: what is printed, what should stand there, and a check that tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from neural_scaling.checks import require, require_positive

Kind = Literal["misprint", "substance", "suspicion"]
Outcome = Literal["stands", "did not stand", "by reading"]

#: The printed form fails if its error exceeds the tolerance this many times.
FACTOR = 3.0


@dataclass(frozen=True)
class Setting:
    """Numbers that the checks share.

    Attributes
    ----------
    alpha
        Capacity.
    hard, easy, super_easy
        Sources of a hard, an easy and a super-easy task.
    gamma
        Richness.
    eta
        Learning rate of the simulated runs.
    modes, width, samples, batch
        M, N, P and B of the simulated runs.
    steps, seeds
        Steps and number of the simulated runs.
    window
        First and last time of fits to closed forms, eta*steps.
    late
        First and last time of fits to the self-consistent curve, eta*steps.
    horizon
        Last time of the integrated gradient flow, eta*steps.

    Raises
    ------
    InputError
        If a value is out of range.
    """

    alpha: float = 1.5
    hard: float = 0.5
    easy: float = 1.5
    super_easy: float = 3.6
    gamma: float = 1.0
    eta: float = 0.1
    modes: int = 200
    width: int = 64
    samples: int = 24
    batch: int = 4
    steps: int = 24
    seeds: int = 200
    window: tuple[float, float] = (1e4, 1e6)
    late: tuple[float, float] = (1e80, 1e120)
    horizon: float = 300.0

    def __post_init__(self) -> None:
        require_positive(self.alpha - 1, "alpha", "give a capacity above 1")
        require_positive(self.gamma, "gamma", "give a positive richness: the checks are about feature learning")
        require_positive(self.eta, "eta")
        require_positive(self.horizon, "horizon")
        require(0 < self.hard < 1, "hard", f"got {self.hard!r}", "give a source between 0 and 1")
        require(self.easy > 1, "easy", f"got {self.easy!r}", "give a source above 1")
        edge = 2 - 1 / self.alpha
        require(self.super_easy > edge, "super_easy", f"got {self.super_easy!r}", f"give a source above {edge:g}")
        for name in ("modes", "width", "samples", "batch", "steps", "seeds"):
            value = getattr(self, name)
            require(isinstance(value, int) and value >= 2, name, f"got {value!r}", "give a whole number above 1")
        require(self.width < self.modes, "width", f"got {self.width}", f"give less than the {self.modes} modes")
        for name in ("window", "late"):
            first, last = getattr(self, name)
            require(0 < first < last, name, f"got {(first, last)!r}", "give (first, last), positive and ascending")


@dataclass(frozen=True)
class Errors:
    """Error of the printed and of the corrected form, in the same measure."""

    printed: float
    corrected: float


@dataclass(frozen=True)
class Erratum:
    """A place in the paper where something else should stand.

    Attributes
    ----------
    name
        Unique; lower case words joined by hyphens.
    location
        Equation, figure or page of the first arXiv version.
    kind
        Misprint, matter of substance, or a suspicion that did not stand.
    printed, corrected
        The two forms, in Markdown with formulas.
    reason
        Why, in a line or two of Markdown.
    quantity
        What the errors are, with fields of :class:`Setting` as ``%(name)g``; empty if the check is reading alone.
    tolerance
        Largest error of a form that counts as right.
    check
        Measures the errors; None if the check is reading alone.
    page
        Label of a page or section with more, or nothing.
    """

    name: str
    location: str
    kind: Kind
    printed: str
    corrected: str
    reason: str
    quantity: str = ""
    tolerance: float = 0.0
    check: Callable[[Setting], Errors] | None = None
    page: str = ""

    def errors(self, setting: Setting) -> Errors | None:
        """Measure both forms; None if the check is reading alone.

        Parameters
        ----------
        setting
            Numbers that the checks share.

        Returns
        -------
        Errors or None
        """
        return None if self.check is None else self.check(setting)

    def outcome(self, errors: Errors | None) -> Outcome:
        """Return whether the erratum stands: the printed form fails by a clear factor and the corrected one holds.

        Parameters
        ----------
        errors
            From :meth:`errors`.

        Returns
        -------
        str
            ``stands``, ``did not stand`` or ``by reading``.
        """
        if errors is None:
            return "did not stand" if self.kind == "suspicion" else "by reading"
        holds = errors.corrected <= self.tolerance
        return "stands" if holds and not errors.printed <= FACTOR * self.tolerance else "did not stand"
