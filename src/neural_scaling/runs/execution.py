"""Computing one run: lock, checkpoint, status, result."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import FileLock, Timeout
from threadpoolctl import threadpool_info, threadpool_limits

from neural_scaling.base.checks import InputError
from neural_scaling.base.files import make_folder, not_written
from neural_scaling.base.interruption import Interrupted, StopRequest, stop_on_signal
from neural_scaling.base.monitor import Arrays, Given, Monitor, scalar
from neural_scaling.runs.checkpoint import Checkpoint
from neural_scaling.runs.experiment import Experiment, canonical_json, experiment_key, key_of
from neural_scaling.runs.locations import cached_results, checkpoint_file, gate_file, lock_file, status_file
from neural_scaling.runs.lookup import Result
from neural_scaling.runs.provenance import commit, provenance
from neural_scaling.runs.store import IF_NOT_WRITTEN, DamagedResult, read_result, write_result

_STATUS_SECONDS = 1.0
_PROGRESS_SECONDS = 0.1
_POLLING_SECONDS = 0.2  # between looks at a call without safe points


@dataclass(frozen=True)
class Status:
    """How far a running process is."""

    label: str  # of the run

    # units, work: units done and in all
    units: int
    work: int
    seconds: float  # wall time spent on the run, earlier sittings included
    process: str  # host and process number


#: Calls that were left running when their run stopped. They end with the process, which must not wait for them.
left_behind: list[threading.Thread] = []


class RunMonitor(Monitor):
    """Keeps the state of a run at intervals, writes its status and stops it when asked to."""

    def __init__(
        self,
        experiment: Experiment,
        checkpoint: Checkpoint | None,
        stop: StopRequest,
        on_progress: Callable[[int], object],
    ) -> None:
        self._experiment, self._checkpoint, self._stop = experiment, checkpoint, stop
        self._on_progress = on_progress
        self._units, self._started, self._earlier = 0, time.monotonic(), 0.0
        self._shown, self._next_shown, self._next_told = 0, 0.0, 0.0
        self._status = status_file(experiment_key(experiment)) if checkpoint is not None else None

    @property
    def seconds(self) -> float:
        """Wall time of the run, sittings before a resume included."""
        return self._earlier + time.monotonic() - self._started

    def advance(self, units: int) -> None:
        """Count; show it ten times a second at most, and tell other processes about once a second."""
        self._units += units
        now = time.monotonic()
        if now >= self._next_shown:
            self._next_shown = now + _PROGRESS_SECONDS
            self.show()
        if self._status is not None and now >= self._next_told:
            self._next_told = now + _STATUS_SECONDS
            process = f"{socket.gethostname()}:{os.getpid()}"
            status = Status(self._experiment.label, self._units, self._experiment.work, self.seconds, process)
            # Only news for other processes: it may be lost, on a full disk too, so no fsync.
            partial = self._status.with_suffix(".status.new")
            with contextlib.suppress(OSError):
                partial.write_text(json.dumps(asdict(status)))
                os.replace(partial, self._status)

    def show(self) -> None:
        """Pass on the units that have not been shown yet."""
        units, self._shown = self._units - self._shown, self._units
        if units:
            self._on_progress(units)

    def waiting(self, call: Callable[[], Given], state: Callable[[], Arrays]) -> Given:
        """Make the call in a thread, ready to keep the state and to stop meanwhile; a call that is left runs to its end."""
        if self._checkpoint is None:
            return call()
        found: list[Given] = []
        problems: list[BaseException] = []
        limits = {each["prefix"]: each["num_threads"] for each in threadpool_info()}

        def work() -> None:
            try:
                with threadpool_limits(limits):  # of the thread that waits; some libraries hold them by thread
                    found.append(call())
            except BaseException as problem:
                problems.append(problem)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        while thread.is_alive():
            thread.join(_POLLING_SECONDS)
            if thread.is_alive():
                self.advance(0)
                try:
                    self.safe_point(state)
                except Interrupted:
                    left_behind.append(thread)
                    raise
        if problems:
            raise problems[0]
        return found[0]

    def safe_point(self, state: Callable[[], Arrays]) -> None:
        """Keep the state if it is due; stop if that was asked for."""
        if self._checkpoint is not None and (self._stop or self._checkpoint.due):
            self._checkpoint.save(lambda: state() | {"seconds spent": scalar(self.seconds)}, self._units)
        if self._stop:
            raise Interrupted(f"{self._experiment.label}: stopped at {self._units} of {self._experiment.work}")

    def restored(self) -> Arrays | None:
        """Return the kept state, if there is one that can be trusted."""
        found = self._checkpoint.load() if self._checkpoint is not None else None
        if found is None:
            return None
        arrays, units = found
        self._earlier += float(arrays.pop("seconds spent"))
        self.advance(units)
        return arrays


def compute(experiment: Experiment, on_progress: Callable[[int], object]) -> Result:
    """Compute a run without keeping anything."""
    monitor = RunMonitor(experiment, None, StopRequest(), on_progress)
    arrays = experiment.run(monitor)
    monitor.show()
    return Result(arrays, provenance(monitor.seconds, experiment.device), "computed")


def compute_and_store(
    experiment: Experiment,
    item: str,
    on_progress: Callable[[int], object],
    say: Callable[[str], object],
    force: bool = False,
    stop: StopRequest | None = None,
) -> Result:
    """Compute a run and store it in the user's cache, from a checkpoint if there is one; wait for a process that computes it."""
    identity = canonical_json(experiment)
    key, folder = key_of(identity), cached_results() / item
    make_folder(lock_file(key).parent, IF_NOT_WRITTEN)
    lock = FileLock(lock_file(key))
    waited = _acquire(lock, key, experiment, say)
    try:
        if waited or not force:
            found = _stored(folder, key, identity)
            if found is not None:
                return found
        checkpoint = Checkpoint(checkpoint_file(key), identity)
        commit()  # found once: the code may be edited before the run ends
        with stop_on_signal(stop) as request:
            monitor = RunMonitor(experiment, checkpoint, request, on_progress)
            if checkpoint.path.exists():
                say(f"{experiment.label}: going on from its checkpoint")
            arrays = experiment.run(monitor)
            monitor.show()
            record = provenance(monitor.seconds, experiment.device)
            write_result(folder, key, identity, arrays, record)
        checkpoint.remove()
        return Result(arrays, record, "computed")
    finally:
        status_file(key).unlink(missing_ok=True)
        lock.release()


def read_status(key: str) -> Status | None:
    """Return how far the process computing ``key`` is, or None if there is no (readable) word of it."""
    try:
        return Status(**json.loads(status_file(key).read_text()))
    except (OSError, ValueError, TypeError):
        return None


@contextmanager
def nothing_running() -> Iterator[None]:
    """Make sure that no run is on in this cache, and that none begins inside the ``with`` block."""
    make_folder(gate_file().parent, IF_NOT_WRITTEN)
    with FileLock(gate_file()):
        for path in sorted(lock_file("x").parent.glob("*.lock")):
            try:
                with FileLock(path, timeout=0):
                    pass
            except Timeout:
                status = read_status(path.stem)
                run = f"{status.label} ({status.process}, {status.units} of {status.work})" if status else path.stem
                raise InputError(f"cache: a run is on, {run}; wait for its end, or stop it first.") from None
        yield


def _acquire(lock: FileLock, key: str, experiment: Experiment, say: Callable[[str], object]) -> bool:
    """Take the lock; return whether another process held it first."""
    try:
        with FileLock(gate_file()):
            lock.acquire(timeout=0)
        return False
    except Timeout:
        status = read_status(key)
        holder = f" ({status.process}, {status.units} of {status.work})" if status else ""
        say(f"{experiment.label}: another process computes it{holder}; waiting for its result")
        lock.acquire()
        return True
    except OSError as error:
        raise not_written(lock_file(key), error, IF_NOT_WRITTEN) from error


def _stored(folder: Path, key: str, identity: str) -> Result | None:
    try:
        found = read_result(folder, key, identity)
    except DamagedResult:
        return None
    return None if found is None else Result(*found, "computed")  # by another process, meanwhile
