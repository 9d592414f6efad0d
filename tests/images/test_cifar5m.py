"""CIFAR-5M in miniature: parts of the same schema from a server on this machine."""

import io
import json
import zipfile

import numpy as np
import pytest

from images.tiny import record_of
from neural_scaling.data import cifar5m, folders, formats
from neural_scaling.data.cifar5m import Parts
from neural_scaling.data.problems import DatasetDamaged, DatasetUnavailable, SourceFailed

ROWS, TRAIN_PARTS, TEST = 40, 3, 15


def part(seed, compressed=False, **changes):
    generator = np.random.default_rng(seed)
    arrays = {
        "X": generator.integers(256, size=(ROWS, 32, 32, 3), dtype=np.uint8),
        "Y": generator.integers(10, size=ROWS),
    } | changes
    buffer = io.BytesIO()
    (np.savez_compressed if compressed else np.savez)(buffer, **arrays)
    return buffer.getvalue(), arrays


CONTENTS, ARRAYS = zip(*(part(seed, compressed=seed == 1) for seed in range(TRAIN_PARTS + 1)), strict=True)
EXPECTED = (
    np.concatenate([arrays["X"] for arrays in ARRAYS[:-1]]),
    np.concatenate([arrays["Y"] for arrays in ARRAYS[:-1]]).astype(np.uint8),
    ARRAYS[-1]["X"][:TEST],
    ARRAYS[-1]["Y"][:TEST].astype(np.uint8),
)
RECORD = record_of(EXPECTED, "parts", known=False)


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(cifar5m, "_PIECE", 7)


@pytest.fixture
def make(server, root, said):
    server.files = {f"part{number}.npz": content for number, content in enumerate(CONTENTS)}
    parts = Parts(RECORD, server.address, TRAIN_PARTS)
    return lambda **more: folders.create(root, RECORD, parts.build, said.append, resumable=True, **more)


def assert_right(folder):
    dataset = folders.read(folder, RECORD)
    found = (dataset.train.images, dataset.train.labels, dataset.test.images, dataset.test.labels)
    for one, other in zip(found, EXPECTED, strict=True):
        np.testing.assert_array_equal(one, other)
    folders.verify(folder, RECORD)


def downloads(root):
    folder = root / "downloads"
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_parts_become_one_array(make, root, server):
    folder = make()
    assert_right(folder)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [
            "checked.json",
            "record.json",
            *(f"{name}.npy" for name in ("train_images", "train_labels", "test_images", "test_labels")),
        ]
    )
    assert downloads(root) == ["parts-parts.json"]
    assert len(server.asked) == TRAIN_PARTS + 1  # each part once


def test_an_interruption_between_parts_is_taken_up(make, root, server, said):
    last = server.files.pop("part2.npz")
    with pytest.raises(DatasetUnavailable, match="answered 404"):
        make()
    assert not (root / "parts").exists()
    server.files["part2.npz"] = last
    server.asked.clear()
    assert_right(make())
    assert [name for name, _ in server.asked] == ["part2.npz", "part3.npz"]


def test_a_process_killed_while_checking_the_whole_fetches_nothing_again(make, root, server, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(folders, "_finish", killed)
        with pytest.raises(KeyboardInterrupt):
            make()
    server.asked.clear()
    assert_right(make())
    assert server.asked == []


def test_what_was_appended_of_an_unfinished_part_is_dropped(make, root, server):
    last = server.files.pop("part2.npz")
    with pytest.raises(DatasetUnavailable):
        make()
    with (root / ".parts.building" / "train_images.npy").open("ab") as file:
        file.write(b"piece of a part")
    server.files["part2.npz"] = last
    assert_right(make())


def test_lost_images_are_made_again(make, root, server):
    last = server.files.pop("part2.npz")
    with pytest.raises(DatasetUnavailable):
        make()
    with (root / ".parts.building" / "train_images.npy").open("r+b") as file:
        file.truncate(1000)
    server.files["part2.npz"] = last
    assert_right(make())


def test_the_first_copy_of_a_part_is_the_one_that_counts(make, root, server):
    make()
    known = json.loads((root / "downloads" / "parts-parts.json").read_text())
    assert sorted(known) == [f"part{number}.npz" for number in range(TRAIN_PARTS + 1)]
    server.files["part1.npz"] = part(99)[0]
    with pytest.raises(
        DatasetUnavailable, match=r"part1.npz is not the file that came first .*remove .*parts-parts.json"
    ):
        make(force=True)
    assert_right(root / "parts")  # what was there is intact
    (root / "downloads" / "parts-parts.json").unlink()
    make(force=True)
    assert folders.read(root / "parts", RECORD).train.labels[ROWS] == part(99)[1]["Y"][0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"X": np.zeros((ROWS, 32, 32), np.uint8)}, r"X is uint8 of shape \(40, 32, 32\) instead"),
        ({"X": np.zeros((ROWS, 32, 32, 3), np.float32)}, "X is float32"),
        ({"X": np.zeros((ROWS - 1, 32, 32, 3), np.uint8)}, r"shape \(39, 32, 32, 3\) instead"),
        ({"X": np.asfortranarray(np.zeros((ROWS, 32, 32, 3), np.uint8))}, "not stored as plain numbers in C order"),
        ({"Y": np.full(ROWS, 10)}, "labels from 10 to 10"),
        ({"Y": np.full(ROWS, -1)}, "labels from -1 to -1"),
        ({"Y": np.zeros(ROWS)}, "Y is float64"),
        ({"Y": np.zeros(3, int)}, r"Y is int64 of shape \(3,\)"),
        ({"Y": np.array(["a"] * ROWS, object)}, "not stored as plain numbers"),
    ],
)
def test_parts_of_another_schema_are_refused(make, root, server, changes, reason):
    server.files["part0.npz"] = part(0, **changes)[0]
    with pytest.raises(DatasetUnavailable, match=reason):
        make()
    assert not (root / "parts").exists()


def flipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        at = archive.getinfo("X.npy").header_offset + 5000
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-30], flipped, lambda content: b"", lambda content: b"html"]
)
def test_damaged_parts_are_refused(make, root, server, damage):
    server.files["part1.npz"] = damage(CONTENTS[0])
    with pytest.raises(DatasetUnavailable, match=r"part1.npz: . cannot be read"):
        make()
    assert downloads(root) == ["parts-parts.json"]  # no part, or it would be taken for the whole one next time
    server.files["part1.npz"] = CONTENTS[1]
    assert_right(make())


def test_damage_on_disk_is_found(make):
    folder = make()
    with (folder / "train_images.npy").open("r+b") as file:
        file.seek(20_000)
        file.write(b"x")
    with pytest.raises(DatasetDamaged, match="sha256 is not what was written"):
        folders.verify(folder, RECORD)


def test_a_full_disk_keeps_finished_parts_only(make, root, full_disk):
    with pytest.raises(OSError, match="free space on that disk"):
        make()
    assert not (root / "parts").exists()
    assert downloads(root) == []


def test_without_a_network_the_stand_in_is_named(root, said, nowhere):
    parts = Parts(RECORD, nowhere, TRAIN_PARTS)
    with pytest.raises(
        DatasetUnavailable, match=r"no connection to(.|\n)*or use the stand-in, cifar10 with random crops and flips"
    ):
        folders.create(root, RECORD, parts.build, said.append, resumable=True)
    assert sorted(path.name for path in root.iterdir() if path.suffix != ".lock") == ["downloads"]


def test_damage_inside_a_compressed_member_is_a_failed_source(tmp_path):
    path = tmp_path / "part.npz"
    # Grey values in few levels: random bytes would be stored as they are, and only their checksum would be wrong.
    grey = np.random.default_rng(0).integers(4, size=(ROWS, 32, 32, 3), dtype=np.uint8)
    content = bytearray(part(0, compressed=True, X=grey)[0])
    content[80:120] = bytes([255]) * 40  # in the tables of codes that the stream begins with
    path.write_bytes(content)
    with (
        pytest.raises(SourceFailed, match=r"part\.npz: X cannot be read \(Error -3"),
        formats.npz_member(path, "X") as (_, _, read),
    ):
        read(ROWS)
