"""The loss at finite width by one inverse Laplace transform is that of the mean field equations."""

import numpy as np
import pytest

from neural_scaling import dmft, theory
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory.finite_size import width_loss


@pytest.mark.long
@pytest.mark.parametrize(("alpha", "beta", "width"), [(1.5, 0.5, 64), (1.2, 1.5, 200), (2.5, 2.0, 16)])
def test_it_is_the_mean_field_solution(alpha, beta, width):
    modes = PowerLaw(alpha, beta).quadrature(1e5, 8)
    solution = dmft.solve(modes, 0.0, dmft.TimeGrid.log_spaced(1.0, 1e4), width=width)
    found = theory.lazy_width_loss(modes, width, solution.time[1:])
    assert np.all(np.abs(found / solution.loss[1:] - 1) <= solution.error[1:] + 1e-6)


def test_it_ends_at_the_bottleneck_and_starts_as_infinite_width():
    law = PowerLaw(1.5, 0.7)
    assert theory.lazy_width_loss(law, 20, [1e8])[0] == pytest.approx(theory.model_bottleneck(law, 20), rel=1e-6)
    early = [0.001, 0.01]
    np.testing.assert_allclose(theory.lazy_width_loss(law, 1e6, early), theory.lazy_loss(law, early), rtol=1e-6)
    np.testing.assert_array_equal(theory.lazy_width_loss(law, np.inf, early), theory.lazy_loss(law, early))


def test_to_first_order_it_is_the_transient():
    law, time, width = PowerLaw(2.0, 0.8), np.geomspace(0.1, 10, 5), 1e5
    modes = law.quadrature(100.0)
    excess = width * (theory.lazy_width_loss(modes, width, time) - theory.lazy_loss(modes, time))
    # The next order is smaller by the modes learned over N; the difference loses five digits.
    np.testing.assert_allclose(excess, theory.transient_coefficient(modes, time, fourth_moment=False), rtol=1e-2)


def test_fewer_points_on_the_contour_give_less():
    modes, time = PowerLaw(1.5, 0.5).quadrature(1e4), np.geomspace(0.1, 1e3, 8)
    np.testing.assert_allclose(width_loss(modes, 50.0, time, 8, 4), width_loss(modes, 50.0, time), rtol=3e-4)
