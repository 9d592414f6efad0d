"""A run that is fast, counts its calls and can be slowed down, for tests of everything around runs."""

import dataclasses
import time
from typing import ClassVar

import numpy as np

from neural_scaling.base.monitor import Parts
from neural_scaling.runs import Experiment


@dataclasses.dataclass(frozen=True)
class Squares(Experiment):
    """Squares of 0 .. count - 1, one per unit of work."""

    kind: ClassVar[str] = "squares"
    algorithm: ClassVar[int] = 1
    calls: ClassVar[list[int]] = []
    count: int = 4
    scale: float = 1.0
    pause: float = 0.0

    @property
    def work(self):
        return self.count

    @property
    def label(self):
        return f"squares {self.count}"

    def run(self, monitor):
        self.calls.append(self.count)
        values = [] if (kept := monitor.restored()) is None else list(kept["values"])
        for i in range(len(values), self.count):
            time.sleep(self.pause)
            values.append(self.scale * float(i) ** 2)
            monitor.advance(1)
            monitor.safe_point(lambda: {"values": np.array(values)})
        return {"values": np.array(values)}

    def slice(self):
        return dataclasses.replace(self, count=2)

    def deviation(self, arrays, recomputed):
        return float(np.max(np.abs(arrays["values"][:2] - recomputed["values"])))


@dataclasses.dataclass(frozen=True)
class Opaque(Squares):
    """The same in one long call without safe points, after the first value."""

    kind: ClassVar[str] = "opaque squares"

    def run(self, monitor):
        parts = Parts(monitor)
        first = parts.call("first", lambda: {"values": np.zeros(1)})["values"]
        rest = parts.call("rest", self._rest)["values"]
        monitor.advance(self.count)
        return {"values": np.concatenate([first, rest])}

    def _rest(self):
        time.sleep(self.pause)
        return {"values": self.scale * np.arange(1.0, self.count) ** 2}
