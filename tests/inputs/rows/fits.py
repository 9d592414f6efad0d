"""Fits, windows and frontiers."""

import math
from dataclasses import replace

import numpy as np

from inputs.kinds import Shared, array, choice, flag, instance, pair, real, seed, several, texts, whole
from inputs.table import row
from neural_scaling import fits
from neural_scaling.spectra import PowerLaw

T = np.arange(1.0, 13.0)
L = 2.0 ** -np.arange(12)
NOISE = L / 64
CURVES = np.stack([L + 0.5, 2 * L + 0.5])
SPECTRUM = Shared(lambda: PowerLaw(1.5, 0.5, 200).spectrum())
FIT = Shared(lambda: fits.window_sensitivity(T, L, (1.0, 12.0)))
FRONTIER = Shared(lambda: fits.compute_frontier([8, 16, 32], STEPS, [64.0, 128.0]))
STEPS = [(T, 4.0 / T + shift) for shift in (0.25, 0.125, 0.0625)]

RUN, SIZE, DATA = (
    one.ravel() for one in np.broadcast_arrays(np.arange(8)[:, None], 4.0 ** np.arange(8)[:, None], 8.0 ** np.arange(4))
)
LOSSES = 0.5 + 1 / np.sqrt(SIZE) + 1 / np.sqrt(DATA)
LAW = Shared(lambda: fits.fit_scaling_law(SIZE, DATA, LOSSES, RUN, resamples=40))
POINTS = {
    "N": array(SIZE, above=0).also(SIZE[:5]).named("D", "L", "run"),
    "D": array(DATA, above=0).also(DATA[:5]),
    "L": array(LOSSES, above=0).also(LOSSES[:5]),
    "run": array(RUN, whole=True).also(RUN[:5], 0 * RUN),
    "version": choice("corrected"),
    "seed": seed(),
    "resamples": whole(40, 40),
}
BATCH = {"batch": array(2.0 ** (RUN % 2), above=0).also(DATA).or_none()}
IN_ONE_FORM = {name: replace(kind, forms_of=lambda right: []) for name, kind in (POINTS | BATCH).items()}
LAWS = ["chinchilla", "rich"]

t = array(T, above=0, ordered=True)
loss = array(L, above=0).also(L[:5])
sigma = array(NOISE, above=0).also(NOISE[:5])
laws = texts(LAWS).also([], ["another"], ["rich", "rich"], ["lazy", *LAWS])
window = pair((1.0, 12.0), (100.0, 200.0))

ROWS = [
    row(
        fits.binned_means,
        t=array(T, above=0, ordered=True, empty=True),
        values=array(L).also(L[:5]),
        start=real(1.0, above=0),
        per_decade=whole(3),
        fewest=whole(2, 2),
    ),
    row(fits.moving_average, values=array(L, empty=True), size=whole(3)),
    row(fits.scatter_excess, values=array(L, empty=True), row=whole(3), fewest=whole(2, 2)),
    row(fits.fit_power_law, t=t, L=loss, window=window.or_none(), sigma=sigma.or_none(), points=whole(16, 3)),
    row(fits.local_slope, t=t, L=loss, width=real(0.5, above=0), points=whole(4)),
    row(fits.fit_offset_power_law, t=t, L=loss, sigma=sigma),
    row(fits.fit_common_offset, t=t, L=array(CURVES, axes=2, above=0), sigma=array(CURVES / 64, axes=2, above=0)),
    row(
        fits.fit_spectrum,
        spectrum=instance(SPECTRUM),
        window=pair((8.0, 64.0)).or_none(),
    ),
    row(
        fits.window_sensitivity, t=t, L=loss, window=pair((2.0, 8.0)), sigma=sigma.or_none(), factor=real(1.5, above=1)
    ),
    row(
        fits.resampled_exponent,
        t=t,
        L=loss,
        window=pair((1.0, 12.0)),
        resampled=array([L, 2 * L], axes=2, above=0).or_none(),
    ),
    row(
        fits.frontier_start,
        alpha=real(1.5, above=1),
        beta=real(0.5, above=0),
        eta=real(0.125, above=0),
        gamma=real(1.0, least=0),
        c_max=real(2.0**30, above=1),
        B=real(math.inf, above=0, infinite=True),
        least=real(4.0, above=0),
    ),
    # Points in other forms go to the quickest law: what becomes of them is decided before one is fitted, for all at one place.
    row(fits.fit_scaling_law, **POINTS, law=choice("chinchilla")),
    row(fits.fit_scaling_law, **IN_ONE_FORM | BATCH, law=choice("rich")),
    row(fits.held_out_error, **IN_ONE_FORM, laws=laws, along=choice("N")),
    row(fits.compare_scaling_laws, **IN_ONE_FORM, laws=laws),
    row(fits.ScalingLawFit.interval, LAW, name=choice("a")),
    row(fits.ScalingLawFit.draws, LAW, name=choice("a")),
    row(
        fits.ScalingLawFit.loss,
        LAW,
        N=array(SIZE, axes=None, above=0),
        D=array(DATA, axes=None, above=0),
        B=array(math.inf, axes=None, above=0, infinite=True),
    ),
    row(fits.ScalingLawFit.allocation, LAW, compute=array([64.0, 128.0], above=0), per=real(1.0, above=0)),
    row(fits.Sensitivity.stable, FIT, predicted=real(1.0), tolerance=real(0.5, above=0)),
    row(
        fits.theory_window,
        alpha=real(1.5, above=1),
        beta=real(0.5, above=0),
        eta=real(0.125, above=0),
        gamma=real(1.0, least=0),
        t_max=real(2.0**20, above=0),
        N=real(math.inf, above=0, infinite=True),
        B=real(math.inf, above=0, infinite=True),
        modes=real(4.0, above=0),
        fraction=real(0.125, above=0, below=1),
        edge_step=real(2.0**18, least=0, infinite=True).or_none(),
        allow_empty=flag(True),
    ),
    row(
        fits.late_window,
        alpha=real(1.5, above=1),
        beta=real(0.5, above=0).also(1.0),
        gamma=real(1.0, least=0),
        last=real(2.0**20, above=0),
        modes=real(4.0, above=0),
    ),
    row(
        fits.compute_frontier,
        widths=array([8, 16, 32], above=0, ordered=True),
        curves=several(STEPS, STEPS[:2], [(T, L, L)] * 3),
        compute=array([64.0, 128.0], above=0, ordered=True).also([1e9]),
        reach=real(2.0, above=1),
    ),
]

EXEMPT = dict.fromkeys(
    (
        fits.Allocation,
        fits.CommonOffsetFit,
        fits.ComputeFrontier,
        fits.HeldOut,
        fits.LawComparison,
        fits.LocalSlope,
        fits.OffsetFit,
        fits.PowerLawFit,
        fits.ScalingLawFit,
        fits.Sensitivity,
        fits.SpectrumFit,
        fits.TargetFit,
        fits.Window,
    ),
    "a result that users read",
)
