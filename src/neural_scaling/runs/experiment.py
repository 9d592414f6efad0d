"""What an experiment is and how its key is made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar

import numpy as np

from neural_scaling.base.checks import instance, instances, require
from neural_scaling.base.monitor import Arrays, Monitor

#: Version of the canonical JSON and of the files of the store.
SCHEMA = 1
_VERSION = "version of "
#: Version of an input that cannot be told here, since what makes it is missing.
UNKNOWN = "unknown"


#: Metadata of a field that a kind of run got later: it belongs to the identity only where it differs from its default.
ADDED = {"added": True}


class Experiment(ABC):
    """Base of all experiments; subclasses are frozen dataclasses whose fields are plain values.

    Attributes
    ----------
    kind
        Name of the kind of run, part of the key.
    algorithm
        Bumped whenever the numbers that :meth:`run` returns change, part of the key.
    tolerance
        Largest :meth:`deviation` that may come from another machine or number of threads.
    compared
        Arrays that :meth:`deviation` compares.
    """

    kind: ClassVar[str]
    algorithm: ClassVar[int]
    # Simulated curves are shipped in float32 (6e-8). The number of threads changes sums of thousands of terms in the 13th
    # digit, and hundreds of steps below the edge of stability do not amplify that beyond the 9th: 1e-6 is far above both.
    tolerance: ClassVar[float] = 1e-6
    compared: ClassVar[tuple[str, ...]] = ("loss",)

    @abstractmethod
    def run(self, monitor: Monitor) -> Arrays:
        """Compute the result, telling ``monitor`` of units of work done and offering it the state."""

    @abstractmethod
    def slice(self) -> Experiment:
        """Return a run of a few seconds that repeats a part of this one (first steps, fewer seeds)."""

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Return the largest relative deviation of the arrays of :meth:`slice`, the first values of those of the whole run."""
        gaps = []
        for name in self.compared:
            both = arrays[name], recomputed[name]
            shared = tuple(slice(min(sizes)) for sizes in zip(*(one.shape for one in both), strict=True))
            expected, found = (one[shared] for one in both)
            gaps.append(np.max(np.abs(found / expected - 1)))
        return float(np.max(gaps))

    @property
    def device(self) -> str:
        """What the run is computed on, for its provenance."""
        return "cpu"

    @property
    def inputs(self) -> dict[str, str]:
        """Versions of what the fields only name, part of the key; empty where a name means one thing for ever."""
        return {}

    @property
    @abstractmethod
    def work(self) -> int:
        """Number of units of work, for the progress bar."""

    @property
    @abstractmethod
    def label(self) -> str:
        """A few words for the terminal."""


def a_run(experiment: Experiment) -> Experiment:
    """Return an experiment, or refuse what is none."""
    return instance(experiment, "experiment", Experiment, "give a run, such as a ToyModelRun")


def several_runs(experiments: Iterable[Experiment], fewest: int = 0) -> list[Experiment]:
    """Return experiments as a list."""
    return instances(experiments, "experiments", Experiment, "give a list of runs, such as ToyModelRun", fewest=fewest)


def canonical_json(experiment: Experiment) -> str:
    """Return the identity of an experiment as text: sorted keys, canonical floats, versions of inputs, kind, algorithm, schema.

    Two experiments with equal values give the same text whatever the order of their fields, the Python version or the
    platform. A field declared as float is written as a float even where an integer was given.

    Parameters
    ----------
    experiment
        A frozen dataclass of plain values.

    Raises
    ------
    InputError
        If a value is NaN or not plain (bool, int, float, str, None, or tuples of them).
    """
    a_run(experiment)
    require(
        dataclasses.is_dataclass(experiment),
        "experiment",
        f"{type(experiment).__name__} is no dataclass",
        "make it a frozen dataclass",
    )
    values = {}
    for field in dataclasses.fields(experiment):  # type: ignore[arg-type]
        value = getattr(experiment, field.name)
        if field.metadata == ADDED and value == field.default:
            continue
        as_float = str(field.type) in {"float", "<class 'float'>"}
        values[field.name] = _plain(float(value) if as_float else value, field.name)
    values |= {_VERSION + name: version for name, version in experiment.inputs.items()}
    body = {"algorithm": experiment.algorithm, "kind": experiment.kind, "schema": SCHEMA, "values": values}
    return json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)


def without_versions(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values of an identity but the versions of inputs."""
    return {name: value for name, value in values.items() if not name.startswith(_VERSION)}


def experiment_key(experiment: Experiment) -> str:
    """Return the key, 16 hexadecimal digits of the SHA-256 of :func:`canonical_json`."""
    return key_of(canonical_json(experiment))


def key_of(identity: str) -> str:
    """Return the key that goes with a text of :func:`canonical_json`."""
    return hashlib.sha256(identity.encode()).hexdigest()[:16]


def _plain(value: Any, name: str) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        require(not math.isnan(value), name, "NaN", "give a number")
        if math.isinf(value):
            return "inf" if value > 0 else "-inf"
        return 0.0 if value == 0 else value  # one zero
    if isinstance(value, list | tuple):
        return [_plain(item, name) for item in value]
    require(
        value is None or isinstance(value, bool | int | str),
        name,
        f"a {type(value).__name__} is not a plain value",
        "use numbers, strings and tuples of them",
    )
    return value
