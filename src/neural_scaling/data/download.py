"""Files from the network, checked against a hash and continued where an interruption stopped them.

pooch does the bookkeeping: a file whose hash is right is not fetched again, and one that is new is moved into place only when
its hash is right. Its own downloader starts over after every interruption; the one here keeps the part it has.
"""

from __future__ import annotations

import hashlib
import logging
import os
import warnings
from collections.abc import Callable
from pathlib import Path

from tqdm import TqdmWarning

with warnings.catch_warnings():  # importing pooch in a notebook warns of widgets that a book has no use for
    warnings.simplefilter("ignore", TqdmWarning)
    import pooch
import requests

from neural_scaling.base.files import NotWritten, not_written
from neural_scaling.base.terminal import progress
from neural_scaling.data.problems import SourceFailed, is_disk_problem, network_trouble

Say = Callable[[str], None]

#: Seconds for making a connection, and for the next piece of an answer. Short: without a network the next source is tried.
TIMEOUT = (3.05, 20.0)
_PIECE = 1 << 18
_ATTEMPTS = 4


class ResumingDownloader:
    """Downloader for :func:`pooch.retrieve` that goes on from a part left by an earlier call."""

    def __init__(self, partial: Path, say: Say) -> None:
        self._partial, self._say = partial, say

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        """Fetch ``url`` into ``output_file``; after an interruption the part stays."""
        have = self._partial.stat().st_size if self._partial.exists() else 0
        # identity: bytes on the wire must be bytes of the file, or a part could not be continued
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
            if answer.status_code == 416:  # the part is as long as the file or longer: it cannot be a beginning of it
                self._partial.unlink()
                raise requests.ConnectionError("the part kept from before did not fit")
            answer.raise_for_status()
            continued = answer.status_code == 206
            total = int(answer.headers.get("content-length", 0)) + (have if continued else 0)
            going_on = f", going on after {have / 1e6:.1f} MB" if continued else ""
            self._say(f"downloading {url} ({total / 1e6:.1f} MB{going_on})")
            with self._partial.open("ab" if continued else "wb") as file, progress(total, Path(url).name) as bar:
                bar.update(have if continued else 0)
                for piece in answer.iter_content(_PIECE):
                    file.write(piece)
                    bar.update(len(piece))
                if total and file.tell() != total:
                    raise requests.ConnectionError(f"{file.tell()} of {total} bytes came")
        os.replace(self._partial, output_file)


def fetch(url: str, sha256: str | None, folder: Path, say: Say) -> Path:
    """Return a file from the network, or the one that is in ``folder`` if its hash is right."""
    name = url.rsplit("/", 1)[1]
    partial = folder / f"{name}.part"
    pooch.get_logger().setLevel(logging.ERROR)  # what it says is said here, in this project's way
    known = None if sha256 is None else f"sha256:{sha256}"
    for attempt in range(1, _ATTEMPTS + 1):
        before = partial.stat().st_size if partial.exists() else 0
        try:
            pooch.retrieve(url, known, fname=name, path=folder, downloader=ResumingDownloader(partial, say))
            return folder / name
        except requests.HTTPError as error:
            status = "an error" if error.response is None else error.response.status_code
            raise SourceFailed(f"{_host(url)} answered {status}") from error
        except requests.RequestException as error:
            trouble = network_trouble(type(error).__name__)
            if trouble:
                raise SourceFailed(f"{_host(url)}: {trouble}") from error
            now = partial.stat().st_size if partial.exists() else 0
            if attempt < _ATTEMPTS and now != before:  # something came: worth going on
                continue
            raise SourceFailed(_reason(url, error, now)) from error
        except OSError as error:
            if is_disk_problem(error):
                partial.unlink(missing_ok=True)
                raise disk_error(folder / name, error) from error
            raise SourceFailed(f"{_host(url)}: {network_trouble(str(error)) or error}") from error
        except ValueError as error:
            if before and attempt < _ATTEMPTS:  # the part may have been the bad one: once more from the start
                continue
            raise SourceFailed(f"{name} from {_host(url)} has a wrong sha256: damaged or altered") from error
    raise AssertionError("unreachable")


def disk_error(path: Path, error: OSError, left: str = "nothing half-written is left") -> NotWritten:
    """Return the error of a disk that cannot take ``path``, with the remedy."""
    return not_written(
        path, error, f"free space on that disk, or name another folder in NEURAL_SCALING_DATASETS; {left}"
    )


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _host(url: str) -> str:
    return url.split("/")[2]


def _reason(url: str, error: requests.RequestException, kept: int) -> str:
    if kept:
        return f"{_host(url)}: the connection broke after {kept / 1e6:.1f} MB, which are kept and continued next time"
    if isinstance(error, requests.Timeout):
        return f"{_host(url)} does not answer"
    return f"no connection to {_host(url)}"
