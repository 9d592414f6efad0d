"""Train the tokenizer of the speeches and books: ``python -m neural_scaling.data.text train-tokenizer``."""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
from collections.abc import Sequence
from pathlib import Path

from neural_scaling.base.files import make_folder, write_atomically
from neural_scaling.base.paths import datasets_root
from neural_scaling.base.terminal import say
from neural_scaling.data.folders import REMEDY
from neural_scaling.data.text import build, corpus, tokenizer
from neural_scaling.runs.commands import leave, status_of

COMMAND = "python -m neural_scaling.data.text train-tokenizer"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command."""
    return status_of(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> None:
    parser = argparse.ArgumentParser(prog="python -m neural_scaling.data.text", description=__doc__)
    commands = parser.add_subparsers(required=True, dest="command", metavar="COMMAND")
    commands.add_parser(
        "train-tokenizer", help="train the tokenizer of the speeches and books on the training documents"
    )
    parser.parse_args(arguments)
    train_tokenizer()


def train_tokenizer() -> Path:
    """Train the tokenizer, write it and where it comes from, and print what the catalogue has to say of its tokens."""
    path = tokenizer.committed_path()
    downloads = datasets_root() / "downloads" / "speeches-books"
    make_folder(downloads, REMEDY)
    train, test = corpus.split(corpus.obtain(downloads, say))
    say(f"training on {len(train)} documents")
    model = tokenizer.train(document.text for document in train)
    described = {
        "sha256": model.sha256,
        "pieces": model.pieces,
        "command": COMMAND,
        "sentencepiece": importlib.metadata.version("sentencepiece"),
        "options": tokenizer.OPTIONS,
        "packages": {
            f"pip {corpus.SPEECHES[0]} {corpus.SPEECHES[1]}": corpus.SPEECHES_WHEEL,
            f"npm {corpus.BOOKS[0]} {corpus.BOOKS[1]}": corpus.BOOKS_ARCHIVE,
        },
        "split": {"seed": corpus.SEED, "held_out": corpus.HELD_OUT, "passage": corpus.PASSAGE},
        "training_documents": {
            "number": len(train),
            "characters": sum(len(document.text) for document in train),
            "sha256": corpus.sha256_of(train),
        },
        "held_out_documents": [document.name for document in test],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, [model.model], REMEDY)
    write_atomically(path.with_suffix(".json"), [(json.dumps(described, indent=1) + "\n").encode()], REMEDY)
    arrays = (*build.encoded(train, model), *build.encoded(test, model))
    print(f"{path}: {len(model.model)} bytes, sha256 {model.sha256}")
    documents = (len(train), len(test))
    characters = tuple(int(lengths[:, 1].sum()) for lengths in arrays[1::2])
    print(f"for the catalogue: train={len(arrays[0])}, test={len(arrays[2])}, {documents=}, {characters=}, sha256=")
    for array in arrays:
        print(f"    {hashlib.sha256(array.tobytes()).hexdigest()!r},")
    return path


if __name__ == "__main__":
    leave(main())
