"""A claim of the paper as an object, and the one rule that decides it from its own fields."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FiniteFloat, computed_field, model_validator

from companion.claims.headlines import HEADLINES
from companion.claims.words import number
from neural_scaling.base import checks

Verdict = Literal[
    "confirmed", "close", "corrected", "correction undecided", "not confirmed", "inconclusive", "out of reach"
]
Kind = Literal["algebra", "theory", "simulation", "network"]
Relation = Literal["equals", "above", "below"]

#: What each verdict means, for readers.
VERDICTS: dict[Verdict, str] = {
    "confirmed": "the number lies within the tolerance of the prediction, and its interval is not wider than that either way",
    "close": "as confirmed, but the interval misses the prediction by more than 5 %",
    "corrected": "what is printed is not confirmed, and a stated correction is",
    "correction undecided": "what is printed is excluded; the interval neither confirms nor excludes the correction",
    "not confirmed": "the whole interval lies outside the tolerance",
    "inconclusive": "none of these: the reason says what would decide it",
    "out of reach": "inconclusive, and what would decide it needs more than the machines used here",
}
#: Verdicts that leave a question, so that the reason must say what would answer it.
OPEN = ("correction undecided", "inconclusive", "out of reach")
#: Share of the prediction by which an interval may miss it before a claim within its tolerance is called close.
CLOSE = 0.05
#: Scales, smallest first.
ORDER = ("small", "reduced", "full")


def _steady(value: float) -> float:
    """Return six significant digits, and 0 for rounding noise, so that a ledger does not change with the machine."""
    return 0.0 if abs(value) < 1e-12 else float(f"{value:.6g}")


def _ascending(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the lower end comes first")
    return pair


Text = Annotated[str, Field(min_length=1, pattern=r"^\S([\s\S]*\S)?$")]
Number = Annotated[FiniteFloat, AfterValidator(_steady)]
Pair = Annotated[tuple[Number, Number], AfterValidator(_ascending)]


class Judgement(NamedTuple):
    """Verdict and the reason for it."""

    verdict: Verdict
    reason: str


class Claim(BaseModel):
    """One claim at one scale; verdict and reason follow from its other fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(pattern=r"^[a-z0-9]+([.-][a-z0-9]+)*$", description="Unique within a scale.")
    item: str = Field(pattern=r"^[a-z][a-z0-9_]*$", description="Notebook that records the claim.")
    location: Text = Field(description="Place in the paper, arXiv v1 numbering.")
    statement: Text = Field(description="The claim in our words.")
    quantity: Text = Field(description="What the numbers are, with units.")
    kind: Kind = Field(description="What the measurement rests on.")
    scale: Literal["small", "reduced", "full"]
    relation: Relation = Field("equals", description="What the measurement is said to be of the prediction.")
    predicted: Number = Field(description="The value as stated, or the bound.")
    corrected: Number | None = Field(None, description="The value as corrected, where what is printed is not right.")
    tolerance: Annotated[Number, Field(ge=0)] = Field(
        description="Distance from the prediction, or from the correction of a limit, that is allowed."
    )
    rule: Text = Field(description="Why this tolerance.")
    measured: Number | None = None
    interval: Pair | None = Field(None, description="Around the measured number.")
    meaning: str = Field("", description="What the interval is.")
    seeds: int | None = Field(None, ge=1, description="Number of independent runs behind the number, if it is random.")
    window: Pair | None = Field(
        None, description="First and last abscissa of the fit, in the units that quantity names."
    )
    missing: str = Field("", description="Why there is no number.")
    note: str = Field("", description="What else a reader must know.")
    needs: str = Field("", description="What would decide the claim where it is open.")
    beyond: bool = Field(False, description="Whether that needs more than the machines used here.")
    runs: tuple[str, ...] = Field((), description="Keys of the results behind the number, where they are kept.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.measured is None) != (self.interval is None):
            raise ValueError("interval: give it with measured, or neither")
        if self.interval is not None and self.measured is not None:
            low, high = self.interval
            slack = 1e-9 * (1 + abs(self.measured))
            if not low - slack <= self.measured <= high + slack:
                raise ValueError(f"interval: ({low:g}, {high:g}) does not hold the measured value {self.measured:g}")
            if not self.meaning:
                raise ValueError("meaning: say what the interval is")
        elif not self.missing:
            raise ValueError("missing: say why there is no number")
        if self.relation == "equals" and self.tolerance == 0:
            raise ValueError("tolerance: give a positive number")
        return self

    @computed_field(description="Whether the claim stands among those that answer whether the paper holds.")  # type: ignore[prop-decorator]
    @property
    def headline(self) -> bool:
        """Whether it is one of the claims that decide whether the paper holds."""
        return self.id in HEADLINES

    @computed_field(description="Follows from the other fields.")  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """What came of it."""
        return self._judged().verdict

    @computed_field(description="Follows from the other fields.")  # type: ignore[prop-decorator]
    @property
    def reason(self) -> str:
        """Why."""
        verdict, reason = self._judged()
        return "; ".join([reason, *filter(None, [self.note, self.needs if verdict in OPEN else ""])])

    def _judged(self) -> Judgement:
        if self.measured is None or self.interval is None:
            return Judgement("out of reach" if self.beyond else "inconclusive", self.missing)
        found = _compare(self.predicted, self.relation, self.measured, self.interval, self.tolerance)
        reason = _reason(found, self.predicted, self.relation, self.interval, self.tolerance)
        if found == "inconclusive" and self.beyond:
            return Judgement("out of reach", reason)
        if found != "not confirmed" or self.corrected is None:
            return Judgement(found, reason)
        value = number(self.corrected, 3)
        match _compare(self.corrected, "equals", self.measured, self.interval, self.tolerance):
            case "not confirmed":
                return Judgement(found, f"{reason}; nor does the corrected {value} hold")
            case "inconclusive":
                return Judgement("correction undecided", f"{reason}; the corrected {value} is not excluded")
            case _:
                return Judgement("corrected", f"{reason}; the corrected {value} holds")


def _compare(
    predicted: float, relation: Relation, measured: float, interval: tuple[float, float], tolerance: float
) -> Verdict:
    low, high = interval
    allowed = tolerance * (1 + 1e-9)
    if relation != "equals":
        if relation == "below":
            low, high, predicted = -high, -low, -predicted
        return "confirmed" if low > predicted else "not confirmed" if high < predicted else "inconclusive"
    if low > predicted + allowed or high < predicted - allowed:
        return "not confirmed"
    if max(high - measured, measured - low) > allowed or abs(measured - predicted) > allowed:
        return "inconclusive"
    missed = max(low - predicted, predicted - high)
    return "close" if missed > CLOSE * abs(predicted) > 0 else "confirmed"


def _reason(
    verdict: Verdict, predicted: float, relation: Relation, interval: tuple[float, float], tolerance: float
) -> str:
    low, high = (number(end, 3) for end in interval)
    seen = low if low == high else f"[{low}, {high}]"
    if relation != "equals":
        does = {"confirmed": "lies", "not confirmed": "does not lie", "inconclusive": "need not lie"}[verdict]
        return f"{seen} {does} {relation} {number(predicted, 3)}"
    band = f"{number(predicted, 3)} within {tolerance:.2g}"
    match verdict:
        case "confirmed":
            return f"{seen} agrees with {band}"
        case "close":
            return f"{seen} agrees with {band}, yet leaves it out by more than {CLOSE:.0%}"
        case "not confirmed":
            return f"{seen} excludes {band}"
        case _:
            return f"{seen} neither agrees with nor excludes {band}"


def as_json(claim: Claim) -> dict[str, Any]:
    """Return a claim as the ledger holds it, without what is empty."""
    values = checks.instance(claim, "claim", Claim, "give a Claim").model_dump(mode="json")
    return {name: value for name, value in values.items() if not (value is None or value is False or value in ("", []))}


def listed(claims: Iterable[Claim]) -> list[Claim]:
    """Return claims as a list."""
    return checks.instances(claims, "claims", Claim, "give a list of claims", fewest=0)


def by_claim(claims: Iterable[Claim]) -> list[tuple[Claim, list[Claim]]]:
    """Return every claim at its largest scale, each with its checks at smaller scales, in the order given."""
    groups: dict[str, list[Claim]] = {}
    for claim in listed(claims):
        groups.setdefault(claim.id, []).append(claim)
    ranked = (sorted(group, key=lambda claim: ORDER.index(claim.scale)) for group in groups.values())
    return [(group[-1], group[:-1][::-1]) for group in ranked]
