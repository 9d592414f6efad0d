"""Datasets on disk: whole or absent whatever happens, damage named, built once by many processes."""

import errno
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from images import tiny as tiny_module
from images.tiny import record_of, tiny_arrays
from neural_scaling.data import folders
from neural_scaling.data.images import ImageDataset
from neural_scaling.data.problems import DatasetDamaged, SourceFailed

TINY = tiny_arrays()
ARRAYS = record_of(TINY).arrays


def build(folder, downloads, say):
    (downloads / "fetched.bin").write_bytes(b"12")
    for name, array in zip(ARRAYS, TINY, strict=True):
        folders.write_array(folder / f"{name}.npy", array.shape, np.array_split(array, 3))
    return "a test"


def names(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if not path.name.endswith(".lock"))


WHOLE = sorted(["downloads", "tiny", "tiny/checked.json", "tiny/record.json", *(f"tiny/{name}.npy" for name in ARRAYS)])
#: What was fetched whole is of use to the next call.
DOWNLOADED = ["downloads/tiny", "downloads/tiny/fetched.bin"]


def test_a_dataset_is_what_was_put_in(root, said):
    record = record_of(TINY)
    dataset = folders.read(folders.create(root, record, build, said.append), record)
    parts = (dataset.train.images, dataset.train.labels, dataset.test.images, dataset.test.labels)
    for found, expected in zip(parts, TINY, strict=True):
        np.testing.assert_array_equal(found, expected)
    assert names(root) == WHOLE  # what was fetched on the way is gone
    assert isinstance(dataset.train.images.base, np.memmap) and not dataset.train.images.flags.writeable
    assert (len(dataset.train), len(dataset.test)) == (120, 30)
    # float32 sums of 1e5 numbers
    normal = dataset.normalised(dataset.train.images)
    assert normal.dtype == np.float32 and abs(normal.mean()) < 1e-5 and abs(normal.std() - 1) < 1e-5
    assert list(folders.verify(root / "tiny", record).values()) == list(record.sha256)
    assert json.loads((root / "tiny" / "record.json").read_text())["origin"] == "a test"


def test_it_is_built_once_and_again_when_forced_or_of_another_version(root, said):
    record, calls = record_of(TINY), []

    def counted(*arguments):
        calls.append(arguments)
        return build(*arguments)

    for _ in range(2):
        folders.create(root, record, counted, said.append)
    assert len(calls) == 1
    folders.create(root, record, counted, said.append, force=True)
    assert len(calls) == 2
    folders.create(root, replace(record, version="2"), counted, said.append)
    assert len(calls) == 3 and "another version" in " ".join(said)
    assert names(root) == WHOLE


def test_what_a_killed_process_left_is_cleared_away(root, said):
    for left in ("downloads/tiny/.fetch-abc/half.tgz", "downloads/tiny/tmpabc", ".tiny.building/.train_images.npy.abc"):
        (root / left).parent.mkdir(parents=True, exist_ok=True)
        (root / left).write_bytes(b"half")
    folders.create(root, record_of(TINY), build, said.append, resumable=True)
    assert names(root) == WHOLE


def test_a_process_killed_between_two_renames_loses_nothing(root, said):
    record = record_of(TINY)
    (folders.create(root, record, build, said.append)).rename(root / ".tiny.old")
    assert folders.state(root / "tiny", record) == "missing"
    folders.create(root, record, lambda *_: pytest.fail("was built"), said.append)
    assert folders.state(root / "tiny", record) == "whole" and names(root) == WHOLE
    # And between the second rename and the end.
    shutil.copytree(root / "tiny", root / ".tiny.old")
    folders.create(root, record, build, said.append, force=True)
    assert names(root) == WHOLE


@pytest.mark.parametrize("problem", [SourceFailed("nothing"), KeyboardInterrupt(), RuntimeError("no")])
def test_a_failure_leaves_nothing_and_what_was_there_intact(root, said, problem):
    def failing(folder, downloads, say):
        build(folder, downloads, say)
        raise problem

    for force in (False, True):
        with pytest.raises(type(problem)):
            folders.create(root, record_of(TINY), failing, said.append, force=force)
        assert [name for name in names(root) if "tiny" in name] == [*DOWNLOADED, *(WHOLE[1:] if force else [])]
        folders.create(root, record_of(TINY), build, said.append)


@pytest.mark.parametrize("wrong", ["shape", "label", "checksum"])
def test_arrays_that_are_not_those_of_the_catalogue_are_refused(root, said, wrong):
    arrays = [array.copy() for array in TINY]
    if wrong == "shape":
        arrays[0] = arrays[0][:-1]
    elif wrong == "label":
        arrays[1][5] = 10
    else:
        arrays[2][0, 3, 3, 0] ^= 1
    with pytest.raises(SourceFailed, match=r"instead of|out of range|not the original"):
        folders.check_arrays(record_of(TINY), *arrays)


def test_a_full_disk_leaves_nothing(root, said, full_disk):
    with pytest.raises(OSError, match=r"could not be written .*free space on that disk or name another folder"):
        folders.create(root, record_of(TINY), build, said.append)
    assert [name for name in names(root) if "tiny" in name] == DOWNLOADED


@pytest.mark.parametrize(
    ("resumable", "left"), [(True, "what is done is kept and continued"), (False, "nothing half-written is left")]
)
def test_a_disk_that_fills_up_is_told_with_what_is_left(root, said, resumable, left):
    def filling(folder, downloads, say):
        (folder / "train_images.npy").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match=f"another folder in NEURAL_SCALING_DATASETS; {left}"):
        folders.create(root, record_of(TINY), filling, said.append, resumable=resumable)
    assert (root / ".tiny.building" / "train_images.npy").exists() is resumable


def test_too_small_a_disk_is_noticed_before_anything_is_fetched(root, said, monkeypatch):
    usage = shutil.disk_usage(".")
    monkeypatch.setattr(folders.shutil, "disk_usage", lambda _: usage._replace(free=1000))
    with pytest.raises(OSError, match="free space on that disk, or name another folder in NEURAL_SCALING_DATASETS"):
        folders.create(root, record_of(TINY), lambda *_: pytest.fail("was built"), said.append)


def test_a_folder_that_cannot_be_written_is_named(tmp_path, said):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        folders.create(tmp_path / "file" / "datasets", record_of(TINY), build, said.append)


@settings(max_examples=40)
@given(data=st.data())
def test_damage_is_named_or_harmless(tmp_path_factory, data):
    root, record = tmp_path_factory.mktemp("datasets"), record_of(TINY)
    folder = folders.create(root, record, build, lambda line: None)
    path = folder / data.draw(st.sampled_from(sorted(os.listdir(folder))))
    content = path.read_bytes()
    action = data.draw(st.sampled_from(["flip", "truncate", "remove", "empty", "extend"]))
    at = data.draw(st.integers(0, len(content) - 1))
    if action == "remove":
        path.unlink()
    else:
        flipped = content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]
        path.write_bytes({"flip": flipped, "truncate": content[:at], "empty": b"", "extend": content + b"\0"}[action])
    try:
        folders.read(folder, record)
        folders.verify(folder, record)
    except DatasetDamaged as error:
        assert str(path) in str(error) or path.name == "record.json"
        assert "python -m neural_scaling data tiny --force" in str(error)
    else:  # only what the record says about itself, or a space in a header, may differ unnoticed
        # What was last found right may be lost: it is looked at again.
        assert path.name == "checked.json" or (action == "flip" and (path.name == "record.json" or at < 128))
        dataset = folders.read(folder, record)
        np.testing.assert_array_equal(dataset.train.images, TINY[0])
        np.testing.assert_array_equal(dataset.test.labels, TINY[3])


def test_missing_or_short_files_are_noticed_when_it_is_opened(root, said):
    record = record_of(TINY)
    folder = folders.create(root, record, build, said.append)
    with (folder / "train_images.npy").open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(DatasetDamaged, match=r"train_images.npy: it has 5000 bytes instead of 94208"):
        folders.read(folder, record)


def test_bytes_that_change_are_noticed_and_others_compared_once(root, said, monkeypatch):
    record, compared = record_of(TINY), []
    folder = folders.create(root, record, build, said.append)
    monkeypatch.setattr(
        folders, "array_sha256", lambda array: compared.append(array.shape) or tiny_module.array_sha256(array)
    )
    folders.read(folder, record)
    assert not compared  # they are as they were written
    (folder / "checked.json").unlink()
    for _ in range(2):
        folders.read(folder, record)
    assert len(compared) == 4
    path = folder / "test_images.npy"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    for _ in range(2):
        with pytest.raises(DatasetDamaged, match=r"test_images.npy: its sha256 is not what was written"):
            folders.read(folder, record)
    path.write_bytes(content)
    np.testing.assert_array_equal(folders.read(folder, record).test.images, TINY[2])


def test_a_long_comparison_is_said(root, said, monkeypatch):
    record = record_of(TINY)
    folder = folders.create(root, record, build, lambda line: None)
    (folder / "checked.json").unlink()
    monkeypatch.setattr(folders, "_LARGE", 1000)
    for _ in range(2):
        folders.read(folder, record, said.append)
    assert said == ["tiny: comparing 0.0 GB with their checksums, once"]


def test_stored_labels_out_of_range_are_refused(root, said):
    record = record_of(TINY, known=False)
    folder = folders.create(root, record, build, said.append)
    fewer = replace(record, classes=tuple("01234"))
    with pytest.raises(DatasetDamaged, match=r"train: has the label 9; name 10 classes"):
        folders.read(folder, fewer)
    (folder / "checked.json").unlink()
    with pytest.raises(DatasetDamaged, match="labels out of range"):
        folders.read(folder, fewer)


def test_a_root_that_cannot_be_made_is_named_with_what_to_do(said):
    remedy = r"/proc/nohome/datasets could not be written .*another folder in NEURAL_SCALING_DATASETS"
    with pytest.raises(OSError, match=remedy):
        folders.create(Path("/proc/nohome/datasets"), record_of(TINY), build, said.append)


BUILDER = """
import os, signal, sys, time
from pathlib import Path
from images.tiny import record_of, tiny_arrays
from images.test_store import build
from neural_scaling.data import folders

def slow(folder, downloads, say):
    with Path(sys.argv[2]).open("a") as file:
        file.write("x")
    origin = build(folder, downloads, say)
    if sys.argv[3] == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.5)
    return origin

folders.create(Path(sys.argv[1]), record_of(tiny_arrays()), slow, print)
"""


def start(root, counter, how):
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(["tests", *filter(None, [os.environ.get("PYTHONPATH")])]),
    }
    command = [sys.executable, "-c", BUILDER, str(root), str(counter), how]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.long
@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")
def test_a_killed_process_leaves_no_dataset_and_the_next_makes_it(root, tmp_path, said):
    process = start(root, tmp_path / "counter", "kill")
    process.communicate()
    assert process.returncode == -9
    assert not (root / "tiny").exists()
    folders.create(root, record_of(TINY), build, said.append)
    assert [name for name in names(root) if "tiny" in name] == WHOLE[1:]


@pytest.mark.long
def test_processes_side_by_side_build_it_once(root, tmp_path):
    processes = [start(root, tmp_path / "counter", "wait") for _ in range(3)]
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    assert (tmp_path / "counter").read_text() == "x"
    assert isinstance(folders.read(root / "tiny", record_of(TINY)), ImageDataset)
