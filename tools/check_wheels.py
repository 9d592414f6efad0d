"""Ask pip whether every pin has a wheel for every supported Python and platform.

Run it after changing a requirements or constraints file::

    python tools/check_wheels.py

pip evaluates environment markers for the interpreter that runs it, not for the target, so this script
evaluates them itself and hands pip bare pins with ``--no-deps``. Only metadata is fetched where the index
allows it; nothing is installed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]
PYTHONS = ("3.11", "3.12", "3.13")
# The CUDA libraries come with the Linux build of torch and nothing else; they are wheels by construction.
CUDA = re.compile(r"^(nvidia-|cuda-|triton$)")
MISSING = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)==")


@dataclass(frozen=True)
class Platform:
    """One supported kind of machine."""

    name: str  # as the README says it
    tags: tuple[str, ...]  # wheel platform tags that such a machine accepts
    markers: dict[str, str]  # values of the environment markers on such a machine


LINUX_TAGS = (*(f"manylinux_2_{minor}_x86_64" for minor in range(28, 4, -1)), "manylinux2014_x86_64", "linux_x86_64")
PLATFORMS = (
    Platform(
        "Linux x86_64",
        LINUX_TAGS,
        {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix", "platform_machine": "x86_64"},
    ),
    Platform(
        "macOS arm64",
        ("macosx_14_0_arm64",),
        {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix", "platform_machine": "arm64"},
    ),
    Platform(
        "Windows x86_64",
        ("win_amd64",),
        {"sys_platform": "win32", "platform_system": "Windows", "os_name": "nt", "platform_machine": "AMD64"},
    ),
)


def read_pins(paths: list[Path]) -> list[Requirement]:
    """Return the requirements written in ``paths``, comments and repetitions dropped."""
    lines = [line.split("#")[0].strip() for path in paths for line in path.read_text("utf-8").splitlines()]
    return [Requirement(line) for line in dict.fromkeys(lines) if line]


def pins_for(pins: list[Requirement], platform: Platform, python: str) -> list[str]:
    """Return the pins that apply on ``platform`` under ``python``, without their markers."""
    environment = {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        **platform.markers,
    }
    return [
        f"{pin.name}{pin.specifier}"
        for pin in pins
        if not CUDA.match(pin.name) and (pin.marker is None or pin.marker.evaluate(environment))
    ]


def without_wheels(pins: list[str], platform: Platform, python: str) -> list[str]:
    """Return those of ``pins`` for which pip finds no wheel."""
    missing: list[str] = []
    remaining = list(pins)
    while remaining:
        with tempfile.TemporaryDirectory() as nowhere:
            command = [sys.executable, "-m", "pip", "install", "--dry-run", "--quiet", "--no-deps"]
            command += ["--use-feature=fast-deps", "--only-binary=:all:", "--python-version", python]
            command += ["--target", nowhere, *(f"--platform={tag}" for tag in platform.tags), *remaining]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
        if run.returncode == 0:
            break
        found = MISSING.search(run.stderr)
        if found is None:
            raise SystemExit(f"pip failed for a reason other than a missing wheel:\n{run.stderr}")
        missing += [pin for pin in remaining if pin.startswith(f"{found[1]}==")]
        remaining = [pin for pin in remaining if not pin.startswith(f"{found[1]}==")]
    return missing


def main() -> int:
    """Check all combinations; return the number of pins without a wheel."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="*", type=Path, help="requirement files (default: all of the repository)")
    names = ("requirements.txt", "requirements-lab.txt", "constraints.txt")
    pins = read_pins(parser.parse_args().files or [ROOT / name for name in names])
    failures = 0
    for platform in PLATFORMS:
        for python in PYTHONS:
            wanted = pins_for(pins, platform, python)
            missing = without_wheels(wanted, platform, python)
            failures += len(missing)
            verdict = f"no wheel: {', '.join(missing)}" if missing else "all have wheels"
            print(f"{platform.name:15s} Python {python}: {len(wanted):3d} pins, {verdict}", flush=True)
    return min(failures, 1)


if __name__ == "__main__":
    raise SystemExit(main())
