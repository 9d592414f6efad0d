"""The seed alone decides a network: neither global random numbers, nor the precision that torch has by default."""

import numpy as np
import pytest
import torch

from neural_scaling.base.monitor import Monitor
from neural_scaling.data import ImageDataset, ImageSplit
from neural_scaling.data.digits.classifier import classify
from neural_scaling.data.digits.denoiser import Denoiser
from neural_scaling.data.digits.denoiser import Shape as DenoiserShape
from neural_scaling.data.digits.optimization import seeded
from neural_scaling.data.digits.weights import pack
from neural_scaling.networks import cnn, mlp, transformer
from neural_scaling.networks.image_batches import ImageData
from neural_scaling.networks.language_training import train_language
from neural_scaling.networks.parametrization import Parametrization
from neural_scaling.networks.runs import CircleRun


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch):
    monkeypatch.setenv("NEURAL_SCALING_DEVICE", "cpu")


def perceptron():
    return CircleRun(1.0, 1.0, 3, 8, 0.5, 0.1, 4, 5, 2, 64).run(Monitor())


def weights():
    drawn = [*mlp.initial_weights(mlp.Shape(3, 4), 1), *cnn.initial_filters(cnn.ImageShape(1, 10), 1)]
    shape = transformer.TransformerShape(8, 4, 1, 1, 2)
    return [tensor.numpy() for tensor in (*drawn, *transformer.initial_weights(shape, 1).values())]


def text():
    shape = transformer.TransformerShape(8, 4, 1, 1, 2)
    model = transformer.Transformer(shape, Parametrization(2, 1.0, 0.125), 0, "cpu")
    tokens = np.array([[0, 3, 7, 1, 2]])
    outcome = train_language(model, lambda step: (tokens + step) % 8, tokens, [0, 3], "cpu")
    return [outcome.loss, outcome.held_out, outcome.final]


def crops():
    images = np.arange(3 * 100, dtype=np.uint8).reshape(3, 10, 10, 1)
    split = ImageSplit(images, np.arange(3, dtype=np.uint8))
    dataset = ImageDataset.from_arrays("ramps", split, split, ("a", "b", "c"))
    return [ImageData(dataset, "cpu", torch.float32, test=3, crops=True).test_inputs.numpy()]


def denoiser():
    network = seeded(lambda: Denoiser(DenoiserShape(4)), 3)
    with torch.no_grad():
        out = network(
            torch.ones(1, 1, 28, 28, dtype=torch.float32), torch.ones(1, dtype=torch.float32), torch.tensor([3])
        )
    return [*pack(network).values(), out.numpy()]


def arrays(made):
    return list(made.values()) if isinstance(made, dict) else made


@pytest.mark.parametrize("make", [perceptron, weights, text, crops, denoiser], ids=lambda make: make.__name__)
def test_nothing_global_counts_or_is_changed(make):
    expected = arrays(make())
    torch.manual_seed(12345)
    before = torch.get_rng_state()
    torch.set_default_dtype(torch.float64)
    try:
        found = arrays(make())
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.equal(torch.get_rng_state(), before)
    for one, other in zip(expected, found, strict=True):
        assert one.dtype == other.dtype and one.tobytes() == other.tobytes()


def test_a_judge_leaves_global_random_numbers_alone():
    from neural_scaling.data.digits.classifier import Classifier

    kept = pack(seeded(Classifier, 0))
    before = torch.get_rng_state()
    classify(np.zeros((2, 28, 28, 1), np.uint8), kept)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_those_they_have_always_been():
    # The first numbers of seed 1, from which shipped results were trained; processors may differ in the last digit of a float32.
    expected = [0.1666756, 0.34387508, 0.5770535, 1.3751974, -1.093464, 1.0327903, 1.6176167, -0.28683174]
    expected += [0.87615865, 0.62056386, 0.21167292, -0.053912185, -1.7832699, -0.008594023]
    assert [float(part.ravel()[0]) for part in weights()] == pytest.approx(expected, rel=1e-6)
