"""What goes wrong at the terminal is said in one line with what to do, without a traceback."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bookkit import commands

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def error(project, capsys):
    """Run a command on the tiny project and return what it says on standard error, one line."""

    def said(*arguments):
        with pytest.raises(SystemExit) as stop:
            raise SystemExit(commands.main(["--root", str(project.root), *arguments]))
        assert stop.value.code in (1, 2)
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1 and shown.startswith("error: ")
        return shown

    return said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["execute", "tiny", "--workers", "0"], "argument --workers: got '0'; give a positive whole number"),
        (["execute", "tiny", "--workers", "two"], "argument --workers: got 'two'; give a positive whole number"),
        (["execute", "tiny", "--engine", "gpu"], "argument --engine: invalid choice: 'gpu' (choose from "),
        (["execute", "tiny", "--scheduler", "tcp://h:1"], "--scheduler belongs to --engine dask. Add it."),
        (["execute", "tony"], "unknown item 'tony'. Did you mean 'tiny'? Valid: tiny."),
        (["execute", "tiny", "--scale", "reduced"], "unknown scale of tiny 'reduced'. Valid: full, small."),
        (["execute", "tiny", "-p", "scale", "full"], "parameter 'scale' alone changes no value. Give --scale full."),
        (
            ["execute", "tiny", "-p", "power", "[]"],
            "the command line for tiny: power: got []; give a positive finite number.",
        ),
        (["references", "tony"], "unknown item 'tony'."),
        (["build"], "argument command: invalid choice: 'build'"),
    ],
)
def test_words_that_are_none(error, words, expected):
    assert expected in error(*words)


def test_a_missing_root(capsys, tmp_path):
    assert commands.main(["--root", str(tmp_path / "none"), "check"]) == 1
    expected = (
        f"error: there is no checkout at {tmp_path / 'none'}. Give the folder that holds notebooks/ after --root.\n"
    )
    assert capsys.readouterr().err == expected


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a working directory cannot be deleted")
def test_a_deleted_working_directory(tmp_path):
    script = f"import os, shutil; os.chdir({str(tmp_path)!r}); shutil.rmtree({str(tmp_path)!r}); import runpy, sys\n"
    script += (
        f"sys.argv = ['book.py', 'check']; runpy.run_path({str(ROOT / 'tools' / 'book.py')!r}, run_name='__main__')"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment(), check=False)
    assert (run.returncode, run.stderr) == (1, "error: the working directory was deleted. Change to one that exists.\n")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="pipes break otherwise")
def test_a_closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, str(ROOT / "tools" / "book.py"), "--help"]
    run = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True, env=environment(), check=False)
    os.close(writing)
    said = "error: nobody reads the output any more. Run it again with the output in a file.\n"
    assert (run.returncode, run.stderr) == (1, said)


@pytest.fixture
def with_page(project):
    """The tiny project with a real page beside it."""
    shutil.copy(ROOT / "notebooks" / "fig10.py", project.notebooks / "fig10.py")
    return project


@pytest.mark.long
def test_a_wrong_parameter_is_one_line_in_the_kernel_too(with_page, capsys):
    assert commands.main(["--root", str(with_page.root), "execute", "fig10", "-p", "quoted", "0.3"]) == 1
    assert capsys.readouterr().err == "error: fig10 small: quoted: got 0.3; use one of sources: 0.2, 0.4, 0.8, 1.1.\n"


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="there is no such home")
def test_a_home_that_cannot_be_written(project, monkeypatch, capsys):
    monkeypatch.setenv("HOME", "/proc/nohome")
    for name in (
        "NEURAL_SCALING_CACHE",
        "NEURAL_SCALING_DATASETS",
        "XDG_CACHE_HOME",
        "IPYTHONDIR",
        "JUPYTER_RUNTIME_DIR",
    ):
        monkeypatch.delenv(name, raising=False)
    assert commands.main(["--root", str(project.root), "execute", "tiny"]) == 0
    source = project.notebooks / "tiny.py"
    kept = (
        "from neural_scaling.models.runs import InfiniteLimitRun\nfrom neural_scaling.runs import obtain\n"
        'obtain(InfiniteLimitRun(1.5, 0.4, 50, 0.1, 1.0, 20), "tiny", scale)\n'
    )
    source.write_text(source.read_text().replace("import os\n", kept))
    capsys.readouterr()
    assert commands.main(["--root", str(project.root), "execute", "tiny", "--scale", "full"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: tiny full: ") and "/proc/nohome" in said and "NEURAL_SCALING_CACHE" in said
    assert said.count("\n") == 1


def environment():
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    return {**buffered, "PYTHONPATH": os.pathsep.join([str(ROOT / "tools"), str(ROOT / "src")])}
