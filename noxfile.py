"""Sessions of the project; ``nox -l`` lists them. All share the environment ``.venv`` that the session ``env`` keeps."""

import sys
from pathlib import Path

import nox

ROOT = Path(__file__).resolve().parent
sys.path.insert(0, str(ROOT / "tools"))

from bookkit import environment  # noqa: E402  (the tools are not installed)

# One environment for all sessions: one for each would cost 2 GB and a minute every time.
nox.options.default_venv_backend = "none"
nox.options.sessions = ["book"]
nox.needs_version = ">=2024.4"

BOOK = str(ROOT / "tools" / "book.py")
# Hundreds of processes start: each would compile all that it imports where byte code is not kept.
KEPT = {"PYTHONDONTWRITEBYTECODE": ""}


def python(session: nox.Session, *arguments: str, **variables: str) -> None:
    """Run the Python of the shared environment; a failure has said what is wrong by itself."""
    session.run(str(environment.interpreter(ROOT / ".venv")), *arguments, external=True, env=KEPT | variables)


def extra(session: nox.Session, requirements: str, *, wanted: bool = True) -> None:
    """Install the packages of one more requirements file."""
    try:
        if wanted:
            environment.ensure_extra(ROOT, requirements)
    except environment.EnvironmentProblem as problem:
        session.error(str(problem))


@nox.session
def env(session: nox.Session) -> None:
    """Make or update .venv from requirements.txt and constraints.txt; nothing to do takes no time."""
    try:
        environment.ensure(ROOT, say=session.log)
    except environment.EnvironmentProblem as problem:
        session.error(str(problem))


@nox.session(requires=["env"])
def book(session: nox.Session) -> None:
    """Execute every notebook live at small scale, build the book, say where it is."""
    python(session, BOOK, "book")


@nox.session(requires=["env"])
def tests(session: nox.Session) -> None:
    """Lint, types, unit tests, notebooks against their references, claims, strict book, expected pages, pages in a browser."""
    extra(session, "requirements-browser.txt", wanted=environment.web_browser() is not None)
    python(session, BOOK, "tests")


@nox.session(requires=["env"])
def browser(session: nox.Session) -> None:
    """Look at every page of the built book in a browser, wide, on a phone and printed, light and dark; operate the explorers."""
    extra(session, "requirements-browser.txt")
    python(session, BOOK, "browser")


@nox.session(requires=["env"])
def quick(session: nox.Session) -> None:
    """Edit loop, about a minute and a half: lint, types and the unit tests that take less than a second."""
    python(session, BOOK, "quick")


@nox.session(requires=["env"])
def execute(session: nox.Session) -> None:
    """Execute one notebook into its own folder: nox -s execute -- fig02 --scale full -p beta_hard 0.6."""
    python(session, BOOK, "execute", *session.posargs)


@nox.session(requires=["env"])
def lab(session: nox.Session) -> None:
    """Open a notebook, paired with its source, in the browser: nox -s lab -- fig02."""
    extra(session, "requirements-lab.txt")
    python(session, BOOK, "lab", *session.posargs)


@nox.session(requires=["env"])
def references(session: nox.Session) -> None:
    """Execute anew and rewrite the committed references and claims: nox -s references [-- fig02]."""
    python(session, BOOK, "references", *session.posargs)


@nox.session(requires=["env"])
def soak(session: nox.Session) -> None:
    """Kill runs of all kinds, solve random settings (--keep writes them), give bad inputs, try mutants, change kernels."""
    killed = "tests/runs/test_interruption.py::test_killed_at_random_moments_a_run_ends_with_the_same_bits"
    python(session, "-m", "pytest", "-v", killed, NEURAL_SCALING_TEST_KILLS="100", OMP_NUM_THREADS="1")
    python(session, "tests/fuzz_inputs.py", OMP_NUM_THREADS="1")
    python(session, "tests/random_settings.py", *session.posargs, OMP_NUM_THREADS="1")
    python(session, "tests/prediction_study.py", OMP_NUM_THREADS="1")
    covered = ("tests/test_intervals.py", "tests/test_scaling_law.py")
    python(session, "-m", "pytest", *covered, NEURAL_SCALING_TEST_INTERVALS="all", OMP_NUM_THREADS="1")
    python(session, "tests/mutants.py", OMP_NUM_THREADS="1")
    python(session, BOOK, "again")


@nox.session(requires=["env"])
def c4(session: nox.Session) -> None:
    """Install the optional extra for C4, 375 MB, and test its reader with the library itself."""
    python(session, "-m", "pip", "install", "-c", "constraints.txt", "-e", ".[c4]")
    python(session, "-m", "pytest", "tests/text/test_c4.py")


@nox.session
def pythons(session: nox.Session) -> None:
    """Run the fast tests under every supported Python that is found, each in an environment of its own; say which is not."""
    failed = []
    for major, minor in environment.SUPPORTED_PYTHON:
        found = environment.find(major, minor)
        if found is None:
            session.warn(f"Python {major}.{minor} was not found: its tests did not run")
            continue
        venv = ROOT / ".nox" / f"python{major}.{minor}"
        session.run(found, "-m", "venv", str(venv), external=True)  # makes whole what an interruption left
        inside = str(environment.interpreter(venv))
        install = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        session.run(*install, "-r", "requirements.txt", "-c", "constraints.txt", external=True)
        session.run(*install, "--no-deps", "--no-build-isolation", "--editable", ".", external=True)
        fast = ["-m", "pytest", "-n2", "-q", "-m", "not slow and not long"]
        try:
            session.run(inside, *fast, external=True, env=KEPT | {"OMP_NUM_THREADS": "1"})
        except nox.command.CommandFailed:
            failed.append(f"{major}.{minor}")
    if failed:
        session.error(f"tests failed under Python {', '.join(failed)} (see above)")


@nox.session(requires=["env"])
def bench(session: nox.Session) -> None:
    """Run the benchmarks and print what they measure; nothing fails for being slow."""
    for benchmark in sorted((ROOT / "benchmarks").glob("*.py")):
        python(session, str(benchmark))
