"""What the sessions of ``nox`` do, once the environment is there."""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from bookkit import (
    arithmetic,
    browser,
    compose,
    execution,
    ledger,
    operated,
    pages,
    references,
    registry,
    sphinx_book,
    workplace,
)
from bookkit.execution import Outcome
from bookkit.problems import Problem, refuse
from bookkit.project import Project
from bookkit.registry import Job
from bookkit.stages import Stage, run_stages, shared_programs, single_threaded
from bookkit.terminal import say
from neural_scaling.base.files import NotWritten

#: Seconds of a core that one small-scale notebook, and all of them together, may take.
NOTEBOOK_BUDGET = 40.0
TOTAL_BUDGET = 480.0
#: Tests whose numbers must hold on every processor: theory, solvers, simulation, fits.
NUMERICAL = (
    "tests/theory",
    "tests/dmft",
    "tests/errata",
    "tests/toy_model",
    "tests/sample_reuse",
    "tests/test_fits.py",
    "tests/test_fit_offset.py",
    "tests/test_fit_spectrum.py",
    "tests/test_spectra.py",
)
#: Those of them that multiply the largest matrices, of which threads change the order of sums.
THREADED = (
    "tests/dmft/test_unit_steps.py",
    "tests/dmft/test_fourth_moment.py",
    "tests/sample_reuse",
    "tests/toy_model/test_direct_model.py",
    "tests/errata/test_tools.py",
)
#: Pages that take longest.
LONGEST = ("fig05", "fig06", "fig08", "source", "fig04", "fig03", "fig02", "reuse")
#: Pages whose tables print the smallest differences; the others follow in `nox -s soak`.
SMALLEST = ("errata", "fig01", "fig09", "fig10", "kernel", "table1")
_PYTEST = ("pytest", "-n2", "--dist=worksteal")
#: Shared machines are slower; beyond this factor it is no longer the machine.
SLACK = 2.0
#: A page that loads beside others is this much slower at most; `nox -s bench` measures it.
PATIENCE = 5.0


def check_items(project: Project) -> None:
    """Check all notebooks and parameter files."""
    refuse(registry.check(project) + _toc_problems(project))


def execute_all(project: Project, *, strict: bool = False) -> list[Outcome]:
    """Execute the notebooks of the book that must be, and hold them to their budgets."""
    jobs = execution.book_jobs(project)
    execution.remove_strays(project, jobs)
    # Longest first, so that no core waits for the last one.
    order = sorted(jobs, key=lambda job: (job.scale != "small", job.item not in LONGEST))
    outcomes = execution.run_side_by_side(project, order)
    over = over_budget(outcomes, SLACK if strict else 1.0)
    if strict:
        refuse(over)
    for line in over:
        say(f"warning: {line}")
    return outcomes


def missing_data(outcomes: Sequence[Outcome]) -> list[str]:
    """Return which pages show shipped results because their data cannot be reached, one line each."""
    return [
        f"{outcome.job.page}: {', '.join(outcome.notices)}; the page shows shipped results under a notice."
        for outcome in outcomes
        if outcome.notices
    ]


def require_data(outcomes: Sequence[Outcome]) -> None:
    """Refuse pages that were built without their data."""
    remedy = "Connect to the network or install Node.js; `python -m neural_scaling data NAME` says what is tried."
    refuse(missing_data(outcomes), remedy)


def over_budget(outcomes: Sequence[Outcome], slack: float) -> list[str]:
    """Return which budgets are exceeded, one line each."""
    small = [outcome for outcome in outcomes if outcome.job.scale == "small"]
    wrong = [
        f"{outcome.job.item} took {outcome.seconds:.0f} s of a core at small scale, more than {NOTEBOOK_BUDGET * slack:.0f} s. "
        "Make its small-scale parameters smaller."
        for outcome in small
        if outcome.seconds > NOTEBOOK_BUDGET * slack
    ]
    total = sum(outcome.seconds for outcome in small)
    if total > TOTAL_BUDGET * slack:
        wrong.append(f"all small-scale notebooks took {total:.0f} s of a core, more than {TOTAL_BUDGET * slack:.0f} s.")
    return wrong


def check_ledger(project: Project) -> None:
    """Compare the claims of the executed book with the ledger."""
    made = ledger.produced(project, execution.book_jobs(project))
    refuse(ledger.differences(ledger.read(project.ledger), made))
    say(f"{sum(map(len, made.values()))} claims agree with the ledger")


def check_pages(project: Project) -> None:
    """Check the built pages."""
    refuse(pages.check(project))
    say(f"{len(pages.toc_pages(project))} pages are there and whole")


def check_in_browser(project: Project) -> None:
    """Look at the built pages in a browser."""
    lacking = browser.missing()
    if lacking:
        raise Problem(lacking)
    wrong, seen = browser.check(project)
    seconds = asyncio.run(operated.cold_start(project.html))
    say(f"the front page answers {seconds:.1f} s after a cold start, 1.5 s are allowed")
    if seconds > 1.5 * PATIENCE:
        wrong.append(
            f"{operated.FRONT}: the explorer answers after {seconds:.1f} s only. `nox -s bench` measures it alone."
        )
    refuse(wrong)
    say(f"{len(seen)} pages are as they should be in a browser")


def book(project: Project) -> None:
    """Execute, build and check the book; print where it is and how long each notebook took."""
    start = time.perf_counter()
    check_items(project)
    outcomes = execute_all(project)
    building = time.perf_counter()
    say("building the pages")
    compose.write(project)
    first = sphinx_book.build(project, anew=False)
    check_pages(project)
    end = time.perf_counter()
    say("\nnotebook        seconds of a core")
    for outcome in outcomes:
        note = "" if outcome.reason is not None else "  (when it last ran)"
        say(f"{outcome.job.item:10s} {outcome.job.scale:5s} {outcome.seconds:6.1f}{note}")
    say(f"notebooks        {sum(outcome.seconds for outcome in outcomes if outcome.reason is not None):6.1f}")
    say(f"pages            {end - building:6.1f}  by the clock")
    say(f"all              {end - start:6.1f}  by the clock")
    for line in missing_data(outcomes):
        say(f"NOTICE: {line}")
    say(f"\nThe book: {first.as_uri()}")


def tests(project: Project) -> None:
    """Run everything that must hold before a change is accepted."""
    in_ci = os.environ.get("CI", "").lower() in ("1", "true")
    stages: list[Stage] = [
        *_static_stages(project),
        ("unit tests", lambda: _python(project, *_PYTEST, environment=single_threaded())),
        ("second kernel", lambda: _second_kernel(project)),
        ("two threads", lambda: _two_threads(project)),
        ("notebooks", lambda: require_data(execute_all(project, strict=in_ci))),
        ("references", lambda: references.compare_executed(project)),
        ("references again", lambda: _references_again(project)),
        ("claims ledger", lambda: check_ledger(project)),
        ("strict book", lambda: _strict_book(project)),
        ("expected pages", lambda: check_pages(project)),
        ("browser", lambda: _in_browser(project)),
    ]
    run_stages(stages)


def _in_browser(project: Project) -> None:
    lacking = browser.missing()
    if lacking:
        say(f"skipped: {lacking}")
    else:
        check_in_browser(project)


def _second_kernel(project: Project) -> None:
    environment, sentence = arithmetic.second()
    say(sentence if environment else f"skipped: {sentence}")
    if environment:
        _python(project, *_PYTEST, "-m", "not long", *NUMERICAL, environment=environment)


def _two_threads(project: Project) -> None:
    if os.cpu_count() == 1:
        say("skipped: two threads would take turns on the only core")
        return
    # One process: two of them with two threads each would wait for each other on two cores.
    _python(
        project, "pytest", "-m", "not long", *THREADED, environment={**single_threaded(), "OPENBLAS_NUM_THREADS": "2"}
    )


def _references_again(project: Project, chosen: Sequence[str] = SMALLEST) -> None:
    """Execute pages again, with other kernels than those that made the book where there are any."""
    environment, sentence = arithmetic.second()
    say(sentence if environment else f"the same kernels: {sentence}")
    references.compare(project, [item for item in registry.items(project) if item in chosen], environment=environment)


def quick(project: Project) -> None:
    """Run what is worth running after each edit, about a minute and a half; no notebook is executed."""
    fast = [*_PYTEST, "-m", "not slow and not long"]
    stages: list[Stage] = [
        *_static_stages(project),
        ("fast unit tests", lambda: _python(project, *fast, environment=single_threaded())),
    ]
    run_stages(stages)


def rewrite_references(project: Project, chosen: Sequence[str]) -> None:
    """Execute anew and rewrite the committed references and the ledger."""
    check_items(project)
    for item in chosen:
        registry.job(project, item, "small")  # a clear error for an unknown name, before anything runs
    jobs = [job for job in execution.book_jobs(project) if not chosen or job.item in chosen]
    shown = str(project.ledger.relative_to(project.root).as_posix())
    readers = [job for job in jobs if shown in registry.reads(registry.source(project, job.item))]
    makers = [job for job in jobs if job not in readers]
    _rewrite(project, makers)
    made = ledger.produced(project, makers)
    old = ledger.read(project.ledger) if chosen and project.ledger.is_file() else []
    ledger.write(project, ledger.merge(old, made))
    say(f"ledger: {sum(map(len, made.values()))} claims merged into {shown}")
    _rewrite(project, readers)  # pages of the ledger show it as it is now
    if not chosen:
        references.remove_strays(project)


def _rewrite(project: Project, jobs: Sequence[Job]) -> None:
    require_data(execution.run_side_by_side(project, jobs, force=True))
    for job in jobs:
        if job.scale == "small":
            changed = references.write(project, job.item)
            say(f"{job.item:10s} reference {'rewritten' if changed else 'unchanged'}")


def execute(project: Project, item: str, scale: str, overrides: Mapping[str, str]) -> None:
    """Execute one notebook by hand and print where the result is."""
    job: Job = registry.job(project, item, scale, overrides)
    start = time.perf_counter()
    folder = execution.run_by_hand(project, job)
    say(f"{item} {scale}: {time.perf_counter() - start:.1f} s")
    say(str(folder))


def lab(project: Project, item: str) -> None:
    """Open a notebook, paired with its source, in the browser."""
    registry.source(project, item)  # a clear error for an unknown name
    # Not --sync: the source changes when the notebook is saved, not when it is opened.
    _python(project, "jupytext", "--to", "ipynb", "--update", f"notebooks/{item}.py")
    _python(project, "jupyter", "lab", f"notebooks/{item}.ipynb")


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _workers(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}; give a positive whole number")
    return int(text)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    root = Path(__file__).resolve().parents[2]
    top = _Parser(prog="book", description="The pipeline of the book; normally called by nox.")
    top.add_argument("--root", type=Path, default=root, help="the checkout (default: the one this file is in)")
    commands = top.add_subparsers(dest="command", required=True)
    for name, summary in (
        ("book", "execute, build and check the book"),
        ("tests", "run everything that must hold"),
        ("quick", "run what is worth running after each edit"),
        ("browser", "look at every page of the built book in a browser"),
        ("check", "check notebooks, parameter files and table of contents"),
        ("again", "execute all references again with other arithmetic kernels"),
    ):
        commands.add_parser(name, help=summary)
    rewrite = commands.add_parser("references", help="execute anew, rewrite references and ledger")
    rewrite.add_argument("items", nargs="*", metavar="item")
    single = commands.add_parser("execute", help="execute one notebook into its own folder under runs/")
    single.add_argument("item", help="name of a file notebooks/<item>.py")
    single.add_argument("--scale", default="small", help="small (default), full, or reduced where there is one")
    single.add_argument(
        "--engine", choices=["sequential", "processes", "dask"], help="where full-scale runs are computed"
    )
    single.add_argument("--workers", type=_workers, help="number of local worker processes")
    single.add_argument("--scheduler", help="address of a Dask scheduler, tcp://host:port")
    single.add_argument(
        "-p",
        dest="parameters",
        nargs=2,
        metavar=("NAME", "VALUE"),
        action="append",
        default=[],
        help="change a parameter; may be repeated",
    )
    opened = commands.add_parser("lab", help="open a notebook in the browser")
    opened.add_argument("item", help="name of a file notebooks/<item>.py")
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command."""
    try:
        try:
            return _command(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to print goes nowhere, quietly
        print("error: nobody reads the output any more. Run it again with the output in a file.", file=sys.stderr)
        return 1


def _command(arguments: Sequence[str] | None) -> int:
    given = parser().parse_args(arguments)
    try:
        project = _project(given.root)
        match given.command:
            case "book":
                with workplace.held(project.work):
                    book(project)
            case "tests":
                with workplace.held(project.work):
                    tests(project)
            case "quick":
                quick(project)
            case "browser":
                with workplace.held(project.work):
                    check_in_browser(project)
            case "check":
                check_items(project)
            case "again":
                with workplace.held(project.work):
                    _references_again(project, registry.items(project))
            case "references":
                with workplace.held(project.work):
                    rewrite_references(project, given.items)
            case "execute":
                os.environ.update(_engine(given.engine, given.workers, given.scheduler))
                execute(project, given.item, given.scale, dict(given.parameters))
            case "lab":
                lab(project, given.item)
    except (Problem, NotWritten) as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted; run the same command again to go on", file=sys.stderr)
        return 130
    return 0


def _project(root: Path) -> Project:
    """Return the checkout at a folder."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise Problem("the working directory was deleted. Change to one that exists.") from None
    project = Project(root.resolve())
    if not project.notebooks.is_dir():
        raise Problem(f"there is no checkout at {root}. Give the folder that holds notebooks/ after --root.")
    return project


def _engine(kind: str | None, workers: int | None, scheduler: str | None) -> dict[str, str]:
    """Return what tells the library in a kernel where to compute."""
    if scheduler and kind != "dask":
        raise Problem("--scheduler belongs to --engine dask. Add it.")
    given = {"ENGINE": kind, "WORKERS": workers, "SCHEDULER": scheduler}
    return {f"NEURAL_SCALING_{name}": str(value) for name, value in given.items() if value is not None}


def _static_stages(project: Project) -> list[Stage]:
    return [
        ("notebook checks", lambda: check_items(project)),
        ("lint", lambda: _lint(project)),
        ("rooms", lambda: _rooms(project)),
        ("types", lambda: _python(project, "mypy")),
    ]


def _lint(project: Project) -> None:
    _python(project, "ruff", "check", ".")
    _python(project, "ruff", "format", "--check", ".")


def _rooms(project: Project) -> None:
    """Check that lower rooms of the house never import upper ones, see pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-logo", "--no-cache"]
    if subprocess.run(command, cwd=project.root, check=False).returncode:
        raise Problem("a room imports one above it (see above). Move the code down, or the import up.")


def _python(project: Project, module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    command = [sys.executable, "-m", module, *arguments]
    variables = {**os.environ, **shared_programs(project.work), **(environment or {})}
    run = subprocess.run(command, cwd=project.root, env=variables, check=False)
    if run.returncode:
        raise Problem(f"{module} found something (see above).")


def _toc_problems(project: Project) -> list[str]:
    expected = {f"book/pages/{item}" for item in registry.items(project)}
    named = {page for page in pages.toc_pages(project) if page.startswith("book/pages/")}
    wrong = [f"_toc.yml does not name {page}. Add it where it belongs." for page in sorted(expected - named)]
    return wrong + [f"_toc.yml names {page}, but no notebook makes it. Remove it." for page in sorted(named - expected)]


def _strict_book(project: Project) -> None:
    compose.write(project)
    sphinx_book.build(project)
