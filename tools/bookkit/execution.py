"""Run notebooks: for the book, with stamps, or by hand into a folder of their own."""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import nbformat
import papermill
import yaml
from filelock import FileLock
from nbformat import NotebookNode
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.exceptions import PapermillExecutionError

from bookkit import kernels, notebooks, registry, stamps, workplace
from bookkit.problems import Problem
from bookkit.project import Project, write_atomically
from bookkit.registry import Job
from bookkit.stages import shared_programs, single_threaded
from bookkit.terminal import CellLine, say, terminal_name
from neural_scaling.base.paths import datasets_root

ENGINE = "bookkit"
#: Errors of the library that say all there is to say: what cannot be used or written, and what to do.
PLAIN = ("ParameterError", "NotWritten")
#: A single cell of the book that takes longer hangs, or computes what should have been shipped.
CELL_LIMIT = 900
_MOST_KERNELS = 6  # at once: each takes a gigabyte
_STARTS = 3


@dataclass(frozen=True)
class Outcome:
    """What became of one notebook of the book."""

    job: Job  # what it was
    seconds: float  # processor time of the execution, now or when it last ran
    reason: str | None  # why it ran, None if the earlier result was used
    notices: tuple[str, ...] = ()  # what cannot be reached, so that the page shows shipped results instead of computing


class _Engine(NBClientEngine):
    """Papermill's own engine that also tells which cell starts."""

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: NotebookExecutionManager,
        kernel_name: str,
        on_cell: Callable[[int, int], None] = lambda cell, cells: None,
        **kwargs: object,
    ) -> None:
        original = nb_man.cell_start

        def cell_start(cell: NotebookNode, cell_index: int | None = None, **more: object) -> None:
            on_cell((cell_index or 0) + 1, len(nb_man.nb.cells))
            original(cell, cell_index, **more)

        nb_man.cell_start = cell_start
        super().execute_managed_notebook(nb_man, kernel_name, **kwargs)


papermill_engines.register(ENGINE, _Engine)


@contextlib.contextmanager
def kernel_environment(
    scale: str, work: Path, *, keep_claims: bool = True, own_cache: bool = False, pictures: bool = True
) -> Iterator[Path]:
    """Set the environment that kernels started meanwhile inherit; yield the file of their claims, which holds none yet.

    At small scale the cache is an empty folder, so everything is computed live. With ``own_cache`` a run by hand at another
    scale uses the user's, so that it can be continued. Without ``pictures`` figures are drawn for their errors alone.
    """
    with workplace.temporary(work) as place:
        claims = place / "claims.json"
        claims.write_text("[]\n", "utf-8")
        wanted = {
            "NEURAL_SCALING_TERMINAL": terminal_name(),
            "NEURAL_SCALING_CLAIMS": str(claims) if keep_claims else "",
            "NEURAL_SCALING_UNSEEN": "" if pictures else "1",
            "IPYTHONDIR": str(
                place / "ipython"
            ),  # the user's own may hold scripts, which would change what a page shows
            "JUPYTER_PREFER_ENV_PATH": "1",  # the kernel of this environment, not one of the user's
            # Those of the user in any case: they are fetched, not computed, and checked whenever they are opened.
            "NEURAL_SCALING_DATASETS": str(datasets_root().absolute()),
            **shared_programs(work.absolute()),
        }
        if scale == "small" or not own_cache:
            wanted |= single_threaded() | {"NEURAL_SCALING_CACHE": str(place / "cache")}
            (place / "cache").mkdir(exist_ok=True)
        with _environment(wanted):
            yield claims


@contextlib.contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set variables of kernels started meanwhile, and remove those that would change what a notebook shows or reads."""
    unwanted = ("MPLBACKEND", "NEURAL_SCALING_DATA")
    before = {name: os.environ.get(name) for name in (*wanted, "PYTHONHASHSEED", *unwanted)}
    os.environ.update(wanted, PYTHONHASHSEED="0")
    for name in unwanted:
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def run(project: Project, notebook: NotebookNode, name: str, limit: int | None = None, **more: object) -> NotebookNode:
    """Execute a prepared notebook in the root of the project; the engine is told more where that is given."""
    project.work.mkdir(parents=True, exist_ok=True)
    # One kernel starts at a time: two would now and then choose one port.
    with CellLine(name) as line, FileLock(project.work / "starting.lock") as starting:

        def on_cell(cell: int, cells: int) -> None:
            starting.release()
            line(cell, cells)

        try:
            executed = _begun(
                partial(
                    papermill.execute_notebook,
                    notebook,
                    None,
                    engine_name=ENGINE,
                    kernel_name=notebooks.KERNEL["name"],
                    progress_bar=False,
                    cwd=project.root,
                    execution_timeout=limit,
                    extra_arguments=["--log-level=CRITICAL"],  # a kernel's own warnings would clutter the terminal
                    on_cell=on_cell,
                    **more,
                )
            )
        except PapermillExecutionError as error:
            if error.ename in PLAIN:
                raise Problem(f"{name}: {error.evalue}") from error
            raise Problem(f"{name}: a cell failed.\n{error}") from error
        except TimeoutError as error:  # nbclient's CellTimeoutError is one
            raise Problem(f"{name}: a cell took more than {limit} s. {error}") from error
    return notebooks.without_run_metadata(executed)


def _begun(execute: Callable[[], NotebookNode]) -> NotebookNode:
    """Execute, once more where the kernel died before its first cell: those of another build may have taken its port."""
    for _ in range(_STARTS):
        try:
            return execute()
        except RuntimeError as error:
            if "before replying to kernel_info" not in str(error):
                raise
            died = error
    raise Problem(f"a kernel died {_STARTS} times while it started. Free memory and run it again.") from died


def book_jobs(project: Project) -> list[Job]:
    """Return all notebooks of the book: every item at small scale, and at that of its results where some are shipped."""
    return [
        registry.job(project, item, scale)
        for item in registry.items(project)
        for scale in registry.book_scales(project, item)
    ]


def _computed(project: Project, job: Job, notebook: NotebookNode) -> tuple[NotebookNode, str, float]:
    """Return the executed notebook, its claims and the seconds that it took."""
    start = _spent()
    forked = {"kernel_manager_class": kernels.Forked} if kernels.CAN_FORK else {}
    with kernel_environment(job.scale, project.work, pictures=registry.shown(project, job)) as claims:
        executed = run(project, notebook, f"{job.item} {job.scale}", CELL_LIMIT, **forked)
        made = claims.read_text("utf-8")
    return executed, made, _spent() - start


def _spent() -> float:
    """Return the processor time of the kernels that have ended, seconds; Windows does not tell it, so there the clock's."""
    times = os.times()
    waited = times.children_user + times.children_system if os.name == "posix" else times.elapsed
    return waited + kernels.Forked.seconds


def _begin(environment: Mapping[str, str]) -> None:
    """Make a process end with the one that asked for it, and its kernel with both."""
    # At Ctrl-C the kernels interrupt their cells, which ends the processes' work; a traceback from each would say no more.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.environ.clear()
    os.environ.update(environment)
    kernels.end_with_parent()


def run_side_by_side(project: Project, jobs: Sequence[Job], *, force: bool = False) -> list[Outcome]:
    """Execute notebooks of the book, several at a time, each with one core at small scale.

    Kernels inherit the environment of their process, so each has one of its own; only this process writes pages.
    """
    # One more than cores, which would wait while kernels start and end.
    workers = min((os.cpu_count() or 1) + 1, _MOST_KERNELS)
    # Threads of small products wait for each other on a busy machine, several times longer than they save.
    with _environment(single_threaded() | shared_programs(project.work)):
        context = kernels.start()
    with (
        ProcessPoolExecutor(workers, context, _begin, (dict(os.environ),)) as processes,
        ThreadPoolExecutor(workers) as threads,
    ):

        def one(job: Job) -> Outcome:
            return run_for_book(
                project, job, force=force, computed=lambda *what: processes.submit(_computed, *what).result()
            )

        try:
            return list(threads.map(one, jobs))  # the first problem cancels those that have not begun
        except BrokenProcessPool as error:
            raise Problem(
                "a process that executed a notebook was killed. Free memory and run the command again."
            ) from error


def run_for_book(
    project: Project,
    job: Job,
    *,
    force: bool = False,
    computed: Callable[[Project, Job, NotebookNode], tuple[NotebookNode, str, float]] = _computed,
) -> Outcome:
    """Execute a notebook of the book unless nothing has changed, and say why."""
    reason = "asked for" if force else stamps.why_run(project, job)
    name = f"{job.item:10s} {job.scale:7s}"
    if reason is None:
        stamp = stamps.read_stamp(project, job) or {}
        say(f"{name} reused (nothing changed)")
        return Outcome(job, float(stamp.get("seconds", 0)), None)
    say(f"{name} runs: {reason}")
    parts = stamps.key(project, job)  # taken before, so that an edit during the run makes it run again
    stamps.remove_stamp(project, job)
    notebook = notebooks.prepared(project, job)
    executed, made, seconds = computed(project, job, notebook)
    write_atomically(project.claims(job.item, job.scale), made)
    write_atomically(project.executed / f"{job.page}.ipynb", nbformat.writes(executed) + "\n")
    date = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    notices = notebooks.notices(executed)
    stamps.write_stamp(project, job, parts, seconds, date, notices)
    say(f"{name} done, {seconds:.1f} s of a core" + "".join(f"; NOTICE: {notice}" for notice in notices))
    return Outcome(job, seconds, reason, tuple(notices))


def remove_strays(project: Project, jobs: list[Job]) -> None:
    """Remove executed notebooks, stamps and claims that belong to no job, such as those of a renamed item."""
    pages = {job.page for job in jobs}
    claims = {project.claims(job.item, job.scale) for job in jobs}
    for path in project.executed.glob("*"):
        if path.is_file() and path.stem not in pages:
            path.unlink()
    for path in project.executed.glob("claims/*"):
        if path not in claims:
            path.unlink()


def run_by_hand(project: Project, job: Job) -> Path:
    """Execute a notebook into its own folder under ``runs/``; book and references stay as they are."""
    folder = project.runs / job.folder
    with workplace.held(folder / ".work"):
        with kernel_environment(job.scale, folder / ".work", own_cache=True) as claims:
            executed = run(project, notebooks.prepared(project, job), f"{job.item} {job.scale}")
            made = claims.read_text("utf-8")
        write_atomically(folder / "parameters.yaml", yaml.safe_dump(dict(job.values), sort_keys=False))
        write_atomically(folder / "claims.json", made)
        write_atomically(folder / f"{job.item}.ipynb", nbformat.writes(executed) + "\n")
        for index, image in enumerate(_images(executed), start=1):
            (folder / f"figure-{index}.svg").write_text(image, "utf-8")
    return folder


def _images(notebook: NotebookNode) -> Iterator[str]:
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if image := output.get("data", {}).get("image/svg+xml"):
                yield image
