"""Known modes with a tail are the plain sum over very many modes."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from neural_scaling.base.checks import InputError
from neural_scaling.predict import estimate_spectrum, extended
from neural_scaling.predict.tail import TailedModes
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_loss

MANY = 10**6
TIME = np.geomspace(0.1, 1e4, 9)


@pytest.mark.parametrize(("alpha", "beta"), [(1.5, 0.5), (3.0, 0.5), (1.2, 1.5)])
@pytest.mark.parametrize("known", [200, 3000])
def test_an_extended_spectrum_is_the_sum_over_a_million_modes(alpha, beta, known):
    law = PowerLaw(alpha, beta, known).spectrum()
    estimate = estimate_spectrum(3 * law.eigenvalues[::-1], 2 * law.target[::-1])
    modes = PowerLaw(alpha, beta, MANY).spectrum()
    power = 12 * modes.eigenvalues * modes.target**2
    plain = np.array([power @ np.exp(-6 * modes.eigenvalues * time) for time in TIME])
    rest = 12 * (MANY + 0.5) ** (-alpha * beta) / (alpha * beta)  # what lies behind is not learned at these times
    # The interpolation in eigenvalues resolves exponentials to 1e-4 of a loss where most of it is learned.
    np.testing.assert_allclose(lazy_loss(extended(estimate, TIME[-1]), TIME), plain + rest, rtol=2e-4)


@given(st.floats(0.6, 3.0), st.floats(0.1, 2.0), st.integers(1, 300))
def test_the_power_of_a_tail_is_that_of_its_modes(capacity, source, known):
    law = PowerLaw(capacity, source, known).spectrum()
    tail = (capacity, source, 2.0, 3.0)
    modes = TailedModes.of(2 * law.eigenvalues, 3 * law.eigenvalues * law.target**2, tail)
    quadrature, behind = modes.quadrature(1.0)
    found = quadrature.target_weights[behind] @ quadrature.nodes[behind]
    assert found == pytest.approx(modes.tail_power, rel=1e-6)


def test_the_mode_before_pays_for_negative_power():
    law = PowerLaw(1.5, 0.5, 400).spectrum()
    power = law.eigenvalues * law.target**2
    power[::7] *= -0.1
    modes = TailedModes.of(law.eigenvalues, power, (1.5, 0.5, 1.0, 1.0))
    assert modes.loss == pytest.approx(power.sum() - power[0] + modes.tail_power, rel=1e-10)  # none is before the first
    assert np.all(lazy_loss(modes.quadrature(1e6)[0], np.geomspace(0.1, 1e6, 50)) > 0)


def test_a_source_of_zero_has_no_tail():
    law = PowerLaw(1.5, 0.5, 200).spectrum()
    estimate = replace(estimate_spectrum(law.eigenvalues, law.target), source=0.0)
    with pytest.raises(InputError, match="estimate: its source is 0"):
        extended(estimate, 1.0)


@given(st.floats(0.6, 3.0), st.floats(0.1, 2.0), st.floats(0.01, 3.0), st.floats(0.0, 0.5))
def test_a_tail_ends_where_the_variance_is_used_up(capacity, source, share, noise):
    """Power of the tail and noise are all the variance that known modes leave, to within one mode."""
    law = PowerLaw(capacity, source, 50).spectrum()
    modes = TailedModes.of(law.eigenvalues, law.eigenvalues * law.target**2, (capacity, source, 1.0, 1.0))
    left = share * modes.tail_power + noise
    found = modes.within(left, noise)
    one = modes.amplitude * modes.first ** -(capacity * source + 1)
    assert found.noise >= noise
    assert found.tail_power + found.noise <= left * (1 + 1e-9)
    assert found.tail_power + found.noise >= left - one
    quadrature, behind = found.quadrature(1.0)
    # The last bin of modes is interpolated down to their end.
    assert quadrature.target_weights[behind] @ quadrature.nodes[behind] == pytest.approx(found.tail_power, rel=1e-6)
    assert modes.within(np.inf) == modes
