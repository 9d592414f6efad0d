"""Direct simulations of the model in NumPy, small and written for comparison with the equations."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from companion.errata.dense import Problem
from neural_scaling.base.arrays import Array


@dataclass(frozen=True)
class SimulatedMean:
    """Means over independent runs on steps 0 .. T."""

    # loss, train_loss: shape (T + 1,). Without samples the training loss is the test loss
    loss: Array
    train_loss: Array
    # c_w, c3: w(t) . w(s) / N and v3(t) . v3(s) / N, shape (T + 1, T + 1)
    c_w: Array
    c3: Array
    standard_error: float  # of the mean test loss, relative to it, largest over the steps


def simulate_descent(problem: Problem, seeds: int) -> SimulatedMean:
    """Train with ``A(t) = B(t) A(0)`` on the population or on P samples, full batch, once for each seed."""
    spectrum, eta, gamma, steps = problem.spectrum, problem.eta, problem.gamma, problem.steps
    width, samples = int(problem.width), problem.samples
    root = np.sqrt(spectrum.eigenvalues)
    losses, trains = np.zeros((seeds, steps + 1)), np.zeros((seeds, steps + 1))
    c_w, c3 = np.zeros((steps + 1, steps + 1)), np.zeros((steps + 1, steps + 1))
    for seed in range(seeds):
        random = np.random.default_rng(seed)
        projection = random.standard_normal((width, root.size))
        features = root[:, None] * np.column_stack([projection.T, spectrum.target])
        population = np.asarray(np.linalg.qr(features, mode="r"))
        seen = population
        if samples < math.inf:
            seen = random.standard_normal((int(samples), root.size)) @ features / math.sqrt(samples)
        b, w = np.eye(width), np.zeros(width)
        path, pushes = np.zeros((steps + 1, width)), np.zeros((steps + 1, width))
        for step in range(steps + 1):
            path[step] = w
            error = np.append(-(b.T @ w) / width, 1.0)
            losses[seed, step] = np.sum((population @ error) ** 2)
            residual = seen @ error
            trains[seed, step] = np.sum(residual**2)
            v3 = seen[:, :width].T @ residual
            pushes[step] = v3
            w, b = w + eta * b @ v3, b + (eta * gamma / width) * np.outer(w, v3)
        c_w += path @ path.T / (width * seeds)
        c3 += pushes @ pushes.T / (width * seeds)
    loss = losses.mean(axis=0)
    spread = losses.std(axis=0, ddof=1) / math.sqrt(seeds) / loss
    return SimulatedMean(loss, trains.mean(axis=0), c_w, c3, float(spread.max()))
