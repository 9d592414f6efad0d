"""Linear networks: the fast program against eq. 84 written out, the law of its batches, its limits and its errors."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neural_scaling.linear_networks import (
    LinearNetworkHistory,
    _Networks,
    literal_setting,
    richness,
    train_linear_networks,
)
from neural_scaling.spectra import Array, PowerLaw, Spectrum

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
