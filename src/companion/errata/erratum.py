"""A note on an equation as an object: what is printed, what should stand there, and a check that tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from companion.claims.words import found
from companion.parameters import Parameters
from neural_scaling.base import checks
from neural_scaling.base.checks import require

#: A law or exponent changes; a constant or the reach of an approximation does; a slip of the pen; one line worth knowing.
Tier = Literal["law", "constant", "misprint", "note"]
Outcome = Literal["stands", "did not stand", "by reading"]

#: The printed form fails if its error exceeds the tolerance this many times.
FACTOR = 3.0


class Setting(Parameters, item="errata"):
    """Numbers that the checks share."""

    def __post_init__(self) -> None:
        super().__post_init__()
        edge = 2 - 1 / self.alpha
        require(self.super_easy > edge, "super_easy", f"got {self.super_easy!r}", f"give a source above {edge:g}")
        for name in ("width", "samples", "batch", "steps"):
            require(getattr(self, name) >= 2, name, "got 1", "give a whole number above 1")
        require(self.width < self.modes, "width", f"got {self.width}", f"give less than the {self.modes} modes")


@dataclass(frozen=True)
class Errors:
    """Error of the printed and of the corrected form, in the same measure."""

    printed: float
    corrected: float

    def __post_init__(self) -> None:
        checks.keep_each(self, found, "printed", "corrected")


@dataclass(frozen=True)
class Erratum:
    """A place in the paper where something else should stand."""

    name: str  # unique; lower case words joined by hyphens
    location: str  # equation, figure or page of the first arXiv version
    tier: Tier
    # printed, corrected: the two forms, in Markdown with formulas; a note has none
    printed: str = ""
    corrected: str = ""
    reason: str = ""  # why, in a line or two of Markdown; all that a note says
    quantity: str = ""  # what the errors are, with fields of Setting as %(name)g; empty if the check is reading alone
    tolerance: float = 0.0  # largest error of a form that counts as right
    check: Callable[[Setting], Errors] | None = None  # measures the errors; None if the check is reading alone
    title: str = ""  # what it is about, in a few words; a note has none
    consequence: str = ""  # what follows from it for readers of the paper; a misprint has none
    pages: tuple[str, ...] = ()  # labels of the pages or sections with more

    def __post_init__(self) -> None:
        for name in ("name", "location", "printed", "corrected", "reason", "quantity", "title", "consequence"):
            checks.text(getattr(self, name), name)
        checks.keep(self, pages=tuple(checks.text(page, "pages") for page in self.pages))
        checks.choice(self.tier, "tier", get_args(Tier))
        checks.keep(self, tolerance=checks.real(self.tolerance, "tolerance", least=0.0))
        checks.require(
            self.check is None or callable(self.check), "check", f"got {self.check!r}", "give a function, or None"
        )

    def errors(self, setting: Setting) -> Errors | None:
        """Measure both forms; None if the check is reading alone."""
        setting = checks.instance(setting, "setting", Setting, "give a Setting")
        return None if self.check is None else self.check(setting)

    def outcome(self, errors: Errors | None) -> Outcome:
        """Return whether the erratum stands: the printed form fails by a clear factor and the corrected one holds."""
        if errors is None:
            return "by reading"
        errors = checks.instance(errors, "errors", Errors, "give the result of errors()")
        holds = errors.corrected <= self.tolerance
        return "stands" if holds and not errors.printed <= FACTOR * self.tolerance else "did not stand"
