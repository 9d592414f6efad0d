"""Capacity and source of spectra whose exponents are known."""

import numpy as np
import pytest

from neural_scaling.base.checks import InputError
from neural_scaling.fits import fit_spectrum
from neural_scaling.spectra import PowerLaw, Spectrum


@pytest.mark.parametrize(("alpha", "beta"), [(1.2, 0.1), (1.5, 0.5), (2.0, 1.7)])
def test_power_laws_are_recovered(alpha, beta):
    fit = fit_spectrum(PowerLaw(alpha, beta, 3000).spectrum())
    assert fit.capacity == pytest.approx(alpha, abs=1e-9)
    assert fit.source == pytest.approx(beta, abs=1e-9)
    assert fit.source_interval[0] <= beta <= fit.source_interval[1]


@pytest.mark.parametrize("modes", [300, 2000])
def test_the_source_of_scattering_coefficients_has_no_bias(modes):
    law = PowerLaw(1.5, 0.4, modes).spectrum()
    draws = np.random.default_rng(1).standard_normal((300, modes))
    fits = [fit_spectrum(Spectrum(law.eigenvalues, law.target * draw)) for draw in draws]
    sources = np.array([fit.source for fit in fits])
    assert np.mean(sources) == pytest.approx(0.4, abs=4 * np.std(sources) / np.sqrt(300))
    # The scatter of squares of normal coefficients is 2, less a part of the order of one over the number of modes.
    assert np.mean([fit.target.scatter for fit in fits]) == pytest.approx(2, abs=0.15)


def test_a_bend_of_the_target_widens_the_interval():
    law = PowerLaw(1.5, 0.4, 2000).spectrum()
    mode = np.arange(1, 2001)
    fit = fit_spectrum(Spectrum(law.eigenvalues, law.target * (1 + 20 / mode)))
    assert fit.target.curvature > 10 * fit.target.statistical_error
    assert fit.source_interval[0] < 0.4 < fit.source_interval[1]


@pytest.mark.parametrize(
    ("modes", "window", "message"),
    [(50, None, "spectrum: has 50 modes"), (500, (0.5, 100), "window: got"), (500, (10, 12), "window: ")],
)
def test_bad_input_names_argument_and_remedy(modes, window, message):
    with pytest.raises(InputError, match=message):
        fit_spectrum(PowerLaw(1.5, 0.5, modes).spectrum(), window)
