"""Datasets on disk: arrays in the npy format and a record of them, there entirely or not at all.

A dataset is built in a hidden folder beside its place and renamed when everything in it is written and checked, so nobody ever
reads a part of one, whenever a process is killed. A lock keeps other processes waiting meanwhile. Every byte is compared with its
checksum when a dataset is opened, unless size and time of change are those of the last comparison.
"""

from __future__ import annotations

import contextlib
import datetime
import errno
import hashlib
import io
import itertools
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
from filelock import FileLock, Timeout

from neural_scaling.base.checks import InputError
from neural_scaling.base.files import NotWritten, make_folder, write_atomically
from neural_scaling.data.download import Say, disk_error
from neural_scaling.data.problems import DatasetDamaged, SourceFailed, is_disk_problem
from neural_scaling.data.records import AnyArray, Opened, Record

SCHEMA = 1
RECORD = "record.json"
#: Size and time of change of each array when it was last found to be what was written.
CHECKED = "checked.json"
#: In a folder that is being built: the version of the dataset, so that one of another version is not continued.
VERSION = "version"
#: What to do if something cannot be written.
REMEDY = "free space on that disk or name another folder in NEURAL_SCALING_DATASETS"
#: What is recorded of each array.
_DESCRIBED = frozenset({"shape", "bytes", "sha256"})
_PIECE = 1 << 23  # bytes of an array handled at once
_LARGE = 1e9  # bytes that take seconds to compare

State = Literal["missing", "whole", "outdated", "damaged"]
#: Writes the arrays into the first folder, keeps what it fetches in the second, and returns where they came from.
Build = Callable[[Path, Path, Say], str]


def write_array(path: Path, shape: tuple[int, ...], pieces: Iterable[AnyArray], dtype: str = "uint8") -> None:
    """Write an array in the npy format, piece by piece along its first axis."""
    contents = (np.ascontiguousarray(piece).data.cast("B") for piece in pieces if piece.size)
    write_atomically(path, itertools.chain([npy_header(shape, dtype)], contents), REMEDY)


def npy_header(shape: tuple[int, ...], dtype: str = "uint8") -> bytes:
    """Return the header of a file in the npy format that holds numbers of a type in C order."""
    header = io.BytesIO()
    described = np.dtype(dtype).newbyteorder("<").str  # bytes, which have no order, remain "|u1"
    np.lib.format.write_array_header_1_0(header, {"descr": described, "fortran_order": False, "shape": shape})
    return header.getvalue()


def create(
    root: Path, record: Record[Any], build: Build, say: Say, *, force: bool = False, resumable: bool = False
) -> Path:
    """Return the folder of a dataset, built now unless it is there."""
    final = root / record.name
    if not force and state(final, record) in {"whole", "damaged"}:
        return final
    with _writing(final, resumable):
        make_folder(root, REMEDY)
        with _locked(root / f".{record.name}.lock", record.name, say):
            _restore(final)
            now = state(final, record)
            if not force and now in {"whole", "damaged"}:  # made by another process meanwhile
                return final
            if now == "outdated":
                say(f"{record.name}: what is on disk is of another version; made anew")
            building, downloads = root / f".{record.name}.building", root / "downloads" / record.name
            if not resumable or _version(building / VERSION) != record.version:
                shutil.rmtree(building, ignore_errors=True)
            building.mkdir(exist_ok=True)
            make_folder(downloads, REMEDY)
            _clear_leftovers(building, downloads)
            _require_space(building, record)
            write_atomically(building / VERSION, [record.version.encode()], REMEDY)
            try:
                origin = build(building, downloads, say)
                _finish(building, record, origin)
                _move(building, final, record)
            except BaseException:
                if not resumable or _nothing_done(building):
                    shutil.rmtree(building, ignore_errors=True)
                with contextlib.suppress(
                    OSError
                ):  # what has come whole, or can be continued, is of use to the next call
                    downloads.rmdir()
                raise
            shutil.rmtree(downloads, ignore_errors=True)
    say(f"{record.name}: {final} ({record.size / 1e6:.0f} MB, from {origin})")
    return final


def state(folder: Path, record: Record[Any]) -> State:
    """Return whether a dataset is there, by its record alone."""
    try:
        if not folder.is_dir():
            return "missing"
    except OSError:  # above it is a folder that may not be looked into
        return "missing"
    try:
        return "whole" if read_record(folder).get("version") == record.version else "outdated"
    except DatasetDamaged:
        return "damaged"


def read(folder: Path, record: Record[Opened], say: Say = lambda line: None) -> Opened:
    """Open a dataset; what has changed since it was last found right is compared with its checksum."""
    body = read_record(folder)
    arrays = {name: _opened(folder, record, name, body) for name in record.arrays}
    if _stamps(folder, record) != _read_stamps(folder):
        size = sum(array.nbytes for array in arrays.values())
        if size > _LARGE:
            say(f"{record.name}: comparing {size / 1e9:.1f} GB with their checksums, once")
        _compare(folder, record, body, arrays)
        with contextlib.suppress(OSError):  # where others' datasets can only be read, they are compared every time
            _write_stamps(folder, record)
    try:
        return record.opened(arrays, body)
    except InputError as error:
        raise _damaged(folder, str(error).removesuffix(".")) from error
    except (KeyError, TypeError, ValueError) as error:
        raise _damaged(folder / RECORD, "there is no readable record") from error


def verify(folder: Path, record: Record[Any]) -> dict[str, str]:
    """Read every byte of a dataset and compare it with its checksums."""
    body = read_record(folder)
    return _compare(folder, record, body, {name: _opened(folder, record, name, body) for name in record.arrays})


def read_record(folder: Path) -> dict[str, Any]:
    """Return what was recorded when a dataset was built: origin, date, shapes and checksums."""
    path = folder / RECORD
    try:
        body = json.loads(path.read_text("utf-8"))
        whole = body["schema"] == SCHEMA and "origin" in body and all(map(_DESCRIBED.issubset, body["arrays"].values()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise _damaged(path, "there is no readable record")
    return dict(body)


def array_sha256(array: AnyArray) -> str:
    """Return the SHA-256 of the bytes of an array, in C order, read in pieces."""
    digest = hashlib.sha256()
    rows = max(1, _PIECE * len(array) // max(1, array.nbytes))
    for start in range(0, len(array), rows):
        digest.update(np.ascontiguousarray(array[start : start + rows]).data)
    return digest.hexdigest()


def _compare(folder: Path, record: Record[Any], body: dict[str, Any], arrays: dict[str, AnyArray]) -> dict[str, str]:
    """Hold every byte of a dataset to what was written and to what is known; return the checksums."""
    found = {}
    for number, (name, array) in enumerate(arrays.items()):
        path, found[name] = folder / f"{name}.npy", array_sha256(array)
        if found[name] != body["arrays"][name]["sha256"]:
            raise _damaged(path, "its sha256 is not what was written")
        if record.sha256 and found[name] != record.sha256[number]:
            raise _damaged(path, "its sha256 is not that of the original")
    try:
        record.check(arrays)
    except SourceFailed as error:
        raise _damaged(folder, str(error)) from error
    return found


def _stamps(folder: Path, record: Record[Any]) -> dict[str, list[int]]:
    """Return size and time of change of every array."""
    found = {name: (folder / f"{name}.npy").stat() for name in record.arrays}
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in found.items()}


def _read_stamps(folder: Path) -> Any:
    try:
        return json.loads((folder / CHECKED).read_text("utf-8"))
    except (OSError, ValueError):
        return None


def _write_stamps(folder: Path, record: Record[Any]) -> None:
    write_atomically(folder / CHECKED, [(json.dumps(_stamps(folder, record)) + "\n").encode()], REMEDY)


def _finish(folder: Path, record: Record[Any], origin: str) -> None:
    """Check the arrays of a dataset and write its record, last."""
    arrays = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in record.arrays}
    checksums = check_arrays(record, *arrays.values())
    body = {
        "schema": SCHEMA,
        "name": record.name,
        "version": record.version,
        "origin": origin,
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "arrays": {
            name: {"shape": list(array.shape), "bytes": (folder / f"{name}.npy").stat().st_size, "sha256": checksum}
            for (name, array), checksum in zip(arrays.items(), checksums, strict=True)
        },
        **record.measured(arrays),
    }
    _write_stamps(folder, record)
    write_atomically(folder / RECORD, [(json.dumps(body, indent=1) + "\n").encode()], REMEDY)


def check_arrays(record: Record[Any], *arrays: AnyArray) -> list[str]:
    """Hold decoded arrays to what is known of a dataset: types, contents, checksums if there are any."""
    for (name, dtype), array in zip(record.arrays.items(), arrays, strict=True):
        if array.dtype != np.dtype(dtype):
            raise SourceFailed(f"{name} of type {array.dtype} instead of {dtype}")
    record.check(dict(zip(record.arrays, arrays, strict=True)))
    checksums = [array_sha256(array) for array in arrays]
    for name, found, expected in zip(record.arrays, checksums, record.sha256, strict=False):
        if found != expected:
            raise SourceFailed(f"{name} are not the original ones (wrong sha256)")
    return checksums


def _opened(folder: Path, record: Record[Any], name: str, body: dict[str, Any]) -> AnyArray:
    """Return an array, memory-mapped, after a look at its size and header."""
    path = folder / f"{name}.npy"
    expected = body["arrays"].get(name)
    if expected is None:
        raise _damaged(folder / RECORD, f"it does not mention {name}")
    try:
        size = path.stat().st_size
        if size != expected["bytes"]:
            raise _damaged(path, f"it has {size} bytes instead of {expected['bytes']}")
        array = np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise _damaged(path, f"it cannot be read ({error})") from error
    if list(array.shape) != expected["shape"] or array.dtype != np.dtype(record.arrays[name]):
        raise _damaged(path, f"it holds an array of shape {array.shape} instead of {tuple(expected['shape'])}")
    return np.asarray(array)


def _damaged(path: Path, problem: str) -> DatasetDamaged:
    return DatasetDamaged(
        f"{path}: {problem}; build the dataset anew with `python -m neural_scaling data {path.parent.name} --force`."
    )


def _clear_leftovers(building: Path, downloads: Path) -> None:
    """Remove what a killed process left of files that were being written; parts of downloads are continued instead."""
    for left in [*building.glob(".*"), *downloads.glob(".fetch-*"), *downloads.glob("tmp*")]:
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def _move(building: Path, final: Path, record: Record[Any]) -> None:
    """Put a dataset that is complete into its place, without what was only needed to make it."""
    kept = {RECORD, CHECKED, *(f"{name}.npy" for name in record.arrays)}
    for path in building.iterdir():
        if path.name not in kept:
            path.unlink()
    if final.is_dir():
        old = _replaced(final)
        os.rename(final, old)
        os.rename(building, final)
        shutil.rmtree(old, ignore_errors=True)
    else:
        os.rename(building, final)


@contextlib.contextmanager
def _locked(path: Path, name: str, say: Say) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"{name}: another process is making it; waiting")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


@contextlib.contextmanager
def _writing(path: Path, resumable: bool) -> Iterator[None]:
    """Say what to do where the disk is to blame and the error does not say it yet."""
    try:
        yield
    except NotWritten:
        raise
    except OSError as error:
        if is_disk_problem(error):
            left = "what is done is kept and continued" if resumable else "nothing half-written is left"
            raise disk_error(path, error, left) from error
        raise


def _replaced(final: Path) -> Path:
    """Return where a dataset is kept while another takes its place."""
    return final.with_name(f".{final.name}.old")


def _restore(final: Path) -> None:
    """Put a dataset back that a killed process had moved aside, or remove it where the one that replaced it is there."""
    old = _replaced(final)
    if old.is_dir() and not final.exists():
        os.rename(old, final)
    shutil.rmtree(old, ignore_errors=True)


def _version(path: Path) -> str | None:
    try:
        return path.read_text("utf-8")
    except OSError:
        return None


def _nothing_done(building: Path) -> bool:
    return not any(path.is_file() and path.name != VERSION for path in building.rglob("*"))


def _require_space(building: Path, record: Record[Any]) -> None:
    """Fail before anything is fetched where the disk cannot take the dataset."""
    there = sum(path.stat().st_size for path in building.rglob("*") if path.is_file())
    if shutil.disk_usage(building).free < record.size - there:
        raise OSError(errno.ENOSPC, f"{record.size / 1e6:.0f} MB are needed")
