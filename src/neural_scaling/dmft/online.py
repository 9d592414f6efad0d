r"""Online SGD at finite width and batch: the full order-parameter equations, solved causally.

The equations (eqs. 18-31, with the corrections of the errata) are, for lower-triangular T x T matrices with
``Theta[t, s] = eta`` for t > s and ``L[.]`` the strictly lower triangle,

.. math::
    S &= (I - \eta\gamma\,\Theta L[C_3])^{-1} \Theta, \qquad C_w = S C_3 S^T, \qquad X = S + \eta\gamma L[C_w], \\
    H_k &= (I + \lambda_k X R_3)^{-1}, \qquad R_3 = I - \tfrac1N \textstyle\sum_k (I - H_k), \\
    C_0 &= \sum_k \lambda_k H_k \Big[ (w^*_k)^2 1 1^T + X \Big( \tfrac1N C_3
          + \tfrac{\lambda_k}{B} R_3\, \mathrm{diag}(C_0) R_3^T \Big) X^T \Big] H_k^T, \\
    C_2 &= \tfrac1B \sum_k \lambda_k H_k\, \mathrm{diag}(C_0) H_k^T
          + \sum_k \lambda_k^2 H_k \Big[ (w^*_k)^2 1 1^T + \tfrac1N X C_3 X^T \Big] H_k^T, \qquad C_3 = R_3 C_2 R_3^T,

and the loss is the diagonal of ``C_0``. Row t of every matrix depends on earlier rows only (``X`` is strictly lower), so
one pass over the rows solves them exactly: no fixed point, no damping, no sampling. Two identities save work:
``lambda_k H_k X R_3 = I - H_k`` gives ``R_3`` from ``H_k`` and turns the noise of the batch in ``C_0`` into a sum of squares of
``H_k``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from neural_scaling.dmft.stability import check_dynamics, check_finite
from neural_scaling.monitor import Arrays, Monitor, scalar
from neural_scaling.spectra import Array, ModeQuadrature


@dataclass(frozen=True)
class OnlineSolution:
    """Order parameters of online SGD on steps 0 .. T, each matrix of shape (T + 1, T + 1).

    Attributes
    ----------
    loss
        Test loss ``C_0[t, t]`` (eq. 5), shape (T + 1,).
    response
        ``R_3``, response of ``v3`` to its own noise, unit lower triangular.
    feature_correlation
        ``C_3 = v3 . v3 / N``.
    weight_correlation
        ``C_w = w . w / N``.
    """

    loss: Array
    response: Array
    feature_correlation: Array
    weight_correlation: Array


def solve_online(
    quadrature: ModeQuadrature,
    eta: float,
    gamma: float,
    steps: int,
    width: float = math.inf,
    batch: float = math.inf,
    monitor: Monitor | None = None,
) -> OnlineSolution:
    """Solve the DMFT of online SGD exactly in unit steps.

    Memory is 16 K T^2 bytes and the work is about 5 K T^3 multiplications for K nodes.

    Parameters
    ----------
    quadrature
        Modes, resolving ``eta * steps`` times the growth of the kernel.
    eta
        Learning rate.
    gamma
        Richness, 0 for random features.
    steps
        Number of steps T.
    width, batch
        N and B, ``math.inf`` for the limits.
    monitor
        Told of progress in rows; may keep the state (16 K T^2 bytes at the end) and give it back.

    Returns
    -------
    OnlineSolution

    Raises
    ------
    InputError
        If an argument is out of range or ``eta`` unstable.
    DynamicsDiverged
        If the loss blows up.
    """
    check_dynamics(quadrature, eta, gamma, steps, width, batch)
    nodes, weights, targets = quadrature.nodes, quadrature.weights, quadrature.target_weights
    size, rows = nodes.size, steps + 1
    per_width = 0.0 if width == math.inf else 1 / width
    per_batch = 0.0 if batch == math.inf else 1 / batch

    mode_response = np.zeros((size, rows, rows))  # H_k
    if per_width:
        driven = np.zeros((size, rows, rows))  # H_k X
    mode_mean = np.ones((size, rows))  # H_k 1
    drive = np.zeros((rows, rows))  # X
    weight_response = np.zeros((rows, rows))  # S
    response = np.zeros((rows, rows))  # R3
    weight_correlation = np.zeros((rows, rows))
    gradient_correlation = np.zeros((rows, rows))  # C2
    feature_correlation = np.zeros((rows, rows))  # C3
    loss = np.zeros(rows)

    kept: Arrays = {
        "mode_response": mode_response,
        "mode_mean": mode_mean,
        "drive": drive,
        "weight_response": weight_response,
        "response": response,
        "weight_correlation": weight_correlation,
        "gradient_correlation": gradient_correlation,
        "feature_correlation": feature_correlation,
        "loss": loss,
    }
    if per_width:
        kept["driven"] = driven
    monitor = monitor or Monitor()
    first = 0
    if (restored := monitor.restored()) is not None:
        first = int(restored["rows"])
        for name, array in kept.items():
            array[...] = restored[name]

    with np.errstate(over="ignore", invalid="ignore"):
        for i in range(first, rows):
            past, upto = slice(0, i), slice(0, i + 1)
            if i:
                # w(t+1) = w(t) + eta v3(t) + eta^2 gamma sum_{s<t} C3(t, s) w(s), as rows of S.
                earlier = slice(0, i - 1)
                recoil = feature_correlation[i - 1, earlier] @ weight_response[earlier, earlier]
                weight_response[i, past] = weight_response[i - 1, past]
                weight_response[i, earlier] += eta**2 * gamma * recoil
                weight_response[i, i - 1] += eta
                pushed = weight_response[i, past] @ feature_correlation[past, past]
                weight_correlation[i, upto] = weight_response[upto, past] @ pushed
                weight_correlation[past, i] = weight_correlation[i, past]
                drive[i, past] = weight_response[i, past] + eta * gamma * weight_correlation[i, past]
                step_row = drive[i, past] @ response[past, past]
                # Row i of (I + lambda_k X R3) H_k = I.
                mode_response[:, i, past] = -nodes[:, None] * (step_row @ mode_response[:, past, past])
            mode_response[:, i, i] = 1.0
            row = mode_response[:, i, upto]
            mode_mean[:, i] = row.sum(axis=1)
            response[i, past] = per_width * (weights @ row[:, past])
            response[i, i] = 1.0

            value = (targets * nodes) @ mode_mean[:, i] ** 2
            if per_batch:
                value += per_batch * (weights @ (row[:, past] ** 2 @ loss[past]))
            if per_width and i:
                driven_row = row @ drive[upto, past]
                driven[:, i, past] = driven_row
                correlated = driven_row @ feature_correlation[past, past]
                value += per_width * ((weights * nodes) @ np.einsum("ks,ks->k", correlated, driven_row))
            loss[i] = value

            latest = (targets * nodes**2 * mode_mean[:, i]) @ mode_mean[:, upto]
            if per_batch:
                noisy = np.matmul(mode_response[:, upto, upto], (row * loss[upto])[:, :, None])[:, :, 0]
                latest += per_batch * ((weights * nodes) @ noisy)
            if per_width and i:
                coupled = np.matmul(driven[:, upto, past], correlated[:, :, None])[:, :, 0]
                latest += per_width * ((weights * nodes**2) @ coupled)
            gradient_correlation[i, upto] = latest
            gradient_correlation[upto, i] = latest
            mixed = response[i, upto] @ gradient_correlation[upto, upto]
            feature_correlation[i, upto] = response[upto, upto] @ mixed
            feature_correlation[upto, i] = feature_correlation[i, upto]
            if not loss[i] <= 1e6 * loss[0]:
                check_finite(loss[upto], eta)
            monitor.advance(1)
            monitor.safe_point(lambda: kept | {"rows": scalar(i + 1)})  # noqa: B023 (called before the next row)
    return OnlineSolution(loss, response, feature_correlation, weight_correlation)
