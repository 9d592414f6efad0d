"""Runs as values."""

from inputs.kinds import array, count, flag, real, seed, whole
from inputs.table import row
from neural_scaling.models import finite_data_runs, limit_runs
from neural_scaling.models import runs as experiments

law = {"alpha": real(1.5, above=0), "beta": real(0.5, above=0), "modes": count(20)}
setting = {**law, "eta": real(0.125, above=0), "gamma": real(1.0, least=0)}
steps = {**setting, "steps": whole(10)}
sizes = {"width": count(8), "batch": count(4)}
seeded = {**steps, "width": whole(8), "batch": count(4), "seeds": whole(2)}

ROWS = [
    row(experiments.InfiniteLimitRun, **steps),
    row(experiments.GradientFlowRun, **steps),
    row(experiments.OnlineDMFTRun, **steps, **sizes),
    row(experiments.LongDMFTRun, **setting, **sizes, time=real(8.0, above=0), until=real(4.0, above=0, infinite=True)),
    row(experiments.ToyModelRun, **seeded),
    row(
        experiments.LinearNetworkRun,
        alpha=law["alpha"],
        beta=law["beta"],
        modes=whole(20),
        width=whole(8),
        batch=count(4),
        eta0=setting["eta"],
        gammas=array((0.0, 0.5), least=0),
        steps=whole(10),
        seed=seed(),
    ),
    row(
        experiments.OrderRun,
        power=real(1.0, above=0),
        models=whole(3),
        modes=whole(20),
        gamma=setting["gamma"],
        eta=setting["eta"],
        steps=whole(10),
        seed=seed(),
    ),
    row(finite_data_runs.SampleReuseRun, **seeded, samples=whole(6)),
    row(finite_data_runs.SampleReuseDMFTRun, **steps, **sizes, samples=count(6)),
    row(finite_data_runs.SampleReuseFlowRun, **steps, **sizes, samples=count(6)),
    row(finite_data_runs.MinibatchDMFTRun, **steps, **sizes, fourth_moment=flag(True)),
    row(finite_data_runs.MinibatchRun, **seeded),
    row(
        limit_runs.LimitRun,
        alpha=law["alpha"],
        sources=array((0.5, 1.5), above=0),
        modes=whole(20),
        size=whole(4).also(21),
        seeds=whole(2),
        data=flag(True),
    ),
]
