"""Downloads from a server on this machine: checked, continued, and in every failure one clear reason and no half file."""

import re

import pytest
import requests

from images.tiny import sha256
from neural_scaling.data import download
from neural_scaling.data.download import fetch
from neural_scaling.data.problems import SourceFailed, network_trouble

CONTENT = bytes(range(256)) * 1000


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def address(server):
    server.files["data.bin"] = CONTENT
    return f"{server.address}/data.bin"


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(download, "_PIECE", 1000)


def test_a_file_is_fetched_once(server, address, tmp_path, said):
    for _ in range(2):
        assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT
    assert server.asked == [("data.bin", None)]
    assert said == [f"downloading {address} (0.3 MB)"]
    assert names(tmp_path) == ["data.bin"]


def test_a_file_put_there_by_hand_needs_no_network(nowhere, tmp_path, said):
    (tmp_path / "data.bin").write_bytes(CONTENT)
    assert fetch(f"{nowhere}/data.bin", sha256(CONTENT), tmp_path, said.append) == tmp_path / "data.bin"


def test_a_damaged_file_is_fetched_again(address, tmp_path, said):
    (tmp_path / "data.bin").write_bytes(CONTENT[:-1])
    assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT


def test_a_wrong_hash_is_refused_and_nothing_kept(server, address, tmp_path, said):
    server.files["data.bin"] = CONTENT[:-1] + b"x"
    with pytest.raises(SourceFailed, match=r"data.bin from 127.* has a wrong sha256"):
        fetch(address, sha256(CONTENT), tmp_path, said.append)
    assert names(tmp_path) == []


def test_a_connection_that_breaks_is_taken_up_again(server, address, tmp_path, said):
    server.breaks_after = 100_000
    assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT
    assert [wanted for _, wanted in server.asked] == [None, "bytes=100000-", "bytes=200000-"]


def test_what_has_come_is_continued_by_the_next_call(server, address, tmp_path, said):
    server.breaks_after = 10_000
    with pytest.raises(SourceFailed, match=r"broke after 0.0 MB, which are kept and continued next time"):
        fetch(address, sha256(CONTENT), tmp_path, said.append)
    assert names(tmp_path) == ["data.bin.part"]
    server.breaks_after = None
    assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT
    assert server.asked[-1] == ("data.bin", "bytes=40000-")
    assert "going on after" in said[-1]


def test_a_server_without_ranges_starts_over(server, address, tmp_path, said):
    (tmp_path / "data.bin.part").write_bytes(CONTENT[:500])
    server.knows_ranges = False
    assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT


@pytest.mark.parametrize("part", [CONTENT, CONTENT + b"more", b"another beginning"], ids=["whole", "longer", "other"])
def test_a_part_that_does_not_fit_is_dropped(address, tmp_path, said, part):
    (tmp_path / "data.bin.part").write_bytes(part)
    assert fetch(address, sha256(CONTENT), tmp_path, said.append).read_bytes() == CONTENT
    assert names(tmp_path) == ["data.bin"]


def test_without_a_network_the_reason_is_short(nowhere, tmp_path, said):
    with pytest.raises(SourceFailed, match=r"^no connection to 127\.0\.0\.1:\d+$"):
        fetch(f"{nowhere}/data.bin", sha256(CONTENT), tmp_path, said.append)
    assert names(tmp_path) == [] and said == []


def test_a_missing_file_is_named(server, tmp_path, said):
    with pytest.raises(SourceFailed, match="answered 404"):
        fetch(f"{server.address}/data.bin", None, tmp_path, said.append)
    assert names(tmp_path) == []


def test_a_full_disk_is_an_error_of_its_own(address, tmp_path, said, full_disk):
    with pytest.raises(
        OSError, match=re.escape("free space on that disk, or name another folder in NEURAL_SCALING_DATASETS")
    ):
        fetch(address, sha256(CONTENT), tmp_path, said.append)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (requests.exceptions.SSLError("CERTIFICATE_VERIFY_FAILED"), r"host: the secured .* set REQUESTS_CA_BUNDLE"),
        (requests.exceptions.ProxyError("refused"), r"host: the proxy cannot be used: set HTTPS_PROXY"),
        (
            OSError("Could not find a suitable TLS CA certificate bundle"),
            r"host: the secured .* set REQUESTS_CA_BUNDLE",
        ),
    ],
)
def test_trouble_with_certificates_and_proxies_is_named(tmp_path, said, monkeypatch, failure, message):
    def failing(*arguments, **options):
        raise failure

    monkeypatch.setattr(requests, "get", failing)
    with pytest.raises(SourceFailed, match=message):
        fetch("https://host/data.bin", None, tmp_path, said.append)


def test_a_proxy_that_does_not_answer_is_named(address, nowhere, tmp_path, said, monkeypatch):
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", nowhere)
    with pytest.raises(SourceFailed, match="the proxy cannot be used: set HTTPS_PROXY"):
        fetch(address, sha256(CONTENT), tmp_path, said.append)


def test_a_refused_connection_is_no_trouble_with_a_proxy():
    assert (
        network_trouble("npm ERR! network In most cases you are behind a proxy or have bad network settings.") is None
    )
    assert "NODE_EXTRA_CA_CERTS" in str(network_trouble("npm ERR! code SELF_SIGNED_CERT_IN_CHAIN"))
    assert "HTTPS_PROXY" in str(network_trouble("ProxyError('Cannot connect to proxy.', timeout())"))
