"""What the README tells the reader to type is what is run, and the pins say the same everywhere."""

import importlib
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


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-lab.txt", "requirements-browser.txt"])
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
    for session in ("env", "book", "tests", "browser", "quick", "execute", "lab", "references"):
        assert re.search(rf"^[*-] {session} -> .{{20,}}\.$", run.stdout, re.MULTILINE), session


TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").rglob("*.md"))]


def commands(start):
    """Return the words after the start of each command of the texts, with the text."""
    found = []
    for path in TEXTS:
        text = path.read_text("utf-8").replace("\\\n", " ")
        lines = [line for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
        for line in [*lines, *re.findall(r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))]:
            found += [(path.name, words) for words in re.findall(rf"{start} ([^;&|]+)", line)]
    return found


def test_sessions_that_are_named_exist():
    sessions = set(re.findall(r"@nox\.session.*\ndef (\w+)\(", (ROOT / "noxfile.py").read_text()))
    named = commands(r"\bnox -s")
    assert len(named) > 20
    assert [(where, words) for where, words in named if words.split()[0] not in sessions] == []


@pytest.mark.parametrize("program", ["companion", "neural_scaling"])
def test_commands_that_are_named_are_understood(program, capsys):
    parser = importlib.import_module(f"{program}.cli")._parser()
    named = [(where, words) for where, words in commands(rf"python -m {program}") if "..." not in words]
    assert len(named) > 4
    for where, words in named:
        try:
            parser.parse_args(words.split())
        except SystemExit:
            pytest.fail(f"{where}: {words}: {capsys.readouterr().err}")


def test_the_way_to_install_is_the_same_wherever_it_stands():
    lines = {
        line for path in TEXTS for line in re.findall(r"^python3 -m venv .*", path.read_text("utf-8"), re.MULTILINE)
    }
    assert {line.rpartition(" ")[0] for line in lines} == {
        "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt nox && .venv/bin/nox -s"
    }


def test_counts_of_the_soak_are_those_of_its_programs():
    readme = (ROOT / "README.md").read_text()
    kills = re.search(r'TEST_KILLS="(\d+)"', (ROOT / "noxfile.py").read_text())[1]
    inputs, settings = (
        re.search(r"^COUNT = (\d+)", (ROOT / "tests" / name).read_text(), re.MULTILINE)[1]
        for name in ("fuzz_inputs.py", "random_settings.py")
    )
    for count in (f"kinds {kills} times", f"{inputs} bad inputs", f"{settings} random settings"):
        assert count in readme


def test_the_page_on_data_has_the_counts_of_the_records():
    from neural_scaling.data import records

    text = (ROOT / "book" / "datasets.md").read_text("utf-8")
    text = re.sub(r"(?<=\d) (?=\d{3})", "", text)  # 60 000 is 60000
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*)$", text, re.MULTILINE)[::-1])  # the first table counts
    counts = {
        record.name: f"{record.train} + {record.test}" for record in records() if record.name.split("-")[0] != "c4"
    }
    name_of = {name: name.removesuffix("-small").removesuffix("-reduced").removesuffix("-full") for name in counts}
    assert set(name_of.values()) == rows.keys() - {"c4"}  # that one is in billions
    assert [name for name, count in counts.items() if count not in rows[name_of[name]]] == []
