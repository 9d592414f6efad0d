"""Spectra, mean field theory, the projected model by simulation."""

import math

import numpy as np

from inputs.kinds import Shared, array, count, flag, instance, real, seeds, several, whole
from inputs.table import row
from neural_scaling import dmft
from neural_scaling.base.monitor import Monitor
from neural_scaling.dmft import Case, TimeGrid
from neural_scaling.models import toy_model
from neural_scaling.spectra import ModeQuadrature, PowerLaw, Spectrum

LAW = PowerLaw(1.5, 0.5, 6)
SPECTRUM = LAW.spectrum()
QUADRATURE = SPECTRUM.quadrature()
UNIT, LONG = TimeGrid.unit_steps(0.125, 4), TimeGrid.log_spaced(0.125, 8.0)
FLOW = Shared(lambda: dmft.kernel_flow(QUADRATURE, 1.0, [0.0, 1.0, 4.0]))
POSITIVE = Shared(lambda: dmft.kernel_flow(QUADRATURE, 1.0, [1.0, 4.0]))

modes, spectrum = instance(QUADRATURE, np.ones((3, 2))), instance(SPECTRUM)
gamma, eta = real(1.0, least=0), real(0.125, above=0)
width, batch, steps = count(3), count(4), whole(4)
times = array([0.0, 1.0, 4.0], least=0, ordered=True)
tolerance = real(2.0**-20, above=0)
eigenvalues = array(SPECTRUM.eigenvalues, above=0).also(SPECTRUM.eigenvalues[::-1])
monitor = instance(Monitor()).or_none()

ROWS = [
    row(PowerLaw, alpha=real(1.5, above=0), beta=real(0.5, above=0), modes=count(6)),
    row(PowerLaw.quadrature, Shared(lambda: PowerLaw(1.5, 0.5)), horizon=real(8.0, above=0), nodes_per_bin=whole(4, 2)),
    row(Spectrum, eigenvalues=eigenvalues, target=array(SPECTRUM.target).also([1.0])),
    row(
        PowerLaw.tail,
        Shared(lambda: PowerLaw(1.5, 0.5)),
        first=whole(3),
        horizon=real(8.0, above=0),
        nodes_per_bin=whole(4, 2),
        summed=whole(64, 1, 2**17),
    ),
    row(Spectrum.compressed, Shared(lambda: PowerLaw(1.5, 0.5, 100).spectrum()), nodes_per_bin=whole(4, 2, 40)),
    row(
        ModeQuadrature,
        nodes=eigenvalues,
        weights=array(np.ones(6)).also([1.0], -np.ones(6)),
        target_weights=array(QUADRATURE.target_weights).also([1.0], -np.ones(6)),
        horizon=real(8.0, above=0, infinite=True),
    ),
    row(TimeGrid.unit_steps, eta=eta, steps=steps),
    row(TimeGrid.log_spaced, eta=eta, end=real(8.0, above=0), cells_per_decade=real(4.0, above=0), first=eta.or_none()),
    row(TimeGrid.head, Shared(lambda: LONG), until=real(4.0, least=0, infinite=True)),
    row(TimeGrid.refined, Shared(lambda: LONG), after=real(1.0, least=0)),
    row(
        dmft.solve,
        modes=modes,
        gamma=gamma,
        grid=instance(UNIT),
        width=width,
        batch=batch.also(0.5),
        samples=count(math.inf).without(lambda wrong: wrong == math.inf).also(4),
        fourth_moment=flag(True),
        estimate_error=flag(True),
        monitor=monitor,
    ),
    row(
        dmft.solve,
        modes=modes,
        gamma=gamma,
        grid=instance(None, LONG).or_none(),
        until=real(0.125, above=0).without(lambda wrong: wrong is None),
        eta=eta.or_none(),
        tolerance=real(0.5, above=0),
    ),
    row(
        dmft.solve_many,
        modes=modes,
        cases=several([Case(1.0, 3)]),
        grid=instance(UNIT),
        workers=whole(1).also(0, -3),
        estimate_error=flag(False),
    ),
    row(
        dmft.infinite_limit,
        modes=modes,
        eta=eta.also(3.0),
        gamma=gamma,
        steps=steps,
        record=array([0, 2, 4], least=0, most=4, whole=True, ordered=True).or_none(),
        monitor=monitor,
    ),
    row(dmft.gradient_flow, modes=modes, gamma=gamma, time=times, relative_tolerance=tolerance, monitor=monitor),
    row(dmft.kernel_flow, modes=modes, gamma=gamma, time=times),
    row(dmft.KernelFlow.eigenvalue_at, FLOW, level=real(0.5, above=0, below=1)),
    row(dmft.decay_terms, flow=instance(FLOW)),
    row(dmft.printed_ratio, flow=instance(POSITIVE)),
    row(dmft.mean_square_stability, modes=modes, eta=eta, batch=batch),
    row(dmft.largest_stable_eta, modes=modes, batch=batch),
    row(
        toy_model.simulate,
        spectrum=spectrum,
        width=whole(3).also(7),
        eta=eta.also(3.0),
        gamma=gamma,
        steps=steps,
        seeds=seeds(),
        batch=batch,
        monitor=monitor,
        keep_diverged=flag(True),
    ),
]

EXEMPT = {
    **dict.fromkeys(
        (
            dmft.DecayTerms,
            dmft.InfiniteLimit,
            dmft.KernelFlow,
            dmft.OrderParameters,
            dmft.Solution,
            toy_model.Simulation,
        ),
        "a result that users read",
    ),
    TimeGrid: "made by its methods",
    TimeGrid.fitted: "called by solvers, which know the setting",
    ModeQuadrature.check_resolved: "called by solvers, which know the time they reach",
    Case: "checked by solve_many, which returns the refusal of a case in its place",
}
