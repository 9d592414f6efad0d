"""Text to tokens and back: nothing lost, long lines too, and the committed model is the one that was trained."""

import importlib.metadata
import json
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_scaling.base.paths import DATA_VARIABLE, checkout
from neural_scaling.data.problems import DatasetDamaged
from neural_scaling.data.text import __main__ as command_line
from neural_scaling.data.text import corpus, tokenizer
from neural_scaling.data.text_data import END
from text.tiny import SMALL, sentence, small_tokenizer

TEXTS = st.text(st.characters(codec="utf-8"), max_size=200) | st.text("ab \n\t\u00e9\u20ac\U0001f600", max_size=200)


@pytest.mark.slow
@given(TEXTS, st.integers(4, 40))
def test_lines_hold_every_character_and_are_never_long(text, limit):
    parts = list(tokenizer.lines(text, limit))
    assert "".join("".join(parts).split()) == "".join(text.split())
    assert all(0 < len(part.encode()) <= limit and part == part.strip() for part in parts)


@given(st.lists(st.text("abc", min_size=1, max_size=10), max_size=50))
def test_words_are_not_cut_unless_they_are_too_long(words):
    text = " ".join(words)
    parts = list(tokenizer.lines(text, 10))
    assert " ".join(parts) == text


@settings(max_examples=60)
@given(TEXTS)
def test_tokens_give_the_text_back(text):
    model = small_tokenizer()
    tokens = model.encode(text)
    assert tokens.dtype == np.uint16 and tokens[-1] == END and tokens.max(initial=0) < model.pieces
    assert 2 not in tokens  # nothing is unknown: what has no piece is spelt in bytes
    assert model.decode(tokens) == model.normalised(text)


def pieces(model):
    return "".join(model._processor.id_to_piece(number) for number in range(259, model.pieces))  # after the bytes


def test_long_lines_are_neither_left_out_of_training_nor_of_the_tokens(monkeypatch):
    model = small_tokenizer()  # its only q was in a line of 20 kB
    assert "q" in pieces(model)
    text = " ".join(["quay of the people"] * 2000)
    assert model.decode(model.encode(text)) == text
    monkeypatch.setattr(tokenizer, "lines", str.splitlines)
    assert "q" not in pieces(small_tokenizer.__wrapped__())  # what SentencePiece does by itself


def test_many_documents_are_encoded_like_one(said):
    model = small_tokenizer()
    texts = [sentence(seed) for seed in range(7)] + ["", "\n \n"]
    for together, text in zip(model.encode_all(texts), texts, strict=True):
        np.testing.assert_array_equal(together, model.encode(text))
    assert list(model.encode("")) == [END]


@pytest.fixture(scope="module")
def committed():
    return tokenizer.committed()


def test_the_committed_model_is_the_one_described_beside_it(committed):
    described = json.loads(tokenizer.committed_path().with_suffix(".json").read_text("utf-8"))
    assert described["sha256"] == committed.sha256
    assert described["pieces"] == committed.pieces == tokenizer.VOCABULARY
    assert described["options"] == tokenizer.OPTIONS
    assert described["split"] == {"seed": corpus.SEED, "held_out": corpus.HELD_OUT, "passage": corpus.PASSAGE}
    assert list(described["packages"].values()) == [corpus.SPEECHES_WHEEL, corpus.BOOKS_ARCHIVE]
    root = checkout()
    assert root is not None and len(committed.model) < 500_000
    pinned = f"sentencepiece=={described['sentencepiece']}\n"
    assert pinned in (root / "requirements.txt").read_text() and pinned in (root / "constraints.txt").read_text()
    assert importlib.metadata.version("sentencepiece") == described["sentencepiece"]


@settings(max_examples=60)
@given(TEXTS)
def test_the_committed_model_loses_nothing(committed, text):
    tokens = committed.encode(text)
    assert 2 not in tokens and committed.decode(tokens) == committed.normalised(text)


def test_tokens_of_the_committed_model_stay_what_they_are(committed):
    text = "The state of our Union is strong.\nCall me Ishmael."
    pieces = [committed._processor.id_to_piece(int(token)) for token in committed.encode(text)]
    assert pieces[-1] == "</s>" and "".join(pieces[:-1]).replace("\u2581", " ").split() == text.split()
    assert list(committed.encode("The Union\u00a0\u2014 d\u00e9j\u00e0 vu")) == list(
        committed.encode(" The  Union \n\u2014 de\u0301ja\u0300 vu")  # other spaces, accents apart
    )


def test_a_damaged_model_is_named(tmp_path, monkeypatch):
    folder = tokenizer.committed_path().parent
    shutil.copytree(folder, tmp_path / "tokenizers")
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    path = tmp_path / "tokenizers" / "speeches-books.model"
    content = path.read_bytes()
    path.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
    with pytest.raises(
        DatasetDamaged, match=r"speeches-books.model: its sha256 is not that of the model that was trained"
    ):
        tokenizer.committed()
    path.with_suffix(".json").unlink()
    with pytest.raises(DatasetDamaged, match="cannot be read"):
        tokenizer.committed()


def test_the_command_trains_on_training_documents_only(packages, tmp_path, monkeypatch, capsys):
    seen = []

    def trained(texts):
        seen.extend(texts)
        return small_tokenizer()

    monkeypatch.setattr(tokenizer, "train", trained)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert command_line.main(["train-tokenizer"]) == 0
    train, test = corpus.split(corpus.obtain(packages, print))
    assert seen == [one.text for one in train] and test
    described = json.loads((tmp_path / "tokenizers" / "speeches-books.json").read_text("utf-8"))
    assert described["held_out_documents"] == [one.name for one in test]
    assert described["training_documents"]["sha256"] == corpus.sha256_of(train)
    assert tokenizer.committed() == small_tokenizer()
    assert f"documents=({len(train)}, {len(test)}), characters=(" in capsys.readouterr().out


def test_the_command_fails_in_one_line(root, monkeypatch, capsys):
    monkeypatch.setattr(corpus, "obtain", lambda *_: (_ for _ in ()).throw(corpus.SourceFailed("no network")))
    assert command_line.main(["train-tokenizer"]) == 2
    assert capsys.readouterr().err == "error: no network\n"


def test_training_twice_gives_the_same_model():
    texts = [sentence(seed, 100) for seed in range(10)]
    assert tokenizer.train(texts, SMALL) == tokenizer.train(texts, SMALL)
