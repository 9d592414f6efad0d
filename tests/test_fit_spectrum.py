"""Capacity and source of spectra whose exponents are known."""

import numpy as np
import pytest

from neural_scaling.checks import InputError
from neural_scaling.fits import fit_spectrum
from neural_scaling.spectra import PowerLaw, Spectrum


@pytest.mark.parametrize(("alpha", "beta"), [(1.2, 0.1), (1.5, 0.5), (2.0, 1.7)])
def test_power_laws_are_recovered(alpha, beta):
    fit = fit_spectrum(PowerLaw(alpha, beta, 3000).spectrum())
    assert fit.capacity == pytest.approx(alpha, abs=1e-9)
    # The mean over a bin is not the value at its centre: the same factor for all wide bins, not quite for narrow ones.
    assert fit.source == pytest.approx(beta, abs=0.02)
    assert fit.source_interval[0] < beta < fit.source_interval[1]


def test_scattering_coefficients_give_an_honest_interval():
    law = PowerLaw(1.5, 0.5, 3000).spectrum()
    inside, sources = 0, []
    for seed in range(40):
        scattered = law.target * np.random.default_rng(seed).normal(size=law.modes)
        fit = fit_spectrum(Spectrum(law.eigenvalues, scattered))
        inside += fit.source_interval[0] < 0.5 < fit.source_interval[1]
        sources.append(fit.source)
    # 95 % intervals: fewer than 32 of 40 would have a probability below 1e-3.
    assert inside >= 32
    assert np.mean(sources) == pytest.approx(0.5, abs=4 * np.std(sources) / np.sqrt(40) + 0.02)


@pytest.mark.parametrize(
    ("modes", "window", "message"),
    [(50, None, "spectrum: has 50 modes"), (500, (0.5, 100), "window: got"), (500, (10, 12), "window: ")],
)
def test_bad_input_names_argument_and_remedy(modes, window, message):
    with pytest.raises(InputError, match=message):
        fit_spectrum(PowerLaw(1.5, 0.5, modes).spectrum(), window)
