"""C4 in miniature: files of its schema, through the library where it is installed and through a stand-in everywhere."""

import gzip
import json
import sys
import types
from dataclasses import replace

import numpy as np
import pytest

from neural_scaling.data import TextRecord, catalogue, folders
from neural_scaling.data.problems import DatasetUnavailable, SourceFailed
from neural_scaling.data.text import c4
from neural_scaling.data.text.c4 import Position, Streamed, documents
from text.tiny import sentence, small_tokenizer

TEXTS = [[sentence((file, number), 5 + number) for number in range(7 + file)] for file in range(3)]
HELD_OUT = [sentence((9, number), 40) for number in range(5)]


class Stream(list):
    """What the library returns, as far as it is used."""

    def skip(self, count):
        return Stream(self[count:])


def read(kind, data_files, split, streaming, features):
    assert (kind, split, streaming, sorted(features)) == ("json", "train", True, ["text", "timestamp", "url"])
    with gzip.open(data_files[0], "rt", encoding="utf-8") as file:
        return Stream(json.loads(line) for line in file)


@pytest.fixture
def stand_in(monkeypatch):
    module = types.ModuleType("datasets")
    module.Features, module.Value, module.load_dataset = dict, str, read
    monkeypatch.setitem(sys.modules, "datasets", module)


@pytest.fixture(params=["stand-in", "library"])
def library(request, monkeypatch, tmp_path):
    if request.param == "stand-in":
        request.getfixturevalue("stand_in")
        return
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("datasets", reason="the extra c4 is not installed")


def write(path, texts):
    rows = [
        {"text": text, "timestamp": "2019-04-25T12:57:54Z", "url": f"https://example.org/{number}"}
        for number, text in enumerate(texts)
    ]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    return str(path)


@pytest.fixture
def files(tmp_path):
    return tuple(write(tmp_path / f"c4-{number}.json.gz", texts) for number, texts in enumerate(TEXTS))


def expected(texts, count):
    """Tokens cut at ``count``, and the lengths of the documents that have any."""
    parts = small_tokenizer().encode_all(texts)
    lengths, room = [], count
    for part, text in zip(parts, texts, strict=True):
        if room > 0:
            lengths.append((min(len(part), room), len(text)))
            room -= len(part)
    return np.concatenate(parts)[:count], np.array(lengths)


ALL = [text for texts in TEXTS for text in texts]
COUNT = sum(map(len, small_tokenizer().encode_all(ALL))) - 11
RECORD = TextRecord(
    name="little-c4",
    title="a little of it",
    train=COUNT,
    test=100,
    vocabulary=400,
    licence="none needed",
    citation="nobody",
    obtained=("made here",),
)


@pytest.fixture
def make(root, files, tmp_path, monkeypatch, said):
    monkeypatch.setattr(c4, "_CHUNK", 4)
    streamed = Streamed(RECORD, files, (write(tmp_path / "validation.json.gz", HELD_OUT),), small_tokenizer())
    return lambda **changes: folders.create(
        root, RECORD, replace(streamed, **changes).build, said.append, resumable=True
    )


def assert_right(folder):
    for part, texts, count in (("train", ALL, COUNT), ("test", HELD_OUT, 100)):
        tokens, lengths = expected(texts, count)
        np.testing.assert_array_equal(np.load(folder / f"{part}_tokens.npy"), tokens)
        np.testing.assert_array_equal(np.load(folder / f"{part}_lengths.npy"), lengths)
    folders.verify(folder, RECORD)
    dataset = folders.read(folder, RECORD)
    assert (len(dataset.train), len(dataset.test), dataset.vocabulary) == (COUNT, 100, 400)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        ["checked.json", "record.json", *(f"{name}.npy" for name in RECORD.arrays)]
    )


def test_texts_come_in_order_with_positions(library, files):
    found = list(documents(files))
    assert [text for text, _ in found] == ALL
    assert found[6][1] == Position(0, 7) and found[7][1] == Position(1, 1)


def test_from_any_position_the_rest_comes(library, files):
    positions = [Position(), *(position for _, position in documents(files))]
    for taken in (0, 3, 7, 8, 14, 15, 24):
        assert [text for text, _ in documents(files, positions[taken])] == ALL[taken:]


def test_files_before_the_position_are_not_read(stand_in, files):
    found = documents(("nowhere.json.gz", *files[1:]), Position(1, 6))
    assert [text for text, _ in found] == [*TEXTS[1][6:], *TEXTS[2]]


def test_tokens_are_those_of_the_documents(library, make):
    assert_right(make())


@pytest.mark.parametrize("stop", [0, 1, 3, 5])
def test_an_interruption_is_taken_up_where_it_was(stand_in, make, root, monkeypatch, stop, said):
    whole, calls = type(small_tokenizer()).encode_all, []

    def interrupted(self, texts):
        calls.append(texts)
        if len(calls) > stop:
            raise KeyboardInterrupt
        return whole(self, texts)

    monkeypatch.setattr(type(small_tokenizer()), "encode_all", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make()
    assert not (root / "little-c4").exists()
    monkeypatch.setattr(type(small_tokenizer()), "encode_all", whole)
    for part in ("test_tokens.npy", "train_tokens.npy", "train_lengths.part"):  # more than was noted had been written
        path = root / ".little-c4.building" / part
        if path.exists():
            path.write_bytes(path.read_bytes() + b"more")
    assert_right(make())
    if stop > 2:  # the first two chunks are held-out documents
        assert "train: going on after" in " ".join(said)


@pytest.mark.parametrize("lost", ["train_tokens.npy", "train_lengths.part", "train_state.json"])
def test_what_is_lost_meanwhile_is_made_anew(stand_in, make, files, root, lost):
    with pytest.raises(DatasetUnavailable, match="missing"):
        make(train=(*files[:2], "missing.json.gz"))
    path = root / ".little-c4.building" / lost
    path.write_bytes(path.read_bytes()[:-3])
    assert_right(make())


def test_too_few_documents(stand_in, make, files):
    with pytest.raises(DatasetUnavailable, match=rf"the files hold \d+ tokens instead of {COUNT}"):
        make(train=files[:2])


@pytest.mark.parametrize("content", ["not compressed", "no record", "another record"])
def test_a_file_of_something_else_is_named(library, make, files, tmp_path, content):
    path = tmp_path / "other.json.gz"
    lines = {"no record": gzip.compress(b"{"), "another record": gzip.compress(b'{"other": 1}\n')}
    path.write_bytes(lines.get(content, b"not compressed"))
    with pytest.raises(DatasetUnavailable, match=r"other\.json\.gz"):
        make(train=(files[0], str(path)))


def test_without_the_library_one_error_names_the_remedy(make, monkeypatch, files):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DatasetUnavailable, match="datasets is not installed") as caught:
        make()
    assert 'pip install "neural-scaling[c4]"' in str(caught.value) and "data little-c4" in str(caught.value)
    with pytest.raises(SourceFailed, match="not installed"):
        next(documents(files))


def test_the_tokenizer_is_checked(tmp_path, said, monkeypatch):
    asked = []
    path = tmp_path / "spiece.model"
    path.write_bytes(small_tokenizer().model)
    monkeypatch.setattr(c4, "fetch", lambda *arguments: asked.append(arguments) or path)
    assert c4.t5_tokenizer(tmp_path, said.append) == small_tokenizer()
    assert asked == [(c4.TOKENIZER, catalogue.T5_SHA256, tmp_path, said.append)]
    assert len(catalogue.T5_SHA256) == 64
    assert c4.TRAIN[-1].endswith("en/c4-train.01023-of-01024.json.gz") and len(c4.TRAIN) == 1024
    assert c4.TEST[-1].endswith("en/c4-validation.00007-of-00008.json.gz") and len(c4.TEST) == 8
