"""Experiments as values, results with provenance, and the rule that decides what is computed, where and how.

An :class:`Experiment` is a frozen dataclass of plain values; the canonical JSON of those values is its identity.
:func:`obtain_all` looks results up or computes them, and says which. A computation keeps its state, so that it survives
being killed; an :class:`Engine` spreads runs over processes or a cluster.
"""

from neural_scaling.base.interruption import Interrupted
from neural_scaling.runs.engines import Engine
from neural_scaling.runs.experiment import Experiment, canonical_json, experiment_key
from neural_scaling.runs.lookup import Found, Index, Lookup, Result
from neural_scaling.runs.obtain import describe, obtain, obtain_all
from neural_scaling.runs.promotion import promote, recompute_slice
from neural_scaling.runs.provenance import provenance
from neural_scaling.runs.store import DamagedResult, read_result, write_result

__all__ = [
    "DamagedResult", "Engine", "Experiment", "Found", "Index", "Interrupted", "Lookup", "Result", "canonical_json",
    "describe", "experiment_key", "obtain", "obtain_all", "promote", "provenance", "read_result", "recompute_slice",
    "write_result",
]  # fmt: skip
