"""Curves of own spectra as runs: the arrays lie in the cache under their hash, which is part of a run's identity."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from neural_scaling import dmft
from neural_scaling.base import checks
from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import require
from neural_scaling.base.files import make_folder, write_atomically
from neural_scaling.base.monitor import Arrays, Monitor, Parts, scalar
from neural_scaling.base.paths import cache_root
from neural_scaling.predict.clock import Flows, flows
from neural_scaling.predict.tail import TailedModes
from neural_scaling.runs import Experiment
from neural_scaling.runs.store import IF_NOT_WRITTEN
from neural_scaling.spectra import ModeQuadrature, NotResolved

__all__ = ["OwnDMFTRun", "OwnFlowRun"]

_GROUP = 8  # draws solved together, after which the state can be kept
_MARGIN = 4.0  # by which a horizon is set beyond what is reached
_UNLEARNED = 1e-9  # part that is learned by the horizon of the mode that stands for noise
_NAMES = tuple(field.name for field in fields(TailedModes))


def keep(draws: Sequence[TailedModes]) -> str:
    """Keep modes in the cache, unless they are there, and return their hash."""
    arrays = {name: np.concatenate([np.atleast_1d(getattr(one, name)) for one in draws]) for name in _NAMES}
    arrays["sizes"] = np.array([one.nodes.size for one in draws])
    digest = _digest(arrays)
    path = _path(digest)
    if not path.exists():
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **arrays)
        make_folder(path.parent, IF_NOT_WRITTEN)
        write_atomically(path, [buffer.getvalue()], IF_NOT_WRITTEN)
    return digest


def kept(digest: str) -> list[TailedModes]:
    """Return modes from the cache."""
    path = _path(digest)
    require(path.is_file(), "problem", f"{path} is missing", "call the function that made the run once more")
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in (*_NAMES, "sizes")}
    require(_digest(arrays) == digest, "problem", f"{path} is damaged", "remove it, and make the run once more")
    ends = np.cumsum(arrays["sizes"])[:-1]
    known = (np.split(arrays[name], ends) for name in _NAMES[:3])
    rows = zip(*known, *(arrays[name] for name in _NAMES[3:]), strict=True)
    return [TailedModes(*row) for row in rows]


def _path(digest: str) -> Path:
    return cache_root() / "problems" / f"{digest}.npz"


def _digest(arrays: Arrays) -> str:
    found = hashlib.sha256()
    for name in (*_NAMES, "sizes"):
        values = np.ascontiguousarray(arrays[name], dtype=np.float64) + 0.0
        found.update(f"{name} {values.shape} ".encode() + values.tobytes())
    return found.hexdigest()[:16]


@dataclass(frozen=True)
class _OwnRun(Experiment):
    """What both share."""

    problem: str  # hash of the modes
    gamma: float  # richness
    end: float  # last time, in eta * steps

    def __post_init__(self) -> None:
        checks.keep_each(self, checks.text, "problem")
        checks.keep_each(self, checks.require_positive, "end")
        checks.keep_each(self, checks.real, "gamma", least=0.0)

    @property
    def label(self) -> str:
        """Kind and richness."""
        return f"{self.kind} gamma={self.gamma:g}"


@dataclass(frozen=True)
class OwnFlowRun(_OwnRun):
    """Gradient flow at N, B -> infinity of all draws of a spectrum."""

    kind: ClassVar[str] = "own gradient flow"
    algorithm: ClassVar[int] = 2
    # begin, points: first time, and number of times evenly spaced in its logarithm
    begin: float
    points: int
    draws: int  # the first of which is the estimate itself

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep_each(self, checks.require_positive, "begin")
        checks.keep_each(self, checks.whole, "points", "draws")
        require(self.begin < self.end, "end", f"got {self.end:g}", f"give a time after {self.begin:g}")

    @property
    def work(self) -> int:
        """Groups of draws, which take about as long as the first one alone."""
        return 1 + len(range(1, self.draws, _GROUP))

    def slice(self) -> Self:
        """Return the first draw."""
        return replace(self, draws=1)

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``time`` (R,), ``noise`` (draws,), and what :class:`~neural_scaling.predict.clock.Flows` holds (draws, R)."""
        modes, parts = kept(self.problem)[: self.draws], Parts(monitor)
        time = np.geomspace(self.begin, self.end, self.points)
        found: list[Arrays] = []
        for first in (0, *range(1, len(modes), _GROUP)):
            group = modes[first : first + _GROUP] if first else modes[:1]
            horizon = _MARGIN * float(found[0]["clock"][0, -1]) if first else self.end

            def solved(within: Monitor, group: list[TailedModes] = group, horizon: float = horizon) -> Arrays:
                each = _flows(group, horizon, self.gamma, time)
                within.advance(1)
                return {name: getattr(each, name) for name in _CURVES}

            found.append(parts.run(f"draws from {first}", solved))
        noise = np.array([one.noise for one in modes])
        return {"time": time, "noise": noise} | {name: np.concatenate([one[name] for one in found]) for name in _CURVES}


_CURVES = tuple(field.name for field in fields(Flows) if field.name != "time")


def _flows(modes: list[TailedModes], horizon: float, gamma: float, time: Array) -> Flows:
    """Solve on quadratures that resolve what is reached."""
    while True:
        nodes, tails = zip(*(one.quadrature(horizon) for one in modes), strict=True)
        found = flows(nodes, tails, np.full(len(modes), gamma), time)
        try:
            for quadrature, reached in zip(nodes, found.clock[:, -1], strict=True):
                quadrature.check_resolved(float(reached), "modes")
            return found
        except NotResolved as missed:
            horizon = _MARGIN * missed.reached


@dataclass(frozen=True)
class OwnDMFTRun(_OwnRun):
    """The mean field theory of the first draw at finite width and batch: :func:`neural_scaling.dmft.solve` on a log-spaced grid.

    Noise of the labels drives SGD as a mode does that is never learned, and is no part of the loss.
    """

    kind: ClassVar[str] = "own DMFT"
    algorithm: ClassVar[int] = 2
    tolerance: ClassVar[float] = 1e-4
    horizon: float  # effective time to which the modes are resolved at first; farther where the kernel grows beyond
    eta: float  # learning rate, which sets the noise of a batch
    # width, batch: N and B
    width: float = math.inf
    batch: float = math.inf
    until: float = math.inf  # only the cells of the grid that end by this time are solved

    def __post_init__(self) -> None:
        super().__post_init__()
        checks.keep_each(self, checks.real, "until", above=0.0, infinite=True)
        checks.keep_each(self, checks.require_positive, "horizon", "eta")
        checks.keep_each(self, checks.count, "width", "batch")

    @property
    def work(self) -> int:
        """Hundredths of the grid."""
        return 100

    def slice(self) -> Self:
        """Return the first cells of the grid."""
        return replace(self, until=self.end / 100)

    def deviation(self, arrays: Arrays, recomputed: Arrays) -> float:
        """Compare the losses at the times of the slice."""
        rows = np.searchsorted(arrays["time"], recomputed["time"] * (1 - 1e-9))
        return float(np.max(np.abs(recomputed["loss"] / arrays["loss"][rows] - 1)))

    def run(self, monitor: Monitor) -> Arrays:
        """Return ``time``, ``loss`` and ``error`` (relative, estimated), each of shape (R,)."""
        modes = kept(self.problem)[0]
        grid = dmft.TimeGrid.log_spaced(self.eta, self.end).head(self.until)
        noise = modes.noise if self.batch < math.inf else 0.0
        watch = _Hundredths(monitor, grid.fitted(float(modes.nodes[0]), 0.1).rows, self.horizon)
        while True:
            quadrature = _noisy(modes.quadrature(watch.horizon)[0], noise, watch.horizon)
            try:
                found = dmft.solve(quadrature, self.gamma, grid, width=self.width, batch=self.batch, monitor=watch)
                break
            except NotResolved as missed:
                watch.horizon = _MARGIN * missed.reached
        watch.finish()
        loss = found.loss - noise
        return {"time": found.time, "loss": loss, "error": found.error * found.loss / loss}


def _noisy(quadrature: ModeQuadrature, noise: float, horizon: float) -> ModeQuadrature:
    """Add a mode that holds the noise of the labels and is not learned by the horizon."""
    if noise == 0:
        return quadrature
    node = min(_UNLEARNED / horizon, float(quadrature.nodes[-1]) / 2)
    return ModeQuadrature(
        np.append(quadrature.nodes, node),
        np.append(quadrature.weights, 0.0),
        np.append(quadrature.target_weights, noise / node),
        quadrature.horizon,
    )


class _Hundredths(Monitor):
    """Counts hundredths of the rows of a grid; keeps the horizon beside the state of the solver."""

    def __init__(self, monitor: Monitor, rows: int, horizon: float) -> None:
        self.horizon, self._whole, self._rows, self._passed, self._told = horizon, monitor, rows, 0, 0
        self._part = Parts(monitor).last("solution", counted=False)
        self._kept = self._part.restored()
        if self._kept is not None:
            self.horizon, self._told = float(self._kept.pop("horizon")), int(self._kept.pop("told"))
            self._passed = int(self._kept.pop("passed"))

    def advance(self, units: int) -> None:
        self._passed += units
        self._tell(min(100 * self._passed // self._rows, 99))

    def safe_point(self, state: Callable[[], Arrays]) -> None:
        further = {"horizon": scalar(self.horizon), "told": scalar(self._told), "passed": scalar(self._passed)}
        self._part.safe_point(lambda: state() | further)

    def restored(self) -> Arrays | None:
        found, self._kept = self._kept, None
        if found is None:
            self._passed = 0  # from the start, or once more with more modes
        return found

    def finish(self) -> None:
        """Count what is left."""
        self._tell(100)

    def _tell(self, hundredths: int) -> None:
        if hundredths > self._told:
            self._whole.advance(hundredths - self._told)
            self._told = hundredths
