"""The models by simulation: sample reuse, the model in full, linear networks; grids of recorded steps."""

import numpy as np

from inputs.kinds import array, choice, count, instance, real, seed, seeds, whole
from inputs.table import row
from neural_scaling.base import grids
from neural_scaling.base.monitor import Monitor
from neural_scaling.models import circle, direct_model, linear_models, linear_networks, sample_reuse
from neural_scaling.spectra import PowerLaw

LAW = PowerLaw(1.5, 0.5, 6)
SPECTRUM = LAW.spectrum()
INITIAL = direct_model.initial_features(SPECTRUM, 2, 0)

spectrum = instance(SPECTRUM)
width, samples, steps = whole(3), whole(4), whole(3)
eta, gamma = real(0.125, above=0), real(1.0, least=0)
batch, monitor = count(4), instance(Monitor()).or_none()
initial = array(INITIAL, axes=2).also(INITIAL[:, :3])
eigenvalues, target = array(SPECTRUM.eigenvalues, above=0), array(SPECTRUM.target).also(SPECTRUM.target[:3])
positive = real(1.5, above=0)
decay = real(1.25, above=0.5)

ROWS = [
    row(
        sample_reuse.simulate_reuse,
        spectrum=spectrum,
        width=width.also(7),
        samples=samples,
        eta=eta.also(3.0),
        gamma=gamma,
        steps=steps,
        seeds=seeds(),
        monitor=monitor,
    ),
    row(
        sample_reuse.reuse_limit,
        modes=spectrum,
        width=real(3.0, least=1, infinite=True),
        samples=real(4.0, least=1, infinite=True).also(3.0),
    ),
    row(direct_model.initial_features, spectrum=spectrum, width=width, seed=seed()),
    row(
        direct_model.train_directly,
        spectrum=spectrum,
        initial=initial,
        eta=eta,
        gamma=gamma,
        steps=steps,
        form=choice("factored"),
        batch=batch,
        seed=seed(),
    ),
    row(direct_model.best_in_span, spectrum=spectrum, initial=initial),
    row(
        linear_networks.literal_setting, gamma0=positive, eta0=eta, width=width, init_scale=real(0.5, above=0).or_none()
    ),
    row(linear_networks.richness, gamma=positive, width=width, init_scale=real(0.5, above=0)),
    row(
        linear_networks.train_linear_networks,
        spectrum=spectrum,
        width=width.also(7),
        eta0=eta.also(3.0),
        gammas=array([0.0, 0.5], least=0),
        steps=steps,
        seed=seed(),
        batch=batch,
        monitor=monitor,
    ),
    row(
        linear_networks.lazy_loss,
        spectrum=spectrum,
        width=count(3),
        eta0=eta,
        steps=array([0, 2], least=0),
        seed=seed(),
    ),
    row(
        linear_networks.power_window,
        alpha=real(2.0, above=1),
        beta=positive,
        eta0=eta,
        gamma0=real(1.0, least=0),
        width=width,
        batch=batch,
        last=real(2.0**10, above=0),
        edge_step=real(2.0**8, least=0, infinite=True).or_none(),
        modes=real(4.0, above=0),
        transient=real(0.25, above=0, below=1),
    ),
    row(linear_networks.spike_overlap, weight_norm=array([0.5, 8.0], axes=None, least=0), modes=width, width=width),
    row(
        linear_models.loss_curve,
        model=choice("projected"),
        eigenvalues=eigenvalues,
        target=target,
        features=initial,
        eta=eta,
        gamma=gamma,
        steps=steps,
    ),
    row(linear_models.projection_floor, eigenvalues=eigenvalues, target=target, features=initial),
    row(grids.log_spaced_steps, steps=steps, per_decade=whole(5)),
    row(
        grids.resampled,
        step=array([1.0, 2.0, 4.0], above=0, ordered=True),
        value=array([1.0, 0.5, 0.25], above=0).also([1.0]),
        at=array(np.array([[1.5, 2.5]]), axes=None, least=1 - 1e-6, most=4 + 1e-6),
    ),
    row(circle.source, q=decay, power=positive),
    row(circle.decay, beta=positive, power=positive),
    row(circle.variance, q=decay),
    row(circle.tail, q=decay, first=whole(2)),
    row(circle.target, theta=array([[0.5, -1.0]], axes=None), q=decay),
]

EXEMPT = dict.fromkeys(
    (
        direct_model.DirectRun,
        linear_networks.LinearNetworkHistory,
        linear_networks.LiteralSetting,
        sample_reuse.ReuseLimit,
        sample_reuse.ReuseSimulation,
    ),
    "a result that users read",
)
