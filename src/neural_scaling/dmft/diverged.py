"""The error of dynamics that blow up."""

#: A loss this many times the first one counts as diverged.
DIVERGED = 1e6


class DynamicsDiverged(ArithmeticError):
    """The dynamics truly diverges at this step size; the message names the step and a smaller ``eta``."""
