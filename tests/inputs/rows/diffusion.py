"""Digits by diffusion."""

import numpy as np
import torch

from inputs.kinds import Fresh, Kind, Shared, array, call, choice, instance, pair, real, seed, tensor, text, whole
from inputs.table import row
from neural_scaling.base.monitor import Monitor
from neural_scaling.data.digits import (
    classifier,
    dataset,
    denoiser,
    noise,
    objective,
    quality,
    quality_runs,
    sampler,
    sizes,
    weights,
)
from neural_scaling.data.digits import optimization as training
from neural_scaling.data.digits import runs as experiments

LABELS = np.repeat(np.arange(10, dtype=np.uint8), 2)
PIXELS = np.random.default_rng(0).integers(256, size=(20, 28, 28, 1)).astype(np.uint8)

network = Shared(lambda: training.seeded(lambda: denoiser.Denoiser(denoiser.Shape(4)), 0))
judge = Shared(lambda: training.seeded(classifier.Classifier, 0))
judge_weights = Shared(lambda: weights.pack(judge.get()))
schedule = Shared(lambda: noise.NoiseSchedule.named("cosine", 4))
drawer = Shared(lambda: sampler.Sampler(network.get(), schedule.get(), 2, 0.5, 0.5, -1.0))
optimization = training.Optimization(4, 0.125, 0.5)
images = array(PIXELS[:2], axes=4, least=0, most=255, whole=True)
x = tensor(torch.zeros(2, 1, 28, 28), torch.zeros(2, 1, 28, 28, dtype=torch.float64), torch.zeros(2, 1, 14, 14))
label = Kind(
    torch.tensor([3, 10]), lambda right: [None, "text", 3, right.numpy(), right.tolist(), right.float(), right[None]]
)
random = Kind(Fresh(lambda: np.random.default_rng(0)), lambda right: [None, "text", 3, np.random.default_rng])
steps, churn, guidance = whole(2, 1, 4), real(0.5, least=0, most=1), real(0.5, least=0)
packed = Kind(judge_weights, lambda right: [None, "text", 3, {"weight a": 1}, [right]]).named("weights")
positive = real(0.125, above=0)
kept = {"rate": positive, "average": real(0.5, least=0, below=1)}
trained_ones = {"batch": whole(2), "steps": whole(4), **kept, "seed": seed(), "until": whole(2)}


def fitted() -> torch.nn.Module:
    return training.seeded(lambda: torch.nn.Linear(1, 1), 0)


def parabola(step: int) -> torch.Tensor:
    return torch.zeros((), requires_grad=True) ** 2 + step


ROWS = [
    row(noise.NoiseSchedule, beta=array([0.25, 0.5], above=0, below=1)),
    row(noise.NoiseSchedule.named, kind=choice("cosine"), levels=whole(4, 2)),
    row(noise.NoiseSchedule.visited, schedule, steps=steps),
    row(denoiser.Shape, features=whole(8, 4).also(6)),
    row(denoiser.Denoiser, shape=instance(denoiser.Shape(4))),
    row(denoiser.Denoiser.forward, network, x=x, time=tensor(torch.zeros(2), torch.zeros(3)), label=label),
    row(sampler.guided, denoiser=call(network), label=label, guidance=guidance, levels=whole(4)),
    row(
        sampler.sample,
        predict=call(lambda x, level: x / 2),
        schedule=instance(schedule),
        noise=call(lambda: torch.ones(2)),
        steps=steps,
        churn=churn,
        bounds=pair((-1.0, 1.0), least=-np.inf).or_none(),
    ),
    row(
        sampler.Sampler,
        denoiser=instance(network),
        schedule=instance(schedule),
        steps=steps,
        churn=churn,
        guidance=guidance,
        darkest=real(-1.0, below=1),
    ),
    row(sampler.Sampler.draw, drawer, labels=array([3, 1], least=0, most=10, whole=True), random=random),
    row(training.Optimization, steps=whole(4), **kept),
    row(training.Optimization.rate_at, Shared(lambda: optimization), step=whole(2, 0)),
    row(training.seeded, make=call(lambda: torch.nn.Linear(1, 1)), seed=seed()),
    row(
        training.train,
        network=instance(Fresh(fitted)),
        loss=call(parabola),
        how=instance(optimization),
        monitor=instance(Monitor()),
        until=whole(2).or_none(),
    ),
    row(
        objective.denoising_loss,
        denoiser=instance(network),
        schedule=instance(schedule),
        x=x,
        label=label,
        dropped=real(0.5, least=0, most=1),
        random=random,
    ),
    row(weights.pack, network=instance(judge)),
    row(weights.unpack, arrays=packed.also({}), network=instance(judge)),
    row(weights.digest, arrays=packed),
    row(classifier.classify, images=images, kept=packed.also({})),
    row(classifier.Classifier.features, judge, x=x),
    row(classifier.Classifier.forward, judge, x=x),
    row(
        sizes.Size,
        model=text("reduced"),
        shards=whole(2),
        images=whole(4),
        batch=whole(2),
        guidance=guidance,
        steps=whole(2),
        churn=churn,
        seed=seed(),
    ),
    row(sizes.find, size=choice("small")),
    row(dataset.origin, size=choice("small")),
    row(
        quality.frechet_distance,
        one=array([[0.0, 1.0], [1.0, 0.5]], axes=2),
        other=array([[0.5, 1.0], [1.0, 0.25]], axes=2),
    ),
    row(quality.nearest, images=images, among=images),
    row(
        quality.normal_digits,
        images=array(PIXELS[:, :4, :4], axes=4, least=0, most=255, whole=True),
        labels=array(LABELS, least=0, most=9, whole=True),
        each=whole(1),
        seed=seed(),
    ),
    row(quality.grey_values, images=images),
    row(experiments.ClassifierRun, **trained_ones),
    row(
        experiments.DenoiserRun,
        **trained_ones,
        features=whole(4),
        schedule=choice("cosine"),
        levels=whole(4, 2),
        darkest=real(-1.0, below=1),
        dropped=real(0.5, least=0, below=1),
    ),
    row(
        experiments.ShardRun,
        model=text("reduced"),
        weights=text("0123"),
        guidance=guidance,
        steps=whole(2),
        churn=churn,
        images=whole(4).also(3),
        batch=whole(2).named("images"),
        seed=seed(),
        shard=whole(0, 0),
    ),
    row(experiments.trained_denoiser, model=choice("reduced")),
    row(
        quality_runs.QualityRun,
        size=text("small"),
        weights=text("0"),
        judge=text("1"),
        images=whole(4),
        each=whole(2, 2),
        repeats=whole(1),
        neighbours=whole(2),
        seed=seed(),
    ),
]

_READ = "a result that users read"
_WEIGHTS = "refuses a size as find does; tested with small weights"
EXEMPT = {
    training.Trained: _READ,
    classifier.Judged: _READ,
    quality.Nearest: _READ,
    training.Shown: "needs MNIST; tested with a training of the judge",
    training.Shown.draw: "needs MNIST; tested with a training of the judge",
    experiments.trained: "called with the networks that there are",
    dataset.planned: _WEIGHTS,
    dataset.version: _WEIGHTS,
    dataset.shards: _WEIGHTS,
}
