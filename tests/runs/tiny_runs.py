"""A small run of every kind on made-up data, and the fewest safe points that it has to have."""

import functools
import importlib
import inspect
import pkgutil
from types import SimpleNamespace

import numpy as np

import companion
import neural_scaling
from companion import long_runs, moves_runs, own_runs
from neural_scaling.base.monitor import Monitor
from neural_scaling.data import entries
from neural_scaling.data.digits import quality_runs, sizes
from neural_scaling.data.digits import runs as diffusion
from neural_scaling.data.digits.sizes import Size
from neural_scaling.data.digits.weights import digest
from neural_scaling.data.text import TextDataset
from neural_scaling.models import finite_data_runs, limit_runs
from neural_scaling.models import runs as models
from neural_scaling.networks import cnn, image_runs, language_runs, weak_runs
from neural_scaling.networks import runs as circle
from neural_scaling.predict import estimate_spectrum
from neural_scaling.predict import runs as own
from neural_scaling.predict.forecast import drawn
from neural_scaling.runs import Experiment, Result
from neural_scaling.spectra import PowerLaw
from pictures import digits, made_up

INFINITE = float("inf")
DENOISER = diffusion.DenoiserRun(
    8, 12, 2e-3, 0.9, 0, 12, features=4, schedule="cosine", levels=20, darkest=-1.0, dropped=0.1
)
CLASSIFIER = diffusion.ClassifierRun(20, 12, 3e-3, 0.8, seed=0, until=12)


def classes():
    """Return all run classes of the library."""
    for package in (neural_scaling, companion):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    found, left = set(), [Experiment]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        if kind.__module__.startswith(("neural_scaling.", "companion.")) and not inspect.isabstract(kind):
            found.add(kind)
    return found


@functools.cache
def _digits():
    return SimpleNamespace(train=digits(300, 0), test=digits(100, 1))


@functools.cache
def _text():
    words = (np.cumsum(np.random.default_rng(0).choice([1, 5], 6400, p=[0.9, 0.1])) % 12).astype(np.uint16)
    return TextDataset("cycles", 12, words[:6000], words[6000:])


@functools.cache
def _modes():
    law = PowerLaw(1.5, 0.5, 100).spectrum()
    return drawn(estimate_spectrum(law.eigenvalues, law.target), 9)


@functools.cache
def _trained(run):
    return Result(run.run(Monitor()), {}, "computed")


def install(setattr):
    """Put made-up data and small networks in the place of the real ones, with a function like ``setattr``."""
    from neural_scaling import data as datasets

    setattr(datasets, "load", lambda name, size=None: _digits() if name == "mnist" else made_up(name=name))
    setattr(
        entries.Entry,
        "load",
        lambda entry, say=None: _digits() if entry.record.name == "mnist" else made_up(entry.record.name),
    )
    setattr(datasets, "version", lambda name: None)
    setattr(datasets, "load_text", lambda name: _text())
    setattr(diffusion, "trained", lambda run, name: _trained(run))
    setattr(diffusion, "MODELS", {"tiny": DENOISER})
    setattr(diffusion, "JUDGE", CLASSIFIER)
    setattr(cnn, "_BLOCK", 7)  # so that even a small kernel is added up in blocks and groups
    setattr(cnn, "_JACOBIAN_BYTES", 2**13)
    setattr(own_runs, "load", lambda name: made_up(120, name=name))
    setattr(own, "kept", lambda problem: _modes())
    setattr(sizes, "SIZES", {"small": Size("tiny", 2, 20, 10, 0.5, 4, 1.0)})


def tiny_runs():
    """Return a run and its fewest safe points by kind, once the data are installed."""
    weights, judge = digest(_trained(DENOISER).arrays), digest(_trained(CLASSIFIER).arrays)
    law = (1.5, 0.5, 60, 0.1, 1.0, 70)
    runs = [
        (models.ToyModelRun(*law, width=6, batch=4, seeds=3), 5),
        (models.InfiniteLimitRun(1.5, 0.5, INFINITE, 0.1, 1.0, 50), 50),
        (models.GradientFlowRun(1.5, 0.5, INFINITE, 0.1, 1.0, 200), 20),
        (models.OnlineDMFTRun(*law, width=6, batch=4), 70),
        (models.LongDMFTRun(1.5, 0.5, 60, 0.1, 1.0, 2.0, width=6, batch=4), 10),
        (models.LinearNetworkRun(1.5, 0.5, 30, 8, 4, 0.1, (0.0, 1.0), 40, 0), 40),
        (finite_data_runs.SampleReuseRun(*law, width=6, seeds=3, samples=9), 5),
        (finite_data_runs.SampleReuseDMFTRun(*law, width=6, samples=9), 70),
        (finite_data_runs.SampleReuseFlowRun(1.5, 0.5, 60, 0.1, 1.0, 10, width=6, samples=9), 10),
        (finite_data_runs.MinibatchDMFTRun(*law, width=6, batch=4, fourth_moment=True), 70),
        (finite_data_runs.MinibatchRun(*law, width=6, batch=4, seeds=20), 10),
        (limit_runs.LimitRun(1.5, (0.5, 1.5), 60, 8, 4, True), 4),
        (long_runs.LongRun(1.5, 0.5, 1.0, 2.0, (INFINITE, 8.0), (0.0, 0.02)), 20),
        (own.OwnFlowRun("made up", 1.0, 100.0, 0.1, 9, 10), 3),
        (own.OwnDMFTRun("made up", 1.0, 2.0, 1e3, 0.1, width=6, batch=4), 10),
        (models.OrderRun(1.0, 3, 16, 1.0, 0.05, 30, 0), 180),
        (circle.CircleRun(0.5, 1.0, 3, 8, 0.5, 0.1, 8, 130, 2, 64), 130),
        (circle.CircleModesRun(0.5, 1.0, 3, 8, 0.5, 0.1, 8, 130, 2, 64), 130),
        (moves_runs.MovesRun(0.5, 1.0, 3, 8, 0.5, 0.1, 8, 130, 2, 64), 130),
        (circle.OwnKernelRun((0.5, 1.5), 1.0, 3, 8, 0.1, 30, 4, 32), 4),
        (weak_runs.WeakRun(0.25, 3, 8, 0.1, INFINITE, 0.3, 12, 2, 128), 12),
        (image_runs.ImageRun("made-up", 0, 16, False, 4, 0.5, 0.1, 4, 20, 2), 20),
        (image_runs.KernelRun("made-up", 20, 10, False, 3, 0), 40),
        (image_runs.MixingRun("made-up", 12, 3, 0), 3),
        (own_runs.OwnForecastRun("made-up", 100, 20, 4), 1),
        (own_runs.OwnTrainingRun("made-up", 100, 20, 4, 0.5, 0.05, 8, 6, 2), 14),
        (language_runs.LanguageRun("cycles", 8, 2, 2, 8, 4.0, 0.1, 4.0, 8, 20, 3, 5), 20),
        (language_runs.NgramRun("cycles", 5000), 1),
        (DENOISER, 12),
        (CLASSIFIER, 12),
        (diffusion.ShardRun("tiny", weights, 0.5, 4, 1.0, 20, 10, 0, 0), 3),
        (quality_runs.QualityRun("small", weights, judge, images=40, each=3, repeats=1, neighbours=30, seed=0), 8),
    ]
    return {run.kind: (run, least) for run, least in runs}
