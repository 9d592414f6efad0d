"""Where everything is. Every tool takes a :class:`Project`, so that the tests can point it at a small one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neural_scaling.base import files

IF_NOT_WRITTEN = "make the checkout writable and free space on its disk, or work in a copy of it"


@dataclass(frozen=True)
class Project:
    """Folders and files of a checkout."""

    root: Path  # the checkout

    @property
    def notebooks(self) -> Path:
        """Notebook sources, one jupytext file per item."""
        return self.root / "notebooks"

    @property
    def parameters(self) -> Path:
        """Values of the parameters, one file per item and scale."""
        return self.notebooks / "parameters"

    @property
    def references(self) -> Path:
        """Normalised small-scale notebooks, committed."""
        return self.notebooks / "references"

    @property
    def executed(self) -> Path:
        """Executed notebooks, one for each item and scale."""
        return self.root / "book" / "_executed"

    @property
    def pages(self) -> Path:
        """Pages composed of executed notebooks, the generated part of the book."""
        return self.root / "book" / "pages"

    @property
    def ledger(self) -> Path:
        """The committed claims."""
        return self.root / "data" / "claims" / "ledger.json"

    @property
    def library(self) -> Path:
        """Source of the library."""
        return self.root / "src"

    @property
    def runs(self) -> Path:
        """Folders of single runs asked for by hand."""
        return self.root / "runs"

    @property
    def build(self) -> Path:
        """What the book builder writes."""
        return self.root / "_build"

    @property
    def work(self) -> Path:
        """What a process that makes the book is at; left out by the book builder."""
        return self.build / ".work"

    @property
    def html(self) -> Path:
        """The built book."""
        return self.build / "html"

    @property
    def toc(self) -> Path:
        """Table of contents."""
        return self.root / "_toc.yml"

    def results(self, item: str) -> Path:
        """Return the folder of shipped full-scale results of an item, which need not exist."""
        return self.root / "data" / "results" / item

    def claims(self, item: str, scale: str) -> Path:
        """Return the file into which a notebook that runs for the book writes its claims."""
        return self.executed / "claims" / f"{item}.{scale}.json"


def write_atomically(path: Path, text: str) -> None:
    r"""Write a text file so that an interruption leaves the old file or the new one, never a part."""
    files.make_folder(path.parent, IF_NOT_WRITTEN)
    files.write_atomically(path, [text.encode()], IF_NOT_WRITTEN)
