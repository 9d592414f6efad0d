"""The one virtual environment of the checkout: made, brought up to date, repaired.

This module runs before anything is installed, so it uses the standard library only and works on any Python that can
run nox.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

SUPPORTED_PYTHON = ((3, 11), (3, 12), (3, 13))
SUPPORTED_PLATFORMS = {("linux", "x86_64"), ("darwin", "arm64"), ("win32", "amd64")}
LOCKED = ("requirements.txt", "constraints.txt", "pyproject.toml")
#: Browsers that the check of the built book can drive.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
STAMP = "neural-scaling-environment.json"

Run = Callable[[Sequence[str]], None]


class EnvironmentProblem(Exception):
    """The environment cannot be made; the message is one line and says what to do."""


def refusal(version: tuple[int, int], system: str, machine: str) -> str | None:
    """Return why this project cannot run here, in one line, or None if it can."""
    if version not in SUPPORTED_PYTHON:
        return (
            f"Python {version[0]}.{version[1]} is not supported: remove the folder .venv and make it with Python 3.11, "
            "3.12 or 3.13, for example `python3.11 -m venv .venv`."
        )
    if (system, machine.lower()) not in SUPPORTED_PLATFORMS:
        return (
            f"{system} on {machine} is not supported: use Linux x86_64, macOS arm64 or Windows x86_64, for which all "
            "dependencies have wheels."
        )
    return None


def interpreter(venv: Path) -> Path:
    """Return the Python of a virtual environment, which need not exist."""
    return venv / "Scripts" / "python.exe" if os.name == "nt" else venv / "bin" / "python"


def find(major: int, minor: int) -> str | None:
    """Return a Python of a version that runs here, or None; a name on the path may be an empty promise."""
    named = (shutil.which(name) for name in (f"python{major}.{minor}", "python3", "python"))
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    for path in (*named, *map(str, pyenv.glob(f"versions/{major}.{minor}.*/bin/python"))):
        if path is None:
            continue
        code = "import sys; print(sys.version_info[:2])"
        if _says(path, code) == str((major, minor)):
            return path
    return None


def web_browser() -> str | None:
    """Return a browser of this machine, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def _says(python: str, code: str) -> str | None:
    """Return what a Python prints, or None if it does not run."""
    try:
        run = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return run.stdout.strip() if run.returncode == 0 else None


def fingerprint(root: Path, files: Sequence[str] = LOCKED) -> str:
    """Return a hash of the files that say what is installed, of the place and of the Python version."""
    digest = hashlib.sha256(f"{root.resolve()}\0{sys.version_info[:2]}".encode())
    for name in files:
        digest.update(f"\0{name}\0".encode() + (root / name).read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()


def is_current(venv: Path, wanted: str, stamp: str = STAMP) -> bool:
    """Return whether an environment is whole and has what is wanted."""
    try:
        return interpreter(venv).exists() and bool(json.loads((venv / stamp).read_text())["wanted"] == wanted)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def ensure(root: Path, run: Run | None = None, say: Callable[[str], object] = print) -> bool:
    """Make sure that ``.venv`` exists and holds what the project needs.

    The stamp is removed first and written last. So an interruption at any moment is noticed by the next call, which
    clears away what was installed in part and goes on.
    """
    run = _run if run is None else run
    reason = refusal(sys.version_info[:2], sys.platform, platform.machine())
    if reason:
        raise EnvironmentProblem(reason)
    venv, wanted = root / ".venv", fingerprint(root)
    if is_current(venv, wanted):
        return False
    (venv / STAMP).unlink(missing_ok=True)
    _make(venv, run, say)
    for name in clear_partial_installs(venv):
        say(f"cleared away a partial installation: {name}")
    if sys.platform == "linux" and "PIP_EXTRA_INDEX_URL" not in os.environ:
        say("installing (on Linux torch may come with CUDA, several GB; the README says how to get the CPU build)")
    else:
        say("installing")
    pip = _pip(venv)
    run([*pip, "-r", str(root / "requirements.txt"), "-c", str(root / "constraints.txt")])
    run([*pip, "--no-deps", "--no-build-isolation", "--editable", str(root)])
    _write_stamp(venv, wanted, STAMP)
    return True


def ensure_extra(root: Path, requirements: str, run: Run | None = None) -> bool:
    """Install the packages of one more requirements file, unless they are installed."""
    run = _run if run is None else run
    venv, stamp = root / ".venv", f"{Path(requirements).stem}.json"
    wanted = fingerprint(root, [requirements, "constraints.txt"])
    if is_current(venv, wanted, stamp):
        return False
    (venv / stamp).unlink(missing_ok=True)
    clear_partial_installs(venv)
    pip = _pip(venv)
    run([*pip, "-r", str(root / requirements), "-c", str(root / "constraints.txt")])
    _write_stamp(venv, wanted, stamp)
    return True


def clear_partial_installs(venv: Path) -> list[str]:
    """Remove what an interrupted pip left behind, so that pip installs it again.

    pip writes a package's list of files, RECORD, last. Without it, or if a file it names is gone, the package is not
    whole, yet pip would take it for installed.
    """
    removed = []
    for site in [*venv.glob("lib/python3.*/site-packages"), *venv.glob("Lib/site-packages")]:
        for left in site.glob("~*"):  # a package that pip was about to replace
            _remove(left)
            removed.append(left.name)
        for info in site.glob("*.dist-info"):
            if not _is_whole(info):
                _remove(info)
                removed.append(info.name)
    return removed


def _is_whole(info: Path) -> bool:
    record = info / "RECORD"
    if not (info / "METADATA").is_file() or not record.is_file():
        return False
    with record.open(newline="", encoding="utf-8") as file:
        named = [row[0] for row in csv.reader(file) if row]
    # Byte code is made anew by Python and may be cleaned away by anybody.
    return all((info.parent / name).exists() for name in named if not name.endswith(".pyc"))


def _make(venv: Path, run: Run, say: Callable[[str], object]) -> None:
    inside = Path(sys.prefix).resolve() == venv.resolve()
    if inside or _works(venv):
        return
    if venv.exists():
        say("the environment .venv is not whole: making it anew")
        shutil.rmtree(venv)
    say("making the environment .venv")
    run([sys.executable, "-m", "venv", str(venv)])


def _works(venv: Path) -> bool:
    if not (venv / "pyvenv.cfg").is_file() or not interpreter(venv).exists():
        return False
    # The same Python, and pip: an interrupted `venv` may have made the one without the other.
    code = "import sys, pip; print(sys.version_info[:2])"
    return _says(str(interpreter(venv)), code) == str(sys.version_info[:2])


def _pip(venv: Path) -> list[str]:
    # Somebody who watches 2 GB come in wants to see progress; a log does not.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    # Python compiles what is imported; pip would compile all there is, for half a minute.
    return [str(interpreter(venv)), "-m", "pip", "install", "--no-compile", "--disable-pip-version-check", *quiet]


def _write_stamp(venv: Path, wanted: str, stamp: str) -> None:
    temporary = venv / f".{stamp}"
    temporary.write_text(json.dumps({"wanted": wanted}))
    os.replace(temporary, venv / stamp)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _run(command: Sequence[str]) -> None:
    code = subprocess.run(command, check=False).returncode
    if code:
        raise EnvironmentProblem(
            f"installing failed with code {code} (see above): check network and disk space, then run the same command again."
        )
