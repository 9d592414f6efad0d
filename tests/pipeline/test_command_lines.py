"""What the README tells the reader to type is what is run, and the pins say the same everywhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]


def pins(name):
    lines = (line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line]


def test_continuous_integration_runs_the_command_of_the_readme():
    readme = (ROOT / "README.md").read_text()
    (command,) = re.findall(r"^python3 -m venv .*nox -s tests$", readme, re.MULTILINE)
    script = (ROOT / ".ci" / "run").read_text()
    assert f"COMMAND='{command}'" in script.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="there is no bash")
def test_the_script_is_sound_bash():
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-lab.txt"])
def test_every_direct_dependency_is_pinned_as_in_the_constraints(name):
    constraints = {pin.name.lower().replace("_", "-"): str(pin.specifier) for pin in pins("constraints.txt")}
    for pin in pins(name):
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin
        assert constraints[pin.name.lower().replace("_", "-")] == str(pin.specifier)


def test_every_constraint_is_one_version_without_a_local_part():
    for pin in pins("constraints.txt"):
        assert re.fullmatch(r"==[0-9][0-9a-z.]*", str(pin.specifier)), pin


def test_the_package_asks_for_no_version_that_the_pins_exclude():
    import tomllib

    pinned = {pin.name.lower(): str(pin.specifier)[2:] for pin in pins("requirements.txt")}
    for line in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]:
        wanted = Requirement(line)
        assert wanted.specifier.contains(pinned[wanted.name.lower()]), line


def test_each_session_is_explained_in_one_line():
    run = subprocess.run(
        [sys.executable, "-m", "nox", "-l", "-f", str(ROOT / "noxfile.py")], capture_output=True, text=True, check=False
    )
    if "No module named nox" in run.stderr:
        pytest.skip("nox is not installed in this environment")
    for session in ("env", "book", "tests", "quick", "execute", "lab", "references"):
        assert re.search(rf"^[*-] {session} -> .{{20,}}\.$", run.stdout, re.MULTILINE), session
