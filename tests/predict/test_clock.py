"""The flow in its own clock against the solver that integrates all modes, and against closed forms."""

import numpy as np
import pytest

from neural_scaling import dmft
from neural_scaling.predict.clock import flows
from neural_scaling.spectra import PowerLaw
from neural_scaling.theory import lazy_loss

TIME = np.geomspace(0.02, 1e4, 30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("alpha", "beta", "gamma"), [(1.5, 0.5, 1.0), (3.0, 0.5, 10.0), (1.2, 1.5, 1.0), (1.5, 3.0, 0.1)]
)
def test_the_clock_gives_the_flow(alpha, beta, gamma):
    modes = PowerLaw(alpha, beta).quadrature(1e8, 8)
    slow = dmft.kernel_flow(modes, gamma, TIME)
    fast = flows([modes], [np.ones(modes.nodes.size, bool)], np.array([gamma]), TIME)
    # A cell is 4 % of its time; straight lines over it err by the square of that, halved by three and more.
    np.testing.assert_allclose(fast.loss[0], slow.loss, rtol=3e-4)
    np.testing.assert_allclose(fast.scale[0], slow.scale, rtol=1e-4)
    np.testing.assert_allclose(
        fast.sharpness[0], slow.sharpness, rtol=1e-2
    )  # ten times a decade, straight lines between


def test_without_feature_learning_modes_decay_by_themselves():
    modes = PowerLaw(1.5, 0.5, 50).spectrum().quadrature()
    marked = np.arange(50) >= 20
    found = flows([modes, modes], [marked, ~marked], np.zeros(2), TIME)
    seen = lazy_loss(modes, TIME) > 1e-15  # below, rounding of 1 - v counts
    np.testing.assert_allclose(found.loss[0][seen], lazy_loss(modes, TIME)[seen], rtol=1e-6)
    np.testing.assert_allclose(found.clock[0], TIME, rtol=1e-10)
    np.testing.assert_allclose(found.parts.sum(axis=0), 1, rtol=1e-3)  # straight lines between cells


def test_spectra_do_not_feel_each_other():
    laws = [PowerLaw(1.5, 0.5).quadrature(1e6, 8), PowerLaw(2.0, 1.0).quadrature(1e6, 8)]
    marked = [np.zeros(one.nodes.size, bool) for one in laws]
    both = flows(laws, marked, np.array([1.0, 2.0]), TIME)
    for row, (law, none, gamma) in enumerate(zip(laws, marked, (1.0, 2.0), strict=True)):
        alone = flows([law], [none], np.array([gamma]), TIME)
        np.testing.assert_allclose(both.loss[row], alone.loss[0], rtol=3e-4)  # cells are those of the fastest
