"""The shared environment: one line where it cannot be, nothing to do when it is there, repair after a kill."""

import shutil
import sys
from pathlib import Path

import pytest

from bookkit import environment

ROOT = Path(__file__).resolve().parents[2]


class Killed(BaseException):
    """Stands for a kill in the middle of a command."""


@pytest.fixture
def checkout(tmp_path):
    for name in environment.LOCKED:
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


class Commands:
    """Pretends to run commands; makes the environment when told to, and is killed at a chosen one."""

    def __init__(self, root, killed_at=None):
        self.root, self.killed_at, self.seen = root, killed_at, []

    def __call__(self, command):
        self.seen.append(" ".join(command))
        if self.killed_at == len(self.seen):
            raise Killed
        if "venv" in command:
            python = environment.interpreter(self.root / ".venv")
            python.parent.mkdir(parents=True)
            python.symlink_to(sys.executable)
            (self.root / ".venv" / "pyvenv.cfg").write_text("")


@pytest.mark.parametrize("version", [(3, 11), (3, 12), (3, 13)])
@pytest.mark.parametrize("machine", [("linux", "x86_64"), ("darwin", "arm64"), ("win32", "AMD64")])
def test_supported(version, machine):
    assert environment.refusal(version, *machine) is None


@pytest.mark.parametrize(
    "case", [((3, 10), "linux", "x86_64"), ((3, 14), "linux", "x86_64"), ((3, 11), "darwin", "x86_64")]
)
def test_unsupported_gives_one_line_with_a_remedy(case):
    line = environment.refusal(*case)
    assert line is not None and "\n" not in line
    assert "is not supported: " in line


def test_a_cold_start_makes_it_and_a_warm_one_does_nothing(checkout):
    commands = Commands(checkout)
    assert environment.ensure(checkout, commands, say=lambda line: None)
    assert "-m venv" in commands.seen[0]
    assert "-r" in commands.seen[1] and "-c" in commands.seen[1]
    assert "--editable" in commands.seen[2]
    again = Commands(checkout)
    assert not environment.ensure(checkout, again, say=lambda line: None)
    assert again.seen == []


@pytest.mark.parametrize("name", environment.LOCKED)
def test_a_changed_lock_installs_again(checkout, name):
    environment.ensure(checkout, Commands(checkout), say=lambda line: None)
    with (checkout / name).open("a") as file:
        file.write("\n# changed\n")
    again = Commands(checkout)
    assert environment.ensure(checkout, again, say=lambda line: None)
    assert len(again.seen) == 2  # the environment itself stays


@pytest.mark.parametrize("killed_at", [1, 2, 3])
def test_a_killed_start_is_repaired_by_the_next(checkout, killed_at):
    with pytest.raises(Killed):
        environment.ensure(checkout, Commands(checkout, killed_at), say=lambda line: None)
    assert not environment.is_current(checkout / ".venv", environment.fingerprint(checkout))
    commands = Commands(checkout)
    assert environment.ensure(checkout, commands, say=lambda line: None)
    assert any("-r" in command for command in commands.seen)
    assert environment.is_current(checkout / ".venv", environment.fingerprint(checkout))


def test_a_half_made_environment_is_made_anew(checkout, a_venv):
    said = []
    commands = Commands(checkout)
    environment.ensure(checkout, commands, say=said.append)  # its interpreter is an empty file
    assert "-m venv" in commands.seen[0]
    assert "the environment .venv is not whole: making it anew" in said


def test_whole_packages_stay_and_half_installed_ones_go(a_venv, add_package):
    no_record = add_package(a_venv, "gamma")
    (no_record / "RECORD").unlink()
    lost_file = add_package(a_venv, "delta")
    (lost_file.parent / "delta.py").unlink()
    (lost_file.parent / "~epsilon").mkdir()
    assert sorted(environment.clear_partial_installs(a_venv)) == [
        "delta-1.0.dist-info",
        "gamma-1.0.dist-info",
        "~epsilon",
    ]
    left = sorted(path.name for path in lost_file.parent.glob("*.dist-info"))
    assert left == ["alpha-1.0.dist-info", "beta-1.0.dist-info"]
    assert environment.clear_partial_installs(a_venv) == []


def test_a_failing_installer_is_one_clear_line(checkout):
    with pytest.raises(environment.EnvironmentProblem, match="run the same command again"):
        environment._run([sys.executable, "-c", "raise SystemExit(3)"])


def test_more_packages_are_installed_once(checkout, a_venv):
    (checkout / "requirements-lab.txt").write_text("jupyterlab\n")
    commands = Commands(checkout)
    assert environment.ensure_extra(checkout, "requirements-lab.txt", commands)
    assert not environment.ensure_extra(checkout, "requirements-lab.txt", commands)
    assert len(commands.seen) == 1
