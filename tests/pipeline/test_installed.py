"""The package installed without its repository: imported and used from an empty folder."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder with the unpacked wheel, and what runs Python there without the checkout."""
    source, wheels, site, empty = (tmp_path_factory.mktemp(name) for name in ("source", "wheels", "site", "empty"))
    # A copy: what an earlier build left in the checkout would get into the wheel.
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "src", source / "src", ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-w", str(wheels), str(source)], check=True)
    (wheel,) = wheels.glob("neural_scaling-*.whl")
    zipfile.ZipFile(wheel).extractall(site)

    def run(code, **environment):
        keep = {name: value for name, value in os.environ.items() if not name.startswith("NEURAL_SCALING_")}
        result = subprocess.run(
            [sys.executable, "-c", code],
            cwd=empty,
            env={**keep, "PYTHONPATH": str(site), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        return result.stdout.strip() + result.stderr.strip()

    return run, site, empty


def test_it_is_the_wheel_that_is_imported_with_all_its_files(installed):
    run, site, _ = installed
    code = (
        "import neural_scaling, importlib.resources as r;"
        "print(neural_scaling.__file__, *(f.name for f in r.files('neural_scaling').iterdir()))"
    )
    out = run(code)
    assert out.startswith(str(site))
    assert "py.typed" in out
    assert not (site / "companion").exists()  # the book's own code stays at home


def test_it_computes(installed):
    run, _, _ = installed
    assert run("from neural_scaling.theory import chi; print(round(float(chi(0.5)), 4))") == "0.6667"


def test_without_a_checkout_there_are_no_data_and_the_error_says_what_to_do(installed, tmp_path):
    run, _, _ = installed
    assert run("from neural_scaling.base import paths; print(paths.find_data_root())") == "None"
    assert "set NEURAL_SCALING_DATA" in run("from neural_scaling.base import paths; paths.data_root()")
    code = "from neural_scaling.base import paths; print(paths.data_root())"
    assert run(code, NEURAL_SCALING_DATA=str(tmp_path)) == str(tmp_path)


def test_a_checkout_around_the_working_directory_is_found(installed):
    run, _, _ = installed
    code = (
        f"import os; os.chdir({str(ROOT / 'tests')!r}); from neural_scaling.base import paths; print(paths.data_root())"
    )
    assert run(code) == str(ROOT / "data")


def test_the_cache_is_where_the_variable_says_or_the_users(installed, tmp_path):
    run, _, _ = installed
    code = "from neural_scaling.base import paths; print(paths.cache_root())"
    assert run(code, NEURAL_SCALING_CACHE=str(tmp_path)) == str(tmp_path)
    assert "neural-scaling" in run(code)


def test_provenance_knows_no_commit(installed):
    run, _, _ = installed
    assert "commit unknown" in run("from neural_scaling.runs.provenance import commit; print('commit', commit())")
