"""Where printed equations of the paper (arXiv 2409.17858v1) fail: each computed as printed, as corrected and in a third way."""

from typing import get_args

from companion.errata import end_of_training, infinite_width, meanfield, model, text, transients
from companion.errata.erratum import FACTOR, Erratum, Errors, Setting, Tier

TIERS: tuple[Tier, ...] = get_args(Tier)
#: Laws and constants by weight; misprints and notes follow in the order of the paper.
RANKED = (
    "floor-exponent",
    "floor-value",
    "transient-exponent",
    "local-noise",
    "fourth-moment",
    "fourth-moment-width",
    "data-prefactor",
    "spike-dropped",
    "spike-limit",
    "scale-growth",
    "loss-rate",
    "response-speed",
    "noise-speed",
)


def _place(erratum: Erratum) -> tuple[int, int]:
    return TIERS.index(erratum.tier), RANKED.index(erratum.name) if erratum.name in RANKED else len(RANKED)


#: All errata by tier.
ERRATA: tuple[Erratum, ...] = tuple(
    sorted(
        (
            *model.ERRATA,
            *meanfield.ERRATA,
            *infinite_width.ERRATA,
            *end_of_training.ERRATA,
            *transients.ERRATA,
            *text.ERRATA,
        ),
        key=_place,
    )
)

__all__ = ["ERRATA", "FACTOR", "RANKED", "TIERS", "Erratum", "Errors", "Setting", "Tier"]
