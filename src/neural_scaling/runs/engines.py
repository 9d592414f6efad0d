"""Where runs are computed: one after the other, in local processes, or by Dask workers anywhere.

A run is the unit of work. Whatever process it lands in, it is computed with
:func:`~neural_scaling.runs.execution.compute_and_store`, so each has its lock, its checkpoint and its stored result; an engine
only spreads runs over processes, through joblib or dask.distributed.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

from threadpoolctl import threadpool_limits

from neural_scaling.base.checks import require, text, whole
from neural_scaling.base.files import make_folder
from neural_scaling.base.interruption import Interrupted, StopRequest, stop_on_signal
from neural_scaling.base.paths import CACHE_VARIABLE, DATA_VARIABLE, cache_root
from neural_scaling.base.terminal import SweepProgress, say, share
from neural_scaling.runs.checkpoint import INTERVAL_VARIABLE
from neural_scaling.runs.execution import compute_and_store, read_status
from neural_scaling.runs.experiment import Experiment, experiment_key
from neural_scaling.runs.lookup import Result
from neural_scaling.runs.store import IF_NOT_WRITTEN

Kind = Literal["sequential", "processes", "dask"]

ENGINE_VARIABLE = "NEURAL_SCALING_ENGINE"
SCHEDULER_VARIABLE = "NEURAL_SCALING_SCHEDULER"
WORKERS_VARIABLE = "NEURAL_SCALING_WORKERS"
_ATTEMPTS = 4  # of a run whose worker dies


@dataclass(frozen=True)
class Engine:
    """Which engine, and how large.

    Parameters
    ----------
    kind
        ``sequential``, ``processes`` or ``dask``.
    workers
        Number of local worker processes; by default one per two cores, so that each has two threads.
    scheduler
        Address of a Dask scheduler, ``tls://host:port`` or ``tcp://127.0.0.1:port``; without one a local cluster is started, on
        loopback.

    Raises
    ------
    InputError
        If a value is unknown or does not fit the kind.
    """

    kind: Kind = "sequential"
    workers: int | None = None
    scheduler: str | None = None

    def __post_init__(self) -> None:
        require(self.kind in get_args(Kind), "engine", f"got {self.kind!r}", f"use one of {', '.join(get_args(Kind))}")
        if self.workers is not None:
            object.__setattr__(self, "workers", whole(self.workers, "workers", "give at least one worker", least=1))
            require(
                self.kind != "sequential",
                "workers",
                "given with engine 'sequential'",
                "take engine 'processes' or 'dask', or leave them out",
            )
        if self.scheduler is not None:
            text(self.scheduler, "scheduler")
        require(
            self.scheduler is None or self.kind == "dask",
            "scheduler",
            f"given with engine {self.kind!r}",
            "a scheduler belongs to engine 'dask'",
        )
        require(
            self.scheduler is None or self.scheduler.startswith("tls://") or _on_loopback(self.scheduler),
            "scheduler",
            f"{self.scheduler!r} is open to everyone who reaches it, and they can run programs as you",
            "use tls:// (book, How to rerun) or a scheduler on 127.0.0.1, through an SSH tunnel for example",
        )

    @classmethod
    def from_environment(cls) -> Engine:
        """Return the engine that ``NEURAL_SCALING_ENGINE``, ``_WORKERS`` and ``_SCHEDULER`` name; sequential by default."""
        workers = os.environ.get(WORKERS_VARIABLE, "")
        require(workers.isdigit() or not workers, WORKERS_VARIABLE, f"got {workers!r}", "give a whole number")
        return cls(
            os.environ.get(ENGINE_VARIABLE) or "sequential",  # type: ignore[arg-type]
            int(workers) if workers else None,
            os.environ.get(SCHEDULER_VARIABLE) or None,
        )

    @property
    def processes(self) -> int:
        """Number of local worker processes."""
        return self.workers if self.workers is not None else max(1, _cores() // 2)


def compute_all(experiments: Sequence[Experiment], item: str, engine: Engine, force: bool = False) -> list[Result]:
    """Compute and store several runs."""
    total = sum(experiment.work for experiment in experiments)
    with SweepProgress(item, len(experiments), total) as progress:
        if engine.kind == "sequential":
            outcomes: list[Result] = []
            with stop_on_signal() as stop:
                for experiment in experiments:
                    if stop:  # it came between two runs, or the one before had no safe point to end at
                        raise _stopped(item, len(outcomes), len(experiments))
                    progress.running(experiment.label, experiment.work)
                    outcomes.append(compute_and_store(experiment, item, progress.advance, say, force, stop))
                    progress.finished()
            return outcomes
        return _distribute(experiments, item, engine, force, progress)


def _distribute(
    experiments: Sequence[Experiment], item: str, engine: Engine, force: bool, progress: SweepProgress
) -> list[Result]:
    """Spread runs over processes; what a dying worker leaves behind is taken up by another."""
    stop_file = cache_root() / "running" / f"{uuid4().hex}.stop"
    make_folder(stop_file.parent, IF_NOT_WRITTEN)
    done: dict[int, Result] = {}
    spread = _with_joblib if engine.kind == "processes" else _with_dask
    try:
        with stop_on_signal() as stop, _watching(experiments, done, stop, stop_file, progress):
            tasks = [
                _Task(index, experiment, item, force, _environment(), max(1, _cores() // engine.processes), stop_file)
                for index, experiment in enumerate(experiments)
            ]
            for index, outcome in spread(tasks, engine):
                if outcome is not None:
                    done[index] = outcome
                    progress.finished()
        if stop or len(done) < len(experiments):
            raise _stopped(item, len(done), len(experiments))
        return [done[index] for index in range(len(experiments))]
    finally:
        stop_file.unlink(missing_ok=True)


def _stopped(item: str, finished: int, wanted: int) -> Interrupted:
    return Interrupted(f"{item}: stopped with {finished} of {wanted} runs finished")


@dataclass(frozen=True)
class _Task:
    """One run on its way to a worker."""

    index: int
    experiment: Experiment
    item: str
    force: bool
    environment: dict[str, str]
    threads: int
    stop_file: Path

    def __call__(self) -> tuple[int, Result | None]:
        os.environ.update(self.environment)
        # XLA sizes its pool when it is first used and knows no other limit; BLAS can be limited at any time.
        os.environ.setdefault("NPROC", str(self.threads))
        if self.stop_file.exists():
            return self.index, None
        stop = _StopFile(self.stop_file)
        try:
            with threadpool_limits(self.threads):
                outcome = compute_and_store(self.experiment, self.item, lambda _: None, say, self.force, stop)
        except Interrupted:
            self.stop_file.touch()  # a single worker is this very process, and took the signal that is meant for all runs
            return self.index, None
        if stop:
            self.stop_file.touch()
        return self.index, outcome


class _StopFile(StopRequest):
    """A stop asked for by a file, which reaches workers that get no signals; looked at about once a second."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path, self._looked, self._seen = path, time.monotonic(), False

    def __bool__(self) -> bool:
        if not self._seen and time.monotonic() - self._looked > 1:
            self._looked, self._seen = time.monotonic(), self._path.exists()
        return self._seen or super().__bool__()


def _with_joblib(tasks: Sequence[_Task], engine: Engine) -> Iterator[tuple[int, Result | None]]:
    import joblib
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left = {task.index: task for task in tasks}
    for attempt in range(_ATTEMPTS):
        threads = max(1, _cores() // engine.processes)
        with joblib.parallel_config("loky", n_jobs=engine.processes, inner_max_num_threads=threads):
            try:
                calls = [joblib.delayed(task)() for task in left.values()]
                for index, outcome in joblib.Parallel(return_as="generator_unordered", batch_size=1)(calls):
                    del left[index]
                    yield index, outcome
                return
            except TerminatedWorkerError:
                if attempt + 1 == _ATTEMPTS:
                    raise
                say(f"a worker died; {len(left)} runs go on from their checkpoints")


def _with_dask(tasks: Sequence[_Task], engine: Engine) -> Iterator[tuple[int, Result | None]]:
    from distributed import Client, LocalCluster, as_completed

    with _dask_client(Client, LocalCluster, engine) as client:
        say(f"dask: {client.scheduler.address}, {len(client.scheduler_info(n_workers=-1)['workers'])} workers")
        # Dask itself gives a run to another worker when one dies, up to allowed-failures times; retries are for exceptions.
        futures = [client.submit(task, pure=False) for task in tasks]
        for future in as_completed(futures):  # type: ignore[no-untyped-call]
            yield future.result()


@contextmanager
def _dask_client(client: Any, cluster: Any, engine: Engine) -> Iterator[Any]:
    with ExitStack() as stack:
        address: Any = engine.scheduler
        if address is None:
            # A worker that is slow to leave is no news.
            how = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": logging.ERROR}
            local = cluster(n_workers=engine.processes, threads_per_worker=1, processes=True, **how)
            address = stack.enter_context(local)
        yield stack.enter_context(client(address))


@contextmanager
def _watching(
    experiments: Sequence[Experiment],
    done: dict[int, Result],
    stop: StopRequest,
    stop_file: Path,
    progress: SweepProgress,
) -> Iterator[None]:
    """Follow the status files of runs in other processes, and pass a stop request on to them."""
    keys = [experiment_key(experiment) for experiment in experiments]
    over = threading.Event()

    def watch() -> None:
        while not over.wait(1.0):
            if stop and not stop_file.exists():
                say("stopping: waiting for checkpoints")
                stop_file.touch()
            units, shares = 0, []
            for index, (key, experiment) in enumerate(zip(keys, experiments, strict=True)):
                if index in done:
                    units += experiment.work
                elif (status := read_status(key)) is not None:
                    units += status.units
                    shares.append(share(experiment.label, status.units, status.work, status.seconds))
            progress.running_elsewhere(shares)
            progress.at(units)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _environment() -> dict[str, str]:
    names = (CACHE_VARIABLE, DATA_VARIABLE, INTERVAL_VARIABLE)
    return {name: os.environ[name] for name in names if name in os.environ}


def _on_loopback(address: str) -> bool:
    host = address.partition("://")[2].rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
