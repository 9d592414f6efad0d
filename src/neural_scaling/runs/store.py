"""Results on disk: arrays as npz (no pickles) beside a JSON of identity, provenance and checksum, written atomically."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from neural_scaling.base import checks
from neural_scaling.base.files import make_folder, write_atomically
from neural_scaling.base.monitor import Arrays
from neural_scaling.base.paths import CACHE_VARIABLE
from neural_scaling.runs.experiment import SCHEMA

#: What to do if a result or a checkpoint cannot be written.
IF_NOT_WRITTEN = f"free space, or set {CACHE_VARIABLE} to a folder on another disk"


_FIELDS = {"schema": int, "key": str, "experiment": dict, "sha256": str, "provenance": dict}
_SEAL = "sha256 of the rest"
_BEFORE = "until the arrays are replaced"


class DamagedResult(RuntimeError):
    """A stored result is truncated, altered, of a foreign schema or filed under the wrong key; it is never used."""


def write_result(folder: Path, key: str, identity: str, arrays: Arrays, record: dict[str, Any]) -> None:
    """Store a result so that a reader, and what is left after a kill, has all of it, or all of the one before, or nothing.

    Where there is one before, the new JSON says so until the arrays are replaced: whichever arrays are found fit it.

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
    folder, told = _checked(folder, key, identity)
    checks.instance(record, "record", dict, "give the provenance as a dictionary")
    checks.instance(arrays, "arrays", dict, "give a dictionary of arrays")
    checks.instances(arrays.values(), "arrays", np.ndarray, "give a dictionary of arrays", fewest=0)
    make_folder(folder, IF_NOT_WRITTEN)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **arrays)
    body = {
        "schema": SCHEMA,
        "key": key,
        "experiment": told,
        "sha256": hashlib.sha256(buffer.getvalue()).hexdigest(),
        "provenance": record,
    }
    described = folder / f"{key}.json"
    try:
        before = read_body(described)
    except (DamagedResult, OSError):
        before = None
    if before is not None:
        before.pop(_BEFORE, None)
        write_atomically(described, [_sealed(body | {_BEFORE: before})], IF_NOT_WRITTEN)
    write_atomically(folder / f"{key}.npz", [buffer.getvalue()], IF_NOT_WRITTEN)
    write_atomically(described, [_sealed(body)], IF_NOT_WRITTEN)


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
    folder, told = _checked(folder, key, identity)
    described, stored = folder / f"{key}.json", folder / f"{key}.npz"
    seen: dict[str, Any] | None = None
    while True:
        try:
            body = read_body(described)
            if body is None:
                return None
            if body["key"] != key or body["experiment"] != told:
                raise DamagedResult(f"{described}: belongs to another experiment")
            content = stored.read_bytes()
            found = hashlib.sha256(content).hexdigest()
            fitting = [each for each in (body, body.get(_BEFORE)) if each is not None and each["sha256"] == found]
            if fitting:
                with np.load(io.BytesIO(content), allow_pickle=False) as archive:
                    return {name: archive[name] for name in archive.files}, dict(fitting[0]["provenance"])
            problem = f"{stored}: checksum does not match {described.name}"
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            body, problem = None, f"{described}: cannot be read ({error})"
        if body is None or body == seen:
            raise DamagedResult(problem)
        seen = body  # it may have been replaced between the two files: look again


def _checked(folder: Path, key: str, identity: str) -> tuple[Path, Any]:
    """Return the folder, and the identity as values."""
    checks.text(key, "key")
    try:
        told = json.loads(checks.text(identity, "identity"))
    except ValueError:
        raise checks.InputError(f"identity: got {identity!r}; give the canonical JSON of an experiment.") from None
    return checks.path(folder, "folder"), told


def read_body(described: Path) -> dict[str, Any] | None:
    """Return what the JSON of a result says, or None if there is none."""
    try:
        body = json.loads(described.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise DamagedResult(f"{described}: cannot be read ({error})") from error
    if not isinstance(body, dict) or body.get("schema") != SCHEMA:
        raise DamagedResult(f"{described}: not of schema {SCHEMA}")
    seal = body.pop(_SEAL, None)
    if seal is not None and seal != _checksum(body):
        raise DamagedResult(f"{described}: its own checksum does not match")
    whole = _whole(body) and (_BEFORE not in body or (seal is not None and _whole(body[_BEFORE])))
    if not whole or set(body) - _FIELDS.keys() - {_BEFORE}:
        raise DamagedResult(f"{described}: not what describes a result")
    return body


def _whole(body: Any) -> bool:
    """Return whether all is there that readers rely on."""
    if not isinstance(body, dict) or not all(isinstance(body.get(name), kind) for name, kind in _FIELDS.items()):
        return False
    told, record = body["experiment"], body["provenance"]
    return (
        isinstance(told.get("values"), dict)
        and isinstance(told.get("kind"), str)
        and isinstance(record.get("seconds"), int | float)
        and all(isinstance(record.get(name), str) for name in ("date", "hardware", "commit"))
    )


def _sealed(body: dict[str, Any]) -> bytes:
    return (json.dumps(body | {_SEAL: _checksum(body)}, indent=1, sort_keys=True) + "\n").encode()


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def set_aside(folder: Path, key: str) -> None:
    """Rename the files of a damaged result to ``*.damaged`` so that they are kept but never read; not in a read-only folder."""
    for suffix in (".json", ".npz"):
        path = folder / f"{key}{suffix}"
        with contextlib.suppress(OSError):
            os.replace(path, path.with_name(path.name + ".damaged"))
