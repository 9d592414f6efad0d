"""Networks, their data and their kernels."""

import numpy as np
import torch

from inputs.kinds import (
    Fresh,
    Kind,
    Shared,
    array,
    call,
    device,
    flag,
    instance,
    real,
    seed,
    several,
    tensor,
    text,
    whole,
)
from inputs.table import row
from neural_scaling.base import devices
from neural_scaling.base.monitor import Monitor
from neural_scaling.data import ImageDataset, ImageSplit
from neural_scaling.networks import (
    activations,
    circle_data,
    circle_kernel,
    cnn,
    image_batches,
    image_kernel,
    image_runs,
    kernels,
    language_runs,
    language_training,
    mlp,
    output_mixing,
    parametrization,
    token_loss,
    training,
    transformer,
    weak_runs,
)
from neural_scaling.networks import runs as experiments
from neural_scaling.networks.mlp import Member, Shape
from neural_scaling.networks.parametrization import Parametrization

DOUBLE = torch.float64


def numbers(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    count = int(np.prod(shape))
    return (torch.arange(count, dtype=torch.float64) / max(count, 1) - 0.25).reshape(shape).to(dtype)


def precise(tensor_: torch.Tensor) -> torch.Tensor:
    return tensor_.double()


def floats(*shape: int) -> Kind:
    """A tensor of float32; another precision, or one number more along the last axis, is wrong."""
    right = numbers(*shape)
    return tensor(right, right.double(), numbers(*shape[:-1], shape[-1] + 1))


def rows_of(*shape: int) -> Kind:
    """A tensor of float32 with any number of axes before the last; another one of the same call has as many."""
    kind = floats(*shape)
    return Kind(kind.right, lambda right: [wrong for wrong in kind.wrong() if getattr(wrong, "ndim", 0) <= len(shape)])


def indices(*shape: int) -> Kind:
    """A tensor of int64."""
    right = torch.zeros(shape, dtype=torch.int64)
    return Kind(right, lambda right: [None, "text", 3, right.tolist(), right.numpy(), right.float(), right.int()])


member = Member(0, 1.0, 0.125)
members = several([member], [0])
lazy_members = several([Member(0, 0.0, 0.125)], [0])
shape = Shape(3, 4)
image_shape = cnn.ImageShape(1, 10, 1, 2)
text_shape = transformer.TransformerShape(8, 4, 1, 1, 2)
precision = Kind(torch.float32, lambda right: ["float32", None, torch.float16, torch.int64, np.float32, 32])
any_precision = precision.or_none()

model = Shared(lambda: mlp.ensemble(shape, [member], "cpu"))
trained = Fresh(lambda: mlp.ensemble(shape, [member], "cpu"))
lazy = Shared(lambda: mlp.ensemble(shape, [Member(0, 0.0, 0.125)], "cpu"))
lazily_trained = Fresh(lambda: mlp.ensemble(shape, [Member(0, 0.0, 0.125)], "cpu"))
images_model = Shared(lambda: cnn.image_ensemble(image_shape, [member], "cpu"))
images_trained = Fresh(lambda: cnn.image_ensemble(image_shape, [member], "cpu"))
images_lazy = Shared(lambda: cnn.image_ensemble(image_shape, [Member(0, 0.0, 0.125)], "cpu"))
images_lazily = Fresh(lambda: cnn.image_ensemble(image_shape, [Member(0, 0.0, 0.125)], "cpu"))
reader = Shared(lambda: transformer.Transformer(text_shape, Parametrization(2, 1.0, 0.125), 0, "cpu"))
trained_reader = Fresh(lambda: transformer.Transformer(text_shape, Parametrization(2, 1.0, 0.125), 0, "cpu"))


@Shared
def circle() -> circle_data.CircleData:
    return circle_data.CircleData([1.5], "cpu", torch.float32, 16, 8)


def pictures() -> ImageDataset:
    random = np.random.default_rng(0)
    split = ImageSplit(random.integers(256, size=(6, 10, 10, 1), dtype=np.uint8), np.arange(6, dtype=np.uint8) % 2)
    return ImageDataset.from_arrays("dots", split, split, ("even", "odd"))


dots = Shared(pictures)
dots_data = Shared(lambda: image_batches.ImageData(dots.get(), "cpu", torch.float32, test=4))
head = Shared(lambda: token_loss.CentredReadout(numbers(2, 8), numbers(2, 8), 0.5))
tokens = torch.tensor([[0, 3, 7, 1]])
tokens_kind = Kind(
    tokens,
    lambda right: [
        None,
        "text",
        3,
        right.numpy(),
        right.tolist(),
        right.float(),
        right + 5,
        -right,
        right[0],
        right[:, :0],
    ],
)
steps = array([0, 1, 3], least=0, whole=True, ordered=True).also([0, 1, 1], [0.5, 1.5], [-1, 2])


def wrong_data(right: circle_data.CircleData) -> list[object]:
    empty = circle_data.CircleData([1.5], "cpu", torch.float32, 16, 8)
    empty.test_inputs = empty.test_inputs[:0]
    spoilt = circle_data.CircleData([1.5], "cpu", torch.float32, 16, 8)
    spoilt.test_inputs = spoilt.test_inputs * float("nan")
    other = circle_data.CircleData([1.5], "cpu", DOUBLE, 16, 8)
    mixed = circle_data.CircleData([1.5], "cpu", torch.float32, 16, 8)
    mixed._values = mixed._values.double()
    return [None, "text", 3, np.ones(2), type(right), [right], empty, spoilt, other, mixed]


symmetric = np.array([[2.0, 0.5], [0.5, 1.0]])
matrix = array(symmetric, axes=2).also([[1.0, 2.0], [0.0, 1.0]], symmetric[:1])
targets = array([[1.0], [-1.0]], axes=2)
across = array([[0.5, 0.25]], axes=2)
test_targets = array([[0.5]], axes=2)
times = array([0.5, 2.0], least=0)
modes = Shared(lambda: image_kernel.decompose(symmetric, [[1.0], [-1.0]], [[0.5, 0.25]], 2))
square = torch.from_numpy(symmetric)[None]

width, richness, eta = whole(4), real(1.0, least=0), real(0.125, above=0)
positive = real(1.0, above=0)
dataset, crops = text("mnist5k"), flag(False)
trainable = {"y": floats(1, 2), "frozen": floats(1, 2)}
image_trainable = {"y": floats(1, 2, 2), "frozen": floats(1, 2, 2)}
inputs, pixels = floats(1, 2, 2), floats(1, 2, 100)

_other = Kind("softplus", lambda right: ["another", 0.5, True, [1.0]])
_by_name = Kind("tanh", lambda right: ["another", None, True, [right]])
ROWS = [
    row(parametrization.Parametrization, width=width, richness=richness, eta=eta),
    row(
        parametrization.Parametrization.as_mup,
        Shared(lambda: Parametrization(4, 1.0, 0.5)),
        base_width=width,
        inputs=width,
    ),
    row(parametrization.hidden_scale, fan_in=width),
    row(parametrization.precision, richness=richness),
    row(activations.PowerReLU, power=real(1.0, above=0.5)),
    row(activations.Elementwise, function=_by_name.named("activation")),
    row(activations.activation, given=_by_name.named("activation")),
    row(mlp.Member, seed=seed(), richness=richness, eta=eta),
    row(
        mlp.Shape,
        depth=whole(3, 2),
        width=width,
        inputs=whole(2),
        power=real(1.0, above=0.5),
        activation=_other,
    ),
    row(mlp.MLPEnsemble, shape=instance(shape), members=members, device=device(), dtype=precision),
    row(mlp.LinearisedEnsemble, shape=instance(shape), members=lazy_members, device=device(), dtype=precision),
    row(mlp.ensemble, shape=instance(shape), members=members, device=device(), dtype=any_precision),
    row(mlp.initial_weights, shape=instance(shape), seed=seed()),
    row(mlp.MLPEnsemble.raw, model, x=inputs),
    row(mlp.MLPEnsemble.initial, model, x=inputs),
    row(mlp.MLPEnsemble.arguments, model, x=inputs),
    row(mlp.MLPEnsemble.centred, model, x=inputs, frozen=floats(1, 2)),
    row(mlp.MLPEnsemble.step, trained, x=inputs, **trainable),
    row(mlp.MLPEnsemble.tangent_kernel, model, x=floats(3, 2)),
    row(mlp.LinearisedEnsemble.initial, lazy, x=inputs),
    row(mlp.LinearisedEnsemble.centred, lazy, x=inputs, frozen=floats(1, 2, 16)),
    row(mlp.LinearisedEnsemble.step, lazily_trained, x=inputs, y=floats(1, 2), frozen=floats(1, 2, 16)),
    row(cnn.ImageShape, width=width, size=whole(10, 10), channels=whole(1), outputs=whole(2), activation=_other),
    row(cnn.CNNEnsemble, shape=instance(image_shape), members=members, device=device(), dtype=precision),
    row(cnn.LinearisedCNNEnsemble, shape=instance(image_shape), members=lazy_members, device=device(), dtype=precision),
    row(cnn.image_ensemble, shape=instance(image_shape), members=members, device=device(), dtype=any_precision),
    row(cnn.initial_filters, shape=instance(image_shape), seed=seed()),
    row(cnn.CNNEnsemble.raw, images_model, x=pixels),
    row(cnn.CNNEnsemble.initial, images_model, x=pixels),
    row(cnn.CNNEnsemble.centred, images_model, x=pixels, frozen=floats(1, 2, 2)),
    row(cnn.CNNEnsemble.step, images_trained, x=pixels, **image_trainable),
    row(cnn.CNNEnsemble.tangent_kernel, images_model, x=floats(3, 100)),
    row(cnn.CNNEnsemble.mean_kernel, images_model, x=floats(3, 100), monitor=instance(Monitor()).or_none()),
    row(cnn.LinearisedCNNEnsemble.initial, images_lazy, x=pixels),
    row(cnn.LinearisedCNNEnsemble.centred, images_lazy, x=pixels, frozen=floats(1, 2, 0)),
    row(devices.find_device, name=device().named("device")),
    row(devices.describe_device, device=device()),
    row(
        devices.working_dtype,
        precisions=several(["float32"], ["float16"], empty=True),
        device=device(),
        dtype=any_precision,
    ),
    row(
        circle_data.CircleData,
        decays=array([1.5, 0.75], above=0.5),
        device=device(),
        dtype=precision,
        angles=whole(16, 4),
        test_angles=whole(8, 4).also(9),
    ),
    row(circle_data.CircleData.take, circle, index=indices(1, 3)),
    row(circle_data.CircleData.targets, circle, index=indices(1, 3)),
    row(circle_data.CircleData.loss, circle, output=floats(1, 8)),
    row(
        circle_kernel.circle_kernel,
        depth=whole(2, 2),
        power=real(1.0, above=0.5),
        modes=whole(3).also(8),
        angles=whole(16, 4).also(15).named("modes"),
    ),
    row(
        circle_kernel.power_correlation,
        correlation=array([0.5, -1.0], axes=None, least=-1, most=1),
        exponent=real(1.0, above=-0.5),
    ),
    row(
        circle_kernel.lazy_loss,
        eigenvalues=array([1.0, 0.5]),
        beta=positive,
        power=positive,
        eta=eta,
        steps=array([0.0, 2.0], least=0),
    ),
    row(
        circle_kernel.unlearned_clock,
        step=array([0.0, 2.0], ordered=True),
        modes=array([[1.0, 0.5, 0.25], [1.0, 0.75, 0.5]], axes=2, above=0),
        decay=real(1.0, above=0.5),
        eta=eta,
    ),
    row(kernels.kernel_trace, kernel=tensor(square)),
    row(kernels.kernel_sharpness, kernel=tensor(square, torch.tensor([[[1.0, 2.0], [0.0, 1.0]]]))),
    row(kernels.circle_spectrum, kernel=tensor(square)),
    row(kernels.circle_cosines, kernel=tensor(square), modes=whole(0, 0).also(2)),
    row(
        training.train,
        model=Kind(trained, lambda right: [None, "text", 3, np.ones(2), type(right), [right]]),
        data=Kind(circle, wrong_data),
        recorded=steps,
        batch=whole(2),
        monitor=instance(Monitor()).or_none(),
        observe=Kind({"one": lambda: torch.ones(1)}, lambda right: ["text", 3, {"one": 1}, [right["one"]]]),
        compiled=flag(False),
    ),
    row(
        image_batches.ImageData,
        dataset=instance(dots),
        device=device(),
        dtype=precision,
        images=whole(4, 1, 6).or_none(),
        test=whole(4, 1, 6),
        crops=crops,
        replacement=flag(True),
    ),
    row(image_batches.ImageData.take, dots_data, index=indices(1, 3)),
    row(image_batches.ImageData.targets, dots_data, index=indices(1, 3)),
    row(image_batches.ImageData.loss, dots_data, output=floats(1, 4, 2)),
    row(image_kernel.decompose, kernel=matrix, targets=targets, across=across, images=whole(2, 1, 2)),
    row(
        image_kernel.sampled_kernel,
        kernel=matrix,
        targets=targets,
        across=across,
        test_targets=test_targets,
        time=times,
    ),
    row(image_kernel.Modes.flow, modes, test_targets=test_targets, time=times),
    row(
        output_mixing.mixing_curves,
        kernel=matrix,
        targets=targets,
        across=across,
        test_targets=test_targets,
        time=times,
    ),
    *(
        row(
            kind,
            beta=positive,
            power=real(1.0, above=0.5),
            depth=whole(3, 2),
            width=width,
            richness=richness,
            eta=eta,
            batch=whole(2),
            steps=whole(2),
            seeds=whole(2),
            angles=whole(16, 4),
            first_seed=seed(),
            last_only=flag(),
        )
        for kind in (experiments.CircleRun, experiments.CircleModesRun)
    ),
    row(
        weak_runs.WeakRun,
        beta=positive,
        depth=whole(3, 2),
        width=width,
        richness=positive,
        sharpness=real(4.0, above=0, infinite=True),
        eta=eta,
        steps=whole(2),
        seeds=whole(2),
        angles=whole(128, 128),
    ),
    row(weak_runs.displaced, run=instance(weak_runs.WeakRun(0.5, 2, 4, 1.0, 4.0, 0.125, 2, 2, 128)), size=positive),
    row(
        experiments.OwnKernelRun,
        betas=array((0.5, 1.5), above=0),
        power=real(1.0, above=0.5),
        depth=whole(3, 2),
        width=width,
        eta=eta,
        steps=whole(2),
        seeds=whole(2),
        angles=whole(16, 4),
    ),
    row(
        experiments.CircleRun.up_to,
        Shared(lambda: experiments.CircleRun(1.0, 1.0, 3, 4, 1.0, 0.1, 2, 2, 2, 16)),
        seeds=whole(4),
    ),
    row(
        image_runs.ImageRun,
        dataset=dataset,
        images=whole(0, 0),
        test=whole(4),
        crops=crops,
        width=width,
        richness=richness,
        eta=eta,
        batch=whole(2),
        steps=whole(2),
        seeds=whole(1),
        last_only=flag(),
    ),
    row(image_runs.KernelRun, dataset=dataset, images=whole(4), test=whole(4), crops=crops, width=width, seed=seed()),
    row(image_runs.MixingRun, dataset=dataset, images=whole(4), width=width, seed=seed()),
    row(
        language_runs.LanguageRun,
        dataset=dataset,
        context=whole(4),
        depth=whole(1),
        heads=whole(1),
        head_size=whole(2),
        residual=positive,
        richness=positive,
        eta=eta,
        batch=whole(2),
        steps=whole(2),
        seed=seed(),
        test=whole(1),
    ),
    row(language_runs.NgramRun, dataset=dataset, tokens=whole(4, 2)),
    row(
        transformer.TransformerShape,
        vocabulary=whole(8, 2),
        context=whole(4),
        depth=whole(1),
        heads=whole(1),
        head_size=whole(2),
        residual=positive,
        activation=_other,
    ),
    row(
        transformer.Transformer,
        shape=instance(text_shape),
        scale=instance(Parametrization(2, 1.0, 0.125)),
        seed=seed(),
        device=device(),
        dtype=precision,
    ),
    row(transformer.initial_weights, shape=instance(text_shape), seed=seed()),
    row(transformer.Transformer.logits, reader, tokens=tokens_kind),
    row(transformer.Transformer.evaluate, reader, tokens=tokens_kind),
    row(transformer.Transformer.step, trained_reader, tokens=tokens_kind),
    row(token_loss.CentredReadout, start=tensor(numbers(2, 8)), displacement=floats(2, 8), richness=positive),
    row(token_loss.CentredReadout.joined, head, features=rows_of(3, 2), initial=floats(3, 2)),
    *(
        row(loss, head=instance(head), features=rows_of(3, 2), initial=floats(3, 2), targets=indices(3))
        for loss in (token_loss.token_loss, token_loss.token_loss_gradient)
    ),
    row(
        language_training.train_language,
        model=Kind(trained_reader, lambda right: [None, "text", 3, np.ones(2), type(right), [right]]),
        batches=call(lambda step: tokens.numpy()).also(lambda step: tokens.numpy() + 5),
        held_out=array([[0, 3, 7]], axes=2, least=0, most=7, whole=True),
        recorded=steps,
        device=device(),
        monitor=instance(Monitor()).or_none(),
    ),
]

_READ = "a result that users read"
_STEP = "called within a step, whose input is checked"
EXEMPT = {
    parametrization.MupSettings: _READ,
    training.Training: _READ,
    language_training.LanguageTraining: _READ,
    image_kernel.SampledKernel: _READ,
    image_kernel.Modes: _READ,
    circle_kernel.CircleKernel: _READ,
    activations.PowerReLU.evaluate: _STEP,
    activations.PowerReLU.times_slope: _STEP,
    activations.Elementwise.evaluate: _STEP,
    activations.Elementwise.times_slope: _STEP,
}
