"""The equations of the chapters on the theory, each step against a simulation or against the solver."""

import numpy as np
import pytest

from neural_scaling.dmft import TimeGrid, infinite_limit, solve
from neural_scaling.spectra import PowerLaw, Spectrum
from neural_scaling.theory import data_bottleneck, effective_scale, lazy_sgd_loss

ETA = 0.3


def few_modes(count=24, alpha=1.5, beta=0.8):
    k = np.arange(1.0, count + 1)
    return Spectrum(k**-alpha, np.sqrt(k ** (alpha - alpha * beta - 1)))


def trained(modes, a0, gamma, steps, push=None, batch=None, random=None):
    """Projected descent by eq-model-step as it stands; every field at every step, ``push`` is added to v3."""
    lam, target, width = modes.eigenvalues, modes.target, len(a0)
    w, a, seen = np.zeros(width), a0.copy(), {name: [] for name in ("w", "v0", "v2", "v3", "v4")}
    for t in range(steps + 1):
        v0 = target - a.T @ w / width
        v2 = lam * v0
        if batch:
            psi = random.standard_normal((batch, lam.size)) * np.sqrt(lam)
            v2 = psi.T @ (psi @ v0) / batch
        v3 = a0 @ v2 + (push(t) if push else 0.0)
        v4 = a0.T @ v3 / width
        for name, value in {"w": w, "v0": v0, "v2": v2, "v3": v3, "v4": v4}.items():
            seen[name].append(value.copy())
        # What A does to v2 besides A(0) is the sum over the past, for a kick reaches w through v3.
        w, a = w + ETA * (v3 + (a - a0) @ v2), a + ETA * gamma * np.outer(w, v4)
    return {name: np.array(values) for name, values in seen.items()}


@pytest.mark.parametrize("batch", [None, 3])
def test_the_past_enters_through_overlaps(batch):
    random, modes, gamma, steps = np.random.default_rng(0), few_modes(), 0.7, 9
    a0 = random.standard_normal((5, modes.modes))
    f = trained(modes, a0, gamma, steps, batch=batch, random=random)
    past = np.tril(np.ones((steps + 1, steps + 1)), -1)
    c3, cw = (past * (f[name] @ f[name].T) / 5 for name in ("v3", "w"))
    vw = f["w"] @ a0 / 5
    np.testing.assert_allclose(np.diff(f["w"], axis=0), (ETA * f["v3"] + ETA**2 * gamma * c3 @ f["w"])[:-1], atol=1e-13)
    np.testing.assert_allclose(np.diff(vw, axis=0), (ETA * f["v4"] + ETA**2 * gamma * c3 @ vw)[:-1], atol=1e-13)
    np.testing.assert_allclose(f["v0"], modes.target - vw - ETA * gamma * cw @ f["v4"], atol=1e-13)


@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_a_kick_to_the_neurons_comes_back_as_the_response_says(gamma):
    modes, width, steps, at, size, random = few_modes(80), 24, 8, 2, 1e-5, np.random.default_rng(1)
    found = []
    for _ in range(12):
        a0 = random.standard_normal((width, modes.modes))
        calm = trained(modes, a0, gamma, steps)["v3"]
        moved = [
            trained(modes, a0, gamma, steps, lambda t, i=i: size * np.eye(width)[i] * (t == at))["v3"][:, i]
            - calm[:, i]
            for i in range(width)
        ]
        found.append(np.mean(moved, axis=0) / size)
    mean, error = np.mean(found, axis=0), np.std(found, axis=0) / np.sqrt(len(found))
    response = solve(modes, gamma, TimeGrid.unit_steps(ETA, steps), width=width).order.response[:, at]
    np.testing.assert_allclose(mean[: at + 1], response[: at + 1], atol=1e-8)
    late = slice(at + 1, None)
    # Three errors, and a share of the next order, one over the width.
    assert np.all(np.abs(mean - response)[late] < 3 * error[late] + np.abs(response[late]) / width)
    assert np.all(np.abs(response[late]) > 10 * error[late])


def test_the_lazy_response_is_the_effective_ridge():
    # In unit steps p = (z - 1)/eta; what the sum leaves out is below z^-80.
    modes, width, z = few_modes(60), 6, 1.6
    response = solve(modes, 0.0, TimeGrid.unit_steps(ETA, 80), width=width).order.response[:, 0]
    r, p = float(response @ z ** -np.arange(81.0)), (z - 1) / ETA
    lam = modes.eigenvalues
    assert r == pytest.approx(1 - np.sum(lam * r / (p + lam * r)) / width, rel=1e-12)
    ridge = p / r
    assert ridge * (1 - np.sum(lam / (ridge + lam)) / width) == pytest.approx(p, rel=1e-12)


def test_the_batch_equation_is_the_lazy_recursion():
    modes, batch, steps = PowerLaw(1.5, 0.6).quadrature(40.0), 2, 40
    lam, free = modes.nodes, modes.weights
    loss = []
    for t in range(steps + 1):
        age = t - 1 - np.arange(t)
        noise = (
            free @ ((ETA * lam[:, None]) ** 2 * (1 - ETA * lam[:, None]) ** (2 * age)) @ np.array(loss) / batch
            if t
            else 0
        )
        loss.append(modes.target_weights @ (lam * (1 - ETA * lam) ** (2 * t)) + noise)
    np.testing.assert_allclose(loss, lazy_sgd_loss(modes, ETA, batch, steps, fourth_moment=False), rtol=1e-12)


def test_an_oscillation_at_the_edge_wears_the_kernel_down():
    # One mode that overshoots at every step, at a kernel far grown; what is left out is smaller by eta^2 and by the amplitude.
    eta, gamma, lam, delta, g = 0.2, 1e-3, 1.0, 1e-3, 1.0
    start = (2 / (eta * lam) - g) / gamma
    u, norm = 1 - delta, start
    for _ in range(2):
        a = lam * (1 - u)
        u, norm, g = (
            u + eta * (g * a + gamma * a * (norm + eta * u * a)),
            norm + 2 * eta * u * a + eta**2 * g * a**2,
            g + 2 * eta * gamma * u * a + (eta * gamma) ** 2 * norm * a**2,
        )
    assert 1 - u == pytest.approx(delta, rel=1e-3)
    assert norm - start == pytest.approx(-2 * (eta * lam * delta) ** 2 * gamma * start, rel=1e-3)


def test_interpolation_has_the_prefactor_of_cross_validation():
    modes, samples = few_modes(400), 30
    y = effective_scale(modes, samples)
    k = modes.eigenvalues * y / (1 + modes.eigenvalues * y)
    assert k.sum() == pytest.approx(samples, rel=1e-9)
    loss = np.sum(modes.eigenvalues * modes.target**2 * (1 - k) ** 2) / (1 - np.sum(k**2) / samples)
    assert data_bottleneck(modes, samples) == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize(("batch", "samples"), [(5, np.inf), (np.inf, 9)])
def test_the_march_of_the_record_is_that_of_the_library(batch, samples):
    # alg-march of the reproducibility record, line by line.
    modes, gamma, width, steps = few_modes(), 1.3, 7, 24
    lam, w2 = modes.eigenvalues, modes.target**2
    shape = (steps + 1, steps + 1)
    s, r3, r1, q, c0, c2, c3, cw = (np.zeros(shape) for _ in range(8))
    k, m, loss, pushed = (
        np.zeros((lam.size, *shape)),
        np.zeros((lam.size, steps + 1)),
        np.zeros(steps + 1),
        np.zeros(steps + 1),
    )
    for t in range(steps + 1):
        upto, unit = slice(0, t + 1), np.eye(steps + 1)[t]
        s[t] = pushed
        cw[t, upto] = cw[upto, t] = s[t] @ c3 @ s[upto].T
        x = s[t] + gamma * ETA * np.where(np.arange(steps + 1) < t, cw[t], 0.0)
        y = x @ q
        k[:, t] = lam[:, None] * (y - y @ k)
        r3[t], r1[t] = unit - k[:, t].sum(0) / width, unit - k[:, t].sum(0) / samples
        q[t] = r3[t] @ r1
        m[:, t] = 1 - k[:, t].sum(1)
        signal = (w2 * lam * m[:, t]) @ m[:, upto] + np.einsum(
            "k,ks,kus->u", 1 / (width * lam), k[:, t] @ c2, k[:, upto]
        )
        if np.isinf(samples):
            loss[t] = signal[t] + np.sum(k[:, t] ** 2 @ loss) / batch
            noise = np.diag(loss) / batch
        else:
            noise = c0 / samples
            c0[t, upto] = c0[upto, t] = signal + np.einsum("ks,kus->u", k[:, t] @ noise, k[:, upto])
            loss[t], noise = c0[t, t], c0 / samples
        h = np.eye(steps + 1)[upto] - k[:, upto]
        c2[t, upto] = c2[upto, t] = (
            (w2 * lam**2 * m[:, t]) @ m[:, upto]
            + np.einsum("ks,kus->u", k[:, t] @ c2, k[:, upto]) / width
            + np.einsum("k,ks,kus->u", lam, h[:, t] @ noise, h)
        )
        c3[t, upto] = c3[upto, t] = q[t] @ c2 @ q[upto].T
        pushed = pushed + ETA * (unit + gamma * ETA * np.where(np.arange(steps + 1) < t, c3[t], 0.0) @ s)
    grid = TimeGrid.unit_steps(ETA, steps)
    found = solve(modes, gamma, grid, width=width, batch=batch, samples=samples)
    np.testing.assert_allclose(loss, found.loss, rtol=1e-10)
    np.testing.assert_allclose(c3, found.order.feature_correlation, rtol=1e-9, atol=1e-12)
    if samples < np.inf:
        np.testing.assert_allclose(np.diag(r1 @ c0 @ r1.T), found.train_loss, rtol=1e-9)


def test_the_limit_of_the_record_is_that_of_the_library():
    # alg-infinite of the reproducibility record, line by line.
    modes, eta, gamma, steps = PowerLaw(1.5, 0.5).quadrature(100.0), 0.2, 1.4, 40
    lam, b = modes.nodes, modes.target_weights
    u, c, g, found = np.zeros(lam.size), 0.0, np.zeros((lam.size, lam.size)), []
    for _ in range(steps + 1):
        a = lam * (1 - u)
        kernel = (1 + gamma * c) * np.diag(lam) + g @ np.diag(b * lam)
        found.append((np.sum(b * a * (1 - u)), c, np.linalg.eigvals(kernel).real.max()))
        o, q, h = np.sum(b * u * a), a + g @ (b * a), eta * gamma * u + 0.5 * (eta * gamma) ** 2 * c * a
        g, n = g + np.outer(h, a) + np.outer(a, h), c + eta * o
        c, u = c + 2 * eta * o + eta**2 * np.sum(b * a * q), u + eta * q + eta * gamma * n * a
    limit = infinite_limit(modes, eta, gamma, steps, record=np.arange(steps + 1))
    np.testing.assert_allclose(
        np.array(found), np.column_stack([limit.loss, limit.weight_norm, limit.sharpness]), rtol=1e-10
    )
