"""Where the printed equations of the paper (arXiv 2409.17858v1) do not hold, each with a check.

A check computes one thing with the printed form, with the corrected form and in a third way (a simulation, the full
solution, an exact formula), and reports how far both are off.
"""

from companion.errata import end_of_training, infinite_width, meanfield, model, text, transients
from companion.errata.erratum import FACTOR, Erratum, Errors, Setting

#: All errata, in the order of the paper.
ERRATA: tuple[Erratum, ...] = (
    *model.ERRATA,
    *meanfield.ERRATA,
    *infinite_width.ERRATA,
    *end_of_training.ERRATA,
    *transients.ERRATA,
    *text.ERRATA,
)

__all__ = ["ERRATA", "FACTOR", "Erratum", "Errors", "Setting"]
