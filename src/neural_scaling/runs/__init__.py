"""Experiments as values, results with provenance, and the rule that decides what is computed.

An :class:`Experiment` is a frozen dataclass of plain values; the canonical JSON of those values is its identity.
:func:`obtain` looks its result up or computes it, and says which.
"""

from neural_scaling.runs.experiment import Experiment, canonical_json, experiment_key
from neural_scaling.runs.obtain import Result, obtain, obtain_all
from neural_scaling.runs.provenance import provenance
from neural_scaling.runs.store import DamagedResult, read_result, write_result

__all__ = [
    "DamagedResult",
    "Experiment",
    "Result",
    "canonical_json",
    "experiment_key",
    "obtain",
    "obtain_all",
    "provenance",
    "read_result",
    "write_result",
]
