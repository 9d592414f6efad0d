"""Text: documents, tokens, batches."""

import tempfile
from pathlib import Path

import numpy as np

from inputs.kinds import Kind, Shared, array, call, instance, path, real, seed, several, text, whole
from inputs.table import row
from neural_scaling.data import TextRecord
from neural_scaling.data import text as texts
from neural_scaling.data.text import build, c4, corpus, ngrams, tokenizer
from text.tiny import SMALL, archive_of, small_tokenizer, wheel_of

FOLDER = Path(tempfile.mkdtemp(prefix="texts-"))
DOCUMENTS = [corpus.Document("speech", name, f"{name} we the people of the union {name}") for name in ("one", "two")]
RECORD = TextRecord(
    name="few", title="few words", licence="none", citation="nobody", obtained=("here",), train=4, test=4, vocabulary=8
)


def written(name: str, content: bytes) -> Path:
    (FOLDER / name).write_bytes(content)
    return FOLDER / name


def words(*right: str) -> Kind:
    """A list of any texts."""
    return Kind(list(right), lambda right: [None, "text", 3, [3], [None], [b"text"], []], lambda right: [tuple(right)])


wheel = Shared(lambda: written("a.whl", wheel_of({"one": "We the people."})))
archive = Shared(lambda: written("a.tgz", archive_of({"book": "[A Book]\n\nOnce."})))
model = Shared(small_tokenizer)
documents = several(DOCUMENTS)
tokens = array([3, 1, 0, 2, 3, 1, 2, 0, 3], least=0, whole=True)
sequences = Shared(lambda: texts.Sequences(np.arange(9, dtype=np.uint16), 2, 2, 0))
content = Kind(b"[A Book]\n\nOnce.", lambda right: [None, 3, right.decode(), [right]])
say = call(print)

ROWS = [
    row(texts.TextDataset, name=text("few"), vocabulary=whole(8, 2, 2**16), train=tokens, test=tokens),
    row(texts.Sequences, tokens=tokens, length=whole(2), batch=whole(2), seed=seed()),
    row(texts.Sequences.at, sequences, sequences=array([0, 3], least=0, most=3, whole=True)),
    row(texts.Sequences.batch_at, sequences, step=whole(1, 0)),
    row(texts.Sequences.in_order, sequences, limit=whole(2).or_none()),
    row(texts.Prefetched, make=call(int), start=whole(0, 0), stop=whole(2, 0).or_none(), ahead=whole(2)),
    row(corpus.Document, kind=text("speech"), name=text("one"), text=text("We the people.")),
    row(corpus.speeches, wheel=path(wheel)),
    row(corpus.books, archive=path(archive)),
    row(corpus.without_notes, speech=text("We [Laughter] the people.")),
    row(corpus.book_text, content=content),
    row(corpus.families, documents=documents, passage=whole(3)),
    row(corpus.split, documents=documents, seed=seed(), share=real(0.5, above=0, below=1), passage=whole(3)),
    row(corpus.sha256_of, documents=documents),
    row(tokenizer.Tokenizer, model=Kind(b"a model", lambda right: [None, 3, "a model", [right]])),
    row(tokenizer.Tokenizer.encode, model, text=text("we the people")),
    row(tokenizer.Tokenizer.encode_all, model, texts=words("we", "the people")),
    row(tokenizer.Tokenizer.decode, model, tokens=array([5, 300, 1], least=0, whole=True).also([10**6])),
    row(tokenizer.Tokenizer.normalised, model, text=text("we  the\tpeople")),
    row(tokenizer.lines, text=text("we the people"), limit=whole(8, 4)),
    row(
        tokenizer.train,
        texts=words("we the people of the union", "the law of the sea"),
        options=Kind({**SMALL, "vocab_size": 290}, lambda right: [None, "text", 3, [right]]),
    ),
    row(build.encoded, documents=several(DOCUMENTS, empty=True), model=instance(model)),
    row(ngrams.ngram_losses, train=tokens, test=tokens, vocabulary=whole(4).named("vocabulary", "train")),
    row(c4.Position, file=whole(0, 0), document=whole(2, 0)),
    row(
        c4.Streamed,
        record=instance(RECORD),
        train=words("a.json"),
        test=words("b.json"),
        model=instance(model).or_none(),
    ),
]

EXEMPT = {
    c4.Streamed.build: "called by the store of datasets with folders of its own",
    c4.documents: "needs the optional package datasets, and is tested where that is installed",
}
