"""The three forms of the model in full: against the fast simulation, each other and the span of the features."""

import math

import numpy as np
import pytest

from neural_scaling.dmft import DynamicsDiverged
from neural_scaling.models.direct_model import best_in_span, initial_features, train_directly
from neural_scaling.spectra import PowerLaw
from oracles.direct_simulation import direct_losses

SPECTRUM = PowerLaw(1.5, 0.6, 30).spectrum()


@pytest.mark.parametrize("gamma", [0.0, 1.0])
@pytest.mark.parametrize("batch", [math.inf, 4.0])
def test_two_forms_are_one_model(gamma, batch):
    initial = initial_features(SPECTRUM, 8, 3)
    runs = [train_directly(SPECTRUM, initial, 0.1, gamma, 100, form, batch, 5) for form in ("projected", "factored")]
    # One model in two forms: a hundred steps of rounding, below 1e-14 on every kernel.
    np.testing.assert_allclose(runs[0].loss, runs[1].loss, rtol=1e-11)
    np.testing.assert_allclose(runs[0].features, runs[1].features, rtol=1e-10, atol=1e-11)
    assert runs[0].weight_norm == pytest.approx(runs[1].weight_norm, rel=1e-11)
    other = train_directly(SPECTRUM, initial, 0.1, gamma, 100, "unprojected", batch, 5)
    assert (gamma == 0) == bool(np.allclose(other.loss, runs[0].loss, rtol=1e-6))


def test_is_the_model_of_the_oracle():
    initial = initial_features(SPECTRUM, 8, 3)
    run = train_directly(SPECTRUM, initial, 0.2, 1.0, 50)
    # Fifty steps of rounding, below 1e-14 on every kernel.
    np.testing.assert_allclose(run.loss, direct_losses(SPECTRUM, initial, 0.2, 1.0, 50), rtol=1e-12)


def test_features_given_are_left_alone():
    initial = initial_features(SPECTRUM, 4, 0)
    before = initial.copy()
    train_directly(SPECTRUM, initial, 0.1, 1.0, 5, "unprojected")
    np.testing.assert_array_equal(initial, before)


def test_long_training_reaches_the_span_and_without_projection_the_target():
    spectrum = PowerLaw(1.2, 0.8, 8).spectrum()
    initial = initial_features(spectrum, 1, 2)
    floor = best_in_span(spectrum, initial)
    held = train_directly(spectrum, initial, 0.2, 1.0, 3000)
    free = train_directly(spectrum, initial, 0.2, 1.0, 3000, "unprojected")
    # A single direction, and eight modes with lambda_8 t = 50.
    assert held.loss[-1] == pytest.approx(floor, rel=1e-10)
    assert free.loss[-1] < 1e-10 * floor
    assert 0 < floor < spectrum.quadrature().initial_loss


def test_divergence_is_reported():
    with pytest.raises(DynamicsDiverged, match="try eta"):
        train_directly(SPECTRUM, initial_features(SPECTRUM, 16, 0), 1.9, 5.0, 200)
