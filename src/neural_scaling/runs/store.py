"""Results on disk: arrays as npz (no pickles) beside a JSON of identity, provenance and checksum, written atomically."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from neural_scaling.files import make_folder, write_atomically
from neural_scaling.monitor import Arrays
from neural_scaling.paths import CACHE_VARIABLE
from neural_scaling.runs.experiment import SCHEMA

#: What to do if a result or a checkpoint cannot be written.
IF_NOT_WRITTEN = f"free space, or set {CACHE_VARIABLE} to a folder on another disk"


class DamagedResult(RuntimeError):
    """A stored result is truncated, altered, of a foreign schema or filed under the wrong key; it is never used."""


def write_result(folder: Path, key: str, identity: str, arrays: Arrays, record: dict[str, Any]) -> None:
    """Store a result so that a reader sees all of it or nothing.

    The arrays are replaced first and the JSON last; without a JSON whose checksum fits there is no result.

    Parameters
    ----------
    folder
        Made if missing.
    key, identity
        :func:`~neural_scaling.runs.experiment_key` and :func:`~neural_scaling.runs.canonical_json` of the experiment.
    arrays
        Name to array; no object arrays.
    record
        Provenance, plain values.

    Raises
    ------
    OSError
        If the disk is full or the folder cannot be written; what was there before is intact.
    """
    make_folder(folder, IF_NOT_WRITTEN)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    body = {
        "schema": SCHEMA,
        "key": key,
        "experiment": json.loads(identity),
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "provenance": record,
    }
    write_atomically(folder / f"{key}.npz", [buffer.getvalue()], IF_NOT_WRITTEN)
    record_text = json.dumps(body, indent=1, sort_keys=True) + "\n"
    write_atomically(folder / f"{key}.json", [record_text.encode()], IF_NOT_WRITTEN)


def read_result(folder: Path, key: str, identity: str) -> tuple[Arrays, dict[str, Any]] | None:
    """Return arrays and provenance of a stored result, or None if there is none.

    Parameters
    ----------
    folder, key, identity
        As for :func:`write_result`.

    Returns
    -------
    tuple or None

    Raises
    ------
    DamagedResult
        If a file is missing, truncated, altered, of another schema or belongs to another experiment.
    """
    described, stored = folder / f"{key}.json", folder / f"{key}.npz"
    if not described.exists():
        return None
    try:
        body = json.loads(described.read_text())
        if not isinstance(body, dict) or body.get("schema") != SCHEMA:
            raise DamagedResult(f"{described}: not of schema {SCHEMA}")
        if body.get("key") != key or body.get("experiment") != json.loads(identity):
            raise DamagedResult(f"{described}: belongs to another experiment")
        content = stored.read_bytes()
        if hashlib.sha256(content).hexdigest() != body["sha256"]:
            raise DamagedResult(f"{stored}: checksum does not match {described.name}")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return arrays, dict(body["provenance"])
    except DamagedResult:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise DamagedResult(f"{described}: cannot be read ({error})") from error


def set_aside(folder: Path, key: str) -> None:
    """Rename the files of a damaged result to ``*.damaged`` so that they are kept but never read."""
    for suffix in (".json", ".npz"):
        path = folder / f"{key}{suffix}"
        if path.exists():
            os.replace(path, path.with_name(path.name + ".damaged"))
