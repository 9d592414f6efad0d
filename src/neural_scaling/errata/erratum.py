"""An erratum as an object: what is printed, what should stand there, and a check that tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from neural_scaling import checks
from neural_scaling.checks import require
from neural_scaling.claims.claim import found
from neural_scaling.parameters import Capacity, Count, EasySource, HardSource, Parameters, Positive, Seeds, Window

Kind = Literal["misprint", "substance", "suspicion"]
Outcome = Literal["stands", "did not stand", "by reading"]

#: The printed form fails if its error exceeds the tolerance this many times.
FACTOR = 3.0


@dataclass(frozen=True)
class Setting(Parameters, item="errata"):
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

    alpha: Capacity = 1.5
    hard: HardSource = 0.5
    easy: EasySource = 1.5
    super_easy: EasySource = 3.6
    gamma: Positive = 1.0
    eta: Positive = 0.1
    modes: Count = 200
    width: Count = 64
    samples: Count = 24
    batch: Count = 4
    steps: Count = 24
    seeds: Seeds = 200
    window: Window = (1e4, 1e6)
    late: Window = (1e80, 1e120)
    horizon: Positive = 300.0

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
        checks.keep(self, printed=found(self.printed, "printed"), corrected=found(self.corrected, "corrected"))


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

    def __post_init__(self) -> None:
        for name in ("name", "location", "printed", "corrected", "reason", "quantity", "page"):
            checks.text(getattr(self, name), name)
        checks.choice(self.kind, "kind", get_args(Kind))
        checks.keep(self, tolerance=checks.real(self.tolerance, "tolerance", least=0.0))
        checks.require(
            self.check is None or callable(self.check), "check", f"got {self.check!r}", "give a function, or None"
        )

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
        setting = checks.instance(setting, "setting", Setting, "give a Setting")
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
        errors = checks.instance(errors, "errors", Errors, "give the result of errors()")
        holds = errors.corrected <= self.tolerance
        return "stands" if holds and not errors.printed <= FACTOR * self.tolerance else "did not stand"
