"""Linear networks: the fast program against eq. 84 written out, the law of its batches, its limits and its errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neural_scaling.base.arrays import Array
from neural_scaling.base.checks import InputError
from neural_scaling.models.linear_networks import (
    CURVES,
    LinearNetworkHistory,
    _Networks,
    _orthonormal,
    lazy_loss,
    literal_setting,
    richness,
    spike_overlap,
    train_linear_networks,
)
from neural_scaling.spectra import PowerLaw, Spectrum

SPECTRUM = PowerLaw(2.0, 0.6, 40).spectrum()
WIDTH, ETA0 = 7, 0.2


def trained(gammas: list[float], steps: int = 40, **changed: object) -> LinearNetworkHistory:
    settings: dict[str, object] = {"seed": 3, "batch": math.inf} | changed
    return train_linear_networks(SPECTRUM, WIDTH, ETA0, gammas, steps, **settings)  # type: ignore[arg-type]


def literally(spectrum: Spectrum, gamma: float, rate: float, w: Array, a: Array, steps: int) -> dict[str, Array]:
    """Gradient descent on the population loss <(y - f)^2> / 2 of eq. 84, as it stands."""
    lam, target = spectrum.eigenvalues, spectrum.target
    w, a = w.copy(), a.copy()
    start = a.T @ w
    rows: dict[str, list[float]] = {"loss": [], "norm": [], "first": [], "spike": []}
    for _ in range(steps + 1):
        f = (a.T @ w - start) / gamma  # the network's linear map
        rows["loss"].append(float((target - f) @ (lam * (target - f))))
        rows["norm"].append(float(w @ w))
        _, size, right = np.linalg.svd(a, full_matrices=False)
        rows["first"].append(float(size[0]))
        rows["spike"].append(abs(float(right[0] @ f)) / max(float(np.linalg.norm(f)), 1e-300))
        slope = -lam * (target - f) / gamma  # of the loss in f~'s linear map
        w, a = w - rate * a @ slope, a - rate * np.outer(w, slope)
    return {name: np.array(values) for name, values in rows.items()}


@pytest.mark.parametrize("scale", [WIDTH**-0.5, 1.0])
@pytest.mark.parametrize("gamma0", [0.01, 0.5, 1.5])
def test_the_network_of_eq_84_step_by_step_in_any_units(gamma0: float, scale: float) -> None:
    fast = trained([gamma0])
    networks = _Networks(SPECTRUM, WIDTH, ETA0, np.array([gamma0]), 3, math.inf)
    setting = literal_setting(gamma0, ETA0, WIDTH, scale)
    ratio = scale / WIDTH**-0.5
    slow = literally(
        SPECTRUM, setting.gamma, setting.learning_rate, ratio * networks.start, ratio * networks.features, 40
    )
    at = fast.step.astype(int)
    # Rounding: eq. 84 subtracts the output at initialization and divides by gamma, which costs two digits at 0.01.
    np.testing.assert_allclose(fast.loss[0], slow["loss"][at], rtol=1e-11)
    np.testing.assert_allclose(fast.weight_norm[0] * ratio**2, slow["norm"][at], rtol=1e-11)
    np.testing.assert_allclose(fast.singular_first[0] * ratio, slow["first"][at], rtol=1e-11)
    np.testing.assert_allclose(fast.spike_learned[0][1:], slow["spike"][at][1:], atol=1e-9)
    assert richness(setting.gamma, WIDTH, scale) == pytest.approx(gamma0, rel=1e-14)


@pytest.mark.slow
def test_a_batch_has_the_law_of_eq_85() -> None:
    """Means and covariances of the gradients of three networks on one batch of 4, against batches drawn row by row."""
    modes, batch, draws = 5, 4, 20_000
    rows = np.random.default_rng(0).standard_normal((3, modes))
    networks = _Networks(PowerLaw(2.0, 0.6, modes).spectrum(), 2, 0.1, np.array([0.0, 0.5, 1.0]), 1, batch)
    networks.residual = rows
    fast = np.stack([networks._batch_gradient(step).ravel() for step in range(draws)])
    x = np.random.default_rng(1).standard_normal((draws, batch, modes))
    slow = np.einsum("dbm,dbn,gn->dgm", x, x, rows).reshape(draws, -1) / batch
    size = slow.std(axis=0)
    # Five standard errors of the difference of two means.
    assert np.all(np.abs(fast.mean(axis=0) - slow.mean(axis=0)) < 5 * size * math.sqrt(2 / draws))
    np.testing.assert_allclose(slow.mean(axis=0), rows.ravel(), atol=5 * float(size.max()) / math.sqrt(draws))
    # Entries of a correlation matrix, with fourth moments of chi-square type: errors of about 3/sqrt(draws) each.
    scale = np.outer(size, size)
    assert np.max(np.abs(np.cov(fast.T) - np.cov(slow.T)) / scale) < 15 / math.sqrt(draws)


def test_a_stream_is_shared_by_networks_that_agree() -> None:
    """Equal richnesses see the same batches; residuals in one direction add none to the basis."""
    twice = trained([0.7, 0.7, 0.7], batch=4)
    np.testing.assert_allclose(twice.loss[1:], np.tile(twice.loss[0], (2, 1)), rtol=1e-9)
    basis, coordinates = _orthonormal(np.array([[1.0, 2.0, 2.0], [2.0, 4.0, 4.0], [0.0, 1.0, 0.0]]))
    assert basis.shape == (2, 3)
    np.testing.assert_allclose(coordinates @ basis, [[1, 2, 2], [2, 4, 4], [0, 1, 0]], atol=1e-14)


def test_richness_zero_is_the_linearised_network() -> None:
    """At gamma0 = 0 gradient descent is linear regression with the initial kernel; small gamma0 comes as close as its size."""
    history = trained([0.0, 1e-6, 1e-3])
    networks = _Networks(SPECTRUM, WIDTH, ETA0, np.zeros(1), 3, math.inf)
    root = networks.root
    kernel = networks.features.T @ networks.features + (networks.start @ networks.start) * np.eye(SPECTRUM.modes)
    residual, losses = root * SPECTRUM.target, []
    for _ in range(41):
        losses.append(float(residual @ residual))
        residual = residual - ETA0 * root * (kernel @ (root * residual))
    np.testing.assert_allclose(history.loss[0], np.array(losses)[history.step.astype(int)], rtol=1e-11)
    exact = lazy_loss(SPECTRUM, WIDTH, ETA0, history.step, 3)
    np.testing.assert_allclose(history.loss[0], exact, rtol=1e-11)
    np.testing.assert_allclose(history.weight_norm[0], networks.start @ networks.start, rtol=1e-14)
    np.testing.assert_allclose(history.loss[1], history.loss[0], rtol=1e-5)
    np.testing.assert_allclose(history.loss[2], history.loss[0], rtol=1e-2)


def test_the_lazy_loss_of_wide_networks_tends_to_that_of_infinite_width() -> None:
    steps = np.array([0.0, 3.0, 30.0])
    infinite = lazy_loss(SPECTRUM, math.inf, ETA0, steps, 0)
    gaps = [np.abs(lazy_loss(SPECTRUM, width, ETA0, steps, 0) / infinite - 1).max() for width in (100, 40_000)]
    assert gaps[1] < 0.02 < gaps[0] < 1
    with pytest.raises(InputError, match=r"^spectrum:"):
        lazy_loss(PowerLaw(2.0, 0.6, 5000).spectrum(), 10, ETA0, steps, 0)


def test_balancing_is_exact_in_the_limit_of_small_steps() -> None:
    """A A^T - w w^T moves only because steps are finite: at first order in eta0."""
    coarse, fine = (
        train_linear_networks(SPECTRUM, WIDTH, eta, [1.0], round(8 / eta), 3).imbalance[0, -1] for eta in (0.02, 0.01)
    )
    assert 0 < fine < coarse < 0.05
    assert coarse / fine == pytest.approx(2, rel=0.1)


def test_the_spike_takes_over_when_the_weights_have_grown() -> None:
    history = train_linear_networks(PowerLaw(2.0, 0.2, 200).spectrum(), 10, 0.01, [0.0, 10.0], 1500, 0)
    assert history.weight_norm[1, -1] > 20 * math.sqrt(200 / 10)
    assert history.spike_readout[1, -1] > 0.99
    assert history.spike_learned[1, -1] > 0.99
    assert history.rank_one[0, -1] == pytest.approx(1, abs=1e-12)  # at gamma0 = 0 only w(0) v^T is ever added


def test_a_network_that_diverges_is_reported_and_leaves_the_others_alone() -> None:
    alone = trained([0.3], 300)
    both = trained([0.3, 40.0], 300)
    (stable, diverged) = both.diverged_at
    assert stable == -1 and 0 < diverged < 300
    np.testing.assert_allclose(both.loss[0], alone.loss[0], rtol=1e-11)
    after = both.step >= diverged
    assert np.all(np.isinf(both.loss[1, after])) and np.all(np.isfinite(both.loss[1, ~after]))
    for name in set(CURVES) - {"loss"}:
        assert np.all(np.isfinite(getattr(both, name))), name


def test_overlap_of_a_rank_one_addition() -> None:
    """Random matrices of N = 200 with a spike of twice the size at which it leaves the bulk, mean of 16."""
    width, modes = 200, 3200
    random = np.random.default_rng(0)
    size = 2 * (1 + math.sqrt(modes / width))
    found = []
    for _ in range(16):
        features = random.standard_normal((width, modes)) / math.sqrt(width)
        gram = features @ features.T
        gram[0, 0] += size
        found.append(abs(float(np.linalg.eigh(gram)[1][0, -1])))
    expected = float(spike_overlap(np.array([size]), modes, width)[0])
    # One draw scatters by about 0.03 around a mean that a finite N lowers by about 1/N of it.
    assert np.mean(found) == pytest.approx(expected, abs=0.02)
    assert spike_overlap(np.array([0.5, 4.9]), modes, width).tolist() == [0, 0]
