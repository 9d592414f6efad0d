"""The command line and the functions behind it, on a dataset made here."""

from dataclasses import replace

import pytest

from images.tiny import record_of, tiny_arrays
from neural_scaling import cli
from neural_scaling.base.checks import InputError
from neural_scaling.base.paths import checkout
from neural_scaling.data import catalogue, command_line, load, loading
from neural_scaling.data.loading import Entry
from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.sources import Source, build_from

TINY = tiny_arrays()
RECORD = record_of(TINY)


def broken(downloads, say):
    raise SourceFailed("no connection")


@pytest.fixture(autouse=True)
def entries(monkeypatch, root):
    made = record_of(TINY, "made-small", known=False)
    missing = record_of(TINY, "missing")
    here = Source("memory", lambda downloads, say: TINY)
    entries = {
        "tiny": {None: Entry(RECORD, build_from(RECORD, [here], ""))},
        "made": {"small": Entry(made, build_from(made, [here], ""))},
        "missing": {None: Entry(missing, build_from(missing, [Source("a mirror", broken)], "Connect."))},
    }
    monkeypatch.setattr(loading, "ENTRIES", entries)
    return root


def run(capsys, *words):
    status = cli.main(["data", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_dataset_is_fetched_listed_verified_and_located(capsys, root):
    assert run(capsys, "tiny")[:2] == (0, f"tiny: 120 + 30 images in {root / 'tiny'}\n")
    assert run(capsys, "made", "--size", "small")[1] == f"made-small: 120 + 30 images in {root / 'made-small'}\n"
    assert run(capsys, "path", "made-small")[1] == f"{root / 'made-small'}\n"
    status, table, _ = run(capsys, "list")
    assert status == 0 and [line.split()[0] for line in table.splitlines()[1:]] == [
        "tiny",
        "made-small",
        "missing",
        "folder:",
    ]
    assert "120 + 30" in table and "yes" in table and str(root) in table
    status, told, _ = run(capsys, "list", "tiny")
    assert "none needed" in told and "from memory" in told
    status, told, _ = run(capsys, "verify", "tiny")
    assert told.endswith("tiny: every byte is that of the original\n") and RECORD.sha256[0] in told
    status, told, _ = run(capsys, "verify")
    assert "made-small: every byte is as it was written\n" in told
    assert run(capsys, "path", "made", "--size", "small")[1] == f"{root / 'made-small'}\n"


def test_another_version_is_named_and_made_anew(capsys, root, monkeypatch):
    run(capsys, "made", "--size", "small")
    other = replace(loading.ENTRIES["made"]["small"], version=lambda: "other")
    monkeypatch.setitem(loading.ENTRIES["made"], "small", other)
    assert (
        "of another version" in run(capsys, "list")[1] and "of another version" in run(capsys, "list", "made-small")[1]
    )
    assert run(capsys, "verify")[1] == "made-small: of another version than would be made now\n"
    status, _, error = run(capsys, "verify", "made-small")
    assert status == 2 and "is of another version; load it, which makes it anew" in error
    run(capsys, "made-small")
    assert "yes" in run(capsys, "list")[1] and run(capsys, "verify", "made-small")[0] == 0


def test_damage_is_one_clear_error_and_force_mends_it(capsys, root):
    run(capsys, "tiny")
    path = root / "tiny" / "train_labels.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x0a")
    for words in (["tiny"], ["verify", "tiny"]):
        status, _, error = run(capsys, *words)
        assert status == 2 and error.startswith(
            f"error: {path}: its sha256 is not what was written; build the dataset anew with"
        )
    assert run(capsys, "tiny", "--force")[0] == 0
    assert run(capsys, "verify", "tiny")[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["missing"],
            "error: missing could not be fetched from any source:\n  1. a mirror: no connection\nConnect. Then run",
        ),
        (["nothing"], "error: name: there is no dataset 'nothing'; use one of tiny, made, missing."),
        (["made"], "error: size: made has no size None; give one of small."),
        (["made-large"], "error: name: there is no dataset 'made-large'"),
        (["tiny", "--size", "small"], "error: size: tiny has no size 'small'; leave it out."),
        (["path"], "error: data: got 'path'; use 'data NAME'"),
        (["tiny", "made"], "error: data: got 'tiny made'; use"),
        (["verify", "tiny"], "error: name: tiny is not in"),
    ],
)
def test_errors_say_what_to_do(capsys, words, message):
    status, _, error = run(capsys, *words)
    assert status == 2 and message in error and "Traceback" not in error


def test_ctrl_c_is_no_traceback(capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(command_line, "obtain", interrupted)
    assert run(capsys, "tiny") == (130, "", "tiny: interrupted; the same command goes on from there.\n")


def test_load_is_what_the_notebooks_use(said):
    dataset = load("tiny", say=said.append)
    assert dataset.name == "tiny" and len(dataset.train) == 120
    with pytest.raises(InputError, match="there is no dataset"):
        load("nothing")


def test_the_catalogue_is_complete(monkeypatch):
    monkeypatch.undo()
    for record in loading.records():
        assert record.title and record.licence and record.citation and record.obtained
        assert len(record.sha256) in (0, 4) and all(len(checksum) == 64 for checksum in record.sha256)
    assert catalogue.MNIST.size == 70_000 * 785
    page = (checkout() / "book" / "datasets.md").read_text("utf-8")
    for name in loading.ENTRIES:
        assert f"| `{name}` |" in page
