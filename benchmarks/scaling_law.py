"""Seconds of a joint fit of a scaling law with 1000 draws of the runs, and how they grow with the number of points."""

import time

import numpy as np

from neural_scaling.fits import compare_scaling_laws, fit_scaling_law


def curves(runs, points):
    """Return N, D, losses with noise that runs share, and the number of the run."""
    random = np.random.default_rng(0)
    run, size, data = (
        one.ravel()
        for one in np.broadcast_arrays(
            np.arange(runs)[:, None], np.geomspace(1e6, 1e9, runs)[:, None], np.geomspace(1e8, 1e11, points)
        )
    )
    noise = 0.01 * random.standard_normal(runs)[run] + 0.003 * random.standard_normal(run.size)
    return size, data, (1.7 + 400 * size**-0.34 + 410 * data**-0.28) * np.exp(noise), run


def main() -> None:
    """Fit each law to several sizes of data; print wall and processor seconds."""
    for runs, points in ((8, 16), (12, 40), (30, 40)):
        data = curves(runs, points)
        for law in ("chinchilla", "lazy", "rich"):
            started, processor = time.perf_counter(), time.process_time()
            fit = fit_scaling_law(*data, law=law)
            wall, processor = time.perf_counter() - started, time.process_time() - processor
            agree = f"{fit.agreeing} of {fit.starts} starts agree"
            print(f"{runs} runs of {points} points, {law}: {wall:.1f} s, {processor:.1f} s of a processor; {agree}")
        started = time.process_time()
        compare_scaling_laws(*data)
        print(f"  comparison: {time.process_time() - started:.1f} s of a processor")


if __name__ == "__main__":
    main()
