"""Files that are there entirely or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path


class NotWritten(OSError):
    """A file could not be written; the message says what to do."""


def write_atomically(
    path: Path, content: Iterable[bytes | memoryview], remedy: str = "free space on that disk"
) -> None:
    """Write pieces of ``content``, one after the other, to ``path`` through a temporary file in the same folder."""
    name = None
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as file:
            for piece in content:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)  # mkstemp makes it private, which would stay with a file that is shared or committed
        os.replace(name, path)
    except BaseException as error:
        if name is not None:
            Path(name).unlink(missing_ok=True)
        # What makes the content may have failed to write another file, and has said so.
        if isinstance(error, OSError) and not isinstance(error, NotWritten):
            raise not_written(path, error, f"{remedy}; what was there before is intact") from error
        raise


def make_folder(path: Path, remedy: str) -> None:
    """Make a folder, with those above it, unless it is there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(path, error, remedy) from error


def not_written(path: Path, error: OSError, remedy: str) -> NotWritten:
    """Return the error of a path that cannot be written, with its cause and what to do."""
    return NotWritten(error.errno, f"{path} could not be written ({error.strerror or error}): {remedy}")
